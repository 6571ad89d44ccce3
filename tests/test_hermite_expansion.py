"""Hermite expansions in float64, proved and measured."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from flint import arb
from test_hermite import ALL, MOMENTS

from jacspec.activations import BUILTIN, Activation, activation
from jacspec.hermite import (
    HermiteExpansion,
    ball_estimate,
    hermite_coefficients,
    hermite_enclosures,
    hermite_expansion,
    moment_enclosure,
)
from jacspec.rounding import UNIT_ROUNDOFF as U

pytestmark = pytest.mark.usefixtures("flint_context_is_left_alone")


# -- float64 results ------------------------------------------------------------------------------------------------


def test_ball_estimate(many_bits: None) -> None:
    third = arb(1) / 3
    estimate = ball_estimate(third, "n")
    assert estimate.rigorous
    assert estimate.note == "n"
    assert arb(estimate.lower) < third < arb(estimate.upper)
    assert estimate.radius <= 2 * math.ulp(1 / 3)
    assert ball_estimate(arb(0.25)).radius == 0.0
    assert ball_estimate(arb(0)).exact_zero
    assert ball_estimate(arb(2) ** 60 + 1).contains(2**60 + 1)
    assert ball_estimate(arb(0, 1e-40)).contains(0)
    assert not ball_estimate(arb(0, 1e-40)).exact_zero


@pytest.mark.parametrize("name", ALL)
def test_expansion(name: str, many_bits: None) -> None:
    phi = activation(name)
    e = hermite_expansion(phi)
    assert isinstance(e, HermiteExpansion)
    assert e is hermite_expansion(phi)
    assert e.rigorous
    assert len(e.coefficients) == len(e.squares) == phi.ball.terms
    assert not e.squares.flags.writeable
    assert e.mu_phi is e.coefficients[1]
    more = hermite_enclosures(phi, len(e.squares) + 200, digits=40)
    for r, estimate in enumerate(e.coefficients):
        assert estimate.rigorous
        assert more[r].overlaps(arb(estimate.value, estimate.radius))
        assert estimate.radius <= 2 * math.ulp(estimate.value) + 1e-24
        assert abs(more[r] * more[r] - arb(float(e.squares[r]))).upper() <= U * (more[r] * more[r]).upper() + 1e-24
    for which in MOMENTS:
        estimate = getattr(e, which)
        assert estimate.rigorous
        assert moment_enclosure(phi, which, digits=40).overlaps(arb(estimate.value, estimate.radius))
        assert estimate.radius <= 2 * math.ulp(estimate.value) + 1e-23
    # The tail: above the next 200 squares, above nothing less than what Parseval leaves, and hardly more than that.
    seen = sum((m * m for m in more[: len(e.squares)]), arb(0))
    next_ones = sum((m * m for m in more[len(e.squares) :]), arb(0))
    left = moment_enclosure(phi, "mean_derivative_square", digits=40) - seen
    assert arb(e.tail) >= next_ones.lower()
    assert arb(e.tail) >= left.lower()
    assert arb(e.tail) <= left.upper() * (1 + arb("1e-12")) + arb("1e-22")
    if phi.degree is not None:
        assert e.tail == 0.0
    elif phi.smoothness == "analytic":
        assert e.tail < 1e-12


@pytest.mark.parametrize("count", [1, 3, 64, 65, 300])
def test_coefficients_of_any_length(count: int) -> None:
    for name in ("tanh", "relu", "linear"):
        mu = hermite_coefficients(BUILTIN[name], count)
        assert len(mu) == count
        assert mu[0].finite
        for a, b in zip(mu, hermite_coefficients(BUILTIN[name], 64), strict=False):
            assert a.lower <= b.upper
            assert b.lower <= a.upper
            assert a.radius <= 4 * math.ulp(a.value) + 1e-23


# -- measured coefficients ------------------------------------------------------------------------------------------

COPIES = [
    ("x*sigmoid(x)", "silu"),
    ("log(1+exp(x))", "softplus"),
    ("1/(1+exp(-x))", "sigmoid"),
    ("2/(1+exp(-2*x))-1", "tanh"),
    ("0.5*x*(1+erf(x/sqrt(2)))", "gelu"),
    ("exp(-x*x/2)", "gaussian"),
    ("relu(x)", "relu"),
    ("elu(x)", "elu"),
    ("cos(x-pi/2)", "sin"),
    ("x**2/2", "quadratic"),
]


@pytest.mark.parametrize("formula, name", COPIES)
def test_measured_copies_contain_the_proved_values(formula: str, name: str) -> None:
    own, proved = hermite_expansion(activation(f"expr:{formula}")), hermite_expansion(BUILTIN[name])
    assert not own.rigorous
    true = hermite_coefficients(BUILTIN[name], len(own.coefficients))
    for r, (found, mu) in enumerate(zip(own.coefficients, true, strict=True)):
        assert not found.rigorous
        assert not found.exact_zero
        assert found.lower <= mu.value <= found.upper, r
        assert found.radius <= 1e-12
    for which in MOMENTS:
        found = getattr(own, which)
        assert found.contains(getattr(proved, which).value)
        assert not found.rigorous
        assert found.radius <= 1e-11
    missing = proved.mean_derivative_square.value - float(np.sum([m.value**2 for m in true]))
    assert own.tail >= missing - 4 * U
    assert own.tail <= max(missing, 0.0) + 1e-11
    for found, mu in zip(hermite_coefficients(activation(f"expr:{formula}"), 200), true, strict=False):
        assert found.lower <= mu.value <= found.upper


@pytest.mark.parametrize("c", [0.4, -1.0, 0.123456789, -2.71828, 0.75, 3.3, 1e-3])
def test_undeclared_kinks_are_found(c: float) -> None:
    """A kink in the middle of a panel, where two panel widths may agree on a wrong value by chance."""
    own = Activation.from_expression(f"relu(x - ({c!r}))")
    with mp.workdps(30):
        c = mp.mpf(c)
        for r, mu in enumerate(hermite_coefficients(own, 4)):
            # E[1_{g > c} h_r] = p(c) h_{r-1}(c) / sqrt r, and P(g > c).
            he = [1, c, c * c - 1]
            true = mp.ncdf(-c) if r == 0 else mp.npdf(c) * he[r - 1] / mp.sqrt(mp.factorial(r))
            assert abs(mp.mpf(mu.value) - true) <= mu.radius
            assert mu.radius < 1e-10


def test_steep_slopes_are_resolved() -> None:
    own = Activation.from_expression("erf(200*x)/200")
    with mp.workdps(30):  # E[2/sqrt(pi) exp(-(200 g)^2)] = 2 / sqrt(pi) / sqrt(1 + 2 200^2)
        true = 2 / mp.sqrt(mp.pi) / mp.sqrt(1 + 2 * mp.mpf(200) ** 2)
        mu = hermite_coefficients(own, 1)[0]
        assert abs(mp.mpf(mu.value) - true) <= mu.radius < 1e-12


def test_measured_breakpoints() -> None:
    shifted = Activation.from_callables(
        "shifted",
        lambda z: np.maximum(z - 0.4, 0.0),
        lambda z: np.asarray(z > 0.4, dtype=np.float64),
        smoothness="kinked",
        breakpoints=(0.4,),
    )
    mu = hermite_coefficients(shifted, 2)
    assert abs(mu[0].value - 0.5 * math.erfc(0.4 / math.sqrt(2))) <= mu[0].radius
    assert mu[0].radius < 1e-13
