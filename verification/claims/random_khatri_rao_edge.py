r"""random-khatri-rao-edge: the edges of the spectra of X*X and X for rows on the sphere (docs/theory.md section 6)."""

from __future__ import annotations

import math
from collections.abc import Callable

from jacspec import bounds
from verification.claim import Claim, Kind, Mutant, Variant
from verification.instances import Instance
from verification.random_rows import RANDOM_ROWS, centred_norm, geometric, spectral_norm, square_spectrum
from verification.trend import Form, Grid, Law

#: Edges of random matrices fluctuate, and are displaced, by n^(-2/3) of their size (Tracy-Widom).
EDGE_POWER = 2 / 3

_ROOT2 = math.sqrt(2)


def rows_per_product(share: float, name: str, first: int, count: int, usual: int, draws: int) -> Grid:
    """n a fixed share of p = (d-1)(d+2)/2, d growing geometrically."""
    shapes = tuple((round(share * (d - 1) * (d + 2) / 2), d) for d in geometric(first, count, _ROOT2))
    return Grid(name, shapes, usual, draws)


def rows_per_dimension(ratio: float, name: str, first: int, count: int, usual: int, draws: int) -> Grid:
    """n = ratio d, n growing geometrically."""
    return Grid(name, tuple((n, round(n / ratio)) for n in geometric(first, count, 2.0)), usual, draws)


def _shape(instance: Instance) -> tuple[int, int]:
    n, d = instance["X"].shape
    return n, d


def _over(measured: Callable[[Instance], float], predicted: Callable[[int, int], float]) -> Callable[[Instance], float]:
    return lambda instance: measured(instance) / predicted(*_shape(instance))


def _least(instance: Instance) -> float:
    return square_spectrum(instance)[0]


def _beyond(predicted: Callable[[int, int], float]) -> Callable[[Instance], float]:
    """1 + the distance of ||X*X||^2 from what is predicted. At least 1 + n/d - predicted: ||XX^T||_F^2 >= n^2/d."""
    return lambda instance: 1 + square_spectrum(instance)[1] - predicted(*_shape(instance))


def _limit(name: str, quantity: Callable[[Instance], float], grid: Grid, power: float) -> Law:
    """quantity -> 1; corrections in n^-power, and its square."""
    return Law(name, quantity, grid, Form.LIMIT, 1.0, (power, 2 * power), decay=-power)


TENTH = rows_per_product(0.1, "n = p/10", 16, 8, 6, 32)
QUARTER = rows_per_product(0.25, "n = p/4", 11, 8, 6, 32)
HALF = rows_per_product(0.5, "n = p/2", 11, 7, 5, 32)
_WIDE = rows_per_dimension(0.25, "n = d/4", 16, 7, 5, 24)
_SQUARE = rows_per_dimension(1.0, "n = d", 16, 8, 6, 24)
_TALL = rows_per_dimension(4.0, "n = 4d", 16, 8, 6, 24)

LAWS = (
    _limit("lower edge, n = p/10", _over(_least, bounds.khatri_rao_edge), TENTH, EDGE_POWER),
    _limit("lower edge, n = p/4", _over(_least, bounds.khatri_rao_edge), QUARTER, EDGE_POWER),
    _limit("lower edge, n = p/2", _over(_least, bounds.khatri_rao_edge), HALF, EDGE_POWER),
    _limit("upper edge, n = p/4", _over(centred_norm, bounds.khatri_rao_upper_edge), QUARTER, EDGE_POWER),
    # The outlier is 1^T K 1/n to first order, an average: it is off by 1/d, which is n^(-1/2) here.
    _limit("outlier, n = p/4", _beyond(bounds.khatri_rao_outlier), QUARTER, 0.5),
    _limit("norm, n = d/4", _over(spectral_norm, bounds.random_norm_limit), _WIDE, EDGE_POWER),
    _limit("norm, n = d", _over(spectral_norm, bounds.random_norm_limit), _SQUARE, EDGE_POWER),
    _limit("norm, n = 4d", _over(spectral_norm, bounds.random_norm_limit), _TALL, EDGE_POWER),
)

_EDGE = r"\sigma_{\min}(X*X)^2 / [(1 - 1/d)(1 - \sqrt{n/p})^2] \to 1"
_NORM = r"\|X\| / (1 + \sqrt{n/d}) \to 1"
_STATEMENTS = (
    *(_EDGE,) * 3,
    r"\|(XX^\top)^{\circ 2} - 11^\top/d\| / [(1 - 1/d)(1 + \sqrt{n/p})^2] \to 1",
    r"\|X*X\|^2 - n/d \to 1",
    *(_NORM,) * 3,
)


def _mutant(
    name: str, why: str, quantity: Callable[[Instance], float], grid: Grid, power: float = EDGE_POWER
) -> Mutant:
    return Mutant(name, why, trends=(_limit(name, quantity, grid, power),))


CLAIM = Claim(
    id="random-khatri-rao-edge",
    title="The spectrum of X*X for random rows has Marchenko-Pastur edges and one outlier",
    statement=(
        r"\sigma_{\min}(X*X)^2 \to (1 - 1/d)(1 - \sqrt{n/p})^2,\ p = (d-1)(d+2)/2; \quad "
        r"\|X*X\|^2 \approx n/d + 1; \quad \|X\| \to 1 + \sqrt{n/d}"
    ),
    source=r"jacspec; docs/theory.md section 6; Marchenko & Pastur 1967 for the rows $x x^\top - I/d$",
    kind=Kind.ASYMPTOTIC,
    domain=RANDOM_ROWS,
    variants=tuple(Variant(law.name, statement) for law, statement in zip(LAWS, _STATEMENTS, strict=True)),
    sides=None,
    trends=LAWS,
    mutants=(
        _mutant(
            "all-products",
            "$p = d^2$: the coincidence of $x_a x_b$ and $x_b x_a$ forgotten",
            _over(_least, lambda n, d: (1 - 1 / d) * (1 - math.sqrt(n) / d) ** 2),
            QUARTER,
        ),
        _mutant(
            "not-squared",
            r"$(1 - \sqrt{n/p})$ without the square",
            _over(_least, lambda n, d: math.sqrt((1 - 1 / d) * bounds.khatri_rao_edge(n, d))),
            TENTH,
        ),
        _mutant(
            "without-root",
            r"$(1 - n/p)^2$ for $(1 - \sqrt{n/p})^2$",
            _over(_least, lambda n, d: (1 - 1 / d) * (1 - 2 * n / ((d - 1) * (d + 2))) ** 2),
            TENTH,
        ),
        _mutant(
            "lower-for-upper",
            "the upper edge $(1 - 1/d)(1 + n/p)^2$, without the root",
            _over(centred_norm, lambda n, d: (1 - 1 / d) * (1 + 2 * n / ((d - 1) * (d + 2))) ** 2),
            QUARTER,
        ),
        _mutant("outlier-half", "$n/d + 1/2$ for $n/d + 1$", _beyond(lambda n, d: n / d + 0.5), QUARTER, 0.5),
        _mutant(
            "norm-without-one",
            r"$\|X\| \to \sqrt{n/d}$",
            _over(spectral_norm, lambda n, d: math.sqrt(n / d)),
            _TALL,
        ),
        _mutant(
            "norm-of-sums",
            r"$\|X\| \to \sqrt{1 + n/d}$, as if squares added",
            _over(spectral_norm, lambda n, d: math.sqrt(1 + n / d)),
            _WIDE,
        ),
    ),
    proof=(
        r"$x x^\top - I/d$ has uncorrelated coordinates in the $p$-dimensional space of symmetric matrices of trace "
        r"zero, each row of squared length $1 - 1/d$: $(XX^\top)^{\circ 2} = 11^\top/d + (1 - 1/d)$ times a Gram "
        r"matrix of $n$ nearly isotropic rows in $\mathbb{R}^p$, whose spectrum is Marchenko-Pastur's with ratio "
        r"$n/p$. The rank-one part, of norm $n/d$, makes one outlier, at $1^\top (XX^\top)^{\circ 2} 1/n = 1 + "
        "(n-1)/d$ to first order, and leaves the lower edge where it is (interlacing). No theorem is cited for the "
        "convergence of the edges of these dependent entries: hence a trend."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
