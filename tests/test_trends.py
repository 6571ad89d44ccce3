"""Trends: fits against known laws with noise and drift, the runner, the two claims with their mutants, the command."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jacspec import data_constants
from verification.claim import Claim, Kind, Mutant, Variant, Verdict, check
from verification.claims import corollary_random_data as corollary
from verification.claims import load
from verification.claims import random_khatri_rao_edge as edge
from verification.cli import main
from verification.instances import Instance
from verification.random_rows import RANDOM_ROWS, centred_norm, spectral_norm, square_spectrum
from verification.trend import CLEAR, Fit, Form, Grid, Law, Trend, measure
from verification.verify import Options, verify_claim

CLAIMS = [corollary.CLAIM, edge.CLAIM]
SIZES = tuple(round(20 * 2 ** (i / 2)) for i in range(9))
GRID = Grid("n = d", tuple((n, n) for n in SIZES), 9, 8)


def law(form: Form = Form.EXPONENT, predicted: float = 2.0, drift: tuple[float, ...] = (0.5, 1.0), factor=None) -> Law:
    decay = None if form is Form.EXPONENT else -drift[0]
    return Law("law", lambda instance: 1.0, GRID, form, predicted, drift, factor, decay=decay)


def draws(q, noise: float, rng: np.random.Generator, count: int = 8):
    """`count` draws at each size of q(n) times a lognormal of relative size noise / sqrt(n)."""
    return [(n, n, list(q(n) * np.exp(noise / math.sqrt(n) * rng.standard_normal(count)))) for n in SIZES]


# -- fits -----------------------------------------------------------------------------------------------------------


def test_a_pure_power_is_found() -> None:
    found = measure(law(), draws(lambda n: 3 * n**2, 0.0, np.random.default_rng(0)))
    assert found.fit.value == pytest.approx(2, abs=1e-6)
    assert found.raw.value == pytest.approx(2, abs=1e-9)
    assert [x.fit.value for x in found.local] == pytest.approx([2] * 8, abs=1e-9)
    assert found.points[3].fit.value == pytest.approx(3 * SIZES[3] ** 2)


def test_weighted_least_squares_by_hand() -> None:
    """The same variance everywhere: the ordinary slope, and its textbook error with pooled Student quantile."""
    from scipy.stats import linregress, t

    offsets = np.array([-1.0, 1.0, 0.0]) * 0.01
    rng = np.random.default_rng(3)
    bends = 0.002 * rng.standard_normal(9)
    samples = [(n, n, list(np.exp(1.5 * math.log(n) + b + offsets))) for n, b in zip(SIZES, bends, strict=True)]
    found = measure(law(drift=(0.5,)), samples, level=0.95)
    ordinary = linregress(np.log(SIZES), 1.5 * np.log(SIZES) + bends)
    assert found.raw.value == pytest.approx(ordinary.slope, rel=1e-10)
    x = np.log(SIZES)
    error = math.sqrt(np.var(offsets, ddof=1) / 3 / np.sum((x - x.mean()) ** 2))
    assert found.raw.high - found.raw.value == pytest.approx(t.ppf(0.975, 18) * error, rel=1e-6)


def test_scatter_beyond_the_noise_widens_the_interval() -> None:
    quiet = np.random.default_rng(1)
    jumps = np.exp(0.3 * quiet.standard_normal(9))
    samples = [(n, n, [j * n**2 * f for f in (0.999, 1.0, 1.001)]) for n, j in zip(SIZES, jumps, strict=True)]
    found = measure(law(drift=(0.5,)), samples)
    assert found.raw.high - found.raw.low > 0.2
    assert found.raw.low < 2 < found.raw.high


@pytest.mark.parametrize("form", list(Form))
def test_intervals_of_level_99_miss_about_that_rarely(form: Form) -> None:
    """300 experiments on a law with the stated drift: the prediction is outside in few of them, far outside in none."""
    rng = np.random.default_rng(17)
    if form is Form.EXPONENT:
        truth, q = law(), lambda n: n**2 * math.exp(1.5 * n**-0.5 - 2 / n)
    else:
        truth, q = law(form, 1.0, (0.5, 1.0)), lambda n: math.exp(0.7 * n**-0.5 - 1 / n)
    outside = [measure(truth, draws(q, 0.6, rng)).outside for _ in range(300)]
    assert sum(x > 0 for x in outside) <= 6
    assert max(outside) < CLEAR


def test_strong_drift_misleads_the_straight_line_but_not_the_trend() -> None:
    """The drift of kd at n = d."""
    q = lambda n: n**2 * (1 - math.sqrt(2 / n)) ** -4  # noqa: E731
    found = measure(law(), draws(q, 0.05, np.random.default_rng(2)))
    assert found.raw.high < 1.75
    assert found.outside == 0
    assert found.direction == "approaches"
    exact = law(drift=(2 / 3,), factor=lambda n, d: (1 - math.sqrt(2 / n)) ** -4)
    divided = measure(exact, draws(q, 0.05, np.random.default_rng(2)))
    assert divided.fit.low < 2 < divided.fit.high
    assert divided.fit.high - divided.fit.low < 0.2
    assert [x.expected for x in divided.local] == pytest.approx([x.fit.value for x in divided.local], abs=0.05)


@pytest.mark.parametrize("wrong", [1.0, 1.5, 1.8, 2.2])
def test_a_wrong_exponent_is_inconsistent(wrong: float) -> None:
    exact = law(predicted=wrong, drift=(2 / 3,), factor=lambda n, d: (1 - math.sqrt(2 / n)) ** -4)
    for seed in range(10):
        q = lambda n: n**2 * (1 - math.sqrt(2 / n)) ** -4  # noqa: E731
        assert measure(exact, draws(q, 0.2, np.random.default_rng(seed))).inconsistent


def test_a_limit_and_its_decay() -> None:
    rng = np.random.default_rng(4)
    samples = [(n, n, list(1 + n ** (-2 / 3) * (1.2 + 1.3 * rng.standard_normal(64)))) for n in SIZES]
    found = measure(law(Form.LIMIT, 1.0, (2 / 3, 4 / 3)), samples)
    assert found.outside == 0
    assert found.decay is not None
    assert found.decay.low < -2 / 3 < found.decay.high
    assert found.direction == "approaches"
    wrong = measure(law(Form.LIMIT, 1.1, (2 / 3, 4 / 3)), samples)
    assert wrong.inconsistent
    assert wrong.direction != "approaches"
    assert all(p.distance is not None and p.distance > 0 for p in wrong.points)


def test_outside_counts_half_widths() -> None:
    base = measure(law(), draws(lambda n: n**2, 0.1, np.random.default_rng(0)))
    assert replace(base, fit=Fit(2.0, 1.9, 2.1)).outside == 0
    assert replace(base, fit=Fit(2.4, 2.2, 2.6)).outside == pytest.approx(1)
    assert replace(base, fit=Fit(1.0, 1.0, 1.0)).outside == math.inf
    assert Fit(1.0, 0.99951, 1.00049).interval() == "[0.999, 1.001]"
    assert Fit(-0.5, -0.5001, -0.0001).interval() == "[-0.501, 0.000]"


def test_direction() -> None:
    def along(exponents) -> str:
        values = np.exp(np.cumsum(np.concatenate([[0.0], exponents * np.diff(np.log(SIZES))])))
        samples = [(n, n, [v * 0.999, v, v * 1.001]) for n, v in zip(SIZES, values, strict=True)]
        return measure(law(), samples).direction

    assert along(np.linspace(1.0, 1.8, 8)) == "approaches"
    assert along(np.linspace(1.8, 1.0, 8)) == "moves away"
    assert along(np.full(8, 1.8)) == "stays"


@pytest.mark.parametrize(
    "samples",
    [
        [(n, n, [1.0, 1.0, 1.0]) for n in SIZES[:4]],
        [(n, n, [1.0, 1.0]) for n in SIZES],
        [(n, n, [1.0, 0.0, 1.0]) for n in SIZES],
        [(n, n, [1.0, math.inf, 1.0]) for n in SIZES],
        [(n, n, [1.0, math.nan, 1.0]) for n in SIZES],
    ],
    ids=["sizes", "draws", "zero", "infinite", "nan"],
)
def test_what_cannot_be_fitted_is_refused(samples) -> None:
    with pytest.raises(ValueError, match="law: got"):
        measure(law(), samples)


def test_malformed_laws_grids_and_claims_are_refused() -> None:
    with pytest.raises(ValueError, match="drift"):
        law(drift=())
    with pytest.raises(ValueError, match="decays"):
        replace(law(), decay=-1.0)
    with pytest.raises(ValueError, match="limit"):
        law(Form.LIMIT, 0.0)
    for shapes, usual, count in [(((3, 3), (2, 2)) * 3, 5, 8), (GRID.shapes, 10, 8), (GRID.shapes, 9, 2)]:
        with pytest.raises(ValueError, match="grid g"):
            Grid("g", shapes, usual, count)
    good = corollary.CLAIM
    with pytest.raises(ValueError, match="one law per variant"):
        replace(good, trends=good.trends[:-1])
    with pytest.raises(ValueError, match="needs sides"):
        replace(good, sides=lambda instance, m: {})
    with pytest.raises(ValueError, match="not judged on one instance"):
        check(good, RANDOM_ROWS.build({"n": 3, "d": 3, "seed": 0}, 0))


def test_a_grid_follows_the_number_of_examples() -> None:
    examples = (1, 125, 249, 250, 499, 500, 1000, 10**6)
    assert [len(replace(GRID, usual=7).plan(e)) for e in examples] == [5, 6, 6, 7, 7, 8, 9, 9]
    assert GRID.plan(250)[0] == (20, 20, 64)
    assert GRID.plan(250)[-3:] == ((160, 160, 16), (226, 226, 11), (320, 320, 8))
    assert GRID.plan(1)[-1] == (80, 80, 8)


def test_a_claim_may_be_asymptotic_in_part() -> None:
    whole = Claim(
        id="mixed",
        title="",
        statement="",
        source="",
        kind=Kind.UPPER,
        domain=RANDOM_ROWS,
        variants=(Variant("bound", ""), Variant("growth", "", Kind.ASYMPTOTIC)),
        sides=lambda instance, m: {},
        trends=(replace(law(), name="growth", quantity=lambda instance: float(len(instance["X"])) ** 2),),
    )
    bound, growth = whole.parts()
    assert (bound.trends, bound.kind) == ((), Kind.UPPER)
    assert (growth.sides, growth.kind) == (None, Kind.ASYMPTOTIC)
    (found,) = verify_claim(replace(growth, mutants=()), Options(examples=1)).variants
    assert found.verdict is Verdict.MEASURED
    assert found.trend is not None
    assert found.trend.fit.value == pytest.approx(2, abs=1e-6)


# -- the quantities -------------------------------------------------------------------------------------------------


def test_eigenvalues_of_small_data_by_hand() -> None:
    """Two rows at 60 degrees: Gram 1 +- 1/2, squares 1 +- 1/4; minus 1/2: 1/2 and -1/4 make 1/4 and 3/4."""
    X = np.array([[1.0, 0.0], [0.5, math.sqrt(0.75)]])
    instance = Instance({}, {"X": X})
    assert spectral_norm(instance) == pytest.approx(math.sqrt(1.5))
    assert square_spectrum(instance) == pytest.approx((0.75, 1.25))
    assert centred_norm(instance) == pytest.approx(0.75)


def test_data_sets_differ_by_size_draw_and_seed_and_repeat() -> None:
    def first(**spec: int) -> float:
        return float(RANDOM_ROWS.build({"n": 4, "d": 3, "seed": 0} | spec, spec.get("draw", 0))["X"][0, 0])

    values = {first(), first(n=5), first(d=4), first(seed=1), first(draw=1)}
    assert len(values) == 5
    assert first() == first()
    X = RANDOM_ROWS.build({"n": 500, "d": 3, "seed": 0}, 0)["X"]
    assert np.linalg.norm(X, axis=1) == pytest.approx(np.ones(500))
    assert np.abs(X.T @ X / 500 - np.eye(3) / 3).max() < 0.08  # uniform: E x x^T = I/3


@pytest.mark.parametrize(("n", "d"), [(40, 40), (30, 12)])
def test_widths_are_those_of_the_tool(n: int, d: int) -> None:
    """`jacspec widths` rounds up to even; its sharp row also shares the failure probability better."""
    instance = RANDOM_ROWS.build({"n": n, "d": d, "seed": 5}, 0)
    c = corollary.Measured(instance)
    report = data_constants(instance["X"], ["softplus", "relu", "erf"])
    rows = {(name, row.claim, row.variant): row.k for name, found in report.activations.items() for row in found.widths}
    assert corollary.kappa(c) == pytest.approx(report.spectrum.kappa.value, rel=1e-9)
    assert corollary.two_to_four(c) == pytest.approx(report.spectrum.norm_2_to_4_squared.upper, rel=1e-6)
    expected = {
        ("softplus", "theorem-gd-smooth", "paper"): corollary.paper_k(c),
        ("softplus", "theorem-gd-smooth", "explicit"): corollary.explicit_k(c),
        ("relu", "theorem-gd-relu", "paper"): corollary.relu_k(c),
        ("erf", "theorem-output-layer", "explicit"): corollary.output_k(c) * math.log(n),
    }
    for key, k in expected.items():
        assert rows[key] == pytest.approx(k, rel=1e-9, abs=2)
    sharp = rows["softplus", "theorem-gd-smooth", "sharp"]
    assert sharp is not None
    assert sharp - 2 <= corollary.sharp_k(c) <= 1.1 * sharp


@pytest.mark.parametrize("own", [x for x in corollary.LAWS if x.factor is not None], ids=lambda x: x.name)
def test_finite_size_factors_tend_to_constants(own: Law) -> None:
    """Otherwise they would carry an exponent of their own. Corrections are powers of n^(-1/4) at worst."""
    shape = {"n = d": lambda d: (d, d), "n = p/10": lambda d: (d * d // 20, d), "d = n^2": lambda d: (d, d * d)}
    slopes = []
    for d in (10**4, 10**6):
        (n, _), (m, _) = shape[own.grid.name](d), shape[own.grid.name](4 * d)
        assert own.factor is not None
        ratio = own.factor(*shape[own.grid.name](4 * d)) / own.factor(*shape[own.grid.name](d))
        slopes.append(abs(math.log(ratio) / math.log(m / n)))
    assert slopes[0] < 0.1
    assert slopes[1] < max(0.2 * slopes[0], 1e-6)


# -- the claims -----------------------------------------------------------------------------------------------------


def with_mutants(claim: Claim) -> Claim:
    """Its laws and its mutants' as one claim, so that both are measured on the same data sets."""
    false = tuple(replace(m.trends[0], name=m.name) for m in claim.mutants)
    laws = claim.trends + false
    return replace(claim, trends=laws, variants=tuple(Variant(x.name, "") for x in laws), mutants=())


@pytest.fixture(
    scope="module", params=[(c, seed) for c in CLAIMS for seed in range(3)], ids=lambda p: f"{p[0].id}-{p[1]}"
)
def measured(request) -> tuple[Claim, dict[str, Trend]]:
    claim, seed = request.param
    report = verify_claim(with_mutants(claim), Options(seed=seed))
    assert {v.verdict for v in report.variants} == {Verdict.MEASURED}
    return claim, {v.name: v.trend for v in report.variants if v.trend is not None}


def test_laws_are_consistent_and_false_neighbours_are_not(measured) -> None:
    claim, trends = measured
    assert len(claim.mutants) >= 4
    for own in claim.trends:
        assert trends[own.name].outside < 0.5, own.name
    for mutant in claim.mutants:
        assert trends[mutant.name].outside > CLEAR, mutant.name


def test_which_way_they_go(measured) -> None:
    claim, trends = measured
    for own in claim.trends:
        found = trends[own.name]
        assert len(found.local) == len(found.points) - 1 >= 4
        if own.form is Form.LIMIT:
            assert found.direction == "approaches", own.name
        elif own.name != "sharp k, n = p/10":  # it passes its limit first, as its factor says it must
            assert found.direction != "moves away", own.name
    for mutant in claim.mutants:
        if mutant.trends[0].form is Form.LIMIT:
            assert trends[mutant.name].direction != "approaches", mutant.name
            decay = trends[mutant.name].decay
            assert decay is not None
            assert decay.value > -0.15  # the distance from a wrong limit tends to a constant


def test_drift_is_what_the_limits_predict(measured) -> None:
    """At the largest sizes, local exponents are within their intervals of the predicted ones, or nearly."""
    claim, trends = measured
    for own in claim.trends:
        if own.factor is None:
            continue
        step = trends[own.name].local[-1]
        assert abs(step.fit.value - step.expected) < 1.5 * (step.fit.high - step.fit.value), own.name


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.id)
def test_the_same_bits_twice_and_alone(claim: Claim) -> None:
    options = Options(seed=7, examples=1)
    report = verify_claim(claim, options)
    assert replace(verify_claim(claim, options), seconds=0) == replace(report, seconds=0)
    law = claim.trends[-1]
    alone = replace(claim, trends=(law,), variants=claim.variants[-1:], mutants=())
    assert verify_claim(alone, options).variants[0] == report.variants[-1]


def test_a_mutant_is_a_claim_with_one_law() -> None:
    mutant: Mutant = edge.CLAIM.mutants[-1]
    false = edge.CLAIM.mutated(mutant)
    assert [x.name for x in false.trends] == ["mutant"]
    (found,) = verify_claim(false, Options(examples=1)).variants
    assert found.verdict is Verdict.MEASURED
    assert found.trend is not None
    assert found.trend.inconsistent


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.id)
def test_one_data_set_is_no_trend(claim: Claim) -> None:
    report = verify_claim(claim, Options(X=np.eye(3)))
    assert {v.verdict for v in report.variants} == {Verdict.VACUOUS}
    assert all("one data set" in v.reason for v in report.variants)
    assert load(claim.id) is claim


# -- the command ----------------------------------------------------------------------------------------------------


def test_json_of_a_trend(capsys) -> None:
    code = main(["verify", "random-khatri-rao-edge", "--examples", "1", "--alpha", "0.05", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    (claim,) = document["claims"]
    assert claim["kind"] == "asymptotic"
    for variant in claim["variants"]:
        assert variant["verdict"] == "MEASURED"
        assert variant["decided"] == 0
        trend = variant["trend"]
        assert trend["low"] <= trend["measured"] <= trend["high"]
        assert trend["level"] == 0.95
        assert len(trend["local"]) == len(trend["points"]) - 1
        assert trend["form"] == "limit"
        assert trend["decay"]["predicted"] in (-2 / 3, -0.5)
        assert sum(p["draws"] for p in trend["points"]) == variant["instances"]
        assert Trend.from_json(variant["name"], trend).to_json() == trend


def test_the_table(capsys) -> None:
    assert main(["verify", "random_khatri_rao_edge", "--examples", "1", "--no-color"]) == 0
    out = capsys.readouterr().out
    assert "MEASURED" in out
    assert "norm, n = 4d" in out
    assert "-> 1" in out
    assert "--plot" in out
    for verdict in ("HOLDS", "SUPPORTED", "REFUTED", "VIOLATED"):
        assert verdict not in out


def test_on_a_data_set_nothing_is_decided(capsys) -> None:
    assert main(["verify", "corollary-random-data", "--data", "sphere:n=5,d=4"]) == 5
    assert "one data set shows no trend" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify", "corollary-random-data", "--instance", "n=3,d=3"], "growing sizes"),
        (["sharpen", "corollary-random-data"], "trend"),
        (["sharpen", "corollary-random-data", "--witness", "x.npz"], "judged on one instance"),
    ],
)
def test_what_makes_no_sense_for_a_trend_is_said(arguments, words: str, capsys) -> None:
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_junit_counts_a_trend_as_passed(tmp_path, capsys) -> None:
    path = tmp_path / "report.xml"
    assert main(["verify", "random-khatri-rao-edge", "--examples", "1", "--junitxml", str(path), "-q"]) == 0
    text = path.read_text()
    assert 'failures="0"' in text
    assert "skipped" not in text


def test_the_docs_show_every_law() -> None:
    page = (Path(__file__).parent.parent / "docs" / "asymptotics.md").read_text(encoding="utf-8")
    for claim in CLAIMS:
        assert claim.id in page
        for own in claim.trends:
            assert f"\n {own.name} " in page, own.name


def test_a_claim_in_full_shows_every_law(capsys) -> None:
    assert main(["claims", corollary.CLAIM.id, "--no-color"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n{own.name} " in shown for own in corollary.LAWS)
