"""Many numbers at once, each with its interval: the float64 numbers of a run, step by step.

The same interval arithmetic as `jacspec.rounding.Estimate`, on arrays: each end is moved outward by one unit in the
last place after every operation. In 60 digits a run's numbers are plain arrays of mpmath numbers, and the functions of
`jacspec.bounds` work on both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jacspec.rounding import Estimate, gamma

__all__ = ["Intervals"]

Floats = NDArray[np.float64]

#: Relative error of NumPy's vectorised power: at most 4 units in the last place.
_POWER = 4 * 2.0**-52


class Intervals:
    """Arrays of lower and upper ends; of shape () for one number.

    Parameters
    ----------
    lower, upper : (...) float64
        Infinite where nothing is known.
    """

    __slots__ = ("lower", "upper")
    #: NumPy arrays leave mixed operations to this class.
    __array_ufunc__ = None

    def __init__(self, lower: Any, upper: Any) -> None:
        self.lower: Floats = np.asarray(lower, dtype=np.float64)
        self.upper: Floats = np.asarray(upper, dtype=np.float64)

    @classmethod
    def of(cls, x: Any) -> Intervals:
        """x, which is Intervals, an Estimate, a number or an array of exact numbers."""
        if isinstance(x, Intervals):
            return x
        if isinstance(x, Estimate):
            return cls(x.lower, x.upper)
        return cls(x, x)

    @classmethod
    def around(cls, value: Any, radius: Any) -> Intervals:
        """Centres and radii."""
        value, radius = np.asarray(value, dtype=np.float64), np.asarray(radius, dtype=np.float64)
        exact = radius == 0
        return cls(np.where(exact, value, _down(value - radius)), np.where(exact, value, _up(value + radius)))

    def estimate(self) -> Estimate:
        """One number as an Estimate."""
        return Estimate.from_bounds(float(self.lower), float(self.upper), False)

    def __getitem__(self, index: Any) -> Intervals:
        return Intervals(self.lower[index], self.upper[index])

    def __len__(self) -> int:
        return len(self.lower)

    def nonnegative(self) -> Intervals:
        """The part from zero up, for what cannot be negative."""
        return Intervals(np.maximum(self.lower, 0.0), np.maximum(self.upper, 0.0))

    def cumulative(self) -> Intervals:
        """0 and the partial sums of nonnegative numbers."""
        spread = gamma(len(self) + 2)
        low, high = (np.concatenate([[0.0], np.cumsum(end)]) for end in (self.lower, self.upper))
        return Intervals(low * (1 - spread), high * (1 + spread))

    # -- arithmetic ---------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Intervals:
        o = Intervals.of(other)
        return Intervals(_down(self.lower + o.lower), _up(self.upper + o.upper))

    __radd__ = __add__

    def __neg__(self) -> Intervals:
        return Intervals(-self.upper, -self.lower)

    def __sub__(self, other: Any) -> Intervals:
        return self + (-Intervals.of(other))

    def __rsub__(self, other: Any) -> Intervals:
        return Intervals.of(other) + (-self)

    def __mul__(self, other: Any) -> Intervals:
        return self._combined(Intervals.of(other), np.multiply)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Intervals:
        o = Intervals.of(other)
        through_zero = (o.lower <= 0) & (o.upper >= 0)
        safe = Intervals(np.where(through_zero, 1.0, o.lower), np.where(through_zero, 1.0, o.upper))
        found = self._combined(safe, np.divide)
        return Intervals(np.where(through_zero, -math.inf, found.lower), np.where(through_zero, math.inf, found.upper))

    def __rtruediv__(self, other: Any) -> Intervals:
        return Intervals.of(other) / self

    def _combined(self, o: Intervals, operation: Callable[[Any, Any], Any]) -> Intervals:
        with np.errstate(invalid="ignore"):
            ends = [operation(a, b) for a in (self.lower, self.upper) for b in (o.lower, o.upper)]
        # 0 times infinity: an end that is exactly zero against one of which nothing is known.
        ends = [np.where(np.isnan(e), 0.0, e) for e in ends]
        low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
        # An exact zero stays one: it has no rounding.
        zero = (self.lower == 0) & (self.upper == 0) | (o.lower == 0) & (o.upper == 0)
        return Intervals(np.where(zero, 0.0, _down(low)), np.where(zero, 0.0, _up(high)))

    def __pow__(self, exponent: Any) -> Intervals:
        """A power of nonnegative numbers, or the square of any; `exponent` > 0 may be an array of exact numbers.

        An interval that reaches below zero is cut off there, as `nonnegative` does: for roots.
        """
        if np.isscalar(exponent) and exponent == 2:
            low = np.where((self.lower <= 0) & (self.upper >= 0), 0.0, np.minimum(abs(self.lower), abs(self.upper)))
            high = np.maximum(abs(self.lower), abs(self.upper))
            return Intervals(np.maximum(_down(low * low), 0.0), _up(high * high))
        base = self.nonnegative()
        if np.isscalar(exponent) and exponent == 0.5:
            return Intervals(np.maximum(_down(np.sqrt(base.lower)), 0.0), _up(np.sqrt(base.upper)))
        power = np.asarray(exponent, dtype=np.float64)
        return Intervals(base.lower**power * (1 - _POWER), base.upper**power * (1 + _POWER))


def _down(x: Any) -> Floats:
    return np.asarray(np.nextafter(x, -math.inf))


def _up(x: Any) -> Floats:
    return np.asarray(np.nextafter(x, math.inf))
