"""A Program run entry by entry at explicit sizes: the derived gradient that a proof compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.calculus.adjoint_operations import Pad, ReduceSum, Vjp
from rnnproof.calculus.operation_base import OPERATIONS
from rnnproof.calculus.operations import Add, Call, Constant, Slice
from rnnproof.calculus.program import Program, Role, Step
from rnnproof.calculus.variables import Var
from rnnproof.equations import activations
from rnnproof.proofs.opaque import Array, Opaque


@dataclass
class Run:
    """The values of forward and adjoint Programs over `steps` steps, each computed when it is first asked for.

    `given(role, key, t)` supplies parameters, inputs, initial states and seeds; carries run from step to step here.
    """

    forward: Program
    backward: Program
    opaque: Opaque
    sizes: Mapping[Any, sp.Integer]
    steps: int
    given: Callable[[Role, str, int], Array]
    _values: dict[tuple[Var, int], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._made = self.forward.producer() | self.backward.producer()
        self._ports = {port.var: port for port in (*self.backward.ports(Role.SEED), *self.backward.ports(Role.CARRY))}
        self._ports |= {port.var: port for port in self.forward.inputs}
        self._new = {port.key: port.var for port in self.forward.ports(Role.NEW, out=True)}
        self._handed = {port.key: port.var for port in self.backward.ports(Role.CARRY, out=True)}

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
        if port.role is Role.OLD and t > 0:
            return self.value(self._new[port.key], t - 1)
        if port.role is Role.CARRY:
            last = t == self.steps - 1 or port.key not in self._handed
            return self.zeros(var) if last else self.value(self._handed[port.key], t + 1)
        return self.given(port.role, port.key, t)

    def zeros(self, var: Var) -> Array:
        """Zeros of a value's shape."""
        return self.opaque.full(self.shape(var), 0) if var.shape else self.opaque.whole(0)

    def _computed(self, step: Step, t: int) -> Array:
        if isinstance(step.op, ReduceSum) and step.op.over_steps:
            return reduce(add, (self.value(step.args[0], each) for each in range(self.steps)))
        return ENTRIES[step.op.name](self, step, *(self.value(arg, t) for arg in step.args))


def _constant(run: Run, step: Step) -> Array:
    op = step.as_op(Constant)
    number = run.opaque.number(sp.sympify(op.number))
    if not op.extents:
        return number
    array = np.empty(run.shape(step.target), dtype=object)
    array[...] = number
    return array


def _identity(run: Run, step: Step) -> Array:
    array = run.opaque.full(run.shape(step.target), 0)
    np.fill_diagonal(array, run.opaque.whole(1))
    return array


def _slice(run: Run, step: Step, x: Array) -> Array:
    op = step.as_op(Slice)
    return x[(slice(None),) * op.axis + (slice(run.size(op.start), run.size(op.stop)),)]


def _pad(run: Run, step: Step, x: Array) -> Array:
    op = step.as_op(Pad)
    first = run.size(op.start)
    array = run.opaque.full(run.shape(step.target), 0)
    array[(slice(None),) * op.axis + (slice(first, first + x.shape[op.axis]),)] = x
    return array


def _sum(run: Run, step: Step, *terms: Array) -> Array:
    factors = map(sp.sympify, step.as_op(Add).factors)
    return reduce(add, (term * run.opaque.number(k) for k, term in zip(factors, terms, strict=True)))


def _call(run: Run, step: Step, x: Array) -> Array:
    function = step.as_op(Call).function
    return run.opaque.open(function.name, x, run.size(function.rows))


def _vjp(run: Run, step: Step, x: Array, d: Array) -> Array:
    function = step.as_op(Vjp).function
    return run.opaque.jacobian(function.name, x, run.size(function.rows)).T @ d


ENTRIES: dict[str, Callable[..., Array]] = {
    "matmul": lambda run, step, a, b: a @ b,
    "transpose": lambda run, step, a: a.T,
    "add": _sum,
    "scale": lambda run, step, s, x: x * s,
    "hadamard": lambda run, step, a, b: a * b,
    "quotient": lambda run, step, a, b: a * run.opaque.apply(activations.named("reciprocal"), b),
    "dot": lambda run, step, a, b: (a * b).sum(),
    "map": lambda run, step, x: run.opaque.apply(step.op.function, x),
    "call": _call,
    "concat": lambda run, step, *parts: np.concatenate(parts, axis=step.op.axis),
    "slice": _slice,
    "constant": _constant,
    "identity": _identity,
    "slope": lambda run, step, x, y: run.opaque.slope(step.op.function, x),
    "outer": lambda run, step, a, b: a[:, None] * b[None, :],
    "pad": _pad,
    "vjp": _vjp,
    "reduce_sum": lambda run, step, x: x,
}
if set(ENTRIES) != set(OPERATIONS):
    raise AssertionError(f"operations without an entrywise meaning: {set(ENTRIES) ^ set(OPERATIONS)}")
