r"""Proved enclosures of the closed-form kernels E[f(a) f(b)] that depend on the angle between rows: ReLU and ELU.

Away from +-1 the angle comes from the cosine, ``alpha = arccos |rho| = 2 arctan sqrt((1 - |rho|)/(1 + |rho|))``; near
them, where that loses half the digits, from differences (sums) of the rows themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from flint import acb, arb
from numpy.typing import NDArray

from ..activations.balls import normal_cdf
from ..rounding import UNIT_ROUNDOFF, gamma
from .elementwise import phi_enclosure
from .taylor import INFLATE, TINY, Source, Table, build, evaluate

__all__ = ["angle_of_cosine", "angle_of_rows", "elu_derivative", "leaky_derivative", "leaky_value"]

Ball = Any
Floats = NDArray[np.float64]
Enclosed = tuple[Floats, Floats]

U = UNIT_ROUNDOFF
#: float64(pi) is off by at most half an ulp, 2^-52; so 1/(2 pi) by 0.7 u of itself, and u for the quotient.
_PI, _PI_ERROR = math.pi, 2.0**-52
_OVER_2PI = 0.5 / math.pi
#: Pairs whose rows are subtracted at a time, in entries.
_CHUNK = 1 << 20


def angle_of_cosine(size: Floats) -> Enclosed:
    """arccos of float64 numbers in [0, 1], as exact arguments.

    Of ``w = sqrt((1 - c)/(1 + c))``, three roundings under the root and the root's own are 2.5 u of w at most.
    """
    w = np.sqrt((1.0 - size) / (1.0 + size))
    half, radius, _, _ = phi_enclosure("arctan", w, 3 * U * w)
    return 2 * half, 2 * radius


def angle_of_rows(first: Floats, second: Floats, norms: Floats, others: Floats, norm_error: float) -> Enclosed:
    r"""Angles, at most pi/2, between lines through pairs of rows that are nearly parallel or antiparallel.

    With r, r' the norms of x, x', and x' turned around where <x, x'> < 0,

    .. math:: 4 \sin^2(\alpha/2) = \| x/r - x'/r' \|^2 = (\|x - x'\|^2 - (r - r')^2) / (r r').

    Parameters
    ----------
    first, second : (m, d) float64
        Norms within 1e-10 of 1.
    norms, others : (m,) float64
        Their norms, each within `norm_error` (below 1e-12) of the exact one.

    Returns
    -------
    angle, radius : (m,) float64
    """
    d = first.shape[1]
    sign = np.where(np.einsum("ij,ij->i", first, second) < 0, -1.0, 1.0)
    difference = first - sign[:, None] * second
    square = np.einsum("ij,ij->i", difference, difference)
    p = square / (4.0 * norms * others)
    # Each difference is off by u of itself, its square by 3 u, the sum by gamma_d of itself at most, as all terms are
    # positive; norms by 2.1 norm_error together, and three more roundings. (r - r')^2 is left out.
    apart = np.abs(norms - others) * INFLATE + 2 * norm_error
    relative = gamma(d + 8) + 2.2 * norm_error
    off = (relative * p + 0.26 * apart * apart) * INFLATE + d * TINY
    # |asin(sqrt p) - asin(sqrt q)| <= |sqrt p - sqrt q|/sqrt(1 - max(p, q)), p below 0.01, and |sqrt p - sqrt q| is
    # |p - q|/(sqrt p + sqrt q) and at most sqrt |p - q|.
    root = np.sqrt(p)
    wide = np.sqrt(off)
    moved = np.where(root > wide, off / np.maximum(root, wide), wide)
    w = np.sqrt(p / (1.0 - p))  # 2 u of itself: two roundings under the root, and its own
    half, radius, _, _ = phi_enclosure("arctan", w, 3 * U * w)
    return 2 * half, (2 * radius + 2.02 * moved) * INFLATE


def _supplement(positive: NDArray[np.bool_], alpha: Floats, radius: Floats) -> Enclosed:
    """pi - theta, where theta is alpha for positive cosines, else pi - alpha."""
    beta = np.where(positive, _PI - alpha, alpha)
    return beta, np.where(positive, radius + _PI_ERROR + U * beta, radius) * INFLATE + TINY


def leaky_derivative(slope: float, positive: NDArray[np.bool_], alpha: Floats, radius: Floats) -> Enclosed:
    """``s + (1 - s)^2 (pi - theta)/(2 pi)``, which for s = 0 is ReLU's."""
    beta, beta_radius = _supplement(positive, alpha, radius)
    scale = (1 - slope) * (1 - slope) * _OVER_2PI  # 4 u, and 1.7 u of the constant
    jump = scale * beta
    value = slope + jump
    return value, (scale * beta_radius + 7 * U * (jump + scale * beta_radius) + U * np.abs(value)) * INFLATE + TINY


def leaky_value(slope: float, rho: Floats, alpha: Floats, radius: Floats) -> Enclosed:
    """``s rho + (1 - s)^2 (sin theta + (pi - theta) cos theta)/(2 pi)`` at the float64 number rho, taken as exact."""
    size = np.abs(rho)
    beta, beta_radius = _supplement(rho >= 0, alpha, radius)
    sine = np.sqrt((1.0 - size) * (1.0 + size))  # 2.5 u
    product = beta * rho
    total = sine + product
    error = 3 * U * sine + size * beta_radius + U * np.abs(product) + U * np.abs(total)
    scale = (1 - slope) * (1 - slope) * _OVER_2PI
    jump, line = scale * total, slope * rho
    value = line + jump
    spread = scale * error + 7 * U * (np.abs(jump) + scale * error) + U * np.abs(line) + U * np.abs(value)
    return value, spread * INFLATE + TINY


# -- ELU ------------------------------------------------------------------------------------------------------------
#
# K(rho) = E[phi'(a) phi'(b)] for phi'(x) = exp(min(x, 0)). By Price's theorem and tilting dK/drho = exp(1 + rho) S,
# S = P(a < -(1 + rho), b < -(1 + rho)), and dS/drho = exp(-(1 + rho))/(2 pi sin theta) - 2 p(1 + rho) Phi(-sin theta).
# In rho = cos(theta) everything is entire:
#     dS/dtheta = -exp(-(1 + cos theta))/(2 pi) + 2 sin(theta) p(1 + cos theta) Phi(-sin theta),   S(0) = Phi(-2),
#     K(theta) = 1/2 + theta/(2 pi) + exp(1 + cos theta) S(theta) - I(theta),
#     I(theta) = int_0^theta 2 sin(s) exp(1 + cos s) p(1 + cos s) Phi(-sin s) ds   (integration by parts).


def _cdf_minus(sine: Ball) -> Ball:
    return (sine / arb(2).sqrt()).erfc() / 2


def _first(s: Ball) -> Ball:
    """dS/dtheta, of a number or a series."""
    h = s.cos() + 1
    p = (h * h / (-2)).exp() / (2 * arb.pi()).sqrt()
    return (-h).exp() / (-2 * arb.pi()) + 2 * s.sin() * p * _cdf_minus(s.sin())


def _second(s: Ball) -> Ball:
    """dI/dtheta."""
    h = s.cos() + 1
    return 2 * s.sin() * (h - h * h / 2).exp() / (2 * arb.pi()).sqrt() * _cdf_minus(s.sin())


def _integral(f: Callable[[Ball], Ball], end: Ball) -> Ball:
    return acb.integral(lambda z, _: f(z), 0, end).real


def _elu_series(s: Ball) -> Ball:
    theta = s[0]
    S = _first(s).integral() + (normal_cdf(arb(-2)) + _integral(_first, theta))
    inner = _second(s).integral() + _integral(_second, theta)
    return arb(1) / 2 + s / (2 * arb.pi()) + (s.cos() + 1).exp() * S - inner


def _elu_strip() -> tuple[Ball, Ball]:
    # For |Im theta| <= 1, c = cosh 1, b = sinh 1: |cos|, |sin| <= c and |Im cos|, |Im sin| <= b, so |p(1 + cos)|, and
    # |p| on the way from the real line to sin theta, are at most p0 = exp(b^2/2)/sqrt(2 pi), and |Phi(-sin)| at most
    # 1 + b p0. Hence |dS/dtheta| <= exp(c - 1)/(2 pi) + 2 c p0 (1 + b p0) =: D. S is a probability on [0, pi], and no
    # point of the discs around [0, 4] is farther than 3 from there: |S| <= 1 + 3 D, dK/dtheta = -sin exp(1 + cos) S.
    c, b = arb(1).cosh(), arb(1).sinh()
    p0 = (b * b / 2).exp() / (2 * arb.pi()).sqrt()
    D = (c - 1).exp() / (2 * arb.pi()) + 2 * c * p0 * (1 + b * p0)
    return arb(1), c * (1 + c).exp() * (1 + 3 * D)


@lru_cache(maxsize=1)
def elu_table() -> Table:
    """K as a function of theta on [0, 4]."""
    return build(Source(_elu_series, _elu_strip, (0, 4)))


#: |dK/drho| <= exp(2) Phi(-2) = 0.168, its value at 1, since its power series has no negative coefficient.
ELU_SLOPE = 0.17


def elu_derivative(rho: Floats, alpha: Floats, radius: Floats) -> Enclosed:
    """K at the float64 number rho, as exact argument."""
    theta = np.where(rho >= 0, alpha, _PI - alpha)
    spread = np.where(rho >= 0, radius, radius + _PI_ERROR + U * theta) * INFLATE + TINY
    found = elu_table()
    out = [np.empty(theta.size) for _ in range(4)]
    coefficients, radii = found.coefficients, found.radii
    # |dK/dtheta| <= |dK/drho|; the slope's own enclosure is not needed.
    tables = coefficients, radii, found.far, found.ends, ELU_SLOPE, 1e9
    evaluate(theta.reshape(-1), spread.reshape(-1), 1, *tables, *out)
    return out[0].reshape(rho.shape), out[1].reshape(rho.shape)
