r"""The constants of a data matrix once more, as proofs: every interval encloses, by `jacspec.enclosure`.

What is proved speaks of the float64 numbers of X as they are, and of their exactly normalised rows: with
``rho = max | ||x_i||^2 - 1 |``, X = D N, N with rows of norm 1 and ``1 - rho <= D^2 <= 1 + rho``, so by Ostrowski
singular values of N and X differ by factors ``sqrt(1 -+ rho)``, those of N * N and X * X by ``1 -+ rho``. Exact zeros
stay what `jacspec.spectrum` says they are: decided by structure or in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import bounds
from ._checks import check_matrix, check_memory, check_unit_rows
from .covariance import Covariance
from .enclosure import (
    SymmetricBall,
    gram,
    hadamard,
    largest_eigenvalue,
    smallest_eigenvalue,
    smallest_singular_value,
    spectral_norm,
    symmetric_ball,
)
from .enclosure.covariance import covariance_ball
from .rounding import UNIT_ROUNDOFF, Estimate, gamma
from .separation import TwoToFour
from .spectrum import DataSpectrum

__all__ = ["proved_covariance", "proved_spectrum"]

#: n x n matrices that a proof holds at a time.
_MATRICES = 6
#: Relative widths at which no further effort is made: of lambda(X), whose entries are known to some 1e-15 only, and of
#: the norm that bounds the 2-to-4 norm, which is loose by more.
_GAP, _COARSE = 1e-6, 1e-3


def _fits(n: int) -> None:
    check_memory("the proof", _MATRICES * 8 * n * n, "use fewer rows, or leave out rigorous")


def _row_defect(X: NDArray[np.float64]) -> float:
    """Upper bound of ``max | ||x_i||^2 - 1 |``."""
    return float(check_unit_rows("X", X) + 1.01 * gamma(X.shape[1] + 4))


def _normalised(sigma: Estimate, rho: float, power: float) -> Estimate:
    """An interval that also holds the singular value of the exactly normalised rows (it grows at both ends)."""
    if sigma.exact_zero:
        return sigma
    one = Estimate.from_bounds(1.0 - rho, 1.0 + rho, True).widened(UNIT_ROUNDOFF)
    return (sigma / one**power).with_note(sigma.note)


def proved_spectrum(
    X: NDArray[Any], measured: DataSpectrum, *, progress: Callable[[str], None] | None = None
) -> DataSpectrum:
    r"""||X||, sigma_min(X), ||X*X||, sigma_min(X*X), kappa(X) and the 2-to-4 norm with proved radii.

    Parameters
    ----------
    X : (n, d) float64
        Unit rows.
    measured : DataSpectrum
        Of the same X; its exact zeros and its separation, which are proved already, are kept.
    progress : callable, optional
        Called with the name of each stage.

    Returns
    -------
    DataSpectrum
        Every Estimate is rigorous: for X as given and for its exactly normalised rows.

    Raises
    ------
    InputError
        If X has no unit rows.
    CapacityError
        If the n x n matrices do not fit.

    References
    ----------
    docs/rigor.md; docs/theory.md sections 0 to 2.

    Examples
    --------
    >>> import numpy as np
    >>> from jacspec.spectrum import data_spectrum
    >>> s = proved_spectrum(np.eye(3), data_spectrum(np.eye(3)))
    >>> s.spectral_norm.rigorous, s.khatri_rao_sigma_min.contains(1.0), s.kappa.rigorous
    (True, True, True)
    """
    X = check_matrix("X", X)
    rho = _row_defect(X)
    n, d = X.shape
    _fits(n)
    say = progress or (lambda stage: None)
    say("proof: singular values of X")
    norm = _normalised(spectral_norm(X), rho, 0.5)
    least = measured.sigma_min
    if not least.exact_zero:
        least = _normalised(smallest_singular_value(X), rho, 0.5)
    say("proof: singular values of X*X")
    G = gram(X)
    square = hadamard(G, G)
    kr_norm = _normalised(_root(largest_eigenvalue(square)), rho, 1.0)
    kr_least = measured.khatri_rao_sigma_min
    if not kr_least.exact_zero:
        kr_least = _normalised(_root(smallest_eigenvalue(square)), rho, 1.0)
    kappa = measured.kappa
    if not kr_least.exact_zero:
        kappa = Estimate.of(bounds.kappa(Estimate.exact(n), Estimate.exact(d), norm, kr_least))
    say("proof: 2-to-4 norm")
    upper = min(norm.upper, kr_norm.upper, _centred_bound(square, d, rho))
    lower = min(measured.norm_2_to_4_squared.lower, upper)
    return replace(
        measured,
        spectral_norm=norm,
        sigma_min=least,
        khatri_rao_norm=kr_norm,
        khatri_rao_sigma_min=kr_least,
        kappa=kappa,
        norm_2_to_4_squared=TwoToFour(lower, upper),
    )


def _root(eigenvalue: Estimate) -> Estimate:
    return eigenvalue.nonnegative().sqrt().with_note(eigenvalue.note)


def _centred_bound(square: SymmetricBall, d: int, rho: float) -> float:
    """Upper bound of ||X||_{2->4}^2 through ``||(X X^T)^{o2} - 1 1^T / d||``, proved."""
    n, scale = square.rows, 2.0**square.exponent
    centred = square.mid * scale - 1.0 / d
    # One rounding of 1/d and one of the difference.
    radii = square.radius() * scale * (1 + 4 * UNIT_ROUNDOFF) + 2 * UNIT_ROUNDOFF * (np.abs(centred) + 1.0 / d)
    radii = 0.5 * (radii + radii.T)
    top = largest_eigenvalue(symmetric_ball(centred, radii), gap=_COARSE).upper
    # From below: positive shifts, whose smallest eigenvalue is not near zero, need no more than a Cholesky factor.
    shift = 2.0 * max(top, 0.0) + 1.0
    centred.flat[:: n + 1] += shift
    radii.flat[:: n + 1] += 2 * UNIT_ROUNDOFF * (shift + np.abs(centred.diagonal()))
    bottom = shift - smallest_eigenvalue(symmetric_ball(centred, radii), gap=_COARSE).lower
    largest = max(top, bottom + UNIT_ROUNDOFF * 4 * shift)
    # Entries of the normalised rows' matrix differ by 2 rho (1 + rho) at most, and X = D N with ||D||^2 <= 1 + rho.
    spread = Estimate(largest, 0.0, True) + Estimate(2.5 * rho * n, 0.0, True)
    value = Estimate.of(bounds.two_to_four_centred(Estimate.exact(n), d, spread))
    return (value * Estimate(1.0 + 2 * rho, UNIT_ROUNDOFF, True)).upper


def proved_covariance(X: NDArray[Any], measured: Covariance, phi: Any) -> Covariance:
    """lambda(X) and ||Sigma(X)|| (or those of the output layer) with proved radii, for exactly normalised rows.

    Parameters
    ----------
    X : (n, d) float64
        Unit rows.
    measured : Covariance
        Of the same X and activation; its exact zero is kept, and so are its eigenvalues, which stay measured.
    phi : Activation or str

    Returns
    -------
    Covariance
        As measured for a user's own activation, which has no proved constants.

    Raises
    ------
    InputError
        If X has no unit rows.
    CapacityError
        If the n x n matrices do not fit.

    References
    ----------
    docs/rigor.md; docs/theory.md section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from jacspec.covariance import covariance_spectrum
    >>> proved_covariance(np.eye(3), covariance_spectrum(np.eye(3), "softplus"), "softplus").smallest.rigorous
    True
    """
    from .activations import activation

    chosen = activation(phi)
    if not chosen.builtin:
        return measured
    X = check_matrix("X", X)
    _fits(len(X))
    ball: SymmetricBall = symmetric_ball(*covariance_ball(X, chosen, measured.layer), semidefinite=True)
    smallest = measured.smallest if measured.smallest.exact_zero else smallest_eigenvalue(ball, gap=_GAP)
    return replace(measured, smallest=smallest, largest=largest_eigenvalue(ball))
