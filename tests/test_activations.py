"""Activations: values against 50 digits, the catalogue, formulas, a user's own callables."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from jacspec._checks import InputError
from jacspec.activations import ALIASES, BUILTIN, activation, activation_names
from jacspec.rounding import UNIT_ROUNDOFF as U

Real = Any
Function = Callable[[Real], Real]

NAMES = list(BUILTIN)
#: Every family, and leaky_relu at unusual slopes.
ALL = [*NAMES, "leaky_relu:slope=0.3", "leaky_relu:slope=-1.0", "leaky_relu:slope=-7.5", "leaky_relu:slope=1000.0"]


# -- 50-digit references, none of which shares a formula with the code ----------------------------------------------


def _exp(x: Real) -> Real:
    return mp.exp(x) if x > -(10**6) else mp.mpf(0)


def _sigma(x: Real) -> Real:
    return 1 / (1 + _exp(-x)) if x >= 0 else _exp(x) / (1 + _exp(x))


def _tanh(x: Real) -> Real:
    return mp.tanh(x) if abs(x) < 1 else mp.sign(x) * (1 - _exp(-2 * abs(x))) / (1 + _exp(-2 * abs(x)))


def _cdf(x: Real) -> Real:
    return mp.erfc(-x / mp.sqrt(2)) / 2 if abs(x) < 10**4 else mp.mpf(x > 0)


def _pdf(x: Real) -> Real:
    return _exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def _slope(x: Real) -> Real:
    return _sigma(x) * _sigma(-x)


def _leaky(s: float) -> tuple[Function, Function, Function]:
    return (
        lambda x: x if x > 0 else mp.mpf(s) * x,
        lambda x: mp.mpf(1) if x > 0 else mp.mpf(s),
        lambda x: mp.mpf(0),
    )


REFERENCE: dict[str, tuple[Function, Function, Function]] = {
    "relu": _leaky(0.0),
    "leaky_relu": _leaky(0.01),
    "softplus": (lambda x: max(x, 0) + mp.log1p(_exp(-abs(x))), _sigma, _slope),
    "tanh": (_tanh, lambda x: 4 * _slope(2 * x), lambda x: -8 * _tanh(x) * _slope(2 * x)),
    "sigmoid": (_sigma, _slope, lambda x: -_slope(x) * _tanh(x / 2)),
    "erf": (
        lambda x: mp.erf(x) if abs(x) < 10**4 else mp.sign(x),
        lambda x: 2 / mp.sqrt(mp.pi) * _exp(-x * x),
        lambda x: -4 * x / mp.sqrt(mp.pi) * _exp(-x * x),
    ),
    "gelu": (lambda x: x * _cdf(x), lambda x: _cdf(x) + x * _pdf(x), lambda x: (2 - x * x) * _pdf(x)),
    "silu": (
        lambda x: x * _sigma(x),
        lambda x: _sigma(x) + x * _slope(x),
        lambda x: _slope(x) * (2 - x * _tanh(x / 2)),
    ),
    "elu": (
        lambda x: x if x > 0 else (mp.expm1(x) if x > -(10**6) else mp.mpf(-1)),
        lambda x: mp.mpf(1) if x > 0 else _exp(x),
        lambda x: mp.mpf(0) if x > 0 else _exp(x),
    ),
    "sin": (mp.sin, mp.cos, lambda x: -mp.sin(x)),
    "arctan": (mp.atan, lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
    "gaussian": (lambda x: _exp(-x * x / 2), lambda x: -x * _exp(-x * x / 2), lambda x: (x * x - 1) * _exp(-x * x / 2)),
    "quadratic": (lambda x: x * x / 2, lambda x: x, lambda x: mp.mpf(1)),
    "linear": (lambda x: x, lambda x: mp.mpf(1), lambda x: mp.mpf(0)),
}

#: Error budgets (c, q): |error| <= u (c + q x^2) |scale|. A library call (exp, tanh, erf, ...) counts 4 (2 ulp), an
#: arithmetic operation or a rounded constant 1; q is what rounding the argument of exp(-x^2 / 2) (0.5) or exp(-x^2)
#: (1) costs, and 4 inside ndtr (two roundings of x / sqrt 2 and two of its square). sigma: exp, +, /, and one to
#: spare: 7; sigma sigma(-): 15; times tanh: 20.
BUDGET: dict[str, tuple[tuple[float, float], ...]] = {
    "relu": ((0, 0), (0, 0), (0, 0)),
    "leaky_relu": ((1, 0), (0, 0), (0, 0)),
    "softplus": ((9, 0), (7, 0), (15, 0)),
    "tanh": ((4, 0), (15, 0), (20, 0)),
    "sigmoid": ((7, 0), (15, 0), (20, 0)),
    "erf": ((4, 0), (8, 1), (9, 1)),
    "gelu": ((6, 4), (14, 4), (11, 0.5)),
    "silu": ((8, 0), (17, 0), (22, 0)),
    "elu": ((4, 0), (4, 0), (4, 0)),
    "sin": ((4, 0), (4, 0), (4, 0)),
    "arctan": ((4, 0), (3, 0), (8, 0)),
    "gaussian": ((4, 0.5), (5, 0.5), (7, 0.5)),
    "quadratic": ((1, 0), (0, 0), (0, 0)),
    "linear": ((0, 0), (0, 0), (0, 0)),
}

#: Where terms cancel, the error is relative to the sum of their sizes; elsewhere to the value itself.
SCALE: dict[tuple[str, int], Function] = {
    ("gelu", 1): lambda x: _cdf(x) + abs(x) * _pdf(x),
    ("gelu", 2): lambda x: (2 + x * x) * _pdf(x),
    ("silu", 1): lambda x: _sigma(x) + abs(x) * _slope(x),
    ("silu", 2): lambda x: _slope(x) * (2 + x * _tanh(x / 2)),
    ("gaussian", 2): lambda x: (x * x + 1) * _exp(-x * x / 2),
}

#: Roots of phi' and phi'' (silu, gelu, gaussian), zeros of sin, and the places where exp over- and underflows.
ROOTS = [
    0.7517916243494656,
    1.2784645427610738,
    2.399357280520376,
    math.sqrt(2),
    1.0,
    math.pi,
    math.pi / 2,
    22 * math.pi,
]
EDGES = [
    5e-324,
    1e-310,
    2.0**-1022,
    2.0**-1021,
    26.5,
    27.3,
    37.6,
    38.5,
    354.9,
    372.6,
    709.7,
    709.8,
    712.1,
    745.0,
    745.2,
]
EDGES += [1e16, 1.3e154, 1.4e154, 1e300, 9e307, 1.7976931348623157e308]


def _points() -> np.ndarray:
    positive = np.concatenate(
        [
            np.geomspace(1e-300, 1e-3, 12),
            np.geomspace(1e-3, 60, 90),
            np.linspace(17, 40, 20),
            np.geomspace(60, 1e150, 20),
            [n for r in ROOTS for n in (math.nextafter(r, 0), r, math.nextafter(r, 9))],
            EDGES,
        ]
    )
    return np.concatenate([-positive[::-1], [-0.0, 0.0], positive])


POINTS = _points()


@pytest.mark.parametrize("name", NAMES)
def test_values_to_fifty_digits(name: str) -> None:
    phi = BUILTIN[name]
    for order, function in enumerate((phi, phi.derivative, phi.second_derivative)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = function(POINTS)
        assert values.shape == POINTS.shape
        assert values.dtype == np.float64
        c, q = BUDGET[name][order]
        for x, value in zip(POINTS.tolist(), values.tolist(), strict=True):
            with mp.workdps(400 if name == "sin" and abs(x) > 1e15 else 50):
                z = mp.mpf(x)
                true = REFERENCE[name][order](z)
                if abs(true) > mp.mpf(1.7976931348623157e308):
                    assert value == math.copysign(math.inf, true), (name, order, x)
                    continue
                assert math.isfinite(value), (name, order, x)
                scale = SCALE.get((name, order), lambda _, true=true: abs(true))(z)
                # A factor that underflowed (to zero already below exp(-709.78) in sigma) lost at most 2^-1020,
                # times the polynomial factor that multiplies it.
                floor = mp.mpf(2) ** -1020 * (1 + min(abs(z), 1000)) ** 2 if c + q > 1 else mp.mpf(2) ** -1074
                assert abs(mp.mpf(value) - true) <= U * (c + q * z * z) * scale + floor, (name, order, x)


@pytest.mark.parametrize("name", NAMES)
def test_references_are_derivatives_of_each_other(name: str) -> None:
    with mp.workdps(50):
        for x in (-7.25, -1.3, -0.4, -0.01, 0.02, 0.77, 2.5, 11.0):
            for lower, upper in ((0, 1), (1, 2)):
                found = mp.diff(REFERENCE[name][lower], mp.mpf(x))
                assert abs(found - REFERENCE[name][upper](mp.mpf(x))) < mp.mpf(10) ** -20


@pytest.mark.parametrize("name", NAMES)
def test_parity_is_exact(name: str) -> None:
    phi = BUILTIN[name]
    expected = {"tanh": "odd", "erf": "odd", "sin": "odd", "arctan": "odd", "linear": "odd"}
    expected |= {"gaussian": "even", "quadratic": "even"}
    assert phi.parity == expected.get(name)
    if name != "sigmoid":
        assert phi.derivative_parity == {"odd": "even", "even": "odd", None: None}[phi.parity]
    if phi.parity is None:
        assert not np.array_equal(phi(-POINTS), phi(POINTS))
        assert not np.array_equal(phi(-POINTS), -phi(POINTS))
        return
    assert phi.symmetry is None
    sign = 1.0 if phi.parity == "even" else -1.0
    for function, s in ((phi, sign), (phi.derivative, -sign), (phi.second_derivative, sign)):
        np.testing.assert_array_equal(function(-POINTS), s * function(POINTS))


def test_symmetry_up_to_a_linear_function() -> None:
    """sigmoid - 1/2 is odd, and the rectifiers minus half their slope at infinity are even: to 50 digits."""
    lines = {"sigmoid": (0.5, 0.0), "leaky_relu": (0.0, (1 + 0.01) / 2)}
    lines |= dict.fromkeys(("relu", "softplus", "gelu", "silu"), (0.0, 0.5))
    assert {name for name in NAMES if BUILTIN[name].symmetry} == set(lines)
    assert BUILTIN["sigmoid"].derivative_parity == "even"
    with mp.workdps(50):
        for name, (c0, c1) in lines.items():
            sign = {"odd": -1, "even": 1}[BUILTIN[name].symmetry]
            for x in (0.1, 0.7, 2.5, 9.0):
                left, right = (REFERENCE[name][0](z) - c0 - c1 * z for z in (mp.mpf(-x), mp.mpf(x)))
                assert abs(left - sign * right) <= (1e-15 * x if name == "leaky_relu" else mp.mpf(10) ** -45)
    elu = BUILTIN["elu"]
    assert elu.derivative_parity is None
    assert not any(elu.vanishes(r) for r in range(8))


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_inputs(name: str) -> None:
    phi = BUILTIN[name]
    for function in (phi, phi.derivative, phi.second_derivative):
        z = np.arange(-6.0, 6.0).reshape(3, 4)
        before = z.copy()
        out = function(z)
        assert out.shape == (3, 4)
        np.testing.assert_array_equal(z, before)
        assert not np.shares_memory(out, z)
        np.testing.assert_array_equal(function(z.astype(int)), out)
        assert float(function(2)) == function([2.0])[0]
        assert function(np.empty((0, 3))).shape == (0, 3)


def test_kinks_take_the_limit_from_the_left() -> None:
    for name in ("relu", "leaky_relu", "elu"):
        phi = BUILTIN[name]
        for function in (phi, phi.derivative, phi.second_derivative):
            for zero in (0.0, -0.0):
                assert abs(float(function(zero)) - float(function(-5e-324))) <= 5e-324


# -- the catalogue --------------------------------------------------------------------------------------------------


def test_lookup() -> None:
    assert activation_names() == tuple(BUILTIN) == tuple(NAMES)
    for name in NAMES:
        assert activation(name) is BUILTIN[name]
        assert activation(f"  {name.upper()} ") is BUILTIN[name]
        assert activation(BUILTIN[name]) is BUILTIN[name]
        assert BUILTIN[name].builtin
        json.dumps([e.to_json() for e in (BUILTIN[name].B1, BUILTIN[name].B2, BUILTIN[name].sup)])
    for alias, name in ALIASES.items():
        assert alias not in BUILTIN
        assert activation(alias) is BUILTIN[name]
    assert activation("Leaky-ReLU") is BUILTIN["leaky_relu"]
    assert activation("swish").name == "silu"


@pytest.mark.parametrize("slope", [0.2, -1.0, 0.0, 0.12345678901234567, 1e-9, 50.0])
def test_leaky_slope(slope: float) -> None:
    phi = activation(f"leaky_relu:slope={slope!r}")
    assert dict(phi.parameters) == {"slope": slope}
    assert activation(phi.name) == phi  # the name leads back to the very same slope
    assert hash(activation(phi.name)) == hash(phi)
    assert phi != BUILTIN["leaky_relu"]
    np.testing.assert_array_equal(phi([-2.0, 0.0, 3.0]), [-2 * slope, 0.0, 3.0])
    np.testing.assert_array_equal(phi.derivative([-2.0, 0.0, 3.0]), [slope, slope, 1.0])


def test_default_slope_is_the_catalogue_entry() -> None:
    assert activation("leaky_relu:slope=0.01") == BUILTIN["leaky_relu"]
    assert BUILTIN["relu"] != BUILTIN["leaky_relu"]
    assert BUILTIN["relu"] != "relu"


BAD_SPECS: list[tuple[Any, str]] = [
    ("", "one of relu"),
    ("   ", "one of relu"),
    (3, "one of relu"),
    (None, "one of relu"),
    ("sofplus", "did you mean 'softplus'"),
    ("swisch", "did you mean 'swish'"),
    ("zzz", "one of relu"),
    ("relu:", "it takes no parameters"),
    ("tanh:slope=1", "it takes no parameters"),
    ("leaky_relu:", "slope=NUMBER"),
    ("leaky_relu:0.2", "slope=NUMBER"),
    ("leaky_relu:slop=0.2", "slope=NUMBER"),
    ("leaky_relu:slope=abc", "slope=NUMBER"),
    ("leaky_relu:slope=0.1,slope=0.2", "slope=NUMBER"),
    ("leaky_relu:slope=1", "'linear'"),
    ("leaky_relu:slope=nan", "slope"),
    ("leaky_relu:slope=inf", "slope"),
    ("leaky_relu:slope=1e200", "slope"),
    ("expr:", "a formula in x"),
    ("expr:   ", "a formula in x"),
    ("expr:x+", "does not parse"),
    ("expr:x;x", "does not parse"),
    ("expr:x=1", "does not parse"),
    ("expr:x\0", "does not parse"),
    ("expr:import os", "does not parse"),
    ("expr:y", "'y' is not known"),
    ("expr:tanh", "write tanh(x)"),
    ("expr:sigmod(x)", "did you mean 'sigmoid'"),
    ("expr:__import__('os').system('true')", "only + - * / **"),
    ("expr:__import__('os')", "not known"),
    ("expr:eval(x)", "not known"),
    ("expr:x.__class__", "only + - * / **"),
    ("expr:tanh.__globals__", "only + - * / **"),
    ("expr:(lambda x: x)(x)", "only + - * / **"),
    ("expr:lambda x: x", "only + - * / **"),
    ("expr:[x for x in (1,)]", "only + - * / **"),
    ("expr:(y := x)", "only + - * / **"),
    ("expr:x if x else 1", "only + - * / **"),
    ("expr:f'{x}'", "only + - * / **"),
    ("expr:'a'", "only + - * / **"),
    ("expr:True*x", "only + - * / **"),
    ("expr:1j*x", "only + - * / **"),
    ("expr:x//2", "only + - * / **"),
    ("expr:x % 2", "only + - * / **"),
    ("expr:x @ x", "only + - * / **"),
    ("expr:x < 1", "only + - * / **"),
    ("expr:~x", "only + - * / **"),
    ("expr:tanh(x, x)", "only + - * / **"),
    ("expr:tanh(x=x)", "only + - * / **"),
    ("expr:tanh(*x)", "only + - * / **"),
    ("expr:tanh()", "only + - * / **"),
    ("expr:x**x", "exponent must be a number"),
    ("expr:2**x", "exponent must be a number"),
    ("expr:1e999*x", "not finite"),
    ("expr:x+" + "7" * 400, "not finite"),
    ("expr:x**1000", "not finite"),
    ("expr:9**9**9**9*x", ""),
    ("expr:9**9**9*x", "not finite"),
    ("expr:(-2)**0.5*x", "not finite"),
    ("expr:x+1/0", ""),
    ("expr:1/x", "not finite"),
    ("expr:log(x)", "not finite"),
    ("expr:sqrt(x)", "not finite"),
    ("expr:" + "(" * 500 + "x" + ")" * 500, ""),
    ("expr:" + "-" * 1000 + "x", ""),
    ("expr:" + "+".join(["x"] * 1000), "levels deep"),
    ("expr:" + "tanh(" * 160 + "x" + ")" * 160, ""),
    ("expr:x" + "+x" * 2500, "characters"),
]


@pytest.mark.parametrize("spec, message", BAD_SPECS, ids=[repr(s)[:40] for s, _ in BAD_SPECS])
def test_bad_specs(spec: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        activation(spec)
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert len(text) < 4500
