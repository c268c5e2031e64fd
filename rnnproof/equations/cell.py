"""`Cell`: one recurrent system of equations, checked when it is made. Everything else is derived from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rnnproof.equations import expressions
from rnnproof.equations.constants import require_finite
from rnnproof.equations.divisors import require_divisors
from rnnproof.equations.reading import Assumption, CellReading, Entry, PassedOver, PrintedGradient
from rnnproof.errors import EquationError


@dataclass(frozen=True)
class Equation:
    """`symbol = expression`; `tex` is the equation as printed, `where` says where it stands (document and line)."""

    symbol: Any
    expression: Any
    tex: str = ""
    where: str = ""

    def __str__(self) -> str:
        text = self.tex or f"{self.symbol} = {self.expression}"
        return f"{text} ({self.where})" if self.where else text


@dataclass(frozen=True)
class State:
    """A quantity carried from step to step: `new` is its value at this step, `old` at the step before (None: never read)."""

    name: str
    new: Any
    old: Any | None


@dataclass(frozen=True)
class Parameter:
    """A learned array; `per_step` where it carries the index itself (W^{(l)}) and so has a value for each step."""

    name: str
    symbol: Any
    per_step: bool = False


@dataclass(frozen=True)
class Body:
    """The body of a function the equations leave open: `name(argument) = expression`."""

    name: str
    argument: Any
    expression: Any
    tex: str = ""
    where: str = ""


@dataclass(frozen=True)
class Cell:
    """A system of equations with roles: inputs, states (the first is the output), parameters, constants.

    Constants are given with the data, are not learned and have no gradient: dropout masks, a sequence's mask, targets.
    `equations` stand in order of evaluation. Sizes are SymPy symbols such as `hidden` and `input`. `notation` maps a symbol's
    name to its LaTeX. Raises EquationError, naming the equation, for an unbound name, a symbol defined twice, shapes that do
    not fit, or a state with no update.
    """

    name: str
    equations: tuple[Equation, ...]
    states: tuple[State, ...]
    parameters: tuple[Parameter, ...] = ()
    inputs: tuple[Any, ...] = ()
    constants: tuple[Any, ...] = ()
    index: str = "t"
    bodies: tuple[Body, ...] = ()
    notation: tuple[tuple[str, str], ...] = ()
    source: str = field(default="", compare=False)
    assumed: tuple[Assumption, ...] = field(default=(), compare=False)
    passed_over: tuple[PassedOver, ...] = field(default=(), compare=False)
    printed_gradients: tuple[PrintedGradient, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        _check(self)

    @property
    def tex(self) -> dict[str, str]:
        """LaTeX of each symbol, by name."""
        return dict(self.notation)

    def reading(self) -> CellReading:
        """What the equations were understood to say: roles, shapes, functions, what was assumed, what was passed over."""
        bodies = (body for body in self.bodies if body.tex)
        return CellReading(
            name=self.name,
            index=self.index,
            equations=(*((e.tex or str(e), e.where) for e in self.equations), *((body.tex, "") for body in bodies)),
            states=tuple(self._entry(state.name, state.new) for state in self.states),
            inputs=tuple(self._entry(symbol.name, symbol) for symbol in (*self.inputs, *self.constants)),
            parameters=tuple(self._entry(p.name, p.symbol, p.per_step) for p in self.parameters),
            functions=self.open_functions,
            assumed=self.assumed,
            passed_over=self.passed_over,
        )

    def _entry(self, name: str, symbol: Any, per_step: bool = False) -> Entry:
        shape = expressions.shape_of(symbol) if getattr(symbol, "is_Matrix", False) else ()
        sizes = tuple(str(size) for size in shape if size != 1)
        return Entry(name, self.tex.get(name, name), sizes, per_step)

    @property
    def open_functions(self) -> tuple[str, ...]:
        """Names of the functions that still have no body."""
        bound = {body.name for body in self.bodies}
        functions: dict[str, Any] = {}
        for expression in (*(e.expression for e in self.equations), *(b.expression for b in self.bodies)):
            functions.update(expressions.open_functions(expression))
        return tuple(name for name in functions if name not in bound)

    @property
    def sizes(self) -> tuple[Any, ...]:
        """Every size symbol, the states' first."""
        seen: dict[Any, None] = {}
        for symbol in (*(s.new for s in self.states), *self.inputs, *self.constants, *(p.symbol for p in self.parameters)):
            for size in getattr(symbol, "shape", ()):
                for atom in sorted(size.free_symbols, key=str):
                    seen[atom] = None
        return tuple(seen)

    @classmethod
    def from_sympy(
        cls,
        name: str,
        equations: Mapping[Any, Any] | Iterable[tuple[Any, Any]],
        *,
        previous: Mapping[Any, Any | None],
        inputs: Iterable[Any] = (),
        constants: Iterable[Any] = (),
        per_step: Iterable[Any] = (),
        index: str = "t",
    ) -> Cell:
        """A Cell from SymPy: `equations` {symbol: expression} in any order, `previous` {state's new symbol: its old symbol}.

        What is neither defined, an input, a constant nor an old state is a parameter. A new symbol whose old one is None is
        a state that is never read, such as an output.
        """
        pairs = tuple(equations.items()) if isinstance(equations, Mapping) else tuple(equations)
        ordered = in_order(tuple(Equation(symbol, expression) for symbol, expression in pairs))
        fixed = tuple(constants)
        bound = {*previous.values(), *inputs, *fixed, *(e.symbol for e in ordered)}
        used: dict[Any, None] = {}
        for equation in ordered:
            for symbol in sorted(expressions.symbols(equation.expression) - bound, key=str):
                used[symbol] = None
        steps = set(per_step)
        order = {e.symbol: position for position, e in enumerate(ordered)}
        states = sorted(previous, key=lambda new: -order.get(new, 0))
        return cls(
            name=name,
            equations=ordered,
            states=tuple(State(str(new), new, previous[new]) for new in states),
            parameters=tuple(Parameter(str(symbol), symbol, symbol in steps) for symbol in used),
            inputs=tuple(inputs),
            constants=fixed,
            index=index,
        )


def in_order(equations: tuple[Equation, ...]) -> tuple[Equation, ...]:
    """The equations in an order of evaluation, as near to the given one as it allows. Raises EquationError for a cycle."""
    defined = {equation.symbol for equation in equations}
    waiting, ordered = list(equations), []
    done: set[Any] = set()
    while waiting:
        for equation in waiting:
            if (expressions.symbols(equation.expression) & defined) <= done:
                break
        else:
            raise EquationError(
                f"{waiting[0]}: needs itself within one step; refer to the value of the step before to break the circle"
            )
        waiting.remove(equation)
        done.add(equation.symbol)
        ordered.append(equation)
    return tuple(ordered)


def _check(cell: Cell) -> None:
    if not cell.states:
        raise EquationError(f"cell {cell.name}: no state; one equation must refer to the value of the step before")
    known: dict[str, str] = {}
    roles = [(s.old, f"the old state {s.name}") for s in cell.states if s.old is not None]
    roles += [(x, "an input") for x in cell.inputs]
    roles += [(constant, "a constant") for constant in cell.constants] + [(p.symbol, "a parameter") for p in cell.parameters]
    for symbol, role in roles:
        if symbol.name in known:
            raise EquationError(f"cell {cell.name}: {symbol} is {known[symbol.name]} and {role}; rename one of them")
        known[symbol.name] = role
    for equation in cell.equations:
        if equation.symbol.name in known:
            what = known[equation.symbol.name]
            raise EquationError(f"{equation}: {equation.symbol} is defined a second time (already {what}); keep one definition")
        for symbol in sorted(expressions.symbols(equation.expression), key=str):
            if symbol.name not in known:
                raise EquationError(f"{equation}: {symbol} is not bound; define it above or make it a parameter or an input")
        _finite(str(equation), equation.expression)
        try:
            shape, wanted = expressions.shape_of(equation.expression), expressions.shape_of(equation.symbol)
        except EquationError as error:
            raise EquationError(f"{equation}: shapes do not fit: {error}") from None
        if shape != wanted:
            raise EquationError(f"{equation}: {equation.symbol} has shape {wanted}, its right side {shape}")
        known[equation.symbol.name] = "defined by an equation"
    read = {symbol for equation in cell.equations for symbol in expressions.symbols(equation.expression)}
    for symbol in (*cell.inputs, *cell.constants):
        if symbol not in read:
            what = "input" if symbol in cell.inputs else "constant"
            raise EquationError(f"cell {cell.name}: the {what} {symbol} is read by no equation; use it or leave it out")
    for body in cell.bodies:
        for symbol in sorted(expressions.symbols(body.expression) - {body.argument}, key=str):
            if symbol.name not in known:
                raise EquationError(f"the body of {body.name}: {symbol} is not bound; make it a parameter")
        _finite(f"the body of {body.name}", body.expression)
        expressions.shape_of(body.expression)
    defined = {equation.symbol for equation in cell.equations}
    for state in cell.states:
        if state.new not in defined:
            raise EquationError(f"cell {cell.name}: state {state.name} has no update; add an equation that defines {state.new}")
        if state.old is not None and expressions.shape_of(state.old) != expressions.shape_of(state.new):
            raise EquationError(f"cell {cell.name}: state {state.name} changes its shape from step to step")
    require_divisors(cell)


def _finite(where: str, expression: Any) -> None:
    try:
        require_finite(expression)
    except EquationError as error:
        raise EquationError(f"{where}: {error}") from None
