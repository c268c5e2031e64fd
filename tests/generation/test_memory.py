"""What a module is given is copied on entry: one rule for every cell, whatever its generated code keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnnproof import layers
from tests.generation.cells import CELLS
from tests.generation.problems import SHAPES, problem
from tests.generation.test_modules import module


def copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: np.array(one) for name, one in value.items()}
    return np.array(value) if isinstance(value, np.ndarray) else value


def spoil(*given: Any) -> None:
    """Write over everything, in place."""
    for value in given:
        for array in value.values() if isinstance(value, dict) else [value] if isinstance(value, np.ndarray) else []:
            array[...] = np.nan


def same(one: Any, other: Any) -> None:
    for name in other:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("name", sorted(CELLS))
def test_nothing_changes_with_the_callers_arrays(name: str) -> None:
    mod = module(name)
    params, xs, initial, seeds = problem(mod, SHAPES[0])
    due = mod.backward(mod.forward(params, xs, initial), seeds)
    states = {state: values.copy() for state, values in mod.forward(params, xs, initial).states.items()}
    own = [copied(value) for value in (params, xs, initial, seeds)]
    packed = mod.prepare(own[0])
    trace = mod.forward(*own[:3])
    spoil(*own[:3])
    gradients = mod.backward(trace, own[3])
    spoil(own[3])
    same(trace.states, states)
    same(gradients.params, due.params)
    same(gradients.initial, due.initial)
    if due.inputs is not None:
        np.testing.assert_array_equal(gradients.inputs, due.inputs)
    same(mod.forward(packed, xs, initial).states, states)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_what_is_returned_shares_no_memory_with_what_was_given(name: str) -> None:
    mod = module(name)
    params, xs, initial, seeds = problem(mod, SHAPES[0])
    trace = mod.forward(params, xs, initial)
    gradients = mod.backward(trace, seeds)
    returned = [*trace.states.values(), *gradients.params.values(), *gradients.initial.values()]
    returned += [] if gradients.inputs is None else [gradients.inputs]
    given = [*params.values(), *initial.values(), *seeds.values(), *([xs] if mod.INPUT is not None else [])]
    assert not any(np.shares_memory(one, other) for one in returned for other in given)


@pytest.mark.parametrize("where", range(4))
def test_a_masked_array_is_refused(where: int) -> None:
    mod = module("simple_rnn")
    given = [copied(value) for value in problem(mod, SHAPES[0])]
    params, xs, initial, seeds = given
    if isinstance(given[where], dict):
        given[where] = {state: np.ma.masked_array(value, value > 0) for state, value in given[where].items()}
    else:
        given[where] = np.ma.masked_array(xs, xs > 0)
    with pytest.raises(ValueError, match="is a masked array, and masks are not read"):
        mod.backward(mod.forward(*given[:3]), given[3])


def test_a_layer_refuses_a_masked_array_too() -> None:
    x = np.ma.masked_array(np.ones((2, 3, 4)), np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="the input is a masked array"):
        layers.GRU(2)(x)
