r"""enclosed-smallest-singular-value: sigma_min(A) over the rows, proved (jacspec.enclosure.smallest_singular_value)."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import eigvalsh, svdvals

from jacspec import Estimate
from jacspec.enclosure import smallest_singular_value
from verification.claim import Claim, Kind, Mutant, Variant
from verification.enclosed import (
    NARROW,
    Gaps,
    altered,
    narrow,
    on_exact_data,
    scaled_down,
    shrunk,
    sides_of,
    singular_width,
    size_of,
    wide,
)
from verification.hard_matrices import domain_of, member
from verification.instances import Instance
from verification.oracle import Compare, Gap, Spectrum, enclosed, root


def truth(instance: Instance) -> Compare:
    """The n-th singular value of one member of the ball, from its n x n Gram matrix."""
    A = member(instance, "A")
    return root(instance.once("spectrum", lambda: Spectrum(A * A.transpose())).smallest)


def found(instance: Instance, share: float = 1.0) -> Estimate:
    """The interval, with a share of the radii of the data."""
    A, rad = instance["A"], instance.arrays.get("A_radius")
    known: Estimate = instance.once(
        f"found {share}", lambda: smallest_singular_value(A, None if rad is None or share == 0 else share * rad)
    )
    return known


def gaps(instance: Instance) -> Gaps:
    """The singular value against its interval."""
    return {"enclosed": enclosed(truth(instance), found(instance)), NARROW: narrow(widths(instance))}


def widths(instance: Instance) -> Gaps:
    """The radius, against what is promised of it."""
    B, e = scaled_down(instance["A"])
    moved = size_of(instance.arrays.get("A_radius"), e)
    return {"enclosed": singular_width(found(instance), float(np.linalg.norm(B, 2)), sum(B.shape), moved, e)}


def _lapack(instance: Instance) -> Gap | None:
    """The computed singular value, with an error relative to itself."""
    A = instance["A"]
    if A.shape[0] > A.shape[1]:
        return None
    value = float(svdvals(A)[-1])
    return enclosed(truth(instance), Estimate(value, 2.0**-48 * value, True))


def _by_gram(instance: Instance) -> Gap | None:
    """The root of an eigenvalue of the Gram matrix, as if that lost nothing: it loses half of the digits."""
    A = instance["A"]
    size = float(np.max(np.abs(A)))
    if size == 0:
        return None
    B = A / size
    value = size * math.sqrt(max(float(eigvalsh(B @ B.T)[0]), 0.0))
    return enclosed(truth(instance), Estimate(value, 64 * 2.0**-53 * size, True))


_PLAIN: dict[str, int | float | str] = {"n": 4, "m": 6, "kind": "conditioned", "digits": 3, "exponent": 0}

CLAIM = Claim(
    id="enclosed-smallest-singular-value",
    title="The smallest singular value of a matrix, enclosed",
    statement=r"|\sigma_{\min}(A) - \sigma| \le \operatorname{rad} \text{ for every } A \text{ in the ball}",
    source="Rump, BIT 46 (2006); docs/rigor.md; jacspec.enclosure.smallest_singular_value",
    kind=Kind.UPPER,
    domain=domain_of("matrices", {"n": 5, "m": 7}, {"A": ("n", "m")}, ("A",), "A"),
    variants=(
        Variant("enclosed", r"|\sigma_{\min}(A) - \sigma| \le \operatorname{rad}, \text{ 0 where singular}"),
        Variant(
            NARROW,
            r"\operatorname{rad} \le \min(32 (n+m) u \|A\|^2/\sigma, \max(10^{-9} \sigma, 10^{-50} \|A\|)), "
            r"\text{ of exact data}",
        ),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant("less", "0.3 times the radius, for exact data and intervals away from 0",
               shrunk(gaps, "enclosed", 0.3, everywhere=False)),
        Mutant("no-data", "without the radii of the data", altered(lambda i: enclosed(truth(i), found(i, 0.0)))),
        Mutant("less-data", "0.9 times the radii", altered(lambda i: enclosed(truth(i), found(i, 0.9)))),
        Mutant("lapack", "the computed singular value, with an error relative to itself", on_exact_data(_lapack)),
        Mutant("by-gram", r"the root of \lambda_{\min}(A A^\top), within 64 u \|A\|", on_exact_data(_by_gram)),
        *wide(widths, "enclosed"),
    ),
    extremal=(
        {**_PLAIN, "n": 1, "m": 1, "seed": 0},
        *({**_PLAIN, "n": n, "m": n + 1, "digits": digits, "seed": n} for digits in (3, 8, 12, 16) for n in (2, 3, 4)),
        *({**_PLAIN, "seed": seed} for seed in range(6)),
        *({**_PLAIN, "n": 1, "m": m, "kind": "short", "relative": 1e-3, "corner": corner, "seed": 1}
          for m in (1, 3) for corner in (1, -1)),
        *({**_PLAIN, "relative": relative, "even": 1, "corner": 2, "seed": 1} for relative in (1e-10, 1e-3)),
        # Exactly singular, by repeated rows, rank, shape.
        *({**_PLAIN, "kind": kind, "digits": 8, "seed": 2} for kind in ("repeated", "antipodal", "whole")),
        {**_PLAIN, "n": 9, "m": 2, "seed": 5},
        {**_PLAIN, "kind": "subnormal", "digits": 16, "seed": 2},
        *({**_PLAIN, "kind": "scaled", "exponent": exponent, "seed": 3} for exponent in (-1060, 1000)),
        {**_PLAIN, "kind": "graded", "exponent": 1000, "seed": 4},
        {**_PLAIN, "n": 40, "m": 40, "digits": 14, "seed": 6},
    ),
    floor=0.95,
    proof=(
        r"$\sigma_{\min}(A)^2$ is the smallest eigenvalue of $A A^\top$, which is formed again as a sum of two "
        "floats where float64 has lost too much (enclosed-gram, enclosed-smallest-eigenvalue). It is 0 for more "
        r"rows than columns, and where the rank is below $n$ in exact arithmetic; radii move it by $\| |e| \|$ at "
        "most (Weyl)."
    ),
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
