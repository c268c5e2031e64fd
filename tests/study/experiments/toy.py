"""Trials whose results are known, for the engine's tests; also run by worker processes."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np

from rnnproof.study.sweep.trial import Result, Seed, Trial, spawned


@dataclass(frozen=True)
class Toy(Trial):
    """A number from the seed, a product whose rounding depends on how BLAS splits it, after some milliseconds."""

    number: int
    milliseconds: int
    seed: Seed

    def run(self) -> Result:
        (rng,) = self.seed.streams(1)
        matrix = rng.standard_normal((200, 200))
        time.sleep(self.milliseconds / 1e3)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what overflows is in the result and warns nobody
            large = np.float32(3e38) * np.float32(self.number + 2)
        return {"number": self.number, "sum": float((matrix @ matrix @ matrix).sum()), "large": float(large), "pair": (1, 2)}


@dataclass(frozen=True)
class Stops(Trial):
    """A trial at which somebody presses Ctrl-C, or that asks for the impossible."""

    number: int
    kind: str

    def run(self) -> Result:
        if self.kind == "interrupt":
            raise KeyboardInterrupt
        return {"number": self.number}


@dataclass(frozen=True)
class Timed(Trial):
    """A trial that measures time, and says in which process."""

    TIMED = True

    number: int

    def run(self) -> Result:
        import os

        return {"process": os.getpid()}


def toys(count: int, milliseconds: int = 0) -> list[Trial]:
    return [Toy(number, milliseconds, seed) for number, seed in enumerate(spawned(7, count))]


@dataclass(frozen=True)
class Dies(Trial):
    """A trial whose process is killed, as for want of memory."""

    number: int

    def run(self) -> Result:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)
        return {}
