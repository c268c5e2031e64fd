"""`unroll`: what writing the steps out one by one brings, by length of the sequence."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnproof import layers
from rnnproof.layers import specialise
from rnnproof.pages.message import listed, say
from rnnproof.study.experiments.measuring import in_turns, peak
from rnnproof.study.figure_style import Drawing, caption, line, panels
from rnnproof.study.sweep.experiment import Experiment
from rnnproof.study.sweep.findings import Findings, Statement, Table, verdict
from rnnproof.study.sweep.trial import Result, Seed, Trial, spawned

BATCH, FEATURES, UNITS = 32, 16, 32
GATES = {"recurrent_activation": "sigmoid", "implementation": 2}


@dataclass(frozen=True)
class Unrolling(Trial):
    """The same layer with `unroll` and without, measured in turns; float32."""

    TIMED: ClassVar[bool] = True

    layer: str
    length: int
    repetitions: int
    seed: Seed

    def run(self) -> Result:
        """Seconds of a call with its backward pass, the most memory in it, the module's memory, the first call's seconds."""
        (rng,) = self.seed.streams(1)
        x = rng.standard_normal((BATCH, self.length, FEATURES)).astype(np.float32)
        runs, first, code = [], [], []
        self._run(x, False)()  # SymPy's caches are full now, for both
        for unroll in (False, True):
            specialise.module.cache_clear()
            start = time.perf_counter()
            run = self._run(x, unroll)
            run()
            first.append(time.perf_counter() - start)
            runs.append(run)
            code.append(_kept(lambda: self._run(x, unroll)()))  # noqa: B023  called at once
        seconds = in_turns(runs, self.repetitions)
        return {"seconds": seconds, "memory": [peak(run) for run in runs], "code": code, "first": first}

    def _run(self, x: Any, unroll: bool) -> Callable[[], Any]:
        options = {} if self.layer == "SimpleRNN" else GATES
        built = getattr(layers, self.layer)(UNITS, return_sequences=True, unroll=unroll, seed=1, dtype="float32", **options)
        built.build(x.shape)
        ones = np.ones((BATCH, self.length, UNITS), np.float32)

        def run() -> Any:
            built(x)
            return built.backward(ones)

        return run


def _kept(make: Callable[[], Any]) -> int:
    """The bytes that generating a module leaves behind, SymPy's caches being full already."""
    specialise.module.cache_clear()
    gc.collect()
    tracemalloc.start()
    try:
        make()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def trials(scale: str, seed: int) -> list[Trial]:
    """Every layer and length."""
    lengths, repetitions = {
        "quick": ((5, 20), 10),
        "default": ((5, 10, 20, 50, 100, 200), 60),
        "full": ((5, 10, 20, 50, 100, 200, 500), 400),
    }[scale]
    names = ("LSTM",) if scale == "quick" else ("SimpleRNN", "LSTM", "GRU")
    return [Unrolling(name, length, repetitions, spawned(seed, 1)[0]) for name in names for length in lengths]


def findings(results: Sequence[tuple[Trial, Result]]) -> Findings:
    """The table, and what became of the lecture's claim."""
    rows, ratios, memory, code = [], [], [], []
    curves: dict[str, list[tuple[int, float, float, float]]] = {}
    for trial, r in results:
        assert isinstance(trial, Unrolling)
        (loop, unrolled), ratio = r["seconds"], r["seconds"][0] / r["seconds"][1]
        per_step = (r["code"][1] - r["code"][0]) / trial.length
        rows.append(
            (
                trial.layer,
                trial.length,
                f"{1e3 * loop:.2f}",
                f"{1e3 * unrolled:.2f}",
                f"{ratio:.2f}",
                *(f"{m / 2**10:.0f}" for m in r["memory"]),
                *(f"{c / 2**10:.0f}" for c in r["code"]),
                *(f"{1e3 * s:.0f}" for s in r["first"]),
            )
        )
        curves.setdefault(trial.layer, []).append((trial.length, ratio, r["memory"][1] / r["memory"][0], r["code"][1] / 2**10))
        ratios.append(ratio)
        memory.append(r["memory"][1] / r["memory"][0])
        code.append(per_step / 2**10)
    headers = (
        say("layer"),
        say("length"),
        say("loop ms"),
        say("unrolled ms"),
        say("loop / unrolled"),
        say("loop KiB in a call"),
        say("unrolled KiB"),
        say("loop's code KiB"),
        say("unrolled code KiB"),
        say("loop's first call ms"),
        say("unrolled first ms"),
    )
    says = say(
        "Forward and backward of a layer, batches of {batch}, {inputs} inputs, {units} units, float32, one BLAS thread.",
        batch=BATCH,
        inputs=FEATURES,
        units=UNITS,
    )
    statements = (
        Statement(
            "faster",
            say("Unrolling makes the recurrence faster, for short sequences at least."),
            verdict(all(course[0][1] > 1.05 for course in curves.values()), any(ratio > 1.05 for ratio in ratios)),
            say(
                "time of the loop over unrolled: {least:.2f} to {most:.2f}, median {median:.2f}; at the shortest length "
                "{short}",
                least=min(ratios),
                most=max(ratios),
                median=statistics.median(ratios),
                short=listed(f"{name} {course[0][1]:.2f}" for name, course in curves.items()),
            ),
        ),
        Statement(
            "memory",
            say("Unrolling takes more memory."),
            verdict(min(memory) > 1.05, statistics.median(code) > 0),
            say(
                "{code:.1f} KiB of code for each step in the median; in a call {least:.2f} to {most:.2f} times the loop's "
                "memory",
                code=statistics.median(code),
                least=min(memory),
                most=max(memory),
            ),
        ),
    )
    return Findings(
        (say("Times are this machine's, medians of calls in turns."),),
        (Table("unroll", says, headers, tuple(rows)),),
        statements,
        curves,
    )


def draw(findings: Findings) -> list[Drawing]:
    """One figure."""
    figure, ((left, right),) = panels(2)
    for place, (layer, course) in enumerate(findings.curves.items()):
        lengths = [one[0] for one in course]
        line(left, place, lengths, [one[1] for one in course], layer)
        line(right, place, lengths, [one[3] for one in course], layer)
    left.axhline(1.0, color="#888888", linewidth=1)
    left.set(xscale="log", xlabel="length of the sequence (steps)", ylabel="time of the loop / unrolled", ylim=(0, 2))
    right.set(xscale="log", yscale="log", xlabel="length of the sequence (steps)", ylabel="memory of the code (KiB)")
    left.legend()
    says = say(
        "Left: time of a layer's loop over its time unrolled (1: no difference). Right: the memory of the unrolled code."
    )
    alt = say("Two panels over the length, one curve for each layer: the ratio of times, and KiB of code.")
    return [Drawing("unroll", caption(says, findings, "faster", "memory"), alt, figure)]


EXPERIMENT = Experiment(
    name="unroll",
    title=say("Unrolling: faster, and more memory?"),
    trials=trials,
    findings=findings,
    draw=draw,
    place=6,
    face="unroll",
    shown_on={},
)
