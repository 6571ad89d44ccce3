"""The claims, in the order of docs/theory.md, then those about the primitives of `jacspec.enclosure`.

One statement, one file; a duplicate id is an error. Claims of installed packages follow (entry point group
``jacspec.claims``); a file of one's own is loaded by its path.
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

__all__ = ["SLUGS", "claims", "load", "run_alone", "slugs"]

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
    "phase-transition",
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


def load(reference: str) -> Claim:
    """The claim of a slug, or of a user's file: ``my_bound.py``, or ``my_claims.py::my-bound`` where it has several.

    Raises
    ------
    InputError
        If there is no such claim, or something is wrong with it.
    """
    if reference not in SLUGS:
        from verification.own_claims import load_own

        return load_own(reference)
    slug = reference
    module = importlib.import_module(f"verification.claims.{slug.replace('-', '_')}")
    claim: Claim = module.CLAIM
    if claim.id != slug:
        raise ValueError(f"{module.__name__}: got id {claim.id!r}; expected {slug!r}, after the file's name")
    return claim


def slugs() -> tuple[str, ...]:
    """Slugs of the built-in claims, in order, then of those of installed packages, sorted.

    Raises
    ------
    InputError
        If an installed claim has the id of another one.
    """
    from verification.own_claims import installed

    return (*SLUGS, *installed())


@cache
def claims() -> Mapping[str, Claim]:
    """All claims by slug, built-in and installed, in order.

    Raises
    ------
    ValueError
        If two claims have one id, or a file and its claim disagree.
    """
    if len(set(SLUGS)) != len(SLUGS):
        raise ValueError("verification.claims: a slug is listed twice")
    return MappingProxyType({slug: load(slug) for slug in slugs()})


def run_alone(claim: Claim) -> None:
    """What ``python -m verification.claims.<file>`` and ``python my_bound.py`` do: `jacspec verify` on one claim."""
    from verification.cli import main

    reference = claim.id if claim.id in SLUGS else sys.argv[0]
    sys.exit(main(["verify", reference, *sys.argv[1:]]))
