"""What a run of a claim reports, and the running counts behind it."""

from __future__ import annotations

import math
import shlex
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..claim import NOT_HERE, Kind, Record, Verdict
from ..confidence import share_interval
from ..instances import Spec, format_spec
from ..trend import Trend

__all__ = ["ClaimReport", "Draws", "Histogram", "Mean", "MutantReport", "Options", "Tally", "VariantReport"]

Floats = NDArray[np.float64]

#: Radius of a slack below which an undecided instance still says how tight a statement is.
_TELLING = 1e-9


@dataclass(frozen=True)
class Options:
    """How to run claims.

    Parameters
    ----------
    examples : int
        Fuzzed instances per deterministic claim. Laws about growing sizes measure one size more for every doubling
        beyond 250, and one less for every halving.
    alpha : float
        Error level of the whole run, shared out over its claims. Intervals of trends have level 1 - alpha each.
    seed : int
    claims : int
        How many claims share alpha.
    X : (n, d) float64 or None
        Run on these unit rows instead of fuzzed ones.
    mutants : bool
        Whether the claim's false neighbours are tried too, on fuzzed instances.
    """

    examples: int = 250
    alpha: float = 0.01
    seed: int = 0
    claims: int = 1
    X: Floats | None = None
    mutants: bool = False


#: Bins of a histogram.
_BINS = 24


@dataclass(frozen=True)
class Histogram:
    """How often a slack (or a gap) fell between two edges, which are in geometric progression.

    Parameters
    ----------
    edges : tuple of float
        One more than `counts`, from the least positive finite slack to the largest.
    counts : tuple of int
    infinite, nonpositive : int
        Slacks that no such bin holds: where the bounded side is 0, and where a side has the other sign. (Gaps that are
        exactly 0 are among the latter.)
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    infinite: int = 0
    nonpositive: int = 0

    @classmethod
    def of(cls, slacks: Sequence[float]) -> Histogram | None:
        """Of all slacks of a run; None without any."""
        values = np.asarray(slacks, dtype=np.float64)
        inside = values[np.isfinite(values) & (values > 0)]
        if not values.size:
            return None
        edges: tuple[float, ...] = ()
        counts: tuple[int, ...] = ()
        if inside.size:
            low, high = float(inside.min()), float(inside.max())
            # One bin where all are the same as printed: bins narrower than a rounding would count noise.
            bins = _BINS if high > low * (1 + 1e-9) else 1
            grid = np.geomspace(low, high, bins + 1) if bins > 1 else np.array([low, high])
            at = np.clip(np.searchsorted(grid, inside, side="right") - 1, 0, bins - 1)
            edges = tuple(float(x) for x in grid)
            counts = tuple(int(x) for x in np.bincount(at, minlength=bins))
        infinite, nonpositive = int(np.sum(values == np.inf)), int(np.sum(values <= 0))
        return cls(edges, counts, infinite, nonpositive)

    def to_json(self) -> dict[str, Any]:
        """The object "slacks" of the JSON contract ``jacspec.verify/1``."""
        return {
            "edges": list(self.edges),
            "counts": list(self.counts),
            "infinite": self.infinite,
            "nonpositive": self.nonpositive,
        }


@dataclass(frozen=True)
class Draws:
    """The draws of one problem, of a statement with probability.

    Parameters
    ----------
    spec : mapping
    claimed : float
        Claimed failure probability.
    trials, failures, doubtful : int
        Doubtful draws are within rounding, and not among the failures.
    level : float
        Of the interval.
    """

    spec: Mapping[str, Any]
    claimed: float
    trials: int
    failures: int
    doubtful: int
    level: float

    def to_json(self) -> dict[str, Any]:
        """One of the list "draws" of the JSON contract ``jacspec.verify/1``; the interval is of the failure share."""
        low, high = share_interval(self.trials, self.failures, self.level, self.doubtful)
        counts = {"trials": self.trials, "failures": self.failures, "doubtful": self.doubtful}
        interval = {"low": low, "high": high, "level": self.level}
        return {"spec": dict(self.spec), "claimed": self.claimed, **counts, **interval}


@dataclass(frozen=True)
class Mean:
    """A mean over draws of one problem: the claimed expectation, and how near to it SUPPORTED means."""

    spec: Mapping[str, Any]
    claimed: float
    mean: float
    trials: int
    tolerance: float

    def to_json(self) -> dict[str, Any]:
        """One of the list "means" of the JSON contract ``jacspec.verify/1``."""
        found = {"claimed": self.claimed, "mean": self.mean, "trials": self.trials, "tolerance": self.tolerance}
        return {"spec": dict(self.spec), **found}


@dataclass(frozen=True)
class VariantReport:
    """What a run found for one variant.

    Parameters
    ----------
    name : str
    verdict : Verdict
    instances, decided, vacuous : int
        For statements with probability: draws.
    min_slack, median_slack : float or None
    witness : mapping or None
        Spec of the instance with the least slack, or of the smallest violation found.
    left, right : float or None
        Both sides on the witness.
    reason : str
        The commonest reason for what was not decided, or how a violation was confirmed.
    failures : int
        Random draws that failed.
    claimed_failure : float or None
        Claimed failure probability (the largest over the problems tried).
    trend : Trend or None
        Of a law about growing sizes (verdict MEASURED); `instances` are then its random data sets.
    inapplicable : int
        Vacuous instances on which this form says nothing by design, because `sides` leaves it out.
    slacks : Histogram or None
        Of the instances whose slack is known.
    gaps : Histogram or None
        Of an identity: how far apart its sides are, relative to their scale.
    draws : tuple of Draws
        Of a statement with probability: problem by problem, where something is promised.
    means : tuple of Mean
        Of an expectation.
    """

    name: str
    verdict: Verdict
    instances: int
    decided: int
    vacuous: int
    min_slack: float | None = None
    median_slack: float | None = None
    witness: Mapping[str, Any] | None = None
    left: float | None = None
    right: float | None = None
    reason: str = ""
    failures: int = 0
    claimed_failure: float | None = None
    trend: Trend | None = None
    inapplicable: int = 0
    slacks: Histogram | None = None
    gaps: Histogram | None = None
    draws: tuple[Draws, ...] = ()
    means: tuple[Mean, ...] = ()


@dataclass(frozen=True)
class MutantReport:
    """Whether a run noticed that a false neighbour of a claim is false; one that survives shows a check without power.

    Parameters
    ----------
    name, why : str
    report : VariantReport
    """

    name: str
    why: str
    report: VariantReport

    @property
    def refuted(self) -> bool:
        """VIOLATED, REFUTED, or a law whose prediction is inconsistent with what was measured."""
        trend = self.report.trend
        known = self.report.verdict in (Verdict.VIOLATED, Verdict.REFUTED)
        return known or (trend is not None and trend.inconsistent)


@dataclass(frozen=True)
class ClaimReport:
    """What a run found for one claim.

    Parameters
    ----------
    id, title : str
    kind : Kind
    variants : tuple of VariantReport
    seconds : float
    seed : int
    reference : str
        What to call it on the command line where that is not its id.
    mutants : tuple of MutantReport
    floors : mapping
        By form, where the claim's `floor` applies: the share to be decided, and how many instances it does not count.
    """

    id: str
    title: str
    kind: Kind
    variants: tuple[VariantReport, ...]
    seconds: float
    seed: int
    reference: str = ""
    mutants: tuple[MutantReport, ...] = ()
    floors: Mapping[str, tuple[float, int]] = field(default_factory=dict)

    def starved(self, v: VariantReport) -> str | None:
        """The sentence that says that a form was decided on fewer instances than its claim's `floor` asks; else None.

        A form of which nothing was decided says so by its verdict.
        """
        share, free = self.floors.get(v.name, (0.0, 0))
        wanted = math.ceil(share * (v.instances - v.inapplicable - free))
        if v.verdict is not Verdict.HOLDS or v.decided >= wanted:
            return None
        return (
            f"{self.id} ({v.name}) holds, but was decided on {v.decided} of {v.instances} instances only, and "
            f"floor={share:g} asks for {wanted}{f' (mostly: {v.reason})' if v.reason else ''}"
        )

    @property
    def called(self) -> str:
        """Its id, or the file that it is in, as a shell reads it."""
        return shlex.quote(self.reference or self.id)

    def reproduce(self, variant: VariantReport) -> str | None:
        """A command that shows the violation again, or None when there is none."""
        if variant.verdict not in (Verdict.VIOLATED, Verdict.REFUTED) or variant.witness is None:
            return None
        return f"jacspec verify {self.called} --instance '{format_spec(variant.witness)}'"

    def to_json(self) -> dict[str, Any]:
        """One entry of the JSON contract ``jacspec.verify/1``."""
        return {
            "id": self.id,
            "title": self.title,
            "kind": self.kind.value,
            "variants": [
                {
                    "name": v.name,
                    "verdict": v.verdict.value,
                    "instances": v.instances,
                    "decided": v.decided,
                    "vacuous": v.vacuous,
                    "min_slack": _json_number(v.min_slack),
                    "median_slack": _json_number(v.median_slack),
                    "witness": None if v.witness is None else dict(v.witness),
                    "left": _json_number(v.left),
                    "right": _json_number(v.right),
                    "reason": v.reason or None,
                    "failures": v.failures,
                    "claimed_failure": v.claimed_failure,
                    "reproduce": self.reproduce(v),
                    "below_floor": self.starved(v) is not None,
                    **({} if v.slacks is None else {"slacks": v.slacks.to_json()}),
                    **({} if v.gaps is None else {"gaps": v.gaps.to_json()}),
                    **({"draws": [d.to_json() for d in v.draws]} if v.draws else {}),
                    **({"means": [m.to_json() for m in v.means]} if v.means else {}),
                    **({} if v.trend is None else {"trend": v.trend.to_json()}),
                }
                for v in self.variants
            ],
            **({"file": self.reference} if self.reference else {}),
            **({"mutants": [_mutant_json(m) for m in self.mutants]} if self.mutants else {}),
            "seconds": round(self.seconds, 3),
        }


def _mutant_json(m: MutantReport) -> dict[str, Any]:
    found = {"verdict": m.report.verdict.value, "refuted": m.refuted, "instances": m.report.instances}
    return {"name": m.name, "why": m.why, **found}


def _json_number(x: float | None) -> float | str | None:
    return x if x is None or math.isfinite(x) else "inf"


@dataclass
class Tally:
    """Running counts of one variant."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    slacks: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    tightest: tuple[float, Spec, Record] | None = None
    worst: tuple[Spec, Record] | None = None

    def add(self, spec: Spec, record: Record) -> None:
        self.verdicts[record.verdict] += 1
        if record.verdict in (Verdict.VACUOUS, Verdict.UNDECIDED):
            self.reasons[record.reason] += 1
        if record.verdict is Verdict.VIOLATED:
            self.worst = (spec, record)
        decided = record.verdict in (Verdict.HOLDS, Verdict.VIOLATED)
        if decided and record.slack is None and record.left is not None and record.right:
            self.gaps.append(abs(record.left) / abs(record.right))
        # An equality to 25 digits has a slack (1); where the radius dominates it is noise.
        known = decided or record.slack_radius <= _TELLING
        if record.slack is not None and known and record.verdict is not Verdict.VACUOUS:
            self.slacks.append(record.slack)
            if self.tightest is None or record.slack < self.tightest[0]:
                self.tightest = (record.slack, spec, record)

    def report(self, name: str) -> VariantReport:
        count = self.verdicts
        if count[Verdict.VIOLATED]:
            verdict = Verdict.VIOLATED
        elif count[Verdict.HOLDS]:
            verdict = Verdict.HOLDS
        else:
            verdict = Verdict.UNDECIDED if count[Verdict.UNDECIDED] else Verdict.VACUOUS
        witness: tuple[Spec, Record] | None = self.worst or (self.tightest[1:] if self.tightest else None)
        reason = self.worst[1].reason if self.worst else next((r for r, _ in self.reasons.most_common(1)), "")
        return VariantReport(
            name=name,
            verdict=verdict,
            instances=sum(count.values()),
            decided=count[Verdict.HOLDS] + count[Verdict.VIOLATED],
            vacuous=count[Verdict.VACUOUS],
            min_slack=min(self.slacks, default=None),
            median_slack=statistics.median(self.slacks) if self.slacks else None,
            witness=dict(witness[0]) if witness else None,
            left=witness[1].left if witness else None,
            right=witness[1].right if witness else None,
            reason=reason,
            inapplicable=self.reasons[NOT_HERE],
            slacks=Histogram.of(self.slacks),
            gaps=Histogram.of(self.gaps),
        )
