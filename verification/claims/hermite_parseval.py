r"""hermite-parseval: the Hermite coefficients of phi' against what does not know them (docs/theory.md section 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from jacspec import activation, bounds
from jacspec.activations import Activation
from verification.arithmetic import Arithmetic, Float64, Number
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import ALL_ACTIVATIONS
from verification.instances import Domain, Floats, Instance, Spec, need
from verification.kernels import coefficients, difference, enclosed, excess, mean_derivative_square

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

ACTIVATIONS = (*ALL_ACTIVATIONS, "leaky_relu:slope=0.2", "leaky_relu:slope=-1.0")
#: Coefficients that are compared with adaptive integration.
INTEGRATED = 6

# -- the first two moments of the second derivative, by quadrature -----------------------------------------------------


@lru_cache(maxsize=64)
def second_moments(phi: Activation) -> tuple[tuple[float, float], tuple[float, float]]:
    """``(E phi'', E phi''^2)`` almost everywhere, each with its error, in float64 from the tool's phi''.

    Gauss-Legendre with 40 nodes on each of 40 panels of [-10, 10]; phi'' is smooth on each, as it can jump at 0 only.
    Quadrature errs by less than rounding (seen against 60 digits: 1e-14 of the largest value); 1e-12 is claimed.
    """
    x, w = np.polynomial.legendre.leggauss(40)
    a = np.concatenate([(x + 1) / 4 + start for start in np.arange(-10, 10, 0.5)])
    weights = np.tile(w / 4, 40) * np.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
    f = phi.second_derivative(a)
    top = float(np.max(np.abs(f)))
    return (float(weights @ f), 1e-12 * top), (float(weights @ f**2), 1e-12 * top**2)


@lru_cache(maxsize=64)
def second_moments_balls(phi: Activation) -> tuple[Any, Any]:
    """The same in ball arithmetic, phi'' by differences of phi': to about 35 digits."""
    from flint import acb, arb

    from jacspec.hermite.ball import precision

    spec = phi.ball
    assert spec is not None
    with precision(400):
        step = arb(2) ** -90  # central differences: an error of 2^-180 times a third derivative, and 90 bits lost
        out = []
        for power in (1, 2):
            total = arb(0)
            for piece in spec.pieces:
                ends = {"left": (-14, 0), "right": (0, 14), "both": (-14, 14)}[piece.side]

                def integrand(z: Any, analytic: bool, power: int = power, piece: Any = piece) -> Any:
                    slope = (piece.derivative(z + step, analytic) - piece.derivative(z - step, analytic)) / (2 * step)
                    return slope**power * (-z * z / 2).exp()

                total += acb.integral(integrand, *ends, rel_tol=arb(2) ** -130, abs_tol=arb(2) ** -130).real
            # |phi''| <= B2 = 1 or less almost everywhere beyond 14, for every built-in activation.
            out.append(total / (2 * arb.pi()).sqrt() + arb(0, 1e-36) + arb(0, (14 / arb(2).sqrt()).erfc().abs_upper()))
    return out[0], out[1]


def jump(phi: Activation) -> float:
    """phi'(0+) - phi'(0-) of a built-in phi: what phi'' has at 0 besides its values."""
    if phi.is_smooth:
        return 0.0
    return 1.0 - float(dict(phi.parameters).get("slope", 0.0))


def second(phi: Activation, m: Arithmetic) -> tuple[Number, Number]:
    """``(E phi'', E phi''^2)`` almost everywhere."""
    if isinstance(m, Float64):
        mean, square = second_moments(phi)
        return m.number(*mean), m.number(*square)
    mean_ball, square_ball = second_moments_balls(phi)
    return enclosed(m, mean_ball), enclosed(m, square_ball)


# -- the claim --------------------------------------------------------------------------------------------------------


def partial(phi: Activation, m: Arithmetic, R: int, weighted: bool = False) -> Number:
    """``sum_{r<R} mu_r^2``, or ``sum_{r<R} r mu_r^2``."""
    terms = [mu**2 * (r if weighted else 1) for r, mu in enumerate(coefficients(phi, m, R))]
    return sum(terms[1:], terms[0])


def tail(phi: Activation, m: Arithmetic, R: int) -> Number:
    """An upper bound of ``sum_{r>=R} mu_r^2`` that does not use E phi'^2."""
    if not phi.is_smooth:
        return bounds.parseval_tail_jump(m.number(jump(phi)), R)
    return bounds.parseval_tail(second(phi, m)[1] - partial(phi, m, R, weighted=True), R)


def integrals(phi: Activation, m: Arithmetic) -> list[Number]:
    """mu_0 .. mu_5 by adaptive integration, a route that shares nothing with the one in use."""
    return [enclosed(m, ball) for ball in _integrals(phi)]


@lru_cache(maxsize=64)
def _integrals(phi: Activation) -> tuple[Any, ...]:
    from jacspec.hermite import hermite_enclosures

    return tuple(hermite_enclosures(phi, INTEGRATED, digits=24, method="integral"))


def stein(phi: Activation, m: Arithmetic) -> Number:
    """E phi''(g) with the jump of phi' at 0, which weighs p(0)."""
    return second(phi, m)[0] + m.number(jump(phi)) * density_at_zero(m)


def density_at_zero(m: Arithmetic) -> Number:
    """``1/sqrt(2 pi)``."""
    from flint import arb

    from jacspec.hermite.ball import precision

    with precision(256):
        return enclosed(m, 1 / (2 * arb.pi()).sqrt())


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """By how much each relation fails, on the scale of E phi'^2 (of its root for coefficients)."""
    phi, R, r = instance.activation, int(instance.spec["R"]), int(instance.spec["r"])
    square = mean_derivative_square(phi, m)
    gap = square - partial(phi, m, R)
    mu = coefficients(phi, m, max(2, r + 1))
    out = {"bessel": Sides(excess(m, -gap), square)}
    if phi.builtin:  # of a user's own phi neither the jumps nor an independent enclosure are known
        out["tail"] = Sides(excess(m, gap - tail(phi, m, R)), square)
        out["stein"] = Sides(difference(mu[1], stein(phi, m)), square**0.5)
        out["enclosures"] = Sides(difference(mu[r], integrals(phi, m)[r]), square**0.5)
    return out


def _gap_sides(instance: Instance, m: Arithmetic, gap: Number) -> Mapping[str, Sides]:
    """Both inequalities that put a gap between 0 and the tail."""
    phi = instance.activation
    over = excess(m, gap - tail(phi, m, int(instance.spec["R"])))
    return {"mutant": Sides(excess(m, -gap) + over, mean_derivative_square(phi, m))}


def _variance(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    phi, R = instance.activation, int(instance.spec["R"])
    variance = mean_derivative_square(phi, m) - coefficients(phi, m, 1)[0] ** 2
    return _gap_sides(instance, m, variance - partial(phi, m, R))


def _thousandth(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    phi, R = instance.activation, int(instance.spec["R"])
    return _gap_sides(instance, m, mean_derivative_square(phi, m) - partial(phi, m, R) * 1.001)


def _skipped(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    phi, R = instance.activation, int(instance.spec["R"])
    kept = partial(phi, m, R) - coefficients(phi, m, 2)[1] ** 2
    return _gap_sides(instance, m, mean_derivative_square(phi, m) - kept)


def _no_jump(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    phi = instance.activation
    left = difference(coefficients(phi, m, 2)[1], second(phi, m)[0])
    return {"mutant": Sides(left, mean_derivative_square(phi, m) ** 0.5)}


def _normalisation(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    phi, r = instance.activation, int(instance.spec["r"])
    left = difference(coefficients(phi, m, r + 1)[r] * math.factorial(r) ** 0.5, integrals(phi, m)[r])
    return {"mutant": Sides(left, mean_derivative_square(phi, m) ** 0.5)}


def _specs() -> SearchStrategy[Spec]:
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {"phi": st.sampled_from(ACTIVATIONS), "R": st.integers(1, 128), "r": st.integers(0, INTEGRATED - 1)}
    )


def _build(spec: Spec, trial: int = 0) -> Instance:
    (name, _, _) = need(spec, "phi", "R", "r")
    return Instance(spec, {}, activation(str(name)), trial)


def _on_data(X: Floats, spec: Spec, trial: int) -> Instance:
    """The statement is about phi alone, whatever the data."""
    return _build(spec, trial)


CLAIM = Claim(
    id="hermite-parseval",
    title="Hermite coefficients: Parseval and Stein",
    statement=r"\sum_r \mu_r^2 = E[\phi'(g)^2], \qquad \mu_1 = E[\phi''(g)]",
    source="Parseval's identity; Stein's identity",
    kind=Kind.IDENTITY,
    domain=Domain(
        "activations and numbers of terms",
        _specs,
        _build,
        _on_data,
        tuple({"phi": phi, "R": R, "r": r} for phi in ALL_ACTIVATIONS for R, r in ((8, 0), (64, 1))),
    ),
    variants=(
        Variant("bessel", r"\sum_{r<R} \mu_r^2 \le E[\phi'(g)^2]"),
        Variant("tail", r"E[\phi'(g)^2] - \sum_{r<R} \mu_r^2 \le (E[\phi''(g)^2] - \sum_{r<R} r \mu_r^2)/R"),
        Variant("stein", r"\mu_1 = E[\phi''(g)] + (\phi'(0+) - \phi'(0-))/\sqrt{2\pi}"),
        Variant("enclosures", r"two routes to \mu_r, r < 6, overlap"),
    ),
    sides=sides,
    mutants=(
        Mutant("variance", r"Var \phi'(g) in place of E[\phi'(g)^2]", _variance),
        Mutant("thousandth", r"1.001 \sum_r \mu_r^2 = E[\phi'(g)^2]", _thousandth),
        Mutant("skipped", r"the sum without \mu_1^2", _skipped),
        Mutant("no-jump", r"$\mu_1 = E[\phi''(g)]$ for a $\phi'$ that jumps", _no_jump),
        Mutant("normalisation", r"\mu_r with h_r of norm \sqrt{r!}", _normalisation),
    ),
    extremal=(
        # phi' of finite expansion, or nearly: nothing is left of the tail.
        {"phi": "quadratic", "R": 2, "r": 1},
        {"phi": "sin", "R": 40, "r": 2},
        {"phi": "gelu", "R": 60, "r": 3},
        # The jump is all that phi'' has; the tail decays like R^{-1/2}.
        {"phi": "relu", "R": 128, "r": 3},
        {"phi": "leaky_relu", "R": 1, "r": 0},
        {"phi": "arctan", "R": 128, "r": 4},
    ),
    floor=0.9,
    proof=(
        r"The $h_r$ are an orthonormal basis of $L^2$ of the Gaussian. $E[\phi''(g) h_{r-1}(g)] = \sqrt r \mu_r$ by "
        r"integration by parts (a jump of $\phi'$ adds its height times the density there), so $\sum_r r \mu_r^2 = "
        r"E[\phi''(g)^2]$ when $\phi'$ is Lipschitz, and what Parseval's sum has left from $R$ on is at most $1/R$ "
        "of what this one has."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
