"""Forward Program -> adjoint Program: the same list, transposed rule by rule, from the last step to the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from rnnproof.derivation.operations import OPERATIONS, SUM_OF_USES
from rnnproof.derivation.program import Names, Port, Program, Step, Var, without_dead_steps


def adjoint(forward: Program) -> Program:
    """The backward step: from `seed` and `carry` of each state to the carries of the step before and all gradients.

    Every forward value enters as a `tape` port. The gradient of what does not vary over steps or samples is their `total`.
    """
    tape = [replace(port, role="tape", key=port.var.name) for port in forward.inputs]
    tape += [Port("tape", step.target.name, step.target) for step in forward.steps]
    computed = {port.var: (port.var.name,) for port in forward.inputs} | {step.target: step.of for step in forward.steps}
    builder = _Builder(Names(port.var.name for port in tape), computed)
    arriving: list[Port] = []
    contributions: dict[Var, list[Var]] = {}
    carried = {port.key for port in forward.ports("old")}
    for port in forward.ports("new", out=True):
        for role in ("seed", "carry") if port.key in carried else ("seed",):
            tex = rf"\bar{{{port.var.tex}}}" if role == "seed" else ""
            var = Var(builder.names.fresh(f"{role}_{port.key}"), port.var.shape, True, True, tex)
            arriving.append(Port(role, port.key, var))
            contributions.setdefault(port.var, []).append(var)

    for step in reversed(forward.steps):
        if step.target not in contributions:
            continue
        rule = OPERATIONS[step.op].adjoint
        if rule is None:
            raise AssertionError(f"{step}: {step.op} has no adjoint")
        d = builder.sum(step.target, contributions[step.target])
        builder.rule, builder.tex = step.op, step.tex
        for arg, contribution in zip(step.args, rule(step, d, builder), strict=bool(step.args)):
            if contribution is not None:
                contributions.setdefault(arg, []).append(builder.shared(contribution, arg))

    outputs = []
    for role_in, role_out in (("old", "carry"), ("parameter", "gradient"), ("input", "input")):
        for port in forward.ports(role_in):
            if port.var in contributions:
                outputs.append(Port(role_out, port.key, builder.sum(port.var, contributions[port.var])))
    program = Program(f"{forward.name}, backward", (*tape, *arriving), tuple(builder.steps), tuple(outputs))
    return _name_copies(_name_adjoints(without_dead_steps(program), builder))


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
        if step.op != "add" or step.attr != (1,) or not step.target.name.startswith("d_"):
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
        self._known: dict[tuple[Any, ...], Var] = {}

    def __call__(self, op: str, *args: Var, attr: Any = None, name: str = "") -> Var:
        key = (op, args, attr)
        if key in self._known:
            return self._known[key]
        shape = OPERATIONS[op].shape(tuple(arg.shape for arg in args), attr)
        if op == "matmul" and shape == ():
            raise AssertionError("a product of vectors is a dot")
        wanted = name or "g"
        varies = any(arg.per_step for arg in args), any(arg.per_sample for arg in args)
        target = Var(self.names.fresh(wanted), shape, *varies)
        return self._append(key, Step(target, op, args, attr, self.rule, self.tex))

    def _append(self, key: tuple[Any, ...], step: Step) -> Var:
        self.steps.append(step)
        self._known[key] = step.target
        return step.target

    def shared(self, value: Var, of: Var) -> Var:
        """`value` summed over what `of` does not vary along."""
        if (value.per_step, value.per_sample) == (of.per_step, of.per_sample):
            return value
        key = ("total", value, of.per_step, of.per_sample)
        if key in self._known:
            return self._known[key]
        target = Var(self.names.fresh(f"total_{of.name}"), value.shape, of.per_step, of.per_sample)
        return self._append(key, Step(target, "total", (value,), None, "total", self.tex))

    def sum(self, of: Var, contributions: list[Var]) -> Var:
        """The adjoint of `of`: what its uses contribute, added up, under the name d_<name>."""
        self.rule, self.tex = SUM_OF_USES, ""
        tex = rf"\bar{{{of.tex}}}" if of.tex else ""
        target = Var(self.names.fresh(f"d_{of.name}"), of.shape, of.per_step, of.per_sample, tex)
        ones = (sp.S.One,) * len(contributions)
        adjoints = tuple(f"d_{name}" for name in self.computed[of])
        return self._append(("add", target), Step(target, "add", tuple(contributions), ones, self.rule, "", adjoints))
