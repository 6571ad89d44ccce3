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

from jacspec._jit import serial_blas

from ..claim import Claim, Kind, Mutant
from .deterministic import fuzz
from .random import expectation, probability
from .report import ClaimReport, MutantReport, Options, VariantReport
from .trends import trends

__all__ = ["ClaimReport", "MutantReport", "Options", "VariantReport", "verify", "verify_claim", "verify_mutant"]


def versions() -> dict[str, str]:
    """Versions of what computed: the same seed gives the same bits where these are the same."""
    import platform
    from importlib.metadata import version

    from jacspec import __version__

    libraries = ("numpy", "scipy", "numba", "mpmath", "python-flint", "hypothesis")
    return {"jacspec": __version__, "python": platform.python_version(), **{name: version(name) for name in libraries}}


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
    start = time.perf_counter()
    # Instances are small: a second BLAS thread only costs, and one thread fixes the order of every sum.
    with serial_blas, np.errstate(under="ignore"):
        found: dict[str, VariantReport] = {}
        # The parts that are random share the claim's error level.
        drawn = sum(kind in (Kind.PROBABILITY, Kind.MEAN) for kind in claim.kinds)
        shared = replace(options, claims=options.claims * max(1, drawn))
        for part in claim.parts():
            found |= _run(part, shared)
    variants = tuple(found[v.name] for v in claim.variants)
    mutants = tuple(verify_mutant(claim, m, options) for m in claim.mutants) if options.mutants else ()
    seconds = time.perf_counter() - start
    # On a user's X and on chosen instances the floor, a share of what is drawn, says nothing.
    floors = {} if options.X is not None or options.examples < 1 else _floors(claim)
    return ClaimReport(
        claim.id, claim.title, claim.kind, variants, seconds, options.seed, mutants=mutants, floors=floors
    )


def _floors(claim: Claim) -> dict[str, tuple[float, int]]:
    """For each form that is judged on drawn instances: the share to be decided, and how many are not drawn."""
    random = (Kind.PROBABILITY, Kind.MEAN, Kind.ASYMPTOTIC)
    judged = [v.name for v in claim.variants if (v.kind or claim.kind) not in random]
    return {name: (claim.floor, len(claim.extremal)) for name in judged}


def verify_mutant(claim: Claim, mutant: Mutant, options: Options) -> MutantReport:
    """Run one false neighbour as a claim of its own; never on a user's X, on which a false statement may be true."""
    report = verify_claim(claim.mutated(mutant), replace(options, mutants=False, X=None))
    return MutantReport(mutant.name, mutant.why, report.variants[0])


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
    """For worker processes, which rebuild the claim from its slug, or from its file."""
    from ..claims import SLUGS, load

    claim = load(slug)
    if slug in SLUGS:
        return verify_claim(claim, options)
    from ..own_claims import blamed

    with blamed(slug):
        report = verify_claim(claim, options)
    return report if slug == claim.id else replace(report, reference=slug)


def verify(slugs: Iterable[str], options: Options, *, jobs: int = 1) -> Iterator[ClaimReport]:
    """Run claims by slug, in order, in this process or in `jobs` processes; reports come in the order asked for.

    Parameters
    ----------
    slugs : iterable of str
        Or references to files (see `verification.own_claims`).
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
