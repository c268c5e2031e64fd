"""What the words of a command line name: cells, bodies of functions, modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rnnproof.errors import BindError, UsageError

if TYPE_CHECKING:
    from rnnproof.equations.cell import Cell


@dataclass(frozen=True)
class Found:
    """A cell, the words that select it, and its catalogue name ("" for a document or a cell --bind changed)."""

    cell: Cell
    word: str
    catalogue: str = ""

    @property
    def subject(self) -> Cell | str:
        """What `check` takes: a catalogue cell by its name, so that the committed module is what is checked."""
        return self.catalogue or self.cell


@dataclass(frozen=True)
class Selection:
    """The cells a command works on, and what its documents hold besides: (document, line, TeX, reason)."""

    cells: tuple[Found, ...]
    passed_over: tuple[tuple[str, int, str, str], ...] = ()

    def closed(self) -> Selection:
        """The same selection. Raises BindError where a function is open, naming --bind."""
        for selected in self.cells:
            for name in selected.cell.open_functions:
                raise BindError(
                    f"cell {selected.cell.name}: the function {name} is left open, and code needs its body; "
                    rf"give it one with --bind '{name}=\tanh(W o + b)'"
                )
        return self


def select(words: Sequence[str], binds: Sequence[str] = (), only: str | None = None) -> Selection:
    """The cells that catalogue names and paths of documents name; no word at all is the whole catalogue.

    `binds` are "NAME=BODY", applied to every selected cell that leaves NAME open; `only` picks one cell by its name. Raises
    UsageError for an unknown name, an unknown `only` and a bind no cell needs.
    """
    from rnnproof.equations import catalogue

    names = catalogue.names()
    chosen: list[Found] = []
    passed_over: list[tuple[str, int, str, str]] = []
    for word in words or names:
        if word in names:
            chosen.append(Found(catalogue.load(word), word, word))
        else:
            cells, rest = _document(word, names)
            chosen += [Found(cell, f"{word} --cell {cell.name}" if len(cells) > 1 else word) for cell in cells]
            passed_over += rest
    if only is not None:
        there = ", ".join(f.cell.name for f in chosen)
        chosen = [f for f in chosen if f.cell.name == only]
        if not chosen:
            raise UsageError(f"--cell {only}: there is no such cell; there is {there}")
    return Selection(_bound(chosen, binds), tuple(passed_over))


def _document(word: str, names: Sequence[str]) -> tuple[Sequence[Cell], list[tuple[str, int, str, str]]]:
    from rnnproof.equations import reader

    path = Path(word)
    if not path.exists():
        listed = ", ".join(names)
        raise UsageError(f"{word}: neither a file nor a cell of the catalogue; give a document's path or one of {listed}")
    reading = reader.read_report(path)
    return reading.cells, [(path.name, *entry) for entry in reading.passed_over]


def _bound(chosen: Sequence[Found], binds: Sequence[str]) -> tuple[Found, ...]:
    cells = list(chosen)
    for text in binds:
        from rnnproof.equations.binding import bind

        name, equals, body = (part.strip() for part in text.partition("="))
        if not equals or not name or not body:
            raise UsageError(rf"--bind {text!r}: give a function and its body, such as --bind 'f=\tanh(W o + b)'")
        fitting = [at for at, selected in enumerate(cells) if name in selected.cell.open_functions]
        if not fitting:
            opened = ", ".join(sorted({n for selected in cells for n in selected.cell.open_functions})) or "none"
            raise UsageError(f"--bind {text!r}: no selected cell leaves {name} open (left open: {opened})")
        for at in fitting:
            cells[at] = Found(bind(cells[at].cell, **{name: body}), f"{cells[at].word} --bind '{text}'")
    return tuple(cells)
