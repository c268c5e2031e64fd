"""What the words of a command line name: cells, bodies of functions, modules."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnproof.errors import BindError, UsageError

if TYPE_CHECKING:
    from rnnproof.equations.cell import Cell
    from rnnproof.equations.reader import Reading
    from rnnproof.equations.reading import PassedOver

STANDARD_INPUT = "standard input"


@dataclass(frozen=True)
class How:
    """How documents are read: `binds` "NAME=BODY" for functions left open, `only` one cell, `declared` "SYMBOL: KIND", a file
    of TeX `macros`; `told` where the reading is to be told.
    """

    binds: tuple[str, ...] = ()
    only: str | None = None
    declared: tuple[str, ...] = ()
    macros: str | None = None
    told: bool = False


_OPTIONS = (
    click.option("--cell", "only", metavar="NAME", help="Only this one of a document's cells."),
    click.option("--bind", "binds", multiple=True, metavar="NAME=BODY", help="Give a function left open its body; repeatable."),
    click.option(
        "--declare",
        "declared",
        multiple=True,
        metavar="SYMBOL:KIND",
        help="Say what the text leaves open: 'beta: scalar', vector, matrix, input, parameter, function; repeatable.",
    ),
    click.option("--macros", metavar="FILE", help="A file of TeX macros that the document uses."),
)
_READING = click.option("--reading", "told", is_flag=True, help="Tell on stderr how the equations were read.")


def reads_documents(command: Any, reading: bool = True) -> Any:
    """A command with the options of everything that reads documents, which it takes as one `how`."""

    @wraps(command)
    def with_how(
        *args: Any, only: str | None, binds: tuple[str, ...], declared: tuple[str, ...], macros: str | None, **others: Any
    ) -> Any:
        told = others.pop("told", False)
        return command(*args, how=How(binds, only, declared, macros, told), **others)

    for option in (*([_READING] if reading else []), *reversed(_OPTIONS)):
        with_how = option(with_how)
    return with_how


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
    """The cells a command works on, and what its documents hold besides, by document."""

    cells: tuple[Found, ...]
    passed_over: tuple[tuple[str, PassedOver], ...] = ()

    def closed(self) -> Selection:
        """The same selection. Raises BindError where a function is open, naming --bind."""
        for selected in self.cells:
            for name in selected.cell.open_functions:
                raise BindError(
                    f"cell {selected.cell.name}: the function {name} is left open, and code needs its body; "
                    rf"give it one with --bind '{name}=\tanh(W o + b)'"
                )
        return self


def select(words: Sequence[str], how: How = How()) -> Selection:  # noqa: B008 - it is frozen
    """The cells that catalogue names and paths of documents name ("-" is standard input); no word is the whole catalogue.

    Raises UsageError for an unknown name, an unknown cell to pick, a bind no cell needs and a symbol there is not.
    """
    from rnnproof.equations import catalogue

    names = catalogue.names()
    chosen: list[Found] = []
    passed_over: list[tuple[str, PassedOver]] = []
    for word in words or names:
        if word in names:
            chosen.append(Found(catalogue.load(word), word, word))
        else:
            cells, rest = _document(word, names, how)
            chosen += [Found(cell, f"{word} --cell {cell.name}" if len(cells) > 1 else word) for cell in cells]
            passed_over += rest
    if how.only is not None:
        there = ", ".join(f.cell.name for f in chosen)
        chosen = [f for f in chosen if f.cell.name == how.only]
        if not chosen:
            raise UsageError(f"--cell {how.only}: there is no such cell; there is {there}")
    selection = Selection(_bound(chosen, how.binds), tuple(passed_over))
    if how.told:
        for found in selection.cells:
            click.echo("\n".join(found.cell.reading().lines()), err=True)
    return selection


def _document(word: str, names: Sequence[str], how: How) -> tuple[Sequence[Cell], list[tuple[str, PassedOver]]]:
    reading = read(word, names, how)
    name = STANDARD_INPUT if word == "-" else Path(word).name
    return reading.cells, [(name, over) for over in reading.passed_over]


def read(word: str, names: Sequence[str], how: How) -> Reading:
    """The reading of a document, "-" being standard input. Raises UsageError where there is no such file."""
    from rnnproof.equations import reader

    if word == "-":
        return reader.read_stream(sys.stdin.read(), STANDARD_INPUT, how.macros, how.declared)
    path = Path(word)
    if not path.exists():
        listed = ", ".join(names)
        raise UsageError(f"{word}: neither a file nor a cell of the catalogue; give a document's path or one of {listed}")
    return reader.read_report(path, how.macros, how.declared)


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
