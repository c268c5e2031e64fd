"""`Sequential`: layers one behind the other, trained by `fit`; as far as real sequences need, and no further."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Self

import click
import numpy as np

from rnnproof.layers import archive, arguments
from rnnproof.layers import losses as loss_functions
from rnnproof.layers.base import Array, Layer, described, made, stored_shape
from rnnproof.layers.losses import Loss
from rnnproof.runtime import update_rules
from rnnproof.runtime.optimizer_base import Optimizer


@dataclass
class History:
    """What `fit` measured: `history[name]` one value an epoch, `batch_loss` one a batch; losses include the penalties."""

    history: dict[str, list[float]] = field(default_factory=dict)
    batch_loss: list[float] = field(default_factory=list)


class Sequential:
    """Layers in a row: the output of each is the input of the next. Raises ValueError for what is no layer."""

    def __init__(self, layers: Sequence[Any] = (), name: str | None = None) -> None:
        self.name = name or "sequential"
        self.layers: list[Layer] = []
        self.optimizer: Optimizer | None = None
        for layer in layers:
            self.add(made(layer) if isinstance(layer, Mapping) else layer)

    def add(self, layer: Layer) -> None:
        """Put a layer at the end. Raises ValueError for what is no layer, or behind a layer that gives states too."""
        if not isinstance(layer, Layer):
            raise ValueError(f"{self.name}: {layer!r} is no layer; give one of rnnproof.layers")
        if getattr(layer, "return_state", False):
            raise ValueError(f"{self.name}: {layer.name} returns its states too; a row of layers hands on one array")
        self.layers.append(layer)

    # running

    def __call__(self, x: Any, mask: Any = None, training: bool = False) -> Array:
        """The output of the last layer; `mask` goes along as far as there are sequences."""
        return self._forward(x, mask, training)[0]

    def _forward(self, x: Any, mask: Any, training: bool) -> tuple[Array, Any]:
        if not self.layers:
            raise ValueError(f"{self.name} has no layers; add one")
        for layer in self.layers:
            x = layer(x, mask=mask, training=training)
            mask = layer.compute_mask(mask)
        return x, mask

    def backward(self, d_output: Any) -> Array:
        """The gradient of the input from that of the output; sets the layers' gradients."""
        d = d_output
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return np.asarray(d)

    def predict(self, x: Any, mask: Any = None, batch_size: int = 32) -> Array:
        """The outputs for many sequences, a batch at a time."""
        return np.concatenate([self(part, mask=m) for part, m in _batches([x, mask], np.arange(len(x)), batch_size)])

    def evaluate(self, x: Any, y: Any, *, loss: Any, mask: Any = None, batch_size: int = 32) -> dict[str, float]:
        """The mean loss, penalties included, and for classes the accuracy."""
        of = loss_functions.get(loss)
        sums: dict[str, float] = {}
        for part, target, m in _batches([x, y, mask], np.arange(len(x)), batch_size):
            output, left = self._forward(part, m, False)
            _add(sums, len(part), self._measured(of, target, output, left))
        return {name: value / len(x) for name, value in sums.items()}

    def _measured(self, loss: Loss, y: Any, output: Array, mask: Any) -> dict[str, float]:
        measured = {"loss": loss(y, output, mask)[0] + sum(self.losses)}
        accuracy = loss.accuracy(y, output, mask)
        return measured if accuracy is None else {**measured, "accuracy": accuracy}

    # weights

    @property
    def weights(self) -> list[Array]:
        """The layers' weights, in order; optimisers change them in place."""
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def gradients(self) -> list[Array]:
        """The gradients that the last `backward` left, aligned with `weights`."""
        return [gradient for layer in self.layers for gradient in layer.gradients]

    @property
    def losses(self) -> list[float]:
        """The penalties of the last call."""
        return [penalty for layer in self.layers for penalty in layer.losses]

    def get_weights(self) -> list[Array]:
        """Copies of the weights, in order."""
        return [weight for layer in self.layers for weight in layer.get_weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Put values into the weights, in place. Raises ValueError for another number of them, naming what does not fit."""
        counts = [len(layer.weights) for layer in self.layers]
        if len(weights) != sum(counts):
            raise ValueError(f"{self.name}: {len(weights)} arrays are given; it has {sum(counts)} weights (build it first)")
        left = list(weights)
        for layer, count in zip(self.layers, counts, strict=True):
            layer.set_weights(left[:count])
            left = left[count:]

    def build(self, input_shape: Sequence[int | None], dtype: Any = None) -> None:
        """Make all weights for inputs (B, T, input), by running zeros through the layers."""
        if all(layer.built for layer in self.layers) and self.layers:
            return
        shape = [1 if n is None else n for n in input_shape]
        self(np.zeros(shape, dtype or np.float64))
        self.reset_states()

    def reset_states(self) -> None:
        """Reset the stateful layers."""
        for layer in self.layers:
            if layer.stateful:
                layer.reset_states()

    # training

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        loss: Any,
        optimizer: Any = None,
        batch_size: int = 32,
        epochs: int = 1,
        seed: int | None = None,
        shuffle: bool = True,
        mask: Any = None,
        validation_data: tuple[Any, ...] | None = None,
        verbose: int = 1,
    ) -> History:
        """Train on x (n, T, input) and y for some epochs; the order of the batches follows from `seed`.

        Without `optimizer` the model's own goes on with its learning state, a loaded one's too; with one, it starts anew, and
        where that discards a learning state, a line on stderr says so (not with `verbose=0`).
        `validation_data` is (x, y) or (x, y, mask); `verbose=0` is silent. States of stateful layers are carried from batch to
        batch as in Keras: use shuffle=False and reset_states(). When interrupted, the model is as after the last whole batch.
        Raises ValueError for data that does not fit.
        """
        of = loss_functions.get(loss)
        self._optimise_with(optimizer, verbose)
        arguments.whole("batch_size", batch_size)
        arguments.whole("epochs", epochs, least=0)
        x = arguments.floating("x", x, None)
        for name, values in (("y", y), ("mask", mask)):
            if values is not None and len(values) != len(x):
                raise ValueError(f"{name} has {len(values)} entries, x has {len(x)}; give as many of each")
        if len(x) == 0:
            raise ValueError("x has no entries; give some data to train on")
        if len(x) % batch_size and any(layer.stateful for layer in self.layers):
            raise ValueError(
                f"{self.name} is stateful, and {len(x)} sequences make no whole batches of {batch_size}; "
                "choose another batch_size"
            )
        silent = not verbose or not sys.stderr.isatty()
        rng, result = np.random.default_rng(seed), History()
        for epoch in range(epochs):
            order = rng.permutation(len(x)) if shuffle else np.arange(len(x))
            sums: dict[str, float] = {}
            label = f"epoch {epoch + 1}/{epochs}"
            batches = _batches([x, y, mask], order, batch_size)
            total = -(-len(x) // batch_size)
            with click.progressbar(batches, length=total, label=label, file=sys.stderr, hidden=silent) as bar:
                for part, target, m in bar:
                    measured = self.train_on_batch(part, target, of, m)
                    result.batch_loss.append(measured["loss"])
                    _add(sums, len(part), measured)
            means = {name: value / len(x) for name, value in sums.items()}
            if validation_data is not None:
                vx, vy, *vm = validation_data
                validation = self.evaluate(vx, vy, loss=of, mask=vm[0] if vm else None, batch_size=batch_size)
                means.update({f"val_{name}": value for name, value in validation.items()})
            for name, value in means.items():
                result.history.setdefault(name, []).append(value)
            if verbose:
                click.echo("  ".join([label, *(f"{name} {value:.4f}" for name, value in means.items())]), err=True)
        return result

    def _optimise_with(self, optimizer: Any, verbose: int) -> None:
        if optimizer is None:
            if self.optimizer is None:
                raise ValueError(f"{self.name} has no optimizer to go on with; give one, such as optimizer='adam'")
            return
        before, self.optimizer = self.optimizer, update_rules.get(optimizer)
        if verbose and before is not None and before is not self.optimizer and before.iterations:
            wrong = (
                f"{self.name}: the optimizer starts anew; fit() without optimizer goes on after its {before.iterations} steps"
            )
            click.echo(wrong, err=True)

    def train_on_batch(self, x: Any, y: Any, loss: Loss, mask: Any = None) -> dict[str, float]:
        """One step: forward, loss and penalties, backward, the optimiser's step, constraints. Gives what it measured before."""
        if self.optimizer is None:
            raise ValueError(f"{self.name} has no optimizer; fit() sets it, or set .optimizer")
        output, left = self._forward(x, mask, True)
        value, d_output = loss(y, output, left)
        measured = {"loss": value + sum(self.losses)}
        accuracy = loss.accuracy(y, output, left)
        self.backward(d_output)
        self.optimizer.apply_gradients(zip(self.gradients, self.weights, strict=True))
        for layer in self.layers:
            layer.apply_constraints()
        return measured if accuracy is None else {**measured, "accuracy": accuracy}

    # files

    def get_config(self) -> dict[str, Any]:
        """The layers' configurations. Raises ValueError for a callable of the user's own."""
        return {"layers": [described(layer) for layer in self.layers], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A new model, without weights, from what `get_config` gave."""
        return cls(**config)

    def save(self, path: str | PathLike[str]) -> None:
        """Write layers, weights and, once trained, the optimiser with its learning state; `rnnproof.layers.load` reads it."""
        if not self.layers or not all(layer.built for layer in self.layers):
            raise ValueError(f"{self.name} has no weights yet; call it on an input, or build(input_shape) it")
        header: dict[str, Any] = {**described(self), "input_shape": self.layers[0].input_shape}
        arrays = {str(place): weight for place, weight in enumerate(self.weights)}
        if self.optimizer is not None:
            header["optimizer"] = described(self.optimizer)
            arrays |= {f"optimizer:{place}": array for place, array in enumerate(self.optimizer.get_weights())}
        archive.write(path, header, arrays)

    def restore(self, path: Any, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """Take weights and optimiser as they stand in a file. Raises ValueError where they do not belong to this model."""
        weights = [arrays[name] for name in sorted((n for n in arrays if n.isdecimal()), key=int)]
        shape = stored_shape(header)
        self.build(shape, weights[0].dtype if weights else None)
        self.set_weights(weights)
        if "optimizer" in header:
            self.optimizer = update_rules.get(header["optimizer"])
            state = sorted((n for n in arrays if n.startswith("optimizer:")), key=lambda name: int(name.partition(":")[2]))
            self.optimizer.set_weights([arrays[name] for name in state])


def _batches(arrays: Sequence[Any], order: Array, size: int) -> Iterator[list[Any]]:
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        yield [None if values is None else np.asarray(values)[chosen] for values in arrays]


def _add(sums: dict[str, float], weight: int, measured: Mapping[str, float]) -> None:
    for name, value in measured.items():
        sums[name] = sums.get(name, 0.0) + weight * value


Layer.registry["Sequential"] = Sequential  # type: ignore[assignment]  # kept like a layer, and built from its layers
