"""Which column everything stands in, and in which order from the top: igraph's Sugiyama layout, tried from several starts."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

from rnnproof.errors import UsageError
from rnnproof.pages.dataflow.graph import Edge, Graph, Node

# Crossing reduction is a heuristic that depends on the order it starts from. Starts cost microseconds; what is wide gets fewer.
STARTS, MOST_WORK = 60, 50_000
DIRECT = 4  # how many crossings one with a direct way counts for

Key = tuple[str, int]  # a node, or an edge passing through, and the column


@dataclass(frozen=True)
class Order:
    """`columns`: what stands in each or passes through it, from the top; `tracks`: for each edge, its keys from end to end."""

    graph: Graph
    column: dict[str, int]
    columns: tuple[tuple[Key, ...], ...]
    tracks: tuple[tuple[Key, ...], ...]


def joined(graph: Graph) -> Graph:
    """The same graph with a joint wherever several nodes feed the same several boxes and that saves lines."""
    nodes, edges = list(graph.nodes), list(graph.edges)
    boxes = {node.name for node in nodes if node.weights}
    while True:
        feeds: dict[str, dict[str, Edge]] = {}
        for edge in edges:
            if edge.target in boxes and not edge.direct and not edge.source.startswith("joint"):
                feeds.setdefault(edge.source, {})[edge.target] = edge
        sources, targets = _largest(feeds)
        if not sources:
            return Graph(tuple(nodes), tuple(edges), graph.ways)
        gone = {feeds[source][target] for source in sources for target in targets}
        name = f"joint {len(nodes)}"
        nodes.append(Node(name, "joint"))
        edges = [edge for edge in edges if edge not in gone]
        edges += [Edge(source, name) for source in sources] + [Edge(name, target) for target in targets]


def _largest(feeds: dict[str, dict[str, Edge]]) -> tuple[Sequence[str], Sequence[str]]:
    """Up to four sources and all boxes that each of them feeds, so that a joint saves most lines."""
    best: tuple[int, Sequence[str], Sequence[str]] = (0, (), ())
    many = [source for source in feeds if len(feeds[source]) > 1]
    for count in range(2, min(len(many), 4) + 1):
        for sources in combinations(many[:24], count):
            targets = [target for target in feeds[sources[0]] if all(target in feeds[source] for source in sources)]
            saved = count * len(targets) - count - len(targets)
            if saved > best[0]:
                best = (saved, sources, targets)
    return best[1:]


def layers(graph: Graph) -> dict[str, int]:
    """The column of each node, in the nodes' order: one after the last of what it reads; what leaves stands in the last one."""
    readers: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    waiting = dict.fromkeys(readers, 0)
    for edge in graph.edges:
        readers[edge.source].append(edge.target)
        waiting[edge.target] += 1
    depths = dict.fromkeys(readers, 0)
    ready = [name for name, count in waiting.items() if not count]
    for name in ready:
        for reader in readers[name]:
            depths[reader] = max(depths[reader], depths[name] + 1)
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    last = max(depths.values())
    return depths | {node.name: last for node in graph.nodes if node.kind == "new"}


def order(graph: Graph) -> Order:
    """The order with the fewest crossings. Raises UsageError where igraph is not installed."""
    graph = joined(graph)
    column = layers(graph)
    names = list(column)
    spans = sum(column[edge.target] - column[edge.source] for edge in graph.edges)
    starts = max(1, min(STARTS, MOST_WORK // (spans + 1)))
    seen: dict[tuple[tuple[Key, ...], ...], Order] = {}
    for start in range(starts):
        candidate = _ordered(graph, column, names)
        for columns in (
            candidate.columns,
            tuple(keys[::-1] for keys in candidate.columns),
        ):  # upside down is as good, but for the eye
            seen.setdefault(columns, replace(candidate, columns=columns))
        names = _next(names, start)
    return min(seen.values(), key=_cost)


def _next(names: list[str], start: int) -> list[str]:
    """Another order to start from: reversed, then dealt out in turn."""
    step = 2 + start % 3
    return names[::-1] if start % 2 == 0 else [name for first in range(step) for name in names[first::step]]


def _ordered(graph: Graph, column: dict[str, int], names: list[str]) -> Order:
    at = {name: number for number, name in enumerate(names)}
    igraph = _igraph()
    drawn = igraph.Graph(n=len(names), edges=[(at[edge.source], at[edge.target]) for edge in graph.edges], directed=True)
    coordinates = drawn.layout_sugiyama(layers=[column[name] for name in names], hgap=1, vgap=1, maxiter=500)
    across: dict[Key, float] = {(name, column[name]): coordinates[at[name]][0] for name in column}
    tracks = []
    for number, (edge, points) in enumerate(zip(graph.edges, coordinates.edge_routing, strict=True)):
        passing = {(f"edge {number}", round(layer)): x for x, layer in points}
        across |= passing
        ends = (edge.source, column[edge.source]), (edge.target, column[edge.target])
        tracks.append((ends[0], *sorted(passing, key=lambda key: key[1]), ends[1]))
    columns: list[list[Key]] = [[] for _ in range(max(column.values()) + 1)]
    for key in sorted(across, key=lambda key: (round(across[key], 6), key)):
        columns[key[1]].append(key)
    return Order(graph, column, tuple(map(tuple, columns)), tuple(tracks))


def _segments(order: Order) -> list[list[tuple[int, int, bool]]]:
    """For each gap between columns: (place before, place after, direct) of every line."""
    place = {key: number for column in order.columns for number, key in enumerate(column)}
    segments: list[list[tuple[int, int, bool]]] = [[] for _ in order.columns]
    for edge, track in zip(order.graph.edges, order.tracks, strict=True):
        for before, after in pairwise(track):
            segments[before[1]].append((place[before], place[after], edge.direct))
    return segments


def crossings(order: Order) -> int:
    """The number of crossings of lines, one with a direct way counted several times."""
    count = 0
    for segments in _segments(order):
        for direct in (False, True):
            ends: list[int] = []  # of the lines that start above, sorted
            group: list[tuple[int, int]] = []
            for before, after, way in sorted(segments):
                if group and group[0][0] != before:
                    for _, end in group:
                        insort(ends, end)
                    group = []
                crossed = len(ends) - bisect_left(ends, after + 1)
                count += crossed * (DIRECT if direct and way else 1 if not direct else 0)
                group.append((before, after))
    return count


def _cost(order: Order) -> tuple[Any, ...]:
    """Fewest crossings first; then direct ways far up, short lines, old states above inputs; at last the order itself."""
    place = {key: number for column in order.columns for number, key in enumerate(column)}
    high = sum(place[key] for edge, track in zip(order.graph.edges, order.tracks, strict=True) if edge.direct for key in track)
    spread = sum(abs(before - after) for gap in _segments(order) for before, after, _ in gap)
    old = sum(place[node.name, 0] for node in order.graph.nodes if node.kind == "old")
    return crossings(order), high, spread, old, order.columns


def _igraph() -> Any:
    try:
        import igraph
    except ModuleNotFoundError:
        raise UsageError("igraph is not installed; it comes with `pip install 'rnnproof[report]'`") from None
    return igraph
