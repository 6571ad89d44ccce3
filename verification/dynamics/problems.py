"""Instances of gradient descent: a map, labels at a chosen distance from f(theta_0), a step size.

A claim says by `Choose` how far the labels are and how long the steps, so that its hypothesis is met by a stated ratio;
labels and step size are float64 numbers, exact from then on, and the same in either arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jacspec import InputError, activation
from verification.arithmetic import Arithmetic
from verification.claim import FLOAT64
from verification.domains import first_rows
from verification.instances import Domain, Floats, Instance, Spec, generator, need, output_weights, unit_rows

from .maps import Map, Network, PiecewiseLinear, Quadratic
from .run import Run, descend

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["Choose", "Problem", "build", "descents", "mapping", "problem", "run", "with_rows"]

#: Rows of a user's X that a run is made on: each step of it costs a singular value decomposition.
_ROWS = 12


@dataclass(frozen=True)
class Problem:
    """What gradient descent needs besides the map.

    Parameters
    ----------
    y : (n,) float64
    eta : float
    steps : int
    """

    y: Floats
    eta: float
    steps: int


#: ``choose(instance, f)`` -> (||r_0||, eta), for the map in float64.
Choose = Callable[[Instance, Map], tuple[float, float]]


def mapping(instance: Instance, m: Arithmetic) -> Map:
    """The map of an instance, recognised by its arrays."""
    a = instance.arrays
    if "W" in a:
        optimal = instance.spec.get("lipschitz") != "norm"
        return Network(m, a["X"], a["W"], a["v"], instance.activation, optimal)
    if "kink" in a:
        return PiecewiseLinear(m, a["sigma"], a["jump"], a["kink"], a["left"], a["right"])
    return Quadratic(m, a["sigma"], a["curvature"], a["left"], a["right"], int(instance.spec.get("turn", 0)))


def problem(instance: Instance, choose: Choose) -> Problem:
    """Labels ``y = f(theta_0) + ||r_0|| u``, u along the instance's "direction", and the step size."""

    def compute() -> Problem:
        f = mapping(instance, FLOAT64)
        size, eta = choose(instance, f)
        direction = instance["direction"]
        value, _ = f.value(f.start)
        y = np.asarray(value + size * direction / float(np.linalg.norm(direction)))
        return Problem(y, eta, int(instance.spec.get("steps", 20)))

    found: Problem = instance.once("problem", compute)
    return found


def run(instance: Instance, m: Arithmetic, choose: Choose) -> Run:
    """The run of an instance, once for each arithmetic."""

    def compute() -> Run:
        p = problem(instance, choose)
        return descend(mapping(instance, m), p.y, p.eta, p.steps)

    found: Run = instance.once(f"run in {type(m).__name__}", compute)
    return found


# -- building -------------------------------------------------------------------------------------------------------


def build(spec: Spec, trial: int = 0) -> Instance:
    """A map and a direction of r_0.

    "map" is "network" (X, W, v by the rules of `build_network`), "quadratic" or "piecewise". For the latter two,
    sigma_j falls from "scale" to "scale" times "low", and "reflect" says whether there are reflections on both sides.
    Curvatures are random up to "bend", jumps up to "jump" times sigma_min, kinks up to "reach"; or by "shape":
    "line" (n = 1), "near-line" (n = 2, the second coordinate linear and steeper, r_0 along it by a share "small"),
    "linear" (no curvature), "parabola" (n = 2, f = (phi_1, bend phi_1^2 / 2), r_0 almost at right angles to the step).
    A quadratic's "turn" is that of `Quadratic`.

    Raises
    ------
    InputError
        For an unknown word.
    """
    kind = str(need(spec, "map")[0])
    if kind == "network":
        n, d, rows = need(spec, "n", "d", "rows")
        return with_rows(unit_rows(n, d, rows, float(spec.get("angle", 0.1)), generator(spec, 0)), spec, trial)
    shape = str(spec.get("shape", "generic"))
    if shape not in ("generic", "line", "near-line", "linear", "parabola"):
        raise InputError("shape", repr(shape), "one of generic, line, near-line, linear, parabola")
    n = {"line": 1, "near-line": 2, "parabola": 2}.get(shape) or int(need(spec, "n")[0])
    rng = generator(spec, 11)
    scale, low, bend = (float(spec.get(name, 1.0)) for name in ("scale", "low", "bend"))
    sigma = scale * np.geomspace(1.0, low, n) if n > 1 else np.array([scale])
    reflect = bool(spec.get("reflect", 0))
    p = n + int(spec.get("extra", 0))
    arrays = {
        "sigma": sigma,
        "left": rng.standard_normal(n) * reflect,
        "right": rng.standard_normal(p) * reflect,
        "direction": _inner_direction(str(spec.get("direction", "random")), n, rng),
    }
    if kind == "quadratic":
        curvature = bend * scale * rng.uniform(-1.0, 1.0, n)
        if shape == "line":
            curvature = np.array([bend * scale])
        elif shape == "near-line":
            arrays["sigma"], curvature = scale * np.array([1.0, 2.0]), bend * scale * np.array([1.0, 0.0])
            arrays["direction"] = np.array([1.0, float(spec.get("small", 1e-3))])
        elif shape == "linear":
            curvature = np.zeros(n)
        elif shape == "parabola":
            # The residual bends away at right angles to the step, which the bound pays for in full.
            arrays["sigma"], curvature = np.array([scale, 0.0]), np.array([0.0, -bend * scale])
            arrays["direction"] = np.array([float(spec.get("small", 1e-3)), -1.0])
        arrays["curvature"] = curvature
    elif kind == "piecewise":
        jump, reach = float(spec.get("jump", 0.05)), float(spec.get("reach", 1.0))
        arrays["jump"] = scale * low * jump * (-np.ones(n) if shape == "line" else rng.uniform(-1.0, 1.0, n))
        arrays["kink"] = reach * (np.ones(n) if shape == "line" else rng.uniform(-1.0, 1.0, n))
    else:
        raise InputError("map", repr(kind), "one of network, quadratic, piecewise")
    # From coordinates to outputs.
    left = arrays["left"]
    if reflect:
        u = arrays["direction"]
        arrays["direction"] = u - 2 * left * float(left @ u) / float(left @ left)
    return Instance(spec, arrays, None, trial)


def _inner_direction(kind: str, n: int, rng: np.random.Generator) -> Floats:
    """Mostly along the first ("top") or last ("bottom") coordinate; wholly so, runs would stay in one dimension."""
    u = rng.standard_normal(n)
    if kind in ("top", "bottom"):
        u *= 0.05
        u[0 if kind == "top" else -1] = 1.0
    return u


def with_rows(X: Floats, spec: Spec, trial: int = 0) -> Instance:
    """A network on given rows; without "k", as wide as twice as many parameters as rows ask for, at least 8."""
    n, d = X.shape
    k = int(spec.get("k", max(8, 2 * math.ceil(n / d))))
    spec = {"map": "network", "v": "balanced", **spec, "k": k}
    phi = activation(str(need(spec, "phi")[0]))
    W = generator(spec, 1).standard_normal((k, d)) * float(spec.get("spread", 1.0))
    v = output_weights(k, str(spec["v"]), float(spec.get("scale", 1.0)), generator(spec, 2))
    kind = str(spec.get("direction", "random"))
    u = np.asarray(generator(spec, 3).standard_normal(n))
    if kind in ("top", "bottom"):
        J, _ = Network(FLOAT64, X, W, v, phi).jacobian(W.ravel())
        # Not the p x p matrix of right vectors, which a wide network has no room for.
        u = np.linalg.svd(J, full_matrices=J.shape[1] < n)[0][:, 0 if kind == "top" else n - 1]
    return Instance(spec, {"X": X, "W": W, "v": v, "direction": u}, phi, trial)


# -- domains --------------------------------------------------------------------------------------------------------

_SEEDS = (0, 2**32 - 1)


def descents(
    maps: tuple[str, ...],
    activations: tuple[str, ...],
    ratios: tuple[float, ...],
    eta_bars: tuple[float, ...],
    data_ratios: tuple[float, ...] = (0.5,),
    longest: int = 60,
    **more: tuple[Any, ...],
) -> Domain:
    """Gradient descent on drawn maps, labels and step sizes; on a user's X: networks on its first rows.

    Parameters
    ----------
    maps : tuple of str
        Of "network", "quadratic", "piecewise"; one listed twice is drawn twice as often.
    activations : tuple of str
        Of the networks.
    ratios : tuple of float
        How nearly the hypothesis is met, in the claim's own measure (above 1: not met).
    eta_bars : tuple of float
        Step sizes in units of 1/(2 beta^2).
    data_ratios : tuple of float
        The ratios on a user's X.
    longest : int
        Most steps of a run (of a network's: 25).
    **more
        Further fields of the spec, by name, with the values to draw from.
    """

    def specs() -> SearchStrategy[Spec]:
        from hypothesis import strategies as st

        common: dict[str, Any] = {
            "ratio": st.sampled_from(ratios),
            "eta_bar": st.sampled_from(eta_bars),
            "direction": st.sampled_from(["random", "bottom", "top"]),
            "scale": st.sampled_from([1.0, 1e-3, 30.0]),
            "seed": st.integers(*_SEEDS),
            **{name: st.sampled_from(values) for name, values in more.items()},
        }
        network = {
            "map": st.just("network"),
            "n": st.integers(1, 4),
            "d": st.integers(2, 4),
            "rows": st.sampled_from(["sphere", "sphere", "orthogonal", "clusters", "parallel"]),
            "angle": st.sampled_from([0.5, 0.1, 1e-2]),
            "phi": st.sampled_from(activations),
            "k": st.sampled_from([2, 4, 8, 16]),
            "v": st.sampled_from(["balanced", "gaussian", "ones"]),
            "spread": st.sampled_from([1.0, 0.1, 3.0]),
            "lipschitz": st.sampled_from(["optimal", "norm"]),
            "steps": st.integers(5, min(25, longest)),
        }
        # n = 1 makes equalities of some statements, which no precision decides: left to `extremal`.
        plain = {
            "n": st.integers(2, 4),
            "extra": st.integers(0, 3),
            "low": st.sampled_from([1.0, 0.5, 0.2, 0.05]),
            "reflect": st.sampled_from([1, 1, 0]),
            "steps": st.integers(5, longest),
        }
        bent = {"map": st.just("quadratic"), "bend": st.sampled_from([1.0, 0.1, 10.0]), "turn": st.sampled_from([0, 1])}
        kinked = {
            "map": st.just("piecewise"),
            "jump": st.sampled_from([0.05, 0.03, 0.01]),
            "reach": st.sampled_from([1.0, 0.1, 0.01]),
        }
        known = {"network": network, "quadratic": plain | bent, "piecewise": plain | kinked}
        return st.one_of([st.fixed_dictionaries(known[name] | common) for name in maps])

    shown = [phi for phi in ("tanh", "softplus", "gelu", "relu") if phi in activations]
    data_specs: tuple[Spec, ...] = tuple(
        {"phi": phi, "ratio": ratio, "eta_bar": 1.0, "steps": 15, "direction": direction}
        for phi in shown
        for ratio in data_ratios
        for direction in ("random", "bottom")
    )
    domain = Domain("gradient descent from labels at a chosen distance", specs, build, with_rows, data_specs)
    return first_rows(domain, _ROWS)
