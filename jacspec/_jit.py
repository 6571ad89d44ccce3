"""One place that owns the JIT policy, and the threads that run compiled kernels and blocks of BLAS.

Kernels are compiled with cache=True (one cold compilation per machine), nogil=True (so that ordinary threads run them
side by side: numba's own thread pool and OpenBLAS' spin against each other), and never with fastmath: no reassociation
on a path to a verdict. `error_model="numpy"` lets loops vectorise; kernels never divide by something that may be zero.

Work is cut into pieces whose sizes depend on the shapes alone, and BLAS runs on one thread inside a piece. So the bits
of a result depend neither on the number of threads nor on who finishes first.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from threading import Lock, Thread
from typing import Any

import numba
from numba import types

__all__ = [
    *("FLOAT", "IN1", "IN2", "INTEGER", "OUT1", "OUT2"),
    *("blocks", "kernel", "run_blocks", "run_tasks", "serial_blas", "threads"),
]

FLOAT, INTEGER = types.float64, types.int64
#: Inputs are declared read-only, which accepts writeable arrays too (a frozen `Dataset` hands out read-only ones).
IN1 = types.Array(types.float64, 1, "C", readonly=True)
IN2 = types.Array(types.float64, 2, "C", readonly=True)
OUT1 = types.Array(types.float64, 1, "C")
OUT2 = types.Array(types.float64, 2, "C")


def kernel(*arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator for a private kernel that returns nothing; explicit types, so that nothing recompiles by surprise."""
    decorate = numba.njit(types.void(*arguments), cache=True, nogil=True, error_model="numpy", fastmath=False)
    return decorate  # type: ignore[no-any-return]


def threads() -> int:
    """Worker threads to use: the processors this process may run on."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not Linux
        return max(1, os.cpu_count() or 1)


def blocks(n: int, size: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges ``[start, stop)`` of at most `size` that cover ``range(n)``."""
    for start in range(0, n, size):
        yield start, min(start + size, n)


class _SerialBlas:
    """A context in which BLAS runs on one thread; nests, and several threads may be inside at once.

    OpenBLAS' setting is global, so the first one in sets it and the last one out restores it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._controller: Any = None
        self._limiter: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                if self._controller is None:  # looks through every loaded library: a millisecond, once
                    # SciPy brings a BLAS of its own, which would not be found if it were loaded later.
                    import scipy.linalg  # noqa: F401
                    from threadpoolctl import ThreadpoolController

                    self._controller = ThreadpoolController()
                self._limiter = self._controller.limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limiter.restore_original_limits()


#: ``with serial_blas:`` BLAS runs on one thread.
serial_blas = _SerialBlas()


def run_tasks(tasks: Sequence[Callable[[], None]]) -> None:
    """Run all tasks, on this thread and on helpers while there are processors and tasks for them.

    Tasks must write to places of their own. They start in order; if some fail, the rest is dropped and the first
    failure in that order is raised. NumPy's `errstate` of the caller holds on the helpers too.
    """
    pending = deque(enumerate(tasks))
    failures: list[tuple[int, BaseException]] = []

    def drain() -> None:
        while not failures:
            try:
                index, task = pending.popleft()
            except IndexError:
                return
            try:
                task()
            except BaseException as error:
                failures.append((index, error))

    helpers = [Thread(target=copy_context().run, args=(drain,)) for _ in range(min(threads(), len(pending)) - 1)]
    with serial_blas:
        for helper in helpers:
            helper.start()
        try:
            drain()
        finally:
            pending.clear()  # after an interrupt; otherwise it is empty, or does not matter any more
            for helper in helpers:
                helper.join()
    if failures:
        raise min(failures, key=lambda failure: failure[0])[1]


def run_blocks(work: Callable[[int, int], None], n: int, size: int) -> None:
    """Run ``work(start, stop)`` over all blocks of at most `size`; every block must write rows of its own."""
    run_tasks([partial(work, start, stop) for start, stop in blocks(n, size)])
