"""Losses of torch, JAX and TensorFlow: their arrays as NumPy's, and the gradients that the framework's own backward gives.

A `torch.autograd.Function`, a `jax.custom_vjp` and a `tf.custom_gradient` are taken as they are: what they return is summed up
with random weights, so that every output has a seed, and the framework differentiates that sum by the backward they define.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rnnproof.errors import UsageError

Array = np.ndarray[Any, Any]

Adapted = tuple[Callable[[], float], dict[str, Array], Callable[[], Mapping[str, Any]]]


def framework_of(loss: Any, arrays: Mapping[str, Any]) -> str:
    """The name "torch", "jax" or "tensorflow" where the arrays, or the function, are one of theirs; "" otherwise."""
    modules = {type(value).__module__.partition(".")[0] for value in arrays.values()}
    for name, roots in (("torch", {"torch"}), ("jax", {"jax", "jaxlib"}), ("tensorflow", {"tensorflow"})):
        if modules & roots:
            return name
    if type(loss).__module__.partition(".")[0] in ("jax", "jaxlib"):
        return "jax"
    torch = sys.modules.get("torch")
    return "torch" if torch is not None and isinstance(loss, type) and issubclass(loss, torch.autograd.Function) else ""


def adapted(framework: str, loss: Any, arrays: Mapping[str, Any]) -> Adapted:
    """(loss as a number, NumPy arrays to change in place, the framework's gradients). Raises UsageError for what is none."""
    if not callable(loss):
        raise UsageError(f"loss is {type(loss).__name__}; give a function of the arrays, or one that reads them")
    return {"torch": _torch, "jax": _jax, "tensorflow": _tensorflow}[framework](loss, arrays)


class _Weighted:
    """The sum of everything that a function returns, with random weights that stay the same."""

    def __init__(self, like: Callable[[Array, Any], Any], total: Callable[[Any], Any]) -> None:
        self.like, self.total = like, total
        self.weights: dict[int, Array] = {}

    def __call__(self, answer: Any) -> Any:
        parts = answer if isinstance(answer, tuple | list) else (answer,)
        if len(parts) == 1 and not tuple(getattr(parts[0], "shape", ())):
            return parts[0]
        terms = []
        for number, part in enumerate(parts):
            if number not in self.weights:
                self.weights[number] = np.random.default_rng(number).standard_normal(tuple(part.shape))
            terms.append(self.total(part * self.like(self.weights[number], part)))
        return sum(terms[1:], terms[0])


def _called(loss: Any, values: Mapping[str, Any]) -> Any:
    """The function at these arrays: without arguments, by position, or with the dict."""
    try:
        count = sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in _parameters(loss))
    except (TypeError, ValueError):
        count = len(values)
    if count == 0 and not any(p.kind is p.VAR_POSITIONAL for p in _parameters(loss)):
        return loss()
    if count == 1 and len(values) > 1:
        return loss(dict(values))
    return loss(*values.values())


def _parameters(loss: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(loss).parameters.values())


def _torch(loss: Any, arrays: Mapping[str, Any]) -> Adapted:
    torch = sys.modules["torch"]
    leaves = {name: value if torch.is_tensor(value) else torch.from_numpy(value) for name, value in arrays.items()}
    positional = isinstance(loss, type)  # a torch.autograd.Function
    function: Any = getattr(loss, "apply") if positional else loss  # noqa: B009  mypy knows no such attribute of a type
    for name, leaf in leaves.items():
        if not leaf.is_floating_point() or not leaf.is_leaf:
            raise UsageError(f"arrays[{name!r}] is no leaf of floating point numbers; give the tensor itself, not a result")
        leaf.requires_grad_(True)
    weighted = _Weighted(lambda weights, part: torch.as_tensor(weights, dtype=part.dtype), torch.sum)

    def value() -> Any:
        return weighted(function(*leaves.values()) if positional else _called(function, leaves))

    def number() -> float:
        with torch.no_grad():
            return float(value())

    def gradients() -> dict[str, Any]:
        answers = torch.autograd.grad(value(), list(leaves.values()), allow_unused=True)
        return {
            name: np.zeros(tuple(leaf.shape)) if answer is None else answer.detach().numpy()
            for (name, leaf), answer in zip(leaves.items(), answers, strict=True)
        }

    return number, {name: leaf.detach().numpy() for name, leaf in leaves.items()}, gradients


def _jax(loss: Any, arrays: Mapping[str, Any]) -> Adapted:
    jax = sys.modules["jax"]
    values = {name: np.array(value) for name, value in arrays.items()}
    weighted = _Weighted(lambda weights, part: jax.numpy.asarray(weights, dtype=part.dtype), jax.numpy.sum)

    def value(*given: Any) -> Any:  # not a dict, whose names JAX would sort
        return weighted(_called(loss, dict(zip(values, given, strict=True))))

    def current() -> list[Any]:
        return [jax.numpy.asarray(array) for array in values.values()]

    def gradients() -> dict[str, Any]:
        answers = jax.grad(value, tuple(range(len(values))))(*current())
        return dict(zip(values, answers, strict=True))

    return lambda: float(value(*current())), values, gradients


def _tensorflow(loss: Any, arrays: Mapping[str, Any]) -> Adapted:
    tensorflow = sys.modules["tensorflow"]
    variables = {
        name: value if isinstance(value, tensorflow.Variable) else tensorflow.Variable(value) for name, value in arrays.items()
    }
    values = {name: variable.numpy().copy() for name, variable in variables.items()}
    weighted = _Weighted(lambda weights, part: tensorflow.constant(weights, dtype=part.dtype), tensorflow.reduce_sum)

    def value() -> Any:
        for name, variable in variables.items():
            variable.assign(values[name])
        return weighted(_called(loss, variables))

    def gradients() -> dict[str, Any]:
        with tensorflow.GradientTape() as tape:
            total = value()
        answers = tape.gradient(total, list(variables.values()))
        return {
            name: np.zeros(values[name].shape) if answer is None else answer.numpy()
            for name, answer in zip(variables, answers, strict=True)
        }

    return lambda: float(value()), values, gradients
