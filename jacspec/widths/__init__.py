"""What each theorem of section 6 asks of a given X: width, step size, rate, iterations, or why it says nothing.

Every row uses the safe end of each interval (the lower end of lambda(X), the upper end of ||X||), so a width that is
printed suffices even if the constants are off by their radii.
"""

from .model import Options, Problem, WidthRow, even_at_least, iterations_to
from .theorems import SmoothPromise, gd_smooth_sharp_at, width_rows

__all__ = [
    "Options",
    "Problem",
    "SmoothPromise",
    "WidthRow",
    "even_at_least",
    "gd_smooth_sharp_at",
    "iterations_to",
    "width_rows",
]
