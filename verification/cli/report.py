"""`jacspec report`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from jacspec._files import atomic

from . import completion
from .common import check_output, data_options, stages

if TYPE_CHECKING:
    from verification.report import Section


@click.command(
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
@click.option(
    "--run",
    "runs",
    type=click.Path(dir_okay=False),
    multiple=True,
    metavar="RUN.npz",
    help="What `jacspec train --save` wrote; repeatable.",
)
@click.option(
    "--certificate",
    "certificates",
    type=click.Path(dir_okay=False),
    multiple=True,
    metavar="FILE.npz",
    help="What `jacspec certify --save` wrote, proved again; repeatable.",
)
@click.option(
    "--phase",
    "stores",
    type=click.Path(dir_okay=False),
    multiple=True,
    metavar="STORE",
    help="What `jacspec phase --store` kept; repeatable.",
)
@click.option(
    "--data",
    metavar="DATA",
    shell_complete=completion.data,
    help="A table of its constants, as of `jacspec constants`.",
)
@data_options
@click.option(
    "-a",
    "--activation",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.activations,
    help="In that table; repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    default="report.html",
    show_default=True,
    metavar="FILE",
    help="Write to FILE.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, and no line that says where it is.")
def report(
    stored: str | None,
    runs: tuple[str, ...],
    certificates: tuple[str, ...],
    stores: tuple[str, ...],
    data: str | None,
    names: tuple[str, ...],
    normalize: bool,
    rows: str | None,
    labels: str | None,
    drop_repeated: bool,
    output: str,
    quiet: bool,
) -> None:
    """One self-contained HTML file from what other commands stored.

    No claim is run and nothing is trained again: of a run of claims, the
    file is the same, byte for byte, as the one of `jacspec verify --html`.
    A run comes with its picture and its table, predicted against measured;
    a certificate is checked again, by other code, and the page says whether
    it is valid. A sweep comes with its phase diagram.
    """
    from jacspec import InputError

    check_output(output)
    given = {"--activation": names, "--normalize": normalize, "--rows": rows, "--labels": labels}
    given["--drop-repeated"] = drop_repeated
    for option, value in given.items():
        if value and data is None:
            raise InputError(option, "no --data", "--data DATA, whose constants it is about")
    if stored is None and data is None and not (runs or certificates or stores):
        expected = "--verify, --data, --run, --certificate or --phase, with a file"
        raise InputError("report", "nothing to report on", expected)
    with stages(quiet) as say:
        from verification.report import render

        document = None if stored is None else _document(stored)
        from .stored import certificate_section, constants_section, phase_section, run_section

        chosen: dict[str, Any] = {
            "normalize": normalize,
            "rows": rows,
            "labels": labels,
            "drop_repeated": drop_repeated,
        }
        sections = [] if data is None else [constants_section(data, names, say, **chosen)]
        sections += [run_section(path, say) for path in runs]
        sections += [certificate_section(path, say) for path in certificates]
        sections += [phase_section(path, say) for path in stores]
        content = render(None, sections) if stored is None else _rendered(stored, document, sections)
    with atomic(output, argument="--output") as handle:
        handle.write(content)
    if not quiet:
        click.echo(f"Report in {output}.")


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
