"""The engine: the same numbers wherever trials run, nothing lost, nothing repeated, one clear message where it fails."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnproof.errors import UsageError
from rnnproof.study.sweep import store as stores
from rnnproof.study.sweep.engine import Interrupted, _in_processes, execute, sweep
from rnnproof.study.sweep.store import Store
from rnnproof.study.sweep.trial import Seed, code_digest, spawned
from tests.study.experiments.toy import Stops, Timed, toys


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "trials.sqlite") as opened:
        yield opened


def test_a_seed_is_a_child_that_spawning_makes() -> None:
    children = np.random.SeedSequence(5).spawn(3)
    for seed, child in zip(spawned(5, 3), children, strict=True):
        ours, theirs = seed.streams(2), [np.random.default_rng(one) for one in child.spawn(2)]
        assert [rng.random() for rng in ours] == [rng.random() for rng in theirs]
    assert len({rng.random() for seed in spawned(5, 3) for rng in seed.streams(2)}) == 6
    assert spawned(5, 2) == spawned(5, 3)[:2] and spawned(6, 1) != spawned(5, 1)


def test_a_record_names_all_of_a_trial() -> None:
    first, second = toys(2)
    assert first.key != second.key and first.key == toys(2)[0].key
    assert json.loads(first.text) == {"trial": "Toy", "number": 0, "milliseconds": 0, "seed": {"root": 7, "key": [0]}}


@pytest.mark.slow
def test_results_are_the_same_alone_in_processes_and_after_a_stop(tmp_path: Path) -> None:
    trials, found = toys(9), {}
    for name, jobs in (("one", 1), ("two", 2)):
        with Store(tmp_path / name) as one:
            found[name] = sweep("toy", trials, one, jobs=jobs)
    with Store(tmp_path / "halves") as one:
        sweep("toy", trials[3:6], one, jobs=1)
        found["halves"] = sweep("toy", trials, one, jobs=2)
        again = sweep("toy", trials, one, jobs=2)
    assert (found["halves"].found, found["halves"].ran) == (3, 6) and (again.found, again.ran) == (9, 0)
    assert found["one"].results == found["two"].results == found["halves"].results == again.results
    assert [result["number"] for result in again.results] == list(range(9))
    assert again.results[0]["large"] == float("inf")  # an overflow is a result, and no warning


def test_every_trial_runs_with_one_blas_thread() -> None:
    from threadpoolctl import threadpool_info

    class Looks:
        def run(self) -> Any:
            return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    assert set(execute(Looks(), code_digest())) == {1}  # type: ignore[arg-type]


def test_other_code_is_not_mixed_in(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = toys(2)
    sweep("toy", trials, store)
    with pytest.raises(UsageError, match="other code"):
        execute(trials[0], "another")
    monkeypatch.setattr(stores, "code_digest", lambda: "another")
    assert store.found(trials) == {}
    store.add("toy", trials[0], {"number": 99})
    assert store.found(trials) == {trials[0].key: {"number": 99}}


def test_a_trial_is_never_kept_twice(store: Store) -> None:
    (trial,) = toys(1)
    store.add("toy", trial, {"number": 0})
    with pytest.raises(AssertionError, match="twice"):
        store.add("toy", trial, {"number": 1})
    with pytest.raises(AssertionError, match="twice"):
        sweep("toy", [trial, trial], store)


@pytest.mark.slow
def test_timed_trials_run_in_this_process_after_the_others(store: Store) -> None:
    order: list[int] = []

    def progress(found: int, left: int) -> Any:
        return lambda ran: order.append(left - ran)

    done = sweep("toy", [Timed(1), *toys(3), Timed(2)], store, jobs=2, progress=progress)
    assert [done.results[at]["process"] for at in (0, 4)] == [os.getpid()] * 2
    assert order == [4, 3, 2, 1, 0]
    rows = store._database.execute("SELECT record FROM trials ORDER BY rowid").fetchall()
    assert [json.loads(text)["trial"] for (text,) in rows] == ["Toy"] * 3 + ["Timed"] * 2


def test_an_interruption_keeps_what_is_done(store: Store) -> None:
    trials = [*toys(2), Stops(1, "interrupt"), Stops(2, "")]
    with pytest.raises(Interrupted, match="2 of 4 trials are done and kept; the same command goes on"):
        sweep("toy", trials, store)
    assert len(store.found(trials)) == 2


def test_a_sweep_stopped_in_processes_warns_nobody() -> None:
    """Some trials are done and not taken up, some are running, when the sweep is left; a warning would be an error here."""
    running = _in_processes([*toys(4), *toys(8, 300)], 2)
    next(running)
    time.sleep(1)
    running.close()


# where the store fails


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    text.write_text("my notes, " * 200)
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE mine (x)")
    database.commit()
    database.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(UsageError, match="is no store of rnnproof's trials"):
            Store(path)
        assert path.read_bytes() == before


def test_a_foreign_database_is_not_even_tidied_up(tmp_path: Path) -> None:
    """Another program's database whose journal waits for its next opening."""
    path = tmp_path / "theirs.sqlite"
    code = (
        f"import os, sqlite3; d = sqlite3.connect({str(path)!r}); d.execute('PRAGMA journal_mode = WAL'); "
        "d.execute('CREATE TABLE mine (x)'); d.commit(); d.execute('PRAGMA wal_checkpoint'); "
        "d.execute('INSERT INTO mine VALUES (1)'); d.commit(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert len(before["theirs.sqlite-wal"]) > 0
    with pytest.raises(UsageError, match="is no store"):
        Store(path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("column", ["experiment", "record", "result", "digest"])
@pytest.mark.parametrize("damage", ["substr(was, 2)", "replace(was, substr(was, 3, 1), '~')", "'{'", "'[]'", "3"])
def test_a_damaged_result_is_told_taken_out_and_run_again(store: Store, column: str, damage: str) -> None:
    one, other = toys(2)
    for trial in (one, other):
        store.add("toy", trial, {"number": 0.1})
    text = damage.replace("was", column)
    store._database.execute(f"UPDATE trials SET {column} = {text} WHERE key = ?", (one.key,))
    with pytest.raises(UsageError, match="1 of 2 results are damaged and were taken out; the same command"):
        store.found([one, other])
    assert store.found([one, other]) == {other.key: {"number": 0.1}}
    store.add("toy", one, {"number": 0.1})
    assert len(store.found([one, other])) == 2


def test_another_layout_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path / "s").close()
    monkeypatch.setattr(stores, "_LAYOUT", 3)
    with pytest.raises(UsageError, match="another version"):
        Store(tmp_path / "s")


@pytest.mark.slow
def test_a_store_in_use_is_told(store: Store) -> None:
    with pytest.raises(UsageError, match="is in use by another run"):
        Store(store.path)
    code = f"from rnnproof.study.sweep.store import Store; from pathlib import Path; Store(Path({str(store.path)!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert other.returncode and "in use by another run" in other.stderr


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "trials.sqlite", Path("/proc/no/trials.sqlite"), tmp_path):
        with pytest.raises(UsageError, match="cannot be opened"):
            Store(path)


def test_a_read_only_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trials.sqlite"
    Store(path).close()
    connect = sqlite3.connect

    def read_only(name: Any, **options: Any) -> Any:
        return connect(name, **options) if "uri" in options else connect(f"file:{name}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(UsageError, match="cannot be written.*read-only"):
        Store(path)


def test_a_full_disk_loses_nothing(store: Store) -> None:
    trials = toys(400)
    store._database.execute("PRAGMA max_page_count = 20")
    with pytest.raises(UsageError, match="no room left.*all finished trials are kept"):
        sweep("toy", trials, store)
    kept = len(store.found(trials))
    assert 0 < kept < len(trials)
    store.close()
    with Store(store.path) as again:
        done = sweep("toy", trials, again)
        assert (done.found, done.ran) == (kept, len(trials) - kept)


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(UsageError, match=r"joblib is not installed.*rnnproof\[experiments\]"):
        sweep("toy", toys(2), store, jobs=2)


def test_a_worker_that_is_killed_is_told(store: Store) -> None:
    from tests.study.experiments.toy import Dies

    with pytest.raises(UsageError, match="a worker process was killed"):
        sweep("toy", [*toys(3), Dies(1)], store, jobs=2)


def test_seeds_are_values() -> None:
    assert Seed(1, (2,)) == Seed(1, (2,)) and len({Seed(1, (2,)), Seed(1, (2,))}) == 1
