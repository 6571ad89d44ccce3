r"""interpolation-certificate-relu: an interpolator in the linear region of some units (docs/theory.md section 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from jacspec.certificates import Certificate
from verification.arithmetic import Arithmetic, Float64, Matrix
from verification.certified import certificate, step_size
from verification.claim import FLOAT64, Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.dynamics import Map, descents, idle, problem, run
from verification.dynamics.problems import mapping
from verification.dynamics.run import undecided
from verification.instances import Instance


def choose(instance: Instance, f: Map) -> tuple[float, float]:
    """Labels so near that the least step turns no unit by more than "ratio" times its nearest kink, roughly."""
    low = f.singular_values(f.start)[1]
    if low.lower <= 0:
        return 0.0, 1.0
    margin = float(np.min(np.abs(instance["X"] @ instance["W"].T)))
    return float(instance.spec["ratio"]) * margin * low.value, step_size(instance, f)


def proof(instance: Instance) -> Certificate:
    """The certificate of the instance."""
    return certificate(instance, choose, "relu")


def why_not(instance: Instance) -> str | None:
    """Why there is none."""
    found = idle(run(instance, FLOAT64, choose))
    if found is not None:
        return found
    c = proof(instance)
    return None if c.certified else f"not certified: {c.reason}"


# -- the interpolator, in 60 digits ---------------------------------------------------------------------------------


def change(instance: Instance, m: Arithmetic, units: Any, step: Matrix) -> Matrix:
    """Delta (k, d): `step` and the least of J_S that is missing to ``J_S Delta = -r``."""
    from mpmath import mp

    f = mapping(instance, m)
    k, n = len(instance["v"]), f.n
    r = f.value(f.start)[0] - m.matrix(problem(instance, choose).y)
    J = f.jacobian(f.start)[0].reshape(n, k, -1)[:, units].reshape(n, -1)
    delta = m.matrix(step)
    inside = delta[units].ravel()
    c = mp.lu_solve(mp.matrix((J @ J.T).tolist()), mp.matrix([[x] for x in -r - J @ inside]))
    delta[units] = (inside + J.T @ [c[i] for i in range(n)]).reshape(int(np.count_nonzero(units)), -1)
    return delta


def parts(instance: Instance, m: Arithmetic, units: Any, step: Matrix, distance: float) -> dict[str, Sides]:
    """Whether W + Delta interpolates, how far it is, and how near a unit comes to its kink."""
    if isinstance(m, Float64):
        return dict.fromkeys(("interpolates", "distance", "kinks"), undecided(m))
    f = mapping(instance, m)
    y = m.matrix(problem(instance, choose).y)
    delta = change(instance, m, units, step)
    end = f.value(f.start + delta.ravel())[0] - y
    start = f.value(f.start)[0] - y
    X, W = m.matrix(instance["X"]), m.matrix(instance["W"])
    turns, at = np.abs(X @ delta.T)[:, units].ravel(), np.abs(X @ W.T)[:, units].ravel()
    share = m.maximum([a / b for a, b in zip(turns, at, strict=True)])
    # 30 digits of 60: the residual is the rounding of what cancels.
    return {
        "interpolates": Sides(m.norm(end) * 10.0**30, m.norm(start)),
        "distance": Sides(m.norm(delta), m.number(distance)),
        "kinks": Sides(share, m.number(1.0)),
    }


def parts_of(instance: Instance, m: Arithmetic, c: Certificate) -> dict[str, Sides]:
    """The parts of a certificate."""
    assert c.units is not None
    assert c.step is not None
    assert c.distance is not None
    return parts(instance, m, c.units, c.step, c.distance)


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Of the certificate's own units and step."""
    c = proof(instance)
    return parts_of(instance, m, c) if c.certified else {}


# -- false neighbours -----------------------------------------------------------------------------------------------

Mutated = Callable[[Instance, Arithmetic], Mapping[str, Sides]]


def _nearer(share: float) -> Mutated:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        c = proof(instance)
        if not c.certified:
            return {}
        assert c.distance is not None
        return {"mutant": parts_of(instance, m, replace(c, distance=share * c.distance))["distance"]}

    return mutant


def _whatever_the_kinks(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The least solution of J Delta = -r, also where it crosses kinks."""
    W = instance["W"]
    found = parts(instance, m, np.ones(len(W), dtype=bool), np.zeros_like(W), 1.0)
    return {"mutant": found["interpolates"]}


def _rounded_step(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The certificate's step alone, as if float64 solved J Delta = -r exactly."""
    c = proof(instance)
    if not c.certified or c.step is None:
        return {}
    if isinstance(m, Float64):
        return {"mutant": undecided(m)}
    f = mapping(instance, m)
    y = m.matrix(problem(instance, choose).y)
    end = f.value(f.start + m.matrix(c.step).ravel())[0] - y
    return {"mutant": Sides(m.norm(end) * 10.0**30, m.norm(f.value(f.start)[0] - y))}


def independent(instance: Instance) -> str | None:
    """Where the mutants without a certificate have nothing to say."""
    return idle(run(instance, FLOAT64, choose))


_NET: dict[str, int | float | str] = {
    "map": "network", "n": 3, "d": 4, "rows": "sphere", "k": 8, "v": "balanced", "spread": 1.0, "seed": 3,
    "eta_bar": 1.0, "steps": 3,
}  # fmt: skip

CLAIM = Claim(
    id="interpolation-certificate-relu",
    title="A certificate for ReLU: zero loss without crossing a kink",
    statement=(
        r"J_S \Delta = -r,\ |\langle \Delta_l, x_i \rangle| < |\langle w_l, x_i \rangle| \ \forall i, l \in S "
        r"\Rightarrow f(W + \Delta) = y, \text{ within the stated distance}"
    ),
    source="jacspec; docs/theory.md section 7",
    kind=Kind.UPPER,
    domain=descents(
        ("network",),
        ("relu", "leaky_relu", "leaky_relu:slope=0.5"),
        ratios=(0.9, 0.5, 1e-3, 3.0, 30.0),
        eta_bars=(1.0,),
        data_ratios=(0.5, 3.0),
        longest=5,
    ),
    variants=(
        Variant("interpolates", r"\|f(W + \Delta) - y\| = 0, \text{ to 30 digits of } \|f(W) - y\|"),
        Variant("distance", r"\|\Delta\|_F \text{ is at most its claimed bound}"),
        Variant("kinks", r"|\langle \Delta_l, x_i \rangle| < |\langle w_l, x_i \rangle|"),
    ),
    sides=sides,
    assumptions=(Assumption("CERTIFIED", why_not),),
    mutants=(
        Mutant("short-distance", "0.999 of the distance", _nearer(0.999)),
        Mutant(
            "whatever-the-kinks",
            r"the least \Delta, also where it crosses kinks",
            _whatever_the_kinks,
            assumptions=(Assumption("$J$ has independent rows", independent),),
        ),
        Mutant("float64-solves", r"\Delta as float64 has it", _rounded_step),
    ),
    extremal=(
        *({**_NET, "phi": phi, "ratio": ratio, "direction": direction}
          for phi in ("relu", "leaky_relu") for ratio, direction in ((0.9, "bottom"), (3.0, "random"), (1e-6, "top"))),
        *({**_NET, "phi": "relu", "k": 16, "ratio": ratio, "seed": 4} for ratio in (30.0, 300.0, 3000.0)),
        {**_NET, "phi": "relu", "n": 1, "ratio": 0.9},
        # Refused: more rows than weights.
        {**_NET, "phi": "relu", "d": 1, "k": 2, "rows": "line", "ratio": 0.5},
    ),
    floor=0.4,
    proof=(
        r"Along $W + t \Delta$, $0 \le t \le 1$, no unit of $S$ changes its sign at a row and the others stay, so "
        r"$f$ is affine there and $f(W + \Delta) = f(W) + J_S \Delta = y$."
    ),
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
