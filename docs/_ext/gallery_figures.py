"""For sphinx-gallery: how figures look here, and those that pyplot did not make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

from verification.plots import render
from verification.plots.style import styled

__all__ = ["plain_figures", "style"]

_seen: list[Figure] = []


def style(_: Any, script: str) -> None:
    """The settings of all other figures of the project, afresh before each script."""
    _seen.clear()
    with styled():
        settings = dict(mpl.rcParams)
    mpl.rcParams.update(settings)


def plain_figures(_: Any, variables: dict[str, Any], conf: dict[str, Any]) -> str:
    """Figures that a block of a script gave a name to; those of pyplot are another scraper's.

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
    """
    import matplotlib.pyplot as plt

    managed = [plt.figure(number) for number in plt.get_fignums()]
    written = []
    for value in variables["example_globals"].values():
        if not isinstance(value, Figure) or any(value is other for other in (*managed, *_seen)):
            continue
        _seen.append(value)
        path = Path(next(variables["image_path_iterator"]))
        path.write_bytes(render(value, "png"))
        written.append(str(path))
    return figure_rst(written, conf["src_dir"])
