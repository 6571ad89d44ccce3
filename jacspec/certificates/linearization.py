"""The network at given weights, enclosed: f(W) - y and the factor D of ``J = D * X``, D_il = v_l phi'(<w_l, x_i>).

Every radius is proved, for the float64 numbers as given. Dot products of k terms are off by at most ``k u |a|^T |b|``
in any order, FMA or not (Jeannerod & Rump 2013), and by what underflows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import check_memory
from ..enclosure import BallMatrix
from ..enclosure.elementwise import phi_enclosure
from ..network import ShallowNet
from ..rounding import UNIT_ROUNDOFF, Estimate, gamma, gram_radius

__all__ = ["PRECISE_PAIRS", "SIGMA_GAP", "Linearization", "linearize", "norm_bounds", "precise_residual"]

Floats = NDArray[np.float64]

#: Relative width of sigma_min(J) that will do: h moves by twice that. Asking for more costs a factorisation or two.
SIGMA_GAP = 1e-6
#: Evaluations of phi that ball arithmetic may make (some 5 microseconds each).
PRECISE_PAIRS = 50_000
_BITS = 160
#: Exceeds what underflowing products and sums of a vector can lose, and is itself a normal number.
_TINY = 2.0**-1000


@dataclass(frozen=True)
class Linearization:
    """Balls of what a certificate rests on.

    Parameters
    ----------
    Z, Z_radius : (n, k) float64
        Pre-activations ``X W^T``.
    residual, residual_radius : (n,) float64
        f(W) - y.
    D : BallMatrix
        (n, k), v_l phi'(z_il).
    """

    Z: Floats
    Z_radius: Floats
    residual: Floats
    residual_radius: Floats
    D: BallMatrix

    @property
    def finite(self) -> bool:
        """Whether nothing overflowed."""
        arrays = (self.Z, self.Z_radius, self.residual, self.residual_radius, self.D.mid, self.D.rad)
        return all(bool(np.all(np.isfinite(a))) for a in arrays)

    @property
    def residual_norm(self) -> Estimate:
        """||f(W) - y||"""
        return norm_bounds(self.residual, self.residual_radius)


def linearize(net: ShallowNet, X: Floats, y: Floats) -> Linearization:
    """f(W) - y and D in float64, with a-priori radii (X and y have been checked)."""
    n, k = X.shape[0], net.k
    check_memory("a certificate", 8 * (10 * n * k + 6 * n * n), "certify fewer rows, or a narrower network")
    v = np.abs(net.v)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        Z = X @ net.W.T
        Z_radius = np.outer(gram_radius(X), gram_radius(net.W)) * (1 + 4 * UNIT_ROUNDOFF)
        nothing = np.full(n, math.inf)
        unknown = Linearization(Z, Z_radius, nothing, nothing, BallMatrix(np.zeros_like(Z), np.zeros_like(Z)))
        if not (np.all(np.isfinite(Z)) and np.all(np.isfinite(Z_radius))):
            return unknown
        value, value_radius, slope, slope_radius = phi_enclosure(net.activation, Z, Z_radius)
        r = value @ net.v - y
        # Errors of phi, of k products and their sum, and of the difference.
        spread = (value_radius + k * UNIT_ROUNDOFF * np.abs(value)) @ v
        radius = (spread + UNIT_ROUNDOFF * np.abs(r)) * (1 + gamma(k + 16)) + _TINY
        mid = slope * net.v
        rad = (slope_radius * v + UNIT_ROUNDOFF * np.abs(mid)) * (1 + gamma(8)) + _TINY
    if not (np.all(np.isfinite(mid)) and np.all(np.isfinite(rad))):
        return unknown
    return Linearization(Z, Z_radius, r, radius, BallMatrix(mid, rad))


def precise_residual(net: ShallowNet, X: Floats, y: Floats) -> tuple[Floats, Floats] | None:
    """f(W) - y in ball arithmetic, rounded to float64; None where that is too slow or phi is not built in."""
    from flint import acb, arb, arb_mat

    from ..hermite.ball import precision

    ball = net.activation.ball
    if ball is None or X.shape[0] * net.k > PRECISE_PAIRS:
        return None
    left, right = ball.pieces[0], ball.pieces[-1]

    def phi(z: Any) -> Any:
        # Where the sign of z is open, the hull of both pieces, each on the whole ball: phi is continuous at the kink.
        if z < 0:
            return left.value(acb(z), False).real
        if z > 0 or left is right:
            return right.value(acb(z), False).real
        return left.value(acb(z), False).real.union(right.value(acb(z), False).real)

    with precision(_BITS):
        Z = _exact(X) * _exact(net.W).transpose()
        features = arb_mat(Z.nrows(), Z.ncols(), [phi(z) for z in Z.entries()])
        f = (features * arb_mat([[arb(x)] for x in net.v.tolist()])).entries()
        balls = [a - arb(t) for a, t in zip(f, y.tolist(), strict=True)]
        if not all(b.is_finite() for b in balls):
            return None
        # float() of a ball's end may round either way; one unit outward covers it.
        lower = np.array([math.nextafter(float(b.lower()), -math.inf) for b in balls])
        upper = np.array([math.nextafter(float(b.upper()), math.inf) for b in balls])
    mid = 0.5 * lower + 0.5 * upper
    radius = np.nextafter(np.maximum(upper - mid, mid - lower), math.inf)
    return mid, radius


def _exact(A: Floats) -> Any:
    from flint import arb, arb_mat

    return arb_mat([[arb(x) for x in row] for row in A.tolist()])


def norm_bounds(mid: Floats, radius: Floats | float = 0.0) -> Estimate:
    """The Euclidean norm of all vectors (or Frobenius norm of matrices) within `radius` of mid, entry by entry."""
    a = np.abs(np.asarray(mid, dtype=np.float64)).ravel()
    e = np.broadcast_to(np.asarray(radius, dtype=np.float64), np.shape(mid)).ravel()
    with np.errstate(under="ignore", over="ignore"):
        low, high = np.maximum(a - e, 0.0), a + e
        top = float(np.max(high))
        if top == 0:
            return Estimate.exact(0.0)
        if not math.isfinite(top):
            return Estimate.infinite("overflow")
        scale = math.ldexp(1.0, min(max(math.frexp(top)[1], -1000), 1023))
        grow = 1 + gamma(2 * len(a) + 16)
        upper = scale * float(np.linalg.norm(high / scale)) * grow + _TINY
        lower = min(max(scale * (float(np.linalg.norm(low / scale)) / grow) - _TINY, 0.0), np.finfo(np.float64).max)
    return Estimate.from_bounds(lower, upper, True)
