"""Upward-rounded norms: what every proof in this room is assembled from.

Conventions. u = 2^-53. Matrices are scaled by a power of two until their largest entry is of moderate size, so that
whatever underflows (gradually, or flushed to zero, on input or on output) moves a result by less than a multiple of
2^-1022 times a moderate number, which `FLOOR` and `TINY` exceed by far. A sum of k products, in any order, with or
without FMA, is off by at most ``gamma_k`` times the sum of the absolute products: every term meets at most k roundings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rounding import Estimate

__all__ = [
    *("FLOOR", "TINY", "Floats"),
    *(
        "absolute_product",
        "collatz_wielandt",
        "down",
        "flushed",
        "grown",
        "largest",
        "norm_bound",
        "row_norms",
        "scaled",
        "up",
    ),
    *("scaled_bounds", "scaled_estimate", "spectral_norm_bound", "two_product", "two_sum", "unit_scale"),
]

Floats = NDArray[np.float64]

#: Added to every norm: the square of it times u exceeds what underflow can do to one product of moderate numbers.
FLOOR = 2.0**-440

#: Per entry and operation, more than all underflow in a sum of products of moderate numbers.
TINY = 2.0**-930

#: The smallest subnormal number: zero to a processor that flushes inputs.
_SUBNORMAL = 2.0**-1074

#: Rows of a matrix whose absolute value is taken at a time: a few MiB.
_PANEL = 256


def up(x: float) -> float:
    """The next float above."""
    return math.nextafter(x, math.inf)


def down(x: float) -> float:
    """The next float below."""
    return math.nextafter(x, -math.inf)


def grown(x: Any, roundings: int) -> Any:
    """What a nonnegative number (or array) computed as x with that many roundings cannot exceed.

    ``v <= x / (1 - gamma_k)``, and ``1 + (k + 4) 2^-52`` exceeds ``1 / (1 - gamma_k)`` by the rounding of this product
    too, as long as k u < 1/100.
    """
    return x * (1.0 + (roundings + 4) * 2.0**-52)


def largest(A: Floats) -> float:
    """``max |A_ij|``."""
    return max(float(A.max()), -float(A.min()), 0.0)


def flushed(A: Floats) -> NDArray[np.bool_] | None:
    """Where the processor takes numbers for zeros that are none (subnormal ones, in some modes); None where nowhere."""
    if _SUBNORMAL != 0.0:
        return None
    bits = A.view(np.int64) & np.int64(2**63 - 1)
    found = (bits > 0) & (bits < 2**52)
    return found if found.any() else None


def unit_scale(size: float) -> int:
    """e with ``2^(e-1) <= size < 2^e``; 0 for a size of zero."""
    return math.frexp(size)[1] if size > 0 else 0


def scaled(A: Floats, exponent: int) -> Floats:
    """``2^exponent A``: exact, but for entries that underflow (by less than 2^-1022)."""
    if exponent == 0:
        return A
    if abs(exponent) < 1000:
        return A * math.ldexp(1.0, exponent)
    return np.asarray(np.ldexp(A, exponent))


def scaled_estimate(estimate: Estimate, exponent: int) -> Estimate:
    """``2^exponent`` times an estimate, outward where it under- or overflows."""
    if exponent == 0 or estimate.exact_zero or not estimate.finite:
        return estimate
    lower, upper = scaled_bounds(estimate.lower, estimate.upper, exponent)
    return Estimate.from_bounds(lower, upper, estimate.rigorous, estimate.note)


def scaled_bounds(lower: float, upper: float, exponent: int) -> tuple[float, float]:
    """``2^exponent`` times an interval, outward."""
    return _ldexp(lower, exponent, down), _ldexp(upper, exponent, up)


def _ldexp(x: float, exponent: int, outward: Callable[[float], float]) -> float:
    try:
        y = math.ldexp(x, exponent)
    except OverflowError:
        y = math.copysign(math.inf, x)
        return y if (y > 0) == (outward is up) else math.nextafter(y, 0.0)
    exact = abs(y) >= 2.0**-1021 or x == 0
    if y == 0 and not exact and (x > 0) != (outward is up):
        return 0.0
    return y if exact else outward(y)


def row_norms(A: Floats) -> Floats:
    """Upper bounds of the Euclidean row norms of a matrix with entries of moderate size, at least `FLOOR`."""
    squares = np.einsum("ij,ij->i", A, A)
    return np.asarray(grown(np.sqrt(squares), A.shape[1] + 4) + FLOOR * math.sqrt(A.shape[1]))


def absolute_product(N: Floats, x: Floats) -> Floats:
    """``|N| x``, panel by panel; x is (n,) or (n, c), nonnegative. At most n roundings per entry."""
    if N.shape[0] <= 2 * _PANEL:
        return np.asarray(np.abs(N) @ x)
    out = np.empty((N.shape[0], *x.shape[1:]))
    for start in range(0, N.shape[0], _PANEL):
        np.matmul(np.abs(N[start : start + _PANEL]), x, out=out[start : start + _PANEL])
    return out


def collatz_wielandt(apply: Callable[[Floats], Floats], n: int, roundings: int) -> float:
    """Upper bound of the spectral radius of a nonnegative n x n matrix from products with it.

    ``rho(B) <= max_i (B x)_i / x_i`` for every x > 0; x follows the power iteration. For a symmetric matrix that is
    entrywise at most B in absolute value it bounds the spectral norm.

    Parameters
    ----------
    apply : callable
        ``x -> B x``, x nonnegative, with at most `roundings` roundings per entry.
    n : int
    roundings : int
    """
    steps = 4 if n <= 512 else 2
    x = np.ones(n)
    bound = math.inf
    for _ in range(steps):
        y = apply(x)
        bound = min(bound, float(np.max(y / x)))
        top = float(y.max())
        if not top > 0:
            break
        x = np.maximum(y / top, 2.0**-30)
    return up(float(grown(bound, roundings + 1)) + n * TINY * 2.0**30)


def spectral_norm_bound(A: Floats) -> float:
    """A cheap upper bound of the spectral norm of a nonnegative matrix: Collatz-Wielandt for ``A^T A``."""
    n, m = A.shape
    size = largest(A)
    if size == 0:
        return 0.0
    e = unit_scale(size)
    B = scaled(A, -e)
    square = collatz_wielandt(lambda x: np.asarray(B.T @ (B @ x)), m, n + m)
    return _ldexp(up(math.sqrt(square)), e, up)


def norm_bound(x: Floats) -> float:
    """Upper bound of the Euclidean norm of a vector of moderate size."""
    return float(row_norms(x[None])[0])


def two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """``a + b`` rounded, and its exact error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _split(a: Floats) -> tuple[Floats, Floats]:
    c = 134217729.0 * a  # 2^27 + 1 (Veltkamp)
    high = c - (c - a)
    return high, a - high


def two_product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """``a b`` rounded, and its error (Dekker): exact up to underflow."""
    product = a * b
    ah, al = _split(a)
    bh, bl = _split(b)
    return product, ((ah * bh - product) + ah * bl + al * bh) + al * bl
