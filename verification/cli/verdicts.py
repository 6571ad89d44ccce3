"""How verdicts look, and what is told of one instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .common import console, write_json

if TYPE_CHECKING:
    from verification.claim import Record

__all__ = ["exit_code_of", "painted", "show_records"]

_STYLES = {
    "HOLDS": "green",
    "SUPPORTED": "green",
    "VIOLATED": "bold red",
    "REFUTED": "bold red",
    "UNDECIDED": "yellow",
    "VACUOUS": "dim",
    "MEASURED": "cyan",
}


def painted(verdict: str) -> str:
    """A verdict in its colour, as rich reads it."""
    return f"[{_STYLES[verdict]}]{verdict}[/{_STYLES[verdict]}]"


def exit_code_of(verdicts: Iterable[str]) -> int:
    """1 when something is violated, 5 when nothing was decided, else 0."""
    found = set(verdicts)
    return 1 if "VIOLATED" in found else 0 if "HOLDS" in found else 5


def show_records(
    name: str,
    records: Mapping[str, Record],
    instance: Mapping[str, Any],
    *,
    as_json: bool,
    output: str | None,
    no_color: bool,
) -> int:
    """Both sides of each form of a claim on one instance; returns the exit code.

    Parameters
    ----------
    name : str
        Of the claim.
    records : mapping
        By form.
    instance : mapping
        What the JSON says of the instance: its spec, or the file that it is in.
    """
    if as_json:
        rows = [
            {"variant": r.variant, "verdict": r.verdict.value, "left": r.left, "right": r.right, "reason": r.reason}
            for r in records.values()
        ]
        write_json({"schema": "jacspec.instance/1", "id": name, **instance, "records": rows}, output)
    else:
        from rich.markup import escape

        with console(output, no_color) as out:
            for r in records.values():
                out.print(f"{name} ({r.variant}): {painted(r.verdict.value)} {escape(r.reason)}")
                if r.left is not None:
                    out.print(f"  left  {r.left!r}\n  right {r.right!r}\n  slack {r.slack!r}", markup=False)
    return exit_code_of(r.verdict.value for r in records.values())
