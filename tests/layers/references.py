"""The same cases in tf_keras (api v1, which has Keras 2.2.4's defaults) and in Keras 3 on TensorFlow, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.layers.cases import INPUT, B, Case, Data, T, Values
from tests.lazy import keras, tf
from tests.lazy import tf_keras_v1_layers as v1


def tf_keras_v1(case: Case, given: Data) -> Values:
    """Outputs, penalties and gradients by tf_keras's v1 layers and a GradientTape."""
    extra = {"batch_input_shape": (B, T, INPUT)} if case.options.get("stateful") else {}
    layer = getattr(v1, case.layer)(**case.options, **extra, dtype="float64")
    layer.build((B, T, INPUT))
    masks = given.dropout_masks or {}
    if "input" in masks:
        layer.cell.get_dropout_mask_for_cell = _fixed(masks["input"])
    if "recurrent" in masks:
        layer.cell.get_recurrent_dropout_mask_for_cell = _fixed(masks["recurrent"])
    cell = layer.cell
    return _run(case, given, layer, (cell.kernel_constraint, cell.recurrent_constraint, cell.bias_constraint), lambda w: w)


def _fixed(masks: Any) -> Any:
    def get(inputs: Any, training: Any, count: int = 1) -> Any:
        found = [tf.constant(mask) for mask in masks]
        return found if count > 1 else found[0]

    return get


def keras_3(case: Case, given: Data) -> Values:
    """The same by Keras 3, with its own hard_sigmoid."""
    options = {name: _in_keras_3(value) for name, value in case.options.items()}
    layer = getattr(keras.layers, case.layer)(**options, dtype="float64")
    layer.build((B, T, INPUT))
    masks = given.dropout_masks or {}
    if "input" in masks:
        layer.cell.get_dropout_mask = lambda x: _one_or_all(masks["input"])
    if "recurrent" in masks:
        layer.cell.get_recurrent_dropout_mask = lambda x: _one_or_all(masks["recurrent"])
    cell = layer.cell
    constraints = (cell.kernel_constraint, cell.recurrent_constraint, cell.bias_constraint)
    return _run(case, given, layer, constraints, lambda w: w.value)


def _one_or_all(masks: Any) -> Any:
    return [tf.constant(mask) for mask in masks] if len(masks) > 1 else tf.constant(masks[0])


def _in_keras_3(value: Any) -> Any:
    if value == "l1_l2":
        return keras.regularizers.L1L2(0.01, 0.01)
    return "hard_sigmoid" if value == "hard_sigmoid_keras3" else value


def _run(case: Case, given: Data, layer: Any, constraints: Any, variable: Any) -> Values:
    first = layer.get_weights()
    layer.set_weights(given.weights)
    initial = None if given.initial is None else [tf.Variable(value) for value in given.initial]
    names = ("kernel", "recurrent_kernel", "bias")[: len(given.weights)]
    for number, values in enumerate(given.xs):
        x = tf.Variable(values)
        with tf.GradientTape() as tape:
            output = layer(
                x,
                mask=None if given.mask is None else tf.constant(given.mask),
                training=case.training,
                initial_state=initial if number == 0 else None,
            )
            outputs = list(output) if isinstance(output, list | tuple) else [output]
            penalties = tf.add_n([tf.zeros((), tf.float64), *(tf.cast(p, tf.float64) for p in layer.losses)])
            loss = penalties + tf.add_n([tf.reduce_sum(d * o) for d, o in zip(given.seeds, outputs, strict=True)])
    weights = [variable(w) for w in layer.trainable_weights]
    with_initial = initial is not None and case.calls == 1
    wanted = [x, *weights, *(initial if with_initial and initial else [])]
    gradients = [np.array(g) for g in tape.gradient(loss, wanted, unconnected_gradients="zero")]
    states = ("h", "c") if case.layer == "LSTM" else ("h",)
    found: Values = {"output": outputs[0].numpy(), "penalties": penalties.numpy()}
    found.update({f"state {name}": value.numpy() for name, value in zip(states, outputs[1:], strict=False)})
    found["d input"] = gradients[0]
    found.update({f"d {name}": value for name, value in zip(names, gradients[1:], strict=False)})
    if with_initial:
        found.update({f"d initial {n}": v for n, v in zip(states, gradients[1 + len(names) :], strict=True)})
    for name, weight, constraint in zip(names, given.weights, constraints, strict=False):
        found[f"constrained {name}"] = weight if constraint is None else np.array(constraint(tf.constant(weight)))
    for name, value in zip(names, first, strict=True):
        if case.options.get(f"{name.removesuffix('_kernel')}_initializer") in ("zeros", "ones"):
            found[f"first {name}"] = value
    return found
