"""The regions of a page that may hold mathematics; what does not count (code, comments, markup) is blanked out in them.

Spaces of the same length take its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rnnproof.equations.page import Excerpt, Page, blank, spaces

TEX_CODE = re.compile(
    r"\\begin\{(verbatim|lstlisting|minted|comment)\*?\}.*?(?:\\end\{\1\*?\}|\Z)"
    r"|\\iffalse(?![A-Za-z]).*?\\fi(?![A-Za-z])|\\verb\*?([^\w\s])[^\n]{0,200}?\2",
    re.S,
)
TEX_COMMENT = re.compile(r"(?<!\\)(?:\\\\)*%[^\n]*")


@dataclass(frozen=True)
class Heading:
    """A title; of two, the one with the smaller level divides more."""

    place: int
    level: int
    title: str


Regions = tuple[list[Excerpt], list[Heading]]


def _tex(page: Page) -> Regions:
    text = TEX_CODE.sub(blank, page.text)
    return [Excerpt.of(TEX_COMMENT.sub(_blank_comment, text), 0)], []


def _blank_comment(match: re.Match[str]) -> str:
    sign = match[0].index("%")  # an even number of backslashes before it are line breaks
    return match[0][:sign] + " " * (len(match[0]) - sign)


def _markdown(page: Page) -> Regions:
    starts = [part.start for part in page.parts] or [0]
    bounds = zip(starts, [*starts[1:], len(page.text)], strict=True)
    return [Excerpt.of(_without_code(page.text[start:stop], False), start) for start, stop in bounds], []


def _html(page: Page) -> Regions:
    text = re.sub(r"<!--(?:[^-]|-(?!->))*(?:-->|\Z)", blank, page.text)
    text = _STRUCK_OUT.sub(blank, text)
    text = _HTML_CODE.sub(lambda match: match[0] if _MATH_SCRIPT.match(match[0]) else spaces(match[0]), text)
    return [Excerpt.of(text, 0)], []


_HTML_CODE = re.compile(r"<(script|style|pre|code|textarea)\b(?:[^<]|<(?!/\1\s*>))*</\1\s*>", re.I)
_MATH_SCRIPT = re.compile(r"<script\b[^>]*?type=[\"']math/tex", re.I)

_PYTHON = re.compile(
    r"(?P<comment>\#[^\n]*)|(?P<raw>[rR])?[bBuUfF]?(?P<quote>\"\"\"|''')(?P<body>.*?)(?P=quote)"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'",
    re.S,
)
_JULIA = re.compile(
    r"(?P<comment>\#(?!=)[^\n]*)|\#=(?P<block>.*?)=\#|(?P<raw>raw|md|L)?(?P<quote>\"\"\")(?P<body>.*?)(?P=quote)"
    r"|\"(?:[^\"\\]|\\.)*\"",
    re.S,
)
_ESCAPED_ONCE = re.compile(r"(?<!\\)(?:\\\\)*\\[A-Za-z]{2,}")
_ESCAPED_TWICE = re.compile(r"(?<!\\)(?:\\\\)+[A-Za-z]{2,}")
_PYTHON_NAME = re.compile(r"^(?P<indent>[ \t]*)(?P<keyword>class|def|async[ ]+def)[ ]+(?P<name>\w+)", re.M)
_JULIA_NAME = re.compile(r"(?:struct|function)?[ \t]*(?P<name>[A-Z]\w*)\b")


def _python(page: Page) -> Regions:
    names = list(_PYTHON_NAME.finditer(page.text))
    headings = [Heading(m.start(), len(m["indent"].expandtabs(4)) // 4 - 20, m["name"]) for m in names]
    return _of_code(page, _PYTHON), headings


def _julia(page: Page) -> Regions:
    headings = []
    for match in _JULIA.finditer(page.text):
        if match["body"] is not None:
            name = _JULIA_NAME.search(match["body"].strip().split("\n")[0])
            name = name or _JULIA_NAME.match(page.text[match.end() : match.end() + 200].lstrip())
            headings.append(Heading(match.start(), -20, name["name"] if name else ""))
    return _of_code(page, _JULIA), headings


def _of_code(page: Page, grammar: re.Pattern[str]) -> list[Excerpt]:
    """The docstrings, each a region, and the comments, each run of lines a region."""
    regions: list[Excerpt] = []
    comments: list[tuple[int, int]] = []
    for match in grammar.finditer(page.text):
        if match["comment"]:
            adjacent = (
                comments
                and not page.text[comments[-1][1] : match.start()].strip()
                and (page.text.count("\n", comments[-1][1], match.start()) <= 1)
            )
            start = comments.pop()[0] if adjacent else match.start()
            comments.append((start, match.end()))
            continue
        name = "body" if match["quote"] else "block"
        body = match.groupdict().get(name)
        if body is not None:
            raw = match.groupdict().get("raw") is not None or name == "block"
            regions.append(Excerpt.of(_without_code(body if raw else _unescaped(body), grammar is _JULIA), match.start(name)))
    for start, stop in comments:
        text = re.sub(r"^[ \t]*\#+:?", blank, page.text[start:stop], flags=re.M)
        regions.append(Excerpt.of(_without_code(text, grammar is _JULIA), start))
    return sorted(regions, key=lambda region: region.place(0))


def _unescaped(body: str) -> str:
    """A string's text with doubled backslashes made single, where no macro is written with a single one."""
    if not _ESCAPED_TWICE.search(body) or _ESCAPED_ONCE.search(body):
        return body
    return re.sub(r"(?:\\\\)+", lambda match: " " * (len(match[0]) // 2) + "\\" * (len(match[0]) // 2), body)


REGIONS = {"tex": _tex, "markdown": _markdown, "html": _html, "python": _python, "julia": _julia}

_STRUCK_OUT = re.compile(
    r"<(?P<tag>del|s|strike)\b[^>]*>(?:[^<]|<(?!/(?P=tag)>))*</(?P=tag)>|~~(?=\S)[^~\n]+~~"
    r"|<(?P<hidden>\w+)\b[^>]*\bstyle=\"[^\"]*display:\s*none[^\"]*\"[^>]*>(?:[^<]|<(?!/(?P=hidden)>))*</(?P=hidden)>",
    re.IGNORECASE,
)
_FENCE = re.compile(r"[ \t]*(?:[-*+][ ]+)?(`{3,}|~{3,})[ \t]*([^\n`]*)$")
_QUOTED = re.compile(r"^[ ]{0,3}(?:>[ ]?)+", re.M)


def _without_code(text: str, spans_are_math: bool) -> str:
    """Markdown with its comments, code fences and code spans blanked; a math fence becomes a display. Linear in the text."""
    comments = re.sub(r"<!--(?:[^-]|-(?!->))*(?:-->|\Z)", blank, text)
    comments = _STRUCK_OUT.sub(blank, comments)
    comments = _QUOTED.sub(blank, comments)
    lines, fence, display = [], "", False
    for line in comments.split("\n"):
        found = _FENCE.match(line)
        if fence and not (found and found[1].startswith(fence) and not found[2].strip()):
            lines.append(line if display else " " * len(line))
        elif found:
            display = found[2].strip() in ("math", "{math}") if not fence else display
            fence = "" if fence else found[1]
            lines.append(("$$" if display else "").ljust(len(line)))
        else:
            lines.append(line)
    paragraphs = re.split(r"(\n[ \t]*\n)", "\n".join(lines))
    return "".join(_without_spans(paragraph, spans_are_math) for paragraph in paragraphs)


def _without_spans(paragraph: str, math: bool) -> str:
    """A paragraph without what stands between two runs of as many backticks, unless it is mathematics."""
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
            begin, end = runs[place].start(), runs[stop].end()
            before, behind = paragraph[max(0, begin - 6) : begin], paragraph[end : end + 1]
            role = before.endswith(":math:") or (before.endswith("$") and behind == "$")
            if not role and not (math and len(runs[place][0]) == 2):
                pieces += [paragraph[start:begin], spaces(paragraph[begin:end])]
                start = end
            place = stop
        place += 1
    return "".join((*pieces, paragraph[start:]))
