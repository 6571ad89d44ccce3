"""Argument checks: every public function validates once, here, and private kernels validate nothing.

Each check returns the argument in the form the kernels want (C-contiguous float64) or raises `InputError`,
whose one-line message names the argument, the value and what was expected.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CapacityError",
    "InputError",
    "check_choice",
    "check_even_width",
    "check_int",
    "check_matrix",
    "check_memory",
    "check_real",
    "check_same_rows",
    "check_seed",
    "check_unit_rows",
    "check_vector",
    "readable_bytes",
]

#: Rows count as unit when ``| ||x_i||^2 - 1 |`` stays below this: float64 normalisation reaches about
#: (d + 2) 2^-53, decimal files with 13 digits pass, float32 data (1e-7) do not.
UNIT_ROW_TOLERANCE = 1e-12


class InputError(ValueError):
    """A bad argument: which one, what was given, what was expected.

    Parameters
    ----------
    argument : str
        Name of the argument as the caller wrote it.
    value : object
        What was given (shown shortened), or a string that describes it.
    expected : str
        What would have been accepted, and what to do about it where that is known.

    Attributes
    ----------
    shown : str
        The value as the message shows it.
    """

    def __init__(self, argument: str, value: object, expected: str) -> None:
        self.argument = argument
        self.value = value
        self.expected = expected
        self.shown = value if isinstance(value, str) else _short(value)
        super().__init__(f"{argument}: got {self.shown}; expected {expected}")

    def __reduce__(self) -> tuple[Any, ...]:
        """With the message that it has: across processes the value itself may not be had, or be huge."""
        return type(self), (self.argument, self.shown, self.expected)


class CapacityError(MemoryError):
    """A result that does not fit in memory; the message carries the estimate and a way out."""


def _short(value: object, limit: int = 60) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def suggestion(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` when a known name is near, else the empty string."""
    names, typed = list(known), name.lower()
    swapped = {typed[:i] + typed[i + 1] + typed[i] + typed[i + 2 :] for i in range(len(typed) - 1)}  # =< for <=
    near = [other for other in names if other in swapped]
    near = near or difflib.get_close_matches(typed, names, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def check_choice(argument: str, value: object, known: Iterable[str]) -> str:
    """`value` if it is one of the strings `known`; otherwise an `InputError` with a suggestion."""
    names = list(known)
    if isinstance(value, str) and value in names:
        return value
    hint = suggestion(value, names) if isinstance(value, str) else ""
    raise InputError(argument, repr(value), f"one of {', '.join(names)}{hint}")


def check_int(argument: str, value: Any, *, minimum: int | None = None, maximum: int | None = None) -> int:
    """`value` as an int within ``[minimum, maximum]``; booleans and non-integral numbers are refused."""
    bounds = []
    if minimum is not None:
        bounds.append(f"at least {minimum}")
    if maximum is not None:
        bounds.append(f"at most {maximum}")
    expected = "an integer" + (f" {' and '.join(bounds)}" if bounds else "")
    if isinstance(value, (bool, np.bool_)):
        raise InputError(argument, value, expected)
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(argument, value, expected) from None
    if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
        raise InputError(argument, number, expected)
    return number


def check_real(
    argument: str,
    value: Any,
    *,
    above: float | None = None,
    below: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> float:
    """`value` as a finite float inside the stated (open or closed) interval."""
    parts = []
    if above is not None:
        parts.append(f"> {above:g}")
    if at_least is not None:
        parts.append(f">= {at_least:g}")
    if below is not None:
        parts.append(f"< {below:g}")
    if at_most is not None:
        parts.append(f"<= {at_most:g}")
    expected = "a finite number" + (f" {' and '.join(parts)}" if parts else "")
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise InputError(argument, value, expected)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(argument, value, expected) from None
    inside = (
        math.isfinite(number)
        and (above is None or number > above)
        and (below is None or number < below)
        and (at_least is None or number >= at_least)
        and (at_most is None or number <= at_most)
    )
    if not inside:
        raise InputError(argument, number, expected)
    return number


def check_seed(argument: str, value: Any) -> int:
    """A seed: a nonnegative integer below 2^64."""
    return check_int(argument, value, minimum=0, maximum=2**64 - 1)


def _check_array(argument: str, value: Any, ndim: int, expected: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        raise InputError(argument, "a ragged or unreadable sequence", expected) from None
    if array.dtype.kind not in "fiub":
        raise InputError(argument, f"an array of dtype {array.dtype}", expected)
    if array.ndim != ndim:
        raise InputError(argument, array, expected)
    if array.size == 0:
        raise InputError(argument, array, f"{expected}, not empty")
    with np.errstate(over="ignore"):  # a long double too large for float64 becomes inf and is refused below
        array = np.ascontiguousarray(array, dtype=np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        index = where[0] if ndim == 1 else where
        raise InputError(argument, f"{array[where]} at index {index}", "finite entries")
    return array


def check_matrix(argument: str, value: ArrayLike, *, columns: int | None = None) -> NDArray[np.float64]:
    """A nonempty finite 2-D real array, C-contiguous float64 (copied only if it must be)."""
    array = _check_array(argument, value, 2, "a 2-D array of real numbers")
    if columns is not None and array.shape[1] != columns:
        raise InputError(argument, array, f"{columns} columns")
    return array


def check_vector(argument: str, value: ArrayLike, *, length: int | None = None) -> NDArray[np.float64]:
    """A nonempty finite 1-D real array, C-contiguous float64."""
    array = _check_array(argument, value, 1, "a 1-D array of real numbers")
    if length is not None and array.shape[0] != length:
        raise InputError(argument, array, f"{length} entries")
    return array


def check_same_rows(first: str, A: NDArray[Any], second: str, B: NDArray[Any]) -> None:
    """Raise unless A and B have as many rows as each other."""
    if A.shape[0] != B.shape[0]:
        raise InputError(second, B, f"as many rows as {first}, which has {A.shape[0]}")


def check_unit_rows(argument: str, X: NDArray[np.float64]) -> float:
    """Largest ``| ||x_i||^2 - 1 |``; `InputError` when it exceeds `UNIT_ROW_TOLERANCE`."""
    with np.errstate(over="ignore"):
        defect = np.abs(np.einsum("ij,ij->i", X, X) - 1.0)
    worst = int(np.argmax(defect))
    if not defect[worst] <= UNIT_ROW_TOLERANCE:
        norm = math.hypot(*X[worst]) if X.shape[1] < 10_000 else float(np.linalg.norm(X[worst]))
        raise InputError(
            argument,
            f"row {worst} of norm {norm:.6g}" if abs(norm - 1) > 1e-4 else f"row {worst} of norm 1 {norm - 1:+.1e}",
            "rows of norm 1; ask for normalisation (--normalize, or normalize=True)",
        )
    return float(defect[worst])


def check_even_width(argument: str, value: Any) -> int:
    """A width for balanced output weights: an even integer, at least 2."""
    width = check_int(argument, value, minimum=2)
    if width % 2:
        raise InputError(argument, width, "an even integer (half of v is positive, half negative)")
    return width


def readable_bytes(count: float) -> str:
    """``1536`` -> ``'1.5 KiB'``."""
    units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    power = 0
    while count >= 1024 and power < len(units) - 1:
        count /= 1024
        power += 1
    return f"{count:.0f} {units[power]}" if power == 0 else f"{count:.1f} {units[power]}"


def available_memory() -> int | None:
    """Bytes that can still be allocated without swapping, or None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as handle:
            for line in handle:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def check_memory(what: str, needed: int, advice: str, *, available: int | None = None) -> None:
    """Raise `CapacityError` with the estimate when `needed` bytes exceed what is available.

    Asking first is friendlier than being killed: Linux grants an allocation it cannot honour.
    """
    limit = available if available is not None else available_memory()
    if limit is not None and needed > limit:
        raise CapacityError(
            f"{what} needs {readable_bytes(needed)} and {readable_bytes(limit)} are available; {advice}"
        )
