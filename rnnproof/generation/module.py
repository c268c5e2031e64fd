"""Cell -> the text of a standalone NumPy module (DESIGN.md's contract), reproducible byte for byte."""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import sympy as sp

from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.operations import Constant, Identity
from rnnproof.calculus.program import Port, Role
from rnnproof.calculus.variables import Var
from rnnproof.equations.cell import Cell
from rnnproof.errors import BindError, GenerationError
from rnnproof.generation.lower import lower
from rnnproof.generation.passes import BACKWARD_PASSES, optimise
from rnnproof.generation.printer import SIGN, Body, Printer, Signs, signed
from rnnproof.generation.schedule import schedule
from rnnproof.generation.statements import expression
from rnnproof.generation.storage import assign, rows_of
from rnnproof.generation.template import FUNCTIONS, HELPERS, PACKS_LATE, PREPARE, TEMPLATE
from rnnproof.generation.validation import validate, validate_unrolled
from rnnproof.generation.words import identifier, plain, size_text


def generate(cell: Cell, *, fuse: bool = True, steps: int | None = None) -> str:
    """Source text of a module with PARAMETERS, STATES, prepare, forward, backward and step.

    `fuse` stacks the gates, so that each product and activation is made once for all of them; without it each gate has its
    own. `steps` writes the time loop out, as a straight line for sequences of just that many steps. Same numbers, up to
    rounding, in every case. The text is validated against the cell's Programs before it is handed out. Raises BindError where
    a function is left open, GenerationError for what NumPy code cannot express.
    """
    return without_signs(Module(cell, fuse, steps).signed())


class Module:
    """A cell's module on its way to text: both lowered Programs, scheduled and laid out, and what `signs` say of its lines."""

    def __init__(self, cell: Cell, fuse: bool = True, steps: int | None = None) -> None:
        if cell.open_functions:
            name = cell.open_functions[0]
            raise BindError(
                f"cell {cell.name}: the function {name} is left open, and code needs its body; give it one with "
                rf"rnnproof.bind(cell, {name}=r'\tanh(W o + b)') or --bind '{name}=\tanh(W o + b)'"
            )
        if steps is not None and steps < 1:
            raise GenerationError(f"cell {cell.name}: steps={steps}; give the number of steps to write out, 1 or more")
        self.cell, self.steps = cell, steps
        self.signs: Signs = []
        forward = optimise(flatten(cell), fuse=fuse)
        for port in forward.ports(Role.NEW, out=True):
            if not port.var.per_sample:
                raise GenerationError(
                    f"cell {cell.name}: {port.key} depends on neither the input nor a state, so it is no state; "
                    "take it out of the states or let its equation read one"
                )
        backward = adjoint(forward)
        for change in BACKWARD_PASSES:
            backward = change(backward)
        constants = tuple(step for step in forward.steps if isinstance(step.op, Constant | Identity))
        backward = lower(backward, constants)
        read = {arg for step in backward.steps for arg in step.args} | {port.var for port in backward.outputs}
        self.tape = [port.var for port in backward.ports(Role.TAPE) if port.var in read]
        kept = tuple(Port(Role.TAPE, var.name, var) for var in self.tape)
        inputs = {port.var for port in forward.inputs}
        made = replace(forward, outputs=(*forward.outputs, *(port for port in kept if port.var not in inputs)))
        self.forward = schedule(lower(made))
        self.backward = schedule(backward)
        self.forward_layout = assign(self.forward, [var for var in self.tape if var.per_sample])
        self.backward_layout = assign(self.backward, [])

    def signed(self) -> str:
        """The text, validated, its lines ending in the numbers of their signs."""
        signed = self._text(None)
        looped = without_signs(signed)
        validate(looped, self.forward.program, self.backward.program)
        if self.steps is not None:
            signed = self._text(self.steps)
            validate_unrolled(without_signs(signed), looped, self.steps, self.cell.name)
        return signed

    def _text(self, steps: int | None) -> str:
        """The module with a loop over the steps, or written out for so many of them."""
        forward, backward = self._forward(steps), self._backward(steps)
        packed = self._packed(forward + backward)
        xs_size = [_size(symbol.shape[0]) for symbol in self.cell.inputs]
        name = self.cell.inputs[0].name if self.cell.inputs else None
        values = {
            "CELL": self.cell.name,
            "AGAIN": f"rnnproof generate {self.cell.name}" if self.cell.source else "rnnproof.generate(cell)",
            "EQUATIONS": "\n".join(_equation(equation.tex or str(equation)) for equation in self._printed()),
            "PARAMETERS": "".join(f'    "{p.name}": {_tuple(_shape(p))},\n' for p in self.cell.parameters),
            "STATES": _tuple([state.name for state in self.cell.states]),
            "STATE_SIZES": "".join(f'    "{s.name}": "{_rows(s.new)}",\n' for s in self.cell.states),
            "READ_STATES": _tuple([state.name for state in self.cell.states if state.old is not None]),
            "INPUT": f'"{_size(self.cell.inputs[0].shape[0])}"' if name else "None",
            "XS": self._xs_doc(),
            "PREPARE": PACKS_LATE if self._packs_late(packed) else PREPARE,
            "PACK": _indent(packed),
            "SHAPES": "arrays" if self._sizes_shown() >= self._sizes_needed() else "[*_shapes(packed.given), *arrays]",
            "CLOSED": "" if self._sizes_shown(*xs_size) >= self._sizes_needed() else "    _closed(sizes)\n",
            "FORWARD": _indent(forward),
            "BACKWARD": _indent(backward),
            **self._constants(),
            "CHECKS": "".join(f"    {line}\n" for line in self._checks(packed, steps)),
            "STEP_X": "x[np.newaxis]" if name else "1",
            "FUNCTIONS": "".join(
                text for name, text in FUNCTIONS.items() if f"{name}(" in "\n".join(packed + forward + backward)
            ),
        }
        text = TEMPLATE
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        for helper in HELPERS:
            if text.count(f"{helper}(") == 1:  # only its definition
                text = re.sub(rf"\n\n\ndef {helper}\(.*?(?=\n\n\n|\Z)", "", text, flags=re.S).rstrip("\n") + "\n"
        return text

    def _constants(self) -> dict[str, str]:
        """What the constants add to the template; nothing where there are none."""
        names = self.cell.constants
        table = "".join(f'    "{symbol.name}": "{_rows(symbol)}",\n' for symbol in names)
        said = "# given beside the inputs, constant to the gradient"
        doc = "\n\n    `constants` {name: what broadcasts to (T, B, size)} as in CONSTANTS; they have no gradient."
        arguments = ("*", "constants: Mapping[str, Any]") if names else ()
        return {
            "CONSTANTS": f"CONSTANTS: dict[str, str] = {{  {said}\n{table}}}\n" if names else "",
            "FORWARD_ARGUMENTS": _arguments(*_FORWARD_ARGUMENTS, *arguments),
            "STEP_ARGUMENTS": _arguments(*_STEP_ARGUMENTS, *arguments),
            "CONSTANTS_PASSED": ", constants=constants" if names else "",
            "CONSTANTS_DOC": doc if names else "",
        }

    def _sizes_shown(self, *more: str) -> set[str]:
        """The sizes that the shapes of the parameters determine, together with axes of `more` sizes."""
        totals = [*more, *(size for parameter in self.cell.parameters for size in _shape(parameter))]
        known: set[str] = set()
        while True:
            unknown = [set(total.split("+")) - known for total in totals]
            found = {size for sizes in unknown if len(sizes) == 1 for size in sizes}
            if not found:
                return known
            known |= found

    def _sizes_needed(self) -> set[str]:
        """The sizes in the shapes of parameters and states."""
        totals = [size for parameter in self.cell.parameters for size in _shape(parameter)]
        totals += [_rows(state.new) for state in self.cell.states]
        return {size for total in totals for size in total.split("+") if not size.isdecimal()}

    def _packs_late(self, packed: list[str]) -> bool:
        """Whether packing needs a size that the parameters alone do not show."""
        text, shown = "\n".join(packed), self._sizes_shown()
        return any(_uses(text, f"n_{size}") for size in self._sizes() if size not in shown)

    def _checks(self, packed: list[str], steps: int | None) -> list[str]:
        """What forward does ahead of its equations, beside checking the arguments that every cell has."""
        lines = []
        if self._packs_late(packed):
            lines.append("packed = packed._replace(arrays=_pack(packed.given, sizes))")
        if steps is not None:
            lines += [
                f"if steps != {steps}:",
                f'    raise ValueError(f"xs has {{steps}} steps; this module is written out for {steps}")',
            ]
        if self.cell.constants:
            lines.append("fixed = _constants(constants, steps, batch, sizes, dtype)")
        return lines

    def _printed(self) -> list[Any]:
        bodies = [body for body in self.cell.bodies if body.tex]
        return [*self.cell.equations, *bodies]

    def _xs_doc(self) -> str:
        if self.cell.inputs:
            return f"`xs` (T, B, {_size(self.cell.inputs[0].shape[0])})"
        return "`xs` the number of steps (an int; this cell has no input), `initial` needed"

    def _forward(self, steps: int | None) -> list[str]:
        given, arrays = {}, {}
        lines = []
        for port in self.forward.program.ports(Role.INPUT):
            given[port.var.name] = f"{identifier(port.var.name)}_seq"
            lines.append(f"{identifier(port.var.name)}_seq = xs.swapaxes(1, 2)")
        for port in self.forward.program.ports(Role.CONSTANT):
            given[port.var.name] = f"{identifier(port.var.name)}_seq"
            lines.append(f'{identifier(port.var.name)}_seq = fixed["{port.key}"]')
        for state in self.cell.states:
            if state.old is not None:
                array = f"{identifier(state.name)}_seq"
                arrays[array] = ("steps + 1", _extent(state.new), "batch")
                lines.append(f'{array}[0] = first["{state.name}"]')
                given[state.old.name] = f"{array}[:-1]"
                given[f"new {state.name}"] = f"{array}[1:]"
        printer = Printer(self.forward, self.forward_layout, given, "forward", self.signs)
        body = printer.run()
        lines = [*_allocation({**arrays, **body.arrays}), *lines, *self._assemble(printer, body, steps, backward=False)]
        states = []
        for port in self.forward.program.ports(Role.NEW, out=True):
            recurrent = f"new {port.key}" in given
            array = given[f"new {port.key}"] if recurrent else printer.sequence(port.var)
            states.append(f'"{port.key}": {array}.swapaxes(1, 2)')
        tape = [f'"{var.name}": {printer.sequence(var)}' for var in self.tape if var.per_sample]
        lines += body.after
        return [
            *self._unpack(lines + states + tape),
            *lines,
            *_dict("states", states),
            *_dict("tape", tape),
            "return Trace(states, packed._replace(sizes=sizes), tape)",
        ]

    def _backward(self, steps: int | None) -> list[str]:
        given, lines = {}, []
        for var in self.tape:
            if var.per_sample:
                given[var.name] = f"{identifier(var.name)}_seq"
                lines.append(f'{identifier(var.name)}_seq = tape["{var.name}"]')
        used = {arg for step in self.backward.steps for arg in step.args} | {p.var for p in self.backward.program.outputs}
        used |= {var for var, _ in self.backward_layout.copies}
        for port in self.backward.program.ports(Role.SEED):
            if port.var in used:
                given[port.var.name] = f"{identifier(port.var.name)}_seq"
                seeds = f'{identifier(port.var.name)}_seq = seeds["{port.key}"]'
                lines += signed([seeds], self.signs, "backward", port.var.name)
        for port in self.backward.program.ports(Role.CARRY):
            given[port.var.name] = identifier(port.var.name)
            zeros = f"{identifier(port.var.name)} = np.zeros(({size_text(rows_of(port.var))}, batch), dtype)"
            lines += signed([zeros], self.signs, "backward", port.var.name)
        printer = Printer(self.backward, self.backward_layout, given, "backward", self.signs)
        body = printer.run()
        lines += [*_allocation(body.arrays), *self._assemble(printer, body, steps, backward=True)]
        outputs = self.backward.program.outputs
        found = {port.key: port.var for port in outputs if port.role is Role.GRADIENT}
        gradients = []
        for parameter in self.cell.parameters:
            rank = len(_shape(parameter))
            value = printer.parameter(found[parameter.name]) if parameter.name in found else None
            shape = "".join("[..., 0]" for _ in range((3 if parameter.per_step else 2) - rank))
            zero = f'np.zeros_like(packed.given["{parameter.name}"])'
            gradients.append(f'"{parameter.name}": {value + shape if value else zero}')
        inputs = [printer.sequence(port.var) for port in outputs if port.role is Role.INPUT]
        initial = []
        for state in self.cell.states:
            carry = next((p.var for p in self.backward.program.ports(Role.CARRY) if p.key == state.name), None)
            value = f"{identifier(carry.name)}.T" if carry else f"np.zeros((batch, {_extent(state.new)}), dtype)"
            initial.append(f'"{state.name}": {value}')
        lines += body.after
        given_input = "None" if not self.cell.inputs else f"{inputs[0]}.swapaxes(1, 2)" if inputs else _ZERO_INPUT
        starts = [f"initial {state.name}" for state in self.cell.states]
        lines += [*_dict("parameters", gradients), *signed(_dict("initial", initial), self.signs, "backward", *starts)]
        lines += [f"return Gradients(parameters, {given_input}, initial)"]
        return [*self._unpack(lines), *lines]

    def _assemble(self, printer: Printer, body: Body, steps: int | None, *, backward: bool) -> list[str]:
        if not body.loop:
            return body.before
        if steps is not None:
            return [*body.before, *printer.straight(backward, steps)]
        loop = [f"    {line}" for line in body.loop]
        return [*body.before, *printer.header(backward), *loop]

    def _unpack(self, lines: list[str]) -> list[str]:
        """Bring in the packed arrays and the sizes that the lines use."""
        text = "\n".join(lines)
        arrays = [name for name in self._array_names() if _uses(text, name)]
        packed = [f'{name} = packed.arrays["{name}"]' for name in arrays]
        sizes = [f'n_{size} = sizes["{size}"]' for size in self._sizes() if _uses(text, f"n_{size}")]
        return [*sizes, *packed]

    def _sizes(self) -> list[str]:
        return [str(size) for size in self.cell.sizes]

    def _pack_steps(self) -> list[Any]:
        steps = {step.target: step for plan in (self.forward, self.backward) for step in plan.of("pack")}
        return list(steps.values())

    def _array_names(self) -> list[str]:
        given = [port.var for port in self.forward.program.ports(Role.PARAMETER)]
        return list(dict.fromkeys(_array(var) for var in (*given, *(step.target for step in self._pack_steps()))))

    def _packed(self, users: list[str]) -> list[str]:
        """The body of prepare: the arrays that forward and backward ask for."""
        asked = set(re.findall(r'packed\.arrays\["(\w+)"\]', "\n".join(users)))
        wanted, kept = set(asked), []
        for step in reversed(self._pack_steps()):
            if _array(step.target) in wanted:
                kept.append(step)
                wanted.update(_array(arg) for arg in step.args)
        lines = []
        for port in self.forward.program.ports(Role.PARAMETER):
            if _array(port.var) in wanted:
                missing = 2 - len(port.var.shape)
                column = f".reshape(*given[{port.key!r}].shape{', 1' * missing})".replace("'", '"') if missing else ""
                lines.append(f'{_array(port.var)} = given["{port.key}"]{column}')
        lines += [f"{_array(step.target)} = {expression(step, _array)}" for step in reversed(kept)]
        text = "\n".join(lines)
        sizes = [f'n_{size} = sizes["{size}"]' for size in self._sizes() if _uses(text, f"n_{size}")]
        arrays = [f'"{name}": {name}' for name in self._array_names() if name in asked]
        kind = ["dtype = np.result_type(*given.values())"] if _uses(text, "dtype") else []
        return [*sizes, *kind, *lines, *_dict("arrays", arrays)]


_PARAMS = "params: Mapping[str, Any] | Packed"
_FORWARD_ARGUMENTS = (_PARAMS, "xs: Any", "initial: Mapping[str, Any] | None = None")
_STEP_ARGUMENTS = (_PARAMS, "x: Any", "states: Mapping[str, Any]")
_ZERO_INPUT = "np.zeros((steps, batch, sizes[INPUT]), dtype)"


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
    one = f"{names} = _arrays(dtype, {', '.join(shapes)})"
    return [one] if len(one) <= 110 else [f"{names} = _arrays(", "    dtype,", *(f"    {shape}," for shape in shapes), ")"]


def without_signs(signed: str) -> str:
    """The text as it is handed out."""
    return re.sub(rf"{SIGN}[{SIGN}0-9]*", "", signed)


def _equation(tex: str) -> str:
    return textwrap.fill(plain(tex), 120, initial_indent="    ", subsequent_indent="        ", break_long_words=False)


def _array(var: Var) -> str:
    return f"{identifier(var.name)}_seq" if var.per_step else identifier(var.name)


def _uses(text: str, name: str) -> bool:
    return name in _names(text)


@lru_cache(maxsize=16)
def _names(text: str) -> frozenset[str]:
    """The names in the code that are no attributes."""
    return frozenset(re.findall(r'(?<![\w".])[^\W\d]\w*(?![\w"])', re.sub(r"#.*", "", text)))


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


def _dict(name: str, entries: list[str]) -> list[str]:
    one = f"{name} = {{{', '.join(entries)}}}"
    return [one] if len(one) <= 110 else [f"{name} = {{", *(f"    {entry}," for entry in entries), "}"]


def _indent(lines: list[str]) -> str:
    return "\n".join(f"    {line}" if line else "" for line in lines)
