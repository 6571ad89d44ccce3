"""What a search is asked and what it answers; worst cases as files."""

from __future__ import annotations

import math
import shlex
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jacspec import InputError, activation
from jacspec._files import atomic

from ..claim import Claim, Kind, Verdict
from ..instances import Instance, format_spec, parse_spec

__all__ = ["METHODS", "TIGHT", "SearchOptions", "SearchReport", "Sharpness", "load_witness", "save_witness"]

METHODS = ("extremal", "random", "l-bfgs", "cma")
#: A least slack up to this is called tight.
TIGHT = 1.0001


@dataclass(frozen=True)
class SearchOptions:
    """How long, and by which means, to search.

    Parameters
    ----------
    seconds : float or None
        Time limit; None for none (then `evaluations` must be given).
    evaluations : int or None
        Limit on evaluations of the sides; with it alone, the result is a pure function of claim and options.
    seed : int
    methods : tuple of str
        Out of `METHODS`.
    """

    seconds: float | None = 20.0
    evaluations: int | None = None
    seed: int = 0
    methods: tuple[str, ...] = METHODS


@dataclass(frozen=True)
class Sharpness:
    """The worst case found for one variant.

    Parameters
    ----------
    name : str
    verdict : Verdict
        VIOLATED (in 60 digits), HOLDS, UNDECIDED (nothing but equality to 25 digits), or VACUOUS (no slack anywhere).
    slack, slack_radius : float or None
        Least right/left found.
    left, right : float or None
    method : str
        What found it.
    evaluation : int
        After how many evaluations.
    instance : Instance or None
        Its arrays are the witness. Its spec is what they were built from; if they have moved since, without the words
        (such as rows=equal) that no longer describe them.
    reason : str
    """

    name: str
    verdict: Verdict
    slack: float | None = None
    slack_radius: float = 0.0
    left: float | None = None
    right: float | None = None
    method: str = ""
    evaluation: int = 0
    instance: Instance | None = None
    reason: str = ""

    @property
    def factor(self) -> float | None:
        """1/slack: no constant that makes the larger side smaller by more than this factor can be right."""
        return None if self.slack is None else math.inf if self.slack <= 0 else 1 / self.slack

    @property
    def tight(self) -> bool:
        """Whether the stated constant is, to one part in 10,000, the best one."""
        return self.slack is not None and self.slack <= TIGHT


@dataclass(frozen=True)
class SearchReport:
    """What a search found for one claim; `reference` is its name on the command line where that is not its id."""

    id: str
    title: str
    kind: Kind
    variants: tuple[Sharpness, ...]
    seed: int
    methods: tuple[str, ...]
    evaluations: int
    by_method: Mapping[str, int]
    seconds: float
    interrupted: bool
    notes: tuple[str, ...]
    reference: str = ""

    @property
    def called(self) -> str:
        """Its id, or the file that it is in, as a shell reads it."""
        return shlex.quote(self.reference or self.id)

    def reproduce(self, variant: Sharpness) -> str | None:
        """The command that finds this instance again."""
        if variant.instance is None:
            return None
        only = "" if self.methods == METHODS else "".join(f" --method {m}" for m in self.methods)
        return f"jacspec sharpen {self.called} --seed {self.seed} --evaluations {variant.evaluation}{only}"

    def to_json(self) -> dict[str, Any]:
        """The JSON contract ``jacspec.sharpen/1``."""
        return {
            "schema": "jacspec.sharpen/1",
            "id": self.id,
            "title": self.title,
            "kind": self.kind.value,
            "seed": self.seed,
            "methods": list(self.methods),
            "evaluations": self.evaluations,
            "evaluations_by_method": dict(self.by_method),
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "notes": list(self.notes),
            "variants": [
                {
                    "name": v.name,
                    "verdict": v.verdict.value,
                    "tight": v.tight,
                    "min_slack": _json_number(v.slack),
                    "slack_radius": _json_number(v.slack_radius),
                    "best_factor": _json_number(v.factor),
                    "left": _json_number(v.left),
                    "right": _json_number(v.right),
                    "method": v.method or None,
                    "evaluation": v.evaluation or None,
                    "reason": v.reason or None,
                    "spec": None if v.instance is None else dict(v.instance.spec),
                    "arrays": None if v.instance is None else {n: A.tolist() for n, A in v.instance.arrays.items()},
                    "reproduce": self.reproduce(v),
                }
                for v in self.variants
            ],
        }


def _json_number(x: float | None) -> float | str | None:
    return x if x is None or math.isfinite(x) else "inf"


def save_witness(path: str, claim_id: str, variant: Sharpness) -> None:
    """Write a witness as .npz: its arrays bit for bit, its spec and where it came from."""
    assert variant.instance is not None
    arrays = {f"array_{name}": A for name, A in variant.instance.arrays.items()}
    with atomic(path, argument="--save", binary=True) as handle:
        np.savez(
            handle,
            claim=np.array(claim_id),
            variant=np.array(variant.name),
            spec=np.array(format_spec(variant.instance.spec)),
            **arrays,  # type: ignore[arg-type]
        )


def load_witness(path: str, claim: Claim) -> Instance:
    """The instance that `save_witness` wrote.

    Raises
    ------
    InputError
        If the file is not a witness of this claim.
    """
    try:
        with open(path, "rb") as handle:  # np.load would leave a damaged archive open
            stored = np.load(handle, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise ValueError("one array")
            found = {name: np.asarray(stored[name]) for name in stored.files}
        owner, spec = str(found["claim"]), parse_spec(str(found["spec"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError("--witness", repr(path), "a .npz file that `jacspec sharpen --save` wrote") from error
    if owner != claim.id:
        raise InputError("--witness", repr(path), f"a witness of {claim.id}; this is one of {owner}")
    arrays = {name.removeprefix("array_"): A for name, A in found.items() if name.startswith("array_")}
    bad = [name for name, A in arrays.items() if A.dtype != np.float64 or not np.all(np.isfinite(A))]
    if bad or not arrays:
        raise InputError("--witness", repr(path), f"finite float64 arrays{f'; {bad[0]} is not' if bad else ''}")
    return Instance(spec, arrays, activation(str(spec["phi"])) if "phi" in spec else None)
