"""The store: nothing lost, nothing repeated, nothing mixed up."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from jacspec import InputError
from verification.store import SCHEMA, Store, read_store, write_csv, write_parquet
from verification.sweep import Configuration, Key, Row

ROOT = Path(__file__).resolve().parent.parent
CONFIG = Configuration(d=3, steps=10, certify=True)


def row(n=5, k=2, trial=0, **values) -> Row:
    plain = {"status": "converged", "steps": 7, "eta": 0.1 + 0.2, "relative_residual": 1 / 3, "certified": True}
    return Row(n, k, trial, **plain | {"polish": 1, "distance": 5e-324, "moved": 0.1} | values)


ROWS = [
    row(),
    row(trial=1, status="budget", certified=None, distance=None, polish=0, moved=0.0),
    row(n=7, trial=2**40, status="diverged", relative_residual=math.inf, certified=False, distance=None),
]


def test_rows_come_back_bit_by_bit(tmp_path) -> None:
    with Store(tmp_path / "a.db", CONFIG) as store:
        assert store.add(ROWS) == 3
    with Store(tmp_path / "a.db", CONFIG, resume=True) as store:
        assert store.rows() == sorted(ROWS, key=lambda r: r.key)
        assert [type(r.certified) for r in store.rows()] == [bool, type(None), bool]
        assert store.rows([Key(7, 2, 2**40), Key(9, 2, 0)]) == [ROWS[2]]
        assert store.count() == 3


def test_a_store_tells_its_configuration(tmp_path) -> None:
    with Store(tmp_path / "a ?#%.db", CONFIG) as store:
        store.add(ROWS)
    assert read_store(tmp_path / "a ?#%.db") == (CONFIG, sorted(ROWS, key=lambda r: r.key))
    database = sqlite3.connect(tmp_path / "a ?#%.db")
    database.execute("UPDATE about SET value = replace(value, '\"trials\": 1', '\"trials\": 0')")
    database.commit()
    database.close()
    with pytest.raises(InputError, match="another one"):
        read_store(tmp_path / "a ?#%.db")


def test_a_row_that_is_there_stays_and_other_bits_are_noticed() -> None:
    store = Store(None, CONFIG)
    store.add(ROWS)
    assert store.add([ROWS[0], row(trial=9)]) == 1
    assert store.disagreements == 0
    assert store.add([row(steps=8)]) == 0
    assert store.disagreements == 1
    assert store.rows([Key(5, 2, 0)]) == [ROWS[0]]


def test_all_rows_of_a_call_or_none() -> None:
    store = Store(None, CONFIG)
    with pytest.raises(sqlite3.IntegrityError):
        store.add([row(), row(trial=1, status=None)])
    assert store.count() == 0
    assert store.add([row()]) == 1


def test_the_file_is_in_wal_mode_and_on_the_disk_when_add_returns(tmp_path) -> None:
    with Store(tmp_path / "a.db", CONFIG) as store:
        database = store._database
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        store.add([row()])
        with sqlite3.connect(tmp_path / "a.db") as other:
            assert other.execute("SELECT configuration, n, k, trial FROM trials").fetchall() == [(CONFIG.hash, 5, 2, 0)]
            assert other.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        other.close()


def refused(path, config=CONFIG, resume=True) -> str:
    before = path.read_bytes()
    with pytest.raises(InputError) as caught:
        Store(path, config, resume=resume)
    assert path.read_bytes() == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_refused(tmp_path) -> None:
    path = tmp_path / "a.db"
    with Store(path, CONFIG) as store:
        store.add(ROWS)
    assert "holds 3 trials; expected --resume" in refused(path, resume=False)
    words = refused(path, Configuration(d=4, steps=10, certify=True, activation="relu"))
    assert "activation = 'softplus', d = 3" in words
    assert "activation = 'relu', d = 4" in words

    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    database.close()
    assert f"schema {SCHEMA + 1}; expected schema {SCHEMA}" in refused(path)

    (tmp_path / "text.db").write_text("not a database, but long enough to be taken for one" * 9)
    assert "not a database" in refused(tmp_path / "text.db")
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE t (x)")
    database.close()
    assert "another database" in refused(tmp_path / "other.db")
    with pytest.raises(InputError, match="store"):
        Store(tmp_path / "nowhere" / "a.db", CONFIG)


@pytest.fixture
def nobody(tmp_path_factory: pytest.TempPathFactory):
    """A folder that everyone may read, and nobody in particular who does: to root no file is read-only."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    root = os.geteuid() == 0

    @contextlib.contextmanager
    def protected(path: Path):
        path.chmod(0o444)
        folder.chmod(0o555)
        if root:
            os.seteuid(65534)
        try:
            yield
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)

    yield folder, protected
    shutil.rmtree(folder)


def test_a_store_that_cannot_be_written_can_be_read(nobody) -> None:
    folder, protected = nobody
    path = folder / "a.db"
    with Store(path, CONFIG) as store:
        store.add(ROWS)
    expected = read_store(path)
    for beside in folder.glob("a.db-*"):
        beside.unlink()
    with protected(path):
        assert read_store(path) == expected
        with pytest.raises(InputError, match="only read"), Store(path, CONFIG, resume=True) as store:
            store.need_writable()
    assert [p.name for p in folder.iterdir()] == ["a.db"]
    with Store(path, CONFIG, resume=True) as store:
        path.chmod(0o644)
        store.need_writable()
        assert store.count() == 3


def test_rows_in_a_journal_that_cannot_be_read_are_not_passed_over(nobody) -> None:
    folder, protected = nobody
    path = folder / "a.db"
    with Store(path, CONFIG) as store:
        store.add(ROWS)
        copy = folder / "b.db"
        for end in ("", "-wal"):  # as a kill leaves it
            shutil.copy(f"{path}{end}", f"{copy}{end}")
    assert Path(f"{copy}-wal").stat().st_size
    with protected(copy), pytest.raises(InputError, match=r"copy it, with b\.db-wal"):
        read_store(copy)
    assert len(read_store(copy)[1]) == 3


def test_a_store_without_rows_needs_no_resume(tmp_path) -> None:
    Store(tmp_path / "a.db", CONFIG).close()
    Store(tmp_path / "a.db", CONFIG).close()


WRITER = """
import sys
from verification.store import Store
from verification.sweep import Configuration, Row
store = Store(sys.argv[1], Configuration(d=3, steps=10, certify=True), resume=True)
first, count, own = map(int, sys.argv[2:])
for t in range(first, first + count):
    store.add([Row(5, 2, t, "budget", own, 0.5, t / 7) for t in (2 * t, 2 * t + 1)])
    print(t, flush=True)
"""


def writer(path, *numbers) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(path), *map(str, numbers)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT)


def test_two_processes_write_at_once(tmp_path) -> None:
    """Both open (and create) the file at about the same time; half of their trials are the same."""
    path = tmp_path / "a.db"
    with writer(path, 0, 60, 1) as one, writer(path, 30, 60, 1) as other:
        one.communicate(timeout=120)
        other.communicate(timeout=120)
    assert (one.returncode, other.returncode) == (0, 0)
    with Store(path, CONFIG, resume=True) as store:
        assert [r.trial for r in store.rows()] == list(range(180))
        assert store._database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_kill_loses_nothing_that_was_kept(tmp_path) -> None:
    path = tmp_path / "a.db"
    with writer(path, 0, 100_000, 1) as process:
        assert process.stdout is not None
        for _ in range(20):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
    last = int(rest[-1]) if rest else last
    with Store(path, CONFIG, resume=True) as store:
        there = [r.trial for r in store.rows()]
        assert there == list(range(len(there)))
        assert 2 * (last + 1) <= len(there) <= 2 * (last + 2)  # the one in flight, whole or not at all
        assert store.add([row(trial=len(there))]) == 1


def test_waits_for_another_writer(tmp_path) -> None:
    path = tmp_path / "a.db"
    with Store(path, CONFIG) as store:
        blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        blocker.execute("BEGIN IMMEDIATE")
        threading.Timer(0.5, lambda: blocker.execute("COMMIT")).start()
        began = time.perf_counter()
        assert store.add([row()]) == 1
        assert time.perf_counter() - began > 0.3
        blocker.close()


def test_csv_reads_back_to_the_same_bits() -> None:
    text = io.StringIO()
    write_csv(ROWS, CONFIG, text)
    lines = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert list(lines[0]) == ["configuration", *Row.names()]
    for line, r in zip(lines, ROWS, strict=True):
        assert line["configuration"] == CONFIG.hash
        assert (int(line["n"]), int(line["k"]), int(line["trial"]), line["status"]) == (*r.key, r.status)
        assert float(line["eta"]) == r.eta
        assert float(line["relative_residual"]) == r.relative_residual
        assert line["certified"] == ("" if r.certified is None else str(int(r.certified)))
        assert line["distance"] == ("" if r.distance is None else repr(r.distance))


def test_parquet(tmp_path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for name, rows in (("rows", ROWS), ("none", [])):
        with open(tmp_path / f"{name}.parquet", "wb") as handle:
            write_parquet(rows, CONFIG, handle)
        table = parquet.read_table(tmp_path / f"{name}.parquet")
        assert [Row(**values) for values in table.to_pylist()] == rows
        assert CONFIG.hash or table.schema.metadata
        assert b"jacspec.configuration" in table.schema.metadata
