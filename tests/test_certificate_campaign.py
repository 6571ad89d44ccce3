"""Random small problems, certified and proved again; --slow: 10,000 certificates and 500 interpolators."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import flint
import numpy as np
import pytest
from families import KINKED, SMOOTH

from jacspec import ShallowNet
from jacspec.certificates import Certificate, certify
from verification.recheck import recheck
from verification.recheck.activations import smooth
from verification.recheck.balls import precision

Floats = np.ndarray[Any, np.dtype[np.float64]]


def rows(rng: np.random.Generator, n: int, d: int) -> Floats:
    """Unit rows, small integers, rows of all lengths; some equal, opposite or nearly equal."""
    X = rng.standard_normal((n, d))
    kind = rng.random()
    if kind < 0.6:
        X /= np.linalg.norm(X, axis=1)[:, None]
    elif kind < 0.7:
        X = rng.integers(-2, 3, (n, d)).astype(float)
    elif kind < 0.8:
        X *= 10.0 ** rng.uniform(-6, 4, (n, 1))
    twin = rng.random()
    if n > 1 and twin < 0.03:
        X[-1] = X[0]
    elif n > 1 and twin < 0.06:
        X[-1] = -X[0]
    elif n > 1 and twin < 0.15:
        X[-1] = X[0] + 10.0 ** rng.uniform(-14, -1) * X[-1]
    return X


def network(rng: np.random.Generator, n: int, d: int, name: str) -> ShallowNet:
    """Also with k d = n and k d < n, units that cancel, units that are zero, and weights of any size."""
    k = int(rng.integers(1, 13))
    if rng.random() < 0.2:
        k = max(1, n // d)
    W = rng.standard_normal((k, d)) * 10.0 ** rng.choice([0, 0, 0, -3, -8, 1, 2])
    v = rng.standard_normal(k) if rng.random() < 0.7 else rng.choice([-1.0, 1.0], k)
    odd = rng.random()
    if k > 1 and odd < 0.05:
        W[1], v[1] = W[0], -v[0]
    elif odd < 0.1:
        W[0] = 0.0
    elif odd < 0.13:
        v[0] = 0.0
    return ShallowNet(W, v, name)


def tried(rng: np.random.Generator) -> Certificate | None:
    """A certificate, or a refusal; None where f overflows. Half of the residuals put h near 1."""
    smooth_one = rng.random() < 0.72
    name = str(rng.choice(SMOOTH if smooth_one else KINKED))
    n, d = int(rng.integers(1, 11)), int(rng.integers(1, 7))
    X, net = rows(rng, n, d), network(rng, n, d, name)
    scale = 10.0 ** rng.choice([0, 0, rng.uniform(-30, 30), rng.uniform(-150, 150)])
    stretch = 10.0 ** rng.choice([0, 0, 0, rng.uniform(-100, 100)])
    X, net = X * stretch, ShallowNet(net.W / stretch, net.v * scale, name)
    u = rng.standard_normal(n)
    u /= np.linalg.norm(u)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        f = net(X)
        y = f + scale * 10.0 ** rng.uniform(-14, 0.5) * u
        if smooth_one and rng.random() < 0.5 and np.all(np.isfinite(f)):
            base = certify(net, X, f, method="kantorovich")
            if base.certified and base.lipschitz is not None and base.lipschitz.upper > 0:
                assert base.sigma_min is not None
                share = rng.choice([rng.uniform(0, 3), 1.0, 1 - 10.0 ** rng.uniform(-15, -1)])
                y = f + share * (base.sigma_min.value / base.lipschitz.value) * base.sigma_min.value / 2 * u
        elif rng.random() < 0.1:
            y = f if rng.random() < 0.5 else np.zeros(n)
    if not (np.all(np.isfinite(y)) and np.all(np.isfinite(f))):
        return None
    method: Any = str(rng.choice(["auto", "kantorovich", "newton"])) if smooth_one else "auto"
    found = certify(net, X, y, method=method, polish=2 * int(rng.random() < 0.1))
    if found.eta is not None and rng.random() < 0.3:  # other steps: short ones, and those beyond 1/beta^2
        eta = found.eta * rng.choice([1.0, 1 + 1e-15, rng.uniform(1e-6, 1), rng.uniform(1, 2)])
        found = certify(net, X, y, method=method, eta=float(eta))
    return found


def test_every_certificate_is_proved_again(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    wanted = 10_000 if request.config.getoption("--slow") else 200
    rng, path, seen = np.random.default_rng(1902), tmp_path / "c.npz", Counter[str]()
    while seen["CERTIFIED"] < wanted:
        found = tried(rng)
        if found is None:
            continue
        seen[found.verdict] += 1
        if found.certified:
            seen[found.method] += 1
            found.save(path)
            finding = recheck(path)
            assert finding.valid, (found.method, finding.reason, found.to_json())
    assert seen["NOT CERTIFIED"] > 0.3 * wanted  # the problems are near the edge
    assert all(seen[m] > wanted / 20 for m in (f"interpolation-certificate{r}" for r in ("", "-relu"))), seen
    assert seen["newton-certificate"] > wanted / 20, seen


def interpolator(c: Certificate) -> tuple[float, float]:
    """What is left of ||r|| after Newton's method on W + range(J^T) in 240 bits, and how far it went, as shares."""
    phi = smooth(c.net.activation.name)
    assert phi is not None
    X, W = (flint.arb_mat([[flint.arb(t) for t in row] for row in A.tolist()]) for A in (c.X, c.net.W))
    y, v = ([flint.arb(t) for t in a.tolist()] for a in (c.y, c.net.v))
    n, k = len(y), len(v)

    def middle(A: Any) -> Any:
        return flint.arb_mat([[t.mid() for t in row] for row in A.tolist()])

    def sums(A: Any, B: Any) -> Any:
        return (A * B.transpose()).tolist()

    def factor(at: Any) -> Any:
        Z = middle(X * at.transpose())
        return flint.arb_mat([[phi.derivative(Z[i, m]) * v[m] for m in range(k)] for i in range(n)])

    gram, D, u = sums(X, X), factor(W), [flint.arb(0)] * n
    first: Any = None
    left: Any = None
    for _ in range(150):
        move = middle(flint.arb_mat([[D[i, m] * u[i] for i in range(n)] for m in range(k)]) * X)
        at = middle(W + move)
        Z = middle(X * at.transpose())
        r = [(sum((phi.value(Z[i, m]) * v[m] for m in range(k)), flint.arb(0)) - y[i]).mid() for i in range(n)]
        left = sum((t * t for t in r), flint.arb(0)).sqrt()
        first = left if first is None else first
        if left <= 1e-40 * first:
            break
        K = sums(factor(at), D)
        H = middle(flint.arb_mat([[K[i][j] * gram[i][j] for j in range(n)] for i in range(n)]))
        step = H.solve(flint.arb_mat([[t] for t in r])).entries()
        u = [(a - b).mid() for a, b in zip(u, step, strict=True)]
    gone = sum((t * t for t in move.entries()), flint.arb(0)).sqrt()
    assert c.distance is not None
    return float(left / first) if first > 0 else 0.0, float(gone / flint.arb(c.distance))


def test_an_interpolator_is_within_the_distance(request: pytest.FixtureRequest) -> None:
    wanted = 500 if request.config.getoption("--slow") else 40
    rng, made, farthest = np.random.default_rng(7), 0, 0.0
    while made < wanted:
        found = tried(rng)
        if found is None or not found.certified or found.method.endswith("relu") or len(found.y) > 6:
            continue
        made += 1
        with precision(240):
            left, share = interpolator(found)
        assert left < 1e-20, found.to_json()
        assert share <= 1, found.to_json()
        farthest = max(farthest, share)
    assert farthest > 0.999  # and some are as far away as that
