"""`python -m tests.programs.benchmarks.training`: whole training steps against autograd and JAX; where a step's time goes.

A step is forward over a sequence, Dense on the last output, mean squared error, backward, clipping by the global norm, SGD; in
float32, each rival in a process of its own, in turns; medians. What the rivals' weights become is compared first.

Where others use the machine too, run it on one core, with `taskset -c 0`: the threads of NumPy's BLAS wait for one another, and
when one has lost its core, a small product takes tens of times as long, ours and autograd's.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any
from unittest import mock

import numpy as np
from tabulate import tabulate

from rnnproof import layers, optimizers
from rnnproof.layers import dense, losses
from tests.programs.benchmarks.layers import OPTIONS, Size
from tests.programs.benchmarks.rivals import Run
from tests.programs.benchmarks.run import apart, interleaved

Array = Any
LAYERS = ("SimpleRNN", "LSTM")
SIZES: dict[str, Size] = {"S": (20, 16, 3, 32), "M": (50, 32, 8, 64), "L": (50, 64, 24, 256)}  # (T, B, input, hidden)
HIDDEN = (32, 64, 128, 256)
OUTPUTS = 10
LIMIT = 1.0  # of the gradients' global norm
STEPS, RATE = 3, 0.1  # that are compared; SGD's there
# SGD's rate where steps are timed: weights hardly move, and the thousandth step on the same batch computes with numbers like
# the first's. Trained on, it would end among saturated states or vanishing gradients, whose time is not the usual one.
STILL = 1e-6
# Steps of one turn. In training one step follows the other; alone between a rival's two, a small one takes up to twice as
# long, ours and JAX's alike, as its process has to wake up first and finds the caches full of the rival's data.
TURN = {"S": 50, "M": 20, "L": 5}
EPS = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Problem:
    """x (B, T, input), y (B, outputs), and the weights to start from in Keras's layout, the layer's before Dense's."""

    x: Array
    y: Array
    weights: list[Array]


@dataclass(frozen=True)
class Training:
    """A rival: `step` is one training step and waits for its end; `weights` are those that it has now, as the problem's."""

    step: Callable[[], object]
    weights: Callable[[], list[Array]]


def problem(layer: str, size: Size) -> Problem:
    """Weights scaled so that states and gradients stay of order one; targets so far off that the gradients are clipped."""
    steps, batch, n_input, n_hidden = size
    rng = np.random.default_rng(0)
    rows = (4 if layer == "LSTM" else 1) * n_hidden
    shapes = ((n_input, rows), (n_hidden, rows), (rows,), (n_hidden, OUTPUTS), (OUTPUTS,))
    weights = [(0.5 / np.sqrt(n_hidden) * rng.standard_normal(shape)).astype(np.float32) for shape in shapes]
    x, y = (rng.standard_normal(shape).astype(np.float32) for shape in ((batch, steps, n_input), (batch, OUTPUTS)))
    return Problem(x, y + 10, weights)


# the rivals


def model(layer: str, given: Problem, rate: float) -> layers.Sequential:
    """Ours, with the optimiser that every rival has."""
    recurrent = getattr(layers, layer)(given.weights[1].shape[0], **OPTIONS[layer], dtype="float32")
    made = layers.Sequential([recurrent, layers.Dense(OUTPUTS, dtype="float32")])
    made.build(given.x.shape)
    made.set_weights(given.weights)
    made.optimizer = optimizers.SGD(rate, global_clipnorm=LIMIT, clip_semantics="keras-3")
    return made


def ours(layer: str, size: Size, rate: float) -> Training:
    given = problem(layer, size)
    made = model(layer, given, rate)
    return Training(partial(made.train_on_batch, given.x, given.y, losses.get("mse")), made.get_weights)


def after(layer: str, xp: Any, states: tuple[Array, ...], x: Array, weights: Sequence[Array]) -> tuple[Array, ...]:
    """The states (h first) one time step on, in the functions of `xp`: autograd.numpy or jax.numpy.

    The LSTM's gates stay in one array until they differ: autograd is faster with that than with four products.
    """
    W, R, b = weights
    a = xp.dot(x, W) + xp.dot(states[0], R) + b
    if layer == "SimpleRNN":
        return (xp.tanh(a),)
    i, f, g, o = xp.split(a, 4, axis=1)
    c = _sigmoid(xp, f) * states[1] + _sigmoid(xp, i) * xp.tanh(g)
    return _sigmoid(xp, o) * xp.tanh(c), c


def _sigmoid(xp: Any, a: Array) -> Array:
    return 0.5 * (xp.tanh(0.5 * a) + 1.0)


def _error(xp: Any, h: Array, y: Array, weights: Sequence[Array]) -> Array:
    W, b = weights
    return xp.mean((xp.dot(h, W) + b - y) ** 2)


def _first(layer: str, given: Problem) -> tuple[Array, ...]:
    zero = np.zeros((len(given.x), given.weights[1].shape[0]), np.float32)
    return (zero, zero) if layer == "LSTM" else (zero,)


def moved(xp: Any, weights: Sequence[Array], gradients: Sequence[Array], rate: float) -> list[Array]:
    """SGD with Keras 3's clipping by the global norm: g c min(1/n, 1/c), NaN everywhere where n is not finite."""
    norm = xp.sqrt(sum(xp.sum(xp.square(g)) for g in gradients))
    factor = LIMIT * xp.minimum(1 / norm, 1 / LIMIT) + (norm - norm)
    return [w - rate * (g * factor) for w, g in zip(weights, gradients, strict=True)]


def autograd(layer: str, size: Size, rate: float) -> Training:
    """One array a time step: every index into one array of them all would cost a pass over it on the way back."""
    library: Any = importlib.import_module("autograd")
    anp: Any = importlib.import_module("autograd.numpy")
    given = problem(layer, size)
    xs, first = [np.ascontiguousarray(x) for x in given.x.swapaxes(0, 1)], _first(layer, given)
    weights = given.weights

    def loss(*weights: Array) -> Array:
        states = first
        for x in xs:
            states = after(layer, anp, states, x, weights[:3])
        return _error(anp, states[0], given.y, weights[3:])

    gradients = library.value_and_grad(loss, argnum=tuple(range(len(weights))))

    def step() -> object:
        nonlocal weights
        value, found = gradients(*weights)
        weights = moved(np, weights, found, rate)
        return value

    return Training(step, lambda: list(weights))


def jax(layer: str, size: Size, rate: float) -> Training:
    """Compiled as a whole. x @ W stays inside the scan, which is faster on a CPU than one product before it."""
    library: Any = importlib.import_module("jax")
    jnp: Any = importlib.import_module("jax.numpy")
    given = problem(layer, size)
    weights, xs, y, first = library.device_put((given.weights, given.x.swapaxes(0, 1), given.y, _first(layer, given)))

    def loss(weights: list[Array], xs: Array, y: Array) -> Array:
        def one(states: Any, x: Array) -> Any:
            return after(layer, jnp, states, x, weights[:3]), None

        states, _ = library.lax.scan(one, first, xs)
        return _error(jnp, states[0], y, weights[3:])

    @library.jit
    def compiled(weights: list[Array], xs: Array, y: Array) -> Any:
        value, found = library.value_and_grad(loss)(weights, xs, y)
        return value, moved(jnp, weights, found, rate)

    def step() -> object:
        nonlocal weights
        value, weights = library.block_until_ready(compiled(weights, xs, y))
        return value

    return Training(step, lambda: [np.asarray(w) for w in weights])


RIVALS: dict[str, Callable[[str, Size, float], Training]] = {"ours": ours, "autograd": autograd, "JAX": jax}


def disagreement(layer: str, size: Size) -> tuple[float, float]:
    """How far ours and a rival's weights are apart after 3 steps, and how far rounding explains; both over an array's movement.

    Those of the array where the first is most of the second. What rounding explains, by array, is the sum of two things:
    - Each step rounds the new weight to half a unit, for both rivals: STEPS * EPS * max |w|. This is most of it, as weights
      move by little of their own size, and it is a bound.
    - The movement itself, which is RATE * g of a clipped g, differs by the rounding of g: T forward steps with sums of input +
      hidden products, T backward steps with sums of as many products as there are rows in the gates, a sum over T * B at the
      end. Such errors have random signs and grow as the root of their number n (N. Higham and T. Mary, SIAM J. Sci. Comput.
      41, 2019): sqrt(n) * EPS of the largest entry. The next step starts from weights that differ by a rounding each, so that
      its products meet that many roundings again: n is counted for all steps.
    """
    steps, batch, n_input, n_hidden = size
    start = problem(layer, size).weights
    mine, *others = (_trained(make(layer, size, RATE)) for make in RIVALS.values())
    n = STEPS * steps * (n_input + n_hidden + start[1].shape[1] + batch)
    pairs = []
    for theirs in others:
        for a, b, first in zip(mine, theirs, start, strict=True):
            movement = np.max(np.abs(b - first))
            stored = STEPS * EPS * np.max(np.abs(b)) / movement
            pairs.append((float(np.max(np.abs(a - b)) / movement), float(stored + np.sqrt(n) * EPS)))
    return pairs[int(np.argmax([found / allowed for found, allowed in pairs]))]  # argmax takes a NaN for the largest


def _trained(rival: Training) -> list[Array]:
    for _ in range(STEPS):
        rival.step()
    return rival.weights()


def _turn(rival: str, layer: str, size: Size, count: int) -> Run:
    step = RIVALS[rival](layer, size, STILL).step

    def run() -> Any:
        for _ in range(count):
            step()

    return run


def against(names: Sequence[str], seconds: float) -> str:
    """A training step of ours against the rivals'; ours has the gradient of x in it too, which they need not compute."""
    rows = []
    for layer in LAYERS:
        for name in names:
            size = SIZES[name]
            print(f"{layer} {name} ...", file=sys.stderr)
            difference, allowed = elsewhere(disagreement, layer, size)
            if not difference <= allowed:
                raise SystemExit(
                    f"{layer} {name}: weights differ by {difference:.1e} of their movement, more than {allowed:.1e}"
                )
            count = TURN[name]
            with apart([partial(_turn, rival, layer, size, count) for rival in RIVALS]) as turns:
                mine, *others = (value / count for value in interleaved(turns, seconds))
            times = [f"{1e3 * value:.2f}" for value in (mine, *others)]
            rows.append((layer, name, size, *times, *(f"{other / mine:.2f}x" for other in others), f"{difference:.0e}"))
    first, *rest = RIVALS
    headers = ("layer", "size", "(T, B, input, hidden)", *(f"{n} ms" for n in RIVALS), *(f"{n}/{first}" for n in rest))
    return str(tabulate(rows, headers=(*headers, "differ by"), disable_numparse=True, stralign="right"))


def elsewhere(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call gives in a process of its own, whose libraries' threads are gone afterwards."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(call, *arguments).result()


# where the time goes


@contextmanager
def stopwatches(places: Mapping[str, Sequence[tuple[Any, str]]]) -> Iterator[dict[str, float]]:
    """Seconds spent in some functions, each (owner, attribute), added up by part; none of them may call another.

    Two clock readings a call. A profiler reads the clock at every call inside too, and the cells' are many and short.
    """
    spent = dict.fromkeys(places, 0.0)

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **options)
            spent[part] += time.perf_counter() - start
            return result

        return call

    with ExitStack() as replaced:
        for part, functions in places.items():
            for owner, name in functions:
                replaced.enter_context(mock.patch.object(owner, name, timed(part, getattr(owner, name))))
        yield spent


def shares(layer: str, size: Size, seconds: float) -> tuple[float, dict[str, float]]:
    """The seconds of a training step of ours, and the shares in it, in per cent: medians of each part, over their sum."""
    given = problem(layer, size)
    made, loss = model(layer, given, STILL), losses.get("mse")
    step = partial(made.train_on_batch, given.x, given.y, loss)
    step()  # the modules are there now
    recurrent: Any = made.layers[0]
    others = [dense.affine("linear", True), losses.module(loss._equations())]
    generated = {"cell": [recurrent._run.module], "Dense and loss": others}
    places = {part: [(m, name) for m in modules for name in ("forward", "backward")] for part, modules in generated.items()}
    places["optimiser"] = [(made.optimizer, "apply_gradients")]
    whole: list[float] = []
    parts: dict[str, list[float]] = {part: [] for part in (*places, "rest")}
    end = time.perf_counter() + seconds
    with stopwatches(places) as spent:
        while len(whole) < 5 or time.perf_counter() < end:
            spent.update(dict.fromkeys(spent, 0.0))
            start = time.perf_counter()
            step()
            whole.append(time.perf_counter() - start)
            for part, value in {**spent, "rest": whole[-1] - sum(spent.values())}.items():
                parts[part].append(value)
    medians = {part: statistics.median(found) for part, found in parts.items()}
    return statistics.median(whole), {part: 100 * value / sum(medians.values()) for part, value in medians.items()}


def profile(seconds: float) -> str:
    """Where a training step of ours spends its time, by the length of the sequence and the size of the state."""
    rows = []
    for layer in LAYERS:
        for steps, n_hidden in product((50, 100), HIDDEN):
            size = (steps, 32, 8, n_hidden)
            step, found = shares(layer, size, seconds)
            rows.append((layer, size, f"{1e3 * step:.2f}", *(f"{share:.1f}" for share in found.values())))
    headers = ("layer", "(T, B, input, hidden)", "step ms", *(f"{part} %" for part in found))
    return str(tabulate(rows, headers=headers, disable_numparse=True, stralign="right"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", help=f"of {', '.join(SIZES)}; all by default")
    parser.add_argument("--seconds", type=float, default=10.0, help="about how long each layer and size is measured")
    arguments = parser.parse_args()
    unknown = set(arguments.sizes) - set(SIZES)
    if unknown:
        parser.error(f"no size {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    print(against(arguments.sizes or list(SIZES), arguments.seconds), profile(arguments.seconds / 2), sep="\n\n")


if __name__ == "__main__":
    main()
