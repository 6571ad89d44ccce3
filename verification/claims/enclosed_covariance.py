r"""enclosed-covariance: Sigma(X), and its output-layer counterpart, proved (jacspec.enclosure.covariance_ball)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from flint import arb

from jacspec.activations import Activation
from jacspec.enclosure import covariance as room
from jacspec.enclosure import covariance_ball
from jacspec.hermite.ball import precision
from jacspec.rounding import UNIT_ROUNDOFF
from verification.claim import Claim, Kind, Mutant, Variant
from verification.domains import ALL_ACTIVATIONS, first_rows, rows
from verification.enclosed import NARROW, Gaps, altered, entries_width, narrow, shrunk, sides_of, wide
from verification.instances import Domain, Instance, Spec, build_rows
from verification.kernels import BITS, geometry, kernel_ball
from verification.oracle import Gap, of_ball, worst

#: Rows are off their unit length by this much where a spec has "stretch": less than what counts as unit.
_STRETCH = 4e-13


# -- E phi(a) phi(b) in closed form -----------------------------------------------------------------------------------


def _leaky(phi: Activation, rho: Any, theta: Any) -> Any:
    s = arb(dict(phi.parameters).get("slope", 0.0))
    return s * rho + (1 - s) ** 2 * (theta.sin() + (arb.pi() - theta) * rho) / (2 * arb.pi())


_OUTPUT: dict[str, Callable[[Activation, Any, Any], Any]] = {
    "relu": _leaky,
    "leaky_relu": _leaky,
    "erf": lambda phi, r, theta: 2 / arb.pi() * (2 * r / 3).asin(),
    "gelu": lambda phi, r, theta: (
        r * (arb(1) / 4 + (r / 2).asin() / (2 * arb.pi())) + 1 / (2 * arb.pi() * (4 - r * r).sqrt())
    ),
    "sin": lambda phi, r, theta: r.sinh() / arb(1).exp(),
    "gaussian": lambda phi, r, theta: 1 / (4 - r * r).sqrt(),
    "quadratic": lambda phi, r, theta: (1 + 2 * r * r) / 4,
    "linear": lambda phi, r, theta: r,
}

#: The diagonal, where it is rational: there the radius may be zero, which no ball can confirm. (hidden, output).
_DIAGONAL: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "relu": lambda s: (arb(0.5), arb(0.5)),
    "leaky_relu": lambda s: ((1 + s * s) / 2, (1 + s * s) / 2),
    "quadratic": lambda s: (arb(1), arb(0.75)),
    "linear": lambda s: (arb(1), arb(1)),
}


# -- sides ----------------------------------------------------------------------------------------------------------


def truth(instance: Instance, layer: str) -> Any:
    """The matrix as flint balls; None where there is no closed form."""

    def compute() -> Any:
        phi, (rho, theta) = instance.activation, geometry(instance)
        output = _OUTPUT.get(phi.family)
        if layer == "output" and output is None:
            return None
        found = np.empty(rho.shape, dtype=object)
        with precision(BITS):
            for i in range(len(rho)):
                for j in range(i + 1):
                    r, t = rho[i, j], theta[i, j]
                    value = r * kernel_ball(phi, r, t) if layer == "hidden" or output is None else output(phi, r, t)
                    found[i, j] = found[j, i] = value
                if phi.family in _DIAGONAL:
                    slope = arb(dict(phi.parameters).get("slope", 0.0))
                    found[i, i] = _DIAGONAL[phi.family](slope)[layer == "output"]
        return found

    return instance.once(f"exact {layer}", compute)


def worst_entry(true: Any, mid: Any, rad: Any, *, diagonal: bool = True) -> Gap | None:
    """The entry whose error is the largest share of its radius."""
    n = len(mid)
    with precision(BITS):
        found = [of_ball(true[i, j], float(mid[i, j]), float(rad[i, j])) for i in range(n) for j in range(i + diagonal)]
    known = [gap for gap in found if gap is not None]
    return worst(known) if known else None


def gaps(instance: Instance) -> Gaps:
    """Both layers."""
    known: dict[str, Gap | None] = {}
    for layer in ("hidden", "output"):
        true = truth(instance, layer)
        if true is not None:
            known[layer] = worst_entry(true, *covariance_ball(instance["X"], instance.activation, layer))
    return {**known, NARROW: narrow(widths(instance))}


#: Units of the diagonal within which each entry is found: 64 but for these. Rows that are equal, and equally off their
#: unit length, cost the angle that ReLU turns on.
_UNITS = {"relu": 4096, "leaky_relu": 4096, "arctan": 512}


def widths(instance: Instance) -> Gaps:
    """The radii of both layers, against so many units in the last place of the diagonal."""
    found = {}
    for layer in ("hidden", "output"):
        if layer == "hidden" or instance.activation.family in _OUTPUT:
            mid, rad = covariance_ball(instance["X"], instance.activation, layer)
            units = _UNITS.get(instance.activation.family, 64)
            found[layer] = entries_width(rad, np.full_like(mid, units * UNIT_ROUNDOFF * float(mid.diagonal().max())))
    return found


def _series_with(changes: dict[str, Any]) -> Callable[[Instance], Gap | None]:
    """A power series of which some terms of the error are replaced."""

    def gap(instance: Instance) -> Gap | None:
        phi, X = instance.activation, instance["X"]
        if phi.family in ("relu", "leaky_relu", "elu") or len(X) < 2:
            return None
        known = room._Rows(X)
        rho, error = known.cosines(0, len(X))
        mid, rad = replace(room._series(phi, "hidden"), **changes)(known, 0, rho, error)
        return worst_entry(truth(instance, "hidden"), mid, rad, diagonal=False)

    return gap


def _as_given(instance: Instance) -> Gap | None:
    """The rows as they are, not normalised: for phi(z) = z, where the matrix is that of the cosines."""
    if instance.activation.family != "linear":
        return None
    X = instance["X"]
    return worst_entry(truth(instance, "hidden"), X @ X.T, covariance_ball(X, "linear")[1])


def _one_rounding(instance: Instance) -> Gap | None:
    mid, _ = covariance_ball(instance["X"], instance.activation)
    return worst_entry(truth(instance, "hidden"), mid, 2.0**-53 * np.abs(mid))


_ROWS = rows(ALL_ACTIVATIONS, 4, 4)


def _build(spec: Spec, trial: int) -> Instance:
    instance = build_rows(spec, trial)
    X = instance["X"].copy()
    if spec.get("stretch"):
        X[0] *= 1 + _STRETCH
    return replace(instance, arrays={"X": X})


_ACTIVATIONS = (*ALL_ACTIVATIONS, "leaky_relu:slope=-7.5")
_PLAIN: Spec = {"n": 4, "d": 3, "rows": "sphere", "angle": 0.1, "seed": 1}

CLAIM = Claim(
    id="enclosed-covariance",
    title="The covariance Sigma(X) of exactly normalised rows, enclosed",
    statement=(
        r"|\Sigma_{ij} - S_{ij}| \le \operatorname{rad}_{ij}, \quad \Sigma_{ij} = \rho_{ij} "
        r"\mathbb{E}[\phi'(a) \phi'(b)], \quad \rho_{ij} = \langle x_i, x_j \rangle/(\|x_i\| \|x_j\|)"
    ),
    source="kernel-expansion, relu-covariance; docs/rigor.md; jacspec.enclosure.covariance_ball",
    kind=Kind.UPPER,
    domain=first_rows(
        Domain("nearly unit rows and an activation", _ROWS.specs, _build, _ROWS.from_data, _ROWS.data_specs), 6
    ),
    variants=(
        Variant("hidden", r"\Sigma_{ij} = \rho_{ij} \mathbb{E}[\phi'(a) \phi'(b)]"),
        Variant("output", r"\mathbb{E}[\phi(a) \phi(b)], \text{ where there is a closed form}"),
        Variant(
            NARROW,
            r"\operatorname{rad} \le c u \max_i S_{ii},\ "
            r"c = 4096 \text{ for (leaky) ReLU, } 512 \text{ for arctan, else } 64",
        ),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant("less", "0.3 times the radius", shrunk(gaps, "hidden", 0.3)),
        Mutant("less-output", "0.3 times the radius, for the output layer", shrunk(gaps, "output", 0.3)),
        Mutant("no-tail", "without the tail of the series", altered(_series_with({"tail": 0.0}))),
        Mutant("no-cosine", "without the error of the cosines", altered(_series_with({"slope": 0.0}))),
        Mutant("as-given", "rows as given, not normalised", altered(_as_given)),
        Mutant("rounded", "every entry within one rounding", altered(_one_rounding)),
        *wide(widths, "hidden", "output"),
    ),
    extremal=(
        *({**_PLAIN, "phi": phi} for phi in _ACTIVATIONS),
        *({**_PLAIN, "phi": phi, "rows": kind, "angle": angle, "seed": 2}
          for phi in ("relu", "arctan", "elu", "tanh", "leaky_relu:slope=-7.5")
          for kind, angle in (("parallel", 1e-8), ("parallel", 0.1), ("antipodal", 0.1), ("repeated", 0.1))),
        *({**_PLAIN, "phi": phi, "stretch": 1, "seed": seed} for phi in ("linear", "gelu") for seed in (3, 4)),
        *({**_PLAIN, "phi": phi, "rows": "clusters", "angle": 1e-4, "seed": 5} for phi in ("erf", "softplus", "silu")),
        {**_PLAIN, "phi": "relu", "n": 1, "d": 1},
    ),
    floor=0.4,  # the output layer has a closed form for eight activations
    proof=(
        "Rows are split so that the leading parts of their inner products are exact: cosines are off by a few $u$. "
        "The kernel is a power series with enclosed coefficients, of which the error is a sum of four terms, or a "
        "closed form of the angle."
    ),
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
