"""The few expression nodes SymPy lacks, and short constructors for the ones it has.

A Cell's equations are made of: MatrixSymbol, Symbol and numbers; MatAdd, MatMul, Transpose, Identity, OneMatrix, ZeroMatrix;
HadamardProduct; ElementwiseApplyFunction; a BlockMatrix with one column (concatenation); and the three nodes below. Vectors are
columns of shape (n, 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from rnnproof.errors import EquationError

_BOUND = sp.Dummy("x")


class OpenFunction(sp.MatrixExpr):
    """`name(argument)`: a function the equations leave open, from a column to a column of `rows` entries."""

    def __new__(cls, name: str | sp.Symbol, argument: Any, rows: Any) -> Any:
        label = sp.Symbol(name) if isinstance(name, str) else name
        return sp.Basic.__new__(cls, label, argument, sp.Integer(rows) if isinstance(rows, int) else rows)

    @property
    def name(self) -> str:
        return str(self.args[0].name)

    @property
    def argument(self) -> Any:
        return self.args[1]

    @property
    def shape(self) -> tuple[Any, Any]:
        return (self.args[2], sp.S.One)


class Quotient(sp.MatrixExpr):
    """The quotient of two arrays of one shape, entry by entry."""

    def __new__(cls, over: Any, under: Any) -> Any:
        return sp.Basic.__new__(cls, over, under)

    @property
    def shape(self) -> tuple[Any, Any]:
        return (self.args[0].shape[0], self.args[0].shape[1])


class Dot(sp.Expr):
    """The scalar a^T b of two columns of the same length (two forms of one thing: `w^T h` in print)."""

    is_commutative = True

    def __new__(cls, left: Any, right: Any) -> Any:
        return sp.Basic.__new__(cls, left, right)

    def _latex(self, printer: Any) -> str:
        left, right = (printer.parenthesize(arg, 60) for arg in self.args)
        return rf"{left}^{{\top}} {right}"


def apply(function: Any, argument: Any) -> Any:
    """`function` elementwise; a plain SymPy application where the argument is a scalar."""
    if not getattr(argument, "is_Matrix", False):
        return function(argument)
    return ElementwiseApplyFunction(sp.Lambda(_BOUND, function(_BOUND)), argument)


def hadamard(*factors: Any) -> Any:
    """The elementwise product, factors in the order given."""
    return sp.HadamardProduct(*factors, evaluate=False) if len(factors) > 1 else factors[0]


def add(*terms: Any) -> Any:
    """The sum, terms in the order given."""
    return sp.MatAdd(*terms, evaluate=False) if len(terms) > 1 else terms[0]


def multiply(*factors: Any) -> Any:
    """Matrix product or scaling, factors in the order given."""
    return sp.MatMul(*factors, evaluate=False) if len(factors) > 1 else factors[0]


def concatenate(*columns: Any) -> Any:
    """Columns one below the other."""
    return sp.BlockMatrix([[column] for column in columns])


def children(node: Any) -> tuple[Any, ...]:
    """The operands of a node (not a function's name, not a Lambda)."""
    if isinstance(node, OpenFunction):
        return (node.argument,)
    if isinstance(node, ElementwiseApplyFunction):
        return (node.expr,)
    if isinstance(node, sp.BlockMatrix):
        if node.blocks.shape[1] != 1:
            raise EquationError(f"{node}: only columns can be concatenated; write the blocks one below the other")
        return tuple(node.blocks)
    if isinstance(node, sp.MatrixSymbol):
        return ()
    return tuple(node.args)


def symbols(node: Any) -> set[Any]:
    """Every MatrixSymbol and scalar Symbol an expression uses; symbols in sizes do not count."""
    if isinstance(node, sp.MatrixSymbol | sp.Symbol):
        return {node}
    if isinstance(node, sp.Identity | sp.OneMatrix | sp.ZeroMatrix):
        return set()
    return set().union(*(symbols(child) for child in children(node)))


def open_functions(node: Any) -> dict[str, OpenFunction]:
    """Each open function an expression applies, by name."""
    functions: dict[str, OpenFunction] = {node.name: node} if isinstance(node, OpenFunction) else {}
    for child in children(node):
        functions.update(open_functions(child))
    return functions


def rewrite(node: Any, change: Callable[[Any], Any]) -> Any:
    """Rebuild an expression bottom-up without evaluation; `change` returns a replacement or None."""
    if isinstance(node, OpenFunction):
        node = OpenFunction(node.args[0], rewrite(node.argument, change), node.args[2])
    elif isinstance(node, ElementwiseApplyFunction):
        node = ElementwiseApplyFunction(node.function, rewrite(node.expr, change))
    elif isinstance(node, sp.BlockMatrix):
        node = concatenate(*(rewrite(column, change) for column in children(node)))
    elif isinstance(node, sp.HadamardProduct | sp.MatAdd | sp.MatMul):
        node = type(node)(*(rewrite(argument, change) for argument in node.args), evaluate=False)
    elif not isinstance(node, sp.MatrixSymbol | sp.Identity | sp.OneMatrix | sp.ZeroMatrix) and node.args:
        node = node.func(*(rewrite(argument, change) for argument in node.args))
    replacement = change(node)
    return node if replacement is None else replacement


def shape_of(node: Any) -> tuple[Any, Any]:
    """(rows, columns), computed from the leaves up; (1, 1) for a scalar. Raises EquationError where shapes do not fit."""
    if not getattr(node, "is_Matrix", False):
        for child in children(node):
            shape_of(child)
        if isinstance(node, Dot):
            _same(node, [shape_of(child) for child in node.args])
        return (sp.S.One, sp.S.One)
    if isinstance(node, sp.MatrixSymbol | sp.Identity | sp.OneMatrix | sp.ZeroMatrix):
        return (node.shape[0], node.shape[1])
    if isinstance(node, OpenFunction):
        shape_of(node.argument)
        return node.shape
    shapes = [shape_of(child) for child in children(node)]
    if isinstance(node, sp.MatAdd | sp.HadamardProduct | Quotient):
        return _same(node, shapes)
    if isinstance(node, sp.Transpose):
        return (shapes[0][1], shapes[0][0])
    if isinstance(node, sp.BlockMatrix):
        return (sp.Add(*(rows for rows, _ in shapes)), shapes[0][1])
    if isinstance(node, sp.MatMul):
        matrices = [shape for shape, child in zip(shapes, node.args, strict=True) if getattr(child, "is_Matrix", False)]
        for (_, inner), (rows, _) in zip(matrices, matrices[1:], strict=False):
            if inner != rows:
                raise EquationError(f"in {node}: a matrix with {inner} columns meets {rows} rows")
        return (matrices[0][0], matrices[-1][1])
    if isinstance(node, ElementwiseApplyFunction):
        return shapes[0]
    raise EquationError(f"{node}: {type(node).__name__} is not understood; see rnnproof.equations.expressions for what is")


def _same(node: Any, shapes: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    for shape in shapes[1:]:
        if shape != shapes[0]:
            raise EquationError(f"in {node}: shapes {shapes[0]} and {shape} meet elementwise; they must be equal")
    return shapes[0]
