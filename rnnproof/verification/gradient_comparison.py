"""The gradients that an author prints, each beside the derived one: which agree, under which convention, and which do not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.calculus.lines import Lines, lines_of
from rnnproof.equations import reading, symbols
from rnnproof.equations.binding import bind
from rnnproof.equations.cell import Cell
from rnnproof.equations.gradient_syntax import OverSteps, Partial, ShortPartial, StepSum
from rnnproof.equations.printed_gradients import with_short_forms
from rnnproof.equations.reading import PrintedGradient
from rnnproof.equations.syntax_tree import Group, Number, Symbol, Transposed
from rnnproof.errors import RnnproofError
from rnnproof.verification.derived_run import DerivedRun
from rnnproof.verification.gradient_formulas import LAST_STEPS, Convention, Formula, NotCompared, Value
from rnnproof.verification.sample import Array

AGREES, DIFFERS, NOT_COMPARED = "agrees", "differs", "not compared"

OTHER_USES = "with what a weight does at the steps before held fixed"
OTHER_STATES = "with the other states of the step before held fixed"
GATES = "with the gates and the other states of the step before held fixed"
OTHER_SYMBOLS = "with the other symbols of its equation held fixed"
DENOMINATOR = "in denominator layout"
LAST_LOSS = "for a loss that reads the last step alone"
LAST_STEP = "at the last step alone: elsewhere what comes back from the next step is missing"
ONE_STEP = "for one step: the gradient is the sum over all of them"
TRANSPOSED = "transposed"
PASSED_BACK = "for the part of it that comes back from the next step through this state"
INNER = "by what the functions of the gates are applied to"
STAND_IN = "for an elementwise function in place of the one left open"
PARTLY = "in those of its members that can be compared"
NOTES = (
    OTHER_USES,
    OTHER_STATES,
    GATES,
    OTHER_SYMBOLS,
    DENOMINATOR,
    LAST_LOSS,
    LAST_STEP,
    ONE_STEP,
    TRANSPOSED,
    PASSED_BACK,
    INNER,
    STAND_IN,
    PARTLY,
)

SHAPES = "its shapes fit in no reading"
NOTATION = "its notation is not understood in a gradient"
DERIVATIVE = "the derivative on its left is no vector or matrix of this cell"
OPEN = "a function of the cell is left open"
WAYS = "it can be read in too many ways; write diag(...) and brackets"
REASONS = (SHAPES, NOTATION, DERIVATIVE, OPEN, WAYS)

# Both sides are computed in float64 from at most five steps of at most some ten units with values of order one, so rounding
# stays below 1e-12 of the largest entry; another formula at random values is off by some per cent.
TOLERANCE = 1e-9
_STAND_INS = ("softplus", "gelu", "swish", "mish")  # for functions left open: smooth, and unlike one another
HELD = (
    ("nothing", ""),
    ("other uses", OTHER_USES),
    ("other states", OTHER_STATES),
    ("gates", GATES),
    ("other symbols", OTHER_SYMBOLS),
)
_STARTS_AT_ZERO = re.compile(r"(?:_\s*\{?\s*0\s*\}?|\(\s*0\s*\)\}?)\s*=\s*(?:\\[A-Za-z]+\s*\{?\s*)?0")
_TRANSPOSE = re.compile(r"\^\s*\{?\s*(?:T\b|\\top|\\intercal|\\mathsf|\\mathrm|\\prime)|'")
LAYOUTS = ("columns", "numerator", "denominator")


@dataclass(frozen=True)
class GradientComparison:
    """One printed gradient and its verdict: AGREES with `notes` (of NOTES), DIFFERS, or NOT_COMPARED with a `reason`.

    `error` is the largest difference over the largest derived entry, of the nearest reading; `derived` the derived formula
    where it differs and there is one. `read` says whether the formula could be read at all.
    """

    tex: str
    where: str
    verdict: str
    notes: tuple[str, ...] = ()
    reason: str = ""
    error: float = 0.0
    derived: str = ""
    read: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.tex}: {self.said}"

    @property
    def said(self) -> str:
        """The verdict with its notes or its reason."""
        if self.verdict == NOT_COMPARED:
            return f"{self.verdict}: {self.reason}"
        if self.verdict == AGREES:
            return ", ".join([self.verdict, *self.notes])
        return f"{self.verdict}; derived: {self.derived}" if self.derived else self.verdict


def compare_printed_gradients(cell: Cell) -> tuple[GradientComparison, ...]:
    """Every gradient that the cell's document prints, compared with the derived one at random values.

    What a partial derivative holds fixed is read in each way that authors use (HELD): nothing, the weights' uses at the steps
    before, the other states of the step before, these and the gates, or the other symbols of the equation. A formula differs
    where no way to read it agrees.
    """
    if not cell.printed_gradients:
        return ()
    stand_ins = dict(zip(cell.open_functions, _STAND_INS, strict=False))
    try:
        run = DerivedRun(bind(cell, **stand_ins), from_zero=any(map(_STARTS_AT_ZERO.search, (o.tex for o in cell.passed_over))))
    except RnnproofError as error:
        reason = OPEN if stand_ins else str(error).split("\n")[0]
        return tuple(GradientComparison(g.tex, g.where, NOT_COMPARED, reason=reason) for g in cell.printed_gradients)
    lines = lines_of(cell)
    return tuple(_Judge(lines, run, gradient, stand_ins).verdict() for gradient in cell.printed_gradients)


@dataclass(frozen=True)
class Way:
    """One way to read a formula: its convention, the step it is evaluated at, and what is said where it agrees so."""

    convention: Convention
    step: int
    notes: tuple[str, ...]
    part: str = ""


class _Judge:
    def __init__(self, lines: Lines, run: DerivedRun, gradient: PrintedGradient, stand_ins: dict[str, str]) -> None:
        cell = lines.cell
        self.cell, self.lines, self.run, self.gradient, self.stand_ins = cell, lines, run, gradient, stand_ins
        self.functions = {**dict(gradient.functions), **stand_ins}
        names = {*run.names, *run.inputs, *run.params}
        aliases = [alias for alias, tree in gradient.aliases if isinstance(tree, Partial)]
        members = [with_short_forms(member, names, cell.index, aliases) for member in gradient.members]
        if members and isinstance(members[0], Transposed):  # both sides of it, transposed
            members = [_turned(member) for member in members]
        self.members = members
        self.rows = _is_in_rows(cell)
        self.error = self.nearest = np.inf

    def verdict(self) -> GradientComparison:
        def said(verdict: str, **more: Any) -> GradientComparison:
            return GradientComparison(self.gradient.tex, self.gradient.where, verdict, **more)

        if self.gradient.fault:
            return said(NOT_COMPARED, reason=self.gradient.fault, read=False)
        reference = self.reference()
        if reference is None:
            return said(NOT_COMPARED, reason=DERIVATIVE)
        place, derivative, moved = reference
        given = {alias for alias, _ in self.gradient.aliases}
        others = [member for n, member in enumerate(self.members) if n != place and member not in given]
        if not others:
            return said(NOT_COMPARED, reason=NOTATION)
        layouts = LAYOUTS if self.is_of_loss(derivative) else LAYOUTS[1:]
        judged = [self.in_layout(derivative, others, moved, layout) for layout in layouts]
        for notes in judged:
            if isinstance(notes, tuple):
                return said(AGREES, notes=notes)
        if None in judged:
            return said(DIFFERS, error=self.error, derived=self.formula(derivative))
        return said(NOT_COMPARED, reason=judged[0])

    def in_layout(self, derivative: Partial, members: Sequence[Any], moved: int, layout: str) -> tuple[str, ...] | None | str:
        """The notes where every member that can be compared agrees in a layout; None where one differs; else a reason."""
        found: list[tuple[str, ...]] = []
        reason = last = ""
        for member in members:
            notes = self.agreement(derivative, member, moved, layout)
            if notes is None:
                self.error = min(self.error, self.nearest)
                return None
            last = notes if isinstance(notes, str) else ""
            reason = reason or last
            if isinstance(notes, tuple):
                found.append(notes)
        if last or not found:  # what the chain comes to is what it says
            return last or reason or NOTATION
        more = ([STAND_IN] if self.stand_ins else []) + ([PARTLY] if len(found) < len(members) else [])
        return tuple(dict.fromkeys([*(note for notes in found for note in notes), *more]))

    def formula(self, derivative: Partial) -> str:
        """The derived formula of a derivative, where the derivation has it as a line."""
        if not isinstance(derivative.of, Symbol) or not isinstance(derivative.by, Symbol):
            return ""
        name = symbols.identify(derivative.by, self.counting)[0].name
        try:
            if not self.is_of_loss(derivative):
                return self.lines.jacobian(derivative.of.printed, derivative.by.printed).tex
            if name not in self.run.names:
                return self.lines.gradient(of=name).tex
        except RnnproofError:
            return ""
        left = rf"\delta_{{{self.cell.tex.get(name, name)}}} ="
        return next((step.tex for step in self.lines.steps if step.tex.startswith(left)), "")

    def reference(self) -> tuple[int, Partial, int] | None:
        """The member that the others are compared with: the first derivative, or what an alias stands for, so many steps on."""
        for place, member in enumerate(self.members):
            if isinstance(member, Partial):
                return place, member, 0
        first = self.members[0]
        if isinstance(first, Symbol):
            mine, shift = symbols.identify(first, {self.cell.index})
            for alias, derivative in self.gradient.aliases:
                other, start = symbols.identify(alias, {self.cell.index})
                if other == mine and isinstance(derivative, Partial):
                    return 0, derivative, (shift or 0) - (start or 0)
        return None

    def agreement(self, derivative: Partial, member: Any, moved: int, layout: str) -> tuple[str, ...] | None | str:
        """The notes of the first way in which a member agrees; None where it differs in all; else why it is not compared."""
        reason, compared = "", False
        self.nearest = np.inf
        for way in self.ways(derivative, member, layout):
            letters = self.letters(derivative, way.step)
            formula = Formula(self.run, way.convention, letters, self.functions, list(self.gradient.aliases))
            try:
                due = self.derived(formula.on(moved), derivative, way, moved)
                values = formula.values(member)
            except NotCompared as caught:
                reason = reason or _reason(str(caught))
                continue
            if np.max(np.abs(due.array)) < 1e-6:
                if isinstance(member, Number) and not np.any(due.array) and float(member.text) == 0:
                    return way.notes
                continue
            for value in values:
                for form, notes in _forms(due.array, value, turned=self.is_of_loss(derivative)):
                    compared = True
                    if self.is_same(due.array, form):
                        return (*way.notes, *notes)
            reason = reason or SHAPES
        return None if compared else reason or NOTATION

    def letters(self, derivative: Partial, step: int) -> dict[str, int]:
        """The step that each letter of the formula stands for: T the last one, k of d h_t / d h_k an earlier one."""
        free = self.counting - {
            node.letter for member in self.members for node in _nodes(member) if isinstance(node, OverSteps)
        }
        later, earlier = (self.counting_in(node) & free for node in (derivative.of, derivative.by))
        known = dict.fromkeys(free.intersection(LAST_STEPS) - (earlier - later if later else set()), self.run.steps)
        later, earlier = later - set(known), earlier - set(known)
        known |= dict.fromkeys(earlier - later, step - 2 if later or known else step)
        return {self.cell.index: step, **dict.fromkeys(free, step), **known}

    @cached_property
    def counting(self) -> set[str]:
        """The letters that count steps in the formula."""
        return {self.cell.index}.union(*(self.counting_in(member) for member in self.members))

    def counting_in(self, tree: Any) -> set[str]:
        """The letters with which a symbol of the tree is one that the cell has a value of at each step."""
        return {
            letter
            for symbol in symbols.symbols(tree)
            for letter in symbols.counting(symbol)
            if symbols.identify(symbol, {letter})[0].name in {*self.run.names, *self.run.inputs}
        }

    def is_of_loss(self, derivative: Partial) -> bool:
        """Whether it is the derivative of a loss, and of nothing that the cell computes."""
        top = derivative.of
        return not isinstance(top, Symbol) or symbols.identify(top, self.counting)[0].name not in self.run.names

    def ways(self, derivative: Partial, member: Any, layout: str) -> Iterator[Way]:
        """Every way to read the formula in a layout, the strictest first."""
        inside, last = 3, self.run.steps
        nodes = [*_nodes(member), *_nodes(derivative)]
        of_values = any(isinstance(node, Partial) and not self.is_of_loss(node) for node in nodes)
        by_weight = any(isinstance(node, Partial) and _name(node.by, self.counting) in self.run.params for node in nodes)
        helds = [pair for pair in HELD if by_weight or pair[0] != "other uses"] if of_values else HELD[:1]
        laid = DENOMINATOR if layout == "denominator" and of_values else ""
        if not self.is_of_loss(derivative):
            for held, said in helds:
                yield Way(Convention(layout, held, (), (), self.rows), inside, tuple(filter(None, (said, laid))))
            return
        outputs = [state.new.name for state in self.cell.states if state.old is None]
        first = self.cell.states[0].new.name
        chosen = [tuple(outputs)] if outputs else []
        chosen += [(first,)] if (first,) not in chosen else []
        every = tuple(range(1, last + 1))
        moments = [(every, inside, ""), ((last,), inside, LAST_LOSS), (every, last, LAST_STEP)]
        by = _name(derivative.by, self.counting)
        summed = any(isinstance(node, StepSum) for node in nodes)
        parts = ["", *([ONE_STEP] if by in self.run.params and not summed else [])]
        parts += [PASSED_BACK] if by in self.run.carried else []
        short = any(isinstance(node, ShortPartial) and _name(node.by, self.counting) in self.run.applied for node in nodes)
        inners = (("", False), (INNER, True)) if short else (("", False),)
        for (losses, step, when), part, (inner, is_inner), outs, (held, _) in product(moments, parts, inners, chosen, helds):
            if not part or when != LAST_STEP:
                convention = Convention(
                    layout, held, outs, losses, self.rows, ended=when == LAST_STEP, alone=when == LAST_LOSS, inner=is_inner
                )
                yield Way(convention, step, tuple(filter(None, (when, part, inner, laid))), part)

    def derived(self, formula: Formula, derivative: Partial, way: Way, moved: int) -> Value:
        """The derived value, or the part of it that the way is about, `moved` steps from the way's."""
        at = way.step + moved
        if not way.part:
            return formula.derivative(derivative)
        loss, by = derivative.of, derivative.by
        if not isinstance(loss, Symbol) or not isinstance(by, Symbol):
            raise NotCompared("notation")
        formula.derivative(derivative)  # says what is not compared
        key, shift = symbols.identify(loss, formula.letters)
        losses = (at + (shift or 0),) if key.index else way.convention.losses
        mine, later = symbols.identify(by, formula.letters)
        if way.part == ONE_STEP:
            return Value(self.run.adjoint_of_one_step(mine.name, at, way.convention.outputs, losses))
        array = self.run.passed_back(mine.name, at + (later or 0), way.convention.outputs, losses)
        return Value(array)

    def is_same(self, due: Array, form: Array) -> bool:
        """Whether the printed value is the derived one."""
        error = float(np.max(np.abs(form - due)) / np.max(np.abs(due)))
        self.nearest = min(self.nearest, error)
        return error < TOLERANCE


def _is_in_rows(cell: Cell) -> bool:
    """Whether the vectors are printed as rows, before the matrices."""
    turned = [e for e in cell.equations if e.expression.has(sp.Transpose) and not _TRANSPOSE.search(e.tex)]
    return bool(turned) or any(what.text == reading.ROW for what in cell.assumed)


def _forms(due: Array, value: Value, turned: bool) -> Iterator[tuple[Array, tuple[str, ...]]]:
    """A printed value in the derived one's shape, in each way that says the same; none where the shapes do not fit."""
    array = value.array
    if array.ndim == 0 and due.size == 1:
        yield array.reshape(due.shape), ()
    elif due.ndim == 2 and array.shape in ((), (due.shape[0],)) and due.shape[0] == due.shape[1]:
        yield np.diag(array) if array.ndim else array * np.eye(len(due)), ()
    elif due.ndim == 1 and array.size == due.size:
        yield array.ravel(), ()
    elif array.shape == due.shape:
        yield array, ()
    elif array.shape in ((1, due.size), (due.size,)):
        yield array.reshape(due.shape), ()
    if turned and due.ndim == 2 and array.shape == due.shape[::-1]:
        yield array.T, (TRANSPOSED,)


def _turned(member: Any) -> Any:
    """A member transposed; the transpose of a transposed one is what is in its bracket."""
    if not isinstance(member, Transposed):
        return Transposed(member.at, Group(member.at, "(", member))
    return member.inner.inner if isinstance(member.inner, Group) else member.inner


def _name(node: Any, letters: set[str]) -> str:
    return symbols.identify(node, letters)[0].name if isinstance(node, Symbol) else ""


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in symbols.children(node):
        yield from _nodes(child)


def _reason(what: str) -> str:
    kind, _, name = what.partition(" ")
    known = {"shapes": SHAPES, "notation": NOTATION, "derivative": DERIVATIVE, "ways": WAYS}
    return known.get(kind) or f"it has the {kind} {name}, which the cell has not"
