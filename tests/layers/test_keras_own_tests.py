"""Keras's own tests of its recurrent layers, from the installed wheel and unmodified, run against ours."""

from __future__ import annotations

import importlib.util
import unittest
from pathlib import Path
from types import ModuleType

import pytest

from tests.layers import keras_adapter
from tests.lazy import keras

pytestmark = [pytest.mark.frameworks]

FILES = ("simple_rnn_test", "lstm_test", "gru_test")
# What is about TensorFlow's tracing and torch's CUDA kernels, not about layers' numbers.
LEFT_OUT = {
    "test_stateful_with_symbolic_batch_size": "calls the layer on a tf.function's symbol",
    "test_torch_cudnn_dispatch_fires": "asks whether a CUDA kernel is called",
}
RUN = {
    "simple_rnn_test": {"test_basics", "test_correctness", "test_masking", "test_pass_initial_state", "test_statefulness"},
    "lstm_test": {
        "test_basics",
        "test_correctness0",
        "test_correctness1",
        "test_masking",
        "test_pass_initial_state",
        "test_statefulness",
    },
    "gru_test": {
        "test_basics",
        "test_correctness0",
        "test_correctness1",
        "test_legacy_implementation_argument",
        "test_masking",
        "test_pass_initial_state",
        "test_pass_return_state",
        "test_statefulness",
    },
}


def loaded(name: str) -> ModuleType:
    """The test module with our layers in the place of `layers`."""
    folder = Path(str(keras.__file__)).parent / "src" / "layers" / "rnn"
    spec = importlib.util.spec_from_file_location(f"keras_own_{name}", folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert hasattr(module, "layers")
    module.layers = keras_adapter.NAMESPACE  # type: ignore[attr-defined]
    return module


def own_tests(module: ModuleType) -> dict[str, unittest.TestCase]:
    found = {}
    for suite in unittest.defaultTestLoader.loadTestsFromModule(module):
        for test in suite:  # type: ignore[union-attr]
            if type(test).__module__ == module.__name__:
                found[test._testMethodName] = test
    return {name: test for name, test in found.items() if name != "test_session"}


@pytest.mark.parametrize("file", FILES)
def test_the_list_is_complete(file: str) -> None:
    """A new test in a new Keras is a decision, not a silence."""
    assert set(own_tests(loaded(file))) - set(LEFT_OUT) == RUN[file]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("file", "name"), [(file, name) for file in FILES for name in sorted(RUN[file])])
def test_keras_own(file: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test = own_tests(loaded(file))[name]
    monkeypatch.setattr(type(test), "run_layer_test", keras_adapter.run_layer_test)
    result = unittest.TestResult()
    test.run(result)
    assert result.testsRun == 1 and not result.skipped
    problems = [text for _, text in (*result.failures, *result.errors)]
    assert not problems, problems[0]
