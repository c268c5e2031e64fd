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


def groups(names: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Groups of so many names that begin or end alike, as those of one role do."""
    seen: set[tuple[str, ...]] = set()
    if len(names) == size:
        seen.add(tuple(names))
        yield tuple(names)
    for length in (1, 2, 3):
        for part in (slice(None, length), slice(-length, None)):
            alike: dict[str, list[str]] = {}
            for name in names:
                alike.setdefault(name[part], []).append(name)
            for group in map(tuple, alike.values()):
                if len(group) == size and group not in seen:
                    seen.add(group)
                    yield group


def misfit(order: Sequence[str], labels: Sequence[str]) -> int:
    """How many labels are no usual names of the gates in this order; labels that say nothing are all misfits."""
    if len(labels) != len(order):
        return len(order)
    return sum(label not in GATE_NAMES.get(gate, (gate,)) for gate, label in zip(order, labels, strict=True))
