r"""Sigma(X), or its output-layer counterpart, entry by entry with proved radii.

The matrix is that of the rows as given, *normalised exactly*: entries are functions of

.. math:: \rho_{ij} = \langle x_i, x_j \rangle / (\|x_i\| \|x_j\|),

namely ``rho E[phi'(a) phi'(b)]`` (or ``E[phi(a) phi(b)]``), a and b standard normal with correlation rho. On the
diagonal this is E phi'^2 (E phi^2). Most kernels are power series in rho with the enclosed Hermite coefficients; those
of ReLU and ELU converge slowly near +-1 and have closed forms (`dual`).

**Error of rho.** Rows are split as h + l, h in multiples of 2^-26 and |l| <= 2^-27 entrywise (`SplitRows`). Partial
sums of ``<h_i, h_j>`` are multiples of 2^-52 below 2, hence exact in any order. With ``m = sqrt(d) 2^-27 >= ||l||``,
the other two products have errors of at most ``d u m (1 + 2 m)`` each (Jeannerod & Rump 2013), their sum is at most
``2 m (1 + m)``, up to factors 1 + 1e-12, and the last addition rounds by u of the result. So products, and squares of
norms, are off by ``u |value| + k u``, ``k = (2 d + 4) m (1 + 2 m)``; a norm by ``(1.5 + k/2) u`` of itself; and two
divisions follow: altogether ``|error| <= u ((6 + k) |rho| + k)`` up to a factor 1 + 1e-9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._accurate import SplitRows
from .._checks import InputError, check_choice, check_matrix, check_memory, check_unit_rows
from .._jit import run_blocks
from ..activations import Activation
from ..activations import activation as look_up
from ..hermite import hermite_enclosures, hermite_expansion, moment_enclosure
from ..rounding import UNIT_ROUNDOFF, gamma
from .outward import flushed

__all__ = ["covariance_ball"]

Floats = NDArray[np.float64]

U = UNIT_ROUNDOFF
#: |rho| beyond which angles come from differences of rows.
_NEAR = 0.99
#: Terms of the series where those of float64 (`BallSpec.terms`) leave a tail above rounding.
_TERMS = {"erf": 128, "elu": 512}
_DIGITS = 24


def covariance_ball(X: NDArray[Any], activation: str | Activation, layer: str = "hidden") -> tuple[Floats, Floats]:
    r"""Proved entrywise enclosure of Sigma(X), or of ``E[phi(Xw) phi(Xw)^T]``, for exactly normalised rows.

    Parameters
    ----------
    X : (n, d) float64
        Rows of norm 1 up to 1e-12 in the square; what is enclosed is the matrix of the rows ``x_i/||x_i||``.
    activation : str or Activation
        A built-in one.
    layer : "hidden" or "output"

    Returns
    -------
    mid, rad : (n, n) float64, symmetric
        ``|Sigma_ij - mid_ij| <= rad_ij``, proved. With k about 1e-7 d^{3/2}, radii are some ``(6 + k) u`` times the
        kernel's slope; more where series converge slowly (arctan with rows closer than about 0.3, 1e-14; ELU's output
        layer, 1e-8).

    Raises
    ------
    InputError
        If X has no unit rows, or the activation is not built in; or if the processor takes subnormal numbers for zeros
        and X has some.
    CapacityError
        If the n x n matrices do not fit.

    References
    ----------
    docs/theory.md, ``kernel-expansion``, ``relu-covariance``.

    Examples
    --------
    >>> import numpy as np
    >>> mid, rad = covariance_ball(np.array([[1.0], [-1.0]]), "relu")
    >>> bool(np.all(np.abs(mid - np.eye(2) / 2) <= rad)), bool(rad.max() < 1e-15)
    (True, True)
    """
    X = check_matrix("X", X)
    check_unit_rows("X", X)
    if flushed(X) is not None:
        raise InputError("X", X, "no subnormal numbers while the processor takes them for zeros")
    chosen = look_up(activation)
    check_choice("layer", layer, ["hidden", "output"])
    if not chosen.builtin:
        raise InputError("activation", chosen.name, "a built-in activation: one's own has no proved constants")
    n = X.shape[0]
    check_memory("the n x n covariance and its radii", 16 * n * n, "use fewer rows")
    rows = _Rows(X)
    kernel = _kernel(chosen, layer)
    mid, rad = np.empty((n, n)), np.empty((n, n))

    def work(start: int, stop: int) -> None:
        rho, error = rows.cosines(start, stop)
        with np.errstate(under="ignore"):
            mid[start:stop], rad[start:stop] = kernel(rows, start, rho, error)

    run_blocks(work, n, max(16, 262_144 // n))
    expansion = hermite_expansion(chosen)
    exact = expansion.mean_derivative_square if layer == "hidden" else expansion.mean_square
    np.fill_diagonal(mid, exact.value)
    np.fill_diagonal(rad, exact.radius)
    # Both halves are right; blocks may round differently, so one of them is kept.
    for start in range(0, n, 512):
        stop = min(start + 512, n)
        for matrix in (mid, rad):
            corner = np.triu(matrix[start:stop, start:stop])
            matrix[start:stop, start:stop] = corner + np.triu(corner, 1).T
            matrix[stop:, start:stop] = matrix[start:stop, stop:].T
    return mid, rad


class _Rows:
    """Cosines between rows, with the error of the module's docstring."""

    def __init__(self, X: Floats) -> None:
        d = X.shape[1]
        self.X = X
        self.split = SplitRows(X)
        m = math.sqrt(d) * 2.0**-27
        k = (2 * d + 4) * m * (1 + 2 * m) * (1 + 1e-9)
        self.relative = U * (6 + k) * (1 + 1e-9)
        self.floor = U * k * (1 + 1e-9) + d * 2.0**-1000
        self.norm_error = U * (1.5 + k) * (1 + 1e-9)

    def cosines(self, start: int, stop: int) -> tuple[Floats, Floats]:
        """rho and its error, for rows start..stop against all."""
        rho = self.split.cosines(start, stop)
        return rho, self.relative * np.abs(rho) + self.floor

    def angles(self, start: int, rho: Floats, error: Floats) -> tuple[Floats, Floats]:
        """arccos |rho| for the exact rho."""
        from .dual import _CHUNK, angle_of_cosine, angle_of_rows

        size = np.abs(rho)
        alpha, radius = angle_of_cosine(size)
        near = size > _NEAR
        # |d alpha/d rho| = 1/sin alpha, up to 1e-9 the same all over an interval of 1e-14 around rho.
        sine = np.sqrt(np.maximum((1.0 - size) * (1.0 + size), 1e-4))
        radius = (radius + error / sine) * (1 + 1e-8)
        i, j = np.nonzero(near)
        step = max(1, _CHUNK // self.X.shape[1])
        norms = self.split.norms
        for first in range(0, len(i), step):
            a, b = i[first : first + step], j[first : first + step]
            found = angle_of_rows(self.X[start + a], self.X[b], norms[start + a], norms[b], self.norm_error)
            alpha[a, b], radius[a, b] = found
        return alpha, radius


# -- kernels: (rows, start, rho, error of rho) -> (values, radii) ---------------------------------------------------


def _kernel(chosen: Activation, layer: str) -> Any:
    family = chosen.family
    if family in ("relu", "leaky_relu"):
        slope = dict(chosen.parameters).get("slope", 0.0)
        return _Leaky(slope, layer)
    if family == "elu" and layer == "hidden":
        return _elu
    return _series(chosen, layer)


def _times_rho(values: Floats, radii: Floats, rho: Floats, error: Floats) -> tuple[Floats, Floats]:
    product = values * rho
    spread = radii * np.abs(rho) + (np.abs(values) + radii) * error + U * np.abs(product)
    return product, spread * (1 + 1e-9) + 2.0**-1000


@dataclass(frozen=True)
class _Leaky:
    slope: float
    layer: str

    def __call__(self, rows: _Rows, start: int, rho: Floats, error: Floats) -> tuple[Floats, Floats]:
        from .dual import angle_of_cosine, leaky_derivative, leaky_value

        s = self.slope
        if self.layer == "hidden":
            # Which side of 0 the exact rho lies on does not matter: at alpha = pi/2 both formulas agree.
            alpha, radius = rows.angles(start, rho, error)
            values, radii = leaky_derivative(s, rho >= 0, alpha, radius)
            return _times_rho(values, radii, rho, error)
        values, radii = leaky_value(s, rho, *angle_of_cosine(np.abs(rho)))
        # d/d rho = s + (1 - s)^2 P, 0 <= P <= 1/2: between s and (1 + s^2)/2.
        steep = max(abs(s), 0.5 * (1 + s * s)) * (1 + 1e-9)
        return values, (radii + steep * error) * (1 + 1e-9)


def _elu(rows: _Rows, start: int, rho: Floats, error: Floats) -> tuple[Floats, Floats]:
    from .dual import ELU_SLOPE, angle_of_cosine, elu_derivative

    values, radii = elu_derivative(rho, *angle_of_cosine(np.abs(rho)))
    return _times_rho(values, (radii + ELU_SLOPE * error) * (1 + 1e-9), rho, error)


@dataclass(frozen=True)
class _Series:
    r"""``rho^shift sum_r c_r rho^r`` with nonnegative c_r.

    Errors: of the coefficients and of Horner's rule (the one of rho^r meets 2 r + 1 roundings and the shift's),
    together at most ``constant + linear |rho|``; of rho, times the truncated series' slope at 1; and the tail, at most
    `tail` times ``(|rho| + error)^(2^squarings)``.
    """

    coefficients: Floats
    shift: int
    constant: float
    linear: float
    slope: float
    tail: float
    squarings: int

    def __call__(self, rows: _Rows, start: int, rho: Floats, error: Floats) -> tuple[Floats, Floats]:
        from .._kernels import power_series

        values = np.empty_like(rho)
        power_series(rho, self.coefficients, self.shift, values)
        size = np.abs(rho)
        radii = self.slope * error + self.constant + self.linear * size
        if self.tail > 0:
            size += error
            for _ in range(self.squarings):
                size *= size
            radii += self.tail * size
        return values, radii * (1 + 1e-9) + 2.0**-1000


@lru_cache(maxsize=64)
def _series(chosen: Activation, layer: str) -> _Series:
    from ..hermite.ball import precision
    from .taylor import upper

    spec = chosen.ball
    assert spec is not None
    count = chosen.degree if chosen.degree is not None else _TERMS.get(chosen.family, spec.terms)
    balls = hermite_enclosures(chosen, count, digits=_DIGITS)
    total = moment_enclosure(chosen, "mean_derivative_square", digits=_DIGITS)
    mean = moment_enclosure(chosen, "mean", digits=_DIGITS)
    with precision(160):
        exact = [b * b for b in balls]
        tail = 0.0 if chosen.degree is not None else upper(total - sum(exact))
        shift = 1
        if layer == "output":
            # phi = sum_r a_r h_r, a_r = mu_{r-1}/sqrt(r) (Stein); so its tail is smaller by R + 1.
            exact = [mean * mean, *(b / (r + 1) for r, b in enumerate(exact))]
            tail, shift = tail / (count + 1) * (1 + 4 * U), 0
        near = np.array([float(b.mid()) for b in exact])
        off = np.array([upper(b - f) for b, f in zip(exact, near.tolist(), strict=True)])
    power = np.arange(len(near)) + shift
    errors = np.array([gamma(2 * r + 1 + shift) for r in range(len(near))]) * np.abs(near) * (1 + 1e-9) + off
    near.setflags(write=False)
    return _Series(
        coefficients=near,
        shift=shift,
        constant=float(errors[power == 0].sum()),
        linear=float(errors[power > 0].sum()) * (1 + 1e-9),
        slope=float((power * (near + off)).sum()) * (1 + 1e-9),
        tail=tail,
        squarings=(count + 1).bit_length() - 1,
    )
