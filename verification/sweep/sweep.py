"""The loop: what is wanted is handed to an engine, what comes back is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from verification.store import Store

from .engines import Engine
from .plan import Plan, by_cell
from .trials import LANES, Key, Row, bundles, cost

__all__ = ["Progress", "Sweep"]

#: Trials for each lane of a bundle, at most: more of them keep lanes busier, and lose more when the plug is pulled.
_ROUNDS = 4


@dataclass
class Progress:
    """How far a sweep is.

    Parameters
    ----------
    trials : int
        Made in this run.
    done, total : float
        Work in this run, in multiplications at full budget; the total grows when uncertain cells get more trials.
    seconds : float
    found : int
        Rows that were in the store before.
    """

    trials: int = 0
    done: float = 0.0
    total: float = 0.0
    seconds: float = 0.0
    found: int = 0

    @property
    def rate(self) -> float:
        """Trials a second."""
        return self.trials / self.seconds if self.seconds > 0 else 0.0


@dataclass
class Sweep:
    """Bring a store up to what a plan wants.

    Parameters
    ----------
    plan : Plan
    store : Store
        Of the plan's configuration.
    engine : Engine
    report : callable, optional
        Called with the `Progress` after each bundle.
    """

    plan: Plan
    store: Store
    engine: Engine
    report: Callable[[Progress], None] | None = None
    progress: Progress = field(default_factory=Progress)

    def run(self) -> Progress:
        """Run to the end. After an exception, Ctrl-C among them, the store holds all that came back before.

        Raises
        ------
        KeyboardInterrupt
        """
        plan, config = self.plan, self.plan.config
        began = time.perf_counter()
        cells = by_cell(self.store.rows())
        self.progress.found = sum(map(len, cells.values()))
        wanted = [key for cell in plan.cells for key in plan.missing(cell, cells.get(cell, {}))]
        self.progress.total = sum(cost(config, key) for key in wanted)
        most = self._most(len(wanted))
        queue = list(bundles(config, wanted, most))[::-1]
        asked = set(wanted)
        running = 0
        while queue or running:
            while queue and running < self.engine.capacity:
                bundle = queue.pop()
                # another process may have been at it
                for row in self.store.rows(bundle):
                    cells.setdefault((row.n, row.k), {})[row.trial] = row
                left = tuple(key for key in bundle if key.trial not in cells.get((key.n, key.k), {}))
                self._count([key for key in bundle if key not in left])
                if left:
                    self.engine.submit(config, left)
                    running += 1
                if len(left) < len(bundle):
                    queue += self._more(bundle, cells, asked)
            if not running:
                continue
            done, rows = self.engine.next()
            running -= 1
            self.store.add(rows)
            for row in rows:
                cells.setdefault((row.n, row.k), {})[row.trial] = row
            self.progress.trials += len(rows)
            self.progress.seconds = time.perf_counter() - began
            self._count(done)
            queue += self._more(done, cells, asked)
            if self.report is not None:
                self.report(self.progress)
        self.progress.seconds = time.perf_counter() - began
        return self.progress

    def _count(self, keys: list[Key] | tuple[Key, ...]) -> None:
        self.progress.done += sum(cost(self.plan.config, key) for key in keys)

    def _more(
        self, done: tuple[Key, ...], cells: dict[tuple[int, int], dict[int, Row]], asked: set[Key]
    ) -> list[tuple[Key, ...]]:
        """Bundles of the next wave for cells whose trials have all come back; `asked` are all trials handed out yet."""
        new: list[Key] = []
        for cell in sorted({(key.n, key.k) for key in done}):
            missing = self.plan.missing(cell, cells.get(cell, {}))
            new += [key for key in missing if key not in asked]
        asked |= set(new)
        self.progress.total += sum(cost(self.plan.config, key) for key in new)
        return list(bundles(self.plan.config, new, self._most(len(new))))[::-1]

    def _most(self, trials: int) -> int:
        """Trials in a bundle: several for each lane, if every worker still gets several bundles."""
        rounds = trials // (2 * LANES * self.engine.capacity)
        return LANES * max(1, min(_ROUNDS, rounds))
