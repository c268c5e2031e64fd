"""What is checked: a module with `forward` and `backward` of the contract, with or without the Cell it should agree with."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnproof.equations.cell import Cell
from rnnproof.errors import BindError, UsageError
from rnnproof.verification.point import Array, Layout, Point

_CONTRACT = ("PARAMETERS", "STATES", "forward", "backward")


class ModuleFault(UsageError):
    """A module under test that raises, or whose answer is not of the contract; a check makes a failing row of it."""


@dataclass(frozen=True)
class Subject:
    """A module under test; `cell` is None where there are no equations to compare it with."""

    name: str
    module: Any
    cell: Cell | None
    layout: Layout

    @property
    def equations(self) -> Cell:
        """The Cell; raises UsageError where there is none."""
        if self.cell is None:
            raise UsageError(f"{self.name}: there are no equations to compare with; give the Cell with against=cell")
        return self.cell

    def call(self, what: str, *arguments: Any) -> Any:
        """The module's function `what`; whatever it raises becomes a ModuleFault."""
        try:
            return getattr(self.module, what)(*arguments)
        except Exception as error:
            raise ModuleFault(f"{self.name}: {what} raised {type(error).__name__}: {error}") from error

    def forward(self, point: Point, params: Any = None) -> Any:
        """The module's trace of a point, with its parameters or what the module's `prepare` made of them."""
        xs = point.steps if point.xs is None else point.xs
        return self.call("forward", point.params if params is None else params, xs, point.initial)

    def loss(self, point: Point) -> Any:
        """Sum over states and time of d_states * states, from the module's forward alone."""
        states = self.forward(point).states
        return sum(np.sum(seed * states[name]) for name, seed in point.d_states.items())

    def gradients(self, point: Point) -> dict[str, Array]:
        """Everything the module computes, by label: "output STATE", parameters, "inputs", "initial STATE".

        Raises ModuleFault where the module's answer is not of the contract.
        """
        return self.answer(self.forward(point), point)

    def answer(self, trace: Any, point: Point) -> dict[str, Array]:
        """The same from a trace."""
        found = self.call("backward", trace, point.d_states)
        try:
            answer = {f"output {name}": trace.states[name] for name in self.layout.states}
            answer.update({name: found.params[name] for name in point.params})
            answer.update({f"initial {name}": found.initial[name] for name in point.initial})
            if point.xs is not None:
                answer["inputs"] = found.inputs
        except (AttributeError, KeyError, TypeError) as error:
            raise ModuleFault(
                f"{self.name}: backward's answer lacks {error}; "
                "return an object with .params[name], .inputs and .initial[state]"
            ) from error
        return answer


def load_module(path: str | Path) -> Any:
    """A person's own module from an explicit `.py` path, imported (that is, run). Raises UsageError for any other file."""
    file = Path(path)
    if file.suffix != ".py" or not file.is_file():
        raise UsageError(f"{path}: not a Python file; give the path of a .py file with forward and backward")
    spec = importlib.util.spec_from_file_location(f"rnnproof_user_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: cannot be imported; give the path of a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while it is being made
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script that leaves on import would take the check with it
        del sys.modules[spec.name]
        raise UsageError(f"{path}: importing it raised {type(error).__name__}: {error}; mend the file") from error
    return module


def subject(thing: Any, against: Cell | str | None = None) -> Subject:
    """A Subject from a Cell (its module is built), a catalogue name or its module, or an object of the contract.

    Raises BindError for a cell with an open function and UsageError for what is none of these.
    """
    cell = load_cell(against) if isinstance(against, str) else against
    if isinstance(thing, str):
        return Subject(thing, _committed(thing), cell or load_cell(thing), Layout.of_cell(cell or load_cell(thing)))
    if isinstance(thing, Cell):
        if thing.open_functions:
            name = thing.open_functions[0]
            raise BindError(
                f"cell {thing.name}: {name} is open; give it a body: rnnproof.bind(cell, {name}=r'\\tanh(W o + b)')"
            )
        generation = importlib.import_module("rnnproof.generation")
        return Subject(thing.name, generation.build(thing), cell or thing, Layout.of_cell(cell or thing))
    missing = [name for name in _CONTRACT if not hasattr(thing, name)]
    if missing:
        raise UsageError(
            f"{thing!r} has no {', '.join(missing)}; give a Cell, a catalogue name or a module that has {', '.join(_CONTRACT)}"
        )
    package, _, name = getattr(thing, "__name__", type(thing).__name__).rpartition(".")
    if package == "rnnproof.cells" and cell is None:
        cell = load_cell(name)
    layout = Layout.of_cell(cell) if cell else layout_of_module(thing)
    _same_parameters(name, layout, thing)
    return Subject(name, thing, cell, layout)


def load_cell(name: str) -> Cell:
    """A cell of the catalogue by its name."""
    cell: Cell = importlib.import_module("rnnproof.equations.catalogue").load(name)
    return cell


def _committed(name: str) -> Any:
    try:
        return importlib.import_module(f"rnnproof.cells.{name}")
    except ModuleNotFoundError as error:
        raise UsageError(f"no cell {name!r} in rnnproof.cells; see `rnnproof cells` for what there is") from error


def _same_parameters(name: str, layout: Layout, module: Any) -> None:
    ours, theirs = set(layout.parameters), set(module.PARAMETERS)
    if ours != theirs:
        raise UsageError(
            f"{name}: PARAMETERS has {', '.join(sorted(theirs - ours)) or 'nothing'} that the equations lack, and lacks "
            f"{', '.join(sorted(ours - theirs)) or 'nothing'} of theirs; name the parameters as the equations do"
        )


def layout_of_module(module: Any) -> Layout:
    """The layout a module states: PARAMETERS, STATES, and where it has them STATE_SIZES {state: size name} and INPUT.

    Without those, states are of size "hidden", and there is an input "input" if a parameter mentions it.
    """
    parameters = {name: tuple(map(str, shape)) for name, shape in module.PARAMETERS.items()}
    sizes: Mapping[str, Any] = getattr(module, "STATE_SIZES", {})
    states: dict[str, tuple[str, ...]] = {name: (str(sizes.get(name, "hidden")),) for name in module.STATES}
    mentioned = any("input" in entry for shape in parameters.values() for entry in shape)
    inputs = getattr(module, "INPUT", "input" if mentioned else None)
    return Layout(parameters, states, None if inputs is None else (str(inputs),))
