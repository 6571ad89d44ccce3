"""Training of v alone, W fixed: least squares in random features (docs/theory.md, `theorem-output-layer`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import ShallowNet
from .engine import Chunk, Engine

__all__ = ["OutputDescent", "OutputSampling"]

Floats = NDArray[np.float64]


def _norm(r: Floats) -> float:
    """||r||, also where its square overflows, as that of labels beyond 1e154 does."""
    with np.errstate(over="ignore", invalid="ignore"):
        norm, top = float(np.linalg.norm(r)), float(np.max(np.abs(r)))
        return norm if math.isfinite(norm) or not math.isfinite(top) else top * float(np.linalg.norm(r / top))


class _Output(Engine):
    """f(v) = Phi v. Only y may be scaled here: v is what moves."""

    def __init__(self, net: ShallowNet, features: Floats, y: Floats, eta: float) -> None:
        self._net, self._features, self._y, self._eta = net, features, y, eta
        self._v = net.v.copy()

    def residual_norm(self) -> float:
        return _norm(self._features @ self._v - self._y)

    def distance(self) -> float:
        return _norm(self._v - self._net.v)

    def net(self) -> ShallowNet:
        return ShallowNet(self._net.W, self._v, self._net.activation)

    def finite(self) -> bool:
        return bool(np.all(np.isfinite(self._v)))


class OutputDescent(_Output):
    """Full-batch gradient descent on v."""

    records_steps = True

    def advance(self, count: int) -> Chunk:
        found = []
        stopped: Any = ""
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(count):
                r = self._features @ self._v - self._y
                norm = float(np.linalg.norm(r))
                stopped = self._judge(norm)
                if stopped:
                    break
                g = self._eta * (self._features.T @ r)
                self._v -= g
                found.append((float(np.linalg.norm(g)), norm, self.distance()))
        columns = np.array(found).reshape(-1, 3)
        return Chunk(columns[:, 0], columns[:, 1], columns[:, 2], stopped)


class OutputSampling(_Output):
    """SGD on v over given rows."""

    records_steps = False

    def __init__(self, net: ShallowNet, features: Floats, y: Floats, eta: float, rows: Any) -> None:
        super().__init__(net, features, y, eta)
        self._rows = rows

    def advance(self, count: int) -> Chunk:
        norms = []
        with np.errstate(over="ignore", invalid="ignore"):
            for chosen in self._rows(count):
                part = self._features[chosen]
                g = (self._eta / len(chosen)) * (part.T @ (part @ self._v - self._y[chosen]))
                self._v -= g
                norms.append(float(np.linalg.norm(g)))
        return Chunk(np.array(norms), stopped="" if np.all(np.isfinite(norms)) else "large")
