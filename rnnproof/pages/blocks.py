"""A document for people as a list of blocks; the writers (Markdown, LaTeX, terminal, HTML) have a row for each kind.

Texts are prose with inline $math$, `code`, **bold**, *emphasis* and [links](target); they are in no language until written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rnnproof.pages.message import Text


@dataclass(frozen=True)
class Heading:
    """Level 2 is a part of the document, 3 a part of that; the document's title is level 1. `anchor` is what links go to."""

    text: Text
    level: int = 2
    anchor: str = ""


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of prose."""

    text: Text


@dataclass(frozen=True)
class Bullets:
    """A list of short paragraphs."""

    items: tuple[Text, ...]


@dataclass(frozen=True)
class Formula:
    """One displayed equation of a derivation: its number, the rules that made it, each a (name, words) pair."""

    tex: str
    number: int = 0
    rules: tuple[tuple[Text, Text], ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows of texts and numbers under headers; `says` is the caption."""

    headers: Sequence[Text]
    rows: Sequence[Sequence[Any]]
    says: Text = ""


@dataclass(frozen=True)
class Figure:
    """A picture in figures/NAME.svg and what it shows; `alt` says for those who do not see it what is drawn."""

    name: str
    says: Text
    alt: Text = ""


@dataclass(frozen=True)
class Code:
    """Source text; `marks` gives for a line (from 1) the numbers of the formulas it computes."""

    text: str
    language: str = "python"
    marks: tuple[tuple[int, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class Fold:
    """Blocks that are out of the way until asked for."""

    summary: Text
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Beside:
    """A derivation and the code that computes it, side by side where there is room."""

    blocks: tuple[Block, ...]
    says: Text
    code: Code


@dataclass(frozen=True)
class Card:
    """One page among others: where it is, what it is about, a formula and a picture (figures/NAME.svg) of it."""

    page: str
    title: Text
    says: Text
    tex: str = ""
    picture: str = ""


@dataclass(frozen=True)
class Cards:
    """Pages to choose from."""

    cards: tuple[Card, ...]


Block = Heading | Paragraph | Bullets | Formula | Table | Figure | Code | Fold | Beside | Cards


@dataclass(frozen=True)
class Document:
    """A page: its name, which is its files' name, its title and its blocks."""

    name: str
    title: Text
    blocks: tuple[Block, ...]
