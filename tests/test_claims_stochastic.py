"""Section 5, SGD: the claim, its mutants, the maps it runs on, known values by hand, a user's own X."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from jacspec.rounding import Estimate
from verification.arithmetic import Multiprecision
from verification.claim import FLOAT64, Kind, Verdict, check
from verification.claims.sgd_convergence import CLAIM, horizon
from verification.sampling import SGD, SampledMap, Waves, map_of, samples
from verification.sampling.problems import build
from verification.sampling.promise import EXPLICIT, SHARP, promise, state, unmet
from verification.verify import Options, verify_claim

RANDOM = [v.name for v in CLAIM.variants if v.kind is Kind.PROBABILITY]
NETWORK = {"n": 3, "d": 2, "rows": "sphere", "phi": "gelu", "k": 8, "v": "gaussian", "aim": "random", "seed": 5}
WAVES = {"shape": "random", "n": 3, "extra": 2, "bend": 0.5, "omega": 1.0, "aim": "random", "seed": 5}
SPECS = [NETWORK, WAVES]


def test_every_variant_holds_and_is_reproducible() -> None:
    options = Options(examples=60, seed=1, claims=30)
    report = verify_claim(CLAIM, options)
    for v in report.variants:
        assert v.verdict is (Verdict.SUPPORTED if v.name in RANDOM else Verdict.HOLDS), v
        assert v.decided >= CLAIM.floor * v.instances, v
    assert replace(verify_claim(CLAIM, options), seconds=0) == replace(report, seconds=0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mutant", CLAIM.mutants, ids=lambda mutant: mutant.name)
def test_false_neighbours_are_refuted(mutant, seed: int) -> None:
    (found,) = verify_claim(CLAIM.mutated(mutant), Options(seed=seed)).variants
    expected = Verdict.REFUTED if mutant.kind is Kind.PROBABILITY else Verdict.VIOLATED
    assert found.verdict is expected
    assert found.witness is not None


def test_on_a_users_rows() -> None:
    X = np.random.default_rng(5).standard_normal((12, 6))
    X /= np.linalg.norm(X, axis=1)[:, None]
    report = verify_claim(CLAIM, Options(X=X, claims=4))
    for v in report.variants:
        if "all paths" in v.name:  # 12 samples: too many paths
            assert v.verdict is Verdict.VACUOUS
        else:
            assert v.verdict is (Verdict.SUPPORTED if v.name in RANDOM else Verdict.HOLDS), v


def test_a_residual_below_rounding_is_vacuous_with_the_reason() -> None:
    """The hypothesis allows so little that labels at that distance from f(theta_0) cannot be told from it."""
    spec = {
        "shape": "parallel", "n": 3, "extra": 0, "bend": 3.0, "omega": 1.0, "narrow": 0.03, "turn": 0, "nu": 10.0,
        "weight": 0.5, "share": 0.01, "stride": 1.0, "aim": "random", "state": "start", "reach": 0.99, "chance": 0.1,
        "seed": 4294967295,
    }  # fmt: skip
    part = next(part for part in CLAIM.parts() if part.kind is Kind.UPPER)
    records = check(part, build(spec, 0))
    assert {r.verdict for r in records.values()} == {Verdict.VACUOUS}
    assert all("||r_0|| is" in r.reason and "not clearly positive" in r.reason for r in records.values())


def test_repeated_rows_are_vacuous_with_the_reason() -> None:
    X = np.array([[0.6, 0.8], [0.6, 0.8]])
    report = verify_claim(CLAIM, Options(X=X))
    assert {v.verdict for v in report.variants} == {Verdict.VACUOUS}
    assert all("sigma_min(J(theta_0))" in v.reason for v in report.variants)


# -- the maps -------------------------------------------------------------------------------------------------------


def value(f: SampledMap, theta: np.ndarray) -> np.ndarray:
    return f.outputs(theta[None])[0][0]


@pytest.mark.parametrize("spec", SPECS, ids=["network", "waves"])
def test_the_rows_are_the_derivatives_of_the_outputs(spec) -> None:
    f = map_of(build(spec), FLOAT64)
    h = 1e-6
    slopes = [(value(f, f.start + h * e) - value(f, f.start - h * e)) / (2 * h) for e in np.eye(f.p)]
    assert f.jacobian(f.start)[0] == pytest.approx(np.array(slopes).T, abs=1e-8)


@pytest.mark.parametrize("spec", SPECS, ids=["network", "waves"])
def test_constants_bound_what_is_seen(spec) -> None:
    f, rng = map_of(build(spec), FLOAT64), np.random.default_rng(0)
    c = f.constants()
    for _ in range(200):
        theta, other = 5 * rng.standard_normal((2, f.p))
        if rng.integers(2):
            other = theta + 1e-3 * other
        J, K = f.jacobian(theta)[0], f.jacobian(other)[0]
        assert np.linalg.norm(J, 2) <= c.beta
        assert np.max(np.linalg.norm(J, axis=1)) <= c.b
        assert np.linalg.norm(J - K, 2) <= c.L * np.linalg.norm(theta - other)


def test_the_constants_of_waves_are_attained() -> None:
    A = build(WAVES).arrays
    f = Waves(FLOAT64, A["C"], A["a"], A["omega"], A["h"], A["theta"])
    c, zero = f.constants(), np.zeros(f.p)
    J = f.jacobian(zero)[0]  # all slopes are largest at 0
    assert c.beta == pytest.approx(np.linalg.norm(J, 2), rel=1e-12)
    assert c.b == pytest.approx(np.max(np.linalg.norm(J, axis=1)), rel=1e-12)
    columns = np.linalg.norm(A["C"], axis=0) * A["a"] * A["omega"] ** 2
    i = int(np.argmax(columns))
    move = 1e-4 * np.eye(f.p)[i]
    straight = Waves(FLOAT64, A["C"], A["a"], A["omega"], zero, zero)
    here = math.pi / (2 * A["omega"][i]) * np.eye(f.p)[i]
    change = straight.jacobian(here + move)[0] - straight.jacobian(here - move)[0]
    assert np.linalg.norm(change, 2) / 2e-4 == pytest.approx(c.L, rel=1e-6)


# -- rounding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS, ids=["network", "waves"])
@pytest.mark.parametrize("form", [EXPLICIT, SHARP], ids=["explicit", "sharp"])
def test_float64_radii_contain_the_runs_and_steps_in_60_digits(spec, form) -> None:
    problem, precise = build(spec).problem, Multiprecision(60)
    given = promise(problem, form)
    i = samples(problem, 0, 40)[None]
    quick = given.sgd(problem, FLOAT64)
    found = [*quick.simulate(i, given.limits(quick)), *vars(quick.paths(3, given.limits(quick))).values()]
    step = quick.step(state(problem, form))
    with precise.working():
        sgd = given.sgd(problem, precise)
        exact = [*sgd.simulate(i, given.limits(sgd)), *vars(sgd.paths(3, given.limits(sgd))).values()]
        for ours, true in zip(found, exact, strict=True):
            for a, b in zip(ours, true, strict=True):
                assert Estimate.of(a).contains(b)
                assert Estimate.of(a).radius < 1e-6
        other = sgd.step(state(problem, form))
        for name in ("residual", "gradient", "distance"):
            assert getattr(step, name).contains(getattr(other, name))
        for name in ("residuals", "distances"):
            assert all(a.contains(b) for a, b in zip(getattr(step, name), getattr(other, name), strict=True))


# -- known values ---------------------------------------------------------------------------------------------------


def test_one_step_of_a_network_by_loops() -> None:
    instance = build(NETWORK)
    X, W, v, phi = instance["X"], instance["W"], instance["v"], instance.activation
    given = promise(instance.problem)
    step = given.sgd(instance.problem, FLOAT64).step(W.ravel())

    def residual(weights: np.ndarray) -> np.ndarray:
        return np.array([sum(v[u] * phi(x @ weights[u]) for u in range(len(v))) for x in X]) - given.labels

    r = residual(W)
    after = []
    for i, x in enumerate(X):
        moved = W.copy()
        for u in range(len(v)):
            moved[u] -= given.eta * r[i] * v[u] * phi.derivative(W[u] @ x) * x
        after.append(np.linalg.norm(residual(moved)))
    assert [e.value for e in step.residuals] == pytest.approx(after, rel=1e-9)
    assert step.mean_square().value == pytest.approx(np.mean(np.square(after)), rel=1e-9)


def test_the_explicit_numbers_are_those_of_the_theorem() -> None:
    problem = build({**NETWORK, "nu": 3.0}).problem
    g = promise(problem, EXPLICIT)
    sgd, c = g.sgd(problem, FLOAT64), g.constants
    limits, r0 = g.limits(sgd), g.r0(sgd).value
    assert g.alpha**2 == pytest.approx(8 * 3 * c.L * r0, rel=1e-5)
    assert g.eta == pytest.approx(min(4 * g.alpha**2 / (5 * c.b**2 * c.beta**2), 4 / (3 * c.b**2)), rel=1e-11)
    assert limits.distance.value == pytest.approx(8 * 3 * r0 / g.alpha)
    assert limits.residual.value == pytest.approx(2 * 3 * r0)
    assert limits.rate.value == pytest.approx(g.eta * g.alpha**2 / 3)
    assert g.start(sgd, limits.r0).value == pytest.approx(4 * r0 / g.alpha)
    assert unmet(problem) is None


def test_the_sharp_numbers_satisfy_the_conditions_of_the_proof() -> None:
    for w in (0.25, 0.5, 0.9):
        problem = build({**NETWORK, "nu": 3.0, "weight": w}).problem
        g = promise(problem, SHARP)
        sgd, c = g.sgd(problem, FLOAT64), g.constants
        r0 = g.r0(sgd).value
        q = g.eta * c.b**2 * (c.beta**2 + 2 * g.nu * c.L * r0) / g.alpha**2
        assert q / 2 + w + w**2 * g.nu * g.eta * c.b**2 == pytest.approx(1, rel=1e-11)
        distance = g.limits(sgd).distance.value
        assert sgd.f.sigma_min(sgd.f.start).value - c.L * distance == pytest.approx(g.alpha, rel=3e-3)
        own = promise(problem, EXPLICIT)
        nearer = own.r0(own.sgd(problem, FLOAT64)).value
        assert r0 / nearer == pytest.approx(4 * w, rel=1e-9)  # twice as far from the labels at w = 1/2


def test_a_run_on_one_sample_is_gradient_descent() -> None:
    """f(u) = u, r_0 = 1: r_t = (1 - eta)^t, the distance ends at 1, and nothing is drawn."""
    one = np.ones((1, 1))
    f = Waves(FLOAT64, one, np.zeros(1), np.ones(1), np.zeros(1), np.zeros(1))
    spec = {"shape": "orthogonal", "n": 1, "extra": 0, "bend": 0.0, "narrow": 1.0, "aim": "one", "turn": 0}
    given = promise(build(spec).problem, EXPLICIT)
    sgd = SGD(f, np.array([-1.0]), 0.25, f.constants())
    limits = given.limits(sgd)
    exits, decays = sgd.simulate(np.zeros((1, 50), dtype=np.int64), replace(limits, distance=Estimate.exact(2.0)))
    assert exits[0].value == pytest.approx(max(0.5 * (1 - 0.75**50), 1 / limits.residual.value), rel=1e-9)
    assert decays[0].contains(1.0)  # at t = 0
    paths = sgd.paths(3, limits)
    assert [x.value for x in paths.mean_squares] == pytest.approx([0.75 ** (2 * t) for t in (1, 2, 3)])


def test_paths_that_leave_no_longer_count() -> None:
    """Two independent samples, r_0 = (1, 1), eta = 1/2: the path that draws both has moved by sqrt(1/2)."""
    f = Waves(FLOAT64, np.eye(2), np.zeros(2), np.ones(2), np.zeros(2), np.zeros(2))
    sgd = SGD(f, np.array([-1.0, -1.0]), 0.5, f.constants())
    limits = promise(build(WAVES).problem).limits(sgd)
    near = replace(limits, distance=Estimate.exact(0.6), residual=Estimate.exact(10.0))
    paths = sgd.paths(2, near)
    assert [x.value for x in paths.exits] == pytest.approx([0, 1])  # both, or the same twice: 3/4
    assert [x.value for x in paths.mean_squares] == pytest.approx([1.25, 0])
    far = replace(near, distance=Estimate.exact(0.72))
    paths = sgd.paths(2, far)
    assert [x.value for x in paths.exits] == pytest.approx([0, 0.5])  # the same twice: 3/4
    assert [x.value for x in paths.mean_squares] == pytest.approx([1.25, 0.25])


# -- how tight ------------------------------------------------------------------------------------------------------


def test_the_sharp_contraction_and_the_one_step_bound_are_nearly_attained() -> None:
    """Linear, nearly parallel rows: the rate to 1 in 1,000, with q near 1."""
    found = check(CLAIM, build(CLAIM.extremal[0]))
    assert found["contraction, sharp"].slack == pytest.approx(1, abs=2e-3)
    assert found["one step"].slack == pytest.approx(1, abs=1e-3)
    # And at the rim of the region, where the least singular value has fallen to alpha.
    found = check(CLAIM, build(CLAIM.extremal[1]))
    assert found["sigma_min"].slack < 1.02
    assert found["contraction"].slack < 1.28
    assert found["contraction, sharp"].slack < 1.07


def test_the_sharp_decay_is_attained_and_the_exit_is_not() -> None:
    """Orthonormal rows, linear: ||r_t||^2/(1 - rate)^t is a martingale, so Ville's inequality is nearly an equality.

    No run comes near an exit: ||r|| never grows, and the distance ends at ||r_0||/sigma_0, 4 nu times below its limit.
    """
    spec = {"shape": "orthogonal", "n": 4, "extra": 0, "bend": 0.0, "narrow": 1.0, "nu": 2.0, "weight": 0.5}
    problem = build({**spec, "share": 1.0, "stride": 0.2, "aim": "one", "seed": 0}).problem
    given = promise(problem, SHARP)
    sgd = given.sgd(problem, FLOAT64)
    i = np.array([samples(problem, trial, 500) for trial in range(1000)])
    exits, decays = sgd.simulate(i, given.limits(sgd))
    assert max(x.upper for x in exits) <= 1 / (2 * given.nu) * (1 + 1e-9)
    for p in (0.5, 0.2):
        share = float(np.mean([x.value > 1 / p for x in decays]))
        assert 0.7 * p < share < p + 4 * math.sqrt(p * (1 - p) / 1000)


def test_samples_depend_on_seed_and_trial_alone() -> None:
    a, b = build({**WAVES, "nu": 2.0}, 3), build({**WAVES, "nu": 10.0}, 3)
    assert np.array_equal(samples(a, 3, 50), samples(b, 3, 50))
    assert not np.array_equal(samples(a, 3, 50), samples(a, 4, 50))
    assert horizon(build({**WAVES, "nu": 30.0})) < horizon(build(WAVES))
