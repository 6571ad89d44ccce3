"""An approximate least solution of ``J Delta = t``, with a proved bound of what it misses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..enclosure import BallMatrix
from ..rounding import UNIT_ROUNDOFF, Estimate, gamma, gram_radius
from .linearization import norm_bounds

__all__ = ["Solve", "applied", "least_change", "smallest_turns", "solved"]

Floats = NDArray[np.float64]
#: ``solve(D, X, t)``: some Delta (k, d) with J Delta near t.
Solve = Callable[[Floats, Floats, Floats], Floats]

#: Reweightings of `smallest_turns`.
_ROUNDS = 12


def solved(D: Floats, X: Floats, target: Floats) -> Floats:
    """J^+ t as (k, d), in float64, of ``J = D * X``: through ``J J^T``, by eigenvalues where that is not definite.

    Nothing is proved of it.
    """
    from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

    # Powers of two: tiny output weights must not underflow when squared.
    scale = 2.0 ** float(np.frexp(np.max(np.abs(D)))[1]) if np.any(D) else 1.0
    F = D / scale
    K = (F @ F.T) * (X @ X.T)
    weights = np.zeros_like(target)
    try:
        factor = cho_factor(K, lower=True, check_finite=False)
        for _ in range(3):  # refined by the residual of J itself, which knows more digits than K
            delta = (F * weights[:, None]).T @ X
            weights = weights + cho_solve(factor, target - np.sum(F * (X @ delta.T), axis=1), check_finite=False)
        if not np.all(np.isfinite(weights)):
            raise LinAlgError
    except LinAlgError:
        values, vectors = eigh(K, check_finite=False)
        kept = values > max(float(values[-1]), 0.0) * len(values) * 2.0**-50
        inverse = np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)
        weights = vectors @ (inverse * (vectors.T @ target))
    return np.asarray((F * weights[:, None]).T @ X / scale)


def applied(D: BallMatrix, X: Floats, delta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """``P = X Delta^T`` (n, k) with its radius, and ``J Delta = rowsum(D o P)`` (n,) with its radius, for all D.

    Returns
    -------
    P, P_radius : (n, k) float64
    value, radius : (n,) float64
    """
    m = D.mid.shape[1]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        P = X @ delta.T
        P_radius = np.outer(gram_radius(X), gram_radius(delta)) * (1 + 4 * UNIT_ROUNDOFF)
        size = np.abs(P)
        # Errors of P and D, then of m products and their sum.
        spread = np.abs(D.mid) * (P_radius + m * UNIT_ROUNDOFF * size) + D.rad * (size + P_radius)
        value = np.einsum("ij,ij->i", D.mid, P)
        radius = np.sum(spread, axis=1) * (1 + gamma(m + 16)) + 2.0**-1000
    return P, P_radius, value, radius


def least_change(
    D: BallMatrix, X: Floats, target: Floats, target_radius: Floats, solve: Solve | None = None
) -> tuple[Floats, Estimate]:
    """(Delta, a bound of ||t - J Delta||) for every D and t within their radii.

    Parameters
    ----------
    D : BallMatrix
        (n, k) factor of J.
    X : (n, d) float64
    target, target_radius : (n,) float64
    solve : callable, optional
        Where Delta comes from; by default `solved`.

    Returns
    -------
    delta : (k, d) float64
        Near J^+ t, or what `solve` finds. Not finite where float64 cannot do it; the bound is then infinite.
    missing : Estimate
        Exact: an upper bound.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        delta = (solve or solved)(D.mid, X, target)
    if not np.all(np.isfinite(delta)):
        return delta, Estimate.infinite("overflow")
    _, _, value, radius = applied(D, X, delta)
    rest = target - value
    missing = norm_bounds(rest, (target_radius + radius + UNIT_ROUNDOFF * np.abs(rest)) * (1 + gamma(8)))
    return delta, Estimate.exact(missing.upper)


def smallest_turns(D: Floats, X: Floats, target: Floats, room: Floats) -> Floats:
    r"""Delta (k, d) with ``J Delta = t`` and small ``max |<Delta_l, x_i>| / room_il``, in float64.

    Weighted least squares, ``min sum_il omega_il (<Delta_l, x_i>/room_il)^2``, and Lawson's reweighting of omega by the
    turns themselves, which tends to the least maximum; the best of all rounds, or the first below 0.9. One round where
    it shows that none will come below 1. Nothing is proved of it. Costs n k d numbers and ``n^2 k d`` operations a
    round.

    Parameters
    ----------
    D : (n, k) float64
        Factor of J.
    X : (n, d) float64
    target : (n,) float64
    room : (n, k) float64
        Positive.
    """
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    (n, k), d = D.shape, X.shape[1]
    products = (X[:, :, None] * X[:, None, :]).reshape(n, d * d)
    omega, best, best_turn = np.full((n, k), 1.0), solved(D, X, target), np.inf
    for tried in range(_ROUNDS):
        # In units where the room is about 1 and weights no larger than 1e24: the rest is refined away below.
        weight = omega / (room / np.max(room)) ** 2
        weight = np.minimum(weight, 1e24 * np.min(weight))
        M = (weight.T @ products).reshape(k, d, d)
        M += 1e-14 * np.trace(M, axis1=1, axis2=2)[:, None, None] * np.eye(d) / d
        try:
            L = np.linalg.cholesky(M)
            rows = np.linalg.solve(L, np.broadcast_to(X.T, (k, d, n)))  # L_l^{-1} x_i
            B = (rows * D.T[:, None, :]).reshape(k * d, n)
            factor = cho_factor(B.T @ B, lower=True, check_finite=False)
            inner = np.zeros((k, d))
            delta = inner
            for _ in range(4):
                rest = target - np.sum(D * (X @ delta.T), axis=1)
                inner = (B @ cho_solve(factor, rest, check_finite=False)).reshape(k, d)
                delta = delta + np.linalg.solve(L.transpose(0, 2, 1), inner[:, :, None])[:, :, 0]
        except LinAlgError:
            break
        turn = np.abs(X @ delta.T) / room
        most = float(np.max(turn))
        if not np.isfinite(most):
            break
        if most < best_turn:
            best, best_turn = delta, most
        # The first round has the least sum of squares, and a maximum is at least the root of their mean: no weights
        # can bring it below that.
        if most < 0.9 or (tried == 0 and np.linalg.norm(turn) >= np.sqrt(n * k)):
            break
        omega = omega * (turn / most + 1e-3)
        omega /= np.max(omega)
    return best
