"""Trends on the screen and in a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jacspec import InputError

from .common import put
from .text import number, rounded_up

if TYPE_CHECKING:
    from rich.console import Console

    from verification.claim import Claim
    from verification.trend import Fit, Trend
    from verification.verify import ClaimReport

__all__ = ["check_plot", "draw", "print_trends"]


def check_plot(path: str | None, claims: Sequence[Claim], *, on_one_X: bool) -> None:
    """Refuse a figure of which nothing would be drawn before any work is done.

    Raises
    ------
    InputError
        If no claim has trends, or they are not measured.
    """
    if path is None:
        return
    if on_one_X:
        raise InputError("--plot", repr(path), "a run on growing random data: without --data and --instance")
    if not any(claim.trends for claim in claims):
        raise InputError("--plot", repr(path), "at least one claim with trends (kind 'asymptotic' in `jacspec claims`)")


def draw(path: str, reports: Sequence[ClaimReport], seed: int) -> None:
    """Write the figure of all trends."""
    from verification.plots import render, trend_figure
    from verification.plots.style import need_format

    shown = [report for report in reports if any(v.trend for v in report.variants)]
    trends = [v.trend for report in shown for v in report.variants if v.trend is not None]
    title = f"{', '.join(report.id for report in shown)}  (seed {seed})"
    put(path, "--plot", render(trend_figure(trends, title), need_format(path)))


def print_trends(out: Console, reports: Sequence[ClaimReport], *, points: bool) -> None:
    """What was measured of every law; with `points`, also each size."""
    trends = [v.trend for report in reports for v in report.variants if v.trend is not None]
    if not trends:
        return
    from .tables import table

    columns = ("law", "predicted", "measured", "interval", "prediction", "plain", "halves")
    listing = table(*columns, right=(1, 2, 3, 5, 6))
    listing.columns[4].no_wrap = True
    for t in trends:
        sign = "n^" if t.decay is None else "-> "
        where = "inside" if t.outside == 0 else f"out {t.outside:.1f}"
        overall = t.raw.value if t.decay is None else t.decay.value
        halves = ", ".join(_fixed(h.value, 2) for h in t.halves)
        found = (f"{sign}{t.predicted:g}", _fixed(t.fit.value), t.fit.interval(), where)
        listing.add_row(t.law, *found, _fixed(overall, 2), halves)
    out.print(listing)
    out.print(
        f"measured: the exponent of n, or the limit, extrapolated; interval: of level {trends[0].level:g}, each by "
        "itself; prediction: inside it, or outside by so many half-widths; plain, halves: the exponent over all sizes "
        "and over each half of them as it is, of the value or, for a limit, of its distance from it. This is no "
        "verdict: sizes are finite.",
        markup=False,
    )
    if points:
        for t in trends:
            _print_points(out, t)


def _print_points(out: Console, t: Trend) -> None:
    """The sizes of one law, each with what was measured there and the local exponent to the next."""
    from .tables import table

    what = "the value" if t.decay is None else "its distance from the limit"
    out.print(f"\n[bold]{t.law}[/bold]: each size, and the exponent of {what} from it to the next")
    columns = ["n", "d", "draws", "value", "+-"] + ["distance"] * (t.decay is not None) + ["local", "+-", "predicted"]
    listing = table(*columns, right=tuple(range(len(columns))))
    for i, p in enumerate(t.points):
        row = [str(p.n), str(p.d), str(p.draws), f"{p.fit.value:#.4g}", f"{_percent(p.fit)} %"]
        if p.distance is not None:
            row.append(number(p.distance, 3))
        if i < len(t.local):
            step = t.local[i]
            half = rounded_up(step.fit.high - step.fit.value, 2)
            row += [_fixed(step.fit.value, 2), half, _fixed(step.expected, 2)]
        listing.add_row(*row)
    out.print(listing)
    if t.factor_text:
        out.print(f"  predicted: with the finite-size factor, {t.factor_text}", markup=False)


def _percent(fit: Fit) -> str:
    """Relative half-width of an interval that is symmetric in the logarithm, rounded up."""
    return rounded_up(100 * (fit.high / fit.value - 1), 2)


def _fixed(x: float, digits: int = 3) -> str:
    return f"{x + 0.0:.{digits}f}"
