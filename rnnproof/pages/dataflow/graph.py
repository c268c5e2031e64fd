"""Cell -> the graph of one step: sources, boxes of weights and functions, elementwise operations, sinks.

Values that vary over the samples flow along edges. What is made of parameters alone does not: it is written into the box that
uses it, so W x_t + R h_{t-1} + b is one box that says W, R, b.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp

from rnnproof.calculus import matrix_expressions
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.formula_tex import Printer, function_tex
from rnnproof.calculus.formulas import Reader
from rnnproof.calculus.intervals import intervals
from rnnproof.calculus.operation_base import OPERATIONS
from rnnproof.calculus.operations import Add, Call, Dot, Hadamard, Map, Matmul, Scale
from rnnproof.calculus.program import Program, Role, Step
from rnnproof.calculus.variables import Var
from rnnproof.equations.cell import Cell
from rnnproof.equations.plain_text import plain
from rnnproof.pages.dataflow.direct import Ways, direct

SOURCES = ("input", "given", "old")


@dataclass(frozen=True)
class Node:
    """One thing drawn.

    Kinds: input, given (a constant of the data), old and new (a state), weights, gate (a function with values from 0 to 1),
    function, open (a function left open), operation; joint, where lines meet, is the layout's. `weights` and `sign` are TeX and
    stand in the node; `value` is the TeX of the named value that it makes, `leaves` whether that is a state's new one; `says`
    is its formula in plain text.
    """

    name: str
    kind: str
    sign: str = ""
    weights: tuple[str, ...] = ()
    value: str = ""
    leaves: bool = False
    says: str = ""

    @property
    def label(self) -> str:
        """What stands beside it; what leaves has its name where it leaves."""
        return "" if self.leaves else self.value


@dataclass(frozen=True)
class Edge:
    """A value going from one node to another; `direct` on a state's direct way."""

    source: str
    target: str
    direct: bool = False


@dataclass(frozen=True)
class Graph:
    """The picture's content; `ways` are the (old, new) symbols in TeX of the states that have a direct way."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    ways: tuple[tuple[str, str], ...]


def graph(cell: Cell) -> Graph:
    """The dataflow graph of a cell's forward step."""
    return _Drafter(cell).graph()


@dataclass
class _Term:
    """One addend: weights times a value; `into` is the value that the argument goes into first."""

    argument: Var
    into: Var
    weights: list[Any] = field(default_factory=list)
    matrix: bool = False
    factor: Any = sp.S.One


class _Drafter:
    def __init__(self, cell: Cell) -> None:
        self.program: Program = flatten(cell)
        self.steps = self.program.producer()
        self.intervals = intervals(self.program)
        self.uses = Counter(arg for step in self.program.steps for arg in step.args)
        self.uses.update(port.var for port in self.program.outputs)
        self.outputs = {port.var for port in self.program.outputs}
        self.ways: Ways = direct(self.program)
        self.printer = Printer(cell.tex)
        self.functions = cell.tex
        self.weights = Reader(self.steps, {port.var: port.var.tex for port in self.program.ports(Role.PARAMETER)})
        named = {step.target: step.target.tex for step in self.program.steps if step.target.tex}
        self.values = Reader(self.steps, {port.var: port.var.tex for port in self.program.inputs} | named)
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.made: dict[Var, str] = {}

    def graph(self) -> Graph:
        for role, kind in ((Role.INPUT, "input"), (Role.CONSTANT, "given"), (Role.OLD, "old")):
            for port in self.program.ports(role):
                self.made[port.var] = self.add(Node(f"{role} {port.key}", kind, port.var.tex, says=plain(port.var.tex)))
        for step in self.program.steps:  # in order, so that only what is written out inside an equation is made on demand
            if step.target.per_sample and not self.inner(step.target):
                self.node(step.target)
        for port in self.program.outputs:
            sink = self.add(Node(f"new {port.key}", "new", port.var.tex, says=plain(port.var.tex)))
            self.edges.append(Edge(self.node(port.var), sink, port.var in self.ways.ends))
        return Graph(tuple(self.nodes.values()), tuple(self.edges), tuple((old.tex, new.tex) for old, new in self.ways.pairs))

    def add(self, node: Node) -> str:
        self.nodes[node.name] = node
        return node.name

    def edge(self, source: Var, target: str, into: Var) -> None:
        self.edges.append(Edge(self.node(source), target, (source, into) in self.ways.links))

    def node(self, var: Var) -> str:
        """The node that makes a value."""
        if var not in self.made:
            if not var.per_sample:
                self.made[var] = self.box(var, f"{var.name} weights", "weights", [self.weights.value(var)])
            else:
                self.made[var] = _ROWS[self.steps[var].op.name](self, self.steps[var])
        return self.made[var]

    def box(self, var: Var, name: str, kind: str, weights: list[Any], sign: str = "") -> str:
        """A node for `var`, or for a part of it that has a name of its own."""
        printed = tuple(dict.fromkeys(map(self.printer, weights)))
        if name != var.name:
            return self.add(Node(name, kind, sign, printed))
        return self.add(Node(name, kind, sign, printed, var.tex, var in self.outputs, self.says(var)))

    def says(self, var: Var) -> str:
        formula = self.printer(self.values.definition(var))
        return plain(f"{var.tex} = {formula}" if var.tex else formula)

    def inner(self, var: Var) -> bool:
        """Whether a value has no name and one reader, so that it may be drawn as a part of that."""
        return not var.tex and self.uses[var] == 1 and var in self.steps and var.per_sample

    def linear(self, var: Var) -> tuple[Any, Var] | None:
        """(weight, value) of a product with something made of parameters, or None."""
        step = self.steps.get(var)
        if step is None or not isinstance(step.op, _LINEAR):
            return None
        values = [arg for arg in step.args if arg.per_sample]
        others = [arg for arg in step.args if not arg.per_sample]
        return (self.weights.value(others[0]), values[0]) if len(values) == 1 else None

    def term(self, factor: Any, var: Var, into: Var, whole: bool = False) -> _Term:
        """An addend of `into` taken apart into weights and a value; `whole`: it is that value itself."""
        leaf = _Term(var, into, factor=factor)
        while (whole or self.inner(leaf.argument)) and (product := self.linear(leaf.argument)):
            leaf.into, whole = leaf.argument, False
            leaf.matrix |= isinstance(self.steps[leaf.argument].op, Matmul | Dot)
            leaf.weights.append(product[0])
            leaf.argument = product[1]
        return leaf

    def affine(self, var: Var) -> tuple[list[Any], list[_Term], list[_Term]]:
        """(weights, the terms that they multiply, the other addends) of a value; no weights where it is no affine map.

        A sum is an affine map where one of its weights is a matrix; otherwise its addends are drawn one by one.
        """
        step = self.steps[var]
        if not isinstance(step.op, Add):
            term = self.term(sp.S.One, var, var, whole=True)
            return (term.weights, [term], []) if term.weights else ([], [], [term])
        pairs = list(zip(step.op.factors, step.args, strict=True))
        terms = [self.term(k, arg, var) for k, arg in pairs if arg.per_sample]
        if not any(term.matrix for term in terms):
            return [], [], [_Term(arg, var, factor=k) for k, arg in pairs]
        linear = [term for term in terms if term.weights]
        weights = [
            weight for term in linear for weight in (matrix_expressions.scaled(term.factor, term.weights[0]), *term.weights[1:])
        ]
        weights += [matrix_expressions.scaled(k, self.weights.value(arg)) for k, arg in pairs if not arg.per_sample]
        return weights, linear, [term for term in terms if not term.weights]

    def sum(self, step: Step) -> str:
        """An affine map, a sum, or both where a sum has addends that no weights multiply."""
        var = step.target
        weights, terms, rest = self.affine(var)
        if not weights:
            return self.plain_sum(var, rest)
        name = self.box(var, f"{var.name} affine" if rest else var.name, "weights", weights)
        for term in terms:
            self.edge(term.argument, name, term.into)
        if not rest:
            return name
        whole = self.operation(var, "+")
        self.edges.append(Edge(name, whole, any((term.argument, term.into) in self.ways.links for term in terms)))
        for term in rest:
            self.addend(term, whole, var)
        return whole

    def plain_sum(self, var: Var, addends: list[_Term]) -> str:
        """Addends that no matrix multiplies; one value and numbers or parameters, such as 1 - z, is an operation on it."""
        values = [term for term in addends if term.argument.per_sample]
        if len(values) > 1:
            name = self.operation(var, "+")
            for term in addends:
                self.addend(term, name, var)
            return name
        (value,) = values
        fixed = [
            self.printer(matrix_expressions.scaled(t.factor, self.weights.value(t.argument))) for t in addends if t is not value
        ]
        number = "-" if value.factor == -1 else self.printer(value.factor) if value.factor != 1 else ""
        words = [*fixed, *(["+"] if fixed and number != "-" else []), *([number] if number else [])]
        name = self.operation(var, " ".join(words) or "=")
        self.edge(value.argument, name, var)
        return name

    def addend(self, term: _Term, target: str, into: Var) -> None:
        """A line into a sum, through an operation of its own where a number multiplies it."""
        if term.factor == 1:
            self.edge(term.argument, target, into)
            return
        sign = "-" if term.factor == -1 else self.printer(term.factor)
        name = self.add(Node(f"{into.name} {term.argument.name} factor", "operation", sign))
        self.edge(term.argument, name, into)
        self.edges.append(replace(self.edges[-1], source=name, target=target))

    def operation(self, var: Var, sign: str) -> str:
        return self.box(var, var.name, "operation", [], sign)

    def product(self, step: Step) -> str:
        """Weights times a value, or a product of values."""
        var = step.target
        if self.linear(var):
            return self.sum(step)
        name = self.operation(var, _SIGNS[step.op.name] if var.shape else r"\times")
        waiting = [(arg, var) for arg in reversed(step.args)]
        while waiting:
            arg, into = waiting.pop()
            if step.op == Hadamard() and self.inner(arg) and self.steps[arg].op == Hadamard() and not self.linear(arg):
                waiting += [(deeper, arg) for deeper in reversed(self.steps[arg].args)]
            else:
                self.edge(arg, name, into)
        return name

    def function(self, step: Step) -> str:
        """A function; one box with the affine map before it where nothing else reads that and it has no name."""
        var, argument = step.target, step.args[0]
        if isinstance(step.op, Call):
            kind, sign = "open", self.functions.get(step.op.function.name, step.op.function.name)
        else:
            low, high = self.intervals[var]
            kind, sign = ("gate" if low >= 0 and high <= 1 else "function"), function_tex(step.as_op(Map).function)
        weights, terms, rest = self.affine(argument) if self.inner(argument) else ([], [], [])
        if not weights or rest:
            name = self.box(var, var.name, kind, [], sign)
            self.edge(argument, name, var)
            return name
        name = self.box(var, var.name, kind, weights, sign)
        for term in terms:
            self.edge(term.argument, name, term.into)
        return name

    def other(self, step: Step) -> str:
        """Any other operation: a sign, and its arguments."""
        name = self.operation(step.target, _SIGNS[step.op.name])
        for arg in step.args:
            self.edge(arg, name, step.target)
        return name


_LINEAR = Matmul | Dot | Hadamard | Scale
_SIGNS = {
    "hadamard": r"\odot",
    "quotient": r"\oslash",
    "scale": r"\times",
    "matmul": r"\times",
    "dot": r"\langle\,,\rangle",
    "concat": "[\\,;\\,]",
    "slice": "[\\,:\\,]",
    "transpose": r"\top",
    "constant": "",
    "identity": "",
}
_ROWS: dict[str, Callable[[_Drafter, Step], str]] = {
    "add": _Drafter.sum,
    "matmul": _Drafter.product,
    "dot": _Drafter.product,
    "hadamard": _Drafter.product,
    "scale": _Drafter.product,
    "map": _Drafter.function,
    "call": _Drafter.function,
    "quotient": _Drafter.other,
    "concat": _Drafter.other,
    "slice": _Drafter.other,
    "transpose": _Drafter.other,
    "constant": _Drafter.other,
    "identity": _Drafter.other,
}
_FORWARD = {name for name, operation in OPERATIONS.items() if operation.in_equations}
if set(_ROWS) != _FORWARD or set(_SIGNS) - _FORWARD:
    raise AssertionError(f"operations that cannot be drawn: {set(_ROWS) ^ _FORWARD}")
