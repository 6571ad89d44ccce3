"""`jacspec certify` as people type it and as programs read it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_cli import jacspec

from jacspec import ShallowNet, train
from jacspec.certificates import Certificate


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nearly fits 12 rows."""
    path = tmp_path_factory.mktemp("runs") / "run.npz"
    arguments = ("train", "sphere:n=12,d=6", "--width", "20", "--steps", "20000", "--tolerance", "1e-9", "--no-bounds")
    done = jacspec(*arguments, "--save", str(path))
    assert done.returncode == 0, done.stderr
    return path


def test_certified_saved_and_checked(run: Path, tmp_path: Path) -> None:
    saved = tmp_path / "c.npz"
    done = jacspec("certify", str(run), "--save", str(saved))
    assert done.returncode == 0, done.stderr
    for words in (
        "CERTIFIED",
        "interpolation-certificate",
        "Zero loss is attained within",
        "sigma_min(J)",
        "rate",
        "Next:",
    ):
        assert words in done.stdout
    assert done.stderr == ""
    assert Certificate.load(saved).certified
    check = jacspec("certify", "--check", str(saved))
    assert check.returncode == 0
    assert check.stdout.startswith("VALID")
    assert "proved: sigma_min(J) >=" in check.stdout
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 4
    saved.write_bytes(bytes(content))
    check = jacspec("certify", "--check", str(saved), "--json")
    assert check.returncode == 1
    document = json.loads(check.stdout)
    assert document["verdict"] == "INVALID"
    assert "SHA-256" in document["reason"]


def test_json(run: Path, tmp_path: Path) -> None:
    document = json.loads(jacspec("certify", str(run), "--json").stdout)
    assert document["schema"] == "jacspec.certificate/1"
    assert document["verdict"] == "CERTIFIED"
    assert document["weights"].startswith("end of the run")
    assert document["h"]["rigorous"]
    out = tmp_path / "c.json"
    assert jacspec("certify", str(run), "--json", "-o", str(out)).stdout == ""
    assert json.loads(out.read_text()) == document


def test_the_start_is_not_certified_until_polished(run: Path, tmp_path: Path) -> None:
    saved = tmp_path / "c.npz"
    done = jacspec("certify", str(run), "--initial", "--save", str(saved))
    assert done.returncode == 5
    assert "NOT CERTIFIED" in done.stdout
    assert "not below 1" in done.stdout
    assert not saved.exists()
    polished = jacspec("certify", str(run), "--initial", "--polish", "20")
    assert polished.returncode == 0
    assert "Gauss-Newton step" in polished.stdout


def test_methods_and_steps(run: Path) -> None:
    newton = json.loads(jacspec("certify", str(run), "--method", "newton", "--json").stdout)
    assert newton["method"] == "newton-certificate"
    assert newton["rate"] is None
    stepped = json.loads(jacspec("certify", str(run), "--eta", "0.01", "--json").stdout)
    assert stepped["eta"] == 0.01
    assert jacspec("certify", str(run), "--method", "relu").returncode == 5


def test_relu_and_divergence(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, 6))
    X /= np.linalg.norm(X, axis=1)[:, None]
    y = rng.choice([-1.0, 1.0], 8)
    path = tmp_path / "run.npz"
    train(ShallowNet.initialize(20, 6, "relu", y=y), X, y, steps=20_000, tolerance=1e-8).save(path)
    done = jacspec("certify", str(path))
    assert done.returncode == 0, done.stdout
    assert "none across a kink" in done.stdout
    bad = train(ShallowNet.initialize(20, 6, "quadratic", y=y), X, y, steps=500, eta=100.0)
    assert bad.status == "diverged"
    bad.save(path)
    done = jacspec("certify", str(path))
    assert done.returncode == 5
    assert "diverged" in done.stdout


def test_a_run_that_stops_when_proved(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    arguments = ("train", "sphere:n=12,d=6", "--width", "20", "--steps", "50000", "--stop", "certified", "--no-bounds")
    done = jacspec(*arguments, "--save", str(path))
    assert done.returncode == 0, done.stderr
    assert "stopped" in done.stdout
    assert "certified (interpolation-certificate)" in done.stdout
    assert jacspec("certify", str(path)).returncode == 0
    document = json.loads(jacspec(*arguments, "--json").stdout)
    assert document["certificate"]["verdict"] == "CERTIFIED"
    short = jacspec(*arguments[:5], "5", *arguments[6:])
    assert "not certified" in short.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{run}x",), "FILE: got"),
        (("{run}", "--polish", "-1"), "--polish"),
        (("{run}", "--eta", "long"), "--eta"),
        (("{run}", "--eta", "-1"), "eta"),
        (("{run}", "--save", "c.txt"), "--save"),
        (("{run}", "--check", "--initial"), "--check"),
        (("{other}",), "certificates are for --check"),
        (("{run}", "--method", "kantorowitsch"), "kantorowitsch"),
    ],
)
def test_bad_input(run: Path, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    other = tmp_path / "other.npz"
    np.savez(other, X=np.ones(3))
    done = jacspec("certify", *(a.format(run=run, other=other) for a in arguments))
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_run_is_no_certificate(run: Path) -> None:
    done = jacspec("certify", "--check", str(run))
    assert (done.returncode, done.stdout) == (2, "")
    assert "this is a run; `jacspec certify" in done.stderr
    other = run.with_name("other.npz")
    other.write_bytes(run.read_bytes()[:-9])  # neither a run nor a certificate
    done = jacspec("certify", "--check", str(other))
    assert done.returncode == 1
    assert "INVALID" in done.stdout


def test_output_layers_stop_by_no_certificate() -> None:
    done = jacspec("train", "sphere:n=12,d=6", "--trains", "output", "--stop", "certified")
    assert done.returncode == 2
    assert "--stop" in done.stderr
