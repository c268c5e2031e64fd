"""What an operation of a Program is, and what an operation of the calculus has to mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

import sympy as sp

from rnnproof.calculus.bounds import EVERYTHING, Interval
from rnnproof.calculus.index_notation import Index, sum_over
from rnnproof.calculus.terms import Linearised, Terms
from rnnproof.calculus.variables import Expression, Shape
from rnnproof.errors import EquationError

At = tuple[Index, ...]


class Entries(Protocol):
    """The entries of an argument, by their indices."""

    @property
    def shape(self) -> Shape: ...

    def __call__(self, *at: Index) -> Expression: ...


@dataclass(frozen=True)
class Operation:
    """An array operation; its attributes are fields, so that equal operations are equal."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def shape(self, *arguments: Any, **_: Any) -> Shape:
        """The shape of the result. Raises EquationError where the arguments' shapes do not fit."""
        raise NotImplementedError

    @property
    def attributes(self) -> tuple[Any, ...]:
        """What is printed in brackets behind the name."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(map(str, self.attributes))}]" if self.attributes else self.name


MEANINGS = ("shape", "entry", "formula", "jacobian")
OPERATIONS: dict[str, type[MathOperation]] = {}


class MathOperation(Operation):
    """An operation of the calculus, with every meaning. An operation that only adjoints are made of needs no Jacobian."""

    in_equations: ClassVar[bool]

    def __init_subclass__(cls, *, in_equations: bool = True) -> None:
        super().__init_subclass__()
        cls.in_equations = in_equations
        for meaning in MEANINGS if in_equations else MEANINGS[:-1]:
            if getattr(cls, meaning) is getattr(MathOperation, meaning):
                raise TypeError(f"the operation {cls.name} lacks its {meaning}")
        OPERATIONS[cls.name] = cls

    def entry(self, at: At, *arguments: Any, **_: Any) -> Expression:
        """The entry of the result at these indices."""
        raise NotImplementedError

    def formula(self, *arguments: Any, **_: Any) -> Expression:
        """The result as a person would write it."""
        raise NotImplementedError

    def jacobian(self, result: Linearised, *arguments: Any, **_: Any) -> Terms:
        """The Jacobian of the result from those of the arguments; no terms where it is zero. Of a matrix there is none."""
        raise NotImplementedError

    def interval(self, *arguments: Any, **_: Any) -> Interval:
        """An interval that holds every entry of the result, from those of the arguments."""
        return EVERYTHING


# The Jacobian of a function left open: all that is known of it.
JACOBIAN = sp.IndexedBase("J_f", real=True)


def placed(part: Entries, axis: int, start: Expression, at: At) -> Expression:
    """The entry at these indices of an array that holds `part` from `start` on and zeros elsewhere."""
    q = Index(part.shape[axis])
    return sum_over(sp.KroneckerDelta(at[axis], start + q) * part(*at[:axis], q, *at[axis + 1 :]), q)


def same_shape(op: Operation, shapes: tuple[Shape, ...]) -> Shape:
    """The shape that all have. Raises EquationError for others."""
    expect(all(shape == shapes[0] for shape in shapes), f"{op.name} of shapes {shapes}")
    return shapes[0]


def expect(ok: bool, what: str) -> None:
    """Raise EquationError where shapes do not fit."""
    if not ok:
        raise EquationError(f"{what}: these shapes do not fit; check the equation's sizes")
