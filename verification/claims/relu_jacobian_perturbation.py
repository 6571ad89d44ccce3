r"""relu-jacobian-perturbation: a ReLU network's Jacobian moves with the signs that flip (docs/theory.md section 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from jacspec import bounds
from jacspec.rounding import Estimate
from verification.arithmetic import Arithmetic, Float64, Matrix, Number
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import networks
from verification.instances import Instance


def moved(instance: Instance, m: Arithmetic) -> Number:
    """``||J(W') - J(W)||``."""
    X, W, W2, v = (m.matrix(instance[name]) for name in ("X", "W", "W2", "v"))
    return m.jacobian_change(X, W, W2, v, instance.activation)


def preactivations(instance: Instance, name: str, m: Arithmetic) -> tuple[Matrix, Matrix]:
    """``<x_i, w_l>`` (n, k) and the error of each entry."""
    Z = m.matrix(instance["X"]) @ m.matrix(instance[name]).T
    sizes = np.abs(instance["X"]) @ np.abs(instance[name]).T
    return Z, m.rounding(instance["X"].shape[1] + 1, 1.0) * sizes


def between(low: int, high: int, m: Arithmetic) -> Number:
    """A whole number known to lie between two."""
    return m.number(low) if low == high else Estimate.from_bounds(low, high, True)


def flips(instance: Instance, m: Arithmetic) -> list[Number]:
    """N_i(W, W'): the units whose sign at x_i differs (phi'(0) = 0 counts as negative)."""
    (Z, error), (Z2, error2) = (preactivations(instance, name, m) for name in ("W", "W2"))
    sure = (abs(Z) > error) | (error == 0), (abs(Z2) > error2) | (error2 == 0)
    known, flipped = sure[0] & sure[1], (Z > 0) != (Z2 > 0)
    low, high = np.sum(flipped & known, axis=1), np.sum(flipped | ~known, axis=1)
    return [between(int(a), int(b), m) for a, b in zip(low, high, strict=True)]


def allowed(instance: Instance, m: Arithmetic, shrink: float = 1.0, power: int = 2) -> list[Number]:
    """N_i(R) at R = ||W' - W||_F: the largest m such that the m smallest ``|<w_l, x_i>|^2`` sum to at most R^2.

    For rows that are not exactly unit it is R ||x_i||. Of two sums that are equal up to rounding, the larger counts.
    """
    X, W, W2 = (m.matrix(instance[name]) for name in ("X", "W", "W2"))
    D = W2 - W
    R = m.norm(D, m.rounding(1, m.norm(D))) * shrink
    Z, error = preactivations(instance, "W", m)
    counts = []
    for z, e, x_norm in zip(abs(Z), error, m.row_norms(X), strict=True):
        reach = (R * x_norm) ** power * m.number(1 + 1e-15)
        low = high = 0
        total: Number = m.number(0.0)
        for value in sorted((m.number(a, b) for a, b in zip(z, e, strict=True)), key=lambda a: m.split(a)[0]):
            total = total + abs(value) ** power
            (sum_, sum_radius), (top, top_radius) = m.split(total), m.split(reach)
            low += int(sum_ + sum_radius <= top - top_radius)
            high += int(sum_ - sum_radius <= top + top_radius)
        counts.append(between(low, high, m) if isinstance(m, Float64) else m.number(high))
    return counts


def constants(instance: Instance, m: Arithmetic) -> tuple[Number, Number]:
    """||v||_inf and ||X||."""
    return m.number(float(np.max(np.abs(instance["v"])))), m.spectral_norm(m.matrix(instance["X"]))


def tightest(N: list[Number], N_R: list[Number], m: Arithmetic) -> Sides:
    """The row where N_i comes nearest to N_i(R), or exceeds it by most."""
    worst = max(range(len(N)), key=lambda i: (m.split(N[i])[0] - m.split(N_R[i])[0], m.split(N[i])[0]))
    return Sides(N[worst], N_R[worst])


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The bound by the flips, the flips by R, and both together."""
    left, N, N_R = moved(instance, m), flips(instance, m), allowed(instance, m)
    v_inf, X = constants(instance, m)
    return {
        "flips": Sides(left, bounds.relu_jacobian_perturbation(v_inf, X, m.maximum(N))),
        "count": tightest(N, N_R, m),
        "radius": Sides(left, bounds.relu_jacobian_perturbation(v_inf, X, m.maximum(N_R))),
    }


def _twin(name: str) -> Callable[[Instance, Arithmetic], Mapping[str, Sides]]:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        side = sides(instance, m)[name]
        return {"mutant": Sides(side.left, side.right * 0.999)}

    return mutant


def _mean_flips(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    N = flips(instance, m)
    v_inf, X = constants(instance, m)
    right = bounds.relu_jacobian_perturbation(v_inf, X, sum(N[1:], N[0]) / len(N))
    return {"mutant": Sides(moved(instance, m), right)}


def _without_X(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    v_inf, _ = constants(instance, m)
    right = bounds.relu_jacobian_perturbation(v_inf, m.number(1.0), m.maximum(flips(instance, m)))
    return {"mutant": Sides(moved(instance, m), right)}


def _smaller_ball(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    return {"mutant": tightest(flips(instance, m), allowed(instance, m, shrink=0.999), m)}


def _sum_of_moduli(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    return {"mutant": tightest(flips(instance, m), allowed(instance, m, power=1), m)}


_FLIP: dict[str, int | float | str] = {"phi": "relu", "k": 4, "v": "ones", "scale": 2.0, "step": 1e-4, "move": "flip"}

CLAIM = Claim(
    id="relu-jacobian-perturbation",
    title="The Jacobian of a ReLU network moves with the units that change sign",
    statement=(
        r"\|J(W') - J(W)\| \le \|v\|_\infty \|X\| \sqrt{\max_i N_i(W, W')}, \quad "
        r"\|W' - W\|_F \le R \Rightarrow N_i(W, W') \le N_i(R)"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674; explicit form: jacspec",
    kind=Kind.UPPER,
    domain=networks(("relu",), moves=("all", "one", "rank1", "flip")),
    variants=(
        Variant("flips", r"\|J(W') - J(W)\| \le \|v\|_\infty \|X\| \sqrt{\max_i N_i(W, W')}"),
        Variant("count", r"N_i(W, W') \le N_i(\|W' - W\|_F) \text{ for every } i"),
        Variant("radius", r"\|J(W') - J(W)\| \le \|v\|_\infty \|X\| \sqrt{\max_i N_i(\|W' - W\|_F)}"),
    ),
    sides=sides,
    mutants=(
        Mutant("flips-twin", "the bound by the flips times 0.999", _twin("flips")),
        Mutant("radius-twin", "the bound by $R$ times 0.999", _twin("radius")),
        Mutant("mean-flips", "the mean of $N_i$ in place of the maximum", _mean_flips),
        Mutant("without-X", r"\|v\|_\infty \sqrt{\max_i N_i}", _without_X),
        Mutant("smaller-ball", "$N_i(0.999 R)$ in place of $N_i(R)$", _smaller_ball),
        Mutant("sum-of-moduli", r"the $m$ smallest $|\langle w_l, x_i \rangle|$ sum to at most $R$", _sum_of_moduli),
    ),
    extremal=(
        # Equal rows: every unit flips at every row, D = 1 (+-v)^T, so ||D * X|| = ||v||_inf sqrt(k) ||X||. The units
        # move just past their sign change, so N_i(R) = k has no room either.
        {"n": 4, "d": 3, "rows": "equal", **_FLIP, "v": "balanced", "seed": 0},
        {"n": 3, "d": 2, "rows": "equal", **_FLIP, "k": 6, "step": 1e-6, "seed": 1},
        {"n": 1, "d": 1, "rows": "line", **_FLIP, "k": 2, "v": "spike", "seed": 2},
        # All flips at row 0 only: the other rows are orthogonal to it.
        {"n": 3, "d": 3, "rows": "orthogonal", **_FLIP, "seed": 3},
        # Pre-activations exactly at the kink.
        {"n": 3, "d": 2, "rows": "antipodal", **_FLIP, "spread": 0.0, "step": 0.1, "move": "all", "seed": 4},
    ),
    floor=0.75,
    proof=(
        r"$J' - J = D * X$ where $D_{il}$ is 0 or $\pm v_l$, the latter for the $N_i$ units that flip at $x_i$; by "
        r"the Schur bounds $\|D * X\| \le \max_i \|D_i\| \|X\|$. A unit flips at $x_i$ only if $|\langle w_l, x_i "
        r"\rangle| \le |\langle w'_l - w_l, x_i \rangle| \le \|w'_l - w_l\|$, and the squares of these sum to at "
        "most $R^2$ over the flipped units, hence over the smallest."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
