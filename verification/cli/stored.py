"""Sections of a report from what commands stored: each holds what its command prints, and the picture that it draws."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jacspec import InputError
from verification.report import Drawing, Listing, Paragraph, Section

if TYPE_CHECKING:
    from jacspec import Guarantee

    from .common import Reading

__all__ = ["Recorder", "certificate_section", "constants_section", "phase_section", "run_section"]

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


@contextmanager
def _named(option: str, path: str) -> Iterator[None]:
    """Errors of reading a file name the option that it was given by."""
    try:
        yield
    except InputError as error:
        raise InputError(option, repr(path), error.expected) from None


def constants_section(
    source: str,
    reading: Reading,
    names: Sequence[str],
    say: Say,
    *,
    rigorous: bool = False,
    digits: int | None = None,
) -> Section:
    """Every constant of a data set and of each activation, as `jacspec constants` shows them.

    Parameters
    ----------
    source : str
        A file or a spec.
    reading : Reading
    names : sequence of str
        Activations; empty for those of `jacspec constants`.
    say : callable
        Told of each stage.
    rigorous : bool
        Whether every constant is to be proved.
    digits : int or None
        Of mu_r, proved, in a list of its own.

    Returns
    -------
    Section

    Raises
    ------
    InputError
        If there is no such data or no such activation.
    """
    from jacspec import data_constants
    from jacspec.activations import activation
    from jacspec.constants import DEFAULT_ACTIVATIONS

    from .data import HERMITE, hermite_digits, print_constants, print_digits

    functions = [activation(name) for name in names or DEFAULT_ACTIVATIONS]
    say(f"reading {source}")
    data = reading.load(source)
    out = Recorder()
    found = data_constants(data, functions, rigorous=rigorous, progress=say)
    print_constants(out, found)
    print_digits(out, hermite_digits(found, HERMITE, digits), digits)
    out.print(f"SHA-256 of X: {data.sha256}", markup=False)
    return Section(f"Constants of {reading.same(source, ())}", tuple(out.blocks))


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

    from .train import print_run
    from .train import title as title_of

    say(f"reading {path}")
    with _named("--run", path):
        run = Trajectory.load(path)
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
    title = title_of(run, data, run.seed)
    svg = render(trajectory_figure(run, promised, title), "svg")
    words = (
        f"{title}. Relative residual, path and distance along {run.step} steps, each against what theorems promise; "
        "the numbers are in the table below."
    )
    out.blocks.append(Drawing(svg, words))
    print_run(out, run, promised, data, False)
    if silent:
        out.print(silent, markup=False)
    out.print(f"SHA-256 of X: {data.sha256}", markup=False)
    return Section(f"Training run {path}", tuple(out.blocks))


def certificate_section(path: str, say: Say) -> tuple[Section, bool]:
    """A certificate as `jacspec certify` shows it, and what ``certify --check`` says of it now: is it valid?

    Parameters
    ----------
    path : str
        What ``jacspec certify --save`` wrote.
    say : callable
        Told of each stage.

    Returns
    -------
    (Section, bool)
        Of the check it gives no time: the page is the same for the same certificate.

    Raises
    ------
    InputError
        If the file is not an undamaged certificate.
    """
    from jacspec.certificates import Certificate
    from verification.recheck import recheck

    from .certify import print_certificate, print_finding

    say(f"reading {path}")
    with _named("--certificate", path):
        found = Certificate.load(path)
    say(f"checking {path} in ball arithmetic")
    finding = recheck(path)
    out = Recorder()
    print_certificate(out, found)
    out.print("Checked again for this page, by other code, in ball arithmetic:")
    print_finding(out, finding)
    return Section(f"Certificate {path}", tuple(out.blocks)), finding.valid


def phase_section(path: str, say: Say) -> Section:
    """A phase diagram as `jacspec phase` shows it.

    Parameters
    ----------
    path : str
        What ``jacspec phase --store`` kept: it is only read.
    say : callable
        Told of each stage.

    Returns
    -------
    Section

    Raises
    ------
    InputError
        If the file is not a store, or holds no trials.
    """
    from verification.plots import phase_figure, render
    from verification.store import read_store
    from verification.sweep import Diagram, Plan
    from verification.sweep.sweep import Progress
    from verification.sweep.theorems import asked_widths

    from .phase import _print, _title

    say(f"reading {path}")
    with _named("--phase", path):
        config, rows = read_store(path)
    if not rows:
        raise InputError("--phase", repr(path), "a store that holds trials")
    plan = Plan.around(config, rows)
    diagram = Diagram.of(plan, rows)
    asked = () if config.data_sha256 else asked_widths(plan, say)
    say("drawing")
    title = " ".join(_title(diagram).split())
    out = Recorder()
    svg = render(phase_figure(diagram, asked, _title(diagram)), "svg")
    words = (
        f"{title}. The share of trials that are fitted, for {len(plan.n)} sizes n and {len(plan.k)} widths k, the line "
        "n = kd, and the widths that theorems ask for; where half of the trials are fitted is in the table below."
    )
    out.blocks.append(Drawing(svg, words))
    _print(out, diagram, asked, Progress(found=len(rows)), "")
    beyond = len(rows) - sum(cell.trials for cell in diagram.cells)
    if beyond:
        out.print(f"{beyond} trials of the store are left out: the sweep that they belong to did not come to its end.")
    if config.data_sha256:
        out.print(f"SHA-256 of the rows: {config.data_sha256} (without them there are no widths of theorems)")
    return Section(f"Phase diagram {path}", tuple(out.blocks))
