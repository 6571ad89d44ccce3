"""`train_many`: many small trainings at once by full-batch gradient descent, one in each lane of a vector."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import InputError, check_choice, check_int, check_matrix, check_real, check_vector
from .._jit import run_tasks, threads
from .._native import aligned
from ..elementwise import kernel_address
from ..network import ShallowNet
from ._lanes import LANES, ROWS, UNITS, lanes
from .driver import DIVERGED, labels_norm
from .engine import Problem
from .interrupts import Interrupts
from .step_sizes import Smoothness, automatic
from .trajectory import Status

__all__ = ["Batch", "train_many"]

Floats = NDArray[np.float64]

#: Entries of pre-activations that a group works on at a time, over its lanes: 64 KiB, half of a first-level cache
#: with phi' beside it in the second.
_BLOCK = 1 << 13
_TINY = float(np.finfo(float).tiny)
#: Statuses by the number with which the kernel ends a lane; 2 is its budget, the caller's or an interrupt's.
_STATUS: dict[int, Status] = {0: "converged", -1: "diverged"}
#: Seconds of work between two looks at the keyboard and the callback.
_CHUNK_SECONDS = 0.1


@dataclass(frozen=True, eq=False)
class Batch:
    """Many runs, in the order of their problems.

    Parameters
    ----------
    nets : tuple of ShallowNet
        At the end of each run (at its start where the weights are not finite).
    eta : (m,) float64
    steps : (m,) int64
        Steps made.
    statuses : tuple of str
        "converged", "budget", "diverged" or "interrupted", as in `Trajectory`.
    initial_residual_norms, residual_norms : (m,) float64
        At the start and at the end.
    records : (q,) int64
    curves : (m, q) float64
        Residual norms after `records` steps; a run that has ended stays where it ended.
    seconds : float
        Wall time.
    """

    nets: tuple[ShallowNet, ...]
    eta: Floats
    steps: NDArray[np.int64]
    statuses: tuple[Status, ...]
    initial_residual_norms: Floats
    residual_norms: Floats
    records: NDArray[np.int64]
    curves: Floats
    seconds: float = field(default=0.0, compare=False)

    @property
    def relative_residuals(self) -> Floats:
        """``||r_T|| / ||r_0||`` of each run; 0 where r_0 = 0."""
        safe = np.where(self.initial_residual_norms > 0, self.initial_residual_norms, 1.0)
        return np.asarray(np.where(self.initial_residual_norms > 0, self.residual_norms / safe, 0.0))


@dataclass(frozen=True, eq=False)
class _Run:
    """What became of one problem, in its own units; squares of residual norms."""

    W: Floats
    steps: int
    ending: int
    first: float
    last: float
    curve: Floats


class _Queue:
    """Problems of one activation, n and d that wait for a lane, the narrowest first.

    Narrow networks take the most steps, as a rule, and what starts last should end soon after: lanes without a problem
    cost as much as others.
    """

    def __init__(self, members: Sequence[int], problems: Sequence[Problem], norms: Floats) -> None:
        self.problems, self.norms = problems, norms
        self._waiting = deque(sorted(members, key=lambda i: (problems[i].net.k, i)))
        self.first, self.widest = problems[members[0]], problems[self._waiting[-1]].net.k
        self.cost = self.first.X.size * sum(problems[i].net.k for i in members)

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> int | None:
        """The next one. Groups on several threads share a queue; who gets which problem changes no bit of it."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None


class _Group:
    """`LANES` trainings at a time; a lane whose run has ended gets the next problem of the queue."""

    def __init__(self, queue: _Queue, tolerance: float, budget: int, every: int, found: dict[int, _Run]) -> None:
        self.queue, self.budget, self.every, self.found = queue, budget, every, found
        n, d = queue.first.X.shape
        k = queue.widest + -queue.widest % UNITS
        padded = n + -n % ROWS
        self.rows = n
        self.X, self.y = aligned((padded, d, LANES)), aligned((padded, LANES))
        self.W, self.v, self.eta = aligned((k, d, LANES)), aligned((k, LANES)), np.zeros(LANES)
        # where the square underflows, zero is still close enough
        self.rule = np.array([max(tolerance**2, _TINY) if tolerance > 0 else 0.0, DIVERGED**2])
        self.active, self.limit, self.done = (np.zeros(LANES, dtype=np.int64) for _ in range(3))
        self.floor, self.first, self.last = (np.zeros(LANES) for _ in range(3))
        self.members: list[int | None] = [None] * LANES
        self.curves: list[list[Floats]] = [[] for _ in range(LANES)]
        address = kernel_address(queue.first.net.activation, "float64")
        assert address is not None
        self.pair, self.parameter = address
        block = min(padded, max(ROWS, _BLOCK // (k * LANES) // ROWS * ROWS))
        shape = (k, block, LANES)
        self.work = (aligned(shape), aligned(shape), aligned((k, d, LANES)), aligned((padded, LANES)))
        self._fill()

    @property
    def moving(self) -> int:
        """Lanes whose runs have not ended."""
        return int(np.sum(self.active == 1))

    @property
    def longest(self) -> int:
        """The most steps of a run that has not ended."""
        return int(np.max(self.done, where=self.active == 1, initial=0))

    def advance(self, steps: int) -> None:
        """So many steps in all lanes that move."""
        while steps > 0 and self.moving:
            steps -= self._run(steps)
            self._collect()
            self._fill()

    def finish(self) -> None:
        """End all runs where they stand, and those that wait before their first step."""
        self.budget = 0
        self.limit[:] = self.done
        while self.moving:
            self._run(1)
            self._collect()
            self._fill()

    def _run(self, steps: int) -> int:
        """The kernel, on no more units than the problems at hand have."""
        width = max((self.queue.problems[i].net.k for i in self.members if i is not None), default=UNITS)
        width += -width % UNITS
        steps = min(steps, int(np.max(self.limit - self.done, where=self.active == 1, initial=0)) + 1)
        before, moved = self.done.copy(), self.active == 1
        out = np.empty((steps, LANES))
        state = (self.active, self.limit, self.done, self.floor, self.first, self.last)
        made = lanes()(
            *(self.pair, self.parameter, self.X, self.y, self.W[:width], self.v[:width], self.eta, self.rows),
            *(self.rule, state, steps, len(self.queue) > 0, self.work, out),
        )
        for q in np.flatnonzero(moved):
            seen = self.done[q] - before[q] + (self.active[q] != 1)
            self.curves[q].append(out[-before[q] % self.every : seen : self.every, q].copy())
        return int(made)

    def _collect(self) -> None:
        """Put away the runs that have ended."""
        for q, i in enumerate(self.members):
            if i is not None and self.active[q] != 1:
                W = self.W[: self.queue.problems[i].net.k, :, q].copy()
                ended = int(self.done[q]), int(self.active[q]), float(self.first[q]), float(self.last[q])
                self.found[i] = _Run(W, *ended, np.concatenate(self.curves[q]))
                self.members[q] = None

    def _fill(self) -> None:
        """Give free lanes what waits."""
        for q in range(LANES):
            if self.members[q] is None and (i := self.queue.take()) is not None:
                p = self.queue.problems[i]
                k, n = p.net.k, self.rows
                self.X[:n, :, q], self.y[:n, q], self.eta[q] = p.X, p.y, p.eta
                self.W[:k, :, q], self.v[:k, q] = p.net.W, p.v
                self.W[k:, :, q], self.v[k:, q] = 0.0, 0.0
                self.active[q], self.limit[q], self.done[q] = 1, self.budget, 0
                self.floor[q] = (self.queue.norms[i] * math.ldexp(1.0, -p.exponent)) ** 2
                self.members[q], self.curves[q] = i, []


def train_many(
    nets: Sequence[ShallowNet],
    Xs: Sequence[ArrayLike],
    ys: Sequence[ArrayLike],
    *,
    eta: float | Sequence[float] | Literal["auto"] = "auto",
    eta_bar: float = 1.0,
    steps: int = 1000,
    tolerance: float = 0.0,
    every: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Batch:
    r"""Train the hidden layer of many small networks by gradient descent, each on its own data.

    Problems of one activation and one shape (n, d) run eight at a time, the narrowest first; where a run ends, the
    next problem takes its place. A narrower network is padded with units of output weight zero, which changes none of
    its bits. So a problem's result does not depend on its company. It differs from `train`'s in the last digits: sums
    are taken in another order.

    Parameters
    ----------
    nets : sequence of ShallowNet
        With built-in activations.
    Xs : sequence of (n, d) float64
    ys : sequence of (n,) float64
    eta : float, sequence of float, or "auto"
        Step sizes; "auto" is ``eta_bar / (2 beta^2)`` for each, as in `train`.
    eta_bar : float in (0, 1]
    steps : int
        Budget of each.
    tolerance : float in [0, 1)
        A run stops when ``||r_t|| <= tolerance ||r_0||``.
    every : int, optional
        Residuals are recorded after every so many steps; about 100 times by default.
    progress : callable, optional
        ``progress(step, moving)``, about ten times a second: the most steps of a run that has not ended, and how many
        have not ended, those that wait for their turn among them.

    Returns
    -------
    Batch
        The same bits whatever the number of threads. Ctrl-C gives what there is.

    Raises
    ------
    InputError
        If the sequences differ in length or are empty, an entry is bad, or an activation has no compiled kernel.

    References
    ----------
    docs/theory.md section 5; the phase transition of section 6 is made of such trainings.

    Examples
    --------
    >>> import numpy as np
    >>> Xs = [np.eye(4)] * 3
    >>> ys = [np.array([1.0, -1.0, 1.0, s]) for s in (1.0, 0.5, -1.0)]
    >>> nets = [ShallowNet.initialize(6, 4, "tanh", y=y, seed=i) for i, y in enumerate(ys)]
    >>> batch = train_many(nets, Xs, ys, steps=3000, tolerance=1e-3)
    >>> batch.statuses
    ('converged', 'converged', 'converged')
    """
    if not len(nets) == len(Xs) == len(ys) or not len(nets):
        sizes = f"{len(nets)} nets, {len(Xs)} matrices and {len(ys)} label vectors"
        raise InputError("nets", sizes, "as many of each, at least one")
    eta_bar = check_real("eta_bar", eta_bar, above=0, at_most=1)
    steps = check_int("steps", steps, minimum=1, maximum=10**15)
    tolerance = check_real("tolerance", tolerance, at_least=0, below=1)
    every = max(1, steps // 100) if every is None else check_int("every", every, minimum=1)
    problems = _problems(nets, Xs, ys, eta, eta_bar)
    norms = np.array([labels_norm(np.ldexp(p.y, p.exponent)) for p in problems])

    began = time.perf_counter()
    found: dict[int, _Run] = {}
    groups = _groups(problems, norms, tolerance, steps, every, found)
    size, interrupted = 1, False
    with Interrupts() as interrupts:
        while not interrupted and any(group.moving for group in groups):
            since = time.perf_counter()
            run_tasks([partial(group.advance, size) for group in groups])
            taken = time.perf_counter() - since
            size = max(1, min(1 << 20, 2 * size, int(size * _CHUNK_SECONDS / max(taken, 1e-7))))
            if progress is not None:
                progress(max(group.longest for group in groups), len(problems) - len(found))
            interrupted = interrupts.seen
    run_tasks([group.finish for group in groups])
    return _collect(found, problems, every, steps, time.perf_counter() - began)


def _problems(nets: Any, Xs: Any, ys: Any, eta: Any, eta_bar: float) -> list[Problem]:
    if isinstance(eta, str):
        check_choice("eta", eta, ("auto",))
        sizes: list[float | None] = [None] * len(nets)
    elif np.ndim(eta) == 0:
        sizes = [check_real("eta", eta, above=0)] * len(nets)
    else:
        sizes = [check_real(f"eta[{i}]", e, above=0) for i, e in enumerate(eta)]
        if len(sizes) != len(nets):
            raise InputError("eta", f"{len(sizes)} step sizes", f"one, or one for each of the {len(nets)} networks")
    out = []
    for i, (net, X, y, size) in enumerate(zip(nets, Xs, ys, sizes, strict=True)):
        if not isinstance(net, ShallowNet):
            raise InputError(f"nets[{i}]", net, "a ShallowNet")
        X = check_matrix(f"Xs[{i}]", X, columns=net.d)
        y = check_vector(f"ys[{i}]", y, length=len(X))
        if kernel_address(net.activation, "float64") is None:
            raise InputError(f"nets[{i}]", net.activation.name, "a built-in activation; `train` takes any")
        if size is None:
            size, _ = automatic("gd", Smoothness.of_hidden(net, X), eta_bar, net, X, None)
        problem = Problem.scaled(net, X, y, size)
        if not math.isfinite(problem.eta):
            raise InputError("eta", size, "a step size that float64 can hold together with y and v; rescale them")
        out.append(problem)
    return out


def _groups(
    problems: list[Problem], norms: Floats, tolerance: float, budget: int, every: int, found: dict[int, _Run]
) -> list[_Group]:
    """Groups of one activation and shape, for each of them as many as processors can use; the dearest first."""
    kinds: dict[Any, list[int]] = {}
    for i, p in enumerate(problems):
        kinds.setdefault((p.net.activation, p.X.shape), []).append(i)
    queues = [_Queue(members, problems, norms) for members in kinds.values()]
    queues.sort(key=lambda queue: -queue.cost)
    groups = []
    for queue in queues:
        for _ in range(min(threads(), -(-len(queue) // LANES))):
            groups.append(_Group(queue, tolerance, budget, every, found))
    return groups


def _collect(found: dict[int, _Run], problems: list[Problem], every: int, budget: int, seconds: float) -> Batch:
    m = len(problems)
    runs = [found[i] for i in range(m)]
    steps = np.array([run.steps for run in runs])
    records = np.arange(0, max(1, int(steps.max())), every)
    initial, final, curves = np.zeros(m), np.zeros(m), np.zeros((m, len(records)))
    nets, statuses = [], []
    for i, (p, run) in enumerate(zip(problems, runs, strict=True)):
        nets.append(ShallowNet(run.W, p.net.v, p.net.activation) if np.all(np.isfinite(run.W)) else p.net)
        statuses.append(_STATUS.get(run.ending, "budget" if run.steps == budget else "interrupted"))
        curves[i] = run.last
        kept = run.curve[: len(records)]
        curves[i, : len(kept)] = kept
        with np.errstate(invalid="ignore"):
            initial[i], final[i], curves[i] = (p.unscale(np.sqrt(x)) for x in (run.first, run.last, curves[i]))
    eta = np.array([_unscaled(p) for p in problems])
    for array in (eta, steps, initial, final, records, curves):
        array.setflags(write=False)
    return Batch(tuple(nets), eta, steps, tuple(statuses), initial, final, records, curves, seconds)


def _unscaled(p: Problem) -> float:
    return math.ldexp(p.eta, -2 * p.exponent)
