"""Keras and torch layers as oracles, for the cells of the catalogue that say which layer they are (`rnnproof.layouts`)."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from rnnproof import layouts
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.errors import UsageError
from rnnproof.layouts import FrameworkLayer, is_summand, rows_of, stack, unstack
from rnnproof.verification.module_under_test import Subject
from rnnproof.verification.reference import Reference, rounding
from rnnproof.verification.sample import Array, Sample

_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None}


def layer_of(framework: str, subject: Subject) -> FrameworkLayer | None:
    """The framework layer that computes a subject's cell, which is the catalogue's own of that name; or None."""
    cell = subject.cell
    if cell is None or cell.name not in layouts.catalogue() or cell != _listed(cell.name):
        return None
    return next((layer for layer in layouts.catalogue()[cell.name] if layer.framework == framework), None)


@cache
def _listed(name: str) -> Cell:
    return catalogue.load(name)


def layer_missing(framework: str, subject: Subject) -> str:
    """Why there is nothing to compare with, or ""."""
    return "" if layer_of(framework, subject) else f"the cell names no {framework} layer it equals"


def options(layer: FrameworkLayer) -> dict[str, Any]:
    """The layer's options; the words true, false and none are values."""
    return {name: _WORDS.get(value.lower(), value) for name, value in layer.options}


def _transposed(parts: tuple[str, ...], array: Array) -> Array:
    """Keras multiplies from the right: its matrices are ours transposed, its one- and two-row biases are not."""
    return array.T if len(rows_of(parts)) == 1 else array


Gradients = tuple[list[Array], Array, list[Array], Array]
Run = Callable[[FrameworkLayer, list[Array], Sample], Gradients]


def _compare(framework: str, subject: Subject, point: Sample, orient: Callable[..., Array], run: Run) -> Reference:
    """Map the weights there and the gradients back.

    Frameworks give the output at every step but the other states only after the last: their seeds before it are zero.
    """
    layer = layer_of(framework, subject)
    if layer is None or point.xs is None:
        raise UsageError(f"{subject.name}: {layer_missing(framework, subject)}; only cells of the catalogue do")
    output, *others = point.initial
    seeds = {name: point.d_states.get(name, np.zeros((point.steps, *value.shape))) for name, value in point.initial.items()}
    last = {name: np.concatenate([np.zeros_like(seeds[name][:-1]), seeds[name][-1:]]) for name in others}
    seeds = {output: seeds[output], **last}
    asked = replace(point, d_states={name: seeds[name] for name in point.d_states})
    point = replace(point, d_states=seeds)
    hidden = point.initial[output].shape[1]
    weights = [orient(parts, stack(parts, point.params, hidden)) for _, parts in layer.weights]
    d_weights, d_inputs, d_initial, outputs = run(layer, weights, point)
    values: dict[str, Array] = {f"output {output}": outputs, "inputs": d_inputs}
    for (_, parts), gradient in zip(layer.weights, d_weights, strict=True):
        shares = unstack(parts, orient(parts, gradient))
        values.update({name: share for name, share in shares.items() if not is_summand(name)})
    starts = zip(point.initial, d_initial, strict=True)
    values.update({f"initial {name}": gradient for name, gradient in starts if name not in point.fixed})
    return Reference(values, **rounding(point), point=asked)


def keras(subject: Subject, point: Sample) -> Reference:
    """A Keras 3 layer on the TensorFlow backend in float64, differentiated by a GradientTape."""
    return _compare("keras", subject, point, _transposed, _keras)


def _keras(layer: FrameworkLayer, weights: list[Array], point: Sample) -> Gradients:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # Plain kernels round the same everywhere; and what TensorFlow says about the processor is no news to anyone here.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tf: Any = importlib.import_module("tensorflow")
    layers: Any = importlib.import_module("keras").layers
    output, *others = point.initial
    hidden = point.initial[output].shape[1]
    twin = getattr(layers, layer.layer)(hidden, return_sequences=True, return_state=True, dtype="float64", **options(layer))
    xs = tf.Variable(np.swapaxes(np.asarray(point.xs), 0, 1))
    initial = [tf.Variable(value) for value in point.initial.values()]
    twin.build(xs.shape)
    twin.set_weights(_in_order([name for name, _ in layer.weights], [weight.name for weight in twin.weights], weights))
    with tf.GradientTape() as tape:
        tape.watch([xs, *initial])
        sequence, *final = twin(xs, initial_state=initial)
        loss = tf.reduce_sum(np.swapaxes(point.d_states[output], 0, 1) * sequence)
        for name, value in zip(others, final[1:], strict=True):
            loss += tf.reduce_sum(point.d_states[name][-1] * value)
    variables = [weight.value for weight in twin.weights]
    d_weights, d_xs, d_initial = tape.gradient(loss, [variables, xs, initial])
    order = [weight.name for weight in twin.weights]
    back = _in_order(order, [name for name, _ in layer.weights], [value.numpy() for value in d_weights])
    return back, np.swapaxes(d_xs.numpy(), 0, 1), [value.numpy() for value in d_initial], np.swapaxes(sequence.numpy(), 0, 1)


def _in_order(names: list[str], wanted: list[str], values: list[Array]) -> list[Array]:
    """`values`, which belong to `names`, in the order of `wanted`."""
    by_name = dict(zip(names, values, strict=True))
    return [by_name[name] for name in wanted]


def torch(subject: Subject, point: Sample) -> Reference:
    """A torch layer in float64, differentiated by its own backward."""
    return _compare("torch", subject, point, lambda parts, array: array, _torch)


def _torch(layer: FrameworkLayer, weights: list[Array], point: Sample) -> Gradients:
    th: Any = importlib.import_module("torch")
    output, *others = point.initial
    xs = th.tensor(point.xs, requires_grad=True)
    twin = getattr(th.nn, layer.layer)(
        xs.shape[2],
        point.initial[output].shape[1],
        dtype=th.float64,
        **options(layer),
    )
    own = dict(twin.named_parameters())
    names = [name for name, _ in layer.weights]
    with th.no_grad():
        for name, value in zip(names, weights, strict=True):
            own[name].copy_(th.from_numpy(np.ascontiguousarray(value)))
    initial = [th.tensor(value[None], requires_grad=True) for value in point.initial.values()]
    sequence, final = twin(xs, tuple(initial) if others else initial[0])
    loss = (th.from_numpy(point.d_states[output]) * sequence).sum()
    for name, value in zip(others, final[1:] if others else (), strict=True):
        loss = loss + (th.from_numpy(point.d_states[name][-1]) * value[0]).sum()
    loss.backward()
    d_weights = [own[name].grad.numpy() for name in names]
    return d_weights, xs.grad.numpy(), [value.grad.numpy()[0] for value in initial], sequence.detach().numpy()
