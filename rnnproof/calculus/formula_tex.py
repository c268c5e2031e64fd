"""Formulas -> LaTeX, from a table of node types: how tightly each binds and how it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.slice import MatrixSlice

from rnnproof.calculus.matrix_expressions import OpenJacobian, Prime, ScalarStepSum, StepSum, positive_factors
from rnnproof.equations import activations, expressions
from rnnproof.errors import EquationError

SUM, PRODUCT, FACTOR, ATOM = range(4)


def scalar_tex(expression: Any, **options: Any) -> str:
    """SymPy's LaTeX of a scalar expression, functions' names upright by \\mathrm: GitHub refuses \\operatorname."""
    return str(sp.latex(expression, **options)).replace(r"\operatorname{", r"\mathrm{")


class Printer:
    """Prints formulas; `functions` maps an open function's name to its LaTeX, `steps` is the range of a sum over steps.

    `located` names the functions whose Jacobian is printed with the place it is taken at.
    """

    def __init__(
        self, functions: Mapping[str, str] | None = None, steps: str = r"\sum_{t=1}^{T}", located: Collection[str] = ()
    ) -> None:
        self.functions = dict(functions or {})
        self.steps = steps
        self.located = located

    def __call__(self, node: Any) -> str:
        return self._write(node)[1]

    def inner(self, node: Any, level: int) -> str:
        """The LaTeX of an operand, in parentheses where it binds less tightly than `level`."""
        binds, tex = self._write(node)
        return tex if binds >= level else f"({tex})"

    def function(self, name: str) -> str:
        """An open function's LaTeX."""
        return self.functions.get(name, name)

    def _write(self, node: Any) -> tuple[int, str]:
        for kinds, level, write in _TABLE:
            if isinstance(node, kinds):
                tex = write(self, node)
                binds = level(node) if callable(level) else level
                return (SUM if tex.startswith("-") else binds), tex
        raise EquationError(f"{node}: {type(node).__name__} has no printed form; rnnproof.calculus.formula_tex says what has")


def _sum(printer: Printer, node: Any) -> str:
    tex = ""
    for term in sorted(node.args, key=_negative):  # what is added stands before what is taken away: 1 - z
        printed = printer.inner(term, SUM)
        tex += printed if not tex else f" - {printed[1:]}" if printed.startswith("-") else f" + {printed}"
    return tex


def _negative(term: Any) -> bool:
    first = term.args[0] if isinstance(term, sp.Mul | sp.MatMul) else term
    return bool(getattr(first, "is_negative", False))


def _product(printer: Printer, node: Any) -> str:
    factors = list(node.args) if node.is_Matrix else positive_factors(node)
    sign = ""
    if _negative(factors[0]):
        sign, factors = "-", ([] if factors[0] == -1 else [-factors[0]]) + factors[1:]
    scalars = all(not factor.is_Matrix for factor in factors[:-1])  # k a * b needs no parentheses, A (a * b) does
    words = [printer.inner(factor, FACTOR) for factor in factors[:-1]]
    return sign + " ".join(
        [*words, printer.inner(factors[-1], PRODUCT if len(factors) == 1 or (scalars and node.is_Matrix) else FACTOR)]
    )


def _hadamard(printer: Printer, node: Any) -> str:
    return r" \odot ".join(printer.inner(factor, FACTOR) for factor in node.args)


def _power(printer: Printer, node: Any) -> str:
    base, exponent = node.args
    if exponent == -1:
        return rf"\frac{{1}}{{{printer(base)}}}"
    return f"{raisable(printer.inner(base, ATOM))}^{{{printer(exponent)}}}"


def _transposed(printer: Printer, node: Any) -> str:
    return rf"{raisable(printer.inner(node.arg, ATOM))}^{{\top}}"


def raisable(tex: str) -> str:
    """A base that takes a superscript: in braces where it carries one already (LaTeX refuses two), or a prime."""
    bare = re.sub(r"\{[^{}]*\}", "", tex)
    return f"{{{tex}}}" if ("^" in bare or "'" in bare) and not bare.startswith("(") else tex


def _applied(printer: Printer, node: Any) -> str:
    return f"{function_tex(node.func)}({printer(node.args[0])})"


def function_tex(function: Any) -> str:
    """An activation's LaTeX; its derivative's with a prime."""
    if issubclass(function, Prime):
        return f"{activations.of(function.base).tex}'"
    return activations.of(function).tex


def _elementwise(printer: Printer, node: Any) -> str:
    """f(x) for one function of the bound variable; a polynomial is written with the argument in its place."""
    (bound,), body = node.function.variables, node.function.expr
    if isinstance(body, sp.Function):
        return f"{function_tex(body.func)}({printer(node.expr)})"
    stand_in = sp.Symbol(printer.inner(node.expr, ATOM))
    return printer(body.subs(bound, stand_in))


def _elementwise_level(node: Any) -> int:
    body = node.function.expr
    return SUM if isinstance(body, sp.Add) else PRODUCT if isinstance(body, sp.Mul) else ATOM


def _block(printer: Printer, node: Any) -> str:
    rows = node.blocks.tolist()
    return "[" + r";\ ".join(",\\ ".join(printer(entry) for entry in row) for row in rows) + "]"


def _slice(printer: Printer, node: Any) -> str:
    axis = 0 if tuple(node.rowslice[:2]) != (0, node.parent.shape[0]) else 1
    start, stop, _ = (node.rowslice, node.colslice)[axis]
    first, last = sp.latex(sp.expand(start + 1)), sp.latex(stop, mode="plain")
    bounds = rf"{_size(first)} : {_size(last)}"
    return f"[{printer(node.parent)}]_{{{bounds if axis == 0 else ', ' + bounds}}}"


def _size(tex: str) -> str:
    return re.sub(r"[a-zA-Z]{2,}", lambda word: rf"\mathrm{{{word[0]}}}", tex)


def _dot(printer: Printer, node: Any) -> str:
    left, right = node.args
    if left.shape[1] != 1:  # two matrices: the sum of the products of their entries
        return rf"\langle {printer(left)}, {printer(right)} \rangle"
    return rf"{raisable(printer.inner(left, ATOM))}^{{\top}} {printer.inner(right, FACTOR)}"


def _open(printer: Printer, node: Any) -> str:
    return f"{printer.function(node.name)}({printer(node.argument)})"


def _open_jacobian(printer: Printer, node: Any) -> str:
    name = printer.function(node.name)
    return f"J_{{{name}}}" + (f"({printer(node.argument)})" if name in printer.located else "")


def _step_sum(printer: Printer, node: Any) -> str:
    return f"{printer.steps} {printer.inner(node.args[0], PRODUCT)}"


def _ones(printer: Printer, node: Any) -> str:
    return "1"


Write = Callable[[Printer, Any], str]
_TABLE: tuple[tuple[Any, int | Callable[[Any], int], Write], ...] = (
    ((sp.MatrixSymbol, sp.Symbol), ATOM, lambda printer, node: str(node.name)),
    (sp.Identity, ATOM, lambda printer, node: "I"),
    (sp.OneMatrix, ATOM, _ones),
    (sp.ZeroMatrix, ATOM, lambda printer, node: "0"),
    ((sp.MatAdd, sp.Add), SUM, _sum),
    (sp.HadamardProduct, PRODUCT, _hadamard),
    (expressions.Quotient, PRODUCT, lambda printer, node: r" \oslash ".join(printer.inner(arg, FACTOR) for arg in node.args)),
    ((sp.MatMul, sp.Mul), PRODUCT, _product),
    (sp.Transpose, ATOM, _transposed),
    (sp.Pow, ATOM, _power),
    (ElementwiseApplyFunction, _elementwise_level, _elementwise),
    (sp.DiagMatrix, ATOM, lambda printer, node: rf"\mathrm{{diag}}({printer(node.args[0])})"),
    (sp.BlockMatrix, ATOM, _block),
    (MatrixSlice, ATOM, _slice),
    (expressions.Dot, PRODUCT, _dot),
    (expressions.OpenFunction, ATOM, _open),
    (OpenJacobian, ATOM, _open_jacobian),
    ((StepSum, ScalarStepSum), PRODUCT, _step_sum),
    (sp.Function, ATOM, _applied),
    (sp.Expr, ATOM, lambda printer, node: scalar_tex(node)),
)
