"""Rows uniform on the sphere at growing sizes, and the eigenvalues that laws about them speak of.

float64 without radii: rounding is of order n u, which is 1e-13 here, against a sampling noise of 1e-3.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .instances import Domain, Instance, Spec, generator, need, unit_rows

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["RANDOM_ROWS", "centred_norm", "geometric", "gram", "spectral_norm", "square_spectrum"]

Floats = NDArray[np.float64]


def _specs() -> SearchStrategy[Spec]:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"n": st.integers(1, 40), "d": st.integers(1, 40)})


def _build(spec: Spec, trial: int) -> Instance:
    """n rows in R^d, keyed by (seed, n, d, trial): every size and every draw has data of its own."""
    n, d = need(spec, "n", "d")
    return Instance(spec, {"X": unit_rows(n, d, "sphere", 0.0, generator(spec, 8, n, d, trial))}, trial=trial)


#: n independent rows uniform on the unit sphere of R^d.
RANDOM_ROWS = Domain("rows uniform on the sphere, n and d growing together", _specs, _build)


def geometric(first: int, count: int, ratio: float) -> tuple[int, ...]:
    """A geometric sequence, rounded."""
    return tuple(round(first * ratio**i) for i in range(count))


def gram(instance: Instance) -> Floats:
    """``X X^T``, (n, n)."""
    found: Floats = instance.once("gram", lambda: instance["X"] @ instance["X"].T)
    return found


def spectral_norm(instance: Instance) -> float:
    """``||X||``, from the Gram matrix of the shorter side."""

    def compute() -> float:
        from scipy.linalg import eigvalsh

        X = instance["X"]
        G = gram(instance) if X.shape[0] <= X.shape[1] else X.T @ X
        top = len(G) - 1
        return math.sqrt(float(eigvalsh(G, subset_by_index=[top, top], check_finite=False)[0]))

    found: float = instance.once("spectral norm", compute)
    return found


def square_spectrum(instance: Instance) -> tuple[float, float]:
    """``(sigma_min(X*X)^2, ||X*X||^2)``: extreme eigenvalues of the Hadamard square of the Gram matrix.

    Its eigenvalues lose half the digits of small singular values. Here they are of order 1, and nothing is lost.
    """

    def compute() -> tuple[float, float]:
        from scipy.linalg import eigvalsh

        values = eigvalsh(gram(instance) ** 2, check_finite=False)
        return float(values[0]), float(values[-1])

    found: tuple[float, float] = instance.once("square spectrum", compute)
    return found


def centred_norm(instance: Instance) -> float:
    """``||(X X^T)^{o2} - 11^T/d||``: the bulk of the spectrum of X*X, without its outlier."""

    def compute() -> float:
        from scipy.linalg import eigvalsh

        values = eigvalsh(gram(instance) ** 2 - 1 / instance["X"].shape[1], check_finite=False)
        return float(np.max(np.abs(values[[0, -1]])))

    found: float = instance.once("centred norm", compute)
    return found
