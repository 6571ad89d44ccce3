"""Options, output and progress that every command shares."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial, wraps
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from jacspec import InputError
from jacspec._files import atomic

from . import completion

if TYPE_CHECKING:
    from rich.console import Console

    from jacspec.data import Dataset

F = TypeVar("F", bound=Callable[..., Any])


# -- files that are written -----------------------------------------------------------------------------------------


class Written(click.Path):
    """The type of every option that names a file to be written.

    Parameters
    ----------
    *endings : str
        What its name must end in, without the dot; any name will do without them.
    """

    def __init__(self, *endings: str) -> None:
        super().__init__(dir_okay=False)
        self.endings = endings

    def check(self, option: str, path: str) -> None:
        """Refuse a file that cannot be written."""
        endings = tuple(f".{end}" for end in self.endings)
        if endings and not path.endswith(endings):
            raise InputError(option, repr(path), f"a file that ends in {' or '.join(endings)}")
        check_output(path, option)
        if path.endswith(".parquet") and find_spec("pyarrow") is None:
            raise InputError(option, repr(path), "pyarrow: pip install 'jacspec[parquet]'")


class Figure(Written):
    """The type of an option that names a figure."""

    def check(self, option: str, path: str) -> None:
        """Refuse a file that cannot be written, or of a format that cannot be drawn."""
        from verification.plots.style import need_format

        need_format(path, option)
        super().check(option, path)


def check_output(path: str, option: str = "--output") -> None:
    """Refuse a file that cannot be written."""
    target = os.path.realpath(path)
    # A terminal, a pipe or /dev/null is written to; a file, and where none is, is replaced in its folder.
    is_device = os.path.exists(path) and not os.path.isfile(path)
    folder = os.path.dirname(target)
    possible = os.access(path, os.W_OK) if is_device else os.path.isdir(folder) and os.access(folder, os.W_OK)
    if os.path.isdir(path) or not possible:
        raise InputError(option, repr(path), "a file in a folder that exists and can be written")


class Command(click.Command):
    """A command that does no work before it is sure that what it finds can be written, and overwrites nothing else."""

    def invoke(self, ctx: click.Context) -> Any:
        """Check every option of type `Written`, then run."""
        given = [(p, text) for p in self.params for text in _texts(ctx.params.get(p.name or ""))]
        read = [(p, text.partition("::")[0]) for p, text in given if not isinstance(p.type, Written)]
        taken = {os.path.realpath(path): f"{_shown(p)}, which is read" for p, path in read if os.path.isfile(path)}
        for parameter, path in given:
            if isinstance(parameter.type, Written):
                parameter.type.check(_shown(parameter), path)
                target = os.path.realpath(path)
                if target in taken:
                    raise InputError(_shown(parameter), repr(path), f"another file than that of {taken[target]}")
                if os.path.isfile(target) or not os.path.exists(target):
                    taken[target] = _shown(parameter)
        return super().invoke(ctx)


#: Makes a `Command`: the decorator of every command.
command = partial(click.command, cls=Command)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _texts(part)


def _shown(parameter: click.Parameter) -> str:
    return parameter.opts[-1] if isinstance(parameter, click.Option) else (parameter.name or "").upper()


class Files:
    """What is written beside the results: where that fails after the work is done, the results are shown first."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._failed: Exception | None = None

    def say(self, path: str | None, done: str) -> None:
        """`done` is said of a file that is there already, if one was wanted."""
        if path is not None:
            self._done.append(f"{done} {path}.")

    def write(self, path: str | None, option: str, done: str, write: Callable[[str], None]) -> None:
        """Have a file written, if one is wanted; `done` is what is said of it, as in "Saved to run.npz."."""
        if path is None:
            return
        try:
            write(path)
        except (InputError, OSError) as error:
            self._failed = self._failed or _unwritten(option, path, error)
        except Exception as error:  # of the program itself: it is raised as well, once the results are out
            self._failed = self._failed or error
        else:
            self.say(path, done)

    def print(self, out: Console) -> None:
        """A line for each file."""
        for line in self._done:
            out.print(line, markup=False, soft_wrap=True)

    def settle(self) -> None:
        """Raise what kept a file from being written, now that all else is said."""
        if self._failed is not None:
            raise self._failed


def _unwritten(option: str, path: str, error: Exception) -> InputError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(option, repr(path), f"a file that can be written ({why})")


def put(path: str, option: str, content: str | bytes) -> None:
    """Write a file that appears whole or not at all."""
    with atomic(path, argument=option, binary=isinstance(content, bytes)) as handle:
        handle.write(content)


# -- options --------------------------------------------------------------------------------------------------------


def output_options(command: F) -> F:
    """--seed, and those of `reading_options`."""
    seed = click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random.")
    return seed(reading_options(command))


def reading_options(command: F) -> F:
    """--json, --quiet, --output, --no-color: for what draws nothing at random."""
    for option in reversed(
        [
            click.option("--json", "as_json", is_flag=True, help="JSON, and nothing else, on standard output."),
            click.option("-q", "--quiet", is_flag=True, help="No progress and no hints."),
            click.option("-o", "--output", type=Written(), metavar="FILE", help="Write to FILE instead."),
            click.option("--no-color", is_flag=True, help="Plain text."),
        ]
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Reading:
    """How DATA is read: what `data_options` were given."""

    normalize: bool = False
    rows: str | None = None
    labels: str | None = None
    drop_repeated: bool = False

    def load(self, source: str, **instead: Any) -> Dataset:
        """The data set; keywords take the place of what was given."""
        from jacspec.data import load

        return load(source, **{**asdict(self), **instead})

    def given(self) -> list[tuple[str, Any]]:
        """Options, in the words of the command line, and their values."""
        return [(f"--{name.replace('_', '-')}", value) for name, value in asdict(self).items() if value]

    def need(self, data: str | None, *others: tuple[str, Any]) -> None:
        """Refuse what says how data is read, where there is none; `others` likewise."""
        for option, value in (*self.given(), *others):
            if value and data is None:
                raise InputError(option, "no --data", "--data DATA, which it is about")

    def same(self, data: str, names: Iterable[str]) -> str:
        """The words that give another command the same data and activations."""
        words = [data]
        for option, value in self.given():
            words += [option] if value is True else [option, value]
        for name in names:
            words += ["-a", name]
        return shlex.join(words)


def data_options(command: F) -> F:
    """--normalize, --rows, --labels, --drop-repeated; the command takes them as one argument, `reading`."""

    @wraps(command)
    def gathered(**options: Any) -> Any:
        reading = Reading(**{part.name: options.pop(part.name) for part in fields(Reading)})
        return command(reading=reading, **options)

    found: Any = gathered
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
        found = option(found)
    return cast(F, found)


def figure_option(help: str) -> Callable[[F], F]:
    """--plot."""
    return click.option("--plot", type=Figure(), metavar="FILE", help=f"{help} (.png or .svg).")


def activation_option(help: str, **more: Any) -> Callable[[F], F]:
    """-a, --activation, with completion; `multiple=True` for `names`, else it is `name`."""
    parameter = "names" if more.get("multiple") else "name"
    more |= {"metavar": "NAME", "shell_complete": completion.activations}
    return click.option("-a", "--activation", parameter, help=help, **more)


@contextmanager
def console(output: str | None, no_color: bool) -> Iterator[Console]:
    """A rich console on standard output, or on a file that appears whole or not at all."""
    from .screen import Screen

    if output is None:
        # Never below 80 columns, for which tables are made. Piped: 100.
        # Plain text is wanted by --no-color and NO_COLOR: rich alone would still print bold.
        plain = no_color or bool(os.environ.get("NO_COLOR"))
        made = Screen(color_system=None if plain else "auto", highlight=False, soft_wrap=False)
        piped = not made.is_terminal and "COLUMNS" not in os.environ
        made.width = 100 if piped else max(80, made.width)
        yield made
        return
    held = io.StringIO()
    yield Screen(file=held, no_color=True, highlight=False, width=100)
    _write_output(output, held.getvalue())


def write_json(document: dict[str, Any], output: str | None) -> None:
    """One JSON document; infinities are strings already, and NaN never happens."""
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        _write_output(output, text)


def _write_output(path: str, text: str) -> None:
    """To the file or, where that fails, to standard output: what took hours is not lost to a full disk."""
    try:
        put(path, "--output", text)
    except (InputError, OSError) as error:
        click.echo(text, nl=False)
        raise _unwritten("--output", path, error) from None


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
