"""`flow`: how large the gradient is at the entry, against depth and against time, beside what the derivation predicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rnnproof.equations import catalogue, reader
from rnnproof.equations.cell import Cell
from rnnproof.generation import build
from rnnproof.pages.message import say
from rnnproof.study.experiments.flow_figures import draw
from rnnproof.study.experiments.flow_statements import statements
from rnnproof.study.experiments.jacobians import Array, Formulas
from rnnproof.study.sweep.experiment import Experiment
from rnnproof.study.sweep.findings import Findings, Table, median, power, present
from rnnproof.study.sweep.trial import Result, Seed, Trial, spawned

DEPTHS = (1, 2, 5, 10, 20, 50, 100)
TIMES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
MEASURED = ("measured", "formula", "differ", "largest", "norms", "bound", "path")
RADII = (0.5, 0.9, 1.0, 1.1, 1.5)
WEAK = 0.1  # deviation of weak inputs
WARM_UP = 50  # steps before the first distance, so that states are typical
# The gate that keeps the old value, and its bias.
KEEPS = {"lstm": ("forget", "b_f"), "gru": ("update", "b_z"), "gate": ("carry", "b_c")}
_PLAIN = r"o^{(l)} = \tanh(W^{(l)} o^{(l-1)} + b^{(l)})"


@dataclass(frozen=True)
class Flow(Trial):
    """One cell with random weights: the gradient that reaches the start of a stretch from a unit gradient at its end.

    `cell` is a catalogue cell, or "plain" (a stack of tanh layers); `gain` the deviation of a stack's weights times sqrt(units)
    (a Gaussian matrix's spectral radius, about); `radius` the spectral radius of the SimpleRNN's R; `bias` that of the gate
    that keeps the old value; `drive` the deviation of the inputs, 0 for a cell that stays at h = 0.
    """

    cell: str
    units: int
    distances: tuple[int, ...]
    seed: Seed
    gain: float | None = None
    radius: float | None = None
    bias: float | None = None
    drive: float = 1.0

    @property
    def label(self) -> str:
        """What a table calls it."""
        built = {"gain": self.gain, "radius": self.radius, f"{KEEPS.get(self.cell, ('', ''))[0]} bias": self.bias}
        given = [f"{name} {value:g}" for name, value in built.items() if value is not None]
        rest = {0.0: ["at h = 0"], WEAK: ["weak inputs"]}.get(self.drive, [])
        return ", ".join([self.cell, *given, *rest])

    def run(self) -> Result:
        """log10 of the norms for each distance: measured, by the formulas, the largest possible, the bounds, the path."""
        weights, data = self.seed.streams(2)
        formulas, module = _formulas(self.cell), _module(self.cell)
        total = max(self.distances)
        params = self._params(module, weights, total)
        xs, first = self._start(module, params, data, total)
        states = module.STATES
        end = data.standard_normal(self.units)
        end /= np.linalg.norm(end)
        seed_vector = np.concatenate([end, np.zeros(self.units * (len(states) - 1))])
        trace = module.forward(params, xs, first)
        before = {name: np.concatenate([first[name][np.newaxis], trace.states[name]]) for name in states}
        product, path = (np.eye(self.units * len(states)) for _ in range(2))
        norms, bound = 0.0, 0.0
        measured: dict[str, list[float | None]] = {name: [] for name in MEASURED}
        for step in range(total):
            here = {name: value[step] if _per_step(module, name) else value for name, value in params.items()}
            x = None if module.INPUT is None else xs[step, 0]
            one = formulas.at(here, x, {name: before[name][step, 0] for name in states})
            product, path = one.full @ product, one.path @ path
            norms += _log_norm(one.full) or 0.0
            if formulas.bounded:
                bound += formulas.log_bound(here)
            distance = step + 1
            if distance in self.distances:
                backward = self._measured(module, params, xs, first, distance, end)
                predicted = seed_vector @ product
                size, apart = _log_norm(predicted), _log_norm(backward - predicted)
                measured["measured"].append(_log_norm(backward))
                measured["formula"].append(size)
                measured["differ"].append(0.0 if apart is None else math.inf if size is None else 10.0 ** (apart - size))
                measured["largest"].append(_log_norm(product))
                measured["norms"].append(norms)
                measured["bound"].append(bound if formulas.bounded else None)
                measured["path"].append(_log_norm(seed_vector @ path))
        return measured

    def _measured(self, module: Any, params: Any, xs: Any, first: Any, distance: int, end: Array) -> Array:
        """The gradient at the first states, through the generated code, from `end` at the output `distance` steps later."""
        part = {name: value[:distance] if _per_step(module, name) else value for name, value in params.items()}
        trace = module.forward(part, distance if module.INPUT is None else xs[:distance], first)
        seeds = np.zeros_like(trace.states[module.STATES[0]])
        seeds[-1, 0] = end
        gradients = module.backward(trace, {module.STATES[0]: seeds})
        return np.concatenate([gradients.initial[name][0] for name in module.STATES])

    def _params(self, module: Any, rng: np.random.Generator, steps: int) -> dict[str, Array]:
        """Gaussian weights: of a stack, deviation gain / sqrt(units); of a cell, 1 / sqrt(units), R scaled to its radius."""
        sizes = {"hidden": self.units, "input": self.units, "steps": steps}
        scale = 1.0 if self.gain is None else self.gain
        params = {}
        for name, shape in module.PARAMETERS.items():
            value = rng.standard_normal([sizes[size] for size in shape])
            params[name] = scale / np.sqrt(self.units) * value if shape[-2:-1] == ("hidden",) else np.zeros_like(value)
        if self.radius is not None:
            params["R"] *= self.radius / np.max(np.abs(np.linalg.eigvals(params["R"])))
        if self.bias is not None:
            params[KEEPS[self.cell][1]] += self.bias
        return params

    def _start(self, module: Any, params: Any, rng: np.random.Generator, steps: int) -> tuple[Any, dict[str, Array]]:
        """Inputs, and the states to start from: after a warm-up, or random at the entry of a stack."""
        if module.INPUT is None:
            return steps, {name: rng.standard_normal((1, self.units)) for name in module.STATES}
        xs = self.drive * rng.standard_normal((WARM_UP + steps, 1, self.units))
        warm = module.forward(params, xs[:WARM_UP])
        return xs[WARM_UP:], {name: warm.states[name][-1] for name in module.STATES}


def _log_norm(value: Array) -> float | None:
    """log10 of a vector's 2-norm or a matrix's spectral norm, where squares would underflow too; None for zero."""
    largest = np.max(np.abs(value))
    return float(np.log10(largest) + np.log10(np.linalg.norm(value / largest, 2))) if largest > 0 else None


def _per_step(module: Any, name: str) -> bool:
    return bool(module.PARAMETERS[name][0] == "steps")


@cache
def _cell(name: str) -> Cell:
    return reader.read_text(_PLAIN, name="plain")[0] if name == "plain" else catalogue.load(name)


@cache
def _formulas(name: str) -> Formulas:
    return Formulas(_cell(name))


@cache
def _module(name: str) -> Any:
    return build(_cell(name))


def trials(scale: str, seed: int) -> list[Trial]:
    """Every stack and every cell, some seeds of each."""
    quick = scale == "quick"
    seeds = spawned(seed, {"quick": 2, "default": 5, "full": 20}[scale])
    units = 16 if quick else 32
    depths, times = (DEPTHS[:-1], TIMES[:-2]) if quick else (DEPTHS, TIMES)
    stacks: list[dict[str, Any]] = [
        {"cell": cell, "gain": gain} for cell in ("plain", "shortcut", "gate") for gain in (0.5, 1.0, 1.5)
    ]
    stacks.append({"cell": "gate", "gain": 1.0, "bias": 5.0})
    radii: list[dict[str, Any]] = [{"cell": "simple_rnn", "radius": r, "drive": d} for d in (0.0, WEAK, 1.0) for r in RADII]
    gated: list[dict[str, Any]] = [{"cell": "lstm", "bias": bias} for bias in (0.0, 1.0, 5.0, 7.0)]
    gated += [{"cell": "gru"}, {"cell": "gru", "bias": 5.0}, {"cell": "gru", "bias": 7.0}]
    planned: list[Trial] = []
    for cells, distances in ((stacks, depths), ([*radii, *gated], times)):
        planned += [Flow(units=units, distances=distances, seed=s, **cell) for cell in cells for s in seeds]
    return planned


_HEADERS = (
    say("cell"),
    say("distance"),
    say("measured"),
    say("least"),
    say("greatest"),
    say("elementwise path"),
    say("largest possible"),
    say("product of norms"),
    say("bound"),
    say("bound / largest"),
)


def findings(results: Sequence[tuple[Trial, Result]]) -> Findings:
    """The tables, the statements, and the curves of the figures."""
    groups: dict[str, list[tuple[Flow, Result]]] = {}
    for trial, result in results:
        assert isinstance(trial, Flow)
        groups.setdefault(trial.label, []).append((trial, result))
    curves = {label: _curve(group) for label, group in groups.items()}
    tables: list[Table] = []
    for kind, what in (("depth", say("layers")), ("time", say("steps"))):
        chosen = {label: curve for label, curve in curves.items() if curve["kind"] == kind}
        distances = next(iter(chosen.values()))["distances"]
        tables.append(
            Table(
                f"flow-{kind}",
                say(
                    "Gradient norm after so many {what} backwards, from a gradient of norm 1 at the output; median of the "
                    "seeds.",
                    what=what,
                ),
                (say("cell"), *map(str, distances)),
                tuple((label, *map(power, curve["measured"])) for label, curve in chosen.items()),
            )
        )
        tables.append(
            Table(
                f"flow-{kind}-theory",
                say("What the derivation says of it, after {distance} {what}.", distance=distances[-1], what=what),
                _HEADERS,
                tuple(_theory(label, curve, -1) for label, curve in chosen.items()),
            )
        )
        every = tuple(_theory(label, curve, at) for label, curve in chosen.items() for at in range(len(distances)))
        tables.append(Table(f"flow-{kind}-all", say("The same for every distance."), _HEADERS, every, page=False))
    some = groups[next(iter(groups))]
    setting = (
        say(
            "{units} units, Gaussian weights, {seeds} seeds, float64; inputs N(0, 1), weak ones N(0, 0.1^2), at h = 0 none; "
            "{steps} steps before the first. gain: deviation of a stack's weights times the root of the units; radius: "
            "spectral radius of R; bias: of the gate that keeps the old value.",
            units=some[0][0].units,
            seeds=len(some),
            steps=WARM_UP,
        ),
        say(
            "measured: the generated code's backward pass. largest possible: the spectral norm of the product of the derived "
            "Jacobians, the most that a gradient of norm 1 can become. elementwise path: the same gradient along the terms "
            "that no matrix multiplies (I, the gates). product of norms: the norms of the steps' Jacobians, multiplied. "
            "bound: the derivation's, from the weights alone, (g sigma_max)^k for a SimpleRNN; none where a state is not "
            "bounded beforehand."
        ),
    )
    differ = max(present(d for _, r in results for d in r["differ"]))
    return Findings(setting, tuple(tables), statements(results, curves, differ), curves)


def _curve(group: Sequence[tuple[Flow, Result]]) -> dict[str, Any]:
    """log10 of the medians over the seeds at each distance, and the range of what was measured."""
    first, places = group[0][0], range(len(group[0][0].distances))
    curve: dict[str, Any] = {"kind": "time" if first.gain is None else "depth", "distances": first.distances}
    for name in ("measured", "largest", "norms", "bound", "path"):
        curve[name] = [median(r[name][at] for _, r in group) for at in places]
    seen = [present(r["measured"][at] for _, r in group) for at in places]
    curve["least"], curve["greatest"] = ([end(values, default=None) for values in seen] for end in (min, max))
    return curve


def _theory(label: str, curve: dict[str, Any], at: int) -> tuple[Any, ...]:
    names = ("measured", "least", "greatest", "path", "largest", "norms", "bound")
    numbers = [power(curve[name][at]) or say("none") for name in names]
    bound, largest = curve["bound"][at], curve["largest"][at]
    return (label, curve["distances"][at], *numbers, power(None if bound is None or largest is None else bound - largest))


EXPERIMENT = Experiment(
    name="flow",
    title=say("How gradients travel: over layers and over time"),
    trials=trials,
    findings=findings,
    draw=draw,
    place=2,
    face="flow-depth",
    shown_on={"flow-depth": ("gate", "shortcut"), "flow-time": ("simple_rnn", "lstm", "gru"), "flow-bound": ("simple_rnn",)},
)
