"""How high everything stands: lines as level as the order in the columns allows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from rnnproof.pages.dataflow.order import Key

BETWEEN = 14.0  # pixels between what stands in a column
_SWEEPS, _MOST_WORK = 400, 30_000_000


def levels(
    columns: Sequence[Sequence[Key]],
    heights: dict[Key, float],
    links: Iterable[tuple[Key, Key, float]],
    aligned: Iterable[tuple[Key, Key]],
) -> dict[Key, float]:
    """The level of each key, in pixels from the top.

    `links` (with weights) are to be short, `aligned` to be exactly level, as far as that does not turn the order of a column
    over. Minimises the sum of weight * difference^2, the distances in the columns kept.
    """
    blocks = _Blocks(columns)
    for first, other in aligned:
        blocks.join(first, other)
    numbers = {root: number for number, root in enumerate(dict.fromkeys(map(blocks.root, blocks.parent)))}
    at = {key: numbers[blocks.root(key)] for key in blocks.parent}
    apart: dict[tuple[int, int], float] = {}
    for column in columns:
        for above, below in pairwise(column):
            pair = at[above], at[below]
            distance = (heights.get(above, 0.0) + heights.get(below, 0.0)) / 2 + BETWEEN
            apart[pair] = max(apart.get(pair, 0.0), distance)
    springs = np.eye(len(numbers)) * 1e-3
    for first, other, weight in links:
        i, j = at[first], at[other]
        springs[[i, j], [i, j]] += weight if i != j else 0.0
        springs[[i, j], [j, i]] -= weight if i != j else 0.0
    level = _least(springs, list(apart), np.array(list(apart.values())))
    return {key: float(level[number]) for key, number in at.items()}


def _least(springs: np.ndarray, pairs: list[tuple[int, int]], apart: np.ndarray) -> np.ndarray:
    """The least of y' S y / 2 with y[j] - y[i] >= apart: Hildreth's method on the dual, then exact distances from the top."""
    count = len(springs)
    if not pairs:
        return np.zeros(count)
    slopes = np.zeros((len(pairs), count))
    for number, (i, j) in enumerate(pairs):
        slopes[number, i], slopes[number, j] = -1.0, 1.0
    moves = np.linalg.solve(springs, slopes.T)
    effect = slopes @ moves
    force = np.zeros(len(pairs))
    for _ in range(min(_SWEEPS, 1 + _MOST_WORK // len(pairs) ** 2)):
        for number in range(len(pairs)):
            lacking = apart[number] - effect[number] @ force
            force[number] = max(0.0, force[number] + lacking / effect[number, number])
    level = moves @ force
    return _apart(level, pairs, apart)


def _apart(level: np.ndarray, pairs: list[tuple[int, int]], apart: np.ndarray) -> np.ndarray:
    """The levels rounded, and pushed down where they are nearer than they may be."""
    below: dict[int, list[tuple[int, float]]] = {}
    waiting = [0] * len(level)
    for (i, j), distance in zip(pairs, apart, strict=True):
        below.setdefault(i, []).append((j, float(distance)))
        waiting[j] += 1
    rounded = np.round(level + 0.003, 1)  # what lies between two tenths falls one way on every machine
    ready = [number for number, count in enumerate(waiting) if not count]
    for number in ready:
        for other, distance in below.get(number, []):
            rounded[other] = max(rounded[other], rounded[number] + distance)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return rounded


class _Blocks:
    """Keys that share one level; joined only where every column keeps its order.

    `rank` grows from the top down along every column, so that a search for what stands below something ends early.
    """

    def __init__(self, columns: Sequence[Sequence[Key]]) -> None:
        self.parent: dict[Key, Key] = {key: key for column in columns for key in column}
        self.rank = {key: number for column in columns for number, key in enumerate(column)}
        self.below: dict[Key, set[Key]] = {key: set() for key in self.parent}
        for column in columns:
            for above, under in pairwise(column):
                self.below[above].add(under)

    def root(self, key: Key) -> Key:
        while self.parent[key] != key:
            key = self.parent[key]
        return key

    def join(self, one: Key, other: Key) -> None:
        first, second = self.root(one), self.root(other)
        if first == second or self._leads(first, second) or self._leads(second, first):
            return
        self.parent[second] = first
        self.below[first] |= self.below[second]
        self.rank[first] = max(self.rank[first], self.rank[second])
        waiting = [first]
        while waiting:
            above = waiting.pop()
            for under in map(self.root, self.below[above]):
                if self.rank[under] <= self.rank[above]:
                    self.rank[under] = self.rank[above] + 1
                    waiting.append(under)

    def _leads(self, start: Key, end: Key) -> bool:
        """Whether `end` stands below `start`, directly or through others."""
        seen, waiting = {start}, [start]
        while waiting:
            for under in map(self.root, self.below[waiting.pop()]):
                if under == end:
                    return True
                if under not in seen and self.rank[under] < self.rank[end]:
                    seen.add(under)
                    waiting.append(under)
        return False
