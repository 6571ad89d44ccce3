r"""jacobian-formula: the network's Jacobian, its Gram matrix and the gradient (docs/theory.md sections 0 and 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from verification.arithmetic import Arithmetic, Matrix, Multiprecision
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import ALL_ACTIVATIONS, networks
from verification.instances import Floats, Instance, generator

#: Evaluations of phi in 60 digits that an instance may cost (some 20,000 a second): beyond, "derivative" is left out.
_MOST_DIFFERENCES = 20_000
#: Step of the central differences, which are taken in 60 digits whatever the arithmetic of the rest.
_STEP = 1e-20
_PRECISE = Multiprecision(60)


def letters(instance: Instance, m: Arithmetic) -> tuple[Matrix, Matrix, Matrix]:
    """X (n, d), v (k,) and P = phi'(X W^T) (n, k)."""
    X, W, v = (m.matrix(instance[name]) for name in ("X", "W", "v"))
    return X, v, m.evaluate(instance.activation, "dphi", X @ W.T)


def jacobian(instance: Instance, m: Arithmetic) -> Matrix:
    """``J(W) = (phi'(X W^T) diag(v)) * X``, (n, kd)."""
    X, v, P = letters(instance, m)
    return m.khatri_rao(P * v, X)


def sizes(instance: Instance) -> tuple[Floats, Floats]:
    """|phi'(X W^T) diag(v)| and |X| in float64: what scales are made of."""
    P = instance.activation.derivative(instance["X"] @ instance["W"].T)
    return np.abs(P * instance["v"]), np.abs(instance["X"])


# -- J is the derivative of f ---------------------------------------------------------------------------------------


def direction(instance: Instance) -> Floats:
    """A generic U (k, d): a wrong J has a wrong J vec(U) for almost every U."""
    return generator(instance.spec, 8).standard_normal(instance["W"].shape)


def difference(instance: Instance) -> tuple[Matrix, float] | None:
    """Central difference of f(W + t U) at t = 0 in 60 digits, with its error; None at a kink of phi."""
    U, phi = direction(instance), instance.activation
    with _PRECISE.working():
        X, W, v = (_PRECISE.matrix(instance[name]) for name in ("X", "W", "v"))
        h = _PRECISE.number(_STEP)
        Z, shift = X @ W.T, X @ (_PRECISE.matrix(U) * h).T
        if not phi.is_smooth and np.any(abs(Z) <= abs(shift)):
            return None
        ahead, behind = (_PRECISE.evaluate(phi, "phi", Z + sign * shift) @ v for sign in (1, -1))
        slope = (ahead - behind) / (2 * h)
    # Of one unit, with c = |<u_l, x_i>|: h^2 |phi'''| c^3 / 6 where phi is analytic (|phi'''| < 4 for all built-in),
    # h B2 c^2 / 2 where phi'' jumps, nothing where phi is linear between kinks. Rounding adds 1e-60 |phi| / h. All lie
    # far below h (1 + c)^3 while |phi| < 1e15.
    c = 1.001 * float(np.max(np.linalg.norm(U, axis=1))) * float(np.max(np.linalg.norm(instance["X"], axis=1)))
    return slope, _STEP * (1 + c) ** 3 * float(np.sum(np.abs(instance["v"]))) * len(slope)


def along(instance: Instance, m: Arithmetic, J: Matrix) -> Sides | None:
    """``J vec(U)`` against the derivative of f along U; None where f has none, or phi has no 60 digits."""
    affordable = instance.exact and len(instance["X"]) * len(instance["v"]) <= _MOST_DIFFERENCES
    found = instance.once("difference", lambda: difference(instance)) if affordable else None
    if found is None:
        return None
    slope, error = found
    U, phi = direction(instance), instance.activation
    X, W, v = (instance[name] for name in ("X", "W", "v"))
    if not isinstance(m, Multiprecision):
        slope = slope.astype(np.float64)
    # J vec(U) is off by the radius of J times ||U||, and by gamma_{kd} |J| |U|; the slope has been rounded once.
    largest = max(1.0, float(np.max(np.abs(phi.derivative(X @ W.T)))))
    U_norm = float(np.linalg.norm(U))
    scale = largest * float(np.max(np.abs(v))) * len(v) ** 0.5 * float(np.linalg.norm(X)) * U_norm
    error += m.jacobian_radius(X, W, v, phi) * U_norm + m.rounding(U.size + 3, scale)
    return Sides(m.discrepancy(J @ m.matrix(U.ravel()), slope, error, scale), m.number(scale))


# -- J J^T and J^T r ------------------------------------------------------------------------------------------------


def gram(instance: Instance, m: Arithmetic, left: Matrix, right: Matrix) -> Sides:
    """Two forms of J J^T from the same phi'(X W^T)."""
    A, X = sizes(instance)
    scale = float(np.linalg.norm((A @ A.T) * (X @ X.T)))
    # Left: kd terms, each with phi' v rounded twice, two products with x and their product. Right: v^2, two products
    # and k terms; d terms; one product. One more for the scale itself.
    k, d = A.shape[1], X.shape[1]
    error = m.rounding((k * d + 5) + (k + 3 + d + 1) + 1, scale)
    return Sides(m.discrepancy(left, right, error, scale), m.number(scale))


def hadamard(instance: Instance, m: Arithmetic) -> Matrix:
    """``(phi'(X W^T) diag(v)^2 phi'(W X^T)) o (X X^T)``."""
    X, v, P = letters(instance, m)
    return np.asarray(((P * v**2) @ P.T) * (X @ X.T))


def residual(instance: Instance) -> Floats:
    """A generic r (n,)."""
    return generator(instance.spec, 9).standard_normal(len(instance["X"]))


def gradient(instance: Instance, m: Arithmetic, left: Matrix, right: Matrix) -> Sides:
    """Two forms of the gradient at residual r, both (k d,)."""
    A, X = sizes(instance)
    scale = float(np.linalg.norm((A.T * np.abs(residual(instance))) @ X))
    # Each side: n terms with at most three rounded products; one more for the scale.
    error = m.rounding(2 * (len(X) + 3) + 1, scale)
    return Sides(m.discrepancy(left, right, error, scale), m.number(scale))


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """J against differences, J J^T against its Hadamard form, J^T r against the gradient's."""
    X, v, P = letters(instance, m)
    J, r = jacobian(instance, m), m.matrix(residual(instance))
    found = {
        "gram": gram(instance, m, J @ J.T, hadamard(instance, m)),
        "gradient": gradient(instance, m, J.T @ r, (v[:, None] * ((P.T * r) @ X)).ravel()),
    }
    derivative = along(instance, m, J)
    return found if derivative is None else {**found, "derivative": derivative}


# -- false neighbours -----------------------------------------------------------------------------------------------


def _wrong_jacobian(
    wrong: Callable[[Matrix, Matrix, Matrix, Arithmetic], Matrix],
) -> Callable[..., Mapping[str, Sides]]:
    """Sides that compare a function of (X, v, P) with the derivative of f."""

    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        side = along(instance, m, wrong(*letters(instance, m), m))
        return {} if side is None else {"mutant": side}

    return mutant


def _wrong_gram(power: int, factor: float) -> Callable[..., Mapping[str, Sides]]:
    """Sides that compare J J^T with ``factor (phi' diag(v)^power phi'^T) o (X X^T)``."""

    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        X, v, P = letters(instance, m)
        J = jacobian(instance, m)
        return {"mutant": gram(instance, m, J @ J.T, factor * ((P * abs(v) ** power) @ P.T) * (X @ X.T))}

    return mutant


CLAIM = Claim(
    id="jacobian-formula",
    title="The Jacobian is a Khatri-Rao product",
    statement=(
        r"J(W) = (\phi'(XW^\top) \operatorname{diag}(v)) * X = \partial f / \partial \operatorname{vec}(W), \quad "
        r"JJ^\top = (\phi'(XW^\top) \operatorname{diag}(v)^2 \phi'(WX^\top)) \circ (XX^\top)"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674",
    kind=Kind.IDENTITY,
    domain=networks(ALL_ACTIVATIONS, max_n=4, max_d=3, max_k=4),
    variants=(
        Variant("derivative", r"J(W) \operatorname{vec}(U) = \frac{d}{dt} f(W + tU) \big|_{t=0}"),
        Variant("gram", r"JJ^\top = (\phi'(XW^\top) \operatorname{diag}(v)^2 \phi'(WX^\top)) \circ (XX^\top)"),
        Variant(
            "gradient", r"J^\top r = \operatorname{vec}(\operatorname{diag}(v) \phi'(WX^\top) \operatorname{diag}(r) X)"
        ),
    ),
    sides=sides,
    mutants=(
        Mutant("off-by-a-thousandth", "$1.001 J$", _wrong_jacobian(lambda X, v, P, m: 1.001 * m.khatri_rao(P * v, X))),
        Mutant("columns-first", "$W$ stacked by columns", _wrong_jacobian(lambda X, v, P, m: m.khatri_rao(X, P * v))),
        Mutant("absolute-v", "$|v|$ in place of $v$", _wrong_jacobian(lambda X, v, P, m: m.khatri_rao(P * abs(v), X))),
        Mutant(
            "reversed-v", "the units' $v$ reversed", _wrong_jacobian(lambda X, v, P, m: m.khatri_rao(P * v[::-1], X))
        ),
        Mutant(
            "gram-without-square",
            r"$\operatorname{diag}(|v|)$ in place of $\operatorname{diag}(v)^2$",
            _wrong_gram(1, 1.0),
        ),
        Mutant("gram-off-by-a-thousandth", "0.999 times the Hadamard form", _wrong_gram(2, 0.999)),
    ),
    extremal=(
        {"n": 1, "d": 1, "rows": "line", "phi": "tanh", "k": 2, "v": "balanced", "seed": 0},
        {"n": 3, "d": 2, "rows": "sphere", "phi": "elu", "k": 4, "v": "gaussian", "seed": 1},
        # Every pre-activation at the jump of phi'', of which phi' knows nothing.
        {"n": 3, "d": 2, "rows": "sphere", "phi": "elu", "k": 4, "v": "gaussian", "spread": 0.0, "seed": 2},
        {"n": 4, "d": 2, "rows": "antipodal", "phi": "relu", "k": 4, "v": "gaussian", "seed": 3},
        {"n": 3, "d": 2, "rows": "repeated", "phi": "quadratic", "k": 2, "v": "gaussian", "spread": 1e3, "seed": 4},
        {"n": 2, "d": 2, "rows": "sphere", "phi": "gelu", "k": 4, "v": "gaussian", "scale": 1e-150, "seed": 5},
    ),
    floor=0.9,
    proof=(
        r"$df_i/dw_l = v_l \phi'(\langle w_l, x_i \rangle) x_i$, which is block $l$ of row $i$ of $(\phi'(XW^\top) "
        r"\operatorname{diag}(v)) * X$. The Gram matrix is khatri-rao-gram with $C = A$, $D = B$; the gradient of "
        r"$\tfrac12 \|f - y\|^2$ is $J^\top r$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
