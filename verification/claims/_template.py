r"""my-bound: what this file claims, in one line."""

from __future__ import annotations

from collections.abc import Mapping

from verification.arithmetic import Arithmetic, Number
from verification.claim import Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import rows
from verification.instances import Instance

# This file is whole and true as it stands; run it, then change it piece by piece:
#
#     jacspec verify my_bound.py              fuzz it; violations are confirmed in 60 digits, and shrunk
#     jacspec verify my_bound.py --mutants    would the check notice an error?
#     jacspec sharpen my_bound.py             how tight is it?
#
# The example: for unit rows, ||X * X|| <= ||X||, where X * X has the rows x_i (x) x_i.


def square_norm(instance: Instance, m: Arithmetic) -> Number:
    """||X * X||. Every step goes through `m`, which is float64 first and 60 digits where float64 leaves a doubt."""
    X = m.matrix(instance["X"])
    square = m.khatri_rao(X, X)
    # In float64, m.norm and m.spectral_norm know their own rounding; what happened before them you must tell. Here: one
    # rounding in each entry of X * X. (m.rounding is 0 in 60 digits.)
    return m.spectral_norm(square, m.rounding(1, m.norm(square)))


def longest_row(instance: Instance, m: Arithmetic) -> Number:
    """max_i ||x_i||: 1, up to the rounding of a normalisation, which 60 digits see."""
    return m.maximum(m.row_norms(m.matrix(instance["X"])))


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """For each variant, by name: Sides(left, right) of left <= right. (A lower bound goes to the left.)"""
    left, norm = square_norm(instance, m), m.spectral_norm(m.matrix(instance["X"]))
    return {
        "simple": Sides(left, norm * norm),
        "sharp": Sides(left, longest_row(instance, m) * norm),
    }


def one_row(instance: Instance) -> str | None:
    """A hypothesis: None where it is met, else the sentence, with its numbers, that says why not."""
    n = len(instance["X"])
    return None if n > 1 else f"X has n = {n} row, for which both sides are equal"


# False neighbours of the statement. `jacspec verify --mutants` must refute each: a check that passes one of them has
# too tame instances, or radii that forgive too much.


def _twin(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    sharp = sides(instance, m)["sharp"]
    return {"mutant": Sides(sharp.left, sharp.right * 0.999)}


def _without_X(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    return {"mutant": Sides(square_norm(instance, m), longest_row(instance, m))}


CLAIM = Claim(
    id="my-bound",
    title="Squares of unit rows have no larger norm than the rows",
    statement=r"\|X * X\| \le \max_i \|x_i\| \, \|X\|",
    source="where it comes from",
    kind=Kind.UPPER,  # or Kind.LOWER, Kind.IDENTITY; a Variant may have a kind of its own
    # What is drawn: other domains are in verification.domains (networks, initializations, PSD_PAIRS, ...). Orthonormal
    # and equal rows attain the bound; no precision decides an equality, so these kinds of rows are left out.
    domain=rows(min_n=3, min_d=2, kinds=("sphere", "clusters", "parallel")),
    variants=(
        Variant("simple", r"\|X * X\| \le \|X\|^2"),
        Variant("sharp", r"\|X * X\| \le \max_i \|x_i\| \, \|X\|"),
    ),
    sides=sides,
    assumptions=(Assumption("at least two rows", one_row),),
    mutants=(
        Mutant("twin", "the sharp bound times 0.999", _twin),
        Mutant("without-X", r"\max_i \|x_i\|, without the factor \|X\|", _without_X),
    ),
    # Always run before anything is drawn: edge cases, and instances that nearly attain the bound.
    # Here: rows of one cluster, all but equal.
    extremal=({"n": 5, "d": 3, "rows": "clusters", "angle": 1e-4, "seed": 0},),
    floor=0.9,  # the share of drawn instances that must be decided
    proof="(X * X)(X * X)^T = XX^T o XX^T, and Schur's bound for Hadamard products (schur-bounds).",
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
