"""Formulas evaluated with numbers, by a table of node types of its own: matrices are 2-D arrays, scalars numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, reduce
from typing import Any

import numpy as np
import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.slice import MatrixSlice

from rnnproof.calculus.bounds import written_out
from rnnproof.calculus.formulas import Reader, printed_names
from rnnproof.calculus.matrix_expressions import OpenJacobian, Prime
from rnnproof.calculus.program import Program
from rnnproof.equations import expressions


@dataclass
class Numbers:
    """`values` by printed name, `sizes` by size symbol, `functions` {name: (value, Jacobian)} for what is left open."""

    sizes: Mapping[Any, int]
    values: dict[str, Any]
    functions: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def size(self, value: Any) -> int:
        return int(sp.sympify(value).subs(dict(self.sizes)))

    def __call__(self, node: Any) -> Any:
        return next(evaluate for kinds, evaluate in _TABLE if isinstance(node, kinds))(self, node)

    def forward(self, program: Program) -> None:
        """Add every named value of a forward Program, by evaluating the formula that defines it."""
        names = printed_names(program)
        reader = Reader(program.producer(), names)
        for step in program.steps:
            if step.target in names:
                self.values[names[step.target]] = self(reader.definition(step.target))


@cache
def _scalar(body: Any, bound: Any) -> Any:
    written = written_out(body.replace(lambda node: isinstance(node, Prime), lambda node: node.definition))
    return sp.lambdify(bound, written, [{"erf": np.vectorize(math.erf, otypes=[float])}, "numpy"])


def _elementwise(numbers: Numbers, node: Any) -> Any:
    (bound,) = node.function.variables
    value = np.asarray(numbers(node.expr), float)
    return np.broadcast_to(_scalar(node.function.expr, bound)(value), value.shape)


def _function(numbers: Numbers, node: Any) -> Any:
    x = sp.Symbol("x", real=True)
    return float(_scalar(node.func(x), x)(float(numbers(node.args[0]))))


def _times(left: Any, right: Any) -> Any:
    return left @ right if np.ndim(left) and np.ndim(right) else left * right


def _slice(numbers: Numbers, node: Any) -> Any:
    rows, columns = ([numbers.size(end) for end in ends[:2]] for ends in (node.rowslice, node.colslice))
    return numbers(node.parent)[slice(*rows), slice(*columns)]


_TABLE: tuple[tuple[Any, Any], ...] = (
    ((sp.MatrixSymbol, sp.Symbol), lambda numbers, node: numbers.values[node.name]),
    (sp.Identity, lambda numbers, node: np.eye(numbers.size(node.shape[0]))),
    (sp.OneMatrix, lambda numbers, node: np.ones([numbers.size(size) for size in node.shape])),
    (sp.ZeroMatrix, lambda numbers, node: np.zeros([numbers.size(size) for size in node.shape])),
    (sp.Number, lambda numbers, node: float(node)),
    ((sp.MatAdd, sp.Add), lambda numbers, node: sum(map(numbers, node.args))),
    ((sp.MatMul, sp.Mul), lambda numbers, node: reduce(_times, map(numbers, node.args))),
    (sp.HadamardProduct, lambda numbers, node: reduce(lambda left, right: left * right, map(numbers, node.args))),
    (expressions.Quotient, lambda numbers, node: numbers(node.args[0]) / numbers(node.args[1])),
    (sp.Transpose, lambda numbers, node: numbers(node.arg).T),
    (sp.Pow, lambda numbers, node: numbers(node.base) ** int(node.exp)),
    (ElementwiseApplyFunction, _elementwise),
    (sp.DiagMatrix, lambda numbers, node: np.diag(numbers(node.args[0])[:, 0])),
    (sp.BlockMatrix, lambda numbers, node: np.block([[numbers(entry) for entry in row] for row in node.blocks.tolist()])),
    (MatrixSlice, _slice),
    (expressions.Dot, lambda numbers, node: (numbers(node.args[0]).T @ numbers(node.args[1]))[0, 0]),
    (expressions.OpenFunction, lambda numbers, node: numbers.functions[node.name][0]),
    (OpenJacobian, lambda numbers, node: numbers.functions[node.name][1]),
    (sp.Function, _function),
)
