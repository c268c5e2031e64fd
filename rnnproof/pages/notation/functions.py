"""Functions: the elementwise ones by name, those that the equations leave open, and bodies for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from rnnproof.calculus.formula_tex import Printer, scalar_tex
from rnnproof.equations import activations
from rnnproof.equations.activations import Activation, X, Y
from rnnproof.equations.system import OPEN_NAMES
from rnnproof.pages.blocks import Block, Code, Paragraph, Table
from rnnproof.pages.message import SEMICOLON, Text, listed, say
from rnnproof.pages.notation.model import Example, Section, Spelling, in_place, reading, refused
from rnnproof.pages.notation.places import RNN

_RELU = r"h_t = \operatorname{relu}(W x_t + R h_{t-1})"
_HARD = r"h_t = \text{hard\_sigmoid}(W x_t + R h_{t-1})"
_SHORTCUT = r"o^{(l)} = f^{(l)}(o^{(l-1)}) + o^{(l-1)}"
_BODY = r"""$$ o^{(l)} = f^{(l)}(o^{(l-1)}) + o^{(l-1)} $$

with

$$ f^{(l)}(o) = \tanh(W^{(l)} o + b^{(l)}) $$
"""
_OPEN = ", ".join(f"${name if len(name) == 1 else chr(92) + name}$" for name in OPEN_NAMES)

OWN = r"""import sympy as sp
import rnnproof as rp

x = sp.Symbol("x", real=True)
rp.activation("bent", (sp.sqrt(x**2 + 1) - 1) / 2 + x)
cell = rp.read_text(r"h_t = \operatorname{bent}(W x_t + R h_{t-1} + b)")[0]
"""


def written(entry: Activation) -> tuple[str, ...]:
    """The ways to write an activation, by the reader: its own sign, then each of its names as an operator."""
    words = (rf"\operatorname{{{name}}}".replace("_", r"\_") for name in (entry.name, *entry.aliases))
    return tuple(way for way in dict.fromkeys((entry.tex, *words)) if _is(way, entry))


def _is(written: str, entry: Activation) -> bool:
    text = rf"h_t = {written}(W x_t + R h_{{t-1}})"
    if refused(text):
        return False
    value = reading(text).cells[0].equations[0].expression
    return isinstance(value, ElementwiseApplyFunction) and value.function.expr.func == entry.function


def table() -> Iterator[Block]:
    """Every registered activation with its formula and slope, and how to register another."""
    rows = []
    for entry in filter(None, map(activations.find, activations.names())):
        found = activations.derivative(entry.function)
        slope = found.of_output if found.of_output is not None else found.of_input
        rows.append((listed(f"`{way}`" for way in written(entry)), _formula(entry.definition), _formula(slope)))
    yield Paragraph(
        say("The elementwise functions, with $y = f(x)$ and the slope, in $y$ where it can be; decimals to five digits:")
    )
    yield Table((say("as written"), say("its value"), say("its slope")), rows)
    yield Paragraph(say("A function of your own is a SymPy expression in one symbol, and its slope what SymPy makes of it:"))
    yield Code(OWN)


def _formula(expression: Any) -> Text:
    """An expression as math, one by cases branch by branch in words."""
    if not isinstance(expression, sp.Piecewise):
        return f"${_tex(expression)}$"
    branches: list[Text] = []
    for value, condition in expression.args:
        shown = f"${_tex(value)}$"
        when = say("{value} for {condition}", value=shown, condition=f"${_tex(condition)}$")
        branches.append(say("{value} otherwise", value=shown) if condition == sp.true else when)
    return listed(branches, SEMICOLON)


def _tex(expression: Any) -> str:
    """LaTeX with x and y for the symbols, activations by their signs, decimals to five digits."""
    short = expression.xreplace({number: _short(number) for number in expression.atoms(sp.Float)})
    if isinstance(short, sp.Expr) and short.is_polynomial(Y) and not short.has(X, sp.Float):
        return Printer()(short)
    short = short.replace(activations.named("sigmoid"), sp.Function(r"\sigma"))
    return scalar_tex(short, symbol_names={X: "x", Y: "y"})


def _short(number: Any) -> Any:
    rounded = sp.Float(number, 5)
    return sp.Integer(rounded) if float(rounded).is_integer() else rounded


SECTION = Section(
    "functions",
    say("Functions and their bodies"),
    say(
        "A function acts on each entry of a vector, or it is left open: a function of the whole vector, of which no more is "
        "said."
    ),
    (
        Example(
            "by name",
            say("A word that names an elementwise function is that function."),
            _RELU,
            ("h | x | W(hidden,input) R(hidden,hidden)",),
            also=in_place(_RELU, r"\operatorname", r"\operatorname*", r"\mathrm", r"\mathsf", r"\text", r"\mbox"),
        ),
        Example(
            "underscores",
            say("An underscore in a word may be escaped or not, or be a blank or a hyphen."),
            _HARD,
            ("h | x | W(hidden,input) R(hidden,hidden)",),
            also=in_place(_HARD, r"hard\_sigmoid", "hard_sigmoid", "hard sigmoid", "hard-sigmoid"),
        ),
        Example(
            "open",
            say("The names {names}, and $\\sigma$ with a label, are functions left open.", names=_OPEN),
            r"h_t = \sigma_h(g(x_t) + R h_{t-1})",
            ("h | x | R(R_rank,hidden)",),
            jacobians=(("h_t", "h_{t-1}"),),
        ),
        Example(
            "open by use",
            say("So is any other name that is only ever applied to one symbol in parentheses."),
            r"h_t = h_{t-1} + \mathcal{F}(h_{t-1}) + \text{MLP}(x_t)",
            ("h | x | ",),
            jacobians=(("h_t", "h_{t-1}"),),
        ),
        Example(
            "bound",
            say(
                "The derivation leaves them open; code needs a body, in the argument as printed or as {mapsto}. On the command "
                "line it is {option}.",
                mapsto=r"`x \mapsto …`",
                option="`--bind 'f=…'`",
            ),
            _SHORTCUT,
            ("o |  | *W(hidden,hidden) *b(hidden)",),
            bodies=(("f", r"\tanh(W^{(l)} o + b^{(l)})"),),
        ),
        Example(
            "bound by name",
            say("A body may be the name of an elementwise function."),
            r"h_t = \sigma_h(W x_t + R h_{t-1} + b)",
            (RNN,),
            bodies=(("sigma_h", r"\tanh"),),
        ),
        Example(
            "shared by bodies",
            say("A parameter that bodies or equations share is one parameter."),
            r"h_t = f(h_{t-1}) + g(h_{t-1}) + W x_t",
            ("h | x | W(hidden,input) V(hidden,hidden) b(hidden)",),
            bodies=(("f", r"z \mapsto \tanh(V z)"), ("g", "z ↦ V z + b")),
        ),
        Example(
            "body in the document",
            say("A body may also stand in the document."),
            _BODY,
            ("o |  | *W(hidden,hidden) *b(hidden)",),
            also=(Spelling("f^{(l)}(x) = …", _BODY.replace("(o) =", "(x) =").replace("} o +", "} x +")),),
        ),
    ),
    table,
)
