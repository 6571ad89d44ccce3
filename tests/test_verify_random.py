"""The runner of statements with probability: error levels, sharing between draws, planning, early stops."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from verification.chance import least_parameter, power_of_two, probability
from verification.claim import Claim, Kind, Mutant, Sides, Statistic, Variant, Verdict
from verification.confidence import BinomialTest
from verification.domains import initializations
from verification.instances import Instance, build_initialization
from verification.verify import Options, verify_claim
from verification.verify import random as runner

SPEC = {"n": 2, "d": 2, "rows": "sphere", "phi": "linear", "k": 2}


def specs():  # type: ignore[no-untyped-def]
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {"n": st.integers(1, 3), "d": st.integers(1, 3), "rows": st.just("sphere"), "k": st.sampled_from([2, 4])}
    )


def toy(claimed: float, actual: float, seen: list[Instance] | None = None) -> Claim:
    """P(failure) <= claimed, where W_0[0, 0] fails the statement with probability `actual`."""
    from scipy.special import ndtri

    level = float(ndtri(1 - actual)) if actual > 0 else math.inf

    def sides(instance: Instance, m) -> Mapping[str, Sides]:  # type: ignore[no-untyped-def]
        if seen is not None:
            seen.append(instance)
        return {"one": Sides(m.number(float(instance["W"][0, 0])), m.number(level))}

    return Claim(
        id="toy",
        title="toy",
        statement="",
        source="",
        kind=Kind.PROBABILITY,
        domain=initializations(("linear",), specs, ({"k": 2, "phi": "linear"},)),
        variants=(Variant("one", ""),),
        sides=sides,
        failure=lambda problem: {"one": claimed},
        extremal=(SPEC,),
    )


def test_true_and_false_probabilities() -> None:
    assert verify_claim(toy(0.2, 0.02), Options()).variants[0].verdict is Verdict.SUPPORTED
    (false,) = verify_claim(toy(0.02, 0.2), Options()).variants
    assert false.verdict is Verdict.REFUTED
    assert false.failures > 0
    assert false.claimed_failure == 0.02
    assert sum(d.failures for d in false.draws) == false.failures
    assert sum(d.trials for d in false.draws) == false.instances
    told = [d.to_json() for d in false.draws]
    assert all(d["claimed"] == 0.02 and d["low"] <= d["failures"] / d["trials"] <= d["high"] for d in told)
    assert any(d["low"] > 0.02 for d in told)


def test_a_certain_failure_probability_is_vacuous() -> None:
    (found,) = verify_claim(toy(1.0, 0.5), Options()).variants
    assert found.verdict is Verdict.VACUOUS
    assert "1 or more" in found.reason


def test_wrong_verdicts_are_rarer_than_alpha(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the boundary P = claimed, at a loose level so that errors would be seen: 30 runs at alpha = 0.1."""
    monkeypatch.setattr(runner, "_MOST_TRIALS", 100)
    verdicts = Counter(verify_claim(toy(0.3, 0.3), Options(alpha=0.1, seed=s)).variants[0].verdict for s in range(30))
    # Binomial(30, 0.1) exceeds 8 with probability 0.2 percent.
    assert verdicts[Verdict.REFUTED] <= 8


def test_level_is_shared_over_claims_problems_and_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def recording(p: float, alpha: float, claims: int) -> BinomialTest:
        made.append(claims)
        return BinomialTest(p, alpha, claims=claims)

    monkeypatch.setattr(runner, "BinomialTest", recording)
    claim = toy(0.3, 0.0)
    problems = len(runner._problems(claim, Options()))
    verify_claim(claim, Options(claims=7))
    assert made == [7 * problems] * problems


def test_draws_share_their_problem_and_nothing_else() -> None:
    seen: list[Instance] = []
    claim = toy(0.2, 0.01, seen)
    verify_claim(claim, Options(claims=3))
    by_problem: dict[int, list[Instance]] = {}
    for instance in seen:
        by_problem.setdefault(id(instance.problem), []).append(instance)
    assert len(by_problem) == len(runner._problems(claim, Options()))
    for draws in by_problem.values():
        assert len({i.trial for i in draws}) == len(draws) or len(draws) > 20
        assert len({float(i["W"][0, 0]) for i in draws}) == len({i.trial for i in draws})
        assert len({id(i.cache) for i in draws if i.trial > 0}) == len({i.trial for i in draws if i.trial > 0})
        assert "W" not in draws[0].problem.arrays


def test_what_a_draw_caches_stays_with_the_draw() -> None:
    """The bug to fear: a value of the first W_0 that is taken for that of every other."""
    values: list[float] = []

    def sides(instance: Instance, m) -> Mapping[str, Sides]:  # type: ignore[no-untyped-def]
        w = instance.once("w", lambda: float(instance["W"][0, 0]))
        assert w == instance["W"][0, 0]
        values.append(w)
        return {"one": Sides(m.number(0.0), m.number(1.0))}

    from dataclasses import replace

    verify_claim(replace(toy(0.3, 0.0), sides=sides), Options())
    assert len(set(values)) > 10


def test_constants_of_the_problem_cannot_see_the_draw() -> None:
    instance = build_initialization(SPEC, 5)
    with pytest.raises(KeyError):
        instance.problem["W"]
    assert instance.problem.problem is instance.problem
    assert instance.trial == 5


def test_weights_depend_on_seed_and_trial_only() -> None:
    one = build_initialization({**SPEC, "seed": 1}, 3)
    assert np.array_equal(one["W"], build_initialization({**SPEC, "seed": 1, "scale": 7.0}, 3)["W"])
    assert not np.array_equal(one["W"], build_initialization({**SPEC, "seed": 1}, 4)["W"])
    assert not np.array_equal(one["W"], build_initialization({**SPEC, "seed": 2}, 3)["W"])


def test_hypothesis_never_draws_the_seed() -> None:
    problems = runner._problems(toy(0.3, 0.0), Options(seed=42))
    assert {spec["seed"] for spec in problems} == {42}
    assert len({tuple(sorted(spec.items())) for spec in problems}) == len(problems)


def test_problems_do_not_depend_on_loaded_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis would draw constants from the source of whatever modules a process has loaded."""
    from hypothesis import strategies as st
    from hypothesis.internal.conjecture import providers

    claim = toy(0.3, 0.0)
    wide = st.fixed_dictionaries({f"x{i}": st.integers(-(10**9), 10**9) for i in range(30)})
    claim = replace(claim, domain=replace(claim.domain, specs=lambda: wide))
    expected = runner._problems(claim, Options())
    asked: list[int] = []
    mined = getattr(providers, "_get_local_constants", None)
    if mined is None:
        pytest.skip("this version of Hypothesis mines no constants")
    monkeypatch.setattr(providers, "_get_local_constants", lambda: asked.append(1) or mined())
    providers.CONSTANTS_CACHE.cache.clear()
    assert runner._problems(claim, Options()) == expected
    assert not asked


def test_large_problems_get_fewer_draws() -> None:
    small = build_initialization(SPEC)
    large = build_initialization({**SPEC, "n": 500, "d": 100, "k": 4000})
    test = BinomialTest(0.3, 0.01, claims=10)
    assert runner._planned([test], small) == runner._MOST_TRIALS
    assert runner._planned([test], large) < 200
    assert runner._planned([BinomialTest(1e-9, 0.01)], small) == runner._FEW_TRIALS
    assert runner._planned([], small) == 0


# -- expectations ---------------------------------------------------------------------------------------------------


def expectation(claimed: float) -> Claim:
    from jacspec.rounding import Estimate

    def statistics(instance: Instance) -> Mapping[str, list[Statistic]]:
        z = (instance["W"].ravel()[:4] > 0).astype(float)
        return {"one": [Statistic(z, 0.0, Estimate.exact(claimed), 0.0, 1.0, 0.1)]}

    return Claim(
        id="toy-mean",
        title="toy",
        statement="",
        source="",
        kind=Kind.MEAN,
        domain=initializations(("linear",), specs),
        variants=(Variant("one", ""),),
        sides=None,
        statistics=statistics,
        extremal=(SPEC,),
        mutants=(Mutant("far", "0.75", statistics=None),),
    )


def test_means() -> None:
    base = expectation(0.5)
    from dataclasses import replace

    claim = replace(base, domain=replace(base.domain, specs=lambda: _pinned()))
    (found,) = verify_claim(claim, Options()).variants
    assert found.verdict is Verdict.SUPPORTED
    assert {m.claimed for m in found.means} == {0.5}
    assert all(abs(m.mean - 0.5) < m.tolerance for m in found.means)
    off = replace(expectation(0.6), domain=claim.domain)
    assert verify_claim(off, Options()).variants[0].verdict is Verdict.REFUTED


def _pinned():  # type: ignore[no-untyped-def]
    from hypothesis import strategies as st

    return st.sampled_from([{**SPEC, "n": n} for n in (1, 2, 3)])


# -- pieces ---------------------------------------------------------------------------------------------------------


def test_least_parameter() -> None:
    assert least_parameter(lambda x: -x, math.exp(-2.5)) == pytest.approx(2.5, rel=1e-14)
    assert least_parameter(lambda x: -x, math.exp(-2.5), top=2.0) is None
    x = least_parameter(lambda x: -(x**2), 0.1, top=2.0)
    assert x is not None
    assert -(x**2) <= math.log(0.1)  # on the safe side


def test_probability_is_rounded_up() -> None:
    assert probability(math.log(0.3)) >= 0.3
    assert 0 < probability(-1e6) < 1e-300
    assert probability(3.0) == 1.0


def test_power_of_two() -> None:
    v = np.array([3e-200, -1e-201])
    unit = power_of_two(v)
    assert math.frexp(unit)[0] == 0.5
    assert np.array_equal(v / unit * unit, v)
    assert np.max(np.abs(v / unit)) <= 1
