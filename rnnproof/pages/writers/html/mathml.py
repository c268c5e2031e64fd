"""Formulas as MathML, by latex2mathml; long ones in pieces, between which a browser may break the line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html import escape

from rnnproof.equations.plain_text import plain
from rnnproof.extras import needed

_LONG = 46  # signs of a formula that a phone shows in one line
_TOKEN = re.compile(r"\\left\b\\?.|\\right\b\\?.|[{}()]|\s(?:=|\+|-|\\le|\\quad)\s")


@cache
def inline(tex: str) -> str:
    """A formula within a sentence."""
    if len(plain(tex)) <= _LONG:
        return _converted(tex, "inline")
    return " ".join(_infix(part, _converted(part, "inline")) for part in pieces(tex))


@cache
def display(tex: str) -> str:
    """A displayed formula."""
    if len(plain(tex)) <= _LONG:
        return _converted(tex, "block")
    return f'<span class="pieces">{" ".join(map(_piece, pieces(tex)))}</span>'


def _piece(tex: str) -> str:
    """A part of a displayed formula."""
    return _infix(tex, _converted(tex, "inline").replace("<math ", '<math displaystyle="true" ', 1))


def _infix(tex: str, math: str) -> str:
    """The sign that a part begins with keeps its space."""
    return math.replace("<mo>", '<mo form="infix">', 1) if _TOKEN.match(f" {tex} ") else math


def left_side(tex: str) -> str:
    """What a formula defines."""
    return re.split(r"\s(?:=|\\le)\s", tex, maxsplit=1)[0]


def pieces(tex: str) -> Iterator[str]:
    """A formula cut ahead of its outermost signs of equality, sum and difference, and of sums in one pair of parentheses."""
    groups, parentheses, start = 0, 0, 0
    for match in _TOKEN.finditer(tex):
        sign = match[0]
        if sign == "{" or sign.startswith(r"\left"):
            groups += 1
        elif sign == "}" or sign.startswith(r"\right"):
            groups -= 1
        elif sign in "()":
            parentheses += 1 if sign == "(" else -1
        elif groups == 0 and (parentheses == 0 or (parentheses == 1 and sign == " + ")):
            yield tex[start : match.start()]
            start = match.start() + 1
    yield tex[start:]


def _converted(tex: str, display: str) -> str:
    math = str(needed("latex2mathml.converter", "report").convert(tex, display=display))
    return math.replace("<math ", f'<math alttext="{escape(plain(tex))}" ', 1)
