"""Exact structure and rank of data, against naive rational arithmetic."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jacspec._checks import InputError
from jacspec.data import (
    exact_rank,
    load,
    modular_rank,
    modular_residues,
    normalize_rows,
    rank,
    rank_bounds,
    row_structure,
    structure,
)

# -- naive references -----------------------------------------------------------------------------------------------


def naive_rank(A):
    rows = [[Fraction(x) for x in row] for row in np.asarray(A).tolist()]
    count = 0
    for j in range(len(rows[0])):
        pivot = next((i for i in range(count, len(rows)) if rows[i][j]), None)
        if pivot is None:
            continue
        rows[count], rows[pivot] = rows[pivot], rows[count]
        for i in range(count + 1, len(rows)):
            factor = rows[i][j] / rows[count][j]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[count], strict=True)]
        count += 1
    return count


def naive_ratio(x, y):
    """c with y = c x exactly, or None."""
    x, y = [Fraction(a) for a in x], [Fraction(a) for a in y]
    pivot = next((j for j, a in enumerate(x) if a), None)
    if pivot is None or not any(y):
        return None
    c = y[pivot] / x[pivot]
    return c if all(b == c * a for a, b in zip(x, y, strict=True)) else None


def naive_pairs(A):
    """The documented pairs, by comparing every row with every earlier one."""
    A = np.asarray(A, dtype=float).tolist()
    repeated, antipodal = [], []
    for j, row in enumerate(A):
        ratios = {i: naive_ratio(A[i], row) for i in range(j)}
        same = [i for i, c in ratios.items() if c is not None and c > 0]
        opposite = [i for i, c in ratios.items() if c is not None and c < 0]
        if same:
            repeated.append((same[0], j))
        elif opposite:
            antipodal.append((opposite[0], j))
    return tuple(repeated), tuple(antipodal)


# -- exact structure ------------------------------------------------------------------------------------------------


def test_equal_after_rounding_is_not_repeated():
    # The two rows normalise to the same float64 numbers but are not multiples of each other.
    A = np.array([[1.0, 2.0**-60], [1.0, 2.0**-61], [1.0, 1.0]])
    tilted = np.array([[1.0, 3.0], [1.0 / 3.0, 1.0]])
    assert np.array_equal(*np.round(normalize_rows(tilted), 15))
    assert row_structure(A).repeated == ()
    assert row_structure(A).rank == 2
    assert row_structure(tilted).repeated == ()
    assert row_structure(tilted).rank == 2


def test_multiples_are_repeated_although_rounding_separates_them():
    rng = np.random.default_rng(0)
    A = rng.integers(-99, 100, (40, 5)).astype(float)
    A = np.concatenate([A, 3 * A, -7 * A])
    X = normalize_rows(A)
    assert not np.array_equal(X[:40], X[40:80])  # so comparing normalised rows would miss some
    found = load(A, normalize=True).structure
    assert found.repeated == tuple((i, i + 40) for i in range(40))
    assert found.antipodal == tuple((i, i + 80) for i in range(40))
    assert found.lines == 40
    assert found.rank == 5


def test_rank_deficiency_that_normalisation_hides():
    rng = np.random.default_rng(1)
    A = rng.integers(-9, 10, (30, 3)) @ rng.integers(-9, 10, (3, 6))
    data = load(A[A.any(axis=1)], normalize=True)
    assert (data.structure.rank, data.structure.rank_proved) == (3, True)
    assert exact_rank(data.X)[0] > 3


def test_huge_and_tiny_rows():
    tiny, huge = 5e-324, 2.0**1023
    A = np.array([[tiny, 3 * tiny], [huge / 4, huge / 4 * 3], [-1.0, -3.0], [tiny, huge], [0.0, tiny], [0.0, -huge]])
    found = row_structure(A)
    assert found.repeated == ((0, 1),)
    assert found.antipodal == ((0, 2), (4, 5))
    assert found.lines == 3
    assert (found.rank, found.rank_proved) == (2, True)


small_rows = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.one_of(
        st.integers(-3, 3).map(float), st.sampled_from([0.1, 0.3, 1 / 3, 2.0**-1060, 5e-324, 1e308, -0.0])
    ),
)


@given(small_rows)
@settings(max_examples=300, deadline=None)
def test_structure_agrees_with_fractions(A):
    found = row_structure(A)
    assert (found.repeated, found.antipodal) == naive_pairs(A)
    assert (found.rank, found.rank_proved) == (naive_rank(A), True)
    assert found.lines == A.any(axis=1).sum() - len(found.repeated) - len(found.antipodal)


@st.composite
def deficient(draw):
    """Integer or dyadic matrices of a rank that is drawn, with badly scaled rows and columns."""
    m, n = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    r = draw(st.integers(0, min(m, n)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = draw(st.sampled_from([1, 5, 2**20]))
    A = rng.integers(-size, size + 1, (m, r)) @ rng.integers(-size, size + 1, (r, n))
    A = A.astype(float)
    return np.ldexp(A, rng.integers(-300, 300, (m, 1)) + rng.integers(-300, 300, n))


@given(deficient())
@settings(max_examples=200, deadline=None)
def test_rank_of_deficient_matrices(A):
    assert exact_rank(A) == (naive_rank(A), True)


@given(deficient(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_structure_under_permutation_scaling_and_negation(A, random):
    found = row_structure(A)
    order = list(range(len(A)))
    random.shuffle(order)
    shuffled = row_structure(A[order])
    assert (shuffled.rank, shuffled.lines) == (found.rank, found.lines)
    assert (len(shuffled.repeated), len(shuffled.antipodal)) == (len(found.repeated), len(found.antipodal))
    powers = np.array([random.randint(-60, 60) for _ in order])
    assert row_structure(np.ldexp(A, powers[:, None])) == found
    assert row_structure(-A) == found
    signs = np.array([random.choice([-1.0, 1.0]) for _ in order])
    flipped = row_structure(A * signs[:, None])
    assert (flipped.rank, flipped.lines) == (found.rank, found.lines)


@given(hnp.arrays(np.float64, (4, 3), elements=st.integers(-1000, 1000).map(float)), st.integers(1, 2**40))
@settings(deadline=None)
def test_integer_multiples_keep_the_structure(A, factor):
    assert row_structure(A * factor) == row_structure(A)
    both = row_structure(np.concatenate([A, A * factor, A * -factor]))
    nonzero = int(A.any(axis=1).sum())
    assert both.lines == row_structure(A).lines
    assert both.rank == row_structure(A).rank
    assert len(both.repeated) + len(both.antipodal) == 3 * nonzero - both.lines


@pytest.mark.parametrize("seed", range(5))
def test_candidates_hold_every_pair_on_a_line(seed):
    """The filter in floating point must not lose a pair: rows c x whose entries round, times odd integers c."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 300))
    base = rng.integers(-(2**26), 2**26, (50, d)).astype(float)
    A = np.concatenate([base, base * rng.integers(3, 2**26, (50, 1)) * rng.choice([-1.0, 1.0], (50, 1))])
    assert set(structure._candidates(A)) >= set(range(100))


def test_candidates_are_few_on_generic_rows():
    assert structure._candidates(np.random.default_rng(0).standard_normal((10_000, 20))).size < 20


# -- rank -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "A, expected",
    [
        ([[0.0]], 0),
        (np.zeros((3, 4)), 0),
        ([[True, False], [False, True]], 2),
        ([[2**63 - 1, 1], [2**63 - 2, 1]], 2),
        (np.array([[2**64 - 1, 1], [2**64 - 2, 1]], dtype=np.uint64), 2),
        (np.array([[10**40, 10**40 + 1], [2 * 10**40, 2 * 10**40 + 2]], dtype=object), 1),
        (np.array([[10**40, 10**40 + 1], [2 * 10**40, 2 * 10**40 + 3]], dtype=object), 2),
        ([[1.0, 2.0**61], [1.0, 1.0]], 2),  # singular modulo 2^61 - 1
        ([[float(rank.PRIMES[0]), 0.0], [0.0, float(rank.PRIMES[1])]], 2),  # each prime alone loses a row
        (np.diag([float(rank.PRIMES[0]) * rank.PRIMES[1] // 2**10 * 2**10, 1.0]), 2),
    ],
)
def test_rank_cases(A, expected):
    assert exact_rank(A) == (expected, True)


@pytest.mark.parametrize("n", [2, 5])
def test_unlucky_primes_do_not_fool_the_proof(n):
    """All entries divisible by both primes: each modular rank is 0, the rank is not."""
    p = rank.PRIMES[0] * rank.PRIMES[1]
    A = np.array([[p * (i**j) for j in range(n)] for i in range(1, n + 1)], dtype=object)
    assert modular_rank(modular_residues(A)) == 0
    assert exact_rank(A) == (n, True)
    A[-1] = A[0] + A[1]
    assert exact_rank(A) == (n - 1 if n > 2 else 2, True)


def test_null_vectors_that_cannot_be_guessed():
    """Null vectors with entries beyond 2^30: the elimination over the integers takes over."""
    rng = np.random.default_rng(0)
    A = rng.integers(-(10**6), 10**6, (30, 11)) @ rng.integers(-(10**6), 10**6, (11, 14))
    assert rank._guessed_null_space(A[:11].tolist()) is None or len(rank._guessed_null_space(A[:11].tolist())) == 3
    assert exact_rank(A) == (11, True) == exact_rank(A.T)


@pytest.mark.parametrize("exponent", range(12))
def test_rank_bounds_hold_at_every_budget(exponent):
    rng = np.random.default_rng(0)
    A = rng.integers(-(10**6), 10**6, (40, 11)) @ rng.integers(-(10**6), 10**6, (11, 14))
    for matrix in (A, np.ldexp(A.astype(float), rng.integers(-900, 900, A.shape[1]))):
        lower, upper = rank_bounds(matrix, budget=10.0**exponent)
        assert 1 <= lower <= 11
        assert upper == (11 if exponent >= 9 else upper)
        assert upper in (11, 14)
        assert lower == 11 or upper == 14
    big = A.astype(object) * 2**70 + 0
    assert rank_bounds(big, budget=1e4)[1] == 14
    assert exact_rank(big) == (11, True)


def test_guess_alone_settles_simple_dependencies(monkeypatch):
    """Indicator columns and differences of columns need no elimination over the integers."""
    rng = np.random.default_rng(0)
    A = np.hstack(
        [np.eye(7)[rng.integers(0, 7, 90)], np.eye(5)[rng.integers(0, 5, 90)], rng.integers(-99, 99, (90, 3))]
    )
    A = np.hstack([A, A[:, -1:] / 4 - 3 * A[:, -2:-1]])
    assert len(rank._guessed_null_space((4 * A[:60]).astype(int).tolist()) or []) == 0  # not a basis: refused
    rows = rank._pivot_rows(modular_residues(A, rank.PRIMES[1]), rank.PRIMES[1])
    assert len(rank._guessed_null_space((4 * A[rows]).astype(int).tolist())) == A.shape[1] - 14
    assert exact_rank(A) == (14, True)


def test_wrong_guess_is_noticed(monkeypatch):
    A = np.random.default_rng(0).integers(-5, 6, (9, 3)) @ np.random.default_rng(1).integers(-5, 6, (3, 5))
    monkeypatch.setattr(rank, "_guessed_null_space", lambda B: [[1] * len(B[0])] * (len(B[0]) - len(B)))
    assert exact_rank(A) == (3, True)


def test_rank_budget():
    A = np.random.default_rng(0).integers(-5, 6, (40, 20)) @ np.random.default_rng(1).integers(-5, 6, (20, 30))
    assert exact_rank(A) == (20, True)
    for budget in (0.0, 1e2, 1e4, 3e4):
        lower, proved = exact_rank(A, budget=budget)
        assert 1 <= lower <= 20
        assert not proved
        assert rank_bounds(A, budget=budget) == (lower, 30)


@pytest.mark.parametrize(
    "A",
    [
        [1.0],
        [[]],
        [[math.nan]],
        [[1j]],
        [["x"]],
        [[1.0], [1.0, 2.0]],
        np.array([[0.5, 1]], dtype=object),
        np.array([[1.0]], dtype=np.longdouble),
    ],
)
def test_rank_refuses(A):
    with pytest.raises(InputError) as caught:
        exact_rank(A)
    assert caught.value.argument == "A"


def test_residues_are_a_homomorphism():
    rng = np.random.default_rng(0)
    A = np.ldexp(rng.standard_normal((6, 5)), rng.integers(-1000, 1000, (6, 5)))
    A[0, :3] = [0.0, 5e-324, -1.7976931348623157e308]
    for p in rank.PRIMES:
        R = modular_residues(A, p)
        for x, r in zip(A.ravel().tolist(), R.ravel().tolist(), strict=True):
            f = Fraction(x)
            assert r == f.numerator * pow(f.denominator, -1, p) % p
    for p in (2, 4, 2**31 + 11):
        with pytest.raises(InputError):
            modular_residues(A, p)


def test_residues_give_the_khatri_rao_rank():
    """Six points on a conic in the plane: their squares span only five of the six dimensions."""
    t = np.arange(-3, 3)
    X = np.stack([np.ones(6), t, t * t], axis=1) / 4
    i, j = np.triu_indices(3)
    R = modular_residues(X)
    assert modular_rank(R[:, i] * R[:, j] % rank.PRIMES[0]) == 5
    assert exact_rank(X[:, i] * X[:, j]) == (5, True)  # these products are exact in float64


# -- speed: generous bounds, so that only quadratic behaviour fails ---------------------------------------------------


@pytest.mark.parametrize("kind", ["generic", "identical", "multiples", "antipodal", "one-hot"])
def test_ten_thousand_rows(kind):
    rng = np.random.default_rng(0)
    n, d = 10_000, 100
    A = rng.standard_normal((n, d))
    if kind == "identical":
        A[:] = A[0]
    elif kind == "multiples":
        A = np.arange(1.0, n + 1)[:, None] * rng.integers(-99, 100, d)
    elif kind == "antipodal":
        A[n // 2 :] = -A[: n // 2]
    elif kind == "one-hot":
        A = np.hstack([np.eye(60)[rng.integers(0, 60, n)], np.eye(40)[rng.integers(0, 40, n)]])
    start = time.process_time()
    found = row_structure(A)
    elapsed = time.process_time() - start
    rank_, repeated, antipodal = {
        "generic": (100, 0, 0),
        "identical": (1, n - 1, 0),
        "multiples": (1, n - 1, 0),
        "antipodal": (100, 0, n // 2),
        "one-hot": (99, n - len(np.unique(A, axis=0)), 0),
    }[kind]
    assert (found.rank, found.rank_proved) == (rank_, True)
    assert (len(found.repeated), len(found.antipodal)) == (repeated, antipodal)
    assert elapsed < 2
