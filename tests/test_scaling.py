"""The scaling study: exponents that were planted are found, others are refused, and stores that do not go together."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from jacspec import InputError
from verification.cli import main
from verification.plots import render, scaling_figure
from verification.store import Store
from verification.sweep import Cell, Configuration, Diagram, Plan, Row, Scaling
from verification.sweep.evidence import interval
from verification.trend import Fit

SIZES = (20, 28, 40, 57, 80, 113, 160, 226)
Half = Callable[[float], float]


def logistic(z: float) -> float:
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, z))))


def gumbel(z: float) -> float:
    """Another shape, one half at 0 as well: steep below, slow above."""
    return math.exp(-math.log(2) * math.exp(min(700.0, -z)))


def planned(half: Half, d: int, sizes: tuple[int, ...] = SIZES, **values: object) -> Plan:
    """Around k = half(n). Random signs have no density: no cell is impossible, and any exponent can be planted."""
    top = max(half(n) for n in sizes) + 10
    config = Configuration(**{"d": d, "labels": "signs", "steps": "2n^2"} | values)
    return Plan(config, sizes, tuple(range(2, 2 * math.ceil(top / 2), 2)), trials=12, most=20, below=True)


def planted(
    half: Half, d: int, rng: np.random.Generator, scale: float = 0.8, shape: Half = logistic, **values: object
) -> Diagram:
    """A diagram in which half of the problems are fitted at k = half(n); undecided cells get more trials."""
    plan, cells = planned(half, d, **values), []
    for n, k in plan.cells:
        share = shape((k - half(n)) / scale)
        fitted, made = int(rng.binomial(plan.trials, share)), plan.trials
        low, high = interval(made, fitted, plan.alpha)
        if low <= 0.5 <= high:
            fitted, made = fitted + int(rng.binomial(plan.most - made, share)), plan.most
        cells.append(Cell(n, k, made, fitted, None, *interval(made, fitted, plan.alpha), False))
    return Diagram(plan, tuple(cells), True)


def power(constant: float, exponent: float) -> Half:
    return lambda n: constant * n**exponent


def holds(fit: Fit, value: float) -> bool:
    return fit.low <= value <= fit.high


# A jump between two widths, which says nothing of where; a slope; another slope than the one that is fitted.
@pytest.mark.parametrize(("scale", "shape"), [(0.02, logistic), (0.8, logistic), (0.8, gumbel)])
def test_intervals_hold_what_was_planted(scale: float, shape: Half) -> None:
    """At level 0.95; the hull of two fits makes the exponent's interval wider than it need be for a pure power."""
    rng, runs = np.random.default_rng(1), 8
    own, common, sizes, wide = [], [], [], []
    for _ in range(runs):
        # the widths are not always at the same place between two even numbers
        halves = {5: power(rng.uniform(1, 1.1), 0.8), 10: power(rng.uniform(0.6, 0.7), 0.8)}
        found = Scaling.of([planted(half, d, rng, scale, shape) for d, half in halves.items()])
        own += [holds(curve.laws.exponent, 0.8) for curve in found.curves]
        common.append(holds(found.laws.exponent, 0.8))
        sizes += [holds(size.k, halves[curve.d](size.n)) for curve in found.curves for size in curve.sizes]
        wide.append(found.laws.exponent.high - found.laws.exponent.low)
    assert sum(common) >= runs - 1
    assert np.mean(own) >= 0.9
    assert np.mean(sizes) > 0.85
    assert max(wide) < 0.25


def test_false_exponents_are_refused() -> None:
    rng = np.random.default_rng(2)
    for exponent in (0.8, 1.0, 1.3):
        constant = 40 / 226**exponent
        found = Scaling.of(
            [planted(power(constant, exponent), 5, rng), planted(power(0.6 * constant, exponent), 10, rng)]
        )
        assert found.laws.outside(exponent) < 1
        for other in (exponent - 0.15, exponent + 0.15, 2, 4):
            assert found.laws.outside(other) > 0, other
        assert found.laws.outside(2) > 3


def test_units_beyond_a_line_are_told_from_a_power() -> None:
    """k = n/d + 1.2: a plain power law fits badly, and the slope of k d is 1."""
    rng = np.random.default_rng(3)
    found = Scaling.of([planted(lambda n, d=d: n / d + 1.2, d, rng, 0.3) for d in (3, 5)])
    assert holds(found.laws.exponent, 1)
    assert holds(found.laws.slope, 1)
    assert found.laws.slope.high < 1.1
    assert all(holds(curve.excess, 1.2) for curve in found.curves)
    assert found.laws.line < found.laws.power
    steeper = Scaling.of([planted(lambda n, d=d: 1.2 * n / d + 1.2, d, rng, 0.3) for d in (3, 5)])
    assert not holds(steeper.laws.slope, 1)
    assert holds(steeper.laws.slope, 1.2)


def test_a_jump_is_not_more_certain_than_the_gap() -> None:
    rng = np.random.default_rng(4)
    (curve,) = Scaling.of([planted(lambda n: 0.2 * n + 1, 5, rng, 1e-3)]).curves
    for size in curve.sizes:
        assert size.deviation == pytest.approx(2 / math.sqrt(12), rel=0.15)
        assert size.k.value == pytest.approx(size.crossing, abs=0.3)
        assert holds(size.k, 0.2 * size.n + 1) or abs((0.2 * size.n + 1) / 2 % 1 - 0.5) > 0.45


def test_impossible_cells_count_as_failing_and_sizes_without_a_transition_are_left_out() -> None:
    plan = Plan(Configuration(d=5, steps="n"), (22, 30, 40, 50, 63, 70), tuple(range(2, 30, 2)), trials=12, most=12)
    cells = []
    for n in plan.n:
        for k in plan.k:
            impossible = 5 * k < n
            made = 0 if impossible else 12
            fitted = made if n != 40 else made // 2  # at n = 40 no width is sure
            cells.append(Cell(n, k, made, fitted, None, *interval(made, fitted, 0.05), impossible))
    (curve,) = Scaling.of([Diagram(plan, tuple(cells), True)]).curves
    assert [size.n for size in curve.sizes] == [22, 30, 50, 63, 70]
    assert curve.left_out == (40,)
    # Every width that is not impossible is fitted: one half is between n/d, below which nothing is, and the first.
    for size in curve.sizes:
        assert size.n / 5 <= size.k.low <= size.k.high < 2 * math.ceil(size.n / 10) + 0.3


def test_cells_below_the_line_count_as_they_were_measured() -> None:
    """A tolerance may be so large that problems are fitted where none can be interpolated."""
    found = planted(lambda n: 0.12 * n, 5, np.random.default_rng(7), labels="normal", tolerance=0.5)
    (curve,) = Scaling.of([found]).curves
    assert curve.excess.high < 0
    assert holds(curve.laws.exponent, 1)


def test_what_is_refused() -> None:
    rng = np.random.default_rng(5)
    five = planted(power(0.2, 1), 5, rng)
    for diagrams, words in (
        ([], "none"),
        ([five, five], "two with d = 5"),
        ([five, planted(power(0.1, 1), 10, rng, activation="relu")], "activation = 'softplus' and d = 10 with"),
        ([five, planted(power(0.1, 1), 10, rng, steps=77, seed=9)], "steps = 77"),
        ([planted(lambda n: 3 if n > 60 else 1, 5, rng)], "at least 5"),
    ):
        with pytest.raises(InputError, match=words):
            Scaling.of(diagrams)
    assert len(Scaling.of([five, planted(power(0.1, 1), 10, rng, seed=9)]).curves) == 2


# -- the command ----------------------------------------------------------------------------------------------------


def stored(path: Path, d: int, **values: object) -> str:
    """A store in which problems are fitted from k = n/d + 1 on."""
    plan = planned(lambda n: n / d + 1, d, **values)
    with Store(path, plan.config) as store:
        store.add(
            Row(n, k, t, "converged" if k >= n / d + 1 else "budget", 5, 0.1, 0.5)
            for n, k in plan.cells
            for t in range(10)
        )
    return str(path)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("stores")
    return [stored(folder / f"{d}.db", d, seed=d) for d in (10, 5)]


def test_the_command(stores: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.svg", "b.svg"):
        assert main(["scaling", *stores, "--plot", str(tmp_path / name)]) == 0
    shown, words = capsys.readouterr()
    assert words == ""
    assert "20 - 226 (8)" in shown
    assert "An exponent of 1, k d of order n, is inside the interval; 2, as theorem-gd-smooth" in " ".join(
        shown.split()
    )
    assert "warning" not in shown
    assert max(map(len, shown.splitlines())) <= 100
    picture = (tmp_path / "a.svg").read_bytes()
    assert picture == (tmp_path / "b.svg").read_bytes()
    text = "".join(ElementTree.fromstring(picture).itertext())
    assert "for all d" in text
    assert "d = 5: n^" in text

    assert main(["scaling", *stores, "--json", "--alpha", "0.1"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "jacspec.scaling/1"
    assert document["level"] == 0.9
    assert document["configuration"]["steps"] == "2n^2"
    assert [curve["d"] for curve in document["curves"]] == [5, 10]
    assert document["theorem"]["exponent"] == 2
    assert document["theorem"]["outside"] > 1
    for fit in (document["exponent"], document["slope"], *document["curves"][0]["sizes"]):
        assert fit["low"] <= fit["measured"] <= fit["high"]


def test_a_budget_that_does_not_grow_is_pointed_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scaling", stored(tmp_path / "a.db", 5, steps=300, activation="relu")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "the budget is 300 at every n" in shown
    assert "theorem-gd-relu" in shown


def test_bad_stores_are_one_line(stores: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.db").write_text("no store\n" * 40)
    Store(tmp_path / "empty.db", Configuration()).close()
    for arguments, words in (
        ([], "STORE"),
        ([str(tmp_path / "nowhere.db")], "a file that exists"),
        ([str(tmp_path / "text.db")], "that can be read"),
        ([str(tmp_path / "empty.db")], "a store that holds trials"),
        ([stores[0], stores[0]], "two with d = 10"),
        ([*stores, stored(tmp_path / "tanh.db", 3, activation="tanh")], "activation = 'tanh'"),
        ([*stores, "--alpha", "1"], "--alpha"),
        ([*stores, "--plot", "a.gif"], ".png"),
    ):
        assert main(["scaling", *arguments]) == 2
        shown, error = capsys.readouterr()
        assert shown == ""
        assert len(error.strip().splitlines()) == 1
        assert words in error


def test_the_figure_tells_many_d_apart_without_colour() -> None:
    rng = np.random.default_rng(6)
    found = Scaling.of([planted(power(1 / d, 1), d, rng) for d in (3, 5, 7)])
    made = scaling_figure(found, "title")
    handles, labels = made.axes[0].get_legend_handles_labels()
    assert len(labels) == 3
    assert len({(line.get_marker(), str(line.get_linestyle()), line._dash_pattern[1] and line._dash_pattern[1][0])
                for line in handles}) == 3  # fmt: skip
    assert render(made, "svg") == render(scaling_figure(found, "title"), "svg")
