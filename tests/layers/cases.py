"""What a layer is compared on: its arguments and the data of one or two calls, and how ours computes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnproof import layers

Values = dict[str, Any]
T, B, INPUT = 4, 3, 5  # with 2 or 6 units every dimension is different


@dataclass(frozen=True)
class Case:
    """A layer's class and arguments, and which optional things its calls are given."""

    layer: str
    arguments: tuple[tuple[str, Any], ...]
    mask: str = "none"
    initial_state: bool = False
    training: bool = False
    seed: int = 0

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.arguments)

    @property
    def calls(self) -> int:
        return 2 if self.options.get("stateful") else 1


@dataclass
class Data:
    """Random weights, inputs, masks, states and gradients for a case; float64."""

    case: Case
    weights: list[Any] = field(default_factory=list)
    xs: list[Any] = field(default_factory=list)
    mask: Any = None
    initial: list[Any] | None = None
    dropout_masks: dict[str, Any] | None = None
    seeds: list[Any] = field(default_factory=list)


def ours(case: Case, **changes: Any) -> Any:
    return getattr(layers, case.layer)(**{**case.options, "dtype": "float64", "seed": case.seed, **changes})


def data(case: Case) -> Data:
    """Everything a case needs, from its seed."""
    rng = np.random.default_rng([case.seed, len(case.layer)])
    layer = ours(case)
    layer.build((B, T, INPUT))
    units, gates, states = layer.units, len(layer.GATES), len(layer.STATES)
    made = Data(case, [0.6 * rng.normal(size=w.shape) for w in layer.weights])
    made.xs = [rng.normal(size=(B, T, INPUT)) for _ in range(case.calls)]
    if case.mask == "mixed":
        made.mask = rng.random((B, T)) < 0.6
        made.mask[0, 0], made.mask[1, -1], made.mask[2] = False, False, [True, False, True, True]
    elif case.mask == "ones":
        made.mask = np.ones((B, T), bool)
    if case.initial_state:
        made.initial = [rng.normal(size=(B, units)) for _ in range(states)]
    if case.training and (layer.dropout or layer.recurrent_dropout):
        count = gates if layer.implementation == 1 else 1
        made.dropout_masks = {}
        for name, rate, n, width in (
            ("input", layer.dropout, count, INPUT),
            ("recurrent", layer.recurrent_dropout, gates, units),
        ):
            if rate:
                made.dropout_masks[name] = (rng.random((n, B, width)) >= rate) / (1 - rate)
    shape = (B, T, units) if layer.return_sequences else (B, units)
    made.seeds = [rng.normal(size=shape), *([rng.normal(size=(B, units)) for _ in range(states)] if layer.return_state else [])]
    return made


def run(case: Case, given: Data, **changes: Any) -> Values:
    """Outputs, penalties and gradients of our layer, by name; of the last call where there are two."""
    layer = ours(case, **changes)
    layer.build((B, T, INPUT))
    first = layer.get_weights()
    layer.set_weights(given.weights)
    for number, x in enumerate(given.xs):
        output = layer(
            x,
            mask=given.mask,
            training=case.training,
            initial_state=given.initial if number == 0 else None,
            dropout_masks=given.dropout_masks,
        )
    outputs = output if layer.return_state else [output]
    d_x = layer.backward(given.seeds[0], given.seeds[1:] if layer.return_state else None)
    found: Values = {"output": outputs[0], "penalties": np.array(sum(layer.losses))}
    found.update({f"state {name}": value for name, value in zip(layer.STATES, outputs[1:], strict=False)})
    found["d input"] = d_x
    found.update({f"d {name}": value for name, value in zip(layer.weight_names, layer.gradients, strict=True)})
    if given.initial is not None and case.calls == 1:
        found.update({f"d initial {n}": v for n, v in zip(layer.STATES, layer.initial_state_gradients, strict=True)})
    layer.apply_constraints()
    found.update({f"constrained {name}": value for name, value in zip(layer.weight_names, layer.weights, strict=True)})
    for spec, value in zip(layer._specs, first, strict=True):
        if case.options.get(f"{spec.name.removesuffix('_kernel')}_initializer") in ("zeros", "ones"):
            found[f"first {spec.name}"] = value
    return found


def error(mine: Any, theirs: Any) -> float:
    """The largest difference, relative to the largest entry of theirs (or absolute where they are all zero).

    Relative to the array, not to each entry: an entry near zero is a difference of large ones, and its rounding is theirs.
    """
    mine, theirs = np.asarray(mine), np.asarray(theirs)
    assert mine.shape == theirs.shape, (mine.shape, theirs.shape)
    assert np.isfinite(theirs).all() and np.isfinite(mine).all()  # a NaN would compare as no difference
    scale = np.max(np.abs(theirs), initial=0.0)
    return float(np.max(np.abs(mine - theirs), initial=0.0) / (scale or 1.0))


def compare(mine: Values, theirs: Values) -> dict[str, float]:
    """The error of every value, by name; both must have the same names."""
    assert mine.keys() == theirs.keys(), mine.keys() ^ theirs.keys()
    return {name: error(mine[name], theirs[name]) for name in mine}
