r"""kernel-expansion: the covariance kernel as a power series in the inner product (docs/theory.md section 3).

Pairs of different rows are compared; a row with itself (rho = 1) is hermite-parseval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from jacspec import bounds
from jacspec.activations import Activation
from jacspec.rounding import UNIT_ROUNDOFF
from verification.arithmetic import Arithmetic, Float64, Matrix
from verification.claim import Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import ALL_ACTIVATIONS, first_rows, rows
from verification.instances import Instance
from verification.kernels import (
    by_quadrature,
    by_quadrature_ball,
    coefficients,
    cosines_and_angles,
    covariance,
    from_balls,
    geometry,
    kernel_ball,
    mean_derivative_square,
)

#: Terms of the series; the rest is at most (E phi'^2 - their sum) |rho|^TERMS.
TERMS = 320


def kernel(instance: Instance, m: Arithmetic) -> tuple[Matrix, float]:
    """``E[phi'(<w,x_i>) phi'(<w,x_j>)]`` without Hermite polynomials, and its error in Frobenius norm.

    By a closed form where there is one; for phi' analytic in a strip, by the trapezoid rule in two dimensions.
    """

    def compute() -> tuple[Matrix, float]:
        return _kernel(instance) if isinstance(m, Float64) else _kernel_balls(instance, m)

    return instance.once(f"kernel {m.narrow}", compute)  # type: ignore[no-any-return]


def _kernel(instance: Instance) -> tuple[Matrix, float]:
    phi = instance.activation
    rho, theta, error = cosines_and_angles(instance)
    if phi.dual is not None:
        at_one = max(1.0, phi.dual.at_one)
        spread = phi.dual.ulps * UNIT_ROUNDOFF * at_one + phi.dual.lipschitz * error
        return phi.dual.evaluate(rho, theta), len(rho) * spread
    known: dict[float, tuple[float, float]] = {}
    for angle in np.unique(theta):
        known[float(angle)] = by_quadrature(phi, float(angle))
    values = np.array([[known[float(t)][0] for t in row] for row in theta])
    # An error in the angle moves the kernel by at most sin(theta) E|phi''(a) phi''(b)|.
    return values, len(rho) * (max(e for _, e in known.values()) + phi.B2.upper**2 * error)


def _kernel_balls(instance: Instance, m: Arithmetic) -> tuple[Matrix, float]:
    from jacspec.hermite import moment_enclosure
    from jacspec.hermite.ball import precision

    phi = instance.activation
    rho, theta = geometry(instance)
    n = len(rho)
    S = np.empty((n, n), dtype=object)
    with precision(160 if phi.dual is None else 320):
        for i in range(n):
            S[i, i] = moment_enclosure(phi, "mean_derivative_square")
            for j in range(i):
                if phi.dual is None:
                    S[i, j] = S[j, i] = by_quadrature_ball(phi, theta[i, j])
                else:
                    S[i, j] = S[j, i] = kernel_ball(phi, rho[i, j], theta[i, j])
    return from_balls(m, S)


@lru_cache(maxsize=64)
def squares(phi: Activation, m: Arithmetic, count: int) -> tuple[tuple[Any, ...], float, float]:
    """mu_0^2 .. mu_{count-1}^2, the sum of their radii, and at most what is left of E phi'^2."""
    parts = [m.split(mu**2) for mu in coefficients(phi, m, count)]
    total, radius = m.split(mean_derivative_square(phi, m))
    own = float(sum(e for _, e in parts)) + m.rounding(count, float(total))
    rest = float(total - sum(s for s, _ in parts)) + float(radius) + own
    return tuple(s for s, _ in parts), own, 0.0 if phi.degree is not None else max(rest, 0.0)


def series(
    instance: Instance, m: Arithmetic, shift: int = 0, coefficient: Callable[[int, Any], Any] = lambda r, square: square
) -> tuple[Matrix, float]:
    """``sum_r mu_r^2 rho_ij^{r+shift}`` and its error off the diagonal, in Frobenius norm; mutants change mu_r^2."""
    phi = instance.activation
    count = TERMS if phi.builtin else 160
    exact, own, tail = squares(phi, m, count)
    values = [coefficient(r, square) for r, square in enumerate(exact)]
    rho, _, _ = cosines_and_angles(instance)
    error = tail * np.abs(rho) ** (count + shift) + own
    if isinstance(m, Float64):
        # Horner rounds the r-th term 2 r + 2 times, and the float64 cosine moves it by r units.
        powers = np.arange(count) + shift
        error = error + m.rounding(4, float(np.sum((powers + 2) * np.abs(values))))
        G: Matrix = rho
    else:
        G, spread = from_balls(m, geometry(instance)[0])
        error = error + count**2 * spread * float(sum(exact))
    total = bounds.hermite_kernel(values, G)
    return (total * G**shift if shift else total), float(np.linalg.norm(error * (1 - np.eye(len(rho)))))


def distance(m: Arithmetic, left: tuple[Matrix, float], right: tuple[Matrix, float]) -> Sides:
    """Frobenius distance off the diagonal, where matrices are equal, on the scale of the first with its diagonal."""
    (A, error), (B, spread) = left, right
    off = 1 - np.eye(len(A), dtype=int)
    return Sides(m.discrepancy(A * off, B * off, error + spread), m.norm(A))


def _one_row(instance: Instance) -> str | None:
    return None if len(instance["X"]) > 1 else "there is no pair of rows (the diagonal is hermite-parseval)"


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Kernel and covariance against their series."""
    if instance.activation.dual is None and not instance.activation.builtin:
        return {}
    S, error = covariance(instance, m)
    return {
        "kernel": distance(m, kernel(instance, m), series(instance, m)),
        "covariance": distance(m, (S, error * len(S) ** 0.5), series(instance, m, 1)),
    }


def _kernel_mutant(
    shift: int, coefficient: Callable[[int, Any], Any]
) -> Callable[[Instance, Arithmetic], Mapping[str, Sides]]:
    return lambda x, m: {"mutant": distance(m, kernel(x, m), series(x, m, shift, coefficient))}


def _absolute(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    B, error = series(instance, m)
    return {"mutant": distance(m, kernel(instance, m), (abs(B), error))}


def _no_hadamard(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    S, error = covariance(instance, m)
    return {"mutant": distance(m, (S, error * len(S) ** 0.5), series(instance, m))}


CLAIM = Claim(
    id="kernel-expansion",
    title=r"The covariance kernel is a power series with coefficients $\mu_r^2$",
    statement=r"E[\phi'(\langle w,x\rangle) \phi'(\langle w,x'\rangle)] = \sum_r \mu_r^2 \rho^r, \ "
    r"\rho = \langle x,x'\rangle, \qquad \Sigma(X) = \sum_r \mu_r^2 (XX^\top)^{\circ(r+1)}",
    source="Mehler's formula; Daniely, Frostig & Singer, NeurIPS 2016 (dual activations)",
    kind=Kind.IDENTITY,
    # For relu, leaky_relu and elu the series decays too slowly to decide anything near rho = 1.
    domain=first_rows(
        rows(
            ALL_ACTIVATIONS,
            4,
            5,
            min_n=2,
            min_d=2,
            kinds=(*["sphere"] * 3, "orthogonal", "clusters", "parallel", "antipodal", "near-pairs", "arc", "line"),
        ),
        40,
    ),
    variants=(
        Variant("kernel", r"E[\phi'(\langle w,x\rangle) \phi'(\langle w,x'\rangle)] = \sum_r \mu_r^2 \rho^r"),
        Variant("covariance", r"\Sigma(X) = \sum_r \mu_r^2 (XX^\top)^{\circ(r+1)}, \Sigma(X) as the tool computes it"),
    ),
    sides=sides,
    assumptions=(Assumption(r"$n \ge 2$", _one_row),),
    mutants=(
        Mutant("thousandth", "the series times 1.001", _kernel_mutant(0, lambda r, square: square * 1001 / 1000)),
        Mutant("not-squared", r"|\mu_r| in place of \mu_r^2", _kernel_mutant(0, lambda r, square: square**0.5)),
        Mutant(
            "next-power", r"\rho^{r+1} in place of \rho^r in the kernel", _kernel_mutant(1, lambda r, square: square)
        ),
        Mutant(
            "no-mean", r"without $\mu_0^2$: Cov in place of $E$", _kernel_mutant(0, lambda r, square: square * (r > 0))
        ),
        Mutant("unsigned", r"the absolute value of the series, which forgets the sign of $\rho^r$", _absolute),
        Mutant("no-hadamard", r"\Sigma(X) = \sum_r \mu_r^2 (XX^\top)^{\circ r}", _no_hadamard),
    ),
    extremal=(
        {"n": 3, "d": 2, "rows": "arc", "angle": 1.3, "phi": "relu", "seed": 1},
        {"n": 2, "d": 2, "rows": "arc", "angle": 2.0, "phi": "gaussian", "seed": 2},
        {"n": 3, "d": 3, "rows": "sphere", "angle": 0.1, "phi": "gelu", "seed": 3},
        {"n": 2, "d": 2, "rows": "arc", "angle": 0.9, "phi": "tanh", "seed": 4},
        {"n": 2, "d": 3, "rows": "parallel", "angle": 1e-4, "phi": "softplus", "seed": 5},
        {"n": 3, "d": 2, "rows": "arc", "angle": 1.2, "phi": "elu", "seed": 6},
        {"n": 2, "d": 1, "rows": "antipodal", "angle": 0.1, "phi": "silu", "seed": 7},
        {"n": 2, "d": 2, "rows": "arc", "angle": 2.2, "phi": "leaky_relu:slope=-0.5", "seed": 8},
        {"n": 1, "d": 1, "rows": "line", "angle": 0.1, "phi": "arctan", "seed": 9},
    ),
    floor=0.8,
    proof=(
        r"$\phi' = \sum_r \mu_r h_r$ in $L^2$ of the Gaussian (hermite-parseval), and $E[h_r(\langle w, x \rangle) "
        r"h_s(\langle w, x' \rangle)]$ is $\rho^r$ for $r = s$ and 0 otherwise (from the generating function "
        r"$\exp(tx - t^2/2)$). Entry by entry, times $\langle x, x' \rangle$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
