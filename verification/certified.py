"""Instances of certificates: the network of a run of gradient descent, certified, and held against the run.

What a certificate promises of gradient descent is checked on the run itself, step by step; the numbers that it rests on
are held against the same numbers in the claim's own arithmetic, in the end 60 digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from jacspec import ShallowNet
from jacspec.certificates import Certificate, certify
from verification.arithmetic import Arithmetic
from verification.claim import FLOAT64, Sides
from verification.dynamics import Choose, Map, Run, idle, problem, run, told, worst_step
from verification.instances import Instance

__all__ = ["PARTS", "Part", "at_ratio", "certificate", "refused", "sides_of", "step_size"]

#: ``part(run, certificate)``: the two sides of one promise.
Part = Callable[[Run, Certificate], Sides | None]


def step_size(instance: Instance, f: Map) -> float:
    """eta = eta_bar / (2 (||J_0|| + sigma_0)^2): ||J|| is at most that sum wherever a certificate reaches."""
    top, low = f.singular_values(f.start)
    return float(float(instance.spec["eta_bar"]) / (2 * (top.upper + low.upper) ** 2))


def at_ratio(instance: Instance, f: Map) -> tuple[float, float]:
    """||r_0|| with ``2 L ||r_0|| / sigma_0^2 = ratio``."""
    low, L = f.singular_values(f.start)[1], f.lipschitz()
    if low.lower <= 0 or L is None:
        return 0.0, 1.0
    ratio = float(instance.spec["ratio"])
    return ratio * low.value**2 / (2 * L.value) if L.value > 0 else ratio * low.value, step_size(instance, f)


def certificate(
    instance: Instance, choose: Choose, method: Literal["auto", "kantorovich", "newton", "relu"]
) -> Certificate:
    """The certificate at the start of the instance's run, for that run's step size."""

    def compute() -> Certificate:
        p = problem(instance, choose)
        net = ShallowNet(instance["W"], instance["v"], instance.activation)
        if method == "kantorovich":
            return certify(net, instance["X"], p.y, eta=p.eta, method=method)
        return certify(net, instance["X"], p.y, method=method)

    found: Certificate = instance.once(f"certificate: {method}", compute)
    return found


def refused(instance: Instance, choose: Choose) -> str | None:
    """Why there is no certificate, or nothing to say of the run."""
    found = idle(run(instance, FLOAT64, choose))
    if found is not None:
        return found
    c = certificate(instance, choose, "kantorovich")
    return None if c.certified else f"not certified: {c.reason}"


# -- what is promised -----------------------------------------------------------------------------------------------


def residual(r: Run, c: Certificate) -> Sides | None:
    """``||r_0||`` is at most what is claimed."""
    assert c.residual is not None
    return worst_step(r, r.residual_norms[:1], r.number(c.residual.upper))


def smallest(r: Run, c: Certificate) -> Sides | None:
    """``sigma_min(J_0)`` is at least what is claimed."""
    assert c.sigma_min is not None
    return worst_step(r, r.number(c.sigma_min.lower), r.sigma_min[:1])


def norm(r: Run, c: Certificate) -> Sides | None:
    """``||J_t|| <= beta`` along the run."""
    assert c.beta is not None
    return worst_step(r, r.norms, r.number(c.beta.upper))


def contraction(r: Run, c: Certificate) -> Sides | None:
    """``rate ||r_t|| <= ||r_t|| - ||r_{t+1}||``"""
    assert c.rate is not None
    norms = r.residual_norms
    return worst_step(r, r.number(c.rate) * norms[:-1], norms[:-1] - norms[1:])


def path(r: Run, c: Certificate) -> Sides | None:
    """The path of the run is at most `distance`."""
    assert c.distance is not None
    return worst_step(r, r.path[1:], r.number(c.distance), last=True)


def distance(r: Run, c: Certificate) -> Sides | None:
    """``||W_t - W_0||_F`` is at most `distance`."""
    assert c.distance is not None
    return worst_step(r, r.distances[1:], r.number(c.distance), last=True)


PARTS: dict[str, Part] = {
    "residual": residual, "sigma-min": smallest, "norm": norm, "contraction": contraction, "path": path,
    "distance": distance,
}  # fmt: skip


def sides_of(instance: Instance, m: Arithmetic, choose: Choose, parts: Mapping[str, Part]) -> Mapping[str, Sides]:
    """Those promises, on the run."""
    r, c = run(instance, m, choose), certificate(instance, choose, "kantorovich")
    return told(r, {name: part(r, c) for name, part in parts.items()}) if c.certified else {}
