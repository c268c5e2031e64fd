"""LaTeX of a printed gradient -> a syntax tree: the grammar of equations, and derivatives, powers and sums over steps."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import lark

from rnnproof.equations.subscripts import Script, transposition
from rnnproof.equations.syntax import Builder, grammar, is_step, parsed_by
from rnnproof.equations.syntax_tree import (
    Column,
    Fault,
    Node,
    Product,
    Quotient,
    Relation,
    Scripted,
    Symbol,
    Transposed,
)

_PARTIAL = "partial"
_INDEX = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
_QUANTITY = rf"(?:\\[A-Za-z]+\s*\{{[^{{}}]*\}}|\\[A-Za-z]+|[A-Za-z])(?:\s*[_^]\s*(?:{_INDEX}|\w))*"
_STEP = r"(?:\\langle|<|\()[^{}]*?(?:\\rangle|>|\))"
# Other ways to print what the grammar has one way for; each is tried once, in this order.
_REWRITTEN = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\A\s*\\(?:therefore|Rightarrow|implies|Longrightarrow)(?![A-Za-z])", ""),
        (r"\\mathrel\s*\{\s*\+\s*\}\s*=|\+=", "="),
        (rf"\\(?:nabla|partial)\s*_\s*({_INDEX}|[A-Za-z])\s*({_QUANTITY})", r"\\frac{\\partial \2}{\\partial \1}"),
        (r"\\diag(?![A-Za-z])", r"\\mathrm{diag}"),
        (r"\\(sech|sinh|cosh|sgn)(?![A-Za-z])", r"\\mathrm{\1}"),
        (
            r"\\math(?:bb|bf|rm)\s*\{?\s*[1I]\s*\}?\s*(?:_\s*)?(?:\\\{|[\[({])\s*([^<>]*?)\s*>\s*0\s*(?:\\\}|[\])}])",
            r"\\mathrm{step}(\1)",
        ),
        (rf"(?:\||\\[lr]?vert(?![A-Za-z]))\s*_\s*(?:{_INDEX}|\w)", ""),
        (rf"\^\s*\{{\s*({_STEP})\s*(?:\^\s*)?\{{?\s*(?:T|\\top|\\intercal)\s*\}}?\s*\}}", r"^{\1}^{\\top}"),
        (r"_\s*\{\s*(\w+)\s*\\geq?(?![A-Za-z])\s*(\w+)\s*>\s*(\w+)\s*\}", r"_{\2=\3+1}^{\1}"),
        (r"\(\s*[A-Za-z]\s*(?:>|=|\\[lg]eq?(?![A-Za-z]))[^()]*\)\s*\Z", ""),
    )
)


Limit = tuple[str | None, int] | None


@dataclass(frozen=True)
class Partial(Node):
    """The derivative of one quantity by another."""

    of: Node
    by: Node


@dataclass(frozen=True)
class ShortPartial(Partial):
    """The derivative of the loss in a short form, delta h_t or dh_t: by the quantity, or by what its function is applied to."""


@dataclass(frozen=True)
class OverSteps(Node):
    """A sum or product over steps; `first` and `last` are (letter or None, number), or None where they are left out."""

    letter: str
    first: Limit
    last: Limit
    body: Node


@dataclass(frozen=True)
class StepSum(OverSteps):
    """A sum over steps."""


@dataclass(frozen=True)
class StepProduct(OverSteps):
    """A product over steps, which begins with the first or with the last of them."""


@dataclass(frozen=True)
class Outer(Node):
    """Two factors joined by \\otimes: in gradients, a column times a row."""

    factors: tuple[Node, ...]


def parse_gradient(tex: str) -> Relation:
    """The tree of a relation between derivatives. Raises Fault."""
    for pattern, replacement in _REWRITTEN:
        tex = pattern.sub(replacement, tex)
    tree: Relation = parsed_by(_parser(), _GradientBuilder(), tex, "equation")
    return tree


@cache
def _parser() -> lark.Lark:
    more = resources.files(__package__).joinpath("gradients.lark").read_text(encoding="utf-8")
    return lark.Lark(
        f"{grammar()}\n{more}", parser="lalr", start=["equation"], propagate_positions=True, maybe_placeholders=False
    )


class _GradientBuilder(Builder):
    """The builder of equations, with derivatives made of fractions, and sums over steps."""

    def partial(self, parts: list[Any]) -> Symbol:
        return Symbol(parts[0].start_pos, _PARTIAL, r"\partial")

    def factor(self, parts: list[Any]) -> Node:
        nucleus, *scripts = parts
        if isinstance(nucleus, Column):  # [h, x]^T is a row here
            turned = any(transposition(script)[0] for script in scripts)
            return Transposed(nucleus.at, nucleus) if turned else super().factor(parts)
        return super().factor(parts)

    def run(self, parts: list[Any]) -> Any:
        """A product; the step of g(t)^2 belongs to g, and the square to its value."""
        joined: list[Any] = []
        for part in parts:
            before = joined[-1] if joined else None
            if isinstance(part, Scripted) and is_step(part.inner) and isinstance(before, Symbol) and not before.word:
                joined[-1] = replace(part, inner=Product(before.at, "", (before, part.inner)))
            else:
                joined.append(part)
        return super().run(joined)

    def fraction(self, parts: list[Any]) -> Node:
        sign, over, under = parts[0], _inside(parts[1]), _inside(parts[2])
        of, by = _differential(over), _differential(under)
        if of is not None and by is not None:
            return Partial(sign.start_pos, of, by)
        return Quotient(sign.start_pos, over, under)

    def dots(self, parts: list[Any]) -> Any:
        slash = next((n for n, part in enumerate(parts) if getattr(part, "type", "") == "SLASH"), None)
        if slash is not None and slash == 1:
            over, under = _factors(parts[0]), _factors(parts[2])
            start = max((n for n, factor in enumerate(over) if _is_d(factor)), default=None)
            if start is not None and under and _is_d(under[0]) and len(over) > start + 1:
                stop = 3 if len(under) > 2 and is_step(under[2]) else 2
                derivative = Partial(over[start].at, _product(over[start + 1 :]), _product(under[1:stop]))
                return super().dots([_product([*over[:start], derivative, *under[stop:]]), *parts[3:]])
        return super().dots(parts)

    def hadamard(self, parts: list[Any]) -> Any:
        for number, part in enumerate(parts[:-1:2]):  # a sum goes on to the end of its product
            *before, last = _factors(part)
            if isinstance(last, StepSum):
                whole = replace(last, body=self.hadamard([last.body, *parts[2 * number + 1 :]]))
                return self.hadamard([*parts[: 2 * number], _product([*before, whole])])
        if {getattr(sign, "type", "") for sign in parts[1::2]} == {"OTIMES"}:
            return Outer(parts[0].at, tuple(parts[::2]))
        return super().hadamard(parts)

    def index_sum(self, parts: list[Any]) -> Node:
        sign, *scripts, body = parts
        return StepSum(sign.start_pos, *_limits(sign, scripts), body)

    def step_product(self, parts: list[Any]) -> Node:
        sign, *rest = parts
        scripts = [part for part in rest if isinstance(part, Script)]
        body = _product([part for part in rest if not isinstance(part, Script)])
        return StepProduct(sign.start_pos, *_limits(sign, scripts), body)


_WRONG_LIMITS = "a sum or product in a gradient runs over steps, as \\sum_{t=1}^T"


def _limits(sign: Any, scripts: list[Script]) -> tuple[str, Limit, Limit]:
    """The letter of a sum or product, its first step and its last one."""
    below = [part for script in scripts if script.place == "_" for part in script.parts]
    above = [part for script in scripts if script.place == "^" for part in script.parts]
    if len(below) != 1 or len(above) > 1 or not re.fullmatch("[A-Za-z]", below[0][0]):
        raise Fault(sign.start_pos, _WRONG_LIMITS)
    letter, *equal = below[0]
    if equal and equal[0] != "=":
        raise Fault(sign.start_pos, _WRONG_LIMITS)
    first = _bound(sign, tuple(equal[1:])) if equal else None
    return letter, first, _bound(sign, above[0]) if above else None


def _bound(sign: Any, atoms: tuple[str, ...]) -> tuple[str | None, int]:
    """A limit of a sum: a letter, a number, or a letter plus or minus a number."""
    match = re.fullmatch(r"([A-Za-z]+)?(?:([+-]?)(\d+))?", "".join(atoms))
    if match is None or not match[0]:
        raise Fault(sign.start_pos, "the limits of this sum are not understood")
    return match[1], int((match[2] or "") + match[3]) if match[3] else 0


def _inside(node: Any) -> Any:
    return node.inner


def _factors(node: Any) -> list[Any]:
    return list(node.factors) if isinstance(node, Product) and node.sign == "" else [node]


def _is_d(node: Any) -> bool:
    """Whether a node is the d of a derivative, or that of an immediate one, which has a plus."""
    return isinstance(node, Symbol) and node.base in (_PARTIAL, "d") and all(script.tex == "+" for script in node.scripts)


def _differential(node: Any) -> Any:
    """What stands behind the d or \\partial that a node begins with, or None."""
    factors = _factors(node)
    return _product(factors[1:]) if len(factors) > 1 and _is_d(factors[0]) else None


def _product(factors: list[Any]) -> Any:
    return Product(factors[0].at, "", tuple(factors)) if len(factors) > 1 else factors[0]


def power_of(script: Script) -> int | None:
    """The exponent that a superscript is where it is a small whole number."""
    if script.place == "^" and len(script.parts) == 1 and len(script.parts[0]) == 1 and script.parts[0][0] in ("2", "3"):
        return int(script.parts[0][0])
    return None


def without_power(symbol: Symbol) -> tuple[Symbol, int] | None:
    """A symbol whose last superscript may be a power, without it; h^{(t)2} and h_t^2 alike."""
    for number, script in enumerate(symbol.scripts):
        exponent = power_of(script)
        if exponent is not None:
            return replace(symbol, scripts=symbol.scripts[:number] + symbol.scripts[number + 1 :]), exponent
    return None
