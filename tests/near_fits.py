"""Small problems, and networks that nearly fit them."""

from __future__ import annotations

import numpy as np

from jacspec import ShallowNet


def sphere(n: int, d: int, seed: int = 0) -> np.ndarray:
    X = np.random.default_rng(seed).standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1)[:, None]


def signs(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, 1]).choice([-1.0, 1.0], n)


def near(
    name: str, n: int = 6, d: int = 4, k: int = 8, seed: int = 0, size: float = 1e-6
) -> tuple[ShallowNet, np.ndarray, np.ndarray]:
    """A network and labels at the distance `size` from its outputs."""
    X = sphere(n, d, seed)
    rng = np.random.default_rng([seed, 2])
    net = ShallowNet(rng.standard_normal((k, d)), rng.standard_normal(k), name)
    u = rng.standard_normal(n)
    return net, X, net(X) + size * u / np.linalg.norm(u)
