"""Assertions about numbers that are known to within a radius, for property tests of one's own bounds.

``assert_bound(lhs, "<=", rhs)`` fails only where the inequality fails by more than the radii of both sides, and says
so in full. A side may be a function of a number of digits, which is asked again with more of them before anything
fails. Inside a Hypothesis test the search is told how near each example came.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ._checks import InputError, check_choice, check_int
from .comparison import NARROW, NARROW_PRECISE, RELATIONS, agree, compare, trusted
from .rounding import Estimate

__all__ = ["Judgement", "assert_bound"]

Array = NDArray[Any]
Policy = Literal["reject", "pass", "fail"]

#: Digits that a function is asked for first: those of float64.
_FEW = 16
#: How often one label may be reported in one example: in a loop, the first entries say enough.
_MOST_TARGETS = 8
_NUMBERS = (
    "a real number with or without a radius (float, int, Fraction, Decimal, Estimate, mpmath.mpf, flint.arb), "
    "an array of them, or a function of a number of digits"
)


@dataclass(frozen=True)
class Judgement:
    """What became of an asserted relation, at the entry that decides it (the one that is worst off).

    Parameters
    ----------
    verdict : {"HOLDS", "UNDECIDED", "VIOLATED"}
        Of all entries together: HOLDS when every entry holds.
    entry : tuple of int
        Index of that entry; empty for single numbers.
    lhs, rhs : Estimate
        Both sides there.
    gap : Estimate
        By how much the relation holds (negative: fails) there; for "==" the distance of the sides. Its radius is that
        of both sides, and what the argument `radius` adds.
    count, total : int
        Entries with this verdict, and entries in all.
    digits : int
        With which it was decided: 16, or more where a function was asked again.
    confirmed : bool
        Whether a function was asked again.
    """

    verdict: Literal["HOLDS", "UNDECIDED", "VIOLATED"]
    entry: tuple[int, ...]
    lhs: Estimate
    rhs: Estimate
    gap: Estimate
    count: int
    total: int
    digits: int
    confirmed: bool


def assert_bound(
    lhs: Any,
    relation: str,
    rhs: Any,
    *,
    radius: Any = 0.0,
    undecided: Policy = "reject",
    digits: int = 60,
    label: str | None = "bound",
) -> Judgement:
    r"""Assert ``lhs relation rhs``, elementwise, of numbers that may have radii.

    Each entry holds, is violated (by more than the radii of both sides together), or is undecided. Where a side is a
    function and an entry does not clearly hold, both sides are computed again with more digits, so that nothing fails
    on account of rounding.

    A function is called as ``side(16)``, then as ``side(digits)`` with mpmath and flint set to that precision. A number
    that it returns without a radius of its own is trusted to half of its digits less five: to a relative 1e-3 at first,
    1e-25 with 60 digits. (So what float64 says counts only where it is clear by far. Where terms cancel, return an
    `Estimate` or a ``flint.arb``, which know their error.) With more than 16 digits it must not return floats.

    Parameters
    ----------
    lhs, rhs : number, array_like or callable
        A float, int, Fraction, Decimal or mpf is taken to be exact (thirds: to 600 digits); an `Estimate` and a
        ``flint.arb`` have a radius.
        Arrays are broadcast. A function takes a number of digits and returns any of these.
    relation : {"<=", "<", ">=", ">", "=="}
        "==" holds where the sides agree to six digits, their radii included, and differ by no more than the radii.
    radius : float or array_like of float, default 0
        How far ``rhs - lhs`` may be off beyond the radii that the sides have; for bare floats that were computed, such
        as ``jacspec.rounding.gamma(n) * magnitude``.
    undecided : {"reject", "pass", "fail"}
        What to do when nothing is violated and something is undecided. "reject": such an example counts neither for nor
        against the statement. A Hypothesis test discards it, as `hypothesis.reject` does, and fails when hardly any are
        left; elsewhere there is no other example, and it fails. "pass" also lets a radius of infinity pass.
    digits : int, default 60
        For functions, 30 to 500.
    label : str or None
        Name of the bound in the message, and under which Hypothesis is told how near an example came to a violation
        (`hypothesis.target`: -1 times the relative gap, least over the entries). None: it is not told.

    Returns
    -------
    Judgement
        HOLDS, or UNDECIDED where that passes.

    Raises
    ------
    AssertionError
        If an entry is violated, or undecided where that fails. The message has both sides, the gap and the entry.
    InputError
        If a side is NaN, complex, empty or not a number, shapes do not fit, or an option is not one of those above.

    Examples
    --------
    >>> from jacspec import Estimate
    >>> assert_bound(Estimate(1.0, 1e-12), "<=", 1.5).verdict
    'HOLDS'
    >>> assert_bound(Estimate(1.0, 1e-12), "<=", 1.0, undecided="pass").verdict
    'UNDECIDED'
    >>> import math, mpmath
    >>> assert_bound(lambda digits: mpmath.sqrt(2) ** 2 if digits > 16 else math.sqrt(2) ** 2, "<", 2.1).digits
    16
    >>> assert_bound([1.0, 3.0], "<=", 2.0)
    Traceback (most recent call last):
    ...
    AssertionError: bound: lhs <= rhs is VIOLATED at [1] (1 of 2 entries)
      lhs  3.0
      rhs  2.0
      gap  -1.0 (rhs - lhs)
      not confirmed: neither side is a function that more digits could be asked of
    """
    __tracebackhide__ = True  # pytest then shows the line that asserts
    check_choice("relation", relation, RELATIONS)
    check_choice("undecided", undecided, ("reject", "pass", "fail"))
    check_int("digits", digits, minimum=30, maximum=500)
    extra = _extra(radius)
    sides = _Sides(lhs, rhs, extra, _FEW)
    found = sides.judge(relation)
    if label is not None:
        _tell_hypothesis(sides.nearness(relation), label)
    asked = callable(lhs) or callable(rhs)
    if found.verdict != "HOLDS" and asked:
        with _working(digits):
            found = _Sides(lhs, rhs, extra, digits).judge(relation)
    if found.verdict == "VIOLATED":
        raise AssertionError(_told(found, relation, label, asked))
    if found.verdict == "UNDECIDED" and undecided != "pass":
        if undecided == "reject" and _inside_hypothesis():
            import hypothesis

            hypothesis.reject()
        raise AssertionError(_told(found, relation, label, asked))
    return found


# -- Hypothesis -----------------------------------------------------------------------------------------------------


def _inside_hypothesis() -> bool:
    """Whether a Hypothesis test is running; if so, somebody has imported it."""
    hypothesis = sys.modules.get("hypothesis")
    return hypothesis is not None and bool(hypothesis.currently_in_test_context())


def _tell_hypothesis(nearness: float, label: str) -> None:
    if not _inside_hypothesis():
        return
    import hypothesis
    from hypothesis.errors import InvalidArgument

    for attempt in range(1, _MOST_TARGETS + 1):
        try:
            hypothesis.target(nearness, label=label if attempt == 1 else f"{label} ({attempt})")
        except InvalidArgument:  # this label was reported in this example already
            continue
        return


# -- numbers --------------------------------------------------------------------------------------------------------


@contextmanager
def _working(digits: int) -> Iterator[None]:
    """mpmath and flint at this many digits, and then as they were."""
    from mpmath import mp

    from .hermite.ball import precision

    with mp.workdps(digits), precision(mp.prec):
        yield


@contextmanager
def _exact_differences(values: Array, digits: int) -> Iterator[None]:
    """For arrays of mpf, bits enough for radii below the last one; the sign of a difference is exact with any."""
    if values.dtype != object:
        yield
        return
    from mpmath import workprec

    with workprec(4 * max(digits, 53)):
        yield


class _Sides:
    """Both sides as arrays of one shape: of float64, or of mpf (dtype object) where float64 would lose something."""

    def __init__(self, lhs: Any, rhs: Any, extra: NDArray[np.float64], digits: int) -> None:
        left, right = _read("lhs", lhs, digits), _read("rhs", rhs, digits)
        if any(a.dtype == object for a in (*left, *right)):
            left, right = _precise(left), _precise(right)
        try:
            shape = np.broadcast_shapes(left[0].shape, right[0].shape, extra.shape)
        except ValueError:
            raise InputError("rhs", f"shape {right[0].shape}", f"a shape that fits lhs, {left[0].shape}") from None
        self.shape = shape
        # Flat: operations on 0-d arrays of objects would return the objects.
        self.left, self.left_radius = (np.broadcast_to(a, shape).ravel() for a in left)
        self.right, self.right_radius = (np.broadcast_to(a, shape).ravel() for a in right)
        self.extra = np.broadcast_to(extra, shape).ravel()
        self.digits = digits

    def judge(self, relation: str) -> Judgement:
        """The verdict on all entries, and the entry that is worst off among those that decide it."""
        with np.errstate(all="ignore"), _exact_differences(self.left, self.digits):
            right_radius = self.right_radius + self.extra
            radius = self.left_radius + right_radius
            if relation == "==":
                holds, fails = self._agree(radius)
                gap = np.abs(self.right - self.left)
            else:
                holds, fails = compare(relation, self.left, self.left_radius, self.right, right_radius)
                gap = self.right - self.left if relation[0] == "<" else self.left - self.right
        holds, fails = holds.astype(bool), fails.astype(bool)
        verdict: Literal["HOLDS", "UNDECIDED", "VIOLATED"]
        if fails.any():
            verdict, these = "VIOLATED", fails
        elif holds.all():
            verdict, these = "HOLDS", holds
        else:
            verdict, these = "UNDECIDED", ~holds
        worst = int(np.argmin(np.where(these, self._relative(relation), np.inf)))

        def there(values: Array, radii: Array) -> Estimate:
            value = float(values[worst])
            # The difference of equal infinities is NaN, and zero.
            return Estimate(0.0 if np.isnan(value) else value, float(radii[worst]))

        return Judgement(
            verdict,
            tuple(int(i) for i in np.unravel_index(worst, self.shape)),
            there(self.left, self.left_radius),
            there(self.right, self.right_radius),
            there(gap, radius),
            int(these.sum()),
            these.size,
            self.digits,
            self.digits > _FEW,
        )

    def _agree(self, radius: Array) -> tuple[Array, Array]:
        scale = np.maximum(np.abs(self.left), np.abs(self.right))
        equal = (radius == 0) & (self.left == self.right)  # also of infinities
        narrow = NARROW_PRECISE if self.digits > _FEW else NARROW
        holds, fails = agree(np.abs(self.right - self.left), radius, scale, narrow)
        return holds | equal, fails

    def _relative(self, relation: str) -> NDArray[np.float64]:
        """The gap over the larger side, in [-2, 2]; 0 where both are zero. For "==": minus the distance."""
        left, right = self.left.astype(np.float64), self.right.astype(np.float64)
        if relation[0] == ">":
            left, right = right, left
        scale = np.maximum(np.abs(left), np.abs(right))
        with np.errstate(all="ignore"):
            out = np.where(scale == 0, 0.0, right / scale - left / scale)
            # What is infinite in float64 has an order only.
            order = np.nan_to_num(np.sign(right - left))  # two equal infinities: 0
        out = np.where(np.isinf(scale), 2.0 * order, out)
        return -np.abs(out) if relation == "==" else np.asarray(out)

    def nearness(self, relation: str) -> float:
        """What Hypothesis is to maximise."""
        return -float(self._relative(relation).min())


def _extra(radius: Any) -> NDArray[np.float64]:
    try:
        found = np.asarray(radius, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("radius", radius, "numbers >= 0") from None
    if not (found >= 0).all():
        raise InputError("radius", radius, "numbers >= 0")
    return found


def _read(argument: str, side: Any, digits: int) -> tuple[Array, Array]:
    """(values, radii) of a side, of float64 where that holds them, else of mpf."""
    asked = callable(side)
    given = side(digits) if asked else side
    # A function has a name of its own in messages: what it returned is not what was written.
    where = f"{argument}({digits})" if asked else argument
    found = _array(where, given)
    if asked and digits > _FEW and _is_float(found):
        raise InputError(where, given, "a number that can hold so many digits: mpf, arb, int, Fraction or Estimate")
    values, radii = _split(where, found)
    if np.isnan(values.astype(np.float64)).any():
        raise InputError(where, given, "numbers, not NaN")
    if asked:
        bare = np.array([not _has_radius(x) for x in found.ravel()], dtype=bool).reshape(found.shape)
        with np.errstate(invalid="ignore"):
            own = np.where(np.isinf(values.astype(np.float64)), 0.0, trusted(values, digits))
        radii = np.where(bare, own, radii)
    return values, radii


def _array(where: str, given: Any) -> Array:
    """The array of what was given, of a real dtype or of objects, with at least one entry."""
    if isinstance(given, np.ndarray):
        found = given
    elif hasattr(given, "tolist") and not isinstance(given, np.generic):  # matrices of mpmath and flint
        found = np.array(given.tolist(), dtype=object)
    elif isinstance(given, (list, tuple)) or hasattr(given, "__array__"):
        found = np.array(given, dtype=object) if isinstance(given, (list, tuple)) else np.asarray(given)
    else:
        found = np.empty((), dtype=object)
        found[()] = given
    if found.size == 0:
        raise InputError(where, given, "at least one entry: an assertion about nothing cannot fail")
    if found.dtype.kind not in "fiuO":
        raise InputError(where, given, _NUMBERS)
    if found.dtype.kind == "O":
        for x in found.ravel():
            if isinstance(x, (bool, np.bool_)) or not (_is_plain(x) or _has_radius(x) or _is_mpf(x)):
                raise InputError(where, x, _NUMBERS)
    return found


def _is_plain(x: Any) -> bool:
    return isinstance(x, (int, float, Fraction, Decimal, np.floating, np.integer))


def _is_mpf(x: Any) -> bool:
    # Looked up rather than imported: who has an mpf or a ball has loaded its module.
    return hasattr(x, "_mpf_") and not hasattr(x, "_mpi_")


def _has_radius(x: Any) -> bool:
    flint = sys.modules.get("flint")
    return isinstance(x, Estimate) or (flint is not None and isinstance(x, flint.arb))


def _is_float(found: Array) -> bool:
    """Whether some entry is a bare float, other than an infinity or a zero."""
    entries = found.ravel()
    if found.dtype.kind == "O":
        entries = np.array([x for x in entries if isinstance(x, (float, np.floating))], dtype=np.float64)
    return found.dtype.kind in "fO" and bool(((entries != 0) & np.isfinite(entries)).any())


def _split(where: str, found: Array) -> tuple[Array, Array]:
    """Values and radii, of float64 when every value is one, else of mpf."""
    if found.dtype.kind in "iu" and np.all((found >= -(2**53)) & (found <= 2**53)):
        return found.astype(np.float64), np.zeros(found.shape)
    if found.dtype.kind == "f" and found.dtype.itemsize <= 8:
        return found.astype(np.float64), np.zeros(found.shape)
    pairs = [_pair(where, x) for x in found.ravel()]
    kind = np.float64 if all(isinstance(value, float) for value, _ in pairs) else object
    if kind is object:
        pairs = [(_to_mpf(value), _to_mpf(radius)) for value, radius in pairs]
    out = []
    for which in (0, 1):
        array = np.empty(found.size, dtype=kind)
        array[:] = [pair[which] for pair in pairs]
        out.append(array.reshape(found.shape))
    return out[0], out[1]


def _pair(where: str, x: Any) -> tuple[Any, Any]:
    """(value, radius), as two floats where these hold them, else as mpf."""
    if isinstance(x, Estimate):
        return float(x.value), float(x.radius)
    if _is_mpf(x):
        return x, 0.0
    if _has_radius(x):
        return _of_ball(where, x)
    if x != x:
        raise InputError(where, x, "numbers, not NaN")
    if isinstance(x, (float, np.floating)) and np.isinf(x):
        return float(x), 0.0
    exactly = Fraction(int(x)) if isinstance(x, np.integer) else Fraction(*x.as_integer_ratio())
    try:
        near = float(exactly)
    except OverflowError:
        return _of_fraction(exactly)
    return (near, 0.0) if near == exactly else _of_fraction(exactly)


def _of_fraction(x: Fraction) -> tuple[Any, Any]:
    """A rational that float64 does not hold: exactly where a binary number does, else to 600 digits."""
    from mpmath import ldexp, mpf, workprec

    bits = max(2000, x.numerator.bit_length() + 1)
    with workprec(bits):
        value = mpf(x.numerator) / x.denominator
        exact = x.denominator.bit_count() == 1  # a power of two
        return value, mpf(0) if exact else abs(value) * ldexp(1, 1 - bits)


def _of_ball(where: str, x: Any) -> tuple[Any, Any]:
    if x.is_nan():
        raise InputError(where, x, "numbers, not NaN")
    if not x.is_finite():
        infinite = not x.rad().is_finite()
        return (0.0, float("inf")) if infinite else (float(x), 0.0)
    return _dyadic(x.mid()), _dyadic(x.rad())


def _dyadic(x: Any) -> Any:
    """An exact flint number as an mpf, exactly."""
    from mpmath import mp
    from mpmath.libmp import from_man_exp

    mantissa, exponent = x.man_exp()
    return mp.make_mpf(from_man_exp(int(mantissa), int(exponent)))


def _to_mpf(x: Any) -> Any:
    """A float as an mpf, exactly, whatever the working precision."""
    from mpmath import mp
    from mpmath.libmp import from_float

    return mp.make_mpf(from_float(float(x))) if isinstance(x, (float, np.floating)) else x


def _precise(side: tuple[Array, Array]) -> tuple[Array, Array]:
    first, second = (np.frompyfunc(_to_mpf, 1, 1)(a) for a in side)
    out = []
    for a, shape in ((first, side[0].shape), (second, side[1].shape)):
        array = np.empty(shape, dtype=object)
        array[...] = a
        out.append(array)
    return out[0], out[1]


# -- messages -------------------------------------------------------------------------------------------------------


def _told(found: Judgement, relation: str, label: str | None, asked: bool) -> str:
    name = f"{label}: " if label else ""
    where = f" at [{', '.join(map(str, found.entry))}]" if found.entry else ""
    several = f" ({found.count} of {found.total} entries)" if found.total > 1 else ""
    meaning = {"<": "rhs - lhs", ">": "lhs - rhs", "=": "|rhs - lhs|"}[relation[0]]
    if found.confirmed:
        last = f"{'confirmed' if found.verdict == 'VIOLATED' else 'not clear, even'} with {found.digits} digits"
    elif found.verdict == "VIOLATED":
        last = "not confirmed: neither side is a function that more digits could be asked of"
    else:
        last = "the radius leaves it open; a side that is a function of digits would be asked again"
    return "\n".join(
        (
            f"{name}lhs {relation} rhs is {found.verdict}{where}{several}",
            f"  lhs  {_shown(found.lhs)}",
            f"  rhs  {_shown(found.rhs)}",
            f"  gap  {_shown(found.gap)} ({meaning})",
            f"  {last}",
        )
    )


def _shown(x: Estimate) -> str:
    return f"{x.value!r} +- {x.radius:.2g}" if x.radius else repr(x.value)
