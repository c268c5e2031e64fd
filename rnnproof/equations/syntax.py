"""LaTeX of one equation -> a syntax tree, through the Lark grammar beside this file. Nothing is evaluated."""

from __future__ import annotations

import keyword
import re
import unicodedata
from dataclasses import replace
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import lark

from rnnproof.equations import activations, symbols
from rnnproof.equations.source import clean
from rnnproof.equations.subscripts import Script, is_power, joined, nested, transposition
from rnnproof.equations.syntax_tree import (
    AnySize,
    Column,
    Declaration,
    Fault,
    Group,
    IndexSum,
    Mapping,
    Node,
    Number,
    Product,
    Quotient,
    Relation,
    Scripted,
    Sum,
    Symbol,
    Transposed,
)

_ACCENTS = {"overline": "bar", "widetilde": "tilde", "widehat": "hat"}
_STARRED = {"*": "star", "+": "plus", "-": "minus"}


_SCIENTIFIC = re.compile(r"(?<![\w.\\{^])\d+(?:\.\d*)?[eE][-+−]\s*\d+")


def parse(tex: str, start: str) -> Any:
    """The tree of `tex` read as an `equation`, a `declaration` or a `body`. Raises Fault."""
    return parsed_by(_parser(), Builder(), tex, start)


def parsed_by(parser: lark.Lark, builder: Builder, tex: str, start: str) -> Any:
    """The tree that `builder` makes of what `parser` reads. Raises Fault."""
    if found := _SCIENTIFIC.search(tex):
        raise Fault(found.start(), f"{found[0]} is read as a product; write the number in full, as 0.001")
    try:
        return builder.transform(parser.parse(tex, start=start))
    except RecursionError:
        raise Fault(0, "nested too deeply; write the equation in steps") from None
    except lark.exceptions.VisitError as error:
        if isinstance(error.orig_exc, Fault):
            raise error.orig_exc from None
        raise
    except lark.exceptions.UnexpectedCharacters as error:
        raise _unknown(tex, error.pos_in_stream or 0) from None
    except lark.exceptions.UnexpectedToken as error:
        raise _unexpected(tex, error.token, error.accepts or error.expected) from None


def parse_symbols(tex: str) -> list[Symbol]:
    """The symbols of a list such as `\\alpha, \\beta`. Raises Fault for anything else."""
    found = []
    for piece in re.split(r",(?![^{(]*[})])", tex):
        symbol = _symbol(piece)
        if symbol is None:
            raise Fault(0, "no symbol")
        found.append(symbol)
    return found


@lru_cache(maxsize=4096)
def _symbol(tex: str) -> Symbol | None:
    """The symbol that a text is, or None; a document names few symbols, and each of them often."""
    try:
        body = parse(tex, "body").body
    except Fault:
        return None
    return body if isinstance(body, Symbol) else None


def parse_body(tex: str) -> Any:
    """The tree of a function's body given by itself."""
    return parse(clean(tex), "body")


def grammar() -> str:
    """The grammar of equations, as Lark reads it."""
    return resources.files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")


@cache
def _parser() -> lark.Lark:
    starts = ["equation", "declaration", "body"]
    return lark.Lark(grammar(), parser="lalr", start=starts, propagate_positions=True, maybe_placeholders=False)


def macros(terminal: str) -> tuple[str, ...]:
    r"""The macros that the grammar's terminal lists, such as \bar and \tilde for ACCENT."""
    (pattern,) = (rule.pattern.value for rule in _parser().terminals if rule.name == terminal)
    listed = re.search(r"\(((?:[A-Za-z]+\|)+[A-Za-z]+)\)", pattern)
    return tuple(f"\\{name}" for name in listed[1].split("|")) if listed else ()


def _unknown(tex: str, at: int) -> Fault:
    macro = re.compile(r"\\[A-Za-z]+|\\?.", re.S).match(tex, at)
    command = macro[0] if macro else ""
    if command.startswith("\\") and len(command) > 1:
        return Fault(at, f"{command} is not understood here; write the equation without it")
    if command == "&":
        return Fault(at, "a matrix of several columns is not understood; name its blocks and write their products as a sum")
    return Fault(at, f"{command!r} is not understood in an equation; remove it")


def _unexpected(tex: str, token: Any, expected: Any) -> Fault:
    if token.type == "$END":
        opened = "".join(tex.count(c) > tex.count(d) and c or "" for c, d in ("{}", "()", "[]"))
        if opened:
            return Fault(len(tex), f"the equation ends while {opened[0]!r} is still open; close it")
        return Fault(len(tex), "the equation ends too early; something is missing here")
    at = token.start_pos
    if re.search(r"\\[dt]?frac\s*(?:\{[^{}]*\}\s*)?$", tex[:at]):
        return Fault(at, r"a fraction has both its parts in braces; write \frac{1}{2}")
    if token.type in ("RBRACE", "CLOSE"):
        return Fault(at, f"{token} closes nothing or comes too early; balance the brackets")
    if token.type == "RELATION":
        return Fault(at, r"an equation has one =; put each equation on a line of its own, ended by \\")
    return Fault(at, f"{token} is not expected here; complete what stands before it")


class Builder(lark.Transformer[Any, Any]):
    """Lark's tree -> ours, bottom-up; one method for each rule of the grammar."""

    def equation(self, parts: list[Any]) -> Node:
        left, *middle, right = parts[::2]
        return Relation(left.at, left, right, tuple(middle))

    def declaration(self, parts: list[Any]) -> Node:
        symbols = tuple(part for part in parts if isinstance(part, Node))
        extent = parts[-1] if isinstance(parts[-1], tuple) else ()
        return Declaration(symbols[0].at, symbols, extent)

    def extent(self, parts: list[Any]) -> tuple[Node, ...]:
        return tuple(part for part in parts if isinstance(part, Node))

    def one_extent(self, parts: list[Any]) -> tuple[Node, ...]:
        return (parts[0],)

    def size(self, parts: list[Any]) -> Node:
        first = parts[0]
        if len(parts) == 1 and isinstance(first, Node):
            return first
        return AnySize(first.at if isinstance(first, Node) else first.start_pos)

    def atom(self, parts: list[Any]) -> Node:
        if parts[0].type == "NUMBER":
            return Number(parts[0].start_pos, str(parts[0]))
        return replace(self.letter(parts[:1]), scripts=tuple(parts[1:]))

    def index_sum(self, parts: list[Any]) -> Node:
        sign, *scripts, body = parts
        counted = [part for script in scripts if script.place == "_" for part in script.parts]
        last = [part for script in scripts if script.place == "^" for part in script.parts]
        shorter = [part[:1] if part[1:] == ("-", "1") and counted[0][1:] == ("=", "0") else part for part in last]
        whole = not last or (len(last) == 1 == len(shorter[0]) and last[0][0] not in _COUNTING)
        if len(counted) == 1 and len(counted[0]) == 3 and counted[0][1:] in (("=", "0"), ("=", "1")):
            counted = [counted[0][:1]]
        if not whole or len(counted) != 1 or len(counted[0]) != 1 or len(counted[0][0]) != 1:
            raise Fault(sign.start_pos, "a sum runs over all entries that one letter counts, as \\sum_j W_{ij} x_j")
        return IndexSum(sign.start_pos, counted[0][0], body)

    def body(self, parts: list[Any]) -> Node:
        named = len(parts) == 3
        return Mapping(parts[0].at, parts[0] if named else None, parts[-1])

    def sum(self, parts: list[Any]) -> Node:
        terms: list[tuple[int, Node]] = []
        sign, at = 1, None
        for part in parts:
            if isinstance(part, Node):
                terms.append((sign, part))
                sign, at = 1, part.at if at is None else at
            else:
                sign = -1 if part in "-−" else 1
                at = part.start_pos if at is None else at
        return terms[0][1] if len(terms) == 1 and terms[0][0] == 1 else Sum(at or 0, tuple(terms))

    def hadamard(self, parts: list[Any]) -> Any:
        factors = [parts[0]]
        for sign, factor in zip(parts[1::2], parts[2::2], strict=True):
            if sign.type == "OSLASH":
                factors = [Quotient(factors[0].at, _product("hadamard", factors), factor, entrywise=True)]
            else:
                factors.append(factor)
        return _product("hadamard", factors)

    def dots(self, parts: list[Any]) -> Any:
        factors = [parts[0]]
        for sign, factor in zip(parts[1::2], parts[2::2], strict=True):
            if sign.type == "SLASH":
                under, rest = _below_slash(factors, factor)
                quotient = Quotient(factors[0].at, _product("dot", factors), under)
                factors = [_product("", [quotient, *rest])]
            else:
                factors.append(factor)
        return _product("dot", factors)

    def run(self, parts: list[Any]) -> Any:
        factors: list[Any] = []
        for part in parts:
            if isinstance(part, Group | Column) and part.bracket == "(" and (count := _spelling(factors, part)):
                letters = factors[-count:]
                word = "".join(letter.tex for letter in letters)
                known = activations.find(word)
                base = known.aliases[0] if known and known.name == "sigmoid" else word
                factors[-count:] = [Symbol(letters[0].at, base, word, letters[-1].scripts, word=True)]
            if isinstance(part, Group) and part.bracket == "[" and isinstance(part.inner, Number) and factors:
                raise Fault(part.at, "an entry of a vector is not understood; write the equation with whole vectors")
            if factors and _is_difference(factors[-1], part):  # the step size, one symbol
                delta = factors.pop()
                part = replace(part, at=delta.at, base=f"{delta.base}_{part.base}", tex=f"{delta.tex} {part.tex}")
            if isinstance(part, Group | Column) and part.bracket == "(" and factors:
                factors[-1] = _braced_word(factors[-1]) or factors[-1]
            factors.append(part)
        return _product("", factors)

    def factor(self, parts: list[Any]) -> Node:
        nucleus, scripts = parts[0], list(parts[1:])
        transposed = False
        kept = []
        for script in scripts:
            turned, script = transposition(script)
            transposed |= turned
            kept += [script] if script else []
        if any("=" in part for script in kept for part in script.parts):
            raise Fault(parts[0].at, "a script with = in it is understood below a sum only; write a name")
        if transposed and isinstance(nucleus, Column):
            rows = tuple(item.inner for item in nucleus.items if isinstance(item, Transposed))
            if len(rows) == len(nucleus.items):  # rows side by side, then stood up
                return replace(nucleus, items=rows)
            if not rows and nucleus.bracket in ("[", "("):  # [h, x]^T, in a line to save space
                return nucleus
        if isinstance(nucleus, Group) and nucleus.bracket == "{" and isinstance(nucleus.inner, Symbol | Number):
            nucleus = nucleus.inner
        if isinstance(nucleus, Symbol):
            nucleus = replace(nucleus, scripts=(*nucleus.scripts, *kept))
            if any(is_power(nucleus.base, script) for script in kept):
                message = r"looks like a power, and a superscript is a name; write powers as products, e^{...} as \exp(...)"
                raise Fault(nucleus.at, f"{nucleus.printed} {message}")
        elif kept and not (isinstance(nucleus, Number) and nucleus.text in "01"):
            nucleus = Scripted(nucleus.at, nucleus, tuple(kept))
        return Transposed(nucleus.at, nucleus) if transposed else nucleus

    def number(self, parts: list[Any]) -> Node:
        return Number(parts[0].start_pos, str(parts[0]))

    def letter(self, parts: list[Any]) -> Symbol:
        token = parts[0]
        base = _spelt(token)
        if token.type == "WORD" and keyword.iskeyword(base):
            raise Fault(token.start_pos, f"{base!r} is a word of Python and no name for a symbol; choose another word")
        return Symbol(token.start_pos, base, portable(token), word=token.type in ("WORD", "FUNCTION") and len(base) > 1)

    def decorated(self, parts: list[Any]) -> Any:
        mark, nucleus = parts
        inner = nucleus.inner if isinstance(nucleus, Group) and nucleus.bracket == "{" else nucleus
        if mark.type == "FONT":
            if isinstance(inner, Symbol):
                return replace(inner, at=mark.start_pos, tex=f"{portable(mark)}{{{inner.tex}}}")
            return nucleus if not isinstance(inner, Number) else inner
        if not isinstance(inner, Symbol):
            raise Fault(mark.start_pos, f"{mark} stands over one symbol; give the expression a name of its own")
        return replace(inner, at=mark.start_pos, base=inner.base + _accent(mark), tex=f"{portable(mark)}{{{inner.tex}}}")

    def group(self, parts: list[Any]) -> Node:
        bracket, items, closing = parts[0], parts[1::2], parts[-1]
        pairs = {"(": ")", "[": "]", r"\{": r"\}", r"\lbrack": r"\rbrack", "{": "}"}
        if pairs.get(str(bracket)) != str(closing):
            raise Fault(closing.start_pos, f"{bracket} is closed by {closing}; close it with {pairs.get(str(bracket))}")
        marks = {part.type: part for part in parts[2:-1:2]}
        if len(marks) > 1:
            raise Fault(marks["SEPARATOR"].start_pos, "a comma and a ; in one bracket; stack all parts alike, as [a; b]")
        items = [part for part in items if isinstance(part, Node)]
        if len(items) > 1:  # a column in a column is more of its parts
            rows = [part for item in items for part in (item.items if isinstance(item, Column) else (item,))]
            return Column(bracket.start_pos, str(bracket), tuple(rows))
        return Group(bracket.start_pos, str(bracket), items[0])

    def column(self, parts: list[Any]) -> Node:
        items = tuple(part for part in parts if isinstance(part, Node))
        return Column(parts[0].start_pos, "[", items) if len(items) > 1 else Group(parts[0].start_pos, "[", items[0])

    def fraction(self, parts: list[Any]) -> Node:
        return Quotient(parts[0].start_pos, parts[1], parts[2])

    def script(self, parts: list[Any]) -> Script:
        if len(parts) == 1:
            return Script("'", (("prime",) * parts[0].count("'") or ("prime",),), str(parts[0]))
        atoms: list[tuple[str, str]] = parts[1]
        cut: list[list[str]] = [[]]
        for name, _ in atoms:
            if name == ",":
                cut.append([])
            else:
                cut[-1].append(name)
        return Script(str(parts[0]), tuple(tuple(part) for part in cut if part), joined([tex for _, tex in atoms]))

    def items(self, parts: list[Any]) -> list[tuple[str, str]]:
        atoms: list[tuple[str, str]] = []
        for before, part in zip([None, *parts], parts, strict=False):
            if isinstance(part, list):
                atoms += nested(part) if getattr(before, "type", "") == "SUB" else part
            elif part.type not in ("LBRACE", "RBRACE", "SUB", "SUP"):
                atoms.append(("," if part.type == "SEPARATOR" else str(part), str(part)))
        return atoms

    def token(self, parts: list[Any]) -> list[tuple[str, str]]:
        token = parts[0]
        fixed = {"TOP": "top", "LESS": "<", "GREATER": ">", "NUMBER": str(token), "STAR": "*", "PRIME": "prime"}
        if token.type == "SIGN":
            return [("+" if token == "+" else "-", str(token))]
        return [(fixed.get(token.type) or _spelt(token), portable(token))]

    def accented(self, parts: list[Any]) -> list[tuple[str, str]]:
        mark, atoms = parts
        name = "".join(atom for atom, _ in atoms) + ("" if mark.type == "FONT" else _accent(mark))
        return [(name, f"{portable(mark)}{{{joined([tex for _, tex in atoms])}}}")]


# Letters that count steps or entries: a sum up to one of them is no sum over all entries.
_COUNTING = ("t", "tau", "i", "j", "k", "l", "s")

# A product is worked on factor in factor, and Python's stack has an end.
_MOST_FACTORS = 50

# What GitHub refuses, or MathJax or KaTeX has not, in a way that all of them have.
_PORTABLE = {
    r"\\operatorname\*?": r"\mathrm",
    r"\\(mbox|textnormal)": r"\text",
    r"\\(bm|pmb)": r"\boldsymbol",
    r"\\mathnormal": r"\mathit",
    r"\\(coloneqq|coloneq)": ":=",
    r"\\lbrack": "[",
    r"\\rbrack": "]",
}


def portable(token: Any) -> str:
    """A token, or any mathematics, as it is printed again."""
    text = str(token)
    for macro, known in _PORTABLE.items():
        text = re.sub(rf"{macro}(?![A-Za-z])", known.replace("\\", r"\\"), text)
    return text


def _below_slash(over: list[Any], run: Any) -> tuple[Any, list[Any]]:
    """What a slash divides by, of the factors behind it, and the rest: 1/2 (a + b) is one half of it, a / b c is not clear.

    Raises Fault where nobody can tell.
    """
    factors = list(run.factors) if isinstance(run, Product) and run.sign == "" else [run]
    called = isinstance(factors[0], Symbol) and symbols.is_named_function(factors[0])
    count = 2 if called else 1
    if len(factors) <= count:
        return run, []
    if len(over) > 1 or not isinstance(over[0], Number | Symbol) or not isinstance(factors[0], Number | Symbol):
        raise Fault(run.at, "where does the denominator end? write \\frac{...}{...}, or brackets around it")
    return _product("", factors[:count]), factors[count:]


def _product(sign: str, factors: list[Any]) -> Any:
    if len(factors) > _MOST_FACTORS:
        message = f"a product of {len(factors)} factors, at most {_MOST_FACTORS} are read; write the equation in steps"
        raise Fault(factors[_MOST_FACTORS].at, message)
    return Product(factors[0].at, sign, tuple(factors)) if len(factors) > 1 else factors[0]


_WORDS = frozenset(("max", "min", "log", "softmax", "Softmax"))


def _spelling(factors: list[Any], argument: Any) -> int:
    """How many of the last factors spell a function's name, letter by letter without a space, before its argument.

    A name is a known one, or three letters and more before anything but a step such as (t-1).
    """
    count = 0
    for factor in reversed(factors):
        scripted = isinstance(factor, Symbol) and factor.scripts and count
        if not isinstance(factor, Symbol) or scripted or not re.fullmatch("[A-Za-z]", factor.tex):
            break
        if count and factor.at != factors[-count].at - 1:
            break
        count += 1
    for length in range(count, 1, -1):
        word = "".join(letter.tex for letter in factors[-length:])
        if activations.find(word) or word in _WORDS:
            return length
    return count if count > 2 and not is_step(argument) else 0


def _is_difference(delta: Any, of: Any) -> bool:
    """Whether two factors are the Delta and the t of a step size."""
    both = isinstance(delta, Symbol) and isinstance(of, Symbol)
    return both and delta.base in ("Delta", "delta") and not delta.scripts and of.base in ("t", "tau")


def _braced_word(node: Any) -> Symbol | None:
    """The word that a group in braces spells, as {LN} does."""
    held = node.inner if isinstance(node, Group) and node.bracket == "{" else None
    letters: list[Any] = list(held.factors) if isinstance(held, Product) else []
    if not letters or not all(isinstance(x, Symbol) and not x.scripts and re.fullmatch("[A-Za-z]", x.tex) for x in letters):
        return None
    word = "".join(letter.tex for letter in letters)
    return Symbol(node.at, word, rf"\mathrm{{{word}}}", word=True)


def is_step(node: Any) -> bool:
    """Whether a bracket holds a step: a letter alone, or a letter plus or minus a digit."""
    inner = node.inner if isinstance(node, Group) else None
    if isinstance(inner, Symbol):
        return not inner.scripts and not inner.word
    if isinstance(inner, Sum) and len(inner.terms) == 2:
        (sign, letter), (_, number) = inner.terms
        return sign == 1 and isinstance(letter, Symbol) and not letter.scripts and isinstance(number, Number)
    return False


def _accent(mark: Any) -> str:
    name = str(mark).lstrip("\\")
    return _ACCENTS.get(name, name)


_VARIANTS = {"ϑ": "vartheta", "ϱ": "varrho", "ϖ": "varpi", "ϰ": "varkappa", "ς": "varsigma"}


def _macro(letter: str) -> str:
    """The name of the macro that a Greek letter stands for; Unicode spells lambda without its b."""
    if letter in _VARIANTS:
        return _VARIANTS[letter]
    name = unicodedata.name(unicodedata.normalize("NFKC", letter)).split()[-1].replace("LAMDA", "LAMBDA")
    return name.lower() if letter.islower() else name.capitalize()


def _spelt(token: Any) -> str:
    """The plain name of a letter, Greek macro, function or word. Raises Fault for a word that is no name."""
    if token.type == "WORD":
        content = token[token.index("{") + 1 : -1].strip()
        if not re.fullmatch(r"[A-Za-z](?:[A-Za-z0-9 _-]|\\_|\\ )*", content):
            raise Fault(token.start_pos, f"{content!r} is no name; a name is a letter, then letters, digits and underscores")
        return re.sub(r"\\_|\\ |[ -]+", "_", content)
    if token.type == "GREEK" and not token.startswith("\\"):
        return _macro(str(token))
    return str(token).lstrip("\\")
