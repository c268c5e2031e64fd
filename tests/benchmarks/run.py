"""`python -m tests.benchmarks.run`: forward + backward against autograd and torch, and what grows with T.

All numbers are medians of interleaved repetitions in one process, so that whatever else the machine does meets every rival.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tabulate import tabulate

from rnnproof.equations import catalogue
from rnnproof.verification.point import Layout
from tests.benchmarks.rivals import SIZES, disagreement, generated, problem, rivals

# Two orders of summation of T*(input + hidden) rounded terms differ by at most that many units of float64's rounding.
EPS = float(np.finfo(np.float64).eps)


def interleaved(calls: Sequence[Callable[[], object]], seconds: float) -> list[float]:
    """Median seconds of each call, in turns, at least 5 and for about `seconds` in all after one unmeasured turn."""
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + seconds
    while len(times[0]) < 5 or time.perf_counter() < end:
        for call, found in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in times]


def against(names: Sequence[str], seconds: float) -> str:
    """The generated LSTM in float32 against its rivals; their gradients must agree first."""
    rows = []
    for name in names:
        size = SIZES[name]
        apart, allowed = disagreement(size), size[0] * (size[2] + size[3]) * EPS
        if not apart <= allowed:
            raise SystemExit(f"size {name}: the rivals' gradients differ by {apart:.1e}, more than {allowed:.1e}")
        given = problem(size, "float32")
        ours, *others = interleaved([make(given) for make in rivals().values()], seconds)
        ratios = [f"{other / ours:.2f}x" for other in others]
        rows.append((name, size, f"{1e3 * ours:.2f}", *(f"{1e3 * other:.2f}" for other in others), *ratios, f"{apart:.0e}"))
    first, *rest = rivals()
    headers = ("size", "(T, B, input, hidden)", *(f"{n} ms" for n in (first, *rest)), *(f"{n}/ours" for n in rest), "apart")
    return tabulate(rows, headers=headers, disable_numparse=True, stralign="right")


def growth() -> str:
    """Time and memory of the LSTM at B = 32, input = 32, hidden = 64 against T; the last columns are per step."""
    rows = []
    for steps in (50, 100, 200, 400, 800):
        run = generated(problem((steps, 32, 32, 64), "float32"))
        (seconds,) = interleaved([run], 0.5)
        tracemalloc.start()
        run()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        rows.append((steps, 1e3 * seconds, peak / 2**20, 1e6 * seconds / steps, peak / 2**10 / steps))
    headers = ("T", "ms", "peak MiB", "us/step", "KiB/step")
    return tabulate(rows, headers=headers, floatfmt=".1f")


def cells(size: tuple[int, int, int, int]) -> str:
    """Forward and backward of every catalogue cell's module in float32."""
    rows = []
    for name in catalogue.names():
        module: Any = importlib.import_module(f"rnnproof.cells.{name}")
        steps, batch, n_input, n_hidden = size
        sizes = {"T": steps, "B": batch, "input": n_input, "hidden": n_hidden}
        point = Layout.of_cell(catalogue.load(name)).draw(sizes, 0).cast("float32")
        xs = steps if point.xs is None else point.xs
        trace = module.forward(point.params, xs, point.initial)

        def forward(module: Any = module, point: Any = point, xs: Any = xs) -> Any:
            return module.forward(point.params, xs, point.initial)

        def backward(module: Any = module, trace: Any = trace, point: Any = point) -> Any:
            return module.backward(trace, point.d_states)

        there, back = interleaved([forward, backward], 1.0)
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
