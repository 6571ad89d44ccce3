r"""Matrix products as a sum of two floats, by error-free splitting at BLAS speed (Ozaki's scheme with two slices).

Row i of A is rounded to ``A1 + A2 + A3``: A1 and A2 hold beta bits each on grids ``2^(e_i - beta)`` and
``2^(e_i - 2 beta)``, with ``|A_ij| <= 2^e_i``; A3 is what is left, exactly. Columns of B likewise. With
``2 t 2^(2 beta) <= 2^53`` for t the length of the inner products, every partial sum of ``A1 B1``, ``A1 B2 + A2 B1`` and
``A2 B2`` is an integer multiple of one grid below 2^53: those products come out *exactly*, in any order, with or
without FMA. The rest, ``A3 B + (A1 + A2) B3``, is smaller by ``2^(-2 beta)`` and computed plainly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..rounding import UNIT_ROUNDOFF, gamma
from .outward import FLOOR, Floats, grown, row_norms, two_sum

__all__ = ["Product", "product"]

#: Rows whose entries are all smaller keep the grid of this exponent: no grid product gets near underflow.
_LEAST_EXPONENT = -250


@dataclass(frozen=True, eq=False)
class Product:
    """``|A B - (high + low)|_ij <= row_error_i column_norm_j + row_norm_i column_error_j``.

    The bound has room for one more rounding of `low` (and of a sum with it).

    Parameters
    ----------
    high, low : (n, m) float64
        `high` is the rounded sum of two exactly computed products, so symmetric data make it exactly symmetric.
    row_norm, row_error : (n,) float64
    column_norm, column_error : (m,) float64
    """

    high: Floats
    low: Floats
    row_norm: Floats
    row_error: Floats
    column_norm: Floats
    column_error: Floats


def _slices(A: Floats, bits: int) -> tuple[Floats, Floats, Floats]:
    """(A1, A2, A3) by rows; adding and subtracting 1.5 2^52 grid rounds to multiples of the grid."""
    size = np.abs(A).max(axis=1)
    exponent = np.maximum(np.frexp(size)[1], _LEAST_EXPONENT)
    grid = np.ldexp(1.5, 52 + exponent - bits)[:, None]
    first = (A + grid) - grid
    rest = A - first
    grid *= 2.0**-bits
    second = (rest + grid) - grid
    return first, second, rest - second


def product(A: Floats, B: Floats) -> Product:
    """``A B`` to about twice the working precision.

    Parameters
    ----------
    A : (n, t) float64
    B : (t, m) float64
        Entries of moderate size: below 2^200, the largest above 2^-200.

    Returns
    -------
    Product
    """
    t = A.shape[1]
    bits = (52 - math.ceil(math.log2(max(t, 1)))) // 2
    A1, A2, A3 = _slices(A, bits)
    B1, B2, B3 = (np.ascontiguousarray(S.T) for S in _slices(np.ascontiguousarray(B.T), bits))
    leading = A1 @ B1
    middle = np.hstack([A1, A2]) @ np.vstack([B2, B1])
    trailing = A2 @ B2
    plain = np.hstack([A3, A1 + A2]) @ np.vstack([B, B3])
    high, low = two_sum(leading, middle)
    low += trailing + plain
    # |A1|, |A2| <= 2 |A| and |A3|, |A1 + A2| / 2 <= |A| entrywise (an entry below half a grid rounds to 0 or to 2 of
    # itself), and A1 + A2 is exact. So |high| <= 16 |A||B|. Rounding of low: three numbers, of at most u |high|,
    # |A2||B2| and |A3||B| + 2 |A||B3| in size, meet two roundings here and two more in the caller.
    a, b = row_norms(A), row_norms(np.ascontiguousarray(B.T))
    a2, b2 = row_norms(A2), row_norms(np.ascontiguousarray(B2.T))
    a3, b3 = row_norms(A3), row_norms(np.ascontiguousarray(B3.T))
    share = float(np.max(b2 / b))
    plainly = gamma(2 * t + 1) + 4 * UNIT_ROUNDOFF
    row_error = plainly * a3 + 4 * UNIT_ROUNDOFF * (share * a2 + 16 * UNIT_ROUNDOFF * a) + FLOOR
    return Product(high, low, a, grown(row_error, 6), b, grown(2 * plainly * b3 + FLOOR, 6))
