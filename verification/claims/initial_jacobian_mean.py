r"""initial-jacobian-mean: the mean of J(W_0) J(W_0)^T over Gaussian weights (docs/theory.md section 4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jacspec import bounds
from jacspec.covariance import covariance_matrix
from jacspec.hermite import hermite_expansion
from jacspec.rounding import Estimate, gamma
from verification.chance import power_of_two
from verification.claim import FLOAT64, Claim, Kind, Mutant, Statistic, Variant
from verification.domains import initializations
from verification.instances import Instance, Spec, generator

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Floats = NDArray[np.float64]

#: Rows of X that are looked at: chosen at random, before W_0 is, where there are more.
ROWS_SEEN = 6
#: How near SUPPORTED asks the mean to be, as a share of ||v||^2 E phi'(g)^2 (a diagonal entry).
TOLERANCE = 0.1


def directions(problem: Instance) -> tuple[Floats, Floats]:
    """Rows S of X and unit vectors u on them: all e_i and (e_i + e_j)/sqrt 2, which determine the matrix on S."""
    X = problem["X"]
    chosen = np.sort(generator(problem.spec, 7).permutation(len(X))[:ROWS_SEEN])
    n = len(chosen)
    pairs = [(np.eye(n)[i] + np.eye(n)[j]) / math.sqrt(2) for i in range(n) for j in range(i)]
    return X[chosen], np.array([*np.eye(n), *pairs])


def quadratic_forms(U: Floats, M: Floats) -> Floats:
    """``u^T M u`` for every row u of U."""
    return np.asarray(np.einsum("ui,ij,uj->u", U, M, U))


def claimed(problem: Instance) -> tuple[Floats, Floats, Floats, float]:
    """(S, u, u^T Sigma u, its radius), once per problem."""

    def compute() -> tuple[Floats, Floats, Floats, float]:
        S, U = directions(problem)
        Sigma, radius = covariance_matrix(S, problem.activation)
        return S, U, quadratic_forms(U, Sigma), radius + gamma(2 * len(S) + 4) * float(np.abs(Sigma).sum())

    found: tuple[Floats, Floats, Floats, float] = problem.once("initial-jacobian-mean", compute)
    return found


def measured(instance: Instance) -> tuple[Floats, float]:
    """``u^T J(W_0) J(W_0)^T u`` for every u, and the radius; v divided by a power of two, which is exact."""
    S, U, _, _ = claimed(instance.problem)
    W, v, phi = instance["W"], instance["v"] / power_of_two(instance["v"]), instance.activation
    J = FLOAT64.jacobian(S, W, v, phi)
    size = float(np.linalg.norm(J)) * (1 + 1e-9)
    # ||J^T u||^2 with J off by `error`, and k d products and sums of n terms.
    error = FLOAT64.jacobian_radius(S, W, v, phi)
    return np.sum((U @ J) ** 2, axis=1), 2 * size * error + error**2 + gamma(J.shape[1] + 2 * len(S) + 8) * size**2


def sampled(instance: Instance, name: str, quadratic: Callable[[Instance], Floats]) -> Mapping[str, list[Statistic]]:
    """One sample of every ``u^T J J^T u``; the claimed means are ``||v||^2 quadratic(problem)``."""

    def known_before() -> list[tuple[Estimate, float, float]]:
        """(claimed mean, upper bound, tolerance) of every sample, from the problem alone."""
        S, U, _, radius = claimed(problem)
        phi, v_norm = problem.activation, FLOAT64.norm(problem["v"] / power_of_two(problem["v"]))
        diagonal = bounds.jacobian_mean(v_norm, hermite_expansion(phi).mean_derivative_square).value
        out = []
        for u, q in zip(U, quadratic(problem), strict=True):
            mean = bounds.jacobian_mean(v_norm, Estimate(max(0.0, float(q)), radius))
            # ||J^T u|| <= ||J_S|| for the one or two rows S on which u lives; rounded up. A false mean may lie beyond.
            norm = bounds.jacobian_norm_sharp(phi.B1, v_norm, FLOAT64.spectral_norm(S[u > 0]))
            out.append((mean, max((norm**2).upper * (1 + 1e-9), mean.value), TOLERANCE * diagonal + mean.radius))
        return out

    problem = instance.problem
    values, radius = measured(instance)
    known = problem.once(f"initial-jacobian-mean: {name}", known_before)
    statistics = [
        Statistic(values[i : i + 1], radius, mean, 0.0, high, tolerance)
        for i, (mean, high, tolerance) in enumerate(known)
    ]
    return {name: statistics}


def statistics(instance: Instance) -> Mapping[str, list[Statistic]]:
    """``u^T J J^T u`` against ``||v||^2 u^T Sigma u``."""
    return sampled(instance, "identity", lambda problem: claimed(problem)[2])


# -- false neighbours -----------------------------------------------------------------------------------------------


def _factor(instance: Instance) -> Mapping[str, list[Statistic]]:
    return sampled(instance, "mutant", lambda problem: 1.05 * claimed(problem)[2])


def _output_layer(instance: Instance) -> Mapping[str, list[Statistic]]:
    def false(problem: Instance) -> Floats:
        S, U, _, _ = claimed(problem)
        return quadratic_forms(U, covariance_matrix(S, problem.activation, "output")[0] * (S @ S.T))

    return sampled(instance, "mutant", false)


def _no_hadamard(instance: Instance) -> Mapping[str, list[Statistic]]:
    def false(problem: Instance) -> Floats:
        S, U, _, _ = claimed(problem)
        expansion = hermite_expansion(problem.activation)
        kernel = np.polynomial.polynomial.polyval(np.clip(S @ S.T, -1, 1), expansion.squares)
        np.fill_diagonal(kernel, expansion.mean_derivative_square.value)
        return quadratic_forms(U, np.asarray(kernel, dtype=np.float64))

    return sampled(instance, "mutant", false)


def _largest_weight(instance: Instance) -> Mapping[str, list[Statistic]]:
    def false(problem: Instance) -> Floats:
        v = np.abs(problem["v"]) / power_of_two(problem["v"])
        return claimed(problem)[2] * (len(v) * np.max(v) ** 2 / float(v @ v))

    return sampled(instance, "mutant", false)


# -- the claim ------------------------------------------------------------------------------------------------------


def specs() -> SearchStrategy[Spec]:
    """Widths at which one draw of W_0 varies little, so that hundreds of draws tell a few percent."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {
            "n": st.integers(1, 8),
            "d": st.integers(1, 5),
            "rows": st.sampled_from(["sphere", "clusters", "parallel", "antipodal", "repeated", "line"]),
            "angle": st.sampled_from([0.5, 0.1, 1e-4]),
            "k": st.sampled_from([256, 512]),
            "v": st.sampled_from(["balanced", "gaussian", "ones"]),
            "scale": st.sampled_from([1.0, 1e-3, 1e-150, 1e6]),
        }
    )


CLAIM = Claim(
    id="initial-jacobian-mean",
    title=r"The mean of $J J^\top$ at a Gaussian initialization",
    statement=r"\mathbb E[J(W_0) J(W_0)^\top] = \|v\|^2 \Sigma(X)",
    source="Oymak & Soltanolkotabi, arXiv 1902.04674",
    kind=Kind.MEAN,
    domain=initializations(
        ("softplus", "relu", "tanh", "gelu", "erf", "silu", "sin", "leaky_relu", "elu"),
        specs,
        ({"phi": "relu", "k": 256}, {"phi": "softplus", "k": 256}, {"phi": "tanh", "k": 256, "v": "gaussian"}),
    ),
    variants=(Variant("identity", r"\mathbb E\, u^\top J J^\top u = \|v\|^2 u^\top \Sigma(X) u"),),
    sides=None,
    statistics=statistics,
    mutants=(
        Mutant("factor", r"$1.05 \|v\|^2 \Sigma(X)$", statistics=_factor),
        Mutant(
            "phi-for-derivative",
            r"$E[\phi \phi^\top] \circ XX^\top$ in place of $E[\phi' \phi'^\top] \circ XX^\top$",
            statistics=_output_layer,
        ),
        Mutant(
            "no-hadamard", r"$E[\phi' \phi'^\top]$ without the Hadamard product by $XX^\top$", statistics=_no_hadamard
        ),
        Mutant(
            "largest-weight",
            r"$k \|v\|_\infty^2$ in place of $\|v\|^2$ (true for balanced $v$)",
            statistics=_largest_weight,
        ),
    ),
    extremal=(
        # One row: E ||J||^2 = ||v||^2 E phi'(g)^2, here ||v||^2 / 2.
        {"n": 1, "d": 1, "rows": "line", "phi": "relu", "k": 256, "v": "ones"},
        # All entries differ, for matrices, and so do the v_l.
        {"n": 4, "d": 3, "rows": "sphere", "phi": "softplus", "k": 256, "v": "gaussian"},
        # Antipodal rows: Sigma of ReLU is diagonal there.
        {"n": 3, "d": 2, "rows": "antipodal", "phi": "relu", "k": 256},
    ),
    proof=(
        r"$J J^\top = \sum_l v_l^2 (\phi'(Xw_l) \phi'(Xw_l)^\top) \circ XX^\top$, and the $w_l$ are $N(0, I)$: "
        r"every summand has mean $v_l^2 \Sigma(X)$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
