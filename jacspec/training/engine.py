"""What the driver asks of a way to train: steps in chunks, and where it stands."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..network import ShallowNet

__all__ = ["STOPS", "Chunk", "Engine", "Problem", "square_roots"]

Floats = NDArray[np.float64]
Stop = Literal["", "small", "large"]
#: Why a chunk ended early, by the number that kernels give.
STOPS: tuple[Stop, ...] = ("", "small", "large")


@dataclass(frozen=True)
class Chunk:
    """Some steps that were made.

    Parameters
    ----------
    step_norms : (m,) float64
        ``||W_{t+1} - W_t||_F`` of the m steps.
    residual_norms : (m,) float64 or None
        ``||r_t||`` *before* each step; None where a step does not compute it (SGD).
    distances : (m,) float64 or None
        ``||W_{t+1} - W_0||_F`` *after* each step.
    stopped : "", "small" or "large"
        Whether the residual of the next step was found at a limit, so that the step was not made.
    """

    step_norms: Floats
    residual_norms: Floats | None = None
    distances: Floats | None = None
    stopped: Stop = ""


@dataclass(frozen=True)
class Problem:
    r"""A training problem in units in which labels and output weights are of order one.

    v and y are divided by a power of two and eta is multiplied by its square: the weights W then move exactly as
    before, and squares of residuals neither overflow nor vanish.
    """

    net: ShallowNet
    X: Floats
    y: Floats
    v: Floats
    eta: float
    exponent: int

    @classmethod
    def scaled(cls, net: ShallowNet, X: Floats, y: Floats, eta: float) -> Problem:
        """The same in such units."""
        top = max(float(np.max(np.abs(y))), float(np.max(np.abs(net.v))))
        exponent = math.frexp(top)[1] if top > 0 else 0
        return cls(net, X, np.ldexp(y, -exponent), np.ldexp(net.v, -exponent), _ldexp(eta, 2 * exponent), exponent)

    def unscale(self, norms: Any) -> Any:
        """Residual norms in the caller's units."""
        return np.ldexp(norms, self.exponent)


def _ldexp(x: float, exponent: int) -> float:
    try:
        return math.ldexp(x, exponent)
    except OverflowError:
        return math.inf


class Engine(ABC):
    """State and steps of one training."""

    #: Whether a step computes the residual and the distance as it goes.
    records_steps: bool

    @abstractmethod
    def advance(self, count: int) -> Chunk:
        """Make `count` steps, or fewer where a limit is met. An interrupt leaves whole steps."""

    @abstractmethod
    def residual_norm(self) -> float:
        """``||r||`` where it stands."""

    @abstractmethod
    def distance(self) -> float:
        """``||W - W_0||_F`` where it stands."""

    @abstractmethod
    def net(self) -> ShallowNet:
        """The network where it stands."""

    @abstractmethod
    def finite(self) -> bool:
        """Whether all weights are finite."""

    def limits(self, small: float, large: float) -> None:
        """Residual norms at which to stop: at most `small` (never where it is negative), or not at most `large`."""
        self._small, self._large = small, large

    def _judge(self, norm: float) -> Stop:
        if not norm <= self._large:
            return "large"
        return "small" if norm <= self._small else ""


def square_roots(squares: Floats) -> Floats:
    """Norms from their squares (NaN and infinity stay)."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(squares)
