r"""Hermite coefficients mu_r = E[phi'(g) h_r(g)] with enclosures, and what follows from them.

The h_r are the *orthonormal* probabilists' Hermite polynomials; mu_1 = mu_phi is the paper's constant. With
Parseval, ``sum_r mu_r^2 = E[phi'(g)^2]``, and the covariance kernel is ``sum_r mu_r^2 rho^{r+1}``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._checks import InputError, check_choice, check_int
from ..activations import Activation
from ..rounding import Estimate

__all__ = [
    "HermiteExpansion",
    "ball_estimate",
    "hermite_coefficients",
    "hermite_enclosures",
    "hermite_expansion",
    "moment_enclosure",
]

Floats = NDArray[np.float64]
Method = Literal["auto", "series", "trapezoid", "integral"]
Moment = Literal["mean", "mean_square", "mean_derivative_square", "variance"]

#: Terms kept for a user's own activation, whose smoothness is not known.
_MEASURED_TERMS = 160


def ball_estimate(ball: Any, note: str = "") -> Estimate:
    """A flint ball as a rigorous `Estimate` (ends rounded outward)."""
    if ball.is_exact() and (value := float(ball)) == ball:
        return Estimate.exact(value, note)
    lower = math.nextafter(float(ball.lower()), -math.inf)
    upper = math.nextafter(float(ball.upper()), math.inf)
    return Estimate.from_bounds(lower, upper, True, note)


def hermite_enclosures(activation: Activation, count: int, *, digits: int = 30, method: Method = "auto") -> list[Any]:
    r"""mu_0 .. mu_{count-1} as flint balls of radius at most ``10^-digits``.

    .. math:: \mu_r = E[\phi'(g) h_r(g)], \quad g \sim N(0, 1)

    Parameters
    ----------
    activation : Activation
        A built-in one; a user's own has no ball-arithmetic description.
    count : int
        At least 1.
    digits : int, default 30
        Decimal digits after the point, 1 to 1000.
    method : "auto", "series", "trapezoid" or "integral"
        "series" and "trapezoid" are the primary routes ("auto" takes the one that exists); "integral" is independent
        of both and slower.

    Returns
    -------
    list of flint.arb, length `count`
        Proved enclosures; coefficients that vanish by symmetry are exact zeros.

    Raises
    ------
    InputError
        If the activation is not built in, or has no such route.

    References
    ----------
    docs/theory.md, ``hermite-parseval``; Trefethen & Weideman, SIAM Review 56 (2014) for the trapezoid rule.

    Examples
    --------
    >>> from jacspec import activation
    >>> hermite_enclosures(activation("relu"), 2, digits=30)[1].str(30, radius=False)
    '0.398942280401432677939946059934'
    """
    count = check_int("count", count, minimum=1, maximum=2000)
    digits = check_int("digits", digits, minimum=1, maximum=1000)
    check_choice("method", method, ["auto", "series", "trapezoid", "integral"])
    spec = activation.ball
    if spec is None:
        raise InputError("activation", activation.name, "a built-in activation (enclosures need ball arithmetic)")
    from flint import arb

    from . import ball as route

    chosen = method if method != "auto" else ("series" if spec.series is not None else "trapezoid")
    if (chosen == "series" and spec.series is None) or (chosen == "trapezoid" and spec.strip is None):
        raise InputError("method", method, f"a route that exists for {activation.name}; 'auto' finds it")
    goal = arb(10) ** (-digits)
    bits = math.ceil(digits * math.log2(10)) + 16
    for _ in range(6):
        if chosen == "series":
            with route.precision(bits + 32):
                balls = route.by_series(spec, count)
        elif chosen == "trapezoid":
            balls = route.by_trapezoid(spec, count, bits)
        else:
            balls = [arb(0) if activation.vanishes(r) else route.by_integral(spec, r, bits) for r in range(count)]
        balls = [arb(0) if activation.vanishes(r) else b for r, b in enumerate(balls)]
        if all(b.is_finite() and b.rad() <= goal for b in balls):
            return balls
        bits *= 2
    raise ArithmeticError(f"hermite: {activation.name} did not reach {digits} digits by {chosen}")


def moment_enclosure(activation: Activation, which: Moment, *, digits: int = 30, method: Method = "auto") -> Any:
    """E phi, E phi^2, E phi'^2 or Var phi of a standard normal argument, as a flint ball.

    Parameters
    ----------
    activation : Activation
        Built in.
    which : "mean", "mean_square", "mean_derivative_square" or "variance"
    digits : int
        The radius is at most about ``10^-digits``.
    method : "auto" or "integral"
        "auto": closed forms and the trapezoid rule; "integral": adaptive integration only.

    Returns
    -------
    flint.arb

    Raises
    ------
    InputError
        If the activation is not built in or a name is unknown.

    Examples
    --------
    >>> from jacspec import activation
    >>> moment_enclosure(activation("relu"), "mean", digits=20).str(20, radius=False)  # 1/sqrt(2 pi)
    '0.39894228040143267794'
    """
    check_choice("which", which, ["mean", "mean_square", "mean_derivative_square", "variance"])
    check_choice("method", method, ["auto", "integral"])
    digits = check_int("digits", digits, minimum=1, maximum=1000)
    spec = activation.ball
    if spec is None:
        raise InputError("activation", activation.name, "a built-in activation (enclosures need ball arithmetic)")
    from . import ball as route

    bits = math.ceil(digits * math.log2(10)) + 24
    if method == "integral":
        with route.precision(bits + 32):
            if which == "variance":
                mean = route.moment_by_integral(spec, "mean", bits)
                return route.moment_by_integral(spec, "mean_square", bits) - mean * mean
            return route.moment_by_integral(spec, which, bits)
    with route.precision(bits + 32):
        if which == "mean":
            return spec.mean() if spec.mean is not None else _trapezoid_mean(spec, bits)
        if which == "mean_derivative_square":
            if spec.mean_derivative_square is not None:
                return spec.mean_derivative_square()
            return _trapezoid_derivative_square(spec, bits)
        square = spec.mean_square() if spec.mean_square is not None else _trapezoid_square(spec, bits)
        if which == "mean_square":
            return square
        mean = moment_enclosure(activation, "mean", digits=digits)
        return square - mean * mean


def _trapezoid_mean(spec: Any, bits: int) -> Any:
    from flint import acb, arb

    from . import ball as route

    a, bound = spec.mean_strip()
    # softplus and silu: |phi(x)| <= |x| + 1, so 2 int_x^inf |phi| p <= 2 p(x) + erfc(x / sqrt 2).
    tail = lambda x: 2 * (-x * x / 2).exp() / (2 * arb.pi()).sqrt() + (x / arb(2).sqrt()).erfc()  # noqa: E731
    value = spec.pieces[0].value
    return route.trapezoid_mean(lambda x: value(acb(x), False).real, a, bound, tail, bits)


def _trapezoid_derivative_square(spec: Any, bits: int) -> Any:
    from flint import arb

    from . import ball as route

    a, sup = spec.strip()
    tail = lambda x: sup * sup * (x / arb(2).sqrt()).erfc()  # noqa: E731 - |phi'|^2 <= M^2 on the line too
    return route.trapezoid_mean(lambda x: spec.real_derivative(x) ** 2, a, sup * sup, tail, bits)


def _trapezoid_square(spec: Any, bits: int) -> Any:
    """E phi^2 for a `strip` family.

    ``phi(x + iy) = phi(x) + i int_0^y phi'(x + is) ds``, so ``|phi(x + iy)| <= A + c |x|`` with ``A = 1 + a M``, as
    ``|phi(0)| <= 1`` and ``|phi'| <= c`` on the real line; hence ``E|phi(g + iy)|^2 <= A^2 + 2 A c sqrt(2/pi) + c^2``.
    On the line ``phi^2 <= (1 + c)^2 x^2`` for |x| >= 1, and ``2 int_x^inf t^2 p = 2 x p(x) + erfc(x / sqrt 2)``.
    """
    from flint import acb, arb

    from . import ball as route

    a, sup = spec.strip()
    c, slope = arb(spec.growth[0]), arb(spec.growth[1])
    assert slope.is_zero()
    size = 1 + a * sup
    bound = size * size + 2 * size * c * (2 / arb.pi()).sqrt() + c * c
    value = spec.pieces[0].value

    def tail(x: Any) -> Any:
        second = 2 * x * (-x * x / 2).exp() / (2 * arb.pi()).sqrt() + (x / arb(2).sqrt()).erfc()
        return (1 + c) ** 2 * second

    return route.trapezoid_mean(lambda x: value(acb(x), False).real ** 2, a, bound, tail, bits)


def hermite_coefficients(activation: Activation, count: int = 10) -> tuple[Estimate, ...]:
    r"""The first Hermite coefficients of phi', with radii.

    Parameters
    ----------
    activation : Activation
        Built in (rigorous) or a user's own (measured).
    count : int, default 10

    Returns
    -------
    tuple of Estimate
        mu_0 .. mu_{count-1}; an exact zero where parity or degree makes it one.

    Raises
    ------
    InputError
        If count < 1.

    References
    ----------
    docs/theory.md, ``hermite-parseval``.

    Examples
    --------
    >>> from jacspec import activation
    >>> [round(m.value, 6) for m in hermite_coefficients(activation("tanh"), 4)]
    [0.605706, 0.0, -0.257101, 0.0]
    """
    count = check_int("count", count, minimum=1, maximum=2000)
    known = hermite_expansion(activation).coefficients
    if count <= len(known):
        return known[:count]
    return _coefficients(activation, count)


#: Digits of the balls behind float64 results: squares and tails are summed before they are rounded.
_DIGITS = 24


def _coefficients(activation: Activation, count: int) -> tuple[Estimate, ...]:
    if not activation.builtin:
        from .measured import measured_coefficients

        return tuple(measured_coefficients(activation, count))
    return _estimates(activation, hermite_enclosures(activation, count, digits=_DIGITS))


def _estimates(activation: Activation, balls: list[Any]) -> tuple[Estimate, ...]:
    out = []
    for r, b in enumerate(balls):
        note = ""
        if b.is_zero():
            finite = activation.degree is not None and r >= activation.degree
            if finite:
                note = f"phi is a polynomial of degree {activation.degree}"
            elif activation.derivative_parity is not None:
                note = f"phi' is {activation.derivative_parity}"
            else:
                note = "phi' is odd up to a constant"
        out.append(ball_estimate(b, note))
    return tuple(out)


@dataclass(frozen=True)
class HermiteExpansion:
    """Everything the covariance needs of an activation.

    Parameters
    ----------
    coefficients : tuple of Estimate
        mu_0 .. mu_{R-1}.
    squares : (R,) float64
        mu_r^2, rounded.
    tail : float
        Upper bound of ``sum_{r >= R} mu_r^2``.
    mean, mean_square, variance, mean_derivative_square : Estimate
        E phi, E phi^2, Var phi and E phi'^2 of a standard normal argument.
    rigorous : bool
    """

    coefficients: tuple[Estimate, ...]
    squares: Floats
    tail: float
    mean: Estimate
    mean_square: Estimate
    variance: Estimate
    mean_derivative_square: Estimate
    rigorous: bool

    @property
    def mu_phi(self) -> Estimate:
        """mu_1 = E[g phi'(g)], the paper's mu_phi."""
        return self.coefficients[1]


@lru_cache(maxsize=64)
def hermite_expansion(activation: Activation) -> HermiteExpansion:
    """The Hermite expansion of phi' to as many terms as float64 kernels can use.

    Parameters
    ----------
    activation : Activation

    Returns
    -------
    HermiteExpansion
        Cached per activation.

    Examples
    --------
    >>> from jacspec import activation
    >>> hermite_expansion(activation("relu")).mean_derivative_square.value
    0.5
    """
    return _proved_expansion(activation) if activation.builtin else _measured_expansion(activation)


def _proved_expansion(activation: Activation) -> HermiteExpansion:
    from .ball import precision

    spec = activation.ball
    assert spec is not None
    count = spec.terms
    balls = hermite_enclosures(activation, count, digits=_DIGITS)
    total = moment_enclosure(activation, "mean_derivative_square", digits=_DIGITS)
    mean = moment_enclosure(activation, "mean", digits=_DIGITS)
    mean_square = moment_enclosure(activation, "mean_square", digits=_DIGITS)
    with precision(128):
        left = (total - sum(b * b for b in balls)).upper()
        tail = max(0.0, math.nextafter(float(left), math.inf))
        squares = np.array([float((b * b).mid()) for b in balls])
        variance = mean_square - mean * mean
    if activation.degree is not None and activation.degree <= count:
        tail = 0.0
    squares.setflags(write=False)
    return HermiteExpansion(
        coefficients=_estimates(activation, balls),
        squares=squares,
        tail=tail,
        mean=ball_estimate(mean),
        mean_square=ball_estimate(mean_square),
        variance=ball_estimate(variance),
        mean_derivative_square=ball_estimate(total),
        rigorous=True,
    )


def _measured_expansion(activation: Activation) -> HermiteExpansion:
    from .measured import measured_moments

    coefficients = _coefficients(activation, _MEASURED_TERMS)
    moments = measured_moments(activation)
    moments["variance"] = (moments["mean_square"] - moments["mean"] ** 2).nonnegative()
    squares = np.array([m.value**2 for m in coefficients])
    # The coefficients' radii sit around every square; what is left of Parseval's sum is the tail.
    seen = float(np.sum([max(0.0, abs(m.value) - m.radius) ** 2 for m in coefficients]))
    tail = max(0.0, moments["mean_derivative_square"].upper - seen)
    squares.setflags(write=False)
    return HermiteExpansion(coefficients, squares, tail, **moments, rigorous=False)
