"""Figures: bit for bit the same, readable without colour, no global state, and errors before any work."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from jacspec import InputError
from verification.cli import main
from verification.plots import FORMATS, figure, mark, render, trend_figure
from verification.plots.style import need_format, styled
from verification.trend import Form, Grid, Law, Trend, measure

SIZES = (16, 32, 64, 128, 256)
GRID = Grid("n = d", tuple((n, n) for n in SIZES), 5, 4)


def trend(form: Form, *, factor: bool = False) -> Trend:
    rng = np.random.default_rng(1)
    exponent = 2.0 if form is Form.EXPONENT else 0.0
    own = Law(
        f"a law <{form.value}> & more",
        lambda instance: 1.0,
        GRID,
        form,
        exponent if form is Form.EXPONENT else 1.0,
        (2 / 3,),
        (lambda n, d: 1 + 1 / n) if factor else None,
        "a factor" if factor else "",
        None if form is Form.EXPONENT else -2 / 3,
    )
    return measure(own, [(n, n, list(n**exponent * (1 + rng.standard_normal(8) / n))) for n in SIZES])


TRENDS = [trend(Form.EXPONENT), trend(Form.EXPONENT, factor=True), trend(Form.LIMIT), trend(Form.LIMIT)]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("count", [1, 4])
def test_the_same_values_give_the_same_file(form: str, count: int) -> None:
    first, second = (render(trend_figure(TRENDS[:count], "title"), form) for _ in range(2))
    assert first == second
    assert first.startswith(b"\x89PNG" if form == "png" else b"<?xml")


def test_an_svg_is_well_formed_and_tells_no_date() -> None:
    content = render(trend_figure(TRENDS, "one & <two>"), "svg")
    text = "".join(ElementTree.fromstring(content).itertext())
    assert "one & <two>" in text
    assert "a law <limit> & more" in text
    assert b"date" not in content.lower()


def test_two_panels_for_each_trend_and_a_legend_of_what_is_there() -> None:
    made = trend_figure(TRENDS, "title")
    assert len(made.axes) == 8
    assert [t.get_text() for t in made.legends[0].get_texts()] == [
        "measured (99 % intervals)",
        "the law",
        "the law with its finite-size factor",
        "extrapolated",
    ]
    assert len(trend_figure(TRENDS[:1], "title").legends[0].get_texts()) == 2


def test_everything_drawn_lies_inside_the_figure() -> None:
    made = trend_figure(TRENDS, "title")
    with styled():
        made.draw_without_rendering()
    for at in made.axes:
        box = at.get_tightbbox()
        assert box is not None
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= made.bbox.x1
        assert box.y1 <= made.bbox.y1


def test_roles_differ_without_colour() -> None:
    roles = ("measured", "path", "extrapolated", "predicted", "refined")
    bounds = ("path", "paper", "explicit", "sharp")
    for group in (roles, bounds):
        shapes = {str({key: value for key, value in mark(role).items() if key != "color"}) for role in group}
        assert len(shapes) == len(group)
    with pytest.raises(KeyError):
        mark("nonsense")


def test_no_state_is_left_behind() -> None:
    before = dict(matplotlib.rcParams)
    render(trend_figure(TRENDS[:1], "title"), "png")
    with styled():
        figure(3, 2)
    assert dict(matplotlib.rcParams) == before
    code = (
        "import sys, verification.plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from verification.plots import figure, render\n"
        "render(figure(2, 2), 'svg')\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("path", ["figure.pdf", "figure", "png", "folder.svg/figure", ".svg.txt"])
def test_other_formats_are_refused(path: str) -> None:
    with pytest.raises(InputError, match=r"\.png or \.svg"):
        need_format(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["schur-bounds", "--plot", "{}/x.png"], "trends"),
        (["random-khatri-rao-edge", "--plot", "{}/x.pdf"], ".png or .svg"),
        (["random-khatri-rao-edge", "--plot", "{}/no/x.svg"], "folder"),
        (["random-khatri-rao-edge", "--plot", "{}/x.svg", "--data", "sphere:n=5,d=4"], "--data"),
        (["random-khatri-rao-edge", "--plot", "{}/x.svg", "--instance", "n=2"], "--instance"),
    ],
    ids=["no trends", "format", "folder", "data", "instance"],
)
def test_a_figure_that_cannot_be_is_refused_first(arguments, words: str, tmp_path, capsys) -> None:
    assert main(["verify", *(a.format(tmp_path) for a in arguments)]) == 2
    err = capsys.readouterr().err
    assert "--plot" in err
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_the_command_draws(tmp_path, capsys) -> None:
    path = tmp_path / "edge.svg"
    assert main(["verify", "random-khatri-rao-edge", "--examples", "1", "--seed", "3", "--plot", str(path)]) == 0
    assert str(path) in capsys.readouterr().out.replace("\n", "")
    text = path.read_text()
    assert "random-khatri-rao-edge" in text
    assert "seed 3" in text
    assert [p.name for p in tmp_path.iterdir()] == ["edge.svg"]
