"""Many trainings at once: the same as one by one, whatever the company."""

from __future__ import annotations

import math
import signal

import naive
import numpy as np
import pytest
from test_training import ETA, descend, drift

from jacspec import InputError, ShallowNet, train, train_many
from jacspec.training import batch as module

NAMES = ["softplus", "tanh", "relu", "leaky_relu", "sin", "quadratic"]


def problems(count, n, d, widths, name, seed=0):
    nets, Xs, ys = [], [], []
    for i in range(count):
        X, W, v, y = naive.problem(n, d, widths[i % len(widths)], seed + i)
        nets.append(ShallowNet(W, v / math.sqrt(len(v)), name))
        Xs.append(X)
        ys.append(y)
    return nets, Xs, ys


@pytest.mark.parametrize("n, d, widths", [(1, 1, [1]), (6, 3, [2, 5]), (61, 4, [20, 3, 8]), (130, 2, [64])])
@pytest.mark.parametrize("name", NAMES)
def test_each_is_the_textbooks(n, d, widths, name) -> None:
    nets, Xs, ys = problems(11, n, d, widths, name)
    batch = train_many(nets, Xs, ys, eta=ETA, steps=5, every=1)
    for i, (net, X, y) in enumerate(zip(nets, Xs, ys, strict=True)):
        residuals, _, _, w = descend(X, net.W, net.v, y, name, ETA, 5)
        moved, shifted = drift(X, net.W, net.v, y, name, ETA, 5)
        assert np.linalg.norm(batch.nets[i].W - w) <= moved
        assert np.all(np.abs(batch.curves[i] - residuals[:-1]) <= shifted)
        assert abs(batch.residual_norms[i] - residuals[-1]) <= shifted
        assert abs(batch.initial_residual_norms[i] - residuals[0]) <= shifted
    assert batch.steps.tolist() == [5] * 11
    assert batch.records.tolist() == [0, 1, 2, 3, 4]


def test_a_result_does_not_depend_on_its_company(monkeypatch: pytest.MonkeyPatch) -> None:
    nets, Xs, ys = problems(19, 20, 4, [2, 6, 11, 3], "tanh")
    together = train_many(nets, Xs, ys, steps=300, tolerance=0.3, every=10)
    order = np.random.default_rng(0).permutation(19)[:13]
    monkeypatch.setattr(module, "_CHUNK_SECONDS", 1e-9)
    fewer = train_many(*([part[i] for i in order] for part in (nets, Xs, ys)), steps=300, tolerance=0.3, every=10)
    for place, i in enumerate(order):
        assert fewer.nets[place].W.tobytes() == together.nets[i].W.tobytes()
        assert fewer.statuses[place] == together.statuses[i]
        assert fewer.steps[place] == together.steps[i]
        m = min(len(fewer.records), len(together.records))
        assert np.array_equal(fewer.curves[place][:m], together.curves[i][:m])


@pytest.mark.parametrize("processors", [1, 3])
def test_a_lane_whose_run_has_ended_gets_the_next_problem(processors, monkeypatch: pytest.MonkeyPatch) -> None:
    """40 runs of 1 to 300 steps in eight lanes, each the same as with a lane for itself; kernels see few idle lanes."""
    monkeypatch.setattr(module, "threads", lambda: processors)
    nets, Xs, ys = problems(40, 12, 5, [8, 4, 2, 12], "softplus")
    etas = np.geomspace(0.002, 0.3, 40)[np.random.default_rng(0).permutation(40)]
    evaluations = 0
    run = module._Group._run

    def counted(group, steps):
        nonlocal evaluations
        made = run(group, steps)
        evaluations += made
        return made

    monkeypatch.setattr(module._Group, "_run", counted)
    batch = train_many(nets, Xs, ys, eta=list(etas), steps=300, tolerance=0.6, every=7)
    assert len(set(batch.steps.tolist())) > 15
    assert set(batch.statuses) == {"converged", "budget"}
    needed = int(np.sum(batch.steps + 1))
    assert evaluations * 8 <= needed + processors * 8 * 301  # at the end of the queue lanes stay empty, not before
    for i in range(40):
        alone = train_many([nets[i]], [Xs[i]], [ys[i]], eta=float(etas[i]), steps=300, tolerance=0.6, every=7)
        assert alone.nets[0].W.tobytes() == batch.nets[i].W.tobytes()
        assert (alone.statuses[0], alone.steps[0]) == (batch.statuses[i], batch.steps[i])
        assert alone.residual_norms[0] == batch.residual_norms[i]
        assert np.array_equal(alone.curves[0], batch.curves[i][: len(alone.records)])


def test_mixed_activations_and_shapes() -> None:
    parts = [problems(3, 10, 4, [6], "tanh"), problems(2, 12, 4, [6], "tanh"), problems(4, 10, 3, [2], "relu")]
    nets, Xs, ys = ([x for part in lists for x in part] for lists in zip(*parts, strict=True))
    batch = train_many(nets, Xs, ys, eta=ETA, steps=7)
    for i, (net, X, y) in enumerate(zip(nets, Xs, ys, strict=True)):
        moved, _ = drift(X, net.W, net.v, y, net.activation.name, ETA, 7)
        assert np.linalg.norm(batch.nets[i].W - train(net, X, y, eta=ETA, steps=7).end.W) <= moved
        assert batch.nets[i].k == net.k


def test_endings_are_those_of_train() -> None:
    nets, Xs, ys = problems(10, 12, 5, [8], "softplus")
    ys[3] = nets[3](Xs[3])  # fitted already, up to rounding
    etas = [0.3] * 10
    etas[5] = 1e9
    batch = train_many(nets, Xs, ys, eta=etas, steps=2000, tolerance=1e-2)
    for i in (0, 1, 2, 4, 6, 7, 8, 9):
        alone = train(nets[i], Xs[i], ys[i], eta=0.3, steps=2000, tolerance=1e-2)
        assert batch.statuses[i] == alone.status
        assert abs(int(batch.steps[i]) - alone.step) <= 1  # rounding may shift the step by one
        assert batch.relative_residuals[i] <= 1e-2 or alone.status == "budget"
    assert batch.statuses[5] == "diverged"
    assert batch.steps[5] < 2000
    assert np.all(np.isfinite(batch.nets[5].W))


def test_one_that_has_ended_stands_still() -> None:
    nets, Xs, ys = problems(8, 12, 5, [8], "softplus")
    loose = train_many(nets, Xs, ys, eta=0.3, steps=500, tolerance=0.5, every=1)
    assert set(loose.statuses) == {"converged"}
    for i in range(8):
        at = int(loose.steps[i])
        assert loose.residual_norms[i] <= 0.5 * loose.initial_residual_norms[i] < loose.curves[i][:at].min()
        assert np.all(loose.curves[i][at:] == loose.residual_norms[i])
        exact = train_many([nets[i]], [Xs[i]], [ys[i]], eta=0.3, steps=at)
        assert exact.nets[0].W.tobytes() == loose.nets[i].W.tobytes()


def test_a_start_that_fits_makes_no_step() -> None:
    net = ShallowNet(np.zeros((2, 3)), np.ones(2), "linear")
    batch = train_many([net], [np.eye(3)], [np.zeros(3)], eta=0.1, steps=10)
    assert batch.statuses == ("converged",)
    assert batch.steps[0] == 0
    assert batch.relative_residuals[0] == 0


def test_automatic_steps_and_powers_of_two() -> None:
    nets, Xs, ys = problems(3, 12, 5, [8], "gelu")
    batch = train_many(nets, Xs, ys, steps=5, eta_bar=0.5)
    for i in range(3):
        assert batch.eta[i] == train(nets[i], Xs[i], ys[i], steps=0, eta_bar=0.5).eta
    scaled = [ShallowNet(net.W, np.ldexp(net.v, -300), "gelu") for net in nets]
    small = train_many(scaled, Xs, [np.ldexp(y, -300) for y in ys], steps=5, eta_bar=0.5)
    for i in range(3):
        assert small.residual_norms[i] == pytest.approx(math.ldexp(batch.residual_norms[i], -300), rel=1e-9)


def test_ctrl_c_keeps_what_there_is() -> None:
    nets, Xs, ys = problems(5, 12, 5, [8], "softplus")
    pressed = []

    def press(step: int, moving: int) -> None:
        assert moving == 5
        if step >= 3 and not pressed:
            pressed.append(step)
            signal.raise_signal(signal.SIGINT)

    batch = train_many(nets, Xs, ys, eta=ETA, steps=10**8, progress=press)
    assert batch.statuses == ("interrupted",) * 5
    assert np.all(batch.steps == batch.steps[0])
    exact = train_many(nets, Xs, ys, eta=ETA, steps=int(batch.steps[0]))
    assert [net.W.tobytes() for net in exact.nets] == [net.W.tobytes() for net in batch.nets]


def test_ctrl_c_reaches_those_that_wait() -> None:
    nets, Xs, ys = problems(50, 12, 5, [8], "softplus")
    waiting = []

    def press(step: int, moving: int) -> None:
        waiting.append(moving)
        if len(waiting) == 3:
            signal.raise_signal(signal.SIGINT)

    batch = train_many(nets, Xs, ys, eta=ETA, steps=10**8, progress=press)
    assert waiting == [50] * 3
    assert set(batch.statuses) == {"interrupted"}
    assert min(batch.steps) == 0 < max(batch.steps)
    for i in np.flatnonzero(batch.steps == 0):
        assert batch.nets[i].W.tobytes() == nets[i].W.tobytes()
        assert batch.residual_norms[i] == pytest.approx(np.linalg.norm(nets[i](Xs[i]) - ys[i]), rel=1e-12)
    first = int(np.argmax(batch.steps))
    exact = train_many([nets[first]], [Xs[first]], [ys[first]], eta=ETA, steps=int(batch.steps[first]))
    assert exact.nets[0].W.tobytes() == batch.nets[first].W.tobytes()


def test_a_tolerance_whose_square_underflows_is_met_by_zero() -> None:
    net = ShallowNet(np.zeros((2, 3)), np.ones(2), "linear")
    batch = train_many([net], [np.eye(3)], [np.array([1.0, 0, 0])], eta=0.5, steps=10, tolerance=1e-200)
    assert batch.statuses == ("converged",)
    assert batch.steps[0] == 1
    none = train_many([net], [np.eye(3)], [np.array([1.0, 0, 0])], eta=0.5, steps=10, tolerance=0.0)
    assert none.statuses == ("budget",)


BAD = {
    "nothing": (([], [], []), {}, "at least one"),
    "lengths": ((None, None, [np.ones(3)] * 2), {}, "as many of each"),
    "net": ((["softplus"], None, None), {}, "nets[0]"),
    "own activation": (([ShallowNet(np.eye(3), np.ones(3), "expr:x*x")], None, None), {}, "built-in"),
    "X": ((None, [np.full((3, 3), np.nan)], None), {}, "Xs[0]"),
    "y": ((None, None, [np.ones(2)]), {}, "ys[0]"),
    "eta": ((None, None, None), {"eta": -1.0}, "eta"),
    "etas": ((None, None, None), {"eta": [0.1, 0.2]}, "one for each"),
    "eta word": ((None, None, None), {"eta": "big"}, "auto"),
    "steps": ((None, None, None), {"steps": 0}, "at least 1"),
    "tolerance": ((None, None, None), {"tolerance": -0.1}, "tolerance"),
    "every": ((None, None, None), {"every": 0}, "every"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case) -> None:
    given, options, words = BAD[case]
    usual = ([ShallowNet(np.eye(3), np.ones(3), "tanh")], [np.eye(3)], [np.ones(3)])
    nets, Xs, ys = (own if part is None else part for own, part in zip(usual, given, strict=True))
    with pytest.raises(InputError) as caught:
        train_many(nets, Xs, ys, **{"eta": 0.1, **options})
    assert words in str(caught.value)
