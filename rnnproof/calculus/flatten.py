"""Cell -> forward Program of one step: every product, sum and function application gets a line of its own."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from rnnproof.calculus.operation_base import Operation
from rnnproof.calculus.operations import (
    Add,
    Call,
    Concat,
    Constant,
    Dot,
    Hadamard,
    Identity,
    Map,
    Matmul,
    Open,
    Quotient,
    Scale,
    Transpose,
)
from rnnproof.calculus.program import Names, Port, Program, Role, Step, without_dead_steps
from rnnproof.calculus.variables import Shape, Var
from rnnproof.equations import activations, expressions
from rnnproof.equations.cell import Body, Cell
from rnnproof.errors import EquationError


def flatten(cell: Cell) -> Program:
    """The forward step of a Cell; open functions without a body stay as `apply` steps."""
    return _Flattener(cell).program()


def math_shape(symbol: Any) -> Shape:
    """() for a scalar symbol, (n,) for a column, (m, n) for a matrix."""
    if not getattr(symbol, "is_Matrix", False):
        return ()
    rows, columns = symbol.shape
    return (rows,) if columns == 1 else (rows, columns)


class _Flattener:
    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        tex = cell.tex
        self.names = Names()
        self.steps: list[Step] = []
        self.env: dict[Any, Var] = {}
        self.known: dict[tuple[Operation, tuple[Var, ...]], Var] = {}
        self.equation_tex = ""
        self.bodies: dict[str, Body] = {body.name: body for body in cell.bodies}
        self.inputs: list[Port] = []
        for parameter in cell.parameters:
            self._enter(Role.PARAMETER, parameter.name, parameter.symbol, parameter.per_step, False, tex)
        for symbol in cell.inputs:
            self._enter(Role.INPUT, symbol.name, symbol, True, True, tex)
        for symbol in cell.constants:
            self._enter(Role.CONSTANT, symbol.name, symbol, True, True, tex)
        for state in cell.states:
            if state.old is not None:
                self._enter(Role.OLD, state.name, state.old, True, True, tex)
        for equation in cell.equations:
            self.names.fresh(equation.symbol.name)

    def _enter(self, role: Role, key: str, symbol: Any, per_step: bool, per_sample: bool, tex: dict[str, str]) -> None:
        printed = tex.get(symbol.name, sp.latex(symbol))
        var = Var(self.names.fresh(symbol.name), math_shape(symbol), per_step, per_sample, printed)
        self.env[symbol] = var
        self.inputs.append(Port(role, key, var))

    def program(self) -> Program:
        tex = self.cell.tex
        for equation in self.cell.equations:
            self.equation_tex = equation.tex or f"{sp.latex(equation.symbol)} = {sp.latex(equation.expression)}"
            name = equation.symbol.name
            printed = tex.get(name, sp.latex(equation.symbol))
            self.env[equation.symbol] = self.value(equation.expression, name, printed)
        outputs = tuple(Port(Role.NEW, state.name, self.env[state.new]) for state in self.cell.states)
        return without_dead_steps(Program(self.cell.name, tuple(self.inputs), tuple(self.steps), outputs))

    def emit(self, op: Operation, *args: Var, name: str = "", tex: str = "") -> Var:
        key = (op, args)
        if not tex and key in self.known:  # written once, its adjoint is one sum
            return self.known[key]
        shape = op.shape(*(arg.shape for arg in args))
        target = Var(
            name if tex else self.names.fresh(name or "v"),
            shape,
            any(arg.per_step for arg in args),
            any(arg.per_sample for arg in args),
            tex,
        )
        self.steps.append(Step(target, op, args, "equation", self.equation_tex, (target.name,)))
        self.known.setdefault(key, target)
        return target

    def value(self, node: Any, name: str = "", tex: str = "") -> Var:
        """The variable that holds `node`; `tex` non-empty means it must be a variable of that very name."""
        for kinds, method in _NODES:
            if isinstance(node, kinds):
                value: Var = method(self, node, name, tex)
                return value if not tex or value.tex == tex else self.emit(Add((sp.S.One,)), value, name=name, tex=tex)
        raise EquationError(f"{node}: {type(node).__name__} is not understood here; rewrite the equation without it")

    def symbol(self, node: Any, name: str, tex: str) -> Var:
        return self.env[node]

    def constant(self, node: Any, name: str, tex: str) -> Var:
        shape = math_shape(node)
        if isinstance(node, sp.Identity):
            return self.emit(Identity(shape[0]), name=name or "constant", tex=tex)
        number = {sp.OneMatrix: sp.S.One, sp.ZeroMatrix: sp.S.Zero}.get(type(node), node)
        return self.emit(Constant(number, shape), name=name or "constant", tex=tex)

    def sum(self, node: Any, name: str, tex: str) -> Var:
        factors, args = [], []
        for term in node.args:
            number, rest = _split_number(term)
            factors.append(number)
            args.append(self.value(rest))
        complement = len(args) == 2 and args[0].name.startswith("constant") and factors == [1, -1]
        label = f"one_minus_{args[1].name}" if complement else "partial"
        return self.emit(Add(tuple(factors)), *args, name=name or label, tex=tex)

    def product(self, node: Any, name: str, tex: str) -> Var:
        number, rest = _split_number(node)
        if number != 1:
            return self.emit(Add((number,)), self.value(rest), name=name, tex=tex)
        scalars = [factor for factor in node.args if not getattr(factor, "is_Matrix", False)]
        matrices = [factor for factor in node.args if getattr(factor, "is_Matrix", False)]
        if not matrices:
            return self.fold(Hadamard(), [self.value(factor) for factor in scalars], name, tex)
        last = "" if scalars else tex
        right = self.value(matrices[-1])
        for position, factor in reversed(list(enumerate(matrices[:-1]))):
            left = self.value(factor)
            label = name if last and position == 0 else f"{left.name}_{right.name}"
            right = self.emit(Matmul(), left, right, name=label, tex=last if position == 0 else "")
        if not scalars:
            return right
        factor_var = self.fold(Hadamard(), [self.value(factor) for factor in scalars], "", "")
        return self.emit(Scale(), factor_var, right, name=name or "scaled", tex=tex)

    def fold(self, op: Operation, args: list[Var], name: str, tex: str) -> Var:
        result = args[0]
        for position, arg in enumerate(args[1:], start=2):
            final = position == len(args)
            label = f"{result.name}_{arg.name}"
            result = self.emit(op, result, arg, name=name if final and name else label, tex=tex if final else "")
        return result

    def hadamard(self, node: Any, name: str, tex: str) -> Var:
        return self.fold(Hadamard(), [self.value(factor) for factor in node.args], name, tex)

    def quotient(self, node: Any, name: str, tex: str) -> Var:
        over, under = (self.value(arg) for arg in node.args)
        return self.emit(Quotient(), over, under, name=name or f"{over.name}_over_{under.name}", tex=tex)

    def transpose(self, node: Any, name: str, tex: str) -> Var:
        inner = self.value(node.arg)
        return self.emit(Transpose(), inner, name=name or f"{inner.name}_T", tex=tex)

    def mapped(self, node: Any, name: str, tex: str) -> Var:
        bound, applied = node.function.variables[0], node.function.expr
        if applied == bound:
            return self.value(node.expr, name, tex)
        if len(applied.args) != 1 or applied.args[0] != bound:
            raise EquationError(f"{applied}: register it with rnnproof.activation(name, expression) and apply it by its name")
        return self.function(applied.func, node.expr, name, tex)

    def scalar_function(self, node: Any, name: str, tex: str) -> Var:
        return self.function(node.func, node.args[0], name, tex)

    def function(self, function: Any, argument: Any, name: str, tex: str) -> Var:
        label = activations.of(function).name
        inner = self.value(argument, f"a_{name}" if name else "a")
        if label == "linear":
            return inner
        return self.emit(Map(function), inner, name=name or f"{label}_{inner.name}", tex=tex)

    def power(self, node: Any, name: str, tex: str) -> Var:
        base, exponent = node.args
        if exponent == -1:
            return self.function(activations.named("reciprocal"), base, name, tex)
        if not (exponent.is_Integer and 1 < exponent <= 8):
            raise EquationError(f"{node}: only whole powers from 2 to 8 of a scalar are understood; write it as a product")
        return self.fold(Hadamard(), [self.value(base)] * int(exponent), name or "power", tex)

    def concatenation(self, node: Any, name: str, tex: str) -> Var:
        args = [self.value(column) for column in expressions.children(node)]
        return self.emit(Concat(0), *args, name=name or "_".join(arg.name for arg in args), tex=tex)

    def dot(self, node: Any, name: str, tex: str) -> Var:
        left, right = (self.value(arg) for arg in node.args)
        return self.emit(Dot(), left, right, name=name or f"{left.name}_{right.name}", tex=tex)

    def opened(self, node: Any, name: str, tex: str) -> Var:
        body = self.bodies.get(node.name)
        argument = self.value(node.argument)
        if body is None:
            return self.emit(Call(Open(node.name, node.shape[0])), argument, name=name or node.name, tex=tex)
        outer = self.env.get(body.argument)
        self.env[body.argument] = argument
        result = self.value(body.expression, name or node.name, tex)
        if outer is not None:
            self.env[body.argument] = outer
        return result


def _split_number(term: Any) -> tuple[Any, Any]:
    """(number, rest) of a product; the number is 1 where there is none."""
    if not isinstance(term, sp.MatMul | sp.Mul):
        return sp.S.One, term
    numbers = [factor for factor in term.args if factor.is_number and not getattr(factor, "is_Matrix", False)]
    rest = [factor for factor in term.args if factor not in numbers]
    if not numbers or not rest:
        return sp.S.One, term
    matrix = any(getattr(factor, "is_Matrix", False) for factor in rest)
    joined = (sp.MatMul(*rest, evaluate=False) if matrix else sp.Mul(*rest)) if len(rest) > 1 else rest[0]
    return sp.Mul(*numbers), joined


_NODES: tuple[tuple[Any, Any], ...] = (
    ((sp.MatrixSymbol, sp.Symbol), _Flattener.symbol),
    ((sp.Identity, sp.OneMatrix, sp.ZeroMatrix, sp.Number, sp.NumberSymbol), _Flattener.constant),
    ((sp.MatAdd, sp.Add), _Flattener.sum),
    ((sp.MatMul, sp.Mul), _Flattener.product),
    (sp.HadamardProduct, _Flattener.hadamard),
    (expressions.Quotient, _Flattener.quotient),
    (sp.Transpose, _Flattener.transpose),
    (ElementwiseApplyFunction, _Flattener.mapped),
    (sp.Pow, _Flattener.power),
    (sp.BlockMatrix, _Flattener.concatenation),
    (expressions.Dot, _Flattener.dot),
    (expressions.OpenFunction, _Flattener.opened),
    (sp.Function, _Flattener.scalar_function),
)
