"""Every error term of jacspec.enclosure in a lane of its own: with it the bound holds, without it a case breaks it.

End to end, the slack of one term hides that another is missing. So each primitive is held against exact rationals by
itself, the largest true error over its bound is recorded, and each term is dropped (halved, where the bound is sharp)
to see that some case notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import exact_matrices as em
import numpy as np
import pytest

from jacspec.enclosure import (
    BallMatrix,
    ErrorTerm,
    SymmetricBall,
    gram,
    hadamard,
    jacobian_singular_values,
    refine,
    singular,
    solve,
    spectral_norm,
)
from jacspec.enclosure import eigenvalues as eigen
from jacspec.enclosure.exact_products import Product, product

Record = Callable[[str, object], None]


def added(A: Any, B: Any, sign: int = 1) -> Any:
    return [[a + sign * b for a, b in zip(p, q, strict=True)] for p, q in zip(A, B, strict=True)]


def excess(ball: SymmetricBall, truth: Any) -> float:
    """The largest true entrywise error over its bound."""
    factor = em.power(ball.exponent)
    found = em.rationals(ball.mid)
    if ball.low is not None:
        found = added(found, em.rationals(ball.low))
    bound = replace(ball, low=None).radius()
    return em.excess([[x / factor for x in row] for row in truth], found, bound)


def scaled_terms(ball: SymmetricBall, index: int, factor: float) -> SymmetricBall:
    terms = tuple(replace(t, left=factor * t.left) if i == index else t for i, t in enumerate(ball.terms))
    return replace(ball, terms=terms)


def lanes(cases: Iterator[tuple[SymmetricBall, Any]], index: int, factor: float) -> tuple[float, float]:
    """(largest excess, largest excess with one term multiplied by `factor`)."""
    whole = mutated = 0.0
    for ball, truth in cases:
        whole = max(whole, excess(ball, truth))
        mutated = max(mutated, excess(scaled_terms(ball, index, factor), truth))
    return whole, mutated


# -- Gram matrices and Hadamard products ----------------------------------------------------------------------------


def grams(m: int, count: int, relative: float = 0.0) -> Iterator[tuple[SymmetricBall, Any]]:
    for seed in range(count):
        rng = np.random.default_rng(seed)
        A = 1 + 2.0 ** -float(rng.integers(20, 28)) * rng.random((3, m))  # short products round by nearly u
        radius = relative * np.abs(A)
        member = added(em.rationals(A), em.rationals(radius))
        yield gram(A, radius), em.gram(member)


@pytest.mark.parametrize("m, factor", [(1, 0.5), (2, 0.0), (7, 0.0)])
def test_rounding_of_a_gram_matrix(m: int, factor: float, record_property: Record) -> None:
    whole, mutated = lanes(grams(m, 60), 0, factor)
    record_property("error over bound", whole)
    assert whole <= 1
    assert mutated > 1


@pytest.mark.parametrize("relative", [1e-14, 1e-3, 1.0])
def test_radii_of_the_data_of_a_gram_matrix(relative: float, record_property: Record) -> None:
    whole, mutated = lanes(grams(3, 5, relative), 1, 0.9)
    record_property("error over bound", whole)
    assert 0.9 < whole <= 1
    assert mutated > 1


def number(p: float, a: float) -> SymmetricBall:
    """p within a."""
    return SymmetricBall(np.array([[p]]), (ErrorTerm(np.array([0.5 * a]), np.ones(1)),))


@pytest.mark.parametrize(
    "index, factor, p, a, q, b",
    [
        (0, 0.9, 3.0, 2.0**-20, 5.0, 2.0**-10),  # |P| o E_Q
        (1, 0.9, 3.0, 2.0**-10, 5.0, 2.0**-20),  # E_P o |Q|
        (2, 0.5, 1.0, 4.0, 1.0, 4.0),  # E_P o E_Q, first half
        (3, 0.5, 1.0, 4.0, 1.0, 4.0),  # and second
        (4, 0.5, 1 + 2.0**-26 + 2.0**-52, 0.0, 1 + 2.0**-27, 0.0),  # rounding of the product
    ],
)
def test_terms_of_a_hadamard_product(
    index: int, factor: float, p: float, a: float, q: float, b: float, record_property: Record
) -> None:
    truth = [[(em.rational(p) + em.rational(a)) * (em.rational(q) + em.rational(b))]]
    ball = hadamard(number(p, a), number(q, b))
    whole, mutated = excess(ball, truth), excess(scaled_terms(ball, index, factor), truth)
    record_property("error over bound", whole)
    assert whole <= 1
    assert mutated > 1


@pytest.mark.parametrize("seed", range(10))
def test_hadamard_of_gram_balls(seed: int, record_property: Record) -> None:
    rng = np.random.default_rng(seed)
    n, k, d = 4, 3, 2
    D, X = rng.standard_normal((n, k)), rng.standard_normal((n, d))
    radius = np.abs(D) * 10.0 ** -float(rng.integers(1, 16))
    S = hadamard(gram(D, radius), gram(X))
    for sign in (-1, 0, 1):
        member = added(em.rationals(D), em.rationals(radius), sign)
        truth = em.entrywise(em.gram(member), em.gram(em.rationals(X)))
        ratio = excess(S, truth)
        record_property("error over bound", ratio)
        assert ratio <= 1
        assert S.refine is not None
        assert excess(S.refine(), truth) <= 1


def test_the_norm_of_the_error_is_that_of_its_radius() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        D, X = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
        S = hadamard(gram(D, 1e-3 * np.abs(D)), gram(X))
        truth = np.linalg.eigvalsh(replace(S, low=None).radius())[-1]
        assert truth * (1 - 1e-12) <= S.error_bound <= 1.1 * truth


# -- products in twice the working precision ------------------------------------------------------------------------


def product_excess(A: np.ndarray, B: np.ndarray, change: Callable[[Product], Product] = lambda p: p) -> float:
    p = change(product(A, B))
    truth = em.product(em.rationals(A), em.rationals(B))
    found = added(em.rationals(p.high), em.rationals(p.low))
    bound = np.outer(p.row_error, p.column_norm) + np.outer(p.row_norm, p.column_error)
    return em.excess(truth, found, bound * (1 + 1e-15))


def pairs(t: int, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for seed in range(count):
        rng = np.random.default_rng(seed)
        yield rng.standard_normal((3, t)), rng.standard_normal((t, 3)) * 10.0 ** rng.uniform(-8, 0, (t, 3))


@pytest.mark.parametrize("t", [1, 2, 9, 150])
def test_products_in_twice_the_precision(t: int, record_property: Record) -> None:
    worst = max(product_excess(A, B) for A, B in pairs(t, 6))
    record_property("error over bound", worst)
    assert worst <= 1


def test_error_of_the_rows_of_a_product() -> None:
    """The other factor's slices hold all its digits. (Dropped alone, its own error hides behind that of the rows.)"""
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((3, 2048)), np.round(rng.uniform(-1, 1, (2048, 3)) * 2.0**39) * 2.0**-39
    assert product_excess(A, B) <= 1
    assert product_excess(A, B, lambda p: replace(p, row_error=0 * p.row_error)) > 1


def test_products_are_exactly_symmetric_in_their_leading_part() -> None:
    A = np.random.default_rng(0).standard_normal((30, 17))
    high = product(A, A.T).high
    assert np.array_equal(high, high.T)


@pytest.mark.parametrize("seed", range(8))
def test_products_of_badly_scaled_factors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((4, 6)) * np.ldexp(1.0, rng.integers(-600, 30, (4, 6)))
    B = rng.standard_normal((6, 4)) * np.ldexp(1.0, rng.integers(-600, 30, (6, 4)))
    assert product_excess(A, B) <= 1


# -- the residual of an inverse factor ------------------------------------------------------------------------------


def residual_excess(n: int, digits: float, seed: int, stretch: float = 1.0) -> float:
    """True entrywise error of the residual over the bound of its norm, for an M that is near (then stretched)."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    K = (Q * np.logspace(0, -digits, n)) @ Q.T
    K = 0.5 * (K + K.T)
    low = 2.0**-54 * K * rng.standard_normal((n, n))
    low = 0.5 * (low + low.T)
    M = refine._start(K)
    for _ in range(2):
        values, vectors = np.linalg.eigh(refine.congruence(K, low, M)[0] + np.eye(n))
        M = M @ (vectors / np.sqrt(np.maximum(values, 1e-12)))
    M = stretch * M
    D, error = refine.congruence(K, low, M)
    exact = em.rationals(M)
    truth = em.product(em.transpose(exact), em.product(added(em.rationals(K), em.rationals(low)), exact))
    for i in range(n):
        truth[i][i] -= 1
    return em.excess(truth, em.rationals(D), np.full((n, n), error))


@pytest.mark.parametrize("n, digits", [(1, 0), (4, 2), (9, 8), (16, 12), (12, 16)])
def test_residuals_in_twice_the_precision(n: int, digits: float, record_property: Record) -> None:
    worst = max(residual_excess(n, digits, seed) for seed in range(3))
    record_property("error over bound", worst)
    assert worst <= 1


def test_rounding_of_the_sums_of_a_residual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refine, "_total", lambda through, second, plain, sums: through + second + plain)
    assert max(residual_excess(4, 0, seed, 1.3) for seed in range(6)) > 1


@pytest.mark.parametrize("dropped", [False, True])
def test_errors_of_the_first_product_of_a_residual(dropped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The product is made as wrong as it is allowed to be (errors of the second one are covered by other slack)."""
    calls = []

    def worst_product(A: np.ndarray, B: np.ndarray) -> Product:
        p = product(A, B)
        calls.append(1)
        if len(calls) % 2 == 0:
            return p
        bound = np.outer(p.row_error, p.column_norm) + np.outer(p.row_norm, p.column_error)
        direction = np.sign(B[:, int(np.argmax(np.abs(B).max(axis=0)))])
        return replace(p, low=p.low + 0.99 * direction[:, None] * bound)

    monkeypatch.setattr(refine, "product", worst_product)
    if dropped:
        monkeypatch.setattr(refine, "_total", lambda through, second, plain, sums: second + plain + sums)
    assert (max(residual_excess(9, 12, seed) for seed in range(3)) > 1) == dropped


@pytest.mark.parametrize("M, d, off", [(1.0, -0.3, 0.0), (3.0, 0.4, 0.0), (0.7, 0.0, 1e-3), (1.5, -1e-9, 1e-9)])
def test_terms_of_an_inverse_factor(M: float, d: float, off: float) -> None:
    """M K M = 1 + d + off, with d known: without the second-order term, or without the error of d, K is missed."""
    D, N = np.array([[d]]), np.array([[M]])
    truths = [(1 + em.rational(d) + s * em.rational(off)) / em.square(M) for s in (-1, 1)]
    found = refine._from_residual(abs(d) + off, off, D, N)
    assert found is not None
    assert all(em.rational(found[0]) <= truth <= em.rational(found[1]) for truth in truths)
    careless = [refine._from_residual(0.0, off, D, N), refine._from_residual(abs(d) + off, 0.0, D, N)]
    lost = careless[1 if off else 0]
    assert lost is not None
    assert not all(em.rational(lost[0]) <= truth <= em.rational(lost[1]) for truth in truths)


# -- eigenvalues ----------------------------------------------------------------------------------------------------


def singular_matrices(count: int) -> Iterator[np.ndarray]:
    """Exactly singular 2 x 2 matrices m v v^T, elimination of which rounds: m is no square, entries just below 2^42."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        m = float(rng.choice([3.0, 5.0, 6.0, 7.0, 11.0]))
        v = np.floor(np.sqrt(2.0**42 / m) * rng.uniform(0.9, 1.0, 2))
        yield m * np.outer(v, v)


def false_cholesky() -> int:
    """How many proved lower bounds of exactly singular matrices are positive."""
    false = 0
    for A in singular_matrices(400):
        for k in (0.25, 0.5, 1.0, 2.0):  # in units of the last place of the entries
            bound = eigen.cholesky_bound(A, k * 2.0**-11)
            false += bound is not None and bound > 0
    return false


@pytest.mark.parametrize("factor, caught", [(1.0, False), (0.0, True)])
def test_backward_error_of_cholesky(factor: float, caught: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    right = eigen._gammas
    monkeypatch.setattr(eigen, "_gammas", lambda n: factor * right(n))
    assert (false_cholesky() > 0) == caught


def false_rayleigh() -> int:
    """How many upper bounds of the smallest eigenvalue lie below it."""
    false = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 8))
        B = rng.standard_normal((n, n))
        A = B @ B.T
        A = 0.5 * (A + A.T)
        vector = np.linalg.eigh(A)[1][:, 0]
        bound = eigen.rayleigh_bound(A, np.ascontiguousarray(vector))
        false += em.inertia(em.rationals(A), em.rational(bound))[0] == n  # A - bound I is definite
    return false


def test_rounding_of_a_rayleigh_quotient(monkeypatch: pytest.MonkeyPatch) -> None:
    assert false_rayleigh() == 0
    monkeypatch.setattr(eigen, "gamma", lambda k: 0.0)
    assert false_rayleigh() > 0


# -- radii of the data ----------------------------------------------------------------------------------------------


def jacobian_holds() -> bool:
    D, X = np.array([[2.0], [3.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    low, high = jacobian_singular_values(BallMatrix(D, 1e-3 * np.ones((2, 1))), X)
    return low.lower <= 1.999 and high.upper >= 3.001


def test_radii_of_a_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    assert jacobian_holds()
    right = singular._khatri_rao_distance
    monkeypatch.setattr(singular, "_khatri_rao_distance", lambda radii, X: 0.9 * right(radii, X))
    assert not jacobian_holds()


def test_radii_of_a_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    A = np.array([[3.0, 4.0]])
    assert spectral_norm(A, 1e-3 * A).upper >= 5.005
    right = singular.spectral_norm_bound
    monkeypatch.setattr(singular, "spectral_norm_bound", lambda radii: 0.9 * right(radii))
    assert spectral_norm(A, 1e-3 * A).upper < 5.005


# -- the minimum-norm solution --------------------------------------------------------------------------------------


def solution_parts(seed: int, radius: float, spread: float) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    n, k, d = 3, 2, 2
    D, X, r = rng.standard_normal((n, k)), rng.standard_normal((n, d)), rng.standard_normal(n)
    c, P = solve._approximate(D, X, r)
    return D, radius * np.abs(D), X, r, spread * np.abs(r), c, P


def residual_norms(parts: tuple[Any, ...]) -> list[Any]:
    """Exact ``||r - J P||^2`` for some J and r in their balls."""
    D, radius, X, r, spread, _, P = parts
    found = []
    for signs in np.ndindex(2, 2, 2):
        s = 2 * np.array(signs) - 1
        A = added(em.rationals(D), em.rationals(radius * s[:2]), 1)
        right = [a + int(s[2]) * b for a, b in zip(em.vector(r), em.vector(spread), strict=True)]
        J = em.khatri_rao(A, em.rationals(X))
        image = [sum((a * b for a, b in zip(row, em.vector(P), strict=True)), em.rational(0.0)) for row in J]
        found.append(sum(((a - b) ** 2 for a, b in zip(right, image, strict=True)), em.rational(0.0)))
    return found


def residual_ok(parts: tuple[Any, ...], radius: Any, spread: Any) -> bool:
    D, _, X, r, _, _, P = parts
    bound = em.square(solve._residual(D, radius, X, r, spread, P))
    return all(value <= bound for value in residual_norms(parts))


def test_terms_of_a_residual_of_the_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(10):
        exact, fuzzy, loose = (solution_parts(seed, *r) for r in ((0, 0), (1e-6, 0), (0, 1e-6)))
        for parts in (exact, fuzzy, loose):
            assert residual_ok(parts, parts[1], parts[4])
    assert not all(residual_ok(p, None, p[4]) for p in (solution_parts(s, 1e-6, 0) for s in range(10)))
    assert not all(residual_ok(p, p[1], 0 * p[4]) for p in (solution_parts(s, 0, 1e-6) for s in range(10)))
    assert not all(residual_ok(p, p[1], 0.5 * p[4]) for p in (solution_parts(s, 0, 1e-6) for s in range(10)))
    monkeypatch.setattr(solve, "gamma", lambda k: 0.0)
    assert not all(residual_ok(p, p[1], p[4]) for p in (solution_parts(s, 0, 0) for s in range(40)))


def off_range_ok(parts: tuple[Any, ...], radius: Any) -> bool:
    D, true_radius, X, _, _, c, P = parts
    bound = em.square(solve._off_range(D, radius, X, c, P))
    for sign in (-1, 0, 1):
        J = em.khatri_rao(added(em.rationals(D), em.rationals(true_radius), sign), em.rationals(X))
        image = [
            sum((a * b for a, b in zip(column, em.vector(c), strict=True)), em.rational(0.0))
            for column in em.transpose(J)
        ]
        gap = sum(((a - b) ** 2 for a, b in zip(em.vector(P), image, strict=True)), em.rational(0.0))
        if gap > bound:
            return False
    return True


def test_terms_of_the_part_off_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(10):
        for radius in (0.0, 1e-6):
            parts = solution_parts(seed, radius, 0)
            assert off_range_ok(parts, parts[1])
    assert not all(off_range_ok(p, None) for p in (solution_parts(s, 1e-6, 0) for s in range(5)))
    assert not all(off_range_ok(p, 0.5 * p[1]) for p in (solution_parts(s, 1e-6, 0) for s in range(10)))
    monkeypatch.setattr(solve, "gamma", lambda k: 0.0)
    assert not all(off_range_ok(p, p[1]) for p in (solution_parts(s, 0, 0) for s in range(40)))


# -- campaigns ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_campaign_of_singular_values(block: int) -> None:
    from jacspec.enclosure import smallest_singular_value

    for seed in range(500):
        A = em.awkward(np.random.default_rng(np.random.SeedSequence((block, seed))), 40 if seed % 250 == 0 else 8)
        assert em.holds_singular(em.rationals(A), smallest_singular_value(A), spectral_norm(A)), seed


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_campaign_of_gram_and_hadamard(block: int) -> None:
    for seed in range(1000):
        rng = np.random.default_rng(np.random.SeedSequence((1, block, seed)))
        A, B = em.awkward(rng, 5), em.awkward(rng, 5)
        n = min(len(A), len(B))
        A, B = A[:n], B[:n]
        G, H = gram(A), gram(B)
        true = em.gram(em.rationals(A)), em.gram(em.rationals(B))
        for ball, truth in ((G, true[0]), (H, true[1]), (hadamard(G, H), em.entrywise(*true))):
            assert excess(ball, truth) <= 1
            assert ball.refine is not None
            assert excess(ball.refine(), truth) <= 1
