"""The pure function that everything runs: problems in, rows out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from jacspec import ShallowNet, train, train_many
from jacspec._jit import serial_blas
from jacspec.elementwise import kernel_address
from jacspec.training._lanes import LANES

from .configuration import Configuration, Problem

__all__ = ["LANES", "Key", "Row", "bundles", "cost", "run_trials"]

#: Up to this many pre-activations a problem shares a vector register with seven others; beyond, `train` is as fast.
_SMALL = 1 << 15
#: Work of a bundle of more than `LANES` trials, in multiplications: twenty seconds of a core if it uses its budgets.
_LONG = 1e12


class Key(NamedTuple):
    """Which trial."""

    n: int
    k: int
    trial: int


@dataclass(frozen=True)
class Row:
    """What became of one trial.

    Parameters
    ----------
    n, k, trial : int
    status : str
        "converged" (fitted), "budget" or "diverged".
    steps : int
        Steps made (of one sample each for SGD).
    eta : float
    relative_residual : float
        ``||r_T|| / ||r_0||``; inf where it overflowed.
    certified : bool or None
        Whether the end was certified; None where nobody tried.
    polish : int
        Gauss-Newton steps between the end of the run and the certified weights.
    distance : float or None
        An exact interpolator is proved to be within this of the certified weights.
    moved : float
        How far the polish moved the weights.
    """

    n: int
    k: int
    trial: int
    status: str
    steps: int
    eta: float
    relative_residual: float
    certified: bool | None = None
    polish: int = 0
    distance: float | None = None
    moved: float = 0.0

    @property
    def key(self) -> Key:
        return Key(self.n, self.k, self.trial)

    @property
    def fitted(self) -> bool:
        """By the relative residual."""
        return self.status == "converged"

    def values(self) -> tuple[Any, ...]:
        return astuple(self)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(f.name for f in fields(cls))


def cost(config: Configuration, key: Key) -> float:
    """Work of a trial that uses its whole budget, in multiplications."""
    return 4.0 * key.n * key.k * (config.d + 20) * config.budget(key.n)


def bundles(config: Configuration, keys: Iterable[Key], most: int = LANES) -> Iterator[tuple[Key, ...]]:
    """Keys in bundles for `run_trials`: one n each, widths next to each other.

    Trials that share vectors come in bundles of up to `most`, so that a lane whose run has ended gets the next one, as
    long as a bundle is no long work; others up to `LANES` together. The dearest come first. How trials are bundled
    changes no bit of any row.
    """
    kinds: dict[tuple[int, bool], list[Key]] = {}
    for key in keys:
        kinds.setdefault((key.n, _in_lanes(config, key)), []).append(key)
    cut = []
    for (_, small), members in kinds.items():
        # the narrowest first: they take the most steps, and a lane that is left alone at the end runs idle company
        members.sort(key=lambda key: (key.k, key.trial))
        while members:
            widest = members[: most if small else LANES][-1]
            count = min(most, int(_LONG / cost(config, widest)) // LANES * LANES) if small else LANES
            cut.append(tuple(members[: max(LANES, count)]))
            del members[: len(cut[-1])]
    # the widest k of the largest n first: what is left for last is short, and no worker waits long
    yield from sorted(cut, key=lambda members: (-members[-1].n * members[-1].k, -members[-1].n, members[0]))


def run_trials(config: Configuration, keys: Sequence[Key]) -> list[Row]:
    """Train the problems of some trials, and certify their ends where that is asked for.

    A row depends on the configuration and its own key only: not on the other keys, the process, or the number of
    threads. (Processors with other vector units may round otherwise.) Small problems of gradient descent run eight at
    a time, one in each lane of a vector; larger ones and SGD one by one.

    Parameters
    ----------
    config : Configuration
    keys : sequence of Key

    Returns
    -------
    list of Row
        In the order of `keys`.

    Raises
    ------
    InputError
        If a width is odd, or the data is not there.
    KeyboardInterrupt
        Ctrl-C: a run that was cut short is no result.
    """
    keys = [Key(*key) for key in keys]
    found: dict[Key, Row] = {}
    small = [key for key in keys if _in_lanes(config, key)]
    for bundle in bundles(config, small, len(small)):  # one at a time, so that memory is bounded
        problems = [config.problem(*key) for key in bundle]
        budget = config.budget(bundle[0].n)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            batch = train_many(
                [p.net for p in problems],
                [p.X for p in problems],
                [p.y for p in problems],
                eta=[p.eta for p in problems],
                steps=budget,
                tolerance=config.tolerance,
                every=budget,
            )
        for i, (key, p) in enumerate(zip(bundle, problems, strict=True)):
            relative = float(batch.relative_residuals[i])
            found[key] = _row(config, key, p, batch.nets[i], batch.statuses[i], int(batch.steps[i]), relative)
    for key in keys:
        if key not in found:
            found[key] = _alone(config, key)
    return [found[key] for key in keys]


def _in_lanes(config: Configuration, key: Key) -> bool:
    """A property of the trial alone, as the two ways to train differ in the last digits."""
    fits = config.algorithm == "gd" and key.n * key.k <= _SMALL
    return fits and kernel_address(config.phi, "float64") is not None


def _alone(config: Configuration, key: Key) -> Row:
    p = config.problem(*key)
    stochastic = config.algorithm == "sgd"
    budget = config.budget(key.n)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        run = train(
            p.net,
            p.X,
            p.y,
            algorithm="sgd" if stochastic else "gd",
            eta=p.eta,
            steps=budget * (key.n if stochastic else 1),
            tolerance=config.tolerance,
            seed=p.seed,
            every=key.n if stochastic else max(1, budget // 100),
        )
    return _row(config, key, p, run.end, run.status, run.step, float(run.relative_residual))


def _row(config: Configuration, key: Key, p: Problem, end: ShallowNet, status: str, steps: int, relative: float) -> Row:
    if status == "interrupted":
        raise KeyboardInterrupt
    row = Row(*key, status, steps, p.eta, relative if math.isfinite(relative) else math.inf)
    if not (config.certify and row.fitted):
        return row
    from dataclasses import replace

    from jacspec.certificates import certify

    with serial_blas:
        proof = certify(end, p.X, p.y, polish=config.polish, weights="end of the run")
    return replace(
        row,
        certified=proof.certified,
        polish=proof.polish if proof.certified else 0,
        distance=proof.distance if proof.certified else None,
        moved=proof.polish_distance if proof.certified else 0.0,
    )
