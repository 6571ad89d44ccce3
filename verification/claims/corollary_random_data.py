r"""corollary-random-data: how kappa(X) and the widths grow on random data (docs/theory.md section 6)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from jacspec import activation, bounds
from jacspec.activations import Activation
from jacspec.covariance import covariance_matrix
from jacspec.hermite import HermiteExpansion, hermite_expansion
from jacspec.widths.tails import Tails, smallest_even
from verification.claim import Claim, Kind, Mutant, Variant
from verification.instances import Instance
from verification.random_rows import RANDOM_ROWS, centred_norm, geometric, spectral_norm, square_spectrum
from verification.trend import Form, Grid, Law

Floats = NDArray[np.float64]

#: Misfit slack of the paper's and the explicit forms.
DELTA = 1.0
#: Failure probability of the sharp form, half of it for the spectrum of J(W_0) and half for the misfit.
FAILURE = 0.05

_ROOT2 = math.sqrt(2)
#: As many rows as dimensions.
SQUARE = Grid("n = d", tuple((n, n) for n in geometric(32, 12, _ROOT2)), 8, 8)
#: A fixed share of p = (d-1)(d+2)/2, the number of rows at which sigma_min(X*X) vanishes: n of order d^2.
TENTH = Grid("n = p/10", tuple((round((d - 1) * (d + 2) / 20), d) for d in geometric(24, 13, 2**0.25)), 9, 16)
#: Few rows in many dimensions.
FLAT = Grid("d = n^2", tuple((n, n * n) for n in geometric(11, 8, _ROOT2)), 6, 24)


# -- constants, measured and in the limit ----------------------------------------------------------------------------


@cache
def _smooth() -> tuple[Activation, HermiteExpansion]:
    phi = activation("softplus")
    return phi, hermite_expansion(phi)


class Constants(Protocol):
    """What the widths ask of X."""

    @property
    def n(self) -> int: ...
    @property
    def d(self) -> int: ...
    @property
    def X_norm(self) -> float:
        """||X||."""

    @property
    def square(self) -> tuple[float, float]:
        """(sigma_min(X*X)^2, ||X*X||^2)."""

    @property
    def centred(self) -> float:
        """||(XX^T)^{o2} - 11^T/d||."""

    @property
    def hidden(self) -> tuple[float, Floats | None]:
        """(lambda(X), lambda_j - lambda(X)) for softplus."""

    @property
    def output(self) -> float:
        """lambdatilde(X) for erf."""


@dataclass(frozen=True)
class Measured:
    """Of one data set; each computed once, when asked for."""

    instance: Instance

    @property
    def n(self) -> int:
        return len(self.instance["X"])

    @property
    def d(self) -> int:
        return int(self.instance["X"].shape[1])

    @property
    def X_norm(self) -> float:
        return spectral_norm(self.instance)

    @property
    def square(self) -> tuple[float, float]:
        return square_spectrum(self.instance)

    @property
    def centred(self) -> float:
        return centred_norm(self.instance)

    def _eigenvalues(self, name: str, layer: Literal["hidden", "output"]) -> Floats:
        def compute() -> Floats:
            from scipy.linalg import eigvalsh

            matrix, _ = covariance_matrix(self.instance["X"], name, layer)
            return np.asarray(eigvalsh(matrix, check_finite=False, overwrite_a=True))

        found: Floats = self.instance.once(f"{name}, {layer}", compute)
        return found

    @property
    def hidden(self) -> tuple[float, Floats | None]:
        values = self._eigenvalues("softplus", "hidden")
        return float(values[0]), values - values[0]

    @property
    def output(self) -> float:
        return float(self._eigenvalues("erf", "output")[0])


@dataclass(frozen=True)
class Limits:
    """What they are near on random data of this shape, by `random-khatri-rao-edge`.

    lambda(X) is what the Hermite series leaves when the d large eigenvalues of its first term are taken out and powers
    beyond the second are near the identity: no theorem, but it serves as a finite-size factor only.
    """

    n: int
    d: int

    @property
    def X_norm(self) -> float:
        return bounds.random_norm_limit(self.n, self.d)

    @property
    def square(self) -> tuple[float, float]:
        return bounds.khatri_rao_edge(self.n, self.d), bounds.khatri_rao_outlier(self.n, self.d)

    @property
    def centred(self) -> float:
        return bounds.khatri_rao_upper_edge(self.n, self.d)

    @property
    def hidden(self) -> tuple[float, Floats | None]:
        squares = _smooth()[1].squares
        beyond = _smooth()[1].mean_derivative_square.value - float(squares[0] + squares[1])
        return float(squares[1]) * bounds.khatri_rao_edge(max(self.n - self.d, 0), self.d) + beyond, None

    @property
    def output(self) -> float:
        """Nothing is known of it but that it tends to a constant."""
        return 1.0


# -- what grows -----------------------------------------------------------------------------------------------------


def kappa(c: Constants) -> float:
    """kappa(X)."""
    return float(bounds.kappa(c.n, c.d, c.X_norm, math.sqrt(c.square[0])))


def paper_kd(c: Constants) -> float:
    """kd of `theorem-gd-smooth`, paper, for softplus."""
    phi, expansion = _smooth()
    B, mu = phi.B.value, expansion.mu_phi.value
    constant = bounds.gd_smooth_paper_constant(B)
    return float(bounds.gd_smooth_paper_sqrt_kd(constant, B, mu, DELTA, kappa(c), c.n) ** 2)


def paper_k(c: Constants) -> float:
    """The same over d."""
    return paper_kd(c) / c.d


def explicit_k(c: Constants) -> float:
    """k of `theorem-gd-smooth`, explicit, for softplus."""
    phi, _ = _smooth()
    lam, B1 = c.hidden[0], phi.B1.value
    misfit = bounds.misfit_factor_paper(DELTA, B1)
    width = bounds.gd_smooth_explicit_sqrt_k(misfit, phi.B2.value, c.n, c.X_norm, lam) ** 2
    return float(max(width, bounds.chernoff_width(c.n, B1, c.X_norm, lam)))


def two_to_four(c: Constants) -> float:
    """The computable upper bound of Lambda = ||X||_{2->4}^2."""
    return float(min(c.square[1] ** 0.5, bounds.two_to_four_centred(c.n, c.d, c.centred)))


def sharp_k(c: Constants) -> float:
    """k of `theorem-gd-smooth`, sharp, for softplus, in the limit of small steps."""
    phi, expansion = _smooth()
    B1, B2, X_norm, Lambda, (lam, gaps) = phi.B1.value, phi.B2.value, c.X_norm, two_to_four(c), c.hidden
    tails = Tails(c.n, lam, B1, X_norm, expansion.variance.value, gaps)
    log_p = math.log(FAILURE / 2)
    rho = tails.misfit(log_p)[1]

    def enough(k: int) -> bool:
        eps = tails.eps(k, log_p)
        if eps is None:
            return False
        root = bounds.gd_smooth_sharp_sqrt_k(rho, B1, B2, c.n, X_norm, Lambda, (1 - eps) * lam, 0.0)
        return bool(math.sqrt(k) > root)

    return float(smallest_even(enough)[0])


def relu_k(c: Constants) -> float:
    """k of `theorem-gd-relu`, paper."""
    C, sigma = bounds.gd_relu_paper_constant(), math.sqrt(c.square[0])
    return float(bounds.gd_relu_paper_sqrt_kd(C, DELTA, c.n, c.d, kappa(c), sigma) ** 2 / c.d)


def output_k(c: Constants) -> float:
    """k / log n of `theorem-output-layer` for erf, |phi| <= 1."""
    return float(bounds.output_layer_width_bounded(c.n, 1.0, c.output) / math.log(c.n))


# -- the laws -------------------------------------------------------------------------------------------------------

#: Edges of random matrices are displaced by n^(-2/3): what is left when everything else is known.
_EDGES = (2 / 3,)
#: Otherwise: at n = d powers of sqrt(n/p), at n of order d^2 of d/n, which are powers of n^(-1/2).
_POWERS = (0.5, 1.0)


def law(
    name: str,
    quantity: Callable[[Constants], float],
    grid: Grid,
    exponent: float,
    *,
    drift: tuple[float, ...] = _EDGES,
    true: float | None = None,
    refined: bool = True,
) -> Law:
    """quantity of order n^exponent; `refined`: with the quantity at the `Limits`, over n^true, as finite-size factor.

    `true` is the exponent itself, but for mutants: they are measured like the law that they falsify.
    """
    power = exponent if true is None else true
    return Law(
        f"{name}, {grid.name}",
        lambda instance: instance.once(quantity.__name__, lambda: quantity(Measured(instance))),
        grid,
        Form.EXPONENT,
        exponent,
        drift,
        (lambda n, d: quantity(Limits(n, d)) / n**power) if refined else None,
        "the same at the limits of random-khatri-rao-edge" if refined else "",
    )


LAWS = (
    law("kappa", kappa, SQUARE, 0.0),
    law("kappa", kappa, TENTH, 0.0),
    law("kappa", kappa, FLAT, 0.5),
    law("paper kd", paper_kd, SQUARE, 2.0),
    law("paper kd", paper_kd, TENTH, 2.0),
    law("paper k", paper_k, FLAT, 1.0),
    law("explicit k", explicit_k, TENTH, 1.5),
    law("sharp k", sharp_k, SQUARE, 1.0, drift=_POWERS),
    law("sharp k", sharp_k, TENTH, 1.0),
    law("ReLU k", relu_k, SQUARE, 1.0),
    law("ReLU k", relu_k, TENTH, 2.5),
    law("output k / log n", output_k, SQUARE, 1.0, drift=_POWERS, refined=False),
)

_STATEMENTS = (
    r"n = d:\ \kappa(X) \asymp 1",
    r"n = p/10:\ \kappa(X) \asymp 1",
    r"d = n^2:\ \kappa(X) \asymp \sqrt{d/n} = n^{1/2}",
    r"n = d:\ kd \asymp \kappa(X)^2 n^2 \asymp n^2",
    r"n = p/10:\ kd \asymp \kappa(X)^2 n^2 \asymp n^2",
    r"d = n^2:\ k \asymp \kappa(X)^2 n^2/d \asymp n",
    r"n = p/10:\ k \asymp n \|X\|^2/\lambda(X)^2 \asymp n^2/d \asymp n^{3/2}",
    r"n = d:\ k \asymp n \Lambda^2/\lambda(X)^2 \asymp n",
    r"n = p/10:\ k \asymp n \Lambda^2/\lambda(X)^2 \asymp n",
    r"n = d:\ k \asymp n^4/d^3 = n",
    r"n = p/10:\ k \asymp n^4/d^3 \asymp n^{5/2}",
    r"n = d:\ k \asymp n \log n",
)


def _mutant(
    name: str, why: str, quantity: Callable[[Constants], float], grid: Grid, exponent: float, true: float
) -> Mutant:
    return Mutant(name, why, trends=(law(name, quantity, grid, exponent, true=true),))


CLAIM = Claim(
    id="corollary-random-data",
    title=r"On random data $\kappa(X)$ is bounded for $n \ge d$, and the widths follow",
    statement=(
        r"n \le c d^2:\ \kappa(X) \asymp \max(1, \sqrt{d/n});\ kd \asymp n^2 \text{ (smooth, } n \ge d),\ "
        r"k \asymp n \text{ (smooth, } n \le d;\ \text{sharp};\ \text{output layer, up to } \log n),\ "
        r"k \asymp n^4/d^3 \text{ (ReLU, } n \ge d)"
    ),
    source="Oymak & Soltanolkotabi, arXiv 1902.04674, after their theorems; widths as `jacspec widths` has them",
    kind=Kind.ASYMPTOTIC,
    domain=RANDOM_ROWS,
    variants=tuple(Variant(law.name, statement) for law, statement in zip(LAWS, _STATEMENTS, strict=True)),
    sides=None,
    trends=LAWS,
    mutants=(
        _mutant("kappa-without-root", r"$\kappa$ of order $d/n$, not of its root", kappa, FLAT, 1.0, 0.5),
        _mutant("kappa-always-bounded", r"$\kappa$ bounded for $n \le d$ as well", kappa, FLAT, 0.0, 0.5),
        _mutant("kappa-grows", r"$\kappa$ of order $\|X\| = (n/d)^{1/2}$ for $n \ge d$", kappa, TENTH, 0.25, 0.0),
        _mutant("kd-linear", "$kd$ of order $n$ for $n^2$", paper_kd, SQUARE, 1.0, 2.0),
        _mutant("kd-between", "$kd$ of order $n^{3/2}$ for $n^2$", paper_kd, TENTH, 1.5, 2.0),
        _mutant("sharp-as-explicit", "the sharp $k$ of order $n^2/d$, as the explicit one", sharp_k, TENTH, 1.5, 1.0),
        _mutant("explicit-as-sharp", "the explicit $k$ of order $n$, as the sharp one", explicit_k, TENTH, 1.0, 1.5),
        _mutant("relu-cubic", "$k$ of order $n^3/d^2$ for ReLU", relu_k, TENTH, 2.0, 2.5),
        _mutant("output-quadratic", "$k$ of order $n^2$ for the output layer", output_k, SQUARE, 2.0, 1.0),
    ),
    proof=(
        r"Put $\|X\| \approx 1 + \sqrt{n/d}$ and $\sigma_{\min}(X*X)^2 \approx (1 - 1/d)(1 - \sqrt{n/p})^2$ "
        r"(random-khatri-rao-edge) into $\kappa = \sqrt{d/n} \, \|X\| / \sigma_{\min}(X*X)^2$ and into the widths; "
        r"$\lambda(X)$ lies between $\mu_\phi^2 \sigma_{\min}(X*X)^2$ and $E \phi'^2$, and $\Lambda \le \sqrt n/d + "
        r"O(1)$. The finite-size factors tend to 1 slowly: $(1 - \sqrt{n/p})^{-4}$ in $kd$ is $(1 - "
        r"\sqrt{2/n})^{-4}$ at $n = d$, which takes 0.2 off the exponent at $n = 200$, and $(1 + \sqrt{d/n})^6$ at "
        "$n$ of order $d^2$ differs from 1 by $n^{-1/4}$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
