"""The claims of docs/theory.md section 3: verdicts, mutants, floors, known values, a user's data, and their helpers."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

from jacspec import activation, bounds
from verification.arithmetic import Float64, Multiprecision
from verification.ball import Ball
from verification.claim import Verdict, check
from verification.claims import load
from verification.domains import ALL_ACTIVATIONS
from verification.instances import build_rows
from verification.kernels import (
    by_quadrature,
    by_quadrature_ball,
    covariance,
    covariance_eigenvalues,
    geometry,
    kernel_ball,
    power_sigma_min,
)
from verification.verify import Options, verify_claim

SLUGS = (
    "hermite-parseval",
    "kernel-expansion",
    "covariance-hermite-bound",
    "covariance-upper-bound",
    "relu-covariance",
    "relu-separation",
)
MUTANTS = [(slug, mutant.name) for slug in SLUGS for mutant in load(slug).mutants]
FLOAT64, PRECISE = Float64(), Multiprecision(60)


@pytest.fixture(scope="module")
def reports():
    return {slug: verify_claim(load(slug), Options(examples=150)) for slug in SLUGS}


@pytest.mark.parametrize("slug", SLUGS)
def test_holds_and_decides(reports, slug):
    claim, report = load(slug), reports[slug]
    assert [v.name for v in report.variants] == [v.name for v in claim.variants]
    for variant in report.variants:
        assert variant.verdict is Verdict.HOLDS, variant
        assert variant.decided >= claim.floor * (variant.instances - len(claim.extremal)), variant


def test_some_bounds_are_not_trivial(reports):
    # A bound of zero holds of itself; at least a quarter of the instances must test more.
    for variant in reports["covariance-hermite-bound"].variants[2:]:
        assert math.isfinite(variant.median_slack), variant


@pytest.mark.parametrize("slug", SLUGS)
def test_reproducible(slug):
    first, second = (asdict(verify_claim(load(slug), Options(examples=12, seed=3))) for _ in range(2))
    del first["seconds"], second["seconds"]
    assert first == second


@pytest.mark.parametrize(("slug", "name"), MUTANTS)
def test_mutants_are_refuted(slug, name):
    claim = load(slug)
    mutant = next(m for m in claim.mutants if m.name == name)
    # Instances that refute come first to hand among the extremal ones; three seeds of fuzzing need not run then.
    for seed in range(3):
        report = verify_claim(claim.mutated(mutant), Options(examples=50, seed=seed))
        assert report.variants[0].verdict is Verdict.VIOLATED, report.variants[0]
        assert report.variants[0].witness is not None


def test_paper_bound_is_attained_by_the_square(reports):
    variant = reports["covariance-hermite-bound"].variants[0]
    assert variant.min_slack == pytest.approx(1.0, abs=1e-14)


# -- values by hand ---------------------------------------------------------------------------------------------------


def sides_of(slug, spec, arithmetic=FLOAT64):
    claim = load(slug)
    return claim.sides(claim.domain.build(spec, 0), arithmetic)


def test_relu_separation_of_orthogonal_pair():
    # Two orthonormal rows: delta = sqrt 2 and Sigma = I/2.
    found = sides_of("relu-separation", {"n": 2, "d": 2, "rows": "orthogonal", "phi": "relu", "seed": 1})
    assert found["sharp"].left.contains(math.sqrt(2) / 34)
    assert found["paper"].left.contains(math.sqrt(2) / 400)
    assert found["paper"].right.contains(0.5)


def test_relu_covariance_of_three_rows_at_60_degrees():
    spec = {"n": 3, "d": 2, "rows": "arc", "angle": math.pi / 3, "phi": "relu", "seed": 1}
    S, radius = covariance(build_rows(spec), FLOAT64)
    expected = np.array([[1 / 2, 1 / 6, -1 / 12], [1 / 6, 1 / 2, 1 / 6], [-1 / 12, 1 / 6, 1 / 2]])
    assert np.abs(S - expected).max() <= radius + 1e-15
    assert power_sigma_min(build_rows(spec), FLOAT64, 2).contains(math.sqrt(0.75))


def test_hermite_bound_of_the_square():
    # phi = x^2/2 on two rows at angle t: Sigma = (XX^T)^{o2}, lambda = 1 - cos(t)^2.
    spec = {"n": 2, "d": 2, "rows": "arc", "angle": 0.3, "phi": "quadratic", "r": 1, "seed": 1}
    for arithmetic in (FLOAT64, PRECISE):
        with PRECISE.working():
            found = sides_of("covariance-hermite-bound", spec, arithmetic)["paper"]
            for side in (found.left, found.right):
                assert float(arithmetic.split(side)[0]) == pytest.approx(math.sin(0.3) ** 2, abs=1e-14)


def test_upper_bound_of_equal_rows():
    found = sides_of("covariance-upper-bound", {"n": 4, "d": 2, "rows": "equal", "phi": "relu", "seed": 1})
    assert found["largest"].left.contains(2.0)
    assert found["largest"].right.contains(2.0)
    assert found["smallest"].left.exact_zero
    assert found["mean square"].right.contains(1.0)


def test_parseval_of_relu():
    # mu_0 = 1/2 and mu_1^2 = 1/(2 pi): 1/2 - 1/4 - 1/(2 pi) is left of 1/2 after two terms.
    left = 0.25 - 1 / (2 * math.pi)
    assert left < bounds.parseval_tail_jump(1.0, 2) < 8 * left
    record = check(load("hermite-parseval"), load("hermite-parseval").domain.build({"phi": "relu", "R": 2, "r": 1}, 0))
    assert all(r.verdict is Verdict.HOLDS for r in record.values())


def test_jump_tail_bounds_the_exact_sum():
    squares = [0.0] * 4000
    squares[0], c = 0.25, 1.0
    for m in range(1999):
        squares[2 * m + 1] = c / (2 * math.pi * (2 * m + 1))
        c *= (2 * m + 1) / (2 * m + 2)
    for R in (1, 2, 3, 4, 7, 20, 101, 1000):
        rest = 0.5 - math.fsum(squares[:R])
        assert rest <= bounds.parseval_tail_jump(1.0, R) <= 3 * rest


def test_kernel_expansion_of_sine():
    # E[cos a cos b] = exp(-1) cosh(rho); sides compare it with sum_r mu_r^2 rho^r.
    spec = {"n": 2, "d": 2, "rows": "arc", "angle": 0.7, "phi": "sin", "seed": 1}
    rho, theta = geometry(build_rows(spec))
    value = float(kernel_ball(activation("sin"), rho[0, 1], theta[0, 1]))
    assert value == pytest.approx(math.exp(-1) * math.cosh(math.cos(0.7)), rel=1e-14)


# -- assumptions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"n": 1, "d": 2, "rows": "sphere", "phi": "relu"}, "n = 1"),
        ({"n": 3, "d": 2, "rows": "repeated", "phi": "relu"}, "exactly 0"),
        ({"n": 3, "d": 2, "rows": "antipodal", "phi": "relu"}, "exactly 0"),
    ],
)
def test_separation_says_why_it_is_void(spec, word):
    claim = load("relu-separation")
    records = check(claim, claim.domain.build(spec, 0))
    assert all(r.verdict is Verdict.VACUOUS and word in r.reason for r in records.values())


def test_antipodal_rows_do_not_void_the_matrix_form():
    claim = load("covariance-hermite-bound")
    spec = {"n": 2, "d": 2, "rows": "antipodal", "phi": "relu", "r": 2}
    found = claim.sides(claim.domain.build(spec, 0), FLOAT64)
    assert found["paper"].left.exact_zero
    assert found["matrix form"].left.lower > 0.1
    assert found["matrix form"].right.contains(0.5)


# -- a user's data ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", SLUGS)
def test_on_data(slug):
    X = np.random.default_rng(5).standard_normal((7, 5))
    X /= np.linalg.norm(X, axis=1)[:, None]
    report = verify_claim(load(slug), Options(X=X))
    for variant in report.variants:
        assert variant.verdict is Verdict.HOLDS, variant
        assert variant.decided > 0


def test_own_activation_is_judged_in_float64():
    claim = load("covariance-upper-bound")
    spec = {"n": 3, "d": 3, "rows": "sphere", "phi": "expr:x*sigmoid(2*x)", "seed": 1}
    assert {r.verdict for r in check(claim, claim.domain.build(spec, 0)).values()} == {Verdict.HOLDS}


# -- the helpers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ALL_ACTIVATIONS, "leaky_relu:slope=-0.5"])
@pytest.mark.parametrize(
    ("rows", "angle"), [("sphere", 0.1), ("parallel", 1e-8), ("near-pairs", 1e-8), ("orthogonal", 0.1)]
)
def test_both_arithmetics_give_one_covariance(name, rows, angle):
    instance = build_rows({"n": 4, "d": 3, "rows": rows, "angle": angle, "phi": name, "seed": 2})
    S, radius = covariance(instance, FLOAT64)
    with PRECISE.working():
        T, error = covariance(instance, PRECISE)
        gap = np.linalg.norm((S - T).astype(float), 2)
        assert gap <= radius + error
        low, top = covariance_eigenvalues(instance, PRECISE)
        assert low.upper >= 0
        assert low.upper <= top.upper
        # 60 digits mean something: only the tail of a series with singularities near the line is coarser.
        assert error < (1e-16 if name == "arctan" else 1e-20)


@pytest.mark.parametrize("name", ["tanh", "softplus", "sigmoid", "silu", "arctan"])
@pytest.mark.parametrize("theta", [1e-9, 0.4, math.pi / 2, 3.0, math.pi])
def test_quadrature_in_both_arithmetics(name, theta):
    from flint import arb

    from jacspec.hermite.ball import precision

    phi = activation(name)
    value, error = by_quadrature(phi, theta)
    with precision(160):
        ball = by_quadrature_ball(phi, arb(theta), accuracy=1e-16)
        series = kernel_ball(phi, arb(theta).cos(), arb(theta))
        assert ball.overlaps(series)
        assert abs(value - float(ball.mid())) <= error


@pytest.mark.parametrize("theta", [0.0, 1e-12, 0.3, 1.5, 1.5707963267948966, 1.6, 3.0, 3.141592653589793])
def test_elu_kernel_against_a_double_integral(theta):
    from flint import arb

    from jacspec.hermite.ball import precision

    phi = activation("elu")
    with precision(256):
        found = kernel_ball(phi, arb(theta).cos(), arb(theta))
    assert found.is_finite()
    # E[phi'(b) | a] in closed form, then one integral over a.
    c, s = math.cos(theta), math.sin(theta)
    with mp.workdps(30):

        def inner(mean):
            if s < 1e-9:
                return mpmath.exp(min(mean, mpf(0)))
            up = mpmath.ncdf(mean / s)
            return up + mpmath.exp(mean + mpf(s) ** 2 / 2) * mpmath.ncdf(-(mean + mpf(s) ** 2) / s)

        def outer(a):
            return mpmath.npdf(a) * mpmath.exp(min(a, mpf(0))) * inner(a * mpf(c))

        expected = mpmath.quad(outer, [-12, -3, -1, 0, 1, 3, 12])
    assert float(found.mid()) == pytest.approx(float(expected), abs=1e-8 if s < 1e-9 else 1e-12)


def test_ball_arithmetic_encloses():
    with mp.workdps(60):
        third = Ball.of(mpf(1) / 3, mpf(10) ** -40)
        for value, exact in (
            (third + third, mpf(2) / 3),
            (1 - third, mpf(2) / 3),
            (third * 3, mpf(1)),
            (1 / third, mpf(3)),
            (third / 2, mpf(1) / 6),
            (third**2, mpf(1) / 9),
            (third**0.5, mpmath.sqrt(mpf(1) / 3)),
            (abs(-third), mpf(1) / 3),
        ):
            assert value.lower <= exact <= value.upper
            assert value.radius < mpf(10) ** -38
        around_zero = Ball.of(mpf(0), mpf(1))
        assert abs(around_zero.nonnegative().lower) < mpf(10) ** -55
        assert (around_zero**0.5).upper >= 1
        with pytest.raises(ZeroDivisionError):
            third / around_zero
        with pytest.raises(ValueError, match="exponent"):
            third**1.5


# -- delete a factor --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "function", "factor"),
    [
        ("covariance-hermite-bound", "hermite_lower", 1.001),
        ("covariance-hermite-bound", "hermite_lower_matrix", 1.02),
        ("covariance-upper-bound", "covariance_upper", 0.999),
        ("covariance-upper-bound", "covariance_norm_upper", 0.999),
        ("covariance-upper-bound", "mean_derivative_square_upper", 0.999),
        ("relu-covariance", "relu_covariance", 1.001),
        ("relu-covariance", "relu_hermite_lower", 1.001),
        ("kernel-expansion", "hermite_kernel", 1.001),
        ("hermite-parseval", "parseval_tail", 0.9),
        # 5.4 times below what two rows allow, 64 times for the paper's: smaller changes cannot be seen.
        ("relu-separation", "relu_separation_sharp", 5.5),
        ("relu-separation", "relu_separation_paper", 64),
    ],
)
def test_bounds_cannot_be_changed_unnoticed(monkeypatch, slug, function, factor):
    from fractions import Fraction

    claim, own = load(slug), getattr(bounds, function)
    ratio = Fraction(factor).limit_denominator(1000)

    def changed(*args):
        return own(*args) * ratio.numerator / ratio.denominator

    monkeypatch.setattr(bounds, function, changed)
    if function == "relu_covariance":  # the default of an argument of the claim's
        mutant = next(m for m in claim.mutants if m.name == "thousandth")
        claim = claim.mutated(mutant)
    verdicts = {v.verdict for v in verify_claim(replace(claim, mutants=()), Options(examples=60)).variants}
    assert Verdict.VIOLATED in verdicts
