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
    """Groups of so many names that are alike but for a gate's name in them, then those that begin or end alike."""
    seen: set[tuple[str, ...]] = set()
    candidates = [tuple(names)] if len(names) == size else []
    candidates += _alike_but_for_gates(names)
    for length in (1, 2, 3):
        for part in (slice(None, length), slice(-length, None)):
            alike: dict[str, list[str]] = {}
            for name in names:
                alike.setdefault(name[part], []).append(name)
            candidates += map(tuple, alike.values())
    for group in candidates:
        if len(group) == size and group not in seen:
            seen.add(group)
            yield group


_ALL_GATE_NAMES = {name for names in GATE_NAMES.values() for name in names}


def _alike_but_for_gates(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The names by what is left of each when a gate's name is taken out: Wxz, Wxr, Wxh are Wx with z, r, h."""
    stems: dict[tuple[str, str], list[str]] = {}
    for name in names:
        for start in range(len(name)):
            for end in range(start + 1, len(name) + 1):
                if name[start:end].lower() in _ALL_GATE_NAMES:
                    stems.setdefault((name[:start], name[end:]), []).append(name)
    return [tuple(dict.fromkeys(group)) for group in stems.values()]


def misfit(order: Sequence[str], labels: Sequence[str]) -> int:
    """How many labels are no usual names of the gates in this order; labels that say nothing are all misfits."""
    if len(labels) != len(order):
        return len(order)
    return sum(label not in GATE_NAMES.get(gate, (gate,)) for gate, label in zip(order, labels, strict=True))
