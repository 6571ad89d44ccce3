"""What the theorems promise of a run: numbers by hand, hypotheses that fail by name, and promises that are kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jacspec import InputError, Options, ShallowNet, bounds, data_constants, dense_jacobian, load, train
from jacspec.guarantees import guarantees

ORTHOGONAL = np.eye(5)
SIGNS = np.array([1.0, -1.0, 1.0, 1.0, -1.0])


def told(X, y, name, k, *, net=None, seed=0, **options):
    net = net or ShallowNet.initialize(k, X.shape[1], name, y=y, seed=seed)
    run = train(net, X, y, **{"steps": 60, **options})
    found = guarantees(run, data_constants(X, [name], y=y))
    return run, {(g.claim, g.variant): g for g in found}


def test_numbers_by_hand_on_orthonormal_rows() -> None:
    """X = I: ||X|| = Lambda = 1, so L = B2 ||v||_inf and beta = B1 ||v|| = 1 for softplus and labels of size one."""
    run, found = told(ORTHOGONAL, SIGNS, "softplus", 4000)
    sigma = np.linalg.svd(dense_jacobian(run.start, ORTHOGONAL), compute_uv=False)[-1]
    r0, L = run.residual_norms[0], 0.25 / math.sqrt(4000)
    assert run.eta == pytest.approx(0.5, rel=1e-12)
    h = 2 * L * r0 / sigma**2  # c = 1, for eta <= 1/beta^2
    g = found["gd-kantorovich", "sharp"]
    assert g.verdict == "OK"
    assert g.rate == pytest.approx(0.5 * sigma**2 * (1 - h), rel=1e-6)
    assert g.path == pytest.approx((sigma - sigma * math.sqrt(1 - h)) / L, rel=1e-6)
    g = found["gd-convergence", "explicit"]
    assert g.verdict == ("OK" if sigma**2 / 4 >= 2 * L * r0 else "VACUOUS")
    assert g.rate == pytest.approx(0.5 * sigma**2 / 8, rel=1e-6)
    assert g.path == pytest.approx(4 * r0 / sigma, rel=1e-6)
    g = found["theorem-gd-smooth", "explicit"]
    lam = data_constants(ORTHOGONAL, ["softplus"], y=SIGNS).activations["softplus"].hidden.smallest.value
    assert g.rate == pytest.approx(lam / 32, rel=1e-6)
    assert g.path == pytest.approx(2 * r0 / math.sqrt(lam / 8), rel=1e-6)


@pytest.mark.parametrize("name", ["softplus", "erf", "gelu"])
@pytest.mark.parametrize("algorithm, trains", [("gd", "hidden"), ("gd", "output")])
def test_a_run_keeps_what_is_promised(name, algorithm, trains) -> None:
    run, found = told(ORTHOGONAL, SIGNS, name, 4000, algorithm=algorithm, trains=trains, steps=300)
    met = [g for g in found.values() if g.verdict == "OK"]
    assert met
    for g in met:
        if g.rate is not None:
            # A run in float64 comes to rest at rounding: a few ulp of the labels, k products each.
            rest = 4000 * 2.0**-53 * np.linalg.norm(SIGNS)
            bound = g.residual(run.steps) * run.residual_norms[0]
            assert np.all(run.residual_norms <= bound * (1 + 1e-9) + rest), g
            assert g.rate > 0
        if g.path is not None:
            assert run.path_lengths[-1] <= g.path * (1 + 1e-9)
            assert run.distances.max() <= g.path * (1 + 1e-9)


def test_relu_from_a_start_near_the_labels() -> None:
    X = np.eye(4)
    net = ShallowNet.initialize(2000, 4, "relu", y=np.ones(4), seed=3)
    y = net(X) + 1e-4 * np.array([1.0, -1.0, 1.0, 1.0])
    run, found = told(X, y, "relu", 2000, net=net, steps=200)
    g = found["gd-perturbation", "explicit"]
    assert g.verdict == "OK"
    assert np.all(run.residual_norms <= g.residual(run.steps) * run.residual_norms[0] * (1 + 1e-9))
    assert run.path_lengths[-1] <= g.path
    sharp = found["theorem-gd-relu", "sharp"]
    assert sharp.verdict == "VACUOUS"
    assert "the theorem has ||y||" in sharp.reason


def test_sgd_in_the_mean() -> None:
    """Linear phi has L = 0: only the step size counts, and E||r_t||^2 contracts as stated."""
    X = np.eye(4)
    net = ShallowNet.initialize(60, 4, "linear", y=np.ones(4), seed=0)
    y = np.array([1.0, -1.0, 1.0, 1.0])
    squares = []
    for seed in range(200):
        run = train(net, X, y, algorithm="sgd", steps=40, every=40, seed=seed)
        squares.append(float(run.residual_norms[-1] / run.residual_norms[0]) ** 2)
    g = {(g.claim, g.variant): g for g in guarantees(run, data_constants(X, ["linear"], y=y))}
    found = g["sgd-convergence", "explicit"]
    assert found.verdict == "OK"
    assert found.mean_square
    assert np.mean(squares) <= float(found.residual(40)) ** 2
    assert found.failure_probability == 0.5
    assert g["theorem-sgd-smooth", "explicit"].failure_probability > 0.5


REASONS = {
    "narrow": ((ORTHOGONAL, SIGNS, "softplus", 4), {}, ("theorem-gd-smooth", "explicit"), "k = 4, and it asks for"),
    "odd": ((ORTHOGONAL, SIGNS, "tanh", 40), {}, ("theorem-gd-smooth", "paper"), "mu_phi = 0 exactly"),
    "far": ((ORTHOGONAL, SIGNS, "softplus", 4), {}, ("gd-kantorovich", "sharp"), "it asks for h < 1"),
    "weak": ((ORTHOGONAL, SIGNS, "softplus", 4), {}, ("gd-convergence", "explicit"), "2 L ||r_0||"),
    "step": (
        (ORTHOGONAL, SIGNS, "softplus", 4000),
        {"eta": 1.0},
        ("gd-convergence", "explicit"),
        "2 times 1/(2 beta^2)",
    ),
    "huge step": ((ORTHOGONAL, SIGNS, "softplus", 4000), {"eta": 4.0}, ("gd-kantorovich", "sharp"), "eta is too large"),
    "relu": ((ORTHOGONAL, SIGNS, "relu", 40), {}, ("theorem-gd-relu", "explicit"), "k = 40, and it asks for k >="),
    "flips": ((ORTHOGONAL, SIGNS, "relu", 40), {}, ("gd-perturbation", "explicit"), "may change sign"),
    "tall": (
        (np.vstack([np.eye(2), -np.eye(2), [[0.6, 0.8]]]), SIGNS, "softplus", 2),
        {},
        ("gd-kantorovich", "sharp"),
        "exactly zero: k d = 4 < n = 5",
    ),
    "batch": (
        (ORTHOGONAL, SIGNS, "linear", 40),
        {"algorithm": "sgd", "batch": 2},
        ("sgd-convergence", "explicit"),
        "one sample a step",
    ),
    "features": (
        (ORTHOGONAL, SIGNS, "softplus", 4),
        {"trains": "output", "eta": 0.01},
        ("gd-kantorovich", "sharp"),
        "more rows than columns",
    ),
    "unbounded": ((ORTHOGONAL, SIGNS, "quadratic", 4), {"eta": 0.01}, ("gd-convergence", "explicit"), "infinite"),
}


@pytest.mark.parametrize("case", REASONS)
def test_a_hypothesis_that_fails_is_named(case) -> None:
    given, options, which, words = REASONS[case]
    _, found = told(*given, **options)
    g = found[which]
    assert g.verdict == "VACUOUS"
    assert words in g.reason


def test_output_weights_of_ones_own_are_not_the_papers() -> None:
    net = ShallowNet(np.eye(5), [1.0, 2.0, -1.0, 1.0, 1.0], "softplus")
    _, found = told(ORTHOGONAL, SIGNS, "softplus", 5, net=net)
    assert "not balanced" in found["theorem-gd-smooth", "sharp"].reason
    net = ShallowNet(np.ones((4, 5)), [1.0, 1.0, -1.0, -1.0], "softplus")
    _, found = told(ORTHOGONAL, SIGNS, "softplus", 4, net=net)
    assert "the theorem has ||y|| = 2.236" in found["theorem-gd-smooth", "sharp"].reason


def test_constants_must_be_those_of_the_run() -> None:
    run, _ = told(ORTHOGONAL, SIGNS, "softplus", 10)
    with pytest.raises(InputError, match="those of softplus"):
        guarantees(run, data_constants(ORTHOGONAL, ["tanh"], y=SIGNS))
    with pytest.raises(InputError, match="the data that the run is about"):
        guarantees(run, data_constants(load("sphere:n=5,d=5"), ["softplus"], y=SIGNS))


def test_sharp_relu_speaks_of_this_step_size() -> None:
    """Width, rate and path of the sharp form depend on eta_bar: they are those of `widths` at the run's own."""
    y = SIGNS
    for eta_bar in (1.0, 0.25):
        run, found = told(ORTHOGONAL, y, "relu", 40, eta_bar=eta_bar)
        constants = data_constants(ORTHOGONAL, ["relu"], y=y, options=Options(eta_bar=eta_bar))
        rows = constants.activations["relu"].widths
        row = next(r for r in rows if (r.claim, r.variant) == ("theorem-gd-relu", "sharp"))
        g = found["theorem-gd-relu", "sharp"]
        assert g.width == pytest.approx(row.k, rel=1e-6)
        assert g.rate == pytest.approx(row.rate, rel=1e-6)
        eps = row.assumes["eps"]
        b = math.sqrt((1 - eps**2) * (1 - eta_bar / 2)) - eps
        sigma = math.sqrt(0.5 * (1 - row.assumes["eps_c"]))  # Sigma(I) = I/2
        assert g.path == pytest.approx(run.residual_norms[0] / (b * sigma), rel=1e-6)


def test_steps_up_to_the_inverse_of_beta_squared() -> None:
    """beta = 1: eta = 0.99 is within what the sharp forms allow; beyond 1 the start's own c takes over."""
    for eta, allowed in ((0.99, True), (1.5, False)):
        run, found = told(ORTHOGONAL, SIGNS, "softplus", 4000, eta=eta)
        sigma = np.linalg.svd(dense_jacobian(run.start, ORTHOGONAL), compute_uv=False)[-1]
        r0, L = run.residual_norms[0], 0.25 / math.sqrt(4000)
        theorem, start = found["theorem-gd-smooth", "sharp"], found["gd-kantorovich", "sharp"]
        assert theorem.verdict == ("OK" if allowed else "VACUOUS")
        assert allowed or "1.5 times 1/beta^2" in theorem.reason
        c = 1 if allowed else 1 - eta / 2 - eta * L * r0 / 2
        h = 2 * L * r0 / (c * sigma**2)
        assert start.verdict == ("OK" if h < 1 else "VACUOUS")
        assert h >= 1 or start.rate == pytest.approx(eta * c * sigma**2 * (1 - h), rel=1e-6)
        assert found["gd-convergence", "explicit"].verdict == "VACUOUS"


def test_sharp_relu_from_a_start() -> None:
    """The smallest eps on a grid for which the units that may change sign move J by at most eps sigma_0."""
    X = np.eye(4)
    net = ShallowNet.initialize(2000, 4, "relu", y=np.ones(4), seed=3)
    y = net(X) + 1e-2 * np.array([1.0, -1.0, 1.0, 1.0])
    run, found = told(X, y, "relu", 2000, net=net, steps=200)
    explicit, sharp = found["gd-perturbation", "explicit"], found["gd-perturbation", "sharp"]
    assert sharp.verdict == "OK"
    J = dense_jacobian(net, X)
    sigma, step = np.linalg.svd(J, compute_uv=False)[-1], run.eta * (np.linalg.norm(net.v) * 1.0) ** 2
    eps = float(sharp.reason.split("at most ")[1].split(" sigma_0")[0])
    b = math.sqrt((1 - eps**2) * (1 - step)) - eps
    assert sharp.path == pytest.approx(run.residual_norms[0] / (b * sigma), rel=1e-6)
    flips = max(np.searchsorted(np.cumsum(np.sort((net.W @ x) ** 2)), sharp.path**2) for x in X)
    assert np.max(np.abs(net.v)) * math.sqrt(flips) <= eps * sigma
    # Every A = ||J_t^T r_t||/(sigma_0 ||r_t||) >= 1 - eps gives at least the rate.
    A = np.linspace(1 - eps, 3, 10001)
    assert sharp.rate == pytest.approx(
        np.min(A**2 * (1 - step) / 2 - eps * A + (1 - eps**2) / 2) * run.eta * sigma**2, rel=1e-6
    )
    assert np.all(run.residual_norms <= sharp.residual(run.steps) * run.residual_norms[0] * (1 + 1e-9))
    assert run.path_lengths[-1] <= sharp.path
    assert sharp.path < explicit.path
    assert sharp.rate > explicit.rate
    far = told(ORTHOGONAL, SIGNS, "relu", 4)[1]["gd-perturbation", "sharp"]
    assert far.verdict == "VACUOUS"
    assert "may change sign" in far.reason


def test_nu_is_that_of_the_constants() -> None:
    net = ShallowNet.initialize(60, 5, "linear", y=SIGNS, seed=0)
    run = train(net, ORTHOGONAL, SIGNS, algorithm="sgd", steps=5)
    for nu in (2.0, 5.0):
        constants = data_constants(ORTHOGONAL, ["linear"], y=SIGNS, options=Options(nu=nu))
        found = {(g.claim, g.variant): g for g in guarantees(run, constants)}
        start, theorem = found["sgd-convergence", "explicit"], found["theorem-sgd-smooth", "explicit"]
        assert start.failure_probability == pytest.approx(1 / nu)
        assert theorem.failure_probability == pytest.approx(1 / 5 + math.exp(-5 / 2) + 1 / nu)


def test_curves_and_json() -> None:
    _, found = told(ORTHOGONAL, SIGNS, "tanh", 20)
    void = found["theorem-gd-smooth", "paper"]
    with pytest.raises(InputError, match="with a rate"):
        void.residual([1, 2])
    assert void.to_json()["rate"] is None
    g = found["gd-convergence", "explicit"]
    assert g.residual([0, 1, 3]) == pytest.approx([1, 1 - g.rate, (1 - g.rate) ** 3], rel=1e-12)
    assert g.to_json()["rate_of"] == "norm"
    assert bounds.gd_residual(g.rate, 7, 1.0) == pytest.approx(float(g.residual(7)), rel=1e-12)
