"""What a printed gradient comes to in numbers: every value that its print allows, as authors leave much to the reader.

Printed gradients mix conventions. A vector beside a matrix may stand for the diagonal matrix of its entries, the gradient of a
loss is a row (numerator layout) or a column (denominator layout), and two vectors side by side are multiplied entry by entry.
So a formula has a list of values, one for each way to read it whose shapes fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, reduce
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from rnnproof.equations import activations, symbols
from rnnproof.equations.gradient_syntax import (
    Outer,
    OverSteps,
    Partial,
    ShortPartial,
    StepProduct,
    StepSum,
    power_of,
    without_power,
)
from rnnproof.equations.printed_gradients import LOSSES
from rnnproof.equations.syntax_tree import Column, Group, Number, Product, Quotient, Scripted, Sum, Symbol, Transposed
from rnnproof.verification.derived_run import DerivedRun
from rnnproof.verification.sample import Array

_MOST = 300
# Functions that slopes are printed with and cells are not made of.
_PLAIN: dict[str, Callable[[Array], Array]] = {
    "sech": lambda x: 1 / np.cosh(x),
    "cosh": np.cosh,
    "sinh": np.sinh,
    "sign": np.sign,
    "sgn": np.sign,
    "step": lambda x: (x > 0) * 1.0,
    "exp": np.exp,
}
LAST_STEPS = ("T", "N", "L", "S", "K", "tau")


class NotCompared(Exception):
    """Why a formula has no value."""


@dataclass(frozen=True)
class Value:
    """An array of 0, 1 or 2 axes; a vector is a column, a row (`row`), or a diagonal matrix, as what stands beside it needs."""

    array: Array
    row: bool = False
    identity: bool = False


@dataclass(frozen=True)
class Convention:
    """How a formula is read. `layout` is that of derivatives by vectors; `held` and the rest as in `DerivedRun`."""

    layout: str
    held: str
    outputs: tuple[str, ...]
    losses: tuple[int, ...]
    rows: bool = False
    ended: bool = False  # nothing after the last step may be read
    begins: bool = False  # no gradient before the first step may be read
    alone: bool = False  # the loss reads one step alone
    inner: bool = False  # delta o_t is by what the function of o_t is applied to


class Formula:
    """The values of trees at one step of a run."""

    def __init__(
        self,
        run: DerivedRun,
        convention: Convention,
        letters: dict[str, int],
        functions: dict[str, str],
        aliases: list[tuple[Symbol, Any]],
    ) -> None:
        self.run, self.convention, self.letters = run, convention, letters
        self.functions, self.aliases = functions, aliases

    def values(self, node: Any) -> list[Value]:
        """Every value that a tree allows. Raises NotCompared."""
        found = self._values(node)
        if not found:
            raise NotCompared("shapes")
        return _distinct(found)

    def _values(self, node: Any) -> list[Value]:
        match node:
            case Number():
                return [Value(np.asarray(float(node.text)))]
            case Group():
                return self.values(node.inner)
            case Symbol():
                return self._symbol(node)
            case Transposed():
                return [self._transposed(value) for value in self.values(node.inner)]
            case Partial():
                return [self.derivative(node)]
            case Sum():
                signed = [[_scaled(sign, value) for value in self.values(term)] for sign, term in node.terms]
                return _folded(signed, _added)
            case Product():
                return self._product(node)
            case Column():
                return _folded([self.values(item) for item in node.items], _stacked)
            case Outer():
                return _folded([self.values(factor) for factor in node.factors], _outer)
            case Quotient():
                return _folded([self.values(node.over), self.values(node.under)], _divided)
            case Scripted():
                if (exponent := _exponent(node)) is not None:
                    return [_power(value, exponent) for value in self.values(node.inner)]
            case StepSum():
                found = self._steps(node)
                if not found:
                    raise NotCompared("notation")
                return _added_up(found)
            case StepProduct():
                found = self._steps(node)
                if not found:  # of no factor
                    return [Value(np.asarray(1.0), identity=True), Value(np.asarray(1.0))]
                return [*_folded(found[::-1], _multiplied), *_folded(found, _multiplied)]
        raise NotCompared("notation")

    # sums and products

    def _steps(self, node: OverSteps) -> list[list[Value]]:
        """The values of what a sum or product runs over, for each step."""

        def bound(limit: tuple[str | None, int] | None, default: int) -> int:
            letter, number = limit or (None, default)
            if letter is None or letter in self.letters:
                return number + self.letters.get(letter or "", 0)
            if letter in LAST_STEPS:
                return self.run.steps + number
            raise NotCompared("notation")

        moved = max(self.run.offsets.values(), default=0) if node.first == (None, 1) else 0  # x_0 makes h_1
        steps = range(max(bound(node.first, 0) - moved, 0), min(bound(node.last, self.run.steps) - moved, self.run.steps) + 1)
        found = [self._at({node.letter: step}).values(node.body) for step in steps if step > 0]
        if 0 in steps:
            try:
                begins = Formula(
                    self.run,
                    replace(self.convention, begins=True),
                    {**self.letters, node.letter: 0},
                    self.functions,
                    self.aliases,
                )
                found.insert(0, begins.values(node.body))
            except NotCompared:
                pass  # the sum begins with the first step
        return found

    def on(self, steps: int) -> Formula:
        """The same, so many steps on."""
        return self._at({letter: at + steps for letter, at in self.letters.items()})

    def _at(self, letters: dict[str, int]) -> Formula:
        return Formula(self.run, self.convention, {**self.letters, **letters}, self.functions, self.aliases)

    def _product(self, node: Product) -> list[Value]:
        factors: list[list[Value]] = []
        waiting = list(node.factors)
        while waiting:
            factor = waiting.pop(0)
            function = self._function(factor) if isinstance(factor, Symbol) and waiting else None
            if function is not None:
                factors.append(self._applied(function, waiting.pop(0)))
            else:
                factors.append(self.values(factor))
        return _folded(factors, _entrywise if node.sign == "hadamard" else _multiplied)

    def _applied(self, function: Callable[[Value], Iterable[Value]], argument: Any) -> list[Value]:
        """A function of what stands behind it; a square or a transpose behind the bracket is of the function's value."""
        if isinstance(argument, Transposed):
            return [self._transposed(value) for value in self._applied(function, argument.inner)]
        if isinstance(argument, Scripted) and (exponent := _exponent(argument)) is not None:
            return [_power(value, exponent) for value in self._applied(function, argument.inner)]
        values = self.values(argument)
        vectors = [value for value in values if value.array.ndim < 2]  # what a function is applied to
        return [value for one in vectors or values for value in function(one)]

    def _function(self, symbol: Symbol) -> Callable[[Value], Iterable[Value]] | None:
        """What a symbol before its argument does: a function, its derivative, its square, diag; None for a quantity."""
        marks = [script for script in symbol.scripts if script.parts and all(atom == "prime" for atom in script.parts[0])]
        primes = sum(len(script.parts[0]) for script in marks)
        bare = replace(symbol, scripts=tuple(script for script in symbol.scripts if script not in marks))
        exponent = 1
        if (squared := without_power(bare)) is not None:
            bare, exponent = squared
        if bare.base.lower() == "diag":
            return _diagonal
        name = self.functions.get(symbols.identify(bare, ())[0].name)
        if name is None and bare.base in _PLAIN and not primes:
            plain = _PLAIN[bare.base]
            return lambda value: [Value(plain(value.array) ** exponent, value.row)]
        if name is None:
            if primes or (bare.word and not bare.scripts):
                raise NotCompared(f"function {symbol.printed}")
            return None
        if primes > 1 or activations.find(name) is None:
            raise NotCompared(f"function {symbol.printed}")
        compute = _slope(name) if primes else _activation(name)
        return lambda value: [Value(compute(value.array) ** exponent, value.row)]

    # symbols and derivatives

    def _symbol(self, symbol: Symbol) -> list[Value]:
        key, shift = symbols.identify(symbol, self.letters)
        name, step = self._known(key, shift)
        if name is not None:
            value = self.run.value(name, step)
            if value is None:
                raise NotCompared(f"symbol {symbol.printed}")
            return [Value(np.squeeze(value) if value.shape == (1,) else value, self.convention.rows)]
        for alias, tree in self.aliases:
            other, start = symbols.identify(alias, self.letters)
            if replace(other, index=key.index) == key and len(other.index) == len(key.index) < 2:
                later = self.letters[key.index[0]] + (shift or 0) - (start or 0) if key.index else 0
                moved = {**self.letters, **dict.fromkeys(other.index, later)}
                others = [(name, body) for name, body in self.aliases if body is not tree]
                return Formula(self.run, self.convention, moved, self.functions, others).values(tree)
        if (squared := without_power(symbol)) is not None:
            return [_power(value, squared[1]) for value in self._symbol(squared[0])]
        if symbol.base == "I" and not symbol.scripts:
            return [Value(np.asarray(1.0), identity=True)]
        raise NotCompared(f"symbol {symbol.printed}")

    def _known(self, key: symbols.Key, shift: int | None) -> tuple[str | None, int | None]:
        """The cell's name for a symbol, and its step; None where the cell does not have it."""
        run, name = self.run, key.name
        if name in run.params and name not in run.per_step:
            return name, self.letters[key.index[0]] + (shift or 0) if key.index else None
        digits = [label for label in key.below or key.above if label.isdigit()]
        if digits and not key.index:  # h_0 and h^{(2)}: a step by its number
            digit = digits[0]
            below = tuple(label for label in key.below if label != digit)
            bare = symbols.Key(key.base, below, key.above if key.below else (), ())
            if bare.name in run.names or bare.name in run.inputs:
                return bare.name, int(digit) + run.offsets.get(bare.name, 0)
        if len(key.index) == 1 and (name in run.per_step or name in run.names or name in run.inputs):
            step = self.letters[key.index[0]] + (shift or 0) + run.offsets.get(name, 0)
            if self.convention.ended and step > run.steps:
                raise NotCompared("derivative")
            return name, step
        return None, None

    def _quantity(self, node: Any) -> tuple[str | None, int | None, Symbol]:
        if not isinstance(node, Symbol):
            raise NotCompared("notation")
        name, step = self._known(*symbols.identify(node, self.letters))
        return name, step, node

    def derivative(self, node: Partial) -> Value:
        """The derived value of a derivative, in the convention's layout. Raises NotCompared."""
        of, at, top = self._quantity(node.of)
        by, step, bottom = self._quantity(node.by)
        if by is None:
            raise NotCompared(f"symbol {bottom.printed}")
        convention = self.convention
        if of is None:
            return self._adjoint(top, by, step, inner=self.convention.inner and isinstance(node, ShortPartial))
        if at is None:
            raise NotCompared("notation")
        if by in self.run.params and step is not None:  # a weight with a step is its use at that step
            array = self.run.jacobian(of, at, by, None, "other states") if step == at else None
        else:
            array = self.run.jacobian(of, at, by, step, convention.held)
        if array is None:
            raise NotCompared("derivative")
        return Value(array.T if convention.layout == "denominator" else array)

    def _adjoint(self, loss: Symbol, by: str, step: int | None, inner: bool) -> Value:
        key, shift = symbols.identify(loss, self.letters)
        if key.base not in LOSSES or [label for label in (*key.below, *key.above) if not label.isdigit()]:
            raise NotCompared(f"symbol {loss.printed}")
        losses = self.convention.losses
        if key.index:
            losses = (self.letters[key.index[0]] + (shift or 0),)
            if not 1 <= losses[0] <= self.run.steps:
                raise NotCompared("derivative")
        outputs = self.convention.outputs
        if by in self.run.params and by not in self.run.per_step and step is not None:
            if not 1 <= step <= self.run.steps:
                raise NotCompared("derivative")
            return Value(self.run.adjoint_of_one_step(by, step, outputs, losses))
        array = self.run.adjoint(by, step, outputs, losses, inner)
        if self.convention.begins and step == 0:
            raise NotCompared("derivative")
        if array is None or (self.convention.alone and not np.any(array)):  # where all is zero, everything agrees
            raise NotCompared("derivative")
        row = array.ndim == 1 and (self.convention.rows or self.convention.layout == "numerator")
        return Value(array, row=row)

    def _transposed(self, value: Value) -> Value:
        if value.array.ndim == 1:
            return Value(value.array[:, None] if value.row else value.array[None, :])
        return replace(value, array=value.array.T)


def _exponent(node: Scripted) -> int | None:
    """The power that a bracket is raised to."""
    return power_of(node.scripts[0]) if len(node.scripts) == 1 else None


def _added_up(steps: list[list[Value]]) -> list[Value]:
    """The sums over steps, each read in one way at every step where the steps have as many ways."""
    if len({len(values) for values in steps}) > 1:
        return _folded(steps, _added)
    sums = []
    for way in zip(*steps, strict=True):
        sums += _folded([[value] for value in way], _added)
    return sums


def _distinct(values: list[Value]) -> list[Value]:
    return list({(v.row, v.identity, v.array.shape, v.array.tobytes()): v for v in values}.values())


def _folded(parts: list[list[Value]], join: Callable[[Value, Value], Iterable[Value]]) -> list[Value]:
    """What the parts give, joined from the left, in every way."""

    def further(left: list[Value], right: list[Value]) -> list[Value]:
        found = _distinct([value for one, other in product(left, right) for value in join(one, other)])
        if len(found) > _MOST:
            raise NotCompared("ways")
        return found

    return reduce(further, parts)


def _scaled(sign: int, value: Value) -> Value:
    return value if sign == 1 else Value(-value.array, value.row)


def _power(value: Value, exponent: int) -> Value:
    if value.array.ndim == 2:
        if value.array.shape[0] != value.array.shape[1]:
            raise NotCompared("shapes")
        return Value(np.linalg.matrix_power(value.array, exponent))
    return replace(value, array=value.array**exponent)


def _diagonal(value: Value) -> list[Value]:
    if value.array.ndim == 1:
        return [Value(np.diag(value.array))]
    return [Value(np.diag(np.ravel(value.array)))] if 1 in value.array.shape and value.array.ndim == 2 else []


def _added(left: Value, right: Value) -> list[Value]:
    a, b = left.array, right.array
    if left.identity and not right.identity:
        return _added(right, left)
    if right.identity and not left.identity:
        if a.ndim == 1:
            return [Value(np.diag(a) + b * np.eye(len(a)))]
        return [Value(a + b * np.eye(len(a)))] if a.ndim == 2 and a.shape[0] == a.shape[1] else []
    if a.ndim > b.ndim:
        return [Value(v.array, v.row, v.identity) for v in _added(right, left)]
    if a.shape == b.shape:
        return [Value(a + b, left.row or right.row, left.identity and right.identity)]
    if a.ndim == 0:
        if b.ndim == 1:
            return [Value(a + b, right.row)]
        return [Value(a * np.eye(len(b)) + b)] if b.shape[0] == b.shape[1] else []
    if a.ndim == 1 and b.ndim == 2:
        forms = {(len(a), len(a)): np.diag(a), (len(a), 1): a[:, None], (1, len(a)): a[None, :]}
        return [Value(forms[b.shape] + b)] if b.shape in forms else []
    return []


def _multiplied(left: Value, right: Value) -> list[Value]:
    a, b = left.array, right.array
    if a.ndim == 0 or b.ndim == 0:
        return [Value(a * b, left.row or right.row, (left.identity and b.ndim == 0) or (right.identity and a.ndim == 0))]
    if a.ndim == 1 and b.ndim == 1:
        return [Value(a * b, left.row or right.row)] if len(a) == len(b) else []
    if a.ndim == 1:
        found = [Value(a[:, None] * b)] if len(a) == b.shape[0] else []
        if left.row and len(a) == b.shape[0]:
            found.append(Value(a @ b, row=True))
        elif b.shape[0] == 1 and not left.row:
            found.append(Value(a[:, None] @ b))
        return found
    if b.ndim == 1:
        found = [Value(a * b)] if a.shape[1] == len(b) else []
        if a.shape[1] == len(b) and not right.row:
            product = a @ b
            found.append(Value(product[0] if a.shape[0] == 1 else product))
        elif a.shape[1] == 1 and right.row:
            found.append(Value(a @ b[None, :]))
        return found
    return [Value(a @ b)] if a.shape[1] == b.shape[0] else []


def _entrywise(left: Value, right: Value) -> list[Value]:
    a, b = left.array, right.array
    if left.identity or right.identity:
        return []
    if a.ndim == 0 or b.ndim == 0 or a.shape == b.shape:
        return [Value(a * b, left.row or right.row)]
    if a.ndim == 1 and b.ndim == 2:
        if 1 in b.shape and b.size == len(a):
            return [Value(a * b.ravel(), left.row)]
        diagonal = b.shape == (len(a), len(a)) and np.array_equal(b, np.diag(np.diag(b)))
        found = [Value(a * np.diag(b), left.row)] if diagonal else []
        return [*found, Value(a[:, None] * b)] if len(a) == b.shape[0] else []
    if a.ndim == 2 and b.ndim == 1:
        return _entrywise(right, left)
    return []


def _outer(left: Value, right: Value) -> list[Value]:
    a, b = left.array, right.array
    return [Value(np.outer(a, b)), *_entrywise(left, right)] if a.ndim == b.ndim == 1 else []


def _stacked(above: Value, below: Value) -> list[Value]:
    """One vector below the other."""
    return [Value(np.concatenate([above.array, below.array]), above.row)] if above.array.ndim == below.array.ndim == 1 else []


def _divided(over: Value, under: Value) -> list[Value]:
    a, b = over.array, under.array
    if b.ndim == 0 or (a.ndim < 2 and b.ndim == 1 and a.shape in ((), b.shape)):
        return [Value(a / b, over.row or under.row)]
    return []


@cache
def _activation(name: str) -> Any:
    return sp.lambdify(activations.X, activations.of(activations.named(name)).definition.doit(), "numpy")


@cache
def _slope(name: str) -> Any:
    return sp.lambdify(activations.X, sp.diff(activations.of(activations.named(name)).definition, activations.X), "numpy")
