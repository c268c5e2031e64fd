"""A Derivation as Markdown, as a LaTeX document and as terminal text: the same lines in the same order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import sympy as sp

from rnnproof.derivation.formulas import Reader
from rnnproof.derivation.latex import Printer
from rnnproof.derivation.operations import OPERATIONS
from rnnproof.documents.plain import plain, prose
from rnnproof.equations import activations

if TYPE_CHECKING:
    from rnnproof.derivation.derivation import Derivation, DerivationStep

_HEADERS = ("symbol", "what it is", "size")


def equations(d: Derivation) -> tuple[str, ...]:
    """The cell's equations as printed (written out where they came without print), bodies of its functions last."""
    named = {var: tex for var, tex in d.names.items() if var.tex}
    reader = Reader(d.forward.producer(), named)
    written = {var.name: f"{tex} = {d.printer(reader.definition(var))}" for var, tex in named.items() if var in reader.steps}
    shown = [e.tex or written.get(e.symbol.name, "") for e in d.cell.equations]
    return tuple(tex for tex in (*shown, *(body.tex for body in d.cell.bodies)) if tex)


def _symbols(d: Derivation) -> list[tuple[str, str, str]]:
    """Rows (TeX, role, size) of every symbol the equations have."""
    per_step = {parameter.name for parameter in d.cell.parameters if parameter.per_step}
    rows = []
    for port in d.forward.inputs:
        role = {"input": "input", "old": f"state {port.key}, one step before"}.get(port.role, "parameter")
        rows.append((port.var.tex, role + (", one for each step" if port.key in per_step else ""), _size(port.var.shape)))
    new = {port.var: port.key for port in d.forward.ports("new", out=True)}
    for step in d.forward.steps:
        if step.target in d.names:
            role = f"state {new[step.target]}" if step.target in new else "intermediate"
            role = role if step.target.tex else "what a function is applied to"
            rows.append((d.names[step.target], role, _size(step.target.shape)))
    rows += [(rf"{d.cell.tex.get(name, name)}", "function left open", "") for name in d.cell.open_functions]
    return rows


def _size(shape: tuple[object, ...]) -> str:
    return " × ".join(map(str, shape)) if shape else "scalar"


def _notation(d: Derivation) -> Iterator[str]:
    """What the signs mean, as sentences with inline math."""
    state = d.forward.ports("new", out=True)[0].var.tex
    yield (
        r"$\mathcal{L}$ is any loss that is a function of the states. "
        rf"$\nabla_{{{state}}}$ is its gradient by ${state}$ with the other states held fixed: what the loss itself sends in. "
        rf"$\delta_v = \partial \mathcal{{L}} / \partial v$ counts every way from $v$ to the loss. "
        rf"$\delta^{{+}}_{{{state}}}$ is the part of $\delta_{{{state}}}$ that arrives from the step after."
    )
    yield (
        r"$\odot$ is the elementwise product, functions and powers of a vector are elementwise, $^{\top}$ transposes. Formulas "
        "are for one sequence; for a batch, the gradients of the parameters are added up over its samples."
    )
    used = {step.attr for step in d.forward.steps if step.op == "map"}
    for function in sorted(used, key=lambda function: activations.of(function).name):
        yield _slope(function)
    for name in d.cell.open_functions:
        yield rf"$J_{{{d.cell.tex.get(name, name)}}}$ is the Jacobian of the function left open, at its argument."


def _slope(function: object) -> str:
    entry, found = activations.of(function), activations.derivative(function)
    named = {activations.X: "x", activations.Y: "y"}
    slope = f"$y = {entry.tex}(x)$ has the slope ${sp.latex(found.of_input, symbol_names=named, fold_func_brackets=False)}$"
    if found.of_output is None:
        return f"{slope}."
    polynomial = found.of_output.is_polynomial(activations.Y)
    shown = Printer()(found.of_output) if polynomial else sp.latex(found.of_output, symbol_names=named)
    return f"{slope}, in terms of its output ${shown}$."


def _intro(d: Derivation) -> str:
    functions = "" if not d.cell.open_functions else "; functions left open stay open"
    return f"Derived from the cell's equations for any sizes{functions}. Made by rnnproof."


def _by_part(d: Derivation) -> Iterator[tuple[int, str, list[DerivationStep]]]:
    for number, (title, lines) in enumerate(groupby(d.steps, key=lambda step: step.title), start=1):
        yield number, title, list(lines)


_LEADS = {
    "One step forward": "Every quantity of one step, in order of evaluation; what a function is applied to gets a name.",
    "One step backward": "From the last line to the first, each with the rules that made it.",
    "Backward through the steps": "What one step hands to the step before it; the last step receives nothing.",
    "The gradients": "Of every parameter and of the input.",
    "The Jacobians": "Of each state by each state of the step before, and what they say of vanishing gradients.",
}


def _rules(d: Derivation) -> list[tuple[str, str]]:
    names = dict.fromkeys(name for step in d.steps for name in step.rule)
    return [(name, OPERATIONS[name].says) for name in OPERATIONS if name in names]


def _remarks(d: Derivation) -> list[str]:
    return list(dict.fromkeys(remark for found in d.jacobians for remark in found.remarks))


def _table(rows: Sequence[Sequence[str]], headers: Sequence[str], *, bars: bool = False) -> str:
    """Aligned columns; with `bars`, as GitHub's Markdown has tables."""
    widths = [max(map(_width, column)) for column in zip(headers, *rows, strict=True)]
    lines = [headers, ["-" * width for width in widths], *rows]
    padded = [[cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" if bars else "  ".join(line).rstrip() for line in padded)


def _width(text: str) -> int:
    return sum(not unicodedata.combining(char) for char in text)


def markdown(d: Derivation) -> str:
    """Markdown that GitHub renders: $$ blocks, tables, a rule beside each line."""
    out = [f"# {d.cell.name}: its gradients", _intro(d), "## Notation", *_notation(d)]
    rows = [(f"${tex}$", role, size) for tex, role, size in _symbols(d)]
    out.append(_table(rows, _HEADERS, bars=True))
    for number, title, lines in _by_part(d):
        out.append(f"## {number}. {title}")
        out += [_LEADS[title]] if title in _LEADS else []
        for step in lines:
            rule = f"({step.number}) {', '.join(step.rule)}" if step.rule else f"({step.number})"
            out.append(f"{rule}\n\n$$\n{step.tex}\n$$")
    out += _remarks(d)
    out.append("## The rules used")
    out.append(_table([(name, f"`{says}`") for name, says in _rules(d)], ("rule", "in words"), bars=True))
    return "\n\n".join(out) + "\n"


def text(d: Derivation) -> str:
    """The terminal's version, with the rules of a line behind it."""
    out = [f"{d.cell.name}: its gradients", _intro(d).replace("`", ""), *map(prose, _notation(d))]
    out.append(_table([(plain(tex), role, size) for tex, role, size in _symbols(d)], _HEADERS))
    for number, title, lines in _by_part(d):
        shown = [f"({step.number:>3})  {step.text}" + (f"    [{', '.join(step.rule)}]" if step.rule else "") for step in lines]
        lead = [_LEADS[title]] if title in _LEADS else []
        out.append("\n".join([f"{number}. {title}", *lead, *shown]))
    out += map(prose, _remarks(d))
    out.append("The rules used\n" + _table(_rules(d), ("rule", "in words")))
    return "\n\n".join(out) + "\n"


def latex(d: Derivation) -> str:
    """A LaTeX document that compiles with amsmath alone (and a Unicode engine for prose in other scripts)."""
    out = [r"\documentclass{article}", r"\usepackage{amsmath}", r"\begin{document}", rf"\section*{{{_escaped(d.cell.name)}}}"]
    out += [_prose(sentence) for sentence in (_intro(d), *_notation(d))]
    out.append(r"\begin{tabular}{lll}")
    out += [rf"${tex}$ & {_escaped(role)} & ${_latex_size(size)}$ \\" for tex, role, size in _symbols(d)]
    out.append(r"\end{tabular}")
    for _, title, lines in _by_part(d):
        out.append(rf"\section{{{title}}}")
        out += [_LEADS[title]] if title in _LEADS else []
        for step in lines:
            rule = rf" \tag{{{step.number}}}"
            out.append(f"\\begin{{equation}}\n{step.tex}{rule}\n\\end{{equation}}")
    out += [_prose(remark) for remark in _remarks(d)]
    out.append(r"\end{document}")
    return "\n".join(out) + "\n"


def _prose(markdown_text: str) -> str:
    """Markdown with inline math as LaTeX text: bold and code become commands, the rest is escaped outside the math."""
    parts = re.split(r"(\$[^$]+\$|`[^`]+`|\*\*[^*]+\*\*)", markdown_text)
    return "".join(_piece(part) for part in parts) + "\n"


def _piece(part: str) -> str:
    if part.startswith("$"):
        return part
    if part.startswith("`"):
        return rf"\texttt{{{_escaped(part[1:-1])}}}"
    return rf"\textbf{{{_escaped(part[2:-2])}}}" if part.startswith("**") else _escaped(part)


def _latex_size(size: str) -> str:
    return " \\times ".join(rf"\mathrm{{{word}}}" if word.isalpha() else word for word in size.split(" × ")) if size else ""


def _escaped(words: str) -> str:
    return re.sub(r"([_&%#{}])", r"\\\1", words)
