"""Where things stand, in pixels: columns from left to right, lines as curves.

A line runs level through every column that it passes and bends in the gaps between columns only, so no line goes through a box.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from rnnproof.pages.dataflow.graph import SOURCES, Edge, Graph, Node
from rnnproof.pages.dataflow.heights import levels
from rnnproof.pages.dataflow.order import Key, Order, order
from rnnproof.pages.dataflow.tex_runs import width

SIZE = 16.0  # of the letters
BOX, LINE, PILL, RADIUS = (
    34.0,
    20.0,
    30.0,
    13.0,
)  # heights of a box, of a further line in it, of a state; radius of an operation
LABEL = 38.0  # height of a node with a name beside it
PADDING, MARGIN, MOST = 9.0, 6.0, 130.0  # MOST: how wide the weights of a box get before they take a second line
NEAR, FAR = 25.0, 44.0  # the gap between columns: more where lines go far up or down
PORT, STRAIGHT = 9.0, 4.0  # between the lines that end at a box; what is not further off than this comes in straight
TURN, MOST_TURN, REACH = 46.0, 70.0, 44.0  # degrees between lines that end at an operation; where they start to turn, in pixels
DIRECT, SINGLE, LONG = 8.0, 3.0, 2.0  # how much more level than others: direct ways, lines without a sibling, long lines
NEARLY = 12.0  # what is on nearly the same level is put on the same


class Extent(NamedTuple):
    """A node's width and height, the width of its part with the weights, and these line by line."""

    width: float
    height: float
    split: float = 0.0
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """A node, its centre and its extent; `end` where a direct way begins or ends."""

    node: Node
    x: float
    y: float
    extent: Extent
    end: bool = False


@dataclass(frozen=True)
class Route:
    """An edge as a curve through `points`, level at each but the last, where it comes in `angle` degrees from below.

    `joint`: it ends in a joint, without a head.
    """

    edge: Edge
    points: tuple[tuple[float, float], ...]
    angle: float = 0.0
    joint: bool = False


@dataclass(frozen=True)
class Layout:
    """The whole picture."""

    width: float
    height: float
    places: tuple[Place, ...]
    routes: tuple[Route, ...]


class Column(NamedTuple):
    """Nodes stand at `left`, the names of what leaves them behind them; passing lines are level from `left` to `right`."""

    left: float
    right: float


def layout(graph: Graph) -> Layout:
    """Places and routes. Raises UsageError where igraph is not installed."""
    ordered = order(graph)
    extents = {node.name: extent(node) for node in ordered.graph.nodes}
    level = _levels(ordered, extents)
    columns = _columns(ordered, extents, level)
    ways = {name for edge in graph.edges if edge.direct for name in (edge.source, edge.target)}
    where = {key[0]: key for keys in ordered.columns for key in keys}
    places = {}
    for node in ordered.graph.nodes:
        key, size = where[node.name], extents[node.name]
        end = node.kind in ("old", "new") and node.name in ways
        places[node.name] = Place(node, columns[key[1]].left + size.width / 2, level[key], size, end)
    bottom = max(y + (extents[key[0]].height / 2 if key[0] in extents else 0.0) for key, y in level.items())
    return Layout(columns[-1].right + MARGIN, bottom + MARGIN, tuple(places.values()), _routes(ordered, places, columns, level))


def extent(node: Node) -> Extent:
    """How large a node is drawn."""
    sign = width(node.sign) * SIZE
    if node.kind == "joint":
        return Extent(0.0, 0.0)
    if node.kind == "operation":
        return Extent(2 * RADIUS if sign <= 2 * RADIUS - 8 else sign + 2 * PADDING, 2 * RADIUS)
    if node.kind in (*SOURCES, "new"):
        return Extent(max(sign + 2 * PADDING, 1.5 * PILL), PILL)
    lines: list[str] = []
    for weight in node.weights:
        if lines and width(f"{lines[-1]}, {weight}") * SIZE <= MOST:
            lines[-1] += f", {weight}"
        else:
            lines.append(weight)
    split = max(map(width, lines)) * SIZE + 2 * PADDING if lines else 0.0
    high = BOX + LINE * max(len(lines) - 1, 0)
    return Extent(split + (sign + 2 * PADDING if node.sign else 0.0), high, split, tuple(lines))


def _levels(ordered: Order, extents: dict[str, Extent]) -> dict[Key, float]:
    """The level of every node and passing line, from the top of the picture."""
    graph = ordered.graph
    leaving = Counter(edge.source for edge in graph.edges)
    entering = Counter(edge.target for edge in graph.edges)
    heights = {
        key: max(extents[key[0]].height, LABEL if node.label else 0.0)
        for node in graph.nodes
        for key in [(node.name, ordered.column[node.name])]
    }
    links: list[tuple[Key, Key, float]] = []
    direct: list[tuple[Key, Key]] = []
    passing: list[tuple[Key, Key]] = []
    alone: list[tuple[Key, Key]] = []
    begins: list[tuple[Key, Key]] = []
    for edge, track in zip(graph.edges, ordered.tracks, strict=True):
        pairs = list(pairwise(track))
        single = leaving[edge.source] == entering[edge.target] == 1
        weight = (DIRECT if edge.direct else 1.0) * (SINGLE if single else 1.0)
        links += [(*pair, weight * (LONG if pair in pairs[1:-1] else 1.0)) for pair in pairs]
        direct += pairs if edge.direct else []
        passing += pairs[1:-1]
        alone += pairs if single else []
        begins += pairs[:1] if leaving[edge.source] == 1 and len(pairs) > 1 else []
    aligned = [*direct, *passing, *alone, *begins]
    placed = levels(ordered.columns, heights, links, aligned)
    aligned += [(first, other) for first, other, _ in links if abs(placed[first] - placed[other]) < NEARLY]
    placed = levels(ordered.columns, heights, links, aligned)
    top = min(y - heights.get(key, 0.0) / 2 for key, y in placed.items())
    return {key: y - top + MARGIN for key, y in placed.items()}


def _columns(ordered: Order, extents: dict[str, Extent], level: dict[Key, float]) -> list[Column]:
    """The columns, as near together as the slopes of the lines between them allow."""
    steepest = [0.0] * len(ordered.columns)
    for track in ordered.tracks:
        for before, after in pairwise(track):
            steepest[before[1]] = max(steepest[before[1]], abs(level[before] - level[after]))
    nodes = {node.name: node for node in ordered.graph.nodes}
    columns = []
    x = MARGIN
    for keys, steep in zip(ordered.columns, steepest, strict=True):
        here = [nodes[name] for name, _ in keys if name in nodes]
        right = x + max(extents[node.name].width + (width(node.label) * SIZE + 6 if node.label else 0.0) for node in here)
        columns.append(Column(x, right))
        x = right + min(FAR, NEAR + steep / 6)
    return columns


def _routes(ordered: Order, places: dict[str, Place], columns: list[Column], level: dict[Key, float]) -> tuple[Route, ...]:
    """The curves: from the right of a node to the left of another, side by side where several end."""
    begun = []
    entering: dict[str, list[int]] = {}
    for number, (edge, track) in enumerate(zip(ordered.graph.edges, ordered.tracks, strict=True)):
        start = places[edge.source]
        points = [(start.x + start.extent.width / 2, start.y), (columns[track[0][1]].right, start.y)]
        for key in track[1:-1]:
            points += [(columns[key[1]].left, level[key]), (columns[key[1]].right, level[key])]
        begun.append(points)
        entering.setdefault(edge.target, []).append(number)
    routes: dict[int, Route] = {}
    for name, numbers in entering.items():
        end = places[name]
        edges = [ordered.graph.edges[number] for number in numbers]
        drops = [begun[number][-1][1] - end.y for number in numbers]
        ring = end.node.kind == "operation" and end.extent.width == 2 * RADIUS
        straight = next((n for n, edge in enumerate(edges) if edge.direct), None)
        if straight is None:
            straight = next((n for n, drop in enumerate(drops) if abs(drop) < STRAIGHT), None)
        others = max(len(edges) - 1, 1)
        if ring:
            step = min(TURN, (MOST_TURN if straight is not None else 2 * MOST_TURN) / others)
            wanted = [max(-MOST_TURN, min(MOST_TURN, math.degrees(math.atan2(drop, REACH)))) for drop in drops]
        else:
            step = 0.0 if end.node.kind == "joint" else min(PORT, (end.extent.height - PORT) / 2 / others)
            wanted = [0.0] * len(drops)
        for number, edge, offset in zip(numbers, edges, spread(drops, wanted, step, straight), strict=True):
            routes[number] = _ended(edge, begun[number], end, offset, ring)
    return tuple(routes[number] for number in sorted(routes))


def spread(drops: list[float], wanted: list[float], step: float, straight: int | None) -> list[float]:
    """Places in the order of the drops, at least a step apart, near to the wanted ones; that of number `straight` is 0."""
    order = sorted(range(len(drops)), key=lambda number: (drops[number], number))
    levels = list(wanted)
    start = 0
    if straight is not None:
        levels[straight] = 0.0
        start = order.index(straight)
    for above, below in pairwise(order[start:]):
        levels[below] = max(levels[below], levels[above] + step)
    for below, above in pairwise(order[start::-1]):
        levels[above] = min(levels[above], levels[below] - step)
    shift = (sum(levels) - sum(wanted)) / len(levels) if straight is None else 0.0
    return [value - shift for value in levels]


def _ended(edge: Edge, points: list[tuple[float, float]], end: Place, offset: float, ring: bool) -> Route:
    """The rest of a curve: it ends at a ring turned by `offset` degrees, at a box `offset` pixels below the middle."""
    if ring:
        turn = math.radians(offset)
        return Route(edge, (*points, (end.x - RADIUS * math.cos(turn), end.y + RADIUS * math.sin(turn))), offset)
    return Route(edge, (*points, (end.x - end.extent.width / 2, end.y + offset)), joint=end.node.kind == "joint")
