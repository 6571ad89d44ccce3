"""The phase diagram as a value: what each cell says, and where the transition is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from .evidence import crossing, interval, sure_side
from .plan import Plan, by_cell
from .trials import Row

__all__ = ["Cell", "Diagram", "Transition"]

Verdict = Literal["impossible", "fits", "fails", "open", "unmeasured"]
Success = Literal["fitted", "certified"]


@dataclass(frozen=True)
class Cell:
    """One size and width.

    Parameters
    ----------
    n, k : int
    trials, fitted : int
        Trials made, and those that reached the relative residual within the budget.
    certified : int or None
        Those of the fitted ones that are proved; None where nobody tried.
    low, high : float
        Anytime-valid interval of the probability to be fitted.
    impossible : bool
        By `phase-transition-lower`: with probability 1 no weights interpolate.
    """

    n: int
    k: int
    trials: int
    fitted: int
    certified: int | None
    low: float
    high: float
    impossible: bool

    @property
    def fraction(self) -> float | None:
        """The share that was fitted; 0 where nothing was measured because nothing can be."""
        return self.fitted / self.trials if self.trials else 0.0 if self.impossible else None

    @property
    def verdict(self) -> Verdict:
        """Against a share of one half: "fits", "fails" or, where the interval contains it, "open"."""
        if self.impossible:
            return "impossible"
        if not self.trials:
            return "unmeasured"
        return "fits" if self.low > 0.5 else "fails" if self.high < 0.5 else "open"

    @property
    def proved(self) -> bool:
        """Whether every trial ended in a certificate."""
        return self.trials > 0 and self.certified == self.trials

    def to_json(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "k": self.k,
            "verdict": self.verdict,
            "trials": self.trials,
            "fitted": self.fitted,
            "certified": self.certified,
            "fraction": self.fraction,
            "low": self.low,
            "high": self.high,
            "proved": self.proved,
        }


@dataclass(frozen=True)
class Transition:
    """Where one column crosses one half.

    Parameters
    ----------
    n : int
    k : float or None
        Where a nondecreasing fit of the shares crosses; None where the grid does not contain it.
    low, high : int or None
        The share is surely below one half in every cell up to `low`, and above it in every cell that is measured from
        `high` on, each with half of the error level (for this n by itself). None where the trials do not say.
    """

    n: int
    k: float | None
    low: int | None
    high: int | None

    def to_json(self) -> dict[str, Any]:
        return {"n": self.n, "k": self.k, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Diagram:
    """All that a plan's rows say.

    Parameters
    ----------
    plan : Plan
    cells : tuple of Cell
        By n, then k; the whole grid.
    complete : bool
        Whether every trial that the plan wants is there.
    """

    plan: Plan
    cells: tuple[Cell, ...]
    complete: bool

    @classmethod
    def of(cls, plan: Plan, rows: Iterable[Row]) -> Diagram:
        """From the rows of a store; those off the grid, or beyond what the plan asks of a cell, are left out."""
        there = by_cell(rows)
        cells, complete = [], True
        for n in plan.n:
            for k in plan.k:
                mine = there.get((n, k), {})
                impossible = plan.config.impossible(n, k)
                target = plan.target((n, k), mine) if plan.measured(n, k) else 0
                kept = [mine[t] for t in range(target) if t in mine]
                complete &= len(kept) == target
                cells.append(_cell(plan, n, k, kept, impossible))
        return cls(plan, tuple(cells), complete)

    @cached_property
    def transitions(self) -> tuple[Transition, ...]:
        """Of the share that is fitted, column by column."""
        return self.crossings("fitted")

    def crossings(self, success: Success) -> tuple[Transition, ...]:
        """The same of the share that is fitted or that is certified."""
        return tuple(self._transition(n, success) for n in self.plan.n)

    def column(self, n: int) -> tuple[Cell, ...]:
        """The cells of one n, by k."""
        return tuple(cell for cell in self.cells if cell.n == n)

    def _transition(self, n: int, success: Success) -> Transition:
        column = self.column(n)
        counts = [(c.trials, (c.fitted if success == "fitted" else c.certified) or 0) for c in column]
        seen = [
            (c.k, x / m if m else 0.0, float(m) if m else 1e9)
            for c, (m, x) in zip(column, counts, strict=True)
            if m or c.impossible
        ]
        k = crossing(*zip(*seen, strict=True)) if seen else None
        if k is not None:
            known = {entry[0] for entry in seen}
            left, right = max(w for w in known if w < k), min(w for w in known if w >= k)
            if any(left < c.k < right for c in column):
                k = None  # not yet measured where it matters
        half = self.plan.alpha / 2
        failing = [True if c.impossible and not m else (m, m - x) if m else None
                   for c, (m, x) in zip(column, counts, strict=True)]  # fmt: skip
        below = sure_side(failing, half)
        top = max((i for i, (m, _) in enumerate(counts) if m), default=-1)  # wider cells were left out
        above = sure_side([pair if pair[0] else None for pair in reversed(counts[: top + 1])], half)
        return Transition(
            n,
            k,
            None if below is None else column[below].k,
            None if above is None else column[top - above].k,
        )

    def to_json(self) -> dict[str, Any]:
        """The parts "configuration", "grid", "cells" and "transition" of the JSON contract ``jacspec.phase/1``."""
        plan, config = self.plan, self.plan.config
        document: dict[str, Any] = {
            "configuration": {**config.to_json(), "data": config.data, "hash": config.hash},
            "grid": {
                "n": list(plan.n),
                "k": list(plan.k),
                "trials": plan.trials,
                "most": plan.most,
                "within": plan.within,
            },
            "alpha": plan.alpha,
            "complete": self.complete,
            "cells": [cell.to_json() for cell in self.cells],
            "transition": [t.to_json() for t in self.transitions],
        }
        if config.certify:
            document["transition_certified"] = [t.to_json() for t in self.crossings("certified")]
        return document


def _cell(plan: Plan, n: int, k: int, rows: list[Row], impossible: bool) -> Cell:
    fitted = sum(row.fitted for row in rows)
    certified = sum(bool(row.certified) for row in rows) if plan.config.certify else None
    low, high = interval(len(rows), fitted, plan.alpha)
    if impossible and not rows:
        low, high = 0.0, 0.0
    return Cell(n, k, len(rows), fitted, certified, low, high, impossible)
