"""Proved eigenvalues and singular values against what LAPACK only computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import eigvalsh

from jacspec.enclosure import (
    gram,
    hadamard,
    jacobian_singular_values,
    khatri_rao_singular_values,
    largest_eigenvalue,
    minimum_norm_solution,
    smallest_eigenvalue,
    symmetric_ball,
)


def sphere(n, d, seed=0):
    X = np.random.default_rng(seed).standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1)[:, None]


def square(n, d):
    G = gram(sphere(n, d))
    return hadamard(G, G)


@pytest.mark.parametrize("n, d", [(200, 30), (1000, 60), (2000, 100)])
def test_race_smallest_eigenvalue(race, n, d):
    S = square(n, d)
    found = smallest_eigenvalue(S)
    assert found.relative_radius < 5e-10
    contenders = {
        # `replace` drops the bound of the error that the ball remembers
        "smallest_eigenvalue, proved": lambda: smallest_eigenvalue(replace(S)),
        "scipy eigvalsh, not proved": lambda: eigvalsh(S.mid),
        "largest_eigenvalue, proved": lambda: largest_eigenvalue(replace(S)),
        "with forming the matrix": lambda: smallest_eigenvalue(square(n, d)),
    }
    race(f"lambda_min of (X X^T)^{{o2}}, n = {n}, d = {d}", contenders, 7)


@pytest.mark.parametrize("m, gap", [(6000, 1e-9), (4000, 1e-9), (2400, 1e-9), (2400, 3e-8)])
def test_race_condition_number(race, m, gap):
    """A A^T/m with Gaussian A: condition numbers 14, 34 and 450. The relative width asked for decides how far up the
    ladder it goes."""
    A = np.random.default_rng(0).standard_normal((2000, m)) / np.sqrt(m)
    S = A @ A.T
    S = 0.5 * (S + S.T)
    contenders = {
        f"smallest_eigenvalue, gap = {gap:g}": lambda: smallest_eigenvalue(S, gap=gap),
        "scipy eigvalsh": lambda: eigvalsh(S),
    }
    race(f"A A^T, n = 2000, m = {m}", contenders, 3)


@pytest.mark.parametrize("n", [50, 200])
def test_race_condition_number_1e14(race, n):
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((n, n)))[0]
    A = (Q * np.logspace(0, -14, n)) @ Q.T
    S = symmetric_ball(0.5 * (A + A.T))
    assert smallest_eigenvalue(S).lower > 0
    race(
        f"condition number 1e14, n = {n}",
        {"smallest_eigenvalue, proved": lambda: smallest_eigenvalue(S), "scipy eigvalsh": lambda: eigvalsh(S.mid)},
        7,
    )


@pytest.mark.parametrize("n, d, k", [(200, 20, 400), (1000, 50, 1000)])
def test_race_jacobian(race, n, d, k):
    X = sphere(n, d)
    D = 1 / (1 + np.exp(-(X @ np.random.default_rng(1).standard_normal((k, d)).T))) / np.sqrt(k)
    r = np.random.default_rng(2).standard_normal(n)
    contenders = {
        "jacobian_singular_values": lambda: jacobian_singular_values(D, X),
        "minimum_norm_solution": lambda: minimum_norm_solution(D, X, r),
        "eigvalsh of the Gram matrix": lambda: eigvalsh((D @ D.T) * (X @ X.T)),
    }
    race(f"J = D * X, n = {n}, d = {d}, k = {k}", contenders, 5 if n < 1000 else 3)


def test_race_khatri_rao(race):
    X = sphere(150, 20)
    race("X * X, n = 150, d = 20 (compressed width 210)", {"proved": lambda: khatri_rao_singular_values(X)}, 5)
