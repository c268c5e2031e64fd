"""Scalar, vector or matrix: the kind of every quantity, from how it is used, to a fixed point; what stays open is an error.

States, inputs, concatenations and what open functions take and give are vectors. What else tells a kind stands in KIND_RULES;
nothing else is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rnnproof.equations import activations
from rnnproof.equations.symbols import children
from rnnproof.equations.syntax_tree import Column, Fault, Number, Product, Quotient, Sum, Transposed, blame
from rnnproof.equations.system import Call, Eye, Quantity, Ref, Statement

SCALAR, VECTOR, MATRIX, NUMBER, ROW = "scalar", "vector", "matrix", "number", "row"
_PLAIN = (SCALAR, NUMBER)


@dataclass(frozen=True)
class KindRule:
    """A use that tells a kind, h and x being vectors: how it is printed, and an equation in which it tells that of `symbol`.

    An upper-case letter before a vector is a matrix, a lower-case Greek one a scalar; \\odot and sums make vectors.
    """

    pattern: str
    kind: str
    example: str
    symbol: str


KIND_RULES = (
    KindRule("A h", MATRIX, r"h_t = \tanh(A h_{t-1} + x_t)", "A"),
    KindRule(r"\alpha h", SCALAR, r"h_t = \alpha h_{t-1} + W x_t", "alpha"),
    KindRule("(1 - a) h", SCALAR, r"h_t = (1 - a) h_{t-1} + W x_t", "a"),
    KindRule("h / s", SCALAR, r"h_t = h_{t-1} / s + W x_t", "s"),
    KindRule("W x + b", VECTOR, r"h_t = \tanh(W x_t + R h_{t-1} + b)", "b"),
    KindRule(r"q \odot h", VECTOR, r"h_t = q \odot h_{t-1} + W x_t", "q"),
    KindRule(r"w^\top h", VECTOR, r"h_t = \sigma(w^\top h_{t-1}) h_{t-1} + W x_t", "w"),
)


class Kinds:
    """One system's equations as (left quantity, right tree) pairs; `changed` tells a pass that it learned something."""

    def __init__(self) -> None:
        self.changed = False

    def learn(self, quantity: Quantity, kind: str, at: int) -> None:
        if quantity.kind is None:
            quantity.kind = kind
            self.changed = True
        elif quantity.kind != kind:
            message = f"{quantity.tex} is used as a {kind} here and as a {quantity.kind} elsewhere; rename or declare one"
            raise Fault(at, message)

    def equation(self, quantity: Quantity, right: Any) -> None:
        """One pass over `quantity = right`: what each side says about the other."""
        kind = self.kind(right)
        if quantity.kind is not None:
            self.expect(right, quantity.kind)
        elif kind in (SCALAR, VECTOR, MATRIX):
            self.learn(quantity, str(kind), right.at)
        self.visit(right)

    def visit(self, node: Any) -> None:
        """Let every product below `node` say what it can."""
        for child in children(node):
            self.visit(child)
        if isinstance(node, Call) and isinstance(node.function, Quantity):
            self.expect(node.argument, VECTOR)
        if isinstance(node, Column):
            for item in node.items:
                self.expect(item, VECTOR)
        if isinstance(node, Quotient):
            self.quotient(node)
        kind = self.kind(node)
        if kind in (SCALAR, VECTOR, MATRIX):
            self.expect(node, str(kind))
        elif isinstance(node, Product):
            self.product(node, None)

    def kind(self, node: Any) -> str | None:
        """What is known about a tree: one of the constants above, or None."""
        if isinstance(node, Ref):
            return node.quantity.kind
        if isinstance(node, Number):
            return NUMBER
        if isinstance(node, Eye):
            return MATRIX
        if isinstance(node, Column):
            return VECTOR
        if isinstance(node, Call):
            return VECTOR if isinstance(node.function, Quantity) else self.kind(node.argument)
        if isinstance(node, Transposed):
            inner = self.kind(node.inner)
            return ROW if inner == VECTOR else inner
        if isinstance(node, Quotient):
            kinds = [self.kind(node.over), self.kind(node.under)]
            if node.entrywise:
                return MATRIX if MATRIX in kinds else NUMBER if kinds == [NUMBER, NUMBER] else VECTOR
            return kinds[1] if kinds[1] in (VECTOR, MATRIX) else kinds[0]
        if isinstance(node, Sum):
            kinds = [self.kind(term) for _, term in node.terms]
            for kind in (MATRIX, VECTOR, ROW):
                if kind in kinds:
                    return kind
            return None if None in kinds else SCALAR if SCALAR in kinds else NUMBER
        kinds = [self.kind(factor) for factor in node.factors]
        if node.sign == "hadamard":
            return MATRIX if MATRIX in kinds else NUMBER if all(k == NUMBER for k in kinds) else VECTOR
        if ROW in kinds:
            vectors = kinds.count(VECTOR)
            return None if None in kinds or not vectors else SCALAR if vectors == 1 else VECTOR
        if any(k is None and isinstance(f, Transposed) for k, f in zip(kinds, node.factors, strict=True)):
            return None
        if VECTOR in kinds:
            return VECTOR
        if None in kinds:
            return None
        return MATRIX if MATRIX in kinds else SCALAR if SCALAR in kinds else NUMBER

    def expect(self, node: Any, kind: str) -> None:
        """Tell a tree what it must be."""
        if isinstance(node, Ref):
            if not (node.quantity.kind == SCALAR and kind == VECTOR):
                self.learn(node.quantity, kind, node.at)
        elif isinstance(node, Sum):
            uncertain = [term for _, term in node.terms if self.kind(term) is None]
            if kind == MATRIX and any(self.kind(term) == NUMBER for _, term in node.terms):
                raise Fault(node.at, "a number and a matrix in one sum; write I for the identity")
            for _, term in node.terms:
                if term in uncertain or self.kind(term) == kind:
                    self.expect(term, kind)
        elif isinstance(node, Call):
            self.expect(node.argument, VECTOR if isinstance(node.function, Quantity) else kind)
        elif isinstance(node, Transposed):
            if kind == MATRIX:
                self.expect(node.inner, MATRIX)
        elif isinstance(node, Quotient):
            if self.kind(node.over) is None or self.kind(node.over) == kind:
                self.expect(node.over, kind)
            self.quotient(node)
        elif isinstance(node, Product):
            self.product(node, kind)

    def quotient(self, node: Quotient) -> None:
        """What a quotient says about its parts; below the line, what has an equation of its own waits for that."""
        if node.entrywise:
            for part in (node.over, node.under):
                if self.kind(part) is None:
                    self.expect(part, self.kind(node) or VECTOR)
        elif self.kind(node.under) is None and not any(ref.quantity.defined for ref in _references(node.under)):
            self.expect(node.under, SCALAR)

    def product(self, node: Product, kind: str | None) -> None:
        """What a product says about its factors, given what the whole must be (None: unknown)."""
        factors = node.factors
        if node.sign == "hadamard":
            wanted = self.kind(node) or VECTOR
            for factor in factors:
                if self.kind(factor) is None:
                    self.expect(factor, wanted)
            return
        kinds = [self.kind(factor) for factor in factors]
        if (
            kind == SCALAR
            and isinstance(factors[0], Transposed)
            and len(factors) > 1
            and not isinstance(factors[-1], Transposed)
        ):
            self.expect(factors[0].inner, VECTOR)  # w^T h, a number
            self.expect(factors[-1], VECTOR)
            return
        if kind == SCALAR and ROW not in kinds:
            for factor in factors:
                if self.kind(factor) is None and not isinstance(factor, Transposed):
                    self.expect(factor, SCALAR)
            return
        if kind == MATRIX:
            for factor in factors:
                if self.kind(factor) is None and (factor_kind := self.before(factor, node.sign)):
                    self.expect(factor, factor_kind)
            return
        core = self.core(factors, kinds, kind)
        if core is None:
            for factor, factor_kind in zip(factors, kinds, strict=True):
                if factor_kind is None and MATRIX in kinds and node.sign == "" and _is_greek(_letter(factor) or ""):
                    self.expect(factor, SCALAR)
            return
        if kinds[core] is None:
            self.expect(factors[core], VECTOR)
        for place, factor in enumerate(factors):
            if place == core or self.kind(factor) is not None:
                continue
            if place < core and isinstance(factor, Transposed) and (letter := _letter(factor.inner)):
                self.expect(factor.inner, MATRIX if letter[0].isupper() else VECTOR)
            elif factor_kind := self.before(factor, node.sign):
                self.expect(factor, factor_kind)

    def core(self, factors: Sequence[Any], kinds: Sequence[str | None], kind: str | None) -> int | None:
        """Which factor is the vector the others act on; None while that is unknown."""
        known = [place for place, factor_kind in enumerate(kinds) if factor_kind == VECTOR]
        if known:
            return known[-1]
        unknown = [place for place, factor_kind in enumerate(kinds) if factor_kind is None]
        if kind is None and _acted_on(factors, kinds):
            return len(factors) - 1
        if kind != VECTOR or not unknown:
            return None
        if len(unknown) == 1 and unknown[0] == len(kinds) - 1:
            return unknown[0]
        open_ones = [place for place in unknown if not isinstance(factors[place], Transposed)]
        if any(isinstance(factors[place], Ref) and factors[place].quantity.defined for place in open_ones):
            return None  # its own equation will tell
        carriers = [p for p in open_ones if isinstance(factors[p], Ref) and factors[p].quantity.carries_index]
        if len(carriers) == 1:
            return carriers[0]
        return open_ones[-1] if open_ones else None

    def capital(self, node: Any) -> bool:
        """Whether a term looks like a matrix: a capital letter, transposed or not, or a matrix times scalars."""
        if isinstance(node, Transposed):
            return self.capital(node.inner)
        if isinstance(node, Product) and node.sign != "hadamard":
            return any(map(self.capital, node.factors)) and VECTOR not in map(self.kind, node.factors)
        return (_letter(node) or "")[:1].isupper() or self.kind(node) == MATRIX

    def before(self, factor: Any, sign: str) -> str | None:
        """The kind of an undecided factor beside a vector or matrix, from its letter; None where the letter does not tell."""
        letter = _letter(factor)
        if letter and factor.quantity.applied:
            return None  # its own equation will tell
        if letter:
            if letter in ("Delta_t", "Delta_tau"):
                return SCALAR
            if letter[0].isupper():
                return MATRIX
            if letter[0] == "w" and len(letter) == 1 and sign in ("", "dot") and not factor.quantity.carries_index:
                return MATRIX
            return SCALAR if sign in ("", "dot") and _is_greek(letter) else None
        if isinstance(factor, Call) and not isinstance(factor.function, Quantity):
            return SCALAR if _is_greek(_letter(factor.argument) or "") else None
        if isinstance(factor, Sum):
            if any(isinstance(term, Ref) and term.quantity.defined for _, term in factor.terms):
                return None  # its own equation will tell
            capital = [self.capital(term) for _, term in factor.terms]
            if any(self.kind(term) in _PLAIN for _, term in factor.terms):
                return None if any(capital) else SCALAR
            return MATRIX if all(capital) else None
        if isinstance(factor, Transposed):
            return MATRIX if (_letter(factor.inner) or "a")[0].isupper() else None
        return None


def settle(statements: Sequence[Statement], settling: Callable[[], bool]) -> Kinds:
    """Run passes until nothing changes, then let `settling()` add one assumption and go on, as long as it returns True."""
    kinds = Kinds()
    while True:
        kinds.changed = True
        while kinds.changed:
            kinds.changed = False
            for statement in statements:
                with blame(statement.source):
                    kinds.equation(statement.target, statement.right)
        if not settling():
            return kinds


def scalar_sum(node: Any) -> bool:
    """Make lower-case parameters of a sum scalars where its other terms are, as in w^T h + beta; whether any was made."""
    known = Kinds()
    if isinstance(node, Sum) and SCALAR in (kinds := [known.kind(term) for _, term in node.terms]):
        free: list[Any] = [term for kind, (_, term) in zip(kinds, node.terms, strict=True) if kind is None]
        plain = all(isinstance(t, Ref) and not t.quantity.defined and t.quantity.name[0].islower() for t in free)
        if free and plain and set(kinds) <= {SCALAR, NUMBER, None}:
            for term in free:
                known.learn(term.quantity, SCALAR, term.at)
            return True
    return any(scalar_sum(child) for child in children(node))


def scalar_divisor(node: Any) -> bool:
    """Make what stands below a line a scalar where nothing says what it is; whether any was made."""
    known = Kinds()
    if isinstance(node, Quotient) and known.kind(node.under) is None:
        known.expect(node.under, SCALAR)
        return known.changed
    return any(scalar_divisor(child) for child in children(node))


def _acted_on(factors: Sequence[Any], kinds: Sequence[str | None]) -> bool:
    """Whether the last factor is a lower-case symbol with the index, never defined, and matrices stand before it: W x_t."""
    last = factors[-1]
    if not isinstance(last, Ref) or last.quantity.defined or not last.quantity.carries_index or last.quantity.name[0].isupper():
        return False
    before = zip(factors[:-1], kinds[:-1], strict=True)
    return kinds[-1] is None and all(k == MATRIX or (k is None and (_letter(f) or "a")[0].isupper()) for f, k in before)


def _references(node: Any) -> Iterator[Ref]:
    """Every symbol read in a tree."""
    if isinstance(node, Ref):
        yield node
    for child in children(node):
        yield from _references(child)


def _letter(node: Any) -> str | None:
    return node.quantity.key.base if isinstance(node, Ref) else None


def _is_greek(letter: str) -> bool:
    return len(letter) > 1 and letter in _GREEK and activations.find(letter) is None or letter == "sigma"


_GREEK = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "var")
    for name in (
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
        "ell"
    ).split()
)
