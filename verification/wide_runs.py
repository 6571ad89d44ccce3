r"""Gradient descent and SGD on the hidden weights of a wide network, and how far the run is from the exact one.

The statements are about exact iterations. A step ``W -> W - eta J^T r`` (over all rows, or over one) has derivative
``I - eta J^T J - eta sum_i r_i Hess f_i`` of norm at most ``max(1, eta ||J||^2 - 1) + eta L ||r||``. So if delta_t
bounds the distance of the computed W_t from the exact one and e_t the rounding of one step,
``delta_{t+1} <= (...) delta_t + e_t``. All constants are global bounds: nothing of size n x kd is formed.

Where phi' jumps, the same holds with L = 0 but for the units whose sign at some row the two iterates may not share.
These change J by at most E in Frobenius norm; they add ``eta ||J|| E`` to the factor and ``eta E ||r||`` to e_t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jacspec.rounding import gamma

from .arithmetic import Arithmetic, Float64, Number
from .claim import Sides

if TYPE_CHECKING:
    from jacspec.activations import Activation

__all__ = ["Network", "WideRun", "contraction", "descend", "descent", "longest"]

Floats = NDArray[np.float64]

#: A run stops when its residual exceeds this multiple of the first one.
_DIVERGED = 1e6


@dataclass(frozen=True)
class Network:
    """X, v, phi and global bounds of the Jacobian ``||J|| <= beta`` of all rows, ``||J_i|| <= b`` of one.

    L and l are the Lipschitz constants of J and of its rows, zero where phi' jumps.
    """

    X: Floats
    v: Floats
    phi: Activation
    X_norm: float

    @cached_property
    def v_norm(self) -> float:
        return 1.0001 * float(np.linalg.norm(self.v))

    @property
    def b(self) -> float:
        return self.phi.B1.upper * self.v_norm * 1.0001

    @property
    def beta(self) -> float:
        return self.b * self.X_norm

    @property
    def l(self) -> float:  # noqa: E743 - the paper's letter, small
        return self.phi.B2.upper * float(np.max(np.abs(self.v))) * 1.0001 if self.phi.is_smooth else 0.0

    @property
    def L(self) -> float:
        return self.l * self.X_norm


@dataclass(frozen=True)
class WideRun:
    """What a run measured at t = 0 .. steps: numbers of its arithmetic, and how far off each may be.

    Parameters
    ----------
    m : Arithmetic
    residuals, distances, paths : lists
        ``||r_t||``, ``||W_t - W_0||_F`` and the length of the path so far.
    residual_errors, distance_errors, path_errors : lists of float
        Zero in 60 digits.
    """

    m: Arithmetic
    residuals: list[Any]
    distances: list[Any]
    paths: list[Any]
    residual_errors: list[float]
    distance_errors: list[float]
    path_errors: list[float]

    @property
    def steps(self) -> int:
        """Steps made; fewer than asked for where it diverged."""
        return len(self.residuals) - 1

    def residual(self, t: int) -> Number:
        """||r_t||."""
        return self.m.number(self.residuals[t], self.residual_errors[t])

    def distance(self, t: int) -> Number:
        """||W_t - W_0||_F."""
        return self.m.number(self.distances[t], self.distance_errors[t])

    def path(self, t: int) -> Number:
        """Length of the path from W_0 to W_t."""
        return self.m.number(self.paths[t], self.path_errors[t])


def descend(
    m: Arithmetic,
    net: Network,
    W0: Floats,
    y: Floats,
    eta: float,
    steps: int,
    order: Sequence[int] | None = None,
) -> WideRun:
    """Gradient descent, or SGD that takes the rows in a given order.

    Parameters
    ----------
    m : Arithmetic
    net : Network
    W0 : (k, d) float64
    y : (n,) float64
    eta : float
        Exact.
    steps : int
    order : sequence of int, optional
        The row of each step: ``W -= eta r_i grad f_i``.

    Returns
    -------
    WideRun
    """
    exact = not isinstance(m, Float64)
    errors = _Errors(net, W0, eta, order is not None)
    X, v, labels, start = m.matrix(net.X), m.matrix(net.v), m.matrix(y), m.matrix(W0)
    step_size = m.matrix(np.array([eta]))[0]
    W, path = start, _norm(m, start[:0])
    run = WideRun(m, [], [], [], [], [], [])
    for t in range(steps + 1):
        Z = X @ W.T
        # NumPy sums rows pairwise: few roundings, also for a million units.
        r = np.sum(m.evaluate(net.phi, "phi", Z) * v, axis=1) - labels
        size, distance = _norm(m, r), _norm(m, W - start)
        if not math.isfinite(float(size)):
            break
        if not exact:
            errors.at(Z, float(size), float(distance))
        run.residuals.append(size)
        run.distances.append(distance)
        run.paths.append(path)
        run.residual_errors.append(0.0 if exact else _bounded(errors.residual))
        run.distance_errors.append(0.0 if exact else _bounded(errors.distance))
        run.path_errors.append(0.0 if exact else _bounded(errors.path))
        if t == steps or float(size) > _DIVERGED * float(run.residuals[0]):
            break
        rows = slice(None) if order is None else slice(order[t], order[t] + 1)
        gradient = (m.evaluate(net.phi, "dphi", Z[rows]) * r[rows, None]).T @ X[rows] * v[:, None]
        step = gradient * step_size
        length = _norm(m, step)
        W, path = W - step, path + length
        if not exact:
            errors.move(float(np.linalg.norm(r[rows])), float(length))
    return run


def _norm(m: Arithmetic, A: Any) -> Any:
    """Euclidean norm as a plain number; `_Errors` knows how far off it may be."""
    return float(np.linalg.norm(A)) if isinstance(m, Float64) else m.norm(A)


def _bounded(error: float) -> float:
    """An error that has grown beyond all numbers as infinity."""
    return error if math.isfinite(error) else math.inf


class _Errors:
    """How far a run in float64 may be from the exact one. A call of `at` at every W_t, one of `move` for every step."""

    def __init__(self, net: Network, W0: Floats, eta: float, single: bool) -> None:
        (n, d), k = net.X.shape, len(net.v)
        self.net, self.eta, self.rows, self.d = net, eta, 1 if single else n, d
        self.root_n, self.count = 1.001 * math.sqrt(n), k * d
        self.start = 1.001 * float(np.linalg.norm(W0))
        # Roundings of one output: d for z, 12 for phi and the product with v, then a pairwise sum of k numbers, of
        # blocks of 128 in 8 strands, or of buffers of 8192 one after the other.
        self.sum = d + 48 + math.ceil(math.log2(k)) + k // 8192
        self.drift = self.residual = self.distance = self.path = self.here = self.jump = self.size = 0.0

    def at(self, Z: Floats, r: float, distance: float) -> None:
        """Errors of ``||r||`` and of the distance at the point reached."""
        net, B1 = self.net, self.net.phi.B1.upper
        self.size = self.start + distance + self.drift
        level = abs(float(net.phi(np.zeros(1))[0])) * math.sqrt(len(net.v)) + 2 * B1 * self.size
        self.here = gamma(self.sum) * self.root_n * net.v_norm * level + gamma(1) * r
        self.residual = self.here + net.beta * self.drift + gamma(len(net.X) + 4) * r
        self.distance = self.drift + gamma(self.count + 6) * distance
        if not net.phi.is_smooth:
            near = 1.001 * (self.drift + gamma(self.d) * self.size)
            weight = float(np.sum((np.abs(Z) <= near) @ net.v**2))
            self.jump = 2.001 * B1 * math.sqrt(weight)

    def move(self, r: float, length: float) -> None:
        """One step over rows with residual norm r, of a stated length."""
        net, eta, rows = self.net, self.eta, self.rows
        top, slope = (net.b, net.l) if rows == 1 else (net.beta, net.L)
        root, most = 1.001 * math.sqrt(rows), r + self.here
        # phi' is off by B2 gamma_d |x||w| and by 8 u B1; the products and the sum over the rows follow.
        own = root * (net.l * gamma(self.d) * self.size + gamma(8) * net.b) * most
        own += top * self.here + gamma(rows + 6) * root * net.b * most + self.jump * most
        moved = most + net.beta * self.drift
        self.path += eta * (own + (top**2 + slope * moved + top * self.jump) * self.drift)
        self.path += gamma(self.count + 6) * length
        growth = max(1.0, eta * top**2 - 1) + eta * (slope * moved + top * self.jump)
        local = eta * own + gamma(2) * length + gamma(1) * (self.size + length)
        self.drift = (growth * self.drift + local) * (1 + 1e-12)


def _unknown(m: Arithmetic) -> Number:
    """A number of which nothing is known."""
    return m.number(0.0, math.inf)


# -- the step that decides ------------------------------------------------------------------------------------------
#
# A step that fails by more than its error, if there is one; else the step that is nearest to failing when all errors
# are against it. So the pair is clear, or fails clearly, if and only if some step does.


def contraction(run: WideRun, rate: float) -> Sides:
    """``rate <= 1 - (||r_t||/||r_0||)^{1/t}``, which is ``||r_t|| <= (1 - rate)^t ||r_0||``, at the step that decides.

    The right side is the rate that was measured: negative where the residual grew.
    """
    m = run.m
    sizes, off = np.array([float(r) for r in run.residuals]), np.array(run.residual_errors)
    t = np.arange(1, len(sizes))
    start = max(sizes[0] - off[0], np.finfo(float).tiny)
    most = 1 - (np.maximum(sizes[1:] - off[1:], 0) / (sizes[0] + off[0])) ** (1 / t)
    least = 1 - ((sizes[1:] + off[1:]) / start) ** (1 / t)
    worst = int(t[np.argmin(most if np.min(most) < rate - 1e-14 else least)])
    if not isinstance(m, Float64):
        return Sides(m.number(rate), 1 - (run.residual(worst) / run.residual(0)) ** (m.number(1.0) / worst))
    if math.isinf(off[worst]):
        return Sides(m.number(rate), _unknown(m))
    ratio = run.residual(worst).nonnegative() / run.residual(0)
    # The exponent is off by half an ulp, which moves the power by less than one.
    return Sides(m.number(rate), m.number(1 - ratio ** (1 / worst), 1e-15 * max(1.0, ratio.upper)))


def descent(run: WideRun, slope: float, along: str = "path", curvature: float = 0.0) -> Sides:
    """``slope s - curvature s^2 / 2 <= ||r_0|| - ||r_t||`` at the step that decides.

    Parameters
    ----------
    run : WideRun
    slope, curvature : float
    along : "distance" or "path"
        What s is.
    """
    m = run.m
    travelled = run.distances if along == "distance" else run.paths
    off = np.array(run.distance_errors if along == "distance" else run.path_errors)[1:]
    s = np.array([float(x) for x in travelled])[1:]
    sizes, errors = np.array([float(r) for r in run.residuals]), np.array(run.residual_errors)
    fall, error = sizes[0] - sizes[1:], errors[0] + errors[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        over = slope * (s - off) - curvature * (s + off) ** 2 / 2 - (fall + error)
        left = slope * (s + off) - curvature * (s + off) ** 2 / 2
        slack = np.where(left > 0, (fall - error) / left, np.where(fall >= error, np.inf, -np.inf))
    over = np.where(np.isnan(over), -np.inf, over)
    worst = int(np.argmax(over) if np.max(over) > 0 else np.argmin(np.where(np.isnan(slack), -np.inf, slack)))
    if math.isinf(off[worst]) or math.isinf(error[worst]):
        return Sides(_unknown(m), m.number(0.0))
    at = run.distance(worst + 1) if along == "distance" else run.path(worst + 1)
    bound = at * m.number(slope)
    if curvature:
        bound = bound - at * at * m.number(curvature / 2)
    return Sides(bound, run.residual(0) - run.residual(worst + 1))


def longest(run: WideRun, quantity: str) -> Number:
    """The largest of "distance", "residual" or "path" along the run."""
    values = {"distance": run.distances, "residual": run.residuals, "path": run.paths}[quantity]
    worst = int(np.argmax([float(x) for x in values]))
    found: Number = getattr(run, quantity)(worst)
    return found
