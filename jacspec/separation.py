"""Rows against each other, and all rows against one direction: the separation, and the 2-to-4 norm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._checks import check_matrix, check_unit_rows
from .exact_zeros import UNDETERMINED
from .khatri_rao import square_operator
from .lanczos import lanczos
from .rounding import UNIT_ROUNDOFF, Estimate, gamma

if TYPE_CHECKING:
    from .data import RowStructure

__all__ = ["TwoToFour", "row_separation", "two_to_four"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TwoToFour:
    """Bounds of ``||X||_{2->4}^2 = max_{||w||=1} (sum_i <x_i, w>^4)^{1/2}``."""

    lower: float
    upper: float


def row_separation(X: NDArray[Any], *, structure: RowStructure | None = None) -> Estimate:
    """``min_{i != j} min(||x_i - x_j||, ||x_i + x_j||)`` of unit rows.

    Parameters
    ----------
    X : (n, d) float64
        Unit rows.
    structure : RowStructure, optional

    Returns
    -------
    Estimate
        Infinite for a single row; exactly zero for repeated or antipodal rows. Proved, for the rows as given and for
        their exactly normalised selves.

    Raises
    ------
    InputError
        If X has no unit rows.

    References
    ----------
    docs/theory.md, ``relu-separation``.

    Examples
    --------
    >>> import numpy as np
    >>> row_separation(np.eye(2)).contains(2**0.5)
    True
    """
    X = check_matrix("X", X)
    n, d = X.shape
    defect = check_unit_rows("X", X) + 1.01 * gamma(d + 4)  # an upper bound, proved
    if n == 1:
        return Estimate.infinite("a single row")
    if structure is not None and (structure.repeated or structure.antipodal):
        i, j = (structure.repeated or structure.antipodal)[0]
        return Estimate.zero(f"rows {i} and {j} are {'equal' if structure.repeated else 'antipodal'} up to scale")
    best, pair = math.inf, (0, 1)
    # For rows with | ||x||^2 - 1 | <= defect, a pair whose Gram entry comes out smaller by this much is farther
    # apart: dist^2 differs from 2 - 2 |g| by 2 defect + 2 d u (1 + defect) at most.
    slack = 4 * d * UNIT_ROUNDOFF + 4 * defect
    size = max(16, 4_000_000 // n)
    for start in range(0, n, size):
        block = np.abs(X[start : start + size] @ X.T)
        rows = np.arange(block.shape[0])
        block[rows, start + rows] = -1.0
        top = float(block.max())
        if 2 - 2 * top > best * best + 2 * slack:
            continue
        # Gram entries only nominate candidates (all of a tight cluster); distances come from differences, which do
        # not cancel.
        first, second = np.nonzero(block >= top - slack)
        once = (first + start < second) | (second < start)
        first, second = first[once] + start, second[once]
        step = max(1, 2_000_000 // d)
        for at in range(0, len(first), step):
            x, z = X[first[at : at + step]], X[second[at : at + step]]
            distance = np.minimum(np.linalg.norm(x - z, axis=1), np.linalg.norm(x + z, axis=1))
            least = int(np.argmin(distance))
            if distance[least] < best:
                best, pair = float(distance[least]), (int(first[at + least]), int(second[at + least]))
    i, j = sorted(pair)
    radius = (d + 4) * UNIT_ROUNDOFF * best + 8 * UNIT_ROUNDOFF + 2 * defect
    gap = Estimate(best, radius, True, f"rows {i} and {j}")
    return gap if gap.lower > 0 else gap.nonnegative(f"{UNDETERMINED} ({gap.note})")


def two_to_four(X: Floats, kr_norm: Estimate, norm: Estimate, defect: float, seed: int) -> TwoToFour:
    r"""Bounds of Lambda = ||X||_{2->4}^2 (docs/theory.md, ``jacobian-lipschitz-optimal``).

    Upper: ``min(||X*X||, ||X||, sqrt(n)/d + sqrt(1 - 1/d) ||(XX^T)^{o2} - 11^T/d||^{1/2})``. Lower: the best w found
    by the monotone iteration ``w <- X^T (Xw)^3`` from the rows that matter and random starts.
    """
    from scipy.sparse.linalg import LinearOperator

    from .bounds import two_to_four_centred

    n, d = X.shape
    square = square_operator(X)
    centred = LinearOperator((n, n), matvec=lambda c: square @ c - np.sum(c) / d, dtype=np.float64)
    theta, residual, converged = lanczos(centred, n, "LM", seed)
    spread = Estimate(abs(theta), residual + gamma(2 * d + 8) * kr_norm.upper**2 + 2 * defect * n, False)
    uppers = [kr_norm.upper, norm.upper]
    if converged:
        # For rows that are unit only up to `defect` the mean term grows by that factor; the norm's part is in `spread`.
        uppers.append(two_to_four_centred(n, d, spread.upper) * (1 + 4 * defect + 8 * UNIT_ROUNDOFF))
    generator = np.random.default_rng(np.random.SeedSequence((seed, 24)))
    starts = generator.standard_normal((d, 8))
    direction = starts[:, :1]
    for _ in range(20):  # towards the top singular vector: no d x d matrix
        direction = X.T @ (X @ direction)
        direction /= np.linalg.norm(direction) or 1.0
    starts = np.column_stack([starts, X[:: max(1, n // 8)].T[:, :8], direction])
    lengths = np.linalg.norm(starts, axis=0)
    w = starts / np.where(lengths > 0, lengths, 1.0)
    value = 0.0
    for _ in range(200):
        image = X @ w
        fourth = np.sum(image**4, axis=0)
        best = float(np.sqrt(fourth.max()))
        w = X.T @ image**3
        lengths = np.linalg.norm(w, axis=0)
        w /= np.where(lengths > 0, lengths, 1.0)
        if best <= value * (1 + 1e-14):
            break
        value = max(value, best)
    # Errors of X w, d u each, move the l4-norm by n^(1/4) d u, and it is at least 1 - defect at the start from a row.
    lower = value * (1 - ((2 * n**0.25 + 2) * d + n + 16) * UNIT_ROUNDOFF - 2 * defect)
    return TwoToFour(lower=lower, upper=max(lower, min(uppers)))
