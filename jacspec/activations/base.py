"""The `Activation` value: phi, phi', phi'' and what is known about them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..rounding import Estimate

if TYPE_CHECKING:
    from .balls import BallSpec

__all__ = ["Activation", "DualKernel", "Parity", "Smoothness"]

Floats = NDArray[np.float64]
Elementwise = Callable[[Floats], Floats]
Parity = Literal["odd", "even", None]
#: "analytic": phi extends to a neighbourhood of the real line. "lipschitz": phi' is Lipschitz, phi'' may jump.
#: "kinked": phi' jumps, so B2 is infinite.
Smoothness = Literal["analytic", "lipschitz", "kinked"]


@dataclass(frozen=True)
class DualKernel:
    """Closed form of ``E[f(a) f(b)]`` for standard normals a, b of correlation rho.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(rho, theta)`` with ``theta = arccos(rho)`` given separately, because arccos loses half the digits
        near +-1. Arrays of one shape in, an array of that shape out.
    at_one : float
        The diagonal value ``E[f(g)^2]``, correct to a few ulp.
    ulps : float
        Entrywise rounding error of `evaluate`, in units of ``u`` times max(1, at_one).
    lipschitz : float
        A bound of ``|d/d theta|`` (of ``|d/d rho|`` when `uses_angle` is False), so that an error can be carried.
    uses_angle : bool
        Whether `evaluate` reads theta at all.
    """

    evaluate: Callable[[Floats, Floats], Floats]
    at_one: float
    ulps: float
    lipschitz: float
    uses_angle: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Activation:
    """An activation function with its first two derivatives and proved (or measured) constants.

    Instances are immutable values; `jacspec.activation` looks one up by name, `Activation.from_callables` makes one.

    Parameters
    ----------
    name : str
        Canonical name, as `jacspec.activation` takes it.
    phi, dphi, d2phi : callable
        Elementwise float64 functions phi, phi', phi''. Where phi' jumps, its value is the limit from the left (so
        ReLU'(0) = 0), and phi'' is meant almost everywhere.
    B1, B2 : Estimate
        ``sup |phi'|`` and ``sup |phi''|`` (the Lipschitz constant of phi'), infinite where unbounded.
    sup : Estimate
        ``sup |phi|``, infinite where unbounded.
    parity : "odd", "even" or None
        Of phi. phi' has the opposite parity.
    smoothness : "analytic", "lipschitz" or "kinked"
    breakpoints : tuple of float
        Where phi'' or phi' jumps; quadrature splits there.
    degree : int or None
        Polynomial degree of phi, if it is a polynomial: then its Hermite expansion is finite.
    family : str
    parameters : tuple of (str, float)
        Key of the ball-arithmetic description (empty for a user's own activation).
    dual, dual_output : DualKernel or None
        Closed forms of E[phi'(a) phi'(b)] and E[phi(a) phi(b)].
    symmetry : "odd", "even" or None
        Of ``phi(x) - c0 - c1 x`` for some constants, where phi itself has no parity: "odd" for sigmoid - 1/2 (so
        sigmoid' is even), "even" for relu - x/2 (so relu' - 1/2 is odd). Hermite coefficients vanish accordingly.

    References
    ----------
    docs/theory.md section 0 (notation); Oymak & Soltanolkotabi, arXiv 1902.04674.

    Examples
    --------
    >>> from jacspec import activation
    >>> tanh = activation("tanh")
    >>> tanh.B1.value, tanh.is_smooth, tanh.derivative([0.0]).tolist()
    (1.0, True, [1.0])
    """

    name: str
    phi: Elementwise
    dphi: Elementwise
    d2phi: Elementwise
    B1: Estimate
    B2: Estimate
    sup: Estimate
    parity: Parity = None
    smoothness: Smoothness = "analytic"
    breakpoints: tuple[float, ...] = ()
    degree: int | None = None
    family: str = ""
    parameters: tuple[tuple[str, float], ...] = ()
    dual: DualKernel | None = field(default=None, repr=False)
    dual_output: DualKernel | None = field(default=None, repr=False)
    symmetry: Parity = None

    # -- evaluation -------------------------------------------------------------------------------------------

    def __call__(self, z: ArrayLike) -> Floats:
        """phi(z), elementwise."""
        return self._evaluate(self.phi, z)

    def derivative(self, z: ArrayLike) -> Floats:
        """phi'(z), elementwise."""
        return self._evaluate(self.dphi, z)

    def second_derivative(self, z: ArrayLike) -> Floats:
        """phi''(z), elementwise (almost everywhere)."""
        return self._evaluate(self.d2phi, z)

    @staticmethod
    def _evaluate(function: Elementwise, z: ArrayLike) -> Floats:
        array = np.asarray(z, dtype=np.float64)
        # Saturation is not an error: exp(-x^2) underflows to the right answer.
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(function(array), dtype=np.float64)

    # -- properties -------------------------------------------------------------------------------------------

    @property
    def builtin(self) -> bool:
        """Whether its constants are proved (True) or measured (False)."""
        return bool(self.family)

    @property
    def B(self) -> Estimate:
        """max(B1, B2), the one constant of the paper."""
        lower = max(self.B1.lower, self.B2.lower)
        upper = max(self.B1.upper, self.B2.upper)
        return Estimate.from_bounds(lower, upper, self.B1.rigorous and self.B2.rigorous)

    @property
    def derivative_parity(self) -> Parity:
        """Parity of phi': "even" for a phi that is odd up to a constant, "odd" for an even phi."""
        if "odd" in (self.parity, self.symmetry):
            return "even"
        return "odd" if self.parity == "even" else None

    def vanishes(self, r: int) -> bool:
        """Whether symmetry makes mu_r = E[phi'(g) h_r(g)] zero."""
        if self.derivative_parity is not None:
            return (self.derivative_parity == "even") != (r % 2 == 0)
        return self.symmetry == "even" and r >= 2 and r % 2 == 0

    @property
    def is_smooth(self) -> bool:
        """Whether phi' is Lipschitz (B2 finite)."""
        return self.smoothness != "kinked"

    @property
    def ball(self) -> BallSpec | None:
        """Ball-arithmetic description (loads python-flint), or None for a user's own activation."""
        if not self.family:
            return None
        module = importlib.import_module("jacspec.activations.balls")
        return module.spec(self.family, dict(self.parameters))  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        if self.builtin or self.name.startswith("expr:"):
            return f"activation({self.name!r})"
        return f"<Activation {self.name!r}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Activation):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        if self.family:
            return (self.family, self.parameters)
        return (self.name, self.phi, self.dphi, self.d2phi)

    # -- a user's own -----------------------------------------------------------------------------------------

    @classmethod
    def from_callables(
        cls,
        name: str,
        phi: Elementwise,
        dphi: Elementwise,
        d2phi: Elementwise | None = None,
        *,
        parity: Parity = None,
        smoothness: Smoothness = "analytic",
        breakpoints: tuple[float, ...] = (),
        B1: float | None = None,
        B2: float | None = None,
    ) -> Activation:
        """An activation of one's own, from vectorised callables.

        phi' is checked against differences of phi (and phi'' against differences of phi') on a grid; B1, B2 and
        sup |phi| are searched numerically unless given, and every constant derived from them is marked as not
        rigorous.

        Parameters
        ----------
        name : str
        phi, dphi, d2phi : callable
            float64 arrays to float64 arrays of the same shape. Without `d2phi`, central differences of `dphi` are
            used.
        parity, smoothness, breakpoints
            As in the class; a stated parity is checked.
        B1, B2 : float, optional
            Known suprema (``math.inf`` where unbounded); a value that samples exceed is refused.

        Returns
        -------
        Activation

        Raises
        ------
        InputError
            If a callable returns the wrong shape or non-finite values, dphi is not the derivative of phi, or a
            stated property contradicts samples.

        Examples
        --------
        >>> import numpy as np
        >>> cube = Activation.from_callables("log-cosh", lambda z: np.logaddexp(z, -z) - np.log(2), np.tanh)
        >>> cube.B1.rigorous, round(cube.B1.value, 6)
        (False, 1.0)
        """
        from .measured import measure

        return measure(
            cls, name, phi, dphi, d2phi, parity=parity, smoothness=smoothness, breakpoints=breakpoints, B1=B1, B2=B2
        )

    @classmethod
    def from_expression(cls, text: str, *, name: str | None = None) -> Activation:
        """An activation from a formula in x, such as ``"x*sigmoid(x)"``; derivatives by automatic differentiation.

        Known functions: exp, log, log1p, sqrt, sin, cos, tanh, sinh, cosh, arctan, erf, sigmoid, softplus, relu, abs;
        operators + - * / **; constants pi and e.

        Parameters
        ----------
        text : str
        name : str, optional
            Defaults to the formula itself.

        Returns
        -------
        Activation
            Constants are measured, not proved.

        Raises
        ------
        InputError
            If the text is not such a formula.

        Examples
        --------
        >>> swish = Activation.from_expression("x*sigmoid(x)")
        >>> round(float(swish.derivative(0.0)), 6)
        0.5
        """
        from .expression import from_expression

        return from_expression(cls, text, name)
