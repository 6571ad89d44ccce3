"""Verdicts under randomness: bad calls."""

from __future__ import annotations

import math

import pytest

from jacspec._checks import InputError
from verification.confidence import (
    BinomialTest,
    MeanTest,
    clopper_pearson_upper,
    joint,
    log_e_refute,
    log_e_support,
    share,
    trials_to_support,
)

MEAN = {"claimed": 0.5, "radius": 0.0, "low": 0.0, "high": 1.0, "alpha": 0.01, "tolerance": 0.1}

BAD_CALLS = [
    (lambda: share(0.0), "alpha: got 0.0; expected a finite number > 0 and < 1"),
    (lambda: share(1.0), "alpha: got 1.0"),
    (lambda: share(math.nan), "alpha: got nan"),
    (lambda: share(0.1, 0), "claims: got 0; expected an integer at least 1"),
    (lambda: share(0.1, 2.0), "claims: got 2.0"),
    (lambda: log_e_refute(1.0, 3, 1), "p: got 1.0; expected a failure probability in [0, 1); at p >= 1"),
    (lambda: log_e_support(math.inf, 3, 1), "p: got inf"),
    (lambda: log_e_support(-0.1, 3, 1), "p: got -0.1"),
    (lambda: log_e_refute("0.1", 3, 1), "p: got 0.1; expected a finite number"),
    (lambda: log_e_refute(True, 3, 1), "p: got True"),
    (lambda: log_e_refute(math.nan, 3, 1), "p: got nan"),
    (lambda: log_e_refute(0.1, -1, 0), "trials: got -1"),
    (lambda: log_e_refute(0.1, 3, 4), "failures: got 4; expected an integer at least 0 and at most 3"),
    (lambda: log_e_support(0.1, 3.5, 1), "trials: got 3.5"),
    (lambda: trials_to_support(2, 0.1), "p: got 2"),
    (lambda: trials_to_support(0.1, 0), "alpha: got 0.0"),
    (lambda: clopper_pearson_upper(3, 1, 0.0), "level: got 0.0"),
    (lambda: clopper_pearson_upper(1, 3, 0.1), "failures: got 3"),
    (lambda: BinomialTest(1.5, 0.01), "(VACUOUS)"),
    (lambda: BinomialTest(0.1, 1.5), "alpha: got 1.5"),
    (lambda: BinomialTest(0.1, 0.1, claims=-1), "claims: got -1"),
    (lambda: BinomialTest(0.1, 0.1, trials=2, failures=3), "failures: got 3"),
    (lambda: BinomialTest(0.1, 0.1, trials=3, failures=2, doubtful=2), "doubtful: got 2"),
    (lambda: BinomialTest(0.1, 0.1, peak_refute=math.nan), "peak_refute: got nan"),
    (lambda: BinomialTest(0.1, 0.1, peak_support=-1.0), "peak_support: got -1.0"),
    (lambda: BinomialTest(0.1, 0.1).record("VACUOUS"), "outcome: got 'VACUOUS'; expected one of HOLDS, VIOLATED"),
    (lambda: BinomialTest(0.1, 0.1).record(True), "outcome: got True"),
    (lambda: MeanTest(**{**MEAN, "low": math.nan}), "low: got nan"),
    (lambda: MeanTest(**{**MEAN, "high": 0.0}), "high: got 0.0"),
    (lambda: MeanTest(**{**MEAN, "claimed": 1.1}), "claimed: got 1.1; expected a finite number >= 0 and <= 1"),
    (lambda: MeanTest(**{**MEAN, "radius": -1.0}), "radius: got -1.0"),
    (lambda: MeanTest(**{**MEAN, "radius": 0.2}), "tolerance: got 0.1; expected a finite number > 0.2"),
    (lambda: MeanTest(**{**MEAN, "tolerance": 0.0}), "tolerance: got 0.0"),
    (lambda: MeanTest(**MEAN, claims=0), "claims: got 0"),
    (lambda: MeanTest(**MEAN, trials=3), "wealth: got 0 numbers"),
    (lambda: MeanTest(**MEAN, wealth=(1.0,)), "wealth: got 1 numbers"),
    (lambda: MeanTest(**MEAN, peaks=(0.0, math.nan, 0.0)), "peaks: got (0.0, nan, 0.0)"),
    (lambda: MeanTest(**MEAN).extend([0.5, math.nan]), "values: got nan at index 1"),
    (lambda: MeanTest(**MEAN).extend([[0.5]]), "values: got an array of shape (1, 1)"),
    (lambda: MeanTest(**MEAN).record(-0.5), "values: got -0.5 at index 0; expected statistics in [0, 1]"),
    (lambda: MeanTest(**MEAN).record(0.5, -1.0), "radii: got -1.0"),
    (lambda: MeanTest(**MEAN).extend([0.5, 0.5], [0.0]), "radii: got an array of shape (1,)"),
    (lambda: MeanTest(**MEAN).extend([0.5], math.inf), "radii: got inf"),
    (lambda: joint([]), "decisions: got none"),
    (lambda: joint(["HOLDS"]), "decisions: got 'HOLDS'"),
]


@pytest.mark.parametrize("call, message", BAD_CALLS, ids=[message for _, message in BAD_CALLS])
def test_bad_calls(call, message):
    with pytest.raises(InputError) as caught:
        call()
    assert message in str(caught.value)
