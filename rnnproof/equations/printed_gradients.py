"""The gradients that a document prints beside its equations, found and parsed; see `verification.gradient_comparison`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rnnproof.equations import activations, prose, steps, symbols
from rnnproof.equations.cell import Cell
from rnnproof.equations.gradient_syntax import Partial, ShortPartial, parse_gradient
from rnnproof.equations.named_functions import OTHER
from rnnproof.equations.page import Page
from rnnproof.equations.reading import PrintedGradient
from rnnproof.equations.source import Printed
from rnnproof.equations.subscripts import Script
from rnnproof.equations.syntax import parse_symbols
from rnnproof.equations.syntax_tree import Fault, Group, Product, Relation, Symbol, Transposed

A_GRADIENT = "a gradient, which is compared with the derived one"
A_NAME = "a name for a derivative"
_DERIVATIVE = re.compile(
    r"\\partial(?![A-Za-z])|∂|\\nabla(?![A-Za-z])|\\[dt]?frac\s*\{\s*(?:\\mathrm\s*\{\s*d\s*\}|\\rm d|d[^_^}])"
)
_LEADS = re.compile(rf"\A[\s{{(\[|]*(?:\\[dt]?frac\s*\{{\s*)?(?:{_DERIVATIVE.pattern})")
_SHORT = re.compile(r"\A\s*(?:\\delta(?![A-Za-z])|d\s*\\?[A-Za-z]|\\mathrm\s*\{\s*d\s*\})")
_MEMBERSHIP = re.compile(r"\s*(?:\\in(?![A-Za-z])|∈).*", re.DOTALL)
_SIGNS = ("delta", "d", "partial")
LOSSES = ("L", "E", "J", "C", "ell", "Loss", "loss", "cost", "Cost", "Error", "error")


@dataclass(frozen=True)
class Formula:
    """A formula with derivatives: where it is printed, and its members."""

    printed: Printed
    members: tuple[Any, ...]
    fault: str = ""

    @property
    def is_name(self) -> bool:
        """Whether the formula gives a derivative a name, and says no more."""
        return len(self.members) == 2 and self.alias is not None

    @property
    def alias(self) -> tuple[Symbol, Any] | None:
        """The symbol that the formula gives a derivative as its name, and the derivative."""
        first = self.members[0] if self.members else None
        derivative = next((member for member in self.members[1:] if isinstance(member, Partial)), None)
        return (first, derivative) if isinstance(first, Symbol) and derivative is not None else None

    def names(self, letter: str) -> set[str]:
        """The names of its symbols where `letter` counts the steps."""
        return {symbols.identify(s, {letter})[0].name for member in self.members for s in symbols.symbols(member)}

    def is_of(self, names: set[str], letter: str, aliases: Sequence[tuple[Symbol, Any]]) -> bool:
        """Whether the formula is about derivatives at all: it has one as a member, or a name for one, or delta h_t."""
        if not self.members:
            return True
        if any(isinstance(_bare(member), Partial) for member in self.members):
            return True
        first = self.members[0]
        if with_short_forms(first, names, letter) != first:
            return True
        if isinstance(first, Symbol):
            mine = symbols.identify(first, {letter})[0]
            derivatives = [alias for alias, tree in aliases if isinstance(tree, Partial)]
            return mine.name not in names and any(symbols.identify(alias, {letter})[0] == mine for alias in derivatives)
        return False


def of_cells(
    page: Page,
    cells: Sequence[Cell],
    places: Sequence[Sequence[int]],
    section: Callable[[int], int],
    found: Sequence[Formula],
    values: Sequence[tuple[Symbol, Any]],
    functions: tuple[tuple[str, str], ...],
) -> tuple[list[Cell], list[tuple[Printed, str]]]:
    """The cells, each with the gradients that are printed of it; and what each formula is.

    A formula is of the cell that has most of its symbols, of several the one of its section, then the nearest before it.
    `places` are where the equations of each cell are printed.
    """
    aliases = (*(formula.alias for formula in found if formula.alias is not None), *values)
    names = [_names_of(cell) for cell in cells]
    gradients: list[list[PrintedGradient]] = [[] for _ in cells]
    told: list[tuple[Printed, str]] = []
    for formula in found:
        at = formula.printed.offset
        scores = [
            (
                len(formula.names(cell.index) & known),
                section(at) in map(section, own),
                max((place for place in own if place < at), default=-1),
            )
            for cell, known, own in zip(cells, names, places, strict=True)
        ]
        number = scores.index(max(scores))
        if not formula.is_of(names[number], cells[number].index, aliases):
            continue
        told.append((formula.printed, A_NAME if formula.is_name else A_GRADIENT))
        if not formula.is_name:
            gradients[number].append(
                PrintedGradient(formula.printed.shown, page.where(at), formula.members, formula.fault, aliases, functions)
            )
    return [replace(cell, printed_gradients=tuple(own)) for cell, own in zip(cells, gradients, strict=True)], told


def _names_of(cell: Cell) -> set[str]:
    """What the cell computes, is given, or learns."""
    return {symbol.name for symbol in (*(e.symbol for e in cell.equations), *cell.inputs, *(p.symbol for p in cell.parameters))}


def formulas(passed_over: Iterable[Printed], letters: set[str]) -> list[Formula]:
    """The relations among what is passed over that may be gradients."""
    found: list[Formula] = []
    for _, printed in sorted({printed.offset: printed for printed in passed_over}.items()):
        tex = _MEMBERSHIP.sub("", printed.tex)
        if (
            "=" not in tex
            and not re.search(r"\\equiv|≡", tex)
            or not (_DERIVATIVE.search(tex) or _SHORT.match(tex) or r"\delta" in tex)
        ):
            continue
        try:
            relation = parse_gradient(tex)
        except Fault as fault:
            if _LEADS.match(tex):
                found.append(Formula(printed, (), fault.message))
            continue
        found.append(Formula(printed, members(steps.as_index(relation, letters))))
    return found


def named_values(passed_over: Iterable[Printed], found: Sequence[Formula], letters: set[str]) -> list[tuple[Symbol, Any]]:
    """(symbol, tree) of what the document gives a name beside its cells and reads in gradients, as D_t = diag(1 - h_t^2)."""
    read = {s.base for formula in found for member in formula.members for s in symbols.symbols(member)}
    named: list[tuple[Symbol, Any]] = []
    for printed in passed_over:
        left, equal, _ = printed.tex.partition("=")
        if equal and len(left) < 20 and any(base in left for base in read):
            try:
                relation = parse_gradient(printed.tex)
            except Fault:
                continue
            first, *rest = members(steps.as_index(relation, letters))
            if isinstance(first, Symbol) and symbols.counting(first) and not any(isinstance(one, Partial) for one in rest):
                named.append((first, rest[-1]))
    return named


def members(relation: Relation) -> tuple[Any, ...]:
    """The members of a chain, in print order."""
    return (relation.left, *relation.middle, relation.right)


def functions(
    remarks: Iterable[prose.Remark], bodies: Mapping[str, tuple[str, Printed]], used: Iterable[str], over: Iterable[Printed]
) -> tuple[tuple[str, str], ...]:
    """(printed name, activation) of the functions that the text names, or prints a body of, in one way alone."""
    said: dict[str, set[str]] = {}
    for remark in remarks:
        for symbol in remark.symbols:
            name = symbols.identify(symbol, ())[0].name
            said.setdefault(name, set()).update(
                {known for known, words in prose.IS.items() if words in remark.said} | (remark.said & {prose.IS_ANOTHER})
            )
    for name, (known, _) in bodies.items():
        said.setdefault(name, set()).add(prose.IS_ANOTHER if known == OTHER else known)
    for relation in filter(None, map(_name_of_a_function, over)):
        name = symbols.identify(relation.left, ())[0].name  # type: ignore[arg-type]  # both sides are symbols
        said.setdefault(name, set()).add(activations.find(relation.right.base).name)  # type: ignore[union-attr, attr-defined]
    for name in used:
        known_as = activations.find(name)
        if known_as is not None and not said.get(name):
            said[name] = {known_as.name}
    alone = {name: words for name, words in said.items() if len(words) == 1 and prose.IS_ANOTHER not in words}
    return tuple((name, next(iter(words))) for name, words in sorted(alone.items()))


_NAME = re.compile(r"\A\s*\\?[A-Za-z]+(?:_\w|_\{\w+\})?\s*(?:=|:=|\\equiv)\s*\\?(?:[A-Za-z]+|operatorname\s*\{\w+\})\s*\Z")


def _name_of_a_function(printed: Printed) -> Relation | None:
    """A formula such as f = \\tanh, as a relation of two symbols; None for anything else."""
    if not _NAME.match(printed.tex):
        return None
    try:
        relation = parse_gradient(printed.tex)
    except Fault:
        return None
    named = isinstance(relation.left, Symbol) and isinstance(relation.right, Symbol)
    return relation if named and symbols.is_named_function(relation.right) else None  # type: ignore[arg-type]


def with_short_forms(tree: Any, names: set[str], letter: str, given: Iterable[Symbol] = ()) -> Any:
    """The tree with delta h_t and dh_t as derivatives of the loss, where h is one of the cell's `names` and delta is not.

    The symbols `given` have a meaning that the document gives them.
    """
    mine = {symbols.identify(symbol, {letter})[0] for symbol in given}

    def change(node: Any) -> Any:
        if isinstance(node, Symbol) and symbols.identify(node, {letter})[0] in mine:
            return node
        if isinstance(node, Symbol) and node.base == "delta" and "delta" not in names:
            return _of_subscript(node, names, letter) or node
        if not isinstance(node, Product) or node.sign:
            return node
        factors: list[Any] = []
        changed = False
        for factor in node.factors:
            before = factors[-1] if factors else None
            short = isinstance(before, Symbol) and before.base in _SIGNS and not before.scripts and before.base not in names
            if (
                short
                and isinstance(factor, Symbol)
                and _is_marked(factor)
                and symbols.identify(factor, {letter})[0].name in names
            ):
                sign = factors.pop()
                factor, changed = ShortPartial(sign.at, Symbol(sign.at, LOSSES[0], LOSSES[0]), factor), True
            factors.append(factor)
        if not changed:
            return node
        return Product(node.at, "", tuple(factors)) if len(factors) > 1 else factors[0]

    return steps.rebuilt(tree, change)


def _bare(member: Any) -> Any:
    """What stands in the brackets of a member, transposed or not."""
    while isinstance(member, Group | Transposed):
        member = member.inner
    return member


def _is_marked(symbol: Symbol) -> bool:
    """Whether a letter behind a d is no letter of a word: it has an index, or is a weight."""
    return bool(symbol.scripts) or symbol.base[0].isupper() or symbol.base == "b"


def _of_subscript(symbol: Symbol, names: set[str], letter: str) -> Partial | None:
    """What delta_{h_t}, delta_{h,t} and delta^h_t stand for: the derivative of the loss by the quantity in the script."""
    below: Symbol | None = None
    key = symbols.identify(symbol, {letter})[0]
    labels = [*key.below, *key.above]
    if key.index and len(labels) == 1 and labels[0] in names:
        parts = [(script, part) for script in symbol.scripts for part in script.parts if letter in part]
        script, part = parts[0]
        step = Script(script.place, (part,), "".join(part))
        below = Symbol(symbol.at, labels[0], labels[0], (step,))
    elif len(symbol.scripts) == 1 and symbol.scripts[0].place == "_":
        try:
            (below,) = parse_symbols(symbol.scripts[0].tex)
        except (Fault, ValueError):
            return None
        counting = symbols.counting(below)
        if not counting or symbols.identify(below, counting)[0].name not in names:
            return None
    return None if below is None else ShortPartial(symbol.at, Symbol(symbol.at, LOSSES[0], LOSSES[0]), below)
