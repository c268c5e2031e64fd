"""Names, sizes and comments as a generated module prints them."""

from __future__ import annotations

import builtins
import keyword
import math
import re
import textwrap
from collections.abc import Iterable
from typing import Any

import sympy as sp

from rnnproof.errors import GenerationError

# What a generated module calls its own things; tests/generation/test_names.py holds this list against the modules themselves.
RESERVED = frozenset(
    "np xs params initial trace d_states steps batch dtype sizes packed given tape annotations NamedTuple Any "
    "forward backward step prepare Trace Gradients Packed PARAMETERS STATES INPUT name array shape "
    "states fixed constants first seeds parameters gradients arrays "
    "READ_STATES Array Mapping values "
    "_checked _entered _seeded _constants _shapes _solve _agree _closed _is_known _length "
    "_known _array _text _arrays _rows _sequence _columns _total _erf _normal _sigmoid _NORMAL_SERIES _pack".split()
) | frozenset(dir(builtins))
_OURS = re.compile(r"(work|kept)_\d+|n_(hidden|input|\w+_(size|rank|input))|\w+_(seq|new)")


def identifier(name: str) -> str:
    """A Python name for a variable: itself, or with one more underscore where, without those at its end, it is no name for one.

    No two variables get the same: np is np_, and np_ is np__. None gets a word of the language, a built-in function's name, or
    a name that the module uses for something of its own.
    """
    base = name.rstrip("_")
    taken = keyword.iskeyword(base) or keyword.issoftkeyword(base) or base in RESERVED or _OURS.fullmatch(base)
    return f"{name}_" if taken else name


def bounds(start: Any, stop: Any, total: Any) -> str:
    """start:stop as code, formatted as ruff would: no spaces around a colon between names."""
    first = "" if start == 0 else size_text(start)
    last = "" if sp.expand(stop - total) == 0 else size_text(stop)
    simple = re.fullmatch(r"\w*", first) and re.fullmatch(r"\w*", last)
    return f"{first}:{last}" if simple else f"{first} : {last}".strip()


def size_text(size: Any) -> str:
    """A size as code: hidden -> n_hidden, 3*hidden -> 3 * n_hidden."""
    named = size.subs({symbol: sp.Symbol(f"n_{symbol.name}", positive=True) for symbol in size.free_symbols})
    return re.sub(r"(?<=\w)\*(?=\w)", " * ", str(sp.expand(named)))


def number(text: Any) -> str:
    """1.0 -> 1.0, 0.5 -> 0.5; the shortest text of a literal. Raises GenerationError beyond the range of float64."""
    value = float(text)
    if not math.isfinite(value):
        raise GenerationError("constants of the equations multiply to more than float64 holds (1.8e308); rescale the equations")
    return repr(value)


def comment(text: str) -> list[str]:
    """A comment, in as many lines as it needs."""
    return [f"# {line}" for line in textwrap.wrap(text, 112, subsequent_indent="  ")]


_PLAIN: Iterable[tuple[str, str]] = (
    (r"\\(?:left|right|mathbf|boldsymbol|mathrm|operatorname|text|displaystyle|bigl?|bigr?|Bigl?|Bigr?)(?![a-zA-Z])", ""),
    (r"\\(bar|tilde|hat|dot|vec)\s*(?:\{\\?([a-zA-Z]+)\}|\\?([a-zA-Z]))", r"\2\3\1"),
    (r"\\odot|\\circ|\\cdot|\\ast", "*"),
    (r"\\sigma(?![a-zA-Z])", "sigmoid"),
    (r"\\[,;:!]|\\quad|\\qquad|\\ ", " "),
    (r"\\top|\\intercal", "T"),
    (r"\\_", "_"),
    (r"\\([a-zA-Z]+)", r"\1"),
    (r"\\", ""),  # the text stands in a docstring too, where a backslash would begin an escape
    (r"\{(\w+)\}", r"\1"),
    (r"\{(\([^{}]*\))\}", r"\1"),
    (r"(?<=[\w)])\s*([+=*])\s*(?=[\w(])", r" \1 "),
    (r"\s+", " "),
)


def plain(tex: str) -> str:
    """An equation's LaTeX as a comment can show it."""
    text = tex
    for pattern, replacement in _PLAIN:
        text = re.sub(pattern, replacement, text)
    return re.sub(r"[^\x20-\x7e]", "?", text).strip()
