"""Equations printed entry by entry, as matrix products; several printed as one column, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from rnnproof.equations import symbols
from rnnproof.equations.subscripts import Script
from rnnproof.equations.syntax_tree import (
    Column,
    Fault,
    Group,
    IndexSum,
    Number,
    Product,
    Quotient,
    Relation,
    Scripted,
    Sum,
    Symbol,
    Transposed,
)

# entry by entry


def entry_letters(relations: Iterable[Relation]) -> set[str]:
    """The letters that count the entries of what is defined: the i of h_i = \\sum_j W_{ij} x_j, and of r_j = [W x]_j."""
    letters: set[str] = set()
    for relation in relations:
        if isinstance(relation.left, Symbol):
            mine = set(_labels(relation.left))
            for node in nodes(relation.right):
                if isinstance(node, IndexSum):
                    inside = {letter for symbol in symbols.symbols(node.body) for letter in _labels(symbol)}
                    letters |= mine & inside
                elif isinstance(node, Scripted):
                    letters |= mine & {part[0] for script in node.scripts for part in script.parts if len(part) == 1}
    return letters


def whole(relation: Relation, letters: set[str]) -> Relation:
    """An equation of entries as one of whole vectors. Raises Fault where the sums are no matrix products."""
    mine = set(_labels(relation.left)) & letters if isinstance(relation.left, Symbol) else set()
    if not mine:
        return relation
    (letter,) = sorted(mine)[:1]
    return replace(relation, left=_without(relation.left, letter), right=_whole(relation.right, letter))


def _whole(node: Any, letter: str) -> Any:
    if isinstance(node, Symbol):
        return _without(node, letter)
    if isinstance(node, IndexSum):
        return _matrix_product(node, letter)
    if isinstance(node, Scripted):
        if [script.parts for script in node.scripts] == [((letter,),)]:
            return Group(node.at, "(", node.inner.inner if isinstance(node.inner, Group) else node.inner)
        raise Fault(node.at, f"a bracket's entry other than {letter}; write the equation with whole vectors")
    if isinstance(node, Sum):
        return replace(node, terms=tuple((sign, _whole(term, letter)) for sign, term in node.terms))
    if isinstance(node, Group):
        return replace(node, inner=_whole(node.inner, letter))
    if isinstance(node, Product):
        units = list(_units(node))
        vectors = [unit for unit in units if _counts(unit, letter)]
        _no_matrix([unit for unit in units if unit not in vectors] if vectors else [], letter)
        if len(vectors) > 1:
            scalars = [unit for unit in units if not _counts(unit, letter)]
            entrywise = Product(node.at, "hadamard", tuple(_whole(unit, letter) for unit in vectors))
            return Product(node.at, "", (*scalars, Group(node.at, "(", entrywise))) if scalars else entrywise
        return replace(node, factors=tuple(_whole(factor, letter) for factor in node.factors))
    if isinstance(node, Number):
        return node
    if isinstance(node, Quotient):
        return replace(
            node, over=_whole(node.over, letter), under=_whole(node.under, letter), entrywise=_counts(node.under, letter)
        )
    raise Fault(node.at, "this is no entry of a vector; write the equation with whole vectors")


def _no_matrix(factors: list[Any], letter: str) -> None:
    """Raise Fault for a capital letter without indices that multiplies an entry."""
    for factor in factors:
        if isinstance(factor, Symbol) and factor.base[0].isupper():
            message = f"{factor.printed} multiplies an entry that {letter} counts; write the equation with whole vectors"
            raise Fault(factor.at, message)


def check_matrices(relation: Relation, seen: dict[Any, tuple[str, set[str]]]) -> None:
    """Raise Fault for w_{ij} x_j beside w_{ik} h_k: two matrices that only the letters of their entries tell apart.

    `seen` is what the relations before this one sum over; this one's sums are added.
    """
    for node in nodes(relation.right):
        if not isinstance(node, IndexSum):
            continue
        inside = [symbol for symbol in symbols.symbols(node.body) if node.letter in _labels(symbol)]
        bases = {symbol.base for symbol in inside if len(_labels(symbol)) == 1}
        for symbol in (symbol for symbol in inside if len(_labels(symbol)) > 1):
            letter, others = seen.setdefault((symbol.base, len(_labels(symbol))), (node.letter, bases))
            if letter != node.letter and others != bases:
                message = f"{symbol.printed} may be another matrix than the one summed over {letter}; give them two names"
                raise Fault(symbol.at, message)


def _units(node: Product) -> Iterator[Any]:
    """The factors, a function's name together with its argument."""
    factors = list(node.factors)
    while factors:
        factor = factors.pop(0)
        applied = bool(factors) and isinstance(factors[0], Group) and factors[0].bracket == "("
        named = isinstance(factor, Symbol) and (symbols.is_named_function(factor) or factor.base == "sigma")
        if node.sign == "" and applied and named:
            yield Product(factor.at, "", (factor, factors.pop(0)))
        else:
            yield factor


def _matrix_product(node: IndexSum, free: str) -> Any:
    """\\sum_j W_{ij} x_j as W x, \\sum_j W_{ji} x_j as W^T x."""
    bound = node.letter
    body = node.body
    factors = list(_units(body)) if isinstance(body, Product) else [body]
    matrix = None
    vectors, scalars = [], []
    for factor in factors:
        if isinstance(factor, Symbol) and {free, bound} <= set(_labels(factor)) and matrix is None:
            labels = _labels(factor)
            turned = labels.index(bound) < labels.index(free)
            bare = replace(_without(_without(factor, free), bound), matrix=True)
            matrix = Transposed(factor.at, bare) if turned else bare
        elif _counts(factor, free):
            raise Fault(factor.at, f"the sum over {bound} is no product of a matrix and a vector; write it with whole vectors")
        elif _counts(factor, bound):
            vectors.append(_whole(factor, bound))
        else:
            scalars.append(factor)
    if matrix is None or not vectors:
        raise Fault(node.at, f"the sum over {bound} is no product of a matrix and a vector; write it with whole vectors")
    _no_matrix(scalars, bound)
    vector = vectors[0] if len(vectors) == 1 else Group(node.at, "(", Product(node.at, "hadamard", tuple(vectors)))
    return Product(node.at, "", (*scalars, matrix, vector))


def _labels(symbol: Symbol) -> list[str]:
    """The single letters below a symbol, such as i and j of W_{i,j} and of W_{ij}."""
    found: list[str] = []
    for script in symbol.scripts:
        if script.place == "_":
            for part in script.parts:
                if all(len(atom) == 1 and atom.isalpha() for atom in part):
                    found += part
    return found


def _without(symbol: Any, letter: str) -> Any:
    """The symbol without a letter that counts entries."""
    scripts = []
    for script in symbol.scripts:
        if script.place == "_" and any(letter in part for part in script.parts):
            parts = tuple(tuple(atom for atom in part if atom != letter) for part in script.parts)
            parts = tuple(part for part in parts if part)
            if parts:
                scripts.append(Script("_", parts, ",".join("".join(part) for part in parts)))
        else:
            scripts.append(script)
    return replace(symbol, scripts=tuple(scripts))


def _counts(node: Any, letter: str) -> bool:
    if isinstance(node, Scripted):
        return any((letter,) in script.parts for script in node.scripts)
    if isinstance(node, IndexSum):
        return letter != node.letter and _counts(node.body, letter)
    if isinstance(node, Symbol):
        return letter in _labels(node)
    return any(_counts(child, letter) for child in symbols.children(node))


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in symbols.children(node):
        yield from nodes(child)


# several at once


def apart(relation: Relation) -> list[Relation]:
    """The equations that a column of symbols on the left side holds: each gate with its own blocks of the matrices."""
    left = relation.left.inner if isinstance(relation.left, Transposed) else relation.left
    targets = [item for item in left.items if isinstance(item, Symbol)] if isinstance(left, Column) else []
    if not isinstance(left, Column) or len(targets) < len(left.items):
        return [relation]
    functions, argument = _stacked(relation.right, len(targets))
    relations = []
    for target, function in zip(targets, functions, strict=True):
        block = _block(argument, target)
        right = Product(function.at, "", (function, Group(argument.at, "(", block))) if function is not None else block
        relations.append(Relation(target.at, target, right))
    return relations


def _stacked(right: Any, count: int) -> tuple[list[Any], Any]:
    """One function for each target, and what they are applied to."""
    if isinstance(right, Product) and len(right.factors) > 1 and right.sign in ("", "hadamard", "dot"):
        first, rest = right.factors[0], right.factors[1:]
        argument = rest[0] if len(rest) == 1 else Product(rest[0].at, "", tuple(rest))
        column = first.inner if isinstance(first, Transposed) else first
        if isinstance(column, Column) and all(isinstance(item, Symbol) for item in column.items):
            if len(column.items) != count:
                raise Fault(column.at, f"{len(column.items)} functions for {count} symbols; print one for each")
            return list(column.items), argument
        if isinstance(first, Symbol) and isinstance(argument, Group):
            return [first] * count, argument
    return [None] * count, right


def _block(node: Any, target: Symbol) -> Any:
    """The rows of an expression that belong to one of the stacked symbols: those of its first matrices and of its biases."""
    if isinstance(node, Symbol) and not symbols.is_named_function(node):
        return _labelled(node, target)
    if isinstance(node, Group):
        return replace(node, inner=_block(node.inner, target))
    if isinstance(node, Sum):
        return replace(node, terms=tuple((sign, _block(term, target)) for sign, term in node.terms))
    if isinstance(node, Product) and node.sign in ("", "dot") and isinstance(node.factors[0], Symbol | Group):
        return replace(node, factors=(_block(node.factors[0], target), *node.factors[1:]))
    raise Fault(node.at, "a column of symbols needs a matrix before what it is made of; write one equation for each")


def _labelled(symbol: Symbol, target: Symbol) -> Symbol:
    label = symbols.identify(replace(target, scripts=()), ())[0].name
    for place, script in enumerate(symbol.scripts):
        if script.place == "_":
            longer = Script("_", (*script.parts, (label,)), f"{script.tex},{target.tex}")
            return replace(symbol, scripts=(*symbol.scripts[:place], longer, *symbol.scripts[place + 1 :]))
    return replace(symbol, scripts=(*symbol.scripts, Script("_", ((label,),), target.tex)))
