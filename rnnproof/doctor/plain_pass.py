"""The derived backward pass as it is derived, step by step and unfused, so that a mistake can be planted in any line of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rnnproof.calculus import adjoint, flatten
from rnnproof.calculus.adjoint_operations import ReduceSum
from rnnproof.calculus.program import Port, Program, Role, Step
from rnnproof.doctor.array_operations import Compute, compute
from rnnproof.doctor.case import Array
from rnnproof.equations.cell import Cell

Outputs = dict[str, Array]
# Behind a variable's name: its value at another step. For seeds: with some losses left out.
LAST, NEXT, BEFORE, WRAPPED = "@last", "@next", "@before", "@wrapped"
EARLIER, OVERWRITTEN, OVERWRITTEN_LATER = "@earlier", "@overwritten", "@overwritten_later"
ONLY_LAST, WITHOUT_LAST, WITHOUT_FIRST = "@only_last", "@without_last", "@without_first"


def label(port: Port) -> str:
    """A gradient's name: "W_i" of a parameter, "input x", "initial h"."""
    return {Role.INPUT: f"input {port.key}", Role.CARRY: f"initial {port.key}"}.get(port.role, port.key)


@dataclass(frozen=True)
class Pass:
    """A backward pass over a sequence: the steps within one time step, and how the loop goes.

    `window` is the number of steps that each loss is sent back at most; `visited` cuts the loop to so many last steps; `chunk`
    forgets what comes back at every so many steps; `skipped` names the time steps left out (0 the first, -1 the last). `sums`
    says for a gradient which steps it holds instead of all: "last", "first". The gradients `local` hold nothing that comes back
    through time, those that are `apart` are computed outside of the loop. `factors` multiply a gradient by T^a B^b k. In the
    end the named gradients are clipped, entry by entry or by their joint norm.
    """

    steps: tuple[Step, ...]
    outputs: tuple[Port, ...]
    window: int | None = None
    visited: int | None = None
    skipped: tuple[int, ...] = ()
    chunk: int | None = None
    sums: Mapping[str, str] = field(default_factory=dict)
    local: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()
    zero: frozenset[str] = frozenset()
    factors: Mapping[str, tuple[int, int, float]] = field(default_factory=dict)
    clip_value: tuple[tuple[str, ...], float] | None = None
    clip_norm: tuple[tuple[str, ...], float] | None = None

    def step(self, name: str) -> Step | None:
        """The step that computes a variable; None where there is none."""
        return next((step for step in self.steps if step.target.name == name), None)

    def with_step(self, name: str, *instead: Step) -> Pass:
        """The same with other steps in the place of the one that computes `name`."""
        at = next(i for i, step in enumerate(self.steps) if step.target.name == name)
        return replace(self, steps=(*self.steps[:at], *instead, *self.steps[at + 1 :]))


@dataclass(frozen=True)
class Derived:
    """A cell's forward Program and the plain backward pass derived from it."""

    cell: Cell
    forward: Program
    backward: Program

    @property
    def whole(self) -> Pass:
        """The pass without a mistake."""
        return Pass(self.backward.steps, self.backward.outputs)


def derived(cell: Cell) -> Derived:
    """The Programs of a cell. Raises EquationError where it cannot be flattened."""
    forward = flatten(cell)
    return Derived(cell, forward, adjoint(forward))


def run_forward(
    program: Program,
    sizes: Mapping[str, int],
    params: Mapping[str, Array],
    xs: Mapping[str, Array],
    initial: Mapping[str, Array],
    recurrent: bool = True,
) -> dict[str, Array]:
    """Every value by its variable's name, (steps, ..., rows, samples); a parameter as it is.

    `params` (..., rows, columns), `xs` (steps, ..., rows, samples), `initial` by state (..., rows, samples).
    Where it is not `recurrent`, every step starts from the initial states.
    """
    steps = [(step, compute(step, sizes)) for step in program.steps]
    values: dict[str, Array] = {port.var.name: params[port.key] for port in program.ports(Role.PARAMETER)}
    now = {port.var.name: initial[port.key] for port in program.ports(Role.OLD)}
    inputs = [*program.ports(Role.INPUT), *program.ports(Role.CONSTANT)]
    new = {port.key: port.var.name for port in program.ports(Role.NEW, out=True)}
    history: dict[str, list[Array]] = {}
    for t in range(len(next(iter(xs.values())))):
        env = {**values, **now, **{port.var.name: xs[port.key][t] for port in inputs}}
        for step, function in steps:
            env[step.target.name] = function(*(env[arg.name] for arg in step.args))
        for name, value in env.items():
            if name not in values:
                history.setdefault(name, []).append(value)
        if recurrent:
            now = {port.var.name: env[new[port.key]] for port in program.ports(Role.OLD)}
    samples = max(value.shape[-1] for value in xs.values())
    return {**values, **{name: _stacked(history[name], samples) for name in history}}


def _stacked(values: list[Array], samples: int) -> Array:
    """Values over time; what was read before it varied (zero initial states) spread over the samples."""
    shape = np.broadcast_shapes(*(value.shape for value in values))
    if shape[-1] == 1 and values[0].ndim >= 2:
        shape = (*shape[:-1], samples)
    return np.stack([np.broadcast_to(value, shape) for value in values])


class Tape:
    """The forward values of one sequence, and what backward passes compute of them alone, once for all passes."""

    def __init__(
        self, derived: Derived, sizes: Mapping[str, int], values: Mapping[str, Array], seeds: Mapping[str, Array]
    ) -> None:
        self.derived, self.sizes = derived, sizes
        self.values = dict(values)
        self.parameters = {port.var.name for port in derived.forward.ports(Role.PARAMETER)}
        self.steps, self.samples = next(iter(seeds.values())).shape[0], next(iter(seeds.values())).shape[-1]
        self.seeds = {port.var.name: seeds[port.key] for port in derived.backward.ports(Role.SEED)}
        self.carries = {port.key: port.var for port in derived.backward.ports(Role.CARRY)}
        self.zero = {var.name: np.zeros(seeds[key].shape[1:]) for key, var in self.carries.items()}
        self.new = {
            old.var.name: derived.forward.port(Role.NEW, old.key, out=True).var.name for old in derived.forward.ports(Role.OLD)
        }
        self._known: dict[tuple[int, ...], tuple[Any, Array]] = {}  # what is kept has an identity of its own
        self._functions: dict[int, tuple[Step, Compute]] = {}

    def value(self, name: str) -> Array:
        """A forward value over all steps; with a mark behind its name the value of another step."""
        if name not in self.values:
            plain, mark, when = name.partition("@")
            value = self.values[plain]
            self.values[name] = self._moved(plain, value, mark + when)
        return self.values[name]

    def _moved(self, name: str, value: Array, when: str) -> Array:
        if when == LAST:
            return np.broadcast_to(value[-1:], value.shape)
        if when == NEXT:
            return np.concatenate([value[1:], value[-1:]])
        if when == BEFORE:
            return np.concatenate([value[-1:], value[:-1]])
        if when == EARLIER:
            return np.concatenate([value[:1], value[:-1]])
        last = self.values[self.new.get(name, name)][-1:]
        if when == WRAPPED:  # [-1] is the last one
            return np.concatenate([last, value[1:]])
        if when == OVERWRITTEN:  # one array kept many times
            return np.broadcast_to(last, value.shape)
        return np.concatenate([value[:1], np.broadcast_to(last, value[1:].shape)])

    def function(self, step: Step) -> Compute:
        """What a step computes; steps are told apart by identity, as passes with one mistake share all others."""
        known = self._functions.get(id(step))
        if known is None:
            known = self._functions[id(step)] = (step, compute(step, self.sizes))
        return known[1]

    def each_step(self, value: Array) -> Array:
        """What does not vary over time, once for each step."""
        known = self._known.get((id(value),))
        if known is None:
            known = self._known[id(value),] = (value, np.broadcast_to(value, (self.steps, *value.shape)))
        return known[1]

    def constant(self, step: Step, arguments: tuple[Array, ...]) -> Array:
        """A step that reads forward values alone, for all time steps at once."""
        key = (id(step), *map(id, arguments))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (step, self.function(step)(*arguments))
        return known[1]


def run_backward(tape: Tape, backward: Pass) -> Outputs:
    """Every gradient by its label: parameters (rows, columns), inputs (steps, rows, samples), initial (rows, samples)."""
    outputs = _loop(tape, backward, _seeds(tape), carried=True)
    if backward.local:
        local = _loop(tape, backward, _seeds(tape), carried=False)
        outputs |= {name: local[name] for name in backward.local}
    if backward.apart:
        full = _loop(tape, replace(backward, window=None, visited=None, chunk=None, skipped=()), _seeds(tape), carried=True)
        outputs |= {name: full[name] for name in backward.apart}
    for name in backward.zero:
        outputs[name] = np.zeros_like(outputs[name])
    for name, (steps, samples, number) in backward.factors.items():
        outputs[name] = outputs[name] * (float(tape.steps) ** steps * float(tape.samples) ** samples * number)
    return _clipped(backward, outputs)


def _clipped(backward: Pass, outputs: Outputs) -> Outputs:
    if backward.clip_value is not None:
        names, limit = backward.clip_value
        outputs |= {name: np.clip(outputs[name], -limit, limit) for name in names}
    if backward.clip_norm is not None:
        names, limit = backward.clip_norm
        norm = float(np.sqrt(sum(np.sum(outputs[name] ** 2) for name in names)))
        outputs |= {name: outputs[name] * min(1.0, limit / max(norm, 1e-300)) for name in names}
    return outputs


def _seeds(tape: Tape) -> dict[str, Array]:
    """What the losses send to each state, and under each mark what they send at other steps."""
    seeds = dict(tape.seeds)
    for name, seed in tape.seeds.items():
        none = np.zeros_like(seed[:1])
        seeds |= {
            f"{name}{LAST}": np.broadcast_to(seed[-1:], seed.shape),
            f"{name}{ONLY_LAST}": np.concatenate([np.zeros_like(seed[:-1]), seed[-1:]]),
            f"{name}{WITHOUT_LAST}": np.concatenate([seed[:-1], none]),
            f"{name}{WITHOUT_FIRST}": np.concatenate([none, seed[1:]]),
            f"{name}{EARLIER}": np.concatenate([seed[:1], seed[:-1]]),
            f"{name}{NEXT}": np.concatenate([seed[1:], seed[-1:]]),
        }
    return seeds


def _loop(tape: Tape, backward: Pass, seeds: Mapping[str, Array], carried: bool) -> Outputs:
    static, inside, after = _phases(tape, backward)
    history = {step.target.name: [None] * tape.steps for step in inside}
    leaving = {port.key: port.var.name for port in backward.outputs if port.role is Role.CARRY}
    end: dict[str, Array] = {}
    functions = [(step.target.name, tape.function(step), [arg.name for arg in step.args]) for step in inside]
    windows = _windows(tape.steps, backward)
    if not any(start >= stop for start, stop in windows):  # the loop visits no step, so every gradient is zero
        seeds, windows = {name: np.zeros_like(seed) for name, seed in seeds.items()}, [(tape.steps - 1, 0)]
    for start, stop in windows:
        carries = dict(tape.zero)
        for t in range(start, stop - 1, -1):
            own = 1.0 if backward.window is None or t == start else 0.0
            env = {name: value[t] for name, value in static.items()}
            env |= {name: own * seed[t] for name, seed in seeds.items()} | carries
            for name, function, arguments in functions:
                env[name] = function(*[env[argument] for argument in arguments])
                seen = history[name][t]
                history[name][t] = env[name] if seen is None else seen + env[name]
            for key, name in leaving.items():
                carry = tape.carries[key].name
                forgotten = not carried or (backward.chunk is not None and t % backward.chunk == 0)
                carries[carry] = tape.zero[carry] if forgotten else env[name]
                if t == 0:
                    end[key] = end.get(key, 0.0) + env[name]
    values = dict(static) | dict(seeds) | {name: _over_time(parts) for name, parts in history.items()}
    for step in after:
        values[step.target.name] = tape.function(step)(*(values[arg.name] for arg in step.args))
    return {label(port): _leaving(tape, backward, port, values, end) for port in backward.outputs}


def _windows(steps: int, backward: Pass) -> list[tuple[int, int]]:
    """(first visited, last visited) of each way back through time."""
    first = 0 if backward.visited is None else max(0, steps - backward.visited)
    start = steps - 1
    first += 0 in backward.skipped
    start -= -1 in backward.skipped
    if backward.window is None:
        return [(start, first)]
    return [(t, max(first, t - backward.window)) for t in range(start, first - 1, -1)]


def _over_time(parts: list[Any]) -> Array:
    shape = next((part.shape for part in parts if part is not None), (1, 1))
    return np.stack([np.zeros(shape) if part is None else part for part in parts])


def _phases(tape: Tape, backward: Pass) -> tuple[dict[str, Array], list[Step], list[Step]]:
    """What forward values alone say, for all steps; the steps within the loop; the steps that can wait until after it."""
    static: dict[str, Array] = {}
    moving = [step for step in backward.steps if not _static(tape, step, static)]
    carry = {var.name for var in tape.carries.values()}
    needed = {port.var.name for port in backward.outputs if port.role is Role.CARRY}
    inside: set[str] = set()
    for step in reversed(moving):
        if step.target.name in needed or any(arg.name in carry for arg in step.args):  # a carry is not kept until after
            inside.add(step.target.name)
            needed.update(arg.name for arg in step.args)
    return (
        static,
        [step for step in moving if step.target.name in inside],
        [step for step in moving if step.target.name not in inside],
    )


def _static(tape: Tape, step: Step, static: dict[str, Array]) -> bool:
    """Compute a step of forward values alone; False for any other."""
    for arg in step.args:
        plain = arg.name.partition("@")[0]
        if arg.name not in static and plain in tape.values:
            value = tape.value(arg.name)
            static[arg.name] = tape.each_step(value) if plain in tape.parameters else value
    if isinstance(step.op, ReduceSum) or not all(arg.name in static for arg in step.args):
        return False
    value = tape.constant(step, tuple(static[arg.name] for arg in step.args))
    static[step.target.name] = value if step.args else tape.each_step(value)
    return True


def _leaving(tape: Tape, backward: Pass, port: Port, values: Mapping[str, Array], end: Mapping[str, Array]) -> Array:
    if port.role is Role.CARRY:
        return np.asarray(end.get(port.key, tape.zero[tape.carries[port.key].name]))
    value = values[port.var.name]
    if port.role is Role.INPUT:
        return value
    which = backward.sums.get(port.key, "all")
    windows = _windows(tape.steps, backward) or [(tape.steps - 1, 0)]
    start, first = max(windows[0][0], 0), min(windows[-1][1], tape.steps - 1)
    if which == "last":
        return np.asarray(value[start])
    if which == "first":
        return np.asarray(value[first])
    return np.asarray(value.sum(axis=0))
