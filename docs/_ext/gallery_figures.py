"""For sphinx-gallery: the order of scripts, how figures look, and what is said of each where it is not seen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

from verification.claims import SLUGS
from verification.plots import render
from verification.plots.style import styled

__all__ = ["TheoryOrder", "figures", "linked_claims", "style"]

_seen: list[Figure] = []


def linked_claims(text: str) -> list[str]:
    """The claims whose pages a script's docstring links to."""
    return re.findall(r"</claims/([\w-]+)>", text)


class TheoryOrder:
    """Scripts in the order of the theory: by the first claim that each links to."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def __call__(self, name: str) -> tuple[int, str]:
        return SLUGS.index(linked_claims((self.folder / name).read_text(encoding="utf-8"))[0]), name


def style(_: Any, script: str) -> None:
    """The settings of all other figures of the project, afresh before each script."""
    _seen.clear()
    with styled():
        settings = dict(mpl.rcParams)
    mpl.rcParams.update(settings)


def figures(_: Any, variables: dict[str, Any], conf: dict[str, Any]) -> str:
    """Figures that a block of a script gave a name to. Their labels say what is to be seen.

    Parameters
    ----------
    variables : dict
        Of the block: its globals and the names of the files to write.
    conf : dict
        sphinx-gallery's configuration.

    Returns
    -------
    str
        reStructuredText that shows them.

    Raises
    ------
    ValueError
        For a figure without a label.
    """
    shown = []
    for name, value in variables["example_globals"].items():
        if not isinstance(value, Figure) or any(value is other for other in _seen):
            continue
        if not value.get_label():
            raise ValueError(
                f"{name} has no label, which is what is read out where it is not seen: {name}.set_label(...)"
            )
        _seen.append(value)
        path = Path(next(variables["image_path_iterator"]))
        path.write_bytes(render(value, "png"))
        shown.append(figure_rst([str(path)], conf["src_dir"], str(value.get_label())))
    return "".join(shown)
