"""ReLU: `theorem-gd-relu`, and from the start `gd-perturbation`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .. import bounds
from ..widths import Options, width_rows
from .model import LARGEST, VARIANTS, Facts, Floats, Guarantee, Variant, draw, first, long, made, narrow, no_start

__all__ = ["perturbation", "perturbation_sharp", "relu_theorems"]


def relu_theorems(facts: Facts) -> list[Guarantee]:
    return [_relu_theorem(facts, v) for v in VARIANTS] if facts.a.phi.family == "relu" else []


def _relu_theorem(facts: Facts, variant: Variant) -> Guarantee:
    row = facts.row("theorem-gd-relu", variant)
    void = first(row.reason if row.k is None else None, facts.unbalanced(), long(facts.share(1.0), LARGEST))
    lam = facts.a.hidden.smallest.lower
    if variant == "paper":
        lam = float(bounds.relu_hermite_lower(facts.spectrum.khatri_rao_sigma_min.lower))
    if lam <= 0:
        return Guarantee("theorem-gd-relu", variant, "VACUOUS", void or "lambda(X) is not known to be positive")
    if variant == "sharp":
        return _relu_sharp(facts, void)
    sigma = facts.v * math.sqrt(lam / 2)
    rate, path = bounds.gd_perturbation_rate(facts.eta, sigma), bounds.gd_perturbation_radius(facts.r0, sigma)
    return made("theorem-gd-relu", variant, void or narrow(facts.k, row), rate, path, **draw(row))


def _relu_sharp(facts: Facts, void: str | None) -> Guarantee:
    """The sharp theorem at this run's step size: its width, rate and path depend on it."""
    options = Options(failure=facts.failure, eta_bar=min(1.0, facts.share(1.0)))
    rows = width_rows(facts.problem, options)
    row = next(r for r in rows if (r.claim, r.variant) == ("theorem-gd-relu", "sharp"))
    if row.k is None:
        return Guarantee("theorem-gd-relu", "sharp", "VACUOUS", void or row.reason or "")
    sigma = float(bounds.initial_sigma_min(row.assumes["eps_c"], facts.v, facts.a.hidden.smallest.lower))
    path = bounds.gd_perturbation_path_sharp(facts.r0, row.assumes["b"], sigma)
    return made("theorem-gd-relu", "sharp", void or narrow(facts.k, row), row.rate, path, **draw(row))


def perturbation(facts: Facts) -> Guarantee:
    sigma = facts.sigma_0.lower
    if sigma <= 0:
        return Guarantee("gd-perturbation", "explicit", "VACUOUS", no_start(facts) or "sigma_min(J(W_0)) is zero")
    R = float(bounds.gd_perturbation_radius(facts.r0, sigma))
    (jump,), (flips,) = _jumps(facts, np.array([R]))
    allowed = float(bounds.gd_perturbation_jump(sigma))
    void = _not_relu(facts) or long(facts.share(facts.B1), LARGEST)
    if jump > allowed:
        void = void or f"{_within(facts, flips, R, jump)}, and it asks for sigma_0/8 = {allowed:.3g}"
    rate = float(bounds.gd_perturbation_rate(facts.eta, sigma))
    return made("gd-perturbation", "explicit", void, rate, R, rests="holds for this start")


#: Jumps of J, in units of sigma_0, among which the sharp form looks for the smallest that bounds its own ball's.
_JUMPS = np.concatenate([[1e-3, 3e-3], np.linspace(0.01, 0.7, 139)])


def perturbation_sharp(facts: Facts) -> Guarantee:
    """The sharp form with the smallest eps for which J moves by at most eps sigma_0 within ``||r_0||/(b sigma_0)``."""
    sigma, share = facts.sigma_0.lower, facts.share(facts.B1)
    if sigma <= 0:
        return Guarantee("gd-perturbation", "sharp", "VACUOUS", no_start(facts) or "sigma_min(J(W_0)) is zero")
    void = _not_relu(facts) or long(share, LARGEST)
    if void:
        return Guarantee("gd-perturbation", "sharp", "VACUOUS", void)
    step = min(share, 1.0) / 2  # eta beta^2
    slopes = bounds.gd_perturbation_slope_sharp(_JUMPS, step, 1.0)
    known = slopes > 1e-9
    eps, slopes = _JUMPS[known], slopes[known]
    radii = bounds.gd_perturbation_path_sharp(facts.r0, slopes, sigma)
    jumps, flips = _jumps(facts, radii)
    met = jumps <= eps * sigma
    if not np.any(met):
        best = int(np.argmin(jumps / eps))
        within = _within(facts, int(flips[best]), float(radii[best]), float(jumps[best]))
        void = f"{within}, and it asks for {eps[best]:.3g} sigma_0 = {eps[best] * sigma:.3g}"
        return Guarantee("gd-perturbation", "sharp", "VACUOUS", void)
    first = int(np.argmax(met))
    least, b = float(eps[first]), float(slopes[first])
    # The better formula needs a small jump.
    form = bounds.gd_perturbation_rate_any
    if least <= (1 - least) * (1 - step):
        form = bounds.gd_perturbation_rate_sharp
    rate = form(least, step, 1.0, sigma) * facts.eta / step
    path = bounds.gd_perturbation_path_sharp(facts.r0, b, sigma)
    rests = f"J moves by at most {least:.3g} sigma_0; holds for this start"
    return made("gd-perturbation", "sharp", None, rate, path, rests=rests)


def _not_relu(facts: Facts) -> str | None:
    return None if facts.a.phi.family == "relu" else "the count of sign changes is stated for ReLU"


def _within(facts: Facts, flips: int, R: float, jump: float) -> str:
    return f"{flips} of {facts.k} units may change sign within R = {R:.3g}, so J may move by {jump:.3g}"


def _jumps(facts: Facts, radii: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """How far J may move within each radius of W_0, and ``max_i N_i``, the units that may change sign there.

    N_i(R) is the most units whose smallest ``<w_l, x_i>^2`` together stay within R^2; phi' jumps by 1 for ReLU.
    """
    X, W = facts.run.X, facts.run.start.W
    flips = np.zeros(len(radii), dtype=np.int64)
    for x in X:
        sums = np.cumsum(np.sort((W @ x) ** 2))
        flips = np.maximum(flips, np.searchsorted(sums, radii**2 * (1 + 1e-12), side="right"))
    most = [float(bounds.relu_jacobian_perturbation(facts.v_inf, facts.X, int(count))) for count in flips]
    return facts.B1 * np.array(most), flips
