"""ONNX: its own 18 node test cases, and ONNX Runtime on random weights, which see what equal gates hide."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests.frameworks import onnx_adapter

pytestmark = [pytest.mark.frameworks]

COUNT = 6  # cases of each operator
# float32 in, float32 through at most 6 steps of products with up to 20 terms: a few hundred roundings of 6e-8 relative to the
# largest entry; ONNX Runtime also approximates tanh and sigmoid by rational functions, good to a few 1e-7.
TOLERANCE = 5e-6


@pytest.fixture(scope="module", params=["RNN", "GRU", "LSTM"])
def collected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("onnx") / "cases.npz"
    script = Path(__file__).with_name("onnx_cases.py")
    subprocess.run([sys.executable, str(script), request.param, str(path)], check=True, capture_output=True)
    with np.load(path) as file:
        return json.loads(str(file["cases"])), {name: file[name] for name in file.files if name != "cases"}


def test_the_node_cases(collected: Any) -> None:
    """Their tolerance: the reference implementation is NumPy in float32 too."""
    cases, arrays = collected
    assert len(cases) == COUNT
    for case in cases:
        given = {name: arrays[f"{case['name']}/in/{name}"] for name in case["inputs"]}
        found = onnx_adapter.run(case["op"], case["attributes"], given)
        for name in case["outputs"]:
            expected = arrays[f"{case['name']}/out/{name}"]
            assert found[name].shape == expected.shape, case["name"]
            np.testing.assert_allclose(found[name], expected, rtol=0, atol=2e-6 * np.abs(expected).max(), err_msg=case["name"])


SETS: dict[str, list[dict[str, Any]]] = {
    "RNN": [
        {},
        {"direction": "reverse", "activations": ["Relu"]},
        {"direction": "bidirectional", "activations": ["Softsign", "Tanh"]},
    ],
    "GRU": [
        {},
        {"linear_before_reset": 1},
        {"direction": "reverse", "linear_before_reset": 1},
        {"direction": "bidirectional", "activations": ["HardSigmoid", "Softsign", "Sigmoid", "Tanh"]},
        {"activations": ["Sigmoid", "ScaledTanh"], "activation_alpha": [1.7], "activation_beta": [0.6]},
    ],
    "LSTM": [
        {},
        {"peepholes": True},
        {"direction": "reverse", "peepholes": True, "activations": ["Sigmoid", "Softsign", "Relu"]},
        {"direction": "bidirectional"},
        {"input_forget": 1},
        {"input_forget": 1, "peepholes": True, "direction": "bidirectional"},
        {"activations": ["HardSigmoid", "Tanh", "Tanh"], "activation_alpha": [0.3], "activation_beta": [0.4]},
    ],
}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
T, B, INPUT, HIDDEN = 6, 4, 3, 5


def problem(op: str, options: dict[str, Any], *, lengths: bool, start: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attributes and random arrays."""
    rng = np.random.default_rng([len(op), len(options), lengths, start])
    attributes = {"hidden_size": HIDDEN, **{k: v for k, v in options.items() if k != "peepholes"}}
    count = 2 if options.get("direction") == "bidirectional" else 1
    shapes = {
        "X": (T, B, INPUT),
        "W": (count, GATES[op] * HIDDEN, INPUT),
        "R": (count, GATES[op] * HIDDEN, HIDDEN),
        "B": (count, 2 * GATES[op] * HIDDEN),
    }
    if start:
        shapes["initial_h"] = (count, B, HIDDEN)
        if op == "LSTM":
            shapes["initial_c"] = (count, B, HIDDEN)
    if options.get("peepholes"):
        shapes["P"] = (count, 3 * HIDDEN)
    arrays = {name: (0.7 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}
    if lengths:
        arrays["sequence_lens"] = np.array([T, 2, 5, 1], np.int32)
    return attributes, arrays


def runtime(op: str, attributes: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    """What ONNX Runtime computes."""
    order = onnx_adapter.INPUTS if op == "LSTM" else onnx_adapter.INPUTS[:6]
    names = [name if name in arrays else "" for name in order]
    while not names[-1]:
        names.pop()
    outputs = ["Y", "Y_h", *(["Y_c"] if op == "LSTM" else [])]
    types = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
    graph = helper.make_graph(
        [helper.make_node(op, names, outputs, **attributes)],
        "one",
        [helper.make_tensor_value_info(name, types[arrays[name].dtype], arrays[name].shape) for name in names if name],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(outputs, session.run(outputs, arrays), strict=True))


def worst(found: dict[str, Any], expected: dict[str, Any]) -> float:
    return float(np.max([np.max(np.abs(found[n] - e)) / np.max(np.abs(e)) for n, e in expected.items()]))  # NaN stays NaN


def random_weights(op: str, options: dict[str, Any], lengths: bool) -> float:
    """The largest relative difference from ONNX Runtime in float32."""
    attributes, arrays = problem(op, options, lengths=lengths, start=lengths or "direction" in options)
    return worst(onnx_adapter.run(op, attributes, arrays), runtime(op, attributes, arrays))


@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize(("op", "options"), [(op, options) for op, sets in SETS.items() for options in sets])
def test_onnx_runtime(op: str, options: dict[str, Any], lengths: bool) -> None:
    assert random_weights(op, options, lengths) <= TOLERANCE


@pytest.mark.parametrize(("op", "name", "size"), [("LSTM", "W", 4), ("LSTM", "R", 4), ("GRU", "W", 3), ("GRU", "R", 3)])
def test_two_swapped_gates_are_seen(op: str, name: str, size: int) -> None:
    attributes, arrays = problem(op, {}, lengths=False, start=True)
    expected = runtime(op, attributes, arrays)
    blocks = np.split(arrays[name], size, axis=1)
    wrong = {**arrays, name: np.concatenate([blocks[1], blocks[0], *blocks[2:]], axis=1)}
    assert worst(onnx_adapter.run(op, attributes, wrong), expected) > 1e-2


def test_clip_is_refused() -> None:
    attributes, arrays = problem("GRU", {}, lengths=False, start=False)
    with pytest.raises(ValueError, match="clip"):
        onnx_adapter.run("GRU", {**attributes, "clip": 1.0}, arrays)
