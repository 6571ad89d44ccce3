"""Gradient descent on known maps: intervals, maps, runs with radii, the worst step, instances."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import naive
import numpy as np
import pytest

from jacspec import InputError, activation
from jacspec.rounding import Estimate
from verification.arithmetic import Multiprecision
from verification.claim import FLOAT64, Kind, _compare
from verification.domains import SMOOTH_ACTIVATIONS
from verification.dynamics import (
    Intervals,
    Map,
    Network,
    PiecewiseLinear,
    Quadratic,
    Reflection,
    Run,
    descend,
    descents,
    mapping,
    problem,
    told,
    worst_step,
)
from verification.dynamics.problems import build, with_rows
from verification.search.coordinates import Coordinates

PRECISE = Multiprecision(60)
ACTIVATIONS = ("relu", "leaky_relu", *SMOOTH_ACTIVATIONS)


def quadratic(m: Any, turn: int = 0, seed: int = 0, n: int = 3, p: int = 5, reflect: bool = True) -> Quadratic:
    rng = np.random.default_rng(seed)
    sigma, c = rng.uniform(0.3, 1.5, n), rng.uniform(-1, 1, n)
    left, right = rng.standard_normal(n), rng.standard_normal(p)
    return Quadratic(m, sigma, c, left * reflect, right * reflect, turn)


def piecewise(m: Any, seed: int = 0, n: int = 3, p: int = 4, reflect: bool = True) -> PiecewiseLinear:
    rng = np.random.default_rng(seed)
    sigma, jump, kink = rng.uniform(0.5, 1.5, n), rng.uniform(-0.3, 0.3, n), rng.uniform(-0.5, 0.5, n)
    left, right = rng.standard_normal(n), rng.standard_normal(p)
    return PiecewiseLinear(m, sigma, jump, kink, left * reflect, right * reflect)


def network(m: Any, phi: str, seed: int = 0, n: int = 3, d: int = 3, k: int = 6, optimal: bool = True) -> Network:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    X /= np.linalg.norm(X, axis=1)[:, None]
    W, v = rng.standard_normal((k, d)), rng.standard_normal(k) / math.sqrt(k)
    return Network(m, X, W, v, activation(phi), optimal)


MAPS: dict[str, Any] = {
    "quadratic": quadratic,
    "turned": lambda m, seed=0: quadratic(m, 1, seed),
    "plain": lambda m, seed=0: quadratic(m, 0, seed, reflect=False),
    "piecewise": piecewise,
    **{phi: (lambda m, seed=0, phi=phi: network(m, phi, seed)) for phi in ACTIVATIONS},
}


def distance(a: Any, b: Any) -> float:
    """Of a 60-digit array and a float64 one."""
    with PRECISE.working():
        return float(PRECISE.norm(np.asarray(a) - PRECISE.matrix(b)))


# -- intervals ------------------------------------------------------------------------------------------------------


def test_intervals_enclose_exact_results() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(200) * 10.0 ** rng.integers(-8, 8, 200) for _ in range(2))
    x, y = Intervals.around(a, abs(a) * 1e-3), Intervals.around(b, abs(b) * 1e-2)
    results = {
        "sum": (x + y, lambda p, q: p + q),
        "difference": (x - y, lambda p, q: p - q),
        "product": (x * y, lambda p, q: p * q),
        "quotient": (x / y, lambda p, q: p / q),
        "square": (x**2, lambda p, q: p * p),
        "cube of the modulus": (Intervals.of(abs(a)) ** 3, lambda p, q: abs(p) ** 3),
        "from a number": (2 - x, lambda p, q: 2 - p),
    }
    for name, (found, exact) in results.items():
        for i in range(len(a)):
            for s, t in ((0, 0), (Fraction(1, 1000), Fraction(-1, 100)), (Fraction(-1, 1000), Fraction(1, 100))):
                if name == "cube of the modulus":
                    s = Fraction(0)
                p, q = Fraction(a[i]) * (1 + s), Fraction(b[i]) * (1 + t)
                # The ends are `value -+ radius` of rounded products: stay a little inside.
                p, q = (Fraction(z) + (w - Fraction(z)) * Fraction(999, 1000) for z, w in ((a[i], p), (b[i], q)))
                assert Fraction(found.lower[i]) <= exact(p, q) <= Fraction(found.upper[i]), name


def test_intervals_round_outward_and_keep_exact_zeros() -> None:
    x = Intervals.of(np.array([0.1, 3.0]))
    total = x + x * 2
    assert np.all(total.lower < total.upper)
    assert Fraction(total.lower[0]) < 3 * Fraction(0.1) < Fraction(total.upper[0])
    nothing = Intervals.of(0.0) * x
    assert np.all(nothing.lower == 0)
    assert np.all(nothing.upper == 0)
    open_ = x / Intervals(-1.0, 1.0)
    assert np.all(open_.lower == -math.inf)
    assert np.all(open_.upper == math.inf)
    assert math.isinf(open_[0].estimate().radius)


def test_roots_powers_and_sums_of_intervals() -> None:
    x = Intervals(np.array([0.0, 2.0]), np.array([0.0, 2.0]))
    root = x**0.5
    assert root.lower[0] == 0
    assert root.lower[1] < math.sqrt(2) < root.upper[1] or root.lower[1] <= math.sqrt(2) <= root.upper[1]
    powers = Intervals.of(0.9) ** np.arange(1, 50)
    for t in range(1, 50):
        assert Fraction(powers.lower[t - 1]) <= Fraction(0.9) ** t <= Fraction(powers.upper[t - 1])
    parts = np.full(40, 0.1)
    sums = Intervals.of(parts).cumulative()
    assert len(sums) == 41
    assert all(Fraction(sums.lower[t]) <= t * Fraction(0.1) <= Fraction(sums.upper[t]) for t in range(41))


# -- maps -----------------------------------------------------------------------------------------------------------


def test_reflections_are_orthogonal_for_every_vector() -> None:
    w = np.array([1e-3, -2.0, 0.7])
    with PRECISE.working():
        H = Reflection(PRECISE, w)(PRECISE.matrix(np.eye(3)))
        assert float(PRECISE.norm(H @ H.T - PRECISE.matrix(np.eye(3)))) < 1e-57
        assert float(PRECISE.norm(H @ PRECISE.matrix(w) + PRECISE.matrix(w))) < 1e-57
    x = np.array([0.3, 0.1, -5.0])
    assert Reflection(FLOAT64, np.zeros(3))(x) is x
    assert Reflection(FLOAT64, np.zeros(3)).error == 0
    with PRECISE.working():
        exact = Reflection(PRECISE, w)(PRECISE.matrix(x))
    near = Reflection(FLOAT64, w)
    assert distance(exact, near(x)) <= near.error * np.linalg.norm(x) < 1e-13


@pytest.mark.parametrize("name", MAPS)
def test_values_and_jacobians_lie_within_their_radii_which_are_narrow(name: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng([seed, 1])
        f = MAPS[name](FLOAT64, seed=seed)
        theta = f.start + 0.3 * rng.standard_normal(f.p)
        other = theta + 10.0 ** -rng.integers(0, 6) * rng.standard_normal(f.p)
        with PRECISE.working():
            g = MAPS[name](PRECISE, seed=seed)
            exact = PRECISE.matrix(theta), PRECISE.matrix(other)
            pairs = [
                (f.value(theta), g.value(exact[0])),
                (f.jacobian(theta), g.jacobian(exact[0])),
                (f.mean_jacobian(theta, other), g.mean_jacobian(*exact)),
            ]
            for (ours, radius), (theirs, zero) in pairs:
                assert zero == 0
                assert distance(theirs, ours) <= radius
            for ours, theirs in zip(f.singular_values(theta), g.singular_values(exact[0]), strict=True):
                assert ours.contains(float(theirs))
        assert pairs[0][0][1] < 1e-13
        assert pairs[1][0][1] < 1e-13


@pytest.mark.parametrize("name", MAPS)
def test_the_mean_jacobian_carries_f_from_one_point_to_another(name: str) -> None:
    """f(theta') - f(theta) = Jbar (theta' - theta), across kinks as well."""
    for seed in range(4):
        with PRECISE.working():
            f = MAPS[name](PRECISE, seed=seed)
            rng = np.random.default_rng([seed, 2])
            theta = PRECISE.matrix(0.2 * rng.standard_normal(f.p)) + f.start
            other = theta + PRECISE.matrix(rng.standard_normal(f.p))
            moved = f.value(other)[0] - f.value(theta)[0]
            assert float(PRECISE.norm(moved - f.mean_jacobian(theta, other)[0] @ (other - theta))) < 1e-50


@pytest.mark.parametrize("name", MAPS)
def test_the_jacobian_is_the_derivative(name: str) -> None:
    with PRECISE.working():
        f = MAPS[name](PRECISE)
        rng = np.random.default_rng(3)
        theta, u = PRECISE.matrix(0.2 * rng.standard_normal(f.p)) + f.start, PRECISE.matrix(rng.standard_normal(f.p))
        h = PRECISE.number(1e-20)
        slope = (f.value(theta + u * h)[0] - f.value(theta - u * h)[0]) / (2 * h)
        assert float(PRECISE.norm(slope - f.jacobian(theta)[0] @ u)) < 1e-17


def test_a_network_is_the_network() -> None:
    for phi in ("tanh", "relu", "gelu"):
        f = network(FLOAT64, phi)
        W = f.start.reshape(f.k, -1)
        expected = naive.ACTIVATIONS[phi][0](f.X @ W.T) @ f.v
        assert f.value(f.start)[0] == pytest.approx(expected, rel=1e-13)
        D = naive.ACTIVATIONS[phi][1](f.X @ W.T) * f.v
        assert f.jacobian(f.start)[0] == pytest.approx(naive.khatri_rao(D, f.X), rel=1e-12, abs=1e-15)


def test_constants_of_the_quadratic_map_are_exact() -> None:
    for turn in (0, 1):
        f = quadratic(FLOAT64, turn)
        L = f.lipschitz()
        assert (L.value, L.radius) == (float(np.max(abs(f.c))), 0.0)
        ratios, norms = [], []
        rng = np.random.default_rng(1)
        for _ in range(300):
            a, b = rng.standard_normal((2, f.p)) * 0.5
            ratios.append(np.linalg.norm(f.jacobian(a)[0] - f.jacobian(b)[0], 2) / np.linalg.norm(a - b))
            norms.append(np.linalg.norm(f.jacobian(a)[0], 2) - f.norm_within(FLOAT64.number(np.linalg.norm(a))).value)
        assert max(ratios) <= L.value * (1 + 1e-12)
        assert max(norms) <= 1e-12
        # Both are attained where only the coordinate of the largest curvature moves.
        j = int(np.argmax(abs(f.c)))
        step = f.V(np.eye(f.p)[(j + f.turn) % f.n])
        moved = f.jacobian(step)[0] - f.jacobian(f.start)[0]
        assert np.linalg.norm(moved, 2) == pytest.approx(L.value, rel=1e-13)
    one = Quadratic(FLOAT64, [2.0], [0.5], [0.0], [0.0])
    assert one.norm_within(FLOAT64.number(3.0)).contains(3.5)
    assert np.linalg.norm(one.jacobian(np.array([-3.0]))[0]) == 3.5


def test_constants_of_the_piecewise_linear_map() -> None:
    # 2 phi - 0.5 |phi - 1|: slope 2.5 before the kink at 1, 1.5 beyond.
    f = PiecewiseLinear(FLOAT64, [2.0], [-0.5], [1.0], [0.0], [0.0])
    assert f.jacobian(np.array([0.0]))[0].item() == 2.5
    assert f.jacobian(np.array([1.0]))[0].item() == 2.5  # from the left
    assert f.jacobian(np.array([1.5]))[0].item() == 1.5
    assert f.mean_jacobian(np.array([0.5]), np.array([1.5]))[0].item() == pytest.approx(2.0, rel=1e-15)
    assert f.norm_within(FLOAT64.number(0.9)).value == 2.5
    assert f.jump_within(FLOAT64.number(0.9)).value == 0
    assert f.jump_within(FLOAT64.number(1.0)).value == 1.0
    assert f.clear(np.array([0.5]), 0.4)
    assert not f.clear(np.array([0.5]), 0.6)
    at_start = PiecewiseLinear(FLOAT64, [2.0], [0.5], [0.0], [0.0], [0.0])
    assert at_start.jacobian(at_start.start)[0].item() == 1.5
    assert at_start.clear(at_start.start, 0.0)
    assert at_start.norm_within(FLOAT64.number(0.1)).value == 2.5
    assert f.lipschitz() is None


def test_constants_of_networks() -> None:
    rng = np.random.default_rng(4)
    for phi in ("tanh", "gelu", "elu"):
        tight, wide = network(FLOAT64, phi), network(FLOAT64, phi, optimal=False)
        assert tight.lipschitz().upper <= wide.lipschitz().upper * (1 + 1e-12)
        for _ in range(100):
            a, b = tight.start + 0.3 * rng.standard_normal((2, tight.p))
            moved = np.linalg.norm(tight.jacobian(a)[0] - tight.jacobian(b)[0], 2)
            assert moved <= tight.lipschitz().upper * np.linalg.norm(a - b)
            J = tight.jacobian(a)[0]
            assert np.linalg.norm(J, 2) <= tight.norm_within(FLOAT64.number(1.0)).upper
            assert np.max(np.linalg.norm(J, axis=1)) <= tight.row_norm().upper * (1 + 1e-14)


def test_jumps_of_relu_networks_are_counted() -> None:
    # x = 1, w = (1, 2, -3): within R the units flip whose squares sum to at most R^2.
    f = Network(FLOAT64, [[1.0]], np.array([[1.0], [2.0], [-3.0]]), [1.0, -1.0, 1.0], activation("relu"))
    for radius, flips in ((0.9, 0), (1.1, 1), (2.3, 2), (3.8, 3)):
        assert f.flips_within(FLOAT64.number(radius)) == flips
        assert f.jump_within(FLOAT64.number(radius)).contains(math.sqrt(flips))
    rng = np.random.default_rng(5)
    g = network(FLOAT64, "relu", k=12)
    for _ in range(200):
        step = rng.standard_normal(g.p)
        step *= rng.uniform(0, 1.5) / np.linalg.norm(step)
        moved = np.linalg.norm(g.jacobian(g.start + step)[0] - g.jacobian(g.start)[0], 2)
        assert moved <= g.jump_within(FLOAT64.number(float(np.linalg.norm(step)))).upper


def test_more_rows_than_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="n <= p"):
        Quadratic(FLOAT64, [1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0])


# -- runs -----------------------------------------------------------------------------------------------------------


def linear(m: Any = FLOAT64, sigma: float = 0.5) -> Map:
    return Quadratic(m, [sigma], [0.0], [0.0], [0.0])


def test_a_run_by_hand() -> None:
    # f = theta/2, y = 1, eta = 1: r_t = -(3/4)^t, steps (3/4)^t / 2, path 2 (1 - (3/4)^t).
    r = descend(linear(), np.array([1.0]), 1.0, 6)
    assert r.steps == 6
    assert r.complete
    for t in range(7):
        assert r.residual_norms[t].estimate().contains(0.75**t)
        assert r.gradient_norms[t].estimate().contains(0.5 * 0.75**t)
        assert r.path[t].estimate().contains(2 * (1 - 0.75**t))
        assert r.distances[t].estimate().contains(2 * (1 - 0.75**t))
        assert r.sigma_min[t].estimate().contains(0.5)
    assert all(r.mean_rates[t].estimate().contains(0.25) for t in range(6))
    assert list(r.times) == [1, 2, 3, 4, 5, 6]
    assert np.all(r.mean_changes.upper < 1e-14)


@pytest.mark.parametrize("name", MAPS)
def test_the_exact_run_lies_within_the_radii_of_the_computed_one(name: str) -> None:
    for seed in range(2):
        f = MAPS[name](FLOAT64, seed=seed)
        y = f.value(f.start)[0] + 0.2 * np.random.default_rng([seed, 6]).standard_normal(f.n)
        ours = descend(f, y, 0.3, 15)
        with PRECISE.working():
            exact = descend(MAPS[name](PRECISE, seed=seed), y, 0.3, 15)
            assert ours.complete
            assert exact.complete
            assert ours.steps == exact.steps
            for t in range(ours.steps + 1):
                assert distance(exact.thetas[t], ours.thetas[t]) <= ours.drift[t]
                assert distance(exact.residuals[t], ours.residuals[t]) <= ours.residual_errors[t]
                assert distance(exact.gradients[t], ours.gradients[t]) <= ours.gradient_errors[t]
            series = ("residual_norms", "gradient_norms", "path", "distances", "norms", "sigma_min", "mean_rates")
            for which in (*series, "mean_changes", "step_lengths"):
                near, true = getattr(ours, which), getattr(exact, which)
                assert len(near) == len(true)
                for t in range(len(near)):
                    assert near.lower[t] <= true[t] <= near.upper[t], (which, t)
        assert ours.drift[-1] < 1e-11


def test_long_steps_let_rounding_grow_and_the_radii_with_it() -> None:
    f = Quadratic(FLOAT64, [1.0, 0.5], [0.3, 0.0], [0.0, 0.0], [0.0, 0.0])
    ours = descend(f, np.array([0.1, 0.1]), 2.1, 40)
    with PRECISE.working():
        g = Quadratic(PRECISE, [1.0, 0.5], [0.3, 0.0], [0.0, 0.0], [0.0, 0.0])
        exact = descend(g, np.array([0.1, 0.1]), 2.1, 40)
        assert all(distance(exact.thetas[t], ours.thetas[t]) <= ours.drift[t] for t in range(ours.steps + 1))
    assert ours.drift[-1] > 10 * ours.drift[1]


def test_a_run_ends_where_it_has_settled_or_diverged() -> None:
    settled = descend(linear(sigma=1.0), np.array([1.0]), 0.9, 100)
    assert settled.steps == 7  # 0.1^t: from 1e-6 on, rounding would have the last word
    assert settled.complete
    diverged = descend(linear(sigma=1.0), np.array([1.0]), 4.0, 100)
    assert diverged.steps == 7  # 3^7 > 1000
    assert diverged.complete


def test_a_run_stops_at_a_kink_that_rounding_cannot_pass() -> None:
    # r_t = -4/2^t; phi_t = 4 (1 - 2^-t) reaches the kink at 2 exactly after one step.
    f = PiecewiseLinear(FLOAT64, [1.0], [-0.25], [2.0], [0.0], [0.0])
    y = f.value(f.start)[0] + 4.0
    r = descend(f, y, 0.4, 10)  # slope 1.25: phi_1 = 0.4 * 1.25 * 4 = 2, up to rounding
    assert not r.complete
    assert r.steps == 0
    left, right = r.residual_norms, r.residual_norms + 1
    pair = worst_step(r, left, right)
    assert pair is not None
    assert _compare(Kind.UPPER, pair, FLOAT64).sign == 0
    # A step that fails counts all the same.
    failed = worst_step(r, left + 1, right)
    assert failed is not None
    assert _compare(Kind.UPPER, replace(failed, left=failed.left + 2.0), FLOAT64).sign < 0
    assert descend(PiecewiseLinear(FLOAT64, [1.0], [-0.25], [2.0], [0.0], [0.0]), y, 0.3, 10).complete


# -- the worst step -------------------------------------------------------------------------------------------------


def some_run(steps: int = 3) -> Run:
    return descend(linear(), np.array([1.0]), 1.0, steps)


def test_the_worst_step_is_the_one_that_fails() -> None:
    r = some_run()
    left = Intervals.around([1.0, 2.0, 3.0], 1e-9)
    for right, index in (([2.0, 1.9, 9.0], 1), ([2.0, 2.5, 2.0], 2), ([1.0, 3.0, 9.0], 0)):
        pair = worst_step(r, left, Intervals.around(right, 1e-9))
        assert pair is not None
        assert pair.right.value == pytest.approx(right[index])
        assert _compare(Kind.UPPER, pair, FLOAT64).sign == (0 if index == 0 else -1)


def test_where_all_steps_hold_it_is_the_one_of_least_slack_or_the_last() -> None:
    r = some_run()
    left, right = Intervals.of(np.array([1.0, 2.0, 3.0])), Intervals.of(np.array([5.0, 4.0, 9.0]))
    pair, last = worst_step(r, left, right), worst_step(r, left, right, last=True)
    assert pair is not None
    assert last is not None
    assert (pair.left.value, pair.right.value) == (2.0, 4.0)
    assert (last.left.value, last.right.value) == (3.0, 9.0)
    only = worst_step(r, left, right, where=np.array([True, False, False]))
    assert only is not None
    assert only.left.value == 1.0
    assert worst_step(r, left, right, where=np.zeros(3, dtype=bool)) is None
    against_one = worst_step(r, left, Intervals.of(3.5))
    assert against_one is not None
    assert (against_one.left.value, against_one.right.value) == (3.0, 3.5)


def test_the_pair_is_clear_if_and_only_if_every_step_is() -> None:
    rng = np.random.default_rng(7)
    r = some_run()
    for _ in range(300):
        a, b = rng.uniform(0.5, 1.5, (2, 5))
        e = 10.0 ** rng.uniform(-3, 0, 5)
        left, right = Intervals.around(a, e), Intervals.around(b + 0.5, e / 2)
        pair = worst_step(r, left, right)
        assert pair is not None
        sign = _compare(Kind.UPPER, pair, FLOAT64).sign
        assert (sign > 0) == bool(np.all(right.lower > left.upper))
        assert (sign < 0) == bool(np.any(right.upper < left.lower))


def test_the_same_steps_in_60_digits() -> None:
    with PRECISE.working():
        r = descend(linear(PRECISE), np.array([1.0]), 1.0, 3)
        numbers = [PRECISE.matrix(np.array(x)) for x in ([1.0, 2.0, 3.0], [5.0, 4.0, 3.0])]
        pair = worst_step(r, *numbers)
        assert pair is not None
        assert (pair.left, pair.right) == (3, 3)
        assert _compare(Kind.UPPER, pair, PRECISE).sign == 0
        assert set(told(r, {"some": None})) == {"some"}
    assert told(some_run(), {"some": None}) == {}


# -- instances ------------------------------------------------------------------------------------------------------

SPECS: tuple[dict[str, int | float | str], ...] = (
    {"map": "network", "n": 3, "d": 2, "rows": "sphere", "phi": "tanh", "k": 4, "seed": 1},
    {"map": "quadratic", "n": 3, "extra": 1, "low": 0.2, "reflect": 1, "turn": 1, "seed": 2},
    {"map": "quadratic", "shape": "parabola", "small": 1e-3, "turn": 1, "bend": 2.0},
    {"map": "quadratic", "shape": "near-line", "bend": -1.0},
    {"map": "piecewise", "n": 2, "reflect": 1, "reach": 0.5, "seed": 3},
    {"map": "piecewise", "shape": "line"},
)


@pytest.mark.parametrize("spec", SPECS)
def test_labels_lie_at_the_chosen_distance(spec: dict[str, int | float | str]) -> None:
    instance = build(spec)
    f = mapping(instance, FLOAT64)
    p = problem(instance, lambda instance, f: (0.125, 0.5))
    assert np.linalg.norm(f.value(f.start)[0] - p.y) == pytest.approx(0.125, rel=1e-12)
    assert p.eta == 0.5
    again = build(spec)
    assert all(np.array_equal(instance[name], again[name]) for name in instance.arrays)


def test_directions_point_where_they_say() -> None:
    spec = {**SPECS[0], "k": 8}
    for word, which in (("top", 0), ("bottom", -1)):
        instance = build({**spec, "direction": word})
        f = mapping(instance, FLOAT64)
        U, s, _ = np.linalg.svd(f.jacobian(f.start)[0])
        u = instance["direction"]
        assert abs(u @ U[:, which]) == pytest.approx(np.linalg.norm(u), rel=1e-10)
        assert np.linalg.norm(f.jacobian(f.start)[0].T @ u) == pytest.approx(s[which], rel=1e-9)


def test_on_given_rows_the_network_is_wide_enough() -> None:
    instance = with_rows(np.tile([0.6, 0.8], (30, 1)), {"phi": "tanh"})
    assert len(instance["v"]) == 30
    assert instance.spec["k"] == 30


@pytest.mark.parametrize("spec", SPECS)
def test_the_search_can_move_an_instance(spec: dict[str, int | float | str]) -> None:
    """It drops the words of a spec; what the map is must be told by the arrays."""
    instance = build(spec)
    at = Coordinates(instance)
    moved = at.instance(at.perturbed(0.1, np.random.default_rng(0)))
    assert type(mapping(moved, FLOAT64)) is type(mapping(instance, FLOAT64))
    assert at.names


def test_words_that_mean_nothing_are_refused() -> None:
    for wrong in ({"map": "cubic", "n": 2}, {"map": "quadratic", "shape": "circle"}, {"map": "network"}, {}):
        with pytest.raises(InputError):
            build(wrong)


def test_a_domain_draws_what_it_lists() -> None:
    domain = descents(("quadratic", "piecewise"), ("tanh",), (0.5,), (1.0,), longest=9, sharp=(0, 1))
    from hypothesis import given, settings

    @settings(max_examples=30, database=None)
    @given(domain.specs())
    def look(spec: Any) -> None:
        assert spec["map"] in ("quadratic", "piecewise")
        assert 5 <= spec["steps"] <= 9
        assert spec["sharp"] in (0, 1)
        f = mapping(domain.build(spec, 0), FLOAT64)
        assert isinstance(f.singular_values(f.start)[1], Estimate)

    look()
    assert [spec["phi"] for spec in domain.data_specs] == ["tanh", "tanh"]
