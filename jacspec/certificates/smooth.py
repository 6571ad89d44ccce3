r"""`interpolation-certificate` and `newton-certificate`: phi' Lipschitz (docs/theory.md section 7).

`gd-kantorovich` at W, with any lower bound of sigma_min(J(W)) in place of it, and upper bounds of ||r||, L and beta:
its proof uses them only in these directions. For eta beta^2 <= 1 its sharp form holds, with c = 1 (docs/errata.md; the
proof is in verification/claims/gd_kantorovich.py), and eta = 1/beta^2 is then the step with the best proved rate.
Beyond, c = 1 - eta beta^2/2 - eta L ||r||/2. beta has to hold on the ball of radius s* only: in the sharp form s* does
not depend on it; in the other s* is bounded by sigma_min/L first, and the s* that follows is a radius that will do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import bounds
from ..bounds.newton import newton_distance, newton_h
from ..rounding import Estimate
from .least_change import least_change
from .linearization import Linearization, norm_bounds
from .lipschitz import Smoothness

__all__ = ["Evidence", "kantorovich", "newton"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """What was found at W by one method: fields of a `Certificate`, and why it does not certify (None: it does)."""

    fields: dict[str, Any]
    reason: str | None


def kantorovich(
    smoothness: Smoothness, residual: Estimate, extremes: tuple[Estimate, Estimate], eta: float | None
) -> Evidence:
    """`interpolation-certificate` with a given step size, or with the best one (None)."""
    L, (low, top) = smoothness.lipschitz, extremes
    fields: dict[str, Any] = {"residual": residual, "sigma_min": low, "lipschitz": L}
    # Rounded ends, exact from here on: what the file claims, and what is checked again.
    sigma, r, steep = Estimate.exact(low.lower), Estimate.exact(residual.upper), Estimate.exact(L.upper)
    fields["h"] = _ratio(2 * L * residual, low**2)
    h = bounds.gd_kantorovich_h(steep, r, 1, sigma)
    if h.upper >= 1:
        return Evidence(fields, _too_far("h", h.upper, residual, low, L))
    path = bounds.gd_kantorovich_path(r, 1, sigma, h)
    beta = smoothness.norm_within(Estimate.exact(path.upper), top)
    most = 1 / Estimate.exact(beta.upper) ** 2
    if eta is None:
        eta = most.lower * (1 - 2.0**-48)  # so that eta beta^2 <= 1 beyond the rounding of this product too
    c = Estimate.exact(1.0)
    if not (Estimate.exact(eta) * Estimate.exact(beta.upper) ** 2).upper <= 1:
        return _long_steps(smoothness, fields, (sigma, top, r, steep), eta)
    return _settled(fields, (sigma, r, steep), c, beta, eta)


def _long_steps(
    smoothness: Smoothness, fields: dict[str, Any], ends: tuple[Estimate, Estimate, Estimate, Estimate], eta: float
) -> Evidence:
    """The form with c < 1, for a given eta beyond 1/beta^2."""
    sigma, top, r, L = ends
    step, reach = Estimate.exact(eta), math.inf if L.exact_zero else (sigma / L).upper
    c = beta = None
    for _ in range(2):
        radius = Estimate.exact(reach) if math.isfinite(reach) else Estimate.exact(0.0)  # L = 0: beta is the same
        beta = smoothness.norm_within(radius, top)
        bound = bounds.gd_step_constant(step, Estimate.exact(beta.upper), L, r)
        if bound.lower <= 0:
            why = (
                f"eta = {eta:.6g} is too long a step: c = {bound.lower:.6g} is not positive (beta <= {beta.upper:.6g})"
            )
            return Evidence({**fields, "beta": beta}, why)
        c = Estimate.exact(bound.lower)
        h = bounds.gd_kantorovich_h(L, r, c, sigma)
        if h.upper >= 1:
            why = f"h = {h.upper:.6g} with c = {c.value:.6g} is not below 1; a step size below 1/beta^2 needs no c"
            return Evidence({**fields, "beta": beta, "h": h}, why)
        reach = bounds.gd_kantorovich_path(r, c, sigma, h).upper
    assert c is not None
    assert beta is not None
    return _settled(fields, (sigma, r, L), c, beta, eta)


def _settled(
    fields: dict[str, Any], ends: tuple[Estimate, Estimate, Estimate], c: Estimate, beta: Estimate, eta: float
) -> Evidence:
    """Distance and rate, once h < 1."""
    sigma, r, L = ends
    h = bounds.gd_kantorovich_h(L, r, c, sigma)
    rate = bounds.gd_kantorovich_rate(Estimate.exact(eta), c, bounds.gd_kantorovich_D(sigma, h))
    if not (eta > 0 and rate.lower > 0):
        return Evidence({**fields, "beta": beta}, f"the step size {eta:.6g} or its rate underflows")
    path = bounds.gd_kantorovich_path(r, c, sigma, h)
    # The true h lies between what the intervals say of it and the h of the rounded ends.
    true_h = _ratio(2 * fields["lipschitz"] * fields["residual"], c * fields["sigma_min"] ** 2)
    shown = Estimate.from_bounds(min(true_h.lower, h.lower), max(true_h.upper, h.upper), h.rigorous)
    return Evidence(
        {**fields, "beta": beta, "h": shown, "eta": eta, "path_constant": c.value, "distance": path.upper,
         "rate": rate.lower},
        None,
    )  # fmt: skip


def newton(smoothness: Smoothness, at: Linearization, extremes: tuple[Estimate, Estimate], X: Floats) -> Evidence:
    r"""`newton-certificate`.

    g(u) = J^+ (f(W + u) - y) on u in range(J^T) has g'(0) = I and an ``L/sigma_min``-Lipschitz derivative; the theorem
    of Newton-Kantorovich gives a zero within ``2 ||J^+ r|| / (1 + sqrt(1 - h))`` if ``h = 2 L ||J^+ r||/sigma_min`` is
    at most 1, and J^+ is injective. ``||J^+ r|| <= ||Delta|| + ||r - J Delta||/sigma_min`` for every Delta, since J^+ J
    is a projection.
    """
    L, (low, _) = smoothness.lipschitz, extremes
    fields: dict[str, Any] = {"residual": at.residual_norm, "sigma_min": low, "lipschitz": L}
    delta, missing = least_change(at.D, X, at.residual, at.residual_radius)
    if not missing.upper < math.inf:
        return Evidence(fields, "J^+ r is beyond float64")
    sigma, steep = Estimate.exact(low.lower), Estimate.exact(L.upper)
    most = Estimate.exact(norm_bounds(delta).upper) + missing / sigma
    least = (at.residual_norm / extremes[1]).lower  # ||J^+ r|| >= ||r||/||J||
    fields["newton_step"] = Estimate.from_bounds(min(least, most.upper), most.upper, True)
    step = Estimate.exact(fields["newton_step"].upper)
    h = newton_h(steep, sigma, step)
    fields["h"] = Estimate.from_bounds(0.0, h.upper, True)
    if h.upper > 1:
        return Evidence(fields, _too_far("2 L ||J^+|| ||J^+ r||", h.upper, at.residual_norm, low, L))
    return Evidence({**fields, "distance": newton_distance(step, h).upper}, None)


def _ratio(a: Estimate, b: Estimate) -> Estimate:
    return a / b if b.lower > 0 else Estimate.infinite("sigma_min is not known to be positive")


def _too_far(name: str, value: float, residual: Estimate, low: Estimate, L: Estimate) -> str:
    wanted = low.lower / (2 * L.upper) * low.lower if L.upper > 0 else math.inf  # a square of floats may raise
    return (
        f"{name} = {value:.6g} is not below 1 (||r|| <= {residual.upper:.4g}, sigma_min >= {low.lower:.4g}, "
        f"L <= {L.upper:.4g}): train on until ||r|| < {wanted:.3g}, or polish"
    )
