"""What determines the outcome of a trial, and the problem that a trial is about."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jacspec import InputError, ShallowNet, balanced_output_weights
from jacspec._checks import check_choice, check_int, check_real, check_seed, suggestion
from jacspec._jit import serial_blas
from jacspec.activations import Activation, activation
from jacspec.data import Dataset, load

__all__ = ["Configuration", "Problem"]

Floats = NDArray[np.float64]

#: Counts changes of the trials themselves: rows of another version are not comparable, and a store of them is refused.
TRIALS = 1
#: Power steps for ``||J(W_0)||``. Its first singular value stands apart (phi' has a mean), or nothing hangs on it.
_POWER_STEPS = 30
#: Bits of a step size that is not given: the last bits of a matrix product, which may differ between processors, do
#: not reach it.
_STEP_BITS = 12
#: A budget that grows with n: a factor and a power of n.
_GROWING = re.compile(r"(\d+(?:\.\d+)?)?n(?:\^(\d+(?:\.\d+)?))?")
_MOST_POWER = 9
#: Labels that have a density, as `phase-transition-lower` asks.
_DENSE = ("normal",)


@dataclass(frozen=True, eq=False)
class Problem:
    """One random problem: the net at its start, the data, the step size and a seed for SGD's samples."""

    net: ShallowNet
    X: Floats
    y: Floats
    eta: float
    seed: int


@dataclass(frozen=True)
class Configuration:
    """Everything that decides what becomes of trial (n, k, number), and nothing else.

    Output weights are ``+-1/sqrt(k)``, half of each sign: the paper's balanced v for ``||y|| = sqrt(n)``, and
    independent of y. Labels of one's own are scaled to that norm, which changes no run.

    Parameters
    ----------
    d : int
    activation : str
    data : str
        "sphere" (uniform unit rows), "gaussian" (N(0, I/d), norms near 1), "clusters:groups=6,angle=0.1", or a file or
        ``sklearn:`` set whose rows, normalised, are sampled without replacement.
    labels : "normal", "signs" or "own"
        Drawn anew for each trial; "own" are those that come with the data.
    algorithm : "gd" or "sgd"
    eta : float, "auto" or "theorem"
        "auto": ``1/||J(W_0)||^2``, for SGD ``1/max ||J_i(W_0)||^2``; "theorem" (GD): ``1/(2 beta^2)``.
    steps : int or str
        Budget: steps of GD, passes of SGD over the data (n steps each). "2n^2" or "500n" grow with n, as the condition
        number of ``J J^T`` does at fixed d.
    tolerance : float in (0, 1)
        Fitted means ``||r_t|| <= tolerance ||r_0||`` within the budget.
    certify : bool
        Whether the end of a fitted run is to be certified.
    polish : int
        Gauss-Newton steps that the certificate may start with.
    seed : int
    data_sha256 : str
        Of the rows of a file; filled in by `checked`.

    Raises
    ------
    InputError
        If a value is out of range or the activation is unknown.
    """

    d: int = 20
    activation: str = "softplus"
    data: str = "sphere"
    labels: str = "normal"
    algorithm: str = "gd"
    eta: float | str = "auto"
    steps: int | str = 20_000
    tolerance: float = 1e-3
    certify: bool = False
    polish: int = 10
    seed: int = 0
    data_sha256: str = ""

    def __post_init__(self) -> None:
        check_int("d", self.d, minimum=1)
        check_choice("labels", self.labels, ("normal", "signs", "own"))
        check_choice("algorithm", self.algorithm, ("gd", "sgd"))
        if isinstance(self.steps, str):
            factor, power = _growing(self.steps)
            text = f"{'' if factor == 1 else f'{factor:.12g}'}n{'' if power == 1 else f'^{power:.12g}'}"
            object.__setattr__(self, "steps", text)
        else:
            check_int("steps", self.steps, minimum=1)
        check_real("tolerance", self.tolerance, above=0, below=1)
        check_int("polish", self.polish, minimum=0)
        check_seed("seed", self.seed)
        if isinstance(self.eta, str):
            check_choice("eta", self.eta, ("auto", "theorem"))
        else:
            object.__setattr__(self, "eta", check_real("eta", self.eta, above=0))
        if self.eta == "theorem" and self.algorithm == "sgd":
            raise InputError("eta", "'theorem'", "'auto' or a number for sgd, whose theorem's step fits nothing here")
        phi = self.phi
        if self.certify and not phi.builtin:
            raise InputError("certify", phi.name, "a built-in activation: others have no proved evaluation")
        if self.eta == "theorem" and not math.isfinite(phi.B1.upper):
            raise InputError("eta", "'theorem'", f"a number: B1 = sup|phi'| is infinite for {phi.name}")
        object.__setattr__(self, "activation", phi.name)
        if self.kind == "clusters":
            groups, angle = _clusters(self.data)
            object.__setattr__(self, "data", f"clusters:groups={groups},angle={angle!r}")
        if self.labels == "own" and self.kind != "rows":
            raise InputError("labels", "'own'", "normal or signs: generated rows bring no labels")

    @property
    def phi(self) -> Activation:
        """The activation itself."""
        return activation(self.activation)

    @property
    def kind(self) -> str:
        """ "sphere", "gaussian", "clusters" or "rows"."""
        name = self.data.partition(":")[0].strip()
        return name if name in ("sphere", "gaussian", "clusters") else "rows"

    def checked(self) -> Configuration:
        """The same, after a look at the data: d and the hash of the rows are filled in.

        Raises
        ------
        InputError
            If there is no such data, or it brings no labels and is asked for them.
        """
        if self.kind != "rows":
            if self.kind == "clusters" and self.d < 2:
                raise InputError("d", self.d, "at least 2 for clusters")
            return self
        loaded = _loaded(self.data)
        if self.labels == "own" and loaded.y is None:
            raise InputError("labels", "'own'", f"normal or signs: {self.data} brings no labels")
        values = asdict(self) | {"d": loaded.d, "data_sha256": loaded.sha256}
        return Configuration(**values)

    @cached_property
    def hash(self) -> str:
        """A hash of all of it, in 16 hexadecimal digits."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Plain values, the path of a file replaced by the hash of what it holds."""
        document = {"trials": TRIALS, **asdict(self)}
        if self.data_sha256:
            document["data"] = "rows"
        return document

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(f.name for f in fields(cls))

    def budget(self, n: int) -> int:
        """The steps (SGD: passes) that a trial of this size may make."""
        if isinstance(self.steps, int):
            return self.steps
        factor, power = _growing(self.steps)
        # rounded: the last bit of a power may depend on the machine
        return max(1, math.ceil(round(factor * math.pow(n, power), 6)))

    def impossible(self, n: int, k: int) -> bool:
        """Whether `phase-transition-lower` says that almost no labels can be interpolated: k d < n and y has a density.

        phi must be locally Lipschitz; that is known of the built-in ones and where phi' is bounded.
        """
        phi = self.phi
        return k * self.d < n and self.labels in _DENSE and (phi.builtin or math.isfinite(phi.B1.upper))

    # -- a trial --------------------------------------------------------------------------------------------------

    def problem(self, n: int, k: int, trial: int) -> Problem:
        """X, y, W_0, eta of a trial: a function of (seed, n, k, trial) alone.

        Raises
        ------
        InputError
            If the data has fewer than n rows, or another content than it had.
        """
        rng = np.random.default_rng(np.random.SeedSequence((self.seed, n, k, trial)))
        X, y = self._data(rng, n)
        v = balanced_output_weights(k, math.sqrt(n), n)
        net = ShallowNet(rng.standard_normal((k, self.d)), v, self.phi)
        with serial_blas:
            eta = self._step_size(net, X)
        return Problem(net, X, y, eta, int(rng.integers(2**63)))

    def _data(self, rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        own: Floats | None = None
        if self.kind == "rows":
            loaded = _loaded(self.data)
            if loaded.sha256 != self.data_sha256:
                raise InputError("data", repr(self.data), f"the rows of SHA-256 {self.data_sha256[:16]}...")
            if n > loaded.n:
                raise InputError("n", n, f"at most {loaded.n}, the rows of {self.data}")
            chosen = rng.choice(loaded.n, size=n, replace=False)
            X = np.ascontiguousarray(loaded.X[chosen])
            own = None if loaded.y is None else loaded.y[chosen]
        elif self.kind == "gaussian":
            X = rng.standard_normal((n, self.d)) / math.sqrt(self.d)
        elif self.kind == "clusters":
            X = _clustered(rng, n, self.d, *_clusters(self.data))
        else:
            X = _unit(rng.standard_normal((n, self.d)))
        if self.labels == "own":
            assert own is not None
            size = float(np.linalg.norm(own))
            if size == 0:
                raise InputError("labels", "'own'", f"labels that do not all vanish on {n} sampled rows")
            return X, np.asarray(own * (math.sqrt(n) / size))
        if self.labels == "signs":
            return X, np.asarray(2.0 * rng.integers(0, 2, size=n) - 1.0)
        return X, rng.standard_normal(n)

    def _step_size(self, net: ShallowNet, X: Floats) -> float:
        if not isinstance(self.eta, str):
            return self.eta
        if self.eta == "theorem":
            # ||v|| = 1
            curvature = 2 * (net.activation.B1.upper * float(np.linalg.norm(X, 2))) ** 2
        else:
            D = net.activation.derivative(X @ net.W.T) * net.v
            if self.algorithm == "sgd":
                curvature = float(np.max(np.sum(D * D, axis=1) * np.sum(X * X, axis=1)))
            else:
                curvature = _norm_squared(D, X)
        if not (math.isfinite(curvature) and curvature > 0):
            return 1.0  # J(W_0) = 0, as with dead units only: no step moves anything
        mantissa, exponent = math.frexp(1 / curvature)
        return math.ldexp(math.floor(mantissa * 2**_STEP_BITS) / 2**_STEP_BITS, exponent)


@lru_cache(maxsize=64)
def _growing(text: str) -> tuple[float, float]:
    """(2, 2) of "2n^2"."""
    found = _GROWING.fullmatch(text.replace(" ", ""))
    if found is None:
        raise InputError("steps", repr(text), "a number, or one that grows with n, as in 2n^2 or 500n")
    factor, power = (float(part) if part else 1.0 for part in found.groups())
    return check_real("steps", factor, above=0), check_real("steps", power, above=0, at_most=_MOST_POWER)


def _norm_squared(D: Floats, X: Floats) -> float:
    """``||D * X||^2`` from below by power steps from a fixed start."""
    r = np.ones(len(X)) + 1e-3 * np.cos(np.arange(len(X)))
    top = 0.0
    for _ in range(_POWER_STEPS):
        r /= np.linalg.norm(r)
        r = np.sum(D * (X @ ((D * r[:, None]).T @ X).T), axis=1)
        top = max(top, float(np.linalg.norm(r)))
        if top == 0:
            break
    return top


def _unit(Z: Floats) -> Floats:
    return np.asarray(Z / np.linalg.norm(Z, axis=1, keepdims=True))


def _clustered(rng: np.random.Generator, n: int, d: int, groups: int, angle: float) -> Floats:
    """Unit rows between angle/2 and angle from centre i mod groups, as the data spec of that name draws them."""
    centres = _unit(rng.standard_normal((groups, d)))[np.arange(n) % groups]
    tangents = rng.standard_normal((n, d))
    angles = rng.uniform(0.5 * angle, angle, size=(n, 1))
    tangents -= np.einsum("ij,ij->i", tangents, centres)[:, None] * centres
    return _unit(np.cos(angles) * centres + np.sin(angles) * _unit(tangents))


@lru_cache(maxsize=8)
def _clusters(spec: str) -> tuple[int, float]:
    """(groups, angle) of a spec such as "clusters:groups=6,angle=0.1"."""
    values: dict[str, str] = {"groups": "6", "angle": "0.1"}
    body = spec.partition(":")[2]
    for item in body.split(",") if body else []:
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or key not in values:
            known = "keys groups and angle, as in clusters:groups=6,angle=0.1"
            raise InputError("data", f"{item.strip()!r} in {spec!r}", known + suggestion(key, values))
        values[key] = value
    try:
        groups, angle = int(values["groups"]), float(values["angle"])
    except ValueError:
        raise InputError("data", repr(spec), "numbers, as in clusters:groups=6,angle=0.1") from None
    return check_int("groups", groups, minimum=1), check_real("angle", angle, at_least=0, at_most=math.pi / 2)


@lru_cache(maxsize=2)
def _loaded(source: str) -> Dataset:
    """The rows to sample from, normalised; repeated ones are left out, as they would force sigma_min(J) = 0."""
    return load(source, normalize=True, drop_repeated=True)
