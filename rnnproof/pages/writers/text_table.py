"""Rows as a table of characters, by tabulate, which knows wide and combining ones by wcwidth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from rnnproof.pages.message import in_language


def grid(headers: Sequence[Any], rows: Sequence[Sequence[Any]], form: str = "simple", language: str = "en") -> str:
    """A table in one of tabulate's formats, its cells as they stand."""
    cells = [[cell(value, language) for value in row] for row in rows]
    return str(tabulate(cells, [cell(head, language) for head in headers], tablefmt=form, disable_numparse=True))


def cell(value: Any, language: str = "en") -> str:
    """One entry's text: nothing for None, a float without trailing zeros."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(in_language(value, language))
