r"""theorem-sgd-smooth: SGD, one sample a step, from a Gaussian initialization (theory.md section 6)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jacspec import bounds
from jacspec.bounds.stochastic import SGD_WEIGHT
from verification.arithmetic import Arithmetic
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import initializations
from verification.instances import Instance, Spec
from verification.wide_runs import WideRun, longest
from verification.width_theorems import (
    LABELS,
    SAFE,
    constants,
    options,
    refusal,
    rescaled,
    row,
    run,
    scale,
    width_for,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SLUG = "theorem-sgd-smooth"


@dataclass(frozen=True)
class Promise:
    """What is promised of SGD with step size eta: of the exit, and of ``E[||r_t||^2 1{T > t}]`` with this rate."""

    failure: float
    eta: float
    rate: float
    alpha: float
    nu: float


def promise(problem: Instance) -> Promise | str:
    """What the theorem promises at the problem's width, or the sentence that says why it promises nothing."""

    def compute() -> Promise | str:
        why = refusal(problem, SLUG, "explicit")
        if why is not None:
            return why
        p, s = constants(problem), scale(problem)
        eta, rate, failure = rescaled(problem, row(problem, SLUG, "explicit"))
        alpha = bounds.gd_smooth_alpha(s * p.n**0.5, p.n, p.hidden.smallest).lower * SAFE
        return Promise(failure, eta, rate, alpha, options(problem).nu)

    found: Promise | str = problem.once(SLUG, compute)
    return found


def failure(problem: Instance) -> Mapping[str, float | str]:
    """1/n + exp(-delta^2 n / (2 ||X||^2)) + 1/nu: Markov's inequality takes 1/nu from the decay."""
    p = promise(problem)
    return {v.name: p if isinstance(p, str) else p.failure for v in CLAIM.variants}


def exits(done: WideRun, m: Arithmetic, p: Promise) -> tuple[Sides, Sides]:
    """The largest distance and the largest residual of a run against the bounds that define the exit."""
    start = done.residual(0)
    farthest = bounds.sgd_exit_distance(SGD_WEIGHT, m.number(p.alpha), m.number(p.nu), start)
    return (
        Sides(longest(done, "distance"), farthest),
        Sides(longest(done, "residual"), bounds.sgd_exit_residual(m.number(p.nu), start)),
    )


def _stayed(m: Arithmetic, pairs: tuple[Sides, ...]) -> bool | None:
    """Whether left <= right in all pairs; None where rounding hides it."""
    clear = True
    for pair in pairs:
        (left, left_radius), (right, right_radius) = m.split(pair.left), m.split(pair.right)
        if left - right > left_radius + right_radius:
            return False
        clear &= bool(right - left >= left_radius + right_radius)
    return True if clear else None


def decay(done: WideRun, m: Arithmetic, p: Promise, rate: float) -> Sides:
    """``||r_t||^2 1{T > t} <= nu (1 - rate)^t ||r_0||^2`` at the last step: fails with probability at most 1/nu."""
    right = bounds.sgd_mean_square(m.number(rate), done.steps, done.residual(0)) * m.number(p.nu)
    stayed = _stayed(m, exits(done, m, p))
    if stayed is None:
        return Sides(m.number(0.0, math.inf), right)
    return Sides(done.residual(done.steps) ** 2 if stayed else m.number(0.0), right)


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The exit, over all steps, and the decay at the last."""
    p = promise(instance.problem)
    if isinstance(p, str):
        return {}
    done = run(instance, m, p.eta, sampled=True)
    distance, residual = exits(done, m, p)
    return {"distance": distance, "residual": residual, "decay": decay(done, m, p, p.rate)}


# -- false neighbours -----------------------------------------------------------------------------------------------


def _of(altered: Callable[[Instance, Arithmetic, Promise], Sides], name: str, why: str) -> Mutant:
    """A mutant that alters the promise, and fails with the same probability."""

    def mutated(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        p = promise(instance.problem)
        return {} if isinstance(p, str) else {"mutant": altered(instance, m, p)}

    def chance(problem: Instance) -> Mapping[str, float | str]:
        return {"mutant": failure(problem)["distance"]}

    return Mutant(name, why, mutated, chance)


def _rate_times_n(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
    return decay(run(instance, m, p.eta, sampled=True), m, p, len(instance["X"]) * p.rate)


def _short_distance(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
    done = run(instance, m, p.eta, sampled=True)
    return Sides(longest(done, "distance"), bounds.sgd_exit_distance(8.0, m.number(p.alpha), 1.0, done.residual(0)))


# -- the claim ------------------------------------------------------------------------------------------------------

#: phi'' vanishes or is small, so that the width asked for is affordable.
NEARLY_LINEAR = ("linear", "expr:x+0.05*softplus(x)", "expr:x+0.1*sigmoid(x)", "expr:x-0.02*sin(x)")


def specs() -> SearchStrategy[Spec]:
    """Well separated rows, at the width that is asked for."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {
            "n": st.integers(4, 8),
            "d": st.integers(8, 10),
            "rows": st.sampled_from(["orthogonal", "parallel", "sphere"]),
            "angle": st.sampled_from([1.0, 0.7]),
            "delta": st.sampled_from([2.0, 3.0]),
            "nu": st.sampled_from([2.0, 4.0]),
            "eta_bar": st.sampled_from([1.0, 0.5]),
            "y": st.sampled_from(LABELS),
            "steps": st.sampled_from([60, 120]),
        }
    )


CLAIM = Claim(
    id=SLUG,
    title="SGD, one sample a step, from a Gaussian initialization",
    statement=(
        r"\sqrt k \ge 64 \nu B_2 (1 + (1+\delta) B_1) \sqrt n \|X\|/\lambda(X),\ "
        r"k \ge 13.04 \log(n) B_1^2 \|X\|^2/\lambda(X) \implies "
        r"\|W_t - W_0\|_F \le 8 \nu \|r_0\|/\alpha \text{ and } \|r_t\| \le 2 \nu \|r_0\| \text{ for all } t, "
        r"\text{ with probability at least } 1 - \tfrac1n - e^{-\delta^2 n/(2\|X\|^2)} - \tfrac1\nu; "
        r"\text{ until then } E\|r_t\|^2 \le (1 - \eta \alpha^2/n)^t \|r_0\|^2"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674, with the constants of theory.md",
    kind=Kind.PROBABILITY,
    domain=initializations(
        NEARLY_LINEAR,
        specs,
        tuple({"phi": phi, "delta": 2.0, "steps": 50, "widest": 20000} for phi in ("softplus", *NEARLY_LINEAR[:2])),
        width_for(SLUG, "explicit"),
    ),
    variants=(
        Variant("distance", r"\|W_t - W_0\|_F \le 8 \nu \|r_0\|/\alpha,\ \alpha^2 = \|y\|^2 \lambda(X)/(8n)"),
        Variant("residual", r"\|r_t\| \le 2 \nu \|r_0\|"),
        Variant("decay", r"P(\|r_t\|^2 1\{T > t\} > \nu (1 - \eta \alpha^2/n)^t \|r_0\|^2) \le \tfrac1\nu"),
    ),
    sides=sides,
    failure=failure,
    mutants=(
        _of(_rate_times_n, "rate-of-gd", "eta alpha^2 for eta alpha^2/n: as if every step used all samples"),
        _of(_short_distance, "distance-of-a-straight-line", "||r_0||/(4 alpha) for the distance 8 nu ||r_0||/alpha"),
    ),
    extremal=(
        # Orthonormal rows: the decay is the same in every direction, 16 times as fast as promised.
        {"n": 32, "d": 32, "rows": "orthogonal", "phi": "linear", "k": 60, "delta": 1.0, "steps": 400},
        # Clusters, and labels of alternating signs in them: single samples raise the residual.
        {
            "n": 12,
            "d": 12,
            "rows": "clusters",
            "angle": 0.5,
            "phi": "linear",
            "y": "bottom",
            "nu": 12.0,
            "delta": 3.0,
            "steps": 60,
        },
        # A smooth activation proper: B2 = 1/4 asks for 400,000 units already.
        {"n": 3, "d": 3, "rows": "orthogonal", "phi": "softplus", "delta": 1.5, "nu": 2.0, "steps": 5, "widest": 5e5},
    ),
    proof=(
        "As in `theorem-gd-smooth`, sigma_min(J(W_0)) >= 2 alpha and ||r_0|| <= (1 + (1+delta) B1) ||y||, so that "
        "alpha^2 >= 8 nu L ||r_0||: `sgd-convergence` with ||J|| <= B1 s ||X||, ||J_i|| <= B1 s. The form of the decay "
        "that is checked is Markov's inequality for ||r_t||^2 1{T > t}."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
