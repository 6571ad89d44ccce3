"""What a tab offers: slugs of claims, activations, data sets; files where none of these begins like the word."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

__all__ = ["activations", "claims", "data", "labels"]


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
