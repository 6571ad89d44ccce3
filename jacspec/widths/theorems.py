"""One function per theorem and form; a failed hypothesis raises `Void` with the sentence for the user."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .. import bounds
from .model import (
    Options,
    Problem,
    Variant,
    Void,
    WidthRow,
    assumptions,
    even_at_least,
    iterations_to,
    need_lambda,
    need_mu,
    need_probability,
    need_smooth,
    need_square,
    step_size,
)
from .tails import Tails, best_split, golden, smallest_even

__all__ = ["SmoothPromise", "gd_smooth_sharp_at", "width_rows"]

# -- theorem-gd-smooth ----------------------------------------------------------------------------------------------


def _gd_smooth_paper(p: Problem, o: Options) -> WidthRow:
    need_smooth(p.phi)
    mu, sigma, B = need_mu(p), need_square(p.spectrum.khatri_rao_sigma_min), p.phi.B
    X_norm = p.spectrum.spectral_norm
    failure = need_probability(1 / p.n + bounds.misfit_failure(o.delta, p.n, X_norm.upper))
    c = max(bounds.gd_smooth_paper_constant(B.lower), bounds.gd_smooth_paper_constant(B.upper))
    root = bounds.gd_smooth_paper_sqrt_kd(c, B, mu, o.delta, p.spectrum.kappa, p.n)
    rate = bounds.gd_smooth_rate_paper(1.0, mu, B, sigma, X_norm).lower
    return WidthRow(
        "theorem-gd-smooth",
        "paper",
        even_at_least((root**2 / p.d).upper),
        "OK",
        step_size=step_size(p, bounds.gd_step_size(1.0, p.n, B, 1.0, X_norm).lower),
        rate=rate,
        iterations=iterations_to(o.tolerance, rate),
        failure_probability=failure,
        assumes=assumptions(p, delta=o.delta, eta_bar=1.0, c=c),
    )


def _gd_smooth_explicit(p: Problem, o: Options) -> WidthRow:
    need_smooth(p.phi)
    lam, X_norm, B1 = need_lambda(p.hidden.smallest, "lambda(X)"), p.spectrum.spectral_norm, p.phi.B1
    failure = need_probability(1 / p.n + bounds.misfit_failure(o.delta, p.n, X_norm.upper))
    misfit = bounds.misfit_factor_paper(o.delta, B1)
    root = bounds.gd_smooth_explicit_sqrt_k(misfit, p.phi.B2, p.n, X_norm, lam)
    chernoff = bounds.chernoff_width(p.n, B1, X_norm, lam)
    rate = bounds.gd_smooth_rate_explicit(1.0, B1, lam, X_norm).lower
    return WidthRow(
        "theorem-gd-smooth",
        "explicit",
        even_at_least(max((root**2).upper, chernoff.upper)),
        "OK",
        step_size=step_size(p, bounds.gd_step_size(1.0, p.n, B1, 1.0, X_norm).lower),
        rate=rate,
        iterations=iterations_to(o.tolerance, rate),
        failure_probability=failure,
        assumes=assumptions(p, delta=o.delta, eta_bar=1.0),
    )


@dataclass(frozen=True)
class SmoothPromise:
    """What the sharp `theorem-gd-smooth` promises at one width (`gd_smooth_sharp_at`).

    Parameters
    ----------
    k : int
    eps, delta : float
        Of the Chernoff bound and of the misfit bound, at the total failure probability asked for.
    misfit : float
        ``||r_0|| <= misfit ||y||``.
    lam : float
        ``(1 - eps) lambda(X)``: ``sigma_min(J(W_0))^2 >= s^2 lam`` with ``s = ||y||/sqrt(n)``.
    h, c : float
        Of `gd-kantorovich`; h < 1, and c = 1 unless asked for with its own.
    rate : float
        ``||r_t|| <= (1 - rate)^t ||r_0||``; 0 in the limit of small steps.
    """

    k: int
    eps: float
    delta: float
    misfit: float
    lam: float
    h: float
    c: float
    rate: float


class _SharpSmooth:
    """The condition of the sharp theorem at any width, at the failure probability and step size of the options.

    With c = 1, which the sharp form of `gd-kantorovich` allows for eta <= 1/beta^2 (eta_bar <= 2): always the weaker
    condition and the better promise. With ``own_c`` its own c, which depends on the step size.
    """

    def __init__(self, p: Problem, o: Options, own_c: bool = False) -> None:
        need_smooth(p.phi)
        need_lambda(p.hidden.smallest, "lambda(X)")
        if o.eta_bar > 2 and not own_c:
            raise Void(f"eta = {o.eta_bar:.3g}/(2 beta^2) exceeds 1/beta^2")
        self.p, self.o, self.own_c, self.tails = p, o, own_c, Tails.of(p)
        self.share = 0.5  # the last split that worked: most widths that suffice, suffice with it, and need no search

    def _constants(self) -> tuple[float, float, int, float, float]:
        tails = self.tails
        return tails.B1, self.p.phi.B2.upper, self.p.n, tails.X_norm, self.p.spectrum.norm_2_to_4_squared.upper

    def condition(self, k: int, share: float) -> tuple[float, float, float, float]:
        """(margin, eps, delta, rho): the theorem holds when the margin is positive."""
        eps = self.tails.eps(k, math.log(self.o.failure * share))
        if eps is None:
            return -math.inf, 1.0, 0.0, 0.0
        delta, rho = self.tails.misfit(math.log(self.o.failure) + math.log1p(-share))
        lam = (1 - eps) * self.tails.lam
        B1, B2, n, X_norm, two_to_four = self._constants()
        if self.own_c:
            right = bounds.gd_smooth_sharp_sqrt_k(rho, B1, B2, n, X_norm, two_to_four, lam, self.o.eta_bar)
        else:
            right = bounds.gd_smooth_unit_sqrt_k(rho, B2, n, two_to_four, lam)
        return math.sqrt(k) - right * (1 + 1e-13), eps, delta, rho

    def feasible(self, k: int) -> tuple[float, float, float] | None:
        """(eps, delta, rho) where the theorem holds at width k."""
        quick = self.condition(k, self.share)
        if quick[0] > 0:
            return quick[1:]
        margin, self.share = best_split(lambda share: -self.condition(k, share)[0])
        return self.condition(k, self.share)[1:] if -margin > 0 else None

    def fastest(self, k: int) -> SmoothPromise | None:
        """The promise whose split gives the largest c D, hence the fastest rate."""

        def value(share: float) -> float:
            margin, *chosen = self.condition(k, share)
            if margin <= 0:
                return -margin  # where nothing is promised: towards the nearest split at which something is
            at = self.promise(k, *chosen)
            return -at.c * at.lam * (1 - at.h)

        best, share = best_split(value)
        return self.promise(k, *self.condition(k, share)[1:]) if best < 0 else None

    def promise(self, k: int, eps: float, delta: float, rho: float) -> SmoothPromise:
        """What follows at width k from eps and delta."""
        lam, eta_bar = (1 - eps) * self.tails.lam, self.o.eta_bar
        B1, B2, n, X_norm, two_to_four = self._constants()
        if self.own_c:
            h, c = bounds.gd_smooth_sharp_h(k, rho, B1, B2, n, X_norm, two_to_four, lam, eta_bar)
        else:
            h, c = bounds.gd_smooth_unit_h(k, rho, B2, n, two_to_four, lam), 1.0
        rate = bounds.gd_smooth_rate_sharp(eta_bar, c, h, B1, lam, X_norm)
        return SmoothPromise(k, eps, delta, rho, lam, h, c, rate)


def gd_smooth_sharp_at(p: Problem, k: int, o: Options, own_c: bool = False) -> SmoothPromise | None:
    """What the sharp theorem promises at width k, with eps and delta chosen for the fastest rate.

    Parameters
    ----------
    p : Problem
    k : int
        Even.
    o : Options
        `failure` and `eta_bar`, here up to 2: the theorem holds for eta <= 1/beta^2.
    own_c : bool, default False
        The form with the c of `gd-kantorovich` in place of 1: weaker at every step size up to 1/beta^2.

    Returns
    -------
    SmoothPromise or None
        None when k is too small, or where the theorem is void (`width_rows` says why).
    """
    try:
        return _SharpSmooth(p, o, own_c).fastest(k)
    except Void:
        return None


def _gd_smooth_sharp(p: Problem, o: Options) -> WidthRow:
    sharp = _SharpSmooth(p, o)
    k, (eps, delta, rho) = smallest_even(sharp.feasible)
    chosen: dict[str, Any] = {"eps": eps, "delta": delta, "eta_bar": o.eta_bar, "failure": o.failure}
    step = rate = None
    reason = "enough for every step size up to 1/beta^2; pass --eta-bar for a step size and a rate"
    if o.eta_bar > 0:
        here, twice = sharp.promise(k, eps, delta, rho), sharp.promise(2 * k, eps, delta, rho)
        rate = here.rate
        step = step_size(p, bounds.gd_step_size(o.eta_bar, p.n, sharp.tails.B1, 1.0, sharp.tails.X_norm))
        chosen.update(
            h=here.h, rate_at_twice_k=twice.rate, iterations_at_twice_k=iterations_to(o.tolerance, twice.rate)
        )
        reason = f"h = {here.h:.6g} at the smallest width, so it is slow there; the rate at 2k is {twice.rate:.3g}"
    return WidthRow(
        "theorem-gd-smooth",
        "sharp",
        k,
        "OK",
        reason=reason,
        step_size=step,
        rate=rate,
        iterations=None if rate is None else iterations_to(o.tolerance, rate),
        failure_probability=o.failure,
        assumes=assumptions(p, **chosen),
    )


# -- theorem-gd-relu ------------------------------------------------------------------------------------------------


def _gd_relu_paper(p: Problem, o: Options) -> WidthRow:
    sigma, X_norm = need_square(p.spectrum.khatri_rao_sigma_min), p.spectrum.spectral_norm
    failure = need_probability(2 / p.n + bounds.misfit_failure(o.delta, p.n, X_norm.upper))
    C = bounds.gd_relu_paper_constant()
    root = bounds.gd_relu_paper_sqrt_kd(C, o.delta, p.n, p.d, p.spectrum.kappa, sigma)
    rate = bounds.gd_relu_rate_explicit(1.0, bounds.relu_hermite_lower(sigma), X_norm).lower
    return WidthRow(
        "theorem-gd-relu",
        "paper",
        even_at_least((root**2 / p.d).upper),
        "OK",
        step_size=step_size(p, bounds.gd_step_size(1.0, p.n, 1.0, 1.0, X_norm).lower),
        rate=rate,
        iterations=iterations_to(o.tolerance, rate),
        failure_probability=failure,
        assumes=assumptions(p, delta=o.delta, eta_bar=1.0, c=C),
    )


def _gd_relu_explicit(p: Problem, o: Options) -> WidthRow:
    lam, X_norm = need_lambda(p.hidden.smallest, "lambda(X)"), p.spectrum.spectral_norm
    failure = need_probability(2 / p.n + bounds.misfit_failure(o.delta, p.n, X_norm.upper))
    width = bounds.gd_relu_explicit_width(o.delta, p.n, X_norm, lam)
    rate = bounds.gd_relu_rate_explicit(1.0, lam, X_norm).lower
    return WidthRow(
        "theorem-gd-relu",
        "explicit",
        even_at_least(width.upper),
        "OK",
        step_size=step_size(p, bounds.gd_step_size(1.0, p.n, 1.0, 1.0, X_norm).lower),
        rate=rate,
        iterations=iterations_to(o.tolerance, rate),
        failure_probability=failure,
        assumes=assumptions(p, delta=o.delta, eta_bar=1.0),
    )


def relu_split(eta_bar: float) -> tuple[float, float]:
    """(eps, b): the jump of J, in units of sigma_0, for which the sharp ReLU theorem asks for the least width.

    With ``m = 1 - eta beta^2 = 1 - eta_bar/2``, eps = sin(theta) and tan(alpha) = sqrt(m), the slope is
    ``b = sqrt(m) cos(theta) - sin(theta)`` and eps^3 b is stationary where ``sin(2 theta - alpha) =
    sin(alpha)/2``. What is returned is valid whatever is rounded: b belongs to the eps that is returned.
    """
    alpha = math.atan(math.sqrt(1 - eta_bar / 2))
    eps = math.sin((alpha + math.asin(math.sin(alpha) / 2)) / 2)
    return eps, float(bounds.gd_perturbation_slope_sharp(eps, eta_bar / 2, 1.0)) * (1 - 1e-13)


def _gd_relu_sharp(p: Problem, o: Options) -> WidthRow:
    need_lambda(p.hidden.smallest, "lambda(X)")
    if o.eta_bar > 1:
        raise Void(f"eta = {o.eta_bar:.3g}/(2 beta^2) exceeds 1/(2 beta^2)")
    tails = Tails.of(p)
    eps, b = relu_split(o.eta_bar)

    def condition(k: int, share: float) -> tuple[float, float, float]:
        """(margin in log k, eps_c, delta). Next to nothing of the failure probability goes to the sign flips."""
        flips_share = 1e-9  # their bound is exp(-(k R)^(2/3) / 4) or so, and k R exceeds 10^6 here
        log_p = math.log(o.failure)
        eps_c = tails.eps(k, log_p + math.log(share * (1 - flips_share)))
        if eps_c is None:
            return -math.inf, 1.0, 0.0
        delta, rho = tails.misfit(log_p + math.log1p(-share) + math.log1p(-flips_share))
        lam = (1 - eps_c) * tails.lam
        radius = rho * math.sqrt(p.n) / (b * math.sqrt(lam))
        if bounds.relu_flips_log_failure(p.n, k, radius) > log_p + math.log(flips_share):
            return -math.inf, 1.0, 0.0
        width = bounds.gd_relu_sharp_width(rho, eps, b, p.n, tails.X_norm, lam)
        return math.log(k) - math.log(width) - 1e-13, eps_c, delta

    known = [0.5]  # the last split that worked, as above

    def feasible(k: int) -> tuple[float, float] | None:
        quick = condition(k, known[0])
        if quick[0] >= 0:
            return quick[1:]
        margin, known[0] = best_split(lambda share: -condition(k, share)[0])
        return condition(k, known[0])[1:] if -margin >= 0 else None

    k, (eps_c, delta) = smallest_even(feasible)
    lam = (1 - eps_c) * tails.lam
    step = rate = None
    if o.eta_bar > 0:
        rate = bounds.gd_relu_rate_sharp(o.eta_bar, eps, lam, tails.X_norm) * (1 - 1e-13)
        step = step_size(p, bounds.gd_step_size(o.eta_bar, p.n, 1.0, 1.0, tails.X_norm))
    return WidthRow(
        "theorem-gd-relu",
        "sharp",
        k,
        "OK",
        reason=None if rate else "limit of small steps: an infimum, not attained; pass --eta-bar for a step and a rate",
        step_size=step,
        rate=rate,
        iterations=None if rate is None else iterations_to(o.tolerance, rate),
        failure_probability=o.failure,
        assumes=assumptions(p, eps=eps, b=b, eps_c=eps_c, delta=delta, eta_bar=o.eta_bar, failure=o.failure),
    )


# -- theorem-sgd-smooth ---------------------------------------------------------------------------------------------


def _sgd_smooth_explicit(p: Problem, o: Options) -> WidthRow:
    need_smooth(p.phi)
    lam, X_norm, B1 = need_lambda(p.hidden.smallest, "lambda(X)"), p.spectrum.spectral_norm, p.phi.B1
    failure = need_probability(1 / p.n + bounds.misfit_failure(o.delta, p.n, X_norm.upper) + 1 / o.nu)
    misfit = bounds.misfit_factor_paper(o.delta, B1)
    root = bounds.sgd_smooth_explicit_sqrt_k(o.nu, misfit, p.phi.B2, p.n, X_norm, lam)
    chernoff = bounds.chernoff_width(p.n, B1, X_norm, lam)
    # For ||y|| = 1: the rate does not depend on ||y||, and the step scales.
    cap = 4 * p.n / (o.nu * B1.upper**2) * (1 - 2**-50)
    step = min(bounds.sgd_smooth_step_size(1.0, p.n, B1, 1.0, X_norm, lam).lower, cap)
    rate = bounds.sgd_smooth_rate(step, p.n, 1.0, lam).lower
    count = iterations_to(o.tolerance**2, rate)
    return WidthRow(
        "theorem-sgd-smooth",
        "explicit",
        even_at_least(max((root**2).upper, chernoff.upper)),
        "OK",
        reason="rate and iterations are those of E||r||^2, one sample a step, until the first exit",
        step_size=step_size(p, step),
        rate=rate,
        iterations=count,
        failure_probability=failure,
        assumes=assumptions(p, delta=o.delta, nu=o.nu, eta_bar=1.0),
    )


# -- theorem-output-layer -------------------------------------------------------------------------------------------


def _output_layer(p: Problem, o: Options) -> WidthRow:
    lam = need_lambda(p.output.smallest, "lambdatilde(X)")
    if p.n == 1:
        raise Void("it may fail with probability 1/n = 1: nothing is promised for one row")
    if math.isfinite(p.phi.sup.value):
        width = bounds.output_layer_width_bounded(p.n, p.phi.sup, lam).upper
        chosen, kept = {"M": p.phi.sup.upper}, "lambdatilde"
    else:
        if math.isinf(p.phi.B1.value):
            raise Void(f"phi and phi' of {p.phi.name} are unbounded")
        width, chosen = _best_truncation(p, lam.lower)
        kept = "lambdatilde_T"
    return WidthRow(
        "theorem-output-layer",
        "explicit",
        even_at_least(width),
        "OK",
        reason=f"W_0 stays fixed: lambda_min(Phi Phi^T) >= k {kept}/2, so least squares fits",
        trains="output",
        failure_probability=1 / p.n,
        assumes=chosen,
    )


def _best_truncation(p: Problem, lam: float) -> tuple[float, dict[str, float]]:
    """Minimise T^2 / lambdatilde_T over the truncation t."""
    B1, X_norm, square = p.phi.B1.upper, p.spectrum.spectral_norm.upper, p.hermite.mean_square.upper

    def width(t: float) -> float:
        T, loss = bounds.output_layer_truncation(t, B1, X_norm, square, p.n)
        kept = lam - loss * (1 + 1e-12)
        return float(bounds.output_layer_width_unbounded(p.n, T, kept)) if kept > 0 else math.inf

    # The loss falls like exp(-t^2 / (2 sg^2)): beyond t* it is below lam / 2 for good.
    unit = B1 * X_norm
    grid = unit * np.geomspace(0.5, 60.0, 241)
    values = [width(float(t)) for t in grid]
    best = int(np.argmin(values))
    if not math.isfinite(values[best]):
        raise Void("truncation takes all of lambdatilde(X)")
    found, t = golden(width, float(grid[max(0, best - 1)]), float(grid[min(240, best + 1)]), 1e-4 * unit)
    if found >= values[best]:
        found, t = values[best], float(grid[best])
    return found, {"t": t}


# -- phase-transition-lower -----------------------------------------------------------------------------------------


def _phase_transition_lower(p: Problem, o: Options) -> WidthRow:
    k = even_at_least(p.n / p.d)
    return WidthRow(
        "phase-transition-lower",
        "sharp",
        k,
        "OK",
        reason="necessary: with k d < n and v chosen without y, almost no labels can be fitted by any W",
        role="necessary",
        failure_probability=0.0,
        assumes={},
    )


_Row = Callable[[Problem, Options], WidthRow]

_ALWAYS: tuple[tuple[str, Variant, _Row, Literal["hidden", "output"]], ...] = (
    ("theorem-gd-smooth", "paper", _gd_smooth_paper, "hidden"),
    ("theorem-gd-smooth", "explicit", _gd_smooth_explicit, "hidden"),
    ("theorem-gd-smooth", "sharp", _gd_smooth_sharp, "hidden"),
    ("theorem-sgd-smooth", "explicit", _sgd_smooth_explicit, "hidden"),
    ("theorem-output-layer", "explicit", _output_layer, "output"),
    ("phase-transition-lower", "sharp", _phase_transition_lower, "hidden"),
)
_RELU: tuple[tuple[str, Variant, _Row, Literal["hidden", "output"]], ...] = (
    ("theorem-gd-relu", "paper", _gd_relu_paper, "hidden"),
    ("theorem-gd-relu", "explicit", _gd_relu_explicit, "hidden"),
    ("theorem-gd-relu", "sharp", _gd_relu_sharp, "hidden"),
)


def width_rows(p: Problem, o: Options) -> Iterator[WidthRow]:
    """All theorems of section 6 on one problem, in order; a failed hypothesis gives a VACUOUS row with its reason.

    Parameters
    ----------
    p : Problem
    o : Options

    Yields
    ------
    WidthRow
    """
    rows = (*_ALWAYS[:3], *_RELU, *_ALWAYS[3:]) if p.phi.family == "relu" else _ALWAYS
    for claim, variant, make, trains in rows:
        try:
            row = make(p, o)
            if row.rate is not None and row.step_size is None:
                note = f"no step size: it lies beyond float64 at ||y|| = {p.y_norm:.3g}"
                row = replace(row, reason=note if row.reason is None else f"{row.reason}; {note}")
            yield row
        except Void as why:
            yield WidthRow(claim, variant, None, "VACUOUS", str(why), trains)
