"""Mathematics -> NumPy's vocabulary: sums become binary, functions and slopes become sequences of ufuncs.

Of the calculus's operations `matmul`, `transpose`, `concat`, `slice`, `pad`, `reduce_sum`, `constant` and `identity` stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy as sp

from rnnproof.calculus.operation_base import Operation
from rnnproof.calculus.operations import Add, Call, Constant, Map, Matmul, Outer, Scale, Slope
from rnnproof.calculus.program import Names, Program, Step, in_order, without_dead_steps
from rnnproof.calculus.variables import Var
from rnnproof.equations import activations
from rnnproof.equations.activations import X, Y
from rnnproof.errors import GenerationError
from rnnproof.generation.lowered import (
    Columns,
    Copy,
    Erf,
    Fill,
    Normal,
    OuterSum,
    Repeat,
    Rows,
    Select,
    Spread,
    Sum,
    Ufunc,
)

Operand = Var | float


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
        function = activation.function(X) if activation.name in _STABLE else activation.definition
        self.expression(function, {X: step.args[0]}, step.target)

    def slope(self, step: Step) -> None:
        slope = activations.derivative(step.as_op(Slope).function)
        before, after = step.args
        if slope.of_output is not None:
            self.expression(_shortest(slope.of_output), {Y: after}, step.target)
        else:
            self.expression(_shortest(slope.of_input), {X: before}, step.target)

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
        for recognise, write in _PATTERNS:
            if recognise(node):
                return write(self, node, env, target)
        raise GenerationError(
            f"the activation's expression {node} has no NumPy form; write it with exp, log, tanh or Piecewise"
        )


def _shortest(node: Any) -> Any:
    """The form with the fewest operations: y - y**2 rather than -y*(y - 1)."""
    if isinstance(node, sp.Piecewise):
        return sp.Piecewise(*((_shortest(branch), condition) for branch, condition in node.args))
    return min((node, sp.expand(node)), key=sp.count_ops)


def _fold(name: str) -> Callable[..., Operand]:
    def write(lowering: _Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
        numbers = [arg for arg in node.args if arg.is_number]
        rest = sorted((arg for arg in node.args if not arg.is_number), key=sp.default_sort_key)
        total = node.func(*numbers)
        operands: list[tuple[str, Operand]] = []
        for arg in rest:
            negative = name == "add" and arg.could_extract_minus_sign()
            inverse = name == "multiply" and arg.is_Pow and arg.exp.is_negative
            plain = -arg if negative else 1 / arg if inverse else arg
            operator = "subtract" if negative else "divide" if inverse else name
            operands.append((operator, lowering.scalar(plain, env)))
        operands.sort(key=lambda pair: pair[0] != name)
        neutral = 0 if name == "add" else 1
        flip = name == "multiply" and total == -1 and len(operands) > 0
        result: Operand = float(total) if total != neutral and not flip else operands.pop(0)[1]
        if operands and isinstance(result, float) and operands[0][0] == name:
            # a number goes second, so that the step can be done in place, and no product overflows that it makes smaller
            number, (_, result) = result, operands.pop(0)
            operands.insert(0, (name, number) if number >= 0 or name != "add" else ("subtract", -number))
        for position, (operator, operand) in enumerate(operands):
            into = target if position == len(operands) - 1 and not flip else None
            result = lowering.ufunc(operator, result, operand, target=into)
        return lowering.ufunc("negative", result, target=target) if flip else result

    return write


def _power(lowering: _Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    base = lowering.scalar(node.base, env)
    if node.exp.is_Integer and node.exp > 0:
        result = base
        for position in range(int(node.exp) - 1):
            result = lowering.ufunc("multiply", result, base, target=target if position == node.exp - 2 else None)
        return result
    if node.exp == sp.S.Half:
        return lowering.ufunc("sqrt", base, target=target)
    if node.exp.is_negative:
        return lowering.ufunc("divide", 1.0, lowering.scalar(1 / node, env), target=target)
    return lowering.ufunc("power", base, float(node.exp), target=target)


def _call(name: str) -> Callable[..., Operand]:
    def write(lowering: _Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
        return lowering.ufunc(name, lowering.scalar(node.args[0], env), target=target)

    return write


def _sigmoid(lowering: _Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    """One function, the module's own: (1 + tanh(x/2))/2 would have no digits left far below 0."""
    return lowering.ufunc("sigmoid", lowering.scalar(node.args[0], env), target=target)


def _softplus(lowering: _Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(min(x, -x))) never overflows; min and max by the real part keep it analytic."""
    inner = next(arg for arg in node.args[0].args if not arg.is_number).args[0]
    value = lowering.scalar(inner, env)
    smaller = lowering.ufunc("minimum", value, lowering.ufunc("negative", value))
    tail = lowering.ufunc("log1p", lowering.ufunc("exp", smaller))
    return lowering.ufunc("add", lowering.ufunc("maximum", value, 0.0), tail, target=target)


def _expm1(lowering: _Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    factor, exponential = next(arg for arg in node.args if not arg.is_number).as_coeff_Mul()
    less_one = lowering.ufunc("expm1", lowering.scalar(exponential.args[0], env), target=target if factor == 1 else None)
    return less_one if factor == 1 else lowering.ufunc("multiply", less_one, float(factor), target=target)


class _NormalFunction(sp.Function):
    """1 + erf(x / sqrt(2)), which keeps its digits where erf is near -1."""

    nargs = 1


def _without_erf(node: Any) -> Any:
    """A sum with k + k erf(x / sqrt(2)) in it written k Normal(x), or None."""
    for term in node.args if node.is_Add else ():
        factor, function = term.as_coeff_Mul()
        if isinstance(function, sp.erf) and factor in node.args:
            rest = [other for other in node.args if other not in (term, factor)]
            return sp.Add(*rest, factor * _NormalFunction(sp.expand(function.args[0] * sp.sqrt(2))))
    return None


def _normal(lowering: _Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    value = lowering.scalar(node.args[0], env)
    if not isinstance(value, Var):
        raise AssertionError("a function of a number is a number")
    return lowering.emit(Normal(), (value,), target)


def _erf(lowering: _Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    value = lowering.scalar(node.args[0], env)
    if not isinstance(value, Var):
        raise AssertionError("erf of a number is a number")
    return lowering.emit(Erf(), (value,), target)


def _piecewise(lowering: _Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    """Every branch is computed for all arguments; one that could be infinite elsewhere gets them clamped to where it holds."""
    (then, condition), *rest = node.args
    if condition == sp.true:
        return lowering.scalar(then, env, target)
    if isinstance(condition, sp.Or):
        first, *others = condition.args
        tail = sp.Piecewise((then, sp.Or(*others)), *rest, evaluate=False)
        return _piecewise(lowering, sp.Piecewise((then, first), (tail, True), evaluate=False), env, target)
    symbol, threshold = condition.lhs, float(condition.rhs)
    other = rest[0][0] if rest[0][1] == sp.true else sp.Piecewise(*rest, evaluate=False)
    tested = env[symbol]
    if (then, other, condition) == (symbol, 0, symbol > 0):
        return lowering.ufunc("maximum", tested, 0.0, target=target)
    above = condition.rel_op in (">", ">=")
    values: list[Operand] = []
    for branch, upper in ((then, above), (other, not above)):
        inner = dict(env)
        if not all(leaf.is_polynomial(symbol) for leaf in _leaves(branch)):
            inner[symbol] = lowering.ufunc("maximum" if upper else "minimum", tested, threshold)
        values.append(lowering.scalar(branch, inner))
    args = tuple(dict.fromkeys((tested, *(value for value in values if isinstance(value, Var)))))
    spec = tuple(args.index(value) if isinstance(value, Var) else repr(value) for value in values)
    return lowering.emit(Select(condition.rel_op, repr(threshold), spec), args, target)


def _leaves(branch: Any) -> list[Any]:
    """The expressions of a branch that has branches itself."""
    if not isinstance(branch, sp.Piecewise):
        return [branch]
    return [leaf for inner, _ in branch.args for leaf in _leaves(inner)]


def _registered(lowering: _Lowering, node: Any, env: dict[Any, Var], target: Var | None) -> Operand:
    inner = lowering.scalar(node.args[0], env)
    definition = activations.of(node.func).definition
    if not isinstance(inner, Var):
        return float(definition.subs(X, inner))
    return lowering.scalar(definition, {X: inner}, target)


def _is_softplus(node: Any) -> bool:
    return isinstance(node, sp.log) and node.args[0].is_Add and _is_exp_plus(node.args[0], 1)


def _is_exp_plus(node: Any, number: int) -> bool:
    return node.is_Add and len(node.args) == 2 and number in node.args and any(isinstance(a, sp.exp) for a in node.args)


def _is_less_one(node: Any) -> bool:
    """Whether it is k exp(u) - k, which has no digits left near 0 where exp is taken first."""
    numbers = [arg for arg in node.args if arg.is_number] if node.is_Add and len(node.args) == 2 else []
    if len(numbers) != 1:
        return False
    factor, rest = next(arg for arg in node.args if not arg.is_number).as_coeff_Mul()
    return isinstance(rest, sp.exp) and factor == -numbers[0]


_STABLE = {"sigmoid", "tanh", "exponential"}
_SIGMOID = activations.named("sigmoid")
_PATTERNS: tuple[tuple[Callable[[Any], bool], Callable[..., Operand]], ...] = (
    (lambda node: isinstance(node, _SIGMOID), _sigmoid),
    (_is_softplus, _softplus),
    (lambda node: _is_less_one(node), _expm1),
    (lambda node: isinstance(node, sp.Piecewise), _piecewise),
    (lambda node: isinstance(node, sp.exp), _call("exp")),
    (lambda node: isinstance(node, sp.log), _call("log")),
    (lambda node: isinstance(node, sp.tanh), _call("tanh")),
    (lambda node: isinstance(node, sp.sin), _call("sin")),
    (lambda node: isinstance(node, sp.cos), _call("cos")),
    (lambda node: isinstance(node, sp.erf), _erf),
    (lambda node: isinstance(node, _NormalFunction), _normal),
    (lambda node: _without_erf(node) is not None, lambda lowering, node, *rest: lowering.scalar(_without_erf(node), *rest)),
    (lambda node: node.is_Add, _fold("add")),
    (lambda node: node.is_Mul, _fold("multiply")),
    (lambda node: node.is_Pow, _power),
    (lambda node: isinstance(node, sp.Function), _registered),
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
