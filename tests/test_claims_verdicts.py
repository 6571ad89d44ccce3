"""The claims of docs/theory.md sections 1, 2 and 5 on drawn instances: verdicts, floors, power, reproducibility."""

from __future__ import annotations

from dataclasses import replace

import pytest

from verification.claim import Verdict
from verification.claims import load
from verification.verify import Options, verify_claim

SLUGS = (
    *("khatri-rao-gram", "schur-bounds", "khatri-rao-spectrum"),
    *("jacobian-formula", "jacobian-norm", "jacobian-lipschitz", "jacobian-lipschitz-optimal"),
    "relu-jacobian-perturbation",
    *("gd-one-step", "gd-convergence", "gd-kantorovich", "gd-perturbation"),
)
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
