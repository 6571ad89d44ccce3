"""GD and SGD against naive NumPy, invariances, step sizes, stopping, interrupts, and every kind of bad input."""

from __future__ import annotations

import math
import signal

import naive
import numpy as np
import pytest
import tolerance
from hypothesis import given
from hypothesis import strategies as st

import jacspec
from jacspec import ShallowNet, dense_jacobian, jacobian_extremes, train
from jacspec.rounding import UNIT_ROUNDOFF
from jacspec.training import fused
from jacspec.training.driver import DIVERGED

ACTIVATIONS = [name for name in naive.ACTIVATIONS if name != "leaky_relu"] + ["leaky_relu"]
SHAPES = [(1, 1, 1), (7, 3, 5), (40, 6, 33), (300, 4, 300)]
ETA = 1e-2


def problem(n, d, k, seed=0):
    X, W, v, y = naive.problem(n, d, k, seed)
    return X, W, v / math.sqrt(k), y


def descend(X, W, v, y, name, eta, steps):
    """GD by the textbook: residual norms, distances, path lengths, W."""
    w, residuals, distances, paths = W.copy(), [], [0.0], [0.0]
    for _ in range(steps):
        residuals.append(np.linalg.norm(naive.forward(X, w, v, name) - y))
        g = eta * naive.gradient(X, w, v, y, name)
        w = w - g
        distances.append(np.linalg.norm(w - W))
        paths.append(paths[-1] + np.linalg.norm(g))
    residuals.append(np.linalg.norm(naive.forward(X, w, v, name) - y))
    return np.array(residuals), np.array(distances), np.array(paths), w


def drift(X, W, v, y, name, eta, steps):
    """Bounds of |W - W'| and of the residuals' difference for two runs that each round as they like.

    Every step adds the error of one gradient; GD's map spreads what is there by a factor of at most
    ``1 + eta (||J||^2 + B2 ||v|| ||r||)``, below 2 here.
    """
    w, total, size = W.copy(), 0.0, 0.0
    for _ in range(steps):
        J, r = naive.jacobian(X, w, v, name), naive.forward(X, w, v, name) - y
        spread = 1 + eta * (np.linalg.norm(J, 2) ** 2 + np.linalg.norm(v) * np.linalg.norm(r))
        step = eta * np.linalg.norm(tolerance.gradient(X, w, v, y, name))
        total = spread * total + step + 4 * UNIT_ROUNDOFF * np.linalg.norm(w)
        w = w - eta * naive.gradient(X, w, v, y, name)
        size = max(size, np.linalg.norm(J, 2))
    return total, 2 * size * total + np.linalg.norm(tolerance.forward(X, w, v, name)) + 64 * UNIT_ROUNDOFF * len(y)


@pytest.mark.parametrize("n, d, k", SHAPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gd_is_the_textbooks(n, d, k, name) -> None:
    X, W, v, y = problem(n, d, k)
    steps = 5
    run = train(ShallowNet(W, v, name), X, y, eta=ETA, steps=steps)
    residuals, distances, paths, w = descend(X, W, v, y, name, ETA, steps)
    moved, shifted = drift(X, W, v, y, name, ETA, steps)
    assert np.linalg.norm(run.end.W - w) <= moved
    assert np.all(np.abs(run.residual_norms - residuals) <= shifted)
    assert np.all(np.abs(run.distances - distances) <= 2 * moved)
    assert np.all(np.abs(run.path_lengths - paths) <= 2 * steps * moved)
    assert run.steps.tolist() == list(range(steps + 1))
    assert run.status == "budget"


def test_own_activation_takes_the_plain_way_to_the_same_place() -> None:
    X, W, v, y = problem(50, 5, 20)
    own = train(ShallowNet(W, v, "expr:log(1+exp(x))"), X, y, eta=0.1, steps=8)
    built_in = train(ShallowNet(W, v, "softplus"), X, y, eta=0.1, steps=8)
    moved, shifted = drift(X, W, v, y, "softplus", 0.1, 8)
    assert np.linalg.norm(own.end.W - built_in.end.W) <= moved
    assert np.all(np.abs(own.residual_norms - built_in.residual_norms) <= shifted)
    assert np.all(np.abs(own.distances - built_in.distances) <= 2 * moved)


def test_float32_follows_float64() -> None:
    X, W, v, y = problem(60, 8, 40)
    wide = train(ShallowNet(W, v, "tanh"), X, y, eta=0.1, steps=20)
    narrow = train(ShallowNet(W, v, "tanh"), X, y, eta=0.1, steps=20, dtype="float32")
    # The same a-priori bound, in units of float32.
    _, shifted = drift(X, W, v, y, "tanh", 0.1, 20)
    assert np.all(np.abs(narrow.residual_norms - wide.residual_norms) <= 2.0**29 * shifted)
    assert np.abs(narrow.residual_norms - wide.residual_norms).max() > 0
    assert narrow.dtype == "float32"


# -- the same bits --------------------------------------------------------------------------------------------------


def bits(run):
    return [a.tobytes() for a in (run.end.W, run.end.v, run.residual_norms, run.distances, run.path_lengths)]


@pytest.mark.parametrize("algorithm", ["gd", "sgd"])
def test_bits_depend_neither_on_threads_nor_on_chunks(monkeypatch: pytest.MonkeyPatch, algorithm) -> None:
    X, W, v, y = problem(150, 6, 70)
    net = ShallowNet(W, v, "softplus")
    found = []
    for workers, seconds in ((1, 0.1), (2, 1e-9), (3, 1e-4)):
        monkeypatch.setattr(fused, "_SMALL", 0)
        monkeypatch.setattr(fused, "_BAND", 64 * 70)
        monkeypatch.setattr(fused, "_TILE", 16)
        monkeypatch.setattr(fused, "_PANEL", 16)
        monkeypatch.setattr(fused, "threads", lambda workers=workers: workers)
        monkeypatch.setattr("jacspec.training.driver._CHUNK_SECONDS", seconds)
        found.append(bits(train(net, X, y, algorithm=algorithm, eta=0.01, steps=60)))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("n, k, band, tile, panel", [(150, 70, 64, 16, 16), (129, 5, 128, 128, 4), (33, 9, 1, 1, 1)])
def test_bands_tiles_and_panels_cover_everything(monkeypatch, n, k, band, tile, panel) -> None:
    X, W, v, y = problem(n, 3, k)
    monkeypatch.setattr(fused, "_BAND", band * k)
    monkeypatch.setattr(fused, "_TILE", tile)
    monkeypatch.setattr(fused, "_PANEL", panel)
    run = train(ShallowNet(W, v, "gelu"), X, y, eta=ETA, steps=4)
    _, _, _, w = descend(X, W, v, y, "gelu", ETA, 4)
    moved, _ = drift(X, W, v, y, "gelu", ETA, 4)
    assert np.linalg.norm(run.end.W - w) <= moved


def test_scaling_labels_and_output_weights_by_powers_of_two_changes_no_bit_of_W() -> None:
    X, W, v, y = problem(20, 4, 10)
    plain = train(ShallowNet(W, v, "tanh"), X, y, eta=0.1, steps=10)
    for e in (-400, 400):
        scaled = train(ShallowNet(W, np.ldexp(v, e), "tanh"), X, np.ldexp(y, e), eta=math.ldexp(0.1, -2 * e), steps=10)
        assert scaled.end.W.tobytes() == plain.end.W.tobytes()
        assert np.array_equal(scaled.residual_norms, np.ldexp(plain.residual_norms, e))


# -- metamorphic relations ------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), name=st.sampled_from(["softplus", "relu", "gaussian"]))
def test_rotating_the_inputs_rotates_the_weights(seed, name) -> None:
    X, W, v, y = problem(12, 5, 6, seed)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((5, 5)))[0]
    a = train(ShallowNet(W, v, name), X, y, eta=ETA, steps=4)
    b = train(ShallowNet(W @ Q, v, name), X @ Q, y, eta=ETA, steps=4)
    if name == "relu":  # a sign may turn where rounding decides it; generic data do not come so close
        assert np.abs(X @ W.T).min() > 1e-12
    moved, shifted = drift(X, W, v, y, name, ETA, 4)
    assert np.linalg.norm(b.end.W - a.end.W @ Q) <= 40 * moved
    assert np.all(np.abs(a.residual_norms - b.residual_norms) <= 40 * shifted)


@given(seed=st.integers(0, 10**6))
def test_permuting_rows_and_units_permutes_the_run(seed) -> None:
    X, W, v, y = problem(12, 4, 6, seed)
    rng = np.random.default_rng(seed)
    rows, units = rng.permutation(12), rng.permutation(6)
    a = train(ShallowNet(W, v, "elu"), X, y, eta=ETA, steps=4)
    b = train(ShallowNet(W[units], v[units], "elu"), X[rows], y[rows], eta=ETA, steps=4)
    moved, shifted = drift(X, W, v, y, "elu", ETA, 4)
    assert np.linalg.norm(b.end.W - a.end.W[units]) <= 2 * moved
    assert np.all(np.abs(a.residual_norms - b.residual_norms) <= 2 * shifted)


@given(seed=st.integers(0, 10**6))
def test_splitting_every_unit_in_two_halves_the_step(seed) -> None:
    """phi(z) v = phi(z) v/2 + phi(z) v/2; each half moves by half of what the whole did, so eta doubles."""
    X, W, v, y = problem(12, 4, 5, seed)
    a = train(ShallowNet(W, v, "sin"), X, y, eta=ETA, steps=4)
    b = train(ShallowNet(np.vstack([W, W]), np.concatenate([v, v]) / 2, "sin"), X, y, eta=2 * ETA, steps=4)
    _, shifted = drift(X, W, v, y, "sin", ETA, 4)
    assert np.all(np.abs(a.residual_norms - b.residual_norms) <= 4 * shifted)


# -- SGD ------------------------------------------------------------------------------------------------------------


def rows_drawn(n, batch, steps, seed):
    generator = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    return generator.integers(n, size=(steps, batch))


@pytest.mark.parametrize("name", ["softplus", "relu", "expr:x*sigmoid(x)"])
@pytest.mark.parametrize("batch", [1, 3, 200])
def test_sgd_is_the_textbooks(batch, name) -> None:
    X, W, v, y = problem(40, 5, 12)
    steps, formula = 20, {"expr:x*sigmoid(x)": "silu"}.get(name, name)
    run = train(ShallowNet(W, v, name), X, y, algorithm="sgd", batch=batch, eta=ETA, steps=steps, seed=3, every=7)
    w, path, paths = W.copy(), 0.0, [0.0]
    states = {0: W.copy()}
    for t, chosen in enumerate(rows_drawn(40, batch, steps, 3), start=1):
        g = ETA / batch * naive.gradient(X[chosen], w, v, y[chosen], formula)
        w = w - g
        path += np.linalg.norm(g)
        paths.append(path)
        states[t] = w.copy()
    moved = steps * ETA * np.linalg.norm(tolerance.gradient(X, W, v, y, formula)) * 4
    assert np.linalg.norm(run.end.W - w) <= moved
    assert run.steps.tolist() == [0, 7, 14, 20]
    for i, t in enumerate(run.steps):
        r = np.linalg.norm(naive.forward(X, states[t], v, formula) - y)
        assert abs(run.residual_norms[i] - r) <= 100 * moved
        assert abs(run.path_lengths[i] - paths[t]) <= 100 * moved
        assert abs(run.distances[i] - np.linalg.norm(states[t] - W)) <= 100 * moved


def test_sgd_of_another_seed_is_another_run() -> None:
    X, W, v, y = problem(40, 5, 12)
    net = ShallowNet(W, v, "softplus")
    runs = [train(net, X, y, algorithm="sgd", eta=ETA, steps=50, seed=seed) for seed in (1, 1, 2)]
    assert bits(runs[0]) == bits(runs[1]) != bits(runs[2])


# -- the output layer -----------------------------------------------------------------------------------------------


def test_output_layer_is_least_squares_in_random_features() -> None:
    X, W, v, y = problem(10, 5, 60)
    net = ShallowNet(W, v, "relu")
    Phi = net.features(X)
    eta = 1 / (2 * np.linalg.norm(Phi, 2) ** 2)
    run = train(net, X, y, trains="output", steps=30)
    assert run.eta == pytest.approx(eta, rel=1e-10)
    u, norms = v.copy(), []
    for _ in range(30):
        norms.append(np.linalg.norm(Phi @ u - y))
        u = u - run.eta * Phi.T @ (Phi @ u - y)
    assert run.end.W.tobytes() == W.tobytes()
    assert run.end.v == pytest.approx(u, rel=1e-10)
    assert run.residual_norms[:-1] == pytest.approx(norms, rel=1e-10)
    long = train(net, X, y, trains="output", steps=200_000, tolerance=1e-8, every=1000)
    nearest = v + np.linalg.pinv(Phi) @ (y - Phi @ v)
    assert long.status == "converged"
    assert np.linalg.norm(long.end.v - nearest) <= 1e-5 * np.linalg.norm(nearest - v)


def test_output_layer_by_sgd() -> None:
    X, W, v, y = problem(8, 5, 30)
    net = ShallowNet(W, v, "tanh")
    Phi, u = net.features(X), v.copy()
    run = train(net, X, y, trains="output", algorithm="sgd", eta=0.01, steps=25, seed=4, checkpoints=[25])
    for chosen in rows_drawn(8, 1, 25, 4):
        u = u - 0.01 * Phi[chosen].T @ (Phi[chosen] @ u - y[chosen])
    assert run.end.v == pytest.approx(u, rel=1e-11)
    assert run.checkpoints[0].sigma_max.contains(np.linalg.norm(Phi, 2))


# -- step sizes -----------------------------------------------------------------------------------------------------


def test_automatic_step_is_the_theorems() -> None:
    X = naive.problem(30, 20, 2)[0]
    y = np.sign(np.random.default_rng(0).standard_normal(30)) * 3.0
    net = ShallowNet.initialize(100, 20, "gelu", y=y, seed=1)
    run = train(net, X, y, steps=0, eta_bar=0.5)
    row = next(r for r in widths(X, y, "gelu", 0.5) if (r.claim, r.variant) == ("theorem-gd-smooth", "sharp"))
    assert run.eta == pytest.approx(row.step_size, rel=1e-9)
    assert "1/(2 beta^2)" in run.eta_rule
    assert run.notes == ()


def widths(X, y, name, eta_bar):
    from jacspec import Options

    return jacspec.data_constants(X, [name], y=y, options=Options(eta_bar=eta_bar)).activations[name].widths


def test_automatic_step_of_sgd() -> None:
    X, W, v, y = problem(6, 5, 20)
    net = ShallowNet(W, v, "softplus")
    run = train(net, X, y, algorithm="sgd", steps=0)
    sigma = np.linalg.svd(naive.jacobian(X, W, v, "softplus"), compute_uv=False)[-1]
    b, beta = np.linalg.norm(v), np.linalg.norm(v) * np.linalg.norm(X, 2)
    expected = min(4 * (sigma / 2) ** 2 / (5 * b**2 * beta**2), 4 / (2 * b**2))
    assert run.eta == pytest.approx(expected, rel=1e-9)
    assert run.eta <= expected * (1 + 1e-12)


@pytest.mark.parametrize(
    ("eta", "algorithm", "words"),
    [(0.3, "gd", "1/(2 beta^2)"), (3.0, "gd", "2/beta^2"), (50.0, "sgd", "4/(nu b^2)")],
)
def test_a_step_beyond_a_bound_is_said_with_the_bound(eta, algorithm, words) -> None:
    X = np.eye(3)
    net = ShallowNet(np.eye(3), np.ones(3) / math.sqrt(3), "tanh")  # beta = 1
    run = train(net, X, np.ones(3), eta=eta * (2 if algorithm == "gd" else 1), steps=1, algorithm=algorithm)
    assert words in run.notes[0]


# -- endings --------------------------------------------------------------------------------------------------------


def test_stops_at_the_first_step_that_is_small_enough() -> None:
    X, W, v, y = problem(10, 6, 30)
    net = ShallowNet(W, v, "softplus")
    full = train(net, X, y, steps=400)
    relative = full.residual_norms / full.residual_norms[0]
    first = int(np.argmax(relative <= 0.5))
    run = train(net, X, y, steps=400, tolerance=0.5)
    assert run.status == "converged"
    assert run.step == first
    assert run.residual_norms.tobytes() == full.residual_norms[: first + 1].tobytes()
    assert run.distances.tobytes() == full.distances[: first + 1].tobytes()
    assert "0.5" in run.reason


def test_last_step_may_reach_the_tolerance() -> None:
    X, W, v, y = problem(10, 6, 30)
    net = ShallowNet(W, v, "softplus")
    first = train(net, X, y, steps=400, tolerance=0.5).step
    assert train(net, X, y, steps=first, tolerance=0.5).status == "converged"
    assert train(net, X, y, steps=first - 1, tolerance=0.5).status == "budget"


@pytest.mark.parametrize("name", ["softplus", "quadratic", "expr:x*x"])
@pytest.mark.parametrize("algorithm", ["gd", "sgd"])
def test_divergence_is_noticed_and_said(name, algorithm) -> None:
    X, W, v, y = problem(20, 4, 10)
    run = train(ShallowNet(W, v, name), X, 1e3 * y, eta=1e6, steps=2000, algorithm=algorithm)
    assert run.status == "diverged"
    assert "left every bound" in run.reason
    assert run.step < 2000
    assert not run.residual_norms[-1] <= DIVERGED * run.residual_norms[0]
    assert np.all(np.isfinite(run.end.W))


def test_a_start_that_fits_needs_no_step() -> None:
    X, W, v, _ = problem(6, 4, 10)
    net = ShallowNet(W, v, "linear")
    run = train(net, X, np.zeros(6), eta=1.0, steps=5) if not np.any(net(X)) else None
    assert run is None
    zero = ShallowNet(np.zeros((10, 4)), v, "linear")
    done = train(zero, X, np.zeros(6), eta=1.0, steps=5)
    assert done.status == "converged"
    assert done.step == 0
    assert done.relative_residual == 0
    assert done.measured_rate is None


def test_no_steps_only_evaluates() -> None:
    X, W, v, y = problem(6, 4, 10)
    run = train(ShallowNet(W, v, "relu"), X, y, steps=0, eta=1.0)
    assert run.steps.tolist() == [0]
    assert run.residual_norms[0] == pytest.approx(np.linalg.norm(naive.forward(X, W, v, "relu") - y), rel=1e-13)
    assert run.end.W.tobytes() == W.tobytes()


@pytest.mark.parametrize("algorithm", ["gd", "sgd"])
@pytest.mark.parametrize("name", ["softplus", "expr:x*tanh(x)"])
def test_ctrl_c_keeps_what_there_is(algorithm, name) -> None:
    X, W, v, y = problem(20, 4, 10)
    net = ShallowNet(W, v, name)
    before = signal.getsignal(signal.SIGINT)

    pressed = []

    def press(state) -> None:
        if state.step >= 3 and not pressed:
            pressed.append(state.step)
            signal.raise_signal(signal.SIGINT)

    run = train(net, X, y, algorithm=algorithm, eta=ETA, steps=10**9, every=1, progress=press)
    assert run.status == "interrupted"
    assert 3 <= run.step < 10**9
    assert run.steps[-1] == run.step
    assert signal.getsignal(signal.SIGINT) is before
    # What there is, is right: the same as asking for so many steps.
    again = train(net, X, y, algorithm=algorithm, eta=ETA, steps=run.step, every=1)
    assert bits(again) == bits(run)


def test_a_second_ctrl_c_is_an_ordinary_one() -> None:
    X, W, v, y = problem(20, 4, 10)

    def press(state) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(ShallowNet(W, v, "softplus"), X, y, eta=ETA, steps=10**9, progress=press)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_callers_condition_is_asked_at_checkpoints() -> None:
    X, W, v, y = problem(20, 4, 10)
    seen = []

    def enough(state) -> bool:
        seen.append(state.step)
        assert state.checkpoint is not None
        assert state.checkpoint.step == state.step
        assert state.net().W.shape == W.shape
        return state.step >= 30

    run = train(ShallowNet(W, v, "softplus"), X, y, eta=ETA, steps=100, checkpoints=[0, 10, 30, 60], stop=enough)
    assert seen == [0, 10, 30]
    assert run.status == "stopped"
    assert run.step == 30


# -- checkpoints ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["gd", "sgd"])
def test_checkpoints_hold_the_spectrum_of_the_jacobian(algorithm) -> None:
    X, W, v, y = problem(9, 4, 10)
    net = ShallowNet(W, v, "tanh")
    run = train(net, X, y, algorithm=algorithm, eta=0.05, steps=20, checkpoints=[0, 5, 20], every=1)
    assert [c.step for c in run.checkpoints] == [0, 5, 20]
    for c in run.checkpoints:
        at = train(net, X, y, algorithm=algorithm, eta=0.05, steps=c.step).end
        values = np.linalg.svd(dense_jacobian(at, X), compute_uv=False)
        assert c.sigma_min.contains(values[-1])
        assert c.sigma_max.contains(values[0])
        assert c.residual_norm == run.residual_norms[c.step]
        assert c.distance == pytest.approx(run.distances[c.step], rel=1e-12, abs=1e-300)


def test_spectrum_is_exactly_zero_with_fewer_weights_than_rows() -> None:
    X, W, v, _ = problem(9, 2, 4)
    low, top = jacobian_extremes(ShallowNet(W, v, "tanh"), X)
    assert low.exact_zero
    assert "k d = 8 < n = 9" in low.note
    assert top.value > 0


def test_spectrum_of_tiny_and_huge_output_weights() -> None:
    X, W, v, _ = problem(5, 4, 10)
    values = np.linalg.svd(naive.jacobian(X, W, v, "gelu"), compute_uv=False)
    for scale in (2.0**-700, 2.0**700):
        low, top = jacobian_extremes(ShallowNet(W, v * scale, "gelu"), X)
        assert low.contains(values[-1] * scale)
        assert top.contains(values[0] * scale)
        assert low.relative_radius < 1e-6
