"""Running a claim: fuzzing, e-values for statements with probability, trends for laws. Names no lemma.

The result is a pure function of (claim, options): the same seed gives the same bits, with one worker or many.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np

from ..claim import Claim, Kind
from .deterministic import fuzz
from .random import expectation, probability
from .report import ClaimReport, Options, VariantReport
from .trends import trends

__all__ = ["ClaimReport", "Options", "VariantReport", "verify", "verify_claim"]


def verify_claim(claim: Claim, options: Options) -> ClaimReport:
    """Run one claim.

    Parameters
    ----------
    claim : Claim
    options : Options

    Returns
    -------
    ClaimReport
        The same bits for the same options.
    """
    from threadpoolctl import threadpool_limits

    start = time.perf_counter()
    # Instances are small: a second BLAS thread only costs, and one thread fixes the order of every sum.
    with threadpool_limits(1), np.errstate(under="ignore"):
        found: dict[str, VariantReport] = {}
        # The parts that are random share the claim's error level.
        drawn = sum(kind in (Kind.PROBABILITY, Kind.MEAN) for kind in claim.kinds)
        shared = replace(options, claims=options.claims * max(1, drawn))
        for part in claim.parts():
            found |= _run(part, shared)
    variants = tuple(found[v.name] for v in claim.variants)
    return ClaimReport(claim.id, claim.title, claim.kind, variants, time.perf_counter() - start, options.seed)


def _run(claim: Claim, options: Options) -> dict[str, VariantReport]:
    """A claim of one kind."""
    if claim.kind is Kind.PROBABILITY:
        return probability(claim, options)
    if claim.kind is Kind.MEAN:
        return expectation(claim, options)
    if claim.kind is Kind.ASYMPTOTIC:
        return trends(claim, options)
    return {name: tally.report(name) for name, tally in fuzz(claim, options).items()}


def _by_slug(slug: str, options: Options) -> ClaimReport:
    """For worker processes, which rebuild the claim from its slug."""
    from ..claims import load

    return verify_claim(load(slug), options)


def verify(slugs: Iterable[str], options: Options, *, jobs: int = 1) -> Iterator[ClaimReport]:
    """Run claims by slug, in order, in this process or in `jobs` processes; reports come in the order asked for.

    Parameters
    ----------
    slugs : iterable of str
    options : Options
        `claims` is set to the number of slugs.
    jobs : int

    Yields
    ------
    ClaimReport
    """
    wanted = list(slugs)
    options = replace(options, claims=max(1, len(wanted)))
    if jobs <= 1 or len(wanted) <= 1:
        for slug in wanted:
            yield _by_slug(slug, options)
        return
    # Fresh interpreters: forking a process that holds BLAS threads may deadlock the child.
    with ProcessPoolExecutor(min(jobs, len(wanted)), mp_context=multiprocessing.get_context("spawn")) as pool:
        pending = [pool.submit(_by_slug, slug, options) for slug in wanted]
        try:
            for future in pending:
                yield future.result()
        finally:
            for future in pending:
                future.cancel()
