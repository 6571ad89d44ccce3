"""The kernels as functions: an address for compiled code, arrays for Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .._checks import InputError
from .._jit import run_blocks
from ..activations import Activation
from ..activations import activation as look_up
from .compiled import FAMILIES, CompiledKernel, compiled

__all__ = ["kernel_address", "phi_and_derivative"]

_DTYPES = (np.dtype(np.float64), np.dtype(np.float32))
#: Entries per call when an array is shared out among threads.
_PIECE = 1 << 16


def _kernel(activation: Activation, dtype: np.dtype[Any]) -> tuple[CompiledKernel, float] | None:
    """The kernel with its parameter, or None where there is none."""
    family, parameters = activation.family, dict(activation.parameters)
    if family == "leaky_relu" and parameters["slope"] == 0:
        family = "relu"  # 0 times minus infinity is no limit
    if family not in FAMILIES:
        return None
    return compiled(family, dtype), parameters.get("slope", 0.0)


def kernel_address(activation: str | Activation, dtype: DTypeLike = np.float64) -> tuple[int, float] | None:
    """Where the compiled kernel of an activation is, for code that calls it by address; compiled on first use.

    The kernel is a C function ``void(T *z, int64_t count, double parameter, T *phi, T *dphi)`` that reads `count`
    numbers z and writes phi(z) and phi'(z). phi may be z itself; otherwise the three must not overlap. Any number of
    threads may call it at once. It stays valid as long as the process lives.

    Parameters
    ----------
    activation : str or Activation
    dtype : float64 or float32
        T.

    Returns
    -------
    (int, float) or None
        The address, and the parameter to pass; None for a user's own activation, which has no kernel.

    Raises
    ------
    InputError
        If dtype is neither float64 nor float32.

    Examples
    --------
    >>> address, slope = kernel_address("leaky_relu:slope=0.2")
    >>> slope
    0.2
    >>> kernel_address("expr:x*sigmoid(x)") is None
    True
    """
    kind = np.dtype(dtype)
    if kind not in _DTYPES:
        raise InputError("dtype", str(kind), "float64 or float32")
    found = _kernel(look_up(activation), kind)
    return None if found is None else (found[0].address, found[1])


def phi_and_derivative(
    activation: str | Activation, z: ArrayLike, *, out: tuple[NDArray[Any], NDArray[Any]] | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """phi(z) and phi'(z) in one pass.

    For a built-in activation the compiled kernel is used, with the errors of `ACCURACY`; for a user's own,
    ``activation(z)`` and ``activation.derivative(z)``. Infinite arguments give the limits (NaN for sin, which has
    none), and phi(NaN) is NaN.

    Parameters
    ----------
    activation : str or Activation
    z : array of any shape
        float32 stays float32; everything else becomes float64.
    out : (phi, dphi), optional
        Arrays for the results, C-contiguous, of the shape and dtype of z, apart from each other. phi may be z itself.

    Returns
    -------
    phi, dphi : arrays of the shape of z
        The arrays of `out` where given.

    Raises
    ------
    InputError
        If z is not an array of real numbers, or `out` does not fit.

    References
    ----------
    docs/theory.md section 0 (notation): where phi' jumps, its value is the limit from the left.

    Examples
    --------
    >>> import numpy as np
    >>> phi, dphi = phi_and_derivative("relu", [-1.0, 0.0, 2.0])
    >>> phi.tolist(), dphi.tolist()
    ([0.0, 0.0, 2.0], [0.0, 0.0, 1.0])
    """
    chosen = look_up(activation)
    x = _numbers(z)
    phi, dphi = (np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)) if out is None else _outputs(out, x)
    found = _kernel(chosen, x.dtype)
    if found is None:
        value, slope = chosen(x), chosen.derivative(x)
        phi[...], dphi[...] = value, slope
        return phi, dphi
    kernel, parameter = found
    # Entries are read before they are written only where phi lies exactly on z.
    aligned = x.ctypes.data == phi.ctypes.data or not np.may_share_memory(x, phi)
    if not aligned or np.may_share_memory(x, dphi):
        x = x.copy()
    size = x.dtype.itemsize
    sources, values, slopes = x.ctypes.data, phi.ctypes.data, dphi.ctypes.data

    def piece(start: int, stop: int) -> None:
        shift = start * size
        kernel.call(sources + shift, stop - start, parameter, values + shift, slopes + shift)

    run_blocks(piece, x.size, _PIECE)
    return phi, dphi


def _numbers(z: ArrayLike) -> NDArray[Any]:
    expected = "an array of real numbers"
    try:
        array = np.asarray(z)
    except (TypeError, ValueError):
        raise InputError("z", "a ragged or unreadable sequence", expected) from None
    if array.dtype.kind not in "fiub":
        raise InputError("z", f"an array of dtype {array.dtype}", expected)
    kind = np.dtype(np.float32) if array.dtype == np.float32 else np.dtype(np.float64)
    with np.errstate(over="ignore"):  # a long double too large for float64 is infinite there
        return np.asarray(array, dtype=kind, order="C")


def _outputs(out: Any, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    expected = f"two C-contiguous, writeable arrays of shape {x.shape} and dtype {x.dtype}"
    if not (isinstance(out, tuple) and len(out) == 2):
        raise InputError("out", out, expected)
    for array in out:
        fits = isinstance(array, np.ndarray) and array.shape == x.shape and array.dtype == x.dtype
        if not (fits and array.flags.c_contiguous and array.flags.writeable):
            raise InputError("out", array, expected)
    if np.may_share_memory(*out):
        raise InputError("out", "arrays that overlap", "phi and dphi apart from each other")
    return out
