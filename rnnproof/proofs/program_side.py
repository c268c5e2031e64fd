"""A Program run entry by entry at explicit sizes: the derived gradient that a proof compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.derivation.operations import OPERATIONS
from rnnproof.derivation.program import Program, Step, Var
from rnnproof.proofs.opaque import Array, Opaque


@dataclass
class Run:
    """The values of forward and adjoint Programs over `steps` steps, each computed when it is first asked for.

    `given(var, t)` supplies parameters, inputs, initial states and seeds; carries run from step to step here.
    """

    forward: Program
    backward: Program
    opaque: Opaque
    sizes: Mapping[Any, sp.Integer]
    steps: int
    given: Callable[[str, str, int], Array]
    _values: dict[tuple[Var, int], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._made = self.forward.producer() | self.backward.producer()
        self._ports = {port.var: port for port in (*self.backward.ports("seed"), *self.backward.ports("carry"))}
        self._ports |= {port.var: port for port in self.forward.inputs}
        self._new = {port.key: port.var for port in self.forward.ports("new", out=True)}
        self._handed = {port.key: port.var for port in self.backward.ports("carry", out=True)}

    def size(self, value: Any) -> int:
        """A size as a number."""
        return int(sp.sympify(value).xreplace(self.sizes))

    def shape(self, var: Var) -> tuple[int, ...]:
        """A shape in numbers."""
        return tuple(map(self.size, var.shape))

    def value(self, var: Var, t: int) -> Array:
        """A value at step t (0, 1, ...); what is shared by the steps is the same at each."""
        key = (var, t if var.per_step else 0)
        if key not in self._values:
            self._values[key] = self._entered(var, t) if var in self._ports else self._computed(self._made[var], t)
        return self._values[key]

    def name(self, var: Var, t: int, value: Array) -> None:
        """Let whatever is computed from now on read `value` as the variable's."""
        self._values[(var, t if var.per_step else 0)] = value

    def _entered(self, var: Var, t: int) -> Array:
        port = self._ports[var]
        if port.role == "old" and t > 0:
            return self.value(self._new[port.key], t - 1)
        if port.role == "carry":
            last = t == self.steps - 1 or port.key not in self._handed
            return self.zeros(var) if last else self.value(self._handed[port.key], t + 1)
        return self.given(port.role, port.key, t)

    def zeros(self, var: Var) -> Array:
        """Zeros of a value's shape."""
        return self.opaque.full(self.shape(var), 0) if var.shape else self.opaque.whole(0)

    def _computed(self, step: Step, t: int) -> Array:
        if step.op == "total" and not step.target.per_step and step.args[0].per_step:
            return reduce(add, (self.value(step.args[0], each) for each in range(self.steps)))
        return ENTRIES[step.op](self, step, *(self.value(arg, t) for arg in step.args))


def _scaled(factor: Array, value: Array) -> Array:
    return value * factor


def _constant(run: Run, step: Step) -> Array:
    kind, shape = step.attr
    sizes = tuple(map(run.size, shape))
    if kind == "identity":
        made = run.opaque.full(sizes, 0)
        np.fill_diagonal(made, run.opaque.whole(1))
        return made
    return run.opaque.full(sizes, {"one": 1, "zero": 0}[kind]) if isinstance(kind, str) else run.opaque.number(kind)


def _slice(run: Run, step: Step, value: Array) -> Array:
    axis, start, stop = step.attr
    return value[(slice(None),) * axis + (slice(run.size(start), run.size(stop)),)]


def _place(run: Run, step: Step, value: Array) -> Array:
    axis, start, _ = step.attr
    first = run.size(start)
    made = run.opaque.full(run.shape(step.target), 0)
    made[(slice(None),) * axis + (slice(first, first + value.shape[axis]),)] = value
    return made


def _sum(run: Run, step: Step, *terms: Array) -> Array:
    return reduce(add, (term * run.opaque.number(sp.sympify(k)) for k, term in zip(step.attr, terms, strict=True)))


ENTRIES: dict[str, Callable[..., Array]] = {
    "matmul": lambda run, step, left, right: left @ right,
    "transpose": lambda run, step, value: value.T,
    "add": _sum,
    "scale": lambda run, step, factor, value: value * factor,
    "hadamard": lambda run, step, left, right: left * right,
    "map": lambda run, step, value: run.opaque.apply(step.attr, value),
    "concat": lambda run, step, *parts: np.concatenate(parts, axis=step.attr),
    "slice": _slice,
    "dot": lambda run, step, left, right: (left * right).sum(),
    "apply": lambda run, step, value: run.opaque.open(step.attr[0], value, run.size(step.attr[1][0])),
    "constant": _constant,
    "slope": lambda run, step, before, after: run.opaque.slope(step.attr, before),
    "outer": lambda run, step, left, right: left[:, None] * right[None, :],
    "place": _place,
    "pull": lambda run, step, value, d: run.opaque.jacobian(step.attr[0], value, run.size(step.attr[1][0])).T @ d,
    "total": lambda run, step, value: value,
}
if set(ENTRIES) != set(OPERATIONS):
    raise AssertionError(f"operations without an entrywise meaning: {set(ENTRIES) ^ set(OPERATIONS)}")
