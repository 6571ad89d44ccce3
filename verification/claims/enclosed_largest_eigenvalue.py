r"""enclosed-largest-eigenvalue: lambda_max of a symmetric matrix, proved (jacspec.enclosure.largest_eigenvalue)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh, eigvalsh

from jacspec import Estimate
from jacspec.enclosure import largest_eigenvalue, symmetric_ball
from verification.claim import Claim, Kind, Mutant, Variant
from verification.claims.enclosed_smallest_eigenvalue import EXTREMAL, matrix_ball
from verification.enclosed import (
    NARROW,
    Gaps,
    altered,
    eigenvalue_width,
    narrow,
    on_exact_data,
    shrunk,
    sides_of,
    wide,
)
from verification.hard_matrices import member, symmetric_domain
from verification.instances import Instance
from verification.oracle import Compare, Gap, Spectrum, enclosed


def truth(instance: Instance) -> Compare:
    """lambda_max of one member of the ball."""
    return Spectrum(member(instance, "S", symmetric=True)).largest


def found(instance: Instance) -> Estimate:
    """The interval."""
    known: Estimate = instance.once("found", lambda: largest_eigenvalue(matrix_ball(instance)))
    return known


def gaps(instance: Instance) -> Gaps:
    """The eigenvalue against its interval."""
    return {"enclosed": enclosed(truth(instance), found(instance)), NARROW: narrow(widths(instance))}


def widths(instance: Instance) -> Gaps:
    """The radius, against what is promised of it."""
    rad = instance.arrays.get("S_radius")
    return {"enclosed": eigenvalue_width(found(instance), instance["S"], rad, smallest=False)}


def _centre_only(instance: Instance) -> Gap | None:
    return enclosed(truth(instance), largest_eigenvalue(instance["S"]))


def _half_of_the_radii(instance: Instance) -> Gap | None:
    rad = instance.arrays.get("S_radius")
    half = symmetric_ball(instance["S"], None if rad is None else 0.5 * rad)
    return enclosed(truth(instance), largest_eigenvalue(half))


def _bare_rayleigh(instance: Instance) -> Gap | None:
    """From below a Rayleigh quotient as it is rounded."""
    S = instance["S"]
    x = np.ascontiguousarray(eigh(S)[1][:, -1])
    low, high = float(x @ (S @ x)) / float(x @ x), largest_eigenvalue(S).upper
    return enclosed(truth(instance), Estimate.from_bounds(low, max(low, high), True))


def _lapack(instance: Instance) -> Gap | None:
    """LAPACK's eigenvalue, as if its error were that of one rounding."""
    values = eigvalsh(instance["S"])
    return enclosed(truth(instance), Estimate(float(values[-1]), 2.0**-53 * float(np.max(np.abs(values))), True))


def _row_sums(instance: Instance) -> Gap | None:
    """The mean of the entries of a row in place of the eigenvalue: a Rayleigh quotient of the vector of ones."""
    S = instance["S"]
    found = largest_eigenvalue(S)
    return enclosed(truth(instance), Estimate(float(S.sum()) / len(S), found.radius, True))


CLAIM = Claim(
    id="enclosed-largest-eigenvalue",
    title="The largest eigenvalue of a symmetric matrix, enclosed",
    statement=r"|\lambda_{\max}(A) - \lambda| \le \operatorname{rad} \text{ for every } A \text{ in the ball}",
    source="Rump, BIT 46 (2006); docs/rigor.md; jacspec.enclosure.largest_eigenvalue",
    kind=Kind.UPPER,
    domain=symmetric_domain(),
    variants=(
        Variant("enclosed", r"|\lambda_{\max}(A) - \lambda| \le \operatorname{rad}"),
        Variant(NARROW, r"\operatorname{rad} \le 32 (n+3) u \|A\| + 2 \|\text{radii of the data}\|_F"),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant(
            "less",
            "0.15 times the radius, for exact data and intervals away from 0 (more is rarely used)",
            shrunk(gaps, "enclosed", 0.15, everywhere=False),
        ),
        Mutant("no-data", "without the radii of the data", altered(_centre_only)),
        Mutant("half-data", "half of the radii of the data", altered(_half_of_the_radii)),
        Mutant("bare-rayleigh", "without the rounding of the Rayleigh quotient", on_exact_data(_bare_rayleigh)),
        Mutant("lapack", r"the computed eigenvalue, with the radius u \|A\|", on_exact_data(_lapack)),
        Mutant("mean-row-sum", "the Rayleigh quotient of the vector of ones", on_exact_data(_row_sums)),
        *wide(widths, "enclosed"),
    ),
    extremal=EXTREMAL,
    floor=0.95,
    proof="It is minus the smallest eigenvalue of $-A$: enclosed-smallest-eigenvalue.",
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
