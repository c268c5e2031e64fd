"""`sweep`: run the trials that have no result yet, here or on a cluster, and keep each result as it comes.

Where the trials run changes nothing: each is a pure function of its record, with one BLAS thread.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from rnnproof.errors import UsageError
from rnnproof.extras import needed
from rnnproof.study.sweep.store import Store
from rnnproof.study.sweep.trial import Result, Trial, code_digest

# Told once how many trials are found and how many are left; what it returns is told how many of these have been run.
Progress = Callable[[int, int], Callable[[int], None]]


@dataclass
class Sweep:
    """The trials of an experiment in order, with their results; `found` of them were there before, `ran` were run now."""

    trials: tuple[Trial, ...]
    found: int = 0
    ran: int = 0
    results: list[Result] = field(default_factory=list)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep; its text says how far it is and how to go on."""


def sweep(
    experiment: str,
    trials: Sequence[Trial],
    store: Store,
    *,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Run what is not in the store: on `jobs` processes, or on the Dask scheduler at `cluster`.

    Trials that measure time run last, one by one, in this process. Raises UsageError where the store or the cluster fails,
    Interrupted at Ctrl-C; in both cases every finished trial is kept, and the next sweep goes on from there.
    """
    if len({trial.key for trial in trials}) < len(trials):
        raise AssertionError(f"{experiment}: a trial stands twice in the list")
    there = store.found(trials)
    done = Sweep(tuple(trials), found=len(there))
    left = [trial for trial in trials if trial.key not in there]
    shared, timed = [t for t in left if not t.TIMED], [t for t in left if t.TIMED]
    if not shared:
        parts = [_one_by_one(timed)]
    elif cluster is not None:
        parts = [_on_cluster(shared, cluster), _one_by_one(timed)]
    else:
        parts = [_one_by_one(shared) if min(jobs, len(shared)) == 1 else _in_processes(shared, jobs), _one_by_one(timed)]
    sentence = None if progress is None else progress(done.found, len(left))
    try:
        for part in parts:
            with closing(part) as finished:
                for trial, result in finished:
                    there[trial.key] = store.add(experiment, trial, result)
                    done.ran += 1
                    if sentence is not None:
                        sentence(done.ran)
    except KeyboardInterrupt:
        kept = f"{done.found + done.ran} of {len(trials)} trials are done and kept"
        raise Interrupted(f"interrupted: {kept}; the same command goes on from there") from None
    done.results = [there[trial.key] for trial in trials]
    return done


Finished = Iterator[tuple[Trial, Result]]
_KEPT = "all finished trials are kept: run again"


def execute(trial: Trial, code: str) -> Result:
    """Run one trial with one BLAS thread, where no warning scrolls past: what overflows is in the result.

    Raises UsageError where this process has other code than the one that asks.
    """
    if code != code_digest():
        raise UsageError("a worker has other code of rnnproof than this process; install the same version on all of them")
    with _ALONE, _threads().limit(limits=1), np.errstate(all="ignore"):
        return trial.run()


_ALONE = threading.Lock()  # a process has one limit of threads: in a worker with several, trials take turns


@cache
def _threads() -> Any:
    import rnnproof.layers  # noqa: F401  the BLAS that NumPy has loaded is what is limited

    return needed("threadpoolctl").ThreadpoolController()


def _one_by_one(trials: Sequence[Trial]) -> Any:
    for trial in trials:
        yield trial, execute(trial, code_digest())


def _in_processes(trials: Sequence[Trial], jobs: int) -> Any:
    joblib = needed("joblib")
    # batch_size 1: a result reaches the store as soon as it is there, and not with its neighbours
    workers = {"initializer": _begin, "initargs": (os.getpid(),)}
    parallel = joblib.Parallel(jobs, "loky", return_as="generator_unordered", batch_size=1, **workers)
    with warnings.catch_warnings():
        # whoever stops a sweep knows that trials are cancelled, and one that just ended may not be taken up any more
        warnings.filterwarnings("ignore", "[0-9]+ tasks (which were still being|have been successfully)", UserWarning)
        try:
            yield from parallel(joblib.delayed(_numbered)(trial, code_digest()) for trial in trials)
        except joblib.externals.loky.process_executor.TerminatedWorkerError:
            fault = f"a worker process was killed (is there enough memory?); {_KEPT}, with fewer --jobs"
            raise UsageError(fault) from None


def _numbered(trial: Trial, code: str) -> tuple[Trial, Result]:
    return trial, execute(trial, code)


def _begin(parent: int) -> None:
    """Prepare a worker: Ctrl-C reaches every process of a terminal, and is for the one that started it, which ends it too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    """End this process once the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _on_cluster(trials: Sequence[Trial], address: str) -> Any:
    distributed = needed("distributed", "cluster")
    with _quiet(), _connected(distributed, address) as client:
        _same_code(client, address)
        keys = {f"rnnproof-{trial.key}": trial for trial in trials}
        futures = [client.submit(execute, trial, code_digest(), key=key, pure=False) for key, trial in keys.items()]
        try:
            for future in distributed.as_completed(futures, loop=client.loop):
                yield keys[future.key], future.result()
                future.release()
        except distributed.scheduler.KilledWorker:
            raise UsageError(f"--cluster {address}: the workers that ran a trial died again and again; {_KEPT}") from None
        except (distributed.CancelledError, distributed.comm.CommClosedError):
            raise UsageError(f"--cluster {address}: the connection to the scheduler was lost; {_KEPT}") from None


# Asked of every worker before any trial is sent: one that could not read a trial would be lost without a word.
_PROBE = "__import__('rnnproof.study.sweep.trial', fromlist=['']).code_digest()"


def _same_code(client: Any, address: str) -> None:
    """Raise UsageError where there is no worker, or one that has not the code of this process."""
    if not client.scheduler_info()["workers"]:
        start = f"start some with `dask worker {address}`"
        raise UsageError(f"--cluster {address}: the scheduler has no workers; {start}")
    for worker, answer in client.run(eval, _PROBE, on_error="return").items():
        if answer != code_digest():
            sentence = str(answer) if isinstance(answer, Exception) else "it has other code, or other versions of its libraries"
            raise UsageError(f"--cluster {address}: worker {worker}: {sentence}; install the same rnnproof[experiments] there")


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing is logged meanwhile: what goes wrong with a cluster is told in one message, not in Dask's tracebacks."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _connected(distributed: Any, address: str) -> Any:
    """A client of the scheduler at HOST:PORT; whether anybody listens there is asked first, as Dask goes on trying."""
    parsed = re.fullmatch(r"(?:\w+://)?(\[[^]]+\]|[^/:]+):(\d+)", address)
    if parsed is None:
        raise UsageError(f"--cluster {address}: is no address of a scheduler; give one such as tcp://10.0.0.1:8786")
    try:
        socket.create_connection((parsed[1].strip("[]"), int(parsed[2])), timeout=10).close()
        return distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, OverflowError, TimeoutError) as error:
        sentence = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(
            f"--cluster {address}: no scheduler answers there ({sentence}); start one with `dask scheduler`"
        ) from None
