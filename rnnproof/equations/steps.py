"""Where the step stands: in an index, in an argument, h(t-1), or in a mark, h' and h_{prev}; all are made one thing, an index.

Also which of two letters that move is the step: the other one counts layers, and is a label like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from rnnproof.equations import reading, symbols
from rnnproof.equations.page import Excerpt
from rnnproof.equations.reading import Assumption
from rnnproof.equations.subscripts import Script
from rnnproof.equations.syntax import is_step
from rnnproof.equations.syntax_tree import Group, Node, Number, Product, Relation, Sum, Symbol, Transposed
from rnnproof.equations.system import Definition

INPUT_LETTERS = ("x", "u")
_TIME = ("t", "tau", "n", "k", "s", "i")
_NEW = {"prime", "new", "next"}
_OLD = {"prev", "previous", "old", "last", "pre"}


def rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """The tree, bottom up, with `change` of every node."""
    values = {}
    for entry in fields(node):
        value = getattr(node, entry.name)
        if isinstance(value, Node):
            values[entry.name] = rebuilt(value, change)
        elif isinstance(value, tuple):
            values[entry.name] = tuple(_item(item, change) for item in value)
    return change(replace(node, **values) if values else node)


def _item(item: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(item, Node):
        return rebuilt(item, change)
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Node):
        return (item[0], rebuilt(item[1], change))
    return item


# arguments


def argument_letters(trees: Iterable[Any]) -> set[str]:
    """The letters that some argument shows shifted."""
    return {letter for tree in trees for letter in _shifted_arguments(tree)}


def as_index(tree: Any, letters: set[str]) -> Any:
    """The tree with h(t) and h[t-1] as symbols with an index, for these letters."""
    return rebuilt(tree, lambda node: _indexed(node, letters)) if letters else tree


def _shifted_arguments(node: Any) -> Iterator[str]:
    if isinstance(node, Product) and node.sign == "":
        for symbol, bracket in zip(node.factors, node.factors[1:], strict=False):
            inner = _bracket(bracket)
            if isinstance(symbol, Symbol) and isinstance(inner, Sum) and not symbols.is_named_function(symbol):
                yield inner.terms[0][1].base  # type: ignore[attr-defined]  # `is_step` found a letter there
    for child in symbols.children(node):
        yield from _shifted_arguments(child)


def _bracket(node: Any) -> Any:
    """What a step's bracket holds, or None."""
    group: Any = node.inner if isinstance(node, Transposed) else node
    return group.inner if isinstance(group, Group) and group.bracket in ("(", "[") and is_step(group) else None


def _indexed(node: Any, letters: set[str]) -> Any:
    if not isinstance(node, Product) or node.sign:
        return node
    factors: list[Any] = []
    for factor in node.factors:
        inner, before = _bracket(factor), factors[-1] if factors else None
        script = _step(inner, factor, letters) if inner is not None else None
        if script and isinstance(before, Symbol) and not symbols.is_named_function(before):
            stepped = replace(before, scripts=(*before.scripts, script))
            factors[-1] = Transposed(before.at, stepped) if isinstance(factor, Transposed) else stepped
        else:
            factors.append(factor)
    return replace(node, factors=tuple(factors)) if len(factors) > 1 else factors[0]


def _step(inner: Any, factor: Any, letters: set[str]) -> Script | None:
    letter, sign, number = inner, 0, None
    if isinstance(inner, Sum):
        (_, letter), (sign, number) = inner.terms
    if letter.base not in letters:
        return None
    group: Any = factor.inner if isinstance(factor, Transposed) else factor
    opening, closing = ("(", ")") if group.bracket == "(" else ("[", "]")
    if not isinstance(number, Number):
        return Script("(", ((letter.base,),), f"{opening}{letter.tex}{closing}")
    mark = "+" if sign > 0 else "-"
    return Script("(", ((letter.base, mark, number.text),), f"{opening}{letter.tex}{mark}{number.text}{closing}")


# differences


def with_differences(trees: Sequence[Any]) -> list[Any]:
    """The trees with \\Delta h_t as one symbol, where an equation defines it."""
    named = {_difference(tree.left.factors) for tree in trees if isinstance(getattr(tree, "left", None), Product)}
    if not (named := named - {""}):
        return list(trees)

    def change(node: Any) -> Any:
        if not isinstance(node, Product) or node.sign:
            return node
        factors: list[Any] = []
        factor: Any
        for factor in node.factors:
            base = _difference(factors[-1:] + [factor])
            if base and base in named:
                delta = factors.pop()
                factor = replace(factor, at=delta.at, base=base, tex=f"{delta.tex} {factor.tex}")
            factors.append(factor)
        return replace(node, factors=tuple(factors)) if len(factors) > 1 else factors[0]

    return [rebuilt(tree, change) for tree in trees]


def _difference(factors: Sequence[Any]) -> str:
    """The base of the one symbol that a Delta and another make, or nothing."""
    if len(factors) != 2:
        return ""
    delta, of = factors
    if not (isinstance(delta, Symbol) and isinstance(of, Symbol)):
        return ""
    return f"Delta_{of.base}" if delta.base == "Delta" and not delta.scripts else ""


# marks


def marked(trees: Sequence[Any], primes: bool = True) -> list[Any]:
    """The trees with h' and h, or h and h_{prev}, as one symbol at two steps, where no letter moves at all.

    `primes` where a prime may mark a step: not where the text speaks of derivatives.
    """
    every = [symbol for tree in trees for symbol in symbols.symbols(tree)]
    if any(symbols.moving(symbol) for symbol in every):
        return list(trees)
    targets = {_bare(tree.left) for tree in trees if isinstance(getattr(tree, "left", None), Symbol)}
    read = {_bare(symbol) for tree in trees if hasattr(tree, "right") for symbol in symbols.symbols(tree.right)}
    if not primes and any(("prime",) in s.parts for tree in trees for sym in symbols.symbols(tree) for s in sym.scripts):
        return list(trees)
    new = {bare for bare, mark in targets if mark == "new" and (bare, "") in read and (bare, "") not in targets}
    old = {bare for bare, mark in read if mark == "old" and {(bare, ""), (bare, "new")} & targets}
    if not new | old:
        return list(trees)
    defined = {bare for bare, _ in targets}

    def change(node: Any) -> Any:
        if not isinstance(node, Symbol):
            return node
        bare, mark = _bare(node)
        if bare in new | old:
            shift = {"new": 0, "old": -1}.get(mark, -1 if bare in new else 0)
            kept = tuple(s for s in node.scripts if not _mark(s) and s.parts != (("t",),))
            printed = "".join(s.printed for s in node.scripts if _mark(s) or s.parts == (("t",),))
            return replace(node, scripts=(*kept, Script("", (("t", "-", "1") if shift else ("t",),), printed)))
        if not node.scripts and node.base in INPUT_LETTERS and bare not in defined:
            return replace(node, scripts=(Script("", (("t",),), ""),))
        return node

    return [rebuilt(tree, change) for tree in trees]


def _mark(script: Script) -> str:
    if len(script.parts) == 1:
        if "".join(script.parts[0]) in _NEW:
            return "new"
        if "".join(script.parts[0]) in _OLD:
            return "old"
    return ""


def _bare(symbol: Symbol) -> tuple[Any, str]:
    """A symbol without the mark of its step, and the mark."""
    marks = [_mark(script) for script in symbol.scripts]
    kept = tuple(s.parts for s, mark in zip(symbol.scripts, marks, strict=True) if not mark and s.parts != (("t",),))
    return (symbol.base, kept), "".join(marks)


# letters


def step_letter(definitions: Iterable[Definition]) -> str | None:
    """The letter along which something is defined and read at the step before; of several, the customary one."""
    definitions = list(definitions)
    letters: set[str] = set()
    for definition in definitions:
        for symbol in symbols.symbols(definition.relation):
            letters |= symbols.moving(symbol)
    found = [letter for letter in sorted(letters) if _recurs(definitions, letter)]
    found = found or sorted(letters)
    return min(found, key=lambda letter: _TIME.index(letter) if letter in _TIME else len(_TIME), default=None)


def _recurs(definitions: Sequence[Definition], letter: str) -> bool:
    defined = {}
    for definition in definitions:
        key, shift = symbols.identify(definition.target, {letter})
        if shift is not None:
            defined[key] = shift
    for definition in definitions:
        for symbol in symbols.symbols(definition.right):
            key, shift = symbols.identify(symbol, {letter})
            if key in defined and shift is not None and shift < defined[key]:
                return True
    return False


# one thing under two names, and two things under one


def unified(definitions: Sequence[Definition], letters: set[str]) -> tuple[list[Definition], list[Definition]]:
    """The definitions with one name for each thing, and those that only give another name.

    Aliases are made one, reassigned symbols told apart.
    """
    kept = _without_aliases(_with_named_functions(definitions, letters), letters)
    places = {definition.printed.offset for definition in kept}
    return _reassigned(kept, letters), [d for d in definitions if d.printed.offset not in places]


def _with_named_functions(definitions: Sequence[Definition], letters: set[str]) -> list[Definition]:
    """With the function itself where a symbol is said to be it, as phi = tanh says."""
    kept = list(definitions)
    for definition in definitions:
        function = definition.right
        if not (isinstance(function, Symbol) and symbols.is_named_function(function)):
            continue
        name, shift = symbols.identify(definition.target, letters)
        if shift is not None or definition.argument is not None:
            continue

        def named(node: Any, name: Any = name, function: Symbol = function) -> Any:
            if isinstance(node, Symbol) and symbols.identify(node, letters)[0] == name:
                return replace(function, at=node.at, tex=node.tex)
            return node

        kept = [replace(d, relation=replace(d.relation, right=rebuilt(d.right, named))) for d in kept if d is not definition]
    return kept


def _without_aliases(definitions: Sequence[Definition], letters: set[str]) -> list[Definition]:
    """Without c_t = a_t where c_t has another equation and a_t has none: the two are one thing."""
    keys = [symbols.identify(d.target, letters) for d in definitions]
    kept = list(definitions)
    for definition, (key, shift) in zip(definitions, keys, strict=True):
        other = definition.right
        if not isinstance(other, Symbol) or not key.index or [k for k, _ in keys].count(key) < 2:
            continue
        alias, step = symbols.identify(other, letters)
        if alias.index != key.index or step != shift or alias == key or any(k == alias for k, _ in keys):
            continue
        target = definition.target
        kept = [
            replace(d, relation=rebuilt(d.relation, lambda node: _as(node, alias, target, letters)))  # noqa: B023 - used at once
            for d in kept
            if d is not definition
        ]
    return kept


def _as(node: Any, alias: Any, target: Symbol, letters: set[str]) -> Any:
    if not isinstance(node, Symbol) or symbols.identify(node, letters)[0] != alias:
        return node
    labels = tuple(s for s in target.scripts if not _is_index(s, letters))
    return replace(node, base=target.base, scripts=(*labels, *(s for s in node.scripts if _is_index(s, letters))))


def _is_index(script: Script, letters: set[str]) -> bool:
    return bool(symbols.identify(Symbol(0, "x", "x", (script,)), letters)[0].index)


def _reassigned(definitions: Sequence[Definition], letters: set[str]) -> list[Definition]:
    """With l_t = f(l_t) as an equation of its own: what l_t was before it has another name."""
    done: list[Definition] = []
    printed = Counter(symbols.fingerprint(definition.relation) for definition in definitions)
    for definition in definitions:
        mine = symbols.identify(definition.target, letters)
        reads = any(symbols.identify(s, letters) == mine for s in symbols.symbols(definition.right))
        reads = reads and printed[symbols.fingerprint(definition.relation)] == 1
        before = [n for n, d in enumerate(done) if symbols.identify(d.target, letters) == mine]
        before = [n for n in before if done[n].target.tex == definition.target.tex]
        if reads and before:
            number = len(before)
            for place in range(before[-1], len(done)):
                old = done[place]
                relation = old.relation
                if place == before[-1]:
                    relation = replace(relation, left=_numbered(relation.left, mine, letters, number))
                else:
                    relation = replace(relation, right=_numbered(relation.right, mine, letters, number))
                target = relation.left if isinstance(relation.left, Symbol) else old.target
                done[place] = replace(old, relation=relation, target=target)
            right = _numbered(definition.right, mine, letters, number)
            definition = replace(definition, relation=replace(definition.relation, right=right))
        done.append(definition)
    return done


def _numbered(node: Any, what: Any, letters: set[str], number: int) -> Any:
    label = Script("", ((str(number),),), "")

    def change(inner: Any) -> Any:
        if isinstance(inner, Symbol) and symbols.identify(inner, letters) == what:
            return replace(inner, scripts=(*inner.scripts, label))
        return inner

    return rebuilt(node, change)


def with_layers(definitions: Sequence[Definition]) -> tuple[list[Definition], list[Assumption]]:
    """With h_t as h_{t,l}, where the latter is read at the step before and only the former has an equation."""
    letter = step_letter(definitions)
    letters = {letter} if letter else set()
    targets = {symbols.identify(d.target, letters)[0]: d.target for d in definitions}
    read = {symbols.identify(s, letters): s for d in definitions for s in symbols.symbols(d.right)}
    kept = list(definitions)
    assumed: list[Assumption] = []
    for (key, shift), symbol in read.items():
        if shift is None or shift >= 0 or key in targets:
            continue
        for label in (label for label in key.below if label in ("l", "ell", "k", "n")):
            bare = replace(key, below=tuple(other for other in key.below if other != label))
            if bare not in targets or any(k == bare and s is not None and s < 0 for k, s in read):
                continue

            def layered(node: Any, bare: Any = bare, symbol: Symbol = symbol) -> Any:
                if not isinstance(node, Symbol) or symbols.identify(node, letters)[0] != bare:
                    return node
                steps = tuple(s for s in node.scripts if _is_index(s, letters))
                labels = tuple(_without_step(s, letters) for s in symbol.scripts)
                return replace(node, scripts=(*steps, *(s for s in labels if s.parts)))

            kept = [replace(d, relation=rebuilt(d.relation, layered), target=layered(d.target)) for d in kept]
            assumed.append(Assumption(layered(targets[bare]).printed, reading.LAYERED))
    return kept, assumed


def _without_step(script: Script, letters: set[str]) -> Script:
    """A script's labels, without the step; they print as nothing."""
    parts = tuple(
        p for p in script.parts if not symbols.identify(Symbol(0, "x", "x", (Script("_", (p,), ""),)), letters)[0].index
    )
    return Script("_", parts, ",".join("".join(part) for part in parts))


def on_one_step(definitions: Sequence[Definition], letter: str) -> list[Definition]:
    """With y_k = C h_k as y_{k+1} = C h_{k+1}, beside a state h_{k+1} that is made of the input x_{k+1}: one step is meant."""
    letters = {letter}
    targets = {symbols.identify(d.target, letters) for d in definitions}
    defined = {key for key, _ in targets}
    read = {symbols.identify(s, letters) for d in definitions for s in symbols.symbols(d.right)}
    if not any(shift == 1 for _, shift in targets) or not any(shift == 1 and key not in defined for key, shift in read):
        return list(definitions)

    def later(node: Any) -> Any:
        if not isinstance(node, Symbol) or symbols.identify(node, letters)[1] != 0:
            return node
        scripts = tuple(
            replace(s, parts=tuple((letter, "+", "1") if part == (letter,) else part for part in s.parts)) for s in node.scripts
        )
        return replace(node, scripts=scripts)

    changed = []
    for definition in definitions:
        key, shift = symbols.identify(definition.target, letters)
        shifts = {symbols.identify(s, letters)[1] for s in symbols.symbols(definition.right)} - {None}
        if shift == 0 and shifts == {0} and not any(other == key for other, _ in read):
            relation = replace(
                definition.relation, left=later(definition.relation.left), right=rebuilt(definition.right, later)
            )
            definition = replace(definition, relation=relation, target=later(definition.target))
        changed.append(definition)
    return changed


def with_earlier_inputs(
    definitions: Sequence[Definition], letter: str, said: Callable[[Any], bool]
) -> tuple[list[Definition], list[Assumption]]:
    """With an input of the step before as a state of its own or, where no other is read, as the input; and what was assumed."""
    letters = {letter}
    defined = {symbols.identify(d.target, letters)[0]: symbols.identify(d.target, letters)[1] for d in definitions}
    step = max((shift for key, shift in defined.items() if shift is not None), default=0)
    read: dict[Any, dict[int, Symbol]] = {}
    for definition in definitions:
        for symbol in symbols.symbols(definition.right):
            key, shift = symbols.identify(symbol, letters)
            if shift is not None and key not in defined and (key.base.lower() in INPUT_LETTERS or said(key)):
                read.setdefault(key, {}).setdefault(shift, symbol)
    changed = list(definitions)
    assumed: list[Assumption] = []
    for key, shifts in read.items():
        if step or set(shifts) not in ({-1}, {-1, 0}):
            continue
        if 0 not in shifts:
            changed = [_stepped(d, key, letters, (letter,), ()) for d in changed]
            assumed.append(Assumption(shifts[-1].printed, reading.THIS_STEP))
            continue
        last = Script("^", (("last",),), r"\text{last}")
        changed = [_stepped(d, key, letters, (letter, "-", "1"), (last,)) for d in changed]
        now = shifts[0]
        target = replace(now, scripts=(*now.scripts, last))
        first = next(d for d in definitions if any(symbols.identify(s, letters)[0] == key for s in symbols.symbols(d.right)))
        where = first.printed.excerpt.places[:1]
        text = f"{target.printed} = {now.printed}"
        printed = replace(first.printed, excerpt=Excerpt(text, [*where] * len(text)))
        changed.insert(0, Definition(printed, Relation(0, target, now), target))
        assumed.append(Assumption(now.printed, reading.CARRIED))
    return changed, assumed


def _stepped(
    definition: Definition, key: Any, letters: set[str], step: tuple[str, ...], labels: tuple[Script, ...]
) -> Definition:
    """A definition whose reads of a symbol one step back have another step and further labels, printed as before."""

    def change(node: Any) -> Any:
        if not isinstance(node, Symbol) or symbols.identify(node, letters) != (key, -1):
            return node
        kept = tuple(s for s in node.scripts if not _is_index(s, letters))
        printed = "".join(s.printed for s in node.scripts if _is_index(s, letters))
        return replace(node, scripts=(*kept, Script("", (step,), printed), *labels))

    return replace(definition, relation=replace(definition.relation, right=rebuilt(definition.right, change)))
