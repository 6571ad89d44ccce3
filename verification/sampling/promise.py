"""The numbers of the SGD theorem on one problem (labels, alpha, step size), and states inside its region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jacspec import bounds
from jacspec.bounds.stochastic import SGD_WEIGHT
from jacspec.rounding import Estimate
from verification.arithmetic import Arithmetic, Number
from verification.claim import FLOAT64
from verification.instances import Instance, generator

from .maps import Constants, SampledMap
from .problems import map_of, samples
from .runs import SGD, Limits

__all__ = ["EXPLICIT", "SHARP", "Form", "Promise", "anywhere", "promise", "state", "unmet"]

Floats = NDArray[np.float64]

#: Hypotheses are met by this much, so that rounding does not decide them.
_INSIDE = 1 - 1e-6


@dataclass(frozen=True)
class Form:
    """A form of the theorem, or a false neighbour of it.

    Parameters
    ----------
    sharp : bool
        The weight of the spec, the largest alpha and one condition on eta; otherwise alpha = sigma_0/2, two caps.
    misfit : float or None
        Factor on the first residual beyond what the hypothesis allows; None: nu.
    stride : float or None
        Step size in units of 1/b^2 instead of the theorem's.
    """

    sharp: bool = False
    misfit: float | None = 1.0
    stride: float | None = None


EXPLICIT, SHARP = Form(), Form(sharp=True)


@dataclass(frozen=True)
class Promise:
    """The theorem's numbers on one problem; exact floats.

    Parameters
    ----------
    form : Form
    labels : (n,) float64
    weight, nu, alpha, eta : float
    constants : Constants
    """

    form: Form
    labels: Floats
    weight: float
    nu: float
    alpha: float
    eta: float
    constants: Constants

    def sgd(self, problem: Instance, m: Arithmetic) -> SGD:
        """The algorithm, in an arithmetic."""
        return SGD(map_of(problem, m), self.labels, self.eta, self.constants)

    def r0(self, sgd: SGD) -> Number:
        """``||r_0||``."""
        value, radius = sgd.residuals(sgd.at(sgd.f.start[None]))
        return sgd.m.number(value[0], float(radius[0]))

    def start(self, sgd: SGD, r0: Number) -> Number:
        """s in psi."""
        return bounds.sgd_potential_start(sgd.m.number(self.weight), sgd.m.number(self.alpha), r0)

    def limits(self, sgd: SGD) -> Limits:
        """Exit distance, exit residual, rate."""
        m, c = sgd.m, self.constants
        weight, alpha, nu, eta = (m.number(x) for x in (self.weight, self.alpha, self.nu, self.eta))
        r0 = self.r0(sgd)
        residual = bounds.sgd_exit_residual(nu, r0)
        noise = m.number(1.0)
        if self.form.sharp:
            noise = bounds.sgd_noise(eta, alpha, m.number(c.b), m.number(c.beta), m.number(c.L), residual)
        return Limits(
            bounds.sgd_exit_distance(weight, alpha, nu, r0),
            residual,
            bounds.sgd_rate(eta, alpha, sgd.f.n, noise),
            r0,
        )


# -- labels and step size -------------------------------------------------------------------------------------------


def _aim(problem: Instance, J: Floats) -> Floats:
    """The direction of the first residual, a unit vector."""
    aim, n = str(problem.spec.get("aim", "random")), len(J)
    if aim in ("bottom", "top"):
        u = np.linalg.svd(J, full_matrices=J.shape[1] < n)[0][:, -1 if aim == "bottom" else 0]
    elif aim == "one":
        u = np.eye(n)[-1]
    else:
        u = generator(problem.spec, 8).standard_normal(n)
    return np.asarray(u / np.linalg.norm(u))


def sigma_0(problem: Instance) -> Estimate:
    """sigma_min(J(theta_0)) in float64."""

    def compute() -> Estimate:
        f = map_of(problem, FLOAT64)
        return Estimate.of(f.sigma_min(f.start))

    found: Estimate = problem.once("sgd: sigma_0", compute)
    return found


def promise(problem: Instance, form: Form = EXPLICIT) -> Promise:
    """Labels as far from f(theta_0) as the hypothesis allows ("share" of it), and the step size ("stride" of the cap).

    Once sigma_0 > 0, the hypothesis is met by construction; `unmet` checks it.
    """
    found: Promise = problem.once(f"sgd: {form}", lambda: _promise(problem, form))
    return found


def _promise(problem: Instance, form: Form) -> Promise:
    spec, f = problem.spec, map_of(problem, FLOAT64)
    c, s0 = f.constants(), sigma_0(problem)
    nu, share, stride = (float(spec.get(name, default)) for name, default in (("nu", 2), ("share", 1), ("stride", 1)))
    weight = float(spec.get("weight", 0.5)) if form.sharp else SGD_WEIGHT
    alpha = s0.lower / 2 * _INSIDE  # the explicit one; for the sharp one the least, for the largest drift
    unit = float(bounds.sgd_drift(weight, nu, c.L, 1.0))
    most = share * _INSIDE * alpha * (s0.lower - alpha) / unit if unit > 0 else share
    size = most * (nu if form.misfit is None else form.misfit)
    J = np.asarray(f.jacobian(f.start)[0], dtype=np.float64)
    labels = np.asarray(f.outputs(f.start[None])[0][0] - size * _aim(problem, J), dtype=np.float64)
    given = Promise(form, labels, weight, nu, alpha, 0.0, c)
    r0 = given.r0(given.sgd(problem, FLOAT64))
    drift = bounds.sgd_drift(weight, Estimate.exact(nu), Estimate.exact(c.L), r0)
    if form.sharp:
        alpha = bounds.sgd_sharp_alpha(s0, drift).lower * _INSIDE
    low, b, beta = Estimate.exact(alpha), Estimate.exact(c.b), Estimate.exact(c.beta)
    if form.stride is not None:
        eta = (form.stride / b**2).lower
    elif form.sharp:
        eta = bounds.sgd_sharp_step_size(weight, low, b, beta, nu, Estimate.exact(c.L), r0).lower
    else:
        eta = min(cap.lower for cap in bounds.sgd_step_size(low, b, beta, nu))
    return Promise(form, labels, weight, nu, alpha, stride * eta * (1 - 1e-12), c)


def unmet(problem: Instance) -> str | None:
    """How a problem breaks the hypotheses, in either form; with the numbers. (eta meets its own by construction.)"""
    s0 = sigma_0(problem)
    if s0.lower <= 0:
        return f"sigma_min(J(theta_0)) is {s0.value:.3g} up to {s0.radius:.1g}: not clearly positive"
    for form in (EXPLICIT, SHARP):
        g = promise(problem, form)
        c, r0 = g.constants, g.r0(g.sgd(problem, FLOAT64))
        if r0.lower <= 0:  # what the hypothesis allows is less than f(theta_0) is rounded by
            return f"||r_0|| is {r0.value:.3g} up to {r0.radius:.1g}: not clearly positive"
        drift = bounds.sgd_drift(g.weight, g.nu, Estimate.exact(c.L), r0).upper
        if drift > (Estimate.exact(g.alpha) * (s0 - g.alpha)).lower:
            return f"2 nu L ||r_0||/w = {drift:.6g} exceeds alpha (sigma_0 - alpha), alpha = {g.alpha:.6g}"
    return None


# -- states ---------------------------------------------------------------------------------------------------------


def _falling(f: SampledMap, h: float) -> Floats:
    """The direction in which sigma_min(J) falls fastest from theta_0, by central differences of width h."""

    def low(theta: Floats) -> float:
        return float(np.linalg.svd(f.jacobian(theta)[0], compute_uv=False)[-1])

    return np.array([low(f.start - h * e) - low(f.start + h * e) for e in np.eye(f.p)])


def _direction(problem: Instance, f: SampledMap, kind: str, reach: float) -> Floats:
    D = generator(problem.spec, 10).standard_normal(f.p)
    if kind == "weakest":
        falling = _falling(f, 1e-3 * reach)
        D = falling if np.any(falling) else D
    if kind in ("weakest", "flat"):  # as far as f does not move
        V = np.linalg.svd(f.jacobian(f.start)[0], full_matrices=False)[2]
        flat = D - V.T @ (V @ D)
        D = flat if np.linalg.norm(flat) > 1e-6 * np.linalg.norm(D) else D
    return np.asarray(D / (np.linalg.norm(D) or 1.0))


def state(problem: Instance, form: Form) -> Floats:
    """A theta for sure inside the region of a form, where the spec says.

    "start": theta_0. "run": after some steps of SGD. "random": at "reach" times the exit distance in a random
    direction, "flat": in one along which f hardly moves; "weakest": in the one of these in which sigma_min(J) falls
    fastest. Nearer where the residual would be too large.
    """
    found: Floats = problem.once(f"sgd: state of {form}", lambda: _state(problem, form))
    return found


def _state(problem: Instance, form: Form) -> Floats:
    given = promise(problem, form)
    sgd = given.sgd(problem, FLOAT64)
    f, limits, kind = sgd.f, given.limits(sgd), str(problem.spec.get("state", "run"))

    def inside(theta: Floats) -> bool:
        states = sgd.at(theta[None])
        (d, d_radius), (r, r_radius) = sgd.distances(states), sgd.residuals(states)
        return bool(d[0] + d_radius[0] <= limits.distance.lower and r[0] + r_radius[0] <= limits.residual.lower)

    if kind == "start":
        return np.asarray(f.start)
    if kind == "run":
        states = sgd.at(f.start[None])
        for i in samples(problem, 0, 12):
            following = sgd.advance(states, np.array([i]))
            if not inside(following.thetas[0]):
                break
            states = following
        return np.asarray(states.thetas[0])
    reach = float(problem.spec.get("reach", 0.5)) * limits.distance.lower
    D = _direction(problem, f, kind, reach)
    for _ in range(200):
        theta = f.start + reach * D
        if inside(theta):
            return np.asarray(theta)
        reach *= 0.9
    return np.asarray(f.start)


def anywhere(problem: Instance) -> tuple[Floats, Promise]:
    """A state and labels and a step size that obey no hypothesis, for what holds everywhere.

    The residual is "share" times 100 beta^2/L (so that curvature matters), eta is "stride" over b^2 (beta^2 + L||r||)
    / beta^2.
    """
    theta, own = state(problem, EXPLICIT), promise(problem, EXPLICIT)
    f, c = map_of(problem, FLOAT64), own.constants
    size = float(problem.spec.get("share", 1.0)) * (100 * c.beta**2 / c.L if c.L > 0 else 1.0)
    u = _aim(problem, np.asarray(f.jacobian(theta)[0], dtype=np.float64))
    eta = float(problem.spec.get("stride", 1.0)) * c.beta**2 / (c.b**2 * (c.beta**2 + c.L * size))
    labels = np.asarray(f.outputs(theta[None])[0][0] - size * u, dtype=np.float64)
    return theta, Promise(Form(stride=1.0), labels, own.weight, own.nu, own.alpha, eta, c)
