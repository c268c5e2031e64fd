"""Read documents: text -> equations -> models -> systems -> `Cell`s; what no cell needs is passed over and listed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rnnproof.equations import (
    asides,
    containers,
    models,
    named_functions,
    printed_gradients,
    prose,
    reading,
    requirements,
    source,
    steps,
    symbols,
    system,
)
from rnnproof.equations.cell import Cell
from rnnproof.equations.elaborate import elaborate
from rnnproof.equations.macros import Macros
from rnnproof.equations.models import Model
from rnnproof.equations.naming import identifier, named
from rnnproof.equations.page import Page
from rnnproof.equations.parsed_document import ParsedDocument
from rnnproof.equations.reading import Assumption, PassedOver, passed_over_lines
from rnnproof.equations.source import Printed
from rnnproof.equations.syntax_tree import Declaration, Fault, Symbol
from rnnproof.equations.system import Definition
from rnnproof.errors import EquationError, UsageError

_ALONE = "reads nothing but itself"
_NO_RECURRENCE = "no recurrence: nothing is read at the step before, as h_{t-1} is"
_OF_OUTPUTS = re.compile(r"softmax|\\(?:log|ln|arg|max|min|Pr|mathbb\s*\{?E)(?![A-Za-z])|argmax|cross[-_ ]?entropy", re.I)


@dataclass(frozen=True)
class Reading:
    """What a document holds: its cells, and what is part of none, or is seen and cannot be read."""

    cells: tuple[Cell, ...]
    passed_over: tuple[PassedOver, ...] = ()

    def __str__(self) -> str:
        lines = [line for cell in self.cells for line in cell.reading().lines()]
        return "\n".join([*lines, *passed_over_lines(self.passed_over)])

    def as_dict(self) -> dict[str, Any]:
        """The same as plain lists and dicts, for JSON; what was passed over once, not with every cell."""
        cells = [cell.reading().as_dict() for cell in self.cells]
        for cell in cells:
            del cell["passed_over"]
        return {"cells": cells, "passed_over": [asdict(over) for over in self.passed_over]}


def read(path: str | Path, macros: str | Path | None = None, declared: Sequence[str] = ()) -> list[Cell]:
    """Every system of equations in a document. Raises EquationError (what, where, cure), UsageError.

    Markdown, TeX, reStructuredText, HTML, Jupyter notebooks; docstrings and comments of Python and Julia. `macros` is a file of
    TeX macros that the document uses; `declared` says what the text leaves open, such as "beta: scalar". How each cell was
    read is told by its `reading()`.
    """
    return list(read_report(path, macros, declared).cells)


def read_text(text: str, name: str = "cell", declared: Sequence[str] = ()) -> list[Cell]:
    """Every system of equations in a text; one without any delimiter is equations, one a line. Raises EquationError."""
    return list(read_page(Page(name, text), name, whole=True, declared=declared).cells)


def read_stream(text: str, name: str, macros: str | Path | None = None, declared: Sequence[str] = ()) -> Reading:
    """The reading of a text that came from no file, such as standard input, called `name` in messages."""
    return read_page(Page(name, text), "cell", True, _macros(macros), declared)


def read_report(path: str | Path, macros: str | Path | None = None, declared: Sequence[str] = ()) -> Reading:
    """Like `read`, with the mathematics that was passed over."""
    path = Path(path)
    return read_page(containers.opened(path), path.stem, macros=_macros(macros), declared=declared)


def _macros(path: str | Path | None) -> Macros | None:
    return None if path is None else Macros.of(containers.opened(path).text)


def read_page(
    page: Page, name: str, whole: bool = False, macros: Macros | None = None, declared: Sequence[str] = ()
) -> Reading:
    """The cells of a page and what is passed over. Raises EquationError."""
    document = containers.taken_apart(page, macros)
    reader = _Reader(ParsedDocument(document, source.equations(document, whole)), declared)
    cells = reader.cells(identifier(name))
    if not cells:
        requirements.fail_without_system(reader.parsed, reader.over)
    found = {(printed.offset, printed.shown): reason for printed, reason in reader.over}
    cells, gradients = reader.with_gradients(cells)
    found |= {(printed.offset, printed.shown): reason for printed, reason in gradients}
    found |= {(place, _line_at(page, place)): what for place, what in document.unread}
    passed_over = tuple(PassedOver(page.line(at), tex, reason, page.where(at)) for (at, tex), reason in sorted(found.items()))
    return Reading(tuple(replace(cell, passed_over=passed_over) for cell in cells), passed_over)


def _line_at(page: Page, place: int) -> str:
    """The rest of the line at a place, shortened."""
    line = page.text[place : place + 200].split("\n")[0].strip()
    return line if len(line) <= 60 else f"{line[:60]}..."


class _Reader:
    """One reading, from definitions to cells; `over` has what is passed over, and why."""

    def __init__(self, parsed: ParsedDocument, declared: Sequence[str]) -> None:
        self.parsed, self.document, self.page = parsed, parsed.document, parsed.page
        self.definitions, self.letters = parsed.definitions, parsed.letters
        self.remarks, self.functions, self.section = parsed.remarks, parsed.functions, parsed.section
        self.over = [*parsed.over]
        self.declared = [prose.declared(text) for text in declared]

    def cells(self, name: str) -> list[Cell]:
        try:
            lost = [
                *self.parsed.lost,
                *(
                    (symbols.identify(entry.target, self.letters)[0], entry.printed.offset)
                    for entry in self.parsed.unreadable
                    if entry.target
                ),
            ]
            mentioned = [
                (symbols.identify(s, self.letters)[0], remark.place) for remark in self.remarks for s in remark.symbols
            ]
            headings = self.document.headings
            found, left_out = models.split_what_can_be(self.definitions, headings, self.letters, lost, mentioned)
        except Fault as fault:
            self.page.fault(fault.source.printed.place(fault.at), fault.message)
        cells: list[tuple[Model, Cell]] = []
        failed: list[tuple[list[Definition], EquationError]] = []
        for part, twice in left_out:
            failed.append((part, EquationError(self.page.explain(twice.source.printed.place(twice.at), twice.message))))
        for model in found:
            for definition, other, how in model.repeated:
                self.pass_over([definition], f"{how} as in line {self.page.line(other.printed.offset)}")
            for group in self.groups(model):
                try:
                    cells.append((models.titled(model, group, headings), self.cell(name, model.inherited, group)))
                except EquationError as error:
                    good, bad = self.apart(name, model.inherited, group)
                    cells += [(models.titled(model, part, headings), cell) for part, cell in good]
                    failed += bad if good else [(group, error)]
        for group, reason in failed:
            if not cells:
                raise reason
            self.pass_over(group, str(reason).split("\n")[0])
        self.over += [(entry.printed, entry.fault.message) for entry in self.parsed.unreadable]
        return named(name, self.distinct(cells))

    def distinct(self, cells: Sequence[tuple[Model, Cell]]) -> list[tuple[Model, Cell]]:
        """The cells without those that are the same as one before, whose equations are passed over."""
        found: list[tuple[Model, Cell]] = []
        for model, cell in cells:
            same = next((other for _, other in found if _content(cell) == _content(other)), None)
            if same is None:
                found.append((model, cell))
                continue
            kept = {equation.where for _, other in found for equation in other.equations}
            for definition in model.definitions:
                if self.page.where(definition.printed.offset) not in kept:
                    self.pass_over([definition], f"the same equation as in the cell of {same.equations[0].where}")
        return found

    def apart(
        self, name: str, inherited: Sequence[Definition], group: list[Definition]
    ) -> tuple[list[tuple[list[Definition], Cell]], list[tuple[list[Definition], EquationError]]]:
        """The cells of a group that cannot be read as one, where its parts share parameters only; and the parts that fail."""
        good: list[tuple[list[Definition], Cell]] = []
        bad: list[tuple[list[Definition], EquationError]] = []
        letter = str(steps.step_letter(group))
        parts = system.together(group, {letter}, defined_only=True)
        for part in parts if len(parts) > 1 else []:
            try:
                if steps.step_letter(part):
                    good.append((part, self.cell(name, inherited, part)))
                    continue
                self.pass_over(part, _NO_RECURRENCE)
            except EquationError as error:
                bad.append((part, error))
        return good, bad

    def groups(self, model: Model) -> list[list[Definition]]:
        """The systems of a model: what shares symbols and holds a recurrence."""
        found = []
        for wide in system.together([*model.definitions, *model.inherited], self.letters):
            letter = steps.step_letter(wide)
            if letter is None:
                self.pass_over([d for d in wide if d not in model.inherited], _NO_RECURRENCE)
                continue
            unread = system.unread(wide, {letter})
            self.pass_over(unread, "defines nothing that another equation reads")
            kept = [d for d in wide if d not in unread]
            joined = [d for d in kept if self.joins_backwards(d, kept)]
            self.pass_over(joined, "an output of what runs backwards through the steps")
            kept = [d for d in kept if d not in joined]
            while outputs := [d for d in kept if _is_unread_output(d, kept, letter)]:
                self.pass_over(outputs, "an output that no other equation reads, of what is not among the operations")
                kept = [d for d in kept if d not in outputs]
            for group in self.in_sections(system.together(kept, {letter}, defined_only=True)):
                bare = _is_bare(group, letter) and not any(d.printed.formula in self.parsed.conditions for d in group)
                reason = _NO_RECURRENCE if not steps.step_letter(group) else _ALONE if bare else ""
                if not reason:
                    found.append(group)
                self.pass_over([d for d in group if reason and d not in model.inherited], reason)
        return found

    def in_sections(self, parts: Sequence[list[Definition]]) -> list[list[Definition]]:
        """The parts of what shares symbols, those of one section as one: a heading tells two models with one input apart."""
        joined: list[list[Definition]] = []
        for part in parts:
            sections = {self.section(d.printed.offset) for d in part}
            near = [other for other in joined if sections & {self.section(d.printed.offset) for d in other}]
            joined = [other for other in joined if other not in near]
            joined.append([d for other in (*near, part) for d in other])
        order = {id(d): number for number, d in enumerate(self.definitions)}
        return [sorted(part, key=lambda d: order.get(id(d), 0)) for part in joined]

    def joins_backwards(self, definition: Definition, group: Sequence[Definition]) -> bool:
        """Whether an output that nothing reads reads what runs backwards."""
        key = symbols.identify(definition.target, self.letters)[0]
        if any(symbols.identify(s, self.letters)[0] == key for d in group for s in symbols.symbols(d.right)):
            return False
        return any(symbols.identify(s, self.letters)[0] in self.parsed.backwards for s in symbols.symbols(definition.right))

    def cell(self, name: str, inherited: Sequence[Definition], group: list[Definition]) -> Cell:
        letter = str(steps.step_letter(group))
        requirements.require_whole(self.parsed, group)
        requirements.require_readable(self.parsed, group, letter)
        requirements.require_no_ends(self.parsed, group, letter, [name for name, _ in self.declared])
        requirements.require_no_counts(self.parsed, group, letter)
        requirements.require_no_step_numbers(self.parsed, group, letter)
        mine = self.declared_for(group, letter)
        said = self.said(letter, group)
        requirements.require_no_diagonals(self.parsed, group)
        before = [Assumption(d.target.printed, reading.EARLIER_PART) for d in group if d in inherited]
        before += [Assumption(d.target.printed, reading.BLOCK) for d in group if d.printed.offset in self.parsed.columns]
        targets = {definition.target.printed for definition in group}
        before += [what for what in self.parsed.layered if what.tex in targets]
        group, assumed = steps.with_earlier_inputs(
            steps.on_one_step(group, letter), letter, lambda key: "input" in said.get(key, ())
        )
        try:
            return elaborate(self.page, name, group, mine, letter, said, [*before, *assumed])
        except Fault as fault:
            printed = getattr(fault.source, "printed", fault.source) or group[0].printed
            self.page.fault(printed.place(fault.at), fault.message)

    def declared_for(self, group: Sequence[Definition], letter: str) -> list[tuple[Printed, Declaration]]:
        """The declarations of a group's symbols: those of its sections; for others the nearest, first before."""
        keys = {symbols.identify(s, {letter})[0] for definition in group for s in symbols.symbols(definition.relation)}
        sections = {self.section(definition.printed.offset) for definition in group}
        place = min(definition.printed.offset for definition in group)
        found: dict[int, tuple[Printed, Declaration]] = {}
        for key in keys:
            about = [
                number
                for number, (_, declaration) in enumerate(self.parsed.declarations)
                if any(isinstance(s, Symbol) and symbols.identify(s, {letter})[0] == key for s in declaration.symbols)
            ]
            near = [number for number in about if self.section(self.parsed.declarations[number][0].offset) in sections]
            before = [number for number in about if self.parsed.declarations[number][0].offset < place]
            for number in near or before[-1:] or about[:1]:
                found[number] = self.parsed.declarations[number]
        return [found[number] for number in sorted(found)]

    def said(self, letter: str, group: Sequence[Definition]) -> dict[Any, set[str]]:
        """What the text says about each symbol: in the sections of the group, and in those that define nothing."""
        said: dict[Any, set[str]] = {}
        here = {self.section(definition.printed.offset) for definition in group}
        others = self.parsed.used - here
        every = [s for d in self.definitions for s in symbols.symbols(d.relation)]
        keys = {symbols.identify(symbol, {letter})[0] for symbol in every}
        for remark in self.remarks:
            if self.section(remark.place) in others:
                continue
            for symbol in remark.symbols:
                key = symbols.identify(symbol, {letter})[0]
                said.setdefault(key, set()).update(remark.said)
                if prose.DIAGONAL in remark.said and key not in keys and not symbol.scripts:  # "the V matrices are diagonal"
                    for other in keys:
                        said.setdefault(other, set()).update({prose.DIAGONAL} if other.base == key.base else set())
        for name, (known, printed) in self.functions.items():
            if self.section(printed.offset) not in others and not asides.is_supposed(self.document, printed):
                is_a = {prose.IS_ANOTHER, prose.OTHER_BODY} if known == named_functions.OTHER else {prose.IS[known]}
                is_a |= {prose.OTHER_BODY} if name == "tanh" and known != "tanh" else set()
                said.setdefault(symbols.Key(name, (), (), ()), set()).update(is_a)
        for what, words in self.declared:
            wanted = [key for key in keys if key.name in (what, what.removesuffix(f"_{letter}"))]
            if not wanted:
                names = ", ".join(sorted({key.name for key in keys}))
                raise UsageError(f"declared: there is no symbol {what}; the symbols of {self.page.name} are {names}")
            for key in wanted:
                said[key] = {words}
        return said

    def with_gradients(self, cells: Sequence[Cell]) -> tuple[list[Cell], list[tuple[Printed, str]]]:
        """The cells with the gradients that the document prints of them; and what of the document these are."""
        over, letters = [printed for printed, _ in self.over], {cell.index for cell in cells}
        formulas = printed_gradients.formulas(over, letters)
        values = printed_gradients.named_values(over, formulas, letters) if formulas else []
        used = {symbol.base for d in self.definitions for symbol in symbols.symbols(d.relation)}
        functions = printed_gradients.functions(self.remarks, self.functions, used, over)
        place = {self.page.where(d.printed.offset): d.printed.offset for d in self.definitions}
        places = [[place[e.where] for e in cell.equations if e.where in place] for cell in cells]
        return printed_gradients.of_cells(self.page, cells, places, self.section, formulas, values, functions)

    def pass_over(self, definitions: Sequence[Definition], reason: str) -> None:
        self.over += [(definition.printed, reason) for definition in definitions]


def _is_bare(group: Sequence[Definition], letter: str) -> bool:
    """Whether each definition of a system reads nothing but its own symbol, as C_t = C_{t-1}."""

    def key(symbol: Symbol) -> symbols.Key:
        return symbols.identify(symbol, {letter})[0]

    return all(key(s) == key(d.target) for d in group for s in symbols.symbols(d.right))


def _is_unread_output(definition: Definition, group: Sequence[Definition], letter: str) -> bool:
    """Whether nothing reads what is defined, and it is made by a softmax or the like, or has the name of a loss."""
    key = symbols.identify(definition.target, {letter})[0]
    if any(symbols.identify(s, {letter})[0] == key for d in group for s in symbols.symbols(d.right)):
        return False
    return _OF_OUTPUTS.search(definition.printed.tex) is not None or key.base in ("L", "J", "E", "ell", "mathcalL")


def _content(cell: Cell) -> Any:
    return {(e.symbol, e.expression) for e in cell.equations}, set(cell.states), set(cell.parameters), set(cell.inputs)
