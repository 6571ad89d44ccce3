r"""khatri-rao-spectrum: singular values of Khatri-Rao products and powers (docs/theory.md section 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from jacspec import bounds
from verification.arithmetic import Arithmetic, Matrix, Number
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import ROWS_AND_FACTOR
from verification.instances import Instance


def spectrum(A: Matrix, factors: int, m: Arithmetic) -> tuple[Number, Number]:
    """(norm, sigma_min) of a product of a number of factors: an entry has been rounded factors - 1 times."""
    return m.singular_values(A, m.rounding(factors, m.norm(A)) if factors > 1 else 0.0)


def power(instance: Instance, r: int, m: Arithmetic) -> tuple[Number, Number]:
    """(norm, sigma_min) of X^{*r}."""
    X = m.matrix(instance["X"])
    n, d = X.shape
    A = X
    for _ in range(r - 1):
        A = m.khatri_rao(A, X)
    norm, low = spectrum(A, r, m)
    # The rows are symmetric tensors: with more of them than there are monomials of degree r, sigma_min is zero.
    return norm, m.number(0.0) if n > math.comb(d + r - 1, r) else low


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """A = X and a general B; then powers of X, r and r + 1."""
    X, B = m.matrix(instance["X"]), m.matrix(instance["B"])
    r = int(instance.spec["r"])
    X_norm, X_low = m.singular_values(X)
    XB_norm, XB_low = spectrum(m.khatri_rao(X, B), 2, m)
    B_rows, X_rows = m.row_norms(B), m.row_norms(X)
    (norm, low), (next_norm, next_low) = power(instance, r, m), power(instance, r + 1, m)
    # Rows are unit up to rounding; the lemma with B = X carries the defect: X^{*(r+1)} = X^{*r} * X.
    shortest, longest = m.minimum(X_rows), m.maximum(X_rows)
    return {
        "lower": Sides(bounds.khatri_rao_lower(m.minimum(B_rows), X_low), XB_low),
        "upper": Sides(XB_norm, bounds.khatri_rao_upper(m.maximum(B_rows), X_norm)),
        "nondecreasing": Sides(bounds.khatri_rao_lower(shortest, low), next_low),
        "nonincreasing": Sides(next_norm, bounds.khatri_rao_upper(longest, norm)),
        "below-one": Sides(low, shortest**r),
        "above-one": Sides(longest**r, norm),
    }


def _max_row(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    X, B = m.matrix(instance["X"]), m.matrix(instance["B"])
    left = bounds.khatri_rao_lower(m.maximum(m.row_norms(B)), m.sigma_min(X))
    return {"mutant": Sides(left, spectrum(m.khatri_rao(X, B), 2, m)[1])}


def _min_row(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    X, B = m.matrix(instance["X"]), m.matrix(instance["B"])
    right = bounds.khatri_rao_upper(m.minimum(m.row_norms(B)), m.spectral_norm(X))
    return {"mutant": Sides(spectrum(m.khatri_rao(X, B), 2, m)[0], right)}


def _mean_row(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    X, B = m.matrix(instance["X"]), m.matrix(instance["B"])
    # Root mean square: ||B||_F / sqrt(n).
    right = bounds.khatri_rao_upper(m.norm(B) / m.number(len(B)) ** 0.5, m.spectral_norm(X))
    return {"mutant": Sides(spectrum(m.khatri_rao(X, B), 2, m)[0], right)}


def _as_if_unit(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    r = int(instance.spec["r"])
    return {"mutant": Sides(power(instance, r, m)[1], power(instance, r + 1, m)[1])}


def _twin(name: str) -> Mutant:
    def twin(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        side = sides(instance, m)[name]
        return {"mutant": Sides(side.left, side.right * 0.999)}

    return Mutant(f"{name}-twin", f"the larger side of '{name}' times 0.999", twin)


def _power_upward(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    r = int(instance.spec["r"])
    return {"mutant": Sides(power(instance, r + 1, m)[1], power(instance, r, m)[1])}


def _strict_growth(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    r = int(instance.spec["r"])
    return {"mutant": Sides(power(instance, r, m)[0], power(instance, r + 1, m)[0])}


CLAIM = Claim(
    id="khatri-rao-spectrum",
    title="Singular values of Khatri-Rao products and powers",
    statement=(
        r"\sigma_{\min}(A * B) \ge \min_i \|B_i\| \sigma_{\min}(A), \quad \|A * B\| \le \max_i \|B_i\| \|A\|; \quad "
        r"\text{for unit rows } \sigma_{\min}(X^{*r}) \le \sigma_{\min}(X^{*(r+1)}) \le 1 "
        r"\le \|X^{*(r+1)}\| \le \|X^{*r}\|"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674 (from Schur's bounds)",
    kind=Kind.UPPER,
    domain=ROWS_AND_FACTOR,
    variants=(
        Variant("lower", r"\min_i \|B_i\| \sigma_{\min}(X) \le \sigma_{\min}(X * B)"),
        Variant("upper", r"\|X * B\| \le \max_i \|B_i\| \|X\|"),
        Variant("nondecreasing", r"\min_i \|x_i\| \sigma_{\min}(X^{*r}) \le \sigma_{\min}(X^{*(r+1)})"),
        Variant("nonincreasing", r"\|X^{*(r+1)}\| \le \max_i \|x_i\| \|X^{*r}\|"),
        Variant("below-one", r"\sigma_{\min}(X^{*r}) \le \min_i \|x_i\|^r"),
        Variant("above-one", r"\max_i \|x_i\|^r \le \|X^{*r}\|"),
    ),
    sides=sides,
    mutants=(
        Mutant("max-row", r"\max_i \|B_i\| in the lower bound", _max_row),
        Mutant("min-row", r"\min_i \|B_i\| in the upper bound", _min_row),
        Mutant("mean-row", r"\|B\|_F / \sqrt n in the upper bound", _mean_row),
        Mutant("sigma-decreasing", r"\sigma_{\min}(X^{*(r+1)}) \le \sigma_{\min}(X^{*r})", _power_upward),
        Mutant(
            "as-if-unit", r"\sigma_{\min}(X^{*r}) \le \sigma_{\min}(X^{*(r+1)}) for rows shorter than 1", _as_if_unit
        ),
        Mutant("norm-increasing", r"\|X^{*r}\| \le \|X^{*(r+1)}\|", _strict_growth),
        *(_twin(name) for name in ("lower", "upper", "nondecreasing", "nonincreasing", "below-one", "above-one")),
    ),
    extremal=(
        # One row: every statement is an equality of norms. Orthonormal rows: so is every statement about powers.
        {"n": 1, "d": 3, "rows": "sphere", "angle": 0.1, "b": 2, "r": 1, "seed": 0},
        {"n": 3, "d": 3, "rows": "orthogonal", "angle": 0.1, "b": 2, "r": 2, "seed": 1},
        # Equal rows and d = 1: ||X^{*r}|| = sqrt(n) for every r, and sigma_min = 0 exactly.
        {"n": 4, "d": 2, "rows": "equal", "angle": 0.1, "b": 1, "r": 1, "seed": 2},
        {"n": 3, "d": 1, "rows": "line", "angle": 0.1, "b": 2, "r": 3, "seed": 3},
        # More rows than monomials: sigma_min = 0 by rank. A pair of rows at 1e-8: sigma_min = 1e-8.
        {"n": 5, "d": 2, "rows": "sphere", "angle": 0.1, "b": 2, "r": 2, "seed": 4},
        {"n": 3, "d": 3, "rows": "parallel", "angle": 1e-8, "b": 2, "r": 1, "seed": 5},
        # Shorter and longer rows, for which the statements about powers have a factor more.
        {"n": 3, "d": 3, "rows": "sphere", "b": 2, "r": 1, "lengths": 0.1, "seed": 6},
        {"n": 3, "d": 3, "rows": "sphere", "b": 2, "r": 2, "lengths": 5.0, "seed": 6},
    ),
    floor=0.7,
    proof=(
        r"$(A * B)(A * B)^\top = (AA^\top) \circ (BB^\top)$ and the Schur bounds with $Q = BB^\top$, $Q_{ii} = "
        r"\|B_i\|^2$. With $A = X^{*r}$, $B = X$ the powers are monotone; $e_i^\top A$ has norm $\|A_i\|$, which "
        r"lies between $\sigma_{\min}(A)$ and $\|A\|$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
