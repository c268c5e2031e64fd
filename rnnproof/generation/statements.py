"""Operations as NumPy text: a row for each, inside the loop (into a given array) and as an expression (a new array)."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from rnnproof.derivation.program import Step, Var
from rnnproof.generation.storage import Layout, rows_of
from rnnproof.generation.words import bounds, number, size_text

# Functions of one array, entry by entry and with `out`, that NumPy lacks; each has its text in the template.
OWN = ("sigmoid",)

_OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


def _function(name: str) -> str:
    """NumPy's function of that name, or the module's own."""
    return f"_{name}" if name in OWN else f"np.{name}"


def _operands(step: Step, args: list[str]) -> list[str]:
    return [args[item] if isinstance(item, int) else number(item) for item in step.attr[1]]


def _select(step: Step, args: list[str]) -> str:
    relation, threshold, spec = step.attr
    values = ", ".join(args[item] if isinstance(item, int) else number(item) for item in spec)
    return f"np.where({args[0]} {relation} {number(threshold)}, {values})"


def _selected(step: Step, args: list[str]) -> str:
    """A new array; where both values are numbers NumPy would make it float64."""
    numbers = not any(isinstance(item, int) for item in step.attr[2])
    return f"{_select(step, args)}.astype({args[0]}.dtype)" if numbers else _select(step, args)


def _same(step: Step, layout: Layout, position: int) -> bool:
    item = step.attr[1][position]
    return isinstance(item, int) and layout.regions.get(step.args[item]) == layout.regions[step.target]


def _ufunc(step: Step, args: list[str], out: str, layout: Layout) -> list[str]:
    name, operands = step.attr[0], _operands(step, args)
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


def _placed(step: Step, args: list[str], out: str, layout: Layout) -> list[str]:
    _, start, _ = step.attr
    stop = sp.expand(start + rows_of(step.args[0]))
    return [f"{out}.fill(0)", f"{out}[{bounds(start, stop, rows_of(step.target))}] = {args[0]}"]


IN_LOOP: dict[str, Callable[[Step, list[str], str, Layout], list[str]]] = {
    "matmul": lambda step, args, out, layout: [f"np.matmul({args[0]}, {args[1]}, out={out})"],
    "ufunc": _ufunc,
    "select": lambda step, args, out, layout: [f"{out}[...] = {_select(step, args)}"],
    "erf": lambda step, args, out, layout: [f"{out}[...] = _erf({args[0]})"],
    "normal": lambda step, args, out, layout: [f"{out}[...] = _normal({args[0]})"],
    "fill": lambda step, args, out, layout: [f"{out}.fill({number(step.attr)})"],
    "repeat": lambda step, args, out, layout: [f"np.multiply({args[0]}, {number(step.attr)}, out={out})"],
    "copy": lambda step, args, out, layout: [f"{out}[...] = {args[0]}"],
    "spread": lambda step, args, out, layout: [f"{out}[...] = {args[0]}"],
    "sum": lambda step, args, out, layout: [f"np.sum({args[0]}, axis=0, keepdims=True, out={out})"],
    "concat": _stack,
    "place": _placed,
}


def in_place(step: Step, args: list[str], out: str, layout: Layout) -> list[str]:
    """A step over all steps at once that overwrites its argument."""
    if step.op == "ufunc" and any(_same(step, layout, p) for p in range(len(step.attr[1]))):
        return _ufunc(step, args, out, layout)
    return []


def _ufunc_text(step: Step, args: list[str]) -> str:
    name, operands = step.attr[0], _operands(step, args)
    if name in _OPERATORS:
        return f"{operands[0]} {_OPERATORS[name]} {operands[1]}"
    return f"{_function(name)}({', '.join(operands)})"


def _slice_text(step: Step, args: list[str]) -> str:
    axis, start, stop = step.attr
    return f"{args[0]}[..., {bounds(start, stop, step.args[0].shape[axis])}{', :' if axis == 0 else ''}]"


def _total_text(step: Step, args: list[str]) -> str:
    """Sum over the batch, and over the steps unless the result has a value for each."""
    var, target = step.args[0], step.target
    if len(var.shape) == 2:
        return f"{args[0]}.sum(axis=0)"
    return f"{args[0]}.sum(axis=2, keepdims=True)" if target.per_step else f"_total({args[0]})"


def _constant_text(step: Step, args: list[str]) -> str:
    kind, shape = step.attr
    if kind == "identity":
        return f"np.eye({size_text(shape[0])}, dtype=dtype)"
    value = {"one": 1.0, "zero": 0.0}.get(kind, kind) if isinstance(kind, str) else kind
    rows = size_text(shape[0]) if shape else "1"
    columns = size_text(shape[1]) if len(shape) == 2 else "1"
    return f"np.full(({rows}, {columns}), {number(value)}, dtype)"


def _concat_text(step: Step, args: list[str]) -> str:
    if step.target.per_sample:
        return f"np.concatenate([{', '.join(args)}], axis=1)"
    return f"np.concatenate([{', '.join(args)}], axis={-2 if step.attr == 0 else -1})"


def _place_text(step: Step, args: list[str]) -> str:
    axis, start, total = step.attr
    stop = sp.expand(start + step.args[0].shape[axis])
    pads = f"({size_text(start)}, {size_text(sp.expand(total - stop))})"
    lead = "(0, 0), " if step.args[0].per_step else ""
    return f"np.pad({args[0]}, ({lead}{pads + ', (0, 0)' if axis == 0 else '(0, 0), ' + pads}))"


_EXPRESSIONS: dict[str, Callable[[Step, list[str]], str]] = {
    "matmul": lambda step, args: f"{args[0]} @ {args[1]}",
    "ufunc": _ufunc_text,
    "select": _selected,
    "erf": lambda step, args: f"_erf({args[0]})",
    "normal": lambda step, args: f"_normal({args[0]})",
    "fill": lambda step, args: f"np.full_like({args[0]}, {number(step.attr)})",
    "repeat": lambda step, args: f"np.repeat({args[0]} * {number(step.attr)}, {size_text(step.target.shape[0])}, axis=-2)",
    "copy": lambda step, args: f"{args[0]}.copy()",
    "spread": lambda step, args: f"np.full((steps, {size_text(rows_of(step.target))}, batch), {args[0]}, dtype)",
    "sum": lambda step, args: f"{args[0]}.sum(axis={'(-2, -1)' if len(step.args[0].shape) == 2 else '-2'}, keepdims=True)",
    "concat": _concat_text,
    "slice": _slice_text,
    "place": _place_text,
    "transpose": lambda step, args: f"{args[0]}.swapaxes(-1, -2)",
    "total": _total_text,
    "outer": lambda step, args: f"{args[0]} @ {args[1]}.swapaxes(-1, -2)",
    "rows": lambda step, args: f"_rows({args[0]})",
    "columns": lambda step, args: f"_columns({args[0]})",
    "batch_total": lambda step, args: f"np.matmul({args[0]}, {args[1]}.swapaxes(1, 2))",
    "constant": _constant_text,
}


def expression(step: Step, text: Callable[[Var], str]) -> str:
    """The step as an expression that makes a new array."""
    return _EXPRESSIONS[step.op](step, [text(arg) for arg in step.args])
