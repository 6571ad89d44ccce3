r"""enclosed-hadamard-product: Hadamard products of symmetric balls (jacspec.enclosure.hadamard)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from jacspec.enclosure import SymmetricBall, gram, hadamard, symmetric_ball
from jacspec.rounding import UNIT_ROUNDOFF
from verification.claim import Claim, Kind, Mutant, SidesOf, Variant
from verification.claims.enclosed_gram import promised as promised_of_gram
from verification.enclosed import (
    NARROW,
    UNDERFLOW,
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
from verification.hard_matrices import (
    KINDS,
    MOST_ROWS,
    SYMMETRIC_KINDS,
    build_matrices,
    build_symmetric,
    matrix_fields,
    member,
    plainly,
)
from verification.instances import Domain, Instance, Spec
from verification.oracle import Exact, Gap
from verification.oracle import hadamard as exact_product

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from verification.instances import Floats

_NAMES = ("A", "B")


def factors(instance: Instance) -> tuple[SymmetricBall, SymmetricBall]:
    """Gram matrices of A and B; or these themselves, where the spec says so."""
    make = symmetric_ball if instance.spec.get("symmetric") else gram
    P, Q = (make(instance[name], instance.arrays.get(name + "_radius")) for name in _NAMES)
    return P, Q


def truth(instance: Instance) -> Exact:
    """The product of one member of each ball."""
    whole = bool(instance.spec.get("symmetric"))
    A, B = (member(instance, name, i, symmetric=whole) for i, name in enumerate(_NAMES))
    return exact_product(A, B) if whole else exact_product(A * A.transpose(), B * B.transpose())


def gaps(instance: Instance) -> Gaps:
    """Entries in float64, entries as a sum of two floats where there is one, and the spectral norm of the error."""
    ball, exactly = hadamard(*factors(instance)), truth(instance)
    return {
        "entries": entry_gap(ball, exactly),
        "refined": None if ball.refine is None else entry_gap(ball.refine(), exactly),
        "norm": norm_gap(ball, exactly),
        NARROW: narrow(widths(instance)),
    }


def widths(instance: Instance) -> Gaps:
    """The radii, against what the factors' promises make of them: twice its radii, of a matrix as given."""
    ball = hadamard(*factors(instance))
    fine = None if ball.refine is None else ball.refine()
    plain = _promised(instance, ball.exponent, 1, 2 * UNIT_ROUNDOFF)
    return {
        "entries": entries_width(ball.radius(), plain),
        "refined": None
        if fine is None
        else entries_width(replace(fine, low=None).radius(), _promised(instance, fine.exponent, 2, 2.0**-75)),
        "norm": width(ball.error_bound, size_of(plain)),
    }


def _promised(instance: Instance, exponent: int, which: int, unit: float) -> Floats:
    """``|P| o E_Q + E_P o |Q| + E_P o E_Q + unit |P| o |Q|`` in units of 2^exponent, plain (1) or refined (2)."""
    parts, scale = [], 0
    for name in _NAMES:
        A, rad = instance[name], instance.arrays.get(name + "_radius")
        B, e = scaled_down(A)
        small = None if rad is None else np.ldexp(rad, -e)
        if instance.spec.get("symmetric"):
            parts.append((np.abs(B), UNDERFLOW + (np.zeros_like(B) if small is None else 2 * small)))
        else:
            e *= 2
            found = promised_of_gram(B, small, 0)
            parts.append((found[0], found[which]))
        scale += e
    (P, E_P), (Q, E_Q) = parts
    return np.asarray(2.0 ** (scale - exponent) * (P * E_Q + E_P * Q + E_P * E_Q + unit * P * Q))


def _parts(P: SymmetricBall, Q: SymmetricBall) -> dict[str, range]:
    """Where the terms of a product are found: |P| o E_Q, E_P o |Q|, E_P o E_Q, and its own rounding."""
    p, q = len(P.rescaled().terms), len(Q.rescaled().terms)
    ends = np.cumsum([0, q, p, 2 * p * q, 1]).tolist()
    names = ("second", "first", "both", "rounding")
    return {name: range(a, b) for name, a, b in zip(names, ends, ends[1:], strict=False)}


def _with(part: str, factor: float) -> SidesOf:
    def gap(instance: Instance) -> Gap | None:
        P, Q = factors(instance)
        return entry_gap(with_terms(hadamard(P, Q), _parts(P, Q)[part], factor), truth(instance))

    return altered(gap)


def _refined_exactly(instance: Instance) -> Gap | None:
    """The refined product without any error."""
    ball = hadamard(*factors(instance))
    if ball.refine is None:
        return None
    fine = ball.refine()
    return entry_gap(with_terms(fine, range(len(fine.terms)), 0.0), truth(instance))


def _build(spec: Spec, trial: int) -> Instance:
    if spec.get("symmetric"):
        return build_symmetric(spec, _NAMES)
    return build_matrices(spec, {"A": ("n", "m"), "B": ("n", "k")}, _NAMES)


def _specs() -> SearchStrategy[Spec]:
    from hypothesis import strategies as st

    def fields(kinds: tuple[str, ...], symmetric: int) -> SearchStrategy[Spec]:
        own = matrix_fields({"n": 5, "m": 5, "k": 5}, kinds)
        return st.fixed_dictionaries(own | {"other": st.sampled_from(kinds), "symmetric": st.just(symmetric)})

    return st.one_of(fields(KINDS, 0), fields(SYMMETRIC_KINDS, 1))


def _from_data(X: Floats, spec: Spec, trial: int) -> Instance:
    return plainly({"A": X[:MOST_ROWS], "B": X[:MOST_ROWS]}, spec)


_ONE: dict[str, int | float | str] = {"n": 1, "digits": 0, "exponent": 0, "symmetric": 1, "kind": "definite"}
_SHORT: dict[str, int | float | str] = {
    "n": 3, "m": 1, "k": 1, "kind": "short", "other": "short", "digits": 0, "exponent": 0
}  # fmt: skip

CLAIM = Claim(
    id="enclosed-hadamard-product",
    title="Hadamard products of symmetric balls, enclosed",
    statement=r"|P \circ Q - K| \le |P| \circ E_Q + E_P \circ |Q| + E_P \circ E_Q + u |K|",
    source="Collatz 1942, Wielandt 1950; docs/rigor.md; jacspec.enclosure.hadamard",
    kind=Kind.UPPER,
    domain=Domain("two symmetric balls, Gram matrices or not", _specs, _build, _from_data,
                  ({}, {"relative": 1e-10, "corner": 1})),
    variants=(
        Variant("entries", r"|P \circ Q - K| \le \operatorname{rad} \text{ in every entry}"),
        Variant("refined", r"\text{the same for a sum of two floats}"),
        Variant("norm", r"\|P \circ Q - K\| \le \text{the bound of the norm of the error}"),
        Variant(
            NARROW,
            r"\operatorname{rad} \le |P| \circ E_Q + E_P \circ |Q| + E_P \circ E_Q + 2 u |P| \circ |Q|, "
            r"\ E: \text{ what a Gram matrix is promised, twice the radii of a matrix as given}",
        ),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant("no-rounding", "without the rounding of the product", _with("rounding", 0.0)),
        Mutant("half-rounding", "half the rounding of the product", _with("rounding", 0.5)),
        Mutant("no-first", r"without E_P \circ |Q|", _with("first", 0.0)),
        Mutant("half-first", r"half of E_P \circ |Q|", _with("first", 0.5)),
        Mutant("no-second", r"without |P| \circ E_Q", _with("second", 0.0)),
        Mutant("half-second", r"half of |P| \circ E_Q", _with("second", 0.5)),
        Mutant("no-product", r"without E_P \circ E_Q", _with("both", 0.0)),
        Mutant("half-product", r"half of E_P \circ E_Q", _with("both", 0.5)),
        Mutant("refined-exact", "the sum of two floats, without error", altered(_refined_exactly)),
        Mutant("less-norm", "0.9 times the bound of the norm", shrunk(gaps, "norm", 0.9)),
        *wide(widths, "entries", "refined", "norm"),
    ),
    extremal=(
        # Numbers: the rounding of one product, and balls as large as their centres.
        *({**_ONE, "kind": "outer", "other": "outer", "seed": seed} for seed in range(6)),
        *({**_ONE, "other": "definite", "relative": relative, "corner": corner, "seed": 1}
          for relative in (1e-6, 0.1, 1.0) for corner in (1, -1)),
        *({**_ONE, "n": 3, "other": "definite", "relative": 0.1, "corner": 1, "seed": seed} for seed in (0, 1)),
        *({**_SHORT, "relative": relative, "corner": 1, "seed": 2} for relative in (0.0, 1e-12, 1e-3, 1.0)),
        *({**_SHORT, "n": 4, "m": 5, "k": 3, "kind": kind, "other": other, "digits": digits, "exponent": exponent,
           "seed": 3}
          for kind, other, digits, exponent in (
              ("conditioned", "conditioned", 16, 0), ("repeated", "antipodal", 3, 0), ("scaled", "scaled", 3, -1060),
              ("scaled", "graded", 3, 1000), ("subnormal", "sparse", 8, 0))),
        {**_SHORT, "n": 40, "m": 4, "k": 3, "kind": "conditioned", "other": "conditioned", "digits": 12,
         "relative": 1e-10, "corner": 2, "seed": 4},
    ),
    floor=0.4,  # symmetric matrices have no finer form
    proof=(
        "$(P + e)(Q + f) - P Q = P f + e Q + e f$ entry by entry, and one rounding. A term $D |N| D'$ of an error "
        "stays one when its $N$ is multiplied by a matrix entrywise, so no array of radii is needed."
    ),
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
