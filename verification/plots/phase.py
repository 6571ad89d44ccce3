"""A phase diagram: what is fitted, what is proved, where n = kd is, and how far off the theorems are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .style import figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from verification.sweep import Diagram
    from verification.sweep.theorems import Asked

__all__ = ["phase_figure"]

Floats = NDArray[np.float64]

#: White to black with a hue: the order of grey levels is the order of shares.
_MAP = "Blues"
_CONTOUR = "#D55E00"
_BAND: dict[str, Any] = {"linewidth": 1.1, "linestyle": (0, (1, 1))}
_FORMS = {"paper": ("#0072B2", (0, (5, 2)), "o"), "explicit": ("#009E73", (0, (5, 1.5, 1, 1.5)), "s")}
_FORMS |= {"sharp": ("#D55E00", (0, (1, 1.2)), "^")}
_WHOLE: dict[str, Any] = {"linestyle": "none", "marker": "o", "markerfacecolor": "white", "markeredgecolor": "black"}
_WHOLE |= {"markeredgewidth": 0.4}
_SOME: dict[str, Any] = {"linestyle": "none", "marker": "x", "color": "black", "markeredgewidth": 0.7}
_MOST_TICKS = 9
# Inches.
_WIDTH, _LEFT, _RIGHT, _CHART, _ASKED, _BELOW = 6.9, 0.62, 0.95, 3.5, 1.15, 1.12


def phase_figure(diagram: Diagram, asked: Sequence[Asked], title: str) -> Figure:
    """Heat map of the share that is fitted, with the widths that theorems ask for in a strip above.

    Parameters
    ----------
    diagram : Diagram
    asked : sequence of Asked
        May be empty.
    title : str
        One or two lines.

    Returns
    -------
    matplotlib.figure.Figure
    """
    above = _ASKED + 0.12 if asked else 0.0
    height = _BELOW + _CHART + above + 0.52
    with styled():
        made = figure(_WIDTH, height, layout=None)
        made.text(0.012, 1 - 0.08 / height, title, va="top", fontweight="bold", fontsize=9)
        wide = _WIDTH - _LEFT - _RIGHT
        box = (_LEFT / _WIDTH, _BELOW / height, wide / _WIDTH, _CHART / height)
        chart = made.add_axes(box)
        image = _heat(chart, diagram)
        _lines(chart, diagram)
        _axes(chart, diagram)
        scale = made.add_axes(((_WIDTH - _RIGHT + 0.15) / _WIDTH, box[1] + 0.15 * box[3], 0.13 / _WIDTH, 0.7 * box[3]))
        bar = made.colorbar(image, cax=scale)
        bar.set_label("share of trials fitted", fontsize=7.5)
        scale.grid(visible=False)
        if asked:
            bottom = (_BELOW + _CHART + 0.12) / height
            strip = made.add_axes((box[0], bottom, box[2], _ASKED / height), sharex=chart)
            _theorems(strip, diagram, asked)
        _legend(made, diagram, bool(asked))
    return made


def _edges(values: Sequence[int], logarithmic: bool) -> Floats:
    """Borders half-way between neighbours."""
    at = np.log(np.asarray(values, dtype=float)) if logarithmic else np.asarray(values, dtype=float)
    if len(at) == 1:
        half = 0.2 if logarithmic else max(0.5, 0.1 * float(at[0]))
        found = np.array([at[0] - half, at[0] + half])
    else:
        middle = (at[1:] + at[:-1]) / 2
        found = np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
    return np.asarray(np.exp(found) if logarithmic else found)


def _is_log(values: Sequence[int]) -> bool:
    gaps = np.diff(values)
    return len(gaps) > 1 and bool(gaps.max() > 4 * gaps.min())


def _heat(at: Axes, diagram: Diagram) -> Any:
    plan = diagram.plan
    log_n, log_k = _is_log(plan.n), _is_log(plan.k)
    x, y = _edges(plan.n, log_n), _edges(plan.k, log_k)
    shares = np.full((len(plan.k), len(plan.n)), np.nan)
    place = {(n, k): (i, j) for j, n in enumerate(plan.n) for i, k in enumerate(plan.k)}
    for cell in diagram.cells:
        if cell.trials:
            shares[place[cell.n, cell.k]] = cell.fitted / cell.trials
    at.set_facecolor("0.93")  # where nothing was measured
    image = at.pcolormesh(x, y, np.ma.masked_invalid(shares), cmap=_MAP, vmin=0, vmax=1, shading="flat", zorder=1)
    image.set_rasterized(shares.size > 4000)
    # impossible: hatched, over whatever was measured there
    for cell in diagram.cells:
        if cell.impossible:
            i, j = place[cell.n, cell.k]
            at.fill_between(x[j : j + 2], y[i], y[i + 1], facecolor="none", edgecolor="0.65", hatch="////", linewidth=0)
    size = min(3.4, 0.33 * 72 * min((_WIDTH - _LEFT - _RIGHT) / len(plan.n), _CHART / len(plan.k)))
    whole = [cell for cell in diagram.cells if cell.proved]
    some = [cell for cell in diagram.cells if cell.certified and not cell.proved]
    for cells, look in ((whole, _WHOLE), (some, _SOME)):
        if cells:
            at.plot([c.n for c in cells], [c.k for c in cells], markersize=size, zorder=8, **look)
    return image


def _lines(at: Axes, diagram: Diagram) -> None:
    plan = diagram.plan
    x, y = _edges(plan.n, _is_log(plan.n)), _edges(plan.k, _is_log(plan.k))
    n = np.geomspace(x[0] if x[0] > 0 else 1e-3, x[-1], 400)
    at.plot(n, n / plan.config.d, color="white", linewidth=2.6, zorder=4)
    at.plot(n, n / plan.config.d, color="black", linewidth=1.3, linestyle=(0, (4, 2)), zorder=4)
    found = [(t.n, t.k) for t in diagram.transitions if t.k is not None]
    band = [t for t in diagram.transitions if t.low is not None and t.high is not None]
    for side in ("low", "high"):
        edge = [float(getattr(t, side)) for t in band]
        at.plot([t.n for t in band], edge, color="white", linewidth=2.4, zorder=4.5)
        at.plot([t.n for t in band], edge, color=_CONTOUR, zorder=5, **_BAND)
    if found:
        at.plot(*zip(*found, strict=True), color="white", linewidth=3.0, zorder=5, solid_capstyle="round")
        at.plot(*zip(*found, strict=True), color=_CONTOUR, linewidth=1.6, zorder=6)
    at.set_xlim(x[0], x[-1])
    at.set_ylim(y[0], y[-1])


def _axes(at: Axes, diagram: Diagram) -> None:
    plan = diagram.plan
    if _is_log(plan.n):
        at.set_xscale("log")
    if _is_log(plan.k):
        at.set_yscale("log")
    _even_ticks(at, plan.k)
    for spine in ("top", "right"):
        at.spines[spine].set_visible(True)
    at.grid(visible=False)
    at.set_xlabel("samples n")
    at.set_ylabel("hidden units k")
    top = max(plan.k)
    if any(cell.impossible for cell in diagram.cells):
        at.annotate(
            "impossible:\nk d < n", (0.97, 0.05), xycoords="axes fraction", ha="right", va="bottom", fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}, zorder=7,
        )  # fmt: skip
    # A label on the line, where it leaves the chart.
    end = min(max(plan.n), top * plan.config.d)
    at.annotate(
        "n = kd", (end, end / plan.config.d), xytext=(-4, -11), textcoords="offset points", ha="right", fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}, zorder=7,
    )  # fmt: skip


def _even_ticks(at: Axes, widths: Sequence[int]) -> None:
    """Labels at widths that there are, no more than can be read."""
    from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

    places = np.log(widths) if _is_log(widths) else np.asarray(widths, dtype=float)
    room = (places[-1] - places[0]) / _MOST_TICKS
    shown = [0]
    for i, place in enumerate(places):
        if place - places[shown[-1]] >= room > 0:
            shown.append(i)
    at.yaxis.set_major_locator(FixedLocator([float(widths[i]) for i in shown]))
    at.yaxis.set_minor_locator(NullLocator())
    at.yaxis.set_major_formatter(ScalarFormatter())


def _theorems(at: Axes, diagram: Diagram, asked: Sequence[Asked]) -> None:
    """Widths that theorems ask for, on a logarithmic axis that starts where the chart below does."""
    plan = diagram.plan
    for form, (color, dashes, marker) in _FORMS.items():
        mine = [a for a in asked if a.variant == form and a.k is not None]
        if mine:
            at.plot(
                [a.n for a in mine], [float(a.k or 0) for a in mine], color=color, linestyle=dashes, marker=marker,
                markersize=3.2,
            )  # fmt: skip
    at.set_yscale("log")
    tops = [float(a.k) for a in asked if a.k is not None]
    at.set_ylim(min(plan.k), 4 * max([max(plan.k), *tops]))
    at.axhspan(min(plan.k), max(plan.k), facecolor="0.8", zorder=0)
    at.annotate("the chart below", (0.5, math.sqrt(min(plan.k) * max(plan.k))), xycoords=("axes fraction", "data"),
                ha="center", va="center", fontsize=6.5)  # fmt: skip
    at.set_ylabel("k of theorems")
    at.tick_params(labelbottom=False)
    from matplotlib.ticker import LogLocator, NullLocator

    at.yaxis.set_major_locator(LogLocator(numticks=5))
    at.yaxis.set_minor_locator(NullLocator())


def _legend(made: Figure, diagram: Diagram, with_theorems: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    plan = diagram.plan
    level = f"{100 * (1 - plan.alpha):g} %"
    handles: list[Any] = [
        Line2D([], [], color="black", linewidth=1.3, linestyle=(0, (4, 2)), label="n = kd"),
        Line2D([], [], color=_CONTOUR, linewidth=1.6, label="half of the trials fitted"),
        Line2D([], [], color=_CONTOUR, label=f"its band, {level} at each n", **_BAND),
    ]
    if any(cell.impossible for cell in diagram.cells):
        handles.append(Patch(facecolor="white", edgecolor="0.65", hatch="////", label="impossible (theorem)"))
    if plan.config.certify:
        handles.append(Line2D([], [], markersize=4.5, label="every trial proved", **_WHOLE))
        handles.append(Line2D([], [], markersize=4, label="some trials proved", **_SOME))
    if with_theorems:
        for form, (color, dashes, marker) in _FORMS.items():
            handles.append(
                Line2D([], [], color=color, linestyle=dashes, marker=marker, markersize=3.2, label=f"theorem, {form}")
            )
    made.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.005, 0.0), ncols=3, handlelength=3.0, fontsize=7.2)
