r"""covariance-upper-bound: how large the covariance can be (docs/theory.md section 3)."""

from __future__ import annotations

from collections.abc import Mapping

from jacspec import bounds
from verification.arithmetic import Arithmetic, Number
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import ALL_ACTIVATIONS, rows
from verification.instances import Instance
from verification.kernels import coefficients, cosines, covariance_eigenvalues, extremes, mean_derivative_square


def data_norm(instance: Instance, m: Arithmetic, power: int = 1) -> Number:
    """``||X^{*power}||`` of the normalised rows, from the Hadamard power of their cosines."""
    G, error = cosines(instance, m)
    return extremes(m, G**power, len(G) * power * (error + m.rounding(1, 1.0)))[1] ** 0.5


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """lambda(X), ||Sigma(X)|| and E phi'^2 against their bounds; the last where phi' is bounded."""
    phi = instance.activation
    smallest, largest = covariance_eigenvalues(instance, m)
    square = mean_derivative_square(phi, m)
    out = {
        "smallest": Sides(smallest, bounds.covariance_upper(square)),
        "largest": Sides(largest, bounds.covariance_norm_upper(square, data_norm(instance, m))),
    }
    if phi.B1.finite:
        out["mean square"] = Sides(square, bounds.mean_derivative_square_upper(m.number(phi.B1)))
    return out


def _variance(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    variance = mean_derivative_square(instance.activation, m) - coefficients(instance.activation, m, 1)[0] ** 2
    return {"mutant": Sides(covariance_eigenvalues(instance, m)[0], bounds.covariance_upper(variance))}


def _thousandth(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    exact = sides(instance, m)["smallest"]
    return {"mutant": Sides(exact.left * 1.001, exact.right)}


def _largest_thousandth(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    exact = sides(instance, m)["largest"]
    return {"mutant": Sides(exact.left * 1.001, exact.right)}


def _norm_not_squared(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    square = mean_derivative_square(instance.activation, m)
    right = bounds.covariance_norm_upper(square, data_norm(instance, m) ** 0.5)
    return {"mutant": Sides(covariance_eigenvalues(instance, m)[1], right)}


def _square_norm(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    right = bounds.covariance_norm_upper(mean_derivative_square(instance.activation, m), data_norm(instance, m, 2))
    return {"mutant": Sides(covariance_eigenvalues(instance, m)[1], right)}


def _supremum_thousandth(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    exact = sides(instance, m).get("mean square")
    return {} if exact is None else {"mutant": Sides(exact.left * 1.001, exact.right)}


def _supremum_not_squared(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    phi = instance.activation
    return {"mutant": Sides(mean_derivative_square(phi, m), m.number(phi.B1))} if phi.B1.finite else {}


CLAIM = Claim(
    id="covariance-upper-bound",
    title=r"The covariance is at most $E \phi'^2$, times $\|X\|^2$ in norm",
    statement=r"\lambda(X) \le E\phi'(g)^2 \le B_1^2, \qquad \|\Sigma(X)\| \le E\phi'(g)^2 \|X\|^2",
    source="Oymak & Soltanolkotabi, arXiv 1902.04674",
    kind=Kind.UPPER,
    # Equalities are among the extremal instances: n = 1, orthogonal or equal rows, lines, and phi' constant.
    domain=rows(
        tuple(a for a in ALL_ACTIVATIONS if a != "linear"),
        8,
        6,
        min_n=2,
        min_d=2,
        kinds=("sphere", "sphere", "clusters", "parallel", "antipodal", "repeated", "pairs"),
    ),
    variants=(
        Variant("smallest", r"\lambda(X) \le E\phi'(g)^2"),
        Variant("largest", r"\|\Sigma(X)\| \le E\phi'(g)^2 \|X\|^2"),
        Variant("mean square", r"E\phi'(g)^2 \le B_1^2"),
    ),
    sides=sides,
    mutants=(
        Mutant("variance", r"$\operatorname{Var} \phi'(g)$ in place of $E \phi'(g)^2$", _variance),
        Mutant("thousandth", r"\lambda(X) \le E\phi'(g)^2 / 1.001", _thousandth),
        Mutant("largest-thousandth", r"\|\Sigma(X)\| \le E\phi'(g)^2 \|X\|^2 / 1.001", _largest_thousandth),
        Mutant("norm-not-squared", r"\|X\| in place of \|X\|^2", _norm_not_squared),
        Mutant("square-norm", r"\|X*X\|^2 in place of \|X\|^2", _square_norm),
        Mutant("supremum-thousandth", r"E\phi'(g)^2 \le B_1^2 / 1.001", _supremum_thousandth),
        Mutant("supremum-not-squared", r"E\phi'(g)^2 \le B_1", _supremum_not_squared),
    ),
    extremal=(
        # One row: Sigma is the number E phi'^2. Orthonormal rows: E phi'^2 times the identity.
        {"n": 1, "d": 1, "rows": "line", "phi": "tanh", "seed": 1},
        {"n": 1, "d": 3, "rows": "sphere", "phi": "relu", "seed": 2},
        {"n": 3, "d": 3, "rows": "orthogonal", "phi": "gelu", "seed": 3},
        # Equal rows: Sigma = E phi'^2 11^T and ||X||^2 = n. Plus and minus one direction likewise for an even phi'.
        {"n": 4, "d": 2, "rows": "equal", "phi": "softplus", "seed": 4},
        {"n": 3, "d": 1, "rows": "line", "phi": "erf", "seed": 5},
        # phi' = 1: Sigma = XX^T on every X, and E phi'^2 = B1^2.
        {"n": 4, "d": 2, "rows": "sphere", "phi": "linear", "seed": 6},
        # B1 well above 1, where B1 is less than B1^2.
        {"n": 3, "d": 3, "rows": "sphere", "phi": "leaky_relu:slope=-7.5", "seed": 7},
    ),
    floor=0.85,
    proof=(
        r"The diagonal of $\Sigma(X)$ is $E \phi'(g)^2$ for unit rows, and the smallest eigenvalue is at most any "
        r"diagonal entry. $\Sigma(X) = K \circ (XX^\top)$ with $K$ positive semidefinite of diagonal $E "
        r"\phi'(g)^2$: the Schur bounds."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
