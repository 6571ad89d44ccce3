"""assert_bound: what each kind of number is worth, when more digits are asked for, and what Hypothesis is told."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import hypothesis
import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from jacspec import Estimate, InputError
from jacspec.comparison import agree, compare, slack
from jacspec.testing import assert_bound

ROOT = Path(__file__).resolve().parent.parent
SWAPPED = {"<=": ">=", "<": ">", ">=": "<=", ">": "<", "==": "=="}


def verdict(lhs: Any, relation: str, rhs: Any, **options: Any) -> str:
    try:
        return assert_bound(lhs, relation, rhs, undecided="pass", **options).verdict
    except AssertionError as error:
        return str(error).split()[5]


# -- the comparison that claims and assertions share ------------------------------------------------------------------


@given(st.fractions(), st.fractions(min_value=0), st.fractions(), st.fractions(min_value=0))
def test_compare_says_what_intervals_say(a: Fraction, r: Fraction, b: Fraction, s: Fraction) -> None:
    """In floats that hold their numbers: eighths."""
    a, r, b, s = (Fraction(int(8 * x) % 4096, 8) for x in (a, r, b, s))
    x, p, y, q = map(float, (a, r, b, s))
    assert compare("<=", x, p, y, q) == (a + r < b - s or (r + s == 0 and a == b), a - r > b + s)
    assert compare("<", x, p, y, q) == (a + r < b - s, a - r > b + s or (r + s == 0 and a == b))
    for relation in ("<=", "<"):
        assert compare(relation, x, p, y, q) == compare(SWAPPED[relation], y, q, x, p)
        many = compare(relation, np.full(2, x), p, np.full(2, y), np.full(2, q))
        assert [tuple(found) for found in zip(*many, strict=True)] == 2 * [compare(relation, x, p, y, q)]


def test_a_margin_that_rounding_made_larger_than_the_radius_is_undecided() -> None:
    """1 - 2^-54 rounds to 1, which is no proof that 2^-54 <= 1 by more than a radius just below 1."""
    radius = math.nextafter(1.0, 0.0)
    assert compare("<=", 2.0**-54, radius, 1.0, 0.0) == (False, False)


def test_agreement_needs_a_narrow_radius() -> None:
    assert agree(1e-9, 1e-8, 1.0, 1e-6) == (True, False)
    assert agree(1e-9, 1e-3, 1.0, 1e-6) == (False, False)
    assert agree(1e-9, 1e-10, 1.0, 1e-6) == (False, True)


def test_slack() -> None:
    assert slack(0.0, 0.0) == math.inf
    assert slack(math.inf, math.inf) == 1.0
    assert slack(2.0, 3.0) == 1.5


# -- numbers ----------------------------------------------------------------------------------------------------------

THIRD = Fraction(1, 3)
NUMBERS = {
    "float": (1.0, 2.0),
    "int": (1, 2),
    "int that no float holds": (2**53, 2**53 + 1),
    "integers that no float holds": (np.array([2**53]), np.array([2**53 + 1])),
    "fraction": (Fraction(float(THIRD)), THIRD),
    "decimal": (Decimal("0.125"), Decimal("0.15")),
    "numpy": (np.float32(1), np.int64(2)),
    "long double": (np.longdouble(1), np.nextafter(np.longdouble(1), np.longdouble(2))),
    "mpf": (mpmath.mpf(1), mpmath.mpf(2)),
    "mpf and float": (mpmath.mpf(2) ** -2000, 5e-324),
    "ball": (arb(1), arb(2, 0.5)),
    "ball and Estimate": (arb(1), Estimate(2.0, 0.5)),
    "array": (np.array([1.0, 2.0]), np.array([1.5, 2.5])),
    "broadcast": (np.ones((3, 1)), np.full(4, 2.0)),
    "list of several kinds": ([1, mpmath.mpf(1), Estimate(1.0), arb(1)], [2.0, 2, Estimate(2.0, 0.1), THIRD * 9]),
    "matrix": (mpmath.matrix([[1, 2]]), mpmath.matrix([[3, 3]])),
    "huge": (-1.7e308, 1.7e308),
    "tiny": (0.0, 5e-324),
    "beyond float64": (1, 10**400),
    "infinite": (1e308, math.inf),
    "minus infinity": (-math.inf, math.inf),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_kinds_of_numbers(name: str) -> None:
    small, large = NUMBERS[name]
    for relation in ("<=", "<"):
        assert verdict(small, relation, large) == "HOLDS"
        assert verdict(large, SWAPPED[relation], small) == "HOLDS"
        assert verdict(large, relation, small) == "VIOLATED"
    assert verdict(small, "==", large) == "VIOLATED"
    assert verdict(small, "<=", small) == "HOLDS"


def test_equal_numbers() -> None:
    for x in (0.0, 1.0, math.inf, -math.inf, mpmath.inf, THIRD * 6):
        for relation, expected in {"<=": "HOLDS", ">=": "HOLDS", "==": "HOLDS", "<": "VIOLATED"}.items():
            assert verdict(x, relation, x) == expected, (x, relation)
    assert verdict(math.inf, "==", 1.0) == verdict(math.inf, "<=", 1.0) == "VIOLATED"


def test_radii_decide() -> None:
    near = Estimate(1.0, 1e-12)
    assert verdict(near, "<=", 1 + 1e-11) == "HOLDS"
    assert verdict(near, "<=", 1 - 1e-11) == "VIOLATED"
    assert verdict(near, "<=", 1 + 1e-13) == verdict(near, "<=", 1 - 1e-13) == "UNDECIDED"
    assert verdict(1.0, "<=", 1 - 1e-13, radius=1e-12) == "UNDECIDED"
    assert verdict(np.ones(2), "<=", np.zeros(2), radius=[2.0, 0.5]) == "VIOLATED"
    assert verdict(Estimate(math.inf, math.inf), "<=", 1.0) == verdict(arb("0 +/- inf"), "<=", 1.0) == "UNDECIDED"
    assert verdict(near, "==", 1.0) == "HOLDS"
    assert verdict(Estimate(1.0, 1e-3), "==", 1.0) == "UNDECIDED"  # a wide radius agrees with anything
    assert verdict(near, "==", 1.001) == "VIOLATED"
    assert verdict(arb(1, 1e-30), "<", mpmath.mpf(1) + mpmath.mpf(2) ** -52) == "HOLDS"


def test_the_entry_that_is_worst_off_is_told() -> None:
    left, right = np.array([[1.0, 5.0], [9.0, 3.0]]), np.array([[2.0, 4.0], [3.0, 3.0]])
    with pytest.raises(AssertionError) as caught:
        assert_bound(left, "<=", right, label="the bound", radius=0.5)
    assert str(caught.value).splitlines() == [
        "the bound: lhs <= rhs is VIOLATED at [1, 0] (2 of 4 entries)",
        "  lhs  9.0",
        "  rhs  3.0",
        "  gap  -6.0 +- 0.5 (rhs - lhs)",
        "  not confirmed: neither side is a function that more digits could be asked of",
    ]
    found = assert_bound(right, ">=", np.ones((2, 2)))
    assert (found.entry, found.gap.value, found.total) == ((0, 0), 1.0, 4)


BAD = {
    "nan": (math.nan, 1.0, {}, "lhs: got nan"),
    "nan in an array": (1.0, np.array([1.0, math.nan]), {}, "rhs: got an array .* not NaN"),
    "nan of mpmath": (mpmath.nan, 1.0, {}, "lhs: .*not NaN"),
    "nan of a ball": (arb("nan"), 1.0, {}, "lhs: .*not NaN"),
    "nan of a function": (lambda digits: math.nan, 1.0, {}, r"lhs\(16\): .*not NaN"),
    "string": ("1", 1.0, {}, "lhs: .*a real number"),
    "none": (1.0, None, {}, "rhs: .*a real number"),
    "boolean": (True, 1.0, {}, "lhs: .*a real number"),
    "booleans": (np.array([True]), 1.0, {}, "lhs: .*a real number"),
    "complex": (1j, 1.0, {}, "lhs: .*a real number"),
    "empty": (np.zeros(0), 1.0, {}, "at least one entry"),
    "ragged": ([[1.0], [1.0, 2.0]], 1.0, {}, "lhs: .*a real number|lhs: .*inhomogeneous"),
    "shapes": (np.ones(2), np.ones(3), {}, r"rhs: got shape \(3,\); expected a shape that fits lhs, \(2,\)"),
    "radius": (1.0, 1.0, {"radius": -1.0}, "radius: .*>= 0"),
    "radius nan": (1.0, 1.0, {"radius": math.nan}, "radius: .*>= 0"),
    "policy": (1.0, 1.0, {"undecided": "pas"}, "undecided: .*did you mean 'pass'"),
    "digits": (1.0, 1.0, {"digits": 16}, "digits: .*at least 30"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_named(name: str) -> None:
    lhs, rhs, options, expected = BAD[name]
    with pytest.raises(InputError, match=expected):
        assert_bound(lhs, "<=", rhs, **options)


def test_a_wrong_relation_is_named() -> None:
    with pytest.raises(InputError, match="relation: got '=<'; expected one of <=, <"):
        assert_bound(1, "=<", 1)


# -- more digits ------------------------------------------------------------------------------------------------------


def square_of_root(digits: int) -> Any:
    """The square of the root of 2, which float64 (correctly rounded, as IEEE 754 has it) puts above 2."""
    root = math.sqrt(2) if digits <= 16 else mpmath.sqrt(2)
    return root * root


def test_a_function_is_asked_again_only_where_there_is_a_doubt() -> None:
    asked: list[int] = []

    def side(digits: int) -> Any:
        asked.append(digits)
        return math.sqrt(2) if digits <= 16 else mpmath.sqrt(2)

    assert assert_bound(side, "<=", 1.5).digits == 16
    assert asked == [16]
    found = assert_bound(side, "<=", mpmath.mpf("1.41421356237309504880168872420969807856967187537695"))
    assert (found.verdict, found.digits, found.confirmed, asked[1:]) == ("HOLDS", 60, True, [16, 60])
    assert mpmath.mp.dps == 15


def test_a_violation_by_rounding_alone_is_none() -> None:
    assert square_of_root(16) > 2
    assert verdict(square_of_root(16), "<=", 2) == "VIOLATED"
    assert verdict(square_of_root, "<=", 2) == "UNDECIDED"
    assert verdict(square_of_root, "==", 2) == "HOLDS"


def test_a_violation_that_float64_cannot_see_is_confirmed() -> None:
    def side(digits: int) -> Any:
        return 1.0 if digits <= 16 else 1 + mpmath.mpf(10) ** -20

    with pytest.raises(AssertionError, match=r"VIOLATED.*\n.*\n.*\n.*\n  confirmed with 60 digits"):
        assert_bound(side, "<=", 1)
    with pytest.raises(AssertionError, match="not clear, even with 40 digits"):
        assert_bound(side, "<=", 1, digits=40)


def test_functions_may_return_balls_and_have_the_precision_set() -> None:
    def pi(digits: int) -> Any:
        assert digits == 16 or mpmath.mp.dps == digits
        return arb.pi()

    below = mpmath.mpf("3.14159265358979323846264338327950288")
    assert assert_bound(pi, ">", below, digits=40).digits == 40
    assert assert_bound([1.0], "<", lambda digits: np.array([2.0])).digits == 16


def test_a_function_that_has_no_more_digits_is_refused() -> None:
    with pytest.raises(InputError, match=r"rhs\(60\): got 1.0; expected a number that can hold so many digits"):
        assert_bound(1.0, "<", lambda digits: 1.0)
    assert verdict(lambda digits: 0.0, "<=", lambda digits: 0.0) == "HOLDS"  # zeros are zeros


# -- Hypothesis -------------------------------------------------------------------------------------------------------

quiet = settings(database=None, deadline=None, max_examples=100, derandomize=True)


def test_outside_hypothesis_an_undecided_bound_fails_unless_it_may_pass() -> None:
    for policy in ("reject", "fail"):
        with pytest.raises(AssertionError, match=r"UNDECIDED\n(.*\n)*  the radius leaves it open"):
            assert_bound(Estimate(1.0, 0.1), "<=", 1.0, undecided=policy)  # type: ignore[arg-type]


def test_an_undecided_example_counts_neither_way() -> None:
    counted: list[bool] = []

    @quiet
    @given(st.booleans())
    def half(clear: bool) -> None:
        assert_bound(Estimate(1.0, 0.0 if clear else 1.0), "<", 1.5)
        counted.append(clear)

    half()
    assert counted
    assert all(counted)

    @quiet
    @given(st.integers())
    def never(x: int) -> None:
        assert_bound(Estimate(float(x % 8), math.inf), "<=", 1e9)

    with pytest.raises((Unsatisfiable, hypothesis.errors.FailedHealthCheck)):
        never()


def test_hypothesis_finds_and_shrinks_a_false_bound() -> None:
    @quiet
    @given(st.lists(st.integers(-100, 100), min_size=1))
    def absolute_sum(numbers: list[int]) -> None:
        assert_bound(abs(sum(numbers)), "==", sum(map(abs, numbers)))

    with pytest.raises(AssertionError, match="==") as caught:
        absolute_sum()
    assert any("numbers=[1, -1]" in note or "numbers=[-1, 1]" in note for note in caught.value.__notes__)


def test_hypothesis_is_told_how_near_an_example_came(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[float, str]] = []
    plain = hypothesis.target

    def target(observation: float, *, label: str) -> Any:
        out = plain(observation, label=label)
        told.append((observation, label))
        return out

    monkeypatch.setattr(hypothesis, "target", target)

    @settings(quiet, max_examples=1, phases=[Phase.generate])
    @given(st.just(3.0))
    def test(x: float) -> None:
        for _ in range(10):
            assert_bound(x, "<=", 4.0, label="mine")
        assert_bound([x, 1e308, 0.0], "<=", [math.inf, math.inf, 0.0], label="infinite")
        assert_bound(mpmath.mpf(10) ** 500, ">", 1.0, label="beyond float64")
        assert_bound(x, "<=", 4.0, label=None)

    test()
    assert told[:2] == [(-0.25, "mine"), (-0.25, "mine (2)")]
    assert len([1 for _, label in told if label.startswith("mine")]) == 8
    assert told[8:] == [(0.0, "infinite"), (-2.0, "beyond float64")]
    told.clear()
    assert_bound(3.0, "<=", 4.0)
    assert told == []


def test_the_target_leads_the_search_to_a_rare_violation() -> None:
    """A bound that fails at one point in 10^8: found because the search climbs, not met by chance."""

    def attempts(label: str | None) -> bool:
        @settings(quiet, max_examples=1000, phases=[Phase.generate, Phase.target])
        @given(st.integers(0, 10**4), st.integers(0, 10**4))
        def test(a: int, b: int) -> None:
            distance = abs(a - 7019) + abs(b - 3301)
            assert_bound(1e5 - distance, "<", 1e5, label=label)

        try:
            test()
        except AssertionError:
            return True
        return False

    assert attempts("climb")
    assert not attempts(None)


# -- cost -------------------------------------------------------------------------------------------------------------


def test_importing_it_is_light() -> None:
    code = (
        "import sys, jacspec.testing as t\n"
        "t.assert_bound([1.0, 2.0], '<=', 3.0)\n"
        "heavy = {'scipy', 'numba', 'flint', 'mpmath', 'hypothesis', 'verification'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_the_line_that_asserts_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "test_mine.py"
    path.write_text("from jacspec.testing import assert_bound\n\ndef test():\n    assert_bound(2, '<', 1)\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)],
        capture_output=True, text=True, cwd=tmp_path, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1
    assert re.search(r">\s+assert_bound\(2, '<', 1\)\nE\s+AssertionError: bound: lhs < rhs is VIOLATED", done.stdout)
