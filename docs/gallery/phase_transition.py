"""
The phase transition
====================

What share of random problems does gradient descent fit, and at how many hidden units k? A small version of
``jacspec phase``. Below the dashed line n = kd it is ruled out by
:doc:`phase-transition-lower </claims/phase-transition-lower>`; a few units above it most are fitted. In a cell with a
white dot every trial ends in a proof that zero loss is attained.
"""

from verification.plots import phase_figure
from verification.sweep import Configuration, Diagram, Key, Plan, run_trials

config = Configuration(d=5, activation="softplus", certify=True, steps=8000)
plan = Plan(config, n=(5, 10, 15, 20, 25, 30), k=(2, 4, 6, 8, 10, 12, 14, 16, 18, 20), trials=10, most=10)
keys = [Key(n, k, trial) for n in plan.n for k in plan.k if not config.impossible(n, k) for trial in range(plan.trials)]
diagram = Diagram.of(plan, run_trials(config, keys))
for t in diagram.transitions:
    print(f"n = {t.n:2}: half of the trials are fitted at k = {t.k}")

chart = phase_figure(diagram, (), f"random unit rows, d = {config.d}: share fitted within {config.steps} steps")
chart.set_label(
    "A chart of cells, samples n from 5 to 30 against hidden units k from 2 to 20, dark where all trials were fitted. "
    "The dark region begins a few units above the line n = kd, later for larger n; most of its cells have the dot "
    "that says that every trial is proved. Below the line the cells are hatched: impossible."
)
