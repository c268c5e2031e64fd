"""`python -m tests.programs.cluster NAME`: a sweep on a Dask scheduler and two workers, one of which is killed on the way.

Real processes on this machine; the tables are compared with those of the same sweep in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from tests.programs.kill import command, files, kept

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """`at_kill`: results that were kept when the worker was killed; `different`: files that are not the same."""

    experiment: str
    trials: int
    at_kill: int
    different: tuple[str, ...]


Process = subprocess.Popen[Any]


@dataclass(frozen=True)
class Cluster:
    """A scheduler's address, its process and its workers'."""

    address: str
    scheduler: Process
    workers: tuple[Process, ...]


def kill(process: Process) -> None:
    """SIGKILL for a process and its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def dask(workers: int, root: Path = ROOT) -> Iterator[Cluster]:
    """A scheduler and workers, in processes that end with the block and find rnnproof in `root`."""
    folder = Path(tempfile.mkdtemp())
    environment = {**os.environ, "PYTHONPATH": str(root)}
    started: list[Process] = []

    def start(*words: str) -> Process:
        line = [sys.executable, "-m", "dask", *words]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(line, cwd=folder, env=environment, start_new_session=True, **quiet))
        return started[-1]

    def address() -> str:
        try:
            return str(json.loads((folder / "scheduler.json").read_text())["address"])
        except (OSError, ValueError):  # not there, or not whole
            return ""

    try:
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        scheduler = start("scheduler", *options, "--scheduler-file", "scheduler.json")
        wait(address, "the scheduler")
        each = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
        processes = tuple(start("worker", address(), *each, "--name", f"w{n}") for n in range(workers))
        if workers:  # asked in a process of its own: a client's threads outlive it
            code = f"from distributed import Client; Client({address()!r}).wait_for_workers({workers}, timeout=60)"
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        yield Cluster(address(), scheduler, processes)
    finally:
        for process in started:
            kill(process)
        shutil.rmtree(folder)


def wait(ready: Callable[[], Any], what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {seconds:g} s")
        time.sleep(0.05)


def wait_for_results(out: Path, run: Process) -> int:
    """Wait until some results are kept by a sweep that is running; how many there are."""

    def kept_some() -> bool:
        return any(journal.stat().st_size > 100_000 for journal in out.rglob("trials.sqlite-wal"))

    wait(lambda: run.poll() is not None or kept_some(), "the first results")
    if run.poll() is not None:
        raise AssertionError(f"it ended too early: {run.communicate()}")
    with tempfile.TemporaryDirectory() as copy:  # the store itself is the sweep's alone
        for part in out.rglob("trials.sqlite*"):
            shutil.copy(part, Path(copy) / part.name)
        return len(kept(Path(copy)))


def one_worker_killed(experiment: str, *options: str) -> Outcome:
    """Run a sweep on two workers, kill one once a few results are kept, and compare with the sweep in one process."""
    folder = Path(tempfile.mkdtemp())
    try:
        subprocess.run(command(experiment, folder / "alone", "--jobs", "1", *options), check=True, capture_output=True)
        with dask(2) as cluster:
            line = command(experiment, folder / "cluster", "--cluster", cluster.address, *options)
            run = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            at_kill = wait_for_results(folder / "cluster", run)
            kill(cluster.workers[0])
            _, error = run.communicate()
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
