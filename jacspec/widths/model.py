"""What a width row is, what it is computed from, and the sentences that are printed when a hypothesis fails."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from typing import Any, Literal

from ..activations import Activation
from ..covariance import Covariance
from ..hermite import HermiteExpansion
from ..rounding import Estimate
from ..spectrum import DataSpectrum

__all__ = ["Options", "Problem", "Variant", "Void", "WidthRow", "even_at_least", "iterations_to"]

Variant = Literal["paper", "explicit", "sharp"]


@dataclass(frozen=True)
class Options:
    """Free parameters of the theorems.

    Parameters
    ----------
    delta : float > 0
        Of the misfit bound, in the paper's and the explicit forms.
    nu : float > 1
        SGD fails with probability at most 1/nu more.
    failure : float in (0, 1)
        Total failure probability of the sharp forms, which choose eps and delta themselves.
    eta_bar : float in [0, 1]
        Step size of the sharp forms as a share of 1/(2 beta^2); 0 is the limit of small steps. (The sharp
        `theorem-gd-smooth` allows up to 2.)
    tolerance : float in (0, 1)
        Relative residual that `iterations` counts to.

    Examples
    --------
    >>> Options(eta_bar=1.0).failure
    0.05
    """

    delta: float = 1.0
    nu: float = 2.0
    failure: float = 0.05
    eta_bar: float = 0.0
    tolerance: float = 1e-3


@dataclass(frozen=True)
class Problem:
    """The constants of one X and one activation that the theorems need."""

    n: int
    d: int
    y_norm: float
    y_assumed: bool
    phi: Activation
    spectrum: DataSpectrum
    hermite: HermiteExpansion
    hidden: Covariance
    output: Covariance


@dataclass(frozen=True)
class WidthRow:
    """One theorem, one variant, on one X.

    Parameters
    ----------
    claim, variant : str
        Slug; "paper", "explicit" or "sharp".
    k : int or None
        Smallest even width, None when VACUOUS.
    verdict : "OK" or "VACUOUS"
    reason : str or None
        Why it is void, or what to know about the number.
    trains : "hidden" or "output"
    role : "sufficient" or "necessary"
    step_size, rate, iterations : float, float, int or None
        ``||r_t|| <= (1 - rate)^t ||r_0||``; for SGD the rate is that of E||r_t||^2.
    failure_probability : float or None
    assumes : dict
        Free parameters that went in, and those that the sharp forms chose.
    """

    claim: str
    variant: Variant
    k: int | None
    verdict: Literal["OK", "VACUOUS"]
    reason: str | None = None
    trains: Literal["hidden", "output"] = "hidden"
    role: Literal["sufficient", "necessary"] = "sufficient"
    step_size: float | None = None
    rate: float | None = None
    iterations: int | None = None
    failure_probability: float | None = None
    assumes: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The row as the JSON contract has it."""
        return {
            "claim": self.claim,
            "variant": self.variant,
            "k": self.k,
            "verdict": self.verdict,
            "reason": self.reason,
            "trains": self.trains,
            "role": self.role,
            "step_size": self.step_size,
            "rate": self.rate,
            "iterations": self.iterations,
            "failure_probability": self.failure_probability,
            "assumes": dict(self.assumes),
        }


class Void(Exception):
    """A hypothesis fails; the message is the sentence that the user reads."""


def even_at_least(k: float) -> int:
    """Smallest even integer that is at least k and at least 2.

    Raises
    ------
    Void
        If k is not finite.
    """
    if not math.isfinite(k):
        raise Void("the width exceeds the range of float64")
    return max(2, 2 * math.ceil(k / 2))


def iterations_to(tolerance: float, rate: float) -> int | None:
    """Smallest t with ``(1 - rate)^t <= tolerance``, None when the rate is not positive."""
    if not 0 < rate < 1:
        return 1 if rate == 1 else None
    count = math.log(tolerance) / math.log1p(-rate)
    return math.ceil(count) if math.isfinite(count) else None


def need_smooth(phi: Activation) -> None:
    if math.isinf(phi.B1.value):
        raise Void(f"B1 = sup|phi'| is infinite for {phi.name}")
    if math.isinf(phi.B2.value):
        raise Void(f"B2 = sup|phi''| is infinite: phi' of {phi.name} jumps")


def need_lambda(value: Estimate, name: str) -> Estimate:
    if value.exact_zero:
        raise Void(f"{name} = 0 exactly: {value.note}")
    if value.lower <= 0:
        raise Void(f"{name} <= {value.upper:.1e} {value.note or 'cannot be told from 0 in float64'}")
    return value


def need_square(value: Estimate) -> Estimate:
    return need_lambda(value, "sigma_min(X*X)")


def need_mu(p: Problem) -> Estimate:
    mu = abs(p.hermite.mu_phi)
    if mu.exact_zero:
        raise Void(f"mu_phi = 0 exactly: {p.hermite.mu_phi.note}; bounds through lambda(X) need no mu_phi")
    if mu.lower <= 0:
        raise Void("mu_phi cannot be told from 0")
    return mu


def need_probability(failure: float) -> float:
    if failure >= 1:
        raise Void(f"it may fail with probability {failure:.3g} >= 1: nothing is promised at n this small")
    return failure


def step_size(p: Problem, at_one: float) -> float | None:
    """The step size for ``||y||`` from that for ``||y|| = 1``: it scales as ``1/||y||^2``; None beyond float64."""
    step = at_one / p.y_norm / p.y_norm * (1 - 2**-50)
    return step if sys.float_info.min <= step < math.inf else None


def assumptions(p: Problem, **values: Any) -> dict[str, Any]:
    out: dict[str, Any] = dict(values)
    if p.y_assumed:
        out["y_norm"] = p.y_norm
    return out
