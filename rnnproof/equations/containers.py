"""Where the mathematics of a document stands: Markdown, TeX, reStructuredText, HTML, notebooks, docstrings and comments.

One scan with every delimiter finds the formulas in its regions. Notebooks and files named by \\input become one page of several
parts.
"""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from rnnproof.equations.macros import Macros
from rnnproof.equations.page import Excerpt, Page, Part, blank, spaces
from rnnproof.equations.regions import REGIONS, TEX_CODE, TEX_COMMENT, Heading
from rnnproof.errors import EquationError, UsageError

MAX_TEXT = 1_000_000
MAX_FILES = 100

ENVIRONMENTS = (
    *("eqnarray", "align", "aligned", "alignat", "alignedat", "flalign", "gather", "gathered", "IEEEeqnarray", "dmath"),
    *("equation", "displaymath", "split", "multline", "cases", "dcases", "array"),
)
SPLITTING = rf"(?:{'|'.join(ENVIRONMENTS)})\*?"

_SUFFIXES = {
    **dict.fromkeys((".tex", ".ltx", ".sty", ".latex"), "tex"),
    **dict.fromkeys((".py", ".pyi"), "python"),
    ".jl": "julia",
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
}

# reading files


def opened(path: str | Path) -> Page:
    """The page of a file; a notebook's Markdown cells and the files that \\input names are its parts.

    Raises UsageError where a file cannot be read, EquationError where it is no text, or too long.
    """
    path = Path(path)
    text = _text(path)
    if path.suffix == ".ipynb":
        return _notebook(path, text)
    if path.suffix in (".tex", ".ltx", ".latex"):
        pieces: list[tuple[str, int, str]] = []
        _with_inputs(path, path.parent, text, path.name, pieces, [path.resolve()])
        return _page(path.name, pieces)
    return Page(path.name, text)


def _text(path: Path) -> str:
    most = 4 * MAX_TEXT  # no character takes more than four bytes
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)  # not what the file says it holds: a device has no end
        if len(data) > most:
            raise EquationError(f"{path}: over {most} bytes, at most {MAX_TEXT} characters are read; cut the document")
        return io.StringIO(data.decode("utf-8-sig"), newline=None).read()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give the path of a document") from None
    except UnicodeDecodeError as error:
        raise EquationError(f"{path}: is not UTF-8 (byte {error.start}); save the document as UTF-8") from None


def _page(name: str, pieces: Sequence[tuple[str, int, str]]) -> Page:
    """One page of (name, first line, text) pieces."""
    parts, start = [], 0
    for label, first, text in pieces:
        parts.append(Part(start, label, first))
        start += len(text)
    return Page(name, "".join(text for _, _, text in pieces), tuple(parts))


def _notebook(path: Path, text: str) -> Page:
    try:
        notebook = json.loads(text)
        sheets = notebook.get("worksheets", [notebook])
        cells = [cell for sheet in sheets for cell in sheet["cells"]]
        pieces = []
        for number, cell in enumerate(cells, 1):
            if cell["cell_type"] == "markdown":
                source = cell["source"]
                pieces.append((f"{path.name}[cell {number}]", 1, ("".join(source)) + "\n\n"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise EquationError(f"{path}: is no Jupyter notebook (JSON with cells); save it again from Jupyter") from None
    return _page(path.name, pieces)


_INPUT = re.compile(r"\\(?:input|include|subfile|subimport\s*\{[^{}]*\})\s*\{(?P<name>[^{}\n]+)\}")


def _with_inputs(path: Path, root: Path, text: str, label: str, pieces: list[tuple[str, int, str]], above: list[Path]) -> None:
    """The text's pieces with those of the files that it names; one that is not there stays a macro, which `unread` tells."""
    start = 0
    for match in _INPUT.finditer(TEX_COMMENT.sub(blank, TEX_CODE.sub(blank, text))):
        found = next((p for base in (path.parent, root) if (p := _tex_file(base, match["name"].strip()))), None)
        if found is None or found.resolve() in above or len(pieces) > 2 * MAX_FILES:
            continue
        pieces.append((label, text.count("\n", 0, start) + 1, text[start : match.start()]))
        _with_inputs(found, root, _text(found), found.name, pieces, [*above, found.resolve()])
        start = match.end()
    pieces.append((label, text.count("\n", 0, start) + 1, text[start:]))


def _tex_file(folder: Path, name: str) -> Path | None:
    for candidate in (folder / f"{name}.tex", folder / name):
        if candidate.suffix in (".tex", ".sty", ".ltx", ".def") and candidate.is_file():
            return candidate
    return None


# documents


@dataclass(frozen=True)
class Formula:
    """Mathematics between delimiters, the delimiters left out."""

    excerpt: Excerpt
    display: bool


@dataclass(frozen=True)
class Document:
    """A page taken apart: its formulas and headings in order, its prose, and (place, what) for containers that are not read."""

    page: Page
    formulas: tuple[Formula, ...]
    headings: tuple[Heading, ...]
    prose: str
    unread: tuple[tuple[int, str], ...]


def taken_apart(page: Page, macros: Macros | None = None) -> Document:
    """The page's formulas, their macros expanded, and what stands around them. Raises EquationError."""
    if len(page.text) > MAX_TEXT:
        raise EquationError(f"{page.name}: {len(page.text)} characters, at most {MAX_TEXT} are read; cut the document")
    kind = kind_of(page)
    regions, headings = REGIONS[kind](page)
    known = (macros or Macros()).and_those_of(page, regions)
    formulas: list[Formula] = []
    unread: list[tuple[int, str]] = []
    for region in regions:
        scan = _Scan(page, known.expanded(page, known.without_definitions(region)), kind)
        formulas += scan.formulas()
        headings += scan.headings()
        unread += scan.unread()
    formulas.sort(key=lambda formula: formula.excerpt.place(0))
    headings.sort(key=lambda heading: heading.place)
    prose = list(spaces(page.text))
    for region in regions:
        if isinstance(region.places, range):
            prose[region.places.start : region.places.stop] = region.text
    return Document(page, tuple(formulas), tuple(headings), "".join(prose), tuple(sorted(unread)))


def kind_of(page: Page) -> str:
    """What the page is written in: "tex", "python", "julia", "html" or "markdown"."""
    suffix = Path(page.name).suffix.lower()
    return _SUFFIXES.get(suffix, "tex" if r"\documentclass" in page.text else "markdown")


# the scan

_TEX_HEADING = re.compile(
    r"\\(?P<macro>begin\{frame\}|part|chapter|section|subsection|subsubsection|paragraph|subparagraph|frametitle)\*?\s*(?:\[[^][]*\])?"
    r"\s*\{(?P<title>(?:[^{}]|\{[^{}]*\})*)\}"
)
_TEX_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "frametitle", "paragraph", "subparagraph")
_URL = r"(?:[^\s\"'<>()]|\((?:[^\s\"'<>()]|\((?:[^\s\"'<>()]|\([^\s\"'<>()]*\))*\))*\))+"
_IMAGE = (
    r"(?:latex\.codecogs\.com/[a-z.]*|www\.zhihu\.com/equation|render\.githubusercontent\.com/render/math|math\.now\.sh"
    r"|chart\.(?:apis\.google|googleapis)\.com/chart)\?"
)
_MATH = re.compile(
    r"(?P<escaped>\\\$|\\\\(?![(\[]))"
    r"|(?:https?:)?//" + _IMAGE + r"(?P<url>" + _URL + r")"
    r"|<img\b[^>]*?\bsrc=\"(?:https?:)?//" + _IMAGE + r"(?P<image>[^\"]*)\""
    r"|<script\b[^>]*?type=[\"']math/tex(?P<mode>[^>]*)>(?P<script>.*?)</script>"
    r"|<annotation\b[^>]*?encoding=\"application/x-tex\"[^>]*>(?P<annotation>[^<]*)</annotation>"
    r"|<math\b[^>]*>(?P<wiki>[^<]*)</math>"
    r"|\$`(?P<tick>[^`]+)`\$"
    r"|:math:`(?P<role>[^`]+)`"
    r"|``(?P<julia>[^`]+)``"
    r"|[\\@]f\$(?P<doxygen>.*?)[\\@]f\$|[\\@]f\[(?P<doxygens>.*?)[\\@]f\]"
    r"|latexmath:\[(?P<ascii>[^\]\n]*(?:\][^\]\n]+)*)\]"
    r"|\$\$(?P<dollars>.*?)(?<!\\)\$\$"
    r"|\\\\\[(?P<twice>.*?)\\\\\]|\\\\\((?P<twiceinline>.*?)\\\\\)"
    r"|\\\[(?P<brackets>.*?)\\\]"
    r"|\\\((?P<parentheses>.*?)\\\)"
    rf"|(?P<bare>\\begin\{{(?P<name>{SPLITTING})\}}.*?\\end\{{(?P=name)\}})"
    rf"|(?P<unclosed>\$\$|\\\\?\[|\\\\?\(|\\begin\{{{SPLITTING}\}})"
    r"|\$(?P<inline>(?:[^$\\\n]|\\.|\n(?![ \t]*\n))+)\$",
    re.M | re.S,
)
_DISPLAYED = ("dollars", "brackets", "twice", "bare", "doxygens")
_SPANS = ("parentheses", "twiceinline", "inline", "tick", "role", "julia", "doxygen", "ascii", "wiki")
_DIRECTIVE = re.compile(r"^(?P<indent>[ \t]*)\.\.[ ]+math::(?P<first>[^\n]*)\n?", re.M)
_OPTION = re.compile(r"[ \t]*:[\w-]+:[^\n]*$")
_ATX = re.compile(r"^[ ]{0,3}(?P<signs>\#{1,6})[ \t]+(?P<title>[^\n]+?)[ \t#]*$", re.M)
_UNDERLINED = re.compile(r"^(?P<title>[^\s\n][^\n]*)\n(?P<sign>[=\-~^\"*+])(?P=sign){2,}[ \t]*$", re.M)
_BOLD = re.compile(r"^[ ]{0,3}(?:\d+[.)][ ]+)?(?:\*\*|__)(?P<title>[^*_\n]+)(?:\*\*|__)[ \t:：]*$", re.M)
# A line such as "Variant A:" or "The coupled LSTM:", which begins another model where a document has several.
LABEL = 8
_LABEL = re.compile(
    r"^[ ]{0,3}(?:[-*+][ ]+|\d+[.)][ ]+)?"
    r"(?=[^\n]*\b(?:variants?|version|rnn|lstm|gru|peepholes?|coupled|alternative|alternate|option)\b)"
    r"(?P<title>[^\n$:：]{2,60})[:：][ \t*]*$",
    re.MULTILINE | re.IGNORECASE,
)
_HTML_HEADING = re.compile(r"<h(?P<level>[1-6])\b[^>]*>(?P<title>(?:[^<]|<(?!/h[1-6]))*)</h[1-6]>", re.I)
_NOT_READ = (
    (re.compile(r"<math\b[^>]*>\s*<"), "MathML without its TeX is not read"),
    (re.compile(r"\\(?:input|include|subfile)\s*\{[^{}\n]+\}"), "the file that is named here is not there, and not read"),
    (re.compile(r"stem:\[[^\]\n]*\]"), "AsciiMath is not read"),
)
_PICTURE = re.compile(r"!\[[^\]\n]*\]\([^)\n]*\.(?:png|jpe?g|gif|svg|webp)[^)\n]*\)|<img\b[^>]*>|\\includegraphics\b", re.I)


class _Scan:
    """One region: its formulas, headings, and what is seen and not read."""

    def __init__(self, page: Page, region: Excerpt, kind: str) -> None:
        self.page, self.region, self.kind = page, region, kind

    def formulas(self) -> Iterator[Formula]:
        text = self.region.text
        if self.kind != "tex":
            for start, stop, formula in list(self.directives()):
                text = text[:start] + spaces(text[start:stop]) + text[stop:]
                yield formula
        at = 0
        while match := _MATH.search(text, at):
            at = match.end()
            if match["escaped"]:
                continue
            if match[0].startswith(r"\\") and (self.kind == "tex" or match["unclosed"]):
                at = match.start() + 2  # a line break
                continue
            if match["unclosed"]:
                if self.kind in ("python", "julia"):
                    return  # a region of code need not be mathematics
                self.page.fault(self.region.place(match.start()), f"{match['unclosed']} is never closed; close it")
            if match["julia"] is not None and self.kind != "julia":
                at = match.start() + 2  # quotation marks, in TeX say
                continue
            yield from self.found(match)

    def found(self, match: re.Match[str]) -> Iterator[Formula]:
        for kind in ("url", "image"):
            if match[kind] is not None:
                yield Formula(_decoded(self.region, match.start(kind), match[kind]), self.alone(match))
                return
        for kind in (*_DISPLAYED, *_SPANS, "script", "annotation"):
            if match[kind] is None:
                continue
            display = kind in _DISPLAYED or (kind == "script" and "display" in match["mode"])
            display = display or (kind in ("annotation", "wiki") and r"\displaystyle" in match[kind])
            excerpt = self.region[match.start(kind) : match.end(kind)]
            if kind == "inline" and excerpt.text.startswith("latex "):  # WordPress
                excerpt = excerpt[6:]
            if self.kind == "markdown":
                excerpt = excerpt.substitute(_ESCAPED, lambda _: "_")
            if self.kind == "html" or kind in ("script", "annotation", "wiki"):
                excerpt = excerpt.substitute(_MARKUP, _plain)
            yield Formula(excerpt, display)

    def alone(self, match: re.Match[str]) -> bool:
        """Whether an image has a line of its own."""
        text = self.region.text
        start, stop = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
        before, behind = text[start : match.start()], text[match.end() : stop if stop >= 0 else len(text)]
        words = re.sub(r"!\[[^\]]*\]|<[^<>]*>?|[^<>]*>|https?:|src=|\W", "", f"{before} {behind}")
        return not re.search(r"[^\W_]{3}", words)

    def directives(self) -> Iterator[tuple[int, int, Formula]]:
        """The math directives of reStructuredText: what is indented deeper; an empty line ends an equation."""
        text = self.region.text
        for match in _DIRECTIVE.finditer(text):
            indent = len(match["indent"].expandtabs())
            end, options = match.end(), True
            pieces = [self.region[match.start("first") : match.end("first")]]
            while end < len(text):
                stop = text.find("\n", end)
                stop = len(text) if stop < 0 else stop + 1
                line = text[end:stop]
                if line.strip() and len(line) - len(line.lstrip()) <= indent:
                    break
                if options and _OPTION.match(line.rstrip("\n")):
                    line = spaces(line)
                elif line.strip():
                    options = False
                written = line if line.strip() else "\f" * len(line)
                pieces.append(Excerpt(written, self.region.places[end:stop]))
                end = stop
            places = [place for piece in pieces for place in piece.places]
            yield match.start(), end, Formula(Excerpt("".join(piece.text for piece in pieces), places), True)

    def headings(self) -> Iterator[Heading]:
        text = self.region.text
        if self.kind == "tex":
            for match in _TEX_HEADING.finditer(text):
                level = 1 + _TEX_LEVELS.index(match["macro"].replace("begin{frame}", "frametitle"))
                yield Heading(self.region.place(match.start()), level, _title(match["title"]))
            return
        for match in _HTML_HEADING.finditer(text):
            yield Heading(self.region.place(match.start()), int(match["level"]), _title(re.sub(r"<[^>]*>", "", match["title"])))
        if self.kind == "html":
            return
        for match in _ATX.finditer(text):
            yield Heading(self.region.place(match.start()), len(match["signs"]), _title(match["title"]))
        for match in _UNDERLINED.finditer(text):
            yield Heading(self.region.place(match.start()), 1 + '=-~^"*+'.index(match["sign"]), _title(match["title"]))
        for match in _BOLD.finditer(text):
            yield Heading(self.region.place(match.start()), 9, _title(match["title"]))
        for match in _LABEL.finditer(text):
            yield Heading(self.region.place(match.start()), LABEL, _title(match["title"]))

    def unread(self) -> Iterator[tuple[int, str]]:
        for pattern, what in _NOT_READ:
            for match in pattern.finditer(self.region.text):
                yield self.region.place(match.start()), what


_PLAIN_EQUATION = re.compile(
    r"^[ \t>]*[^\s=]{1,30}[ \t]*=[^=\n]*(?:_\{?t[ ]*[-−][ ]*1|ₜ₋₁|\[t[ ]*-[ ]*1\]|prev)|<sub>\s*t\s*[-−–]\s*1\s*</sub>", re.M
)


def plain_equation(document: Document) -> int | None:
    """Where code, or text without delimiters, looks like a recurrence."""
    match = _PLAIN_EQUATION.search(document.page.text)
    return match.start() if match else None


def pictures(document: Document) -> int:
    """How many pictures the prose shows."""
    return sum(1 for _ in _PICTURE.finditer(document.prose))


def _title(text: str) -> str:
    return " ".join(re.sub(r"\$[^$]*\$|\\[A-Za-z]+|[{}*_`]|\[([^\]]*)\]\([^)]*\)", lambda m: m[1] or " ", text).split())


_ESCAPED = re.compile(r"(?<![A-Za-z]{2})\\_|\\_(?![A-Za-z]{2})")  # h\_t, and not hard\_sigmoid
_MARKUP = re.compile(
    r"&(?:#\d+|#x[0-9a-fA-F]+|[A-Za-z]+);|</?(?:br|span|p|div|wbr|font|nobr)\b[^<>]*>|\A%[^\n]*<!\[CDATA\[|%?\]\]>"
)


def _plain(match: re.Match[str]) -> str:
    """An entity's character, a tag's nothing."""
    text = html.unescape(match[0]) if match[0].startswith("&") else ""
    text = {"&space;": " ", "&plus;": "+"}.get(text, text)
    return " " if text in ("\xa0", "") else text


_QUOTED_IN_URL = re.compile(r"(?:%[0-9A-Fa-f]{2})+|\+")
_DRAWN = re.compile(r"\\(?:inline|dpi\{\d+\}|bg_\w+|fn_\w+|large|small)\b")
_PLUS_IS_SPACE = re.compile(r"%2B|&plus;", re.I)


def _decoded(region: Excerpt, start: int, url: str) -> Excerpt:
    """The formula that an image's address holds."""
    query = url
    for name in ("tex=", "math=", "chl=", "from="):
        if (found := re.search(rf"(?:^|[?&]){name}", url)) is not None:
            start, query = start + found.end(), re.split(r"&(?=[a-z]+=)", url[found.end() :])[0]
            break
    excerpt = Excerpt(query, region.places[start : start + len(query)])
    plus = " " if _PLUS_IS_SPACE.search(query) or "zhihu" in region.text[max(0, start - 40) : start] else "+"
    excerpt = excerpt.substitute(
        re.compile(r"(?:%[0-9A-Fa-f]{2})+|\+"), lambda match: plus if match[0] == "+" else unquote(match[0])
    )
    return excerpt.substitute(_MARKUP, _plain).substitute(
        re.compile(r"\\(?:inline|dpi\{\d+\}|bg_\w+|fn_\w+|large|small)\b"), lambda _: " "
    )
