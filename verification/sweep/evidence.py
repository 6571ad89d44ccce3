"""What the trials of a cell, and of a column of cells, say about the share of problems that are fitted.

All of it is anytime-valid: whoever spends trials where the share is uncertain, looks, and goes on, keeps the level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from verification.confidence import log_e_refute

__all__ = ["crossing", "interval", "sure_side"]


@lru_cache(maxsize=4096)
def interval(trials: int, successes: int, alpha: float) -> tuple[float, float]:
    r"""A confidence interval for a probability that holds at all numbers of trials at once, with level ``1 - alpha``.

    The p at which the evidence against p stays below 1/alpha:

    .. math:: \frac{B(x + 1/2,\, m - x + 1/2)}{B(1/2, 1/2)\; p^x (1-p)^{m-x}} < 1/\alpha

    The left side, a mixture of likelihood ratios, is a nonnegative martingale with mean 1 under p (Ville, Robbins).

    Parameters
    ----------
    trials, successes : int
        ``0 <= successes <= trials``.
    alpha : float in (0, 1)

    Returns
    -------
    (low, high)
        Rounded outwards.

    Examples
    --------
    >>> low, high = interval(10, 10, 0.05)
    >>> round(low, 3), high
    (0.623, 1.0)
    """
    if trials == 0:
        return 0.0, 1.0
    x, m = successes, trials
    constant = math.lgamma(x + 0.5) + math.lgamma(m - x + 0.5) - math.lgamma(m + 1) - math.log(math.pi)

    def inside(p: float) -> bool:
        if (p <= 0 and x > 0) or (p >= 1 and x < m):
            return False
        likelihood = (x * math.log(p) if x else 0.0) + ((m - x) * math.log1p(-p) if m > x else 0.0)
        return constant - likelihood < -math.log(alpha)

    def end(outer: float, inner: float) -> float:
        if inside(outer):
            return outer
        for _ in range(60):  # the evidence is monotone on either side of x/m
            middle = (outer + inner) / 2
            outer, inner = (outer, middle) if inside(middle) else (middle, inner)
        return outer

    return end(0.0, x / m), end(1.0, x / m)


def sure_side(cells: Sequence[tuple[int, int] | bool | None], alpha: float) -> int | None:
    """How far one can walk from the first cell with the share surely above one half in every cell on the way.

    A fixed sequence of tests: each cell at the full level, up to the first that is not sure. The first cell whose share
    is at most 1/2 stops the walk but with probability alpha, so no correction for their number is due, and nothing is
    assumed of the shares.

    Parameters
    ----------
    cells : sequence
        (trials, successes), True where it is a theorem, None where nothing was measured.
    alpha : float in (0, 1)

    Returns
    -------
    int or None
        The last sure cell; None if the first one is not. Wrong with probability at most alpha.

    Examples
    --------
    >>> sure_side([True, (10, 10), (26, 24), (10, 8), (10, 10)], 0.025)
    2
    """
    last = None
    for j, cell in enumerate(cells):
        if isinstance(cell, tuple):
            cell = log_e_refute(0.5, *cell) >= -math.log(alpha)
        if not cell:
            break
        last = j
    return last


def crossing(ks: Sequence[int], shares: Sequence[float], weights: Sequence[float]) -> float | None:
    """The k at which a nondecreasing fit of the shares (pool adjacent violators) crosses 1/2; None if it does not.

    Between two widths the fit is drawn as a straight line.
    """
    blocks: list[list[float]] = []  # [mean, weight, members]
    for share, weight in zip(shares, weights, strict=True):
        blocks.append([share, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, total, members = blocks.pop()
            first = blocks[-1]
            first[0] = (first[0] * first[1] + mean * total) / (first[1] + total)
            first[1], first[2] = first[1] + total, first[2] + members
    fit = [block[0] for block in blocks for _ in range(int(block[2]))]
    for i in range(1, len(fit)):
        if fit[i - 1] < 0.5 <= fit[i]:
            return ks[i - 1] + (ks[i] - ks[i - 1]) * (0.5 - fit[i - 1]) / (fit[i] - fit[i - 1])
    return None
