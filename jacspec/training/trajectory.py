"""What a training leaves behind: `Trajectory`, a value that can be saved, loaded and repeated."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._checks import InputError, check_matrix, check_vector
from .._files import array_digest, atomic, npz_path
from ..network import ShallowNet
from ..rounding import Estimate

__all__ = ["Checkpoint", "Status", "Trajectory"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Algorithm = Literal["gd", "sgd"]
Layer = Literal["hidden", "output"]
#: "converged": the relative residual asked for was reached. "budget": all steps were made. "stopped": the caller's
#: `stop` said so. "diverged": the residual left every bound or is not a number. "interrupted": Ctrl-C.
Status = Literal["converged", "budget", "stopped", "diverged", "interrupted"]

#: Version of the file that `Trajectory.save` writes.
_FORMAT = "jacspec.trajectory/1"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after some steps, with the spectrum of the Jacobian there.

    Parameters
    ----------
    step : int
    residual_norm, distance : float
        ``||r_t||`` and ``||W_t - W_0||_F``.
    sigma_min, sigma_max : Estimate
        Smallest (over the n rows) and largest singular value of J(W_t).
    """

    step: int
    residual_norm: float
    distance: float
    sigma_min: Estimate
    sigma_max: Estimate


@dataclass(frozen=True, eq=False)
class Trajectory:
    r"""A run of GD or SGD: what was trained, how, and what happened.

    Parameters
    ----------
    start, end : ShallowNet
        Before and after. With ``trains = "hidden"`` they differ in W, with "output" in v.
    X : (n, d) float64
    y : (n,) float64
    algorithm : "gd" or "sgd"
    trains : "hidden" or "output"
    dtype : "float64" or "float32"
        Of the arithmetic of the steps.
    eta : float
        Step size: ``W - eta J^T r`` for GD, ``W - (eta/batch) sum_i r_i grad f_i`` for SGD.
    eta_rule : str
        Where eta comes from, in words.
    batch, seed : int
        Samples of an SGD step, and the seed that they are drawn by (with replacement).
    tolerance : float
        Relative residual at which it was to stop.
    steps : (m,) int64
        Steps after which the following three were recorded, increasing; the first is 0, the last the end of the run.
    residual_norms, distances, path_lengths : (m,) float64
        ``||r_t||``, ``||W_t - W_0||_F``, ``sum_{u<t} ||W_{u+1} - W_u||_F`` (v in place of W for the output layer).
        As computed: they carry no radius.
    checkpoints : tuple of Checkpoint
    status : Status
    reason : str
        The status as a sentence.
    notes : tuple of str
        What a person should know: a step size beyond a bound, and which.
    seconds : float
        Wall time of the steps.

    References
    ----------
    docs/theory.md sections 5 and 6.
    """

    start: ShallowNet
    end: ShallowNet
    X: Floats
    y: Floats
    algorithm: Algorithm
    trains: Layer
    dtype: Literal["float64", "float32"]
    eta: float
    eta_rule: str
    batch: int
    seed: int
    tolerance: float
    steps: Integers
    residual_norms: Floats
    distances: Floats
    path_lengths: Floats
    checkpoints: tuple[Checkpoint, ...] = ()
    status: Status = "budget"
    reason: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def step(self) -> int:
        """Steps made."""
        return int(self.steps[-1])

    @property
    def relative_residual(self) -> float:
        """``||r_T|| / ||r_0||`` at the end; 0 for a run that began at an interpolator."""
        first, last = float(self.residual_norms[0]), float(self.residual_norms[-1])
        return last / first if first > 0 else 0.0

    @property
    def measured_rate(self) -> float | None:
        """The q of ``||r_T|| = (1 - q)^T ||r_0||``: the mean contraction; None before the first step."""
        if self.step == 0 or self.relative_residual == 0:
            return None
        return -math.expm1(math.log(self.relative_residual) / self.step)

    @property
    def final_rate(self) -> float | None:
        """The same over the last tenth of the run (at least two records): the contraction at the end."""
        if len(self.steps) < 3:
            return None
        first = min(len(self.steps) - 2, int(np.searchsorted(self.steps, 0.9 * self.step)))
        count = int(self.steps[-1] - self.steps[first])
        ratio = float(self.residual_norms[-1] / self.residual_norms[first]) if self.residual_norms[first] > 0 else 0.0
        return -math.expm1(math.log(ratio) / count) if ratio > 0 and math.isfinite(ratio) else None

    def problem_sha256(self) -> str:
        """Hash of X, y and the weights at the start: what was trained."""
        digest = hashlib.sha256()
        for array in (self.X, self.y, self.start.W, self.start.v):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Everything but the arrays of the problem."""
        return {
            "n": int(self.X.shape[0]),
            "d": int(self.X.shape[1]),
            "k": self.start.k,
            "activation": self.start.activation.name,
            "sha256": self.problem_sha256(),
            "algorithm": self.algorithm,
            "trains": self.trains,
            "dtype": self.dtype,
            "eta": self.eta,
            "eta_rule": self.eta_rule,
            "batch": self.batch,
            "seed": self.seed,
            "tolerance": self.tolerance,
            "status": self.status,
            "reason": self.reason,
            "notes": list(self.notes),
            "steps": self.step,
            "relative_residual": number(self.relative_residual),
            "measured_rate": number(self.measured_rate),
            "final_rate": number(self.final_rate),
            "distance": number(float(self.distances[-1])),
            "path_length": number(float(self.path_lengths[-1])),
            "checkpoints": [
                {
                    "step": c.step,
                    "residual_norm": number(c.residual_norm),
                    "distance": number(c.distance),
                    "sigma_min": c.sigma_min.to_json(),
                    "sigma_max": c.sigma_max.to_json(),
                }
                for c in self.checkpoints
            ],
            "seconds": self.seconds,
        }

    # -- files ------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz that `Trajectory.load` reads; it appears whole or not at all.

        Raises
        ------
        InputError
            If the path does not end in .npz or cannot be written, or the activation is made of Python functions
            (a built-in one and ``expr:...`` are known by name).
        """
        from ..activations import activation

        path = npz_path(path)
        name = self.start.activation.name
        try:
            known = activation(name) == self.start.activation or name.startswith("expr:")
        except InputError:
            known = False
        if not known:
            raise InputError("path", repr(path), f"an activation known by name; {name!r} is made of Python functions")
        meta = {
            "format": _FORMAT,
            **{key: getattr(self, key) for key in _PLAIN},
            "activation": name,
            "notes": list(self.notes),
            "checkpoints": [
                [c.step, c.residual_norm, c.distance, *_flat(c.sigma_min), *_flat(c.sigma_max)]
                for c in self.checkpoints
            ],
        }
        arrays = {
            **{key: getattr(self, key) for key in _ARRAYS},
            "W0": self.start.W,
            "W": self.end.W,
            "v0": self.start.v,
            "v": self.end.v,
            "meta": np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8),
        }
        arrays["sha256"] = np.frombuffer(array_digest(arrays), dtype=np.uint8)
        with atomic(path, binary=True) as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trajectory:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is missing, not such a file, damaged, or of another version.
        """
        path = os.fspath(path)
        expected = "a file that `Trajectory.save` or `jacspec train --save` wrote"
        try:
            # Opened here: numpy leaves a file open that it cannot read.
            with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
        except FileNotFoundError:
            raise InputError("path", repr(path), "a file that exists") from None
        except Exception as error:  # numpy and zipfile raise a dozen kinds on damaged files
            raise InputError("path", repr(path), f"{expected} ({type(error).__name__}: it cannot be read)") from None
        wanted = {*_ARRAYS, "W0", "W", "v0", "v", "meta", "sha256"}
        if set(arrays) != wanted:
            raise InputError("path", repr(path), f"{expected} (it holds other arrays)")
        stored = arrays.pop("sha256").tobytes()
        if stored != array_digest(arrays):
            raise InputError("path", repr(path), f"{expected}, undamaged (its checksum does not fit)")
        meta = json.loads(arrays.pop("meta").tobytes())
        if meta.get("format") != _FORMAT:
            raise InputError("path", repr(path), f"a file of version {_FORMAT}; this one is {meta.get('format')!r}")
        start = ShallowNet(arrays["W0"], arrays["v0"], meta["activation"])
        end = ShallowNet(arrays["W"], arrays["v"], start.activation) if np.all(np.isfinite(arrays["W"])) else start
        return cls(
            start=start,
            end=end,
            X=_frozen(check_matrix("X", arrays["X"])),
            y=_frozen(check_vector("y", arrays["y"])),
            steps=_frozen(arrays["steps"]),
            residual_norms=_frozen(arrays["residual_norms"]),
            distances=_frozen(arrays["distances"]),
            path_lengths=_frozen(arrays["path_lengths"]),
            checkpoints=tuple(
                Checkpoint(int(c[0]), c[1], c[2], _estimate(c[3:7]), _estimate(c[7:11])) for c in meta["checkpoints"]
            ),
            notes=tuple(meta["notes"]),
            **{key: meta[key] for key in _PLAIN},
        )


_PLAIN = (
    *("algorithm", "trains", "dtype", "eta", "eta_rule", "batch", "seed", "tolerance"),
    *("status", "reason", "seconds"),
)
_ARRAYS = ("X", "y", "steps", "residual_norms", "distances", "path_lengths")


def _frozen(array: Any) -> Any:
    array = np.asarray(array)
    array.setflags(write=False)
    return array


def _flat(e: Estimate) -> list[Any]:
    return [e.value, e.radius, e.rigorous, e.note]


def _estimate(parts: list[Any]) -> Estimate:
    return Estimate(*parts)


def number(x: float | None) -> float | str | None:
    """As JSON has it: infinity spelled out, and "nan" for a run that diverged."""
    return x if x is None or math.isfinite(x) else str(x)
