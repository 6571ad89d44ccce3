"""Linear algebra in balls: exact matrices from float64 ones, and a proof of positive definiteness by elimination."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx
from numpy.typing import NDArray

__all__ = [
    "below",
    "column",
    "exact",
    "hadamard",
    "mapped",
    "norm",
    "positive_definite",
    "precision",
    "scaled_columns",
    "shifted",
]

# python-flint's balls have no types that mypy could follow.
Ball = Any
BallMatrix = Any

#: Blocks up to this size are eliminated entry by entry.
_SMALL = 10


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work at `bits` and put the old precision back. It is flint's global one: one check at a time."""
    saved = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = saved


def exact(A: NDArray[np.float64]) -> BallMatrix:
    """The matrix (or column) of exactly these float64 numbers."""
    rows = A.tolist() if A.ndim == 2 else [[x] for x in A.tolist()]
    return arb_mat([[arb(x) for x in row] for row in rows])


def column(numbers: list[Ball]) -> BallMatrix:
    """A column of balls."""
    return arb_mat([[x] for x in numbers])


def mapped(f: Callable[[Ball], Ball], A: BallMatrix) -> BallMatrix:
    """f entry by entry."""
    return arb_mat(A.nrows(), A.ncols(), [f(x) for x in A.entries()])


def scaled_columns(A: BallMatrix, v: list[Ball]) -> BallMatrix:
    """``A diag(v)``."""
    return arb_mat([[a * s for a, s in zip(row, v, strict=True)] for row in A.tolist()])


def hadamard(A: BallMatrix, B: BallMatrix) -> BallMatrix:
    """Entrywise product."""
    return arb_mat(A.nrows(), A.ncols(), [a * b for a, b in zip(A.entries(), B.entries(), strict=True)])


def shifted(A: BallMatrix, t: Ball, sign: int = 1) -> BallMatrix:
    """``sign A + t I``."""
    rows = A.tolist()
    if sign < 0:
        rows = [[-a for a in row] for row in rows]
    for i, row in enumerate(rows):
        row[i] = row[i] + t
    return arb_mat(rows)


def norm(numbers: list[Ball]) -> Ball:
    """The largest Euclidean norm of any vector in the balls, for use as an upper bound.

    Not the root of the sum of their squares, which is undefined where that ball reaches below zero: a residual that
    vanishes is seen as balls around 0.
    """
    sizes = [x.abs_upper() for x in numbers]
    return sum((x * x for x in sizes), arb(0)).sqrt()


def positive_definite(A: BallMatrix) -> bool:
    """Whether every symmetric matrix in A is proved positive definite; False also where that stays open.

    Block elimination: ``[[P, Q], [Q^T, S]]`` is positive definite if and only if P and ``S - Q^T P^{-1} Q`` are.
    Blocks of `_SMALL` rows are eliminated entry by entry: all pivots must be positive balls.
    """
    n = A.nrows()
    rows = A.tolist()
    if n <= _SMALL:
        return _pivots_positive(rows)
    half = n // 2
    P = arb_mat([row[:half] for row in rows[:half]])
    if not positive_definite(P):
        return False
    Q = arb_mat([row[half:] for row in rows[:half]])
    try:
        T = P.solve(Q)
    except ZeroDivisionError:
        return False
    return positive_definite(arb_mat([row[half:] for row in rows[half:]]) - Q.transpose() * T)


def _pivots_positive(rows: list[list[Ball]]) -> bool:
    n = len(rows)
    for j in range(n):
        pivot = rows[j][j]
        if not pivot > 0:  # False for a ball that holds 0, and for NaN
            return False
        for i in range(j + 1, n):
            factor = rows[i][j] / pivot
            for m in range(j + 1, i + 1):
                rows[i][m] = rows[i][m] - factor * rows[m][j]
    return True


def below(left: Ball, right: Ball) -> bool:
    """Whether ``left <= right`` is proved: for all numbers in the balls, and both are finite."""
    return bool(left.is_finite() and right.is_finite() and left <= right)
