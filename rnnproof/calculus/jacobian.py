"""`jacobian(cell, target, source)`: one step's Jacobian, the direct path and the paths through other states kept apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from rnnproof.calculus.chain import Frame, symbol_names
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.formula_tex import Printer
from rnnproof.calculus.matrix_expressions import OpenJacobian, add, multiply
from rnnproof.calculus.program import Role
from rnnproof.calculus.step_index import Index, moved
from rnnproof.calculus.terms import Terms, bound_tex, collect, formula, norm, times
from rnnproof.equations.cell import Body, Cell, Equation, State
from rnnproof.equations.expressions import shape_of
from rnnproof.equations.plain_text import plain
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
        return multiply(formula(self.outer, (self.size, self.size)), formula(self.inner, (self.size, self.size)))


@dataclass(frozen=True)
class Jacobian:
    """d target / d source. `direct`: all else of the step before held fixed; `through`: by way of its other states.

    `parts` are the Jacobians that stand in it by name, (TeX, formula), because they are long and read more than once.

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
    located: frozenset[str]
    recursion: bool = False
    parts: tuple[tuple[str, Any], ...] = ()

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
        return add(*parts) if parts else self.direct

    @property
    def is_zero(self) -> bool:
        """Nothing gets from the source to the target."""
        return not self.terms and not self.paths

    @property
    def bound(self) -> Any | None:
        """An upper bound of the spectral norm of `total`, by the matrices' largest singular values, or None."""
        bound = norm(self.terms) + sum(norm(path.outer) * norm(path.inner) for path in self.paths)
        return None if bound.has(sp.oo) else bound

    @property
    def left(self) -> str:
        """The TeX of d target / d source."""
        return rf"\frac{{\partial {self.target}}}{{\partial {self.source}}}"

    @property
    def _printer(self) -> Printer:
        return Printer(self.cell.tex, self.index.steps)

    @property
    def lines(self) -> tuple[str, ...]:
        """The equations, one TeX line each: `formulas`, then what stands for symbols the equations do not have."""
        return (*self.formulas, *self.definitions)

    @property
    def formulas(self) -> tuple[str, ...]:
        """Direct, each path, the Jacobians of functions with a body, the bound: one TeX line each."""
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
        lines += [f"{name} = {show(value)}" for name, value in self.parts]
        if self.bound is not None:
            lines.append(rf"\left\lVert {self.left} \right\rVert \le {bound_tex(self.bound)}")
        return tuple(lines)

    def _along(self, way: str, state: str = "") -> str:
        return rf"\left({self.left}\right)_{{\text{{{way}{' ' if state else ''}}} {state}}}".replace("} }", "}}")

    @property
    def tex(self) -> str:
        """The whole Jacobian as one equation."""
        return f"{self.left} = {self._printer(self.total)}"

    @property
    def text(self) -> str:
        """Every line for the terminal."""
        return "\n".join(map(plain, self.lines))

    def __str__(self) -> str:
        return self.text

    def at(self, by: int) -> Jacobian:
        """The same Jacobian `by` steps on."""

        def shifted(terms: Terms) -> Terms:
            return tuple(term.mapped(lambda value: moved(value, self.varying, self.index, by)) for term in terms)

        paths = tuple(
            Path(self.index.shift(path.state, by), shifted(path.outer), shifted(path.inner), path.size) for path in self.paths
        )
        target, source = self.index.shift(self.target, by), self.index.shift(self.source, by)
        parts = tuple((self.index.shift(tex, by), moved(value, self.varying, self.index, by)) for tex, value in self.parts)
        return replace(self, terms=shifted(self.terms), paths=paths, target=target, source=source, parts=parts)

    def product(self, k: int) -> JacobianProduct:
        """J_t J_{t-1} ... over k steps of this state's recursion, multiplied out so that the direct path is visible.

        Where there are paths through other states only the direct path is multiplied: the others do not multiply up state by
        state. Raises UsageError where target and source are not the same state, or k < 1.
        """
        if not self.recursion:
            raise UsageError(
                f"d {plain(self.target)} / d {plain(self.source)} does not run from a state to itself, so its product over"
                " steps means nothing; ask for a state's Jacobian by its own old value"
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
            return multiply(*(formula(part, shape) for part in parts))
        terms = parts[0]
        for part in parts[1:]:
            terms = tuple(times(left, right) for left in terms for right in part)
        return formula(tuple(sorted(collect(terms), key=lambda term: len(term.rest))), shape)

    @property
    def tex(self) -> str:
        """The product as one equation."""
        first, last = self.factors[0], self.factors[-1]
        show = Printer(first.cell.tex, first.index.steps, first.located)
        left = rf"\frac{{\partial {first.target}}}{{\partial {last.source}}}"
        if self.direct_only:
            left = rf"\left({left}\right)_{{\text{{direct}}}}"
        separate = " ".join(f"({show(f.direct)})" if len(f.terms) > 1 else show(f.direct) for f in self.factors)
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
        bound = sp.Mul(*(norm(factor.terms) for factor in self.factors))
        return None if bound.has(sp.oo, sp.nan) else bound


def jacobian(cell: Cell, target: str, source: str) -> Jacobian:
    """d target / d source within one step, plus the paths through other states of the step before.

    Names as printed (`c_{t-1}`, `o^{(l)}`) or plain (`c`, `c_prev`). Functions with a body stay J_f in the formula, with
    the body's own Jacobian beside it. Raises UsageError for a name the cell does not have or a Jacobian that is no matrix.
    """
    return within(frame_of(cell), target, source)


def frame_of(cell: Cell) -> Frame:
    """What the Jacobians of one cell share."""
    return Frame(cell, flatten(replace(cell, bodies=())))


def within(frame: Frame, target: str, source: str) -> Jacobian:
    """`jacobian` of the frame's cell."""
    cell, program = frame.cell, frame.program
    to, start = frame.find(target), frame.find(source)
    if start in program.producer() and to in {port.var for port in program.inputs}:
        raise UsageError(f"{plain(to.tex)} enters the step and {plain(start.tex)} is made in it; ask for the other way round")
    terms = frame.terms(to, start)
    old = {port.key: port.var for port in program.ports(Role.OLD)}
    new = {port.key: port.var for port in program.ports(Role.NEW, out=True)}
    state = next((key for key, var in old.items() if var == start), None)
    paths = []
    for key, var in old.items():
        if state is not None and key != state:
            inner = frame.terms(new[key], new[state])
            outer = frame.terms(to, var) if inner else ()
            if inner and outer:
                inner = tuple(term.mapped(frame.earlier) for term in inner)
                paths.append(Path(var.tex, outer, inner, var.shape[0] if var.shape else sp.S.One))
    formulas = [formula(terms, frame.shape(to, start)), *(path.expression for path in paths)]
    used = set().union(*map(symbol_names, formulas))
    parts = frame.parts(used)
    used = used.union(*(symbol_names(value) for _, value in parts))
    return Jacobian(
        cell=cell,
        target=frame.names[to],
        source=frame.names[start],
        shape=frame.shape(to, start),
        terms=terms,
        paths=tuple(paths),
        bodies=_bodies(cell, [*formulas, *(value for _, value in parts)]),
        definitions=frame.definitions(used),
        index=frame.index,
        varying=frame.varying,
        located=frame.located,
        recursion=state is not None and new[state] == to,
        parts=parts,
    )


def _bodies(cell: Cell, formulas: list[Any]) -> tuple[tuple[str, Jacobian], ...]:
    """The Jacobian of each function whose body is known and that the formulas leave as J_f."""
    used = {node.name for value in formulas for node in value.atoms(OpenJacobian)}
    jacobians = []
    for body in cell.bodies:
        tex = cell.tex.get(body.name, body.name)
        if tex in used:
            argument = next(node.argument for value in formulas for node in value.atoms(OpenJacobian) if node.name == tex)
            jacobians.append((f"J_{{{tex}}}", _body_jacobian(cell, body, argument)))
    return tuple(jacobians)


def _body_jacobian(cell: Cell, body: Body, argument: Any) -> Jacobian:
    rows = shape_of(body.expression)[0]
    value = sp.MatrixSymbol(body.name, rows, 1)
    alone = replace(
        cell,
        name=f"{body.name} of {cell.name}",
        equations=(Equation(value, body.expression),),
        states=(State(body.name, value, None),),
        inputs=(body.argument,),
        bodies=tuple(other for other in cell.bodies if other.name != body.name),
    )
    return jacobian(alone, body.name, body.argument.name)
