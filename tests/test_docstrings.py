"""Docstrings of the public names: numpydoc's own checks, examples, and a Raises section where something raises."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest

import jacspec

NAMES = sorted(set(jacspec.__all__) - {"__version__"})
#: Checks of numpydoc that are not asked for. ES01, SA01: longer than it needs to be. PR07, RT03: a parameter X of
#: type "(n, d) float64" says all there is to say. PR08, PR09, RT02, RT04, SS02: shapes and formulas come first.
WAIVED = {"ES01", "SA01", "PR07", "PR08", "PR09", "RT02", "RT03", "RT04", "SS02"}
#: Values that functions return and exceptions: their examples are those of the functions.
WITHOUT_EXAMPLES = {
    "Batch",
    "CapacityError",
    "Certificate",
    "Checkpoint",
    "Constants",
    "Covariance",
    "DataSpectrum",
    "Guarantee",
    "HermiteExpansion",
    "InputError",
    "Trajectory",
}


@pytest.mark.parametrize("name", NAMES)
def test_numpydoc_accepts_it(name: str) -> None:
    validate = pytest.importorskip("numpydoc.validate").validate
    waived = WAIVED | ({"EX01"} if name in WITHOUT_EXAMPLES else set())
    errors = [f"{code}: {text}" for code, text in validate(f"jacspec.{name}")["errors"] if code not in waived]
    assert not errors, "\n".join(errors)


@pytest.mark.parametrize("name", sorted(set(NAMES) - WITHOUT_EXAMPLES))
def test_it_has_an_example(name: str) -> None:
    """That runs: doctests are collected with the other tests."""
    doc = inspect.getdoc(getattr(jacspec, name)) or ""
    assert ">>> " in doc.partition("Examples\n--------\n")[2]


def checks_arguments(source: str) -> bool:
    tree = ast.parse(textwrap.dedent(source))
    calls = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return any(call.startswith("check_") or call in ("InputError", "CapacityError") for call in calls)


def public_functions() -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name in NAMES:
        value = getattr(jacspec, name)
        if inspect.isfunction(value):
            found.append((name, value))
        elif inspect.isclass(value) and value.__module__.startswith("jacspec"):
            members = inspect.getmembers(value, lambda m: inspect.isfunction(m) or inspect.ismethod(m))
            found += [(f"{name}.{n}", m) for n, m in members if not n.startswith("_") and n in vars(value)]
    return found


@pytest.mark.parametrize(("name", "function"), public_functions(), ids=[name for name, _ in public_functions()])
def test_what_raises_says_so(name: str, function: object) -> None:
    doc = inspect.getdoc(function) or ""
    assert doc, f"{name} has no docstring"
    if checks_arguments(inspect.getsource(function)):  # type: ignore[arg-type]
        assert "Raises\n------\n" in doc
