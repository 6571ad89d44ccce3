"""Enclosures of phi and phi': against ball arithmetic and mpmath over the whole range, and every error term by itself.

A lane isolates one term of a bound, holds it against an oracle of its own, and shows that the term is needed: without
it (or with half of it, where it is attained) the same check fails.
"""

from __future__ import annotations

import functools
import logging
import math
from dataclasses import replace
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from flint import arb, ctx
from test_activations import REFERENCE

from jacspec import InputError, activation
from jacspec.activations import BUILTIN
from jacspec.elementwise.trigonometric import HALF_PI_1, HALF_PI_2, HALF_PI_3
from jacspec.enclosure import elementwise, taylor
from jacspec.enclosure.elementwise import phi_ball, phi_enclosure
from jacspec.enclosure.taylor import CELLS, DEGREE, INFLATE, SOURCES, TINY, build, evaluate, table
from jacspec.hermite import hermite_enclosures, hermite_expansion, moment_enclosure
from jacspec.hermite.ball import precision

SLOPES = [f"leaky_relu:slope={s}" for s in (0.0, 0.3, -1.0, -7.5, 1e100)]
NAMES = [*BUILTIN, *SLOPES]
HUGE = 1.7976931348623157e308
U = 2.0**-53


def neighbours(x: float) -> list[float]:
    return [y for y in (math.nextafter(x, -math.inf), x, math.nextafter(x, math.inf)) if math.isfinite(y)]


@functools.cache
def points() -> np.ndarray:
    """All magnitudes and signs, every kind of boundary, and a cloud where cells meet."""
    rng = np.random.default_rng(5)
    edges = [(k + 0.5) / CELLS for k in rng.choice(800, 120, replace=False)]
    marks = [0.0, 5e-324, 2.0**-1022, 1e-310, 1e-300, 1e-16, 2.0**-27, 1.0, 1e5, elementwise.SIN_LIMIT, 1e15, 1e154]
    marks += [1.4e154, 1e300, HUGE, *range(1, 51), *(k * math.pi / 2 for k in (1, 2, 3, 5, 6, 101, 254647))]
    positive = [
        *(y for x in [*edges, *marks] for y in neighbours(x)),
        *np.exp(rng.uniform(math.log(1e-320), math.log(1e308), 300)),
        *rng.uniform(0, 4, 400),
        *rng.uniform(0, 50, 300),
        *rng.uniform(8, elementwise.SIN_LIMIT, 150),
        *(np.arange(0, 50) / CELLS),
    ]
    return np.concatenate([np.array(positive), -np.array(positive)])


def exactly(name: str, x: float) -> tuple[arb, arb]:
    """phi and phi' at a float64 number; saturated functions by their limit where flint would overflow."""
    if abs(x) > 1e4 and name in SOURCES and name not in ("sin", "arctan"):
        left, right = SOURCES[name].far(arb(1e4))
        slope, constant, off, dconstant, doff = left if x < 0 else right
        return slope * arb(x) + constant + arb(0, off), arb(dconstant) + arb(0, doff)
    # 1 - exp(x) and the like need as many bits as x is small.
    with precision(1500 if name == "sin" or abs(x) < 1e-20 else 200):
        return phi_ball(name, arb(x))


@functools.cache
def truth(name: str) -> list[tuple[arb, arb]]:
    with precision(1500):
        return [exactly(name, x) for x in points().tolist()]


def ratio(mid: float, radius: float, true: arb) -> float:
    """|mid - true|/radius, rounded up; infinite where the radius should not be zero."""
    if radius == math.inf:
        return 0.0
    with precision(1500):
        off = abs(arb(mid) - true)
        if radius == 0:
            return 0.0 if off.upper() == 0 else math.inf
        return float((off / arb(radius)).upper())


def kinked(name: str) -> bool:
    return BUILTIN["leaky_relu"].family in name or name == "relu"


# -- end to end -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_true_values_lie_inside_over_the_whole_range(name: str) -> None:
    z = points()
    value, radius, slope, slope_radius = phi_enclosure(name, z)
    assert not np.isnan([value, radius, slope, slope_radius]).any()
    worst = [0.0, 0.0]
    for i, (true, true_slope) in enumerate(truth(name)):
        if kinked(name) and z[i] == 0:  # a hull: its own test
            continue
        for order, r in enumerate((ratio(value[i], radius[i], true), ratio(slope[i], slope_radius[i], true_slope))):
            assert r <= 1, (name, order, z[i], r)
            worst[order] = max(worst[order], r)
    logging.getLogger(__name__).info("%s: error/radius of phi %.3f, of phi' %.3f", name, *worst)


@pytest.mark.parametrize("name", list(REFERENCE))
def test_another_library_agrees(name: str) -> None:
    z = points()[::17]
    value, radius, slope, slope_radius = phi_enclosure(name, z)
    for i, x in enumerate(z.tolist()):
        if name in ("relu", "leaky_relu") and x == 0:
            continue
        with mp.workdps(400 if name == "sin" and abs(x) > 1e15 else 60):
            for order, (m, r) in enumerate(((value[i], radius[i]), (slope[i], slope_radius[i]))):
                true = REFERENCE[name][order](mp.mpf(x))
                assert abs(mp.mpf(float(m)) - true) <= mp.mpf(float(r)) * (1 + mp.mpf(10) ** -40) + mp.mpf(10) ** -330


@pytest.mark.parametrize("name", list(BUILTIN))
def test_radii_are_narrow(name: str) -> None:
    z = np.concatenate([np.linspace(-7, 7, 4001), np.geomspace(1e-12, 1, 50)])
    value, radius, slope, slope_radius = phi_enclosure(name, z)
    # Away from the origin, accuracy at a zero is absolute.
    assert np.all(radius <= 8 * U * (np.abs(value) + (0 if name == "erf" else 0.01 * np.abs(z))) + 2e-19)
    regular = np.abs(z) > (1e-13 if kinked(name) else 0)
    assert np.all(
        slope_radius[regular] <= 8 * U * np.abs(slope[regular]) + 3e-16 * (name in ("gelu", "silu", "sin")) + 2e-18
    )


@pytest.mark.parametrize("name", ["tanh", "erf", "sin", "arctan", "silu", "gelu", "elu"])
def test_a_zero_at_the_origin_keeps_its_relative_accuracy(name: str) -> None:
    z = np.geomspace(1e-280, 1e-3, 200)
    value, radius, _, _ = phi_enclosure(name, z)
    assert np.all(radius <= 8 * U * np.abs(value))


# -- arguments with radii -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_of_the_interval_is_covered(name: str) -> None:
    rng = np.random.default_rng(11)
    z = np.concatenate([rng.normal(size=150) * 3, rng.uniform(-60, 60, 100), [0.0, -0.0, 1e-300, 40.0, -45.0, 8.0]])
    r = np.exp(rng.uniform(math.log(1e-18), math.log(20), z.size))
    r[::7] = 0.0
    value, radius, slope, slope_radius = phi_enclosure(name, z, r)
    with precision(300):
        for t in (-1.0, -0.99, -0.3, 0.0, 0.5, 1.0):
            for i in range(z.size):
                x = arb(z[i]) + arb(t) * arb(r[i])
                if kinked(name) and x.contains(0):
                    continue
                true, true_slope = phi_ball(name, x)
                assert ratio(value[i], radius[i], true) <= 1, (name, z[i], r[i], t)
                assert ratio(slope[i], slope_radius[i], true_slope) <= 1, (name, z[i], r[i], t)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.3, -1.0, -7.5])
def test_a_jump_inside_or_at_the_end_gives_the_hull(slope: float) -> None:
    name = f"leaky_relu:slope={slope}"
    z = np.array([0.0, -0.0, 1.0, -1.0, 1.0, -1.0, math.nextafter(1.0, 2), 5e-324])
    r = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 1.0, 0.0])
    _, radius, dphi, dphi_radius = phi_enclosure(name, z, r)
    low, high = dphi - dphi_radius, dphi + dphi_radius
    assert np.all(low[:6] <= min(slope, 1.0))
    assert np.all(high[:6] >= max(slope, 1.0))
    assert np.all(high[:6] - low[:6] <= abs(1 - slope) + 1e-14 * max(1.0, abs(slope)))
    np.testing.assert_array_equal(dphi[6:], 1.0)
    np.testing.assert_array_equal(dphi_radius[6:], 0.0)
    assert np.all(radius <= np.maximum(1.0, abs(slope)) * r * (1 + 1e-14) + 2 * U * abs(slope) + 1e-300)


def test_relu_is_exact_away_from_the_kink() -> None:
    z = np.array([-1e300, -1.5, -5e-324, 5e-324, 0.3, HUGE])
    value, radius, slope, slope_radius = phi_enclosure("relu", z)
    np.testing.assert_array_equal(value, np.maximum(z, 0))
    np.testing.assert_array_equal(slope, z > 0)
    assert not radius.any()
    assert not slope_radius.any()


def test_radii_broadcast_and_shapes_stay() -> None:
    z = np.linspace(-3, 3, 12).reshape(3, 4)
    for name in BUILTIN:
        wide = phi_enclosure(name, z, 1e-3)
        rows = phi_enclosure(name, z, np.full((1, 4), 1e-3))
        for a, b in zip(wide, rows, strict=True):
            assert a.shape == (3, 4)
            np.testing.assert_array_equal(a, b)
        assert all(a.shape == () for a in phi_enclosure(name, 0.5))
        assert all(a.shape == (0, 2) for a in phi_enclosure(name, np.empty((0, 2)), 1.0))
        strided = phi_enclosure(name, z.T[::2])
        np.testing.assert_array_equal(strided[0], phi_enclosure(name, z)[0].T[::2])


@pytest.mark.parametrize(
    "z, radius, what",
    [
        ([1.0, math.nan], None, "nan at index 1"),
        ([[1.0], [math.inf]], None, r"inf at index \(1, 0\)"),
        ([-math.inf, math.inf], None, "-inf at index 0"),
        ([1.0], [math.nan], "z_radius"),
        ([1.0], [math.inf], "z_radius"),
        ([1.0, 2.0], [-1.0, 1.0], "nonnegative"),
        ([1.0, 2.0], [1.0, 1.0, 1.0], "broadcasts"),
        (["a"], None, "dtype"),
        ([1j], None, "dtype"),
        ([[1.0], [1.0, 2.0]], None, "ragged"),
        ([2**53 + 1], None, "2\\^53"),
        (np.ones(2, dtype=np.longdouble), None, "float64 holds"),
    ],
)
def test_bad_arguments_are_refused(z: object, radius: object, what: str) -> None:
    for name in ("tanh", "relu", "sin"):
        with pytest.raises(InputError, match=what):
            phi_enclosure(name, z, radius)  # type: ignore[arg-type]


def test_a_users_own_activation_is_refused() -> None:
    for function in (lambda: phi_enclosure("expr:x*sigmoid(x)", [1.0]), lambda: phi_ball("expr:x", arb(0))):
        with pytest.raises(InputError, match="built-in"):
            function()


def test_sums_that_overflow_are_not_infinite_entries() -> None:
    assert np.all(phi_enclosure("tanh", [HUGE, HUGE, HUGE])[0] == 1.0)


# -- lanes of the tables --------------------------------------------------------------------------------------------


def run(found: taylor.Table, z: np.ndarray) -> tuple[np.ndarray, ...]:
    out = [np.empty(z.size) for _ in range(4)]
    evaluate(z, np.zeros(0), 0, found.coefficients, found.radii, found.far, found.ends, 2.0, 2.0, *out)
    return tuple(out)


def worst(found: taylor.Table, family: str, z: np.ndarray) -> list[float]:
    """Largest error/radius of phi and of phi' over z."""
    value, radius, slope, slope_radius = run(found, z)
    largest = [0.0, 0.0]
    for i, x in enumerate(z.tolist()):
        true = exactly(family, x)
        largest[0] = max(largest[0], ratio(value[i], radius[i], true[0]))
        largest[1] = max(largest[1], ratio(slope[i], slope_radius[i], true[1]))
    return largest


def inside(family: str, shift: float) -> np.ndarray:
    low, high = SOURCES[family].ends
    centres = np.arange(max(low, -3) * CELLS + 1, min(high, 3) * CELLS) / CELLS
    return centres[::2] + shift


@pytest.mark.parametrize("family", SOURCES)
def test_lane_remainder(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At degree 2 the remainder is nearly all of the error."""
    z = np.concatenate([inside(family, 1 / 32), inside(family, -1 / 32), inside(family, 1 / 64)])
    if family == "elu":
        z = z[z <= 0]
    for degree in (2, 4):
        found = worst(build(SOURCES[family], degree), family, z)
        assert max(found) <= 1
        assert min(found) > 1e-4  # not absurdly wide
    monkeypatch.setattr(taylor, "remainders", lambda source, degree: (0.0, 0.0))
    assert min(worst(build(SOURCES[family], 2), family, z)) > 1


@pytest.mark.parametrize("family", SOURCES)
def test_lane_coefficients(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the centres Horner's rule is exact, and what is left is the rounding of the constant coefficient."""
    z = inside(family, 0.0)
    if family == "elu":
        z = z[z <= 0]
    monkeypatch.setattr(taylor, "evaluation", np.zeros_like)
    found = worst(build(SOURCES[family]), family, z)
    assert 0.9 < max(found) <= 1  # attained: half of it would not do
    original = taylor.rounded
    monkeypatch.setattr(taylor, "rounded", lambda exact: (original(exact)[0], [0.0] * len(exact)))
    assert min(worst(build(SOURCES[family]), family, z)) > 1


def test_lane_evaluation() -> None:
    """Horner's rule against exact arithmetic, for the tables' own coefficients and for ones that round badly."""
    rng = np.random.default_rng(3)
    rows = np.concatenate([table(f).coefficients[::40, : DEGREE + 1] for f in SOURCES])
    bad = rng.uniform(-1, 1, (300, DEGREE + 1)) * 2.0 ** rng.integers(-3, 4, (300, DEGREE + 1))
    bad[:100, 0] *= 2.0**-8  # the second rounding, not the last, is the largest here
    rows = np.concatenate([rows, bad])
    a, b = taylor.affine(taylor.evaluation(rows), 0.0)
    largest = [0.0, 0.0]
    for t in [*rng.uniform(-1 / 32, 1 / 32, 12).tolist(), 1 / 32, -1 / 32, 1e-9]:
        p = np.zeros((len(rows), 2 * (DEGREE + 1)))
        p[:, : DEGREE + 1] = rows
        for i in range(len(rows)):
            value = _single(p[i : i + 1], t)
            with precision(4000):  # enough for every product of these to be exact
                exact = arb(0)
                for c in rows[i, ::-1].tolist():
                    exact = exact * arb(t) + arb(c)
                bound = arb(float(a[i])) + arb(float(b[i])) * abs(arb(t))
                assert exact.is_exact()
                off = abs(arb(value) - exact)
                assert off <= bound
                share = float(off / bound) if bound else 0.0
            small = int(abs(rows[i, 0]) < 2.0**-7)
            largest[small] = max(largest[small], share)
    assert largest[0] > 0.5  # half of the bound would not do
    assert largest[1] > 0.2


def _single(row: np.ndarray, t: float) -> float:
    """One polynomial at t, through the compiled loop: three cells that are the same."""
    cells, ends = np.repeat(row, 3, axis=0), np.array([-1.0 / CELLS, 1.0 / CELLS])
    out = [np.empty(1) for _ in range(4)]
    evaluate(np.array([t]), np.zeros(0), 0, cells, np.zeros((3, 4)), np.zeros((2, 5)), ends, 1.0, 1.0, *out)
    return float(out[0][0])


@pytest.mark.parametrize("family", [f for f in SOURCES if f not in ("sin", "arctan")])
def test_lane_tails(family: str) -> None:
    low, high = SOURCES[family].ends
    z = np.array([x for end in (low, high) for x in [*neighbours(float(end)), end * 1.01, end * 3.0, end * 50.0]])
    z = z[(z < low) | (z > high)]
    found = table(family)
    largest = worst(found, family, z)
    assert max(largest) <= 1
    assert min(largest) > 0.5  # attained: half of it would not do
    halved = found.far.copy()
    halved[:, [2, 4]] *= 0.5
    assert min(worst(replace(found, far=halved), family, z)) > 1


def test_lane_argument_radius() -> None:
    """B2 r in phi' and |phi'| r in phi are attained where phi'' and phi' are largest."""
    with precision(200):
        r = 1e-6
        for name, steepest, bent in (
            ("tanh", 0.0, 0.6584789484624084),
            ("gaussian", -1.0, 0.0),
            ("sin", 0.0, 1.5707963),
        ):
            value, radius, _, _ = phi_enclosure(name, [steepest], [r])
            reached = max(ratio(value[0], radius[0], phi_ball(name, arb(steepest) + s * arb(r))[0]) for s in (1, -1))
            assert 0.99 < reached <= 1
            _, _, slope, slope_radius = phi_enclosure(name, [bent], [r])
            reached = max(ratio(slope[0], slope_radius[0], phi_ball(name, arb(bent) + s * arb(r))[1]) for s in (1, -1))
            assert 0.99 < reached <= 1


def test_lane_rounding_of_radii() -> None:
    """A radius is at least the exact sum of its terms, which the plain float sum is not."""
    found = table("softplus")
    rng = np.random.default_rng(2)
    z, r = rng.uniform(-5, 5, 2000), rng.uniform(0, 1e-15, 2000)
    out = [np.empty(z.size) for _ in range(4)]
    evaluate(z, r, 1, found.coefficients, found.radii, found.far, found.ends, 0.7, 0.3, *out)
    short = 0
    for i in range(z.size):
        k = round(z[i] * CELLS)
        t = abs(Fraction(float(z[i])) - Fraction(k, CELLS))
        c, d = (Fraction(float(x)) for x in found.radii[k - int(found.ends[0]) * CELLS, 2:])
        exact = c + d * t + Fraction(0.3) * Fraction(float(r[i]))
        assert Fraction(float(out[3][i])) >= exact
        short += Fraction(float(out[3][i])) / Fraction(INFLATE) < exact
    assert short > 100


def test_lane_underflow() -> None:
    """Without the smallest term, results in the subnormal range lie outside."""
    needed = set()
    for name in ("silu", "gelu", "elu", "softplus", "gaussian", "leaky_relu", "leaky_relu:slope=0.3", "quadratic"):
        z = np.array([5e-324, -5e-324, 1.5e-323, -1.5e-323, 1e-310, -1e-310, 1e-162, -38.5])
        value, radius, _, _ = phi_enclosure(name, z)
        for i, x in enumerate(z.tolist()):
            true = exactly(name, x)[0]
            assert ratio(value[i], radius[i], true) <= 1
            if ratio(value[i], max(0.0, float(radius[i]) - TINY * (2 if kinked(name) else 1)), true) > 1:
                needed.add(name)
    assert {"silu", "gelu", "leaky_relu", "leaky_relu:slope=0.3", "quadratic"} <= needed


# -- lanes of sin and arctan ----------------------------------------------------------------------------------------


def test_lane_reduction(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    near = [y for k in (2, 3, 777, 63661, 127322) for y in neighbours(k * math.pi)]
    z = np.concatenate([rng.uniform(8, 4e5, 3000), rng.uniform(8, 30, 3000), near, neighbours(4e5)[:2], [8.0000001]])
    z = np.concatenate([z, -z])
    reduced = elementwise._sin_reduced(z)
    assert np.abs(reduced).max() < 4
    with precision(300):
        turn = 2 * arb.pi()
        off = []
        for x, y in zip(z.tolist(), reduced.tolist(), strict=True):
            k = round(x / (2 * math.pi))
            off.append(max(float(abs(arb(x) - k * turn - arb(y)).upper()), 0.0))
    assert 0.25 * elementwise.SIN_REDUCTION < max(off) <= elementwise.SIN_REDUCTION
    monkeypatch.setattr(elementwise, "SIN_REDUCTION", 0.0)
    value, radius, _, _ = phi_enclosure("sin", z)
    with precision(300):
        assert max(ratio(value[i], radius[i], arb(x).sin()) for i, x in enumerate(z.tolist())) > 1


def test_parts_of_two_pi() -> None:
    for part in (HALF_PI_1, HALF_PI_2):
        assert Fraction(part).numerator.bit_length() <= 37
    with precision(300):
        left = abs(arb.pi() / 2 - arb(HALF_PI_1) - arb(HALF_PI_2) - arb(HALF_PI_3))
        assert left < arb(2) ** -129
        assert elementwise.SIN_LIMIT / (2 * math.pi) + 1 < 2**16
        gap = abs(arb.pi() / 2 - arb(0.5 * math.pi))
        assert 0.5 * elementwise.HALF_PI_ERROR < float(gap) < elementwise.HALF_PI_ERROR


def test_lane_arctan_beyond_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    z = np.concatenate([rng.uniform(8, 40, 3000), np.exp(rng.uniform(2.1, 700, 1000))])

    def largest() -> float:
        value, radius, _, _ = phi_enclosure("arctan", z)
        with precision(200):
            return max(ratio(value[i], radius[i], arb(x).atan()) for i, x in enumerate(z.tolist()))

    assert largest() <= 1
    # The difference's own rounding, the quotient's and the constant's together: none of them is slack for the others.
    monkeypatch.setattr(elementwise, "HALF_PI_ERROR", 0.0)
    monkeypatch.setattr(elementwise, "UNIT_ROUNDOFF", 0.5 * U)
    assert largest() > 1


def test_lane_quotient_of_arctan(monkeypatch: pytest.MonkeyPatch) -> None:
    """The radius handed to the table covers the rounding of 1/|z|, and not much more."""
    z = np.random.default_rng(10).uniform(8, 1e5, 2000)
    calls = []
    original = elementwise._by_table

    def spy(chosen, x, r):  # type: ignore[no-untyped-def]
        calls.append((x, r))
        return original(chosen, x, r)

    monkeypatch.setattr(elementwise, "_by_table", spy)
    phi_enclosure("arctan", z)
    inverse, radius = calls[-1]
    with precision(200):
        shares = [
            float(abs(1 / arb(x) - arb(w)).upper()) / r
            for x, w, r in zip(z.tolist(), inverse.tolist(), radius.tolist(), strict=True)
        ]
    assert 0.5 < max(shares) <= 1


# -- constants ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*BUILTIN, *SLOPES[1:4]])
def test_every_constant_of_every_activation_is_proved(name: str) -> None:
    phi = activation(name)
    expansion = hermite_expansion(phi)
    assert expansion.rigorous
    constants = [phi.B1, phi.B2, phi.sup, *expansion.coefficients]
    constants += [expansion.mean, expansion.mean_square, expansion.variance, expansion.mean_derivative_square]
    for constant in constants:
        assert constant.rigorous
        assert constant.radius <= 8 * U * abs(constant.value) or constant.radius <= 1e-23 or not constant.finite
    with precision(160):
        for which in ("mean", "mean_square", "mean_derivative_square", "variance"):
            ball = moment_enclosure(phi, which, digits=40)
            again = moment_enclosure(phi, which, digits=20, method="integral")
            assert ball.overlaps(again)
            stated = getattr(expansion, which)
            assert arb(stated.lower) <= ball.lower()
            assert ball.upper() <= arb(stated.upper)
        for stated, ball in zip(expansion.coefficients, hermite_enclosures(phi, 8, digits=40), strict=False):
            assert arb(stated.lower) <= ball.lower()
            assert ball.upper() <= arb(stated.upper)


def test_suprema_that_are_written_as_digits() -> None:
    saved = ctx.prec
    with precision(160):
        assert ctx.prec != saved or saved == 160
        gelu = (-arb(1)).erfc() / 2 + (-arb(1)).exp() / arb.pi().sqrt()
        low, high = arb("2.39935728052"), arb("2.39935728051").union(arb("2.39935728052"))
        # z tanh(z/2) increases for z > 0: its root is in `high`, and at the maximum of silu' an error of e costs e^2.
        assert (arb("2.39935728051") * (arb("2.39935728051") / 2).tanh()) < 2 < (low * (low / 2).tanh())
        silu = (1 + high / (1 + high.exp())) / (1 + (-high).exp())
        assert BUILTIN["gelu"].B1.lower <= gelu.lower()
        assert gelu.upper() <= arb(BUILTIN["gelu"].B1.upper)
        assert arb(BUILTIN["silu"].B1.lower) < silu.upper()
        gaussian = (-arb(1) / 2).exp()
        assert arb(BUILTIN["gaussian"].B1.lower) < gaussian < arb(BUILTIN["gaussian"].B1.upper)
