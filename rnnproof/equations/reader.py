"""Read documents: text -> equations -> systems -> `Cell`s; what is no definition is passed over and listed, never guessed."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rnnproof.equations import source, symbols, system
from rnnproof.equations.cell import Cell
from rnnproof.equations.convolution import convolution
from rnnproof.equations.elaborate import elaborate
from rnnproof.equations.source import Page, Printed
from rnnproof.equations.syntax import parse
from rnnproof.equations.syntax_tree import Declaration, Fault, Number, Symbol
from rnnproof.equations.system import Definition
from rnnproof.errors import EquationError, UsageError

_IN = re.compile(r"\\in(?![A-Za-z])|∈")
_EQUAL = re.compile(r":=|=|\\(?:leftarrow|gets|equiv|triangleq|coloneqq|coloneq)(?![A-Za-z])|[←≔≡≜]")
_NO_RECURRENCE = "no recurrence: nothing is read at the step before, as h_{t-1} is (not h(t-1))"
_CUSTOMARY = frozenset("tnkl")


@dataclass(frozen=True)
class Reading:
    """What a document holds: its cells, and (line, tex, reason) for all mathematics that is part of none."""

    cells: tuple[Cell, ...]
    passed_over: tuple[tuple[int, str, str], ...]


def read(path: str | Path) -> list[Cell]:
    """Every system of equations in a Markdown or TeX document. Raises EquationError (what, where, cure), UsageError."""
    return list(read_report(path).cells)


def read_text(text: str, name: str = "cell") -> list[Cell]:
    """Every system of equations in a text; one without any delimiter is equations, one a line. Raises EquationError."""
    return list(read_page(Page(name, text), name, whole=True).cells)


def read_report(path: str | Path) -> Reading:
    """Like `read`, with the mathematics that was passed over."""
    path = Path(path)
    most = 4 * source.MAX_TEXT  # no character takes more than four bytes
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)  # not what the file says it holds: a device has no end
        if len(data) > most:
            raise EquationError(f"{path}: over {most} bytes, at most {source.MAX_TEXT} characters are read; cut the document")
        text = io.StringIO(data.decode("utf-8-sig"), newline=None).read()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give the path of a Markdown or TeX document") from None
    except UnicodeDecodeError as error:
        raise EquationError(f"{path}: is not UTF-8 (byte {error.start}); save the document as UTF-8") from None
    return read_page(Page(path.name, text), identifier(path.stem))


def identifier(text: str) -> str:
    """The text as an identifier."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "cell"
    return name if name[0].isalpha() else f"cell_{name}"


def read_page(page: Page, name: str, whole: bool = False) -> Reading:
    """The cells of a page and what is passed over. Raises EquationError."""
    reader = _Reader(page)
    reader.parse(source.equations(page, whole))
    cells = reader.cells(identifier(name))
    if not cells:
        reader.fail()
    over = sorted(reader.over, key=lambda entry: entry[0].offset)
    return Reading(tuple(cells), tuple((page.line(printed.offset), printed.shown, reason) for printed, reason in over))


class _Reader:
    """One reading: definitions, declarations and what is passed over."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.definitions: list[Definition] = []
        self.declarations: list[tuple[Printed, Declaration]] = []
        self.over: list[tuple[Printed, str]] = []

    def parse(self, printed: Sequence[Printed]) -> None:
        """Sort the mathematics into definitions, declarations and the rest; a display that ought to be readable is an error."""
        failed: list[tuple[Printed, Fault]] = []
        for equation in printed:
            equal = _EQUAL.search(equation.tex)
            if not equal and not _IN.search(equation.tex):
                self.over.append((equation, "no definition"))
                continue
            try:
                self.take(equation, parse(equation.tex, "equation" if equal else "declaration"))
            except Fault as fault:
                failed.append((equation, fault))
        letters = system.movers(self.definitions) | _CUSTOMARY
        for equation, found in failed:
            if equation.display and self.meant(equation, letters):
                self.page.fault(equation.offset + found.at, found.message)
            self.over.append((equation, found.message))

    def take(self, printed: Printed, tree: Any) -> None:
        if isinstance(tree, Declaration):
            self.declarations.append((printed, tree))
        elif definition := system.definition(printed, tree):
            self.definitions.append(definition)
        else:
            self.over.append((printed, "its left side is not a single symbol"))

    def meant(self, printed: Printed, letters: set[str] | frozenset[str]) -> bool:
        """Whether an unreadable display was meant as a definition: an index on its left side, or braces that do not balance."""
        left = (_EQUAL.split(printed.tex) or [""])[0]
        index = re.search(
            rf"[_^]\s*\{{?[^{{}}]*?(?<![A-Za-z\\])[{''.join(x for x in letters if len(x) == 1)}](?![A-Za-z])", left
        )
        unbalanced = printed.tex.replace(r"\{", "").count("{") != printed.tex.replace(r"\}", "").count("}")
        return (index is not None or unbalanced) and _EQUAL.search(printed.tex) is not None

    def cells(self, name: str) -> list[Cell]:
        definitions = self.displayed_first(self.definitions)
        if not system.movers(definitions):
            self.pass_over(definitions, _NO_RECURRENCE)
            return []
        for definition in system.unread(definitions):
            self.pass_over([definition], "defines nothing that another equation reads")
            definitions = [other for other in definitions if other is not definition]
        groups = []
        for group in system.together(definitions):
            if system.movers(group):
                groups.append(group)
            else:
                self.pass_over(group, _NO_RECURRENCE)
        cells: list[Cell] = []
        failed: list[tuple[list[Definition], EquationError]] = []
        for group in groups:
            try:
                cells.append(self.cell(f"{name}_{len(cells)}" if len(groups) > 1 else name, group))
            except EquationError as error:
                failed.append((group, error))
        for group, reason in failed:
            if any(definition.printed.display for definition in group) or not cells:
                raise reason
            self.pass_over(group, str(reason).split("\n")[0])
        if len(cells) == 1:
            return [_renamed(cells[0], name)]
        return [_renamed(cell, label) for cell, label in zip(cells, _labels(name, cells), strict=True)]

    def cell(self, name: str, group: list[Definition]) -> Cell:
        for definition in group:
            if (offset := convolution(definition.printed.tex, self.page.text)) is not None:
                at, why = offset
                self.page.fault(
                    definition.printed.offset + at, f"{why}; cells are made of products: write a product, or say that it is one"
                )
        letters = system.movers(group)
        keys = {symbols.identify(s, letters)[0] for definition in group for s in symbols.symbols(definition.relation)}
        mine = []
        for printed, declaration in self.declarations:
            if any(isinstance(s, Symbol) and symbols.identify(s, letters)[0] in keys for s in declaration.symbols):
                mine.append((printed, declaration))
        try:
            return elaborate(self.page, name, group, mine)
        except Fault as fault:
            printed = getattr(fault.source, "printed", fault.source) or group[0].printed
            self.page.fault(printed.offset + fault.at, fault.message)

    def displayed_first(self, definitions: list[Definition]) -> list[Definition]:
        """Without the inline definitions of what a display defines too, and without inline values such as $b = 0$."""
        letters = system.movers(definitions)

        def key(definition: Definition) -> Any:
            return symbols.identify(definition.target, letters)[0]

        displays = {key(definition): definition for definition in definitions if definition.printed.display}
        readable = []
        for definition in definitions:
            if not definition.printed.display and key(definition) in displays:
                line = self.page.line(displays[key(definition)].printed.offset)
                self.pass_over([definition], f"{definition.target.printed} is defined by the display in line {line}")
            elif not definition.printed.display and isinstance(definition.right, Number) and not key(definition).index:
                self.pass_over([definition], "a value, no equation")
            else:
                readable.append(definition)
        return readable

    def pass_over(self, definitions: Sequence[Definition], reason: str) -> None:
        self.over += [(definition.printed, reason) for definition in definitions]

    def fail(self) -> None:
        """No system at all: say so, and show the first reason."""
        message = r"no system of equations found; write one such as $$h_t = \tanh(W x_t + R h_{t-1} + b)$$"
        relations = [entry for entry in self.over if _EQUAL.search(entry[0].tex)] or self.over
        displays = [entry for entry in relations if entry[0].display] or relations
        if not displays:
            raise EquationError(f"{self.page.name}: {message}")
        printed, reason = displays[0]
        self.page.fault(printed.offset, f"{message}; the first equation is passed over: {reason}")


def _labels(name: str, cells: Sequence[Cell]) -> list[str]:
    """`name_state` for each, numbered where two would be alike."""
    labels: list[str] = []
    for cell in cells:
        label = base = f"{name}_{cell.states[0].name}"
        number = 2
        while label in labels:
            label, number = f"{base}_{number}", number + 1
        labels.append(label)
    return labels


def _renamed(cell: Cell, name: str) -> Cell:
    return cell if cell.name == name else replace(cell, name=name)
