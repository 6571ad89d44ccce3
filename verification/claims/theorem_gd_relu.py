r"""theorem-gd-relu: gradient descent from a Gaussian initialization, ReLU (docs/theory.md section 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from jacspec import bounds
from verification.arithmetic import Arithmetic
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import initializations
from verification.instances import Instance, Spec
from verification.promises import Altered, Promise, altered, kept, path_times, rate_times, step_times, together
from verification.width_theorems import (
    LABELS,
    SAFE,
    constants,
    refusal,
    rescaled,
    row,
    scale,
    width_for,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SLUG = "theorem-gd-relu"
FORMS = ("paper", "explicit", "sharp")
#: Widest network on which false neighbours are looked for.
_NARROW = 4000


def promise(problem: Instance, form: str, *, at_any_width: bool = False) -> Promise | str:
    """What a form promises at the problem's width, or the sentence that says why it promises nothing.

    `at_any_width` is for the false neighbours, at widths where 60 digits cost little; none is enough for the theorem.
    """

    def compute() -> Promise | str:
        asked, why = row(problem, SLUG, form), refusal(problem, SLUG, form)
        if at_any_width and int(problem.spec["k"]) > _NARROW:
            return f"false neighbours are asked for k <= {_NARROW} only"
        if why is not None and (asked.k is None or not at_any_width):
            return why
        p, s = constants(problem), scale(problem)
        if form == "sharp":
            eta, rate, failure = rescaled(problem, asked, of_the_spec=True)
            sigma = bounds.initial_sigma_min(asked.assumes["eps_c"], s, p.hidden.smallest.lower) * SAFE
            path = bounds.gd_perturbation_path_sharp(1.0, asked.assumes["b"], sigma) / SAFE
            return Promise(failure, eta, rate, path=path)
        eta, rate, failure = rescaled(problem, asked)
        lam = p.hidden.smallest
        if form == "paper":
            lam = bounds.relu_hermite_lower(p.spectrum.khatri_rao_sigma_min)
        sigma = bounds.initial_sigma_min(0.5, s, lam).lower * SAFE
        return Promise(failure, eta, rate, path=bounds.gd_perturbation_radius(1.0, sigma) / SAFE)

    found: Promise | str = problem.once(f"{SLUG}: {form} {at_any_width}", compute)
    return found


@cache
def least_width(form: str) -> float:
    """What the paper's and the explicit form ask for at the least, whatever the data and the step.

    ||X|| >= 1, sigma_min(X*X) <= 1 and lambda(X) <= 1/2, with equality for orthonormal rows; and as the failure
    probability 2/n + exp(-delta^2 n/(2||X||^2)) must be below 1, n >= 3 and delta is not small.
    """
    widths = []
    for n in range(3, 30):
        delta = math.sqrt(-2 * math.log1p(-2 / n) / n)
        if form == "paper":  # sqrt(kd) of d = n, where kappa = 1
            root = bounds.gd_relu_paper_sqrt_kd(bounds.gd_relu_paper_constant(), delta, n, n, 1.0, 1.0)
            widths.append(root**2 / n)
        else:
            widths.append(bounds.gd_relu_explicit_width(delta, n, 1.0, 0.5))
    return float(min(widths))


def failure(problem: Instance) -> Mapping[str, float | str]:
    """Claimed failure probabilities: one event per form."""
    out = {}
    for variant in CLAIM.variants:
        form = variant.name.split(",")[0]
        p = promise(problem, form)
        out[variant.name] = p if isinstance(p, str) else p.failure
        if isinstance(p, str) and form != "sharp":
            out[variant.name] = f"{p} (whatever the data, it asks for k = {least_width(form):.1e} or more)"
    return out


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Every inequality at its worst step, and both as one."""
    out: dict[str, Sides] = {}
    for form in FORMS:
        p = promise(instance.problem, form)
        if not isinstance(p, str):
            found = kept(instance, m, p)
            out |= {f"{form}, {part}": found[part] for part in ("rate", "path")}
            out[f"{form}, together"] = together(m, (found["rate"], found["path"]))
    return out


# -- false neighbours -----------------------------------------------------------------------------------------------


def _of(sides: Altered, name: str, why: str, form: str = "explicit") -> Mutant:
    """A mutant that makes a form's promise at any width, altered."""
    return altered(lambda problem: promise(problem, form, at_any_width=True), sides, name, why)


def _largest_eigenvalue(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
    hidden = constants(instance.problem).hidden
    return rate_times(hidden.largest.lower / hidden.smallest.lower)(instance, m, p)


# -- the claim ------------------------------------------------------------------------------------------------------


def specs() -> SearchStrategy[Spec]:
    """Well separated rows; at these widths nothing is promised all the same."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {
            "n": st.integers(3, 6),
            "d": st.integers(4, 8),
            "rows": st.sampled_from(["orthogonal", "parallel", "sphere"]),
            "angle": st.sampled_from([1.0, 0.7]),
            "delta": st.sampled_from([1.0, 1.5]),
            "chance": st.sampled_from([0.3, 0.1]),
            "eta_bar": st.sampled_from([1.0, 0.5]),
            "y": st.sampled_from(LABELS),
            "widest": st.sampled_from([64, 400]),
        }
    )


_WIDE: dict[str, int | float | str] = {
    "d": 2, "rows": "orthogonal", "phi": "relu", "form": "sharp", "widest": 2e6, "steps": 3
}  # fmt: skip

CLAIM = Claim(
    id=SLUG,
    title="Gradient descent from a Gaussian initialization, ReLU",
    statement=(
        r"\sqrt{kd} \ge C (1+\delta) \frac{n^2}{d} \kappa(X)^3 \sigma_{\min}(X*X)^2 \implies "
        r"\|r_t\| \le (1 - \eta \sigma_0^2/3)^t \|r_0\| \text{ for all } t, "
        r"\text{ with probability at least } 1 - \tfrac2n - e^{-\delta^2 n/(2\|X\|^2)}"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674 (its constant as the proof gives it)",
    kind=Kind.PROBABILITY,
    domain=initializations(
        ("relu",),
        specs,
        tuple({"phi": "relu", "form": form, "steps": 15, "widest": 20000} for form in FORMS),
        width_for(SLUG, "sharp"),
    ),
    variants=(
        Variant("paper, rate", r"1 - \bar\eta \sigma_{\min}(X*X)^2/(24 \pi \|X\|^2)"),
        Variant("paper, path", r"\sum_t \|W_{t+1} - W_t\|_F \le 5 \|r_0\|/(2 \sigma_0)"),
        Variant("paper, together", r"\text{both, in one draw}"),
        Variant("explicit, rate", r"k \ge 4.6 \cdot 10^8 (2+\delta)^2 n \|X\|^6/\lambda(X)^4"),
        Variant("explicit, path", r"\sum_t \|W_{t+1} - W_t\|_F \le 5 \|r_0\|/(2 \sigma_0)"),
        Variant("explicit, together", r"\text{both, in one draw}"),
        Variant("sharp, rate", r"k \ge 17.19 n \|X\|^6 \rho^2/(\epsilon^6 b^2 (1-\epsilon_c)^4 \lambda(X)^4)"),
        Variant(
            "sharp, path",
            r"s_t \le \|r_0\|/(b \sigma_0),\ b = \sqrt{(1-\epsilon^2)(1-\eta\beta^2)} - \epsilon,\ "
            r"\sigma_0^2 = (1-\epsilon_c) \lambda(X) \|y\|^2/n",
        ),
        Variant("sharp, together", r"\text{both, in one draw}"),
    ),
    sides=sides,
    failure=failure,
    mutants=(
        _of(rate_times(1.0), "any-width", "the explicit promise without its width"),
        _of(
            rate_times(12.0),
            "without-the-proofs-slack",
            r"$\eta s^2 \lambda(X)$, twice, for the rate $\eta \sigma_0^2/3$",
        ),
        _of(_largest_eigenvalue, "largest-eigenvalue", r"$\|\Sigma(X)\|$ for $\lambda(X)$ in the rate"),
        _of(
            path_times(0.2), "path-of-a-straight-line", r"$\|r_0\|/(2 \sigma_0)$ for the path $5 \|r_0\|/(2 \sigma_0)$"
        ),
        _of(step_times(16.0), "step-times-16", r"$\eta = 8/\beta^2$, sixteen times what is allowed"),
        _of(rate_times(6.0), "sharp-six-times", r"six times the sharp rate: more than $\eta \sigma_0^2$", "sharp"),
    ),
    extremal=(
        # Orthonormal rows, a likely failure, short steps: a million units are enough for the sharp form.
        {**_WIDE, "n": 2, "chance": 0.9, "eta_bar": 0.5},
        {**_WIDE, "n": 1, "chance": 0.5, "eta_bar": 0.1},
        # For the other forms they are the narrowest of widths, and still out of reach.
        {"n": 4, "d": 4, "rows": "orthogonal", "phi": "relu", "k": 400, "delta": 1.2},
        # Two rows at an angle, and labels where it is slowest.
        {"n": 6, "d": 4, "rows": "clusters", "angle": 0.4, "phi": "relu", "k": 400, "y": "bottom", "delta": 2.0},
        # Five rows in the plane and two units: four weights cannot fit five labels.
        {"n": 5, "d": 2, "rows": "arc", "angle": 1.2566370614359172, "phi": "relu", "k": 2, "steps": 200, "delta": 2.5},
    ),
    floor=0.0,  # nothing is promised at the widths that are drawn: the claim is void, with the width it asks for
    proof=(
        r"$\sigma_{\min}(J(W_0))$ by matrix Chernoff; in the ball of radius $R = 5 \|r_0\|/(2 \sigma_0)$ at most $3 "
        r"(2/\pi)^{1/3} (kR)^{2/3}$ units change sign at any $x_i$ (`relu-small-preactivations`), so $J$ moves by "
        r"at most $\|v\|_\infty \|X\|$ times the root of that (`relu-jacobian-perturbation`), at most $\sigma_0/8$ "
        r"when $k$ is large enough; then `gd-perturbation`. Sharp: the same with $R = \|r_0\|/(b \sigma_0)$, jumps "
        r"up to $\epsilon \sigma_0$ and the sharp form of `gd-perturbation`; $\epsilon$ makes $\epsilon^3 b$ "
        "largest."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
