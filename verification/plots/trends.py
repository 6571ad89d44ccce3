"""Trends: what was measured at each size, what is predicted, and how the exponent moves on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from verification.trend import Fit, Form, Trend

from .style import figure, mark, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["trend_figure"]

_COLUMNS = 3
# Inches: a cell holds two panels, one above the other, below two lines of text.
_CELL_WIDTH, _PANEL_WIDTH = 3.35, 2.62
_UPPER, _LOWER, _BETWEEN = 1.25, 0.8, 0.1
_CELL_HEIGHT = 2.95
_LEFT, _TOP, _BOTTOM = 0.7, 0.75, 0.45


def trend_figure(trends: Sequence[Trend], title: str, columns: int = _COLUMNS) -> Figure:
    """One cell for each trend: the quantity against n above, its local exponents (or distances) below.

    Parameters
    ----------
    trends : sequence of Trend
        At least one.
    title : str
    columns : int
        At most; two fit a page of text.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = min(columns, len(trends))
    rows = math.ceil(len(trends) / columns)
    # A single cell still leaves room for the legend.
    width, height = max(_CELL_WIDTH * columns, 6.7), _CELL_HEIGHT * rows + _TOP + _BOTTOM - 0.35
    with styled():
        made = figure(width, height, layout=None)
        made.text(0.12 / width, 1 - 0.12 / height, title, va="top", fontweight="bold", fontsize=10)
        for i, trend in enumerate(trends):
            row, column = divmod(i, columns)
            left = _LEFT + column * _CELL_WIDTH
            top = height - _TOP - row * _CELL_HEIGHT
            box = (left / width, (top - _UPPER) / height, _PANEL_WIDTH / width, _UPPER / height)
            upper = made.add_axes(box)
            box = (box[0], (top - _UPPER - _BETWEEN - _LOWER) / height, box[2], _LOWER / height)
            lower = made.add_axes(box, sharex=upper)
            (_draw_exponent if trend.form is Form.EXPONENT else _draw_limit)(upper, lower, trend)
            _head(upper, trend)
            _sizes(upper, lower, [p.n for p in trend.points])
            for at in (upper, lower):
                at.yaxis.set_label_coords(-0.47 / _PANEL_WIDTH, 0.5)
        _legend(made, trends, 0.06 / height)
    return made


def _bars(at: Axes, x: Sequence[float], fits: Sequence[Fit], **keywords: Any) -> None:
    """Values with their intervals, which need not be symmetric."""
    values = np.array([f.value for f in fits])
    below = values - np.array([f.low for f in fits])
    above = np.array([f.high for f in fits]) - values
    at.errorbar(x, values, yerr=np.vstack([below, above]), elinewidth=0.8, capsize=1.8, capthick=0.8, **keywords)


def _head(at: Axes, trend: Trend) -> None:
    at.set_title(trend.law, pad=13)
    sign = "exponent" if trend.form is Form.EXPONENT else "limit"
    text = f"{sign} {trend.predicted:g}, measured {trend.fit.value:.3f} {trend.fit.interval()}"
    at.text(0.0, 1.03, text, transform=at.transAxes, fontsize=7.5, va="bottom")


def _sizes(upper: Axes, lower: Axes, n: Sequence[int]) -> None:
    """A logarithmic axis of sizes, labelled at powers of two only, and below the lower panel only."""
    from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

    lower.set_xscale("log")
    first, last = math.ceil(math.log2(min(n)) - 0.01), math.floor(math.log2(max(n)) + 0.01)
    lower.xaxis.set_major_locator(FixedLocator([2.0**i for i in range(first, last + 1)]))
    lower.xaxis.set_minor_locator(NullLocator())
    lower.xaxis.set_major_formatter(ScalarFormatter())
    lower.set_xlabel("n", labelpad=1)
    upper.tick_params(labelbottom=False)


def _draw_exponent(upper: Axes, lower: Axes, trend: Trend) -> None:
    n = np.array([float(p.n) for p in trend.points])
    last = trend.points[-1].fit.value
    power = n**trend.predicted
    upper.plot(n, last * power / power[-1], **mark("predicted"))
    middles = [math.sqrt(x.start * x.stop) for x in trend.local]
    lower.axhline(trend.predicted, **mark("predicted"))
    if trend.factor_text:
        refined = power * np.array([p.factor for p in trend.points])
        upper.plot(n, last * refined / refined[-1], **mark("refined"))
        lower.plot(middles, [x.expected for x in trend.local], **mark("refined"))
    _bars(upper, list(n), [p.fit for p in trend.points], **mark("measured"))
    _bars(lower, middles, [x.fit for x in trend.local], **mark("measured"))
    upper.set_yscale("log")
    _few_decades(upper)
    upper.set_ylabel("value")
    lower.set_ylabel("local exp.")


def _draw_limit(upper: Axes, lower: Axes, trend: Trend) -> None:
    n = np.array([float(p.n) for p in trend.points])
    upper.axhline(trend.predicted, **mark("predicted"))
    _bars(upper, list(n), [p.fit for p in trend.points], **mark("measured"))
    # Beyond the largest size: what the fit says of n = infinity.
    _bars(upper, [n[-1] * (n[-1] / n[0]) ** 0.12], [trend.fit], **mark("extrapolated"))
    upper.set_ylabel("value")
    distances = np.array([p.distance for p in trend.points], dtype=float)
    assert trend.predicted_decay is not None
    power = n**trend.predicted_decay
    through = math.exp(float(np.mean(np.log(distances / power))))
    lower.plot(n, through * power, **mark("predicted"))
    lower.plot(n, distances, **mark("measured"))
    lower.set_yscale("log")
    _few_decades(lower)
    lower.set_ylabel("distance")


def _few_decades(at: Axes) -> None:
    """Where a logarithmic axis spans little, labels between the powers of ten as well."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = at.get_ylim()
    if high / low < 40:
        subs = (1.0, 2.0, 5.0) if high / low > 4 else (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0)
        at.yaxis.set_major_locator(LogLocator(subs=subs))
        at.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.3g}".replace("e+", "e")))
    at.yaxis.set_minor_locator(NullLocator())


def _legend(made: Figure, trends: Sequence[Trend], bottom: float) -> None:
    from matplotlib.lines import Line2D

    roles = {"measured": f"measured ({100 * trends[0].level:g} % intervals)", "predicted": "the law"}
    if any(t.factor_text for t in trends):
        roles["refined"] = "the law with its finite-size factor"
    if any(t.form is Form.LIMIT for t in trends):
        roles["extrapolated"] = "extrapolated"
    handles = [Line2D([], [], label=label, **mark(role)) for role, label in roles.items()]
    made.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, bottom), ncols=len(handles), handlelength=2.6)
