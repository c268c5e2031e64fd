"""Documents as the Markdown that GitHub renders: $$ blocks, tables, folds, code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from rnnproof.equations.plain_text import prose
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

Link = Callable[[str], str]
_MATH = re.compile(r"\$[^$\n]+\$")
_LINK = re.compile(r"\[(?P<label>[^\]]*)\]\((?P<target>(?:page|file):[^)\s]+)\)")


def markdown(document: Document, language: str = "en", link: Link = str) -> str:
    """The document; `link` turns "page:NAME" and "file:PATH" into what stands in the text, "" where there is no such page."""
    written = _Writer(language, link)
    return "\n\n".join([f"# {written.prose(document.title)}", *written.blocks(document.blocks)]) + "\n"


class _Writer:
    def __init__(self, language: str, link: Link) -> None:
        self.language, self.link = language, link

    def prose(self, text: Any) -> str:
        return _MATH.sub(_apart, _LINK.sub(self._linked, str(in_language(text, self.language))))

    def _linked(self, match: re.Match[str]) -> str:
        target = self.link(match["target"])
        return f"[{match['label']}]({target})" if target else match["label"]

    def blocks(self, blocks: Iterable[Block]) -> list[str]:
        return [part for block in blocks if (part := _WRITERS[type(block)](self, block))]


def _apart(match: re.Match[str]) -> str:
    """Math with a space to its neighbour where that is no ASCII: GitHub takes no dollar sign right behind one for math."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return f"{'' if before.isascii() else ' '}{match[0]}{'' if after.isascii() else ' '}"


def _formula(writer: _Writer, block: Formula) -> str:
    rules = writer.prose(listed([name for name, _ in block.rules], COMMA))
    number = f"({block.number}) {rules}".rstrip() + "\n\n" if block.number else ""
    return f"{number}$$\n{block.tex}\n$$"


def _table(writer: _Writer, block: Table) -> str:
    if not block.rows:
        return ""
    rows = [[escaped(cell(value, writer.language)) for value in row] for row in block.rows]
    table = writer.prose(grid(block.headers, rows, "github", writer.language))
    return f"{writer.prose(block.says)}\n\n{table}" if block.says else table


def escaped(text: str) -> str:
    """A cell's text in a table of bars."""
    return text.replace("|", r"\|").replace("\n", " ")


def _figure(writer: _Writer, block: Figure) -> str:
    alt = writer.prose(block.alt or block.name).replace("[", "(").replace("]", ")")
    return f"![{alt}]({writer.link(f'file:figures/{block.name}.svg')})\n\n*{writer.prose(block.says)}*"


def _code(writer: _Writer, block: Code) -> str:
    return f"```{block.language}\n{block.text.rstrip()}\n```"


def _fold(writer: _Writer, block: Fold) -> str:
    inner = "\n\n".join(writer.blocks(block.blocks))
    return f"<details>\n<summary>{_html(writer.prose(block.summary))}</summary>\n\n{inner}\n\n</details>"


def _html(text: str) -> str:
    """Prose as the HTML that GitHub wants within a summary, where it reads no Markdown; formulas in Unicode."""
    shown = prose(text).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", shown)


def _bullets(writer: _Writer, block: Bullets) -> str:
    return "\n".join(f"- {writer.prose(item)}" for item in block.items)


def _beside(writer: _Writer, block: Beside) -> str:
    return "\n\n".join([*writer.blocks(block.blocks), writer.prose(block.says), _code(writer, block.code)])


def _cards(writer: _Writer, block: Cards) -> str:
    rows = []
    for card in block.cards:
        target = writer.link(f"page:{card.page}")
        picture = f"[![]({writer.link(f'file:figures/{card.picture}.svg')})]({target})<br>" if card.picture else ""
        tex = f"<br>${card.tex}$" if card.tex else ""
        rows.append((f"{picture}[**{writer.prose(card.title)}**]({target})", f"{writer.prose(card.says)}{tex}"))
    return grid(("", ""), [[escaped(text) for text in row] for row in rows], "github")


_WRITERS: dict[type, Callable[[_Writer, Any], str]] = {
    Heading: lambda writer, block: f"{'#' * block.level} {writer.prose(block.text)}",
    Paragraph: lambda writer, block: writer.prose(block.text),
    Bullets: _bullets,
    Formula: _formula,
    Table: _table,
    Figure: _figure,
    Code: _code,
    Fold: _fold,
    Beside: _beside,
    Cards: _cards,
}
