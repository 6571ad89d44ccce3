"""How far off the kernels may be: data, which the tests read.

The algebraic families are correctly rounded. For the others a figure is the largest error seen over more than four
million arguments per family (all magnitudes from 1e-320 to 1e308, both signs, and clouds around every boundary of an
approximation), on a processor that fuses multiply-add and on one that does not, and a quarter or more on top of it. It
is tested, not proved.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ACCURACY", "Accuracy"]


@dataclass(frozen=True)
class Accuracy:
    """Error bounds of one float64 kernel, over all finite arguments.

    An ulp is that of the true value, never less than 2^-1074: results in the subnormal range are rounded there, not
    flushed to zero.

    The float32 kernel evaluates in float64 and rounds once. Its error is at most ``0.5 + 2^-25`` ulp of float32 (no
    figure here exceeds 16, and 16 ulp of float64 are 2^-25 of float32); inside a window, half an ulp plus `floor` u.

    Parameters
    ----------
    phi : float
        Largest error of phi, in ulp.
    dphi : float
        Largest error of phi', in ulp, outside the window.
    floor : float
        Largest error of phi' inside the window, in units of u = 2^-53. There phi' has a zero where two terms cancel,
        and no relative accuracy.
    window : tuple of two floats
        An interval; empty where phi' has no such zero.
    """

    phi: float
    dphi: float
    floor: float = 0.0
    window: tuple[float, float] = (0.0, 0.0)


#: By family. sin and cos beyond 1e5 in absolute value are those of the C library, taken to be good to an ulp.
ACCURACY: dict[str, Accuracy] = {
    "relu": Accuracy(0.0, 0.0),
    "leaky_relu": Accuracy(0.5, 0.0),
    "softplus": Accuracy(6.0, 5.0),
    "tanh": Accuracy(4.0, 7.0),
    "sigmoid": Accuracy(4.0, 6.0),
    "erf": Accuracy(2.0, 2.5),
    "gelu": Accuracy(10.0, 10.0, 4.0, (-1.3, -0.25)),
    "silu": Accuracy(5.0, 7.0, 1.0, (-1.8, -0.9)),
    "elu": Accuracy(1.5, 1.5),
    "sin": Accuracy(1.0, 1.0),
    "arctan": Accuracy(3.0, 3.0),
    "gaussian": Accuracy(1.5, 2.5),
    "quadratic": Accuracy(0.5, 0.0),
    "linear": Accuracy(0.0, 0.0),
}
