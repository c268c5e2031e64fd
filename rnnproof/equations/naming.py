"""Names of cells: after the document, a heading, or the first state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rnnproof.equations.cell import Cell
from rnnproof.equations.models import Model

_GENERAL = re.compile(
    r"(?:the |equations?|formulas?|formulae|definitions?|mathematics|maths?|model|forward(?: pass| propagation)?|introduction"
    r"|overview|background|notation|summary|computation|update(?: equations?| rules?)?|architecture|description|details?"
    r"|method|arguments?|step|part|\W|\d)*",
    re.IGNORECASE,
)


def identifier(text: str) -> str:
    """The text as an identifier."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "cell"
    return name if name[0].isalpha() else f"cell_{name}"


def named(name: str, cells: Sequence[tuple[Model, Cell]]) -> list[Cell]:
    """One cell is called like the document; of several, each like a heading of its own, else after its first state."""
    if len(cells) == 1:
        return [replace(cells[0][1], name=name)]
    titles = [[identifier(title).lower() for title in model.titles if _tells(title)] for model, _ in cells]
    found: list[Cell] = []
    for place, (_, cell) in enumerate(cells):
        others = {title for number, group in enumerate(titles) if number != place for title in group}
        own = next((title for title in titles[place] if title not in others), "")
        label = base = own or f"{next(iter(titles[place]), name)}_{cell.states[0].name}"
        number = 2
        while any(other.name == label for other in found):
            label, number = f"{base}_{number}", number + 1
        found.append(replace(cell, name=label))
    return found


def _tells(title: str) -> bool:
    """Whether a heading says of what it is the heading, in letters that a name is made of."""
    return not _GENERAL.fullmatch(title) and re.search(r"[A-Za-z]{2}", title) is not None
