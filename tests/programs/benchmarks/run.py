"""`python -m tests.programs.benchmarks.run`: forward + backward against autograd and torch, and what grows with T.

All numbers are medians of interleaved repetitions, so that whatever else the machine does meets every rival.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import numpy as np
from tabulate import tabulate

from rnnproof.equations import catalogue
from rnnproof.study.experiments.measuring import peak
from rnnproof.verification.sample import Layout
from tests.programs.benchmarks.rivals import SIZES, Run, disagreement, generated, problem, rivals

# Two orders of summation of T*(input + hidden) rounded terms differ by at most that many units of float64's rounding.
EPS = float(np.finfo(np.float64).eps)


def measured(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleaved(turns: Sequence[Callable[[], float]], seconds: float) -> list[float]:
    """Medians of what the turns report, taken one after the other, at least 5 times and for about `seconds` in all."""
    times: list[list[float]] = [[] for _ in turns]
    end = time.perf_counter() + seconds
    while len(times[0]) < 5 or time.perf_counter() < end:
        for turn, found in zip(turns, times, strict=True):
            found.append(turn())
    return [statistics.median(found[1:]) for found in times]  # the first warms up


def _serve(make: Callable[[], Run], pipe: Any) -> None:
    """A process of its own for one rival: run once for each message, answer the seconds."""
    run = make()
    with suppress(EOFError):  # the other end is closed: no more turns
        while pipe.recv():
            pipe.send(measured(run))


@contextmanager
def apart(makers: Sequence[Callable[[], Run]]) -> Iterator[list[Callable[[], float]]]:
    """A turn for each rival. In one process, the thread pools of torch and of NumPy's BLAS would fight over the cores."""
    context = multiprocessing.get_context("spawn")
    served = []
    for make in makers:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(make, theirs), daemon=True)
        process.start()
        theirs.close()  # the process has it; when that ends, so does the pipe, and nobody waits for an answer
        served.append((process, ours))

    def turn(pipe: Any) -> float:
        pipe.send(True)
        return float(pipe.recv())

    try:
        yield [partial(turn, pipe) for _, pipe in served]
    finally:
        for process, pipe in served:
            pipe.close()
            process.join()


def _rival(name: str, size: tuple[int, int, int, int]) -> Run:
    return rivals()[name](problem(size, "float32"))


def against(names: Sequence[str], seconds: float) -> str:
    """The generated LSTM in float32 against its rivals; their gradients must agree first."""
    rows = []
    for name in names:
        size = SIZES[name]
        difference, allowed = disagreement(size), size[0] * (size[2] + size[3]) * EPS
        if not difference <= allowed:
            raise SystemExit(f"size {name}: the rivals' gradients differ by {difference:.1e}, more than {allowed:.1e}")
        with apart([partial(_rival, rival, size) for rival in rivals()]) as turns:
            ours, *others = interleaved(turns, seconds)
        ratios = [f"{other / ours:.2f}x" for other in others]
        milliseconds = [f"{1e3 * value:.2f}" for value in (ours, *others)]
        rows.append((name, size, *milliseconds, *ratios, f"{difference:.0e}"))
    first, *rest = rivals()
    headers = ("size", "(T, B, input, hidden)", *(f"{n} ms" for n in (first, *rest)), *(f"{n}/ours" for n in rest), "differ by")
    return tabulate(rows, headers=headers, disable_numparse=True, stralign="right")


def growth() -> str:
    """Time and memory of the LSTM at B = 32, input = 32, hidden = 64 against T; the last columns are per step."""
    rows = []
    for steps in (50, 100, 200, 400, 800):
        run = generated(problem((steps, 32, 32, 64), "float32"))
        (seconds,) = interleaved([partial(measured, run)], 0.5)
        most = peak(run)
        rows.append((steps, 1e3 * seconds, most / 2**20, 1e6 * seconds / steps, most / 2**10 / steps))
    headers = ("T", "ms", "peak MiB", "us/step", "KiB/step")
    return tabulate(rows, headers=headers, floatfmt=".1f")


def cells(size: tuple[int, int, int, int], seconds: float = 1.0) -> str:
    """Forward and backward of every catalogue cell's module in float32."""
    rows = []
    for name in catalogue.names():
        module: Any = importlib.import_module(f"rnnproof.cells.{name}")
        steps, batch, n_input, n_hidden = size
        sizes = {"T": steps, "B": batch, "input": n_input, "hidden": n_hidden}
        point = Layout.of_cell(catalogue.load(name)).draw(sizes, 0).cast("float32")
        xs = steps if point.xs is None else point.xs
        trace = module.forward(point.params, xs, point.initial)
        forward = partial(module.forward, point.params, xs, point.initial)
        backward = partial(module.backward, trace, point.d_states)
        there, back = interleaved([partial(measured, forward), partial(measured, backward)], seconds)
        rows.append((name, 1e3 * there, 1e3 * back, back / there))
    return tabulate(rows, headers=("cell", "forward ms", "backward ms", "backward/forward"), floatfmt=".2f")


def import_time(repetitions: int = 9) -> str:
    """Milliseconds that `import rnnproof.cells.lstm` costs in a fresh process that has NumPy already."""
    code = (
        "import numpy, sys, time; start = time.perf_counter(); import rnnproof.cells.lstm; "
        "print(time.perf_counter() - start); assert 'sympy' not in sys.modules"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True) for _ in range(repetitions)
    ]
    return f"import rnnproof.cells.lstm over numpy: {1e3 * statistics.median(float(run.stdout) for run in runs):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", help=f"of {', '.join(SIZES)}; all by default")
    parser.add_argument("--seconds", type=float, default=5.0, help="about how long each size is measured")
    parser.add_argument("--cells", action="store_true", help="every catalogue cell, size M, instead")
    arguments = parser.parse_args()
    unknown = set(arguments.sizes) - set(SIZES)
    if unknown:
        parser.error(f"no size {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    if arguments.cells:
        print(cells(SIZES["M"]))
        return
    print(against(arguments.sizes or list(SIZES), arguments.seconds), growth(), import_time(), sep="\n\n")


if __name__ == "__main__":
    main()
