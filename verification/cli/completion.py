"""What a tab offers: slugs of claims, activations, data sets; files where none of these begins like the word."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

__all__ = ["Bash", "activations", "claims", "data", "labels"]


class Bash(BashComplete):
    """As click has it, but words such as ``sklearn:iris`` and ``sphere:n=5`` are one, where bash sees three or five.

    bash cuts words at the letters of ``COMP_WORDBREAKS``, and puts what is offered in place of the last piece alone.
    """

    name = "bash"
    source_template = BashComplete.source_template.replace(
        'COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD',
        'COMP_WORDS="${COMP_LINE:0:$COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS"',
    )

    def get_completion_args(self) -> tuple[list[str], str]:
        """What stands before the word, and the word as far as it is typed."""
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)
        return (words[1:], "") if line[-1:].isspace() else (words[1:-1], words[-1])

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Without what stands before bash's last piece of the word."""
        _, word = self.get_completion_args()
        inside = "".join(sign for sign in ":=" if sign in os.environ.get("COMP_BREAKS", ""))
        kept = re.match(f".*[{inside}]", word) if inside and item.type == "plain" else None
        shown = item.value.removeprefix(kept[0]) if kept else item.value
        return f"{item.type},{shown}"


add_completion_class(Bash)


def _offer(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def claims(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Slugs that were not given yet, or a file of one's own."""
    from verification.claims import slugs

    given = ctx.params.get(param.name or "") or ()
    start = incomplete.replace("_", "-")
    found = [CompletionItem(slug) for slug in slugs() if slug.startswith(start) and slug not in given]
    return found or _offer((), incomplete)


def activations(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of built-in activations."""
    from jacspec import activation_names

    return _offer(activation_names(), incomplete)


def data(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Kinds of data with an example of their keys, data sets of scikit-learn, or a file."""
    from jacspec.data.sources import DATA_KINDS, SKLEARN_SETS

    examples = [kind.example for name, kind in DATA_KINDS.items() if name != "sklearn"]
    return _offer([*examples, *(f"sklearn:{name}" for name in SKLEARN_SETS)], incomplete)


def labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Kinds of random labels, or a file."""
    from jacspec.data.sources import LABEL_KINDS

    return _offer((kind.example for kind in LABEL_KINDS.values()), incomplete)
