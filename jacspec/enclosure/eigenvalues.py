r"""Extreme eigenvalues of a `SymmetricBall`, proved: shifted Cholesky from below, a Rayleigh quotient from above.

If the Cholesky factorisation of a symmetric float64 matrix At runs to completion, its computed factor obeys
``R^T R = At + Delta`` with ``|Delta|_ij <= gamma_{min(i,j)+1} (|R|^T |R|)_ij`` (i, j from 1; Higham, *Accuracy and
Stability*, theorem 10.3: any order of evaluation, blocked or not, with or without FMA). LAPACK libraries multiply by
reciprocals of pivots, which rounds once more: the code has ``gamma_{min(i,j)+3}``. As R^T R is semidefinite,
``lambda_min(At) >= -||Delta||``. Success alone proves nothing (OpenBLAS' dpotrf succeeds on NaN): the factor must be
finite with a positive diagonal.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.linalg as sla
from numpy.typing import ArrayLike

from .._checks import InputError, check_real
from .._jit import serial_blas
from ..rounding import UNIT_ROUNDOFF, Estimate, gamma
from .balls import SymmetricBall, symmetric_ball
from .outward import (
    TINY,
    Floats,
    absolute_product,
    collatz_wielandt,
    down,
    grown,
    scaled_estimate,
    two_sum,
    up,
)
from .refine import inverse_factor_bounds
from .small import MOST_ROWS, flint_smallest

__all__ = ["cholesky_bound", "largest_eigenvalue", "rayleigh_bound", "smallest_eigenvalue"]

#: Up to this size a full tridiagonal reduction is the quickest way to a guess.
_DENSE_GUESS = 256

#: Up to this size a matrix is refined by an inverse factor in twice the working precision (2000: some 10 seconds).
REFINED_ROWS = 2048

#: Up to this size BLAS runs on one thread.
_SERIAL_ROWS = 512

#: Columns per block of a matrix-vector product whose rounding is kept small.
_BLOCK = 128


class _Guess(NamedTuple):
    value: float
    vector: Floats


# -- the two proofs -------------------------------------------------------------------------------------------------


def cholesky_bound(A: Floats, shift: float) -> float | None:
    """A proved lower bound of the eigenvalues of A, near `shift`, or None where A - shift I is not seen to be definite.

    Parameters
    ----------
    A : (n, n) float64, symmetric
        Entries of moderate size.
    shift : float
    """
    n = A.shape[0]
    work = A.copy()
    diagonal, rounding = two_sum(A.diagonal(), np.full(n, -shift))
    if not (diagonal > 0).all():
        return None
    work.flat[:: n + 1] = diagonal
    # The transpose of a C-contiguous symmetric matrix is the same matrix in Fortran's order.
    factor, info = sla.lapack.dpotrf(work.T, lower=0, clean=1, overwrite_a=1)
    if info != 0 or not (factor.diagonal() > 0).all() or not np.isfinite(factor.sum()):
        return None
    upper = np.abs(factor, out=factor).T  # C-contiguous and lower triangular: R^T
    weights = np.sqrt(grown(_gammas(n), 3))

    def apply(x: Floats) -> Floats:
        return np.asarray(weights * (upper @ (upper.T @ (weights * x))))

    backward = collatz_wielandt(apply, n, 2 * n + 6)
    moved = float(np.abs(rounding).max())  # what the shift rounded away, exactly
    return down(down(shift - up(backward)) - up(moved + n * TINY))


def _gammas(n: int) -> Floats:
    """gamma_{i+3}, i = 1..n."""
    k = (np.arange(1, n + 1) + 3) * UNIT_ROUNDOFF
    return np.asarray(k / (1 - k))


def rayleigh_bound(A: Floats, x: Floats) -> float:
    """``x^T A x / x^T x``, rounded upward: a proved upper bound of the smallest eigenvalue; |x| of moderate size."""
    n = len(x)
    image = np.zeros(n)
    for start in range(0, n, _BLOCK):
        image += A[:, start : start + _BLOCK] @ x[start : start + _BLOCK]
    size = np.abs(x)
    # A block of sums, then a sum of blocks: gamma_{128 + blocks} of the absolute products.
    depth = min(n, _BLOCK) + -(-n // _BLOCK) + 1
    error = gamma(depth) * float(size @ absolute_product(A, size)) + gamma(n + 1) * float(size @ np.abs(image))
    top = up(up(float(x @ image) + float(grown(error, 2 * n + 8)) + n * TINY))
    square = float(x @ x)
    if not (square > 2.0**-200 and math.isfinite(top)):  # no vector at all
        return math.inf
    spread = gamma(n + 2) * 1.01
    return up(top / down(square * (1 - spread))) if top >= 0 else up(top / up(square * (1 + spread)))


# -- guesses: nothing here is trusted -------------------------------------------------------------------------------


def _full_guess(A: Floats) -> _Guess:
    values, vectors = sla.eigh(A, subset_by_index=[0, 0], check_finite=False)
    return _Guess(float(values[0]), np.ascontiguousarray(vectors[:, 0]))


def _guess(A: Floats, semidefinite: bool) -> _Guess:
    """The smallest eigenvalue and its vector: inverse Lanczos on a Cholesky factor where A is semidefinite."""
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    n = A.shape[0]
    if n <= _DENSE_GUESS:
        return _full_guess(A)
    start = np.random.default_rng(n).standard_normal(n)
    try:
        if not semidefinite:
            values, vectors = eigsh(A, k=1, which="SA", v0=start, ncv=40, maxiter=30, tol=1e-13)
            return _Guess(float(values[0]), vectors[:, 0])
        work = A.copy()
        work.flat[:: n + 1] += n * UNIT_ROUNDOFF * float(work.diagonal().max())
        factor, info = sla.lapack.dpotrf(work.T, lower=0, clean=0, overwrite_a=1)
        if info != 0:
            return _full_guess(A)

        def solve(c: Floats) -> Floats:
            y = sla.blas.dtrsv(factor, np.ravel(c), lower=0, trans=1)
            return np.asarray(sla.blas.dtrsv(factor, y, lower=0, trans=0))

        inverse = LinearOperator((n, n), matvec=solve, dtype=np.float64)
        _, vectors = eigsh(inverse, k=1, which="LA", v0=start, ncv=30, maxiter=20, tol=1e-10)
    except ArpackError:
        return _full_guess(A)
    x = np.ascontiguousarray(vectors[:, 0])
    return _Guess(float(x @ (A @ x)), x)


# -- putting them together ------------------------------------------------------------------------------------------


def _by_cholesky(A: Floats, guess: float, tries: int) -> float | None:
    """A proved lower bound from the first shift below the guess that succeeds, or None."""
    n = A.shape[0]
    trace = float(np.abs(A.diagonal()).sum()) + n * abs(guess)
    # The a-priori term of the factorisation is near gamma_n trace / 2; a twentieth of it is lost on the shift.
    margin = UNIT_ROUNDOFF * trace * (0.03 * n + 2.0)
    for _ in range(tries):
        bound = cholesky_bound(A, guess - margin)
        if bound is not None:
            return bound
        margin *= 10
    return None


def _gershgorin(A: Floats) -> float:
    """What always holds: ``min_i (a_ii - sum_{j != i} |a_ij|)``, rounded downward."""
    n = A.shape[0]
    sums = np.abs(A).sum(axis=1)
    centre = A.diagonal()
    radius = grown(sums, n + 1) - np.abs(centre)
    return down(float(np.min(np.nextafter(centre - np.abs(radius), -math.inf))) - float(sums.max()) * 2.0**-50)


def smallest_eigenvalue(S: SymmetricBall | ArrayLike, *, gap: float = 1e-9) -> Estimate:
    r"""The smallest eigenvalue of a symmetric matrix, proved.

    From above by a Rayleigh quotient, from below by the ladder of docs/rigor.md: shifted Cholesky; where the
    interval is wider than `gap`, an inverse factor with a residual in twice the working precision, on data recomputed
    to that precision; ball arithmetic at small n where the data are exact.

    Parameters
    ----------
    S : SymmetricBall, or (n, n) symmetric array taken as exact
    gap : float, default 1e-9
        Relative width below which no further effort is made.

    Returns
    -------
    Estimate
        Rigorous; the interval holds the smallest eigenvalue of *every* matrix in the ball. It starts at 0 or below
        where positivity could not be proved. The note names the method.

    Raises
    ------
    InputError
        If S is not finite, square and symmetric.

    References
    ----------
    Rump, *Verification of positive definiteness*, BIT 46 (2006); docs/rigor.md.

    Examples
    --------
    >>> e = smallest_eigenvalue([[2.0, 1.0], [1.0, 2.0]])
    >>> e.contains(1.0), e.rigorous, e.radius < 1e-14
    (True, True, True)
    """
    ball = S if isinstance(S, SymmetricBall) else symmetric_ball(S)
    gap = check_real("gap", gap, at_least=0.0)
    if not np.isfinite(ball.mid).all() or not all(np.isfinite(t.left.sum() + t.right.sum()) for t in ball.terms):
        raise InputError("S", ball.mid, "finite entries")
    ball = ball.rescaled()
    # A second BLAS thread gains nothing on small matrices, and on a busy machine it waits for its turn.
    with serial_blas if ball.rows <= _SERIAL_ROWS else nullcontext():
        lower, upper, note = _interval(ball, gap)
    if ball.semidefinite:
        lower, upper = max(lower, 0.0), max(upper, 0.0)
    return scaled_estimate(Estimate.from_bounds(lower, upper, True, note), ball.exponent)


def _interval(ball: SymmetricBall, gap: float) -> tuple[float, float, str]:
    """(lower, upper, method) in units of 2^exponent."""
    lower, upper = _plain_interval(ball)
    note = "shifted Cholesky"
    if _narrow(lower, upper, gap):
        return lower, upper, note
    n = ball.rows
    better = ball.refine().rescaled() if ball.refine is not None and n <= REFINED_ROWS else ball
    error = better.error_bound
    # Only the error of the data is left after refinement; it must be smaller than what one has.
    if n <= REFINED_ROWS and upper > 0 and 4 * error < upper - lower and ball.exponent == better.exponent:
        found = inverse_factor_bounds(better.mid, better.low, min(gap / 8, 1e-6))
        if found is not None:
            found = down(found[0] - error), up(found[1] + error)
            if found[0] > lower:
                lower, note = found[0], "inverse factor"
            upper = min(upper, found[1])
    if n <= MOST_ROWS and ball.exact is not None and not _narrow(lower, upper, gap):
        exactly = flint_smallest(ball.exact)
        if exactly is not None:
            lower, upper, note = max(lower, exactly[0]), min(upper, exactly[1]), "ball arithmetic"
    return lower, upper, note


def _narrow(lower: float, upper: float, gap: float) -> bool:
    return upper - lower <= gap * max(abs(lower), abs(upper))


def _plain_interval(ball: SymmetricBall) -> tuple[float, float]:
    error = ball.error_bound
    if ball.low is not None:
        low = ball.low
        error = up(error + collatz_wielandt(lambda x: absolute_product(low, x), ball.rows, ball.rows + 1))
    if ball.rows == 1:
        return down(float(ball.mid[0, 0]) - error), up(float(ball.mid[0, 0]) + error)
    guess = _guess(ball.mid, ball.semidefinite)
    upper = rayleigh_bound(ball.mid, guess.vector)
    lower = _by_cholesky(ball.mid, min(guess.value, upper), 2)
    if lower is None and ball.rows > _DENSE_GUESS:  # an iteration may have missed the end of the spectrum
        guess = _full_guess(ball.mid)
        upper = min(upper, rayleigh_bound(ball.mid, guess.vector))
    if lower is None:
        lower = _by_cholesky(ball.mid, min(guess.value, upper), 7)
    if lower is None:
        lower = _gershgorin(ball.mid)
    return down(lower - error), up(upper + error)


def largest_eigenvalue(S: SymmetricBall | ArrayLike, *, gap: float = 1e-9) -> Estimate:
    """The largest eigenvalue of a symmetric matrix, proved: minus the smallest one of ``-S``.

    Parameters, returns and errors as for `smallest_eigenvalue`.

    Examples
    --------
    >>> largest_eigenvalue([[2.0, 1.0], [1.0, 2.0]]).contains(3.0)
    True
    """
    ball = S if isinstance(S, SymmetricBall) else symmetric_ball(S)
    exact = ball.exact
    turned = replace(
        ball,
        mid=-ball.mid,
        low=None if ball.low is None else -ball.low,
        semidefinite=False,
        refine=None,
        exact=None if exact is None else lambda: -exact(),
    )
    found = smallest_eigenvalue(turned, gap=gap)
    found = replace(-found, note=found.note)
    return found.nonnegative() if ball.semidefinite else found
