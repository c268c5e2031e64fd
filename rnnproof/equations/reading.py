"""What a document was understood to say, for a person: roles, shapes, functions, what was assumed and passed over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

# What can be said of a printed symbol that the document does not say itself; it follows the symbol in a sentence.
CARRIED = "is carried to the next step in a state of its own"
THIS_STEP = "is the input of the step that is computed"
OF_FUNCTION = "belongs to the function that it is an argument of"
SIDE_BY_SIDE = "is multiplied entry by entry: vectors side by side"
FIRST = "is multiplied first, as it stands side by side, and the result entry by entry"
SECOND_SET = "is a weight of its own, and no transpose"
BY_USE = "is a scalar by its use, as the text says nothing of it"
FREE = "is differentiated as free in every entry, and the text restricts it"
BELOW = "is the input: it comes from the layer below"
LAYERED = "is the state of the layer, whose letter it leaves out"
TWO_FONTS = "is printed in two fonts, and is one thing"
ROW = "is a row of a minibatch, and one vector here"
EARLIER_PART = "is taken from an earlier part of the document"
BLOCK = "has its own rows of what is printed as one matrix"
SAME_SIZE = "is a function left open, that gives as many entries as it takes"
ASSUMPTIONS = (
    CARRIED,
    THIS_STEP,
    OF_FUNCTION,
    SIDE_BY_SIDE,
    FIRST,
    SECOND_SET,
    BY_USE,
    FREE,
    BELOW,
    LAYERED,
    TWO_FONTS,
    ROW,
    EARLIER_PART,
    BLOCK,
    SAME_SIZE,
)


@dataclass(frozen=True)
class Assumption:
    """What a symbol or product, in LaTeX, was taken for, and no sentence or declaration says: one of ASSUMPTIONS."""

    tex: str
    text: str

    def __str__(self) -> str:
        return f"{self.tex} {self.text}"


@dataclass(frozen=True)
class PassedOver:
    """What is part of no cell: where it stands, how it is printed, and why."""

    line: int
    tex: str
    reason: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where or f'line {self.line}'}: {self.tex}: {self.reason}"


@dataclass(frozen=True)
class PrintedGradient:
    """A chain of equal members, at least one of which is a derivative of the cell's quantities, as printed.

    `members` are trees; none, and `fault` says why, where the formula cannot be read. `aliases` are (symbol, derivative) that
    the document gives a name, as delta_t. `functions` are (printed name, activation).
    """

    tex: str
    where: str
    members: tuple[Any, ...] = ()
    fault: str = ""
    aliases: tuple[tuple[Any, Any], ...] = ()
    functions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Entry:
    """One symbol: its name in code, its LaTeX, its shape as size names; `per_step` where it has a value for each step."""

    name: str
    tex: str
    shape: tuple[str, ...]
    per_step: bool = False

    def __str__(self) -> str:
        shape = (*(["steps"] if self.per_step else []), *self.shape)
        return f"{self.name} ({' x '.join(shape) or 'scalar'})"


@dataclass(frozen=True)
class CellReading:
    """One cell as it was read. `equations` are (LaTeX, where); the first state is the output; `functions` are left open."""

    name: str
    index: str
    equations: tuple[tuple[str, str], ...]
    states: tuple[Entry, ...]
    inputs: tuple[Entry, ...]
    parameters: tuple[Entry, ...]
    functions: tuple[str, ...]
    assumed: tuple[Assumption, ...]
    passed_over: tuple[PassedOver, ...]

    def __repr__(self) -> str:
        counts = f"{len(self.states)} states, {len(self.inputs)} inputs, {len(self.parameters)} parameters"
        return f"<CellReading of {self.name}: {counts}>"

    def __str__(self) -> str:
        return "\n".join([*self.lines(), *passed_over_lines(self.passed_over)])

    def lines(self) -> list[str]:
        """The text without what was passed over."""
        rows = [
            ("states", ", ".join(map(str, self.states))),
            ("inputs", ", ".join(map(str, self.inputs)) or "none"),
            ("parameters", ", ".join(map(str, self.parameters)) or "none"),
            ("functions", ", ".join(f"{name}, left open" for name in self.functions)),
        ]
        text = [f"{self.name}, step {self.index}", *(f"  {title:<11} {what}" for title, what in rows if what)]
        text += [f"  {'equations' if not n else '':<11} {tex}  ({where})" for n, (tex, where) in enumerate(self.equations)]
        return text + [f"  {'assumed' if not n else '':<11} {what}" for n, what in enumerate(self.assumed)]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain lists and dicts, for JSON."""
        return asdict(self)

    def _repr_markdown_(self) -> str:
        rows = [
            *(("state", entry) for entry in self.states),
            *(("input", entry) for entry in self.inputs),
            *(("parameter", entry) for entry in self.parameters),
        ]
        text = [f"**{self.name}**, step ${self.index}$", "", "| | symbol | name | shape |", "| --- | --- | --- | --- |"]
        for role, entry in rows:
            shape = (*(["steps"] if entry.per_step else []), *entry.shape)
            text.append(f"| {role} | ${_cell(entry.tex)}$ | `{entry.name}` | {' × '.join(shape) or 'scalar'} |")
        text += [f"| function, left open | | `{name}` | |" for name in self.functions]
        text += ["", *(f"$${tex}$$\n" for tex, _ in self.equations)]
        text += _list("Assumed", (f"${what.tex}$ {what.text}" for what in self.assumed))
        text += _list("Passed over", (f"{o.where or o.line}: `{o.tex}`: {o.reason}" for o in self.passed_over))
        return "\n".join(text)


def passed_over_lines(passed_over: Iterable[PassedOver]) -> list[str]:
    """What was passed over, one a line."""
    entries = [f"  {over}" for over in passed_over]
    return ["passed over", *entries] if entries else []


def _list(title: str, items: Iterable[str]) -> list[str]:
    entries = [f"- {item}" for item in items]
    return [f"\n{title}:\n", *entries] if entries else []


def _cell(tex: str) -> str:
    """LaTeX that does not break a table's cell."""
    return tex.replace("|", r"\vert ")
