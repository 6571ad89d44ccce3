"""Estimate: every operation encloses (exact rationals are the oracle), and the a-priori radii are true bounds."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jacspec.rounding import (
    UNIT_ROUNDOFF,
    Estimate,
    factorization_radius,
    gamma,
    gram_radius,
    hadamard_square_radius,
)

INF = math.inf
#: Values of every size, small integers (exact results, cancellations), neighbours of 1, and the ends of the range.
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-3, 3).map(float),
    st.sampled_from([math.nextafter(1, 0), math.nextafter(1, 2), 1e-17, 5e-324, 2.0**-1022, 1.7976931348623157e308]),
)
RADII = st.one_of(
    st.just(0.0), st.floats(0, 1e-300), st.floats(0, 1e-14), st.floats(0, 10), st.floats(0, allow_infinity=False)
)
ESTIMATES = st.builds(Estimate, VALUES, RADII, st.booleans())
#: Where inside an interval the true value lies.
PLACES = st.fractions(-1, 1, max_denominator=50)


def _inside(e: Estimate, place: Fraction) -> Fraction:
    return Fraction(e.value) + place * Fraction(e.radius)


def _encloses(e: Estimate, true: Fraction) -> bool:
    """By its printed value and radius, and by its ends: both promises."""
    if e.radius == INF:
        return True
    if math.isinf(e.value):
        return False
    exact = abs(true - Fraction(e.value)) <= Fraction(e.radius)
    lower = e.lower == -INF or Fraction(e.lower) <= true
    upper = e.upper == INF or true <= Fraction(e.upper)
    return exact and lower and upper and e.contains(true)


@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul, operator.truediv])
@given(a=ESTIMATES, b=ESTIMATES, s=PLACES, t=PLACES)
def test_operators_enclose(op: Callable[..., Any], a: Estimate, b: Estimate, s: Fraction, t: Fraction) -> None:
    x, y = _inside(a, s), _inside(b, t)
    if op is operator.truediv and (y == 0 or b.lower <= 0 <= b.upper):
        if b.exact_zero:
            with pytest.raises(ZeroDivisionError):
                a / b
        return
    result = op(a, b)
    assert _encloses(result, op(x, y))
    if not result.exact_zero:
        assert result.rigorous == (a.rigorous and b.rigorous) or a.exact_zero or b.exact_zero or _unit(a) or _unit(b)


def _unit(e: Estimate) -> bool:
    return e.value == 1 and e.radius == 0 and e.rigorous


@given(a=ESTIMATES, s=PLACES)
def test_unary_operations_enclose(a: Estimate, s: Fraction) -> None:
    x = _inside(a, s)
    assert _encloses(a, x)
    assert _encloses(-a, -x)
    assert _encloses(abs(a), abs(x))
    assert abs(a).lower >= 0 or abs(a).radius == INF
    for result in (-a, abs(a)):
        assert result.rigorous == a.rigorous
    assert _encloses(a**2, x * x)
    assert _encloses(a**4, x**4)
    if a.lower < 0:
        with pytest.raises(ValueError):
            a**3
        with pytest.raises(ValueError):
            a.sqrt()


@given(a=ESTIMATES, s=PLACES)
def test_roots_and_powers_enclose(a: Estimate, s: Fraction) -> None:
    a = abs(a)
    if a.radius == INF or not _encloses(a, x := abs(_inside(a, s))):
        return
    root = a.sqrt()
    assert root.lower >= 0 or root.radius == INF
    if root.radius < INF:
        assert Fraction(root.lower) ** 2 <= x
        assert root.upper == INF or x <= Fraction(root.upper) ** 2
        root.sqrt()  # and again: the lower end never slips below zero
    for exponent, p, q in ((3, 3, 1), (1.5, 3, 2), (0.25, 1, 4)):
        power = a**exponent
        if power.radius < INF:
            assert power.lower <= 0 or Fraction(power.lower) ** q <= x**p
            assert power.upper == INF or x**p <= Fraction(power.upper) ** q
        if a.lower > 0:  # then no power of it divides by zero, whatever over- or underflows
            inverse = a**-exponent
            if inverse.radius < INF:
                assert inverse.lower <= 0 or Fraction(inverse.lower) ** q * x**p <= 1
                assert inverse.upper == INF or Fraction(inverse.upper) ** q * x**p >= 1


@given(ends=st.tuples(VALUES, VALUES), rigorous=st.booleans())
def test_from_bounds_is_tight(ends: tuple[float, float], rigorous: bool) -> None:
    lower, upper = sorted(ends)
    e = Estimate.from_bounds(lower, upper, rigorous, "why")
    assert e.rigorous == rigorous
    assert e.note == "why"
    assert _encloses(e, Fraction(lower))
    assert _encloses(e, Fraction(upper))
    assert math.isfinite(e.radius)
    if lower == upper:
        assert e.value == lower
        assert e.radius == 0
    # No radius smaller by two ulp would do for this value, and the value is the centre up to rounding.
    half = (Fraction(upper) - Fraction(lower)) / 2
    slack = 2 * math.ulp(e.radius) + 2 * math.ulp(e.value) if lower < upper else 0.0
    assert Fraction(e.radius) <= half + Fraction(slack)
    if lower >= 2.0**-1021:
        assert e.lower >= 0


def test_from_bounds_with_infinite_ends() -> None:
    assert Estimate.from_bounds(INF, INF, True) == Estimate(INF, 0.0, True)
    assert Estimate.from_bounds(-INF, -INF, True) == Estimate(-INF, 0.0, True)
    for lower, upper in ((1.0, INF), (-INF, 1.0), (-INF, INF), (-INF, -1.7e308)):
        e = Estimate.from_bounds(lower, upper, True)
        assert (e.lower, e.upper) == (-INF, INF)
        assert not e.finite
        assert e.relative_radius == INF
    huge = Estimate.from_bounds(-1.7e308, 1.7e308, True)
    assert huge.finite
    assert huge.contains(-1.7e308)


@pytest.mark.parametrize("lower, upper", [(2.0, 1.0), (math.nan, 1.0), (0.0, math.nan), (INF, 0.0)])
def test_from_bounds_refuses(lower: float, upper: float) -> None:
    with pytest.raises(ValueError, match="expected lower <= upper"):
        Estimate.from_bounds(lower, upper, True)


@pytest.mark.parametrize("value, radius", [(math.nan, 0.0), (1.0, math.nan), (1.0, -1e-300), (1.0, -INF)])
def test_estimate_refuses(value: float, radius: float) -> None:
    with pytest.raises(ValueError, match="Estimate"):
        Estimate(value, radius)


def test_a_radius_below_half_an_ulp_counts() -> None:
    a, b = Estimate(1.0, 1e-17, True), Estimate(-1.0, 1e-17, True)
    assert a.lower < 1 < a.upper
    assert a.contains(Fraction(1) - Fraction(1, 10**17))
    total = a + b
    for true in (Fraction(2, 10**17), Fraction(-2, 10**17)):
        assert total.contains(true * Fraction(999, 1000))
    assert not total.exact_zero
    assert a.upper - a.lower <= 4 * UNIT_ROUNDOFF
    assert Estimate(0.5, 0.5).lower == 0.0  # an exact difference stays as it is


def test_the_ends_of_the_range() -> None:
    tiny = abs(Estimate(0.0, 5e-324, True))  # no rounding below zero, so that roots exist
    assert tiny.lower == 0
    assert tiny.contains(5e-324)
    assert tiny.sqrt().sqrt().lower == 0
    assert Estimate.from_bounds(5e-324, 1.5e-323, True).lower >= 0
    wide = Estimate(1.0, 1.7976931348623157e308, True)
    for result in (abs(wide), wide**2, wide**4, Estimate(INF, INF) ** 2):
        assert result.radius == INF
    assert (Estimate(-INF, 0.0, True) ** 2).value == INF


def test_exact_keeps_its_promise() -> None:
    assert Estimate.exact(3) == Estimate(3.0, 0.0, True)
    assert Estimate.exact(Fraction(1, 4)).radius == 0
    for number in (2**53 + 1, -(2**60) - 1, 10**25, Fraction(1, 3)):
        e = Estimate.exact(number)
        assert e.rigorous
        assert e.radius > 0
        assert _encloses(e, Fraction(number))
        assert e.relative_radius < 1e-15
        assert _encloses(Estimate.of(number) * 1, Fraction(number))
    assert Estimate.exact(10**400).upper == INF
    assert Estimate.exact(10**400).rigorous
    with pytest.raises(ValueError):
        Estimate.exact(math.nan)


def test_structural_zeros() -> None:
    zero, unknown = Estimate.zero("rank 3 < n = 5"), Estimate(2.0, 1.0, False)
    assert zero.exact_zero
    assert zero.note == "rank 3 < n = 5"
    assert not Estimate(0.0, 0.0, False).exact_zero
    assert not Estimate(0.0, 1e-300, True).exact_zero
    assert (zero * unknown).exact_zero  # whatever it is, zero times it is zero
    assert (zero / unknown).exact_zero
    assert zero + unknown == unknown == unknown + zero
    assert (unknown - zero).rigorous is False
    assert (zero**2).exact_zero
    assert zero.sqrt().exact_zero
    assert abs(zero).exact_zero
    assert math.copysign(1, (-zero).value) == 1
    for bad in (lambda: unknown / zero, lambda: zero**-1, lambda: zero**0, lambda: Estimate(0.0) ** -1):
        with pytest.raises(ZeroDivisionError):
            bad()
    one = Estimate.exact(1.0)
    assert (one - one).exact_zero
    assert (one - Estimate(1.0, 0.0, False)).value == 0.0
    assert not (one - Estimate(1.0, 0.0, False)).exact_zero


def test_infinity_stays_infinite() -> None:
    infinite = Estimate.infinite("unbounded")
    assert infinite.rigorous
    assert not infinite.finite
    assert infinite.is_positive()
    assert infinite.to_json()["value"] == "inf"
    for result in (
        infinite + 1,
        1 + infinite,
        infinite - 5,
        infinite * 2,
        3 * infinite,
        infinite * infinite,
        infinite / 7,
        infinite.sqrt(),
        infinite**2,
        infinite**1.5,
        abs(infinite),
        -(infinite * -1),
        infinite + infinite,
        Estimate(2.0, 1.0, True) * infinite,
    ):
        assert (result.value, result.radius, result.rigorous) == (INF, 0.0, True)
    assert (infinite * Estimate(2.0, 0.5, False)).rigorous is False
    assert (1 / infinite).exact_zero
    assert (infinite**-0.5).exact_zero
    for bad in (
        lambda: infinite - infinite,
        lambda: infinite / infinite,
        lambda: infinite * 0,
        lambda: Estimate.zero("z") * infinite,
        lambda: Estimate(INF, INF) + infinite,
    ):
        with pytest.raises(ValueError, match="no value"):
            bad()


@pytest.mark.parametrize("sign", [1, -1])
def test_overflow_is_unknown_not_infinite(sign: int) -> None:
    big = Estimate.exact(1.7e308)
    for result in (sign * big * 2, sign * big + sign * big, sign * big / 1e-10):
        assert not result.finite
        assert result.radius == INF
        assert result.lower <= sign * 1.7e308 <= result.upper


def test_division_by_what_may_be_zero() -> None:
    sigma = Estimate(0.5, 0.5, True)  # [0, 1]
    quotient = Estimate.exact(3.0) / sigma
    assert quotient.upper == INF
    for divisor in (Estimate(0.0, 1.0), Estimate(-0.5, 0.5), Estimate(0.0, 0.0, False)):
        with pytest.raises(ZeroDivisionError, match="contains zero"):
            Estimate.exact(3.0) / divisor
    with pytest.raises(ZeroDivisionError, match="contains zero"):
        Estimate.exact(-3.0) / sigma


def test_plain_numbers_mix_in() -> None:
    a = Estimate(2.0, 0.25, True, "note")
    for result in (a + 1, 1 + a, a * 2, 2 * a, a - 1, 1 - a, a / 2, 2 / a, a**2, np.float64(2.0) * a):
        assert isinstance(result, Estimate)
        assert result.rigorous
    assert (a * 1) is a
    assert (1 * a).note == "note"
    assert (a + 0).note == "note"
    assert (a**1) is a
    assert (a * 2).note == ""
    assert (1 - a).contains(-1.25)
    assert (2 / a).contains(Fraction(2) / Fraction(9, 4))


def test_reading() -> None:
    a = Estimate(2.0, 0.25, True)
    assert (a.lower, a.upper) == (1.75, 2.25)
    assert a.contains(1.75)
    assert not a.contains(2.2500000001)
    assert a.contains(mp.mpf("2.1"))
    assert a.relative_radius == 0.125
    assert Estimate(0.0, 1.0).relative_radius == INF
    assert Estimate.exact(0.0).relative_radius == 0.0
    assert a.is_positive()
    assert not Estimate(0.5, 0.5).is_positive()
    assert a.with_note("n") == Estimate(2.0, 0.25, True, "n")
    assert a.widened(0.0) is a
    assert a.widened(0.5).radius >= 0.75
    assert a.widened(0.5).rigorous
    assert Estimate(1.0, 1e300).widened(1e-300).radius > 1e300
    for bad in (-1e-9, math.nan):
        with pytest.raises(ValueError, match="expected >= 0"):
            a.widened(bad)


def test_nonnegative() -> None:
    assert Estimate(1.0, 0.5).nonnegative("x") == Estimate(1.0, 0.5)
    unknown = Estimate(INF, INF)
    assert unknown.nonnegative() is unknown
    cut = Estimate(-1e-17, 3e-17, True, "old").nonnegative()
    assert cut.lower == 0
    assert cut.contains(2e-17)
    assert cut.upper <= 2.0001e-17
    assert cut.rigorous
    assert cut.note == "old"
    assert Estimate(-1.0, 2.0).nonnegative("why").note == "why"
    # The smallest upper end must not be rounded to a structural zero.
    tiny = Estimate(0.0, 5e-324, True).nonnegative()
    assert not tiny.exact_zero
    assert tiny.contains(5e-324)
    # [-2, 0] cut at zero leaves zero, proved.
    assert Estimate(-1.0, 1.0, True).nonnegative().exact_zero
    # Below zero altogether: a measured radius was too small; a proved one is a contradiction.
    measured = Estimate(-2e-16, 1e-17).nonnegative()
    assert measured.lower == 0
    assert measured.upper >= 2e-16
    assert not measured.exact_zero
    with pytest.raises(ValueError, match="below zero"):
        Estimate(-2e-16, 1e-17, True).nonnegative()


@given(e=ESTIMATES)
def test_nonnegative_encloses(e: Estimate) -> None:
    if e.upper < 0:
        return
    cut = e.nonnegative()
    assert cut.rigorous == e.rigorous
    assert cut.radius == INF or cut.upper >= max(e.value, 0.0)
    assert cut.lower >= 0 or cut.upper < 2.0**-1000 or cut.radius == INF
    assert _encloses(cut, max(Fraction(0), Fraction(e.value)))


def test_json() -> None:
    assert Estimate(1.5, 0.25, True, "n").to_json() == {
        "value": 1.5,
        "radius": 0.25,
        "rigorous": True,
        "exact_zero": False,
        "note": "n",
    }
    assert Estimate.zero("why").to_json()["exact_zero"] is True
    assert "note" not in Estimate.exact(1.0).to_json()
    assert Estimate.exact(-INF).to_json()["value"] == "-inf"
    assert Estimate(INF, INF).to_json()["radius"] == "inf"
    for e in (Estimate.infinite("x"), Estimate(np.float64(0.1), np.float64(1e-3)), Estimate(INF, INF)):
        json.loads(json.dumps(e.to_json(), allow_nan=False))


# -- a-priori radii -------------------------------------------------------------------------------------------------


def test_gamma() -> None:
    u = Fraction(1, 2**53)
    assert Fraction(UNIT_ROUNDOFF) == u
    assert gamma(0) == 0.0
    for k in (1, 7, 1000, 2**30):
        exact = k * u / (1 - k * u)
        assert abs(Fraction(gamma(k)) - exact) <= 4 * u * exact
    for bad in (-1, 2**53, 2**60):
        with pytest.raises(ValueError, match="gamma"):
            gamma(bad)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-170, 1e-310, 1e100])
@pytest.mark.parametrize("d", [1, 3, 40])
def test_gram_radius(d: int, scale: float) -> None:
    """Each entry of the rounded Gram against exact rationals."""
    rng = np.random.default_rng(d)
    A = rng.standard_normal((6, d)) * scale
    A[1] /= 1e5
    A[2] = A[0] * (1 + 1e-15)
    A[3] = 0.0
    radius = gram_radius(A)
    G = A @ A.T
    exact = [[Fraction(float(x)) for x in row] for row in A]
    u = Fraction(1, 2**53)
    for i in range(6):
        squared = sum(x * x for x in exact[i])
        assert Fraction(float(radius[i])) ** 2 >= d * u * squared
        if scale >= 1e-3 and squared:
            assert Fraction(float(radius[i])) ** 2 <= d * u * squared * (1 + Fraction(1, 10**12))
        for j in range(6):
            true = sum(x * y for x, y in zip(exact[i], exact[j], strict=True))
            error = abs(Fraction(float(G[i, j])) - true)
            assert error <= Fraction(float(radius[i])) * Fraction(float(radius[j]))


def test_gram_radius_has_room_for_products_that_are_flushed_to_zero() -> None:
    """Every product is 2^-1023 in truth and may come out as 0."""
    A = np.full((2, 40), 2.0**-511.5)
    radius = gram_radius(A)
    assert Fraction(float(radius[0])) * Fraction(float(radius[1])) >= 40 * Fraction(1, 2**1023)


@pytest.mark.parametrize("n, d", [(1, 1), (5, 3), (12, 30)])
def test_hadamard_square_radius(n: int, d: int) -> None:
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, d))
    X /= np.linalg.norm(X, axis=1)[:, None]
    G = X @ X.T
    K = G * G
    exact = [[Fraction(float(x)) for x in row] for row in X]
    errors = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            true = sum(x * y for x, y in zip(exact[i], exact[j], strict=True)) ** 2
            errors[i, j] = float(abs(Fraction(float(K[i, j])) - true))
    assert np.linalg.norm(errors, 2) <= hadamard_square_radius(n, d)


@pytest.mark.parametrize("n, d", [(1, 1), (10, 1000), (3, 10**6), (2, 10**9)])
def test_hadamard_square_radius_bounds_its_own_formula(n: int, d: int) -> None:
    """The worst entry, in exact rationals, with rows of squared norm up to 1 + 1e-12."""
    u, square = Fraction(1, 2**53), 1 + Fraction(1, 10**12)
    e = d * u * square
    g = square + e
    worst = n * (u * g * g + 2 * g * e + e * e)
    assert worst <= Fraction(hadamard_square_radius(n, d)) <= worst * (1 + Fraction(1, 10**12))


def test_factorization_radius() -> None:
    assert factorization_radius(3, 7, 2.0) == (7 + 16) * UNIT_ROUNDOFF * 2.0
    rng = np.random.default_rng(3)
    for m, n in ((40, 40), (60, 15), (15, 60)):
        A = rng.standard_normal((m, n))
        singular = np.linalg.svd(A, compute_uv=False)
        with mp.workdps(40):
            M = mp.matrix(A.tolist())
            gram = M * M.T if m <= n else M.T * M
            true = sorted((mp.sqrt(abs(x)) for x in mp.eigsy(gram, eigvals_only=True)), reverse=True)
            off = max(abs(mp.mpf(float(s)) - t) for s, t in zip(singular, true, strict=True))
        assert off <= factorization_radius(m, n, float(singular[0]))
