"""Section 7: the theorem of Newton-Kantorovich at one point. Generic in the number type."""

from __future__ import annotations

from typing import Any

Number = Any


def newton_h(L: Number, sigma: Number, step: Number) -> Number:
    """``h = 2 L ||J^+|| ||J^+ r||``, at most 1; sigma = sigma_min(J), step = ||J^+ r|| (`newton-certificate`)."""
    return 2 * L * step / sigma


def newton_distance(step: Number, h: Number) -> Number:
    """``t* = 2 ||J^+ r|| / (1 + sqrt(1 - h)) <= 2 ||J^+ r||`` (`newton-certificate`)."""
    return 2 * step / (1 + (1 - h) ** 0.5)
