"""relu, leaky_relu, quadratic, linear: correctly rounded, as in `jacspec.activations`.

phi(NaN) is NaN; phi'(NaN) is what `Activation.derivative` gives (0, the slope, NaN and 1).
"""

from __future__ import annotations

from .instructions import scalar, select

__all__ = ["leaky_relu", "linear", "quadratic", "relu"]


@scalar
def relu(z: float, parameter: float) -> tuple[float, float]:
    """max(z, 0), and 1 where z > 0."""
    return select(z <= 0.0, 0.0, z), select(z > 0.0, 1.0, 0.0)


@scalar
def leaky_relu(z: float, slope: float) -> tuple[float, float]:
    """z where z > 0, else slope z."""
    return select(z > 0.0, z, slope * z), select(z > 0.0, 1.0, slope)


@scalar
def quadratic(z: float, parameter: float) -> tuple[float, float]:
    """z^2/2, and z."""
    return 0.5 * z * z, z


@scalar
def linear(z: float, parameter: float) -> tuple[float, float]:
    """z, and 1."""
    return z, 1.0
