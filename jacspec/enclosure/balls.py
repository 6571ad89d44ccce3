r"""Matrices with error bounds: `BallMatrix` (entrywise) and `SymmetricBall` (structured), Gram matrices and products.

A `SymmetricBall` keeps its error as a sum of terms ``D_l |N| D_r + D_r |N| D_l`` with diagonal D_l, D_r and N either a
matrix that is there anyway or all ones. Such sums are closed under Hadamard products, never need an n x n array of
radii, and their spectral norm is bounded by a few matrix-vector products (Collatz-Wielandt).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._checks import InputError, check_matrix
from ..rounding import UNIT_ROUNDOFF, gamma
from .exact_products import product
from .outward import (
    TINY,
    Floats,
    absolute_product,
    collatz_wielandt,
    flushed,
    grown,
    largest,
    row_norms,
    scaled,
    two_product,
    two_sum,
    unit_scale,
    up,
)

__all__ = ["BallMatrix", "ErrorTerm", "SymmetricBall", "as_ball", "gram", "hadamard", "symmetric_ball"]


@dataclass(frozen=True, eq=False)
class BallMatrix:
    """A matrix known to within an entrywise radius: ``|A - mid| <= rad``.

    Parameters
    ----------
    mid : (n, m) float64
    rad : (n, m) float64
        Nonnegative.

    Raises
    ------
    InputError
        If the two are not finite 2-D arrays of one shape, or a radius is negative.
    """

    mid: Floats
    rad: Floats

    def __post_init__(self) -> None:
        mid, rad = check_matrix("mid", self.mid), check_matrix("rad", self.rad)
        if rad.shape != mid.shape:
            raise InputError("rad", rad, f"the shape of mid, {mid.shape}")
        if rad.min() < 0:
            raise InputError("rad", float(rad.min()), "nonnegative radii")
        # Copies: a proof must not change with the caller's arrays.
        object.__setattr__(self, "mid", mid.copy())
        object.__setattr__(self, "rad", rad.copy())

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.mid.shape[0], self.mid.shape[1]


def as_ball(argument: str, A: BallMatrix | ArrayLike, rad: ArrayLike | None = None) -> tuple[Floats, Floats | None]:
    """(mid, rad or None) of a matrix given as a ball, or as numbers with or without radii; zero radii become None.

    A number that the processor reads as zero though it is none is known to within 2^-1022, and so no longer exact.
    """
    if isinstance(A, BallMatrix):
        if rad is not None:
            raise InputError("rad", "radii besides those of the ball", "either a BallMatrix or rad")
        ball = A
    elif rad is None:
        mid = check_matrix(argument, A)
        lost = flushed(mid)
        return mid, None if lost is None else np.where(lost, 2.0**-1022, 0.0)
    else:
        ball = BallMatrix(check_matrix(argument, A), check_matrix("rad", rad))
    radii: Floats = ball.rad
    for lost in (flushed(ball.mid), flushed(ball.rad)):
        if lost is not None:
            radii = np.asarray(grown(radii + np.where(lost, 2.0**-1022, 0.0), 2))
    return ball.mid, radii if radii.any() else None


@dataclass(frozen=True, eq=False)
class ErrorTerm:
    """``D_left |matrix| D_right`` plus its transpose; no matrix means all ones.

    Parameters
    ----------
    left, right : (n,) float64
        Nonnegative diagonals.
    matrix : (n, n) float64 or None
        Symmetric; its absolute value counts.
    """

    left: Floats
    right: Floats
    matrix: Floats | None = None


@dataclass(frozen=True, eq=False)
class SymmetricBall:
    r"""A symmetric matrix ``A = 2^exponent (mid + low + error)`` with ``|error|`` at most the sum of the terms.

    Parameters
    ----------
    mid : (n, n) float64
        Symmetric.
    terms : tuple of ErrorTerm
    exponent : int
        A power of two in front: Gram matrices of huge or tiny data neither over- nor underflow.
    low : (n, n) float64 or None
        The second half of a sum of two floats, ``|low| <= u |mid|``.
    semidefinite : bool
        Whether A is known to be positive semidefinite (a Gram matrix, a Hadamard product of two).
    refine : callable or None
        Makes the same matrix with a far smaller error (error-free splitting), where plain float64 turns out too coarse.
    exact : callable or None
        ``2^-exponent A`` as a flint `arb_mat` at the current precision, where the data behind it are exact.
    """

    mid: Floats
    terms: tuple[ErrorTerm, ...] = ()
    exponent: int = 0
    low: Floats | None = None
    semidefinite: bool = False
    refine: Callable[[], SymmetricBall] | None = None
    exact: Callable[[], Any] | None = None

    @property
    def rows(self) -> int:
        """n."""
        return int(self.mid.shape[0])

    def apply_error(self, x: Floats) -> Floats:
        """The bound of the error times x >= 0; at most ``n + 8 + 2 len(terms)`` roundings per entry."""
        out = np.zeros(self.rows)
        shared: dict[int, list[ErrorTerm]] = {}
        for term in self.terms:
            if term.matrix is None:
                out += term.left * float(term.right @ x) + term.right * float(term.left @ x)
            else:
                shared.setdefault(id(term.matrix), []).append(term)
        for terms in shared.values():
            matrix = terms[0].matrix
            assert matrix is not None
            columns = np.stack([v * x for t in terms for v in (t.right, t.left)], axis=1)
            images = absolute_product(matrix, columns)
            for i, t in enumerate(terms):
                out += t.left * images[:, 2 * i] + t.right * images[:, 2 * i + 1]
        return out

    @cached_property
    def error_bound(self) -> float:
        """Upper bound of the spectral norm of the error (in units of 2^exponent, `low` not counted)."""
        if not self.terms:
            return 0.0
        return collatz_wielandt(self.apply_error, self.rows, self.rows + 8 + 2 * len(self.terms))

    def radius(self) -> Floats:
        """(n, n) entrywise bound of ``|2^-exponent A - mid|``, `low` included."""
        out = np.zeros_like(self.mid)
        for t in self.terms:
            half = t.left[:, None] * t.right
            half = half + half.T
            out += half if t.matrix is None else half * np.abs(t.matrix)
        if self.low is not None:
            out += np.abs(self.low)
        return np.asarray(grown(out, 8 + 2 * len(self.terms)) + TINY)

    def rescaled(self) -> SymmetricBall:
        """The same ball with ``max |mid|`` between 2^-60 and 2^60."""
        e = unit_scale(largest(self.mid))
        if abs(e) <= 60:
            return self
        exact, refine = self.exact, self.refine
        return replace(
            self,
            mid=scaled(self.mid, -e),
            low=None if self.low is None else scaled(self.low, -e),
            terms=(*(replace(t, left=np.ldexp(t.left, -e)) for t in self.terms), _tiny(self.rows)),
            exponent=self.exponent + e,
            refine=None if refine is None else lambda: refine().rescaled(),
            exact=None if exact is None else lambda: _times_power(exact(), -e),
        )


def _times_power(A: Any, exponent: int) -> Any:
    from flint import arb

    return A * arb(2) ** exponent


def _lossless(original: Floats, e: int, result: Floats) -> bool:
    """Whether dividing by 2^e kept every digit (subnormal numbers may lose some)."""
    return e <= 0 or bool(np.array_equal(scaled(result, e), original))


def _tiny(n: int) -> ErrorTerm:
    return ErrorTerm(np.full(n, TINY), np.ones(n))


def symmetric_ball(mid: ArrayLike, rad: ArrayLike | None = None, *, semidefinite: bool = False) -> SymmetricBall:
    """A symmetric matrix, exact or within an entrywise radius.

    Parameters
    ----------
    mid : (n, n) float64, symmetric
    rad : (n, n) float64, symmetric, nonnegative, optional
    semidefinite : bool
        Whether the true matrix is known to be positive semidefinite.

    Raises
    ------
    InputError
        If an array is not finite, square and exactly symmetric, shapes differ, or a radius is negative.

    Examples
    --------
    >>> symmetric_ball([[2.0, 1.0], [1.0, 2.0]]).rows
    2
    """
    A, radii = as_ball("mid", mid, rad)
    n = A.shape[0]
    for name, B in (("mid", A), ("rad", radii)):
        if B is not None and (B.shape != (n, n) or not np.array_equal(B, B.T)):
            raise InputError(name, B, "a symmetric square matrix (0.5 * (A + A.T) is one)")
    e = unit_scale(largest(A if radii is None else np.maximum(np.abs(A), radii)))
    centre = scaled(A, -e)
    if centre is A:  # the caller may change it before the ball is used
        centre = A.copy()
    terms: tuple[ErrorTerm, ...] = () if radii is None else (ErrorTerm(np.full(n, 0.5), np.ones(n), scaled(radii, -e)),)
    if radii is not None or not _lossless(A, e, centre):
        terms = (*terms, _tiny(n))

    def exact() -> Any:
        from .small import exact_matrix

        return exact_matrix(centre)

    return SymmetricBall(centre, terms, e, None, semidefinite, None, exact if not terms else None)


def gram(A: BallMatrix | ArrayLike, rad: ArrayLike | None = None) -> SymmetricBall:
    r"""``A A^T`` with an a-priori error.

    .. math:: |fl(A A^\top) - A A^\top|_{ij} \le \gamma_m \|a_i\| \|a_j\|

    and ``|delta_i| |a_j| + |a_i| |delta_j| + |delta_i| |delta_j|`` more for rows known to within delta (in norm).

    Parameters
    ----------
    A : (n, m) float64, or BallMatrix
        Exact numbers unless radii are given.
    rad : (n, m) float64, optional
        Entrywise radius.

    Returns
    -------
    SymmetricBall

    Raises
    ------
    InputError
        If A or rad is not finite, 2-D, of one shape, or a radius is negative.

    References
    ----------
    Higham, *Accuracy and Stability*, section 3.1; Jeannerod & Rump 2013.

    Examples
    --------
    >>> S = gram([[3.0, 4.0]])
    >>> float(S.mid[0, 0]) * 2.0**S.exponent
    25.0
    """
    mid, radii = as_ball("A", A, rad)
    m = mid.shape[1]
    e = unit_scale(largest(mid) if radii is None else largest(np.maximum(np.abs(mid), radii)))
    B = scaled(mid, -e)
    if B is mid:  # refined later, perhaps: by then the caller may have changed it
        B = mid.copy()
    K = B @ B.T  # one triangle by SYRK, mirrored
    roundings = m
    if not np.array_equal(K, K.T):  # either triangle is within the bound; their mean rounds once more
        K, roundings = 0.5 * (K + K.T), m + 1
    norms = row_norms(B)
    terms = [ErrorTerm(norms * (0.5 * grown(gamma(roundings), 4)), norms)]
    if radii is not None:
        terms.append(_data_term(norms, scaled(radii, -e)))

    def refine() -> SymmetricBall:
        return _accurate_gram(B, e, tuple(terms[1:]))

    def exact() -> Any:
        from .small import exact_matrix

        M = exact_matrix(B)
        return M * M.transpose()

    if radii is not None or not _lossless(mid, e, B):
        return SymmetricBall(K, tuple(terms), 2 * e, None, True, refine, None)
    return SymmetricBall(K, tuple(terms), 2 * e, None, True, refine, exact)


def _data_term(norms: Floats, radii: Floats) -> ErrorTerm:
    """q r^T + r q^T + q q^T for rows of norm r known to within q: with r + q/2 in place of r it is one term."""
    q = row_norms(radii)
    return ErrorTerm(q, grown(norms + 0.5 * q, 2))


def _accurate_gram(B: Floats, e: int, data: tuple[ErrorTerm, ...]) -> SymmetricBall:
    """The Gram matrix as a sum of two floats, by error-free splitting."""
    p = product(B, B.T)
    low = 0.5 * (p.low + p.low.T)
    high, low = two_sum(0.5 * (p.high + p.high.T), low)
    # e_i b_j + a_i f_j <= max(e, f)_i max(a, b)_j + transposed, also of the transpose, hence of the mean. Averaging
    # rounds low once (`product` leaves room) and high not at all: its two parts are exact products, so symmetric.
    terms = (ErrorTerm(np.maximum(p.row_error, p.column_error), np.maximum(p.row_norm, p.column_norm)), *data)
    return SymmetricBall(high, terms, 2 * e, low, True)


def hadamard(P: SymmetricBall, Q: SymmetricBall) -> SymmetricBall:
    """The entrywise product of two symmetric balls, with the error of both and of the rounding.

    ``|P o Q - mid| <= |P.mid| o E_Q + E_P o |Q.mid| + E_P o E_Q + u |mid|``, term by term.

    Raises
    ------
    InputError
        If the sizes differ.

    References
    ----------
    docs/theory.md, ``khatri-rao-gram``.
    """
    if P.rows != Q.rows:
        raise InputError("Q", Q.mid, f"{P.rows} rows, as P has")
    n = P.rows
    P, Q = P.rescaled(), Q.rescaled()
    terms: list[ErrorTerm] = []
    for ball, other in ((P, Q), (Q, P)):
        # |mid| + |low| <= (1 + u) |mid|, and the product of two matrices is rounded.
        inflate = 1 + 2.0**-50
        for t in other.terms:
            matrix = ball.mid if t.matrix is None else ball.mid * t.matrix
            terms.append(ErrorTerm(t.left * inflate, t.right, matrix))
    for s in P.terms:
        for t in Q.terms:
            if s.matrix is None or t.matrix is None:
                both = s.matrix if t.matrix is None else t.matrix
            else:
                both = s.matrix * t.matrix
            terms.append(ErrorTerm(grown(s.left * t.left, 4), grown(s.right * t.right, 4), both))
            terms.append(ErrorTerm(grown(s.left * t.right, 4), grown(s.right * t.left, 4), both))
    mid = P.mid * Q.mid
    low = None
    rounding = UNIT_ROUNDOFF
    if P.low is not None or Q.low is not None:
        mid, low = two_product(P.mid, Q.mid)
        for ball, other in ((P, Q), (Q, P)):
            if other.low is not None:
                low = low + ball.mid * other.low
        # low is a sum of three numbers of at most u |mid| each, with four roundings, and P.low Q.low is left out.
        rounding = 16 * UNIT_ROUNDOFF**2
        mid, low = two_sum(mid, low)
    terms += [ErrorTerm(np.full(n, 0.5 * up(rounding)), np.full(n, 1 + 2.0**-50), mid), _tiny(n)]
    refine = None
    if P.refine is not None or Q.refine is not None:

        def refine() -> SymmetricBall:
            return hadamard(P.refine() if P.refine else P, Q.refine() if Q.refine else Q)

    exact = None
    if P.exact is not None and Q.exact is not None:

        def exact() -> Any:
            from .small import entrywise_product

            assert P.exact is not None
            assert Q.exact is not None
            return entrywise_product(P.exact(), Q.exact())

    return SymmetricBall(
        mid, tuple(terms), P.exponent + Q.exponent, low, P.semidefinite and Q.semidefinite, refine, exact
    )
