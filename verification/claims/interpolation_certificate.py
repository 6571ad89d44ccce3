r"""interpolation-certificate: from float64 weights to a proof that zero loss is near (docs/theory.md section 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from jacspec import bounds
from jacspec.certificates import Certificate
from jacspec.rounding import Estimate
from verification.arithmetic import Arithmetic
from verification.certified import PARTS, Part, at_ratio, certificate, refused, sides_of
from verification.claim import FLOAT64, Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import SMOOTH_ACTIVATIONS
from verification.dynamics import descents, idle, run, told
from verification.instances import Instance


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The certificate's numbers and promises against the run."""
    return sides_of(instance, m, at_ratio, PARTS)


# -- false neighbours -----------------------------------------------------------------------------------------------

Mutated = Callable[[Instance, Arithmetic], Mapping[str, Sides]]


def _false(part: str, change: Callable[[Certificate], Certificate], needs_proof: bool = True) -> Mutated:
    """The part, of a certificate that claims something else."""

    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        r, c = run(instance, m, at_ratio), certificate(instance, at_ratio, "kantorovich")
        if needs_proof and not c.certified:
            return {}
        check: Part = PARTS[part]
        return told(r, {"mutant": check(r, change(c))})

    return mutant


def _times(name: str, factor: float) -> Callable[[Certificate], Certificate]:
    def change(c: Certificate) -> Certificate:
        old = getattr(c, name)
        return replace(c, **{name: old * factor})  # an Estimate or a float

    return change


def _norm_at_the_start(c: Certificate) -> Certificate:
    """beta = ||J(W)||, as if J did not change."""
    assert c.beta is not None
    assert c.lipschitz is not None
    assert c.distance is not None
    return replace(c, beta=Estimate.exact((c.beta - c.lipschitz * c.distance).upper))


def _straight(c: Certificate) -> Certificate:
    """||r||/sigma, as if L = 0."""
    assert c.residual is not None
    assert c.sigma_min is not None
    return replace(c, distance=bounds.gd_kantorovich_path(c.residual, 1, c.sigma_min, 0).upper)


def _below_two(c: Certificate) -> Certificate:
    """The rate eta |D| where 1 <= h < 2."""
    if c.certified:
        return c
    assert c.sigma_min is not None
    assert c.h is not None
    return replace(c, rate=abs(_step(c) * bounds.gd_kantorovich_D(c.sigma_min, c.h)).lower)


def _step(c: Certificate) -> Estimate:
    assert c.eta is not None
    return Estimate.exact(c.eta)


def _with_eta(change: Callable[[Certificate], Certificate]) -> Mutated:
    """Certificates that were refused know no step size: that of the run."""

    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        r, c = run(instance, m, at_ratio), certificate(instance, at_ratio, "kantorovich")
        return told(r, {"mutant": PARTS["contraction"](r, change(replace(c, eta=r.eta)))})

    return mutant


def not_below(instance: Instance, most: float) -> str | None:
    """How h < `most` fails, or there is nothing to say."""
    found = idle(run(instance, FLOAT64, at_ratio))
    if found is not None:
        return found
    c = certificate(instance, at_ratio, "kantorovich")
    if c.certified or (c.h is not None and c.sigma_min is not None and c.h.upper < most):
        return None
    return f"not certified: {c.reason}"


#: One weight near 0 and softplus, |phi''| near B2: s* is nearly attained, and once h > 1.39 there are no such labels.
_LINE: dict[str, int | float | str] = {
    "map": "network", "n": 1, "d": 1, "rows": "line", "phi": "softplus", "k": 1, "v": "ones", "spread": 1e-3
}  # fmt: skip
_NET: dict[str, int | float | str] = {
    "map": "network", "n": 3, "d": 4, "rows": "sphere", "k": 8, "v": "balanced", "spread": 1.0, "seed": 3
}  # fmt: skip

CLAIM = Claim(
    id="interpolation-certificate",
    title="A certificate that an exact interpolator is near",
    statement=(
        r"\text{CERTIFIED at } (X, y, v, W) \Rightarrow \text{gradient descent from } W \text{ with the stated } \eta "
        r"\text{ stays within } s^*, \ \|r_{t+1}\| \le (1 - \text{rate}) \|r_t\|, \text{ and tends to } f(W^*) = y"
    ),
    source="jacspec; docs/theory.md section 7",
    kind=Kind.UPPER,
    domain=descents(
        ("network",),
        SMOOTH_ACTIVATIONS,
        ratios=(0.999, 0.99, 0.9, 0.5, 0.1, 1e-6, 1.3),
        eta_bars=(1.0, 1.9, 0.5, 0.1),
        data_ratios=(0.999, 0.5),
        longest=25,
    ),
    variants=(
        Variant("residual", r"\|f(W) - y\| \text{ is at most its claimed bound}"),
        Variant("sigma-min", r"\sigma_{\min}(J(W)) \text{ is at least its claimed bound}"),
        Variant("norm", r"\|J_t\| \le \beta"),
        Variant("contraction", r"\text{rate} \cdot \|r_t\| \le \|r_t\| - \|r_{t+1}\|"),
        Variant("path", r"s_t \le s^*"),
        Variant("distance", r"\|W_t - W\|_F \le s^*"),
    ),
    sides=sides,
    assumptions=(Assumption("CERTIFIED", lambda instance: refused(instance, at_ratio)),),
    mutants=(
        Mutant("half-distance", "$s^*/2$", _false("distance", _times("distance", 0.5))),
        Mutant("short-distance", "$0.99 s^*$", _false("distance", _times("distance", 0.99))),
        Mutant("straight-distance", r"\|r\|/\sigma_{\min}, as if L = 0", _false("distance", _straight)),
        Mutant("sigma-doubled", r"2 \sigma_{\min}(J)", _false("sigma-min", _times("sigma_min", 2.0))),
        Mutant("sigma-more", r"(1 + 10^{-6}) \sigma_{\min}(J)", _false("sigma-min", _times("sigma_min", 1 + 1e-6))),
        Mutant("residual-a-little-less", r"(1 - 10^{-6}) \|r\|", _false("residual", _times("residual", 1 - 1e-6))),
        Mutant("rate-doubled", r"twice the rate", _false("contraction", _times("rate", 2.0))),
        Mutant("norm-at-the-start", r"\beta = \|J(W)\|", _false("norm", _norm_at_the_start)),
        Mutant(
            "h-below-two",
            "$h < 2$ suffices, with $|D|$",
            _with_eta(_below_two),
            assumptions=(Assumption("$h < 2$", lambda instance: not_below(instance, 2.0)),),
        ),
    ),
    extremal=(
        *({**_LINE, "ratio": ratio, "eta_bar": 1.9, "steps": steps, "seed": seed}
          for ratio, steps in ((0.9, 60), (0.999, 60), (1e-6, 40)) for seed in (0, 1)),
        *({**_LINE, "ratio": 1.95, "eta_bar": 1.9, "steps": 60, "seed": seed} for seed in (0, 1, 2, 3)),
        *({**_NET, "phi": phi, "ratio": ratio, "eta_bar": 1.9, "steps": 20, "direction": "bottom"}
          for phi in ("softplus", "tanh", "elu") for ratio in (0.9, 1e-6)),
        {**_NET, "phi": "linear", "d": 5, "ratio": 1.0, "eta_bar": 1.9, "steps": 15},
        # Refused: too far, and more rows than weights.
        {**_NET, "phi": "softplus", "ratio": 1.3, "eta_bar": 1.0, "steps": 5},
        {**_NET, "phi": "softplus", "d": 1, "k": 2, "rows": "line", "ratio": 0.5, "eta_bar": 1.0, "steps": 5},
    ),
    floor=0.5,
    proof=(
        r"gd-kantorovich at $W$, in its sharp form ($c = 1$ for $\eta \beta^2 \le 1$), with a proved lower bound of "
        r"$\sigma_{\min}(J(W))$ and proved upper bounds of $\|r\|$, $L = B_2 \|v\|_\infty \|X\|_{2 \to 4}^2$ and of "
        r"$\|J\|$ on the ball of radius $s^*$: its proof uses them in these directions only. The float64 numbers "
        "are the exact problem, so no rounding of the run matters."
    ),
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
