"""`Chapter`: pages that a report holds besides those of the cells and the checks; who has some hands them to `report.write`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from rnnproof.pages.blocks import Block, Document, Figure
from rnnproof.pages.message import Text

Progress = Callable[[int, int, str], None]


class Chapter(Protocol):
    """Pages about one folder of results, what the front page says of them, and the figures they lend to the cells' pages."""

    @property
    def names(self) -> Sequence[str]:
        """The names of all pages it may write."""

    @property
    def entries(self) -> Mapping[str, Text]:
        """The links at the top of each page: {page, or page#anchor: its text}."""

    @property
    def tones(self) -> Mapping[Any, str]:
        """How the words of its tables are coloured, as `site.Book` has it."""

    def documents(self) -> Sequence[Document]:
        """Its pages."""

    def front(self) -> Sequence[Block]:
        """What the front page says of them."""

    def figures(self, cell: str) -> Sequence[Figure]:
        """The figures that show a cell of the catalogue."""
