"""Gauss-Newton steps: from weights near an interpolator to weights much nearer."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import check_int, check_matrix, check_vector
from ..network import ShallowNet
from .least_change import solved

__all__ = ["gauss_newton_polish"]

Floats = NDArray[np.float64]


def gauss_newton_polish(net: ShallowNet, X: ArrayLike, y: ArrayLike, steps: int = 3) -> ShallowNet:
    """Minimum-norm Gauss-Newton steps ``W - J^+ r`` on the hidden weights, as long as ||r|| falls.

    Nothing is proved here: the weights are a better place to certify. A step is halved up to 8 times where it does not
    lower ||r||.

    Parameters
    ----------
    net : ShallowNet
    X : (n, d) float64
    y : (n,) float64
    steps : int

    Returns
    -------
    ShallowNet
        The same v and activation. `net` itself where no step lowers ||r||.

    Raises
    ------
    InputError
        For arguments that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.eye(3), np.array([1.0, -1.0, 1.0])
    >>> net = ShallowNet.initialize(50, 3, "softplus", y=y, seed=0)
    >>> bool(np.linalg.norm(gauss_newton_polish(net, X, y, 5).residual(X, y)) < 1e-12)
    True
    """
    X = check_matrix("X", X, columns=net.d)
    y = check_vector("y", y, length=X.shape[0])
    steps = check_int("steps", steps, minimum=0)
    r = net.residual(X, y)
    size = _size(r)
    for _ in range(steps):
        with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
            move = solved(net.activation.derivative(X @ net.W.T) * net.v, X, r)
            ends = net.W - move
        if not np.all(np.isfinite(ends)) or not np.any(move):
            break
        for halvings in range(9):
            tried = ShallowNet(net.W - move * 0.5**halvings, net.v, net.activation)
            moved = tried.residual(X, y)
            if _size(moved) < size:
                break
        else:
            break
        net, r, size = tried, moved, _size(moved)
    return net


def _size(r: Floats) -> float:
    top = float(np.max(np.abs(r)))
    return top * float(np.linalg.norm(r / top)) if 0 < top < np.inf else top
