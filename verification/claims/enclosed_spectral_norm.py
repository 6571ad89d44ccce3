r"""enclosed-spectral-norm: ||A||, proved (jacspec.enclosure.spectral_norm)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import svdvals

from jacspec import Estimate
from jacspec.enclosure import spectral_norm
from verification.claim import Claim, Kind, Mutant, Variant
from verification.enclosed import (
    NARROW,
    Gaps,
    altered,
    largest_width,
    narrow,
    on_exact_data,
    scaled_down,
    shrunk,
    sides_of,
    size_of,
    wide,
)
from verification.hard_matrices import domain_of, member
from verification.instances import Instance
from verification.oracle import Compare, Gap, Spectrum, enclosed, root


def truth(instance: Instance) -> Compare:
    """The norm of one member of the ball, from the Gram matrix of its smaller side."""
    A = member(instance, "A")
    return root(Spectrum(A * A.transpose() if A.nrows() <= A.ncols() else A.transpose() * A).largest)


def found(instance: Instance, share: float = 1.0) -> Estimate:
    """The interval, with a share of the radii of the data."""
    A, rad = instance["A"], instance.arrays.get("A_radius")
    known: Estimate = instance.once(
        f"found {share}", lambda: spectral_norm(A, None if rad is None or share == 0 else share * rad)
    )
    return known


def gaps(instance: Instance) -> Gaps:
    """The norm against its interval."""
    return {"enclosed": enclosed(truth(instance), found(instance)), NARROW: narrow(widths(instance))}


def widths(instance: Instance) -> Gaps:
    """The radius, against what is promised of it."""
    B, e = scaled_down(instance["A"])
    moved = size_of(instance.arrays.get("A_radius"), e)
    return {"enclosed": largest_width(found(instance), float(np.linalg.norm(B, 2)), sum(B.shape), moved, e)}


def _lapack(instance: Instance) -> Gap | None:
    """The computed singular value, as if its error were that of one rounding."""
    value = float(svdvals(instance["A"])[0])
    return enclosed(truth(instance), Estimate(value, 2.0**-54 * value, True))


def _frobenius(instance: Instance) -> Gap | None:
    """The Frobenius norm, with the same radius."""
    A = instance["A"]
    size = float(np.max(np.abs(A)))
    value = size * float(np.linalg.norm(A / size)) if size > 0 else 0.0
    return enclosed(truth(instance), Estimate(value, found(instance).radius, True))


_PLAIN: dict[str, int | float | str] = {"n": 4, "m": 6, "kind": "conditioned", "digits": 3, "exponent": 0}

CLAIM = Claim(
    id="enclosed-spectral-norm",
    title="The spectral norm of a matrix, enclosed",
    statement=r"|\|A\| - \sigma| \le \operatorname{rad} \text{ for every } A \text{ in the ball}",
    source="Rump, BIT 46 (2006); docs/rigor.md; jacspec.enclosure.spectral_norm",
    kind=Kind.UPPER,
    domain=domain_of("matrices", {"n": 6, "m": 6}, {"A": ("n", "m")}, ("A",), "A"),
    variants=(
        Variant("enclosed", r"|\|A\| - \sigma| \le \operatorname{rad}"),
        Variant(NARROW, r"\operatorname{rad} \le 32 (n+m) u \|A\| + 2 \|\text{radii of the data}\|_F"),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant(
            "less",
            "0.2 times the radius, for exact data and intervals away from 0 (more is rarely used)",
            shrunk(gaps, "enclosed", 0.2, everywhere=False),
        ),
        Mutant("no-data", "without the radii of the data", altered(lambda i: enclosed(truth(i), found(i, 0.0)))),
        Mutant("less-data", "0.9 times the radii", altered(lambda i: enclosed(truth(i), found(i, 0.9)))),
        Mutant("lapack", r"the computed singular value, with half a unit in the last place", on_exact_data(_lapack)),
        Mutant("frobenius", "the Frobenius norm in its place", altered(_frobenius)),
        *wide(widths, "enclosed"),
    ),
    extremal=(
        {**_PLAIN, "n": 1, "m": 1, "seed": 0},
        *({**_PLAIN, "seed": seed} for seed in range(12)),
        *(
            {**_PLAIN, "n": 3, "m": 5, "kind": "short", "relative": relative, "corner": corner, "seed": 1}
            for relative in (1e-14, 1e-3, 1.0)
            for corner in (1, -1)
        ),
        *(
            {**_PLAIN, "kind": kind, "digits": 16, "seed": 2}
            for kind in ("repeated", "antipodal", "whole", "subnormal")
        ),
        *({**_PLAIN, "kind": "scaled", "exponent": exponent, "seed": 3} for exponent in (-1060, 1000)),
        {**_PLAIN, "kind": "graded", "exponent": 1000, "seed": 4},
        {**_PLAIN, "n": 9, "m": 2, "seed": 5},
        {**_PLAIN, "n": 40, "m": 40, "digits": 16, "seed": 6},
    ),
    floor=0.95,
    proof=(
        r"$\|A\|^2$ is the largest eigenvalue of the Gram matrix of the smaller side (enclosed-gram, "
        r"enclosed-largest-eigenvalue), and $\|A + e\|$ differs from it by $\|e\| \le \| |e| \|$ at most."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
