"""Sections 3.4 and 3.3, the lists of arguments: units, activations, biases, initialisers, penalties, constraints, dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnproof.calculus.jacobian import jacobian
from rnnproof.equations import reader
from rnnproof.layers import regularizers
from rnnproof.pages.message import Text, say
from rnnproof.study.claims import equations
from rnnproof.study.claims.claim import MEASUREMENT, Case, Rows
from rnnproof.study.claims.probes import BATCH, FEATURES, GATED, STEPS, UNITS, Array, agree, gated, rng, sequences
from rnnproof.study.claims.sources import Sources

ROWS = Rows()
BOTH = "3.4, 3.3"
# The argument's first word, the letter of the lecture's equations.
ROLES = {"kernel": "W", "recurrent": "R", "bias": "b"}


@ROWS.add("units-is-length", BOTH, say("`units` is the sequence's length T."), MEASUREMENT)
def units_is_length(_: Sources) -> list[Case]:
    """Sequences of other lengths than the units: whether they are refused, and what of the layer depends on the length."""
    cases = []
    for name, layer_type in GATED.items():
        layers = {steps: layer_type(UNITS, return_sequences=True, seed=0) for steps in (4, 9)}
        entries, shapes, refused = [], [], []
        for steps, layer in layers.items():
            try:
                entries.append(layer(sequences(steps)).shape[2])
                shapes.append(layer.weights[0].shape)
            except ValueError:
                refused.append(steps)
        ran = say("{ran} of {all} sequences of other lengths are taken", ran=len(entries), all=len(layers))
        kernels = say("kernel {shapes} for {steps} steps", shapes=", ".join(map(str, shapes)), steps="4, 9")
        seen = say("{entries} entries for {steps} steps", entries=", ".join(map(str, entries)), steps="4, 9")
        cases += [
            Case(say("{layer}: a sequence has to be as long", layer=name), len(refused) == len(layers), ran),
            Case(say("{layer}: the weights' shapes follow the length", layer=name), len(set(shapes)) > 1, kernels),
            Case(say("{layer}: an output has T entries", layer=name), entries == [4, 9], seen),
        ]
    return cases


@ROWS.add("units-is-width", BOTH, say("`units` is the number of units."), MEASUREMENT)
def units_is_width(_: Sources) -> list[Case]:
    """The length of the output and of each state, for two numbers of units."""
    cases = []
    for name, layer_type in GATED.items():
        seen = [[array.shape[-1] for array in layer_type(units, return_state=True, seed=0)(sequences())] for units in (5, 8)]
        right = all(set(widths) == {units} for widths, units in zip(seen, (5, 8), strict=True))
        cases.append(
            Case(
                name,
                right,
                say("output and states have {five} and {eight} entries for 5 and 8 units", five=seen[0][0], eight=seen[1][0]),
            )
        )
    return cases


@ROWS.add("activation", BOTH, say("`activation` is the activation function."), MEASUREMENT)
def activation(_: Sources) -> list[Case]:
    """The layer with another one beside the equations with that one in place of every tanh."""
    return [
        _by_equations(name, {"activation": "softsign", "recurrent_activation": "sigmoid"}, {"activation": r"\mathrm{softsign}"})
        for name in GATED
    ]


@ROWS.add(
    "recurrent-activation", BOTH, say("`recurrent_activation` is the function that the gates are computed by."), MEASUREMENT
)
def recurrent_activation(_: Sources) -> list[Case]:
    """The layer with another one beside the equations with that one in place of every sigma."""
    return [_by_equations(name, {"recurrent_activation": "softsign"}, {"gate": r"\mathrm{softsign}"}) for name in GATED]


def _by_equations(name: str, options: dict[str, Any], functions: dict[str, str]) -> Case:
    layer, x = gated(name, return_sequences=True, **options), sequences()
    params = equations.parameters(name, layer.get_weights())
    return agree(name, layer(x), equations.states(name, params, x, **functions)["h"])


@ROWS.add("use-bias", BOTH, say("`use_bias` says whether a bias vector is added to what W and R give."), MEASUREMENT)
def use_bias(_: Sources) -> list[Case]:
    """With: the sums have one vector in them. Without: there is none, and the layer is that of a bias of zero."""
    x, cases = sequences(), []
    for name in GATED:
        options = {"return_sequences": True, "recurrent_activation": "sigmoid"}
        layer, without = gated(name, **options), gated(name, use_bias=False, **options)
        params = equations.parameters(name, layer.get_weights())
        cases.append(agree(say("{layer}: with", layer=name), layer(x), equations.states(name, params, x)["h"]))
        zero = [*without.get_weights(), np.zeros(len(equations.GATES[name]) * UNITS)]
        wanted = equations.states(name, equations.parameters(name, zero), x)["h"]
        same = agree(say("{layer}: without", layer=name), without(x), wanted)
        cases.append(Case(same.says, bool(same.holds) and len(without.weights) == 2, same.figure))
    after = gated("GRU", reset_after=True).weights[2]
    figure = say("the bias has shape {shape}", shape=str(after.shape))
    return [*cases, Case(say("GRU with `reset_after`: it is one vector"), after.ndim == 1, figure)]


@ROWS.add(
    "bias-letters",
    "3.3",
    say("The bias is added to {sum}, where the kernel is W and the recurrent kernel R.", sum="$U x_t + W h_{t-1}$"),
    MEASUREMENT,
)
def bias_letters(_: Sources) -> list[Case]:
    """The letters that multiply the input and the state, in this sum and in that of the LSTM's list, read as equations."""
    here, there = (_letters(rf"$$h_t = \tanh({sum_} + b)$$") for sum_ in ("U x_t + W h_{t-1}", "W x_t + R h_{t-1}"))
    kernel = gated("GRU").weights[0]
    fits = kernel.shape[0] == UNITS
    figure = say("it has {rows} rows, {h} has {units} entries", rows=kernel.shape[0], h="$h_{t-1}$", units=UNITS)
    return [
        Case(say("the kernel multiplies {source}", source="$h_{t-1}$"), fits, figure),
        *(
            Case(
                say("the letter at {source} is that of the LSTM's list", source=f"${source}$"),
                here[source] == there[source],
                say("{here} here, {there} there", here=here[source], there=there[source]),
            )
            for source in here
        ),
    ]


def _letters(tex: str) -> dict[str, str]:
    """The matrix that multiplies the input, and that which multiplies the state of the step before."""
    (cell,) = reader.read_text(tex, "sum")
    return {source: str(jacobian(cell, "h_t", source).terms[0].rest[0].value) for source in ("x_t", "h_{t-1}")}


@ROWS.add(
    "initializers",
    BOTH,
    say("`kernel_initializer`, `recurrent_initializer` and `bias_initializer` give W, R and b their first values."),
    MEASUREMENT,
)
def initializers(_: Sources) -> list[Case]:
    """One of the three set to a number that no other gives: which of the equations' parameters hold it."""
    cases = []
    for name, layer_type in GATED.items():
        for role, letter in ROLES.items():
            own = {"unit_forget_bias": False} if name == "LSTM" else {}
            layer = layer_type(UNITS, **{f"{role}_initializer": lambda shape: np.full(shape, 0.375)}, **own)
            layer.build((None, STEPS, FEATURES))
            params = equations.parameters(name, layer.weights)
            held = sorted(key for key, value in params.items() if (value == 0.375).all())
            wanted = sorted(key for key in params if key.startswith(letter))
            cases.append(Case(f"{name}: `{role}_initializer`", held == wanted, say("sets {names}", names=_names(held))))
    return cases


def _names(names: list[str]) -> str:
    return ", ".join("$" + name.replace("hbar", r"{\bar h}") + "$" for name in names) or "-"


@ROWS.add("unit-forget-bias", "3.4", say("`unit_forget_bias` initialises the forget gate to 1."), MEASUREMENT)
def unit_forget_bias(_: Sources) -> list[Case]:
    """The forget gate's bias at the start, the others', and the gate's value where input and state are zero."""
    layer = GATED["LSTM"](UNITS, unit_forget_bias=True, seed=0)
    layer.build((None, STEPS, FEATURES))
    params = equations.parameters("LSTM", layer.weights)
    biases = {gate: params[f"b_{gate}"] for gate in equations.GATES["LSTM"]}
    alone = all((bias == (gate == "f")).all() for gate, bias in biases.items())
    gate = float(equations.gates("LSTM", params, np.zeros((1, 1, FEATURES)))["f"][0, 0, 0])
    # hard_sigmoid, the listing's default, from the layer: c_1 = f c_0 where the candidate is 0
    memory = layer_memory(layer)
    value = say("value {value:.3f} where input and state are 0", value=gate)
    default = say("value {value:.3f} where input and state are 0", value=memory)
    return [
        Case(say("the forget gate's bias is 1, the other gates' 0"), alone, say("bias {bias:g}", bias=float(biases["f"][0]))),
        Case(say("the gate itself is 1, with the sigmoid"), gate == 1, value),
        Case(say("the gate itself is 1, with the listing's `hard_sigmoid`"), memory == 1, default),
    ]


def layer_memory(layer: Any) -> float:
    """What of a memory of 1 an LSTM keeps in a step without input: the forget gate's value, as nothing is taken in."""
    first = [np.zeros((1, UNITS)), np.ones((1, UNITS))]
    return float(_with_state(layer)(np.zeros((1, 1, FEATURES)), initial_state=first)[2][0, 0])


def _with_state(layer: Any) -> Any:
    built = type(layer)(**{**layer.get_config(), "return_state": True})
    built.build((None, STEPS, FEATURES))
    built.set_weights(layer.get_weights())
    return built


@ROWS.add(
    "regularizers",
    BOTH,
    say(
        "`kernel_regularizer`, `recurrent_regularizer` and `bias_regularizer` penalise one parameter each (正規化 in the "
        "lecture; the usual word is 正則化)."
    ),
    MEASUREMENT,
)
def penalties(_: Sources) -> list[Case]:
    """An l2 penalty on one: the loss it adds, and what it adds to which gradients."""
    x, cases = sequences(), []
    for name in GATED:
        for place, (role, letter) in enumerate(ROLES.items()):
            layer, plain = gated(name, **{f"{role}_regularizer": regularizers.l2(0.1)}), gated(name)
            d = np.ones((BATCH, UNITS))
            for item in (layer, plain):
                item(x)
                item.backward(d)
            added = [float(np.abs(a - b).max()) for a, b in zip(layer.gradients, plain.gradients, strict=True)]
            own = 0.1 * float(np.sum(layer.weights[place] ** 2))
            right = (
                len(layer.losses) == 1
                and abs(layer.losses[0] - own) < 1e-12
                and [a > 0 for a in added] == [i == place for i in range(3)]
            )
            figure = say(
                "adds {penalty:.4f} to the loss, {own:.4f} by its formula on {letter}",
                penalty=layer.losses[0],
                own=own,
                letter=letter,
            )
            cases.append(Case(f"{name}: `{role}_regularizer`", right, figure))
    return cases


@ROWS.add("activity-regularizer", BOTH, say("`activity_regularizer` penalises the output."), MEASUREMENT)
def activity(_: Sources) -> list[Case]:
    """An l2 penalty: the loss it adds beside its formula on the outputs, for the last one and for all."""
    x, cases = sequences(), []
    for name in GATED:
        for all_ in (False, True):
            layer = gated(name, activity_regularizer=regularizers.l2(0.1), return_sequences=all_)
            own = 0.1 * float(np.sum(layer(x) ** 2)) / BATCH
            says = say("{layer}, all outputs", layer=name) if all_ else say("{layer}, the last output", layer=name)
            figure = say(
                "adds {penalty:.4f} to the loss, {own:.4f} by its formula on the outputs, per sequence",
                penalty=layer.losses[0],
                own=own,
            )
            cases.append(Case(says, abs(layer.losses[0] - own) < 1e-12, figure))
    return cases


@ROWS.add(
    "constraints",
    BOTH,
    say("`kernel_constraint`, `recurrent_constraint` and `bias_constraint` constrain one parameter each."),
    MEASUREMENT,
)
def constraints(_: Sources) -> list[Case]:
    """Entries made non-negative: of one array, and of no other."""
    cases = []
    for name in GATED:
        for place, role in enumerate(ROLES):
            layer = gated(name, **{f"{role}_constraint": "non_neg"})
            before = layer.get_weights()
            layer.apply_constraints()
            wanted = [np.maximum(old, 0) if i == place else old for i, old in enumerate(before)]
            right = all(np.array_equal(new, old) for new, old in zip(layer.weights, wanted, strict=True))
            figure = say("{count} negative entries became 0", count=int((before[place] < 0).sum()))
            cases.append(Case(f"{name}: `{role}_constraint`", right, figure))
    return cases


def _masks(gates: int, width: int) -> Array:
    """One mask for all gates and sequences, of 0 and 2."""
    mask = 2.0 * (np.arange(width) % 2)
    return np.broadcast_to(mask, (gates, BATCH, width)).copy()


@ROWS.add("dropout", BOTH, say("`dropout` drops entries of the input, before W."), MEASUREMENT)
def dropout(_: Sources) -> list[Case]:
    """A given mask: the layer beside one whose input is masked, and beside one whose W has the masked columns."""
    x, cases = sequences(), []
    for name in GATED:
        mask = _masks(1, FEATURES)
        layer, plain, masked = (gated(name, implementation=2, return_sequences=True) for _ in range(3))
        masked.weights[0][...] *= mask[0, 0][:, np.newaxis]
        got = layer(x, dropout_masks={"input": mask})
        cases += [
            agree(say("{layer}: as if the input were masked", layer=name), got, plain(x * mask[0, 0])),
            agree(say("{layer}: as if the columns of W were masked", layer=name), got, masked(x)),
        ]
    return cases


@ROWS.add("recurrent-dropout", BOTH, say("`recurrent_dropout` drops entries of the state, before R."), MEASUREMENT)
def recurrent_dropout(_: Sources) -> list[Case]:
    """A given mask: the layer beside one whose R has the masked columns, the state itself being kept."""
    x, cases = sequences(), []
    for name in GATED:
        mask = _masks(len(equations.GATES[name]), UNITS)
        layer, masked = (gated(name, return_sequences=True) for _ in range(2))
        masked.weights[1][...] *= mask[0, 0][:, np.newaxis]
        cases.append(
            agree(
                say("{layer}: as if the columns of R were masked", layer=name),
                layer(x, dropout_masks={"recurrent": mask}),
                masked(x),
            )
        )
    return cases


@ROWS.add("dropout-rate", BOTH, say("`dropout` and `recurrent_dropout` are the share that is dropped."), MEASUREMENT)
def dropout_rate(_: Sources) -> list[Case]:
    """The share of zeros in drawn masks, within five standard deviations; and none outside training."""
    cases, rate, x = [], 0.3, rng().normal(size=(500, 2, FEATURES))
    for name, layer_type in GATED.items():
        layer = layer_type(UNITS, dropout=rate, recurrent_dropout=rate, seed=0)
        layer(x, training=True)
        for argument, what in (("dropout", "input"), ("recurrent_dropout", "recurrent")):
            zero = layer.dropout_masks[what] == 0
            share, allowed = float(zero.mean()), 5 * (rate * (1 - rate) / zero.size) ** 0.5
            figure = say("{share:.3f} of {all} entries, for {rate:g}", share=share, all=zero.size, rate=rate)
            cases.append(Case(f"{name}: `{argument}`", abs(share - rate) <= allowed, figure))
        layer(x)
        sentence: Text = say("{count} masks", count=len(layer.dropout_masks))
        cases.append(Case(say("{layer}: nothing outside training", layer=name), not layer.dropout_masks, sentence))
    return cases
