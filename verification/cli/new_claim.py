"""`jacspec new-claim`."""

from __future__ import annotations

import keyword
import os
from pathlib import Path

import click

from .common import Written, check_output, put


@click.command(epilog="Example:  jacspec new-claim my-bound")
@click.argument("name")
@click.option("-o", "--output", type=Written(), metavar="FILE", help="Write to FILE instead of NAME.py.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("-q", "--quiet", is_flag=True, help="No hints.")
def new_claim(name: str, output: str | None, force: bool, quiet: bool) -> None:
    """Write a commented file that states a lemma, to run and to change.

    NAME is the claim's id: my-bound gives my_bound.py, with a true example
    that `jacspec verify my_bound.py` checks as it stands.
    """
    from jacspec import InputError
    from verification import claims
    from verification.own_claims import ID, is_package

    slug = name.strip().lower().removesuffix(".py").replace("_", "-")
    if not ID.fullmatch(slug):
        raise InputError("NAME", repr(name), "small letters, digits and single hyphens, such as my-bound")
    if slug in claims.slugs():
        raise InputError("NAME", repr(name), "a name that no claim has; see `jacspec claims`")
    stem = slug.replace("-", "_")
    path = output or f"{stem}.py"
    if not path.endswith(".py"):
        raise InputError("--output", repr(path), "a Python file (.py)")
    if is_package(Path(path).stem) or keyword.iskeyword(Path(path).stem):
        raise InputError("NAME" if output is None else "--output", repr(output or name), "no word or package of Python")
    check_output(path)
    if os.path.exists(path) and not force:
        raise InputError(
            "NAME" if output is None else "--output", repr(output or name), f"no file {path} there, or --force"
        )
    template = (Path(claims.__file__).parent / "_template.py").read_text(encoding="utf-8")
    put(path, "--output", template.replace("my-bound", slug).replace("my_bound.py", path))
    click.echo(f"Wrote {path}.")
    if not quiet:
        import shlex

        click.echo(f"Next: jacspec verify {shlex.quote(path)}")
