"""The two arithmetics in which a claim's sides are computed: float64 with radii, and 60 digits.

A claim writes its sides once, against this interface; `check` runs them in float64 first and again in higher precision
where float64 leaves a doubt. Matrices are NumPy arrays, of float64 or of mpmath numbers (dtype object).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jacspec.comparison import NARROW, NARROW_PRECISE, trusted
from jacspec.rounding import Estimate, factorization_radius, gamma

from .ball import Ball

if TYPE_CHECKING:
    from jacspec.activations import Activation

__all__ = ["Arithmetic", "Float64", "Multiprecision"]

Matrix = NDArray[Any]
Number = Any

#: Absolute floor of every radius: products that underflow lose at most this much.
_TINY = 1e-290


class Arithmetic(ABC):
    """What a claim may ask for. Numbers support ``+ - * / **``; norms and eigenvalues come with their error.

    Attributes
    ----------
    narrow : float
        Relative radius below which agreement counts in an identity.
    """

    narrow: float

    @abstractmethod
    def matrix(self, A: Any) -> Matrix:
        """A float64 array, exactly, in this arithmetic."""

    @abstractmethod
    def number(self, x: Any, radius: float = 0.0) -> Number:
        """A scalar; `radius` is its float64 error and ignored in higher precision."""

    @abstractmethod
    def split(self, x: Number) -> tuple[Any, Any]:
        """(value, radius) of a number."""

    @abstractmethod
    def rounding(self, operations: int, magnitude: Any) -> float:
        """``gamma_operations * magnitude``: an a-priori error in float64, zero in higher precision."""

    @abstractmethod
    def singular_values(self, A: Matrix, error: float = 0.0) -> tuple[Number, Number]:
        """(largest, n-th) singular values of an n-row matrix known to within `error` in spectral norm."""

    @abstractmethod
    def eigenvalues(self, S: Matrix, error: float = 0.0) -> tuple[Number, Number]:
        """(smallest, largest) eigenvalue of a symmetric matrix known to within `error` in spectral norm."""

    @abstractmethod
    def norm(self, A: Matrix, error: float = 0.0) -> Number:
        """Euclidean (Frobenius) norm of an array known to within `error` in that norm."""

    @abstractmethod
    def discrepancy(self, A: Matrix, B: Matrix, error: float = 0.0, scale: float = 0.0) -> Estimate:
        """``||A - B||_F`` of two arrays that an identity makes equal; their difference is off by at most `error`.

        `scale` is the norm of the sums of absolute values where entries are sums that may cancel; only higher precision
        asks for it.
        """

    @abstractmethod
    def evaluate(self, phi: Activation, which: str, Z: Matrix) -> Matrix:
        """phi ("phi") or phi' ("dphi") elementwise."""

    @abstractmethod
    def maximum(self, numbers: Sequence[Number]) -> Number:
        """The largest of some numbers."""

    @abstractmethod
    def minimum(self, numbers: Sequence[Number]) -> Number:
        """The smallest of some numbers."""

    def spectral_norm(self, A: Matrix, error: float = 0.0) -> Number:
        """Largest singular value."""
        return self.singular_values(A, error)[0]

    def sigma_min(self, A: Matrix, error: float = 0.0) -> Number:
        """Smallest singular value over the rows: zero for more rows than columns."""
        return self.singular_values(A, error)[1]

    def row_norms(self, A: Matrix) -> list[Number]:
        """Euclidean norm of each row."""
        return [self.norm(row) for row in A]

    def khatri_rao(self, A: Matrix, B: Matrix) -> Matrix:
        """Row-wise Khatri-Rao product (one rounding an entry)."""
        return (A[:, :, None] * B[:, None, :]).reshape(A.shape[0], -1)

    def jacobian(self, X: Matrix, W: Matrix, v: Matrix, phi: Activation) -> Matrix:
        """``(phi'(X W^T) diag(v)) * X``."""
        return self.khatri_rao(self.evaluate(phi, "dphi", X @ W.T) * v, X)

    @abstractmethod
    def jacobian_radius(self, X: Matrix, W: Matrix, v: Matrix, phi: Activation) -> float:
        """Frobenius-norm error of `jacobian`, a-priori."""

    def jacobian_change(self, X: Matrix, W: Matrix, W2: Matrix, v: Matrix, phi: Activation) -> Number:
        """``||J(W') - J(W)||``, the difference formed in phi' before the product with X."""
        D = (self.evaluate(phi, "dphi", X @ W2.T) - self.evaluate(phi, "dphi", X @ W.T)) * v
        error = self.jacobian_radius(X, W, v, phi) + self.jacobian_radius(X, W2, v, phi)
        return self.spectral_norm(self.khatri_rao(D, X), error)


class Float64(Arithmetic):
    """float64 arrays; numbers are `Estimate`s, so right-hand sides are interval arithmetic."""

    narrow = NARROW

    def matrix(self, A: Any) -> Matrix:
        return np.asarray(A, dtype=np.float64)

    def number(self, x: Any, radius: float = 0.0) -> Estimate:
        if isinstance(x, Estimate):
            return x.widened(radius)
        return Estimate(float(x), radius, radius == 0)

    def split(self, x: Number) -> tuple[float, float]:
        e = Estimate.of(x)
        return (e.value, e.radius) if math.isfinite(e.value) else (e.value, 0.0 if e.radius == 0 else math.inf)

    def rounding(self, operations: int, magnitude: Any) -> float:
        return gamma(operations) * float(Estimate.of(magnitude).upper if isinstance(magnitude, Estimate) else magnitude)

    def singular_values(self, A: Matrix, error: float = 0.0) -> tuple[Estimate, Estimate]:
        from scipy.linalg import svdvals

        n, m = A.shape
        # Scaling by a power of two is exact and keeps tiny or huge entries away from under- and overflow.
        top = float(np.max(np.abs(A)))
        scale = 2.0 ** math.frexp(top)[1] if top > 0 else 1.0
        values = svdvals(A / scale, check_finite=False) * scale
        radius = factorization_radius(n, m, float(values[0])) + error + _TINY
        low = Estimate(float(values[n - 1]), radius) if n <= m else Estimate.zero("more rows than columns")
        return Estimate(float(values[0]), radius).nonnegative(), low.nonnegative()

    def eigenvalues(self, S: Matrix, error: float = 0.0) -> tuple[Estimate, Estimate]:
        from scipy.linalg import eigvalsh

        values = eigvalsh(S, check_finite=False)
        size = float(np.max(np.abs(values)))
        radius = factorization_radius(len(S), len(S), size) + error + _TINY
        return Estimate(float(values[0]), radius), Estimate(float(values[-1]), radius)

    def norm(self, A: Matrix, error: float = 0.0) -> Estimate:
        top = float(np.max(np.abs(A))) if A.size else 0.0
        if top == 0:
            return Estimate(0.0, error, error == 0)
        value = top * float(np.linalg.norm((A / top).ravel()))
        return Estimate(value, value * gamma(A.size + 4) + error + _TINY).nonnegative()

    def discrepancy(self, A: Matrix, B: Matrix, error: float = 0.0, scale: float = 0.0) -> Estimate:
        difference = A - B
        return self.norm(difference, error + self.rounding(1, self.norm(difference)))

    def evaluate(self, phi: Activation, which: str, Z: Matrix) -> Matrix:
        return phi(Z) if which == "phi" else phi.derivative(Z)

    def jacobian_radius(self, X: Matrix, W: Matrix, v: Matrix, phi: Activation) -> float:
        Z, d = X @ W.T, X.shape[1]
        derivative = np.abs(phi.derivative(Z))
        # Pre-activations are off by gamma_d |x||w| (and what underflows); phi' multiplies that by at most B2.
        shift = gamma(d) * (np.abs(X) @ np.abs(W).T) + _TINY
        if phi.is_smooth:
            moved = phi.B2.upper * shift
        else:  # phi' is constant but for a jump of at most 2 B1 at 0, and right where the sign of z is
            moved = np.where((Z == 0) & (shift <= _TINY), 0.0, np.where(np.abs(Z) > shift, 0.0, 2 * phi.B1.upper))
        # phi' itself is evaluated to 8 u max(B1, |phi'|) (seen: 3.5); three products follow. |v| is scaled: squares of
        # 1e-160 are zero.
        own = gamma(8) * np.maximum(derivative, phi.B1.upper if math.isfinite(phi.B1.upper) else 0.0)
        top = float(np.max(np.abs(v))) or 1.0
        entry = (moved + own + gamma(3) * (derivative + moved)) * (np.abs(v) / top)
        return 1.001 * top * float(np.linalg.norm(np.linalg.norm(entry, axis=1) * np.linalg.norm(X, axis=1))) + _TINY

    def maximum(self, numbers: Sequence[Number]) -> Estimate:
        parts = [Estimate.of(x) for x in numbers]
        rigorous = all(e.rigorous for e in parts)
        return Estimate.from_bounds(max(e.lower for e in parts), max(e.upper for e in parts), rigorous)

    def minimum(self, numbers: Sequence[Number]) -> Estimate:
        parts = [Estimate.of(x) for x in numbers]
        rigorous = all(e.rigorous for e in parts)
        return Estimate.from_bounds(min(e.lower for e in parts), min(e.upper for e in parts), rigorous)


class Multiprecision(Arithmetic):
    """mpmath numbers of a stated number of digits; use inside ``with arithmetic.working():``.

    Eigenvalues are computed with twice the digits, because singular values come from those of the smaller Gram matrix,
    which costs half of them. What lies below 10^(10-digits) times the norm is called zero: it is structurally so
    (repeated rows) but for rounding. Of 60 digits, radii count on 25, which is honest down to 1e-34 of the norm.

    Parameters
    ----------
    digits : int
    """

    narrow = NARROW_PRECISE

    def __init__(self, digits: int) -> None:
        self.digits = digits

    @contextmanager
    def working(self) -> Iterator[None]:
        """Set mpmath's working precision, and put the old one back."""
        from mpmath import mp

        with mp.workdps(self.digits):
            yield

    def matrix(self, A: Any) -> Matrix:
        from mpmath import mpf

        source = np.asarray(A, dtype=np.float64)
        out = np.empty(source.shape, dtype=object)
        out.ravel()[:] = [mpf(float(x)) for x in source.ravel()]
        return out

    def number(self, x: Any, radius: float = 0.0) -> Number:
        from mpmath import mpf

        if isinstance(x, Estimate):
            return mpf(x.value)
        return mpf(x)

    def split(self, x: Number) -> tuple[Any, Any]:
        from mpmath import isinf, mpf

        if isinstance(x, Estimate):  # what `discrepancy` returns, with a radius of its own
            return mpf(x.value), mpf(x.radius)
        if isinstance(x, Ball):
            return x.value, x.radius
        value = self.number(x)
        return value, mpf(0) if isinf(value) else trusted(value, self.digits)

    def rounding(self, operations: int, magnitude: Any) -> float:
        return 0.0

    def _gram_extremes(self, S: Matrix) -> tuple[Any, Any]:
        from mpmath import mp

        ordered = sorted(mp.eigsy(mp.matrix(S.tolist()), eigvals_only=True))
        return ordered[0], ordered[-1]

    def _flushed(self, value: Any, norm: Any) -> Any:
        """Zero for what is below 10^(10-digits) times the norm."""
        from mpmath import mpf

        return mpf(0) if abs(value) <= abs(norm) * mpf(10) ** (10 - self.digits) else value

    def singular_values(self, A: Matrix, error: float = 0.0) -> tuple[Number, Number]:
        from mpmath import mp, mpf, sqrt

        n, m = A.shape
        with mp.workdps(2 * self.digits):
            low, top = (sqrt(max(e, mpf(0))) for e in self._gram_extremes(A @ A.T if n <= m else A.T @ A))
        return +top, self._flushed(+low, top) if n <= m else mpf(0)

    def eigenvalues(self, S: Matrix, error: float = 0.0) -> tuple[Number, Number]:
        from mpmath import mp

        with mp.workdps(2 * self.digits):
            low, top = self._gram_extremes(S)
        norm = max(abs(low), abs(top))
        return self._flushed(+low, norm), self._flushed(+top, norm)

    def norm(self, A: Matrix, error: float = 0.0) -> Number:
        from mpmath import fsum, sqrt

        return sqrt(fsum(x * x for x in np.asarray(A).ravel()))

    def discrepancy(self, A: Matrix, B: Matrix, error: float = 0.0, scale: float = 0.0) -> Estimate:
        from mpmath import mpf

        rounding = (self.norm(A) + self.norm(B) + mpf(scale)) * mpf(10) ** (15 - self.digits)
        return Estimate(float(self.norm(A - B)), float(rounding) + error)

    def jacobian_radius(self, X: Matrix, W: Matrix, v: Matrix, phi: Activation) -> float:
        return 0.0

    def evaluate(self, phi: Activation, which: str, Z: Matrix) -> Matrix:
        from flint import acb
        from mpmath import mp

        from jacspec.hermite.ball import precision

        spec = phi.ball
        if spec is None:
            raise ValueError(f"{phi.name} has no higher-precision evaluation")
        out = np.empty(Z.shape, dtype=object)
        flat = []
        with precision(mp.prec + 32):
            for z in Z.ravel():
                piece = spec.pieces[0] if len(spec.pieces) == 1 or z <= 0 else spec.pieces[1]
                function = piece.value if which == "phi" else piece.derivative
                flat.append(_to_mpf(function(acb(_to_arb(z)), False).real))
        out.ravel()[:] = flat
        return out

    def maximum(self, numbers: Sequence[Number]) -> Number:
        return max(numbers)

    def minimum(self, numbers: Sequence[Number]) -> Number:
        return min(numbers)


def _to_arb(x: Any) -> Any:
    """An mpf as a flint ball, exactly."""
    from flint import arb, fmpz

    sign, mantissa, exponent, _ = x._mpf_
    return arb(fmpz(int(mantissa)) * (-1 if sign else 1)) * arb(2) ** int(exponent)


def _to_mpf(ball: Any) -> Any:
    """The midpoint of a flint ball as an mpf; its radius lies below the working precision."""
    from mpmath import ldexp, mpf

    mantissa, exponent = ball.mid().man_exp()
    return ldexp(mpf(int(mantissa)), int(exponent))
