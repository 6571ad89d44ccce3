"""Extreme singular values of the data and of its Khatri-Rao powers, as Estimates.

Convention: the rows are what matters. ``sigma_min(A) = min_{||c|| = 1} ||A^T c||``, so it is exactly zero when A has
more rows than its rank (n > d for X; n > d(d+1)/2 for X * X), and it is the n-th singular value otherwise.

Which method was used is in each Estimate's note:

- *dense*: orthogonal factorisation and SVD, up to `DENSE_ROWS` on the smaller side. sigma_min(X * X) goes through the
  eigenvalues of the Hadamard square only while that keeps at least 9 digits (it loses half of them), otherwise through
  the SVD of the symmetric-compressed matrix, reduced panel by panel so that memory stays at a few n^2.
- *Lanczos*: beyond; the radius is the residual norm plus rounding. There is an eigenvalue that close; that it is the
  extreme one rests on the random start, so it is never marked rigorous. Smallest eigenvalues go through a Cholesky
  factor of the formed n x n matrix where that fits (Lanczos crawls at the lower end of a spectrum), otherwise through
  the operator; where that does not converge, only the upper end of the interval says anything.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._checks import CapacityError, InputError, check_int, check_matrix, check_memory, check_unit_rows
from .exact_zeros import UNDETERMINED, exact_square_rank, zero_by_pattern, zero_by_structure
from .khatri_rao import compressed_width, square_operator
from .lanczos import from_lanczos, lanczos, smallest_by_cholesky
from .rounding import UNIT_ROUNDOFF, Estimate, factorization_radius, gamma
from .separation import TwoToFour, row_separation, two_to_four

if TYPE_CHECKING:
    from .data import RowStructure

__all__ = [
    *("DENSE_ROWS", "DataSpectrum", "TwoToFour"),
    *("data_spectrum", "khatri_rao_power_sigma_min", "largest_singular_value", "singular_extremes"),
]

Floats = NDArray[np.float64]

#: Largest smaller side for dense factorisations (4000: some 5 s on two cores).
DENSE_ROWS = 4000

#: The Hadamard-square route is taken while its relative radius stays below this.
_GRAM_ACCURACY = 1e-9


@dataclass(frozen=True)
class DataSpectrum:
    """Constants of a data matrix with unit rows.

    Parameters
    ----------
    spectral_norm, sigma_min : Estimate
        Of X.
    khatri_rao_norm, khatri_rao_sigma_min : Estimate
        Of X * X.
    kappa : Estimate
        ``sqrt(d/n) ||X|| / sigma_min(X*X)^2``, infinite when the denominator is zero.
    norm_2_to_4_squared : TwoToFour
    separation : Estimate
        ``min_{i != j} min(||x_i - x_j||, ||x_i + x_j||)``; infinite for one row.
    """

    spectral_norm: Estimate
    sigma_min: Estimate
    khatri_rao_norm: Estimate
    khatri_rao_sigma_min: Estimate
    kappa: Estimate
    norm_2_to_4_squared: TwoToFour
    separation: Estimate


# -- dense tools ----------------------------------------------------------------------------------------------------


def singular_values(A: Floats) -> Floats:
    """All singular values, decreasing; a long side is first reduced by QR."""
    from scipy.linalg import qr, svdvals

    if A.shape[0] < A.shape[1]:
        A = A.T
    m, n = A.shape
    if m > 1.5 * n:
        A = qr(A, mode="r", check_finite=False)[0][:n]
    return np.asarray(svdvals(A, check_finite=False))


def largest_singular_value(A: Floats) -> Estimate:
    """Largest singular value of a finite matrix, from the Gram matrix of its smaller side (it loses no digits there).

    Beyond `DENSE_ROWS` on that side by Lanczos.
    """
    from scipy.linalg import eigvalsh

    n, m = A.shape
    unit, scale = _scaled(A)
    small = unit @ unit.T if n <= m else unit.T @ unit
    forming, size = gamma(max(n, m)) * float(np.trace(small)), len(small)
    if size <= DENSE_ROWS:
        theta = float(eigvalsh(small, check_finite=False, subset_by_index=(size - 1, size - 1))[0])
        radius, note = forming + factorization_radius(size, size, theta), "dense, Gram matrix"
    else:
        theta, residual, _ = lanczos(small, size, "LA", 0)
        radius, note = forming + residual, "Lanczos"
    return (Estimate(theta, radius, False).nonnegative().sqrt() * scale).with_note(note)


def _scaled(A: Floats) -> tuple[Floats, float]:
    """A over a power of two, which is exact, so that squares neither over- nor underflow; and that power."""
    top = float(np.max(np.abs(A)))
    scale = math.ldexp(1.0, math.frexp(top)[1]) if top > 0 else 1.0
    return A / scale, scale


def singular_extremes(A: Floats) -> tuple[Estimate, Estimate]:
    """Smallest (over the rows) and largest singular value of a finite matrix; the former exactly 0 for a tall one.

    Beyond `DENSE_ROWS` on the smaller side the largest comes from Lanczos, and the smallest is only bounded by it.
    """
    n, m = A.shape
    unit, scale = _scaled(A)
    if min(n, m) <= DENSE_ROWS:
        values = singular_values(unit)
        radius = factorization_radius(n, m, float(values[0]))
        largest, smallest = Estimate(float(values[0]), radius, False, "dense"), float(values[-1])
        least = Estimate(smallest, radius, False, "dense").nonnegative()
    else:
        largest = largest_singular_value(unit)
        least = Estimate.from_bounds(0.0, largest.upper, False, UNDETERMINED)
    if n > m:
        least = Estimate.zero(f"more rows than columns, {n} > {m}")
    return tuple(e if e.exact_zero else (e * scale).with_note(e.note) for e in (least, largest))  # type: ignore[return-value]


def _panel_r(X: Floats) -> Floats:
    """The triangular factor of ``compressed_square(X).T`` without holding it: QR of one panel of columns at a time.

    Memory: about 3 n^2. Each update is a Householder QR, so the whole is backward stable like a single one.
    """
    from scipy.linalg import qr

    n, d = X.shape
    root2 = math.sqrt(2.0)
    R = np.zeros((0, n))
    panel: list[Floats] = []
    rows = 0
    for a in range(d):
        block = X[:, a:] * X[:, a, None]
        block[:, 1:] *= root2
        panel.append(block.T)
        rows += d - a
        if rows >= n or a == d - 1:
            R = qr(np.concatenate([R, *panel]), mode="r", check_finite=False)[0][:n]
            panel, rows = [], 0
    return R


def _representation_radius(n: int, defect: float, value: float, order: int) -> float:
    """How far the exactly normalised rows may move a singular value of an order-`order` product.

    Rows scale by 1 + O(defect) (a relative change) and each entry carries at most two roundings of the division.
    """
    return order * (2 * defect * value + 4 * UNIT_ROUNDOFF * math.sqrt(n))


# -- the data matrix ------------------------------------------------------------------------------------------------


def _square_by_gram(X: Floats) -> tuple[Floats, float]:
    """Eigenvalues of the Hadamard square (increasing) and their radius."""
    from scipy.linalg import eigvalsh

    G, forming = _hadamard_square(X)
    n = X.shape[0]
    values = eigvalsh(G, check_finite=False, overwrite_a=True)
    return values, forming + factorization_radius(n, n, float(values[-1]))


def _hadamard_square(X: Floats) -> tuple[Floats, float]:
    """``(X X^T) o (X X^T)`` and a bound of the spectral norm of its error."""
    n, d = X.shape
    G = X @ X.T
    e = d * UNIT_ROUNDOFF * (1 + gamma(d + 2))
    # Entry errors u K + 2 e |G| + e^2; a nonnegative matrix has norm at most its largest row sum.
    rows = np.abs(G).sum(axis=1)
    G *= G
    return G, float(np.max(UNIT_ROUNDOFF * G.sum(axis=1) + 2 * e * rows + n * e * e)) * (1 + gamma(n + 4))


def _khatri_rao_dense(X: Floats, defect: float) -> tuple[Estimate, Estimate]:
    """(||X*X||, sigma_min(X*X) as the n-th singular value) for n at most the compressed width."""
    n = X.shape[0]
    values, radius = _square_by_gram(X)
    top = float(values[-1])
    norm = Estimate(top, radius, False).nonnegative().sqrt()
    norm = norm.widened(_representation_radius(n, defect, norm.value, 2)).with_note("dense, Hadamard square")
    low = float(values[0])
    if low > 0 and radius <= _GRAM_ACCURACY * low:
        least = Estimate(low, radius, False).sqrt()
        note = "dense, Hadamard square"
    else:
        # The square root of a perturbed eigenvalue has lost half its digits: work on the factor instead.
        singular = singular_values(_panel_r(X))
        p = compressed_width(X.shape[1])
        spread = factorization_radius(p, n, float(singular[0])) + 3 * UNIT_ROUNDOFF * math.sqrt(n)
        least = Estimate(float(singular[n - 1]) if len(singular) >= n else 0.0, spread, False)
        note = "dense, SVD of the compressed X*X"
    least = least.widened(_representation_radius(n, defect, least.value, 2))
    return norm, least.with_note(note)


def _khatri_rao_norm(X: Floats, defect: float, seed: int) -> Estimate:
    """||X*X|| alone, by Lanczos (a top eigenvalue is well separated or clustered: both fine)."""
    n, d = X.shape
    theta, residual, _ = lanczos(square_operator(X), n, "LA", seed)
    rounding = gamma(2 * n + 2 * d) * n
    norm = Estimate(theta, residual + rounding * max(1.0, theta / n), False).nonnegative().sqrt()
    return norm.widened(_representation_radius(n, defect, norm.value, 2)).with_note("Lanczos on the operator")


def _khatri_rao_lanczos(X: Floats, defect: float, seed: int) -> tuple[Estimate, Estimate]:
    norm = _khatri_rao_norm(X, defect, seed)
    n, d = X.shape
    try:
        check_memory("the Hadamard square", 3 * 8 * n * n, "use fewer rows")
        K, forming = _hadamard_square(X)
        rounding = forming + factorization_radius(n, n, norm.upper**2)
        least = from_lanczos(smallest_by_cholesky(K, rounding, seed), rounding, "Lanczos, Hadamard square")
    except CapacityError:
        rounding = gamma(2 * d + 8) * norm.upper**2
        least = from_lanczos(lanczos(square_operator(X), n, "SA", seed), rounding, "Lanczos on the operator")
    note = least.note
    least = least.nonnegative().sqrt()
    return norm, least.widened(_representation_radius(n, defect, least.value, 2)).with_note(note)


def _settle(estimate: Estimate) -> Estimate:
    """Clip at zero and say so when the interval reaches it."""
    if estimate.exact_zero or estimate.lower > 0:
        return estimate
    return estimate.nonnegative(f"{UNDETERMINED} ({estimate.note})")


def data_spectrum(
    X: NDArray[Any],
    *,
    structure: RowStructure | None = None,
    raw: NDArray[Any] | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> DataSpectrum:
    r"""||X||, sigma_min(X), ||X*X||, sigma_min(X*X), kappa(X), ||X||_{2->4}^2 and the separation of the rows.

    Parameters
    ----------
    X : (n, d) float64
        Unit rows.
    structure : RowStructure, optional
        Exact structure of the rows; found from X (or `raw`) when not given.
    raw : (n, d) float64, optional
        The rows before normalisation, on which exact zeros are decided (rounding hides them in X).
    seed : int
        For the random starts of the iterative parts.
    progress : callable, optional
        Called with the name of each stage.

    Returns
    -------
    DataSpectrum
        Every interval contains the value for X as given and for its exactly normalised rows.

    Raises
    ------
    InputError
        If X is not a finite 2-D array with unit rows.

    References
    ----------
    docs/theory.md sections 0 to 2.

    Examples
    --------
    >>> import numpy as np
    >>> s = data_spectrum(np.eye(3))
    >>> s.spectral_norm.contains(1.0), s.khatri_rao_sigma_min.contains(1.0), s.separation.contains(2**0.5)
    (True, True, True)
    """
    X = check_matrix("X", X)
    defect = check_unit_rows("X", X)
    if structure is None:
        from .data import row_structure

        structure = row_structure(X if raw is None else raw)
    say = progress or (lambda stage: None)
    n, d = X.shape

    say("singular values of X")
    norm, least = _plain(X, defect, structure, seed)

    say("singular values of X*X")
    reason = zero_by_structure(n, structure, 2) or zero_by_pattern(X if raw is None else raw)
    if reason:
        kr_norm = _khatri_rao_norm(X, defect, seed)
        kr_least = Estimate.zero(reason)
    else:
        route = _khatri_rao_dense if n <= DENSE_ROWS else _route_lanczos(seed)
        kr_norm, kr_least = route(X, defect)
        if kr_least.lower <= 0:
            kr_least = _decide_exactly(X if raw is None else raw, kr_least)
    kappa = _kappa(n, d, norm, kr_least)

    say("separation")
    gap = row_separation(X, structure=structure)
    say("2-to-4 norm")
    two_four = two_to_four(X, kr_norm, norm, defect, seed)
    return DataSpectrum(norm, least, kr_norm, kr_least, kappa, two_four, gap)


def _route_lanczos(seed: int) -> Callable[[Floats, float], tuple[Estimate, Estimate]]:
    return lambda X, defect: _khatri_rao_lanczos(X, defect, seed)


def _plain(X: Floats, defect: float, structure: RowStructure, seed: int) -> tuple[Estimate, Estimate]:
    n, d = X.shape
    reason = zero_by_structure(n, structure, 1)
    if min(n, d) > DENSE_ROWS:
        small = X @ X.T if n <= d else X.T @ X
        theta, residual, _ = lanczos(small, small.shape[0], "LA", seed)
        forming = gamma(max(n, d)) * n
        norm = Estimate(theta, residual + forming, False).nonnegative().sqrt()
        norm = norm.widened(_representation_radius(n, defect, norm.value, 1)).with_note("Lanczos")
        if reason:
            return norm, Estimate.zero(reason)
        if n > d:  # the rank is not proved: nothing is known beyond sigma_min <= 1
            return norm, _settle(Estimate.from_bounds(0.0, 1.0 + defect, False, "more rows than columns"))
        rounding = forming + factorization_radius(n, n, norm.upper**2)
        least = from_lanczos(smallest_by_cholesky(small, rounding, seed), rounding, "Lanczos")
        note = least.note
        least = least.nonnegative().sqrt()
        return norm, _settle(least.widened(_representation_radius(n, defect, least.value, 1)).with_note(note))
    singular = singular_values(X)
    spread = factorization_radius(n, d, float(singular[0]))
    norm = Estimate(float(singular[0]), spread, False, "dense")
    norm = norm.widened(_representation_radius(n, defect, norm.value, 1))
    if reason:
        return norm, Estimate.zero(reason)
    value = float(singular[n - 1]) if n <= d else 0.0
    least = Estimate(value, spread, False, "dense").widened(_representation_radius(n, defect, value, 1))
    return norm, _settle(least)


def _decide_exactly(raw: Floats, estimate: Estimate) -> Estimate:
    """Where float64 cannot tell zero from small, the exact rank of X * X often can."""
    n = raw.shape[0]
    lower, upper = exact_square_rank(raw)
    if upper < n:
        return Estimate.zero(f"the exact rank of X*X is {'' if lower == upper else 'at most '}{upper} < n = {n}")
    if lower == n:
        return estimate.nonnegative(f"{UNDETERMINED}; exact arithmetic shows that it is positive ({estimate.note})")
    return _settle(estimate)


def _kappa(n: int, d: int, norm: Estimate, least: Estimate) -> Estimate:
    """sqrt(d/n) ||X|| / sigma_min(X*X)^2."""
    from .bounds import kappa

    if least.exact_zero:
        return Estimate.infinite("sigma_min(X*X) is exactly zero")
    value: Estimate = kappa(n, d, norm, least)
    return value.with_note("" if value.finite else f"sigma_min(X*X) {UNDETERMINED}")


def khatri_rao_power_sigma_min(X: NDArray[Any], r: int, *, structure: RowStructure | None = None) -> Estimate:
    r"""``sigma_min(X^{*r})``, the n-th singular value of the r-fold row-wise product.

    Parameters
    ----------
    X : (n, d) float64
        Unit rows.
    r : int
        At least 1.
    structure : RowStructure, optional
        Exact structure of the rows.

    Returns
    -------
    Estimate
        Exactly zero where structure decides it (n > binom(rank + r - 1, r), repeated rows).

    Raises
    ------
    InputError
        If X has no unit rows, r < 1, or n exceeds `DENSE_ROWS`.

    References
    ----------
    docs/theory.md, ``khatri-rao-spectrum``.

    Examples
    --------
    >>> import numpy as np
    >>> khatri_rao_power_sigma_min(np.array([[1.0, 0.0], [0.6, 0.8]]), 3).value > 0.8
    True
    """
    X = check_matrix("X", X)
    defect = check_unit_rows("X", X)
    r = check_int("r", r, minimum=1)
    n, d = X.shape
    if n > DENSE_ROWS:
        raise InputError("X", X, f"at most {DENSE_ROWS} rows")
    if structure is None:
        from .data import row_structure

        structure = row_structure(X)
    reason = zero_by_structure(n, structure, r)
    if reason:
        return Estimate.zero(reason)
    width = math.comb(d + r - 1, r)
    if n * width <= 20_000_000:
        singular = singular_values(_symmetric_power(X, r))
        radius = factorization_radius(width, n, float(singular[0])) + 2 * r * UNIT_ROUNDOFF * math.sqrt(n)
        value = float(singular[n - 1]) if len(singular) >= n else 0.0
        out = Estimate(value, radius, False, f"dense, SVD of the compressed X^(*{r})")
    else:
        from scipy.linalg import eigvalsh

        G = X @ X.T
        entry = r * (d + 1) * UNIT_ROUNDOFF
        values = eigvalsh(G**r, check_finite=False)
        radius = n * entry * (1 + 1e-9) + factorization_radius(n, n, float(values[-1]))
        out = Estimate(max(float(values[0]), 0.0), radius, False).nonnegative().sqrt()
        out = out.with_note(f"dense, Hadamard power {r}")
    return _settle(out.widened(_representation_radius(n, defect, out.value, r)))


def _symmetric_power(X: Floats, r: int) -> Floats:
    """X^{*r} with equal columns merged: monomials of degree r, times the root of their multinomial coefficient."""
    d = X.shape[1]
    columns = []
    for index in itertools.combinations_with_replacement(range(d), r):
        weight = math.factorial(r)
        for a in set(index):
            weight //= math.factorial(index.count(a))
        columns.append(np.prod(X[:, index], axis=1) * math.sqrt(weight))
    return np.ascontiguousarray(np.stack(columns, axis=1))
