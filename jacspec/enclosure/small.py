"""The last rung: ball arithmetic (python-flint) at small n, where the data behind a matrix are exact.

Positive definiteness of ``A - s I`` by an LDL^T factorisation in balls: all pivots positive means definite; a pivot
that is negative, after pivots that exclude zero, means that an eigenvalue lies below s (Sylvester's law of inertia).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flint import acb_mat, arb, arb_mat, ctx

from ..activations.balls import FLINT
from .outward import Floats

__all__ = ["MOST_ROWS", "entrywise_product", "exact_matrix", "flint_smallest"]

_BITS = 640

#: Ball arithmetic takes seconds at most up to this size.
MOST_ROWS = 48


def exact_matrix(A: Floats) -> Any:
    """A float64 matrix as an `arb_mat`, exactly."""
    return arb_mat([[arb(x) for x in row] for row in A.tolist()])


def entrywise_product(A: Any, B: Any) -> Any:
    """The Hadamard product of two flint matrices."""
    rows = zip(A.tolist(), B.tolist(), strict=True)
    return arb_mat([[a * b for a, b in zip(p, q, strict=True)] for p, q in rows])


def _sign(A: Any, shift: Any) -> int:
    """1 if ``A - shift I`` is proved positive definite, -1 if proved to have a negative eigenvalue, else 0."""
    rows = A.tolist()
    n = len(rows)
    for i in range(n):
        rows[i][i] -= shift
    for k in range(n):
        pivot = rows[k][k]
        if not pivot > 0:
            return -1 if pivot < 0 else 0
        for i in range(k + 1, n):
            factor = rows[i][k] / pivot
            for j in range(k + 1, i + 1):
                rows[i][j] -= factor * rows[j][k]
                rows[j][i] = rows[i][j]
    return 1


def flint_smallest(build: Callable[[], Any]) -> tuple[float, float] | None:
    """Proved bounds of the smallest eigenvalue of the matrix that `build` makes, or None where balls get too wide."""
    with FLINT:
        saved = ctx.prec
        ctx.prec = _BITS
        try:
            A = build()
            middle = arb_mat([[x.mid() for x in row] for row in A.tolist()])
            guess = min((z.real.mid() for z in acb_mat(middle).eig(algorithm="approx")), key=_order)
            size = max((abs(x).upper() for row in middle.tolist() for x in row), key=_order)
            for bits in (400, 200, 100, 60):
                delta = size * arb(2) ** -bits
                if _sign(A, guess - delta) == 1 and _sign(A, guess + delta) == -1:
                    low, high = float((guess - delta).lower()), float((guess + delta).upper())
                    return math.nextafter(low, -math.inf), math.nextafter(high, math.inf)
            return None
        except (ValueError, ZeroDivisionError):  # the approximate eigenvalues did not converge
            return None
        finally:
            ctx.prec = saved


def _order(x: Any) -> Any:
    return _Key(x)


class _Key:
    """Order of balls by their centres (as floats they may under- or overflow)."""

    def __init__(self, x: Any) -> None:
        self._x = x.mid()

    def __lt__(self, other: _Key) -> bool:
        return bool(self._x < other._x)
