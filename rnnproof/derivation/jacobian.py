"""Jacobians of one step: a row for each operation, terms kept apart so that a direct path stays visible.

A Jacobian is a sum of terms k * s * diag(u) * M (number, scalars, elementwise factors, matrices). Every factor carries how
large it can get, so a bound comes with the formula.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from rnnproof.derivation import bounds, formulas
from rnnproof.derivation.flatten import flatten
from rnnproof.derivation.formulas import OpenJacobian, Reader
from rnnproof.derivation.index import Index, index_of, moved
from rnnproof.derivation.latex import Printer
from rnnproof.derivation.operations import OPERATIONS
from rnnproof.derivation.program import Program, Step, Var
from rnnproof.derivation.terms import Factor, Term, Terms, collect, formula, norm, times
from rnnproof.derivation.text import plain, prose
from rnnproof.equations.cell import Body, Cell, Equation, State
from rnnproof.errors import UsageError

_MOST_TERMS = 64


@dataclass(frozen=True)
class Path:
    """What reaches the target through another state of the step before: d target / d state * d state / d source."""

    state: str
    outer: Terms
    inner: Terms
    size: Any

    @property
    def expression(self) -> Any:
        """The product of the two."""
        return formulas.multiply(formula(self.outer, (None, self.size)), formula(self.inner, (self.size, None)))


@dataclass(frozen=True)
class Jacobian:
    """d target / d source. `direct`: all else of the step before held fixed; `through`: by way of its other states.

    `total` is their sum. Formulas are SymPy matrix expressions whose symbols are named as printed.
    """

    cell: Cell
    target: str
    source: str
    shape: tuple[Any, Any]
    terms: Terms
    paths: tuple[Path, ...]
    bodies: tuple[tuple[str, Jacobian], ...]
    definitions: tuple[str, ...]
    index: Index
    varying: frozenset[str]
    recursion: bool = False

    @property
    def direct(self) -> Any:
        """The Jacobian of the step, the other old states held fixed."""
        return formula(self.terms, self.shape)

    @property
    def through(self) -> tuple[tuple[str, Any], ...]:
        """(state, expression) for each path through another state of the step before."""
        return tuple((path.state, path.expression) for path in self.paths)

    @property
    def total(self) -> Any:
        """The direct Jacobian and all paths."""
        parts = ([self.direct] if self.terms else []) + [path.expression for path in self.paths]
        return formulas.add(*parts) if parts else self.direct

    @property
    def is_zero(self) -> bool:
        """Nothing gets from the source to the target."""
        return not self.terms and not self.paths

    @property
    def bound(self) -> Any | None:
        """An upper bound of the spectral norm of `total` in terms of the matrices' largest singular values, where there is one."""
        found = norm(self.terms) + sum(norm(path.outer) * norm(path.inner) for path in self.paths)
        return None if found.has(sp.oo) else found

    @property
    def left(self) -> str:
        """The TeX of d target / d source."""
        return rf"\frac{{\partial {self.target}}}{{\partial {self.source}}}"

    @property
    def _printer(self) -> Printer:
        return Printer(self.cell.tex, self.index.steps)

    @property
    def lines(self) -> tuple[str, ...]:
        """The equations, one TeX line each: direct, each path, open functions' own Jacobians, the bound."""
        show = self._printer
        lines = []
        if self.paths:
            lines.append(f"{self._along('direct')} = {show(self.direct)}")
            lines += [f"{self._along('through', state)} = {show(expression)}" for state, expression in self.through]
            ways = [self._along("direct"), *(self._along("through", state) for state, _ in self.through)]
            lines.append(f"{self.left} = {' + '.join(ways)}")
        else:
            lines.append(f"{self.left} = {show(self.direct)}")
        lines += [f"{name} = {show(body.direct)}" for name, body in self.bodies]
        lines += self.definitions
        if self.bound is not None:
            lines.append(
                rf"\left\lVert {self.left} \right\rVert \le {sp.latex(self.bound, symbol_names=_as_named(self.bound), order='rev-lex')}"
            )
        return tuple(lines)

    def _along(self, way: str, state: str = "") -> str:
        return rf"\left({self.left}\right)_{{\text{{{way}{' ' if state else ''}}} {state}}}".replace("} }", "}}")

    @property
    def tex(self) -> str:
        """The whole Jacobian as one equation."""
        return f"{self.left} = {self._printer(self.total)}"

    @property
    def text(self) -> str:
        """Every line and remark for the terminal."""
        return "\n".join([*map(plain, self.lines), *map(prose, self.remarks)])

    def __str__(self) -> str:
        return self.text

    def markdown(self) -> str:
        """Every line as displayed math, then what it says."""
        shown = [f"$$\n{line}\n$$" for line in self.lines]
        return "\n\n".join([*shown, *self.remarks]) + "\n"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the formula says about vanishing gradients, in words."""
        from rnnproof.derivation.remarks import remarks

        return remarks(self)

    def at(self, by: int) -> Jacobian:
        """The same Jacobian `by` steps on."""

        def shifted(terms: Terms) -> Terms:
            return tuple(term.mapped(lambda value: moved(value, self.varying, self.index, by)) for term in terms)

        paths = tuple(
            Path(self.index.shift(path.state, by), shifted(path.outer), shifted(path.inner), path.size) for path in self.paths
        )
        target, source = self.index.shift(self.target, by), self.index.shift(self.source, by)
        return replace(self, terms=shifted(self.terms), paths=paths, target=target, source=source)

    def product(self, k: int) -> JacobianProduct:
        """J_t J_{t-1} ... over k steps of this state's recursion, multiplied out so that the direct path is visible.

        Where there are paths through other states only the direct path is multiplied: the others do not multiply up state by
        state. Raises UsageError where target and source are not the same state, or k < 1.
        """
        if not self.recursion:
            raise UsageError(
                f"d {plain(self.target)} / d {plain(self.source)} does not run from a state to itself, so its product over steps"
                " means nothing; ask for a state's Jacobian by its own old value"
            )
        if not isinstance(k, int) or k < 1:
            raise UsageError(f"a product over {k!r} steps; give a whole number from 1 on")
        return JacobianProduct(tuple(self.at(-j) for j in range(k)))


@dataclass(frozen=True)
class JacobianProduct:
    """The product of a state's Jacobians over steps, the newest first."""

    factors: tuple[Jacobian, ...]

    @property
    def direct_only(self) -> bool:
        """Whether paths through other states are left out."""
        return bool(self.factors[0].paths)

    @property
    def expression(self) -> Any:
        """The product multiplied out, fewest factors first; left as a product of sums beyond 64 terms."""
        parts = [factor.terms for factor in self.factors]
        shape = self.factors[0].shape
        count = 1
        for part in parts:
            count *= len(part)
        if count > _MOST_TERMS:
            return formulas.multiply(*(formula(part, shape) for part in parts))
        terms = parts[0]
        for part in parts[1:]:
            terms = tuple(times(left, right) for left in terms for right in part)
        return formula(tuple(sorted(collect(terms), key=lambda term: len(term.rest))), shape)

    @property
    def tex(self) -> str:
        """The product as one equation."""
        first, last = self.factors[0], self.factors[-1]
        show = first._printer
        left = rf"\frac{{\partial {first.target}}}{{\partial {last.source}}}"
        if self.direct_only:
            left = rf"\left({left}\right)_{{\text{{direct}}}}"
        separate = " ".join(f"({show(factor.direct)})" for factor in self.factors)
        return f"{left} = {separate} = {show(self.expression)}" if len(self.factors) > 1 else f"{left} = {separate}"

    @property
    def text(self) -> str:
        """The product for the terminal."""
        return plain(self.tex)

    def __str__(self) -> str:
        return self.text

    @property
    def bound(self) -> Any | None:
        """The product of the factors' bounds; (g sigma_max(R))^k for a simple recurrent cell."""
        found = sp.Mul(*(norm(factor.terms) for factor in self.factors))
        return None if found.has(sp.oo, sp.nan) else found


def jacobian(cell: Cell, target: str, source: str) -> Jacobian:
    """d target / d source within one step, plus the paths through other states of the step before.

    Names as printed (`c_{t-1}`, `o^{(l)}`) or plain (`c`, `c_prev`). Functions with a body stay J_f in the formula, with
    the body's own Jacobian beside it. Raises UsageError for a name the cell does not have or a Jacobian that is no matrix.
    """
    opened = replace(cell, bodies=())
    program = flatten(opened)
    frame = _Frame(cell, program)
    to, start = frame.find(target), frame.find(source)
    if start in program.producer() and to in {port.var for port in program.inputs}:
        raise UsageError(f"{plain(to.tex)} enters the step and {plain(start.tex)} is made in it; ask for the other way round")
    terms = frame.terms(to, start)
    old = {port.key: port.var for port in program.ports("old")}
    new = {port.key: port.var for port in program.ports("new", out=True)}
    state = next((key for key, var in old.items() if var == start), None)
    paths = []
    for key, var in old.items():
        if state is not None and key != state:
            inner = tuple(term.mapped(frame.earlier) for term in frame.terms(new[key], new[state]))
            outer = frame.terms(to, var)
            if inner and outer:
                paths.append(Path(var.tex, outer, inner, var.shape[0] if var.shape else sp.S.One))
    shown = [formula(terms, frame.shape(to, start)), *(path.expression for path in paths)]
    used = {symbol.name for one in shown for symbol in one.atoms(sp.MatrixSymbol, sp.Symbol)}
    return Jacobian(
        cell=cell,
        target=frame.names[to],
        source=frame.names[start],
        shape=frame.shape(to, start),
        terms=terms,
        paths=tuple(paths),
        bodies=frame.bodies(shown),
        definitions=frame.definitions(used),
        index=frame.index,
        varying=frame.varying,
        recursion=state is not None and new[state] == to,
    )


class _Frame:
    """One cell's program with its printed names."""

    def __init__(self, cell: Cell, program: Program) -> None:
        self.cell = cell
        self.program = program
        self.steps = program.producer()
        self.names = formulas.printed_names(program)
        self.reader = Reader(self.steps, self.names)
        self.index = index_of(cell, program)
        functions = {cell.tex.get(name, name) for name in (*cell.open_functions, *(body.name for body in cell.bodies))}
        named = {tex for var, tex in self.names.items() if var.per_step} | functions
        self.varying = frozenset(named | {_norm_name(tex) for tex in named} | {_jacobian_norm(tex) for tex in functions})

    def earlier(self, value: Any) -> Any:
        """A formula one step before."""
        return moved(value, self.varying, self.index, -1)

    def find(self, name: str) -> Var:
        """The value of that printed or plain name."""
        known: dict[str, Var] = {}
        for role, suffixes in (("old", ("_prev", "_old")), ("new", ("",))):
            for port in self.program.ports(role, out=role == "new"):
                known.update({f"{port.key}{suffix}": port.var for suffix in suffixes})
        known = {_bare(var.name): var for var in self.names} | {_bare(tex): var for var, tex in self.names.items()} | known
        if _bare(name) not in known:
            listed = ", ".join(dict.fromkeys(plain(tex) for tex in self.names.values()))
            raise UsageError(f"cell {self.cell.name} has no value named {name!r}; its values are {listed}")
        return known[_bare(name)]

    def shape(self, target: Var, source: Var) -> tuple[Any, Any]:
        for var in (target, source):
            if len(var.shape) == 2:
                raise UsageError(f"{plain(self.names[var])} is a matrix; a Jacobian is of a vector or a scalar by another")
        return (target.shape[0] if target.shape else sp.S.One, source.shape[0] if source.shape else sp.S.One)

    def terms(self, target: Var, source: Var) -> Terms:
        """The Jacobian's terms, by going through the steps in order with `source` as the start."""
        self.columns = self.shape(target, source)[1]
        known: dict[Var, Terms] = {source: (Term(),)}
        for step in self.program.steps:
            if step.target not in known:
                parts = tuple(known.get(arg, ()) for arg in step.args)
                known[step.target] = collect(JACOBIANS[step.op](self, step, parts)) if any(parts) else ()
        return known.get(target, ())

    def factor(self, var: Var) -> Factor:
        """A value as a factor, with its largest size: of its entries for a vector, of its singular values for a matrix."""
        value = self.reader.value(var)
        if len(var.shape) == 2:
            return Factor(value, sp.Symbol(_norm_name(Printer(self.cell.tex)(value)), positive=True))
        low, high = bounds.interval(var, self.steps)
        return Factor(value, sp.Max(abs(low), abs(high)))

    def slope(self, step: Step) -> Factor:
        before, after = self.reader.value(step.args[0]), self.reader.value(step.target)
        return Factor(formulas.slope(step.attr, before, after), bounds.sup_slope(step.attr))

    def bodies(self, shown: list[Any]) -> tuple[tuple[str, Jacobian], ...]:
        """The Jacobian of each function whose body is known and that the formulas leave as J_f."""
        used = {node.name for one in shown for node in one.atoms(OpenJacobian)}
        found = []
        for body in self.cell.bodies:
            tex = self.cell.tex.get(body.name, body.name)
            if tex in used:
                argument = next(node.argument for one in shown for node in one.atoms(OpenJacobian) if node.name == tex)
                found.append((f"J_{{{tex}}}", _body_jacobian(self.cell, body, argument)))
        return tuple(found)

    def definitions(self, used: set[str]) -> tuple[str, ...]:
        """What stands for a symbol the equations do not have, such as a_{h_t}."""
        invented = [var for var, tex in self.names.items() if not var.tex and tex in used]
        return tuple(f"{self.names[var]} = {Printer(self.cell.tex)(self.reader.definition(var))}" for var in invented)


def _body_jacobian(cell: Cell, body: Body, argument: Any) -> Jacobian:
    rows = _rows(body.expression)
    value = sp.MatrixSymbol(body.name, rows, 1)
    made = replace(
        cell,
        name=f"{body.name} of {cell.name}",
        equations=(Equation(value, body.expression),),
        states=(State(body.name, value, None),),
        inputs=(body.argument,),
        bodies=tuple(other for other in cell.bodies if other.name != body.name),
        frameworks=(),
    )
    return jacobian(made, body.name, body.argument.name)


def _rows(expression: Any) -> Any:
    from rnnproof.equations.expressions import shape_of

    return shape_of(expression)[0]


def _bare(name: str) -> str:
    return re.sub(r"[{}\s]", "", name)


def _norm_name(tex: str) -> str:
    return rf"\sigma_{{\max}}({tex})"


def _jacobian_norm(tex: str) -> str:
    return rf"\lVert J_{{{tex}}} \rVert"


def _as_named(expression: Any) -> dict[Any, str]:
    return {symbol: symbol.name for symbol in expression.free_symbols}


# -- the rows: from the arguments' Jacobians (no terms: zero) to the result's


def _matmul(frame: _Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    if parts[0]:
        _no_matrix(frame, step.args[0])
    return _from_left(frame, frame.factor(step.args[0]), parts[1])


def _from_left(frame: _Frame, matrix: Factor, terms: Terms) -> Terms:
    if len(terms) > 1:
        terms = (Term(rest=(Factor(formula(terms, (matrix.value.shape[1], frame.columns)), norm(terms)),)),)
    return tuple(times(Term(rest=(matrix,)), term) for term in terms)


def _no_matrix(frame: _Frame, matrix: Var) -> None:
    shown = plain(Printer(frame.cell.tex)(frame.reader.value(matrix)))
    raise UsageError(f"the matrix {shown} varies with the source, so the Jacobian is no matrix formula; choose another source")


def _transpose(frame: _Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    _no_matrix(frame, step.args[0])
    return ()


def _add(frame: _Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    return tuple(replace(term, number=k * term.number) for k, part in zip(step.attr, parts, strict=True) for term in part)


def _diag(frame: _Frame, factor: Factor, terms: Terms, shape: tuple[Any, ...]) -> Terms:
    if not shape:
        return tuple(replace(term, scalars=(factor, *term.scalars)) for term in terms)
    return tuple(replace(term, diag=(factor, *term.diag)) for term in terms)


def _hadamard(frame: _Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    left, right = step.args
    shape = step.target.shape
    return _diag(frame, frame.factor(right), parts[0], shape) + _diag(frame, frame.factor(left), parts[1], shape)


def _map(frame: _Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    return _diag(frame, frame.slope(step), parts[0], step.target.shape)


def _scale(frame: _Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    factor, value = step.args
    if len(value.shape) == 2:
        _no_matrix(frame, step.target)
    column = Factor(frame.reader.value(value), sp.oo)
    by_factor = tuple(times(Term(rest=(column,)), term) for term in parts[0])
    return by_factor + tuple(replace(term, scalars=(frame.factor(factor), *term.scalars)) for term in parts[1])


def _dot(frame: _Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    found: Terms = ()
    for other, terms in zip(reversed(step.args), parts, strict=True):
        row = Factor(formulas.transpose(frame.reader.value(other)), sp.oo)
        found += tuple(times(Term(rest=(row,)), term) for term in terms)
    return found


def _concat(frame: _Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    blocks = [[formula(part, (arg.shape[0], frame.columns))] for arg, part in zip(step.args, parts, strict=True)]
    size = sp.Add(*(norm(part) for part in parts if part))
    return (Term(rest=(Factor(sp.BlockMatrix(blocks), size),)),)


def _part(frame: _Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    axis, start, stop = step.attr
    rows = sp.expand(stop - start)
    pieces = [sp.ZeroMatrix(rows, start), sp.Identity(rows), sp.ZeroMatrix(rows, sp.expand(step.args[0].shape[0] - stop))]
    chooser = sp.BlockMatrix([[piece for piece in pieces if piece.shape[1] != 0]])
    return tuple(times(Term(rest=(Factor(chooser, sp.S.One),)), term) for term in parts[0])


def _apply(frame: _Frame, step: Step, parts: tuple[Terms, ...]) -> Terms:
    name, (rows,) = step.attr
    tex = frame.cell.tex.get(name, name)
    matrix = OpenJacobian(tex, frame.reader.value(step.args[0]), rows)
    return _from_left(frame, Factor(matrix, sp.Symbol(_jacobian_norm(tex), positive=True)), parts[0])


Row = Callable[[_Frame, Step, tuple[Terms, ...]], Terms]
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
