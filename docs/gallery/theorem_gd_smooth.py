"""
A run against its bounds
========================

Gradient descent on a network wide enough for the sharp form of
:doc:`theorem-gd-smooth </claims/theorem-gd-smooth>`: the residual stays below what was promised, and the weights move
less. Pale curves belong to forms that ask for more units
than there are; their numbers are those of a network that has them.
"""

import jacspec
from jacspec.guarantees import guarantees
from verification.plots import trajectory_figure

data = jacspec.load("sphere:n=10,d=20", labels="signs:seed=0")
net = jacspec.ShallowNet.initialize(20_000, data.d, "softplus", y=data.y, seed=0)
run = jacspec.train(net, data.X, data.y, tolerance=1e-3, checkpoints=[0, 1, 10, 40, 100])

constants = jacspec.data_constants(data, ["softplus"], y=data.y, options=jacspec.Options(eta_bar=1.0))
promised = guarantees(run, constants)
for g in promised:
    print(f"{g.claim:18} {g.variant:8} {g.verdict:7} rate {g.rate:.2e}, measured {run.measured_rate:.2e}")

chart = trajectory_figure(run, promised, "n = 10, d = 20, k = 20000, softplus, GD")
chart.set_label(
    "Three panels against the step. The residual of the run reaches a thousandth after 150 steps, before all five "
    "curves that are promised. Its path is shorter than the five promised ones. The extreme singular values of the "
    "Jacobian do not move."
)
