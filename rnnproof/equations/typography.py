"""What mathematics looks like and does not mean: colours, boxes, spacing, sizes; and Unicode that stands for macros."""

from __future__ import annotations

import re
import unicodedata

from rnnproof.equations.page import Excerpt, blank, spaces

BRACES = r"\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.)*\})*\})*\})*\})*\}"
RELATION = r":=|=|\\(?:leftarrow|gets|equiv|triangleq|coloneqq|coloneq|in|leftarrow)(?![A-Za-z])|[←≔≡≜∈]"

_TEXT = r"\\(?:text|textrm|textbf|textit|textsf|textnormal|mbox|hbox|mathrm)\s*\{[^{}]*\}"
_MARKS = {
    **{"\u0303": "tilde", "\u0302": "hat", "\u0304": "bar", "\u0305": "bar", "\u0307": "dot", "\u0308": "ddot"},
    **{"\u20d7": "vec", "\u030c": "check", "\u0306": "breve", "\u20d6": "overleftarrow"},
}
_UNICODE = re.compile(
    rf"(?P<text>{_TEXT})|(?P<marked>[^\W\d_][\u0300-\u036f\u20d0-\u20ef]+)|(?P<composed>[À-ÖØ-öø-ſḀ-ỿ])"
    r"|(?P<raised>[\u2070-\u209f\u00b2\u00b3\u00b9\u1d2c-\u1d6a\u02b0-\u02b8\u2c7c\u1d9c-\u1dbf]+)"
    r"|(?P<wide>[\U0001d400-\U0001d7ff\uff01-\uff5e\u210a-\u2115\u212c-\u2134])"
)
_WRAPPERS = re.compile(
    r"\\(?:textcolor|color)\s*(?:\[[^\]]*\])?\s*\{[^{}]*\}|\\colorbox\s*\{[^{}]*\}|\\fcolorbox\s*\{[^{}]*\}\s*\{[^{}]*\}"
    r"|\\alert\s*(?:<[^<>]*>)?(?![A-Za-z])|\\bbox\s*(?:\[[^\]]*\])?|\\(?:boxed|fbox|ensuremath|smash|cancelto)(?![A-Za-z])"
    r"|\\(?:class|style|cssId|href|htmlClass|htmlId)\s*\{[^{}]*\}"
)
_DROPPED = re.compile(
    rf"\\(?:[hv]?phantom|footnote|cite[pt]?|eqref|ref|pageref|footnotemark)\s*(?:\[[^\]]*\])?\s*{BRACES}"
    r"|\\(?:label|tag|hspace|vspace|hskip|kern|mkern|mskip)\*?\s*(?:\{[^{}]*\}|-?[\d.]+\s*(?:pt|em|ex|mu|mm|cm|in))"
    r"|\\(?:nonumber|notag|displaystyle|textstyle|scriptstyle|scriptscriptstyle|limits|nolimits|displaylimits|bf|rm|it|sf|em"
    r"|boldmath|unboldmath|hfill|allowbreak|xspace|mathstrut|strut|relax|protect|noindent|centering|tiny|scriptsize"
    r"|footnotesize|small|normalsize|large|Large|LARGE|huge|Huge|qedhere)(?![A-Za-z])"
    r"|\\(?:text|mbox|hbox|textrm)\s*\{\s*\}|(?<![_^}\\A-Za-z])\{\s*\}"
)
_BRACED = re.compile(
    rf"\\(?:under|over)brace\s*(?P<kept>{BRACES})(?:\s*[_^]\s*(?:{BRACES}|\\[A-Za-z]+\s*{BRACES}|[^\s\\{{}}]))?"
    rf"|\\(?:stackrel|overset|underset)\s*{BRACES}\s*(?P<sign>{BRACES}|=)"
    rf"|\\math(?:rel|bin|op|ord|open|close|inner|punct)\s*(?P<class>{BRACES})"
)
_OVER = re.compile(
    r"\\overset\s*\{?\s*(?P<mark>\\(?:long)?(?:left|right)arrow|\\to|\\sim|\\wedge|\\frown)\s*\}?\s*"
    r"(?P<under>\{[^{}=]*\}|[A-Za-z])"
)
_BETWEEN = re.compile(
    r"\\(?:text|mbox|textrm|mathrm|hbox)\s*\{\s*,?\s*(?:and|where|with|und|mit|et|y|con|donde|и|где|其中|及|と)\s*,?:?\s*\}(?!\s*[_^])"
)
# A column of words beside the equations, and words between their rows.
_BESIDE = re.compile(
    r"&\s*&\s*\\(?:text(?:it|rm|sf|normal|sl)?|mbox)\s*\{[^{}]*\}(?=\s*(?:\\\\|\\(?:tag|label|end|nonumber|notag)\b|\Z))"
)
_ROWS_BETWEEN = re.compile(r"\\(?:short)?intertext\s*\{(?:[^{}]|\{[^{}]*\})*\}")
_FRACTION = re.compile(
    rf"(?P<macro>\\[dt]?frac)(?:\s*(?P<over>{BRACES})\s*(?P<under>\d|\\[A-Za-z]+|[A-Za-zα-ω])"
    rf"|\s*(?P<over1>\d|(?<![A-Za-z])\\[A-Za-z]+|(?<=\s)[A-Za-zα-ω])\s*(?P<under1>{BRACES}|\d|\\[A-Za-z]+|[A-Za-zα-ω]))"
)
_ARRAY = re.compile(
    r"(?:\\left\s*)?[(\[]\s*\\begin\{array\}\s*\{[clr]\}(?P<inner>(?:(?!\\(?:begin|end)\{).)*)\\end\{array\}\s*(?:\\right\s*)?[)\]]",
    re.S,
)
_OVER_MARKS = {"sim": "tilde", "wedge": "hat", "frown": "overarc", "to": "overrightarrow"}
_OPERATOR = re.compile(rf"\{{\s*(?:{RELATION}|\\[A-Za-z]+|[^\w\s\\{{}}])?\s*\}}")
_HELD = re.compile(rf"(?<![_^}}\]A-Za-z])(?<![_^}}\]A-Za-z]\s)(?P<braces>{BRACES})")
_NOISE = re.compile(
    r"(?P<keep>\\\\|\\%)|\\(?P<edge>begin|end)\{[a-zA-Z]*matrix\}"
    r"|%[^\n]*"
    r"|\\(?:left|right)(?![A-Za-z])\s*\.?|\\(?:middle|[bB]igg?[lrm]?)(?![A-Za-z])"
    r"|\\[,;:!> \n]|[~&]"
)


def plain(excerpt: Excerpt) -> Excerpt:
    """The excerpt in plain LaTeX: without colours, boxes, labels and spacing; Unicode accents and scripts as macros."""
    excerpt = excerpt.substitute(_UNICODE, _macro)
    excerpt = excerpt.substitute(_ARRAY, lambda match: rf"\begin{{bmatrix}}{match['inner']}\end{{bmatrix}}")
    excerpt = excerpt.substitute(_OVER, _accent).substitute(_BETWEEN, lambda match: r"\quad ".ljust(len(match[0])))
    excerpt = excerpt.substitute(_ROWS_BETWEEN, lambda match: r"\\".ljust(len(match[0]))).substitute(_BESIDE, blank)
    excerpt = excerpt.substitute(_FRACTION, _braced)
    text = _DROPPED.sub(blank, _WRAPPERS.sub(blank, excerpt.text))
    for _ in range(10):
        before = text
        text = _BRACED.sub(_unwrapped, text)
        if text == before:
            break
    return Excerpt(quiet(_HELD.sub(_without_braces, text)), excerpt.places)


def quiet(tex: str) -> str:
    """The text without sizes of brackets, comments and spaces, as long as before; an & stays in a matrix, where it is none."""
    inside = 0

    def written(match: re.Match[str]) -> str:
        nonlocal inside
        if match["edge"]:
            inside += 1 if match["edge"] == "begin" else -1
        return match[0] if match["keep"] or match["edge"] or (match[0] == "&" and inside > 0) else blank(match)

    return _NOISE.sub(written, tex)


def _braced(match: re.Match[str]) -> str:
    """A fraction with both its parts in braces."""
    parts = [
        part if part.startswith("{") else f"{{{part}}}"
        for part in (match["over"] or match["over1"], match["under"] or match["under1"])
    ]
    return f"{match['macro']}{parts[0]}{parts[1]}"


def _macro(match: re.Match[str]) -> str:
    """LaTeX for a run of Unicode characters."""
    text = match[0]
    if match["text"]:
        return text
    if match["wide"]:
        return {"ℓ": r"\ell "}.get(text, unicodedata.normalize("NFKC", text))
    if match["raised"]:
        place = "_" if "<sub>" in unicodedata.decomposition(text[0]) else "^"
        inner = unicodedata.normalize("NFKC", text)
        return f"{place}{{{inner}}}"
    letter, *marks = list(unicodedata.normalize("NFD", text))
    if not marks or any(mark not in _MARKS for mark in marks):
        return text
    for mark in marks:
        letter = rf"\{_MARKS[mark]}{{{letter}}}"
    return letter


def _accent(match: re.Match[str]) -> str:
    name = match["mark"].lstrip("\\").removeprefix("long")
    name = _OVER_MARKS.get(name, f"over{name}")
    under = match["under"]
    return rf"\{name}{under if under.startswith('{') else f'{{{under}}}'}"


def _unwrapped(match: re.Match[str]) -> str:
    """What a brace, a stack or a class of spacing is put around, where it stood; an operator loses its braces."""
    name = next(name for name in ("kept", "sign", "class") if match[name] is not None)
    kept = match[name]
    if name == "class" and re.search(r"\\\||\\Vert|‖", kept):
        return match[0]  # a concatenation's sign
    if name != "kept" and _OPERATOR.fullmatch(kept):
        kept = f" {kept[1:-1]} "
    elif name == "sign" and kept != "=":
        return match[0]  # it may be an accent: nobody guesses
    before = match.start(name) - match.start()
    return spaces(match[0][:before]) + kept + spaces(match[0][before + len(kept) :])


def _without_braces(match: re.Match[str]) -> str:
    """The group without its braces where it holds a whole equation."""
    inner = match["braces"][1:-1]
    depth, outer = 0, []
    for character in inner:
        depth += (character == "{") - (character == "}")
        if depth == 0:
            outer.append(character)
    return f" {inner} " if re.search(RELATION, "".join(outer)) else match[0]
