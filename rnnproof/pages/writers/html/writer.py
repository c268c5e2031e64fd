"""Documents as HTML pages that stand by themselves: styles, script, pictures and formulas are in the file.

A formula and the code lines that compute it point at each other by plain links, which page.js makes into marks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import quote

from rnnproof.extras import needed
from rnnproof.pages.blocks import Block, Code, Document, Figure, Fold, Formula, Heading, Table
from rnnproof.pages.message import Message, Text, in_language, say
from rnnproof.pages.writers.html import mathml, prose
from rnnproof.pages.writers.text_table import cell


@dataclass(frozen=True)
class Site:
    """What a page needs of those around it.

    `address` gives the address of "page:NAME" and "file:PATH", "" where there is none. `pictures` are SVG texts by name, and
    `drawn` names those that take the page's colours; `entries` (page, title) and `languages` (language, address) are the
    links at the top of each page; `tones` gives words such as verdicts a look: good, part, bad, none.
    """

    address: Callable[[str], str]
    pictures: Mapping[str, str] = field(default_factory=dict)
    drawn: frozenset[str] = frozenset()
    entries: Sequence[tuple[str, Text]] = ()
    languages: Sequence[tuple[str, str]] = ()
    tones: Mapping[Any, str] = field(default_factory=dict)


LABELS: dict[str, Message] = {
    "skip": say("To the content"),
    "pages": say("Pages"),
    "contents": say("On this page"),
    "theme": say("Light or dark"),
    "fold": say("Fold all"),
    "unfold": say("Unfold all"),
    "code": say("Code"),
    "close": say("Close"),
    "scroll": say("Scrolls sideways"),
}


def html(document: Document, site: Site, language: str = "en") -> str:
    """The whole page."""
    writer = _Writer(site, language, _marks(document.blocks))
    labels = {name: str(in_language(label, language)) for name, label in LABELS.items()}
    page = _templates().get_template("page.html")
    text = page.render(
        page=document, site=site, language=language, w=writer, labels=labels, css=_read("page.css"), js=_read("page.js")
    )
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


class _Writer:
    """What the templates call."""

    def __init__(self, site: Site, language: str, marks: dict[int, list[int]]) -> None:
        self.site, self.language, self.marks = site, language, marks

    def text(self, value: Any) -> str:
        """A text's words alone."""
        return cell(value, self.language)

    def prose(self, value: Any) -> Any:
        """A text with its inline marks as HTML."""
        return _safe(prose.html(cell(value, self.language), self.site.address))

    def cell(self, value: Any) -> Any:
        """A table's entry; a word with a tone gets its look."""
        tone = self.site.tones.get(value) if isinstance(value, Message | str) else None
        return _safe(f'<span class="tone {tone}">{self.prose(value)}</span>') if tone else self.prose(value)

    def pairs(self, headers: Sequence[Any], row: Sequence[Any]) -> list[tuple[Any, Any]]:
        """The entries of a row, each with the head of its column."""
        return list(zip(headers, row, strict=True))

    def wordy(self, table: Table) -> bool:
        """Whether a table of many columns has sentences in it, so that a phone shows its rows one entry below the other."""
        return len(table.headers) > 4 and any(len(self.text(value)) > 60 for row in table.rows for value in row)

    def formula_name(self, number: int) -> str:
        """What the link to a formula is called."""
        return self.text(say("formula {number}", number=number))

    def number(self, value: Any) -> bool:
        """Whether a table's entry is a number, and so stands at the right."""
        return isinstance(value, int | float) and not isinstance(value, bool)

    def math(self, tex: str) -> Any:
        return _safe(mathml.display(tex))

    def left(self, tex: str) -> Any:
        """What the formula defines."""
        return _safe(mathml.inline(mathml.left_side(tex)))

    def kind(self, block: Block) -> str:
        return type(block).__name__

    def headings(self, blocks: Sequence[Block]) -> list[Heading]:
        """The headings that the list of contents shows."""
        return [heading for heading in _headings(blocks) if heading.anchor]

    def lines_of(self, formula: Formula) -> list[tuple[int, str]]:
        """The code lines of a formula, neighbours together: (the first's number, words)."""
        ranges: list[tuple[int, int]] = []
        for line in self.marks.get(formula.number, []):
            if ranges and ranges[-1][1] == line - 1:
                ranges[-1] = (ranges[-1][0], line)
            else:
                ranges.append((line, line))
        return [(first, self.text(_lines(first, last))) for first, last in ranges]

    def code_lines(self, code: Code) -> list[tuple[int, Any, tuple[int, ...]]]:
        """(number, highlighted line, formulas)."""
        marks = dict(code.marks)
        highlighted = _highlighted(code.text, code.language)
        return [(number, _safe(line), marks.get(number, ())) for number, line in enumerate(highlighted, start=1)]

    def picture(self, figure: str) -> Any:
        """A picture of this project's own drawing, which takes the page's colours; None for any other."""
        return _safe(self.site.pictures[figure]) if figure in self.site.drawn else None

    def embedded(self, figure: Figure) -> str:
        """A picture as an address that holds all of it."""
        return "data:image/svg+xml," + quote(self.site.pictures[figure.name], safe=" !$()*+,-./:;=?@[]^_{|}~")


def _lines(first: int, last: int) -> Message:
    return say("line {number}", number=first) if first == last else say("lines {first}–{last}", first=first, last=last)


def _headings(blocks: Sequence[Block]) -> list[Heading]:
    headings: list[Heading] = []
    for block in blocks:
        if isinstance(block, Heading):
            headings.append(block)
        elif not isinstance(block, Fold):
            headings += _headings(getattr(block, "blocks", ()))
    return headings


def _marks(blocks: Sequence[Block]) -> dict[int, list[int]]:
    """The code lines of each formula."""
    lines: dict[int, list[int]] = {}
    for block in blocks:
        code = getattr(block, "code", None)
        for line, numbers in code.marks if isinstance(code, Code) else ():
            for number in numbers:
                lines.setdefault(number, []).append(line)
        for number, inner in _marks(getattr(block, "blocks", ())).items():
            lines.setdefault(number, []).extend(inner)
    return lines


def _highlighted(text: str, language: str) -> list[str]:
    """Each line with its words marked by kind."""
    pygments, formatters = needed("pygments", "report"), needed("pygments.formatters", "report")
    lexer = needed("pygments.lexers", "report").get_lexer_by_name(language, stripnl=False)
    return str(pygments.highlight(text.rstrip("\n"), lexer, formatters.HtmlFormatter(nowrap=True))).rstrip("\n").split("\n")


def _safe(text: str) -> Any:
    return needed("markupsafe", "report").Markup(text)


def _read(name: str) -> Any:
    return _safe(resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8"))


@cache
def _templates() -> Any:
    jinja = needed("jinja2", "report")
    loader = jinja.PackageLoader(__package__, "templates")
    return jinja.Environment(
        loader=loader, autoescape=True, undefined=jinja.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
