"""A NumPy expression of a generated module -> what it computes, as a value; the arrays it reads are read as they are now."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from types import EllipsisType
from typing import Any

from rnnproof.generation.numpy.operation_text import OWN
from rnnproof.generation.numpy.validation import array_operations
from rnnproof.generation.numpy.validation.memory import AFTER, BEFORE, START, Operand, View
from rnnproof.generation.numpy.validation.scope import Scope
from rnnproof.generation.numpy.validation.symbolic_values import ValidationError

OPERATORS: dict[type[ast.operator], str] = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}
_RELATIONS: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}

Arguments = list[ast.expr]
Keywords = dict[str, ast.expr]


class Expressions(Scope):
    """Evaluates the expressions of a function."""

    def operand(self, node: ast.expr, *, any_dtype: bool = False) -> Operand:
        """What an expression is as an operand; a view's value is what it holds now.

        `any_dtype` where its dtype does not count, as it is written into an array that has one.
        """
        bound = self.expression(node)
        if not isinstance(bound, (View, Operand)):
            raise ValidationError(f"{ast.unparse(node)} is no array")
        if self.place == "in" and "t" in bound.axes:
            raise ValidationError(f"reads all steps of {ast.unparse(node)} in the loop")
        if isinstance(bound, View):
            return Operand(bound.read(self.terms), bound.axes, view=bound)
        if bound.float64 and not any_dtype:
            raise ValidationError(f"{ast.unparse(node)} is float64 whatever the arguments are")
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

    def operand_or_number(self, node: ast.expr) -> Operand | float:
        number = self.number(node)
        return self.operand(node) if number is None else number

    def expression(self, node: ast.expr) -> Any:
        """A View, an Operand, a table, or a number of rows."""
        match node:
            case ast.Name(id=name):
                if name not in self.names:
                    raise ValidationError(f"reads {name}, which is not bound")
                return self.names[name]
            case ast.Attribute(value=ast.Name(id="packed"), attr="arrays" | "given" as table):
                return self.expression(ast.Name(f"packed.{table}"))
            case ast.Attribute(value=value, attr="T"):
                view = self.expression(value)
                if not isinstance(view, View) or len(view.axes) != 2:
                    raise ValidationError(f"{ast.unparse(node)} transposes what has not two axes")
                return view.swapped(0, 1)
            case ast.Subscript(value=value, slice=where):
                return self.part(self.expression(value), where)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return array_operations.matmul(self.terms, self.operand(left), self.operand(right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return self.ufunc(OPERATORS[type(op)], [left, right])
            case ast.Call(func=ast.Name(id=helper), args=args, keywords=[]):
                return self._helper(helper, args)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name), args=args, keywords=keywords):
                return self.numpy(name, args, {str(k.arg): k.value for k in keywords})
            case ast.Call(func=ast.Attribute(value=value, attr=method), args=args, keywords=keywords):
                return self._method(value, method, args, {str(k.arg): k.value for k in keywords})
        raise ValidationError(f"{ast.unparse(node)} is an expression the validation does not know")

    # parts

    def part(self, bound: Any, where: ast.expr) -> Any:
        """What stands in the brackets behind a table, a view or a parameter."""
        if isinstance(bound, View):
            return self._view(bound, where)
        if isinstance(bound, Operand):
            return self._parameter(bound, where)
        if isinstance(bound, dict) and isinstance(where, ast.Constant) and where.value in bound:
            return bound[where.value]
        raise ValidationError(f"there is no [{ast.unparse(where)}]")

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
                return view.part(*self.bounds(rows, view.rows))
            case ast.Tuple(elts=[ast.Slice() as steps, rows]) if time:
                inner = self._view(view, steps)
                return inner.part(*self.bounds(rows, view.rows))
            case ast.Slice() if view.axes == "rb" and view.array.writable:  # an initial state that is not given has no rows
                return view.part(*self.bounds(where, view.rows))
        raise ValidationError(f"[{ast.unparse(where)}] of {view.array.name} is a part the validation does not know")

    def _parameter(self, bound: Operand, where: ast.expr) -> Operand:
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
        start, stop = self.bounds(part, shape[axis])
        return Operand(self.terms.value(None, "slice", axis, start, stop, bound.value), bound.axes)

    def _swapped(self, bound: Any, first: int, second: int) -> Any:
        if isinstance(bound, View) and max(first, second) < len(bound.axes):
            return bound.swapped(first, second)
        if isinstance(bound, Operand) and bound.axes in ("p", "tp") and (first, second) == (-1, -2) and not bound.dropped:
            return Operand(self.terms.value(None, "transpose", bound.value), bound.axes)
        raise ValidationError("swaps axes that the validation does not know")

    # calls

    def ufunc(self, name: str, nodes: Arguments) -> Operand:
        return array_operations.ufunc(self.terms, name, [self.operand_or_number(node) for node in nodes])

    def numpy(self, name: str, args: Arguments, keywords: Keywords) -> Any:
        """A call of np.`name`, without `out`."""
        call, count, due = _CALLS.get(name, (None, len(args), set()))
        if len(args) != count or keywords.keys() != due:
            raise ValidationError(f"np.{name} with other arguments than the validation knows")
        return call(self, args, keywords) if call else self.ufunc(name, args)

    def _helper(self, name: str, args: Arguments) -> Operand:
        if name.removeprefix("_") in OWN and name not in self.names and len(args) == 1:
            return self.ufunc(name.removeprefix("_"), args)
        if name in self.names or [ast.unparse(arg) for arg in args[1:]] != (["steps", "batch"] if name == "_sequence" else []):
            raise ValidationError(f"{name} with other arguments than it takes")
        return array_operations.helper(self.terms, name, self.operand(args[0]))

    def _method(self, value: ast.expr, method: str, args: Arguments, keywords: Keywords) -> Any:
        numbers = [self.number(arg) for arg in args]
        match method, numbers, sorted(keywords):
            case "swapaxes", [float(first), float(second)], []:
                return self._swapped(self.expression(value), int(first), int(second))
            case "reshape", _, []:
                return self._column(value, args)
            case "copy", [], []:
                return replace(self.operand(value), view=None, base=None)
            case "astype", [None], [] if _tested(value) + ".dtype" == ast.unparse(args[0]):
                return replace(self.operand(value, any_dtype=True), float64=False)
            case "sum", [], ["axis"] | ["axis", "keepdims"]:
                return self._sum([value], keywords)
        raise ValidationError(f".{method} with arguments that the validation does not know")

    def _column(self, value: ast.expr, args: Arguments) -> Operand:
        """A parameter as it is given, with axes of length 1 behind its own until there are two."""
        operand, text = self.expression(value), ast.unparse(value)
        if not isinstance(operand, Operand) or [*map(ast.unparse, args)] != [f"*{text}.shape", *["1"] * operand.dropped]:
            raise ValidationError(f"{text} is reshaped to {', '.join(map(ast.unparse, args))}")
        return replace(operand, dropped=0)

    def _empty(self, args: Arguments, _: Keywords) -> View:
        return self.allocate(args[0], args[1])

    def _zeros(self, args: Arguments, _: Keywords) -> View:
        view = self.allocate(args[0], args[1])
        for time in view.array.contents:
            view.array.fill(time, self.terms.zeros(view.rows))
        return view

    def _zeros_like(self, args: Arguments, _: Keywords) -> Operand:
        like = self.expression(args[0])
        if not isinstance(like, Operand):
            raise ValidationError(f"zeros like {ast.unparse(args[0])}, which is no parameter")
        return replace(like, value=self.terms.value(None, "zeros_like", like.value))

    def _full(self, args: Arguments, _: Keywords) -> Operand:
        self.typed(args[2])
        if len(self.items(args[0])) == 3:
            spread, view = self.operand(args[1]), self.allocate(args[0], args[2])
            if START in view.array.contents:
                raise ValidationError("fills an array with one step more than the others")
            if spread.axes not in ("p", "tp") or self.terms.shapes[spread.value[0][0]] != (view.rows, 1):
                raise ValidationError(f"fills an array with {ast.unparse(args[1])}, which is no column of its height")
            return Operand(spread.value, view.axes)
        rows, columns = (self.extent(item) for item in self.items(args[0]))
        return Operand(self.terms.value(None, "full", rows, columns, self.number(args[1])), "p")

    def _full_like(self, args: Arguments, _: Keywords) -> Operand:
        like = self.operand(args[0])
        return Operand(self.terms.uniform(self.terms.rows(like.value), "fill", self.number(args[1])), like.axes)

    def _eye(self, args: Arguments, keywords: Keywords) -> Operand:
        self.typed(keywords["dtype"])
        return Operand(self.terms.value(None, "eye", self.extent(args[0])), "p")

    def _repeat(self, args: Arguments, keywords: Keywords) -> Operand:
        operand = self.operand(args[0])
        if ast.unparse(keywords["axis"]) != "-2" or operand.axes not in ("trb", "p", "tp"):
            raise ValidationError(f"repeats an array with axes {operand.axes}")
        return Operand(array_operations.repeated(self.terms, operand.value, self.extent(args[1])), operand.axes)

    def _concatenate(self, args: Arguments, keywords: Keywords) -> Operand:
        operands = [self.operand(item) for item in self.items(args[0])]
        return array_operations.concatenate(self.terms, operands, ast.unparse(keywords["axis"]))

    def _pad(self, args: Arguments, _: Keywords) -> Operand:
        pads = [tuple(self.extent(end) for end in self.items(pair)) for pair in self.items(args[1])]
        return array_operations.pad(self.terms, self.operand(args[0]), pads)

    def _where(self, args: Arguments, _: Keywords) -> Operand:
        match args[0]:
            case ast.Compare(left=tested, ops=[relation], comparators=[limit]) if type(relation) in _RELATIONS:
                threshold = self.number(limit)
                if threshold is not None:
                    branches = [self.operand_or_number(node) for node in args[1:]]
                    return array_operations.where(
                        self.terms, _RELATIONS[type(relation)], threshold, self.operand(tested), branches
                    )
        raise ValidationError(f"np.where({ast.unparse(args[0])}, ...) is a choice the validation does not know")

    def _matmul(self, args: Arguments, _: Keywords) -> Operand:
        return array_operations.matmul(self.terms, self.operand(args[0]), self.operand(args[1]))

    def _sum(self, args: Arguments, keywords: Keywords) -> Operand:
        keepdims = "keepdims" in keywords and ast.unparse(keywords["keepdims"]) == "True"
        return array_operations.summed(self.terms, self.operand(args[0]), ast.unparse(keywords["axis"]), keepdims)


def _tested(node: ast.expr) -> str:
    """The array that decides a choice between two numbers, whose dtype that has to take."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr="where"), args=[ast.Compare(left=tested), *_]):
            return ast.unparse(tested)
    raise ValidationError(f"{ast.unparse(node)} is given another dtype")


# What a call may have: so many arguments, and just these keywords.
_CALLS: dict[str, tuple[Callable[[Expressions, Arguments, Keywords], Any], int, set[str]]] = {
    "empty": (Expressions._empty, 2, set()),
    "zeros": (Expressions._zeros, 2, set()),
    "zeros_like": (Expressions._zeros_like, 1, set()),
    "full": (Expressions._full, 3, set()),
    "full_like": (Expressions._full_like, 2, set()),
    "eye": (Expressions._eye, 1, {"dtype"}),
    "repeat": (Expressions._repeat, 2, {"axis"}),
    "concatenate": (Expressions._concatenate, 1, {"axis"}),
    "pad": (Expressions._pad, 2, set()),
    "where": (Expressions._where, 3, set()),
    "matmul": (Expressions._matmul, 2, set()),
    "sum": (Expressions._sum, 1, {"axis", "keepdims"}),
}
