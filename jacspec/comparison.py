"""Which of two numbers with radii is larger: the one place where verdicts on inequalities are decided.

Written for Python floats, mpmath numbers and arrays of either, so that a claim and a property test cannot disagree.
"""

from __future__ import annotations

from typing import Any

__all__ = ["NARROW", "NARROW_PRECISE", "RELATIONS", "agree", "compare", "slack", "trusted"]

#: The relations that can be asserted.
RELATIONS = ("<=", "<", ">=", ">", "==")

#: Relative nearness of two sides that counts as agreement, in float64 and in 60 digits.
NARROW, NARROW_PRECISE = 1e-6, 1e-15

#: The difference of two numbers is rounded: where it exceeds the radius by more than this factor, the true one does.
#: (With radius 0 its sign alone counts, and that is exact.)
_ROOM = 1.0 + 2.0**-50


def compare(relation: str, left: Any, left_radius: Any, right: Any, right_radius: Any) -> tuple[Any, Any]:
    """Whether ``left relation right`` holds, and whether it fails, by more than the radii; neither: undecided.

    Parameters
    ----------
    relation : {"<=", "<", ">=", ">"}
    left, left_radius, right, right_radius : float, mpf, or arrays of them
        Values, possibly infinite, and nonnegative radii.

    Returns
    -------
    tuple of bool, or of arrays of bool
        Never both true.
    """
    if relation in (">=", ">"):
        return compare("<=" if relation == ">=" else "<", right, right_radius, left, left_radius)
    radius = left_radius + right_radius
    margin = right - left
    exact = radius == 0
    # Two exactly equal numbers (also infinite ones, whose difference is NaN) satisfy <= as exactly as anything can.
    equal = exact & (left == right)
    above, below = margin > radius * _ROOM, -margin > radius * _ROOM
    return (above, below | equal) if relation == "<" else (above | equal, below)


def agree(distance: Any, radius: Any, scale: Any, narrow: float) -> tuple[Any, Any]:
    """Whether two sides that an identity makes equal agree, and whether they differ, by more than the radius.

    Agreement counts only where the radius is narrow: a wide one would agree with anything.

    Parameters
    ----------
    distance, radius : float, mpf, or arrays of them
        Of the two sides, and its error.
    scale : float, mpf or array
        Of the sides.
    narrow : float
        Relative to `scale`, how near counts.

    Returns
    -------
    tuple of bool, or of arrays of bool
        Never both true.
    """
    apart = distance - radius > 0
    near = distance + radius <= narrow * scale
    # `apart` and `near` at once: clearly different by little. `x & ~y` of Python booleans would be an integer.
    return near & (apart ^ True), apart


def slack(left: Any, right: Any) -> float:
    """How many times the right side of ``left <= right`` exceeds the left one; infinite where that is zero."""
    if left == 0:
        return float("inf")
    return 1.0 if left == right else float(right / left)


def trusted(value: Any, digits: int) -> Any:
    """Radius of a number that was computed with `digits` digits and carries no radius of its own.

    Half of the digits less five count: singular values come from eigenvalues of a Gram matrix, which costs half.
    """
    return abs(value) * 10.0 ** (5 - digits // 2)
