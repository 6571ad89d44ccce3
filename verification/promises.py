"""What a theorem promises of gradient descent from W_0, how a run keeps it, and false neighbours of such promises."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeVar

from .arithmetic import Arithmetic
from .claim import Mutant, Sides
from .instances import Instance
from .sampling import worst
from .wide_runs import contraction, descent, longest
from .width_theorems import run

__all__ = ["Altered", "Promise", "altered", "kept", "path_times", "rate_times", "slope_times", "step_times", "together"]


@dataclass(frozen=True)
class Promise:
    """What one form of a theorem promises of gradient descent with step size eta, each number on its safe side.

    Parameters
    ----------
    failure, eta, rate : float
    slope, curvature : float
        ``slope s_t - curvature s_t^2 / 2 + ||r_t|| <= ||r_0||``; 0 where nothing of the kind is said.
    path : float
        The total path is at most this times ||r_0||; infinite where nothing is said of it.
    """

    failure: float
    eta: float
    rate: float
    slope: float = 0.0
    path: float = math.inf
    curvature: float = 0.0


def kept(instance: Instance, m: Arithmetic, p: Promise, along: str = "path") -> Mapping[str, Sides]:
    """The rate, the combined inequality and the path, each at the step of this draw's run that is worst for it.

    `along` is what the combined inequality is about: "path", or "distance" from W_0.
    """
    done = run(instance, m, p.eta)
    return {
        "rate": contraction(done, p.rate),
        "combined": descent(done, p.slope, along, p.curvature),
        "path": Sides(longest(done, "path"), done.residual(0) * m.number(p.path)),
    }


def together(m: Arithmetic, pairs: Iterable[Sides]) -> Sides:
    """Several inequalities as one, which fails where any of them does: the pair that decides.

    A promise with probability is about one event. Parts that fail in different draws may each keep to its probability,
    and all of them together not.
    """
    both = [(pair.left, pair.right) for pair in pairs]
    return Sides(*worst(m, [left for left, _ in both], [right for _, right in both]))


# -- false neighbours -----------------------------------------------------------------------------------------------

Altered = Callable[[Instance, Arithmetic, Promise], Sides]
P = TypeVar("P")


def altered(
    promise: Callable[[Instance], P | str],
    sides: Callable[[Instance, Arithmetic, P], Sides],
    name: str,
    why: str,
    chance: Callable[[P], float] = attrgetter("failure"),
) -> Mutant:
    """A mutant that alters what is promised, and fails with the probability of the promise (or another `chance`)."""

    def mutated(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        p = promise(instance.problem)
        return {} if isinstance(p, str) else {"mutant": sides(instance, m, p)}

    def failure(problem: Instance) -> Mapping[str, float | str]:
        p = promise(problem)
        return {"mutant": p if isinstance(p, str) else chance(p)}

    return Mutant(name, why, mutated, failure)


def rate_times(factor: float) -> Altered:
    """A rate that is so many times as fast."""
    return lambda instance, m, p: contraction(run(instance, m, p.eta), factor * p.rate)


def path_times(factor: float) -> Altered:
    """A path of so many times the length."""

    def sides(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
        done = run(instance, m, p.eta)
        return Sides(longest(done, "path"), done.residual(0) * m.number(factor * p.path))

    return sides


def step_times(factor: float) -> Altered:
    """The promised rate, at so many times the step size that is allowed."""
    return lambda instance, m, p: contraction(run(instance, m, factor * p.eta), p.rate)


def slope_times(factor: float) -> Altered:
    """The combined inequality with so many times its coefficient."""
    return lambda instance, m, p: descent(run(instance, m, p.eta), factor * p.slope)
