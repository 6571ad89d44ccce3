"""Statements with probability and expectations: anytime-valid verdicts over predeclared draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from ..claim import NOT_HERE, Claim, Record, Statistic, Verdict, check
from ..confidence import BinomialTest, MeanTest, joint, trials_to_support
from ..drawing import draw_specs
from ..instances import Instance, Spec
from .deterministic import keyed
from .report import Draws, Mean, Options, Tally, VariantReport

__all__ = ["expectation", "probability"]

#: Problems on which a statement with probability is tried, each with a predeclared number of draws of W_0.
_PROBLEMS = 4
#: Draws where the claimed probability is too small for SUPPORTED to be had.
_FEW_TRIALS = 300
_MOST_TRIALS = 1500
#: Numbers in the arrays of all draws of a problem together, beyond which large problems get fewer draws.
_WORK = 3e7
#: Draws for an expectation, at most, and between two looks at the evidence.
_MOST_MEANS = 2000
_BATCH = 50


def _problems(claim: Claim, options: Options) -> list[Spec]:
    """The problems to draw W_0 for: parameters from Hypothesis, the seed from the run."""
    if options.X is not None:
        return [{**spec, "seed": options.seed} for spec in claim.domain.data_specs]
    specs: list[Spec] = [{**spec, "seed": options.seed} for spec in claim.extremal]

    def collect(spec: Spec) -> None:
        candidate = {**spec, "seed": options.seed}
        if len(specs) < _PROBLEMS + len(claim.extremal) and candidate not in specs:
            specs.append(candidate)

    draw_specs(claim.domain.specs(), collect, seed=keyed(claim.id, options.seed), examples=4 * _PROBLEMS, shrink=False)
    return specs


def _draws(claim: Claim, spec: Spec, options: Options) -> tuple[Instance, Callable[[int], Instance]]:
    """The first draw, and all draws by trial number. They share the constants of their problem, and nothing else."""
    X, from_data = options.X, claim.domain.from_data

    def draw(spec: Spec, trial: int) -> Instance:
        return claim.domain.build(spec, trial) if X is None or from_data is None else from_data(X, spec, trial)

    first = draw(spec, 0)

    def drawn(trial: int) -> Instance:
        if trial == 0:
            return first
        # The first draw's spec is complete: a width chosen from X is not chosen again.
        other = draw(first.spec, trial)
        return other if other.base is None else replace(other, base=first.base)

    return first, drawn


def _unmet(claim: Claim, problem: Instance) -> str | None:
    return next((s for s in (a.fails(problem) for a in claim.assumptions) if s), None)


# How alpha is shared. A variant says one thing about each problem (for an expectation: one about each statistic), and
# its verdict is `joint`: REFUTED when any of these is refuted. Each is therefore tested at the level
# alpha / (claims of the run * problems * variants * statistics), fixed before the first draw, so that a wrong REFUTED
# anywhere in a run has probability at most alpha. A wrong SUPPORTED needs one of the false statements to be supported,
# which has at most the same level. Numbers of draws are fixed in advance too, but no level depends on them: e-values
# allow to stop early, which is done once everything is decided.


def _planned(tests: Iterable[BinomialTest], first: Instance) -> int:
    """Draws of one problem: what its size affords, and twice as many as support the statement when none fails."""
    affordable = int(_WORK / sum(array.size for array in first.arrays.values()))
    wanted = [trials_to_support(test.p, test.alpha, test.claims) or math.inf for test in tests]
    return max(
        (
            min(_MOST_TRIALS, max(2 * int(w), affordable)) if w <= _MOST_TRIALS else min(_FEW_TRIALS, affordable)
            for w in wanted
        ),
        default=0,
    )


def probability(claim: Claim, options: Options) -> dict[str, VariantReport]:
    """Anytime-valid verdicts on P(failure) <= claimed, over a few problems with predeclared numbers of draws."""
    assert claim.failure is not None
    problems = _problems(claim, options)
    names = [v.name for v in claim.variants]
    shared_by = options.claims * max(1, len(problems)) * len(names)
    tests: dict[str, list[tuple[Spec, BinomialTest]]] = {name: [] for name in names}
    tallies = {name: Tally() for name in names}
    for given in problems:
        first, drawn = _draws(claim, given, options)
        spec = first.spec
        # Both see the problem without W_0: what they promise cannot depend on the draw.
        sentence = _unmet(claim, first.problem)
        claimed = {} if sentence else dict(claim.failure(first.problem))
        live: dict[str, BinomialTest] = {}
        for name in names:
            p = claimed.get(name)
            if p is None or isinstance(p, str) or p >= 1:
                why = NOT_HERE if p is None else p if isinstance(p, str) else "it may fail with probability 1 or more"
                tallies[name].add(spec, Record(name, Verdict.VACUOUS, reason=sentence or why))
            else:
                live[name] = BinomialTest(p, options.alpha, claims=shared_by)
        for trial in range(_planned(live.values(), first)):
            found = check(claim, drawn(trial), confirm=False)
            for name, test in live.items():
                tallies[name].add(spec, found[name])
                live[name] = test.record(found[name].verdict.value)
            if all(test.decision != "UNDECIDED" for test in live.values()):
                break
        for name, test in live.items():
            tests[name].append((spec, test))
        if all(any(test.decision == "REFUTED" for _, test in tests[name]) for name in names):
            break
    return {name: _random_report(name, tests[name], tallies[name]) for name in names}


def _random_report(name: str, tests: list[tuple[Spec, BinomialTest]], tally: Tally) -> VariantReport:
    base = tally.report(name)
    if not tests:
        return base
    verdict = Verdict(joint(test.decision for _, test in tests))
    # UNDECIDED over all means that some problem is; show that one.
    spec, shown = next((s, t) for s, t in tests if t.decision == verdict.value)
    witness = dict(spec) if verdict is Verdict.REFUTED else base.witness
    same = witness == base.witness
    return replace(
        base,
        verdict=verdict,
        witness=witness,
        left=base.left if same else None,
        right=base.right if same else None,
        reason=shown.verdict().reason,
        failures=sum(t.failures for _, t in tests),
        claimed_failure=max(t.p for _, t in tests),
        draws=tuple(Draws(dict(s), t.p, t.trials, t.failures, t.doubtful, 1 - t.alpha) for s, t in tests if t.trials),
    )


def expectation(claim: Claim, options: Options) -> dict[str, VariantReport]:
    """Anytime-valid verdicts on claimed expectations of bounded statistics, looked at after every batch of draws."""
    assert claim.statistics is not None
    problems = _problems(claim, options)
    names = [v.name for v in claim.variants]
    tests: dict[str, list[tuple[Spec, MeanTest]]] = {name: [] for name in names}
    tallies = {name: Tally() for name in names}
    for given in problems:
        first, drawn = _draws(claim, given, options)
        sentence = _unmet(claim, first.problem)
        live: dict[str, list[MeanTest]] = {}
        for start in range(0, 0 if sentence else _MOST_MEANS, _BATCH):
            batch = [claim.statistics(drawn(trial)) for trial in range(start, start + _BATCH)]
            for name in names:
                if name not in batch[0]:
                    continue
                several = list(zip(*(found[name] for found in batch), strict=True))
                if name not in live:
                    level = options.claims * len(problems) * len(names) * len(several)
                    live[name] = [_mean_test(draws[0], options.alpha, level) for draws in several]
                live[name] = [
                    test.extend(
                        np.concatenate([s.values for s in draws]),
                        np.concatenate([np.full(len(s.values), s.radius) for s in draws]),
                    )
                    for test, draws in zip(live[name], several, strict=True)
                ]
                tallies[name].verdicts[Verdict.HOLDS] += _BATCH
            if all(t.decision != "UNDECIDED" for several_tests in live.values() for t in several_tests):
                break
        for name in names:
            if name in live:
                tests[name] += [(first.spec, test) for test in live[name]]
            else:
                tallies[name].add(first.spec, Record(name, Verdict.VACUOUS, reason=sentence or NOT_HERE))
        if all(any(test.decision == "REFUTED" for _, test in tests[name]) for name in names):
            break
    return {name: _mean_report(name, tests[name], tallies[name]) for name in names}


def _mean_test(s: Statistic, alpha: float, claims: int) -> MeanTest:
    return MeanTest(s.claimed.value, s.claimed.radius, s.low, s.high, alpha, s.tolerance, claims)


def _mean_report(name: str, tests: list[tuple[Spec, MeanTest]], tally: Tally) -> VariantReport:
    base = tally.report(name)
    if not tests:
        return base
    verdict = Verdict(joint(test.decision for _, test in tests))
    spec, shown = next((s, t) for s, t in tests if t.decision == verdict.value)
    means = tuple(Mean(dict(s), t.claimed, t.total / t.trials, t.trials, t.tolerance) for s, t in tests if t.trials)
    return replace(base, verdict=verdict, witness=dict(spec), reason=shown.verdict().reason, means=means)
