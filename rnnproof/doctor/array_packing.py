"""Every way in which arrays of given shapes may hold a cell's matrices and vectors: apart or stacked, on [h; x], transposed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice, permutations, product
from typing import Any

from rnnproof.doctor.array_names import groups, misfit, tokens
from rnnproof.doctor.layout import View
from rnnproof.equations import expressions
from rnnproof.equations.cell import Cell

Shape = tuple[int, ...]
Views = dict[str, tuple[View, ...]]
_MOST = 400  # of packings of one guess of sizes; equal sizes and silent names are what makes many


@dataclass(frozen=True)
class Family:
    """Parameters of one role, by gate: W_i, W_f, W_o, W_hbar are the kernel's."""

    role: str
    members: Mapping[str, str]


def families(cell: Cell) -> dict[str, list[Family]]:
    """Families by role: "kernel" (hidden, input), "recurrent" (hidden, hidden), "vector" (hidden)."""
    hidden = expressions.shape_of(cell.states[0].new)[0]
    data = expressions.shape_of(cell.inputs[0])[0]
    roles = {(hidden, data): "kernel", (hidden, hidden): "recurrent", (hidden, 1): "vector"}
    grouped: dict[tuple[str, str], list[str]] = {}
    for parameter in cell.parameters:
        shape = expressions.shape_of(parameter.symbol) if getattr(parameter.symbol, "is_Matrix", False) else ()
        role = roles.get((*shape, 1)[:2])
        if role is None or parameter.per_step:
            return {}
        key = parameter.name.partition("_")[0] if role == "vector" else ""
        grouped.setdefault((role, key), []).append(parameter.name)
    result: dict[str, list[Family]] = {"kernel": [], "recurrent": [], "vector": []}
    for (role, _), names in grouped.items():
        labels = tokens(names) if len(names) > 1 else (names[0].partition("_")[2],)
        result[role].append(Family(role, dict(zip(labels, names, strict=True))))
    return result


@dataclass(frozen=True)
class Style:
    """How the kernels are held: the gates of each array, whether transposed, on what they act, and where a bias row is."""

    counts: tuple[int, ...]
    transposed: bool
    on: str  # "apart", "hx" or "xh"
    bias: str = ""  # "", "first" or "last": a row of ones in what the kernels act on
    square: bool = False  # whether the recurrent matrix is held the other way round than the kernel


def styles(gates: int) -> Iterator[Style]:
    """Every style, the usual ones first."""
    counts: list[tuple[int, ...]] = [(1,) * gates, (gates,)] if gates > 1 else [(1,)]
    counts += [(gates - 1, 1)] if gates > 2 else []
    for on, count, transposed in product(("apart", "hx", "xh"), counts, (False, True)):
        yield Style(count, transposed, on)
    for count, transposed in product(counts, (False, True)):
        yield Style(count, transposed, "apart", square=True)
    for on, bias, count, transposed in product(("hx", "xh"), ("first", "last"), counts, (False, True)):
        yield Style(count, transposed, on, bias)


@dataclass(frozen=True)
class Packing:
    """One way: views of the cell's parameters, the parameters there is no array for, and the arrays that are left."""

    views: Views
    zero: tuple[str, ...]
    rest: tuple[str, ...]
    misfit: int


def packings(cell: Cell, shapes: Mapping[str, Shape], hidden: int, data: int) -> Iterator[Packing]:
    """Every packing at these sizes; arrays that hold one for each gate along their first axis are taken apart."""
    roles = families(cell)
    if not roles or len(roles["kernel"]) != 1 or len(roles["recurrent"]) != 1:
        return
    gates = tuple(roles["kernel"][0].members)
    if set(gates) != set(roles["recurrent"][0].members):
        return
    for apart in _taken_apart(shapes, len(gates)):
        for style in styles(len(gates)):
            yield from islice(_styled(roles, gates, style, apart, hidden, data), _MOST)


def _taken_apart(shapes: Mapping[str, Shape], gates: int) -> Iterator[dict[str, Shape]]:
    """The arrays with those of three axes taken apart, and then with one matrix of few rows, or all, as rows as well.

    The parts of U are called U#0, U#1 and so on.
    """
    cubes = {name: shape for name, shape in shapes.items() if len(shape) == 3 and shape[0] <= gates}
    rows = [name for name, shape in shapes.items() if len(shape) == 2 and 2 <= shape[0] <= gates < shape[1]]
    for parted in dict.fromkeys(frozenset((*cubes, *some)) for some in ((), *((name,) for name in rows), tuple(rows))):
        apart: dict[str, Shape] = {}
        for name, shape in shapes.items():
            apart |= {f"{name}#{k}": shape[1:] for k in range(shape[0])} if name in parted else {name: shape}
        yield apart


def _styled(
    roles: Mapping[str, list[Family]], gates: tuple[str, ...], style: Style, shapes: Mapping[str, Shape], hidden: int, data: int
) -> Iterator[Packing]:
    width = hidden + data + (style.bias != "")
    seen = set()
    for kernels, recurrents in _matrices(style, shapes, hidden, data, width):
        rest = tuple(name for name in shapes if name not in kernels and name not in recurrents)
        for vectors, left in _vectors(roles["vector"], style, shapes, rest, hidden, gates):
            labels = tokens(kernels) if len(kernels) == len(gates) > 1 else ()
            for order in permutations(gates):
                views = _kernel_views(roles, order, style, kernels, recurrents, shapes, hidden, data)
                for offset in vectors(order, labels):
                    zero = tuple(n for family in roles["vector"] for n in family.members.values() if n not in offset | views)
                    key = frozenset((views | offset).items())
                    if key not in seen:
                        seen.add(key)
                        yield Packing(
                            views | offset, zero, _whole(left, views | offset), misfit(order, labels) if labels else 0
                        )


def _oriented(rows: int, columns: int, transposed: bool) -> Shape:
    return (columns, rows) if transposed else (rows, columns)


def _matrices(
    style: Style, shapes: Mapping[str, Shape], hidden: int, data: int, width: int
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """(kernels, recurrent matrices) by name; without the latter where both are one."""
    if style.on != "apart":
        for chosen in _of_shapes(shapes, [_oriented(g * hidden, width, style.transposed) for g in style.counts]):
            yield chosen, ()
        return
    wanted = [_oriented(g * hidden, data, style.transposed) for g in style.counts]
    turned = style.transposed != style.square
    recurrent = [_oriented(g * hidden, hidden, turned) for g in style.counts]
    for kernels in _of_shapes(shapes, wanted):
        others = {name: shape for name, shape in shapes.items() if name not in kernels}
        for recurrents in _of_shapes(others, recurrent):
            aligned = _aligned(kernels, recurrents)
            if aligned is not None:
                yield kernels, aligned


def _aligned(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...] | None:
    """The second names in the order of the first by what tells them apart; as they are where that says nothing."""
    if len(first) < 2 or len(first) != len(second):
        return second
    ours, theirs = tokens(first), tokens(second)
    if set(ours) != set(theirs):
        return second
    return tuple(second[theirs.index(label)] for label in ours)


def _of_shapes(shapes: Mapping[str, Shape], wanted: list[Shape]) -> Iterator[tuple[str, ...]]:
    """Every choice of arrays with these shapes: groups of names first, then all choices."""
    if len(set(wanted)) == 1:
        names = [name for name, shape in shapes.items() if shape == wanted[0]]
        yielded = set()
        for group in groups(names, len(wanted)):
            yielded.add(group)
            yield group
        for choice in islice(combinations(names, len(wanted)), 60):
            if choice not in yielded:
                yield choice
        return
    for choice in islice(product(*([n for n, shape in shapes.items() if shape == w] for w in wanted)), 60):
        if len(set(choice)) == len(choice):
            yield choice


def _kernel_views(
    roles: Mapping[str, list[Family]],
    order: tuple[str, ...],
    style: Style,
    kernels: tuple[str, ...],
    recurrents: tuple[str, ...],
    shapes: Mapping[str, Shape],
    hidden: int,
    data: int,
) -> Views:
    views: Views = {}
    kernel, recurrent = roles["kernel"][0].members, roles["recurrent"][0].members
    shift = 1 if style.bias == "first" else 0
    starts = {"hx": (hidden + shift, shift), "xh": (shift, data + shift), "apart": (0, 0)}[style.on]
    turned = style.transposed != style.square
    for gate, (position, block) in zip(order, _blocks(style.counts), strict=True):
        rows = (block * hidden, (block + 1) * hidden) if style.counts[position] > 1 else None
        name = kernels[position]
        if style.on == "apart":
            views[kernel[gate]] = (_matrix(name, rows, None, style.transposed),)
            views[recurrent[gate]] = (_matrix(recurrents[position], rows, None, turned),)
            continue
        views[kernel[gate]] = (_matrix(name, rows, (starts[0], starts[0] + data), style.transposed),)
        views[recurrent[gate]] = (_matrix(name, rows, (starts[1], starts[1] + hidden), style.transposed),)
        if style.bias:
            at = 0 if style.bias == "first" else hidden + data
            member = roles["vector"][0].members.get(gate) if roles["vector"] else None
            if member is not None:
                views[member] = (_matrix(name, rows, (at, at + 1), style.transposed),)
    return views


def _whole(left: tuple[str, ...], views: Views) -> tuple[str, ...]:
    """The arrays of which no part is used."""
    used = {view.array for parts in views.values() for view in parts}
    return tuple(name for name in dict.fromkeys(part.partition("#")[0] for part in left) if name not in used)


def _matrix(name: str, rows: Any, columns: Any, transposed: bool) -> View:
    array, part, lead = name.partition("#")
    windows = (columns, rows) if transposed else (rows, columns)
    return View(array, 2 + bool(part), *windows, lead=int(lead) if part else None, transposed=transposed)


def _blocks(counts: tuple[int, ...]) -> list[tuple[int, int]]:
    """(array, block within it) of each gate."""
    return [(position, block) for position, count in enumerate(counts) for block in range(count)]


def _vectors(
    wanted: list[Family], style: Style, shapes: Mapping[str, Shape], rest: tuple[str, ...], hidden: int, gates: tuple[str, ...]
) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """(a function of the gates' order that gives the views of the vectors, the arrays that are left)."""
    sizes = {name: _length(shapes[name]) for name in rest}
    main = [family for family in wanted if set(family.members) == set(gates)]
    others = [family for family in wanted if family not in main]
    counts = [style.counts] + ([(1,) * len(gates)] if len(style.counts) < len(gates) else [(len(gates),)])
    if main and not style.bias:
        for count in dict.fromkeys(counts):
            lengths: list[Shape] = [(g * hidden,) for g in count]
            vectors = {name: (size,) for name, size in sizes.items() if size is not None}
            for number in (2, 1) if len(main) == 1 else (1,):
                for chosen in _sets(vectors, lengths, number):
                    left = tuple(name for name in rest if not any(name in names for names in chosen))
                    yield from _with_others(main, others, chosen, count, shapes, left, hidden)
    yield (lambda order, labels: [{}]), rest


def _length(shape: Shape) -> int | None:
    """The entries of a vector, whichever way it lies; (gates, entries) stacks them; None of a matrix."""
    plain = [extent for extent in shape if extent != 1]
    if len(plain) <= 1:
        return plain[0] if plain else 1
    return None


def _sets(vectors: Mapping[str, Shape], lengths: list[Shape], number: int) -> Iterator[tuple[tuple[str, ...], ...]]:
    for first in _of_shapes(vectors, lengths):
        if number == 1:
            yield (first,)
            continue
        others = {name: size for name, size in vectors.items() if name not in first}
        for second in _of_shapes(others, lengths):
            if first < second:
                yield (first, second)


def _with_others(
    main: list[Family],
    others: list[Family],
    chosen: tuple[tuple[str, ...], ...],
    counts: tuple[int, ...],
    shapes: Mapping[str, Shape],
    left: tuple[str, ...],
    hidden: int,
) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """The biases as chosen, and each other vector of the cell (peepholes, a second bias) by an array of its length."""
    singles = [member for family in others for member in family.members.values()]
    free = [name for name in left if _length(shapes[name]) == hidden]
    labels = [gate for family in others for gate in family.members]

    def strange(choice: tuple[str, ...]) -> int:
        ends = tokens(choice) if len(choice) > 1 else labels
        return sum(end != label for end, label in zip(ends, labels, strict=True))

    for choice in sorted(islice(permutations(free, len(singles)), 120), key=strange):
        extra: Views = {member: (_vector(name, shapes, None),) for member, name in zip(singles, choice, strict=True)}

        def views(order: tuple[str, ...], labels: tuple[str, ...], extra: Views = extra) -> list[Views]:
            return [_bias_views(main[0], chosen, counts, shapes, order, labels, hidden) | extra]

        yield views, tuple(name for name in left if name not in choice)
    if others:  # an array that has the second bias of one gate among those that are only added
        yield from _second_bias(main, others, chosen, counts, shapes, left, hidden)


def _second_bias(
    main: list[Family],
    others: list[Family],
    chosen: tuple[tuple[str, ...], ...],
    counts: tuple[int, ...],
    shapes: Mapping[str, Shape],
    left: tuple[str, ...],
    hidden: int,
) -> Iterator[tuple[Any, tuple[str, ...]]]:
    if len(chosen) != 2 or len(others) != 1 or not set(others[0].members) < set(main[0].members):
        return

    def views(order: tuple[str, ...], labels: tuple[str, ...]) -> list[Views]:
        halves = [_bias_views(main[0], (names,), counts, shapes, order, labels, hidden) for names in chosen]
        answers = []
        for first, second in (halves, halves[::-1]):
            both = {name: first[name] + second[name] for name in first}
            for gate, member in others[0].members.items():
                bias = main[0].members[gate]
                both[bias], both[member] = first[bias], second[bias]
            answers.append(both)
        return answers

    yield views, left


def _bias_views(
    family: Family,
    chosen: tuple[tuple[str, ...], ...],
    counts: tuple[int, ...],
    shapes: Mapping[str, Shape],
    order: tuple[str, ...],
    labels: tuple[str, ...],
    hidden: int,
) -> Views:
    views: dict[str, list[View]] = {}
    for names in chosen:
        if labels and len(names) == len(labels) and set(tokens(names)) == set(labels):
            names = tuple(names[tokens(names).index(label)] for label in labels)
        for gate, (position, block) in zip(order, _blocks(counts), strict=True):
            rows = (block * hidden, (block + 1) * hidden) if counts[position] > 1 else None
            views.setdefault(family.members[gate], []).append(_vector(names[position], shapes, rows))
    return {name: tuple(parts) for name, parts in views.items()}


def _vector(name: str, shapes: Mapping[str, Shape], rows: tuple[int, int] | None) -> View:
    array, part, lead = name.partition("#")
    return View(array, len(shapes[name]) + bool(part), rows, lead=int(lead) if part else None, vector=True)
