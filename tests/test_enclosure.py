"""jacspec.enclosure: every bound against exact rational arithmetic, and what must be refused."""

from __future__ import annotations

import math
from typing import Any

import exact_matrices as em
import numpy as np
import pytest

from jacspec._checks import InputError
from jacspec.enclosure import (
    BallMatrix,
    SymmetricBall,
    assumptions,
    gram,
    hadamard,
    jacobian_singular_values,
    khatri_rao_singular_values,
    largest_eigenvalue,
    minimum_norm_solution,
    smallest_eigenvalue,
    smallest_singular_value,
    spectral_norm,
    symmetric_ball,
)
from jacspec.enclosure import eigenvalues as eigen
from jacspec.enclosure.outward import collatz_wielandt, spectral_norm_bound
from jacspec.rounding import Estimate


def sphere(n: int, d: int, seed: int = 0) -> np.ndarray:
    X = np.random.default_rng(seed).standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1)[:, None]


def judge(estimate: Any, A: Any, largest: bool = False) -> bool:
    """Whether a proved interval holds an extreme eigenvalue of an exact matrix."""
    lower, upper = em.rational(estimate.lower), em.rational(estimate.upper)
    return (em.bounds_largest if largest else em.bounds_smallest)(A, lower, upper)


def symmetric(rng: np.random.Generator, n: int, digits: float) -> np.ndarray:
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A = (Q * np.logspace(0, -digits, n)) @ Q.T
    return 0.5 * (A + A.T)


# -- eigenvalues ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_eigenvalues_of_exact_matrices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    A = symmetric(rng, int(rng.integers(1, 13)), float(rng.uniform(0, 17)))
    if seed % 4 == 1:  # indefinite
        A = A - float(rng.uniform(0, 1)) * np.eye(len(A))
    if seed % 8 == 2:
        A = A * 2.0 ** float(rng.integers(-1000, 1000))
    exact = em.rationals(A)
    low, high = smallest_eigenvalue(A), largest_eigenvalue(A)
    assert low.rigorous
    assert high.rigorous
    assert judge(low, exact)
    assert judge(high, exact, largest=True)


@pytest.mark.parametrize("gap", [1e-3, 1e-9, 0.0])
@pytest.mark.parametrize("digits", [0, 3, 8, 13])
def test_the_gap_that_is_asked_for_is_reached(gap: float, digits: float) -> None:
    A = symmetric(np.random.default_rng(int(digits)), 10, digits)
    found = smallest_eigenvalue(A, gap=gap)
    assert found.upper - found.lower <= max(gap, 1e-15) * found.upper
    assert judge(found, em.rationals(A))


@pytest.mark.parametrize("seed", range(12))
def test_eigenvalues_hold_for_every_matrix_in_the_ball(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 10))
    A = symmetric(rng, n, 4)
    radius = np.abs(symmetric(rng, n, 1)) * 10.0 ** -rng.uniform(3, 14)
    ball = symmetric_ball(A, radius)
    low, high = smallest_eigenvalue(ball), largest_eigenvalue(ball)
    for _ in range(4):
        signs = np.sign(rng.standard_normal((n, n)))
        member = [[a + r * s for a, r, s in zip(p, q, t, strict=True)] for p, q, t in _rows(A, radius, signs + signs.T)]
        assert judge(low, member)
        assert judge(high, member, largest=True)


def _rows(A: np.ndarray, radius: np.ndarray, signs: np.ndarray) -> Any:
    return zip(em.rationals(A), em.rationals(radius), em.rationals(signs / 2), strict=True)


def test_repeated_rows_are_never_certified_positive() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 12))
        A = rng.standard_normal((n, n + 3))
        A[-1] = A[0] * float(rng.choice([1.0, -1.0, 0.5, 4.0]))
        assert smallest_eigenvalue(gram(A)).lower == 0
        assert smallest_singular_value(A).exact_zero


@pytest.mark.parametrize("n", [1, 2, 5, 300])
def test_zero_matrices(n: int) -> None:
    for found in (smallest_eigenvalue(np.zeros((n, n))), largest_eigenvalue(np.zeros((n, n)))):
        assert found.contains(0.0)
        assert found.radius < 1e-250
    assert smallest_singular_value(np.zeros((n, n + 1))).exact_zero


def test_wide_matrices_of_low_rank_are_exactly_singular() -> None:
    A = np.ones((4, 9))
    A[1] = 2.0
    found = smallest_singular_value(A)
    assert found.exact_zero
    assert "rank" in found.note
    assert "more rows" in smallest_singular_value(np.ones((4, 3))).note


@pytest.mark.parametrize("n", [60, 200])
def test_certified_positive_at_a_condition_number_of_1e14(n: int) -> None:
    A = symmetric(np.random.default_rng(n), n, 14)
    truth = np.linalg.eigvalsh(A)[0]  # good to some 1e-16 in absolute terms
    found = smallest_eigenvalue(A)
    assert found.lower > 0
    assert found.relative_radius < 1e-8
    assert abs(found.value - truth) < 1e-14


@pytest.mark.parametrize("n", [40, 300, 700])
def test_large_well_conditioned_matrices(n: int) -> None:
    G = gram(sphere(n, 60, n))
    S = hadamard(G, G)
    values = np.linalg.eigvalsh(S.mid * 2.0**S.exponent)
    for found, value in ((smallest_eigenvalue(S), values[0]), (largest_eigenvalue(S), values[-1])):
        assert found.relative_radius < 5e-10
        assert found.widened(1e-12).contains(value)


@pytest.mark.parametrize("exponent", [-1060, -900, 900, 1010])
def test_balls_of_any_size(exponent: int) -> None:
    A = np.ldexp(np.array([[2.0, 1.0], [1.0, 2.0]]), exponent)
    for ball in (SymmetricBall(A), symmetric_ball(A, A / 2**10), symmetric_ball(A)):
        assert judge(smallest_eigenvalue(ball), em.rationals(A))
        assert judge(largest_eigenvalue(ball), em.rationals(A), largest=True)
    S = hadamard(SymmetricBall(A), SymmetricBall(np.eye(2), exponent=-exponent))
    assert smallest_eigenvalue(S).contains(2.0)
    assert smallest_eigenvalue(S).relative_radius < 1e-9


def test_clusters_and_multiple_eigenvalues() -> None:
    n = 300
    for A, low, high in ((np.eye(n), 1.0, 1.0), (np.eye(n) + np.ones((n, n)), 1.0, n + 1.0)):
        assert smallest_eigenvalue(A).contains(low)
        assert largest_eigenvalue(A).contains(high)
        assert smallest_eigenvalue(A).relative_radius < 1e-9


def test_indefinite_large_matrices() -> None:
    A = np.random.default_rng(0).standard_normal((400, 400))
    A = A + A.T
    values = np.linalg.eigvalsh(A)
    for found, value in ((smallest_eigenvalue(A), values[0]), (largest_eigenvalue(A), values[-1])):
        assert found.widened(1e-11).contains(value)
        assert found.relative_radius < 1e-9


# -- singular values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(80))
def test_singular_values_of_awkward_matrices(seed: int) -> None:
    A = em.awkward(np.random.default_rng(1000 + seed), 9)
    assert em.holds_singular(em.rationals(A), smallest_singular_value(A), spectral_norm(A))


@pytest.mark.parametrize("digits", [2, 8, 12, 15])
def test_small_singular_values_keep_their_digits(digits: int) -> None:
    A = em.conditioned(np.random.default_rng(digits), 30, 40, digits)
    found = smallest_singular_value(A)
    assert found.lower > 0
    assert found.relative_radius < 1e-9


@pytest.mark.parametrize("seed", range(20))
def test_singular_values_hold_for_every_matrix_in_the_ball(seed: int) -> None:
    rng = np.random.default_rng(seed)
    A = em.awkward(rng, 6)
    radius = np.abs(A) * 10.0 ** -rng.uniform(1, 15)
    low, high = smallest_singular_value(A, radius), spectral_norm(BallMatrix(A, radius))
    for _ in range(3):
        signs = em.rationals(np.sign(rng.standard_normal(A.shape)))
        entries = zip(em.rationals(A), em.rationals(radius), signs, strict=True)
        member = [[a + r * s for a, r, s in zip(p, q, t, strict=True)] for p, q, t in entries]
        assert em.holds_singular(member, low, high)


@pytest.mark.parametrize("seed", range(30))
def test_jacobian_singular_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, k, d = int(rng.integers(1, 8)), int(rng.integers(1, 5)), int(rng.integers(1, 4))
    D, X = rng.standard_normal((n, k)), sphere(n, d, seed)
    if seed % 3 == 0:
        D *= 2.0 ** float(rng.integers(-600, 400))
    radius = np.abs(D) * (0.0 if seed % 2 else 10.0 ** -rng.uniform(2, 16))
    low, high = jacobian_singular_values(BallMatrix(D, radius), X)
    for sign in (-1, 0, 1):
        member = [
            [a + sign * r for a, r in zip(p, q, strict=True)]
            for p, q in zip(em.rationals(D), em.rationals(radius), strict=True)
        ]
        assert em.holds_singular(em.khatri_rao(member, em.rationals(X)), low, high)
    if n > k * d:
        assert low.exact_zero


@pytest.mark.parametrize("seed", range(20))
def test_khatri_rao_singular_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 8)), int(rng.integers(1, 5))
    X = sphere(n, d, seed)
    if seed % 3 == 0 and n > 1:  # nearly parallel rows: the Gram matrix loses half of the digits
        X[1] = X[0] + 10.0 ** -rng.uniform(3, 15) * rng.standard_normal(d)
    if seed % 5 == 0 and n > 1:
        X[-1] = -X[0]
    low, high = khatri_rao_singular_values(X)
    exact = em.rationals(X)
    assert em.holds_singular(em.khatri_rao(exact, exact), low, high)
    if n > d * (d + 1) // 2 or (seed % 5 == 0 and n > 1):
        assert low.exact_zero


def test_nearly_parallel_rows_keep_their_digits() -> None:
    X = sphere(60, 20, 5)
    X[1] = X[0] + 1e-6 * sphere(1, 20, 6)[0]
    low, _ = khatri_rao_singular_values(X)
    assert low.lower > 1e-7
    assert low.relative_radius < 1e-8


# -- the minimum-norm solution --------------------------------------------------------------------------------------


def _solve(G: Any, r: Any) -> list[Any]:
    """Exact solution of a rational system."""
    from flint import fmpq_mat

    n = len(G)
    return [x[0] for x in fmpq_mat(n, n, [x for row in G for x in row]).solve(fmpq_mat(n, 1, list(r))).tolist()]


@pytest.mark.parametrize("seed", range(40))
def test_minimum_norm_solution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    d = int(rng.integers(1, 4))
    k = -(-n // d) + int(rng.integers(0, 3))
    D, X, r = rng.standard_normal((n, k)), sphere(n, d, seed), rng.standard_normal(n)
    D = D * 2.0 ** float(rng.integers(-200, 200) if seed % 3 == 0 else 0)
    r = r * 2.0 ** float(rng.integers(-300, 300) if seed % 4 == 0 else 0)
    D_radius = np.abs(D) * (0.0 if seed % 2 else 10.0 ** -rng.uniform(5, 16))
    r_radius = np.abs(r) * (0.0 if seed % 5 else 10.0 ** -rng.uniform(2, 16))
    found = minimum_norm_solution(BallMatrix(D, D_radius), X, r, r_radius)
    assert found.delta is not None
    assert found.delta.shape == (k, d)
    for sign in (-1, 0, 1):
        A = [
            [a + sign * e for a, e in zip(p, q, strict=True)]
            for p, q in zip(em.rationals(D), em.rationals(D_radius), strict=True)
        ]
        right = [a - sign * e for a, e in zip(em.vector(r), em.vector(r_radius), strict=True)]
        J = em.khatri_rao(A, em.rationals(X))
        c = _solve(em.gram(J), right)
        delta = [sum((row[j] * x for row, x in zip(J, c, strict=True)), em.rational(0.0)) for j in range(k * d)]
        middle, radii = em.vector(found.delta.mid), em.vector(found.delta.rad)
        assert all(abs(s - m) <= e for s, m, e in zip(delta, middle, radii, strict=True))
        gap = sum(((s - m) ** 2 for s, m in zip(delta, middle, strict=True)), em.rational(0.0))
        assert gap <= em.square(found.error)
        size = sum((s**2 for s in delta), em.rational(0.0))
        assert em.square(found.norm.lower) <= size <= em.square(found.norm.upper)
        assert em.bounds_smallest(em.gram(J), 1 / em.square(found.inverse_norm.upper), em.power(4000))


def test_minimum_norm_solution_is_narrow() -> None:
    rng = np.random.default_rng(3)
    D, X, r = rng.standard_normal((40, 30)), sphere(40, 10), rng.standard_normal(40)
    found = minimum_norm_solution(BallMatrix(D, 1e-15 * np.abs(D)), X, r)
    assert found.error < 1e-12 * found.norm.value
    assert found.norm.relative_radius < 1e-12


def test_minimum_norm_solution_says_when_there_is_none() -> None:
    X = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    tall = minimum_norm_solution(np.ones((3, 1)), X, np.ones(3))
    assert tall.delta is None
    assert tall.sigma_min.exact_zero
    assert math.isinf(tall.error)
    same = minimum_norm_solution(np.ones((3, 2)), X, np.ones(3))
    assert same.delta is None
    assert "not proved" in same.norm.note
    vague = minimum_norm_solution(BallMatrix(np.ones((1, 1)), np.full((1, 1), 2.0)), [[1.0]], [1.0])
    assert vague.delta is None


# -- traps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [(0, 0), (1, 2), (3, 3), (3, 0)])
def test_a_factor_that_is_not_finite_proves_nothing(index: tuple[int, int]) -> None:
    A = 4.0 * np.eye(4)
    A[index] = A[index[::-1]] = math.nan
    with np.errstate(all="ignore"):
        assert eigen.cholesky_bound(A, 0.0) is None
    A[index] = A[index[::-1]] = math.inf
    with np.errstate(all="ignore"):
        assert eigen.cholesky_bound(A, 0.0) is None


def test_a_lying_factorisation_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    def lying(A: Any, **_: Any) -> Any:
        return np.full_like(A, math.nan), 0

    monkeypatch.setattr(eigen.sla.lapack, "dpotrf", lying)
    assert eigen.cholesky_bound(np.eye(3), 0.5) is None


def test_bad_guesses_make_wide_intervals_and_never_wrong_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    A = symmetric(np.random.default_rng(0), 8, 3)
    exact = em.rationals(A)
    for value in (-1e3, -1.0, 0.0, 0.5, 7.0, 1e6):
        vector = np.random.default_rng(1).standard_normal(8)
        monkeypatch.setattr(eigen, "_guess", lambda *_, v=value, x=vector: eigen._Guess(v, x))
        assert judge(smallest_eigenvalue(A, gap=1e-1), exact)
        assert judge(smallest_eigenvalue(A), exact)
        wide = smallest_eigenvalue(SymmetricBall(A), gap=10.0)
        assert judge(wide, exact)


def test_an_iteration_that_misses_the_end_of_the_spectrum_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    A = symmetric(np.random.default_rng(0), 300, 2)
    values, vectors = np.linalg.eigh(A)
    monkeypatch.setattr(eigen, "_guess", lambda *_: eigen._Guess(float(values[5]), vectors[:, 5].copy()))
    found = smallest_eigenvalue(A)
    assert found.widened(1e-14).contains(values[0])
    assert found.relative_radius < 1e-9


def test_collatz_wielandt_bounds_norms() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        A = np.abs(rng.standard_normal((7, 5))) * 10.0 ** rng.uniform(-200, 200)
        truth = np.linalg.norm(A / A.max(), 2) * A.max()
        assert truth * (1 - 1e-12) <= spectral_norm_bound(A) <= 1.2 * truth
        B = (A / A.max()) @ (A / A.max()).T
        assert collatz_wielandt(lambda x, B=B: B @ x, 7, 8) >= np.linalg.eigvalsh(B)[-1] * (1 - 1e-14)


def test_assumptions_hold_here() -> None:
    found = assumptions()
    assert found.hold
    assert found.gradual_underflow


def test_assumptions_notice_other_modes() -> None:
    with em.processor_mode(em.UPWARD) as changed:
        upward = assumptions() if changed else None
    with em.processor_mode(em.FLUSH) as changed:
        flushing = assumptions() if changed else None
    if upward is None or flushing is None:
        pytest.skip("the processor's modes cannot be set from here")
    assert not upward.round_to_nearest
    assert not upward.hold
    assert flushing.hold
    assert not flushing.gradual_underflow


@pytest.mark.parametrize("seed", range(30))
def test_flushing_to_zero_breaks_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    A = em.awkward(rng, 7)
    if seed % 2:
        A = A * np.ldexp(1.0, rng.integers(-1000, 0, A.shape))
    with em.processor_mode(em.FLUSH | em.TO_ZERO_INPUTS) as changed:
        found = smallest_singular_value(A), spectral_norm(A)
    if not changed:
        pytest.skip("the processor's modes cannot be set from here")
    if not found[0].exact_zero:
        assert em.holds_singular(em.rationals(A), *found)


def test_numbers_that_the_processor_reads_as_zero_are_not_taken_for_exact() -> None:
    # Independent rows, of which one is all subnormal: no rank may be decided from what is left.
    A = np.array([[2.0**-900, 2.0**-901, 0.0], [2.0**-1030, 0.0, 2.0**-1031]])
    X = np.array([[0.6, 0.8], [2.0**-1030, 0.0]])
    with em.processor_mode(em.FLUSH | em.TO_ZERO_INPUTS) as changed:
        if changed:
            found = smallest_singular_value(A), spectral_norm(A)
            diagonal = smallest_eigenvalue(np.diag([2.0**-500, 2.0**-1030]))
            pair = jacobian_singular_values(np.eye(2), A)
            squares = khatri_rao_singular_values(X)
            with pytest.raises(InputError):
                minimum_norm_solution(np.eye(2), A, [1.0, 1.0])
    if not changed:
        pytest.skip("the processor's modes cannot be set from here")
    assert not found[0].exact_zero
    assert em.holds_singular(em.rationals(A), *found)
    assert not pair[0].exact_zero
    assert not squares[0].exact_zero
    assert diagonal.contains(2.0**-1030)


def test_a_gram_matrix_does_not_follow_later_changes_of_the_data() -> None:
    A = em.conditioned(np.random.default_rng(0), 6, 8, 9.0)
    A *= 0.75 / np.abs(A).max()  # already in its own units
    before, S = em.gram(em.rationals(A)), gram(A)
    A[:] = np.eye(6, 8) / 8
    found = smallest_eigenvalue(S)
    assert em.bounds_smallest(before, em.rational(found.lower), em.rational(found.upper))


def test_balls_do_not_follow_later_changes_of_the_data() -> None:
    S, rad = np.array([[1.0, 0.5], [0.5, 1.0]]), np.full((2, 2), 0.25)
    sharp, wide, ball = symmetric_ball(S), symmetric_ball(S, rad), BallMatrix(S, rad)
    S[:], rad[:] = 0.0, 0.0
    assert smallest_eigenvalue(sharp).contains(0.5)
    found = smallest_eigenvalue(wide)
    assert found.contains(0.5)
    assert found.contains(0.0)
    assert np.array_equal(ball.mid, [[1.0, 0.5], [0.5, 1.0]])
    assert np.array_equal(ball.rad, np.full((2, 2), 0.25))


def test_what_is_no_vector_bounds_nothing() -> None:
    for x in (np.zeros(3), np.full(3, math.nan)):
        assert eigen.rayleigh_bound(np.eye(3), x) == math.inf


def test_roots_of_odd_powers_of_two() -> None:
    from jacspec.enclosure.singular import _root, _unit

    S = SymmetricBall(np.array([[1.0]]), (), 5, None, True, lambda: SymmetricBall(np.array([[2.0]]), (), 4, None, True))
    unit = _unit(S)
    assert unit.refine is not None
    assert (unit.exponent, unit.refine().exponent) == (0, -1)
    assert _root(smallest_eigenvalue(unit), S.exponent).contains(math.sqrt(32.0))


def test_intervals_near_zero_survive_flushing() -> None:
    # Bits, not comparisons: to such a processor 5e-324 is zero, and an interval that ends there would be exactly zero.
    with em.processor_mode(em.FLUSH | em.TO_ZERO_INPUTS) as changed:
        tiny = Estimate.from_bounds(5e-324, 1e-310, True)
        below = Estimate.from_bounds(-5e-324, -5e-324, True)
        moved = Estimate.exact(0.0).widened(5e-324)
        product = tiny * tiny
        small = khatri_rao_singular_values(np.array([[2.0**-530, 0.0], [2.0**-530, 2.0**-540]]))
    if not changed:
        pytest.skip("the processor's modes cannot be set from here")
    assert tiny.lower <= 5e-324
    assert tiny.upper >= 1e-310
    assert below.contains(-5e-324)
    assert moved.contains(5e-324)
    assert product.upper > 0
    for found in small:
        assert not found.exact_zero
    assert small[1].upper >= 2.0**-1060
