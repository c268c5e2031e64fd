"""Mathematics -> NumPy's vocabulary: sums become binary, functions and slopes become sequences of ufuncs.

Lowered operations: `ufunc` (attr: NumPy name, operands: an argument's position, or a number as text), `select` (attr:
relation, threshold, the two operands; the first argument is tested), `fill` (attr: a number), `repeat` (a scalar times attr
in every row), `spread` (what is the same for every sample, as an array of all of them), `erf`, `normal`, `sum` (over a
value's own axes), `rows` and `columns` (a sequence as one matrix, so that one product sums a b^T over steps and samples),
`batch_total` (a b^T summed over samples, for each step), `copy`, beside `matmul`, `transpose`, `concat`, `slice`, `place`,
`total`, `constant` of the mathematical Program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy as sp

from rnnproof.derivation.program import Names, Program, Step, Var, in_order, without_dead_steps
from rnnproof.equations import activations
from rnnproof.equations.activations import X, Y
from rnnproof.errors import GenerationError

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
        self.known: dict[tuple[Any, ...], Var] = {}
        self.literal: dict[Var, float] = {}
        self.step: Step = program.steps[0]
        self.producer = program.producer()
        for step in constants:
            self._note(step)

    def run(self) -> Program:
        for step in self.program.steps:
            self.step = step
            _LOWER.get(step.op, _Lowering.keep)(self, step)
        return without_dead_steps(in_order(self.program, self.steps))

    def emit(self, op: str, args: tuple[Var, ...], attr: Any, like: Var, target: Var | None = None) -> Var:
        """Append a step (once, for equal ones) whose result has the axes of its arguments and the shape of `like`."""
        key = (op, args, attr)
        if target is None and key in self.known:
            return self.known[key]
        if target is None:
            varies = any(arg.per_step for arg in args), any(arg.per_sample for arg in args)
            target = Var(self.names.fresh(f"tmp_{self.step.target.name}"), like.shape, *varies)
        computed = self.step.of if target == self.step.target else ()
        self.steps.append(Step(target, op, args, attr, self.step.rule, self.step.tex, computed))
        self.known[key] = target
        return target

    def ufunc(self, name: str, *operands: Operand, like: Var, target: Var | None = None) -> Var:
        args = tuple(dict.fromkeys(operand for operand in operands if isinstance(operand, Var)))
        spec = tuple(args.index(operand) if isinstance(operand, Var) else repr(operand) for operand in operands)
        if not args:
            raise AssertionError(f"{self.step}: nothing but numbers")
        return self.emit("ufunc", args, (name, spec), like, target)

    def keep(self, step: Step) -> None:
        self.steps.append(step)

    def concat(self, step: Step) -> None:
        """In a stack for every sample, what is the same for all of them is repeated."""
        args = tuple(self.spread(arg) if step.target.per_sample and not arg.per_sample else arg for arg in step.args)
        self.steps.append(replace(step, args=args))

    def spread(self, value: Var) -> Var:
        key = ("spread", (value,), None)
        if key in self.known:
            return self.known[key]
        return self.emit(
            "spread", (value,), None, value, Var(self.names.fresh(f"{value.name}_spread"), value.shape, True, True)
        )

    def open_function(self, step: Step) -> None:
        raise GenerationError(
            f"cell {self.program.name}: the function {step.attr[0]} is open and code needs its body; give it one with "
            f"rnnproof.bind(cell, {step.attr[0]}=r'\\tanh(W o + b)') or --bind '{step.attr[0]}=...'"
        )

    def constant(self, step: Step) -> None:
        self._note(step)
        self.steps.append(step)

    def _note(self, step: Step) -> None:
        """Remember a constant array whose entries are all the same number."""
        kind = step.attr[0]
        values = {"one": 1.0, "zero": 0.0}
        if kind in values or not isinstance(kind, str):
            self.literal[step.target] = values[kind] if isinstance(kind, str) else float(kind)

    def sum(self, step: Step) -> None:
        number = 0.0
        terms: list[tuple[Any, Var]] = []
        for arg, factor in zip(step.args, step.attr, strict=True):
            if arg in self.literal:
                number += self.literal[arg] * float(factor)
            else:
                terms.append((factor, arg))
        if not terms:
            self.constant(Step(step.target, "constant", (), (number, step.target.shape)))
            return
        terms.sort(key=lambda term: (term[1].shape != step.target.shape, bool(term[0] < 0)))
        target = step.target
        pieces: list[Callable[[Operand, Var | None], Var]] = []
        first_factor, first = terms[0]
        start: Operand
        if number and first_factor == -1:
            start, number = self.ufunc("subtract", number, first, like=target, target=self.last(len(terms) == 1)), 0.0
        elif first_factor == 1:
            start = first
        elif first_factor == -1:
            start = self.ufunc("negative", first, like=target, target=self.last(len(terms) == 1 and not number))
        else:
            only = len(terms) == 1 and not number
            start = self.ufunc("multiply", first, float(first_factor), like=target, target=self.last(only))
        for factor, term in terms[1:]:
            size = abs(factor)
            scaled = term if size == 1 else self.ufunc("multiply", term, float(size), like=term)
            pieces.append(self._accumulate("add" if factor > 0 else "subtract", scaled))
        if number:
            pieces.append(self._accumulate("add" if number > 0 else "subtract", abs(number)))
        for position, piece in enumerate(pieces):
            start = piece(start, self.last(position == len(pieces) - 1))
        if start is first:
            self.emit("copy", (first,), None, target, target)

    def last(self, final: bool) -> Var | None:
        return self.step.target if final else None

    def _accumulate(self, name: str, term: Operand) -> Callable[[Operand, Var | None], Var]:
        target = self.step.target
        return lambda so_far, into: self.ufunc(name, so_far, term, like=target, target=into)

    def product(self, step: Step) -> None:
        left, right = step.args
        operands: list[Operand] = [self.literal.get(arg, arg) for arg in (left, right)]
        if left in self.literal and right in self.literal:
            self.constant(Step(step.target, "constant", (), (self.literal[left] * self.literal[right], step.target.shape)))
            return
        if step.op == "scale" and right in self.literal and len(right.shape) == 1:
            self.emit("repeat", (left,), repr(self.literal[right]), step.target, step.target)
            return
        self.ufunc("multiply", *operands, like=step.target, target=step.target)

    def dot(self, step: Step) -> None:
        left, right = step.args
        operands: list[Operand] = [self.literal.get(arg, arg) for arg in (left, right)]
        product = self.ufunc("multiply", *operands, like=left)
        self.emit("sum", (product,), None, step.target, step.target)

    def total(self, step: Step) -> None:
        source = self.producer.get(step.args[0])
        if source is not None and source.op == "outer" and all(arg.per_sample for arg in source.args):
            left, right = source.args
            if step.target.per_step:
                self.emit("batch_total", (left, right), None, step.target, step.target)
                return
            flat = sp.Symbol("all_columns", integer=True, positive=True)
            rows = self.flat("rows", left, (left.shape[0], flat))
            columns = self.flat("columns", right, (flat, right.shape[0]))
            self.emit("matmul", (rows, columns), None, step.target, step.target)
        else:
            self.keep(step)

    def flat(self, op: str, value: Var, shape: tuple[Any, ...]) -> Var:
        """A sequence as one matrix, all steps and samples side by side; made once for all products that need it."""
        key = (op, (value,), None)
        if key in self.known:
            return self.known[key]
        return self.emit(op, (value,), None, value, Var(self.names.fresh(f"{value.name}_{op}"), shape))

    def mapped(self, step: Step) -> None:
        definition = activations.of(step.attr).definition
        function = step.attr(X) if activations.of(step.attr).name in _STABLE else definition
        self.expression(function, {X: step.args[0]}, step.target)

    def slope(self, step: Step) -> None:
        slope = activations.derivative(step.attr)
        before, after = step.args
        if slope.of_output is not None:
            self.expression(_shortest(slope.of_output), {Y: after}, step.target)
        else:
            self.expression(_shortest(slope.of_input), {X: before}, step.target)

    def expression(self, node: Any, env: dict[Any, Var], target: Var) -> None:
        value = self.scalar(node, env, target, target)
        if not isinstance(value, Var):
            source = next(iter(env.values()))
            self.emit("fill", (source,), repr(value), target, target)
        elif value is not target:
            self.emit("copy", (value,), None, target, target)

    def scalar(self, node: Any, env: dict[Any, Var], like: Var, target: Var | None = None) -> Operand:
        """A scalar SymPy expression as ufunc steps; the last one writes `target`."""
        if node in env:
            return env[node]
        if node.is_number:
            return float(node)
        for recognise, write in _PATTERNS:
            if recognise(node):
                return write(self, node, env, like, target)
        raise GenerationError(
            f"the activation's expression {node} has no NumPy form; write it with exp, log, tanh or Piecewise"
        )


def _shortest(node: Any) -> Any:
    """The form with the fewest operations: y - y**2 rather than -y*(y - 1)."""
    if isinstance(node, sp.Piecewise):
        return sp.Piecewise(*((_shortest(branch), condition) for branch, condition in node.args))
    return min((node, sp.expand(node)), key=sp.count_ops)


def _fold(name: str) -> Callable[..., Operand]:
    def write(lowering: _Lowering, node: Any, env: dict[Any, Var], like: Var, target: Var | None) -> Operand:
        numbers = [arg for arg in node.args if arg.is_number]
        rest = sorted((arg for arg in node.args if not arg.is_number), key=sp.default_sort_key)
        total = node.func(*numbers)
        operands: list[tuple[str, Operand]] = []
        for arg in rest:
            negative = name == "add" and arg.could_extract_minus_sign()
            inverse = name == "multiply" and arg.is_Pow and arg.exp.is_negative
            plain = -arg if negative else 1 / arg if inverse else arg
            operator = "subtract" if negative else "divide" if inverse else name
            operands.append((operator, lowering.scalar(plain, env, like)))
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
            result = lowering.ufunc(operator, result, operand, like=like, target=into)
        return lowering.ufunc("negative", result, like=like, target=target) if flip else result

    return write


def _power(lowering: _Lowering, node: Any, env: dict[Any, Var], like: Var, target: Var | None) -> Operand:
    base = lowering.scalar(node.base, env, like)
    if node.exp.is_Integer and node.exp > 0:
        result = base
        for position in range(int(node.exp) - 1):
            result = lowering.ufunc("multiply", result, base, like=like, target=target if position == node.exp - 2 else None)
        return result
    if node.exp == sp.S.Half:
        return lowering.ufunc("sqrt", base, like=like, target=target)
    if node.exp.is_negative:
        return lowering.ufunc("divide", 1.0, lowering.scalar(1 / node, env, like), like=like, target=target)
    return lowering.ufunc("power", base, float(node.exp), like=like, target=target)


def _call(name: str) -> Callable[..., Operand]:
    def write(lowering: _Lowering, node: Any, env: dict[Any, Var], like: Var, target: Var | None) -> Operand:
        return lowering.ufunc(name, lowering.scalar(node.args[0], env, like), like=like, target=target)

    return write


def _sigmoid(lowering: _Lowering, node: Any, env: dict[Any, Var], like: Var, target: Var | None) -> Operand:
    """One function, the module's own: (1 + tanh(x/2))/2 would have no digits left far below 0."""
    return lowering.ufunc("sigmoid", lowering.scalar(node.args[0], env, like), like=like, target=target)


def _softplus(lowering: _Lowering, node: Any, env: dict[Any, Var], like: Var, target: Var | None) -> Operand:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(min(x, -x))) never overflows; min and max by the real part keep it analytic."""
    inner = next(arg for arg in node.args[0].args if not arg.is_number).args[0]
    value = lowering.scalar(inner, env, like)
    smaller = lowering.ufunc("minimum", value, lowering.ufunc("negative", value, like=like), like=like)
    tail = lowering.ufunc("log1p", lowering.ufunc("exp", smaller, like=like), like=like)
    return lowering.ufunc("add", lowering.ufunc("maximum", value, 0.0, like=like), tail, like=like, target=target)


def _expm1(lowering: _Lowering, node: Any, env: dict[Any, Var], like: Var, target: Var | None) -> Operand:
    factor, exponential = next(arg for arg in node.args if not arg.is_number).as_coeff_Mul()
    less_one = lowering.ufunc(
        "expm1", lowering.scalar(exponential.args[0], env, like), like=like, target=target if factor == 1 else None
    )
    return less_one if factor == 1 else lowering.ufunc("multiply", less_one, float(factor), like=like, target=target)


class _Normal(sp.Function):
    """1 + erf(x / sqrt(2)), which keeps its digits where erf is near -1."""

    nargs = 1


def _without_erf(node: Any) -> Any:
    """A sum with k + k erf(x / sqrt(2)) in it written k Normal(x), or None."""
    for term in node.args if node.is_Add else ():
        factor, function = term.as_coeff_Mul()
        if isinstance(function, sp.erf) and factor in node.args:
            rest = [other for other in node.args if other not in (term, factor)]
            return sp.Add(*rest, factor * _Normal(sp.expand(function.args[0] * sp.sqrt(2))))
    return None


def _normal(lowering: _Lowering, node: Any, env: dict[Any, Var], like: Var, target: Var | None) -> Operand:
    value = lowering.scalar(node.args[0], env, like)
    if not isinstance(value, Var):
        raise AssertionError("a function of a number is a number")
    return lowering.emit("normal", (value,), None, like, target)


def _erf(lowering: _Lowering, node: Any, env: dict[Any, Var], like: Var, target: Var | None) -> Operand:
    value = lowering.scalar(node.args[0], env, like)
    if not isinstance(value, Var):
        raise AssertionError("erf of a number is a number")
    return lowering.emit("erf", (value,), None, like, target)


def _piecewise(lowering: _Lowering, node: Any, env: dict[Any, Var], like: Var, target: Var | None) -> Operand:
    """Every branch is computed for all arguments; one that could be infinite elsewhere gets them clamped to where it holds."""
    (then, condition), *rest = node.args
    if condition == sp.true:
        return lowering.scalar(then, env, like, target)
    if isinstance(condition, sp.Or):
        first, *others = condition.args
        tail = sp.Piecewise((then, sp.Or(*others)), *rest, evaluate=False)
        return _piecewise(lowering, sp.Piecewise((then, first), (tail, True), evaluate=False), env, like, target)
    symbol, threshold = condition.lhs, float(condition.rhs)
    other = rest[0][0] if rest[0][1] == sp.true else sp.Piecewise(*rest, evaluate=False)
    tested = env[symbol]
    if (then, other, condition) == (symbol, 0, symbol > 0):
        return lowering.ufunc("maximum", tested, 0.0, like=like, target=target)
    above = condition.rel_op in (">", ">=")
    values: list[Operand] = []
    for branch, upper in ((then, above), (other, not above)):
        inner = dict(env)
        if not all(leaf.is_polynomial(symbol) for leaf in _leaves(branch)):
            inner[symbol] = lowering.ufunc("maximum" if upper else "minimum", tested, threshold, like=like)
        values.append(lowering.scalar(branch, inner, like))
    args = tuple(dict.fromkeys((tested, *(value for value in values if isinstance(value, Var)))))
    spec = tuple(args.index(value) if isinstance(value, Var) else repr(value) for value in values)
    return lowering.emit("select", args, (condition.rel_op, repr(threshold), spec), like, target)


def _leaves(branch: Any) -> list[Any]:
    """The expressions of a branch that has branches itself."""
    if not isinstance(branch, sp.Piecewise):
        return [branch]
    return [leaf for inner, _ in branch.args for leaf in _leaves(inner)]


def _registered(lowering: _Lowering, node: Any, env: dict[Any, Var], like: Var, target: Var | None) -> Operand:
    inner = lowering.scalar(node.args[0], env, like)
    definition = activations.of(node.func).definition
    if not isinstance(inner, Var):
        return float(definition.subs(X, inner))
    return lowering.scalar(definition, {X: inner}, like, target)


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
    (lambda node: isinstance(node, _Normal), _normal),
    (lambda node: _without_erf(node) is not None, lambda lowering, node, *rest: lowering.scalar(_without_erf(node), *rest)),
    (lambda node: node.is_Add, _fold("add")),
    (lambda node: node.is_Mul, _fold("multiply")),
    (lambda node: node.is_Pow, _power),
    (lambda node: isinstance(node, sp.Function), _registered),
)
_LOWER: dict[str, Callable[[_Lowering, Step], None]] = {
    "add": _Lowering.sum,
    "hadamard": _Lowering.product,
    "scale": _Lowering.product,
    "dot": _Lowering.dot,
    "total": _Lowering.total,
    "map": _Lowering.mapped,
    "slope": _Lowering.slope,
    "constant": _Lowering.constant,
    "concat": _Lowering.concat,
    "apply": _Lowering.open_function,
    "pull": _Lowering.open_function,
}
