"""Usage errors in the words of every other error: what, what was given, what was expected, and a name that is near."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import click

__all__ = ["near", "usage_message"]


def near(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` when a known name is near, else the empty string."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""


def usage_message(error: click.ClickException) -> str:
    """One line for what click found wrong with the words of a command.

    Parameters
    ----------
    error : click.ClickException

    Returns
    -------
    str
        ``--steps: got '0.5'; expected an integer``, and so on; click's own message for what is none of these.
    """
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "jacspec"
    if isinstance(error, click.NoSuchOption):
        known = [] if context is None else [name for p in context.command.get_params(context) for name in p.opts]
        hint = near(error.option_name, known) or f"; see `{command} --help`"
        return f"option: got '{error.option_name}'; expected one that `{command}` has{hint}"
    if isinstance(error, click.BadOptionUsage) and "requires" in error.message:
        return f"{error.option_name}: got nothing; expected a value; see `{command} --help`"
    if isinstance(error, click.MissingParameter):
        return f"{_name(error)}: got nothing; expected a value; see `{command} --help`"
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{_name(error)}: {_value(error)}"
    if isinstance(error, click.UsageError) and context is not None:
        return f"{_one(error.message)}; see `{command} --help`"
    return error.format_message()


def _name(error: click.BadParameter) -> str:
    parameter = error.param
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return "argument" if parameter is None else parameter.make_metavar(click.Context(click.Command(""))).strip("[].")


def _value(error: click.BadParameter) -> str:
    kind = error.param.type if error.param is not None else None
    given = re.search(r"'(.*?)'", error.message)
    shown = given[0] if given else "it"
    if isinstance(kind, click.Choice):
        choices = [str(choice) for choice in kind.choices]
        return f"got {shown}; expected one of {', '.join(choices)}{near(shown.strip(chr(39)), choices)}"
    if isinstance(kind, click.Path):
        return f"got {shown}; expected a file{'; this is a directory' if 'is a directory' in error.message else ''}"
    if kind in (click.INT, click.FLOAT):
        return f"got {shown}; expected {'an integer' if kind is click.INT else 'a number'}"
    return _one(error.message)


def _one(text: str) -> str:
    """Without the capital and the full stop of a sentence."""
    text = text.strip().rstrip(".")
    return text[:1].lower() + text[1:]
