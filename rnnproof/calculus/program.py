"""`Program`: a typed, single-assignment list of array operations. Everything after the equations reads it or makes it.

A variable has a mathematical shape (() scalar, (n,) column, (m, n) matrix) and says along what it varies: over the steps
(time or layers), over the samples of a batch, or neither (a parameter). One Program describes one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TypeVar

import sympy as sp

from rnnproof.calculus.operation_base import MathOperation, Operation
from rnnproof.calculus.variables import Var

SomeOperation = TypeVar("SomeOperation", bound=Operation)


@dataclass(frozen=True)
class Step:
    """`target = op(args)`; `rule` names the rule that made it, `tex` the equation it belongs to.

    `of` names the values it computes, as the Programs of a derivation call them: a fused step has several.
    """

    target: Var
    op: Operation
    args: tuple[Var, ...]
    rule: str = ""
    tex: str = ""
    of: tuple[str, ...] = ()

    @property
    def math(self) -> MathOperation:
        """Its operation, where that is one of the calculus; a lowered Program has others."""
        return self.as_op(MathOperation)

    def as_op(self, kind: type[SomeOperation]) -> SomeOperation:
        """Its operation, which is of this kind."""
        if not isinstance(self.op, kind):
            raise AssertionError(f"{self}: {self.op.name} is no {kind.__name__}")
        return self.op

    def __str__(self) -> str:
        return f"{self.target} = {self.op}({', '.join(map(str, self.args))})"


class Role(Enum):
    """What a value is that enters or leaves a Program."""

    PARAMETER = "parameter"
    INPUT = "input"
    CONSTANT = "constant"  # given beside the input, without a gradient
    OLD = "old"  # a state's value one step before
    NEW = "new"  # a state's value
    TAPE = "tape"  # a forward value that the backward step reads
    SEED = "seed"  # the gradient that a loss sends to a state at this step
    CARRY = "carry"  # the gradient that comes from the next step; leaving, the one for the step before
    GRADIENT = "gradient"  # of a parameter, summed over steps and samples; of an input it leaves as INPUT

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Port:
    """A value that enters or leaves: its role, the name it goes by there, and its variable."""

    role: Role
    key: str
    var: Var


@dataclass(frozen=True)
class Program:
    """Inputs, steps, outputs; checked when made: every name is bound once, before it is used, and shapes fit."""

    name: str
    inputs: tuple[Port, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Port, ...]

    def __post_init__(self) -> None:
        bound: dict[str, Var] = {}
        for port in self.inputs:
            _bind(bound, port.var, f"input {port.key}")
        for step in self.steps:
            for arg in step.args:
                _require(bound, arg, step)
            shape = step.op.shape(*(arg.shape for arg in step.args))
            if tuple(map(sp.expand, shape)) != tuple(map(sp.expand, step.target.shape)):
                raise AssertionError(f"{self.name}: {step}: shape {step.target.shape} should be {shape}")
            _bind(bound, step.target, step)
        for port in self.outputs:
            _require(bound, port.var, f"output {port.key}")

    def __str__(self) -> str:
        entering = {port.role: self.ports(port.role) for port in self.inputs}
        leaving = {port.role: self.ports(port.role, out=True) for port in self.outputs}
        lines = [f"{self.name}:"]
        lines += [f"    {role} {', '.join(_typed(port.var) for port in ports)}" for role, ports in entering.items()]
        lines += [f"    {step}" for step in self.steps]
        lines += [f"    return {role} {', '.join(str(port.var) for port in ports)}" for role, ports in leaving.items()]
        return "\n".join(lines)

    def ports(self, role: Role, *, out: bool = False) -> tuple[Port, ...]:
        """The input (or output) ports of a role."""
        return self._ports.get((role, out), ())

    def port(self, role: Role, key: str, *, out: bool = False) -> Port:
        """The one input (or output) port of a role and key. Raises KeyError where there is none."""
        return self._by_key[role, key, out]

    @cached_property
    def _by_key(self) -> Mapping[tuple[Role, str, bool], Port]:
        sides = ((False, self.inputs), (True, self.outputs))
        return {(port.role, port.key, out): port for out, ports in sides for port in ports}

    @cached_property
    def _ports(self) -> Mapping[tuple[Role, bool], tuple[Port, ...]]:
        roles: dict[tuple[Role, bool], tuple[Port, ...]] = {}
        for out, ports in ((False, self.inputs), (True, self.outputs)):
            for role in dict.fromkeys(port.role for port in ports):
                roles[role, out] = tuple(port for port in ports if port.role == role)
        return roles

    def producer(self) -> dict[Var, Step]:
        """The step that makes each variable; the same table each time, not to be changed."""
        return self._producer

    @cached_property
    def _producer(self) -> dict[Var, Step]:
        return {step.target: step for step in self.steps}

    def users(self) -> dict[Var, list[Step]]:
        """The steps that read each variable."""
        users: dict[Var, list[Step]] = {}
        for step in self.steps:
            for arg in dict.fromkeys(step.args):
                users.setdefault(arg, []).append(step)
        return users

    def with_steps(self, steps: Iterable[Step]) -> Program:
        """The same Program with other steps."""
        return replace(self, steps=tuple(steps))

    def substitute(self, mapping: dict[Var, Var]) -> Program:
        """Read `mapping[v]` wherever v was read, in steps and outputs."""

        def now(var: Var) -> Var:
            while var in mapping:
                var = mapping[var]
            return var

        steps = tuple(replace(step, args=tuple(map(now, step.args))) for step in self.steps)
        outputs = tuple(replace(port, var=now(port.var)) for port in self.outputs)
        return replace(self, steps=steps, outputs=outputs)


def _typed(var: Var) -> str:
    return f"{var}({', '.join(map(str, var.shape))})" if var.shape else str(var)


def _bind(bound: dict[str, Var], var: Var, where: Step | str) -> None:
    if var.name in bound:
        raise AssertionError(f"{where}: {var.name} is bound twice")
    bound[var.name] = var


def _require(bound: dict[str, Var], var: Var, where: Step | str) -> None:
    if bound.get(var.name) != var:
        raise AssertionError(f"{where}: {var.name} is not bound")


def in_order(program: Program, steps: Iterable[Step]) -> Program:
    """The Program with these steps, sorted so that each comes after what it reads, near to the given order."""
    unordered = tuple(steps)
    ready = {port.var for port in program.inputs}
    producer = {step.target: step for step in unordered}
    ordered: list[Step] = []
    done: set[Var] = set()

    def visit(step: Step, path: tuple[Var, ...]) -> None:
        if step.target in done:
            return
        if step.target in path:
            raise AssertionError(f"{program.name}: {step.target} needs itself")
        for arg in step.args:
            if arg not in ready:
                visit(producer[arg], (*path, step.target))
        done.add(step.target)
        ordered.append(step)

    for step in unordered:
        visit(step, ())
    return program.with_steps(ordered)


def without_dead_steps(program: Program) -> Program:
    """Drop the steps whose result reaches no output."""
    live = {port.var for port in program.outputs}
    kept: list[Step] = []
    for step in reversed(program.steps):
        if step.target in live:
            live.update(step.args)
            kept.append(step)
    return program.with_steps(reversed(kept))


class Names:
    """Hands out names that are not taken yet."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def fresh(self, wanted: str) -> str:
        """`wanted`, or `wanted_2`, `wanted_3` and so on."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name
