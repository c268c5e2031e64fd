"""How frameworks lay out a cell's parameters: the tables `## In frameworks` of the catalogue's documents, and what they mean.

A row says from which of our parameters, one below the other, a framework's array is stacked; ";" begins a second row of a
bias, and "+b_z" is a second bias that the equations add to b_z: zeros where ours has only one. Needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
SECTION = "## In frameworks"


@dataclass(frozen=True)
class FrameworkLayer:
    """The same cell in a framework: which layer and, for each of its weight arrays, our parameters stacked in its order."""

    framework: str
    layer: str
    options: tuple[tuple[str, str], ...]
    weights: tuple[tuple[str, tuple[str, ...]], ...]


def tables(text: str) -> tuple[FrameworkLayer, ...]:
    """The table below `## In frameworks`: | framework | layer | options | array | stacked from |, one row for each array."""
    _, _, section = text.partition(SECTION)
    weights: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[tuple[str, tuple[str, ...]]]] = {}
    for line in section.splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) < 5 or cells[0] == "framework" or set(cells[0]) <= set("-: "):
            continue
        framework, layer, options, array, stacked = cells[:5]
        pairs = tuple((key, value) for key, _, value in (option.partition("=") for option in options.split()))
        weights.setdefault((framework, layer, pairs), []).append((array, tuple(stacked.split())))
    return tuple(FrameworkLayer(*layer, tuple(arrays)) for layer, arrays in weights.items())


@cache
def catalogue() -> Mapping[str, tuple[FrameworkLayer, ...]]:
    """The tables of every cell in the catalogue, by the cell's name."""
    folder = resources.files("rnnproof") / "equations" / "catalogue"
    documents = [entry for entry in folder.iterdir() if entry.name.endswith(".md")]
    return {entry.name.removesuffix(".md"): tables(entry.read_text(encoding="utf-8")) for entry in documents}


def rows_of(parts: tuple[str, ...]) -> list[list[str]]:
    """Names stacked along the first axis, in rows separated by ";" (the two rows of a bias)."""
    rows: list[list[str]] = [[]]
    for part in parts:
        if part == ";":
            rows.append([])
        else:
            rows[-1].append(part)
    return rows


def is_summand(part: str) -> bool:
    """Whether a part is a second bias, which the equations add to the first."""
    return part.startswith("+")


def named(parts: tuple[str, ...]) -> list[str]:
    """Our parameters among the parts."""
    return [part for part in parts if part != ";" and not is_summand(part)]


def stack(parts: tuple[str, ...], params: Mapping[str, Any], hidden: int) -> Array:
    """Our parameters one below the other, in as many rows as the parts have; a summand not given is `hidden` zeros."""
    zeros = np.zeros(hidden, np.result_type(*params.values()))
    rows = [
        np.concatenate([params.get(part, zeros) if is_summand(part) else params[part] for part in row])
        for row in rows_of(parts)
    ]
    return rows[0] if len(rows) == 1 else np.stack(rows)


def unstack(parts: tuple[str, ...], array: Array) -> dict[str, Array]:
    """The blocks (views) of a stacked array, by the parts."""
    found: dict[str, Array] = {}
    rows = rows_of(parts)
    for row, values in zip(rows, array if len(rows) > 1 else [array], strict=True):
        size, rest = divmod(len(values), len(row))
        if rest:
            raise ValueError(f"{len(values)} rows for {len(row)} parts ({', '.join(row)}); they should divide evenly")
        found.update({part: values[place * size : (place + 1) * size] for place, part in enumerate(row)})
    return found
