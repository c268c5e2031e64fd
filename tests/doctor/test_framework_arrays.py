"""Losses of torch, JAX and TensorFlow as they are, compared with the framework's own backward, in float64 and float32."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from rnnproof.doctor import examine

pytestmark = [pytest.mark.frameworks]
DTYPES = ("float64", "float32")


def torch_function(torch: Any, wrong: bool) -> Any:
    class Layer(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any, W: Any) -> Any:
            h = torch.tanh(x @ W)
            ctx.save_for_backward(x, W, h)
            return h

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, W, h = ctx.saved_tensors
            d = g * (1 - h**2)
            return d @ W.T, 2 * x.T @ d if wrong else x.T @ d

    return Layer


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrong", [False, True])
def test_a_torch_autograd_function(dtype: str, wrong: bool) -> None:
    torch: Any = importlib.import_module("torch")
    rng = np.random.default_rng(0)
    arrays = {k: torch.tensor(rng.normal(size=s), dtype=getattr(torch, dtype)) for k, s in (("x", (2, 3)), ("W", (3, 4)))}
    report = examine(torch_function(torch, wrong), arrays)
    assert dict(report.wrong) == ({"W": 1} if wrong else {})
    assert report.kinds == (("wrong-factor",) if wrong else ())
    assert report.precision == dtype


def test_a_torch_layer_is_found_and_healthy() -> None:
    """nn.LSTM with its stacked kernels and two biases, the gradients torch's own."""
    torch: Any = importlib.import_module("torch")

    def make(T: int, B: int, rng: np.random.Generator) -> Any:
        net = torch.nn.LSTM(3, 4, dtype=torch.float64)
        for parameter in net.parameters():
            parameter.data = torch.from_numpy(0.6 * rng.normal(size=tuple(parameter.shape)))
        x, seeds = (torch.from_numpy(rng.normal(size=(T, B, n))) for n in (3, 4))
        return (lambda: (net(x)[0] * seeds).sum()), {**dict(net.named_parameters()), "x": x}, None

    report = examine(make, cell="lstm")
    assert report.ok and not report.wrong
    assert "b_hbar is bias_hh_l0[8:12] + bias_ih_l0[8:12]" in report.layout


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_jax_custom_vjp(dtype: str) -> None:
    jax: Any = importlib.import_module("jax")

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def layer(x: Any, W: Any) -> Any:
        return jax.numpy.tanh(x @ W)

    def backward(saved: Any, g: Any) -> Any:
        x, W = saved
        d = g * (1 - jax.numpy.tanh(x @ W) ** 2)
        return d @ W.T, -x.T @ d  # <-- x.T @ d

    layer.defvjp(lambda x, W: (layer(x, W), (x, W)), backward)
    rng = np.random.default_rng(0)
    with jax.enable_x64(dtype == "float64"):
        arrays = {k: jax.numpy.asarray(rng.normal(size=s), dtype) for k, s in (("x", (2, 3)), ("W", (3, 4)))}
        report = examine(layer, arrays)
    assert dict(report.wrong) == {"W": 1} and report.kinds == ("wrong-factor",)
    assert report.precision == dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tensorflow_custom_gradient(dtype: str) -> None:
    tensorflow: Any = importlib.import_module("tensorflow")

    @tensorflow.custom_gradient  # type: ignore[untyped-decorator]
    def layer(x: Any, W: Any) -> Any:
        h = tensorflow.tanh(x @ W)

        def backward(g: Any) -> Any:
            d = g * (1 - h**2)
            return d @ tensorflow.transpose(W), tensorflow.transpose(x) @ g  # <-- @ d

        return h, backward

    rng = np.random.default_rng(0)
    arrays = {k: tensorflow.Variable(rng.normal(size=s).astype(dtype)) for k, s in (("x", (2, 3)), ("W", (3, 4)))}
    report = examine(layer, arrays)
    assert dict(report.wrong) == {"W": 1} and not report.ok
    assert report.arrays["x"].verdict == "right" and report.precision == dtype
