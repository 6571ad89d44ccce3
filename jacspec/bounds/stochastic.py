"""Section 5: SGD with one sample at a time, drawn with replacement (`sgd-convergence`). Generic in the number type.

``||J|| <= beta``, ``||J_i|| <= b`` and J is L-Lipschitz, globally; eta is the step size, n the number of samples, r0
the norm of the first residual, r that of the residual at hand, nu > 1 the inverse of the failure probability.

The proof follows ``V = ||r|| + w alpha psi``, ``psi = sqrt(||theta - theta_0||^2 + s^2)``, ``s = r0/(w alpha)``, for a
weight w in (0, 1). The explicit theorem is w = 1/4 with alpha = sigma_0/2; the sharp one leaves w free and takes the
largest alpha.
"""

from __future__ import annotations

from typing import Any

Number = Any

#: The weight of the explicit theorem.
SGD_WEIGHT = 0.25


# -- the hypothesis -------------------------------------------------------------------------------------------------


def sgd_drift(weight: Number, nu: Number, L: Number, r0: Number) -> Number:
    """``2 nu L ||r_0|| / w <= alpha (sigma_0 - alpha)``: then sigma_min(J) >= alpha up to the exit distance.

    For w = 1/4 and sigma_0 = 2 alpha this is ``8 nu L ||r_0|| <= alpha^2``.
    """
    return 2 * nu * L * r0 / weight


def sgd_sharp_alpha(sigma_0: Number, drift: Number) -> Number:
    """The largest alpha with ``alpha (sigma_0 - alpha) >= drift``, for ``sigma_0^2 >= 4 drift``."""
    return (sigma_0 + (sigma_0**2 - 4 * drift) ** 0.5) / 2


def sgd_step_size(alpha: Number, b: Number, beta: Number, nu: Number) -> tuple[Number, Number]:
    """``eta <= min{4 alpha^2/(5 b^2 beta^2), 4/(nu b^2)}`` (explicit): the two caps."""
    return 4 * alpha**2 / (5 * b**2 * beta**2), 4 / (nu * b**2)


def sgd_sharp_step_size(
    weight: Number, alpha: Number, b: Number, beta: Number, nu: Number, L: Number, r0: Number
) -> Number:
    """``eta b^2 [(beta^2 + 2 nu L ||r_0||)/(2 alpha^2) + w^2 nu] <= 1 - w`` (sharp), solved for eta."""
    return (1 - weight) / (b**2 * ((beta**2 + 2 * nu * L * r0) / (2 * alpha**2) + weight**2 * nu))


# -- one step -------------------------------------------------------------------------------------------------------


def sgd_residual_step(
    eta: Number, n: Number, gradient: Number, b: Number, beta: Number, L: Number, r: Number
) -> Number:
    """``E||r+||^2 <= ||r||^2 - (2 eta/n)||J^T r||^2 + (eta^2 b^2/n)(beta^2 + L||r||)||r||^2``, at every theta.

    `gradient` is ``||J^T r||``.
    """
    return r**2 - 2 * eta / n * gradient**2 + eta**2 * b**2 / n * (beta**2 + L * r) * r**2


def sgd_noise(eta: Number, alpha: Number, b: Number, beta: Number, L: Number, r: Number) -> Number:
    """``q = eta b^2 (beta^2 + L||r||)/alpha^2``: what sampling takes from the rate 2 eta alpha^2/n (1 at most)."""
    return eta * b**2 * (beta**2 + L * r) / alpha**2


def sgd_rate(eta: Number, alpha: Number, n: Number, noise: Number) -> Number:
    """``(2 - q) eta alpha^2/n``: E||r||^2 shrinks by one minus this at every step; explicit with q = 1."""
    return (2 - noise) * eta * alpha**2 / n


def sgd_potential(distance: Number, start: Number) -> Number:
    """``psi = sqrt(||theta - theta_0||^2 + s^2)``."""
    return (distance**2 + start**2) ** 0.5


def sgd_potential_start(weight: Number, alpha: Number, r0: Number) -> Number:
    """``s = ||r_0||/(w alpha)``, which is ``4||r_0||/alpha`` in the explicit theorem."""
    return r0 / (weight * alpha)


def sgd_potential_step(eta: Number, n: Number, gradient: Number, b: Number, r: Number, start: Number) -> Number:
    """``E psi+ - psi <= (eta/n)||J^T r|| + eta^2 b^2 ||r||^2/(2 n s)``."""
    return eta / n * gradient + eta**2 * b**2 * r**2 / (2 * n * start)


def sgd_lyapunov(weight: Number, alpha: Number, r: Number, psi: Number) -> Number:
    """``V = ||r|| + w alpha psi``, a supermartingale until it exceeds nu V_0; V_0 = 2||r_0||."""
    return r + weight * alpha * psi


# -- the conclusions ------------------------------------------------------------------------------------------------


def sgd_exit_distance(weight: Number, alpha: Number, nu: Number, r0: Number) -> Number:
    """``||theta_t - theta_0|| <= 2 nu ||r_0||/(w alpha)``, which is ``8 nu ||r_0||/alpha`` in the explicit theorem."""
    return 2 * nu * r0 / (weight * alpha)


def sgd_exit_residual(nu: Number, r0: Number) -> Number:
    """``||r_t|| <= 2 nu ||r_0||`` until the exit."""
    return 2 * nu * r0


def sgd_exit_failure(nu: Number) -> Number:
    """``1/nu``: the probability that an iterate ever leaves either bound."""
    return 1 / nu


def sgd_mean_square(rate: Number, t: int, r0: Number) -> Number:
    """``E[||r_t||^2 1{T > t}] <= (1 - rate)^t ||r_0||^2``."""
    return (1 - rate) ** t * r0**2
