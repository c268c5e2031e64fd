"""Mathematics -> NumPy's vocabulary: sums become binary, functions and slopes become sequences of ufuncs.

Of the calculus's operations `matmul`, `transpose`, `concat`, `slice`, `pad`, `reduce_sum`, `constant` and `identity` stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rnnproof.calculus.adjoint_operations import Outer, Slope
from rnnproof.calculus.operation_base import Operation
from rnnproof.calculus.operations import Add, Call, Constant, Map, Matmul, Scale
from rnnproof.calculus.program import Names, Program, Step, in_order, without_dead_steps
from rnnproof.calculus.variables import Var
from rnnproof.equations import activations
from rnnproof.equations.activations import X, Y
from rnnproof.errors import GenerationError
from rnnproof.generation.lowered import (
    Columns,
    Copy,
    Fill,
    OuterSum,
    Repeat,
    Rows,
    Spread,
    Sum,
    Ufunc,
)
from rnnproof.generation.scalar_lowering import PATTERNS, STABLE, Operand, shortest


def lower(program: Program, constants: tuple[Step, ...] = ()) -> Program:
    """The same Program in lowered operations; `constants` are the steps of another Program whose targets this one reads.

    Raises GenerationError for a function left open.
    """
    return _Lowering(program, constants).run()


class _Lowering:
    def __init__(self, program: Program, constants: tuple[Step, ...]) -> None:
        self.program = program
        self.names = Names([port.var.name for port in program.inputs] + [step.target.name for step in program.steps])
        self.steps: list[Step] = []
        self.known: dict[tuple[Operation, tuple[Var, ...]], Var] = {}
        self.literal: dict[Var, float] = {}
        self.step: Step  # the one being lowered
        self.producer = program.producer()
        for step in constants:
            self._note(step)

    def run(self) -> Program:
        for step in self.program.steps:
            self.step = step
            _LOWER.get(step.op.name, _Lowering.keep)(self, step)
        return without_dead_steps(in_order(self.program, self.steps))

    def emit(self, op: Operation, args: tuple[Var, ...], target: Var | None = None) -> Var:
        """Append a step (once, for equal ones) whose result varies along what its arguments vary along."""
        key = (op, args)
        if target is None and key in self.known:
            return self.known[key]
        if target is None:
            varies = any(arg.per_step for arg in args), any(arg.per_sample for arg in args)
            shape = op.shape(*(arg.shape for arg in args))
            target = Var(self.names.fresh(f"tmp_{self.step.target.name}"), shape, *varies)
        computed = self.step.of if target == self.step.target else ()
        self.steps.append(Step(target, op, args, self.step.rule, self.step.tex, computed))
        self.known[key] = target
        return target

    def ufunc(self, name: str, *operands: Operand, target: Var | None = None) -> Var:
        args = tuple(dict.fromkeys(operand for operand in operands if isinstance(operand, Var)))
        spec = tuple(args.index(operand) if isinstance(operand, Var) else repr(operand) for operand in operands)
        if not args:
            raise AssertionError(f"{self.step}: nothing but numbers")
        return self.emit(Ufunc(name, spec), args, target)

    def keep(self, step: Step) -> None:
        self.steps.append(step)

    def concat(self, step: Step) -> None:
        """In a stack for every sample, what is the same for all of them is repeated."""
        args = tuple(self.spread(arg) if step.target.per_sample and not arg.per_sample else arg for arg in step.args)
        self.steps.append(replace(step, args=args))

    def spread(self, value: Var) -> Var:
        if (Spread(), (value,)) in self.known:
            return self.known[Spread(), (value,)]
        return self.emit(Spread(), (value,), Var(self.names.fresh(f"{value.name}_spread"), value.shape, True, True))

    def open_function(self, step: Step) -> None:
        name = step.as_op(Call).function.name
        raise GenerationError(
            f"cell {self.program.name}: the function {name} is open and code needs its body; give it one with "
            f"rnnproof.bind(cell, {name}=r'\\tanh(W o + b)') or --bind '{name}=...'"
        )

    def constant(self, step: Step) -> None:
        self._note(step)
        self.steps.append(step)

    def _note(self, step: Step) -> None:
        """Remember a constant array whose entries are all the same number."""
        if isinstance(step.op, Constant):
            self.literal[step.target] = float(step.op.number)

    def sum(self, step: Step) -> None:
        number = 0.0
        terms: list[tuple[Any, Var]] = []
        for arg, factor in zip(step.args, step.as_op(Add).factors, strict=True):
            if arg in self.literal:
                number += self.literal[arg] * float(factor)
            else:
                terms.append((factor, arg))
        if not terms:
            self.constant(Step(step.target, Constant(number, step.target.shape), ()))
            return
        terms.sort(key=lambda term: (term[1].shape != step.target.shape, bool(term[0] < 0)))
        target = step.target
        pieces: list[Callable[[Operand, Var | None], Var]] = []
        first_factor, first = terms[0]
        start: Operand
        if number and first_factor == -1:
            start, number = self.ufunc("subtract", number, first, target=self.last(len(terms) == 1)), 0.0
        elif first_factor == 1:
            start = first
        elif first_factor == -1:
            start = self.ufunc("negative", first, target=self.last(len(terms) == 1 and not number))
        else:
            only = len(terms) == 1 and not number
            start = self.ufunc("multiply", first, float(first_factor), target=self.last(only))
        for factor, term in terms[1:]:
            size = abs(factor)
            scaled = term if size == 1 else self.ufunc("multiply", term, float(size))
            pieces.append(self._accumulate("add" if factor > 0 else "subtract", scaled))
        if number:
            pieces.append(self._accumulate("add" if number > 0 else "subtract", abs(number)))
        for position, piece in enumerate(pieces):
            start = piece(start, self.last(position == len(pieces) - 1))
        if start is first:
            self.emit(Copy(), (first,), target)

    def last(self, final: bool) -> Var | None:
        return self.step.target if final else None

    def _accumulate(self, name: str, term: Operand) -> Callable[[Operand, Var | None], Var]:
        return lambda so_far, into: self.ufunc(name, so_far, term, target=into)

    def product(self, step: Step) -> None:
        left, right = step.args
        operands: list[Operand] = [self.literal.get(arg, arg) for arg in (left, right)]
        if left in self.literal and right in self.literal:
            number = self.literal[left] * self.literal[right]
            self.constant(Step(step.target, Constant(number, step.target.shape), ()))
            return
        if isinstance(step.op, Scale) and right in self.literal and len(right.shape) == 1:
            self.emit(Repeat(repr(self.literal[right]), right.shape[0]), (left,), step.target)
            return
        self.ufunc("multiply", *operands, target=step.target)

    def quotient(self, step: Step) -> None:
        """A number may stand above; one below would have been multiplied by."""
        over, under = step.args
        self.ufunc("divide", self.literal.get(over, over), under, target=step.target)

    def dot(self, step: Step) -> None:
        left, right = step.args
        operands: list[Operand] = [self.literal.get(arg, arg) for arg in (left, right)]
        product = self.ufunc("multiply", *operands)
        self.emit(Sum(), (product,), step.target)

    def total(self, step: Step) -> None:
        source = self.producer.get(step.args[0])
        if source is not None and source.op == Outer() and all(arg.per_sample for arg in source.args):
            left, right = source.args
            if step.target.per_step:
                self.emit(OuterSum(), (left, right), step.target)
                return
            self.emit(Matmul(), (self.flat(Rows(), left), self.flat(Columns(), right)), step.target)
        else:
            self.keep(step)

    def flat(self, op: Rows | Columns, value: Var) -> Var:
        """A sequence as one matrix, all steps and samples side by side; made once for all products that need it."""
        if (op, (value,)) in self.known:
            return self.known[op, (value,)]
        return self.emit(op, (value,), Var(self.names.fresh(f"{value.name}_{op.name}"), op.shape(value.shape)))

    def mapped(self, step: Step) -> None:
        activation = activations.of(step.as_op(Map).function)
        function = activation.function(X) if activation.name in STABLE else activation.definition
        self.expression(function, {X: step.args[0]}, step.target)

    def slope(self, step: Step) -> None:
        slope = activations.derivative(step.as_op(Slope).function)
        before, after = step.args
        if slope.of_output is not None:
            self.expression(shortest(slope.of_output), {Y: after}, step.target)
        else:
            self.expression(shortest(slope.of_input), {X: before}, step.target)

    def expression(self, node: Any, env: dict[Any, Var], target: Var) -> None:
        value = self.scalar(node, env, target)
        if not isinstance(value, Var):
            source = next(iter(env.values()))
            self.emit(Fill(repr(value)), (source,), target)
        elif value is not target:
            self.emit(Copy(), (value,), target)

    def scalar(self, node: Any, env: dict[Any, Var], target: Var | None = None) -> Operand:
        """A scalar SymPy expression as ufunc steps; the last one writes `target`."""
        if node in env:
            return env[node]
        if node.is_number:
            return float(node)
        for recognise, write in PATTERNS:
            if recognise(node):
                return write(self, node, env, target)
        raise GenerationError(
            f"the activation's expression {node} has no NumPy form; write it with exp, log, tanh or Piecewise"
        )


_LOWER: dict[str, Callable[[_Lowering, Step], None]] = {
    "add": _Lowering.sum,
    "hadamard": _Lowering.product,
    "quotient": _Lowering.quotient,
    "scale": _Lowering.product,
    "dot": _Lowering.dot,
    "reduce_sum": _Lowering.total,
    "map": _Lowering.mapped,
    "slope": _Lowering.slope,
    "constant": _Lowering.constant,
    "concat": _Lowering.concat,
    "call": _Lowering.open_function,
    "vjp": _Lowering.open_function,
}
