"""What Sphinx needs of `claim_pages`: the pages before it reads, and a directive that shows one statement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from claim_pages import display, mixed, write
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

from verification.claims import load


class Statement(Directive):
    """``{claim} SLUG`` on a page of docs/: the statement as the claim has it, with a link to its page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        claim = load(self.arguments[0])
        text = f"[`{claim.id}`](claims/{claim.id}.md). {mixed(claim.title)}:\n\n{display(claim.statement)}"
        node = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), source=claim.id), self.content_offset, node)
        return [node]


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir)))
    app.add_directive("claim", Statement)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
