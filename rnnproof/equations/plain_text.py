"""LaTeX -> terminal text: one pass over the tokens with a table of signs; what it does not know it leaves readable."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega"
_FONTS = (
    "mathcal mathrm mathbf mathbb mathit mathsf mathtt mathfrak mathscr boldsymbol operatorname "
    "text textrm textbf textit textsf texttt"
).split()
_SIGNS = (
    {
        "odot": "⊙",
        "otimes": "⊗",
        "circ": "⊙",
        "oslash": "⊘",
        "cdot": "·",
        "cdots": "⋯",
        "dots": "…",
        "ldots": "…",
        "times": "×",
        "top": "ᵀ",
        "partial": "∂",
        "nabla": "∇",
        "sum": "Σ",
        "prod": "Π",
        "ell": "ℓ",
        "le": "≤",
        "leq": "≤",
        "ge": "≥",
        "geq": "≥",
        "cup": "∪",
        "infty": "∞",
        "lVert": "‖",
        "rVert": "‖",
        "|": "‖",
        "langle": "⟨",
        "rangle": "⟩",
        "gets": "←",
        "leftarrow": "←",
        "equiv": "≡",
        "triangleq": "≜",
        "left": "",
        "right": "",
        "big": "",
        "Big": "",
        "quad": "  ",
        ";": " ",
        ",": " ",
        ":": " ",
        "!": "",
        " ": " ",
        "_": "_",
        "varepsilon": "ε",
        "varphi": "φ",
    }
    | dict.fromkeys(_FONTS, "")
    | {
        name: unicodedata.lookup(f"GREEK {case} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")
        for case, names in (("SMALL", _GREEK.split()), ("CAPITAL", [word.capitalize() for word in _GREEK.split()]))
        for name in names
    }
)
_MARKS = {
    "bar": "\u0304",
    "overline": "\u0304",
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "hat": "\u0302",
    "widehat": "\u0302",
    "dot": "\u0307",
    "ddot": "\u0308",
    "vec": "\u20d7",
    "overrightarrow": "\u20d7",
    "overleftarrow": "\u20d6",
    "check": "\u030c",
    "breve": "\u0306",
}
_RAISED = {"ᵀ": "ᵀ", "2": "²", "3": "³", "+": "⁺", "-1": "⁻¹"}
_TOKEN = re.compile(r"\\(?:partial|nabla)\s*|\\[A-Za-z]+|\\.|[{}_^]|\s+|[^\\{}_^\s]", re.DOTALL)


def plain(tex: str) -> str:
    """A formula for the terminal: h_{t-1} stays, accents combine, signs become their Unicode characters."""
    words = "".join(_words(iter(_TOKEN.findall(tex))))
    return re.sub(r" +(?=[ )])", "", words).strip()


def bare(name: str) -> str:
    """A printed name without braces and blanks, so that h_{t-1} and W_\\bar{h} are found however they are written."""
    return re.sub(r"[{}\s]", "", name)


def prose(markdown: str) -> str:
    """A sentence with inline $math$, **bold** and [links](target) for the terminal."""
    labels = re.sub(r"\[([^\]]*)\]\([^)\s]*\)", r"\1", markdown.replace("**", ""))
    return re.sub(r"\$([^$]+)\$", lambda match: plain(match[1]), labels)


def _words(tokens: Iterator[str]) -> Iterator[str]:
    for token in tokens:
        if token == "}":
            return
        yield _word(token, tokens)


def _word(token: str, tokens: Iterator[str]) -> str:
    if token == "{":
        return "".join(_words(tokens))
    if token in "_^":
        return _script(token, _group(tokens))
    if token == r"\frac":
        over, under = _group(tokens), _group(tokens)
        return f"{over}/{under}" if len(under) < 12 and " " not in over + under else f"({over})/({under})"
    if token.startswith("\\"):
        name = token[1:].strip() or " "
        if name in _MARKS:
            base = _group(tokens)
            return f"{base}{_MARKS[name]}" if len(base) == 1 else f"{name}({base})"
        return _SIGNS.get(name, name)
    return token if not token.isspace() else " "


def _group(tokens: Iterator[str]) -> str:
    token = next(tokens, "")
    while token.isspace():
        token = next(tokens, "")
    return _word(token, tokens).strip() if token else ""


def _script(place: str, content: str) -> str:
    if place == "^" and content in _RAISED:
        return _RAISED[content]
    bare = "".join(char for char in content if not unicodedata.combining(char))
    simple = len(bare) == 1 or bare.isalnum() or (bare.startswith("(") and bare.endswith(")"))
    return f"{place}{content}" if simple else f"{place}{{{content}}}"
