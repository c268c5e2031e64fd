"""`python -m tests.programs.kill NAME --kills N`: a sweep that is killed again and again, beside one that is left alone.

Every run is a process group of its own, killed by SIGKILL at a random moment; after each, the store is read, and what it holds
must still be there, in the same rows, at the end. Both sweeps' files are then compared byte by byte.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

Rows = dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Outcome:
    """`lost`: kept results that are gone; `repeated`: kept and made again; `different`: files that are not the same."""

    experiment: str
    trials: int
    kills: int
    found_at_kills: tuple[int, ...]
    lost: int
    repeated: int
    different: tuple[str, ...]


def command(experiment: str, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "rnnproof", "experiment", experiment, "--out", str(out), *options]


def kept(out: Path) -> Rows:
    """The results in a store: key -> (row, result)."""
    path = next(out.rglob("trials.sqlite"), out / "trials.sqlite")
    if not path.exists():
        return {}
    with closing(sqlite3.connect(path)) as database:
        try:
            rows = database.execute("SELECT key, rowid, result FROM trials").fetchall()
        except sqlite3.OperationalError:  # killed before there was a table
            return {}
    return {key: (row, result) for key, row, result in rows}


def files(out: Path) -> dict[str, bytes]:
    """What an experiment wrote, but for the store, whose rows are in the order in which trials ended.

    Left out too is what a kill in the middle of writing leaves beside a file, under a hidden name.
    """
    found = [p for p in sorted(out.rglob("*")) if p.is_file() and "sqlite" not in p.name and not p.name.startswith(".")]
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in found}


def killed(experiment: str, kills: int, *options: str, seed: int = 0) -> Outcome:
    """Kill a sweep that many times, each at a random moment after it has kept something more; then let it end, and compare."""
    folder, moments = Path(tempfile.mkdtemp()), random.Random(seed)
    try:
        subprocess.run(command(experiment, folder / "whole", *options), check=True, capture_output=True)
        seen: list[Rows] = []
        while len(seen) < kills:
            line = command(experiment, folder / "parts", *options)
            run = subprocess.Popen(line, stdout=subprocess.DEVNULL, start_new_session=True)
            while run.poll() is None and not _journal(folder / "parts"):
                time.sleep(0.01)
            time.sleep(moments.uniform(0, 1))
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            if run.wait() == 0:
                break
            seen.append(kept(folder / "parts"))
        last = subprocess.run(command(experiment, folder / "parts", *options), check=True, capture_output=True, text=True)
        end, one, other = kept(folder / "parts"), files(folder / "whole"), files(folder / "parts")
        told = re.search(r"(\d+) trials run, (\d+) found done", last.stdout)
        if told is None or int(told[2]) < (len(seen[-1]) if seen else 0) or int(told[1]) + int(told[2]) != len(end):
            raise AssertionError(f"{last.stdout[-300:]}: the store holds {len(end)}, at the last kill {len(seen[-1])}")
        return Outcome(
            experiment,
            len(end),
            len(seen),
            tuple(len(rows) for rows in seen),
            sum(key not in end for rows in seen for key in rows),
            sum(key in end and end[key] != row for rows in seen for key, row in rows.items()),
            tuple(name for name in sorted({*one, *other}) if one.get(name) != other.get(name)),
        )
    finally:
        shutil.rmtree(folder)


def _journal(out: Path) -> bool:
    """Whether a sweep that runs has kept a result since it began (its journal starts empty)."""
    try:
        return next(out.rglob("trials.sqlite-wal"), out / "none").stat().st_size > 0
    except FileNotFoundError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("options", nargs="*", help="of `rnnproof experiment`, behind --")
    given = parser.parse_args()
    found = killed(given.experiment, given.kills, *given.options)
    row = (found.experiment, found.trials, found.kills, found.found_at_kills, found.lost, found.repeated, len(found.different))
    headers = ("experiment", "trials", "kills", "kept at each kill", "lost", "repeated", "files that differ")
    print(tabulate([row], headers=headers))


if __name__ == "__main__":
    main()
