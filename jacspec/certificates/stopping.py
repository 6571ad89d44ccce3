"""A stopping rule for `jacspec.train`: stop when proved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import check_int, check_matrix, check_vector
from .certificate import Certificate
from .certify import Choice, certify

if TYPE_CHECKING:
    from ..training import State

__all__ = ["StopWhenCertified", "stop_when_certified"]


@dataclass
class StopWhenCertified:
    """Asked at every checkpoint of a run; True once the weights there are certified.

    A look at the checkpoint's own (unproved) sigma_min comes first: where ``2 L ||r|| >= 4 sigma_min^2`` nothing is
    tried (`newton-certificate` alone might succeed there; ask for it by name).

    Attributes
    ----------
    certificate : Certificate or None
        The last one tried; the certificate that stopped the run, if one did.
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    eta: float | Literal["auto"] = "auto"
    method: Choice = "auto"
    polish: int = 0
    certificate: Certificate | None = None
    _lipschitz: float | None = field(default=None, repr=False)

    def __call__(self, state: State) -> bool:
        net = state.net()
        if not np.all(np.isfinite(net.W)) or self._far(state):
            return False
        self.certificate = certify(
            net, self.X, self.y, eta=self.eta, method=self.method, polish=self.polish, weights=f"step {state.step}"
        )
        return self.certificate.certified

    def _far(self, state: State) -> bool:
        if state.checkpoint is None or self.polish or self.method == "newton":
            return False
        if self._lipschitz is None:
            net = state.net()
            B2 = net.activation.B2.upper if net.activation.is_smooth else 0.0
            # ||X||_{2->4}^2 is at least its value along any row: a lower bound of L, so nothing near is passed over.
            quartic = max(float(np.linalg.norm((self.X @ x) ** 2) / max(x @ x, 1e-300)) for x in self.X[:64])
            self._lipschitz = B2 * float(np.max(np.abs(net.v))) * quartic
        return 2 * self._lipschitz * state.residual_norm >= 4 * state.checkpoint.sigma_min.upper**2


def stop_when_certified(
    X: ArrayLike,
    y: ArrayLike,
    *,
    eta: float | Literal["auto"] = "auto",
    method: Choice = "auto",
    polish: int = 0,
) -> StopWhenCertified:
    """A rule for ``train(net, X, y, stop=..., checkpoints=...)``; it keeps the certificate that stopped the run.

    Parameters
    ----------
    X : (n, d) float64
    y : (n,) float64
        Those of the run.
    eta : float or "auto"
    method : "auto", "kantorovich", "newton" or "relu"
    polish : int
        As for `certify`. With ``polish`` the certificate may speak of weights a few Gauss-Newton steps from the run's.

    Returns
    -------
    StopWhenCertified
        With `certificate`: the last one tried, or None.

    Raises
    ------
    InputError
        If X or y is not finite, or their sizes disagree.

    Examples
    --------
    >>> from jacspec import ShallowNet, train
    >>> X, y = np.eye(3), np.array([1.0, -1.0, 1.0])
    >>> rule = stop_when_certified(X, y)
    >>> net = ShallowNet.initialize(50, 3, "softplus", y=y, seed=0)
    >>> run = train(net, X, y, steps=10_000, checkpoints=range(0, 10_000, 50), stop=rule)
    >>> run.status, rule.certificate.verdict
    ('stopped', 'CERTIFIED')
    """
    X = check_matrix("X", X)
    return StopWhenCertified(
        X, check_vector("y", y, length=X.shape[0]), eta, method, check_int("polish", polish, minimum=0)
    )
