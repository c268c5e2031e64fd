"""Forward Program -> adjoint Program: the same list, transposed rule by rule, from the last step to the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from rnnproof.calculus.adjoint_operations import ReduceSum
from rnnproof.calculus.adjoint_table import ADJOINTS, Rule, Value
from rnnproof.calculus.operation_base import Operation
from rnnproof.calculus.operations import Add, Matmul
from rnnproof.calculus.program import Names, Port, Program, Role, Step, without_dead_steps
from rnnproof.calculus.variables import Var

SUM_OF_USES = "sum of the uses"


def adjoint(forward: Program, table: Mapping[str, Rule] = ADJOINTS) -> Program:
    """The backward step: from `seed` and `carry` of each state to the carries of the step before and all gradients.

    What it reads of the forward values enters by `tape` ports. The gradient of what does not vary over steps or samples is the
    sum over them.
    """
    tape = [replace(port, role=Role.TAPE, key=port.var.name) for port in forward.inputs]
    tape += [Port(Role.TAPE, step.target.name, step.target) for step in forward.steps]
    computed = {port.var: (port.var.name,) for port in forward.inputs} | {step.target: step.of for step in forward.steps}
    builder = _Builder(Names(port.var.name for port in tape), computed)
    arriving: list[Port] = []
    contributions: dict[Var, list[Var]] = {}
    carried = {port.key for port in forward.ports(Role.OLD)}
    for port in forward.ports(Role.NEW, out=True):
        for role in (Role.SEED, Role.CARRY) if port.key in carried else (Role.SEED,):
            tex = rf"\bar{{{port.var.tex}}}" if role is Role.SEED else ""
            var = Var(builder.names.fresh(f"{role}_{port.key}"), port.var.shape, True, True, tex)
            arriving.append(Port(role, port.key, var))
            contributions.setdefault(port.var, []).append(var)

    for step in reversed(forward.steps):
        if step.target not in contributions:
            continue
        d = builder.sum(step.target, contributions[step.target])
        builder.rule, builder.tex = step.op.name, step.tex
        values = [Value(var, builder) for var in (d, step.target, *step.args)]
        for arg, contribution in zip(step.args, table[step.op.name](step.op, *values), strict=True):
            contributions.setdefault(arg, []).append(builder.shared(contribution.var, arg))

    outputs = []
    for role_in, role_out in ((Role.OLD, Role.CARRY), (Role.PARAMETER, Role.GRADIENT), (Role.INPUT, Role.INPUT)):
        for port in forward.ports(role_in):
            if port.var in contributions:
                outputs.append(Port(role_out, port.key, builder.sum(port.var, contributions[port.var])))
    program = Program(f"{forward.name}, backward", (*tape, *arriving), tuple(builder.steps), tuple(outputs))
    return _without_unread_tape(_name_copies(_name_adjoints(without_dead_steps(program), builder)))


def _without_unread_tape(program: Program) -> Program:
    read = {arg for step in program.steps for arg in step.args} | {port.var for port in program.outputs}
    return replace(program, inputs=tuple(port for port in program.inputs if port.role is not Role.TAPE or port.var in read))


def _name_adjoints(program: Program, builder: _Builder) -> Program:
    """Call an unnamed value that is the adjoint of an unnamed x `d_x`, as on paper."""
    names = {
        step.target: replace(step.target, name=builder.names.fresh(f"d_{builder.adjoint_of[step.target].name}"))
        for step in program.steps
        if step.target in builder.adjoint_of
    }
    steps = tuple(
        replace(step, target=names.get(step.target, step.target), args=tuple(names.get(arg, arg) for arg in step.args))
        for step in program.steps
    )
    return replace(program, steps=steps)


def _name_copies(program: Program) -> Program:
    """Where `d_x` is nothing but another value, give that value the name, or read it under its own name."""
    producer = program.producer()
    computed: dict[Var, tuple[str, ...]] = {}
    names: dict[Var, Var] = {}
    aliases: dict[Var, Var] = {}
    kept = set(producer)
    for step in program.steps:
        if step.op != Add((1,)) or not step.target.name.startswith("d_"):
            continue
        (value,) = step.args
        fresh = value in producer and not value.name.startswith("d_") and value not in names
        if fresh and value.shape == step.target.shape:
            names[value] = step.target
            computed[value] = step.of
            kept.discard(step.target)
        elif not step.target.tex and not any(port.var == step.target for port in program.outputs):
            aliases[step.target] = value
            computed[value] = (*computed.get(value, ()), *step.of)
            kept.discard(step.target)

    def named(var: Var) -> Var:
        while var in aliases:
            var = aliases[var]
        return names.get(var, var)

    steps = tuple(
        replace(
            step,
            target=named(step.target),
            args=tuple(map(named, step.args)),
            of=(*step.of, *computed.get(step.target, ())),
        )
        for step in program.steps
        if step.target in kept
    )
    return replace(program, steps=steps)


class _Builder:
    """Writes steps; equal steps are written once."""

    def __init__(self, names: Names, computed: Mapping[Var, tuple[str, ...]]) -> None:
        self.names = names
        self.computed = computed
        self.steps: list[Step] = []
        self.rule = self.tex = ""
        self.adjoint_of: dict[Var, Var] = {}
        self._known: dict[tuple[Operation, tuple[Var, ...]], Var] = {}

    def __call__(self, op: Operation, *arguments: Var, name: str = "") -> Var:
        if (op, arguments) in self._known:
            return self._known[op, arguments]
        shape = op.shape(*(argument.shape for argument in arguments))
        if isinstance(op, Matmul) and shape == ():
            raise AssertionError("a product of vectors is a dot")
        varies = any(argument.per_step for argument in arguments), any(argument.per_sample for argument in arguments)
        return self._append(Step(Var(self.names.fresh(name or "g"), shape, *varies), op, arguments, self.rule, self.tex))

    def _append(self, step: Step) -> Var:
        self.steps.append(step)
        self._known[step.op, step.args] = step.target
        return step.target

    def shared(self, value: Var, of: Var) -> Var:
        """`value` summed over what `of` does not vary along."""
        if (value.per_step, value.per_sample) == (of.per_step, of.per_sample):
            return value
        op = ReduceSum(value.per_step and not of.per_step, value.per_sample and not of.per_sample)
        if (op, (value,)) in self._known:
            return self._known[op, (value,)]
        target = Var(self.names.fresh(f"total_{of.name}"), value.shape, of.per_step, of.per_sample)
        return self._append(Step(target, op, (value,), op.name, self.tex))

    def sum(self, of: Var, contributions: list[Var]) -> Var:
        """The adjoint of `of`: what its uses contribute, added up, under the name d_<name>."""
        self.rule, self.tex = SUM_OF_USES, ""
        tex = rf"\bar{{{of.tex}}}" if of.tex else ""
        target = Var(self.names.fresh(f"d_{of.name}"), of.shape, of.per_step, of.per_sample, tex)
        ones = Add((sp.S.One,) * len(contributions))
        adjoints = tuple(f"d_{name}" for name in self.computed[of])
        step = Step(target, ones, tuple(contributions), self.rule, "", adjoints)
        self.steps.append(step)
        return target
