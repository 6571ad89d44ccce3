"""Results that survive: one SQLite file, one row for each trial, committed as soon as it is known."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from jacspec import InputError, __version__
from jacspec._checks import CapacityError
from verification.sweep.configuration import Configuration
from verification.sweep.trials import Key, Row

__all__ = ["SCHEMA", "Store", "read_store", "write_csv", "write_parquet"]

#: Version of the tables.
SCHEMA = 1
#: "jacs": marks the file as ours.
_APPLICATION = 0x6A616373
#: Milliseconds to wait for another process that is writing.
_PATIENCE = 60_000
_WRITABLE = "a store that can be written, as can its folder"
_READERS = "`jacspec report --phase` and `jacspec scaling` only read"
_TYPES = {
    "status": "TEXT NOT NULL",
    "steps": "INTEGER NOT NULL",
    "eta": "REAL NOT NULL",
    "relative_residual": "REAL NOT NULL",
    "certified": "INTEGER",
    "polish": "INTEGER NOT NULL",
    "distance": "REAL",
    "moved": "REAL NOT NULL",
}


class Store:
    """The rows of one configuration.

    The file is in WAL mode and every `add` is one transaction that is on the disk when `add` returns: a process that is
    killed loses what it had not handed over, and nothing else. Several processes may write at once; who comes second
    with a trial changes nothing. (WAL needs a local disk: no network file system.)

    Parameters
    ----------
    path : path, or None for a store in memory
    config : Configuration
        After `Configuration.checked`.
    resume : bool
        Whether a file that already holds rows is welcome.

    Raises
    ------
    InputError
        If the file is not a store, is of another schema or of another configuration, or holds rows and `resume` is off.
    """

    def __init__(self, path: str | os.PathLike[str] | None, config: Configuration, *, resume: bool = False) -> None:
        self.path = None if path is None else os.fspath(path)
        self.config = config
        #: Trials that came twice, with different bits: two kinds of processors at work.
        self.disagreements = 0
        try:
            self._database = sqlite3.connect(
                ":memory:" if self.path is None else self.path,
                timeout=_PATIENCE / 1000,
                isolation_level=None,
                check_same_thread=False,
            )
            self._open()
        except sqlite3.Error as error:
            raise InputError("store", repr(self.path), f"{_WRITABLE} ({error}); {_READERS}") from None
        held = self.count()
        if held and not resume:
            self.close()
            trials = f"{held} trial{'s' * (held != 1)}"
            raise InputError(
                "store", f"{self.path!r}, which holds {trials}", "--resume to go on with it, or a new file"
            )

    def _open(self) -> None:
        database = self._database
        try:
            self._check()  # before anything is changed in a file that may be somebody else's
            for attempt in range(200):  # the change to WAL does not wait for others by itself
                try:
                    database.execute("PRAGMA journal_mode = WAL")
                    break
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or attempt == 199:
                        raise
                    time.sleep(0.05)
            database.execute("PRAGMA synchronous = FULL")
            database.execute("BEGIN IMMEDIATE")
            if not self._check():
                self._create()
            database.execute("COMMIT")
        except BaseException:
            database.close()
            raise

    def _check(self) -> bool:
        """Whether the file holds a store of this configuration; an error if it holds anything else than nothing."""
        database = self._database
        if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return False
        (mark,) = database.execute("PRAGMA application_id").fetchone()
        (schema,) = database.execute("PRAGMA user_version").fetchone()
        if mark != _APPLICATION:
            raise InputError("store", repr(self.path), "a store of `jacspec phase`; this is another database")
        if schema != SCHEMA:
            raise InputError("store", f"{self.path!r} of schema {schema}", f"schema {SCHEMA}, or a new file")
        self._check_configuration()
        return True

    def _create(self) -> None:
        database = self._database
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
        database.execute(f"PRAGMA user_version = {SCHEMA}")
        database.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
        columns = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
        database.execute(
            "CREATE TABLE trials (configuration TEXT NOT NULL, n INTEGER NOT NULL, k INTEGER NOT NULL, "
            f"trial INTEGER NOT NULL, {columns}, PRIMARY KEY (configuration, n, k, trial)) WITHOUT ROWID"
        )
        about = {"configuration": json.dumps(self.config.to_json(), sort_keys=True), "version": __version__}
        database.executemany("INSERT INTO about VALUES (?, ?)", about.items())

    def _check_configuration(self) -> None:
        (text,) = self._database.execute("SELECT value FROM about WHERE name = 'configuration'").fetchone()
        theirs, ours = json.loads(text), self.config.to_json()
        if theirs == ours:
            return
        names = sorted(name for name in theirs | ours if theirs.get(name) != ours.get(name))
        held = ", ".join(f"{name} = {theirs.get(name)!r}" for name in names)
        asked = ", ".join(f"{name} = {ours.get(name)!r}" for name in names)
        raise InputError(
            "store", f"{self.path!r}, which holds trials with {held}", f"those with {asked}, or a new file"
        )

    # -- rows -----------------------------------------------------------------------------------------------------

    def count(self) -> int:
        """Rows that are there."""
        return int(self._database.execute("SELECT count(*) FROM trials").fetchone()[0])

    def rows(self, keys: Sequence[Key] | None = None) -> list[Row]:
        """All rows by (n, k, trial), or those of some keys that are there."""
        select = f"SELECT {', '.join(Row.names())} FROM trials WHERE configuration = ?"
        if keys is None:
            found = self._database.execute(f"{select} ORDER BY n, k, trial", (self.config.hash,)).fetchall()
        else:
            one = f"{select} AND n = ? AND k = ? AND trial = ?"
            found = [row for key in keys for row in self._database.execute(one, (self.config.hash, *key)).fetchall()]
        return [_row(values) for values in found]

    def add(self, rows: Iterable[Row]) -> int:
        """Keep rows, all or none; returns how many are new. Rows that are there already stay as they are.

        Raises
        ------
        CapacityError
            If the disk is full or the file cannot be written.
        """
        marks = ", ".join("?" * (len(Row.names()) + 1))
        insert = f"INSERT INTO trials (configuration, {', '.join(Row.names())}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        new, twice = 0, []
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                for row in rows:
                    made = self._database.execute(insert, (self.config.hash, *row.values())).rowcount
                    new += made
                    if not made:
                        twice.append(row)
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            raise CapacityError(
                f"store {self.path!r} cannot be written: {error}; nothing that it holds is lost"
            ) from None
        self.disagreements += sum(self.rows([row.key]) != [row] for row in twice)
        return new

    def need_writable(self) -> None:
        """Refuse a file that cannot be written, before any trial is made for it.

        Raises
        ------
        InputError
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.execute(f"PRAGMA user_version = {SCHEMA}")
            finally:
                self._database.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise InputError(
                "store", f"{self.path!r}, which cannot be written ({error})", f"{_WRITABLE}; {_READERS}"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _row(values: Sequence[Any]) -> Row:
    fields = dict(zip(Row.names(), values, strict=True))
    if fields["certified"] is not None:
        fields["certified"] = bool(fields["certified"])
    return Row(**fields)


def read_store(path: str | os.PathLike[str]) -> tuple[Configuration, list[Row]]:
    """What a store holds, without changing it and without knowing its configuration.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    configuration : Configuration
        With ``data = "rows"`` where the trials are of a file: the store knows its hash alone.
    rows : list of Row
        By (n, k, trial).

    Raises
    ------
    InputError
        If the file is not a store, is of another schema, or holds trials of another version.
    """
    shown, expected = repr(os.fspath(path)), "a store of `jacspec phase`"
    if not os.path.isfile(path):
        raise InputError("store", shown, "a file that exists")
    try:
        database = _reader(Path(path))
        try:
            (mark,) = database.execute("PRAGMA application_id").fetchone()
            (schema,) = database.execute("PRAGMA user_version").fetchone()
            if (mark, schema) != (_APPLICATION, SCHEMA):
                raise InputError("store", shown, f"{expected} of schema {SCHEMA}; this is another database")
            (text,) = database.execute("SELECT value FROM about WHERE name = 'configuration'").fetchone()
            held = json.loads(text)
            config = Configuration(**{name: held[name] for name in Configuration.names()})
            if config.to_json() != held:
                raise InputError("store", shown, f"{expected} of this version; its trials are of another one")
            select = f"SELECT {', '.join(Row.names())} FROM trials WHERE configuration = ? ORDER BY n, k, trial"
            return config, [_row(values) for values in database.execute(select, (config.hash,))]
        finally:
            database.close()
    except sqlite3.Error as error:
        raise InputError("store", shown, f"{expected} that can be read ({error})") from None
    except (KeyError, TypeError, ValueError) as error:  # an InputError is a ValueError, and says it better
        if isinstance(error, InputError):
            raise
        raise InputError("store", shown, f"{expected}, whole ({type(error).__name__}: {error})") from None


def _reader(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    database = sqlite3.connect(uri, uri=True, timeout=_PATIENCE / 1000)
    try:
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return database
    except sqlite3.OperationalError as error:
        database.close()
        # Reading a file in WAL mode writes beside it, and where that cannot be nobody else writes: it may be taken for
        # one that never changes. Not if a writer was killed, and rows are still in the file beside it.
        journal = Path(f"{path}-wal")
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise
        if journal.exists() and journal.stat().st_size:
            words = f"{error}: copy it, with {journal.name}, to a folder that can be written"
            raise sqlite3.OperationalError(words) from None
        return sqlite3.connect(f"{uri}&immutable=1", uri=True)


# -- exports --------------------------------------------------------------------------------------------------------


def write_csv(rows: Iterable[Row], config: Configuration, handle: IO[str]) -> None:
    """A header and one line for each row; floats in digits that read back to the same bits, nothing where unknown."""
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow(["configuration", *Row.names()])
    for row in rows:
        cells = [int(value) if isinstance(value, bool) else value for value in row.values()]
        writer.writerow([config.hash, *("" if value is None else value for value in cells)])


def write_parquet(rows: Iterable[Row], config: Configuration, handle: IO[bytes]) -> None:
    """The same as a Parquet table, with the configuration as JSON in its metadata.

    Raises
    ------
    InputError
        If pyarrow is not there.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError("export", "a .parquet file", "pyarrow: pip install 'jacspec[parquet]'") from None
    kinds = {
        **dict.fromkeys(("n", "k", "trial", "steps", "polish"), pyarrow.int64()),
        **dict.fromkeys(("eta", "relative_residual", "distance", "moved"), pyarrow.float64()),
        "status": pyarrow.string(),
        "certified": pyarrow.bool_(),
    }
    columns = list(zip(*(row.values() for row in rows), strict=True)) or [()] * len(Row.names())
    arrays = [pyarrow.array(list(column), kinds[name]) for name, column in zip(Row.names(), columns, strict=True)]
    table = pyarrow.table(arrays, names=list(Row.names()))
    table = table.replace_schema_metadata({"jacspec.configuration": json.dumps(config.to_json(), sort_keys=True)})
    pyarrow.parquet.write_table(table, handle)
