"""Documents as text for the terminal: formulas in Unicode, tables of spaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rnnproof.equations.plain_text import plain, prose
from rnnproof.pages.blocks import (
    Beside,
    Block,
    Bullets,
    Cards,
    Code,
    Document,
    Figure,
    Fold,
    Formula,
    Heading,
    Paragraph,
    Table,
)
from rnnproof.pages.message import COMMA, in_language, listed
from rnnproof.pages.writers.text_table import cell, grid


def terminal(document: Document, language: str = "en") -> str:
    """The document; a heading stands on what follows it, and formulas stand on one another."""
    text = _prose(document.title, language) + "\n"
    before: Block | None = None
    for block in document.blocks:
        written = _WRITERS[type(block)](block, language)
        if written:
            close = isinstance(before, Heading) or (isinstance(block, Formula) and isinstance(before, Paragraph | Formula))
            text += ("" if close and before is not None else "\n") + written + "\n"
            before = block
    return text


def _prose(text: Any, language: str) -> str:
    return prose(str(in_language(text, language))).replace("`", "")


def _formula(block: Formula, language: str) -> str:
    rules = _prose(listed([name for name, _ in block.rules], COMMA), language)
    number = f"({block.number:>3})  " if block.number else ""
    return f"{number}{plain(block.tex)}" + (f"    [{rules}]" if rules else "")


def bullets(block: Bullets, language: str = "en") -> str:
    """One list by itself."""
    return "\n".join(f"- {_prose(item, language)}" for item in block.items)


def table(block: Table, language: str = "en") -> str:
    """One table by itself; nothing where it has no row."""
    if not block.rows:
        return ""
    table_text = grid(
        [_prose(head, language) for head in block.headers],
        [[_prose(cell(value, language), language) for value in row] for row in block.rows],
    )
    return f"{_prose(block.says, language)}\n\n{table_text}" if block.says else table_text


def _inside(blocks: Iterable[Block], language: str) -> str:
    return "\n\n".join(part for block in blocks if (part := _WRITERS[type(block)](block, language)))


_WRITERS: dict[type, Callable[[Any, str], str]] = {
    Heading: lambda block, language: _prose(block.text, language),
    Paragraph: lambda block, language: _prose(block.text, language),
    Bullets: bullets,
    Formula: _formula,
    Table: table,
    Figure: lambda block, language: "",
    Code: lambda block, language: block.text.rstrip(),
    Beside: lambda block, language: f"{_inside(block.blocks, language)}\n\n{block.code.text.rstrip()}",
    Cards: lambda block, language: "\n".join(f"- {_prose(card.title, language)}" for card in block.cards),
    Fold: lambda block, language: f"{_prose(block.summary, language)}\n\n{_inside(block.blocks, language)}",
}
