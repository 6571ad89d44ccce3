"""Problems for SGD: maps with known global constants at a start theta_0, drawn from specs, and their samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jacspec import InputError, activation
from verification.arithmetic import Arithmetic
from verification.domains import SMOOTH_ACTIVATIONS
from verification.instances import Domain, Instance, Spec, generator, need, output_weights, unit_rows

from .maps import SampledMap, SampledNetwork, Waves

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["AIMS", "SHAPES", "SHARES", "STATES", "map_of", "problem_of", "problems", "sample_count", "samples"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: How the coordinates of `Waves` are put together.
SHAPES = ("random", "orthogonal", "parallel", "pair", "curve")
#: Direction of the first residual: random, along the least or the largest singular value of J(theta_0), one sample.
AIMS = ("random", "bottom", "top", "one")
#: Where a step is looked at (see `claims/sgd_convergence.py`).
STATES = ("start", "run", "random", "flat", "weakest")
#: How far the hypothesis and the step size are used up.
SHARES = (1.0, 0.3, 0.01)


def map_of(instance: Instance, m: Arithmetic) -> SampledMap:
    """The map of an instance, in an arithmetic."""
    A = instance.arrays
    if "C" in A:
        return Waves(m, A["C"], A["a"], A["omega"], A["h"], A["theta"])
    return SampledNetwork(m, A["X"], A["W"], A["v"], instance.activation)


def problem_of(instance: Instance) -> Instance:
    """What an instance shares with the other trials; itself where its arrays are not those it was built with.

    (A search for the worst case moves them.)
    """

    def compute() -> Instance:
        base = instance.problem
        same = all(np.array_equal(A, base.arrays[name]) for name, A in instance.arrays.items())
        return base if same else instance

    found: Instance = instance.once("sgd: problem", compute)
    return found


def samples(instance: Instance, trial: int, steps: int) -> Integers:
    """The samples that the run of one trial draws: keyed by (seed, trial)."""
    return generator(instance.spec, 9, trial).integers(sample_count(instance), size=steps)


def sample_count(instance: Instance) -> int:
    """n."""
    return len(instance["C"] if "C" in instance.arrays else instance["X"])


# -- building -------------------------------------------------------------------------------------------------------


def build(spec: Spec, trial: int = 0) -> Instance:
    """`Waves` for a spec with a "shape", otherwise a network."""
    if "shape" in spec:
        return _instance(spec, _waves(spec), trial)
    n, d, rows = need(spec, "n", "d", "rows")
    return with_rows(unit_rows(n, d, rows, float(spec.get("angle", 0.1)), generator(spec, 0)), spec, trial)


def with_rows(X: Floats, spec: Spec, trial: int = 0) -> Instance:
    """A network on given rows, by default with twice as many weights as rows, at least."""
    n, d = X.shape
    if "k" not in spec:
        spec = {**spec, "k": max(16, 2 * math.ceil(n / d))}
    k = int(spec["k"])
    v = output_weights(k, str(spec.get("v", "balanced")), float(spec.get("scale", 1.0)), generator(spec, 2))
    return _instance(spec, {"X": X, "W": generator(spec, 1).standard_normal((k, d)), "v": v}, trial)


def _instance(spec: Spec, arrays: dict[str, Floats], trial: int) -> Instance:
    phi = activation(str(spec["phi"])) if "phi" in spec else None
    return Instance(spec, arrays, phi, trial, Instance(spec, arrays, phi))


def _waves(spec: Spec) -> dict[str, Floats]:
    """Arrays of `Waves`.

    "bend" is the largest a omega (0: linear), "omega" the largest frequency, "narrow" the ratio that makes rows nearly
    parallel or singular values far apart. Of the shapes, "pair" has two samples ``B u_0 +- (g(u_1) + g(u_2))/sqrt 2``,
    g' = 1 falling at u_1 and rising at u_2 as fast as it ever does: the least singular value falls by L times the
    distance on the path (u_1 + x, u_2 - x), on which f does not move. "curve" is one number of one number, its slope
    rising as fast as it ever does.
    """
    shape = str(spec["shape"])
    bend, omega, narrow = float(spec.get("bend", 0.3)), float(spec.get("omega", 1.0)), float(spec.get("narrow", 0.3))
    rng, start = generator(spec, 1), generator(spec, 3)
    if shape == "pair":
        s, B = math.sqrt(0.5), (1 + bend) / narrow
        C = np.array([[B, s, s], [B, -s, -s]])
        slopes, frequencies = np.array([0.0, bend, bend]), np.full(3, omega)
        u = np.array([0.0, math.pi / 2, -math.pi / 2]) / omega
    elif shape == "curve":
        C, slopes, frequencies = np.ones((1, 1)), np.array([bend]), np.array([omega])
        u = np.array([-math.pi / 2 / omega])
    else:
        (n,) = need(spec, "n")
        p = n + int(spec.get("extra", 1))
        slopes, frequencies = bend * rng.uniform(0.3, 1, p), omega * rng.uniform(0.3, 1, p)
        u = start.uniform(-math.pi, math.pi, p) / frequencies
        C = _rows(shape, n, p, narrow, rng)
    h = generator(spec, 2).standard_normal(len(u)) if spec.get("turn", 1) else np.zeros(len(u))
    theta = u - h * (2 * (h @ u) / (h @ h)) if np.any(h) else u
    return {"C": C, "a": slopes / frequencies, "omega": frequencies, "h": h, "theta": theta}


def _rows(shape: str, n: int, p: int, narrow: float, rng: np.random.Generator) -> Floats:
    G = rng.standard_normal((n, p)) / math.sqrt(p)
    if shape == "random":
        return G
    if shape == "orthogonal":
        return np.asarray(np.linalg.qr(G.T)[0].T * np.geomspace(1, narrow, n)[:, None])
    if shape == "parallel":
        return np.asarray(G[0] / np.linalg.norm(G[0]) + narrow * rng.standard_normal((n, p)) / math.sqrt(p))
    raise InputError("shape", repr(shape), f"one of {', '.join(SHAPES)}")


# -- the domain -----------------------------------------------------------------------------------------------------


def _specs() -> SearchStrategy[Spec]:
    from hypothesis import strategies as st

    common = {
        "nu": st.sampled_from([2.0, 1.1, 10.0, 30.0]),
        "weight": st.sampled_from([0.5, 0.25, 0.9]),
        "share": st.sampled_from(SHARES),
        "stride": st.sampled_from(SHARES),
        "aim": st.sampled_from(AIMS),
        "state": st.sampled_from(STATES),
        "reach": st.sampled_from([0.99, 0.5, 0.1]),
        "chance": st.sampled_from([0.1, 0.5]),
        "seed": st.integers(0, 2**32 - 1),
    }
    waves = {
        "shape": st.sampled_from(SHAPES),
        "n": st.integers(1, 4),
        "extra": st.integers(0, 2),
        "bend": st.sampled_from([0.3, 0.0, 1.0, 3.0]),
        "omega": st.sampled_from([1.0, 0.1, 10.0]),
        "narrow": st.sampled_from([0.3, 0.03]),
        "turn": st.integers(0, 1),
    }
    networks = {
        "n": st.integers(1, 4),
        "d": st.integers(2, 3),
        "rows": st.sampled_from(["sphere", "orthogonal", "clusters", "parallel"]),
        "angle": st.sampled_from([0.5, 0.1]),
        "phi": st.sampled_from([phi for phi in SMOOTH_ACTIVATIONS if phi != "linear"]),
        "k": st.sampled_from([4, 2, 8]),
        "v": st.sampled_from(["balanced", "gaussian"]),
        "scale": st.sampled_from([1.0, 1e-3, 1e3]),
    }
    return st.one_of(st.fixed_dictionaries(waves | common), st.fixed_dictionaries(networks | common))


def problems() -> Domain:
    """Maps with global constants, networks on a user's X (its first 40 rows)."""
    data: tuple[Spec, ...] = tuple(
        {"phi": phi, "nu": 2.0, "weight": 0.5, "share": share, "stride": 1.0, "aim": aim, "state": state, "steps": 200}
        for phi, share, aim, state in (
            ("softplus", 1.0, "bottom", "flat"),
            ("gelu", 0.3, "random", "run"),
            ("gelu", 1.0, "one", "random"),
        )
    )
    return Domain(
        "maps with known global constants", _specs, build, lambda X, spec, trial: with_rows(X[:40], spec, trial), data
    )
