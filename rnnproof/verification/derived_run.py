"""A cell's derived gradients along one random sequence: every value, its adjoint, and every Jacobian between two values.

All of it comes out of the generated backward pass of the cell with a nudge added to each equation: the gradient by a nudge is
the adjoint of what it is added to, and with one unit seed for each row of a batch it is a Jacobian.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from rnnproof.equations import activations, expressions
from rnnproof.equations.cell import Cell, Equation, Parameter, State, in_order
from rnnproof.equations.printed_steps import step_offsets
from rnnproof.errors import UsageError
from rnnproof.generation import build
from rnnproof.verification.sample import Array, Layout, measure

_NUDGE, _INNER = "nudge_of_", "nudge_inside_"
_GATES = ("sigmoid", "hard_sigmoid", "hard_sigmoid_keras3")


def nudged(cell: Cell) -> Cell:
    """The cell with an input of its own added to every equation, and to what its function is applied to; every value an output.

    A value that is another equation's part, written out there, is read there.
    """
    equations, inputs, states = [], [*cell.inputs], [*cell.states]
    carried = {state.new for state in cell.states}
    for equation in in_order(shared(cell.equations)):
        symbol, expression = equation.symbol, equation.expression
        if not getattr(symbol, "is_Matrix", False) or expressions.shape_of(symbol)[1] != 1:
            raise UsageError(f"{symbol} is no vector")
        if isinstance(expression, ElementwiseApplyFunction):
            inner = sp.MatrixSymbol(f"{_INNER}{symbol.name}", *expressions.shape_of(symbol))
            inputs.append(inner)
            expression = expression.func(expression.function, sp.MatAdd(expression.expr, inner))
        nudge = sp.MatrixSymbol(f"{_NUDGE}{symbol.name}", *expressions.shape_of(symbol))
        inputs.append(nudge)
        equations.append(replace(equation, expression=sp.MatAdd(expression, nudge)))
        states += [State(symbol.name, symbol, None)] if symbol not in carried else []
    return replace(cell, equations=tuple(equations), inputs=tuple(inputs), states=tuple(states))


def shared(equations: tuple[Equation, ...]) -> tuple[Equation, ...]:
    """The equations, each part that another one defines read by its name."""
    defined = {e.expression: e.symbol for e in equations if e.expression.args and not isinstance(e.expression, sp.MatrixSymbol)}
    return tuple(
        replace(e, expression=e.expression.xreplace({part: name for part, name in defined.items() if name != e.symbol}))
        for e in equations
    )


class DerivedRun:
    """One sequence of `steps` steps with random values; steps count from 1, and step 0 has the initial states.

    These are random too, or zero as asked for with `from_zero`.
    """

    def __init__(self, cell: Cell, steps: int = 5, seed: int = 0, from_zero: bool = False) -> None:
        self.cell, self.steps = cell, steps
        with_nudges = nudged(cell)
        self.module: Any = build(with_nudges)
        self.names = {equation.symbol.name: equation.symbol for equation in cell.equations}
        self.carried = {state.new.name: state for state in cell.states if state.old is not None}
        self.old = {name: state.old.name for name, state in self.carried.items() if state.old is not None}
        self.inputs = {symbol.name for symbol in cell.inputs}
        self.offsets = step_offsets(cell)
        self.per_step = {p.name for p in cell.parameters if p.per_step}
        layout = Layout.of_cell(with_nudges)
        sizes = layout.complete({"T": steps, "B": 1, "input": 4, "hidden": 3})
        rng = np.random.default_rng(seed)

        def drawn(shape: tuple[str, ...], *lead: int) -> Array:
            extent = tuple(measure(entry, sizes) for entry in shape)
            return rng.standard_normal((*lead, *extent)) / np.sqrt(extent[-1] if len(extent) > 1 else 1.5)

        self.params = {name: drawn(shape) for name, shape in layout.parameters.items()}
        self.xs = {
            label.removeprefix("input ") if label != "inputs" else with_nudges.inputs[0].name: drawn(shape, steps, 1)
            for label, shape in layout.inputs.items()
        }
        self.xs |= {name: 0 * value for name, value in self.xs.items() if name.startswith((_NUDGE, _INNER))}
        self.applied = {name.removeprefix(_INNER) for name in self.xs if name.startswith(_INNER)}
        self.gates = tuple(e.symbol.name for e in cell.equations if _is_gate(e) and e.symbol.name not in self.carried)
        self.seeds = {name: drawn(shape, steps, 1) for name, shape in layout.states.items()}
        starts = 0 if from_zero else 1
        self.start = {s.name: drawn(layout.states[s.name], 1) * (s.old is not None) * starts for s in with_nudges.states}
        self._jacobians: dict[tuple[str, int, str, int | None, str], Array | None] = {}
        self.state_names = {s.new.name: s.name for s in with_nudges.states}
        trace = self._forward(1, steps, 1)
        self.history = {name: trace.states[state] for name, state in self.state_names.items()}

    # values

    def value(self, name: str, step: int | None) -> Array | None:
        """The value of a symbol of the cell; zero after the last step; None for what has no value there."""
        if name in self.params:
            if name not in self.per_step:
                return np.asarray(self.params[name])
            return np.asarray(self.params[name][step - 1]) if step is not None and 1 <= step <= self.steps else None
        if step is None:
            return None
        source = self.history[name] if name in self.names else self.xs[name]
        if step == 0 and name in self.carried:
            return np.asarray(self.start[self.state_names[name]][0])
        if step > self.steps:
            return np.zeros(source.shape[2:])
        return np.asarray(source[step - 1, 0]) if step >= 1 else None

    # gradients

    def adjoint(
        self, name: str, step: int | None, outputs: tuple[str, ...], losses: tuple[int, ...], inner: bool = False
    ) -> Array | None:
        """The gradient of a loss that reads the states `outputs` at the steps `losses`.

        With `inner` by what the function of the value's equation is applied to, where that is a function of a sum.
        """
        gradients = self._whole(outputs, losses)
        if name in self.params:
            if name not in self.per_step:
                return np.asarray(gradients.params[name])
            return np.asarray(gradients.params[name][step - 1]) if step is not None and 1 <= step <= self.steps else None
        if step is not None and step > self.steps:
            return np.zeros(self._size(name))
        return self._read(gradients, name, step, 1, 0, _INNER if inner and name in self.applied else _NUDGE)

    def adjoint_of_one_step(self, name: str, step: int, outputs: tuple[str, ...], losses: tuple[int, ...]) -> Array:
        """The part of a parameter's gradient that comes from its use at one step."""
        seeds = self._seeds(outputs, losses)
        mine = {state: seed[step - 1 : step].copy() for state, seed in seeds.items()}
        for carried, state in self.carried.items():
            mine[state.name][0] += self.passed_back(carried, step, outputs, losses)
        gradient = self._backward(step, step, mine, 1).params[name]
        return np.asarray(gradient[0] if name in self.per_step else gradient)

    def passed_back(self, name: str, step: int, outputs: tuple[str, ...], losses: tuple[int, ...]) -> Array:
        """The part of a state's adjoint that comes from the next step, which reads it; zero at the last one."""
        if step >= self.steps:
            return np.zeros(self._size(name))
        return np.asarray(self._from(step + 1, outputs, losses).initial[self.state_names[name]][0])

    @cached_property
    def _from(self) -> Any:
        return cache(self._backward_from)

    def _backward_from(self, first: int, outputs: tuple[str, ...], losses: tuple[int, ...]) -> Any:
        """The gradients of the steps from `first` on."""
        seeds = {state: seed[first - 1 :] for state, seed in self._seeds(outputs, losses).items()}
        return self._backward(first, self.steps, seeds, 1)

    def jacobian(self, of: str, at: int, by: str, step: int | None, held: str) -> Array | None:
        """d `of` at one step / d `by` at a step or before, a row for each entry of `of`; None where it is not defined.

        `held` says what is kept constant: "nothing"; "other uses" of a parameter, at the steps before; "other states" of the
        step before; these and the "gates"; or all "other symbols" of the equation. Between steps further apart what is held
        is held at each.
        A parameter is flattened, and its uses at all steps count, at this step only, or in this equation only.
        """
        key = (of, at, by, step, held)
        if key not in self._jacobians:
            self._jacobians[key] = self._jacobian(of, at, by, step, held)
        return self._jacobians[key]

    def _jacobian(self, of: str, at: int, by: str, step: int | None, held: str) -> Array | None:
        if of not in self.names or not 1 <= at <= self.steps:
            return None
        if held not in ("nothing", "other uses") and of == by and step is not None and step < at - 1 and of in self.carried:
            later, earlier = self.jacobian(of, at, by, at - 1, held), self.jacobian(of, at - 1, by, step, held)
            return later @ earlier if later is not None and earlier is not None else None
        if held == "other symbols":
            return self._explicit(of, at, by, step)
        if held == "gates":
            return self._beside_gates(of, at, by, step)
        whole = held == "nothing" or (held == "other uses" and by not in self.params)
        first = 1 if whole else at
        before = step == at - 1 and by in self.carried
        if by not in self.params and (step is None or not (first <= step <= at or before or step == 0 == first - 1)):
            return np.zeros((self._size(of), self._size(by))) if step is not None and step > at else None
        size = self._size(of)
        state = self.state_names[of]
        if by in self.params:
            rows = [self._backward(first, at, {state: self._unit(at - first + 1, size, row)}, 1) for row in range(size)]
            if by in self.per_step:
                return None
            return np.stack([np.ravel(gradients.params[by]) for gradients in rows])
        seed = np.zeros((at - first + 1, size, size))
        seed[-1] = np.eye(size)
        gradients = self._backward(first, at, {state: seed}, size)
        return self._read(gradients, by, step, first, slice(None))

    def _unit(self, steps: int, size: int, row: int) -> Array:
        seed = np.zeros((steps, 1, size))
        seed[-1, 0, row] = 1
        return seed

    def _size(self, name: str) -> int:
        value = self.value(name, self.steps)
        return 0 if value is None else int(np.size(value))

    def _read(self, gradients: Any, name: str, step: int | None, first: int, row: Any, nudge: str = _NUDGE) -> Array | None:
        if step is None or step < first - 1:
            return None
        if step == first - 1:
            return np.asarray(gradients.initial[self.state_names[name]][row]) if name in self.carried else None
        inputs = gradients.inputs if isinstance(gradients.inputs, dict) else dict.fromkeys(self.xs, gradients.inputs)
        label = name if name in self.inputs else f"{nudge}{name}"
        return np.asarray(inputs[label][step - first, row]) if label in inputs else None

    @cached_property
    def _whole(self) -> Any:
        return cache(lambda outputs, losses: self._backward(1, self.steps, self._seeds(outputs, losses), 1))

    def _seeds(self, outputs: tuple[str, ...], losses: tuple[int, ...]) -> dict[str, Array]:
        """Random derivatives of the loss by the outputs, and zero elsewhere."""
        chosen = np.isin(np.arange(1, self.steps + 1), losses)[:, None, None]
        states = {self.state_names[name] for name in outputs}
        return {name: seed * chosen * (name in states) for name, seed in self.seeds.items()}

    def _forward(self, first: int, last: int, batch: int) -> Any:
        window = slice(first - 1, last)
        initial = (
            self.start
            if first == 1
            else {state: self.history[name][first - 2] * (name in self.carried) for name, state in self.state_names.items()}
        )
        xs = {name: np.repeat(value[window], batch, axis=1) for name, value in self.xs.items()}
        params = {name: value[window] if name in self.per_step else value for name, value in self.params.items()}
        start = {name: np.repeat(value, batch, axis=0) for name, value in initial.items()}
        return self.module.forward(params, xs if len(xs) > 1 else next(iter(xs.values())), start)

    def _backward(self, first: int, last: int, seeds: Mapping[str, Array], batch: int) -> Any:
        return self.module.backward(self._forward(first, last, batch), dict(seeds))

    # the gates as constants

    def _beside_gates(self, of: str, at: int, by: str, step: int | None) -> Array | None:
        """A Jacobian within one step, the gates and the other states of the step before being constants."""
        if not self.gates or of in self.gates or by not in self.carried or step != at - 1 or at < 2:
            return None
        module, size = self._without_gates, self._size(of)
        values = {name: self.value(name, at) for name in (*self.gates, *self.inputs)}
        xs: Any = {name: np.repeat(value[None, None], size, axis=1) for name, value in values.items() if value is not None}
        params = {
            name: self.params[name] if name not in self.per_step else self.params[name][at - 1 : at]
            for name in module.PARAMETERS
        }
        start = {
            self.state_names[name]: np.repeat(np.asarray(self.value(name, at - 1))[None], size, axis=0) for name in self.carried
        }
        start = {name: start.get(name, np.zeros((size, self._size(name)))) for name in module.STATES}
        read = {name: xs[name] for name in module.INPUTS} if module.INPUT is None else next(iter(xs.values()))
        trace = module.forward(params, read, start)
        gradients = module.backward(trace, {self.state_names[of]: np.eye(size)[None]})
        return np.asarray(gradients.initial[self.state_names[by]])

    @cached_property
    def _without_gates(self) -> Any:
        """The cell with its gates given as inputs, and every other value an output."""
        kept = tuple(e for e in self.cell.equations if e.symbol.name not in self.gates)
        read = {symbol for equation in kept for symbol in expressions.symbols(equation.expression)}
        gates = [symbol for name, symbol in self.names.items() if name in self.gates and symbol in read]
        made = [state.new for state in self.cell.states]
        others = [State(e.symbol.name, e.symbol, None) for e in kept if e.symbol not in made]
        alone = replace(
            self.cell,
            name=f"{self.cell.name}_without_gates",
            equations=kept,
            inputs=(*(symbol for symbol in self.cell.inputs if symbol in read), *gates),
            parameters=tuple(p for p in self.cell.parameters if p.symbol in read),
            states=(*(state for state in self.cell.states if state.new.name not in self.gates), *others),
        )
        return build(alone)

    # one equation alone

    def _explicit(self, of: str, at: int, by: str, step: int | None) -> Array | None:
        equation, module = self._alone(of)
        read = {symbol.name for symbol in expressions.symbols(equation.expression)}
        own = {parameter.name for parameter in self.cell.parameters}
        old = {before: name for name, before in self.old.items()}
        values = {}
        for name in sorted(read - own):
            value = self.value(old.get(name, name), at - 1 if name in old else at)
            if value is None:
                return None
            values[name] = value
        if by in own:
            label: str | None = by
        elif step == at - 1 and by in self.carried:
            label = self.old[by]
        else:
            label = by if step == at else None
        if label not in read:
            return np.zeros((self._size(of), self._size(by)))
        size = self._size(of)
        params = {
            name: self.params[name] if name not in self.per_step else self.params[name][at - 1 : at] for name in read & own
        }

        def gradients(batch: int, seed: Array) -> Any:
            xs: Any = {name: np.repeat(value[None, None], batch, axis=1) for name, value in values.items()}
            packed = xs if len(xs) > 1 else next(iter(xs.values()), 1)
            start = None if xs else {of: np.zeros((batch, size))}
            return module.backward(module.forward(params, packed, start), {of: seed})

        if label in own:
            rows = [gradients(1, self._unit(1, size, row)).params[label] for row in range(size)]
            return np.stack([np.ravel(row) for row in rows])
        inputs = gradients(size, np.eye(size)[None]).inputs
        return np.asarray((inputs[label] if isinstance(inputs, dict) else inputs)[0])

    @cached_property
    def _alone(self) -> Any:
        def made(of: str) -> tuple[Equation, Any]:
            """The equation of one value as a cell of its own: all it reads are inputs and parameters."""
            equation = next(e for e in self.cell.equations if e.symbol.name == of)
            read = expressions.symbols(equation.expression)
            own: tuple[Parameter, ...] = tuple(p for p in self.cell.parameters if p.symbol in read)
            others = read - {p.symbol for p in own}
            alone = replace(
                self.cell,
                name=f"{self.cell.name}_{of}",
                equations=(equation,),
                states=(State(of, equation.symbol, None),),
                parameters=own,
                inputs=tuple(sorted(others, key=str)),
            )
            return equation, build(alone)

        return cache(made)


def _is_gate(equation: Equation) -> bool:
    """Whether a value is a sigmoid of something, and so opens and closes."""
    expression = equation.expression
    if not isinstance(expression, ElementwiseApplyFunction):
        return False
    function = type(expression.function.expr)
    return any(function == activations.named(name) for name in _GATES)
