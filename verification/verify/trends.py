"""Laws about growing sizes: independent data sets at each size, and the trend that they show. No verdict."""

from __future__ import annotations

from ..claim import Claim, Verdict
from ..instances import Instance
from ..trend import Grid, Trend, measure
from .report import Options, VariantReport

__all__ = ["trends"]

_ONE_X = "a law about growing sizes: one data set shows no trend"


def trends(claim: Claim, options: Options) -> dict[str, VariantReport]:
    """Measure every law of a claim of kind ASYMPTOTIC.

    Laws on one grid see the same data sets. Each is keyed by (seed, n, d, draw), so that a law's points do not depend
    on which other laws or sizes are measured.

    Parameters
    ----------
    claim : Claim
    options : Options
        `examples` sets how many sizes (see `Grid.plan`), `alpha` the level of the intervals.

    Returns
    -------
    dict of str to VariantReport
        MEASURED, or VACUOUS on a user's X.
    """
    if options.X is not None:
        return {law.name: VariantReport(law.name, Verdict.VACUOUS, 0, 0, 0, reason=_ONE_X) for law in claim.trends}
    found: dict[str, Trend] = {}
    for grid in dict.fromkeys(law.grid for law in claim.trends):
        found |= _on_grid(claim, grid, options)
    return {law.name: _report(found[law.name]) for law in claim.trends}


def _on_grid(claim: Claim, grid: Grid, options: Options) -> dict[str, Trend]:
    laws = [law for law in claim.trends if law.grid == grid]
    samples: dict[str, list[tuple[int, int, list[float]]]] = {law.name: [] for law in laws}
    for n, d, draws in grid.plan(options.examples):
        for law in laws:
            samples[law.name].append((n, d, []))
        for draw in range(draws):
            instance: Instance = claim.domain.build({"n": n, "d": d, "seed": options.seed}, draw)
            for law in laws:
                samples[law.name][-1][2].append(law.quantity(instance))
    return {law.name: measure(law, samples[law.name], 1 - options.alpha) for law in laws}


def _report(trend: Trend) -> VariantReport:
    draws = sum(point.draws for point in trend.points)
    return VariantReport(trend.law, Verdict.MEASURED, instances=draws, decided=0, vacuous=0, trend=trend)
