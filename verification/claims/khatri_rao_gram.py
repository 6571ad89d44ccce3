r"""khatri-rao-gram: the Gram matrix of row-wise Khatri-Rao products (docs/theory.md section 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verification.arithmetic import Arithmetic, Matrix
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import PAIRS
from verification.instances import Instance


def letters(instance: Instance, m: Arithmetic) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """A (n, a), B (n, b), C (m, a), D (m, b)."""
    A, B, C, D = (m.matrix(instance[name]) for name in "ABCD")
    return A, B, C, D


def product(A: Matrix, B: Matrix, C: Matrix, D: Matrix, m: Arithmetic) -> Any:
    """``(A * B)(C * D)^T``, through the n x ab and m x ab products."""
    return m.khatri_rao(A, B) @ m.khatri_rao(C, D).T


def agreement(instance: Instance, m: Arithmetic, left: Matrix, right: Matrix) -> Sides:
    """The difference of two matrices of inner products, on the scale of their absolute terms."""
    A, B, C, D = (np.abs(instance[name]) for name in "ABCD")
    scale = float(np.linalg.norm((A @ C.T) * (B @ D.T)))
    # Left: a*b terms with three roundings each. Right: two inner products and their product. An entry is off by gamma
    # of either count times the same sum of absolute values; one more covers the rounding of the scale.
    a, b = A.shape[1], B.shape[1]
    error = m.rounding((a * b + 2) + (a + b + 1) + 1, scale)
    return Sides(m.discrepancy(left, right, error, scale), m.number(scale))


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """(A*B)(C*D)^T against (A C^T) o (B D^T)."""
    A, B, C, D = letters(instance, m)
    return {"gram": agreement(instance, m, product(A, B, C, D, m), (A @ C.T) * (B @ D.T))}


def _off_by_a_thousandth(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    A, B, C, D = letters(instance, m)
    return {"mutant": agreement(instance, m, product(A, B, C, D, m), (1.001 * A @ C.T) * (B @ D.T))}


def _sum(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    A, B, C, D = letters(instance, m)
    return {"mutant": agreement(instance, m, product(A, B, C, D, m), A @ C.T + B @ D.T)}


def _swapped(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    A, B, C, D = letters(instance, m)
    left = m.khatri_rao(A, B) @ m.khatri_rao(D, C).T
    return {"mutant": agreement(instance, m, left, (A @ C.T) * (B @ D.T))}


def _absolute(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    A, B, C, D = letters(instance, m)
    return {"mutant": agreement(instance, m, product(A, B, C, D, m), abs(A @ C.T) * (B @ D.T))}


CLAIM = Claim(
    id="khatri-rao-gram",
    title="The Gram matrix of a Khatri-Rao product is a Hadamard product of Gram matrices",
    statement=r"(A * B)(C * D)^\top = (A C^\top) \circ (B D^\top)",
    source="Slyusar 1999 (face-splitting products); used throughout arXiv 1902.04674",
    kind=Kind.IDENTITY,
    domain=PAIRS,
    variants=(Variant("gram", r"(A * B)(C * D)^\top = (A C^\top) \circ (B D^\top)"),),
    sides=sides,
    mutants=(
        Mutant("off-by-a-thousandth", "the right-hand side times 1.001", _off_by_a_thousandth),
        Mutant("sum", r"A C^\top + B D^\top in place of the Hadamard product", _sum),
        Mutant("swapped", r"(A * B)(D * C)^\top: Kronecker factors in another order", _swapped),
        Mutant("absolute", r"|A C^\top| in place of A C^\top", _absolute),
    ),
    extremal=(
        {"n": 1, "m": 1, "a": 1, "b": 1, "kind": "gaussian", "scale": 1.0, "seed": 0},
        # Scales at which products of four entries leave the range where float64 is accurate.
        {"n": 3, "m": 2, "a": 3, "b": 2, "kind": "gaussian", "scale": 1e-150, "seed": 1},
        {"n": 4, "m": 3, "a": 3, "b": 2, "kind": "zero-row", "scale": 1.0, "seed": 2},
        # a = b, so that a swapped order of the Kronecker factors has the same shape.
        {"n": 3, "m": 4, "a": 2, "b": 2, "kind": "gaussian", "scale": 1.0, "seed": 3},
    ),
    floor=0.95,
    proof=(
        r"Entry $(i, j)$ is $\langle A_i \otimes B_i, C_j \otimes D_j \rangle = \langle A_i, C_j \rangle \langle "
        r"B_i, D_j \rangle$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
