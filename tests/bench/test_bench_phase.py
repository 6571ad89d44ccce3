"""Trainings per second of a whole small phase diagram: a column of cells, some of which fit early and some never.

The peers get the problems ready-made, one compiled function for each width. "scan" makes every step of the budget, as
one writes it first; "while" stops a width when all of its trials have ended, and so does PyTorch, which looks every 50
steps. A run that has ended goes on in the peers while others of its batch do. The count of fits must agree, but for
runs that rounding decides.
"""

from __future__ import annotations

import numpy as np
import pytest

from jacspec._jit import threads
from verification.store import Store
from verification.sweep import Configuration, Key, Plan, run_trials
from verification.sweep.engines import Processes
from verification.sweep.sweep import Sweep

N, WIDTHS, TRIALS, STEPS, TOLERANCE = 100, (6, 8, 12, 16), 16, 2000, 1e-3
CONFIG = Configuration(d=20, steps=STEPS, tolerance=TOLERANCE)
KEYS = [Key(N, k, t) for k in WIDTHS for t in range(TRIALS)]


def stacked():
    """For each width: X, W, v, y, eta of all trials."""
    out = []
    for k in WIDTHS:
        problems = [CONFIG.problem(N, k, t) for t in range(TRIALS)]
        out.append(
            (
                np.stack([p.X for p in problems]),
                np.stack([p.net.W for p in problems]),
                np.stack([p.net.v for p in problems]),
                np.stack([p.y for p in problems]),
                np.array([p.eta for p in problems]),
            )
        )
    return out


def jax_contenders(parts):
    try:
        import jax
    except ImportError:
        return {}
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def residual(w, x, v, y):
        return jax.nn.softplus(x @ w.T) @ v - y

    def step(w, x, v, y, eta):
        return w - eta * jax.grad(lambda w: 0.5 * jnp.sum(residual(w, x, v, y) ** 2))(w)

    def scan(x, w, v, y, eta):
        first = jnp.linalg.norm(residual(w, x, v, y))

        def body(carry, _):
            w, best = carry
            best = jnp.minimum(best, jnp.linalg.norm(residual(w, x, v, y)))
            return (step(w, x, v, y, eta), best), None

        (w, best), _ = jax.lax.scan(body, (w, first), None, length=STEPS)
        return jnp.minimum(best, jnp.linalg.norm(residual(w, x, v, y))) <= TOLERANCE * first

    def loop(x, w, v, y, eta):
        first = jnp.linalg.norm(residual(w, x, v, y))

        def going(state):
            w, t = state
            return (t < STEPS) & (jnp.linalg.norm(residual(w, x, v, y)) > TOLERANCE * first)

        w, _ = jax.lax.while_loop(going, lambda state: (step(state[0], x, v, y, eta), state[1] + 1), (w, 0))
        return jnp.linalg.norm(residual(w, x, v, y)) <= TOLERANCE * first

    data = [tuple(jnp.asarray(a) for a in part) for part in parts]
    found = {}
    for name, one in (("jax vmap + scan", scan), ("jax vmap + while", loop)):
        run = jax.jit(jax.vmap(one))
        found[name] = lambda run=run: sum(int(np.sum(np.asarray(run(*part)))) for part in data)
    return found


def torch_contenders(parts):
    try:
        import torch
    except ImportError:
        return {}

    def step(w, x, v, y, eta):
        z = x @ w.T
        r = torch.nn.functional.softplus(z) @ v - y
        return w - eta * ((torch.sigmoid(z) * v * r[:, None]).T @ x), torch.linalg.norm(r)

    vmapped = torch.vmap(step)
    data = [tuple(torch.from_numpy(a.copy()) for a in part) for part in parts]

    def run():
        fits = 0
        with torch.no_grad():
            for x, w, v, y, eta in data:
                first, done = None, torch.zeros(TRIALS, dtype=torch.bool)
                for t in range(STEPS + 1):
                    w, size = vmapped(w, x, v, y, eta)
                    first = size if first is None else first
                    done |= size <= TOLERANCE * first
                    if t % 50 == 0 and bool(done.all()):
                        break
                fits += int(done.sum())
        return fits

    return {"torch vmap": run}


def test_race_phase(race):
    """The unit is a sweep on all cores: data, step sizes, early ends and the store included, starting workers not."""
    parts = stacked()
    plan = Plan(CONFIG, (N,), WIDTHS, trials=TRIALS, most=TRIALS)
    engine = Processes(threads())

    def ours():
        return sum(row.fitted for row in run_trials(CONFIG, KEYS))

    def swept():
        with Store(None, CONFIG) as store:
            Sweep(plan, store, engine).run()
            return sum(row.fitted for row in store.rows())

    found = {
        f"jacspec, {threads()} processes": swept,
        "jacspec run_trials, one process": ours,
        **jax_contenders(parts),
        **torch_contenders(parts),
    }
    with engine:
        expected = ours()
        assert 0 < expected < len(KEYS)
        assert swept() == expected
        for name, run in found.items():
            assert run() == pytest.approx(expected, abs=3), name
        race(f"{len(KEYS)} trials of a phase diagram, n = {N}, d = 20, at most {STEPS} steps", found, 3)
