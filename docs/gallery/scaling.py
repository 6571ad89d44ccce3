"""
How the transition moves with n
===============================

The width at which half of the problems are fitted, against n, for two d: a small version of ``jacspec scaling``. It
stays within two units of n/d (:doc:`phase-transition </claims/phase-transition>`), below which nothing is fitted
(:doc:`phase-transition-lower </claims/phase-transition-lower>`). Theorems ask for k of order n^2/d. The budget of steps
grows with n, as problems get harder.
"""

from verification.plots import scaling_figure
from verification.sweep import Configuration, Diagram, Key, Plan, Scaling, run_trials

diagrams = []
for d in (10, 15):
    config = Configuration(d=d, steps="2n^2", tolerance=0.01, seed=d)
    plan = Plan(config, n=(20, 25, 32, 40, 50, 63, 80), k=tuple(range(2, 16, 2)), trials=12, most=12, within=6)
    rows = run_trials(config, [Key(n, k, trial) for n, k in plan.cells for trial in range(plan.trials)])
    diagrams.append(Diagram.of(plan, rows))

found = Scaling.of(diagrams)
for curve in found.curves:
    print(f"d = {curve.d}: half are fitted {curve.excess.value:.1f} units above n/d on average")
print(f"one exponent for both: {found.laws.exponent.value:.2f} {found.laws.exponent.interval(2)}")

chart = scaling_figure(found, "random unit rows, softplus: half fitted to a residual of 0.01 within 2n^2 steps")
chart.set_label(
    "k at which half of the problems are fitted, rising with n along the lines n/d for d = 10 and d = 15, and below it "
    "the distance from these lines, between nought and two units"
)
