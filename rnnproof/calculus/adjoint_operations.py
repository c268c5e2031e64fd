"""The operations that only adjoints are made of, each with all that it means; those of equations stand in `operations`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnproof.calculus import matrix_expressions
from rnnproof.calculus.index_notation import Index, sum_over
from rnnproof.calculus.matrix_expressions import OpenJacobian, ScalarStepSum, StepSum
from rnnproof.calculus.operation_base import JACOBIAN, At, Entries, MathOperation, placed, same_shape
from rnnproof.calculus.operations import Open
from rnnproof.calculus.variables import Expression, Shape


@dataclass(frozen=True)
class Slope(MathOperation, in_equations=False):
    """f'(x), entry by entry, from x and y = f(x)."""

    function: Expression

    def shape(self, x: Shape, y: Shape) -> Shape:
        return same_shape(self, (x, y))

    def entry(self, at: At, x: Entries, y: Entries) -> Expression:
        z = sp.Dummy("z", real=True)
        return self.function(z).diff(z).xreplace({z: x(*at)})

    def formula(self, x: Expression, y: Expression) -> Expression:
        return matrix_expressions.slope(self.function, x, y)


@dataclass(frozen=True)
class Outer(MathOperation, in_equations=False):
    """a b^T: a column by a row."""

    def shape(self, a: Shape, b: Shape) -> Shape:
        return (a[0], b[0])

    def entry(self, at: At, a: Entries, b: Entries) -> Expression:
        return a(at[0]) * b(at[1])

    def formula(self, a: Expression, b: Expression) -> Expression:
        return matrix_expressions.multiply(a, matrix_expressions.transpose(b))


@dataclass(frozen=True)
class Pad(MathOperation, in_equations=False):
    """The argument from `start` on, among zeros, so that the axis has this extent."""

    axis: int
    start: Expression
    extent: Expression

    def shape(self, x: Shape) -> Shape:
        return (*x[: self.axis], self.extent, *x[self.axis + 1 :])

    def entry(self, at: At, x: Entries) -> Expression:
        return placed(x, self.axis, self.start, at)

    def formula(self, x: Expression) -> Expression:
        before, after = list(x.shape), list(x.shape)
        before[self.axis] = self.start
        after[self.axis] = sp.expand(self.extent - self.start - x.shape[self.axis])
        parts = [sp.ZeroMatrix(*before), x, sp.ZeroMatrix(*after)]
        filled = [part for part in parts if part.shape[self.axis] != 0]
        return sp.BlockMatrix([[part] for part in filled] if self.axis == 0 else [filled])


@dataclass(frozen=True)
class Vjp(MathOperation, in_equations=False):
    """J_f(x)^T d, f left open."""

    function: Open

    def shape(self, x: Shape, d: Shape) -> Shape:
        return x

    def entry(self, at: At, x: Entries, d: Entries) -> Expression:
        i = Index(d.shape[0])
        return sum_over(JACOBIAN[i, at[0]] * d(i), i)

    def formula(self, x: Expression, d: Expression) -> Expression:
        jacobian = OpenJacobian(self.function.name, x, self.function.rows)
        return matrix_expressions.multiply(matrix_expressions.transpose(jacobian), d)


@dataclass(frozen=True)
class ReduceSum(MathOperation, in_equations=False):
    """The sum over the steps, the samples, or both."""

    over_steps: bool
    over_samples: bool

    @property
    def attributes(self) -> tuple[Any, ...]:
        return (*(["steps"] if self.over_steps else []), *(["samples"] if self.over_samples else []))

    def shape(self, x: Shape) -> Shape:
        return x

    def entry(self, at: At, x: Entries) -> Expression:
        """Of one step and one sample; what is summed lies outside the argument's own indices."""
        return x(*at)

    def formula(self, x: Expression) -> Expression:
        if not self.over_steps:  # a sum over samples goes without saying
            return x
        return StepSum(x) if getattr(x, "is_Matrix", False) else ScalarStepSum(x)
