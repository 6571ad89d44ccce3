r"""The Jacobian of f(W) = phi(X W^T) v in vec(W): dense, as an operator, and its Gram matrix without it.

.. math::

    J(W) = (\phi'(X W^\top) \operatorname{diag}(v)) * X \in R^{n \times kd}, \qquad
    J J^\top = (\phi'(XW^\top) \operatorname{diag}(v)^2 \phi'(W X^\top)) \circ (X X^\top)

vec(W) stacks the rows of W (C order). Costs: the Gram matrix takes ``n^2 (k + d)`` flops (half of the naive product,
by symmetry) and a panel of phi' beyond n x n; a product with the operator takes ``2 n k d`` flops, and as many again
where phi' is not kept.

Everything is done tile by tile on all cores, in tiles that depend on the shapes alone: the same arguments give the
same bits on one thread or many.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import LinearOperator

from ._checks import check_matrix, check_memory, check_vector, readable_bytes
from ._jit import blocks, run_blocks
from .activations import Activation
from .khatri_rao import (
    Factor,
    add_gram,
    block_size,
    check_out,
    khatri_rao_product,
    khatri_rao_transposed_product,
    linear,
    slices,
    unit_size,
)
from .network import ShallowNet

__all__ = ["JacobianOperator", "dense_jacobian", "gradient", "jacobian_gram"]

Floats = NDArray[np.float64]

#: Largest n x k matrix of phi' that an operator keeps between products; beyond, it is recomputed tile by tile.
_KEEP_BYTES = 1 << 29
#: Entries of the panel of phi' from which the Gram matrix is accumulated: 32 MiB.
_PANEL = 1 << 22


def _weighted_derivative(net: ShallowNet, v: Floats, X: Floats, rows: slice, units: slice) -> Floats:
    """A tile of ``phi'(X W^T) diag(v)``."""
    A = net.activation.derivative(X[rows] @ net.W[units].T)
    return np.asarray(np.multiply(A, v[units]))


def _fill(out: Floats, net: ShallowNet, v: Floats, X: Floats, units: slice) -> None:
    """``out = phi'(X W^T) diag(v)`` for these units, in blocks of rows side by side."""

    def work(start: int, stop: int) -> None:
        out[start:stop] = _weighted_derivative(net, v, X, slice(start, stop), units)

    run_blocks(work, X.shape[0], block_size(X.shape[0], out.shape[1]))


def dense_jacobian(net: ShallowNet, X: ArrayLike, *, out: Floats | None = None) -> Floats:
    r"""The dense Jacobian ``(phi'(X W^T) diag(v)) * X``.

    Parameters
    ----------
    net : ShallowNet
    X : (n, d) float64
    out : (n, k d) float64, C-contiguous, optional
        Written in place; page faults of fresh memory cost more than the arithmetic. It must not overlap X.

    Returns
    -------
    (n, k d) float64

    Raises
    ------
    InputError
        If X has the wrong number of columns or is not finite, or `out` does not fit the result.
    CapacityError
        If n k d numbers do not fit; use `JacobianOperator` or `jacobian_gram`.

    References
    ----------
    docs/theory.md, ``jacobian-formula``.

    Examples
    --------
    >>> net = ShallowNet([[1.0, 2.0]], [3.0], "linear")
    >>> dense_jacobian(net, [[0.6, 0.8]]).round(12)
    array([[1.8, 2.4]])
    """
    X = check_matrix("X", X, columns=net.d)
    n, shape = X.shape[0], (X.shape[0], net.k * net.d)
    if out is None:
        check_memory("the dense Jacobian", 8 * shape[0] * shape[1], "use JacobianOperator")
        out = np.empty(shape)
    else:
        out = check_out(out, shape, X, net.W, net.v)
    from ._kernels import khatri_rao_rows

    J: Floats = out

    def work(start: int, stop: int) -> None:
        A = _weighted_derivative(net, net.v, X, slice(start, stop), slice(None))
        khatri_rao_rows(A, X[start:stop], J[start:stop])

    run_blocks(work, n, block_size(n, net.k))
    return out


def jacobian_gram(net: ShallowNet, X: ArrayLike) -> Floats:
    r"""J J^T without J: symmetric tiles over panels of hidden units, finished by the Hadamard product with X X^T.

    Parameters
    ----------
    net : ShallowNet
    X : (n, d) float64

    Returns
    -------
    (n, n) float64, exactly symmetric
        The empirical tangent kernel of the hidden layer. v is scaled by a power of two on the way, so an entry
        overflows or underflows only where its own value leaves the range of float64.

    Raises
    ------
    InputError
        If X has the wrong number of columns or is not finite.
    CapacityError
        If n x n does not fit, with the estimate; `JacobianOperator` needs only n k.

    References
    ----------
    docs/theory.md, ``jacobian-formula``.

    Examples
    --------
    >>> net = ShallowNet([[1.0, 2.0]], [3.0], "linear")
    >>> jacobian_gram(net, [[1.0, 0.0], [0.0, 1.0]])
    array([[9., 0.],
           [0., 9.]])
    """
    X = check_matrix("X", X, columns=net.d)
    n = X.shape[0]
    count = -(-net.k // max(64, _PANEL // n))
    width = -(-net.k // count)
    check_memory("the n x n Gram matrix", 8 * n * (n + width), "use JacobianOperator, which needs n k numbers or less")
    gram, panel = np.empty((n, n)), np.empty((n, width))
    exponent = max(math.frexp(float(np.max(np.abs(net.v))))[1] - 1, -1022)
    v = np.ldexp(net.v, -exponent)
    panels = slices(net.k, width)
    for units in panels:
        A = panel if units.stop - units.start == width else np.empty((n, units.stop - units.start))
        _fill(A, net, v, X, units)
        last = units.stop == net.k
        add_gram(gram, A, X if last else None, add=units.start > 0, scale=math.ldexp(1.0, exponent))
    return gram


def gradient(net: ShallowNet, X: ArrayLike, y: ArrayLike) -> Floats:
    r"""Gradient of the loss in W: ``diag(v) phi'(W X^T) diag(r) X``, shape (k, d), tile by tile.

    Parameters
    ----------
    net : ShallowNet
    X : (n, d) float64
    y : (n,) float64

    Returns
    -------
    (k, d) float64
        ``J^T r`` reshaped, r = f(X) - y.

    Raises
    ------
    InputError
        If shapes disagree or entries are not finite.

    References
    ----------
    docs/theory.md section 0.

    Examples
    --------
    >>> net = ShallowNet([[1.0, 2.0]], [3.0], "linear")
    >>> gradient(net, [[1.0, 0.0]], [2.0])  # r = 3 - 2
    array([[3., 0.]])
    """
    X = check_matrix("X", X, columns=net.d)
    y = check_vector("y", y, length=X.shape[0])
    return residual_and_gradient(net.activation, net.W, net.v, X, y)[1]


def residual_and_gradient(phi: Activation, W: Floats, v: Floats, X: Floats, y: Floats) -> tuple[Floats, Floats]:
    """``r = f(X) - y`` and ``J^T r`` as (k, d), of arrays that have been checked: one pass, tile by tile."""
    n, (k, d) = X.shape[0], W.shape
    units = slices(k, unit_size(k))
    # One pass: phi and phi' share the pre-activations of a block. Slabs of rows have a sum each, in up to 256 MiB or
    # one gradient, so that neither their number nor the order of the final sum depends on the threads.
    count = max(1, min(8, (1 << 25) // (k * d)))
    slabs = slices(n, max(block_size(n, unit_size(k), 512), -(-n // count)))
    sums, residual = np.zeros((len(slabs), k, d)), np.empty(n)

    def work(slab: int, _: int) -> None:
        for start, stop in blocks(slabs[slab].stop - slabs[slab].start, block_size(n, k, 512)):
            rows = slice(slabs[slab].start + start, slabs[slab].start + stop)
            r = -y[rows]
            Z = [X[rows] @ W[part].T for part in units]
            for part, z in zip(units, Z, strict=True):
                r += phi(z) @ v[part]
            residual[rows] = r
            weighted = r[:, None] * X[rows]
            for part, z in zip(units, Z, strict=True):
                A = np.multiply(phi.derivative(z), v[part])
                sums[slab, part] += A.T @ weighted

    run_blocks(work, len(slabs), 1)
    return residual, np.asarray(sums.sum(axis=0))


class JacobianOperator(LinearOperator):  # type: ignore[misc]
    r"""The Jacobian as a `scipy.sparse.linalg.LinearOperator` that never forms n x kd.

    With U = u reshaped to (k, d): ``J u = rowsum((phi'(XW^T) diag(v)) o (X U^T))`` and
    ``J^T c = diag(v) phi'(W X^T) diag(c) X``. Operands are real or complex numbers of any precision; the arithmetic is
    float64, complex operands being two real ones.

    Parameters
    ----------
    net : ShallowNet
    X : (n, d) float64
    keep : bool, optional
        Keep the n x k matrix phi'(XW^T) diag(v) between products. By default it is kept up to 512 MiB and recomputed
        tile by tile beyond.

    Raises
    ------
    InputError
        If X has the wrong number of columns or is not finite, or an operand is not numeric.
    CapacityError
        With ``keep=True``, if n k numbers do not fit.

    References
    ----------
    docs/theory.md, ``jacobian-formula``.

    Examples
    --------
    >>> import numpy as np
    >>> net = ShallowNet([[1.0, 2.0]], [3.0], "linear")
    >>> J = JacobianOperator(net, [[0.6, 0.8]])
    >>> J.shape, (J @ np.array([1.0, 0.0])).round(12)
    ((1, 2), array([1.8]))
    """

    def __init__(self, net: ShallowNet, X: ArrayLike, *, keep: bool | None = None) -> None:
        self._net = net
        self._X = check_matrix("X", X, columns=net.d)
        n = self._X.shape[0]
        needed = 8 * n * net.k
        if keep is None:
            keep = needed <= _KEEP_BYTES
        elif keep:
            check_memory(f"keeping phi'(XW^T) ({readable_bytes(needed)})", needed, "pass keep=False")
        self._A: Floats | None = None
        if keep:
            self._A = np.empty((n, net.k))
            _fill(self._A, net, net.v, self._X, slice(0, net.k))
        super().__init__(np.dtype(np.float64), (n, net.k * net.d))

    def _factor(self) -> Factor:
        if self._A is not None:
            return self._A
        return self._net.k, lambda rows, units: _weighted_derivative(self._net, self._net.v, self._X, rows, units)

    def _matvec(self, u: Any) -> Any:
        return self._matmat(np.asarray(u).reshape(-1, 1))[:, 0]

    def _rmatvec(self, c: Any) -> Any:
        return self._rmatmat(np.asarray(c).reshape(-1, 1))[:, 0]

    def _matmat(self, U: Any) -> Any:
        return linear(lambda u: khatri_rao_product(self._factor(), self._X, u), U)

    def _rmatmat(self, C: Any) -> Any:
        return linear(lambda c: khatri_rao_transposed_product(self._factor(), self._X, c), C)

    def gram(self) -> Floats:
        """J J^T, shape (n, n); see `jacobian_gram`."""
        return jacobian_gram(self._net, self._X)

    def residual(self, y: ArrayLike) -> Floats:
        """f(X) - y, shape (n,).

        Raises
        ------
        InputError
            If y is not finite or has not n entries.
        """
        return self._net.residual(self._X, check_vector("y", y, length=self.shape[0]))
