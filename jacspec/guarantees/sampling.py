"""SGD: `theorem-sgd-smooth`, and from the start `sgd-convergence`."""

from __future__ import annotations

import numpy as np

from .. import bounds
from .model import Facts, Guarantee, draw, first, long, made, narrow, no_start

__all__ = ["from_start", "sgd_start", "sgd_theorem"]


def _several(facts: Facts) -> str | None:
    return f"it takes one sample a step, and the run took {facts.run.batch}" if facts.run.batch > 1 else None


def sgd_theorem(facts: Facts) -> Guarantee:
    row, lam = facts.row("theorem-sgd-smooth", "explicit"), facts.a.hidden.smallest.lower
    if row.k is None:
        return Guarantee("theorem-sgd-smooth", "explicit", "VACUOUS", row.reason or "", mean_square=True)
    most = float(bounds.sgd_smooth_step_size(1.0, facts.n, facts.B1, facts.y, facts.X, lam))
    most = min(most, float(bounds.sgd_step_size(1.0, facts.B1 * facts.v, 1.0, facts.nu)[1]))
    void = first(_several(facts), facts.unbalanced(), long(facts.eta / most, "the theorem's step size"))
    rate = float(bounds.sgd_smooth_rate(facts.eta, facts.n, facts.y, lam))
    alpha = bounds.gd_smooth_alpha(facts.y, facts.n, lam)
    path = float(bounds.sgd_exit_distance(0.25, alpha, facts.nu, facts.r0))
    void = void or narrow(facts.k, row)
    return made("theorem-sgd-smooth", "explicit", void, rate, path, mean_square=True, **draw(row))


def sgd_start(facts: Facts) -> Guarantee:
    why = no_start(facts)
    if why:
        return Guarantee("sgd-convergence", "explicit", "VACUOUS", why, mean_square=True)
    b = facts.B1 * facts.v * float(np.max(np.linalg.norm(facts.run.X, axis=1))) * (1 + 1e-12)
    beta = float(bounds.jacobian_norm_sharp(facts.B1, facts.v, facts.X))
    two_four = facts.spectrum.norm_2_to_4_squared.upper
    L = float(bounds.jacobian_lipschitz_optimal(facts.B2, facts.v_inf, two_four, 1.0))
    return from_start(facts, b, beta, L)


def from_start(facts: Facts, b: float, beta: float, L: float) -> Guarantee:
    """`sgd-convergence` from this start."""
    alpha, nu = facts.sigma_0.lower / 2, facts.nu
    least = float(bounds.sgd_drift(0.25, nu, L, facts.r0))
    most = min(bounds.sgd_step_size(alpha, b, beta, nu))
    void = first(_several(facts), long(facts.eta / most, "min(4 alpha^2/(5 b^2 beta^2), 4/(nu b^2))"))
    if alpha**2 < least:
        void = void or f"alpha^2 = {alpha**2:.3g}, and it asks for 8 nu L ||r_0|| = {least:.3g}"
    rate = bounds.sgd_rate(facts.eta, alpha, facts.n, 1.0)
    path = bounds.sgd_exit_distance(0.25, alpha, nu, facts.r0)
    failure = float(bounds.sgd_exit_failure(nu))
    rests = f"leaves its ball with probability at most {failure:g}"
    return made(
        "sgd-convergence", "explicit", void, rate, path, mean_square=True, failure_probability=failure, rests=rests
    )
