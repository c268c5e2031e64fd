"""The formulas of a document parsed: its definitions and declarations, and what of it is unreadable or passed over."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rnnproof.equations import asides, components, named_functions, prose, steps, symbols, system
from rnnproof.equations.conditions import is_conditional
from rnnproof.equations.containers import Document
from rnnproof.equations.source import Printed
from rnnproof.equations.syntax import parse
from rnnproof.equations.syntax_tree import Declaration, Fault, Relation, Symbol
from rnnproof.equations.system import Definition

_IN = re.compile(r"\\in(?![A-Za-z])|∈")
EQUAL = re.compile(r":=|=|\\(?:leftarrow|gets|equiv|triangleq|coloneqq|coloneq)(?![A-Za-z])|[←≔≡≜]")
# "I(n) \in \mathbb{N}": a whole number.
_WHOLE = re.compile(
    r"\s*(?P<what>.{1,60}?)\s*(?:\\in(?![A-Za-z])|∈)\s*(?:\\[NZ](?![A-Za-z])|\\mathbb\s*(?:\{\s*[NZ]\s*\}|[NZ]\b)|[ℕℤ])"
)
# A piece of a display that is no equation and yet part of one: its display cannot be trusted.
_CONTINUED = re.compile(r"\A(?:\s|\\q?quad(?![A-Za-z])|\{\s*\}|&|\\[,;:!>]|\\(?:h?phantom|text|mbox)\s*\{[^{}]*\})*[-+*=]")
_FRAGMENT = re.compile(r"_.*\\(?:odot|circ|tanh|sigma|otimes)(?![A-Za-z])|\\(?:odot|circ|tanh|sigma)(?![A-Za-z]).*_")


@dataclass(frozen=True)
class Unreadable:
    """A formula with a relation that cannot be read; `target` is its left side where that alone can be."""

    printed: Printed
    fault: Fault
    target: Symbol | None


class ParsedDocument:
    """Definitions, declarations and remarks of a document, what is unreadable and what is passed over.

    `over` has (formula, reason), `used` the sections that define something, `lost` and `backwards` are as in `asides.Asides`.
    """

    def __init__(self, document: Document, printed: Sequence[Printed]) -> None:
        self.document, self.page = document, document.page
        self.over: list[tuple[Printed, str]] = []
        self.columns: set[int] = set()
        self.fragments: dict[int, Printed] = {}
        self.conditions = {n for n, formula in enumerate(document.formulas) if is_conditional(formula.excerpt.text)}
        short = (formula.excerpt.text for formula in document.formulas if len(formula.excerpt.text) < 100)
        self.whole_numbers = [match["what"] for match in map(_WHOLE.match, short) if match]
        trees = self.parsed(printed)
        self.declarations = [(p, tree) for p, tree in trees if isinstance(tree, Declaration)]
        self.remarks = prose.remarks(document, printed)
        self.definitions = self.defined([(p, tree) for p, tree in trees if isinstance(tree, Relation)])
        self.letters = system.movers(self.definitions)
        self.functions = named_functions.defined(printed)

    def parsed(self, printed: Sequence[Printed]) -> list[tuple[Printed, Any]]:
        """The trees of what can be read, the step in its index everywhere."""
        found: list[tuple[Printed, Any]] = []
        failed: list[tuple[Printed, Fault]] = []
        for equation in printed:
            equal = EQUAL.search(equation.tex)
            if not equal and not _IN.search(equation.tex):
                self.over.append((equation, "no definition"))
                if _CONTINUED.search(equation.tex):
                    self.fragments[equation.formula] = equation
                    if self.follows_at_once(equation.formula):
                        self.fragments[equation.formula - 1] = equation
                elif equation.display and _FRAGMENT.search(equation.tex):
                    self.fragments[equation.formula] = equation
                continue
            try:
                found.append((equation, parse(equation.tex, "equation" if equal else "declaration")))
            except Fault as fault:
                failed.append((equation, fault))
        letters = steps.argument_letters(tree for _, tree in found)
        self.unreadable = [Unreadable(equation, fault, left_side(equation.tex, letters)) for equation, fault in failed]
        primes = prose.DERIVATIVES.search(self.document.prose) is None
        trees = steps.with_differences([steps.as_index(tree, letters) for _, tree in found])
        trees = steps.marked(trees, primes)
        return [(equation, tree) for (equation, _), tree in zip(found, trees, strict=True)]

    def follows_at_once(self, number: int) -> bool:
        """Whether nothing stands between a formula and the one before it."""
        if number == 0:
            return False
        before, after = self.document.formulas[number - 1].excerpt, self.document.formulas[number].excerpt
        between = self.document.prose[before.place(len(before.text)) : after.place(0)]
        return not re.sub(r"\\[\[\]()]|[\s$`>]", "", between)

    def defined(self, relations: Sequence[tuple[Printed, Relation]]) -> list[Definition]:
        """The definitions: chains, columns and entries taken apart, without sketches and values at one step."""
        found: list[Definition] = []
        letters = set().union(*(symbols.moving(s) for _, relation in relations for s in symbols.symbols(relation)))
        entries = components.entry_letters(relation for _, relation in relations) - letters
        lefts = [relation.left for _, relation in relations if isinstance(relation.left, Symbol)]
        known = {symbols.identify(left, letters)[0] for left in lefts}
        summed: dict[Any, tuple[str, set[str]]] = {}
        for printed, relation in relations:
            try:
                components.check_matrices(relation, summed)
                for single in self.members(printed, relation, known, letters):
                    parts = components.apart(single)
                    if len(parts) > 1:
                        self.columns.add(printed.offset)
                    for part in parts:
                        whole = components.whole(part, entries)
                        definition = system.definition(printed, whole)
                        if definition is None:
                            self.over.append((printed, "its left side is not a single symbol"))
                        else:
                            found.append(definition)
            except Fault as fault:
                self.unreadable.append(Unreadable(printed, fault, relation.left if isinstance(relation.left, Symbol) else None))
        judged = asides.told_apart(found, self.document)
        for definition, reason in judged.passed_over:
            self.pass_over([definition], reason)
        self.lost, self.backwards = judged.lost, judged.backwards
        self.used = {self.section(d.printed.offset) for d in found if symbols.identify(d.target, letters)[0].index}
        kept = [definition for definition in judged.kept if not self.is_said_otherwise(definition)]
        self.pass_over([definition for definition in judged.kept if definition not in kept], asides.REMARK)
        judged.kept = kept
        unified, names = steps.unified(judged.kept, system.movers(found))
        self.pass_over(names, asides.ANOTHER_NAME)
        unified, self.layered = steps.with_layers(unified)
        return unified

    def is_said_otherwise(self, definition: Definition) -> bool:
        """Whether a formula in the text names a function, as phi = ReLU, and the text says that phi is another one."""
        function = definition.right
        if definition.printed.display or not isinstance(function, Symbol) or not symbols.is_named_function(function):
            return False
        base = definition.target.base
        names = set().union(*(remark.said for remark in self.remarks for s in remark.symbols if s.base == base))
        name = prose.IS.get(function.base.lower(), prose.IS_ANOTHER)
        if not names & {*prose.IS.values()} - {name}:
            return False
        if self.section(definition.printed.offset) in self.used and not asides.is_supposed(self.document, definition.printed):
            self.remarks.append(prose.Remark((definition.target,), frozenset({name}), definition.printed.offset))
        return True

    def members(self, printed: Printed, relation: Relation, known: set[Any], letters: set[str]) -> list[Relation]:
        """The equations of a chain a = b = c: of a symbol in the middle, else of the member that needs the fewest unknowns."""
        named = [member for member in relation.middle if isinstance(member, Symbol)]
        if not relation.middle:
            return [relation]
        if named:
            last = Relation(named[0].at, named[0], relation.right)
            return [replace(relation, right=named[0], middle=()), last]

        def unknown(member: Any) -> int:
            keys = {symbols.identify(symbol, letters)[0] for symbol in symbols.symbols(member)}
            sketch = asides.is_application(member)
            return sketch + sum(
                bool(key.index) and key not in known and key.base.lower() not in steps.INPUT_LETTERS for key in keys
            )

        first = unknown(relation.middle[0]) <= unknown(relation.right)
        self.over.append((printed, f"of its members the {'first' if first else 'last'} one is read"))
        return [replace(relation, right=relation.middle[0] if first else relation.right, middle=())]

    def pass_over(self, definitions: Sequence[Definition], reason: str) -> None:
        self.over += [(definition.printed, reason) for definition in definitions]

    def section(self, place: int) -> int:
        """The number of the heading above a place."""
        return bisect_right([heading.place for heading in self.document.headings], place)


def left_side(tex: str, letters: set[str]) -> Symbol | None:
    """The left side of a formula where it is a symbol; `letters` stand in arguments."""
    if not EQUAL.search(tex):
        return None
    try:
        left = steps.as_index(parse(f"{EQUAL.split(tex, maxsplit=1)[0]} = 0", "equation"), letters).left
    except Fault:
        return None
    return left if isinstance(left, Symbol) else None
