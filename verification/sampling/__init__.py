"""SGD with one sample a step, on maps whose global constants are known, in float64 with radii and in 60 digits."""

from __future__ import annotations

from .maps import Constants, SampledMap, SampledNetwork, Waves
from .problems import map_of, problem_of, problems, sample_count, samples
from .runs import SGD, Limits, Paths, States, Step, worst

__all__ = [
    "SGD",
    "Constants",
    "Limits",
    "Paths",
    "SampledMap",
    "SampledNetwork",
    "States",
    "Step",
    "Waves",
    "map_of",
    "problem_of",
    "problems",
    "sample_count",
    "samples",
    "worst",
]
