"""Section 6: what each network theorem asks (width) and promises (step size, rate).

Balanced v and Gaussian W_0 throughout; ``s = ||y|| / sqrt(n)``, ``beta = B1 s ||X||``. A rate is the q in
``||r_t|| <= (1 - q)^t ||r_0||`` unless the docstring says otherwise.
"""

from __future__ import annotations

import math
from typing import Any

from .descent import gd_perturbation_rate_any

Number = Any


# -- theorem-gd-smooth ----------------------------------------------------------------------------------------------


def gd_smooth_paper_constant(B: float) -> float:
    """The c of the paper's theorem: 32 when B >= 1, otherwise 16 (1 + 1/B)."""
    return 32.0 if B >= 1 else 16 * (1 + 1 / B)


def gd_smooth_paper_sqrt_kd(c: Number, B: Number, mu: Number, delta: Number, kappa: Number, n: int) -> Number:
    """``sqrt(k d) >= c (B^2/mu_phi^2) (1 + delta) kappa(X) n`` (`theorem-gd-smooth`, paper)."""
    return c * B**2 / mu**2 * (1 + delta) * kappa * n


def gd_smooth_explicit_sqrt_k(misfit: Number, B2: Number, n: int, X_norm: Number, lam: Number) -> Number:
    """``sqrt(k) >= 16 B2 (1 + (1+delta) B1) sqrt(n) ||X|| / lambda(X)`` (`theorem-gd-smooth`, explicit).

    `misfit` is `misfit_factor_paper`; `chernoff_width` must hold as well.
    """
    return 16 * B2 * misfit * X_norm * n**0.5 / lam


def gd_smooth_sharp_sqrt_k(
    misfit: Number, B1: Number, B2: Number, n: int, X_norm: Number, two_to_four: Number, lam: Number, eta_bar: float
) -> Number:
    r"""The strict lower bound of sqrt(k) in the sharp theorem, `misfit` being `misfit_factor_sharp`.

    .. math::

        \sqrt k (1 - \bar\eta/4) > \frac{2 B_2 \Lambda \rho \sqrt n}{(1-\epsilon)\lambda(X)}
        + \frac{\bar\eta B_2 \Lambda \rho \sqrt n}{4 B_1^2 \|X\|^2}

    `lam` stands for ``(1 - eps) lambda(X)``.
    """
    common = B2 * two_to_four * misfit * n**0.5
    right = 2 * common / lam
    if eta_bar:
        right = right + eta_bar * common / (4 * B1**2 * X_norm**2)
    return right / (1 - eta_bar / 4)


def gd_smooth_sharp_h(
    k: Number,
    misfit: Number,
    B1: Number,
    B2: Number,
    n: int,
    X_norm: Number,
    two_to_four: Number,
    lam: Number,
    eta_bar: float,
) -> tuple[Number, Number]:
    """(h, c) of `gd-kantorovich` at width k: ``h = 2 L ||r_0|| / (c sigma_0^2)``, scaled so that s cancels.

    ``L ||r_0|| = B2 Lambda s^2 misfit sqrt(n/k)``, ``sigma_0^2 = s^2 lam`` (`lam` stands for (1-eps) lambda(X)) and
    ``c = 1 - eta_bar/4 - eta L ||r_0|| / 2``.
    """
    drive = B2 * two_to_four * misfit * n**0.5 / k**0.5
    c = 1 - eta_bar / 4 - eta_bar * drive / (4 * B1**2 * X_norm**2) if eta_bar else 1 + 0 * drive
    return 2 * drive / (c * lam), c


def gd_smooth_unit_sqrt_k(misfit: Number, B2: Number, n: int, two_to_four: Number, lam: Number) -> Number:
    """``sqrt(k) > 2 B2 Lambda rho sqrt(n) / ((1-eps) lambda(X))``: with c = 1, for every ``eta <= 1/beta^2``.

    `misfit` is `misfit_factor_sharp`, `lam` stands for (1-eps) lambda(X). By the sharp form of `gd-kantorovich` it asks
    for less than `gd_smooth_sharp_sqrt_k` at any step size.
    """
    return 2 * B2 * two_to_four * misfit * n**0.5 / lam


def gd_smooth_unit_h(k: Number, misfit: Number, B2: Number, n: int, two_to_four: Number, lam: Number) -> Number:
    """``h = 2 L ||r_0|| / sigma_0^2`` at width k, c = 1: `gd_smooth_unit_sqrt_k` over sqrt(k)."""
    return gd_smooth_unit_sqrt_k(misfit, B2, n, two_to_four, lam) / k**0.5


def gd_step_size(eta_bar: float, n: int, B: Number, y_norm: Number, X_norm: Number) -> Number:
    """``eta = eta_bar n / (2 B^2 ||y||^2 ||X||^2)``: the paper with B = max(B1, B2), the others with B1."""
    return eta_bar * n / (2 * B**2 * y_norm**2 * X_norm**2)


def gd_smooth_rate_paper(eta_bar: float, mu: Number, B: Number, sigma_min: Number, X_norm: Number) -> Number:
    """``(eta_bar/32) (mu_phi^2/B^2) sigma_min(X*X)^2 / ||X||^2``."""
    return eta_bar / 32 * mu**2 / B**2 * sigma_min**2 / X_norm**2


def gd_smooth_rate_explicit(eta_bar: float, B1: Number, lam: Number, X_norm: Number) -> Number:
    """``eta alpha^2 / 2 = eta_bar lambda(X) / (32 B1^2 ||X||^2)`` with ``alpha^2 = s^2 lambda(X) / 8``."""
    return eta_bar / 32 * lam / (B1**2 * X_norm**2)


def gd_smooth_rate_sharp(eta_bar: float, c: Number, h: Number, B1: Number, lam: Number, X_norm: Number) -> Number:
    """``eta c D = (eta_bar/2) c (1-eps) lambda(X) (1-h) / (B1^2 ||X||^2)``, `lam` standing for (1-eps) lambda(X).

    With the c that h is about: 1, or that of `gd_smooth_sharp_h`.
    """
    return eta_bar / 2 * c * lam * (1 - h) / (B1**2 * X_norm**2)


def gd_smooth_alpha(y_norm: Number, n: int, lam: Number) -> Number:
    """``alpha = (||y||/sqrt(n)) sqrt(lambda(X)/8)``; the paper's, with mu_phi^2 sigma_min(X*X)^2 for lambda(X).

    alpha/2 is the ``(mu_phi/sqrt(32)) (||y||/sqrt(n)) sigma_min(X*X)`` of `theorem-gd-smooth`.
    """
    return y_norm / n**0.5 * (lam / 8) ** 0.5


# -- theorem-gd-relu ------------------------------------------------------------------------------------------------

#: Proof constant of the explicit ReLU theorem (4.506e8 exactly, rounded up).
RELU_EXPLICIT = 4.6e8


def gd_relu_explicit_width(delta: Number, n: int, X_norm: Number, lam: Number) -> Number:
    """``k >= 4.6e8 (2 + delta)^2 n ||X||^6 / lambda(X)^4`` (`theorem-gd-relu`, explicit)."""
    return RELU_EXPLICIT * (2 + delta) ** 2 * n * X_norm**6 / lam**4


def gd_relu_paper_constant() -> float:
    """The C of the paper's ReLU theorem out of the explicit one: ``2 sqrt(4.6e8) (2 pi)^2``."""
    return 2 * math.sqrt(RELU_EXPLICIT) * (2 * math.pi) ** 2


def gd_relu_paper_sqrt_kd(C: Number, delta: Number, n: int, d: int, kappa: Number, sigma_min: Number) -> Number:
    """``sqrt(k d) >= C (1 + delta) (n^2/d) kappa(X)^3 sigma_min(X*X)^2`` (`theorem-gd-relu`, paper)."""
    return C * (1 + delta) * (n**2 / d) * kappa**3 * sigma_min**2


def gd_relu_sharp_width(misfit: Number, eps: float, b: float, n: int, X_norm: Number, lam: Number) -> Number:
    """``k >= (54/pi) n ||X||^6 rho^2 / (eps^6 b^2 (1-eps_c)^4 lambda(X)^4)``, `lam` standing for (1-eps_c) lambda(X).

    ``54/pi = 17.19`` is the cube of `RELU_FLIPS`; ``b > 0`` is any number for which jumps of at most eps sigma_0 within
    ``||r_0||/(b sigma_0)`` keep the path within it: `gd_perturbation_slope_sharp`, or the
    ``(1 - eta beta^2/2)(1-eps) - 2 eps`` of `gd_perturbation`'s proof.
    """
    return 54 / math.pi * n * X_norm**6 * misfit**2 / (eps**6 * b**2 * lam**4)


def gd_relu_rate_explicit(eta_bar: float, lam: Number, X_norm: Number) -> Number:
    """``eta sigma_0^2 / 3 = eta_bar lambda(X) / (12 ||X||^2)`` with ``sigma_0^2 = s^2 lambda(X)/2``, B1 = 1."""
    return eta_bar / 12 * lam / X_norm**2


def gd_relu_rate_sharp(eta_bar: float, eps: float, lam: Number, X_norm: Number) -> Number:
    """`gd_perturbation_rate_any` with ``eta beta^2 = eta_bar/2``, `lam` standing for (1-eps_c) lambda(X), B1 = 1."""
    return gd_perturbation_rate_any(eps, eta_bar / 2, 1.0, lam**0.5 / X_norm)


# -- theorem-sgd-smooth ---------------------------------------------------------------------------------------------


def sgd_smooth_explicit_sqrt_k(nu: Number, misfit: Number, B2: Number, n: int, X_norm: Number, lam: Number) -> Number:
    """``sqrt(k) >= 64 nu B2 (1 + (1+delta) B1) sqrt(n) ||X|| / lambda(X)``; `chernoff_width` must hold as well."""
    return 64 * nu * B2 * misfit * X_norm * n**0.5 / lam


def sgd_smooth_step_size(eta_bar: float, n: int, B1: Number, y_norm: Number, X_norm: Number, lam: Number) -> Number:
    """``eta = eta_bar lambda(X) / (10 B1^4 s^2 ||X||^2)``, before the cap ``4 / (nu b^2)``, b = B1 s."""
    return eta_bar * n * lam / (10 * B1**4 * y_norm**2 * X_norm**2)


def sgd_smooth_rate(eta: Number, n: int, y_norm: Number, lam: Number) -> Number:
    """Contraction of ``E||r||^2`` per step, ``eta alpha^2 / n`` with ``alpha^2 = s^2 lambda(X)/8``.

    At the uncapped step size this is ``eta_bar lambda(X)^2 / (80 n B1^4 ||X||^2)``.
    """
    return eta * (y_norm**2 / n) * lam / (8 * n)


# -- theorem-output-layer -------------------------------------------------------------------------------------------


def output_layer_width_bounded(n: int, M: Number, lam: Number) -> Number:
    """``k >= 13.1 M^2 n log(n) / lambdatilde(X)``, |phi| <= M (`theorem-output-layer`)."""
    return 13.1 * n * math.log(n) * M**2 / lam


def output_layer_truncation(t: float, B1: float, X_norm: float, mean_square: float, n: int) -> tuple[float, float]:
    """(T, loss): truncation radius ``T = m + t`` and what truncation takes from lambdatilde; floats.

    ``m = sqrt(n E phi(g)^2)``, ``sg = B1 ||X||``, loss ``exp(-t^2/(2 sg^2)) (T^2 + 2 sg^2 + 2 m sg^2 / t)``.
    """
    m, sg2 = math.sqrt(n * mean_square), (B1 * X_norm) ** 2
    T = m + t
    return T, math.exp(-(t**2) / (2 * sg2)) * (T**2 + 2 * sg2 + 2 * m * sg2 / t)


def output_layer_width_unbounded(n: int, T: Number, lam_truncated: Number) -> Number:
    """``k >= (2 log n / 0.1534) T^2 / lambdatilde_T``: the failure ``n exp(-0.1534 k lambdatilde_T / T^2)`` is 1/n."""
    return T**2 * (2 * math.log(n) / 0.1534) / lam_truncated


def output_layer_log_failure(n: int, k: float, lam: float, square: float) -> float:
    """``log n - 0.1534 k lambdatilde / square``: log of the failure probability of `output_layer_lower`; floats.

    `square` bounds the squared norm of a column of Phi: ``n M^2`` for |phi| <= M, ``T^2`` when truncated at T (then
    `lam` is lambdatilde_T).
    """
    return math.log(n) - 0.1534 * k * lam / square


def output_layer_lower(k: Number, lam: Number) -> Number:
    """``lambda_min(Phi Phi^T) >= k lambdatilde / 2`` (`theorem-output-layer`)."""
    return k * lam / 2


def output_layer_weights(y_norm: Number, least: Number) -> Number:
    """``||v|| <= ||y|| / sqrt(lambda_min(Phi Phi^T))`` for the v of least norm with Phi v = y."""
    return y_norm / least**0.5


def output_layer_rate(eta: Number, least: Number) -> Number:
    """``eta lambda_min(Phi Phi^T)``: the rate of gradient descent on v, for ``eta <= 1/||Phi||^2``."""
    return eta * least


# -- phase-transition-lower -----------------------------------------------------------------------------------------


def phase_lower_log_failure(eps: float, radius: float, beta: float, kd: int, n: int, spread: float) -> float:
    """``kd log(1 + 2 R beta/eps) + n log(2 eps/spread)`` (`phase-transition-lower`, quantitative); floats.

    Log of the probability that some W with ``||W||_F <= R`` has ``||f(W) - y|| < eps``, for y uniform in a ball of
    radius `spread` about any point that does not depend on y; f is beta-Lipschitz. It tends to minus infinity with
    eps when kd < n.
    """
    return kd * math.log1p(2 * radius * beta / eps) + n * math.log(2 * eps / spread)


# -- asymptotic laws ------------------------------------------------------------------------------------------------


def khatri_rao_edge(n: int, d: int) -> float:
    """Limit of sigma_min(X*X)^2 on the sphere: ``(1 - 1/d)(1 - sqrt(n/p))^2``, p = (d-1)(d+2)/2 (asymptotic).

    Zero for n >= p.
    """
    p = (d - 1) * (d + 2) / 2
    return (1 - 1 / d) * max(0.0, 1 - math.sqrt(n / p)) ** 2 if p > 0 else 0.0


def khatri_rao_upper_edge(n: int, d: int) -> float:
    """Limit of ||(XX^T)^{o2} - 11^T/d||: ``(1 - 1/d)(1 + sqrt(n/p))^2``, p = (d-1)(d+2)/2, d > 1 (asymptotic)."""
    return (1 - 1 / d) * (1 + math.sqrt(2 * n / ((d - 1) * (d + 2)))) ** 2


def khatri_rao_outlier(n: int, d: int) -> float:
    """What ||X*X||^2 is near on the sphere: ``n/d + 1`` (asymptotic)."""
    return n / d + 1


def random_norm_limit(n: int, d: int) -> float:
    """Limit of ||X|| on the sphere: ``1 + sqrt(n/d)`` (asymptotic)."""
    return 1 + math.sqrt(n / d)
