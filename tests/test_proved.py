"""Constants of data with proofs: they enclose what ball arithmetic finds, and say what they cannot prove."""

from __future__ import annotations

import json
import subprocess
import sys

import flint
import numpy as np
import pytest
from exact_matrices import holds_singular, khatri_rao, rationals
from hypothesis import given, settings
from hypothesis import strategies as st

from jacspec.constants import data_constants
from jacspec.covariance import covariance_spectrum
from jacspec.data import load
from jacspec.proved import proved_covariance, proved_spectrum
from jacspec.spectrum import data_spectrum

NUMBERS = ("spectral_norm", "sigma_min", "khatri_rao_norm", "khatri_rao_sigma_min", "kappa", "separation")


def unit_rows(n: int, d: int, seed: int, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(d) + spread * rng.standard_normal((n, d))
    return np.ascontiguousarray(X / np.linalg.norm(X, axis=1)[:, None])


def spectrum(X: np.ndarray):
    measured = data_spectrum(X)
    return proved_spectrum(X, measured)


def of_normalised(X: np.ndarray, power: int) -> list[flint.arb]:
    """Eigenvalues of ``(N N^T)^{o power}``, N the exactly normalised rows, to some 60 digits; [] if they cluster."""
    flint.ctx.prec = 300
    try:
        rows = [[flint.arb(x) for x in row] for row in X.tolist()]
        rows = [[x / sum(y * y for y in row).sqrt() for x in row] for row in rows]
        gram = [[sum(a * b for a, b in zip(p, q, strict=True)) ** power for q in rows] for p in rows]
        return sorted((z.real for z in flint.acb_mat(flint.arb_mat(gram)).eig()), key=lambda z: float(z.mid()))
    except ValueError:
        return []
    finally:
        flint.ctx.prec = 53


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), st.integers(2, 5), st.integers(0, 10**6), st.sampled_from([1.0, 0.1, 1e-3]))
def test_proved_intervals_hold_the_singular_values_of_given_and_of_normalised_rows(n, d, seed, spread) -> None:
    X = unit_rows(n, d, seed, spread)
    found = spectrum(X)
    exact = rationals(X)
    assert holds_singular(exact, found.sigma_min, found.spectral_norm)
    assert holds_singular(khatri_rao(exact, exact), found.khatri_rao_sigma_min, found.khatri_rao_norm)
    for power, low, high in (
        (1, found.sigma_min, found.spectral_norm),
        (2, found.khatri_rao_sigma_min, found.khatri_rao_norm),
    ):
        for e, z in zip((low, high), of_normalised(X, power)[:: max(1, n - 1)], strict=False):
            # The true value is a ball far narrower than the interval.
            assert e.exact_zero or flint.arb(e.upper) ** 2 > z
            assert e.lower == 0 or flint.arb(e.lower) ** 2 < z


@pytest.mark.parametrize(
    "spec", ["sphere:n=30,d=10", "sphere:n=1,d=4", "sphere:n=4,d=1", "clusters:n=24,d=8,groups=3,angle=0.2"]
)
def test_proofs_agree_with_what_is_measured(spec) -> None:
    data = load(spec)
    measured = data_spectrum(data.X, structure=data.structure, raw=data.raw)
    found = proved_spectrum(data.X, measured)
    for name in NUMBERS:
        a, b = getattr(measured, name), getattr(found, name)
        assert b.rigorous, name
        assert a.exact_zero == b.exact_zero
        assert (a.lower <= b.upper and b.lower <= a.upper) or a.value == b.value == np.inf
        assert b.relative_radius < 1e-6
    two_four, before = found.norm_2_to_4_squared, measured.norm_2_to_4_squared
    assert two_four.lower <= before.upper
    assert two_four.upper == pytest.approx(before.upper, rel=1e-9)


@pytest.mark.parametrize("name", ["softplus", "tanh", "relu", "gelu", "elu", "quadratic"])
@pytest.mark.parametrize("layer", ["hidden", "output"])
def test_lambda_is_proved_and_agrees_with_what_is_measured(name, layer) -> None:
    X = unit_rows(20, 12, 3)
    measured = covariance_spectrum(X, name, layer)
    found = proved_covariance(X, measured, name)
    assert found.smallest.rigorous
    assert found.largest.rigorous
    assert found.smallest.lower <= measured.smallest.upper
    assert measured.smallest.lower <= found.smallest.upper
    assert found.largest.relative_radius < 1e-9


def test_a_users_activation_stays_measured() -> None:
    X = unit_rows(6, 5, 1)
    measured = covariance_spectrum(X, "expr:x*sigmoid(x)")
    assert proved_covariance(X, measured, "expr:x*sigmoid(x)") is measured


def test_exact_zeros_stay_exact() -> None:
    X = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    report = data_constants(X, ["softplus"], rigorous=True)
    assert report.spectrum.khatri_rao_sigma_min.exact_zero
    assert report.activations["softplus"].hidden.smallest.exact_zero
    assert report.spectrum.kappa.rigorous


def test_proved_constants_reach_the_widths() -> None:
    X = unit_rows(10, 8, 2)
    a, b = (data_constants(X, ["softplus"], rigorous=r).activations["softplus"].widths for r in (False, True))
    assert [row.claim for row in a] == [row.claim for row in b]
    for plain, proved in zip(a, b, strict=True):
        assert plain.verdict == proved.verdict
        if plain.k is not None:
            assert proved.k == pytest.approx(plain.k, rel=1e-6, abs=2)


def test_rows_that_are_not_unit_are_refused() -> None:
    X = unit_rows(4, 3, 0)
    with pytest.raises(ValueError, match="rows of norm 1"):
        proved_spectrum(2 * X, data_spectrum(X))


def test_what_does_not_fit_is_refused_before_it_is_tried(monkeypatch) -> None:
    from jacspec import _checks

    X = unit_rows(40, 6, 0)
    measured = data_spectrum(X)
    monkeypatch.setattr(_checks, "available_memory", lambda: 10_000)
    with pytest.raises(_checks.CapacityError, match="the proof"):
        proved_spectrum(X, measured)


def test_the_command_proves_what_it_prints() -> None:
    words = ["constants", "sphere:n=20,d=8", "-a", "softplus", "--rigorous", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", "from verification.cli import run; run()", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(done.stdout)
    numbers = [e for e in document["spectrum"].values() if "rigorous" in e]
    numbers += [e for e in document["activations"]["softplus"].values() if isinstance(e, dict) and "rigorous" in e]
    assert len(numbers) > 8
    assert all(e["rigorous"] for e in numbers)
