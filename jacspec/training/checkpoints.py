"""The spectrum of the Jacobian at a moment of a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._checks import check_matrix
from ..jacobian import jacobian_gram
from ..network import ShallowNet
from ..rounding import Estimate, factorization_radius, gamma

__all__ = ["jacobian_extremes"]

Floats = NDArray[np.float64]


def jacobian_extremes(net: ShallowNet, X: Floats) -> tuple[Estimate, Estimate]:
    """Smallest (over the rows of X) and largest singular value of J(W), from J J^T.

    The square root of an eigenvalue near zero has lost half its digits; its radius says so.

    Parameters
    ----------
    net : ShallowNet
    X : (n, d) float64

    Returns
    -------
    (Estimate, Estimate)
        sigma_min is exactly zero for more rows than weights (k d < n).

    Raises
    ------
    InputError
        If X has the wrong number of columns or is not finite.
    CapacityError
        If n x n numbers do not fit.

    Examples
    --------
    >>> smallest, largest = jacobian_extremes(ShallowNet([[1.0, 0.0]], [2.0], "linear"), [[3.0, 4.0]])
    >>> round(smallest.value, 12), round(largest.value, 12)
    (10.0, 10.0)
    """
    from scipy.linalg import eigvalsh

    X = check_matrix("X", X, columns=net.d)
    n, scale = X.shape[0], float(np.max(np.abs(net.v))) or 1.0
    G = jacobian_gram(ShallowNet(net.W, net.v / scale, net.activation), X)
    trace = float(np.trace(G))
    values = eigvalsh(G, check_finite=False, overwrite_a=True)
    # An entry of J J^T is a sum of k products times a sum of d products; phi' is right to a few ulp.
    radius = gamma(net.k + net.d + 32) * trace + factorization_radius(n, n, float(values[-1]))

    def root(value: float) -> Estimate:
        return Estimate(value, radius).nonnegative().sqrt() * Estimate.exact(scale)

    if net.k * net.d < n:
        zero = Estimate.zero(f"k d = {net.k * net.d} < n = {n}")
        return zero, root(float(values[-1])).with_note("eigenvalues of J J^T")
    return tuple(root(float(v)).with_note("eigenvalues of J J^T") for v in (values[0], values[-1]))  # type: ignore[return-value]
