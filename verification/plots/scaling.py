"""Widths at the transition against n, for several d: the powers of n through them, and the units beyond n/d."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from verification.sweep import Curve, Scaling

__all__ = ["scaling_figure"]

#: Told apart by marker and dashes, in colours of different lightness. More d than these begin again.
_LOOKS: tuple[tuple[str, str, Any], ...] = (
    ("#0072B2", "o", (0, (5, 2))),
    ("#D55E00", "s", (0, (1, 1.2))),
    ("#009E73", "^", (0, (5, 1.5, 1, 1.5))),
    ("black", "D", "-"),
    ("#CC79A7", "v", (0, (3, 1.5))),
)
_BARS: dict[str, Any] = {"linestyle": "none", "elinewidth": 0.8, "capsize": 1.8, "capthick": 0.8, "markersize": 3.8}


def scaling_figure(found: Scaling, title: str) -> Figure:
    """Two panels: k at the transition against n on logarithmic axes, and k - n/d below.

    Parameters
    ----------
    found : Scaling
    title : str
        One or two lines.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        made = figure(6.7, 5.9)
        upper, lower = made.subplots(2, 1, sharex=True, height_ratios=(2.4, 1))
        made.suptitle(title, x=0.012, ha="left", fontweight="bold", fontsize=9)
        lower.axhline(0, color="0.45", linewidth=0.8)
        count = len(found.curves)
        for i, curve in enumerate(found.curves):
            look = _LOOKS[i % len(_LOOKS)]
            _curve(upper, curve, look)
            # side by side where d share a size
            _excess(lower, curve, look, 1.012 ** (i - (count - 1) / 2))
        _axes(upper, lower, sorted({size.n for curve in found.curves for size in curve.sizes}))
        handles, labels = upper.get_legend_handles_labels()
        words = [f"n^{found.laws.exponent.value:.2f} {found.laws.exponent.interval(2)} for all d"] if count > 1 else []
        upper.legend(handles, labels, loc="upper left", handlelength=3.2, fontsize=7.5,
                     title="\n".join([f"power of n, {100 * found.level:g} % intervals", *words]),
                     title_fontsize=7.5, alignment="left")  # fmt: skip
    return made


def _curve(at: Axes, curve: Curve, look: tuple[str, str, Any]) -> None:
    color, marker, dashes = look
    n = np.array([float(size.n) for size in curve.sizes])
    k = np.array([size.k.value for size in curve.sizes])
    at.plot(n, n / curve.d, color="0.45", linewidth=0.8)
    at.annotate(f"n/{curve.d}", (n[-1], n[-1] / curve.d), xytext=(3, -7), textcoords="offset points", fontsize=7,
                color="0.3")  # fmt: skip
    weights = np.array([(size.k.value / size.deviation) ** 2 for size in curve.sizes])
    law = curve.laws.exponent
    constant = np.average(np.log(k) - law.value * np.log(n), weights=weights)
    label = f"d = {curve.d}: n^{law.value:.2f} {law.interval(2)}"
    at.plot(n, np.exp(constant) * n**law.value, color=color, linestyle=dashes, linewidth=1.1)
    at.errorbar(n, k, yerr=_reach(curve, k), color=color, marker=marker, markerfacecolor="white", **_BARS)
    at.plot([], [], color=color, linestyle=dashes, marker=marker, markerfacecolor="white", markersize=3.8, label=label)


def _excess(at: Axes, curve: Curve, look: tuple[str, str, Any], shift: float) -> None:
    color, marker, _ = look
    n = np.array([float(size.n) for size in curve.sizes])
    k = np.array([size.k.value for size in curve.sizes])
    at.errorbar(shift * n, k - n / curve.d, yerr=_reach(curve, k), color=color, marker=marker, markerfacecolor="white",
                **_BARS)  # fmt: skip


def _reach(curve: Curve, k: Any) -> Any:
    """How far the intervals go below and above."""
    return np.array([k - [size.k.low for size in curve.sizes], [size.k.high for size in curve.sizes] - k])


def _axes(upper: Axes, lower: Axes, sizes: Sequence[int]) -> None:
    from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, ScalarFormatter

    upper.set_xscale("log")
    upper.set_yscale("log")
    upper.set_ylabel("k at which half are fitted")
    lower.set_ylabel("k - n/d")
    lower.set_xlabel("samples n")
    # labels that do not run into each other
    shown = [n for i, n in enumerate(sizes) if i == 0 or n > 1.18 * sizes[i - 1]]
    lower.xaxis.set_major_locator(FixedLocator([float(n) for n in shown]))
    upper.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    for axis in (lower.xaxis, upper.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(ScalarFormatter())
