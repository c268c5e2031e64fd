"""A scheduled Program -> the lines of a NumPy function body. Rows of a table, one per operation and place."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from rnnproof.derivation.program import Step, Var
from rnnproof.generation.schedule import Schedule
from rnnproof.generation.storage import Layout, Region, rows_of

RESERVED = frozenset(
    "np xs params initial trace d_states steps batch dtype sizes packed given tape annotations NamedTuple Any sum input "
    "forward backward step prepare Trace Gradients Packed PARAMETERS STATES INPUT name array shape int float complex len zip "
    "dict tuple list max min abs range print type set states".split()
)
_OURS = re.compile(r"(work|kept)_\d+|n_(hidden|input|\w+_(size|rank|input))|\w+_(seq|new)")
_OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


def identifier(name: str) -> str:
    """A Python name for a variable: itself, with an underscore where it would hide something or look like a name of ours."""
    taken = keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in RESERVED or _OURS.fullmatch(name)
    return f"{name}_" if taken else name


def bounds(start: Any, stop: Any, total: Any) -> str:
    """start:stop as code, formatted as ruff would: no spaces around a colon between names."""
    first = "" if start == 0 else size_text(start)
    last = "" if sp.expand(stop - total) == 0 else size_text(stop)
    simple = re.fullmatch(r"\w*", first) and re.fullmatch(r"\w*", last)
    return f"{first}:{last}" if simple else f"{first} : {last}".strip()


def size_text(size: Any) -> str:
    """A size as code: hidden -> n_hidden, 3*hidden -> 3 * n_hidden."""
    named = size.subs({symbol: sp.Symbol(f"n_{symbol.name}", positive=True) for symbol in size.free_symbols})
    return re.sub(r"(?<=\w)\*(?=\w)", " * ", str(sp.expand(named)))


def number(text: str) -> str:
    """1.0 -> 1.0, 0.5 -> 0.5; the shortest text of a literal."""
    return repr(float(text))


def comment(text: str) -> list[str]:
    """A comment, in as many lines as it needs."""
    return [f"# {line}" for line in textwrap.wrap(text, 112, subsequent_indent="  ")]


@dataclass
class Body:
    """Lines of a function, by place."""

    arrays: dict[str, tuple[str, ...]] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    loop: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


class Printer:
    """Prints one direction. `arrays` says what array a variable that is no data has: {Var: text}."""

    def __init__(self, plan: Schedule, layout: Layout, given: dict[str, str], says: str = "") -> None:
        self.plan, self.layout, self.says = plan, layout, says
        self.given = given
        self.body = Body()
        self.names = self._region_names()
        self.made: set[str] = set(given.values())
        self.iterated: dict[str, str] = {}
        self.said: set[str] = set()
        self.place = "before"

    # names

    def _region_names(self) -> dict[Region, str]:
        names: dict[Region, str] = {}
        named: set[Region] = set()
        for var, region in self.layout.regions.items():
            if region.buffer.name.startswith("work_") and region.whole:
                names[region] = region.buffer.name
            elif region not in named and not (region in names and var.name.startswith("tmp_")):
                names[region] = identifier(var.name)
            if var.tex:
                named.add(region)
        states = {identifier(name.removeprefix("new ")): name for name in self.given if name.startswith("new ")}
        taken: dict[str, Region] = {}
        for region, name in names.items():
            while states.get(name, region.buffer.name) != region.buffer.name or taken.setdefault(name, region) != region:
                name += "_"
            names[region] = name
        return names

    def rows(self, region: Region) -> str:
        return bounds(region.start, region.stop, region.buffer.rows)

    def sequence(self, var: Var) -> str:
        """The array over all steps that holds `var`."""
        if not var.per_sample:
            return self.parameter(var)
        region = self.layout.regions[var]
        name = f"{self.names[region]}_seq"
        base = self.base(region)
        if base == name or name in self.made:
            return name
        if region.whole:
            return base
        target = self.body.after if self.place == "after" else self.body.before
        axis = "" if base.endswith("]") else ":, "
        text = f"{base[:-1]}, {self.rows(region)}]" if base.endswith("]") else f"{base}[{axis}{self.rows(region)}]"
        target.append(f"{name} = {text}")
        self.made.add(name)
        return name

    def base(self, region: Region) -> str:
        """The text of a whole stored buffer, allocated on first sight."""
        buffer = region.buffer
        if buffer.name in self.given:
            return self.given[buffer.name]
        whole = Region(buffer, sp.S.Zero, buffer.rows)
        name = f"{self.names.get(whole, identifier(buffer.name))}_seq"
        if name not in self.made:
            self.made.add(name)
            extent = ("steps", size_text(buffer.rows), "batch")
            self.body.arrays[name] = (extent[1], extent[0], extent[2]) if buffer.by_rows else extent
            if buffer.by_rows:
                self.body.before.append(f"{name} = {name}.swapaxes(0, 1)")
        return name

    def parameter(self, var: Var) -> str:
        return f"{identifier(var.name)}_seq" if var.per_step else identifier(var.name)

    def here(self, var: Var) -> str:
        """The array of one step inside the loop."""
        if not var.per_sample:
            if var.per_step:
                self.iterated.setdefault(identifier(var.name), self.parameter(var))
            return identifier(var.name)
        region = self.layout.regions[var]
        name = self.names[region]
        if region.buffer.kind in ("sequence", "state", "given"):
            self.iterated.setdefault(name, self.sequence(var))
        else:
            self.scratch(region)
        return name

    def scratch(self, region: Region) -> None:
        buffer, name = region.buffer, self.names[region]
        whole = Region(buffer, sp.S.Zero, buffer.rows)
        base = self.given.get(buffer.name) or self.names.get(whole, identifier(buffer.name))
        if base not in self.made:
            self.made.add(base)
            self.body.before.append(f"{base} = np.empty(({size_text(buffer.rows)}, batch), dtype)")
        if name not in self.made:
            self.made.add(name)
            self.body.before.append(f"{name} = {base}" if region.whole else f"{name} = {base}[{self.rows(region)}]")

    def text(self, var: Var) -> str:
        return self.here(var) if self.place == "loop" else self.sequence(var)

    # steps

    def run(self) -> Body:
        for place, lines in (("before", self.body.before), ("loop", self.body.loop), ("after", self.body.after)):
            self.place = place
            for step in self.plan.of(self.place):
                written = self._step(step)
                if written and self.place != "before":
                    said = [line for line in step.tex.split("\n") if line and line not in self.said]
                    lines += [part for line in said for part in comment(f"{self.says}{plain(line)}")]
                    self.said.update(said)
                lines += written
            if self.place == "loop":
                lines += self._copies()
        return self.body

    def _copies(self) -> list[str]:
        lines = []
        several = len(self.layout.copies) > 1
        for number_, (var, _) in enumerate(self.layout.copies):
            if several:
                lines.append(f"kept_{number_} = {self.here(var)}.copy()")
        for number_, (var, region) in enumerate(self.layout.copies):
            source = f"kept_{number_}" if several else self.here(var)
            if region.buffer.kind == "carry":
                self.scratch(region)
                target = self.names[region]
            else:
                target = f"{identifier(region.buffer.name.removeprefix('new '))}_new"
                self.iterated.setdefault(target, self.given[region.buffer.name])
            lines.append(f"{target}[...] = {source}")
        return lines

    def _step(self, step: Step) -> list[str]:
        if step.op == "slice" and step.target.per_sample:
            return []
        if not step.target.per_sample:
            return [f"{self.parameter(step.target)} = {expression(step, self.text)}"]
        region = self.layout.regions[step.target]
        if self.place == "loop":
            args = [self.here(arg) for arg in step.args]
            return _IN_LOOP[step.op](step, args, self.here(step.target), self.layout)
        args = [self.sequence(arg) for arg in step.args]
        fresh = f"{self.names[region]}_seq" not in self.made and region.whole and region.buffer.kind == "sequence"
        fresh = fresh and self.base_unmade(region)
        if fresh and step.op == "matmul" and self.place == "before":
            return [f"np.matmul({', '.join(args)}, out={self.base(region)})"]
        if fresh:
            out = f"{self.names[region]}_seq"
            self.made.add(out)
            if step.op == "matmul" and self._by_rows(step.args[1]) and not step.args[0].per_step:
                return [f"{out} = _sequence({args[0]} @ _rows({args[1]}), steps)"]
            return [f"{out} = {expression(step, self.sequence)}"]
        out = self.sequence(step.target)
        return _in_place(step, args, out, self.layout) or [f"{out}[...] = {expression(step, self.sequence)}"]

    def _by_rows(self, var: Var) -> bool:
        return var in self.layout.regions and self.layout.regions[var].buffer.by_rows

    def base_unmade(self, region: Region) -> bool:
        whole = Region(region.buffer, sp.S.Zero, region.buffer.rows)
        return f"{self.names.get(whole, identifier(region.buffer.name))}_seq" not in self.made

    def header(self, backward: bool) -> list[str]:
        """The loop's first line."""
        pairs = list(self.iterated.items())
        if not pairs:
            return ["for _ in range(steps):"]
        names = ", ".join(name for name, _ in pairs)
        values = [f"{text}[::-1]" if backward else text for _, text in pairs]
        if len(pairs) == 1:
            return [f"for {names} in {values[0]}:"]
        line = f"for {names} in zip({', '.join(values)}, strict=True):"
        if len(line) <= 110:
            return [line]
        return [
            "for (",
            *(f"    {name}," for name, _ in pairs),
            ") in zip(",
            *(f"    {v}," for v in values),
            "    strict=True,",
            "):",
        ]


def _operands(step: Step, args: list[str]) -> list[str]:
    return [args[item] if isinstance(item, int) else number(item) for item in step.attr[1]]


def _select(step: Step, args: list[str]) -> str:
    relation, threshold, spec = step.attr
    values = ", ".join(args[item] if isinstance(item, int) else number(item) for item in spec)
    return f"np.where({args[0]} {relation} {number(threshold)}, {values})"


def _same(step: Step, layout: Layout, position: int) -> bool:
    item = step.attr[1][position]
    return isinstance(item, int) and layout.regions.get(step.args[item]) == layout.regions[step.target]


def _ufunc(step: Step, args: list[str], out: str, layout: Layout) -> list[str]:
    name, operands = step.attr[0], _operands(step, args)
    if name in _OPERATORS and _same(step, layout, 0):
        return [f"{out} {_OPERATORS[name]}= {operands[1]}"]
    if name in ("add", "multiply") and _same(step, layout, 1):
        return [f"{out} {_OPERATORS[name]}= {operands[0]}"]
    return [f"np.{name}({', '.join(operands)}, out={out})"]


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


_IN_LOOP: dict[str, Callable[[Step, list[str], str, Layout], list[str]]] = {
    "matmul": lambda step, args, out, layout: [f"np.matmul({args[0]}, {args[1]}, out={out})"],
    "ufunc": _ufunc,
    "select": lambda step, args, out, layout: [f"{out}[...] = {_select(step, args)}"],
    "erf": lambda step, args, out, layout: [f"{out}[...] = _erf({args[0]})"],
    "fill": lambda step, args, out, layout: [f"{out}.fill({number(step.attr)})"],
    "copy": lambda step, args, out, layout: [f"{out}[...] = {args[0]}"],
    "sum": lambda step, args, out, layout: [f"np.sum({args[0]}, axis=0, keepdims=True, out={out})"],
    "concat": _stack,
    "place": _placed,
}


def _in_place(step: Step, args: list[str], out: str, layout: Layout) -> list[str]:
    """A step over all steps at once that overwrites its argument."""
    if step.op == "ufunc" and any(_same(step, layout, p) for p in range(len(step.attr[1]))):
        return _ufunc(step, args, out, layout)
    return []


def _ufunc_text(step: Step, args: list[str]) -> str:
    name, operands = step.attr[0], _operands(step, args)
    if name in _OPERATORS:
        return f"{operands[0]} {_OPERATORS[name]} {operands[1]}"
    return f"np.{name}({', '.join(operands)})"


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
    return f"np.full(({rows}, {columns}), {float(value)!r}, dtype)"


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
    "select": _select,
    "erf": lambda step, args: f"_erf({args[0]})",
    "fill": lambda step, args: f"np.full_like({args[0]}, {number(step.attr)})",
    "copy": lambda step, args: f"{args[0]}.copy()",
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


_PLAIN: Iterable[tuple[str, str]] = (
    (r"\\(?:left|right|mathbf|boldsymbol|mathrm|operatorname|text|displaystyle|bigl?|bigr?|Bigl?|Bigr?)(?![a-zA-Z])", ""),
    (r"\\(bar|tilde|hat|dot|vec)\s*(?:\{\\?([a-zA-Z]+)\}|\\?([a-zA-Z]))", r"\2\3\1"),
    (r"\\odot|\\circ|\\cdot|\\ast", "*"),
    (r"\\sigma(?![a-zA-Z])", "sigmoid"),
    (r"\\[,;:!]|\\quad|\\qquad|\\ ", " "),
    (r"\\top|\\intercal", "T"),
    (r"\\_", "_"),
    (r"\\([a-zA-Z]+)", r"\1"),
    (r"\{(\w+)\}", r"\1"),
    (r"\{(\([^{}]*\))\}", r"\1"),
    (r"(?<=[\w)])\s*([+=*])\s*(?=[\w(])", r" \1 "),
    (r"\s+", " "),
)


def plain(tex: str) -> str:
    """An equation's LaTeX as a comment can show it."""
    text = tex
    for pattern, replacement in _PLAIN:
        text = re.sub(pattern, replacement, text)
    return re.sub(r"[^\x20-\x7e]", "?", text).strip()
