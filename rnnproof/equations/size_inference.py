"""Sizes by unification: every equation is measured once, giving a typed tree whose sizes become SymPy symbols at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy as sp

from rnnproof.equations import activations
from rnnproof.equations.syntax_tree import Column, Fault, Number, Product, Quotient, Sum, Transposed
from rnnproof.equations.system import Call, Eye, Quantity, Ref
from rnnproof.equations.type_inference import MATRIX, NUMBER, ROW, SCALAR, VECTOR, Kinds


class Size:
    """A size to be found: it may be bound to another, be a sum of others (`parts`), or stand for a SymPy size (`fixed`)."""

    def __init__(self, of: str, *, declared: str = "", parts: tuple[Size, ...] = (), fixed: Any = None) -> None:
        self.of, self.declared, self.parts, self.fixed = of, declared, parts, fixed
        self.bound: Size | None = None

    def root(self) -> Size:
        size = self
        while size.bound is not None:
            size = size.bound
        return size

    def leaves(self) -> Iterator[Size]:
        root = self.root()
        if root.parts:
            for part in root.parts:
                yield from part.leaves()
        else:
            yield root

    def __str__(self) -> str:
        return " + ".join(str(leaf.fixed) if leaf.fixed is not None else leaf.declared or leaf.of for leaf in self.leaves())


ONE = Size("1", fixed=sp.S.One)


def from_sympy(size: Any, loose: Mapping[Any, Size]) -> Size:
    """A size that is a SymPy expression already; a sum stays a sum, and the symbols in `loose` may still be bound."""
    if isinstance(size, sp.Add):
        return Size(str(size), parts=tuple(from_sympy(part, loose) for part in size.args))
    return loose[size] if size in loose else ONE if size == 1 else Size(str(size), fixed=size)


def unify(left: Size, right: Size, at: int) -> None:
    """Make two sizes one. Raises Fault, with both, where they cannot be."""
    a, b = left.root(), right.root()
    if a is b or (a.fixed is not None and a.fixed == b.fixed):
        return
    if a.parts and b.parts:
        if len(a.parts) != len(b.parts):
            raise _misfit(a, b, at)
        for part, other in zip(a.parts, b.parts, strict=True):
            unify(part, other, at)
        return
    if a.parts or (a.fixed is not None and not b.parts):
        a, b = b, a
    if ONE in (a, b):  # a column and a matrix: no size is ever found to be one
        raise _misfit(a, b, at)
    rigid = a.fixed is not None or (a.declared and (b.declared or b.parts or b.fixed is not None))
    if rigid or a in b.leaves():
        raise _misfit(a, b, at)
    b.declared = b.declared or a.declared
    a.bound = b


def _misfit(a: Size, b: Size, at: int) -> Fault:
    return Fault(at, f"shapes do not fit: the size {a} meets the size {b}; correct the equation or the declaration")


@dataclass(frozen=True)
class Typed:
    """`op` over `args`, of a shape in Sizes (both ONE for a scalar); `data` is what the op needs besides."""

    op: str
    args: tuple[Any, ...]
    rows: Size
    columns: Size
    kind: str
    data: Any = None


class Sizes:
    """Measures the trees of one system, whose kinds are known."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.side_by_side: list[str] = []
        self.first: list[str] = []

    def of(self, quantity: Quantity) -> tuple[Size, Size]:
        """(rows, columns) of a quantity; (outputs, inputs) of an open function."""
        if quantity.size is None:
            if quantity.kind == SCALAR:
                quantity.size = (ONE, ONE)
            else:
                columns = ONE if quantity.kind == VECTOR else Size(f"columns of {quantity.tex}")
                what = "rows of " if quantity.kind == MATRIX else "size of "
                quantity.size = (Size(what + quantity.tex), columns)
        return quantity.size

    def function(self, quantity: Quantity) -> tuple[Size, Size]:
        if quantity.size is None:
            quantity.size = (Size(f"output of {quantity.tex}"), Size(f"input of {quantity.tex}"))
        return quantity.size

    def equation(self, quantity: Quantity, right: Any) -> Typed:
        rows, columns = self.of(quantity)
        typed = self.measure(right, str(quantity.kind))
        self.same(typed, rows, columns, right.at)
        return typed

    def same(self, typed: Typed, rows: Size, columns: Size, at: int) -> None:
        unify(typed.rows, rows, at)
        unify(typed.columns, columns, at)

    def alike(self, typed: Typed, other: Typed, at: int) -> None:
        if typed.kind != other.kind and {typed.kind, other.kind} & {VECTOR, MATRIX}:
            raise Fault(at, f"a {typed.kind} meets a {other.kind} entry by entry; declare or correct one of them")

    def measure(self, node: Any, wanted: str | None = None) -> Typed:
        """The typed tree; where `wanted` is a vector or matrix, numbers and scalars are spread over its entries."""
        typed: Typed = _MEASURES[type(node)](self, node, wanted)
        if typed.kind == ROW:
            raise Fault(node.at, "a transposed vector needs a vector on its right; write the equation with columns")
        if wanted in (VECTOR, MATRIX) and typed.kind in (SCALAR, NUMBER):
            if wanted == MATRIX and typed.kind == SCALAR:
                raise Fault(node.at, "a scalar and a matrix in one sum; multiply the scalar by I")
            rows, columns = Size("ones"), ONE if wanted == VECTOR else Size("ones")
            return Typed("spread", (typed,), rows, columns, str(wanted))
        return typed

    def reference(self, node: Any, wanted: str | None) -> Typed:
        return Typed("symbol", (), *self.of(node.quantity), str(node.quantity.kind), (node.quantity, node.shift))

    def number(self, node: Any, wanted: str | None) -> Typed:
        return Typed("number", (), ONE, ONE, NUMBER, Fraction(node.text))

    def identity(self, node: Any, wanted: str | None) -> Typed:
        size = Size("size of I")
        return Typed("identity", (), size, size, MATRIX)

    def call(self, node: Any, wanted: str | None) -> Typed:
        if isinstance(node.function, Quantity):
            argument = self.measure(node.argument, VECTOR)
            rows, columns = self.function(node.function)
            unify(argument.rows, columns, node.at)
            if node.function.elementwise:
                unify(rows, columns, node.at)
            return Typed("open", (argument,), rows, ONE, VECTOR, node.function)
        argument = self.measure(node.argument, wanted)
        if argument.kind == MATRIX and node.function.name == "exponential":
            raise Fault(node.at, "exp of a matrix may be the matrix exponential, which is not among the operations")
        return Typed("apply", (argument,), argument.rows, argument.columns, argument.kind, node.function.function)

    def column(self, node: Any, wanted: str | None) -> Typed:
        items = tuple(self.measure(item, VECTOR) for item in node.items)
        items = tuple(replace(item, rows=ONE) if item.op == "spread" else item for item in items)  # the 1 of [x; 1]
        return Typed("column", items, Size("", parts=tuple(item.rows for item in items)), ONE, VECTOR)

    def transposed(self, node: Any, wanted: str | None) -> Typed:
        inner = self.measure(node.inner)
        if inner.kind in (SCALAR, NUMBER):
            return inner
        kind = ROW if inner.kind == VECTOR else MATRIX
        return Typed("transpose", (inner,), inner.columns, inner.rows, kind)

    def quotient(self, node: Any, wanted: str | None) -> Typed:
        over, under = self.measure(node.over), self.measure(node.under)
        if under.kind not in (SCALAR, NUMBER):
            return self.entrywise(node, over, under)
        if under.op == "number" and under.data == 0:
            raise Fault(node.under.at, "division by zero; correct the number")
        return self.times([Typed("inverse", (under,), ONE, ONE, under.kind), over], node, "")

    def entrywise(self, node: Any, over: Typed, under: Typed) -> Typed:
        """A quotient by an array, entry by entry."""
        if under.kind == ROW or (under.kind == MATRIX and not node.entrywise):
            raise Fault(node.under.at, r"a matrix below the line may be an inverse; write \oslash to divide entry by entry")
        if over.kind in (SCALAR, NUMBER):
            one_over = Typed("apply", (under,), under.rows, under.columns, under.kind, activations.named("reciprocal"))
            return one_over if over.op == "number" and over.data == 1 else self.times([over, one_over], node, "")
        self.alike(under, over, node.under.at)
        self.same(under, over.rows, over.columns, node.under.at)
        return Typed("quotient", (over, under), over.rows, over.columns, over.kind)

    def sum(self, node: Any, wanted: str | None) -> Typed:
        kind = self.kinds.kind(node)
        kind = wanted if wanted in (VECTOR, MATRIX) and kind in (SCALAR, NUMBER) and len(node.terms) > 1 else kind
        terms = [self.measure(term, kind) for _, term in node.terms]
        rows, columns = terms[0].rows, terms[0].columns
        for (_, term), typed in zip(node.terms[1:], terms[1:], strict=True):
            self.alike(typed, terms[0], term.at)
            self.same(typed, rows, columns, term.at)
        signs = tuple(sign for sign, _ in node.terms)
        return Typed("sum", tuple(terms), rows, columns, str(kind), signs)

    def product(self, node: Any, wanted: str | None) -> Typed:
        if node.sign == "hadamard":
            return self.hadamard(node)
        return self.times([_MEASURES[type(factor)](self, factor, None) for factor in node.factors], node, node.sign)

    def hadamard(self, node: Any) -> Typed:
        kind = str(self.kinds.kind(node))
        if kind in (SCALAR, NUMBER):
            return self.times([self.measure(factor) for factor in node.factors], node, "")
        factors = [self.measure(factor) for factor in node.factors]
        for factor, at in zip(factors[:-1], node.factors, strict=False):
            if isinstance(at, Product) and at.sign == "" and factor.kind == VECTOR and len(factor.args) == 2:
                matrix, vector = factor.args
                if matrix.kind == MATRIX and matrix.op == "symbol" and vector.op == "symbol" and vector.data[0].defined:
                    self.first.append(f"{_printed(matrix)} {_printed(vector)}")
        scalars = [factor for factor in factors if factor.kind in (SCALAR, NUMBER)]
        arrays = [(factor, at.at) for factor, at in zip(factors, node.factors, strict=True) if factor not in scalars]
        if not arrays:
            return self.times(factors, node, "")
        for factor, at in arrays[1:]:
            self.alike(factor, arrays[0][0], at)
            self.same(factor, arrays[0][0].rows, arrays[0][0].columns, at)
        return _multiplied([*scalars, _hadamard([factor for factor, _ in arrays])])

    def times(self, factors: list[Typed], node: Any, sign: str) -> Typed:
        """A product of scalars, matrices and vectors: matrices act on what stands right of them, or, behind a vector, on it."""
        factors = self.dots(factors, node)
        vectors = [place for place, factor in enumerate(factors) if factor.kind == VECTOR]
        if not vectors:
            return self.chain(factors, node)
        if len(vectors) > 1 and sign == "":
            for place in vectors[:-1]:
                inner = factors[place].args if factors[place].op == "hadamard" else ()
                large = [t for t in inner if t.op == "symbol" and not t.data[0].defined and t.data[0].key.base[0].isupper()]
                if large:
                    message = (
                        f"(... {_printed(large[0])} ...) may be a matrix times a vector, or vectors entry by entry; "
                        f"declare {_printed(large[0])} in the text, or write \\odot between the two"
                    )
                    raise Fault(node.at, message)
            self.side_by_side.append(" ".join(_printed(factors[place]) for place in vectors))
        last = vectors[-1]
        tail = [factor for factor in factors[last + 1 :] if factor.kind == MATRIX]
        scalars = [factor for factor in factors[last + 1 :] if factor.kind != MATRIX]
        if tail and any(factor.kind == MATRIX for factor in factors[:last]):
            raise Fault(node.at, "matrices on both sides of a vector; write them all on its left, transposed where needed")
        turned = [Typed("transpose", (m,), m.columns, m.rows, MATRIX) for m in reversed(tail)]
        current = [*scalars, *turned, factors[last]]
        for factor in reversed(factors[:last]):
            if factor.kind == VECTOR:
                other = self.chain(current, node)
                self.same(factor, other.rows, other.columns, node.at)
                current = [_hadamard([factor, other])]
            else:
                current.insert(0, factor)
        return self.chain(current, node)

    def dots(self, factors: list[Typed], node: Any) -> list[Typed]:
        """Each transposed vector joined with the matrices and the vector on its right to one scalar."""
        while (place := next((p for p, factor in enumerate(factors) if factor.kind == ROW), None)) is not None:
            stop = next((p for p in range(place + 1, len(factors)) if factors[p].kind == VECTOR), None)
            if stop is None:
                raise Fault(node.at, "a transposed vector needs a vector on its right; write the equation with columns")
            right = self.chain(factors[place + 1 : stop + 1], node)
            left = factors[place].args[0]
            unify(left.rows, right.rows, node.at)
            factors = [*factors[:place], Typed("dot", (left, right), ONE, ONE, SCALAR), *factors[stop + 1 :]]
        return factors

    def chain(self, factors: list[Typed], node: Any) -> Typed:
        arrays = [factor for factor in factors if factor.kind in (MATRIX, VECTOR)]
        for left, right in zip(arrays, arrays[1:], strict=False):
            unify(left.columns, right.rows, node.at)
        return _multiplied(factors)


def _printed(typed: Typed) -> str:
    return str(typed.data[0].tex) if typed.op == "symbol" else r"(\ldots)"


def _multiplied(factors: list[Typed]) -> Typed:
    if len(factors) == 1:
        return factors[0]
    arrays = [factor for factor in factors if factor.kind in (MATRIX, VECTOR)]
    if not arrays:
        kind = NUMBER if all(factor.kind == NUMBER for factor in factors) else SCALAR
        return Typed("multiply", tuple(factors), ONE, ONE, kind)
    kind = VECTOR if arrays[-1].kind == VECTOR else MATRIX
    return Typed("multiply", tuple(factors), arrays[0].rows, arrays[-1].columns, kind)


def _hadamard(factors: list[Typed]) -> Typed:
    flat: list[Typed] = []
    for factor in factors:
        flat += factor.args if factor.op == "hadamard" else (factor,)
    return Typed("hadamard", tuple(flat), flat[0].rows, flat[0].columns, flat[0].kind) if len(flat) > 1 else flat[0]


_MEASURES: dict[type, Any] = {
    Ref: Sizes.reference,
    Number: Sizes.number,
    Eye: Sizes.identity,
    Call: Sizes.call,
    Column: Sizes.column,
    Transposed: Sizes.transposed,
    Quotient: Sizes.quotient,
    Sum: Sizes.sum,
    Product: Sizes.product,
}
