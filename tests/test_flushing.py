"""Processors that flush subnormal numbers to zero, results and inputs: activations, Sigma(X) and certificates."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import exact_matrices as em
import numpy as np
import pytest

from jacspec import InputError, ShallowNet
from jacspec.certificates import certify
from jacspec.enclosure import covariance_ball, phi_enclosure
from verification.campaign import draw
from verification.claims import enclosed_activation, enclosed_covariance
from verification.recheck import recheck

MODE = em.FLUSH | em.TO_ZERO_INPUTS


@pytest.fixture(autouse=True)
def the_mode_can_be_set() -> None:
    with em.processor_mode(MODE) as changed:
        pass
    if not changed:
        pytest.skip("the processor's modes cannot be set from here")


def test_activations_stay_enclosed() -> None:
    rng = np.random.default_rng(0)
    for i in range(200):
        spec = draw("enclosed-activation", rng)
        instance = enclosed_activation.CLAIM.domain.build({**spec, "kind": "tiny"} if i % 2 else spec, 0)
        with em.processor_mode(MODE):
            found = phi_enclosure(instance.activation, instance["z"], instance.arrays.get("z_radius"))
        for gap in enclosed_activation.gaps_of(instance, found).values():
            assert gap is None or gap.high <= gap.bound, spec


def test_covariances_stay_enclosed_or_are_refused() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        instance = enclosed_covariance.CLAIM.domain.build(draw("enclosed-covariance", rng), 0)
        with em.processor_mode(MODE):
            found = covariance_ball(instance["X"], instance.activation)
        gap = enclosed_covariance.worst_entry(enclosed_covariance.truth(instance, "hidden"), *found)
        assert gap is None or gap.high <= gap.bound
    X = np.array([[1.0, 2.0**-1040], [1.0, -(2.0**-1040)]])
    covariance_ball(X, "relu")
    # Such a processor takes the two rows for equal.
    with em.processor_mode(MODE), pytest.raises(InputError, match="subnormal"):
        covariance_ball(X, "relu")


def test_certificates_are_valid_or_refused(tmp_path: Path) -> None:
    """Data down to subnormal numbers: whatever is certified is proved again by a processor that flushes nothing."""
    rng, seen = np.random.default_rng(1), Counter[str]()
    for i in range(60):
        n, d, k = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(3, 7))
        X, W, v = rng.standard_normal((n, d)), rng.standard_normal((k, d)), rng.standard_normal(k)
        scale = 2.0 ** -float(rng.choice([0, 300, 500, 700, 1000, 1050]))
        net = ShallowNet(W, v * scale if i % 2 else v, ("softplus", "tanh", "relu", "sin")[i % 4])
        X = X if i % 2 else X * scale
        y = net(X)
        y = y + 1e-6 * np.abs(y) * rng.standard_normal(n)
        with em.processor_mode(MODE):
            try:
                found = certify(net, X, y)
            except InputError:
                seen["refused"] += 1
                continue
        seen[found.verdict] += 1
        if found.certified:
            found.save(tmp_path / "c.npz")
            assert recheck(tmp_path / "c.npz").valid
    assert seen["CERTIFIED"] > 5
    assert seen["CERTIFIED"] < 60
