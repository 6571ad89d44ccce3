"""What the claims about `jacspec.enclosure` share: an enclosure against its exact oracle, as the sides of a claim.

left is the true error, from the oracle; right the radius that was claimed. So the slack is how loose a bound is, HOLDS
means that the truth is inside, and VIOLATED that it escaped. Both sides are exact (or proved to 30 bits), in float64 as
in 60 digits: a bound that is attained exactly, such as 0 = 0 for an exact zero, HOLDS, and an escape needs no more
digits to be believed.

A radius a million times too large would never let the truth escape. So each claim has a variant `NARROW` as well: there
left is the radius, and right what the docs promise of it, a multiple of the rounding unit and of the data's own radii.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from jacspec import Estimate
from jacspec.enclosure import SymmetricBall
from jacspec.rounding import UNIT_ROUNDOFF

from .arithmetic import Arithmetic
from .claim import Mutant, Sides, SidesOf
from .instances import Instance
from .oracle import Exact, Gap, Spectrum, entries, exact, located, power_of_two, rational, scaled, worst

__all__ = [
    *("FALSE", "NARROW", "UNDERFLOW", "Gaps", "GapsOf", "Widths"),
    *("altered", "eigenvalue_width", "entries_width", "entry_gap", "judged", "largest_width", "narrow", "norm_gap"),
    *("on_exact_data", "scaled_down", "shrunk", "sides_of", "singular_width", "size_of", "wide", "width", "with_terms"),
]

Floats = NDArray[np.float64]
#: The error and the bound of each variant; None where an infinite radius says nothing.
Gaps = Mapping[str, Gap | None]
GapsOf = Callable[[Instance], Gaps]
#: The radius of each quantity, and what is promised of it; None where nothing is.
Widths = Callable[[Instance], Gaps]

#: Where something false is claimed whatever the numbers: an error of 1 where none is allowed.
FALSE = Gap(fmpq(1), fmpq(1), fmpq(0))


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


# -- narrowness -----------------------------------------------------------------------------------------------------

#: The variant that every claim has.
NARROW = "narrow"
#: How many times too wide the radii of mutants are: what is promised leaves room for less than that.
_TOO_WIDE = 1000.0
#: The relative width at which a smallest eigenvalue is narrow enough, and the size at which it may be zero.
_RELATIVE, _ZERO = 1e-9, 1e-50
#: Roundings per dimension of an eigenvalue, up to 48 rows: the error of a factorisation, and the distance of the shift
#: from the guess, which is tried again ten times as far away where it fails.
_ROUNDINGS = 32
#: What may be lost where the largest entry is near 1.
UNDERFLOW = 2.0**-300
#: Of numbers that underflow themselves no more is promised, and of those beyond the second nothing.
_LEAST, _MOST = power_of_two(-1021), power_of_two(1000)


def width(radius: float, promised: float, exponent: int = 0) -> Gap | None:
    """A radius, and what is promised of it in units of 2^exponent (of the data); None where that may overflow."""
    if not math.isfinite(promised):
        return None
    bound = rational(promised + UNDERFLOW) * power_of_two(exponent) + _LEAST
    if bound > _MOST:
        return None
    return Gap(rational(radius), rational(radius), bound) if math.isfinite(radius) else FALSE


def entries_width(radius: Floats, promised: Floats) -> Gap | None:
    """The entry of an array that is widest against its promise, both in the same units."""
    with np.errstate(over="ignore", divide="ignore"):
        share = np.where(radius > 0, radius / promised, 0.0)
    i = int(np.argmax(share))
    return width(float(radius.flat[i]), float(promised.flat[i]))


def narrow(widths: Gaps) -> Gap | None:
    """The quantity that is widest against its promise."""
    known = [gap for gap in widths.values() if gap is not None]
    return worst(known) if known else None


def wide(widths: Widths, *names: str) -> tuple[Mutant, ...]:
    """Mutants: one quantity's radius, a thousand times too large."""

    def sides(name: str) -> SidesOf:
        def gap(instance: Instance) -> Gap | None:
            whole = widths(instance).get(name)
            factor = rational(_TOO_WIDE)
            return None if whole is None else replace(whole, low=whole.low * factor, high=whole.high * factor)

        return altered(gap)

    why = "a thousand times the radius"
    several = len(names) > 1
    return tuple(Mutant(f"wide-{n}" if several else "wide", f"{why}: {n}" if several else why, sides(n)) for n in names)


def scaled_down(A: Floats) -> tuple[Floats, int]:
    """A with its largest entry near 1 but for a power of two, and the exponent of that."""
    e = math.frexp(float(np.max(np.abs(A))))[1] if A.size else 0
    return np.ldexp(A, -e), e


def size_of(A: Floats | None, exponent: int = 0) -> float:
    """The Frobenius norm in units of 2^exponent, 0 of no radii."""
    return 0.0 if A is None else float(np.linalg.norm(np.ldexp(A, -exponent)))


def _in_units(x: float, exponent: int, most: float) -> float:
    """x in units of 2^exponent; `most`, which it cannot exceed, where underflow made it larger."""
    with np.errstate(over="ignore"):
        return min(float(np.ldexp(x, -exponent)), most)


def eigenvalue_width(found: Estimate, S: Floats, rad: Floats | None, *, smallest: bool) -> Gap | None:
    """What is promised of an extreme eigenvalue: ``32 (n + 3) u ||S||``, and twice as much as the radii move it.

    A smallest one of exact data besides: 1e-9 of itself, 1e-50 ||S|| where it may be zero.
    """
    B, e = scaled_down(S)
    norm, moved = float(np.linalg.norm(B, 2)), size_of(rad, e)
    promised = _ROUNDINGS * (len(S) + 3) * UNIT_ROUNDOFF * norm + 2 * moved
    if smallest and rad is None:
        promised = min(promised, max(_RELATIVE * _in_units(abs(found.value), e, norm), _ZERO * norm))
    return width(found.radius, promised, e)


def largest_width(found: Estimate, norm: float, dimension: int, moved: float, exponent: int) -> Gap | None:
    """What is promised of a largest singular value: ``32 dim u ||A||``, and twice what the radii move it (`moved`)."""
    return width(found.radius, _ROUNDINGS * dimension * UNIT_ROUNDOFF * norm + 2 * moved, exponent)


def singular_width(found: Estimate, norm: float, dimension: int, moved: float, exponent: int) -> Gap | None:
    r"""What is promised of a smallest singular value, in units of 2^exponent.

    ``32 dim u ||A||^2 / sigma``, as squares are bounded, but at most 1e-9 sigma (1e-50 ||A|| where it may be zero);
    with radii that move A by `moved` (Frobenius norm), twice that more and ``32 dim u ||A||``.
    """
    sigma = _in_units(found.value, exponent, norm)
    unit = _ROUNDINGS * dimension * UNIT_ROUNDOFF * norm
    fine = max(_RELATIVE * sigma, _ZERO * norm)
    if sigma > 0:
        fine = min(fine, unit * norm / sigma)
    return width(found.radius, fine + (2 * moved + unit if moved else 0.0), exponent)
