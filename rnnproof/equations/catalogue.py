"""The cells that come with the project: one Markdown document each in `catalogue/`; adding a cell is adding a document."""

from __future__ import annotations

from importlib import resources

from rnnproof.equations import reader
from rnnproof.equations.cell import Cell
from rnnproof.equations.page import Page
from rnnproof.errors import EquationError, UsageError

_FOLDER = resources.files(__package__) / "catalogue"


def names() -> tuple[str, ...]:
    """The catalogue's cells, by name."""
    return tuple(sorted(entry.name.removesuffix(".md") for entry in _FOLDER.iterdir() if entry.name.endswith(".md")))


def load(name: str) -> Cell:
    """A cell of the catalogue. Raises UsageError for a name it does not have."""
    if name not in names():
        raise UsageError(f"no cell {name!r} in the catalogue; it has {', '.join(names())} (or give the path of a document)")
    text = _text(name)
    cells = reader.read_page(Page(f"{name}.md", text), name).cells
    if len(cells) != 1:
        raise EquationError(f"{name}.md: a catalogue document holds one cell, this one {len(cells)}; split it")
    return cells[0]


def about(name: str) -> tuple[str, str]:
    """The title of a catalogue cell's document, and its first paragraph: what the cell does and where it comes from."""
    title, paragraph, *_ = _text(name).split("\n\n")
    return title.removeprefix("# "), " ".join(paragraph.split("\n"))


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.md").read_text(encoding="utf-8")
