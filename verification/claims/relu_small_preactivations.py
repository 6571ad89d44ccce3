r"""relu-small-preactivations: few units are near their kink, so few can change sign (docs/theory.md section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jacspec import bounds
from jacspec.bounds.initialization import RELU_FLIPS
from verification.arithmetic import Arithmetic, Matrix, Number
from verification.chance import least_parameter, probability
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import initializations
from verification.instances import Instance, Spec
from verification.promises import together

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def threshold(problem: Instance, n: int | None = None) -> tuple[float, float]:
    """(t, failure probability): the least t for the spec's "chance"."""
    rows, k = n or len(problem["X"]), len(problem["v"])

    def log_failure(t: float) -> float:
        return bounds.relu_small_log_failure(rows, k, t)

    def compute() -> tuple[float, float]:
        t = least_parameter(log_failure, float(problem.spec.get("chance", 0.1)))
        assert t is not None
        return t, probability(log_failure(t))

    found: tuple[float, float] = problem.once(f"relu-small-preactivations: t for {rows} rows", compute)
    return found


def radius(problem: Instance) -> tuple[float, float]:
    """(R, failure probability): the least R for the spec's "chance", at the best t."""
    n, k = len(problem["X"]), len(problem["v"])

    def log_failure(R: float) -> float:
        return bounds.relu_flips_log_failure(n, k, R)

    def compute() -> tuple[float, float]:
        R = least_parameter(log_failure, float(problem.spec.get("chance", 0.1)))
        assert R is not None
        return R, probability(log_failure(R))

    found: tuple[float, float] = problem.once("relu-small-preactivations: R", compute)
    return found


def failure(problem: Instance) -> Mapping[str, float]:
    """Of the count at t, after which the flips within any R obey their bound; for the best t a formula in k and R."""
    return {"count": threshold(problem)[1], "flips": threshold(problem)[1], "flips, best t": radius(problem)[1]}


@dataclass(frozen=True)
class Preactivations:
    """``|X W_0^T|`` and the largest error of an entry."""

    m: Arithmetic
    Z: Matrix
    error: float

    @classmethod
    def of(cls, instance: Instance, m: Arithmetic) -> Preactivations:
        """Of one draw."""
        X, W = m.matrix(instance["X"]), m.matrix(instance["W"])
        reach = float(np.max(np.linalg.norm(instance["W"], axis=1)) * np.max(np.linalg.norm(instance["X"], axis=1)))
        return cls(m, np.abs(X @ W.T), m.rounding(X.shape[1] + 2, reach * (1 + 1e-9)))

    def count(self, t: float) -> Number:
        """``max_i #{l : |<w_l, x_i>| <= t}``."""
        return self._between(self.Z + self.error <= t, self.Z - self.error <= t)

    def flips(self, R: float) -> Number:
        """``max_i sup N_i(W_0, W)`` over ||W - W_0||_F <= R: the most units whose squares sum to R^2 or less."""
        distances, square = np.sort(self.Z, axis=1), self.m.matrix(np.array([R]))[0] ** 2
        share = self.m.rounding(self.Z.shape[1] + 4, 4.0)  # of the sums and of R^2

        def within(e: float, factor: float) -> Matrix:
            sums = np.cumsum(np.maximum(distances + e, 0 * distances) ** 2, axis=1)
            return np.asarray(sums * factor <= square)

        return self._between(within(self.error, 1 + share), within(-self.error, 1 - share))

    def _between(self, sure: Matrix, possible: Matrix) -> Number:
        """The largest count along a row, known to lie between the sure and the possible ones."""
        least, most = (int(np.max(np.sum(found, axis=1))) for found in (sure, possible))
        return self.m.number(0.5 * (least + most), 0.5 * (most - least))


#: The statement is about every R with one t: a smaller one than t is the best for, and one where R^2/t^2 matters.
_SHARES = (0.5, 3.0)


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Counts against their bounds, for a t and an R fixed before W_0."""
    problem, k = instance.problem, m.number(float(len(instance["v"])))
    t, R = threshold(problem)[0], radius(problem)[0]
    found = Preactivations.of(instance, m)
    return {
        "count": Sides(found.count(t), bounds.relu_small(k, m.number(t))),
        "flips": _flips(instance, m, lambda r: bounds.relu_flips_within(k, m.number(t), m.number(r))),
        "flips, best t": Sides(found.flips(R), bounds.relu_flips(k, m.number(R))),
    }


def _flips(instance: Instance, m: Arithmetic, bound: Callable[[float], Number]) -> Sides:
    """The flips within each of several radii, all of which the same draw must obey."""
    found, R = Preactivations.of(instance, m), radius(instance.problem)[0]
    return together(m, [Sides(found.flips(share * R), bound(share * R)) for share in _SHARES])


# -- false neighbours -----------------------------------------------------------------------------------------------


def _mean_count(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    k, t = m.number(float(len(instance["v"]))), threshold(instance.problem)[0]
    return {"mutant": Sides(Preactivations.of(instance, m).count(t), bounds.relu_small(k, m.number(t)) * 0.5)}


def _one_row(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    k, t = m.number(float(len(instance["v"]))), threshold(instance.problem, 1)[0]
    return {"mutant": Sides(Preactivations.of(instance, m).count(t), bounds.relu_small(k, m.number(t)))}


def _half_flips(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    k, R = m.number(float(len(instance["v"]))), radius(instance.problem)[0]
    return {"mutant": Sides(Preactivations.of(instance, m).flips(R), bounds.relu_flips(k, m.number(R)) * 0.5)}


def _square_root(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    k, R = len(instance["v"]), radius(instance.problem)[0]
    right = m.number(RELU_FLIPS) * m.number(k * R) ** 0.5
    return {"mutant": Sides(Preactivations.of(instance, m).flips(R), right)}


def _nothing_moves(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    k, t = m.number(float(len(instance["v"]))), threshold(instance.problem)[0]
    return {"mutant": _flips(instance, m, lambda r: bounds.relu_small(k, m.number(t)))}


def _failure(of: Callable[[Instance], float]) -> Callable[[Instance], Mapping[str, float]]:
    return lambda problem: {"mutant": of(problem)}


# -- the claim ------------------------------------------------------------------------------------------------------


def specs() -> SearchStrategy[Spec]:
    """Widths beyond the bounds themselves, which count hidden units and hold trivially for fewer."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {
            "n": st.integers(1, 10),
            "d": st.integers(1, 6),
            "rows": st.sampled_from(["sphere", "orthogonal", "clusters", "antipodal", "repeated", "equal", "line"]),
            "angle": st.sampled_from([0.5, 0.1, 1e-4]),
            "k": st.sampled_from([128, 64, 512]),
            "chance": st.sampled_from([0.1, 0.5, 0.03]),
        }
    )


CLAIM = Claim(
    id="relu-small-preactivations",
    title="Few hidden units are near the kink of ReLU",
    statement=(
        r"\#\{l : |\langle w_l, x_i\rangle| \le t\} \le 2 k t \sqrt{2/\pi} \text{ for all } i"
        r"\text{ with probability at least } 1 - n e^{-k t \sqrt{2/\pi}/3}"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674, with constants",
    kind=Kind.PROBABILITY,
    domain=initializations(("relu",), specs, tuple({"k": k, "phi": "relu", "chance": 0.3} for k in (128, 1024))),
    variants=(
        Variant("count", r"2 k t \sqrt{2/\pi}"),
        Variant("flips", r"\sup_{\|W - W_0\|_F \le R} N_i(W_0, W) \le 2 k t \sqrt{2/\pi} + R^2/t^2"),
        Variant("flips, best t", r"\sup_{\|W - W_0\|_F \le R} N_i(W_0, W) \le 3 (2/\pi)^{1/3} (k R)^{2/3}"),
    ),
    sides=sides,
    failure=failure,
    mutants=(
        Mutant(
            "mean-count", r"$k t \sqrt{2/\pi}$, the mean of the count", _mean_count, _failure(lambda p: threshold(p)[1])
        ),
        Mutant(
            "one-row", "one row's failure probability for all $n$", _one_row, _failure(lambda p: threshold(p, 1)[1])
        ),
        Mutant("nothing-moves", "flips without $R^2/t^2$", _nothing_moves, _failure(lambda p: threshold(p)[1])),
        Mutant("half-flips", "half of the bound at the best $t$", _half_flips, _failure(lambda p: radius(p)[1])),
        Mutant(
            "square-root", "$(k R)^{1/2}$ in place of $(k R)^{2/3}$", _square_root, _failure(lambda p: radius(p)[1])
        ),
    ),
    extremal=(
        # Many rows in many directions: their counts are nearly independent, and the union bound is needed.
        {"n": 32, "d": 5, "rows": "sphere", "phi": "relu", "k": 64, "chance": 0.5},
        {"n": 10, "d": 10, "rows": "orthogonal", "phi": "relu", "k": 256, "chance": 0.1},
        # Fewer units than the bound counts.
        {"n": 1, "d": 1, "rows": "line", "phi": "relu", "k": 2, "chance": 0.5},
    ),
    proof=(
        r"$P(|g| \le t) \le t \sqrt{2/\pi}$, so each count is stochastically at most binomial with mean $k t "
        r"\sqrt{2/\pi}$: Chernoff at twice the mean, and a union bound over the rows. A unit farther than $t$ from "
        "its kink needs a move of more than $t$ to change sign, and at most $R^2/t^2$ units move so far; $t^3 = "
        r"R^2/(k \sqrt{2/\pi})$ is best. That $t$ depends on $k$ and $R$ alone, so $R$ must be fixed before $W_0$ "
        "is drawn."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
