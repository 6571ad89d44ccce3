"""Training by the compiled kernels: built-in activations, float64 and float32."""

from __future__ import annotations

import math
import sys
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import check_memory
from .._jit import serial_blas, threads
from .._native import aligned, blas_address
from ..elementwise import kernel_address
from ..network import ShallowNet
from . import _descent
from .engine import STOPS, Chunk, Engine, Problem, square_roots

__all__ = ["FusedDescent", "FusedSampling", "calls_of"]

Floats = NDArray[np.float64]

#: Entries of phi' that are kept at a time: 4 MiB, which the last-level cache holds. It is all of the workspace that
#: is not small, and does not grow with n.
_BAND = 1 << 19
#: Rows of a tile and units of a panel, at most.
_TILE, _PANEL = 128, 512
#: Multiplications of one step below which a second thread costs more than it brings.
_SMALL = 100_000


def calls_of(activation: Any, dtype: str) -> tuple[Any, float] | None:
    """Addresses of the elementwise kernel, gemm, gemv and dot, and the kernel's parameter; None without a kernel."""
    found = kernel_address(activation, dtype)
    if found is None:
        return None
    address, parameter = found
    letter = {"float64": "d", "float32": "s"}[dtype]
    dot = {"float64": "ddot", "float32": "dsdot"}[dtype]
    addresses = [address, *(blas_address(name) for name in (f"{letter}gemm", f"{letter}gemv", dot))]
    return np.array(addresses, dtype=np.int64), parameter


def even_parts(total: int, most: int) -> int:
    """The size of nearly equal parts of at most `most`; an even number of them where there are several."""
    count = -(-total // most)
    count += count % 2 if count > 1 else 0
    return -(-total // count)


class _Fused(Engine):
    def __init__(self, problem: Problem, dtype: str) -> None:
        net = problem.net
        found = calls_of(net.activation, dtype)
        assert found is not None
        self._calls, self._parameter = found
        self._problem, self._dtype = problem, dtype
        kind = np.dtype(dtype)
        self._X, self._y, self._v = (np.array(a, dtype=kind, order="C") for a in (problem.X, problem.y, problem.v))
        self._limits = np.array([-1.0, math.inf])
        self._prepare()
        self._W = self._packed(np.asarray(net.W, dtype=kind))
        self._W0 = self._W.copy()

    def _prepare(self) -> None:
        """Workspace of `_descent.descend`, which also evaluates residuals for SGD."""
        (n, d), k = self._X.shape, len(self._v)
        band = min(n, max(_TILE, _BAND // k))
        band = even_parts(n, band)
        large = n * d * k > _SMALL
        shares = 2 if large else 1  # so that there is work for two threads, however many there are
        tile, panel = even_parts(band, min(_TILE, -(-band // shares))), even_parts(k, min(_PANEL, -(-k // shares)))
        panels = -(-k // panel)
        # A row of padding keeps the buffers of two threads on different cache lines.
        buffer = tile * panel + 64
        self._workers = threads() if large else 1
        kind = self._X.dtype
        needed = kind.itemsize * (band * (k + d) + 3 * k * d + self._workers * buffer)
        check_memory("training", needed, "use a smaller width")
        self._sizes = np.array([band, tile, panel, buffer, 1], dtype=np.int64)
        self._D = aligned(band * k, kind)
        self._work = (
            np.empty(n, dtype=kind),
            np.empty((band, d), dtype=kind),
            aligned(k * d, kind),
            aligned(self._workers * buffer, kind),
            np.zeros((panels, 2)),
        )
        self._panel = panel

    def _packed(self, W: NDArray[Any]) -> NDArray[Any]:
        """W (k, d) as the kernel stores it: panels of units, each transposed."""
        step = self._panel
        return np.concatenate([W[p : p + step].T.ravel() for p in range(0, len(W), step)])

    def _unpacked(self) -> NDArray[Any]:
        """W (k, d), a copy."""
        k, d, step = len(self._v), self._X.shape[1], self._panel
        out = np.empty((k, d), dtype=self._X.dtype)
        for p in range(0, k, step):
            units = out[p : p + step]
            units[:] = self._W[p * d : p * d + units.size].reshape(d, -1).T
        return out

    def _descend(self, steps: int, out: Floats, sync: Any) -> None:
        kernel = _descent.descend(self._dtype)
        real = self._X.dtype.type
        shared = (sync, self._calls, self._parameter, self._X, self._y, self._W, self._W0, self._v)
        rest = (real(self._problem.eta), self._limits, self._sizes, self._work, self._D, steps, out)

        # Starting a thread takes as long as a few million multiplications.
        workers = self._workers if self._X.size * len(self._v) * max(steps, 1) > 20 * _SMALL else 1

        def work(me: int) -> None:
            kernel(me, workers, *shared, *rest)

        helpers = [Thread(target=work, args=(i,)) for i in range(1, workers)]
        with serial_blas:
            for helper in helpers:
                helper.start()
            try:
                work(0)
            finally:
                for helper in helpers:
                    helper.join()

    def limits(self, small: float, large: float) -> None:
        super().limits(small, large)
        with np.errstate(over="ignore", under="ignore"):
            small, large = (float(np.ldexp(x, -self._problem.exponent)) for x in (small, large))
        self._limits[:] = small * small if small >= 0 else -1.0, min(large * large, sys.float_info.max)

    def residual_norm(self) -> float:
        out = np.zeros((1, 3))
        self._descend(0, out, np.zeros(32, dtype=np.int64))
        return float(self._problem.unscale(square_roots(out[0, :1]))[0])

    def distance(self) -> float:
        with np.errstate(invalid="ignore", over="ignore"):
            difference = self._W.astype(np.float64) - self._W0
            return float(np.sqrt(np.sum(difference * difference)))

    def net(self) -> ShallowNet:
        return ShallowNet(self._unpacked(), self._problem.net.v, self._problem.net.activation)

    def finite(self) -> bool:
        return bool(np.all(np.isfinite(self._W)))


class FusedDescent(_Fused):
    """Full-batch gradient descent."""

    records_steps = True

    def advance(self, count: int) -> Chunk:
        out, sync = np.zeros((count, 3)), np.zeros(32, dtype=np.int64)
        self._descend(count, out, sync)
        done = int(sync[24])
        norms = square_roots(out[:done])
        residuals = self._problem.unscale(norms[:, 0])
        return Chunk(norms[:, 1], residuals, norms[:, 2], STOPS[int(sync[25])])


class FusedSampling(_Fused):
    """SGD over given rows."""

    records_steps = False

    def __init__(self, problem: Problem, dtype: str, rows: Any, batch: int) -> None:
        super().__init__(problem, dtype)
        self._rows, self._batch = rows, batch
        kind, k, d = self._X.dtype, len(self._v), self._X.shape[1]
        # A step of SGD touches all of W for one row or a few: it keeps W as (k, d), and packs it to evaluate residuals.
        self._rowwise = self._unpacked()
        self._own = (
            np.empty((batch, d), dtype=kind),
            np.empty(batch, dtype=kind),
            np.empty(batch * k, dtype=kind),
            np.empty(batch * k, dtype=kind),
            np.empty((k, d), dtype=kind),
        )

    def advance(self, count: int) -> Chunk:
        rows = self._rows(count)
        out = np.zeros((count, 2))
        with serial_blas:
            _descent.sample(self._dtype)(
                *(self._calls, self._parameter, self._X, self._y, self._rowwise, self._v),
                *(self._X.dtype.type(self._problem.eta), rows, self._own, out),
            )
        self._W = self._packed(self._rowwise)
        return Chunk(square_roots(out[:, 0]), stopped="" if np.all(np.isfinite(out[:, 0])) else "large")
