"""What the proofs assume of the machine, probed where that is cheap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .outward import Floats

__all__ = ["Assumptions", "assumptions"]


@dataclass(frozen=True)
class Assumptions:
    """What `assumptions` found.

    Parameters
    ----------
    round_to_nearest : bool
        float64 sums, products, quotients and roots round to nearest, ties to even (scalars, vectors and BLAS). Needed.
    classical_products : bool
        BLAS gave products of integers exactly, and a product with wildly different rows within its classical bound
        (Strassen's method would not). Needed; a probe, not a proof.
    nan_survives : bool
        Products with NaN give NaN, so that what is not finite is seen.
    gradual_underflow : bool
        Subnormal results are kept. Not needed: every bound has room for flushing to zero.
    """

    round_to_nearest: bool
    classical_products: bool
    nan_survives: bool
    gradual_underflow: bool

    @property
    def hold(self) -> bool:
        """Whether everything that the proofs need was found."""
        return self.round_to_nearest and self.classical_products and self.nan_survives


def _rounds_to_nearest() -> bool:
    u = 2.0**-53
    ones = np.ones(9)  # odd lengths reach both the vector loop and its remainder
    for one in (1.0, ones):
        checks = [
            one + u == 1.0,  # a tie, to even
            one + 1.5 * u == 1.0 + 2 * u,
            (one + 2 * u) + u == 1.0 + 4 * u,
            one - 0.5 * u == 1.0,
            -(one + u) == -1.0,
            -one - 1.5 * u == -1.0 - 2 * u,
            (one + 2 * u) * (1.0 + 2 * u) == 1.0 + 4 * u,
            one / 3.0 == 6004799503160661 * 2.0**-54,
            np.sqrt(2.0 * one) == 6369051672525773 * 2.0**-52,
        ]
        if not all(np.all(check) for check in checks):
            return False
    # The same through BLAS: two summands, one of them below half an ulp of the other or just above.
    A = np.array([[1.0, u], [1.0, 1.5 * u], [-1.0, -1.5 * u]])
    return bool(np.array_equal(A @ np.ones((2, 3)), np.outer([1.0, 1.0 + 2 * u, -1.0 - 2 * u], np.ones(3))))


def _multiplies_classically() -> bool:
    rng = np.random.default_rng(0)
    n = 64
    A, B = (rng.integers(-(2**20), 2**20, (n, n)) for _ in range(2))
    if not np.array_equal(A.astype(float) @ B.astype(float), (A @ B).astype(float)):
        return False
    # Strassen's sums mix the rows: an error of u times the largest row would reach the tiny ones.
    scale = np.where(np.arange(n) % 2 == 0, 1.0, 2.0**-60)
    C: Floats = rng.standard_normal((n, n)) * scale[:, None]
    wide = (C.astype(np.longdouble) @ C.T.astype(np.longdouble)).astype(np.float64)
    norms = np.linalg.norm(C, axis=1)
    return bool((np.abs(C @ C.T - wide) <= 2 * n * 2.0**-53 * np.outer(norms, norms)).all())


def assumptions() -> Assumptions:
    """Probe rounding, underflow and BLAS, in a few milliseconds.

    Examples
    --------
    >>> assumptions().hold
    True
    """
    nan = np.eye(5)
    nan[2, 3] = np.nan
    smallest = np.full(5, 2.0**-1022)
    return Assumptions(
        round_to_nearest=_rounds_to_nearest(),
        classical_products=_multiplies_classically(),
        nan_survives=bool(np.isnan(nan @ np.ones((5, 2))).any()),
        gradual_underflow=bool(np.all(smallest * 0.5 > 0)),
    )
