"""Rigorous constants of J near W: its Lipschitz constant, and a bound of ||J|| on a ball."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .. import bounds
from ..enclosure import SymmetricBall, gram, hadamard, largest_eigenvalue, spectral_norm, symmetric_ball
from ..network import ShallowNet
from ..rounding import UNIT_ROUNDOFF, Estimate
from .linearization import norm_bounds

__all__ = ["Smoothness"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Smoothness:
    """What X, v and phi say of J everywhere.

    Parameters
    ----------
    net : ShallowNet
    X : (n, d) float64
        Rows of any norm.
    """

    net: ShallowNet
    X: Floats

    @cached_property
    def X_norm(self) -> Estimate:
        """||X||"""
        found: Estimate = spectral_norm(self.X)
        return found

    @cached_property
    def row_norm(self) -> Estimate:
        """max_i ||x_i||"""
        norms = [norm_bounds(x) for x in self.X]
        return Estimate.from_bounds(max(e.lower for e in norms), max(e.upper for e in norms), True)

    @cached_property
    def two_to_four_squared(self) -> Estimate:
        """An upper bound of ``||X||_{2->4}^2``, the least of the three of `jacobian-lipschitz-optimal`."""
        d = self.X.shape[1]
        G = gram(self.X)
        square = hadamard(G, G)
        found = [self.row_norm * self.X_norm, largest_eigenvalue(square).nonnegative().sqrt()]
        if abs(square.exponent) < 500:
            q = np.einsum("ij,ij->i", self.X, self.X)
            q_radius = (d + 1) * UNIT_ROUNDOFF * q * (1 + 1e-12) + 2.0**-900
            centred = largest_eigenvalue(_minus_outer(square, q, q_radius, d)).nonnegative()
            found.append(Estimate.of(bounds.two_to_four_centred(norm_bounds(q, q_radius) ** 2, d, centred)))
        best: Estimate = min(found, key=lambda e: e.upper)
        return best

    @cached_property
    def lipschitz(self) -> Estimate:
        """L = B2 ||v||_inf Lambda; exact zero for a linear network, infinite where phi' jumps."""
        B2 = self.net.activation.B2
        largest = Estimate.exact(float(np.max(np.abs(self.net.v))))
        if B2.exact_zero or largest.exact_zero:
            return Estimate.zero("J does not depend on W")
        if not B2.finite:
            return B2
        return Estimate.of(bounds.jacobian_lipschitz_optimal(B2, largest, self.two_to_four_squared, 1.0))

    @cached_property
    def norm_everywhere(self) -> Estimate:
        """B1 ||v|| ||X||, which bounds ||J|| everywhere; infinite where phi' is unbounded."""
        B1 = self.net.activation.B1
        if not B1.finite:
            return B1
        return Estimate.of(bounds.jacobian_norm_sharp(B1, norm_bounds(self.net.v), self.X_norm))

    def norm_within(self, radius: Estimate, at_center: Estimate) -> Estimate:
        """A bound of ||J|| on the closed ball of that radius: ``||J(W)|| + L radius`` or the one for everywhere."""
        near, everywhere = at_center + self.lipschitz * radius, self.norm_everywhere
        return near if near.upper <= everywhere.upper else everywhere


def _minus_outer(S: SymmetricBall, q: Floats, q_radius: Floats, d: int) -> SymmetricBall:
    """``S - q q^T / d`` for every q >= 0 within its radius; positive semidefinite for ``q_i = ||x_i||^2``.

    With ``e = q_radius`` the product is off by ``q e^T + e q^T + e e^T`` and two roundings, the difference by one.
    """
    scale = 2.0**S.exponent
    outer = np.outer(q, q) / d
    mid = S.mid * scale - outer
    most = q + q_radius
    rad = S.radius() * scale + (np.outer(most, q_radius) + np.outer(q_radius, q)) / d
    rad = (rad + UNIT_ROUNDOFF * (4 * np.abs(outer) + np.abs(mid))) * (1 + 2.0**-40) + 2.0**-900
    return symmetric_ball(0.5 * (mid + mid.T), np.maximum(rad, rad.T), semidefinite=True)
