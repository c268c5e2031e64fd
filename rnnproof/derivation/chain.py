"""The chain rule for Jacobians through one step: a row for each operation.

A Jacobian is a sum of terms k * s * diag(u) * M (number, scalars, elementwise factors, matrices). Every factor carries how
large it can get, so a bound comes with the formula.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import sympy as sp

from rnnproof.derivation import bounds, formulas
from rnnproof.derivation.formulas import OpenJacobian, Reader
from rnnproof.derivation.index import index_of, moved
from rnnproof.derivation.latex import Printer
from rnnproof.derivation.operations import OPERATIONS
from rnnproof.derivation.program import Program, Step, Var
from rnnproof.derivation.terms import Factor, Term, Terms, collect, formula, norm, times, written_length
from rnnproof.documents.plain import bare, plain
from rnnproof.equations.cell import Cell
from rnnproof.errors import UsageError

_LONGEST = 60  # symbols in a Jacobian that is written wherever it is read: a line or two of print


@dataclass
class _Reached:
    """What the chain rule has found from one source: each value's terms; the names of the long ones, and their formulas."""

    terms: dict[Var, Terms]
    named: dict[Var, Terms] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)


class Frame:
    """One cell's program with its printed names."""

    def __init__(self, cell: Cell, program: Program) -> None:
        self.cell = cell
        self.program = program
        self.steps = program.producer()
        self.intervals = bounds.intervals(program.steps)
        self.names = formulas.printed_names(program)
        self.reader = Reader(self.steps, self.names)
        self.index = index_of(cell, program)
        functions = {cell.tex.get(name, name) for name in (*cell.open_functions, *(body.name for body in cell.bodies))}
        indexed = {tex for tex in functions if self.index.shows_in(tex)}
        self.located = frozenset(functions - indexed)
        named = {tex for var, tex in self.names.items() if var.per_step} | indexed
        self._from: dict[Var, _Reached] = {}
        self._needed: dict[Var, Sequence[Step]] = {}
        self._reads = Counter(arg for step in program.steps for arg in step.args)
        self._varying = frozenset(named | {_norm_name(tex) for tex in named} | {_jacobian_norm(tex) for tex in indexed})

    @property
    def varying(self) -> frozenset[str]:
        """The names that show the step."""
        return self._varying.union(*(reached.parts for reached in self._from.values()))

    def earlier(self, value: Any) -> Any:
        """A formula one step before."""
        return moved(value, self.varying, self.index, -1)

    def find(self, name: str) -> Var:
        """The value of that printed or plain name."""
        if bare(name) not in self._known:
            listed = ", ".join(dict.fromkeys(plain(tex) for tex in self.names.values()))
            raise UsageError(f"cell {self.cell.name} has no value named {name!r}; its values are {listed}")
        return self._known[bare(name)]

    @cached_property
    def _known(self) -> Mapping[str, Var]:
        known: dict[str, Var] = {}
        for role, suffixes in (("old", ("_prev", "_old")), ("new", ("",))):
            for port in self.program.ports(role, out=role == "new"):
                known.update({f"{port.key}{suffix}": port.var for suffix in suffixes})
        return {bare(var.name): var for var in self.names} | {bare(tex): var for var, tex in self.names.items()} | known

    def shape(self, target: Var, source: Var) -> tuple[Any, Any]:
        for var in (target, source):
            if len(var.shape) == 2:
                raise UsageError(f"{plain(self.names[var])} is a matrix; a Jacobian is of a vector or a scalar by another")
        return (target.shape[0] if target.shape else sp.S.One, source.shape[0] if source.shape else sp.S.One)

    def terms(self, target: Var, source: Var) -> Terms:
        """The Jacobian's terms; raises UsageError where it is no matrix formula."""
        self.columns = self.shape(target, source)[1]
        if source not in self._from:
            self._from[source] = _Reached({source: (Term(),)})
        reached = self._from[source]
        if target not in reached.terms:
            for step in self._before(target):
                if step.target not in reached.terms:
                    self._reach(step, source, reached)
        return reached.terms.get(target, ())

    def _before(self, target: Var) -> Sequence[Step]:
        """The steps up to the one that makes `target`, of which it is made."""
        if target not in self._needed:
            needed, waiting = {target}, [target]
            while waiting:
                step = self.steps.get(waiting.pop())
                fresh = [arg for arg in step.args if arg not in needed] if step is not None else []
                needed.update(fresh)
                waiting += fresh
            self._needed[target] = [step for step in self.program.steps if step.target in needed]
        return self._needed[target]

    def _reach(self, step: Step, source: Var, reached: _Reached) -> None:
        """The chain rule through one step; what is long and read more than once gets a name and is written once."""
        parts = tuple(reached.named.get(arg, reached.terms.get(arg, ())) for arg in step.args)
        terms = collect(JACOBIANS[step.op](self, step, parts)) if any(parts) else ()
        reached.terms[step.target] = terms
        if step.target in self.names and self._reads[step.target] > 1 and written_length(terms) > _LONGEST:
            shape = self.shape(step.target, source)
            tex = rf"\frac{{\partial {self.names[step.target]}}}{{\partial {self.names[source]}}}"
            size = norm(terms)
            named = Factor(
                formulas.symbol(tex, () if shape == (1, 1) else shape), size if sp.count_ops(size) < _LONGEST else sp.oo
            )
            reached.named[step.target] = (Term(scalars=(named,)) if shape == (1, 1) else Term(rest=(named,)),)
            reached.parts[tex] = formula(terms, shape)

    def parts(self, used: set[str]) -> tuple[tuple[str, Any], ...]:
        """(TeX, formula) of the named Jacobians among `used`, and of those that they use, one step earlier too."""
        now = {tex: value for reached in self._from.values() for tex, value in reached.parts.items()}
        before = {self.index.shift(tex, -1): tex for tex in now}
        wanted: dict[str, Any] = {}
        waiting = [name for name in used if name in now or name in before]
        while waiting:
            name = waiting.pop()
            if name not in wanted:
                wanted[name] = now[name] if name in now else self.earlier(now[before[name]])
                waiting += [one for one in symbol_names(wanted[name]) if one in now or one in before]
        return tuple((tex, wanted[tex]) for tex in (*before, *now) if tex in wanted)

    def value(self, var: Var) -> Any:
        """A value's formula; a function left open goes by its printed name, so that it shows its step."""
        labels = {
            name: self.cell.tex.get(name, name) for name in {step.attr[0] for step in self.steps.values() if step.op == "apply"}
        }
        return self.reader.value(var).xreplace({sp.Symbol(name): sp.Symbol(tex) for name, tex in labels.items()})

    def factor(self, var: Var) -> Factor:
        """A value as a factor, with its largest size: of its entries for a vector, of its singular values for a matrix."""
        value = self.value(var)
        if len(var.shape) == 2:
            return Factor(value, sp.Symbol(_norm_name(Printer(self.cell.tex)(value)), positive=True))
        low, high = self.intervals.get(var, bounds.EVERYTHING)
        return Factor(value, sp.Max(abs(low), abs(high)))

    def slope(self, step: Step) -> Factor:
        before, after = self.value(step.args[0]), self.value(step.target)
        return Factor(formulas.slope(step.attr, before, after), bounds.sup_slope(step.attr))

    def definitions(self, used: set[str]) -> tuple[str, ...]:
        """What stands for a symbol the equations do not have, such as a_{h_t}."""
        invented = [var for var, tex in self.names.items() if not var.tex and tex in used]
        return tuple(f"{self.names[var]} = {Printer(self.cell.tex)(self.reader.definition(var))}" for var in invented)


def symbol_names(value: Any) -> set[str]:
    """The names of a formula's symbols."""
    return {symbol.name for symbol in value.atoms(sp.MatrixSymbol, sp.Symbol)}


def _norm_name(tex: str) -> str:
    return rf"\sigma_{{\max}}({tex})"


def _jacobian_norm(tex: str) -> str:
    return rf"\lVert J_{{{tex}}} \rVert"


def _matmul(frame: Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    if parts[0]:
        _no_matrix(frame, step.args[0])
    return _from_left(frame, frame.factor(step.args[0]), parts[1])


def _from_left(frame: Frame, matrix: Factor, terms: Terms) -> Terms:
    if len(terms) > 1:
        terms = (Term(rest=(Factor(formula(terms, (matrix.value.shape[1], frame.columns)), norm(terms)),)),)
    return tuple(times(Term(rest=(matrix,)), term) for term in terms)


def _no_matrix(frame: Frame, matrix: Var) -> None:
    shown = plain(Printer(frame.cell.tex)(frame.value(matrix)))
    raise UsageError(f"the matrix {shown} varies with the source, so the Jacobian is no matrix formula; choose another source")


def _transpose(frame: Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    _no_matrix(frame, step.args[0])
    return ()


def _add(frame: Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    return tuple(replace(term, number=k * term.number) for k, part in zip(step.attr, parts, strict=True) for term in part)


def _diag(frame: Frame, factor: Factor, terms: Terms, shape: tuple[Any, ...]) -> Terms:
    if not shape:
        return tuple(replace(term, scalars=(factor, *term.scalars)) for term in terms)
    return tuple(replace(term, diag=(factor, *term.diag)) for term in terms)


def _hadamard(frame: Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    left, right = step.args
    shape = step.target.shape
    return _diag(frame, frame.factor(right), parts[0], shape) + _diag(frame, frame.factor(left), parts[1], shape)


def _map(frame: Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    return _diag(frame, frame.slope(step), parts[0], step.target.shape)


def _scale(frame: Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    factor, value = step.args
    if len(value.shape) == 2:
        _no_matrix(frame, step.target)
    column = Factor(frame.value(value), sp.oo)
    by_factor = tuple(times(Term(rest=(column,)), term) for term in parts[0])
    return by_factor + tuple(replace(term, scalars=(frame.factor(factor), *term.scalars)) for term in parts[1])


def _dot(frame: Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    found: Terms = ()
    for other, terms in zip(reversed(step.args), parts, strict=True):
        row = Factor(formulas.transpose(frame.value(other)), sp.oo)
        found += tuple(times(Term(rest=(row,)), term) for term in terms)
    return found


def _concat(frame: Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    blocks = [[formula(part, (arg.shape[0], frame.columns))] for arg, part in zip(step.args, parts, strict=True)]
    size = sp.Add(*(norm(part) for part in parts if part))
    return (Term(rest=(Factor(sp.BlockMatrix(blocks), size),)),)


def _part(frame: Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    axis, start, stop = step.attr
    rows = sp.expand(stop - start)
    pieces = [sp.ZeroMatrix(rows, start), sp.Identity(rows), sp.ZeroMatrix(rows, sp.expand(step.args[0].shape[0] - stop))]
    chooser = sp.BlockMatrix([[piece for piece in pieces if piece.shape[1] != 0]])
    return tuple(times(Term(rest=(Factor(chooser, sp.S.One),)), term) for term in parts[0])


def _apply(frame: Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    name, (rows,) = step.attr
    tex = frame.cell.tex.get(name, name)
    matrix = OpenJacobian(tex, frame.value(step.args[0]), rows)
    return _from_left(
        frame,
        Factor(matrix, sp.Symbol((r"\sup " if tex in frame.located else "") + _jacobian_norm(tex), positive=True)),
        parts[0],
    )


# From the arguments' Jacobians (no terms: zero) to the result's.
Row = Callable[[Frame, Step, tuple[Terms, ...]], Terms]
JACOBIANS: dict[str, Row] = {
    "matmul": _matmul,
    "transpose": _transpose,
    "add": _add,
    "scale": _scale,
    "hadamard": _hadamard,
    "map": _map,
    "concat": _concat,
    "slice": _part,
    "dot": _dot,
    "apply": _apply,
    "constant": lambda frame, step, parts: (),
}
_FORWARD = {name for name, operation in OPERATIONS.items() if operation.adjoint is not None}
if set(JACOBIANS) != _FORWARD:
    raise AssertionError(f"operations without a Jacobian: {set(JACOBIANS) ^ _FORWARD}")
