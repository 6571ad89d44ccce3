"""The command line as a subprocess: what people type, what programs read, and every kind of bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

COMMAND = [sys.executable, "-c", "from verification.cli import run; run()"]
ROOT = Path(__file__).resolve().parent.parent


def jacspec(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "80"},
        timeout=300,
        check=False,
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with one of each kind of trouble, and one good matrix."""
    rng = np.random.default_rng(0)
    good = rng.standard_normal((6, 3))
    np.save(tmp_path / "good.npy", good)
    np.save(tmp_path / "zero_row.npy", np.vstack([good, np.zeros(3)]))
    np.save(tmp_path / "nan.npy", np.where(good > 1, np.nan, good))
    np.save(tmp_path / "inf.npy", np.vstack([good, [np.inf, 0, 1]]))
    np.save(tmp_path / "vector.npy", good[:, 0])
    np.save(tmp_path / "empty.npy", np.zeros((0, 3)))
    np.save(tmp_path / "words.npy", np.array([["a", "b"], ["c", "d"]]))
    np.savez(tmp_path / "two.npz", A=good, B=good)
    (tmp_path / "not_really.npy").write_text("this is text\n")
    (tmp_path / "truncated.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:100])
    (tmp_path / "ragged.csv").write_text("1,2,3\n4,5\n")
    (tmp_path / "words.csv").write_text("a,b\n1,2\n3,x\n")
    (tmp_path / "nothing.csv").write_text("")
    np.savetxt(tmp_path / "zeros.csv", np.zeros(6), delimiter=",")
    np.savetxt(tmp_path / "short.csv", np.ones(4), delimiter=",")
    return tmp_path


BAD = {
    "no such file": (["constants", "missing.npy"], "missing.npy"),
    "not unit": (["constants", "good.npy"], "--normalize"),
    "zero row": (["constants", "zero_row.npy", "--normalize"], "number 6"),
    "not a number": (["constants", "nan.npy", "--normalize"], "nan"),
    "infinite": (["constants", "inf.npy", "--normalize"], "inf"),
    "not 2-D": (["constants", "vector.npy", "--normalize"], "shape"),
    "no rows": (["constants", "empty.npy", "--normalize"], "empty"),
    "words": (["constants", "words.npy", "--normalize"], "dtype"),
    "text as npy": (["constants", "not_really.npy"], "not_really.npy"),
    "truncated": (["constants", "truncated.npy", "--normalize"], "truncated.npy"),
    "ragged": (["constants", "ragged.csv", "--normalize"], "line 2"),
    "a word in a table": (["constants", "words.csv", "--normalize"], "line 3"),
    "empty file": (["constants", "nothing.csv", "--normalize"], "nothing.csv"),
    "two keys": (["constants", "two.npz", "--normalize"], "A, B"),
    "no such key": (["constants", "two.npz::C", "--normalize"], "A"),
    "a folder": (["constants", ".", "--normalize"], "."),
    "labels zero": (["constants", "good.npy", "--normalize", "--labels", "zeros.csv"], "labels"),
    "labels short": (["constants", "good.npy", "--normalize", "--labels", "short.csv"], "6"),
    "labels unknown": (["constants", "good.npy", "--normalize", "--labels", "sign:seed=0"], "signs"),
    "rows empty": (["constants", "good.npy", "--normalize", "--rows", "4:4"], "rows"),
    "rows words": (["constants", "good.npy", "--normalize", "--rows", "a:b"], "rows"),
    "spec kind": (["constants", "sper:n=5,d=3"], "sphere"),
    "spec missing": (["constants", "sphere:n=5"], "d"),
    "spec value": (["constants", "sphere:n=five,d=3"], "five"),
    "spec key": (["constants", "sphere:n=5,d=3,sed=1"], "seed"),
    "spec zero": (["constants", "sphere:n=0,d=3"], "n"),
    "sklearn name": (["constants", "sklearn:digit", "--normalize"], "digits"),
    "activation": (["constants", "sphere:n=5,d=3", "-a", "sofplus"], "softplus"),
    "formula": (["constants", "sphere:n=5,d=3", "-a", "expr:x*sigmod(x)"], "sigmoid"),
    "delta": (["constants", "sphere:n=5,d=3", "--delta", "-1"], "delta"),
    "delta nan": (["constants", "sphere:n=5,d=3", "--delta", "nan"], "delta"),
    "nu": (["widths", "sphere:n=5,d=3", "--nu", "1"], "nu"),
    "failure": (["widths", "sphere:n=5,d=3", "--failure", "1.5"], "failure"),
    "eta bar": (["widths", "sphere:n=5,d=3", "--eta-bar", "2"], "--eta-bar"),
    "not a float": (["widths", "sphere:n=5,d=3", "--nu", "two"], "two"),
    "seed": (["constants", "sphere:n=5,d=3", "--seed", "-1"], "seed"),
    "hermite": (["constants", "sphere:n=5,d=3", "--hermite", "0"], "hermite"),
    "digits": (["constants", "sphere:n=5,d=3", "--digits", "0"], "digits"),
    "output folder": (["constants", "sphere:n=5,d=3", "-o", "nowhere/x.json"], "nowhere"),
    "command": (["constant", "sphere:n=5,d=3"], "constants"),
    "option": (["constants", "sphere:n=5,d=3", "--normalise"], "--normalize"),
    "no data": (["constants"], "DATA"),
    "slug": (["verify", "jacobian-lipshitz"], "jacobian-lipschitz"),
    "claims slug": (["claims", "schur"], "schur"),
    "instance text": (["verify", "jacobian-lipschitz", "--instance", "n"], "--instance"),
    "instance alone": (["verify", "--instance", "n=1"], "SLUG"),
    "instance value": (["verify", "jacobian-lipschitz", "--instance", "n=2,d=2"], "rows"),
    "alpha": (["verify", "jacobian-lipschitz", "--alpha", "0"], "alpha"),
    "examples": (["verify", "jacobian-lipschitz", "--examples", "0"], "examples"),
    "jobs": (["verify", "jacobian-lipschitz", "--jobs", "0"], "jobs"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_exit_2_and_nothing_written(name: str, files: Path) -> None:
    arguments, word = BAD[name]
    before = sorted(files.iterdir())
    extra = [] if "-o" in arguments else ["-o", "out.txt"]
    done = jacspec(*arguments, *extra, cwd=files)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("jacspec: error: ")
    assert word in lines[0]
    assert sorted(files.iterdir()) == before


def test_constants_json_has_the_contract() -> None:
    done = jacspec("constants", "sphere:n=12,d=5", "--json", "-a", "swish", "-a", "tanh", "-a", "relu")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "jacspec.constants/1"
    assert set(document) >= {"schema", "version", "seed", "data", "spectrum", "activations"}
    assert set(document["data"]) >= {
        "source", "n", "d", "rank", "sha256", "repeated_rows", "antipodal_rows", "row_norm_defect",
    }  # fmt: skip
    estimates = {"spectral_norm", "sigma_min", "khatri_rao_norm", "khatri_rao_sigma_min", "kappa", "separation"}
    assert set(document["spectrum"]) == estimates | {"norm_2_to_4_squared"}
    assert list(document["activations"]) == ["silu", "tanh", "relu"]
    tanh = document["activations"]["tanh"]
    assert tanh["mu_phi"]["exact_zero"] is True
    assert document["activations"]["relu"]["B2"]["value"] == "inf"
    for name in estimates:
        assert set(document["spectrum"][name]) >= {"value", "radius", "rigorous", "exact_zero"}
    for row in tanh["widths"]:
        assert set(row) >= {
            "claim", "variant", "k", "verdict", "reason", "trains", "step_size", "rate", "iterations",
            "failure_probability", "assumes",
        }  # fmt: skip
        assert row["verdict"] in ("OK", "VACUOUS")
        assert (row["k"] is None) == (row["verdict"] == "VACUOUS")
        assert row["k"] is None or row["k"] % 2 == 0
    paper = next(row for row in tanh["widths"] if row["variant"] == "paper")
    assert paper["verdict"] == "VACUOUS"
    assert "mu_phi" in paper["reason"]
    assert all(row["k"] is None and row["constants_dropped"] for row in document["literature"])


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = (
        jacspec("constants", "clusters:n=30,d=6,groups=5,angle=0.1,seed=3", "--json", "--seed", "7") for _ in "ab"
    )
    assert first.returncode == 0
    assert first.stdout == second.stdout


def test_quiet_json_and_output_file(tmp_path: Path) -> None:
    done = jacspec("widths", "sphere:n=8,d=4", "--json", "-a", "softplus", "-o", "out.json", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == ""
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["schema"] == "jacspec.widths/1"
    assert list(tmp_path.iterdir()) == [tmp_path / "out.json"]


def test_void_rows_say_why_and_dropped_constants_never_look_like_widths() -> None:
    done = jacspec("widths", "sphere:n=10,d=3", "-a", "tanh", "-a", "relu")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "mu_phi = 0 exactly: phi' is even" in text
    assert "phi' of relu jumps" in text
    assert "constants dropped by the sources" in text
    assert " x C" in text
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_repeated_rows_void_what_they_void(tmp_path: Path) -> None:
    rows = np.array([[3.0, 4.0], [6.0, 8.0], [1.0, 0.0]])
    np.savetxt(tmp_path / "x.csv", rows, delimiter=",", header="a,b", comments="")
    done = jacspec("constants", "x.csv", "--normalize", "--json", "-a", "relu", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert document["data"]["repeated_rows"] == [[0, 1]]
    assert document["spectrum"]["khatri_rao_sigma_min"]["exact_zero"] is True
    assert document["activations"]["relu"]["lambda"]["exact_zero"] is True
    kept = json.loads(jacspec("constants", "x.csv", "--normalize", "--drop-repeated", "--json", cwd=tmp_path).stdout)
    assert kept["data"]["n"] == 2
    assert kept["activations"]["relu"]["lambda"]["value"] > 0.1


def test_real_data_prints_no_negative_eigenvalue() -> None:
    for name in ("iris", "wine"):
        done = jacspec("constants", f"sklearn:{name}", "--normalize", "--json")
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        estimates = [e for e in document["spectrum"].values() if "value" in e]
        estimates += [a[key] for a in document["activations"].values() for key in ("lambda", "lambda_output")]
        for e in estimates:
            assert e["value"] == "inf" or e["value"] - e["radius"] >= 0


def test_proved_digits_on_request() -> None:
    done = jacspec("constants", "sphere:n=3,d=2", "-a", "relu", "-a", "tanh", "--digits", "30", "--hermite", "3")
    assert "mu_1 = 0.398942280401432677939946059934" in done.stdout
    assert "mu_1 = 0\n" in done.stdout


def test_verify_reports_writes_junit_and_reproduces(tmp_path: Path) -> None:
    arguments = ["verify", "jacobian-lipschitz", "schur-bounds", "--examples", "40", "--seed", "5", "--json"]
    done = jacspec(*arguments, "--junitxml", "report.xml", "--jobs", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "jacspec.verify/1"
    assert (document["seed"], document["alpha"]) == (5, 0.01)
    assert [claim["id"] for claim in document["claims"]] == ["jacobian-lipschitz", "schur-bounds"]
    for claim in document["claims"]:
        for variant in claim["variants"]:
            assert variant["verdict"] == "HOLDS"
            assert variant["decided"] > 0
            assert variant["min_slack"] == "inf" or variant["min_slack"] >= 1 - 1e-9
    suite = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert suite.get("failures") == "0"
    assert len(suite) == sum(len(claim["variants"]) for claim in document["claims"])
    alone = json.loads(jacspec(*arguments, "--jobs", "1", cwd=tmp_path).stdout)
    for one, two in zip(alone["claims"], document["claims"], strict=True):
        assert {**one, "seconds": 0} == {**two, "seconds": 0}


def test_verify_one_instance_and_a_data_set() -> None:
    spec = "n=1,d=1,rows=line,phi=gaussian,k=2,v=spike,spread=0.0,step=0.001,move=one"
    done = jacspec("verify", "jacobian-lipschitz", "--instance", spec)
    assert done.returncode == 0, done.stderr
    assert "HOLDS" in done.stdout
    done = jacspec("verify", "jacobian-lipschitz", "--data", "sphere:n=20,d=5", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["claims"][0]["variants"][0]["decided"] > 10


def test_nothing_decided_is_exit_5() -> None:
    # A claim about general matrices has nothing to say of a data set.
    done = jacspec("verify", "schur-bounds", "--data", "sphere:n=5,d=3")
    assert done.returncode == 5


def test_claims_lists_and_shows() -> None:
    listing = jacspec("claims")
    assert listing.returncode == 0, listing.stderr
    assert "jacobian-lipschitz" in listing.stdout
    shown = jacspec("claims", "jacobian_lipschitz", "--json")
    (claim,) = json.loads(shown.stdout)["claims"]
    assert claim["id"] == "jacobian-lipschitz"
    assert len(claim["mutants"]) >= 2


def test_a_closed_pipe_is_not_an_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [*COMMAND, "claims"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(writer)
    _, errors = process.communicate(timeout=120)
    assert errors == ""
    assert process.returncode == 0  # not 1, which means "violated"


@pytest.mark.parametrize("command", [[], ["constants"], ["widths"], ["claims"], ["verify"], ["sharpen"]])
def test_help_fits_80_columns(command: list[str]) -> None:
    done = jacspec(*command, "--help")
    assert done.returncode == 0
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_version() -> None:
    import jacspec as package

    assert package.__version__ in jacspec("--version").stdout


def test_the_draws_do_not_depend_on_the_number_of_workers() -> None:
    """In a checkout too, where Hypothesis would mine the constants of whatever modules a process has loaded."""
    words = ("verify", "jacobian-norm", "gd-one-step", "schur-bounds", "khatri-rao-gram", "--examples", "60", "--json")
    found = []
    for jobs in ("1", "2"):
        document = json.loads(jacspec(*words, "--jobs", jobs).stdout)
        found.append([{k: v for k, v in claim.items() if k != "seconds"} for claim in document["claims"]])
    assert found[0] == found[1]
