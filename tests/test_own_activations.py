"""Activations of one's own: formulas, callables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from jacspec._checks import InputError
from jacspec.activations import BUILTIN, Activation, activation

# -- formulas -------------------------------------------------------------------------------------------------------

#: A formula, the built-in it equals, and whether its constants must be finite.
FORMULAS = [
    ("x*sigmoid(x)", "silu"),
    ("x/(1+exp(-x))", "silu"),
    ("log(1+exp(x))", "softplus"),
    ("log1p(exp(x))", "softplus"),
    ("softplus(x)", "softplus"),
    ("1/(1+exp(-x))", "sigmoid"),
    ("sinh(x)/cosh(x)", "tanh"),
    ("2*sigmoid(2*x)-1", "tanh"),
    ("-(1-exp(2*x))/(1+exp(2*x))", "tanh"),
    ("0.5*x*(1+erf(x/sqrt(2)))", "gelu"),
    ("exp(-x*x/2)", "gaussian"),
    ("exp(-x^2/2)", "gaussian"),
    ("e**(-1/2)*exp(1/2-0.5*x**2)", "gaussian"),
    ("x**2/2", "quadratic"),
    ("+x", "linear"),
    ("sin(x)", "sin"),
    ("cos(x - pi/2)", "sin"),
    ("arctan(x)", "arctan"),
    ("(x+abs(x))/2", "relu"),
    ("relu(x)", "relu"),
    ("relu(x) - 0.01*relu(-x)", "leaky_relu"),
    ("elu(x)", "elu"),
    ("erf(x)", "erf"),
]


@pytest.mark.parametrize("formula, name", FORMULAS)
def test_formulas_equal_the_built_ins(formula: str, name: str) -> None:
    own, proved = activation(f"expr:{formula}"), BUILTIN[name]
    assert own.name == f"expr:{formula}"
    assert not own.builtin
    assert own.ball is None
    z = np.linspace(-9, 9, 300)
    for order, allowance in (("__call__", 1e-13), ("derivative", 1e-13), ("second_derivative", 1e-12)):
        np.testing.assert_allclose(getattr(own, order)(z), getattr(proved, order)(z), rtol=0, atol=allowance * 50)
    for found, true in ((own.B1, proved.B1), (own.B2, proved.B2), (own.sup, proved.sup)):
        assert not found.rigorous
        if true.finite:
            assert found.lower <= true.value <= found.upper, (found, true)
            assert found.radius <= 2e-3 * max(1.0, true.value)
        else:
            assert found.value == math.inf
    assert own.smoothness == proved.smoothness


def test_formula_names() -> None:
    assert Activation.from_expression("x", name="mine").name == "mine"
    assert activation("expr: x * tanh(x) ").name == "expr:x * tanh(x)"
    assert not activation("expr:3").B1.rigorous
    assert activation("expr:3").B1.value == 0.0


# -- a user's own callables -----------------------------------------------------------------------------------------


def _relu_like(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0.0)


def _step(z: np.ndarray) -> np.ndarray:
    return np.asarray(z > 0, dtype=np.float64)


def _nan_at_three(z: np.ndarray) -> np.ndarray:
    return np.where(np.abs(z - 3) < 0.02, np.nan, np.sin(z))


GOOD: dict[str, Any] = {"name": "mine", "phi": np.sin, "dphi": np.cos}
BAD_CALLABLES: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "nonempty"),
    ({"name": 3}, "name", "nonempty"),
    ({"phi": 3}, "phi", "callable"),
    ({"dphi": None}, "dphi", "callable"),
    ({"d2phi": 3}, "d2phi", "callable"),
    ({"dphi": np.sin}, "dphi", "the derivative of phi"),
    ({"dphi": lambda z: np.cos(z) * (1 + 1e-3)}, "dphi", "the derivative of phi"),
    ({"d2phi": np.sin}, "d2phi", "the derivative of dphi"),
    ({"phi": _nan_at_three}, "phi", "finite"),
    ({"dphi": lambda z: np.where(z > 5.9, np.inf, np.cos(z))}, "dphi", "finite"),
    ({"dphi": lambda z: np.where(z > 29, np.nan, np.cos(z))}, "dphi", "finite"),
    ({"phi": np.log, "dphi": np.reciprocal}, "phi", "finite"),
    ({"dphi": lambda z: np.cos(z)[:-1]}, "dphi", "elementwise"),
    ({"dphi": lambda z: np.cos(z).sum()}, "dphi", "elementwise"),
    ({"phi": lambda z: np.sin(z)[None]}, "phi", "elementwise"),
    ({"phi": math.sin}, "phi", "elementwise"),
    ({"parity": "even"}, "parity", "a parity that phi has"),
    ({"parity": "neither"}, "parity", "'odd', 'even' or None"),
    ({"phi": lambda z: np.sin(z) + 1, "parity": "odd"}, "parity", "a parity that phi has"),
    ({"smoothness": "smooth"}, "smoothness", "'analytic', 'lipschitz' or 'kinked'"),
    ({"breakpoints": (math.nan,)}, "breakpoints", "finite"),
    ({"B1": 0.99}, "B1", "a sample reaches"),
    ({"B2": 0.99}, "B2", "a sample reaches"),
    ({"B1": -1.0}, "B1", ">= 0"),
    ({"B1": math.nan}, "B1", "finite"),
    ({"phi": lambda z: z * z / 2, "dphi": np.array, "B1": 5.0}, "B1", "inf"),
    ({"phi": _relu_like, "dphi": _step}, "smoothness", "kinked"),
    ({"phi": _relu_like, "dphi": _step, "d2phi": np.zeros_like, "smoothness": "lipschitz"}, "smoothness", "kinked"),
    ({"phi": lambda z: _relu_like(z - 1.2345), "dphi": lambda z: _step(z - 1.2345)}, "smoothness", "at 1.2345"),
]


@pytest.mark.parametrize("change, argument, message", BAD_CALLABLES)
def test_bad_callables(change: dict[str, Any], argument: str, message: str) -> None:
    with pytest.raises(InputError) as caught, np.errstate(all="ignore"):
        Activation.from_callables(**(GOOD | change))
    assert caught.value.argument == argument
    assert message in str(caught.value)


def test_good_callables() -> None:
    mine = Activation.from_callables(**GOOD, parity="odd", d2phi=lambda z: -np.sin(z), B1=1.0)
    assert not mine.builtin
    assert mine.ball is None
    assert mine.B1.value == 1.0
    for estimate in (mine.B1, mine.B2, mine.sup, mine.B):
        assert not estimate.rigorous
        assert estimate.contains(1.0)
    kinked = Activation.from_callables("r", _relu_like, _step, smoothness="kinked", breakpoints=(0.0,))
    assert kinked.B2.value == math.inf
    assert not kinked.B2.rigorous
    assert kinked.breakpoints == (0.0,)
    stated = Activation.from_callables("q", lambda z: z * z / 2, np.array, B1=math.inf)
    assert stated.B1.value == math.inf
    assert not stated.B1.rigorous
    # Without phi'', central differences stand in for it.
    logcosh = Activation.from_callables("log-cosh", lambda z: np.logaddexp(z, -z), np.tanh)
    assert abs(logcosh.B2.value - 1) < 1e-6
    np.testing.assert_allclose(logcosh.second_derivative([0.0, 1.0]), [1.0, 1 - math.tanh(1) ** 2], atol=1e-8)
    # Equal only to itself: nothing is known of two unrelated functions.
    assert mine != Activation.from_callables(**GOOD)


def test_steep_but_smooth_is_not_a_jump() -> None:
    steep = Activation.from_callables(
        "steep", lambda z: np.logaddexp(1e3 * z, -1e3 * z) / 1e3, lambda z: np.tanh(1e3 * z)
    )
    assert steep.smoothness == "analytic"
