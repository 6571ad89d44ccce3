"""What the theorems promise of a given run, beside which the run is drawn: rates and path lengths, met or not.

Two kinds of statement speak of a run. The theorems of section 6 know X, y, phi and the width, and promise with
probability over the draw of W_0. The statements of section 5 know the start itself: sigma_min(J(W_0)) and ||r_0|| are
measured, and nothing is left to chance. All constants are taken at the safe end of their intervals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._checks import InputError
from ..constants import Constants
from ..training import Trajectory
from .model import Facts, Guarantee
from .output import output_start, output_width
from .relu import perturbation, perturbation_sharp, relu_theorems
from .sampling import sgd_start, sgd_theorem
from .smooth import convergence, explicit, kantorovich, paper, sharp

Floats = NDArray[np.float64]

__all__ = ["Guarantee", "check_label_size", "guarantees"]

#: Bounds hold fourth powers of ||y||, which must stay in the range of float64 with room for the other factors.
_LARGEST_LABEL = 1e60


def check_label_size(argument: str, y: Floats) -> None:
    """`InputError` unless the largest label is between 1e-60 and 1e60, where every bound can be evaluated."""
    top = float(np.max(np.abs(y)))
    if not 1 / _LARGEST_LABEL <= top <= _LARGEST_LABEL:
        span = f"{1 / _LARGEST_LABEL:g} and {_LARGEST_LABEL:g}"
        raise InputError(argument, f"labels of size {top:.3g}", f"a largest label between {span}; rescale them")


def guarantees(run: Trajectory, constants: Constants) -> tuple[Guarantee, ...]:
    """What the theory promises of a run, statement by statement.

    Parameters
    ----------
    run : Trajectory
    constants : Constants
        Of the run's X, y and activation (`data_constants` with ``y=run.y``). Its options say with which delta, nu and
        failure probability the theorems are meant.

    Returns
    -------
    tuple of Guarantee
        Theorems first, then statements about the start.

    Raises
    ------
    InputError
        If the constants are those of other data or have not this activation.

    References
    ----------
    docs/theory.md sections 5 and 6.
    """
    name = run.start.activation.name
    if name not in constants.activations:
        raise InputError("constants", f"those of {', '.join(constants.activations)}", f"those of {name}")
    if not np.array_equal(constants.dataset.X, run.X):
        raise InputError("constants", f"those of {constants.dataset.source}", "those of the data that the run is about")
    check_label_size("constants", run.y)
    facts = Facts(run, constants, constants.activations[name])
    if run.trains == "output":
        found = [output_width(facts), output_start(facts)]
    elif run.algorithm == "sgd":
        found = [sgd_theorem(facts), sgd_start(facts)]
    elif run.start.activation.is_smooth:
        found = [paper(facts), explicit(facts), sharp(facts), convergence(facts), kantorovich(facts)]
    else:
        found = [*relu_theorems(facts), perturbation(facts), perturbation_sharp(facts)]
    return tuple(found)
