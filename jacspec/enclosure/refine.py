r"""Tiny eigenvalues: an inverse factor, judged by a residual in twice the working precision.

With any square M, ``M^T K M = I + D`` with ``||D|| <= eps < 1`` makes K definite, and ``K^-1 = M (I + D)^-1 M^T``, so
``lambda_min(K)^(-1/2) = ||M (I + D)^(-1/2)||``, where ``(I + D)^(-1/2)`` is ``I - D/2`` up to
``3/8 eps^2 / (1 - eps)``. An M in plain float64 serves up to condition numbers far beyond 1e16: its rounding enters D
as ``u sqrt(kappa)`` only, and the result as the square of that; it is the residual D that needs more digits.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg as sla

from ..rounding import UNIT_ROUNDOFF, gamma
from .exact_products import product
from .outward import Floats, down, grown, largest, norm_bound, row_norms, scaled, scaled_bounds, unit_scale, up

__all__ = ["congruence", "inverse_factor_bounds"]

_MOST_STEPS = 6


def congruence(high: Floats, low: Floats | None, M: Floats) -> tuple[Floats, float]:
    """``M^T (high + low) M - I`` and a bound of the spectral norm of its error; max |high| and max |M| moderate."""
    n, m = M.shape
    Y = product(high, M)
    rest = Y.low
    row_error = Y.row_error
    if low is not None:
        rest = rest + low @ M
        # plain product (gamma_n |low||M|), and one more rounding of a sum that is mostly Y.low (allowed for there)
        row_error = row_error + grown(row_norms(low) * (gamma(n) + 2 * UNIT_ROUNDOFF), 2)
    MT = np.ascontiguousarray(M.T)
    Z = product(MT, Y.high)
    D = Z.high.copy()
    D[np.diag_indices(m)] -= 1.0
    size = _sums(D)
    D += Z.low + MT @ rest
    size += _sums(D)
    columns = Y.column_norm
    rest_norms = row_norms(np.ascontiguousarray(rest.T))
    # error of Y through M^T: |M_p|.(e b_q + a f_q), an outer product of the column norms with a vector
    through = norm_bound(columns) * norm_bound(
        norm_bound(row_error) * columns + norm_bound(Y.row_norm) * Y.column_error
    )
    # error of Z
    second = norm_bound(Z.row_error) * norm_bound(Z.column_norm) + norm_bound(Z.row_norm) * norm_bound(Z.column_error)
    # M^T rest, plainly, and three roundings of sums of that size
    plain = (gamma(n) + 4 * UNIT_ROUNDOFF) * norm_bound(columns) * norm_bound(rest_norms)
    # Z.high - I, the sum with it, and the mean with the transpose: each rounded by at most u of its size. Errors like
    # these are bounded by row and column sums alike, so by their symmetric part's norm.
    sums = 4 * UNIT_ROUNDOFF * size
    error = _total(through, second, plain, sums)
    return 0.5 * (D + D.T), float(grown(error, n + 40))


def _total(*errors: float) -> float:
    return sum(errors)


def _sums(D: Floats) -> float:
    """The larger of the row-sum and column-sum norms."""
    A = np.abs(D)
    return max(float(A.sum(axis=0).max()), float(A.sum(axis=1).max()))


def _inverse_root(S: Floats) -> Floats | None:
    """R^-1 for S = R^T R, or None where S is too ill-conditioned for this to be near. Nothing here is trusted."""
    factor, info = sla.lapack.dpotrf(S.T, lower=0, clean=1)
    if info != 0:
        return None
    inverse, info = sla.lapack.dtrtri(factor, lower=0, overwrite_c=1)
    if info != 0 or not np.isfinite(inverse.sum()):
        return None
    near = len(S) * UNIT_ROUNDOFF * largest(S) * float(np.einsum("ij,ij->j", inverse, inverse).max()) < 1e-2
    return np.ascontiguousarray(inverse) if near else None


def _start(high: Floats) -> Floats:
    """An inverse factor of `high`, or Q diag(max(lambda, noise))^(-1/2) where it is nearly singular."""
    quick = _inverse_root(high)
    if quick is not None:
        return quick
    values, vectors = sla.eigh(high, check_finite=False)
    noise = len(values) * UNIT_ROUNDOFF * max(abs(float(values[0])), abs(float(values[-1])))
    return np.asarray(vectors / np.sqrt(np.maximum(values, max(noise, 1e-300))))


def inverse_factor_bounds(high: Floats, low: Floats | None, tolerance: float) -> tuple[float, float] | None:
    """Proved bounds of the smallest eigenvalue of ``high + low``, or None where no positive one can be proved.

    Parameters
    ----------
    high : (n, n) float64, symmetric
        With its largest entry near 1.
    low : (n, n) float64, symmetric, or None
    tolerance : float
        Relative width to aim at: the iteration stops once eps^2 is below.

    Returns
    -------
    (lower, upper), or None
    """
    n = high.shape[0]
    M = _start(high)
    best: tuple[float, float, Floats, Floats] | None = None
    for _ in range(_MOST_STEPS):
        e = unit_scale(largest(M))
        if abs(e) > 90:
            return None
        # With M = 2^e N the congruence is N^T (2^(2e) K) N.
        D, error = congruence(scaled(high, 2 * e), None if low is None else scaled(low, 2 * e), scaled(M, -e))
        if not (np.isfinite(D).all() and math.isfinite(error)):
            return None
        eps = up(float(grown(np.abs(D).sum(axis=1).max(), n + 2)) + error)
        stuck = best is not None and eps > 0.1 * best[0]  # u sqrt(kappa), the rounding of M itself, is reached
        if best is None or eps < best[0]:
            best = eps, error, D, M
        if eps <= max(math.sqrt(tolerance), 2 * error) or error > 0.5 or stuck:
            break
        S = D.copy()
        S[np.diag_indices(n)] += 1.0
        quick = _inverse_root(S)
        if quick is not None:
            M = M @ quick
        else:
            values, vectors = sla.eigh(S, check_finite=False)
            if values[0] <= -max(8 * error, 1e-3):
                return None  # not positive definite, or beyond what this precision can see
            noise = n * UNIT_ROUNDOFF * float(values[-1])
            M = M @ (vectors / np.sqrt(np.maximum(values, noise)))
        if not np.isfinite(M).all():
            return None
    if best is None or best[0] >= 0.99:
        return None
    return _from_residual(*best)


def _from_residual(eps: float, error: float, D: Floats, M: Floats) -> tuple[float, float] | None:
    """Bounds of ``||M (I + D*)^(-1/2)||^-2`` for all symmetric D* within `error` of D and eps of zero."""
    from .singular import spectral_norm

    n = M.shape[0]
    e = unit_scale(largest(M))
    M = scaled(M, -e)
    N = M - M @ (0.5 * D)
    size, tilt = norm_bound(M.ravel()), norm_bound(D.ravel())
    # a product of n terms, the difference, and what the first-order formula leaves out
    rounding = 0.5 * gamma(n) * size * tilt + 2 * UNIT_ROUNDOFF * norm_bound(N.ravel())
    distance = float(grown(size * (0.375 * eps**2 / (1 - eps) + 0.5 * error) + rounding, 12))
    root = spectral_norm(N, gap=1e-6)
    low, high = down(root.lower - distance), up(root.upper + distance)
    if not 0 < low <= high < 2.0**400:
        return None
    return scaled_bounds(down(1.0 / up(high * high)), up(1.0 / down(low * low)), -2 * e)
