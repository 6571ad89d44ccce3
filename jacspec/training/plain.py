"""Training in NumPy: for a user's own activation, which has no compiled kernel. float64 only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jacobian import residual_and_gradient
from ..network import ShallowNet
from .engine import Chunk, Engine, Problem

__all__ = ["PlainDescent", "PlainSampling"]

Floats = NDArray[np.float64]


class _Plain(Engine):
    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._phi = problem.net.activation
        self._W = problem.net.W.copy()

    def residual_norm(self) -> float:
        p = self._problem
        f = np.asarray(ShallowNet(self._W, p.v, self._phi)(p.X)) if self.finite() else np.full(len(p.y), np.nan)
        return float(p.unscale(np.linalg.norm(f - p.y)))

    def distance(self) -> float:
        return float(np.linalg.norm(self._W - self._problem.net.W))

    def net(self) -> ShallowNet:
        return ShallowNet(self._W, self._problem.net.v, self._phi)

    def finite(self) -> bool:
        return bool(np.all(np.isfinite(self._W)))


class PlainDescent(_Plain):
    """Full-batch gradient descent, block by block of rows."""

    records_steps = True

    def advance(self, count: int) -> Chunk:
        p = self._problem
        found = []
        stopped: Any = ""
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(count):
                r, G = residual_and_gradient(self._phi, self._W, p.v, p.X, p.y)
                norm = float(p.unscale(np.linalg.norm(r)))
                stopped = self._judge(norm)
                if stopped:
                    break
                G *= p.eta
                self._W -= G
                found.append((float(np.linalg.norm(G)), norm, self.distance()))
        columns = np.array(found).reshape(-1, 3)
        return Chunk(columns[:, 0], columns[:, 1], columns[:, 2], stopped)


class PlainSampling(_Plain):
    """SGD over given rows."""

    records_steps = False

    def __init__(self, problem: Problem, rows: Any) -> None:
        super().__init__(problem)
        self._rows = rows

    def advance(self, count: int) -> Chunk:
        p, norms = self._problem, []
        with np.errstate(over="ignore", invalid="ignore"):
            for chosen in self._rows(count):
                x = p.X[chosen]
                Z = x @ self._W.T
                r = self._phi(Z) @ p.v - p.y[chosen]
                G = (self._phi.derivative(Z) * p.v * (p.eta / len(chosen) * r)[:, None]).T @ x
                self._W -= G
                norms.append(float(np.linalg.norm(G)))
        return Chunk(np.array(norms), stopped="" if np.all(np.isfinite(norms)) else "large")
