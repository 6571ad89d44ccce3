"""What the theorems promise of a given run, beside which the run is drawn: rates and path lengths, met or not.

Two kinds of statement speak of a run. The theorems of section 6 know X, y, phi and the width, and promise with
probability over the draw of W_0. The statements of section 5 know the start itself: sigma_min(J(W_0)) and ||r_0|| are
measured, and nothing is left to chance. All constants are taken at the safe end of their intervals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import bounds
from ._checks import InputError
from .constants import ActivationConstants, Constants
from .rounding import Estimate
from .spectrum import singular_extremes
from .training import Trajectory, jacobian_extremes
from .widths import Options, Problem, SmoothPromise, gd_smooth_sharp_at, width_rows
from .widths.model import Void, need_mu, need_square

__all__ = ["Guarantee", "guarantees"]

Floats = NDArray[np.float64]

Variant = Literal["paper", "explicit", "sharp"]
_VARIANTS: tuple[Variant, ...] = ("paper", "explicit", "sharp")
_LARGEST = "1/(2 beta^2)"
#: What the sharp form of `gd-kantorovich`, and all that rests on it, allows.
_LARGEST_SHARP = "1/beta^2"
#: How far ||v|| sqrt(n) may be from ||y||, relatively, for v to count as the paper's: rounding, and labels in decimals.
_BALANCE = 1e-9


@dataclass(frozen=True)
class Guarantee:
    """One statement about one run.

    Parameters
    ----------
    claim, variant : str
        Slug of theory.md, and "paper", "explicit" or "sharp".
    verdict : "OK" or "VACUOUS"
        Whether its hypothesis is met.
    reason : str
        Which hypothesis fails, with its numbers; else what the statement rests on.
    rate : float or None
        q in ``||r_t|| <= (1 - q)^t ||r_0||``; with `mean_square`, of ``E||r_t||^2``. Where only the width is missing it
        is what the statement would say at a sufficient width; None where it cannot be computed.
    path : float or None
        Bound of the path length, hence of ``||W_t - W_0||_F``.
    width : int or None
        The width that a theorem asks for; None for a statement about the start.
    mean_square : bool
    failure_probability : float
        0 for a statement about the start.
    """

    claim: str
    variant: Variant
    verdict: Literal["OK", "VACUOUS"]
    reason: str
    rate: float | None = None
    path: float | None = None
    width: int | None = None
    mean_square: bool = False
    failure_probability: float = 0.0

    def residual(self, steps: Any) -> Floats:
        """The bound of ``||r_t||/||r_0||`` after `steps` steps (the root of that of the mean square).

        Raises
        ------
        InputError
            Where there is no rate.
        """
        if self.rate is None:
            raise InputError("steps", steps, f"a statement with a rate; {self.claim} ({self.variant}) has none here")
        power = 0.5 if self.mean_square else 1.0
        return np.asarray(np.exp(power * np.asarray(steps, dtype=np.float64) * _log1p(-min(self.rate, 1.0))))

    def to_json(self) -> dict[str, Any]:
        """For `jacspec train --json`."""
        return {
            "claim": self.claim,
            "variant": self.variant,
            "verdict": self.verdict,
            "reason": self.reason,
            "rate": self.rate,
            "rate_of": "mean square" if self.mean_square else "norm",
            "path": self.path if self.path is None or math.isfinite(self.path) else "inf",
            "width": self.width,
            "failure_probability": self.failure_probability,
        }


def _log1p(x: float) -> float:
    return math.log1p(x) if x > -1 else -math.inf


def guarantees(run: Trajectory, constants: Constants) -> tuple[Guarantee, ...]:
    """What theory.md promises of a run, statement by statement.

    Parameters
    ----------
    run : Trajectory
    constants : Constants
        Of the run's X, y and activation (`data_constants` with ``y=run.y``). Its options say with which delta, nu and
        failure probability the theorems are meant.

    Returns
    -------
    tuple of Guarantee
        Theorems first, then statements about the start.

    Raises
    ------
    InputError
        If the constants are those of other data or have not this activation.

    References
    ----------
    theory.md sections 5 and 6.
    """
    name = run.start.activation.name
    if name not in constants.activations:
        raise InputError("constants", f"those of {', '.join(constants.activations)}", f"those of {name}")
    if not np.array_equal(constants.dataset.X, run.X):
        raise InputError("constants", f"those of {constants.dataset.source}", "those of the data that the run is about")
    facts = _Facts(run, constants, constants.activations[name])
    if run.trains == "output":
        found = [_output_width(facts), _output_start(facts)]
    elif run.algorithm == "sgd":
        found = [_sgd_theorem(facts), _sgd_start(facts)]
    elif run.start.activation.is_smooth:
        found = [_paper(facts), _explicit(facts), _sharp(facts), _convergence(facts), _kantorovich(facts)]
    else:
        found = [*_relu_theorems(facts), _perturbation(facts), _perturbation_sharp(facts)]
    return tuple(found)


class _Facts:
    """The constants of a run, each at its safe end."""

    def __init__(self, run: Trajectory, constants: Constants, a: ActivationConstants) -> None:
        self.run, self.a, self.nu, self.failure = run, a, constants.options.nu, constants.options.failure
        self.spectrum, self.options, self.n, self.k = constants.spectrum, constants.options, len(run.y), run.start.k
        v, y = run.start.v, run.y
        self.v, self.v_inf, self.y = _norm(v), float(np.max(np.abs(v))), _norm(y)
        self.B1, self.B2 = a.phi.B1.upper, a.phi.B2.upper
        self.X = constants.spectrum.spectral_norm.upper
        self.r0 = float(run.residual_norms[0]) * (1 + 1e-12)
        self.eta = run.eta
        problem = (self.n, run.X.shape[1], self.y, False, a.phi, self.spectrum, a.hermite, a.hidden, a.output)
        self.problem = Problem(*problem)
        self._start: Estimate | None = None

    @property
    def sigma_0(self) -> Estimate:
        """sigma_min of the Jacobian at the start, computed once."""
        if self._start is None:
            run = self.run
            if run.trains == "output":
                self._start = singular_extremes(run.start.features(run.X))[0]
            else:
                known = [c.sigma_min for c in run.checkpoints if c.step == 0]
                self._start = known[0] if known else jacobian_extremes(run.start, run.X)[0]
        return self._start

    def unbalanced(self) -> str | None:
        """Why v is not the paper's, if it is not."""
        v = self.run.start.v
        if np.ptp(np.abs(v)) > _BALANCE * self.v_inf or abs(int(np.sum(np.sign(v)))) != 0:
            return "v is not balanced (entries of one size, half of them negative)"
        if abs(self.v * math.sqrt(self.n) - self.y) > _BALANCE * self.y:
            return f"||v|| sqrt(n) = {self.v * math.sqrt(self.n):.6g}, and the theorem has ||y|| = {self.y:.6g}"
        return None

    def share(self, B: float) -> float:
        """The eta_bar of ``eta = eta_bar/(2 B^2 ||v||^2 ||X||^2)``."""
        return self.eta / float(bounds.gd_step_size(1.0, 1, B, self.v, self.X)) if math.isfinite(B) else math.inf

    def row(self, claim: str, variant: str) -> Any:
        return next(r for r in self.a.widths if (r.claim, r.variant) == (claim, variant))


def _norm(v: Floats) -> float:
    top = float(np.max(np.abs(v)))
    return top * float(np.linalg.norm(v / top)) if top > 0 else 0.0


def _first(*sentences: str | None) -> str | None:
    return next((s for s in sentences if s), None)


def _narrow(k: int, row: Any) -> str | None:
    return None if row.k is not None and k >= row.k else f"k = {k}, and it asks for k >= {_count(row.k)}"


def _count(k: int | None) -> str:
    return "?" if k is None else f"{k}" if k < 10**7 else f"{float(k):.2e}" if k < 10**300 else "more than 1e300"


def _long(share: float, name: str) -> str | None:
    return f"eta is {share:.3g} times {name}, the largest allowed" if share > 1 + 1e-9 else None


def _made(
    claim: str, variant: Any, void: str | None, rate: Any, path: Any, *, rests: str = "", **more: Any
) -> Guarantee:
    numbers = [None if x is None else float(x) for x in (rate, path)]
    return Guarantee(claim, variant, "VACUOUS" if void else "OK", void or rests, numbers[0], numbers[1], **more)


# -- theorem-gd-smooth ----------------------------------------------------------------------------------------------


def _draw(row: Any) -> dict[str, Any]:
    p = row.failure_probability or 0.0
    rests = f"fails with probability at most {p:.3g}" if p else ""
    return {"width": row.k, "failure_probability": p, "rests": rests}


def _theorem(facts: _Facts, variant: Any, B: float, rate: float, path: float) -> Guarantee:
    row, share = facts.row("theorem-gd-smooth", variant), facts.share(B)
    void = _first(row.reason if row.k is None else None, facts.unbalanced(), _long(share, _LARGEST))
    void = void or _narrow(facts.k, row)
    return _made("theorem-gd-smooth", variant, void, rate, path, **_draw(row))


def _paper(facts: _Facts) -> Guarantee:
    row = facts.row("theorem-gd-smooth", "paper")
    try:
        mu, sigma = need_mu(facts.problem).lower, need_square(facts.spectrum.khatri_rao_sigma_min).lower
        B = facts.a.phi.B.upper
        if not math.isfinite(B):
            raise Void(row.reason or "B is infinite")
    except Void as why:
        return Guarantee("theorem-gd-smooth", "paper", "VACUOUS", str(why), width=row.k)
    rate = bounds.gd_smooth_rate_paper(facts.share(B), mu, B, sigma, facts.X)
    alpha = bounds.gd_smooth_alpha(facts.v * math.sqrt(facts.n), facts.n, bounds.hermite_lower(mu, sigma))
    path = bounds.gd_convergence_path(alpha, facts.r0)
    return _theorem(facts, "paper", B, rate, path)


def _explicit(facts: _Facts) -> Guarantee:
    row, lam = facts.row("theorem-gd-smooth", "explicit"), facts.a.hidden.smallest.lower
    if row.k is None:
        return Guarantee("theorem-gd-smooth", "explicit", "VACUOUS", row.reason or "")
    alpha = bounds.gd_smooth_alpha(facts.v * math.sqrt(facts.n), facts.n, lam)
    rate = bounds.gd_convergence_rate(facts.eta, alpha)
    return _theorem(facts, "explicit", facts.B1, rate, bounds.gd_convergence_path(alpha, facts.r0))


def _sharp(facts: _Facts) -> Guarantee:
    row, share = facts.row("theorem-gd-smooth", "sharp"), facts.share(facts.B1)
    void = _first(row.reason if row.k is None else None, facts.unbalanced(), _long(share / 2, _LARGEST_SHARP))
    if void:
        return Guarantee("theorem-gd-smooth", "sharp", "VACUOUS", void, width=row.k)
    options = Options(failure=facts.failure, eta_bar=min(2.0, share))
    here = gd_smooth_sharp_at(facts.problem, facts.k, options)
    void = None
    if here is None:
        void = f"k = {facts.k}, and it asks for k >= {_count(row.k)}"
        here = _sharp_beyond(facts, 2 * row.k, options)
        if here is None:
            return Guarantee("theorem-gd-smooth", "sharp", "VACUOUS", void, width=row.k)
        void += f" (numbers: those of k = {_count(here.k)})"
    path = bounds.gd_kantorovich_path(facts.r0, here.c, facts.v * math.sqrt(here.lam), here.h)
    rests = f"h = {here.h:.4g}; fails with probability at most {facts.failure:.3g}"
    p = facts.failure
    return _made("theorem-gd-smooth", "sharp", void, here.rate, path, rests=rests, width=row.k, failure_probability=p)


def _sharp_beyond(facts: _Facts, k: int, options: Options) -> SmoothPromise | None:
    """The sharp theorem at the first of k, 2k, 4k, ... at which it holds for this step size."""
    for _ in range(8):
        found = gd_smooth_sharp_at(facts.problem, k, options)
        if found is not None:
            return found
        k *= 2
    return None


# -- the start, smooth ----------------------------------------------------------------------------------------------


def _no_start(facts: _Facts) -> str | None:
    sigma = facts.sigma_0
    if sigma.exact_zero:
        return f"sigma_min(J(W_0)) is exactly zero: {sigma.note}"
    if sigma.lower <= 0:
        return f"sigma_min(J(W_0)) is at most {sigma.upper:.1e}, not told from zero"
    return None if math.isfinite(facts.B2) and math.isfinite(facts.B1) else "B1 or B2 is infinite"


def _convergence(facts: _Facts) -> Guarantee:
    why = _no_start(facts)
    if why:
        return Guarantee("gd-convergence", "explicit", "VACUOUS", why)
    alpha = facts.sigma_0.lower / 2
    L = bounds.jacobian_lipschitz_paper(facts.B2, facts.v_inf, facts.X, 1.0)
    least = bounds.gd_convergence_alpha_squared(L, facts.r0)
    void = _long(facts.share(facts.B1), _LARGEST)
    if alpha**2 < least:
        void = (
            void
            or f"alpha^2 = {alpha**2:.3g} with alpha = sigma_min(J(W_0))/2, and it asks for 2 L ||r_0|| = {least:.3g}"
        )
    rate, path = bounds.gd_convergence_rate(facts.eta, alpha), bounds.gd_convergence_path(alpha, facts.r0)
    return _made("gd-convergence", "explicit", void, rate, path, rests="holds for this start")


def _kantorovich(facts: _Facts) -> Guarantee:
    why = _no_start(facts)
    if why:
        return Guarantee("gd-kantorovich", "sharp", "VACUOUS", why)
    sigma, beta = facts.sigma_0.lower, bounds.jacobian_norm_sharp(facts.B1, facts.v, facts.X)
    two_four = facts.spectrum.norm_2_to_4_squared.upper
    L = bounds.jacobian_lipschitz_optimal(facts.B2, facts.v_inf, two_four, 1.0)
    c = _step_constant(facts, beta, L)
    if c <= 0:
        return Guarantee("gd-kantorovich", "sharp", "VACUOUS", f"c = {c:.3g} <= 0: eta is too large")
    h = float(bounds.gd_kantorovich_h(L, facts.r0, c, sigma))
    if not h < 1:
        return Guarantee(
            "gd-kantorovich",
            "sharp",
            "VACUOUS",
            f"h = 2 L ||r_0||/(c sigma_0^2) = {h:.3g} with c = {c:.3g}, and it asks for h < 1",
        )
    rate = bounds.gd_kantorovich_rate(facts.eta, c, bounds.gd_kantorovich_D(sigma, h))
    path = bounds.gd_kantorovich_path(facts.r0, c, sigma, h)
    why = f"h = {h:.4g} < 1 for this start" + ("" if c == 1 else f", with c = {c:.3g} (eta exceeds {_LARGEST_SHARP})")
    return Guarantee("gd-kantorovich", "sharp", "OK", why, float(rate), float(path))


def _step_constant(facts: _Facts, beta: float, L: float) -> float:
    """The c of `gd-kantorovich`: 1 for eta <= 1/beta^2, theory.md's own for longer steps."""
    if facts.eta <= float(bounds.gd_largest_step_sharp(beta)) * (1 + 1e-9):
        return 1.0
    return float(bounds.gd_step_constant(facts.eta, beta, L, facts.r0))


# -- ReLU -----------------------------------------------------------------------------------------------------------


def _relu_theorems(facts: _Facts) -> list[Guarantee]:
    return [_relu_theorem(facts, v) for v in _VARIANTS] if facts.a.phi.family == "relu" else []


def _relu_theorem(facts: _Facts, variant: Variant) -> Guarantee:
    row = facts.row("theorem-gd-relu", variant)
    void = _first(row.reason if row.k is None else None, facts.unbalanced(), _long(facts.share(1.0), _LARGEST))
    lam = facts.a.hidden.smallest.lower
    if variant == "paper":
        lam = float(bounds.relu_hermite_lower(facts.spectrum.khatri_rao_sigma_min.lower))
    if lam <= 0:
        return Guarantee("theorem-gd-relu", variant, "VACUOUS", void or "lambda(X) is not known to be positive")
    if variant == "sharp":
        return _relu_sharp(facts, void)
    sigma = facts.v * math.sqrt(lam / 2)
    rate, path = bounds.gd_perturbation_rate(facts.eta, sigma), bounds.gd_perturbation_radius(facts.r0, sigma)
    return _made("theorem-gd-relu", variant, void or _narrow(facts.k, row), rate, path, **_draw(row))


def _relu_sharp(facts: _Facts, void: str | None) -> Guarantee:
    """The sharp theorem at this run's step size: its width, rate and path depend on it."""
    options = Options(failure=facts.failure, eta_bar=min(1.0, facts.share(1.0)))
    rows = width_rows(facts.problem, options)
    row = next(r for r in rows if (r.claim, r.variant) == ("theorem-gd-relu", "sharp"))
    if row.k is None:
        return Guarantee("theorem-gd-relu", "sharp", "VACUOUS", void or row.reason or "")
    sigma = float(bounds.initial_sigma_min(row.assumes["eps_c"], facts.v, facts.a.hidden.smallest.lower))
    path = bounds.gd_perturbation_path_sharp(facts.r0, row.assumes["b"], sigma)
    return _made("theorem-gd-relu", "sharp", void or _narrow(facts.k, row), row.rate, path, **_draw(row))


def _perturbation(facts: _Facts) -> Guarantee:
    sigma = facts.sigma_0.lower
    if sigma <= 0:
        return Guarantee("gd-perturbation", "explicit", "VACUOUS", _no_start(facts) or "sigma_min(J(W_0)) is zero")
    R = float(bounds.gd_perturbation_radius(facts.r0, sigma))
    (jump,), (flips,) = _jumps(facts, np.array([R]))
    allowed = float(bounds.gd_perturbation_jump(sigma))
    void = _not_relu(facts) or _long(facts.share(facts.B1), _LARGEST)
    if jump > allowed:
        void = void or f"{_within(facts, flips, R, jump)}, and it asks for sigma_0/8 = {allowed:.3g}"
    rate = float(bounds.gd_perturbation_rate(facts.eta, sigma))
    return _made("gd-perturbation", "explicit", void, rate, R, rests="holds for this start")


#: Jumps of J, in units of sigma_0, among which the sharp form looks for the smallest that bounds its own ball's.
_JUMPS = np.concatenate([[1e-3, 3e-3], np.linspace(0.01, 0.7, 139)])


def _perturbation_sharp(facts: _Facts) -> Guarantee:
    """The sharp form with the smallest eps for which J moves by at most eps sigma_0 within ``||r_0||/(b sigma_0)``."""
    sigma, share = facts.sigma_0.lower, facts.share(facts.B1)
    if sigma <= 0:
        return Guarantee("gd-perturbation", "sharp", "VACUOUS", _no_start(facts) or "sigma_min(J(W_0)) is zero")
    void = _not_relu(facts) or _long(share, _LARGEST)
    if void:
        return Guarantee("gd-perturbation", "sharp", "VACUOUS", void)
    step = min(share, 1.0) / 2  # eta beta^2
    slopes = bounds.gd_perturbation_slope_sharp(_JUMPS, step, 1.0)
    known = slopes > 1e-9
    eps, slopes = _JUMPS[known], slopes[known]
    radii = bounds.gd_perturbation_path_sharp(facts.r0, slopes, sigma)
    jumps, flips = _jumps(facts, radii)
    met = jumps <= eps * sigma
    if not np.any(met):
        best = int(np.argmin(jumps / eps))
        within = _within(facts, int(flips[best]), float(radii[best]), float(jumps[best]))
        void = f"{within}, and it asks for {eps[best]:.3g} sigma_0 = {eps[best] * sigma:.3g}"
        return Guarantee("gd-perturbation", "sharp", "VACUOUS", void)
    first = int(np.argmax(met))
    least, b = float(eps[first]), float(slopes[first])
    # The better formula needs a small jump.
    form = bounds.gd_perturbation_rate_any
    if least <= (1 - least) * (1 - step):
        form = bounds.gd_perturbation_rate_sharp
    rate = form(least, step, 1.0, sigma) * facts.eta / step
    path = bounds.gd_perturbation_path_sharp(facts.r0, b, sigma)
    rests = f"J moves by at most {least:.3g} sigma_0; holds for this start"
    return _made("gd-perturbation", "sharp", None, rate, path, rests=rests)


def _not_relu(facts: _Facts) -> str | None:
    return None if facts.a.phi.family == "relu" else "the count of sign changes is stated for ReLU"


def _within(facts: _Facts, flips: int, R: float, jump: float) -> str:
    return f"{flips} of {facts.k} units may change sign within R = {R:.3g}, so J may move by {jump:.3g}"


def _jumps(facts: _Facts, radii: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """How far J may move within each radius of W_0, and ``max_i N_i``, the units that may change sign there.

    N_i(R) is the most units whose smallest ``<w_l, x_i>^2`` together stay within R^2; phi' jumps by 1 for ReLU.
    """
    X, W = facts.run.X, facts.run.start.W
    flips = np.zeros(len(radii), dtype=np.int64)
    for x in X:
        sums = np.cumsum(np.sort((W @ x) ** 2))
        flips = np.maximum(flips, np.searchsorted(sums, radii**2 * (1 + 1e-12), side="right"))
    most = [float(bounds.relu_jacobian_perturbation(facts.v_inf, facts.X, int(count))) for count in flips]
    return facts.B1 * np.array(most), flips


# -- SGD ------------------------------------------------------------------------------------------------------------


def _several(facts: _Facts) -> str | None:
    return f"it takes one sample a step, and the run took {facts.run.batch}" if facts.run.batch > 1 else None


def _sgd_theorem(facts: _Facts) -> Guarantee:
    row, lam = facts.row("theorem-sgd-smooth", "explicit"), facts.a.hidden.smallest.lower
    if row.k is None:
        return Guarantee("theorem-sgd-smooth", "explicit", "VACUOUS", row.reason or "", mean_square=True)
    most = float(bounds.sgd_smooth_step_size(1.0, facts.n, facts.B1, facts.y, facts.X, lam))
    most = min(most, float(bounds.sgd_step_size(1.0, facts.B1 * facts.v, 1.0, facts.nu)[1]))
    void = _first(_several(facts), facts.unbalanced(), _long(facts.eta / most, "the theorem's step size"))
    rate = float(bounds.sgd_smooth_rate(facts.eta, facts.n, facts.y, lam))
    alpha = bounds.gd_smooth_alpha(facts.y, facts.n, lam)
    path = float(bounds.sgd_exit_distance(0.25, alpha, facts.nu, facts.r0))
    void = void or _narrow(facts.k, row)
    return _made("theorem-sgd-smooth", "explicit", void, rate, path, mean_square=True, **_draw(row))


def _sgd_start(facts: _Facts) -> Guarantee:
    why = _no_start(facts)
    if why:
        return Guarantee("sgd-convergence", "explicit", "VACUOUS", why, mean_square=True)
    b = facts.B1 * facts.v * float(np.max(np.linalg.norm(facts.run.X, axis=1))) * (1 + 1e-12)
    beta = float(bounds.jacobian_norm_sharp(facts.B1, facts.v, facts.X))
    two_four = facts.spectrum.norm_2_to_4_squared.upper
    L = float(bounds.jacobian_lipschitz_optimal(facts.B2, facts.v_inf, two_four, 1.0))
    return _sgd(facts, b, beta, L)


def _sgd(facts: _Facts, b: float, beta: float, L: float) -> Guarantee:
    """`sgd-convergence` from this start."""
    alpha, nu = facts.sigma_0.lower / 2, facts.nu
    least = float(bounds.sgd_drift(0.25, nu, L, facts.r0))
    most = min(bounds.sgd_step_size(alpha, b, beta, nu))
    void = _first(_several(facts), _long(facts.eta / most, "min(4 alpha^2/(5 b^2 beta^2), 4/(nu b^2))"))
    if alpha**2 < least:
        void = void or f"alpha^2 = {alpha**2:.3g}, and it asks for 8 nu L ||r_0|| = {least:.3g}"
    rate = bounds.sgd_rate(facts.eta, alpha, facts.n, 1.0)
    path = bounds.sgd_exit_distance(0.25, alpha, nu, facts.r0)
    failure = float(bounds.sgd_exit_failure(nu))
    rests = f"leaves its ball with probability at most {failure:g}"
    return _made(
        "sgd-convergence", "explicit", void, rate, path, mean_square=True, failure_probability=failure, rests=rests
    )


# -- the output layer -----------------------------------------------------------------------------------------------


def _output_width(facts: _Facts) -> Guarantee:
    row = facts.row("theorem-output-layer", "explicit")
    void = row.reason if row.k is None else _narrow(facts.k, row)
    p, rests = row.failure_probability or 0.0, "lambda_min(Phi Phi^T) is bounded below, so least squares fits"
    return _made(row.claim, row.variant, void, None, None, width=row.k, failure_probability=p, rests=rests)


def _output_start(facts: _Facts) -> Guarantee:
    """Phi does not move: L = 0."""
    sigma, sampled = facts.sigma_0, facts.run.algorithm == "sgd"
    claim, variant = ("sgd-convergence", _VARIANTS[1]) if sampled else ("gd-kantorovich", _VARIANTS[2])
    if sigma.lower <= 0:
        zero = f"is exactly zero: {sigma.note}" if sigma.exact_zero else f"<= {sigma.upper:.1e}, not told from zero"
        return Guarantee(claim, variant, "VACUOUS", f"sigma_min(Phi) {zero}", mean_square=sampled)
    features = facts.run.start.features(facts.run.X)
    beta = singular_extremes(features)[1].upper
    if sampled:
        return _sgd(facts, float(np.max(np.linalg.norm(features, axis=1))) * (1 + 1e-12), beta, 0.0)
    c = _step_constant(facts, beta, 0.0)
    if c <= 0:
        return Guarantee(claim, variant, "VACUOUS", f"c = {c:.3g} <= 0: eta is too large")
    rate = bounds.gd_kantorovich_rate(facts.eta, c, sigma.lower**2)
    return _made(
        claim, variant, None, rate, bounds.gd_kantorovich_path(facts.r0, c, sigma.lower, 0.0), rests="L = 0: Phi stays"
    )
