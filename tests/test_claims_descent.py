"""The claims of docs/theory.md section 5 about gradient descent: tightness, values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jacspec import bounds
from verification.arithmetic import Multiprecision
from verification.claim import FLOAT64, Kind, Verdict, _compare, check
from verification.claims import gd_perturbation, load
from verification.search import SearchOptions, sharpen
from verification.verify import Options, verify_claim

SLUGS = ("gd-one-step", "gd-convergence", "gd-kantorovich", "gd-perturbation")


@pytest.mark.parametrize("slug", SLUGS)
def test_on_a_users_rows(slug: str) -> None:
    X = np.random.default_rng(5).standard_normal((8, 6))
    X /= np.linalg.norm(X, axis=1)[:, None]
    report = verify_claim(load(slug), Options(X=X))
    assert Verdict.VIOLATED not in {v.verdict for v in report.variants}
    assert Verdict.HOLDS in {v.verdict for v in report.variants}


# -- tightness ------------------------------------------------------------------------------------------------------

LINE = {"map": "quadratic", "shape": "line", "seed": 0}


def slacks(slug: str, spec: dict[str, int | float | str]) -> dict[str, float]:
    """The slack of every variant on one instance, in float64."""
    claim = load(slug)
    instance = claim.domain.build(spec, 0)
    assert not [a.text for a in claim.assumptions if a.fails(instance)]
    assert claim.sides is not None
    return {name: s.right.value / s.left.value for name, s in claim.sides(instance, FLOAT64).items()}


def test_one_step_is_attained() -> None:
    report = verify_claim(load("gd-one-step"), Options(examples=0))
    least = {v.name: v.min_slack for v in report.variants}
    assert all(1 - 1e-12 <= least[name] < 1 + 1e-5 for name in ("stated", "decrease", "mean", "sharp"))


def test_convergence_is_loose_by_known_factors() -> None:
    """With sigma_0 = 2 alpha, L ||r_0|| = alpha^2/2: D = 3 alpha^2, s* = (2 - sqrt 3) alpha/L."""
    report = verify_claim(load("gd-convergence"), Options(examples=0))
    least = {v.name: v.min_slack for v in report.variants}
    assert least["sigma-min"] == pytest.approx(math.sqrt(3), rel=1e-4)
    assert least["path"] == pytest.approx(1 / (2 - math.sqrt(3)), rel=1e-3)
    assert least["potential"] == pytest.approx(2 + math.sqrt(3), rel=1e-3)
    assert 6 <= least["rate"] < 6.3


def test_kantorovich_is_nearly_attained_in_its_sharp_form() -> None:
    """One dimension: the path tends to s* and sigma_min to sqrt(D), at every allowed step size and up to h = 0.999."""
    for h, eta_bar, steps in (
        (0.5, 1.0, 300),
        (0.5, 1.9, 150),
        (0.9, 1.9, 600),
        (0.99, 1.9, 5_000),
        (0.999, 1.9, 20_000),
    ):
        found = slacks("gd-kantorovich", {**LINE, "ratio": h, "eta_bar": eta_bar, "sharp": 1, "steps": steps})
        for name in ("sharp-path", "sharp-distance", "sharp-residual"):
            assert 1 - 1e-9 <= found[name] < 1.001, (h, eta_bar, name)
        assert 1 - 1e-9 <= found["sharp-sigma-min"] < 1.02


def test_kantorovich_is_nearly_attained_with_its_own_c_as_steps_shorten() -> None:
    for h in (0.5, 0.9):
        found = []
        for eta_bar in (0.4, 0.1, 0.025):
            spec = {**LINE, "ratio": h, "eta_bar": eta_bar, "steps": int(60 / eta_bar / (1 - h))}
            found.append(slacks("gd-kantorovich", spec))
        for name in ("path", "sigma-min"):
            first, second, third = (s[name] for s in found)
            assert first > second > third > 1
            # What is left of the slack vanishes like eta.
            assert (third - 1) / (first - 1) < 0.12, (h, name)


def test_perturbation_is_within_known_factors() -> None:
    """One dimension, 7/8 of sigma_0 beyond the kink: path 8/7 ||r_0||/sigma_0, rate (49/64) eta sigma_0^2."""
    report = verify_claim(load("gd-perturbation"), Options(examples=0))
    least = {v.name: v.min_slack for v in report.variants}
    assert least["path"] == pytest.approx(2.5 * 7 / 8, rel=1e-2)
    assert least["rate"] == pytest.approx(3 * 49 / 64, rel=2e-2)
    assert 1 < least["sharp-path"] < 1.3
    assert 1 < least["sharp-rate"] < 1.1


def test_a_signs_change_is_met_under_the_relu_hypothesis() -> None:
    """The jump that the hypothesis allows does happen in the extremal ReLU runs."""
    flipped = 0
    claim = load("gd-perturbation")
    for spec in claim.extremal:
        if spec["map"] == "network" and int(spec["k"]) > 100:
            instance = claim.domain.build(spec, 0)
            assert not [a.text for a in claim.assumptions if a.fails(instance)]
            r = gd_perturbation.begin(instance, FLOAT64)
            signs = [
                instance["X"] @ theta.reshape(len(instance["v"]), -1).T > 0 for theta in (r.thetas[0], r.thetas[-1])
            ]
            flipped += int(np.sum(signs[0] != signs[1]))
    assert flipped >= 3


# -- the inequalities behind the sharp forms, against random matrices -----------------------------------------------


def test_the_lemma_of_the_sharp_step() -> None:
    """||(I - eta J J^T) r|| <= ||r|| - eta sigma_min(J) ||J^T r|| for eta ||J||^2 <= 1, and not beyond."""
    rng = np.random.default_rng(0)
    for _ in range(5_000):
        n = int(rng.integers(1, 5))
        s = rng.uniform(0, 1, n) ** rng.integers(1, 4)
        r = rng.standard_normal(n) * 10.0 ** rng.uniform(-3, 0, n)
        eta = rng.uniform(0, 1) / float(np.max(s)) ** 2
        left = np.linalg.norm((1 - eta * s**2) * r)
        assert left <= np.linalg.norm(r) - eta * np.min(s) * np.linalg.norm(s * r) + 1e-14 * np.linalg.norm(r)
    assert abs(1 - 1.5) > 1 - 1.5


def test_the_lemma_of_the_sharp_perturbation() -> None:
    """What a step takes at least from ||r||, for J and Jbar within eps of J_0."""
    rng = np.random.default_rng(1)
    nearest = math.inf
    for _ in range(5_000):
        eps, n = rng.choice([0.125, 0.3]), int(rng.integers(1, 4))
        J0 = np.diag(1 + np.concatenate([[0.0], rng.exponential(1.0, n - 1)]))
        J, mean = (
            J0 + eps * perturbation / np.linalg.norm(perturbation, 2) for perturbation in rng.standard_normal((2, n, n))
        )
        beta = max(np.linalg.norm(A, 2) for A in (J, mean))
        eta = rng.uniform(0, 0.5) / beta**2
        r = np.concatenate([[1.0], 0.3 * rng.standard_normal(n - 1)])
        r /= np.linalg.norm(r)
        a = J.T @ r
        taken = 1 - np.linalg.norm(r - eta * mean @ a)
        b = bounds.gd_perturbation_slope_sharp(eps, eta, beta)
        assert taken >= eta * np.linalg.norm(a) * b - 1e-14
        if eps <= (1 - eps) * (1 - eta * beta**2):
            assert taken >= bounds.gd_perturbation_rate_sharp(eps, eta, beta, 1.0) - 1e-14
        nearest = min(nearest, taken / (eta * np.linalg.norm(a)) / b)
    assert nearest < 1.1


# -- hypotheses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "spec", "words"),
    [
        ("gd-one-step", {**LINE, "map": "piecewise", "ratio": 0.0, "eta_bar": 1.0}, "nothing moves"),
        ("gd-convergence", {**LINE, "ratio": 1.01, "eta_bar": 1.0}, "is below 2 L ||r_0||"),
        ("gd-convergence", {**LINE, "ratio": 0.5, "eta_bar": 1.01}, "exceeds 1/(2 beta^2)"),
        ("gd-kantorovich", {**LINE, "ratio": 1.01, "eta_bar": 1.0, "sharp": 1}, "not below 1"),
        ("gd-kantorovich", {**LINE, "ratio": 0.5, "eta_bar": 4.1}, "is not positive"),
        ("gd-perturbation", {**LINE, "map": "piecewise", "ratio": 1.0, "eta_bar": 1.0, "jump": 0.07}, "sigma_0/8"),
        ("gd-perturbation", {**LINE, "map": "piecewise", "ratio": 1.0, "eta_bar": 1.01, "reach": 9.0}, "exceeds 1/(2"),
    ],
)
def test_what_is_not_met_is_said_with_its_numbers(slug: str, spec: dict[str, int | float | str], words: str) -> None:
    claim = load(slug)
    records = check(claim, claim.domain.build(spec, 0))
    assert {r.verdict for r in records.values()} == {Verdict.VACUOUS}
    assert all(words in r.reason for r in records.values()), records


@pytest.mark.parametrize("slug", SLUGS[1:])
def test_repeated_rows_and_labels_that_are_met_say_so(slug: str) -> None:
    claim = load(slug)
    spec = {"map": "network", "n": 2, "d": 2, "rows": "repeated", "phi": "tanh", "k": 4, "v": "ones"}
    for more, words in (({}, "sigma_0 = 0"), ({"rows": "sphere", "ratio": 0.0}, "r_0 = 0")):
        instance = claim.domain.build({**spec, "ratio": 0.5, "eta_bar": 1.0, "seed": 1, **more}, 0)
        assert all(words in r.reason for r in check(claim, instance).values())


def test_the_forms_of_kantorovich_apply_where_they_should() -> None:
    claim = load("gd-kantorovich")
    own, sharp = {"path", "sigma-min", "contraction", "residual", "distance"}, {"sharp-path", "sharp-sigma-min"}
    # h < 1 for c = 1 only; h < 1 for both; steps beyond 1/beta^2.
    for spec, says, silent in (
        ({"ratio": 0.99, "eta_bar": 1.0, "sharp": 1}, sharp, own),
        ({"ratio": 0.9, "eta_bar": 1.0}, own | sharp, set()),
        ({"ratio": 0.9, "eta_bar": 3.0}, own, sharp),
    ):
        instance = claim.domain.build({**LINE, "steps": 10, **spec}, 0)
        assert not [a.text for a in claim.assumptions if a.fails(instance)]
        found = set(claim.sides(instance, FLOAT64))
        assert says <= found
        assert not silent & found


# -- the two arithmetics, the search, every factor ------------------------------------------------------------------


@pytest.mark.parametrize("slug", SLUGS)
def test_both_arithmetics_agree(slug: str) -> None:
    claim, precise = load(slug), Multiprecision(60)
    assert claim.sides is not None
    compared = 0
    for seed, spec in enumerate([*claim.extremal, *claim.domain.data_specs[:2]]):
        if int(spec.get("steps", 20)) > 100 or int(spec.get("k", 0)) > 100:
            continue
        base = {"map": "network", "n": 2, "d": 2, "rows": "sphere", "k": 4, "seed": seed}
        instance = claim.domain.build({**base, **spec} if "map" not in spec else spec, 0)
        if any(a.fails(instance) for a in claim.assumptions):
            continue
        quick = claim.sides(instance, FLOAT64)
        with precise.working():
            exact = claim.sides(instance, precise)
            for name in set(quick) & set(exact):
                near, true = quick[name], exact[name]
                if _compare(Kind.UPPER, near, FLOAT64).sign > 0:  # elsewhere the step shown is not that of least slack
                    slack = near.right / near.left
                    assert abs(float(true.right / true.left) - slack.value) <= slack.radius + 1e-9 * slack.value
                    compared += 1
    assert compared >= 8


@pytest.mark.parametrize("slug", SLUGS)
def test_the_search_runs_and_finds_nothing_false(slug: str) -> None:
    report = sharpen(load(slug), SearchOptions(seconds=None, evaluations=60))
    assert report.evaluations == 60
    assert {v.verdict for v in report.variants} <= {Verdict.HOLDS, Verdict.UNDECIDED, Verdict.VACUOUS}
    assert Verdict.HOLDS in {v.verdict for v in report.variants}


@pytest.mark.parametrize(
    ("slug", "name", "wrong"),
    [
        ("gd-one-step", "gd_step_constant", lambda eta, beta, L, r: 1 - eta * L * r / 2),
        ("gd-one-step", "gd_step_constant", lambda eta, beta, L, r: 1 - eta * beta**2 / 2),
        ("gd-one-step", "gd_step_constant_mean", lambda eta, beta, d, r, g: 1 - eta * beta**2 / 2),
        ("gd-one-step", "gd_step_constant_mean", lambda eta, beta, d, r, g: 1 - d * r / g),
        ("gd-one-step", "gd_one_step_decrease", lambda c, eta, g, r: c * eta * g**2 / r * 1.01),
        ("gd-one-step", "gd_one_step_decrease_sharp", lambda sigma, L, d: sigma * d),
        ("gd-convergence", "gd_convergence_rate", lambda eta, alpha: eta * alpha**2 * 4),
        ("gd-convergence", "gd_convergence_path", lambda alpha, r0: r0 / (2 * alpha)),
        ("gd-convergence", "gd_convergence_potential", lambda alpha, s, r: 1.9 * alpha * s + r),
        ("gd-kantorovich", "gd_kantorovich_D", lambda sigma, h: sigma**2),
        ("gd-kantorovich", "gd_kantorovich_D", lambda sigma, h: sigma**2 * (1 - h / 2)),
        ("gd-kantorovich", "gd_kantorovich_path", lambda r0, c, sigma, h: r0 / (c * sigma)),
        ("gd-kantorovich", "gd_kantorovich_rate", lambda eta, c, D: 2 * eta * D),
        ("gd-kantorovich", "gd_kantorovich_residual", lambda r0, c, sigma, L, s: r0 - sigma * s),
        ("gd-perturbation", "gd_perturbation_rate", lambda eta, sigma: eta * sigma**2),
        ("gd-perturbation", "gd_perturbation_slope_sharp", lambda eps, eta, beta: 1 + 0 * eta),
        ("gd-perturbation", "gd_perturbation_rate_sharp", lambda eps, eta, beta, sigma: eta * sigma**2),
    ],
)
def test_a_wrong_bound_is_noticed(slug: str, name: str, wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, name, wrong)
    assert Verdict.VIOLATED in {v.verdict for v in verify_claim(load(slug), Options(examples=0)).variants}
