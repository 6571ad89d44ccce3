"""Numbers with radii: `Estimate`, outward-rounded interval arithmetic, and a-priori rounding radii.

Every number that leaves the library is an `Estimate`. The arithmetic below is ordinary interval arithmetic on
float64 end points, each end moved outward by one unit in the last place after every operation (unless it is exactly
zero or infinite), so a rigorous input gives a rigorous result; non-rigorous inputs give honest, but unproved, radii.

All a-priori radii of the project live in this module (`gamma`, `gram_radius`, `hadamard_square_radius`,
`factorization_radius`); no other module invents a tolerance.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "UNIT_ROUNDOFF",
    "Estimate",
    "factorization_radius",
    "gamma",
    "gram_radius",
    "hadamard_square_radius",
]

#: Unit roundoff of float64 in rounding to nearest.
UNIT_ROUNDOFF = 2.0**-53

_INF = math.inf


#: Zero to a processor that reads subnormal numbers as zeros.
_SUBNORMAL = 2.0**-1074
#: Floats of this size and above have sums and differences that are not subnormal.
_SAFE = 2.0**-960


def _normal_up(x: float) -> float:
    """x, moved up to 0 or to +-`_SAFE` where it is nearer to zero: what such a processor can compute with."""
    if abs(x) >= _SAFE or struct.pack("<d", abs(x)) == bytes(8):
        return x
    return _SAFE if math.copysign(1.0, x) > 0 else 0.0


def _down(x: float) -> float:
    return -_up(-x)


def _up(x: float) -> float:
    above = math.nextafter(x, _INF)
    return above if _SUBNORMAL != 0.0 else _normal_up(above)


def gamma(k: int) -> float:
    """``k u / (1 - k u)``: the relative error of k rounded operations (Higham, *Accuracy and Stability*, ch. 3).

    Raises
    ------
    ValueError
        If k u >= 1, where the bound says nothing.
    """
    ku = k * UNIT_ROUNDOFF
    if not 0 <= ku < 1:
        raise ValueError(f"gamma: got k = {k}; expected 0 <= k u < 1")
    return ku / (1.0 - ku)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and how far off it may be.

    The true value lies in ``[value - radius, value + radius]``: proved when `rigorous`, otherwise by an estimate of
    the error that the tests hold against high-precision references.

    Parameters
    ----------
    value : float
        Finite, or infinity.
    radius : float
        Nonnegative; infinite when nothing is known beyond `note`.
    rigorous : bool
        Whether the enclosure is proved.
    note : str
        How the number was found, or why it is exactly zero or infinite.

    Raises
    ------
    ValueError
        If value is NaN, or radius is negative or NaN.

    Examples
    --------
    >>> a = Estimate(2.0, 1e-12, False)
    >>> b = (a * a).sqrt()
    >>> b.contains(2.0), b.rigorous
    (True, False)
    >>> Estimate.zero("rank 3 < n = 5").exact_zero
    True
    """

    value: float
    radius: float = 0.0
    rigorous: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if math.isnan(self.value) or math.isnan(self.radius) or self.radius < 0:
            raise ValueError(f"Estimate: got value {self.value} and radius {self.radius}; expected a number and >= 0")

    # -- constructors -----------------------------------------------------------------------------------------

    @classmethod
    def exact(cls, value: float, note: str = "") -> Estimate:
        """A value known exactly (an integer that float64 cannot hold gets the radius that it needs)."""
        try:
            number = float(value)
        except OverflowError:
            number = _INF if value > 0 else -_INF
        if number == value:
            return cls(number, 0.0, True, note)
        return cls.from_bounds(_down(number), _up(number), True, note)

    @classmethod
    def zero(cls, note: str) -> Estimate:
        """Structural zero, with the reason."""
        return cls(0.0, 0.0, True, note)

    @classmethod
    def infinite(cls, note: str) -> Estimate:
        """Plus infinity, known to be so, with the reason."""
        return cls(_INF, 0.0, True, note)

    @classmethod
    def from_bounds(cls, lower: float, upper: float, rigorous: bool, note: str = "") -> Estimate:
        """The narrowest estimate whose interval contains ``[lower, upper]``, in exact arithmetic.

        An interval that is unbounded on either side has no centre; it becomes all of the line (infinite radius).
        """
        if math.isnan(lower) or math.isnan(upper) or lower > upper:
            raise ValueError(f"Estimate: got bounds [{lower}, {upper}]; expected lower <= upper")
        if _SUBNORMAL == 0.0:
            lower, upper = -_normal_up(-lower), _normal_up(upper)
        if lower == upper:
            return cls(lower, 0.0, rigorous, note)
        if upper == _INF or lower == -_INF:
            return cls(_INF, _INF, rigorous, note)
        value = lower + 0.5 * (upper - lower)
        if math.isinf(value):
            value = 0.5 * lower + 0.5 * upper
        radius = max(value - lower, upper - value)
        while not (_sum_at_most(value, -radius, lower) and _sum_at_most(-value, -radius, -upper)):
            radius = _up(radius)
        if lower >= 0 and value < radius:  # subnormals: keep the interval from reaching below zero
            value = radius
        return cls(value, radius, rigorous, note)

    # -- reading ----------------------------------------------------------------------------------------------

    @property
    def lower(self) -> float:
        """Lower end, rounded downward (minus infinity when the radius is infinite)."""
        return -_INF if self.radius == _INF else -_sum_up(-self.value, self.radius)

    @property
    def upper(self) -> float:
        """Upper end, rounded upward (infinity when the radius is infinite)."""
        return _INF if self.radius == _INF else _sum_up(self.value, self.radius)

    @property
    def exact_zero(self) -> bool:
        """Whether the value is known to be zero, not merely small."""
        return bool(self.value == 0.0 and self.radius == 0.0 and self.rigorous)

    @property
    def finite(self) -> bool:
        """Whether value and radius are both finite."""
        return math.isfinite(self.value) and math.isfinite(self.radius)

    @property
    def relative_radius(self) -> float:
        """``radius / |value|`` (zero for an exact value)."""
        if self.radius == 0:
            return 0.0
        return self.radius / abs(self.value) if self.value and self.radius < _INF else _INF

    def contains(self, x: Any) -> bool:
        """Whether x (a float, mpf or Fraction) lies in the interval."""
        return bool(self.lower <= x) and bool(x <= self.upper)

    def is_positive(self) -> bool:
        """Whether the whole interval is positive."""
        return self.lower > 0

    # -- changing ---------------------------------------------------------------------------------------------

    def with_note(self, note: str) -> Estimate:
        """The same number with another note."""
        return replace(self, note=note)

    def widened(self, extra: float) -> Estimate:
        """Radius enlarged by `extra`, a nonnegative number."""
        if not extra >= 0:
            raise ValueError(f"Estimate: got extra radius {extra}; expected >= 0")
        if _SUBNORMAL == 0.0:
            extra = _normal_up(extra)
        return replace(self, radius=_up(self.radius + extra)) if extra > 0 else self

    def nonnegative(self, note: str = "") -> Estimate:
        """Intersection with ``[0, inf)``, for quantities that cannot be negative.

        An interval that reaches below zero becomes ``[0, upper]`` (value upper/2), so no negative eigenvalue is ever
        reported; `note` says why the value could not be told from zero. An interval that lies below zero contradicts
        the premise: a measured one becomes ``[0, -lower]``, since its radius was too small by that much.

        Raises
        ------
        ValueError
            If the interval is proved and lies below zero.
        """
        if self.radius == _INF or self.lower >= 0:
            return self
        upper = self.upper
        if upper < 0:
            if self.rigorous:
                raise ValueError(f"Estimate: a proved interval [{self.lower}, {upper}] below zero; expected >= 0")
            upper = -self.lower
        return Estimate.from_bounds(0.0, upper, self.rigorous, note or self.note)

    # -- interval arithmetic ----------------------------------------------------------------------------------

    @staticmethod
    def of(x: Estimate | float | int) -> Estimate:
        """x as an Estimate; plain numbers are exact."""
        return x if isinstance(x, Estimate) else Estimate.exact(x)

    def _ends(self) -> tuple[float, float]:
        return self.lower, self.upper

    @property
    def _infinite(self) -> bool:
        return math.isinf(self.value) and self.radius == 0

    @property
    def _is_one(self) -> bool:
        return self.value == 1 and self.radius == 0 and self.rigorous

    def __add__(self, other: Estimate | float | int) -> Estimate:
        o = Estimate.of(other)
        if o.exact_zero:
            return self
        if self.exact_zero:
            return o
        lower, upper = _sum(self.lower, o.lower, _down), _sum(self.upper, o.upper, _up)
        return Estimate.from_bounds(lower, upper, self.rigorous and o.rigorous)

    __radd__ = __add__

    def __neg__(self) -> Estimate:
        return Estimate(0.0 - self.value, self.radius, self.rigorous)

    def __sub__(self, other: Estimate | float | int) -> Estimate:
        return self + (-Estimate.of(other))

    def __rsub__(self, other: Estimate | float | int) -> Estimate:
        return Estimate.of(other) + (-self)

    def __mul__(self, other: Estimate | float | int) -> Estimate:
        o = Estimate.of(other)
        if self.exact_zero or o.exact_zero:
            if not (self.finite and o.finite):
                raise ValueError("Estimate: 0 times an infinite bound has no value")
            return Estimate.exact(0.0)
        if self._is_one:
            return o
        if o._is_one:
            return self
        pairs = [(a, b) for a in self._ends() for b in o._ends()]
        lower, upper = min(_product(a, b, _down) for a, b in pairs), max(_product(a, b, _up) for a, b in pairs)
        return Estimate.from_bounds(lower, upper, self.rigorous and o.rigorous)

    __rmul__ = __mul__

    def __truediv__(self, other: Estimate | float | int) -> Estimate:
        o = Estimate.of(other)
        if o.exact_zero:
            raise ZeroDivisionError("Estimate: division by an exact zero")
        if self._infinite and o._infinite:
            raise ValueError("Estimate: infinity over infinity has no value")
        if self.exact_zero:
            return Estimate.exact(0.0)
        rigorous = self.rigorous and o.rigorous
        if o.lower <= 0 <= o.upper:
            if self.lower >= 0 and o.lower >= 0 and o.upper > 0:
                return Estimate.from_bounds(_quotient(self.lower, o.upper, _down), _INF, rigorous)
            raise ZeroDivisionError("Estimate: division by an interval that contains zero")
        pairs = [(a, b) for a in self._ends() for b in o._ends()]
        lower, upper = min(_quotient(a, b, _down) for a, b in pairs), max(_quotient(a, b, _up) for a, b in pairs)
        return Estimate.from_bounds(lower, upper, rigorous)

    def __rtruediv__(self, other: Estimate | float | int) -> Estimate:
        return Estimate.of(other) / self

    def __pow__(self, exponent: float | int) -> Estimate:
        """Power of a nonnegative interval, or an even one of any. Multiples of 1/2 need no libm."""
        if exponent == 1:
            return self
        if self.lower < 0:
            if exponent > 0 and exponent % 2 == 0:
                size = abs(self)
                return size**exponent if size.finite else size
            raise ValueError(f"Estimate: power {exponent} of an interval that reaches below zero")
        if self.exact_zero:
            if exponent <= 0:
                raise ZeroDivisionError("Estimate: negative power of an exact zero")
            return self
        if exponent < 0 and self.upper == 0:
            raise ZeroDivisionError("Estimate: negative power of zero")
        low, high = self._ends() if exponent >= 0 else self._ends()[::-1]
        lower, upper = _power(low, exponent, _down), _power(high, exponent, _up)
        return Estimate.from_bounds(lower, upper, self.rigorous)

    def __abs__(self) -> Estimate:
        if self.lower >= 0:
            return self
        if self.upper <= 0:
            return -self
        return Estimate.from_bounds(0.0, max(-self.lower, self.upper), self.rigorous)

    def sqrt(self) -> Estimate:
        """Square root of a nonnegative estimate."""
        return self**0.5

    # -- output -----------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """The E object of the JSON contract: value, radius, rigorous, exact_zero (and the note, if any)."""
        out: dict[str, Any] = {
            "value": _json_number(self.value),
            "radius": _json_number(self.radius),
            "rigorous": bool(self.rigorous),
            "exact_zero": self.exact_zero,
        }
        if self.note:
            out["note"] = self.note
        return out


def _json_number(x: float) -> float | str:
    """Infinity is spelled as a string: JSON has no literal for it."""
    return float(x) if math.isfinite(x) else ("inf" if x > 0 else "-inf")


def _two_sum(a: float, b: float) -> tuple[float, float]:
    """``a + b`` rounded, and its exact error (Knuth); NaN error where an intermediate overflows."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _sum_at_most(a: float, b: float, bound: float) -> bool:
    """Whether ``a + b <= bound`` in exact arithmetic (False if overflow leaves it open)."""
    total, error = _two_sum(a, b)
    return total < bound or (total == bound and error <= 0)


def _sum_up(a: float, b: float) -> float:
    """``a + b`` rounded upward, exact where float64 holds it."""
    total, error = _two_sum(a, b)
    return total if error <= 0 or math.isinf(a) or math.isinf(b) else _up(total)


# One end of an interval operation: `outward` is _down for the lower end and _up for the upper one. Exact zeros and
# infinities stay; an underflow to zero moves outward only on the side where the true value lies.

Outward = Callable[[float], float]


def _toward(value: float, outward: Outward, positive: bool) -> float:
    if value == 0 and positive != (outward is _up):
        return 0.0
    return outward(value)


def _sum(a: float, b: float, outward: Outward) -> float:
    total = a + b
    if math.isnan(total):
        raise ValueError("Estimate: infinity minus infinity has no value")
    # A zero sum of floats is exact; so is a sum with an infinity.
    return total if total == 0 or math.isinf(a) or math.isinf(b) else outward(total)


def _product(a: float, b: float, outward: Outward) -> float:
    if a == 0 or b == 0:
        return 0.0
    if math.isinf(a) or math.isinf(b):
        return a * b
    return _toward(a * b, outward, (a > 0) == (b > 0))


def _quotient(a: float, b: float, outward: Outward) -> float:
    positive = (a > 0) == (b > 0)
    if a == 0 or (math.isinf(b) and not math.isinf(a)):
        return 0.0
    if math.isinf(a) and math.isinf(b):  # ends that overflowed: anything of that sign
        return (_INF if positive else 0.0) if outward is _up else (0.0 if positive else -_INF)
    if math.isinf(a):
        return _INF if positive else -_INF
    return _toward(a / b, outward, positive)


#: Powers up to this one that are multiples of 1/2 are products and square roots.
_MOST_PRODUCTS = 16


def _power(x: float, exponent: float, outward: Outward) -> float:
    """One end of x^exponent for x >= 0.

    Multiples of 1/2 by products and the (correctly rounded) square root; others by libm's `pow`, taken to be good to
    an ulp and widened by two.
    """
    if exponent != 0 and (x == 0 or math.isinf(x)):
        return 0.0 if (x == 0) == (exponent > 0) else _INF
    if 0 < exponent <= _MOST_PRODUCTS and 2 * exponent == int(2 * exponent):
        return _by_products(x, exponent, outward)
    if -_MOST_PRODUCTS <= exponent < 0 and 2 * exponent == int(2 * exponent):
        inward = _by_products(x, -exponent, _up if outward is _down else _down)
        return _quotient(1.0, inward, outward) if inward > 0 else _INF
    try:
        power = float(x**exponent)
    except OverflowError:
        power = _INF
    return _toward(_toward(power, outward, True), outward, True)


def _by_products(x: float, exponent: float, outward: Outward) -> float:
    """x^exponent for 0 < x < inf and 2 exponent a small natural number, every operation rounded outward."""
    whole = int(exponent)
    power = 1.0 if whole == exponent else outward(math.sqrt(x))
    for i in range(whole):
        power = x if power == 1.0 and i == 0 and whole == exponent else _product(power, x, outward)
    return power


# -- a-priori radii -------------------------------------------------------------------------------------------------


def gram_radius(A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row radii e with ``|fl(A A^T) - A A^T|_ij <= e_i e_j`` for any summation order (Jeannerod & Rump 2013).

    Parameters
    ----------
    A : (n, d) float64

    Returns
    -------
    (n,) float64, ``e_i = sqrt(d u) ||a_i||``, rounded upward, with room for products that underflow.
    """
    d = A.shape[1]
    norms = np.sqrt(np.einsum("ij,ij->i", A, A)) * (1.0 + gamma(d + 4))
    # d products, each off by at most 2^-1022 where it underflows or is flushed to zero; the second power of
    # 2^-510 sqrt(d) exceeds them, and 2^-511 sqrt(d) what the norms lose by the same.
    return np.asarray(norms * _up(math.sqrt(d * UNIT_ROUNDOFF)) + math.sqrt(d) * 2.0**-510)


def hadamard_square_radius(n: int, d: int) -> float:
    """Spectral-norm radius of ``fl(G o G)`` for ``G = fl(X X^T)`` with n rows in R^d, unit to 1e-12 in the square.

    Entrywise ``u G_ij^2 + 2 |G_ij| e + e^2`` with ``e = d u max ||x_i||^2`` and ``|G_ij| <= max ||x_i||^2 + e``; the
    norm of a nonnegative symmetric matrix is at most its largest row sum, here at most ``n`` times the largest entry
    (numerics: Hadamard square).
    """
    square = 1 + 1e-12
    e = d * UNIT_ROUNDOFF * square
    g = square + e
    return n * (UNIT_ROUNDOFF * g * g + 2 * g * e + e * e) * (1 + 1e-14)


def factorization_radius(m: int, n: int, norm: float) -> float:
    """Backward error of a LAPACK orthogonal factorisation or eigensolver on an m x n matrix, in spectral norm.

    LAPACK promises ``p(m, n) u ||A||`` with a modest polynomial p and no constant. ``p = max(m, n) + 16`` exceeds
    what is seen in practice (a small multiple of sqrt(max(m, n))) by an order of magnitude; it is an estimate, and
    what uses it is never marked rigorous.
    """
    return (max(m, n) + 16) * UNIT_ROUNDOFF * norm
