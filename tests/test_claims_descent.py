"""The claims of theory.md section 5 about gradient descent: verdicts, power, floors, tightness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from verification.claim import Verdict
from verification.claims import load
from verification.verify import Options, verify_claim

SLUGS = ("gd-one-step", "gd-convergence", "gd-kantorovich", "gd-perturbation")
MUTANTS = [(slug, mutant.name) for slug in SLUGS for mutant in load(slug).mutants]


@pytest.mark.parametrize("slug", SLUGS)
def test_holds_and_is_decided_often_enough(slug: str) -> None:
    claim = load(slug)
    for variant in verify_claim(claim, Options(examples=150)).variants:
        assert variant.verdict is Verdict.HOLDS, variant
        assert variant.decided >= claim.floor * variant.instances, variant


@pytest.mark.parametrize("slug", SLUGS)
def test_the_same_seed_gives_the_same_report(slug: str) -> None:
    first, second = (verify_claim(load(slug), Options(examples=20, seed=7)) for _ in range(2))
    assert replace(first, seconds=0.0) == replace(second, seconds=0.0)


@pytest.mark.parametrize(("slug", "name"), MUTANTS)
def test_false_neighbours_are_refuted(slug: str, name: str) -> None:
    claim = load(slug)
    (mutant,) = (m for m in claim.mutants if m.name == name)
    for seed in range(3):
        assert verify_claim(claim.mutated(mutant), Options(seed=seed)).variants[0].verdict is Verdict.VIOLATED


@pytest.mark.parametrize("slug", SLUGS)
def test_on_a_users_rows(slug: str) -> None:
    X = np.random.default_rng(5).standard_normal((8, 6))
    X /= np.linalg.norm(X, axis=1)[:, None]
    report = verify_claim(load(slug), Options(X=X))
    assert Verdict.VIOLATED not in {v.verdict for v in report.variants}
    assert Verdict.HOLDS in {v.verdict for v in report.variants}


def test_kantorovich_is_nearly_attained() -> None:
    """One dimension and short steps: s* and D are the distance to the root and the derivative there."""
    report = verify_claim(load("gd-kantorovich"), Options(examples=0))
    least = {v.name: v.min_slack for v in report.variants}
    for name in ("sharp-path", "sharp-sigma-min", "sharp-residual"):
        assert 1 - 1e-12 <= least[name] < 1.001
    assert least["path"] < 1.05
