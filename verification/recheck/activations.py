"""phi, phi', sup|phi'| and sup|phi''| of the built-in activations in ball arithmetic, by name.

Written from the definitions, for real balls. The suprema are closed forms (the docstring of `suprema` says where each
is attained); that of silu' is enclosed at the root of ``z tanh(z/2) = 2``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flint import arb

__all__ = ["Smooth", "piecewise_slopes", "smooth"]

# python-flint's balls have no types that mypy could follow.
Ball = Any


@dataclass(frozen=True)
class Smooth:
    """phi and phi' of one activation whose phi' is Lipschitz, with its constants.

    Parameters
    ----------
    value, derivative : callable
        Ball to ball.
    B1 : callable or None
        ``B1()``: sup|phi'| as a ball at the working precision; None where phi' is unbounded.
    B2 : callable
        ``B2()``: sup|phi''|, the Lipschitz constant of phi'.
    """

    value: Callable[[Ball], Ball]
    derivative: Callable[[Ball], Ball]
    B1: Callable[[], Ball] | None
    B2: Callable[[], Ball]


def _sigmoid(z: Ball) -> Ball:
    # Of the two forms, the one whose exponential is at most about 1: the other overflows for large |z|.
    if z.mid() >= 0:
        return 1 / (1 + (-z).exp())
    e = z.exp()
    return e / (1 + e)


def _softplus(z: Ball) -> Ball:
    return z + (-z).exp().log1p() if z.mid() >= 0 else z.exp().log1p()


def _sigmoid_slope(z: Ball) -> Ball:
    return _sigmoid(z) * _sigmoid(-z)


def _normal(z: Ball) -> Ball:
    return (-z / arb(2).sqrt()).erfc() / 2


def _density(z: Ball) -> Ball:
    return (-z * z / 2).exp() / (2 * arb.pi()).sqrt()


def _silu_slope(z: Ball) -> Ball:
    return _sigmoid(z) + z * _sigmoid_slope(z)


def _silu_B1() -> Ball:
    """silu' over a tiny interval that holds the positive root of silu''.

    silu'(-z) = 1 - silu'(z), and z tanh(z/2) - 2 increases on z > 0: there is one maximum, near 2.3994.
    """
    low, high = arb(2), arb(3)
    for _ in range(100):
        middle = ((low + high) / 2).mid()
        if middle * (middle / 2).tanh() < 2:
            low = middle
        elif middle * (middle / 2).tanh() > 2:
            high = middle
        else:
            break
    return _silu_slope(low.union(high))


def _elu(z: Ball) -> Ball:
    below = z.min(arb(0)).expm1()
    return z.max(arb(0)) + below


_SMOOTH: dict[str, Smooth] = {
    "softplus": Smooth(_softplus, _sigmoid, lambda: arb(1), lambda: arb(1) / 4),
    "tanh": Smooth(lambda z: z.tanh(), lambda z: 4 * _sigmoid_slope(2 * z), lambda: arb(1), lambda: 4 / arb(27).sqrt()),
    "sigmoid": Smooth(_sigmoid, _sigmoid_slope, lambda: arb(1) / 4, lambda: 1 / arb(108).sqrt()),
    "erf": Smooth(
        lambda z: z.erf(),
        lambda z: 2 * (-z * z).exp() / arb.pi().sqrt(),
        lambda: 2 / arb.pi().sqrt(),
        lambda: (8 / (arb.pi() * arb(1).exp())).sqrt(),
    ),
    "gelu": Smooth(
        lambda z: z * _normal(z),
        lambda z: _normal(z) + z * _density(z),
        lambda: _normal(arb(2).sqrt()) + arb(2).sqrt() * _density(arb(2).sqrt()),
        lambda: (2 / arb.pi()).sqrt(),
    ),
    "silu": Smooth(lambda z: z * _sigmoid(z), _silu_slope, _silu_B1, lambda: arb(1) / 2),
    "elu": Smooth(_elu, lambda z: z.min(arb(0)).exp(), lambda: arb(1), lambda: arb(1)),
    "sin": Smooth(lambda z: z.sin(), lambda z: z.cos(), lambda: arb(1), lambda: arb(1)),
    "arctan": Smooth(lambda z: z.atan(), lambda z: 1 / (1 + z * z), lambda: arb(1), lambda: arb(27).sqrt() / 8),
    "gaussian": Smooth(
        lambda z: (-z * z / 2).exp(), lambda z: -z * (-z * z / 2).exp(), lambda: (-arb(1) / 2).exp(), lambda: arb(1)
    ),
    "quadratic": Smooth(lambda z: z * z / 2, lambda z: z, None, lambda: arb(1)),
    "linear": Smooth(lambda z: z, lambda z: arb(1), lambda: arb(1), lambda: arb(0)),
}


def smooth(name: str) -> Smooth | None:
    """The activation of that name if its phi' is Lipschitz and it is known here."""
    return _SMOOTH.get(name)


def piecewise_slopes(name: str) -> tuple[Ball, Ball] | None:
    """(slope on z < 0, slope on z > 0) of relu and leaky_relu, exactly; None for any other name.

    The name is that of the certificate: ``leaky_relu`` has slope 0.01 (the float64 number), and
    ``leaky_relu:slope=0.2`` its own.
    """
    if name == "relu":
        return arb(0), arb(1)
    head, _, tail = name.partition(":slope=")
    if head != "leaky_relu":
        return None
    try:
        return arb(float(tail) if tail else 0.01), arb(1)
    except ValueError:
        return None
