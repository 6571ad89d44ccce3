r"""Gradient descent in either arithmetic, with the distance of the computed run from the exact one.

The statements are about exact gradient descent; in float64 the run deviates from it. With
``G(theta) = theta - eta J^T r``, and J L-Lipschitz near theta,
``DG = I - eta J^T J - eta sum_i r_i Hess f_i`` has norm at most ``max(1, eta ||J||^2 - 1) + eta L ||r||``. So if
``delta_t`` bounds the distance of the computed theta_t from the exact one, and ``e_t`` the rounding of one step,
``delta_{t+1} = Lip(G) delta_t + e_t``. Where J jumps, the same holds with L = 0 while the ball of radius delta_t around
theta_t meets no kink; the run stops where it does, and what it says of all steps is then left open.

A run's numbers come step by step as arrays: of `Intervals` in float64, of mpmath numbers in 60 digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jacspec import bounds
from jacspec.rounding import Estimate, gamma
from verification.arithmetic import Arithmetic, Float64, Matrix, Number
from verification.ball import Ball
from verification.claim import Sides

from .intervals import Intervals
from .maps import Map, size

__all__ = ["Run", "Series", "descend", "estimate", "idle", "step_too_long", "told", "undecided", "worst_step"]

#: The numbers of a run, one for each step: Intervals, or an array of mpmath numbers.
Series = Any

#: In 60 digits runs deviate by far less than this, relative to theta.
_PRECISE_DRIFT = 1e-40
#: A run ends where ||r_t|| has fallen below, or risen above, this multiple of ||r_0||: there, rounding has the last
#: word, or the statements about rates have long failed.
_SETTLED, _DIVERGED = 1e-6, 1e3


@dataclass(frozen=True)
class Run:
    """Gradient descent ``theta_{t+1} = theta_t - eta J_t^T r_t`` for t = 0 .. steps.

    Parameters
    ----------
    f : Map
    eta : float
    thetas, residuals : lists of arrays
        theta_t (p,) and r_t (n,), steps + 1 of each.
    gradients : list of arrays
        J_t^T r_t, steps + 1 of them.
    drift, residual_errors, gradient_errors : lists of float
        In float64: how far each may be from that of the exact run.
    complete : bool
        Whether it made all its steps: a run stops where rounding cannot tell on which side of a kink it is.
    """

    f: Map
    eta: float
    thetas: list[Matrix]
    residuals: list[Matrix]
    gradients: list[Matrix]
    drift: list[float]
    residual_errors: list[float]
    gradient_errors: list[float]
    complete: bool

    @property
    def m(self) -> Arithmetic:
        """Its arithmetic."""
        return self.f.m

    @property
    def steps(self) -> int:
        """Steps made."""
        return len(self.thetas) - 1

    @property
    def times(self) -> Any:
        """1 .. steps."""
        return np.arange(1, self.steps + 1)

    def number(self, x: Any) -> Any:
        """A number of the arithmetic, ready to meet a series."""
        return Intervals.of(x) if isinstance(self.m, Float64) else self.m.number(x)

    @cached_property
    def residual_norms(self) -> Series:
        """||r_t||, t = 0 .. steps."""
        return self._norms(self.residuals, self.residual_errors)

    @cached_property
    def mean_rates(self) -> Series:
        """``1 - (||r_t|| / ||r_0||)^{1/t}``, t = 1 .. steps: the q for which ``||r_t|| = (1 - q)^t ||r_0||``.

        A bound of ||r_t|| by a geometric sequence is a bound of these from below, and unlike the bound itself they say
        how much faster the run is than promised, however short its steps.
        """
        share = self.residual_norms[1:] / self.residual_norms[0]
        if not isinstance(share, Intervals):
            return 1 - share ** (self.m.number(1.0) / self.times)
        # The exponent is off by u/t, which moves x^{1/t} by |log x| u/t: less than 1e-13 for every positive float64.
        return 1 - share ** (1 / self.times) * Intervals(1 - 1e-13, 1 + 1e-13)

    @cached_property
    def gradient_norms(self) -> Series:
        """||J_t^T r_t||, t = 0 .. steps."""
        return self._norms(self.gradients, self.gradient_errors)

    @cached_property
    def step_lengths(self) -> Series:
        """``||theta_{t+1} - theta_t|| = eta ||J_t^T r_t||``, t = 0 .. steps - 1."""
        return self.gradient_norms[:-1] * self.number(self.eta)

    @cached_property
    def path(self) -> Series:
        """s_t, the length of the path so far, t = 0 .. steps."""
        lengths = self.step_lengths
        if isinstance(lengths, Intervals):
            return lengths.cumulative()
        return np.concatenate([[self.m.number(0.0)], np.cumsum(lengths)])

    @cached_property
    def distances(self) -> Series:
        """||theta_t - theta_0||, t = 0 .. steps."""
        moved = [theta - self.thetas[0] for theta in self.thetas]
        return self._norms(moved, [e + self.m.rounding(1, size(D)) for D, e in zip(moved, self.drift, strict=True)])

    @cached_property
    def _singular_values(self) -> tuple[Series, Series]:
        found = [self.f.singular_values(theta) for theta in self.thetas]
        if not isinstance(self.m, Float64):
            return np.array([top for top, _ in found], dtype=object), np.array([low for _, low in found], dtype=object)
        # Singular values move by at most L times the drift.
        spread = _upper(self.m, self.f.lipschitz()) * np.array(self.drift)
        top, low = (Intervals([e.lower for e in es], [e.upper for e in es]) for es in zip(*found, strict=True))
        wide = Intervals(-spread, spread)
        return (top + wide).nonnegative(), (low + wide).nonnegative()

    @property
    def norms(self) -> Series:
        """||J_t||, t = 0 .. steps."""
        return self._singular_values[0]

    @property
    def sigma_min(self) -> Series:
        """sigma_min(J_t) over the n rows, t = 0 .. steps."""
        return self._singular_values[1]

    @cached_property
    def mean_changes(self) -> Series:
        """``||Jbar - J_t||``, Jbar the mean of J on the segment from theta_t to theta_{t+1}, t = 0 .. steps - 1."""
        L, found = _upper(self.m, self.f.lipschitz()), []
        for t in range(self.steps):
            ours, error = self.f.jacobian(self.thetas[t])
            mean, mean_error = self.f.mean_jacobian(self.thetas[t], self.thetas[t + 1])
            drift = L * (2 * self.drift[t] + self.drift[t + 1])
            found.append(self.m.spectral_norm(mean - ours, error + mean_error + drift))
        if isinstance(self.m, Float64):
            return Intervals([e.lower for e in found], [e.upper for e in found])
        return np.array(found, dtype=object)

    def _norms(self, vectors: list[Matrix], errors: list[float]) -> Series:
        if not isinstance(self.m, Float64):
            return np.array([self.m.norm(x) for x in vectors], dtype=object)
        rows = np.array(vectors)
        largest = np.max(np.abs(rows), axis=1)
        largest = np.where(largest > 0, largest, 1.0)
        values = largest * np.linalg.norm(rows / largest[:, None], axis=1)
        return Intervals.around(values, values * gamma(rows.shape[1] + 6) + np.array(errors)).nonnegative()


def _upper(m: Arithmetic, x: Number | None) -> float:
    if x is None:
        return 0.0
    value, radius = m.split(x)
    return float(value + radius) * (1 + 1e-15)


def descend(f: Map, y: Any, eta: float, steps: int) -> Run:
    """Run gradient descent from theta_0.

    Parameters
    ----------
    f : Map
    y : (n,) float64
        Labels, exact.
    eta : float
        Step size, exact.
    steps : int
        At most; fewer where the residual has vanished or diverged.

    Returns
    -------
    Run
    """
    m = f.m
    rounded = isinstance(m, Float64)
    labels, step = m.matrix(y), m.matrix(np.array([eta]))[0]
    L = _upper(m, f.lipschitz())
    thetas, residuals, gradients = [], [], []
    drifts, residual_errors, gradient_errors = [], [], []
    theta, drift, complete = f.start, 0.0, True
    for _ in range(steps + 1):
        if not (math.isfinite(drift) and f.clear(theta, drift)):
            complete = False
            break
        value, value_error = f.value(theta)
        J, J_error = f.jacobian(theta)
        r = value - labels
        gradient = J.T @ r
        following = theta - gradient * step
        # At the computed point: the error of f and one subtraction; J^T r: J is off, r is off, and n products.
        # From there to the exact point: ||J|| drift, and the change of J^T r.
        r_size, J_size = size(r), size(J)
        here = value_error + m.rounding(1, r_size)
        steepest = J_size + J_error + L * drift
        r_most = r_size + here + steepest * drift
        own = J_error * (r_size + here) + J_size * here + m.rounding(f.n, J_size * r_size)
        thetas.append(theta)
        residuals.append(r)
        gradients.append(gradient)
        drifts.append(drift if rounded else 0.0)
        residual_errors.append(here + steepest * drift if rounded else 0.0)
        gradient_errors.append(own + (steepest**2 + L * r_most) * drift if rounded else 0.0)
        first = size(residuals[0])
        if not max(_SETTLED * first, 10 * residual_errors[-1]) < r_size < _DIVERGED * first:
            break
        if rounded:
            spectral = steepest
            if eta * steepest**2 > 2 and drift > 0:  # the Frobenius norm may be too rough a bound of the spectral one
                spectral = min(steepest, _upper(m, f.singular_values(theta)[0]) + L * drift)
            growth = max(1.0, eta * spectral**2 - 1) + eta * L * r_most
            local = eta * (own + gamma(2) * size(gradient)) + gamma(1) * size(following)
            drift = (growth * drift + local) * (1 + 1e-12)
        else:
            drift = _PRECISE_DRIFT * (1 + size(following))
        theta = following
    return Run(f, eta, thetas, residuals, gradients, drifts, residual_errors, gradient_errors, complete)


# -- the worst step -------------------------------------------------------------------------------------------------


def worst_step(run: Run, left: Series, right: Series, *, where: Any = None, last: bool = False) -> Sides | None:
    """The step that decides ``left_t <= right_t for all t``.

    Where a step fails or is not clear: the one with the least margin in units of its radius, so that the pair is
    clear, or fails clearly, if and only if some step is so. Where all steps hold clearly: the one with the least slack
    right/left (``last``: the last one, where a path that a bound is about has grown to its full length).

    Parameters
    ----------
    run : Run
        When it is not complete, later steps are not known: the answer is left open unless a known step fails.
    left, right : series, one of which may be a single number
    where : (steps,) bool, optional
        The steps about which there is a statement.
    last : bool

    Returns
    -------
    Sides or None
        None when there are no steps to compare.
    """
    m = run.m
    (a, a_radius), (b, b_radius) = _centred(m, left), _centred(m, right)
    a, a_radius, b, b_radius = np.broadcast_arrays(a, a_radius, b, b_radius)
    steps = np.arange(a.size) if where is None else np.flatnonzero(where)
    if not len(steps):
        return None
    margin, radius = (b - a)[steps], (a_radius + b_radius)[steps]
    # As `check` has it: two exact numbers that are equal satisfy <=.
    exact = np.asarray(radius == 0, dtype=bool)
    clear = np.where(exact, np.where(margin >= 0, math.inf, -math.inf), margin / np.where(exact, 1.0, radius))
    worst = int(np.argmin(np.asarray(clear, dtype=np.float64)))
    if clear[worst] > 1:
        if not run.complete:
            return undecided(m)
        if last:
            worst = len(steps) - 1
        else:
            positive = np.asarray(a[steps] > 0, dtype=bool)
            slack = np.where(positive, b[steps] / np.where(positive, a[steps], 1.0), math.inf)
            worst = int(np.argmin(np.asarray(slack, dtype=np.float64)))
    return Sides(*(_one(m, side, steps[worst]) for side in (left, right)))


def _centred(m: Arithmetic, series: Series) -> tuple[Any, Any]:
    """Centres and radii."""
    if isinstance(m, Float64):
        s = Intervals.of(series)
        with np.errstate(invalid="ignore"):
            middle = s.lower + (s.upper - s.lower) / 2
            # A little more, for what rounds here: a pair must not look clear when it is not.
            radius = np.maximum(s.upper - middle, middle - s.lower)
            radius = np.where(radius > 0, radius + 2.0**-50 * np.abs(middle), 0.0)
        unknown = ~np.isfinite(radius)
        return np.where(unknown, 0.0, middle), np.where(unknown, math.inf, radius)
    values = np.atleast_1d(np.asarray(series, dtype=object))
    return values, np.array([m.split(x)[1] for x in values], dtype=object)


def _one(m: Arithmetic, series: Series, t: int) -> Number:
    if isinstance(m, Float64):
        s = Intervals.of(series)
        return (s[t] if s.lower.ndim else s).estimate()
    values = np.asarray(series, dtype=object)
    return values[t] if values.ndim else values.item()


def told(run: Run, found: Mapping[str, Sides | None]) -> dict[str, Sides]:
    """The pairs that there are, by variant.

    Where a run that is not complete leaves none, the question stays open; and 60 digits are only asked about variants
    that float64 found to apply.
    """
    kept = isinstance(run.m, Float64) and run.complete
    return {name: pair or undecided(run.m) for name, pair in found.items() if pair is not None or not kept}


def undecided(m: Arithmetic) -> Sides:
    """A pair of which nothing is known."""
    from mpmath import mpf

    unknown = Estimate(1.0, math.inf) if isinstance(m, Float64) else Ball(mpf(1), mpf("inf"))
    return Sides(unknown, m.number(1.0))


def idle(run: Run) -> str | None:
    """Why there is nothing to say of a run in float64 (sigma_0 = 0, r_0 = 0, a kink), or None."""
    if not run.thetas:
        return "theta_0 is at a kink, up to rounding"
    if run.sigma_min[0].lower <= 0:
        return f"sigma_0 = 0 up to rounding ({run.f.n} rows, {run.f.p} parameters)"
    if run.residual_norms[0].lower <= 0:
        return "r_0 = 0 up to rounding"
    return None


def step_too_long(eta: Series, beta: Series, share: float = 1.0) -> str | None:
    """How eta <= 1/(2 beta^2) fails, in float64 (`share`: of the right-hand side)."""
    largest = bounds.gd_largest_step(beta) * share
    if eta.upper <= largest.lower:
        return None
    return f"eta = {float(eta.upper):.6g} exceeds {share:.3g}/(2 beta^2) = {float(largest.lower):.6g}"


def estimate(run: Run, x: Any) -> Number:
    """One number of a run as the arithmetic's own: what `Map` takes."""
    return x.estimate() if isinstance(x, Intervals) else x
