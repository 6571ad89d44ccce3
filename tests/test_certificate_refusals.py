"""Certificates: what is refused and why; step sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from near_fits import near, signs, sphere

from jacspec import InputError, ShallowNet
from jacspec.certificates import Certificate, certify, gauss_newton_polish, stop_when_certified

# -- refusals -------------------------------------------------------------------------------------------------------


def refused(found: Certificate, *words: str) -> None:
    assert found.verdict == "NOT CERTIFIED"
    assert found.reason
    assert found.distance is None
    for word in words:
        assert word in found.reason, found.reason


@pytest.mark.parametrize("share", [0.9999, 1.0001])
def test_the_residual_decides_at_h_equal_1(share: float) -> None:
    net, X, _ = near("softplus", seed=5)
    s = certify(net, X, net(X) + 1e-9)
    assert s.sigma_min is not None
    assert s.lipschitz is not None
    size = share * s.sigma_min.value**2 / (2 * s.lipschitz.value)
    u = np.random.default_rng(0).standard_normal(len(X))
    found = certify(net, X, net(X) + size * u / np.linalg.norm(u), method="kantorovich")
    assert found.certified == (share < 1)
    if share > 1:
        refused(found, "h = 1.0001", "train on until")


def test_a_residual_just_too_large_for_newton() -> None:
    net, X, _ = near("softplus", seed=5)
    u = np.random.default_rng(0).standard_normal(len(X))
    low, high = 1e-6, 1e6
    for _ in range(60):
        mid = math.sqrt(low * high)
        low, high = (mid, high) if certify(net, X, net(X) + mid * u, method="newton").certified else (low, mid)
    refused(certify(net, X, net(X) + 1.001 * high * u, method="newton"), "J^+")
    found = certify(net, X, net(X) + 0.999 * low * u)
    assert found.method == "newton-certificate"  # never weaker, and existence only
    assert found.rate is None
    assert found.h is not None
    assert found.h.upper <= 1


def test_sigma_min_just_too_small() -> None:
    net, X, _ = near("softplus", n=3, d=3, k=4, seed=6)
    for angle, certified in ((1e-3, True), (1e-13, False)):
        turned = X.copy()
        turned[1] = X[0] + angle * X[2]
        found = certify(net, turned, net(turned) + 1e-10)
        assert found.certified == certified, found.reason


def test_too_few_weights() -> None:
    X, y = sphere(7, 3), signs(7)
    refused(certify(ShallowNet.initialize(2, 3, "softplus", y=y), X, y), "k d = 2 * 3 = 6 is less than n = 7")


def test_repeated_rows() -> None:
    net, X, y = near("softplus")
    X[4], y[4] = X[1], y[1] + 1e-15
    refused(certify(net, X, y, polish=3), "rows 1 and 4", "labels differ")
    y[4] = y[1]
    refused(certify(net, X, y), "rows 1 and 4", "sigma_min(J) = 0")
    with_relu = ShallowNet(net.W, net.v, "relu")
    refused(certify(with_relu, X, y), "rows 1 and 4")


def test_labels_that_cannot_be_reached() -> None:
    net, X, _ = near("sigmoid")
    bound = float(np.sum(np.abs(net.v)))
    refused(certify(net, X, np.full(len(X), 2 * bound), polish=10), "not below 1")
    positive = ShallowNet(net.W, np.abs(net.v), "softplus")
    refused(certify(positive, X, np.full(len(X), -1.0), polish=10))
    refused(certify(ShallowNet(net.W, np.abs(net.v), "relu"), X, np.full(len(X), -1.0), polish=10))


def test_dead_and_saturated_units() -> None:
    X, y = np.abs(sphere(4, 3)), np.array([1.0, 2.0, 3.0, 4.0])
    refused(certify(ShallowNet(-np.ones((4, 3)), np.ones(4), "relu"), X, y), "active")
    refused(certify(ShallowNet(1e4 * np.ones((4, 3)), np.ones(4), "tanh"), X, y), "sigma_min(J)")
    refused(certify(ShallowNet(np.ones((4, 3)), np.zeros(4), "softplus"), X, y), "sigma_min(J)")


def test_overflow_is_no_certificate() -> None:
    X, y = sphere(3, 3), np.ones(3)
    refused(certify(ShallowNet(np.full((4, 3), 1e200), np.ones(4), "quadratic"), X, y), "overflows")
    refused(certify(ShallowNet(np.full((4, 3), 1e308), np.ones(4), "softplus"), X * 1e5, y), "overflows")
    refused(certify(ShallowNet(np.full((4, 3), 1e150), np.full(4, 1e200), "quadratic"), X, y), "overflows")


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-80, 1e80, 1e150, 1e300])
@pytest.mark.parametrize("name", ["softplus", "relu"])
def test_extreme_output_weights_never_raise(name: str, scale: float) -> None:
    net, X, y = near(name, n=4, k=6, seed=3, size=1e-9)
    found = certify(ShallowNet(net.W, net.v * scale, name), X, y * scale, polish=1)
    assert found.verdict in ("CERTIFIED", "NOT CERTIFIED")
    if abs(math.log10(scale)) < 100:
        assert found.certified, found.reason


def test_far_away_where_sigma_squared_overflows() -> None:
    net, X, y = near("softplus", size=1.0)
    huge = ShallowNet(net.W, net.v * 1e200, "softplus")
    for method in ("auto", "newton", "kantorovich"):
        refused(certify(huge, X, huge(X) + 1e200 * (y - net(X)) * 30, method=method))  # type: ignore[arg-type]


def test_bad_input() -> None:
    net, X, y = near("softplus")
    broken = X.copy()
    broken[0, 0] = math.nan
    for bad in (
        lambda: certify(net, broken, y),
        lambda: certify(net, X, y * math.inf),
        lambda: certify(net, X[:, :2], y),
        lambda: certify(net, X, y[:2]),
        lambda: certify(net, X, y, eta=0.0),
        lambda: certify(net, X, y, eta="big"),  # type: ignore[arg-type]
        lambda: certify(net, X, y, method="kantorowitsch"),  # type: ignore[arg-type]
        lambda: certify(net, X, y, polish=-1),
        lambda: certify("net", X, y),  # type: ignore[arg-type]
        lambda: gauss_newton_polish(net, X, y, -1),
        lambda: stop_when_certified(X, y[:1]),
    ):
        with pytest.raises(InputError):
            bad()


def test_methods_and_activations_that_do_not_go_together() -> None:
    net, X, y = near("softplus")
    refused(certify(net, X, y, method="relu"), "softplus is not linear")
    refused(certify(ShallowNet(net.W, net.v, "relu"), X, y, method="newton"), "phi' of relu jumps")
    refused(certify(ShallowNet(net.W, net.v, "expr:tanh(x)"), X, y), "no proved evaluation")


# -- step sizes -----------------------------------------------------------------------------------------------------


def test_given_step_sizes() -> None:
    net, X, y = near("softplus", size=1e-3)
    best = certify(net, X, y)
    assert best.eta is not None
    assert best.rate is not None
    assert best.distance is not None
    small = certify(net, X, y, eta=best.eta / 3)
    assert small.certified
    assert small.path_constant == 1
    assert small.rate == pytest.approx(best.rate / 3)
    longer = certify(net, X, y, eta=1.5 * best.eta)
    assert longer.certified
    assert longer.path_constant is not None
    assert 0.2 < longer.path_constant < 0.3
    assert longer.distance is not None
    assert longer.distance > best.distance
    refused(certify(net, X, y, eta=2.1 * best.eta), "too long a step")
