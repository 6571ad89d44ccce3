"""The width theorems of docs/theory.md section 6 as claims: verdicts, power, and what cannot be met."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from jacspec.widths import width_rows
from verification.claim import Verdict
from verification.claims import load
from verification.claims import theorem_gd_relu as relu
from verification.claims import theorem_gd_smooth as smooth
from verification.claims import theorem_output_layer as output
from verification.instances import build_initialization
from verification.verify import Options, VariantReport, verify_claim
from verification.width_theorems import constants, options, row

SUPPORTED = ("theorem-gd-smooth", "theorem-sgd-smooth", "theorem-output-layer")
SLUGS = ("theorem-gd-smooth", "theorem-gd-relu", "theorem-sgd-smooth", "theorem-output-layer")
MUTANTS = [(slug, mutant.name) for slug in SLUGS for mutant in load(slug).mutants]


@pytest.mark.parametrize("slug", SUPPORTED)
def test_every_variant_is_supported_and_reproducible(slug: str) -> None:
    claim, options = load(slug), Options(seed=1, claims=28)
    report = verify_claim(claim, options)
    assert {v.name: v.verdict for v in report.variants} == {v.name: Verdict.SUPPORTED for v in claim.variants}
    for v in report.variants:
        assert v.failures == 0
        assert v.decided >= claim.floor * (v.instances - v.vacuous)
        assert v.decided > 0
    assert replace(verify_claim(claim, options), seconds=0) == replace(report, seconds=0)


def test_relu_asks_for_a_width_that_cannot_be_had_but_in_its_sharp_form() -> None:
    report = verify_claim(load("theorem-gd-relu"), Options(claims=28))
    for v in report.variants:
        if v.name.startswith("sharp"):
            assert v.verdict is Verdict.SUPPORTED
            assert v.failures == 0
            assert v.decided > 0
        else:
            assert v.verdict is Verdict.VACUOUS
    problem = build_initialization(
        {"n": 4, "d": 4, "rows": "orthogonal", "phi": "relu", "k": 400, "delta": 1.2}
    ).problem
    for sentence in load("theorem-gd-relu").failure(problem).values():
        assert "asks for width k = " in sentence
        assert "and k is 400" in sentence


def test_the_least_width_that_relu_is_asked_for_whatever_the_data() -> None:
    """Three or four orthonormal rows nearly attain it, at a delta that hardly leaves a chance."""
    least = {form: relu.least_width(form) for form in ("paper", "explicit")}
    assert least["explicit"] == pytest.approx(4.6e8 * (2 + np.sqrt(2 / 3 * np.log(3))) ** 2 * 3 * 16, rel=1e-12)
    asked: dict[str, list[int]] = {form: [] for form in least}
    for n, delta in ((3, 0.857), (4, 0.59), (3, 1.0), (8, 0.5)):
        spec = {"n": n, "d": n, "rows": "orthogonal", "phi": "relu", "k": 400, "delta": delta}
        problem = build_initialization(spec).problem
        for form, widths in asked.items():
            widths.append(row(problem, relu.SLUG, form).k or 0)
    for form, widths in asked.items():
        assert least[form] <= min(widths) < 1.005 * least[form]
    assert "whatever the data, it asks for k = 1.8e+11 or more" in relu.failure(problem)["explicit, rate"]


def test_the_sharp_promise_of_relu_by_hand() -> None:
    """Orthonormal rows, Sigma = I/2, ||X|| = 1: step size, rate and path of one step size, not of its square."""
    spec = {"n": 2, "d": 2, "rows": "orthogonal", "phi": "relu", "k": 2_000_000, "chance": 0.9, "eta_bar": 0.5}
    problem = build_initialization({**spec, "scale": 3.0}).problem
    p = relu.promise(problem, "sharp")
    asked = {(r.claim, r.variant): r for r in width_rows(constants(problem), options(problem))}
    chosen = asked["theorem-gd-relu", "sharp"].assumes
    eps, sigma = chosen["eps"], 3 * np.sqrt(0.5 * (1 - chosen["eps_c"]))
    assert p.eta == pytest.approx(0.5 / (2 * 9), rel=1e-6)
    assert p.rate == pytest.approx(p.eta * sigma**2 / 2 * (1 - eps**2 - eps**2 / 0.75), rel=1e-6)
    assert p.path == pytest.approx(1 / (sigma * (np.sqrt(0.75 * (1 - eps**2)) - eps)), rel=1e-6)
    assert p.failure == pytest.approx(0.9)


def test_steps_beyond_a_form_are_refused() -> None:
    spec = {"n": 2, "d": 2, "rows": "orthogonal", "phi": "linear", "k": 10**6, "chance": 0.3, "delta": 2.0}
    problem = build_initialization({**spec, "eta_bar": 1.5}).problem
    assert "exceeds 1/(2 beta^2)" in smooth.promise(problem, "explicit")
    p = smooth.promise(problem, "sharp")
    assert p.eta == pytest.approx(0.75, rel=1e-6)
    assert "exceeds 1/beta^2" in smooth.promise(build_initialization({**spec, "eta_bar": 2.1}).problem, "sharp")


@pytest.mark.parametrize(("slug", "name"), MUTANTS)
def test_false_neighbours_are_refuted(slug: str, name: str) -> None:
    claim = load(slug)
    (mutant,) = (m for m in claim.mutants if m.name == name)
    for seed in range(2):
        assert verify_claim(claim.mutated(mutant), Options(seed=seed)).variants[0].verdict is Verdict.REFUTED


def test_parts_that_fail_in_different_draws_are_refuted_together_only() -> None:
    """Each part of the false neighbour keeps to the claimed probability 0.3, failing in a fifth of the draws."""
    claim = load("theorem-gd-smooth")
    (mutant,) = (m for m in claim.mutants if m.name == "each-part-for-itself")
    (spec,) = (spec for spec in claim.extremal if smooth._PAIR.items() <= spec.items())

    def part(name: str | None) -> VariantReport:
        def sides(instance, m):  # type: ignore[no-untyped-def]
            p = smooth.promise(instance.problem, "sharp")
            return {"mutant": smooth._fifths(instance, m, p)[name]}

        alone = mutant if name is None else replace(mutant, sides=sides)
        domain = replace(claim.domain, specs=lambda: st.just(spec))
        found = claim.mutated(alone)
        return verify_claim(replace(found, extremal=(spec,), domain=domain), Options()).variants[0]

    for name in ("rate", "path"):
        report = part(name)
        assert report.verdict is not Verdict.REFUTED
        assert report.failures / report.decided == pytest.approx(0.2, abs=0.05)
    assert part(None).verdict is Verdict.REFUTED


@pytest.mark.parametrize("slug", SLUGS)
def test_on_a_users_rows(slug: str) -> None:
    X = np.random.default_rng(5).standard_normal((6, 6))
    X /= np.linalg.norm(X, axis=1)[:, None]
    report = verify_claim(load(slug), Options(X=X, claims=4))
    assert not {v.verdict for v in report.variants} & {Verdict.REFUTED, Verdict.UNDECIDED}
    assert all(v.reason for v in report.variants if v.verdict is Verdict.VACUOUS)


def test_fewer_weights_than_labels() -> None:
    """Forms with probability, and the subspaces of linear and quadratic phi, on instances that can be decided."""
    claim = load("phase-transition-lower")
    report = verify_claim(claim, Options(claims=28))
    good = {Verdict.SUPPORTED, Verdict.HOLDS}
    assert all(v.verdict in good for v in report.variants), report
    assert all(v.decided >= 20 for v in report.variants)
    assert not [v for v in report.variants if report.starved(v)]  # claim.floor
    for mutant in claim.mutants:
        bad = Verdict.VIOLATED if mutant.kind else Verdict.REFUTED
        for seed in range(3):
            assert verify_claim(claim.mutated(mutant), Options(seed=seed)).variants[0].verdict is bad, mutant.name


def test_output_layer_by_hand() -> None:
    """Orthonormal rows and sin: lambdatilde = E sin(g)^2 = (1 - exp(-2))/2, M = 1."""
    spec = {"n": 3, "d": 3, "rows": "orthogonal", "phi": "sin", "k": 400}
    instance = build_initialization(spec)
    lam = (1 - np.exp(-2)) / 2
    c = output.Constants.of(instance.problem)
    assert c.kept == pytest.approx(lam, rel=1e-9)
    assert c.square == pytest.approx(3, rel=1e-12)
    (p,) = output.failure(instance.problem).values()
    assert p == pytest.approx(3 * np.exp(-0.1534 * 400 * lam / 3), rel=1e-6)
    Phi = np.sin(instance["X"] @ instance["W"].T)
    (found,) = output.sides(instance, output.FLOAT64).values()
    assert found.right.contains(np.linalg.svd(Phi, compute_uv=False)[-1] ** 2)
    assert found.left.value == pytest.approx(400 * lam / 2, rel=1e-9)


def test_a_width_too_small_for_a_promise_is_named() -> None:
    problem = build_initialization({"n": 3, "d": 3, "rows": "orthogonal", "phi": "sin", "k": 4}).problem
    (sentence,) = output.failure(problem).values()
    assert "it asks for width k = " in sentence
    assert "and k is 4" in sentence
