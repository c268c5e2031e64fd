"""What each symbol and each call of a system refers to: quantities, activations, functions left open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rnnproof.equations import activations, reading, symbols
from rnnproof.equations.reading import Assumption
from rnnproof.equations.symbols import Key
from rnnproof.equations.syntax_tree import (
    Column,
    Fault,
    Group,
    IndexSum,
    Number,
    Product,
    Scripted,
    Sum,
    Symbol,
    Transposed,
)
from rnnproof.equations.system import OPEN_NAMES, Call, Definition, Eye, Quantity, Ref

_SCALARS = ("alpha", "beta", "gamma", "epsilon", "varepsilon", "eta", "lambda", "mu", "kappa", "tau", "zeta", "nu", "theta")
_NO_OPERATIONS = (
    "log",
    "ln",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "min",
    "sign",
    "sgn",
    "argmax",
    "argmin",
    "det",
    "tr",
    "norm",
    "mean",
    "var",
)
_NO_IDENTITY = {"scalar", "vector", "input", "parameter", "function", "activation"}  # said of I: it is no identity matrix
_WEIGHTS = ("W", "w", "U", "V", "R", "b", "theta", "Theta", "omega", "Omega", "phi", "psi", "lambda")


@dataclass
class Use:
    """How a symbol stands before brackets in a system: alone somewhere, what the brackets hold, and in a sum with others."""

    plain: bool = False
    several: bool = False
    single: bool = True
    affine: bool = False
    activated: bool = True
    term: bool = False
    count: int = 0


class Resolver:
    """Replaces the symbols of a system's trees by references to quantities, and finds the function calls.

    `said` holds what the text says about a symbol: "function", "scalar", "sigmoid".
    """

    def __init__(
        self,
        definitions: Sequence[Definition],
        letters: set[str],
        known: dict[Key, Quantity] | None = None,
        said: Mapping[Key, set[str]] | None = None,
    ) -> None:
        self.letters = letters
        self.said = said or {}
        self.source: Definition | None = None
        self.quantities: dict[Key, Quantity] = dict(known or {})
        self.functions: dict[Key, Quantity] = {}
        self.arguments: dict[Key, Quantity] = {}
        self.assumed: list[Assumption] = []
        self._defined = {symbols.identify(d.target, letters)[0] for d in definitions if d.argument is None}
        self._bodies = {symbols.identify(d.target, letters)[0] for d in definitions if d.argument is not None}
        self._uses: dict[Key, Use] = {}
        self._bare_sigma = True
        for definition in definitions:
            self._survey(definition.right)

    def _survey(self, node: Any, nested: bool = False) -> None:
        """Note for every symbol whether it stands by itself, and what the brackets behind it hold."""
        factors = node.factors if isinstance(node, Product) and node.sign == "" else ()
        skip = set()
        for left, right in zip(factors, factors[1:], strict=False):
            if isinstance(left, Symbol) and isinstance(right, Group | Column):
                self._bare_sigma &= not symbols.is_named_function(left)
            if isinstance(left, Symbol) and _parenthesised(right):
                use = self._uses.setdefault(symbols.identify(left, self.letters)[0], Use())
                use.several |= isinstance(right, Column)
                use.single &= isinstance(right, Group) and isinstance(right.inner, Symbol)
                use.activated &= isinstance(right, Group) and _holds_activation(right.inner)
                use.affine |= isinstance(right, Group) and _is_affine(right.inner)
                use.count += 1
                use.term |= nested
                skip.add(id(left))
        if isinstance(node, Symbol):
            self._uses.setdefault(symbols.identify(node, self.letters)[0], Use()).plain = True
        for term in [term for _, term in node.terms] if isinstance(node, Sum) else ():
            first = term.factors[0] if isinstance(term, Product) and term.sign == "" else None
            if isinstance(first, Symbol):
                self._uses.setdefault(symbols.identify(first, self.letters)[0], Use()).term = True
        arguments = [right for left, right in zip(factors, factors[1:], strict=False) if isinstance(left, Symbol)]
        for child in symbols.children(node):
            if id(child) not in skip:
                self._survey(child, nested or (_parenthesised(child) and any(child is right for right in arguments)))

    def is_function(self, symbol: Symbol) -> bool:
        """Whether an unknown symbol before a bracket is a function. Raises Fault where nobody can tell."""
        key = symbols.identify(symbol, self.letters)[0]
        use, said = self._uses.get(key, Use()), self.said.get(key, ())
        if key in self._bodies:
            return True
        if key in self._defined or key in self.quantities:
            return False
        a_letter = not symbol.word and "mathcal" not in symbol.tex and not {"function", "activation"} & set(said)
        if a_letter and {"scalar", "vector", "matrix", "parameter"} & set(said):
            return False
        if use.several and not symbol.word and "mathcal" not in symbol.tex and symbol.base[0].isupper():
            if symbol.base in _WEIGHTS:
                return False  # a matrix before vectors that stand one below the other
            if symbol.base not in OPEN_NAMES and not said:
                raise Fault(
                    symbol.at, f"{symbol.printed} may be a function or a matrix before stacked vectors; write [a; b] for these"
                )
        if use.several or symbol.word or "mathcal" in symbol.tex or {"function", "activation"} & set(said):
            if use.plain:
                raise Fault(
                    symbol.at, f"{symbol.printed} is applied like a function here and stands alone elsewhere; rename one"
                )
            return True
        if use.plain or {"scalar", "rate", "range"} & set(said) or not use.count:
            return False
        if symbol.base in OPEN_NAMES or (symbol.base.startswith(("sigma", "tanh")) and not symbols.is_named_function(symbol)):
            return True
        greek = not re.fullmatch(r"[A-Za-z]", symbol.base) and symbol.base.islower() and symbol.base not in _SCALARS
        if greek and use.affine and not use.term and not key.index:
            return True
        if len(symbol.base) == 1 and symbol.base.islower() and not key.index and not use.term and (use.affine or use.single):
            return True
        if key.index or (len(symbol.base) == 1 and symbol.base.isupper() and not use.single) or "Delta" in symbol.base:
            return False
        if use.activated:
            return False  # nobody applies a function to a sum with tanh(...) in it, many multiply it by a scalar
        tex = symbol.printed
        raise Fault(
            symbol.at,
            f"{tex}(...) may be a function applied to the bracket or a factor that multiplies it; "
            f"write {tex} \\cdot (...) for the product, or say in the text that ${tex}$ is a function",
        )

    def is_activation(self, symbol: Symbol) -> bool:
        """Whether an open function is used as an activation, of a sum of matrix products, and so works entry by entry."""
        return self._uses.get(symbols.identify(symbol, self.letters)[0], Use()).affine

    def quantity(self, symbol: Symbol, table: dict[Key, Quantity] | None = None) -> Quantity:
        """The quantity of a symbol, made on first sight. Raises Fault where another symbol has its name already."""
        key, _ = symbols.identify(symbol, self.letters)
        table = self.quantities if table is None else table
        if key not in table:
            name = key.name
            for other in (*self.quantities.values(), *self.functions.values()):
                if other.name == name:
                    if other.key.index != key.index:
                        message = (
                            f"{symbol.printed} and {other.tex} differ in the index only; print it everywhere or rename one"
                        )
                    else:
                        message = f"{symbol.printed} and {other.tex} both have the name {name}; rename one of them"
                    raise Fault(symbol.at, message)
            table[key] = Quantity(key, name, symbol.printed, symbol.at, source=self.source)
        if symbol.matrix:
            table[key].kind = "matrix"
        return table[key]

    def reference(self, symbol: Symbol, local: dict[Any, Quantity]) -> Ref:
        key, shift = symbols.identify(symbol, self.letters)
        if (key, shift) in local:
            return Ref(symbol.at, local[key, shift], shift)
        quantity = self.quantity(symbol)
        if shift is not None:
            quantity.shifts.setdefault(shift, (symbol.at, symbol.printed, self.source))
        return Ref(symbol.at, quantity, shift)

    def tree(self, node: Any, local: dict[Any, Quantity] | None = None) -> Any:
        """The resolved tree: references, identities and calls instead of symbols, groups dissolved."""
        local = local or {}
        if isinstance(node, Symbol):
            scalar = "scalar" in self.said.get(symbols.identify(node, self.letters)[0], ()) and node.base == "sigma"
            if symbols.is_named_function(node) and not (node.base == "sigma" and (self._bare_sigma or scalar)):
                raise Fault(node.at, f"{node.printed} needs its argument; write {node.printed}(...)")
            if node.word and node.base in _NO_OPERATIONS:
                raise Fault(node.at, f"{node.printed} is not among the operations; leave it open as a function named f")
            key = symbols.identify(node, self.letters)[0]
            if (
                node.base == "I"
                and not node.scripts
                and key not in self._defined
                and not self.said.get(key, set()) & _NO_IDENTITY
            ):
                return Eye(node.at)
            return self.reference(node, local)
        if isinstance(node, Number):
            return node
        if isinstance(node, Group):
            return self.tree(node.inner, local)
        if isinstance(node, Product):
            return self._product(node, local)
        if isinstance(node, Sum):
            return replace(node, terms=tuple((sign, self.tree(term, local)) for sign, term in node.terms))
        if isinstance(node, Column):
            return replace(node, items=tuple(self.tree(item, local) for item in node.items))
        if isinstance(node, Transposed):
            if isinstance(node.inner, Number):
                raise Fault(node.at, "a transposed vector of ones sums entries, which is not among the operations")
            return replace(node, inner=self.tree(node.inner, local))
        if isinstance(node, Scripted):
            raise Fault(node.at, r"only a symbol carries scripts; write powers as products, and \odot between vectors")
        if isinstance(node, IndexSum):
            raise Fault(node.at, "a sum is understood as a product of a matrix and a vector only, as \\sum_j W_{ij} x_j")
        return replace(node, over=self.tree(node.over, local), under=self.tree(node.under, local))

    def _product(self, node: Product, local: dict[Any, Quantity]) -> Any:
        if node.sign:
            if all(map(self._is_function_name, node.factors)):
                raise Fault(node.at, "functions alone in a product may be a composition; write f(g(...))")
            return replace(node, factors=tuple(self.tree(factor, local) for factor in node.factors))
        factors: list[Any] = []
        waiting: list[Any] = list(node.factors)
        while waiting:
            factor = waiting.pop(0)
            self._no_letters_of_a_name(factor, waiting)
            if isinstance(factor, Symbol) and factor.word and factor.base.lower() == "diag" and waiting:
                factors.append(self._diagonal(factor, waiting, local))
                break
            function = self._function(factor, waiting)
            if function is None:
                factors.append(self.tree(factor, local))
                continue
            argument = waiting.pop(0)
            if function == "max":
                factors.append(self._max(factor, argument, local))
                continue
            if isinstance(argument, Column) and argument.bracket == "(" and isinstance(function, Quantity):
                argument = self._arguments(argument)
            elif isinstance(argument, Column) and argument.bracket == "(":
                raise Fault(argument.at, f"{factor.printed} takes one argument; stack several as {factor.printed}([a, b])")
            if not isinstance(argument, Group | Column) and waiting:
                raise Fault(factor.at, f"where does the argument of {factor.printed} end? write parentheses around it")
            factors.append(Call(factor.at, function, self.tree(argument, local)))
        return replace(node, factors=tuple(factors)) if len(factors) > 1 else factors[0]

    def _no_letters_of_a_name(self, factor: Any, following: Sequence[Any]) -> None:
        """Raise Fault for BN(...) in italics: capitals side by side before a bracket are rather a name than a product."""
        if len(following) < 2 or not isinstance(following[1], Group | Column) or following[1].bracket != "(":
            return
        pair = [node for node in (factor, following[0]) if isinstance(node, Symbol) and re.fullmatch("[A-Z]", node.tex)]
        if len(pair) == 2 and not any(node.scripts for node in pair) and following[1].at == pair[1].at + 1 == pair[0].at + 2:
            name = f"{factor.base}{following[0].base}"
            raise Fault(
                factor.at, f"{name}(...) may be a function or a product; write \\mathrm{{{name}}}(...), or spaces between"
            )

    def _is_function_name(self, node: Any) -> bool:
        if not isinstance(node, Symbol) or symbols.identify(node, self.letters)[0] in self._defined:
            return False
        return symbols.is_named_function(node) or (node.base in OPEN_NAMES and not node.scripts)

    def _diagonal(self, name: Symbol, following: list[Any], local: dict[Any, Quantity]) -> Any:
        """diag(a) times what follows, which is a times that, entry by entry."""
        argument, *rest = following
        if not rest or not isinstance(argument, Group):
            raise Fault(name.at, r"a diagonal matrix is understood before a vector only, as \mathrm{diag}(a) h")
        last = rest[-1]
        if isinstance(last, Symbol) and last.base[0].isupper() and symbols.identify(last, self.letters)[1] is None:
            raise Fault(name.at, r"a diagonal matrix is understood before a vector only, as \mathrm{diag}(a) h")
        behind = rest[0] if len(rest) == 1 else Product(rest[0].at, "", tuple(rest))
        return Product(name.at, "hadamard", (self.tree(argument, local), self.tree(behind, local)))

    def _max(self, name: Any, argument: Any, local: dict[Any, Quantity]) -> Any:
        """max(0, x), which is relu(x)."""
        while isinstance(argument, Group) and argument.bracket == "{":
            argument = argument.inner
        items = argument.items if isinstance(argument, Column) else ()
        rest = [item for item in items if not (isinstance(item, Number) and float(item.text) == 0)]
        if len(items) != 2 or len(rest) != 1:
            raise Fault(name.at, r"\max is understood as \max(0, x), the relu, only; cells have no larger of two vectors")
        return Call(name.at, activations.find("relu"), self.tree(rest[0], local))

    def _arguments(self, column: Column) -> Any:
        """The arguments of an open function, stacked; weights belong to the function."""
        items = [item for item in column.items if not self._is_weight(item)]
        if len(items) < len(column.items) and column.items:
            dropped = ", ".join(item.printed for item in column.items if isinstance(item, Symbol) and item not in items)
            self.assumed += [Assumption(dropped, reading.OF_FUNCTION)] if dropped else []
        if not items:
            raise Fault(column.at, "a function of parameters alone; name one argument that is a vector")
        return replace(column, items=tuple(items)) if len(items) > 1 else Group(column.at, "(", items[0])

    def _is_weight(self, item: Any) -> bool:
        if isinstance(item, Number) or (isinstance(item, Sum) and all(isinstance(term, Number) for _, term in item.terms)):
            return True
        if not isinstance(item, Symbol) or symbols.identify(item, self.letters)[0] in self._defined:
            return False
        return item.base in _WEIGHTS

    def _function(self, factor: Any, following: list[Any]) -> Any:
        """The function that `factor` names ("max" for that one), or None where it is an ordinary factor."""
        if not isinstance(factor, Symbol) or not following:
            return None
        if factor.base in ("tanh", "sigma", "exp") and any(s.place == "^" and s.tex.isdigit() for s in factor.scripts):
            raise Fault(factor.at, f"{factor.printed} is a power of a function; name its value and multiply with \\odot")
        if factor.word and factor.base in _NO_OPERATIONS:
            raise Fault(factor.at, f"{factor.printed} is not among the operations; leave it open as a function named f")
        if factor.base == "max" and factor.word:
            return "max"
        if symbols.is_named_function(factor):
            return self._named(factor)
        if (printed := self._printed_as(factor)) is not None and _parenthesised(following[0]):
            return printed
        if not _parenthesised(following[0]):
            return None
        if self.is_function(factor):
            function = self.quantity(factor, self.functions)
            if "activation" in self.said.get(function.key, ()):
                function.elementwise = True
            elif self.is_activation(factor) and not function.elementwise:
                function.elementwise = True
                self.assumed.append(Assumption(factor.printed, reading.SAME_SIZE))
            return function
        return None

    def _printed_as(self, factor: Symbol) -> Any:
        """The one activation that the document says or prints a symbol to be, or None. Raises Fault for one it cannot read."""
        key = symbols.identify(factor, self.letters)[0]
        said = self.said.get(key, set())
        if symbols.is_named_function(factor) and factor.base != "sigma":
            said = said & {"printed otherwise"}  # the text may compare tanh with others; only another body counts
            if said:
                said = {"is another function"}
        known = [activations.find(name) for name in ("sigmoid", "tanh", "relu") if f"is {name}" in said]
        if len(known) == 1 and "is another function" not in said and "is softmax" not in said:
            return known[0]
        if symbols.is_named_function(factor) and ("is another function" in said or len(known) > 1):
            message = f"{factor.printed} is said to be another function than usual; give it another name, and its body"
            raise Fault(factor.at, message)
        return None

    def _named(self, factor: Symbol) -> Any:
        """The activation of a known name; the text may say that sigma is another one than the sigmoid, or a scalar."""
        if (printed := self._printed_as(factor)) is not None:
            return printed
        if factor.base != "sigma":
            return activations.find(factor.base)
        key = symbols.identify(factor, self.letters)[0]
        said = self.said.get(key, ())
        if "scalar" in said and self._uses.get(key, Use()).term:
            return None
        if self._bare_sigma:
            if "scalar" in said or key in self._defined or key in self.quantities:
                return None
            message = r"\sigma may be the sigmoid or a factor; write \sigma(...), or say in the text that $\sigma$ is a scalar"
            raise Fault(factor.at, message)
        if {"function", "activation", "is softmax"} & set(said):
            function = self.quantity(factor, self.functions)
            function.elementwise = True
            return function
        return activations.find("sigmoid")


def _is_affine(node: Any) -> bool:
    """Whether a tree looks like what an activation is applied to: a sum with a product in it, or a product of two symbols."""
    if isinstance(node, Sum):
        return any(_is_affine(term) or isinstance(term, Product) for _, term in node.terms)
    return (
        isinstance(node, Product)
        and node.sign in ("", "dot")
        and isinstance(node.factors[0], Symbol)
        and (node.factors[0].base[0].isupper())
    )


def _holds_activation(node: Any) -> bool:
    """Whether a sum has a known function's value as a term."""
    terms = [term for _, term in node.terms] if isinstance(node, Sum) else []
    heads = [term.factors[0] for term in terms if isinstance(term, Product) and term.sign == ""]
    return any(isinstance(head, Symbol) and symbols.is_named_function(head) for head in heads)


def _parenthesised(node: Any) -> bool:
    return isinstance(node, Group | Column) and node.bracket == "("
