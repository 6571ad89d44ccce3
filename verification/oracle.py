r"""Exact oracles for enclosures: rational matrices, signs of ``lambda - s``, and the true error over its bound.

float64 numbers are fractions, so a matrix of them (or a corner of its ball) is a matrix over the rationals, and so are
its Gram matrix, Hadamard products and solutions of linear systems. Eigenvalues are not rational, but on which side of a
rational s they lie is decided exactly: the characteristic polynomial p of a symmetric matrix has real roots only, so by
Descartes' rule (exact for such polynomials) ``p(x + s)`` has as many sign changes as there are eigenvalues above s.
Bisection then finds the error of a computed number. No factorisation, and no code of jacspec, is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from flint import arb, fmpq, fmpq_mat, fmpq_poly
from numpy.typing import NDArray

from jacspec.rounding import Estimate

from .arithmetic import Arithmetic, Multiprecision
from .ball import Ball
from .claim import Sides

__all__ = [
    *("Compare", "Exact", "Gap", "Rational", "Spectrum"),
    *("enclosed", "entries", "exact", "frobenius", "hadamard", "inverse", "khatri_rao", "located", "of_ball"),
    *("power_of_two", "rational", "root", "scaled", "worst"),
]

Floats = NDArray[np.float64]
Exact = Any  # fmpq_mat
Rational = Any  # fmpq
#: s -> the sign of (truth - s), exactly.
Compare = Callable[[Rational], int]

#: Bits of an error beyond the leading one: what is smaller than that share of the bound is not resolved.
_BITS = 30
#: Numbers below about 2^-_TINIEST are not told from 0.
_TINIEST = 20_000


# -- numbers and matrices -------------------------------------------------------------------------------------------


def rational(x: float) -> Rational:
    """A float64 number as a fraction."""
    p, q = float(x).as_integer_ratio()
    return fmpq(p, q)


def power_of_two(exponent: int) -> Rational:
    """2^exponent."""
    return fmpq(2**exponent) if exponent >= 0 else fmpq(1, 2**-exponent)


def exact(A: Floats, rad: Floats | None = None, signs: Floats | None = None) -> Exact:
    """A matrix over the rationals; with radii and signs the member ``A + signs o rad`` of the ball."""
    rows = [[rational(x) for x in row] for row in A.tolist()]
    if rad is not None and signs is not None:
        moves = zip((rad * signs).tolist(), rows, strict=True)
        rows = [[x + rational(d) for d, x in zip(move, row, strict=True)] for move, row in moves]
    return fmpq_mat(rows)


def scaled(A: Exact, exponent: int) -> Exact:
    """``2^exponent A``."""
    return A * power_of_two(exponent)


def hadamard(A: Exact, B: Exact) -> Exact:
    """The entrywise product."""
    rows = zip(A.tolist(), B.tolist(), strict=True)
    return fmpq_mat([[a * b for a, b in zip(p, q, strict=True)] for p, q in rows])


def khatri_rao(A: Exact, B: Exact) -> Exact:
    """The row-wise Khatri-Rao product."""
    return fmpq_mat([[a * b for a in p for b in q] for p, q in zip(A.tolist(), B.tolist(), strict=True)])


# -- on which side of s -----------------------------------------------------------------------------------------------


def _sign(x: Rational) -> int:
    return int(x > 0) - int(x < 0)


class Spectrum:
    """Eigenvalues of a symmetric rational matrix, compared with rationals.

    Parameters
    ----------
    S : fmpq_mat
    """

    def __init__(self, S: Exact) -> None:
        self._p = S.charpoly()
        self._n = S.nrows()

    def _counts(self, s: Rational) -> tuple[int, int, int]:
        """How many eigenvalues lie below, at and above s."""
        signs = [_sign(c) for c in self._p(fmpq_poly([s, 1])).coeffs()]
        at = next(i for i, c in enumerate(signs) if c)
        nonzero = [c for c in signs if c]
        above = sum(a != b for a, b in pairwise(nonzero))
        return self._n - at - above, at, above

    def smallest(self, s: Rational) -> int:
        """The sign of ``lambda_min - s``."""
        below, at, _ = self._counts(s)
        return -1 if below else 0 if at else 1

    def largest(self, s: Rational) -> int:
        """The sign of ``lambda_max - s``."""
        _, at, above = self._counts(s)
        return 1 if above else 0 if at else -1

    def norm(self, s: Rational) -> int:
        """The sign of ``max |lambda| - s``."""
        return 1 if s < 0 else max(self.largest(s), -self.smallest(-s))


def root(compare: Compare) -> Compare:
    """Of the square root of a nonnegative number."""
    return lambda s: 1 if s < 0 else compare(s * s)


def inverse(compare: Compare) -> Compare:
    """Of one over a positive number."""
    return lambda s: 1 if s <= 0 else -compare(1 / s)


def frobenius(A: Exact) -> Compare:
    """Of the Frobenius norm."""
    square = sum((x * x for x in A.entries()), fmpq(0))
    return lambda s: 1 if s < 0 else _sign(square - s * s)


# -- the error ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gap:
    """The true error, between two rationals (one where it is known exactly), and the bound claimed for it.

    Parameters
    ----------
    low, high : fmpq
    bound : fmpq
    apart : bool
        Whether the interval stays away from zero. One that begins there, for a number that is zero or nearly, has an
        error as large as its radius whatever the terms of that radius are.
    """

    low: Rational
    high: Rational
    bound: Rational
    apart: bool = True

    @property
    def share(self) -> tuple[bool, Rational]:
        """What "worst" means: error over bound, after whether there is an error where none is allowed."""
        if self.bound == 0:
            return self.high != 0, self.high
        return False, self.high / self.bound

    def times(self, factor: float) -> Gap:
        """The same error with another bound."""
        return replace(self, bound=self.bound * rational(factor))

    def sides(self, m: Arithmetic) -> Sides:
        """error <= bound. Two exact zeros satisfy it, and so does a bound that is attained exactly: both are known."""
        return Sides(_number(m, self.low, self.high), _number(m, self.bound, self.bound))


def _number(m: Arithmetic, low: Rational, high: Rational) -> Any:
    ends = [Fraction(int(x.p), int(x.q)) for x in (low, high)]
    if not isinstance(m, Multiprecision):
        return Estimate.from_bounds(_float(ends[0], -math.inf), _float(ends[1], math.inf), True)
    from mpmath import mp, mpf

    values = [mpf(x.numerator) / x.denominator for x in ends]
    if low == high and values[0] * ends[0].denominator == ends[0].numerator and _short(ends[0], mp.prec):
        return Ball.of(values[0])
    return Ball.between(*values)


def _short(x: Fraction, bits: int) -> bool:
    """Whether x is a binary number of at most that many digits."""
    q, p = x.denominator, abs(x.numerator)
    return q & (q - 1) == 0 and (p // (p & -p)).bit_length() <= bits if p else True


def _float(x: Fraction, outward: float) -> float:
    """x as a float, rounded outward."""
    try:
        y = float(x)
    except OverflowError:
        y = math.inf if x > 0 else -math.inf
        return y if y == outward else math.nextafter(y, 0.0)
    return y if Fraction(y) == x else math.nextafter(y, outward)


def located(compare: Compare, value: float, radius: float) -> Gap | None:
    """How far the truth is from `value`, by bisection on exact signs; None where an infinite radius says nothing."""
    if not (math.isfinite(value) and math.isfinite(radius)):
        return None
    centre, bound = rational(value), rational(radius)
    side = compare(centre)
    if side == 0:
        return Gap(fmpq(0), fmpq(0), bound)

    def beyond(t: Rational) -> int:
        """The sign of (error - t)."""
        return side * compare(centre + side * t)

    low, high = fmpq(0), bound if bound > 0 else abs(centre) * power_of_two(-60) + power_of_two(-1100)
    while (found := beyond(high)) > 0:
        low, high = high, 2 * high
    if found == 0:
        return Gap(high, high, bound)
    for _ in range(4 * _BITS):
        narrow = high - low <= high * power_of_two(-_BITS) or high <= bound * power_of_two(-_BITS)
        if narrow and bound not in (low, high):  # which side of the bound it is on must show
            break
        middle = (low + high) / 2
        found = beyond(middle)
        if found == 0:
            return Gap(middle, middle, bound)
        low, high = (middle, high) if found > 0 else (low, middle)
    # Below the bound, if by less than 2^-100 of it (a singular value of 1e-300 in [0, 1e-16]): as good as attained.
    return Gap(bound, bound, bound) if high == bound else Gap(low, high, bound)


def enclosed(compare: Compare, found: Estimate) -> Gap | None:
    """The error of an `Estimate`, against its radius."""
    gap = located(compare, found.value, found.radius)
    return None if gap is None else replace(gap, apart=found.lower > 0 or found.upper < 0)


def of_ball(truth: Any, value: float, radius: float) -> Gap | None:
    """The error of a number whose truth is a (narrow) flint ball, at flint's precision."""
    if not (math.isfinite(value) and math.isfinite(radius)):
        return None
    if not truth.is_finite():
        raise ArithmeticError(f"oracle: got {truth}; expected a finite ball")
    off = abs(arb(value) - truth)
    return Gap(_rational_of(off.abs_lower(), 0), _rational_of(off.abs_upper(), 1), rational(radius))


def _rational_of(x: Any, least: int) -> Rational:
    """An exact ball as a fraction; 0, or a tiny number, where it is so small that a fraction would fill the memory."""
    mantissa, exponent = x.mid().man_exp()
    if mantissa and int(exponent) < -_TINIEST:
        return least * power_of_two(int(mantissa).bit_length() - _TINIEST)
    return fmpq(mantissa) * power_of_two(int(exponent))


def entries(truth: Exact, found: Exact, bound: Floats) -> Gap:
    """The entry of a matrix whose error is the largest share of its bound."""
    gaps = []
    for t, f, b in zip(truth.entries(), found.entries(), bound.ravel().tolist(), strict=True):
        off = abs(t - f)
        gaps.append(Gap(off, off, rational(b)))
    return worst(gaps)


def worst(gaps: Iterable[Gap]) -> Gap:
    """The one whose error is the largest share of its bound."""
    return max(gaps, key=lambda g: g.share)
