r"""enclosed-smallest-eigenvalue: lambda_min of a symmetric matrix, proved (jacspec.enclosure.smallest_eigenvalue)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from flint import fmpq
from scipy.linalg import eigh, eigvalsh, lapack

from jacspec import Estimate
from jacspec.enclosure import SymmetricBall, smallest_eigenvalue, symmetric_ball
from jacspec.enclosure.eigenvalues import cholesky_bound
from jacspec.enclosure.refine import congruence
from verification.claim import Claim, Kind, Mutant, Variant
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
from verification.oracle import Compare, Gap, Spectrum, enclosed, exact, located, rational

if TYPE_CHECKING:
    from verification.instances import Floats

_SEMIDEFINITE = ("singular", "outer", "diagonal")


def matrix_ball(instance: Instance) -> SymmetricBall:
    """S within its radii, called semidefinite where it is by construction."""
    rad = instance.arrays.get("S_radius")
    known = rad is None and instance.spec.get("kind") in _SEMIDEFINITE
    return symmetric_ball(instance["S"], rad, semidefinite=known)


def truth(instance: Instance) -> Compare:
    """lambda_min of one member of the ball."""
    spectrum: Spectrum = instance.once("spectrum", lambda: Spectrum(member(instance, "S", symmetric=True)))
    return spectrum.smallest


def found(instance: Instance) -> Estimate:
    """The interval."""
    known: Estimate = instance.once("found", lambda: smallest_eigenvalue(matrix_ball(instance)))
    return known


def gaps(instance: Instance) -> Gaps:
    """The eigenvalue against its interval, and the two proofs behind it, each in a lane of its own."""
    return {
        "enclosed": enclosed(truth(instance), found(instance)),
        "cholesky": _factored(instance),
        "residual": _residual(instance),
        NARROW: narrow(widths(instance)),
    }


def widths(instance: Instance) -> Gaps:
    """The radius, against what is promised of it."""
    rad = instance.arrays.get("S_radius")
    return {"enclosed": eigenvalue_width(found(instance), instance["S"], rad, smallest=True)}


def _moderate(instance: Instance) -> Floats | None:
    """S with its largest entry near 1, times a power of two; None for zero, and where that loses digits."""
    S = instance["S"]
    size = float(np.max(np.abs(S)))
    if "S_radius" in instance.arrays or size == 0:
        return None
    e = math.frexp(size)[1]
    A = np.ldexp(S, -e)
    return A if np.array_equal(np.ldexp(A, e), S) else None


def _factored(instance: Instance) -> Gap | None:
    """How far a shift whose matrix A - s I has a factor exceeds lambda_min, against what is taken off for rounding.

    The largest such shift of a few next to the computed eigenvalue, in units of the last place of A.
    """
    A = _moderate(instance)
    if A is None:
        return None
    unit, near = float(np.spacing(np.max(np.abs(A)))), float(eigvalsh(A)[0])
    for k in (4.0, 2.0, 1.0, 0.5, 0.25, 0.0, -1.0, -4.0):
        # Around zero where A is singular: there rounding decides whether a factor is found.
        shift = k * unit + (near if abs(near) > 64 * unit else 0.0)
        found = cholesky_bound(A, shift)
        if found is not None:
            taken = rational(shift) - rational(found)
            compare = Spectrum(exact(A)).smallest
            if compare(rational(shift)) >= 0:
                return Gap(fmpq(0), fmpq(0), taken)
            over = located(compare, shift, float(shift - found))
            return None if over is None else replace(over, bound=taken)
    return None


def _residual(instance: Instance) -> Gap | None:
    """The norm of the error of the computed ``M^T A M - I``; M an inverse factor, and 1.3 times that for odd seeds."""
    A = _moderate(instance)
    if A is None:
        return None
    values, vectors = eigh(A)
    M = vectors / np.sqrt(np.maximum(np.abs(values), 1e-14 * np.max(np.abs(values))))
    M *= 1.3 if int(instance.spec.get("seed", 0)) % 2 else 1.0
    D, error = congruence(A, None, M)
    N = exact(M)
    off = N.transpose() * exact(A) * N - exact(np.eye(len(A))) - exact(D)
    return located(Spectrum(off).norm, 0.0, error)


def _between(instance: Instance, low: float, high: float) -> Gap | None:
    return enclosed(truth(instance), Estimate.from_bounds(low, high, True))


def _centre_only(instance: Instance) -> Gap | None:
    return enclosed(truth(instance), smallest_eigenvalue(instance["S"]))


def _half_of_the_radii(instance: Instance) -> Gap | None:
    rad = instance.arrays.get("S_radius")
    half = symmetric_ball(instance["S"], None if rad is None else 0.5 * rad)
    return enclosed(truth(instance), smallest_eigenvalue(half))


def _bare_cholesky(instance: Instance) -> Gap | None:
    """From below a shift s, one unit in the last place (so that nothing is rounded), where A - s I has a factor."""
    S = instance["S"]
    s = float(np.spacing(np.max(np.abs(S))))
    if lapack.dpotrf(S - s * np.eye(len(S)), lower=1)[1] != 0:
        return None
    return _between(instance, s, max(s, smallest_eigenvalue(S).upper))


def _bare_rayleigh(instance: Instance) -> Gap | None:
    """From above a Rayleigh quotient as it is rounded."""
    S = instance["S"]
    x = np.ascontiguousarray(eigh(S)[1][:, 0])
    high = float(x @ (S @ x)) / float(x @ x)
    return _between(instance, min(smallest_eigenvalue(S).lower, high), high)


def _lapack(instance: Instance) -> Gap | None:
    """LAPACK's eigenvalue, as if its error were that of one rounding."""
    values = eigvalsh(instance["S"])
    return enclosed(truth(instance), Estimate(float(values[0]), 2.0**-53 * float(np.max(np.abs(values))), True))


_PLAIN: dict[str, int | float | str] = {"n": 5, "kind": "definite", "digits": 3, "exponent": 0}

#: Shared with the claim about the largest one.
EXTREMAL = (
    *({**_PLAIN, "n": n, "digits": digits, "seed": 1} for n, digits in ((1, 0), (2, 0), (6, 8), (6, 12), (6, 16))),
    *({**_PLAIN, "seed": seed} for seed in range(8)),
    *({**_PLAIN, "n": 2, "kind": "outer", "seed": seed} for seed in range(14)),
    *({**_PLAIN, "kind": "singular", "n": n, "seed": 2} for n in (1, 2, 6)),
    *({**_PLAIN, "kind": kind, "digits": 12, "seed": 3} for kind in ("indefinite", "diagonal", "subnormal")),
    *({**_PLAIN, "kind": "scaled", "exponent": exponent, "seed": 4} for exponent in (-1060, 1000)),
    # A number: its radius is attained. And radii that hide whether a matrix is definite.
    *({**_PLAIN, "n": 1, "relative": 1e-3, "corner": corner, "seed": 5} for corner in (1, -1)),
    *({**_PLAIN, "digits": 12, "relative": 1e-10, "corner": corner, "seed": 6} for corner in (1, 2)),
    {**_PLAIN, "n": 40, "digits": 16, "seed": 7},
)

CLAIM = Claim(
    id="enclosed-smallest-eigenvalue",
    title="The smallest eigenvalue of a symmetric matrix, enclosed",
    statement=r"|\lambda_{\min}(A) - \lambda| \le \operatorname{rad} \text{ for every } A \text{ in the ball}",
    source=(
        "Rump, Verification of positive definiteness, BIT 46 (2006); docs/rigor.md; "
        "jacspec.enclosure.smallest_eigenvalue"
    ),
    kind=Kind.UPPER,
    domain=symmetric_domain(),
    variants=(
        Variant("enclosed", r"|\lambda_{\min}(A) - \lambda| \le \operatorname{rad}"),
        Variant("cholesky", r"s - \lambda_{\min}(A) \le \text{the backward error, if } A - s I \text{ has a factor}"),
        Variant("residual", r"\|M^\top A M - I - D\| \le \text{the bound of its rounding}"),
        Variant(
            NARROW,
            r"\operatorname{rad} \le 32 (n+3) u \|A\| + 2 \|\text{radii of the data}\|_F; "
            r"\text{ of exact data } \le \max(10^{-9} |\lambda|, 10^{-50} \|A\|) \text{ as well}",
        ),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant(
            "less",
            "0.6 times the radius, for exact data and intervals away from 0",
            shrunk(gaps, "enclosed", 0.6, everywhere=False),
        ),
        Mutant("no-data", "without the radii of the data", altered(_centre_only)),
        Mutant("half-data", "half of the radii of the data", altered(_half_of_the_radii)),
        Mutant("bare-cholesky", "without the backward error of the factorisation", on_exact_data(_bare_cholesky)),
        Mutant(
            "less-backward-error", "0.1 times the backward error of the factorisation", shrunk(gaps, "cholesky", 0.1)
        ),
        Mutant("less-residual", "0.1 times the bound of the residual", shrunk(gaps, "residual", 0.1)),
        Mutant("bare-rayleigh", "without the rounding of the Rayleigh quotient", on_exact_data(_bare_rayleigh)),
        Mutant("lapack", r"the computed eigenvalue, with the radius u \|A\|", on_exact_data(_lapack)),
        *wide(widths, "enclosed"),
    ),
    extremal=EXTREMAL,
    floor=0.3,  # both proofs are looked at for exact matrices only
    proof=(
        r"If Cholesky's method comes to its end on $A - s I$, then $R^\top R - (A - s I)$ is at most $\gamma_{n+3} "
        r"|R|^\top |R|$, and $R^\top R$ is semidefinite: $\lambda_{\min}(A) \ge s - \| \gamma_{n+3} |R|^\top |R| "
        r"\|$. A Rayleigh quotient bounds it from above. The radii of the data move it by the norm of their matrix "
        "at most (Weyl)."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
