"""Each claim has a floor, the share of its instances that must be decided, and a test that holds it to that."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from verification.claim import Kind
from verification.claims import SLUGS, load
from verification.verify import Options, verify_claim

#: Measured, not judged.
TRENDS = {slug for slug in SLUGS if set(load(slug).kinds) == {Kind.ASYMPTOTIC}}


def test_every_claim_is_held_to_its_floor_by_a_test() -> None:
    held = {"phase-transition-lower"}  # by `test_fewer_weights_than_labels`
    for path in sorted(Path(__file__).parent.glob("test_claims_*.py")):
        if "claim.floor" in path.read_text(encoding="utf-8").lower() and path.name != Path(__file__).name:
            module = import_module(path.stem)
            claims = [*getattr(module, "CLAIMS", ()), *([module.CLAIM] if hasattr(module, "CLAIM") else [])]
            held |= {*getattr(module, "SLUGS", ()), *(claim.id for claim in claims)}
    assert set(SLUGS) - TRENDS == held - TRENDS


@pytest.mark.parametrize("slug", sorted(set(SLUGS) - TRENDS))
def test_a_floor_is_a_share(slug: str) -> None:
    """Zero only where it is said that nothing can be decided."""
    floor = load(slug).floor
    assert 0 <= floor <= 1
    assert floor > 0 or slug == "theorem-gd-relu"


def test_a_claim_that_is_decided_too_seldom_is_called_so() -> None:
    report = verify_claim(load("covariance-hermite-bound"), Options(examples=20))
    assert not [v for v in report.variants if report.starved(v)]
    raised = replace(report, floors={name: (0.99, free) for name, (_, free) in report.floors.items()})
    sentences = [raised.starved(v) for v in report.variants]
    assert any(sentence and "floor=0.99 asks for" in sentence for sentence in sentences)
