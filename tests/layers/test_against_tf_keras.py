"""Every pair of argument values of SimpleRNN, LSTM and GRU against tf_keras's v1 layers, the lecture's own Keras."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnnproof.layers import base, recurrent
from tests.layers import cases, grid
from tests.layers.cases import Case

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")]

# float64 through at most 4 steps of at most 24 sums of 6 products: a few hundred roundings of 1e-16, relative to the array's
# largest entry; relu lets values grow from step to step, and the worst seen is 3e-14. 1e-10 is the limit.
TOLERANCE = 1e-12


@pytest.mark.parametrize("layer", grid.FACTORS)
def test_the_cases_cover_every_pair(layer: str) -> None:
    found = set()
    for case in grid.cases(layer):
        row = {**case.options, "mask": case.mask, "initial_state": case.initial_state, "training": case.training}
        found |= grid.covered(row, grid.FACTORS[layer])
    assert found == grid.pairs(grid.FACTORS[layer])


@pytest.mark.parametrize(
    "case", [case for layer in grid.FACTORS for case in grid.cases(layer)], ids=lambda c: f"{c.layer}-{c.seed}"
)
def test_outputs_and_gradients(case: Case) -> None:
    from tests.layers import references

    given = cases.data(case)
    errors = cases.compare(cases.run(case, given), references.tf_keras_v1(case, given))
    assert max(errors.values()) <= TOLERANCE, (errors, case)


BASE = (("units", 6), ("activation", "tanh"), ("recurrent_activation", "hard_sigmoid"), ("return_sequences", True))
FAULTY = Case("LSTM", (*BASE, ("return_state", True), ("go_backwards", True), ("activity_regularizer", "l2")), "mixed", True)


def _swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnproof.layers.LSTM.GATES", ("f", "i", "hbar", "o"))


def _ignored_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    called = recurrent.Recurrent.__call__

    def call(self: Any, x: Any, mask: Any = None, **others: Any) -> Any:
        return called(self, x, **others)

    monkeypatch.setattr(recurrent.Recurrent, "__call__", call)


def _no_activity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base.Layer, "_d_activity", lambda self, output, d: d)


def _unflipped(monkeypatch: pytest.MonkeyPatch) -> None:
    right = recurrent.Recurrent.backward
    monkeypatch.setattr(recurrent.Recurrent, "backward", lambda self, d, states=None: right(self, d, states)[:, ::-1])


def _no_state_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    right = recurrent.Recurrent.backward
    monkeypatch.setattr(recurrent.Recurrent, "backward", lambda self, d, states=None: right(self, d))


def _doubled_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    right = recurrent.Recurrent._weight_gradients
    monkeypatch.setattr(
        recurrent.Recurrent, "_weight_gradients", lambda self, g: [*right(self, g)[:-1], 2 * right(self, g)[-1]]
    )


@pytest.mark.parametrize("plant", [_swapped, _ignored_mask, _no_activity, _unflipped, _no_state_gradient, _doubled_bias])
def test_a_planted_fault_is_caught(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.layers import references

    given = cases.data(FAULTY)
    theirs = references.tf_keras_v1(FAULTY, given)
    assert max(cases.compare(cases.run(FAULTY, given), theirs).values()) <= TOLERANCE
    plant(monkeypatch)
    assert max(cases.compare(cases.run(FAULTY, given), theirs).values()) > 1e-3


@pytest.mark.parametrize("case", [case for layer in grid.FACTORS for case in grid.zero_output_cases(layer)])
def test_zero_output_for_mask(case: Case) -> None:
    from tests.layers import references

    given = cases.data(case)
    errors = cases.compare(cases.run(case, given), references.tf_keras_v1(case, given))
    assert max(errors.values()) <= TOLERANCE, errors


@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_implementations_and_unrolling_give_the_same_numbers(layer: str) -> None:
    """The same products and sums in another order; no dropout, whose masks are one for each gate or one for all."""
    case = Case(layer, (("units", 6), ("return_sequences", True)), "mixed", True)
    given = cases.data(case)
    expected = cases.run(case, given)
    for options in ({"implementation": 2}, {"unroll": True}, {"implementation": 2, "unroll": True}):
        other = replace(case, arguments=(*case.arguments, *options.items()))
        assert max(cases.compare(cases.run(other, given), expected).values()) <= 1e-13


# float32's 6e-8 in place of 1e-16, through the same few hundred roundings and relu's growth.
SINGLE = 1e-4


@pytest.mark.parametrize("layer", grid.FACTORS)
def test_float32_stays_float32(layer: str) -> None:
    """Every case of the grid but those whose gates have no bound, which overflow: each array is float32, and as near to
    float64's as its precision allows."""
    for case in (case for case in grid.cases(layer) if case.options.get("recurrent_activation") != "relu"):
        given = cases.data(case)
        single = cases.run(case, given, dtype="float32")
        assert {name: value.dtype for name, value in single.items() if name != "penalties" and value.dtype != np.float32} == {}
        assert max(cases.compare(single, cases.run(case, given)).values()) <= SINGLE, case


DENSE: list[dict[str, Any]] = [
    {"activation": "softmax", "kernel_regularizer": "l2", "bias_initializer": "ones"},
    {"activation": "hard_sigmoid", "use_bias": False, "activity_regularizer": "l1_l2", "kernel_constraint": "unit_norm"},
    {"activation": "elu", "bias_regularizer": "l1", "activity_regularizer": "l2", "bias_constraint": "non_neg"},
    {},
]


@pytest.mark.parametrize("options", DENSE)
@pytest.mark.parametrize("lead", [(3,), (3, 4)])
def test_dense(lead: tuple[int, ...], options: dict[str, Any]) -> None:
    from rnnproof.layers import Dense
    from tests.layers.references import tf, v1

    rng = np.random.default_rng(len(options))
    x, d = tf.Variable(rng.normal(size=(*lead, 5))), rng.normal(size=(*lead, 6))
    ours, theirs = Dense(6, dtype="float64", **options), v1.Dense(6, dtype="float64", **options)
    ours.build(x.shape)
    theirs.build(x.shape)
    ours.set_weights([rng.normal(size=w.shape) for w in ours.weights])
    theirs.set_weights(ours.get_weights())
    with tf.GradientTape() as tape:
        output = theirs(x)
        loss = tf.reduce_sum(output * d) + tf.add_n([tf.zeros((), tf.float64), *theirs.losses])
    expected = tape.gradient(loss, [x, *theirs.trainable_weights])
    found = [ours(x.numpy()), ours.backward(d), *ours.gradients]
    for mine, other in zip(found, [output, *expected], strict=True):
        assert cases.error(mine, other.numpy()) <= TOLERANCE
    ours.apply_constraints()
    for weight, mine, constraint in zip(theirs.weights, ours.weights, ("kernel", "bias"), strict=False):
        project = getattr(theirs, f"{constraint}_constraint")
        assert cases.error(mine, weight.numpy() if project is None else project(weight).numpy()) <= TOLERANCE
