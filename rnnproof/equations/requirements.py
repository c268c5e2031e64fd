"""What a system has to meet before it is a cell; each refusal says what, where and the cure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from rnnproof.equations import asides, components, containers, signs, symbols
from rnnproof.equations.parsed_document import EQUAL, ParsedDocument, Unreadable, left_side
from rnnproof.equations.source import Printed
from rnnproof.equations.syntax import parse_symbols
from rnnproof.equations.syntax_tree import Fault, Product, Symbol
from rnnproof.equations.system import Definition
from rnnproof.errors import EquationError

_ASIDE = re.compile(
    r"\\(?:partial|nabla|implies|Rightarrow|Longrightarrow|iff|log|ln|arg|lVert|Vert|\||mathbb\s*\{?E\}?|sum|prod|sim|approx|propto"
    r"|leq?|geq?|int|lim|Pr|mathcal\s*\{?L\}?|ell|max|min|argmax|softmax|Softmax|operatorname\*?\s*\{softmax\}|dots|ldots|cdots|vdots)"
    r"(?![A-Za-z])|softmax|∂|∇|\{\s*\\?rm\s*d|\bd[A-Z]"
)
_IN_A_SENTENCE = r"(?:(?!\.\s+[A-Z]|\n\s*\n).){0,160}?"
_DIAGONAL_PEEPHOLES = re.compile(
    rf"(?:peephole|cell[- ]to[- ]gate|from the cell){_IN_A_SENTENCE}\bdiagonal"
    rf"|\bdiagonal{_IN_A_SENTENCE}(?:peephole|cell[- ]to[- ]gate|from the cell)",
    re.IGNORECASE | re.DOTALL,
)
_DIAGONAL_STATES = re.compile(
    r"(?:state|recurrent|transition|hidden-to-hidden)(?:[- ]weight)? matri(?:x|ces)\s+(?:is|are|to be|be)\s+(?:\w+\s+)?diagonal"
    r"|\bdiagonal (?:state|recurrent|transition|hidden-to-hidden)(?:[- ]weight)? matri(?:x|ces)",
    re.IGNORECASE,
)


def require_whole(parsed: ParsedDocument, group: Sequence[Definition]) -> None:
    """Raise EquationError where an equation lacks a piece, stands under a condition, or has a sign that is no product."""
    page = parsed.page
    for definition in group:
        if (fragment := parsed.fragments.get(definition.printed.formula)) is not None:
            page.fault(fragment.offset, f"{fragment.shown} stands for itself; join it to its equation, or take it out")
        if definition.printed.formula in parsed.conditions:
            message = "an equation under a condition; cells have no cases: write the one that holds, or a mask of 0 and 1"
            page.fault(definition.printed.offset, message)
        tex = definition.printed.tex
        if (found := next(filter(None, (ask(tex, page.text) for ask in signs.QUESTIONS)), None)) is not None:
            at, why = found
            page.fault(definition.printed.place(at), why)


def require_readable(parsed: ParsedDocument, group: Sequence[Definition], letter: str) -> None:
    """Raise EquationError for an unreadable formula that defines what the group reads, or that belongs to its display."""
    defined = {symbols.identify(d.target, {letter})[0] for d in group}
    read = {symbols.identify(s, {letter})[0] for d in group for s in symbols.symbols(d.right)}
    sections = {parsed.section(d.printed.offset) for d in group}
    for definition in group:
        for symbol in symbols.symbols(definition.right):
            if symbols.identify(symbol, parsed.letters)[0] in parsed.backwards:
                message = f"{symbol.printed} runs backwards through the steps, and a cell forwards; read the two apart"
                parsed.page.fault(definition.printed.place(symbol.at), message)
    for entry in parsed.unreadable:
        if entry.target is None:
            several = {symbols.identify(symbol, {letter})[0] for symbol in _several(entry.printed.tex)}
            if several & (read - defined):
                message = "several symbols are defined at once; give each gate an equation and parameters of its own"
                parsed.page.fault(entry.printed.offset, message)
            continue
        key = symbols.identify(entry.target, {letter})[0]
        near = parsed.section(entry.printed.offset) in sections
        parameter = key in read and near and not asides.is_remark(parsed.document, entry.printed)
        if key in defined or not (key.index or parameter):
            continue
        aside = _ASIDE.search(entry.printed.tex) is not None
        if key in read or (near and not aside and _speaks_of(entry, defined)):
            parsed.page.fault(entry.printed.place(entry.fault.at), entry.fault.message)


def require_no_ends(parsed: ParsedDocument, group: Sequence[Definition], letter: str, declared: Sequence[str]) -> None:
    """Raise EquationError where the group reads a state at one step, as h_T of an encoder: it is no parameter."""
    moving = [key for key in (symbols.identify(d.target, parsed.letters)[0] for d in parsed.definitions) if key.index]
    said = {
        symbols.identify(s, parsed.letters)[0] for r in parsed.remarks if r.said & {"parameter", "input"} for s in r.symbols
    }
    for definition in group:
        for symbol in symbols.symbols(definition.right):
            key = symbols.identify(symbol, {letter})[0]
            state = next((other for other in moving if asides.is_one_step_of(key, other)), None)
            if state is not None and not key.index and key not in said and key.name not in declared:
                message = (
                    f"{symbol.printed} looks like one step of a sequence of this document, and a cell reads the step "
                    f"before only; give it another name, or say that ${symbol.printed}$ is an input or a parameter"
                )
                parsed.page.fault(definition.printed.place(symbol.at), message)


def require_no_counts(parsed: ParsedDocument, group: Sequence[Definition], letter: str) -> None:
    """Raise EquationError where what changes from step to step is said to be a whole number: it has no gradient."""
    counts = [left_side(f"{what} = 0", {letter}) for what in parsed.whole_numbers]
    keys = {symbols.identify(symbol, {letter})[0] for symbol in counts if symbol}
    for definition in group:
        for symbol in symbols.symbols(definition.relation):
            key = symbols.identify(symbol, {letter})[0]
            if key.index and key in keys:
                message = f"the text says that {symbol.printed} is a whole number; cells compute with real vectors"
                parsed.page.fault(definition.printed.place(symbol.at), message)


def require_no_step_numbers(parsed: ParsedDocument, group: Sequence[Definition], letter: str) -> None:
    """Raise EquationError where the letter that counts the steps stands as a number."""
    for definition in group:
        number = next((s for s in symbols.symbols(definition.right) if s.base == letter and not s.scripts), None)
        if number is not None:
            message = f"{letter} counts the steps, and stands as a number here; give that as an input"
            parsed.page.fault(definition.printed.place(number.at), message)


def require_no_diagonals(parsed: ParsedDocument, group: Sequence[Definition]) -> None:
    """Raise EquationError where the text calls peephole or state matrices diagonal, and they are printed as matrices."""
    peepholes, states = (pattern.search(parsed.document.prose) for pattern in (_DIAGONAL_PEEPHOLES, _DIAGONAL_STATES))
    if not peepholes and not states:
        return
    defined = {symbols.identify(d.target, parsed.letters)[0] for d in group}
    for definition in group:
        for node in components.nodes(definition.right):
            factors = node.factors if isinstance(node, Product) and node.sign in ("", "dot") else ()
            pair = [factor for factor in factors if isinstance(factor, Symbol)]
            if len(pair) == len(factors) == 2:
                matrix, vector = pair
                key, shift = symbols.identify(vector, parsed.letters)
                of_cell = peepholes and vector.base in ("c", "C", "s") and bool(key.index)
                of_state = states and key in defined and shift is not None and shift < 0
                if matrix.base[0].isupper() and (of_cell or of_state):
                    message = f"the text says that {matrix.printed} is diagonal; write \\odot with the vector of its diagonal"
                    parsed.page.fault(definition.printed.place(node.at), message)


def _speaks_of(entry: Unreadable, keys: Iterable[Any]) -> bool:
    """Whether the text of an unreadable formula holds a symbol of the system."""
    right = EQUAL.split(entry.printed.tex, maxsplit=1)[-1]
    return any(re.search(rf"(?<![A-Za-z\\]){re.escape(key.base)}(?![A-Za-z])\s*[_^(\[]", right) for key in keys if key.index)


def _several(tex: str) -> list[Symbol]:
    """The symbols on the left of i_t, f_t = ..., or nothing."""
    left = EQUAL.split(tex, maxsplit=1)[0]
    try:
        return parse_symbols(left) if "," in left and EQUAL.search(tex) else []
    except Fault:
        return []


def fail_without_system(parsed: ParsedDocument, over: Sequence[tuple[Printed, str]]) -> NoReturn:
    """No system at all: say so, and show the equation that looks most like a recurrence."""
    message = r"no system of equations found; write one such as $$h_t = \tanh(W x_t + R h_{t-1} + b)$$"
    entries = [entry for entry in over if EQUAL.search(entry[0].tex)]
    if not entries:
        where = parsed.page.where(over[0][0].offset) if over else parsed.page.name
        raise EquationError(f"{where}: {message}{_what_is_there(parsed, over)}")
    printed, reason = max(entries, key=lambda entry: (_likeness(entry[0].tex), -entry[0].offset))
    lost = next((entry for entry in parsed.unreadable if entry.printed is printed), None)
    if lost is not None and not _ASIDE.search(printed.tex):
        parsed.page.fault(printed.place(lost.fault.at), lost.fault.message)
    parsed.page.fault(printed.offset, f"{message}; the likeliest equation is passed over: {reason}")


def _what_is_there(parsed: ParsedDocument, over: Sequence[tuple[Printed, str]]) -> str:
    there = []
    if over:
        there.append("formulas such as " + over[0][0].shown + ", and no equation")
    if (place := containers.plain_equation(parsed.document)) is not None:
        there.append(f"an equation in code or plain text, in line {parsed.page.line(place)}, not between $$ and so not read")
    if pictures := containers.pictures(parsed.document):
        there.append(f"{pictures} pictures, which are not read")
    there += sorted({what for _, what in parsed.document.unread})
    return f" (the page has {'; '.join(there)})" if there else ""


def _likeness(tex: str) -> int:
    """How much a formula looks like a recurrence: something of the step before on its right, and on its left the same."""
    left, *right = EQUAL.split(tex, maxsplit=1)
    before = re.findall(r"([A-Za-z])(?:\}*)\s*(?:[_^]\s*\{?|[(\[])[^{}=]*?[a-z]\s*-\s*1", right[0] if right else "")
    return 2 * bool(before) + any(letter in left for letter in before)
