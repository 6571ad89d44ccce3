"""`jacspec phase` as people type it, pulling the plug included."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_cli import COMMAND, ROOT, jacspec

#: 9 cells, 8 of which are run; a second of work and the start of the interpreter.
SMALL = ("phase", "--d", "4", "--n", "6:14:4", "--k", "2:6:2", "--trials", "5", "--most", "9", "--steps", "300")
SMALL += ("--tolerance", "0.05")
#: Long enough to be interrupted: thousands of small bundles.
LONG = ("phase", "--d", "5", "--n", "30", "--k", "6:10:2", "--trials", "4000", "--most", "4000", "--steps", "500")
ONE = ("--workers", "1", "--no-theorems")


def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "80"}


def started(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*COMMAND, *arguments], text=True, env=environment(), cwd=cwd, **pipes)


def wait_for_rows(path: Path, count: int, process: subprocess.Popen[str]) -> None:
    import sqlite3

    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            database = sqlite3.connect(path)
            try:
                if database.execute("SELECT count(*) FROM trials").fetchone()[0] >= count:
                    return
            except sqlite3.OperationalError:
                pass  # not made yet
            finally:
                database.close()
        time.sleep(0.05)
    raise AssertionError(f"no {count} rows; exit {process.poll()}: {process.communicate()}")


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_diagram(tmp_path) -> None:
    done = jacspec(*SMALL, *ONE, "--certify", "--store", "a.db", "--plot", "a.svg", "--export", "a.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in ("sphere, d = 4", "impossible: k d < n", "fitted trials are proved", "half fitted at k", "Next:"):
        assert words in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    picture = (tmp_path / "a.svg").read_text()
    assert "every trial proved" in picture
    assert "n = kd" in picture
    made = rows_of(tmp_path / "a.csv")
    assert {(int(r["n"]), int(r["k"])) for r in made} == {(n, k) for n in (6, 10, 14) for k in (2, 4, 6) if 4 * k >= n}
    again = jacspec(*SMALL, *ONE, "--certify", "--store", "a.db", "--resume", "--plot", "b.svg", cwd=tmp_path)
    assert f"{len(made)} trials were there already" in again.stdout
    assert (tmp_path / "b.svg").read_bytes() == (tmp_path / "a.svg").read_bytes()


def test_json_and_nothing_else(tmp_path) -> None:
    done = jacspec(*SMALL, "--workers", "1", "--json", "--seed", "7", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert document["schema"] == "jacspec.phase/1"
    assert document["seed"] == document["configuration"]["seed"] == 7
    assert document["complete"] is True
    assert document["grid"] == {"n": [6, 10, 14], "k": [2, 4, 6], "trials": 5, "most": 9, "within": None}
    assert len(document["cells"]) == 9
    for cell in document["cells"]:
        assert cell["verdict"] in ("impossible", "fits", "fails", "open")
        assert 0 <= cell["low"] <= cell["fraction"] <= cell["high"] <= 1
        assert cell["certified"] is None
    assert [t["n"] for t in document["transition"]] == [6, 10, 14]
    assert {row["claim"] for row in document["theorems"]} == {"theorem-gd-smooth"}
    assert document["run"]["trials"] == sum(cell["trials"] for cell in document["cells"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("-a", "relu", "--certify", "--labels", "signs"),
        ("--algorithm", "sgd"),
        ("--data", "gaussian", "--eta", "theorem", "--below"),
        ("--data", "clusters:groups=3,angle=0.5", "--eta", "0.1"),
        ("--data", "sklearn:iris", "--labels", "own", "--n", "8,20", "--k", "4:16:log3"),
        ("-a", "expr:x*sigmoid(x)", "--steps", "20"),
        ("--steps", "2n^2", "--within", "3"),
        ("--n", "8", "--k", "4", "--trials", "1", "--most", "1"),
    ],
)
def test_ways_to_sweep(arguments, tmp_path) -> None:
    done = jacspec(*SMALL, *ONE, *arguments, "--plot", "a.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_parquet(tmp_path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert jacspec(*SMALL, *ONE, "--export", "a.parquet", "--export", "a.parquet", cwd=tmp_path).returncode == 0
    assert parquet.read_table(tmp_path / "a.parquet").num_rows >= 40


BAD = {
    "odd width": (["--k", "3"], "even"),
    "no size": (["--n", ""], "--n"),
    "range": (["--n", "9:3:1"], "9:3:1"),
    "d": (["--d", "0"], "--d"),
    "trials": (["--trials", "0"], "--trials"),
    "most": (["--most", "2"], "--most"),
    "alpha": (["--alpha", "1"], "--alpha"),
    "activation": (["-a", "softpuls"], "did you mean 'softplus'"),
    "data": (["--data", "nowhere.npy"], "nowhere.npy"),
    "rows": (["--data", "sklearn:iris", "--n", "500"], "at most 1"),
    "clusters": (["--data", "clusters:grups=2"], "did you mean 'groups'"),
    "own labels": (["--labels", "own"], "bring no labels"),
    "eta": (["--eta", "fast"], "--eta"),
    "steps": (["--steps", "0"], "--steps"),
    "within": (["--within", "0"], "--within"),
    "steps word": (["--steps", "2m^2"], "2n^2"),
    "tolerance": (["--tolerance", "0"], "--tolerance"),
    "certify": (["--certify", "-a", "expr:x*x"], "built-in"),
    "plot": (["--plot", "a.gif"], ".png"),
    "plot folder": (["--plot", "nowhere/a.png"], "--plot"),
    "export": (["--export", "a.txt"], ".parquet"),
    "store folder": (["--store", "nowhere/a.db"], "--store"),
    "not a store": (["--store", "text.db"], "not a database"),
    "resume": (["--resume"], "--store FILE"),
    "workers": (["--workers", "0"], "--workers"),
    "both": (["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "either"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_writes_nothing(case, tmp_path) -> None:
    (tmp_path / "text.db").write_text("this is no database but a file of somebody's\n" * 30)
    arguments, words = BAD[case]
    done = jacspec(*SMALL, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["text.db"]


def test_another_configuration_and_a_store_in_use_are_refused(tmp_path) -> None:
    assert jacspec(*SMALL, *ONE, "--store", "a.db", cwd=tmp_path).returncode == 0
    done = jacspec(*SMALL, *ONE, "--store", "a.db", cwd=tmp_path)
    assert done.returncode == 2
    assert "--resume" in done.stderr
    done = jacspec(*SMALL, *ONE, "--store", "a.db", "--resume", "-a", "tanh", cwd=tmp_path)
    assert done.returncode == 2
    assert "activation = 'softplus'" in done.stderr
    wider = jacspec(*SMALL, *ONE, "--store", "a.db", "--resume", "--n", "6:18:4", cwd=tmp_path)
    assert wider.returncode == 0  # a larger grid of the same configuration goes on with what is there


def test_kill_and_resume_give_the_bits_of_one_run(tmp_path) -> None:
    words = [*LONG[:7], "--trials", "300", "--most", "300", "--steps", "500", *ONE[2:]]
    straight = jacspec(*words, "--workers", "1", "--export", "straight.csv", cwd=tmp_path)
    assert straight.returncode == 0, straight.stderr
    with started(*words, "--workers", "2", "--store", "a.db", cwd=tmp_path) as process:
        wait_for_rows(tmp_path / "a.db", 16, process)
        process.send_signal(signal.SIGKILL)
    done = jacspec(*words, "--workers", "1", "--store", "a.db", "--resume", "--export", "a.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "trials were there already" in " ".join(done.stdout.split())
    assert rows_of(tmp_path / "a.csv") == rows_of(tmp_path / "straight.csv")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_keeps_what_there_is(tmp_path, workers) -> None:
    words = [*LONG, "--workers", workers, "--no-theorems", "--store", "a.db", "--export", "a.csv"]
    with started(*words, cwd=tmp_path) as process:
        wait_for_rows(tmp_path / "a.db", 16, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted after" in err
    assert "--resume" in err
    assert len(err.strip().splitlines()) == 1
    assert "half fitted" in out
    kept = rows_of(tmp_path / "a.csv")
    assert len(kept) >= 16
    done = jacspec("report", "--phase", "a.db", cwd=tmp_path)  # what there is can be reported on
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.html").read_text()
    assert f"{len(kept)} trials were there already" in page
    assert page.count("<svg") == 1


def test_workers_end_with_a_parent_that_is_killed(tmp_path) -> None:
    with started(*LONG, "--workers", "2", "--no-theorems", "--store", "a.db", cwd=tmp_path) as process:
        wait_for_rows(tmp_path / "a.db", 16, process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            pytest.skip("needs /proc")
        workers = [int(pid) for pid in children.read_text().split()]
        assert workers
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in workers):
        time.sleep(0.1)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


# -- a cluster ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two worker processes on this machine; gives the address and the workers."""
    pytest.importorskip("distributed")
    contact = tmp_path / "scheduler.json"
    common = {"env": environment(), "cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    module = [sys.executable, "-m"]
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    processes = [
        subprocess.Popen(
            [*module, "distributed.cli.dask_scheduler", *local, "--port", "0", "--scheduler-file", str(contact)],
            **common,
        )
    ]
    try:
        deadline = time.monotonic() + 60
        while not contact.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.2)
        worker = [
            "distributed.cli.dask_worker",
            *local,
            "--nthreads",
            "1",
            "--no-nanny",
            "--scheduler-file",
            str(contact),
        ]
        processes += [subprocess.Popen([*module, *worker], **common) for _ in range(2)]
        yield json.loads(contact.read_text())["address"], processes[1:]
    finally:
        for process in processes[::-1]:
            process.kill()
            process.wait()


def test_a_cluster_gives_the_same_bits_though_a_worker_is_killed(tmp_path, cluster) -> None:
    address, workers = cluster
    words = [*LONG[:7], "--trials", "300", "--most", "300", "--steps", "500", "--no-theorems"]
    with started(*words, "--scheduler", address, "--store", "a.db", "--export", "a.csv", cwd=tmp_path) as process:
        wait_for_rows(tmp_path / "a.db", 16, process)
        workers[0].kill()
        out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert f"900 trials on the cluster at {address}" in out
    straight = jacspec(*words, "--workers", "1", "--export", "straight.csv", cwd=tmp_path)
    assert straight.returncode == 0, straight.stderr
    assert rows_of(tmp_path / "a.csv") == rows_of(tmp_path / "straight.csv")


@pytest.mark.parametrize("address", ["nonsense", "foo://h:1", "tcp://127.0.0.1:9", "listens but is no scheduler"])
def test_no_scheduler_there(tmp_path: Path, address: str) -> None:
    """The process ends, too: dask's own client waits for ever when its constructor has failed."""
    pytest.importorskip("distributed")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if " " in address:
            address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        code = (
            "import sys; import verification.sweep.engines as e; e._SCHEDULER_PATIENCE = 1\n"
            "from verification.cli import main\n"
            f"sys.exit(main({[*SMALL, '--scheduler', address]!r}))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment(),
            check=False,
            timeout=60,
        )
    assert done.returncode == 2
    assert "a dask scheduler that answers" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_help_has_an_example() -> None:
    done = jacspec("phase", "--help")
    assert "Example:" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_the_picture_repeats(tmp_path) -> None:
    for name in ("a.png", "b.png"):
        assert jacspec(*SMALL, *ONE, "--plot", name, "--seed", "3", cwd=tmp_path).returncode == 0
    first, second = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second
    assert np.frombuffer(first[16:24], dtype=">u4").min() > 600
