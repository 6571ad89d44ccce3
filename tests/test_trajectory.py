"""Trajectories as values and as files."""

from __future__ import annotations

import json
import os

import naive
import numpy as np
import pytest

from jacspec import Activation, InputError, ShallowNet, Trajectory, train


def a_run(name="softplus", **options):
    X, W, v, y = naive.problem(12, 4, 8)
    given = {"eta": 0.02, "steps": 30, "checkpoints": [0, 30], **options}
    return train(ShallowNet(W, v / 3, name), X, y, **given)


RUNS = {
    "gd": {},
    "sgd": {"algorithm": "sgd", "batch": 2, "seed": 5},
    "output": {"trains": "output"},
    "float32": {"dtype": "float32"},
    "formula": {"name": "expr:x*sigmoid(x)"},
    "slope": {"name": "leaky_relu:slope=0.25"},
    "diverged": {"eta": 1e5, "steps": 500, "name": "quadratic"},
    "warned": {"eta": 5.0, "steps": 1},
}


@pytest.mark.parametrize("kind", RUNS)
def test_what_is_loaded_is_what_was_saved(tmp_path, kind) -> None:
    run = a_run(**RUNS[kind])
    path = tmp_path / "run.npz"
    run.save(path)
    again = Trajectory.load(path)
    for name in ("X", "y", "steps", "residual_norms", "distances", "path_lengths"):
        assert getattr(again, name).tobytes() == getattr(run, name).tobytes()
        assert not getattr(again, name).flags.writeable
    for net, other in ((again.start, run.start), (again.end, run.end)):
        assert net.W.tobytes() == other.W.tobytes()
        assert net.v.tobytes() == other.v.tobytes()
    assert again.start.activation.name == run.start.activation.name
    assert again.to_json() == run.to_json()
    assert os.stat(path).st_mode & 0o044 or os.umask(0) is None


def test_a_loaded_run_can_be_repeated_bit_by_bit(tmp_path) -> None:
    run = a_run(algorithm="sgd", seed=9, every=4)
    run.save(tmp_path / "run.npz")
    old = Trajectory.load(tmp_path / "run.npz")
    new = train(
        old.start, old.X, old.y, algorithm=old.algorithm, eta=old.eta, batch=old.batch, seed=old.seed, steps=old.step,
        every=4,
    )  # fmt: skip
    assert new.end.W.tobytes() == old.end.W.tobytes()
    assert new.residual_norms.tobytes() == old.residual_norms.tobytes()


def test_every_flipped_bit_is_noticed(tmp_path) -> None:
    path = tmp_path / "run.npz"
    a_run().save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    untouched = Trajectory.load(path).to_json()
    for position in rng.choice(len(whole), size=150, replace=False):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            found = Trajectory.load(path)
        except InputError:
            continue
        assert found.to_json() == untouched  # a bit of the container that carries no content (a date, padding)


BROKEN = {
    "missing": (lambda path: path.unlink(), "exists"),
    "empty": (lambda path: path.write_bytes(b""), "Trajectory.save"),
    "text": (lambda path: path.write_text("hello"), "Trajectory.save"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-40]), "Trajectory.save"),
    "other arrays": (lambda path: np.savez(path, A=np.eye(2)), "other arrays"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_other_files_are_refused_by_name(tmp_path, kind) -> None:
    path = tmp_path / "run.npz"
    a_run().save(path)
    damage, words = BROKEN[kind]
    damage(path)
    with pytest.raises(InputError, match="path") as caught:
        Trajectory.load(path)
    assert words in str(caught.value)
    assert "run.npz" in str(caught.value)


def test_another_version_is_refused(tmp_path) -> None:
    from jacspec.training import trajectory as module

    path = tmp_path / "run.npz"
    a_run().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    meta = json.loads(arrays["meta"].tobytes())
    meta["format"] = "jacspec.trajectory/99"
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    del arrays["sha256"]
    arrays["sha256"] = np.frombuffer(module.array_digest(arrays), dtype=np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="trajectory/99"):
        Trajectory.load(path)


def test_places_that_cannot_be_written(tmp_path) -> None:
    run = a_run()
    with pytest.raises(InputError, match="ends in"):
        run.save(tmp_path / "run.json")
    with pytest.raises(InputError, match="can be written"):
        run.save(tmp_path / "nowhere" / "run.npz")
    assert list(tmp_path.iterdir()) == []


def test_python_functions_are_not_saved(tmp_path) -> None:
    own = Activation.from_callables("mine", np.tanh, lambda z: 1 - np.tanh(z) ** 2)
    X, W, v, y = naive.problem(5, 3, 4)
    run = train(ShallowNet(W, v, own), X, y, eta=0.01, steps=3)
    with pytest.raises(InputError, match="made of Python functions"):
        run.save(tmp_path / "run.npz")


def test_rates_by_hand() -> None:
    """One row, linear phi: r_{t+1} = (1 - eta ||v||^2) r_t exactly."""
    run = train(ShallowNet([[1.0]], [0.5], "linear"), [[1.0]], [3.0], eta=0.4, steps=20)
    assert run.measured_rate == pytest.approx(0.1, rel=1e-12)
    assert run.final_rate == pytest.approx(0.1, rel=1e-9)
    assert run.relative_residual == pytest.approx(0.9**20, rel=1e-12)
    # A straight line: the path is the distance, the sum of a geometric series.
    assert run.path_lengths[-1] == pytest.approx(0.4 * 0.5 * 2.5 * (1 - 0.9**20) / 0.1, rel=1e-12)
    assert run.distances[-1] == pytest.approx(run.path_lengths[-1], rel=1e-12)


def test_json_is_finite_text() -> None:
    text = json.dumps(a_run(**RUNS["diverged"]).to_json(), allow_nan=False)
    assert '"status": "diverged"' in text
