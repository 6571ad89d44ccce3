"""`jacspec report`."""

from __future__ import annotations

import json
from typing import Any

import click

from jacspec._files import atomic

from .common import check_output


@click.command(epilog="Example:  jacspec report --verify verify.json --output report.html")
@click.option(
    "--verify",
    "stored",
    type=click.Path(dir_okay=False),
    metavar="FILE.json",
    required=True,
    help="What `jacspec verify --json` wrote.",
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
@click.option("-q", "--quiet", is_flag=True, help="No line that says where it is.")
def report(stored: str, output: str, quiet: bool) -> None:
    """One self-contained HTML file from what a run of claims stored.

    Nothing is computed again and no claim is run: the file is the same, byte
    for byte, as the one that `jacspec verify --html` writes.
    """
    check_output(output)
    content = _rendered(stored)
    with atomic(output, argument="--output") as handle:
        handle.write(content)
    if not quiet:
        click.echo(f"Report in {output}.")


def _rendered(path: str) -> str:
    from jacspec import InputError
    from verification.report import render

    expected = "a file that `jacspec verify --json` wrote"
    try:
        with open(path, encoding="utf-8") as handle:
            document: Any = json.load(handle)
    except OSError as error:
        raise InputError("--verify", repr(path), f"a file that can be read ({error.strerror})") from None
    except ValueError:  # JSON, and text that is not UTF-8
        raise InputError("--verify", repr(path), f"{expected}; this is not JSON") from None
    try:
        if not isinstance(document, dict):
            raise InputError("document", type(document).__name__, "an object")
        return render(document)
    except InputError as error:
        raise InputError("--verify", repr(path), f"{expected} ({error})") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError("--verify", repr(path), f"{expected}, whole ({type(error).__name__}: {error})") from None
