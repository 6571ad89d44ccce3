"""Section 5: gradient descent on f: R^p -> R^n, deterministic. Generic in the number type.

Notation: r_t the residual, J_t the Jacobian, ``sigma_0 = sigma_min(J_0)``, s_t the length of the path so far, eta the
step size, L a Lipschitz constant of J, beta a bound of ||J||. A rate is the q in ``||r_{t+1}|| <= (1 - q) ||r_t||``.
"""

from __future__ import annotations

from typing import Any

Number = Any


def gd_residual(rate: Number, t: int, r0: Number) -> Number:
    """``||r_t|| <= (1 - rate)^t ||r_0||``."""
    return (1 - rate) ** t * r0


def gd_largest_step(beta: Number) -> Number:
    """``eta <= 1/(2 beta^2)`` (`gd-convergence`, `gd-perturbation`)."""
    return 1 / (2 * beta**2)


def gd_largest_step_sharp(beta: Number) -> Number:
    """``eta <= 1/beta^2``: where the sharp forms of `gd-one-step` and `gd-kantorovich` hold."""
    return 1 / beta**2


# -- gd-one-step ----------------------------------------------------------------------------------------------------


def gd_step_constant(eta: Number, beta: Number, L: Number, residual: Number) -> Number:
    """``c_t = 1 - eta beta^2/2 - eta L ||r_t||/2`` (`gd-one-step`; at t = 0 the c of `gd-kantorovich`)."""
    return 1 - eta * beta**2 / 2 - eta * L * residual / 2


def gd_step_constant_mean(eta: Number, beta: Number, change: Number, residual: Number, gradient: Number) -> Number:
    """``1 - eta beta^2/2 - ||Jbar - J_t|| ||r_t|| / ||J_t^T r_t||``: c_t before Jbar is bounded through L.

    Jbar is the mean of J on the segment of the step, `change` its distance from J_t; J need not be continuous.
    """
    return 1 - eta * beta**2 / 2 - change * residual / gradient


def gd_one_step_decrease(c: Number, eta: Number, gradient: Number, residual: Number) -> Number:
    """``||r_t|| - ||r_{t+1}|| >= c_t eta ||J_t^T r_t||^2 / ||r_t||`` (`gd-one-step`)."""
    return c * eta * gradient**2 / residual


def gd_one_step_decrease_sharp(sigma: Number, L: Number, length: Number) -> Number:
    """``||r_t|| - ||r_{t+1}|| >= sigma_min(J_t) d - L d^2/2``, d the length of the step, eta <= 1/beta^2 (sharp)."""
    return sigma * length - L * length**2 / 2


# -- gd-convergence -------------------------------------------------------------------------------------------------


def gd_convergence_alpha_squared(L: Number, r0: Number) -> Number:
    """``alpha^2 >= 2 L ||r_0||``, where ``sigma_0 >= 2 alpha`` (`gd-convergence`, hypothesis)."""
    return 2 * L * r0


def gd_convergence_rate(eta: Number, alpha: Number) -> Number:
    """``eta alpha^2 / 2`` (`gd-convergence` (a))."""
    return eta * alpha**2 / 2


def gd_convergence_potential(alpha: Number, path: Number, residual: Number) -> Number:
    """``(alpha/2) s_t + ||r_t||``, at most ||r_0|| (`gd-convergence` (b))."""
    return alpha / 2 * path + residual


def gd_convergence_path(alpha: Number, r0: Number) -> Number:
    """``s_t <= 2 ||r_0|| / alpha`` (`gd-convergence` (b))."""
    return 2 * r0 / alpha


# -- gd-kantorovich -------------------------------------------------------------------------------------------------


def gd_kantorovich_h(L: Number, r0: Number, c: Number, sigma: Number) -> Number:
    """``h = 2 L ||r_0|| / (c sigma_0^2)``, which must be below 1 (`gd-kantorovich`; its sharp form: c = 1)."""
    return 2 * L * r0 / (c * sigma**2)


def gd_kantorovich_D(sigma: Number, h: Number) -> Number:
    """``D = sigma_0^2 (1 - h)``; ``sigma_min(J_t) >= sqrt(D)`` (`gd-kantorovich`)."""
    return sigma**2 * (1 - h)


def gd_kantorovich_path(r0: Number, c: Number, sigma: Number, h: Number) -> Number:
    """``s* = (sigma_0 - sqrt(D))/L = 2 ||r_0|| / (c sigma_0 (1 + sqrt(1 - h)))``, also at L = 0 (`gd-kantorovich`)."""
    return 2 * r0 / (c * sigma * (1 + (1 - h) ** 0.5))


def gd_kantorovich_rate(eta: Number, c: Number, D: Number) -> Number:
    """``eta c D`` (`gd-kantorovich`)."""
    return eta * c * D


def gd_kantorovich_residual(r0: Number, c: Number, sigma: Number, L: Number, path: Number) -> Number:
    """``||r_t|| <= ||r_0|| - c (sigma_0 s_t - L s_t^2/2)`` (`gd-kantorovich`, in its proof)."""
    return r0 - c * (sigma * path - L * path**2 / 2)


# -- gd-perturbation ------------------------------------------------------------------------------------------------


def gd_perturbation_radius(r0: Number, sigma: Number) -> Number:
    """``R = 5 ||r_0|| / (2 sigma_0)``: the ball of the hypothesis, and the longest path (`gd-perturbation`)."""
    return 5 * r0 / (2 * sigma)


def gd_perturbation_jump(sigma: Number) -> Number:
    """``||J(theta) - J(theta_0)|| <= sigma_0 / 8`` on that ball (`gd-perturbation`, hypothesis)."""
    return sigma / 8


def gd_perturbation_rate(eta: Number, sigma: Number) -> Number:
    """``eta sigma_0^2 / 3`` (`gd-perturbation`)."""
    return eta * sigma**2 / 3


def gd_perturbation_slope_sharp(eps: Number, eta: Number, beta: Number) -> Number:
    """``b = sqrt((1 - eps^2)(1 - eta beta^2)) - eps``, for a jump of at most eps sigma_0 (`gd-perturbation`, sharp).

    The jump counts within `gd_perturbation_path_sharp` of theta_0, and b must be positive.
    """
    return ((1 - eps**2) * (1 - eta * beta**2)) ** 0.5 - eps


def gd_perturbation_path_sharp(r0: Number, b: Number, sigma: Number) -> Number:
    """``s_t <= ||r_0|| / (b sigma_0)`` with the b of `gd_perturbation_slope_sharp` (`gd-perturbation`, sharp)."""
    return r0 / (b * sigma)


def gd_perturbation_rate_sharp(eps: Number, eta: Number, beta: Number, sigma: Number) -> Number:
    """``eta sigma_0^2 (1 - eps)^2 (1 - eta beta^2/2)``, where ``eps <= (1 - eps)(1 - eta beta^2)`` (sharp)."""
    return eta * sigma**2 * (1 - eps) ** 2 * (1 - eta * beta**2 / 2)


def gd_perturbation_rate_any(eps: Number, eta: Number, beta: Number, sigma: Number) -> Number:
    """``(eta sigma_0^2/2) (1 - eps^2 - eps^2/(1 - eta beta^2))``, for every eps with b > 0 (sharp).

    Below `gd_perturbation_rate_sharp` where that holds, equal to it where ``eps = (1 - eps)(1 - eta beta^2)``.
    """
    return eta * sigma**2 / 2 * (1 - eps**2 - eps**2 / (1 - eta * beta**2))
