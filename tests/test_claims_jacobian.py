"""The claims of docs/theory.md section 2, the Jacobian: values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jacspec import activation, bounds
from verification.arithmetic import Multiprecision
from verification.claim import FLOAT64, Verdict, check
from verification.claims import load
from verification.claims.jacobian_lipschitz_optimal import plane_maximum
from verification.domains import ALL_ACTIVATIONS
from verification.instances import ROWS, Instance, generator, steepest_direction, unit_rows
from verification.verify import Options, verify_claim

SLUGS = (
    "jacobian-formula",
    "jacobian-norm",
    "jacobian-lipschitz",
    "jacobian-lipschitz-optimal",
    "relu-jacobian-perturbation",
)


@pytest.mark.parametrize("slug", ["jacobian-lipschitz", "jacobian-lipschitz-optimal"])
def test_nearly_attained(slug: str) -> None:
    report = verify_claim(load(slug), Options(examples=0))
    assert all(v.min_slack is not None and 1 - 1e-12 <= v.min_slack < 1.0001 for v in report.variants)


# -- by hand --------------------------------------------------------------------------------------------------------


def network(X: object, W: object, v: object, phi: str, W2: object = None) -> Instance:
    arrays = {"X": X, "W": W, "v": v, "W2": W if W2 is None else W2}
    return Instance({"seed": 0}, {k: np.asarray(a, dtype=np.float64) for k, a in arrays.items()}, activation(phi))


def test_formula_by_hand() -> None:
    # One row x = (0.6, 0.8), quadratic units: f = v_l <w_l, x>^2 / 2, J J^T = sum_l v_l^2 <w_l, x>^2.
    instance = network([[0.6, 0.8]], [[5.0, 0.0], [0.0, 5.0]], [1.0, -2.0], "quadratic")
    sides = load("jacobian-formula").sides(instance, FLOAT64)
    assert sides["gram"].right.value == pytest.approx(1 * 9 + 4 * 16, rel=1e-14)
    assert {r.verdict for r in check(load("jacobian-formula"), instance).values()} == {Verdict.HOLDS}


def test_no_derivative_at_a_kink() -> None:
    instance = network([[1.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]], [1.0, 1.0], "relu")
    records = check(load("jacobian-formula"), instance)
    assert records["derivative"].verdict is Verdict.VACUOUS
    assert records["gram"].verdict is Verdict.HOLDS


def test_norm_by_hand() -> None:
    # tanh at W = 0: J = (1 v^T) * X, norm ||v|| ||X|| = 5 sqrt 2 for two equal rows; sqrt(k) ||v||_inf = 4 sqrt 2.
    instance = network([[1.0, 0.0], [1.0, 0.0]], np.zeros((2, 2)), [3.0, -4.0], "tanh")
    sides = load("jacobian-norm").sides(instance, FLOAT64)
    assert sides["sharp"].left.contains(5 * math.sqrt(2))
    assert sides["sharp"].right.contains(5 * math.sqrt(2))
    assert sides["paper"].right.contains(8.0)
    assert sides["rows"].left.contains(5.0)


def test_lipschitz_by_hand() -> None:
    # Quadratic: phi' = z, J' - J = (X D^T diag(v)) * X. One row (0.6, 0.8), D = (5, 0) and (0, 0): ||J' - J|| = 3 v_0.
    W = np.ones((2, 2))
    instance = network([[0.6, 0.8]], W, [2.0, 1.0], "quadratic", W + np.array([[5.0, 0.0], [0.0, 0.0]]))
    sides = load("jacobian-lipschitz").sides(instance, FLOAT64)
    assert sides["paper"].left.contains(6.0)
    assert sides["paper"].right.contains(10.0)
    assert sides["sharp"].right.contains(6.0)


def test_lambda_by_hand() -> None:
    # Two rows at angle 2a <= 90 degrees about the bisector: Lambda^2 = 2 cos^4 a; two orthonormal rows: 1.
    for angle in (0.1, 0.5, math.pi / 2):
        a = angle / 2
        X = np.array([[math.cos(a), math.sin(a)], [math.cos(a), -math.sin(a)]])
        with Multiprecision(60).working():
            found = plane_maximum(X)
            assert found is not None
            assert float(found) == pytest.approx(max(1.0, math.sqrt(2) * math.cos(a) ** 2), rel=1e-15)
    assert float(plane_maximum(np.tile([0.6, 0.8], (9, 1)))) == pytest.approx(3.0, rel=1e-15)


def test_lambda_in_the_plane_against_a_grid() -> None:
    angles = np.linspace(0, math.pi, 20_001)
    w = np.stack([np.cos(angles), np.sin(angles)])
    for seed in range(5):
        for kind in ROWS:
            X = unit_rows(2 + seed, 2, kind, 0.3, generator({"seed": seed}))
            found = plane_maximum(X)
            assert found is not None, (kind, seed)
            grid = math.sqrt(float(np.max(np.sum((X @ w) ** 4, axis=0))))
            # The sum has second derivative at most 12 n + 4 n, and the grid is (pi/20000)/2 from any point.
            assert grid * (1 - 1e-13) <= float(found) <= math.sqrt(grid**2 + 8 * len(X) * (math.pi / 40_000) ** 2)
            ascent = float(np.sqrt(np.sum((X @ steepest_direction(X)) ** 4)))
            assert ascent <= float(found) * (1 + 1e-13)


def test_flips_by_hand() -> None:
    # x = 1, W = (1, 2, -3), W' = (-1, 2, 1): N = 2. R^2 = 4 + 16 = 20 and 1 + 4 + 9 = 14 <= 20: N(R) = 3.
    W, W2 = np.array([[1.0], [2.0], [-3.0]]), np.array([[-1.0], [2.0], [1.0]])
    sides = load("relu-jacobian-perturbation").sides(network([[1.0]], W, [1.0, 1.0, 1.0], "relu", W2), FLOAT64)
    assert (sides["count"].left.value, sides["count"].right.value) == (2, 3)
    assert sides["flips"].left.contains(math.sqrt(2))
    assert sides["flips"].right.contains(math.sqrt(2))
    assert sides["radius"].right.contains(math.sqrt(3))


# -- radii ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phi", ALL_ACTIVATIONS)
def test_the_radius_of_the_jacobian_covers_its_error_and_is_narrow(phi: str) -> None:
    claim, m = load("jacobian-formula"), Multiprecision(60)
    for seed in range(12):
        spread = (1.0, 0.1, 10.0, 1e3)[seed % 4]
        spec = {"n": 5, "d": 3, "rows": "sphere", "phi": phi, "k": 4, "v": "gaussian", "spread": spread, "seed": seed}
        instance = claim.domain.build(spec, 0)
        X, W, v = (instance[name] for name in ("X", "W", "v"))
        J = FLOAT64.jacobian(X, W, v, instance.activation)
        radius = FLOAT64.jacobian_radius(X, W, v, instance.activation)
        with m.working():
            exact = m.jacobian(m.matrix(X), m.matrix(W), m.matrix(v), instance.activation)
            error = float(m.norm(exact - m.matrix(J)))
        assert error <= radius
        assert radius <= 1e-13 * (1 + spread) * np.linalg.norm(v) * np.linalg.norm(X)


def test_the_radius_of_a_relu_jacobian_knows_of_doubtful_signs() -> None:
    # <x, w> = 0.1 * 3 - 0.3 is 5.6e-17 or 0 by the order of rounding; a jump of phi' must be in the radius.
    X, W, v = np.array([[0.1, 0.3]]), np.array([[3.0, -1.0]]), np.array([2.0])
    assert FLOAT64.jacobian_radius(X, W, v, activation("relu")) >= 2 * np.linalg.norm(X)
    assert FLOAT64.jacobian_radius(X, 0 * W, v, activation("relu")) < 1e-14


# -- a user's X -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", SLUGS)
def test_on_a_users_rows(slug: str) -> None:
    X = np.random.default_rng(3).standard_normal((4, 2))
    X /= np.linalg.norm(X, axis=1)[:, None]
    report = verify_claim(load(slug), Options(X=X))
    assert {v.verdict for v in report.variants} == {Verdict.HOLDS}
    assert all(v.decided >= 2 for v in report.variants)


# -- every factor counts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "name", "wrong"),
    [
        ("jacobian-norm", "jacobian_norm_paper", lambda B1, v, k, X: v * k**0.5 * X),
        ("jacobian-norm", "jacobian_norm_paper", lambda B1, v, k, X: B1 * k**0.5 * X),
        ("jacobian-norm", "jacobian_norm_paper", lambda B1, v, k, X: B1 * v * k**0.25 * X),
        ("jacobian-norm", "jacobian_norm_paper", lambda B1, v, k, X: B1 * v * k**0.5),
        ("jacobian-norm", "jacobian_norm_sharp", lambda B1, v, X: v * X),
        ("jacobian-norm", "jacobian_norm_sharp", lambda B1, v, X: B1 * X),
        ("jacobian-norm", "jacobian_norm_sharp", lambda B1, v, X: B1 * v),
        # The moves here are small, so a bound without ||W' - W|| is weaker; its square is false. And
        # B2 <= 1 for every built-in activation: a bound without it is weaker, hence true. Its square is false.
        ("jacobian-lipschitz", "jacobian_lipschitz_paper", lambda B2, v, X, D: B2**2 * v * X * D),
        ("jacobian-lipschitz", "jacobian_lipschitz_paper", lambda B2, v, X, D: B2 * X * D),
        ("jacobian-lipschitz", "jacobian_lipschitz_paper", lambda B2, v, X, D: B2 * v * D),
        ("jacobian-lipschitz", "jacobian_lipschitz_paper", lambda B2, v, X, D: B2 * v * X * D**2),
        ("jacobian-lipschitz", "jacobian_lipschitz_sharp", lambda B2, v, X, D, M: (B2**2 * v * X * D, B2 * v * M)),
        ("jacobian-lipschitz", "jacobian_lipschitz_sharp", lambda B2, v, X, D, M: (B2 * X * D, B2 * v * M)),
        ("jacobian-lipschitz", "jacobian_lipschitz_sharp", lambda B2, v, X, D, M: (B2 * v * D, B2 * v * M)),
        ("jacobian-lipschitz", "jacobian_lipschitz_sharp", lambda B2, v, X, D, M: (B2 * v * X * D**2, B2 * v * M)),
        ("jacobian-lipschitz", "jacobian_lipschitz_sharp", lambda B2, v, X, D, M: (B2 * v * X * D, B2**2 * v * M)),
        ("jacobian-lipschitz", "jacobian_lipschitz_sharp", lambda B2, v, X, D, M: (B2 * v * X * D, B2 * M)),
        ("jacobian-lipschitz", "jacobian_lipschitz_sharp", lambda B2, v, X, D, M: (B2 * v * X * D, B2 * v * M**2)),
        ("jacobian-lipschitz-optimal", "jacobian_lipschitz_optimal", lambda B2, v, L, D: B2**2 * v * L * D),
        ("jacobian-lipschitz-optimal", "jacobian_lipschitz_optimal", lambda B2, v, L, D: B2 * L * D),
        ("jacobian-lipschitz-optimal", "jacobian_lipschitz_optimal", lambda B2, v, L, D: B2 * v * D),
        ("jacobian-lipschitz-optimal", "jacobian_lipschitz_optimal", lambda B2, v, L, D: B2 * v * L * D**2),
        ("jacobian-lipschitz-optimal", "two_to_four_centred", lambda n, d, c: (c * (d - 1) / d) ** 0.5),
        ("jacobian-lipschitz-optimal", "two_to_four_centred", lambda n, d, c: n**0.5 / d),
        ("jacobian-lipschitz-optimal", "two_to_four_centred", lambda n, d, c: n**0.5 / d**2 + (c * (d - 1) / d) ** 0.5),
        ("jacobian-lipschitz-optimal", "two_to_four_centred", lambda n, d, c: n**0.5 / d + (c * (d - 1)) ** 0.5 / d),
        ("jacobian-lipschitz-optimal", "two_to_four_centred", lambda n, d, c: n**0.5 / d + (c / d) ** 0.5),
        ("relu-jacobian-perturbation", "relu_jacobian_perturbation", lambda v, X, N: X * N**0.5),
        ("relu-jacobian-perturbation", "relu_jacobian_perturbation", lambda v, X, N: v * N**0.5),
        ("relu-jacobian-perturbation", "relu_jacobian_perturbation", lambda v, X, N: v * X * N**0.25),
    ],
)
def test_a_dropped_factor_is_noticed(slug: str, name: str, wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, name, wrong)
    assert Verdict.VIOLATED in {v.verdict for v in verify_claim(load(slug), Options(examples=250)).variants}
