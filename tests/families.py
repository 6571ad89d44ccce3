"""Built-in activations by kind, typed out: a registry that lost one would otherwise shorten the tests."""

from __future__ import annotations

SMOOTH = (
    *("softplus", "tanh", "sigmoid", "erf", "gelu", "silu", "elu", "sin", "arctan", "gaussian", "quadratic", "linear"),
)
KINKED = ("relu", "leaky_relu", "leaky_relu:slope=0.3")
#: Gaussian moments that every activation has.
MOMENTS = ("mean", "mean_square", "mean_derivative_square", "variance")
