r"""enclosed-jacobian-singular-values: of D * X, proved (jacspec.enclosure.jacobian_singular_values)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigvalsh

from jacspec import Estimate
from jacspec.enclosure import BallMatrix, jacobian_singular_values
from verification.claim import Claim, Kind, Mutant, SidesOf, Variant
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
    singular_width,
    size_of,
    wide,
)
from verification.hard_matrices import MOST_ROWS, build_matrices, domain_of, hard_matrix, member, plainly
from verification.instances import Domain, Instance, Spec, generator
from verification.oracle import Compare, Exact, Gap, Spectrum, enclosed, exact, hadamard, root

if TYPE_CHECKING:
    from verification.instances import Floats

_NAMES = {"D": ("n", "k"), "X": ("n", "d")}


def gram_of(instance: Instance) -> Exact:
    """``J J^T`` of one member of the ball."""
    D, X = member(instance, "D"), exact(instance["X"])
    return hadamard(D * D.transpose(), X * X.transpose())


def truths(instance: Instance) -> dict[str, Compare]:
    """sigma_min and sigma_max."""
    spectrum = instance.once("spectrum", lambda: Spectrum(gram_of(instance)))
    return {"smallest": root(spectrum.smallest), "largest": root(spectrum.largest)}


def found(instance: Instance, share: float = 1.0) -> dict[str, Estimate]:
    """The intervals, with a share of the radii of D."""
    D, rad = instance["D"], instance.arrays.get("D_radius")
    ball = D if rad is None or share == 0 else BallMatrix(D, share * rad)
    known = instance.once(f"found {share}", lambda: jacobian_singular_values(ball, instance["X"]))
    return dict(zip(("smallest", "largest"), known, strict=True))


def gaps(instance: Instance) -> Gaps:
    """Both singular values against their intervals."""
    true, known = truths(instance), found(instance)
    return {**{name: enclosed(true[name], known[name]) for name in true}, NARROW: narrow(widths(instance))}


def widths(instance: Instance) -> Gaps:
    """Both radii, against what is promised of them."""
    known, (D, e), (X, f) = found(instance), scaled_down(instance["D"]), scaled_down(instance["X"])
    rad = instance.arrays.get("D_radius")
    E = np.zeros_like(D) if rad is None else np.ldexp(rad, -e)
    lengths, norm = np.linalg.norm(X, axis=1), float(np.linalg.norm((D @ D.T) * (X @ X.T), 2)) ** 0.5
    moved = min(size_of(E) * float(lengths.max()), float(np.linalg.norm(E, axis=1).max()) * size_of(X))
    dimension = len(X) + D.shape[1] + X.shape[1]
    return {
        "smallest": singular_width(known["smallest"], norm, dimension, moved, e + f),
        "largest": largest_width(known["largest"], norm, dimension, moved, e + f),
    }


def _with_radii(variant: str, share: float) -> SidesOf:
    return altered(lambda i: enclosed(truths(i)[variant], found(i, share)[variant]))


def _least_row(instance: Instance) -> Gap | None:
    r"""Radii that move a singular value by ``||rad|| min ||x_i||``."""
    rad = instance.arrays.get("D_radius")
    if rad is None:
        return None
    moved = float(np.linalg.norm(rad, 2) * np.linalg.norm(instance["X"], axis=1).min())
    return enclosed(truths(instance)["largest"], found(instance, 0.0)["largest"].widened(moved))


def _by_gram(instance: Instance) -> Gap | None:
    """The root of an eigenvalue of the Gram matrix in float64, as if that lost nothing."""
    D, X = instance["D"], instance["X"]
    a, b = (float(np.max(np.abs(A))) for A in (D, X))
    if a == 0 or b == 0 or not 1e-150 < a * b < 1e150:
        return None
    K = (D / a @ (D / a).T) * (X / b @ (X / b).T)
    value = a * b * math.sqrt(max(float(eigvalsh(K)[0]), 0.0))
    return enclosed(truths(instance)["smallest"], Estimate(value, 64 * 2.0**-53 * a * b, True))


def _from_data(X: Floats, spec: Spec, trial: int) -> Instance:
    rows = X[:MOST_ROWS]
    D = hard_matrix(len(rows), int(spec["k"]), "conditioned", 3, 0, generator(spec, 33))
    return plainly({"D": D, "X": rows}, spec, ("D",))


def jacobian_domain(most_rows: int) -> Domain:
    """D, with radii or not, and X; on a user's X, D is made up."""
    domain = domain_of("jacobians", {"n": most_rows, "k": 4, "d": 4}, _NAMES, ("D",))
    data: tuple[Spec, ...] = (
        {"k": 8},
        {"k": 8, "relative": 1e-10, "corner": 2},
        {"k": 2, "relative": 1e-3, "corner": 1},
    )
    return Domain("Jacobians D * X, D exact or with radii", domain.specs, _build, _from_data, data)


def _build(spec: Spec, trial: int) -> Instance:
    return build_matrices(spec, _NAMES, ("D",))


_PLAIN: dict[str, int | float | str] = {
    "n": 4, "k": 3, "d": 2, "kind": "conditioned", "other": "conditioned", "digits": 3, "exponent": 0
}  # fmt: skip

#: Shared with the claim about the minimum-norm solution.
EXTREMAL = (
    {**_PLAIN, "n": 1, "k": 1, "d": 1, "seed": 0},
    *({**_PLAIN, "n": n, "digits": digits, "seed": n} for digits in (3, 8, 16) for n in (2, 4, 6)),
    *({**_PLAIN, "n": 1, "k": k, "d": d, "kind": "short", "relative": relative, "corner": corner, "seed": 1}
      for k, d in ((1, 1), (3, 2)) for relative in (1e-12, 1e-3) for corner in (1, -1)),
    *({**_PLAIN, "n": 3, "kind": "short", "other": "graded", "exponent": 20, "relative": 1e-3, "corner": 1,
       "seed": seed} for seed in (1, 2)),
    *({**_PLAIN, "relative": relative, "even": 1, "corner": 2, "seed": 1} for relative in (1e-12, 1e-6)),
    # Singular: rows repeated in both, more rows than columns, ranks.
    {**_PLAIN, "kind": "repeated", "other": "repeated", "seed": 2},
    {**_PLAIN, "kind": "repeated", "other": "antipodal", "seed": 2},
    {**_PLAIN, "n": 9, "seed": 3},
    {**_PLAIN, "kind": "whole", "other": "whole", "seed": 4},
    *({**_PLAIN, "kind": kind, "other": kind, "exponent": exponent, "seed": 5}
      for kind, exponent in (("scaled", -500), ("scaled", 500), ("scaled", -1060), ("graded", 1000), ("subnormal", 0))),
)  # fmt: skip

CLAIM = Claim(
    id="enclosed-jacobian-singular-values",
    title="Extreme singular values of a Jacobian D * X, enclosed",
    statement=(
        r"|\sigma_{\min}(J) - \sigma| \le \operatorname{rad},\ |\|J\| - \sigma'| \le \operatorname{rad}' "
        r"\text{ for every } J = D * X,\ D \text{ in the ball}"
    ),
    source="jacobian-formula; docs/rigor.md; jacspec.enclosure.jacobian_singular_values",
    kind=Kind.UPPER,
    domain=jacobian_domain(5),
    variants=(
        Variant("smallest", r"|\sigma_{\min}(J) - \sigma| \le \operatorname{rad}"),
        Variant("largest", r"|\|J\| - \sigma'| \le \operatorname{rad}'"),
        Variant(
            NARROW,
            r"\operatorname{rad} \le \min(32 (n+k+d) u \|J\|^2/\sigma, \max(10^{-9} \sigma, 10^{-50} \|J\|)),\ "
            r"\operatorname{rad}' \le 32 (n+k+d) u \|J\|, \text{ of exact data}",
        ),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant(
            "less",
            "0.3 times the radius of the smallest, for exact data and intervals away from 0",
            shrunk(gaps, "smallest", 0.3, everywhere=False),
        ),
        Mutant("no-data", "without the radii of $D$", _with_radii("smallest", 0.0)),
        Mutant("less-data", "0.9 times the radii of $D$, for the smallest", _with_radii("smallest", 0.9)),
        Mutant("less-data-above", "0.9 times the radii of $D$, for the largest", _with_radii("largest", 0.9)),
        Mutant("least-row", r"\min_i \|x_i\| in place of the largest, for the radii of D", altered(_least_row)),
        Mutant("by-gram", r"the root of \lambda_{\min}(J J^\top) in float64", on_exact_data(_by_gram)),
        *wide(widths, "smallest", "largest"),
    ),
    extremal=(*EXTREMAL, {**_PLAIN, "n": 40, "k": 8, "d": 6, "digits": 6, "seed": 6}),
    floor=0.95,
    proof=(
        r"$J J^\top$ is the Hadamard product of two Gram matrices, formed as a sum of two floats where float64 "
        r"loses too much (enclosed-hadamard-product, enclosed-smallest-eigenvalue). $J$ moves by $e * X$, and $\|e "
        r"* X\|$ is at most $\|\operatorname{rad}\| \max_i \|x_i\|$ and at most $\max_i \|\operatorname{rad}_i\| "
        r"\|X\|$ (khatri-rao-spectrum)."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
