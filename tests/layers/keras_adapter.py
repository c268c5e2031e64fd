"""Our layers under Keras 3's defaults and calls, so that Keras's own tests run against them as they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from rnnproof import layers

DEFAULTS: dict[str, Any] = {"dtype": "float32"}
GATED: dict[str, Any] = {**DEFAULTS, "recurrent_activation": "sigmoid", "implementation": 2}


class _Adapted:
    """Keras 3's defaults, its `reset_state`, and its word for the first implementation."""

    defaults = DEFAULTS

    def __init__(self, *args: Any, **given: Any) -> None:
        if given.get("implementation") == 0:
            given["implementation"] = 1
        super().__init__(*args, **{**self.defaults, **given})

    def reset_state(self) -> None:
        self.reset_states()  # type: ignore[attr-defined]


class _SimpleRNN(_Adapted, layers.SimpleRNN):
    pass


class _LSTM(_Adapted, layers.LSTM):
    defaults = GATED


class _GRU(_Adapted, layers.GRU):
    defaults = {**GATED, "reset_after": True}


NAMESPACE = SimpleNamespace(SimpleRNN=_SimpleRNN, LSTM=_LSTM, GRU=_GRU)


def run_layer_test(self: Any, layer_class: Any, init_kwargs: Any, **wanted: Any) -> None:
    """What Keras's helper of that name checks of arrays: shapes, numbers of weights and penalties, masks, the configuration."""
    x = np.random.default_rng(0).normal(size=wanted.pop("input_shape")).astype(np.float32)
    call = wanted.pop("call_kwargs", {})
    layer = layer_class.from_config(layer_class(**init_kwargs).get_config())
    output = layer(x, **call)
    self.assertEqual(output.shape, wanted.pop("expected_output_shape"))
    self.assertEqual(len(layer.weights), wanted.pop("expected_num_trainable_weights"))
    self.assertEqual(0, wanted.pop("expected_num_non_trainable_weights"))
    self.assertEqual(len(layer.losses), wanted.pop("expected_num_losses", 0))
    wanted.pop("expected_num_non_trainable_variables", None)  # Keras keeps the seed of its dropout as a variable
    if wanted.pop("supports_masking"):
        layer(x, mask=np.ones(x.shape[:2], bool), **call)
    self.assertEqual(layer.backward(np.ones_like(output)).shape, x.shape)
    self.assertEqual(wanted, {})
