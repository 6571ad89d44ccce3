"""Which trials are wanted, given those that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jacspec import InputError
from jacspec._checks import check_even_width, check_int, check_real

from .configuration import Configuration
from .evidence import interval
from .trials import LANES, Key, Row

__all__ = ["Plan"]

Cell = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """A grid, and how many trials a cell gets.

    Every cell gets `trials`. Where the interval of the share that is fitted still contains 1/2 then, it gets more,
    eight at a time, up to `most`. What a cell gets depends on its own trials in the order of their numbers: not on who
    ran them, in which order, or how often they were interrupted.

    Parameters
    ----------
    config : Configuration
    n, k : sequence of int
        Sizes, and even widths.
    trials, most : int
    alpha : float in (0, 1)
        Of each cell's interval, by itself.
    below : bool
        Whether cells that `phase-transition-lower` calls impossible are measured too.
    within : int or None
        Only widths up to ``n/d + within`` are measured: beyond, where all fit, every cell costs and none tells.

    Raises
    ------
    InputError
        If an entry is out of range.
    """

    config: Configuration
    n: tuple[int, ...]
    k: tuple[int, ...]
    trials: int = 10
    most: int = 26
    alpha: float = 0.05
    below: bool = False
    within: int | None = None

    def __post_init__(self) -> None:
        for name in ("n", "k"):
            values = getattr(self, name)
            if not values:
                raise InputError(name, "nothing", "at least one value")
            object.__setattr__(self, name, tuple(sorted(set(values))))
        for n in self.n:
            check_int("n", n, minimum=1)
        for k in self.k:
            check_even_width("k", k)
        check_int("trials", self.trials, minimum=1)
        check_int("most", self.most, minimum=self.trials)
        check_real("alpha", self.alpha, above=0, below=1)
        if self.within is not None:
            check_int("within", self.within, minimum=1)

    @classmethod
    def around(cls, config: Configuration, rows: Sequence[Row], alpha: float = 0.05) -> Plan:
        """The grid that some rows are about; of a cell that came to its end it asks for the trials that there are."""
        counts = Counter((row.n, row.k) for row in rows)
        return cls(
            config,
            tuple(n for n, _ in counts),
            tuple(k for _, k in counts),
            trials=min(counts.values()),
            most=max(counts.values()),
            alpha=alpha,
            below=any(config.impossible(n, k) for n, k in counts),
            within=max(1, *(k - n // config.d for n, k in counts)),
        )

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Those that are measured."""
        return tuple((n, k) for n in self.n for k in self.k if self.measured(n, k))

    def measured(self, n: int, k: int) -> bool:
        """Whether trials of this size and width are made."""
        if self.within is not None and (k - self.within) * self.config.d > n:
            return False
        return self.below or not self.config.impossible(n, k)

    def target(self, cell: Cell, rows: Mapping[int, Row]) -> int:
        """How many trials the cell is to have next, given its rows by trial number."""
        wanted = self.trials
        while wanted < self.most and all(t in rows for t in range(wanted)):
            low, high = interval(wanted, sum(rows[t].fitted for t in range(wanted)), self.alpha)
            if not low <= 0.5 <= high:
                break
            wanted = min(self.most, wanted + LANES)
        return wanted

    def missing(self, cell: Cell, rows: Mapping[int, Row]) -> list[Key]:
        """Trials of a cell that are wanted next and not there."""
        return [Key(*cell, t) for t in range(self.target(cell, rows)) if t not in rows]

    def wanted(self, rows: Iterable[Row]) -> list[Key]:
        """All of them, over the grid."""
        there = by_cell(rows)
        return [key for cell in self.cells for key in self.missing(cell, there.get(cell, {}))]


def by_cell(rows: Iterable[Row]) -> dict[Cell, dict[int, Row]]:
    """Rows by cell and trial number."""
    found: dict[Cell, dict[int, Row]] = {}
    for row in rows:
        found.setdefault((row.n, row.k), {})[row.trial] = row
    return found


def values_of(text: str, argument: str, *, even: bool = False) -> tuple[int, ...]:
    """Sizes as they are typed: ``20,50,100``, ``20:400:20`` (both ends included), ``20:2000:log9`` (9 of them).

    Raises
    ------
    InputError
        If it is none of these, a size is not positive, or a width is odd.

    Examples
    --------
    >>> values_of("5,10:30:10", "n"), values_of("10:1000:log3", "n"), values_of("2:40:log4", "k", even=True)
    ((5, 10, 20, 30), (10, 100, 1000), (2, 6, 14, 40))
    """
    expected = "numbers, ranges and log ranges, as in 5,10,20:400:20 or 20:2000:log9"
    found: set[int] = set()
    for item in text.split(","):
        parts = item.strip().split(":")
        try:
            logarithmic = len(parts) == 3 and parts[2].startswith("log")
            numbers = [int(p.removeprefix("log") if logarithmic else p) for p in parts]
        except ValueError:
            raise InputError(argument, repr(text), expected) from None
        if min(numbers) < 1 or len(numbers) not in (1, 3) or (len(numbers) == 3 and numbers[1] < numbers[0]):
            raise InputError(argument, repr(item.strip()), expected)
        if len(numbers) == 1:
            found.add(numbers[0])
        elif logarithmic:
            found |= set(_logarithmic(numbers[0], numbers[1], numbers[2], even))
        else:
            if (numbers[1] - numbers[0]) // numbers[2] > 100_000:
                raise InputError(argument, repr(item.strip()), "at most 100,000 values")
            found |= set(range(numbers[0], numbers[1] + 1, numbers[2]))
    odd = [x for x in sorted(found) if even and x % 2]
    if odd:
        raise InputError(argument, odd[0], "even widths (half of v is positive, half negative)")
    return tuple(sorted(found))


def _logarithmic(first: int, last: int, count: int, even: bool) -> Sequence[int]:
    unit = 2 if even else 1
    if count == 1:
        return [first]
    ratio = (last / first) ** (1 / (count - 1))
    return [max(unit, unit * round(first * ratio**i / unit)) for i in range(count)]
