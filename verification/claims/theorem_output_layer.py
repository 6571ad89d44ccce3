r"""theorem-output-layer: random features of width of order n determine every label (docs/theory.md section 6)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jacspec import bounds
from jacspec.covariance import covariance_spectrum
from jacspec.hermite import hermite_expansion
from jacspec.rounding import gamma
from verification.arithmetic import Arithmetic, Number
from verification.chance import least_parameter, probability
from verification.claim import FLOAT64, Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import initializations
from verification.instances import Instance, Spec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: Widths of fuzzed problems end here.
WIDEST = 4096
#: A problem's own chance of failure, where the spec gives none.
CHANCE = 0.3


@dataclass(frozen=True)
class Constants:
    """What the statement asks of X and phi, each rounded to the side that makes it weaker.

    Parameters
    ----------
    n : int
    lam, top : float
        A lower bound of lambdatilde(X), and an upper one of the largest eigenvalue.
    kept, square : float
        The part of lambdatilde that truncation leaves (all of it for bounded phi), and a bound of ``||phi(Xw)||^2``
        where the sum is truncated: n M^2, or T^2.
    """

    n: int
    lam: float
    top: float
    kept: float
    square: float

    @classmethod
    def of(cls, problem: Instance) -> Constants:
        """Of X and phi, once per problem."""

        def compute() -> Constants:
            X, phi = problem["X"], problem.activation
            Sigma = covariance_spectrum(X, phi, "output")
            n, lam, top = len(X), Sigma.smallest.lower, Sigma.largest.upper
            if math.isfinite(phi.sup.upper):
                return cls(n, lam, top, lam, n * phi.sup.upper**2)
            B1, X_norm = phi.B1.upper, FLOAT64.spectral_norm(X).upper
            mean_square = hermite_expansion(phi).mean_square.upper
            best = (-math.inf, math.inf)
            for t in B1 * X_norm * np.geomspace(0.5, 60.0, 200):
                T, loss = bounds.output_layer_truncation(float(t), B1, X_norm, mean_square, n)
                kept = lam - loss * (1 + 1e-12)
                if kept > 0 and (best[0] <= 0 or T**2 / kept < best[1] / best[0]):
                    best = (kept, T**2 * (1 + 1e-12))
            return cls(n, lam, top, *best)

        found: Constants = problem.once("theorem-output-layer", compute)
        return found


def log_failure(c: Constants, k: float) -> float:
    """Log of the claimed failure probability at width k."""
    return bounds.output_layer_log_failure(c.n, k, c.kept, c.square)


def failure(problem: Instance) -> Mapping[str, float | str]:
    """The claimed probability for phi as it is: bounded, or truncated."""
    c, k = Constants.of(problem), len(problem["v"])
    if c.kept <= 0:
        return {v.name: "truncation leaves nothing of lambdatilde(X)" for v in CLAIM.variants}
    p = probability(log_failure(c, k))
    if p >= 1:
        asked = least_parameter(lambda width: log_failure(c, width), 0.99)
        return {_form(problem): f"it asks for width k = {math.ceil(asked or 0):,} at least, and k is {k}"}
    return {_form(problem): p}


def _form(problem: Instance) -> str:
    return "bounded" if math.isfinite(problem.activation.sup.upper) else "truncated"


def smallest(instance: Instance, m: Arithmetic) -> Number:
    """``lambda_min(Phi Phi^T)``, Phi = phi(X W_0^T)."""
    X, W, phi = instance["X"], instance["W"], instance.activation
    Phi = m.evaluate(phi, "phi", m.matrix(X) @ m.matrix(W).T)
    (n, d), k = X.shape, len(W)
    # Pre-activations are off by gamma_d |x||w|, phi by B1 times that, and it is evaluated to 8 u (|phi(0)| + 2 B1 |z|).
    reach = np.linalg.norm(X, axis=1)[:, None] * np.linalg.norm(W, axis=1)
    entries = gamma(d + 12) * 1.001 * (abs(float(phi(np.zeros(1))[0])) + 2 * phi.B1.upper * reach)
    e = 0.0 if m.rounding(1, 1.0) == 0 else float(np.linalg.norm(entries))
    size = float(np.linalg.norm(np.asarray(Phi, dtype=np.float64))) * (1 + 1e-9)
    return m.eigenvalues(Phi @ Phi.T, 2 * size * e + e**2 + m.rounding(k + n + 4, size**2))[0]


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """``k lambdatilde / 2 <= lambda_min(Phi Phi^T)``, with what truncation keeps."""
    return _against(instance, m, Constants.of(instance.problem).kept)


def _against(instance: Instance, m: Arithmetic, lam: float) -> Mapping[str, Sides]:
    least = bounds.output_layer_lower(len(instance["W"]), m.number(lam))
    return {_form(instance.problem): Sides(least, smallest(instance, m))}


# -- false neighbours -----------------------------------------------------------------------------------------------


def _mutant(eigenvalue: Callable[[Constants], float]) -> Callable[[Instance, Arithmetic], Mapping[str, Sides]]:
    """The statement with another number in place of lambdatilde."""

    def mutated(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        (found,) = _against(instance, m, eigenvalue(Constants.of(instance.problem))).values()
        return {"mutant": found}

    return mutated


def _promised(problem: Instance) -> Mapping[str, float | str]:
    (p,) = failure(problem).values()
    return {"mutant": p}


def _without_log(problem: Instance) -> Mapping[str, float | str]:
    """As if k of order lambdatilde^-1 were enough: neither n nor log n."""
    c, k = Constants.of(problem), len(problem["v"])
    return {"mutant": probability(bounds.output_layer_log_failure(1, k, c.kept, 1.0))}


# -- the claim ------------------------------------------------------------------------------------------------------


def width(problem: Instance) -> int:
    """The width at which the statement promises the spec's "chance"."""
    c, chance = Constants.of(problem), float(problem.spec.get("chance", CHANCE))
    if c.kept <= 0:
        return 2
    least = least_parameter(lambda k: log_failure(c, k), chance)
    assert least is not None
    return 2 * math.ceil(0.5 * min(least * (1 + 1e-9), float(problem.spec.get("widest", WIDEST))))


def specs() -> SearchStrategy[Spec]:
    """Rows with lambdatilde(X) > 0, mostly."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {
            "n": st.integers(1, 5),
            "d": st.integers(3, 6),
            "rows": st.sampled_from(["sphere", "orthogonal", "parallel"]),
            "angle": st.sampled_from([1.0, 0.7]),
            "chance": st.sampled_from([0.3, 0.1]),
        }
    )


def _positive(problem: Instance) -> str | None:
    lam = Constants.of(problem.problem).lam
    return None if lam > 0 else "lambdatilde(X) is zero, or not told from it by float64: the statement is void"


CLAIM = Claim(
    id="theorem-output-layer",
    title="Random features of width of order n fit all labels",
    statement=(
        r"\lambda_{\min}(\Phi \Phi^\top) \ge k \tilde\lambda(X)/2 \text{ with probability at least } "
        r"1 - n e^{-0.1534\, k \tilde\lambda/(n M^2)},\ \Phi = \phi(X W_0^\top)"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674 (the comparison with random features)",
    kind=Kind.PROBABILITY,
    domain=initializations(
        ("erf", "tanh", "sigmoid", "gaussian", "sin", "relu", "softplus", "gelu"),
        specs,
        tuple({"phi": phi, "widest": 1 << 15} for phi in ("erf", "tanh", "relu")),
        width,
    ),
    variants=(
        Variant("bounded", r"|\phi| \le M:\ 1 - n e^{-0.1534\, k \tilde\lambda/(n M^2)}"),
        Variant(
            "truncated", r"k \tilde\lambda_T/2 \text{ with probability } 1 - n e^{-0.1534\, k \tilde\lambda_T/T^2}"
        ),
    ),
    sides=sides,
    failure=failure,
    assumptions=(Assumption(r"$\tilde\lambda(X) > 0$", _positive),),
    mutants=(
        Mutant(
            "mean", r"$k \tilde\lambda$, of the mean, without the factor $1/2$", _mutant(lambda c: 2 * c.lam), _promised
        ),
        Mutant("nineteen-twentieths", "$19/20$ in place of $1/2$", _mutant(lambda c: 1.9 * c.lam), _promised),
        Mutant(
            "largest-eigenvalue", r"the largest eigenvalue for $\tilde\lambda$", _mutant(lambda c: c.top), _promised
        ),
        Mutant(
            "without-n-log-n",
            r"$19/20$ in place of $1/2$, except with probability $\exp(-0.1534 k \tilde\lambda)$",
            _mutant(lambda c: 1.9 * c.lam),
            _without_log,
        ),
    ),
    extremal=(
        {"n": 4, "d": 4, "rows": "orthogonal", "phi": "erf", "chance": 0.1},
        {"n": 2, "d": 2, "rows": "parallel", "angle": 0.6, "phi": "tanh", "chance": 0.1},
        {"n": 2, "d": 3, "rows": "orthogonal", "phi": "relu", "chance": 0.3},
        # More features than the width theorem for the hidden layer could be checked at: k = 20 n log n or so.
        {"n": 12, "d": 12, "rows": "orthogonal", "phi": "sin", "chance": 0.1},
        {"n": 3, "d": 3, "rows": "repeated", "phi": "tanh"},
    ),
    proof=(
        r"Matrix Chernoff (Tropp) for the sum over units of $\phi(X w_l) \phi(X w_l)^\top$, of mean $k "
        r"\tilde\Sigma$ and norm at most $n M^2$. For unbounded $\phi$ the summands are cut off at $\|\phi(X w)\| "
        r"\le T$, which the full ones dominate; concentration of $\|\phi(X w)\|$ around its mean bounds what that "
        r"takes from $\tilde\Sigma$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
