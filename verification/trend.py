r"""Laws that numbers approach, and the trend that is measured. Names no lemma.

A law says how a positive quantity q of random data behaves as the size n grows: like a power of n (an exponent is
predicted), or towards a number (a limit is predicted). No finite computation decides that. What can be said is what
independent data sets show at growing sizes, and how sure that is:

* q at each size: the mean of its logarithm over the draws, which are independent over sizes too;
* *local exponents* between successive sizes, so that one sees them move;
* the *raw* exponent, a straight line through all sizes, which ignores that they move;
* the *extrapolated* exponent or limit, from

  .. math:: \log q - \log F(n, d) = c + e \log n + \sum_j a_j n^{-\gamma_j} + \text{noise}

  with e = 0 for a limit, exp(c). F is a finite-size factor known in closed form (or 1) that tends to a constant and
  knows nothing of the exponent; the powers gamma_j describe the drift that is left.

Weights are inverse variances of the means (smoothed over sizes: a few draws say little about a variance), intervals are
Student's, and where the residuals exceed the noise the errors are multiplied by their ratio (Birge). The interval that
is reported is the hull of two fits, with all powers and with all but the last: how much the answer depends on the last
term is part of what is not known. It is an interval of a model, not a proof.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .instances import Instance

__all__ = ["CLEAR", "Fit", "Form", "Grid", "Law", "Local", "Point", "Trend", "hull", "measure", "weighted_fit"]

Floats = NDArray[np.float64]

#: A prediction this many half-widths outside the interval is inconsistent with what was measured.
CLEAR = 1.0
#: Examples of a run that measures the usual sizes of a grid.
USUAL_EXAMPLES = 250
#: Fewer sizes leave nothing to fit.
_FEWEST_SIZES = 5
#: A small shape gets at most this many times the draws of a large one.
_MOST = 8
#: A variance of zero (a quantity that does not vary) would have infinite weight.
_LEAST_VARIANCE = 1e-24


class Form(StrEnum):
    """What a law predicts."""

    EXPONENT = "exponent"
    LIMIT = "limit"


@dataclass(frozen=True)
class Grid:
    """Shapes (n, d) of growing size, and how many data sets are drawn of each.

    Parameters
    ----------
    name : str
        How d follows n: "n = d".
    shapes : tuple of (int, int)
        By growing n.
    usual : int
        How many shapes, from the first, a run of 250 examples measures.
    draws : int
        Data sets of the largest shape of a run. Smaller ones are cheaper and vary more: they get more, in inverse
        proportion to n, up to `_MOST` times as many.
    """

    name: str
    shapes: tuple[tuple[int, int], ...]
    usual: int
    draws: int

    def __post_init__(self) -> None:
        sizes = [n for n, _ in self.shapes]
        if sizes != sorted(set(sizes)) or not _FEWEST_SIZES <= self.usual <= len(sizes) or self.draws < 3:
            raise ValueError(
                f"grid {self.name}: got sizes {sizes}, usual {self.usual}, draws {self.draws}; "
                f"expected growing sizes, at least {_FEWEST_SIZES} usual ones and 3 draws"
            )

    def plan(self, examples: int) -> tuple[tuple[int, int, int], ...]:
        """(n, d, draws) of a run: one shape more for a doubling of `examples` beyond 250, one less for a halving."""
        more = math.floor(math.log2(max(1, examples) / USUAL_EXAMPLES))
        shapes = self.shapes[: max(_FEWEST_SIZES, self.usual + more)]
        most, largest = _MOST * self.draws, shapes[-1][0]
        return tuple((n, d, min(most, round(self.draws * largest / n))) for n, d in shapes)


@dataclass(frozen=True)
class Law:
    """A positive quantity of random data, and what it does as n grows.

    Parameters
    ----------
    name : str
        Of the variant that states it.
    quantity : callable
        Of one instance; positive and finite.
    grid : Grid
    form : Form
    predicted : float
        The exponent of n, or the limit.
    drift : tuple of float
        Powers gamma_j of n in the finite-size correction, the leading one first.
    factor : callable or None
        ``F(n, d)``, a finite-size factor known in closed form, which tends to a positive constant.
    factor_text : str
        What F is, for the person.
    decay : float or None
        For a limit: the exponent with which the distance of one draw from it shrinks.
    """

    name: str
    quantity: Callable[[Instance], float]
    grid: Grid
    form: Form
    predicted: float
    drift: tuple[float, ...]
    factor: Callable[[int, int], float] | None = None
    factor_text: str = ""
    decay: float | None = None

    def __post_init__(self) -> None:
        if not self.drift or min(self.drift) <= 0:
            raise ValueError(f"law {self.name}: got drift {self.drift}; expected at least one positive power")
        if (self.decay is None) == (self.form is Form.LIMIT):
            raise ValueError(f"law {self.name}: a limit states how its distance decays, an exponent does not")
        if self.form is Form.LIMIT and self.predicted <= 0:
            raise ValueError(f"law {self.name}: got limit {self.predicted}; expected a positive one")


@dataclass(frozen=True)
class Fit:
    """A fitted number and its interval."""

    value: float
    low: float
    high: float

    def interval(self, digits: int = 3) -> str:
        """``[low, high]`` in decimals, rounded outwards."""
        unit = 10**digits
        low, high = math.floor(self.low * unit) / unit, math.ceil(self.high * unit) / unit
        return f"[{low + 0.0:.{digits}f}, {high + 0.0:.{digits}f}]"

    def to_json(self) -> dict[str, float]:
        return {"measured": self.value, "low": self.low, "high": self.high}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Fit:
        return cls(told["measured"], told["low"], told["high"])


@dataclass(frozen=True)
class Local:
    """The exponent between two successive sizes, and the one that the law with its finite-size factor predicts."""

    start: int
    stop: int
    fit: Fit
    expected: float


@dataclass(frozen=True)
class Point:
    """A size: (n, d), the number of draws, the geometric mean of q with its interval, and F there.

    For a limit also the mean distance of a draw from it, ``mean |q / limit - 1|``.
    """

    n: int
    d: int
    draws: int
    fit: Fit
    factor: float
    distance: float | None = None


@dataclass(frozen=True)
class Trend:
    """What was measured of one law. It carries no verdict.

    Parameters
    ----------
    law, grid : str
    form : Form
    predicted : float
        Exponent or limit.
    fit : Fit
        The extrapolated exponent or limit; its interval is the hull of two fits.
    raw : Fit
        Exponent: the straight line through all sizes, with no factor divided out. Limit: q at the largest size.
    level : float
        Of every interval, each by itself.
    local : tuple of Local
        Exponents of q, or of its distance from the limit.
    points : tuple of Point
    drift : tuple of float
    factor_text : str
    decay : Fit or None
        Exponent of ``mean |q / limit - 1|``, a straight line through all sizes.
    predicted_decay : float or None
    halves : tuple of Fit
        Exponent over the first and over the second half of the sizes (of q, or of the distance from the limit).
    """

    law: str
    grid: str
    form: Form
    predicted: float
    fit: Fit
    raw: Fit
    level: float
    local: tuple[Local, ...]
    points: tuple[Point, ...]
    drift: tuple[float, ...]
    factor_text: str
    decay: Fit | None
    predicted_decay: float | None
    halves: tuple[Fit, Fit]

    @property
    def outside(self) -> float:
        """How far the prediction lies outside the interval, in half-widths of it; 0 inside."""
        gap = max(self.fit.low - self.predicted, self.predicted - self.fit.high, 0.0)
        half = (self.fit.high - self.fit.low) / 2
        return 0.0 if gap == 0 else gap / half if half > 0 else math.inf

    @property
    def inconsistent(self) -> bool:
        """Whether the prediction lies outside by more than `CLEAR` half-widths."""
        return self.outside > CLEAR

    @property
    def direction(self) -> str:
        """Where the numbers go as n grows: "approaches", "stays" or "moves away".

        Exponent: the local ones of the second half of the sizes against those of the first. Limit: the distance
        shrinks surely, and at least half as fast as predicted. "stays" otherwise, or where the noise hides it.
        """
        first, second = self.halves
        if self.decay is not None:
            assert self.predicted_decay is not None
            shrinks = self.decay.high < 0 and self.decay.value <= self.predicted_decay / 2
            return "approaches" if shrinks else "moves away" if self.decay.low > 0 else "stays"
        if first.low <= second.high and second.low <= first.high:
            return "stays"
        nearer = abs(second.value - self.predicted) < abs(first.value - self.predicted)
        return "approaches" if nearer else "moves away"

    def to_json(self) -> dict[str, Any]:
        """The object "trend" of the JSON contract ``jacspec.verify/1``."""
        return {
            "form": self.form.value,
            "size": "n",
            "grid": self.grid,
            "predicted": self.predicted,
            **self.fit.to_json(),
            "level": self.level,
            "outside": self.outside if math.isfinite(self.outside) else "inf",
            "direction": self.direction,
            "drift": list(self.drift),
            "factor": self.factor_text or None,
            "raw": self.raw.to_json(),
            "halves": [half.to_json() for half in self.halves],
            "decay": None if self.decay is None else {"predicted": self.predicted_decay, **self.decay.to_json()},
            "local": [
                {"from": x.start, "to": x.stop, "expected": _number(x.expected), **x.fit.to_json()} for x in self.local
            ],
            "points": [
                {"n": p.n, "d": p.d, "draws": p.draws, "factor": p.factor, "distance": p.distance, **p.fit.to_json()}
                for p in self.points
            ],
        }

    @classmethod
    def from_json(cls, law: str, told: Mapping[str, Any]) -> Trend:
        """The trend of which `to_json` told, for those who draw it later."""
        decay = told["decay"]
        return cls(
            law=law,
            grid=told["grid"],
            form=Form(told["form"]),
            predicted=told["predicted"],
            fit=Fit.from_json(told),
            raw=Fit.from_json(told["raw"]),
            level=told["level"],
            local=tuple(
                Local(x["from"], x["to"], Fit.from_json(x), math.nan if x["expected"] is None else x["expected"])
                for x in told["local"]
            ),
            points=tuple(
                Point(p["n"], p["d"], p["draws"], Fit.from_json(p), p["factor"], p["distance"]) for p in told["points"]
            ),
            drift=tuple(told["drift"]),
            factor_text=told["factor"] or "",
            decay=None if decay is None else Fit.from_json(decay),
            predicted_decay=None if decay is None else decay["predicted"],
            halves=(Fit.from_json(told["halves"][0]), Fit.from_json(told["halves"][1])),
        )


def _number(x: float) -> float | None:
    return x if math.isfinite(x) else None


# -- fitting --------------------------------------------------------------------------------------------------------


def weighted_fit(columns: Sequence[Floats], y: Floats, variances: Floats, quantile: float) -> tuple[Fit, float]:
    """Weighted least squares: the coefficient of the first column with its interval.

    Parameters
    ----------
    columns : sequence of (m,) float64
    y, variances : (m,) float64
    quantile : float
        Half the width of the interval, in standard errors.

    Returns
    -------
    fit : Fit
    misfit : float
        Squared residuals in units of their variances, over the degrees of freedom. Above 1, the standard error is
        multiplied by its root (Birge).
    """
    A = np.column_stack(columns) / np.sqrt(variances)[:, None]
    b = y / np.sqrt(variances)
    Q, R = np.linalg.qr(A)
    solution = np.linalg.solve(R, Q.T @ b)
    # The first coefficient's variance is the squared first row of R^-1.
    row = np.linalg.solve(R, np.eye(len(R)))[0]
    free = len(b) - len(R)
    misfit = float(np.sum((b - A @ solution) ** 2)) / free if free > 0 else 1.0
    half = quantile * math.sqrt(float(row @ row) * max(1.0, misfit))
    return Fit(float(solution[0]), float(solution[0]) - half, float(solution[0]) + half), misfit


@dataclass(frozen=True)
class _Series:
    """Means of logarithms at each size, their variances (smoothed) and the pooled degrees of freedom."""

    x: Floats
    y: Floats
    variances: Floats
    quantile: float

    @classmethod
    def of(cls, sizes: Floats, y: Floats, variances: Floats, freedom: int, level: float) -> _Series:
        from scipy.stats import t

        return cls(np.log(sizes), y, _smoothed(np.log(sizes), variances), float(t.ppf(0.5 + level / 2, freedom)))

    def part(self, where: slice) -> _Series:
        return replace(self, x=self.x[where], y=self.y[where], variances=self.variances[where])

    def fit(self, powers: Sequence[float], *, slope: bool) -> Fit:
        """Weighted least squares; the exponent with `slope`, otherwise the constant at n = infinity."""
        start = self.x[0]
        drift = [np.exp(-power * (self.x - start)) for power in powers]
        columns = [self.x - start] * slope + [np.ones_like(self.x)] + drift
        return weighted_fit(columns, self.y, self.variances, self.quantile)[0]

    def steps(self) -> list[Fit]:
        """Slopes between successive sizes, with the noise of both ends."""
        width = np.diff(self.x)
        slopes = np.diff(self.y) / width
        halves = self.quantile * np.sqrt(self.variances[1:] + self.variances[:-1]) / width
        return [Fit(float(s), float(s - h), float(s + h)) for s, h in zip(slopes, halves, strict=True)]

    def halves(self) -> tuple[Fit, Fit]:
        """Slopes over the first and over the second half of the sizes (they share the middle one)."""
        middle = len(self.x) // 2
        return (
            self.part(slice(0, middle + 1)).fit((), slope=True),
            self.part(slice(middle, None)).fit((), slope=True),
        )


def _smoothed(x: Floats, variances: Floats) -> Floats:
    """Variances on a power law of the size, with the same mean ratio to it: a few draws say little about each."""
    v = np.maximum(variances, _LEAST_VARIANCE)
    smooth = np.exp(np.polyval(np.polyfit(x, np.log(v), 1), x))
    return np.asarray(smooth * np.mean(v / smooth))


def hull(one: Fit, other: Fit) -> Fit:
    """The value of the first, the interval of both."""
    return Fit(one.value, min(one.low, other.low), max(one.high, other.high))


def _exp(fit: Fit) -> Fit:
    # A hopelessly wide interval must not overflow.
    return Fit(*(math.exp(min(x, 700.0)) for x in (fit.value, fit.low, fit.high)))


def _distances(values: Sequence[Floats], limit: float) -> tuple[Floats, Floats]:
    """(log of the mean distance from the limit, its variance) at each size."""
    away = [np.maximum(np.abs(v / limit - 1), 1e-300) for v in values]
    means = np.array([a.mean() for a in away])
    variances = np.array([a.var(ddof=1) / len(a) for a in away]) / means**2
    return np.log(means), variances


def measure(law: Law, samples: Sequence[tuple[int, int, Sequence[float]]], level: float = 0.99) -> Trend:
    """The trend of a law from independent draws of its quantity.

    Parameters
    ----------
    law : Law
    samples : sequence of (n, d, values)
        At least five shapes, by growing n; at least three values of each.
    level : float
        Of every interval, each by itself.

    Returns
    -------
    Trend

    Raises
    ------
    ValueError
        If there are too few sizes or draws, or a value is not positive and finite.
    """
    from scipy.stats import t

    if len(samples) < _FEWEST_SIZES or min(len(values) for _, _, values in samples) < 3:
        raise ValueError(f"{law.name}: got {len(samples)} sizes; expected {_FEWEST_SIZES} or more, with 3 draws each")
    for n, d, values in samples:
        if not all(0 < q < math.inf for q in values):
            raise ValueError(f"{law.name}: got {list(values)} at n = {n}, d = {d}; expected positive numbers")
    sizes = np.array([n for n, _, _ in samples], dtype=float)
    raw_values = [np.array(values, dtype=float) for _, _, values in samples]
    logs = [np.log(v) for v in raw_values]
    factors = np.array([1.0 if law.factor is None else law.factor(n, d) for n, d, _ in samples])
    freedom = sum(len(v) - 1 for v in logs)
    variances = np.array([v.var(ddof=1) / len(v) for v in logs])
    y = np.array([v.mean() for v in logs])
    raw = _Series.of(sizes, y, variances, freedom, level)
    divided = replace(raw, y=y - np.log(factors))

    slope = law.form is Form.EXPONENT
    fit = hull(divided.fit(law.drift, slope=slope), divided.fit(law.drift[:-1], slope=slope))
    bends = np.diff(np.log(factors)) / np.diff(raw.x)
    points = []
    for (n, d, values), mean, own, factor in zip(samples, y, variances, factors, strict=True):
        half = float(t.ppf(0.5 + level / 2, len(values) - 1)) * math.sqrt(own)
        points.append(Point(n, d, len(values), _exp(Fit(mean, mean - half, mean + half)), float(factor)))
    decay, moving = None, raw
    expected = law.predicted + bends
    if slope:
        over_all = raw.fit((), slope=True)
    else:
        fit, over_all = _exp(fit), points[-1].fit
        distances, noise = _distances(raw_values, law.predicted)
        points = [replace(p, distance=float(np.exp(away))) for p, away in zip(points, distances, strict=True)]
        moving = _Series.of(sizes, distances, noise, freedom, level)
        decay = moving.fit((), slope=True)
        assert law.decay is not None
        expected = np.full(len(bends), law.decay)
    return Trend(
        law=law.name,
        grid=law.grid.name,
        form=law.form,
        predicted=law.predicted,
        fit=fit,
        raw=over_all,
        level=level,
        local=tuple(
            Local(int(a), int(b), step, float(e))
            for a, b, step, e in zip(sizes[:-1], sizes[1:], moving.steps(), expected, strict=True)
        ),
        points=tuple(points),
        drift=law.drift,
        factor_text=law.factor_text,
        decay=decay,
        predicted_decay=law.decay,
        halves=moving.halves(),
    )
