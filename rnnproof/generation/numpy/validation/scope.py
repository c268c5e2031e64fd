"""The names of a generated function, and the numbers of rows and shapes that are written with them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from rnnproof.generation.numpy.validation.memory import Array, View
from rnnproof.generation.numpy.validation.symbolic_values import Terms, ValidationError


class Scope:
    """Names: views and operands, row numbers, and tables of them by key (`tape["x"]`).

    `place` says where execution is: "ahead of" the loop, "in" it or "after" it.
    """

    def __init__(self, terms: Terms, names: Mapping[str, Any]) -> None:
        self.terms = terms
        self.names: dict[str, Any] = dict(names)
        self.place = "ahead of"

    def extent(self, node: ast.expr) -> int:
        """A number of rows, such as 2 * n_hidden."""
        match node:
            case ast.Constant(value=int(number)):
                return number
            case ast.Name(id=name) if isinstance(self.names.get(name), int):
                return int(self.names[name])
            case ast.Subscript(value=ast.Name(id="sizes"), slice=ast.Constant(value=str(size))) if "sizes" in self.names:
                return self.terms.extents.named(size)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return self.extent(left) * self.extent(right)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.extent(left) + self.extent(right)
        raise ValidationError(f"{ast.unparse(node)} is no number of rows")

    def bounds(self, where: ast.expr, length: int) -> tuple[int, int]:
        """start:stop of so many rows."""
        if not isinstance(where, ast.Slice) or where.step is not None:
            raise ValidationError(f"[{ast.unparse(where)}] is no range of rows")
        return self.extent(where.lower) if where.lower else 0, self.extent(where.upper) if where.upper else length

    def allocate(self, shape: ast.expr, dtype: ast.expr) -> View:
        """An array of the function's own, (steps, n_hidden, batch) say, which has no name yet."""
        if not self.names.keys() >= {"steps", "batch"}:
            raise ValidationError("makes an array before steps and batch are known")
        self.typed(dtype)
        axes, rows, states = "", 1, False
        for item in self.items(shape):
            match item:
                case ast.Name(id="steps"):
                    axes += "t"
                case ast.BinOp(left=ast.Name(id="steps"), op=ast.Add(), right=ast.Constant(value=1)):
                    axes, states = axes + "t", True
                case ast.Name(id="batch"):
                    axes += "b"
                case _:
                    axes, rows = axes + "r", self.extent(item)
        if axes.count("r") != 1 or "b" not in axes:
            raise ValidationError(f"{ast.unparse(shape)} is no shape of an array of steps, rows and batch")
        return View.whole(Array.empty("", axes, rows, states))

    def typed(self, dtype: ast.expr) -> None:
        """A new array has the common dtype of the arguments."""
        if "dtype" not in self.names or not (isinstance(dtype, ast.Name) and dtype.id == "dtype"):
            raise ValidationError("makes an array that is not of the arguments' dtype")

    def items(self, node: ast.expr) -> list[ast.expr]:
        """What a tuple or list holds."""
        if not isinstance(node, (ast.Tuple, ast.List)):
            raise ValidationError(f"{ast.unparse(node)} should be written out item by item")
        return node.elts

    def number(self, node: ast.expr) -> float | None:
        """A literal number, or None."""
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -float(number)
        return None
