"""The built-in activations: one entry each, constants in closed form.

Each supremum B1, B2 is a theorem (the comment says where it is attained) evaluated with a radius of a few ulp, without
trusting libm; `tests/test_activation_suprema.py` holds each against branch and bound in ball arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .._checks import InputError, check_real, suggestion
from ..rounding import Estimate
from . import dual
from .base import Activation, DualKernel

__all__ = ["ALIASES", "BUILTIN", "activation", "activation_names"]

Floats = NDArray[np.float64]

_SQRT2PI = math.sqrt(2 * math.pi)


def _proved(value: float, note: str = "") -> Estimate:
    """A closed form in at most 4 operations that round correctly (products, quotients, roots): 4 ulp cover them."""
    return Estimate(value, 4 * math.ulp(value), True, note)


def _enclosed(value: float, note: str) -> Estimate:
    """A number to all digits of float64, as ball arithmetic gives it (a test repeats that): no libm to trust."""
    return Estimate(value, math.ulp(value), True, note)


_ONE = Estimate.exact(1.0)
_UNBOUNDED = Estimate.infinite("unbounded")
_JUMPS = Estimate.infinite("phi' jumps")


def _density(z: Floats) -> Floats:
    return np.exp(-0.5 * z * z) / _SQRT2PI


# scipy.special is loaded on first use, which keeps `jacspec --help` fast.
def _expit(z: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(z))


def _ndtr(z: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(z))


def _erf(z: Floats) -> Floats:
    from scipy.special import erf

    return np.asarray(erf(z))


# -- functions ------------------------------------------------------------------------------------------------------


def _relu(z: Floats) -> Floats:
    return np.maximum(z, 0.0)


def _relu_d(z: Floats) -> Floats:
    return (z > 0).astype(np.float64)


def _zero(z: Floats) -> Floats:
    return np.zeros_like(z)


def _one(z: Floats) -> Floats:
    return np.ones_like(z)


def _leaky(slope: float, z: Floats) -> Floats:
    return np.where(z > 0, z, slope * z)


def _leaky_d(slope: float, z: Floats) -> Floats:
    return np.where(z > 0, 1.0, slope)


def _softplus(z: Floats) -> Floats:
    # As accurate as np.logaddexp, and more than twice as fast: exp and log1p are vectorised, logaddexp is not.
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def _logistic_d(z: Floats) -> Floats:
    # sigma(z) sigma(-z) keeps full relative accuracy in both tails, unlike sigma (1 - sigma).
    return _expit(z) * _expit(-z)


def _logistic_d2(z: Floats) -> Floats:
    return -_logistic_d(z) * np.tanh(0.5 * z)


def _sech2(z: Floats) -> Floats:
    return 4 * _logistic_d(2 * z)


def _tanh_d2(z: Floats) -> Floats:
    return -2 * np.tanh(z) * _sech2(z)


def _tame(z: Floats) -> Floats:
    # Beyond |z| = 50 the Gaussian factor is zero in float64; clipping avoids inf * 0.
    return np.clip(z, -50.0, 50.0)


def _erf_d(z: Floats) -> Floats:
    return (2 / math.sqrt(math.pi)) * np.exp(-z * z)


def _erf_d2(z: Floats) -> Floats:
    t = _tame(z)
    return -2 * t * _erf_d(t)


def _gelu(z: Floats) -> Floats:
    return z * _ndtr(z)


def _gelu_d(z: Floats) -> Floats:
    return _ndtr(z) + z * _density(z)


def _gelu_d2(z: Floats) -> Floats:
    t = _tame(z)
    return (2 - t * t) * _density(t)


def _silu(z: Floats) -> Floats:
    return z * _expit(z)


def _silu_d(z: Floats) -> Floats:
    return _expit(z) * (1 + z * _expit(-z))


def _silu_d2(z: Floats) -> Floats:
    return _logistic_d(z) * (2 - z * np.tanh(0.5 * z))


def _elu(z: Floats) -> Floats:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0.0)))


def _elu_d(z: Floats) -> Floats:
    return np.exp(np.minimum(z, 0.0))


def _elu_d2(z: Floats) -> Floats:
    return np.where(z > 0, 0.0, np.exp(np.minimum(z, 0.0)))


def _neg_sin(z: Floats) -> Floats:
    return -np.sin(z)


def _arctan_d(z: Floats) -> Floats:
    return 1 / (1 + z * z)


def _arctan_d2(z: Floats) -> Floats:
    w = _arctan_d(z)
    # (z w) first: z^2 may overflow where z w^2 does not matter any more.
    return -2 * (z * w) * w


def _bump(z: Floats) -> Floats:
    return np.exp(-0.5 * z * z)


def _bump_d(z: Floats) -> Floats:
    t = _tame(z)
    return -t * _bump(t)


def _bump_d2(z: Floats) -> Floats:
    t = _tame(z)
    return (t * t - 1) * _bump(t)


def _half_square(z: Floats) -> Floats:
    return 0.5 * z * z


def _identity(z: Floats) -> Floats:
    return np.array(z, dtype=np.float64)


# -- the catalogue --------------------------------------------------------------------------------------------------


def _leaky_relu(slope: float = 0.01) -> Activation:
    slope = check_real("slope", slope, at_least=-1e100, at_most=1e100)  # its square must not overflow
    if slope == 1:
        raise InputError("slope", slope, "a slope other than 1 (slope 1 is the activation 'linear')")
    shown = "leaky_relu" if slope == 0.01 else f"leaky_relu:slope={slope!r}"
    s, jump = slope, (1 - slope) ** 2
    top = 0.5 * (1 + s * s)
    return Activation(
        name=shown,
        phi=partial(_leaky, s),
        dphi=partial(_leaky_d, s),
        d2phi=_zero,
        B1=Estimate.exact(max(1.0, abs(s))),
        B2=_JUMPS,
        sup=_UNBOUNDED,
        smoothness="kinked",
        breakpoints=(0.0,),
        symmetry="even",  # (1 + s) x/2 + (1 - s) |x|/2
        family="leaky_relu",
        parameters=(("slope", s),),
        dual=DualKernel(partial(dual.leaky_derivative, s), top, 16, jump / (2 * math.pi), True),
        # d/d rho = s + (1-s)^2 (pi - theta)/(2 pi), between s and (1 + s^2)/2.
        dual_output=DualKernel(partial(dual.leaky_value, s), top, 16, top, True),
    )


BUILTIN: dict[str, Activation] = {
    a.name: a
    for a in (
        Activation(
            "relu",
            _relu,
            _relu_d,
            _zero,
            B1=_ONE,
            B2=_JUMPS,
            sup=_UNBOUNDED,
            smoothness="kinked",
            breakpoints=(0.0,),
            symmetry="even",  # x/2 + |x|/2
            family="relu",
            dual=DualKernel(dual.step, 0.5, 8, 1 / (2 * math.pi), True),
            dual_output=DualKernel(dual.ramp, 0.5, 8, 0.5, True),
        ),
        _leaky_relu(),
        Activation(
            "softplus",
            _softplus,
            _expit,
            _logistic_d,
            B1=_ONE.with_note("approached at +infinity"),
            B2=Estimate.exact(0.25, "attained at 0"),
            sup=_UNBOUNDED,
            symmetry="even",  # x/2 + log(2 cosh(x/2))
            family="softplus",
        ),
        Activation(
            "tanh",
            np.tanh,
            _sech2,
            _tanh_d2,
            B1=_ONE.with_note("attained at 0"),
            B2=_proved(4 / (3 * math.sqrt(3)), "4/(3 sqrt 3), where tanh z = 1/sqrt 3"),
            sup=_ONE,
            parity="odd",
            family="tanh",
        ),
        Activation(
            "sigmoid",
            _expit,
            _logistic_d,
            _logistic_d2,
            B1=Estimate.exact(0.25, "attained at 0"),
            B2=_proved(1 / (6 * math.sqrt(3)), "1/(6 sqrt 3), where tanh(z/2) = 1/sqrt 3"),
            sup=_ONE,
            symmetry="odd",  # 1/2 + tanh(x/2)/2
            family="sigmoid",
        ),
        Activation(
            "erf",
            _erf,
            _erf_d,
            _erf_d2,
            B1=_proved(2 / math.sqrt(math.pi), "2/sqrt(pi), at 0"),
            B2=_proved(2 * math.sqrt(2 / (math.pi * math.e)), "2 sqrt(2/(pi e)), at 1/sqrt 2"),
            sup=_ONE,
            parity="odd",
            family="erf",
            dual=DualKernel(dual.erf_derivative, 4 / (math.pi * math.sqrt(5)), 8, 0.46),
            dual_output=DualKernel(dual.erf_value, 2 / math.pi * math.asin(2 / 3), 8, 0.57),
        ),
        Activation(
            "gelu",
            _gelu,
            _gelu_d,
            _gelu_d2,
            B1=_enclosed(1.1289041451851547, "Phi(sqrt 2) + sqrt 2 p(sqrt 2), at sqrt 2"),
            B2=_proved(2 / _SQRT2PI, "sqrt(2/pi), at 0"),
            sup=_UNBOUNDED,
            symmetry="even",  # x/2 + x erf(x/sqrt 2)/2
            family="gelu",
            dual=DualKernel(dual.gelu_derivative, 1 / 3 + 2 / (3 * math.pi * math.sqrt(3)), 8, 0.28),
            dual_output=DualKernel(dual.gelu_value, 1 / 3 + 1 / (2 * math.pi * math.sqrt(3)), 8, 0.46),
        ),
        Activation(
            "silu",
            _silu,
            _silu_d,
            _silu_d2,
            B1=_enclosed(1.099839320128867, "where silu'' = 0: z tanh(z/2) = 2, z = 2.39936"),
            B2=Estimate.exact(0.5, "attained at 0"),
            sup=_UNBOUNDED,
            symmetry="even",  # x/2 + x tanh(x/2)/2
            family="silu",
        ),
        Activation(
            "elu",
            _elu,
            _elu_d,
            _elu_d2,
            B1=_ONE.with_note("attained on z >= 0"),
            B2=_ONE.with_note("approached at 0 from the left"),
            sup=_UNBOUNDED,
            smoothness="lipschitz",
            breakpoints=(0.0,),
            family="elu",
            dual=DualKernel(dual.elu_derivative, 0.5 + 0.5 * math.e**2 * math.erfc(math.sqrt(2)), 16, 1.0, True),
            dual_output=DualKernel(
                dual.elu_value,
                1 + 0.5 * math.e**2 * math.erfc(math.sqrt(2)) - math.exp(0.5) * math.erfc(math.sqrt(0.5)),
                16,
                1.0,
                True,
            ),
        ),
        Activation(
            "sin",
            np.sin,
            np.cos,
            _neg_sin,
            B1=_ONE.with_note("attained at 0"),
            B2=_ONE.with_note("attained at pi/2"),
            sup=_ONE,
            parity="odd",
            family="sin",
            dual=DualKernel(dual.sin_derivative, math.exp(-1) * math.cosh(1), 8, 0.44),
            dual_output=DualKernel(dual.sin_value, math.exp(-1) * math.sinh(1), 8, 0.57),
        ),
        Activation(
            "arctan",
            np.arctan,
            _arctan_d,
            _arctan_d2,
            B1=_ONE.with_note("attained at 0"),
            B2=_proved(3 * math.sqrt(3) / 8, "3 sqrt(3)/8, at 1/sqrt 3"),
            sup=_proved(math.pi / 2, "pi/2, approached at infinity"),
            parity="odd",
            family="arctan",
        ),
        Activation(
            "gaussian",
            _bump,
            _bump_d,
            _bump_d2,
            B1=_enclosed(0.6065306597126334, "exp(-1/2), at 1"),
            B2=_ONE.with_note("attained at 0"),
            sup=_ONE,
            parity="even",
            family="gaussian",
            dual=DualKernel(dual.bump_derivative, 1 / (3 * math.sqrt(3)), 8, 0.39),
            dual_output=DualKernel(dual.bump_value, 1 / math.sqrt(3), 8, 0.2),
        ),
        Activation(
            "quadratic",
            _half_square,
            _identity,
            _one,
            B1=_UNBOUNDED,
            B2=_ONE,
            sup=_UNBOUNDED,
            parity="even",
            degree=2,
            family="quadratic",
            dual=DualKernel(dual.identity, 1.0, 1, 1.0),
            dual_output=DualKernel(dual.quadratic_value, 0.75, 4, 1.0),
        ),
        Activation(
            "linear",
            _identity,
            _one,
            _zero,
            B1=_ONE,
            B2=Estimate.zero("phi' is constant"),
            sup=_UNBOUNDED,
            parity="odd",
            degree=1,
            family="linear",
            dual=DualKernel(dual.one, 1.0, 0, 0.0),
            dual_output=DualKernel(dual.identity, 1.0, 1, 1.0),
        ),
    )
}

ALIASES = {
    "swish": "silu",
    "logistic": "sigmoid",
    "atan": "arctan",
    "sine": "sin",
    "gaussian_bump": "gaussian",
    "bump": "gaussian",
    "rbf": "gaussian",
    "square": "quadratic",
    "quad": "quadratic",
    "identity": "linear",
    "leakyrelu": "leaky_relu",
    "lrelu": "leaky_relu",
}

#: Activations that take parameters: ``leaky_relu:slope=0.2``.
_FACTORIES: dict[str, Callable[..., Activation]] = {"leaky_relu": _leaky_relu}


def activation_names() -> tuple[str, ...]:
    """Canonical names of the built-in activations.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> activation_names()[:3]
    ('relu', 'leaky_relu', 'softplus')
    """
    return tuple(BUILTIN)


def activation(spec: str | Activation) -> Activation:
    """The activation that a name, an alias, ``name:parameter=value`` or ``expr:FORMULA`` stands for.

    Parameters
    ----------
    spec : str or Activation
        An `Activation` is returned as it is.

    Returns
    -------
    Activation

    Raises
    ------
    InputError
        For an unknown name (with a suggestion) or a bad parameter.

    Examples
    --------
    >>> activation("swish").name
    'silu'
    >>> activation("leaky_relu:slope=0.2").B1.value
    1.0
    """
    if isinstance(spec, Activation):
        return spec
    expected = f"one of {', '.join(BUILTIN)}, or expr:FORMULA in x"
    if not isinstance(spec, str) or not spec.strip():
        raise InputError("activation", repr(spec), expected)
    text = spec.strip()
    if text.startswith("expr:"):
        return Activation.from_expression(text[len("expr:") :])
    head, colon, tail = text.partition(":")
    key = head.strip().lower().replace("-", "_")
    key = ALIASES.get(key, key)
    if key not in BUILTIN:
        raise InputError("activation", repr(spec), expected + suggestion(key, [*BUILTIN, *ALIASES]))
    if not colon:
        return BUILTIN[key]
    if key not in _FACTORIES:
        raise InputError("activation", repr(spec), f"'{key}' alone; it takes no parameters")
    name, equals, value = tail.partition("=")
    if name.strip() != "slope" or not equals:
        raise InputError("activation", repr(spec), "leaky_relu:slope=NUMBER")
    try:
        slope = float(value)
    except ValueError:
        raise InputError("activation", repr(spec), "leaky_relu:slope=NUMBER") from None
    return _FACTORIES[key](slope)
