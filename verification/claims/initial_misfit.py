r"""initial-misfit: the output f(W_0) and the residual r_0 at a Gaussian initialization (docs/theory.md section 4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jacspec import bounds
from jacspec.hermite import hermite_expansion
from jacspec.rounding import gamma
from verification.arithmetic import Arithmetic, Matrix, Number
from verification.chance import least_parameter, probability
from verification.claim import FLOAT64, Claim, Kind, Mutant, Sides, Variant
from verification.domains import initializations
from verification.instances import Instance, Spec, generator

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Floats = NDArray[np.float64]


def promised(problem: Instance, power: float = 1.0) -> tuple[float, float]:
    """(delta, failure probability): the least delta that fails with the spec's "chance" at most (`power`: of ||X||)."""

    def compute() -> tuple[float, float]:
        n, X_norm = len(problem["X"]), FLOAT64.spectral_norm(problem["X"]).upper ** power

        def log_failure(delta: float) -> float:
            return math.log(max(bounds.misfit_failure(delta, n, X_norm), 1e-300))

        delta = least_parameter(log_failure, float(problem.spec.get("chance", 0.1)))
        assert delta is not None
        return delta, probability(log_failure(delta))

    found: tuple[float, float] = problem.once(f"initial-misfit {power}", compute)
    return found


def failure(problem: Instance) -> Mapping[str, float]:
    """All four statements fail with one probability: they are about the same event of concentration."""
    return {v.name: promised(problem)[1] for v in CLAIM.variants}


def labels(problem: Instance) -> Floats:
    """y with ||y|| = ||v|| sqrt(n), in the direction that the spec's "y" names; the statement holds for every y."""

    def compute() -> Floats:
        X, kind = problem["X"], str(problem.spec.get("y", "gaussian"))
        if kind == "top":  # where f varies most
            y = np.linalg.svd(X)[0][:, 0]
        else:
            y = np.ones(len(X)) if kind == "ones" else generator(problem.spec, 8).standard_normal(len(X))
        return np.asarray(y / np.linalg.norm(y) * (FLOAT64.norm(problem["v"]).value * math.sqrt(len(X))))

    found: Floats = problem.once("initial-misfit: y", compute)
    return found


def output(instance: Instance, m: Arithmetic, v: Floats) -> tuple[Matrix, float]:
    """``f(W_0) = phi(X W_0^T) v`` and the norm of its error."""
    X, W, phi = instance["X"], instance["W"], instance.activation
    f = m.evaluate(phi, "phi", m.matrix(X) @ m.matrix(W).T) @ m.matrix(v)
    # Pre-activations are off by gamma_d |x||w|, and phi by B1 times that; phi is evaluated to 8 u (|phi| + B1 |z|),
    # which is at most 8 u (|phi(0)| + 2 B1 |x||w|); then a sum of k products.
    (n, d), k = X.shape, len(v)
    reach = np.linalg.norm(X, axis=1)[:, None] * np.linalg.norm(W, axis=1)
    size = abs(float(phi(np.zeros(1))[0])) + 2 * phi.B1.upper * reach
    return f, gamma(d + k + 12) * 1.001 * math.sqrt(n) * float(np.max(size @ np.abs(v)))


def claimed_factors(instance: Instance, m: Arithmetic) -> tuple[Number, Number, Number, Number]:
    """(delta, B1, Var phi(g), ||v||), upper ends: the statement holds with any upper bounds."""
    phi = instance.activation
    delta, _ = promised(instance.problem)
    variance = hermite_expansion(phi).variance.upper
    return m.number(delta), m.number(phi.B1.upper), m.number(variance), m.norm(m.matrix(instance["v"]))


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """``||f(W_0)||`` and ``||r_0||`` against the paper's factors and the sharp ones."""
    n, (delta, B1, variance, v_norm) = len(instance["X"]), claimed_factors(instance, m)
    y = m.matrix(labels(instance.problem))
    f, error = output(instance, m, instance["v"])
    f_norm, y_norm = m.norm(f, error), m.norm(y)
    r_norm = m.norm(f - y, error + m.rounding(1, y_norm + f_norm))
    return {
        "paper": Sides(f_norm, bounds.misfit_output_paper(delta, B1, v_norm, n)),
        "paper, residual": Sides(r_norm, bounds.misfit_factor_paper(delta, B1) * y_norm),
        "sharp": Sides(f_norm, bounds.misfit_output_sharp(delta, B1, variance, v_norm, n)),
        "sharp, residual": Sides(r_norm, bounds.misfit_factor_sharp(delta, B1, variance) * y_norm),
    }


# -- false neighbours -----------------------------------------------------------------------------------------------


def _half_variance(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    n, (delta, B1, variance, v_norm) = len(instance["X"]), claimed_factors(instance, m)
    f, error = output(instance, m, instance["v"])
    return {"mutant": Sides(m.norm(f, error), bounds.misfit_output_sharp(delta, B1, variance / 2, v_norm, n))}


def _no_deviation(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    n, (_, B1, variance, v_norm) = len(instance["X"]), claimed_factors(instance, m)
    f, error = output(instance, m, instance["v"])
    return {"mutant": Sides(m.norm(f, error), bounds.misfit_output_sharp(m.number(0.0), B1, variance, v_norm, n))}


def _mean_not_removed(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    right = sides(instance, m)["sharp"].right
    f, error = output(instance, m, np.abs(instance["v"]))
    return {"mutant": Sides(m.norm(f, error), right)}


def _without_root_n(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    delta, B1, variance, v_norm = claimed_factors(instance, m)
    f, error = output(instance, m, instance["v"])
    return {"mutant": Sides(m.norm(f, error), bounds.misfit_output_sharp(delta, B1, variance, v_norm, 1))}


def _residual_of_labels(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    delta, B1, _, _ = claimed_factors(instance, m)
    y_norm = m.norm(m.matrix(labels(instance.problem)))
    right = bounds.misfit_factor_sharp(delta, B1, m.number(0.0)) * y_norm
    return {"mutant": Sides(sides(instance, m)["sharp, residual"].left, right)}


def _with_norm(power: float) -> dict[str, Any]:
    """The sharp form at the delta that another power of ||X|| in the exponent would give."""

    def mutated(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        n, (_, B1, variance, v_norm) = len(instance["X"]), claimed_factors(instance, m)
        delta = m.number(promised(instance.problem, power)[0])
        f, error = output(instance, m, instance["v"])
        return {"mutant": Sides(m.norm(f, error), bounds.misfit_output_sharp(delta, B1, variance, v_norm, n))}

    return {"sides": mutated, "failure": lambda problem: {"mutant": promised(problem, power)[1]}}


def _B1_squared(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    n, (delta, B1, variance, v_norm) = len(instance["X"]), claimed_factors(instance, m)
    f, error = output(instance, m, instance["v"])
    return {"mutant": Sides(m.norm(f, error), bounds.misfit_output_sharp(delta, B1**2, variance, v_norm, n))}


# -- the claim ------------------------------------------------------------------------------------------------------


def specs() -> SearchStrategy[Spec]:
    """Any rows and any even width."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {
            "n": st.integers(1, 10),
            "d": st.integers(1, 6),
            "rows": st.sampled_from(["sphere", "orthogonal", "clusters", "antipodal", "repeated", "equal", "line"]),
            "angle": st.sampled_from([0.5, 0.1, 1e-4]),
            "k": st.sampled_from([16, 2, 64]),
            "chance": st.sampled_from([0.1, 0.5, 0.03]),
            "y": st.sampled_from(["gaussian", "top", "ones"]),
            "scale": st.sampled_from([1.0, 1e-3, 1e-150, 1e6]),
        }
    )


CLAIM = Claim(
    id="initial-misfit",
    title="The output and the residual at a Gaussian initialization",
    statement=(
        r"\|f(W_0)\| \le (1+\delta) B_1 \|v\| \sqrt n \text{ and } \|r_0\| \le (1 + (1+\delta) B_1) \|y\| "
        r"\text{ with probability at least } 1 - e^{-\delta^2 n/(2\|X\|^2)}"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674",
    kind=Kind.PROBABILITY,
    domain=initializations(
        ("softplus", "relu", "tanh", "gelu", "erf", "sigmoid", "linear", "leaky_relu", "elu"),
        specs,
        tuple(
            {"phi": phi, "k": 64, "chance": 0.3, "y": y} for phi in ("relu", "softplus") for y in ("gaussian", "top")
        ),
    ),
    variants=(
        Variant("paper", r"\|f(W_0)\| \le (1+\delta) B_1 \|v\| \sqrt n"),
        Variant("paper, residual", r"\|r_0\| \le (1 + (1+\delta) B_1) \|y\|"),
        Variant("sharp", r"\|f(W_0)\| \le (\sqrt{\operatorname{Var} \phi(g)} + \delta B_1) \|v\| \sqrt n"),
        Variant("sharp, residual", r"\|r_0\| \le (\sqrt{1 + \operatorname{Var} \phi(g)} + \delta B_1) \|y\|"),
    ),
    sides=sides,
    failure=failure,
    mutants=(
        Mutant(
            "half-variance", r"$\operatorname{Var} \phi(g)/2$ in place of $\operatorname{Var} \phi(g)$", _half_variance
        ),
        Mutant("no-deviation", r"the root of the mean square alone, without $\delta B_1$", _no_deviation),
        Mutant("mean-not-removed", "$|v|$ in place of the balanced $v$, whose entries sum to zero", _mean_not_removed),
        Mutant(
            "without-root-n",
            r"$(\sqrt{\operatorname{Var} \phi(g)} + \delta B_1) \|v\|$ without $\sqrt n$",
            _without_root_n,
        ),
        Mutant("without-X", r"$\exp(-\delta^2 n/2)$, without $\|X\|^2$", **_with_norm(0.0)),
        Mutant("X-not-squared", r"$\exp(-\delta^2 n/(2 \|X\|))$, $\|X\|$ for its square", **_with_norm(0.5)),
        Mutant("B1-squared", r"$\delta B_1^2$ for $\delta B_1$", _B1_squared),
        Mutant(
            "residual-of-labels", r"$\|r_0\| \le (1 + \delta B_1) \|y\|$, without $f$'s own square", _residual_of_labels
        ),
    ),
    extremal=(
        # Orthonormal rows, so ||X|| = 1 makes delta small; and phi of large mean, far from cancelled by few units.
        {"n": 12, "d": 12, "rows": "orthogonal", "phi": "softplus", "k": 16, "chance": 0.1},
        # Linear phi: f is Gaussian with independent entries and ||f|| hardly varies. As near to the bound as it gets.
        {"n": 36, "d": 36, "rows": "orthogonal", "phi": "linear", "k": 2, "chance": 0.5},
        # One row, one direction: f is one number.
        {"n": 1, "d": 1, "rows": "line", "phi": "relu", "k": 2, "chance": 0.1, "scale": 1e-150},
        # The same of many equal rows: ||X||^2 = n, and nothing concentrates.
        {"n": 400, "d": 1, "rows": "equal", "phi": "linear", "k": 2, "chance": 0.05},
        # phi' is small, and nearly constant.
        {"n": 1, "d": 1, "rows": "line", "phi": "sigmoid", "k": 64, "chance": 0.03},
    ),
    proof=(
        r"$v$ sums to zero, so $E f = 0$, $E\|f\|^2 = n \|v\|^2 \operatorname{Var} \phi(g)$ and $E\|f - y\|^2 = "
        r"E\|f\|^2 + \|y\|^2$; $\operatorname{Var} \phi(g) \le B_1^2$ (Poincare). $W \to \|f(W)\|$ is $B_1 \|v\| "
        r"\|X\|$-Lipschitz in $\|\cdot\|_F$ (`jacobian-norm`): Gaussian concentration above the mean, which is at "
        "most the root of the mean square."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
