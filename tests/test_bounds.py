"""Every right-hand side against the formula as its claim states it, and the power of that comparison.

The formulas are typed a second time here, on purpose, in mpmath and at generic points. A second test deletes every
factor and term of every bound, one at a time, and demands that the first test would notice.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpmath import binomial, exp, log, mp, mpf, pi, quad, sqrt

from jacspec import bounds
from jacspec.rounding import Estimate

n, d, k = 7, 5, 11
B, B1, B2, mu, delta, nu = 1.3, 1.7, 0.6, 0.37, 0.8, 2.3
X, lam, sig, v, vinf, y, Lam = 3.1, 0.23, 0.41, 0.9, 0.45, 2.9, 1.9
eps, eta, t, R, c, var, b, h = 0.3, 0.7, 0.61, 0.53, 29.0, 0.27, 0.11, 0.19
gaps = np.array([0.0, 0.05, 0.3])

#: name -> (arguments, the formula in mpmath)
CASES: dict[str, tuple[tuple[Any, ...], Callable[[], Any]]] = {
    # section 0 to 2
    "kappa": ((n, d, X, sig), lambda: sqrt(mpf(d) / n) * X / mpf(sig) ** 2),
    "schur_lower": ((0.7, lam), lambda: mpf(0.7) * lam),
    "schur_upper": ((0.7, lam), lambda: mpf(0.7) * lam),
    "khatri_rao_lower": ((0.7, sig), lambda: mpf(0.7) * sig),
    "khatri_rao_upper": ((0.7, X), lambda: mpf(0.7) * X),
    "jacobian_norm_paper": ((B1, vinf, k, X), lambda: mpf(B1) * vinf * sqrt(k) * X),
    "jacobian_norm_sharp": ((B1, v, X), lambda: mpf(B1) * v * X),
    "jacobian_lipschitz_paper": ((B2, vinf, X, R), lambda: mpf(B2) * vinf * X * R),
    "jacobian_lipschitz_sharp": ((B2, vinf, X, R, t), lambda: (mpf(B2) * vinf * X * R, mpf(B2) * vinf * t)),
    "jacobian_lipschitz_optimal": ((B2, vinf, Lam, R), lambda: mpf(B2) * vinf * Lam * R),
    "two_to_four_centred": ((n, d, 1.9), lambda: sqrt(n) / d + sqrt(1 - mpf(1) / d) * sqrt(mpf(1.9))),
    "relu_jacobian_perturbation": ((vinf, X, k), lambda: mpf(vinf) * X * sqrt(k)),
    # section 3
    "parseval_tail": ((0.9, 6), lambda: mpf(0.9) / 6),
    "parseval_tail_jump": ((0.8, 6), lambda: jump_tail(0.8, 6)),
    "hermite_kernel": (([0.4, 0.3, 0.2], 0.7), lambda: mpf(0.4) + mpf(0.3) * 0.7 + mpf(0.2) * mpf(0.7) ** 2),
    "hermite_lower": ((mu, sig), lambda: mpf(mu) ** 2 * mpf(sig) ** 2),
    "hermite_lower_matrix": ((0.2, 0.1, sig), lambda: mpf(0.2) + mpf(0.1) * mpf(sig) ** 2),
    "covariance_upper": ((0.6,), lambda: mpf(0.6)),
    "mean_derivative_square_upper": ((B1,), lambda: mpf(B1) ** 2),
    "covariance_norm_upper": ((0.6, X), lambda: mpf(0.6) * mpf(X) ** 2),
    "relu_derivative_kernel": ((0.9,), lambda: (pi - 0.9) / (2 * pi)),
    "relu_covariance": ((0.4, 0.9), lambda: mpf(0.4) * (pi - 0.9) / (2 * pi)),
    "relu_hermite_lower": ((sig,), lambda: mpf(sig) ** 2 / (2 * pi)),
    "relu_separation_paper": ((delta, n), lambda: mpf(delta) / (100 * n**2)),
    "relu_separation_sharp": ((delta, n), lambda: mpf(delta) / (34 * (n - 1))),
    # section 4
    "jacobian_mean": ((v, 0.6), lambda: mpf(v) ** 2 * 0.6),
    "initial_sigma_min": ((eps, v, lam), lambda: mpf(v) * sqrt((1 - mpf(eps)) * lam)),
    "initial_norm": ((eps, v, 0.6), lambda: mpf(v) * sqrt((1 + mpf(eps)) * 0.6)),
    "chernoff_spread_paper": ((n, B1, X, lam), lambda: 20 * log(n) * mpf(B1) ** 2 * mpf(X) ** 2 / lam),
    "chernoff_lower_exponent": ((eps,), lambda: -log(exp(-mpf(eps)) / (1 - mpf(eps)) ** (1 - mpf(eps)))),
    "chernoff_upper_exponent": ((eps,), lambda: -log(exp(mpf(eps)) / (1 + mpf(eps)) ** (1 + mpf(eps)))),
    "chernoff_lower_log_failure": (
        (eps, 5.0, lam, 3, gaps),
        lambda: log(trace(5.0)) + 5 * mpf(lam) * log(exp(-mpf(eps)) / (1 - mpf(eps)) ** (1 - mpf(eps))),
    ),
    "chernoff_upper_log_failure": (
        (eps, 5.0, 0.6, gaps),
        lambda: log(trace(5.0)) + 5 * mpf(0.6) * log(exp(mpf(eps)) / (1 + mpf(eps)) ** (1 + mpf(eps))),
    ),
    "chernoff_width": ((n, B1, X, lam), lambda: mpf("13.04") * log(n) * mpf(B1) ** 2 * mpf(X) ** 2 / lam),
    "misfit_failure": ((delta, n, X), lambda: exp(-(mpf(delta) ** 2) * n / (2 * mpf(X) ** 2))),
    "misfit_factor_paper": ((delta, B1), lambda: 1 + (1 + mpf(delta)) * B1),
    "misfit_factor_sharp": ((delta, B1, var), lambda: sqrt(1 + mpf(var)) + mpf(delta) * B1),
    "misfit_output_paper": ((delta, B1, v, n), lambda: (1 + mpf(delta)) * B1 * v * sqrt(n)),
    "misfit_output_sharp": ((delta, B1, var, v, n), lambda: (sqrt(mpf(var)) + mpf(delta) * B1) * v * sqrt(n)),
    "relu_small": ((k, t), lambda: 2 * k * mpf(t) * sqrt(2 / pi)),
    "relu_small_log_failure": ((n, k, t), lambda: log(n * exp(-k * mpf(t) * sqrt(2 / pi) / 3))),
    "relu_flips_within": ((k, t, R), lambda: 2 * k * mpf(t) * sqrt(2 / pi) + mpf(R) ** 2 / mpf(t) ** 2),
    "relu_flips": ((k, R), lambda: best_flips()),
    "relu_flips_log_failure": ((n, k, R), lambda: log(n) - k * best_t() * sqrt(2 / pi) / 3),
    # section 5
    "gd_residual": ((0.3, 4, X), lambda: (1 - mpf(0.3)) ** 4 * X),
    "gd_largest_step": ((B1,), lambda: 1 / (2 * mpf(B1) ** 2)),
    "gd_largest_step_sharp": ((B1,), lambda: 1 / mpf(B1) ** 2),
    "gd_step_constant": ((eta, B1, Lam, R), lambda: 1 - mpf(eta) * mpf(B1) ** 2 / 2 - mpf(eta) * Lam * R / 2),
    "gd_step_constant_mean": ((eta, B1, b, R, t), lambda: 1 - mpf(eta) * mpf(B1) ** 2 / 2 - mpf(b) * R / t),
    "gd_one_step_decrease": ((0.7, eta, t, R), lambda: mpf(0.7) * eta * mpf(t) ** 2 / R),
    "gd_one_step_decrease_sharp": ((sig, Lam, R), lambda: mpf(sig) * R - Lam * mpf(R) ** 2 / 2),
    "gd_convergence_alpha_squared": ((Lam, R), lambda: 2 * mpf(Lam) * R),
    "gd_convergence_rate": ((eta, sig), lambda: mpf(eta) * mpf(sig) ** 2 / 2),
    "gd_convergence_potential": ((sig, R, t), lambda: mpf(sig) / 2 * R + t),
    "gd_convergence_path": ((sig, R), lambda: 2 * mpf(R) / sig),
    "gd_kantorovich_h": ((Lam, R, 0.7, sig), lambda: 2 * mpf(Lam) * R / (mpf(0.7) * mpf(sig) ** 2)),
    "gd_kantorovich_D": ((sig, h), lambda: mpf(sig) ** 2 * (1 - mpf(h))),
    "gd_kantorovich_path": ((R, 0.7, sig, h), lambda: descent_path()),
    "gd_kantorovich_rate": ((eta, 0.7, sig), lambda: mpf(eta) * 0.7 * sig),
    "gd_kantorovich_residual": ((R, 0.7, sig, Lam, t), lambda: R - mpf(0.7) * (mpf(sig) * t - Lam * mpf(t) ** 2 / 2)),
    "gd_perturbation_radius": ((R, sig), lambda: 5 * mpf(R) / (2 * mpf(sig))),
    "gd_perturbation_jump": ((sig,), lambda: mpf(sig) / 8),
    "gd_perturbation_rate": ((eta, sig), lambda: mpf(eta) * mpf(sig) ** 2 / 3),
    "gd_perturbation_slope_sharp": (
        (eps, 0.2, B1),
        lambda: sqrt((1 - mpf(eps) ** 2) * (1 - mpf(0.2) * mpf(B1) ** 2)) - eps,
    ),
    "gd_perturbation_path_sharp": ((R, 0.7, sig), lambda: mpf(R) / (mpf(0.7) * sig)),
    "gd_perturbation_rate_any": (
        (eps, 0.2, B1, sig),
        lambda: mpf(0.2) * mpf(sig) ** 2 * least_share(eps, mpf(0.2) * mpf(B1) ** 2),
    ),
    "gd_perturbation_rate_sharp": (
        (eps, 0.2, B1, sig),
        lambda: mpf(0.2) * mpf(sig) ** 2 * (1 - mpf(eps)) ** 2 * (1 - mpf(0.2) * mpf(B1) ** 2 / 2),
    ),
    # section 5, stochastic: r_0 = 0.27, r = 0.53, alpha = 0.23, beta = 3.1, b = 1.9, L = 0.6, w = 0.3
    "sgd_drift": ((0.3, nu, B2, var), lambda: 2 * mpf(nu) * B2 * var / 0.3),
    "sgd_exit_distance": ((0.3, lam, nu, var), lambda: 2 * mpf(nu) * var / (mpf(0.3) * lam)),
    "sgd_exit_failure": ((nu,), lambda: 1 / mpf(nu)),
    "sgd_exit_residual": ((nu, var), lambda: 2 * mpf(nu) * var),
    "sgd_lyapunov": ((0.3, lam, R, t), lambda: R + mpf(0.3) * lam * t),
    "sgd_mean_square": ((eps, 3, var), lambda: (1 - mpf(eps)) ** 3 * mpf(var) ** 2),
    "sgd_noise": ((eta, lam, 1.9, X, B2, R), lambda: mpf(eta) * mpf(1.9) ** 2 * (mpf(X) ** 2 + B2 * R) / mpf(lam) ** 2),
    "sgd_potential": ((R, t), lambda: sqrt(mpf(R) ** 2 + mpf(t) ** 2)),
    "sgd_potential_start": ((0.3, lam, var), lambda: mpf(var) / (mpf(0.3) * lam)),
    "sgd_potential_step": (
        (eta, n, sig, 1.9, R, t),
        lambda: mpf(eta) / n * sig + mpf(eta) ** 2 * mpf(1.9) ** 2 * mpf(R) ** 2 / (2 * n * mpf(t)),
    ),
    "sgd_rate": ((eta, lam, n, eps), lambda: (2 - mpf(eps)) * eta * mpf(lam) ** 2 / n),
    "sgd_residual_step": (
        (eta, n, sig, 1.9, X, B2, R),
        lambda: (
            mpf(R) ** 2
            - 2 * mpf(eta) / n * mpf(sig) ** 2
            + mpf(eta) ** 2 * mpf(1.9) ** 2 / n * (mpf(X) ** 2 + mpf(B2) * R) * mpf(R) ** 2
        ),
    ),
    "sgd_sharp_alpha": ((1.9, eps), lambda: (1.9 + sqrt(mpf(1.9) ** 2 - 4 * mpf(eps))) / 2),
    "sgd_sharp_step_size": (
        (0.3, lam, 1.9, X, nu, B2, var),
        lambda: (
            (1 - mpf(0.3))
            / (mpf(1.9) ** 2 * ((mpf(X) ** 2 + 2 * mpf(nu) * B2 * var) / (2 * mpf(lam) ** 2) + mpf(0.3) ** 2 * mpf(nu)))
        ),
    ),
    "sgd_step_size": (
        (lam, 1.9, X, nu),
        lambda: (
            4 * mpf(lam) ** 2 / (5 * mpf(1.9) ** 2 * mpf(X) ** 2),
            4 / (mpf(nu) * mpf(1.9) ** 2),
        ),
    ),
    # section 6
    "gd_smooth_paper_constant": ((0.5,), lambda: 16 * (1 + 1 / mpf(0.5))),
    "gd_smooth_paper_sqrt_kd": (
        (c, B, mu, delta, 2.2, n),
        lambda: c * mpf(B) ** 2 / mpf(mu) ** 2 * (1 + mpf(delta)) * mpf(2.2) * n,
    ),
    "gd_smooth_explicit_sqrt_k": ((1.9, B2, n, X, lam), lambda: 16 * mpf(B2) * 1.9 * sqrt(n) * X / lam),
    "gd_smooth_sharp_sqrt_k": (
        (1.9, B1, B2, n, X, Lam, lam, eta),
        lambda: (
            (
                2 * mpf(B2) * Lam * 1.9 * sqrt(n) / lam
                + mpf(eta) * B2 * Lam * 1.9 * sqrt(n) / (4 * mpf(B1) ** 2 * mpf(X) ** 2)
            )
            / (1 - mpf(eta) / 4)
        ),
    ),
    "gd_smooth_unit_sqrt_k": ((1.9, B2, n, Lam, lam), lambda: 2 * mpf(B2) * Lam * 1.9 * sqrt(n) / lam),
    "gd_smooth_unit_h": ((400.0, 1.9, B2, n, Lam, lam), lambda: mpf(B2) * Lam * 1.9 * 2 * sqrt(mpf(n) / 400) / lam),
    "gd_smooth_sharp_h": ((400.0, 1.9, B1, B2, n, X, Lam, lam, eta), lambda: kantorovich(400)),
    "gd_step_size": ((eta, n, B, y, X), lambda: mpf(eta) * n / (2 * mpf(B) ** 2 * mpf(y) ** 2 * mpf(X) ** 2)),
    "gd_smooth_rate_paper": (
        (eta, mu, B, sig, X),
        lambda: mpf(eta) / 32 * (mpf(mu) ** 2 / mpf(B) ** 2) * mpf(sig) ** 2 / mpf(X) ** 2,
    ),
    "gd_smooth_rate_explicit": ((eta, B1, lam, X), lambda: mpf(eta) * lam / (32 * mpf(B1) ** 2 * mpf(X) ** 2)),
    "gd_smooth_rate_sharp": (
        (eta, 0.7, h, B1, lam, X),
        lambda: mpf(eta) / (2 * mpf(B1) ** 2 * mpf(X) ** 2) * mpf(0.7) * lam * (1 - mpf(h)),
    ),
    "gd_smooth_alpha": ((y, n, lam), lambda: 2 / sqrt(32) * (mpf(y) / sqrt(n)) * sqrt(mpf(lam))),
    "gd_relu_explicit_width": (
        (delta, n, X, lam),
        lambda: mpf("4.6e8") * (2 + mpf(delta)) ** 2 * n * mpf(X) ** 6 / mpf(lam) ** 4,
    ),
    "gd_relu_paper_constant": ((), lambda: 2 * sqrt(mpf("4.6e8")) * (2 * pi) ** 2),
    "gd_relu_paper_sqrt_kd": (
        (c, delta, n, d, 2.2, sig),
        lambda: c * (1 + mpf(delta)) * (mpf(n) ** 2 / d) * mpf(2.2) ** 3 * mpf(sig) ** 2,
    ),
    "gd_relu_sharp_width": (
        (1.9, eps, b, n, X, lam),
        lambda: (
            (3 * (2 / pi) ** (mpf(1) / 3)) ** 3
            * n
            * mpf(X) ** 6
            * mpf(1.9) ** 2
            / (mpf(eps) ** 6 * mpf(b) ** 2 * mpf(lam) ** 4)
        ),
    ),
    "gd_relu_rate_explicit": ((eta, lam, X), lambda: mpf(eta) * lam / (12 * mpf(X) ** 2)),
    "gd_relu_rate_sharp": (
        (eta, eps, lam, X),
        lambda: mpf(eta) / 2 * (mpf(lam) / mpf(X) ** 2) * least_share(eps, mpf(eta) / 2),
    ),
    "sgd_smooth_explicit_sqrt_k": ((nu, 1.9, B2, n, X, lam), lambda: 64 * mpf(nu) * B2 * 1.9 * sqrt(n) * X / lam),
    "sgd_smooth_step_size": (
        (eta, n, B1, y, X, lam),
        lambda: mpf(eta) * lam / (10 * mpf(B1) ** 4 * (mpf(y) ** 2 / n) * mpf(X) ** 2),
    ),
    "sgd_smooth_rate": ((eta, n, y, lam), lambda: mpf(eta) * ((mpf(y) ** 2 / n) * lam / 8) / n),
    "output_layer_width_bounded": ((n, 1.2, lam), lambda: mpf("13.1") * mpf(1.2) ** 2 * n * log(n) / lam),
    "output_layer_truncation": ((t, B1, X, 0.6, n), lambda: truncation()),
    "output_layer_width_unbounded": ((n, 4.0, lam), lambda: 2 * log(n) / mpf("0.1534") * mpf(4) ** 2 / lam),
    "output_layer_log_failure": (
        (n, k, lam, 4.0),
        lambda: log(n * exp(-mpf("0.1534") * k * mpf(lam) / 4)),
    ),
    "output_layer_lower": ((k, lam), lambda: mpf(k) * lam / 2),
    "output_layer_weights": ((y, lam), lambda: mpf(y) / sqrt(mpf(lam))),
    "output_layer_rate": ((eta, lam), lambda: mpf(eta) * lam),
    "phase_lower_log_failure": (
        (eps, R, X, k, n, y),
        lambda: log((1 + 2 * mpf(R) * X / eps) ** k * (2 * mpf(eps) / y) ** n),
    ),
    # asymptotic laws
    "khatri_rao_edge": ((n, d), lambda: (1 - mpf(1) / d) * (1 - sqrt(mpf(n) / (mpf(4) * 7 / 2))) ** 2),
    "khatri_rao_upper_edge": ((n, d), lambda: (1 - mpf(1) / d) * (1 + sqrt(mpf(n) / (mpf(4) * 7 / 2))) ** 2),
    "khatri_rao_outlier": ((n, d), lambda: mpf(n) / d + 1),
    "random_norm_limit": ((n, d), lambda: 1 + sqrt(mpf(n) / d)),
}


def trace(scale: float) -> Any:
    return sum(exp(-mpf(eps) * scale * mpf(float(g))) for g in gaps)


def jump_tail(jump: float, first: int) -> Any:
    """The stated bound of sum_{r >= R} mu_r^2 with ``binom(2m, m) 4^-m <= (pi m)^{-1/2}``: first term plus integral."""
    m0 = first // 2

    def term(m: Any) -> Any:
        return (pi * m) ** mpf(-0.5) / (2 * pi * 2 * m)

    assert sum(binomial(2 * m, m) * mpf(4) ** -m / (2 * pi * (2 * m + 1)) for m in range(m0, 400)) < term(m0) + quad(
        term, [m0, mp.inf]
    )
    return mpf(jump) ** 2 * (term(m0) + quad(term, [m0, mp.inf]))


def best_t() -> Any:
    """The minimiser of ``2 k t sqrt(2/pi) + R^2 / t^2``."""
    return (mpf(R) ** 2 / (k * sqrt(2 / pi))) ** (mpf(1) / 3)


def best_flips() -> Any:
    return 2 * k * best_t() * sqrt(2 / pi) + mpf(R) ** 2 / best_t() ** 2


def descent_path() -> Any:
    """``(sigma_0 - sqrt(D))/L`` with ``h = 2 L ||r_0|| / (c sigma_0^2)`` solved for L."""
    L = mpf(h) * mpf(0.7) * mpf(sig) ** 2 / (2 * mpf(R))
    return (mpf(sig) - sqrt(mpf(sig) ** 2 * (1 - mpf(h)))) / L


def kantorovich(width: int) -> tuple[Any, Any]:
    """h and c of `gd-kantorovich` from L, beta, eta, ||r_0|| and sigma_0 at ``||y|| = 3``: y must cancel."""
    s = mpf(3) / sqrt(n)
    beta, L = B1 * s * X, B2 * s * Lam / sqrt(width)
    step, r0, s0 = eta / (2 * beta**2), mpf(1.9) * 3, s * sqrt(mpf(lam))
    rate = 1 - step * beta**2 / 2 - step * L * r0 / 2
    return 2 * L * r0 / (rate * s0**2), rate


def least_share(e: float, step: Any) -> Any:
    """The least of ``A^2 (1 - eta beta^2)/2 - eps A + (1 - eps^2)/2`` over all A, eta beta^2 being `step`."""
    A = mpf(e) / (1 - step)
    return A**2 * (1 - step) / 2 - mpf(e) * A + (1 - mpf(e) ** 2) / 2


def truncation() -> tuple[Any, Any]:
    sg, m = mpf(B1) * X, sqrt(n * mpf(0.6))
    T = m + t
    return T, exp(-(mpf(t) ** 2) / (2 * sg**2)) * (T**2 + 2 * sg**2 + 2 * m * sg**2 / t)


def values(x: Any) -> list[float]:
    return [float(part) for part in (x if isinstance(x, tuple) else (x,))]


@pytest.mark.parametrize("name", CASES)
def test_bound_is_the_formula_of_the_theory(name: str) -> None:
    arguments, formula = CASES[name]
    with mp.workdps(40):
        expected = values(formula())
    assert values(getattr(bounds, name)(*arguments)) == pytest.approx(expected, rel=1e-12)


def test_every_bound_has_a_case() -> None:
    functions = {name for name in bounds.__all__ if callable(getattr(bounds, name))}
    assert functions == set(CASES)


class Deletion(ast.NodeTransformer):
    """Replaces the `index`-th product, quotient, sum, difference or power by one of its operands."""

    def __init__(self, index: int, side: str) -> None:
        self.index, self.side, self.seen = index, side, 0

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        self.seen += 1
        return getattr(node, self.side) if self.seen - 1 == self.index else node


def deletions(function: Callable[..., Any]) -> list[tuple[str, Callable[..., Any]]]:
    source = textwrap.dedent(inspect.getsource(function))
    count = sum(isinstance(node, ast.BinOp) for node in ast.walk(ast.parse(source)))
    out = []
    for index in range(count):
        for side in ("left", "right"):
            tree = ast.parse(source)
            body = tree.body[0]
            assert isinstance(body, ast.FunctionDef)
            body.args.defaults, body.returns = list(body.args.defaults), None
            for argument in body.args.args:
                argument.annotation = None
            transformer = Deletion(index, side)
            body.body = [transformer.visit(part) for part in body.body]
            if transformer.seen <= index:
                continue
            scope = dict(inspect.getmodule(function).__dict__)  # type: ignore[union-attr]
            exec(compile(ast.fix_missing_locations(tree), "<deletion>", "exec"), scope)
            out.append((f"{side} of {index}", scope[function.__name__]))
    return out


#: How many deletions change nothing at the point chosen, and why.
HARMLESS = {
    "gd_smooth_paper_constant": (0, "its other branch (B >= 1) is a constant"),
    "gd_smooth_sharp_h": (4, "its branch for eta_bar = 0 is not reached"),
    "parseval_tail_jump": (5, "the extra term for R <= 1 is not reached at R = 6"),
}


@pytest.mark.parametrize("name", CASES)
def test_deleting_any_factor_or_term_would_be_noticed(name: str) -> None:
    arguments, _ = CASES[name]
    function = getattr(bounds, name)
    own = values(function(*arguments))
    unnoticed = []
    for label, mutant in deletions(function):
        try:
            changed = values(mutant(*arguments)) != pytest.approx(own, rel=1e-9)
        except (ArithmeticError, ValueError, TypeError):
            changed = True
        if not changed:
            unnoticed.append(label)
    assert len(unnoticed) == HARMLESS.get(name, (0, ""))[0], unnoticed


def test_bounds_enclose_when_given_estimates() -> None:
    """The same formula on intervals contains the value at every point of them."""
    wide = {name: Estimate(value, 1e-3 * value) for name, value in (("X", X), ("lam", lam), ("B2", B2), ("m", 1.9))}
    found = bounds.gd_smooth_explicit_sqrt_k(wide["m"], wide["B2"], n, wide["X"], wide["lam"])
    for sign in (-1, 0, 1):
        point = [e.value * (1 + 0.9e-3 * sign) for e in (wide["m"], wide["B2"])]
        rest = [wide["X"].value * (1 - 0.9e-3 * sign), wide["lam"].value * (1 + 0.9e-3 * sign)]
        assert found.contains(bounds.gd_smooth_explicit_sqrt_k(point[0], point[1], n, rest[0], rest[1]))
