"""torch's RNN, LSTM and GRU by the cells and by the layers, weights through the converters: outputs and all gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import rnnproof as rp
from rnnproof import layers
from rnnproof.runtime import converters

pytestmark = [pytest.mark.frameworks]

CELLS = {"simple_rnn": "RNN", "lstm": "LSTM", "gru_reset_after": "GRU"}
T, B, INPUT, HIDDEN = 7, 3, 4, 5
# float64: some hundred roundings of 1e-16 over 7 steps of sums of 5 products, relative to the array's largest entry
TOLERANCE = 1e-13


def error(mine: Any, theirs: Any) -> float:
    return float(np.max(np.abs(mine - theirs)) / np.max(np.abs(theirs)))


def torch_layer(kind: str, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    made = getattr(torch.nn, kind)(INPUT, HIDDEN, dtype=torch.float64)
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(0, 0.6)
    return made


def torch_run(made: Any, x: Any, initial: list[Any], d_output: Any) -> dict[str, Any]:
    xs = torch.tensor(x, requires_grad=True)
    states = [torch.tensor(s[None], requires_grad=True) for s in initial]
    output, _ = made(xs, tuple(states) if len(states) > 1 else states[0])
    (output * torch.tensor(d_output)).sum().backward()
    found = {"output": output.detach().numpy(), "inputs": xs.grad.numpy()}
    found.update({name: weight.grad.numpy() for name, weight in made.named_parameters()})
    found.update({f"initial {place}": state.grad.numpy()[0] for place, state in enumerate(states)})
    return found


def data(states: int) -> tuple[Any, list[Any], Any]:
    rng = np.random.default_rng(states)
    return (
        rng.normal(size=(T, B, INPUT)),
        [rng.normal(size=(B, HIDDEN)) for _ in range(states)],
        rng.normal(size=(T, B, HIDDEN)),
    )


@pytest.mark.parametrize(("cell", "kind"), CELLS.items())
def test_cells(cell: str, kind: str) -> None:
    made, module = torch_layer(kind), rp.build(rp.load(cell))
    x, initial, d_output = data(len(module.STATES))
    theirs = torch_run(made, x, initial, d_output)
    params = converters.from_framework(cell, {n: w.detach().numpy() for n, w in made.named_parameters()}, "torch")
    trace = module.forward(params, x, dict(zip(module.STATES, initial, strict=True)))
    gradients = module.backward(trace, {"h": d_output})
    assert error(trace.states["h"], theirs["output"]) <= TOLERANCE
    assert error(gradients.inputs, theirs["inputs"]) <= TOLERANCE
    for place, state in enumerate(module.STATES):
        assert error(gradients.initial[state], theirs[f"initial {place}"]) <= TOLERANCE
    ours = converters.to_framework(cell, gradients.params, "torch", gradients=True)
    assert ours.keys() >= {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
    for name, gradient in ours.items():
        assert error(gradient, theirs[name]) <= TOLERANCE, name
    back = converters.from_framework(cell, {name: theirs[name] for name in ours}, "torch", gradients=True)
    for name, gradient in gradients.params.items():
        assert error(gradient, back[name]) <= TOLERANCE, name
    wrong = {**params, "W" if cell == "simple_rnn" else "W_hbar": params["W" if cell == "simple_rnn" else "W_hbar"] * 1.01}
    assert error(module.forward(wrong, x).states["h"], theirs["output"]) > 1e-4


def layer_errors(cell: str, kind: str) -> dict[str, float]:
    """By way of Keras's layout: torch -> keras -> set_weights, and the gradients back."""
    made = torch_layer(kind, seed=1)
    layer: Any = {
        "RNN": layers.SimpleRNN(HIDDEN, return_sequences=True),
        "LSTM": layers.LSTM(HIDDEN, recurrent_activation="sigmoid", return_sequences=True),
        "GRU": layers.GRU(HIDDEN, recurrent_activation="sigmoid", reset_after=True, return_sequences=True),
    }[kind]
    x, initial, d_output = data(len(layer.STATES))
    theirs = torch_run(made, x, initial, d_output)
    arrays = {n: w.detach().numpy() for n, w in made.named_parameters()}
    keras = converters.convert(arrays, cell=cell, source="torch", target="keras")
    layer.build((B, T, INPUT))
    layer.set_weights([keras[name] for name in layer.weight_names])
    ours = {"output": layer(x.swapaxes(0, 1), initial_state=initial).swapaxes(0, 1)}
    ours["inputs"] = layer.backward(d_output.swapaxes(0, 1)).swapaxes(0, 1)
    ours |= {f"initial {place}": gradient for place, gradient in enumerate(layer.initial_state_gradients)}
    gradients = dict(zip(layer.weight_names, layer.gradients, strict=True))
    ours |= converters.convert(gradients, cell=cell, source="keras", target="torch", gradients=True)
    return {name: error(ours[name], value) for name, value in theirs.items()}


@pytest.mark.parametrize(("cell", "kind"), CELLS.items())
def test_layers(cell: str, kind: str) -> None:
    errors = layer_errors(cell, kind)
    assert np.max(list(errors.values())) <= TOLERANCE, errors
