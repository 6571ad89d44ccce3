"""The `jacspec` command. Subcommands live in modules of their own and are imported only when called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from jacspec import __version__

__all__ = ["cli", "main"]

_COMMANDS = {
    "constants": ("verification.cli.data", "Every constant of a data matrix and of each activation, with radii."),
    "widths": ("verification.cli.data", "Which theorem asks for which width, step size and rate on this data."),
    "claims": ("verification.cli.claims", "List the claims, or show one in full."),
    "verify": ("verification.cli.claims", "Check claims on fuzzed instances or on a data set."),
    "train": ("verification.cli.train", "Train on a data set, and draw the run against its bounds."),
    "certify": ("verification.cli.certify", "Prove that an exact interpolator is near a run's weights."),
    "phase": ("verification.cli.phase", "The phase diagram: which random problems does training fit?"),
    "scaling": ("verification.cli.scaling", "How the width at the transition grows with n, from phase stores."),
    "sharpen": ("verification.cli.sharpen", "Search for a claim's worst case: how tight each variant is."),
    "report": ("verification.cli.report", "One self-contained HTML file from what other commands stored."),
    "campaign": ("verification.cli.campaign", "Hold the enclosures against exact arithmetic, a million times."),
    "new-claim": ("verification.cli.new_claim", "Write a file to state and check a lemma of your own."),
}


def _as_typed(command: click.Command, argument: str) -> str | None:
    """An argument of the library as the person typed it: labels is --labels here, and k is --width."""
    name = {"k": "width"}.get(argument, argument)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and f"--{name.replace('_', '-')}" in parameter.opts:
            return f"--{name.replace('_', '-')}"
        if isinstance(parameter, click.Argument) and parameter.name == name:
            return name.upper()
    return None


class _Lazy(click.Group):
    """A group that knows names and summaries of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in _COMMANDS:
            from .errors import near

            if args[0].startswith("-"):
                return super().resolve_command(ctx, args)  # an option that does not exist
            raise click.ClickException(
                f"COMMAND: got '{args[0]}'; expected one of {', '.join(_COMMANDS)}{near(args[0], _COMMANDS)}"
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        from jacspec import InputError

        try:
            return super().invoke(ctx)
        except InputError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            typed = None if command is None else _as_typed(command, error.argument)
            if typed is None or type(error) is not InputError:
                raise
            raise InputError(typed, error.shown, error.expected) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Start with:  jacspec constants sphere:n=50,d=20\n\nTab completion:  "
    'eval "$(_JACSPEC_COMPLETE=bash_source jacspec)"',
)
@click.version_option(__version__, prog_name="jacspec")
def cli() -> None:
    """Theorems about overparameterized networks, on your own data.

    Constants with error radii, what each theorem of Oymak & Soltanolkotabi
    (arXiv 1902.04674) then promises, and claims that one can check.
    """


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _fail(message: str, code: int) -> int:
    print(f"jacspec: error: {_one_line(message)}", file=sys.stderr)
    return code


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0 nothing violated, 1 something violated or refuted, 2 bad input or usage, 3 an error of the program itself,
    5 nothing was decided, 130 interrupted.
    """
    if "_JACSPEC_COMPLETE" in os.environ:
        from . import completion  # noqa: F401  (it tells click what bash needs)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    try:
        code = cli.main(args=argv, prog_name="jacspec", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("jacspec: interrupted", file=sys.stderr)
        return 130
    except click.exceptions.NoArgsIsHelpError as bare:
        print(bare.format_message())
        return 0
    except click.ClickException as bad:
        from .errors import usage_message

        return _fail(usage_message(bad), 2)
    except (BrokenPipeError, SystemExit):
        # click turns a closed pipe into SystemExit(1), which would read as "violated".
        # The reader of our output went away (head, less): not an error, and Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        from jacspec import CapacityError, InputError

        if isinstance(error, (InputError, CapacityError)):
            return _fail(str(error), 2)
        if isinstance(error, MemoryError):
            return _fail(f"out of memory: {error}; take fewer rows, units or steps", 2)
        if os.environ.get("JACSPEC_TRACEBACK"):
            raise
        return _fail(
            f"internal: {type(error).__name__}: {error} (JACSPEC_TRACEBACK=1 shows where; please report it)", 3
        )


def run() -> None:
    """Entry point of the console script."""
    sys.exit(main())
