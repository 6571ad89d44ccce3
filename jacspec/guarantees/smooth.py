"""Gradient descent and smooth phi: `theorem-gd-smooth`, and from the start `gd-convergence` and `gd-kantorovich`."""

from __future__ import annotations

import math
from typing import Any

from .. import bounds
from ..widths import Options, SmoothPromise, gd_smooth_sharp_at
from ..widths.model import Void, need_mu, need_square
from .model import (
    LARGEST,
    LARGEST_SHARP,
    Facts,
    Guarantee,
    count,
    draw,
    first,
    long,
    made,
    narrow,
    no_start,
    step_constant,
)

__all__ = ["convergence", "explicit", "kantorovich", "paper", "sharp"]


def _theorem(facts: Facts, variant: Any, B: float, rate: float, path: float) -> Guarantee:
    row, share = facts.row("theorem-gd-smooth", variant), facts.share(B)
    void = first(row.reason if row.k is None else None, facts.unbalanced(), long(share, LARGEST))
    void = void or narrow(facts.k, row)
    return made("theorem-gd-smooth", variant, void, rate, path, **draw(row))


def paper(facts: Facts) -> Guarantee:
    row = facts.row("theorem-gd-smooth", "paper")
    try:
        mu, sigma = need_mu(facts.problem).lower, need_square(facts.spectrum.khatri_rao_sigma_min).lower
        B = facts.a.phi.B.upper
        if not math.isfinite(B):
            raise Void(row.reason or "B is infinite")
    except Void as why:
        return Guarantee("theorem-gd-smooth", "paper", "VACUOUS", str(why), width=row.k)
    rate = bounds.gd_smooth_rate_paper(facts.share(B), mu, B, sigma, facts.X)
    alpha = bounds.gd_smooth_alpha(facts.v * math.sqrt(facts.n), facts.n, bounds.hermite_lower(mu, sigma))
    path = bounds.gd_convergence_path(alpha, facts.r0)
    return _theorem(facts, "paper", B, rate, path)


def explicit(facts: Facts) -> Guarantee:
    row, lam = facts.row("theorem-gd-smooth", "explicit"), facts.a.hidden.smallest.lower
    if row.k is None:
        return Guarantee("theorem-gd-smooth", "explicit", "VACUOUS", row.reason or "")
    alpha = bounds.gd_smooth_alpha(facts.v * math.sqrt(facts.n), facts.n, lam)
    rate = bounds.gd_convergence_rate(facts.eta, alpha)
    return _theorem(facts, "explicit", facts.B1, rate, bounds.gd_convergence_path(alpha, facts.r0))


def sharp(facts: Facts) -> Guarantee:
    row, share = facts.row("theorem-gd-smooth", "sharp"), facts.share(facts.B1)
    void = first(row.reason if row.k is None else None, facts.unbalanced(), long(share / 2, LARGEST_SHARP))
    if void:
        return Guarantee("theorem-gd-smooth", "sharp", "VACUOUS", void, width=row.k)
    options = Options(failure=facts.failure, eta_bar=min(2.0, share))
    here = gd_smooth_sharp_at(facts.problem, facts.k, options)
    void = None
    if here is None:
        void = f"k = {facts.k}, and it asks for k >= {count(row.k)}"
        here = _sharp_beyond(facts, 2 * row.k, options)
        if here is None:
            return Guarantee("theorem-gd-smooth", "sharp", "VACUOUS", void, width=row.k)
        void += f" (numbers: those of k = {count(here.k)})"
    path = bounds.gd_kantorovich_path(facts.r0, here.c, facts.v * math.sqrt(here.lam), here.h)
    rests = f"h = {here.h:.4g}; fails with probability at most {facts.failure:.3g}"
    p = facts.failure
    return made("theorem-gd-smooth", "sharp", void, here.rate, path, rests=rests, width=row.k, failure_probability=p)


def _sharp_beyond(facts: Facts, k: int, options: Options) -> SmoothPromise | None:
    """The sharp theorem at the first of k, 2k, 4k, ... at which it holds for this step size."""
    for _ in range(8):
        found = gd_smooth_sharp_at(facts.problem, k, options)
        if found is not None:
            return found
        k *= 2
    return None


# -- the start, smooth ----------------------------------------------------------------------------------------------


def convergence(facts: Facts) -> Guarantee:
    why = no_start(facts)
    if why:
        return Guarantee("gd-convergence", "explicit", "VACUOUS", why)
    alpha = facts.sigma_0.lower / 2
    L = bounds.jacobian_lipschitz_paper(facts.B2, facts.v_inf, facts.X, 1.0)
    least = bounds.gd_convergence_alpha_squared(L, facts.r0)
    void = long(facts.share(facts.B1), LARGEST)
    if alpha**2 < least:
        void = (
            void
            or f"alpha^2 = {alpha**2:.3g} with alpha = sigma_min(J(W_0))/2, and it asks for 2 L ||r_0|| = {least:.3g}"
        )
    rate, path = bounds.gd_convergence_rate(facts.eta, alpha), bounds.gd_convergence_path(alpha, facts.r0)
    return made("gd-convergence", "explicit", void, rate, path, rests="holds for this start")


def kantorovich(facts: Facts) -> Guarantee:
    why = no_start(facts)
    if why:
        return Guarantee("gd-kantorovich", "sharp", "VACUOUS", why)
    sigma, beta = facts.sigma_0.lower, bounds.jacobian_norm_sharp(facts.B1, facts.v, facts.X)
    two_four = facts.spectrum.norm_2_to_4_squared.upper
    L = bounds.jacobian_lipschitz_optimal(facts.B2, facts.v_inf, two_four, 1.0)
    c = step_constant(facts, beta, L)
    if c <= 0:
        return Guarantee("gd-kantorovich", "sharp", "VACUOUS", f"c = {c:.3g} <= 0: eta is too large")
    h = float(bounds.gd_kantorovich_h(L, facts.r0, c, sigma))
    if not h < 1:
        return Guarantee(
            "gd-kantorovich",
            "sharp",
            "VACUOUS",
            f"h = 2 L ||r_0||/(c sigma_0^2) = {h:.3g} with c = {c:.3g}, and it asks for h < 1",
        )
    rate = bounds.gd_kantorovich_rate(facts.eta, c, bounds.gd_kantorovich_D(sigma, h))
    path = bounds.gd_kantorovich_path(facts.r0, c, sigma, h)
    why = f"h = {h:.4g} < 1 for this start" + ("" if c == 1 else f", with c = {c:.3g} (eta exceeds {LARGEST_SHARP})")
    return Guarantee("gd-kantorovich", "sharp", "OK", why, float(rate), float(path))
