"""jacspec.spectrum: every interval against a reference in 100 digits, exact zeros, and the iterative paths."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st

from jacspec import lanczos, spectrum
from jacspec._checks import InputError
from jacspec.data import row_structure
from jacspec.exact_zeros import exact_square_rank
from jacspec.rounding import Estimate
from jacspec.separation import row_separation
from jacspec.spectrum import data_spectrum, khatri_rao_power_sigma_min

MATRICES = ref.matrices()
FIELDS = ("spectral_norm", "sigma_min", "khatri_rao_norm", "khatri_rao_sigma_min")


def forms(X: Any, raw: Any) -> dict[str, Any]:
    """The matrices whose values an interval must contain: X as given, exactly unit, and what X was before rounding."""
    out = {"given": ref.exact(X), "unit": ref.normalised(X)}
    if raw is not None:
        out["raw"] = ref.normalised(raw)
    return out


def check(estimate: Estimate, truth: Any, form: str, has_raw: bool, what: str) -> None:
    assert estimate.lower >= 0, what
    if estimate.exact_zero:
        assert estimate.note, what
        if has_raw and form != "raw":
            return  # zeros are those of the rows before normalisation; rounding hides them in X
        assert truth.contains(0), f"{what}: false zero, {truth.str(10)}"
        return
    assert ref.encloses(estimate, truth), f"{what} {form}: {estimate} misses {truth.str(25)}"
    if estimate.lower == 0 and truth > 0:
        assert "0" in estimate.note, what


def overlap(a: Estimate, b: Estimate) -> bool:
    return a.lower <= b.upper and b.lower <= a.upper


@pytest.mark.parametrize("name", MATRICES)
def test_every_interval_contains_the_value(name: str) -> None:
    X, raw = MATRICES[name]
    found = data_spectrum(X, raw=raw)
    for form, A in forms(X, raw).items():
        truth = dict(zip(FIELDS, (*ref.spectrum(A, 1), *ref.spectrum(A, 2)), strict=True))
        for field in FIELDS:
            check(getattr(found, field), truth[field], form, raw is not None, f"{name} {field}")
        if truth["khatri_rao_sigma_min"] > 1e-30 and not found.khatri_rao_sigma_min.exact_zero:
            assert ref.encloses(found.kappa, ref.kappa(A)), f"{name} kappa {form}"
        if len(X) > 1:
            check(found.separation, ref.separation(A), form, raw is not None, f"{name} separation")
    if found.khatri_rao_sigma_min.lower == 0:
        assert math.isinf(found.kappa.value)
        assert found.kappa.note
    bounds = found.norm_2_to_4_squared
    assert 0 < bounds.lower <= bounds.upper <= found.khatri_rao_norm.upper * (1 + 1e-15)


@pytest.mark.parametrize("r", [1, 3, 4])
@pytest.mark.parametrize("name", [name for name, (X, _) in MATRICES.items() if X.shape[1] <= 8 and len(X) <= 24])
def test_higher_powers(name: str, r: int) -> None:
    X, raw = MATRICES[name]
    structure = row_structure(X if raw is None else raw)
    found = khatri_rao_power_sigma_min(X, r, structure=structure)
    for form, A in forms(X, raw).items():
        check(found, ref.spectrum(A, r)[1], form, raw is not None, f"{name} r={r}")


def test_powers_through_the_hadamard_power() -> None:
    X = ref.sphere(40, 45, 3)
    with_width = khatri_rao_power_sigma_min(X, 5)  # 1.1 million columns
    assert "Hadamard" in with_width.note
    assert ref.encloses(with_width, ref.spectrum(ref.exact(X), 5)[1])
    assert with_width.relative_radius < 1e-12


@pytest.mark.parametrize("name", [name for name, (X, _) in MATRICES.items() if X.shape[1] <= 3])
def test_two_to_four_against_brute_force(name: str) -> None:
    X, _ = MATRICES[name]
    lower, upper = ref.two_to_four_squared(X)
    found = data_spectrum(X).norm_2_to_4_squared
    assert found.upper >= lower
    assert found.lower <= upper
    assert found.lower >= lower * (1 - 1e-9), "the ascent stopped at a local maximum"


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 12), d=st.integers(2, 3))
def test_two_to_four_brackets_random_rows(seed: int, n: int, d: int) -> None:
    X = ref.sphere(n, d, seed)
    w = ref.sphere(400, d, seed + 1)
    found = data_spectrum(X).norm_2_to_4_squared
    assert found.upper >= float(np.sqrt(np.sum((X @ w.T) ** 4, axis=0).max())) * (1 - 1e-14)


def test_two_to_four_of_rows_longer_than_one() -> None:
    X = np.array([[1 + 4e-13], [1 + 4e-13]])
    found = data_spectrum(X).norm_2_to_4_squared
    assert found.lower <= math.sqrt(2) * (1 + 8e-13) <= found.upper


# -- exact zeros ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, words",
    [
        ("plus-minus", "antipodal"),
        ("orthogonal-signs", "antipodal"),
        ("too-many", "n = 11 > 4(4+1)/2 = 10"),
        ("integers-rank-3", "rank 3"),
        ("repeated", "rows 0 and 1 are equal up to scale"),
        ("opposed", "rows 0 and 1 are antipodal"),
        ("dependent-squares", "n = 4 > 2(2+1)/2 = 3"),
        ("iris-30", "n = 30 > 4(4+1)/2 = 10"),
    ],
)
def test_exact_zeros_say_why(name: str, words: str) -> None:
    if name not in MATRICES:
        pytest.skip("scikit-learn is not installed")
    X, raw = MATRICES[name]
    found = data_spectrum(X, raw=raw)
    assert found.khatri_rao_sigma_min.exact_zero
    assert words in found.khatri_rao_sigma_min.note
    assert found.kappa.value == math.inf
    assert "exactly zero" in found.kappa.note


def test_exact_zero_by_columns_that_vanish() -> None:
    raw = np.zeros((7, 7))
    for i, pair in enumerate([(0, 1), (0, 2), (1, 2), (0, 1), (0, 2), (1, 2), (0, 1)]):
        raw[i, list(pair)] = i + 1, 2
    raw[:, 3:] = 0.0
    raw[6, 6] = 1.0
    X = ref.unit(raw)
    assert row_structure(raw).rank == 4
    found = data_spectrum(X, raw=raw).khatri_rao_sigma_min
    truth = ref.spectrum(ref.normalised(raw), 2)[1]
    check(found, truth, "raw", True, "sparse")


def test_exact_rank_finds_a_hidden_dependence() -> None:
    # Seven rows on the quadric cone x^2 + y^2 = z^2 in R^4's first three coordinates: dependent squares, full rank.
    triples = [(3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (12, 35, 37)]
    raw = np.array(triples, dtype=np.float64)
    X = ref.unit(raw)
    found = data_spectrum(X, raw=raw).khatri_rao_sigma_min
    assert found.exact_zero
    assert "exact rank of X*X is 5 < n = 6" in found.note
    assert exact_square_rank(raw) == (5, 5)


def test_nearly_dependent_squares_are_never_called_zero() -> None:
    for size in (1e-12, 1e-14, 1e-15):
        X = ref.nearly_dependent_squares(10, 4, size, 11)
        found = data_spectrum(X).khatri_rao_sigma_min
        truth = ref.spectrum(ref.exact(X), 2)[1]
        assert truth > 0
        assert not found.exact_zero
        assert ref.encloses(found, truth)
        if found.lower == 0:
            assert "cannot be told from 0 in float64" in found.note


def test_exact_rank_of_wide_data_stays_small() -> None:
    X = ref.near_pair(6, 1400, 1e-15, 1)
    found: Estimate
    tracemalloc.start()
    found = data_spectrum(X).khatri_rao_sigma_min
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not found.exact_zero
    assert found.lower == 0
    assert "exact arithmetic shows that it is positive" in found.note
    assert peak < 4e8


# -- separation -----------------------------------------------------------------------------------------------------


def test_separation_in_a_tight_cluster_of_many_rows() -> None:
    # 4950 pairs look equal in the Gram matrix; the closest one comes last.
    rng = np.random.default_rng(0)
    X = ref.unit(ref.sphere(1, 6, 0) + 1e-9 * rng.standard_normal((100, 6)))
    X[99] = X[98]
    X[99, 0] += 1e-12
    found = row_separation(X)
    assert ref.encloses(found, ref.separation(ref.exact(X)))
    assert found.upper < 2e-12


def test_separation_that_float64_cannot_see_says_so() -> None:
    X = np.array([[0.6, 0.8], [np.nextafter(0.6, 1), 0.8]])
    found = row_separation(X)
    assert found.lower == 0
    assert "cannot be told from 0" in found.note
    assert row_separation(np.array([[1.0, 0.0]])).value == math.inf


# -- metamorphic ----------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 14), d=st.integers(2, 6), log_angle=st.floats(-10, 0))
def test_symmetries(seed: int, n: int, d: int, log_angle: float) -> None:
    X = ref.near_pair(n, d, 10**log_angle, seed)
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
    base = data_spectrum(X)
    images = {
        "rows permuted": X[rng.permutation(n)],
        "columns permuted": X[:, rng.permutation(d)],
        "columns reflected": X * rng.choice([-1.0, 1.0], d),
        "rows reflected": X * rng.choice([-1.0, 1.0], (n, 1)),
        "rotated": ref.unit(X @ rotation),
    }
    for what, Y in images.items():
        found = data_spectrum(Y)
        for field in (*FIELDS, "separation", "kappa"):
            a, b = getattr(base, field), getattr(found, field)
            # A rotation rounds every entry anew: d u of each row.
            slack = 4 * d * math.sqrt(n) * 2**-52 if what == "rotated" else 0.0
            if field == "kappa":
                assert slack or overlap(a, b), (what, field)
            else:
                assert overlap(a.widened(slack), b), (what, field, a, b)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 10), d=st.integers(1, 6))
def test_powers_are_monotone_and_straddle_one(seed: int, n: int, d: int) -> None:
    X = ref.sphere(n, d, seed)
    structure = row_structure(X)
    values = [khatri_rao_power_sigma_min(X, r, structure=structure) for r in (1, 2, 3)]
    for low, high in itertools.pairwise(values):
        assert low.lower <= high.upper
    assert values[-1].lower <= 1
    assert data_spectrum(X).khatri_rao_norm.upper >= 1


# -- size -----------------------------------------------------------------------------------------------------------


def test_accuracy_at_full_size() -> None:
    found = data_spectrum(ref.sphere(1000, 60, 0))
    for field in ("spectral_norm", "khatri_rao_norm", "khatri_rao_sigma_min", "kappa", "separation"):
        assert 2 * getattr(found, field).relative_radius <= 1e-9, field
    assert found.sigma_min.exact_zero


@pytest.mark.parametrize(
    "X",
    [ref.sphere(120, 20, 0), ref.sphere(60, 90, 1), np.eye(50), ref.cluster(90, 15, 9, 1e-2, 2), ref.sphere(30, 9, 3)],
    ids=["tall", "wide", "identity", "clusters", "small"],
)
@pytest.mark.parametrize("formed", [True, False])
def test_iterative_paths_agree_with_dense(X: Any, formed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    dense = data_spectrum(X)
    monkeypatch.setattr(spectrum, "DENSE_ROWS", 5)
    if not formed:
        refuse = lambda *a, **k: (_ for _ in ()).throw(spectrum.CapacityError("no room"))  # noqa: E731
        monkeypatch.setattr(spectrum, "check_memory", refuse)
    iterative = data_spectrum(X)
    for field in (*FIELDS, "kappa"):
        assert overlap(getattr(dense, field), getattr(iterative, field)), field
    assert "Lanczos" in iterative.khatri_rao_sigma_min.note
    assert ("operator" in iterative.khatri_rao_sigma_min.note) != formed
    if formed:
        assert iterative.khatri_rao_sigma_min.lower > 0
    else:
        assert iterative.khatri_rao_sigma_min.upper < 10 * dense.khatri_rao_norm.upper


def test_lanczos_that_does_not_converge_claims_only_an_upper_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.sparse.linalg import ArpackNoConvergence

    def never(*args: Any, **kwargs: Any) -> Any:
        raise ArpackNoConvergence("no", np.zeros(0), np.zeros((0, 0)))

    monkeypatch.setattr("scipy.sparse.linalg.eigsh", never)
    K = np.diag(np.linspace(0.5, 2.0, 60))
    assert not lanczos.lanczos(K, 60, "SA", 0)[2]
    bound = lanczos.from_lanczos(lanczos.lanczos(K, 60, "SA", 0), 1e-12, "Lanczos")
    assert bound.lower == 0
    assert bound.upper >= 0.5
    assert "not converged" in bound.note


def test_lanczos_on_spectra_that_are_hard_for_it() -> None:
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((300, 300)))[0]
    values = np.concatenate([10.0 ** rng.uniform(-9, -7, 290), np.full(10, 50.0)])
    A = (Q * values) @ Q.T
    A = 0.5 * (A + A.T)
    theta, residual, converged = lanczos.smallest_by_cholesky(A, 1e-11, 0)
    assert converged
    assert abs(theta - np.linalg.eigvalsh(A)[0]) <= residual + 300 * 2**-52 * 50


@pytest.mark.parametrize("n, d", [(500, 40), (300, 400)])
def test_memory_is_a_few_square_matrices(n: int, d: int) -> None:
    X = ref.near_pair(n, d, 1e-7, 0)  # through the SVD of the compressed X * X
    structure = row_structure(X)
    data_spectrum(ref.sphere(20, 5, 0))  # imports and caches
    tracemalloc.start()
    data_spectrum(X, structure=structure)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * (10 * n * n + 6 * n * d) + 2_000_000


@pytest.mark.slow
def test_beyond_the_dense_limit() -> None:
    X = ref.sphere(4500, 110, 0)
    found = data_spectrum(X)
    assert "Lanczos" in found.khatri_rao_sigma_min.note
    assert 2 * found.khatri_rao_sigma_min.relative_radius < 1e-6
    # The law of the edge, docs/theory.md, `random-khatri-rao-edge`.
    p = 109 * 112 / 2
    assert abs(found.khatri_rao_sigma_min.value - math.sqrt(1 - 1 / 110) * (1 - math.sqrt(4500 / p))) < 0.02


def test_bad_arguments_are_named() -> None:
    with pytest.raises(InputError, match="X: got row 0 of norm 2"):
        data_spectrum(np.array([[2.0, 0.0]]))
    with pytest.raises(InputError, match="r: got 0"):
        khatri_rao_power_sigma_min(np.eye(2), 0)
