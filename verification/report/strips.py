"""How tight, as a figure: a strip for each form on one logarithmic axis, drawn as an element of SVG.

Positions are shares of the width and heights are pixels, so that a strip is as wide as the page and its words keep
their size, on a telephone too; everything has the colour of the text around it, whatever the theme or the paper.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Strip", "decimal", "draw_strips", "gap_strip", "mean_strip", "share_strip", "slack_strip", "slack_words"]

#: An axis is at most this long, from its low end, as a factor; what lies beyond is counted in words.
_LONGEST = 1e4
_BAR, _LINE, _TEXT, _GAP, _AXIS = 30.0, 9.0, 20.0, 10.0, 36.0
_LARGEST = 1e300


@dataclass(frozen=True)
class Strip:
    """One row of the figure.

    Parameters
    ----------
    name : str
        Beside it; empty where the page has said it.
    note : str
        What it shows, in few words, at its right end.
    low, high : float
        Positive; what an axis should hold.
    height : float
    bars : tuple of (left, right, count)
        Heights are roots of counts: one instance among a thousand is still to be seen.
    spans : tuple of (low, point, high, promise)
        Intervals with a point in each (0 where it is 0), and what was promised.
    """

    name: str
    note: str
    low: float
    high: float
    height: float
    bars: tuple[tuple[float, float, int], ...] = ()
    spans: tuple[tuple[float, float, float, float], ...] = ()


def decimal(value: float) -> str:
    """What lies beyond 1 where it is tight, few digits elsewhere."""
    if 0 < value - 1 < 1e-3:
        return f"1 + {value - 1:.0e}"
    return f"{value:.4g}" if value < 1e5 else f"{value:.1e}"


def slack_strip(
    name: str, histogram: Mapping[str, Any], least: float | str | None = None, median: float | str | None = None
) -> Strip | None:
    """The histogram "slacks" of a form, and what of it to say in words; None where no slack is finite."""
    edges = histogram["edges"]
    if not histogram["counts"]:
        return None
    note = f"least {decimal(least)}" if isinstance(least, int | float) else ""
    if isinstance(median, int | float):
        note += f", median {decimal(median)}"
    high = min(edges[-1], max(edges[0], 1.0) * _LONGEST)
    return Strip(name, note, min(1.0, edges[0]), max(high, 1.5), _BAR, _bars(histogram))


def slack_words(histogram: Mapping[str, Any]) -> str:
    """What `slack_strip` shows, in a sentence; empty where it shows nothing."""
    counts, edges = histogram["counts"], histogram["edges"]
    if not counts:
        return ""
    fullest = max(range(len(counts)), key=counts.__getitem__)
    return (
        f"Slack of {sum(counts)} instances, from {decimal(edges[0])} to {decimal(edges[-1])}; "
        f"most often between {decimal(edges[fullest])} and {decimal(edges[fullest + 1])}."
    )


def gap_strip(name: str, histogram: Mapping[str, Any]) -> Strip | None:
    """The histogram "gaps" of an identity; None where its sides never differ."""
    edges = histogram["edges"]
    if not histogram["counts"]:
        return None
    # Gaps below the unit roundoff are equal numbers, or were computed with 60 digits.
    return Strip(name, f"largest {edges[-1]:.0e}", min(1e-16, edges[-1] / 10), edges[-1], _BAR, _bars(histogram))


def _bars(histogram: Mapping[str, Any]) -> tuple[tuple[float, float, int], ...]:
    edges = histogram["edges"]
    return tuple((edges[i], edges[i + 1], count) for i, count in enumerate(histogram["counts"]) if count)


def share_strip(name: str, draws: Sequence[Mapping[str, Any]]) -> Strip | None:
    """Shares of failures with their intervals, problem by problem, and the probabilities that are promised."""
    if not draws:
        return None
    # Problems of which the same was found are one line.
    spans = tuple(dict.fromkeys((d["low"], d["failures"] / d["trials"], d["high"], d["claimed"]) for d in draws))
    failures, trials = sum(d["failures"] for d in draws), sum(d["trials"] for d in draws)
    # A share of 0 has no place on the axis: its interval begins where the axis does.
    low = min(min(x for x in span if x > 0) for span in spans) / 3
    note = f"{failures} of {trials} draws failed"
    return Strip(name, note, low, 1.0, _LINE * len(spans), spans=spans)


def mean_strip(name: str, means: Sequence[Mapping[str, Any]]) -> Strip | None:
    """Means over the claimed expectations, and how near is near enough."""
    means = [m for m in means if m["claimed"] > 0]
    if not means:
        return None
    spans = []
    for m in means:
        ratio, near = m["mean"] / m["claimed"], abs(m["tolerance"] / m["claimed"])
        spans.append((1 - near, ratio, 1 + near, 1.0))
    low, high = min(s[0] for s in spans), max(s[2] for s in spans)
    furthest = max(abs(s[1] - 1) for s in spans)
    note = f"{len(means)} means, off by at most {100 * furthest:.2g} %"
    return Strip(name, note, 0.98 * low, 1.02 * high, _LINE * len(spans), spans=tuple(spans))


# -- drawing --------------------------------------------------------------------------------------------------------


def draw_strips(strips: Sequence[Strip], axis: str, words: str) -> str:
    """The strips below each other, on one axis.

    Parameters
    ----------
    strips : sequence of Strip
        At least one.
    axis : str
        What is measured along it.
    words : str
        What the figure shows, for who cannot see it.

    Returns
    -------
    str
        One element of HTML, on one line.
    """
    # The end of the axis is the largest of the strips', so that none is squeezed by one that is far away.
    low, high = min(s.low for s in strips), min(max(s.high for s in strips), _LARGEST)
    scale = _Scale(low, high)
    parts, top = [], 4.0
    for strip in strips:
        beyond = sum(count for left, _, count in strip.bars if left > high)
        note = ", ".join(part for part in (strip.note, f"{beyond} beyond \u2192" if beyond else "") if part)
        if strip.name or note:
            parts.append(_text("0", top + 12, "start", strip.name, weight="bold"))
            parts.append(_text("100%", top + 12, "end", note))
            top += _TEXT
        parts.append(_marks(strip, scale, top))
        top += strip.height + _GAP
    ticks = [(scale.at(x), x) for x in scale.ticks()]
    bottom = top - _GAP / 2
    ruler = "".join(_line(at, 4, at, bottom, width=0.6, opacity=0.25) for at, _ in ticks)
    ruler += _line(0, bottom, 100, bottom, width=1)
    anchors = [("start" if at < 3 else "end" if at > 97 else "middle") for at, _ in ticks]
    labels = "".join(_text(f"{at:.2f}%", bottom + 14, a, f"{x:g}") for (at, x), a in zip(ticks, anchors, strict=True))
    labels += _text("50%", bottom + 30, "middle", axis)
    said = html.escape(words, quote=True)
    return (
        f'<svg class="strips" role="img" aria-label="{said}" width="100%" height="{bottom + _AXIS:.0f}" '
        f'font-size="13" fill="currentColor"><title>{said}</title>{ruler}{"".join(parts)}{labels}</svg>'
    )


class _Scale:
    """Where a number lies on a logarithmic axis, as a percentage of the width."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def at(self, x: float) -> float:
        if x <= self.low:
            return 0.0
        return min(100.0, 100 * math.log(x / self.low) / math.log(self.high / self.low))

    def ticks(self) -> list[float]:
        """At most seven: powers of ten, or round numbers between them where the axis is short."""
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        if last - first >= 2:
            step = -(-(last - first) // 6)
            return [10.0**i for i in range(first, last + 1, step)]
        if self.high / self.low > 4:
            steps = (1.0, 2.0, 5.0) if self.high / self.low > 10 else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
            inside = [m * 10.0**i for i in range(first - 1, last + 1) for m in steps]
            return [x for x in inside if self.low * (1 - 1e-9) <= x <= self.high * (1 + 1e-9)]
        # Too short for a logarithm to be seen: equal steps.
        wide = (self.high - self.low) / 6
        unit = 10.0 ** math.floor(math.log10(wide))
        apart = next(m * unit for m in (1, 2, 5, 10) if m * unit >= wide)
        return [apart * i for i in range(math.ceil(self.low / apart - 1e-9), math.floor(self.high / apart + 1e-9) + 1)]


def _marks(strip: Strip, scale: _Scale, top: float) -> str:
    out = []
    most = max((count for *_, count in strip.bars), default=1)
    for left, right, count in strip.bars:
        if left > scale.high:
            continue
        a, b, height = scale.at(left), scale.at(right), strip.height * math.sqrt(count / most)
        # A bin of one value is as thin as a line.
        wide = max(0.9 * (b - a), 0.6)
        box = f'x="{min(a, 99.4):.2f}%" y="{top + strip.height - height:.1f}" width="{wide:.2f}%" height="{height:.1f}"'
        out.append(f'<rect {box} opacity="0.75"/>')
    for i, (low, point, high, promise) in enumerate(strip.spans):
        y = top + strip.height * (i + 0.5) / len(strip.spans)
        out.append(_line(scale.at(low), y, scale.at(high), y, width=2.2, opacity=0.55))
        if point > 0:
            out.append(f'<circle cx="{scale.at(point):.2f}%" cy="{y:.1f}" r="3"/>')
        at = scale.at(promise)
        out.append(_line(at, y - 3.5, at, y + 3.5, width=2))
    return "".join(out)


def _line(x1: float, y1: float, x2: float, y2: float, *, width: float, opacity: float = 1.0) -> str:
    ends = f'x1="{x1:.2f}%" y1="{y1:.1f}" x2="{x2:.2f}%" y2="{y2:.1f}"'
    return f'<line {ends} stroke="currentColor" stroke-width="{width}" opacity="{opacity}"/>'


def _text(x: str, y: float, anchor: str, text: str, *, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{html.escape(text)}</text>'
