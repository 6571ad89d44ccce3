"""Proved enclosures of phi and phi' against the unproved kernels, and of Sigma(X) against the float64 covariance."""

from __future__ import annotations

import numpy as np
import pytest

from jacspec.activations import BUILTIN
from jacspec.covariance import covariance_matrix
from jacspec.elementwise import phi_and_derivative
from jacspec.enclosure.covariance import covariance_ball
from jacspec.enclosure.elementwise import phi_enclosure

SIZE = 10_000_000


@pytest.mark.parametrize("family", BUILTIN)
def test_race_enclosure(race, family):
    z = np.random.default_rng(0).standard_normal(SIZE)
    r = np.full(SIZE, 1e-15)
    found = {
        "enclosed": lambda: phi_enclosure(family, z),
        "enclosed, with radii": lambda: phi_enclosure(family, z, r),
        "compiled kernels, not proved": lambda: phi_and_derivative(family, z),
    }
    race(f"{family}: phi and phi' of {SIZE:,} numbers", found, 5)


@pytest.mark.parametrize("family", ["relu", "softplus", "tanh", "elu", "arctan"])
def test_race_covariance(race, family):
    X = np.random.default_rng(0).standard_normal((1000, 50))
    X /= np.linalg.norm(X, axis=1)[:, None]
    found = {
        "enclosed": lambda: covariance_ball(X, family),
        "float64, not proved": lambda: covariance_matrix(X, family),
    }
    race(f"{family}: Sigma(X), n = 1000, d = 50", found, 5)
