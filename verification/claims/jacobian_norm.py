r"""jacobian-norm: the Jacobian is bounded, for all hidden weights (docs/theory.md section 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from jacspec import bounds
from verification.arithmetic import Arithmetic, Matrix, Number
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import ALL_ACTIVATIONS, networks
from verification.instances import Instance


def jacobian(instance: Instance, m: Arithmetic) -> tuple[Matrix, float]:
    """J(W) and its error in Frobenius norm."""
    X, W, v = (m.matrix(instance[name]) for name in ("X", "W", "v"))
    return m.jacobian(X, W, v, instance.activation), m.jacobian_radius(X, W, v, instance.activation)


def constants(instance: Instance, m: Arithmetic) -> tuple[Number, Number, Number, Number, Number]:
    """B1 (rounded up: 60 digits see its last ulp), ||v||_inf, ||v||_2, k as a number, ||X||."""
    v = instance["v"]
    B1, v_inf, k = instance.activation.B1.upper, float(np.max(np.abs(v))), float(len(v))
    return m.number(B1), m.number(v_inf), m.norm(m.matrix(v)), m.number(k), m.spectral_norm(m.matrix(instance["X"]))


def row(instance: Instance, m: Arithmetic) -> tuple[Number, Number]:
    """max_i ||J_i|| and max_i ||x_i||, which is 1 up to rounding."""
    J, error = jacobian(instance, m)
    longest = m.maximum(m.row_norms(m.matrix(instance["X"])))
    return m.maximum([m.norm(J_i, error) for J_i in J]), longest


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The whole Jacobian, by the paper's and by the sharp bound, and its longest row."""
    norm = m.spectral_norm(*jacobian(instance, m))
    B1, v_inf, v_norm, k, X_norm = constants(instance, m)
    J_i, x_i = row(instance, m)
    return {
        "paper": Sides(norm, bounds.jacobian_norm_paper(B1, v_inf, k, X_norm)),
        "sharp": Sides(norm, bounds.jacobian_norm_sharp(B1, v_norm, X_norm)),
        "rows": Sides(J_i, bounds.jacobian_norm_sharp(B1, v_norm, x_i)),
    }


def _bounded_by(right: Callable[..., Number]) -> Callable[[Instance, Arithmetic], Mapping[str, Sides]]:
    """Sides that bound ||J|| by a function of (B1, v_inf, v_norm, k, X_norm)."""

    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        return {"mutant": Sides(m.spectral_norm(*jacobian(instance, m)), right(*constants(instance, m)))}

    return mutant


def _rows_twin(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    rows = sides(instance, m)["rows"]
    return {"mutant": Sides(rows.left, rows.right * 0.999)}


CLAIM = Claim(
    id="jacobian-norm",
    title="The Jacobian is bounded",
    statement=r"\|J(W)\| \le B_1 \|v\|_2 \|X\| \le B_1 \|v\|_\infty \sqrt k \|X\|, \quad \|J_i(W)\| \le B_1 \|v\|_2",
    source="Oymak & Soltanolkotabi, arXiv 1902.04674; sharp form: jacspec",
    kind=Kind.UPPER,
    # B1 is finite for all but the quadratic. A linear phi has equality for every W, and W = 0 for many another phi: no
    # precision decides these, and they are left to `extremal`.
    domain=networks(
        tuple(phi for phi in ALL_ACTIVATIONS if phi not in ("quadratic", "linear")),
        spreads=(1.0, 1e-2, 0.1, 3.0, 10.0, 1e3),
    ),
    variants=(
        Variant("paper", r"\|J(W)\| \le B_1 \|v\|_\infty \sqrt k \|X\|"),
        Variant("sharp", r"\|J(W)\| \le B_1 \|v\|_2 \|X\|"),
        Variant("rows", r"\max_i \|J_i(W)\| \le B_1 \|v\|_2 \max_i \|x_i\|"),
    ),
    sides=sides,
    mutants=(
        Mutant(
            "paper-twin",
            "the paper's bound times 0.999",
            _bounded_by(lambda B1, v_inf, v, k, X: bounds.jacobian_norm_paper(B1, v_inf, k, X) * 0.999),
        ),
        Mutant(
            "sharp-twin",
            "the sharp bound times 0.999",
            _bounded_by(lambda B1, v_inf, v, k, X: bounds.jacobian_norm_sharp(B1, v, X) * 0.999),
        ),
        Mutant("rows-twin", "the bound of a row times 0.999", _rows_twin),
        Mutant(
            "without-sqrt-k",
            r"B_1 \|v\|_\infty \|X\|",
            _bounded_by(lambda B1, v_inf, v, k, X: bounds.jacobian_norm_sharp(B1, v_inf, X)),
        ),
        Mutant(
            "without-X",
            r"B_1 \|v\|_2, the bound of a row",
            _bounded_by(lambda B1, v_inf, v, k, X: bounds.jacobian_norm_sharp(B1, v, 1)),
        ),
    ),
    extremal=(
        # phi' = B1 at 0, so W = 0 gives J = (B1 1 v^T) * X, of norm B1 ||v|| ||X||; with balanced v also the paper's.
        {"n": 5, "d": 3, "rows": "sphere", "phi": "tanh", "k": 4, "v": "balanced", "spread": 0.0, "seed": 0},
        # Nearly there: phi' = B1 - O(1e-6), strictly decided.
        {
            "n": 5,
            "d": 3,
            "rows": "sphere",
            "phi": "erf",
            "k": 4,
            "v": "balanced",
            "scale": 4.0,
            "spread": 1e-3,
            "seed": 1,
        },
        {"n": 4, "d": 2, "rows": "equal", "phi": "sin", "k": 6, "v": "ones", "spread": 1e-3, "seed": 2},
        {"n": 1, "d": 1, "rows": "line", "phi": "linear", "k": 2, "v": "spike", "seed": 3},
        {"n": 3, "d": 2, "rows": "sphere", "phi": "relu", "k": 2, "v": "gaussian", "spread": 0.0, "seed": 4},
    ),
    floor=0.8,
    proof=(
        r"$JJ^\top = \sum_l v_l^2 D_l XX^\top D_l$ with $D_l = \operatorname{diag}(\phi'(X w_l))$, and $\|D_l\| \le "
        "B_1$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
