"""Print trees as LaTeX, in the notations of reports/notation.md; how tightly each kind binds decides where brackets stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from tests.random_cells import random_tree as rt
from tests.random_cells.random_tree import Node, Read, Stack, Symbol
from tests.random_cells.tex_symbols import STACKS, SymbolPrinter
from tests.random_cells.torch_functions import FUNCTIONS

# side by side binds tighter than a dot, a dot tighter than a circle, and that tighter than a sum
SUM, CIRCLE, DOT, RUN, ATOM = range(5)
_WORDS = ("operatorname", "operatorname*", "mathrm", "mathsf", "text", "mbox")
_BRACKETS = (("(", ")"),) * 5 + (
    *((r"\left( ", r" \right)"), (r"\bigl( ", r" \bigr)"), ("[", "]"), (r"\{", r"\}"), (r"\left[ ", r" \right]")),
    *((r"\lbrack ", r" \rbrack"), (r"\Big( ", r"\Big)")),
)


class ExpressionPrinter:
    """LaTeX of trees; `needs` collects the parameters whose kind must be declared because their use does not tell it."""

    def __init__(self, symbols: SymbolPrinter, functions: dict[int, str]) -> None:
        self.symbols, self.rng, self.used = symbols, symbols.rng, symbols.used
        self.signs, self.functions = symbols.signs, functions
        self.needs: set[Symbol] = set()

    def tex(self, node: Node, level: int = SUM) -> str:
        """The tree, in brackets where it binds less tightly than `level`."""
        text, binds = _PRINTS[type(node)](self, node)
        loose = binds < ATOM and self.rng.random() < self.signs.loose and not isinstance(node, Read | rt.Number)
        if binds >= level and not loose:
            return text
        if isinstance(node, Read) or re.fullmatch(r"[\d.]+", text):
            return text
        before, after = self.rng.choice(_BRACKETS)
        self.used[f"group {before.strip()}"] += 1
        return f"{before}{text}{after}"

    def read(self, node: rt.Read) -> tuple[str, int]:
        return self.symbols.symbol(node.symbol, node.old), ATOM

    def number(self, node: rt.Number) -> tuple[str, int]:
        return self.fraction(node.value), ATOM

    def fraction(self, value: Fraction) -> str:
        """An exact number, as a decimal or a fraction."""
        if value == 1:
            return "1"
        if value.denominator == 1 and self.rng.random() < 0.7:
            return str(value.numerator)
        decimal = value.denominator in (1, 2, 4, 5, 10)
        if decimal and self.rng.random() < 0.5:
            self.used["decimal"] += 1
            text = f"{float(value):g}"
            return self.rng.choice((text, text + ("0" if "." in text else ".0"), text.lstrip("0")))
        times = self.rng.choice((1, 1, 2))
        macro = self.rng.choice(("frac", "tfrac", "dfrac"))
        self.used[f"number {macro}"] += 1
        return rf"\{macro}{{{value.numerator * times}}}{{{value.denominator * times}}}"

    def eye(self, node: rt.Eye) -> tuple[str, int]:
        return "I", ATOM

    def sum(self, node: rt.Sum) -> tuple[str, int]:
        text = ""
        for place, (sign, term) in enumerate(zip(node.signs, node.terms, strict=True)):
            self.declare_in_sum(node, term)
            shown = self.tex(term, CIRCLE)
            if shown == "1" and len(node.dims) == 1 and self.rng.random() < 0.3:
                self.used["bold one"] += 1
                shown = r"\mathbf{1}"
            minus = "−" if self.signs.unicode else "-"
            if place:
                text += f" + {shown}" if sign > 0 else f" {minus} {shown}"
            else:
                text += shown if sign > 0 else f"{minus}{shown}"
        return text, SUM

    def declare_in_sum(self, node: rt.Sum, term: Node) -> None:
        """What a sum does not tell of its terms: that one is a scalar, or that a product of matrices is a matrix."""
        for inner in rt.walk(term):
            if isinstance(inner, Read) and inner.symbol.role == "parameter" and len(inner.dims) != 1:
                if (len(node.dims) == 1 and inner is term and not inner.dims) or len(node.dims) == 2:
                    self.needs.add(inner.symbol)
        spread = len(node.dims) == 1 and any(not other.dims and isinstance(other, Read) for other in node.terms)
        if spread and isinstance(term, Read) and term.symbol.role == "parameter":
            self.needs.add(term.symbol)
        if not node.dims and isinstance(term, Read) and term.symbol.role == "parameter":
            if not any(isinstance(other, rt.Dot) for other in node.terms):
                self.needs.add(term.symbol)

    def product(self, node: rt.Product) -> tuple[str, int]:
        left, right = node.left, node.right
        if self.signs.rows and isinstance(left, rt.Transpose) and len(right.dims) == 1 and self.plain_matrix(left.inner):
            self.used["matrix behind a vector"] += 1
            return f"{self.tex(right, ATOM)} {self.tex(left.inner, ATOM)}", DOT
        sign = self.signs.product if self.rng.random() < 0.8 else ""
        if sign.strip(" ;,\\") == "":
            text, binds = f"{self.tex(left, RUN)}{sign or ' '}{self.tex(right, RUN)}", RUN
        else:
            self.used[f"product{sign.rstrip()}"] += 1
            if isinstance(left, Read) and not left.dims:
                self.needs.add(left.symbol)
            text, binds = f"{self.tex(left, RUN)}{sign}{self.tex(right, RUN)}", DOT
        self.declare_in_product(node)
        return text, binds

    def declare_in_product(self, node: rt.Product) -> None:
        """What a product does not tell of its factors."""
        left, right = node.left, node.right
        ends = [_symbol(child) for child in (left, right)]
        parameters = {symbol for symbol in ends if symbol and symbol.role == "parameter"}
        if not node.dims or (len(node.dims) == 2 and len(left.dims) == 2):
            self.needs |= parameters
        elif isinstance(left, Read) and not left.dims and self.symbols.namer.names[left.symbol].accent:
            self.needs.add(left.symbol)
        elif len(left.dims) == 2 and not (isinstance(right, Read) and right.symbol.role in ("state", "input")):
            self.needs |= parameters if parameters & self.symbols.namer.recipe.per_step else set()

    def plain_matrix(self, node: Node) -> bool:
        return isinstance(node, Read) and node.symbol.role == "parameter" and not self.symbols.carries(node.symbol)

    def hadamard(self, node: rt.Hadamard) -> tuple[str, int]:
        sign = self.signs.hadamard if self.rng.random() < 0.9 else r" \odot "
        known = all(self.surely_vector(factor) for factor in node.factors)
        if sign.strip() in (r"\cdot", "*", r"\times") and not known:
            sign = r" \odot "
        self.used[f"hadamard{sign.rstrip()}"] += 1
        if sign.strip() in (r"\cdot", "*", r"\times"):
            return sign.join(self.tex(factor, ATOM) for factor in node.factors), DOT
        first, *rest = node.factors
        return sign.join((self.tex(first, CIRCLE), *(self.tex(factor, DOT) for factor in rest))), CIRCLE

    def surely_vector(self, node: Node) -> bool:
        """Whether the reader knows a vector without looking at its letter."""
        return isinstance(node, Read) and node.symbol.role == "state"

    def quotient(self, node: rt.Quotient) -> tuple[str, int]:
        if node.under.dims and self.rng.random() < 0.7:
            sign = self.rng.choice((r" \oslash ", " ⊘ "))
            self.used[f"quotient{sign.rstrip()}"] += 1
            return f"{self.tex(node.over, DOT)}{sign}{self.tex(node.under, DOT)}", CIRCLE
        if node.under.dims:  # a fraction does not say that its denominator is an array
            self.needs |= {inner.symbol for inner in rt.walk(node.under) if isinstance(inner, Read)}
        if self.rng.random() < 0.3 and node.over.dims:
            self.used["slash"] += 1
            return f"{self.tex(node.over, RUN)} / {self.tex(node.under, ATOM)}", DOT
        macro = self.rng.choice(("frac", "tfrac", "dfrac"))
        self.used[f"quotient {macro}"] += 1
        return rf"\{macro}{{{self.tex(node.over)}}}{{{self.tex(node.under)}}}", ATOM

    def transpose(self, node: rt.Transpose) -> tuple[str, int]:
        assert isinstance(node.inner, Read)
        return self.symbols.symbol(node.inner.symbol, node.inner.old, transposed=True), ATOM

    def dot(self, node: rt.Dot) -> tuple[str, int]:
        assert isinstance(node.left, Read)
        if isinstance(node.right, Read) and node.right.symbol.role == "parameter":
            self.needs.add(node.right.symbol)
        for inner in rt.walk(node.right):
            if isinstance(inner, Read) and (inner.symbol.role == "input" or len(inner.dims) == 2):
                self.needs |= {inner.symbol, node.left.symbol} if inner.symbol.role != "value" else set()
        left = self.symbols.symbol(node.left.symbol, node.left.old, transposed=True)
        return f"{left} {self.tex(node.right, RUN)}", DOT

    def apply(self, node: rt.Apply) -> tuple[str, int]:
        function = FUNCTIONS[node.function]
        if function.macros and self.rng.random() < 0.7:
            name = "σ" if function.macros[0] == r"\sigma" and self.signs.unicode else function.macros[0]
        else:
            word = self.rng.choice(function.printed)
            if "_" in word:
                word = word.replace("_", self.rng.choice((r"\_", "_", " ", "-")))
            around = self.rng.choice(_WORDS if not re.search(r"[\\ _-]", word) else ("text", "operatorname", "mbox"))
            self.used[f"function in {around}"] += 1
            name = rf"\{around}{{{word}}}"
        return self.applied(name, node.inner)

    def applied(self, name: str, inner: Node) -> tuple[str, int]:
        """A function with its argument: one symbol needs no brackets, and any kind will do."""
        sigma = name in (r"\sigma", "σ") or "{sigma}" in name  # a parameter too, unless parentheses follow it
        if isinstance(inner, Read) and not sigma and self.rng.random() < 0.2:
            self.used["argument without brackets"] += 1
            return (f"{name} {{{self.tex(inner)}}}", ATOM) if self.rng.random() < 0.5 else (f"{name} {self.tex(inner)}", DOT)
        before, after = self.rng.choice([pair for pair in _BRACKETS if "(" in pair[0]] if sigma else _BRACKETS)
        if isinstance(inner, rt.Number | Stack):
            before, after = "(", ")"
        self.used[f"argument in {before.strip()}"] += 1
        return f"{name}{before}{self.tex(inner)}{after}", ATOM

    def call(self, node: rt.Call) -> tuple[str, int]:
        self.used["open function"] += 1
        return f"{self.functions[node.number]}({self.tex(node.inner)})", ATOM

    def stack(self, node: rt.Stack) -> tuple[str, int]:
        style = self.signs.stack if self.rng.random() < 0.8 else "[;]"
        items = [self.tex(item) for item in node.items]
        if style == "transposed":
            if not all(isinstance(item, Read) for item in node.items):
                style = "[,]"
            else:
                items = [self.symbols.symbol(i.symbol, i.old, transposed=True) for i in node.items if isinstance(i, Read)]
        self.used[f"stack {style}"] += 1
        if style == "transposed":
            return f"[{', '.join(items)}]{self.signs.transpose}", ATOM
        if style.endswith("matrix"):
            return rf"\begin{{{style}}} " + r" \\ ".join(items) + rf" \end{{{style}}}", ATOM
        before, mark, after = STACKS[style]
        return before + f"{mark} ".join(items) + after, ATOM


def _symbol(node: Node) -> Symbol | None:
    inner = node.inner if isinstance(node, rt.Transpose) else node
    return inner.symbol if isinstance(inner, Read) else None


_PRINTS: dict[type, Callable[[ExpressionPrinter, Node], tuple[str, int]]] = {
    getattr(rt, name.capitalize()): getattr(ExpressionPrinter, name)
    for name in "read number eye sum product hadamard quotient transpose dot apply call stack".split()
}
