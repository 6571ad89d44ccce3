"""Compilation on demand: a family and a dtype become a function at an address, cached on disk by numba."""

from __future__ import annotations

import ctypes
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numba
import numpy as np
from numba import types

from . import algebraic, error_function, exponential, trigonometric
from .instructions import STRIP, strip

__all__ = ["FAMILIES", "CompiledKernel", "Family", "compiled"]

Pair = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Family:
    """How one family is evaluated.

    Parameters
    ----------
    pair : callable
        ``pair(z, parameter)``: (phi(z), phi'(z)), without a branch.
    limit : float
        Where `pair` stops being right; entries with |z| >= limit go to `far`.
    far : callable or None
        ``far(z)``: the same by the C library.
    """

    pair: Pair
    limit: float = math.inf
    far: Callable[[float], tuple[float, float]] | None = None


FAMILIES: dict[str, Family] = {
    "relu": Family(algebraic.relu),
    "leaky_relu": Family(algebraic.leaky_relu),
    "softplus": Family(exponential.softplus),
    "tanh": Family(exponential.tanh),
    "sigmoid": Family(exponential.sigmoid),
    "erf": Family(error_function.erf),
    "gelu": Family(error_function.gelu),
    "silu": Family(exponential.silu),
    "elu": Family(exponential.elu),
    "sin": Family(trigonometric.sin, trigonometric.SIN_LIMIT, trigonometric.sin_far),
    "arctan": Family(trigonometric.arctan),
    "gaussian": Family(exponential.gaussian),
    "quadratic": Family(algebraic.quadratic),
    "linear": Family(algebraic.linear),
}


@dataclass(frozen=True)
class CompiledKernel:
    """A compiled kernel: where it is, and how to call it from Python (which releases the interpreter lock).

    `owner` keeps the machine code alive.
    """

    address: int
    call: Callable[[int, int, float, int, int], None]
    owner: Any


def _loop(pair: Pair, source: str) -> Callable[..., None]:
    """The loop over strips. A strip of z is copied first: phi may overwrite z, and still the loop over it vectorises.

    `source` is not used; numba's cache tells kernels apart by what they close over, and so notices an edit.
    """

    def kernel(z: Any, count: int, parameter: float, phi: Any, dphi: Any) -> None:
        _source = source
        x = strip()
        for start in range(0, count, STRIP):
            length = min(STRIP, count - start)
            for j in range(length):
                x[j] = z[start + j]
            for j in range(length):
                value, slope = pair(x[j], parameter)
                phi[start + j] = value
                dphi[start + j] = slope

    return kernel


def _guarded_loop(pair: Pair, limit: float, far: Callable[[float], Any], source: str) -> Callable[..., None]:
    """As `_loop`; then entries at or beyond the limit once more, one by one, in strips that have any."""

    def kernel(z: Any, count: int, parameter: float, phi: Any, dphi: Any) -> None:
        _source = source
        x = strip()
        for start in range(0, count, STRIP):
            length = min(STRIP, count - start)
            beyond = 0
            for j in range(length):
                x[j] = z[start + j]
                beyond |= abs(x[j]) >= limit
            for j in range(length):
                value, slope = pair(x[j], parameter)
                phi[start + j] = value
                dphi[start + j] = slope
            if beyond:
                for j in range(length):
                    if abs(x[j]) >= limit:
                        value, slope = far(x[j])
                        phi[start + j] = value
                        dphi[start + j] = slope

    return kernel


def _fingerprint() -> str:
    """Of all sources in this room: numba looks only at the file of the loop to see whether its cache is stale."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_ARGUMENTS = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p)
_kernels: dict[tuple[str, str], CompiledKernel] = {}
_lock = Lock()


def compiled(family: str, dtype: np.dtype[Any]) -> CompiledKernel:
    """The kernel of a built-in family for float64 or float32, compiled on first use (or loaded from the cache)."""
    key = family, dtype.name
    with _lock:
        if key not in _kernels:
            _kernels[key] = _compile(FAMILIES[family], types.float32 if dtype.name == "float32" else types.float64)
        return _kernels[key]


def _compile(family: Family, entry: Any) -> CompiledKernel:
    source = _fingerprint()
    if family.far is None:
        loop = _loop(family.pair, source)
    else:
        loop = _guarded_loop(family.pair, family.limit, family.far, source)
    pointer_to: Any = types.CPointer  # no hints
    cfunc: Any = numba.cfunc  # its hints leave out the compiler's options
    pointer = pointer_to(entry)
    signature = types.void(pointer, types.int64, types.float64, pointer, pointer)
    owner = cfunc(signature, nopython=True, cache=True, error_model="numpy")(loop)
    return CompiledKernel(owner.address, ctypes.CFUNCTYPE(None, *_ARGUMENTS)(owner.address), owner)
