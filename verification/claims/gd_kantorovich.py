r"""gd-kantorovich: gradient descent under the condition of Newton-Kantorovich (docs/theory.md section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jacspec import bounds
from verification.arithmetic import Arithmetic, Float64
from verification.claim import FLOAT64, Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import SMOOTH_ACTIVATIONS
from verification.dynamics import Map, Run, Series, descents, estimate, idle, run, told, worst_step
from verification.instances import Instance

#: eta is this much below eta_bar / (2 beta^2), so that rounding does not carry it across.
_ROOM = 1e-9

Number = Series


def reach(m: Arithmetic, sigma: Number, L: Number) -> Number:
    """sigma_0/L, which s* cannot exceed; where L = 0 the constants are the same on every ball."""
    return sigma / L if m.split(L)[0] > 0 else m.number(0.0)


def choose(instance: Instance, f: Map) -> tuple[float, float]:
    """h = ratio, with the c of the statement or with c = 1 ("sharp"); eta = eta_bar / (2 beta^2)."""
    spec, low, L = instance.spec, f.singular_values(f.start)[1], f.lipschitz()
    if low.lower <= 0 or L is None:
        return 0.0, 1.0
    beta = f.norm_within(reach(FLOAT64, low, L)).upper
    eta = float(spec["eta_bar"]) * (1 - _ROOM) / (2 * beta**2)
    h, square = float(spec["ratio"]), low.value**2
    if L.value == 0:
        return h * low.value, eta
    share = 1 - eta * beta**2 / 2
    if spec.get("sharp") or share <= 0:
        return h * square / (2 * L.value), eta
    # 2 L ||r_0|| = h c sigma_0^2, where c depends on ||r_0||.
    return h * square * share / (L.value * (2 + h * square * eta / 2)), eta


def begin(instance: Instance, m: Arithmetic) -> Run:
    """The run."""
    return run(instance, m, choose)


@dataclass(frozen=True)
class Situation:
    """The numbers that the statement speaks of, with its own c or, for the sharp form, with c = 1."""

    eta: Number
    sigma: Number
    L: Number
    beta: Number
    r0: Number
    c: Number

    @classmethod
    def of(cls, r: Run, sharp: bool = False) -> Situation:
        """beta holds on the ball of radius sigma_0/L, hence on that of radius s*."""
        m, L, sigma, r0 = r.m, r.f.lipschitz(), r.sigma_min[0], r.residual_norms[0]
        eta = r.number(r.eta)
        beta = r.number(r.f.norm_within(reach(m, estimate(r, sigma), L)))
        c = r.number(1.0) if sharp else bounds.gd_step_constant(eta, beta, r.number(L), r0)
        return cls(eta, sigma, r.number(L), beta, r0, c)

    @property
    def h(self) -> Number:
        """2 L ||r_0|| / (c sigma_0^2)"""
        return bounds.gd_kantorovich_h(self.L, self.r0, self.c, self.sigma)

    @property
    def D(self) -> Number:
        """sigma_0^2 (1 - h)"""
        return bounds.gd_kantorovich_D(self.sigma, self.h)


# -- hypotheses -----------------------------------------------------------------------------------------------------


def too_far(instance: Instance, least: float = 1.0, power: int = 2) -> str | None:
    """How h < 1 fails even with c = 1, which every form needs (`least`: another threshold; `power`: of sigma_0)."""
    s = Situation.of(begin(instance, FLOAT64), sharp=True)
    h = s.h * s.sigma ** (2 - power) if power != 2 else s.h
    if h.upper < least:
        return None
    return f"h = {float(h.upper):.6g} even for c = 1, which is not below {least:g}"


def too_long(instance: Instance) -> str | None:
    """How c > 0 fails where the sharp form does not apply either."""
    r = begin(instance, FLOAT64)
    s = Situation.of(r)
    if s.c.lower > 0 or short(r, s):
        return None
    return f"c = {float(s.c.upper):.6g} is not positive (eta beta^2 = {float((s.eta * s.beta**2).upper):.6g})"


def short(r: Run, s: Situation, most: float = 1.0) -> bool:
    """Whether eta beta^2 <= 1 (`most`: another limit)."""
    return surely(r, bounds.gd_largest_step_sharp(s.beta) * most - s.eta)


def surely(r: Run, x: Number) -> bool:
    """Whether x > 0 beyond rounding."""
    return bool(x.lower > 0) if isinstance(r.m, Float64) else bool(x > 0)


# -- the statement --------------------------------------------------------------------------------------------------

Part = Callable[[Run, Situation], Sides | None]


def path(r: Run, s: Situation) -> Sides | None:
    """``s_t <= s*``"""
    return worst_step(r, r.path[1:], bounds.gd_kantorovich_path(s.r0, s.c, s.sigma, s.h), last=True)


def smallest(r: Run, s: Situation) -> Sides | None:
    """``sigma_min(J_t) >= sqrt(D)``"""
    return worst_step(r, s.D**0.5, r.sigma_min[1:])


def contraction(r: Run, s: Situation) -> Sides | None:
    """``eta c D ||r_t|| <= ||r_t|| - ||r_{t+1}||``, every step."""
    return _contraction(r, s, s.D)


def _contraction(r: Run, s: Situation, D: Number) -> Sides | None:
    norms = r.residual_norms
    return worst_step(r, bounds.gd_kantorovich_rate(s.eta, s.c, D) * norms[:-1], norms[:-1] - norms[1:])


def residual(r: Run, s: Situation) -> Sides | None:
    """``c (sigma_0 s_t - L s_t^2/2) <= ||r_0|| - ||r_t||``, the inequality behind it all."""
    return _residual(r, s, s.L)


def _residual(r: Run, s: Situation, L: Number) -> Sides | None:
    taken = -bounds.gd_kantorovich_residual(r.number(0.0), s.c, s.sigma, L, r.path[1:])
    return worst_step(r, taken, s.r0 - r.residual_norms[1:])


def distance(r: Run, s: Situation) -> Sides | None:
    """``||theta_t - theta_0|| <= s*``; the last theta_t is near the interpolator."""
    return worst_step(r, r.distances[1:], bounds.gd_kantorovich_path(s.r0, s.c, s.sigma, s.h), last=True)


PARTS: dict[str, Part] = {
    "path": path, "sigma-min": smallest, "contraction": contraction, "residual": residual, "distance": distance
}  # fmt: skip


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Every part with the statement's c, where h < 1, and with c = 1, where eta beta^2 <= 1."""
    r = begin(instance, m)
    found: dict[str, Sides | None] = {}
    for sharp in (False, True):
        s = Situation.of(r, sharp)
        if short(r, s) if sharp else surely(r, s.c) and surely(r, 1 - s.h):
            found |= {f"sharp-{name}" if sharp else name: part(r, s) for name, part in PARTS.items()}
    return told(r, found)


# -- false neighbours -----------------------------------------------------------------------------------------------

Mutated = Callable[[Instance, Arithmetic], Mapping[str, Sides]]


def _false(part: Part, sharp: bool = False, most: float = 1.0, needs_h: bool = True) -> Mutated:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        r = begin(instance, m)
        s = Situation.of(r, sharp)
        applies = short(r, s, most) if sharp else surely(r, s.c) and (not needs_h or surely(r, 1 - s.h))
        return told(r, {"mutant": part(r, s)}) if applies else {}

    return mutant


def _times(name: str, factor: float) -> Part:
    def more(r: Run, s: Situation) -> Sides | None:
        pair = PARTS[name](r, s)
        return None if pair is None else Sides(pair.left * factor, pair.right)

    return more


def _straight_path(r: Run, s: Situation) -> Sides | None:
    return worst_step(r, r.path[1:], bounds.gd_kantorovich_path(s.r0, s.c, s.sigma, s.h * 0), last=True)


def _half_h_path(r: Run, s: Situation) -> Sides | None:
    return worst_step(r, r.path[1:], bounds.gd_kantorovich_path(s.r0, s.c, s.sigma, s.h / 2), last=True)


def _fourth_root(r: Run, s: Situation) -> Sides | None:
    return worst_step(r, s.sigma * ((1 - s.h) ** 0.5) ** 0.5, r.sigma_min[1:])


def _half_L(r: Run, s: Situation) -> Sides | None:
    return _residual(r, s, s.L / 2)


def _first_power(r: Run, s: Situation) -> Sides | None:
    D = bounds.gd_kantorovich_D(s.sigma, s.h * s.sigma)
    return worst_step(r, D**0.5, r.sigma_min[1:])


def _initial_rate(r: Run, s: Situation) -> Sides | None:
    return _contraction(r, s, s.sigma**2)


def _opposite_rate(r: Run, s: Situation) -> Sides | None:
    return _contraction(r, s, abs_(r, s.D))


def abs_(r: Run, x: Number) -> Number:
    """|x|, of a number that is not zero up to rounding."""
    return x if surely(r, x) else -x


_LINE: dict[str, int | float | str] = {"map": "quadratic", "shape": "line", "steps": 60, "seed": 0}
_NEARLY: dict[str, int | float | str] = {**_LINE, "shape": "near-line"}

CLAIM = Claim(
    id="gd-kantorovich",
    title="Gradient descent converges under the condition of Newton-Kantorovich",
    statement=(
        r"h = \frac{2 L \|r_0\|}{c \sigma_0^2} < 1,\ c = 1 - \tfrac12\eta\beta^2 - \tfrac12\eta L\|r_0\| > 0,\ "
        r"D = \sigma_0^2 (1 - h) \Rightarrow s_t \le s^* = \frac{\sigma_0 - \sqrt D}{L},\ "
        r"\sigma_{\min}(J_t) \ge \sqrt D,\ \|r_{t+1}\| \le (1 - \eta c D) \|r_t\|; "
        r"\text{ for } \eta\beta^2 \le 1 \text{ all of it with } c = 1"
    ),
    source="jacspec, after Newton and Kantorovich; docs/theory.md section 5",
    kind=Kind.UPPER,
    domain=descents(
        ("network", "quadratic", "quadratic"),
        SMOOTH_ACTIVATIONS,
        ratios=(0.999, 0.99, 0.9, 0.5, 0.1, 1.3),
        eta_bars=(1.0, 1.0, 0.5, 0.1, 1e-2, 1.9, 3.0),
        data_ratios=(0.999, 0.5),
        longest=40,
        sharp=(0, 0, 0, 1),
    ),
    variants=(
        Variant("path", r"s_t \le s^*"),
        Variant("sigma-min", r"\sigma_{\min}(J_t) \ge \sqrt D"),
        Variant("contraction", r"\eta c D \|r_t\| \le \|r_t\| - \|r_{t+1}\|"),
        Variant("residual", r"c (\sigma_0 s_t - L s_t^2/2) \le \|r_0\| - \|r_t\|"),
        Variant("distance", r"\|\theta_t - \theta_0\| \le s^*"),
        Variant("sharp-path", r"s_t \le s^* \text{ with } c = 1"),
        Variant("sharp-sigma-min", r"\sigma_{\min}(J_t)^2 \ge \sigma_0^2 - 2 L \|r_0\|"),
        Variant("sharp-contraction", r"\|r_{t+1}\| \le (1 - \eta(\sigma_0^2 - 2 L \|r_0\|)) \|r_t\|"),
        Variant("sharp-residual", r"\sigma_0 s_t - L s_t^2/2 \le \|r_0\| - \|r_t\|"),
        Variant("sharp-distance", r"\|\theta_t - \theta_0\| \le s^* \text{ with } c = 1"),
    ),
    sides=sides,
    assumptions=(
        Assumption(r"$\sigma_0 > 0$ and $r_0$ is not zero", lambda instance: idle(begin(instance, FLOAT64))),
        Assumption(r"$2 L \|r_0\| < \sigma_0^2$, without which $h < 1$ for no $c$", too_far),
        Assumption(r"$c > 0$, or $\eta \beta^2 \le 1$ (sharp form)", too_long),
    ),
    mutants=(
        Mutant("short-path", "$0.97 s^*$", _false(_times("path", 1 / 0.97))),
        Mutant("sharp-path-twin", "$0.999 s^*$ with $c = 1$", _false(_times("path", 1 / 0.999), sharp=True)),
        Mutant("sharp-sigma-min-twin", r"1.001 \sqrt D with c = 1", _false(_times("sigma-min", 1.001), sharp=True)),
        Mutant("straight-path", r"s_t \le \|r_0\| / (c \sigma_0), as if L = 0", _false(_straight_path)),
        Mutant("half-h-in-path", "$h/2$ in place of $h$ in $s^*$", _false(_half_h_path, sharp=True)),
        Mutant("fourth-root", r"\sigma_{\min}(J_t) \ge \sigma_0 (1 - h)^{1/4}", _false(_fourth_root)),
        Mutant("initial-rate", r"\|r_{t+1}\| \le (1 - \eta c \sigma_0^2) \|r_t\|", _false(_initial_rate)),
        Mutant("half-L", "$L s_t^2/4$ in place of $L s_t^2/2$", _false(_half_L, sharp=True)),
        Mutant(
            "sigma-to-the-first",
            r"h = 2 L \|r_0\| / (c \sigma_0)",
            _false(_first_power, needs_h=False),
            assumptions=(Assumption(r"$2 L \|r_0\| < \sigma_0$", lambda instance: too_far(instance, power=1)),),
        ),
        Mutant(
            "h-below-two",
            "$h < 2$ suffices, with $|D|$",
            _false(_opposite_rate, sharp=True),
            assumptions=(Assumption("$h < 2$", lambda instance: too_far(instance, least=2.0)),),
        ),
        Mutant("long-steps", r"c = 1 for \eta\beta^2 \le 2", _false(contraction, sharp=True, most=2.0)),
    ),
    extremal=(
        # f = theta - theta^2/2: with c = 1 the residual is what the statement says, the path tends to s* and sigma_min
        # to sqrt(D); with the statement's c so as eta -> 0. A second coordinate keeps them from being equalities.
        {**_NEARLY, "ratio": 0.5, "eta_bar": 1.9, "sharp": 1},
        {**_NEARLY, "ratio": 0.9, "eta_bar": 1.9, "sharp": 1, "steps": 200},
        {**_NEARLY, "ratio": 0.999, "eta_bar": 1.9, "sharp": 1, "steps": 600},
        {**_NEARLY, "ratio": 0.5, "eta_bar": 0.05, "steps": 1300},
        {**_NEARLY, "ratio": 0.9, "eta_bar": 0.5, "steps": 150, "reflect": 1, "extra": 2, "scale": 1e-3, "bend": 10.0},
        {**_NEARLY, "ratio": 0.999, "eta_bar": 1.0},
        {**_LINE, "ratio": 0.999, "eta_bar": 1.9, "sharp": 1, "steps": 20},
        {**_LINE, "ratio": 0.9, "eta_bar": 1.0, "bend": -1.0},
        {**_LINE, "shape": "linear", "n": 3, "low": 0.1, "ratio": 1.0, "eta_bar": 1.9},
        # Steps beyond 1/beta^2, where only the statement's own c is left.
        {**_LINE, "ratio": 0.9, "eta_bar": 3.0},
        {**_LINE, "shape": "linear", "n": 1, "ratio": 1.0, "eta_bar": 3.9},
        # Not met.
        {**_LINE, "ratio": 1.9, "eta_bar": 1.0, "sharp": 1},
        {**_LINE, "ratio": 2.0, "eta_bar": 1.0, "sharp": 1, "scale": 0.25},
    ),
    floor=0.55,
    proof=(
        r"By gd-one-step and $\sigma_{\min}(J_t) \ge \sigma_0 - L s_t$, $\|r_{t+1}\| \le \|r_t\| - c (\sigma_0 - L "
        r"s_t)(s_{t+1} - s_t)$; summed, $\|r_t\| \le \|r_0\| - c (\sigma_0 s_t - L s_t^2/2)$. With $a = \sigma_0 - "
        r"L s_t \ge \sqrt D$, $c a (s_{t+1} - s_t) \le \|r_t\| \le c (a^2 - D)/(2L)$, so $\sigma_0 - L s_{t+1} \ge "
        r"a/2 + D/(2a) \ge \sqrt D$. Sharp: for $\eta \beta^2 \le 1$ the sharp form of gd-one-step takes "
        r"$\sigma_{\min}(J_t) d - L d^2/2$ from $\|r_t\|$, $d = s_{t+1} - s_t$, which is at least the integral of "
        r"$\sigma_0 - L s$ from $s_t$ to $s_{t+1}$; so $0 \le \|r_t\| \le (a^2 - D)/(2L)$ with $D = \sigma_0^2 - 2 "
        r"L \|r_0\|$, also for every part of a step, so that $a$ stays above $\sqrt D$; and the step takes at least "
        r"$d (\sigma_{\min}(J_t) + \sqrt D)/2 \ge \eta D \|r_t\|$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
