"""Seconds and bytes of calls."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def in_turns(runs: Sequence[Callable[[], Any]], repetitions: int) -> list[float]:
    """The median seconds of each, called one after the other, so that what else the machine does meets all of them."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(repetitions + 1):
        for run, measured in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            measured.append(time.perf_counter() - start)
    return [statistics.median(measured[1:]) for measured in times]  # the first warms up


def peak(run: Callable[[], Any]) -> int:
    """The most bytes allocated at once during a call, NumPy's arrays included."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def held(arrays: Sequence[np.ndarray[Any, Any]]) -> int:
    """The bytes behind arrays, what several of them are views of counted once."""
    owners: dict[int, np.ndarray[Any, Any]] = {}
    for array in arrays:
        while isinstance(array.base, np.ndarray):
            array = array.base
        owners[id(array)] = array
    return sum(array.nbytes for array in owners.values())
