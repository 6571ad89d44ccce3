r"""SGD with one sample a step: the n choices of a step, all paths of a few steps, many long runs.

States come in batches: thetas is (B, p), one row a state, so that all three are the same code, in float64 and in 60
digits.

The rounding of a run. One step with sample i is ``F(theta) = theta - eta r_i J_i^T`` with the derivative
``I - eta J_i^T J_i - eta r_i Hess f_i``, of norm at most ``max(1, eta b^2 - 1) + eta L |r_i|``. So where drift bounds
the distance of a computed state from the exact one (the samples drawn are the same), the next drift is at most that
factor times drift, plus the rounding of the step itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jacspec import bounds
from jacspec.rounding import gamma
from verification.arithmetic import Arithmetic, Float64, Matrix, Number

from .maps import Constants, SampledMap

__all__ = ["SGD", "Limits", "Paths", "States", "Step", "worst"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: What products that underflow may lose.
_TINY = 1e-290
#: A long run ends once ||r|| is at most this share of ||r_0||: from there on rounding decides, in 60 digits as well.
_SETTLED = 1e-9


def lengths(m: Arithmetic, A: Matrix, errors: Floats) -> tuple[Any, Floats]:
    """Euclidean norms of the rows of A, known to within `errors` in norm; and the radius of each."""
    if isinstance(m, Float64):
        values = np.linalg.norm(A, axis=1)
        return values, 1.001 * errors + gamma(A.shape[1] + 4) * values + _TINY
    values = np.empty(len(A), dtype=object)
    values[:] = [m.norm(row) for row in A]
    return values, np.zeros(len(A))


@dataclass(frozen=True)
class States:
    """A batch of states with their residuals.

    Parameters
    ----------
    thetas : (B, p) array
    drift : (B,) float64
        How far each may be from the exact one; zero in 60 digits.
    r : (B, n) array
        ``f(theta) - y``.
    here : (B, n) float64
        Error of each residual at the state as computed.
    """

    thetas: Matrix
    drift: Floats
    r: Matrix
    here: Floats

    def __len__(self) -> int:
        return len(self.thetas)

    def pick(self, which: Any) -> States:
        """Some of them (by index or mask)."""
        return States(self.thetas[which], self.drift[which], self.r[which], self.here[which])


@dataclass(frozen=True)
class Limits:
    """What an exit is measured against, and the rate at which ``E||r||^2`` shrinks."""

    distance: Number
    residual: Number
    rate: Number
    r0: Number


@dataclass(frozen=True)
class SGD:
    """``theta+ = theta - eta r_i J_i^T`` on labels y, all exact as given.

    Parameters
    ----------
    f : SampledMap
    labels : (n,) float64
    eta : float
    constants : Constants
    """

    f: SampledMap
    labels: Floats
    eta: float
    constants: Constants

    @property
    def m(self) -> Arithmetic:
        """Its arithmetic."""
        return self.f.m

    @cached_property
    def y(self) -> Matrix:
        """The labels in its arithmetic."""
        return self.m.matrix(self.labels)

    def at(self, thetas: Matrix, drift: Floats | None = None) -> States:
        """The states at some thetas, exact unless `drift` says otherwise."""
        values, errors = self.f.outputs(thetas)
        r = values - self.y
        here = errors + (gamma(1) * np.abs(r) if isinstance(self.m, Float64) else 0.0)
        return States(thetas, np.zeros(len(thetas)) if drift is None else drift, r, here)

    def residuals(self, states: States) -> tuple[Any, Floats]:
        """``||r||`` of each, and its radius."""
        errors = np.linalg.norm(states.here, axis=1) + self.constants.beta * states.drift
        return lengths(self.m, states.r, errors)

    def distances(self, states: States) -> tuple[Any, Floats]:
        """``||theta - theta_0||`` of each, and its radius."""
        moved = states.thetas - self.f.start
        rounded = gamma(2) * np.linalg.norm(moved, axis=1) if isinstance(self.m, Float64) else 0.0
        return lengths(self.m, moved, states.drift + rounded)

    def advance(self, states: States, i: Integers) -> States:
        """One step from each state, with one sample i for each."""
        each = np.arange(len(states))
        J, J_errors = self.f.rows(states.thetas, i)
        r = states.r[each, i]
        thetas = states.thetas - J * (r * self.m.matrix(np.array([self.eta]))[0])[:, None]
        if not isinstance(self.m, Float64):
            return self.at(thetas)
        here, size, slope = states.here[each, i], np.abs(r), np.linalg.norm(J, axis=1)
        local = self.eta * (here * (slope + J_errors) + size * (J_errors + gamma(4) * slope))
        b, most = self.constants.b, size + here + self.constants.b * states.drift
        growth = max(1.0, self.eta * b**2 - 1) + self.eta * self.constants.L * most
        drift = growth * states.drift + local + gamma(2) * np.linalg.norm(thetas, axis=1)
        return self.at(thetas, drift * (1 + 1e-12) + _TINY)

    # -- one step ---------------------------------------------------------------------------------------------------

    def step(self, theta: Floats, samples: Integers | None = None) -> Step:
        """The step from theta (exact), enumerated: all n samples, equally likely, or those given."""
        i = np.arange(self.f.n) if samples is None else samples
        before = self.at(self.m.matrix(theta)[None])
        after = self.advance(before.pick(np.zeros(len(i), dtype=np.int64)), i)
        J, J_error = self.f.jacobian(before.thetas[0])
        r, r_error = before.r[0], float(np.linalg.norm(before.here[0]))
        own = 0.0
        if isinstance(self.m, Float64):  # J is off, r is off, and n products
            J_size, r_size = float(np.linalg.norm(J)), float(np.linalg.norm(r))
            own = 1.001 * (J_error * (r_size + r_error) + J_size * (r_error + gamma(self.f.n) * r_size))
        return Step(
            self.m,
            self._numbers(self.residuals(before))[0],
            self.m.norm(J.T @ r, own),
            self._numbers(self.distances(before))[0],
            self._numbers(self.residuals(after)),
            self._numbers(self.distances(after)),
        )

    def _numbers(self, found: tuple[Any, Floats]) -> list[Number]:
        return [self.m.number(value, float(radius)) for value, radius in zip(*found, strict=True)]

    # -- all paths --------------------------------------------------------------------------------------------------

    def paths(self, steps: int, limits: Limits) -> Paths:
        """All n^t paths from theta_0, for t = 1 .. steps: those that have not left the limits go on."""
        m, n, squares, exits = self.m, self.f.n, [], []
        gone = m.number(0.0)
        states = self.at(self.f.start[None])
        for t in range(1, steps + 1):
            i = np.tile(np.arange(n), len(states))
            states = self.advance(states.pick(np.repeat(np.arange(len(states)), n)), i)
            out, doubtful = self._outside(states, limits)
            sure, possible = int(np.sum(out & ~doubtful)), int(np.sum(out | doubtful))
            gone = gone + m.number(0.5 * (sure + possible), 0.5 * (possible - sure)) / n**t
            exits.append(gone)
            states, doubtful = states.pick(~out | doubtful), doubtful[~out | doubtful]
            values, errors = self.residuals(states)
            each, spread = values**2, np.asarray((2 * values + errors) * errors, dtype=np.float64)
            each, spread = np.where(doubtful, each / 2, each), np.where(doubtful, each / 2 + spread, spread)
            rounded = m.rounding(len(states) + 4, float(np.sum(each)))
            squares.append(m.number(np.sum(each), float(np.sum(spread)) * (1 + 1e-9) + rounded) / n**t)
        return Paths(squares, exits)

    def _outside(self, states: States, limits: Limits) -> tuple[Any, Any]:
        """Whether each state is outside, and whether that is within rounding."""
        ratio, radius = self._exit_ratio(states, limits)
        return np.asarray(ratio > 1, dtype=bool), np.asarray(abs(ratio - 1) <= radius, dtype=bool)

    def _exit_ratio(self, states: States, limits: Limits) -> tuple[Any, Floats]:
        """The larger of distance and residual, each over its limit: above 1 outside."""
        (distance, d_radius), (residual, r_radius) = self.distances(states), self.residuals(states)
        far, far_radius = _over(self.m, distance, d_radius, limits.distance)
        large, large_radius = _over(self.m, residual, r_radius, limits.residual)
        return np.maximum(far, large), np.maximum(far_radius, large_radius)

    # -- long runs --------------------------------------------------------------------------------------------------

    def simulate(self, i: Integers, limits: Limits) -> tuple[list[Number], list[Number]]:
        """Runs from theta_0 until they leave the limits or have converged, one for each row of samples.

        Parameters
        ----------
        i : (B, T) int64
        limits : Limits

        Returns
        -------
        exits, decays : lists of B numbers
            The largest of distance and residual over their limits (above 1 for a run that leaves, which then stops);
            the largest of ``||r_t||^2 / ((1 - rate)^t ||r_0||^2)`` over the t before the exit.
        """
        m, count = self.m, len(i)
        zero = m.matrix(np.zeros(count))
        low, high = {"exit": zero.copy(), "decay": zero.copy()}, {"exit": zero.copy(), "decay": zero.copy()}
        active = np.arange(count)
        smallest = m.split(limits.r0)[0] * _SETTLED
        states = self.at(np.repeat(self.f.start[None], count, axis=0))
        for t in range(i.shape[1] + 1):
            ratio, radius = self._exit_ratio(states, limits)
            surely_out = np.asarray(ratio - radius > 1, dtype=bool)
            surely_in = np.asarray(ratio + radius <= 1, dtype=bool)
            _raise(low["exit"], high["exit"], active, ratio, radius, None)
            values, errors = self.residuals(states)
            bound = bounds.sgd_mean_square(limits.rate, t, limits.r0)
            squares, square_radius = _over(m, values**2, np.asarray((2 * values + errors) * errors, float), bound)
            _raise(low["decay"], high["decay"], active[~surely_out], squares[~surely_out],
                   square_radius[~surely_out], surely_in[~surely_out])  # fmt: skip
            going = ~surely_out & np.asarray(values > smallest, dtype=bool)
            active, states = active[going], states.pick(going)
            if t == i.shape[1] or not len(active):
                break
            states = self.advance(states, i[active, t])

        def found(name: str) -> list[Number]:
            pairs = zip(low[name], high[name], strict=True)
            return [m.number(0.5 * (a + b), float(0.5 * (b - a))) for a, b in pairs]

        return found("exit"), found("decay")


def _over(m: Arithmetic, values: Any, radii: Floats, limit: Number) -> tuple[Any, Floats]:
    """values / limit, and the radius."""
    size, spread = m.split(limit)
    if not isinstance(m, Float64):
        return values / size, np.zeros(len(values))
    low = (size - spread) * (1 - gamma(2))
    if not low > 0:
        return values / size, np.full(len(values), np.inf)
    ratio = values / size
    return ratio, (radii + ratio * spread) / low + gamma(8) * ratio


def _raise(low: Any, high: Any, which: Integers, values: Any, radii: Floats, certain: Any) -> None:
    """Largest values so far, from below and from above; what may not count at all raises only the upper one."""
    bottom = np.maximum(values - radii, 0 * values)
    if certain is not None:
        bottom = np.where(certain, bottom, 0 * values)
    low[which] = np.maximum(low[which], bottom)
    high[which] = np.maximum(high[which], values + radii)


@dataclass(frozen=True)
class Step:
    """One step of SGD, over all its choices of a sample.

    Parameters
    ----------
    m : Arithmetic
    residual, gradient, distance : numbers
        ``||r||``, ``||J^T r||`` and ``||theta - theta_0||`` before.
    residuals, distances : lists of numbers
        After the step with each sample.
    """

    m: Arithmetic
    residual: Number
    gradient: Number
    distance: Number
    residuals: list[Number]
    distances: list[Number]

    def mean(self, numbers: list[Number]) -> Number:
        """Their mean: the expectation over the samples."""
        total = numbers[0]
        for x in numbers[1:]:
            total = total + x
        return total / len(numbers)

    def mean_square(self) -> Number:
        """``E||r+||^2``."""
        return self.mean([r**2 for r in self.residuals])

    def mean_residual(self) -> Number:
        """``E||r+||``."""
        return self.mean(self.residuals)

    def potential_rise(self, start: Number) -> Number:
        """``E psi+ - psi``."""
        after = self.mean([bounds.sgd_potential(distance, start) for distance in self.distances])
        return after - bounds.sgd_potential(self.distance, start)


@dataclass(frozen=True)
class Paths:
    """Over all paths of t steps, t = 1, 2, ...: ``E[||r_t||^2 1{T > t}]`` and ``P(T <= t)``."""

    mean_squares: list[Number]
    exits: list[Number]


def worst(m: Arithmetic, left: list[Number], right: list[Number]) -> tuple[Number, Number]:
    """The pair that decides ``left_t <= right_t`` for all t: the one with the least margin in units of its radius."""

    def clear(pair: tuple[Number, Number]) -> Any:
        (a, a_radius), (b, b_radius) = m.split(pair[0]), m.split(pair[1])
        radius = a_radius + b_radius
        return (b - a) / radius if radius > 0 else np.inf if b >= a else -np.inf

    return min(zip(left, right, strict=True), key=clear)
