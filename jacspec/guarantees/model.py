"""One statement about one run, and the constants that it rests on, each at its safe end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import bounds
from .._checks import InputError
from ..constants import ActivationConstants, Constants
from ..rounding import Estimate
from ..spectrum import singular_extremes
from ..training import Trajectory, jacobian_extremes
from ..widths import Problem

__all__ = [
    *("BALANCE", "LARGEST", "LARGEST_SHARP", "VARIANTS", "Facts", "Floats", "Guarantee", "Variant"),
    *("count", "draw", "first", "log1p", "long", "made", "narrow", "no_start", "norm", "step_constant"),
]

Floats = NDArray[np.float64]

Variant = Literal["paper", "explicit", "sharp"]
VARIANTS: tuple[Variant, ...] = ("paper", "explicit", "sharp")
LARGEST = "1/(2 beta^2)"
#: What the sharp form of `gd-kantorovich`, and all that rests on it, allows.
LARGEST_SHARP = "1/beta^2"
#: How far ||v|| sqrt(n) may be from ||y||, relatively, for v to count as the paper's: rounding, and labels in decimals.
BALANCE = 1e-9


@dataclass(frozen=True)
class Guarantee:
    """One statement about one run.

    Parameters
    ----------
    claim, variant : str
        Slug, and "paper", "explicit" or "sharp".
    verdict : "OK" or "VACUOUS"
        Whether its hypothesis is met.
    reason : str
        Which hypothesis fails, with its numbers; else what the statement rests on.
    rate : float or None
        q in ``||r_t|| <= (1 - q)^t ||r_0||``; with `mean_square`, of ``E||r_t||^2``. Where only the width is missing it
        is what the statement would say at a sufficient width; None where it cannot be computed.
    path : float or None
        Bound of the path length, hence of ``||W_t - W_0||_F``.
    width : int or None
        The width that a theorem asks for; None for a statement about the start.
    mean_square : bool
    failure_probability : float
        0 for a statement about the start.
    """

    claim: str
    variant: Variant
    verdict: Literal["OK", "VACUOUS"]
    reason: str
    rate: float | None = None
    path: float | None = None
    width: int | None = None
    mean_square: bool = False
    failure_probability: float = 0.0

    def residual(self, steps: Any) -> Floats:
        """The bound of ``||r_t||/||r_0||`` after `steps` steps (the root of that of the mean square).

        Raises
        ------
        InputError
            Where there is no rate.
        """
        if self.rate is None:
            raise InputError("steps", steps, f"a statement with a rate; {self.claim} ({self.variant}) has none here")
        power = 0.5 if self.mean_square else 1.0
        return np.asarray(np.exp(power * np.asarray(steps, dtype=np.float64) * log1p(-min(self.rate, 1.0))))

    def to_json(self) -> dict[str, Any]:
        """For `jacspec train --json`."""
        return {
            "claim": self.claim,
            "variant": self.variant,
            "verdict": self.verdict,
            "reason": self.reason,
            "rate": self.rate,
            "rate_of": "mean square" if self.mean_square else "norm",
            "path": self.path if self.path is None or math.isfinite(self.path) else "inf",
            "width": self.width,
            "failure_probability": self.failure_probability,
        }


class Facts:
    """The constants of a run, each at its safe end."""

    def __init__(self, run: Trajectory, constants: Constants, a: ActivationConstants) -> None:
        self.run, self.a, self.nu, self.failure = run, a, constants.options.nu, constants.options.failure
        self.spectrum, self.options, self.n, self.k = constants.spectrum, constants.options, len(run.y), run.start.k
        v, y = run.start.v, run.y
        self.v, self.v_inf, self.y = norm(v), float(np.max(np.abs(v))), norm(y)
        self.B1, self.B2 = a.phi.B1.upper, a.phi.B2.upper
        self.X = constants.spectrum.spectral_norm.upper
        self.r0 = float(run.residual_norms[0]) * (1 + 1e-12)
        self.eta = run.eta
        problem = (self.n, run.X.shape[1], self.y, False, a.phi, self.spectrum, a.hermite, a.hidden, a.output)
        self.problem = Problem(*problem)
        self._start: Estimate | None = None

    @property
    def sigma_0(self) -> Estimate:
        """sigma_min of the Jacobian at the start, computed once."""
        if self._start is None:
            run = self.run
            if run.trains == "output":
                self._start = singular_extremes(run.start.features(run.X))[0]
            else:
                known = [c.sigma_min for c in run.checkpoints if c.step == 0]
                self._start = known[0] if known else jacobian_extremes(run.start, run.X)[0]
        return self._start

    def unbalanced(self) -> str | None:
        """Why v is not the paper's, if it is not."""
        v = self.run.start.v
        if np.ptp(np.abs(v)) > BALANCE * self.v_inf or abs(int(np.sum(np.sign(v)))) != 0:
            return "v is not balanced (entries of one size, half of them negative)"
        if abs(self.v * math.sqrt(self.n) - self.y) > BALANCE * self.y:
            return f"||v|| sqrt(n) = {self.v * math.sqrt(self.n):.6g}, and the theorem has ||y|| = {self.y:.6g}"
        return None

    def share(self, B: float) -> float:
        """The eta_bar of ``eta = eta_bar/(2 B^2 ||v||^2 ||X||^2)``."""
        return self.eta / float(bounds.gd_step_size(1.0, 1, B, self.v, self.X)) if math.isfinite(B) else math.inf

    def row(self, claim: str, variant: str) -> Any:
        return next(r for r in self.a.widths if (r.claim, r.variant) == (claim, variant))


def norm(v: Floats) -> float:
    top = float(np.max(np.abs(v)))
    return top * float(np.linalg.norm(v / top)) if top > 0 else 0.0


def first(*sentences: str | None) -> str | None:
    return next((s for s in sentences if s), None)


def narrow(k: int, row: Any) -> str | None:
    return None if row.k is not None and k >= row.k else f"k = {k}, and it asks for k >= {count(row.k)}"


def count(k: int | None) -> str:
    return "?" if k is None else f"{k}" if k < 10**7 else f"{float(k):.2e}" if k < 10**300 else "more than 1e300"


def long(share: float, name: str) -> str | None:
    return f"eta is {share:.3g} times {name}, the largest allowed" if share > 1 + 1e-9 else None


def made(
    claim: str, variant: Any, void: str | None, rate: Any, path: Any, *, rests: str = "", **more: Any
) -> Guarantee:
    numbers = [None if x is None else float(x) for x in (rate, path)]
    return Guarantee(claim, variant, "VACUOUS" if void else "OK", void or rests, numbers[0], numbers[1], **more)


def no_start(facts: Facts) -> str | None:
    sigma = facts.sigma_0
    if sigma.exact_zero:
        return f"sigma_min(J(W_0)) is exactly zero: {sigma.note}"
    if sigma.lower <= 0:
        return f"sigma_min(J(W_0)) is at most {sigma.upper:.1e}, not told from zero"
    return None if math.isfinite(facts.B2) and math.isfinite(facts.B1) else "B1 or B2 is infinite"


def log1p(x: float) -> float:
    return math.log1p(x) if x > -1 else -math.inf


def draw(row: Any) -> dict[str, Any]:
    p = row.failure_probability or 0.0
    rests = f"fails with probability at most {p:.3g}" if p else ""
    return {"width": row.k, "failure_probability": p, "rests": rests}


def step_constant(facts: Facts, beta: float, L: float) -> float:
    """The c of `gd-kantorovich`: 1 for eta <= 1/beta^2, its own for longer steps."""
    if facts.eta <= float(bounds.gd_largest_step_sharp(beta)) * (1 + 1e-9):
        return 1.0
    return float(bounds.gd_step_constant(facts.eta, beta, L, facts.r0))
