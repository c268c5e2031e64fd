"""A lowered cell -> the text of a NumPy module, reproducible byte for byte."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import sympy as sp

from rnnproof.calculus.program import Role, Step
from rnnproof.calculus.variables import Var
from rnnproof.generation.numpy.function_printer import Body, Printer
from rnnproof.generation.numpy.names import identifier, plain, size_text
from rnnproof.generation.numpy.operation_text import expression
from rnnproof.generation.numpy.statement import Statement, read_by, statements
from rnnproof.generation.numpy.template import PACKS_LATE, PREPARE, TEMPLATE, shared, standalone, support
from rnnproof.generation.numpy.validation import validate, validate_unrolled
from rnnproof.generation.pipeline import Lowered
from rnnproof.generation.storage import rows_of
from rnnproof.generation.target import Source


def print_module(lowered: Lowered, steps: int | None = None) -> Source:
    """A module that needs NumPy alone; see `rnnproof.generation.target.Target`."""
    return _validated(lowered, steps, standalone)


def print_for_package(lowered: Lowered) -> Source:
    """A module of `rnnproof.cells`, which has its support in common with the others."""
    return _validated(lowered, None, shared)


_Support = Callable[[Iterable[str]], tuple[str, str]]


def _validated(lowered: Lowered, steps: int | None, support_of: _Support) -> Source:
    looped = _printed(lowered, None, support_of)
    validate(looped.text, lowered.forward.program, lowered.backward.program)
    if steps is None:
        return looped
    unrolled = _printed(lowered, steps, support_of)
    validate_unrolled(unrolled.text, looped.text, steps, lowered.cell.name)
    return unrolled


def _printed(lowered: Lowered, steps: int | None, support_of: _Support) -> Source:
    """The template, filled: first what stands in a line, then the functions' bodies line by line."""
    functions = _Functions(lowered, steps)
    bodies = {"@PACK@": functions.pack, "@FORWARD@": functions.forward, "@BACKWARD@": functions.backward}
    read = read_by(statement for body in bodies.values() for statement in body)
    imports, carried = support_of(sorted(read & support().keys()))
    fields = {**_Tables(lowered).fields(functions.packs_late), "IMPORTS": imports, "SUPPORT": carried}
    text = TEMPLATE
    for key, value in fields.items():
        text = text.replace(f"@{key}@", value)
    lines: list[str] = []
    marks = []
    for line in text.split("\n"):
        for statement in bodies.get(line, ()):
            if statement.computes:
                numbers = range(len(lines) + 1, len(lines) + 1 + len(statement.lines))
                marks += [(number, statement.computes) for number in numbers]
            lines += statement.lines
        if line not in bodies:
            lines.append(line)
    return Source("\n".join(lines), tuple(marks))


@dataclass(frozen=True)
class _Tables:
    """What a module says of its cell ahead of its functions."""

    lowered: Lowered

    def fields(self, packs_late: bool) -> dict[str, str]:
        """The template's places and what stands there."""
        cell = self.lowered.cell
        return {
            "CELL": cell.name,
            "AGAIN": f"rnnproof generate {cell.name}" if cell.source else "rnnproof.generate(cell)",
            "EQUATIONS": "\n".join(_equation(equation.tex or str(equation)) for equation in self._equations()),
            "PARAMETERS": "".join(f'    "{p.name}": {_tuple(_shape(p))},\n' for p in cell.parameters),
            "STATES": _tuple([state.name for state in cell.states]),
            "STATE_SIZES": "".join(f'    "{s.name}": "{_rows(s.new)}",\n' for s in cell.states),
            "READ_STATES": _tuple([state.name for state in cell.states if state.old is not None]),
            **self._inputs(),
            "PREPARE": PACKS_LATE if packs_late else PREPARE,
            **self._constants(),
        }

    def _equations(self) -> list[Any]:
        cell = self.lowered.cell
        return [*cell.equations, *(body for body in cell.bodies if body.tex)]

    def _inputs(self) -> dict[str, str]:
        """What the inputs are to the template: one, none, or several by name."""
        inputs = self.lowered.cell.inputs
        if not inputs:
            return {"INPUT": "None", "INPUTS": "", "INPUT_TABLE": "INPUT", "XS": _COUNT, "X": "x None", "STEP_X": "1"}
        if len(inputs) == 1:
            size = _rows(inputs[0])
            lone = {"INPUT": f'"{size}"', "INPUTS": "", "INPUT_TABLE": "INPUT", "STEP_X": "x[np.newaxis]"}
            return {**lone, "XS": f"`xs` (T, B, {size})", "X": f"x (B, {size})"}
        table = "".join(f'    "{symbol.name}": {_tuple([_rows(symbol)])},\n' for symbol in inputs)
        several = {"INPUT": "None", "INPUTS": f"INPUTS: dict[str, tuple[str, ...]] = {{\n{table}}}\n", "INPUT_TABLE": "INPUTS"}
        step = "{name: value[np.newaxis] for name, value in x.items()}"
        return {**several, "XS": "`xs` {input: (T, B, size)}", "X": "x {input: (B, size)}", "STEP_X": step}

    def _constants(self) -> dict[str, str]:
        """What the constants add to the template; nothing where there are none."""
        names = self.lowered.cell.constants
        table = "".join(f'    "{symbol.name}": "{_rows(symbol)}",\n' for symbol in names)
        note = "# given beside the inputs, constant to the gradient"
        doc = "\n\n    `constants` {name: what broadcasts to (T, B, size)} as in CONSTANTS; they have no gradient."
        arguments = ("*", "constants: Mapping[str, Any]") if names else ()
        return {
            "CONSTANTS": f"CONSTANTS: dict[str, str] = {{  {note}\n{table}}}\n" if names else "",
            "CONSTANTS_TABLE": "CONSTANTS" if names else "{}",
            "FORWARD_ARGUMENTS": _arguments(*_FORWARD_ARGUMENTS, *arguments),
            "STEP_ARGUMENTS": _arguments(*_STEP_ARGUMENTS, *arguments),
            "CONSTANTS_PASSED": ", constants=constants" if names else "",
            "CONSTANTS_DOC": doc if names else "",
        }


@dataclass(frozen=True)
class _Functions:
    """The bodies of prepare (or _pack), forward and backward; with `steps` their loops are written out."""

    lowered: Lowered
    steps: int | None

    @cached_property
    def forward(self) -> list[Statement]:
        """The body of forward, behind the checks that every cell has."""
        late = ["packed = packed._replace(arrays=_pack(packed.given, sizes))"] if self.packs_late else []
        return [*statements(late), *self._checks(), *self._forward]

    def _checks(self) -> list[Statement]:
        lines = []
        if self.steps is not None:
            wrong = f'raise ValueError(f"xs has {{steps}} steps; this module is written out for {self.steps}")'
            lines.append(f"if steps != {self.steps}:\n    {wrong}")
        if self.lowered.cell.constants:
            lines.append("fixed = _constants(constants, steps, batch, sizes, dtype, SIGNATURE)")
        return statements(lines)

    @cached_property
    def packs_late(self) -> bool:
        """Whether packing needs a size that the parameters alone do not show."""
        read, known = read_by(self.pack), self._sizes_shown()
        return any(f"n_{size}" in read for size in self._sizes if size not in known)

    def _sizes_shown(self) -> set[str]:
        """The sizes that the shapes of the parameters determine."""
        totals = [size for parameter in self.lowered.cell.parameters for size in _shape(parameter)]
        known: set[str] = set()
        while True:
            unknown = [set(total.split("+")) - known for total in totals]
            single = {size for sizes in unknown if len(sizes) == 1 for size in sizes}
            if not single:
                return known
            known |= single

    @cached_property
    def _forward(self) -> list[Statement]:
        direction, given, arrays, lines = self.lowered.forward, {}, {}, []
        for port in direction.program.ports(Role.INPUT):
            given[port.var.name] = f"{identifier(port.var.name)}_seq"
            array = "xs" if len(self.lowered.cell.inputs) == 1 else f'xs["{port.key}"]'
            lines.append(f"{identifier(port.var.name)}_seq = {array}.swapaxes(1, 2)")
        for port in direction.program.ports(Role.CONSTANT):
            given[port.var.name] = f"{identifier(port.var.name)}_seq"
            lines.append(f'{identifier(port.var.name)}_seq = fixed["{port.key}"]')
        for state in self.lowered.cell.states:
            if state.old is not None:
                array = f"{identifier(state.name)}_seq"
                arrays[array] = ("steps + 1", _extent(state.new), "batch")
                lines.append(f'{array}[0] = first["{state.name}"]')
                given[state.old.name] = f"{array}[:-1]"
                given[f"new {state.name}"] = f"{array}[1:]"
        printer = Printer(direction, given, "forward")
        body = printer.run()
        states = []
        for port in direction.program.ports(Role.NEW, out=True):
            recurrent = f"new {port.key}" in given
            array = given[f"new {port.key}"] if recurrent else printer.sequence(port.var)
            states.append(f'"{port.key}": {array}.swapaxes(1, 2)')
        tape = [f'"{var.name}": {printer.sequence(var)}' for var in self.lowered.tape if var.per_sample]
        return self._unpacked(
            [
                *statements(_allocation({**arrays, **body.arrays})),
                *statements(lines),
                *self._steps(printer, body),
                *body.after,
                *statements([_dict("states", states), _dict("tape", tape)]),
                Statement("return Trace(states, packed._replace(sizes=sizes), tape)"),
            ]
        )

    @cached_property
    def backward(self) -> list[Statement]:
        """The body of backward, behind what it takes from the trace and the seeds."""
        direction, cell = self.lowered.backward, self.lowered.cell
        given: dict[str, str] = {}
        entered: list[Statement] = []
        for var in self.lowered.tape:
            if var.per_sample:
                given[var.name] = f"{identifier(var.name)}_seq"
                entered.append(Statement(f'{identifier(var.name)}_seq = tape["{var.name}"]'))
        outputs = direction.program.outputs
        used = {arg for step in direction.plan.steps for arg in step.args} | {port.var for port in outputs}
        used |= {var for var, _ in direction.layout.copies}
        for port in direction.program.ports(Role.SEED):
            if port.var in used:
                given[port.var.name] = f"{identifier(port.var.name)}_seq"
                seeds = f'{identifier(port.var.name)}_seq = seeds["{port.key}"]'
                entered.append(Statement(seeds, (("backward", port.var.name),)))
        for port in direction.program.ports(Role.CARRY):
            given[port.var.name] = identifier(port.var.name)
            zeros = f"{identifier(port.var.name)} = np.zeros(({size_text(rows_of(port.var))}, batch), dtype)"
            entered.append(Statement(zeros, (("backward", port.var.name),)))
        printer = Printer(direction, given, "backward")
        body = printer.run()
        gradients = self._gradients(printer)
        inputs = self._input_gradients(printer)
        lone = inputs[0][1] if len(inputs) == 1 else "None"
        several = [_dict("inputs", [f'"{name}": {value}' for name, value in inputs])] if len(inputs) > 1 else []
        starts = tuple(("backward", f"initial {state.name}") for state in cell.states)
        return self._unpacked(
            [
                *entered,
                *statements(_allocation(body.arrays)),
                *self._steps(printer, body),
                *body.after,
                Statement(_dict("parameters", gradients)),
                *statements(several),
                Statement(_dict("initial", self._initial()), starts),
                Statement(f"return Gradients(parameters, {'inputs' if several else lone}, initial)"),
            ]
        )

    def _gradients(self, printer: Printer) -> list[str]:
        """The entries of the table of parameter gradients; what nothing reaches is zero."""
        ports = self.lowered.backward.program.ports(Role.GRADIENT, out=True)
        values = {port.key: printer.parameter(port.var) for port in ports}
        entries = []
        for parameter in self.lowered.cell.parameters:
            dropped = (3 if parameter.per_step else 2) - len(_shape(parameter))
            zero = f'np.zeros_like(packed.given["{parameter.name}"])'
            value = values[parameter.name] + "[..., 0]" * dropped if parameter.name in values else zero
            entries.append(f'"{parameter.name}": {value}')
        return entries

    def _input_gradients(self, printer: Printer) -> list[tuple[str, str]]:
        """The inputs' names and gradients; of one that nothing reaches, zeros."""
        ports = {port.key: port.var for port in self.lowered.backward.program.ports(Role.INPUT, out=True)}
        found = []
        for symbol in self.lowered.cell.inputs:
            zero = f"np.zeros((steps, batch, {_extent(symbol)}), dtype)"
            reached = symbol.name in ports
            found.append((symbol.name, f"{printer.sequence(ports[symbol.name])}.swapaxes(1, 2)" if reached else zero))
        return found

    def _initial(self) -> list[str]:
        """The entries of the table of the initial states' gradients."""
        carries = {port.key: f"{identifier(port.var.name)}.T" for port in self.lowered.backward.program.ports(Role.CARRY)}
        zeros = {s.name: f"np.zeros((batch, {_extent(s.new)}), dtype)" for s in self.lowered.cell.states}
        return [f'"{name}": {carries.get(name, zero)}' for name, zero in zeros.items()]

    def _steps(self, printer: Printer, body: Body) -> list[Statement]:
        """What runs ahead of the steps, and the steps."""
        if not body.loop:
            return body.before
        return [*body.before, *(printer.loop() if self.steps is None else printer.straight(self.steps))]

    def _unpacked(self, body: list[Statement]) -> list[Statement]:
        """The sizes and the packed arrays that a body reads, then the body."""
        read = read_by(body)
        sizes = [f'n_{size} = sizes["{size}"]' for size in self._sizes if f"n_{size}" in read]
        arrays = [f'{name} = packed.arrays["{name}"]' for name in self._array_names if name in read]
        return [*statements(sizes), *statements(arrays), *body]

    @property
    def _sizes(self) -> list[str]:
        return [str(size) for size in self.lowered.cell.sizes]

    @property
    def _pack_steps(self) -> list[Step]:
        both = (self.lowered.forward, self.lowered.backward)
        return list({step.target: step for direction in both for step in direction.plan.of("pack")}.values())

    @cached_property
    def _array_names(self) -> list[str]:
        parameters = [port.var for port in self.lowered.forward.program.ports(Role.PARAMETER)]
        return list(dict.fromkeys(_array(var) for var in (*parameters, *(step.target for step in self._pack_steps))))

    @cached_property
    def pack(self) -> list[Statement]:
        """The body of prepare: the arrays that forward and backward ask for, and what these are made of."""
        asked = {key for statement in (*self._forward, *self.backward) for key in statement.keys}
        wanted, needed = set(asked), []
        for step in reversed(self._pack_steps):
            if _array(step.target) in wanted:
                needed.append(step)
                wanted.update(_array(arg) for arg in step.args)
        lines = []
        for port in self.lowered.forward.program.ports(Role.PARAMETER):
            if _array(port.var) in wanted:
                axes = ", 1" * (2 - len(port.var.shape))
                column = f'.reshape(*given["{port.key}"].shape{axes})' if axes else ""
                lines.append(f'{_array(port.var)} = given["{port.key}"]{column}')
        lines += [f"{_array(step.target)} = {expression(step, _array)}" for step in reversed(needed)]
        body = statements(lines)
        read = read_by(body)
        sizes = [f'n_{size} = sizes["{size}"]' for size in self._sizes if f"n_{size}" in read]
        kind = ["dtype = np.result_type(*given.values())"] if "dtype" in read else []
        table = _dict("arrays", [f'"{name}": {name}' for name in self._array_names if name in asked])
        return [*statements(sizes), *statements(kind), *body, Statement(table)]


_COUNT = "`xs` the number of steps (an int; this cell has no input), `initial` needed"
_PARAMS = "params: Mapping[str, Any] | Packed"
_FORWARD_ARGUMENTS = (_PARAMS, "xs: Any", "initial: Mapping[str, Any] | None = None")
_STEP_ARGUMENTS = (_PARAMS, "x: Any", "states: Mapping[str, Any]")


def _arguments(*arguments: str) -> str:
    """A function's arguments, broken into lines as ruff would where there are many."""
    text = ", ".join(arguments)
    return text if len(text) <= 108 else f"\n    {text}\n"


def _allocation(arrays: dict[str, tuple[str, ...]]) -> list[str]:
    """The lines that allocate the sequences, in one piece where there are several."""
    if not arrays:
        return []
    names = ", ".join(arrays)
    shapes = [f"({', '.join(extent)})" for extent in arrays.values()]
    if len(arrays) == 1:
        return [f"{names} = np.empty({shapes[0]}, dtype)"]
    line = f"{names} = _arrays(dtype, {', '.join(shapes)})"
    broken = "".join(f"    {shape},\n" for shape in ("dtype", *shapes))
    return [line if len(line) <= 110 else f"{names} = _arrays(\n{broken})"]


def _equation(tex: str) -> str:
    return textwrap.fill(plain(tex), 120, initial_indent="    ", subsequent_indent="        ", break_long_words=False)


def _array(var: Var) -> str:
    return f"{identifier(var.name)}_seq" if var.per_step else identifier(var.name)


@cache
def _size(size: Any) -> str:
    """hidden; hidden+input; hidden+hidden for twice the size."""
    parts = [symbol for term in sp.Add.make_args(sp.expand(size)) for symbol in _repeated(term)]
    return "+".join(parts)


def _repeated(term: Any) -> list[str]:
    number, symbol = term.as_coeff_Mul()
    return [str(symbol)] * int(number)


def _extent(symbol: Any) -> str:
    """The rows of a state as code."""
    return size_text(symbol.shape[0]) if getattr(symbol, "is_Matrix", False) else "1"


def _rows(symbol: Any) -> str:
    """The size of a column; 1 for a scalar."""
    return _size(symbol.shape[0]) if getattr(symbol, "is_Matrix", False) else "1"


def _shape(parameter: Any) -> list[str]:
    shape = getattr(parameter.symbol, "shape", ())
    sizes = [_size(size) for size in (shape[:1] if shape and shape[1] == 1 else shape)]
    return ["steps", *sizes] if parameter.per_step else sizes


def _tuple(items: list[str]) -> str:
    inner = ", ".join(f'"{item}"' for item in items)
    return f"({inner},)" if len(items) == 1 else f"({inner})"


def _dict(name: str, entries: Sequence[str]) -> str:
    line = f"{name} = {{{', '.join(entries)}}}"
    return line if len(line) <= 110 else f"{name} = {{\n" + "".join(f"    {entry},\n" for entry in entries) + "}"
