"""One system of parsed equations -> `Cell`: kinds, roles and sizes put together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sympy as sp

from rnnproof.equations import reading, role_inference, symbols, system, type_inference
from rnnproof.equations.cell import Body, Cell, Equation, Parameter, State, in_order
from rnnproof.equations.declarations import Declared, declare
from rnnproof.equations.page import Page
from rnnproof.equations.reading import Assumption
from rnnproof.equations.resolver import Resolver
from rnnproof.equations.size_inference import ONE, Size, Sizes, Typed
from rnnproof.equations.sympy_builder import Builder, SizeNames
from rnnproof.equations.syntax import portable
from rnnproof.equations.syntax_tree import Fault, Product, Symbol, Transposed, blame
from rnnproof.equations.system import Call, Definition, Quantity, Statement
from rnnproof.equations.type_inference import MATRIX, SCALAR, VECTOR

_EXPONENTS = ("n", "k", "m", "p", "N", "K")


def elaborate(
    page: Page,
    name: str,
    definitions: Sequence[Definition],
    declarations: Declared,
    letter: str,
    said: Mapping[Any, set[str]] | None = None,
    assumed: Sequence[Assumption] = (),
) -> Cell:
    """The Cell of one system along one letter; `said` is what the text says of its symbols, `assumed` what was assumed before.

    Raises Fault with the equation at fault, or EquationError from the Cell's checks.
    """
    resolver = Resolver(definitions, {letter}, said=said)
    fonts = _fonts(resolver, definitions)
    statements = state(resolver, definitions)
    role_inference.check_typos(resolver, letter)
    role_inference.check_steps(resolver, letter)
    rows = declare(resolver, declarations)
    for quantity in resolver.quantities.values():
        if role_inference.is_state(quantity):
            if quantity.kind in (SCALAR, MATRIX):
                raise role_inference.fault_at(
                    quantity, f"the state {quantity.tex} is declared a {quantity.kind}; states are vectors"
                )
            quantity.kind = VECTOR
        elif quantity.kind is None and not quantity.defined:
            said_of = resolver.said.get(quantity.key, set())
            if "diagonal" in said_of and not quantity.carries_index:
                message = f"the text says that {quantity.tex} is diagonal; write \\odot with the vector of its diagonal"
                raise role_inference.fault_at(quantity, message)
            if "tied" in said_of and not quantity.key.above:
                message = f"the text says that {quantity.tex} is the transpose of another; write it as W^\\top"
                raise role_inference.fault_at(quantity, message)
            kinds_said = said_of & {SCALAR, VECTOR, MATRIX}
            if "no scalar" in said_of and not kinds_said:
                message = f"the text says that {quantity.tex} is no scalar; say whether it is a vector or a matrix"
                raise role_inference.fault_at(quantity, message)
            if "range" in said_of and not kinds_said and not any(_is_entrywise(s.right, quantity) for s in statements):
                kinds_said = {SCALAR}
            quantity.kind = kinds_said.pop() if len(kinds_said) == 1 else None
    for statement in statements:
        with blame(statement.source):
            _check_outer(statement.right)
    unsaid = [q for q in resolver.quantities.values() if q.kind is None and not q.defined]
    kinds = settle(resolver, statements)
    sorted_roles = role_inference.sort(resolver, statements, kinds)
    sizes = Sizes(kinds)
    typed = measure(sizes, statements)
    namer = SizeNames()
    _name_sizes(page, namer, resolver, statements, sorted_roles)
    build = Builder(namer)
    cell = _cell(page, name, letter, resolver, statements, typed, sorted_roles, build)
    found = [*assumed, *fonts, *resolver.assumed, *(Assumption(tex, reading.ROW) for tex in rows)]
    found += [Assumption(tex, reading.SIDE_BY_SIDE) for tex in sizes.side_by_side]
    found += [Assumption(tex, reading.FIRST) for tex in sizes.first]
    found += [Assumption(q.tex, reading.BY_USE) for q in unsaid if q.kind == SCALAR]
    bound = [q for q in sorted_roles.parameters if "constrained" in resolver.said.get(q.key, ())]
    found += [Assumption(quantity.tex, reading.FREE) for quantity in bound]
    below = [q for q in sorted_roles.inputs if any("minus1" in label for label in (*q.key.below, *q.key.above))]
    found += [Assumption(quantity.tex, reading.BELOW) for quantity in below]
    return replace(cell, assumed=tuple(dict.fromkeys(found)))


def state(resolver: Resolver, definitions: Sequence[Definition]) -> list[Statement]:
    """The resolved equations. Raises Fault for two different definitions of one symbol."""
    unique: dict[Any, Definition] = {}
    for definition in definitions:
        key, shift = symbols.identify(definition.target, resolver.letters)
        if key in unique:
            if symbols.fingerprint(unique[key].relation) == symbols.fingerprint(definition.relation):
                continue
            fault = Fault(
                definition.target.at, f"two updates of {definition.target.printed}; keep one of them or rename the other"
            )
            fault.source = definition
            raise fault
        unique[key] = definition
        resolver.source = definition
        with blame(definition):
            if definition.argument is None:
                quantity = resolver.quantity(definition.target)
                quantity.defined, quantity.defined_at = True, shift
                quantity.tex, quantity.at, quantity.source = definition.target.printed, definition.target.at, definition
    statements = []
    for key, definition in unique.items():
        resolver.source = definition
        with blame(definition):
            if definition.argument is None:
                right = resolver.tree(definition.right)
                resolver.quantities[key].applied = isinstance(right, Call) and any(
                    reference.quantity.carries_index for reference in _references(right)
                )
                statements.append(Statement(definition, resolver.quantities[key], right))
                continue
            function = resolver.quantity(definition.target, resolver.functions)
            inner = symbols.identify(definition.argument, resolver.letters)
            argument = Quantity(
                inner[0],
                f"{function.name}_{inner[0].name}",
                definition.argument.printed,
                definition.argument.at,
                VECTOR,
                definition,
            )
            statements.append(Statement(definition, function, resolver.tree(definition.right, {inner: argument}), argument))
    for function in resolver.functions.values():
        function.kind = VECTOR
    _check_powers(resolver)
    _check_transposes(resolver)
    for quantity in resolver.quantities.values():
        plain = not (quantity.defined or quantity.key.below or quantity.key.above or quantity.carries_index)
        if quantity.key.base == "pi" and plain and not resolver.said.get(quantity.key):
            message = r"\pi may be the number; write its value, or say in the text that $\pi$ is a parameter"
            raise role_inference.fault_at(quantity, message)
    return statements


def _is_entrywise(node: Any, quantity: Quantity) -> bool:
    """Whether a quantity is a factor of an elementwise product."""
    if isinstance(node, Product) and node.sign == "hadamard":
        if any(isinstance(factor, system.Ref) and factor.quantity is quantity for factor in node.factors):
            return True
    return any(_is_entrywise(child, quantity) for child in symbols.children(node))


def _fonts(resolver: Resolver, definitions: Sequence[Definition]) -> list[Assumption]:
    """What is printed in bold here and plain there. Raises Fault where that makes two things of it: both in one equation, or
    an equation for each; or where one of them is a letter of another kind, such as calligraphic.
    """
    assumed: dict[Any, Assumption] = {}
    seen: dict[Any, str] = {}
    targets: dict[Any, str] = {}
    for definition in definitions:
        here: dict[Any, str] = {}
        for symbol in symbols.symbols(definition.relation):
            key, shift = symbols.identify(symbol, resolver.letters)
            font = _font(symbol)
            first = seen.setdefault(key, font)
            apart = here.setdefault((key, shift), font) != font or (font != first and "letter" in (font, first))
            if symbol is definition.target:
                apart |= targets.setdefault(key, font) != font
            if apart:
                fault = Fault(symbol.at, f"{symbol.printed} is printed in two fonts; give two things two names, or one font")
                fault.source = definition
                raise fault
            if font != first:
                assumed[key] = Assumption(symbol.printed, reading.TWO_FONTS)
    return list(assumed.values())


def _font(symbol: Symbol) -> str:
    """ "bold", "letter" for calligraphic ones and the like, or nothing."""
    if re.search(r"\\(?:mathcal|mathscr|mathfrak|mathbb)", symbol.tex):
        return "letter"
    return "bold" if re.search(r"\\(?:mathbf|boldsymbol|bm|pmb|symbf|mathbfit|bold|textbf)", symbol.tex) else ""


def _check_outer(node: Any) -> None:
    """Raise Fault for v k^T, which is a matrix, and for x^T W, which is a row."""
    if isinstance(node, Product) and node.sign in ("", "dot") and isinstance(node.factors[0], Transposed):
        first: Any = node.factors[0].inner
        last: Any = node.factors[-1]
        row = isinstance(first, system.Ref) and first.quantity.kind != MATRIX and first.quantity.key.base[0].islower()
        matrix = isinstance(last, system.Ref) and last.quantity.kind is None and last.quantity.key.base[0].isupper()
        if row and matrix and not last.quantity.defined:
            raise Fault(node.at, "a transposed vector times a matrix is a row; write the equation with columns, W^\\top x")
    if isinstance(node, Product) and node.sign == "" and isinstance(node.factors[-1], Transposed):
        before, last = node.factors[-2], node.factors[-1].inner
        letters = [n.quantity.key.base for n in (before, last) if isinstance(n, system.Ref) and n.quantity.kind != MATRIX]
        if len(letters) == 2 and all(letter[0].islower() for letter in letters):
            raise Fault(
                node.at, "an outer product of two vectors is a matrix; cells have vectors as states, and no outer product"
            )
    for child in symbols.children(node):
        _check_outer(child)


_MARKS = ("prime", "star", "H", "dagger")


def _check_transposes(resolver: Resolver) -> None:
    """Raise Fault for a single U' beside U, where neither has an equation, for U^H, and for what the text calls a transpose.

    Where several letters carry the mark they are a second set of weights, which is noted as an assumption.
    """
    second: list[Quantity] = []
    for quantity in resolver.quantities.values():
        marks = [label for label in quantity.key.above if label in _MARKS]
        bare = replace(quantity.key, above=tuple(label for label in quantity.key.above if label not in _MARKS))
        other = resolver.quantities.get(bare)
        both = other is not None and not other.defined and bool(marks)
        if both and marks == ["prime"] and not quantity.defined and "transpose" not in resolver.said.get(quantity.key, ()):
            second.append(quantity)
            continue
        if not quantity.defined and (
            both or (marks and any("transpose" in resolver.said.get(key, ()) for key in (quantity.key, bare)))
        ):
            raise _may_be_a_transpose(quantity)
    if len(second) == 1:
        raise _may_be_a_transpose(second[0])
    resolver.assumed += [Assumption(quantity.tex, reading.SECOND_SET) for quantity in second]


def _may_be_a_transpose(quantity: Quantity) -> Fault:
    message = f"{quantity.tex} may be a transpose; write \\top for one, or another letter"
    return role_inference.fault_at(quantity, message)


def _check_powers(resolver: Resolver) -> None:
    """Raise Fault for a number above a symbol that is no label: x^2 beside x, or where no symbol shows it to be one."""
    numbered = [q for q in resolver.quantities.values() if re.search(r"\^(?:\d|\{\d+\})", q.tex)]
    for quantity in resolver.quantities.values():
        exponent = re.search(rf"\^\{{?([2-9]|[{''.join(_EXPONENTS)}])\b", quantity.tex)
        rest = tuple(label for label in quantity.key.above if exponent is None or label != exponent[1])
        bare = replace(quantity.key, above=rest)
        beside = (
            exponent is not None
            and bare != quantity.key
            and (bare in resolver.said or (bare in resolver.quantities and not exponent[1].isdigit()))
        )
        if not quantity.defined and (beside or "power" in resolver.said.get(quantity.key, ())):
            raise role_inference.fault_at(quantity, f"{quantity.tex} looks like a power; write powers as products")
    numbers = any(q.defined or "1" in q.key.above for q in numbered)  # no power is defined, and nobody writes the first one
    for quantity in numbered:
        key = quantity.key
        bare = replace(key, above=tuple(label for label in key.above if not label.isdigit()))
        if not numbers or bare in resolver.quantities:
            message = f"{quantity.tex} looks like a power; write powers as products, and a label in parentheses: ^{{(2)}}"
            raise role_inference.fault_at(quantity, message)


def settle(resolver: Resolver, statements: Sequence[Statement]) -> type_inference.Kinds:
    """All kinds known, or a Fault that says what to declare."""

    def assume() -> bool:
        if any(type_inference.scalar_sum(statement.right) for statement in statements):
            return True
        if any(type_inference.scalar_divisor(statement.right) for statement in statements):
            return True
        for quantity in resolver.quantities.values():
            if quantity.kind is None and not quantity.carries_index and "rate" in resolver.said.get(quantity.key, ()):
                quantity.kind = SCALAR
                return True
        for quantity in resolver.quantities.values():
            if quantity.defined and quantity.kind is None:
                quantity.kind = VECTOR
                return True
        return False

    kinds = type_inference.settle(statements, assume)
    if fault := role_inference.ambiguous(resolver):
        raise fault
    return kinds


def measure(sizes: Sizes, statements: Sequence[Statement]) -> list[Typed]:
    """Every equation measured, its shapes unified."""
    measured = []
    for statement in statements:
        with blame(statement.source):
            if statement.argument is None:
                measured.append(sizes.equation(statement.target, statement.right))
                continue
            rows, columns = sizes.function(statement.target)
            statement.argument.size = (columns, ONE)
            typed = sizes.measure(statement.right, VECTOR)
            sizes.same(typed, rows, ONE, statement.right.at)
            measured.append(typed)
    return measured


def _name_sizes(
    page: Page, namer: SizeNames, resolver: Resolver, statements: Sequence[Statement], roles: role_inference.Roles
) -> None:
    """hidden, input, then the other states', the intermediates', the parameters'."""
    order = _evaluation(page, statements)
    recurrent = [q for q in order if role_inference.is_state(q)]
    for quantity in recurrent[-1:]:
        namer.name(_rows(quantity), "hidden")
    for quantity in roles.inputs:
        namer.name(_rows(quantity), "input" if len(roles.inputs) == 1 else f"{quantity.name}_size")
    for quantity in reversed(recurrent):
        namer.name(_rows(quantity), f"{quantity.name}_size")
    for quantity in (*order, *roles.parameters, *resolver.functions.values()):
        rows, columns = quantity.size or (ONE, ONE)
        namer.name(rows, f"{quantity.name}_size" if quantity.kind == VECTOR else f"{quantity.name}_rank")
        namer.name(columns, f"{quantity.name}_rank" if quantity.kind == MATRIX else f"{quantity.name}_input")


def _rows(quantity: Quantity) -> Size:
    return quantity.size[0] if quantity.size else ONE


def _evaluation(page: Page, statements: Sequence[Statement]) -> list[Quantity]:
    """The defined quantities in order of evaluation."""
    targets = {s.target: sp.Symbol(f"q{place}") for place, s in enumerate(statements) if s.argument is None}
    reads: list[Equation] = []
    for s in (s for s in statements if s.argument is None):
        now = [r.quantity for r in _references(s.right) if r.quantity.defined and r.shift == r.quantity.defined_at]
        expression = sp.Add(*(targets[q] for q in dict.fromkeys(now)))
        printed = s.source.printed
        reads.append(Equation(targets[s.target], expression, portable(printed.shown), page.where(printed.offset)))
    back = {symbol: quantity for quantity, symbol in targets.items()}
    return [back[equation.symbol] for equation in in_order(tuple(reads))]


def _references(node: Any) -> list[Any]:
    if isinstance(node, system.Ref):
        return [node]
    return [reference for child in symbols.children(node) for reference in _references(child)]


def _cell(
    page: Page,
    name: str,
    letter: str,
    resolver: Resolver,
    statements: Sequence[Statement],
    typed: Sequence[Typed],
    roles: role_inference.Roles,
    build: Builder,
) -> Cell:
    built = [build.build(tree) for tree in typed]
    equations, bodies, tex = [], [], {}
    for statement, expression in zip(statements, built, strict=True):
        printed = statement.source.printed
        if statement.argument is None:
            equations.append(
                Equation(build.symbol(statement.target), expression, portable(printed.shown), page.where(printed.offset))
            )
            continue
        argument = build.symbol(statement.argument)
        tex[argument.name] = statement.argument.tex
        where = page.where(printed.offset)
        bodies.append(Body(statement.target.name, argument, expression, portable(printed.shown), where))
    read = {q for s in statements for q in (r.quantity for r in _references(s.right))}
    states = []
    for quantity in reversed(_evaluation(page, statements)):
        recurrent = role_inference.is_state(quantity)
        if recurrent or (quantity not in read and quantity.carries_index):
            states.append(State(quantity.name, build.symbol(quantity), build.symbol(quantity, "_prev") if recurrent else None))
        if recurrent:
            tex[f"{quantity.name}_prev"] = quantity.shifts[(quantity.defined_at or 0) - 1][1]
    for quantity in (*resolver.quantities.values(), *resolver.functions.values()):
        tex[quantity.name] = quantity.tex
    return Cell(
        name=name,
        equations=in_order(tuple(equations)),
        states=tuple(states),
        parameters=tuple(Parameter(q.name, build.symbol(q), q.carries_index) for q in roles.parameters),
        inputs=tuple(build.symbol(quantity) for quantity in roles.inputs),
        index=letter,
        bodies=tuple(bodies),
        notation=tuple(tex.items()),
        source=page.name,
    )
