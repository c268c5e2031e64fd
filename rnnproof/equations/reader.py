"""Read documents: text -> equations -> models -> systems -> `Cell`s; what no cell needs is passed over and listed."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rnnproof.equations import (
    asides,
    components,
    containers,
    models,
    named_functions,
    printed_gradients,
    prose,
    reading,
    signs,
    source,
    steps,
    symbols,
    system,
)
from rnnproof.equations.cell import Cell
from rnnproof.equations.containers import Document
from rnnproof.equations.elaborate import elaborate
from rnnproof.equations.macros import Macros
from rnnproof.equations.models import Model
from rnnproof.equations.page import Page
from rnnproof.equations.reading import Assumption, PassedOver, passed_over_lines
from rnnproof.equations.source import Printed
from rnnproof.equations.syntax import parse, parse_symbols
from rnnproof.equations.syntax_tree import Declaration, Fault, Product, Relation, Symbol
from rnnproof.equations.system import Definition
from rnnproof.errors import EquationError, UsageError

_IN = re.compile(r"\\in(?![A-Za-z])|∈")
_EQUAL = re.compile(r":=|=|\\(?:leftarrow|gets|equiv|triangleq|coloneqq|coloneq)(?![A-Za-z])|[←≔≡≜]")
_ALONE = "reads nothing but itself"
_NO_RECURRENCE = "no recurrence: nothing is read at the step before, as h_{t-1} is"
_ASIDE = re.compile(
    r"\\(?:partial|nabla|implies|Rightarrow|Longrightarrow|iff|log|ln|arg|lVert|Vert|\||mathbb\s*\{?E\}?|sum|prod|sim|approx|propto"
    r"|leq?|geq?|int|lim|Pr|mathcal\s*\{?L\}?|ell|max|min|argmax|softmax|Softmax|operatorname\*?\s*\{softmax\}|dots|ldots|cdots|vdots)"
    r"(?![A-Za-z])|softmax|∂|∇|\{\s*\\?rm\s*d|\bd[A-Z]"
)
_OF_OUTPUTS = re.compile(r"softmax|\\(?:log|ln|arg|max|min|Pr|mathbb\s*\{?E)(?![A-Za-z])|argmax|cross[-_ ]?entropy", re.I)


_IN_A_SENTENCE = r"(?:(?!\.\s+[A-Z]|\n\s*\n).){0,160}?"
_DIAGONAL_PEEPHOLES = re.compile(
    rf"(?:peephole|cell[- ]to[- ]gate|from the cell){_IN_A_SENTENCE}\bdiagonal"
    rf"|\bdiagonal{_IN_A_SENTENCE}(?:peephole|cell[- ]to[- ]gate|from the cell)",
    re.IGNORECASE | re.DOTALL,
)
_DIAGONAL_STATES = re.compile(
    r"(?:state|recurrent|transition|hidden-to-hidden)(?:[- ]weight)? matri(?:x|ces)\s+(?:is|are|to be|be)\s+(?:\w+\s+)?diagonal"
    r"|\bdiagonal (?:state|recurrent|transition|hidden-to-hidden)(?:[- ]weight)? matri(?:x|ces)",
    re.IGNORECASE,
)
# "I(n) \in \mathbb{N}": a whole number.
_WHOLE = re.compile(
    r"\s*(?P<what>.{1,60}?)\s*(?:\\in(?![A-Za-z])|∈)\s*(?:\\[NZ](?![A-Za-z])|\\mathbb\s*(?:\{\s*[NZ]\s*\}|[NZ]\b)|[ℕℤ])"
)
# A piece of a display that is no equation and yet part of one: its display cannot be trusted.
_CONTINUED = re.compile(r"\A(?:\s|\\q?quad(?![A-Za-z])|\{\s*\}|&|\\[,;:!>]|\\(?:h?phantom|text|mbox)\s*\{[^{}]*\})*[-+*=]")
_FRAGMENT = re.compile(r"_.*\\(?:odot|circ|tanh|sigma|otimes)(?![A-Za-z])|\\(?:odot|circ|tanh|sigma)(?![A-Za-z]).*_")


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


def identifier(text: str) -> str:
    """The text as an identifier."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "cell"
    return name if name[0].isalpha() else f"cell_{name}"


def read_page(
    page: Page, name: str, whole: bool = False, macros: Macros | None = None, declared: Sequence[str] = ()
) -> Reading:
    """The cells of a page and what is passed over. Raises EquationError."""
    document = containers.taken_apart(page, macros)
    reader = _Reader(document, source.equations(document, whole), declared)
    cells = reader.cells(identifier(name))
    if not cells:
        reader.fail()
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


@dataclass(frozen=True)
class Unreadable:
    """A formula with a relation that cannot be read; `target` is its left side where that alone can be."""

    printed: Printed
    fault: Fault
    target: Symbol | None


class _Reader:
    """One reading: definitions, declarations, what is unreadable and what is passed over."""

    def __init__(self, document: Document, printed: Sequence[Printed], declared: Sequence[str] = ()) -> None:
        self.document, self.page = document, document.page
        self.over: list[tuple[Printed, str]] = []
        self.columns: set[int] = set()
        self.fragments: dict[int, Printed] = {}
        self.conditions = {n for n, formula in enumerate(document.formulas) if _is_conditional(formula.excerpt.text)}
        short = (formula.excerpt.text for formula in document.formulas if len(formula.excerpt.text) < 100)
        self.whole_numbers = [match["what"] for match in map(_WHOLE.match, short) if match]
        trees = self.parsed(printed)
        self.declarations = [(p, tree) for p, tree in trees if isinstance(tree, Declaration)]
        self.remarks = prose.remarks(document, printed)
        self.definitions = self.defined([(p, tree) for p, tree in trees if isinstance(tree, Relation)])
        self.letters = system.movers(self.definitions)
        self.functions = named_functions.defined(printed)
        self.declared = [prose.declared(text) for text in declared]

    # from formulas to definitions

    def parsed(self, printed: Sequence[Printed]) -> list[tuple[Printed, Any]]:
        """The trees of what can be read, the step in its index everywhere."""
        found: list[tuple[Printed, Any]] = []
        failed: list[tuple[Printed, Fault]] = []
        for equation in printed:
            equal = _EQUAL.search(equation.tex)
            if not equal and not _IN.search(equation.tex):
                self.over.append((equation, "no definition"))
                if _CONTINUED.search(equation.tex):
                    self.fragments[equation.formula] = equation
                    if self.follows_at_once(equation.formula):
                        self.fragments[equation.formula - 1] = equation
                elif equation.display and _FRAGMENT.search(equation.tex):
                    self.fragments[equation.formula] = equation
                continue
            try:
                found.append((equation, parse(equation.tex, "equation" if equal else "declaration")))
            except Fault as fault:
                failed.append((equation, fault))
        letters = steps.argument_letters(tree for _, tree in found)
        self.unreadable = [Unreadable(equation, fault, _left(equation.tex, letters)) for equation, fault in failed]
        primes = prose.DERIVATIVES.search(self.document.prose) is None
        trees = steps.with_differences([steps.as_index(tree, letters) for _, tree in found])
        trees = steps.marked(trees, primes)
        return [(equation, tree) for (equation, _), tree in zip(found, trees, strict=True)]

    def follows_at_once(self, number: int) -> bool:
        """Whether nothing stands between a formula and the one before it."""
        if number == 0:
            return False
        before, after = self.document.formulas[number - 1].excerpt, self.document.formulas[number].excerpt
        between = self.document.prose[before.place(len(before.text)) : after.place(0)]
        return not re.sub(r"\\[\[\]()]|[\s$`>]", "", between)

    def defined(self, relations: Sequence[tuple[Printed, Relation]]) -> list[Definition]:
        """The definitions: chains, columns and entries taken apart, without sketches and values at one step."""
        found: list[Definition] = []
        letters = set().union(*(symbols.moving(s) for _, relation in relations for s in symbols.symbols(relation)))
        entries = components.entry_letters(relation for _, relation in relations) - letters
        lefts = [relation.left for _, relation in relations if isinstance(relation.left, Symbol)]
        known = {symbols.identify(left, letters)[0] for left in lefts}
        summed: dict[Any, tuple[str, set[str]]] = {}
        for printed, relation in relations:
            try:
                components.check_matrices(relation, summed)
                for single in self.members(printed, relation, known, letters):
                    parts = components.apart(single)
                    if len(parts) > 1:
                        self.columns.add(printed.offset)
                    for part in parts:
                        whole = components.whole(part, entries)
                        definition = system.definition(printed, whole)
                        if definition is None:
                            self.over.append((printed, "its left side is not a single symbol"))
                        else:
                            found.append(definition)
            except Fault as fault:
                self.unreadable.append(Unreadable(printed, fault, relation.left if isinstance(relation.left, Symbol) else None))
        judged = asides.told_apart(found, self.document)
        for definition, reason in judged.passed_over:
            self.pass_over([definition], reason)
        self.lost, self.backwards = judged.lost, judged.backwards
        self.used = {self.section(d.printed.offset) for d in found if symbols.identify(d.target, letters)[0].index}
        kept = [definition for definition in judged.kept if not self.is_said_otherwise(definition)]
        self.pass_over([definition for definition in judged.kept if definition not in kept], asides.REMARK)
        judged.kept = kept
        unified, names = steps.unified(judged.kept, system.movers(found))
        self.pass_over(names, asides.ANOTHER_NAME)
        unified, self.layered = steps.with_layers(unified)
        return unified

    def is_said_otherwise(self, definition: Definition) -> bool:
        """Whether a formula in the text names a function, as phi = ReLU, and the text says that phi is another one."""
        function = definition.right
        if definition.printed.display or not isinstance(function, Symbol) or not symbols.is_named_function(function):
            return False
        base = definition.target.base
        names = set().union(*(remark.said for remark in self.remarks for s in remark.symbols if s.base == base))
        name = prose.IS.get(function.base.lower(), prose.IS_ANOTHER)
        if not names & {*prose.IS.values()} - {name}:
            return False
        if self.section(definition.printed.offset) in self.used and not asides.is_supposed(self.document, definition.printed):
            self.remarks.append(prose.Remark((definition.target,), frozenset({name}), definition.printed.offset))
        return True

    def members(self, printed: Printed, relation: Relation, known: set[Any], letters: set[str]) -> list[Relation]:
        """The equations of a chain a = b = c: of a symbol in the middle, else of the member that needs the fewest unknowns."""
        named = [member for member in relation.middle if isinstance(member, Symbol)]
        if not relation.middle:
            return [relation]
        if named:
            last = Relation(named[0].at, named[0], relation.right)
            return [replace(relation, right=named[0], middle=()), last]

        def unknown(member: Any) -> int:
            keys = {symbols.identify(symbol, letters)[0] for symbol in symbols.symbols(member)}
            sketch = asides.is_application(member)
            return sketch + sum(
                bool(key.index) and key not in known and key.base.lower() not in steps.INPUT_LETTERS for key in keys
            )

        first = unknown(relation.middle[0]) <= unknown(relation.right)
        self.over.append((printed, f"of its members the {'first' if first else 'last'} one is read"))
        return [replace(relation, right=relation.middle[0] if first else relation.right, middle=())]

    # from definitions to cells

    def cells(self, name: str) -> list[Cell]:
        try:
            lost = [
                *self.lost,
                *(
                    (symbols.identify(entry.target, self.letters)[0], entry.printed.offset)
                    for entry in self.unreadable
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
        self.over += [(entry.printed, entry.fault.message) for entry in self.unreadable]
        return _named(name, self.distinct(cells))

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
                bare = _is_bare(group, letter) and not any(d.printed.formula in self.conditions for d in group)
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
        return any(symbols.identify(s, self.letters)[0] in self.backwards for s in symbols.symbols(definition.right))

    def cell(self, name: str, inherited: Sequence[Definition], group: list[Definition]) -> Cell:
        letter = str(steps.step_letter(group))
        for definition in group:
            if (fragment := self.fragments.get(definition.printed.formula)) is not None:
                self.page.fault(fragment.offset, f"{fragment.shown} stands for itself; join it to its equation, or take it out")
            if definition.printed.formula in self.conditions:
                message = "an equation under a condition; cells have no cases: write the one that holds, or a mask of 0 and 1"
                self.page.fault(definition.printed.offset, message)
            tex, text = definition.printed.tex, self.page.text
            if (found := next(filter(None, (ask(tex, text) for ask in signs.QUESTIONS)), None)) is not None:
                at, why = found
                self.page.fault(definition.printed.place(at), why)
        self.require_readable(group, letter)
        self.require_no_ends(group, letter)
        self.require_no_counts(group, letter)
        for definition in group:
            number = next((s for s in symbols.symbols(definition.right) if s.base == letter and not s.scripts), None)
            if number is not None:
                message = f"{letter} counts the steps, and stands as a number here; give that as an input"
                self.page.fault(definition.printed.place(number.at), message)
        mine = self.declared_for(group, letter)
        said = self.said(letter, group)
        self.require_no_diagonals(group)
        before = [Assumption(d.target.printed, reading.EARLIER_PART) for d in group if d in inherited]
        before += [Assumption(d.target.printed, reading.BLOCK) for d in group if d.printed.offset in self.columns]
        targets = {definition.target.printed for definition in group}
        before += [what for what in self.layered if what.tex in targets]
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
                for number, (_, declaration) in enumerate(self.declarations)
                if any(isinstance(s, Symbol) and symbols.identify(s, {letter})[0] == key for s in declaration.symbols)
            ]
            near = [number for number in about if self.section(self.declarations[number][0].offset) in sections]
            before = [number for number in about if self.declarations[number][0].offset < place]
            for number in near or before[-1:] or about[:1]:
                found[number] = self.declarations[number]
        return [found[number] for number in sorted(found)]

    def require_readable(self, group: Sequence[Definition], letter: str) -> None:
        """Raise EquationError for an unreadable formula that defines what the group reads, or that belongs to its display."""
        defined = {symbols.identify(d.target, {letter})[0] for d in group}
        read = {symbols.identify(s, {letter})[0] for d in group for s in symbols.symbols(d.right)}
        sections = {self.section(d.printed.offset) for d in group}
        for definition in group:
            for symbol in symbols.symbols(definition.right):
                if symbols.identify(symbol, self.letters)[0] in self.backwards:
                    message = f"{symbol.printed} runs backwards through the steps, and a cell forwards; read the two apart"
                    self.page.fault(definition.printed.place(symbol.at), message)
        for entry in self.unreadable:
            if entry.target is None:
                several = {symbols.identify(symbol, {letter})[0] for symbol in _several(entry.printed.tex)}
                if several & (read - defined):
                    message = "several symbols are defined at once; give each gate an equation and parameters of its own"
                    self.page.fault(entry.printed.offset, message)
                continue
            key = symbols.identify(entry.target, {letter})[0]
            near = self.section(entry.printed.offset) in sections
            parameter = key in read and near and not asides.is_remark(self.document, entry.printed)
            if key in defined or not (key.index or parameter):
                continue
            aside = _ASIDE.search(entry.printed.tex) is not None
            if key in read or (near and not aside and self.speaks_of(entry, defined)):
                self.page.fault(entry.printed.place(entry.fault.at), entry.fault.message)

    def require_no_ends(self, group: Sequence[Definition], letter: str) -> None:
        """Raise EquationError where the group reads a state at one step, as h_T of an encoder: it is no parameter."""
        moving = [key for key in (symbols.identify(d.target, self.letters)[0] for d in self.definitions) if key.index]
        said = {
            symbols.identify(s, self.letters)[0] for r in self.remarks if r.said & {"parameter", "input"} for s in r.symbols
        }
        for definition in group:
            for symbol in symbols.symbols(definition.right):
                key = symbols.identify(symbol, {letter})[0]
                state = next((other for other in moving if asides.is_one_step_of(key, other)), None)
                if (
                    state is not None
                    and not key.index
                    and key not in said
                    and key.name not in [name for name, _ in self.declared]
                ):
                    message = (
                        f"{symbol.printed} looks like one step of a sequence of this document, and a cell reads the step "
                        f"before only; give it another name, or say that ${symbol.printed}$ is an input or a parameter"
                    )
                    self.page.fault(definition.printed.place(symbol.at), message)

    def require_no_counts(self, group: Sequence[Definition], letter: str) -> None:
        """Raise EquationError where what changes from step to step is said to be a whole number: it has no gradient."""
        counts = [_left(f"{what} = 0", {letter}) for what in self.whole_numbers]
        keys = {symbols.identify(symbol, {letter})[0] for symbol in counts if symbol}
        for definition in group:
            for symbol in symbols.symbols(definition.relation):
                key = symbols.identify(symbol, {letter})[0]
                if key.index and key in keys:
                    message = f"the text says that {symbol.printed} is a whole number; cells compute with real vectors"
                    self.page.fault(definition.printed.place(symbol.at), message)

    def require_no_diagonals(self, group: Sequence[Definition]) -> None:
        """Raise EquationError where the text calls peephole or state matrices diagonal, and they are printed as matrices."""
        peepholes, states = (pattern.search(self.document.prose) for pattern in (_DIAGONAL_PEEPHOLES, _DIAGONAL_STATES))
        if not peepholes and not states:
            return
        defined = {symbols.identify(d.target, self.letters)[0] for d in group}
        for definition in group:
            for node in components.nodes(definition.right):
                factors = node.factors if isinstance(node, Product) and node.sign in ("", "dot") else ()
                pair = [factor for factor in factors if isinstance(factor, Symbol)]
                if len(pair) == len(factors) == 2:
                    matrix, vector = pair
                    key, shift = symbols.identify(vector, self.letters)
                    of_cell = peepholes and vector.base in ("c", "C", "s") and bool(key.index)
                    of_state = states and key in defined and shift is not None and shift < 0
                    if matrix.base[0].isupper() and (of_cell or of_state):
                        message = (
                            f"the text says that {matrix.printed} is diagonal; write \\odot with the vector of its diagonal"
                        )
                        self.page.fault(definition.printed.place(node.at), message)

    def section(self, place: int) -> int:
        """The number of the heading above a place."""
        return bisect_right([heading.place for heading in self.document.headings], place)

    def speaks_of(self, entry: Unreadable, keys: Iterable[Any]) -> bool:
        """Whether the text of an unreadable formula holds a symbol of the system."""
        right = _EQUAL.split(entry.printed.tex, maxsplit=1)[-1]
        return any(
            re.search(rf"(?<![A-Za-z\\]){re.escape(key.base)}(?![A-Za-z])\s*[_^(\[]", right) for key in keys if key.index
        )

    def said(self, letter: str, group: Sequence[Definition]) -> dict[Any, set[str]]:
        """What the text says about each symbol: in the sections of the group, and in those that define nothing."""
        said: dict[Any, set[str]] = {}
        here = {self.section(definition.printed.offset) for definition in group}
        others = self.used - here
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
        formulas = printed_gradients.formulas((printed for printed, _ in self.over), {cell.index for cell in cells})
        used = {symbol.base for d in self.definitions for symbol in symbols.symbols(d.relation)}
        functions = printed_gradients.functions(self.remarks, self.functions, used)
        place = {self.page.where(d.printed.offset): d.printed.offset for d in self.definitions}
        places = [[place[e.where] for e in cell.equations if e.where in place] for cell in cells]
        return printed_gradients.of_cells(self.page, cells, places, self.section, formulas, functions)

    def pass_over(self, definitions: Sequence[Definition], reason: str) -> None:
        self.over += [(definition.printed, reason) for definition in definitions]

    def fail(self) -> None:
        """No system at all: say so, and show the equation that looks most like a recurrence."""
        message = r"no system of equations found; write one such as $$h_t = \tanh(W x_t + R h_{t-1} + b)$$"
        entries = [entry for entry in self.over if _EQUAL.search(entry[0].tex)]
        if not entries:
            where = self.page.where(self.over[0][0].offset) if self.over else self.page.name
            raise EquationError(f"{where}: {message}{self._what_is_there()}")
        printed, reason = max(entries, key=lambda entry: (_likeness(entry[0].tex), -entry[0].offset))
        lost = next((entry for entry in self.unreadable if entry.printed is printed), None)
        if lost is not None and not _ASIDE.search(printed.tex):
            self.page.fault(printed.place(lost.fault.at), lost.fault.message)
        self.page.fault(printed.offset, f"{message}; the likeliest equation is passed over: {reason}")

    def _what_is_there(self) -> str:
        there = []
        if self.over:
            there.append("formulas such as " + self.over[0][0].shown + ", and no equation")
        if (place := containers.plain_equation(self.document)) is not None:
            there.append(f"an equation in code or plain text, in line {self.page.line(place)}, not between $$ and so not read")
        if pictures := containers.pictures(self.document):
            there.append(f"{pictures} pictures, which are not read")
        there += sorted({what for _, what in self.document.unread})
        return f" (the page has {'; '.join(there)})" if there else ""


def _left(tex: str, letters: set[str]) -> Symbol | None:
    """The left side of a formula where it is a symbol; `letters` stand in arguments."""
    if not _EQUAL.search(tex):
        return None
    try:
        left = steps.as_index(parse(f"{_EQUAL.split(tex, maxsplit=1)[0]} = 0", "equation"), letters).left
    except Fault:
        return None
    return left if isinstance(left, Symbol) else None


def _is_bare(group: Sequence[Definition], letter: str) -> bool:
    """Whether each definition of a system reads nothing but its own symbol, as C_t = C_{t-1}."""

    def key(symbol: Symbol) -> symbols.Key:
        return symbols.identify(symbol, {letter})[0]

    return all(key(s) == key(d.target) for d in group for s in symbols.symbols(d.right))


def _several(tex: str) -> list[Symbol]:
    """The symbols on the left of i_t, f_t = ..., or nothing."""
    left = _EQUAL.split(tex, maxsplit=1)[0]
    try:
        return parse_symbols(left) if "," in left and _EQUAL.search(tex) else []
    except Fault:
        return []


def _likeness(tex: str) -> int:
    """How much a formula looks like a recurrence: something of the step before on its right, and on its left the same."""
    left, *right = _EQUAL.split(tex, maxsplit=1)
    before = re.findall(r"([A-Za-z])(?:\}*)\s*(?:[_^]\s*\{?|[(\[])[^{}=]*?[a-z]\s*-\s*1", right[0] if right else "")
    return 2 * bool(before) + any(letter in left for letter in before)


_CONDITION = re.compile(
    r"\\(?:text|mbox|textrm|mathrm|hbox)\s*\{[^{}]*?\b(?P<word>if|otherwise|else|when|unless|si|wenn|sonst|если|иначе)\b[^{}]*\}"
    r"(?P<what>(?:(?!\\\\|\\q?quad|,|;|\\end)[^\n]){0,120})"
    r"|\\(?:text|mbox)\s*\{[^{}]*?(?:如果|若|否则|もし|それ以外|만약)[^{}]*\}|\\(?:b|p)?mod(?![A-Za-z])"
)


def _is_conditional(tex: str) -> bool:
    """Whether a display says that an equation holds only in some case, and not only from some step on."""
    for match in _CONDITION.finditer(tex):
        if match["word"] in (None, "otherwise", "else", "unless", "sonst", "иначе"):
            return True
        names = re.findall(
            r"[A-Za-zα-ω]+", re.sub(r"\\(?:geq?|leq?|lt|gt|neq?|ldots|dots|text|in)(?![A-Za-z])", "", match["what"])
        )
        if [name for name in names if name not in ("t", "n", "k", "T", "N", "l", "L")] or not match["what"].strip(" .{}"):
            return True
    return False


def _is_unread_output(definition: Definition, group: Sequence[Definition], letter: str) -> bool:
    """Whether nothing reads what is defined, and it is made by a softmax or the like, or has the name of a loss."""
    key = symbols.identify(definition.target, {letter})[0]
    if any(symbols.identify(s, {letter})[0] == key for d in group for s in symbols.symbols(d.right)):
        return False
    return _OF_OUTPUTS.search(definition.printed.tex) is not None or key.base in ("L", "J", "E", "ell", "mathcalL")


def _content(cell: Cell) -> Any:
    return {(e.symbol, e.expression) for e in cell.equations}, set(cell.states), set(cell.parameters), set(cell.inputs)


_GENERAL = re.compile(
    r"(?:the |equations?|formulas?|formulae|definitions?|mathematics|maths?|model|forward(?: pass| propagation)?|introduction"
    r"|overview|background|notation|summary|computation|update(?: equations?| rules?)?|architecture|description|details?"
    r"|method|arguments?|step|part|\W|\d)*",
    re.IGNORECASE,
)


def _named(name: str, cells: Sequence[tuple[Model, Cell]]) -> list[Cell]:
    """One cell is called like the document; of several, each like a heading of its own, else after its first state."""
    if len(cells) == 1:
        return [replace(cells[0][1], name=name)]
    titles = [[identifier(title).lower() for title in model.titles if _tells(title)] for model, _ in cells]
    named: list[Cell] = []
    for place, (_, cell) in enumerate(cells):
        others = {title for number, group in enumerate(titles) if number != place for title in group}
        own = next((title for title in titles[place] if title not in others), "")
        label = base = own or f"{next(iter(titles[place]), name)}_{cell.states[0].name}"
        number = 2
        while any(other.name == label for other in named):
            label, number = f"{base}_{number}", number + 1
        named.append(replace(cell, name=label))
    return named


def _tells(title: str) -> bool:
    """Whether a heading says of what it is the heading, in letters that a name is made of."""
    return not _GENERAL.fullmatch(title) and re.search(r"[A-Za-z]{2}", title) is not None
