"""What is checked: a module with `forward` and `backward` of the contract, with or without the Cell it should agree with."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rnnproof.equations.cell import Cell
from rnnproof.errors import BindError, UsageError
from rnnproof.verification.convention import Convention, convention
from rnnproof.verification.sample import Array, Calm, Layout, Sample, labelled

_CONTRACT = ("PARAMETERS", "STATES", "forward", "backward")

# What a module loaded from a path is called among the imported ones, before its own name.
_LOADED = "rnnproof_user_"


class ModuleFault(UsageError):
    """A module under test that raises, or whose answer is not of the contract; a check makes a failing row of it."""


@dataclass(frozen=True)
class Subject:
    """A module under test; `cell` is None where there are no equations to compare it with.

    It is called with copies, and its answers are copied: what it does to an array is seen by `purity` alone. `single` where it
    was found to compute in float32 whatever comes in.
    """

    name: str
    module: Any
    cell: Cell | None
    layout: Layout
    asked: Convention | None = None
    single: bool = False

    @property
    def convention(self) -> Convention:
        """Which states have seeds and initial values: all where nobody said otherwise."""
        return self.asked or convention(self.name, self.layout, None, True)

    @property
    def equations(self) -> Cell:
        """The Cell; raises UsageError where there is none."""
        if self.cell is None:
            raise UsageError(f"{self.name}: there are no equations to compare with; give the Cell with against=cell")
        return self.cell

    def draw(self, sizes: Mapping[str, int], seed: int, scale: float = 1.0, calm: Calm | None = None) -> Sample:
        """A random point in float64, with the seeds and initial values this module takes."""
        return self.convention.apply(self.layout.draw(sizes, seed, scale, calm))

    def call(self, what: str, *arguments: Any) -> Any:
        """The module's function `what`; whatever it raises becomes a ModuleFault."""
        try:
            return getattr(self.module, what)(*arguments)
        except Exception as error:
            raise ModuleFault(f"{self.name}: {what} raised {type(error).__name__}: {error}{self._where(error)}") from error

    def plain(self, fault: ModuleFault) -> str:
        """A fault's text without the module's name in front."""
        return str(fault).removeprefix(f"{self.name}: ")

    def _where(self, error: Exception) -> str:
        """The last line of the module itself in the traceback, " (mine.py, line 7)", or ""."""
        own = getattr(self.module, "__file__", None)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if own and frame.filename == own]
        return f" ({Path(own).name}, line {lines[-1]})" if own and lines else ""

    def arguments(self, point: Sample, params: Any = None) -> tuple[Any, ...]:
        """What `forward` is called with: copies, without `initial` where no state starts from a given value."""
        xs = point.xs
        xs = point.steps if xs is None else _copies(xs) if isinstance(xs, dict) else xs.copy()
        initial = {name: point.initial[name].copy() for name in self.convention.initial}
        return (_copies(point.params) if params is None else params, xs, *([initial] if initial else []))

    def forward(self, point: Sample, params: Any = None) -> Any:
        """The module's trace of a point, with its parameters or what the module's `prepare` made of them."""
        return self.traced(point, self.arguments(point, params))

    def traced(self, point: Sample, arguments: tuple[Any, ...]) -> Any:
        """What `forward` makes of these arguments. Raises ModuleFault where a state has no array of the right shape."""
        if (lacking := self._takes_no_initial(arguments)) is not None:
            raise ModuleFault(
                f"{self.name}: forward takes {lacking}, and is called with (params, xs, initial). If every state starts "
                "from zero, say so: initial=False (--no-initial)"
            )
        trace = self.call("forward", *arguments)
        try:
            shapes = {name: np.shape(trace.states[name]) for name in self.layout.states}
        except (AttributeError, KeyError, TypeError) as error:
            raise ModuleFault(
                f"{self.name}: forward's answer lacks {error}; return an object with .states[name], an array (T, B, size) each"
            ) from error
        for name, shape in shapes.items():
            if shape != (due := (point.steps, *point.initial[name].shape)):
                raise ModuleFault(
                    f"{self.name}: forward's states[{name!r}] has shape {shape} where {due}, (T, B, size), is due"
                )
        return trace

    def _takes_no_initial(self, arguments: tuple[Any, ...]) -> str | None:
        """The signature of a `forward` that takes these arguments without the last alone; else None."""
        try:
            signature = inspect.signature(self.module.forward)
            signature.bind(*arguments[:2])
        except (TypeError, ValueError):
            return None
        try:
            signature.bind(*arguments)
        except TypeError:
            return str(signature)
        return None

    def loss(self, point: Sample) -> Any:
        """Sum over states and time of d_states * states, from the module's forward alone."""
        states = self.forward(point).states
        return sum(np.sum(seed * states[name]) for name, seed in point.d_states.items())

    def gradients(self, point: Sample) -> dict[str, Array]:
        """Everything the module computes, by label: "output STATE", parameters, inputs, "initial STATE".

        Raises ModuleFault where the module's answer is not of the contract.
        """
        return self.answer(self.forward(point), point)

    def answer(self, trace: Any, point: Sample) -> dict[str, Array]:
        """The same from a trace, as copies that no later call can change."""
        labelled = self.labelled(trace, self.call("backward", trace, _copies(point.d_states)), point)
        try:
            return {label: np.array(value) for label, value in labelled.items()}
        except ValueError as error:
            raise ModuleFault(f"{self.name}: backward's answer holds what is no array: {error}") from error

    def labelled(self, trace: Any, gradients: Any, point: Sample) -> dict[str, Any]:
        """The states of a trace and what `backward` made of it, by label, as the module's own objects."""
        try:
            answer = {f"output {name}": trace.states[name] for name in self.layout.states}
            answer.update({name: gradients.params[name] for name in point.params})
            answer.update({f"initial {name}": gradients.initial[name] for name in point.initial if name not in point.fixed})
            for label in point.inputs:
                answer[label] = gradients.inputs if label == "inputs" else gradients.inputs[label.removeprefix("input ")]
        except (AttributeError, KeyError, TypeError) as error:
            raise ModuleFault(
                f"{self.name}: backward's answer lacks {error}; return an object with .params[name], .inputs and "
                ".initial[state] (a module that takes no initial states is checked with initial=False)"
            ) from error
        return answer


def _copies(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: value.copy() for name, value in arrays.items()}


def load_module(path: str | Path) -> Any:
    """A person's own module from an explicit `.py` path, imported (that is, run). Raises UsageError for any other file."""
    file = Path(path)
    if file.suffix != ".py" or not file.is_file():
        raise UsageError(f"{path}: not a Python file; give the path of a .py file with forward and backward")
    spec = importlib.util.spec_from_file_location(f"{_LOADED}{file.stem}", file)
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


def subject(
    thing: Any,
    against: Cell | str | None = None,
    seeds: Iterable[str] | None = None,
    initial: bool | Iterable[str] = True,
) -> Subject:
    """A Subject from a Cell (its module is built), a catalogue name or its module, or an object of the contract.

    `seeds` and `initial` are the states that have a seed and an initial value, all by default. Raises BindError for a cell with
    an open function and UsageError for what is none of these, and for a state there is not.
    """
    under_test = _subject(thing, against)
    return replace(under_test, asked=convention(under_test.name, under_test.layout, seeds, initial))


def _subject(thing: Any, against: Cell | str | None) -> Subject:
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
    package, _, name = getattr(thing, "__name__", type(thing).__name__).removeprefix(_LOADED).rpartition(".")
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
    """The layout a module states: PARAMETERS, STATES, and where it has them STATE_SIZES {state: size name}, INPUT, INPUTS.

    Without those, states are of size "hidden", and there is an input "input" if a parameter mentions it.
    """
    parameters = {name: tuple(map(str, shape)) for name, shape in module.PARAMETERS.items()}
    sizes: Mapping[str, Any] = getattr(module, "STATE_SIZES", {})
    states: dict[str, tuple[str, ...]] = {name: (str(sizes.get(name, "hidden")),) for name in module.STATES}
    mentioned = any("input" in entry for shape in parameters.values() for entry in shape)
    lone = getattr(module, "INPUT", "input" if mentioned else None)
    inputs: dict[str, tuple[str, ...]] = {"inputs": (str(lone),)} if lone is not None else {}
    several = {name: tuple(map(str, shape)) for name, shape in getattr(module, "INPUTS", {}).items()}
    return Layout(parameters, states, labelled(several) or inputs)
