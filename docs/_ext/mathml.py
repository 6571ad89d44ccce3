"""Formulas as MathML, which browsers draw themselves: pages need no script and no network, and can be read aloud.

A formula that the converter does not know is a warning, hence an error in CI.
"""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from sphinx.util import logging

from verification.report.formulas import mathml

__all__ = ["setup"]

logger = logging.getLogger(__name__)


def _element(node: nodes.Node, *, display: bool) -> str:
    element = mathml(node.astext(), display=display)
    if element is None:
        logger.warning("no MathML for the formula %s", node.astext(), location=node)
        return f"<code>{html.escape(node.astext())}</code>"
    return element


def _inline(translator: Any, node: nodes.Node) -> None:
    translator.body.append(f'<span class="math">{_element(node, display=False)}</span>')
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.Node) -> None:
    # what scrolls must be reachable by keyboard
    translator.body.append(f'<div class="math" tabindex="0">{_element(node, display=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
