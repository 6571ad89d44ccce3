"""The free arrays of an instance as one vector, and the way back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..instances import Instance

__all__ = ["FREE", "Coordinates"]

Floats = NDArray[np.float64]

#: Arrays that statements quantify over, by their letters; others stay as the spec builds them.
FREE = frozenset({"X", "W", "W2", "v", "A", "B", "C", "D", "FP", "FQ", "sigma", "curvature", "direction"})
#: Relative size of a step W' - W, in logarithm: from where its float64 noise (1e-11) is still harmless.
_STEPS = (math.log(1e-5), math.log(1e3))


class Coordinates:
    """The free arrays of an instance as one vector of numbers of order 1, and the way back.

    Arrays with unit rows keep them (the vector holds any multiple); W' is W + exp(s) U with s a coordinate of its own,
    so that tiny steps are as near as large ones; everything else is its entries over the largest.
    """

    def __init__(self, start: Instance) -> None:
        self.start = start
        self.names = [name for name in sorted(start.arrays) if name in FREE and start.arrays[name].size]
        self.step = "W2" in self.names and "W" in self.names and start["W"].shape == start["W2"].shape
        self.unit, self.scale = {}, {}
        # A word in a spec (rows=equal, kind=ones) tells of structure that moved arrays no longer have.
        self.spec = {key: x for key, x in start.spec.items() if key == "phi" or not isinstance(x, str)}
        pieces = []
        for name in self.names:
            A = start.arrays[name]
            if self.step and name == "W2":
                D = A - start["W"]
                size = float(np.linalg.norm(D)) or 1e-3
                pieces += [np.array([math.log(size)]), (D / size).ravel()]
                continue
            self.unit[name] = A.ndim == 2 and bool(np.all(np.abs(np.linalg.norm(A, axis=1) - 1) < 1e-12))
            self.scale[name] = float(np.max(np.abs(A))) or 1.0
            pieces.append((A / self.scale[name]).ravel())
        self.x0 = np.concatenate(pieces) if pieces else np.empty(0)

    def slices(self) -> Iterator[tuple[str, slice]]:
        """Where each array lies in the vector."""
        at = 0
        for name in self.names:
            size = self.start.arrays[name].size + (self.step and name == "W2")
            yield name, slice(at, at + size)
            at += size

    def bounds(self) -> list[tuple[float | None, float | None]]:
        """Limits for L-BFGS: of the logarithm of the step only."""
        limits: list[tuple[float | None, float | None]] = [(None, None)] * len(self.x0)
        for name, where in self.slices():
            if self.step and name == "W2":
                s = float(self.x0[where.start])
                limits[where.start] = (min(s, _STEPS[0]), max(s, _STEPS[1]))
        return limits

    def instance(self, x: Floats) -> Instance:
        """The instance at x; its cache starts empty."""
        arrays = dict(self.start.arrays)
        for name, where in self.slices():
            part, shape = x[where], self.start.arrays[name].shape
            if self.step and name == "W2":
                arrays["W2"] = arrays["W"] + math.exp(min(float(part[0]), 700.0)) * part[1:].reshape(shape)
            elif self.unit[name]:
                A = part.reshape(shape)
                lengths = np.linalg.norm(A, axis=1)[:, None]
                # A second division: rows that are as unit as float64 allows.
                A = A / np.where(lengths > 0, lengths, 1.0)
                arrays[name] = A / np.linalg.norm(A, axis=1)[:, None]
            else:
                arrays[name] = self.scale[name] * part.reshape(shape)
        return replace(self.start, spec=self.spec, arrays=arrays, cache={})

    def pull(self, x: Floats, G: Mapping[str, Floats]) -> Floats:
        """Gradient by x from gradients by the arrays."""
        out = np.zeros_like(x)
        for name, where in self.slices():
            part, g, shape = x[where], G[name], self.start.arrays[name].shape
            if self.step and name == "W2":
                size = math.exp(min(float(part[0]), 700.0))
                out[where] = np.concatenate([[size * float(part[1:] @ g.ravel())], size * g.ravel()])
            elif self.unit[name]:
                A = part.reshape(shape)
                lengths = np.linalg.norm(A, axis=1)[:, None]
                U = A / np.where(lengths > 0, lengths, 1.0)
                out[where] = ((g - np.sum(g * U, axis=1)[:, None] * U) / np.where(lengths > 0, lengths, 1.0)).ravel()
            else:
                total = g + (G["W2"] if self.step and name == "W" else 0.0)
                out[where] = self.scale[name] * total.ravel()
        return out

    def perturbed(self, size: float, rng: np.random.Generator) -> Floats:
        """x0 with Gaussian noise of a relative size."""
        return np.asarray(self.x0 + size * rng.standard_normal(len(self.x0)))
