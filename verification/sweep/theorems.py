"""The widths that theorems ask for on the data of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jacspec

from .configuration import Configuration
from .plan import Plan

__all__ = ["Asked", "asked_power", "asked_widths"]

#: k d of order n to this power is what each theorem asks for on random data at fixed d (docs/theory.md section 6).
_POWERS = {"theorem-gd-smooth": 2, "theorem-sgd-smooth": 2, "theorem-gd-relu": 4}
#: Sizes at which they are computed, spread over those of the grid.
_SIZES = 5


@dataclass(frozen=True)
class Asked:
    """What one form of a theorem asks for at one size.

    Parameters
    ----------
    n : int
    claim, variant : str
    k : int or None
        None where it is void; the reason says why.
    reason : str or None
    """

    n: int
    claim: str
    variant: str
    k: int | None
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        return {"n": self.n, "claim": self.claim, "variant": self.variant, "k": self.k, "reason": self.reason}


def _theorem(config: Configuration) -> str:
    """The one about this activation and algorithm."""
    if config.algorithm == "sgd":
        return "theorem-sgd-smooth"
    return "theorem-gd-smooth" if config.phi.is_smooth else "theorem-gd-relu"


def asked_power(config: Configuration) -> tuple[str, int]:
    """The theorem about this activation and algorithm, and the power of n of which its k d is."""
    claim = _theorem(config)
    return claim, _POWERS[claim]


def asked_widths(plan: Plan, progress: Callable[[str], None] = lambda what: None) -> tuple[Asked, ...]:
    """Widths for the data of trial 0 at some sizes of the grid: of the theorem about this activation and algorithm."""
    config = plan.config
    claim = _theorem(config)
    last = len(plan.n) - 1
    steps = min(_SIZES - 1, last)
    sizes = sorted({plan.n[round(i * last / steps)] for i in range(steps + 1)}) if last else plan.n
    found = []
    for n in sizes:
        progress(f"widths of theorems at n = {n}")
        problem = config.problem(n, plan.k[0], 0)
        X = jacspec.load((problem.X, problem.y), normalize=True)
        constants = jacspec.data_constants(X, [config.phi], y=problem.y, seed=config.seed)
        for entry in constants.activations.values():
            found += [Asked(n, row.claim, row.variant, row.k, row.reason) for row in entry.widths if row.claim == claim]
    return tuple(found)
