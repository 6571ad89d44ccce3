"""A claim is a value: one statement of the theory, what it is about, and how its two sides are computed.

Everything else (fuzzing, mutants, sharpness, the command line, the docs) is written against `Claim` and names no lemma.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jacspec.comparison import agree, compare, slack
from jacspec.rounding import Estimate

from .arithmetic import Arithmetic, Float64, Multiprecision
from .instances import Domain, Instance, Spec
from .trend import Law

__all__ = ["Assumption", "Claim", "Kind", "Mutant", "Record", "Sides", "Statistic", "Variant", "Verdict", "check"]


class Verdict(StrEnum):
    """What is known of a statement on an instance; SUPPORTED, REFUTED: of a probability.

    MEASURED is no verdict: it says that a law about growing sizes was measured, and nothing about its truth.
    """

    HOLDS = "HOLDS"
    VIOLATED = "VIOLATED"
    UNDECIDED = "UNDECIDED"
    VACUOUS = "VACUOUS"
    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    MEASURED = "MEASURED"


class Kind(StrEnum):
    """The form of a statement, which decides how it is checked."""

    IDENTITY = "identity"
    UPPER = "upper bound"
    LOWER = "lower bound"
    PROBABILITY = "with probability"
    MEAN = "expectation"
    ASYMPTOTIC = "asymptotic"


@dataclass(frozen=True)
class Sides:
    """The two sides of ``left <= right``; of ``left = 0`` on the scale `right` for an identity.

    Parameters
    ----------
    left, right
        Numbers of the arithmetic they were computed in (an `Estimate` in float64, an mpf in higher precision).
    """

    left: Any
    right: Any


@dataclass(frozen=True)
class Statistic:
    """Independent bounded samples whose expectation is claimed, from one random draw (kind MEAN).

    Parameters
    ----------
    values : (m,) float64
        Samples, each within `radius`.
    radius : float
    claimed : Estimate
        The expectation.
    low, high : float
        Bounds of the samples, known before the draw.
    tolerance : float
        How near SUPPORTED asks the expectation to be.
    """

    values: NDArray[np.float64]
    radius: float
    claimed: Estimate
    low: float
    high: float
    tolerance: float


SidesOf = Callable[[Instance, Arithmetic], Mapping[str, Sides]]
#: Claimed failure probabilities by variant; a sentence, with its numbers, where nothing is promised.
FailureOf = Callable[[Instance], Mapping[str, float | str]]
StatisticsOf = Callable[[Instance], Mapping[str, Sequence[Statistic]]]


@dataclass(frozen=True)
class Variant:
    """One form of a statement: its name ("paper", "explicit", "sharp", ...), formula, and kind where not the claim's.

    A theorem may say several things of one situation: of every run, and of the probability of some runs.
    """

    name: str
    statement: str
    kind: Kind | None = None


@dataclass(frozen=True)
class Assumption:
    """A hypothesis: `fails` returns the sentence, with numbers, that says how an instance breaks it, or None."""

    text: str
    fails: Callable[[Instance], str | None]


@dataclass(frozen=True)
class Mutant:
    """A false neighbour of the statement, which the same machinery must refute.

    Parameters
    ----------
    name : str
    why : str
        What was changed.
    sides : callable
        As `Claim.sides`, for the one variant named "mutant".
    failure, statistics : callable or None
        As in `Claim`, for the kinds that have them (failure defaults to that of the claim's last variant of that
        kind).
    kind : Kind or None
        Where not the claim's.
    trends : tuple of Law
        Kind ASYMPTOTIC: one law, whose prediction must turn out inconsistent with what is measured.
    assumptions : tuple of Assumption or None
        Where not the claim's: for a hypothesis that is too weak.
    """

    name: str
    why: str
    sides: SidesOf | None = None
    failure: FailureOf | None = None
    statistics: StatisticsOf | None = None
    kind: Kind | None = None
    trends: tuple[Law, ...] = ()
    assumptions: tuple[Assumption, ...] | None = None


@dataclass(frozen=True)
class Claim:
    r"""One statement of the theory.

    Parameters
    ----------
    id : str
        Slug.
    title : str
        As all texts but the statement, words with formulas (LaTeX) between dollars.
    statement : str
        LaTeX.
    source : str
    kind : Kind
        Of the variants that state none of their own.
    domain : Domain
        What instances look like, how they are drawn and built.
    variants : tuple of Variant
        All are checked on the same instance.
    sides : callable or None
        ``sides(instance, arithmetic)`` -> {variant name: Sides}. A variant that does not apply may be left out.
        None for kinds MEAN and ASYMPTOTIC only.
    assumptions : tuple of Assumption
    mutants : tuple of Mutant
    extremal : tuple of Spec
        Instances that nearly attain the statement, and edge cases; always run.
    floor : float
        Share of fuzzed instances that must be decided (neither vacuous nor undecided); tested.
    failure : callable or None
        Kind PROBABILITY: ``failure(instance)`` -> {variant name: claimed probability of failure}, or the sentence that
        says why nothing is promised (VACUOUS). Depends on the parameters, not on the draw.
    statistics : callable or None
        Kind MEAN: ``statistics(instance)`` -> {variant name: statistics of this draw}, always in the same order.
    proof : str
        A proof sketch.
    trends : tuple of Law
        Kind ASYMPTOTIC: one law per variant, of the same name.
    exact : bool
        Whether `sides` come from an exact oracle, whatever the arithmetic: then no instance is too large to be sure.
    """

    id: str
    title: str
    statement: str
    source: str
    kind: Kind
    domain: Domain
    variants: tuple[Variant, ...]
    sides: SidesOf | None
    assumptions: tuple[Assumption, ...] = ()
    mutants: tuple[Mutant, ...] = ()
    extremal: tuple[Spec, ...] = ()
    floor: float = 0.5
    failure: FailureOf | None = None
    statistics: StatisticsOf | None = None
    proof: str = ""
    trends: tuple[Law, ...] = ()
    exact: bool = False

    def __post_init__(self) -> None:
        names = [v.name for v in self.variants]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"{self.id}: got variants {names}; expected distinct names, at least one")
        kinds = set(self.kinds)
        if (self.failure is not None) != (Kind.PROBABILITY in kinds):
            raise ValueError(f"{self.id}: failure goes with kind PROBABILITY, and only with it")
        if (self.statistics is not None) != (Kind.MEAN in kinds):
            raise ValueError(f"{self.id}: statistics go with kind MEAN, and only with it")
        if (self.sides is None) != (kinds <= {Kind.MEAN, Kind.ASYMPTOTIC}):
            raise ValueError(f"{self.id}: every kind but MEAN and ASYMPTOTIC needs sides")
        asymptotic = [v.name for v in self.variants if (v.kind or self.kind) is Kind.ASYMPTOTIC]
        if [law.name for law in self.trends] != asymptotic:
            raise ValueError(f"{self.id}: kind ASYMPTOTIC needs one law per variant, of the same name and order")

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of its variants, each once, in order."""
        return tuple(dict.fromkeys(v.kind or self.kind for v in self.variants))

    def parts(self) -> tuple[Claim, ...]:
        """The claim cut into claims of one kind each; itself when it has one kind."""
        if self.kinds == (self.kind,):
            return (self,)
        return tuple(self._part(kind) for kind in self.kinds)

    def _part(self, kind: Kind) -> Claim:
        return replace(
            self,
            kind=kind,
            variants=tuple(replace(v, kind=None) for v in self.variants if (v.kind or self.kind) is kind),
            sides=None if kind in (Kind.MEAN, Kind.ASYMPTOTIC) else self.sides,
            failure=self.failure if kind is Kind.PROBABILITY else None,
            statistics=self.statistics if kind is Kind.MEAN else None,
            trends=self.trends if kind is Kind.ASYMPTOTIC else (),
            mutants=(),
        )

    def mutated(self, mutant: Mutant) -> Claim:
        """The false neighbour as a claim of its own, with one variant named "mutant"."""
        kind = mutant.kind or self.kind
        return replace(
            self,
            id=f"{self.id}/{mutant.name}",
            title=f"{self.title} (false: {mutant.why})",
            kind=kind,
            variants=(Variant("mutant", mutant.why),),
            sides=mutant.sides,
            failure=self._mutant_failure(mutant) if kind is Kind.PROBABILITY else None,
            statistics=mutant.statistics,
            trends=tuple(replace(law, name="mutant") for law in mutant.trends),
            assumptions=self.assumptions if mutant.assumptions is None else mutant.assumptions,
            mutants=(),
        )

    def _mutant_failure(self, mutant: Mutant) -> FailureOf | None:
        if mutant.failure is not None or self.failure is None:
            return mutant.failure
        own = self.failure
        last = [v.name for v in self.variants if (v.kind or self.kind) is Kind.PROBABILITY][-1]
        return lambda instance: {"mutant": own(instance)[last]}


@dataclass(frozen=True)
class Record:
    """The verdict on one instance for one variant.

    Parameters
    ----------
    variant : str
    verdict : Verdict
    slack : float or None
        right / left (for an identity: None); how many times the bound exceeds what it bounds. Infinite when left = 0.
    slack_radius : float
    left, right : float or None
    reason : str
        Why vacuous or undecided, or how a violation was confirmed.
    """

    variant: str
    verdict: Verdict
    slack: float | None = None
    slack_radius: float = 0.0
    left: float | None = None
    right: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Comparison:
    sign: int  # +1 holds by more than the radius, -1 fails by more than it, 0 neither
    slack: float | None
    slack_radius: float
    left: float
    right: float


#: The reason for a variant that `sides` leaves out.
NOT_HERE = "this variant does not apply here"

#: Numbers in an instance beyond which 60 digits take minutes (an eigenproblem of 60 rows takes several seconds).
MOST_PRECISE = 1500

_PRECISE = Multiprecision(60)
FLOAT64 = Float64()


def _compare(kind: Kind, sides: Sides, arithmetic: Arithmetic) -> _Comparison:
    left, left_radius = arithmetic.split(sides.left)
    right, right_radius = arithmetic.split(sides.right)
    if kind is Kind.IDENTITY:
        holds, fails = agree(left, left_radius, right, arithmetic.narrow)
        return _Comparison(bool(holds) - bool(fails), None, 0.0, float(left), float(right))
    holds, fails = compare("<=", left, left_radius, right, right_radius)
    ratio = slack(left, right)
    relative = 0.0 if left == 0 else float(left_radius / abs(left))
    spread = 0.0 if left == 0 or right == 0 else abs(ratio) * (relative + float(right_radius / abs(right)))
    return _Comparison(bool(holds) - bool(fails), ratio, spread, float(left), float(right))


def check(claim: Claim, instance: Instance, *, only: str | None = None, confirm: bool = True) -> dict[str, Record]:
    """The verdict of every variant on one instance.

    float64 first; where that does not clearly hold, the same sides in 60-digit arithmetic, so that nothing is called
    VIOLATED on account of rounding.

    Parameters
    ----------
    claim : Claim
    instance : Instance
    only : str, optional
        One variant's name.
    confirm : bool, default True
        Whether VIOLATED must be confirmed in 60 digits. Random draws of a statement with probability pass False: on an
        instance too large for 60 digits a failure by more than the float64 radius then counts as one, or a false
        statement about a large X could never be refuted. (One draw refutes nothing by itself.)

    Returns
    -------
    dict of str to Record
        VACUOUS for all variants when an assumption fails; a variant that `sides` leaves out is VACUOUS as well. An
        instance too large for 60 digits stays UNDECIDED where float64 leaves a doubt: it is never called VIOLATED.
    """
    if claim.sides is None:
        raise ValueError(f"{claim.id}: a statement of kind {claim.kind.value} is not judged on one instance")
    names = [v.name for v in claim.variants if only is None or v.name == only]
    for assumption in claim.assumptions:
        sentence = assumption.fails(instance)
        if sentence:
            return {name: Record(name, Verdict.VACUOUS, reason=sentence) for name in names}
    quick = claim.sides(instance, FLOAT64)
    records: dict[str, Record] = {}
    unclear: dict[str, _Comparison] = {}
    for name in names:
        if name not in quick:
            records[name] = Record(name, Verdict.VACUOUS, reason=NOT_HERE)
            continue
        if claim.kind is Kind.LOWER and FLOAT64.split(quick[name].left) == (0, 0):
            # 0 <= x is true of anything nonnegative: it says nothing, and must not count as evidence.
            records[name] = Record(name, Verdict.VACUOUS, reason="the lower bound is exactly 0 here")
            continue
        found = _compare(claim.kind, quick[name], FLOAT64)
        if found.sign > 0:
            records[name] = _record(name, Verdict.HOLDS, found)
        else:
            unclear[name] = found
    if unclear and instance.exact and (claim.exact or instance.size <= MOST_PRECISE):
        with _PRECISE.working():
            precise = claim.sides(instance, _PRECISE)
            for name in unclear:
                found = _compare(claim.kind, precise[name], _PRECISE)
                verdict = {1: Verdict.HOLDS, -1: Verdict.VIOLATED, 0: Verdict.UNDECIDED}[found.sign]
                reason = {1: "", -1: "confirmed with 60 digits", 0: "equal to 25 digits"}[found.sign]
                records[name] = _record(name, verdict, found, reason)
    else:
        for name, found in unclear.items():
            if found.sign < 0 and not confirm:
                records[name] = _record(name, Verdict.VIOLATED, found, "by more than the float64 radius, not confirmed")
                continue
            if instance.exact:
                why = f"not clear in float64, and {instance.size} numbers are too many for 60 digits; try --rows 0:20"
            else:
                why = "not clear in float64, and this activation has no higher-precision evaluation"
            records[name] = _record(name, Verdict.UNDECIDED, found, why)
    return {name: records[name] for name in names}


def _record(name: str, verdict: Verdict, found: _Comparison, reason: str = "") -> Record:
    return Record(name, verdict, found.slack, found.slack_radius, found.left, found.right, reason)
