"""Certificates: never a false one, not vacuous where runs succeed, and every refusal with its reason."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from families import SMOOTH
from mpmath import mpf
from near_fits import near, signs, sphere

from jacspec import InputError, ShallowNet, activation, train
from jacspec.certificates import Certificate, certify, files, gauss_newton_polish, stop_when_certified
from jacspec.certificates.least_change import applied, smallest_turns, solved
from jacspec.certificates.linearization import linearize, norm_bounds, precise_residual
from jacspec.certificates.lipschitz import Smoothness
from jacspec.enclosure import BallMatrix
from jacspec.enclosure.elementwise import phi_enclosure
from jacspec.rounding import Estimate
from verification.arithmetic import Multiprecision


@cache
def trained(
    name: str, n: int, d: int, k: int, seed: int, steps: int = 100_000
) -> tuple[ShallowNet, np.ndarray, np.ndarray]:
    X, y = sphere(n, d, seed), signs(n, seed)
    net = ShallowNet.initialize(k, d, name, y=y, seed=seed)
    run = train(net, X, y, steps=steps, tolerance=1e-12, eta=0.01 if name == "quadratic" else "auto")
    return run.end, X, y


# -- where runs end -------------------------------------------------------------------------------------------------


def test_softplus_is_certified_from_k_6_on_for_most_seeds() -> None:
    verdicts = [certify(*trained("softplus", 40, 10, 6, seed)).certified for seed in range(6)]
    assert sum(verdicts) >= 4


@pytest.mark.parametrize("name", ["softplus", "tanh"])
def test_wide_enough_runs_are_certified(name: str) -> None:
    found = [certify(*trained(name, 40, 10, 20, seed)) for seed in range(4)]
    assert sum(c.certified for c in found) >= 3  # tanh: one run of these is caught where sigma_min(J) is 0.003
    for c in found:
        assert c.method == "interpolation-certificate"
        assert c.certified == (c.distance is not None)
        assert c.distance is None or c.distance < 0.1


def test_relu_is_certified_where_units_rest_next_to_their_kinks() -> None:
    for seed in range(3):
        found = certify(*trained("relu", 40, 10, 20, seed, 50_000))
        assert found.certified, found.reason
        assert found.units is not None
        assert found.units.any()


@pytest.mark.parametrize("seed", range(3))
def test_initial_certificate(seed: int) -> None:
    X, y = sphere(10, 20, seed), signs(10, seed)
    net = ShallowNet.initialize(4000, 20, "softplus", y=y, seed=seed)
    found = certify(net, X, y, weights="start")
    assert found.certified
    assert found.weights == "start"


@pytest.mark.parametrize("name", [*SMOOTH, "leaky_relu", "relu"])
def test_every_activation_can_be_certified(name: str) -> None:
    found = certify(*near(name, n=4, k=6, seed=3, size=1e-9))
    assert found.certified, found.reason
    assert found.distance is not None
    assert found.distance < 1e-6


# -- the numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softplus", "tanh", "gelu", "elu", "arctan", "sin"])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e5])
def test_numbers_hold_the_truth(name: str, scale: float) -> None:
    net, X, y = near(name, n=4, d=3, k=5, seed=1, size=1e-9)
    net, y = ShallowNet(net.W, net.v * scale, name), y * scale
    found = certify(net, X, y)
    assert found.certified, found.reason
    m = Multiprecision(60)
    with m.working():
        Xm, Wm, vm = m.matrix(X), m.matrix(net.W), m.matrix(net.v)
        r = m.norm(m.evaluate(net.activation, "phi", Xm @ Wm.T) @ vm - m.matrix(y))
        top, low = m.singular_values(m.jacobian(Xm, Wm, vm, net.activation))
        assert found.residual is not None
        assert found.sigma_min is not None
        assert found.beta is not None
        assert found.h is not None
        assert found.lipschitz is not None
        assert found.residual.contains(r)
        assert found.sigma_min.contains(low)
        assert found.beta.upper >= top
        L = mpf(found.lipschitz.upper)
        assert found.h.upper >= 2 * L * r / low**2
        assert found.distance is not None
        assert found.rate is not None
        assert found.eta is not None
        h = 2 * L * r / low**2
        assert mpf(found.distance) >= 2 * r / (low * (1 + (1 - h) ** mpf(0.5)))
        assert mpf(found.rate) <= mpf(found.eta) * low**2 * (1 - h)
        assert mpf(found.eta) * mpf(found.beta.upper) ** 2 <= 1
    assert found.sigma_min.relative_radius < 1e-6
    assert found.residual.relative_radius < 1e-3


def test_an_interpolator_is_where_the_certificate_says() -> None:
    net, X, y = near("tanh", n=5, d=4, k=8, seed=2, size=1e-2)
    found = certify(net, X, y)
    assert found.certified
    end = gauss_newton_polish(net, X, y, 30)
    assert np.linalg.norm(end.residual(X, y)) < 1e-13
    assert found.distance is not None
    assert np.linalg.norm(end.W - net.W) <= found.distance


def test_gradient_descent_keeps_the_promise() -> None:
    net, X, y = near("softplus", n=5, d=4, k=8, seed=2, size=3e-2)
    found = certify(net, X, y)
    assert found.certified
    assert found.eta is not None
    assert found.rate is not None
    assert found.distance is not None
    run = train(net, X, y, steps=300, eta=found.eta)
    norms = run.residual_norms[run.residual_norms > 1e-12]
    assert np.all(norms[1:] <= (1 - found.rate) * norms[:-1] * (1 + 1e-12))
    assert run.path_lengths[-1] <= found.distance


def test_lipschitz_bound_is_above_what_is_seen_and_below_the_norm() -> None:
    X = sphere(30, 6, 4) * np.random.default_rng(1).uniform(0.5, 2.0, 30)[:, None]
    net = ShallowNet(np.ones((3, 6)), [1.0, -2.0, 0.5], "softplus")
    s = Smoothness(net, X)
    w = np.random.default_rng(2).standard_normal((6, 500))
    for _ in range(50):
        w = X.T @ (X @ w) ** 3
        w /= np.linalg.norm(w, axis=0)
    seen = math.sqrt(float(np.max(np.sum((X @ w) ** 4, axis=0))))
    assert seen <= s.two_to_four_squared.upper < (s.X_norm * s.row_norm).upper
    assert s.lipschitz.contains(0.25 * 2.0 * s.two_to_four_squared.value)
    assert s.two_to_four_squared.rigorous


@pytest.mark.parametrize("name", [*SMOOTH, "relu", "leaky_relu"])
def test_residual_in_both_arithmetics(name: str) -> None:
    net, X, y = near(name, size=1e-3)
    at, precise = linearize(net, X, y), precise_residual(net, X, y)
    assert precise is not None
    mid, radius = precise
    # One ball inside the other, and narrower.
    assert np.all(np.abs(mid - at.residual) <= at.residual_radius + radius)
    assert np.all(radius < 1e-16)
    assert np.all(radius <= at.residual_radius)


LANES = {
    # What is dropped: (what to patch, activation, size of W, whether the residual or D falls out of its ball)
    "pre-activations": ("gram_radius", "sin", 1e5, "residual"),
    "pre-activations of D": ("gram_radius", "sin", 1e5, "D"),
    "phi": ("phi_enclosure", "erf", 1.0, "residual"),
    "phi'": ("phi_enclosure", "erf", 1.0, "D"),
    "sums": ("UNIT_ROUNDOFF", "linear", 1.0, "residual"),
}


def _misses(lane: str, seed: int) -> bool:
    """Whether f(W) - y or D lies outside its ball, in 60 digits."""
    _, name, size, which = LANES[lane]
    rng = np.random.default_rng(seed)
    d = 1 if lane == "sums" else 6  # one product: pre-activations of small integers are exact
    W = rng.integers(-4, 5, (40, 1)) * 1.0 if lane == "sums" else size * rng.standard_normal((12, d))
    X = np.ones((3, 1)) if lane == "sums" else rng.standard_normal((3, d))
    net, y = ShallowNet(W, rng.standard_normal(len(W)), name), rng.standard_normal(3)
    at = linearize(net, X, y)
    m = Multiprecision(60)
    with m.working():
        Z, v = m.matrix(X) @ m.matrix(W).T, m.matrix(net.v)
        if which == "D":
            off = np.abs(m.evaluate(net.activation, "dphi", Z) * v - m.matrix(at.D.mid)) - m.matrix(at.D.rad)
        else:
            truth = m.evaluate(net.activation, "phi", Z) @ v - m.matrix(y)
            off = np.abs(truth - m.matrix(at.residual)) - m.matrix(at.residual_radius)
        return bool(np.any(off > 0))


@pytest.mark.parametrize("lane", LANES)
def test_a_dropped_error_term_is_caught(lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(_misses(lane, seed) for seed in range(20))
    target, home = LANES[lane][0], "jacspec.certificates.linearization"
    if target == "gram_radius":
        monkeypatch.setattr(f"{home}.gram_radius", lambda A: np.zeros(len(A)))
    elif target == "phi_enclosure":

        def bold(*arguments: object) -> tuple[np.ndarray, ...]:
            a, r, b, s = phi_enclosure(arguments[0], arguments[1])  # type: ignore[arg-type]
            return a, 0 * r, b, 0 * s

        monkeypatch.setattr(f"{home}.phi_enclosure", bold)
        monkeypatch.setattr(f"{home}.UNIT_ROUNDOFF", 0.0)
    else:
        monkeypatch.setattr(f"{home}.UNIT_ROUNDOFF", 0.0)
        monkeypatch.setattr(
            f"{home}.phi_enclosure", lambda p, z, r: (z, 0 * z, np.ones_like(z), 0 * z)
        )  # what is linear is exact: only the sums are left
    assert any(_misses(lane, seed) for seed in range(20))


APPLIED = {"products": "gram_radius", "sums": "UNIT_ROUNDOFF", "D": ""}


def _application_misses(lane: str, seed: int) -> bool:
    """Whether J Delta lies outside its ball, in 60 digits; D at the end of its own."""
    rng = np.random.default_rng(seed)
    d = 1 if lane == "sums" else 6
    X = np.ones((3, 1)) if lane == "sums" else rng.standard_normal((3, d))
    mid, delta = rng.standard_normal((3, 30)), rng.standard_normal((30, d))
    rad = 1e-12 * rng.random((3, 30)) if lane == "D" else np.zeros((3, 30))
    _, _, value, radius = applied(BallMatrix(mid, rad if lane != "D" or seed < 100 else 0 * rad), X, delta)
    m = Multiprecision(60)
    with m.working():
        P = m.matrix(X) @ m.matrix(delta).T
        D = m.matrix(mid) + m.matrix(rad) * np.sign(X @ delta.T)
        off = np.abs(np.sum(D * P, axis=1) - m.matrix(value)) - m.matrix(radius)
        return bool(np.any(off > 0))


@pytest.mark.parametrize("lane", APPLIED)
def test_a_dropped_error_term_of_j_delta_is_caught(lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(_application_misses(lane, seed) for seed in range(30))
    home = "jacspec.certificates.least_change"
    if lane == "products":
        monkeypatch.setattr(f"{home}.gram_radius", lambda A: np.zeros(len(A)))
        monkeypatch.setattr(f"{home}.UNIT_ROUNDOFF", 0.0)
        assert any(_application_misses(lane, seed) for seed in range(30))
    elif lane == "sums":
        monkeypatch.setattr(f"{home}.gram_radius", lambda A: np.zeros(len(A)))  # products by 1 are exact
        assert not any(_application_misses(lane, seed) for seed in range(30))
        monkeypatch.setattr(f"{home}.UNIT_ROUNDOFF", 0.0)
        assert any(_application_misses(lane, seed) for seed in range(30))
    else:
        assert any(_application_misses(lane, seed) for seed in range(100, 130))  # the radii of D ignored


def test_norm_bounds() -> None:
    e = norm_bounds(np.array([3.0, -4.0]), np.array([0.5, 0.0]))
    assert e.contains(math.hypot(2.5, 4.0))
    assert e.contains(math.hypot(3.5, 4.0))
    assert norm_bounds(np.zeros(3)).exact_zero
    tiny = norm_bounds(np.full(4, 1e-310))
    assert tiny.contains(2e-310)
    assert norm_bounds(np.full(4, 1e300)).contains(2e300)
    assert norm_bounds(np.array([math.inf])).value == math.inf
    assert norm_bounds(np.array([1.5e308, 3.0])).contains(1.5e308)
    assert norm_bounds(np.full(4, 1.7e308)).lower == -math.inf  # beyond float64: nothing is known


# -- polishing ------------------------------------------------------------------------------------------------------


def test_polishing_says_from_which_weights() -> None:
    X, y = sphere(20, 6, 1), signs(20, 1)
    net = ShallowNet.initialize(30, 6, "softplus", y=y, seed=1)
    assert not certify(net, X, y).certified
    found = certify(net, X, y, polish=20)
    assert found.certified
    assert 1 <= found.polish < 20
    assert found.net is not net
    assert found.polish_distance == pytest.approx(float(np.linalg.norm(found.net.W - net.W)))
    again = certify(found.net, X, y)
    assert again.certified
    assert again.polish == 0


def test_polishing_stops_where_nothing_improves() -> None:
    net, X, _ = near("sigmoid")
    assert gauss_newton_polish(net, X, np.full(len(X), 1e6), 0) is net
    exact = ShallowNet(np.eye(3), np.ones(3), "linear")
    assert gauss_newton_polish(exact, np.eye(3), exact(np.eye(3)), 5) is exact


# -- relu -----------------------------------------------------------------------------------------------------------


def test_units_at_kinks_are_left_out() -> None:
    net, X, y = near("relu", n=4, d=4, k=10, seed=7, size=1e-9)
    W = net.W.copy()
    W[2] = 0.0  # on the kink of every row
    moved = ShallowNet(W, net.v, "relu")
    found = certify(moved, X, moved(X) + (y - net(X)))
    assert found.certified, found.reason
    assert found.units is not None
    assert not found.units[2]
    assert found.step is not None
    assert not found.step[2].any()
    assert found.units.any()


def test_smallest_turns_solves_and_turns_less() -> None:
    rng = np.random.default_rng(0)
    X, D, t = sphere(6, 4), rng.standard_normal((6, 9)), rng.standard_normal(6)
    room = np.exp(rng.uniform(-18, 0, (6, 9)))
    plain, careful = solved(D, X, t), smallest_turns(D, X, t, room)
    for delta in (plain, careful):
        np.testing.assert_allclose(np.sum(D * (X @ delta.T), axis=1), t, rtol=1e-9, atol=1e-9)
    assert np.max(np.abs(X @ careful.T) / room) < 1e-2 * np.max(np.abs(X @ plain.T) / room)
    assert np.linalg.norm(plain) <= np.linalg.norm(careful)


# -- stopping -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softplus", "relu"])
def test_a_run_stops_when_it_is_proved(name: str) -> None:
    X, y = sphere(20, 8, 1), signs(20, 1)
    net, rule = ShallowNet.initialize(20, 8, name, y=y, seed=1), stop_when_certified(X, y)
    run = train(net, X, y, steps=50_000, checkpoints=range(0, 50_000, 500), stop=rule)
    assert run.status == "stopped"
    assert rule.certificate is not None
    assert rule.certificate.certified
    assert np.array_equal(rule.certificate.net.W, run.end.W)
    assert rule.certificate.weights == f"step {run.step}"
    assert certify(run.end, X, y).certified


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "leaky_relu:slope=0.2"])
def test_files_round_trip(name: str, tmp_path: Path) -> None:
    found = certify(*near(name, size=1e-9), weights="some weights")
    assert found.certified
    path = tmp_path / "c.npz"
    found.save(path)
    again = Certificate.load(path)
    assert again.to_json() == found.to_json()
    assert np.array_equal(again.net.W, found.net.W)
    assert again.net.activation == activation(name)
    if found.step is not None:
        assert np.array_equal(again.step, found.step)


def test_one_changed_bit_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    certify(*near("tanh", n=2, d=2, k=2, size=1e-9)).save(path)
    content = path.read_bytes()
    bits = {*range(400), *range(8 * len(content) - 1200, 8 * len(content))}
    bits |= set(np.random.default_rng(0).integers(8 * len(content), size=300).tolist())
    for bit in sorted(bits):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(bytes(changed))
        with pytest.raises(InputError):
            Certificate.load(path)
    path.write_bytes(content[:-1])
    with pytest.raises(InputError):
        Certificate.load(path)
    path.write_bytes(content)
    assert Certificate.load(path).certified


def test_what_is_no_certificate(tmp_path: Path) -> None:
    net, X, y = near("softplus", size=1e3)
    with pytest.raises(InputError, match="nothing is certified"):
        certify(net, X, y).save(tmp_path / "c.npz")
    good = certify(*near("softplus"))
    for bad in (tmp_path / "c.txt", tmp_path / "none" / "c.npz"):
        with pytest.raises(InputError):
            good.save(bad)
    with pytest.raises(InputError):
        Certificate.load(tmp_path / "missing.npz")
    np.savez(tmp_path / "other.npz", X=X)
    with pytest.raises(InputError, match="format"):
        Certificate.load(tmp_path / "other.npz")
    files.write(tmp_path / "odd.npz", {"X": X}, {"verdict": "CERTIFIED"})
    with pytest.raises(InputError):
        Certificate.load(tmp_path / "odd.npz")


def test_json() -> None:
    good, bad = certify(*near("softplus")), certify(*near("softplus", size=1e4))
    for found in (good, bad):
        text = found.to_json()
        assert text["schema"] == "jacspec.certificate/1"
        wanted = {
            "verdict",
            "reason",
            "method",
            "h",
            "sigma_min",
            "residual",
            "lipschitz",
            "beta",
            "distance",
            "rate",
            "eta",
        }
        assert wanted <= set(text)
        assert len(text["inputs"]["sha256"]) == 64
        assert text["sigma_min"]["rigorous"]
    assert good.to_json()["reason"] is None
    assert bad.to_json()["distance"] is None
    assert Estimate(**{k: good.to_json()["h"][k] for k in ("value", "radius", "rigorous")}).upper < 1
