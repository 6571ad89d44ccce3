"""The one room that draws: figures from values, rendered to bytes. It writes no file; the command line does.

matplotlib is imported when something is drawn, through its object-oriented interface only: no pyplot, no global state.
"""

from .phase import phase_figure
from .scaling import scaling_figure
from .style import FORMATS, figure, mark, render
from .trajectory import trajectory_figure
from .trends import trend_figure

__all__ = ["FORMATS", "figure", "mark", "phase_figure", "render", "scaling_figure", "trajectory_figure", "trend_figure"]
