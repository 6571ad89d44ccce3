r"""initial-jacobian-spectrum: the singular values of J(W_0) at a Gaussian initialization (docs/theory.md section 4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jacspec import bounds
from jacspec.covariance import covariance_spectrum
from jacspec.rounding import gamma
from verification.arithmetic import Arithmetic, Number
from verification.chance import least_parameter, power_of_two, probability
from verification.claim import FLOAT64, Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import initializations
from verification.instances import Instance, Spec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Floats = NDArray[np.float64]

#: Widths of fuzzed problems end here.
WIDEST = 2048


@dataclass(frozen=True)
class Constants:
    """What the statement asks of X, phi and v, each rounded to the side that makes it weaker.

    lam is a lower bound of lambda(X) and top an upper bound of ||Sigma(X)||: the statement holds with either in place
    of the eigenvalue itself. The gaps are lower bounds of lambda_j - lam and of top - lambda_j.
    """

    n: int
    B1: float
    X_norm: float
    lam: float
    top: float
    above: Floats | None
    below: Floats | None

    @classmethod
    def of(cls, problem: Instance) -> Constants:
        """Of X and phi, once per problem."""

        def compute() -> Constants:
            X, phi = problem["X"], problem.activation
            Sigma = covariance_spectrum(X, phi)
            lam, top, above, below = Sigma.smallest.lower, Sigma.largest.upper, None, None
            if Sigma.eigenvalues is not None:
                above = np.maximum(Sigma.eigenvalues - Sigma.radius - lam, 0.0)
                below = np.maximum(top - Sigma.radius - Sigma.eigenvalues, 0.0)
            return cls(len(X), phi.B1.upper, FLOAT64.spectral_norm(X).upper, lam, top, above, below)

        found: Constants = problem.once("initial-jacobian-spectrum", compute)
        return found


def spread(v: Floats) -> float:
    """``||v||^2 / ||v||_inf^2``, rounded down: k for balanced v."""
    scaled = v / np.max(np.abs(v))
    return float(scaled @ scaled) * (1 - 2 * gamma(len(v) + 2))


def promised(problem: Instance) -> Mapping[str, tuple[float, float]]:
    """(eps, failure probability) of every variant: eps is the least that fails with the spec's "chance" at most.

    Where no eps < 1 does, it is 1 with failure probability 1: nothing is promised. The paper's is 1/2 with 1/n, where
    its condition holds.
    """

    def compute() -> Mapping[str, tuple[float, float]]:
        c, chance = Constants.of(problem), float(problem.spec.get("chance", 0.1))
        ratio = spread(problem["v"])
        scale = ratio / (c.B1 * c.X_norm) ** 2

        def explicit(eps: float) -> float:
            return bounds.chernoff_lower_log_failure(eps, scale, c.lam, c.n)

        def lower(eps: float) -> float:
            return bounds.chernoff_lower_log_failure(eps, scale, c.lam, c.n, c.above)

        def upper(eps: float) -> float:
            assert c.below is not None
            return bounds.chernoff_upper_log_failure(eps, scale, c.top, c.below)

        out = {}
        if c.n > 1 and ratio >= bounds.chernoff_spread_paper(c.n, c.B1, c.X_norm, c.lam) * (1 + 1e-12):
            out["paper"] = (0.5, probability(-math.log(c.n)))
        tails = [("explicit", explicit, 1.0)]
        if c.above is not None:
            tails += [("sharp lower tail", lower, 1.0), ("sharp upper tail", upper, math.inf)]
        for name, log_failure, top in tails:
            eps = least_parameter(log_failure, chance, top)
            out[name] = (1.0, 1.0) if eps is None else (eps, probability(log_failure(eps)))
        return out

    found: Mapping[str, tuple[float, float]] = problem.once("initial-jacobian-spectrum: promised", compute)
    return found


def failure(problem: Instance) -> Mapping[str, float]:
    """Claimed failure probabilities."""
    return {name: p for name, (_, p) in promised(problem).items()}


def measured(instance: Instance, m: Arithmetic) -> tuple[Number, Number]:
    """(sigma_min, ||J||) of J(W_0), from the Gram matrix ``(A A^T) o (X X^T)`` with A = phi'(X W_0^T) diag(v).

    v is divided by a power of two, which is exact, so that no square under- or overflows.
    """
    unit = power_of_two(instance["v"])
    X, W, v = m.matrix(instance["X"]), m.matrix(instance["W"]), m.matrix(instance["v"] / unit)
    A = m.evaluate(instance.activation, "dphi", X @ W.T) * v
    # J is off by e in Frobenius norm, hence J J^T by 2 ||J|| e + e^2; then sums of k and of d products, and a product.
    (n, d), k = instance["X"].shape, len(instance["v"])
    size = float(np.linalg.norm(np.asarray(A, dtype=np.float64))) * (1 + 1e-9)
    e = m.jacobian_radius(X, W, v, instance.activation)
    error = 2 * size * e + e**2 + m.rounding(k + d + n + 4, size**2)
    low, top = m.eigenvalues((A @ A.T) * (X @ X.T), error)
    zero, unit = m.number(0.0), m.number(unit)
    return m.maximum([low, zero]) ** 0.5 * unit, m.maximum([top, zero]) ** 0.5 * unit


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """``||v|| sqrt((1 - eps) lambda) <= sigma_min(J(W_0))`` and ``||J(W_0)|| <= ||v|| sqrt((1 + eps) ||Sigma||)``."""
    c = Constants.of(instance.problem)
    v_norm = m.norm(m.matrix(instance["v"]))
    smallest, largest = measured(instance, m)
    out = {}
    for name, (eps, _) in promised(instance.problem).items():
        if name == "sharp upper tail":
            out[name] = Sides(largest, bounds.initial_norm(m.number(eps), v_norm, m.number(c.top)))
        else:
            out[name] = Sides(bounds.initial_sigma_min(m.number(eps), v_norm, m.number(c.lam)), smallest)
    return out


# -- false neighbours -----------------------------------------------------------------------------------------------


def _lower(instance: Instance, m: Arithmetic, eps: float, v_norm: Number, lam: float) -> Mapping[str, Sides]:
    return {"mutant": Sides(bounds.initial_sigma_min(m.number(eps), v_norm, m.number(lam)), measured(instance, m)[0])}


def _above_the_mean(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    c, eps = Constants.of(instance.problem), promised(instance.problem)["explicit"][0]
    return _lower(instance, m, -eps, m.norm(m.matrix(instance["v"])), c.lam)


def _largest_eigenvalue(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    c, eps = Constants.of(instance.problem), promised(instance.problem)["explicit"][0]
    return _lower(instance, m, eps, m.norm(m.matrix(instance["v"])), c.top)


def _without_v(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    c, eps = Constants.of(instance.problem), promised(instance.problem)["explicit"][0]
    return _lower(instance, m, eps, m.number(1.0), c.lam)


def _upper_without_eps(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    v_norm, top = m.norm(m.matrix(instance["v"])), m.number(Constants.of(instance.problem).top)
    return {"mutant": Sides(measured(instance, m)[1], bounds.initial_norm(m.number(0.0), v_norm, top))}


def _sharp_lower(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    return {"mutant": sides(instance, m)["sharp lower tail"]}


def _failure(variant: str, power: int = 1) -> Callable[[Instance], Mapping[str, float]]:
    return lambda problem: {"mutant": promised(problem)[variant][1] ** power}


def _counted(scale: Callable[[Constants, Floats], float], count: Callable[[int], int] = int) -> dict[str, Any]:
    """The explicit form at the eps that another exponent, ``scale lambda``, or another count of rows would give."""

    def promise(problem: Instance) -> tuple[float, float]:
        c, chance = Constants.of(problem), float(problem.spec.get("chance", 0.1))

        def log_failure(eps: float) -> float:
            return bounds.chernoff_lower_log_failure(eps, scale(c, problem["v"]), c.lam, count(c.n))

        eps = least_parameter(log_failure, chance, 1.0)
        return (1.0, 1.0) if eps is None else (eps, probability(log_failure(eps)))

    def mutated(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        c, eps = Constants.of(instance.problem), promise(instance.problem)[0]
        return _lower(instance, m, eps, m.norm(m.matrix(instance["v"])), c.lam)

    return {"sides": mutated, "failure": lambda problem: {"mutant": promise(problem)[1]}}


# -- the claim ------------------------------------------------------------------------------------------------------


def width(problem: Instance) -> int:
    """The width at which the explicit form promises the spec's "chance" at its "eps"; for eps = 1/2 the paper's too."""
    c = Constants.of(problem)
    chance, eps = float(problem.spec.get("chance", 0.1)), float(problem.spec.get("eps", 0.5))
    if c.lam <= 0:
        return 2  # void, and said so by the assumption
    unit = (c.B1 * c.X_norm) ** 2
    least = least_parameter(lambda k: bounds.chernoff_lower_log_failure(eps, k / unit, c.lam, c.n), chance)
    assert least is not None
    if eps == 0.5:
        least = max(least, float(bounds.chernoff_spread_paper(c.n, c.B1, c.X_norm, c.lam)))
    if str(problem.spec.get("v", "balanced")) == "gaussian":
        least *= 2 * math.log(2 * least + 8)  # ||v||_inf^2 is nearly that many times the mean of v_l^2
    return 2 * math.ceil(0.5 * min(least * (1 + 1e-9), float(problem.spec.get("widest", WIDEST))))


def specs() -> SearchStrategy[Spec]:
    """Rows with lambda(X) > 0, mostly; how likely the statement may fail, and at which eps."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {
            "n": st.integers(1, 6),
            "d": st.integers(2, 5),
            "rows": st.sampled_from(["sphere", "orthogonal", "antipodal", "parallel"]),
            "angle": st.sampled_from([0.5, 1.0]),
            "chance": st.sampled_from([0.1, 0.3, 0.03]),
            "eps": st.sampled_from([0.5, 0.8, 0.95]),
            "v": st.sampled_from(["balanced", "gaussian"]),
            "scale": st.sampled_from([1.0, 1e-3, 1e-150, 1e6]),
        }
    )


def _positive(problem: Instance) -> str | None:
    smallest = Constants.of(problem.problem).lam
    return None if smallest > 0 else "lambda(X) is zero, or not told from it by float64: the statement is void"


CLAIM = Claim(
    id="initial-jacobian-spectrum",
    title="The spectrum of the Jacobian at a Gaussian initialization",
    statement=(
        r"\sigma_{\min}(J(W_0))^2 \ge (1-\epsilon) \|v\|^2 \lambda(X) \text{ except with probability } "
        r"n [e^{-\epsilon}/(1-\epsilon)^{1-\epsilon}]^m,\ m = \lambda(X) \|v\|^2/(\|v\|_\infty^2 B_1^2 \|X\|^2)"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674 (with $B = B_1$, which is what the proof uses)",
    kind=Kind.PROBABILITY,
    domain=initializations(
        ("softplus", "relu", "tanh", "gelu", "erf", "leaky_relu"),
        specs,
        tuple(
            {"phi": phi, "chance": 0.3, "eps": eps, "widest": 1 << 15}
            for phi in ("relu", "softplus")
            for eps in (0.5, 0.95)
        ),
        width,
    ),
    variants=(
        Variant("paper", r"\sigma_{\min}(J(W_0)) \ge \|v\| \sqrt{\lambda(X)/2} \text{ with probability } 1 - 1/n"),
        Variant("explicit", r"n [e^{-\epsilon}/(1-\epsilon)^{1-\epsilon}]^m"),
        Variant("sharp lower tail", r"\sum_j e^{-\epsilon \|v\|^2 (\lambda_j - \lambda_1)/R_0} \text{ in place of } n"),
        Variant("sharp upper tail", r"\|J(W_0)\|^2 \le (1+\epsilon) \|v\|^2 \|\Sigma(X)\|"),
    ),
    sides=sides,
    failure=failure,
    assumptions=(Assumption(r"$\lambda(X) > 0$", _positive),),
    mutants=(
        Mutant("above-the-mean", r"$(1 + \epsilon)$ for $(1 - \epsilon)$", _above_the_mean, _failure("explicit")),
        Mutant("largest-eigenvalue", r"$\|\Sigma(X)\|$ for $\lambda(X)$", _largest_eigenvalue, _failure("explicit")),
        Mutant("without-v", r"$\lambda(X)$ without the factor $\|v\|^2$", _without_v, _failure("explicit")),
        Mutant(
            "upper-without-eps",
            r"$\|J\|^2 \le \|v\|^2 \|\Sigma\|$, the mean, for the upper tail",
            _upper_without_eps,
            _failure("sharp upper tail"),
        ),
        Mutant(
            "failure-squared",
            "the sharp failure probability squared ($R_0 / 2$)",
            _sharp_lower,
            _failure("sharp lower tail", 2),
        ),
        Mutant(
            "width-for-spread",
            r"$k$ for $\|v\|^2/\|v\|_\infty^2$, as if all units counted alike",
            **_counted(lambda c, v: len(v) / (c.B1 * c.X_norm) ** 2),
        ),
        Mutant(
            "B1-not-squared",
            "$B_1$ in the exponent $m$ for its square",
            **_counted(lambda c, v: spread(v) / (c.B1 * c.X_norm**2)),
        ),
        Mutant(
            "one-row",
            "one row's failure probability for all $n$",
            **_counted(lambda c, v: spread(v) / (c.B1 * c.X_norm) ** 2, lambda n: 1),
        ),
        Mutant(
            "largest-in-the-exponent",
            r"$\|\Sigma(X)\|$ for $\lambda(X)$ in the exponent $m$",
            **_counted(lambda c, v: spread(v) / (c.B1 * c.X_norm) ** 2 * c.top / c.lam),
        ),
    ),
    extremal=(
        # Orthonormal rows: Sigma is a multiple of the identity, so every matrix of rank one counts; the paper's width.
        {"n": 4, "d": 4, "rows": "orthogonal", "phi": "relu", "chance": 0.1, "eps": 0.5, "scale": 1e-3},
        # One unit has all the weight; one slope is 7.5 times the other; four rows, each of which two units may miss;
        # two rows that hardly any unit tells apart. So few units are promised nothing.
        {"n": 1, "d": 1, "rows": "line", "phi": "relu", "chance": 0.3, "k": 8, "v": "spike"},
        {"n": 1, "d": 1, "rows": "line", "phi": "leaky_relu:slope=-7.5", "chance": 0.1, "k": 2},
        {"n": 4, "d": 4, "rows": "orthogonal", "phi": "relu", "chance": 0.39, "k": 2},
        {"n": 2, "d": 2, "rows": "parallel", "angle": 0.01, "phi": "relu", "chance": 0.1, "k": 8},
        # A wide gap above lambda_1: the sharp lower tail gains, and max for min is far off.
        {"n": 2, "d": 2, "rows": "parallel", "angle": 0.4, "phi": "softplus", "chance": 0.1, "eps": 0.8},
        # Two units, one row: sigma_min = 0 with probability 1/4, and Chernoff's bound is 0.39. As tight as it gets.
        {"n": 1, "d": 1, "rows": "line", "phi": "relu", "chance": 0.39, "k": 2},
        {"n": 3, "d": 3, "rows": "repeated", "phi": "relu"},
    ),
    proof=(
        r"Matrix Chernoff (Tropp) for the sum over $l$ of $v_l^2 (\phi'(Xw_l) \phi'(Xw_l)^\top) \circ (XX^\top)$, "
        r"each of norm at most $R_0 = \|v\|_\infty^2 B_1^2 \|X\|^2$ by the Schur bounds, of mean $\|v\|^2 "
        r"\Sigma(X)$; the sharp forms keep the trace of the matrix moment generating function instead of $n$ times "
        "its norm."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
