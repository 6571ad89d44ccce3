"""Eigenvalues and singular values of matrices chosen to hurt, against ball and exact arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import exact_matrices as em
import numpy as np
import pytest
from flint import arb, arb_mat, ctx, fmpq

from jacspec.enclosure import (
    BallMatrix,
    jacobian_singular_values,
    khatri_rao_singular_values,
    largest_eigenvalue,
    smallest_eigenvalue,
    smallest_singular_value,
    spectral_norm,
)
from jacspec.enclosure import eigenvalues as eigen
from jacspec.rounding import Estimate

Array = Any


# -- the oracle -----------------------------------------------------------------------------------------------------


class Truth:
    """An exact symmetric matrix: in balls, which decide nearly always, and in rationals, which always do."""

    def __init__(self, balls: Callable[[], Any], rows: Callable[[], em.Rows]) -> None:
        self._balls, self._rows = balls, rows

    def sign(self, shift: Fraction) -> int:
        """1 if ``A - shift I`` is positive definite, 0 if semidefinite and singular, -1 otherwise."""
        saved = ctx.prec
        try:
            for ctx.prec in (256, 1500):
                found = self._eliminated(arb(fmpq(shift.numerator, shift.denominator)))
                if found:
                    return found
        finally:
            ctx.prec = saved
        _, zero, negative = em.inertia(self._rows(), fmpq(shift.numerator, shift.denominator))
        return -1 if negative else 0 if zero else 1

    def _eliminated(self, shift: Any) -> int:
        rows = self._balls().tolist()
        for i, row in enumerate(rows):
            row[i] -= shift
        for k, pivots in enumerate(rows):
            if not pivots[k] > 0:
                return -1 if pivots[k] < 0 else 0
            for i in range(k + 1, len(rows)):
                factor = rows[i][k] / pivots[k]
                for j in range(k + 1, i + 1):
                    rows[i][j] -= factor * rows[j][k]
        return 1

    def __neg__(self) -> Truth:
        return Truth(lambda: -self._balls(), lambda: [[-x for x in row] for row in self._rows()])

    def smallest_within(self, lower: float, upper: float, power: int = 1) -> bool:
        """Whether ``lower^power <= lambda_min <= upper^power``."""
        low = lower == -math.inf or self.sign(Fraction(lower) ** power) >= 0
        return low and (upper == math.inf or self.sign(Fraction(upper) ** power) <= 0)

    def largest_within(self, lower: float, upper: float, power: int = 1) -> bool:
        """Whether ``lower^power <= lambda_max <= upper^power``."""
        turned = -self
        low = lower == -math.inf or turned.sign(-(Fraction(lower) ** power)) <= 0
        return low and (upper == math.inf or turned.sign(-(Fraction(upper) ** power)) >= 0)

    def singular_values_within(self, smallest: Estimate, largest: Estimate) -> bool:
        """The same for the roots of a Gram matrix."""
        if smallest.exact_zero:
            low = self.sign(Fraction(0)) <= 0
        else:
            low = not -math.inf < smallest.lower < 0 and self.smallest_within(smallest.lower, smallest.upper, 2)
        return low and self.largest_within(largest.lower, largest.upper, 2)


def balls(A: Any) -> Any:
    return arb_mat([[arb(x) for x in row] for row in (A.tolist() if isinstance(A, np.ndarray) else A)])


def entrywise(A: Any, B: Any) -> Any:
    return arb_mat(A.nrows(), A.ncols(), [a * b for a, b in zip(A.entries(), B.entries(), strict=True)])


def symmetric_truth(A: Array) -> Truth:
    return Truth(lambda: balls(A), lambda: em.rationals(A))


def gram_truth(A: Array) -> Truth:
    return Truth(lambda: balls(A) * balls(A).transpose(), lambda: em.gram(em.rationals(A)))


def jacobian_truth(D: em.Rows, X: Array) -> Truth:
    def in_balls() -> Any:
        left, right = balls(D), balls(X)
        return entrywise(left * left.transpose(), right * right.transpose())

    return Truth(in_balls, lambda: em.entrywise(em.gram(D), em.gram(em.rationals(X))))


# -- matrices that hurt ---------------------------------------------------------------------------------------------


def _costly(rng: np.random.Generator, m: int) -> float:
    """The number whose m squares, added up, err most of 100."""

    def error(s: float) -> Fraction:
        exact = m * Fraction(s) ** 2
        return abs(Fraction(sum([s * s] * m)) - exact) / exact

    tried = (1 + rng.integers(0, 2**52, 100) * 2.0**-52).tolist()
    return float(max(tried, key=error))


def hostile(rng: np.random.Generator, most: int) -> Array:
    """Up to `most` rows: roundings that all go one way, exact and near dependence, grading, cancellation."""
    n = int(rng.integers(1, most + 1))
    m = n + int(rng.integers(0, 5)) if rng.random() < 0.6 else int(rng.integers(1, most + 3))
    A, kind = rng.standard_normal((n, m)), int(rng.integers(0, 15))
    if kind == 1:
        A = 1 + rng.integers(0, 4, (n, m)) * 2.0**-52
    elif kind == 2:
        A = 2 - rng.integers(1, 5, (n, m)) * 2.0**-52
    elif kind == 3:
        A = rng.integers(-2, 3, (n, m)).astype(float)
    elif kind == 4 and n > 1:  # exactly dependent, not integers
        A = rng.integers(-(2**24), 2**24, (n, m)) * 2.0**-24
        A[-1] = rng.integers(-3, 4, n - 1) @ A[:-1]
        A = A[rng.permutation(n)]
    elif kind == 5 and n > 1:  # one unit in the last place from dependent
        A[1] = A[0]
        A[1, 0] = np.nextafter(A[0, 0], 9)
    elif kind == 6:
        A = em.conditioned(rng, n, max(m, n), float(rng.uniform(8, 17)))
    elif kind == 7:
        A = 1.0 / (np.arange(1, n + 1)[:, None] + np.arange(m))
    elif kind == 8:
        A = A * np.ldexp(1.0, rng.integers(-40, 40, (n, 1))) * np.ldexp(1.0, rng.integers(-40, 40, (1, m)))
    elif kind == 9:
        A = np.linalg.qr(rng.standard_normal((max(n, m),) * 2))[0][:n, :m]
    elif kind == 10:
        A = _costly(rng, m) + np.eye(n, m) * float(rng.choice([0, 2.0**-52, 2.0**-30, 1]))
    elif kind == 11:
        A = em.awkward(rng, most)
    elif kind == 12:
        A = float(rng.uniform(0.5, 2)) * (2 * np.eye(n, m) - np.tril(np.ones((n, m))))
    elif kind == 13:
        A = 1 + rng.integers(-1, 2, (n, m)) * 2.0 ** -float(rng.integers(20, 53))
    elif kind == 14:
        A = A * np.ldexp(1.0, int(rng.integers(-1040, 980)))
    return np.ascontiguousarray(A)


def hostile_symmetric(rng: np.random.Generator, most: int) -> Array:
    n, kind = int(rng.integers(1, most + 1)), int(rng.integers(0, 8))
    if kind == 0:
        B = rng.integers(-4, 5, (n, max(1, n - int(rng.integers(0, 3)))))
        return np.asarray(B @ B.T, dtype=float)  # often exactly singular
    if kind == 1:
        B = rng.integers(-9, 10, (n, n))
        return np.asarray(B + B.T, dtype=float)
    if kind == 2:
        return float(rng.uniform(1, 2)) * np.ones((n, n)) + float(rng.choice([0, 2.0**-52, 1e-10])) * np.eye(n)
    if kind in (3, 4):
        values = np.logspace(0, -float(rng.uniform(0, 20)), n) if kind == 3 else rng.choice([1.0, 1 + 1e-15, -1.0], n)
        Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
        S = (Q * values) @ Q.T
    elif kind == 5:
        S = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1) - 2 * (1 - math.cos(math.pi / (n + 1))) * np.eye(n)
    elif kind == 6:
        A = hostile(rng, most)
        A = A / np.abs(A).max() if A.any() else A
        S = A @ A.T
    else:
        S = rng.standard_normal((n, n)) * 2.0 ** int(rng.integers(-1060, 1000))
    return np.asarray(0.5 * S + 0.5 * S.T)


# -- the statements -------------------------------------------------------------------------------------------------


def check_eigenvalues(rng: np.random.Generator, most: int) -> None:
    S = hostile_symmetric(rng, most)
    truth, low, high = symmetric_truth(S), smallest_eigenvalue(S), largest_eigenvalue(S)
    assert truth.smallest_within(low.lower, low.upper)
    assert truth.largest_within(high.lower, high.upper)
    size = float(np.abs(S).max())
    if not 1e-100 < size < 1e100 or len(S) == 1:
        return
    S = np.ldexp(S, -math.frexp(size)[1])
    truth, values, vectors = symmetric_truth(S), *np.linalg.eigh(S)
    # Shifts at, just below and just above the truth, and zero: a singular matrix must never pass for definite.
    for shift in (
        0.0,
        float(values[0]),
        float(values[0]) - rng.exponential() * len(S) * 2.0**-52,
        values[0] + 2.0**-53,
    ):
        proved = eigen.cholesky_bound(S, float(shift))
        assert proved is None or truth.sign(Fraction(proved)) >= 0
    for x in (vectors[:, 0], rng.standard_normal(len(S))):
        assert truth.sign(Fraction(eigen.rayleigh_bound(S, np.ascontiguousarray(x)))) <= 0


def check_singular_values(rng: np.random.Generator, most: int) -> None:
    A = hostile(rng, most)
    assert gram_truth(A).singular_values_within(smallest_singular_value(A), spectral_norm(A))
    B = hostile(rng, most)
    assert jacobian_truth(em.rationals(B), B).singular_values_within(*khatri_rao_singular_values(B))
    n = min(len(A), len(B))
    D, X = A[:n], B[:n]
    assert jacobian_truth(em.rationals(D), X).singular_values_within(*jacobian_singular_values(D, X))
    if not (1e-100 < np.abs(D).max() < 1e100 and 1e-100 < np.abs(X).max() < 1e100):
        return
    radius = np.abs(D) * np.abs(rng.standard_normal(D.shape)) * 10.0 ** -rng.uniform(1, 17)
    sides = rng.choice([-1, 1], D.shape).tolist()  # a corner of the ball
    corner = [
        [a + r * s for a, r, s in zip(*rows, strict=True)]
        for rows in zip(em.rationals(D), em.rationals(radius), sides, strict=True)
    ]
    found = jacobian_singular_values(BallMatrix(D, radius), X)
    assert jacobian_truth(corner, X).singular_values_within(*found)


def test_hostile_matrices() -> None:
    """A sample of the campaign below."""
    for seed in range(100):
        rng = np.random.default_rng(np.random.SeedSequence((100, seed)))
        check_eigenvalues(rng, 8)
        check_singular_values(rng, 8)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(24))
def test_campaign_of_hostile_matrices(block: int) -> None:
    """24,000 cases, each of some 12 statements, decided in 256 or 1500 bits and exactly where that leaves them open.

    Some 5 minutes. Sizes up to 8, in every eighth block up to 20.
    """
    for seed in range(300 if block % 8 == 7 else 1100):
        rng = np.random.default_rng(np.random.SeedSequence((101, block, seed)))
        most = 20 if block % 8 == 7 else 8
        check_eigenvalues(rng, most)
        check_singular_values(rng, most)
