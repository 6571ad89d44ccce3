r"""enclosed-smallest-eigenvalue: lambda_min of a symmetric matrix, proved (jacspec.enclosure.smallest_eigenvalue)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh, eigvalsh, lapack

from jacspec import Estimate
from jacspec.enclosure import SymmetricBall, smallest_eigenvalue, symmetric_ball
from verification.claim import Claim, Kind, Mutant, Variant
from verification.enclosed import Gaps, altered, on_exact_data, shrunk, sides_of
from verification.hard_matrices import member, symmetric_domain
from verification.instances import Instance
from verification.oracle import Compare, Gap, Spectrum, enclosed

_SEMIDEFINITE = ("singular", "outer", "diagonal")


def matrix_ball(instance: Instance) -> SymmetricBall:
    """S within its radii, called semidefinite where it is by construction."""
    rad = instance.arrays.get("S_radius")
    known = rad is None and instance.spec.get("kind") in _SEMIDEFINITE
    return symmetric_ball(instance["S"], rad, semidefinite=known)


def truth(instance: Instance) -> Compare:
    """lambda_min of one member of the ball."""
    return Spectrum(member(instance, "S", symmetric=True)).smallest


def gaps(instance: Instance) -> Gaps:
    """The eigenvalue against its interval."""
    return {"enclosed": enclosed(truth(instance), smallest_eigenvalue(matrix_ball(instance)))}


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
        "Rump, Verification of positive definiteness, BIT 46 (2006); numerics A.4 to A.6; "
        "jacspec.enclosure.smallest_eigenvalue"
    ),
    kind=Kind.UPPER,
    domain=symmetric_domain(),
    variants=(Variant("enclosed", r"|\lambda_{\min}(A) - \lambda| \le \operatorname{rad}"),),
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
        Mutant("bare-rayleigh", "without the rounding of the Rayleigh quotient", on_exact_data(_bare_rayleigh)),
        Mutant("lapack", r"the computed eigenvalue, with the radius u \|A\|", on_exact_data(_lapack)),
    ),
    extremal=EXTREMAL,
    floor=0.95,
    proof=(
        "If Cholesky's method comes to its end on A - s I, then R^T R - (A - s I) is at most gamma_{n+3} |R|^T |R|, "
        "and R^T R is semidefinite: lambda_min(A) >= s - ||gamma |R|^T |R|||. A Rayleigh quotient bounds it from "
        "above. The radii of the data move it by the norm of their matrix at most (Weyl)."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
