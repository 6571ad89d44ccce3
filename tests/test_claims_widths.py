"""The width theorems of theory.md section 6 as claims: verdicts, power, and what cannot be met."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from verification.claim import Verdict
from verification.claims import load
from verification.claims import theorem_output_layer as output
from verification.instances import build_initialization
from verification.verify import Options, verify_claim

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


def test_relu_asks_for_a_width_that_cannot_be_had_and_says_which() -> None:
    report = verify_claim(load("theorem-gd-relu"), Options(claims=28))
    assert {v.verdict for v in report.variants} == {Verdict.VACUOUS}
    assert all("asks for width k = " in v.reason and "and k is" in v.reason for v in report.variants)


@pytest.mark.parametrize(("slug", "name"), MUTANTS)
def test_false_neighbours_are_refuted(slug: str, name: str) -> None:
    claim = load(slug)
    (mutant,) = (m for m in claim.mutants if m.name == name)
    for seed in range(2):
        assert verify_claim(claim.mutated(mutant), Options(seed=seed)).variants[0].verdict is Verdict.REFUTED


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
