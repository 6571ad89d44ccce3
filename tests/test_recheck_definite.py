"""The second opinion's proof of definiteness, against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import flint
import numpy as np

from verification.recheck.balls import exact, positive_definite, precision


def definite_in_rationals(A: list[list[Fraction]]) -> bool:
    A = [row[:] for row in A]
    for j in range(len(A)):
        if A[j][j] <= 0:
            return False
        for i in range(j + 1, len(A)):
            f = A[i][j] / A[j][j]
            A[i] = [a - f * b for a, b in zip(A[i], A[j], strict=True)]
    return True


def test_positive_definiteness_against_rationals() -> None:
    rng = np.random.default_rng(0)
    seen = {True: 0, False: 0}
    with precision(192):
        for _ in range(150):
            n = int(rng.integers(1, 30))
            B = rng.integers(-3, 4, (n, n)).astype(float)
            S = B @ B.T - float(rng.integers(0, 2)) * 0.25 * np.eye(n)
            truth = definite_in_rationals([[Fraction(x) for x in row] for row in S.tolist()])
            ours = positive_definite(exact(S))
            assert ours == truth
            seen[truth] += 1
    assert min(seen.values()) > 20


def test_singular_matrices_are_never_positive_definite() -> None:
    rng = np.random.default_rng(1)
    with precision(192):
        for n in (1, 2, 5, 11, 23, 40):
            B = rng.integers(-5, 6, (n, max(1, n - 1))).astype(float)
            B = B if n > 1 else np.zeros((1, 1))
            assert not positive_definite(exact(B @ B.T))
            assert positive_definite(exact(B @ B.T + np.eye(n)))
            wide = exact(np.eye(n)) * flint.arb(0, 2)  # holds matrices that are not
            assert not positive_definite(wide)
