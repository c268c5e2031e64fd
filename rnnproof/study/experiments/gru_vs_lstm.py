"""`gru-vs-lstm`: the same units, counted from the derivation, measured, and trained."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product, zip_longest
from typing import Any, ClassVar

import numpy as np

from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.adjoint_operations import Outer
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.operations import Matmul
from rnnproof.calculus.program import Program
from rnnproof.equations import catalogue
from rnnproof.pages.message import Text, listed, say
from rnnproof.study.experiments.measuring import held, in_turns
from rnnproof.study.experiments.training import Training
from rnnproof.study.figure_style import Drawing, caption, line, panels
from rnnproof.study.sweep.experiment import Experiment
from rnnproof.study.sweep.findings import Findings, Statement, Table, median, quartiles, share, spread, verdict
from rnnproof.study.sweep.trial import Result, Seed, Trial, spawned

CELLS = ("lstm", "gru", "gru_reset_after")
TASKS: dict[str, int | None] = {"adding": 20, "temporal-order": 30, "vowels": None}
LAYERS = ("LSTM", "GRU")
BATCH, LENGTH = 32, 50


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
            held_bytes = held([*trace.tape.values(), *trace.states.values()]) - xs.nbytes
            counts[name] = {
                "parameters": sum(value.size for value in params.values()),
                "forward": multiply_adds(forward, sizes),
                "backward": multiply_adds(adjoint(forward), sizes),
                "tape": held_bytes / (LENGTH * BATCH),
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
        if isinstance(step.op, Matmul | Outer):
            shape = step.target.shape if isinstance(step.op, Outer) else step.args[0].shape
            total += int(np.prod([int(size.subs({s: sizes[s.name] for s in size.free_symbols})) for size in shape]))
    return total


def trials(scale: str, seed: int) -> list[Trial]:
    """Sizes to count and measure, and runs of both layers on three tasks."""
    units, repetitions, seeds, steps, rates = {
        "quick": ((32, 64), 5, 2, 60, (0.01,)),
        "default": ((32, 64, 128, 256), 20, 5, 400, (0.003, 0.01, 0.03)),
        "full": ((32, 64, 128, 256, 512), 100, 20, 1000, (0.003, 0.01, 0.03)),
    }[scale]
    planned: list[Trial] = [Cost(n, n // 2, repetitions, spawned(seed, 1)[0]) for n in units]
    for (task, length), layer, lr, child in product(TASKS.items(), LAYERS, rates, spawned(seed, seeds)):
        planned.append(Training(task, length, layer, 24, "Adam", lr, "global", 1.0, 16, steps, child))
    return planned


def findings(results: Sequence[tuple[Trial, Result]]) -> Findings:
    """Costs, trainings, and what the lecture says of them."""
    costs = [(trial, result) for trial, result in results if isinstance(trial, Cost)]
    runs = _best_rates(results)
    rows = [
        (
            name,
            trial.units,
            trial.features,
            measured["parameters"],
            measured["forward"],
            measured["backward"],
            f"{measured['tape']:.0f}",
            f"{1e3 * measured['seconds']:.2f}",
            *(f"{measured[what] / result['lstm'][what]:.3f}" for what in ("parameters", "forward", "tape", "seconds")),
        )
        for trial, result in costs
        for name, measured in result.items()
    ]
    headers = (
        say("cell"),
        say("units"),
        say("inputs"),
        say("parameters"),
        say("multiply-adds forward"),
        say("backward"),
        say("tape bytes"),
        "ms",
        say("parameters / LSTM"),
        say("multiply-adds / LSTM"),
        say("tape / LSTM"),
        "ms / LSTM",
    )
    says = say(
        "At the same units: multiply-adds and tape bytes are of one step of one sequence (float32), ms of {length} steps of "
        "{batch} sequences, forward and backward.",
        length=LENGTH,
        batch=BATCH,
    )
    learned = []
    for task in TASKS:
        groups = [runs[task, layer] for layer in LAYERS]
        cells = [say("{loss} at {limit:g}", loss=spread(_relative(measured)), limit=lr) for lr, measured in groups]
        learned.append((task, *cells, *(spread(r["wrong"] for r in measured) for _, measured in groups), _winner(runs, task)))
    trained = Table(
        "gru-vs-lstm-training",
        say(
            "Trained alike: final loss over the constant answer's at the better learning rate of each, and the share of test "
            "sequences that are wrong; median [quartiles]."
        ),
        (say("task"), say("LSTM loss"), say("GRU loss"), say("LSTM wrong"), say("GRU wrong"), say("better")),
        tuple(learned),
    )
    example = next(trial for trial, _ in results if isinstance(trial, Training))
    seeds = len(next(iter(runs.values()))[1])
    setting = (
        say(
            "Training: {units} units, Adam, the learning rate of the lowest median loss of each layer and task, the norm of "
            "all gradients clipped at {limit:g}, batches of {batch}, {steps} steps, float32, {seeds} seeds.",
            units=example.units,
            limit=example.limit,
            batch=example.batch,
            steps=example.steps,
            seeds=seeds,
        ),
        say(
            "Multiply-adds are those of the matrix products in the derivation's programs. The tape is what the forward pass "
            "keeps for the backward pass, states included. ms are this machine's, in turns, one BLAS thread. better: the layer "
            "with the lower median loss where the quartiles do not overlap."
        ),
    )
    tables = (Table("gru-vs-lstm-cost", says, headers, tuple(rows)), trained)
    curves = {
        "cost": {name: [(t.units, r[name]["seconds"] / r["lstm"]["seconds"]) for t, r in costs] for name in CELLS},
        "training": {key: [r["loss_at"] for r in measured] for key, (_, measured) in runs.items()},
        "at": next(iter(runs.values()))[1][0]["at"],
    }
    return Findings(setting, tables, _statements(costs, runs), curves)


Runs = dict[tuple[str, str], tuple[float, list[Result]]]


def _best_rates(results: Sequence[tuple[Trial, Result]]) -> Runs:
    """For each task and layer the learning rate with the lowest median loss, and its runs."""
    groups: dict[tuple[str, str, float], list[Result]] = {}
    for trial, result in results:
        if isinstance(trial, Training):
            groups.setdefault((trial.task, trial.layer, trial.lr), []).append(result)
    best: Runs = {}
    for (task, layer, lr), outcomes in groups.items():
        if (task, layer) not in best or _middle(outcomes) < _middle(best[task, layer][1]):
            best[task, layer] = (lr, outcomes)
    return best


def _relative(outcomes: Sequence[Result]) -> list[float]:
    """Final losses over the constant answer's; infinite where a number was not finite."""
    return [math.inf if r["final"] is None else r["final"] / r["baseline"] for r in outcomes]


def _middle(outcomes: Sequence[Result]) -> float:
    middle = quartiles(_relative(outcomes))[1]
    return math.inf if middle is None else middle


_LEVEL = say("level")


def _winner(runs: Runs, task: str) -> Text:
    """The layer whose quartiles of the loss lie below the other's; _LEVEL where they overlap."""
    (low, _, high), (below, _, above) = (quartiles(_relative(runs[task, layer][1])) for layer in LAYERS)
    assert low is not None and high is not None and below is not None and above is not None
    return "LSTM" if high < below else "GRU" if above < low else _LEVEL


def _range(values: Sequence[float]) -> Text:
    """The least and the greatest ratio, or the one where they are the same."""
    if max(values) - min(values) > 5e-4:
        return say("{least:.3f} to {greatest:.3f}", least=min(values), greatest=max(values))
    return f"{min(values):.3f}"


def _statements(costs: Sequence[tuple[Cost, Result]], runs: Runs) -> tuple[Statement, ...]:
    ratios = {
        what: [r["gru"][what] / r["lstm"][what] for _, r in costs] for what in ("parameters", "forward", "tape", "seconds")
    }
    sentence = {what: _range(values) for what, values in ratios.items()}
    after = [r["gru_reset_after"]["seconds"] / r["lstm"]["seconds"] for _, r in costs]
    winners = {task: _winner(runs, task) for task in TASKS}
    ahead = set(winners.values()) - {_LEVEL}
    return (
        Statement(
            "computations",
            say("A GRU computes less than an LSTM at the same length (and the same units)."),
            verdict(max(ratios["forward"]) < 1 and max(ratios["seconds"]) < 1, max(ratios["forward"]) < 1),
            say(
                "GRU over LSTM: multiply-adds {counted}, measured time {measured} (faster in {faster:.0%} of the sizes); with "
                "the reset after the product, time {after}",
                counted=sentence["forward"],
                measured=sentence["seconds"],
                faster=share([value < 1 for value in ratios["seconds"]]),
                after=_range(after),
            ),
        ),
        Statement(
            "space",
            say("A GRU needs less space than an LSTM."),
            verdict(max(ratios["parameters"]) < 1 and max(ratios["tape"]) < 1, max(ratios["parameters"]) < 1),
            say(
                "GRU over LSTM: parameters {parameters}, tape {tape}", parameters=sentence["parameters"], tape=sentence["tape"]
            ),
        ),
        Statement(
            "neither",
            say("Neither of LSTM and GRU is better on every task."),
            verdict(len(ahead) == 2, set(winners.values()) != ahead),
            say(
                "lower loss: {winners}",
                winners=listed(say("{layer} on {task}", layer=name, task=task) for task, name in winners.items()),
            ),
        ),
    )


def draw(findings: Findings) -> list[Drawing]:
    """Times, and courses of the losses."""
    return [
        Drawing(
            "gru-vs-lstm-time",
            caption(
                say(
                    "Time of forward and backward over the LSTM's at the same units; dotted: the count of multiply-adds of "
                    "both GRUs, three quarters."
                ),
                findings,
                "computations",
            ),
            say("Two curves over the number of units, one for each kind of GRU, and a line at one for the LSTM."),
            _time(findings.curves["cost"]),
        ),
        Drawing(
            "gru-vs-lstm-training",
            caption(
                say(
                    "Loss of the batch against steps on three tasks, trained alike; thin lines are the seeds, thick ones their "
                    "medians."
                ),
                findings,
                "neither",
            ),
            say("Three panels, one for each task: the loss of LSTM and of GRU over the training steps."),
            _training(findings.curves),
        ),
    ]


def _time(cost: Any) -> Any:
    figure, ((axes,),) = panels(1, height=2.8)
    names = {"lstm": "LSTM", "gru": "GRU (Cho et al. 2014)", "gru_reset_after": "GRU, reset after the product"}
    for place, (name, course) in enumerate(cost.items()):
        line(axes, place, [units for units, _ in course], [ratio for _, ratio in course], names[name])
    axes.axhline(0.75, color="#888888", linestyle=":", linewidth=1.2)
    axes.set_xscale("log", base=2)
    units = [units for units, _ in cost["lstm"]]
    axes.set_xticks(units, labels=list(map(str, units)))
    axes.set(xlabel="units", ylabel="time / LSTM's time", ylim=(0, None))
    axes.legend()
    return figure


def _training(curves: Any) -> Any:
    figure, (row,) = panels(3, height=2.8)
    for axes, task in zip(row, TASKS, strict=True):
        for place, layer in enumerate(("LSTM", "GRU")):
            runs = curves["training"][task, layer]
            for one in runs:
                line(axes, place, curves["at"][: len(one)], one, marker="", linestyle="-", linewidth=0.4, alpha=0.5)
            middle = [median(measured) for measured in zip_longest(*runs)]  # a run that stopped has no more losses
            line(axes, place, curves["at"], middle, layer, marker="", linewidth=2)
        axes.set(title=task, xlabel="steps", yscale="log")
    row[0].set_ylabel("loss of the batch")
    row[0].legend()
    return figure


EXPERIMENT = Experiment(
    name="gru-vs-lstm",
    title=say("GRU against LSTM: cheaper? better?"),
    trials=trials,
    findings=findings,
    draw=draw,
    place=5,
    face="gru-vs-lstm-time",
    shown_on={"gru-vs-lstm-training": ("lstm", "gru"), "gru-vs-lstm-time": ("gru_reset_after",)},
)
