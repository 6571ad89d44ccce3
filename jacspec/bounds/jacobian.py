"""Sections 1 and 2: linear algebra and the Jacobian, deterministic in W. Generic in the number type."""

from __future__ import annotations

from typing import Any

Number = Any  # float, Estimate, mpf, arb: anything with + - * / **


def schur_lower(min_diagonal_Q: Number, lambda_min_P: Number) -> Number:
    """``min_i Q_ii lambda_min(P) <= lambda_min(P o Q)`` for P, Q positive semidefinite (`schur-bounds`; Schur)."""
    return min_diagonal_Q * lambda_min_P


def schur_upper(max_diagonal_Q: Number, lambda_max_P: Number) -> Number:
    """``lambda_max(P o Q) <= max_i Q_ii lambda_max(P)`` for P, Q positive semidefinite (`schur-bounds`; Schur)."""
    return max_diagonal_Q * lambda_max_P


def khatri_rao_lower(min_row_norm_B: Number, sigma_min_A: Number) -> Number:
    """``sigma_min(A * B) >= min_i ||B_i|| sigma_min(A)`` (`khatri-rao-spectrum`)."""
    return min_row_norm_B * sigma_min_A


def khatri_rao_upper(max_row_norm_B: Number, norm_A: Number) -> Number:
    """``||A * B|| <= max_i ||B_i|| ||A||`` (`khatri-rao-spectrum`)."""
    return max_row_norm_B * norm_A


def kappa(n: Number, d: Number, X_norm: Number, khatri_rao_sigma_min: Number) -> Number:
    """Condition number of the data, ``kappa(X) = sqrt(d/n) ||X|| / sigma_min(X*X)^2`` (docs/theory.md section 0)."""
    return X_norm * (d / n) ** 0.5 / khatri_rao_sigma_min**2


def jacobian_norm_paper(B1: Number, v_inf: Number, k: int, X_norm: Number) -> Number:
    """``||J(W)|| <= B1 ||v||_inf sqrt(k) ||X||`` (`jacobian-norm`, paper)."""
    return B1 * v_inf * k**0.5 * X_norm


def jacobian_norm_sharp(B1: Number, v_norm: Number, X_norm: Number) -> Number:
    """``||J(W)|| <= B1 ||v||_2 ||X||``; with ``X_norm = 1`` the bound of one row (`jacobian-norm`, sharp)."""
    return B1 * v_norm * X_norm


def jacobian_lipschitz_paper(B2: Number, v_inf: Number, X_norm: Number, distance_F: Number) -> Number:
    """``||J(W') - J(W)|| <= B2 ||v||_inf ||X|| ||W' - W||_F`` (`jacobian-lipschitz`, paper)."""
    return B2 * v_inf * X_norm * distance_F


def jacobian_lipschitz_sharp(
    B2: Number, v_inf: Number, X_norm: Number, distance: Number, moved_F: Number
) -> tuple[Number, Number]:
    """The two sharp bounds, ``B2 ||v||_inf ||X|| ||W'-W||`` and ``B2 ||v||_inf ||X (W'-W)^T||_F``; the smaller holds.

    Returned as a pair, because which one is smaller is for the caller's number type to decide.
    """
    return B2 * v_inf * X_norm * distance, B2 * v_inf * moved_F


def jacobian_lipschitz_optimal(B2: Number, v_inf: Number, two_to_four: Number, distance_F: Number) -> Number:
    """``||J(W') - J(W)|| <= B2 ||v||_inf ||X||_{2->4}^2 ||W' - W||_F`` (`jacobian-lipschitz-optimal`)."""
    return B2 * v_inf * two_to_four * distance_F


def two_to_four_centred(n: Number, d: int, centred_norm: Number) -> Number:
    """``||X||_{2->4}^2 <= sqrt(n)/d + sqrt(1 - 1/d) ||(XX^T)^{o2} - 11^T/d||^{1/2}`` for unit rows.

    For general rows put ``s_i = ||x_i||^2`` in place of the ones: n stands for ``sum_i s_i^2`` and 11^T for ss^T.
    """
    return n**0.5 / d + (centred_norm * (d - 1) / d) ** 0.5


def relu_jacobian_perturbation(v_inf: Number, X_norm: Number, flips: Number) -> Number:
    """``||J(W') - J(W)|| <= ||v||_inf ||X|| sqrt(max_i N_i)`` (`relu-jacobian-perturbation`)."""
    return v_inf * X_norm * flips**0.5
