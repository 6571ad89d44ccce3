"""Exact rational oracles for matrices of float64 numbers, and the matrices that they judge. Nothing imports jacspec.

Positive semidefiniteness is decided by elimination over the rationals, so "lower <= lambda_min <= upper" is checked
without computing an eigenvalue: ``A - lower I`` must be semidefinite, ``A - upper I`` must not be definite.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq

Rows = list[list[Any]]


def rational(x: float) -> Any:
    """A float64 number as a fraction."""
    p, q = float(x).as_integer_ratio()
    return fmpq(p, q)


def rationals(A: Any) -> Rows:
    return [[rational(x) for x in row] for row in np.asarray(A, dtype=float).tolist()]


def vector(x: Any) -> list[Any]:
    return [rational(v) for v in np.asarray(x, dtype=float).ravel().tolist()]


def product(A: Rows, B: Rows) -> Rows:
    columns = list(zip(*B, strict=True))
    return [[sum((a * b for a, b in zip(row, column, strict=True)), fmpq(0)) for column in columns] for row in A]


def transpose(A: Rows) -> Rows:
    return [list(column) for column in zip(*A, strict=True)]


def gram(A: Rows) -> Rows:
    return product(A, transpose(A))


def entrywise(A: Rows, B: Rows) -> Rows:
    return [[a * b for a, b in zip(p, q, strict=True)] for p, q in zip(A, B, strict=True)]


def khatri_rao(A: Rows, B: Rows) -> Rows:
    return [[a * b for a in p for b in q] for p, q in zip(A, B, strict=True)]


def power(exponent: int) -> Any:
    return fmpq(2**exponent) if exponent >= 0 else fmpq(1, 2**-exponent)


def inertia(A: Rows, shift: Any) -> tuple[int, int, int]:
    """(positive, zero, negative) eigenvalues of ``A - shift I``, A symmetric and rational (with pivoting)."""
    rows = [list(row) for row in A]
    for i in range(len(rows)):
        rows[i][i] -= shift
    counts = [0, 0, 0]
    while rows:
        n = len(rows)
        pivot = next((i for i in range(n) if rows[i][i] != 0), None)
        if pivot is None:
            pair = next(((i, j) for i in range(n) for j in range(i) if rows[i][j] != 0), None)
            if pair is None:
                counts[1] += n
                break
            # a zero diagonal: add row and column j to i, a congruence, and go on
            i, j = pair
            for c in range(n):
                rows[i][c] += rows[j][c]
            for r in range(n):
                rows[r][i] += rows[r][j]
            pivot = i
        d = rows[pivot][pivot]
        counts[0 if d > 0 else 2] += 1
        keep = [i for i in range(n) if i != pivot]
        factors = {i: rows[i][pivot] / d for i in keep}
        rows = [[rows[i][j] - factors[i] * rows[pivot][j] for j in keep] for i in keep]
    return counts[0], counts[1], counts[2]


def bounds_smallest(A: Rows, lower: Any, upper: Any) -> bool:
    """Whether ``lower <= lambda_min(A) <= upper``, decided exactly."""
    return inertia(A, lower)[2] == 0 and sum(inertia(A, upper)[1:]) > 0


def bounds_largest(A: Rows, lower: Any, upper: Any) -> bool:
    """Whether ``lower <= lambda_max(A) <= upper``, decided exactly."""
    positive, zero, _ = inertia(A, lower)
    return positive + zero > 0 and inertia(A, upper)[0] == 0


def square(x: float) -> Any:
    return rational(x) * rational(x)


def holds_singular(A: Rows, smallest: Any, largest: Any) -> bool:
    """Whether two Estimates hold the extreme singular values (over the rows) of an exact matrix."""
    G = gram(A)
    if not (smallest.lower >= 0 and largest.lower >= 0):
        return False
    low = bounds_smallest(G, square(smallest.lower), square(smallest.upper))
    return low and bounds_largest(G, square(largest.lower), square(largest.upper))


def excess(true: Rows, found: Rows, bound: Any) -> float:
    """``max |true - found| / bound`` over all entries (0/0 counts as 0)."""
    worst = Fraction(0)
    for p, q, b in zip(true, found, rationals(bound), strict=True):
        for s, t, r in zip(p, q, b, strict=True):
            gap = abs(s - t)
            if gap == 0:
                continue
            if r == 0:
                return float("inf")
            ratio = gap / r
            worst = max(worst, Fraction(int(ratio.p), int(ratio.q)))
    return float(worst)


# -- matrices -------------------------------------------------------------------------------------------------------


def conditioned(rng: np.random.Generator, n: int, m: int, digits: float) -> np.ndarray:
    """(n, m) with singular values from 1 down to 10^-digits, n <= m."""
    U = np.linalg.qr(rng.standard_normal((n, n)))[0]
    V = np.linalg.qr(rng.standard_normal((m, n)))[0]
    return (U * np.logspace(0, -digits, n)) @ V.T


def awkward(rng: np.random.Generator, most: int = 12) -> np.ndarray:
    """A random matrix with at most `most` rows, n <= m, often ill-conditioned, singular or badly scaled."""
    n = int(rng.integers(1, most + 1))
    m = n + int(rng.integers(0, 5))
    A = conditioned(rng, n, m, float(rng.uniform(0, 16)))
    kind = int(rng.integers(0, 8))
    if kind == 1 and n > 1:
        A[1] = A[0]
    elif kind == 2 and n > 1:
        A[-1] = -A[0]
    elif kind == 3:
        A = rng.integers(-3, 4, (n, m)).astype(float)
    elif kind == 4:
        A = A * 2.0 ** int(rng.integers(-1060, 1000))
    elif kind == 5:
        A = A * np.ldexp(1.0, rng.integers(-300, 300, (n, 1)))
    elif kind == 6:
        A[rng.random((n, m)) < 0.5] = 0.0
    elif kind == 7:
        A[:, 0] = np.ldexp(A[:, 0], -1050)  # subnormal next to 1
    return np.ascontiguousarray(A)


# -- the processor's modes ------------------------------------------------------------------------------------------

FLUSH, TO_ZERO_INPUTS = 0x8000, 0x0040
UPWARD = 0x4000


@contextmanager
def processor_mode(bits: int) -> Iterator[bool]:
    """Set bits of the x86 MXCSR register on this thread; yields whether that worked (glibc on x86-64 only)."""
    import platform

    if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
        yield False
        return
    libm = ctypes.CDLL("libm.so.6")
    saved = (ctypes.c_uint8 * 32)()
    libm.fegetenv(saved)
    changed = (ctypes.c_uint8 * 32)(*saved)
    register = int.from_bytes(bytes(saved[28:32]), "little") | bits
    for i, byte in enumerate(register.to_bytes(4, "little")):
        changed[28 + i] = byte
    try:
        libm.fesetenv(changed)
        yield True
    finally:
        libm.fesetenv(saved)
