"""`gru-vs-lstm`: the same units, counted from the derivation, measured, and trained."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from rnnproof.derivation.adjoint import adjoint
from rnnproof.derivation.flatten import flatten
from rnnproof.derivation.program import Program
from rnnproof.equations import catalogue
from rnnproof.experiments.findings import Findings, Statement, Table, quartiles, share, spread, verdict
from rnnproof.experiments.measuring import held, in_turns
from rnnproof.experiments.training import Training
from rnnproof.experiments.trial import Result, Seed, Trial, spawned

TITLE = "GRU against LSTM: cheaper? better?"
CELLS = ("lstm", "gru", "gru_reset_after")
TASKS: dict[str, int | None] = {"adding": 20, "temporal-order": 30, "vowels": None}
BATCH, LENGTH = 32, 50
_PRODUCTS = ("matmul", "outer")


@dataclass(frozen=True)
class Cost(Trial):
    """One size of all cells: what a step costs by the count, and what a sequence costs by the clock; float32."""

    TIMED: ClassVar[bool] = True

    units: int
    features: int
    repetitions: int
    seed: Seed

    def run(self) -> Result:
        """For each cell: parameters, multiply-adds of a step forward and backward, tape bytes of a step, seconds."""
        (rng,) = self.seed.streams(1)
        sizes = {"hidden": self.units, "input": self.features}
        counts, calls = {}, []
        for name in CELLS:
            module: Any = importlib.import_module(f"rnnproof.cells.{name}")
            params = {
                key: (rng.standard_normal([sizes[s] for s in shape]) / np.sqrt(self.units)).astype(np.float32)
                for key, shape in module.PARAMETERS.items()
            }
            xs = rng.standard_normal((LENGTH, BATCH, self.features)).astype(np.float32)
            ones = {"h": np.ones((LENGTH, BATCH, self.units), np.float32)}
            trace = module.forward(params, xs)
            forward = flatten(catalogue.load(name))
            kept = held([*trace.tape.values(), *trace.states.values()]) - xs.nbytes
            counts[name] = {
                "parameters": sum(value.size for value in params.values()),
                "forward": multiply_adds(forward, sizes),
                "backward": multiply_adds(adjoint(forward), sizes),
                "tape": kept / (LENGTH * BATCH),
            }
            calls.append(partial(_step, module, params, xs, ones))
        seconds = in_turns(calls, self.repetitions)
        return {name: {**counts[name], "seconds": time} for name, time in zip(CELLS, seconds, strict=True)}


def _step(module: Any, params: Any, xs: Any, ones: Any) -> None:
    module.backward(module.forward(params, xs), ones)


def multiply_adds(program: Program, sizes: dict[str, int]) -> int:
    """The multiply-adds of the matrix products of one step for one sample, counted from the derivation's program."""
    total = 0
    for step in program.steps:
        if step.op in _PRODUCTS:
            shape = step.target.shape if step.op == "outer" else step.args[0].shape
            total += int(np.prod([int(size.subs({s: sizes[s.name] for s in size.free_symbols})) for size in shape]))
    return total


def trials(scale: str, seed: int) -> list[Trial]:
    """Sizes to count and measure, and runs of both layers on three tasks."""
    units, repetitions, seeds, steps = {
        "quick": ((32, 64), 5, 2, 60),
        "default": ((32, 64, 128, 256), 20, 5, 400),
        "full": ((32, 64, 128, 256, 512), 100, 20, 2000),
    }[scale]
    made: list[Trial] = [Cost(n, n // 2, repetitions, spawned(seed, 1)[0]) for n in units]
    for task, length in TASKS.items():
        for layer in ("LSTM", "GRU"):
            for one in spawned(seed, seeds):
                made.append(Training(task, length, layer, 24, "Adam", 0.01, "global", 1.0, 16, steps, one, target=0.5))
    return made


def findings(results: Sequence[tuple[Trial, Result]]) -> Findings:
    """Costs, trainings, and what the lecture says of them."""
    costs = [(trial, result) for trial, result in results if isinstance(trial, Cost)]
    runs: dict[tuple[str, str], list[Result]] = {}
    for trial, result in results:
        if isinstance(trial, Training):
            runs.setdefault((trial.task, trial.layer), []).append(result)
    rows = [
        (
            name,
            trial.units,
            trial.features,
            found["parameters"],
            found["forward"],
            found["backward"],
            f"{found['tape']:.0f}",
            f"{1e3 * found['seconds']:.2f}",
            *(f"{found[what] / result['lstm'][what]:.3f}" for what in ("parameters", "forward", "tape", "seconds")),
        )
        for trial, result in costs
        for name, found in result.items()
    ]
    headers = (
        "cell",
        "units",
        "inputs",
        "parameters",
        "multiply-adds forward",
        "backward",
        "tape bytes",
        "ms",
        "parameters / LSTM",
        "multiply-adds / LSTM",
        "tape / LSTM",
        "ms / LSTM",
    )
    says = (
        f"At the same units: multiply-adds and tape bytes are of one step of one sequence (float32), ms of {LENGTH} steps of "
        f"{BATCH} sequences, forward and backward."
    )
    learned = [
        (
            task,
            *(spread([r["final"] / r["baseline"] for r in runs[task, layer] if r["final"] is not None]) for layer in _LAYERS),
            *(spread(r["wrong"] for r in runs[task, layer]) for layer in _LAYERS),
            _winner(runs, task),
        )
        for task in TASKS
    ]
    trained = Table(
        "gru-vs-lstm-training",
        "Trained alike: final loss over the constant answer's, and the share of test sequences that are wrong; median "
        "[quartiles].",
        ("task", "LSTM loss", "GRU loss", "LSTM wrong", "GRU wrong", "better"),
        tuple(learned),
    )
    one = next(trial for trial, _ in results if isinstance(trial, Training))
    setting = (
        f"Training: {one.units} units, Adam with learning rate {one.lr:g}, the norm of all gradients clipped at "
        f"{one.limit:g}, batches of {one.batch}, {one.steps} steps, float32, {len(next(iter(runs.values())))} seeds.",
        "Multiply-adds are those of the matrix products in the derivation's programs. The tape is what the forward pass "
        "keeps for the backward pass, states included. ms are this machine's, in turns, one BLAS thread. better: the layer "
        "with the lower median loss where the quartiles do not overlap.",
    )
    tables = (Table("gru-vs-lstm-cost", says, headers, tuple(rows)), trained)
    curves = {
        "cost": {name: [(t.units, r[name]["seconds"] / r["lstm"]["seconds"]) for t, r in costs] for name in CELLS},
        "training": {key: [r["loss_at"] for r in found] for key, found in runs.items()},
        "at": next(iter(runs.values()))[0]["at"],
    }
    return Findings(setting, tables, _statements(costs, runs), curves)


_LAYERS = ("LSTM", "GRU")


def _winner(runs: dict[tuple[str, str], list[Result]], task: str) -> str:
    (low, middle, high), (below, other, above) = (quartiles(r["final"] for r in runs[task, layer]) for layer in _LAYERS)
    if low is None or high is None or below is None or above is None or middle is None or other is None:
        return "level"
    if low <= above and below <= high:
        return "level"
    return "LSTM" if middle < other else "GRU"


def _statements(costs: Sequence[tuple[Cost, Result]], runs: dict[tuple[str, str], list[Result]]) -> tuple[Statement, ...]:
    ratios = {
        what: [r["gru"][what] / r["lstm"][what] for _, r in costs] for what in ("parameters", "forward", "tape", "seconds")
    }
    told = {
        what: f"{min(values):.3f}" + (f" to {max(values):.3f}" if max(values) - min(values) > 5e-4 else "")
        for what, values in ratios.items()
    }
    after = [r["gru_reset_after"]["seconds"] / r["lstm"]["seconds"] for _, r in costs]
    winners = {task: _winner(runs, task) for task in TASKS}
    apart = [name for name in winners.values() if name != "level"]
    return (
        Statement(
            "computations",
            "A GRU computes less than an LSTM at the same length (and the same units).",
            verdict(max(ratios["forward"]) < 1 and max(ratios["seconds"]) < 1, max(ratios["forward"]) < 1),
            f"GRU over LSTM: multiply-adds {told['forward']}, measured time {told['seconds']} (faster in "
            f"{share([value < 1 for value in ratios['seconds']]):.0%} of the sizes); with the reset after the product, time "
            f"{min(after):.3f} to {max(after):.3f}",
        ),
        Statement(
            "space",
            "A GRU needs less space than an LSTM.",
            verdict(max(ratios["parameters"]) < 1 and max(ratios["tape"]) < 1, max(ratios["parameters"]) < 1),
            f"GRU over LSTM: parameters {told['parameters']}, tape {told['tape']}",
        ),
        Statement(
            "neither",
            "Neither of LSTM and GRU is better on every task.",
            verdict(len(set(apart)) != 1 or len(apart) < len(winners)),
            ", ".join(f"{task}: {name}" for task, name in winners.items()),
        ),
    )
