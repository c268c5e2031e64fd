"""`bind`: give a body to a function the equations leave open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from rnnproof.equations import activations, expressions, role_inference, symbols, system, type_inference
from rnnproof.equations.cell import Body, Cell, Parameter
from rnnproof.equations.page import Excerpt, Page
from rnnproof.equations.resolver import Resolver
from rnnproof.equations.size_inference import ONE, Size, Sizes, from_sympy
from rnnproof.equations.source import Printed, check_depth
from rnnproof.equations.sympy_builder import Builder, SizeNames
from rnnproof.equations.syntax import parse_body
from rnnproof.equations.syntax_tree import Fault, Relation, Symbol
from rnnproof.equations.system import Call, Definition, Quantity, Statement
from rnnproof.equations.type_inference import MATRIX, SCALAR, VECTOR
from rnnproof.errors import BindError, EquationError


def bind(cell: Cell, **functions: str) -> Cell:
    r"""The cell with bodies for its open functions, such as `bind(cell, f=r"\tanh(W o + b)")`.

    A body is written in the argument as printed, as `x \mapsto \tanh(W x + b)`, or as the name of an activation. A parameter
    in it with the index (W^{(l)}) is one for each step. Raises BindError, naming the open functions.
    """
    for name, text in functions.items():
        cell = _Binding(cell, name, text).bound()
    return cell


@dataclass(frozen=True)
class _Binding:
    cell: Cell
    name: str
    text: str

    @property
    def page(self) -> Page:
        return Page(f"body of {self.name}", self.text)

    def bound(self) -> Cell:
        open_ones = ", ".join(self.cell.open_functions) or "none"
        if self.name not in self.cell.open_functions:
            raise BindError(f"cell {self.cell.name} has no open function {self.name!r} (open: {open_ones}); bind one of those")
        if not isinstance(self.text, str) or not self.text.strip():
            raise BindError(rf"body of {self.name}: empty (open: {open_ones}); write one such as \tanh(W x + b)")
        try:
            check_depth(self.page, Excerpt.of(self.text, 0))
            return self.elaborate(self.node())
        except Fault as fault:
            raise BindError(f"{self.page.explain(fault.at, fault.message)}\n    (open functions: {open_ones})") from None
        except EquationError as error:
            raise BindError(str(error)) from None

    def node(self) -> Any:
        """The OpenFunction as the cell applies it."""
        trees: dict[str, Any] = {}
        for expression in (*(e.expression for e in self.cell.equations), *(b.expression for b in self.cell.bodies)):
            trees.update(expressions.open_functions(expression))
        return trees[self.name]

    def elaborate(self, node: Any) -> Cell:
        loose = self.loose_sizes(node)
        rows = from_sympy(node.shape[0], loose)
        resolver, argument, tree = self.resolved(node.argument)
        argument.size = (from_sympy(expressions.shape_of(node.argument)[0], loose), ONE)
        self.share(resolver, loose)
        result = Quantity(symbols.Key(self.name, (), (), ()), self.name, self.name, 0, VECTOR)
        kinds = type_inference.settle([Statement(None, result, tree, argument)], lambda: False)
        if fault := role_inference.ambiguous(resolver):
            cure = "an upper-case letter is a matrix, \\alpha a scalar, and \\odot multiplies elementwise"
            raise Fault(fault.at, f"{fault.message.split(';')[0]}; {cure}")
        sizes = Sizes(kinds)
        typed = sizes.measure(tree, VECTOR)
        sizes.same(typed, rows, ONE, tree.at)
        namer = SizeNames((*self.cell.sizes, *loose))
        for size_symbol, size in loose.items():
            namer.keep(size, size_symbol)
        for quantity in resolver.quantities.values():
            rows, columns = sizes.of(quantity)
            namer.name(rows, f"{quantity.name}_rank" if quantity.kind == MATRIX else f"{quantity.name}_size")
            namer.name(columns, f"{quantity.name}_rank")
        build = Builder(namer)
        old = {parameter.name for parameter in self.cell.parameters}
        fresh = [q for q in resolver.quantities.values() if q.name not in old]
        symbol = build.symbol(argument)
        shown = self.cell.tex.get(self.name, self.name)
        tex = {**{q.name: q.tex for q in fresh}, **self.cell.tex, symbol.name: argument.tex}
        body = self.text.split(r"\mapsto")[-1].split("↦")[-1].strip()
        if isinstance(tree, Call) and tree.at < 0:
            body = f"{tree.function.tex}({argument.tex})"
        cell = resized(self.cell, {old_size: namer.sympy(size) for old_size, size in loose.items()})
        return replace(
            cell,
            parameters=(*cell.parameters, *(Parameter(q.name, build.symbol(q), q.carries_index) for q in fresh)),
            bodies=(*cell.bodies, Body(self.name, symbol, build.build(typed), f"{shown}({argument.tex}) = {body}")),
            notation=tuple(tex.items()),
        )

    def resolved(self, applied: Any) -> tuple[Resolver, Quantity, Any]:
        """The resolver, the argument and the body's tree."""
        mapping = parse_body(self.text)
        bare = self.text.strip().removeprefix("\\")  # tanh and \tanh, which the grammar would read as letters
        if isinstance(mapping.body, Symbol) and mapping.body.word and not mapping.body.scripts and mapping.argument is None:
            bare = mapping.body.base
        if (activation := activations.find(bare)) is not None:
            argument = self.argument(Symbol(0, "x", "x"))
            return Resolver((), {self.cell.index}), argument, Call(-1, activation, system.Ref(0, argument, None))
        letters = {self.cell.index}
        if mapping.argument is not None and not isinstance(mapping.argument, Symbol):
            raise Fault(mapping.at, r"the argument is one symbol; write x \mapsto ...")
        printed = mapping.argument or self.printed(applied)
        wanted = replace(symbols.identify(printed, letters)[0], index=()) if printed else None
        local: dict[Any, Quantity] = {}
        argument = self.argument(printed or Symbol(0, "x", "x"))
        for symbol in symbols.symbols(mapping.body):
            key, shift = symbols.identify(symbol, letters)
            if replace(key, index=()) == wanted:
                argument.tex = symbol.printed if not local else argument.tex
                local[key, shift] = argument
        if not local:
            what = printed.printed if printed else "an expression"
            raise Fault(0, rf"the argument ({what}) does not appear in the body; write it as x \mapsto \tanh(W x + b)")
        target = Symbol(0, self.name, self.name)
        source = Definition(Printed(Excerpt.of(self.text, 0), True), Relation(0, target, mapping.body), target, printed)
        resolver = Resolver((source,), letters)
        tree = resolver.tree(mapping.body, local)
        if resolver.functions:
            inner = next(iter(resolver.functions.values()))
            raise Fault(inner.at, f"{inner.tex} is itself an open function; write its body in its place")
        return resolver, argument, tree

    def printed(self, applied: Any) -> Symbol | None:
        """The symbol that the cell applies the function to, as printed; None for an expression."""
        name = getattr(applied, "name", None)
        if name is None:
            return None
        body = parse_body(self.cell.tex.get(name, name[:1])).body
        return body if isinstance(body, Symbol) else None

    def argument(self, symbol: Symbol) -> Quantity:
        key = symbols.identify(symbol, {self.cell.index})[0]
        name = f"{self.name}_{key.name}"
        while name in self.taken():
            name += "_"
        return Quantity(key, name, symbol.printed, symbol.at, VECTOR)

    def taken(self) -> dict[str, str]:
        """Names that mean something in the cell, and what; its parameters aside."""
        names = {equation.symbol.name: "defined by an equation" for equation in self.cell.equations}
        names.update({body.argument.name: "an argument" for body in self.cell.bodies})
        names.update({symbol.name: "the input" for symbol in self.cell.inputs})
        names.update({symbol.name: "a constant" for symbol in self.cell.constants})
        for state in self.cell.states:
            names[state.name] = "a state"
            if state.old is not None:
                names[state.old.name] = "a state"
        return names

    def loose_sizes(self, node: Any) -> dict[Any, Size]:
        """The sizes that only the function's openness may have left free: all but hidden and input."""
        shapes = (*node.shape, *expressions.shape_of(node.argument))
        sizes = dict.fromkeys((*self.cell.sizes, *sorted(set().union(*(s.free_symbols for s in shapes)), key=str)))
        return {symbol: Size(str(symbol)) for symbol in sizes if symbol.name not in ("hidden", "input")}

    def share(self, resolver: Resolver, loose: dict[Any, Size]) -> None:
        """Parameters that the cell has already are the same parameters. Raises Fault for the cell's other names."""
        known = {parameter.name: parameter for parameter in self.cell.parameters}
        taken = self.taken()
        for quantity in resolver.quantities.values():
            if quantity.name in taken:
                message = (
                    f"{quantity.tex} is {taken[quantity.name]} of cell {self.cell.name}; a body speaks of its argument only"
                )
                raise Fault(quantity.at, message)
            if any(quantity.shifts.keys() - {0}):
                raise Fault(quantity.at, f"{quantity.tex} is shifted; a body's parameters carry the plain index")
            parameter = known.get(quantity.name)
            if parameter is None:
                continue
            if parameter.per_step != quantity.carries_index:
                raise Fault(quantity.at, f"{quantity.tex} is a parameter of the cell already, with another index; rename it")
            rows, columns = expressions.shape_of(parameter.symbol)
            quantity.size = (from_sympy(rows, loose), from_sympy(columns, loose))
            matrix = getattr(parameter.symbol, "is_Matrix", False)
            quantity.kind = SCALAR if not matrix else VECTOR if columns == 1 else MATRIX


def resized(cell: Cell, sizes: dict[Any, Any]) -> Cell:
    """The cell with size symbols replaced."""
    sizes = {old: new for old, new in sizes.items() if old != new}
    if not sizes:
        return cell

    def change(node: Any) -> Any:
        if isinstance(node, sp.MatrixSymbol):
            return sp.MatrixSymbol(node.name, *(size.xreplace(sizes) for size in node.shape))
        if isinstance(node, sp.Identity):
            return sp.Identity(node.shape[0].xreplace(sizes))
        if isinstance(node, sp.OneMatrix | sp.ZeroMatrix):
            return type(node)(*(size.xreplace(sizes) for size in node.shape))
        if isinstance(node, expressions.OpenFunction):
            return expressions.OpenFunction(node.name, node.argument, node.shape[0].xreplace(sizes))
        return None

    def new(node: Any) -> Any:
        return None if node is None else expressions.rewrite(node, change)

    return replace(
        cell,
        equations=tuple(replace(e, symbol=new(e.symbol), expression=new(e.expression)) for e in cell.equations),
        states=tuple(replace(s, new=new(s.new), old=new(s.old)) for s in cell.states),
        parameters=tuple(replace(p, symbol=new(p.symbol)) for p in cell.parameters),
        inputs=tuple(new(symbol) for symbol in cell.inputs),
        constants=tuple(new(symbol) for symbol in cell.constants),
        bodies=tuple(replace(b, argument=new(b.argument), expression=new(b.expression)) for b in cell.bodies),
    )
