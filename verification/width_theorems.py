"""What the claims about section 6 share: constants of a problem, labels, widths asked for, and runs from W_0."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jacspec.activations import Activation
from jacspec.covariance import covariance_matrix, covariance_spectrum
from jacspec.hermite import hermite_expansion
from jacspec.spectrum import data_spectrum
from jacspec.widths import Options, Problem, WidthRow, width_rows

from .arithmetic import Arithmetic
from .claim import FLOAT64
from .instances import Instance, generator
from .wide_runs import Network, WideRun, descend

__all__ = [
    "LABELS",
    "SAFE",
    "constants",
    "labels",
    "network",
    "options",
    "refusal",
    "rescaled",
    "row",
    "run",
    "scale",
    "shorter",
    "width_for",
]

Floats = NDArray[np.float64]

#: Kinds of labels: in a random direction, where X or Sigma(X) is largest, and where Sigma(X) is smallest.
LABELS = ("gaussian", "top", "bottom")
#: Promises are weakened by this: ||v|| and ||y|| are what the theorem says up to a few ulp, eta up to 2^-23.
SAFE = 1 - 2.0**-22
#: Steps of a run where the spec does not say otherwise.
STEPS = 20
#: Widths of problems end here where the spec does not say otherwise.
WIDEST = 4000
#: Multiplications of one run, beyond which a user's rows are not trained on.
_MOST_WORK = 3e8


@lru_cache(maxsize=64)
def _constants(X: bytes, shape: tuple[int, int], name: str, phi: tuple[Activation]) -> Problem:
    rows = np.frombuffer(X).reshape(shape)
    n, d = shape
    return Problem(
        n=n,
        d=d,
        y_norm=math.sqrt(n),
        y_assumed=False,
        phi=phi[0],
        spectrum=data_spectrum(rows),
        hermite=hermite_expansion(phi[0]),
        hidden=covariance_spectrum(rows, phi[0], "hidden"),
        output=covariance_spectrum(rows, phi[0], "output"),
    )


class _Same(tuple[Activation]):
    """An activation as an argument of a cache that goes by its name."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same)

    def __hash__(self) -> int:
        return 0


def constants(problem: Instance) -> Problem:
    """The constants of X and phi, for labels of norm sqrt(n). Also for a problem that has no width yet."""
    X, phi = problem["X"], problem.activation
    found: Problem = problem.once(
        "width-theorems", lambda: _constants(X.tobytes(), (X.shape[0], X.shape[1]), phi.name, _Same((phi,)))
    )
    return found


def options(problem: Instance) -> Options:
    """The theorems' free parameters, from the spec."""
    spec = problem.spec
    return Options(
        delta=float(spec.get("delta", 1.0)),
        nu=float(spec.get("nu", 2.0)),
        failure=float(spec.get("chance", 0.3)),
        eta_bar=float(spec.get("eta_bar", 1.0)),
    )


def row(problem: Instance, claim: str, variant: str) -> WidthRow:
    """What a theorem asks for on this problem."""

    def compute() -> Mapping[tuple[str, str], WidthRow]:
        return {(r.claim, r.variant): r for r in width_rows(constants(problem), options(problem))}

    found: WidthRow = problem.once("width-theorems: rows", compute)[claim, variant]
    return found


def refusal(problem: Instance, claim: str, variant: str) -> str | None:
    """Why nothing is promised at the width that the problem has, or None."""
    asked, k = row(problem, claim, variant), int(problem.spec["k"])
    if asked.k is None:
        return asked.reason or "void"
    if variant != "sharp" and options(problem).eta_bar > 1:
        return f"eta = {options(problem).eta_bar:g}/(2 beta^2) exceeds 1/(2 beta^2)"
    return f"it asks for width k = {asked.k:,}, and k is {k:,}" if k < asked.k else None


def width_for(claim: str, default: str) -> Callable[[Instance], int]:
    """A domain's `width`: what the spec's "form" of a theorem asks for, "times" over, but at most "widest".

    Where the theorem is void the width is 2; where it asks for too much, the "widest" is too little, and said to be.
    """

    def width(problem: Instance) -> int:
        spec, (n, d) = problem.spec, problem["X"].shape
        steps = int(spec.get("steps", STEPS))
        asked: int | None = row(problem, claim, str(spec.get("form", default))).k
        if asked is None:
            return 2
        affordable = _MOST_WORK / (n * (d + 20) * (steps + 1))
        most = min(float(spec.get("widest", WIDEST)), affordable)
        # A little wider than the smallest, where only the best split of the failure probability fits.
        wanted = min(asked * 1.002 * float(spec.get("times", 1)) + 2, most)
        return max(2, 2 * int(wanted / 2))

    return width


def scale(problem: Instance) -> float:
    """s = ||v|| = ||y||/sqrt(n)."""
    return FLOAT64.norm(problem["v"]).value


def shorter(eta: float) -> float:
    """A step size rounded down to 24 bits: forms that ask for the same one to within rounding share a run."""
    mantissa, exponent = math.frexp(eta)
    return math.ldexp(math.floor(math.ldexp(mantissa, 24)), exponent - 24)


def rescaled(problem: Instance, asked: WidthRow, *, of_the_spec: bool = False) -> tuple[float, float, float]:
    """(step size, rate, failure probability) of a row that is about ``||y|| = sqrt(n)``, for the problem's y.

    The row is about eta_bar = 1, and the problem about that of the spec; or both are (``of_the_spec``: sharp rows).
    """
    assert asked.step_size is not None
    assert asked.rate is not None
    assert asked.failure_probability is not None
    eta_bar = 1.0 if of_the_spec else options(problem).eta_bar
    eta = shorter(eta_bar * asked.step_size / scale(problem) ** 2)
    return eta, eta_bar * asked.rate * SAFE, asked.failure_probability / SAFE


def labels(problem: Instance) -> Floats:
    """y of norm ``||v|| sqrt(n)``, as the balanced v has it, in the direction that the spec's "y" names."""

    def compute() -> Floats:
        X, kind = problem["X"], str(problem.spec.get("y", "gaussian"))
        if kind == "top":
            y = np.linalg.svd(X)[0][:, 0]
        elif kind == "bottom":
            y = np.linalg.eigh(covariance_matrix(X, problem.activation)[0])[1][:, 0]
        else:
            y = generator(problem.spec, 8).standard_normal(len(X))
        return np.asarray(y / np.linalg.norm(y) * (scale(problem) * math.sqrt(len(X))))

    found: Floats = problem.once("width-theorems: y", compute)
    return found


def network(problem: Instance) -> Network:
    """X, v, phi and the global bounds of the Jacobian."""
    norm = FLOAT64.spectral_norm
    found: Network = problem.once(
        "width-theorems: network",
        lambda: Network(problem["X"], problem["v"], problem.activation, norm(problem["X"]).upper),
    )
    return found


def run(instance: Instance, m: Arithmetic, eta: float, *, sampled: bool = False) -> WideRun:
    """The run of "steps" steps from this draw's W_0, once per step size; SGD takes rows drawn by trial."""
    problem, steps = instance.problem, int(instance.spec.get("steps", 20))

    def compute() -> Any:
        order = None
        if sampled:
            order = generator(instance.spec, 9, instance.trial).integers(len(problem["X"]), size=steps).tolist()
        return descend(m, network(problem), instance["W"], labels(problem), eta, steps, order)

    found: WideRun = instance.once(f"width-theorems: run {type(m).__name__} {eta!r} {sampled}", compute)
    return found
