"""How tight a claim page says that forms are: it is what was measured, of every form, and measuring again agrees."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from verification.claims import SLUGS, load
from verification.report import strips
from verification.report.strips import draw_strips, gap_strip, mean_strip, share_strip, slack_strip

DOCS = Path(__file__).resolve().parent.parent / "docs"


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


measure, tightness = loaded(DOCS / "measure.py"), loaded(DOCS / "_ext" / "tightness.py")
CLAIMS = {slug: load(slug) for slug in SLUGS}
MEASURED: dict[str, Any] = measure.read()


# -- the file -------------------------------------------------------------------------------------------------------


def test_every_form_of_every_claim_was_measured() -> None:
    assert tightness.entries(DOCS, CLAIMS) == MEASURED
    assert all(measure.current(MEASURED, slug) for slug in SLUGS)
    for entry in MEASURED.values():
        for v in entry["variants"].values():
            assert v["verdict"] not in ("VIOLATED", "REFUTED")


def test_what_was_not_measured_stops_the_build_with_the_command_to_type(tmp_path: Path) -> None:
    claims = {slug: CLAIMS[slug] for slug in ("schur-bounds", "jacobian-norm")}
    with pytest.raises(ValueError, match=r"nothing about schur-bounds\. Measure it: python docs/measure\.py schur-bou"):
        tightness.entries(tmp_path, claims)
    (tmp_path / "_measured").mkdir()
    other = {"schur-bounds": MEASURED["schur-bounds"], "jacobian-norm": {"variants": {"paper": {}}}}
    (tmp_path / "_measured" / "tightness.json").write_text(json.dumps({"claims": other}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"\['paper'\]; it has .*python docs/measure\.py jacobian-norm"):
        tightness.entries(tmp_path, claims)


@pytest.mark.parametrize("slug", ["relu-separation", "khatri-rao-gram"])
def test_measuring_again_agrees(slug: str) -> None:
    """Other versions of Hypothesis may draw other instances; extremal ones are the same, and they are the tightest."""
    again, stored = measure.entry(CLAIMS[slug], evaluations=20)["variants"], MEASURED[slug]["variants"]
    for name, v in again.items():
        assert (v["verdict"], v["min_slack"] is None) == (stored[name]["verdict"], stored[name]["min_slack"] is None)
        if v["min_slack"] is not None:
            assert v["min_slack"] == pytest.approx(stored[name]["min_slack"], rel=1e-6)
            assert v["median_slack"] == pytest.approx(stored[name]["median_slack"], rel=0.5)
            assert v["search"]["min_slack"] == pytest.approx(stored[name]["search"]["min_slack"], rel=1e-6)
        else:
            assert v["gaps"]["edges"][-1] < 1e-14 > stored[name]["gaps"]["edges"][-1]


def test_drawing_again_agrees() -> None:
    claim = CLAIMS["initial-misfit"]
    again = measure.entry(claim)["variants"]
    for name, v in again.items():
        stored = MEASURED[claim.id]["variants"][name]
        for one, other in zip(v["draws"][:3], stored["draws"][:3], strict=True):  # the extremal problems come first
            assert one["claimed"] == pytest.approx(other["claimed"], rel=1e-6)
            assert abs(one["failures"] - other["failures"]) <= 1


# -- what pages say -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", SLUGS)
def test_a_page_names_every_form_and_has_a_figure_with_words(slug: str) -> None:
    blocks = tightness.section(CLAIMS[slug], MEASURED[slug], str)
    table = "\n".join(block for block in blocks if block.startswith("| "))
    for variant in CLAIMS[slug].variants:
        assert re.search(rf"^\| {re.escape(variant.name)} \|", table, re.M)
    figures = [block for block in blocks if block.startswith(("<figure>", ":::"))]
    assert figures
    for block in figures:
        told = re.search(r"(?:<title>|:alt: )([^<\n]+)", block)
        assert told is not None
        assert len(told[1]) > 40
        if block.startswith("<figure>"):
            assert "\n" not in block  # an empty line would end the element for Markdown
            ElementTree.fromstring(block)
    if slug == "phase-transition":  # one is enough: drawing takes a second
        assert tightness.figure(CLAIMS[slug], MEASURED[slug]).startswith("<?xml")


@pytest.mark.parametrize(
    ("least", "searched", "words"),
    [
        (2.0, 1.0, "tight: attained"),
        (1.0 - 1e-16, 3.0, "tight: attained"),
        (1 + 3e-9, 1.5, "tight: to within 3e-09"),
        (5.4, 1.25, "never closer than a factor 1.25"),
        (1.02, 1.03, "to within a factor 1.02"),
        ("inf", 7.0, "never closer than a factor 7"),
        ("inf", None, "no slack is finite: the bounded side was 0"),
    ],
)
def test_words_for_the_least_slack(least: float | str, searched: float | None, words: str) -> None:
    v = {"min_slack": least, "median_slack": 1.0, "reason": "", "search": {"min_slack": searched}}
    assert tightness._nearness(v) == words


# -- strips ---------------------------------------------------------------------------------------------------------


def positions(svg: str, tag: str, name: str) -> list[float]:
    root = ElementTree.fromstring(svg)
    return [float(element.attrib[name].rstrip("%")) for element in root.iter(tag)]


def test_bars_are_where_their_bins_are() -> None:
    slacks = {"edges": [1.0, 10.0, 100.0, 1000.0], "counts": [16, 0, 4], "infinite": 0, "nonpositive": 0}
    strip = slack_strip("a <form>", slacks, 1.0, 3.0)
    assert strip is not None
    svg = draw_strips([strip], "slack", 'words & "more"')
    left, height = positions(svg, "rect", "x"), positions(svg, "rect", "height")
    assert left == pytest.approx([0, 200 / 3], abs=0.01)
    assert height == [30, 15]  # roots of counts
    texts = [element.text for element in ElementTree.fromstring(svg).iter("text")]
    assert texts == ["a <form>", "least 1, median 3", "1", "10", "100", "1000", "slack"]
    assert ElementTree.fromstring(svg).attrib["aria-label"] == 'words & "more"'


def test_what_lies_beyond_the_axis_is_counted() -> None:
    slacks = {"edges": [1.0, 1e3, 1e6, 1e9], "counts": [5, 1, 2], "infinite": 3, "nonpositive": 0}
    strip = slack_strip("form", slacks)
    assert strip is not None
    svg = draw_strips([strip], "slack", "words")
    assert "2 beyond" in svg
    assert max(x + w for x, w in zip(positions(svg, "rect", "x"), positions(svg, "rect", "width"), strict=True)) <= 100


def test_shares_and_means_are_intervals_with_what_is_promised() -> None:
    draw = {"claimed": 0.1, "trials": 100, "failures": 4, "low": 0.001, "high": 1.0}
    strip = share_strip("form", [draw, {**draw, "failures": 0, "low": 0.0}])
    assert strip is not None
    svg = draw_strips([strip], "failure probability", "words")
    assert len(positions(svg, "circle", "cx")) == 1  # a share of 0 has no place on the axis
    assert "4 of 200 draws failed" in svg
    means = mean_strip(
        "form", [{"claimed": 2.0, "mean": 2.1, "tolerance": 0.2}, {"claimed": 0.0, "mean": 0.0, "tolerance": 1}]
    )
    assert means is not None
    assert means.spans == ((0.9, 1.05, 1.1, 1.0),)
    assert "5 %" in means.note


def test_nothing_to_show_is_no_strip() -> None:
    empty = {"edges": [], "counts": [], "infinite": 4, "nonpositive": 0}
    assert slack_strip("form", empty) is None
    assert gap_strip("form", empty) is None
    assert share_strip("form", []) is None
    assert mean_strip("form", []) is None


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1.0, 1e4, [1, 10, 100, 1000, 10000]),
        (1e-16, 1e-3, [1e-16, 1e-13, 1e-10, 1e-7, 1e-4]),
        (1.0, 30.0, [1, 2, 5, 10, 20]),
        (1.0, 6.0, [1, 1.5, 2, 3, 5]),
        (0.64, 1.36, [0.8, 1.0, 1.2]),
        (1.0, 1.5, [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]),
    ],
)
def test_ticks_are_round_and_few(low: float, high: float, ticks: list[float]) -> None:
    slacks = {"edges": [low, high], "counts": [1], "infinite": 0, "nonpositive": 0}
    assert strips._Scale(low, high).ticks() == pytest.approx(ticks)
    strip = gap_strip("", slacks)
    assert strip is not None
    assert ElementTree.fromstring(draw_strips([strip], "", "words")) is not None


def test_the_table_of_claims_sums_up() -> None:
    told = {slug: tightness.summary(CLAIMS[slug], MEASURED[slug]) for slug in SLUGS}
    assert told["jacobian-norm"] == "3 of 3 tight"
    assert told["relu-separation"] == "0 of 2 tight"  # a factor 5.4 is known to be lost
    assert re.fullmatch(r"agree to \de-1[3-6]", told["khatri-rao-gram"])
    assert re.fullmatch(r"\d+ of \d+ tight, a share of [\d.]+ fails, [\d.]+ may", told["sgd-convergence"])
    assert re.fullmatch(r"\d+ of \d+ laws inside", told["phase-transition"])
    assert re.fullmatch(r"within [\d.]+ %", told["initial-jacobian-mean"])
