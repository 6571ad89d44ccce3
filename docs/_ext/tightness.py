"""How tight each form of a claim is: words, tables and figures from what `docs/measure.py` measured.

No number here is typed: what docs/_measured/tightness.json lacks, no page can have, and the build fails.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from verification.claim import Claim, Kind
from verification.plots import render, trend_figure
from verification.report.strips import Strip, draw_strips, gap_strip, mean_strip, share_strip, slack_strip
from verification.report.typed import typed
from verification.search import TIGHT
from verification.trend import Fit, Trend

__all__ = ["entries", "figure", "section", "summary"]

FILE = Path("_measured") / "tightness.json"
Entry = Mapping[str, Any]


def entries(docs: Path, claims: Mapping[str, Claim]) -> dict[str, Entry]:
    """What was measured, by slug.

    Raises
    ------
    ValueError
        If the file lacks a claim or one of its forms, or has a form that the claim has not.
    """
    path = docs / FILE
    found = dict(json.loads(path.read_text(encoding="utf-8"))["claims"]) if path.exists() else {}
    for slug, claim in claims.items():
        names = [v.name for v in claim.variants]
        told = list(found.get(slug, {}).get("variants", {}))
        if told != names:
            lacks = f"{slug} with the forms {told}; it has {names}" if told else f"nothing about {slug}"
            raise ValueError(f"{path} has {lacks}. Measure it: python docs/measure.py {slug}")
    return found


def section(claim: Claim, entry: Entry, plain: Callable[[str], str]) -> list[str]:
    """Blocks of Markdown: for each kind of form what its numbers are, a table, and a figure."""
    blocks = ["## How tight, measured"]
    for kind in claim.kinds:
        of_kind = {v.name: entry["variants"][v.name] for v in claim.variants if (v.kind or claim.kind) is kind}
        tell = {
            Kind.IDENTITY: _identities,
            Kind.PROBABILITY: _probabilities,
            Kind.MEAN: _means,
            Kind.ASYMPTOTIC: _trends,
        }.get(kind, _inequalities)
        blocks += tell(claim, of_kind, plain, entry.get("evaluations"))
    return blocks


def summary(claim: Claim, entry: Entry) -> str:
    """One cell of the table of all claims."""
    out = []
    for kind in claim.kinds:
        forms = [entry["variants"][v.name] for v in claim.variants if (v.kind or claim.kind) is kind]
        if kind is Kind.IDENTITY:
            out.append(f"agree to {max(map(_largest_gap, forms)):.0e}")
        elif kind is Kind.PROBABILITY:
            draws = [d for v in forms for d in v.get("draws", ())]
            d = _nearest(draws)
            out.append(f"a share of {d['failures'] / d['trials']:.2g} fails, {d['claimed']:.2g} may")
        elif kind is Kind.MEAN:
            out.append(f"within {100 * max(_offsets(v) for v in forms):.2g} %")
        elif kind is Kind.ASYMPTOTIC:
            inside = sum(trend.outside == 0 for v in forms for trend in [Trend.from_json("", v["trend"])])
            out.append(f"{inside} of {len(forms)} laws inside")
        else:
            tight = sum((_least(v) or math.inf) <= TIGHT for v in forms)
            out.append(f"{tight} of {len(forms)} tight")
    return ", ".join(out)


Forms = Mapping[str, Mapping[str, Any]]
Plain = Callable[[str], str]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column holds names, the second words, the others numbers."""
    rule = "|---|---|" + "---:|" * (len(header) - 2)
    return "\n".join(["| " + " | ".join(header) + " |", rule, *("| " + " | ".join(row) + " |" for row in rows)])


def _strips(found: Sequence[Strip | None], axis: str, words: str) -> list[str]:
    strips = [strip for strip in found if strip is not None]
    return [f"<figure>{draw_strips(strips, axis, words)}</figure>"] if strips else []


def _number(x: float | str | None) -> str:
    if x is None or isinstance(x, str):
        return {"inf": "∞", None: "-"}.get(x, str(x))
    return f"1 + {x - 1:.0e}" if 0 < x - 1 < 1e-3 else f"{x:.4g}"


# -- inequalities ---------------------------------------------------------------------------------------------------


def _least(v: Mapping[str, Any]) -> float | None:
    slacks = [v["min_slack"], v.get("search", {}).get("min_slack")]
    finite = [x for x in slacks if isinstance(x, int | float)]
    return max(min(finite), 1.0) if finite else None


def _nearness(v: Mapping[str, Any]) -> str:
    """What the least slack says of a bound, as `jacspec sharpen` says it."""
    least = _least(v)
    if least is None:
        return "no slack is finite: the bounded side was 0" if v["min_slack"] == "inf" else f"{v['reason']}"
    if least == 1:
        return "tight: attained"
    if least <= TIGHT:
        return f"tight: to within {least - 1:.0e}"
    return f"never closer than a factor {least:.4g}" if least >= 1.1 else f"to within a factor {least:.4g}"


def _inequalities(claim: Claim, forms: Forms, plain: Plain, evaluations: int | None) -> list[str]:
    searched = any("search" in v for v in forms.values())
    rows = []
    for name, v in forms.items():
        numbers = [_number(v["min_slack"]), _number(v["median_slack"])]
        numbers += [_number(v["search"]["min_slack"]) if "search" in v else "-"] * searched
        rows.append([plain(name), plain(_nearness(v)), *numbers, f"{v['decided']} of {v['instances']}"])
    how = (
        "*Slack* is the larger side over the smaller one; *least* and *median* are over what `jacspec verify` decides."
    )
    if searched:
        command = f"`jacspec sharpen {claim.id} --evaluations {evaluations}`"
        how += f" *Searched*: the least that {command} finds."
    header = ["form", "how tight", "least", "median", *["searched"] * searched, "decided"]
    tightest = ", ".join(f"{name}: {_nearness(v)}" for name, v in forms.items())
    strips = [
        slack_strip(name, v["slacks"], v["min_slack"], v["median_slack"]) for name, v in forms.items() if "slacks" in v
    ]
    words = f"Histograms of slack on a logarithmic axis, a strip for each form. {tightest}."
    return [how, _table(header, rows), *_strips(strips, "slack", words)]


# -- identities -----------------------------------------------------------------------------------------------------


def _largest_gap(v: Mapping[str, Any]) -> float:
    edges = v.get("gaps", {}).get("edges") or [0.0]
    return float(edges[-1])


def _identities(claim: Claim, forms: Forms, plain: Plain, evaluations: int | None) -> list[str]:
    rows = []
    for name, v in forms.items():
        gap, zeros = _largest_gap(v), v.get("gaps", {}).get("nonpositive", 0)
        words = f"agree to {gap:.0e}" if gap else "never differ"
        rows.append([plain(name), plain(words), f"{gap:.1e}", str(zeros), f"{v['decided']} of {v['instances']}"])
    how = (
        "An identity has no slack. The *gap* is the distance of its sides, as computed, relative to their size: what "
        "is left of it is rounding."
    )
    strips = [gap_strip(name, v["gaps"]) for name, v in forms.items() if "gaps" in v]
    told = ", ".join(f"{name} {_largest_gap(v):.0e}" for name, v in forms.items())
    words = f"Histograms of gaps on a logarithmic axis, a strip for each form. Largest: {told}."
    header = ["form", "how near", "largest gap", "exactly equal", "decided"]
    return [how, _table(header, rows), *_strips(strips, "gap, relative", words)]


# -- statements with probability ------------------------------------------------------------------------------------


def _nearest(draws: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The problem on which the share of failures comes nearest to what is promised; of equals the one drawn most."""
    return max(draws, key=lambda d: (d["failures"] / d["trials"] / d["claimed"], d["trials"]))


def _probabilities(claim: Claim, forms: Forms, plain: Plain, evaluations: int | None) -> list[str]:
    rows, told, why = [], [], {}
    for name, v in forms.items():
        if not v.get("draws"):
            rows.append([plain(name), "promises nothing here", *["-"] * 4])
            why.setdefault(v["reason"], []).append(name)
            continue
        d = _nearest(v["draws"])
        shown = f"{d['failures'] / d['trials']:.2g} in [{d['low']:.2g}, {d['high']:.2g}]"
        least = v["min_slack"]
        if d["failures"]:
            words = f"fails, {d['claimed'] * d['trials'] / d['failures']:.3g} times less often than promised"
        else:
            words = "never failed"
        told.append(f"{name} {words}")
        counts = f"{sum(x['failures'] for x in v['draws'])} of {sum(x['trials'] for x in v['draws'])}"
        rows.append([plain(name), words, plain(shown), f"{d['claimed']:.2g}", counts, _number(least)])
    how = (
        "*Promised* is the failure probability claimed on the problem where the measured *share* of failures comes "
        "nearest to it; *failed* counts the draws of all problems; *least* is the least slack of a draw, below 1 where "
        "one failed."
    )
    level = next((d["level"] for v in forms.values() for d in v.get("draws", ())), None)
    if level is not None:
        how += f" Intervals have level {level:g}, whenever one stopped drawing."
    strips = [share_strip(name, v.get("draws", ())) for name, v in forms.items()]
    words = (
        "For each form and each problem the interval of the failure probability as a line, the measured share as a dot "
        f"and the promised probability as an upright stroke, on a logarithmic axis: {'; '.join(told)}."
    )
    header = ["form", "how tight", "share", "promised", "failed", "least"]
    reasons = [plain(f"Why nothing is promised ({'; '.join(names)}): {reason}.") for reason, names in why.items()]
    return [how, _table(header, rows), *reasons, *_strips(strips, "failure probability", words)]


# -- expectations ---------------------------------------------------------------------------------------------------


def _offsets(v: Mapping[str, Any]) -> float:
    """How far a mean is from what is claimed, relatively, at most."""
    return max(abs(m["mean"] / m["claimed"] - 1) for m in v["means"] if m["claimed"])


def _means(claim: Claim, forms: Forms, plain: Plain, evaluations: int | None) -> list[str]:
    rows = []
    for name, v in forms.items():
        near = max(m["tolerance"] / abs(m["claimed"]) for m in v["means"] if m["claimed"])
        words = f"within {100 * _offsets(v):.2g} % of what is claimed"
        rows.append([plain(name), words, str(len(v["means"])), f"{100 * near:.2g} %"])
    strips = [mean_strip(name, v["means"]) for name, v in forms.items()]
    how = (
        "*Means* of fixed statistics over independent draws, each against the claimed expectation; *supported to* is "
        "how near to it the evidence proves them, at the error level of the run."
    )
    words = f"Measured means over claimed expectations, as dots between the ends of what is supported: {rows[0][1]}."
    return [
        how,
        _table(["form", "how near", "means", "supported to"], rows),
        *_strips(strips, "mean over expectation", words),
    ]


# -- laws about growing sizes ---------------------------------------------------------------------------------------


def _told(forms: Forms) -> list[Trend]:
    return [Trend.from_json(name, v["trend"]) for name, v in forms.items()]


def _trends(claim: Claim, forms: Forms, plain: Plain, evaluations: int | None) -> list[str]:
    rows, words = [], []
    for trend in _told(forms):
        sign = "→ " if trend.decay else "exponent "
        inside = "inside" if trend.outside == 0 else f"outside by {trend.outside:.2g} half-widths"
        fit: Fit = trend.fit
        rows.append([plain(trend.law), inside, f"{sign}{trend.predicted:g}", f"{fit.value:.3f}", plain(fit.interval())])
        words.append(f"{trend.law}: predicted {trend.predicted:g}, measured {fit.value:.3f}")
    how = "What was measured at growing sizes, with the interval of the fit; [how it is measured](../asymptotics.md)."
    alt = f"The quantity of each law against n, with intervals, and the law through them. {'; '.join(words)}."
    return [
        how,
        _table(["law", "the prediction is", "predicted", "measured", "interval"], rows),
        f":::{{container}} wide\n```{{image}} {claim.id}.svg\n:alt: {alt}\n```\n:::",
    ]


def figure(claim: Claim, entry: Entry) -> str | None:
    """The file of SVG that a page with laws about growing sizes shows; None for others."""
    forms = {name: v for name, v in entry["variants"].items() if "trend" in v}
    return render(trend_figure(_told(forms), typed(claim.title), columns=2), "svg").decode() if forms else None
