"""
The edge of X*X on the sphere
=============================

For random unit rows the least singular value of the row-wise product :math:`X*X` follows
:doc:`random-khatri-rao-edge </claims/random-khatri-rao-edge>`: with :math:`p = (d-1)(d+2)/2`, it stays away from zero
until n comes near p, which is about :math:`d^2/2` and not d. The law is a limit: where n is small, the means of four
draws are well above it at d = 8 and close to it at d = 24.
"""

import matplotlib.pyplot as plt
import numpy as np

import jacspec
from jacspec import bounds

rng = np.random.default_rng(0)
fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for d, marker in ((8, "o"), (14, "s"), (24, "^")):
    p = (d - 1) * (d + 2) // 2
    sizes = [round(share * p) for share in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    least = []
    for n in sizes:
        rows = rng.standard_normal((4, n, d))
        rows /= np.linalg.norm(rows, axis=2, keepdims=True)
        least.append(np.mean([np.linalg.svd(jacspec.compressed_square(X), compute_uv=False)[n - 1] ** 2 for X in rows]))
    ax.plot(
        np.array(sizes) / p,
        least,
        marker=marker,
        color="black",
        fillstyle="none",
        linestyle="",
        label=f"measured, d = {d}",
    )
    law = [bounds.khatri_rao_edge(n, d) for n in sizes]
    ax.plot(np.array(sizes) / p, law, linestyle={8: ":", 14: "-.", 24: "--"}[d], label=f"the law, d = {d}")
ax.set(xlabel="n / p", ylabel=r"$\sigma_{\min}(X*X)^2$", ylim=(0, None))
ax.legend()
fig.set_label(
    "The least squared singular value of X*X against n/p, from 0 to 1, for d = 8, 14 and 24. All fall to zero as n "
    "reaches p. Measured values are above the law's curves for small n, by half at d = 8, and on them at d = 24 and "
    "for larger n."
)
plt.show()
