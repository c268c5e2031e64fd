"""A NumPy expression of a generated module -> what it computes, as a value; the arrays it reads are read as they are now."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import EllipsisType
from typing import Any

from rnnproof.generation.validation.meaning import elementwise
from rnnproof.generation.validation.memory import AFTER, BEFORE, START, Array, Operand, View
from rnnproof.generation.validation.terms import Terms, ValidationError, Value

OPERATORS: dict[type[ast.operator], str] = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}
_RELATIONS: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


class Scope:
    """The names of a function: views and operands, row numbers, and tables of them by key (`tape["x"]`)."""

    def __init__(self, terms: Terms, names: Mapping[str, Any]) -> None:
        self.terms = terms
        self.names: dict[str, Any] = dict(names)
        self.place = "ahead of"  # the loop; "in" it, "after" it

    # numbers of rows and shapes

    def extent(self, node: ast.expr) -> int:
        """A number of rows, such as 2 * n_hidden."""
        match node:
            case ast.Constant(value=int(number)):
                return number
            case ast.Name(id=name) if isinstance(self.names.get(name), int):
                return int(self.names[name])
            case ast.Subscript(value=ast.Name(id="sizes"), slice=ast.Constant(value=str(size))):
                return self.terms.extents.named(size)
            case ast.Subscript(value=ast.Name(id="sizes"), slice=ast.Name(id="INPUT")):
                return int(self.names["INPUT"])
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return self.extent(left) * self.extent(right)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.extent(left) + self.extent(right)
        raise ValidationError(f"{ast.unparse(node)} is no number of rows")

    def shape(self, node: ast.expr) -> tuple[str, int, bool]:
        """(axes, rows, whether there is one step more, as a state's array has) of (steps, n_hidden, batch)."""
        axes, rows, states = "", 1, False
        for item in self.items(node):
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
            raise ValidationError(f"{ast.unparse(node)} is no shape of an array of steps, rows and batch")
        return axes, rows, states

    def items(self, node: ast.expr) -> list[ast.expr]:
        if not isinstance(node, (ast.Tuple, ast.List)):
            raise ValidationError(f"{ast.unparse(node)} should be written out item by item")
        return node.elts

    # operands

    def number(self, node: ast.expr) -> float | None:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -float(number)
        return None

    def operand(self, node: ast.expr) -> Operand:
        """What an expression is; a view's value is what it holds now."""
        bound = self.expression(node)
        if self.place == "in" and isinstance(bound, (View, Operand)) and "t" in bound.axes:
            raise ValidationError(f"reads all steps of {ast.unparse(node)} in the loop")
        if isinstance(bound, View):
            return Operand(bound.read(self.terms), bound.axes, view=bound)
        if not isinstance(bound, Operand):
            raise ValidationError(f"{ast.unparse(node)} is no array")
        if bound.dropped:
            raise ValidationError(f"{ast.unparse(node)} lacks {bound.dropped} axes of length 1")
        if bound.base is not None:
            taken, now = self.terms.keys[bound.value[0][0]][1], bound.base.read(self.terms)
            if now != taken:
                raise ValidationError(
                    f"reads {ast.unparse(node)}, which may be a view of {bound.base.array.name}: it was taken of "
                    f"{self.terms.describe(taken)}, and {bound.base.array.name} now holds {self.terms.describe(now)}"
                )
        return bound

    def expression(self, node: ast.expr) -> Any:
        """A View, an Operand or a table."""
        match node:
            case ast.Name(id=name):
                if name not in self.names:
                    raise ValidationError(f"reads {name}, which is not bound")
                return self.names[name]
            case ast.Attribute(value=ast.Name(id="packed"), attr="arrays" | "given" as table):
                return self.names[f"packed.{table}"]
            case ast.Attribute(value=value, attr="T"):
                return self._swapped(self.expression(value), 0, 1)
            case ast.Subscript(value=value, slice=where):
                return self._subscript(self.expression(value), where)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self.matmul(self.operand(left), self.operand(right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return self.ufunc(OPERATORS[type(op)], [left, right])
            case ast.Call(func=ast.Name(id=helper), args=args):
                return self._helper(helper, args)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name), args=args, keywords=keywords):
                return self.numpy(name, args, {str(k.arg): k.value for k in keywords})
            case ast.Call(func=ast.Attribute(value=value, attr=method), args=args, keywords=keywords):
                return self._method(value, method, args, {str(k.arg): k.value for k in keywords})
        raise ValidationError(f"{ast.unparse(node)} is an expression the validation does not know")

    def _subscript(self, bound: Any, where: ast.expr) -> Any:
        if isinstance(bound, dict) and isinstance(where, ast.Constant):
            if where.value not in bound:
                raise ValidationError(f"asks for {where.value!r}, which is not there")
            return bound[where.value]
        if isinstance(bound, View):
            return self._view(bound, where)
        if isinstance(bound, Operand):
            return self._parameter_part(bound, where)
        raise ValidationError(f"[{ast.unparse(where)}] of what has no parts")

    def _view(self, view: View, where: ast.expr) -> View:
        """h_seq[0], h_seq[:-1] and h_seq[1:] of a state's array; rows of any array."""
        time = START in view.array.contents and not view.time and view.axes[0] == "t"
        match where:
            case ast.Constant(value=0) if time:
                return replace(view, time=START, axes=view.axes[1:])
            case ast.Slice(lower=None, upper=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)), step=None) if time:
                return replace(view, time=BEFORE)
            case ast.Slice(lower=ast.Constant(value=1), upper=None, step=None) if time:
                return replace(view, time=AFTER)
            case ast.Tuple(elts=[ast.Slice(lower=None, upper=None, step=None), rows]) if view.axes == "trb":
                return self._rows(view, rows)
            case ast.Slice() if view.axes == "rb":
                return self._rows(view, where)
        raise ValidationError(f"[{ast.unparse(where)}] of {view.array.name} is a part the validation does not know")

    def _rows(self, view: View, where: ast.expr) -> View:
        start, stop = self._bounds(where, view.rows)
        return view.part(start, stop)

    def _bounds(self, where: ast.expr, length: int) -> tuple[int, int]:
        if not isinstance(where, ast.Slice) or where.step is not None:
            raise ValidationError(f"[{ast.unparse(where)}] is no range of rows")
        start = self.extent(where.lower) if where.lower else 0
        return start, self.extent(where.upper) if where.upper else length

    def _parameter_part(self, bound: Operand, where: ast.expr) -> Operand:
        """[..., a:b, :] some rows, [..., a:b] some columns, [..., 0] without its last axis."""
        match where:
            case ast.Tuple(elts=[ast.Constant(value=EllipsisType()), ast.Constant(value=0)]) if bound.axes in ("p", "tp"):
                return replace(bound, dropped=bound.dropped + 1)
            case ast.Tuple(elts=[ast.Constant(value=EllipsisType()), columns]):
                axis, part = 1, columns
            case ast.Tuple(elts=[ast.Constant(value=EllipsisType()), rows, ast.Slice(lower=None, upper=None, step=None)]):
                axis, part = 0, rows
            case _:
                raise ValidationError(f"[{ast.unparse(where)}] is a part the validation does not know")
        shape = self.terms.shapes[bound.value[0][0]]
        if bound.axes not in ("p", "tp") or bound.dropped or shape is None:
            raise ValidationError(f"[{ast.unparse(where)}] of what is no matrix of the Program")
        start, stop = self._bounds(part, shape[axis])
        return Operand(self.terms.value(None, "slice", axis, start, stop, bound.value), bound.axes)

    def _swapped(self, bound: Any, first: int, second: int) -> Any:
        if isinstance(bound, View):
            return bound.swapped(first, second)
        if isinstance(bound, Operand) and bound.axes in ("p", "tp") and (first, second) == (-1, -2):
            return Operand(self.terms.value(None, "transpose", bound.value), bound.axes)
        raise ValidationError("swaps axes that the validation does not know")

    # what computes

    def ufunc(self, name: str, nodes: list[ast.expr]) -> Operand:
        """A function of NumPy, entry by entry, of arrays and numbers."""
        numbers = [self.number(node) for node in nodes]
        arrays = {at: self.operand(node) for at, node in enumerate(nodes) if numbers[at] is None}
        operands = [number if number is not None else arrays[at].value for at, number in enumerate(numbers)]
        rows = [self.terms.rows(array.value) for array in arrays.values()]
        shape = (next((count for count in rows if count != 1), 1), 1)
        key = elementwise(name, operands)
        known = self.terms.shapes[self.terms.term(*key)]
        return Operand(self.terms.value(known or shape, *key), self._common(list(arrays.values())))

    def _common(self, arrays: list[Operand]) -> str:
        """The axes of an elementwise result; steps are not mixed with whole sequences."""
        axes = {array.axes for array in arrays}
        for result, allowed in (("rb", {"rb", "p"}), ("trb", {"trb", "p", "tp"}), ("tp", {"tp", "p"}), ("p", {"p"})):
            if result in axes and axes <= allowed:
                return result
        raise ValidationError(f"arrays with axes {' and '.join(sorted(axes))} meet")

    def matmul(self, left: Operand, right: Operand) -> Operand:
        axes = _PRODUCTS.get((left.axes, right.axes))
        if axes is None:
            raise ValidationError(f"a product of arrays with axes {left.axes} and {right.axes}")
        if right.axes == "tbr":
            return Operand(self.terms.value(None, "batch_total", left.value, right.value), axes)
        return Operand(self.terms.value(None, "matmul", left.value, right.value), axes)

    def numpy(self, name: str, args: list[ast.expr], keywords: dict[str, ast.expr]) -> Any:
        """A call of np.`name` that makes an array."""
        if name in _ALLOCATIONS or name in _CALLS:
            return _ALLOCATIONS[name](self, args) if name in _ALLOCATIONS else _CALLS[name](self, args, keywords)
        if keywords:
            raise ValidationError(f"np.{name} with {', '.join(keywords)}")
        return self.ufunc(name, args)

    def _helper(self, helper: str, args: list[ast.expr]) -> Operand:
        """A helper of the template."""
        operand = self.operand(args[0])
        if helper == "_erf" and operand.axes in ("rb", "trb", "p", "tp"):
            return Operand(self.terms.value(None, "erf", operand.value), operand.axes)
        if helper == "_total" and operand.axes in ("trb", "tp"):
            return Operand(self.terms.value(None, "total", "all", operand.value), "p")
        if helper in ("_rows", "_columns") and operand.axes == "trb":
            value = self.terms.value(None, helper[1:], operand.value)
            return Operand(value, "rf" if helper == "_rows" else "fr", base=operand.view)
        if helper == "_sequence" and operand.axes == "rf" and [ast.unparse(arg) for arg in args[1:]] == ["steps", "batch"]:
            product, *factors = self.terms.keys[operand.value[0][0]]
            if product == "matmul" and self.terms.keys[factors[1][0][0]][0] == "rows":
                sequence = self.terms.keys[factors[1][0][0]][1]
                return Operand(self.terms.value(None, "matmul", factors[0], sequence), "trb")
        raise ValidationError(f"{helper} of an array with axes {operand.axes}")

    def _method(self, value: ast.expr, method: str, args: list[ast.expr], keywords: dict[str, ast.expr]) -> Any:
        if method == "swapaxes" and len(args) == 2:
            first, second = (int(self.number(arg) or 0) for arg in args)
            return self._swapped(self.expression(value), first, second)
        if method == "reshape":
            return self._column(value, args)
        operand = self.operand(value)
        if method in ("copy", "astype"):
            return replace(operand, view=None, base=None)
        if method == "sum":
            return self._sum(operand, keywords)
        raise ValidationError(f".{method} is a method the validation does not know")

    def _column(self, value: ast.expr, args: list[ast.expr]) -> Operand:
        """A parameter as it is given, with axes of length 1 behind its own until there are two."""
        given = self.expression(value)
        if not isinstance(given, Operand) or [*map(ast.unparse, args)] != [
            f"*{ast.unparse(value)}.shape",
            *["1"] * given.dropped,
        ]:
            raise ValidationError(f"{ast.unparse(value)} is reshaped to {', '.join(map(ast.unparse, args))}")
        return replace(given, dropped=0)

    def _sum(self, operand: Operand, keywords: dict[str, ast.expr]) -> Operand:
        axis = ast.unparse(keywords["axis"])
        kept = "keepdims" in keywords
        if (axis, kept) == ("0", False) and operand.axes == "tp":
            return Operand(self.terms.value(None, "total", "steps", operand.value), "p")
        if (axis, kept) == ("2", True) and operand.axes == "trb":
            return Operand(self.terms.value(None, "total", "batch", operand.value), "tp")
        if (axis, kept, operand.axes) in (("0", True, "rb"), ("-2", True, "trb"), ("-2", True, "p"), ("-2", True, "tp")):
            return Operand(self.terms.value(None, "sum", 1, operand.value), operand.axes)
        if (axis, kept) == ("(-2, -1)", True) and operand.axes in ("p", "tp"):
            return Operand(self.terms.value(None, "sum", 2, operand.value), operand.axes)
        raise ValidationError(f"a sum over axis {axis} of an array with axes {operand.axes}")

    # calls of NumPy

    def allocate(self, args: list[ast.expr], name: str = "") -> View:
        axes, rows, states = self.shape(args[0])
        return View.whole(Array.empty(name, axes, rows, states))

    def _zeros(self, args: list[ast.expr]) -> View:
        view = self.allocate(args)
        for time in view.array.contents:
            view.array.fill(time, self.terms.zeros(view.rows))
        return view

    def _zeros_like(self, args: list[ast.expr]) -> Operand:
        like = self.expression(args[0])
        if not isinstance(like, Operand):
            raise ValidationError(f"zeros like {ast.unparse(args[0])}, which is no parameter")
        return replace(like, value=self.terms.value(None, "zeros_like", like.value))

    def _full(self, args: list[ast.expr]) -> Operand:
        rows, columns = (self.extent(item) for item in self.items(args[0]))
        return Operand(self.terms.value(None, "full", rows, columns, self.number(args[1])), "p")

    def _eye(self, args: list[ast.expr], _: dict[str, ast.expr]) -> Operand:
        return Operand(self.terms.value(None, "eye", self.extent(args[0])), "p")

    def _full_like(self, args: list[ast.expr], _: dict[str, ast.expr]) -> Operand:
        like = self.operand(args[0])
        return Operand(self.terms.uniform(self.terms.rows(like.value), "fill", self.number(args[1])), like.axes)

    def _repeat(self, args: list[ast.expr], keywords: dict[str, ast.expr]) -> Operand:
        operand = self.operand(args[0])
        if ast.unparse(keywords["axis"]) != "-2" or operand.axes not in ("trb", "p", "tp"):
            raise ValidationError(f"repeats an array with axes {operand.axes}")
        return Operand(self.repeated(operand.value, self.extent(args[1])), operand.axes)

    def repeated(self, scalar: Value, rows: int) -> Value:
        """A scalar in every one of some rows."""
        return scalar if rows == 1 else self.terms.uniform(rows, "repeat", scalar)

    def _concatenate(self, args: list[ast.expr], keywords: dict[str, ast.expr]) -> Operand:
        operands = [self.operand(item) for item in self.items(args[0])]
        axis = ast.unparse(keywords["axis"])
        axes = {operand.axes for operand in operands}
        if axis == "1" and axes == {"trb"}:
            return Operand(self.terms.join(segment for operand in operands for segment in operand.value), "trb")
        if axis in ("-1", "-2") and axes in ({"p"}, {"tp"}):
            key = ("concat", 0 if axis == "-2" else 1, *(operand.value for operand in operands))
            return Operand(self.terms.value(None, *key), axes.pop())
        raise ValidationError(f"a concatenation along axis {axis} of arrays with axes {' and '.join(sorted(axes))}")

    def _pad(self, args: list[ast.expr], _: dict[str, ast.expr]) -> Operand:
        operand = self.operand(args[0])
        pads = [tuple(self.extent(end) for end in self.items(pair)) for pair in self.items(args[1])]
        if operand.axes == "trb" and len(pads) == 3 and pads[0] == pads[2] == (0, 0):
            before, after = pads[1]
            return Operand(self.terms.join((*self.terms.zeros(before), *operand.value, *self.terms.zeros(after))), "trb")
        lead = [(0, 0)] if operand.axes == "tp" else []
        if operand.axes in ("p", "tp") and len(pads) == len(lead) + 2 and pads[: len(lead)] == lead:
            rows, columns = pads[-2:]
            if columns == (0, 0) or rows == (0, 0):
                axis, (before, after) = (0, rows) if columns == (0, 0) else (1, columns)
                return Operand(self.terms.value(None, "pad", axis, before, after, operand.value), operand.axes)
        raise ValidationError(f"pads an array with axes {operand.axes} by {ast.unparse(args[1])}")

    def _where(self, args: list[ast.expr], _: dict[str, ast.expr]) -> Operand:
        match args[0]:
            case ast.Compare(left=tested, ops=[relation], comparators=[threshold]) if type(relation) in _RELATIONS:
                arrays = [self.operand(tested)]
                branches: list[Value | float] = []
                for node in args[1:]:
                    number = self.number(node)
                    if number is None:
                        arrays.append(self.operand(node))
                    branches.append(arrays[-1].value if number is None else number)
                key = ("where", _RELATIONS[type(relation)], self.number(threshold), arrays[0].value, *branches)
                known = self.terms.shapes[self.terms.term(*key)]
                value = self.terms.value(known or (self.terms.rows(arrays[0].value), 1), *key)
                return Operand(value, self._common(arrays))
        raise ValidationError(f"np.where({ast.unparse(args[0])}, ...) is a choice the validation does not know")

    def _matmul(self, args: list[ast.expr], _: dict[str, ast.expr]) -> Operand:
        return self.matmul(self.operand(args[0]), self.operand(args[1]))

    def _sum_call(self, args: list[ast.expr], keywords: dict[str, ast.expr]) -> Operand:
        return self._sum(self.operand(args[0]), keywords)


_ALLOCATIONS: dict[str, Callable[[Scope, list[ast.expr]], Any]] = {
    "empty": Scope.allocate,
    "zeros": Scope._zeros,
    "zeros_like": Scope._zeros_like,
    "full": Scope._full,
}
_CALLS: dict[str, Callable[[Scope, list[ast.expr], dict[str, ast.expr]], Operand]] = {
    "matmul": Scope._matmul,
    "sum": Scope._sum_call,
    "where": Scope._where,
    "concatenate": Scope._concatenate,
    "pad": Scope._pad,
    "repeat": Scope._repeat,
    "full_like": Scope._full_like,
    "eye": Scope._eye,
}
_PRODUCTS = {
    ("p", "rb"): "rb",
    ("p", "trb"): "trb",
    ("tp", "trb"): "trb",
    ("p", "p"): "p",
    ("p", "tp"): "tp",
    ("tp", "p"): "tp",
    ("tp", "tp"): "tp",
    ("p", "rf"): "rf",
    ("rf", "fr"): "p",
    ("trb", "tbr"): "tp",
}
