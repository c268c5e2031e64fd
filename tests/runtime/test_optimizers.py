"""Optimisers: defaults, messages for bad input, configuration, learning state."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from rnnproof import optimizers
from rnnproof.runtime.update_rules import NAMES


def test_defaults_are_those_of_keras_2_2_4() -> None:
    expected = {
        "SGD": {"lr": 0.01, "momentum": 0.0, "decay": 0.0, "nesterov": False},
        "Adagrad": {"lr": 0.01, "epsilon": 1e-7, "decay": 0.0},
        "RMSprop": {"lr": 0.001, "rho": 0.9, "epsilon": 1e-7, "decay": 0.0},
        "Adadelta": {"lr": 1.0, "rho": 0.95, "epsilon": 1e-7, "decay": 0.0},
        "Adam": {"lr": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "decay": 0.0, "amsgrad": False},
        "Adamax": {"lr": 0.002, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "decay": 0.0},
        "Nadam": {"lr": 0.002, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "schedule_decay": 0.004},
    }
    for name, values in expected.items():
        assert getattr(optimizers, name)().get_config() == {**values, "clip_semantics": "keras-2.2.4"}


@pytest.mark.parametrize("made", NAMES.values())
def test_the_lectures_clipping_arguments(made: Any) -> None:
    for options in ({"clipnorm": 1.0}, {"clipvalue": 1.0}, {"clipnorm": 1.0, "clipvalue": 0.5}, {"global_clipnorm": 1.0}):
        optimizer = made(lr=0.01, **options)
        assert made.from_config(optimizer.get_config()).get_config() == optimizer.get_config()
        assert optimizers.get({"class_name": made.__name__, "config": optimizer.get_config()}).get_config()["lr"] == 0.01
    first = next(iter(inspect.signature(made).parameters))
    assert first == "lr"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"learning_rate": 0.1}, TypeError, "SGD has no argument 'learning_rate' .*`lr`.*momentum.*clipnorm"),
        ({"foo": 1}, TypeError, "'foo'.*lr, momentum"),
        ({"lr": -0.1}, ValueError, "lr=-0.1.*from 0"),
        ({"lr": float("nan")}, ValueError, "lr=nan"),
        ({"lr": "fast"}, ValueError, "lr='fast'"),
        ({"momentum": None}, ValueError, "momentum=None"),
        ({"nesterov": 1}, ValueError, "nesterov=1.*True or False"),
        ({"clipnorm": -1.0}, ValueError, "clipnorm=-1.0.*above 0"),
        ({"clipvalue": float("inf")}, ValueError, "clipvalue=inf"),
        ({"clip_semantics": "mine"}, ValueError, "'mine'.*keras-2.2.4.*pascanu-2013"),
        ({"clipnorm": 1.0, "global_clipnorm": 1.0}, ValueError, "clipnorm and global_clipnorm.*all gradients.*leave one out"),
        ({"clip_semantics": "keras-3", "clipnorm": 1.0, "clipvalue": 1.0}, ValueError, "clipnorm and clipvalue.*one of them"),
        ({"clip_semantics": "pascanu-2013", "clipvalue": 1.0}, ValueError, "clipvalue.*pascanu-2013"),
    ],
)
def test_bad_arguments(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        optimizers.SGD(**options)


def test_bad_gradients_and_variables() -> None:
    optimizer, variable = optimizers.Adam(), np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"gradient 0 has shape \(3, 2\), its variable \(2, 3\)"):
        optimizer.apply_gradients([(np.zeros((3, 2)), variable)])
    with pytest.raises(ValueError, match="variable 0 is list"):
        optimizer.apply_gradients([([0.0], [0.0])])
    optimizer.apply_gradients([(np.ones((2, 3)), variable)])
    with pytest.raises(ValueError, match="belongs to one set of variables"):
        optimizer.apply_gradients([(np.ones(4), np.zeros(4))])
    with pytest.raises(ValueError, match="does not fit|no learning state"):
        optimizer.set_weights([np.array(1), np.zeros(5), np.zeros(5)])
    with pytest.raises(ValueError, match="'sgdd'.*sgd, adagrad"):
        optimizers.get("sgdd")


def test_a_changed_attribute_counts_from_the_next_step() -> None:
    optimizer, variable = optimizers.SGD(lr=1.0), np.zeros(2)
    optimizer.apply_gradients([(np.ones(2), variable)])
    optimizer.lr = 0.5  # type: ignore[attr-defined]
    optimizer.apply_gradients([(np.ones(2), variable)])
    np.testing.assert_array_equal(variable, [-1.5, -1.5])
