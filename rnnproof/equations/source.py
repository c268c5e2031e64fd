"""Cut the mathematics of a document into equations, every character keeping its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from rnnproof.equations import typography
from rnnproof.equations.containers import MAX_TEXT, SPLITTING, Document
from rnnproof.equations.page import Excerpt, Page, blank, spaces

__all__ = ["MAX_TEXT", "Printed", "clean", "equations"]

MAX_EQUATIONS = 500
MAX_LENGTH = 4_000
MAX_DEPTH = 50

_QUAD = re.compile(r"\\q?quad(?![A-Za-z])")
_NUMBERED = re.compile(r"\\q?quad\s*(?:\(\s*[\d.]+[a-z]?\s*\)|\\(?:text(?:it|rm|sf|normal|sl)?|mbox)\s*\{[^{}]*\})\s*$")
_END = re.compile(r"(?:[\s.,;:、。，．]|\\q?quad(?![A-Za-z]))+$")
_BREAK = re.compile(
    r"\f|\\\\(?:\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in)\s*\]|\*)?"
    rf"|\\(?P<edge>begin|end)\{{(?:(?P<rows>{SPLITTING})|(?P<matrix>[a-zA-Z]*matrix))\}}|\\[{{}}]|[{{}}]"
)
_ARGUMENT = re.compile(r"\s*(?:\[[a-z]\]|\{[lcrLCR|@{}\s\d]*\})")
_RELATION = re.compile(r":=|=|\\(?:leftarrow|gets|equiv|triangleq|coloneqq|coloneq|in)(?![A-Za-z])|[←≔≡≜∈]")
_CARRIES_ON = re.compile(r"^\s*(?:[-+*)\]/−⊙=]|\\(?:odot|circ|cdot|times)(?![A-Za-z])|\\[}\]])")
_AT_END = re.compile(r"(?:[-+*=−⊙]|\\(?:odot|circ|cdot|times)(?![A-Za-z]))\s*$")
_CONDITION = re.compile(
    r"(?:\s|\\q?quad(?![A-Za-z]))*(?:\\text\s*\{\s*(?:for|if|when|where|with)\b|\\forall(?![A-Za-z])"
    r"|(?:\d[\d.]*|\\?[A-Za-z]+)\s*(?:\\(?:geq?|leq?|lt|gt)(?![A-Za-z])|[<>≤≥]))"
)
_SEPARATOR = re.compile(r"\\q?quad(?![A-Za-z])|\\begin|\\end|\\[lr]brack(?![A-Za-z])|[][(){},;，]")
_OPENS, _CLOSES = ("(", "[", "{", r"\lbrack", r"\begin"), (")", "]", "}", r"\rbrack", r"\end")


@dataclass(frozen=True)
class Printed:
    """One equation as it stands in the document, cleaned; `formula` numbers what stands between one pair of delimiters."""

    excerpt: Excerpt
    display: bool
    formula: int = 0

    @property
    def tex(self) -> str:
        return self.excerpt.text

    @property
    def offset(self) -> int:
        """Where it begins in the page's text."""
        return self.excerpt.place(0)

    def place(self, at: int) -> int:
        """Where its character `at` stands in the page's text."""
        return self.excerpt.place(at)

    @cached_property
    def is_relation(self) -> bool:
        return _RELATION.search(self.tex) is not None

    @property
    def shown(self) -> str:
        """The text with its spaces squeezed."""
        return " ".join(self.tex.split())


def equations(document: Document, whole: bool = False) -> list[Printed]:
    """Every piece of mathematics, in order; `whole` reads a text without any delimiter as equations, one a line.

    Raises EquationError where a bound (size, depth, length, number) is broken.
    """
    page = document.page
    formulas = [(formula.excerpt, formula.display) for formula in document.formulas]
    if not formulas and whole:
        formulas = [(Excerpt.of(document.prose.replace("\n", "\f"), 0), True)]
    found: list[Printed] = []
    for number, (excerpt, display) in enumerate(formulas):
        check_depth(page, excerpt)
        found += [replace(printed, formula=number) for printed in _cut(page, typography.plain(excerpt), display)]
    relations = [printed for printed in found if printed.is_relation]
    if len(relations) > MAX_EQUATIONS:
        message = f"{len(relations)} equations, at most {MAX_EQUATIONS} are read; split the document"
        page.fault(relations[MAX_EQUATIONS].offset, message)
    return found


def clean(tex: str) -> str:
    """A formula by itself, without what is only looks."""
    return _QUAD.sub(blank, typography.plain(Excerpt.of(tex, 0)).text)


def check_depth(page: Page, excerpt: Excerpt) -> None:
    """Raises EquationError where brackets nest too deep; one linear scan, before anything is parsed."""
    depth = 0
    for position, character in enumerate(excerpt.text):
        if character in _OPENS:
            depth += 1
            if depth > MAX_DEPTH:
                page.fault(excerpt.place(position), f"nested deeper than {MAX_DEPTH} brackets; write the equation in steps")
        elif character in _CLOSES:
            depth -= 1


def _cut(page: Page, excerpt: Excerpt, display: bool) -> Iterator[Printed]:
    """The equations of one formula: cut at row breaks, joined again where a row only carries the one before on."""
    tex = excerpt.text
    rows: list[list[int]] = [[0, 0]]
    blanked = list(tex)
    depth = 0
    for separator in _BREAK.finditer(tex):
        kind = separator[0]
        if kind in ("{", "}") or separator["matrix"]:
            depth += 1 if kind == "{" or separator["edge"] == "begin" else -1
            continue
        if kind in (r"\{", r"\}") or (depth > 0 and not separator["edge"]):
            continue
        if separator["rows"] and separator["edge"] == "begin" and tex[rows[-1][0] : separator.start()].strip(" \n\t{\\"):
            continue  # text before it on its row: a definition by cases, which is not a list of equations
        stop = separator.end()
        if separator["rows"] and separator["edge"] == "begin":
            while argument := _ARGUMENT.match(tex, stop):
                stop = argument.end()
        blanked[separator.start() : stop] = spaces(tex[separator.start() : stop])
        rows[-1][1] = separator.start()
        rows.append([stop, stop])
    rows[-1][1] = len(tex)
    text = "".join(blanked)
    joined: list[list[int]] = []
    for begin, end in rows:
        piece = text[begin:end].rstrip()
        begin, end = end - len(text[begin:end].lstrip()), begin + len(piece)
        piece = text[begin:end]
        if not piece.strip(" \n\t{\\"):
            continue
        if joined and display and (_CARRIES_ON.match(_QUAD.sub("", piece)) or _is_open(text[joined[-1][0] : joined[-1][1]])):
            joined[-1][1] = end
        else:
            joined.append([begin, end])
        if joined[-1][1] - joined[-1][0] > MAX_LENGTH:  # before any search that could take longer than linear time
            message = f"an equation of more than {MAX_LENGTH} characters; write it in steps"
            page.fault(excerpt.place(joined[-1][0]), message)
    for begin, end in joined:
        for left, right in _apart(text, begin, end):
            piece = text[left:right]
            while (shorter := _END.sub("", _NUMBERED.sub("", piece))) != piece:
                piece = shorter
            piece = _QUAD.sub(blank, piece)
            lead = len(piece) - len(piece.lstrip())
            if not piece.strip():
                continue
            if len(piece) > MAX_LENGTH:
                message = f"an equation of {len(piece)} characters, at most {MAX_LENGTH} are read; write it in steps"
                page.fault(excerpt.place(left), message)
            yield Printed(Excerpt(piece[lead:], excerpt.places[left + lead : left + len(piece)]), display)


def _is_open(piece: str) -> bool:
    """Whether a row ends within brackets or with an operator, so that the next one carries it on."""
    return _AT_END.search(piece) is not None or sum(piece.count(c) for c in "([") > sum(piece.count(c) for c in ")]")


def _apart(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut `a = b, c = d` and `a = b \\quad c = d` outside brackets; a piece that is neither a relation nor
    a condition, such as `t \\geq 1`, stays with its neighbour."""
    cuts, depth = [begin], 0
    for separator in _SEPARATOR.finditer(text, begin, end):
        mark = separator[0]
        if mark in _OPENS:
            depth += 1
        elif mark in _CLOSES:
            depth -= 1
        elif depth == 0:
            cuts.append(separator.start() if mark.startswith("\\") else separator.end())
    cuts.append(end)
    start = begin
    for left, right in zip(cuts[1:], cuts[2:], strict=False):
        begins = _RELATION.search(text, left, end) and _begins(text, cuts, left, right)
        if _RELATION.search(text, start, left) and (begins or _CONDITION.match(text, left, right)):
            yield start, left
            start = left
    yield start, end


def _begins(text: str, cuts: list[int], left: int, right: int) -> bool:
    """Whether a relation begins at the cut `left`: the pieces from there to the next relation are a list of names."""
    later = [cut for cut in cuts if cut >= right]
    while not _RELATION.search(text, left, right) and re.fullmatch(r"[\s\\A-Za-z0-9_^{}()'*-]*,?", text[left:right]) and later:
        right = later.pop(0)
    return _RELATION.search(text, left, right) is not None
