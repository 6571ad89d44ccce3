"""Rigorous bounds in float64: every interval that leaves this room is proved (docs: "What rigorous assumes").

- `BallMatrix`, `SymmetricBall`: matrices with error bounds; `gram` and `hadamard` make them.
- `smallest_eigenvalue`, `largest_eigenvalue`: proved, at the speed of a Cholesky factorisation.
- `spectral_norm`, `smallest_singular_value`, `jacobian_singular_values`, `khatri_rao_singular_values`.
- `minimum_norm_solution`: J^+ r for a Jacobian D * X, enclosed.
- `phi_enclosure`, `covariance_ball`: phi and phi' of float64 arguments, and Sigma(X).
- `assumptions`: what the proofs need of the machine, probed.
"""

from __future__ import annotations

from .assumptions import Assumptions, assumptions
from .balls import BallMatrix, ErrorTerm, SymmetricBall, gram, hadamard, symmetric_ball
from .covariance import covariance_ball
from .eigenvalues import largest_eigenvalue, smallest_eigenvalue
from .elementwise import phi_ball, phi_enclosure
from .singular import (
    jacobian_singular_values,
    khatri_rao_singular_values,
    smallest_singular_value,
    spectral_norm,
)
from .solve import MinimumNormSolution, minimum_norm_solution

__all__ = [
    "Assumptions",
    "BallMatrix",
    "ErrorTerm",
    "MinimumNormSolution",
    "SymmetricBall",
    "assumptions",
    "covariance_ball",
    "gram",
    "hadamard",
    "jacobian_singular_values",
    "khatri_rao_singular_values",
    "largest_eigenvalue",
    "minimum_norm_solution",
    "phi_ball",
    "phi_enclosure",
    "smallest_eigenvalue",
    "smallest_singular_value",
    "spectral_norm",
    "symmetric_ball",
]
