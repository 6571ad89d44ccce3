"""Matrices that are hard to enclose, balls around them, and the domains of the claims about `jacspec.enclosure`.

Conditioned up to 1e16, singular in several ways, badly scaled, subnormal; with radii and a corner of the ball, which is
the exact matrix that an enclosure must hold. Corners are numbers in a spec, never arrays: moved arrays keep a true one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jacspec import InputError

from .instances import Domain, Instance, Spec, format_spec, generator, need
from .oracle import Exact, exact

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = [
    *("CORNERS", "KINDS", "MORE_KINDS", "MORE_SYMMETRIC_KINDS", "MOST_ROWS", "RELATIVE", "SYMMETRIC_KINDS"),
    *("ball", "build_matrices", "build_symmetric", "corner", "hard_matrix", "member", "of_user", "plainly"),
    *("domain_of", "matrix_fields", "symmetric_domain", "symmetric_matrix"),
]

Floats = NDArray[np.float64]

KINDS = ("conditioned", "short", "repeated", "antipodal", "whole", "scaled", "graded", "sparse", "subnormal")
SYMMETRIC_KINDS = ("definite", "indefinite", "singular", "outer", "diagonal", "scaled", "subnormal")
#: What a campaign draws besides.
MORE_KINDS = ("dependent", "neighbour", "triangular", "hilbert")
MORE_SYMMETRIC_KINDS = ("ones", "sum")
#: Rows of a user's X that are looked at: the oracle is exact, and slow.
MOST_ROWS = 12

#: Radii of the data, relative to an entry.
RELATIVE = (0.0, 0.0, 1e-15, 1e-10, 1e-3)
#: 0: the centre. 1, -1: every entry away from zero, or towards it. 2: signs drawn by the seed.
CORNERS = (0, 1, -1, 2)


def hard_matrix(n: int, m: int, kind: str, digits: float, exponent: int, rng: np.random.Generator) -> Floats:
    """(n, m) of a stated kind.

    "conditioned": singular values from 1 down to 10^-digits. Made from that: "repeated", "antipodal" (the second row is
    plus or minus the first), "scaled" (times 2^exponent), "graded" (rows times powers of two up to 2^(+-|exponent|/4)),
    "sparse" (half of it zeros), "subnormal" (one column times 2^-1050). "short": entries just above 1, whose products
    round by nearly half a unit. "whole": small integers. "dependent": the last row is exactly a combination of the
    others. "neighbour": the second row is the first but for one unit in the last place of one entry. "triangular":
    2 I minus a triangle of ones, times a number. "hilbert": Hilbert's matrix.
    """
    if kind == "short":
        return np.asarray(1 + 2.0 ** -float(rng.integers(20, 28)) * rng.random((n, m)))
    if kind == "whole":
        return rng.integers(-3, 4, (n, m)).astype(np.float64)
    if kind == "dependent":
        D = rng.integers(-(2**24), 2**24, (n, m)).astype(np.float64)
        D[-1] = rng.integers(-3, 4, n - 1) @ D[:-1]
        return np.ldexp(D[rng.permutation(n)], -24)
    if kind == "triangular":
        return np.asarray(rng.uniform(0.5, 2) * (2 * np.eye(n, m) - np.tril(np.ones((n, m)))))
    if kind == "hilbert":
        return np.asarray(1.0 / (np.arange(1, n + 1)[:, None] + np.arange(m)))
    r = min(n, m)
    U, V = (np.linalg.qr(rng.standard_normal((k, k)))[0][:, :r] for k in (n, m))
    A = np.asarray((U * np.logspace(0, -digits, r)) @ V.T)
    if kind == "repeated":
        A[1:2] = A[0]
    elif kind == "antipodal":
        A[1:2] = -A[0]
    elif kind == "neighbour":
        A[1:2] = A[0]
        A[1:2, 0] = np.nextafter(A[0, 0], 9.0)
    elif kind == "scaled":
        A = np.ldexp(A, exponent)
    elif kind == "graded":
        reach = abs(exponent) // 4
        A = np.ldexp(A, rng.integers(-reach, reach + 1, (n, 1)))
    elif kind == "sparse":
        A[rng.random((n, m)) < 0.5] = 0.0
    elif kind == "subnormal":
        A[:, 0] = np.ldexp(A[:, 0], -1050)
    elif kind != "conditioned":
        raise InputError("kind", repr(kind), f"one of {', '.join((*KINDS, *MORE_KINDS))}")
    return np.ascontiguousarray(A)


def symmetric_matrix(n: int, kind: str, digits: float, exponent: int, rng: np.random.Generator) -> Floats:
    """(n, n), exactly symmetric, of a stated kind.

    "definite": eigenvalues from 1 down to 10^-digits; "indefinite": every second one negative. "singular": F F^T with
    whole n x (n - 1) F (zero for n = 1). "outer": c v v^T with whole numbers just below 2^42, elimination of which
    rounds. "diagonal". "scaled": definite, times 2^exponent. "subnormal": definite, one row and column times 2^-1050.
    "ones": c times all ones, plus nothing or little times I. "sum": B + B^T of small integers.
    """
    if kind == "singular":
        F = rng.integers(-4, 5, (n, max(n - 1, 1))).astype(np.float64)
        return np.asarray(F @ F.T) if n > 1 else np.zeros((1, 1))
    if kind == "outer":
        c = float(rng.choice([3.0, 5.0, 6.0, 7.0, 11.0]))
        v = np.floor(math.sqrt(2.0**42 / c) * rng.uniform(0.9, 1.0, n))
        return np.asarray(c * np.outer(v, v))
    if kind == "ones":
        return np.asarray(rng.uniform(1, 2) * np.ones((n, n)) + rng.choice([0.0, 2.0**-52, 1e-10]) * np.eye(n))
    if kind == "sum":
        B = rng.integers(-9, 10, (n, n)).astype(np.float64)
        return np.asarray(B + B.T)
    values = np.logspace(0, -digits, n)
    if kind == "diagonal":
        return np.diag(values)
    if kind == "indefinite":
        values[1::2] *= -1
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A = (Q * values) @ Q.T
    A = 0.5 * (A + A.T)
    if kind == "scaled":
        A = np.ldexp(A, exponent)
    elif kind == "subnormal":
        A[0, :] = np.ldexp(A[0, :], -1050)
        A[:, 0] = A[0, :]
    elif kind not in ("definite", "indefinite"):
        raise InputError("kind", repr(kind), f"one of {', '.join(SYMMETRIC_KINDS)}")
    return np.ascontiguousarray(A)


def ball(A: Floats, spec: Spec, name: str = "relative") -> Floats | None:
    """Radii: "relative" times each entry, or where the spec's "even" is 1 times the largest; None for exact numbers."""
    relative = float(spec.get(name, 0.0))
    if relative == 0:
        return None
    size = np.full_like(A, np.max(np.abs(A))) if spec.get("even") else np.abs(A)
    return np.asarray(relative * size)


def corner(A: Floats, spec: Spec, purpose: int, *, symmetric: bool = False) -> Floats:
    """Signs in -1, 0, 1 by the spec's "corner"."""
    which = int(spec.get("corner", 0))
    if which not in CORNERS:
        raise InputError("--instance", format_spec(spec), f"a corner among {CORNERS}")
    if which != 2:
        return which * np.where(A < 0, -1.0, 1.0)
    signs = generator(spec, 30, purpose).choice([-1.0, 1.0], size=A.shape)
    return np.asarray(np.triu(signs) + np.triu(signs, 1).T) if symmetric else signs


def member(instance: Instance, name: str, purpose: int = 0, *, symmetric: bool = False) -> Exact:
    """The corner of the ball (array, array + "_radius") that the enclosure must hold, over the rationals."""
    A, rad = instance[name], instance.arrays.get(name + "_radius")
    return exact(A, rad, None if rad is None else corner(A, instance.spec, purpose, symmetric=symmetric))


def build_matrices(spec: Spec, names: Mapping[str, tuple[str, str]], radii: tuple[str, ...] = ()) -> Instance:
    """Matrices by name, each with two sizes named in the spec; radii for those listed.

    The first has the spec's "kind", the others its "other".
    """
    kind, digits, exponent = need(spec, "kind", "digits", "exponent")
    arrays: dict[str, Floats] = {}
    for i, (name, sizes) in enumerate(names.items()):
        own = kind if i == 0 else str(spec.get("other", "conditioned"))
        n, m = need(spec, *sizes)
        arrays[name] = hard_matrix(n, m, own, float(digits), int(exponent), generator(spec, 31, i))
    return plainly(arrays, spec, radii)


def build_symmetric(spec: Spec, names: tuple[str, ...]) -> Instance:
    """Symmetric matrices by name, with radii; the first has the spec's "kind", the second its "other"."""
    n, kind, digits, exponent = need(spec, "n", "kind", "digits", "exponent")
    arrays: dict[str, Floats] = {}
    for i, name in enumerate(names):
        own = kind if i == 0 else str(spec.get("other", "definite"))
        arrays[name] = symmetric_matrix(n, own, float(digits), int(exponent), generator(spec, 32, i))
    return plainly(arrays, spec)


def plainly(arrays: Mapping[str, Floats], spec: Spec, radii: tuple[str, ...] | None = None) -> Instance:
    """The instance of given arrays, with radii by the spec (for all of them, unless told)."""
    found: dict[str, Floats] = {name: np.ascontiguousarray(A) for name, A in arrays.items()}
    for name in found.keys() if radii is None else radii:
        rad = ball(found[name], spec)
        if rad is not None:
            found = {**found, name + "_radius": rad}
    return Instance(spec, found)


def of_user(name: str) -> Any:
    """``from_data`` that puts the first rows of a user's X in the place of one matrix, with radii by the spec."""
    return lambda X, spec, trial: plainly({name: X[:MOST_ROWS]}, spec)


def matrix_fields(largest: Mapping[str, int], kinds: tuple[str, ...] = KINDS) -> dict[str, SearchStrategy[Any]]:
    """Strategies for a spec: sizes from 1 up to the stated ones, kind, digits, exponent, radii, corner, seed."""
    from hypothesis import strategies as st

    return {
        **{name: st.integers(1, most) for name, most in largest.items()},
        "kind": st.sampled_from(kinds),
        "digits": st.sampled_from([0, 3, 8, 12, 16]),
        "exponent": st.sampled_from([0, 40, -40, 500, -500, 1000, -1000, -1060]),
        "relative": st.sampled_from(RELATIVE),
        "even": st.integers(0, 1),
        "corner": st.sampled_from(CORNERS),
        "seed": st.integers(0, 2**32 - 1),
    }


def domain_of(
    name: str,
    largest: Mapping[str, int],
    names: Mapping[str, tuple[str, str]],
    radii: tuple[str, ...] = (),
    user: str = "",
) -> Domain:
    """Hard matrices by name; a user's X takes the place of the one called `user`, where that is the only one."""

    def specs() -> SearchStrategy[Spec]:
        from hypothesis import strategies as st

        fields = matrix_fields(largest)
        if len(names) > 1:
            fields["other"] = st.sampled_from(KINDS)
        return st.fixed_dictionaries(fields)

    return Domain(
        "matrices that are hard to enclose, exact or with radii",
        specs,
        lambda spec, trial: build_matrices(spec, names, radii),
        of_user(user) if user else None,
        ({}, {"relative": 1e-10, "corner": 1}, {"relative": 1e-3, "corner": 2}) if user and radii else ({},),
    )


def symmetric_domain() -> Domain:
    """One symmetric matrix S, exact or with radii."""

    def specs() -> SearchStrategy[Spec]:
        from hypothesis import strategies as st

        return st.fixed_dictionaries(matrix_fields({"n": 6}, SYMMETRIC_KINDS))

    def build(spec: Spec, trial: int) -> Instance:
        return build_symmetric(spec, ("S",))

    return Domain("symmetric matrices that are hard to enclose, exact or with radii", specs, build)
