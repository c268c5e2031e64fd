"""The text of a module against the lowered Programs it was printed from."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from rnnproof.calculus.program import Port, Program, Role
from rnnproof.generation.numpy.validation.execution import PACKS_LATE, Execution
from rnnproof.generation.numpy.validation.meaning import leaf, values
from rnnproof.generation.numpy.validation.memory import Array, Operand, View
from rnnproof.generation.numpy.validation.module_tables import check_tables
from rnnproof.generation.numpy.validation.symbolic_values import Terms, ValidationError, Value


def validate(text: str, forward: Program, backward: Program) -> None:
    """Raises ValidationError, naming statement, array and value, unless the text computes these lowered Programs."""
    _Validator(text, forward, backward).run()


class _Validator:
    def __init__(self, text: str, forward: Program, backward: Program) -> None:
        self.module = Functions(text, forward.name)
        self.forward, self.backward = forward, backward
        self.terms = Terms()
        self.values = values(forward, self.terms, {port.var: self._leaf(port) for port in forward.inputs})
        taped = {port.var: self.values[port.var] for port in backward.ports(Role.TAPE) if port.var in self.values}
        arriving = {port.var: self._leaf(port) for port in backward.inputs if port.role is not Role.TAPE}
        self.gradients = values(backward, self.terms, {**taped, **arriving})
        self.initial = {port.key: self._leaf(port, "initial") for port in forward.ports(Role.OLD)}
        self.parameters = {
            port.key: Operand(self.values[port.var], "tp" if port.var.per_step else "p", dropped=2 - len(port.var.shape))
            for port in forward.ports(Role.PARAMETER)
        }
        self.known = len(self.terms.keys)

    def _leaf(self, port: Port, role: str = "") -> Value:
        return leaf(self.terms, role or str(port.role), port.key, port.var)

    def run(self) -> None:
        check_tables(self.module.around[0], self.forward, self.terms)
        packed = self._packed()
        tape = self._forward(packed)
        self._backward(packed, tape)

    def _packed(self) -> Mapping[str, Any]:
        """The arrays that `prepare` makes of the parameters."""
        name = "_pack" if "_pack" in self.module.nodes else "prepare"
        execution = Execution(self.terms, self.known, {"given": self.parameters})
        if name == "_pack":
            execution.scope.names.update({"given": self.parameters, "sizes": {}})
        self._execute(name, execution)
        self.module.expect(name, execution, "arrays" if name == "_pack" else "Packed(sizes, given, arrays)")
        arrays: Mapping[str, Any] = _table(execution, "arrays")
        return arrays

    def _forward(self, packed: Mapping[str, Any]) -> dict[str, Value]:
        """What forward keeps for backward."""
        names: dict[str, Any] = {"packed.arrays": packed}
        names["first"] = {key: _given(key, "rb", value) for key, value in self.initial.items()}
        names["fixed"] = {p.key: _given(p.key, "trb", self.values[p.var]) for p in self.forward.ports(Role.CONSTANT)}
        inputs = {port.key: _given("xs", "tbr", self.values[port.var]) for port in self.forward.ports(Role.INPUT)}
        if inputs:
            names["xs"] = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        new = {port.key: self.values[port.var] for port in self.forward.ports(Role.NEW, out=True)}
        states = {port.key: (self.values[port.var], new[port.key]) for port in self.forward.ports(Role.OLD)}
        execution = self._execute("forward", Execution(self.terms, self.known, names, states=states))
        if (PACKS_LATE in execution.begun) != ("_pack" in self.module.nodes):
            raise self.module.fault("forward", None, "should pack the parameters where prepare has not done so")
        self.module.expect("forward", execution, "Trace(states, packed._replace(sizes=sizes), tape)")
        self._holds("forward", _table(execution, "states"), "states", "tbr", new)
        tape = _table(execution, "tape")
        taped = {p.key: self.values[p.var] for p in self.backward.ports(Role.TAPE) if p.key in tape and p.var in self.values}
        self._holds("forward", tape, "tape", "trb", taped)
        return taped

    def _backward(self, packed: Mapping[str, Any], tape: Mapping[str, Value]) -> None:
        names: dict[str, Any] = {"packed.arrays": packed, "packed.given": self.parameters}
        names["tape"] = {key: _given(key, "trb", value) for key, value in tape.items()}
        names["seeds"] = {p.key: _given(p.key, "trb", self.gradients[p.var]) for p in self.backward.ports(Role.SEED)}
        out = {port.key: self.gradients[port.var] for port in self.backward.ports(Role.CARRY, out=True)}
        arriving = {port.key: self.gradients[port.var] for port in self.backward.ports(Role.CARRY)}
        carries = {key: (value, out.get(key, value)) for key, value in arriving.items()}  # what nothing adds to stays zero
        execution = self._execute("backward", Execution(self.terms, self.known, names, carries=carries, backward=True))
        self._holds_gradients(_table(execution, "parameters"))
        states = self.forward.ports(Role.NEW, out=True)
        zeros = {port.key: self.terms.zeros(self.terms.rows(self.values[port.var])) for port in states}
        starts = {key: carries[key][1] if key in carries else zeros[key] for key in zeros}
        self._holds("backward", _table(execution, "initial"), "initial", "br", starts)
        last = execution.returned.args[1] if isinstance(execution.returned, ast.Call) else ast.Constant(None)
        self.module.expect("backward", execution, f"Gradients(parameters, {ast.unparse(last)}, initial)")
        found = {port.key: self.gradients[port.var] for port in self.backward.ports(Role.INPUT, out=True)}
        due = {}
        for port in self.forward.ports(Role.INPUT):
            due[port.key] = found.get(port.key, self.terms.zeros(self.terms.rows(self.values[port.var])))
        if len(due) > 1:
            self.module.expect("backward", execution, "Gradients(parameters, inputs, initial)")
            self._holds("backward", _table(execution, "inputs"), "inputs", "tbr", due)
        elif due:
            given = {key: execution.scope.expression(last) for key in due}
            self._holds("backward", given, "Gradients", "tbr", due)
        elif ast.unparse(last) != "None":
            raise self.module.fault("backward", None, "returns a gradient of the inputs, and there are none")

    def _execute(self, name: str, execution: Execution) -> Execution:
        """Execute a function; a fault is told with its line."""
        try:
            execution.run(self.module.nodes[name])
        except ValidationError as error:
            raise self.module.fault(name, execution.node, str(error)) from error
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # a form that no honest text has
            raise self.module.fault(name, execution.node, f"cannot be executed: {error!r}") from error
        return execution

    def _holds(self, name: str, table: Mapping[str, Any], called: str, axes: str, due: Mapping[str, Value]) -> None:
        """A table that a function returns holds what is due, when the function ends."""
        self._has_keys(name, table, called, due)
        for key, value in due.items():
            entry = table[key]
            if not isinstance(entry, (View, Operand)):
                raise self.module.fault(name, None, f"{called}[{key!r}] is no array")
            try:
                holds = entry.read(self.terms) if isinstance(entry, View) else entry.value
            except ValidationError as error:
                raise self.module.fault(name, None, f"{called}[{key!r}] {error}") from error
            if holds != value or entry.axes != axes:
                should, text = self.terms.describe(value), self.terms.describe(holds)
                what = f"{called}[{key!r}] should hold {should} with axes {axes}; it holds {text} with axes {entry.axes}"
                raise self.module.fault(name, None, what)

    def _holds_gradients(self, table: Mapping[str, Any]) -> None:
        """Each parameter's gradient is there, without the axes that the parameter lacks as well."""
        self._has_keys("backward", table, "parameters", self.parameters)
        due = {port.key: self.gradients[port.var] for port in self.backward.ports(Role.GRADIENT, out=True)}
        for key, parameter in self.parameters.items():
            value = due.get(key) or self.terms.value(None, "zeros_like", parameter.value)
            entry = table[key]
            if not isinstance(entry, Operand):
                raise self.module.fault("backward", None, f"parameters[{key!r}] is no gradient of a parameter")
            shape = (entry.axes, entry.dropped) == (parameter.axes, parameter.dropped)
            if entry.value != value or not shape:
                should, holds = self.terms.describe(value), self.terms.describe(entry.value)
                what = f"parameters[{key!r}] should hold {should} in the shape of {key}; it holds {holds}"
                raise self.module.fault("backward", None, what)

    def _has_keys(self, name: str, table: Mapping[str, Any], called: str, due: Iterable[str]) -> None:
        if set(table) != set(due):
            raise self.module.fault(name, None, f"{called} has {', '.join(table)} where {', '.join(due)} is due")


def _signatures(late: bool, constants: bool) -> tuple[str, ...]:
    more = ", *, constants: Mapping[str, Any]" if constants else ""
    signatures = (
        "def prepare(params: Mapping[str, Any]) -> Packed:",
        *(["def _pack(given: dict[str, Array], sizes: dict[str, int]) -> dict[str, Array]:"] if late else []),
        f"def forward(params: Mapping[str, Any] | Packed, xs: Any, initial: Mapping[str, Any] | None = None{more}) -> Trace:",
        "def backward(trace: Trace, d_states: Mapping[str, Any]) -> Gradients:",
    )
    return tuple("".join(signature.split()) for signature in signatures)


_SIGNATURES = frozenset(_signatures(late, constants) for late in (True, False) for constants in (True, False))
_PREPARE = ["given, sizes = _checked(params, SIGNATURE)", "return Packed(sizes, given, {})"]


class Functions:
    """The functions of a module that differ from cell to cell."""

    def __init__(self, text: str, cell: str) -> None:
        start, stop = text.index("\ndef prepare(") + 1, text.index("\ndef step(")
        self.cell, self.before, self.lines = cell, text.count("\n", 0, start), text[start:stop].split("\n")
        self.around = text[:start], text[stop:]
        body = ast.parse(text[start:stop]).body
        self.nodes = {node.name: node for node in body if isinstance(node, ast.FunctionDef) and not node.decorator_list}
        signatures = tuple(self._signature(node) for node in self.nodes.values())
        if len(self.nodes) != len(body) or signatures not in _SIGNATURES:
            raise ValidationError(f"cell {cell}: the functions of its module, as generated, are not the due ones")
        if "_pack" in self.nodes and [ast.unparse(line) for line in self.nodes["prepare"].body[1:]] != _PREPARE:
            raise self.fault("prepare", None, "should check the parameters, and leave the rest to _pack")

    def _signature(self, node: ast.FunctionDef) -> str:
        """What stands ahead of the docstring, without blanks."""
        return "".join("".join(self.lines[node.lineno - 1 : node.body[0].lineno - 1]).split())

    def expect(self, name: str, execution: Execution, returned: str) -> None:
        """The function returns just that."""
        if execution.returned is None or ast.unparse(execution.returned) != returned:
            raise self.fault(name, execution.node, f"should return {returned}")

    def fault(self, name: str, node: ast.stmt | None, what: str) -> ValidationError:
        """A fault at a statement, or of the function as a whole."""
        line = (node or self.nodes[name]).lineno
        where = f"line {line + self.before}: {self.lines[line - 1].strip()}: " if node else ""
        return ValidationError(f"cell {self.cell}: {name}, as generated: {where}{what}")


def _table(execution: Execution, name: str) -> Mapping[str, Any]:
    """A table that a function has made; empty where it has not."""
    table: Mapping[str, Any] = execution.scope.names.get(name, {})
    return table


def _given(name: str, axes: str, value: Value) -> View:
    """An array of the caller."""
    array = Array(name, axes, sum(stop - start for _, start, stop in value), writable=False)
    array.fill("", value)
    return View.whole(array)
