r"""theorem-gd-smooth: gradient descent from a Gaussian initialization, smooth phi (docs/theory.md section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jacspec import bounds
from jacspec.widths import gd_smooth_sharp_at
from verification.arithmetic import Arithmetic
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import initializations
from verification.instances import Instance, Spec
from verification.promises import (
    Altered,
    Promise,
    altered,
    kept,
    path_times,
    rate_times,
    slope_times,
    step_times,
    together,
)
from verification.wide_runs import contraction, longest
from verification.width_theorems import (
    LABELS,
    SAFE,
    constants,
    options,
    refusal,
    rescaled,
    row,
    run,
    scale,
    shorter,
    width_for,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SLUG = "theorem-gd-smooth"
#: "own c" is the sharp form with the c of `gd-kantorovich`; "sharp" has c = 1.
FORMS = ("paper", "explicit", "own c", "sharp")


def promise(problem: Instance, form: str) -> Promise | str:
    """What a form promises at the problem's width, or the sentence that says why it promises nothing."""
    found: Promise | str = problem.once(f"{SLUG}: {form}", lambda: _promise(problem, form))
    return found


def _promise(problem: Instance, form: str) -> Promise | str:
    why = refusal(problem, SLUG, "sharp" if form == "own c" else form)
    if why is not None:
        return why
    if form in ("own c", "sharp"):
        return _sharp(problem, form == "own c")
    p, asked, s = constants(problem), row(problem, SLUG, form), scale(problem)
    eta, rate, failure = rescaled(problem, asked)
    lam = p.hidden.smallest
    if form == "paper":
        lam = p.hermite.mu_phi**2 * p.spectrum.khatri_rao_sigma_min**2
    alpha = bounds.gd_smooth_alpha(s * p.n**0.5, p.n, lam).lower * SAFE
    slope = bounds.gd_convergence_potential(alpha, 1.0, 0.0)
    return Promise(failure, eta, rate, slope, bounds.gd_convergence_path(alpha, 1.0) / SAFE)


def _sharp(problem: Instance, own_c: bool) -> Promise | str:
    p, o, s, k = constants(problem), options(problem), scale(problem), int(problem.spec["k"])
    found = gd_smooth_sharp_at(p, k, o, own_c)
    if found is None:
        return f"it asks for more than k = {k:,} at its best split of the failure probability"
    sigma = bounds.initial_sigma_min(0.0, s, found.lam) * SAFE
    lipschitz = bounds.jacobian_lipschitz_optimal(p.phi.B2.upper, s / k**0.5, p.spectrum.norm_2_to_4_squared.upper, 1.0)
    B1, X_norm = p.phi.B1.upper, p.spectrum.spectral_norm.upper
    return Promise(
        o.failure / SAFE,
        shorter(bounds.gd_step_size(o.eta_bar, p.n, B1, s * p.n**0.5, X_norm)),
        found.rate * SAFE,
        found.c * sigma * SAFE,
        bounds.gd_kantorovich_path(1.0, found.c, sigma, found.h) / SAFE,
        found.c * lipschitz / SAFE,
    )


def failure(problem: Instance) -> Mapping[str, float | str]:
    """Claimed failure probabilities: one event per form."""
    promises = {form: promise(problem, form) for form in FORMS}
    return {
        f"{form}, {part}": p if isinstance(p, str) else p.failure
        for form, p in promises.items()
        for part in ("rate", "combined", "path", "together")
    }


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Every inequality at its worst step, and all of them as one."""
    out: dict[str, Sides] = {}
    for form in FORMS:
        p = promise(instance.problem, form)
        if not isinstance(p, str):
            found = kept(instance, m, p, "distance" if form == "paper" else "path")
            out |= {f"{form}, {part}": pair for part, pair in found.items()}
            out[f"{form}, together"] = together(m, found.values())
    return out


# -- false neighbours -----------------------------------------------------------------------------------------------


def _of(form: str, sides: Altered, name: str, why: str) -> Mutant:
    """A mutant that alters what one form says."""
    return altered(lambda problem: promise(problem, form), sides, name, why)


def _largest_eigenvalue(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
    c = constants(instance.problem)
    return rate_times(c.hidden.largest.lower / c.hidden.smallest.lower)(instance, m, p)


def _mean_kernel(instance: Instance, m: Arithmetic, p: Promise) -> Sides:
    c, o = constants(instance.problem), options(instance.problem)
    B1, X_norm, lam = c.phi.B1.upper, c.spectrum.spectral_norm.upper, c.hidden.smallest.lower
    rate = bounds.gd_smooth_rate_sharp(o.eta_bar, 1.0, 0.0, B1, lam, X_norm) * SAFE
    return contraction(run(instance, m, p.eta), rate)


def _any_width(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    c, o, s = constants(instance.problem), options(instance.problem), scale(instance.problem)
    B1, X_norm, lam = c.phi.B1.upper, c.spectrum.spectral_norm.upper, c.hidden.smallest.lower / 2
    eta = shorter(bounds.gd_step_size(o.eta_bar, c.n, B1, s * c.n**0.5, X_norm))
    rate = bounds.gd_smooth_rate_sharp(o.eta_bar, 1 - o.eta_bar / 4, 0.0, B1, lam, X_norm) * SAFE
    return {"mutant": contraction(run(instance, m, eta), rate)}


def _any_width_failure(problem: Instance) -> Mapping[str, float | str]:
    asked = row(problem, SLUG, "sharp")
    return {"mutant": options(problem).failure if asked.k is not None else asked.reason or "void"}


#: Shares of ||r_0||^2 in the slow of two directions that a fifth of the draws fall below, and a fifth exceed, where the
#: rows are `_PAIR`: the slow part of r_0/s is N(0, 1 - cos 0.8), the fast one N(sqrt(2), 1 + cos 0.8).
_RARELY_LESS, _RARELY_MORE = 0.00782, 0.361


def _fifths(instance: Instance, m: Arithmetic, p: Promise) -> dict[str, Sides]:
    """Of one step with linear phi: a rate that a fifth of the draws miss, and a path that another fifth exceed."""
    s, hidden = scale(instance.problem), constants(instance.problem).hidden
    slow, fast = s**2 * hidden.smallest.value, s**2 * hidden.largest.value
    kept = [_RARELY_MORE * (1 - p.eta * slow) ** 2, (1 - _RARELY_MORE) * (1 - p.eta * fast) ** 2]
    moved = p.eta * (_RARELY_LESS * slow + (1 - _RARELY_LESS) * fast) ** 0.5
    done = run(instance, m, p.eta)
    return {
        "rate": contraction(done, 1 - sum(kept) ** 0.5),
        "path": Sides(longest(done, "path"), done.residual(0) * m.number(moved)),
    }


def _one_slow_step(problem: Instance) -> Promise | str:
    """The sharp promise, of problems of which `_fifths` speaks."""
    mine = all(problem.spec.get(name) == value for name, value in _PAIR.items())
    return promise(problem, "sharp") if mine else "the false neighbour is about two rows and one step"


# -- the claim ------------------------------------------------------------------------------------------------------


def specs() -> SearchStrategy[Spec]:
    """Well separated rows, at the sharp form's width and beyond."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {
            "n": st.integers(2, 4),
            "d": st.integers(4, 6),
            "rows": st.sampled_from(["orthogonal", "parallel", "sphere"]),
            "angle": st.sampled_from([1.0, 0.7]),
            "chance": st.sampled_from([0.3, 0.1, 0.5]),
            "eta_bar": st.sampled_from([1.0, 0.5, 0.1]),
            "times": st.sampled_from([1, 2, 8]),
            "y": st.sampled_from(LABELS),
            "scale": st.sampled_from([1.0, 1e-3, 1e6]),
            "steps": st.sampled_from([20, 40]),
        }
    )


#: Two rows at an angle and a single step, which is slow where r_0 is in one direction, and long where in the other.
_PAIR: dict[str, int | float | str] = {
    "n": 2, "d": 3, "rows": "parallel", "angle": 0.8, "phi": "linear", "k": 400, "chance": 0.3, "y": "top", "steps": 1
}  # fmt: skip

_SMOOTH = ("softplus", "gelu", "erf", "tanh", "sigmoid", "sin", "arctan", "silu", "elu", "linear")

CLAIM = Claim(
    id=SLUG,
    title="Gradient descent from a Gaussian initialization, smooth activations",
    statement=(
        r"\sqrt{kd} \ge c \frac{B^2}{\mu_\phi^2} (1+\delta) \kappa(X) n \implies "
        r"\|r_t\| \le \left(1 - \frac{\bar\eta}{32} \frac{\mu_\phi^2}{B^2} "
        r"\frac{\sigma_{\min}(X*X)^2}{\|X\|^2}\right)^t \|r_0\| \text{ for all } t, "
        r"\text{ with probability at least } 1 - \tfrac1n - e^{-\delta^2 n/(2\|X\|^2)}"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674, Theorem 2.1 (its constants as the proof gives them)",
    kind=Kind.PROBABILITY,
    domain=initializations(
        _SMOOTH,
        specs,
        tuple(
            {"phi": phi, "form": form, "chance": 0.5, "steps": 15, "widest": 20000}
            for phi in ("softplus", "tanh", "linear")
            for form in ("sharp", "explicit")
        ),
        width_for(SLUG, "sharp"),
    ),
    variants=(
        Variant("paper, rate", r"1 - \frac{\bar\eta}{32} \frac{\mu_\phi^2}{B^2} \frac{\sigma_{\min}(X*X)^2}{\|X\|^2}"),
        Variant(
            "paper, combined",
            r"\frac{\mu_\phi}{\sqrt{32}} \frac{\|y\|}{\sqrt n} \sigma_{\min}(X*X) \|W_t - W_0\|_F + \|r_t\| "
            r"\le \|r_0\|",
        ),
        Variant(
            "paper, path", r"\sum_t \|W_{t+1} - W_t\|_F \le \sqrt{32n} \|r_0\|/(\|y\| \mu_\phi \sigma_{\min}(X*X))"
        ),
        Variant("paper, together", r"\text{all three, in one draw}"),
        Variant("explicit, rate", r"1 - \bar\eta \lambda(X)/(32 B_1^2 \|X\|^2)"),
        Variant("explicit, combined", r"(\alpha/2) s_t + \|r_t\| \le \|r_0\|,\ \alpha^2 = \|y\|^2 \lambda(X)/(8n)"),
        Variant("explicit, path", r"s_t \le 2 \|r_0\|/\alpha"),
        Variant("explicit, together", r"\text{all three, in one draw}"),
        Variant("own c, rate", r"1 - \eta c D,\ D = \sigma_0^2 (1-h),\ \sigma_0^2 = (1-\epsilon) \lambda(X) \|y\|^2/n"),
        Variant("own c, combined", r"c (\sigma_0 s_t - L s_t^2/2) + \|r_t\| \le \|r_0\|"),
        Variant("own c, path", r"s_t \le 2 \|r_0\|/(c \sigma_0 (1 + \sqrt{1-h}))"),
        Variant("own c, together", r"\text{all three, in one draw}"),
        Variant("sharp, rate", r"\text{with } c = 1, \eta \le 1/\beta^2:\ 1 - \eta \sigma_0^2 (1-h)"),
        Variant("sharp, combined", r"\sigma_0 s_t - L s_t^2/2 + \|r_t\| \le \|r_0\|"),
        Variant("sharp, path", r"s_t \le 2 \|r_0\|/(\sigma_0 (1 + \sqrt{1-h}))"),
        Variant("sharp, together", r"\text{all three, in one draw}"),
    ),
    sides=sides,
    failure=failure,
    mutants=(
        _of("sharp", rate_times(2.0), "rate-doubled", "twice the sharp rate"),
        _of("explicit", rate_times(32.0), "without-the-proofs-slack", "the explicit rate without the 32 below it"),
        _of("sharp", _largest_eigenvalue, "largest-eigenvalue", r"$\|\Sigma(X)\|$ for $\lambda(X)$ in the rate"),
        _of(
            "sharp",
            _mean_kernel,
            "mean-kernel",
            r"the sharp rate with $\epsilon = h = 0$, as if $J J^\top$ stayed at its mean",
        ),
        _of("sharp", path_times(0.5), "path-halved", "half the sharp bound of the path"),
        _of("explicit", slope_times(32**0.5), "without-root-32", r"the combined inequality without its $\sqrt{32}$"),
        _of("explicit", step_times(8.0), "step-times-8", r"$\eta = 4/\beta^2$, eight times what is allowed"),
        altered(
            _one_slow_step,
            lambda instance, m, p: together(m, _fifths(instance, m, p).values()),
            "each-part-for-itself",
            "a rate and a path that each fail less often than is claimed, but in different draws",
        ),
        Mutant("any-width", "the rate at any width, as if $h = 0$", _any_width, _any_width_failure),
    ),
    extremal=(
        # Five rows in the plane and two units: four weights cannot fit five labels, and nothing is promised.
        {
            "n": 5,
            "d": 2,
            "rows": "arc",
            "angle": 1.2566370614359172,
            "phi": "gelu",
            "k": 2,
            "chance": 0.3,
            "steps": 150,
        },
        # Linear phi, equal eigenvalues: nothing varies, and nothing is lost but eps (and etabar/4 with its own c).
        {"n": 4, "d": 4, "rows": "orthogonal", "phi": "linear", "k": 400, "chance": 0.3, "eta_bar": 1.9, "steps": 4},
        {"n": 4, "d": 4, "rows": "orthogonal", "phi": "linear", "k": 400, "chance": 0.3, "eta_bar": 0.02},
        {"n": 16, "d": 16, "rows": "orthogonal", "phi": "linear", "k": 80, "chance": 0.1, "y": "top", "delta": 0.5},
        # Far beyond the sharp width h and eps are small, and the sharp form is nearly attained.
        {
            "n": 4,
            "d": 4,
            "rows": "orthogonal",
            "phi": "softplus",
            "k": 4000,
            "chance": 0.1,
            "eta_bar": 0.02,
            "steps": 8,
        },
        # Two rows at an angle: lambda(X) far below ||Sigma(X)||, and labels where it is slowest.
        {
            "n": 2,
            "d": 3,
            "rows": "parallel",
            "angle": 0.8,
            "phi": "linear",
            "k": 400,
            "chance": 0.3,
            "y": "bottom",
            "steps": 60,
        },
        _PAIR,
        # The explicit width, and the paper's.
        {
            "n": 6,
            "d": 6,
            "rows": "orthogonal",
            "phi": "softplus",
            "form": "explicit",
            "widest": 2e4,
            "chance": 0.5,
            "steps": 6,
        },
        {
            "n": 2,
            "d": 2,
            "rows": "orthogonal",
            "phi": "gelu",
            "form": "paper",
            "widest": 5e5,
            "chance": 0.9,
            "steps": 5,
        },
    ),
    proof=(
        r"$\sigma_{\min}(J(W_0))$ by matrix Chernoff (`initial-jacobian-spectrum`), $\|r_0\|$ by Gaussian "
        r"concentration (`initial-misfit`), $J$ Lipschitz (`jacobian-lipschitz`): `gd-convergence` with $\alpha = "
        r"\sigma_0/2$ then holds for all $t$, and through $\lambda(X) \ge \mu_\phi^2 \sigma_{\min}(X*X)^2$ the "
        "paper's form. Sharp: `gd-kantorovich` (its sharp form; 'own c' has the $c$ of that lemma in place of 1), "
        r"`jacobian-lipschitz-optimal`, the sharp misfit; $\epsilon$ and $\delta$ share a total failure "
        "probability."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
