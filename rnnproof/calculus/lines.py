"""`lines_of(cell)`: the gradients of a cell as a person would write them down, every line with the rule that made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.adjoint_operations import Outer, Slope
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.formula_tex import Printer
from rnnproof.calculus.formulas import Reader, printed_names
from rnnproof.calculus.jacobian import Jacobian, frame_of, jacobian, within
from rnnproof.calculus.operations import Concat, Constant, Identity, Transpose
from rnnproof.calculus.program import Program, Role
from rnnproof.calculus.step_index import Index, index_of
from rnnproof.calculus.variables import Var
from rnnproof.equations.cell import Cell, State
from rnnproof.equations.plain_text import bare, plain
from rnnproof.errors import UsageError

MOST_STATES = 6  # of which all Jacobians stand on the page: 36, each with up to five paths through other states
_Line = tuple[str, tuple[str, ...], tuple[str, ...]]  # TeX, rules, values
_SILENT = Transpose | Slope | Constant | Identity | Outer | Concat  # written out in place however often they are read


class Part(Enum):
    """The parts of a derivation, in order."""

    EQUATIONS = "equations"
    FORWARD = "forward"
    BACKWARD = "backward"
    RECURSION = "recursion"
    GRADIENTS = "gradients"
    JACOBIANS = "jacobians"


@dataclass(frozen=True)
class DerivationStep:
    """One displayed line of a part; `rule` names the rules that made it, `of` the values it is about."""

    number: int
    part: Part
    tex: str
    rule: tuple[str, ...] = ()
    of: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The line for the terminal."""
        return plain(self.tex)


@dataclass(frozen=True)
class Gradient:
    """The gradient of the loss by one quantity: `tex` is the whole equation, `expression` its right side as a SymPy formula."""

    of: str
    left: str
    right: str
    expression: Any
    rule: tuple[str, ...]

    @property
    def tex(self) -> str:
        """The equation."""
        return f"{self.left} = {self.right}"

    @property
    def text(self) -> str:
        """The equation for the terminal."""
        return plain(self.tex)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Lines:
    """A cell, its forward and backward Programs, and the lines that a person reads; deterministic, byte for byte."""

    cell: Cell
    forward: Program
    backward: Program

    @cached_property
    def index(self) -> Index:
        """How the cell prints its steps."""
        return index_of(self.cell, self.forward)

    @cached_property
    def printer(self) -> Printer:
        """Prints this cell's formulas."""
        return Printer(self.cell.tex, self.index.steps)

    @cached_property
    def names(self) -> dict[Var, str]:
        """The printed symbol of every forward value that has one; what an activation is applied to gets one: a_{o_t}."""
        return printed_names(self.forward)

    @cached_property
    def symbols(self) -> dict[Var, str]:
        """The printed symbol of every value the backward step names."""
        reader = Reader(self.forward.producer(), self.names)
        forward = {port.var.name: port.var for port in self.forward.inputs}
        forward |= {step.target.name: step.target for step in self.forward.steps}
        outputs = {port.var: port for port in self.backward.outputs}
        users = self.backward.users()
        symbols = dict(self.names)
        for port in self.backward.inputs:
            state = self._new(port.key).tex if port.role in (Role.SEED, Role.CARRY) else ""
            if state:
                symbols[port.var] = rf"\nabla_{{{state}}}" if port.role is Role.SEED else rf"\delta^{{+}}_{{{state}}}"
        for step in self.backward.steps:
            var = step.target
            of = forward.get(var.name.removeprefix("d_"))
            read = sum(user.args.count(var) for user in users.get(var, []))
            if var in outputs:
                symbols[var] = self._left(outputs[var].role, of or var)
            elif of is not None and (of in self.names or (read > 1 and not isinstance(step.op, _SILENT))):
                symbols[var] = rf"\delta_{{{self.printer(reader.value(of))}}}"
        return symbols

    def _new(self, state: str) -> Var:
        return self.forward.port(Role.NEW, state, out=True).var

    def _left(self, role: Role, of: Var) -> str:
        if role is Role.CARRY:
            return rf"\delta^{{+}}_{{{of.tex}}}"
        return rf"\frac{{\partial \mathcal{{L}}}}{{\partial {of.tex}}}"

    @cached_property
    def steps(self) -> tuple[DerivationStep, ...]:
        """Every line in order: equations, forward, one step backward, the recursion, the gradients, the Jacobians."""
        lines: list[tuple[Part, str, tuple[str, ...], tuple[str, ...]]] = []
        lines += [(Part.EQUATIONS, tex, (), self._values(tex)) for tex in self.equations]
        lines += [(Part.FORWARD, *line) for line in self._forward_lines()]
        lines += [(Part.BACKWARD, *line) for line in self._backward_lines()]
        lines += [(Part.RECURSION, *line) for line in self._recursion_lines()]
        lines += [(Part.GRADIENTS, *line) for line in self._gradient_lines()]
        lines += [(Part.JACOBIANS, line, (), ()) for jacobian in self.shown_jacobians for line in jacobian.formulas]
        return tuple(DerivationStep(number, *line) for number, line in enumerate(lines, start=1))

    @cached_property
    def equations(self) -> tuple[str, ...]:
        """The cell's equations as printed (written out where they came without print), bodies of its functions last."""
        named = {var: tex for var, tex in self.names.items() if var.tex}
        reader = Reader(self.forward.producer(), named)
        written = {
            var.name: f"{tex} = {self.printer(reader.definition(var))}" for var, tex in named.items() if var in reader.steps
        }
        printed = [equation.tex or written.get(equation.symbol.name, "") for equation in self.cell.equations]
        return tuple(tex for tex in (*printed, *(body.tex for body in self.cell.bodies)) if tex)

    def _forward_lines(self) -> Iterable[_Line]:
        reader = Reader(self.forward.producer(), self.names)
        for step in self.forward.steps:
            if step.target in self.names:
                line = f"{self.names[step.target]} = {self.printer(reader.definition(step.target))}"
                yield line, reader.operations(step.target), (step.target.name,)

    def _values(self, tex: str) -> tuple[str, ...]:
        """The forward values that an equation defines."""
        return tuple(step.target.name for step in self.forward.steps if step.tex == tex and step.target in self.names)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.forward.producer() | self.backward.producer(), self.symbols)

    def _line(self, var: Var) -> _Line:
        line = f"{self.symbols[var]} = {self.printer(self._reader.definition(var))}"
        step = self.backward.producer()[var]
        sent_in = [arg.name for arg in step.args if len(step.args) == 1 and arg in self._seeds]  # nothing but that
        return line, self._reader.rules(var), (var.name, *sent_in)

    @cached_property
    def _seeds(self) -> frozenset[Var]:
        return frozenset(port.var for port in self.backward.ports(Role.SEED))

    def _backward_lines(self) -> Iterable[_Line]:
        outputs = {port.var for port in self.backward.outputs}
        for step in self.backward.steps:
            if step.target in self.symbols and step.target not in outputs and step.target.per_sample:
                yield self._line(step.target)

    def _recursion_lines(self) -> Iterable[_Line]:
        for port in self.backward.ports(Role.CARRY, out=True):
            yield self._line(port.var)
        for port in self.backward.ports(Role.CARRY):
            yield rf"{self.symbols[port.var]} = 0 \quad \text{{at }} {self.index.final}", (), (port.var.name,)
        for port in self.backward.ports(Role.CARRY, out=True):
            yield self.gradient(of=f"{port.key}_0").tex, (), (f"initial {port.key}",)

    def _gradient_lines(self) -> Iterable[_Line]:
        producer = self.backward.producer()
        printed: set[Var] = set()

        def lines(var: Var) -> Iterable[_Line]:
            """Its own line, after those of the sums over steps it needs."""
            if var in printed or var not in producer:
                return
            printed.add(var)
            for arg in producer[var].args:
                if not arg.per_sample:
                    yield from lines(arg)
            if var in self.symbols:
                yield self._line(var)

        for port in (*self.backward.ports(Role.GRADIENT, out=True), *self.backward.ports(Role.INPUT, out=True)):
            yield from lines(port.var)

    @cached_property
    def jacobians(self) -> tuple[Jacobian, ...]:
        """Every state's new value by every state's old value, where it is not zero."""
        return self._jacobians((target, source) for target in self.recurrent for source in self.recurrent)

    @cached_property
    def shown_jacobians(self) -> tuple[Jacobian, ...]:
        """Those that stand on the page: all of them, or with more than six states each state's by its own old value."""
        if len(self.recurrent) <= MOST_STATES:
            return self.jacobians
        return self._jacobians((state, state) for state in self.recurrent)

    @cached_property
    def recurrent(self) -> tuple[State, ...]:
        """The states whose old value is read."""
        return tuple(state for state in self.cell.states if state.old is not None)

    def _jacobians(self, states: Iterable[tuple[State, State]]) -> tuple[Jacobian, ...]:
        pairs = [(target.new, source.old) for target, source in states if source.old is not None]
        jacobians = []
        frame = frame_of(self.cell)
        for new, before in pairs:
            with suppress(UsageError):  # a state that is a matrix, or one that a matrix depends on, has no matrix formula
                jacobians.append(within(frame, new.name, before.name))
        return tuple(jacobian for jacobian in jacobians if not jacobian.is_zero)

    def gradient(self, of: str) -> Gradient:
        """The gradient by a parameter ("W_i"), the input ("x" or "inputs") or an initial state ("h_0").

        A sum over the steps stands for one sequence; a batch adds its samples up. Raises UsageError, listing the names, for
        any other name.
        """
        if bare(of) not in self._gradients:
            listed = ", ".join(port.key if port.role is not Role.CARRY else f"{port.key}_0" for port in self.backward.outputs)
            raise UsageError(f"no gradient of {of!r} in cell {self.cell.name}; there is one of each of {listed}")
        var, start = self._gradients[bare(of)]
        if start:
            left = rf"\frac{{\partial \mathcal{{L}}}}{{\partial {start}}}"
            first = rf"\quad \text{{handed back by the step }} {self.index.letter} = {0 if self.index.ahead else 1}"
            return Gradient(of, left, rf"\delta^{{+}}_{{{start}}} {first}", self._reader.definition(var), ())
        expression = self._reader.definition(var)
        return Gradient(of, self.symbols[var], self.printer(expression), expression, self._reader.rules(var))

    @cached_property
    def _gradients(self) -> Mapping[str, tuple[Var, str]]:
        """The gradient that each name stands for, and of an initial state how that is printed."""
        known: dict[str, tuple[Var, str]] = {}
        lone = len(self.cell.inputs) == 1
        for port in self.backward.outputs:
            if port.role is Role.CARRY:
                start = self.index.initial(self._old(port.key).tex, port.key)
                known[f"{port.key}_0"] = known[bare(start)] = (port.var, start)
            else:
                tex = self._tex(port.role, port.key)
                for name in (port.key, tex, *(("inputs", "input") if lone and port.role is Role.INPUT else ())):
                    known[bare(name)] = (port.var, "")
        return known

    def _old(self, state: str) -> Var:
        return self.forward.port(Role.OLD, state).var

    def _tex(self, role: Role, key: str) -> str:
        return self.forward.port(Role.PARAMETER if role is Role.GRADIENT else role, key).var.tex

    def jacobian(self, target: str, source: str) -> Jacobian:
        """The Jacobian of one value by another; see `rnnproof.calculus.jacobian.jacobian`."""
        return jacobian(self.cell, target, source)


def lines_of(cell: Cell) -> Lines:
    """The lines of a cell's derivation, for any sizes; functions left open stay open."""
    forward = flatten(cell)
    return Lines(cell, forward, adjoint(forward))
