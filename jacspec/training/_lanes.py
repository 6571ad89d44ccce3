"""Many small trainings at once, one in each lane of a vector. Arguments are validated and scaled by the caller.

Arrays have the trainings innermost: ``X[i, j]`` is a vector of `LANES` numbers, one for each training, so that every
multiply-add serves that many trainings and nothing is ever summed across a vector. The two products are written down
as vector instructions, for two hidden units and four rows at a time, which share what they load.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from .._native import call_pair, intrinsic

__all__ = ["LANES", "ROWS", "UNITS", "lanes"]

#: Trainings in a group: a 512-bit vector of float64, or two of 256 bits.
LANES = 8
#: Rows that are taken together; n is padded with zero rows to a multiple.
ROWS = 4
#: Hidden units that are taken together; k is padded likewise.
UNITS = 2

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_I64 = ir.IntType(64)
#: Bytes of a vector.
_SIZE = 8 * LANES


def _at(builder: Any, address: Any, offset: Any) -> Any:
    """Pointer to a vector at a byte offset."""
    return builder.inttoptr(builder.add(address, offset), _VECTOR.as_pointer())


def _bytes(builder: Any, count: Any) -> Any:
    return builder.mul(count, ir.Constant(_I64, _SIZE))


def _fuse(builder: Any, a: Any, b: Any, c: Any) -> Any:
    signature = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    name = f"llvm.fmuladd.v{LANES}f64"
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), [a, b, c])


def _grid(builder: Any, address: Any, stride: Any, count: int) -> list[Any]:
    """Addresses of `count` vectors at a stride in bytes."""
    found = [address]
    for _ in range(count - 1):
        found.append(builder.add(found[-1], stride))
    return found


@intrinsic
def _project(typingctx: Any, z: Any, stride: Any, w: Any, x: Any, d: Any) -> Any:
    """``z[u, r] = sum_j w[u, j] x[r, j]`` for `UNITS` units and `ROWS` rows; rows of z are `stride` vectors apart."""
    i = types.int64

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        z, stride, w, x, d = args
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(ROWS)] for _ in range(UNITS)]
        for place in (p for row in sums for p in row):
            builder.store(zero, place)
        units, rows = _grid(builder, w, _bytes(builder, d), UNITS), _grid(builder, x, _bytes(builder, d), ROWS)
        with cgutils.for_range(builder, d) as loop:
            offset = _bytes(builder, loop.index)
            weights = [builder.load(_at(builder, u, offset), align=8) for u in units]
            for r, row in enumerate(rows):
                term = builder.load(_at(builder, row, offset), align=8)
                for u, weight in enumerate(weights):
                    builder.store(_fuse(builder, weight, term, builder.load(sums[u][r])), sums[u][r])
        for u, out in enumerate(_grid(builder, z, _bytes(builder, stride), UNITS)):
            for r, place in enumerate(sums[u]):
                builder.store(builder.load(place), _at(builder, out, ir.Constant(_I64, r * _SIZE)), align=8)
        return context.get_dummy_value()

    return types.void(i, i, i, i, i), generate


@intrinsic
def _spread(typingctx: Any, g: Any, c: Any, stride: Any, x: Any, d: Any) -> Any:
    """``g[u, j] += sum_r c[u, r] x[r, j]`` for `UNITS` units over `ROWS` rows; rows of c are `stride` vectors apart."""
    i = types.int64

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        g, c, stride, x, d = args
        places = [ir.Constant(_I64, r * _SIZE) for r in range(ROWS)]
        factors = [
            [builder.load(_at(builder, u, place), align=8) for place in places]
            for u in _grid(builder, c, _bytes(builder, stride), UNITS)
        ]
        units, rows = _grid(builder, g, _bytes(builder, d), UNITS), _grid(builder, x, _bytes(builder, d), ROWS)
        with cgutils.for_range(builder, d) as loop:
            offset = _bytes(builder, loop.index)
            terms = [builder.load(_at(builder, row, offset), align=8) for row in rows]
            for u, unit in enumerate(units):
                total = builder.load(_at(builder, unit, offset), align=8)
                for factor, term in zip(factors[u], terms, strict=True):
                    total = _fuse(builder, factor, term, total)
                builder.store(total, _at(builder, unit, offset), align=8)
        return context.get_dummy_value()

    return types.void(i, i, i, i, i), generate


@intrinsic
def _output(typingctx: Any, r: Any, z: Any, v: Any, m: Any) -> Any:
    """``r[i] += v z[i]`` for m vectors."""
    i = types.int64

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        r, z, v, m = args
        weight = builder.load(_at(builder, v, ir.Constant(_I64, 0)), align=8)
        with cgutils.for_range(builder, m) as loop:
            offset = _bytes(builder, loop.index)
            place = _at(builder, r, offset)
            value = builder.load(_at(builder, z, offset), align=8)
            builder.store(_fuse(builder, weight, value, builder.load(place, align=8)), place, align=8)
        return context.get_dummy_value()

    return types.void(i, i, i, i), generate


@intrinsic
def _scale(typingctx: Any, c: Any, r: Any, m: Any) -> Any:
    """``c[i] *= r[i]`` for m vectors."""
    i = types.int64

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        c, r, m = args
        with cgutils.for_range(builder, m) as loop:
            offset = _bytes(builder, loop.index)
            place = _at(builder, c, offset)
            factor = builder.load(_at(builder, r, offset), align=8)
            builder.store(builder.fmul(builder.load(place, align=8), factor), place, align=8)
        return context.get_dummy_value()

    return types.void(i, i, i), generate


def _lanes(pair, parameter, X, y, W, v, eta, rows, rule, state, steps, eager, work, out):
    """Up to `steps` steps of gradient descent in all lanes; a lane that has ended stands still from there.

    Parameters
    ----------
    pair, parameter
        Address of the elementwise kernel, and its parameter.
    X : (n, d, LANES), y : (n, LANES), W : (k, d, LANES), v : (k, LANES) float64
        n is a multiple of `ROWS` and k of `UNITS`; rows from `rows` on are zero, and units beyond a lane's width have
        v = 0.
    eta : (LANES,) float64
    rule : (2,) float64
        A run has converged when ``||r_t||^2`` is at most the first times ``||r_0||^2`` (never, for a tolerance of
        zero), and diverged when it exceeds the second times ``||r_0||^2`` or the lane's `floor`, if that is larger.
    state : tuple of active, budget, done (LANES,) int64, floor, first, last (LANES,) float64
        `active` is 1 while a lane moves and becomes 0 (converged), -1 (diverged) or 2 (`budget` steps made) here.
        `done` counts the steps of a lane, `first` and `last` are the first and the last ``||r_t||^2`` of its run.
    eager : bool
        Whether to return as soon as a lane ends, so that it can get another problem.
    work : tuple of Z, D (k, block, LANES), G (k, d, LANES), r (n, LANES)
        Their k may be larger.
    out : (steps, LANES) float64
        ``||r_t||^2`` before each step, or where a lane stands.

    Returns
    -------
    int
        How many rows of `out` are filled: fewer than `steps` when no lane moves, or after one that ended if `eager`.
    """
    Z, D, G, r = work
    active, budget, done, floor, first, last = state
    n, d = X.shape[0], X.shape[1]
    k, block = W.shape[0], Z.shape[1]
    squares = np.zeros(LANES)
    for step in range(steps):
        for unit in range(k):
            for j in range(d):
                for q in range(LANES):
                    G[unit, j, q] = 0.0
        for start in range(0, n, block):
            m = min(block, n - start)
            for unit in range(0, k, UNITS):
                for i in range(0, m, ROWS):
                    _project(
                        Z.ctypes.data + (unit * m + i) * LANES * 8,
                        m,
                        W.ctypes.data + unit * d * LANES * 8,
                        X.ctypes.data + (start + i) * d * LANES * 8,
                        d,
                    )
            call_pair(pair, Z.ctypes.data, k * m * LANES, parameter, Z.ctypes.data, D.ctypes.data)
            for i in range(m):
                for q in range(LANES):
                    r[start + i, q] = -y[start + i, q]
            here = r.ctypes.data + start * LANES * 8
            for unit in range(k):
                _output(here, Z.ctypes.data + unit * m * LANES * 8, v.ctypes.data + unit * LANES * 8, m)
            for unit in range(k):
                _scale(D.ctypes.data + unit * m * LANES * 8, here, m)
            for unit in range(0, k, UNITS):
                for i in range(0, m, ROWS):
                    _spread(
                        G.ctypes.data + unit * d * LANES * 8,
                        D.ctypes.data + (unit * m + i) * LANES * 8,
                        m,
                        X.ctypes.data + (start + i) * d * LANES * 8,
                        d,
                    )
        for q in range(LANES):
            squares[q] = 0.0
        for i in range(rows):
            for q in range(LANES):
                squares[q] += r[i, q] * r[i, q]
        moving, ended = 0, 0
        for q in range(LANES):
            out[step, q] = squares[q]
            if active[q] != 1:
                continue
            last[q] = squares[q]
            if done[q] == 0:
                first[q] = squares[q]
            if not squares[q] <= rule[1] * max(first[q], floor[q]):
                active[q] = -1
            elif squares[q] <= rule[0] * first[q] and (rule[0] > 0.0 or squares[q] == 0.0 == first[q]):
                active[q] = 0
            elif done[q] == budget[q]:
                active[q] = 2
            else:
                moving += 1
                done[q] += 1
                continue
            ended += 1
        if moving > 0:
            for unit in range(k):
                for j in range(d):
                    for q in range(LANES):
                        change = eta[q] * v[unit, q] * G[unit, j, q]
                        W[unit, j, q] -= change if active[q] == 1 else 0.0
        if moving == 0 or (eager and ended > 0):
            return step + 1
    return steps


@cache
def lanes() -> Any:
    """`_lanes`, compiled when first asked for."""
    real, i = types.float64, types.int64

    def array(kind: Any, ndim: int) -> Any:
        return types.Array(kind, ndim, "C")

    work = types.Tuple((array(real, 3), array(real, 3), array(real, 3), array(real, 2)))
    state = types.Tuple((*(array(i, 1),) * 3, *(array(real, 1),) * 3))
    signature = i(
        *(i, real, array(real, 3), array(real, 2), array(real, 3), array(real, 2), array(real, 1)),
        *(i, array(real, 1), state, i, types.boolean, work, array(real, 2)),
    )
    return numba.njit(signature, cache=True, nogil=True, error_model="numpy", fastmath=False)(_lanes)
