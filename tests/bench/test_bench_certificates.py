"""What a proof costs: a certificate, and the second opinion, against the same numbers without proof.

Without proof: f(W) - y, the extreme singular values of J(W) and ||X||, by NumPy.
"""

from __future__ import annotations

import numpy as np
import pytest

from jacspec import ShallowNet, certify, gauss_newton_polish, jacobian_extremes
from verification.recheck import recheck

SIZES = [(40, 10, 40), (200, 20, 400), (1000, 100, 1000)]


def fitted(n, d, k, name):
    """A network that all but interpolates, by Gauss-Newton steps from a Gaussian start."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((n, d))
    X /= np.linalg.norm(X, axis=1)[:, None]
    y = rng.choice([-1.0, 1.0], n)
    net = ShallowNet.initialize(k, d, name, y=y, seed=3)
    return gauss_newton_polish(net, X, y, 12), X, y


def unproved(net, X, y):
    return np.linalg.norm(net(X) - y), jacobian_extremes(net, X), np.linalg.norm(X, 2)


@pytest.mark.parametrize("name", ["softplus", "relu"])
@pytest.mark.parametrize("n, d, k", SIZES)
def test_race_certificate(race, n, d, k, name, tmp_path):
    net, X, y = fitted(n, d, k, name)
    proof = certify(net, X, y)
    assert proof.certified, proof.reason
    contenders = {"certify": lambda: certify(net, X, y), "the same without proof": lambda: unproved(net, X, y)}
    if n <= 200:
        path = tmp_path / "proof.npz"
        proof.save(path)
        contenders["second opinion"] = lambda: recheck(path)
        assert recheck(path).valid
    race(f"certificate, n = {n}, d = {d}, k = {k}, {name}", contenders, 3)
