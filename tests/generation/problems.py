"""Random problems for a generated module, and the complex step that its gradients are compared with."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

# Complex step: no cancellation, so only the roundings of some hundred operations remain, 1e-16 each.
TOLERANCE = 1e-12
SHAPES = ({"T": 4, "B": 3, "hidden": 5, "input": 2, "k": 6}, {"T": 1, "B": 1, "hidden": 2, "input": 3, "k": 4})


def problem(mod: ModuleType, sizes: dict[str, int], dtype: Any = np.float64) -> tuple[Any, Any, Any, Any]:
    """Random parameters, inputs (or a number of steps), initial states and gradients of the states."""
    rng = np.random.default_rng([sizes["T"], sizes["B"]])
    length = {**sizes, "steps": sizes["T"]}

    def draw(shape: tuple[str, ...], scale: float) -> Any:
        lengths = [sum(length[part] for part in size.split("+")) for size in shape]
        return (rng.normal(size=lengths) * scale).astype(dtype)

    params = {key: draw(shape, 0.4) for key, shape in mod.PARAMETERS.items()}
    xs = sizes["T"] if mod.INPUT is None else draw(("T", "B", mod.INPUT), 0.8)
    initial = {state: draw(("B", mod.STATE_SIZES[state]), 0.5) for state in mod.STATES}
    seeds = {state: draw(("T", "B", mod.STATE_SIZES[state]), 1.0) for state in mod.STATES}
    return params, xs, initial, seeds


def loss(mod: ModuleType, params: Any, xs: Any, initial: Any, seeds: Any) -> Any:
    states = mod.forward(params, xs, initial).states
    return sum((states[state] * seeds[state]).sum() for state in mod.STATES)


def complex_step(array: Any, function: Any) -> Any:
    out = np.zeros(np.shape(array))
    for index in np.ndindex(out.shape):
        moved = np.array(array, complex)
        moved[index] += 1e-30j
        out[index] = function(moved).imag / 1e-30
    return out


def close(actual: Any, expected: Any, what: str) -> None:
    size = max(np.abs(expected).max(initial=0.0), 1e-3)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * size, err_msg=what)
