"""The dataflow picture of one step of a cell, as SVG: what a textbook shows of an LSTM, drawn from any cell's Program.

`graph.py` makes the nodes and lines, `order.py`, `levels.py` and `layout.py` say where they stand, `drawing.py` writes the SVG,
`words.py` says the same in words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rnnproof.equations.cell import Cell
from rnnproof.equations.plain_text import prose
from rnnproof.pages.dataflow.captions import alternative, caption
from rnnproof.pages.dataflow.drawing import svg
from rnnproof.pages.dataflow.graph import graph
from rnnproof.pages.dataflow.layout import layout
from rnnproof.pages.message import Text, in_language, say


@dataclass(frozen=True)
class Picture:
    """An SVG text, the caption, and what the picture shows in words for those who do not see it."""

    svg: str
    says: Text
    alt: Text


def picture(cell: Cell, language: str = "en") -> Picture:
    """The picture of a cell's step; `language` is that of the title and description inside the SVG.

    The SVG carries its own style; a page sets --rp-ink, --rp-line, --rp-paper, --rp-accent, --rp-gate, --rp-function and
    --rp-open to change its colours. The same cell gives the same bytes. Raises UsageError where igraph is not installed.
    """
    drawn = graph(cell)
    says, alt = caption(drawn), alternative(drawn)
    title = str(in_language(say("Data flow of one step of {cell}", cell=cell.name), language))
    identity = "flow-" + re.sub(r"[^A-Za-z0-9]", lambda match: f"-{ord(match[0]):x}-", cell.name)
    return Picture(svg(layout(drawn), identity, title, prose(str(in_language(alt, language)))), says, alt)
