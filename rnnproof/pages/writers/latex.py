"""Documents as LaTeX that compiles with amsmath alone (and a Unicode engine for prose in other scripts)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

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
from rnnproof.pages.message import in_language
from rnnproof.pages.writers.text_table import cell


def latex(document: Document, language: str = "en") -> str:
    """The document; pictures are left out."""
    out = [r"\documentclass{article}", r"\usepackage{amsmath}", r"\begin{document}"]
    out += [rf"\section*{{{_prose(document.title, language)}}}", *_written(document.blocks, language), r"\end{document}"]
    return "\n".join(out) + "\n"


def _written(blocks: Iterable[Block], language: str) -> list[str]:
    return [part for block in blocks if (part := _WRITERS[type(block)](block, language))]


def _prose(text: Any, language: str) -> str:
    """Prose as LaTeX: bold and code become commands, a link its label, the rest is escaped outside the math."""
    written = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cell(text, language))
    return "".join(map(_piece, re.split(r"(\$[^$]+\$|`[^`]+`|\*\*[^*]+\*\*)", written)))


def _piece(part: str) -> str:
    if part.startswith("$"):
        return part
    if part.startswith("`"):
        return rf"\texttt{{{_escaped(part[1:-1])}}}"
    return rf"\textbf{{{_escaped(part[2:-2])}}}" if part.startswith("**") else _escaped(part)


def _escaped(words: str) -> str:
    return re.sub(r"([_&%#{}])", r"\\\1", words)


def _formula(block: Formula, language: str) -> str:
    tag = rf" \tag{{{block.number}}}" if block.number else ""
    return f"\\begin{{equation}}\n{block.tex}{tag}\n\\end{{equation}}"


def _table(block: Table, language: str) -> str:
    rows = [" & ".join(_prose(value, language) for value in row) + r" \\" for row in (block.headers, *block.rows)]
    return "\n".join([rf"\begin{{tabular}}{{{'l' * len(block.headers)}}}", *rows, r"\end{tabular}"])


def _bullets(block: Bullets, language: str) -> str:
    items = [rf"\item {_prose(item, language)}" for item in block.items]
    return "\n".join([r"\begin{itemize}", *items, r"\end{itemize}"])


_WRITERS: dict[type, Callable[[Any, str], str]] = {
    Heading: lambda block, language: (
        rf"\{'sub' * (block.level - 2)}section*{{{_prose(in_language(block.text, language), language)}}}"
    ),
    Paragraph: lambda block, language: _prose(block.text, language) + "\n",
    Bullets: _bullets,
    Formula: _formula,
    Table: _table,
    Figure: lambda block, language: "",
    Code: lambda block, language: f"\\begin{{verbatim}}\n{block.text.rstrip()}\n\\end{{verbatim}}",
    Beside: lambda block, language: "\n".join([*_written(block.blocks, language), *_written([block.code], language)]),
    Cards: lambda block, language: _bullets(Bullets(tuple(card.title for card in block.cards)), language),
    Fold: lambda block, language: "\n".join([_prose(block.summary, language), *_written(block.blocks, language)]),
}
