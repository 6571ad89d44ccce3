r"""gd-convergence: gradient descent from near enough converges at a linear rate (docs/theory.md section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jacspec import bounds
from verification.arithmetic import Arithmetic
from verification.claim import FLOAT64, Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import SMOOTH_ACTIVATIONS
from verification.dynamics import Map, Run, Series, descents, estimate, idle, run, step_too_long, told, worst_step
from verification.instances import Instance

#: Room for the rounding of labels in what must hold of the exact run: eta is this much below eta_bar / (2 beta^2).
_ROOM = 1e-9

Number = Series


def choose(instance: Instance, f: Map) -> tuple[float, float]:
    """``2 L ||r_0|| = ratio alpha^2`` with ``alpha = sigma_0 / 2``, and eta = eta_bar / (2 beta^2)."""
    spec, low, L = instance.spec, f.singular_values(f.start)[1], f.lipschitz()
    if low.lower <= 0 or L is None:
        return 0.0, 1.0
    alpha, ratio = low.lower / 2, float(spec["ratio"])
    size = ratio * alpha**2 / (2 * L.value) if L.value > 0 else ratio * alpha
    reach = bounds.gd_convergence_path(FLOAT64.number(alpha), FLOAT64.number(size)) * (1 + _ROOM)
    return size, float(spec["eta_bar"]) * (1 - _ROOM) / (2 * f.norm_within(reach).upper ** 2)


def begin(instance: Instance, m: Arithmetic) -> Run:
    """The run."""
    return run(instance, m, choose)


@dataclass(frozen=True)
class Situation:
    """The numbers that the statement speaks of."""

    eta: Number
    alpha: Number
    L: Number
    beta: Number
    r0: Number

    @classmethod
    def of(cls, r: Run) -> Situation:
        """alpha is sigma_0/2, the largest allowed; beta holds on the ball that the path cannot leave."""
        L, r0, alpha = r.f.lipschitz(), r.residual_norms[0], r.sigma_min[0] / 2
        reach = estimate(r, bounds.gd_convergence_path(alpha, r0))
        return cls(r.number(r.eta), alpha, r.number(L), r.number(r.f.norm_within(reach)), r0)


# -- hypotheses -----------------------------------------------------------------------------------------------------


def too_far(instance: Instance, share: float = 1.0) -> str | None:
    """How alpha^2 >= 2 L ||r_0|| fails (`share`: of the right-hand side)."""
    s = Situation.of(begin(instance, FLOAT64))
    square, needed = s.alpha**2, bounds.gd_convergence_alpha_squared(s.L, s.r0) * share
    if square.lower >= needed.upper:
        return None
    return f"alpha^2 = {square.upper:.6g} is below {2 * share:.3g} L ||r_0|| = {needed.upper:.6g}"


def too_long(instance: Instance, share: float = 1.0) -> str | None:
    """How eta <= 1/(2 beta^2) fails."""
    s = Situation.of(begin(instance, FLOAT64))
    return step_too_long(s.eta, s.beta, share)


# -- the statement --------------------------------------------------------------------------------------------------


def rate(r: Run, s: Situation, factor: float = 1.0) -> Sides | None:
    """(a), every step of the run: the promised rate against the mean rate so far."""
    return worst_step(r, bounds.gd_convergence_rate(s.eta, s.alpha) * factor, r.mean_rates)


def potential(r: Run, s: Situation, factor: float = 1.0) -> Sides | None:
    """(b), as what the path takes from the residual."""
    left = bounds.gd_convergence_potential(s.alpha * factor, r.path[1:], r.number(0.0))
    return worst_step(r, left, s.r0 - r.residual_norms[1:])


def path(r: Run, s: Situation, factor: float = 1.0) -> Sides | None:
    """The path that (b) allows."""
    return worst_step(r, r.path[1:], bounds.gd_convergence_path(s.alpha, s.r0) * factor, last=True)


def smallest(r: Run, s: Situation, factor: float = 1.0) -> Sides | None:
    """(c)"""
    return worst_step(r, s.alpha * factor, r.sigma_min[1:])


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Rate, potential, path and sigma_min along the run."""
    r = begin(instance, m)
    s = Situation.of(r)
    return told(r, {"rate": rate(r, s), "potential": potential(r, s), "path": path(r, s), "sigma-min": smallest(r, s)})


# -- false neighbours -----------------------------------------------------------------------------------------------


def _false(part: Callable[[Run, Situation, float], Sides | None], factor: float = 1.0) -> Mutated:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        r = begin(instance, m)
        return told(r, {"mutant": part(r, Situation.of(r), factor)})

    return mutant


Mutated = Callable[[Instance, Arithmetic], Mapping[str, Sides]]

_MOVES = Assumption(r"$\sigma_0 > 0$ and $r_0$ is not zero", lambda instance: idle(begin(instance, FLOAT64)))
_NEAR = Assumption(r"$\sigma_0 \ge 2 \alpha$ and $\alpha^2 \ge 2 L \|r_0\|$", too_far)
_SHORT = Assumption(r"$\eta \le 1/(2 \beta^2)$", too_long)

#: f = theta - theta^2/2: sigma_min falls to sqrt(1 - h) with h = ratio/4, and the path grows by as much.
_LINE: dict[str, int | float | str] = {"map": "quadratic", "shape": "line", "steps": 60, "seed": 0, "eta_bar": 1.0}

CLAIM = Claim(
    id="gd-convergence",
    title="Gradient descent from near enough converges linearly and stays near",
    statement=(
        r"\sigma_0 \ge 2\alpha,\ \alpha^2 \ge 2 L \|r_0\|,\ \eta \le \tfrac{1}{2\beta^2} \Rightarrow "
        r"\|r_t\| \le (1 - \tfrac12\eta\alpha^2)^t \|r_0\|,\ \tfrac{\alpha}{2} s_t + \|r_t\| \le \|r_0\|,\ "
        r"\sigma_{\min}(J_t) \ge \alpha"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674; explicit form: jacspec",
    kind=Kind.UPPER,
    domain=descents(
        ("network", "quadratic"),
        SMOOTH_ACTIVATIONS,
        ratios=(1.0 - 1e-6, 0.9, 0.5, 0.1, 1e-3, 1.5),
        eta_bars=(1.0, 1.0, 0.5, 0.1, 1e-2),
        data_ratios=(0.9, 0.1),
    ),
    variants=(
        Variant("rate", r"\eta\alpha^2/2 \le 1 - (\|r_t\|/\|r_0\|)^{1/t}"),
        Variant("potential", r"(\alpha/2) s_t \le \|r_0\| - \|r_t\|"),
        Variant("path", r"s_t \le 2 \|r_0\| / \alpha"),
        Variant("sigma-min", r"\sigma_{\min}(J_t) \ge \alpha"),
    ),
    sides=sides,
    assumptions=(_MOVES, _NEAR, _SHORT),
    mutants=(
        # The statement is far from sharp (see gd-kantorovich): six times the rate is true as eta -> 0, and so are
        # sigma_min >= sqrt(3) alpha = 1.732 alpha, a potential with 1.866 alpha and a path of 0.536 ||r_0|| / alpha.
        Mutant("seven-times-the-rate", r"(1 - 7\eta\alpha^2/2)^t", _false(rate, 7.0)),
        Mutant("steeper-potential", r"1.9 \alpha s_t + \|r_t\| \le \|r_0\|", _false(potential, 3.8)),
        Mutant("quarter-of-the-path", r"s_t \le \|r_0\| / (2\alpha)", _false(path, 0.25)),
        Mutant("larger-sigma-min", r"\sigma_{\min}(J_t) \ge 1.75 \alpha", _false(smallest, 1.75)),
        Mutant(
            "too-far-to-converge",
            r"\alpha^2 \ge L \|r_0\|/8 suffices for the rate",
            _false(rate),
            assumptions=(_MOVES, Assumption(r"$\alpha^2 \ge L \|r_0\|/8$", lambda i: too_far(i, 1 / 16)), _SHORT),
        ),
        Mutant(
            "too-far-for-sigma-min",
            r"\alpha^2 \ge L \|r_0\|/2 suffices for \sigma_{\min}(J_t) \ge \alpha",
            _false(smallest),
            assumptions=(_MOVES, Assumption(r"$\alpha^2 \ge L \|r_0\|/2$", lambda i: too_far(i, 1 / 4)), _SHORT),
        ),
        Mutant(
            "long-steps",
            r"the rate for \eta \le 2/\beta^2",
            _false(rate),
            assumptions=(_MOVES, _NEAR, Assumption(r"$\eta \le 2/\beta^2$", lambda i: too_long(i, 4.0))),
        ),
    ),
    extremal=(
        {**_LINE, "ratio": 1.0 - 1e-6},
        {**_LINE, "ratio": 1.0 - 1e-6, "reflect": 1, "extra": 2, "scale": 1e-3, "bend": 10.0},
        {**_LINE, "ratio": 0.5, "bend": -1.0},  # sigma_min grows
        {**_LINE, "ratio": 0.9, "shape": "linear", "n": 1},
        {**_LINE, "ratio": 0.9, "shape": "linear", "n": 3, "low": 0.1, "direction": "bottom"},
        # Not met: too far by factors of 4 and 15, and steps of nearly 2/beta^2.
        {**_LINE, "ratio": 3.9},
        {**_LINE, "ratio": 15.0, "steps": 500},
        {**_LINE, "ratio": 0.9, "shape": "linear", "n": 1, "eta_bar": 4.0},
    ),
    floor=0.7,
    proof=(
        r"$\alpha \le \beta/2$ and $L \|r_0\| \le \beta^2/8$, so $c_t \ge 3/4 - 1/32$ in gd-one-step; while $s_t "
        r"\le 2 \|r_0\|/\alpha \le \alpha/L$, $\sigma_{\min}(J_t) \ge 2 \alpha - L s_t \ge \alpha$, so each step "
        r"takes at least $(\alpha/2) \|\theta_{t+1} - \theta_t\|$ and $(\eta \alpha^2/2) \|r_t\|$ from $\|r_t\|$, "
        "which keeps $s_t$ in that range."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
