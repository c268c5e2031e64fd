r"""TeX of names and short formulas -> runs of text with a level, for <text> with <tspan>: W_{\bar{h}}, o^{(l-1)}, 1 - \alpha.

SVG has no mathematics, so what is nested in a script stands at the same size, a little further out.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import groupby

from rnnproof.equations.plain_text import plain

SCRIPT = 0.75  # of the size of the line, the same at every depth: smaller is hard to read on a phone

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}_^]|\s+|[^\\{}_^\s]", re.DOTALL)
_MARKS = {"bar": "\u0304", "overline": "\u0304", "tilde": "\u0303", "widetilde": "\u0303", "hat": "\u0302", "dot": "\u0307"}
_UPRIGHT = {"mathrm", "text", "textrm", "operatorname", "mathbf"}
_SILENT = {"left", "right", "big", "Big", "mathcal", "boldsymbol"}
# The widest of the common serif faces, so that text stays inside its box whichever one is there; in parts of the size.
_STACKED = 0.8  # of the width of a script is gone back, since widths are estimated large
_NARROW, _WIDE = set("ijlIftr.,;:'|()[]!/ "), set("mwMW\u2295")


@dataclass(frozen=True)
class Run:
    """Characters at one level: 0 on the line, negative below it, positive above; letters are italic unless upright."""

    text: str
    level: int = 0
    upright: bool = False

    @property
    def width(self) -> float:
        """In parts of the size of the line."""
        return (SCRIPT if self.level else 1.0) * sum(map(_wide, self.text))


def _wide(char: str) -> float:
    if unicodedata.combining(char):
        return 0.0
    if char in _NARROW:
        return 0.38
    return 0.98 if char in _WIDE else 0.72 if char.isupper() else 0.8 if char in "+\u2212=\u00d7" else 0.57


def runs(tex: str) -> tuple[Run, ...]:
    """The runs of a formula."""
    parser = _Parser(_TOKEN.findall(tex))
    parsed: list[Run] = []
    while parser.tokens:
        parsed += parser.group(0, False)
    joined = []
    for (level, upright), group in groupby(parsed, key=lambda run: (run.level, run.upright)):
        joined.append(Run("".join(run.text for run in group), level, upright))
    return tuple(joined)


def width(tex: str) -> float:
    """The width of a formula in parts of the size of the line."""
    return sum(run.width + shift for run, shift in placed(tex))


def placed(tex: str) -> list[tuple[Run, float]]:
    """Each run and how far to move before it, so that W_t^{(l)} has one script above the other."""
    places: list[tuple[Run, float]] = []
    after = 0.0
    for run in runs(tex):
        before = places[-1][0] if places else run
        shift, after = after, 0.0
        if before.level * run.level < 0:
            shift -= _STACKED * before.width
            after = _STACKED * max(before.width - run.width, 0.0)
        places.append((run, shift))
    return places


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]

    def group(self, level: int, upright: bool) -> list[Run]:
        """What stands up to the closing brace or the end."""
        runs: list[Run] = []
        while self.tokens:
            token = self.tokens.pop()
            if token == "}":
                break
            runs += self.item(token, level, upright)
        return runs

    def argument(self, level: int, upright: bool) -> list[Run]:
        while self.tokens and self.tokens[-1].isspace():
            self.tokens.pop()
        return self.item(self.tokens.pop(), level, upright) if self.tokens else []

    def item(self, token: str, level: int, upright: bool) -> list[Run]:
        if token == "{":
            return self.group(level, upright)
        if token in ("_", "^"):
            outer = level or (-1 if token == "_" else 1)
            return self.argument(outer + (0 if not level else -1 if token == "_" else 1), upright)
        name = token[1:] if token.startswith("\\") else ""
        if name == "frac":
            over, under = self.argument(level, upright), self.argument(level, upright)
            return [*over, Run("/", level, True), *under]
        if name in _MARKS:
            first, *rest = self.argument(level, upright) or [Run("", level)]
            return [replace(first, text=first.text[:1] + _MARKS[name] + first.text[1:]), *rest]
        if name in _UPRIGHT:
            return self.argument(level, True)
        if name in _SILENT:
            return []
        if token.isspace():
            return [] if level else [Run(" ", level, True)]
        text = {r"\top": "\u22a4" if not level else "T", "-": "\u2212"}.get(token) or plain(token) or " "
        if name and len(text) > 1:
            return [Run(text, level, True)]
        return [Run(char, level, upright or not (char.isalpha() or unicodedata.combining(char))) for char in text]
