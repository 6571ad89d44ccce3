"""jacspec.constants: the JSON contract, labels, options, and that nothing leaves as NaN or below zero."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st

from jacspec._checks import InputError
from jacspec.activations import activation
from jacspec.constants import data_constants
from jacspec.data import load
from jacspec.widths import Options

#: The contract ``jacspec.constants/1``: what each object must have. Fields may be added, never dropped.
ESTIMATE = {"value", "radius", "rigorous", "exact_zero"}
TOP = {"schema", "version", "seed", "data", "spectrum", "activations"}
DATA = {"source", "n", "d", "rank", "sha256", "repeated_rows", "antipodal_rows", "row_norm_defect"}
SPECTRUM = ("spectral_norm", "sigma_min", "khatri_rao_norm", "khatri_rao_sigma_min", "kappa", "separation")
ACTIVATION = ("B1", "B2", "mu_phi", "mean_derivative_squared", "variance", "lambda", "lambda_output")
ROW = {
    "claim",
    "variant",
    "k",
    "verdict",
    "reason",
    "trains",
    "step_size",
    "rate",
    "iterations",
    "failure_probability",
    "assumes",
}


def number(x: Any) -> float:
    """A JSON number, or one of the strings that stand for infinity."""
    if x == "inf":
        return math.inf
    assert isinstance(x, (int, float))
    assert not isinstance(x, bool)
    assert math.isfinite(x)
    return float(x)


def check_estimate(e: dict[str, Any], *, signed: bool = False) -> None:
    assert set(e) >= ESTIMATE
    value, radius = number(e["value"]), number(e["radius"])
    assert radius >= 0
    assert isinstance(e["rigorous"], bool)
    assert isinstance(e["exact_zero"], bool)
    assert e["exact_zero"] == (value == 0 and radius == 0 and e["rigorous"])
    if not signed:
        assert value >= 0
        assert math.isinf(radius) or value - radius >= -1e-300


def check_report(report: dict[str, Any]) -> None:
    assert set(report) >= TOP
    assert report["schema"] == "jacspec.constants/1"
    assert set(report["data"]) >= DATA
    assert len(report["data"]["sha256"]) == 64
    for name in SPECTRUM:
        check_estimate(report["spectrum"][name])
    bounds = report["spectrum"]["norm_2_to_4_squared"]
    assert 0 < number(bounds["lower"]) <= number(bounds["upper"])
    for found in report["activations"].values():
        for name in ACTIVATION:
            check_estimate(found[name], signed=name == "mu_phi")
        for e in found["hermite"]:
            check_estimate(e, signed=True)
        assert found["widths"]
        for row in found["widths"]:
            assert set(row) >= ROW
            assert row["verdict"] in ("OK", "VACUOUS")
            assert row["variant"] in ("paper", "explicit", "sharp")
            assert row["trains"] in ("hidden", "output")
            assert row["k"] is None or (type(row["k"]) is int and row["k"] % 2 == 0 and row["k"] >= 2)
            assert (row["k"] is None) == (row["verdict"] == "VACUOUS")
            assert row["k"] is not None or row["reason"]
            assert row["iterations"] is None or type(row["iterations"]) is int
            for name in ("step_size", "rate", "failure_probability"):
                assert row[name] is None or number(row[name]) >= 0
    for row in report["literature"]:
        assert row["k"] is None


def round_trip(found: Any) -> dict[str, Any]:
    text = json.dumps(found.to_json(), allow_nan=False)
    report: dict[str, Any] = json.loads(text)
    check_report(report)
    return report


EVERYTHING = [*ref.NAMES, "leaky_relu:slope=-0.5"]
CASES = {
    "one row": lambda: np.array([[0.6, 0.8]]),
    "one column": lambda: np.array([[1.0], [-1.0]]),
    "identity": lambda: np.eye(4),
    "repeated": lambda: np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
    "too many": lambda: ref.sphere(8, 3, 0),
    "near-parallel": lambda: ref.near_pair(6, 5, 1e-10, 3),
    "one ulp apart": lambda: np.array([[0.6, 0.8], [np.nextafter(0.6, 1), 0.8], [0.8, -0.6]]),
    "sphere": lambda: ref.sphere(10, 6, 1),
}


@pytest.mark.parametrize("case", CASES)
def test_the_contract_holds_for_every_activation(case: str) -> None:
    X = CASES[case]()
    report = round_trip(data_constants(X, EVERYTHING, options=Options(eta_bar=0.5)))
    assert list(report["activations"]) == EVERYTHING
    assert report["data"]["n"] == len(X)
    assert report["data"]["d"] == X.shape[1]
    assert len(report["literature"]) > 3


def test_infinity_is_a_string() -> None:
    report = round_trip(data_constants(np.array([[1.0], [-1.0]]), ["quadratic", "relu"]))
    assert report["spectrum"]["kappa"]["value"] == "inf"
    assert report["spectrum"]["khatri_rao_sigma_min"]["exact_zero"]
    assert report["activations"]["quadratic"]["B1"]["value"] == "inf"
    assert report["activations"]["relu"]["B2"]["value"] == "inf"
    relu = report["activations"]["relu"]["lambda"]
    assert abs(relu["value"] - 0.5) <= relu["radius"]
    one = round_trip(data_constants(np.array([[1.0]]), ["tanh"]))
    assert one["spectrum"]["separation"]["value"] == "inf"


def test_undetermined_values_include_zero_and_say_so() -> None:
    report = round_trip(data_constants(ref.near_pair(6, 5, 1e-10, 3), ["softplus", "tanh"]))
    for found in report["activations"].values():
        e = found["lambda"]
        assert e["value"] == e["radius"] > 0
        assert "cannot be told from 0 in float64" in e["note"]
        reasons = [row["reason"] for row in found["widths"] if row["k"] is None]
        assert any("lambda(X)" in reason and "cannot be told from 0" in reason for reason in reasons)


def test_labels() -> None:
    X = ref.sphere(9, 6, 2)
    without = data_constants(X, ["softplus"])
    assert without.y_norm == 3.0
    assert round_trip(without)["activations"]["softplus"]["widths"][0]["assumes"]["y_norm"] == 3.0
    y = np.arange(9.0)
    with_labels = data_constants(X, ["softplus"], y=y)
    assert abs(with_labels.y_norm - math.sqrt(204)) < 1e-13
    for p, q in zip(without.activations["softplus"].widths, with_labels.activations["softplus"].widths, strict=True):
        assert p.k == q.k
        assert p.rate == q.rate
        if p.step_size is not None:
            assert q.step_size is not None
            assert abs(p.step_size / q.step_size * 9 / 204 - 1) < 1e-12
    with pytest.raises(InputError, match="labels"):
        data_constants(X, y=np.zeros(9))


def test_raw_rows_decide_zeros_and_match_the_normalised_ones() -> None:
    raw = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 1.0, 1.0]])
    found = data_constants(raw, ["relu"], normalize=True)
    report = round_trip(found)
    assert report["data"]["repeated_rows"] == [[0, 1]]
    assert report["data"]["normalized"]
    assert report["activations"]["relu"]["lambda"]["exact_zero"]
    same = data_constants(load(raw, normalize=True), ["relu"])
    assert same.to_json() == found.to_json()


def test_the_seed_is_echoed_and_fixes_the_result() -> None:
    X = ref.sphere(10, 6, 1)
    a, b = (data_constants(X, ["tanh"], seed=3).to_json() for _ in range(2))
    assert a == b
    assert a["seed"] == 3


def test_activations_are_deduplicated_in_order() -> None:
    found = data_constants(np.eye(3), ["silu", "relu", "swish", activation("relu")])
    assert list(found.activations) == ["silu", "relu"]


@pytest.mark.parametrize(
    "options, words",
    [
        (Options(delta=0.0), "delta: got 0.0; expected a finite number > 0"),
        (Options(nu=1.0), "nu: got 1.0; expected a finite number > 1"),
        (Options(failure=1.0), "failure: got 1.0"),
        (Options(failure=0.0), "failure: got 0.0"),
        (Options(eta_bar=1.5), "eta_bar: got 1.5"),
        (Options(eta_bar=math.nan), "eta_bar: got nan"),
        (Options(tolerance=1.0), "tolerance: got 1.0"),
    ],
)
def test_bad_options(options: Options, words: str) -> None:
    with pytest.raises(InputError) as error:
        data_constants(np.eye(3), options=options)
    assert words in str(error.value)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="activations: got none"):
        data_constants(np.eye(3), [])
    with pytest.raises(InputError, match="did you mean 'relu'"):
        data_constants(np.eye(3), ["rleu"])
    with pytest.raises(InputError, match="hermite_count: got 1"):
        data_constants(np.eye(3), hermite_count=1)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 9),
    d=st.integers(1, 6),
    phi=st.sampled_from(ref.NAMES),
    eta_bar=st.sampled_from([0.0, 1e-6, 0.3, 1.0]),
    failure=st.sampled_from([1e-30, 1e-3, 0.05, 0.9]),
    power=st.integers(-300, 300),
)
def test_never_nan(seed: int, n: int, d: int, phi: str, eta_bar: float, failure: float, power: int) -> None:
    X = ref.unit(np.random.default_rng(seed).integers(-2, 3, (n, d)) + np.eye(n, d) * 0.25 + 0.125)
    y = np.random.default_rng(seed).standard_normal(n) * 10.0**power
    found = data_constants(X, [phi], y=y, options=Options(eta_bar=eta_bar, failure=failure))
    round_trip(found)


def test_stages_are_announced() -> None:
    stages: list[str] = []
    data_constants(np.eye(3), ["tanh"], progress=stages.append)
    assert "tanh: lambda(X)" in stages
    assert "singular values of X" in stages
