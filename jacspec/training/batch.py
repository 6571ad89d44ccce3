"""`train_many`: many small trainings at once by full-batch gradient descent, one in each lane of a vector."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import InputError, check_choice, check_int, check_matrix, check_real, check_vector
from .._jit import run_tasks
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


class _Group:
    """Up to `LANES` problems of one activation, n and d."""

    def __init__(self, members: Sequence[int], problems: Sequence[Problem], tolerance: float, norms: Floats) -> None:
        self.members, self.problems = members, problems
        first = problems[0]
        n, d = first.X.shape
        k = max(p.net.k for p in problems)
        k += -k % UNITS
        padded = n + -n % ROWS
        self.rows = n
        self.X, self.y = aligned((padded, d, LANES)), aligned((padded, LANES))
        self.W, self.v, self.eta = aligned((k, d, LANES)), aligned((k, LANES)), np.zeros(LANES)
        self.limits = np.full((2, LANES), np.inf)
        self.active = np.zeros(LANES, dtype=np.int64)
        self.done = np.zeros(LANES, dtype=np.int64)
        for q, p in enumerate(problems):
            self.X[:n, :, q], self.y[:n, q] = p.X, p.y
            self.W[: p.net.k, :, q], self.v[: p.net.k, q], self.eta[q] = p.net.W, p.v, p.eta
            self.active[q] = 1
        found = kernel_address(first.net.activation, "float64")
        assert found is not None
        self.pair, self.parameter = found
        block = max(ROWS, _BLOCK // (k * LANES) // ROWS * ROWS)
        block = min(padded, block)
        shape = (k, block, LANES)
        self.work = (aligned(shape), aligned(shape), aligned((k, d, LANES)), aligned((padded, LANES)))
        self.squares = np.zeros(LANES)
        self.curves: list[Floats] = []
        self._start(tolerance, norms)

    def _start(self, tolerance: float, norms: Floats) -> None:
        """``||r_0||`` and what follows from it."""
        self.limits[0] = np.inf  # every lane stands still, and the kernel returns after looking at the residuals
        out = self._run(1)
        self.squares = out[0].copy()
        scale = np.array([math.ldexp(1.0, -p.exponent) for p in self.problems])
        own = self.squares[: len(self.problems)]
        self.limits[0] = -1.0
        if tolerance > 0:
            self.limits[0, : len(own)] = tolerance**2 * own
        self.limits[0, : len(own)] = np.where(own == 0, 0.0, self.limits[0, : len(own)])
        self.limits[1, : len(own)] = DIVERGED**2 * np.maximum(own, (norms[list(self.members)] * scale) ** 2)
        self.active[: len(own)] = 1
        self.initial = np.sqrt(own)

    def _run(self, steps: int) -> Floats:
        out = np.zeros((steps, LANES))
        lanes()(
            *(self.pair, self.parameter, self.X, self.y, self.W, self.v, self.eta, self.rows, self.limits),
            *(self.active, steps, self.done, self.work, out),
        )
        return out

    @property
    def moving(self) -> bool:
        """Whether a lane has not ended."""
        return bool(np.any(self.active == 1))

    def advance(self, first: int, steps: int, every: int) -> None:
        """Some steps from step `first` on; residuals before steps that are multiples of `every` are kept."""
        if self.moving:
            out = self._run(steps)
            last = int(self.done.max()) - first
            out[last + 1 :] = out[min(last, steps - 1)]  # where all ended early: from there on nothing changes
            self.squares = out[-1].copy()
        else:
            out = np.broadcast_to(self.squares, (steps, LANES))
        t = np.arange(first, first + steps)
        self.curves.append(out[t % every == 0].copy())

    def finish(self) -> None:
        """The residuals where the lanes stand."""
        kept, self.active[:] = self.active.copy(), 0
        self.squares = self._run(1)[0].copy()
        self.active[:] = kept


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

    Problems of one activation and one shape (n, d) run in groups of eight, sorted by width; a narrower network is
    padded with units of output weight zero, which changes none of its bits. So a problem's result does not depend on
    its company. It differs from `train`'s in the last digits: sums are taken in another order.

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
        ``progress(step, moving)``, about ten times a second: steps made, and runs that have not ended.

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
    theory.md section 5; the phase transition of section 6 is made of such trainings.

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
    groups = _groups(problems, tolerance, norms)
    made, size, interrupted = 0, 1, False
    with Interrupts() as interrupts:
        while made < steps and not interrupted and any(group.moving for group in groups):
            count = min(size, steps - made)
            since = time.perf_counter()
            run_tasks([partial(group.advance, made, count, every) for group in groups])
            taken = time.perf_counter() - since
            made += count
            size = max(1, min(1 << 20, 2 * size, int(count * _CHUNK_SECONDS / max(taken, 1e-7))))
            if progress is not None:
                progress(made, sum(int(np.sum(group.active == 1)) for group in groups))
            interrupted = interrupts.seen
    run_tasks([group.finish for group in groups])
    return _collect(groups, problems, made, every, interrupted, time.perf_counter() - began)


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


def _groups(problems: list[Problem], tolerance: float, norms: Floats) -> list[_Group]:
    """Groups of one activation and shape, widths next to each other; the widest first, so that no thread waits long."""
    kinds: dict[Any, list[int]] = {}
    for i, p in enumerate(problems):
        kinds.setdefault((p.net.activation, p.X.shape), []).append(i)
    cut = []
    for members in kinds.values():
        members.sort(key=lambda i: (-problems[i].net.k, i))
        cut += [members[start : start + LANES] for start in range(0, len(members), LANES)]
    cut.sort(key=lambda members: (-problems[members[0]].net.k * problems[members[0]].X.size, members[0]))
    return [_Group(members, [problems[i] for i in members], tolerance, norms) for members in cut]


def _collect(
    groups: list[_Group], problems: list[Problem], made: int, every: int, interrupted: bool, seconds: float
) -> Batch:
    m = len(problems)
    records = np.arange(0, made, every)
    nets: list[Any] = [None] * m
    statuses: list[Any] = ["budget"] * m
    steps, initial, final, curves = np.zeros(m, np.int64), np.zeros(m), np.zeros(m), np.zeros((m, len(records)))
    for group in groups:
        squares = np.concatenate(group.curves) if group.curves else np.zeros((0, LANES))
        for q, (i, p) in enumerate(zip(group.members, group.problems, strict=True)):
            W = group.W[: p.net.k, :, q]
            nets[i] = ShallowNet(W, p.net.v, p.net.activation) if np.all(np.isfinite(W)) else p.net
            steps[i] = group.done[q]
            with np.errstate(invalid="ignore"):
                final[i] = p.unscale(np.sqrt(group.squares[q]))
                curves[i] = p.unscale(np.sqrt(squares[:, q]))
            initial[i] = p.unscale(group.initial[q])
            reached = group.limits[0, q] >= 0 and group.squares[q] <= group.limits[0, q]
            exceeded = not group.squares[q] <= group.limits[1, q]
            last = "interrupted" if interrupted else "budget"
            statuses[i] = "converged" if reached else "diverged" if exceeded else last
    eta = np.array([_unscaled(p) for p in problems])
    for array in (eta, steps, initial, final, records, curves):
        array.setflags(write=False)
    return Batch(tuple(nets), eta, steps, tuple(statuses), initial, final, records, curves, seconds)


def _unscaled(p: Problem) -> float:
    return math.ldexp(p.eta, -2 * p.exponent)
