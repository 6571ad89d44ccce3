"""Options, output and progress that every command shares."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jacspec import InputError
from jacspec._files import atomic

from . import completion

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])


def output_options(command: F) -> F:
    """--seed, --json, --quiet, --output, --no-color."""
    for option in reversed(
        [
            click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random."),
            click.option("--json", "as_json", is_flag=True, help="JSON, and nothing else, on standard output."),
            click.option("-q", "--quiet", is_flag=True, help="No progress and no hints."),
            click.option(
                "-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write to FILE instead."
            ),
            click.option("--no-color", is_flag=True, help="Plain text."),
        ]
    ):
        command = option(command)
    return command


def data_options(command: F) -> F:
    """--normalize, --rows, --labels, --drop-repeated."""
    for option in reversed(
        [
            click.option("--normalize", is_flag=True, help="Divide each row by its norm."),
            click.option("--rows", metavar="A:B", help="Take rows A to B-1 only."),
            click.option(
                "--labels",
                shell_complete=completion.labels,
                metavar="LABELS",
                help="A file, signs:seed=0 or normal:seed=0.",
            ),
            click.option("--drop-repeated", is_flag=True, help="Keep one of each set of rows equal up to scale."),
        ]
    ):
        command = option(command)
    return command


@contextmanager
def console(output: str | None, no_color: bool) -> Iterator[Console]:
    """A rich console on standard output, or on a file that appears whole or not at all."""
    from rich.console import Console

    if output is None:
        # Never below 80 columns: rich would crop numbers to fit, and a cropped number is a wrong one. Piped: 100.
        # Plain text is wanted by --no-color and NO_COLOR: rich alone would still print bold.
        plain = no_color or bool(os.environ.get("NO_COLOR"))
        made = Console(color_system=None if plain else "auto", highlight=False, soft_wrap=False)
        piped = not made.is_terminal and "COLUMNS" not in os.environ
        made.width = 100 if piped else max(80, made.width)
        yield made
        return
    with atomic(output, argument="--output") as handle:
        yield Console(file=handle, no_color=True, highlight=False, width=100)


def check_output(path: str | None, option: str = "--output") -> None:
    """Refuse an output file that cannot be written before any work is done."""
    if path is None:
        return
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK) or os.path.isdir(path):
        raise InputError(option, repr(path), "a file in a folder that exists and can be written")


def write_json(document: dict[str, Any], output: str | None) -> None:
    """One JSON document; infinities are strings already, and NaN never happens."""
    text = json.dumps(document, indent=2, allow_nan=False)
    if output is None:
        click.echo(text)
    else:
        with atomic(output, argument="--output") as handle:
            handle.write(text + "\n")


@contextmanager
def stages(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show the running stage with the time it takes, on a terminal only; silent otherwise."""
    if quiet or not sys.stderr.isatty():
        yield lambda stage: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)
        yield lambda stage: progress.update(task, description=stage)


@contextmanager
def progress_bar(total: int, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A bar with the time left, on a terminal only; call what it yields once for each item done."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, advance=1, description=done)


def same_data(data: str, options: dict[str, Any]) -> str:
    """The words that give another command the same data and activations."""
    words = [data]
    words += ["--normalize"] * options["normalize"] + ["--drop-repeated"] * options["drop_repeated"]
    for flag in ("rows", "labels"):
        words += [f"--{flag}", options[flag]] if options[flag] else []
    for name in options["names"]:
        words += ["-a", name]
    return shlex.join(words)
