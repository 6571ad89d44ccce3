"""Step sizes as the theorems give them, and what to say of one that a theorem does not allow."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import bounds
from .._checks import InputError
from ..network import ShallowNet
from ..rounding import Estimate
from ..spectrum import largest_singular_value, singular_extremes
from .checkpoints import jacobian_extremes

__all__ = ["Smoothness", "automatic", "excess"]

Floats = NDArray[np.float64]

#: nu of `sgd-convergence` in the automatic step size: it fails with probability at most 1/2.
_NU = 2.0


@dataclass(frozen=True)
class Smoothness:
    """Upper bounds of ``||J||`` (beta) and of the norms of its rows (row), everywhere.

    Parameters
    ----------
    beta, row : float
        Infinite where phi' is unbounded.
    names : str
        How they were found, for a person.
    """

    beta: float
    row: float
    names: str

    @classmethod
    def of_hidden(cls, net: ShallowNet, X: Floats) -> Smoothness:
        """``B1 ||v|| ||X||`` and ``B1 ||v|| max ||x_i||`` (`jacobian-norm`, sharp)."""
        B1, v = net.activation.B1.upper, _norm(net.v)
        beta = Estimate.of(bounds.jacobian_norm_sharp(Estimate.exact(B1), Estimate(v), largest_singular_value(X)))
        return cls(beta.upper, B1 * v * float(np.max(np.linalg.norm(X, axis=1))), "beta = B1 ||v|| ||X||")

    @classmethod
    def of_output(cls, features: Floats) -> Smoothness:
        """``||Phi||`` and ``max ||Phi_i||``: the Jacobian in v is Phi, wherever."""
        row = float(np.max(np.linalg.norm(features, axis=1)))
        return cls(largest_singular_value(features).upper, row, "beta = ||Phi||")


def _norm(v: Floats) -> float:
    top = float(np.max(np.abs(v)))
    return top * float(np.linalg.norm(v / top)) if top > 0 else 0.0


def automatic(
    algorithm: str, s: Smoothness, eta_bar: float, net: ShallowNet, X: Floats, features: Floats | None
) -> tuple[float, str]:
    """(eta, where it comes from): GD ``eta_bar/(2 beta^2)``; SGD ``eta_bar`` times the cap of `sgd-convergence`.

    Raises
    ------
    InputError
        Where the theorem gives none: phi' is unbounded, v = 0, or (SGD) sigma_min(J(W_0)) is not known to be positive.
    """
    if not math.isfinite(s.beta):
        why = f"a number: B1 = sup|phi'| is infinite for {net.activation.name}, so no theorem gives a step size"
        raise InputError("eta", "'auto'", why)
    if s.beta == 0:
        raise InputError("eta", "'auto'", "a number: v = 0, so the gradient is zero everywhere")
    share = "" if eta_bar == 1 else f"{eta_bar:g} times "
    if algorithm == "gd":
        eta = _gd_step_size(eta_bar, s.beta)
        rule = f"{share}1/(2 beta^2), {s.names} (gd-convergence)"
    else:
        smallest = _smallest(net, X, features)
        if smallest.lower <= 0:
            why = f"SGD's step size rests on sigma_min(J(W_0)) > 0, and it is {_why_zero(smallest)}"
            raise InputError("eta", "'auto'", f"a number: {why}")
        alpha = smallest.lower / 2
        eta = eta_bar * min(_sgd_step_sizes(alpha, s.row, s.beta))
        form = "min(4 alpha^2/(5 b^2 beta^2), 4/(nu b^2)), alpha = sigma_min(J(W_0))/2"
        rule = f"{share}{form}, {s.names} (sgd-convergence)"
    if not sys.float_info.min <= eta < math.inf:
        raise InputError("eta", f"'auto' = {eta!r}", "labels whose step size float64 can hold; rescale y")
    return float(eta), rule


def _gd_step_size(eta_bar: float, beta: float) -> float:
    """``eta_bar/(2 beta^2)``; 0 or infinity where beta^2 leaves the range of float64 (Python's floats would raise)."""
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        return float(bounds.gd_step_size(eta_bar, 1, 1.0, 1.0, np.float64(beta)))


def _sgd_step_sizes(alpha: float, row: float, beta: float) -> tuple[float, float]:
    """`bounds.sgd_step_size`, likewise."""
    with np.errstate(all="ignore"):
        first, second = bounds.sgd_step_size(np.float64(alpha), np.float64(row), np.float64(beta), _NU)
    return 0.0 if math.isnan(first) else float(first), 0.0 if math.isnan(second) else float(second)


def _smallest(net: ShallowNet, X: Floats, features: Floats | None) -> Estimate:
    return jacobian_extremes(net, X)[0] if features is None else singular_extremes(features)[0]


def _why_zero(e: Estimate) -> str:
    return f"exactly zero ({e.note})" if e.exact_zero else f"at most {e.upper:.1e}, not told from zero"


def excess(algorithm: str, s: Smoothness, eta: float) -> str | None:
    """The sentence about a step size beyond what a theorem allows, naming the bound; None when there is none."""
    if algorithm == "gd":
        most = _gd_step_size(1.0, s.beta) if math.isfinite(s.beta) and s.beta > 0 else math.inf
        if eta > 4 * most:
            return f"eta = {eta:.4g} exceeds 2/beta^2 = {4 * most:.4g} ({s.names}): even linear convergence may fail"
        if eta > most * (1 + 1e-9):
            return f"eta = {eta:.4g} exceeds 1/(2 beta^2) = {most:.4g} ({s.names}), which gd-convergence asks for"
        return None
    most = _sgd_step_sizes(1.0, s.row, s.beta)[1] if math.isfinite(s.row) and s.row > 0 else math.inf
    if eta > most * (1 + 1e-9):
        bound = f"4/(nu b^2) = {most:.4g} (b = max ||J_i||, nu = 2)"
        return f"eta = {eta:.4g} exceeds {bound}, which sgd-convergence asks for"
    return None
