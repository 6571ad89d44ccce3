r"""Proved enclosures of phi and phi' at float64 arguments, exact or with a radius each.

Most families go through `taylor`; relu, leaky_relu, quadratic and linear are a comparison and a product; sin is first
reduced by multiples of 2 pi, and arctan beyond 8 is ``pi/2 - arctan(1/z)``. Radii are about 2 u times the value
(u = 2^-53) inside the tables, also near a zero at the origin, and at most 1e-17 in saturated tails, where they are
absolute. `phi_ball` is the slow second opinion, in ball arithmetic throughout.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import InputError
from .._jit import FLOAT, IN1, INTEGER, OUT1, kernel, run_blocks
from ..activations import Activation
from ..activations import activation as look_up
from ..elementwise.trigonometric import HALF_PI_1, HALF_PI_2, HALF_PI_3
from ..rounding import UNIT_ROUNDOFF
from .taylor import INFLATE, TINY, evaluate, table, upper

__all__ = ["phi_ball", "phi_enclosure"]

Floats = NDArray[np.float64]
Enclosure = tuple[Floats, Floats, Floats, Floats]

_PIECE = 1 << 16
#: Table end of sin and arctan; arguments beyond are reduced.
_NEAR = 8.0
#: 2 pi in three parts: multiples of the first two (37 bits) by an integer below 2^16 are exact.
_TWO_PI = 4 * HALF_PI_1, 4 * HALF_PI_2, 4 * HALF_PI_3
#: Beyond this sin is evaluated in ball arithmetic, one argument at a time.
SIN_LIMIT = 4e5
#: Error of the reduced argument of sin: see `_sin_reduced`.
SIN_REDUCTION = 2.0**-50
#: |pi/2 - float64(pi/2)| is 6.13e-17.
HALF_PI_ERROR = 2.0**-53


def phi_enclosure(activation: str | Activation, z: ArrayLike, z_radius: ArrayLike | None = None) -> Enclosure:
    """Proved enclosures of phi and phi' on intervals ``[z - z_radius, z + z_radius]``.

    Parameters
    ----------
    activation : str or Activation
        A built-in one.
    z : float64 array of any shape
    z_radius : array, optional
        Nonnegative, broadcast to the shape of z. None: the arguments are exact.

    Returns
    -------
    phi_mid, phi_rad, dphi_mid, dphi_rad : float64 arrays of the shape of z
        phi(x) lies in ``[phi_mid - phi_rad, phi_mid + phi_rad]`` (in exact arithmetic) for every x in the interval, and
        phi'(x) likewise. Where phi' jumps inside the interval, or at its end, its enclosure is the hull of both sides.
        A radius is infinite where the value overflows.

    Raises
    ------
    InputError
        If an entry is not finite, a radius is negative or does not fit, or the activation is a user's own (which has
        no proved evaluation).

    References
    ----------
    docs/rigor.md: rounding to nearest is assumed, and no mathematical library.

    Examples
    --------
    >>> value, radius, slope, slope_radius = phi_enclosure("relu", [-1.0, 0.5, 3.0], [0.0, 1.0, 0.0])
    >>> slope.tolist(), slope_radius.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.5, 0.0])
    """
    chosen = look_up(activation)
    if not chosen.builtin:
        raise InputError(
            "activation",
            chosen.name,
            "a built-in activation: a formula or function of one's own has no proved evaluation",
        )
    x = _finite("z", z)
    r = None if z_radius is None else _radius(z_radius, x)
    with np.errstate(over="ignore", under="ignore"):
        return _ROUTES.get(chosen.family, _by_table)(chosen, x, r)


def phi_ball(activation: str | Activation, x: Any) -> tuple[Any, Any]:
    """phi and phi' on a real ball (flint.arb), in ball arithmetic at flint's current precision.

    Where the ball touches a jump of phi', the hull of both sides. An indeterminate ball (nan) where an intermediate
    result overflows even flint, for arguments beyond 1e18 or so.

    Raises
    ------
    InputError
        If the activation is a user's own.

    Examples
    --------
    >>> from flint import arb
    >>> phi_ball("tanh", arb(0))[1].contains(1)
    True
    """
    from flint import acb, arb

    chosen = look_up(activation)
    spec = chosen.ball
    if spec is None:
        raise InputError("activation", chosen.name, "a built-in activation")
    x = arb(x)
    pieces = spec.pieces
    if len(pieces) > 1:
        if x < 0:
            pieces = tuple(p for p in pieces if p.side == "left")
        elif x > 0:
            pieces = tuple(p for p in pieces if p.side == "right")
    values = [p.value(acb(x), False).real for p in pieces]
    slopes = [p.derivative(acb(x), False).real for p in pieces]
    value, slope = values[0], slopes[0]
    for more in values[1:]:
        value = value.union(more)
    for more in slopes[1:]:
        slope = slope.union(more)
    return value, slope


# -- arguments ------------------------------------------------------------------------------------------------------


def _finite(name: str, value: ArrayLike) -> Floats:
    expected = "an array of finite real numbers"
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        raise InputError(name, "a ragged or unreadable sequence", expected) from None
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise InputError(name, f"an array of dtype {array.dtype}", expected + " that float64 holds")
    exact = np.asarray(array, dtype=np.float64, order="C")
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and np.any(np.abs(exact) >= 2.0**53):
        raise InputError(name, "integers of 2^53 or more", expected + " that float64 holds")
    # A sum is finite only if all its terms are; it may also overflow, and then every entry is looked at.
    with np.errstate(over="ignore", invalid="ignore"):
        if not math.isfinite(float(exact.sum())) and not np.isfinite(exact).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(exact))[0])
            raise InputError(name, f"{exact[where]} at index {where[0] if len(where) == 1 else where}", expected)
    return exact


def _radius(value: ArrayLike, x: Floats) -> Floats:
    radius = _finite("z_radius", value)
    try:
        radius = np.ascontiguousarray(np.broadcast_to(radius, x.shape)).reshape(x.shape)
    except ValueError:
        raise InputError("z_radius", radius, f"an array that broadcasts to the shape {x.shape} of z") from None
    if radius.size and radius.min() < 0:
        raise InputError("z_radius", float(radius.min()), "nonnegative entries")
    return radius


# -- smooth families ------------------------------------------------------------------------------------------------


def _in_pieces(work: Callable[..., None], x: Floats, r: Floats | None) -> Enclosure:
    """Run ``work(z, radius, whether there is one, the four outputs)`` on pieces of flat arrays, in threads."""
    flat = x.reshape(-1)
    radius = np.zeros(0) if r is None else r.reshape(-1)
    out = [np.empty(flat.shape) for _ in range(4)]

    def piece(start: int, stop: int) -> None:
        part = slice(start, stop)
        work(flat[part], radius[part], int(r is not None), [array[part] for array in out])

    if flat.size:
        run_blocks(piece, flat.size, _PIECE)
    a, b, c, d = (array.reshape(x.shape) for array in out)
    return a, b, c, d


def _by_table(chosen: Activation, x: Floats, r: Floats | None) -> Enclosure:
    t = table(chosen.family)
    B1, B2 = chosen.B1.upper, chosen.B2.upper

    def work(z: Floats, radius: Floats, given: int, out: list[Floats]) -> None:
        evaluate(z, radius, given, t.coefficients, t.radii, t.far, t.ends, B1, B2, *out)

    return _in_pieces(work, x, r)


def _upward(*terms: Floats | float) -> Floats:
    """A sum of nonnegative numbers, enlarged so that it holds in spite of rounding and underflow."""
    total: Any = 0.0
    for term in terms:
        total = total + term
    return np.asarray(total * INFLATE + TINY)


def _sin(chosen: Activation, x: Floats, r: Floats | None) -> Enclosure:
    outside = np.abs(x) > _NEAR
    if not outside.any():
        return _by_table(chosen, x, r)
    reduced, radius = x.copy(), np.zeros_like(x) if r is None else r.copy()
    far = np.abs(x) > SIN_LIMIT
    middle = outside & ~far
    reduced[middle] = _sin_reduced(x[middle])
    reduced[far] = 0.0
    radius[middle] = _upward(radius[middle], SIN_REDUCTION)
    out = _by_table(chosen, reduced, radius)
    if far.any():
        for order, (mid, rad) in enumerate(_sin_far(x[far])):
            out[2 * order][far] = mid
            out[2 * order + 1][far] = _upward(rad, radius[far])  # |sin'|, |cos'| <= 1
    return out


def _sin_reduced(x: Floats) -> Floats:
    """``x - 2 pi k`` up to `SIN_REDUCTION`, for 8 < |x| <= SIN_LIMIT; at most 4 in modulus.

    k is an integer below 2^16, whatever the rounding of the quotient, so ``k P1`` and ``k P2`` are exact; ``x - k P1``
    is by Sterbenz' lemma (|x - k P1| <= 4 and |k P1| > 6 leave them within a factor 2 of each other unless k = 1, where
    8 < x < 10 does). Two more subtractions, of results below 4, round by 2 u each, and 2^-130 k of 2 pi is left out.
    """
    k = np.rint(x / (2 * math.pi))
    first, second, third = _TWO_PI
    return np.asarray(((x - k * first) - k * second) - k * third)


def _sin_far(x: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    from flint import arb

    from ..hermite.ball import precision

    found = np.empty((2, 2, x.size))
    with precision(1200):
        for i, value in enumerate(x.reshape(-1).tolist()):
            exact = arb(value)
            for order, ball in enumerate((exact.sin(), exact.cos())):
                mid = float(ball.mid())
                found[order, :, i] = mid, upper(ball - arb(mid))
    return (found[0, 0], found[0, 1]), (found[1, 0], found[1, 1])


def _arctan(chosen: Activation, x: Floats, r: Floats | None) -> Enclosure:
    size = np.abs(x)
    # 1/(1 + x^2): three roundings, at most 3.1 u; where x^2 overflows the true value is below 2^-1023.
    slope = 1.0 / (1.0 + x * x)
    slope_radius = 4 * UNIT_ROUNDOFF * slope
    if r is not None:
        slope_radius = slope_radius + chosen.B2.upper * r
    slope_radius = _upward(slope_radius)
    value, radius, _, _ = _by_table(chosen, np.where(size <= _NEAR, x, 0.0), None)
    far = size > _NEAR
    if far.any():
        inverse = 1.0 / size[far]
        value[far], radius[far] = _arctan_far(chosen, inverse, x[far])
    if r is not None:
        radius = _upward(radius, np.minimum(1.0, slope + slope_radius) * r)
    return value, radius, slope, slope_radius


def _arctan_far(chosen: Activation, inverse: Floats, x: Floats) -> tuple[Floats, Floats]:
    """``pi/2 - arctan(1/|x|)`` with the sign of x; the quotient, the table, pi/2 and the difference are all off."""
    small, radius, _, _ = _by_table(chosen, inverse, UNIT_ROUNDOFF * inverse)
    value = 0.5 * math.pi - small
    return np.copysign(value, x), _upward(radius, HALF_PI_ERROR, UNIT_ROUNDOFF * value)


# -- algebraic families ---------------------------------------------------------------------------------------------


@kernel(IN1, IN1, INTEGER, FLOAT, OUT1, OUT1, OUT1, OUT1)
def _leaky_pass(
    z: Any, radius: Any, given: int, slope: float, phi: Any, phi_rad: Any, dphi: Any, dphi_rad: Any
) -> None:
    """phi = max(z, 0) + slope min(z, 0) and its derivative. Which side an interval lies on is a comparison: exact."""
    steep = max(1.0, abs(slope))
    # A product may underflow, and at the kink a processor may flush z to zero.
    least = TINY * steep
    middle, half = 0.5 * (slope + 1.0), 0.5 * abs(1.0 - slope)
    if slope != 0.0:
        half = (half + 2.0 * UNIT_ROUNDOFF * steep) * INFLATE
    for i in range(z.shape[0]):
        x = z[i]
        r = radius[i] if given else 0.0
        value = x if x > 0.0 else (slope * x if slope != 0.0 else 0.0)
        if x > r:
            phi_rad[i] = r
            dphi[i] = 1.0
            dphi_rad[i] = 0.0
        elif x < -r:
            phi_rad[i] = (UNIT_ROUNDOFF * abs(value) + abs(slope) * r) * INFLATE + least if slope != 0.0 else 0.0
            dphi[i] = slope
            dphi_rad[i] = 0.0
        else:
            phi_rad[i] = (UNIT_ROUNDOFF * abs(value) + steep * r) * INFLATE + least
            dphi[i] = middle
            dphi_rad[i] = half
        if abs(value) == np.inf:  # overflow: nothing is known
            value = 0.0
            phi_rad[i] = np.inf
        phi[i] = value


def _leaky(chosen: Activation, x: Floats, r: Floats | None) -> Enclosure:
    slope = float(dict(chosen.parameters).get("slope", 0.0))
    return _in_pieces(lambda z, radius, given, out: _leaky_pass(z, radius, given, slope, *out), x, r)


def _overflow(value: Floats, radius: Floats) -> None:
    """Where a value overflowed, nothing is known."""
    infinite = np.isinf(value)
    if infinite.any():
        value[infinite] = 0.0
        radius[infinite] = math.inf


def _quadratic(chosen: Activation, x: Floats, r: Floats | None) -> Enclosure:
    value = 0.5 * x * x
    reach = np.zeros_like(x) if r is None else r
    # (x + e)^2/2 = x^2/2 + x e + e^2/2
    radius = _upward(2 * UNIT_ROUNDOFF * value, np.abs(x) * reach, 0.5 * reach * reach)
    _overflow(value, radius)
    return value, radius, x.copy(), reach.copy()


def _linear(chosen: Activation, x: Floats, r: Floats | None) -> Enclosure:
    reach = np.zeros_like(x) if r is None else r.copy()
    return x.copy(), reach, np.ones_like(x), np.zeros_like(x)


_ROUTES = {
    "relu": _leaky,
    "leaky_relu": _leaky,
    "quadratic": _quadratic,
    "linear": _linear,
    "sin": _sin,
    "arctan": _arctan,
}
