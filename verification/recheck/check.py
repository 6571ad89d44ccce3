r"""Every inequality of a certificate, proved again in balls.

What the file claims is taken as a conjecture: sigma_min(J) >= s is proved by the positive definiteness of
``J J^T - s^2 I``, an upper bound t of a norm by that of ``t^2 I - A A^T``, both by block elimination in balls. No
eigenvalue is computed. The Lipschitz constant is ``B2 ||v||_inf Lambda`` with ``Lambda = max_{|w|=1} (sum_i
<x_i, w>^4)^{1/2}``, for which three upper bounds are tried:

- ``max ||x_i|| ||X||``;
- ``||X * X||``, whose square is the largest eigenvalue of ``(X X^T)^{o2}``;
- ``||q||/d + sqrt(1 - 1/d) mu``, q_i = ||x_i||^2, mu^2 the largest eigenvalue of ``(X X^T)^{o2} - q q^T/d``: the part
  of w w^T along I and the rest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb, arb_mat

from .activations import Smooth, piecewise_slopes, smooth
from .balls import (
    below,
    column,
    exact,
    hadamard,
    mapped,
    norm,
    positive_definite,
    precision,
    scaled_columns,
    shifted,
)
from .reading import Claimed, Rejected, read

__all__ = ["Finding", "recheck", "recheck_claimed"]

Ball = Any
BallMatrix = Any

#: Bits of one attempt after the other.
_BITS = (192, 512)


@dataclass(frozen=True)
class Finding:
    """What the check found.

    Parameters
    ----------
    valid : bool
        Whether everything the certificate claims is proved.
    reason : str
        Why not, or what was proved.
    proved : tuple of str
        The inequalities that were proved, in order.
    bits : int
        Working precision of the last attempt; 0 when the file was rejected unread.
    seconds : float
    about : str
        The problem that the certificate speaks of; empty when the file was rejected unread.
    """

    valid: bool
    reason: str
    proved: tuple[str, ...] = ()
    bits: int = 0
    seconds: float = field(default=0.0, compare=False)
    about: str = ""


class _Open(Exception):
    """An inequality that was not proved."""


def recheck(path: str | os.PathLike[str]) -> Finding:
    """Check a certificate's file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Finding

    Raises
    ------
    OSError
        If the file cannot be opened.
    """
    began = time.perf_counter()
    try:
        claimed = read(path)
    except Rejected as error:
        return Finding(False, str(error), seconds=time.perf_counter() - began)
    return recheck_claimed(claimed)


def recheck_claimed(claimed: Claimed) -> Finding:
    """Check what was read."""
    began = time.perf_counter()
    reason, proved, bits = "", [""], 0
    for bits in _BITS:
        with precision(bits):
            proved = []
            try:
                reason = _METHODS[claimed.method](claimed, proved)
            except _Open as error:
                reason = str(error)
                continue
            return Finding(True, reason, tuple(proved), bits, time.perf_counter() - began, claimed.about())
    return Finding(False, reason, tuple(proved), bits, time.perf_counter() - began, claimed.about())


def _need(holds: bool, sentence: str, proved: list[str]) -> None:
    if not holds:
        raise _Open(f"not proved: {sentence}")
    proved.append(sentence)


# -- the network ----------------------------------------------------------------------------------------------------


class _Network:
    """X, y, W, v as exact balls, and what follows from them."""

    def __init__(self, c: Claimed) -> None:
        self.X, self.W = exact(c.X), exact(c.W)
        self.y, self.v = [arb(t) for t in c.y.tolist()], [arb(t) for t in c.v.tolist()]
        self.n, self.d, self.k = c.X.shape[0], c.X.shape[1], len(self.v)
        self.Z = self.X * self.W.transpose()
        self.gram_X = self.X * self.X.transpose()

    def residual(self, value: Callable[[Ball], Ball]) -> list[Ball]:
        """f(W) - y."""
        f = mapped(value, self.Z) * column(self.v)
        return [a - b for a, b in zip(f.entries(), self.y, strict=True)]

    def gram(self, factor: BallMatrix) -> BallMatrix:
        """``J J^T = (D D^T) o (X X^T)`` of the factor D (n, k) with entries v_l phi'(<w_l, x_i>)."""
        return hadamard(factor * factor.transpose(), self.gram_X)

    @cached_property
    def largest_v(self) -> Ball:
        """||v||_inf"""
        top = arb(0)
        for entry in self.v:
            top = top.max(abs(entry))
        return top

    @cached_property
    def squares(self) -> list[Ball]:
        """||x_i||^2"""
        return [self.gram_X[i, i] for i in range(self.n)]

    def spectral_norm_at_most(self, t: Ball) -> bool:
        """Whether ``||X|| <= t`` is proved, on the smaller side (strictly, as positive definiteness has it)."""
        gram = self.gram_X if self.n <= self.d else self.X.transpose() * self.X
        return positive_definite(shifted(gram, t * t, -1))

    def quartic_at_most(self, t: Ball) -> bool:
        """Whether ``Lambda <= t`` is proved, by any of the three bounds."""
        if not t > 0:
            return False
        row = arb(0)
        for square in self.squares:
            row = row.max(square)
        squared = hadamard(self.gram_X, self.gram_X)
        if positive_definite(shifted(squared, t * t, -1)):
            return True
        mean = norm(self.squares) / self.d
        rest = t - mean
        if self.d == 1:
            if below(mean, t):
                return True
        elif rest > 0:
            q = column(self.squares)
            centred = squared - q * q.transpose() * (arb(1) / self.d)
            mu = rest / (1 - arb(1) / self.d).sqrt()
            if positive_definite(shifted(centred, mu * mu, -1)):
                return True
        return bool(row > 0) and self.spectral_norm_at_most(t / row.sqrt())


# -- methods --------------------------------------------------------------------------------------------------------


def _smooth(c: Claimed) -> Smooth:
    found = smooth(c.activation)
    if found is None:
        raise _Open(f"{c.method} with activation {c.activation!r}: its phi' is not known to be Lipschitz")
    return found


def _smooth_part(c: Claimed, net: _Network, phi: Smooth, proved: list[str]) -> BallMatrix:
    """What both smooth methods need: sigma_min(J) >= s and L; the Gram matrix of J."""
    s, L = c.numbers["sigma_min"], c.numbers["lipschitz"]
    K = net.gram(scaled_columns(mapped(phi.derivative, net.Z), net.v))
    _need(s > 0 and positive_definite(shifted(K, -(arb(s) * arb(s)))), f"sigma_min(J) >= {s!r}", proved)
    least = phi.B2() * net.largest_v
    flat = bool(least == 0)  # a linear network: J does not depend on W
    _need(flat or net.quartic_at_most(arb(L) / least), f"J is Lipschitz with constant {L!r}", proved)
    return K


def _residual_at_most(r: list[Ball], c: Claimed, proved: list[str]) -> None:
    most = c.numbers["residual"]
    _need(below(norm(r), arb(most)), f"||f(W) - y|| <= {most!r}", proved)


def _kantorovich(c: Claimed, proved: list[str]) -> str:
    """`gd-kantorovich` at W: the sharp form (c = 1, eta beta^2 <= 1), or the one with its c."""
    net, phi, x = _Network(c), _smooth(c), {name: arb(value) for name, value in c.numbers.items()}
    _need(bool(x["eta"] > 0 and x["rate"] > 0), "the step size and the rate are positive", proved)
    _residual_at_most(net.residual(phi.value), c, proved)
    K = _smooth_part(c, net, phi, proved)
    sigma, L, eta, beta, r = x["sigma_min"], x["lipschitz"], x["eta"], x["beta"], x["residual"]
    share = x["path_constant"]
    if share == 1 and below(eta * beta * beta, arb(1)):
        proved.append("eta beta^2 <= 1, so c = 1")
    else:
        least = 1 - eta * beta * beta / 2 - eta * L * r / 2
        ok = bool(share > 0) and below(share, least)
        _need(ok, f"c = {c.numbers['path_constant']!r} <= 1 - eta beta^2/2 - eta L ||r||/2", proved)
    h = 2 * L * r / (share * sigma * sigma)
    _need(bool(h < 1) and below(h, x["h"]), f"2 L ||r|| / (c sigma_min^2) < 1, and at most {c.numbers['h']!r}", proved)
    path = 2 * r / (share * sigma * (1 + (1 - h).sqrt()))
    _need(below(path, x["distance"]), f"s* <= {c.numbers['distance']!r}", proved)
    _need(
        _norm_on_ball(net, phi, K, beta, L * path),
        f"||J|| <= beta = {c.numbers['beta']!r} on the ball of radius s*",
        proved,
    )
    rate = eta * share * sigma * sigma * (1 - h)
    _need(below(x["rate"], rate), f"eta c sigma_min^2 (1 - h) >= {c.numbers['rate']!r}", proved)
    return (
        f"an exact interpolator lies within {c.numbers['distance']!r} of W, and gradient descent from W with step "
        f"{c.numbers['eta']!r} converges to one"
    )


def _norm_on_ball(net: _Network, phi: Smooth, K: BallMatrix, beta: Ball, change: Ball) -> bool:
    """``||J|| <= beta`` wherever J has changed by at most `change`: from ||J(W)||, or from B1 ||v|| ||X||."""
    rest = beta - change
    if rest > 0 and positive_definite(shifted(K, rest * rest, -1)):
        return True
    if phi.B1 is None:
        return False
    steep = phi.B1() * norm(net.v)
    return bool(steep > 0) and net.spectral_norm_at_most(beta / steep)


def _newton(c: Claimed, proved: list[str]) -> str:
    """Newton-Kantorovich on W + range(J^T)."""
    net, phi, x = _Network(c), _smooth(c), {name: arb(value) for name, value in c.numbers.items()}
    r = net.residual(phi.value)
    _residual_at_most(r, c, proved)
    K = _smooth_part(c, net, phi, proved)
    try:
        solved = K.solve(column(r)).entries()
    except ZeroDivisionError:
        raise _Open("not proved: J J^T is invertible") from None
    step = sum((a * b for a, b in zip(r, solved, strict=True)), arb(0))
    _need(below(step, x["newton_step"] ** 2), f"||J^+ r|| <= {c.numbers['newton_step']!r}", proved)
    h = 2 * x["lipschitz"] * x["newton_step"] / x["sigma_min"]
    _need(below(h, arb(1)) and below(h, x["h"]), f"2 L ||J^+|| ||J^+ r|| <= 1, and at most {c.numbers['h']!r}", proved)
    rest = (1 - h).lower()
    distance = 2 * x["newton_step"] / (1 + (rest.sqrt() if rest > 0 else 0))
    _need(below(distance, x["distance"]), f"t* <= {c.numbers['distance']!r}", proved)
    return f"an exact interpolator lies within {c.numbers['distance']!r} of W"


def _piecewise(c: Claimed, proved: list[str]) -> str:
    """The units of S move by `step` and what is missing to f = y, and no sign changes on the way."""
    slopes = piecewise_slopes(c.activation)
    if slopes is None:
        raise _Open(f"{c.method} with activation {c.activation!r}: it is not piecewise linear with a kink at 0")
    assert c.units is not None
    assert c.step is not None
    low, high = slopes
    net, chosen = _Network(c), np.flatnonzero(c.units).tolist()
    _need(bool(chosen), "some units move", proved)
    _need(not np.any(c.step[~c.units]), "all other units stay", proved)
    Z = net.Z.tolist()
    signs = all(Z[i][m] > 0 or Z[i][m] < 0 for i in range(net.n) for m in chosen)
    _need(signs, f"no row lies on the kink of one of the {len(chosen)} units that move", proved)
    r = net.residual(lambda z: high * z.max(arb(0)) + low * z.min(arb(0)))
    _residual_at_most(r, c, proved)
    factor = arb_mat([[net.v[m] * (high if Z[i][m] > 0 else low) for m in chosen] for i in range(net.n)])
    K, s = net.gram(factor), c.numbers["sigma_min"]
    _need(s > 0 and positive_definite(shifted(K, -(arb(s) * arb(s)))), f"sigma_min(J_S) >= {s!r}", proved)
    # Delta = step + J_S^T K^{-1} (-r - J_S step) solves J_S Delta = -r exactly.
    step = exact(c.step[c.units])
    moved = net.X * step.transpose()
    missing = [
        -r[i] - sum((factor[i, m] * moved[i, m] for m in range(len(chosen))), arb(0)) for i in range(net.n)
    ]  # fmt: skip
    try:
        weights = K.solve(column(missing)).entries()
    except ZeroDivisionError:
        raise _Open("not proved: J_S J_S^T is invertible") from None
    rows = arb_mat([[factor[i, m] * weights[i] for m in range(len(chosen))] for i in range(net.n)])
    delta = step + rows.transpose() * net.X
    turned = net.X * delta.transpose()
    turns = [(abs(turned[i, j]), abs(Z[i][m])) for i in range(net.n) for j, m in enumerate(chosen)]
    _need(all(turn < room for turn, room in turns), "no unit that moves changes its sign at any row", proved)
    share = arb(c.numbers["h"])
    near = all(below(turn, share * room) for turn, room in turns)
    _need(near, f"none goes further than {c.numbers['h']!r} of the way to its kink", proved)
    size = norm(delta.entries())
    _need(below(size, arb(c.numbers["distance"])), f"||Delta||_F <= {c.numbers['distance']!r}", proved)
    return f"an exact interpolator lies within {c.numbers['distance']!r} of W, in the same linear region of S"


_METHODS: dict[str, Callable[[Claimed, list[str]], str]] = {
    "interpolation-certificate": _kantorovich,
    "newton-certificate": _newton,
    "interpolation-certificate-relu": _piecewise,
}
