r"""A campaign: enclosures against exact oracles, on as many random instances as one has time for.

The claims ``enclosed-*`` say what is true of each primitive of `jacspec.enclosure`; here their instances are drawn
by the thousand, without Hypothesis (which looks for the smallest counterexample, and is slow), from more kinds of
matrices and of up to 40 rows. A case is one instance of one claim: it makes one statement per variant, and each must
hold exactly. A few cases have a NaN or an infinity put into their data, and must be refused.

Cases come in blocks. A block is a pure function of (seed, claim, number), so that a campaign may be cut off and
resumed, run in several processes, and repeated.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from jacspec import InputError, __version__, enclosure
from jacspec._files import atomic
from jacspec._jit import serial_blas

from .domains import ALL_ACTIVATIONS
from .hard_matrices import (
    CORNERS,
    KINDS,
    MORE_KINDS,
    MORE_SYMMETRIC_KINDS,
    RELATIVE,
    SYMMETRIC_KINDS,
)
from .instances import ROWS, Instance, Spec, format_spec

if TYPE_CHECKING:
    from .claim import Claim
    from .oracle import Compare, Gap

__all__ = ["CASES", "MOST_ROWS", "Block", "Log", "campaign", "draw", "plan", "run_block"]

MOST_ROWS = 40

#: Cases in a block of each claim: fewer where a case takes longer, for about equal times.
CASES = {
    "enclosed-gram": 1000,
    "enclosed-hadamard-product": 800,
    "enclosed-smallest-eigenvalue": 1000,
    "enclosed-largest-eigenvalue": 1500,
    "enclosed-spectral-norm": 1500,
    "enclosed-smallest-singular-value": 1500,
    "enclosed-jacobian-singular-values": 800,
    "enclosed-khatri-rao-singular-values": 800,
    "enclosed-minimum-norm-solution": 500,
    "enclosed-activation": 400,
    "enclosed-covariance": 200,
}

#: One case of so many has something in its data that is not a number.
_POISONED = 25
_NOT_NUMBERS = (np.nan, np.inf, -np.inf)

_ARGUMENTS = ("moderate", "cells", "tiny", "near-zero", "wide", "huge")
_ANGLES = (0.5, 0.1, 1e-2, 1e-4, 1e-8)
_EXPONENTS = (0, 40, -40, 500, -500, 1000, -1000, -1060)


# -- instances ------------------------------------------------------------------------------------------------------


def _most(rng: np.random.Generator) -> int:
    """The largest size of one case: nearly always small, where counterexamples are and exact arithmetic is quick."""
    u = rng.random()
    return MOST_ROWS if u < 0.004 else 12 if u < 0.06 else 5


def draw(slug: str, rng: np.random.Generator) -> Spec:
    """A spec for a claim about an enclosure; what a claim has no use for, it does not read."""
    most = _most(rng)
    symmetric = "eigenvalue" in slug or (slug == "enclosed-hadamard-product" and rng.random() < 0.5)
    kinds: tuple[str, ...] = (*SYMMETRIC_KINDS, *MORE_SYMMETRIC_KINDS) if symmetric else (*KINDS, *MORE_KINDS)
    spec: dict[str, int | float | str] = {name: int(rng.integers(1, most + 1)) for name in ("n", "m", "k", "d")}
    if slug == "enclosed-activation":
        kinds = _ARGUMENTS
    if slug in ("enclosed-activation", "enclosed-covariance"):
        spec |= {"phi": str(rng.choice((*ALL_ACTIVATIONS, "leaky_relu:slope=-7.5")))}
    if slug == "enclosed-covariance":
        return spec | {
            "rows": str(rng.choice(ROWS)),
            "angle": float(rng.choice(_ANGLES)),
            "stretch": int(rng.integers(0, 2)),
            "seed": int(rng.integers(0, 2**32)),
        }
    if slug == "enclosed-smallest-singular-value" and rng.random() < 0.7:
        spec["m"] = int(spec["n"]) + int(rng.integers(0, 4))  # more columns than rows: else it is zero
    return spec | {
        "kind": str(rng.choice(kinds)),
        "other": str(rng.choice(kinds)),
        "symmetric": int(symmetric),
        "digits": float(rng.choice([0.0, 3.0, 8.0, 12.0, 16.0, rng.uniform(0, 17)])),
        "exponent": int(rng.choice(_EXPONENTS)) if rng.random() < 0.7 else int(rng.integers(-1074, 1000)),
        "relative": float(rng.choice(RELATIVE)),
        "relative_r": float(rng.choice(RELATIVE)),
        "even": int(rng.integers(0, 2)),
        "corner": int(rng.choice(CORNERS)),
        "seed": int(rng.integers(0, 2**32)),
    }


def _poisoned(instance: Instance, rng: np.random.Generator) -> Instance:
    """With one entry of one array that is not a number, or not finite."""
    name = str(rng.choice(sorted(instance.arrays)))
    array = instance[name].copy()
    array.flat[int(rng.integers(array.size))] = rng.choice(_NOT_NUMBERS)
    if name.startswith("S") or instance.spec.get("symmetric"):  # symmetric all the same: nothing else is wrong with it
        array = np.where(np.isfinite(array.T), array, array.T)
    return replace(instance, arrays={**instance.arrays, name: array}, cache={})


def _of(instance: Instance, name: str) -> tuple[Any, Any]:
    return instance[name], instance.arrays.get(name + "_radius")


def _of_factors(instance: Instance) -> Any:
    make = enclosure.symmetric_ball if instance.spec.get("symmetric") else enclosure.gram
    return enclosure.hadamard(make(*_of(instance, "A")), make(*_of(instance, "B")))


def _factor(instance: Instance) -> Any:
    D, rad = _of(instance, "D")
    return D if rad is None else enclosure.BallMatrix(D, rad)


#: What must refuse data that are not numbers.
_CALLS: dict[str, Callable[[Instance], Any]] = {
    "enclosed-gram": lambda i: enclosure.gram(*_of(i, "A")),
    "enclosed-hadamard-product": _of_factors,
    "enclosed-smallest-eigenvalue": lambda i: enclosure.smallest_eigenvalue(enclosure.symmetric_ball(*_of(i, "S"))),
    "enclosed-largest-eigenvalue": lambda i: enclosure.largest_eigenvalue(enclosure.symmetric_ball(*_of(i, "S"))),
    "enclosed-spectral-norm": lambda i: enclosure.spectral_norm(*_of(i, "A")),
    "enclosed-smallest-singular-value": lambda i: enclosure.smallest_singular_value(*_of(i, "A")),
    "enclosed-jacobian-singular-values": lambda i: enclosure.jacobian_singular_values(_factor(i), i["X"]),
    "enclosed-khatri-rao-singular-values": lambda i: enclosure.khatri_rao_singular_values(i["X"]),
    "enclosed-minimum-norm-solution": lambda i: enclosure.minimum_norm_solution(_factor(i), i["X"], *_of(i, "r")),
    "enclosed-activation": lambda i: enclosure.phi_enclosure(i.activation, *_of(i, "z")),
    "enclosed-covariance": lambda i: enclosure.covariance_ball(i["X"], i.activation),
}


# -- a block --------------------------------------------------------------------------------------------------------


@dataclass
class Block:
    """What came of the cases of one block.

    Parameters
    ----------
    slug : str
    number : int
    cases : int
        Instances, those that had to be refused among them.
    refused : int
    singular : int
        Whose smallest eigenvalue or singular value is exactly zero: never certified positive, or an escape.
    silent : int
        Of which nothing was claimed.
    statements : dict of str to int
        By variant.
    largest, rounding : dict of str to float
        The largest error over its bound, by variant: of all, and of exact data with an interval away from zero, where
        nothing but rounding makes the bound.
    escapes : list of str
        Specs for which a statement was false, or was not decided, or data were accepted that are not numbers.
    """

    slug: str
    number: int
    cases: int = 0
    refused: int = 0
    singular: int = 0
    silent: int = 0
    statements: dict[str, int] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)
    rounding: dict[str, float] = field(default_factory=dict)
    escapes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def add(self, other: Block) -> None:
        """Take in what came of another block."""
        self.cases += other.cases
        self.refused += other.refused
        self.singular += other.singular
        self.silent += other.silent
        self.statements = dict(Counter(self.statements) + Counter(other.statements))
        for mine, others in ((self.largest, other.largest), (self.rounding, other.rounding)):
            for name, share in others.items():
                mine[name] = max(mine.get(name, 0.0), share)
        self.escapes += other.escapes


def _share(gap: Gap) -> float:
    """Error over bound; 0 for two zeros."""
    if gap.bound == 0:
        return 0.0 if gap.high == 0 else float("inf")
    share = gap.high / gap.bound
    return float(Fraction(int(share.p), int(share.q)))


def _judge(block: Block, instance: Instance, gaps: dict[str, Gap | None]) -> None:
    exact = not any(name.endswith("_radius") for name in instance.arrays)
    said = False
    for name, gap in gaps.items():
        if gap is None:
            continue
        said = True
        block.statements[name] = block.statements.get(name, 0) + 1
        if gap.high > gap.bound:
            block.escapes.append(f"{name}: {format_spec(instance.spec)}")
        share = _share(gap)
        block.largest[name] = max(block.largest.get(name, 0.0), share)
        if exact and gap.apart:
            block.rounding[name] = max(block.rounding.get(name, 0.0), share)
    block.silent += not said


def _smallest(module: Any) -> Callable[[Instance], Compare] | None:
    """The oracle of a smallest eigenvalue or singular value, where the claim is about one."""
    if "smallest" in module.CLAIM.id:
        return lambda instance: module.truth(instance)
    if module.CLAIM.id.endswith("singular-values"):
        return lambda instance: module.truths(instance)["smallest"]
    return None


def run_block(slug: str, seed: int, number: int, cases: int | None = None) -> Block:
    """The cases of one block.

    Parameters
    ----------
    slug : str
        A claim of `CASES`.
    seed, number : int
        The block is a function of these and the slug.
    cases : int, optional
        The first so many of it.
    """
    from flint import fmpq

    module: Any = importlib.import_module(f"verification.claims.{slug.replace('-', '_')}")
    claim: Claim = module.CLAIM
    smallest = _smallest(module)
    rng = np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(slug.encode()), number]))
    block = Block(slug, number)
    with serial_blas, np.errstate(under="ignore"):
        for _ in range(CASES[slug] if cases is None else cases):
            instance = claim.domain.build(draw(slug, rng), 0)
            block.cases += 1
            if rng.random() * _POISONED < 1:
                try:
                    _CALLS[slug](_poisoned(instance, rng))
                except InputError:
                    block.refused += 1
                else:
                    block.escapes.append(f"accepted: {format_spec(instance.spec)}")
                continue
            _judge(block, instance, module.gaps(instance))
            if smallest is not None and smallest(instance)(fmpq(0)) == 0:
                block.singular += 1
    return block


# -- a campaign -----------------------------------------------------------------------------------------------------


def plan(cases: int) -> Iterator[tuple[str, int]]:
    """Blocks (slug, number) of at least so many cases together, the claims in turn."""
    total = number = 0
    while total < cases:
        for slug, size in CASES.items():
            yield slug, number
            total += size
        number += 1


class Log:
    """Finished blocks in a file of JSON lines, to which each is added as it comes; a half-written last one is dropped.

    Parameters
    ----------
    path : str or None
        None: in memory only.
    seed : int

    Raises
    ------
    InputError
        If the file is something else, or of another seed or version.
    """

    def __init__(self, path: str | None, seed: int) -> None:
        self.blocks: dict[tuple[str, int], Block] = {}
        self._path = path
        if path is None:
            return
        head = {"format": "jacspec.campaign/1", "version": __version__, "seed": seed}
        lines: list[str] = []
        if os.path.exists(path):
            try:
                with open(path, encoding="utf-8") as handle:
                    lines = [line for line in handle if line.endswith("\n")]
                known = json.loads(lines[0]) if lines else head
                found = [Block(**json.loads(line)) for line in lines[1:]] if known == head else []
            except (OSError, ValueError, TypeError) as error:
                raise InputError("--log", repr(path), f"the log of a campaign, or no file ({error})") from None
            if known != head:
                raise InputError("--log", repr(path), f"the log of a campaign with {json.dumps(head)}")
            self.blocks = {(block.slug, block.number): block for block in found}
        if not lines or sum(map(len, map(str.encode, lines))) < os.path.getsize(path):
            with atomic(path, argument="--log") as handle:
                handle.write("".join(lines) or json.dumps(head) + "\n")

    def add(self, block: Block) -> None:
        """Take in a block, and write it down."""
        self.blocks[block.slug, block.number] = block
        if self._path is not None:
            with open(self._path, "a", encoding="utf-8") as handle:
                handle.write(json.dumps(block.to_json()) + "\n")

    def totals(self) -> Mapping[str, Block]:
        """What came of all blocks, by claim; `number` is how many there are."""
        out = {slug: Block(slug, 0) for slug in CASES}
        for (slug, _), block in sorted(self.blocks.items()):
            out[slug].add(block)
            out[slug].number += 1
        return out


def campaign(log: Log, cases: int, seed: int, *, jobs: int = 1) -> Iterator[Block]:
    """Run the blocks that the log does not hold yet, and add them to it.

    Yields
    ------
    Block
        As each is done. Stop at one with escapes: they are what a campaign is for.
    """
    missing = (key for key in plan(cases) if key not in log.blocks)
    if jobs <= 1:
        for slug, number in missing:
            block = run_block(slug, seed, number, CASES[slug])
            log.add(block)
            yield block
        return
    # Fresh interpreters: forking a process that holds BLAS threads may deadlock the child.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running: set[Future[Block]] = set()
        try:
            while True:
                for slug, number in islice(missing, 2 * jobs - len(running)):
                    running.add(pool.submit(run_block, slug, seed, number, CASES[slug]))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    log.add(future.result())
                    yield future.result()
        finally:
            for future in running:
                future.cancel()
