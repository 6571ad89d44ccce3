"""Suprema of activations and their derivatives, by branch and bound in ball arithmetic, from phi alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from flint import arb, arb_series, ctx

from jacspec.activations import BUILTIN, activation

Real = Any
Function = Callable[[Real], Real]

NAMES = list(BUILTIN)
#: Every family, and leaky_relu at unusual slopes.
ALL = [*NAMES, "leaky_relu:slope=0.3", "leaky_relu:slope=-1.0", "leaky_relu:slope=-7.5", "leaky_relu:slope=1000.0"]


# -- suprema: branch and bound in ball arithmetic, from phi alone --------------------------------------------------

#: phi as a function of a power series (its Taylor coefficients on an interval bound phi', phi'', phi''' there), the
#: half-width searched, and bounds of |phi|, |phi'|, |phi''| beyond it (None: unbounded), derived below.
Series = Any


def _s_sigma(x: Series) -> Series:
    return 1 / (1 + (-x).exp())


def _s_softplus(x: Series) -> Series:
    right = x[0].mid() > 0  # two forms of one function, each without cancellation on its side
    return x + (1 + (-x).exp()).log() if right else (1 + x.exp()).log()


def _e(x: float) -> Real:
    return arb(x).exp()


W = 40.0
_TINY = _e(-30)
SEARCH: dict[str, tuple[Callable[[Series], Series], float, tuple[Real, Real, Real]]] = {
    # sigma' <= e^-|x|, |sigma''| <= sigma'.
    "softplus": (_s_softplus, W, (None, arb(1), _e(-W))),
    "sigmoid": (_s_sigma, W, (arb(1), _e(-W), _e(-W))),
    # tanh' = 4 sigma'(2x), |tanh''| <= 2 tanh'.
    "tanh": (lambda x: 2 * _s_sigma(2 * x) - 1, 20.0, (arb(1), 4 * _e(-40), 8 * _e(-40))),
    # x e^{-x^2} and x^2 e^{-x^2 / 2} decrease beyond 2; at 10 all are below e^-30.
    "erf": (lambda x: x.erf(), 10.0, (arb(1), _TINY, _TINY)),
    "gelu": (lambda x: x * (1 + (x / arb(2).sqrt()).erf()) / 2, 10.0, (None, 1 + _TINY, _TINY)),
    "gaussian": (lambda x: (-x * x / 2).exp(), 10.0, (_TINY, _TINY, _TINY)),
    # |x sigma'| <= |x| e^-|x|, and |phi''| <= sigma' (2 + |x|).
    "silu": (lambda x: x * _s_sigma(x), W, (None, 1 + 40 * _e(-W), 42 * _e(-W))),
    # Periodic.
    "sin": (lambda x: x.sin(), 4.0, (arb(0), arb(0), arb(0))),
    "arctan": (lambda x: x.atan(), 1e4, (arb.pi() / 2, arb("1e-8"), arb("2e-12"))),
}


def _jet(phi: Callable[[Series], Series], x: Real, order: int) -> Real:
    coefficients = phi(arb_series([x, 1])).coeffs()
    return coefficients[order] * math.factorial(order) if order < len(coefficients) else arb(0)


def _supremum(phi: Callable[[Series], Series], width: float, tail: Real, order: int, goal: float) -> tuple[Real, Real]:
    """(lower, upper) bounds of sup |phi^(order)|, by the mean-value form on [-width, width] and `tail` outside."""
    boxes = [(-width, width)]
    best, top = arb(0), tail
    count = 0
    while boxes:
        a, b = boxes.pop()
        count += 1
        assert count < 200_000
        middle = 0.5 * (a + b)
        ball = arb(middle, 0.5 * (b - a) * (1 + 1e-9))
        try:
            slope, whole = abs(_jet(phi, ball, order + 1)), abs(_jet(phi, ball, order))
        except ValueError:  # too wide: a denominator contains zero
            boxes += [(a, middle), (middle, b)]
            continue
        at = abs(_jet(phi, arb(middle), order))
        if at.lower() > best:
            best = at.lower()
        bounds = [r.upper() for r in (at + slope * (0.5 * (b - a)), whole) if r.is_finite()]
        upper = min(bounds, default=None, key=float)
        if upper is not None and upper < best * (1 + arb(goal)):
            top = upper if upper > top else top
        else:
            boxes += [(a, middle), (middle, b)]
    return best, top


@pytest.fixture
def ball_context() -> Any:
    saved = ctx.prec, ctx.cap
    ctx.prec, ctx.cap = 100, 4
    yield
    ctx.prec, ctx.cap = saved


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("name", list(SEARCH))
def test_suprema_by_branch_and_bound(name: str, order: int, ball_context: None) -> None:
    phi = BUILTIN[name]
    declared = (phi.sup, phi.B1, phi.B2)[order]
    function, width, tails = SEARCH[name]
    if tails[order] is None:
        assert declared.value == math.inf
        assert declared.radius == 0
        assert phi(1e300) > 1e299  # softplus, gelu and silu grow like x
        return
    goal = 1e-13
    lower, upper = _supremum(function, width, tails[order], order, goal)
    if order == 0 and name == "arctan":
        lower = (arb(1e30)).atan().lower()  # approached too slowly for a finite search
    assert declared.rigorous
    assert arb(declared.upper) >= lower
    assert arb(declared.lower) <= upper
    assert upper - lower < 1e-12
    # A declared value that were off by more than its radius plus the search's width would be told apart.
    assert declared.radius <= 1e-15 * max(1.0, declared.value)


def test_suprema_without_a_search() -> None:
    x = np.array([-1e300, -1.0, -5e-324, 5e-324, 1.0, 1e300])
    for name, B1 in (("relu", 1.0), ("leaky_relu", 1.0), ("leaky_relu:slope=-7.5", 7.5), ("leaky_relu:slope=3.0", 3.0)):
        phi = activation(name)
        assert np.abs(phi.derivative(x)).max() == phi.B1.value == B1
        assert phi.B1.radius == 0
        assert phi.B2.value == phi.sup.value == math.inf
        assert "jump" in phi.B2.note
        left, right = phi.derivative(np.array([-5e-324, 5e-324]))
        assert left != right
        assert not phi.is_smooth
        assert phi.B.value == math.inf
        assert np.abs(phi(x)).max() > 1e299
    elu = BUILTIN["elu"]  # exp on the left, 1 on the right: both suprema are 1, phi' is continuous, phi'' jumps
    assert np.abs(elu.derivative(x)).max() == elu.B1.value == elu.B2.value == 1.0
    assert np.abs(elu.second_derivative(np.linspace(-40, 40, 999))).max() <= 1.0
    assert float(elu.second_derivative(-1e-12)) > 1 - 1e-11
    assert elu.sup.value == math.inf
    assert elu.is_smooth
    assert elu.smoothness == "lipschitz"
    quadratic = BUILTIN["quadratic"]
    assert quadratic.B1.value == math.inf
    assert abs(quadratic.derivative(x)).max() == 1e300
    assert "unbounded" in quadratic.B1.note
    assert quadratic.B2.value == 1.0
    linear = BUILTIN["linear"]
    assert linear.B1.value == 1.0
    assert linear.B2.exact_zero
    assert linear.sup.value == math.inf


def test_reference_suprema() -> None:
    for name, order, value in (("silu", 1, 1.09983932013), ("gelu", 1, 1.12890414519), ("tanh", 2, 0.76980035892)):
        declared = (BUILTIN[name].B1, BUILTIN[name].B2)[order - 1]
        assert abs(declared.value - value) <= 0.5e-11
    assert BUILTIN["tanh"].B.value == 1.0
    assert BUILTIN["tanh"].B.rigorous
    assert BUILTIN["erf"].B.contains(2 / mp.sqrt(mp.pi))
    assert BUILTIN["erf"].B.radius <= 1e-15
