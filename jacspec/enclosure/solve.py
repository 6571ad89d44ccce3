r"""The minimum-norm solution of J Delta = r for a Jacobian J = D * X, enclosed.

For any P (k, d) and c (n,), with P near ``J^T c`` and c near ``(J J^T)^{-1} r``,

.. math:: J^+ r - P = J^+ (r - J P) - (I - J^+ J)(P - J^\top c), \qquad
          \|J^+ r - P\|_F \le \|r - J P\| / \sigma_{\min}(J) + \|P - J^\top c\|_F,

as ``(I - J^+ J) J^T = 0``. Both norms on the right are evaluated for every J and r in their balls, with rounding; how P
and c were found plays no part. Radii of D are multiplied by |P| and |c| only, never by a condition number squared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla
from numpy.typing import ArrayLike

from .._checks import InputError, check_matrix, check_same_rows, check_vector
from ..rounding import Estimate, gamma
from .balls import BallMatrix, as_ball
from .outward import TINY, Floats, flushed, grown, largest, norm_bound, row_norms, scaled, unit_scale, up
from .singular import jacobian_singular_values

__all__ = ["MinimumNormSolution", "minimum_norm_solution"]


@dataclass(frozen=True, eq=False)
class MinimumNormSolution:
    """``Delta = J^+ r`` for every J and r in their balls.

    Parameters
    ----------
    delta : BallMatrix (k, d) or None
        Entrywise enclosure of Delta, as a change of the weights W; None where sigma_min(J) > 0 could not be proved.
    error : float
        ``||Delta - delta.mid||_F`` is at most this (sharper than the entrywise radii for inner products with rows).
    norm : Estimate
        ``||Delta||_F = ||J^+ r||``.
    inverse_norm : Estimate
        ``||J^+|| = 1 / sigma_min(J)``.
    sigma_min, sigma_max : Estimate
        Of J.
    coefficients : (n,) float64
        c with ``Delta`` near ``J^T c``; not an enclosure.
    """

    delta: BallMatrix | None
    error: float
    norm: Estimate
    inverse_norm: Estimate
    sigma_min: Estimate
    sigma_max: Estimate
    coefficients: Floats


def minimum_norm_solution(
    D: BallMatrix | ArrayLike,
    X: ArrayLike,
    r: ArrayLike,
    r_radius: ArrayLike | None = None,
    *,
    gap: float = 1e-6,
) -> MinimumNormSolution:
    r"""The least Delta (in Frobenius norm) with ``J Delta = r``, ``J = D * X``, and how large it can be.

    Parameters
    ----------
    D : (n, k) float64, or BallMatrix
        Row i holds ``v_l phi'(<w_l, x_i>)``.
    X : (n, d) float64
        Exact numbers.
    r : (n,) float64
        Right-hand side; take its negative for the step that removes a residual.
    r_radius : (n,) float64, optional
        Entrywise radius of r.
    gap : float, default 1e-6
        Relative accuracy asked of sigma_min(J).

    Returns
    -------
    MinimumNormSolution

    Raises
    ------
    InputError
        If an array is not finite or has the wrong shape, or a radius is negative.

    References
    ----------
    docs/theory.md, ``newton-certificate``, ``interpolation-certificate-relu``.

    Examples
    --------
    >>> s = minimum_norm_solution([[2.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]], [4.0, 6.0])
    >>> s.delta.mid, s.norm.contains(13**0.5)
    (array([[2., 3.]]), True)
    """
    mid, radii = as_ball("D", D)
    X = check_matrix("X", X)
    check_same_rows("D", mid, "X", X)
    n = mid.shape[0]
    r = check_vector("r", r, length=n)
    spread = np.zeros(n) if r_radius is None else check_vector("r_radius", r_radius, length=n)
    for name, array in (("X", X), ("r", r), ("r_radius", spread)):
        if flushed(array) is not None:
            raise InputError(name, array, "no subnormal numbers while the processor takes them for zeros")
    if spread.min() < 0:
        raise InputError("r_radius", float(spread.min()), "nonnegative radii")
    low, top = jacobian_singular_values(D, X, gap=gap)

    # Work in units that keep products moderate: D = 2^a D', X = 2^b X', r = 2^e r', Delta = 2^(e - a - b) Delta'.
    a = unit_scale(largest(mid) if radii is None else largest(np.maximum(np.abs(mid), radii)))
    b, e = unit_scale(largest(X)), unit_scale(largest(np.maximum(np.abs(r), spread)))
    centre, width = scaled(mid, -a), None if radii is None else scaled(radii, -a)
    rows, right = scaled(X, -b), scaled(r, -e)
    c, P = _approximate(centre, rows, right)
    with np.errstate(over="ignore", under="ignore"):  # c is no enclosure; what Delta overflows to is looked at below
        coefficients = np.ldexp(c, e - 2 * a - 2 * b)
        delta = np.ldexp(P, e - a - b)
    unknown = Estimate.from_bounds(0.0, math.inf, True, "sigma_min(J) > 0 is not proved")
    sigma = _lower_in_units(low, a + b)
    if not (sigma > 0 and np.isfinite(P).all() and largest(P) < 2.0**200 and largest(c) < 2.0**200):
        note = "J has no right inverse" if low.exact_zero else "sigma_min(J) > 0 is not proved"
        unknown = unknown.with_note(note)
        return MinimumNormSolution(None, math.inf, unknown, unknown, low, top, coefficients)
    error = up(
        up(_residual(centre, width, rows, right, scaled(spread, -e), P) / sigma) + _off_range(centre, width, rows, c, P)
    )
    size = norm_bound(P.ravel())
    least = max(0.0, size * (1 - (P.size + 8) * 2.0**-51) - error)
    shift = e - a - b
    norm = Estimate.from_bounds(_outward(least, shift, -math.inf), _outward(up(size + error), shift, math.inf), True)
    bound = _outward(error, shift, math.inf)
    # ldexp rounds where it underflows, by less than the smallest normal number.
    entry = up(bound + 2.0**-1021) if shift < 0 else bound
    if not (np.isfinite(delta).all() and math.isfinite(entry)):
        return MinimumNormSolution(None, math.inf, unknown, 1 / low, low, top, coefficients)
    ball = BallMatrix(delta, np.full_like(delta, entry))
    whole = up(bound + up(2.0**-1021 * up(math.sqrt(delta.size)))) if shift < 0 else bound
    return MinimumNormSolution(ball, whole, norm, 1 / low, low, top, coefficients)


def _lower_in_units(sigma: Estimate, exponent: int) -> float:
    return _outward(sigma.lower, -exponent, -math.inf) if sigma.lower > 0 else 0.0


def _outward(x: float, exponent: int, toward: float) -> float:
    """``2^exponent x``, moved one step where that underflows."""
    try:
        y = math.ldexp(x, exponent)
    except OverflowError:
        return math.inf if toward > 0 else math.nextafter(math.inf, 0.0)
    return y if y >= 2.0**-1021 or x == 0 else max(0.0, math.nextafter(y, toward))


def _apply(D: Floats, X: Floats, P: Floats) -> Floats:
    """J P: row i is the sum over l of D_il <P_l, x_i>."""
    return np.asarray(np.einsum("ik,ik->i", D, X @ P.T))


def _adjoint(D: Floats, X: Floats, c: Floats) -> Floats:
    """J^T c as a (k, d) matrix: D^T diag(c) X."""
    return np.asarray(D.T @ (c[:, None] * X))


def _approximate(D: Floats, X: Floats, r: Floats) -> tuple[Floats, Floats]:
    """c and P = J^T c with J P near r: Cholesky of the Gram matrix and refinement. Nothing here is trusted."""
    n = D.shape[0]
    K = (D @ D.T) * (X @ X.T)
    lift = 0.0
    for _ in range(5):
        work = K.copy()
        work.flat[:: n + 1] += lift
        try:
            factor = sla.cho_factor(work, overwrite_a=True, check_finite=False)
            break
        except sla.LinAlgError:
            lift = max(lift * 100, n * 2.0**-52 * float(np.trace(K)) / n)
    else:
        return np.zeros(n), np.zeros((D.shape[1], X.shape[1]))
    with np.errstate(over="ignore", invalid="ignore"):
        c = sla.cho_solve(factor, r, check_finite=False)
        P = _adjoint(D, X, c)
        best, least = (c, P), math.inf
        for _ in range(8):
            residual = r - _apply(D, X, P)
            size = float(np.linalg.norm(residual))
            if not size < 0.5 * least:
                if size < least:
                    best = c, P
                break
            best, least = (c, P), size
            c = c + sla.cho_solve(factor, residual, check_finite=False)
            P = _adjoint(D, X, c)
    return best


def _residual(D: Floats, radii: Floats | None, X: Floats, r: Floats, spread: Floats, P: Floats) -> float:
    """Upper bound of ``||r - J P||`` over all J and r in their balls."""
    k, d = P.shape
    Z = X @ P.T  # within gamma_d |X||P|^T <= gamma_d ||x_i|| ||P_l||
    residual = np.abs(r - np.einsum("ik,ik->i", D, Z))
    x, p = row_norms(X), row_norms(P)
    moved = np.abs(Z)
    # sum_l |D_il| (gamma_d |x_i||p_l|) + gamma_k |D_i||Z_i|, and one rounding of the difference
    absolute = np.abs(D)
    rounding = gamma(d + 1) * x * (absolute @ p) + gamma(k + 1) * np.einsum("ik,ik->i", absolute, moved)
    total = residual * (1 + 2.0**-51) + rounding + spread
    if radii is not None:
        total = total + np.einsum("ik,ik->i", radii, moved) + gamma(d + 1) * x * (radii @ p)
    return norm_bound(np.asarray(grown(total, k + d + 12)) + k * d * TINY * 2.0**200)


def _off_range(D: Floats, radii: Floats | None, X: Floats, c: Floats, P: Floats) -> float:
    """Upper bound of ``||P - J^T c||_F`` over all J in the ball."""
    n = len(c)
    plain = _adjoint(D, X, c)
    difference = np.abs(P - plain)
    size = np.abs(c)[:, None] * np.abs(X)
    # n products of three factors: gamma_{n+1} |D|^T |c| |X|, and one rounding of the difference
    total = difference * (1 + 2.0**-51) + gamma(n + 2) * (np.abs(D).T @ size)
    if radii is not None:
        total = total + radii.T @ size
    return norm_bound((np.asarray(grown(total, n + 12)) + n * TINY * 2.0**200).ravel())
