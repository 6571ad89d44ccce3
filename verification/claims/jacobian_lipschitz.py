r"""jacobian-lipschitz: how fast the Jacobian moves with the hidden weights (docs/theory.md section 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from jacspec import bounds
from verification.arithmetic import Arithmetic, Number
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import SMOOTH_ACTIVATIONS, networks
from verification.instances import Instance


def moved(instance: Instance, m: Arithmetic) -> Number:
    """``||J(W') - J(W)||``."""
    X, W, W2, v = (m.matrix(instance[name]) for name in ("X", "W", "W2", "v"))
    return m.jacobian_change(X, W, W2, v, instance.activation)


def constants(instance: Instance, m: Arithmetic) -> tuple[Number, Number, Number]:
    """B2 (rounded up: 60 digits see its last ulp), ||v||_inf, and max_i ||x_i||.

    The lemma for general rows has the factor max_i ||x_i||; here it is 1 up to rounding, which 60 digits see as well.
    """
    X = m.matrix(instance["X"])
    v_inf = m.number(float(np.max(np.abs(instance["v"]))))
    return m.number(instance.activation.B2.upper), v_inf, m.maximum(m.row_norms(X))


def distances(instance: Instance, m: Arithmetic) -> tuple[Number, Number, Number, Number]:
    """``||X||``, ``||W' - W||_F``, ``||W' - W||`` and ``||X (W' - W)^T||_F``."""
    X, W, W2 = (m.matrix(instance[name]) for name in ("X", "W", "W2"))
    D = W2 - W
    rounded = m.rounding(1, m.norm(D))  # each entry of W' - W
    # Each entry of X D^T: d terms, D rounded.
    product = m.rounding(X.shape[1] + 2, m.norm(X) * m.norm(D))
    return m.spectral_norm(X), m.norm(D, rounded), m.spectral_norm(D, rounded), m.norm(X @ D.T, product)


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Measured against claimed, paper and sharp."""
    left = moved(instance, m)
    B2, v_inf, x_max = constants(instance, m)
    X, D_F, D, XD_F = distances(instance, m)
    by_norm, by_rows = bounds.jacobian_lipschitz_sharp(B2, v_inf, X, D, XD_F)
    return {
        "paper": Sides(left, bounds.jacobian_lipschitz_paper(B2, v_inf, X, D_F) * x_max),
        "sharp": Sides(left, m.minimum([by_norm, by_rows]) * x_max),
    }


def _twin(name: str) -> Callable[[Instance, Arithmetic], Mapping[str, Sides]]:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        side = sides(instance, m)[name]
        return {"mutant": Sides(side.left, side.right * 0.999)}

    return mutant


def _without_X(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    B2, v_inf, _ = constants(instance, m)
    _, D_F, _, _ = distances(instance, m)
    return {"mutant": Sides(moved(instance, m), bounds.jacobian_lipschitz_paper(B2, v_inf, 1, D_F))}


def _sharp_without_X(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    B2, v_inf, _ = constants(instance, m)
    _, _, D, XD_F = distances(instance, m)
    return {"mutant": Sides(moved(instance, m), m.minimum(bounds.jacobian_lipschitz_sharp(B2, v_inf, 1, D, XD_F)))}


def _root_mean_square_v(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    B2, _, x_max = constants(instance, m)
    X, D_F, _, _ = distances(instance, m)
    v = m.norm(m.matrix(instance["v"])) / m.number(len(instance["v"])) ** 0.5
    return {"mutant": Sides(moved(instance, m), bounds.jacobian_lipschitz_paper(B2, v, X, D_F) * x_max)}


def _spectral(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    B2, v_inf, x_max = constants(instance, m)
    X, W, W2 = (m.matrix(instance[name]) for name in ("X", "W", "W2"))
    D = W2 - W
    moves = m.spectral_norm(X @ D.T, m.rounding(X.shape[1] + 2, m.norm(X) * m.norm(D)))
    return {"mutant": Sides(moved(instance, m), B2 * v_inf * moves * x_max)}


def _as_if_unit(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    B2, v_inf, _ = constants(instance, m)
    X, D_F, _, _ = distances(instance, m)
    return {"mutant": Sides(moved(instance, m), bounds.jacobian_lipschitz_paper(B2, v_inf, X, D_F))}


def _B1(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    _, v_inf, x_max = constants(instance, m)
    X, D_F, _, _ = distances(instance, m)
    B1 = m.number(instance.activation.B1.upper)
    return {"mutant": Sides(moved(instance, m), bounds.jacobian_lipschitz_paper(B1, v_inf, X, D_F) * x_max)}


#: Equal rows x, |phi''(0)| = B2, W = 0: unit 0 moved by a small step s along x gives ||J' - J|| = B2 |v_0| s ||X||
#: (1 - O(s^2)), and all the bounds agree.
_ATTAINED: dict[str, int | float | str] = {
    "phi": "gaussian", "k": 2, "v": "spike", "scale": 2.0, "spread": 0.0, "step": 1e-3, "move": "steepest"
}  # fmt: skip

CLAIM = Claim(
    id="jacobian-lipschitz",
    title="The Jacobian is Lipschitz in the hidden weights",
    statement=r"\|J(W') - J(W)\| \le B_2 \|v\|_\infty \|X\| \|W' - W\|_F",
    source="Oymak & Soltanolkotabi, arXiv 1902.04674",
    kind=Kind.UPPER,
    domain=networks(tuple(phi for phi in SMOOTH_ACTIVATIONS if phi != "linear")),
    variants=(
        Variant("paper", r"B_2 \|v\|_\infty \|X\| \|W' - W\|_F"),
        Variant("sharp", r"B_2 \|v\|_\infty \min(\|X\| \|W' - W\|, \|X (W' - W)^\top\|_F)"),
    ),
    sides=sides,
    mutants=(
        Mutant("paper-twin", "the paper's bound times 0.999", _twin("paper")),
        Mutant("sharp-twin", "the sharp bound times 0.999", _twin("sharp")),
        Mutant("without-X", r"B_2 \|v\|_\infty \|W' - W\|_F, without \|X\|", _without_X),
        Mutant("sharp-without-X", r"\min(\|W' - W\|, \|X (W' - W)^\top\|_F)", _sharp_without_X),
        Mutant("root-mean-square-v", r"\|v\|_2 / \sqrt k in place of \|v\|_\infty", _root_mean_square_v),
        Mutant("B1-for-B2", "$B_1$ in place of $B_2$", _B1),
        Mutant("spectral-norm-of-moves", r"\|X (W' - W)^\top\| in place of its Frobenius norm", _spectral),
        Mutant("as-if-unit", r"without \max_i \|x_i\|, for rows that are longer than 1", _as_if_unit),
    ),
    extremal=(
        {"n": 6, "d": 2, "rows": "equal", **_ATTAINED},
        {"n": 6, "d": 2, "rows": "equal", **_ATTAINED, "phi": "silu"},
        {"n": 6, "d": 3, "rows": "equal", **_ATTAINED, "phi": "softplus", "v": "balanced"},
        # Here the rounding of "unit" rows would decide: the bound is attained to 1e-17.
        {"n": 1, "d": 1, "rows": "line", **_ATTAINED, "step": 1e-9, "move": "one"},
        {"n": 5, "d": 3, "rows": "equal", **_ATTAINED, "phi": "gelu", "v": "ones", "step": 1e-9, "move": "one"},
        {"n": 4, "d": 2, "rows": "sphere", **_ATTAINED, "phi": "linear"},  # B2 = 0: nothing moves
        # phi'' of erf is largest at 1/sqrt(2), and odd: signs of W' - W that cancel in X (W' - W)^T do not in phi'.
        {
            "n": 2,
            "d": 2,
            "rows": "parallel",
            "phi": "erf",
            "k": 2,
            "v": "ones",
            "spread": 0.5**0.5,
            "step": 1e-3,
            "move": "signs",
        },
        # Longer rows, for which the bound has one factor more.
        {"n": 3, "d": 2, "rows": "equal", **_ATTAINED, "lengths": 3.0},
    ),
    floor=0.95,
    proof=(
        r"$J' - J = D * X$ with $D = (\phi'(XW'^\top) - \phi'(XW^\top)) \operatorname{diag}(v)$. By the Schur "
        r"bounds $\|D * X\|$ is at most $\max_i \|D_i\| \|X\|$ and at most $\|D\| \max_i \|x_i\|$, and $|\phi'(a) - "
        r"\phi'(b)| \le B_2 |a - b|$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
