"""Cases that cover every pair of values of all arguments of the lecture's listings, for each layer."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tests.layers.cases import Case

ACTIVATIONS = ("tanh", "relu", "elu", "linear", "softsign", "hard_sigmoid")
REGULARIZERS = (None, "l1", "l2", "l1_l2")
CONSTRAINTS = (None, "max_norm", "non_neg", "unit_norm", "min_max_norm")
FLAGS = (False, True)
COMMON: dict[str, tuple[Any, ...]] = {
    "units": (2, 6),
    "activation": ACTIVATIONS,
    "use_bias": (True, False),
    "kernel_initializer": ("glorot_uniform", "zeros", "ones"),
    "recurrent_initializer": ("orthogonal", "zeros", "ones"),
    "bias_initializer": ("zeros", "ones"),
    "kernel_regularizer": REGULARIZERS,
    "recurrent_regularizer": REGULARIZERS,
    "bias_regularizer": REGULARIZERS,
    "activity_regularizer": REGULARIZERS,
    "kernel_constraint": CONSTRAINTS,
    "recurrent_constraint": CONSTRAINTS,
    "bias_constraint": CONSTRAINTS,
    "dropout": (0.0, 0.3),
    "recurrent_dropout": (0.0, 0.25),
    "return_sequences": FLAGS,
    "return_state": FLAGS,
    "go_backwards": FLAGS,
    "stateful": FLAGS,
    "unroll": FLAGS,
    "mask": ("none", "mixed", "ones"),
    "initial_state": FLAGS,
    "training": FLAGS,
}
GATED = {"recurrent_activation": ("hard_sigmoid", "sigmoid", "relu", "tanh"), "implementation": (1, 2)}
FACTORS: dict[str, dict[str, tuple[Any, ...]]] = {
    "SimpleRNN": COMMON,
    "LSTM": {**COMMON, **GATED, "unit_forget_bias": (True, False)},
    "GRU": {**COMMON, **GATED, "reset_after": FLAGS},
}
Row = dict[str, Any]


def pairs(factors: dict[str, tuple[Any, ...]]) -> set[tuple[tuple[str, Any], tuple[str, Any]]]:
    """Every pair of values of two arguments."""
    return {((a, x), (b, y)) for a, b in itertools.combinations(factors, 2) for x in factors[a] for y in factors[b]}


def covered(row: Row, factors: dict[str, tuple[Any, ...]]) -> set[tuple[tuple[str, Any], tuple[str, Any]]]:
    return {((a, row[a]), (b, row[b])) for a, b in itertools.combinations(factors, 2)}


def covering(factors: dict[str, tuple[Any, ...]], seed: int = 0) -> list[Row]:
    """Rows that together have every pair: each takes an uncovered pair and grows greedily by what covers most."""
    rng = np.random.default_rng(seed)
    left, rows = pairs(factors), []
    while left:
        best: tuple[int, Row] = (0, {})
        first = sorted(left, key=repr)
        for _ in range(8):
            row: Row = dict(first[rng.integers(len(first))])
            names = [name for name in factors if name not in row]
            for name in rng.permutation(names).tolist():
                gains = [_gain(row, name, value, left, factors) + rng.random() for value in factors[name]]
                row[name] = factors[name][int(np.argmax(gains))]
            gain = len(covered(row, factors) & left)
            best = max(best, (gain, row), key=lambda pair: pair[0])
        rows.append({name: best[1][name] for name in factors})
        left -= covered(best[1], factors)
    return rows


def _gain(row: Row, name: str, value: Any, left: set[Any], factors: dict[str, tuple[Any, ...]]) -> int:
    order = {factor: place for place, factor in enumerate(factors)}
    found = 0
    for other, chosen in row.items():
        pair = ((other, chosen), (name, value)) if order[other] < order[name] else ((name, value), (other, chosen))
        found += pair in left
    return found


def cases(layer: str) -> list[Case]:
    """The covering cases of a layer."""
    found = []
    for seed, row in enumerate(covering(FACTORS[layer])):
        given = {name: row[name] for name in row if name not in ("mask", "initial_state", "training")}
        found.append(Case(layer, tuple(given.items()), row["mask"], row["initial_state"], row["training"], seed))
    return found


def zero_output_cases(layer: str) -> list[Case]:
    """Not with unroll: there tf_keras 2.21 fails on the last output alone, and forgets to reverse the mask."""
    variants: list[dict[str, Any]] = [{}, {"return_sequences": True, "return_state": True}, {"go_backwards": True}]
    common = (("units", 6), ("zero_output_for_mask", True))
    return [Case(layer, (*common, *options.items()), "mixed", True) for options in variants]


def keras_3_cases(layer: str) -> list[Case]:
    """Cases for what Keras 3 brought: reset_after and sigmoid as defaults, its own hard_sigmoid."""
    factors: dict[str, tuple[Any, ...]] = {
        "units": (2, 6),
        "activation": ("tanh", "relu", "softsign"),
        "use_bias": (True, False),
        "kernel_regularizer": (None, "l1_l2"),
        # Keras 3.15's SimpleRNN takes an activity_regularizer and then drops it
        "activity_regularizer": (None,) if layer == "SimpleRNN" else (None, "l2"),
        "dropout": (0.0, 0.3),
        "recurrent_dropout": (0.0, 0.25),
        "return_sequences": FLAGS,
        "return_state": FLAGS,
        "go_backwards": FLAGS,
        "unroll": FLAGS,
        "mask": ("none", "mixed", "ones"),
        "initial_state": FLAGS,
        "training": FLAGS,
    }
    if layer != "SimpleRNN":
        factors["recurrent_activation"] = ("sigmoid", "hard_sigmoid_keras3")
    if layer == "GRU":
        factors["reset_after"] = (True, False)
    found = []
    for seed, row in enumerate(covering(factors)):
        given = {name: row[name] for name in row if name not in ("mask", "initial_state", "training")}
        if layer != "SimpleRNN":
            given["implementation"] = 2
        found.append(Case(layer, tuple(given.items()), row["mask"], row["initial_state"], row["training"], seed))
    return found
