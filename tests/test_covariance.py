"""jacspec.covariance: lambda(X) and its output-layer twin against references in 100 digits, from the definition."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st

from jacspec import bounds, covariance, spectrum
from jacspec._accurate import SplitRows, refined_smallest
from jacspec.activations import Activation
from jacspec.covariance import covariance_matrix, covariance_spectrum
from jacspec.data import row_structure
from jacspec.hermite import hermite_expansion
from jacspec.rounding import Estimate
from jacspec.separation import row_separation
from jacspec.spectrum import khatri_rao_power_sigma_min

MATRICES = ref.matrices()
LAYERS = ("hidden", "output")
#: Everything on the small ones; on the large ones a kernel of each kind.
SMALL = [name for name, (X, _) in MATRICES.items() if len(X) <= 12]
LARGE = [name for name in MATRICES if name not in SMALL]


def forms(X: Any, raw: Any) -> dict[str, Any]:
    out = {"given": ref.exact(X), "unit": ref.normalised(X)}
    if raw is not None:
        out["raw"] = ref.normalised(raw)
    return out


def check(name: str, phi: str, layer: Any) -> None:
    X, raw = MATRICES[name]
    found = covariance_spectrum(X, phi, layer, structure=row_structure(X if raw is None else raw))
    for form, A in forms(X, raw).items():
        try:
            low, top = ref.smallest(A, phi, layer)
        except AssertionError:  # ELU has no one-dimensional integral for rows that are exactly parallel
            continue
        what = f"{name} {phi} {layer} {form}"
        assert found.smallest.lower >= 0, what
        assert ref.encloses(found.largest, top), f"{what}: {found.largest} misses {top.str(25)}"
        if found.smallest.exact_zero:
            assert found.smallest.note, what
            if raw is None or form == "raw":
                assert low.contains(0), f"{what}: false zero, {low.str(10)}"
            continue
        assert ref.encloses(found.smallest, low), f"{what}: {found.smallest} misses {low.str(25)}"
        if found.smallest.lower == 0:
            assert "cannot be told from 0 in float64" in found.smallest.note, what


@pytest.mark.parametrize("phi", ref.NAMES)
@pytest.mark.parametrize("name", SMALL)
def test_small_matrices(name: str, phi: str) -> None:
    if phi == "elu" and len(MATRICES[name][0]) > 4:
        pytest.skip("its integrals take long")
    if name.endswith(("1e-02", "1e-06", "1e-10")) and phi not in ("relu", "tanh", "softplus", "gelu"):
        pytest.skip("every other angle will do")
    for layer in LAYERS:
        check(name, phi, layer)


@pytest.mark.parametrize("phi", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("name", LARGE)
def test_large_matrices(name: str, phi: str) -> None:
    if phi == "gelu" and len(MATRICES[name][0]) > 30:
        pytest.skip("relu and tanh will do")
    check(name, phi, "hidden" if phi == "tanh" else "output")
    if phi == "relu":
        check(name, phi, "hidden")


@pytest.mark.slow
@pytest.mark.parametrize("phi", [name for name in ref.NAMES if name != "elu"])
@pytest.mark.parametrize("name", LARGE)
def test_large_matrices_all_activations(name: str, phi: str) -> None:
    for layer in LAYERS:
        check(name, phi, layer)


def test_references_agree_with_closed_forms() -> None:
    """The series and the integrals of the reference against formulas that it does not use."""
    from flint import arb

    with ref.precision():
        rho, one = arb("-0.37"), arb(1)
        s, t = 1 + arb("1e-13"), 1 - arb("3e-13")
        determinant = (1 + 2 * s * s) * (1 + 2 * t * t) - 4 * s * s * t * t * rho * rho
        assert abs(ref.kernel("erf", "hidden", rho, s, t) - 4 / arb.pi() / determinant.sqrt()) < arb("1e-23")
        kernel = ref.kernel("erf", "output", rho, one, one)
        assert abs(kernel - 2 / arb.pi() * (2 * rho / 3).asin()) < arb("1e-45")
        # Price: the derivative of the ELU kernel in rho is the kernel of phi'.
        h = arb("1e-10")
        above, below = (ref.kernel("elu", "output", x, one, one) for x in (rho + h, rho - h))
        slope = (above - below) / (2 * h)
        assert abs(slope - ref.kernel("elu", "hidden", rho, one, one)) < arb("1e-18")
        assert abs(ref.coefficients("tanh", "hidden")[0][0].sqrt() - arb("0.6057055096021588")) < arb("1e-15")


# -- zeros ----------------------------------------------------------------------------------------------------------


def test_opposite_rows_survive_relu() -> None:
    found = covariance_spectrum(np.array([[1.0], [-1.0]]), "relu")
    assert found.smallest.contains(0.5)
    assert found.largest.contains(0.5)
    assert found.smallest.relative_radius < 1e-14
    matrix, radius = covariance_matrix(np.array([[1.0], [-1.0]]), "relu")
    assert np.abs(matrix - np.eye(2) / 2).max() <= radius


@pytest.mark.parametrize(
    "phi, layer, words",
    [
        ("tanh", "hidden", "antipodal and phi' is even"),
        ("tanh", "output", "antipodal and phi is odd"),
        ("gaussian", "hidden", "antipodal and phi' is odd"),
        ("gaussian", "output", "antipodal and phi is even"),
        ("relu", "hidden", ""),
        ("softplus", "output", ""),
    ],
)
def test_antipodal_rows(phi: str, layer: Any, words: str) -> None:
    X, raw = MATRICES["opposed"]
    found = covariance_spectrum(X, phi, layer, structure=row_structure(raw)).smallest
    assert found.exact_zero == bool(words)
    assert words in found.note


@pytest.mark.parametrize(
    "phi, layer, rank", [("linear", "hidden", 4), ("quadratic", "hidden", 10), ("quadratic", "output", 11)]
)
def test_polynomials_run_out_of_rank(phi: str, layer: Any, rank: int) -> None:
    at, beyond = ref.sphere(rank, 4, 1), ref.sphere(rank + 1, 4, 1)
    # 1 = sum of squares of the coordinates: the constant adds no rank on the sphere, and float64 cannot know.
    found = covariance_spectrum(at, phi, layer).smallest
    assert not found.exact_zero
    zero = covariance_spectrum(beyond, phi, layer).smallest
    assert zero.exact_zero
    assert f"rank at most {rank} < n = {rank + 1}" in zero.note


@pytest.mark.parametrize("phi", ref.NAMES)
def test_repeated_rows(phi: str) -> None:
    X, raw = MATRICES["repeated"]
    for layer in LAYERS:
        found = covariance_spectrum(X, phi, layer, structure=row_structure(raw)).smallest
        assert found.exact_zero
        assert "rows 0 and 1 are equal up to scale" in found.note


# -- rows that are unit only up to 1e-12 ------------------------------------------------------------------------------


@pytest.mark.parametrize("phi", [*ref.ANALYTIC, "relu", "leaky_relu"])
@pytest.mark.parametrize("scale", [1 + 4e-13, 1 - 4e-13])
def test_rows_as_given_and_unit_rows_are_both_covered(phi: str, scale: float) -> None:
    X = ref.unit(np.array([[3.0, 4.0, 0.0], [0.0, 1.0, 0.2], [1.0, -1.0, 1.0]])) * scale
    for layer in LAYERS:
        found = covariance_spectrum(X, phi, layer)
        for A in (ref.exact(X), ref.normalised(X)):
            low, top = ref.smallest(A, phi, layer)
            assert ref.encloses(found.largest, top)
            assert ref.encloses(found.smallest, low) or found.smallest.exact_zero
        assert found.largest.relative_radius < 2e-11


def test_a_kink_away_from_zero() -> None:
    """phi' jumps at 1: E[phi'(s g)^2] = P(g > 1/s) moves with the rows' lengths."""
    phi = Activation.from_callables(
        "shifted relu",
        lambda z: np.maximum(z - 1, 0),
        lambda z: (z > 1).astype(float),
        lambda z: np.zeros_like(z),
        smoothness="kinked",
        breakpoints=(1.0,),
        B1=1.0,
        B2=math.inf,
    )
    s = 1 + 4e-13
    found = covariance_spectrum(np.array([[s]]), phi)
    assert found.largest.lower <= s * s * 0.5 * math.erfc(1 / (s * math.sqrt(2))) <= found.largest.upper


# -- pieces -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("X", [ref.sphere(12, 40, 0), ref.cluster(12, 7, 2, 1e-9, 0), ref.sphere(6, 3000, 1)])
def test_cosines_to_their_stated_accuracy(X: Any) -> None:
    from jacspec._accurate import INNER_ULPS

    split = SplitRows(X)
    # The high parts are multiples of 2^-26, and their products are summed exactly.
    assert np.array_equal(split._high * 2.0**26, np.rint(split._high * 2.0**26))
    found = split.cosines(0, len(X))
    with ref.precision():
        truth = ref.gram(ref.normalised(X)).tolist()
        errors = [abs(float(truth[i][j] - float(found[i, j]))) for i in range(len(X)) for j in range(len(X))]
        exact = [sum((x * x for x in row), ref.arb(0)).sqrt() for row in ref.exact(X).tolist()]
        off = [abs(float(norm - float(s))) for norm, s in zip(exact, split.norms, strict=True)]
    assert max(errors) <= INNER_ULPS * 2**-53
    assert max(off) <= 1.5 * 2**-53 * (1 + 1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 25), exponent=st.floats(-15, 0))
def test_refined_smallest_is_right_or_unchanged(seed: int, n: int, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    values = np.sort(10.0 ** rng.uniform(-2, 2, n))
    values[0] = 10.0**exponent
    A = (Q * values) @ Q.T
    A = 0.5 * (A + A.T)
    rough = np.linalg.eigvalsh(A)
    radius = (n + 16) * 2**-53 * abs(rough[-1])
    value, own = refined_smallest(A, rough, radius, seed)
    assert own <= radius
    assert ref.encloses(Estimate(value, own), ref.eigenvalues(ref.exact(A))[0])


@settings(max_examples=40)
@given(st.floats(-1, 1), st.sampled_from(ref.NAMES), st.sampled_from(LAYERS))
def test_kernel_expansion(rho: float, phi: str, layer: Any) -> None:
    """`kernel-expansion`: the entries of closed forms are the Hermite series, up to its tail."""
    X = ref.unit(np.array([[1.0, 0.0], [rho, math.sqrt(max(0.0, 1 - rho * rho))]]))
    matrix, radius = covariance_matrix(X, phi, layer)
    from jacspec.activations import activation

    expansion = hermite_expansion(activation(phi))
    cosine = float(X[0] @ X[1])
    terms, top = expansion.squares, len(expansion.squares)
    if layer == "output":
        terms = np.concatenate([[expansion.mean.value**2], terms / np.arange(1, top + 1)])
    series = float(np.polyval(terms[::-1], cosine)) * (cosine if layer == "hidden" else 1.0)
    tail = expansion.tail * abs(cosine) ** len(terms)
    assert abs(matrix[0, 1] - series) <= tail + radius + 1e-14


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 9), d=st.integers(1, 5), phi=st.sampled_from(ref.NAMES))
def test_hermite_lower_bounds_and_upper_bounds(seed: int, n: int, d: int, phi: str) -> None:
    """`covariance-hermite-bound`, `covariance-upper-bound`, `relu-separation`."""
    X = ref.sphere(n, d, seed) if d > 1 else np.ones((1, 1))
    structure = row_structure(X)
    found = covariance_spectrum(X, phi, structure=structure)
    from jacspec.activations import activation

    expansion = hermite_expansion(activation(phi))
    total = 0.0
    for r in range(3):
        power = khatri_rao_power_sigma_min(X, r + 1, structure=structure)
        lower = bounds.hermite_lower(expansion.coefficients[r], power)
        assert lower.lower <= found.smallest.upper
        total += max(lower.lower, 0.0)
    assert total <= found.smallest.upper * (1 + 1e-12)
    square = expansion.mean_derivative_square
    assert found.smallest.lower <= square.upper
    norm = spectrum.data_spectrum(X, structure=structure).spectral_norm
    assert found.largest.lower <= bounds.covariance_norm_upper(square, norm).upper
    if phi == "relu" and len(X) > 1:
        gap = row_separation(X, structure=structure)
        assert bounds.relu_separation_sharp(gap, len(X)).lower <= found.smallest.upper


# -- metamorphic ------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 12),
    d=st.integers(2, 6),
    log_angle=st.floats(-10, 0),
    phi=st.sampled_from(ref.NAMES),
    layer=st.sampled_from(LAYERS),
)
def test_symmetries(seed: int, n: int, d: int, log_angle: float, phi: str, layer: Any) -> None:
    X = ref.near_pair(n, d, 10**log_angle, seed)
    rng = np.random.default_rng(seed)
    images = [X[rng.permutation(n)], X[:, rng.permutation(d)], X * rng.choice([-1.0, 1.0], d)]
    base = covariance_spectrum(X, phi, layer)
    for Y in images:
        found = covariance_spectrum(Y, phi, layer)
        for a, b in ((base.smallest, found.smallest), (base.largest, found.largest)):
            assert a.lower <= b.upper
            assert b.lower <= a.upper
    rotated = covariance_spectrum(ref.unit(X @ np.linalg.qr(rng.standard_normal((d, d)))[0]), phi, layer)
    slack = 100 * d * n * 2**-52  # the rotation rounds the rows anew; angles move by a few d u
    assert abs(rotated.largest.value - base.largest.value) <= slack + base.largest.radius + rotated.largest.radius


# -- size -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phi", ["softplus", "tanh", "relu"])
def test_accuracy_at_full_size(phi: str) -> None:
    X = ref.sphere(1000, 60, 0)
    for layer in LAYERS:
        found = covariance_spectrum(X, phi, layer)
        assert 2 * found.smallest.relative_radius <= 1e-9
        assert 2 * found.largest.relative_radius <= 1e-9
        assert found.eigenvalues is not None
        assert abs(found.eigenvalues[0] - found.smallest.value) <= found.radius


@pytest.mark.parametrize(
    "X",
    [ref.sphere(120, 20, 0), np.eye(50), ref.cluster(90, 15, 9, 1e-2, 2), ref.near_pair(60, 8, 1e-9, 4)],
    ids=["tall", "identity", "clusters", "near-parallel"],
)
@pytest.mark.parametrize("phi", ["softplus", "relu"])
def test_iterative_path_agrees_with_dense(X: Any, phi: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for layer in LAYERS:
        dense = covariance_spectrum(X, phi, layer)
        with monkeypatch.context() as patch:
            patch.setattr(covariance, "DENSE_ROWS", 5)
            found = covariance_spectrum(X, phi, layer)
        assert found.eigenvalues is None
        assert "Lanczos" in found.smallest.note
        for a, b in ((dense.smallest, found.smallest), (dense.largest, found.largest)):
            assert a.lower <= b.upper
            assert b.lower <= a.upper
        assert found.smallest.upper <= dense.smallest.upper + 10 * dense.radius


def test_memory_is_a_few_square_matrices() -> None:
    n = 700
    X = ref.sphere(n, 40, 0)
    structure = row_structure(X)
    for phi in ("softplus", "relu"):
        covariance_spectrum(X[:20], phi)
        tracemalloc.start()
        covariance_spectrum(X, phi, structure=structure)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # Blocks of 2 MB for each worker come on top.
        assert peak < 8 * 5 * n * n + 60_000_000
