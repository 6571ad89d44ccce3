r"""How the width at which half of the problems are fitted grows with n, from the phase diagrams of several d.

At each size the width k_half is found from the counts of a column: the share that is fitted is taken for a logistic
function of (k - k_half)/s, with one s for all sizes of a d. k_half has a flat prior and s one that is flat in its
logarithm; both are integrated over. Nothing else is needed where the share jumps from 0 to 1 between two widths: k_half
then lies anywhere in the gap, with standard deviation gap/sqrt(12) however many trials there are. That undecided cells
got more trials is nothing to a likelihood. Where a theorem says that nothing is fitted below n/d, k_half is at least
that, and cells below count as if their trials had failed.

Through these widths go, by weighted least squares whose errors grow where residuals exceed them (`verification.trend`),

.. math:: \log k = c + e \log n \;[\, +\; a\, d/n \,] \qquad\text{and}\qquad k d = L n + C.

e is the exponent; its interval is the hull of those without and with the term in brackets, which is what an offset of
some units does to a power law. L is the slope of kd against n; kd >= n is necessary where labels have a
density, so that a slope below 1 cannot go on. Both are fitted to each d by itself, and to all with one e or L
and with constants of their own. The intervals are those of a model, not a proof.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jacspec import InputError
from verification.trend import Fit, hull, weighted_fit

from .diagram import Diagram

__all__ = ["Curve", "Laws", "Scaling", "Size"]

Floats = NDArray[np.float64]

#: Sizes of one d: fewer leave nothing to fit.
_FEWEST_SIZES = 5
#: What may differ between diagrams: it changes no problem's chance to be fitted, or it is what is asked about.
_FREE = frozenset({"d", "seed", "certify", "polish"})
#: Places of k_half in a gap between two widths, how many values of s, and gaps on either side of the band of the
#: transition in which k_half is sought: beyond them there is nothing to add up.
_FINE, _SCALES, _AROUND = 16, 20, 2
#: The least s is this part of a gap: a share that jumps between two widths says nothing of where.
_SHARPEST = 256


@dataclass(frozen=True)
class Size:
    """The width at which half of the problems of one size are fitted.

    Parameters
    ----------
    n : int
    k : Fit
        Its mean and interval.
    deviation : float
        Standard deviation of k.
    crossing : float
        Where a nondecreasing fit of the shares crosses one half, as in the diagram (`Transition.k`).
    """

    n: int
    k: Fit
    deviation: float
    crossing: float

    def to_json(self) -> dict[str, Any]:
        return {"n": self.n, **self.k.to_json(), "deviation": self.deviation, "crossing": self.crossing}


@dataclass(frozen=True)
class Laws:
    """What is fitted through widths against n.

    Parameters
    ----------
    exponent : Fit
        e.
    slope : Fit
        L.
    power, line : float
        How badly each law fits: squared residuals in units of their variances, over the degrees of freedom.
    """

    exponent: Fit
    slope: Fit
    power: float
    line: float

    def to_json(self) -> dict[str, Any]:
        return {
            "exponent": {**self.exponent.to_json(), "misfit": self.power},
            "slope": {**self.slope.to_json(), "misfit": self.line},
        }

    def outside(self, exponent: float) -> float:
        """How far an exponent lies outside the interval, in half-widths of it; 0 inside."""
        gap = max(self.exponent.low - exponent, exponent - self.exponent.high, 0.0)
        return 2 * gap / (self.exponent.high - self.exponent.low)


@dataclass(frozen=True)
class Curve:
    """One d.

    Parameters
    ----------
    d : int
    sizes : tuple of Size
    left_out : tuple of int
        Sizes at which the diagram does not hold the transition: cells that surely fail, and above them cells that
        surely fit.
    scale : float
        s, in units of k.
    laws : Laws
    excess : Fit
        Mean of k - n/d.
    """

    d: int
    sizes: tuple[Size, ...]
    left_out: tuple[int, ...]
    scale: float
    laws: Laws
    excess: Fit

    def to_json(self) -> dict[str, Any]:
        return {
            "d": self.d,
            **self.laws.to_json(),
            "excess": self.excess.to_json(),
            "scale": self.scale,
            "sizes": [size.to_json() for size in self.sizes],
            "left_out": list(self.left_out),
        }


@dataclass(frozen=True)
class Scaling:
    """All curves, and what they have in common.

    Parameters
    ----------
    diagrams : tuple of Diagram
        By d.
    curves : tuple of Curve
    laws : Laws
        With one e and one L for all d.
    level : float
        Of every interval, each by itself.
    """

    diagrams: tuple[Diagram, ...]
    curves: tuple[Curve, ...]
    laws: Laws
    level: float

    @classmethod
    def of(cls, diagrams: Sequence[Diagram], level: float = 0.95) -> Scaling:
        """From diagrams that differ in d.

        Parameters
        ----------
        diagrams : sequence of Diagram
            One of each d; the grids may differ.
        level : float in (0, 1)

        Raises
        ------
        InputError
            If there is none, two have the same d, they differ in more than d and the seed, or one has fewer than five
            sizes with a transition.
        """
        ordered = tuple(sorted(diagrams, key=lambda diagram: diagram.plan.config.d))
        _check(ordered)
        curves = tuple(_curve(diagram, level) for diagram in ordered)
        return cls(ordered, curves, _laws([(curve.d, curve.sizes) for curve in curves], level), level)

    def to_json(self) -> dict[str, Any]:
        """The body of the JSON contract ``jacspec.scaling/1``."""
        config = self.diagrams[0].plan.config.to_json()
        return {
            "configuration": {name: value for name, value in config.items() if name not in _FREE},
            "level": self.level,
            **self.laws.to_json(),
            "curves": [
                {**curve.to_json(), "hash": diagram.plan.config.hash, "complete": diagram.complete}
                for curve, diagram in zip(self.curves, self.diagrams, strict=True)
            ],
        }


def _check(diagrams: Sequence[Diagram]) -> None:
    if not diagrams:
        raise InputError("stores", "none", "at least one")
    configs = [diagram.plan.config for diagram in diagrams]
    for one, other in pairwise(configs):
        if one.d == other.d:
            raise InputError("stores", f"two with d = {one.d}", "one for each d")
        ours, theirs = one.to_json(), other.to_json()
        names = [name for name in ours if name not in _FREE and ours[name] != theirs[name]]
        if names:
            held = [
                f"d = {c.d} with {', '.join(f'{name} = {c.to_json()[name]!r}' for name in names)}" for c in (one, other)
            ]
            raise InputError("stores", " and ".join(held), "stores that differ in d and the seed only")


def _curve(diagram: Diagram, level: float) -> Curve:
    plan = diagram.plan
    d = plan.config.d
    held = [t for t in diagram.transitions if None not in (t.k, t.low, t.high)]
    left_out = tuple(n for n in plan.n if n not in {t.n for t in held})
    if len(held) < _FEWEST_SIZES:
        raise InputError(
            "stores",
            f"{len(held)} sizes n with a transition at d = {d}",
            f"at least {_FEWEST_SIZES}, each with cells that surely fail and wider ones that surely fit",
        )
    columns, bands = [], []
    for t in held:
        # Cells below that were measured speak for themselves: a small residual is not forbidden there, only zero is.
        theorem = t.n / d if plan.config.impossible(t.n, 0) and not plan.below else 0.0
        bands.append((float(t.low or 0), float(t.high or 0), theorem))
        cells = [cell for cell in diagram.column(t.n) if cell.trials or cell.impossible]
        columns.append(np.array([(c.k, c.trials or plan.trials, c.fitted) for c in cells], dtype=float))
    located, scale = _halves(columns, bands, level)
    sizes = tuple(Size(t.n, k, s, float(t.k or 0)) for t, (k, s) in zip(held, located, strict=True))
    away = np.array([size.k.value - size.n / d for size in sizes])
    variances = np.array([size.deviation**2 for size in sizes])
    excess, _ = weighted_fit([np.ones_like(away)], away, variances, _quantile(level, len(sizes) - 1))
    return Curve(d, sizes, left_out, scale, _laws([(d, sizes)], level), excess)


def _quantile(level: float, freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.5 + level / 2, freedom))


def _halves(
    columns: Sequence[Floats], bands: Sequence[tuple[float, float, float]], level: float
) -> tuple[list[tuple[Fit, float]], float]:
    """Mean, interval and standard deviation of k_half in each column of (k, trials, fitted), and the mean s.

    A band is (surely fails, surely fits, least k_half).
    """
    from scipy.special import log_expit, logsumexp

    gap = min(float(np.min(np.diff(column[:, 0]))) for column in columns)
    widest = max(float(np.ptp(column[:, 0])) for column in columns)
    scales = np.geomspace(gap / _SHARPEST, max(gap, widest / 4), _SCALES)
    places, evidence = [], []
    for (k, trials, fitted), (low, high, least) in zip((column.T for column in columns), bands, strict=True):
        at = np.arange(low - _AROUND * gap, high + _AROUND * gap, gap / _FINE)
        at = at[at >= least]
        z = (k - at[:, None]) / scales[:, None, None]
        evidence.append(log_expit(z) @ trials - z @ (trials - fitted))  # log_expit(-z) = log_expit(z) - z
        places.append(at)
    weight = np.sum([logsumexp(one, axis=1) for one in evidence], axis=0)
    weight = np.exp(weight - logsumexp(weight))
    found = []
    for at, one in zip(places, evidence, strict=True):
        share = weight @ np.exp(one - logsumexp(one, axis=1, keepdims=True))
        mean = float(share @ at)
        cumulative = np.cumsum(share)
        low, high = (float(np.interp(p, cumulative, at)) for p in (0.5 - level / 2, 0.5 + level / 2))
        found.append((Fit(mean, low, high), math.sqrt(float(share @ (at - mean) ** 2))))
    return found, float(weight @ scales)


def _laws(curves: Sequence[tuple[int, Sequence[Size]]], level: float) -> Laws:
    """One exponent and one slope through all sizes, with constants for each d."""
    d = np.array([float(d) for d, sizes in curves for _ in sizes])
    n, k, deviation = np.array([(s.n, s.k.value, s.deviation) for _, sizes in curves for s in sizes], dtype=float).T
    own = [(d == one).astype(float) for one, _ in curves]

    def fit(y: Floats, variances: Floats, *columns: Floats) -> tuple[Fit, float]:
        first, *rest = columns
        freedom = len(y) - len(columns) - len(own)
        return weighted_fit([first, *own, *rest], y, variances, _quantile(level, freedom))

    logs, noise = np.log(k), (deviation / k) ** 2
    straight, power = fit(logs, noise, np.log(n))
    bent, _ = fit(logs, noise, np.log(n), d / n)
    slope, line = fit(k * d, (deviation * d) ** 2, n)
    return Laws(hull(straight, bent), slope, power, line)
