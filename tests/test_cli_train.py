"""`jacspec train` as people type it and as programs read it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from test_cli import COMMAND, ROOT, jacspec

from jacspec import Trajectory

SMALL = ("train", "sphere:n=12,d=6", "--steps", "200", "--width", "8")


def test_a_run_and_what_was_promised() -> None:
    done = jacspec(*SMALL, "--tolerance", "0.6")
    assert done.returncode == 0
    assert done.stderr == ""
    for words in ("softplus, k = 8", "converged", "theorem-gd-smooth (paper)", "gd-kantorovich", "not met", "Next:"):
        assert words in done.stdout
    assert "random signs" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 100


def test_json_and_nothing_else(tmp_path) -> None:
    done = jacspec(*SMALL, "--json", "--seed", "7", "-a", "tanh")
    document = json.loads(done.stdout)
    assert document["schema"] == "jacspec.train/1"
    assert document["seed"] == 7
    assert document["run"]["activation"] == "tanh"
    assert len(document["curves"]["steps"]) == len(document["curves"]["residual_norms"])
    assert document["curves"]["steps"][0] == 0
    assert document["curves"]["steps"][-1] == document["run"]["steps"]
    assert {g["claim"] for g in document["guarantees"]} == {"theorem-gd-smooth", "gd-convergence", "gd-kantorovich"}
    again = json.loads(jacspec(*SMALL, "--json", "--seed", "7", "-a", "tanh").stdout)
    for part in (document, again):
        part["run"].pop("seconds")
    assert again == document
    out = tmp_path / "run.json"
    assert jacspec(*SMALL, "--json", "-o", str(out)).stdout == ""
    assert json.loads(out.read_text())["schema"] == "jacspec.train/1"


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_plot_and_saved_run(tmp_path, suffix) -> None:
    plot, save = tmp_path / f"run.{suffix}", tmp_path / "run.npz"
    done = jacspec(*SMALL, "--plot", str(plot), "--save", str(save), "--quiet")
    assert done.returncode == 0
    assert plot.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")
    run = Trajectory.load(save)
    assert run.start.k == 8
    assert run.step == 200
    first = plot.read_bytes()
    jacspec(*SMALL, "--plot", str(plot), "--quiet")
    assert plot.read_bytes() == first
    if suffix == "svg":
        assert "theorem-gd-smooth, paper" in first.decode()
        assert "not met" in first.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--algorithm", "sgd", "--batch", "3", "--eta", "0.1"),
        ("--trains", "output"),
        ("--dtype", "float32"),
        ("-a", "relu"),
        ("-a", "expr:x*sigmoid(x)"),
        ("--no-bounds", "--checkpoints", "0"),
        ("--labels", "normal:seed=3", "--tolerance", "0"),
        ("--steps", "0"),
    ],
)
def test_ways_to_train(arguments) -> None:
    done = jacspec(*SMALL, *arguments, "--no-bounds")
    assert done.returncode == 0, done.stderr
    assert "budget" in done.stdout or "converged" in done.stdout


def test_real_data_with_its_own_labels() -> None:
    done = jacspec("train", "sklearn:iris", "--normalize", "--steps", "50", "-a", "gelu")
    assert done.returncode == 0, done.stderr
    assert "random signs" not in done.stdout
    assert "sklearn:iris" in done.stdout


def test_a_step_too_large_is_warned_of_and_divergence_is_said() -> None:
    done = jacspec(*SMALL, "--eta", "0.5")
    assert "warning: eta = 0.5 exceeds" in done.stdout
    assert "beta" in done.stdout
    done = jacspec(*SMALL, "--eta", "1e9", "-a", "quadratic")
    assert done.returncode == 5
    assert "diverged" in done.stdout


def test_default_width_has_four_weights_a_row() -> None:
    run = json.loads(jacspec("train", "sphere:n=30,d=7", "--steps", "1", "--json").stdout)["run"]
    assert run["k"] * 7 >= 4 * 30
    assert (run["k"] - 2) * 7 < 4 * 30


BAD = {
    "odd width": (["--width", "7"], "even"),
    "no width": (["--width", "0"], "at least 2"),
    "eta": (["--eta", "fast"], "--eta"),
    "eta 0": (["--eta", "0"], "eta"),
    "eta bar": (["--eta-bar", "2"], "--eta-bar"),
    "steps": (["--steps", "-1"], "--steps"),
    "tolerance": (["--tolerance", "1"], "--tolerance"),
    "batch": (["--batch", "4"], "batch"),
    "activation": (["-a", "softpuls"], "did you mean 'softplus'"),
    "algorithm": (["--algorithm", "adam"], "algorithm"),
    "no step": (["-a", "quadratic"], "B1 = sup"),
    "plot": (["--plot", "run.gif"], ".png"),
    "plot folder": (["--plot", "nowhere/run.png"], "--plot"),
    "save": (["--save", "run.txt"], ".npz"),
    "save folder": (["--save", "nowhere/run.npz"], "--save"),
    "checkpoints": (["--checkpoints", "-1"], "--checkpoints"),
    "nu": (["--nu", "1"], "--nu"),
    "labels": (["--labels", "signs:sed=1"], "seed"),
    "y = 0": (["--labels", "zeros.npy"], "zero"),
    "float32 formula": (["--dtype", "float32", "-a", "expr:x*x", "--eta", "0.1"], "no compiled kernel"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_writes_nothing(case, tmp_path) -> None:
    np.save(tmp_path / "zeros.npy", np.zeros(12))
    arguments, words = BAD[case]
    done = jacspec("train", "sphere:n=12,d=6", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["zeros.npy"]


def test_ctrl_c_keeps_the_run(tmp_path) -> None:
    save = tmp_path / "run.npz"
    words = [
        "train",
        "sphere:n=200,d=10",
        "--width",
        "200",
        "--steps",
        "1000000000",
        "--tolerance",
        "0",
        "-a",
        "softplus",
    ]
    with subprocess.Popen(
        [*COMMAND, *words, "--eta", "1e-4", "--save", str(save)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        time.sleep(4)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted after" in out
    assert "interrupted after" in err
    assert Trajectory.load(save).status == "interrupted"


def test_help_has_an_example() -> None:
    done = jacspec("train", "--help")
    assert "Example:" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_progress_stays_off_pipes() -> None:
    code = (
        "import sys; from verification.cli.train import _progress\nwith _progress(False) as p: sys.exit(p is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=False, cwd=ROOT).returncode == 0
