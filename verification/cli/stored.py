"""Sections of a report from what commands stored: each holds what its command prints, and the picture that it draws."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jacspec import InputError
from verification.report import Drawing, Listing, Paragraph, Section

if TYPE_CHECKING:
    from jacspec import Guarantee

__all__ = ["Recorder", "certificate_section", "run_section"]

Say = Callable[[str], None]


class Recorder(Console):
    """A console that keeps what commands print, as blocks of a report: no number is formatted a second time."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), no_color=True)
        self.blocks: list[Paragraph | Listing | Drawing] = []
        self._begun = ""

    def print(self, *objects: Any, **options: Any) -> None:
        """Keep tables and lines, without their markup."""
        for found in objects:
            if isinstance(found, Table):
                self.blocks.append(_listing(found))
                continue
            line = str(found) if options.get("markup") is False else _plain(str(found))
            self._begun += line
            if options.get("end", "\n") == "\n":
                self.blocks += [Paragraph(text) for text in self._begun.split("\n") if text.strip()]
                self._begun = ""


def _plain(text: str) -> str:
    return Text.from_markup(text).plain


def _listing(found: Table) -> Listing:
    """A table's cells as they would be printed."""
    columns = [[_plain(str(cell)) for cell in column.cells] for column in found.columns]
    header = tuple(_plain(str(column.header)) for column in found.columns) if found.show_header else ()
    right = tuple(column.justify == "right" for column in found.columns)
    return Listing(header, tuple(zip(*columns, strict=True)), right)


def run_section(path: str, say: Say) -> Section:
    """A trajectory against its bounds, as `jacspec train` shows it.

    Parameters
    ----------
    path : str
        What ``jacspec train --save`` wrote. It holds the data, of which the promises are computed.
    say : callable
        Told of each stage.

    Returns
    -------
    Section

    Raises
    ------
    InputError
        If the file is not such a file.
    """
    from jacspec import Trajectory, data_constants, load
    from jacspec.guarantees import check_label_size, guarantees
    from verification.plots import render, trajectory_figure

    from .train import _print, _title

    say(f"reading {path}")
    try:
        run = Trajectory.load(path)
    except InputError as error:
        raise InputError("--run", repr(path), error.expected) from None
    out = Recorder()
    data = replace(load(run.X, normalize=True, labels=run.y), source=path)
    promised: tuple[Guarantee, ...] = ()
    silent = ""
    try:
        data = replace(load(run.X, labels=run.y), source=path)
        check_label_size("labels", run.y)
    except InputError as error:
        silent = f"No bound is computed: {error}"
    if not silent:
        constants = data_constants(data, [run.start.activation], y=run.y, seed=run.seed, progress=say)
        promised = guarantees(run, constants)
    say("drawing")
    title = _title(run, data, run.seed)
    svg = render(trajectory_figure(run, promised, title), "svg")
    words = (
        f"{title}. Relative residual, path and distance along {run.step} steps, each against what theorems promise; "
        "the numbers are in the table below."
    )
    out.blocks.append(Drawing(svg, words))
    _print(out, run, promised, data, False)
    if silent:
        out.print(silent, markup=False)
    out.print(f"SHA-256 of X: {data.sha256}", markup=False)
    return Section(f"Training run {path}", tuple(out.blocks))


def certificate_section(path: str, say: Say) -> Section:
    """A certificate as `jacspec certify` shows it, and what ``certify --check`` says of it now.

    Parameters
    ----------
    path : str
        What ``jacspec certify --save`` wrote.
    say : callable
        Told of each stage.

    Returns
    -------
    Section
        Of the check it gives no time: the page is the same for the same certificate.

    Raises
    ------
    InputError
        If the file is not an undamaged certificate.
    """
    from jacspec.certificates import Certificate
    from verification.recheck import recheck

    from .certify import _print, _print_finding

    say(f"reading {path}")
    try:
        found = Certificate.load(path)
    except InputError as error:
        raise InputError("--certificate", repr(path), error.expected) from None
    say(f"checking {path} in ball arithmetic")
    finding = recheck(path)
    out = Recorder()
    _print(out, found)
    out.print("Checked again for this page, by other code, in ball arithmetic:")
    _print_finding(out, finding)
    return Section(f"Certificate {path}", tuple(out.blocks))
