r"""jacobian-lipschitz-optimal: the Jacobian's best Lipschitz constant, ||X||_{2->4}^2 (docs/theory.md section 2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jacspec import bounds
from verification.arithmetic import Arithmetic, Multiprecision, Number
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import SMOOTH_ACTIVATIONS, networks
from verification.instances import Floats, Instance, steepest_direction

_PRECISE = Multiprecision(60)


# -- Lambda = ||X||_{2->4}^2 ----------------------------------------------------------------------------------------


def plane_maximum(X: Floats) -> Any:
    r"""``max_{||w||=1} (sum_i <x_i, w>^4)^{1/2}`` for d = 2, in 60 digits with a certificate; None without one.

    With ``x_i = r_i (cos a_i, sin a_i)``, w at the angle t and ``u = t - a_i``, ``<x_i, w>^4 = r_i^4 cos^4 u`` is
    ``r_i^4 (3 + 4 cos 2u + cos 4u) / 8``. So the sum is ``p(s) = c_0 + Re(q_1 e^{is} + q_2 e^{2is})`` with s = 2t. At
    a critical point s*, turn to ``s - s*``: then
    ``p(s*) - p = (1 - cos s)(Re q_1 + 2 Re q_2 (1 + cos s) - 2 Im q_2 sin s)``, and s* is the maximum over all s if and
    only if ``Re q_1 + 2 Re q_2 >= 2 |q_2|``.
    """
    from mpmath import expj, mpc, mpf, sqrt

    with _PRECISE.working():
        powers = [mpc(a, b) for a, b in X]  # r e^{ia}
        c0 = sum((abs(z) ** 4 for z in powers), mpf(0)) * 3 / 8
        # e^{2i(t-a)} with weight r^4: conj(z)^2 |z|^2; and with 4 in place of 2: conj(z)^4.
        q1 = sum((z.conjugate() ** 2 * abs(z) ** 2 for z in powers), mpc(0)) / 2
        q2 = sum((z.conjugate() ** 4 for z in powers), mpc(0)) / 8

        # Newton's method for p' = 0 from the best point of a grid; the certificate says whether it was the right one.
        grid = np.linspace(0, 2 * math.pi, 257)
        s = mpf(float(grid[np.argmax((complex(q1) * np.exp(1j * grid) + complex(q2) * np.exp(2j * grid)).real)]))
        tolerance = c0 * mpf(10) ** -40
        for _ in range(10):
            one, two = q1 * expj(s), q2 * expj(2 * s)
            slope, curvature = -(one + 2 * two).imag, -(one + 4 * two).real
            if abs(slope) <= tolerance:
                certified = one.real + 2 * two.real >= 2 * abs(two) - tolerance
                return sqrt(c0 + one.real + two.real) if certified else None
            if curvature == 0:
                return None
            s -= slope / curvature
        return None


def known(instance: Instance, m: Arithmetic) -> Number | None:
    """Lambda where it is known: d <= 2; one row, parallel rows or orthonormal rows, where it is ||X*X||."""
    X = instance["X"]
    n, d = X.shape
    if d == 2:
        found = instance.once("plane_maximum", lambda: plane_maximum(X))
        return None if found is None else m.number(found, 2e-16 * float(found))
    rows = instance.spec.get("rows")
    if d == 1 or n == 1 or rows in ("equal", "line") or (rows == "orthogonal" and n <= d):
        return khatri_rao_norm(instance, m)
    return None


def khatri_rao_norm(instance: Instance, m: Arithmetic) -> Number:
    """``||X*X||``: each entry of X*X is rounded once."""
    X = m.matrix(instance["X"])
    XX = m.khatri_rao(X, X)
    return m.spectral_norm(XX, m.rounding(1, m.norm(XX)))


def centred_parts(instance: Instance, m: Arithmetic) -> tuple[Number, int, Number]:
    """(n, d, ``||(XX^T)^{o2} - ss^T/d||``): s_i = ||x_i||^2 is 1 up to rounding, and sum_i s_i^2 stands for n."""
    X = m.matrix(instance["X"])
    d = X.shape[1]
    G = X @ X.T
    s = np.diag(G)
    # (XX^T)_ij is off by gamma_d |X||X|^T, its square by gamma_{2d+1}; ss^T/d and the difference add no more than that
    # and three roundings.
    size = np.abs(instance["X"]) @ np.abs(instance["X"]).T
    error = m.rounding(2 * (2 * d + 5), float(np.linalg.norm(size**2)))
    return m.norm(s, m.rounding(d + 1, m.norm(s))) ** 2, d, m.spectral_norm(G * G - np.outer(s, s) / d, error)


def attained(instance: Instance, w: Floats, m: Arithmetic) -> Number:
    """``(sum_i <x_i, w>^4)^{1/2} / ||w||^2``, at most Lambda."""
    X, w_m = m.matrix(instance["X"]), m.matrix(w)
    # Inner products are off by gamma_d ||x_i|| ||w||, their squares by twice that; the norm bounds the sum of fourths.
    squares = (X @ w_m) ** 2
    error = m.rounding(2 * len(w) + 2, float(np.sum(instance["X"] ** 2)) * float(w @ w))
    return m.norm(squares, error) / m.norm(w_m) ** 2


# -- the statement --------------------------------------------------------------------------------------------------


def change(instance: Instance, m: Arithmetic) -> tuple[Number, Number, Number, Number]:
    """``||J(W') - J(W)||``, B2 (rounded up: 60 digits see its last ulp), ``||v||_inf`` and ``||W' - W||_F``."""
    X, W, W2, v = (m.matrix(instance[name]) for name in ("X", "W", "W2", "v"))
    D, phi = W2 - W, instance.activation
    v_inf = m.number(float(np.max(np.abs(instance["v"]))))
    return m.jacobian_change(X, W, W2, v, phi), m.number(phi.B2.upper), v_inf, m.norm(D, m.rounding(1, m.norm(D)))


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """With Lambda itself where it is known, and with its two computable bounds."""
    left, B2, v_inf, D = change(instance, m)
    square, centred = khatri_rao_norm(instance, m), bounds.two_to_four_centred(*centred_parts(instance, m))
    found = {
        "khatri-rao": Sides(left, bounds.jacobian_lipschitz_optimal(B2, v_inf, square, D)),
        "centred": Sides(left, bounds.jacobian_lipschitz_optimal(B2, v_inf, centred, D)),
        "upper-bounds": Sides(attained(instance, steepest_direction(instance["X"]), m), m.minimum([square, centred])),
    }
    exact = known(instance, m)
    if exact is None:
        return found
    return {**found, "lambda": Sides(left, bounds.jacobian_lipschitz_optimal(B2, v_inf, exact, D))}


# -- false neighbours -----------------------------------------------------------------------------------------------

Mutated = Callable[[Instance, Arithmetic], Mapping[str, Sides]]


def _twin(name: str) -> Mutated:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        side = sides(instance, m).get(name)
        return {} if side is None else {"mutant": Sides(side.left, side.right * 0.999)}

    return mutant


def _with(two_to_four: Callable[[Instance, Arithmetic], Number | None]) -> Mutated:
    """The statement with something else for Lambda."""

    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        left, B2, v_inf, D = change(instance, m)
        value = two_to_four(instance, m)
        return {} if value is None else {"mutant": Sides(left, bounds.jacobian_lipschitz_optimal(B2, v_inf, value, D))}

    return mutant


def _root(instance: Instance, m: Arithmetic) -> Number | None:
    exact = known(instance, m)
    return None if exact is None else exact**0.5


def _rows_only(instance: Instance, m: Arithmetic) -> Number:
    return m.maximum([attained(instance, x, m) for x in instance["X"]])


def _without_mean(instance: Instance, m: Arithmetic) -> Number:
    _, d, norm = centred_parts(instance, m)
    return bounds.two_to_four_centred(m.number(0.0), d, norm)


def _without_spread(instance: Instance, m: Arithmetic) -> Number:
    n, d, _ = centred_parts(instance, m)
    return bounds.two_to_four_centred(n, d, m.number(0.0))


def _one_dimension_more(instance: Instance, m: Arithmetic) -> Number:
    n, d, norm = centred_parts(instance, m)
    return bounds.two_to_four_centred(n, d + 1, norm)


def _mean_v(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    left, B2, _, D = change(instance, m)
    v = m.number(float(np.mean(np.abs(instance["v"]))))
    return {"mutant": Sides(left, bounds.jacobian_lipschitz_optimal(B2, v, khatri_rao_norm(instance, m), D))}


def _spectral(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    left, B2, v_inf, _ = change(instance, m)
    exact = known(instance, m)
    D = m.matrix(instance["W2"]) - m.matrix(instance["W"])
    if exact is None:
        return {}
    distance = m.spectral_norm(D, m.rounding(1, m.norm(D)))
    return {"mutant": Sides(left, bounds.jacobian_lipschitz_optimal(B2, v_inf, exact, distance))}


#: W = 0 where |phi''(0)| = B2, and unit 0 moved by a small step s along the maximiser w of Lambda: with U = w in that
#: unit and zero elsewhere, (J' - J) vec(U) = B2 v_0 s (<x_i, w>^2)_i (1 - O(s^2)), whose norm is B2 |v_0| s Lambda.
_ATTAINED: dict[str, int | float | str] = {
    "phi": "gaussian", "k": 2, "v": "balanced", "scale": 2.0, "spread": 0.0, "step": 1e-3, "move": "steepest"
}  # fmt: skip

CLAIM = Claim(
    id="jacobian-lipschitz-optimal",
    title="The best Lipschitz constant of the Jacobian",
    statement=(
        r"\|J(W') - J(W)\| \le B_2 \|v\|_\infty \Lambda \|W' - W\|_F, \quad "
        r"\Lambda = \|X\|_{2 \to 4}^2 = \max_{\|w\| = 1} \Big(\sum_i \langle x_i, w \rangle^4\Big)^{1/2}"
    ),
    source="jacspec; docs/theory.md section 2; sharpens Oymak & Soltanolkotabi, arXiv 1902.04674",
    kind=Kind.UPPER,
    # Lambda is known for d = 2, which is drawn more often. For n <= 2, parallel or orthonormal rows its bounds are
    # equalities, left to `extremal`. In half of the draws W' - W is the worst one for some W.
    domain=networks(
        tuple(phi for phi in SMOOTH_ACTIVATIONS if phi != "linear"),  # B2 = 0: nothing moves
        min_n=3,
        kinds=("sphere", "sphere", "clusters", "parallel", "antipodal", "repeated"),
        dimensions=(2, 2, 2, 2, 2, 3, 2, 2, 2, 5),
        moves=("all", "one", "steepest", "steepest"),
    ),
    variants=(
        Variant("lambda", r"B_2 \|v\|_\infty \Lambda \|W' - W\|_F \text{, where } \Lambda \text{ is known}"),
        Variant("khatri-rao", r"B_2 \|v\|_\infty \|X * X\| \|W' - W\|_F"),
        Variant(
            "centred",
            r"B_2 \|v\|_\infty (\sqrt n/d + \sqrt{1 - 1/d} \|(XX^\top)^{\circ 2} - 11^\top/d\|^{1/2}) \|W' - W\|_F",
        ),
        Variant(
            "upper-bounds",
            r"(\sum_i \langle x_i, w \rangle^4)^{1/2} \le \text{the smaller of these bounds of } \Lambda",
        ),
    ),
    sides=sides,
    mutants=(
        Mutant("lambda-twin", r"0.999 \Lambda", _twin("lambda")),
        Mutant("khatri-rao-twin", r"0.999 \|X * X\|", _twin("khatri-rao")),
        Mutant("centred-twin", "the centred bound times 0.999", _twin("centred")),
        Mutant("upper-bounds-twin", r"the smaller bound of \Lambda times 0.999", _twin("upper-bounds")),
        Mutant("root-of-lambda", r"\|X\|_{2 \to 4}, without the square", _with(_root)),
        Mutant("rows-only", "the maximum over $w$ among the rows only", _with(_rows_only)),
        Mutant("centred-without-mean", r"without \sqrt n/d", _with(_without_mean)),
        Mutant("centred-without-spread", r"without the norm of the centred Gram matrix", _with(_without_spread)),
        Mutant("centred-in-d-plus-1", "$d + 1$ in place of $d$", _with(_one_dimension_more)),
        Mutant("mean-v", "the mean of $|v|$ in place of its maximum", _mean_v),
        Mutant("spectral-distance", r"\Lambda \|W' - W\| with the spectral norm", _spectral),
    ),
    extremal=(
        {"n": 6, "d": 2, "rows": "sphere", **_ATTAINED, "seed": 0},
        {"n": 2, "d": 2, "rows": "parallel", "angle": 0.5, **_ATTAINED, "seed": 1},
        # W' - W = s I: the change is B2 |v_0| s (X*X), which has norm ||X*X|| > Lambda.
        {"n": 6, "d": 2, "rows": "sphere", **_ATTAINED, "move": "axes", "seed": 6},
        # Parallel rows: Lambda = sqrt(n), and both bounds equal it in every dimension.
        {"n": 6, "d": 3, "rows": "equal", **_ATTAINED, "seed": 2},
        {"n": 5, "d": 1, "rows": "line", **_ATTAINED, "seed": 3},
        {"n": 3, "d": 4, "rows": "orthogonal", **_ATTAINED, "v": "spike", "seed": 4},
        {"n": 1, "d": 1, "rows": "line", **_ATTAINED, "step": 1e-9, "seed": 5},
        {"n": 4, "d": 2, "rows": "sphere", **_ATTAINED, "phi": "linear", "seed": 7},
    ),
    floor=0.7,
    proof=(
        r"$\|(J' - J) U\| \le B_2 \|v\|_\infty \sum_l \|(\langle D_l, x_i \rangle \langle U_l, x_i \rangle)_i\| \le "
        r"B_2 \|v\|_\infty \sum_l \|X D_l\|_4 \|X U_l\|_4$ with $D = W' - W$, then Cauchy-Schwarz over $l$. "
        r"$(\sum_i \langle x_i, w \rangle^4)^{1/2} = \|(X*X)(w \otimes w)\|$, and $w \otimes w = "
        r"\operatorname{vec}(I)/d + \sqrt{1 - 1/d} \, q$ with a unit $q$ orthogonal to $\operatorname{vec}(I)$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
