"""Find the mathematics of a Markdown or TeX document and cut it into equations, every character keeping its place.

What does not count (code, comments, labels, spacing) is blanked out with spaces of the same length, so that an offset into the
cleaned text is an offset into the document and every error can show its line and a caret.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from rnnproof.errors import EquationError

MAX_TEXT = 1_000_000
MAX_EQUATIONS = 500
MAX_LENGTH = 4_000
MAX_DEPTH = 50

ENVIRONMENTS = (
    *("eqnarray", "align", "aligned", "alignat", "alignedat", "flalign", "gather", "gathered"),
    *("equation", "split", "multline", "cases", "dcases", "array"),
)
_SPLITTING = rf"(?:{'|'.join(ENVIRONMENTS)})\*?"
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})[ \t]*([^\n`]*)$")
_TEX_CODE = re.compile(
    r"\\begin\{(verbatim|lstlisting|minted)\*?\}.*?(?:\\end\{\1\*?\}|\Z)|\\verb\*?([^\w\s])[^\n]{0,200}?\2", re.S
)
_TEX_COMMENT = re.compile(r"(?<!\\)%[^\n]*")
_MATH = re.compile(
    r"(?P<escaped>\\\$|\\\\)"
    r"|\$\$(?P<dollars>.*?)(?<!\\)\$\$"
    r"|\\\[(?P<brackets>.*?)\\\]"
    r"|\\\((?P<parentheses>.*?)\\\)"
    rf"|(?P<bare>\\begin\{{(?P<name>{_SPLITTING})\}}.*?\\end\{{(?P=name)\}})"
    rf"|(?P<unclosed>\$\$|\\\[|\\\(|\\begin\{{{_SPLITTING}\}})"
    r"|\$(?P<inline>(?:[^$\\\n]|\\.|\n(?![ \t]*\n))+)\$",
    re.M | re.S,
)
_DISPLAYED = ("dollars", "brackets", "bare")
_NOISE = re.compile(
    r"(?P<keep>\\\\|\\%)|\\(?P<edge>begin|end)\{[a-zA-Z]*matrix\}"
    r"|%[^\n]*|\\(?:label|tag|hspace|vspace)\*?\s*\{[^{}]*\}"
    r"|\\(?:left|right)(?![A-Za-z])\s*\.?|\\(?:middle|[bB]igg?[lrm]?)(?![A-Za-z])"
    r"|\\(?:nonumber|notag|displaystyle|textstyle|limits|nolimits|bf|rm|it|sf|boldmath|hfill|allowbreak)(?![A-Za-z])"
    r"|\\[,;:!> \n]|[~&]"
)
_QUAD = re.compile(r"\\q?quad(?![A-Za-z])")
_NUMBERED = re.compile(r"\\q?quad\s*(?:\(\s*[\d.]+[a-z]?\s*\)|\\text\s*\{[^{}]*\})\s*$")
_END = re.compile(r"(?:[\s.,;:、。，．]|\\q?quad(?![A-Za-z]))+$")
_BREAK = re.compile(
    r"\f|\\\\(?:\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in)\s*\]|\*)?"
    rf"|\\(?P<edge>begin|end)\{{(?:(?P<rows>{_SPLITTING})|(?P<matrix>[a-zA-Z]*matrix))\}}|\\[{{}}]|[{{}}]"
)
_ARGUMENT = re.compile(r"\s*(?:\[[a-z]\]|\{[lcr|@{}\s\d]*\})")
_RELATION = re.compile(r":=|=|\\(?:leftarrow|gets|equiv|triangleq|coloneqq|coloneq|in)(?![A-Za-z])|[←≔≡≜∈]")
_CARRIES_ON = re.compile(r"^\s*(?:[-+*)\]/−⊙]|\\(?:odot|circ|cdot|times)(?![A-Za-z])|\\[}\]])")
_AT_END = re.compile(r"(?:[-+*=−⊙]|\\(?:odot|circ|cdot|times)(?![A-Za-z]))\s*$")
_CONDITION = re.compile(
    r"(?:\s|\\q?quad(?![A-Za-z]))*(?:\\text\s*\{\s*(?:for|if|when|where|with)\b|\\forall(?![A-Za-z])"
    r"|[A-Za-z]\s*(?:\\(?:geq?|leq?)(?![A-Za-z])|[<>≤≥]))"
)
_SEPARATOR = re.compile(r"\\q?quad(?![A-Za-z])|\\begin|\\end|\\[lr]brack(?![A-Za-z])|[][(){},;，]")
_OPENS, _CLOSES = ("(", "[", "{", r"\lbrack", r"\begin"), (")", "]", "}", r"\rbrack", r"\end")


@dataclass(frozen=True)
class Printed:
    """One equation as it stands in the document: cleaned text of the same length as the original, from `offset` on."""

    tex: str
    offset: int
    display: bool

    @property
    def is_relation(self) -> bool:
        return _RELATION.search(self.tex) is not None

    @property
    def shown(self) -> str:
        """The text with its spaces squeezed."""
        return " ".join(self.tex.split())


@dataclass(frozen=True)
class Page:
    """A document's name and text; turns offsets into lines and errors."""

    name: str
    text: str

    @cached_property
    def _breaks(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.text)]

    def line(self, offset: int) -> int:
        return bisect_left(self._breaks, offset) + 1

    def where(self, offset: int) -> str:
        return f"{self.name}:{self.line(offset)}"

    def explain(self, offset: int, message: str) -> str:
        """`document:line: message`, the line, and a caret under the place; long lines are cut around it."""
        offset = min(offset, len(self.text))
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        source = self.text[start : end if end >= 0 else len(self.text)]
        column = offset - start
        cut = max(0, column - 60)
        excerpt = source[cut : cut + 120].replace("\t", " ")
        return f"{self.where(offset)}: {message}\n    {excerpt}\n    {' ' * (column - cut)}^"

    def fault(self, offset: int, message: str) -> NoReturn:
        """Raise EquationError pointing at the offset."""
        raise EquationError(self.explain(offset, message))


def equations(page: Page, whole: bool = False) -> list[Printed]:
    """Every piece of mathematics, in order; `whole` reads a text without any delimiter as equations, one a line.

    Raises EquationError where a bound (size, depth, length, number) is broken or a delimiter never closes.
    """
    if len(page.text) > MAX_TEXT:
        raise EquationError(f"{page.name}: {len(page.text)} characters, at most {MAX_TEXT} are read; cut the document")
    segments = list(_segments(page))
    if not segments and whole:
        segments = [(0, _without_code(page.text).replace("\n", "\f"), True)]
    equations: list[Printed] = []
    for start, tex, display in segments:
        check_depth(page, start, tex)
        equations += _cut(page, start, tex, display)
    relations = [printed for printed in equations if printed.is_relation]
    if len(relations) > MAX_EQUATIONS:
        message = f"{len(relations)} equations, at most {MAX_EQUATIONS} are read; split the document"
        page.fault(relations[MAX_EQUATIONS].offset, message)
    return equations


def clean(tex: str) -> str:
    """The same text with comments, labels, sizes of brackets and spacing blanked out."""
    return _QUAD.sub(_blank, _quiet(tex))


def _quiet(tex: str) -> str:
    """The text without noise; an & stays in a matrix, where it is none."""
    inside = 0

    def written(match: re.Match[str]) -> str:
        nonlocal inside
        if match["edge"]:
            inside += 1 if match["edge"] == "begin" else -1
        return match[0] if match["keep"] or match["edge"] or (match[0] == "&" and inside > 0) else _blank(match)

    return _NOISE.sub(written, tex)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _segments(page: Page) -> Iterator[tuple[int, str, bool]]:
    text = page.text
    if page.name.endswith(".tex") or r"\documentclass" in text:
        text = _TEX_COMMENT.sub(_blank, _TEX_CODE.sub(_blank, text))
    else:
        text = _without_code(text)
    for match in _MATH.finditer(text):
        if match["unclosed"]:
            page.fault(match.start(), f"{match['unclosed']} is never closed; close it")
        for kind in (*_DISPLAYED, "parentheses", "inline"):
            if match[kind] is not None:
                yield match.start(kind), match[kind], kind in _DISPLAYED


def _without_code(text: str) -> str:
    """Markdown with its comments, code fences and code spans blanked; a math fence becomes a display. Linear in the text."""
    comments = re.sub(r"<!--(?:[^-]|-(?!->))*(?:-->|\Z)", _blank, text)
    lines, fence, display = [], "", False
    for line in comments.split("\n"):
        found = _FENCE.match(line)
        if fence and not (found and found[1].startswith(fence) and not found[2].strip()):
            lines.append(line if display else " " * len(line))
        elif found:
            display = found[2].strip() == "math" if not fence else display
            fence = "" if fence else found[1]
            lines.append(("$$" if display else "").ljust(len(line)))
        else:
            lines.append(line)
    return "".join(_without_spans(paragraph) for paragraph in re.split(r"(\n[ \t]*\n)", "\n".join(lines)))


def _without_spans(paragraph: str) -> str:
    """A paragraph without what stands between two runs of as many backticks."""
    runs = list(re.finditer(r"(?<![\\`])`+", paragraph))
    closing: list[int | None] = [None] * len(runs)
    latest: dict[int, int] = {}
    for place in range(len(runs) - 1, -1, -1):
        size = len(runs[place][0])
        closing[place], latest[size] = latest.get(size), place
    pieces, start, place = [], 0, 0
    while place < len(runs):
        stop = closing[place]
        if stop is not None:
            pieces += [
                paragraph[start : runs[place].start()],
                re.sub(r"[^\n]", " ", paragraph[runs[place].start() : runs[stop].end()]),
            ]
            start, place = runs[stop].end(), stop
        place += 1
    return "".join((*pieces, paragraph[start:]))


def check_depth(page: Page, start: int, tex: str) -> None:
    """Raises EquationError where brackets nest too deep; one linear scan, before anything is parsed."""
    depth = 0
    for position, character in enumerate(tex):
        if character in _OPENS:
            depth += 1
            if depth > MAX_DEPTH:
                page.fault(start + position, f"nested deeper than {MAX_DEPTH} brackets; write the equation in steps")
        elif character in _CLOSES:
            depth -= 1


def _cut(page: Page, start: int, tex: str, display: bool) -> Iterator[Printed]:
    """The equations of one segment: cut at row breaks, joined again where a row only carries the one before on."""
    tex = _quiet(tex)
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
        blanked[separator.start() : stop] = re.sub(r"[^\n]", " ", tex[separator.start() : stop])
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
            page.fault(start + joined[-1][0], message)
    for begin, end in joined:
        for left, right in _apart(text, begin, end):
            piece = text[left:right]
            while (shorter := _END.sub("", _NUMBERED.sub("", piece))) != piece:
                piece = shorter
            piece = _QUAD.sub(_blank, piece)
            lead = len(piece) - len(piece.lstrip())
            if not piece.strip():
                continue
            if len(piece) > MAX_LENGTH:
                page.fault(
                    start + left, f"an equation of {len(piece)} characters, at most {MAX_LENGTH} are read; write it in steps"
                )
            yield Printed(piece[lead:], start + left + lead, display)


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
