r"""covariance-hermite-bound: lambda(X) from below by singular values of the data (docs/theory.md section 3)."""

from __future__ import annotations

from collections.abc import Mapping

from jacspec import bounds
from verification.arithmetic import Arithmetic, Matrix, Number
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import ALL_ACTIVATIONS, rows
from verification.instances import Instance
from verification.kernels import (
    coefficients,
    cosines,
    covariance,
    covariance_eigenvalues,
    extremes,
    has_antipodal_rows,
    hull,
    lambda_is_zero,
    mean_derivative_square,
    power_sigma_min,
)

#: Terms of "sum" that are computed one by one.
N = 16


def tail(instance: Instance, m: Arithmetic, R: int) -> Number:
    """``E phi'(g)^2 - sum_{r<R} mu_r^2``, exactly zero beyond the degree of a polynomial."""
    phi = instance.activation
    if phi.degree is not None and phi.degree <= R:
        return m.number(0.0)
    rest = mean_derivative_square(phi, m)
    for mu in coefficients(phi, m, R):
        rest = rest - mu**2
    return rest.nonnegative()


def partial(instance: Instance, m: Arithmetic, R: int) -> tuple[Matrix, float]:
    """``sum_{r<R} mu_r^2 (XX^T)^{o(r+1)}`` and a bound of the spectral norm of its error."""
    G, error = cosines(instance, m)
    total, spread = G * 0, 0.0
    for r, mu in enumerate(coefficients(instance.activation, m, R)):
        square, radius = m.split(mu**2)
        total = total + square * G ** (r + 1)
        # An entry of the power is off by (r + 1) times the cosine's error and a few roundings, R more in the sum.
        spread += float(square) * ((r + 1) * error + m.rounding(r + R + 4, 1.0)) + float(radius)
    return total, len(G) * spread


def single(instance: Instance, m: Arithmetic, r: int, power: int) -> Number:
    """``mu_r^2 sigma_min(X^{*power})^2``."""
    return bounds.hermite_lower(coefficients(instance.activation, m, r + 1)[r], power_sigma_min(instance, m, power))


def summed(instance: Instance, m: Arithmetic, shift: int = 1) -> Number:
    """``sum_r mu_r^2 sigma_min(X^{*(r+shift)})^2``, the terms from N on enclosed.

    They are at least tail sigma_min(X^{*(N+shift)})^2, as singular values of powers do not decrease, and at most the
    smallest eigenvalue of what Sigma has left after N terms (a sum of smallest eigenvalues is at most that of the sum).
    """
    if has_antipodal_rows(instance):
        return m.number(0.0)
    (S, error), (P, spread) = covariance(instance, m), partial(instance, m, N)
    above, _ = extremes(m, S - P, error + spread + m.rounding(1, float(len(S))))
    below = bounds.hermite_lower_matrix(m.number(0.0), tail(instance, m, N), power_sigma_min(instance, m, N + shift))
    terms = [single(instance, m, r, r + shift) for r in range(N)]
    return sum(terms, hull(m, below, above.nonnegative()))


def matrix_form(instance: Instance, m: Arithmetic, R: int, power: int) -> Number:
    """``lambda_min(sum_{r<R} mu_r^2 (XX^T)^{o(r+1)}) + tail sigma_min(X^{*power})^2``."""
    if lambda_is_zero(instance):
        return m.number(0.0)
    smallest = extremes(m, *partial(instance, m, R))[0].nonnegative() if R else m.number(0.0)
    return bounds.hermite_lower_matrix(smallest, tail(instance, m, R), power_sigma_min(instance, m, power))


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The lower bounds against lambda(X); r of "single" and R of "matrix form" are the spec's r."""
    right, _ = covariance_eigenvalues(instance, m)
    r = int(instance.spec.get("r", 2))
    return {
        "paper": Sides(single(instance, m, 1, 2), right),
        "single r": Sides(single(instance, m, r, r + 1), right),
        "sum": Sides(summed(instance, m), right),
        "matrix form": Sides(matrix_form(instance, m, r, r + 1), right),
    }


def _against(instance: Instance, m: Arithmetic, left: Number) -> Mapping[str, Sides]:
    return {"mutant": Sides(left, covariance_eigenvalues(instance, m)[0])}


def _thousandth(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    return _against(instance, m, single(instance, m, 1, 2) * 1.001)


def _sum_thousandth(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    return _against(instance, m, summed(instance, m) * 1.001)


def _next_power(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    return _against(instance, m, single(instance, m, 1, 3))


def _mu_not_squared(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    r = int(instance.spec.get("r", 2))
    mu = coefficients(instance.activation, m, r + 1)[r]
    return _against(instance, m, (mu**2) ** 0.5 * power_sigma_min(instance, m, r + 1) ** 2)


def _sigma_not_squared(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    mu = coefficients(instance.activation, m, 2)[1]
    return _against(instance, m, mu**2 * power_sigma_min(instance, m, 2))


def _sum_next_power(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    return _against(instance, m, summed(instance, m, shift=2))


def _whole_tail(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    r = int(instance.spec.get("r", 2))
    kept = mean_derivative_square(instance.activation, m) - tail(instance, m, r)
    extra = bounds.hermite_lower_matrix(m.number(0.0), kept, power_sigma_min(instance, m, r + 1))
    return _against(instance, m, matrix_form(instance, m, r, r + 1) + extra * 0.02)


def _tail_next_power(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    r = int(instance.spec.get("r", 2))
    return _against(instance, m, matrix_form(instance, m, r, r + 2))


CLAIM = Claim(
    id="covariance-hermite-bound",
    title=r"$\lambda(X)$ from below by the Khatri-Rao powers of the data",
    statement=r"\lambda(X) \ge \mu_r^2 \, \sigma_{\min}(X^{*(r+1)})^2 \text{ for every } r \ge 0",
    source="Oymak & Soltanolkotabi, arXiv 1902.04674 ($r = 1$)",
    kind=Kind.LOWER,
    # Equalities, which no precision decides, are among the extremal instances: n = 1, two rows, orthogonal rows, and
    # polynomials of degree at most 2.
    domain=rows(
        tuple(a for a in ALL_ACTIVATIONS if a not in ("linear", "quadratic")),
        8,
        6,
        4,
        min_n=3,
        min_d=3,
        kinds=(*["sphere"] * 4, *["clusters"] * 3, *["parallel"] * 3, "antipodal", "pairs"),
    ),
    variants=(
        Variant("paper", r"\lambda(X) \ge \mu_\phi^2 \, \sigma_{\min}(X*X)^2"),
        Variant("single r", r"\lambda(X) \ge \mu_r^2 \, \sigma_{\min}(X^{*(r+1)})^2"),
        Variant("sum", r"\lambda(X) \ge \sum_r \mu_r^2 \, \sigma_{\min}(X^{*(r+1)})^2"),
        Variant(
            "matrix form",
            r"\lambda(X) \ge \lambda_{\min}\big(\sum_{r<R} \mu_r^2 (XX^\top)^{\circ(r+1)}\big)"
            r" + \big(E\phi'(g)^2 - \sum_{r<R} \mu_r^2\big) \sigma_{\min}(X^{*(R+1)})^2",
        ),
    ),
    sides=sides,
    mutants=(
        Mutant("thousandth", "the paper's bound times 1.001", _thousandth),
        Mutant("sum-thousandth", "the sum times 1.001", _sum_thousandth),
        Mutant("next-power", r"$\mu_1^2 \sigma_{\min}(X^{*3})^2$: $r + 2$ for $r + 1$", _next_power),
        Mutant("mu-not-squared", r"|\mu_r| in place of \mu_r^2", _mu_not_squared),
        Mutant("sigma-not-squared", r"\mu_1^2 \sigma_{\min}(X*X)", _sigma_not_squared),
        Mutant("sum-next-power", r"\sum_r \mu_r^2 \sigma_{\min}(X^{*(r+2)})^2", _sum_next_power),
        Mutant("whole-tail", "2 percent of the first $R$ squares left in the tail of the matrix form", _whole_tail),
        Mutant("tail-next-power", r"\sigma_{\min}(X^{*(R+2)}) in the tail of the matrix form", _tail_next_power),
    ),
    extremal=(
        # phi = x^2/2 has mu_1 = 1 alone: Sigma = (XX^T)^{o2}, and the paper's bound is attained on every X.
        {"n": 3, "d": 2, "rows": "sphere", "angle": 0.1, "phi": "quadratic", "r": 1, "seed": 1},
        {"n": 4, "d": 3, "rows": "parallel", "angle": 0.1, "phi": "quadratic", "r": 0, "seed": 2},
        # phi = x has mu_0 = 1 alone: attained by r = 0.
        {"n": 3, "d": 4, "rows": "sphere", "angle": 0.1, "phi": "linear", "r": 0, "seed": 3},
        # Orthonormal rows attain the sum and the matrix form. So do two rows at an acute angle, where (1, -1) is the
        # smallest eigenvector of every power.
        {"n": 3, "d": 3, "rows": "orthogonal", "angle": 0.1, "phi": "sin", "r": 0, "seed": 4},
        {"n": 3, "d": 3, "rows": "orthogonal", "angle": 0.1, "phi": "gelu", "r": 1, "seed": 4},
        {"n": 2, "d": 2, "rows": "parallel", "angle": 0.5, "phi": "gelu", "r": 1, "seed": 5},
        {"n": 2, "d": 2, "rows": "parallel", "angle": 0.5, "phi": "gelu", "r": 2, "seed": 5},
        {"n": 2, "d": 2, "rows": "parallel", "angle": 0.1, "phi": "softplus", "r": 0, "seed": 5},
        {"n": 1, "d": 1, "rows": "line", "angle": 0.1, "phi": "silu", "r": 0, "seed": 6},
        # Antipodal rows: every sigma_min is zero, and the matrix form still sees lambda(X) > 0.
        {"n": 4, "d": 3, "rows": "pairs", "angle": 0.1, "phi": "relu", "r": 3, "seed": 7},
    ),
    # mu_phi = 0 for the odd activations and mu_r = 0 for half of all r: there "paper" and "single r" are vacuous.
    floor=0.3,
    proof=(
        r"$\Sigma(X) = \sum_r \mu_r^2 (XX^\top)^{\circ(r+1)}$ (kernel-expansion) is a sum of positive semidefinite "
        r"matrices, and $(XX^\top)^{\circ p}$ is the Gram matrix of $X^{*p}$, with smallest eigenvalue "
        r"$\sigma_{\min}(X^{*p})^2$. Drop all terms but one, or add smallest eigenvalues (Weyl). For the matrix "
        r"form the terms from $R$ on are bounded below by $\sigma_{\min}(X^{*(R+1)})^2$, which for unit rows does "
        "not decrease with the power (khatri-rao-spectrum)."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
