"""Closed-form dual kernels: two-dimensional quadrature, ulps, diagonals, Lipschitz constants."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from test_activations import REFERENCE, _pdf

from jacspec.activations import BUILTIN, Activation, activation
from jacspec.activations.base import DualKernel
from jacspec.hermite import hermite_enclosures, moment_enclosure
from jacspec.rounding import UNIT_ROUNDOFF as U

Real = Any
Function = Callable[[Real], Real]

NAMES = list(BUILTIN)
#: Every family, and leaky_relu at unusual slopes.
ALL = [*NAMES, "leaky_relu:slope=0.3", "leaky_relu:slope=-1.0", "leaky_relu:slope=-7.5", "leaky_relu:slope=1000.0"]


# -- dual kernels ---------------------------------------------------------------------------------------------------

KERNELS = [(name, which) for name in ALL for which in ("dual", "dual_output") if activation(name).dual is not None]
EDGE = 1 - 1e-12
RHO = [-1.0, -EDGE, -1 + 1e-6, -0.9, -0.5, -1e-3, -1e-9, 0.0, 1e-300, 1e-3, 0.3, 0.5, 0.75, 0.9, 1 - 1e-6, EDGE, 1.0]


def _kernel(name: str, which: str) -> tuple[Activation, DualKernel, Callable[[np.ndarray], np.ndarray]]:
    phi = activation(name)
    return phi, getattr(phi, which), phi.derivative if which == "dual" else phi


def _evaluate(kernel: DualKernel, rho: np.ndarray) -> np.ndarray:
    with mp.workdps(40):
        theta = np.array([float(mp.acos(mp.mpf(r))) for r in rho.tolist()])
    return kernel.evaluate(rho, theta)


def test_which_have_closed_forms() -> None:
    have = {name for name in NAMES if BUILTIN[name].dual is not None}
    assert have == {"relu", "leaky_relu", "erf", "gelu", "elu", "sin", "gaussian", "quadratic", "linear"}
    assert have == {name for name in NAMES if BUILTIN[name].dual_output is not None}


@pytest.mark.parametrize("name, which", KERNELS)
def test_dual_kernels_by_two_dimensional_quadrature(name: str, which: str) -> None:
    """Polar coordinates: kinks are rays, so each sector is analytic, however small the angle."""
    _, kernel, f = _kernel(name, which)
    rho = np.array(RHO)
    values = _evaluate(kernel, rho)
    t, w = np.polynomial.legendre.leggauss(60)
    edges = np.linspace(0, 12, 9)
    radius = (0.5 * np.diff(edges)[:, None] * (t + 1) + edges[:-1, None]).ravel()
    weight = (0.5 * np.diff(edges)[:, None] * w).ravel() * radius * np.exp(-0.5 * radius**2) / (2 * math.pi)
    for r, value in zip(RHO, values, strict=True):
        theta = math.acos(r) if abs(r) < 0.99 else 2 * math.asin(math.sqrt((1 - abs(r)) / 2))
        if r < -0.99:
            theta = math.pi - theta
        rays = sorted({-math.pi, -math.pi / 2, 0.0, math.pi / 2, math.pi} | {theta - math.pi / 2, theta + math.pi / 2})
        rays = [x if x <= math.pi else x - 2 * math.pi for x in rays]
        rays = sorted({*rays, math.pi})
        total, size = 0.0, 0.0
        for a, b in pairwise(rays):
            angle = 0.5 * (b - a) * (t + 1) + a
            # The second ray's own angle keeps the sign of cos exact in narrow sectors.
            product = f(np.outer(radius, np.cos(angle))) * f(np.outer(radius, np.cos(angle - theta)))
            part = 0.5 * (b - a) * np.outer(weight, w) * product
            total += float(part.sum())
            size += float(np.abs(part).sum())
        # 480 x 60 products per sector, pairwise sums: 64 u of the absolute sum, and the angle's rounding (pi u) times
        # the slope; the truncation at radius 12 is exp(-72).
        assert abs(total - value) <= U * (64 * size + (kernel.ulps + 8 * kernel.lipschitz) * max(1, kernel.at_one)), r


def _ncdf(x: Real) -> Real:
    return mp.erfc(-x / mp.sqrt(2)) / 2


#: f and ``(m, s) -> E f(m + s g)`` of the kinked activations.
CONDITIONAL: dict[tuple[str, str], tuple[Function, Callable[[Real, Real], Real]]] = {
    ("elu", "dual"): (
        REFERENCE["elu"][1],
        lambda m, s: _ncdf(m / s) + mp.exp(m + s * s / 2) * _ncdf(-m / s - s),
    ),
    ("elu", "dual_output"): (
        REFERENCE["elu"][0],
        lambda m, s: m * _ncdf(m / s) + s * _pdf(m / s) + mp.exp(m + s * s / 2) * _ncdf(-m / s - s) - _ncdf(-m / s),
    ),
}


def _kernel_truth(name: str, which: str, rho: Real) -> Real:
    """E f(a) f(b) at 30 digits or more: one integral for elu, another closed form for ReLU, the Hermite series else."""
    phi = activation(name)
    if (name, which) in CONDITIONAL:
        f, mean = CONDITIONAL[name, which]
        s = mp.sqrt((1 - rho) * (1 + rho))
        cuts = {mp.mpf(0), mp.mpf(5), mp.mpf(13)}
        while s > 0 and max(cuts - {mp.mpf(5), mp.mpf(13)}) < 3:
            cuts.add(max(s, 4 * max(cuts - {mp.mpf(5), mp.mpf(13)})))
        g = (lambda a: f(a) * mean(rho * a, s) * _pdf(a)) if s > 0 else (lambda a: f(a) * f(rho * a) * _pdf(a))
        return mp.quad(g, sorted({-c for c in cuts} | cuts), method="gauss-legendre")
    if name.startswith(("relu", "leaky")):
        slope = mp.mpf(dict(phi.parameters).get("slope", 0.0))
        step = mp.mpf(1) / 4 + mp.asin(rho) / (2 * mp.pi)
        ramp = rho * step + mp.sqrt((1 - rho) * (1 + rho)) / (2 * mp.pi)
        return slope + (1 - slope) ** 2 * step if which == "dual" else slope * rho + (1 - slope) ** 2 * ramp
    # Entire functions: |mu_r|^2 falls below 3^-r.
    mu = [mp.mpf(m.mid().str(50, radius=False)) for m in hermite_enclosures(phi, 130, digits=45)]
    mean = mp.mpf(moment_enclosure(phi, "mean", digits=45).mid().str(50, radius=False))
    terms = [m * m for m in mu] if which == "dual" else [mean**2, *(m * m / (r + 1) for r, m in enumerate(mu))]
    total = mp.mpf(0)
    for term in reversed(terms):
        total = total * rho + term
    return total


@pytest.mark.parametrize("name, which", KERNELS)
def test_dual_kernels_within_their_ulps(name: str, which: str) -> None:
    _, kernel, _ = _kernel(name, which)
    grid = RHO if name == "elu" else sorted({*RHO, *np.linspace(-0.99, 0.99, 45).tolist()})
    values = _evaluate(kernel, np.array(grid))
    with mp.workdps(34):
        size = max(1.0, kernel.at_one)
        for r, value in zip(grid, values.tolist(), strict=True):
            rho = mp.mpf(r)
            error = abs(mp.mpf(value) - _kernel_truth(name, which, rho))
            if kernel.uses_angle:  # the angle given is rounded; its error is not evaluate's
                theta = mp.acos(rho)
                error -= kernel.lipschitz * abs(mp.mpf(float(theta)) - theta)
            assert error <= kernel.ulps * U * size, (r, float(error / U))
        top = _kernel_truth(name, which, mp.mpf(1))
        assert abs(mp.mpf(kernel.at_one) - top) <= 4 * U * top


@pytest.mark.parametrize("name, which", KERNELS)
def test_dual_diagonal_is_the_moment(name: str, which: str) -> None:
    phi, kernel, _ = _kernel(name, which)
    moment = moment_enclosure(phi, "mean_derivative_square" if which == "dual" else "mean_square", digits=30)
    assert abs(float(moment.mid()) - kernel.at_one) <= 4 * U * kernel.at_one


@pytest.mark.parametrize("name, which", KERNELS)
def test_dual_lipschitz_constants(name: str, which: str) -> None:
    """Partial derivatives of what is computed: a bound for errors of rho and theta that occur together."""
    _, kernel, _ = _kernel(name, which)
    theta = np.linspace(1e-3, math.pi - 1e-3, 2001)
    rho = np.cos(theta)
    h = 1e-6

    def slope(dr: float, dt: float) -> np.ndarray:
        f = kernel.evaluate
        return np.abs(f(rho + dr, theta + dt) - f(rho - dr, theta - dt)) / (2 * h)

    steepest = float((slope(h, 0.0) + slope(0.0, h)).max())
    noise = (kernel.ulps * U * max(1.0, kernel.at_one)) / h
    assert steepest <= kernel.lipschitz + noise
    # Not absurdly large either: an error carried with it stays meaningful.
    assert kernel.lipschitz <= 3 * steepest + noise
    if not kernel.uses_angle:
        np.testing.assert_array_equal(kernel.evaluate(rho, theta), kernel.evaluate(rho, theta * 0))
