"""The one-hidden-layer network f(W) = phi(X W^T) v: forward pass, loss, output weights, initialisation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._checks import (
    InputError,
    check_even_width,
    check_int,
    check_matrix,
    check_memory,
    check_real,
    check_seed,
    check_vector,
)
from ._jit import run_blocks
from .activations import Activation
from .khatri_rao import block_size, slices, unit_size

__all__ = ["ShallowNet", "balanced_output_weights", "initial_weights"]

Floats = NDArray[np.float64]


def balanced_output_weights(k: int, y_norm: float, n: int) -> Floats:
    r"""The paper's v: half the entries ``+||y||/sqrt(k n)``, half ``-||y||/sqrt(k n)``.

    Parameters
    ----------
    k : int
        Width, even.
    y_norm : float
        ``||y||_2 > 0``.
    n : int
        Number of samples.

    Returns
    -------
    (k,) float64
        ``||v|| = ||y||/sqrt(n)`` and ``||v||_inf = ||v||/sqrt(k)``; the first half is positive.

    Raises
    ------
    InputError
        If k is odd or below 2, y_norm is not positive, or n < 1.
    CapacityError
        If they do not fit in memory.

    References
    ----------
    docs/theory.md section 0.

    Examples
    --------
    >>> balanced_output_weights(4, 2.0, 4)
    array([ 0.5,  0.5, -0.5, -0.5])
    """
    k = check_even_width("k", k)
    y_norm = check_real("y_norm", y_norm, above=0)
    n = check_int("n", n, minimum=1)
    check_memory(f"the output weights of {k} units", 8 * k, "take a smaller width")
    size = y_norm / math.sqrt(n) / math.sqrt(k)
    v = np.full(k, size)
    v[k // 2 :] = -size
    return v


def initial_weights(k: int, d: int, seed: int = 0) -> Floats:
    """Hidden weights with i.i.d. N(0, 1) entries from ``numpy.random.default_rng(seed)``.

    Parameters
    ----------
    k, d : int
        Width and input dimension.
    seed : int

    Returns
    -------
    (k, d) float64

    Raises
    ------
    InputError
        If k or d is below 1 or the seed is not a nonnegative integer.
    CapacityError
        If they do not fit in memory.

    Examples
    --------
    >>> initial_weights(4, 2, seed=1).shape
    (4, 2)
    """
    k, d = check_int("k", k, minimum=1), check_int("d", d, minimum=1)
    check_memory(f"a {k} x {d} matrix of weights", 3 * 8 * k * d, "take a smaller width")
    return np.random.default_rng(check_seed("seed", seed)).standard_normal((k, d))


@dataclass(frozen=True, eq=False)
class ShallowNet:
    r"""f(x) = v^T phi(W x), with hidden weights W, output weights v and an activation.

    Parameters
    ----------
    W : (k, d) float64
    v : (k,) float64
    activation : Activation or str

    Raises
    ------
    InputError
        If W or v is not finite, their sizes disagree, or the activation is unknown.

    References
    ----------
    docs/theory.md section 0.

    Examples
    --------
    >>> net = ShallowNet([[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0], "linear")
    >>> net([[2.0, 0.5]])
    array([1.5])
    """

    W: Floats
    v: Floats
    activation: Activation

    def __init__(self, W: ArrayLike, v: ArrayLike, activation: Activation | str) -> None:
        from .activations import activation as lookup

        weights = check_matrix("W", W)
        outputs = check_vector("v", v, length=weights.shape[0])
        for name, array in (("W", weights), ("v", outputs)):
            own = array.copy()  # a value: what the caller does to its arrays later must not reach it
            own.setflags(write=False)
            object.__setattr__(self, name, own)
        object.__setattr__(self, "activation", lookup(activation))

    @classmethod
    def initialize(cls, k: int, d: int, activation: Activation | str, *, y: ArrayLike, seed: int = 0) -> ShallowNet:
        """Gaussian W and the paper's balanced v for labels y (with ``len(y)`` samples).

        Raises
        ------
        InputError
            If k is odd, or y is zero or not a finite vector.
        """
        labels = check_vector("y", y)
        largest = float(np.max(np.abs(labels)))
        if largest == 0:
            raise InputError("y", "all zeros", "labels that are not all zero")
        # Pairwise: a BLAS norm of a long vector rounds as the number of threads has it.
        norm = largest * math.sqrt(float(np.sum((labels / largest) ** 2)))
        v = balanced_output_weights(k, norm, labels.shape[0])
        return cls(initial_weights(k, d, seed), v, activation)

    @classmethod
    def from_torch(cls, source: Any, activation: Activation | str | None = None) -> ShallowNet:
        """A network trained by PyTorch: a module, its state dict, or a safetensors file.

        PyTorch is needed for a module only, and is not imported here. With biases that are not zero, see
        `jacspec.pretrained`, which absorbs them.

        Parameters
        ----------
        source : torch.nn.Module, mapping of names to arrays or tensors, or path
        activation : Activation or str, optional
            Needed unless the module tells.

        Returns
        -------
        ShallowNet
            Its float64 weights are exactly those that were stored.

        Raises
        ------
        InputError
            If it is not one hidden layer with one output and without biases; see `jacspec.pretrained`.

        Examples
        --------
        >>> state = {"0.weight": [[1.0, -1.0], [2.0, 0.0]], "2.weight": [[1.0, 0.5]]}
        >>> ShallowNet.from_torch(state, "relu")([[1.0, 0.0]])
        array([2.])
        """
        from .from_torch import pretrained

        return pretrained(source, activation).network()

    @property
    def k(self) -> int:
        """Width."""
        return int(self.W.shape[0])

    @property
    def d(self) -> int:
        """Input dimension."""
        return int(self.W.shape[1])

    def __call__(self, X: ArrayLike) -> Floats:
        """f(X), shape (n,), tile by tile: the n x k pre-activations are never whole."""
        X = check_matrix("X", X, columns=self.d)
        n = X.shape[0]
        out = np.empty(n)
        units = slices(self.k, unit_size(self.k))

        def work(start: int, stop: int) -> None:
            out[start:stop] = 0.0
            for part in units:
                out[start:stop] += self.activation(X[start:stop] @ self.W[part].T) @ self.v[part]

        run_blocks(work, n, block_size(n, unit_size(self.k), 512))
        return out

    def features(self, X: ArrayLike) -> Floats:
        """Random features Phi = phi(X W^T), shape (n, k).

        Raises
        ------
        InputError
            If X is not finite or has not d columns.
        CapacityError
            If n x k numbers do not fit in memory.
        """
        X = check_matrix("X", X, columns=self.d)
        n = X.shape[0]
        check_memory("the n x k matrix of features", 8 * n * self.k, "use fewer rows at a time")
        out = np.empty((n, self.k))

        def work(start: int, stop: int) -> None:
            out[start:stop] = self.activation(X[start:stop] @ self.W.T)

        run_blocks(work, n, block_size(n, self.k))
        return out

    def residual(self, X: ArrayLike, y: ArrayLike) -> Floats:
        """r = f(X) - y, shape (n,).

        Raises
        ------
        InputError
            If X or y is not finite, or their sizes disagree.
        """
        X = check_matrix("X", X, columns=self.d)
        y = check_vector("y", y, length=X.shape[0])
        return self(X) - y

    def loss(self, X: ArrayLike, y: ArrayLike) -> float:
        """``1/2 ||f(X) - y||^2``."""
        r = self.residual(X, y)
        return 0.5 * float(np.sum(r * r))
