"""Evidence about a failure probability: e-values in closed form, and the sequential test built on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from jacspec._checks import InputError, check_choice, check_int, check_real

from .level import Decision, log_threshold, share

__all__ = [
    "BinomialTest",
    "BinomialVerdict",
    "clopper_pearson_upper",
    "log_e_refute",
    "log_e_support",
    "share_interval",
    "trials_to_support",
]

#: What one trial can say. A trial whose assumptions are not met (VACUOUS) is no trial: draw another instance.
OUTCOMES = ("HOLDS", "VIOLATED", "UNDECIDED")

#: Beyond this many trials a statement counts as one that no run can support.
MOST_TRIALS = 2**53


# -- incomplete beta integrals, relative to their end point ---------------------------------------------------------


def _deviance(x: float, mean: float) -> float:
    """``x log(x/mean) + mean - x >= 0`` without cancellation (Loader's bd0), x and mean positive."""
    if abs(x - mean) >= 0.1 * (x + mean):
        return x * (math.log(x) - math.log(mean)) + mean - x
    v = (x - mean) / (x + mean)
    total, term, odd = (x - mean) * v, 2 * x * v, 1
    while True:
        term *= v * v
        odd += 2
        following = total + term / odd
        if following == total:
            return total
        total = following


def _stirling_error(z: float) -> float:
    """``log Gamma(z) - (z - 1/2) log z + z - log(2 pi)/2``, z > 0."""
    if z < 10:
        return math.lgamma(z) - (z - 0.5) * math.log(z) + z - 0.5 * math.log(2 * math.pi)
    w = 1 / (z * z)
    series = 1 / 1188 - w * 691 / 360360
    for coefficient in (1 / 1680, 1 / 1260, 1 / 360, 1 / 12):
        series = coefficient - w * series
    return series / z


def _log_complete(a: float, b: float, x: float, y: float) -> float:
    """``log(B(a, b) / (x^a y^b))``, y = 1 - x: Stirling's formula, with the powers gathered in two deviances."""
    n = a + b
    powers = _deviance(a, n * x) + _deviance(b, n * y)
    return (
        powers
        + 0.5 * math.log(2 * math.pi / a * (n / b))
        + (_stirling_error(a) + _stirling_error(b) - _stirling_error(n))
    )


def _log_fraction(a: float, b: float, x: float) -> float:
    """`_log_incomplete` for ``x <= (a+1)/(a+b+2)``: continued fraction (DLMF 8.17.22), O(sqrt(max(a, b))) steps."""
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    h, m = d, 0
    while True:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / (1 + even * d), 1 + even / c
        h *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / (1 + odd * d), 1 + odd / c
        h *= d * c
        if abs(d * c - 1) <= 4e-16:
            return math.log(h) - math.log(a)


def _log_incomplete(a: float, b: float, x: float, y: float) -> float:
    r"""``log( \int_0^x t^{a-1} (1-t)^{b-1} dt / (x^a y^b) )``, y = 1 - x; moderate where the integral underflows."""
    if x * (a + b + 2) < a + 1:
        return _log_fraction(a, b, x)
    complete = _log_complete(a, b, x, y)
    return complete + math.log1p(-math.exp(_log_fraction(b, a, y) - complete))


def _log_arcsine(x: float, y: float) -> float:
    """`_log_incomplete` at a = b = 1/2, in closed form."""
    return math.log(2 * math.atan2(math.sqrt(x), math.sqrt(y))) - 0.5 * (math.log(x) + math.log(y))


# -- evidence ------------------------------------------------------------------------------------------------------


def _check_p(p: float) -> float:
    if not isinstance(p, (bool, str)) and isinstance(p, (int, float, np.floating)) and p >= 1:
        raise InputError("p", p, "a failure probability in [0, 1); at p >= 1 the statement promises nothing (VACUOUS)")
    return check_real("p", p, at_least=0, below=1)


def _check_counts(trials: int, failures: int) -> None:
    check_int("trials", trials, minimum=0)
    check_int("failures", failures, minimum=0, maximum=trials)


def log_e_refute(p: float, trials: int, failures: int) -> float:
    r"""Log of the evidence against ``P(failure) <= p``.

    .. math:: \log \int_p^1 (q/p)^x ((1-q)/(1-p))^{m-x} \, d\pi(q), \quad
       \pi = \mathrm{Beta}(1/2, 1/2) \text{ truncated to } (p, 1]

    with x failures in m trials. With :math:`T(a, b) = \int_p^1 t^{a-1} (1-t)^{b-1} dt / (p^a (1-p)^b)` it equals
    :math:`\log T(x + 1/2, m - x + 1/2) - \log T(1/2, 1/2)`: the powers of p have gone, and nothing under- or overflows.

    Parameters
    ----------
    p : float in [0, 1)
        A p that is known only as the exponential of a very negative number is to be rounded up to the smallest
        positive float, not down to 0: a larger p is harder to refute. At p = 0 a single failure refutes.
    trials, failures : int
        ``0 <= failures <= trials``.

    Returns
    -------
    float
        Increasing in failures, decreasing in trials; inf for a failure at p = 0.

    Raises
    ------
    InputError
        If p is outside [0, 1) or the counts are not as above.

    Examples
    --------
    >>> round(log_e_refute(0.01, 100, 10), 2)
    11.98
    """
    p = _check_p(p)
    _check_counts(trials, failures)
    if trials == 0:
        return 0.0
    if p == 0:
        if failures:
            return math.inf
        return math.lgamma(trials + 0.5) - math.lgamma(trials + 1) - 0.5 * math.log(math.pi)
    return _log_incomplete(trials - failures + 0.5, failures + 0.5, 1 - p, p) - _log_arcsine(1 - p, p)


def log_e_support(p: float, trials: int, failures: int) -> float:
    r"""Log of the evidence against ``P(failure) >= p``.

    The mean of :math:`(q/p)^x ((1-q)/(1-p))^{m-x}`, half over a point mass at q = 0 and half over Beta(1/2, 1/2)
    truncated to (0, p); the latter in closed form as in `log_e_refute`, with integrals over (0, p).

    Parameters
    ----------
    p : float in [0, 1)
        At p = 0 nothing can be supported: the value is never positive.
    trials, failures : int
        ``0 <= failures <= trials``.

    Returns
    -------
    float
        Decreasing in failures, increasing in trials (at fixed failures, for p > 0).

    Raises
    ------
    InputError
        If p is outside [0, 1) or the counts are not as above.

    Examples
    --------
    >>> log_e_support(0.01, 493, 0) < math.log(100) <= log_e_support(0.01, 494, 0)
    True
    """
    p = _check_p(p)
    _check_counts(trials, failures)
    if trials == 0:
        return 0.0
    if p == 0:
        spread = -math.log(2 * failures + 1)
    else:
        spread = _log_incomplete(failures + 0.5, trials - failures + 0.5, p, 1 - p) - _log_arcsine(p, 1 - p)
    if failures:
        return spread - math.log(2)
    point = -trials * math.log1p(-p)
    high, low = max(point, spread), min(point, spread)
    return high + math.log1p(math.exp(low - high)) - math.log(2)


def trials_to_support(p: float, alpha: float, claims: int = 1) -> int | None:
    """The least number of trials that supports ``P(failure) <= p`` if none of them fails.

    Parameters
    ----------
    p : float in [0, 1)
    alpha : float in (0, 1)
    claims : int
        Claims that share alpha.

    Returns
    -------
    int or None
        None when it exceeds 2^53, in particular at p = 0: no run can support such a statement, only fail to refute it.

    Raises
    ------
    InputError
        If an argument is out of range.

    Examples
    --------
    >>> [trials_to_support(p, 0.01) for p in (0.05, 0.01, 1e-3, 1e-300)]
    [97, 494, 4962, None]
    """
    p = _check_p(p)
    share(alpha, claims)
    threshold = log_threshold(alpha, claims)
    low, high = 0, 1
    while log_e_support(p, high, 0) < threshold:
        if high >= MOST_TRIALS:
            return None
        low, high = high, min(2 * high, MOST_TRIALS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if log_e_support(p, middle, 0) >= threshold else (middle, high)
    return high


def clopper_pearson_upper(trials: int, failures: int, level: float) -> float:
    """Exact upper confidence bound on a failure probability, for a number of trials that was fixed in advance.

    It is information, not evidence: looking at it after every trial and stopping when it pleases has a true error
    probability many times the level.

    Parameters
    ----------
    trials, failures : int
        ``0 <= failures <= trials``.
    level : float in (0, 1)
        Probability that the bound is too small.

    Returns
    -------
    float
        The p at which `failures` or fewer have probability `level`; 1 when every trial failed or there was none.

    Raises
    ------
    InputError
        If an argument is out of range.

    Examples
    --------
    >>> round(clopper_pearson_upper(100, 0, 0.05), 6)
    0.029513
    """
    _check_counts(trials, failures)
    level = check_real("level", level, above=0, below=1)
    if failures == trials:
        return 1.0
    if failures == 0:
        return -math.expm1(math.log(level) / trials)
    from scipy.special import betainccinv

    return float(betainccinv(failures + 1, trials - failures, level))


def share_interval(trials: int, failures: int, level: float, doubtful: int = 0) -> tuple[float, float]:
    """The failure probabilities that the evidence does not contradict, whenever one stopped drawing.

    Parameters
    ----------
    trials, failures, doubtful : int
        Doubtful ones are trials within rounding, which are not among the failures.
    level : float in (0, 1)
        At least the probability that the true one is never outside, each end erring with half of the rest.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> [round(p, 4) for p in share_interval(100, 3, 0.99)]
    [0.0008, 0.1408]
    """
    failed = failures + check_int("doubtful", doubtful, minimum=0)
    _check_counts(trials, failed)
    threshold = math.log(2 / (1 - check_real("level", level, above=0, below=1)))

    def end(contradicts: Callable[[float], bool], bad: float, good: float) -> float:
        for _ in range(60):
            middle = (bad + good) / 2
            bad, good = (middle, good) if contradicts(middle) else (bad, middle)
        return bad

    low = end(lambda p: log_e_refute(p, trials, failures) >= threshold, 0.0, failures / trials) if failures else 0.0
    high = (
        end(lambda p: log_e_support(p, trials, failed) >= threshold, 1.0, failed / trials) if failed < trials else 1.0
    )
    return low, high


@dataclass(frozen=True)
class BinomialVerdict:
    """What the trials so far say about ``P(failure) <= p``.

    Parameters
    ----------
    verdict : {"SUPPORTED", "REFUTED", "UNDECIDED"}
    p, alpha, claims
        As in `BinomialTest`.
    trials : int
    failures : int
        Trials that failed beyond rounding.
    doubtful : int
        Trials within rounding: held for the sake of REFUTED, failed for the sake of SUPPORTED.
    log_e_refute, log_e_support : float
        Evidence now.
    peak_refute, peak_support : float
        The largest evidence so far. The verdict compares these with `log_threshold`.
    log_threshold : float
        ``log(claims / alpha)``.
    upper : float
        Clopper-Pearson upper bound on P(failure) at level alpha/claims, doubtful trials counted as failures. For
        information, and exact only if the number of trials was fixed in advance: the verdict does not use it.
    """

    verdict: Decision
    p: float
    alpha: float
    claims: int
    trials: int
    failures: int
    doubtful: int
    log_e_refute: float
    log_e_support: float
    peak_refute: float
    peak_support: float
    log_threshold: float
    upper: float

    @property
    def reason(self) -> str:
        """One line for a person."""
        doubt = f" (and {self.doubtful} within rounding)" if self.doubtful else ""
        level = f"alpha = {self.alpha:g}" + (f" over {self.claims} claims" if self.claims > 1 else "")
        counts = f"{self.failures} of {self.trials} trials failed{doubt}"
        if self.verdict == "SUPPORTED":
            return f"{counts}: P(failure) <= {self.p:.4g} is supported at {level}"
        if self.verdict == "REFUTED":
            return f"{counts}: P(failure) <= {self.p:.4g} is refuted at {level}"
        return f"{counts}: undecided at {level}; P(failure) <= {self.upper:.4g} if this many trials were planned"


@dataclass(frozen=True)
class BinomialTest:
    """A sequential test of ``P(failure) <= p``.

    An immutable value: `record` and `extend` return the test with more trials, and the fields are all there is to
    store. Built from counts alone it judges as if one had looked only now, which is valid too.

    Parameters
    ----------
    p : float in [0, 1)
        The claimed bound. Where it carries a radius, pass its upper end. With p >= 1 the statement is VACUOUS and
        there is nothing to test.
    alpha : float in (0, 1)
        Error level of the run, for each direction.
    claims : int
        Claims that share alpha; the threshold is ``claims / alpha``.
    trials, failures, doubtful : int
        So far; doubtful are the trials within rounding, which are not among the failures.
    peak_refute, peak_support : float
        Largest log evidence so far.

    Raises
    ------
    InputError
        If an argument is out of range; for p >= 1 the message says VACUOUS.

    Examples
    --------
    >>> test = BinomialTest(0.05, alpha=0.01).extend(["HOLDS"] * 97)
    >>> test.decision, test.extend(["VIOLATED"] * 2).decision
    ('SUPPORTED', 'SUPPORTED')
    >>> BinomialTest(0.05, alpha=0.01, trials=40, failures=10).verdict().reason
    '10 of 40 trials failed: P(failure) <= 0.05 is refuted at alpha = 0.01'
    """

    p: float
    alpha: float
    claims: int = 1
    trials: int = 0
    failures: int = 0
    doubtful: int = 0
    peak_refute: float = 0.0
    peak_support: float = 0.0

    def __post_init__(self) -> None:
        _check_p(self.p)
        share(self.alpha, self.claims)
        _check_counts(self.trials, self.failures)
        check_int("doubtful", self.doubtful, minimum=0, maximum=self.trials - self.failures)
        for name in ("peak_refute", "peak_support"):
            if not getattr(self, name) >= 0:
                raise InputError(name, getattr(self, name), "a number >= 0 (the evidence starts at log 1)")

    def record(self, outcome: str) -> BinomialTest:
        """The test after one more trial.

        Parameters
        ----------
        outcome : {"HOLDS", "VIOLATED", "UNDECIDED"}
            UNDECIDED means within rounding.

        Raises
        ------
        InputError
            For any other outcome; an instance that is VACUOUS is no trial.
        """
        check_choice("outcome", outcome, OUTCOMES)
        trials, failures, doubtful = self.trials + 1, self.failures, self.doubtful
        refute, support = self.peak_refute, self.peak_support
        # evidence against P <= p grows by failures only, evidence against P >= p by successes only
        if outcome == "VIOLATED":
            failures += 1
            refute = max(refute, log_e_refute(self.p, trials, failures))
        elif outcome == "HOLDS":
            support = max(support, log_e_support(self.p, trials, failures + doubtful))
        else:
            doubtful += 1
        return replace(
            self, trials=trials, failures=failures, doubtful=doubtful, peak_refute=refute, peak_support=support
        )

    def extend(self, outcomes: Iterable[str]) -> BinomialTest:
        """The test after more trials, looked at after each; order them by trial number, not by who finished first."""
        test = self
        for outcome in outcomes:
            test = test.record(outcome)
        return test

    @property
    def decision(self) -> Decision:
        """The verdict alone; cheap enough to look at after every trial."""
        refute, support = self._peaks()
        if max(refute, support) < log_threshold(self.alpha, self.claims) or refute == support:
            return "UNDECIDED"
        return "REFUTED" if refute > support else "SUPPORTED"

    def verdict(self) -> BinomialVerdict:
        """The verdict with its numbers."""
        refute, support = self._peaks()
        return BinomialVerdict(
            verdict=self.decision,
            p=self.p,
            alpha=self.alpha,
            claims=self.claims,
            trials=self.trials,
            failures=self.failures,
            doubtful=self.doubtful,
            log_e_refute=log_e_refute(self.p, self.trials, self.failures),
            log_e_support=log_e_support(self.p, self.trials, self.failures + self.doubtful),
            peak_refute=refute,
            peak_support=support,
            log_threshold=log_threshold(self.alpha, self.claims),
            upper=clopper_pearson_upper(self.trials, self.failures + self.doubtful, share(self.alpha, self.claims)),
        )

    def _peaks(self) -> tuple[float, float]:
        return (
            max(self.peak_refute, log_e_refute(self.p, self.trials, self.failures)),
            max(self.peak_support, log_e_support(self.p, self.trials, self.failures + self.doubtful)),
        )
