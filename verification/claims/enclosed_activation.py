r"""enclosed-activation: phi and phi' of float64 arguments, proved (jacspec.enclosure.phi_enclosure)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from flint import arb

from jacspec import activation
from jacspec.enclosure import phi_enclosure
from jacspec.hermite.ball import precision
from jacspec.rounding import UNIT_ROUNDOFF
from verification.claim import Claim, Kind, Mutant, SidesOf, Variant
from verification.domains import ALL_ACTIVATIONS
from verification.enclosed import NARROW, Gaps, altered, entries_width, narrow, sides_of, wide
from verification.hard_matrices import CORNERS, RELATIVE, ball, corner
from verification.instances import Domain, Instance, Spec, generator, need
from verification.oracle import Gap, of_ball, rational, worst

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from verification.instances import Floats

    Enclosed = tuple[Floats, Floats, Floats, Floats]

_KINDS = ("moderate", "cells", "tiny", "near-zero", "wide", "huge")
#: Beyond this saturating activations have reached their limits to within exp(-5000).
_FAR = 10_000
_COUNT = 6


def arguments(kind: str, rng: np.random.Generator) -> Floats:
    """Arguments of a stated kind: "cells" are next to where polynomials meet, "wide" reach the reductions of sin."""
    z = 2 * rng.standard_normal(_COUNT)
    if kind == "cells":
        z = (rng.integers(-200, 200, _COUNT) + 0.5) / 16
        z = np.nextafter(z, rng.choice([-np.inf, np.inf], _COUNT))
    elif kind == "tiny":
        z = np.ldexp(z, rng.integers(-1074, -30, _COUNT))
    elif kind == "near-zero":
        z = np.concatenate([[0.0, -0.0, 5e-324], 2.0 ** -rng.uniform(1, 30, _COUNT - 3)])
    elif kind == "wide":
        z = np.sign(z) * np.exp(rng.uniform(math.log(4), math.log(5e5), _COUNT))
    elif kind == "huge":
        z = np.sign(z) * np.exp(rng.uniform(math.log(1e5), math.log(1e308), _COUNT))
    return np.asarray(z)


# -- what is true, written without jacspec ----------------------------------------------------------------------------

Truths = list[Any]  # flint balls; two where phi' jumps


def _cdf(x: Any) -> Any:
    return (-x / arb(2).sqrt()).erfc() / 2


def _density(x: Any) -> Any:
    return (-x * x / 2).exp() / (2 * arb.pi()).sqrt()


def _sigma(x: Any) -> Any:
    return 1 / (1 + (-x).exp())


_SMOOTH: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "softplus": (lambda x: (1 + x.exp()).log(), _sigma),
    "sigmoid": (_sigma, lambda x: _sigma(x) * _sigma(-x)),
    "tanh": (lambda x: x.tanh(), lambda x: 1 / x.cosh() ** 2),
    "silu": (lambda x: x * _sigma(x), lambda x: _sigma(x) * (1 + x * _sigma(-x))),
    "erf": (lambda x: x.erf(), lambda x: 2 / arb.pi().sqrt() * (-x * x).exp()),
    "gelu": (lambda x: x * _cdf(x), lambda x: _cdf(x) + x * _density(x)),
    "gaussian": (lambda x: (-x * x / 2).exp(), lambda x: -x * (-x * x / 2).exp()),
    "sin": (lambda x: x.sin(), lambda x: x.cos()),
    "arctan": (lambda x: x.atan(), lambda x: 1 / (1 + x * x)),
    "linear": (lambda x: x, lambda x: arb(1)),
    "quadratic": (lambda x: x * x / 2, lambda x: x),
}

#: Left and right limits (slope of x, constant) of phi, and of phi'.
_LIMITS = {
    "softplus": ((0, 0, 0), (1, 0, 1)),
    "sigmoid": ((0, 0, 0), (0, 1, 0)),
    "tanh": ((0, -1, 0), (0, 1, 0)),
    "silu": ((0, 0, 0), (1, 0, 1)),
    "erf": ((0, -1, 0), (0, 1, 0)),
    "gelu": ((0, 0, 0), (1, 0, 1)),
    "gaussian": ((0, 0, 0), (0, 0, 0)),
    "elu": ((0, -1, 0), (1, 0, 1)),
}


def exactly(family: str, slope: float, z: float, move: float) -> tuple[Truths, Truths]:
    """phi and phi' at z + move, as flint balls at flint's precision."""
    x, place = arb(z) + arb(move), rational(z) + rational(move)
    if family in _LIMITS and abs(place) > _FAR:
        rise, constant, limit = _LIMITS[family][int(place > 0)]
        off = arb(0, (-arb(5000)).exp().upper())  # x exp(-x) <= exp(-5000) from 1e4 on, and all others are smaller
        return [rise * x + constant + off], [limit + off]
    if family == "elu":
        return ([x], [arb(1)]) if place >= 0 else ([x.exp() - 1], [x.exp()])
    if family in ("relu", "leaky_relu"):
        both = [arb(slope), arb(1)]
        return [x if place > 0 else arb(slope) * x], both[1:] if place > 0 else both[:1] if place < 0 else both
    value, derivative = _SMOOTH[family]
    return [value(x)], [derivative(x)]


def _bits(z: float, move: float) -> int:
    """Digits for sums of numbers of very different size, for 1 - exp(x) at tiny x and for sin at huge x."""
    exponents = [abs(math.frexp(x)[1]) for x in (z, move) if x]
    return 300 + 2 * max(exponents, default=0)


# -- sides ----------------------------------------------------------------------------------------------------------


def gaps_of(instance: Instance, found: Enclosed) -> Gaps:
    """The worst argument, for phi and for phi'."""
    z, radius, phi = instance["z"], instance.arrays.get("z_radius"), instance.activation
    moves = np.zeros_like(z) if radius is None else radius * corner(z, instance.spec, 0)
    slope = float(dict(phi.parameters).get("slope", 0.0))
    known: dict[str, list[Gap]] = {"value": [], "derivative": []}
    for i, (x, move) in enumerate(zip(z.tolist(), moves.tolist(), strict=True)):
        with precision(_bits(x, move)):
            for order, (name, truths) in enumerate(zip(known, exactly(phi.family, slope, x, move), strict=True)):
                gaps = [of_ball(t, float(found[2 * order][i]), float(found[2 * order + 1][i])) for t in truths]
                known[name] += [gap for gap in gaps if gap is not None]
    return {name: worst(gaps) if gaps else None for name, gaps in known.items()}


def enclosure(instance: Instance, share: float = 1.0) -> Enclosed:
    """The enclosure, with a share of the radii of the arguments."""
    radius = instance.arrays.get("z_radius")
    return phi_enclosure(instance.activation, instance["z"], None if radius is None else share * radius)


def gaps(instance: Instance) -> Gaps:
    """phi and phi' against their enclosures."""
    return {**gaps_of(instance, enclosure(instance)), NARROW: narrow(widths(instance))}


#: What may be off besides units in the last place, in the tails; of sin at any argument.
_TAILS, _REDUCED = 2.0**-55, 2.0**-49


def widths(instance: Instance) -> Gaps:
    """Both radii: 4 u of the value, the above, twice B1 r and B2 r; at a kink the jump. (Squares must not overflow.)"""
    phi, z = instance.activation, instance["z"]
    r = instance.arrays.get("z_radius", np.zeros_like(z))
    some = np.maximum(np.abs(z), r) < 2.0**500
    if not some.any():
        return {}
    a, ra, b, rb, z, r = (x[some] for x in (*enclosure(instance), z, r))
    moved = r * (phi.B1.upper if phi.B1.finite else np.abs(z) + r)
    turned = np.where(np.abs(z) <= r, phi.B1.upper, 0.0) if phi.family in ("relu", "leaky_relu") else r * phi.B2.upper
    off = _REDUCED if phi.family == "sin" else _TAILS
    value, derivative = (
        entries_width(radius, 4 * UNIT_ROUNDOFF * np.abs(found) + off + 2 * more)
        for found, radius, more in ((a, ra, moved), (b, rb, turned))
    )
    return {"value": value, "derivative": derivative}


def _changed(variant: str, change: Callable[[Instance], Enclosed]) -> SidesOf:
    return altered(lambda instance: gaps_of(instance, change(instance)).get(variant))


def _less(factor: float) -> Callable[[Instance], Enclosed]:
    """Radii times a factor, for exact arguments."""

    def change(instance: Instance) -> Enclosed:
        a, ra, b, rb = enclosure(instance)
        exact = "z_radius" not in instance.arrays
        return (a, factor * ra, b, factor * rb) if exact else (a, ra, b, rb)

    return change


def _half_units(instance: Instance) -> Enclosed:
    """As if both were correctly rounded, for exact arguments."""
    a, ra, b, rb = enclosure(instance)
    if "z_radius" in instance.arrays:
        return a, ra, b, rb
    return a, 2.0**-53 * np.abs(a) + 2.0**-1074, b, 2.0**-53 * np.abs(b) + 2.0**-1074


def _tangent(instance: Instance) -> Enclosed:
    """phi moves by ``|phi'(z)| r`` and phi' not at all."""
    a, ra, b, rb = enclosure(instance, 0.0)
    return a, ra + (np.abs(b) + rb) * instance.arrays.get("z_radius", 0.0), b, rb


def _one_side(instance: Instance) -> Enclosed:
    """phi' as it is on the left, where it jumps."""
    a, ra, b, rb = enclosure(instance)
    left = np.where(instance["z"] > 0, b, b - rb)
    return (a, ra, left, np.zeros_like(rb)) if not instance.activation.is_smooth else (a, ra, b, rb)


def _build(spec: Spec, trial: int) -> Instance:
    kind, phi = need(spec, "kind", "phi")
    return _with(arguments(str(kind), generator(spec, 35)), spec, str(phi))


def _with(z: Floats, spec: Spec, phi: str) -> Instance:
    radius = ball(z, spec)
    return Instance(spec, {"z": z} if radius is None else {"z": z, "z_radius": radius}, activation(phi))


def _from_data(X: Floats, spec: Spec, trial: int) -> Instance:
    return _with(np.ascontiguousarray(X.ravel()[:_COUNT]), spec, str(spec["phi"]))


_NAMES = (*ALL_ACTIVATIONS, "leaky_relu:slope=-7.5")


def _specs() -> SearchStrategy[Spec]:
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {
            "phi": st.sampled_from(_NAMES),
            "kind": st.sampled_from(_KINDS),
            "relative": st.sampled_from((*RELATIVE, 1.0)),
            "even": st.integers(0, 1),
            "corner": st.sampled_from(CORNERS),
            "seed": st.integers(0, 2**32 - 1),
        }
    )


CLAIM = Claim(
    id="enclosed-activation",
    title="An activation and its derivative at float64 arguments, enclosed",
    statement=(
        r"|\phi(x) - p| \le \operatorname{rad},\ |\phi'(x) - q| \le \operatorname{rad}' "
        r"\text{ for every } x \in [z - r, z + r]"
    ),
    source="Cauchy's bound of a Taylor remainder; docs/rigor.md; jacspec.enclosure.phi_enclosure",
    kind=Kind.UPPER,
    domain=Domain(
        "an activation and arguments of all sizes, exact or with radii",
        _specs,
        _build,
        _from_data,
        tuple({"phi": phi, "relative": r, "corner": 2} for phi in _NAMES for r in (0.0, 1e-3)),
    ),
    variants=(
        Variant("value", r"|\phi(x) - p| \le \operatorname{rad}"),
        Variant("derivative", r"|\phi'(x) - q| \le \operatorname{rad}' \text{ (both limits, where it jumps)}"),
        Variant(
            NARROW,
            r"\operatorname{rad} \le 4 u |p| + t + 2 B_1 r,\ \operatorname{rad}' \le 4 u |q| + t + 2 B_2 r, "
            r"\ t = 2^{-55}, \text{ for sin } 2^{-49}",
        ),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant("less", "half of the radius, for exact arguments", _changed("value", _less(0.5))),
        Mutant("less-slope", r"half of the radius of $\phi'$, for exact arguments", _changed("derivative", _less(0.5))),
        Mutant("rounded", r"$\phi$ within half a unit in the last place", _changed("value", _half_units)),
        Mutant("rounded-slope", r"$\phi'$ within half a unit in the last place", _changed("derivative", _half_units)),
        Mutant("no-radius", "without the radii of the arguments", _changed("value", lambda i: enclosure(i, 0.0))),
        Mutant("half-radius", "half of the radii of the arguments", _changed("value", lambda i: enclosure(i, 0.5))),
        Mutant("half-radius-slope", r"half of the radii of the arguments, for $\phi'$",
               _changed("derivative", lambda i: enclosure(i, 0.5))),
        Mutant("tangent", r"$|\phi'(z)| r$ for the motion of $\phi$, without $\phi''$", _changed("value", _tangent)),
        Mutant("one-side", r"the left limit of $\phi'$ where it jumps", _changed("derivative", _one_side)),
        *wide(widths, "value", "derivative"),
    ),
    extremal=(
        *({"phi": phi, "kind": kind, "seed": 1} for phi in _NAMES for kind in ("moderate", "near-zero", "wide")),
        *({"phi": phi, "kind": "huge", "seed": 2} for phi in ("sin", "arctan", "quadratic", "softplus", "gelu")),
        *({"phi": phi, "kind": "tiny", "seed": 2} for phi in ("tanh", "elu", "sin", "leaky_relu:slope=-7.5")),
        *({"phi": phi, "kind": "cells", "seed": seed} for phi in ("gelu", "erf", "silu") for seed in (0, 1)),
        *({"phi": phi, "kind": "moderate", "relative": relative, "even": 1, "corner": corner, "seed": 3}
          for phi in ("linear", "quadratic", "tanh", "relu") for relative in (1e-3, 1.0) for corner in (1, -1)),
    ),
    floor=0.95,
    proof=(
        "Taylor polynomials on cells of width $1/16$ whose coefficients are enclosed in ball arithmetic; the "
        r"remainder by Cauchy's bound on a disc, the evaluation by Horner's rule with $\gamma_{2k+1}$ for the power "
        r"$k$. On an interval $\phi'$ moves by $B_2 r$, and $\phi$ by $r$ times the largest $|\phi'|$ there."
    ),
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
