"""Before any number is compared: are `forward` and `backward` functions, which answer the same twice and change nothing?

Differences of a forward that goes on where it stopped, or that draws random numbers, mean nothing, so this comes first. Calls
are made with the arrays themselves here, and what they hold is compared with copies taken before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from rnnproof.verification.module_under_test import Subject
from rnnproof.verification.sample import Array, Sample

Arrays = dict[str, Array]


@dataclass(frozen=True)
class Impurity:
    """One fault, told in full; after one that `ends` the check nothing else would have a meaning."""

    text: str
    ends: bool = False


def impurities(subject: Subject, point: Sample) -> Iterator[Impurity]:
    """Every way in which the module is no pure function at this point. Raises ModuleFault where it raises."""
    for fault in _forward(subject, point):
        yield fault
        if fault.ends:
            return
    yield from _backward(subject, point)


def _forward(subject: Subject, point: Sample) -> Iterator[Impurity]:
    """Two calls with equal arguments."""
    arguments = subject.arguments(point)
    arguments_by_name = _named(subject, arguments)
    before = _copied(arguments_by_name)
    states = subject.traced(point, arguments).states
    first = _copied({name: states[name] for name in subject.layout.states})
    yield from _changed("forward", arguments_by_name, before)
    generator = _global_generator()
    later = subject.forward(point).states
    second = _copied({name: later[name] for name in first})
    if (difference := _difference(first, second)) is not None:
        yield _impure("forward", "state", difference, _random(subject, point, generator))
        return
    if any(_shared(states[name], later[name]) for name in subject.layout.states):
        yield Impurity(
            "forward reuses its arrays: a second call overwrites the states that the first one returned. Make them in each call"
        )
    for text in _sharing({f"states[{name!r}]": states[name] for name in subject.layout.states}, arguments_by_name):
        yield Impurity(f"forward's {text}; whoever changes one in place changes the other: return a copy")


def _backward(subject: Subject, point: Sample) -> Iterator[Impurity]:
    """Two calls on one trace, one on another; that the trace is not used up is what the oracle `again` tests."""
    arguments = subject.arguments(point)
    trace = subject.traced(point, arguments)
    d_states = {name: seed.copy() for name, seed in point.d_states.items()}
    arguments_by_name = {**_named(subject, arguments), **{f"d_states[{name!r}]": seed for name, seed in d_states.items()}}
    states = {f"trace.states[{name!r}]": trace.states[name] for name in subject.layout.states}
    before = _copied({**arguments_by_name, **states})
    gradients = _gradients(subject, trace, d_states, point)
    first = _copied(gradients)
    yield from _changed("backward", {**arguments_by_name, **states}, before)
    generator = _global_generator()
    other = subject.forward(point)
    elsewhere = _copied(_gradients(subject, other, {name: seed.copy() for name, seed in point.d_states.items()}, point))
    if (difference := _difference(first, elsewhere)) is not None:
        yield _impure("backward", "gradient", difference, _random(subject, point, generator), _doubled(first, elsewhere))
        return
    again = _gradients(subject, trace, {name: seed.copy() for name, seed in point.d_states.items()}, point)
    if any(_shared(value, again[label]) for label, value in gradients.items()):
        yield Impurity(
            "backward reuses its arrays: a second call overwrites the gradients that the first one returned, so nobody can add "
            "or keep them. Return copies, or make the arrays in each call"
        )
    shared = [
        *_sharing({_called(label): value for label, value in gradients.items()}, {**arguments_by_name, **states}),
        *_pairs(gradients),
    ]
    for text in shared:
        yield Impurity(f"backward's {text}; whoever clips or updates one in place changes the other: return a copy")


def _gradients(subject: Subject, trace: Any, d_states: Arrays, point: Sample) -> dict[str, Any]:
    labelled = subject.labelled(trace, subject.call("backward", trace, d_states), point)
    return {label: value for label, value in labelled.items() if not label.startswith("output ")}


def _named(subject: Subject, arguments: tuple[Any, ...]) -> Arrays:
    """The arrays among forward's arguments, as a person writes them."""
    params, xs, *initial = arguments
    named = {f"params[{name!r}]": value for name, value in params.items()}
    if isinstance(xs, np.ndarray):
        named["xs"] = xs
    elif isinstance(xs, dict):
        named |= {f"xs[{name!r}]": value for name, value in xs.items()}
    return {**named, **{f"initial[{name!r}]": value for name, value in (initial[0] if initial else {}).items()}}


def _called(label: str) -> str:
    """A gradient as backward returns it."""
    kind, _, name = label.partition(" ")
    if name:
        return f".{'inputs' if kind == 'input' else kind}[{name!r}]"
    return ".inputs" if label == "inputs" else f".params[{label!r}]"


def _copied(arrays: Mapping[str, Any]) -> Arrays:
    return {name: np.array(value) for name, value in arrays.items()}


def _difference(first: Arrays, second: Arrays, when: tuple[str, str] = ("first", "then")) -> str | None:
    """Where two answers differ first, with both numbers; None where they are the same, entry for entry."""
    for name, value in first.items():
        other = second[name]
        if value.shape != other.shape:
            return f"{name} has shape {value.shape} {when[0]} and {other.shape} {when[1]}"
        if (differs := (value != other) & ~((value != value) & (other != other))).any():
            index = tuple(map(int, np.argwhere(differs)[0]))
            entry = f"{name}[{', '.join(map(str, index))}]"
            return f"{entry} is {value[index]:.6g} {when[0]} and {other[index]:.6g} {when[1]}"
    return None


def _changed(what: str, arrays: Mapping[str, Any], before: Arrays) -> Iterator[Impurity]:
    for name, value in arrays.items():
        if (difference := _difference({name: before[name]}, {name: np.asarray(value)}, ("before", "after"))) is not None:
            yield Impurity(f"{what} changes what it is given: {difference}; work on a copy")


def _impure(what: str, kind: str, difference: str, random: bool, doubled: bool = False) -> Impurity:
    """The fault of answers that differ between equal calls."""
    if random:
        why, cure = "draws random numbers", "Switch dropout and noise off for the check"
    elif doubled:
        why, cure = "adds to what an earlier call left", "Set every gradient to zero at the start of backward"
    else:
        why = "keeps state between calls (or draws random numbers)"
        cure = (
            "Let it start from its arguments alone and store nothing outside the trace; switch dropout off"
            if what == "forward"
            else "Let it read the trace and d_states alone"
        )
    return Impurity(f"{what} {why}: called twice with the same arguments, {kind} {difference}. {cure}", ends=True)


def _random(subject: Subject, point: Sample, generator: Any) -> bool:
    """Whether calls move NumPy's global generator, and agree where it starts from the same state."""
    now, answers = _global_generator(), []
    if now[2] == generator[2] and np.array_equal(now[1], generator[1]):
        return False
    for _ in range(2):
        np.random.set_state(generator)
        answers.append(subject.gradients(point))
    np.random.set_state(now)
    return _difference(answers[0], answers[1]) is None


def _global_generator() -> Any:
    return np.random.get_state()


def _doubled(first: Arrays, second: Arrays) -> bool:
    """Whether whatever differs is twice as large in the second answer."""
    return all(np.array_equal(second[name], value) or np.allclose(second[name], 2 * value) for name, value in first.items())


def _sharing(answers: Mapping[str, Any], arguments: Mapping[str, Any]) -> Iterator[str]:
    for name, value in answers.items():
        if sharers := [other for other, array in arguments.items() if _shared(value, array)]:
            yield f"{name} shares memory with {sharers[0]}"


def _pairs(gradients: Mapping[str, Any]) -> Iterator[str]:
    for (name, value), (other, array) in combinations(gradients.items(), 2):
        if _shared(value, array):
            yield f"{_called(name)} shares memory with {_called(other)}"


def _shared(value: Any, other: Any) -> bool:
    """Whether an entry of one is an entry of the other; undecided within a second's work counts as no."""
    try:
        return np.shares_memory(np.asarray(value), np.asarray(other), max_work=100_000)
    except np.exceptions.TooHardError:
        return False
