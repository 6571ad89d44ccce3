"""Deterministic statements: extremal instances, then Hypothesis, which shrinks what it finds."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import numpy as np

from ..claim import Claim, Verdict, check
from ..drawing import draw_specs
from ..instances import Instance, Spec
from .report import Floats, Options, Tally

__all__ = ["fuzz", "keyed"]


class _Found(Exception):
    """Raised inside Hypothesis when a violation is found, so that it shrinks it."""


def keyed(claim_id: str, seed: int) -> int:
    """A seed for one claim, independent of which others run."""
    return int(np.random.SeedSequence([seed, zlib.crc32(claim_id.encode())]).generate_state(1)[0])


def _instances_on(claim: Claim, X: Floats, seed: int) -> Iterator[tuple[Spec, Instance]]:
    if claim.domain.from_data is None:
        return
    for spec in claim.domain.data_specs:
        keyed = {"seed": seed, **spec}
        yield keyed, claim.domain.from_data(X, keyed, 0)


def fuzz(claim: Claim, options: Options) -> dict[str, Tally]:
    tallies = {v.name: Tally() for v in claim.variants}

    def run(spec: Spec, instance: Instance) -> bool:
        """Tally every variant; whether something was violated."""
        violated = False
        for name, record in check(claim, instance).items():
            tallies[name].add(spec, record)
            violated |= record.verdict is Verdict.VIOLATED
        return violated

    if options.X is not None:
        for spec, instance in _instances_on(claim, options.X, options.seed):
            run(spec, instance)
        return tallies
    found = [run(spec, claim.domain.build(spec, 0)) for spec in claim.extremal]
    if any(found) or options.examples < 1:
        return tallies
    _hypothesis(claim, run, options)
    return tallies


def _hypothesis(claim: Claim, run: Callable[[Spec, Instance], bool], options: Options) -> None:
    """Let Hypothesis draw specs, and shrink the first violation it finds."""

    def attack(spec: Spec) -> None:
        if run(spec, claim.domain.build(spec, 0)):
            raise _Found

    try:
        draw_specs(
            claim.domain.specs(), attack, seed=keyed(claim.id, options.seed), examples=options.examples, shrink=True
        )
    except _Found:
        return  # the last violation tallied is the shrunk one: Hypothesis replays it before it raises
