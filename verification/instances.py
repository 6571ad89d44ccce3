"""Instances: pure functions from a spec (plain parameters) to arrays.

A spec is a flat mapping of names to integers, floats and words, so that an instance can be printed, pasted back
(``n=3,d=2,rows=parallel,angle=1e-6,...``), drawn and shrunk by Hypothesis, and rebuilt bit for bit anywhere. Arrays
are built *from structure* (dimensions, kind of rows, angle, seed), never drawn entry by entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jacspec import InputError, activation
from jacspec.activations import Activation

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["ROWS", "Domain", "Instance", "Spec", "format_spec", "generator", "parse_spec", "unit_rows"]

Spec = Mapping[str, int | float | str]
Floats = NDArray[np.float64]

#: Kinds of unit rows, from the generic to the extreme.
ROWS = ("sphere", "orthogonal", "clusters", "parallel", "antipodal", "repeated", "equal", "line")


@dataclass(frozen=True)
class Instance:
    """Arrays of one instance, by the letters of the theory (X, W, v, A, ...), with the spec they came from.

    Parameters
    ----------
    spec : Spec
    arrays : mapping of str to (..., ) float64
    phi : Activation or None
    trial : int
        Number of the random draw, for statements with probability.
    base : Instance or None
        For statements with probability: the same without what was drawn. Read it as `problem`.
    """

    spec: Spec
    arrays: Mapping[str, Floats]
    phi: Activation | None = None
    trial: int = 0
    base: Instance | None = field(default=None, compare=False, repr=False)
    cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __getitem__(self, name: str) -> Floats:
        return self.arrays[name]

    @property
    def activation(self) -> Activation:
        """The activation of an instance that has one."""
        if self.phi is None:
            raise KeyError("phi")
        return self.phi

    @property
    def exact(self) -> bool:
        """Whether the sides can be recomputed in higher precision (the activation is built in)."""
        return self.phi is None or self.phi.builtin

    @property
    def problem(self) -> Instance:
        """The instance without W_0, shared by all its random draws; itself where nothing is drawn.

        Constants such as lambda(X) belong in *its* cache: ``problem.once(...)`` in a function of the problem alone.
        That function cannot reach W_0, so nothing of one draw is ever taken for another.
        """
        return self if self.base is None else self.base

    @property
    def size(self) -> int:
        """Numbers in its arrays."""
        return sum(array.size for array in self.arrays.values())

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """A value computed once per instance and shared by its variants (by random draws: see `problem`)."""
        if name not in self.cache:
            self.cache[name] = compute()
        return self.cache[name]


@dataclass(frozen=True)
class Domain:
    """What the instances of a claim look like.

    Parameters
    ----------
    name : str
    specs : callable
        Returns the Hypothesis strategy of specs. It never draws the seed of a random trial.
    build : callable
        ``build(spec, trial)`` -> Instance; pure.
    from_data : callable or None
        ``from_data(X, spec)`` -> Instance on a user's X (unit rows); the spec supplies everything else.
    data_specs : tuple of Spec
        What to run on a user's X.
    """

    name: str
    specs: Callable[[], SearchStrategy[Spec]]
    build: Callable[[Spec, int], Instance]
    from_data: Callable[[Floats, Spec, int], Instance] | None = None
    data_specs: tuple[Spec, ...] = ()


# -- specs as text --------------------------------------------------------------------------------------------------


def format_spec(spec: Spec) -> str:
    """``{"n": 3, "rows": "sphere"}`` -> ``"n=3,rows=sphere"``; floats in full."""
    return ",".join(f"{key}={value if isinstance(value, str) else repr(value)}" for key, value in spec.items())


def parse_spec(text: str) -> Spec:
    """The inverse of `format_spec`.

    Raises
    ------
    InputError
        If the text is not ``name=value,name=value``.
    """
    spec: dict[str, int | float | str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key.strip() or not value.strip() or key.strip() in spec:
            raise InputError("--instance", repr(part), "name=value pairs separated by commas, each name once")
        spec[key.strip()] = _value(value.strip())
    return spec


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


# -- building blocks ------------------------------------------------------------------------------------------------


def generator(spec: Spec, *purpose: int) -> np.random.Generator:
    """A generator keyed by the spec's seed and a purpose, independent for different purposes."""
    return np.random.default_rng(np.random.SeedSequence([int(spec.get("seed", 0)), *purpose]))


def _normalise(A: Floats) -> Floats:
    return np.asarray(A / np.linalg.norm(A, axis=1)[:, None])


def unit_rows(n: int, d: int, kind: str, angle: float, rng: np.random.Generator) -> Floats:
    """n unit rows in R^d of a stated kind.

    Parameters
    ----------
    n, d : int
    kind : str
        "sphere": uniform. "orthogonal": orthonormal while n <= d, then repeating directions of a random basis rotated
        a little. "clusters": rows within `angle` of n/3 centres. "parallel": the second row at `angle` to the first.
        "antipodal": the second row is minus the first. "repeated": the second row is the first. "equal": all rows
        the same. "line": every row is plus or minus one direction (the whole of R^1). Drawn only where a domain
        asks for them: "pairs": the second half of the rows is minus the first; "near-pairs": the same, turned by
        `angle`; "arc": equally spaced by `angle` on a great circle.
    angle : float
        Radians, for "clusters", "parallel", "near-pairs" and "arc".
    rng : numpy.random.Generator

    Returns
    -------
    (n, d) float64
        Unit up to rounding.

    Raises
    ------
    InputError
        For an unknown kind.
    """
    X = _normalise(rng.standard_normal((n, d)))
    if kind == "sphere":
        return X
    if kind == "orthogonal":
        Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
        return _normalise(np.concatenate([Q[:n], X[min(n, d) :]]))
    if kind == "clusters":
        centres = X[: max(1, n // 3)]
        return _normalise(centres[np.arange(n) % len(centres)] + math.tan(angle) * _tangents(centres, n, d, rng))
    if kind == "parallel":
        if n > 1:
            X[1] = X[0] + math.tan(angle) * _tangents(X[:1], 1, d, rng)[0]
        return _normalise(X)
    if kind == "antipodal":
        if n > 1:
            X[1] = -X[0]
        return X
    if kind == "repeated":
        if n > 1:
            X[1] = X[0]
        return X
    if kind == "equal":
        return np.repeat(X[:1], n, axis=0)
    if kind == "arc":
        steps = np.arange(n) * angle
        return _normalise(np.outer(np.cos(steps), X[0]) + np.outer(np.sin(steps), _tangents(X[:1], 1, d, rng)[0]))
    if kind == "pairs":
        half = (n + 1) // 2
        return np.concatenate([X[:half], -X[: n - half]])
    if kind == "near-pairs":
        half = (n + 1) // 2
        turned = X[: n - half] + math.tan(angle) * _tangents(X[:half], n - half, d, rng)
        return np.concatenate([X[:half], -_normalise(turned)])
    if kind == "line":
        return np.asarray(X[:1] * rng.choice([-1.0, 1.0], size=(n, 1)))
    raise InputError("rows", repr(kind), f"one of {', '.join(ROWS)}")


def _tangents(centres: Floats, n: int, d: int, rng: np.random.Generator) -> Floats:
    """Random unit tangent vectors at the centres (zero in R^1, which has none)."""
    T = rng.standard_normal((n, d))
    C = centres[np.arange(n) % len(centres)]
    T -= np.sum(T * C, axis=1)[:, None] * C
    lengths = np.linalg.norm(T, axis=1)[:, None]
    return np.asarray(np.where(lengths > 1e-12, T / np.where(lengths > 0, lengths, 1.0), 0.0))


def output_weights(k: int, kind: str, scale: float, rng: np.random.Generator) -> Floats:
    """k output weights: "balanced" (half plus, half minus), "gaussian", "spike" (one nonzero) or "ones"."""
    if kind == "balanced":
        v = np.full(k, 1 / math.sqrt(k))
        v[k // 2 :] *= -1
    elif kind == "gaussian":
        v = rng.standard_normal(k) / math.sqrt(k)
    elif kind == "spike":
        v = np.zeros(k)
        v[0] = 1.0
    elif kind == "ones":
        v = np.ones(k)
    else:
        raise InputError("v", repr(kind), "one of balanced, gaussian, spike, ones")
    return np.asarray(scale * v)


def steepest_direction(X: Floats) -> Floats:
    """A unit w that maximises ``sum_i <x_i, w>^4``, up to rounding, by the ascent ``w <- X^T (Xw)^3`` from each row."""
    w = X.T.copy()
    for _ in range(200):
        w = X.T @ (X @ w) ** 3
        w /= np.linalg.norm(w, axis=0)
    return np.asarray(w[:, int(np.argmax(np.sum((X @ w) ** 4, axis=0)))])


def need(spec: Spec, *names: str) -> tuple[Any, ...]:
    """Values of a spec by name.

    Raises
    ------
    InputError
        If a name is missing.
    """
    for name in names:
        if name not in spec:
            raise InputError("--instance", format_spec(spec), f"a value for {name}")
    return tuple(spec[name] for name in names)


# -- domains' builders ----------------------------------------------------------------------------------------------


def build_rows(spec: Spec, trial: int = 0) -> Instance:
    """X with unit rows; an activation when the spec names one; a general B (n, b) when it gives b."""
    n, d, rows = need(spec, "n", "d", "rows")
    X = unit_rows(n, d, rows, float(spec.get("angle", 0.1)), generator(spec, 0))
    return with_rows(_stretched(X, spec), spec, trial)


def _stretched(X: Floats, spec: Spec) -> Floats:
    """Rows of lengths from 1 to the spec's "lengths", that of the last; unit rows where it says nothing of them."""
    last = float(spec.get("lengths", 1.0))
    return X if last == 1 else np.asarray(X * np.geomspace(1.0, last, len(X))[:, None])


def with_rows(X: Floats, spec: Spec, trial: int = 0) -> Instance:
    """The same on a given X."""
    phi = activation(str(spec["phi"])) if "phi" in spec else None
    arrays = {"X": X}
    if "b" in spec:
        arrays["B"] = generator(spec, 7).standard_normal((len(X), int(spec["b"])))
    return Instance(spec, arrays, phi, trial)


def build_network(spec: Spec, trial: int = 0) -> Instance:
    """X, W, v and a second W' at a stated distance ("step"); how it differs is "move".

    "all": in all units. "one": in unit 0. "rank1": W' - W has rank one. "steepest": unit 0 moves along the unit w with
    the largest ``sum_i <x_i, w>^4``. "axes": unit l moves along axis l, for l < d. "flip": every unit just passes its
    sign change at x_0 (by a share "step"). "signs": ``X (W' - W)^T`` is a matrix of signs with orthogonal columns, and
    ``X W^T`` is "spread" times that, for independent rows: where phi'' is odd, phi' moves one way everywhere.
    """
    n, d, rows = need(spec, "n", "d", "rows")
    X = unit_rows(n, d, rows, float(spec.get("angle", 0.1)), generator(spec, 0))
    return with_network(_stretched(X, spec), spec, trial)


def with_network(X: Floats, spec: Spec, trial: int = 0) -> Instance:
    """The same on a given X."""
    k, v_kind = need(spec, "k", "v")
    phi = activation(str(spec["phi"]))
    d = X.shape[1]
    rng = generator(spec, 1)
    W = rng.standard_normal((k, d)) * float(spec.get("spread", 1.0))
    v = output_weights(k, v_kind, float(spec.get("scale", 1.0)), generator(spec, 2))
    D = generator(spec, 3).standard_normal((k, d))
    move = str(spec.get("move", "all"))
    if move == "one":
        D[1:] = 0
    elif move == "rank1":
        D = np.outer(D[:, 0], D[0])
    elif move == "steepest":
        D[0], D[1:] = steepest_direction(X), 0
    elif move == "axes":
        D = np.eye(k, d)
    elif move == "flip":
        D = -np.outer(W @ X[0], X[0])
    elif move == "signs":
        from scipy.linalg import hadamard

        signs = hadamard(1 << (max(len(X), k) - 1).bit_length())[: len(X), :k]
        D = (np.linalg.pinv(X) @ signs).T
        W = float(spec.get("spread", 1.0)) * D
    elif move != "all":
        raise InputError("move", repr(move), "one of all, one, rank1, steepest, axes, flip, signs")
    step = float(spec.get("step", 0.1))
    size = float(np.linalg.norm(D))
    if move == "flip":
        D *= 1 + step
    elif size > 0:
        D *= step / size
    return Instance(spec, {"X": X, "W": W, "v": v, "W2": W + D}, phi, trial)


def build_initialization(spec: Spec, trial: int = 0, width: Callable[[Instance], int] | None = None) -> Instance:
    """X, v of size "scale" (balanced unless "v" says otherwise) and W_0 with i.i.d. N(0, 1) entries.

    W_0 depends on (seed, trial) only. Where the spec gives no k, `width` chooses one from X and phi; the instance's
    spec then has it.
    """
    n, d, rows = need(spec, "n", "d", "rows")
    X = unit_rows(n, d, rows, float(spec.get("angle", 0.1)), generator(spec, 0))
    return with_initialization(X, spec, trial, width)


def with_initialization(
    X: Floats, spec: Spec, trial: int = 0, width: Callable[[Instance], int] | None = None
) -> Instance:
    """The same on a given X."""
    phi = activation(str(spec["phi"]))
    if "k" not in spec and width is not None:
        spec = {**spec, "k": width(Instance(spec, {"X": X}, phi))}
    (k,) = need(spec, "k")
    v = output_weights(k, str(spec.get("v", "balanced")), float(spec.get("scale", 1.0)), generator(spec, 2))
    W = generator(spec, 4, trial).standard_normal((k, X.shape[1]))
    problem = Instance(spec, {"X": X, "v": v}, phi)
    return Instance(spec, {**problem.arrays, "W": W}, phi, trial, problem)


def build_pair(spec: Spec, trial: int = 0) -> Instance:
    """General matrices A, B (n rows) and C, D (m rows) with a and b columns; entries of size "scale"."""
    n, m, a, b = need(spec, "n", "m", "a", "b")
    rng = generator(spec, 5)
    scale = float(spec.get("scale", 1.0))
    arrays = {
        "A": scale * rng.standard_normal((n, a)),
        "B": rng.standard_normal((n, b)),
        "C": scale * rng.standard_normal((m, a)),
        "D": rng.standard_normal((m, b)),
    }
    kind = str(spec.get("kind", "gaussian"))
    if kind == "unit":
        arrays = {name: _normalise(M) for name, M in arrays.items()}
    elif kind == "rank1":
        arrays = {name: np.outer(M[:, 0], M[0]) for name, M in arrays.items()}
    elif kind == "zero-row":
        for M in arrays.values():
            M[0] = 0
    elif kind != "gaussian":
        raise InputError("kind", repr(kind), "one of gaussian, unit, rank1, zero-row")
    return Instance(spec, arrays)


def build_psd(spec: Spec, trial: int = 0) -> Instance:
    """Two positive semidefinite n x n matrices P, Q, exactly symmetric, with factors (so that they are PSD exactly).

    The arrays are the factors FP (n, p) and FQ (n, q): P = FP FP^T.
    """
    n, p, q = need(spec, "n", "p", "q")
    rng = generator(spec, 6)
    FP, FQ = rng.standard_normal((n, p)), rng.standard_normal((n, q))
    kind = str(spec.get("kind", "gaussian"))
    if kind == "conditioned":
        FP *= np.geomspace(1.0, float(spec.get("small", 1e-3)), p)
    elif kind == "identity":
        FQ = np.eye(n)[:, :q] if q >= n else np.eye(n, q)
    elif kind == "diagonal":
        FQ = np.diag(np.abs(rng.standard_normal(n)) + 0.1)
    elif kind == "ones":
        FQ = np.ones((n, 1))
    elif kind == "near-ones":
        FQ = np.column_stack([np.ones(n), float(spec.get("small", 1e-3)) * FQ])
    elif kind != "gaussian":
        raise InputError("kind", repr(kind), "one of gaussian, conditioned, identity, diagonal, ones, near-ones")
    return Instance(spec, {"FP": FP, "FQ": FQ})
