r"""phase-transition-lower: with fewer weights than labels, almost no labels can be fitted (docs/theory.md section 6).

That an image has measure zero cannot be measured. What can is how it fails to be large: y within eps of it is
unlikely, by counting balls; for linear and quadratic phi it lies in a subspace, whose distance is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jacspec import bounds
from jacspec.rounding import Estimate, factorization_radius, gamma
from verification.arithmetic import Arithmetic, Float64, Number
from verification.chance import least_parameter, probability
from verification.claim import FLOAT64, Claim, Kind, Mutant, Sides, Variant
from verification.domains import first_rows, initializations
from verification.instances import Instance, Spec, generator

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Floats = NDArray[np.float64]

#: Where phi is one of these, f(W) lies in the span of the monomials of this degree in the rows.
DEGREE = {"linear": 1, "quadratic": 2}
#: The ball of weights that is searched, in units of sqrt(kd).
REACH = 2.0
#: Steps of one search, and the relative gain below which it ends.
_STEPS, _GAIN = 60, 1e-12


# -- the problem ----------------------------------------------------------------------------------------------------


def radius(problem: Instance) -> float:
    """R: the statement with probability is about ``||W||_F <= R``."""
    return REACH * math.sqrt(len(problem["v"]) * problem["X"].shape[1])


def planted(problem: Instance) -> Floats:
    """W* of norm R/2, which does not depend on y: y is drawn around f(W*)."""
    W = generator(problem.spec, 10).standard_normal((len(problem["v"]), problem["X"].shape[1]))
    return np.asarray(W * (radius(problem) / 2 / np.linalg.norm(W)))


def spread(problem: Instance) -> float:
    """The radius of the ball around f(W*) in which y is uniform, in units of ||v||."""
    return float(problem.spec.get("spread", 0.1)) * FLOAT64.norm(problem["v"]).value


def value(problem: Instance, W: Floats, v: Floats) -> Floats:
    """f(W) in float64."""
    return np.asarray(problem.activation(problem["X"] @ W.T) @ v)


def direction(instance: Instance) -> Floats:
    """A uniform point of the unit sphere in R^n, by trial."""
    u = generator(instance.spec, 11, instance.trial).standard_normal(len(instance["X"]))
    return np.asarray(u / np.linalg.norm(u))


def labels(instance: Instance) -> Floats:
    """y, uniform in a ball around f(W*)."""
    problem, n = instance.problem, len(instance["X"])
    share = generator(instance.spec, 12, instance.trial).uniform() ** (1 / n)
    return np.asarray(value(problem, planted(problem), problem["v"]) + spread(problem) * share * direction(instance))


def promised(problem: Instance, kd: int, n: int, size: float, v_norm: float) -> tuple[float, float] | None:
    """(eps, failure probability): the largest eps that fails with the spec's "chance" at most."""
    X_norm = FLOAT64.spectral_norm(problem["X"]).upper
    beta = bounds.jacobian_norm_sharp(problem.activation.B1.upper, v_norm * (1 + 1e-12), X_norm)

    def log_failure(inverse: float) -> float:
        return bounds.phase_lower_log_failure(1 / inverse, radius(problem), beta, kd, n, size * (1 - 1e-12))

    if log_failure(1e280) > math.log(float(problem.spec.get("chance", 0.3))):
        return None
    inverse = least_parameter(log_failure, float(problem.spec.get("chance", 0.3)))
    assert inverse is not None
    return 1 / inverse, probability(log_failure(inverse))


Promised = tuple[float, float] | str


def fixed(problem: Instance) -> Promised:
    """What is promised for v that does not depend on y, or why nothing is."""

    def compute() -> Promised:
        n, kd = _counts(problem)
        if problem.activation.name in DEGREE:
            return f"{problem.activation.name}: see its own form"
        if kd >= n:
            return f"k d = {kd} is not below n = {n}"
        found = promised(problem, kd, n, spread(problem), FLOAT64.norm(problem["v"]).upper)
        return found or f"eps would be below 1e-280 at k d = {kd}, n = {n}"

    found: Promised = problem.once("phase-transition-lower: fixed", compute)
    return found


def balanced(problem: Instance) -> Promised:
    """The same for v that depends on ||y||: one dimension fewer, that of the sphere on which y/||y|| is uniform."""

    def compute() -> Promised:
        n, kd = _counts(problem)
        if problem.activation.name in DEGREE:
            return f"{problem.activation.name}: see its own form"
        if kd >= n - 1:
            return f"k d = {kd} is not below n - 1 = {n - 1}"
        found = promised(problem, kd, n - 1, 1.0, 1 / math.sqrt(n))
        return found or f"eps would be below 1e-280 at k d = {kd}, n = {n}"

    found: Promised = problem.once("phase-transition-lower: balanced", compute)
    return found


def _counts(problem: Instance) -> tuple[int, int]:
    n, d = problem["X"].shape
    return n, len(problem["v"]) * d


def failure(problem: Instance) -> Mapping[str, float | str]:
    """Claimed failure probabilities."""
    return {name: p if isinstance(p, str) else p[1] for name, p in _promises(problem).items()}


def _promises(problem: Instance) -> Mapping[str, Promised]:
    return {"fixed v": fixed(problem), "balanced v": balanced(problem)}


# -- the search for a fit -------------------------------------------------------------------------------------------


def fitted(problem: Instance, y: Floats, v: Floats, starts: list[Floats], within: float = math.inf) -> Floats:
    """The W with the least ``||f(W) - y||`` that Levenberg-Marquardt meets in a ball, from several starts."""
    X, phi = problem["X"], problem.activation
    best, least = starts[0], math.inf
    for start in starts:
        W, damping = start, 1e-3
        r = value(problem, W, v) - y
        size = float(np.linalg.norm(r))
        for _ in range(_STEPS):
            if size < least and np.linalg.norm(W) <= within:
                best, least = W, size
            J = ((phi.derivative(X @ W.T) * v)[:, :, None] * X[:, None, :]).reshape(len(X), -1)
            scale = float(np.linalg.norm(J))
            if scale == 0:
                break
            system = np.concatenate([J, math.sqrt(damping) * scale * np.eye(J.shape[1])])
            target = np.concatenate([r, np.zeros(J.shape[1])])
            trial = W - np.linalg.lstsq(system, target, rcond=None)[0].reshape(W.shape)
            moved = value(problem, trial, v) - y
            reached = float(np.linalg.norm(moved))
            if reached >= size:
                if damping > 1e3:
                    break
                damping *= 10
                continue
            gained = size - reached
            W, r, size, damping = trial, moved, reached, max(damping / 10, 1e-15)
            if gained <= _GAIN * size:
                break
        if size < least and np.linalg.norm(W) <= within:
            best, least = W, size
    return best


def starts(instance: Instance) -> list[Floats]:
    """Where searches start: W*, and this draw's W_0 pulled into the ball."""
    W0 = instance["W"]
    return [planted(instance.problem), W0 * min(1.0, 0.9 * radius(instance.problem) / float(np.linalg.norm(W0)))]


def residual(instance: Instance, m: Arithmetic, W: Floats, v: Floats, y: Floats) -> Number:
    """``||f(W) - y||``."""
    X, phi = instance["X"], instance.activation
    r = m.evaluate(phi, "phi", m.matrix(X) @ m.matrix(W).T) @ m.matrix(v) - m.matrix(y)
    d, k = X.shape[1], len(v)
    Z = np.linalg.norm(X, axis=1)[:, None] * np.linalg.norm(W, axis=1)
    if math.isfinite(phi.B1.upper):
        size = abs(float(phi(np.zeros(1))[0])) + 2 * phi.B1.upper * Z
    else:  # quadratic: |phi(z)| <= z^2, and a relative error of z counts twice
        size = 2 * Z**2
    error = gamma(d + k + 14) * 1.001 * float(np.linalg.norm(size @ np.abs(v))) + gamma(1) * float(np.linalg.norm(y))
    return m.norm(r, error)


def best_fit(instance: Instance) -> Floats:
    """The best weights in the ball for this draw's y."""
    found: Floats = instance.once(
        "phase-transition-lower: fit",
        lambda: fitted(
            instance.problem, labels(instance), instance["v"], starts(instance), radius(instance.problem) * (1 - 1e-9)
        ),
    )
    return found


def unit_weights(problem: Instance) -> Floats:
    """v of norm 1/sqrt(n), which ||y|| multiplies; ``||y|| = 1`` without loss of generality."""
    v = problem["v"]
    return np.asarray(v / (np.linalg.norm(v) * math.sqrt(len(problem["X"]))))


# -- linear and quadratic phi ---------------------------------------------------------------------------------------


def monomials(X: Any, degree: int) -> Any:
    """The columns whose span f(W) lies in: those of X, or the products of two of them."""
    if degree == 1:
        return X
    first, second = np.triu_indices(int(X.shape[1]))
    return X[:, first] * X[:, second]


def distance(m: Arithmetic, F: Any, y: Any) -> Number:
    """The distance of y from the span of F's columns, as the last entry of R in a QR factorization of [F, y].

    Where the columns depend on each other it may come out too small, never too large.
    """
    A = np.concatenate([F, y[:, None]], axis=1)
    if not isinstance(m, Float64):
        from mpmath import mp

        R = mp.qr(mp.matrix(A.tolist()), mode="skinny")[1]
        last = A.shape[1] - 1
        return abs(R[last, last])
    found = abs(float(np.asarray(np.linalg.qr(A, mode="r"))[-1, -1]))
    # An error E of [F, y] moves the distance by at most ||E|| (1 + ||F^+ y||).
    norm, size = float(np.linalg.norm(A)), float(np.linalg.norm(y))
    least = m.singular_values(F.T)[1].lower if F.shape[1] <= F.shape[0] else 0.0
    if least <= 0:
        return Estimate(found, math.inf)
    error = factorization_radius(A.shape[0], A.shape[1], norm) + gamma(2) * norm
    return Estimate(found, error * (1 + size / least))


def near_best(instance: Instance, y: Floats) -> Floats:
    """Weights next to the best that the search finds, so that two sides that would agree can be told apart."""

    def compute() -> Floats:
        W = fitted(instance.problem, y, instance["v"], starts(instance))
        rng = generator(instance.spec, 13)
        return np.asarray(W + float(instance.spec.get("step", 1e-3)) * rng.standard_normal(W.shape))

    found: Floats = instance.once("phase-transition-lower: near the best", compute)
    return found


def polynomial(instance: Instance, m: Arithmetic, columns: Callable[[Any, int], Any]) -> Sides | None:
    """The distance of y from a span against ``||f(W) - y||``, for linear and quadratic phi."""
    degree = DEGREE.get(instance.activation.name)
    n, kd = _counts(instance)
    if degree is None or kd >= n or monomials(instance["X"], degree).shape[1] >= n:
        return None
    y = direction(instance)
    W = near_best(instance, y)
    return Sides(
        distance(m, columns(m.matrix(instance["X"]), degree), m.matrix(y)),
        residual(instance, m, W, instance["v"], y),
    )


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The promised eps, or the distance from the subspace, against the best fit that is found."""
    pair = polynomial(instance, m, monomials)
    if pair is not None:
        return {instance.activation.name: pair}
    out, p, q = {}, fixed(instance.problem), balanced(instance.problem)
    if not isinstance(p, str):
        out["fixed v"] = Sides(
            m.number(p[0]), residual(instance, m, best_fit(instance), instance["v"], labels(instance))
        )
    if not isinstance(q, str):
        y, v, within = direction(instance), unit_weights(instance.problem), radius(instance.problem) * (1 - 1e-9)
        W = instance.once(
            "phase-transition-lower: balanced fit",
            lambda: fitted(instance.problem, y, v, starts(instance), within),
        )
        out["balanced v"] = Sides(m.number(q[0]), residual(instance, m, W, v, y))
    return out


# -- false neighbours -----------------------------------------------------------------------------------------------


def _every_label(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    p = fixed(instance.problem)
    if isinstance(p, str):
        return {}
    W = planted(instance.problem)
    y = value(instance.problem, W, instance["v"])
    return {"mutant": Sides(m.number(p[0]), residual(instance, m, W, instance["v"], y))}


def _miscounted(count: Callable[[int, int, int], tuple[int, int]], most: int = 0) -> dict[str, Any]:
    """eps from other exponents in place of (kd, n), given n, k and d; kd may be as large as n + `most`."""

    def eps(problem: Instance) -> Promised:
        n, kd = _counts(problem)
        k = len(problem["v"])
        if problem.activation.name in DEGREE or kd >= n + max(most, 0):
            return f"k d = {kd} is too large for n = {n}"
        found = promised(problem, *count(n, k, kd // k), spread(problem), FLOAT64.norm(problem["v"]).upper)
        return found or "eps would be below 1e-280"

    def mutated(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        p = eps(instance.problem)
        if isinstance(p, str):
            return {}
        right = residual(instance, m, best_fit(instance), instance["v"], labels(instance))
        return {"mutant": Sides(m.number(p[0]), right)}

    def chance(problem: Instance) -> Mapping[str, float | str]:
        p = eps(problem)
        return {"mutant": p if isinstance(p, str) else p[1]}

    return {"sides": mutated, "failure": chance}


def _fewer_columns(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    pair = polynomial(instance, m, lambda X, degree: monomials(X, degree)[:, :-1])
    return {} if pair is None else {"mutant": pair}


def _rows_for_products(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    pair = polynomial(instance, m, lambda X, degree: X)
    return {"mutant": pair} if pair is not None and instance.activation.name == "quadratic" else {}


def _norm_of_labels(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    pair = polynomial(instance, m, monomials)
    return {} if pair is None else {"mutant": Sides(m.norm(m.matrix(direction(instance))), pair.right)}


# -- the claim ------------------------------------------------------------------------------------------------------


def width(problem: Instance) -> int:
    """The largest even k, up to 4, with fewer weights than labels; 2 where there is none."""
    n, d = problem["X"].shape
    most: int = 2 * ((n - 1) // (2 * d))
    return max(2, min(4, most))


def specs() -> SearchStrategy[Spec]:
    """Fewer weights than labels."""
    from hypothesis import strategies as st

    def make(k: int, d: int, more: int, rows: str, chance: float, spread: float, v: str) -> Spec:
        return {"n": k * d + more, "d": d, "rows": rows, "k": k, "chance": chance, "spread": spread, "v": v}

    return st.builds(
        make,
        k=st.sampled_from([2, 4]),
        d=st.integers(1, 3),
        more=st.integers(1, 4),
        rows=st.sampled_from(["sphere", "clusters", "orthogonal"]),
        chance=st.sampled_from([0.3, 0.1]),
        spread=st.sampled_from([0.1, 1.0]),
        v=st.sampled_from(["balanced", "gaussian"]),
    )


CLAIM = Claim(
    id="phase-transition-lower",
    title="With fewer weights than labels, almost no labels can be fitted",
    statement=(
        r"kd < n \implies P(\exists W: f(W) = y) = 0 \text{ for } y \text{ with a density; and for } y "
        r"\text{ uniform in a ball of radius } \rho,\ "
        r"P\left(\min_{\|W\|_F \le R} \|f(W) - y\| < \epsilon\right) \le (1 + 2R\beta/\epsilon)^{kd} (2\epsilon/\rho)^n"
    ),
    source="jacspec; docs/theory.md section 6; the quantitative form by counting balls",
    kind=Kind.PROBABILITY,
    domain=first_rows(
        initializations(
            ("relu", "softplus", "tanh", "gelu", "linear", "quadratic"),
            specs,
            tuple({"phi": phi, "spread": 1.0} for phi in ("relu", "softplus", "linear", "quadratic")),
            width,
        ),
        24,
    ),
    variants=(
        Variant(
            "fixed v", r"y \text{ uniform in a ball of radius } \rho \text{ about } f(W_*),\ \beta = B_1 \|v\| \|X\|"
        ),
        Variant(
            "balanced v",
            r"v = \|y\| \bar v,\ y/\|y\| \text{ uniform: } P(\min_W \|f(W) - y\| < \epsilon \|y\|) \le "
            r"(1 + 2R\bar\beta/\epsilon)^{kd} (2\epsilon)^{n-1}",
        ),
        Variant("linear", r"\phi(z) = z:\ \|f(W) - y\| \ge \operatorname{dist}(y, \operatorname{range} X)", Kind.LOWER),
        Variant(
            "quadratic",
            r"\phi(z) = z^2/2:\ \|f(W) - y\| \ge \operatorname{dist}(y, \operatorname{range} X*X)",
            Kind.LOWER,
        ),
    ),
    sides=sides,
    failure=failure,
    mutants=(
        Mutant(
            "every-label",
            "every $y$, also $y = f(W_*)$",
            _every_label,
            lambda problem: {"mutant": failure(problem)["fixed v"]},
        ),
        Mutant(
            "as-many-weights",
            r"$kd \le n$ in place of $kd < n$",
            **_miscounted(lambda n, k, d: (min(k * d, n - 1), n), most=1),
        ),
        Mutant(
            "for-one-w", r"as if $W$ could not follow $y$: $(2 \epsilon/\rho)^n$", **_miscounted(lambda n, k, d: (0, n))
        ),
        Mutant("weights-as-units", "$k$ in place of $kd$", **_miscounted(lambda n, k, d: (k, n))),
        Mutant("fewer-columns", "the span of all columns but one", _fewer_columns, kind=Kind.LOWER),
        Mutant("rows-for-products", r"quadratic $\phi$: $X$ in place of $X*X$", _rows_for_products, kind=Kind.LOWER),
        Mutant("norm-of-labels", r"$\|y\|$ in place of its distance from the span", _norm_of_labels, kind=Kind.LOWER),
    ),
    extremal=(
        # One label more than weights: the fit misses by what one normal direction leaves.
        {"n": 5, "d": 2, "rows": "sphere", "phi": "softplus", "k": 2, "v": "gaussian", "spread": 0.01, "chance": 0.3},
        # One unit: its image is stretched by 1/2 to 1 only, and reaches as far as y does.
        {
            "n": 5,
            "d": 4,
            "rows": "orthogonal",
            "phi": "leaky_relu:slope=0.5",
            "k": 1,
            "v": "ones",
            "spread": 1.9,
            "chance": 0.1,
        },
        # One weight, two labels: the count of balls loses the least.
        {"n": 2, "d": 1, "rows": "line", "phi": "leaky_relu:slope=0.5", "k": 1, "v": "ones", "spread": 2.0},
        # Enough labels for a v that depends on them.
        {"n": 6, "d": 2, "rows": "sphere", "phi": "tanh", "k": 2, "v": "balanced", "chance": 0.3},
        # As many weights as labels: nothing is said, and labels near f(W*) are fitted.
        {"n": 4, "d": 2, "rows": "sphere", "phi": "gelu", "k": 2, "v": "gaussian", "spread": 0.01, "chance": 0.3},
        {"n": 6, "d": 3, "rows": "sphere", "phi": "linear", "k": 1, "v": "ones"},
        {"n": 8, "d": 2, "rows": "sphere", "phi": "quadratic", "k": 2, "v": "gaussian"},
    ),
    floor=0.2,
    proof=(
        r"$f$ is locally Lipschitz from $\mathbb{R}^{kd}$, and such a map takes $\mathbb{R}^{kd}$ to a set of "
        r"measure zero in $\mathbb{R}^n$ when $kd < n$. With a count: a ball of radius $R$ is covered by $(1 + "
        r"2R/t)^{kd}$ balls of radius $t = \epsilon/\beta$, their images lie in balls of radius $\epsilon$, and $y$ "
        r"within $\epsilon$ of one of these lies within $2 \epsilon$ of its centre. If $v = \|y\| \bar v$, the same "
        r"on the sphere, where a ball of radius $2 \epsilon$ covers a share of at most $(2 \epsilon)^{n-1}/2$. "
        r"Linear and quadratic $\phi$: $f(W)_i = \langle x_i, W^\top v \rangle$ and $\langle x_i x_i^\top, W^\top "
        r"\operatorname{diag}(v) W \rangle/2$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
