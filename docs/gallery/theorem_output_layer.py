"""
Random features: k of order n
=============================

When only the output layer is trained, everything hangs on :math:`\\sigma_{\\min}(\\phi(XW^\\top))`, and by
:doc:`theorem-output-layer </claims/theorem-output-layer>` a width of order n (up to logarithms) keeps
:math:`\\sigma_{\\min}^2 / k` near :math:`\\tilde\\lambda(X)`. Measured (the median of three draws): below k = n it is
zero, for want of features, and at k = 8n more than half of :math:`\\tilde\\lambda(X)` is there, at each of three n.
"""

import matplotlib.pyplot as plt
import numpy as np

import jacspec

ratios = np.array([1, 1.5, 2, 3, 4, 6, 8, 16, 32, 64])
fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for n, marker in ((20, "o"), (40, "s"), (80, "^")):
    X = jacspec.load(f"sphere:n={n},d={n // 2}").X
    lam = jacspec.data_constants(X, ["tanh"]).activations["tanh"].output.smallest
    measured = []
    for ratio in ratios:
        k = 2 * round(ratio * n / 2)
        draws = [
            jacspec.ShallowNet(jacspec.initial_weights(k, n // 2, seed=seed), np.ones(k), "tanh") for seed in range(3)
        ]
        least = [np.linalg.svd(net.features(X), compute_uv=False)[n - 1] if k >= n else 0.0 for net in draws]
        measured.append(np.median(np.square(least)) / k / lam.value)
    ax.plot(ratios, measured, marker=marker, label=f"n = {n}, d = {n // 2}")
ax.axhline(1, color="black", linestyle="--", label="the limit of infinite width")
ax.set(xscale="log", xlabel="k / n", ylabel=r"$\sigma_{\min}^2 / (k \, \tilde\lambda(X))$", ylim=(0, 1.05))
ax.set_xticks([1, 2, 4, 8, 16, 32, 64], labels=["1", "2", "4", "8", "16", "32", "64"])
ax.minorticks_off()
ax.legend()
fig.set_label(
    "The least squared singular value of the features over k times its limit, against k/n from 1 to 64: three curves, "
    "for n = 20, 40 and 80, close to each other, that rise from 0 to more than 0.9 of the limit of infinite width."
)
plt.show()
