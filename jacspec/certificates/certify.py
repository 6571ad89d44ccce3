"""`certify`: from floating-point numbers to CERTIFIED, or NOT CERTIFIED with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import InputError, check_choice, check_int, check_matrix, check_real, check_vector
from ..enclosure import jacobian_singular_values
from ..network import ShallowNet
from ..rounding import Estimate
from .certificate import Certificate, Method, frozen
from .linearization import SIGMA_GAP, Linearization, linearize, precise_residual
from .lipschitz import Smoothness
from .piecewise import piecewise
from .polish import gauss_newton_polish
from .smooth import Evidence, kantorovich, newton

__all__ = ["certify", "impossible"]

Floats = NDArray[np.float64]
Choice = Literal["auto", "kantorovich", "newton", "relu"]

_SLUGS: dict[str, Method] = {
    "kantorovich": "interpolation-certificate",
    "newton": "newton-certificate",
    "relu": "interpolation-certificate-relu",
}


def certify(
    net: ShallowNet,
    X: ArrayLike,
    y: ArrayLike,
    *,
    eta: float | Literal["auto"] = "auto",
    method: Choice = "auto",
    polish: int = 0,
    weights: str = "given",
) -> Certificate:
    r"""Try to prove that an exact interpolator, ``f(W*) = y``, is near the weights of a network.

    The float64 numbers X, y, v and W are taken as exact; the rows of X need not be unit. Every inequality on the way to
    CERTIFIED is evaluated with proved bounds. NOT CERTIFIED says that no proof was found, not that there is no
    interpolator.

    Parameters
    ----------
    net : ShallowNet
        With a built-in activation (others have no proved evaluation).
    X : (n, d) float64
    y : (n,) float64
    eta : float or "auto"
        Step size of the gradient descent that `interpolation-certificate` speaks of; "auto": 1/beta^2, the best proved.
    method : "auto", "kantorovich", "newton" or "relu"
        "auto": for an activation with a kink "relu", else "kantorovich", and "newton" (existence only) where that does
        not succeed and no eta is asked for.
    polish : int
        Gauss-Newton steps that may be made, one at a time, until the weights can be certified.
    weights : str
        Which weights these are, in words.

    Returns
    -------
    Certificate

    Raises
    ------
    InputError
        For arguments that do not fit or are not finite.
    CapacityError
        If the n x k and n x n arrays do not fit.

    References
    ----------
    docs/theory.md section 7.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.eye(3), np.array([1.0, -1.0, 1.0])
    >>> net = ShallowNet.initialize(50, 3, "softplus", y=y, seed=0)
    >>> near = gauss_newton_polish(net, X, y, 3)
    >>> found = certify(near, X, y)
    >>> found.verdict, found.method, found.distance < 1e-8
    ('CERTIFIED', 'interpolation-certificate', True)
    """
    if not isinstance(net, ShallowNet):
        raise InputError("net", net, "a ShallowNet")
    X = check_matrix("X", X, columns=net.d)
    y = check_vector("y", y, length=X.shape[0])
    check_choice("method", method, ("auto", *_SLUGS))
    step = None if isinstance(eta, str) and check_choice("eta", eta, ("auto",)) else check_real("eta", eta, above=0)
    polish = check_int("polish", polish, minimum=0)
    kinked = not net.activation.is_smooth
    if method == "auto":
        routes = ("relu",) if kinked else ("kantorovich", "newton") if step is None else ("kantorovich",)
    else:
        routes = (method,)
    found = _attempt(net, X, y, routes, step)
    at, done = net, 0
    while not found.certified and done < polish and impossible(net, X, y) is None:
        following = gauss_newton_polish(at, X, y, 1)
        if following is at:
            break
        at, done = following, done + 1
        found = _attempt(at, X, y, routes, step)
    moved = float(np.linalg.norm(at.W - net.W)) if done else 0.0
    return replace(found, polish=done, polish_distance=moved, weights=weights)


def impossible(net: ShallowNet, X: Floats, y: Floats) -> str | None:
    """Why no certificate exists whatever W is: no interpolator, or sigma_min(J) = 0 by structure."""
    order = np.lexsort(X.T)
    equal = np.flatnonzero(np.all(X[order[1:]] == X[order[:-1]], axis=1))
    for a in equal.tolist():
        i, j = sorted((int(order[a]), int(order[a + 1])))
        if y[i] != y[j]:
            return f"rows {i} and {j} of X are equal and their labels differ: nothing interpolates them"
    if len(equal):
        i, j = sorted((int(order[equal[0]]), int(order[equal[0] + 1])))
        return f"rows {i} and {j} of X are equal, so sigma_min(J) = 0: keep one of them (--drop-repeated)"
    (n, d), k = X.shape, net.k
    if k * d < n:
        return f"k d = {k} * {d} = {k * d} is less than n = {n}, so sigma_min(J) = 0"
    return None


def _attempt(net: ShallowNet, X: Floats, y: Floats, routes: tuple[str, ...], eta: float | None) -> Certificate:
    """One try at these weights."""

    def verdict(route: str, evidence: Evidence) -> Certificate:
        loose = [name for name, e in evidence.fields.items() if isinstance(e, Estimate) and not e.rigorous]
        if evidence.reason is None and loose:
            evidence = replace(evidence, reason=f"{', '.join(loose)}: not proved")
        word: Any = "CERTIFIED" if evidence.reason is None else "NOT CERTIFIED"
        arrays = {"X": frozen(X.copy()), "y": frozen(y.copy())}
        return Certificate(word, evidence.reason, _SLUGS[route], net, **arrays, **evidence.fields)

    phi = net.activation
    why = _unfit(net, routes[0]) or impossible(net, X, y)
    if why is not None:
        return verdict(routes[0], Evidence({}, why))
    at = linearize(net, X, y)
    if not at.finite:
        return verdict(routes[0], Evidence({}, f"f(W) or phi' overflows: |X W^T| reaches {np.max(np.abs(at.Z)):.3g}"))
    if routes == ("relu",):
        evidence = piecewise(at, X)
        if evidence.reason is not None and (sharper := _sharper(net, X, y, at)) is not None:
            evidence = piecewise(sharper, X)
        return verdict("relu", evidence)
    extremes = jacobian_singular_values(at.D, X, gap=SIGMA_GAP)
    low = extremes[0]
    if not low.is_positive():
        fields = {"residual": at.residual_norm, "sigma_min": low}
        what = "is zero" if low.exact_zero else f"is at most {low.upper:.3g} and is not told from zero"
        return verdict(routes[0], Evidence(fields, f"sigma_min(J) {what}"))
    smoothness, found = Smoothness(net, X), []
    for route in routes:
        evidence = _smooth(route, smoothness, at, extremes, eta)
        if evidence.reason is not None and not _hopeless(evidence):
            sharper = _sharper(net, X, y, at)
            if sharper is not None:
                at = sharper
                evidence = _smooth(route, smoothness, at, extremes, eta)
        if evidence.reason is None:
            return verdict(route, evidence)
        found.append((route, evidence))
    reasons = "; ".join(str(evidence.reason) for _, evidence in found)
    route, evidence = found[0]
    assert phi.is_smooth
    return verdict(route, Evidence(evidence.fields, reasons))


def _unfit(net: ShallowNet, route: str) -> str | None:
    phi = net.activation
    if not phi.builtin:
        return f"activation {phi.name}: a formula or function of one's own has no proved evaluation"
    if route == "relu" and phi.family not in ("relu", "leaky_relu"):
        return f"method relu: activation {phi.name} is not linear on either side of 0"
    if route != "relu" and not phi.is_smooth:
        return f"method {route}: phi' of {phi.name} jumps, so J is not Lipschitz; use method relu"
    return None


def _smooth(
    route: str, smoothness: Smoothness, at: Linearization, extremes: tuple[Estimate, Estimate], eta: float | None
) -> Evidence:
    try:
        if route == "newton":
            return newton(smoothness, at, extremes, smoothness.X)
        return kantorovich(smoothness, at.residual_norm, extremes, eta)
    except (ValueError, ZeroDivisionError) as error:  # intervals whose ends over- or underflowed
        fields = {"residual": at.residual_norm, "sigma_min": extremes[0]}
        return Evidence(fields, f"beyond the range of float64 ({error}); rescale y and v")


def _hopeless(evidence: Evidence) -> bool:
    """Whether the true residual, not what float64 leaves open of it, is too large."""
    h, residual = evidence.fields.get("h"), evidence.fields["residual"]
    return h is None or residual.radius < 1e-3 * residual.value


def _sharper(net: ShallowNet, X: Floats, y: Floats, at: Linearization) -> Linearization | None:
    found = precise_residual(net, X, y)
    return None if found is None else replace(at, residual=found[0], residual_radius=found[1])
