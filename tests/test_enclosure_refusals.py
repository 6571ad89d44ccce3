"""What jacspec.enclosure refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from jacspec._checks import InputError
from jacspec.enclosure import (
    BallMatrix,
    SymmetricBall,
    gram,
    hadamard,
    jacobian_singular_values,
    khatri_rao_singular_values,
    largest_eigenvalue,
    minimum_norm_solution,
    smallest_eigenvalue,
    smallest_singular_value,
    spectral_norm,
    symmetric_ball,
)

GOOD = np.array([[2.0, 1.0], [1.0, 2.0]])
SQUARE = [smallest_eigenvalue, largest_eigenvalue, symmetric_ball]
ANY = [gram, spectral_norm, smallest_singular_value, khatri_rao_singular_values]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("function", [*SQUARE, *ANY], ids=lambda f: f.__name__)
def test_what_is_not_finite_is_refused(function: Any, bad: float) -> None:
    for index in ((0, 0), (0, 1), (1, 1)):
        A = GOOD.copy()
        A[index] = A[index[::-1]] = bad
        with pytest.raises(InputError):
            function(A)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_refused_in_radii_and_solutions(bad: float) -> None:
    A = GOOD.copy()
    A[1, 1] = bad
    calls = [
        lambda: BallMatrix(GOOD, A),
        lambda: gram(GOOD, A),
        lambda: symmetric_ball(GOOD, A),
        lambda: jacobian_singular_values(A, GOOD),
        lambda: jacobian_singular_values(GOOD, A),
        lambda: minimum_norm_solution(GOOD, A, [1.0, 1.0]),
        lambda: minimum_norm_solution(A, GOOD, [1.0, 1.0]),
        lambda: minimum_norm_solution(GOOD, GOOD, [1.0, bad]),
        lambda: minimum_norm_solution(GOOD, GOOD, [1.0, 1.0], [1.0, bad]),
        lambda: smallest_eigenvalue(SymmetricBall(A)),
        lambda: largest_eigenvalue(SymmetricBall(A)),
    ]
    for call in calls:
        with pytest.raises(InputError):
            call()


def test_bad_shapes_and_radii_are_refused() -> None:
    calls = [
        lambda: smallest_eigenvalue([[1.0, 2.0], [3.0, 4.0]]),
        lambda: smallest_eigenvalue([[1.0, 2.0]]),
        lambda: smallest_eigenvalue([1.0]),
        lambda: symmetric_ball(GOOD, -GOOD),
        lambda: symmetric_ball(GOOD, np.ones((3, 3))),
        lambda: BallMatrix(GOOD, -GOOD),
        lambda: gram(BallMatrix(GOOD, GOOD), GOOD),
        lambda: hadamard(gram(GOOD), gram(np.ones((3, 3)))),
        lambda: jacobian_singular_values(GOOD, np.ones((3, 2))),
        lambda: minimum_norm_solution(GOOD, GOOD, [1.0]),
        lambda: minimum_norm_solution(GOOD, GOOD, [1.0, 1.0], [1.0, -1.0]),
        lambda: smallest_eigenvalue(GOOD, gap=-1.0),
    ]
    for call in calls:
        with pytest.raises(InputError):
            call()
