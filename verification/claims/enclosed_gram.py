r"""enclosed-gram: Gram matrices with an a-priori error (jacspec.enclosure.gram)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jacspec.enclosure import SymmetricBall, gram
from jacspec.rounding import UNIT_ROUNDOFF
from verification.claim import Claim, Kind, Mutant, SidesOf, Variant
from verification.enclosed import (
    NARROW,
    UNDERFLOW,
    Floats,
    Gaps,
    altered,
    entries_width,
    entry_gap,
    narrow,
    norm_gap,
    scaled_down,
    shrunk,
    sides_of,
    size_of,
    wide,
    width,
    with_terms,
)
from verification.hard_matrices import domain_of, member
from verification.instances import Instance, Spec
from verification.oracle import Exact, Gap


def found(instance: Instance) -> SymmetricBall:
    """The enclosure."""
    return gram(instance["A"], instance.arrays.get("A_radius"))


def truth(instance: Instance) -> Exact:
    """The Gram matrix of one member of the ball."""
    A = member(instance, "A")
    return A * A.transpose()


def gaps(instance: Instance) -> Gaps:
    """Entries in float64, entries as a sum of two floats, and the spectral norm of the error."""
    ball, exactly = found(instance), truth(instance)
    assert ball.refine is not None
    return {
        "entries": entry_gap(ball, exactly),
        "refined": entry_gap(ball.refine(), exactly),
        "norm": norm_gap(ball, exactly),
        NARROW: narrow(widths(instance)),
    }


def promised(A: Floats, rad: Floats | None, exponent: int) -> tuple[Floats, Floats, Floats]:
    """Bounds of the entries of A A^T, and what is promised of their radii, plain and refined (units: 2^exponent)."""
    B, e = scaled_down(A)
    a = np.linalg.norm(B, axis=1)
    q = np.zeros_like(a) if rad is None else np.linalg.norm(np.ldexp(rad, -e), axis=1)
    moved, top = np.outer(a, q) + np.outer(q, a) + np.outer(q, q), np.outer(a, a)
    unit = 2 * (A.shape[1] + 1) * UNIT_ROUNDOFF
    scale = 2.0 ** (2 * e - exponent)
    plain, fine = (scale * (2 * moved + u * top + UNDERFLOW) for u in (unit, unit * 2.0**-19))
    return scale * top, plain, fine


def widths(instance: Instance) -> Gaps:
    """The three radii, against twice what the data and ``(m + 1) u ||a_i|| ||a_j||`` make of them."""
    ball = found(instance)
    assert ball.refine is not None
    fine = ball.refine()
    plain = promised(instance["A"], instance.arrays.get("A_radius"), ball.exponent)[1]
    finer = promised(instance["A"], instance.arrays.get("A_radius"), fine.exponent)[2]
    return {
        "entries": entries_width(ball.radius(), plain),
        "refined": entries_width(replace(fine, low=None).radius(), finer),
        "norm": width(ball.error_bound, size_of(plain)),
    }


def _with_term(index: int, factor: float, refined: bool = False) -> SidesOf:
    def gap(instance: Instance) -> Gap | None:
        ball = found(instance)
        if refined:
            assert ball.refine is not None
            ball = ball.refine()
        return entry_gap(with_terms(ball, range(index, index + 1), factor), truth(instance))

    return altered(gap)


_SHORT: Spec = {"n": 3, "m": 1, "kind": "short", "digits": 0, "exponent": 0, "relative": 0.0}
_WIDE: Spec = {**_SHORT, "m": 3, "relative": 1e-3, "corner": 1}

CLAIM = Claim(
    id="enclosed-gram",
    title="Gram matrices in float64, enclosed",
    statement=(
        r"|A A^\top - \operatorname{fl}(A A^\top)|_{ij} \le "
        r"\gamma_m \|a_i\| \|a_j\| + \|a_i\| q_j + q_i \|a_j\| + q_i q_j, \quad q_i = \|\operatorname{rad}_i\|"
    ),
    source="Jeannerod & Rump 2013; Higham, Accuracy and Stability, section 3.1; docs/rigor.md; jacspec.enclosure.gram",
    kind=Kind.UPPER,
    domain=domain_of("matrices", {"n": 5, "m": 6}, {"A": ("n", "m")}, ("A",), "A"),
    variants=(
        Variant("entries", r"|A A^\top - K| \le \operatorname{rad} \text{ in every entry}"),
        Variant("refined", r"\text{the same for a sum of two floats, by error-free splitting}"),
        Variant("norm", r"\|A A^\top - K\| \le \text{the bound of the norm of the error}"),
        Variant(
            NARROW,
            r"\operatorname{rad}_{ij} \le 2 (m+1) u \|a_i\| \|a_j\| + 2 (\|a_i\| q_j + q_i \|a_j\| + q_i q_j)",
        ),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant("no-rounding", "without the term of rounding", _with_term(0, 0.0)),
        Mutant("half-rounding", "half the term of rounding, which one product nearly attains", _with_term(0, 0.5)),
        Mutant("no-data", "without the term of the radii", _with_term(1, 0.0)),
        Mutant("less-data", "0.9 times the term of the radii", _with_term(1, 0.9)),
        Mutant("refined-exact", "the sum of two floats, without its own error", _with_term(0, 0.0, refined=True)),
        Mutant("refined-no-data", "the sum of two floats, without the term of the radii", _with_term(1, 0.0, True)),
        Mutant("less-norm", "0.9 times the bound of the norm", shrunk(gaps, "norm", 0.9)),
        *wide(widths, "entries", "refined", "norm"),
    ),
    extremal=(
        *({**_SHORT, "n": n, "m": m, "seed": seed} for n, m in ((3, 1), (3, 7), (1, 1)) for seed in (0, 1, 2)),
        *({**_WIDE, "relative": relative, "corner": c, "seed": 3} for relative in (1e-14, 1e-3, 1.0) for c in (1, -1)),
        {"n": 1, "m": 1, "kind": "whole", "digits": 0, "exponent": 0, "seed": 4},
        *(
            {**_SHORT, "n": 4, "m": 5, "kind": kind, "digits": digits, "exponent": exponent, "seed": 5}
            for kind, digits, exponent in (
                ("conditioned", 16, 0), ("repeated", 3, 0), ("scaled", 3, -1060), ("scaled", 3, 1000),
                ("graded", 0, 1000), ("subnormal", 8, 0),
            )
        ),
        {**_SHORT, "n": 40, "m": 6, "kind": "conditioned", "digits": 12, "relative": 1e-10, "corner": 2, "seed": 6},
    ),
    floor=0.95,
    proof=(
        r"An inner product of $m$ terms is off by $\gamma_m \sum_k |a_{ik} a_{jk}|$ in any order, at most $\gamma_m "
        r"\|a_i\| \|a_j\|$; $(a_i + e)(a_j + f) - a_i a_j = a_i f + e a_j + e f$ with $\|e\| \le q_i$, $\|f\| \le "
        "q_j$. The norm of the error is at most that of the matrix of the bounds, which Collatz and Wielandt's "
        "quotients bound."
    ),
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
