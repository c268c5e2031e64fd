"""Pages that are written by hand: one Markdown document for each language, block by block the same, as one Document.

Of Markdown: headings, paragraphs, bullets, fences, tables, displays between lines of `$$`. A paragraph is one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from rnnproof.pages.blocks import Block, Bullets, Code, Document, Formula, Heading, Paragraph, Table
from rnnproof.pages.message import InLanguages

# Fences that say something of the example above them, by what a reader of the page sees.
_SHOWN = {"reading": "text", "same": "tex", "each": "tex"}


def document(name: str, texts: Mapping[str, str]) -> Document:
    """The page in all the languages of `texts`. Raises ValueError where they do not have the same blocks."""
    pages = {language: list(blocks(text)) for language, text in texts.items()}
    lengths = {language: len(page) for language, page in pages.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"{name}: the languages have different numbers of blocks: {lengths}")
    title, *rest = (_together(dict(zip(pages, row, strict=True))) for row in zip(*pages.values(), strict=True))
    if not isinstance(title, Heading):
        raise ValueError(f"{name}: begins with no heading")
    return Document(name, title.text, tuple(rest))


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a Markdown text; the title is a heading of level 1."""
    lines = iter(text.split("\n"))
    for line in lines:
        if line.startswith("```"):
            language = (line[3:].split() or [""])[0]
            yield Code("\n".join(_until(lines, "```")), _SHOWN.get(language, language))
        elif line == "$$":
            yield Formula("\n".join(_until(lines, "$$")))
        elif line.startswith("#"):
            marks, _, title = line.partition(" ")
            yield Heading(title, len(marks), re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"))
        elif line.startswith("- "):
            yield Bullets((line[2:], *(item[2:] for item in _until(lines, ""))))
        elif line.startswith("|"):
            headers, _, *rows = [_cells(row) for row in (line, *_until(lines, ""))]
            yield Table(headers, rows)
        elif line:
            yield Paragraph(line)


def _until(lines: Iterator[str], end: str) -> Iterator[str]:
    for line in lines:
        if line == end:
            return
        yield line


def _cells(row: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1])


def _together(parts: Mapping[str, Any]) -> Any:
    """What stands at one place, in all languages; anchors and what is the same in all are those of the first."""
    first, *others = parts.values()
    if all(other == first for other in others):
        return first
    if any(type(other) is not type(first) for other in others):
        raise ValueError(f"the languages differ in kind where one says {first!r:.80}")
    if isinstance(first, str):
        return InLanguages(tuple(parts.items()))
    if isinstance(first, Sequence):
        return tuple(_together(dict(zip(parts, row, strict=True))) for row in zip(*parts.values(), strict=True))
    if is_dataclass(first) and not isinstance(first, type):
        values = {
            field.name: getattr(first, field.name)
            if field.name == "anchor"
            else _together({language: getattr(part, field.name) for language, part in parts.items()})
            for field in fields(first)
        }
        return type(first)(**values)
    raise ValueError(f"the languages differ in {first!r:.80}")
