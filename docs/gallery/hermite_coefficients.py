"""
Hermite coefficients of activations
===================================

The theorems see an activation through the Hermite coefficients :math:`\\mu_r` of its derivative
(:doc:`hermite-parseval </claims/hermite-parseval>`), each proved to 30 digits here. Symmetry makes about half of them
exact zeros, for tanh :math:`\\mu_1` as well, the one in the paper's bounds. Those of relu, whose derivative jumps, fall
far more slowly than those of softplus.
"""

import matplotlib.pyplot as plt

import jacspec

names = {"relu": "o", "softplus": "s", "tanh": "^", "gelu": "D"}
fig, axes = plt.subplots(2, 2, figsize=(6.8, 4.2), layout="constrained", sharex=True, sharey=True)
for ax, (name, marker) in zip(axes.flat, names.items(), strict=True):
    mu = jacspec.hermite_enclosures(jacspec.activation(name), 21, digits=30)
    shown = [(r, abs(float(m))) for r, m in enumerate(mu) if m != 0]
    ax.plot(*zip(*shown, strict=True), color="black", marker=marker, linestyle=":", label="nonzero")
    zeros = [r for r, m in enumerate(mu) if m == 0]
    ax.plot(zeros, [2e-9] * len(zeros), color="#D55E00", marker="x", linestyle="", label="exactly zero")
    ax.set(yscale="log", ylim=(1e-9, 2), xticks=range(0, 21, 5), title=name)
    print(f"{name:9} mu_1 = {mu[1].str(25, radius=False)}")
axes[0, 0].legend(loc="center right")
fig.supxlabel("r", fontsize=8)
fig.supylabel(r"$|\mu_r|$", fontsize=8)
fig.set_label(
    "Four panels, for relu, softplus, tanh and gelu: sizes of the Hermite coefficients up to r = 20, on a logarithmic "
    "axis. About every other one is exactly zero. The others fall to 0.04 for relu, to 0.005 for tanh, to 0.0006 for "
    "gelu and to 0.00001 for softplus."
)
plt.show()
