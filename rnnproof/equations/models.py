"""Which of a document's definitions make one model: several are told apart where a symbol is defined again, and otherwise.

A definition that says the same as one before (after renaming, or after putting in what is defined in between) is no second one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rnnproof.equations import symbols
from rnnproof.equations.containers import LABEL
from rnnproof.equations.regions import Heading
from rnnproof.equations.symbols import Key
from rnnproof.equations.syntax_tree import Column, Fault, Group, Node, Number, Product, Quotient, Sum, Symbol, Transposed
from rnnproof.equations.system import Definition

_SAME_DISPLAY = 99
_NO_HEADING = 50
_MOST_SYMBOLS = 400


@dataclass
class Model:
    """Definitions that belong together, each symbol once; `titles` are the headings above all of them, the nearest first."""

    definitions: list[Definition]
    titles: tuple[str, ...] = ()
    inherited: list[Definition] = field(default_factory=list)
    repeated: list[tuple[Definition, Definition, str]] = field(default_factory=list)


def split(
    definitions: Sequence[Definition],
    headings: Sequence[Heading],
    letters: Iterable[str],
    unreadable: Sequence[tuple[Key, int]],
    mentioned: Sequence[tuple[Key, int]] = (),
) -> list[Model]:
    """The models of a document, in order. Raises Fault for two updates of one symbol in one display.

    `unreadable` are the symbols, and places, of definitions that cannot be read: no earlier one stands in for them. Nor does
    one of a parameter that the text of a model speaks of (`mentioned`): it is explained there.
    """
    letters = frozenset(letters)
    runs: list[list[Definition]] = [[]]
    for definition in definitions:
        current = runs[-1]
        if len(runs) > 1 and _is_next_variant(runs, definition, headings, letters):
            runs.append([definition])
            continue
        place = _conflict(current, definition, letters)
        if place is None:
            current.append(definition)
            continue
        cut = _boundary([*current, definition], place, headings, letters)
        if cut is None:
            fault = Fault(
                definition.target.at, f"two updates of {definition.target.printed}; keep one of them or rename the other"
            )
            fault.source = definition
            raise fault
        runs[-1:] = [current[:cut], [*current[cut:], definition]]
    if len(runs) > 1:
        runs = [part for run in runs for part in _at_labels(run, headings)]
    models = [_model(run, headings, letters) for run in runs if run]
    for number, model in enumerate(models):
        start = models[number - 1].definitions[-1].printed.offset if number else 0
        end = models[number + 1].definitions[0].printed.offset if number + 1 < len(models) else None
        lost = {key for key, place in unreadable if start < place and (end is None or place < end)}
        spoken = {key for key, place in mentioned if start < place and (end is None or place < end)}
        for other in models[:number]:
            lost |= {
                key_of(d, letters) for d in other.definitions if key_of(d, letters) in spoken and _is_of_parameters(d, letters)
            }
        model.inherited = _inherited(model, models[:number], letters, lost)
    return models


def split_what_can_be(
    definitions: Sequence[Definition],
    headings: Sequence[Heading],
    letters: Iterable[str],
    unreadable: Sequence[tuple[Key, int]],
    mentioned: Sequence[tuple[Key, int]],
) -> tuple[list[Model], list[tuple[list[Definition], Fault]]]:
    """The models of a document, and the sections left out because they define a symbol twice. Raises Fault if that is all."""
    letters, rest = list(letters), list(definitions)
    places = [heading.place for heading in headings]
    left_out: list[tuple[list[Definition], Fault]] = []
    while True:
        try:
            return split(rest, headings, letters, unreadable, mentioned), left_out
        except Fault as fault:
            section = bisect_right(places, fault.source.printed.offset)
            part = [d for d in rest if bisect_right(places, d.printed.offset) == section]
            rest = [d for d in rest if d not in part]
            left_out.append((part, fault))
            if not rest:
                raise left_out[0][1] from None


def _is_next_variant(
    runs: Sequence[Sequence[Definition]], new: Definition, headings: Sequence[Heading], letters: frozenset[str]
) -> bool:
    """Whether a heading no weaker than that above the last model begins another one, where both change an earlier model."""
    current = runs[-1]
    begun = _strength(runs[-2][-1], current[0], headings)
    if not current or _strength(current[-1], new, headings) > min(begun, _NO_HEADING - 1):
        return False
    earlier = {key_of(definition, letters) for run in runs[:-1] for definition in run}
    mine = {key_of(definition, letters) for definition in current}
    return key_of(new, letters) in earlier - mine and bool(mine & earlier)


def _at_labels(run: list[Definition], headings: Sequence[Heading]) -> Iterator[list[Definition]]:
    """A run cut at the labels in it, each of which begins another model."""
    start = 0
    for cut in range(1, len(run)):
        before, after = run[cut - 1].printed.offset, run[cut].printed.offset
        if any(heading.level == LABEL and before < heading.place <= after for heading in headings):
            yield run[start:cut]
            start = cut
    yield run[start:]


def key_of(definition: Definition, letters: frozenset[str]) -> Key:
    return symbols.identify(definition.target, letters)[0]


def _conflict(run: Sequence[Definition], new: Definition, letters: frozenset[str]) -> int | None:
    """The place of the last definition in a run that says something else of the same symbol."""
    key = key_of(new, letters)
    for place in range(len(run) - 1, -1, -1):
        if key_of(run[place], letters) == key:
            return None if same(run[place], new, run, letters) else place
    return None


def same(first: Definition, second: Definition, known: Sequence[Definition], letters: frozenset[str]) -> str:
    """How two definitions of a symbol are the same ("the same equation", ...), or nothing where they are not."""
    one, other = (_canonical(d.right, letters) for d in (first, second))
    if _ordered(one) == _ordered(other):
        return "the same equation"
    bodies = {
        symbols.identify(d.target, letters): _canonical(d.right, letters)
        for d in known
        if d.argument is None and d is not first and d is not second
    }
    try:
        if _ordered(_expanded(one, bodies, [])) == _ordered(_expanded(other, bodies, [])):
            return "the same equation, with what stands in between put in"
    except (_TooLarge, RecursionError):
        pass
    for left, right in ((one, other), (_in_blocks(one), _in_blocks(other))):
        renamed: dict[Any, Any] = {}
        if _alike(left, right, renamed) and len(set(renamed.values())) == len(renamed):
            return "the same equation, with other names"
    return ""


def _boundary(run: Sequence[Definition], place: int, headings: Sequence[Heading], letters: frozenset[str]) -> int | None:
    """Where a new model begins, between the definition at `place` and the last one of the run that contradicts it."""
    last = len(run) - 1
    strengths = {cut: _strength(run[cut - 1], run[cut], headings) for cut in range(place + 1, last + 1)}
    best = min(strengths.values())
    if best < _NO_HEADING:
        return max(cut for cut, strength in strengths.items() if strength == best)
    if not run[place].printed.display and not run[last].printed.display:
        return None  # two remarks in one text: nobody can tell which of them counts
    needed = _needed(run[place + 1 :], letters)
    mine = symbols.identify(run[place].target, letters)
    readers = [
        n for n in range(place + 1, last) if any(symbols.identify(s, letters) == mine for s in symbols.symbols(run[n].right))
    ]
    start = max(readers, default=place) + 1  # what reads the earlier one at its step belongs to it
    first = next((number for number in range(start, last + 1) if number in {place + 1 + n for n in needed}), last)
    possible = [cut for cut, strength in strengths.items() if strength == _NO_HEADING and cut >= start]
    return max((cut for cut in possible if cut <= first), default=min(possible, default=None))


def _needed(run: Sequence[Definition], letters: frozenset[str]) -> set[int]:
    """Which definitions of a run its last one reads, directly or not."""
    keys = {key_of(d, letters): number for number, d in enumerate(run)}
    waiting, found = [len(run) - 1], set()
    while waiting:
        number = waiting.pop()
        if number in found:
            continue
        found.add(number)
        for symbol in symbols.symbols(run[number].right):
            read = keys.get(symbols.identify(symbol, letters)[0])
            if read is not None:
                waiting.append(read)
    return found


def _strength(before: Definition, after: Definition, headings: Sequence[Heading]) -> int:
    """The level of the strongest heading between two definitions; without one, whether they share a display."""
    start, stop = before.printed.offset, after.printed.offset
    between = [heading.level for heading in headings if start < heading.place <= stop]
    if between:
        return min(between)
    return _SAME_DISPLAY if before.printed.formula == after.printed.formula else _NO_HEADING


def _model(run: Sequence[Definition], headings: Sequence[Heading], letters: frozenset[str]) -> Model:
    """One definition for each symbol, a display before a formula in the text."""
    model = Model([], _titles(run, headings))
    for definition in run:
        key = key_of(definition, letters)
        old = next((d for d in model.definitions if key_of(d, letters) == key), None)
        if old is None:
            model.definitions.append(definition)
        elif definition.printed.display and not old.printed.display:
            model.definitions[model.definitions.index(old)] = definition
            model.repeated.append((old, definition, same(old, definition, run, letters)))
        else:
            model.repeated.append((definition, old, same(definition, old, run, letters)))
    return model


def _titles(run: Sequence[Definition], headings: Sequence[Heading]) -> tuple[str, ...]:
    """The headings above all of a run, or else above its last definition, the nearest first."""
    paths = [_path(definition.printed.offset, headings) for definition in run]
    shared = [heading for heading in paths[-1] if all(heading in path for path in paths)]
    return tuple(heading.title for heading in reversed(shared or paths[-1]))


def titled(model: Model, part: Sequence[Definition], headings: Sequence[Heading]) -> Model:
    """The model with the headings above a part of it only."""
    mine = [definition for definition in model.definitions if definition in part]
    return replace(model, titles=_titles(mine or part, headings))


def _path(place: int, headings: Sequence[Heading]) -> list[Heading]:
    """The heading above a place, the one above that, and so on, the farthest first."""
    path: list[Heading] = []
    for heading in headings[: bisect_right([heading.place for heading in headings], place)]:
        while path and path[-1].level >= heading.level:
            path.pop()
        path.append(heading)
    return path


def _inherited(model: Model, before: Sequence[Model], letters: frozenset[str], lost: set[Key]) -> list[Definition]:
    """The definitions of earlier models that this one reads and does not print, where there is one candidate only."""
    earlier: dict[Key, list[Definition]] = {}
    mine = {key_of(d, letters) for d in model.definitions}
    for other in before:
        if (states := _states(other.definitions, letters)) and states <= mine:
            continue  # a whole model of which this one is no variant: it has all its states itself
        for definition in other.definitions:
            same_ones = earlier.setdefault(key_of(definition, letters), [])
            if not any(same(definition, known, other.definitions, letters) for known in same_ones):
                same_ones.append(definition)
    inherited: list[Definition] = []
    waiting = list(model.definitions)
    while waiting:
        for symbol in symbols.symbols(waiting.pop(0).right):
            key = symbols.identify(symbol, letters)[0]
            candidates = earlier.get(key, [])
            if key not in mine and key not in lost and len(candidates) == 1:
                mine.add(key)
                inherited.append(candidates[0])
                waiting.append(candidates[0])
    return inherited


def _is_of_parameters(definition: Definition, letters: frozenset[str]) -> bool:
    """Whether a definition gives a parameter by others: nothing in it carries an index."""
    return not any(symbols.identify(s, letters)[0].index for s in symbols.symbols(definition.relation))


def _states(definitions: Sequence[Definition], letters: frozenset[str]) -> set[Key]:
    """What some definitions both define and read at the step before."""
    defined = {symbols.identify(d.target, letters) for d in definitions}
    read = {symbols.identify(symbol, letters) for d in definitions for symbol in symbols.symbols(d.right)}
    return {
        key for key, shift in defined if shift is not None and any(k == key and s is not None and s < shift for k, s in read)
    }


# comparing equations


def _canonical(node: Any, letters: frozenset[str]) -> Any:
    """A tree without brackets, places and fonts, sums and products flat."""
    if isinstance(node, Group):
        return _canonical(node.inner, letters)
    if isinstance(node, Symbol):
        if symbols.is_named_function(node):
            return ("function", node.base)
        return ("symbol", symbols.identify(node, letters))
    if isinstance(node, Number):
        return ("number", float(node.text))
    if isinstance(node, Sum):
        terms: list[Any] = []
        for sign, term in node.terms:
            inner = _canonical(term, letters)
            terms += [(sign * s, t) for s, t in inner[1]] if inner[0] == "sum" else [(sign, inner)]
        return ("sum", tuple(terms))
    if isinstance(node, Product):
        kind = "hadamard" if node.sign == "hadamard" else "product"
        factors: list[Any] = []
        for factor in node.factors:
            inner = _canonical(factor, letters)
            factors += inner[1] if inner[0] == kind and not isinstance(factor, Group) else [inner]
        return (kind, tuple(factors))
    if isinstance(node, Column):
        return ("column", tuple(_canonical(item, letters) for item in node.items))
    if isinstance(node, Transposed):
        return ("transposed", _canonical(node.inner, letters))
    if isinstance(node, Quotient):
        return ("quotient", _canonical(node.over, letters), _canonical(node.under, letters))
    return (type(node).__name__, symbols.fingerprint(node) if isinstance(node, Node) else node)


def _ordered(tree: Any) -> Any:
    """The tree with the terms of each sum and the factors of each elementwise product in one order."""
    if not isinstance(tree, tuple):
        return tree
    if tree and tree[0] in ("sum", "hadamard"):
        return (tree[0], tuple(sorted((_ordered(part) for part in tree[1]), key=repr)))
    if tree and tree[0] == "symbol":
        return tree
    return tuple(_ordered(part) for part in tree)


class _TooLarge(Exception):
    """What is put in makes the equation too large to be worth a comparison."""


def _expanded(tree: Any, bodies: dict[Any, Any], seen: list[None]) -> Any:
    """The tree with what the bodies define put in for its symbols. Raises _TooLarge."""
    if not isinstance(tree, tuple):
        return tree
    if tree and tree[0] == "symbol":
        seen.append(None)
        if len(seen) > _MOST_SYMBOLS:
            raise _TooLarge
        return _expanded(bodies[tree[1]], bodies, seen) if tree[1] in bodies else tree
    return tuple(_expanded(part, bodies, seen) for part in tree)


def _in_blocks(tree: Any) -> Any:
    """The tree with W [a; b] as a sum of products with the blocks of W, its sums in the order of what they end with."""
    if not isinstance(tree, tuple) or tree[:1] == ("symbol",):
        return tree
    tree = tuple(_in_blocks(part) for part in tree)
    if tree[:1] == ("product",) and len(tree[1]) == 2 and tree[1][0][:1] == ("symbol",) and tree[1][1][:1] == ("column",):
        (_, (key, shift)), (_, items) = tree[1]
        blocks = [("symbol", (replace(key, above=(*key.above, f"block {n}")), shift)) for n, _ in enumerate(items)]
        return ("sum", tuple((1, ("product", pair)) for pair in zip(blocks, items, strict=True)))
    if tree[:1] == ("sum",):
        terms: list[Any] = []
        for sign, term in tree[1]:
            terms += [(sign * s, t) for s, t in term[1]] if term[:1] == ("sum",) else [(sign, term)]
        last = [(repr(term[1][-1]) if term[:1] == ("product",) else "", (sign, term)) for sign, term in terms]
        return ("sum", tuple(term for _, term in sorted(last, key=lambda pair: pair[0])))
    return tree


def _alike(one: Any, other: Any, renamed: dict[Any, Any]) -> bool:
    """Whether two trees differ in the names of what carries no index only; notes which name became which."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        if one[:1] == other[:1] == ("symbol",):
            (key, shift), (key2, shift2) = one[1], other[1]
            if key.index or key2.index or shift != shift2:
                return bool(one == other)
            return bool(renamed.setdefault(key, key2) == key2)
        return len(one) == len(other) and all(_alike(a, b, renamed) for a, b in zip(one, other, strict=True))
    return bool(one == other)
