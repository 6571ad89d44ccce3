"""What compiled kernels need beyond Numba: BLAS and elementwise kernels called by address, and a barrier of threads.

Addresses are ordinary integer arguments, so kernels that use them can be cached on disk (a constant address could not).
Every intrinsic takes addresses of data as integers (``array.ctypes.data`` plus an offset in bytes); nothing is checked.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as _intrinsic
from numpy.typing import NDArray

__all__ = ["aligned", "blas_address", "call_pair", "dot", "fetch_add", "gemm", "gemv", "intrinsic", "wait_for_all"]

#: Bytes of a cache line.
_LINE = 64

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def intrinsic(generator: Any) -> Any:
    """Numba's decorator, without a type: what it makes is called with one argument less than it is defined with."""
    return _intrinsic(generator)


@cache
def blas_address(name: str) -> int:
    """Address of a BLAS routine in SciPy's library, such as "dgemm"."""
    from numba.extending import get_cython_function_address

    return int(get_cython_function_address("scipy.linalg.cython_blas", name))


def aligned(shape: int | tuple[int, ...], dtype: Any = np.float64) -> NDArray[Any]:
    """Zeros that start on a cache line: NumPy's own often start 16 bytes into one, and then every vector is on two."""
    kind = np.dtype(dtype)
    count = math.prod(shape) if isinstance(shape, tuple) else shape
    raw = np.zeros(count * kind.itemsize + _LINE, dtype=np.uint8)
    start = -raw.ctypes.data % _LINE
    room: NDArray[Any] = raw[start : start + count * kind.itemsize].view(kind).reshape(shape)
    return room


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _real(kind: Any) -> Any:
    return ir.DoubleType() if kind is types.float64 else ir.FloatType()


def _slot(builder: Any, value: Any) -> Any:
    """Fortran takes everything by reference."""
    place = cgutils.alloca_once(builder, value.type)
    builder.store(value, place)
    return place


def _letter(builder: Any, transposed: Any) -> Any:
    flag = builder.icmp_signed("!=", transposed, ir.Constant(_I64, 0))
    return _slot(builder, builder.select(flag, ir.Constant(_I8, ord("T")), ir.Constant(_I8, ord("N"))))


def _call(builder: Any, address: Any, arguments: list[Any], result: Any) -> Any:
    kind = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(builder.inttoptr(address, kind.as_pointer()), arguments)


@intrinsic
def call_pair(typingctx: Any, address: Any, z: Any, count: Any, parameter: Any, phi: Any, dphi: Any) -> Any:
    """Call an elementwise kernel of `jacspec.elementwise`: phi and phi' of `count` numbers at z."""
    i = types.int64

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where, z, count, parameter, phi, dphi = args
        z, phi, dphi = (_pointer(builder, a, _I8) for a in (z, phi, dphi))
        _call(builder, where, [z, count, parameter, phi, dphi], ir.VoidType())
        return context.get_dummy_value()

    return types.void(i, i, i, types.float64, i, i), generate


@intrinsic
def gemm(
    typingctx: Any,
    address: Any,
    transpose_a: Any,
    transpose_b: Any,
    m: Any,
    n: Any,
    inner: Any,
    alpha: Any,
    a: Any,
    lda: Any,
    b: Any,
    ldb: Any,
    beta: Any,
    c: Any,
    ldc: Any,
) -> Any:
    """``C = alpha op(A) op(B) + beta C`` for row-major C (m, n); lda, ldb, ldc are lengths of stored rows.

    `address` is that of dgemm or sgemm, by the type of alpha.
    """
    i, real = types.int64, alpha

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where, ta, tb, m, n, inner, alpha, a, lda, b, ldb, beta, c, ldc = args
        kind = _real(real)
        size = [_slot(builder, builder.trunc(x, _I32)) for x in (n, m, inner, ldb, lda, ldc)]
        a, b, c = (_pointer(builder, x, kind) for x in (a, b, c))
        # Row-major C is column-major C^T = op(B)^T op(A)^T.
        arguments = [_letter(builder, tb), _letter(builder, ta), size[0], size[1], size[2], _slot(builder, alpha)]
        arguments += [b, size[3], a, size[4], _slot(builder, beta), c, size[5]]
        _call(builder, where, arguments, ir.VoidType())
        return context.get_dummy_value()

    return types.void(i, i, i, i, i, i, real, i, i, i, i, real, i, i), generate


@intrinsic
def gemv(typingctx: Any, address: Any, m: Any, n: Any, alpha: Any, a: Any, x: Any, beta: Any, y: Any) -> Any:
    """``y = alpha A x + beta y`` for row-major, contiguous A (m, n); `address` is that of dgemv or sgemv."""
    i, real = types.int64, alpha

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where, m, n, alpha, a, x, beta, y = args
        kind = _real(real)
        rows, columns, one = (_slot(builder, builder.trunc(c, _I32)) for c in (m, n, ir.Constant(_I64, 1)))
        a, x, y = (_pointer(builder, p, kind) for p in (a, x, y))
        yes = _letter(builder, ir.Constant(_I64, 1))
        arguments = [yes, columns, rows, _slot(builder, alpha), a, columns, x, one, _slot(builder, beta), y, one]
        _call(builder, where, arguments, ir.VoidType())
        return context.get_dummy_value()

    return types.void(i, i, i, real, i, i, real, i), generate


@intrinsic
def dot(typingctx: Any, address: Any, n: Any, x: Any, y: Any) -> Any:
    """Inner product accumulated in float64; `address` is that of ddot, or of dsdot for float32."""
    i = types.int64

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where, n, x, y = args
        count, one = (_slot(builder, builder.trunc(c, _I32)) for c in (n, ir.Constant(_I64, 1)))
        arguments = [count, _pointer(builder, x, _I8), one, _pointer(builder, y, _I8), one]
        return _call(builder, where, arguments, ir.DoubleType())

    return types.float64(i, i, i, i), generate


@intrinsic
def fetch_add(typingctx: Any, address: Any, amount: Any) -> Any:
    """Add to an int64 at an address, atomically; what was there before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(builder, args[0], _I64), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def _load(typingctx: Any, address: Any) -> Any:
    """Read an int64 at an address, atomically."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_pointer(builder, args[0], _I64), "seq_cst", 8)

    return types.int64(types.int64), generate


_give_way = types.ExternalFunction("sched_yield", types.int32())

#: Looks at the counter before a waiting thread lets others run: a few microseconds.
_SPINS = 4000


@numba.njit(types.void(types.int64, types.int64), cache=True, nogil=True)
def wait_for_all(counter: int, target: int) -> None:
    """Arrive at a barrier and wait until `target` arrivals have been counted there."""
    fetch_add(counter, 1)
    spins = 0
    while _load(counter) < target:
        spins += 1
        if spins > _SPINS:
            _give_way()
