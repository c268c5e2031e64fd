"""`Store`: the results of trials in one SQLite file, a transaction each, so that a run may be killed at any moment."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

from rnnproof.errors import UsageError
from rnnproof.study.sweep.trial import Result, Trial, code_digest

# "rnpf": SQLite's mark for whose file this is; and the layout's version.
_OWNER, _LAYOUT = 0x726E7066, 2
_TABLE = """
CREATE TABLE trials (
    key TEXT PRIMARY KEY, experiment TEXT NOT NULL, code TEXT NOT NULL, record TEXT NOT NULL, result TEXT NOT NULL,
    digest TEXT NOT NULL
)
"""
_FOREIGN = "is no store of rnnproof's trials; give another --out, or move the file away"


class Store:
    """The results of finished trials. While it is open no other process may use the file.

    Raises UsageError for a file that is not such a store, is in use, or cannot be written; what is in it stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _refuse_foreign(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"{path}: cannot be opened ({_said(error)}); give another --out") from None
        try:
            self._open()
        except sqlite3.Error as error:
            self.close()
            raise self._fault(error) from None
        except UsageError:
            self.close()
            raise

    def _open(self) -> None:
        run = self._database.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("BEGIN EXCLUSIVE")
        (layout,), (tables,) = (
            run(query).fetchone() for query in ("PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        if tables and layout != _LAYOUT:
            raise UsageError(f"{self.path}: was written by another version of rnnproof (layout {layout}); give another --out")
        if not tables:
            run(_TABLE)
            run(f"PRAGMA application_id = {_OWNER}")
            run(f"PRAGMA user_version = {_LAYOUT}")
        run("COMMIT")
        # A killed process loses nothing that was committed; only a power cut could, and then the file is still sound.
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")

    def found(self, trials: Iterable[Trial]) -> dict[str, Result]:
        """The results there are of these trials, by key; those of other code are not.

        Raises UsageError where some are not what was written; they are taken out, and the trials can be run again.
        """
        wanted = {trial.key for trial in trials}
        query = "SELECT key, experiment, code, record, result, digest FROM trials WHERE code = ?"
        try:
            rows = [row for row in self._database.execute(query, (code_digest(),)).fetchall() if row[0] in wanted]
            damaged = [row[:1] for row in rows if _digest(row[:-1]) != row[-1]]
            self._database.executemany("DELETE FROM trials WHERE key = ?", damaged)
        except sqlite3.Error as error:
            raise self._fault(error) from None
        if damaged:
            raise UsageError(
                f"{self.path}: {len(damaged)} of {len(rows)} results are damaged and were taken out; the same command runs "
                "their trials again, and keeps the others"
            )
        return {row[0]: json.loads(row[4]) for row in rows}

    def add(self, experiment: str, trial: Trial, result: Result) -> Result:
        """Keep a result, or none of it, and give it back as it will be read.

        That of the same trial by other code gives way; a second one by this code is an error.
        """
        row = (trial.key, experiment, code_digest(), trial.text, json.dumps(result))
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("DELETE FROM trials WHERE key = ? AND code <> ?", (trial.key, code_digest()))
            self._database.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)", (*row, _digest(row)))
            self._database.execute("COMMIT")
            kept: Result = json.loads(row[-1])
            return kept
        except sqlite3.IntegrityError:
            raise AssertionError(f"{trial.text} was run twice") from None
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def _fault(self, error: sqlite3.Error) -> UsageError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        cure = {
            sqlite3.SQLITE_BUSY: "is in use by another run; wait for its end, or give another --out",
            sqlite3.SQLITE_FULL: "there is no room left for the results; all finished trials are kept: make room and run again",
            sqlite3.SQLITE_IOERR: f"cannot be written ({error}; is the folder read-only, or the disk full?); all finished "
            "trials are kept: make room, or give another --out",
            sqlite3.SQLITE_READONLY: "cannot be written (it is read-only); give another --out",
            sqlite3.SQLITE_CANTOPEN: "cannot be opened; give another --out",
            sqlite3.SQLITE_NOTADB: _FOREIGN,
            sqlite3.SQLITE_CORRUPT: "is damaged; move it away and run again",
        }.get(code, f"cannot be used ({error}); give another --out")
        return UsageError(f"{self.path}: {cure}")

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()


def _digest(row: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps([str(text) for text in row]).encode()).hexdigest()


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _refuse_foreign(path: Path) -> None:
    """Look at a file without touching it, before SQLite tidies up what may be another program's database."""
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            (owner,) = database.execute("PRAGMA application_id").fetchone()
            (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
            raise UsageError(f"{path}: {_FOREIGN}") from None
        return  # opening it tells what is wrong
    if tables and owner != _OWNER:
        raise UsageError(f"{path}: {_FOREIGN}")
