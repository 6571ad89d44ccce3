"""The output layer alone: `theorem-output-layer`, and from the start `gd-kantorovich` with L = 0."""

from __future__ import annotations

import numpy as np

from .. import bounds
from ..spectrum import singular_extremes
from .model import VARIANTS, Facts, Guarantee, made, narrow, step_constant
from .sampling import from_start

__all__ = ["output_start", "output_width"]


def output_width(facts: Facts) -> Guarantee:
    row = facts.row("theorem-output-layer", "explicit")
    void = row.reason if row.k is None else narrow(facts.k, row)
    p, rests = row.failure_probability or 0.0, "lambda_min(Phi Phi^T) is bounded below, so least squares fits"
    return made(row.claim, row.variant, void, None, None, width=row.k, failure_probability=p, rests=rests)


def output_start(facts: Facts) -> Guarantee:
    """Phi does not move: L = 0."""
    sigma, sampled = facts.sigma_0, facts.run.algorithm == "sgd"
    claim, variant = ("sgd-convergence", VARIANTS[1]) if sampled else ("gd-kantorovich", VARIANTS[2])
    if sigma.lower <= 0:
        zero = f"is exactly zero: {sigma.note}" if sigma.exact_zero else f"<= {sigma.upper:.1e}, not told from zero"
        return Guarantee(claim, variant, "VACUOUS", f"sigma_min(Phi) {zero}", mean_square=sampled)
    features = facts.run.start.features(facts.run.X)
    beta = singular_extremes(features)[1].upper
    if sampled:
        return from_start(facts, float(np.max(np.linalg.norm(features, axis=1))) * (1 + 1e-12), beta, 0.0)
    c = step_constant(facts, beta, 0.0)
    if c <= 0:
        return Guarantee(claim, variant, "VACUOUS", f"c = {c:.3g} <= 0: eta is too large")
    rate = bounds.gd_kantorovich_rate(facts.eta, c, sigma.lower**2)
    return made(
        claim, variant, None, rate, bounds.gd_kantorovich_path(facts.r0, c, sigma.lower, 0.0), rests="L = 0: Phi stays"
    )
