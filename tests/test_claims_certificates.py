"""The claims of docs/theory.md section 7: verdicts, power, floors."""

from __future__ import annotations

import numpy as np
import pytest

from verification.claim import FLOAT64, Verdict
from verification.claims import load
from verification.dynamics import Network
from verification.dynamics.problems import with_rows
from verification.verify import Options, verify_claim

SLUGS = ("interpolation-certificate", "interpolation-certificate-relu", "initial-certificate", "newton-certificate")
MUTANTS = [(slug, mutant.name) for slug in SLUGS for mutant in load(slug).mutants]


@pytest.mark.parametrize("slug", SLUGS)
def test_holds_and_is_decided_often_enough(slug: str) -> None:
    claim = load(slug)
    for variant in verify_claim(claim, Options(examples=60)).variants:
        assert variant.verdict is Verdict.HOLDS, variant
        assert variant.decided >= claim.floor * variant.instances, variant


@pytest.mark.parametrize(("slug", "name"), MUTANTS)
def test_false_neighbours_are_refuted(slug: str, name: str) -> None:
    claim = load(slug)
    (mutant,) = (m for m in claim.mutants if m.name == name)
    for seed in range(2):
        report = verify_claim(claim.mutated(mutant), Options(seed=seed, examples=20))
        assert report.variants[0].verdict is Verdict.VIOLATED


@pytest.mark.parametrize("slug", SLUGS)
def test_on_a_users_rows(slug: str) -> None:
    X = np.random.default_rng(5).standard_normal((8, 6))
    X /= np.linalg.norm(X, axis=1)[:, None]
    report = verify_claim(load(slug), Options(X=X))
    assert Verdict.VIOLATED not in {v.verdict for v in report.variants}
    assert Verdict.HOLDS in {v.verdict for v in report.variants}


def test_rows_under_a_wide_network_need_little_room() -> None:
    """The direction that moves f least is a left singular vector; all right ones would be a 60000 x 60000 matrix."""
    X = np.random.default_rng(5).standard_normal((4, 20))
    X /= np.linalg.norm(X, axis=1)[:, None]
    spec = {"phi": "softplus", "k": 3000, "direction": "bottom", "seed": 0}
    instance = with_rows(X, spec)
    J, _ = Network(FLOAT64, X, instance["W"], instance["v"], instance.activation).jacobian(instance["W"].ravel())
    u, least = instance["direction"], np.linalg.svd(J, compute_uv=False)[-1]
    assert np.linalg.norm(J.T @ u) == pytest.approx(least)
    # Fewer weights than rows.
    assert with_rows(np.eye(4)[:, :1] + 0.5, {**spec, "k": 2})["direction"].shape == (4,)
