"""What all figures share: fonts, grid, marks that differ without colour, and rendering that repeats bit for bit."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from jacspec import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "figure", "mark", "need_format", "render", "styled"]

#: Files that can be written, by suffix.
FORMATS = ("png", "svg")

_RC: Mapping[str, Any] = MappingProxyType(
    {
        "font.family": "DejaVu Sans",
        "font.size": 8.0,
        "axes.titlesize": 8.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 8.0,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "0.88",
        "grid.linewidth": 0.5,
        "xtick.labelsize": 7.0,
        "ytick.labelsize": 7.0,
        "lines.linewidth": 1.3,
        "lines.markersize": 4.0,
        "legend.frameon": False,
        "legend.fontsize": 8.0,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "path.simplify": False,
        # Identifiers in the file come from this and not from chance; text stays text, which keeps files small.
        "svg.hashsalt": "jacspec",
        "svg.fonttype": "none",
    }
)

#: Roles of what is drawn. Each differs from the others by its line or marker, not by colour alone.
_MARKS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "measured": {"color": "black", "linestyle": "none", "marker": "o"},
        "path": {"color": "black", "linestyle": "-"},
        "extrapolated": {"color": "black", "linestyle": "none", "marker": "D", "markerfacecolor": "white"},
        "predicted": {"color": "#0072B2", "linestyle": (0, (5, 2))},
        "refined": {"color": "#D55E00", "linestyle": (0, (1, 1.2))},
        "paper": {"color": "#0072B2", "linestyle": (0, (5, 2))},
        "explicit": {"color": "#009E73", "linestyle": (0, (5, 1.5, 1, 1.5))},
        "sharp": {"color": "#D55E00", "linestyle": (0, (1, 1.2))},
    }
)


def mark(role: str) -> dict[str, Any]:
    """Keywords of ``Axes.plot`` for a role: "measured", "predicted", "paper", "explicit", "sharp", ...

    Raises
    ------
    KeyError
        For an unknown role.
    """
    return dict(_MARKS[role])


def styled() -> Any:
    """A context in which figures are made and rendered; matplotlib's settings are as before afterwards."""
    import matplotlib

    settings: Any = dict(_RC)  # newer versions of matplotlib type every key
    return matplotlib.rc_context(settings)


def figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """An empty figure of this size in inches, to be filled inside `styled`; None leaves the layout to the caller."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(made)
    return made


def need_format(path: str, argument: str = "--plot") -> str:
    """The format that a file's name asks for.

    Raises
    ------
    InputError
        If it is none of `FORMATS`.
    """
    suffix = path.rpartition(".")[2].lower() if "." in path else ""
    if suffix not in FORMATS:
        raise InputError(argument, repr(path), f"a file that ends in {' or '.join('.' + f for f in FORMATS)}")
    return suffix


def render(made: Figure, form: str, dpi: int = 160) -> bytes:
    """The figure as a file's content; the same figure gives the same bytes.

    Parameters
    ----------
    made : matplotlib.figure.Figure
    form : "png" or "svg"
    dpi : int
        Of a PNG.
    """
    buffer = io.BytesIO()
    # A date or a version in the file would make equal figures differ.
    metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    with styled():
        made.savefig(buffer, format=form, dpi=dpi, metadata=metadata)
    return buffer.getvalue()
