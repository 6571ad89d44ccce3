r"""relu-covariance: the covariance of ReLU in closed form (docs/theory.md section 3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jacspec import bounds
from verification.arithmetic import Arithmetic, Float64, Matrix, Number
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import first_rows, rows
from verification.instances import Instance
from verification.kernels import (
    coefficients,
    cosines_and_angles,
    covariance,
    covariance_eigenvalues,
    difference,
    enclosed,
    excess,
    from_balls,
    geometry,
    power_sigma_min,
)

# -- P(a > 0, b > 0) from its definition, by integration -------------------------------------------------------------

# b = a cos(theta) + c sin(theta), so it is I(cot theta) with I(k) = int_0^inf p(a) Phi(k a) da. For |k| > 1 the
# integrand is steep; exchanging the order of integration it is 3/4 - I(1/k) for k > 1 and I(-1/k) - 1/4 for k < -1.


@lru_cache(maxsize=1)
def _nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre nodes on [0, 9], and weights times the normal density."""
    x, w = np.polynomial.legendre.leggauss(64)
    a = 4.5 * (x + 1)
    return a, 4.5 * w * np.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)


def quadrant(theta: float) -> float:
    """P(a > 0, b > 0) for standard normals at an angle, in float64, to 1e-13 (64 nodes: 1e-15 is seen)."""
    from scipy.special import ndtr

    a, w = _nodes()
    c, s = math.cos(theta), math.sin(theta)
    if abs(c) <= s:
        return float(w @ ndtr(a * (c / s)))
    flat = float(w @ ndtr(a * (s / abs(c))))
    return 0.75 - flat if c > 0 else flat - 0.25


def quadrant_ball(theta: Any) -> Any:
    """The same enclosed to 30 digits, by adaptive integration over [0, 12]."""
    from flint import acb, arb

    c, s = theta.cos(), theta.sin()
    steep = abs(c).mid() > s.mid()
    k = -s / abs(c) if steep else -c / s

    def integrand(a: Any, analytic: bool) -> Any:
        return (-a * a / 2).exp() * (k * a / arb(2).sqrt()).erfc() / 2

    value = acb.integral(integrand, 0, 12).real / (2 * arb.pi()).sqrt()
    value += arb(0, (12 / arb(2).sqrt()).erfc().abs_upper())
    if not steep:
        return value
    return arb(3) / 4 - value if c.mid() > 0 else value - arb(1) / 4


def integrated(instance: Instance, m: Arithmetic) -> tuple[Matrix, float]:
    """Sigma(X) = ``(P(<w,x_i> > 0, <w,x_j> > 0) <x_i,x_j>)`` by integration, and its error in Frobenius norm."""

    def compute() -> tuple[Matrix, float]:
        n = len(instance["X"])
        if isinstance(m, Float64):
            rho, theta, error = cosines_and_angles(instance)
            P = np.array([[quadrant(t) if i != j else 0.5 for j, t in enumerate(row)] for i, row in enumerate(theta)])
            return rho * P, n * (1e-13 + error)
        from flint import arb

        from jacspec.hermite.ball import precision

        balls, angles = geometry(instance)
        S = np.empty((n, n), dtype=object)
        with precision(128):
            for i in range(n):
                S[i, i] = arb(1) / 2
                for j in range(i):
                    S[i, j] = S[j, i] = balls[i, j] * quadrant_ball(angles[i, j])
        return from_balls(m, S)

    return instance.once(f"integrated {m.narrow}", compute)  # type: ignore[no-any-return]


# -- the claim --------------------------------------------------------------------------------------------------------


def closed_form(
    instance: Instance, m: Arithmetic, entry: Callable[[Any, Any, Any], Any] = bounds.relu_covariance
) -> tuple[Matrix, float]:
    """``entry(rho, theta, pi)`` for all pairs of rows, and its error in Frobenius norm."""
    n = len(instance["X"])
    if isinstance(m, Float64):
        rho, theta, error = cosines_and_angles(instance)
        return entry(rho, theta, math.pi), n * (error + m.rounding(8, 1.0))
    from flint import arb

    from jacspec.hermite.ball import precision

    balls, angles = geometry(instance)
    S = np.empty((n, n), dtype=object)
    with precision(256):
        for i in range(n):
            for j in range(n):
                S[i, j] = entry(balls[i, j], angles[i, j], arb.pi())
        return from_balls(m, S)


def against_integral(instance: Instance, m: Arithmetic, matrix: tuple[Matrix, float]) -> Sides:
    """Frobenius distance to the integrated covariance, which is zero, on the scale of the latter."""
    (A, error), (B, spread) = matrix, integrated(instance, m)
    return Sides(m.discrepancy(A, B, error + spread), m.norm(B))


def mu_square(m: Arithmetic) -> Number:
    """mu_1^2 of ReLU, from its Hermite coefficients."""
    from jacspec import activation

    return coefficients(activation("relu"), m, 2)[1] ** 2


def pi(m: Arithmetic) -> Number:
    """pi, in the arithmetic."""
    from flint import arb

    from jacspec.hermite.ball import precision

    with precision(256):
        return enclosed(m, arb.pi())


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Differences that are zero, and the excess of the lower bound over lambda(X), which is."""
    n = len(instance["X"])
    S, error = covariance(instance, m)
    constant = bounds.relu_hermite_lower(m.number(1.0), pi(m))
    lower = bounds.relu_hermite_lower(power_sigma_min(instance, m, 2), pi(m))
    return {
        "entries": against_integral(instance, m, closed_form(instance, m)),
        "matrix": against_integral(instance, m, (S, error * math.sqrt(n))),
        "mu": Sides(difference(mu_square(m), constant), constant),
        "lower bound": Sides(excess(m, lower - covariance_eigenvalues(instance, m)[0]), m.number(0.5)),
    }


def _entries(entry: Callable[[Any, Any, Any], Any]) -> Callable[[Instance, Arithmetic], Mapping[str, Sides]]:
    return lambda instance, m: {"mutant": against_integral(instance, m, closed_form(instance, m, entry))}


def _mu(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    right = bounds.relu_hermite_lower(m.number(1.0), pi(m))
    return {"mutant": Sides(difference(mu_square(m), m.number(0.4) ** 2), right)}


def _lower(factor: float) -> Callable[[Instance, Arithmetic], Mapping[str, Sides]]:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        lower = bounds.relu_hermite_lower(power_sigma_min(instance, m, 2), pi(m)) * factor
        return {"mutant": Sides(excess(m, lower - covariance_eigenvalues(instance, m)[0]), m.number(0.5))}

    return mutant


CLAIM = Claim(
    id="relu-covariance",
    title="The covariance of ReLU in closed form",
    statement=r"\Sigma_{ij} = \frac{\rho (\pi - \arccos\rho)}{2\pi}, \ \rho = \langle x_i, x_j \rangle, \qquad "
    r"\mu_\phi = \frac{1}{\sqrt{2\pi}}, \qquad \lambda(X) \ge \frac{\sigma_{\min}(X*X)^2}{2\pi}",
    source="Cho & Saul, NeurIPS 2009 (arc-cosine kernel of degree 0); Oymak & Soltanolkotabi, arXiv 1902.04674",
    kind=Kind.IDENTITY,
    domain=first_rows(rows(("relu",), 6, 5), 40),
    variants=(
        Variant("entries", r"\rho (\pi - \theta)/(2\pi) = \rho P(a > 0, b > 0), the probability by integration"),
        Variant("matrix", r"\Sigma(X) as the tool computes it"),
        Variant("mu", r"\mu_1^2 = 1/(2\pi)"),
        Variant("lower bound", r"\lambda(X) \ge \sigma_{\min}(X*X)^2 / (2\pi)"),
    ),
    sides=sides,
    mutants=(
        Mutant(
            "thousandth",
            "the entries times 1.001",
            _entries(lambda rho, theta, pi: bounds.relu_covariance(rho, theta, pi) * 1001 / 1000),
        ),
        Mutant(
            "angle-for-supplement",
            r"\rho \arccos(\rho) / (2\pi)",
            _entries(lambda rho, theta, pi: rho * theta / (2 * pi)),
        ),
        Mutant(
            "no-inner-product",
            r"(\pi - \theta)/(2\pi), without \rho",
            _entries(lambda rho, theta, pi: bounds.relu_derivative_kernel(theta, pi)),
        ),
        Mutant(
            "first-order",
            r"\rho (1/4 + \rho/(2\pi)), the arcsine to first order",
            _entries(lambda rho, theta, pi: rho * (pi / 2 + rho) / (2 * pi)),
        ),
        Mutant("mu-0.4", r"\mu_\phi = 0.4 for 0.39894", _mu),
        Mutant(
            "constant-1.85", r"1.85 \sigma_{\min}(X*X)^2 / (2\pi): three rows at 60 degrees allow 1.8345", _lower(1.85)
        ),
    ),
    extremal=(
        # The least lambda(X) / sigma_min(X*X)^2 that a search finds, 1.8345/(2 pi): the constant is not attained.
        {"n": 3, "d": 2, "rows": "arc", "angle": 1.0471975511965976, "phi": "relu", "seed": 1},
        {"n": 2, "d": 2, "rows": "arc", "angle": 2.5, "phi": "relu", "seed": 2},
        {"n": 2, "d": 2, "rows": "antipodal", "angle": 0.1, "phi": "relu", "seed": 3},
        {"n": 3, "d": 3, "rows": "parallel", "angle": 1e-8, "phi": "relu", "seed": 4},
        {"n": 4, "d": 2, "rows": "arc", "angle": 0.8, "phi": "relu", "seed": 5},
        {"n": 3, "d": 3, "rows": "orthogonal", "angle": 0.1, "phi": "relu", "seed": 6},
        {"n": 1, "d": 1, "rows": "line", "angle": 0.1, "phi": "relu", "seed": 7},
    ),
    floor=0.9,
    proof=(
        r"$\phi'(a) \phi'(b) = 1$ on a quadrant, which in the plane of $x$ and $x'$ is a wedge of angle $\pi - "
        r"\theta$: its probability is $(\pi - \theta)/(2 \pi)$. $\mu_1 = E[g 1_{g>0}] = p(0) = 1/\sqrt{2 \pi}$; "
        "then covariance-hermite-bound with $r = 1$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
