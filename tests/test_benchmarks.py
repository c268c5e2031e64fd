"""The benchmarks compare like with like, and what needs no clock holds here: memory grows in proportion to T."""

from __future__ import annotations

import numpy as np
import pytest

from rnnproof.study.experiments.measuring import peak
from tests.programs.benchmarks import layers
from tests.programs.benchmarks.rivals import disagreement, generated, problem
from tests.programs.benchmarks.run import EPS, cells

pytestmark = [pytest.mark.slow]


def test_the_rivals_compute_the_same_gradients() -> None:
    steps, n_input, n_hidden = 7, 4, 5
    # sums of steps * (input + hidden) rounded terms in different orders
    assert disagreement((steps, 3, n_input, n_hidden)) <= steps * (n_input + n_hidden) * EPS


def test_memory_is_linear_in_the_steps() -> None:
    one, two, four = (peak(generated(problem((steps, 8, 16, 32), "float32"))) for steps in (100, 200, 400))
    # exactly linear would be 2; what does not grow with T (weights, buffers, Python's own objects) is a few per cent here
    assert 1.8 < two / one < 2.05 and 1.9 < four / two < 2.05


def test_every_cell_is_measured() -> None:
    table = cells((3, 2, 4, 5), seconds=0.0)
    assert len(table.splitlines()) > 2 and "lstm" in table


@pytest.mark.parametrize("layer", layers.LAYERS)
def test_the_layers_compute_what_keras_does(layer: str) -> None:
    """On both backends, in float32: sums of steps * (input + hidden) rounded terms in different orders."""
    steps, n_input, n_hidden = 7, 4, 5
    assert layers.disagreement(layer, (steps, 3, n_input, n_hidden)) <= steps * (n_input + n_hidden) * np.finfo(np.float32).eps
