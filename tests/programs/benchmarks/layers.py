"""`python -m tests.programs.benchmarks.layers`: layers' forward + backward against Keras 3 on JAX and TensorFlow.

Float32, all of them compiled beforehand (jax.jit, tf.function), each in a process of its own, in turns; medians. The gradients
are compared first.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from tabulate import tabulate

from rnnproof import layers
from tests.programs.benchmarks.rivals import SIZES, Run
from tests.programs.benchmarks.run import apart, interleaved

Size = tuple[int, int, int, int]
LAYERS = ("SimpleRNN", "LSTM", "GRU")
BACKENDS = ("jax", "tensorflow")
OPTIONS: dict[str, dict[str, Any]] = {
    "SimpleRNN": {},
    "LSTM": {"recurrent_activation": "sigmoid", "implementation": 2},
    "GRU": {"recurrent_activation": "sigmoid", "implementation": 2, "reset_after": True},
}


def problem(layer: str, size: Size) -> tuple[Any, Any, list[Any]]:
    """x (B, T, input), the gradient of the outputs, and weights in Keras's layout; float32."""
    steps, batch, n_input, n_hidden = size
    rng = np.random.default_rng(0)
    made = getattr(layers, layer)(n_hidden, **OPTIONS[layer], dtype="float32")
    made.build((batch, steps, n_input))
    weights = [(0.5 / np.sqrt(n_hidden) * rng.standard_normal(w.shape)).astype(np.float32) for w in made.weights]
    x, d = (rng.standard_normal((batch, steps, n)).astype(np.float32) for n in (n_input, n_hidden))
    return x, d, weights


def ours(layer: str, size: Size, **options: Any) -> Run:
    x, d, weights = problem(layer, size)
    made = getattr(layers, layer)(size[3], **OPTIONS[layer], return_sequences=True, dtype="float32", **options)
    made.build(x.shape)
    made.set_weights(weights)

    def run() -> dict[str, Any]:
        output = made(x)
        return {"output": output, "d input": made.backward(d), **dict(zip(made.weight_names, made.gradients, strict=True))}

    return run


def keras_3(backend: str, layer: str, size: Size) -> Run:
    """Only for a process that has not imported Keras: it has one backend for good."""
    os.environ.update(KERAS_BACKEND=backend, TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    import keras

    x, d, weights = problem(layer, size)
    made = getattr(keras.layers, layer)(size[3], **OPTIONS[layer], return_sequences=True)
    made.build(x.shape)
    made.set_weights(weights)
    names = ("kernel", "recurrent_kernel", "bias")
    gradients = (_jax if backend == "jax" else _tensorflow)(made, d)

    def run() -> dict[str, Any]:
        output, d_x, d_weights = gradients(x)
        return {"output": output, "d input": d_x, **dict(zip(names, d_weights, strict=True))}

    return run


def _jax(made: Any, d: Any) -> Callable[[Any], Any]:
    import jax

    others = [v.value for v in made.non_trainable_variables]  # the seed of dropout

    def loss(weights: Any, x: Any) -> Any:
        output, _ = made.stateless_call(weights, others, x)
        return (output * d).sum(), output

    compiled = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))

    def gradients(x: Any) -> Any:
        (_, output), (d_weights, d_x) = compiled([w.value for w in made.trainable_variables], x)
        return np.asarray(output), np.asarray(d_x), [np.asarray(g) for g in d_weights]

    return gradients


def _tensorflow(made: Any, d: Any) -> Callable[[Any], Any]:
    import tensorflow as tf

    seeds = tf.constant(d)

    @tf.function
    def compiled(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = made(x)
            loss = tf.reduce_sum(output * seeds)
        return output, tape.gradient(loss, [x, *[w.value for w in made.trainable_weights]])

    def gradients(x: Any) -> Any:
        output, (d_x, *d_weights) = compiled(tf.constant(x))
        return output.numpy(), d_x.numpy(), [g.numpy() for g in d_weights]

    return gradients


def _once(backend: str, layer: str, size: Size) -> dict[str, Any]:
    return keras_3(backend, layer, size)()


def disagreement(layer: str, size: Size) -> float:
    """The largest difference of any output or gradient from Keras's, over the largest entry of its array."""
    mine, worst = ours(layer, size)(), 0.0
    for backend in BACKENDS:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            theirs = process.submit(_once, backend, layer, size).result()
        worst = float(np.max([worst, *(np.max(np.abs(mine[k] - v)) / np.max(np.abs(v)) for k, v in theirs.items())]))
    return worst


def against(names: Sequence[str], seconds: float) -> str:
    rows = []
    for layer in LAYERS:
        for name in names:
            size = SIZES[name]
            print(f"{layer} {name} ...", file=sys.stderr)
            # sums of T (input + hidden) float32 roundings in different orders, which partly cancel
            difference, allowed = disagreement(layer, size), size[0] * (size[2] + size[3]) * float(np.finfo(np.float32).eps)
            if not difference <= allowed:
                raise SystemExit(f"{layer} {name}: the gradients differ by {difference:.1e}, more than {allowed:.1e}")
            with apart([partial(ours, layer, size), *(partial(keras_3, b, layer, size) for b in BACKENDS)]) as turns:
                mine, *others = interleaved(turns, seconds)
            times = [f"{1e3 * value:.2f}" for value in (mine, *others)]
            rows.append((layer, name, size, *times, *(f"{other / mine:.2f}x" for other in others), f"{difference:.0e}"))
    headers = (
        "layer",
        "size",
        "(T, B, input, hidden)",
        "ours ms",
        "Keras/JAX ms",
        "Keras/TF ms",
        "JAX/ours",
        "TF/ours",
        "differ by",
    )
    return str(tabulate(rows, headers=headers, disable_numparse=True, stralign="right"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", help=f"of {', '.join(SIZES)}; all by default")
    parser.add_argument("--seconds", type=float, default=5.0, help="about how long each layer and size is measured")
    arguments = parser.parse_args()
    unknown = set(arguments.sizes) - set(SIZES)
    if unknown:
        parser.error(f"no size {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    print(against(arguments.sizes or list(SIZES), arguments.seconds))


if __name__ == "__main__":
    main()
