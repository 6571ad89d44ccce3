r"""Tables of Taylor polynomials of phi and phi' whose error is proved, one pair per cell of width 1/16.

In the cell around ``c = k/16`` the table holds float64 coefficients of ``phi(c + t)`` and ``phi'(c + t)``, |t| <= T =
1/32, and numbers a, b with ``|computed - true| <= a + b |t|``. They are sums of three terms, each proved:

- *Remainder.* ``|phi'| <= M`` on discs of radius s around the real points of the table (`Source.strip`), so by Cauchy
  the Taylor coefficients of phi' there are at most ``M/s^k``, and those of phi, for k >= 1, at most ``M/(k s^{k-1})``.
  With q = T/s, what is left out after degree K is at most ``M q^{K+1}/(1-q)`` for phi' and ``M T q^K/((K+1)(1-q))`` for
  phi; it is convex in |t| and 0 at 0, hence at most |t|/T times that.
- *Coefficients.* The exact ones are enclosed in ball arithmetic; the distance of the float64 ones is what it is.
- *Evaluation.* t is exact: ``16 z`` is (a power of two), and ``z - c`` is by Sterbenz' lemma (|z - c| <= c/2 unless
  k = 0). In Horner's rule the coefficient of t^k meets 2k + 1 roundings, the constant one only the last addition:
  ``u |c_0| + sum_k gamma_{2k+1} |c_k| |t|^k``, with fused multiply-add or without.

Beyond the table phi is a line up to a bound that decreases with |z|. Only +, *, comparisons and one rounding to an
integer are used on floats: nothing rests on a mathematical library.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from flint import arb, arb_series, ctx
from numpy.typing import NDArray

from .._jit import FLOAT, IN1, IN2, INTEGER, OUT1, kernel
from ..activations.balls import spec
from ..elementwise.instructions import multiply_add
from ..hermite.ball import precision
from ..rounding import UNIT_ROUNDOFF, gamma

__all__ = ["CELLS", "DEGREE", "INFLATE", "SOURCES", "TINY", "Source", "Table", "build", "evaluate", "table", "upper"]

Ball = Any
Floats = NDArray[np.float64]
Sides = tuple[tuple[float, float, Ball, float, Ball], tuple[float, float, Ball, float, Ball]]

#: Cells per unit of length, and the degree of their polynomials.
CELLS = 16
DEGREE = 11
_HALF = 0.5 / CELLS
_BITS = 160

#: Covers the roundings of a radius: at most 8 operations on nonnegative numbers, each off by a factor 1 +- u.
INFLATE = 1 + 2.0**-49
#: Covers everything below the normal range, whether it is rounded to subnormal numbers or flushed to zero: each of the
#: fewer than 64 operations, and z itself (|phi'|, |phi''| < 2), is then off by at most 2^-1022.
TINY = 2.0**-1015


# -- what is known of each family -----------------------------------------------------------------------------------


def _nothing(end: Ball) -> Sides:
    """No statement beyond the table: arguments there must be reduced first."""
    side = (0.0, 0.0, arb(math.inf), 0.0, arb(math.inf))
    return side, side


@dataclass(frozen=True)
class Source:
    """What a table is built from.

    Parameters
    ----------
    series : callable
        phi of an `arb_series` c + t.
    strip : callable
        ``strip()``: (s, M), phi' analytic and at most M in modulus on discs of radius s around the points of the table.
    ends : (int, int)
        First and last centre.
    far : callable
        ``far(L)``, L the larger end: for left and right of the table (slope, constant, radius) of phi and (constant,
        radius) of phi'. The slope is 0, or 1 without a constant; the radii hold for all |z| >= L.
    """

    series: Callable[[Ball], Ball]
    strip: Callable[[], tuple[Ball, Ball]]
    ends: tuple[int, int]
    far: Callable[[Ball], Sides] = _nothing


def _strip_of_hermite(family: str) -> Callable[[], tuple[Ball, Ball]]:
    def strip() -> tuple[Ball, Ball]:
        found = spec(family, {}).strip
        assert found is not None
        return found()

    return strip


def _erf_strip() -> tuple[Ball, Ball]:
    # |exp(-(x + iy)^2)| = exp(y^2 - x^2)
    return arb(2), 2 / arb.pi().sqrt() * arb(4).exp()


def _gelu_strip() -> tuple[Ball, Ball]:
    # phi' = Phi + z p: |p(x + iy)| <= exp(y^2/2 - x^2/2)/sqrt(2 pi), |Phi(x + iy)| <= 1 + |y| sup |p|, and
    # |x| exp(-x^2/2) < 1.
    density = arb(2).exp() / (2 * arb.pi()).sqrt()
    return arb(2), 1 + 2 * density + (1 + 2) * density


def _elu_strip() -> tuple[Ball, Ball]:
    # Discs of radius 2 around c <= 0: |exp| <= exp(2).
    return arb(2), arb(2).exp()


def _sin_strip() -> tuple[Ball, Ball]:
    # |cos(x + iy)|^2 = cos^2 x + sinh^2 y <= cosh^2 y
    return arb(2), arb(2).cosh()


def _gaussian_strip() -> tuple[Ball, Ball]:
    # |z exp(-z^2/2)| <= (|x| + 2) exp(2 - x^2/2), and |x| exp(-x^2/2) < 1
    return arb(2), 3 * arb(2).exp()


# Tails, with a = |z| >= L >= 1, e = exp(-a), p the normal density. All bounds decrease with a.


def _softplus_far(L: Ball) -> Sides:
    e = (-L).exp()  # log(1 + e) <= e, sigma(-a) <= e
    return (0, 0, e, 0, e), (1, 0, e, 1, e)


def _sigmoid_far(L: Ball) -> Sides:
    e = (-L).exp()
    return (0, 0, e, 0, e), (0, 1, e, 0, e)


def _tanh_far(L: Ball) -> Sides:
    square = (-2 * L).exp()  # 1 - tanh a = 2 e^2/(1 + e^2), tanh' a = 4 e^2/(1 + e^2)^2
    return (0, -1, 2 * square, 0, 4 * square), (0, 1, 2 * square, 0, 4 * square)


def _silu_far(L: Ball) -> Sides:
    # a sigma(-a) <= a e; |silu'(-a)| = sigma(-a) |1 - a sigma(a)| <= a e; silu'(a) = 1 - silu'(-a).
    bound = L * (-L).exp()
    return (0, 0, bound, 0, bound), (1, 0, bound, 1, bound)


def _erf_far(L: Ball) -> Sides:
    square = (-L * L).exp()
    bound, slope = square / (L * arb.pi().sqrt()), 2 * square / arb.pi().sqrt()  # erfc a <= exp(-a^2)/(a sqrt pi)
    return (0, -1, bound, 0, slope), (0, 1, bound, 0, slope)


def _gelu_far(L: Ball) -> Sides:
    # Phi(-a) <= p(a)/a (Mills), so |gelu(-a)| <= p(a); Phi(-a) - a p(a) is a difference of two numbers in [0, a p(a)].
    p = (-L * L / 2).exp() / (2 * arb.pi()).sqrt()
    return (0, 0, p, 0, L * p), (1, 0, p, 1, L * p)


def _elu_far(L: Ball) -> Sides:
    e = (-L).exp()
    return (0, -1, e, 0, e), (1, 0, arb(0), 1, arb(0))


def _gaussian_far(L: Ball) -> Sides:
    gauss = (-L * L / 2).exp()
    return (0, 0, gauss, 0, L * gauss), (0, 0, gauss, 0, L * gauss)


#: By family. sin and arctan must be reduced to the table first.
SOURCES: dict[str, Source] = {
    "softplus": Source(lambda s: (1 + s.exp()).log(), _strip_of_hermite("softplus"), (-40, 40), _softplus_far),
    "sigmoid": Source(lambda s: 1 / (1 + (-s).exp()), _strip_of_hermite("sigmoid"), (-40, 40), _sigmoid_far),
    "tanh": Source(lambda s: 1 - 2 / (1 + (2 * s).exp()), _strip_of_hermite("tanh"), (-20, 20), _tanh_far),
    "silu": Source(lambda s: s / (1 + (-s).exp()), _strip_of_hermite("silu"), (-45, 45), _silu_far),
    "erf": Source(lambda s: s.erf(), _erf_strip, (-7, 7), _erf_far),
    "gelu": Source(lambda s: s * (s * (-1 / arb(2).sqrt())).erfc() / 2, _gelu_strip, (-10, 10), _gelu_far),
    "elu": Source(lambda s: s.exp() - 1, _elu_strip, (-40, 0), _elu_far),  # z <= 0
    "sin": Source(lambda s: s.sin(), _sin_strip, (-8, 8)),
    "arctan": Source(lambda s: s.atan(), _strip_of_hermite("arctan"), (-8, 8)),
    "gaussian": Source(lambda s: (s * s / (-2)).exp(), _gaussian_strip, (-10, 10), _gaussian_far),
}


# -- the terms of the error -----------------------------------------------------------------------------------------


def upper(x: Ball) -> float:
    """A float64 that is at least |x|."""
    return math.nextafter(float(x.abs_upper()), math.inf)


def remainders(source: Source, degree: int) -> tuple[float, float]:
    """Bounds of what the polynomials of this degree leave out of phi and phi', on |t| <= T."""
    with precision(_BITS):
        width, bound = source.strip()
        T = arb(1) / (2 * CELLS)
        q = T / width
        rest = bound * q**degree / (1 - q)
        return upper(rest * T / (degree + 1)), upper(rest * q)


def rounded(exact: list[Ball]) -> tuple[list[float], list[float]]:
    """Coefficients as float64, and bounds of how far each is from the exact one."""
    near = [float(c.mid()) for c in exact]
    return near, [upper(arb(f) - c) for f, c in zip(near, exact, strict=True)]


def evaluation(coefficients: Floats) -> Floats:
    """``gamma_{2k+1} |c_k|``: what rounding in Horner's rule costs at most, per power of |t| (along the last axis)."""
    factors = np.array([UNIT_ROUNDOFF, *(gamma(2 * k + 1) for k in range(1, coefficients.shape[-1]))])
    return np.asarray(np.abs(coefficients) * factors)


def affine(errors: Floats, rest: float) -> tuple[Floats, Floats]:
    """(a, b) with ``a + b |t| >= sum_k errors_k |t|^k + rest |t|/T`` on |t| <= T, for rows of `errors`."""
    powers = _HALF ** np.arange(errors.shape[-1] - 1)
    b = (errors[:, 1:] * powers).sum(axis=1) + rest / _HALF
    slack = 1 + 2.0**-44  # sums of fewer than 64 nonnegative numbers
    return errors[:, 0] * slack, b * slack


@dataclass(frozen=True)
class Table:
    """Polynomials and error bounds of one family.

    Parameters
    ----------
    coefficients : (cells, 2 (DEGREE + 1)) float64
        Of phi, then of phi', lowest power first.
    radii : (cells, 4) float64
        a and b of phi, a and b of phi'.
    far : (2, 5) float64
        As `Source.far`, left and right.
    ends : (2,) float64
        First and last centre.
    """

    coefficients: Floats
    radii: Floats
    far: Floats
    ends: Floats


@lru_cache(maxsize=64)
def table(family: str) -> Table:
    """The table of a family; built on first use, in less than a tenth of a second."""
    return build(SOURCES[family])


def build(source: Source, degree: int = DEGREE) -> Table:
    """A table with its error bounds; a lower `degree` is for tests."""
    low, high = source.ends
    phi, dphi, errors = [], [], []
    with precision(_BITS):
        saved = ctx.cap
        try:
            ctx.cap = degree + 2
            for k in range(low * CELLS, high * CELLS + 1):
                series = source.series(arb_series([arb(k) / CELLS, 1]))
                if series.prec < degree + 2:
                    raise ArithmeticError("enclosure: a power series was cut short; was flint.ctx changed?")
                exact = series.coeffs()
                exact += [arb(0)] * (degree + 2 - len(exact))
                values, off = rounded(exact[: degree + 1])
                slopes, slopes_off = rounded([m * c for m, c in enumerate(exact)][1:])
                phi.append(values)
                dphi.append(slopes)
                errors.append((off, slopes_off))
        finally:
            ctx.cap = saved
        far = np.array(
            [[s, c, upper(r), d, upper(dr)] for s, c, r, d, dr in source.far(arb(max(-low, high)))], dtype=np.float64
        )
    values_array, slopes_array, off_array = np.array(phi), np.array(dphi), np.array(errors)
    rest, slope_rest = remainders(source, degree)
    a, b = affine(evaluation(values_array) + off_array[:, 0], rest)
    slope_a, slope_b = affine(evaluation(slopes_array) + off_array[:, 1], slope_rest)
    coefficients = np.zeros((len(phi), 2 * (DEGREE + 1)))
    coefficients[:, : degree + 1] = values_array
    coefficients[:, DEGREE + 1 : DEGREE + 2 + degree] = slopes_array
    found = Table(coefficients, np.stack([a, b, slope_a, slope_b], axis=1), far, np.array([low, high], np.float64))
    for array in (found.coefficients, found.radii, found.far, found.ends):
        array.setflags(write=False)
    return found


# -- evaluation -----------------------------------------------------------------------------------------------------


@kernel(IN1, IN1, INTEGER, IN2, IN2, IN2, IN1, FLOAT, FLOAT, OUT1, OUT1, OUT1, OUT1)
def evaluate(
    z: Any,
    radius: Any,
    given: int,
    coefficients: Any,
    radii: Any,
    far: Any,
    ends: Any,
    B1: float,
    B2: float,
    phi: Any,
    phi_radius: Any,
    dphi: Any,
    dphi_radius: Any,
) -> None:
    """phi and phi' at finite z by the table, with radii; `radius` is read where `given`, and B1, B2 carry it.

    phi' moves by at most B2 r on [z - r, z + r]; so |phi'| is at most |its midpoint| + its radius there, and phi moves
    by at most r times that.
    """
    low, high = ends[0], ends[1]
    first = np.int64(low * CELLS)
    for i in range(z.shape[0]):
        x = z[i]
        r = radius[i] if given else 0.0
        inside = min(max(x, low), high)
        scaled = np.rint(inside * CELLS)
        t = inside - scaled * (1.0 / CELLS)
        j = np.int64(scaled) - first
        p = coefficients[j, DEGREE]
        s = coefficients[j, 2 * DEGREE + 1]
        for m in range(DEGREE - 1, -1, -1):
            p = multiply_add(p, t, coefficients[j, m])
            s = multiply_add(s, t, coefficients[j, DEGREE + 1 + m])
        size = abs(t)
        e = radii[j, 0] + radii[j, 1] * size
        f = radii[j, 2] + radii[j, 3] * size
        if x < low or x > high:
            side = 1 if x > high else 0
            p = far[side, 0] * x + far[side, 1]  # exact: a slope of 0, or of 1 and no constant
            e = far[side, 2]
            s = far[side, 3]
            f = far[side, 4]
        f = (f + B2 * r) * INFLATE + TINY
        phi[i] = p
        dphi[i] = s
        dphi_radius[i] = f
        phi_radius[i] = (e + min(B1, abs(s) + f) * r) * INFLATE + TINY
