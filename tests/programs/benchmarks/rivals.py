"""The same LSTM three times: generated, in plain NumPy under HIPS autograd, and torch's fused layer."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import rnnproof.cells.lstm as lstm

Array = Any
Run = Callable[[], dict[str, Array]]

GATES = ("i", "f", "hbar", "o")  # torch's order of blocks
SIZES = {"S": (100, 1, 8, 16), "M": (100, 32, 64, 128), "L": (50, 64, 128, 512)}


@dataclass(frozen=True)
class Problem:
    """Everything forward + backward needs: `params`, `xs` (T, B, input), `initial` and `seeds` = dL/dh (T, B, hidden)."""

    params: dict[str, Array]
    xs: Array
    initial: dict[str, Array]
    seeds: Array


def problem(size: tuple[int, int, int, int], dtype: str) -> Problem:
    """A random problem of size (T, B, input, hidden), weights scaled so that states and gradients stay of order one."""
    steps, batch, n_input, n_hidden = size
    rng = np.random.default_rng(0)
    lengths = {"input": n_input, "hidden": n_hidden}

    def draw(*shape: int, scale: float = 1.0) -> Array:
        return (scale * rng.standard_normal(shape)).astype(dtype)

    params = {
        name: draw(*(lengths[entry] for entry in shape), scale=0.5 / np.sqrt(n_hidden))
        for name, shape in lstm.PARAMETERS.items()
    }
    initial = {name: draw(batch, n_hidden) for name in ("h", "c")}
    return Problem(params, draw(steps, batch, n_input), initial, draw(steps, batch, n_hidden))


def generated(given: Problem) -> Run:
    """rnnproof's module; `prepare` is inside, as a training step changes the parameters."""

    def run() -> dict[str, Array]:
        found = lstm.backward(lstm.forward(given.params, given.xs, given.initial), {"h": given.seeds})
        return {**found.params, "inputs": found.inputs, **{f"initial {name}": value for name, value in found.initial.items()}}

    return run


def autograd(given: Problem) -> Run:
    """One array a gate and step; each parameter is looked up once, as every look-up costs autograd a pass over the dict."""
    library: Any = importlib.import_module("autograd")
    anp: Any = importlib.import_module("autograd.numpy")
    xs, seeds = list(given.xs), list(given.seeds)

    def sigmoid(a: Array) -> Array:
        return 0.5 * (anp.tanh(0.5 * a) + 1.0)

    def loss(params: dict[str, Array], xs: list[Array], initial: dict[str, Array]) -> Array:
        W, R = ([params[f"{kind}_{gate}"].T for gate in GATES] for kind in "WR")
        b = [params[f"b_{gate}"] for gate in GATES]
        h, c, total = initial["h"], initial["c"], 0.0
        for x, seed in zip(xs, seeds, strict=True):
            i, f, g, o = (anp.dot(x, w) + anp.dot(h, r) + bias for w, r, bias in zip(W, R, b, strict=True))
            c = sigmoid(f) * c + sigmoid(i) * anp.tanh(g)
            h = sigmoid(o) * anp.tanh(c)
            total = total + anp.sum(seed * h)
        return total

    gradient = library.grad(loss, argnum=(0, 1, 2))

    def run() -> dict[str, Array]:
        d_params, d_xs, d_initial = gradient(given.params, xs, given.initial)
        return {**d_params, "inputs": np.stack(d_xs), **{f"initial {name}": value for name, value in d_initial.items()}}

    return run


def torch(given: Problem) -> Run:
    """torch.nn.LSTM with the same weights; its second bias is zero."""
    library: Any = importlib.import_module("torch")
    dtype = getattr(library, str(given.xs.dtype))
    n_hidden = given.initial["h"].shape[1]
    layer = library.nn.LSTM(given.xs.shape[2], n_hidden, dtype=dtype)
    stacked = {kind: np.concatenate([given.params[f"{kind}_{gate}"] for gate in GATES]) for kind in "WRb"}
    with library.no_grad():
        layer.weight_ih_l0.copy_(library.from_numpy(stacked["W"]))
        layer.weight_hh_l0.copy_(library.from_numpy(stacked["R"]))
        layer.bias_ih_l0.copy_(library.from_numpy(stacked["b"]))
        layer.bias_hh_l0.zero_()
    xs = library.tensor(given.xs, requires_grad=True)
    initial = [library.tensor(given.initial[name][None], requires_grad=True) for name in ("h", "c")]
    seeds = library.from_numpy(given.seeds)
    leaves = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, xs, *initial]

    def run() -> dict[str, Array]:
        for leaf in (*leaves, layer.bias_hh_l0):
            leaf.grad = None
        outputs, _ = layer(xs, tuple(initial))
        outputs.backward(seeds)
        d_W, d_R, d_b, d_xs, d_h, d_c = (leaf.grad.numpy() for leaf in leaves)
        found = {"inputs": d_xs, "initial h": d_h[0], "initial c": d_c[0]}
        for kind, value in (("W", d_W), ("R", d_R), ("b", d_b)):
            for at, gate in enumerate(GATES):
                found[f"{kind}_{gate}"] = value[at * n_hidden : (at + 1) * n_hidden]
        return found

    return run


def rivals() -> dict[str, Callable[[Problem], Run]]:
    """Who is here to be timed; ours first."""
    found = {"rnnproof": generated, "autograd": autograd}
    return found | ({"torch": torch} if importlib.util.find_spec("torch") else {})


def disagreement(size: tuple[int, int, int, int]) -> float:
    """The largest relative difference between any two rivals' gradients of a size in float64: max |a - b| / max |b|."""
    given = problem(size, "float64")
    ours, *others = (make(given)() for make in rivals().values())
    for theirs in others:
        if set(theirs) != set(ours):
            raise RuntimeError(f"other gradients: {sorted(set(theirs) ^ set(ours))}")
    return float(np.max([np.max(np.abs(ours[k] - theirs[k])) / np.max(np.abs(theirs[k])) for theirs in others for k in ours]))
