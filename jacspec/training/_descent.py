"""The compiled step of full-batch gradient descent, and of SGD. Arguments are validated and scaled by the caller.

Gradient descent goes through *bands* of rows, whose size does not depend on n; nor does the workspace. In a band every
thread takes tiles of rows: ``Z = X W^T`` for one panel of hidden units at a time, phi and phi' in place while Z is in
cache, and ``r = phi v - y``. When all rows of the band are done, every thread takes panels of units: the panel's share
of the gradient, ``X^T diag(r) phi'``, is one product over the rows of the band, and after the last band the panel's
weights are updated at once. So phi' is the only n x k quantity, kept for one band; no thread sums what another one
computed, and all shapes are fixed beforehand: the bits do not depend on the number of threads.

Weights and gradient are stored panel by panel, each panel as its transpose (d, units). Both products then read their
larger factor along its rows; read across them, as W (k, d) would have it, the second is a quarter slower for d = 100
and three times for d = 20.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
from numba import types

from .._native import call_pair, dot, fetch_add, gemm, gemv, wait_for_all

__all__ = ["descend", "sample"]


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _ranges(total, size):
    return (total + size - 1) // size


def _descend(me, threads, sync, calls, parameter, X, y, W, W0, v, eta, limits, sizes, work, D, steps, out):
    """Up to `steps` steps on thread `me` of `threads`; with steps = 0 only r and its norm.

    Parameters
    ----------
    sync : (32,) int64, zero
        Counters: arrivals (0), tiles (8), panels (16), steps done (24), why it stopped early (25: 1 small, 2 large).
    calls : (4,) int64
        Addresses of the elementwise kernel, gemm, gemv and dot.
    W, W0 : (k * d,)
        Panel by panel, each (d, units).
    limits : (2,) float64
        Squares of the residual norms at which to stop: reached, and exceeded.
    sizes : (5,) int64
        Rows of a band, rows of a tile, units of a panel, length of a thread's buffer, 1 if distances are wanted.
    work : tuple of r (n,), rX (band, d), G (k * d,) like W, Z (threads * buffer,), squares (panels, 2)
    D : (band * k,)
        phi', panel by panel.
    out : (max(steps, 1), 3) float64
        ``||r_t||^2``, ``||W_{t+1} - W_t||^2``, ``||W_{t+1} - W_0||^2``; only the first where it stopped.
    """
    r, rX, G, Z, squares = work
    n, d = X.shape
    k = v.shape[0]
    band, tile, panel, buffer = sizes[0], sizes[1], sizes[2], sizes[3]
    panels = _ranges(k, panel)
    pair, gemm_at, gemv_at, dot_at = calls[0], calls[1], calls[2], calls[3]
    one, zero = W.dtype.type(1.0), W.dtype.type(0.0)
    item = W.itemsize
    own = Z.ctypes.data + me * buffer * item
    arrivals, tile_counter, panel_counter = sync.ctypes.data, sync.ctypes.data + 64, sync.ctypes.data + 128
    barriers, tiles_before, panels_before = 0, 0, 0
    done = 0
    while True:
        for start in range(0, n, band):
            stop = min(start + band, n)
            tiles = _ranges(stop - start, tile)
            while True:
                q = fetch_add(tile_counter, 1) - tiles_before
                if q >= tiles:
                    break
                a = start + q * tile
                b = min(a + tile, stop)
                for i in range(a, b):
                    r[i] = -y[i]
                for p in range(0, k, panel):
                    w = min(panel, k - p)
                    derivative = D.ctypes.data + (p * band + (a - start) * w) * item
                    gemm(gemm_at, 0, 0, b - a, w, d, one, X.ctypes.data + a * d * item, d,
                         W.ctypes.data + p * d * item, w, zero, own, w)  # fmt: skip
                    call_pair(pair, own, (b - a) * w, parameter, own, derivative)
                    gemv(gemv_at, b - a, w, one, own, v.ctypes.data + p * item, one, r.ctypes.data + a * item)
                for i in range(a, b):
                    for j in range(d):
                        rX[i - start, j] = r[i] * X[i, j]
            tiles_before += tiles + threads  # every thread asks once in vain
            barriers += 1
            wait_for_all(arrivals, barriers * threads)
            last = stop == n
            if last:
                # Every thread decides alike, from the same numbers.
                square = dot(dot_at, n, r.ctypes.data, r.ctypes.data)
                why = 1 if square <= limits[0] else 0
                if not square <= limits[1]:
                    why = 2
                if me == 0:
                    out[done, 0] = square
                    sync[24] = done
                    sync[25] = why
                if why or steps == 0:
                    return
            elif steps == 0:
                continue
            while True:
                q = fetch_add(panel_counter, 1) - panels_before
                if q >= panels:
                    break
                p = q * panel
                w = min(panel, k - p)
                g = G.ctypes.data + p * d * item
                gemm(gemm_at, 1, 0, d, w, stop - start, one, rX.ctypes.data, d, D.ctypes.data + p * band * item, w,
                     zero if start == 0 else one, g, w)  # fmt: skip
                if last:
                    for j in range(d):
                        at = (p * d) + j * w
                        for unit in range(w):
                            G[at + unit] *= eta * v[p + unit]
                            W[at + unit] -= G[at + unit]
                    squares[q, 0] = dot(dot_at, w * d, g, g)
                    if sizes[4]:
                        for at in range(p * d, (p + w) * d):
                            G[at] = W[at] - W0[at]
                        squares[q, 1] = dot(dot_at, w * d, g, g)
            panels_before += panels + threads
            barriers += 1
            wait_for_all(arrivals, barriers * threads)
        if me == 0:
            step, distance = 0.0, 0.0
            for q in range(panels):
                step += squares[q, 0]
                distance += squares[q, 1]
            out[done, 1] = step
            out[done, 2] = distance
            sync[24] = done + 1
        done += 1
        if done == steps:
            return


def _sample(calls, parameter, X, y, W, v, eta, rows, work, out):
    """SGD steps, one for each row of `rows` (steps, batch): ``W -= (eta / batch) sum_i r_i grad f_i``.

    Parameters
    ----------
    calls, parameter
        As in `_descend`.
    work : tuple of x (batch, d), r (batch,), Z and D (batch * k,), G (k, d)
    out : (steps, 2) float64
        ``||W_{t+1} - W_t||^2`` and the square of the batch's residual.
    """
    x, r, Z, D, G = work
    d = X.shape[1]
    k = W.shape[0]
    batch = rows.shape[1]
    pair, gemm_at, gemv_at, dot_at = calls[0], calls[1], calls[2], calls[3]
    one, zero = W.dtype.type(1.0), W.dtype.type(0.0)
    for step in range(rows.shape[0]):
        for b in range(batch):
            i = rows[step, b]
            r[b] = -y[i]
            for j in range(d):
                x[b, j] = X[i, j]
        if batch == 1:
            gemv(gemv_at, k, d, one, W.ctypes.data, x.ctypes.data, zero, Z.ctypes.data)
        else:
            gemm(gemm_at, 0, 1, batch, k, d, one, x.ctypes.data, d, W.ctypes.data, d, zero, Z.ctypes.data, k)
        call_pair(pair, Z.ctypes.data, batch * k, parameter, Z.ctypes.data, D.ctypes.data)
        gemv(gemv_at, batch, k, one, Z.ctypes.data, v.ctypes.data, one, r.ctypes.data)
        for b in range(batch):
            scale = eta * r[b] / batch
            for unit in range(k):
                D[b * k + unit] *= scale * v[unit]
        if batch == 1:
            for unit in range(k):
                c = D[unit]
                for j in range(d):
                    W[unit, j] -= c * x[0, j]
            out[step, 0] = dot(dot_at, k, D.ctypes.data, D.ctypes.data) * dot(dot_at, d, x.ctypes.data, x.ctypes.data)
        else:
            gemm(gemm_at, 1, 0, k, d, batch, one, D.ctypes.data, k, x.ctypes.data, d, zero, G.ctypes.data, d)
            for unit in range(k):
                for j in range(d):
                    W[unit, j] -= G[unit, j]
            out[step, 0] = dot(dot_at, k * d, G.ctypes.data, G.ctypes.data)
        out[step, 1] = dot(dot_at, batch, r.ctypes.data, r.ctypes.data)


def _vector(real: Any) -> Any:
    return types.Array(real, 1, "C")


def _matrix(real: Any) -> Any:
    return types.Array(real, 2, "C")


def _compiled(function: Any, *arguments: Any) -> Any:
    signature = types.void(*arguments)
    return numba.njit(signature, cache=True, nogil=True, error_model="numpy", fastmath=False)(function)


@cache
def descend(dtype: str) -> Any:
    """`_descend` for "float64" or "float32", compiled when first asked for."""
    real, i = getattr(types, dtype), types.int64
    V, M = _vector(real), _matrix(real)
    work = types.Tuple((V, M, V, V, _matrix(types.float64)))
    integers, floats = _vector(i), _vector(types.float64)
    return _compiled(
        _descend, i, i, integers, integers, types.float64, M, V, V, V, V, real, floats, integers, work, V, i,
        _matrix(types.float64),
    )  # fmt: skip


@cache
def sample(dtype: str) -> Any:
    """`_sample` for "float64" or "float32", compiled when first asked for."""
    real = getattr(types, dtype)
    V, M = _vector(real), _matrix(real)
    work = types.Tuple((M, V, V, V, M))
    rows = types.Array(types.int64, 2, "C")
    return _compiled(
        _sample, _vector(types.int64), types.float64, M, V, M, V, real, rows, work, _matrix(types.float64)
    )  # fmt: skip
