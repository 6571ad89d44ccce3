"""Phase diagrams: over a grid of sizes n and widths k, what share of random problems does training fit?

- `Configuration`: what decides the outcome of a trial; `run_trials` is the pure function that everything runs.
- `Plan`: a grid, and which trials are still wanted given those that are there.
- `Sweep`: hands them to an engine (`Here`, `Processes`, `Cluster`) and what comes back to a `verification.store.Store`.
- `Diagram`: the value that is drawn and written.
- `Scaling`: how the transition moves with n, from the diagrams of several d.
"""

from .configuration import Configuration, Problem
from .diagram import Cell, Diagram, Transition
from .plan import Plan, values_of
from .scaling import Curve, Laws, Scaling, Size
from .trials import Key, Row, run_trials

__all__ = [
    "Cell",
    "Configuration",
    "Curve",
    "Diagram",
    "Key",
    "Laws",
    "Plan",
    "Problem",
    "Row",
    "Scaling",
    "Size",
    "Transition",
    "run_trials",
    "values_of",
]
