"""Converters: round trips to the last bit, and errors where something cannot be carried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnnproof import layouts
from rnnproof.runtime import converters

ROWS = [(cell, layer.framework) for cell, found in layouts.catalogue().items() for layer in found]
INPUT, HIDDEN = 3, 5


def params(cell: str, *, biases: bool = True) -> dict[str, Any]:
    rng = np.random.default_rng(len(cell))
    shapes = {"W": (HIDDEN, INPUT), "R": (HIDDEN, HIDDEN)}
    names = {n for layer in layouts.catalogue()[cell] for _, parts in layer.weights for n in layouts.named(parts)}
    found = {name: rng.normal(size=shapes.get(name[0], (HIDDEN,))) for name in sorted(names)}
    return found if biases else {name: value for name, value in found.items() if name[0] not in "bc"}


def same(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name])


def test_stacking_and_unstacking_are_inverse() -> None:
    rng = np.random.default_rng(0)
    given = {name: rng.standard_normal(3) for name in ("a", "b", "c", "+a")}
    for parts in [("a", "b"), ("a", "b", ";", "+a", "c"), ("+a", "a", ";", "c", "b")]:
        array = layouts.stack(parts, given, 3)
        assert array.shape == ((2, 6) if ";" in parts else (6,))
        same(layouts.unstack(parts, array), {name: given[name] for name in parts if name != ";"})
    assert not layouts.stack(("+a",), {"a": given["a"]}, 3).any()


def test_every_framework_is_there() -> None:
    assert {framework for _, framework in ROWS} == {"keras", "torch", "onnx"} and len(ROWS) == 12


@pytest.mark.parametrize(("cell", "framework"), ROWS)
def test_round_trips_are_exact(cell: str, framework: str) -> None:
    given = params(cell)
    arrays = converters.to_framework(cell, given, framework)
    same(converters.from_framework(cell, arrays, framework), given)
    again = converters.to_framework(cell, converters.from_framework(cell, arrays, framework), framework)
    same(again, arrays)
    same(converters.convert(arrays, cell=cell, source=framework, target="rnnproof"), given)


@pytest.mark.parametrize(("cell", "framework"), ROWS)
def test_without_biases(cell: str, framework: str) -> None:
    given = params(cell, biases=False)
    arrays = converters.to_framework(cell, given, framework)
    assert not any("bias" in name or name == "B" for name in arrays)
    back = converters.from_framework(cell, arrays, framework)
    same({name: back[name] for name in given}, given)
    assert all(not value.any() for name, value in back.items() if name not in given)


def test_one_parameter_at_a_time_goes_to_one_place() -> None:
    """Each parameter alone, so that two exchanged blocks could not hide behind each other."""
    for cell, framework in ROWS:
        zeros = {name: np.zeros_like(value) for name, value in params(cell).items()}
        places = []
        for name in zeros:
            arrays = converters.to_framework(cell, {**zeros, name: zeros[name] + 1}, framework)
            places.append(frozenset((k, i) for k, a in arrays.items() for i in np.flatnonzero(a).tolist()))
            assert len(places[-1]) == zeros[name].size
        assert sum(map(len, places)) == len(frozenset.union(*places))


def test_gate_orders() -> None:
    """Keras i f c o, torch i f g o, ONNX i o f c; Keras z r h, torch r z n, ONNX z r h."""
    for cell, framework, name, order in (
        ("lstm", "keras", "kernel", "i f hbar o"),
        ("lstm", "torch", "weight_ih_l0", "i f hbar o"),
        ("lstm", "onnx", "W", "i o f hbar"),
        ("gru", "keras", "kernel", "z r hbar"),
        ("gru_reset_after", "torch", "weight_ih_l0", "r z hbar"),
        ("gru", "onnx", "W", "z r hbar"),
    ):
        given = params(cell)
        array = converters.to_framework(cell, given, framework)[name]
        array = array.T if framework == "keras" else array[0] if framework == "onnx" else array
        np.testing.assert_array_equal(array, np.concatenate([given[f"W_{gate}"] for gate in order.split()]))


def test_two_biases_that_are_added_become_one() -> None:
    rng = np.random.default_rng(0)
    arrays = converters.to_framework("lstm", params("lstm"), "torch")
    arrays["bias_hh_l0"] = rng.normal(size=4 * HIDDEN)
    found = converters.from_framework("lstm", arrays, "torch")
    np.testing.assert_array_equal(
        found["b_f"], arrays["bias_ih_l0"][HIDDEN : 2 * HIDDEN] + arrays["bias_hh_l0"][HIDDEN : 2 * HIDDEN]
    )
    keras = {"kernel": rng.normal(size=(INPUT, 3 * HIDDEN)), "recurrent_kernel": rng.normal(size=(HIDDEN, 3 * HIDDEN))}
    keras["bias"] = rng.normal(size=(2, 3 * HIDDEN))
    found = converters.from_framework("gru_reset_after", keras, "keras")
    np.testing.assert_array_equal(found["b_z"], keras["bias"][0, :HIDDEN] + keras["bias"][1, :HIDDEN])
    np.testing.assert_array_equal(found["c_hbar"], keras["bias"][1, 2 * HIDDEN :])
    np.testing.assert_array_equal(found["b_hbar"], keras["bias"][0, 2 * HIDDEN :])


@pytest.mark.parametrize(("cell", "framework"), ROWS)
def test_round_trips_of_a_frameworks_own_arrays_are_exact(cell: str, framework: str) -> None:
    """Both biases random: by way of our parameters with the second ones kept apart, and through every other framework that
    has both."""
    rng = np.random.default_rng(3)
    arrays = converters.to_framework(cell, params(cell), framework)
    arrays = {name: rng.normal(size=value.shape) for name, value in arrays.items()}
    same(converters.to_framework(cell, converters.from_framework(cell, arrays, framework, merge=False), framework), arrays)
    for other in {f for c, f in ROWS if c == cell} - {framework}:
        there = converters.convert(arrays, cell=cell, source=framework, target=other)
        back = converters.convert(there, cell=cell, source=other, target=framework)
        one_bias = other == "keras" and cell != "gru_reset_after" and framework != "keras"
        if one_bias:
            same(*(converters.convert(a, cell=cell, source=framework, target="rnnproof") for a in (back, arrays)))
        else:
            same(back, arrays)


def test_other_layers_and_directions() -> None:
    arrays = converters.to_framework("lstm", params("lstm"), "torch", suffix="_l1_reverse")
    assert set(arrays) == {f"{n}_l1_reverse" for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    same(converters.from_framework("lstm", arrays, "torch", suffix="_l1_reverse"), params("lstm"))
    one, two = (converters.to_framework("gru", params("gru"), "onnx") for _ in range(2))
    both = {name: np.concatenate([one[name], 2 * two[name]]) for name in one}
    same(converters.from_framework("gru", both, "onnx", direction=1), {n: 2 * v for n, v in params("gru").items()})


def test_views_where_nothing_is_added() -> None:
    arrays = converters.to_framework("lstm", params("lstm"), "keras")
    found = converters.from_framework("lstm", arrays, "keras")
    assert np.shares_memory(found["W_f"], arrays["kernel"]) and np.shares_memory(found["b_o"], arrays["bias"])


def _changed(framework: str, cell: str, **changes: Any) -> dict[str, Any]:
    arrays = converters.to_framework(cell, params(cell), framework)
    return {name: value for name, value in {**arrays, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("cell", "framework", "changes", "words"),
    [
        ("lstm", "keras", {"kernel": np.zeros((INPUT, 18))}, r"kernel has shape \(3, 18\)"),
        ("lstm", "keras", {"recurrent_kernel": None}, "'recurrent_kernel' is missing.*kernel, recurrent_kernel, bias"),
        ("lstm", "keras", {"bias": np.zeros((2, 20))}, r"bias has shape \(2, 20\); it should be \(20\)"),
        ("gru", "keras", {"bias": np.zeros((2, 15))}, r"bias has shape \(2, 15\)"),
        ("gru_reset_after", "keras", {"bias": np.zeros(15)}, r"bias has shape \(15,\); it should be \(2, 15\)"),
        ("lstm", "torch", {"weight_hr_l0": np.zeros((2, 5))}, "'weight_hr_l0' is unknown"),
        ("lstm", "torch", {"bias_hh_l0": None}, "'bias_hh_l0' is missing"),
        ("lstm", "onnx", {"P": np.zeros((1, 15))}, "'P' is unknown"),
        ("lstm", "onnx", {"R": np.zeros((1, 20, 4))}, r"R has shape \(1, 20, 4\)"),
    ],
)
def test_what_does_not_fit_is_an_error(cell: str, framework: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        converters.from_framework(cell, _changed(framework, cell, **changes), framework)


def test_what_can_not_be_carried_is_an_error() -> None:
    with pytest.raises(ValueError, match="torch has no layer that computes gru; it has gru_reset_after, lstm, simple_rnn"):
        converters.convert(_changed("keras", "gru"), cell="gru", source="keras", target="torch")
    with pytest.raises(ValueError, match="keras has no layer that computes lstm_peephole"):
        converters.to_framework("lstm_peephole", params("lstm_peephole"), "keras")
    with pytest.raises(ValueError, match="'p_[if]' is unknown"):
        converters.to_framework("lstm", params("lstm_peephole"), "keras")
    with pytest.raises(ValueError, match="'b_f' is missing"):
        converters.to_framework("lstm", {k: v for k, v in params("lstm").items() if k != "b_f"}, "torch")
    with pytest.raises(ValueError, match=r"'W_f' has shape \(4, 3\); it should be \(hidden=5, input"):
        converters.to_framework("lstm", {**params("lstm"), "W_f": np.zeros((4, 3))}, "torch")
    with pytest.raises(ValueError, match="no framework 'theano'; there are keras, torch, onnx"):
        converters.to_framework("lstm", params("lstm"), "theano")
    with pytest.raises(ValueError, match="no cell 'mgu'"):
        converters.to_framework("mgu", {}, "keras")
    with pytest.raises(ValueError, match="first axis should hold direction 1"):
        converters.from_framework("lstm", _changed("onnx", "lstm"), "onnx", direction=1)


def test_gradients_of_two_biases_are_those_of_their_sum() -> None:
    ours = params("lstm")
    arrays = converters.to_framework("lstm", ours, "torch", gradients=True)
    np.testing.assert_array_equal(arrays["bias_hh_l0"], arrays["bias_ih_l0"])
    same(converters.from_framework("lstm", arrays, "torch", gradients=True), ours)
    keras = converters.convert(arrays, cell="lstm", source="torch", target="keras", gradients=True)
    same(keras, converters.to_framework("lstm", ours, "keras"))
    arrays["bias_hh_l0"] = arrays["bias_hh_l0"] * 2
    with pytest.raises(ValueError, match="the gradients of the two biases that make b_i differ"):
        converters.from_framework("lstm", arrays, "torch", gradients=True)


def test_a_state_dict_of_more_than_one_layer() -> None:
    first, second = params("lstm"), {name: 2 * value for name, value in params("lstm").items()}
    stacked = converters.to_framework("lstm", first, "torch") | converters.to_framework("lstm", second, "torch", suffix="_l1")
    named = {f"encoder.{name}": value for name, value in stacked.items()} | {"head.weight": np.zeros((2, 5))}
    cell = converters.to_framework("lstm", second, "torch", suffix="")
    assert set(cell) == {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}
    for arrays, words in (
        (stacked, "say which one is meant, of prefix='', suffix='_l0'; prefix='', suffix='_l1'"),
        (named, "'encoder.weight_ih_l0' is of another layer.*prefix='encoder.', suffix='_l1'"),
        (cell, "prefix='', suffix=''"),
        ({name: value for name, value in stacked.items() if name.endswith("_l1")}, "prefix='', suffix='_l1'"),
    ):
        with pytest.raises(ValueError, match=words):
            converters.from_framework("lstm", arrays, "torch")
    with pytest.raises(ValueError, match="say which one is meant"):
        converters.from_framework("lstm", named, "torch", prefix="encoder.")
    same(converters.from_framework("lstm", stacked, "torch", suffix="_l1"), second)
    same(converters.from_framework("lstm", named, "torch", prefix="encoder.", suffix="_l0"), first)
    same(converters.from_framework("lstm", cell, "torch", suffix=""), second)
    with pytest.raises(ValueError, match="of another layer"):
        converters.from_framework("lstm", stacked, "torch", suffix="_l7")


def test_an_onnx_node_that_needs_an_attribute_says_so() -> None:
    arrays = converters.to_framework("gru_reset_after", params("gru_reset_after"), "torch")
    with pytest.warns(UserWarning, match="GRU computes gru_reset_after with linear_before_reset=1 only"):
        converters.convert(arrays, cell="gru_reset_after", source="torch", target="onnx")
    converters.to_framework("gru", params("gru"), "onnx")  # the node's default: no word
