"""Draw random terms: vectors, matrices and scalars out of what can be read so far and of parameters, new, shared or tied."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

from tests.random_cells.random_tree import (
    Apply,
    Call,
    Dim,
    Dims,
    Dot,
    Eye,
    Hadamard,
    Node,
    Number,
    Product,
    Quotient,
    Read,
    Stack,
    Sum,
    Symbol,
    Transpose,
)
from tests.random_cells.torch_functions import KINKED, SMOOTH

_NUMBERS = (Fraction(1, 2), Fraction(1, 4), Fraction(3, 2), Fraction(2), Fraction(3), Fraction(1, 3), Fraction(7, 10))


class TermMaker:
    """`readable` is what may be read; parameters are shared with `others`, where given."""

    def __init__(self, rng: Random, readable: list[Node], others: TermMaker | None = None) -> None:
        self.rng, self.readable = rng, readable
        self.parameters: list[Symbol] = others.parameters if others else []
        self.positive: set[Symbol] = others.positive if others else set()
        self.open: list[Call] = []
        self.earlier: list[Node] = []

    def parameter(self, dims: Dims, share: float = 0.25) -> Node:
        """A parameter of these dimensions: new, or one there is already, transposed where that fits."""
        alike = [p for p in self.parameters if p.dims == dims]
        turned = [p for p in self.parameters if len(dims) == 2 and p.dims == dims[::-1]]
        if (alike or turned) and self.rng.random() < share:
            symbol = self.rng.choice(alike + turned)
            if symbol.dims != dims or (symbol in turned and self.rng.random() < 0.5):
                return Transpose(dims, Read(symbol.dims, symbol))
            return Read(dims, symbol)
        if len(dims) == 2 and self.rng.random() < 0.15:
            return Transpose(dims, self._fresh(dims[::-1]))
        return self._fresh(dims)

    def _fresh(self, dims: Dims) -> Read:
        symbol = Symbol(f"w{len(self.parameters)}", "parameter", dims)
        self.parameters.append(symbol)
        return Read(dims, symbol)

    def number(self) -> Number:
        """A constant."""
        return Number((), self.rng.choice(_NUMBERS))

    def plus(self, *terms: Node) -> Sum:
        """The terms added, some subtracted."""
        signs = tuple(self.rng.choices((1, -1), (4, 1), k=len(terms)))
        return Sum(terms[0].dims if terms[0].dims else terms[-1].dims, signs, terms)

    def matrix(self, rows: Dim, columns: Dim) -> Node:
        """What multiplies a vector: mostly a parameter."""
        dims, kind = (rows, columns), self.rng.random()
        values = [node for node in self.readable if node.dims == dims]
        if values and kind < 0.5:
            return self.rng.choice(values)
        if kind > 0.93 and rows == columns:
            return self.matrix_sum(rows)
        if kind > 0.90:
            return Sum(dims, (1, self.rng.choice((1, -1))), (self.parameter(dims), self.parameter(dims)))
        if kind > 0.87:
            rank = f"r{len(self.parameters)}"
            return Product(dims, self.parameter((rows, rank)), self.parameter((rank, columns)))
        return self.parameter(dims)

    def matrix_sum(self, rows: Dim) -> Node:
        """A square matrix out of others: antisymmetric, shifted by the identity, or a product."""
        dims, first = (rows, rows), self.parameter((rows, rows))
        symbol = first.inner if isinstance(first, Transpose) else first
        turned = Transpose(dims, symbol)
        shifted = Product(dims, self.parameter(()), Eye(dims))
        return self.rng.choice(
            (
                Sum(dims, (1, -1), (symbol, turned)),
                Sum(dims, (1, -1, -1), (symbol, turned, shifted)),
                Sum(dims, (1, self.rng.choice((1, -1))), (first, Eye(dims))),
                Sum(dims, (1, -1), (first, Product(dims, self.number(), self.parameter(dims)))),
                Product(dims, first, self.parameter(dims)),
            )
        )

    def leaf(self, dim: Dim) -> Node:
        """A vector with as little around it as its size allows."""
        alike = [node for node in self.readable if node.dims == (dim,)]
        if alike and self.rng.random() < 0.8:
            return self.rng.choice(alike)
        if self.rng.random() < 0.15:
            return self.parameter((dim,))
        return self.product(dim, self.any_vector())

    def any_vector(self) -> Node:
        """Something readable of any size, sometimes several stacked, or an elementwise term of one."""
        vectors = [node for node in self.readable if len(node.dims) == 1]
        kind = self.rng.random()
        if kind < 0.15 and len(vectors) > 1:
            return self.stack()
        vector = self.rng.choice(vectors)
        if kind < 0.25:
            return Hadamard(vector.dims, (self.rng.choice((self.parameter(vector.dims), vector)), vector))
        if kind < 0.3:
            return self.apply(vector)
        return vector

    def product(self, dim: Dim, vector: Node) -> Node:
        """A matrix by the vector, of this size."""
        return Product((dim,), self.matrix(dim, vector.dims[0]), vector)

    def stack(self) -> Stack:
        """Two or three vectors one below the other: states, inputs, values, functions of them, parameters."""
        vectors = [node for node in self.readable if len(node.dims) == 1]
        items: list[Node] = [self.rng.choice(vectors) for _ in range(self.rng.choice((2, 2, 2, 3)))]
        for place, item in enumerate(items):
            kind = self.rng.random()
            if kind < 0.1:
                items[place] = self.apply(item)
            elif kind < 0.18:
                items[place] = Hadamard(item.dims, (self.parameter(item.dims), item))
            elif kind < 0.23:
                items[place] = self.parameter(item.dims)
        return Stack((tuple(item.dims[0] for item in items),), tuple(items))

    def stack_of(self, dim: tuple[Dim, ...]) -> Stack:
        """A stack whose parts have these sizes."""
        return Stack((dim,), tuple(self.leaf(part) for part in dim))

    def apply(self, vector: Node) -> Node:
        """A function of a vector; what could overflow or divide by zero is kept away from that."""
        if self.rng.random() < 0.12:
            name = self.rng.choice(("exponential", "reciprocal"))
            inner: Node = Apply(vector.dims, self.rng.choice(("tanh", "sigmoid", "softsign")), vector)
            if name == "reciprocal":
                inner = Sum(vector.dims, (1, 1), (Number((), self.rng.choice((Fraction(3, 2), Fraction(2)))), inner))
            return Apply(vector.dims, name, inner)
        return Apply(vector.dims, self.rng.choice((*SMOOTH, *KINKED, "tanh", "sigmoid", "tanh", "sigmoid")), vector)

    def gate(self) -> Node:
        """A scalar out of a dot product."""
        vector = self.rng.choice([node for node in self.readable if len(node.dims) == 1])
        left = self.rng.choice((self.parameter(vector.dims), vector))
        dot: Node = Dot((), left, vector)
        if self.rng.random() < 0.15:
            dot = Dot((), self.parameter(("q",)), Product(("q",), self.parameter(("q", vector.dims[0])), vector))
        kind = self.rng.random()
        if kind < 0.4:
            dot = Sum((), (1, 1), (dot, self.parameter(())))
        elif kind < 0.5:
            dot = Product((), self.parameter(()), dot)
        return Apply((), self.rng.choice(("sigmoid", "tanh", "softplus", "gelu")), dot) if self.rng.random() < 0.85 else dot

    def positive_vector(self, dim: Dim) -> Node:
        """What a quotient can stand over: its entries are between 1 and 2, or above 1."""
        gate = Apply((dim,), self.rng.choice(("sigmoid", "softplus")), self.affine(dim))
        return Sum((dim,), (1, 1), (Number((), Fraction(1)), gate))

    def scalar(self) -> Node:
        """What stands before a vector: a number, a parameter, a gate, one minus these."""
        kind = self.rng.random()
        known = [node for node in self.readable if node.dims == ()]
        if kind < 0.2:
            return self.number()
        if kind < 0.5:
            return self.parameter(())
        if kind < 0.6:
            under = self.parameter((), share=0)
            assert isinstance(under, Read)
            self.positive.add(under.symbol)
            return Quotient((), Number((), Fraction(1)), under)
        inner = self.rng.choice(known) if known else self.gate() if kind < 0.85 else self.parameter(())
        return Sum((), (1, -1), (Number((), Fraction(1)), inner)) if self.rng.random() < 0.4 else inner

    def update(self, dim: Dim, depth: int = 2) -> Node:
        """The right side of an equation of this size."""
        if isinstance(dim, tuple):
            return self.vector(dim, depth - 1)
        kind = self.rng.random()
        if kind < 0.45:
            return self.apply(self.affine(dim))
        if kind < 0.6:
            return self.affine(dim)
        return self.vector(dim, depth)

    def affine(self, dim: Dim) -> Node:
        """A sum of products with, at any place among them, elementwise terms."""
        terms: list[Node] = [self.product(dim, self.any_vector()) for _ in range(self.rng.choice((1, 2, 2, 3)))]
        for _ in range(self.rng.choice((0, 1, 1, 2))):
            beside = (
                lambda: self.parameter((dim,)),
                lambda: Hadamard((dim,), (self.parameter((dim,)), self.leaf(dim))),
                lambda: self.leaf(dim),
                lambda: Product((dim,), self.scalar(), self.leaf(dim)),
                lambda: self.vector(dim, 1),
            )
            terms.insert(self.rng.randint(0, len(terms)), self.rng.choice(beside)())
        return self.plus(*terms) if len(terms) > 1 else terms[0]

    def vector(self, dim: Dim, depth: int) -> Node:
        """Any term of this size."""
        made = self._vector(dim, depth)
        alike = [node for node in self.earlier if node.dims == made.dims]
        if alike and self.rng.random() < 0.06:
            return self.rng.choice(alike)
        self.earlier.append(made)
        return made

    def _vector(self, dim: Dim, depth: int) -> Node:
        if depth <= 0:
            return self.leaf(dim)
        here, inner = (dim,), lambda: self.vector(dim, depth - 1)
        kinds: list[tuple[int, Any]] = [
            (3, lambda: self.plus(inner(), inner(), *([self.leaf(dim)] if self.rng.random() < 0.5 else []))),
            (2, lambda: Sum(here, (1, -1), (Number((), Fraction(1)), inner()))),
            (1, lambda: Sum(here, (1, self.rng.choice((1, -1))), (inner(), self.number()))),
            (3, lambda: Hadamard(here, tuple(inner() for _ in range(self.rng.choice((2, 2, 3)))))),
            (3, lambda: self.apply(inner())),
            (2, lambda: Product(here, self.scalar(), inner())),
            (1, lambda: Quotient(here, inner(), self.rng.choice((self.number(), self.divisor())))),
            (1, lambda: Quotient(here, inner(), self.positive_vector(dim))),
            (2, lambda: self.product(dim, self.vector(self.readable[0].dims[0], depth - 1))),
            (2, lambda: self.product(dim, self.stack())),
            (2, lambda: self.highway(dim, inner)),
            (1, lambda: Product(here, self.gate(), inner())),
            (1, lambda: Sum(here, (1, 1), (inner(), self.parameter(())))),
        ]
        if isinstance(dim, tuple):
            kinds.append((6, lambda: self.stack_of(dim)))
        for call in self.open:
            if call.dims == here:
                kinds.append((8, lambda call=call: replace(call, inner=self.vector(call.inner.dims[0], depth - 1))))
            else:
                kinds.append((2, lambda call=call: self.product(dim, replace(call, inner=self.leaf(call.inner.dims[0])))))
        weights, makers = zip(*kinds, strict=True)
        node: Node = self.rng.choices(makers, weights)[0]()
        return node

    def highway(self, dim: Dim, inner: Any) -> Node:
        """z * a + (1 - z) * b."""
        gate, here = Apply((dim,), "sigmoid", inner()), (dim,)
        rest = Sum(here, (1, -1), (Number((), Fraction(1)), gate))
        return Sum(here, (1, 1), (Hadamard(here, (gate, inner())), Hadamard(here, (rest, self.leaf(dim)))))

    def divisor(self) -> Node:
        """A scalar parameter that is kept away from zero."""
        node = self.parameter((), share=0)
        assert isinstance(node, Read)
        self.positive.add(node.symbol)
        return node
