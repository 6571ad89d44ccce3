r"""theorem-sgd-smooth: SGD, one sample a step, from a Gaussian initialization (docs/theory.md section 6)."""

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
from verification.promises import altered, together
from verification.wide_runs import WideRun, descend, longest
from verification.width_theorems import (
    LABELS,
    SAFE,
    constants,
    labels,
    network,
    options,
    refusal,
    rescaled,
    row,
    run,
    scale,
    shorter,
    width_for,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SLUG = "theorem-sgd-smooth"
#: Most samples of a step that is enumerated.
_ENUMERATED = 8


@dataclass(frozen=True)
class Promise:
    """What is promised of SGD with step size eta: of the exit, and of ``E[||r_t||^2 1{T > t}]`` with this rate.

    `failure` is that of W_0 and of the samples, `start` that of W_0 alone.
    """

    failure: float
    start: float
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
        o = options(problem)
        start = 1 / p.n + bounds.misfit_failure(o.delta, p.n, p.spectrum.spectral_norm.upper)
        return Promise(failure, start / SAFE, eta, rate, alpha, o.nu)

    found: Promise | str = problem.once(SLUG, compute)
    return found


def small(problem: Instance) -> Promise | str:
    """The same, where the samples of a step can be enumerated."""
    n = len(problem["X"])
    return promise(problem) if n <= _ENUMERATED else f"{n} samples are too many to enumerate"


def failure(problem: Instance) -> Mapping[str, float | str]:
    """1/n + exp(-delta^2 n / (2 ||X||^2)), and 1/nu: from the decay by Markov's inequality; nothing from the mean."""
    p, first = promise(problem), small(problem)
    found = {v.name: p if isinstance(p, str) else p.failure for v in CLAIM.variants}
    return found | {"first step": first if isinstance(first, str) else first.start}


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


def first_step(instance: Instance, m: Arithmetic, eta: float, rate: float) -> Sides:
    """``rate ||r_0||^2 <= ||r_0||^2 - E||r_1||^2``, given W_0: the n samples of a step are enumerated."""
    problem, n = instance.problem, len(instance["X"])

    def compute() -> list[WideRun]:
        net, y = network(problem), labels(problem)
        return [descend(m, net, instance["W"], y, eta, 1, [i]) for i in range(n)]

    runs: list[WideRun] = instance.once(f"{SLUG}: first step {type(m).__name__} {eta!r}", compute)
    before = runs[0].residual(0) ** 2
    taken = [before - done.residual(1) ** 2 for done in runs]
    return Sides(before * m.number(rate), sum(taken[1:], taken[0]) / m.number(float(n)))


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The exit, over all steps, the decay at the last, and the mean over the samples of the first."""
    p = promise(instance.problem)
    if isinstance(p, str):
        return {}
    done = run(instance, m, p.eta, sampled=True)
    distance, residual = exits(done, m, p)
    found = {
        "distance": distance,
        "residual": residual,
        "exit": together(m, (distance, residual)),
        "decay": decay(done, m, p, p.rate),
    }
    if not isinstance(small(instance.problem), str):
        found["first step"] = first_step(instance, m, p.eta, p.rate)
    return found


# -- false neighbours -----------------------------------------------------------------------------------------------


def _of(sides: Callable[[Instance, Arithmetic, Promise], Sides], name: str, why: str) -> Mutant:
    """A mutant that alters what is promised of a run."""
    return altered(promise, sides, name, why)


def _of_first_step(sides: Callable[[Instance, Arithmetic, Promise], Sides], name: str, why: str) -> Mutant:
    """A mutant that alters what is promised of the mean over the samples of the first step."""
    return altered(small, sides, name, why, lambda p: p.start)


def _rate_times_n(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
    return decay(run(instance, m, p.eta, sampled=True), m, p, len(instance["X"]) * p.rate)


def _short_distance(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
    done = run(instance, m, p.eta, sampled=True)
    return Sides(longest(done, "distance"), bounds.sgd_exit_distance(8.0, m.number(p.alpha), 1.0, done.residual(0)))


def _without_slack(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
    return first_step(instance, m, p.eta, 16 * p.rate)


def _full_batch(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
    mean = first_step(instance, m, p.eta, p.rate)
    done = descend(m, network(instance.problem), instance["W"], labels(instance.problem), p.eta / len(instance["X"]), 1)
    return Sides(done.residual(0) ** 2 - done.residual(1) ** 2, mean.right)


def _uncapped(problem: Instance) -> float:
    """``eta = 3/b^2``, b = B1 s: 3/4 nu times the second cap, at least 30 times the first."""
    return shorter(3 / (constants(problem).phi.B1.upper * scale(problem)) ** 2)


def _uncapped_step(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
    eta = _uncapped(instance.problem)
    return first_step(instance, m, eta, p.rate * (eta / p.eta))


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
    source="Oymak & Soltanolkotabi, arXiv 1902.04674; its constants: jacspec",
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
        Variant("exit", r"\text{neither is exceeded, in one draw}"),
        Variant("decay", r"P(\|r_t\|^2 1\{T > t\} > \nu (1 - \eta \alpha^2/n)^t \|r_0\|^2) \le \tfrac1\nu"),
        Variant("first step", r"E[\|r_1\|^2 \mid W_0] \le (1 - \eta \alpha^2/n) \|r_0\|^2, over the n samples"),
    ),
    sides=sides,
    failure=failure,
    mutants=(
        _of(_rate_times_n, "rate-of-gd", r"$\eta \alpha^2$ for $\eta \alpha^2/n$: as if every step used all samples"),
        _of(
            _short_distance,
            "distance-of-a-straight-line",
            r"$\|r_0\|/(4 \alpha)$ for the distance $8 \nu \|r_0\|/\alpha$",
        ),
        _of_first_step(
            _without_slack,
            "without-the-proofs-slack",
            r"$2 \eta s^2 \lambda(X)/n$ for the rate $\eta \alpha^2/n$: nothing for the draw of $W_0$, the way and the "
            "noise",
        ),
        _of_first_step(
            _full_batch,
            "full-batch",
            r"as fast as a step $\eta/n$ over all samples: as if nothing were drawn",
        ),
        _of_first_step(_uncapped_step, "uncapped-step", r"$\eta = 3/b^2$, without the caps: the first step"),
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
        r"As in `theorem-gd-smooth`, $\sigma_{\min}(J(W_0)) \ge 2 \alpha$ and $\|r_0\| \le (1 + (1+\delta) B_1) "
        r"\|y\|$, so that $\alpha^2 \ge 8 \nu L \|r_0\|$: `sgd-convergence` with $\|J\| \le B_1 s \|X\|$, $\|J_i\| "
        r"\le B_1 s$. The form of the decay that is checked is Markov's inequality for $\|r_t\|^2 1\{T > t\}$, and "
        "at $t = 1$, given $W_0$, the mean itself."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
