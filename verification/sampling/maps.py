"""Maps f: R^p -> R^n with known global constants, row by row and in batches, in float64 and in 60 digits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jacspec import activation
from jacspec.rounding import gamma
from verification.arithmetic import Arithmetic, Float64, Matrix, Number
from verification.dynamics import Network

if TYPE_CHECKING:
    from jacspec.activations import Activation

__all__ = ["Constants", "SampledMap", "SampledNetwork", "Waves"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: What products that underflow may lose.
_TINY = 1e-290


@dataclass(frozen=True)
class Constants:
    """Upper bounds, on all of R^p, of ||J||, of the rows of J, and of the Lipschitz constant of J."""

    beta: float
    b: float
    L: float


class SampledMap(ABC):
    """f: R^p -> R^n in one arithmetic, with its rows one by one.

    Attributes
    ----------
    m : Arithmetic
    n, p : int
    start : (p,) array
        theta_0.
    """

    m: Arithmetic
    n: int
    p: int
    start: Matrix

    @abstractmethod
    def outputs(self, thetas: Matrix) -> tuple[Matrix, Floats]:
        """f at each state, (B, n), and the error of each entry."""

    @abstractmethod
    def rows(self, thetas: Matrix, i: Integers) -> tuple[Matrix, Floats]:
        """J_i at each state, (B, p), one sample i for each, and the norm of the error of each."""

    @abstractmethod
    def constants(self) -> Constants:
        """Global constants, in float64, rounded up."""

    def jacobian(self, theta: Matrix) -> tuple[Matrix, float]:
        """J(theta), (n, p), and the Frobenius norm of its error."""
        J, errors = self.rows(np.repeat(theta[None], self.n, axis=0), np.arange(self.n))
        return J, 1.001 * float(np.linalg.norm(errors))

    def sigma_min(self, theta: Matrix) -> Number:
        """The n-th singular value of J(theta)."""
        return self.m.sigma_min(*self.jacobian(theta))

    def _errors(self, compute: Any, shape: tuple[int, ...]) -> Floats:
        """Error bounds in float64; zeros in 60 digits, where they are not even computed."""
        if not isinstance(self.m, Float64):
            return np.zeros(shape)
        return np.broadcast_to(1.001 * np.asarray(compute()) + _TINY, shape)


class SampledNetwork(SampledMap):
    """``f(W) = phi(X W^T) v``, theta = vec(W)."""

    def __init__(self, m: Arithmetic, X: Floats, W: Floats, v: Floats, phi: Activation) -> None:
        self.m, self.phi = m, phi
        self.X, self.v, self.start = m.matrix(X), m.matrix(v), m.matrix(W).ravel()
        (self.n, self.d), (self.k, _) = X.shape, W.shape
        self.p = W.size
        self._given = (X, W, v)
        self._x, self._abs_v = np.linalg.norm(X, axis=1), np.abs(v)

    def constants(self) -> Constants:
        f = Network(Float64(), *self._given, self.phi)
        L = f.lipschitz()
        assert L is not None, "phi' jumps: no Lipschitz constant"
        return Constants(f.norm_within(0.0).upper, f.row_norm().upper, L.upper)

    def _unit_norms(self, W: Matrix) -> Floats:
        return np.asarray(np.sqrt(np.einsum("bkd,bkd->bk", W, W)))

    def outputs(self, thetas: Matrix) -> tuple[Matrix, Floats]:
        W = thetas.reshape(len(thetas), self.k, self.d)
        f = self.m.evaluate(self.phi, "phi", np.matmul(self.X, np.swapaxes(W, 1, 2))) @ self.v

        def errors() -> Floats:
            # Pre-activations are off by gamma_d |x||w|, which phi multiplies by at most B1; phi is evaluated to
            # 8 u (|phi| + B1 |z|), |phi| <= |phi(0)| + B1 |x||w|; then k products with v.
            B1, at_zero = self.phi.B1.upper, abs(float(self.phi(np.zeros(1))[0]))
            reach = 2 * B1 * np.outer(self._unit_norms(W) @ self._abs_v, self._x)
            return gamma(self.d + self.k + 20) * (at_zero * float(np.sum(self._abs_v)) + reach)

        return f, self._errors(errors, f.shape)

    def rows(self, thetas: Matrix, i: Integers) -> tuple[Matrix, Floats]:
        W, x = thetas.reshape(len(thetas), self.k, self.d), self.X[i]
        D = self.m.evaluate(self.phi, "dphi", np.sum(W * x[:, None, :], axis=2)) * self.v
        J = (D[:, :, None] * x[:, None, :]).reshape(len(thetas), self.p)

        def errors() -> Floats:
            # phi' moves by B2 times the error of the pre-activation, and is evaluated to 8 u max(B1, |phi'|); then
            # two products. Norms over the units.
            reach = self._x[i] * np.linalg.norm(self._unit_norms(W) * self._abs_v, axis=1)
            own = self.phi.B1.upper * float(np.linalg.norm(self._abs_v))
            return np.asarray(gamma(self.d + 20) * self._x[i] * (self.phi.B2.upper * reach + own))

        return J, self._errors(errors, (len(thetas),))


class Waves(SampledMap):
    r"""``f(theta) = C g(H theta)``, ``g_i(u) = u + a_i sin(omega_i u)``, H a Householder reflection of the domain.

    ``J = C diag(g') H`` with ``|g_i'| <= 1 + a_i omega_i``, attained; H is exactly orthogonal. So, for a, omega >= 0,
    ``||J|| <= ||C diag(1 + a omega)||`` and its rows bound those of J (both attained at u = 0), and the best global
    Lipschitz constant of J is ``max_i ||C e_i|| a_i omega_i^2``: the norm of C diag(delta) is at most its Frobenius
    norm, and moving one coordinate attains it. a = 0 makes f linear.

    Parameters
    ----------
    m : Arithmetic
    C : (n, p) float64
    a, omega : (p,) float64, nonnegative
    h : (p,) float64
        H = I - 2 h h^T / h^T h; the identity for h = 0.
    theta : (p,) float64
        theta_0.
    """

    def __init__(self, m: Arithmetic, C: Floats, a: Floats, omega: Floats, h: Floats, theta: Floats) -> None:
        self.m = m
        self.C, self.a, self.omega, self.h, self.start = (m.matrix(A) for A in (C, a, omega, h, theta))
        self.n, self.p = C.shape
        self._given = (C, a, omega)
        self._c = np.linalg.norm(C, axis=1)
        self._steepest = 1 + float(np.max(a * omega))
        self._bend = float(np.max(a * omega**2))
        self._a = float(np.linalg.norm(a))
        self._sin = activation("sin")
        self._square = self.h @ self.h if np.any(h) else None

    def constants(self) -> Constants:
        C, a, omega = self._given
        most, m = C * (1 + a * omega), Float64()
        rounded = gamma(4) * float(np.linalg.norm(most))
        columns = np.linalg.norm(C, axis=0) * (a * omega**2)
        return Constants(
            m.spectral_norm(most, rounded).upper,
            m.maximum(m.row_norms(most)).widened(rounded).upper,
            float(np.max(columns)) * (1 + gamma(self.n + 12)),
        )

    def _reflected(self, A: Matrix) -> Matrix:
        """H applied to each row."""
        if self._square is None:
            return A
        along = (A @ self.h) * 2 / self._square
        return np.asarray(A - along[:, None] * self.h)

    # H errs by gamma_{2p+8} 3 ||theta||; omega u rounds once; sin and cos are right to 8 u.

    def outputs(self, thetas: Matrix) -> tuple[Matrix, Floats]:
        u = self._reflected(thetas)
        g = u + self.m.evaluate(self._sin, "phi", u * self.omega) * self.a

        def errors() -> Floats:
            reach = np.linalg.norm(thetas, axis=1) + self._a
            return gamma(8 * self.p + 48) * self._steepest * np.outer(reach, self._c)

        f = g @ self.C.T
        return f, self._errors(errors, f.shape)

    def rows(self, thetas: Matrix, i: Integers) -> tuple[Matrix, Floats]:
        u = self._reflected(thetas)
        slope = self.m.evaluate(self._sin, "dphi", u * self.omega) * (self.a * self.omega) + 1
        J = self._reflected(self.C[i] * slope)

        def errors() -> Floats:
            reach = self._steepest + self._bend * np.linalg.norm(thetas, axis=1)
            return np.asarray(gamma(14 * self.p + 72) * self._c[i] * reach)

        return J, self._errors(errors, (len(thetas),))
