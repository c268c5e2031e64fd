"""Names, sizes and comments as a generated module prints them."""

from __future__ import annotations

import ast
import builtins
import keyword
import math
import re
import textwrap
from collections.abc import Iterable
from typing import Any

import sympy as sp

from rnnproof.errors import GenerationError
from rnnproof.generation.numpy.template import FILLED, PACKS_LATE, TABLES, TEMPLATE, standalone, support


def _own_names() -> frozenset[str]:
    """What a generated module calls its own things, read off its template: at the top, and in the functions that get filled."""
    text = TEMPLATE.replace("@PREPARE@", PACKS_LATE).replace("@IMPORTS@", standalone(())[0])
    text = re.sub(r"^(@\w+@)+$", "", text, flags=re.M)
    tree = ast.parse(re.sub(r"@\w+@", "_", text.replace("@PACK@", "    pass").replace("@SUPPORT@", "")))
    filled = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in FILLED]
    used = {node.id for function in filled for node in ast.walk(function) if isinstance(node, ast.Name)}
    arguments = {node.arg for function in filled for node in ast.walk(function) if isinstance(node, ast.arg)}
    return frozenset(used | arguments | support().keys() | {name for node in tree.body for name in _defined(node)})


def _defined(node: ast.stmt) -> list[str]:
    """The names that a statement at the top of a module defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
    return []


# No variable of a cell gets one of these. Beside the template's there are the names in the lines between: the validation knows
# each of these lines by heart, refuses any other, and cannot be imported where one of their names is missing here.
RESERVED = _own_names() | {*TABLES, "constants", "fixed", *dir(builtins)}
_OURS = re.compile(r"(work|kept)_\d+|n_(hidden|input|\w+_(size|rank|input))|\w+_(seq|new)")


def identifier(name: str) -> str:
    """A Python name for a variable: itself, or with one more underscore where, without those at its end, it is no name for one.

    No two variables get the same: np is np_, and np_ is np__. None gets a word of the language, a built-in function's name, or
    a name that the module uses for something of its own.
    """
    base = name.rstrip("_")
    taken = not base or keyword.iskeyword(base) or keyword.issoftkeyword(base) or base in RESERVED or _OURS.fullmatch(base)
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
