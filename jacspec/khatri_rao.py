r"""Row-wise Khatri-Rao products, the symmetric-compressed X * X, and Hadamard Grams.

``A * B`` is the *row-wise* (face-splitting) product: row i is A_i (x) B_i. (`scipy.linalg.khatri_rao` is the
column-wise one: ``row_khatri_rao(A, B)`` equals ``scipy.linalg.khatri_rao(A.T, B.T).T``.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._checks import InputError, check_int, check_matrix, check_memory, check_same_rows
from ._jit import blocks, run_blocks, run_tasks

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

__all__ = [
    "compressed_square",
    "compressed_width",
    "gram_hadamard",
    "hadamard_power",
    "row_khatri_rao",
    "square_operator",
    "symmetric_rank_bound",
]

Floats = NDArray[np.float64]
#: The left factor of A * X: the matrix, or its width k and a function that makes ``A[rows, units]`` on the spot.
Factor = Floats | tuple[int, Callable[[slice, slice], Floats]]

#: Entries of a tile of intermediate results: 1 MiB, which stays in a core's cache next to the operands. Below
#: `_SMALL` entries a tile is not worth a thread of its own.
_TILE, _SMALL = 131_072, 16_384


def block_size(n: int, width: int, most: int = _TILE) -> int:
    """Rows per block of that width: `_SMALL` to `_TILE` entries, four blocks if there is as much, 16 rows at least.

    The shape alone decides: the number of processors plays no part, so it cannot change a bit of a result.
    """
    width = max(1, width)
    return max(16, _SMALL // width, min(_TILE // width, -(-n // 4), most))


def slices(n: int, size: int) -> list[slice]:
    """`blocks` as slices."""
    return [slice(start, stop) for start, stop in blocks(n, size)]


def row_khatri_rao(A: ArrayLike, B: ArrayLike, *, out: Floats | None = None) -> Floats:
    r"""Row-wise Khatri-Rao product.

    .. math:: (A * B)_{i, (a, b)} = A_{ia} B_{ib}

    Parameters
    ----------
    A : (n, k) float64
    B : (n, d) float64
    out : (n, k d) float64, C-contiguous, optional
        Written in place: fresh memory costs more than the products. It must not overlap A or B.

    Returns
    -------
    (n, k d) float64
        Each entry is one rounded product.

    Raises
    ------
    InputError
        If A or B is not a finite 2-D array, their row counts differ, or `out` does not fit the result.
    CapacityError
        If the result does not fit; `gram_hadamard` needs only (n, n).

    References
    ----------
    docs/theory.md section 0; Oymak & Soltanolkotabi, arXiv 1902.04674, section 1.

    Examples
    --------
    >>> row_khatri_rao([[1.0, 2.0]], [[3.0, 5.0]])
    array([[ 3.,  5.,  6., 10.]])
    """
    A, B = check_matrix("A", A), check_matrix("B", B)
    check_same_rows("A", A, "B", B)
    shape = (A.shape[0], A.shape[1] * B.shape[1])
    if out is None:
        check_memory("the Khatri-Rao product", 8 * shape[0] * shape[1], "use gram_hadamard or an operator")
        out = np.empty(shape)
    else:
        out = check_out(out, shape, A, B)
    from ._kernels import khatri_rao_rows

    product: Floats = out

    def work(start: int, stop: int) -> None:
        khatri_rao_rows(A[start:stop], B[start:stop], product[start:stop])

    run_blocks(work, shape[0], block_size(shape[0], shape[1]))
    return out


def check_out(out: Floats, shape: tuple[int, int], *inputs: Floats) -> Floats:
    """`out` if the result can be written there: writeable, C-contiguous, of that shape, apart from the inputs."""
    good = isinstance(out, np.ndarray) and out.dtype == np.float64 and out.shape == shape
    if not good or not out.flags.c_contiguous or not out.flags.writeable or not out.dtype.isnative:
        raise InputError("out", out, f"a writeable C-contiguous float64 array of shape {shape}")
    if any(np.may_share_memory(out, array) for array in inputs):
        raise InputError("out", out, "an array that does not overlap the inputs")
    return out


def gram_hadamard(A: ArrayLike, B: ArrayLike) -> Floats:
    r"""Gram matrix of the row-wise Khatri-Rao product A * B, without forming it.

    .. math:: (A * B)(A * B)^\top = (A A^\top) \circ (B B^\top)

    Parameters
    ----------
    A : (n, k) float64
    B : (n, d) float64

    Returns
    -------
    (n, n) float64, exactly symmetric
        Entrywise error at most ``gamma_{d+k+1} (|A||A|^T o |B||B|^T)``.

    Raises
    ------
    InputError
        If A or B is not a finite 2-D array or their row counts differ.

    References
    ----------
    docs/theory.md, ``khatri-rao-gram``.

    Examples
    --------
    >>> gram_hadamard([[1.0], [2.0]], [[1.0], [1.0]])
    array([[1., 2.],
           [2., 4.]])
    """
    A, B = check_matrix("A", A), check_matrix("B", B)
    check_same_rows("A", A, "B", B)
    n = A.shape[0]
    check_memory("the Hadamard Gram matrix", 8 * n * n, "use fewer rows")
    gram = np.empty((n, n))
    add_gram(gram, A, B)
    return gram


def add_gram(gram: Floats, A: Floats, B: Floats | None, *, add: bool = False, scale: float = 1.0) -> None:
    """``A A^T``, plus what `gram` holds if `add`; with B, ``scale^2`` times its Hadamard product with ``B B^T``.

    Square tiles on and below the diagonal, finished while they are in cache: half the flops, no second n x n array.
    Without B only these tiles are written; with B the others are mirrored, which makes `gram` exactly symmetric.
    """
    n = gram.shape[0]
    side = min(256, max(64, -(-n // 4)))

    def work(rows: slice, columns: slice) -> None:
        tile = A[rows] @ A[columns].T  # NumPy calls SYRK for a product with its own transpose
        if add:
            tile += gram[rows, columns]
        if B is not None:
            tile *= B[rows] @ B[columns].T
            if scale != 1.0:  # twice, for the square may lie beyond the range of float64 where the result does not
                tile *= scale
                tile *= scale
            gram[columns, rows] = tile.T
        gram[rows, columns] = tile

    parts = slices(n, side)
    pairs = [(rows, columns) for i, rows in enumerate(parts) for columns in parts[:i]]
    # The tiles on the diagonal are half the work: last, they fill the gaps.
    run_tasks([partial(work, *pair) for pair in pairs + [(rows, rows) for rows in parts]])


def hadamard_power(X: ArrayLike, r: int) -> Floats:
    r"""Gram matrix of the r-fold product: ``(X X^T)^{o r}``.

    Parameters
    ----------
    X : (n, d) float64
    r : int
        At least 1.

    Returns
    -------
    (n, n) float64, exactly symmetric

    Raises
    ------
    InputError
        If X is not a finite 2-D array or r < 1.

    References
    ----------
    docs/theory.md, ``khatri-rao-spectrum``.
    """
    X = check_matrix("X", X)
    r = check_int("r", r, minimum=1)
    n = X.shape[0]
    check_memory("the Gram matrix", 16 * n * n, "use fewer rows")
    gram = np.empty((n, n))
    add_gram(gram, X, np.ones((n, 1)))
    return gram if r == 1 else np.asarray(gram**r)


def compressed_width(d: int) -> int:
    """``d (d + 1) / 2``: the dimension of the symmetric d x d matrices, where the rows of X * X live."""
    return d * (d + 1) // 2


def symmetric_rank_bound(rank: int, r: int) -> int:
    """Largest possible rank of ``X^{*r}`` for a matrix of that rank: ``binom(rank + r - 1, r)`` (symmetric tensors)."""
    return math.comb(rank + r - 1, r)


def compressed_square(X: ArrayLike) -> Floats:
    r"""X * X with every symmetric pair of columns kept once, times sqrt 2.

    Its Gram matrix, hence its singular values, are those of X * X, at half the width.

    Parameters
    ----------
    X : (n, d) float64

    Returns
    -------
    (n, d (d + 1) / 2) float64
        Entries carry at most two roundings.

    Raises
    ------
    InputError
        If X is not a finite 2-D array.
    CapacityError
        If the result does not fit; `square_operator` needs no n x d^2 memory.

    References
    ----------
    docs/theory.md section 0.

    Examples
    --------
    >>> compressed_square([[3.0, 4.0]]).round(4)
    array([[ 9.    , 16.9706, 16.    ]])
    """
    X = check_matrix("X", X)
    n, d = X.shape
    from ._kernels import compress_square

    check_memory("the compressed X * X", 8 * n * compressed_width(d), "use square_operator")
    out = np.empty((n, compressed_width(d)))
    compress_square(X, out)
    return out


def square_operator(X: ArrayLike) -> LinearOperator:
    r"""The Gram matrix of X * X as a linear operator on R^n, in O(n d^2) time and O(n d) memory.

    .. math:: (X*X)(X*X)^\top c = \operatorname{diag}\bigl(X\, (X^\top \operatorname{diag}(c) X)\, X^\top\bigr)

    Parameters
    ----------
    X : (n, d) float64

    Returns
    -------
    scipy.sparse.linalg.LinearOperator of shape (n, n), symmetric positive semidefinite

    Raises
    ------
    InputError
        If X is not a finite 2-D array.

    References
    ----------
    docs/theory.md, ``khatri-rao-gram``.

    Examples
    --------
    >>> X = np.array([[1.0, 2.0], [0.0, 3.0]])
    >>> square_operator(X) @ np.array([1.0, 0.0])  # the first column of (X X^T) o (X X^T)
    array([25., 36.])
    """
    from scipy.sparse.linalg import LinearOperator

    X = check_matrix("X", X)
    n, _ = X.shape

    def matmat(C: Any) -> Any:
        return linear(lambda c: khatri_rao_product(X, X, khatri_rao_transposed_product(X, X, c)), C)

    def matvec(c: Any) -> Any:
        return matmat(np.asarray(c).reshape(-1, 1))[:, 0]

    return LinearOperator((n, n), matvec=matvec, rmatvec=matvec, matmat=matmat, rmatmat=matmat, dtype=np.float64)


# -- products with A * X ------------------------------------------------------------------------------------------


def unit_size(k: int) -> int:
    """Columns of a tile of A."""
    return min(256, max(32, -(-k // 4)))


def khatri_rao_product(A: Factor, X: Floats, U: Floats) -> Floats:
    r"""``(A * X) U`` in ``2 n k d m`` flops: row i is ``x_i^T (A U)_i``. U is (k d, m); the result is (n, m).

    Blocks of rows run side by side.
    """
    n, d = X.shape
    m = U.shape[1]
    k = A.shape[1] if isinstance(A, np.ndarray) else A[0]
    out = np.empty((n, m))
    directions = np.ascontiguousarray(U).reshape(k, d * m)

    def work(start: int, stop: int) -> None:
        rows = slice(start, stop)
        if isinstance(A, np.ndarray):
            total = A[rows] @ directions
        else:
            total = np.zeros((stop - start, d * m))
            for units in slices(k, unit_size(k)):
                total += A[1](rows, units) @ directions[units]
        if m == 1:
            out[rows, 0] = np.vecdot(X[rows], total)
        else:
            np.einsum("ij,ijm->im", X[rows], total.reshape(stop - start, d, m), out=out[rows])

    run_blocks(work, n, block_size(n, max(unit_size(k), d * m), 512))
    return out


def khatri_rao_transposed_product(A: Factor, X: Floats, C: Floats) -> Floats:
    r"""``(A * X)^T C = A^T (X * C)`` in ``2 n k d m`` flops. C is (n, m); the result is (k d, m).

    Blocks of columns of A run side by side, each over all rows in order.
    """
    from ._kernels import khatri_rao_rows

    n, d = X.shape
    m = C.shape[1]
    k = A.shape[1] if isinstance(A, np.ndarray) else A[0]
    columns = np.ascontiguousarray(C)
    out = np.zeros((k, d * m))
    # Of a stored A long strips; tiles that are made on the spot stay in cache.
    most = 2048 if isinstance(A, np.ndarray) else 512
    parts = slices(n, min(most, block_size(n, d * m) if isinstance(A, np.ndarray) else block_size(n, unit_size(k))))

    def work(start: int, stop: int) -> None:
        units = slice(start, stop)
        for rows in parts:
            weighted = np.empty((rows.stop - rows.start, d * m))
            khatri_rao_rows(X[rows], columns[rows], weighted)
            left = A[rows, units] if isinstance(A, np.ndarray) else A[1](rows, units)
            out[units] += left.T @ weighted

    run_blocks(work, k, max(unit_size(k), _SMALL // n))
    return out.reshape(k * d, m)


def linear(product: Callable[[Floats], Floats], U: Any) -> Any:
    """A real linear map applied to the columns of U, real or complex (then to both parts); other dtypes are refused."""
    U = np.asarray(U)
    if U.dtype.kind not in "fiubc":
        raise InputError("operand", f"an array of dtype {U.dtype}", "numbers")
    if U.dtype.kind != "c":
        return product(U.astype(np.float64, copy=False))
    m = U.shape[1]
    parts = product(np.hstack([U.real, U.imag]).astype(np.float64, copy=False))
    out = np.empty((parts.shape[0], m), dtype=np.complex128)
    out.real, out.imag = parts[:, :m], parts[:, m:]
    return out
