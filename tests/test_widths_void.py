"""Widths: rows that are void, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference as ref

from jacspec.constants import data_constants
from jacspec.widths import (
    Options,
)


def reason(X: Any, phi: str, claim: str, variant: str, **options: Any) -> str:
    found = data_constants(X, [phi], options=Options(**options)).activations[phi].widths
    row = next(r for r in found if (r.claim, r.variant) == (claim, variant))
    assert row.verdict == "VACUOUS", row
    assert (row.k, row.step_size, row.rate, row.iterations, row.failure_probability) == (None,) * 5
    assert row.reason
    return row.reason


NEAR = ref.near_pair(6, 5, 1e-10, 3)
REPEATED = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    "X, phi, claim, variant, words",
    [
        (np.eye(4), "tanh", "theorem-gd-smooth", "paper", "mu_phi = 0 exactly"),
        (np.eye(4), "sin", "theorem-gd-smooth", "paper", "mu_phi = 0 exactly"),
        (ref.sphere(8, 3, 0), "softplus", "theorem-gd-smooth", "paper", "n = 8 > 3(3+1)/2 = 6"),
        (ref.sphere(8, 3, 0), "relu", "theorem-gd-relu", "paper", "sigma_min(X*X) = 0 exactly"),
        (np.array([[1.0], [-1.0]]), "softplus", "theorem-gd-smooth", "paper", "antipodal"),
        (np.eye(4), "relu", "theorem-gd-smooth", "explicit", "B2 = sup|phi''| is infinite"),
        (np.eye(4), "leaky_relu", "theorem-gd-smooth", "sharp", "B2 = sup|phi''| is infinite"),
        (np.eye(4), "relu", "theorem-sgd-smooth", "explicit", "B2 = sup|phi''| is infinite"),
        (np.eye(4), "quadratic", "theorem-gd-smooth", "sharp", "B1 = sup|phi'| is infinite"),
        (np.eye(4), "quadratic", "theorem-output-layer", "explicit", "unbounded"),
        (REPEATED, "softplus", "theorem-gd-smooth", "sharp", "lambda(X) = 0 exactly: rows 0 and 1 are equal"),
        (REPEATED, "relu", "theorem-gd-relu", "explicit", "lambda(X) = 0 exactly: rows 0 and 1 are equal"),
        (REPEATED, "tanh", "theorem-output-layer", "explicit", "lambdatilde(X) = 0 exactly"),
        (NEAR, "softplus", "theorem-gd-smooth", "explicit", "cannot be told from 0 in float64"),
        (NEAR, "tanh", "theorem-gd-smooth", "sharp", "cannot be told from 0 in float64"),
        (NEAR, "relu", "theorem-output-layer", "explicit", "cannot be told from 0 in float64"),
        (np.array([[1.0, 0.0]]), "softplus", "theorem-gd-smooth", "explicit", ">= 1"),
        (np.array([[1.0, 0.0]]), "relu", "theorem-gd-relu", "explicit", ">= 1"),
        (np.array([[1.0, 0.0]]), "tanh", "theorem-output-layer", "explicit", "1/n = 1"),
        (np.eye(2), "softplus", "theorem-sgd-smooth", "explicit", ">= 1"),
        (np.array([[1.0], [-1.0]]), "tanh", "theorem-gd-smooth", "explicit", "antipodal and phi' is even"),
        (ref.sphere(8, 3, 0), "linear", "theorem-gd-smooth", "explicit", "polynomial of degree 1"),
    ],
)
def test_reasons(X: Any, phi: str, claim: str, variant: str, words: str) -> None:
    assert words in reason(X, phi, claim, variant)


def test_void_by_the_options() -> None:
    assert ">= 1" in reason(np.eye(30), "softplus", "theorem-gd-smooth", "explicit", delta=1e-3)
    assert ">= 1" in reason(np.eye(30), "softplus", "theorem-sgd-smooth", "explicit", nu=1.0001)


def test_one_row_still_has_the_sharp_theorem() -> None:
    found = data_constants(np.array([[1.0, 0.0]]), ["softplus"]).activations["softplus"].widths
    sharp = next(r for r in found if r.variant == "sharp" and r.claim == "theorem-gd-smooth")
    assert sharp.verdict == "OK"
