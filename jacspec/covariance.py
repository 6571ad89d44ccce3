r"""The neural-network covariance Sigma(X) and its output-layer counterpart, with their eigenvalues.

.. math::

    \Sigma(X) = E[\phi'(Xw)\phi'(Xw)^\top] \circ (XX^\top) = \sum_r \mu_r^2 (XX^\top)^{\circ (r+1)}, \qquad
    \tilde\Sigma(X) = E[\phi(Xw)\phi(Xw)^\top]

Entries come from a closed-form dual kernel where one exists, otherwise from the Hermite series by Horner's rule; the
diagonal is exactly E phi'(g)^2 (or E phi(g)^2). Errors of the entries (rounding of the inner products, of the kernel,
the series' tail) are summed along rows into a bound of the spectral norm of the error matrix.

The matrix is that of the exactly normalised rows. Sigma = J J^T with rows ``phi'(<w, x_i>) x_i`` in L2(w), which move
by at most c ||e|| when x_i moves by e: so the singular values of J move by at most ``sqrt(n) c max ||e||`` between
rows as given, exactly unit, and before they were rounded (`_moved`). Only a jump of phi' needs more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ._accurate import INNER_ULPS, SplitRows, refined_smallest
from ._checks import check_choice, check_matrix, check_memory, check_unit_rows
from .activations import Activation, DualKernel, activation
from .exact_zeros import UNDETERMINED
from .hermite import HermiteExpansion, hermite_expansion
from .khatri_rao import symmetric_rank_bound
from .lanczos import from_lanczos, lanczos, smallest_by_cholesky
from .rounding import UNIT_ROUNDOFF, Estimate, factorization_radius
from .spectrum import DENSE_ROWS

if TYPE_CHECKING:
    from .data import RowStructure

__all__ = ["Covariance", "covariance_matrix", "covariance_spectrum"]

Floats = NDArray[np.float64]
Layer = Literal["hidden", "output"]

#: |rho| above which angles come from differences of rows: arccos amplifies an error by at most 23 below.
_NEAR = 0.999

#: Relative radius of the smallest eigenvalue beyond which it is refined.
_REFINE = 1e-12


@dataclass(frozen=True)
class Covariance:
    """Eigenvalues of Sigma(X) (layer "hidden") or of E[phi phi^T] (layer "output").

    Parameters
    ----------
    layer : "hidden" or "output"
    smallest : Estimate
        lambda(X); exactly zero where structure decides it.
    largest : Estimate
        Spectral norm.
    eigenvalues : (n,) float64 or None
        All of them, increasing, each within `radius` (dense path only).
    radius : float
        Bound of the error of every eigenvalue.
    """

    layer: Layer
    smallest: Estimate
    largest: Estimate
    eigenvalues: Floats | None
    radius: float


def covariance_matrix(X: NDArray[Any], phi: Activation | str, layer: Layer = "hidden") -> tuple[Floats, float]:
    r"""Sigma(X) or its output-layer counterpart, entry by entry.

    Parameters
    ----------
    X : (n, d) float64
        Unit rows.
    phi : Activation or str
    layer : "hidden" or "output"
        ``E[phi'(Xw) phi'(Xw)^T] o (X X^T)``, or ``E[phi(Xw) phi(Xw)^T]``.

    Returns
    -------
    matrix : (n, n) float64, symmetric
    radius : float
        The spectral norm of the error is at most this (not proved: kernel evaluations use libm).

    Raises
    ------
    InputError
        If X has no unit rows or the activation is unknown.
    CapacityError
        If the n x n matrices do not fit.

    References
    ----------
    docs/theory.md, ``kernel-expansion``, ``relu-covariance``.

    Examples
    --------
    >>> import numpy as np
    >>> Sigma, radius = covariance_matrix(np.array([[1.0], [-1.0]]), "relu")
    >>> bool(np.abs(Sigma - np.eye(2) / 2).max() <= radius)
    True
    """
    X = check_matrix("X", X)
    check_unit_rows("X", X)
    phi = activation(phi)
    check_choice("layer", layer, ["hidden", "output"])
    matrix, forming, shift = _matrix(X, phi, hermite_expansion(phi), layer)
    return matrix, forming + _moved(float(np.abs(matrix).sum(axis=1).max()), shift)


def _moved(eigenvalue: float, shift: float) -> float:
    """How far an eigenvalue up to `eigenvalue` of J J^T moves when the singular values of J move by `shift`."""
    return shift * (2 * math.sqrt(max(eigenvalue, 0.0)) + shift) * (1 + 1e-9)


def _sensitivity(phi: Activation, expansion: HermiteExpansion, layer: Layer) -> float:
    """c with ``||row(x + e) - row(x)|| <= c ||e||`` to first order, for rows of J in L2(w) and phi' without jumps.

    The derivative of ``phi'(<w, x>) x`` (of ``phi(<w, x>)``) in the direction e is ``phi''(g) <w, e> x + phi'(g) e``
    (``phi'(g) <w, e>``), and <w, e> is g for e along x, independent of it for e across.
    """
    supremum, f = (phi.B2, phi.second_derivative) if layer == "hidden" else (phi.B1, phi.derivative)
    if math.isfinite(supremum.upper):
        slope = supremum.upper
    else:
        g, weights = np.polynomial.hermite_e.hermegauss(64)
        slope = 1.1 * math.sqrt(float(weights @ (np.maximum(1.0, g * g) * f(g) ** 2)) / math.sqrt(2 * math.pi))
    return slope + (math.sqrt(expansion.mean_derivative_square.upper) if layer == "hidden" else 0.0)


def _matrix(X: Floats, phi: Activation, expansion: HermiteExpansion, layer: Layer) -> tuple[Floats, float, float]:
    """(matrix, bound of the spectral norm of its error, how far the singular values of J may move)."""
    from ._jit import run_blocks

    n, _ = X.shape
    check_memory("the n x n covariance", 16 * n * n, "use fewer rows")
    kernel = phi.dual if layer == "hidden" else phi.dual_output
    diagonal = expansion.mean_derivative_square if layer == "hidden" else expansion.mean_square
    rows = SplitRows(X)
    inner = INNER_ULPS * UNIT_ROUNDOFF
    defect = float(np.max(np.abs(rows.norms - 1))) + 2 * UNIT_ROUNDOFF
    shift = math.sqrt(n) * (defect + UNIT_ROUNDOFF) * _sensitivity(phi, expansion, layer) * (1 + 1e-6)
    jumps = 0.0
    if layer == "hidden" and not phi.is_smooth:
        # Across a jump rows move like the root of e, so that rounding by the normalisation enters entry by entry (each
        # row turns by u at most); so do lengths, unless the jump is at 0: p(c) |c| < 1/4, and phi' jumps by 2 B1.
        inner += 4 * UNIT_ROUNDOFF
        away = sum(c != 0 for c in phi.breakpoints)
        jumps = 2 * defect * away * min(phi.B1.upper, 1e100) ** 2 if away else 0.0
    matrix = np.empty((n, n))
    row_errors = np.zeros(n)
    series = _series(expansion, layer)

    def work(start: int, stop: int) -> None:
        rho = rows.cosines(start, stop)
        if kernel is not None:
            values, errors = _by_kernel(X, rho, start, kernel, inner, defect)
            if layer == "hidden":
                errors = errors * np.abs(rho) + np.abs(values) * (inner + UNIT_ROUNDOFF)
                values *= rho
        else:
            values, errors = _by_series(rho, series, expansion.tail, inner)
        if jumps:
            errors = errors + jumps
        values[np.arange(stop - start), np.arange(start, stop)] = diagonal.value
        errors[np.arange(stop - start), np.arange(start, stop)] = diagonal.radius + jumps
        matrix[start:stop] = values
        row_errors[start:stop] = errors.sum(axis=1)

    run_blocks(work, n, max(16, 262_144 // n))
    # Blocks may round their inner products differently; average the two halves in place, panel by panel.
    for start in range(0, n, 512):
        stop = min(start + 512, n)
        matrix[start:stop, start:] = 0.5 * (matrix[start:stop, start:] + matrix[start:, start:stop].T)
        matrix[start:, start:stop] = matrix[start:stop, start:].T
    return matrix, float(row_errors.max()) * (1 + 1e-9), shift


def _by_kernel(
    X: Floats, rho: Floats, start: int, kernel: DualKernel, inner: float, defect: float
) -> tuple[Floats, Floats]:
    """Closed form, with its entrywise error."""
    floor = kernel.ulps * UNIT_ROUNDOFF * max(1.0, kernel.at_one)
    if not kernel.uses_angle:
        return kernel.evaluate(rho, rho), np.full(rho.shape, floor + kernel.lipschitz * inner)
    from ._kernels import angles

    theta, amplification = np.empty_like(rho), np.empty_like(rho)
    angles(X, rho, start, _NEAR, theta, amplification)
    # By arccos: inner / sin(theta). By norms: rounding of the two sums moves theta by sin(theta) (d + 8) u, a
    # difference of the rows' lengths by as much as itself, and the rows' own representation by 2 u.
    turned = np.minimum(theta, math.pi - theta) * (X.shape[1] + 8) * UNIT_ROUNDOFF
    near = inner + 2 * defect + 8 * UNIT_ROUNDOFF
    angle_error = np.where(amplification > 0, amplification * inner, near + turned)
    return kernel.evaluate(rho, theta), floor + kernel.lipschitz * angle_error


@dataclass(frozen=True)
class _Series:
    """A power series in rho with nonnegative coefficients and a leading shift, and its error constants."""

    coefficients: Floats
    shift: int
    horner: float
    constant: float
    slope: float


def _series(expansion: HermiteExpansion, layer: Layer) -> _Series:
    squares = expansion.squares
    r = np.arange(len(squares))
    if layer == "hidden":
        coefficients, shift = np.array(squares), 1
    else:
        # phi = sum_r a_r h_r with a_r = mu_{r-1}/sqrt(r): Stein's identity once more.
        coefficients, shift = np.concatenate([[expansion.mean.value**2], squares / (r + 1)]), 0
    power = np.arange(len(coefficients)) + shift
    # Horner: the coefficient of rho^r meets 2 r + 1 roundings, plus its own (mu_r^2 and division) and the shift's.
    roundings = UNIT_ROUNDOFF * (2 * power + 4) * coefficients
    return _Series(
        coefficients=coefficients,
        shift=shift,
        horner=float(np.sum(roundings[power > 0])),
        constant=float(np.sum(roundings[power == 0])),
        slope=float(np.sum(power * coefficients)),
    )


def _by_series(rho: Floats, series: _Series, tail: float, inner: float) -> tuple[Floats, Floats]:
    from ._kernels import power_series

    values = np.empty_like(rho)
    power_series(rho, series.coefficients, series.shift, values)
    size = np.abs(rho)
    errors = series.slope * inner + series.constant + series.horner * size
    if tail > 0:
        # |rho|^32 <= |rho| bounds the tail's rho^{R+1} at the cost of five squarings.
        for _ in range(5):
            size *= size
        errors += tail * size
    return values, errors


def zero_reason(n: int, phi: Activation, structure: RowStructure, layer: Layer) -> str:
    """Why the smallest eigenvalue is exactly zero, or the empty string.

    Repeated rows always force it; antipodal rows when phi' (phi for the output layer) is odd or even; polynomial
    activations when n exceeds the rank that finitely many Hadamard powers can reach.
    """
    if structure.repeated:
        i, j = structure.repeated[0]
        return f"rows {i} and {j} are equal up to scale"
    parity = phi.derivative_parity if layer == "hidden" else phi.parity
    if structure.antipodal and parity is not None:
        i, j = structure.antipodal[0]
        return f"rows {i} and {j} are antipodal and {'phi' + chr(39) if layer == 'hidden' else 'phi'} is {parity}"
    if phi.degree is not None and structure.rank_proved:
        expansion = hermite_expansion(phi)
        powers = [r + 1 for r, m in enumerate(expansion.coefficients) if not m.exact_zero]
        reach = sum(symmetric_rank_bound(structure.rank, p) for p in powers)
        if layer == "output" and not expansion.mean.exact_zero:
            reach += 1
        if reach < n:
            return f"phi is a polynomial of degree {phi.degree}: rank at most {reach} < n = {n}"
    return ""


def covariance_spectrum(
    X: NDArray[Any],
    phi: Activation | str,
    layer: Layer = "hidden",
    *,
    structure: RowStructure | None = None,
    seed: int = 0,
) -> Covariance:
    r"""lambda(X) = lambda_min(Sigma(X)) and ||Sigma(X)||, or those of the output layer's covariance.

    Parameters
    ----------
    X : (n, d) float64
        Unit rows.
    phi : Activation or str
    layer : "hidden" or "output"
    structure : RowStructure, optional
        Exact structure of the rows; found from X when not given.
    seed : int
        For Lanczos, beyond `jacspec.spectrum.DENSE_ROWS` rows.

    Returns
    -------
    Covariance
        Where float64 cannot tell the smallest eigenvalue from zero its interval starts at 0 and the note says why.

    Raises
    ------
    InputError
        If X has no unit rows or the activation is unknown.
    CapacityError
        If the n x n matrices do not fit.

    References
    ----------
    docs/theory.md section 3; Oymak & Soltanolkotabi, arXiv 1902.04674.

    Examples
    --------
    >>> import numpy as np
    >>> covariance_spectrum(np.eye(3), "softplus").smallest.contains(0.293379035858093)
    True
    """
    X = check_matrix("X", X)
    check_unit_rows("X", X)
    phi = activation(phi)
    check_choice("layer", layer, ["hidden", "output"])
    if structure is None:
        from .data import row_structure

        structure = row_structure(X)
    n = X.shape[0]
    expansion = hermite_expansion(phi)
    matrix, forming, shift = _matrix(X, phi, expansion, layer)
    eigenvalues = None
    if n <= DENSE_ROWS:
        from scipy.linalg import eigvalsh

        eigenvalues = eigvalsh(matrix, check_finite=False)
        top = float(eigenvalues[-1])
        spread = factorization_radius(n, n, top)
        low, own = float(eigenvalues[0]), spread
        if abs(low) > spread > _REFINE * abs(low):
            low, own = refined_smallest(matrix, eigenvalues, spread, seed)
        note = "dense"
        smallest = Estimate(low, forming + own, False, note)
        top_radius = forming + spread
        eigenvalues.setflags(write=False)
    else:
        top, top_residual, _ = lanczos(matrix, n, "LA", seed)
        rounding = forming + factorization_radius(n, n, top)
        smallest = from_lanczos(smallest_by_cholesky(matrix, rounding, seed), rounding, "Lanczos")
        top_radius = top_residual + rounding
        note = smallest.note
    smallest = smallest.widened(_moved(smallest.upper, shift))
    radius = top_radius = top_radius + _moved(top + top_radius, shift)
    reason = zero_reason(n, phi, structure, layer)
    if reason:
        smallest = Estimate.zero(reason)
    elif smallest.lower <= 0:
        smallest = smallest.nonnegative(f"{UNDETERMINED} ({note})")
    largest = Estimate(max(top, 0.0), top_radius, False, note.split(",")[0]).nonnegative()
    return Covariance(layer, smallest, largest, eigenvalues, radius)
