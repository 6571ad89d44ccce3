r"""Extreme singular values, proved: of matrices, of Jacobians D * X and of X * X, through Gram matrices.

sigma is over the rows: ``sigma_min(A) = min_{||c|| = 1} ||A^T c||``, exactly zero for more rows than columns. The Gram
matrix is formed plainly first; where its smallest eigenvalue has lost too many digits it is formed again as a sum of
two floats, which leaves nothing of the usual loss of half the digits. Radii of the data act on singular values
directly (Weyl: ``|sigma(A + delta) - sigma(A)| <= ||delta||``), never through the Gram matrix.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_matrix, check_same_rows
from ..rounding import Estimate
from .balls import BallMatrix, SymmetricBall, as_ball, gram, hadamard
from .eigenvalues import largest_eigenvalue, smallest_eigenvalue
from .outward import Floats, flushed, largest, row_norms, scaled, scaled_estimate, spectral_norm_bound, unit_scale, up

__all__ = [
    "jacobian_singular_values",
    "khatri_rao_singular_values",
    "norm_upper",
    "smallest_singular_value",
    "spectral_norm",
]

#: Bit operations spent on an exact rank where an interval reaches zero.
_RANK_BUDGET = 2e9


def _root(eigenvalue: Estimate, exponent: int) -> Estimate:
    """``2^(exponent / 2)`` times the square root of an eigenvalue of a Gram matrix, in units of 2^exponent."""
    if exponent % 2:
        eigenvalue = scaled_estimate(eigenvalue, 1).with_note(eigenvalue.note)
    return scaled_estimate(eigenvalue.nonnegative().sqrt(), exponent // 2).with_note(eigenvalue.note)


def _unit(S: SymmetricBall) -> SymmetricBall:
    """The ball without its power of two, which would over- or underflow before the root is taken."""
    return _times_power(S, -S.exponent)


def _times_power(S: SymmetricBall, exponent: int) -> SymmetricBall:
    again = S.refine
    refine = None if again is None else lambda: _times_power(again(), exponent)
    return replace(S, exponent=S.exponent + exponent, refine=refine)


def _moved(sigma: Estimate, distance: float) -> Estimate:
    """A singular value whose matrix may be off by `distance` in spectral norm."""
    if distance == 0:
        return sigma
    return Estimate.from_bounds(sigma.lower, sigma.upper, sigma.rigorous, sigma.note).widened(distance).nonnegative()


def _extremes(S: SymmetricBall, gap: float) -> tuple[Estimate, Estimate]:
    unit = _unit(S)
    return _root(smallest_eigenvalue(unit, gap=gap), S.exponent), _root(largest_eigenvalue(unit, gap=gap), S.exponent)


def norm_upper(rows: Floats) -> float:
    """Upper bound of the largest Euclidean norm of a row, at any scale."""
    e = unit_scale(largest(rows))
    return float(scaled_estimate(Estimate(float(row_norms(scaled(rows, -e)).max()), 0.0, True), e).upper)


def spectral_norm(A: BallMatrix | ArrayLike, rad: ArrayLike | None = None, *, gap: float = 1e-9) -> Estimate:
    """``||A||``, proved, from the Gram matrix of the smaller side.

    Parameters
    ----------
    A : (n, m) float64, or BallMatrix
    rad : (n, m) float64, optional
        Entrywise radius.
    gap : float

    Returns
    -------
    Estimate
        Holds the spectral norm of every matrix in the ball.

    Raises
    ------
    InputError
        If A or rad is not finite and 2-D.

    Examples
    --------
    >>> spectral_norm([[3.0, 4.0]]).contains(5.0)
    True
    """
    mid, radii = as_ball("A", A, rad)
    S = gram(mid if mid.shape[0] <= mid.shape[1] else np.ascontiguousarray(mid.T))
    sigma = _root(largest_eigenvalue(_unit(S), gap=gap), S.exponent)
    return sigma if radii is None else _moved(sigma, spectral_norm_bound(radii))


def smallest_singular_value(A: BallMatrix | ArrayLike, rad: ArrayLike | None = None, *, gap: float = 1e-9) -> Estimate:
    """The n-th singular value of an n-row matrix, proved; exactly zero where n exceeds the columns or the rank.

    Parameters, raises: as for `spectral_norm`.

    Returns
    -------
    Estimate
        Holds sigma_min of every matrix in the ball. Where positivity cannot be proved it starts at 0.

    Examples
    --------
    >>> smallest_singular_value([[1.0, 1.0], [1.0, 1.0]]).exact_zero
    True
    """
    mid, radii = as_ball("A", A, rad)
    n, m = mid.shape
    if n > m:
        return Estimate.zero(f"more rows than columns, {n} > {m}")
    S = gram(mid)
    sigma = _root(smallest_eigenvalue(_unit(S), gap=gap), S.exponent)
    if radii is not None:
        return _moved(sigma, spectral_norm_bound(radii))
    if sigma.lower > 0:
        return sigma
    from ..data.rank import rank_bounds

    rank = rank_bounds(mid, budget=_RANK_BUDGET)[1]
    return Estimate.zero(f"rank at most {rank} < n = {n}") if rank < n else sigma


def jacobian_singular_values(
    D: BallMatrix | ArrayLike, X: ArrayLike, *, gap: float = 1e-9
) -> tuple[Estimate, Estimate]:
    r"""sigma_min and sigma_max of the Jacobian ``J = D * X`` (row-wise Khatri-Rao), proved, without forming J.

    .. math:: J J^\top = (D D^\top) \circ (X X^\top)

    Parameters
    ----------
    D : (n, k) float64, or BallMatrix
        Row i holds ``v_l phi'(<w_l, x_i>)``.
    X : (n, d) float64
        Exact numbers.
    gap : float

    Returns
    -------
    smallest, largest : Estimate
        For every D in the ball; radii of D move a singular value by at most
        ``min(||rad|| max ||x_i||, max ||rad_i|| ||X||)``. smallest is exactly zero for n > k d.

    Raises
    ------
    InputError
        If D or X is not finite and 2-D, or their row counts differ.

    References
    ----------
    docs/theory.md, ``jacobian-formula``, ``khatri-rao-spectrum``.

    Examples
    --------
    >>> low, high = jacobian_singular_values([[2.0], [3.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> low.contains(2.0), high.contains(3.0)
    (True, True)
    """
    mid, radii = as_ball("D", D)
    X = check_matrix("X", X)
    check_same_rows("D", mid, "X", X)
    n, k = mid.shape
    S = hadamard(gram(mid), gram(X))
    distance = 0.0 if radii is None else _khatri_rao_distance(radii, X)
    top = _moved(_root(largest_eigenvalue(_unit(S), gap=gap), S.exponent), distance)
    if n > k * X.shape[1]:
        return Estimate.zero(f"more rows than columns, {n} > {k} * {X.shape[1]}"), top
    return _moved(_root(smallest_eigenvalue(_unit(S), gap=gap), S.exponent), distance), top


def _khatri_rao_distance(radii: Floats, X: Floats) -> float:
    """Upper bound of ``||delta * X||`` for |delta| <= radii (Schur's bounds on either factor)."""
    by_rows = up(norm_upper(X) * spectral_norm_bound(radii))
    return min(by_rows, up(norm_upper(radii) * spectral_norm_bound(np.abs(X))))


def khatri_rao_singular_values(X: ArrayLike, *, gap: float = 1e-9) -> tuple[Estimate, Estimate]:
    r"""sigma_min and sigma_max of ``X * X``, proved, for the X given.

    Parameters
    ----------
    X : (n, d) float64
        Exact numbers; the rows need not be unit.
    gap : float

    Returns
    -------
    smallest, largest : Estimate
        smallest is exactly zero for n > d(d+1)/2, and where exact arithmetic finds that the rank of X * X is below n.

    Raises
    ------
    InputError
        If X is not finite and 2-D.

    References
    ----------
    docs/numerics.md. The loss of half the digits in ``(X X^T)^{o2}`` is met by forming it as a sum
    of two floats, which is as accurate as the compressed n x d(d+1)/2 matrix and needs n^2 numbers only.

    Examples
    --------
    >>> low, high = khatri_rao_singular_values([[1.0, 0.0], [0.6, 0.8]])
    >>> low.contains(0.8), high.rigorous
    (True, True)
    """
    X = check_matrix("X", X)
    n, d = X.shape
    G = gram(X)
    S = hadamard(G, G)
    top = _root(largest_eigenvalue(_unit(S), gap=gap), S.exponent)
    width = d * (d + 1) // 2
    if n > width:
        return Estimate.zero(f"n = {n} > {d}({d}+1)/2 = {width}"), top
    least = _root(smallest_eigenvalue(_unit(S), gap=gap), S.exponent)
    if least.lower > 0 or flushed(X) is not None:
        return least, top
    from ..exact_zeros import exact_square_rank

    rank = exact_square_rank(X)[1]
    return (Estimate.zero(f"the exact rank of X*X is at most {rank} < n = {n}") if rank < n else least), top
