r"""gd-one-step: what one step of gradient descent takes from the residual (docs/theory.md section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jacspec import bounds
from verification.arithmetic import Arithmetic
from verification.claim import FLOAT64, Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import SMOOTH_ACTIVATIONS
from verification.dynamics import Intervals, Map, Run, Series, descents, run, told, worst_step
from verification.instances import Instance


def choose(instance: Instance, f: Map) -> tuple[float, float]:
    """||r_0|| = ratio ||J_0||^2 / L and eta = eta_bar / (2 ||J_0||^2): the two terms of c_t are of one size."""
    spec, (top, _), L = instance.spec, f.singular_values(f.start), f.lipschitz()
    if top.value <= 0:
        return 0.0, 1.0
    bend = top.value if L is None or L.value == 0 else L.value / top.value
    return float(spec["ratio"]) * top.value / bend, float(spec["eta_bar"]) / (2 * top.value**2)


Mutated = Callable[[Instance, Arithmetic], Mapping[str, Sides]]


def begin(instance: Instance, m: Arithmetic) -> Run:
    """The run; each of its steps is an instance of the statement."""
    return run(instance, m, choose)


# -- the statement, step by step ------------------------------------------------------------------------------------

#: ``bound(run)``: what each step takes from ||r|| at least, and the steps that it speaks of (None: all); None where J
#: is not Lipschitz and has to be.
Bound = Callable[[Run], tuple[Series, Any] | None]


def stated(r: Run, beta_share: float = 1.0, L_share: float = 1.0) -> tuple[Series, Any] | None:
    """``c_t eta ||J_t^T r_t||^2 / ||r_t||`` with beta = ||J_t||, the least that may stand there."""
    L = r.f.lipschitz()
    if L is None:
        return None
    residuals = r.residual_norms[:-1]
    c = bounds.gd_step_constant(r.number(r.eta), r.norms[:-1] * beta_share**0.5, r.number(L) * L_share, residuals)
    return bounds.gd_one_step_decrease(c, r.number(r.eta), r.gradient_norms[:-1], residuals), None


def mean(r: Run, share: float = 1.0) -> tuple[Series, Any]:
    """The same with ||Jbar - J_t|| itself, which needs no Lipschitz condition; where there is a step."""
    residuals, gradients, eta = r.residual_norms[:-1], r.gradient_norms[:-1], r.number(r.eta)
    moving = surely(r, gradients)
    safe = np.where(moving, 1.0, 0.0) * gradients + np.where(moving, 0.0, 1.0)
    c = bounds.gd_step_constant_mean(eta, r.norms[:-1], r.mean_changes * share, residuals, safe)
    return bounds.gd_one_step_decrease(c, eta, gradients, residuals), moving


def sharp(r: Run, L_share: float = 1.0, reach: float = 1.0) -> tuple[Series, Any] | None:
    """``sigma_min(J_t) d - L d^2 / 2``, d the length of the step, where eta ||J_t||^2 <= 1."""
    L = r.f.lipschitz()
    if L is None:
        return None
    short = surely(r, reach - r.number(r.eta) * r.norms[:-1] ** 2, strict=False)
    return bounds.gd_one_step_decrease_sharp(r.sigma_min[:-1], r.number(L) * L_share, r.step_lengths), short


def surely(r: Run, x: Series, strict: bool = True) -> Any:
    """Where x is positive beyond rounding (``strict=False``: or zero, in 60 digits)."""
    if isinstance(x, Intervals):
        return x.lower > 0
    return np.asarray(x > 0 if strict else x >= -r.m.number(1e-40), dtype=bool)


def decreases(r: Run, bound: Bound) -> Sides | None:
    """What the bound promises against what the steps took, where it promises more than nothing."""
    found = bound(r)
    if found is None or not r.steps:
        return None
    least, where = found
    norms, positive = r.residual_norms, surely(r, least)
    return worst_step(r, least, norms[:-1] - norms[1:], where=positive if where is None else positive & where)


def residuals(r: Run, bound: Bound) -> Sides | None:
    """The same as an upper bound of ||r_{t+1}||, also where the residual may grow."""
    found = bound(r)
    if found is None or not r.steps:
        return None
    least, where = found
    return worst_step(r, r.residual_norms[1:], r.residual_norms[:-1] - least, where=where)


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Each step's decrease of ||r|| against the three bounds of it."""
    r = begin(instance, m)
    found = {"mean": decreases(r, mean)}
    if r.f.lipschitz() is not None:
        found |= {"stated": residuals(r, stated), "decrease": decreases(r, stated), "sharp": decreases(r, sharp)}
    return told(r, found)


def nothing_moves(instance: Instance) -> str | None:
    """Why there is nothing to say, or None."""
    r = begin(instance, FLOAT64)
    if not r.thetas:
        return "theta_0 is at a kink, up to rounding"
    if r.gradient_norms[0].lower <= 0:
        size = r.residual_norms[0].estimate().value
        return f"J_0^T r_0 = 0 up to rounding (||r_0|| = {size:.3g}): nothing moves"
    return None


# -- false neighbours -----------------------------------------------------------------------------------------------


def _false(bound: Bound, form: Callable[[Run, Bound], Sides | None] = decreases) -> Mutated:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        r = begin(instance, m)
        return told(r, {"mutant": form(r, bound)}) if r.f.lipschitz() is not None else {}

    return mutant


def _times(bound: Bound, factor: float) -> Bound:
    def more(r: Run) -> tuple[Series, Any] | None:
        found = bound(r)
        return None if found is None else (found[0] * factor, found[1])

    return more


def _whole_gradient(r: Run) -> tuple[Series, Any] | None:
    found = stated(r)
    return None if found is None else (found[0] * r.norms[:-1] * r.residual_norms[:-1] / r.gradient_norms[:-1], None)


#: r lies almost in the kernel of J^T, so that beta is paid for in full, and f bends away at right angles to the step,
#: so that L is: c_t is exact up to second order in "small".
_PARABOLA: dict[str, int | float | str] = {
    "map": "quadratic", "shape": "parabola", "turn": 1, "small": 1e-3, "steps": 1, "seed": 0
}  # fmt: skip
_LINE: dict[str, int | float | str] = {"map": "quadratic", "shape": "line", "steps": 10, "seed": 0}

CLAIM = Claim(
    id="gd-one-step",
    title="One step of gradient descent",
    statement=(
        r"\|r_{t+1}\| \le \|r_t\| - c_t \eta \frac{\|J_t^\top r_t\|^2}{\|r_t\|}, \quad "
        r"c_t = 1 - \tfrac12 \eta \beta^2 - \tfrac12 \eta L \|r_t\|, \quad \|J_t\| \le \beta"
    ),
    source=r"Oymak & Soltanolkotabi, arXiv 1902.04674; the forms with $\bar J$ and $\sigma_{\min}$: jacspec",
    kind=Kind.UPPER,
    domain=descents(
        ("network", "quadratic", "quadratic", "quadratic", "piecewise"),
        (*SMOOTH_ACTIVATIONS, "relu"),
        ratios=(0.1, 1e-3, 1.0, 4.0),
        eta_bars=(1.0, 0.1, 1.9, 0.5, 4.0),
        data_ratios=(0.1, 1.0),
        longest=20,
    ),
    variants=(
        Variant("stated", r"\|r_{t+1}\| \le \|r_t\| - c_t \eta \|J_t^\top r_t\|^2 / \|r_t\|"),
        Variant("decrease", r"\text{the same where } c_t > 0 \text{: the promised decrease against that of } \|r\|"),
        Variant(
            "mean",
            r"\text{the same for } 0 < c_t = 1 - \eta\beta^2/2 - \|\bar J - J_t\| \|r_t\| / \|J_t^\top r_t\|",
        ),
        Variant(
            "sharp",
            r"\sigma_{\min}(J_t) d - L d^2/2 \le \|r_t\| - \|r_{t+1}\|,"
            r" \; d = \eta\|J_t^\top r_t\|, \; \eta\beta^2 \le 1",
        ),
    ),
    sides=sides,
    assumptions=(Assumption(r"$J_0^\top r_0$ is not zero", nothing_moves),),
    mutants=(
        Mutant("stated-twin", "the stated decrease times 1.001", _false(_times(stated, 1.001))),
        Mutant("mean-twin", r"the decrease with $\bar J$ times 1.001", _false(_times(mean, 1.001))),
        Mutant("sharp-twin", "the sharp decrease times 1.001", _false(_times(sharp, 1.001))),
        Mutant("without-L", r"c_t without \eta L \|r_t\|/2", _false(lambda r: stated(r, L_share=0.0))),
        Mutant("half-L", r"c_t with \eta L \|r_t\|/4", _false(lambda r: stated(r, L_share=0.5))),
        Mutant("without-beta", r"c_t without \eta\beta^2/2", _false(lambda r: stated(r, beta_share=0.0))),
        Mutant("half-beta", r"c_t with \eta\beta^2/4", _false(lambda r: stated(r, beta_share=0.5))),
        Mutant("whole-gradient", r"\beta \|J_t^\top r_t\| for \|J_t^\top r_t\|^2 / \|r_t\|", _false(_whole_gradient)),
        Mutant("half-change", r"half of \|\bar J - J_t\|", _false(lambda r: mean(r, 0.5))),
        Mutant("sharp-half-L", "$L d^2/4$ in place of $L d^2/2$", _false(lambda r: sharp(r, L_share=0.5))),
        Mutant("sharp-long-steps", r"the sharp form for \eta\beta^2 \le 2", _false(lambda r: sharp(r, reach=2.0))),
    ),
    extremal=(
        {**_PARABOLA, "ratio": 1.0, "eta_bar": 1.0},
        {**_PARABOLA, "ratio": 0.5, "eta_bar": 2.0},
        {**_PARABOLA, "ratio": 4.0, "eta_bar": 0.1, "reflect": 1, "extra": 2},
        {**_PARABOLA, "ratio": 1.0, "eta_bar": 4.0, "scale": 1e-3},
        # One dimension: r_{t+1} = r_t - sigma_t d + L d^2/2, the sharp form exactly.
        {**_LINE, "ratio": 0.3, "eta_bar": 1.0},
        {**_LINE, "ratio": 0.5, "eta_bar": 1.9, "reflect": 1, "extra": 2},
        {**_LINE, "shape": "linear", "n": 1, "ratio": 1.0, "eta_bar": 3.9},
        {**_LINE, "shape": "linear", "n": 3, "low": 0.1, "ratio": 1.0, "eta_bar": 4.0, "direction": "top"},
        # The slope of a coordinate falls half-way through a step; and at the very start, where the kink is.
        {**_LINE, "map": "piecewise", "jump": 0.4, "reach": 0.05, "ratio": 1.0, "eta_bar": 0.2},
        {**_LINE, "map": "piecewise", "jump": 0.4, "reach": 0.0, "ratio": 1.0, "eta_bar": 0.2},
    ),
    floor=0.4,
    proof=(
        r"$r_{t+1} = r_t - \eta \bar J J_t^\top r_t$ with $\bar J$ the mean of $J$ on the segment, and $\|\bar J - "
        r"J_t\| \le (L/2) \eta \|J_t^\top r_t\|$; and $\|(I - \eta J J^\top) r\| \le \|r\| - \eta (1 - \eta "
        r"\beta^2/2) \|J^\top r\|^2 / \|r\|$. Sharp form: let $\|r\| = 1$, $\mu = \|J^\top r\|^2$, $s = "
        r"\sigma_{\min}(J)$. Then $\|J J^\top r\|^2 \le (\beta^2 + s^2) \mu - \beta^2 s^2$, so $\|(I - \eta J "
        r"J^\top) r\|^2 - (1 - \eta s \sqrt\mu)^2 \le \eta (\sqrt\mu - s) [\eta \beta^2 (\sqrt\mu + s) - 2 "
        r"\sqrt\mu] \le 0$ for $\eta \beta^2 \le 1$: $\|(I - \eta J J^\top) r\| \le \|r\| - \eta s \|J^\top r\|$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
