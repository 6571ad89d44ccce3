"""The methods, the schedule by which they take turns, and the judging of what they find."""

from __future__ import annotations

import math
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jacspec.rounding import Estimate

from ..arithmetic import Arithmetic
from ..claim import FLOAT64, Claim, Record, Verdict, check
from ..differentiable import Differentiable, Traced, gradients
from ..drawing import draw_specs
from ..instances import Instance, Spec
from .coordinates import FREE, Coordinates
from .report import SearchOptions, Sharpness

__all__ = ["Search", "Spent"]

Floats = NDArray[np.float64]

_DRAWS = 40  # random specs drawn at a time
_PERTURBED = 6  # extremal instances tried per turn
_DESCENT = 60  # evaluations of one L-BFGS run
_EVOLUTION = 400  # evaluations of one CMA-ES run
_LARGEST_EVOLUTION = 60  # variables that CMA-ES is asked to handle
_FALSE_ALARMS = 3  # zeros on the larger side that were only rounding, after which such zeros are passed over
_NOWHERE = math.inf


class Spent(Exception):
    """The budget is used up, or everything is decided."""


#: What a claim's sides may raise on an instance where there is nothing to compare.
_NO_VALUE = (ArithmeticError, ValueError, np.linalg.LinAlgError)


@dataclass
class _Candidate:
    value: float
    instance: Instance
    method: str
    evaluation: int


@dataclass
class _State:
    """What is known of one variant."""

    best: Sharpness
    pending: _Candidate | None = None
    elite: list[tuple[float, Instance]] = field(default_factory=list)
    held: bool = False
    plain: Instance | None = None  # where it holds by more than rounding, should all that is judged be equalities
    false_alarms: int = 0

    def result(self) -> Sharpness:
        """The best, as the verdict on the variant: a statement that is attained somewhere holds elsewhere."""
        if self.held and self.best.verdict is Verdict.UNDECIDED:
            return replace(self.best, verdict=Verdict.HOLDS, reason=f"attained: {self.best.reason}")
        return self.best

    @property
    def least(self) -> float:
        slack = self.best.slack
        return _NOWHERE if slack is None else math.log(slack) if slack > 0 else -_NOWHERE


class Search:
    def __init__(self, claim: Claim, options: SearchOptions, tick: Callable[[float, str], None]) -> None:
        self.claim, self.options, self.tick = claim, options, tick
        self.began = time.perf_counter()
        self.count = 0
        self.by_method: Counter[str] = Counter()
        self.states = {v.name: _State(Sharpness(v.name, Verdict.VACUOUS)) for v in claim.variants}
        self.notes: list[str] = []
        #: (variant, array) whose gradients come from the tape; the others move by differences. None: the tape does not
        #: work, or has not been tried yet.
        self.traced: frozenset[tuple[str, str]] | None = None
        key = zlib.crc32(claim.id.encode())
        self.rng = np.random.default_rng(np.random.SeedSequence([options.seed, key]))
        self.chunk = 0
        self.chunk_key = key

    # -- one evaluation ---------------------------------------------------------------------------------------

    def spend(self, method: str) -> None:
        limit, seconds = self.options.evaluations, self.options.seconds
        used = time.perf_counter() - self.began
        if (limit is not None and self.count >= limit) or (seconds is not None and used >= seconds):
            raise Spent
        self.count += 1
        self.by_method[method] += 1
        done = max(self.count / limit if limit else 0.0, used / seconds if seconds else 0.0)
        self.tick(min(done, 1.0), method)

    @property
    def open(self) -> list[str]:
        """Variants that are still searched: a violated one is settled."""
        return [name for name, s in self.states.items() if s.best.verdict is not Verdict.VIOLATED]

    def sides(self, instance: Instance, m: Arithmetic) -> Mapping[str, tuple[Any, Any]]:
        assert self.claim.sides is not None
        if any(a.fails(instance) for a in self.claim.assumptions):
            return {}
        return {name: (s.left, s.right) for name, s in self.claim.sides(instance, m).items()}

    def values(self, instance: Instance, method: str) -> dict[str, float]:
        """log(right/left) of every variant, in plain float64; remembers what is best."""
        self.spend(method)
        m: Arithmetic = Differentiable() if self.traced is not None else FLOAT64
        try:
            found = self.sides(instance, m)
        except _NO_VALUE:
            return {}
        values = {name: _log_slack(left, right) for name, (left, right) in found.items() if name in self.states}
        for name, value in values.items():
            self.consider(name, value, instance, method)
        return values

    def gradient(self, name: str, coordinates: Coordinates, x: Floats, method: str) -> tuple[float, Floats]:
        """log(right/left) of one variant and its gradient by x."""
        instance = coordinates.instance(x)
        by_tape = {n for n in coordinates.names if (name, n) in (self.traced or ())}
        if not by_tape:
            value, G = self.values(instance, method).get(name, _NOWHERE), None
        else:
            self.spend(method)
            value, G = self.taped(name, instance, coordinates)
            self.consider(name, value, instance, method)
        if not math.isfinite(value):
            return value, np.zeros_like(x)
        g = coordinates.pull(x, G) if G is not None else np.zeros_like(x)
        for block, where in coordinates.slices():
            if block not in by_tape:
                g[where] = [
                    self.difference(name, coordinates, x, i, value, method) for i in range(where.start, where.stop)
                ]
        return value, g

    def taped(self, name: str, instance: Instance, at: Coordinates) -> tuple[float, Mapping[str, Floats] | None]:
        """The value and its gradients by the arrays, by the tape."""
        m = Differentiable({n: instance.arrays[n] for n in at.names})
        try:
            sides = self.sides(instance, m).get(name)
        except _NO_VALUE:
            sides = None
        value = _log_slack(*sides) if sides else _NOWHERE
        if sides is None or not math.isfinite(value):
            return value, None
        left, right = (s if isinstance(s, Traced) else Traced(m.split(s)[0]) for s in sides)
        leaves = [m.leaves[n] for n in at.names]
        up, down = gradients(right, leaves), gradients(left, leaves)
        return value, {n: u / right.value - d / left.value for n, u, d in zip(at.names, up, down, strict=True)}

    def difference(
        self, name: str, at: Coordinates, x: Floats, i: int, value: float, method: str, h: float = 1e-6
    ) -> float:
        """A forward difference: half the price of a central one; it shifts an optimum by h and its value by h^2."""
        moved = x.copy()
        moved[i] += h
        slope = (self.values(at.instance(moved), method).get(name, _NOWHERE) - value) / h
        return slope if math.isfinite(slope) else 0.0

    # -- judging ----------------------------------------------------------------------------------------------

    def consider(self, name: str, value: float, instance: Instance, method: str) -> None:
        """Note a value; it is judged when the running method pauses.

        Gains below one part in 10^9 are left alone: there, a bound that is attained would be judged for ever.
        """
        state = self.states[name]
        if not state.held and state.plain is None and 1e-3 < value < _NOWHERE:
            state.plain = instance
        if math.isnan(value) or value >= state.least - 1e-9 or state.best.verdict is Verdict.VIOLATED:
            return
        if value == -_NOWHERE and state.false_alarms >= _FALSE_ALARMS:
            return
        if state.pending is None or value < state.pending.value:
            state.pending = _Candidate(value, instance, method, self.count)

    def settle(self) -> None:
        """Judge what is pending; all variants profit from each judgement."""
        for name, state in self.states.items():
            candidate, state.pending = state.pending, None
            if candidate is None:
                continue
            fresh = replace(candidate.instance, cache={})
            try:
                records = check(self.claim, fresh)
            except _NO_VALUE:
                continue
            if candidate.value == -_NOWHERE and records[name].verdict is not Verdict.VIOLATED:
                state.false_alarms += 1
            for record in records.values():
                self.record(record, candidate)
        if not self.open:
            raise Spent

    def conclude(self) -> None:
        """Judge what is left; and where only equalities were judged, one instance that is none."""
        self.settle()
        for name, state in self.states.items():
            if state.best.verdict is Verdict.UNDECIDED and not state.held and state.plain is not None:
                state.held = check(self.claim, replace(state.plain, cache={}))[name].verdict is Verdict.HOLDS

    def record(self, r: Record, c: _Candidate) -> None:
        state = self.states[r.variant]
        slack = r.slack
        if r.verdict is Verdict.VACUOUS or slack is None or not math.isfinite(slack):
            return
        if state.best.verdict is Verdict.VIOLATED:
            return
        state.held |= r.verdict is Verdict.HOLDS
        # What counts is the slack that is certain: rounding noise has a small value and a large radius.
        if r.verdict is not Verdict.VIOLATED:
            known = state.best.slack
            certain = slack + r.slack_radius
            if r.slack_radius > 0.01 * abs(slack) or (
                known is not None and certain >= (known + state.best.slack_radius) * (1 - 1e-12)
            ):
                return
        state.best = Sharpness(
            r.variant, r.verdict, slack, r.slack_radius, r.left, r.right, c.method, c.evaluation, c.instance, r.reason
        )
        state.elite = sorted([*state.elite, (slack, c.instance)], key=lambda pair: pair[0])[:4]

    # -- starts -----------------------------------------------------------------------------------------------

    def build(self, spec: Spec) -> Instance:
        return self.claim.domain.build(spec, 0)

    def draw(self) -> list[Spec]:
        """The next random specs, from Hypothesis."""
        self.chunk += 1
        key = np.random.SeedSequence([self.options.seed, self.chunk_key, self.chunk]).generate_state(1)[0]
        specs: list[Spec] = []

        draw_specs(self.claim.domain.specs(), specs.append, seed=int(key), examples=_DRAWS, shrink=False)
        return specs

    def probe(self, instances: list[Instance]) -> None:
        """Which arrays the tape has the right gradients for: compare with differences along random directions."""
        agree: Counter[tuple[str, str]] = Counter()
        asked: Counter[tuple[str, str]] = Counter()
        broken = False
        for instance in instances:
            at = Coordinates(instance)
            x = at.perturbed(0.05, self.rng)
            moved = at.instance(x)
            for name in self.open:
                try:
                    self.spend("probe")
                    value, G = self.taped(name, moved, at)
                    plain = _log_slack(*self.sides(replace(moved, cache={}), FLOAT64).get(name, (0.0, 1.0)))
                except (TypeError, AttributeError, NotImplementedError, IndexError, KeyError):
                    broken = True
                    break
                except _NO_VALUE:
                    continue
                if G is None or not math.isfinite(plain):
                    continue
                if abs(value - plain) > 1e-6 * (1 + abs(plain)):
                    asked.update((name, block) for block in at.names)
                    continue
                g = at.pull(x, G)
                for block, where in at.slices():
                    u = np.zeros_like(x)
                    u[where] = self.rng.standard_normal(where.stop - where.start)
                    u /= np.linalg.norm(u)
                    ends = []
                    for h in (1e-6, -1e-6):
                        self.spend("probe")
                        ends.append(self.taped(name, at.instance(x + h * u), at)[0])
                    slope, claimed = (ends[0] - ends[1]) / 2e-6, float(g @ u)
                    if math.isfinite(slope):
                        asked[name, block] += 1
                        agree[name, block] += abs(slope - claimed) <= 1e-4 + 0.02 * abs(slope)
        if broken:
            self.traced = None
            self.notes.append("the sides cannot be differentiated; gradients come from differences")
            return
        # A kink near a probe may spoil one comparison; a gradient that is wrong spoils most.
        self.traced = frozenset(key for key in asked if agree[key] > 0.6 * asked[key])
        wrong = ", ".join(f"{block} in '{name}'" for name, block in sorted(set(asked) - self.traced))
        if wrong:
            self.notes.append(f"gradients come from differences for {wrong}")

    # -- methods ----------------------------------------------------------------------------------------------

    def extremal(self, coordinates: list[Coordinates]) -> None:
        """The claim's extremal instances, moved by a log-uniform amount."""
        for _ in range(_PERTURBED if coordinates else 0):
            at = coordinates[int(self.rng.integers(len(coordinates)))]
            self.values(at.instance(at.perturbed(10 ** self.rng.uniform(-9, 0), self.rng)), "extremal")
        self.settle()

    def descend(self, name: str, start: Instance, noise: float) -> None:
        """One L-BFGS run."""
        from scipy.optimize import minimize

        at = Coordinates(start)
        if not len(at.x0):
            return
        x = at.perturbed(noise, self.rng)

        def objective(x: Floats) -> tuple[float, Floats]:
            value, g = self.gradient(name, at, x, "l-bfgs")
            if not math.isfinite(value) or not np.all(np.isfinite(g)):
                return (-60.0 if value < 0 else 60.0), np.zeros_like(x)
            return value, g

        began = self.count

        def enough(x: Floats) -> None:
            if self.count > began + 4 * _DESCENT:  # differences are dear
                raise StopIteration

        options = {"maxfun": _DESCENT, "maxiter": _DESCENT, "ftol": 1e-13, "gtol": 1e-9}
        minimize(objective, x, jac=True, method="L-BFGS-B", bounds=at.bounds(), options=options, callback=enough)
        self.settle()

    def evolve(self, name: str, start: Instance, sigma: float) -> None:
        """One CMA-ES run; Nelder-Mead where `cma` is not installed."""
        at = Coordinates(start)
        if not 1 <= len(at.x0) <= _LARGEST_EVOLUTION:
            return
        cma = _cma() if find_spec("cma") else None

        def value(x: Floats) -> float:
            found = self.values(at.instance(np.asarray(x)), "cma" if cma else "nelder-mead").get(name, _NOWHERE)
            return min(max(found, -60.0), 60.0)

        if cma is None:
            from scipy.optimize import minimize

            simplex = np.vstack([at.x0, at.x0 + sigma * self.rng.standard_normal((len(at.x0), len(at.x0)))])
            options = {"maxfev": _EVOLUTION, "initial_simplex": simplex, "xatol": 1e-10, "fatol": 1e-12}
            minimize(value, at.x0, method="Nelder-Mead", options=options)
        else:
            # Its own generator: cma would seed NumPy's global one.
            options = {"verbose": -9, "seed": math.nan, "randn": lambda *shape: self.rng.standard_normal(shape)}
            x0 = at.x0 if len(at.x0) > 1 else np.append(at.x0, 0.0)  # cma asks for two variables
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                strategy = cma.CMAEvolutionStrategy(x0, sigma, options)
                used = 0
                while used < _EVOLUTION and not strategy.stop():
                    xs = strategy.ask()
                    strategy.tell(xs, [value(x[: len(at.x0)]) for x in xs])
                    used += len(xs)
        self.settle()

    # -- the schedule -----------------------------------------------------------------------------------------

    def run(self) -> None:
        methods = self.options.methods
        if "cma" in methods and find_spec("cma") is None:
            self.notes.append("cma is not installed, Nelder-Mead stands in: pip install 'jacspec[search]'")
        extremal = [self.build(spec) for spec in self.claim.extremal] if "extremal" in methods else []
        for instance in extremal:
            self.values(instance, "extremal")
            self.settle()
        coordinates = [at for at in map(Coordinates, extremal) if len(at.x0)]
        fresh: list[Instance] = []
        turn = idle = 0
        while self.open and idle < 8:  # with nothing to vary, there is nothing left to do
            before = self.count
            if len(fresh) < 4:
                fresh = self.refill()
                if turn == 0:
                    self.probe([i for i in fresh if Coordinates(i).names][:4])
            if "extremal" in methods:
                self.extremal(coordinates)
            for name in self.open:
                if turn % 3 and self.states[name].least < 1e-9 and any(s.least > 1e-9 for s in self.states.values()):
                    continue  # as small as it can honestly get: the others' turn, mostly
                elite = [instance for _, instance in self.states[name].elite]
                # From a new instance; from the best ones, moved; from an extremal one, moved.
                sources = [fresh, elite, fresh, extremal or elite]
                if "l-bfgs" in methods:
                    start, noise = self.start(sources[turn % 4], fresh), 10 ** self.rng.uniform(-4, -0.3)
                    self.descend(name, start, noise)
                if "cma" in methods and turn % 4 == 3:
                    start = self.start(elite if turn % 8 == 3 else fresh, fresh)
                    self.evolve(name, start, 0.3)
            if methods == ("random",):
                fresh = []
            turn += 1
            idle = idle + 1 if self.count == before else 0

    def start(self, source: list[Instance], fresh: list[Instance]) -> Instance:
        """An instance to start from; new ones are used up."""
        if source is fresh or not source:
            return fresh.pop(0) if len(fresh) > 1 else fresh[0]
        return source[int(self.rng.integers(len(source)))]

    def refill(self) -> list[Instance]:
        """New random instances: every other one of least slack, every other one small."""
        drawn = []
        for spec in self.draw():
            instance = self.build(spec)
            values = self.values(instance, "random") if "random" in self.options.methods else {}
            size = sum(instance.arrays[n].size for n in instance.arrays if n in FREE)
            drawn.append((min(values.values(), default=_NOWHERE), size, instance))
        self.settle()
        by_slack = sorted(drawn, key=lambda t: t[0])
        by_size = sorted(drawn, key=lambda t: t[1])
        mixed = [item for pair in zip(by_size, by_slack, strict=True) for item in pair]
        seen: set[int] = set()
        return [t[2] for t in mixed if id(t) not in seen and not seen.add(id(t))]  # type: ignore[func-returns-value]


def _log_slack(left: Any, right: Any) -> float:
    """log(right/left); infinite where there is nothing to compare, minus infinity where right <= 0 < left."""
    for side in (left, right):
        # A side that is mostly radius is noise.
        if isinstance(side, Estimate) and (not side.finite or side.radius > 0.01 * abs(side.value)):
            return _NOWHERE
    low, high = (s.value if isinstance(s, Estimate) else float(s) for s in (left, right))
    if not (low > 0 and math.isfinite(low) and not math.isnan(high)):
        return _NOWHERE
    return math.log(high) - math.log(low) if high > 0 else -_NOWHERE


def _cma() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that matplotlib, which it would plot with, is missing
        import cma
    return cma
