"""The chain rule for Jacobians through one step, operation by operation.

A Jacobian is a sum of terms k * s * diag(u) * M (number, scalars, elementwise factors, matrices). Every factor carries how
large it can get, so a bound comes with the formula.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

import sympy as sp

from rnnproof.calculus.bounds import EVERYTHING
from rnnproof.calculus.formula_tex import Printer
from rnnproof.calculus.formulas import Reader, printed_names
from rnnproof.calculus.intervals import intervals
from rnnproof.calculus.matrix_expressions import OpenJacobian, symbol
from rnnproof.calculus.operations import Call
from rnnproof.calculus.program import Program, Role, Step
from rnnproof.calculus.step_index import index_of, moved
from rnnproof.calculus.terms import Factor, Term, Terms, collect, formula, norm, written_length
from rnnproof.calculus.variables import Expression, Shape, Var
from rnnproof.equations.cell import Cell
from rnnproof.equations.plain_text import bare, plain
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
        self.intervals = intervals(program)
        self.names = printed_names(program)
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
        for role, suffixes in ((Role.OLD, ("_prev", "_old")), (Role.NEW, ("",))):
            for port in self.program.ports(role, out=role is Role.NEW):
                known.update({f"{port.key}{suffix}": port.var for suffix in suffixes})
        return {bare(var.name): var for var in self.names} | {bare(tex): var for var, tex in self.names.items()} | known

    def shape(self, target: Var, source: Var) -> tuple[Any, Any]:
        for var in (target, source):
            if len(var.shape) == 2:
                raise UsageError(f"{plain(self.names[var])} is a matrix; a Jacobian is of a vector or a scalar by another")
        return (target.shape[0] if target.shape else sp.S.One, source.shape[0] if source.shape else sp.S.One)

    def terms(self, target: Var, source: Var) -> Terms:
        """The Jacobian's terms; raises UsageError where it is no matrix formula."""
        self.shape(target, source)  # refuses a matrix
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
        columns = source.shape[0] if source.shape else sp.S.One

        def value(var: Var) -> _Value:
            return _Value(self, var, reached.named.get(var, reached.terms.get(var, ())), columns)

        arguments = [value(arg) for arg in step.args]
        terms: Terms = ()
        if any(argument.terms for argument in arguments):
            if len(step.target.shape) == 2:
                self._refuse(step.target)
            terms = collect(step.math.jacobian(value(step.target), *arguments))
        reached.terms[step.target] = terms
        if step.target in self.names and self._reads[step.target] > 1 and written_length(terms) > _LONGEST:
            shape = self.shape(step.target, source)
            tex = rf"\frac{{\partial {self.names[step.target]}}}{{\partial {self.names[source]}}}"
            size = norm(terms)
            named = Factor(symbol(tex, () if shape == (1, 1) else shape), size if sp.count_ops(size) < _LONGEST else sp.oo)
            reached.named[step.target] = (Term(scalars=(named,)) if shape == (1, 1) else Term(rest=(named,)),)
            reached.parts[tex] = formula(terms, shape)

    def _refuse(self, matrix: Var) -> NoReturn:
        tex = plain(Printer(self.cell.tex)(self.value(matrix)))
        raise UsageError(
            f"the matrix {tex} varies with the source, so the Jacobian is no matrix formula; choose another source"
        )

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
                waiting += [
                    symbol_name for symbol_name in symbol_names(wanted[name]) if symbol_name in now or symbol_name in before
                ]
        return tuple((tex, wanted[tex]) for tex in (*before, *now) if tex in wanted)

    def value(self, var: Var) -> Any:
        """A value's formula; a function left open goes by its printed name, so that it shows its step."""
        labels = {
            name: self.cell.tex.get(name, name)
            for name in {step.op.function.name for step in self.steps.values() if isinstance(step.op, Call)}
        }
        return self.reader.value(var).xreplace({sp.Symbol(name): sp.Symbol(tex) for name, tex in labels.items()})

    def factor(self, var: Var) -> Factor:
        """A value as a factor, with its largest size: of its entries for a vector, of its singular values for a matrix."""
        value = self.value(var)
        if len(var.shape) == 2:
            return Factor(value, sp.Symbol(_norm_name(Printer(self.cell.tex)(value)), positive=True))
        low, high = self.intervals.get(var, EVERYTHING)
        return Factor(value, sp.Max(abs(low), abs(high)))

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


@dataclass(frozen=True)
class _Value:
    """A value as a row of the chain rule sees it; see `terms.Linearised`."""

    frame: Frame
    var: Var
    terms: Terms
    columns: Expression

    @property
    def shape(self) -> Shape:
        return self.var.shape

    @property
    def value(self) -> Expression:
        return self.frame.value(self.var)

    @property
    def factor(self) -> Factor:
        return self.frame.factor(self.var)

    def open_jacobian(self, function: str, argument: Expression, rows: Expression) -> Factor:
        tex = self.frame.cell.tex.get(function, function)
        size = (r"\sup " if tex in self.frame.located else "") + _jacobian_norm(tex)
        return Factor(OpenJacobian(tex, argument, rows), sp.Symbol(size, positive=True))
