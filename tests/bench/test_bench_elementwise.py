"""phi and phi' together: a long array against NumPy, torch and JAX, and a tile that stays in the first-level cache."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from jacspec import activation
from jacspec.elementwise import phi_and_derivative
from jacspec.elementwise.compiled import FAMILIES, compiled

SIZE = 2_000_000
#: A few thousand numbers, as a training step hands them over; and how often.
TILE, REPEATS = 4096, 250


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def both_of_sigmoid(z):
    s = sigmoid(z)
    return s, s * (1 - s)


def both_of_tanh(z):
    t = np.tanh(z)
    return t, 1 - t * t


def both_of_gelu(z):
    c = special.ndtr(z)
    return z * c, c + z * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)


def both_of_silu(z):
    s = sigmoid(z)
    return z * s, s * (1 + z * (1 - s))


def both_of_gaussian(z):
    e = np.exp(-0.5 * z * z)
    return e, -z * e


#: As one would write it by hand, sharing what can be shared.
NUMPY = {
    "relu": lambda z: (np.maximum(z, 0), (z > 0).astype(z.dtype)),
    "softplus": lambda z: (np.logaddexp(z, 0), sigmoid(z)),
    "tanh": both_of_tanh,
    "sigmoid": both_of_sigmoid,
    "erf": lambda z: (special.erf(z), 2 / np.sqrt(np.pi) * np.exp(-z * z)),
    "gelu": both_of_gelu,
    "silu": both_of_silu,
    "elu": lambda z: (np.where(z > 0, z, np.expm1(np.minimum(z, 0))), np.exp(np.minimum(z, 0))),
    "sin": lambda z: (np.sin(z), np.cos(z)),
    "arctan": lambda z: (np.arctan(z), 1 / (1 + z * z)),
    "gaussian": both_of_gaussian,
}


def contenders(family, dtype):
    z = np.random.default_rng(0).standard_normal(SIZE).astype(dtype)
    out = np.empty_like(z), np.empty_like(z)
    phi = activation(family)
    found = {
        "jacspec": lambda: phi_and_derivative(phi, z, out=out),
        "jacspec, fresh arrays": lambda: phi_and_derivative(phi, z),
        "numpy by hand": lambda: NUMPY[family](z),
    }
    if dtype == np.float64:
        found["phi(z), phi.derivative(z)"] = lambda: (phi(z), phi.derivative(z))
    try:
        import torch

        nn, zt = torch.nn.functional, torch.from_numpy(z)
        functions = {
            "relu": torch.relu,
            "softplus": lambda x: nn.softplus(x, threshold=1e9),
            "tanh": torch.tanh,
            "sigmoid": torch.sigmoid,
            "erf": torch.erf,
            "gelu": nn.gelu,
            "silu": nn.silu,
            "elu": nn.elu,
            "sin": torch.sin,
            "arctan": torch.arctan,
            "gaussian": lambda x: torch.exp(-0.5 * x * x),
        }

        def autograd():
            x = zt.detach().requires_grad_()
            value = functions[family](x)
            (slope,) = torch.autograd.grad(value, x, torch.ones_like(value))
            return value.detach().numpy(), slope.numpy()

        found["torch: phi and autograd"] = autograd
    except ImportError:
        pass
    try:
        import jax

        jax.config.update("jax_enable_x64", True)
        nn, zj = jax.nn, jax.numpy.asarray(z)
        functions = {
            "relu": nn.relu,
            "softplus": nn.softplus,
            "tanh": jax.numpy.tanh,
            "sigmoid": nn.sigmoid,
            "erf": jax.scipy.special.erf,
            "gelu": lambda x: nn.gelu(x, approximate=False),
            "silu": nn.silu,
            "elu": nn.elu,
            "sin": jax.numpy.sin,
            "arctan": jax.numpy.arctan,
            "gaussian": lambda x: jax.numpy.exp(-0.5 * x * x),
        }
        pair = jax.jit(jax.vmap(jax.value_and_grad(functions[family])))
        found["jax: value_and_grad, jit"] = lambda: [np.asarray(a) for a in pair(zj)]
    except ImportError:
        pass
    return found


def check(found, dtype):
    expected = [a.copy() for a in found["jacspec"]()]
    for name, function in found.items():
        for ours, theirs in zip(expected, function(), strict=True):
            assert np.abs(ours - theirs).max() <= 64 * np.finfo(dtype).eps, name


@pytest.mark.parametrize("family", NUMPY)
def test_race_float64(race, family):
    found = contenders(family, np.float64)
    check(found, np.float64)
    race(f"{family} and its derivative, {SIZE:,} numbers", found, 9)


@pytest.mark.parametrize("family", ["softplus", "tanh", "gelu"])
def test_race_float32(race, family):
    found = contenders(family, np.float32)
    check(found, np.float32)
    race(f"{family} and its derivative, {SIZE:,} numbers, float32", found, 9)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("family", FAMILIES)
def test_tile(one, benchmark, family, dtype):
    """One thread; the median over REPEATS * TILE is the time per pair, kept as extra_info["ns per pair"]."""
    z = np.random.default_rng(0).standard_normal(TILE).astype(dtype)
    phi, dphi = np.empty_like(z), np.empty_like(z)
    kernel = compiled(family, z.dtype)
    arguments = z.ctypes.data, TILE, 0.01, phi.ctypes.data, dphi.ctypes.data

    def tiles():
        for _ in range(REPEATS):
            kernel.call(*arguments)

    one(f"{REPEATS} tiles of {TILE}, {dtype}", family, tiles, 20)
    if benchmark.stats:
        benchmark.extra_info["ns per pair"] = 1e9 * benchmark.stats.stats.median / (REPEATS * TILE)
