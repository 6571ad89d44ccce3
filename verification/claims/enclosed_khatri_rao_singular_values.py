r"""enclosed-khatri-rao-singular-values: of X * X, proved (jacspec.enclosure.khatri_rao_singular_values)."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import eigvalsh, svdvals

from jacspec import Estimate
from jacspec.enclosure import khatri_rao_singular_values
from verification.claim import Claim, Kind, Mutant, Variant
from verification.enclosed import (
    NARROW,
    Gaps,
    altered,
    largest_width,
    narrow,
    scaled_down,
    shrunk,
    sides_of,
    singular_width,
    wide,
)
from verification.hard_matrices import domain_of
from verification.instances import Instance
from verification.oracle import Compare, Gap, Spectrum, enclosed, exact, hadamard, root


def truths(instance: Instance) -> dict[str, Compare]:
    """sigma_min and sigma_max of X * X, whose Gram matrix is the square of that of X, entry by entry."""

    def compute() -> Spectrum:
        X = exact(instance["X"])
        G = X * X.transpose()
        return Spectrum(hadamard(G, G))

    spectrum = instance.once("spectrum", compute)
    return {"smallest": root(spectrum.smallest), "largest": root(spectrum.largest)}


def found(instance: Instance) -> tuple[Estimate, Estimate]:
    """The intervals."""
    known: tuple[Estimate, Estimate] = instance.once("found", lambda: khatri_rao_singular_values(instance["X"]))
    return known


def gaps(instance: Instance) -> Gaps:
    """Both singular values against their intervals."""
    both = zip(truths(instance).items(), found(instance), strict=True)
    return {**{name: enclosed(truth, e) for (name, truth), e in both}, NARROW: narrow(widths(instance))}


def widths(instance: Instance) -> Gaps:
    """Both radii, against what is promised of them."""
    X, e = scaled_down(instance["X"])
    low, high = found(instance)
    norm, dimension = float(np.linalg.norm((X @ X.T) ** 2, 2)) ** 0.5, len(X) + 2 * X.shape[1]
    return {
        "smallest": singular_width(low, norm, dimension, 0.0, 2 * e),
        "largest": largest_width(high, norm, dimension, 0.0, 2 * e),
    }


def _moderate(instance: Instance) -> float:
    """The size of X, or 0 where its fourth power leaves the range of float64."""
    size = float(np.max(np.abs(instance["X"])))
    return size if 1e-70 < size < 1e70 else 0.0


def _by_gram(instance: Instance) -> Gap | None:
    """The root of an eigenvalue of the squared Gram matrix in float64, as if that lost nothing."""
    X, size = instance["X"], _moderate(instance)
    if size == 0:
        return None
    value = math.sqrt(max(float(eigvalsh((X @ X.T) ** 2)[0]), 0.0))
    return enclosed(truths(instance)["smallest"], Estimate(value, 64 * 2.0**-53 * size**2, True))


def _rounding_noise(instance: Instance) -> Gap | None:
    """The computed singular value even where it is exactly zero, with an error relative to itself."""
    X, size = instance["X"], _moderate(instance)
    n, d = X.shape
    if size == 0 or n > d * d:
        return None
    value = float(svdvals((X[:, :, None] * X[:, None, :]).reshape(n, -1))[-1])
    return enclosed(truths(instance)["smallest"], Estimate(value, 2.0**-40 * value, True))


def _norm_of_x(instance: Instance) -> Gap | None:
    r"""``||X||^2``, which is an upper bound only."""
    size = _moderate(instance)
    if size == 0:
        return None
    value = float(np.linalg.norm(instance["X"], 2)) ** 2
    return enclosed(truths(instance)["largest"], Estimate(value, 2.0**-40 * value, True))


_PLAIN: dict[str, int | float | str] = {"n": 4, "d": 3, "kind": "conditioned", "digits": 3, "exponent": 0}

CLAIM = Claim(
    id="enclosed-khatri-rao-singular-values",
    title="Extreme singular values of X * X, enclosed",
    statement=(
        r"|\sigma_{\min}(X * X) - \sigma| \le \operatorname{rad},\ |\|X * X\| - \sigma'| \le \operatorname{rad}', "
        r"\text{ exactly } 0 \text{ where } \operatorname{rank}(X * X) < n"
    ),
    source="khatri-rao-gram; docs/rigor.md; jacspec.enclosure.khatri_rao_singular_values",
    kind=Kind.UPPER,
    domain=domain_of("rows", {"n": 5, "d": 6}, {"X": ("n", "d")}, (), "X"),
    variants=(
        Variant("smallest", r"|\sigma_{\min}(X * X) - \sigma| \le \operatorname{rad}"),
        Variant("largest", r"|\|X * X\| - \sigma'| \le \operatorname{rad}'"),
        Variant(
            NARROW,
            r"\operatorname{rad} \le \min(32 (n+2d) u \|X*X\|^2/\sigma, \max(10^{-9} \sigma, 10^{-50} \|X*X\|)),\ "
            r"\operatorname{rad}' \le 32 (n+2d) u \|X*X\|",
        ),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant("less", "0.3 times the radius of the smallest, for intervals away from 0",
               shrunk(gaps, "smallest", 0.3, everywhere=False)),
        Mutant("less-above", "0.2 times the radius of the largest, for intervals away from 0 (more is rarely used)",
               shrunk(gaps, "largest", 0.2, everywhere=False)),
        Mutant("by-gram", r"the root of \lambda_{\min}((X X^\top)^{\circ 2}) in float64, which loses half the digits",
               altered(_by_gram)),
        Mutant("noise", "rounding noise in place of an exact zero", altered(_rounding_noise)),
        Mutant("norm", r"\|X\|^2 for \|X * X\|", altered(_norm_of_x)),
        *wide(widths, "smallest", "largest"),
    ),
    extremal=(
        {**_PLAIN, "n": 1, "d": 1, "seed": 0},
        *({**_PLAIN, "n": n, "digits": digits, "seed": n} for digits in (0, 3, 8, 16) for n in (2, 3, 5)),
        *({**_PLAIN, "n": 6, "d": 3, "digits": digits, "seed": 1} for digits in (0, 3, 6)),
        # Exact zeros: too many rows, repeated and antipodal rows, whole numbers.
        {**_PLAIN, "n": 7, "seed": 2},
        *({**_PLAIN, "kind": kind, "digits": 1, "seed": 2} for kind in ("repeated", "antipodal", "whole")),
        *({**_PLAIN, "kind": kind, "exponent": exponent, "seed": 3}
          for kind, exponent in (("scaled", -500), ("scaled", 500), ("scaled", -1060), ("scaled", 1000),
                                 ("graded", 1000), ("subnormal", 0))),
        {**_PLAIN, "n": 40, "d": 9, "digits": 1, "seed": 4},
    ),
    floor=0.95,
    proof=(
        r"$(X * X)(X * X)^\top$ is the Hadamard square of $X X^\top$; as a sum of two floats it keeps what squaring "
        "would lose (enclosed-hadamard-product, enclosed-smallest-eigenvalue). Ranks are decided in exact "
        "arithmetic."
    ),
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
