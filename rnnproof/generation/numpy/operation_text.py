"""Operations as NumPy text: a row for each, inside the loop (into a given array) and as an expression (a new array)."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from rnnproof.calculus.adjoint_operations import Pad
from rnnproof.calculus.operations import Concat, Constant, Identity, Slice
from rnnproof.calculus.program import Step
from rnnproof.calculus.variables import Var
from rnnproof.generation.lowered import Fill, Repeat, Select, Ufunc
from rnnproof.generation.numpy.names import bounds, number, size_text
from rnnproof.generation.storage import Layout, rows_of

# Functions of one array, entry by entry and with `out`, that NumPy lacks; each has its text in the template.
OWN = ("sigmoid",)

_OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


def _function(name: str) -> str:
    """NumPy's function of that name, or the module's own."""
    return f"_{name}" if name in OWN else f"np.{name}"


def _operands(op: Ufunc | Select, args: list[str]) -> list[str]:
    return [args[operand] if isinstance(operand, int) else number(operand) for operand in op.operands]


def _select(op: Select, args: list[str]) -> str:
    return f"np.where({args[0]} {op.relation} {number(op.threshold)}, {', '.join(_operands(op, args))})"


def _selected(step: Step, args: list[str]) -> str:
    """A new array; where both values are numbers NumPy would make it float64."""
    op = step.as_op(Select)
    numbers = not any(isinstance(operand, int) for operand in op.operands)
    return f"{_select(op, args)}.astype({args[0]}.dtype)" if numbers else _select(op, args)


def _same(step: Step, layout: Layout, position: int) -> bool:
    operand = step.as_op(Ufunc).operands[position]
    return isinstance(operand, int) and layout.regions.get(step.args[operand]) == layout.regions[step.target]


def _ufunc(step: Step, args: list[str], out: str, layout: Layout) -> list[str]:
    op = step.as_op(Ufunc)
    name, operands = op.function, _operands(op, args)
    if name in _OPERATORS and _same(step, layout, 0):
        return [f"{out} {_OPERATORS[name]}= {operands[1]}"]
    if name in ("add", "multiply") and _same(step, layout, 1):
        return [f"{out} {_OPERATORS[name]}= {operands[0]}"]
    return [f"{_function(name)}({', '.join(operands)}, out={out})"]


def _stack(step: Step, args: list[str], out: str, layout: Layout) -> list[str]:
    """Copies only the parts that could not be written in place."""
    lines, start = [], sp.S.Zero
    region = layout.regions[step.target]
    for arg, text in zip(step.args, args, strict=True):
        stop = start + rows_of(arg)
        if layout.regions.get(arg) != region.part(start, stop):
            lines.append(f"{out}[{bounds(start, stop, rows_of(step.target))}] = {text}")
        start = stop
    return lines


def _padded(step: Step, args: list[str], out: str, layout: Layout) -> list[str]:
    start = step.as_op(Pad).start
    stop = sp.expand(start + rows_of(step.args[0]))
    return [f"{out}.fill(0)", f"{out}[{bounds(start, stop, rows_of(step.target))}] = {args[0]}"]


IN_LOOP: dict[str, Callable[[Step, list[str], str, Layout], list[str]]] = {
    "matmul": lambda step, args, out, layout: [f"np.matmul({args[0]}, {args[1]}, out={out})"],
    "ufunc": _ufunc,
    "select": lambda step, args, out, layout: [f"{out}[...] = {_select(step.as_op(Select), args)}"],
    "erf": lambda step, args, out, layout: [f"{out}[...] = _erf({args[0]})"],
    "normal": lambda step, args, out, layout: [f"{out}[...] = _normal({args[0]})"],
    "fill": lambda step, args, out, layout: [f"{out}.fill({number(step.as_op(Fill).number)})"],
    "repeat": lambda step, args, out, layout: [f"np.multiply({args[0]}, {number(step.as_op(Repeat).number)}, out={out})"],
    "copy": lambda step, args, out, layout: [f"{out}[...] = {args[0]}"],
    "spread": lambda step, args, out, layout: [f"{out}[...] = {args[0]}"],
    "sum": lambda step, args, out, layout: [f"np.sum({args[0]}, axis=0, keepdims=True, out={out})"],
    "concat": _stack,
    "pad": _padded,
}


def in_place(step: Step, args: list[str], out: str, layout: Layout) -> list[str]:
    """A step over all steps at once that overwrites its argument."""
    if isinstance(step.op, Ufunc) and any(_same(step, layout, p) for p in range(len(step.op.operands))):
        return _ufunc(step, args, out, layout)
    return []


def _ufunc_text(step: Step, args: list[str]) -> str:
    op = step.as_op(Ufunc)
    name, operands = op.function, _operands(op, args)
    if name in _OPERATORS:
        return f"{operands[0]} {_OPERATORS[name]} {operands[1]}"
    return f"{_function(name)}({', '.join(operands)})"


def _slice_text(step: Step, args: list[str]) -> str:
    op = step.as_op(Slice)
    return f"{args[0]}[..., {bounds(op.start, op.stop, step.args[0].shape[op.axis])}{', :' if op.axis == 0 else ''}]"


def _reduce_sum_text(step: Step, args: list[str]) -> str:
    """Sum over the batch, and over the steps unless the result has a value for each."""
    var, target = step.args[0], step.target
    if len(var.shape) == 2:
        return f"{args[0]}.sum(axis=0)"
    return f"{args[0]}.sum(axis=2, keepdims=True)" if target.per_step else f"_total({args[0]})"


def _constant_text(step: Step, args: list[str]) -> str:
    op = step.as_op(Constant)
    rows, columns = (*map(size_text, op.extents), "1", "1")[:2]
    return f"np.full(({rows}, {columns}), {number(op.number)}, dtype)"


def _concat_text(step: Step, args: list[str]) -> str:
    if step.target.per_sample:
        return f"np.concatenate([{', '.join(args)}], axis=1)"
    return f"np.concatenate([{', '.join(args)}], axis={-2 if step.as_op(Concat).axis == 0 else -1})"


def _pad_text(step: Step, args: list[str]) -> str:
    op = step.as_op(Pad)
    axis, stop = op.axis, sp.expand(op.start + step.args[0].shape[op.axis])
    pads = f"({size_text(op.start)}, {size_text(sp.expand(op.extent - stop))})"
    lead = "(0, 0), " if step.args[0].per_step else ""
    return f"np.pad({args[0]}, ({lead}{pads + ', (0, 0)' if axis == 0 else '(0, 0), ' + pads}))"


def _repeat_text(step: Step, args: list[str]) -> str:
    op = step.as_op(Repeat)
    return f"np.repeat({args[0]} * {number(op.number)}, {size_text(op.rows)}, axis=-2)"


_EXPRESSIONS: dict[str, Callable[[Step, list[str]], str]] = {
    "matmul": lambda step, args: f"{args[0]} @ {args[1]}",
    "ufunc": _ufunc_text,
    "select": _selected,
    "erf": lambda step, args: f"_erf({args[0]})",
    "normal": lambda step, args: f"_normal({args[0]})",
    "fill": lambda step, args: f"np.full_like({args[0]}, {number(step.as_op(Fill).number)})",
    "repeat": _repeat_text,
    "copy": lambda step, args: f"{args[0]}.copy()",
    "spread": lambda step, args: f"np.full((steps, {size_text(rows_of(step.target))}, batch), {args[0]}, dtype)",
    "sum": lambda step, args: f"{args[0]}.sum(axis={'(-2, -1)' if len(step.args[0].shape) == 2 else '-2'}, keepdims=True)",
    "concat": _concat_text,
    "slice": _slice_text,
    "pad": _pad_text,
    "transpose": lambda step, args: f"{args[0]}.swapaxes(-1, -2)",
    "reduce_sum": _reduce_sum_text,
    "outer": lambda step, args: f"{args[0]} @ {args[1]}.swapaxes(-1, -2)",
    "rows": lambda step, args: f"_rows({args[0]})",
    "columns": lambda step, args: f"_columns({args[0]})",
    "outer_sum": lambda step, args: f"np.matmul({args[0]}, {args[1]}.swapaxes(1, 2))",
    "constant": _constant_text,
    "identity": lambda step, args: f"np.eye({size_text(step.as_op(Identity).size)}, dtype=dtype)",
}


def expression(step: Step, text: Callable[[Var], str]) -> str:
    """The step as an expression that makes a new array."""
    return _EXPRESSIONS[step.op.name](step, [text(arg) for arg in step.args])
