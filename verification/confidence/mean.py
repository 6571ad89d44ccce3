"""Evidence about a mean: betting e-processes for bounded statistics."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jacspec._checks import InputError, check_int, check_real, check_same_rows, check_vector

from .level import Decision, log_threshold, share

__all__ = ["MeanTest", "MeanVerdict"]

#: Bets halve from 95 % of the largest that cannot ruin the bettor down to this multiple of 1/(high - low): small
#: enough for the mean of 2^32 trials.
_LEAST_BET = 2.0**-16


@functools.lru_cache(maxsize=256)
def _bets(
    edges: tuple[float, float, float, float], low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[slice, ...]]:
    """Signed bets, the mean that each speaks against, and the slice that belongs to each of the four edges.

    A bet b > 0 against "mean <= edge" multiplies wealth by 1 + b (z - edge), b < 0 likewise against "mean >= edge".
    """
    width = high - low
    signed: list[NDArray[np.float64]] = []
    for edge, sign in zip(edges, (1, -1, -1, 1), strict=True):
        room = max(edge - low if sign > 0 else high - edge, width * 2.0**-20)
        largest = 0.95 / room
        count = 1 + max(0, math.ceil(math.log2(largest * width / _LEAST_BET)))
        signed.append(sign * largest * np.ldexp(1.0, -np.arange(count)))
    stops = np.cumsum([0] + [len(part) for part in signed])
    means = np.repeat(np.array(edges), np.diff(stops))
    bets = np.concatenate(signed)
    bets.setflags(write=False)
    means.setflags(write=False)
    return bets, means, tuple(slice(int(i), int(j)) for i, j in itertools.pairwise(stops))


def _log_mean_exp(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    top = logs.max(axis=1)
    result: NDArray[np.float64] = top + np.log(np.exp(logs - top[:, None]).mean(axis=1))
    return result


@dataclass(frozen=True)
class MeanVerdict:
    """What the statistics so far say about ``E[Z] = claimed``.

    Parameters
    ----------
    verdict : {"SUPPORTED", "REFUTED", "UNDECIDED"}
        SUPPORTED: the mean is within `tolerance` of the claimed value. REFUTED: it is not the claimed value.
    claimed, radius, low, high, alpha, tolerance, claims
        As in `MeanTest`.
    trials : int
    mean : float or None
        Of the statistics so far (for information).
    peak_refute, peak_support : float
        The largest log evidence so far against the claimed value, and against the more plausible of "too large" and
        "too small" by the tolerance.
    log_threshold : float
        ``log(claims / alpha)``.
    """

    verdict: Decision
    claimed: float
    radius: float
    low: float
    high: float
    alpha: float
    tolerance: float
    claims: int
    trials: int
    mean: float | None
    peak_refute: float
    peak_support: float
    log_threshold: float

    @property
    def reason(self) -> str:
        """One line for a person."""
        level = f"alpha = {self.alpha:g}" + (f" over {self.claims} claims" if self.claims > 1 else "")
        found = f"mean {self.mean:.6g} of {self.trials} trials" if self.mean is not None else "no trials"
        if self.verdict == "SUPPORTED":
            return f"{found}: E = {self.claimed:.6g} is supported to within {self.tolerance:.3g} at {level}"
        if self.verdict == "REFUTED":
            return f"{found}: E = {self.claimed:.6g} is refuted at {level}"
        return f"{found}: E = {self.claimed:.6g} to within {self.tolerance:.3g} is undecided at {level}"


@dataclass(frozen=True)
class MeanTest:
    r"""A sequential test of ``E[Z] = claimed`` for statistics Z in a known interval ``[low, high]``.

    Wealth is bet against four hypotheses, each about one edge: mean <= claimed + radius and mean >= claimed - radius
    (winning against the average of the two: REFUTED), mean >= claimed + (tolerance - radius) and
    mean <= claimed - (tolerance - radius) (winning against both: SUPPORTED). Wealth against "mean <= edge" is

    .. math:: \frac1J \sum_j \prod_i (1 + b_j (z_i - \mathrm{edge})), \quad 0 < b_j < 1/(\mathrm{edge} - \mathrm{low}),

    a nonnegative supermartingale under that hypothesis whatever the distribution; the b_j form a geometric grid, so
    one of them is near the best for any variance. This is the betting confidence sequence of Waudby-Smith and Ramdas
    (grid Kelly), evaluated at the four points that the verdict depends on. Where both verdicts are reached REFUTED is
    said: a mean may be near the claimed value without being it.

    With variance s^2, a mean that is the claimed one is nearly always SUPPORTED after
    ``4 log(20 claims/alpha) (s^2/tolerance^2 + (high - low)/tolerance)`` trials (measured, not proved).

    *Vectors and matrices.* Fix test vectors u before the draws and test the scalars. For `initial-jacobian-mean`,

    .. math:: \mathbb E\, u^\top J J^\top u = \|v\|^2 u^\top \Sigma u, \qquad
       u^\top J J^\top u = \sum_l v_l^2 \|X^\top D_l u\|^2, \quad D_l = \mathrm{diag}(\phi'(X w_l)),

    where the hidden units l are independent: take ``Z = ||X^T D_l u||^2`` with claimed value ``u^T Sigma u`` and
    bounds low = 0, ``high = B1^2 min(||X|| ||u||, sum_i |u_i|)^2`` (unit rows; rounded up), so that one draw of W_0
    gives k trials. The n(n+1)/2 vectors e_i and (e_i + e_j)/sqrt 2 determine the whole symmetric matrix; fewer, chosen
    at random, test fewer directions. Give each test ``claims`` times the number of vectors and put the verdicts
    together with `joint`.

    Parameters
    ----------
    claimed : float in [low, high]
    radius : float
        Of the claimed value (numerical error), at least 0.
    low, high : float
        A-priori bounds of the statistics.
    alpha : float in (0, 1)
        Error level of the run, for each direction.
    tolerance : float
        How near SUPPORTED asks the mean to be; larger than radius.
    claims : int
        Claims that share alpha.
    trials : int
    total : float
        Sum of the statistics so far.
    wealth : tuple of float
        Log wealth of each bet so far; empty before the first trial.
    peaks : tuple of three floats
        Largest log evidence so far: against the claimed value, against too large, against too small.

    Raises
    ------
    InputError
        If an argument is out of range, claimed is outside [low, high] or tolerance does not exceed radius.

    Examples
    --------
    >>> test = MeanTest(claimed=0.5, radius=1e-12, low=0.0, high=1.0, alpha=0.01, tolerance=0.1)
    >>> z = np.random.default_rng(0).uniform(size=2000)
    >>> test.extend(z).decision, test.extend(z**2).decision
    ('SUPPORTED', 'REFUTED')
    """

    claimed: float
    radius: float
    low: float
    high: float
    alpha: float
    tolerance: float
    claims: int = 1
    trials: int = 0
    total: float = 0.0
    wealth: tuple[float, ...] = ()
    peaks: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        low = check_real("low", self.low)
        check_real("high", self.high, above=low)
        check_real("claimed", self.claimed, at_least=low, at_most=self.high)
        check_real("radius", self.radius, at_least=0)
        check_real("tolerance", self.tolerance, above=self.radius)
        share(self.alpha, self.claims)
        check_int("trials", self.trials, minimum=0)
        expected = len(self._grid()[0]) if self.trials else 0
        if len(self.wealth) != expected:
            raise InputError("wealth", f"{len(self.wealth)} numbers", f"{expected}, as stored by the test it continues")
        if len(self.peaks) != 3 or not all(peak >= 0 for peak in self.peaks):
            raise InputError("peaks", self.peaks, "three numbers >= 0, as stored by the test it continues")

    def _edges(self) -> tuple[float, float, float, float]:
        """Every edge is rounded to the side that makes its hypothesis harder to reject."""
        inner = math.nextafter(self.tolerance - self.radius, 0)
        return (
            math.nextafter(self.claimed + self.radius, math.inf),
            math.nextafter(self.claimed - self.radius, -math.inf),
            math.nextafter(self.claimed + inner, self.claimed),
            math.nextafter(self.claimed - inner, self.claimed),
        )

    def _grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[slice, ...]]:
        return _bets(self._edges(), self.low, self.high)

    def record(self, value: float, radius: float = 0.0) -> MeanTest:
        """The test after one more statistic, known to within `radius`."""
        return self.extend([value], [radius])

    def extend(self, values: ArrayLike, radii: ArrayLike = 0.0) -> MeanTest:
        """The test after more statistics, looked at after each.

        Parameters
        ----------
        values : (m,) float64
            In the order of the trials.
        radii : (m,) float64 or float
            Rounding radius of each; each bet gets the end of the interval that is worse for it.

        Returns
        -------
        MeanTest
            The same bits however the values are cut into calls.

        Raises
        ------
        InputError
            If a value is not finite, a radius is negative, or a value is outside [low, high] beyond its radius (then
            the a-priori bound is wrong, and with it the test).
        """
        if np.size(values) == 0:
            return self
        z = check_vector("values", values)
        if np.ndim(radii) == 0:
            r = np.full(len(z), check_real("radii", radii))
        else:
            r = check_vector("radii", radii)
            check_same_rows("values", z, "radii", r)
        if (r < 0).any():
            raise InputError("radii", float(r.min()), "radii >= 0")
        outside = np.flatnonzero((z + r < self.low) | (z - r > self.high))
        if outside.size:
            i = int(outside[0])
            raise InputError("values", f"{z[i]} at index {i}", f"statistics in [{self.low:g}, {self.high:g}]")
        test = self
        for start in range(0, len(z), 4096):  # bounds the memory
            test = test._extend(z[start : start + 4096], r[start : start + 4096])
        return test

    def _extend(self, z: NDArray[np.float64], r: NDArray[np.float64]) -> MeanTest:
        bets, means, (above, below, too_large, too_small) = self._grid()
        lower, upper = np.maximum(z - r, self.low), np.minimum(z + r, self.high)
        worse = np.where(bets > 0, lower[:, None], upper[:, None])
        start = self.wealth or (0.0,) * len(bets)
        paths = np.add.accumulate(np.vstack([start, np.log1p(bets * (worse - means))]), axis=0)[1:]
        refute = np.logaddexp(_log_mean_exp(paths[:, above]), _log_mean_exp(paths[:, below])) - math.log(2)
        evidence = (refute, _log_mean_exp(paths[:, too_large]), _log_mean_exp(paths[:, too_small]))
        first, second, third = (max(peak, float(e.max())) for peak, e in zip(self.peaks, evidence, strict=True))
        total = float(np.add.accumulate(np.concatenate([[self.total], z]))[-1])
        return replace(
            self,
            trials=self.trials + len(z),
            total=total,
            wealth=tuple(paths[-1].tolist()),
            peaks=(first, second, third),
        )

    def _support(self) -> float:
        """Peak evidence for the tolerance; an edge outside [low, high] needs none."""
        _, _, too_large, too_small = self._edges()
        return min(
            math.inf if too_large > self.high else self.peaks[1], math.inf if too_small < self.low else self.peaks[2]
        )

    @property
    def decision(self) -> Decision:
        """The verdict alone; cheap enough to look at after every trial."""
        threshold = log_threshold(self.alpha, self.claims)
        if self.peaks[0] >= threshold:
            return "REFUTED"
        return "SUPPORTED" if self._support() >= threshold else "UNDECIDED"

    def verdict(self) -> MeanVerdict:
        """The verdict with its numbers."""
        return MeanVerdict(
            verdict=self.decision,
            claimed=self.claimed,
            radius=self.radius,
            low=self.low,
            high=self.high,
            alpha=self.alpha,
            tolerance=self.tolerance,
            claims=self.claims,
            trials=self.trials,
            mean=self.total / self.trials if self.trials else None,
            peak_refute=self.peaks[0],
            peak_support=self._support(),
            log_threshold=log_threshold(self.alpha, self.claims),
        )
