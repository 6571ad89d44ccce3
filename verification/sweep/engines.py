"""Where trials run: in this process, in processes of this machine, or on a dask.distributed cluster.

Every engine calls the same function on the same arguments, so the rows are the same.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext, SpawnProcess
from types import TracebackType
from typing import Any, Protocol

from jacspec import InputError, __version__

from .configuration import Configuration
from .trials import Key, Row, run_trials

__all__ = ["Cluster", "Engine", "Here", "Processes", "engine_for"]

#: Bundles handed out for each worker: one that runs and one that waits, so that nobody idles.
_AHEAD = 2
#: How often in a row workers may die without a bundle done before it is taken for a fault of ours.
_DEATHS = 5
#: Seconds to wait for an answer of the scheduler, and for its first worker.
_SCHEDULER_PATIENCE, _WORKER_PATIENCE = 15, 60

Bundle = tuple[Key, ...]
#: (version, rows, error): errors travel as words, as not every exception survives the journey.
Answer = tuple[str, list[Row], tuple[str, str, str] | None]


def work(config: Configuration, bundle: Bundle) -> Answer:
    """`run_trials` as other processes call it."""
    try:
        return __version__, run_trials(config, bundle), None
    except InputError as error:
        return __version__, [], (error.argument, str(error.value), error.expected)


def _rows(answer: Answer) -> list[Row]:
    version, rows, error = answer
    if version != __version__:
        raise InputError("scheduler", f"a worker with jacspec {version}", f"jacspec {__version__} on every worker")
    if error is not None:
        raise InputError(*error)
    return rows


class Engine(Protocol):
    """Takes bundles of trials and gives rows, in any order."""

    name: str

    @property
    def capacity(self) -> int:
        """How many bundles it wants to have at a time."""

    def submit(self, config: Configuration, bundle: Bundle) -> None: ...

    def next(self) -> tuple[Bundle, list[Row]]:
        """Wait for a bundle to be done."""

    def close(self) -> None:
        """End; what runs is given up."""

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


class _Closing:
    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End; what runs is given up."""


class Here(_Closing):
    """One bundle after the other, in this process."""

    name = "this process"
    capacity = 1

    def __init__(self) -> None:
        self._waiting: list[tuple[Configuration, Bundle]] = []

    def submit(self, config: Configuration, bundle: Bundle) -> None:
        self._waiting.append((config, bundle))

    def next(self) -> tuple[Bundle, list[Row]]:
        config, bundle = self._waiting.pop(0)
        return bundle, run_trials(config, bundle)


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _start(processors: Sequence[int], turn: Any) -> None:
    """First words of a worker: Ctrl-C is the parent's business, and one processor is enough."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A parent that is killed cannot say goodbye, and its workers would wait for work for ever.
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    with turn.get_lock():
        mine = processors[turn.value % len(processors)] if processors else None
        turn.value += 1
    if mine is not None:
        os.sched_setaffinity(0, {mine})  # every pool of threads in the process then has one


class _Remembering(SpawnContext):
    """A context that remembers the processes that are started in it: a pool tells nobody which are its own."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []
        # What a pool calls, with the name that multiprocessing gave it.
        self.Process = self._process  # type: ignore[assignment,misc]

    def _process(self, *arguments: Any, **options: Any) -> SpawnProcess:
        made = SpawnProcess(*arguments, **options)
        self.started.append(made)
        return made


class Processes(_Closing):
    """Worker processes of this machine, each on a processor of its own.

    A worker that dies (killed, out of memory) is replaced, and what it had is done again.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.name = f"{workers} processes"
        self._context = _Remembering()
        self._processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self._running: dict[Future[Answer], tuple[Configuration, Bundle]] = {}
        self._deaths = 0
        self._pool = self._new()

    @property
    def capacity(self) -> int:
        return _AHEAD * self.workers

    def _new(self) -> ProcessPoolExecutor:
        self._context.started.clear()
        turn = self._context.Value("i", 0)
        return ProcessPoolExecutor(
            self.workers, mp_context=self._context, initializer=_start, initargs=(self._processors, turn)
        )

    def submit(self, config: Configuration, bundle: Bundle) -> None:
        try:
            future = self._pool.submit(work, config, bundle)
        except BrokenProcessPool:
            self._revive()
            future = self._pool.submit(work, config, bundle)
        self._running[future] = (config, bundle)

    def _revive(self) -> None:
        """A new pool, with all that had not come back."""
        self._deaths += 1
        if self._deaths > _DEATHS:
            raise RuntimeError(f"worker processes died {self._deaths} times in a row with nothing done between")
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._new()
        lost, self._running = self._running, {}
        for future, (config, bundle) in lost.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                self._running[future] = (config, bundle)  # came back in time
            else:
                self._running[self._pool.submit(work, config, bundle)] = (config, bundle)

    def next(self) -> tuple[Bundle, list[Row]]:
        while True:
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            future = min(done, key=list(self._running).index)
            try:
                answer = future.result()
            except BrokenProcessPool:
                self._revive()
                continue
            self._deaths = 0
            return self._running.pop(future)[1], _rows(answer)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in self._context.started:  # a bundle may take minutes: nobody waits for it
            process.terminate()
        for process in self._context.started:
            process.join()


_NO_ANSWER = "a dask scheduler that answers, such as tcp://localhost:8786 ({})"


async def _identity(distributed: Any, address: str) -> str:
    """What listens at the address, in its own words."""
    async with distributed.core.rpc(address) as remote:
        answer = await asyncio.wait_for(remote.identity(), _SCHEDULER_PATIENCE)
    return str(answer["type"])


class Cluster(_Closing):
    """A dask.distributed scheduler and its workers. What a lost worker had, the scheduler gives to another one.

    Raises
    ------
    InputError
        If distributed is not installed, or no scheduler or worker answers.
    """

    def __init__(self, address: str) -> None:
        try:
            distributed: Any = importlib.import_module("distributed")  # untyped
        except ImportError:
            raise InputError("scheduler", repr(address), "dask: pip install 'jacspec[distributed]'") from None
        self.name = f"the cluster at {address}"
        # Asked before there is a Client: one whose constructor failed waits for ever when it is collected.
        try:
            found = asyncio.run(_identity(distributed, address))
        except TimeoutError:
            raise InputError(
                "scheduler", repr(address), _NO_ANSWER.format(f"none in {_SCHEDULER_PATIENCE} s")
            ) from None
        except (OSError, ValueError) as error:
            words = " ".join(str(error).split())[:120]
            raise InputError("scheduler", repr(address), _NO_ANSWER.format(words)) from None
        if found != "Scheduler":
            raise InputError("scheduler", repr(address), f"a dask scheduler, not a {found}")
        self._client = distributed.Client(address, timeout=_WORKER_PATIENCE, set_as_default=False)
        try:
            self._client.wait_for_workers(1, timeout=_WORKER_PATIENCE)
        except TimeoutError:
            self._client.close()
            raise InputError("scheduler", repr(address), "a scheduler with at least one worker") from None
        self._completed = distributed.as_completed(loop=self._client.loop)
        self._running: dict[Any, tuple[Configuration, Bundle]] = {}
        self._deaths = 0

    @property
    def capacity(self) -> int:
        threads: int = sum(self._client.nthreads().values())
        return _AHEAD * max(1, threads)

    def submit(self, config: Configuration, bundle: Bundle) -> None:
        # not "pure": a key of its own for each call, or results would be kept and compared by content
        future = self._client.submit(work, config, bundle, pure=False, retries=_DEATHS)
        self._running[future] = (config, bundle)
        self._completed.add(future)

    def next(self) -> tuple[Bundle, list[Row]]:
        while True:
            future = next(self._completed)
            config, bundle = self._running.pop(future)
            if future.status in ("cancelled", "lost"):
                self._deaths += 1
                if self._deaths > _DEATHS:
                    raise RuntimeError(f"the cluster gave up {self._deaths} bundles in a row")
                self.submit(config, bundle)
                continue
            answer = future.result()
            self._deaths = 0
            return bundle, _rows(answer)

    def close(self) -> None:
        if self._running:
            self._client.cancel(list(self._running))
        self._client.close()


def engine_for(workers: int, scheduler: str | None) -> Engine:
    """The engine that is asked for."""
    if scheduler is not None:
        return Cluster(scheduler)
    return Here() if workers <= 1 else Processes(workers)
