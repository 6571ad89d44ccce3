"""The claims, in the order of theory.md, then those about the primitives of `jacspec.enclosure`.

One statement, one file; a duplicate id is an error.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verification.claim import Claim

__all__ = ["SLUGS", "claims", "run_alone"]

#: Slugs in order; the file of each is its slug with underscores.
SLUGS = (
    "khatri-rao-gram",
    "schur-bounds",
    "khatri-rao-spectrum",
    "jacobian-formula",
    "jacobian-norm",
    "jacobian-lipschitz",
    "jacobian-lipschitz-optimal",
    "relu-jacobian-perturbation",
    "hermite-parseval",
    "kernel-expansion",
    "covariance-hermite-bound",
    "covariance-upper-bound",
    "relu-covariance",
    "relu-separation",
    "initial-jacobian-mean",
    "initial-jacobian-spectrum",
    "initial-misfit",
    "relu-small-preactivations",
    "gd-one-step",
    "gd-convergence",
    "gd-kantorovich",
    "gd-perturbation",
    "sgd-convergence",
    "theorem-gd-smooth",
    "theorem-gd-relu",
    "theorem-sgd-smooth",
    "theorem-output-layer",
    "corollary-random-data",
    "random-khatri-rao-edge",
    "phase-transition-lower",
    "interpolation-certificate",
    "interpolation-certificate-relu",
    "initial-certificate",
    "newton-certificate",
    "enclosed-gram",
    "enclosed-hadamard-product",
    "enclosed-smallest-eigenvalue",
    "enclosed-largest-eigenvalue",
    "enclosed-spectral-norm",
    "enclosed-smallest-singular-value",
    "enclosed-jacobian-singular-values",
    "enclosed-khatri-rao-singular-values",
    "enclosed-minimum-norm-solution",
    "enclosed-activation",
    "enclosed-covariance",
)


def load(slug: str) -> Claim:
    """The claim of one slug, from its file."""
    module = importlib.import_module(f"verification.claims.{slug.replace('-', '_')}")
    claim: Claim = module.CLAIM
    if claim.id != slug:
        raise ValueError(f"{module.__name__}: got id {claim.id!r}; expected {slug!r}, after the file's name")
    return claim


@cache
def claims() -> Mapping[str, Claim]:
    """All claims by slug, in order.

    Raises
    ------
    ValueError
        If two claims have one id, or a file and its claim disagree.
    """
    if len(set(SLUGS)) != len(SLUGS):
        raise ValueError("verification.claims: a slug is listed twice")
    return MappingProxyType({slug: load(slug) for slug in SLUGS})


def run_alone(claim: Claim) -> None:
    """What ``python -m verification.claims.<file>`` does: `jacspec verify` on one claim."""
    from verification.cli import main

    sys.exit(main(["verify", claim.id, *sys.argv[1:]]))
