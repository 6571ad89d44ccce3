"""jacspec: every statement about moderate overparameterization, on one's own data.

Oymak & Soltanolkotabi, *Towards moderate overparameterization: global convergence guarantees for training shallow
neural networks* (arXiv 1902.04674), as numbers with radii.

Names are loaded on first use, so importing the package is cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Activation": "activations",
    "CapacityError": "_checks",
    "Batch": "training",
    "Certificate": "certificates",
    "Checkpoint": "training",
    "Constants": "constants",
    "Covariance": "covariance",
    "DataSpectrum": "spectrum",
    "Dataset": "data",
    "Estimate": "rounding",
    "Guarantee": "guarantees",
    "HermiteExpansion": "hermite",
    "InputError": "_checks",
    "JacobianOperator": "jacobian",
    "Options": "widths",
    "Pretrained": "from_torch",
    "ShallowNet": "network",
    "Trajectory": "training",
    "activation": "activations",
    "activation_names": "activations",
    "balanced_output_weights": "network",
    "certify": "certificates",
    "compressed_square": "khatri_rao",
    "covariance_matrix": "covariance",
    "covariance_spectrum": "covariance",
    "data_constants": "constants",
    "data_spectrum": "spectrum",
    "dense_jacobian": "jacobian",
    "gauss_newton_polish": "certificates",
    "gradient": "jacobian",
    "gram_hadamard": "khatri_rao",
    "hermite_coefficients": "hermite",
    "hermite_enclosures": "hermite",
    "hermite_expansion": "hermite",
    "initial_weights": "network",
    "jacobian_gram": "jacobian",
    "jacobian_extremes": "training",
    "khatri_rao_power_sigma_min": "spectrum",
    "load": "data",
    "moment_enclosure": "hermite",
    "phi_and_derivative": "elementwise",
    "pretrained": "from_torch",
    "row_khatri_rao": "khatri_rao",
    "row_separation": "separation",
    "square_operator": "khatri_rao",
    "stop_when_certified": "certificates",
    "train": "training",
    "train_many": "training",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jacspec' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"jacspec.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
