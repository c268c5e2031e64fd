"""What the names of arrays say: which belong together, and which gate each is of."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

# Other names of a gate, by the name that the catalogue's cells give it.
GATE_NAMES: dict[str, tuple[str, ...]] = {
    "i": ("i", "in", "input", "u", "update", "w"),
    "f": ("f", "forget", "r"),
    "o": ("o", "out", "output", "ex"),
    "hbar": ("hbar", "c", "g", "n", "a", "cand", "candidate", "ct", "cc", "ctilde", "chat", "h", "hh", "hhat", "htilde", "s"),
    "z": ("z", "u", "update"),
    "r": ("r", "reset"),
}


def tokens(names: Sequence[str]) -> tuple[str, ...]:
    """Each name without what all begin and end with: Wfh, Wih, Woh are f, i, o."""
    start = len(os.path.commonprefix(list(names)))
    end = len(os.path.commonprefix([name[start:][::-1] for name in names]))
    return tuple(name[start : len(name) - end].strip("_").lower() for name in names)


def groups(names: Sequence[str], size: int) -> Iterator[tuple[tuple[str, ...], ...]]:
    """The ways in which names fall into groups of this size, each group alike but for one part of its names."""
    if len(names) == size:
        yield (tuple(names),)
        return
    seen = set()
    for key in (lambda name: name[0], lambda name: name[-1], lambda name: name[:2], lambda name: name[-2:]):
        parts: dict[str, list[str]] = {}
        for name in names:
            parts.setdefault(key(name), []).append(name)
        grouped = tuple(tuple(part) for part in parts.values())
        if all(len(part) == size for part in grouped) and grouped not in seen:
            seen.add(grouped)
            yield grouped
    if size == 1:
        yield tuple((name,) for name in names)


def misfit(order: Sequence[str], labels: Sequence[str]) -> int:
    """How many labels are no usual names of the gates in this order; labels that say nothing are all misfits."""
    if len(labels) != len(order):
        return len(order)
    return sum(label not in GATE_NAMES.get(gate, (gate,)) for gate, label in zip(order, labels, strict=True))
