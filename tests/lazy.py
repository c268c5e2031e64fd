"""Frameworks that are imported when something of them is first used: importing a test costs seconds and memory otherwise."""

from __future__ import annotations

import importlib
import os
from typing import Any

# Plain kernels round alike everywhere; Keras 3 runs on TensorFlow; what TensorFlow says of the processor is no news.
ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}


class Lazy:
    """The module of that name. tf_keras computes in float64: its hyperparameters are variables, and would be float32."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        module = importlib.import_module(self._name)
        if self._name.partition(".")[0] == "tf_keras":
            importlib.import_module("tf_keras").backend.set_floatx("float64")
        return getattr(module, attribute)


keras = Lazy("keras")
tf = Lazy("tensorflow")
tf_keras = Lazy("tf_keras")
tf_keras_v1_layers = Lazy("tf_keras.api._v1.keras.layers")
tf_keras_v1_optimizers = Lazy("tf_keras.src.optimizers.optimizer_v1")
