"""Many seeds, in this process or in several; the outcomes come in the order of the seeds."""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from tests.random_cells.cell_trial import Outcome, run_seed

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
FAILED = ("wrong", "misread", "traceback")


@dataclass
class Tally:
    """Counts over outcomes; `failed` and `refused` keep the outcomes themselves."""

    verdicts: Counter[str] = field(default_factory=Counter)
    used: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)
    refused: list[Outcome] = field(default_factory=list)
    worst: float = 0.0

    @property
    def cells(self) -> int:
        return self.verdicts.total()

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.verdicts[outcome.verdict] += 1
        self.used += Counter(dict.fromkeys(outcome.used, 1))
        self.seconds.update(outcome.seconds)
        self.worst = max(self.worst, outcome.worst)
        if outcome.verdict in FAILED:
            self.failed.append(outcome)
        elif outcome.verdict == "refused":
            self.refused.append(outcome)


def quieten() -> None:
    """One thread a process, and warnings as the test suite has them: errors."""
    torch.set_num_threads(1)
    warnings.simplefilter("error")


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends the workers
    quieten()


def outcomes(seeds: Sequence[int], jobs: int = 1) -> Iterator[Outcome]:
    """The outcome of every seed, in order; the workers end with the iterator."""
    if jobs <= 1:
        yield from map(run_seed, seeds)
        return
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read by the workers when they import NumPy
    with multiprocessing.get_context("spawn").Pool(jobs, _start, maxtasksperchild=2000) as pool:
        yield from pool.imap(run_seed, seeds, chunksize=4)
