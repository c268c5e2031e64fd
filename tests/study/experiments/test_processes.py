"""Killed, interrupted, on a cluster that loses a worker: real processes, real signals, the same tables."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from rnnproof.study.experiments import flow
from tests.programs.cluster import dask, kill, one_worker_killed, wait_for_results
from tests.programs.kill import command, kept, killed

pytestmark = [pytest.mark.slow]

TRIALS = len(flow.trials("quick", 0))


def test_a_killed_sweep_goes_on_and_ends_with_the_same_bytes() -> None:
    found = killed("flow", 3, "--quick", "--jobs", "2")
    assert (found.lost, found.repeated, found.different) == (0, 0, ()) and found.trials == TRIALS
    assert found.kills > 0 and any(0 < then < found.trials for then in found.found_at_kills)


@pytest.mark.long
def test_a_long_sweep_killed_ten_times() -> None:
    found = killed("flow", 10, "--jobs", "2", seed=1)
    assert (found.lost, found.repeated, found.different) == (0, 0, ())
    assert found.kills == 10 and all(0 < then < found.trials for then in found.found_at_kills)


def test_a_cluster_that_loses_a_worker_loses_nothing() -> None:
    found = one_worker_killed("flow", "--quick")
    assert found.different == () and found.trials == TRIALS and 0 < found.at_kill < TRIALS


def test_a_scheduler_without_workers_and_none_at_all(tmp_path: Path) -> None:
    def told(address: str) -> str:
        line = command("cliff", tmp_path, "--quick", "--cluster", address)
        run = subprocess.run(line, capture_output=True, text=True)
        assert run.returncode == 2 and run.stderr.count("\n") == 1 and not run.stdout
        return run.stderr

    assert "is no address of a scheduler" in told("nowhere")
    for address in ("tcp://127.0.0.1:9", "nowhere.invalid:8786", "127.0.0.1:99999"):
        assert "no scheduler answers there" in told(address)
    with dask(0) as cluster:
        assert "has no workers; start some with `dask worker" in told(cluster.address)
    assert not list(tmp_path.glob("*.md"))


@pytest.mark.parametrize(
    ("text", "told"), [("def code_digest():\n    return 'other'\n", "it has other code"), (None, "No module named")]
)
def test_workers_with_other_code_or_none_are_told(text: str | None, told: str, tmp_path: Path) -> None:
    package = tmp_path / "root" / "rnnproof" / "study" / "sweep"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").write_text("")
    if text is not None:
        (package / "trial.py").write_text(text)
    with dask(1, tmp_path / "root") as cluster:
        line = command("cliff", tmp_path / "out", "--quick", "--cluster", cluster.address)
        run = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert run.returncode == 2 and run.stderr.count("\n") == 1
    assert told in run.stderr and "install the same rnnproof[experiments] there" in run.stderr


def test_a_scheduler_that_dies_is_told(tmp_path: Path) -> None:
    with dask(1) as cluster:
        line = command("flow", tmp_path, "--quick", "--cluster", cluster.address)
        run = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for_results(tmp_path, run)
        kill(cluster.scheduler)
        _, told = run.communicate(timeout=60)
    assert run.returncode == 2 and "the connection to the scheduler was lost; all finished trials are kept" in told
    assert "Traceback" not in told and 0 < len(kept(tmp_path)) < TRIALS


def test_ctrl_c_in_a_terminal_says_how_to_go_on(tmp_path: Path) -> None:
    """The bar, the message, the status; no traceback of any process; then the rest is run and nothing again."""
    ours, theirs = pty.openpty()
    line = command("flow", tmp_path, "--quick", "--jobs", "2")
    # a shell lets what it starts in the background ignore the signal, and its children inherit that
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, close_fds=True)
    signal.signal(signal.SIGINT, before)
    os.close(theirs)
    said, end = b"", time.monotonic() + 300
    while max(map(int, re.findall(rf" (\d+)/{TRIALS}".encode(), said)), default=0) < 5 and time.monotonic() < end:
        said += os.read(ours, 4096)  # the bar may pass over a number
    os.killpg(run.pid, signal.SIGINT)
    while True:
        try:
            said += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    text = said.decode()
    assert run.wait() == 130 and "Traceback" not in text and "Warning" not in text, text
    assert "/s" in text and "the same command goes on from there" in text
    done = len(kept(tmp_path))
    assert 5 <= done < TRIALS and f"{done} of {TRIALS} trials are done and kept" in text
    again = subprocess.run(line, capture_output=True, text=True, check=True)
    assert f"{TRIALS - done} trials run, {done} found done" in again.stdout


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    run = subprocess.Popen(
        command("flow", tmp_path, "--quick", "--jobs", "2"), stdout=subprocess.DEVNULL, start_new_session=True
    )
    end = time.monotonic() + 60
    while len(_workers(run.pid)) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(_workers(run.pid)) == 2
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    end = time.monotonic() + 30
    while _workers(run.pid) and time.monotonic() < end:
        time.sleep(0.2)
    assert not _workers(run.pid)


def _workers(session: int) -> list[int]:
    """The worker processes that are left of a session."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # it has just ended
                if os.getsid(int(folder.name)) == session and b"Loky" in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
    return found
