"""`python -m tests.experiments.cluster NAME`: a sweep on a Dask scheduler and two workers, one of which is killed on the way.

Real processes on this machine; the tables are compared with those of the same sweep in one process.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from tests.experiments.kill import command, files, kept

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """`at_kill`: results that were kept when the worker was killed; `different`: files that are not the same."""

    experiment: str
    trials: int
    at_kill: int
    different: tuple[str, ...]


@contextmanager
def dask(workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler's address, and its workers' processes; all end with the block."""
    folder = Path(tempfile.mkdtemp())
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "dask", *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(line, cwd=folder, env=environment, start_new_session=True, **quiet))  # type: ignore[call-overload]
        return started[-1]

    try:
        told = folder / "scheduler.json"
        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told))
        _wait(told.exists, "the scheduler")
        import json

        address = json.loads(told.read_text())["address"]
        processes = [
            start("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", f"w{n}")
            for n in range(workers)
        ]
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            _wait(lambda: len(client.scheduler_info()["workers"]) == workers, "the workers")
        yield address, processes
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(folder)


def _wait(ready: object, what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {seconds:g} s")
        time.sleep(0.05)


def one_worker_killed(experiment: str, *options: str) -> Outcome:
    """Run a sweep on two workers, kill one once a few results are kept, and compare with the sweep in one process."""
    folder = Path(tempfile.mkdtemp())
    try:
        subprocess.run(command(experiment, folder / "alone", "--jobs", "1", *options), check=True, capture_output=True)
        with dask(2) as (address, workers):
            line = command(experiment, folder / "cluster", "--cluster", address, *options)
            run = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            wal = folder / "cluster" / "trials.sqlite-wal"
            first = 100_000  # bytes: some results are in the journal, which nobody else may open
            _wait(lambda: run.poll() is not None or (wal.exists() and wal.stat().st_size > first), "the first results")
            if run.poll() is not None:
                raise AssertionError(f"it ended before a worker was killed: {run.communicate()}")
            copy = folder / "copy"
            copy.mkdir()
            for part in ("trials.sqlite", "trials.sqlite-wal"):
                shutil.copy(folder / "cluster" / part, copy / part)
            at_kill = len(kept(copy))
            os.killpg(workers[0].pid, signal.SIGKILL)
            _, error = run.communicate(timeout=600)
            if run.returncode:
                raise AssertionError(error)
        one, other = files(folder / "alone"), files(folder / "cluster")
        different = tuple(name for name in sorted({*one, *other}) if one.get(name) != other.get(name))
        return Outcome(experiment, len(kept(folder / "cluster")), at_kill, different)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    parser.add_argument("options", nargs="*", help="of `rnnproof experiment`, behind --")
    given = parser.parse_args()
    found = one_worker_killed(given.experiment, *given.options)
    row = (found.experiment, found.trials, found.at_kill, len(found.different))
    print(tabulate([row], headers=("experiment", "trials", "kept at the kill", "files that differ")))


if __name__ == "__main__":
    main()
