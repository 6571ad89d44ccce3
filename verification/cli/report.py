"""`jacspec report`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from . import completion
from .common import Reading, Written, activation_option, command, data_options, put, stages
from .data import check_digits

if TYPE_CHECKING:
    from verification.report import Section

F = TypeVar("F", bound=Callable[..., Any])


def _stored(name: str, parameter: str, metavar: str, help: str) -> Callable[[F], F]:
    """An option that names what another command kept; it may be given several times."""
    return click.option(name, parameter, type=click.Path(dir_okay=False), multiple=True, metavar=metavar, help=help)


@command(
    epilog="Example:  jacspec report --verify verify.json --run run.npz\n\n"
    "Example:  jacspec report --run gd.npz --certificate certificate.npz"
)
@click.option(
    "--verify",
    "stored",
    type=click.Path(dir_okay=False),
    metavar="FILE.json",
    help="What `jacspec verify --json` wrote.",
)
@_stored("--run", "runs", "RUN.npz", "What `jacspec train --save` wrote; repeatable.")
@_stored("--certificate", "certificates", "FILE.npz", "What `jacspec certify --save` wrote, proved again; repeatable.")
@_stored("--phase", "stores", "STORE", "What `jacspec phase --store` kept; repeatable.")
@click.option(
    "--data",
    metavar="DATA",
    shell_complete=completion.data,
    help="A table of its constants, as of `jacspec constants`.",
)
@data_options
@activation_option("In that table; repeatable.", multiple=True)
@click.option("--rigorous", is_flag=True, help="Prove every constant of that table.")
@click.option("--digits", type=int, help="With mu_r to this many proved digits.")
@click.option(
    "-o", "--output", type=Written(), default="report.html", show_default=True, metavar="FILE", help="Write to FILE."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, and no line that says where it is.")
def report(
    stored: str | None,
    runs: tuple[str, ...],
    certificates: tuple[str, ...],
    stores: tuple[str, ...],
    data: str | None,
    names: tuple[str, ...],
    reading: Reading,
    rigorous: bool,
    digits: int | None,
    output: str,
    quiet: bool,
) -> int:
    """One self-contained HTML file from what other commands stored.

    No claim is run and nothing is trained again: of a run of claims, the
    file is the same, byte for byte, as the one of `jacspec verify --html`.
    A run comes with its picture and its table, predicted against measured;
    a certificate is checked again, by other code, and the page says whether
    it is valid. A sweep comes with its phase diagram.
    Exit code 0: the report is written; 1: it is, and a certificate in it is
    not valid.
    """
    from jacspec import InputError

    check_digits(digits)
    reading.need(data, ("--activation", names), ("--rigorous", rigorous), ("--digits", digits))
    if stored is None and data is None and not (runs or certificates or stores):
        expected = "--verify, --data, --run, --certificate or --phase, with a file"
        raise InputError("report", "nothing to report on", expected)
    with stages(quiet) as say:
        from verification.report import render

        document = None if stored is None else _document(stored)
        from .stored import certificate_section, constants_section, phase_section, run_section

        sections = []
        if data is not None:
            sections.append(constants_section(data, reading, names, say, rigorous=rigorous, digits=digits))
        sections += [run_section(path, say) for path in runs]
        checked = [certificate_section(path, say) for path in certificates]
        sections += [section for section, _ in checked]
        sections += [phase_section(path, say) for path in stores]
        content = render(None, sections) if stored is None else _rendered(stored, document, sections)
    put(output, "--output", content)
    if not quiet:
        click.echo(f"Report in {output}.")
    invalid = [path for path, (_, valid) in zip(certificates, checked, strict=True) if not valid]
    for path in invalid:
        click.echo(f"jacspec: INVALID certificate: {path}", err=True)
    return 1 if invalid else 0


_EXPECTED = "a file that `jacspec verify --json` wrote"


def _document(path: str) -> Any:
    from jacspec import InputError

    try:
        with open(path, encoding="utf-8") as handle:
            return json.load(handle)
    except OSError as error:
        raise InputError("--verify", repr(path), f"a file that can be read ({error.strerror})") from None
    except ValueError:  # JSON, and text that is not UTF-8
        raise InputError("--verify", repr(path), f"{_EXPECTED}; this is not JSON") from None


def _rendered(path: str, document: Any, sections: Sequence[Section]) -> str:
    from jacspec import InputError
    from verification.report import render

    try:
        if not isinstance(document, dict):
            raise InputError("document", type(document).__name__, "an object")
        return render(document, sections)
    except InputError as error:
        raise InputError("--verify", repr(path), f"{_EXPECTED} ({error})") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError("--verify", repr(path), f"{_EXPECTED}, whole ({type(error).__name__}: {error})") from None
