r"""sgd-convergence: one sample a step, drawn with replacement (docs/theory.md section 5).

Three kinds of statement. Of every state in the region: one step, with its n choices enumerated. Of few samples and few
steps: all n^t paths. Of long runs: what holds with probability, by simulation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from jacspec import bounds
from verification.arithmetic import Arithmetic, Float64, Number
from verification.claim import Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.instances import Instance
from verification.sampling import Limits, Paths, Step, problem_of, problems, sample_count, samples, worst
from verification.sampling.promise import EXPLICIT, SHARP, Form, Promise, anywhere, promise, state, unmet

#: Steps of the enumerated paths, by n: at most 32 paths.
_DEPTH = {1: 5, 2: 5, 3: 3}
#: Runs simulated together.
_BLOCK = 64


class Lazy(Mapping[str, Sides]):
    """Sides by variant, computed when asked for: a step, all paths and a long run are not needed together."""

    def __init__(self, compute: Mapping[str, Callable[[], Sides]]) -> None:
        self._compute = compute

    def __getitem__(self, name: str) -> Sides:
        return self._compute[name]()

    def __contains__(self, name: object) -> bool:
        return name in self._compute

    def __iter__(self) -> Iterator[str]:
        return iter(self._compute)

    def __len__(self) -> int:
        return len(self._compute)


# -- what is computed once ------------------------------------------------------------------------------------------


def _step(instance: Instance, m: Arithmetic, form: Form) -> tuple[Promise, Step, Limits, Number]:
    """The step from the state of the spec, the limits there, and s in psi."""
    problem = problem_of(instance)

    def compute() -> tuple[Promise, Step, Limits, Number]:
        given = promise(problem, form)
        sgd = given.sgd(problem, m)
        limits = given.limits(sgd)
        return given, sgd.step(state(problem, form)), limits, given.start(sgd, limits.r0)

    found: tuple[Promise, Step, Limits, Number] = problem.once(f"sgd: step of {form} in {type(m).__name__}", compute)
    return found


def _limits(instance: Instance, m: Arithmetic, form: Form) -> Limits:
    problem = problem_of(instance)
    given = promise(problem, form)
    found: Limits = problem.once(
        f"sgd: limits of {form} in {type(m).__name__}", lambda: given.limits(given.sgd(problem, m))
    )
    return found


def horizon(problem: Instance) -> int:
    """Steps of a long run; fewer where many runs are needed."""
    return int(problem.spec.get("steps", 120 if float(problem.spec.get("nu", 2.0)) <= 10 else 60))


def _run(instance: Instance, m: Arithmetic, form: Form, limits: Limits, label: str) -> tuple[Number, Number]:
    """The largest exit ratio and the largest decay ratio of this trial's run; float64 runs are made in blocks."""
    problem, trial, steps = problem_of(instance), instance.trial, horizon(problem_of(instance))
    given = promise(problem, form)
    if not isinstance(m, Float64):
        exits, decays = given.sgd(problem, m).simulate(samples(problem, trial, steps)[None], limits)
        return exits[0], decays[0]
    first = trial - trial % _BLOCK

    def block() -> tuple[list[Number], list[Number]]:
        i = np.array([samples(problem, first + j, steps) for j in range(_BLOCK)])
        return given.sgd(problem, m).simulate(i, limits)

    exits, decays = problem.once(f"sgd: runs of {form}, {label}, from {first}", block)
    return exits[trial - first], decays[trial - first]


# -- the statements -------------------------------------------------------------------------------------------------


def _one_step(instance: Instance, m: Arithmetic, noise: float = 1.0, L: float | None = None) -> Sides:
    """``E||r+||^2`` at a state, for labels and a step size that obey no hypothesis."""
    problem = problem_of(instance)
    theta, free = anywhere(problem)
    step, c = free.sgd(problem, m).step(theta), free.constants
    beta, b, eta = m.number(c.beta), m.number(c.b), m.number(free.eta)
    n, curvature = len(step.residuals), m.number(c.L if L is None else L)
    right = bounds.sgd_residual_step(eta, n, step.gradient, b, beta, curvature, step.residual)
    if noise != 1:
        quiet = bounds.sgd_residual_step(eta, n, step.gradient, m.number(0.0), beta, curvature, step.residual)
        right = right - (right - quiet) * (1 - noise)
    return Sides(step.mean_square(), right)


def _sigma_min(instance: Instance, m: Arithmetic, form: Form) -> Sides:
    """alpha against sigma_min(J) in the region."""
    given, problem = promise(problem_of(instance), form), problem_of(instance)
    f = given.sgd(problem, m).f
    return Sides(m.number(given.alpha), f.sigma_min(m.matrix(state(problem, form))))


def _contraction(instance: Instance, m: Arithmetic, form: Form, faster: float = 1.0) -> Sides:
    """The promised decrease of ``E||r||^2`` against the actual one."""
    _, step, limits, _ = _step(instance, m, form)
    return Sides(limits.rate * faster * step.residual**2, step.residual**2 - step.mean_square())


def _potential(instance: Instance, m: Arithmetic) -> Sides:
    """The rise of psi; a fall counts as none."""
    given, step, _, start = _step(instance, m, EXPLICIT)
    eta, b = m.number(given.eta), m.number(given.constants.b)
    right = bounds.sgd_potential_step(eta, len(step.residuals), step.gradient, b, step.residual, start)
    return Sides(m.maximum([step.potential_rise(start), m.number(0.0)]), right)


def _supermartingale(
    instance: Instance, m: Arithmetic, form: Form, heavier: float = 1.0, start: float | None = None
) -> Sides:
    """E V+ <= V: the weighted rise of psi (a fall counts as none) against the decrease of E||r||."""
    given, step, _, s = _step(instance, m, form)
    rise = m.maximum([step.potential_rise(s if start is None else m.number(start)), m.number(0.0)])
    weight, alpha, nothing = m.number(given.weight * heavier), m.number(given.alpha), m.number(0.0)
    return Sides(bounds.sgd_lyapunov(weight, alpha, nothing, rise), step.residual - step.mean_residual())


def _paths(instance: Instance, m: Arithmetic, form: Form) -> Paths:
    problem = problem_of(instance)
    given, limits = promise(problem, form), _limits(instance, m, form)

    def compute() -> Paths:
        sgd = given.sgd(problem, m)
        return sgd.paths(_DEPTH[sgd.f.n], limits)

    found: Paths = problem.once(f"sgd: paths of {form} in {type(m).__name__}", compute)
    return found


def _mean_square(instance: Instance, m: Arithmetic, form: Form, faster: float = 1.0) -> Sides:
    """``E[||r_t||^2 1{T > t}]`` over all paths; the t that decides."""
    limits, left = _limits(instance, m, form), _paths(instance, m, form).mean_squares
    right = [bounds.sgd_mean_square(limits.rate * faster, t + 1, limits.r0) for t in range(len(left))]
    return Sides(*worst(m, left, right))


def _exit_paths(instance: Instance, m: Arithmetic, form: Form) -> Sides:
    """P(T <= t) over all paths of the longest t."""
    nu = m.number(promise(problem_of(instance), form).nu)
    return Sides(_paths(instance, m, form).exits[-1], bounds.sgd_exit_failure(nu))


def _exit(instance: Instance, m: Arithmetic, form: Form, nearer: float = 1.0, label: str = "") -> Sides:
    """How near a long run comes to the exit."""
    limits = _limits(instance, m, form)
    closer = Limits(limits.distance * (1 / nearer), limits.residual, limits.rate, limits.r0)
    return Sides(_run(instance, m, form, closer, label)[0], m.number(1.0))


def _decay(instance: Instance, m: Arithmetic, form: Form, faster: float = 1.0, label: str = "") -> Sides:
    """``sup_{t < T} ||r_t||^2 / ((1 - rate)^t ||r_0||^2)`` of a long run."""
    limits = _limits(instance, m, form)
    sooner = Limits(limits.distance, limits.residual, limits.rate * faster, limits.r0)
    chance = m.number(float(problem_of(instance).spec.get("chance", 0.1)))
    return Sides(_run(instance, m, form, sooner, label)[1], 1 / chance)


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """All variants, each computed when it is asked for; all paths where n is small enough."""
    compute: dict[str, Callable[[], Sides]] = {
        "one step": lambda: _one_step(instance, m),
        "potential": lambda: _potential(instance, m),
    }

    def add(form: Form, suffix: str) -> None:
        compute[f"sigma_min{suffix}"] = lambda: _sigma_min(instance, m, form)
        compute[f"contraction{suffix}"] = lambda: _contraction(instance, m, form)
        compute[f"supermartingale{suffix}"] = lambda: _supermartingale(instance, m, form)
        if sample_count(instance) in _DEPTH:
            compute[f"mean square, all paths{suffix}"] = lambda: _mean_square(instance, m, form)
            compute[f"exit, all paths{suffix}"] = lambda: _exit_paths(instance, m, form)
        compute[f"exit{suffix}"] = lambda: _exit(instance, m, form)
        compute[f"decay{suffix}"] = lambda: _decay(instance, m, form)

    add(EXPLICIT, "")
    add(SHARP, ", sharp")
    return Lazy(compute)


def failure(problem: Instance) -> Mapping[str, float]:
    """1/nu for the exits; any p for the decay, with 1/p in its bound."""
    exit_ = math.nextafter(float(bounds.sgd_exit_failure(float(problem.spec.get("nu", 2.0)))), 1)
    chance = float(problem.spec.get("chance", 0.1))
    return {"exit": exit_, "exit, sharp": exit_, "decay": chance, "decay, sharp": chance}


# -- false neighbours -----------------------------------------------------------------------------------------------


def _mutant(of: Callable[[Instance, Arithmetic], Sides]) -> Callable[[Instance, Arithmetic], Mapping[str, Sides]]:
    return lambda instance, m: Lazy({"mutant": lambda: of(instance, m)})


def _first_sample(instance: Instance, m: Arithmetic) -> Sides:
    _, step, limits, _ = _step(instance, m, EXPLICIT)
    problem = problem_of(instance)
    first = promise(problem, EXPLICIT).sgd(problem, m).step(state(problem, EXPLICIT), np.zeros(1, dtype=np.int64))
    return Sides(limits.rate * step.residual**2, step.residual**2 - first.mean_square())


def _paths_mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    if sample_count(instance) not in _DEPTH:
        return {}
    return Lazy({"mutant": lambda: _mean_square(instance, m, SHARP, 1.05)})


#: Steps as long as full-batch gradient descent takes them on orthonormal rows.
_LONG = Form(stride=1.9)
#: The hypothesis without nu: residuals nu times as large.
_FAR = Form(misfit=None)

_MUTANTS = (
    Mutant(
        "contraction-half-faster",
        r"rate $1.5 \eta \alpha^2/n$",
        _mutant(lambda x, m: _contraction(x, m, EXPLICIT, 1.5)),
    ),
    Mutant(
        "sharp-contraction-tenth-faster",
        r"1.1 times the sharp rate $(2 - q) \eta \alpha^2/n$",
        _mutant(lambda x, m: _contraction(x, m, SHARP, 1.1)),
    ),
    Mutant(
        "full-batch-rate",
        r"$\eta \alpha^2$ for one sample, without $1/n$",
        _mutant(lambda x, m: _contraction(x, m, EXPLICIT, float(sample_count(x)))),
    ),
    Mutant("first-sample", "the first sample at every step, instead of a random one", _mutant(_first_sample)),
    Mutant("long-step", r"$\eta = 1.9/b^2$, beyond the cap", _mutant(lambda x, m: _contraction(x, m, _LONG))),
    Mutant("half-noise", r"half of the term in $\eta^2$", _mutant(lambda x, m: _one_step(x, m, noise=0.5))),
    Mutant(
        "without-curvature", r"$\beta^2$ in place of $\beta^2 + L \|r\|$", _mutant(lambda x, m: _one_step(x, m, L=0.0))
    ),
    Mutant(
        "potential-without-start",
        r"$\psi = \|\theta - \theta_0\|$, without $s$",
        _mutant(lambda x, m: _supermartingale(x, m, EXPLICIT, start=0.0)),
    ),
    Mutant(
        "heavy-potential",
        r"$V = \|r\| + 25 \alpha \psi$ in place of $\alpha/4$",
        _mutant(lambda x, m: _supermartingale(x, m, EXPLICIT, heavier=100.0)),
    ),
    Mutant(
        "hypothesis-without-nu",
        r"$\alpha^2 \ge 8 L \|r_0\|$, and $\sigma_{\min}(J) \ge \alpha$ within $8 \nu \|r_0\|/\alpha$",
        _mutant(lambda x, m: _sigma_min(x, m, _FAR)),
    ),
    Mutant("paths-twentieth-faster", "1.05 times the sharp rate, over all paths", _paths_mutant),
    Mutant(
        "exit-distance",
        r"$2 \|r_0\|/(5 \alpha)$ in place of $8 \nu \|r_0\|/\alpha$",
        _mutant(lambda x, m: _exit(x, m, EXPLICIT, 20 * promise(problem_of(x)).nu, "nearer")),
        failure=lambda problem: {"mutant": failure(problem)["exit"]},
        kind=Kind.PROBABILITY,
    ),
    Mutant(
        "long-step-exit",
        r"$\eta = 1.9/b^2$, beyond the cap",
        _mutant(lambda x, m: _exit(x, m, _LONG)),
        failure=lambda problem: {"mutant": failure(problem)["exit"]},
        kind=Kind.PROBABILITY,
    ),
    Mutant(
        "full-batch-decay",
        r"$(1 - \eta \alpha^2)^t$ along a run, without $1/n$",
        _mutant(lambda x, m: _decay(x, m, EXPLICIT, float(sample_count(x)), "full batch")),
        failure=lambda problem: {"mutant": failure(problem)["decay"]},
        kind=Kind.PROBABILITY,
    ),
)  # fmt: skip


# -- the claim ------------------------------------------------------------------------------------------------------

_EDGE: dict[str, int | float | str] = {"nu": 2.0, "weight": 0.5, "share": 1.0, "stride": 1.0, "chance": 0.5}
_PAIR: dict[str, int | float | str] = {"shape": "pair", "omega": 1.0, "aim": "bottom", **_EDGE}

CLAIM = Claim(
    id="sgd-convergence",
    title="SGD with one sample a step stays near its start and converges",
    statement=(
        r"\sigma_{\min}(J(\theta_0)) \ge 2\alpha, \ \alpha^2 \ge 8 \nu L \|r_0\|, \ "
        r"\eta \le \min\{4\alpha^2/(5 b^2 \beta^2), 4/(\nu b^2)\} \ \Rightarrow\ "
        r"P(T < \infty) \le 1/\nu, \ E[\|r_t\|^2 1\{T > t\}] \le (1 - \eta \alpha^2/n)^t \|r_0\|^2, \ "
        r"T \text{ the first exit from } \|\theta_t - \theta_0\| \le 8 \nu \|r_0\|/\alpha, \|r_t\| \le 2 \nu \|r_0\|"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674, with constants",
    kind=Kind.UPPER,
    domain=problems(),
    assumptions=(
        Assumption(r"$\sigma_0 > 0$; labels and $\eta$ as the hypotheses ask", lambda x: unmet(problem_of(x))),
    ),
    variants=(
        Variant(
            "one step",
            r"E\|r_+\|^2 \le \|r\|^2 - (2\eta/n) \|J^\top r\|^2 + (\eta^2 b^2/n)(\beta^2 + L\|r\|)\|r\|^2, anywhere",
        ),
        Variant("sigma_min", r"\sigma_{\min}(J) \ge \alpha before the exit"),
        Variant("contraction", r"E\|r_+\|^2 \le (1 - \eta\alpha^2/n)\|r\|^2"),
        Variant("potential", r"E\psi_+ \le \psi + (\eta/n)\|J^\top r\| + \eta^2 b^2 \|r\|^2/(2 n s)"),
        Variant("supermartingale", r"E V_+ \le V, \ V = \|r\| + (\alpha/4) \psi"),
        Variant("mean square, all paths", r"E[\|r_t\|^2 1\{T > t\}] \le (1 - \eta\alpha^2/n)^t \|r_0\|^2"),
        Variant("exit, all paths", r"P(T \le t) \le 1/\nu"),
        Variant("sigma_min, sharp", r"\alpha = (\sigma_0 + \sqrt{\sigma_0^2 - 8 \nu L \|r_0\|/w})/2"),
        Variant("contraction, sharp", r"E\|r_+\|^2 \le (1 - (2 - q)\eta\alpha^2/n)\|r\|^2"),
        Variant("supermartingale, sharp", r"V = \|r\| + w \alpha \psi"),
        Variant("mean square, all paths, sharp", r"(1 - (2 - q)\eta\alpha^2/n)^t \|r_0\|^2"),
        Variant("exit, all paths, sharp", r"P(T \le t) \le 1/\nu, exit at 2 \nu \|r_0\|/(w \alpha)"),
        Variant("exit", r"P(T < \infty) \le 1/\nu", Kind.PROBABILITY),
        Variant("exit, sharp", r"the same, exit at 2 \nu \|r_0\|/(w \alpha)", Kind.PROBABILITY),
        Variant(
            "decay",
            r"\|r_t\|^2 \le (1 - \eta\alpha^2/n)^t \|r_0\|^2/p for all t < T, except with probability p",
            Kind.PROBABILITY,
        ),
        Variant("decay, sharp", r"(1 - (2 - q)\eta\alpha^2/n)^t \|r_0\|^2/p", Kind.PROBABILITY),
    ),
    sides=sides,
    failure=failure,
    mutants=_MUTANTS,
    extremal=(
        # Linear, rows nearly parallel: the term in eta^2 and the sharp rate are nearly attained from theta_0.
        {**_PAIR, "bend": 0.0, "narrow": 0.03, "state": "start"},
        # The least singular value falls to alpha at the rim of the region: the explicit rate, to a factor 1.28.
        {**_PAIR, "bend": 3.0, "narrow": 0.03, "state": "weakest", "reach": 0.99},
        # Curvature alone: L||r|| is 100 beta^2.
        {"shape": "curve", "bend": 0.3, "omega": 1.0, **_EDGE, "stride": 0.01, "aim": "one", "state": "start"},
        # Nearly orthonormal rows, linear, short steps: sampling shows in the rate only after a pass over all samples.
        # The residual is in one sample, and not the first.
        {
            "shape": "orthogonal",
            "n": 40,
            "extra": 0,
            "bend": 0.0,
            "narrow": 0.9,
            **_EDGE,
            "stride": 0.1,
            "aim": "one",
            "state": "start",
            "steps": 300,
        },
        {"shape": "orthogonal", "n": 1, "extra": 0, "bend": 0.0, "narrow": 1.0, **_EDGE, "aim": "one", "state": "run"},
        # nu so large that 4/(nu b^2) is the smaller cap.
        {
            "shape": "orthogonal",
            "n": 2,
            "extra": 1,
            "bend": 0.0,
            "narrow": 0.9,
            **_EDGE,
            "nu": 30.0,
            "aim": "random",
            "state": "random",
            "reach": 0.99,
            "chance": 0.1,
        },
    ),
    floor=0.75,
    proof=(
        r"$f(\theta_+) - f(\theta)$ is $J(\theta_+ - \theta)$ up to $(L/2) \|\theta_+ - \theta\|^2$, and at most "
        r"$\beta \|\theta_+ - \theta\|$ in norm; $J(\theta_+ - \theta)$ has the mean $-(\eta/n) J J^\top r$, and "
        r"$E\|\theta_+ - \theta\|^2 \le \eta^2 b^2 \|r\|^2/n$: 'one step'. Up to the exit $\sigma_{\min}(J) \ge "
        r"\sigma_0 - 2 \nu L \|r_0\|/(w \alpha) \ge \alpha$, so $\|r\| \le \|J^\top r\|/\alpha$, and with $q = \eta "
        r"b^2 (\beta^2 + 2 \nu L \|r_0\|)/\alpha^2$, $E\|r_+\|^2 \le \|r\|^2 - (2 - q)(\eta/n) \|J^\top r\|^2$: "
        r"'contraction'. Hence $E\|r_+\| \le \|r\| - (1 - q/2)(\eta/n) \|J^\top r\|^2/\|r\|$, and concavity of the "
        r"root gives 'potential'. So $V = \|r\| + w \alpha \psi$, $s = \|r_0\|/(w \alpha)$, is a supermartingale up "
        r"to the exit once $q/2 + w + w^2 \nu \eta b^2 \le 1$. $V_0 = 2 \|r_0\|$, and an exit needs $V > \nu V_0$: "
        r"Ville's inequality. The explicit theorem is $w = 1/4$, $\alpha = \sigma_0/2$: there $L \|r\| \le "
        r"\alpha^2/4 \le \beta^2/16$, so its caps give $q \le 17/20$ and $w^2 \nu \eta b^2 \le 1/4$. Lastly "
        r"$\|r_t\|^2 1\{T > t\}/(1 - \text{rate})^t$ is a supermartingale: its mean decreases, and Ville's "
        "inequality gives the decay for all $t$ at once."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
