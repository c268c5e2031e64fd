"""Cells nobody would think of: random equations, so that schedule and storage meet combinations no hand-made cell has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp

from rnnproof.derivation.derivation import derive
from rnnproof.equations import activations
from rnnproof.equations import expressions as ex
from rnnproof.equations.cell import Cell, State
from rnnproof.errors import GenerationError
from rnnproof.generation import build
from tests.generation.problems import SHAPES, close, complex_step, loss, problem
from tests.zoo import column, m, matrix, n

FUNCTIONS = [activations.named(name) for name in ("tanh", "sigmoid", "swish", "softsign", "softplus", "gelu")]
ONE = sp.OneMatrix(n, 1)


class Maker:
    """Draws equations over `states` states, some intermediates, and parameters that may be shared, transposed or per step."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.seed = seed
        self.x = column("x", m)
        self.states = [(column(f"s{k}"), column(f"s{k}_prev")) for k in range(1 + self.rng.integers(3))]
        self.known: list[Any] = [old for _, old in self.states]
        self.count = 0

    def pick(self, items: Any) -> Any:
        return items[self.rng.integers(len(items))]

    def name(self, head: str, shared: int = 4) -> str:
        """A fresh parameter name, or one of a few that are used again."""
        self.count += 1
        return f"{head}{self.rng.integers(shared)}" if self.rng.random() < 0.3 else f"{head}_{self.count}"

    def square(self) -> Any:
        matrix_ = matrix(self.name("A"))
        kind = self.rng.integers(4)
        if kind == 0:
            return sp.Transpose(matrix_)
        if kind == 1:
            return ex.add(
                matrix_, ex.multiply(-1, sp.Transpose(matrix(self.name("A")))), ex.multiply(-1, self.scalar(), sp.Identity(n))
            )
        return matrix_

    def scalar(self) -> Any:
        return sp.Symbol(self.name("k"), real=True)

    def vector(self, depth: int) -> Any:
        if depth == 0:
            return self.pick([self.pick(self.known), column(self.name("b")), ex.multiply(matrix(self.name("W"), n, m), self.x)])
        inner = [self.vector(depth - 1) for _ in range(2)]
        return self.pick(
            [
                lambda: ex.add(*inner, self.vector(0)),
                lambda: ex.add(inner[0], ex.multiply(sp.Rational(-1, 2), inner[1])),
                lambda: ex.add(ONE, ex.multiply(-1, inner[0])),
                lambda: ex.hadamard(*inner),
                lambda: ex.apply(self.pick(FUNCTIONS), inner[0]),
                lambda: ex.apply(self.pick(FUNCTIONS[:2]), ex.add(*inner)),
                lambda: ex.multiply(self.square(), inner[0]),
                lambda: ex.multiply(self.scalar(), inner[0]),
                lambda: ex.multiply(sp.tanh(ex.Dot(column(self.name("b")), inner[0])), inner[1]),
                lambda: ex.multiply(matrix(self.name("C"), n, n + m), ex.concatenate(inner[0], self.x)),
                lambda: ex.multiply(matrix(self.name("D"), n, 2 * n), ex.concatenate(*inner)),
            ]
        )()

    def cell(self) -> Cell:
        equations: dict[Any, Any] = {}
        for k in range(self.rng.integers(4)):
            symbol = column(f"v{k}")
            equations[symbol] = ex.apply(self.pick(FUNCTIONS[:2]), self.vector(2))
            self.known.append(symbol)
        for new, _ in self.states:
            shape = self.rng.integers(4)
            body = ex.apply(sp.tanh, self.vector(2))
            equations[new] = [body, ex.hadamard(body, self.vector(0)), self.pick(self.known), ex.add(body, self.vector(1))][
                shape
            ]
            self.known.append(new)
        if self.rng.random() < 0.3:
            equations[column("y")] = self.vector(2)
        inputs = [self.x] if any(self.x in ex.symbols(body) for body in equations.values()) else []
        cell = Cell.from_sympy(f"random_{self.seed}", equations, previous=dict(self.states), inputs=inputs)
        steps = {p.name for p in cell.parameters if self.rng.random() < 0.2}
        cell = replace(cell, parameters=tuple(replace(p, per_step=p.name in steps) for p in cell.parameters))
        read = {symbol for equation in cell.equations for symbol in ex.symbols(equation.expression)}
        states = [replace(s, old=s.old if s.old in read else None) for s in cell.states]
        outputs = [State(e.symbol.name, e.symbol, None) for e in cell.equations if e.symbol.name == "y"]
        return replace(cell, states=tuple(outputs + states))


@pytest.mark.parametrize("seed", range(120))
def test_random_cell(seed: int) -> None:
    cell = Maker(seed).cell()
    try:
        mod = build(cell)
    except GenerationError as error:
        assert "depends on neither the input nor a state" in str(error)
        return
    params, xs, initial, seeds = problem(mod, {**SHAPES[0], "T": 3})
    params = {key: value * 0.5 for key, value in params.items()}
    gradients = mod.backward(mod.forward(params, xs, initial), seeds)
    for key in params:
        found = complex_step(params[key], lambda v, key=key: loss(mod, {**params, key: v}, xs, initial, seeds))
        close(gradients.params[key], found, key)
    for state in initial:
        found = complex_step(initial[state], lambda v, s=state: loss(mod, params, xs, {**initial, s: v}, seeds))
        close(gradients.initial[state], found, state)
    if cell.inputs:
        close(gradients.inputs, complex_step(xs, lambda v: loss(mod, params, v, initial, seeds)), "inputs")
    _forward_is_the_equations(cell, mod, params, xs, initial)


@pytest.mark.parametrize("seed", range(30))
def test_random_cell_can_be_derived(seed: int) -> None:
    cell = Maker(seed).cell()
    found = derive(cell)
    for port in found.backward.ports("gradient", out=True):
        assert "∂L/∂" in found.gradient(of=port.key).text
    assert found.markdown() == derive(cell).markdown()


def _forward_is_the_equations(cell: Cell, mod: Any, params: Any, xs: Any, initial: Any) -> None:
    """The states, against the interpreter of the Cell's equations."""
    from rnnproof.verification.oracles import ORACLES
    from rnnproof.verification.point import Layout
    from rnnproof.verification.subject import subject

    under_test = subject(mod, cell)
    point = Layout.of_cell(cell).draw({"T": 3, "B": 2, "input": 4, "hidden": 3}, 1, 0.3)
    reference = ORACLES["autograd"].compute(under_test, point)
    states = mod.forward(point.params, 3 if point.xs is None else point.xs, point.initial).states
    for state in mod.STATES:
        np.testing.assert_allclose(states[state], reference.values[f"output {state}"], rtol=1e-11, atol=1e-12)
