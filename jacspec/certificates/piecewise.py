r"""`interpolation-certificate-relu`: phi linear on either side of 0 (docs/theory.md section 7).

While no unit of S changes its sign at a row, f is affine in the weights of S. For every delta,
``Delta = delta + J_S^+ (t - J_S delta)``, t = -r, solves ``J_S Delta = -r`` exactly, and its second part has a norm of
at most ``eps = ||t - J_S delta|| / sigma_min(J_S)``. So an interpolator exists if ``|<delta_l, x_i>| + eps ||x_i|| <
|<w_l, x_i>|`` for all rows i and all l in S, within ``||delta|| + eps``.

Gradient descent on ReLU slides along kinks, so at the end of a run many units lie next to one, and the least delta
would cross. Three are tried: the least one; the one with the smallest turns ``<delta_l, x_i>`` relative to what there
is room for; and the least one of fewer and fewer units.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..enclosure import BallMatrix, jacobian_singular_values
from ..rounding import UNIT_ROUNDOFF, Estimate
from .least_change import Solve, applied, least_change, smallest_turns
from .linearization import SIGMA_GAP, Linearization, norm_bounds
from .smooth import Evidence

__all__ = ["piecewise"]

Floats = NDArray[np.float64]

#: How often units are left out.
_TRIES = 30
#: Numbers in the arrays of `smallest_turns` (n k d) that are affordable.
_MOST_TURNS = 60_000_000


@dataclass
class _Search:
    """The proof, tried for one set of units after the other."""

    at: Linearization
    X: Floats
    room: Floats
    rows: Floats
    fields: dict[str, Any]
    worst: float = math.inf
    reason: str = ""

    def turns(self, S: NDArray[np.intp], solve: Solve | None = None) -> Floats | None:
        """Relative turns (n, |S|) if some reach 1; None when all is proved, or `reason` says why nothing can be."""
        D = BallMatrix(np.ascontiguousarray(self.at.D.mid[:, S]), np.ascontiguousarray(self.at.D.rad[:, S]))
        delta, missing = least_change(D, self.X, -self.at.residual, self.at.residual_radius, solve)
        if not missing.upper < math.inf:
            self.reason = "a solution of J_S Delta = -r is beyond float64"
            return None
        P, P_radius, _, _ = applied(D, self.X, delta)
        room = self.room[:, S]
        turn = (np.abs(P) + P_radius) / room
        if self._crossing(turn):
            return turn
        sigma = jacobian_singular_values(D, self.X, gap=SIGMA_GAP)[0]
        self.fields["sigma_min"] = sigma
        if not sigma.is_positive():
            self.reason = f"sigma_min(J_S) is not told from 0 with {len(S)} units (at most {sigma.upper:.3g})"
            return None
        eps = missing / Estimate.exact(sigma.lower)
        turn = (np.abs(P) + P_radius + eps.upper * self.rows[:, None]) * (1 + 8 * UNIT_ROUNDOFF) / room
        if self._crossing(turn * (1 + 4 * UNIT_ROUNDOFF)):
            return turn
        k = self.at.Z.shape[1]
        step, units = np.zeros((k, self.X.shape[1])), np.zeros(k, dtype=bool)
        step[S], units[S] = delta, True
        distance = (Estimate.exact(norm_bounds(delta).upper) + eps).upper
        h = Estimate.from_bounds(0.0, self.worst, True)
        self.fields |= {"h": h, "distance": distance, "units": units, "step": step}
        return None

    def _crossing(self, turn: Floats) -> bool:
        self.worst = float(np.max(turn))
        return not self.worst < 1


def piecewise(at: Linearization, X: Floats) -> Evidence:
    """Search for S, and prove it."""
    n, k = at.Z.shape
    d = X.shape[1]
    fields: dict[str, Any] = {"residual": at.residual_norm}
    # What a unit may turn by at each row; rounded down.
    room = (np.abs(at.Z) - at.Z_radius) * (1 - 4 * UNIT_ROUNDOFF)
    # A unit whose slope is zero at every row contributes no column to J.
    chosen = np.all(room > 0, axis=0) & np.any(at.D.mid != 0, axis=0)
    sure = int(np.count_nonzero(chosen))
    if sure * d < n:
        why = f"only {sure} of {k} units are off their kinks at every row and active at one: {sure * d} weights"
        return Evidence(fields, f"{why} for {n} rows")
    search = _Search(at, X, room, np.array([norm_bounds(x).upper for x in X]), fields)
    S = np.flatnonzero(chosen)
    turn = search.turns(S)
    if turn is not None and n * sure * d <= _MOST_TURNS:
        nearest = search.worst
        turn = search.turns(S, _turning(X, room[:, S]))
        if turn is not None:
            turn = search.turns(S)
            search.worst = min(nearest, search.worst)
    least = search.worst
    for _ in range(_TRIES):
        if turn is None:
            break
        S = np.delete(S, _offenders(turn))
        if len(S) * d < n:
            break
        turn = search.turns(S)
        least = min(least, search.worst)
    if "distance" in fields:
        return Evidence(fields, None)
    fields["h"] = Estimate.from_bounds(0.0, least, True) if math.isfinite(least) else Estimate.infinite("no room")
    if turn is None:
        return Evidence(fields, search.reason)
    return Evidence(
        fields,
        f"a unit would have to cross its kink ({least:.3g} of the way at best, of {sure} units that are off their "
        f"kinks; ||r|| <= {fields['residual'].upper:.3g}): train on, or polish",
    )


def _turning(X: Floats, room: Floats) -> Callable[[Floats, Floats, Floats], Floats]:
    return lambda D, _, target: smallest_turns(D, X, target, room)


def _offenders(turn: Floats) -> NDArray[np.intp]:
    """Units that would cross, the worst quarter of them at a time: those left take over their share."""
    most = np.max(turn, axis=0)
    bad = np.flatnonzero(~(most < 1))
    order = bad[np.argsort(-most[bad], kind="stable")]
    return np.asarray(order[: max(1, -(-len(order) // 4))])
