"""Gradient descent against what one could have installed instead, and against the arithmetic alone at its best speed.

Peers are optional: PyTorch (autograd, the gradient by hand, `torch.compile`) and JAX (`jit` with `lax.scan`, `vmap`).
Every contender makes the same number of steps from the same start, and the last residuals must agree.
"""

from __future__ import annotations

import warnings

import naive
import numpy as np
import pytest

from jacspec import ShallowNet, train, train_many

#: n, d, k, steps of a measurement
SIZES = [(200, 20, 100, 1000), (1000, 100, 1000, 50), (10_000, 100, 2000, 10)]
ETA = 1e-3
#: Pairs of phi and phi' in one call of the floor: 384 KiB.
PAIRS = 16_384
#: phi and phi' as one writes them by hand in NumPy.
BY_HAND = {
    "softplus": (lambda z: np.logaddexp(0, z), lambda z: 1 / (1 + np.exp(-z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}


def problem(n, d, k):
    X, W, v, y = naive.problem(n, d, k)
    return X, W, v / np.sqrt(k), y


def ours(X, W, v, y, name, steps):
    net = ShallowNet(W, v, name)
    return lambda: train(net, X, y, eta=ETA, steps=steps, every=steps).residual_norms[-1]


def by_hand(X, W, v, y, name, steps):
    phi, dphi = BY_HAND[name]

    def run():
        w = W.copy()
        for _ in range(steps):
            z = X @ w.T
            r = phi(z) @ v - y
            w -= ETA * ((dphi(z) * v * r[:, None]).T @ X)
        return np.linalg.norm(phi(X @ w.T) @ v - y)

    return run


def floor(X, W, v, y, name, steps):
    """As many flops in products and as many pairs of phi and phi', at the best speed of either, and nothing else.

    Every core multiplies squares of 256 by BLAS, the size that suits it best, and evaluates pairs that stay in its
    cache. No step can be faster without better products or a better phi.
    """
    from jacspec._jit import run_tasks, threads
    from jacspec.elementwise.compiled import compiled

    call, cores = compiled(name, np.dtype(np.float64)).call, threads()
    products = max(1, round(4 * X.size * len(v) * steps / (2 * 256**3) / cores))
    passes = max(1, round(len(X) * len(v) * steps / PAIRS / cores))

    def worker():
        rng = np.random.default_rng(0)
        A, B, C = rng.standard_normal((256, 256)), rng.standard_normal((256, 256)), np.empty((256, 256))
        z, phi, dphi = rng.standard_normal(PAIRS), np.empty(PAIRS), np.empty(PAIRS)
        places = z.ctypes.data, PAIRS, 0.0, phi.ctypes.data, dphi.ctypes.data

        def work():
            for _ in range(products):
                np.dot(A, B, out=C)
            for _ in range(passes):
                call(*places)
            return z, phi, dphi  # which `places` points to

        return work

    tasks = [worker() for _ in range(cores)]
    return lambda: run_tasks(tasks)


def torch_contenders(X, W, v, y, name, steps):
    try:
        import torch
    except ImportError:
        return {}
    Xt, vt, yt = (torch.from_numpy(a) for a in (X, v, y))
    phi = {"softplus": torch.nn.functional.softplus, "tanh": torch.tanh}[name]
    dphi = {"softplus": torch.sigmoid, "tanh": lambda z: 1 - torch.tanh(z) ** 2}[name]

    def step(w):
        z = Xt @ w.T
        r = phi(z) @ vt - yt
        return w - ETA * ((dphi(z) * vt * r[:, None]).T @ Xt)

    def loop(function):
        def run():
            w = torch.from_numpy(W.copy())
            with torch.no_grad():
                for _ in range(steps):
                    w = function(w)
                return float(torch.linalg.norm(phi(Xt @ w.T) @ vt - yt))

        return run

    def autograd():
        w = torch.from_numpy(W.copy()).requires_grad_()
        for _ in range(steps):
            (g,) = torch.autograd.grad(0.5 * ((phi(Xt @ w.T) @ vt - yt) ** 2).sum(), w)
            with torch.no_grad():
                w -= ETA * g
        return float(torch.linalg.norm(phi(Xt @ w.detach().T) @ vt - yt))

    found = {"torch eager, autograd": autograd, "torch eager, by hand": loop(step)}
    compiled = torch_compiled(step, torch.from_numpy(W.copy()))
    return found if compiled is None else found | {"torch.compile, by hand": loop(compiled)}


def torch_compiled(function, *arguments):
    """torch.compile, warmed up; None where there is no compiler, which the table says by the contender's absence."""
    import torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            made = torch.compile(function)
            made(*arguments)
        except RuntimeError:
            return None
    return made


def jax_contenders(X, W, v, y, name, steps):
    try:
        import jax
    except ImportError:
        return {}
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    Xj, vj, yj = (jnp.asarray(a) for a in (X, v, y))
    phi = {"softplus": jax.nn.softplus, "tanh": jnp.tanh}[name]
    loss = jax.grad(lambda w: 0.5 * jnp.sum((phi(Xj @ w.T) @ vj - yj) ** 2))

    @jax.jit
    def scan(w):
        w, _ = jax.lax.scan(lambda w, _: (w - ETA * loss(w), None), w, None, length=steps)
        return jnp.linalg.norm(phi(Xj @ w.T) @ vj - yj)

    Wj = jnp.asarray(W)
    return {"jax jit + scan": lambda: float(scan(Wj))}


@pytest.mark.parametrize("name", ["softplus", "tanh"])
@pytest.mark.parametrize("n, d, k, steps", SIZES)
def test_race_descent(race, n, d, k, steps, name):
    given = (*problem(n, d, k), name, steps)
    found = {"jacspec": ours(*given), "numpy by hand": by_hand(*given)}
    found |= torch_contenders(*given) | jax_contenders(*given)
    expected = found["jacspec"]()
    for contender, run in found.items():
        assert run() == pytest.approx(expected, rel=1e-9), contender
    found["the machine's floor"] = floor(*given)
    race(f"{steps} GD steps, n = {n}, d = {d}, k = {k}, {name}, float64", found, 9 if n <= 1000 else 3)


# -- many small trainings -------------------------------------------------------------------------------------------

MANY, N, D, STEPS = 100, 60, 10, 2000


def small_problems(name):
    rng = np.random.default_rng(5)
    widths = [2 + 2 * (i % 10) for i in range(MANY)]  # 2, 4, ..., 20
    out = []
    for k in widths:
        X = rng.standard_normal((N, D))
        X /= np.linalg.norm(X, axis=1)[:, None]
        v = np.full(k, 1 / np.sqrt(k))
        v[k // 2 :] *= -1
        out.append((X, rng.standard_normal((k, D)), v, rng.standard_normal(N)))
    return out


def padded(problems):
    """One array each, narrow networks padded with units of output weight zero."""
    k = max(len(v) for _, _, v, _ in problems)
    W, V = np.zeros((MANY, k, D)), np.zeros((MANY, k))
    for i, (_, w, v, _) in enumerate(problems):
        W[i, : len(v)], V[i, : len(v)] = w, v
    return np.stack([p[0] for p in problems]), W, V, np.stack([p[3] for p in problems])


def many_contenders(problems, name):
    X, W, V, y = padded(problems)
    phi, dphi = BY_HAND[name]

    def batched():
        w = W.copy()
        for _ in range(STEPS):
            z = X @ w.transpose(0, 2, 1)
            r = np.einsum("bnk,bk->bn", phi(z), V) - y
            w -= ETA * ((dphi(z) * V[:, None, :] * r[:, :, None]).transpose(0, 2, 1) @ X)
        return np.linalg.norm(np.einsum("bnk,bk->bn", phi(X @ w.transpose(0, 2, 1)), V) - y, axis=1)

    found = {"numpy batched": batched}
    try:
        import jax
    except ImportError:
        pass
    else:
        jax.config.update("jax_enable_x64", True)
        jnp = jax.numpy
        f = {"softplus": jax.nn.softplus, "tanh": jnp.tanh}[name]

        def residual(w, x, v, y):
            return f(x @ w.T) @ v - y

        def one(w, x, v, y):
            slope = jax.grad(lambda w: 0.5 * jnp.sum(residual(w, x, v, y) ** 2))
            w, _ = jax.lax.scan(lambda w, _: (w - ETA * slope(w), None), w, None, length=STEPS)
            return jnp.linalg.norm(residual(w, x, v, y))

        run = jax.jit(jax.vmap(one))
        data = tuple(jnp.asarray(a) for a in (W, X, V, y))
        found["jax vmap + scan, padded"] = lambda: np.asarray(run(*data))
        widths = sorted({len(p[2]) for p in problems})
        parts = {k: [i for i, p in enumerate(problems) if len(p[2]) == k] for k in widths}
        cut = {k: tuple(jnp.asarray(a[i]) for a in (W[:, :k], X, V[:, :k], y)) for k, i in parts.items()}

        def by_width():
            out = np.empty(MANY)
            for k, i in parts.items():
                out[i] = np.asarray(run(*cut[k]))
            return out

        found["jax vmap + scan, by width"] = by_width
    try:
        import torch
    except ImportError:
        return found
    Xt, Vt, yt = (torch.from_numpy(a) for a in (X, V, y))
    g = {"softplus": torch.nn.functional.softplus, "tanh": torch.tanh}[name]
    dg = {"softplus": torch.sigmoid, "tanh": lambda z: 1 - torch.tanh(z) ** 2}[name]

    def step(w, x, v, y):
        z = x @ w.T
        r = g(z) @ v - y
        return w - ETA * ((dg(z) * v * r[:, None]).T @ x)

    def vmapped(function):
        def run():
            w = torch.from_numpy(W.copy())
            with torch.no_grad():
                for _ in range(STEPS):
                    w = function(w, Xt, Vt, yt)
                z = torch.bmm(Xt, w.transpose(1, 2))
                return torch.linalg.norm(torch.einsum("bnk,bk->bn", g(z), Vt) - yt, dim=1).numpy()

        return run

    found["torch vmap"] = vmapped(torch.vmap(step))
    compiled = torch_compiled(torch.vmap(step), torch.from_numpy(W.copy()), Xt, Vt, yt)
    return found if compiled is None else found | {"torch.compile(vmap)": vmapped(compiled)}


@pytest.mark.parametrize("name", ["softplus", "tanh"])
def test_race_many(race, name):
    problems = small_problems(name)
    nets = [ShallowNet(W, v, name) for _, W, v, _ in problems]
    Xs, ys = [p[0] for p in problems], [p[3] for p in problems]

    def together():
        return train_many(nets, Xs, ys, eta=ETA, steps=STEPS).residual_norms

    def one_by_one():
        return np.array(
            [
                train(net, X, y, eta=ETA, steps=STEPS, every=STEPS).residual_norms[-1]
                for net, X, y in zip(nets, Xs, ys, strict=True)
            ]
        )

    found = {"jacspec train_many": together, "jacspec train, one by one": one_by_one}
    found |= many_contenders(problems, name)
    expected = together()
    for contender, run in found.items():
        assert run() == pytest.approx(expected, rel=1e-9), contender
    race(f"{MANY} trainings of {STEPS} steps, n = {N}, d = {D}, k = 2..20, {name}, float64", found, 3)
