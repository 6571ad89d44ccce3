"""Sharpness: the worst case of a deterministic inequality that a portfolio of searches can find. Names no lemma.

Four methods take turns: perturbed extremal instances, random specs, L-BFGS on the logarithm of
the slack with gradients from `Differentiable`, and CMA-ES. Whatever looks best is judged by `check`, so no optimum of
rounding noise is ever reported, and nothing is called VIOLATED that 60 digits do not confirm.

The sequence of evaluations is a pure function of (claim, seed, methods); a budget only cuts it. So a run that was
stopped by the clock, by a violation or by Ctrl-C can be repeated exactly by its number of evaluations.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from jacspec import InputError
from jacspec._jit import serial_blas

from ..claim import Claim, Kind
from .portfolio import Search, Spent
from .report import METHODS, TIGHT, SearchOptions, SearchReport, Sharpness, load_witness, save_witness

__all__ = ["METHODS", "TIGHT", "SearchOptions", "SearchReport", "Sharpness", "load_witness", "save_witness", "sharpen"]


def sharpen(
    claim: Claim, options: SearchOptions | None = None, tick: Callable[[float, str], None] = lambda done, method: None
) -> SearchReport:
    """Search for the worst case of every variant of a claim.

    Parameters
    ----------
    claim : Claim
        Of kind UPPER or LOWER.
    options : SearchOptions, optional
    tick : callable
        Told the share of the budget that is used and the running method.

    Returns
    -------
    SearchReport
        Also after Ctrl-C, with what was found until then.

    Raises
    ------
    InputError
        For kinds that have no slack.
    """
    options = options or SearchOptions()
    claim = _deterministic(claim)
    _check(claim, options)
    search = Search(claim, options, tick)
    interrupted = False
    with serial_blas, np.errstate(all="ignore"):
        try:
            search.run()
        except Spent:
            pass
        except KeyboardInterrupt:
            interrupted = True
        try:
            search.conclude()
        except Spent:
            pass
        except KeyboardInterrupt:
            interrupted = True
    return SearchReport(
        id=claim.id,
        title=claim.title,
        kind=claim.kind,
        variants=tuple(search.states[v.name].result() for v in claim.variants),
        seed=options.seed,
        methods=options.methods,
        evaluations=search.count,
        by_method=dict(search.by_method),
        seconds=time.perf_counter() - search.began,
        interrupted=interrupted,
        notes=tuple(search.notes),
    )


def _deterministic(claim: Claim) -> Claim:
    """The part of a claim of several kinds that one instance can refute: one bad draw says nothing of a probability."""
    parts = [part for part in claim.parts() if part.kind in (Kind.UPPER, Kind.LOWER)]
    return parts[0] if parts and len(claim.kinds) > 1 else claim


_NOT_SEARCHED = {Kind.PROBABILITY: "probability", Kind.MEAN: "mean", Kind.ASYMPTOTIC: "trend"}


def _check(claim: Claim, options: SearchOptions) -> None:
    if claim.kind is Kind.IDENTITY:
        raise InputError("SLUG", repr(claim.id), "an inequality; this is an identity, which has no slack")
    if claim.kind not in (Kind.UPPER, Kind.LOWER):
        raise InputError(
            "SLUG", repr(claim.id), f"a deterministic claim; sharpness of a {_NOT_SEARCHED[claim.kind]} is not searched"
        )
    unknown = [m for m in options.methods if m not in METHODS]
    if unknown or not options.methods:
        raise InputError("methods", options.methods, f"some of {', '.join(METHODS)}")
    if options.seconds is None and options.evaluations is None:
        raise InputError("budget", "none", "a number of seconds or of evaluations")
