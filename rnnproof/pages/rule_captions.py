"""The rules of a derivation in words."""

from __future__ import annotations

from dataclasses import dataclass

from rnnproof.calculus.adjoint import SUM_OF_USES
from rnnproof.calculus.operation_base import OPERATIONS
from rnnproof.pages.message import Message, say


@dataclass(frozen=True)
class Rule:
    """What a derivation calls a rule, and the rule in words."""

    label: Message
    says: Message


_CONSTANT = Rule(say("constant"), say("a constant receives nothing"))
RULES: dict[str, Rule] = {
    SUM_OF_USES: Rule(say("sum of the uses"), say("a value read in several places receives the sum of what they hand back")),
    "matmul": Rule(
        say("matmul"), say("$y = A x$ hands {a} to $A$ and {x} to $x$", a=r"$\delta_y x^{\top}$", x=r"$A^{\top} \delta_y$")
    ),
    "transpose": Rule(say("transpose"), say("{b} hands {a} to $A$", b=r"$B = A^{\top}$", a=r"$\delta_B^{\top}$")),
    "add": Rule(say("add"), say("{y} hands {a} to each $a_i$", y=r"$y = \sum_i k_i a_i$", a=r"$k_i \delta_y$")),
    "scale": Rule(say("scale"), say("$y = s x$ hands {s} to $s$ and {x} to $x$", s=r"$\delta_y^{\top} x$", x=r"$s \delta_y$")),
    "hadamard": Rule(say("hadamard"), say(r"$y = a \odot b$ hands $\delta_y \odot b$ to $a$ and $\delta_y \odot a$ to $b$")),
    "quotient": Rule(
        say("quotient"),
        say(r"$y = a \oslash b$ hands $\delta_y \oslash b$ to $a$ and $-\delta_y \odot y \oslash b$ to $b$"),
    ),
    "map": Rule(say("map"), say(r"$y = f(x)$, elementwise, hands $\delta_y \odot f'(x)$ to $x$")),
    "concat": Rule(say("concat"), say(r"$y = [a; b]$ hands $a$ and $b$ their rows of $\delta_y$")),
    "slice": Rule(say("slice"), say(r"$y$, some rows of $x$, hands $\delta_y$ to these rows")),
    "dot": Rule(
        say("dot"), say("{s} hands {a} to $a$ and {b} to $b$", s=r"$s = a^{\top} b$", a=r"$\delta_s b$", b=r"$\delta_s a$")
    ),
    "call": Rule(say("call"), say("$y = f(x)$ with $f$ left open hands {x} to $x$", x=r"$J_f^{\top} \delta_y$")),
    "constant": _CONSTANT,
    "identity": _CONSTANT,
    "slope": Rule(say("slope"), say("$f'(x)$, from $x$ and $y = f(x)$")),
    "outer": Rule(say("outer"), say("{product}, a column by a row", product=r"$a b^{\top}$")),
    "pad": Rule(say("pad"), say("some rows among zeros")),
    "vjp": Rule(say("vjp"), say("{product}, $f$ left open", product=r"$J_f(x)^{\top} d$")),
    "reduce_sum": Rule(say("reduce_sum"), say("what all steps and samples share receives the sum over them")),
}

if RULES.keys() != OPERATIONS.keys() | {SUM_OF_USES}:
    raise AssertionError(f"rules without words: {RULES.keys() ^ (OPERATIONS.keys() | {SUM_OF_USES})}")
