"""`train`: the driver. Steps are made in chunks by an engine; between chunks it records, looks and listens."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import InputError, check_choice, check_int, check_matrix, check_real, check_seed, check_vector
from .._jit import serial_blas
from ..network import ShallowNet
from ..rounding import Estimate
from ..spectrum import singular_extremes
from .checkpoints import jacobian_extremes
from .engine import Chunk, Engine, Problem
from .interrupts import Interrupts
from .step_sizes import Smoothness, automatic, excess
from .trajectory import Algorithm, Checkpoint, Layer, Status, Trajectory

__all__ = ["DIVERGED", "State", "labels_norm", "train"]

Floats = NDArray[np.float64]

#: Seconds of work between two looks at the clock, the keyboard and the callbacks.
_CHUNK_SECONDS = 0.1
#: A run has diverged when its residual exceeds this multiple of the larger of ||r_0|| and ||y||.
DIVERGED = 1e8
#: Purpose that keys SGD's choice of samples, apart from the seeds of initialisation.
_SAMPLING = 1


@dataclass(frozen=True)
class State:
    """Where a run stands, for `progress` and `stop`.

    Parameters
    ----------
    step, steps : int
        Steps made, and the budget.
    residual_norm, initial_residual_norm : float
        The last one known, and that of the start.
    checkpoint : Checkpoint or None
        The last one.
    net : callable
        Returns the `ShallowNet` as it is now (a copy; it costs k d numbers).
    """

    step: int
    steps: int
    residual_norm: float
    initial_residual_norm: float
    checkpoint: Checkpoint | None
    net: Callable[[], ShallowNet]


def train(
    net: ShallowNet,
    X: ArrayLike,
    y: ArrayLike,
    *,
    algorithm: Algorithm = "gd",
    trains: Layer = "hidden",
    eta: float | Literal["auto"] = "auto",
    eta_bar: float = 1.0,
    steps: int = 1000,
    tolerance: float = 0.0,
    batch: int = 1,
    seed: int = 0,
    every: int | None = None,
    checkpoints: Iterable[int] = (),
    dtype: Literal["float64", "float32"] = "float64",
    stop: Callable[[State], bool] | None = None,
    progress: Callable[[State], None] | None = None,
) -> Trajectory:
    r"""Train one layer by gradient descent or SGD on the quadratic loss ``1/2 ||f - y||^2``.

    .. math::

        W_{t+1} = W_t - \eta J_t^\top r_t, \qquad
        W_{t+1} = W_t - \frac{\eta}{|B|} \sum_{i \in B} r_i \nabla f_i

    The second is SGD, B drawn uniformly with replacement; ``batch=1`` is the one of the theory.

    Parameters
    ----------
    net : ShallowNet
        Where to start. It is not changed.
    X : (n, d) float64
    y : (n,) float64
    algorithm : "gd" or "sgd"
    trains : "hidden" (W, v fixed) or "output" (v, W fixed: random features)
    eta : float or "auto"
        "auto": for GD ``eta_bar / (2 beta^2)`` with ``beta = B1 ||v|| ||X||`` (``||Phi||`` for the output layer), which
        is the theorems' for balanced v; for SGD ``eta_bar`` times the cap of `sgd-convergence` with
        ``alpha = sigma_min(J(W_0))/2``.
    eta_bar : float in (0, 1]
        Share of the automatic step size.
    steps : int
        Budget; 0 only evaluates.
    tolerance : float in [0, 1)
        Stop when ``||r_t|| <= tolerance ||r_0||``. SGD looks at records only.
    batch : int
        Samples of a step of SGD.
    seed : int
        Of SGD's samples.
    every : int, optional
        Record after every so many steps, and at the end. GD records every step by default, SGD one pass over the data.
    checkpoints : iterable of int
        Steps after which the extreme singular values of the Jacobian are computed, and then at the end as well; each
        costs an n x n eigenproblem.
    dtype : "float64" or "float32"
        Arithmetic of the steps (built-in activations, hidden layer).
    stop : callable, optional
        Called with the `State` at every checkpoint; the run ends when it returns True.
    progress : callable, optional
        Called with the `State` about ten times a second, and at the end.

    Returns
    -------
    Trajectory
        Ctrl-C gives what there is, with status "interrupted". The same arguments give the same bits, whatever the
        number of threads.

    Raises
    ------
    InputError
        For a bad argument, or ``eta="auto"`` where no theorem gives a step size.
    CapacityError
        If the workspace does not fit.

    References
    ----------
    docs/theory.md sections 5 and 6; Oymak & Soltanolkotabi, arXiv 1902.04674.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.eye(4), np.array([1.0, -1.0, 1.0, 1.0])
    >>> net = ShallowNet.initialize(50, 4, "softplus", y=y, seed=0)
    >>> run = train(net, X, y, steps=400, tolerance=1e-2)
    >>> run.status, run.relative_residual <= 1e-2, bool(np.all(np.diff(run.residual_norms) < 0))
    ('converged', True, True)
    """
    if not isinstance(net, ShallowNet):
        raise InputError("net", net, "a ShallowNet")
    X = check_matrix("X", X, columns=net.d)
    y = check_vector("y", y, length=X.shape[0])
    top = float(np.max(np.abs(y)))
    if top and not _SMALLEST_LABELS <= top <= 1 / _SMALLEST_LABELS:
        span = f"{_SMALLEST_LABELS:g} and {1 / _SMALLEST_LABELS:g}"
        raise InputError("y", f"labels of size {top:.3g}", f"a largest label between {span}; rescale y")
    check_choice("algorithm", algorithm, ("gd", "sgd"))
    check_choice("trains", trains, ("hidden", "output"))
    check_choice("dtype", dtype, ("float64", "float32"))
    eta_bar = check_real("eta_bar", eta_bar, above=0, at_most=1)
    steps = check_int("steps", steps, minimum=0, maximum=10**15)
    tolerance = check_real("tolerance", tolerance, at_least=0, below=1)
    batch = check_int("batch", batch, minimum=1, maximum=10**9)
    seed = check_seed("seed", seed)
    if algorithm == "gd" and batch != 1:
        raise InputError("batch", batch, "1 with algorithm 'gd', which takes all rows at every step")
    default = 1 if algorithm == "gd" else max(1, X.shape[0] // batch)
    every = default if every is None else check_int("every", every, minimum=1)
    marks = sorted({check_int("checkpoints", c, minimum=0) for c in checkpoints})
    if dtype == "float32" and trains == "output":
        raise InputError("dtype", repr(dtype), "'float64' for the output layer")

    features = net.features(X) if trains == "output" else None
    with serial_blas:  # idle threads of BLAS spin for a while, and the first steps would have to share with them
        smoothness = Smoothness.of_hidden(net, X) if features is None else Smoothness.of_output(features)
    if isinstance(eta, str):
        check_choice("eta", eta, ("auto",))
        size, rule = automatic(algorithm, smoothness, eta_bar, net, X, features)
        notes: tuple[str, ...] = ()
    else:
        size, rule = check_real("eta", eta, above=0), "given"
        beyond = excess(algorithm, smoothness, size)
        notes = () if beyond is None else (beyond,)

    rows = _Sampler(X.shape[0], batch, seed)
    engine = _engine(net, X, y, size, algorithm, dtype, features, rows, batch)
    record = _Record(every, marks)
    with Interrupts() as interrupts:
        run = _Run(
            engine, record, steps, tolerance, labels_norm(y), lambda at: _spectrum(at, X, trains), stop, progress
        )
        status, reason = run.go(interrupts)
    end = engine.net() if engine.finite() else net
    if end is net and status == "diverged":
        notes += ("the weights at the end are not finite; `end` is the start",)
    t, residuals, distances, paths = record.columns()
    return Trajectory(
        start=net,
        end=end,
        X=X,
        y=y,
        algorithm=algorithm,
        trains=trains,
        dtype=dtype,
        eta=size,
        eta_rule=rule,
        batch=batch,
        seed=seed,
        tolerance=tolerance,
        steps=t,
        residual_norms=residuals,
        distances=distances,
        path_lengths=paths,
        checkpoints=tuple(run.checkpoints),
        status=status,
        reason=reason,
        notes=notes,
        seconds=run.seconds,
    )


#: Squares of labels, in residuals, path lengths and step sizes, must neither over- nor underflow.
_SMALLEST_LABELS = 1e-150


def labels_norm(y: Floats) -> float:
    """An upper bound of ||y|| that does not overflow: what residuals are compared with to call a run diverged."""
    return float(np.max(np.abs(y))) * math.sqrt(len(y))


def _engine(
    net: ShallowNet, X: Floats, y: Floats, eta: float, algorithm: str, dtype: str, features: Floats | None, rows: Any,
    batch: int,
) -> Engine:  # fmt: skip
    if features is not None:
        from .output_layer import OutputDescent, OutputSampling

        if algorithm == "gd":
            return OutputDescent(net, features, y, eta)
        return OutputSampling(net, features, y, eta, rows)
    problem = Problem.scaled(net, X, y, eta)
    if not math.isfinite(problem.eta):
        raise InputError("eta", eta, "a step size that float64 can hold together with y and v; rescale them")
    from ..elementwise import kernel_address

    if kernel_address(net.activation, dtype) is None:
        from .plain import PlainDescent, PlainSampling

        if dtype != "float64":
            raise InputError("dtype", repr(dtype), f"'float64' for {net.activation.name}, which has no compiled kernel")
        return PlainDescent(problem) if algorithm == "gd" else PlainSampling(problem, rows)
    from .fused import FusedDescent, FusedSampling

    return FusedDescent(problem, dtype) if algorithm == "gd" else FusedSampling(problem, dtype, rows, batch)


def _spectrum(net: ShallowNet, X: Floats, trains: Layer) -> tuple[Estimate, Estimate]:
    """Extreme singular values of the Jacobian in what is trained."""
    return jacobian_extremes(net, X) if trains == "hidden" else singular_extremes(net.features(X))


class _Sampler:
    """SGD's rows, the same however many are asked for at a time."""

    def __init__(self, n: int, batch: int, seed: int) -> None:
        self._n, self._batch = n, batch
        self._generator = np.random.default_rng(np.random.SeedSequence([seed, _SAMPLING]))

    def __call__(self, count: int) -> NDArray[np.int64]:
        return self._generator.integers(self._n, size=(count, self._batch), dtype=np.int64)


class _Record:
    """What is recorded, and when."""

    def __init__(self, every: int, marks: list[int]) -> None:
        self.every, self.marks = every, marks
        self.path, self.distance = 0.0, 0.0
        self._rows: list[Floats] = []

    def next_end(self, step: int, steps: int, records_steps: bool) -> int:
        """The step at which a chunk from `step` must end: the next checkpoint, the next record (SGD) or the budget."""
        ends = [*[m for m in self.marks if m > step][:1], steps]
        if not records_steps:
            ends.append(step + self.every - step % self.every)
        return min(ends)

    def add(self, step: int, residual: float, distance: float) -> None:
        """One state, unless it is there already."""
        if not self._rows or self._rows[-1][-1, 0] != step:
            self._rows.append(np.array([[step, residual, distance, self.path]]))

    def extend(self, first: int, chunk: Chunk) -> None:
        """The states before each step of a chunk that began at step `first`, where their residuals are known."""
        # Left to right from the path so far: the sum does not depend on how steps fall into chunks.
        paths = np.add.accumulate(np.concatenate([[self.path], chunk.step_norms]))
        if chunk.residual_norms is not None and chunk.distances is not None:
            t = np.arange(first, first + len(chunk.step_norms))
            distances = np.concatenate([[self.distance], chunk.distances])
            rows = np.column_stack([t, chunk.residual_norms, distances[:-1], paths[:-1]])
            if np.any(due := t % self.every == 0):
                self._rows.append(rows[due])
            self.distance = float(distances[-1])
        self.path = float(paths[-1])

    def columns(self) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
        """Steps, residual norms, distances, path lengths; read-only."""
        table = np.concatenate(self._rows)
        out = [table[:, 0].astype(np.int64), *(np.ascontiguousarray(table[:, i]) for i in (1, 2, 3))]
        for column in out:
            column.setflags(write=False)
        return tuple(out)  # type: ignore[return-value]


class _Run:
    """One run through an engine."""

    def __init__(
        self,
        engine: Engine,
        record: _Record,
        steps: int,
        tolerance: float,
        y_norm: float,
        spectrum: Callable[[ShallowNet], tuple[Estimate, Estimate]],
        stop: Callable[[State], bool] | None,
        progress: Callable[[State], None] | None,
    ) -> None:
        self.engine, self.record, self.steps, self.tolerance = engine, record, steps, tolerance
        self.spectrum, self.stop, self.progress = spectrum, stop, progress
        self._y_norm = y_norm
        self.norm = self.initial = math.nan
        self.small, self.large = -1.0, math.inf
        self.checkpoints: list[Checkpoint] = []
        self.seconds, self.step = 0.0, 0

    def go(self, interrupts: Interrupts) -> tuple[Status, str]:
        """Run; the status and its sentence."""
        # A step of GD computes the residual before it, so the first one also tells ||r_0||.
        first = self.steps > 0 and self.engine.records_steps and 0 not in self.record.marks and not interrupts.seen
        if first:
            self.engine.limits(0.0, sys.float_info.max)
            first = not self._advance(1).stopped
        self.initial = self.norm if first else self.engine.residual_norm()
        if not math.isfinite(self.initial):
            self.record.add(0, self.initial, 0.0)
            return "diverged", "f(X) is not finite at the start"
        if self.initial == 0:
            self.record.add(0, 0.0, 0.0)
            return "converged", "the start fits the labels exactly: ||r_0|| = 0"
        self.norm = self.initial
        self.small, self.large = self.tolerance * self.initial, DIVERGED * max(self.initial, self._y_norm)
        self.engine.limits(self.small if self.tolerance > 0 else -1.0, self.large)
        if not self.engine.records_steps:
            self.record.add(0, self.initial, 0.0)
        status, reason = self._looked_at() or self._loop(interrupts)
        if self.engine.finite():
            self.norm = self.engine.residual_norm()
        else:
            self.norm = math.nan
        self.record.add(self.step, self.norm, self.engine.distance())
        if (
            self.record.marks
            and self.engine.finite()
            and (not self.checkpoints or self.checkpoints[-1].step < self.step)
        ):
            self._checkpoint()
        self._report()
        if status == "budget":
            return self._judged() or (status, reason)
        return status, reason

    def _loop(self, interrupts: Interrupts) -> tuple[Status, str]:
        size = 1
        while self.step < self.steps:
            if interrupts.seen:
                return "interrupted", f"interrupted after {self.step} steps"
            # Chunks only decide when one looks up: no bit of the run depends on them.
            size = max(1, min(1 << 20, 32 * size, int(self.step * _CHUNK_SECONDS / max(self.seconds, 1e-7))))
            count = min(size, self.record.next_end(self.step, self.steps, self.engine.records_steps) - self.step)
            chunk = self._advance(count)
            if chunk.stopped:
                return self._limit(chunk.stopped)
            ended = self._recorded() or self._looked_at()
            if ended:
                return ended
            self._report()
        return "budget", f"all {self.step} steps were made"

    def _advance(self, count: int) -> Chunk:
        """Up to `count` steps, recorded and timed."""
        began = time.perf_counter()
        chunk = self.engine.advance(count)
        self.seconds += time.perf_counter() - began
        self.record.extend(self.step, chunk)
        self.step += len(chunk.step_norms)
        if chunk.residual_norms is not None and len(chunk.residual_norms):
            self.norm = float(chunk.residual_norms[-1])
        return chunk

    def _limit(self, which: str) -> tuple[Status, str]:
        if which == "small":
            return "converged", f"relative residual {self.tolerance:g} reached at step {self.step}"
        return "diverged", f"the residual left every bound at step {self.step}"

    def _judged(self) -> tuple[Status, str] | None:
        if not self.norm <= self.large:
            return self._limit("large")
        return self._limit("small") if self.tolerance > 0 and self.norm <= self.small else None

    def _recorded(self) -> tuple[Status, str] | None:
        """A record of SGD, whose steps know no residual."""
        if self.engine.records_steps or self.step % self.record.every:
            return None
        self.norm = self.engine.residual_norm()
        self.record.add(self.step, self.norm, self.engine.distance())
        return self._judged()

    def _looked_at(self) -> tuple[Status, str] | None:
        """A checkpoint, and what the caller says to it."""
        if self.step not in self.record.marks:
            return None
        self.norm = self.engine.residual_norm()
        self._checkpoint()
        if self.stop is not None and self.stop(self._state()):
            return "stopped", f"stopped by the caller's condition at step {self.step}"
        return None

    def _checkpoint(self) -> None:
        low, top = self.spectrum(self.engine.net())
        self.checkpoints.append(Checkpoint(self.step, self.norm, self.engine.distance(), low, top))

    def _state(self) -> State:
        last = self.checkpoints[-1] if self.checkpoints else None
        return State(self.step, self.steps, self.norm, self.initial, last, self.engine.net)

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(self._state())
