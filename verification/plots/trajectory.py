"""A run against its bounds: what the theorems promise and what happens, in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .style import figure, mark, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jacspec import Guarantee, Trajectory

__all__ = ["trajectory_figure"]

Floats = NDArray[np.float64]

#: Steps beyond which a curve is not followed: a promise for later is told in the legend.
_FARTHEST = 1e9
#: Points of a curve, whatever the length of the run: evenly spread on a logarithmic axis.
_POINTS = 300
#: Lines of promises, after the measured one: each has a dash pattern of its own, and theorems are thinner than
#: statements about the start.
_DASHES = ((0, (5, 2)), (0, (5, 1.5, 1, 1.5)), (0, (1, 1.2)), (0, (8, 2, 1, 2, 1, 2)), (0, (3, 1)))
_COLORS = ("#0072B2", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")


def trajectory_figure(run: Trajectory, promised: Sequence[Guarantee], title: str) -> Figure:
    """Residual, distance and path, and the spectrum of the Jacobian along the run, each against its bounds.

    A promise whose hypothesis is not met is drawn pale, with "not met" in the legend: it is what the statement would
    say of a network that meets it.

    Parameters
    ----------
    run : Trajectory
    promised : sequence of Guarantee
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    drawn = [g for g in promised if g.rate is not None and 0 < g.rate <= 1]
    panels = 3 if run.checkpoints else 2
    with styled():
        lines = math.ceil((len(drawn) + 2) / 2)
        below = 0.62 + 0.17 * lines  # inches for the axis labels and the legend
        height = 2.75 + below
        made = figure(3.3 * panels + 0.3, height, layout=None)
        width = 1 / panels
        axes = [
            made.add_axes((width * i + 0.17 / panels, below / height, width * 0.75, 2.1 / height))
            for i in range(panels)
        ]
        made.text(0.012, 0.985, title, va="top", fontweight="bold", fontsize=9.5)
        last = _horizon(run, drawn)
        _residuals(axes[0], run, drawn, last)
        _lengths(axes[1], run, drawn, last)
        if panels == 3:
            _spectrum(axes[2], run)
        for at in axes:
            at.set_xlabel("step t")
        _legend(made, run, drawn)
    return made


def _horizon(run: Trajectory, drawn: Sequence[Guarantee]) -> float:
    """The last step shown: where the slowest promise reaches what the run reached, within reason."""
    aim = max(float(np.nanmin(_positive(run.residual_norms))) / float(run.residual_norms[0]), 1e-12)
    ends = [np.log(aim) / np.log1p(-min(g.rate or 1.0, 1 - 1e-16)) * (2 if g.mean_square else 1) for g in drawn]
    return float(min(_FARTHEST, max([1.0, 1.1 * run.step, *(1.3 * e for e in ends)])))


def _spread(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the records to draw: the first, the last, and at most `_POINTS` between them."""
    wanted = np.geomspace(1, max(1, int(steps[-1])), _POINTS)
    return np.unique(np.concatenate([[0], np.searchsorted(steps, wanted), [len(steps) - 1]]))


def _positive(values: Floats) -> Floats:
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _look(i: int, g: Guarantee) -> dict[str, Any]:
    met = g.verdict == "OK"
    return {
        "color": _COLORS[i % len(_COLORS)],
        "linestyle": _DASHES[i % len(_DASHES)],
        "alpha": 1.0 if met else 0.5,
        "linewidth": 1.6 if met else 1.1,
    }


def _residuals(at: Axes, run: Trajectory, drawn: Sequence[Guarantee], last: float) -> None:
    first = float(run.residual_norms[0]) or 1.0
    seen = _spread(run.steps)
    measured = _positive(run.residual_norms / first)
    t = np.geomspace(1, last, _POINTS)
    for i, g in enumerate(drawn):
        at.plot(t, _positive(g.residual(t)), **_look(i, g))
    at.plot(np.maximum(run.steps, 0.7)[seen], measured[seen], **mark("path"))
    at.set_xscale("log")
    at.set_yscale("log")
    at.set_xlim(0.7, last)
    low, top = float(np.nanmin(measured)), float(np.nanmax(measured))
    at.set_ylim(low / 2, max(2.0, 2 * top))
    if run.tolerance > 0:
        at.axhline(run.tolerance, color="0.6", linewidth=0.8)
        at.annotate("asked for", (1, run.tolerance), xytext=(2, 2), textcoords="offset points", fontsize=7, color="0.4")
    at.set_title("relative residual  $\\|r_t\\| / \\|r_0\\|$")


def _lengths(at: Axes, run: Trajectory, drawn: Sequence[Guarantee], last: float) -> None:
    seen = _spread(run.steps)
    t = np.maximum(run.steps, 0.7)[seen]
    at.plot(t, _positive(run.path_lengths)[seen], **mark("path"))
    at.plot(t, _positive(run.distances)[seen], color="black", linestyle="-", linewidth=0.8, marker="o", markevery=0.1,
            markersize=2.5)  # fmt: skip
    for i, g in enumerate(drawn):
        if g.path is not None and np.isfinite(g.path):
            at.axhline(g.path, **_look(i, g))
    at.set_xscale("log")
    at.set_yscale("log")
    at.set_xlim(0.7, last)
    letter = "W" if run.trains == "hidden" else "v"
    at.set_title(f"path, and distance  $\\|{letter}_t - {letter}_0\\|$")


def _spectrum(at: Axes, run: Trajectory) -> None:
    t = [max(c.step, 0.7) for c in run.checkpoints]
    for name, shape in (("sigma_max", "^"), ("sigma_min", "v")):
        values = [getattr(c, name) for c in run.checkpoints]
        shown = _positive(np.array([e.value for e in values]))
        below = np.minimum(shown - _positive(np.array([max(e.lower, e.value * 1e-3) for e in values])), shown)
        above = np.array([e.radius for e in values])
        at.errorbar(t, shown, yerr=np.vstack([np.nan_to_num(below), above]), color="black", linewidth=1, marker=shape,
                    markersize=4, elinewidth=0.8)  # fmt: skip
        at.annotate(f"$\\{name.replace('_', '_{')}}}(J)$", (t[0], shown[0]), xytext=(3, 5), textcoords="offset points",
                    fontsize=8)  # fmt: skip
    at.set_xscale("log")
    at.set_yscale("log")
    at.margins(y=0.15)
    at.set_title("spectrum of the Jacobian")


def _legend(made: Figure, run: Trajectory, drawn: Sequence[Guarantee]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], label=f"this run (rate {_short(run.measured_rate)})", **mark("path")),
        Line2D([], [], label="distance", color="black", linewidth=0.8, marker="o", markersize=2.5),
    ]
    for i, g in enumerate(drawn):
        rate = f"rate {_short(g.rate)}" + (" of the mean square" if g.mean_square else "")
        met = rate if g.verdict == "OK" else f"{rate}, not met"
        handles.append(Line2D([], [], label=f"{g.claim}, {g.variant} ({met})", **_look(i, g)))
    made.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.005, 0.0), ncols=2, handlelength=3.2, fontsize=7.5)


def _short(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.2g}"
