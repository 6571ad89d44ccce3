"""Confidence: closed forms against quadrature, exact and simulated error rates under peeking, power, bad calls."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import special, stats

from jacspec._checks import InputError
from verification.confidence import (
    BinomialTest,
    MeanTest,
    clopper_pearson_upper,
    joint,
    log_e_refute,
    log_e_support,
    share,
    share_interval,
    trials_to_support,
)

ALPHA = 0.01
THRESHOLD = math.log(1 / ALPHA)
CAMPAIGNS = 10_000
#: More wrong verdicts than this have probability below 1e-6 if each campaign errs with probability ALPHA.
ALLOWED = int(stats.binom.isf(1e-6, CAMPAIGNS, ALPHA))


# -- naive references -----------------------------------------------------------------------------------------------


def naive_log_e(p, trials, failures, side):
    """The defining integral by quadrature in t, q = sin(t)^2, which turns Beta(1/2, 1/2) into the uniform law."""
    with mp.workdps(40):
        p = mp.mpf(p)
        edge = mp.asin(mp.sqrt(p))
        low, high = (edge, mp.pi / 2) if side == "refute" else (mp.mpf(0), edge)

        def exponent(s):
            t, value = low + (high - low) * s, mp.mpf(0)
            if failures:
                value += failures * (2 * mp.log(mp.sin(t)) - mp.log(p)) if t > 0 else -mp.inf
            if trials > failures:
                value += (trials - failures) * (2 * mp.log(mp.cos(t)) - mp.log1p(-p)) if t < mp.pi / 2 else -mp.inf
            return value

        mode = (mp.asin(mp.sqrt(mp.mpf(failures) / trials)) - low) / (high - low)
        mode = min(max(mode, mp.mpf(0)), mp.mpf(1))
        points, step = {mp.mpf(0), mode, mp.mpf(1)}, mp.mpf(1) / (4 * (trials + 1))
        while step < 1:
            points |= {s for s in (mode - step, mode + step) if 0 < s < 1}
            step *= 3
        top = exponent(mode)
        value = top + mp.log(mp.quad(lambda s: mp.exp(exponent(s) - top), sorted(points), method="gauss-legendre"))
        if side == "support":
            point = mp.exp(-trials * mp.log1p(-p)) if failures == 0 else 0
            value = mp.log((mp.exp(value) + point) / 2)
        return float(value)


def boundaries(p, horizon, alpha=ALPHA):
    """For m = 0..horizon: least x that refutes, largest x that supports (m + 1 and -1 where none does)."""
    threshold = math.log(1 / alpha)
    refute, support = [1], [-1]
    for m in range(1, horizon + 1):
        x = refute[-1]  # the boundary moves up by at most one a trial
        refute.append(x if x > m or log_e_refute(p, m, x) >= threshold else x + 1)
        x = support[-1] + 1
        support.append(x if x <= m and log_e_support(p, m, x) >= threshold else x - 1)
    return np.array(refute), np.array(support)


def naive_boundaries(p, horizon, alpha=ALPHA):
    """The same for somebody who compares p with fixed-sample Clopper-Pearson limits after every trial."""
    m = np.arange(horizon + 1)
    refute = stats.binom.isf(alpha, m, p).astype(int) + 1  # P(X >= x) <= alpha
    support = stats.binom.ppf(alpha, m, p).astype(int)
    support -= stats.binom.cdf(support, m, p) > alpha  # P(X <= x) <= alpha
    return refute, support


def exact_error(truth, refute, support):
    """Probabilities that the path of failure counts ever meets either boundary: a forward recursion over counts."""
    hit = []
    for crossed in (lambda m, x: x >= refute[m], lambda m, x: x <= support[m]):
        law, total = np.zeros(len(refute) + 1), 0.0
        law[0] = 1.0
        x = np.arange(len(law))
        for m in range(1, len(refute)):
            law[1:] = law[1:] * (1 - truth) + law[:-1] * truth
            law[0] *= 1 - truth
            stop = crossed(m, x) & (x <= m)
            total += law[stop].sum()
            law[stop] = 0.0
        hit.append(total)
    return hit


def simulated_errors(truth, refute, support, seed):
    """How many of the campaigns ever meet either boundary, when one looks after every trial."""
    rng, horizon = np.random.default_rng(seed), len(refute) - 1
    wrong = np.zeros(2, dtype=int)
    for _ in range(10):
        counts = (rng.random((CAMPAIGNS // 10, horizon)) < truth).cumsum(axis=1, dtype=np.int32)
        wrong += [(counts >= refute[1:]).any(axis=1).sum(), (counts <= support[1:]).any(axis=1).sum()]
    return wrong


# -- closed forms ---------------------------------------------------------------------------------------------------

CASES = [
    *[(p, m, x) for p in (1e-300, 1e-6, 0.01, 0.5, 1 - 2.0**-40) for m in (1, 40) for x in (0, 1, m // 2, m)],
    (5e-324, 10, 3), (0.01, 330, 0), (0.01, 330, 3), (0.01, 330, 4), (0.01, 330, 20), (1e-3, 3302, 0),
    (0.05, 5000, 250), (0.05, 5000, 251), (0.3, 5000, 1400), (0.3, 5000, 5000),
    (1e-300, 10**6, 2), (1e-6, 10**6, 0), (1e-6, 10**6, 1),
    (1e-6, 10**6, 9), (1e-3, 10**6, 1003), (0.3, 10**6, 0), (0.3, 10**6, 299_900), (0.5, 10**6, 500_000),
    (0.5, 10**6, 10**6), (0.999, 10**6, 999_100), (0.999, 10**6, 17),
]  # fmt: skip


@pytest.mark.parametrize("side, function", [("refute", log_e_refute), ("support", log_e_support)])
def test_closed_forms_are_the_integrals(side, function):
    worst = 0.0
    for case in CASES:
        expected = naive_log_e(*case, side)
        error = abs(function(*case) - expected) / max(1, abs(expected))
        worst = max(worst, error)
        assert error < 1e-12, (case, function(*case), expected)
    print(f"{side}: worst error of the log {worst:.1e}")


def test_closed_forms_agree_with_scipy_where_it_does_not_underflow():
    for p in (1e-4, 0.03, 0.5, 0.97):
        for m in (1, 7, 300):
            x = np.arange(m + 1)
            log_ratio = special.betaln(x + 0.5, m - x + 0.5) - np.log(np.pi) - x * np.log(p) - (m - x) * np.log1p(-p)
            for function, tail in ((log_e_refute, special.betaincc), (log_e_support, special.betainc)):
                mass = tail(x + 0.5, m - x + 0.5, p)
                with np.errstate(divide="ignore"):
                    spread = log_ratio + np.log(mass) - np.log(tail(0.5, 0.5, p))
                if function is log_e_support:
                    point = np.where(x == 0, -m * np.log1p(-p), -np.inf)
                    spread = np.logaddexp(spread, point) - np.log(2)
                usable = mass > 1e-290
                found = np.array([function(p, m, int(i)) for i in x])
                np.testing.assert_allclose(found[usable], spread[usable], rtol=0, atol=1e-9)


def test_limits_at_p_zero():
    for m in (0, 1, 5, 1000):
        assert log_e_refute(0.0, m, 0) == pytest.approx(log_e_refute(5e-324, m, 0), abs=1e-12)
        for x in {0, min(m, 1), m}:
            assert log_e_support(0.0, m, x) == pytest.approx(log_e_support(5e-324, m, x), abs=1e-12)
            assert log_e_support(0.0, m, x) <= 0
            assert log_e_refute(0.0, m, x) == math.inf or x == 0
    assert log_e_refute(5e-324, 10**6, 1) > 700  # a bound as small as that is refuted by one failure all the same


@st.composite
def counts(draw):
    m = draw(st.integers(0, 10**6) | st.integers(0, 50))
    return m, draw(st.integers(0, m) | st.integers(0, min(m, 5)))


probabilities = st.floats(1e-12, 1 - 1e-12) | st.floats(-300, -1).map(lambda e: 10.0**e)


@given(probabilities, counts())
def test_a_fair_game_at_p(p, count):
    """p e(x + 1) + (1 - p) e(x) = e: the property that makes the level what it is."""
    m, x = count
    for function in (log_e_refute, log_e_support):
        now = function(p, m, x)
        lost, held = function(p, m + 1, x + 1) - now, function(p, m + 1, x) - now
        # The logarithms are right to 1e-12 of their size (the module says so), and here two of them are subtracted.
        error = 1e-8 + 4e-12 * abs(now)
        assert math.log(p) + lost < error  # no outcome pays more than its price
        assert math.exp(math.log(p) + lost) + math.exp(math.log1p(-p) + held) == pytest.approx(1, abs=error)


@given(probabilities, counts())
def test_monotone(p, count):
    m, x = count
    slack = 1e-12 * max(1, abs(log_e_refute(p, m, x)), abs(log_e_support(p, m, x)))
    assert log_e_refute(p, m + 1, x) <= log_e_refute(p, m, x) + slack
    assert log_e_support(p, m + 1, x) >= log_e_support(p, m, x) - slack
    assume(x < m)
    assert log_e_refute(p, m, x + 1) >= log_e_refute(p, m, x) - slack
    assert log_e_support(p, m, x + 1) <= log_e_support(p, m, x) + slack


@given(probabilities, counts())
def test_never_both_at_once(p, count):
    assert min(log_e_refute(p, *count), log_e_support(p, *count)) <= 1e-9


# -- error rates of binomial verdicts -------------------------------------------------------------------------------

HORIZONS = [(0.5, 600), (0.1, 1000), (0.01, 2000)]


@pytest.mark.parametrize("p, horizon", HORIZONS)
def test_level_under_peeking_exactly(p, horizon):
    refuted, supported = exact_error(p, *boundaries(p, horizon))
    print(f"p = {p}, {horizon} looks: P(REFUTED) = {refuted:.5f}, P(SUPPORTED) = {supported:.5f}")
    assert 0.0005 < refuted <= ALPHA
    assert 0.0005 < supported <= ALPHA
    inside, _ = exact_error(0.8 * p, *boundaries(p, horizon))
    _, outside = exact_error(1.2 * p, *boundaries(p, horizon))
    assert inside < refuted
    assert outside < supported


@pytest.mark.parametrize("p, horizon", HORIZONS)
def test_level_under_peeking_by_simulation(p, horizon):
    wrong = simulated_errors(p, *boundaries(p, horizon), seed=20)
    naive = simulated_errors(p, *naive_boundaries(p, horizon), seed=20)
    print(f"p = {p}: wrong {wrong} of {CAMPAIGNS}, allowed {ALLOWED}; Clopper-Pearson with peeking {naive}")
    assert (wrong <= ALLOWED).all()
    assert (naive > 2 * ALLOWED).all()  # so this test can fail


def test_recording_is_meeting_a_boundary():
    """The class, trial by trial and with doubtful outcomes, against the two counts and the boundaries."""
    p, horizon = 0.1, 150
    refute, support = boundaries(p, horizon)
    rng, seen = np.random.default_rng(3), set()
    for truth in (0.0, 0.05, 0.1, 0.3) * 8:
        draws = rng.random(horizon)
        outcomes = np.where(draws < truth, "VIOLATED", np.where(draws < truth + 0.02, "UNDECIDED", "HOLDS"))
        sure, possible = (outcomes == "VIOLATED").cumsum(), (outcomes != "HOLDS").cumsum()
        test = BinomialTest(p, ALPHA)
        for m, outcome in enumerate(outcomes, start=1):
            test = test.record(str(outcome))
            refuted, supported = (sure[:m] >= refute[1 : m + 1]).any(), (possible[:m] <= support[1 : m + 1]).any()
            if refuted and supported:
                expected = "REFUTED" if test.peak_refute > test.peak_support else "SUPPORTED"
            else:
                expected = "REFUTED" if refuted else "SUPPORTED" if supported else "UNDECIDED"
            assert test.decision == expected
        seen.add(test.decision)
    assert seen == {"SUPPORTED", "REFUTED", "UNDECIDED"}


# -- binomial verdicts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha, expected", [(0.05, [65, 328, 3293]), (0.01, [97, 494, 4962])])
def test_trials_to_support(alpha, expected):
    for p, m in zip((0.05, 0.01, 1e-3), expected, strict=True):
        assert trials_to_support(p, alpha) == m
        assert naive_log_e(p, m - 1, 0, "support") < math.log(1 / alpha) <= naive_log_e(p, m, 0, "support")
        assert math.log(alpha) / math.log1p(-p) < m  # no test of level alpha can do with fewer trials than this
        assert BinomialTest(p, alpha).extend(["HOLDS"] * (m - 1)).decision == "UNDECIDED"
        assert BinomialTest(p, alpha).extend(["HOLDS"] * m).decision == "SUPPORTED"
        assert BinomialTest(p, alpha, trials=m).decision == "SUPPORTED"
    assert trials_to_support(0.01, ALPHA, claims=10) == trials_to_support(0.01, ALPHA / 10)
    assert trials_to_support(0.0, ALPHA) is None
    assert trials_to_support(5e-324, ALPHA) is None
    assert trials_to_support(1 - 1e-9, ALPHA) == 1
    assert trials_to_support(1e-12, ALPHA) == pytest.approx(trials_to_support(1e-6, ALPHA) * 1e6, rel=1e-5)


@pytest.mark.parametrize("p, trials", [(0.05, 1500), (0.01, 8000)])
def test_power_against_twice_and_half_the_probability(p, trials):
    bounds = boundaries(p, trials)
    refuted, _ = exact_error(2 * p, *bounds)
    _, supported = exact_error(p / 2, *bounds)
    print(f"p = {p}: within {trials} trials P(REFUTED | 2p) = {refuted:.4f}, P(SUPPORTED | p/2) = {supported:.4f}")
    assert refuted > 0.99
    assert supported > 0.75


def test_a_verdict_stays_until_stronger_evidence_contradicts_it():
    supported = BinomialTest(0.05, ALPHA).extend(["HOLDS"] * 97)
    assert supported.decision == "SUPPORTED"
    shaken = supported.extend(["VIOLATED"] * 4)
    assert log_e_support(0.05, shaken.trials, shaken.failures) < 0
    assert shaken.decision == "SUPPORTED"
    assert shaken.extend(["VIOLATED"] * 40).decision == "REFUTED"


def test_doubtful_trials_speak_for_nobody():
    assert BinomialTest(0.05, ALPHA, trials=200, doubtful=200).decision == "UNDECIDED"
    assert BinomialTest(0.05, ALPHA, trials=200, failures=200).decision == "REFUTED"
    assert BinomialTest(0.05, ALPHA, trials=200).decision == "SUPPORTED"
    verdict = BinomialTest(0.05, ALPHA, trials=200, failures=3, doubtful=5).verdict()
    assert verdict.log_e_refute == log_e_refute(0.05, 200, 3)
    assert verdict.log_e_support == log_e_support(0.05, 200, 8)
    assert verdict.upper == clopper_pearson_upper(200, 8, ALPHA)


def test_resuming_is_never_having_stopped():
    rng = np.random.default_rng(8)
    outcomes = [str(o) for o in rng.choice(["HOLDS", "VIOLATED", "UNDECIDED"], size=300, p=[0.9, 0.08, 0.02])]
    half = BinomialTest(0.05, ALPHA, claims=3).extend(outcomes[:137])
    again = BinomialTest(**json.loads(json.dumps(dataclasses.asdict(half))))
    assert again.extend(outcomes[137:]) == BinomialTest(0.05, ALPHA, claims=3).extend(outcomes)


def test_claims_share_the_level():
    one = BinomialTest(0.05, ALPHA, trials=97)
    many = BinomialTest(0.05, ALPHA, claims=20, trials=97)
    assert (one.decision, many.decision) == ("SUPPORTED", "UNDECIDED")
    assert many.verdict().log_threshold == pytest.approx(math.log(20 / ALPHA))
    assert share(ALPHA, 20) == ALPHA / 20


def test_p_zero_is_refuted_by_one_failure_and_never_supported():
    assert BinomialTest(0.0, ALPHA, trials=10**6).decision == "UNDECIDED"
    assert BinomialTest(0.0, ALPHA).extend(["UNDECIDED", "HOLDS"]).decision == "UNDECIDED"
    assert BinomialTest(0.0, ALPHA).extend(["HOLDS", "VIOLATED"]).decision == "REFUTED"


@given(st.integers(0, 3000), st.integers(0, 3000), st.floats(1e-6, 0.5))
def test_clopper_pearson_is_where_the_tail_is_the_level(trials, failures, level):
    failures = min(trials, failures)
    upper = clopper_pearson_upper(trials, failures, level)
    assert failures <= upper * trials or failures == trials
    if failures == trials:
        assert upper == 1
    else:
        assert stats.binom.cdf(failures, trials, upper) == pytest.approx(level, rel=1e-8)


@given(st.integers(1, 3000), st.integers(0, 3000), st.integers(0, 20), st.floats(0.5, 0.9999))
def test_an_interval_ends_where_the_evidence_begins(trials, failures, doubtful, level):
    failures = min(trials, failures)
    doubtful = min(doubtful, trials - failures)
    low, high = share_interval(trials, failures, level, doubtful)
    threshold = math.log(2 / (1 - level))
    assert 0 <= low <= failures / trials <= high <= 1
    if low > 0:
        assert log_e_refute(low, trials, failures) == pytest.approx(threshold, rel=1e-6)
    if high < 1:
        assert log_e_support(high, trials, failures + doubtful) == pytest.approx(threshold, rel=1e-6)
    assert (low == 0) == (failures == 0)
    assert (high == 1) == (failures + doubtful == trials)


def test_reasons_are_sentences():
    assert BinomialTest(0.05, ALPHA, trials=40, failures=10).verdict().reason == (
        "10 of 40 trials failed: P(failure) <= 0.05 is refuted at alpha = 0.01"
    )
    assert "supported at alpha = 0.01 over 2 claims" in BinomialTest(0.2, ALPHA, 2, trials=90).verdict().reason
    assert "(and 1 within rounding)" in BinomialTest(0.2, ALPHA, trials=2, doubtful=1).verdict().reason
    test = MeanTest(0.5, 0.0, 0.0, 1.0, ALPHA, 0.1)
    assert test.verdict().reason == "no trials: E = 0.5 to within 0.1 is undecided at alpha = 0.01"
    assert "is refuted" in test.extend(np.zeros(50)).verdict().reason
    assert "is supported to within 0.1" in test.extend(np.full(500, 0.5)).verdict().reason


def test_importing_costs_no_scipy():
    code = "import sys, verification.confidence as c; c.BinomialTest(0.1, 0.1).record('HOLDS').decision; " + (
        "sys.exit(any(name.split('.')[0] == 'scipy' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- means ----------------------------------------------------------------------------------------------------------

UNIT = {"radius": 0.0, "low": 0.0, "high": 1.0, "alpha": ALPHA}


def naive_wealth(z, edge, bets):
    return np.mean([np.prod(1 + b * (np.asarray(z) - edge)) for b in bets])


def test_evidence_is_the_average_wealth_of_the_bets():
    z = np.random.default_rng(5).uniform(size=30)
    test = MeanTest(claimed=0.4, tolerance=0.2, **UNIT)
    bets, means, slices = test._grid()
    now = test.extend(z)
    for part, edge, sign in zip(slices, (0.4, 0.4, 0.6, 0.2), (1, -1, -1, 1), strict=True):
        np.testing.assert_allclose(means[part], edge, rtol=1e-15)
        assert (bets[part] * sign > 0).all()
        assert (1 + bets[part] * (0 - edge) > 0).all()
        assert (1 + bets[part] * (1 - edge) > 0).all()
        wealth = np.exp(np.array(now.wealth)[part]).mean()
        assert wealth == pytest.approx(naive_wealth(z, edge, bets[part]), rel=1e-12)
    paths = [
        (naive_wealth(z[:m], 0.4, bets[slices[0]]) + naive_wealth(z[:m], 0.4, bets[slices[1]])) / 2
        for m in range(len(z) + 1)
    ]
    assert now.peaks[0] == pytest.approx(math.log(max(paths)), abs=1e-12)


@pytest.mark.parametrize("claimed, truth", [(0.3, 0.3), (0.5, 0.3), (0.5, 0.7)])
def test_level_of_mean_verdicts_under_peeking(claimed, truth):
    """REFUTED is wrong where the mean is claimed, SUPPORTED is wrong where the claim is a tolerance away from it."""
    rng, horizon, tolerance = np.random.default_rng(11), 250, 0.2
    test, wrong, naive = MeanTest(claimed=claimed, tolerance=tolerance, **UNIT), 0, 0
    bad = "REFUTED" if claimed == truth else "SUPPORTED"
    trials = np.arange(1, horizon + 1)
    for _ in range(CAMPAIGNS):
        z = (rng.random(horizon) < truth).astype(float)
        now = test.extend(z)
        if bad == "REFUTED":
            wrong += now.peaks[0] >= THRESHOLD
        else:
            wrong += now._support() >= THRESHOLD
        mean = z.cumsum() / trials  # naive: a 99 % z-interval after every trial from the 30th on
        half = 2.5758 * math.sqrt(truth * (1 - truth)) / np.sqrt(trials)
        distance = np.abs(mean - claimed)
        naive += (((distance > half) if bad == "REFUTED" else (distance + half < tolerance))[29:]).any()
    print(f"claimed {claimed}, mean {truth}: wrongly {bad} {wrong} of {CAMPAIGNS}, allowed {ALLOWED}; naive {naive}")
    assert wrong <= ALLOWED
    assert wrong > 0
    assert naive > 2 * ALLOWED  # so this test can fail


@pytest.mark.parametrize("deviation, tolerance", [(0.5, 0.05), (0.1, 0.02), (0.01, 0.01), (0.0, 0.01)])
def test_power_of_mean_verdicts(deviation, tolerance):
    rng = np.random.default_rng(2)
    trials = math.ceil(4 * math.log(20 / ALPHA) * (deviation**2 / tolerance**2 + 1 / tolerance))
    campaigns, supported, refuted = 100, 0, 0
    for _ in range(campaigns):
        z = 0.5 + deviation * rng.choice([-1.0, 1.0], size=trials)
        supported += MeanTest(claimed=0.5, tolerance=tolerance, **UNIT).extend(z)._support() >= THRESHOLD
        refuted += MeanTest(claimed=0.5 + 2 * tolerance, tolerance=tolerance, **UNIT).extend(z).decision == "REFUTED"
    print(f"deviation {deviation}, tolerance {tolerance}, {trials} trials: {supported} and {refuted} of {campaigns}")
    assert supported >= 97
    assert refuted >= 97


@given(st.lists(st.floats(-2, 3), min_size=1, max_size=12), st.integers(0, 12), st.floats(-2, 3), st.floats(0, 8))
def test_mean_test_is_a_value(values, cut, claimed, radius):
    """The same bits in one call, in two, through JSON and one by one; wealth stays finite whatever the radius is."""
    test = MeanTest(claimed, radius, -2.0, 3.0, ALPHA, radius + 0.5)
    whole = test.extend(values)
    part = json.loads(json.dumps(dataclasses.asdict(test.extend(values[:cut]))))
    resumed = MeanTest(**{k: tuple(v) if isinstance(v, list) else v for k, v in part.items()})
    assert resumed.extend(values[cut:]) == whole
    assert np.isfinite(whole.wealth).all()
    single = test
    for value in values:
        single = single.record(value)
    assert single == whole
    np.testing.assert_allclose(test.extend(values[::-1]).wealth, whole.wealth, rtol=1e-9, atol=1e-12)


def test_chunks_do_not_show():
    z = np.random.default_rng(1).uniform(size=9000)
    test = MeanTest(claimed=0.5, tolerance=0.1, **UNIT)
    assert test.extend(z) == test.extend(z[:10]).extend(z[10:5000]).extend(z[5000:])


def test_radii_weaken_every_verdict():
    z = np.random.default_rng(4).uniform(size=400)
    test = MeanTest(claimed=0.5, tolerance=0.1, **UNIT)
    exact, rounded, blind = test.extend(z), test.extend(z, 1e-3), test.extend(z, np.full(400, 2.0))
    assert all(a >= b for a, b in zip(exact.peaks, rounded.peaks, strict=True))
    assert rounded.decision == exact.decision == "SUPPORTED"
    assert blind.peaks == (0, 0, 0)
    wide = MeanTest(claimed=0.5, tolerance=0.1, **{**UNIT, "radius": 0.05}).extend(z)
    assert all(a >= b for a, b in zip(exact.peaks, wide.peaks, strict=True))
    assert MeanTest(0.45, 0.0, 0.0, 1.0, ALPHA, 0.3).extend(np.full(3000, 0.5)).decision == "REFUTED"
    assert MeanTest(0.45, 0.0501, 0.0, 1.0, ALPHA, 0.3).extend(np.full(3000, 0.5)).decision == "SUPPORTED"


def test_a_statistic_may_exceed_its_bounds_by_its_radius_only():
    test = MeanTest(claimed=0.5, tolerance=0.1, **UNIT)
    assert test.record(1 + 1e-13, 1e-12).trials == 1
    with pytest.raises(InputError, match=r"values: got 1\.5 at index 1; expected statistics in \[0, 1\]"):
        test.extend([0.5, 1.5])


def test_a_tolerance_wider_than_the_bounds_needs_no_trials():
    assert MeanTest(0.5, 0.0, 0.0, 1.0, ALPHA, 0.6).decision == "SUPPORTED"
    assert MeanTest(0.5, 0.0, 0.0, 1.0, ALPHA, 0.4).decision == "UNDECIDED"


def test_a_matrix_identity_through_fixed_vectors():
    """E[J J^T] = ||v||^2 Sigma for ReLU, unit by unit; the same with an arccos kernel that is 5 % off is refuted."""
    rng = np.random.default_rng(6)
    n, units = 3, 20_000
    X = rng.standard_normal((n, 4))
    X /= np.linalg.norm(X, axis=1)[:, None]
    rho = np.clip(X @ X.T, -1, 1)
    sigma = (0.5 - np.arccos(rho) / (2 * np.pi)) * rho
    active = (rng.standard_normal((units, 4)) @ X.T > 0).astype(float)
    eye = np.eye(n)
    vectors = [*eye, *((eye[i] + eye[j]) / math.sqrt(2) for i in range(n) for j in range(i))]
    for factor, expected in ((1.0, "SUPPORTED"), (1.05, "REFUTED")):
        decisions = []
        for u in vectors:
            z = (((active * u) @ X) ** 2).sum(axis=1)
            high = min(np.linalg.norm(X, 2), np.abs(u).sum()) ** 2 * (1 + 1e-12)
            claimed = factor * float(u @ sigma @ u)
            test = MeanTest(claimed, 1e-12, 0.0, high, ALPHA, 0.03, claims=len(vectors))
            decisions.append(test.extend(z, 1e-13).decision)
        assert joint(decisions) == expected


def test_joint():
    assert joint(["SUPPORTED"] * 3) == "SUPPORTED"
    assert joint(["SUPPORTED", "UNDECIDED"]) == "UNDECIDED"
    assert joint(iter(["UNDECIDED", "REFUTED", "SUPPORTED"])) == "REFUTED"
