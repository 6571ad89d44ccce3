"""jacspec.widths: every row derived again from the theorems, with mpmath and without jacspec.bounds.

The formulas are typed a second time in this file; only the constants of X and of the activation are taken from the
library (their own tests hold those).
"""

from __future__ import annotations

import dataclasses
import json
import math
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from jacspec.constants import Constants, data_constants
from jacspec.widths import (
    Options,
    Problem,
    WidthRow,
    even_at_least,
    gd_smooth_sharp_at,
    iterations_to,
    width_rows,
)

LOG = mp.log
CLOSE = mpf("1e-8")

CASES = {
    "sphere": lambda: ref.sphere(12, 8, 0),
    "wide": lambda: ref.sphere(30, 40, 1),
    "square": lambda: ref.sphere(20, 20, 2),
    "clusters": lambda: ref.cluster(18, 9, 6, 0.3, 3),
    "tall": lambda: ref.sphere(40, 10, 4),
    "two": lambda: np.array([[1.0, 0.0], [0.6, 0.8]]),
}
ACTIVATIONS = (
    "softplus",
    "tanh",
    "relu",
    "gelu",
    "sigmoid",
    "elu",
    "sin",
    "gaussian",
    "quadratic",
    "linear",
    "leaky_relu",
)


@lru_cache(maxsize=256)
def report(case: str, phi: str, options: Options | None = None) -> Constants:
    X = CASES[case]()
    y = np.random.default_rng(5).standard_normal(len(X))
    return data_constants(X, [phi], y=y, options=options or Options(), hermite_count=2)


def rows(case: str, phi: str, options: Options | None = None) -> dict[tuple[str, str], WidthRow]:
    return {(r.claim, r.variant): r for r in report(case, phi, options).activations[phi].widths}


def problem(case: str, phi: str, options: Options) -> Problem:
    """The problem behind the rows, with ``||y|| = 1``."""
    found = report(case, phi, options)
    a, (n, d) = found.activations[phi], (found.dataset.n, found.dataset.d)
    return Problem(n, d, 1.0, False, a.phi, found.spectrum, a.hermite, a.hidden, a.output)


class Quantities:
    """The constants, as mpmath numbers, at their safe ends."""

    def __init__(self, found: Constants, phi: str) -> None:
        a, s = found.activations[phi], found.spectrum
        self.n, self.d = mpf(found.dataset.n), mpf(found.dataset.d)
        self.y = mpf(found.y_norm)
        self.X = mpf(s.spectral_norm.upper)
        self.sigma = mpf(s.khatri_rao_sigma_min.lower)
        self.lam, self.lam_out = mpf(a.hidden.smallest.lower), mpf(a.output.smallest.lower)
        self.B1, self.B2 = mpf(a.phi.B1.upper), mpf(a.phi.B2.upper)
        self.B = max(self.B1, self.B2)
        self.mu = abs(mpf(a.hermite.mu_phi.value))
        self.variance, self.square = mpf(a.hermite.variance.upper), mpf(a.hermite.mean_square.upper)
        self.sup = mpf(a.phi.sup.upper)
        self.Lambda = mpf(s.norm_2_to_4_squared.upper)
        eigenvalues = a.hidden.eigenvalues
        assert eigenvalues is not None
        self.gaps = np.maximum(eigenvalues - a.hidden.radius - float(self.lam), 0.0)


def is_smallest_even(k: int | None, bound: Any, slack: Any = CLOSE) -> bool:
    """k is even, at least `bound`, and k - 2 is below it, up to a relative slack for the radii of the constants."""
    return k is not None and k % 2 == 0 and k >= bound * (1 - slack) and (k == 2 or k - 2 <= bound * (1 + slack))


def close(found: float | None, wanted: Any, tolerance: float = 1e-8) -> bool:
    return found is not None and abs(found / wanted - 1) <= tolerance


CHERNOFF = mpf("13.04")


@pytest.mark.parametrize("phi", ["softplus", "gelu", "elu"])
@pytest.mark.parametrize("case", ["sphere", "wide", "clusters"])
def test_gd_smooth_paper(case: str, phi: str) -> None:
    q, row, delta = Quantities(report(case, phi), phi), rows(case, phi)["theorem-gd-smooth", "paper"], mpf(1)
    assert row.verdict == "OK"
    kappa = mp.sqrt(q.d / q.n) * q.X / q.sigma**2
    c = 32 if q.B >= 1 else 16 * (1 + 1 / q.B)
    root = c * q.B**2 / q.mu**2 * (1 + delta) * kappa * q.n  # sqrt(k d)
    assert is_smallest_even(row.k, root**2 / q.d)
    assert close(row.step_size, q.n / (2 * q.B**2 * q.y**2 * q.X**2))
    assert close(row.rate, q.mu**2 / q.B**2 * q.sigma**2 / q.X**2 / 32)
    assert close(row.failure_probability, 1 / q.n + mp.exp(-(delta**2) * q.n / (2 * q.X**2)))
    assert row.assumes["delta"] == 1.0
    # The proof asks for this too, and it must follow.
    assert row.k is not None
    assert row.k >= CHERNOFF * LOG(q.n) * q.B1**2 * q.X**2 / (q.mu**2 * q.sigma**2)


@pytest.mark.parametrize("phi", ["softplus", "tanh", "elu", "gaussian", "linear"])
@pytest.mark.parametrize("case", ["sphere", "wide", "clusters"])
def test_gd_smooth_explicit(case: str, phi: str) -> None:
    q, row = Quantities(report(case, phi), phi), rows(case, phi)["theorem-gd-smooth", "explicit"]
    if q.lam <= 0:
        assert row.verdict == "VACUOUS"
        return
    root = 16 * q.B2 * (1 + 2 * q.B1) * mp.sqrt(q.n) * q.X / q.lam
    assert is_smallest_even(row.k, max(root**2, CHERNOFF * LOG(q.n) * q.B1**2 * q.X**2 / q.lam))
    eta = q.n / (2 * q.B1**2 * q.y**2 * q.X**2)
    assert close(row.step_size, eta)
    alpha2 = (q.y**2 / q.n) * q.lam / 8  # sigma_0 >= 2 alpha with sigma_0^2 >= s^2 lambda / 2
    assert close(row.rate, eta * alpha2 / 2)
    # gd-convergence: alpha^2 >= 2 L ||r_0||, eta <= 1 / (2 beta^2).
    assert row.k is not None
    L, r0 = q.B2 * q.y / mp.sqrt(q.n * row.k) * q.X, (1 + 2 * q.B1) * q.y
    assert alpha2 * (1 + CLOSE) >= 2 * L * r0
    assert row.step_size is not None
    assert row.step_size <= (1 + 1e-12) / (2 * (q.B1 * q.X) ** 2 * q.y**2 / q.n)
    assert row.iterations == math.ceil(math.log(1e-3) / math.log1p(-float(row.rate or 0)))


@pytest.mark.parametrize("phi", ["softplus", "tanh"])
@pytest.mark.parametrize("case", ["sphere", "wide"])
def test_sgd(case: str, phi: str) -> None:
    for nu in (2.0, 5.0) if (case, phi) == ("wide", "tanh") else (2.0,):
        options = Options(nu=nu)
        q, row = Quantities(report(case, phi, options), phi), rows(case, phi, options)["theorem-sgd-smooth", "explicit"]
        failure = 1 / q.n + mp.exp(-q.n / (2 * q.X**2)) + 1 / mpf(nu)
        if failure >= 1:
            assert row.verdict == "VACUOUS"
            assert ">= 1" in (row.reason or "")
            continue
        root = 64 * mpf(nu) * q.B2 * (1 + 2 * q.B1) * mp.sqrt(q.n) * q.X / q.lam
        assert is_smallest_even(row.k, max(root**2, CHERNOFF * LOG(q.n) * q.B1**2 * q.X**2 / q.lam))
        s2 = q.y**2 / q.n
        b2, beta2, alpha2 = q.B1**2 * s2, q.B1**2 * s2 * q.X**2, s2 * q.lam / 8
        eta = min(4 * alpha2 / (5 * b2 * beta2), 4 / (nu * b2))
        assert close(row.step_size, eta)
        assert close(row.rate, eta * alpha2 / q.n)
        assert close(row.failure_probability, failure)
        # sgd-convergence: alpha^2 >= 8 nu L ||r_0||.
        assert row.k is not None
        L = q.B2 * mp.sqrt(s2 / row.k) * q.X
        assert alpha2 * (1 + CLOSE) >= 8 * nu * L * (1 + 2 * q.B1) * q.y
        assert row.iterations == math.ceil(math.log(1e-6) / math.log1p(-float(row.rate or 0)))


def test_the_sgd_step_is_capped() -> None:
    options = Options(nu=4000.0)
    q, row = (
        Quantities(report("wide", "tanh", options), "tanh"),
        rows("wide", "tanh", options)["theorem-sgd-smooth", "explicit"],
    )
    cap = 4 / (4000 * q.B1**2 * q.y**2 / q.n)
    uncapped = q.n * q.lam / (10 * q.B1**4 * q.y**2 * q.X**2)
    assert close(row.step_size, min(cap, uncapped))
    assert cap < uncapped
    assert close(row.rate, cap * (q.y**2 / q.n) * q.lam / (8 * q.n))


@pytest.mark.parametrize("case", ["sphere", "wide", "clusters"])
def test_gd_relu(case: str) -> None:
    q, found = Quantities(report(case, "relu"), "relu"), rows(case, "relu")
    explicit, paper = found["theorem-gd-relu", "explicit"], found["theorem-gd-relu", "paper"]
    assert is_smallest_even(explicit.k, mpf("4.6e8") * 9 * q.n * q.X**6 / q.lam**4)
    eta = q.n / (2 * q.y**2 * q.X**2)
    assert close(explicit.step_size, eta)
    sigma2 = (q.y**2 / q.n) * q.lam / 2
    assert close(explicit.rate, eta * sigma2 / 3)
    assert close(explicit.failure_probability, 2 / q.n + mp.exp(-q.n / (2 * q.X**2)))
    # gd-perturbation at that width: ||J - J_0|| <= sigma_0 / 8 on the ball of radius 5 ||r_0|| / (2 sigma_0).
    assert explicit.k is not None
    R = 5 * 3 * q.y / (2 * mp.sqrt(sigma2))
    flips = 3 * (2 / mp.pi) ** (mpf(1) / 3) * (explicit.k * R) ** (mpf(2) / 3)
    assert q.y / mp.sqrt(q.n * explicit.k) * q.X * mp.sqrt(flips) <= mp.sqrt(sigma2) / 8
    assert LOG(q.n) - mpf("0.2867") * (explicit.k * R) ** (mpf(2) / 3) <= LOG(1 / q.n)
    # The paper's form follows from the explicit one with lambda >= sigma_min(X*X)^2 / (2 pi).
    kappa = mp.sqrt(q.d / q.n) * q.X / q.sigma**2
    C = paper.assumes["c"]
    assert is_smallest_even(paper.k, (C * 2 * q.n**2 / q.d * kappa**3 * q.sigma**2) ** 2 / q.d)
    assert paper.k is not None
    assert paper.k >= mpf("4.506e8") * 9 * q.n * q.X**6 / (q.sigma**2 / (2 * mp.pi)) ** 4
    assert close(paper.rate, q.sigma**2 / (2 * mp.pi) / (12 * q.X**2))


def test_the_constants_of_the_proofs() -> None:
    """13.036, 0.1534, 4.506e8, 2.5808, 0.2867 and 54/pi, derived."""
    exponent = mpf(1) / 2 + LOG(mpf(1) / 2) / 2  # eps + (1-eps) log(1-eps) at eps = 1/2
    assert 13.035 < 2 / exponent < 13.036 < CHERNOFF
    assert mpf("0.1534") <= exponent
    assert 2 / mpf("0.1534") < mpf("13.1")
    # N <= 2 k t a + R^2 / t^2 with a = sqrt(2/pi): minimise over t at k = R = 1.
    a = mp.sqrt(2 / mp.pi)
    t = a ** -(mpf(1) / 3)
    assert mpf("2.5807") < 2 * t * a + 1 / t**2 <= mpf("2.5808")
    assert mpf("0.2867") <= t * a / 3 < mpf("0.2868")
    # s sqrt(2.58) ||X|| (k R)^{1/3} / sqrt k <= s sqrt(lambda/2)/8 with R = (5/2) sqrt(2 n / lambda) (2 + delta).
    width = (8 * mp.sqrt(2)) ** 6 * (2 * t * a + 1 / t**2) ** 3 * (mpf(5) / 2) ** 2 * 2
    assert mpf("4.505e8") < width < mpf("4.507e8") < mpf("4.6e8")
    assert abs((2 * t * a + 1 / t**2) ** 3 - 54 / mp.pi) < mpf("1e-10")


@pytest.mark.parametrize("phi", ["tanh", "gaussian", "relu", "softplus", "linear", "quadratic"])
@pytest.mark.parametrize("case", ["sphere", "wide"])
def test_output_layer(case: str, phi: str) -> None:
    q, row = Quantities(report(case, phi), phi), rows(case, phi)["theorem-output-layer", "explicit"]
    assert row.trains == "output"
    if q.lam_out <= 0 or phi == "quadratic":
        assert row.verdict == "VACUOUS"
        return
    assert close(row.failure_probability, 1 / q.n)
    if mp.isfinite(q.sup):
        assert is_smallest_even(row.k, mpf("13.1") * q.sup**2 * q.n * LOG(q.n) / q.lam_out)
        return
    m, sg2 = mp.sqrt(q.n * q.square), (q.B1 * q.X) ** 2

    def width(t: Any) -> Any:
        T = m + t
        left = q.lam_out - mp.exp(-(t**2) / (2 * sg2)) * (T**2 + 2 * sg2 + 2 * m * sg2 / t)
        return 2 * LOG(q.n) / mpf("0.1534") * T**2 / left if left > 0 else mp.inf

    assert is_smallest_even(row.k, width(mpf(row.assumes["t"])))
    best = min(width(mp.sqrt(sg2) * mpf(x)) for x in np.geomspace(0.3, 80, 1500))
    assert row.k is not None
    assert row.k <= best * (1 + mpf("1e-5")) + 2


@settings(max_examples=20)
@given(st.floats(0.3, 6), st.floats(0.5, 20), st.floats(0.5, 5))
def test_truncation_bounds_the_lost_second_moment(u: float, m: float, sg: float) -> None:
    """E[Z^2 1{Z > m + t}] by parts, for the worst tail P(Z > m + t) = exp(-t^2/(2 sg^2)), is at most the loss."""
    t = u * sg
    tail = lambda x: mp.exp(-(x**2) / (2 * sg**2))  # noqa: E731
    exact = (m + t) ** 2 * tail(t) + mp.quad(lambda x: 2 * (m + x) * tail(x), [t, t + sg, t + 5 * sg, t + 30 * sg])
    from jacspec import bounds

    T, loss = bounds.output_layer_truncation(t, sg, 1.0, m * m, 1)
    assert m + t == T
    assert exact <= loss * (1 + 1e-12)


# -- sharp ------------------------------------------------------------------------------------------------------------


def log_chernoff(q: Quantities, eps: Any, k: Any) -> Any:
    """log of sum_j exp(-eps k gap_j / (B1 X)^2) [e^-eps / (1-eps)^(1-eps)]^(k lambda / (B1 X)^2)."""
    scale = k / (q.B1 * q.X) ** 2
    spread = float(np.sum(np.exp(-float(eps * scale) * q.gaps)))
    return LOG(spread) - scale * q.lam * (eps + (1 - eps) * LOG(1 - eps))


def rho_of(q: Quantities, delta: Any) -> Any:
    return mp.sqrt(1 + q.variance) + delta * q.B1


def gd_sharp_holds(q: Quantities, k: Any, eps: Any, delta: Any) -> Any:
    """sqrt(k) over what the strict condition asks for: the one with its own c, with etabar = 0, at every step size."""
    return mp.sqrt(k) - 2 * q.B2 * q.Lambda * rho_of(q, delta) * mp.sqrt(q.n) / ((1 - eps) * q.lam)


def fine_grid(q: Quantities, k: int, failure: float, count: int = 400) -> Any:
    """(eps, delta) on the boundary ``failure``: for each share of it that goes to the Chernoff bound."""
    for share in 1 / (1 + np.exp(-np.linspace(-14, 14, count))):
        delta = float(q.X) * math.sqrt(-2 * (math.log(failure) + math.log1p(-share)) / float(q.n))
        target = math.log(failure * share)
        low, high = 1e-12, 1 - 1e-12
        if log_chernoff(q, mpf(high), k) > target:
            continue
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if log_chernoff(q, mpf(middle), k) > target else (low, middle)
        yield mpf(high), mpf(delta)


@pytest.mark.parametrize("eta_bar", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("case, phi", [("sphere", "softplus"), ("wide", "tanh"), ("two", "gelu"), ("tall", "tanh")])
def test_gd_smooth_sharp(case: str, phi: str, eta_bar: float) -> None:
    options = Options(eta_bar=eta_bar)
    q, row = Quantities(report(case, phi, options), phi), rows(case, phi, options)["theorem-gd-smooth", "sharp"]
    assert row.verdict == "OK"
    assert row.k is not None
    eps, delta, eta = mpf(row.assumes["eps"]), mpf(row.assumes["delta"]), mpf(eta_bar)
    assert 0 < eps < 1
    assert gd_sharp_holds(q, row.k, eps, delta) > 0
    total = mp.exp(log_chernoff(q, eps, row.k)) + mp.exp(-(delta**2) * q.n / (2 * q.X**2))
    assert total <= row.failure_probability * (1 + mpf("1e-9"))
    assert row.failure_probability == options.failure
    if row.k > 2:
        below = mpf(row.k - 2) * (1 - mpf("1e-6"))
        count = 60 if len(q.gaps) > 20 else 150
        assert not any(gd_sharp_holds(q, below, e, d) > 0 for e, d in fine_grid(q, int(below), 0.05, count))
    if eta_bar == 0:
        assert (row.step_size, row.rate, row.iterations) == (None, None, None)
        assert "every step size up to 1/beta^2" in (row.reason or "")
        return
    # gd-kantorovich with c = 1, in the scale of the problem.
    s = q.y / mp.sqrt(q.n)
    beta, L, r0 = q.B1 * s * q.X, q.B2 * s / mp.sqrt(row.k) * q.Lambda, rho_of(q, delta) * q.y
    step = eta / (2 * beta**2)
    sigma2 = (1 - eps) * s**2 * q.lam
    h = 2 * L * r0 / sigma2
    assert step * beta**2 <= 1
    assert h < 1
    assert close(row.step_size, step)
    assert abs(row.assumes["h"] - h) < 1e-9
    assert close(row.rate, step * sigma2 * (1 - h), 1e-6 / float(1 - h))


@pytest.mark.parametrize("eta_bar", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("case, phi", [("sphere", "softplus"), ("two", "gelu")])
def test_gd_smooth_with_the_c_of_theory_is_weaker(case: str, phi: str, eta_bar: float) -> None:
    """The sharp form with its own c = 1 - eta beta^2/2 - eta L ||r_0||/2: a smaller rate at every width."""
    options = Options(eta_bar=eta_bar)
    row = rows(case, phi, options)["theorem-gd-smooth", "sharp"]
    p = problem(case, phi, options)
    assert row.k is not None
    assert gd_smooth_sharp_at(p, row.k, options, own_c=True) is None or eta_bar < 0.1
    for times in (2, 8, 100):
        unit, own = (gd_smooth_sharp_at(p, times * row.k, options, own_c=own) for own in (False, True))
        assert unit is not None
        assert own is not None
        assert unit.c == 1
        assert unit.rate > own.rate
        q, eta = Quantities(report(case, phi, options), phi), mpf(eta_bar)
        L, s = q.B2 * q.Lambda / mp.sqrt(own.k), 1 / mp.sqrt(q.n)  # ||y|| = 1
        step, r0 = eta / (2 * (q.B1 * s * q.X) ** 2), rho_of(q, mpf(own.delta))
        c = 1 - step * (q.B1 * s * q.X) ** 2 / 2 - step * L * s * r0 / 2
        h = 2 * L * s * r0 / (c * s**2 * (1 - mpf(own.eps)) * q.lam)
        assert close(own.c, c)
        assert close(own.h, h)
        assert close(own.rate, step * c * s**2 * (1 - mpf(own.eps)) * q.lam * (1 - h), 1e-7)


def test_gd_smooth_sharp_allows_steps_up_to_the_inverse_of_beta_squared() -> None:
    options = Options(eta_bar=1.0)
    p, k = problem("two", "gelu", options), 10**6
    one, two = (gd_smooth_sharp_at(p, k, Options(eta_bar=eta_bar)) for eta_bar in (1.0, 2.0))
    assert one is not None
    assert two is not None
    assert two.rate == pytest.approx(2 * one.rate)
    assert gd_smooth_sharp_at(p, k, Options(eta_bar=2.01)) is None


@pytest.mark.parametrize("eta_bar", [0.0, 1.0])
@pytest.mark.parametrize("case", ["sphere", "two"])
def test_gd_relu_sharp(case: str, eta_bar: float) -> None:
    options = Options(eta_bar=eta_bar)
    q, row = Quantities(report(case, "relu", options), "relu"), rows(case, "relu", options)["theorem-gd-relu", "sharp"]
    assert row.k is not None
    eps, eps_c, delta = (mpf(row.assumes[name]) for name in ("eps", "eps_c", "delta"))
    m = 1 - mpf(eta_bar) / 2  # 1 - eta beta^2

    def slope(e: Any) -> Any:
        return mp.sqrt((1 - e**2) * m) - e

    def asked(e: Any, ec: Any, dl: Any) -> Any:
        b = slope(e)
        return 54 / mp.pi * q.n * q.X**6 * rho_of(q, dl) ** 2 / (e**6 * b**2 * (1 - ec) ** 4 * q.lam**4)

    assert row.k >= asked(eps, eps_c, delta) * (1 - mpf("1e-12"))
    b = slope(eps)
    lam = (1 - eps_c) * q.lam
    R = rho_of(q, delta) * mp.sqrt(q.n / lam) / b  # path <= ||r_0|| / (b sigma_0)
    flips = mp.exp(LOG(q.n) - (2 / mp.pi) ** (mpf(1) / 3) / 3 * (row.k * R) ** (mpf(2) / 3))
    total = mp.exp(log_chernoff(q, eps_c, row.k)) + mp.exp(-(delta**2) * q.n / (2 * q.X**2)) + flips
    assert total <= 0.05 * (1 + mpf("1e-9"))
    # ||J - J_0|| <= eps sigma_0 on that ball.
    changed = 3 * (2 / mp.pi) ** (mpf(1) / 3) * (row.k * R) ** (mpf(2) / 3)
    assert q.X * mp.sqrt(changed / row.k) <= eps * mp.sqrt(lam) * (1 + mpf("1e-12"))
    below = mpf(row.k - 2) * (1 - mpf("1e-6"))
    pairs = list(fine_grid(q, int(below), 0.05, 60))
    assert pairs
    for e in [*np.linspace(0.05, 0.7, 40), float(eps)]:
        if slope(e) > 0:
            assert all(below < asked(mpf(e), ec, dl) for ec, dl in pairs)
    if eta_bar:
        assert close(row.step_size, q.n / (2 * q.y**2 * q.X**2))
        # The least of what a step takes over all ||J_t^T r_t|| = A sigma_0 ||r_t||.
        taken = min(A**2 * m / 2 - eps * A + (1 - eps**2) / 2 for A in mp.linspace(1 - eps, 2, 20001))
        assert close(row.rate, taken * lam / (2 * q.X**2), 1e-7)
        # The b of the explicit proof, at its best eps = 9/44, asks for a hundred times as much.
        e = mpf(9) / 44
        old = 54 / mp.pi / (e**6 * (mpf(3) / 4 * (1 - e) - 2 * e) ** 2)
        assert old > 100 * 54 / mp.pi / (eps**6 * b**2)
    else:
        assert row.rate is None


def test_variants_improve_on_each_other() -> None:
    for case in ("sphere", "wide", "clusters"):
        for phi in ("softplus", "gelu"):
            found = rows(case, phi)
            paper, explicit, sharp = (found["theorem-gd-smooth", v].k for v in ("paper", "explicit", "sharp"))
            assert paper is not None
            assert explicit is not None
            assert sharp is not None
            assert paper >= explicit >= sharp


# -- labels -----------------------------------------------------------------------------------------------------------


@settings(max_examples=8)
@given(st.floats(-140, 140), st.sampled_from(["softplus", "relu"]), st.sampled_from([0.0, 0.7]))
def test_step_sizes_scale_with_the_labels_and_nothing_else_does(power: float, phi: str, eta_bar: float) -> None:
    options = Options(eta_bar=eta_bar)
    base = report("sphere", phi, options)
    a = base.activations[phi]
    from jacspec.widths import Problem

    def at(y_norm: float) -> list[WidthRow]:
        n, d = base.dataset.n, base.dataset.d
        problem = Problem(n, d, y_norm, False, a.phi, base.spectrum, a.hermite, a.hidden, a.output)
        return list(width_rows(problem, options))

    one, scaled = at(1.0), at(10.0**power)
    for p, q in zip(one, scaled, strict=True):
        if p.step_size is not None:
            assert close(q.step_size, p.step_size / mpf(10.0**power) ** 2, 1e-12)
        assert dataclasses.replace(p, step_size=None) == dataclasses.replace(q, step_size=None)


@pytest.mark.parametrize("size", [5e-324, 1e-308, 1e-200, 1e-160, 1e160, 1e200, 1e308])
def test_labels_at_the_ends_of_float64(size: float) -> None:
    X = ref.sphere(8, 6, 1)
    found = data_constants(X, ["softplus", "relu"], y=np.full(8, size), options=Options(eta_bar=0.5))
    json.dumps(found.to_json(), allow_nan=False)
    for a in found.activations.values():
        for row in a.widths:
            if row.rate is not None:
                assert row.rate > 0
                assert row.step_size is None
                assert "beyond float64" in (row.reason or "")


def test_without_labels_the_rows_say_what_was_assumed() -> None:
    X = ref.sphere(9, 6, 1)
    assumed = data_constants(X, ["softplus"])
    given_ones = data_constants(X, ["softplus"], y=np.ones(9))
    assert assumed.y_norm == 3.0
    for p, q in zip(assumed.activations["softplus"].widths, given_ones.activations["softplus"].widths, strict=True):
        assert (p.k, p.step_size, p.rate) == (q.k, q.step_size, q.rate)
        assert ("y_norm" in p.assumes) == (
            p.verdict == "OK" and bool(p.assumes) and "M" not in p.assumes and "t" not in p.assumes
        )
        assert "y_norm" not in q.assumes


# -- small parts ------------------------------------------------------------------------------------------------------


def test_phase_transition_lower() -> None:
    for case in ("sphere", "wide", "tall", "two"):
        X = CASES[case]()
        n, d = X.shape
        row = rows(case, "relu")["phase-transition-lower", "sharp"]
        assert row.role == "necessary"
        assert row.k is not None
        assert row.k % 2 == 0
        assert row.k * d >= n
        assert row.k == 2 or (row.k - 2) * d < n
        assert row.failure_probability == 0.0


@given(st.integers(1, 10**15))
def test_even_at_least(k: int) -> None:
    assert even_at_least(k) in (k, k + 1) or k == 1
    assert even_at_least(k) % 2 == 0
    assert even_at_least(k + 0.25) >= k + 0.25 or k > 2**50


@given(st.floats(1e-300, 0.999), st.floats(1e-12, 0.999))
def test_iterations(rate: float, tolerance: float) -> None:
    t = iterations_to(tolerance, rate)
    assert t is not None
    with mp.workdps(40):
        assert t * mp.log1p(-mpf(rate)) <= LOG(mpf(tolerance)) * (1 - mpf("1e-12"))
        assert (t - 1) * mp.log1p(-mpf(rate)) >= LOG(mpf(tolerance)) * (1 + mpf("1e-12"))


def test_iterations_without_progress() -> None:
    assert iterations_to(1e-3, 0.0) is None
    assert iterations_to(1e-3, 1.0) == 1


def test_all_rows_are_well_formed() -> None:
    for case in ("sphere", "two"):
        for phi in ACTIVATIONS:
            for row in report(case, phi).activations[phi].widths:
                assert (row.k is None) == (row.verdict == "VACUOUS")
                assert row.k is None or (isinstance(row.k, int) and row.k >= 2 and row.k % 2 == 0)
                assert row.verdict == "OK" or row.reason
                for x in (row.step_size, row.rate, row.failure_probability):
                    assert x is None or math.isfinite(x)
                assert row.failure_probability is None or 0 <= row.failure_probability < 1
