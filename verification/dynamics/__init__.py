"""Gradient descent on maps whose constants are known, in float64 with honest radii and in 60 digits."""

from __future__ import annotations

from .intervals import Intervals
from .maps import Map, Network, PiecewiseLinear, Quadratic, Reflection
from .problems import Choose, Problem, descents, mapping, problem, run
from .run import Run, Series, descend, estimate, idle, step_too_long, told, undecided, worst_step

__all__ = [
    "Choose",
    "Intervals",
    "Map",
    "Network",
    "PiecewiseLinear",
    "Problem",
    "Quadratic",
    "Reflection",
    "Run",
    "Series",
    "descend",
    "descents",
    "estimate",
    "idle",
    "mapping",
    "problem",
    "run",
    "step_too_long",
    "told",
    "undecided",
    "worst_step",
]
