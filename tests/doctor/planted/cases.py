"""The cases of the matrix: single mistakes, pairs, triples and healthy passes, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tests.doctor.planted.mistakes import Mistake, mistakes_of
from tests.doctor.planted.names import LAYOUTS, Sizes
from tests.doctor.planted.passes import make

STEPS_TRIED = (1, 2, 3, 5, 8)


@dataclass(frozen=True)
class Case:
    """One pass to examine."""

    group: str
    cell: str
    layout: int
    mistakes: tuple[str, ...] = ()
    seed: int = 0
    sizes: tuple[int, int, int] = (3, 4, 2)

    @property
    def key(self) -> str:
        """What a result is found by when a run goes on."""
        mistakes = "+".join(self.mistakes) or "healthy"
        return f"{self.group} {self.cell} {self.layout} {mistakes} {self.seed} {'x'.join(map(str, self.sizes))}"


def alone(cell: str, seed: int, variants: int = 0) -> Iterator[Case]:
    """Every single mistake; with `variants`, so many of each kind in each layout, others in other layouts."""
    for layout in LAYOUTS:
        by_kind: dict[str, list[str]] = {}
        for mistake in mistakes_of(cell, layout):
            by_kind.setdefault(mistake.kind, []).append(mistake.name)
        for names in by_kind.values():
            count = min(variants or len(names), len(names))
            start = (layout - 1 + seed) * count
            for j in range(count):
                yield Case("alone", cell, layout, (names[(start + j) % len(names)],), seed)


def together(cell: str, size: int, number: int, seed: int) -> Iterator[Case]:
    """Random sets of `size` mistakes of different kinds, each of which shows beside the others."""
    rng = np.random.default_rng([seed, size, sum(map(ord, cell))])
    seen: set[tuple[int, tuple[str, ...]]] = set()
    while len(seen) < number:
        layout = int(rng.choice(LAYOUTS))
        everything = mistakes_of(cell, layout)
        kinds = sorted({mistake.kind for mistake in everything})
        chosen: list[Mistake] = []
        for kind in rng.choice(kinds, size=size, replace=False):
            variants = [mistake for mistake in everything if mistake.kind == kind]
            chosen.append(variants[int(rng.integers(len(variants)))])
        names = tuple(sorted(mistake.name for mistake in chosen))
        if (layout, names) in seen or any(a.excludes(b) for a, b in combinations(chosen, 2)):
            continue
        if all(differs(cell, layout, names, [n for n in names if n != name]) for name in names):
            seen.add((layout, names))
            yield Case({2: "pairs", 3: "triples"}.get(size, f"sets of {size}"), cell, layout, names, seed)


def healthy(cell: str, number: int, seed: int) -> Iterator[Case]:
    """Right passes in all layouts, with different seeds and sizes."""
    rng = np.random.default_rng([seed, sum(map(ord, cell))])
    for j in range(number):
        sizes = Sizes(*(int(n) for n in rng.choice([2, 3, 4, 5], size=3, replace=False)))
        yield Case("healthy", cell, LAYOUTS[j % len(LAYOUTS)], (), seed + j + 1, (sizes.D, sizes.H, sizes.K))


def differs(cell: str, layout: int, one: tuple[str, ...] | list[str], other: tuple[str, ...] | list[str]) -> bool:
    """Whether two sets of mistakes give different numbers for some number of steps."""
    return any(
        not np.allclose(a, b, rtol=1e-6, atol=1e-9)
        for a, b in zip(fingerprint(cell, layout, one), fingerprint(cell, layout, other), strict=True)
    )


def fingerprint(cell: str, layout: int, mistakes: tuple[str, ...] | list[str]) -> Iterator[np.ndarray]:
    """The claimed gradients and losses for several numbers of steps, of two calls with a change of the arrays between them."""
    for T in STEPS_TRIED:
        loss, arrays, claimed = make(cell, layout, mistakes)(T, 3, np.random.default_rng(T))
        for _ in range(2):
            g = claimed()
            yield np.concatenate([[loss(), loss()], *(g[k].ravel() for k in sorted(g))])
            for k in sorted(arrays):
                arrays[k] += 0.01
