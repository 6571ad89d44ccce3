r"""Maps f: R^p -> R^n whose constants are known, in either arithmetic: what gradient descent runs on.

`Network` is the shallow network as a function of its hidden weights. The others are coordinatewise maps between two
Householder reflections: ``I - 2 w w^T / w^T w`` is exactly orthogonal for every w, so that singular values, Lipschitz
constants and norms are those of the coordinatewise map, exactly.

In float64 every value comes with an a-priori bound of its error; in 60 digits that bound is zero.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from jacspec import bounds
from jacspec.rounding import gamma
from verification.arithmetic import Arithmetic, Float64, Matrix, Number

if TYPE_CHECKING:
    from jacspec.activations import Activation

__all__ = ["Map", "Network", "PiecewiseLinear", "Quadratic", "Reflection"]

#: What products that underflow may lose.
_TINY = 1e-290
#: In 60 digits: how near to a kink a sign is not relied upon.
_NEAR = 1e-35


def size(A: Matrix) -> float:
    """Euclidean norm of an array as a float, rounded up a little."""
    return 1.0001 * float(np.linalg.norm(np.asarray(A, dtype=np.float64).ravel()))


class Map(ABC):
    """f: R^p -> R^n in one arithmetic. Points theta are flat arrays of p numbers.

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
    def value(self, theta: Matrix) -> tuple[Matrix, float]:
        """f(theta), (n,), and the Euclidean norm of its error."""

    @abstractmethod
    def jacobian(self, theta: Matrix) -> tuple[Matrix, float]:
        """J(theta), (n, p), and the Frobenius norm of its error. At a kink: the left derivative."""

    @abstractmethod
    def mean_jacobian(self, theta: Matrix, other: Matrix) -> tuple[Matrix, float]:
        """The mean of J on the segment from theta to other, and the Frobenius norm of its error."""

    @abstractmethod
    def lipschitz(self) -> Number | None:
        """A Lipschitz constant of J on all of R^p; None where J jumps."""

    @abstractmethod
    def norm_within(self, radius: Number) -> Number:
        """An upper bound of ||J|| on the closed ball around theta_0."""

    def singular_values(self, theta: Matrix) -> tuple[Number, Number]:
        """(largest, n-th) singular values of J(theta)."""
        J, error = self.jacobian(theta)
        return self.m.singular_values(J, error)

    def clear(self, theta: Matrix, distance: float) -> bool:
        """Whether all points within `distance` of theta lie in one piece on which f is smooth."""
        return True

    def jump_within(self, radius: Number) -> Number:
        """An upper bound of ||J(theta) - J(theta_0)|| on the closed ball around theta_0."""
        L = self.lipschitz()
        if L is None:
            raise NotImplementedError(f"{type(self).__name__}: says by itself how far J jumps")
        return L * radius


# -- networks -------------------------------------------------------------------------------------------------------


class Network(Map):
    """``f(W) = phi(X W^T) v``, theta = vec(W) (rows stacked).

    Parameters
    ----------
    m : Arithmetic
    X : (n, d) float64
    W : (k, d) float64
        theta_0.
    v : (k,) float64
    phi : Activation
    optimal : bool, default True
        Whether the Lipschitz constant is the one through ``||X * X|| >= ||X||_{2->4}^2`` (`jacobian-lipschitz-optimal`)
        or the one through ``||X||`` (`jacobian-lipschitz`).
    """

    def __init__(self, m: Arithmetic, X: Any, W: Any, v: Any, phi: Activation, optimal: bool = True) -> None:
        self.m, self.phi, self.optimal = m, phi, optimal
        self.X, self.v, self.start = m.matrix(X), m.matrix(v), m.matrix(W).ravel()
        self.n, self.k, self.p = len(X), len(v), W.size
        self._X, self._v = np.asarray(X, dtype=np.float64), np.asarray(v, dtype=np.float64)
        self._x = np.linalg.norm(self._X, axis=1)
        self._v_inf = m.number(float(np.max(np.abs(self._v))))
        self._constants: dict[str, Number] = {}

    def weights(self, theta: Matrix) -> Matrix:
        """W as a (k, d) matrix."""
        return theta.reshape(self.k, -1)

    def preactivations(self, theta: Matrix) -> tuple[Matrix, Any]:
        """``X W^T`` (n, k) and the error of each entry: d products."""
        W = self.weights(theta)
        if not isinstance(self.m, Float64):
            return self.X @ W.T, 0.0
        return self._X @ W.T, gamma(W.shape[1]) * (np.abs(self._X) @ np.abs(W).T) + _TINY

    def value(self, theta: Matrix) -> tuple[Matrix, float]:
        Z, shift = self.preactivations(theta)
        P = self.m.evaluate(self.phi, "phi", Z)
        f = P @ self.v
        if not isinstance(self.m, Float64):
            return f, 0.0
        # phi is evaluated to 8 u (|phi| + B1 |z|); then k products with v.
        B1 = self.phi.B1.upper
        each = B1 * shift + gamma(8) * (np.abs(P) + B1 * np.abs(Z)) + gamma(self.k) * np.abs(P)
        return f, size(1.001 * each @ np.abs(self._v)) + _TINY

    def jacobian(self, theta: Matrix) -> tuple[Matrix, float]:
        W = self.weights(theta)
        return self.m.jacobian(self.X, W, self.v, self.phi), self.m.jacobian_radius(self._X, W, self._v, self.phi)

    def mean_jacobian(self, theta: Matrix, other: Matrix) -> tuple[Matrix, float]:
        # Along a segment z moves linearly, so the mean of phi' is a divided difference of phi.
        (Z, shift), (Z2, shift2) = self.preactivations(theta), self.preactivations(other)
        step = Z2 - Z
        moved = np.asarray(step != 0, dtype=bool)
        safe = np.where(moved, step, step * 0 + 1)
        P, P2 = (self.m.evaluate(self.phi, "phi", z) for z in (Z, Z2))
        middle = self.m.evaluate(self.phi, "dphi", (Z + Z2) / 2)
        quotient = np.where(moved, (P2 - P) / safe, middle)
        if not isinstance(self.m, Float64):
            return self.m.khatri_rao(quotient * self.v, self.X), 0.0
        B1, B2 = self.phi.B1.upper, self.phi.B2.upper if self.phi.is_smooth else 2 * self.phi.B1.upper
        each = 2 * B1 * (shift + shift2) + gamma(10) * (np.abs(P) + np.abs(P2) + B1 * (np.abs(Z) + np.abs(Z2)))
        by_quotient = np.where(moved, each / np.abs(safe), math.inf)
        # phi' at the midpoint is off by at most B2 |step| / 4 (where it jumps: by at most 2 B1).
        by_middle = B2 * (np.abs(step) / 4 if self.phi.is_smooth else 1.0) + B2 * (shift + shift2) + gamma(8) * B1
        better = by_quotient < by_middle
        D, error = np.where(better, quotient, middle), np.where(better, by_quotient, by_middle)
        error = (error + gamma(3) * np.abs(D)) * np.abs(self._v)
        return self.m.khatri_rao(D * self.v, self.X), size(error * self._x[:, None])

    def lipschitz(self) -> Number | None:
        if not self.phi.is_smooth:
            return None
        return self._once("L", self._lipschitz)

    def _lipschitz(self) -> Number:
        m, B2 = self.m, self.m.number(self.phi.B2.upper)
        if self.optimal:
            XX = m.khatri_rao(self.X, self.X)
            two_to_four = m.spectral_norm(XX, m.rounding(1, m.norm(XX)))  # each entry is rounded once
            return bounds.jacobian_lipschitz_optimal(B2, self._v_inf, two_to_four, 1)
        # The lemma is about unit rows; for general ones it has the factor max ||x_i||, here 1 up to rounding.
        longest = m.maximum(m.row_norms(self.X))
        return bounds.jacobian_lipschitz_paper(B2, self._v_inf, m.spectral_norm(self.X), 1) * longest

    def norm_within(self, radius: Number) -> Number:
        """B1 ||v|| ||X||, everywhere."""
        m = self.m
        return self._once(
            "beta",
            lambda: bounds.jacobian_norm_sharp(m.number(self.phi.B1.upper), m.norm(self.v), m.spectral_norm(self.X)),
        )

    def row_norm(self) -> Number:
        """B1 ||v|| max ||x_i||, an upper bound of the norm of each row of J, everywhere."""
        m = self.m
        return bounds.jacobian_norm_sharp(m.number(self.phi.B1.upper), m.norm(self.v), m.maximum(m.row_norms(self.X)))

    def clear(self, theta: Matrix, distance: float) -> bool:
        if self.phi.is_smooth:
            return True
        Z, shift = self.preactivations(theta)
        z = np.abs(np.asarray(Z, dtype=np.float64))
        if not isinstance(self.m, Float64):
            distance = distance and distance + _NEAR
            shift = 0.0
        # A pre-activation that is exactly zero is known as such at theta itself.
        exact = (z == 0) & (distance == 0) & (np.asarray(shift) <= _TINY)
        return bool(np.all(exact | (z > 1.001 * (shift + distance * self._x[:, None]))))

    def flips_within(self, radius: Number) -> int:
        """``max_i N_i(radius)`` of `relu-jacobian-perturbation`, counted from above.

        The largest number of units whose pre-activations can all change sign at one x_i when W moves by `radius`.
        """
        m = self.m
        Z, shift = self.preactivations(self.start)
        most = 0
        for z, e, length in zip(abs(Z), np.broadcast_to(shift, Z.shape), m.row_norms(self.X), strict=True):
            reach, radius_of_reach = m.split((radius * length) ** 2)
            low = np.maximum(np.asarray(z, dtype=np.float64) * (1 - 1e-15) - e, 0.0)
            sums = np.cumsum(np.sort(low) ** 2) * (1 - 1e-14)
            most = max(most, int(np.sum(sums <= float(reach + radius_of_reach) * (1 + 1e-14))))
        return most

    def jump_within(self, radius: Number) -> Number:
        if self.phi.is_smooth:
            return super().jump_within(radius)
        flips = self.m.number(float(self.flips_within(radius)))
        longest = self.m.maximum(self.m.row_norms(self.X))
        return bounds.relu_jacobian_perturbation(self._v_inf, self.m.spectral_norm(self.X), flips) * longest

    def _once(self, name: str, compute: Any) -> Number:
        if name not in self._constants:
            self._constants[name] = compute()
        return self._constants[name]


# -- coordinatewise maps between reflections ------------------------------------------------------------------------


class Reflection:
    """``x -> x - 2 w (w^T x) / (w^T w)``, exactly orthogonal; the identity for w = 0.

    Attributes
    ----------
    error : float
        ``||fl(Hx) - Hx|| <= error ||x||``: q products and quotients for 2 (w^T x) / (w^T w), times w, subtracted.
    """

    def __init__(self, m: Arithmetic, w: Any) -> None:
        self.m, self.w = m, m.matrix(w)
        self.identity = not np.any(np.asarray(w))
        self._square = self.w @ self.w if not self.identity else m.matrix(np.ones(1))[0]
        self.error = 0.0 if self.identity or not isinstance(m, Float64) else gamma(4 * len(self.w) + 16)

    def __call__(self, x: Matrix) -> Matrix:
        """H x, for a vector or the columns of a matrix."""
        if self.identity:
            return x
        along = (self.w @ x) * 2 / self._square
        return x - (self.w * along if x.ndim == 1 else np.outer(self.w, along))


class _Conjugated(Map):
    """``f(theta) = U g(first n coordinates of V theta)`` with reflections U, V and theta_0 = 0, p >= n.

    Subclasses give g, its n x n Jacobian K and the errors of both.
    """

    def __init__(self, m: Arithmetic, left: Any, right: Any) -> None:
        self.m, self.n, self.p = m, len(left), len(right)
        if self.p < self.n:
            raise ValueError(f"got n = {self.n} and p = {self.p}; expected n <= p")
        self.U, self.V = Reflection(m, left), Reflection(m, right)
        self.start = m.matrix(np.zeros(self.p))
        self._V = self.V(m.matrix(np.eye(self.p)))[: self.n]

    @abstractmethod
    def inner(self, phi: Matrix, error: float) -> tuple[Matrix, float]:
        """g(phi) and the norm of its error, phi being off by at most `error`."""

    @abstractmethod
    def inner_jacobian(self, phi: Matrix, error: float) -> tuple[Matrix, float]:
        """K(phi), (n, n), and its error in Frobenius norm, phi being off by at most `error`."""

    @abstractmethod
    def inner_mean(self, phi: Matrix, other: Matrix, error: float) -> tuple[Matrix, float]:
        """The mean of K between phi and other, each off by at most `error`."""

    def coordinates(self, theta: Matrix) -> tuple[Matrix, float]:
        """The first n coordinates of V theta, and the norm of their error."""
        return self.V(theta)[: self.n], self.V.error * size(theta) if self.V.error else 0.0

    def value(self, theta: Matrix) -> tuple[Matrix, float]:
        g, error = self.inner(*self.coordinates(theta))
        return self.U(g), error + (self.U.error * (size(g) + error) if self.U.error else 0.0)

    def jacobian(self, theta: Matrix) -> tuple[Matrix, float]:
        return self._outward(*self.inner_jacobian(*self.coordinates(theta)))

    def mean_jacobian(self, theta: Matrix, other: Matrix) -> tuple[Matrix, float]:
        (phi, e), (phi2, e2) = self.coordinates(theta), self.coordinates(other)
        return self._outward(*self.inner_mean(phi, phi2, max(e, e2)))

    def _outward(self, K: Matrix, error: float) -> tuple[Matrix, float]:
        J = self.U(K @ self._V)
        if not isinstance(self.m, Float64):
            return J, 0.0
        # The columns of V are off by V.error each, K V is n products, U errs on each column; ||V|| = 1 for exact V.
        K_size = size(K)
        entry = self.V.error * math.sqrt(self.p) + gamma(self.n) * math.sqrt(self.n) + 2 * self.U.error
        return J, error + K_size * entry if K_size else error

    def singular_values(self, theta: Matrix) -> tuple[Number, Number]:
        """Of K, exactly those of J; the moduli of its diagonal where it is diagonal."""
        K, error = self.inner_jacobian(*self.coordinates(theta))
        diagonal = np.diag(K)
        if np.count_nonzero(K) == np.count_nonzero(diagonal):
            moduli = abs(diagonal)
            top, low = self.m.number(max(moduli), error), self.m.number(min(moduli), error)
            return (top.nonnegative(), low.nonnegative()) if isinstance(self.m, Float64) else (top, low)
        return self.m.singular_values(K, error)


class Quadratic(_Conjugated):
    r"""``g_j(phi) = sigma_j phi_j - c_j phi_{j+turn}^2 / 2``, indices modulo n.

    J is Lipschitz with constant ``max |c_j|``, attained between any two points that differ in that coordinate;
    ``||J|| <= max (|sigma_j| + |c_j| s)`` within s of theta_0 = 0 (for turn = 0; else max sigma + max c s).

    Parameters
    ----------
    m : Arithmetic
    sigma, curvature : (n,) float64
    left : (n,) float64
        The vector of the reflection U (zeros: none).
    right : (p,) float64
        That of V.
    turn : int, default 0
        1 makes a component bend with its neighbour's coordinate: the residual then grows at right angles to a step.
    """

    def __init__(self, m: Arithmetic, sigma: Any, curvature: Any, left: Any, right: Any, turn: int = 0) -> None:
        super().__init__(m, left, right)
        self.sigma, self.c = m.matrix(sigma), m.matrix(curvature)
        self.turn = turn % self.n
        self._sigma, self._c = np.abs(np.asarray(sigma, dtype=float)), np.abs(np.asarray(curvature, dtype=float))
        self._K = np.diag(self.sigma)
        self._rows = np.arange(self.n)
        self._columns = (self._rows + self.turn) % self.n

    def inner(self, phi: Matrix, error: float) -> tuple[Matrix, float]:
        bent = phi[self._columns]
        g = self.sigma * phi - self.c * bent * bent / 2
        if not isinstance(self.m, Float64):
            return g, 0.0
        slope = float(np.max(self._sigma)) + float(np.max(self._c)) * (size(phi) + error)
        return g, slope * error + gamma(5) * size(self._sigma * np.abs(phi) + self._c * bent * bent) + _TINY

    def inner_jacobian(self, phi: Matrix, error: float) -> tuple[Matrix, float]:
        K, bend = self._K.copy(), self.c * phi[self._columns]
        K[self._rows, self._columns] = K[self._rows, self._columns] - bend
        if not isinstance(self.m, Float64):
            return K, 0.0
        return K, float(np.max(self._c)) * error + gamma(2) * (size(self._sigma) + size(bend)) + _TINY

    def inner_mean(self, phi: Matrix, other: Matrix, error: float) -> tuple[Matrix, float]:
        middle = (phi + other) / 2  # K is affine
        return self.inner_jacobian(middle, error + (gamma(1) * size(middle) if isinstance(self.m, Float64) else 0.0))

    def lipschitz(self) -> Number:
        return self.m.number(float(np.max(self._c)))

    def norm_within(self, radius: Number) -> Number:
        m = self.m
        if self.turn:
            return m.number(float(np.max(self._sigma))) + self.lipschitz() * radius
        return m.maximum(
            [m.number(float(s)) + m.number(float(c)) * radius for s, c in zip(self._sigma, self._c, strict=True)]
        )


class PiecewiseLinear(_Conjugated):
    r"""``g_j(phi) = sigma_j phi_j + delta_j |phi_j - tau_j|``: J jumps by ``2 delta_j`` where phi_j passes tau_j.

    Parameters
    ----------
    m : Arithmetic
    sigma, jump, kink : (n,) float64
        sigma_j, delta_j and tau_j.
    left, right
        As in `Quadratic`.
    """

    def __init__(self, m: Arithmetic, sigma: Any, jump: Any, kink: Any, left: Any, right: Any) -> None:
        super().__init__(m, left, right)
        self.sigma, self.jump, self.kink = m.matrix(sigma), m.matrix(jump), m.matrix(kink)
        self._sigma, self._jump, self._kink = (np.asarray(a, dtype=np.float64) for a in (sigma, jump, kink))

    def _signs(self, phi: Matrix) -> Matrix:
        """+1 beyond the kink, -1 before it and at it (the derivative from the left)."""
        return self.m.matrix(np.where(np.asarray(phi > self.kink, dtype=bool), 1.0, -1.0))

    def inner(self, phi: Matrix, error: float) -> tuple[Matrix, float]:
        g = self.sigma * phi + self.jump * abs(phi - self.kink)
        if not isinstance(self.m, Float64):
            return g, 0.0
        slope = float(np.max(np.abs(self._sigma) + np.abs(self._jump)))
        parts = np.abs(self._sigma * phi) + np.abs(self._jump) * (np.abs(phi) + np.abs(self._kink))
        return g, slope * error + gamma(4) * size(parts) + _TINY

    def inner_jacobian(self, phi: Matrix, error: float) -> tuple[Matrix, float]:
        # Whether phi lies on the side where it seems to lie is for `clear` to say.
        K = np.diag(self.sigma + self.jump * self._signs(phi))
        return K, gamma(1) * size(K) if isinstance(self.m, Float64) else 0.0

    def inner_mean(self, phi: Matrix, other: Matrix, error: float) -> tuple[Matrix, float]:
        step, before, after = other - phi, phi - self.kink, other - self.kink
        signs, signs2 = self._signs(phi), self._signs(other)
        crossed = np.asarray(signs != signs2, dtype=bool)
        safe = np.where(crossed, step, step * 0 + 1)
        mean = np.where(crossed, (abs(after) - abs(before)) / safe, signs)
        K = np.diag(self.sigma + self.jump * mean)
        if not isinstance(self.m, Float64):
            return K, 0.0
        lengths = np.abs(before) + np.abs(after)
        own = np.where(crossed, (8 * error + gamma(6) * lengths) / np.abs(safe), 0.0)
        return K, size(self._jump * own) + gamma(3) * size(np.abs(self._sigma) + np.abs(self._jump))

    def lipschitz(self) -> None:
        return None

    def norm_within(self, radius: Number) -> Number:
        """Of the two slopes of each coordinate, the second one only where its kink lies within reach."""
        m = self.m
        moduli = []
        for s, a, near in zip(self.sigma, self.jump, self._within(radius), strict=True):
            sides = (-1, 1) if near is None else (near,)
            moduli += [abs(m.number(s) + m.number(a) * side) for side in sides]
        return m.maximum(moduli)

    def jump_within(self, radius: Number) -> Number:
        m = self.m
        within = self._within(radius)
        reached = [abs(m.number(a)) * 2 for a, side in zip(self.jump, within, strict=True) if side is None]
        return m.maximum([m.number(0.0), *reached])

    def _within(self, radius: Number) -> list[int | None]:
        """By coordinate: the one side that the ball meets, or None where the kink is within reach."""
        value, spread = self.m.split(radius)
        reach = float(value + spread) * (1 + 1e-15)
        # At phi_j = 0 = tau_j the derivative from the left counts, and both sides are within any ball.
        return [None if abs(t) <= reach else (1 if t < 0 else -1) for t in self._kink]

    def clear(self, theta: Matrix, distance: float) -> bool:
        phi, error = self.coordinates(theta)
        away = np.abs(np.asarray(phi - self.kink, dtype=np.float64))
        if not isinstance(self.m, Float64):
            distance = distance and distance + _NEAR
            error = 0.0 if self.V.identity else _NEAR
        exact = (away == 0) & (distance == 0) & (error == 0)
        room = distance + error + gamma(1) * (np.abs(np.asarray(phi, dtype=np.float64)) + np.abs(self._kink))
        return bool(np.all((self._jump == 0) | exact | (away > 1.001 * room)))
