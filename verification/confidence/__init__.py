r"""Verdicts about random experiments that stay valid when one peeks, stops early, resumes or extends.

Three kinds of statement are judged here, each by e-processes: nonnegative supermartingales that start at 1 under the
hypothesis they speak against, so that by Ville's inequality they ever reach 1/alpha with probability at most alpha.

- ``P(failure) <= p`` (`BinomialTest`): REFUTED by evidence against P <= p, SUPPORTED by evidence against P >= p.
- ``E[Z] = claimed`` for bounded Z (`MeanTest`): REFUTED by evidence against the claimed value, SUPPORTED by evidence
  against every mean that is `tolerance` or more away from it.
- several such statements at once, in particular a vector or a matrix identity (`joint`).

A test is a value: recording trials returns a new one, and its fields are all there is to store for resuming it.
Verdicts rest on the *running maximum* of each e-process, which Ville's inequality covers: a verdict that was once
reached is not lost by going on. Should contradicting evidence reach the threshold later, the larger peak decides; every
such rule is valid, because a wrong verdict still needs a peak beyond the threshold under a true hypothesis. Hence for
each statement a wrong REFUTED has probability at most alpha/claims, over all times together, and so has a wrong
SUPPORTED. Trials need not be independent: it suffices that the hypothesis holds for each trial given those before it.

The logarithms below are accurate to about 1e-12 times max(1, \|log e\|): the level is off by as much, relatively.

References
----------
.. [1] J. Ville, *Etude critique de la notion de collectif*, 1939.
.. [2] S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, *Time-uniform, nonparametric, nonasymptotic confidence
   sequences*, Annals of Statistics 49, 2021.
.. [3] I. Waudby-Smith, A. Ramdas, *Estimating means of bounded random variables by betting*, JRSS B 86, 2024.
.. [4] C. Loader, *Fast and accurate computation of binomial probabilities*, 2000 (deviance and Stirling terms).
"""

from __future__ import annotations

from .binomial import (
    BinomialTest,
    BinomialVerdict,
    clopper_pearson_upper,
    log_e_refute,
    log_e_support,
    share_interval,
    trials_to_support,
)
from .level import joint, share
from .mean import MeanTest, MeanVerdict

__all__ = [
    "BinomialTest",
    "BinomialVerdict",
    "MeanTest",
    "MeanVerdict",
    "clopper_pearson_upper",
    "joint",
    "log_e_refute",
    "log_e_support",
    "share",
    "share_interval",
    "trials_to_support",
]
