"""What the claims about `jacspec.enclosure` share: an enclosure against its exact oracle, as the sides of a claim.

left is the true error, from the oracle; right the radius that was claimed. So the slack is how loose a bound is, HOLDS
means that the truth is inside, and VIOLATED that it escaped. Both sides are exact (or proved to 30 bits), in float64 as
in 60 digits: a bound that is attained exactly, such as 0 = 0 for an exact zero, HOLDS, and an escape needs no more
digits to be believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from jacspec.enclosure import SymmetricBall

from .arithmetic import Arithmetic
from .claim import Sides, SidesOf
from .instances import Instance
from .oracle import Exact, Gap, Spectrum, entries, exact, located, scaled

__all__ = [
    "Gaps",
    "GapsOf",
    "altered",
    "entry_gap",
    "judged",
    "norm_gap",
    "on_exact_data",
    "shrunk",
    "sides_of",
    "with_terms",
]

#: The error and the bound of each variant; None where an infinite radius says nothing.
Gaps = Mapping[str, Gap | None]
GapsOf = Callable[[Instance], Gaps]


def judged(gaps: Gaps, m: Arithmetic) -> Mapping[str, Sides]:
    """The sides of each variant of which something is said."""
    return {name: gap.sides(m) for name, gap in gaps.items() if gap is not None}


def sides_of(gaps: GapsOf) -> SidesOf:
    """The sides of a claim; the exact errors are computed once for both arithmetics."""
    return lambda instance, m: judged(instance.once("gaps", lambda: gaps(instance)), m)


def altered(gap: Callable[[Instance], Gap | None]) -> SidesOf:
    """The sides of a mutant."""
    return sides_of(lambda instance: {"mutant": gap(instance)})


def on_exact_data(gap: Callable[[Instance], Gap | None]) -> SidesOf:
    """The same, where no data has a radius: a term of rounding in a lane of its own."""
    return altered(lambda i: None if any(name.endswith("_radius") for name in i.arrays) else gap(i))


def shrunk(gaps: GapsOf, variant: str, factor: float, *, everywhere: bool = True) -> SidesOf:
    """A mutant: the same enclosure with its radius times a factor.

    Everywhere; or only for exact data and intervals away from zero, where nothing but rounding makes the radius.
    """

    def gap(instance: Instance) -> Gap | None:
        whole = gaps(instance).get(variant)
        return None if whole is None or not (everywhere or whole.apart) else whole.times(factor)

    return altered(gap) if everywhere else on_exact_data(gap)


# -- symmetric balls ------------------------------------------------------------------------------------------------


def _centre(ball: SymmetricBall) -> Exact:
    centre = exact(ball.mid)
    return centre if ball.low is None else centre + exact(ball.low)


def entry_gap(ball: SymmetricBall, truth: Exact) -> Gap:
    """The worst entry, in units of 2^exponent. `low` belongs to the number, not to its error."""
    return entries(scaled(truth, -ball.exponent), _centre(ball), replace(ball, low=None).radius())


def norm_gap(ball: SymmetricBall, truth: Exact) -> Gap | None:
    """The spectral norm of the error, against `SymmetricBall.error_bound`, in units of 2^exponent."""
    return located(Spectrum(scaled(truth, -ball.exponent) - _centre(ball)).norm, 0.0, ball.error_bound)


def with_terms(ball: SymmetricBall, indices: range, factor: float) -> SymmetricBall:
    """The ball with some of its error terms times a factor."""
    terms = tuple(replace(t, left=factor * t.left) if i in indices else t for i, t in enumerate(ball.terms))
    return replace(ball, terms=terms)
