"""Argument checks: what passes comes back in kernel form, what does not is named with its value."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jacspec import _checks
from jacspec._checks import (
    UNIT_ROW_TOLERANCE,
    CapacityError,
    InputError,
    available_memory,
    check_choice,
    check_even_width,
    check_int,
    check_matrix,
    check_memory,
    check_real,
    check_same_rows,
    check_seed,
    check_unit_rows,
    check_vector,
    readable_bytes,
    suggestion,
)


class _Index:
    def __index__(self) -> int:
        return 7


class _Hostile:
    def __repr__(self) -> str:
        return "line\n" * 100


ROWS = np.eye(3)

BAD_CALLS: list[tuple[Callable[[], Any], str, tuple[str, ...]]] = [
    (lambda: check_int("k", 2.0), "k", ("2.0", "an integer")),
    (lambda: check_int("k", "three"), "k", ("three", "an integer")),
    (lambda: check_int("k", True), "k", ("True", "an integer")),
    (lambda: check_int("k", np.True_), "k", ("an integer",)),
    (lambda: check_int("k", None), "k", ("None",)),
    (lambda: check_int("k", 0, minimum=1), "k", ("0", "at least 1")),
    (lambda: check_int("k", 9, minimum=1, maximum=8), "k", ("9", "at least 1 and at most 8")),
    (lambda: check_int("k", math.nan), "k", ("nan",)),
    (lambda: check_real("x", math.nan), "x", ("nan", "a finite number")),
    (lambda: check_real("x", math.inf), "x", ("inf", "finite")),
    (lambda: check_real("x", -math.inf, at_most=0), "x", ("-inf",)),
    (lambda: check_real("x", "one"), "x", ("one",)),
    (lambda: check_real("x", b"1"), "x", ("finite number",)),
    (lambda: check_real("x", True), "x", ("True",)),
    (lambda: check_real("x", 1j), "x", ("1j",)),
    (lambda: check_real("x", None), "x", ("None",)),
    (lambda: check_real("x", [1.0, 2.0]), "x", ("[1.0, 2.0]",)),
    (lambda: check_real("x", 10**400), "x", ("finite number",)),
    (lambda: check_real("x", 0.0, above=0), "x", ("> 0",)),
    (lambda: check_real("x", 1.0, below=1), "x", ("< 1",)),
    (lambda: check_real("x", -0.1, at_least=0), "x", (">= 0",)),
    (lambda: check_real("x", 1.1, above=0, at_most=1), "x", ("> 0 and <= 1",)),
    (lambda: check_seed("seed", -1), "seed", ("-1", "at least 0")),
    (lambda: check_seed("seed", 2**64), "seed", (str(2**64),)),
    (lambda: check_seed("seed", 1.5), "seed", ("1.5",)),
    (lambda: check_choice("layer", "hiden", ["hidden", "output"]), "layer", ("'hiden'", "did you mean 'hidden'?")),
    (lambda: check_choice("layer", 3, ["hidden", "output"]), "layer", ("3", "one of hidden, output")),
    (lambda: check_choice("layer", "zzzz", ["hidden", "output"]), "layer", ("one of hidden, output",)),
    (lambda: check_matrix("X", [1.0, 2.0]), "X", ("shape (2,)", "2-D")),
    (lambda: check_matrix("X", [[1.0], [2.0, 3.0]]), "X", ("ragged",)),
    (lambda: check_matrix("X", [["a"]]), "X", ("dtype", "real numbers")),
    (lambda: check_matrix("X", [[1j]]), "X", ("complex128",)),
    (lambda: check_matrix("X", [[None]]), "X", ("object",)),
    (lambda: check_matrix("X", np.empty((0, 3))), "X", ("(0, 3)", "not empty")),
    (lambda: check_matrix("X", np.empty((3, 0))), "X", ("(3, 0)", "not empty")),
    (lambda: check_matrix("X", [[1.0, math.nan]]), "X", ("nan at index (0, 1)", "finite")),
    (lambda: check_matrix("X", [[1.0], [-math.inf]]), "X", ("-inf at index (1, 0)",)),
    (lambda: check_matrix("X", np.array([[1e300]], dtype=np.longdouble) * 1e300), "X", ("inf",)),
    (lambda: check_matrix("X", ROWS, columns=2), "X", ("(3, 3)", "2 columns")),
    (lambda: check_vector("y", ROWS), "y", ("(3, 3)", "1-D")),
    (lambda: check_vector("y", 3.0), "y", ("1-D",)),
    (lambda: check_vector("y", []), "y", ("not empty",)),
    (lambda: check_vector("y", [0.0, math.nan]), "y", ("nan at index 1",)),
    (lambda: check_vector("y", [1.0], length=2), "y", ("2 entries",)),
    (lambda: check_same_rows("X", ROWS, "y", np.ones(2)), "y", ("as many rows as X, which has 3",)),
    (lambda: check_unit_rows("X", ROWS * 1.001), "X", ("row 0", "1.001", "normalize")),
    (lambda: check_unit_rows("X", np.array([[1.0, 0.0], [1e200, 0.0]])), "X", ("row 1 of norm 1e+200",)),
    (lambda: check_unit_rows("X", np.zeros((1, 2))), "X", ("row 0 of norm 0",)),
    (lambda: check_unit_rows("X", np.full((1, 20_000), 1.0)), "X", ("141.421",)),
    (lambda: check_even_width("k", 3), "k", ("3", "even")),
    (lambda: check_even_width("k", 0), "k", ("at least 2",)),
    (lambda: check_even_width("k", 4.0), "k", ("an integer",)),
]


@pytest.mark.parametrize("call, argument, parts", BAD_CALLS)
def test_bad_arguments(call: Callable[[], Any], argument: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        call()
    error = caught.value
    text = str(error)
    assert isinstance(error, ValueError)
    assert error.argument == argument
    assert text.startswith(f"{argument}: got ")
    assert "; expected " in text
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_messages_are_short() -> None:
    for value in ("'" + "a" * 1000, _Hostile(), list(range(1000))):
        with pytest.raises(InputError) as caught:
            check_int("k", value)
        assert "\n" not in str(caught.value)
    error = InputError("X", np.zeros((200, 300), dtype=np.float32), "less")
    assert str(error) == "X: got an array of shape (200, 300) and dtype float32; expected less"


def test_integers() -> None:
    for value in (3, np.int64(3), np.uint8(3), np.array(3)):
        result = check_int("k", value)
        assert result == 3
        assert type(result) is int
    assert check_int("k", _Index()) == 7
    assert check_int("k", 1, minimum=1, maximum=1) == 1
    assert check_int("k", 10**30) == 10**30
    assert check_seed("seed", 0) == 0
    assert check_seed("seed", 2**64 - 1) == 2**64 - 1
    assert check_even_width("k", np.int32(6)) == 6


def test_reals() -> None:
    for value in (2, 2.0, np.float32(2), np.int8(2), Fraction(4, 2), np.array(2.0)):
        result = check_real("x", value)
        assert result == 2.0
        assert type(result) is float
    assert check_real("x", 0.0, at_least=0, at_most=0) == 0.0
    assert check_real("x", 5e-324, above=0) == 5e-324
    assert check_real("x", 0.5, above=0, below=1) == 0.5


@given(value=st.floats(), low=st.floats(-2, 2), high=st.floats(-2, 2))
def test_real_intervals(value: float, low: float, high: float) -> None:
    for keywords, inside in (
        ({"above": low, "below": high}, low < value < high),
        ({"at_least": low, "at_most": high}, low <= value <= high),
    ):
        if inside:
            assert check_real("x", value, **keywords) == value
        else:
            with pytest.raises(InputError):
                check_real("x", value, **keywords)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int32, np.uint8, bool, np.longdouble, ">f8"])
def test_arrays_come_back_in_kernel_form(dtype: Any) -> None:
    X = np.array([[1, 0], [0, 1], [1, 1]], dtype=dtype)
    for given_array in (X, np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        out = check_matrix("X", given_array)
        assert out.dtype == np.float64
        assert out.dtype.isnative
        assert out.flags.c_contiguous
        np.testing.assert_array_equal(out, X.astype(np.float64))
    y = check_vector("y", X[:, 0], length=3)
    assert y.dtype == np.float64
    assert y.flags.c_contiguous


def test_arrays_are_copied_only_if_they_must_be() -> None:
    X = np.ones((3, 2))
    assert np.shares_memory(check_matrix("X", X), X)
    assert np.shares_memory(check_vector("y", X[0]), X)
    assert not np.shares_memory(check_matrix("X", X[:, ::-1]), X)
    assert check_matrix("X", [[1, 2], [3, 4]], columns=2).shape == (2, 2)
    check_same_rows("X", X, "y", np.ones(3))


def test_unit_rows() -> None:
    assert check_unit_rows("X", ROWS) == 0.0
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 7))
    X /= np.linalg.norm(X, axis=1)[:, None]
    defect = check_unit_rows("X", X)
    assert 0 < defect < 20 * 2.0**-53
    exact = max(abs(float(sum(Fraction(x) ** 2 for x in row) - 1)) for row in X.tolist())
    assert abs(defect - exact) <= 9 * 2.0**-53
    edge = np.array([[math.sqrt(1 + 0.9 * UNIT_ROW_TOLERANCE), 0.0]])
    assert abs(check_unit_rows("X", edge) - 0.9 * UNIT_ROW_TOLERANCE) < 1e-15
    with pytest.raises(InputError):
        check_unit_rows("X", np.array([[math.sqrt(1 + 1.1 * UNIT_ROW_TOLERANCE), 0.0]]))
    with pytest.raises(InputError):  # float32 data are not unit enough
        check_unit_rows("X", X.astype(np.float32).astype(np.float64))


def test_choice_and_suggestion() -> None:
    assert check_choice("m", "b", iter(["a", "b"])) == "b"
    assert suggestion("Tahn", ["tanh", "relu"]) == "; did you mean 'tanh'?"
    assert suggestion("zzzz", ["tanh", "relu"]) == ""
    assert suggestion("=<", ["<", "<="]) == "; did you mean '<='?"
    assert suggestion("rellu", ["lrelu", "relu"]) == "; did you mean 'relu'?"


@pytest.mark.parametrize(
    "count, text",
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (2**30, "1.0 GiB"),
        (3 * 2**39, "1.5 TiB"),
        (2**70, "1048576.0 PiB"),
    ],
)
def test_readable_bytes(count: int, text: str) -> None:
    assert readable_bytes(count) == text


def test_memory() -> None:
    check_memory("a matrix", 100, "use fewer rows", available=100)
    with pytest.raises(CapacityError) as caught:
        check_memory("a matrix", 3 * 2**30, "use fewer rows", available=2**30)
    assert str(caught.value) == "a matrix needs 3.0 GiB and 1.0 GiB are available; use fewer rows"
    assert isinstance(caught.value, MemoryError)
    with pytest.raises(CapacityError):
        check_memory("a matrix", 2**62, "use fewer rows")


def test_memory_where_the_system_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_memory() is None or available_memory() > 0

    def refuse(*args: Any, **keywords: Any) -> Any:
        raise OSError

    monkeypatch.setattr("builtins.open", refuse)
    assert available_memory() is None
    check_memory("a matrix", 2**62, "use fewer rows")


def test_everything_public_is_listed() -> None:
    for name in _checks.__all__:
        assert hasattr(_checks, name)


@pytest.mark.parametrize("value", ["'text'", np.zeros((300, 300)), lambda x: x, float("nan")])
def test_input_errors_cross_processes(value):
    error = InputError("X", value, "something else")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.argument) == (InputError, str(error), "X")
    assert len(pickle.dumps(error)) < 1000
