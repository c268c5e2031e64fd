"""Sections 3.4 and 3.3, the listings: the lecture's two calls, read as Python and never run, beside the layers' signatures."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from rnnproof.pages.message import say
from rnnproof.study.claims.argument_claims import BOTH
from rnnproof.study.claims.claim import COUNT, Case, Rows
from rnnproof.study.claims.probes import GATED, part
from rnnproof.study.claims.sources import Sources

ROWS = Rows()
# As the lecture prints them: Keras 2.2.4.
LISTINGS = {
    "LSTM": """
keras.layers.LSTM(units, activation='tanh', recurrent_activation='hard_sigmoid', use_bias=True,
                  kernel_initializer='glorot_uniform', recurrent_initializer='orthogonal', bias_initializer='zeros',
                  unit_forget_bias=True,
                  kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                  kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                  dropout=0.0, recurrent_dropout=0.0, implementation=1,
                  return_sequences=False, return_state=False, go_backwards=False, stateful=False, unroll=False)
""",
    "GRU": """
keras.layers.GRU(units, activation='tanh', recurrent_activation='hard_sigmoid', use_bias=True,
                 kernel_initializer='glorot_uniform', recurrent_initializer='orthogonal', bias_initializer='zeros',
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, implementation=1,
                 return_sequences=False, return_state=False, go_backwards=False, stateful=False, unroll=False,
                 reset_after=False)
""",
}
# The names as the lists of arguments above the listings print them, spelling included.
_LIST = """
units activation recurrect_activation use_bias kernel_initializer recurrent_initializer bias_initializer unit_forget_bias
kernel_regularizer recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint recurrrent_constraint
bias_constraint dropout recurrent_dropout return_sequences return_state go_backwards stateful unroll
"""
LISTED = {name: _LIST.split() for name in LISTINGS}


def defaults(name: str) -> dict[str, Any]:
    """The keywords of a listing and their values."""
    call: Any = ast.parse(LISTINGS[name].strip(), mode="eval").body
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}


def signature(name: str) -> dict[str, Any]:
    """The arguments of our layer behind `units`, and their defaults."""
    parameters = list(inspect.signature(GATED[name]).parameters.values())[1:]
    return {item.name: item.default for item in parameters if item.kind is item.POSITIONAL_OR_KEYWORD}


def _listing(name: str) -> list[Case]:
    wanted, ours = defaults(name), signature(name)
    known = [argument for argument in wanted if argument in ours]
    equal = [
        argument for argument in known if ours[argument] == wanted[argument] and type(ours[argument]) is type(wanted[argument])
    ]
    of = len(wanted)
    ordered = list(ours)[:of] == list(wanted)
    return [
        Case(say("its arguments exist"), len(known) == of, say("{held} of {all} arguments", held=len(known), all=of)),
        Case(say("with its defaults"), len(equal) == of, say("{held} of {all} arguments", held=len(equal), all=of)),
        Case(
            say("in its order"),
            ordered,
            say("{first} first, {last} last", first=f"`{next(iter(wanted))}`", last=f"`{list(wanted)[-1]}`"),
        ),
    ]


@ROWS.add(
    "listing-lstm", "3.4", say("The listing of `keras.layers.LSTM` (Keras 2.2.4): its arguments and their defaults."), COUNT
)
def listing_lstm(_: Sources) -> list[Case]:
    """Beside our layer's signature, which reports/layers.md compares with Keras's own."""
    return _listing("LSTM")


@ROWS.add(
    "listing-gru", "3.3", say("The listing of `keras.layers.GRU` (Keras 2.2.4): its arguments and their defaults."), COUNT
)
def listing_gru(_: Sources) -> list[Case]:
    """The same of the GRU."""
    return _listing("GRU")


@ROWS.add("listings-differ", BOTH, say("Only the LSTM's listing has `unit_forget_bias`, only the GRU's `reset_after`."), COUNT)
def listings_differ(_: Sources) -> list[Case]:
    """What each of the two has alone: in the listings, and in the layers' signatures."""
    cases = []
    for says, of in ((say("in the listings"), defaults), (say("in the layers"), signature)):
        lstm, gru = set(of("LSTM")), set(of("GRU"))
        alone = sorted(lstm - gru), sorted(gru - lstm)
        figure = say("LSTM: {lstm}; GRU: {gru}", lstm=", ".join(alone[0]), gru=", ".join(alone[1]))
        cases.append(Case(says, alone == (["unit_forget_bias"], ["reset_after"]), figure))
    return cases


@ROWS.add(
    "recurrent-activation-default", BOTH, say("In Keras 2.2.4, `recurrent_activation` is `hard_sigmoid` by default."), COUNT
)
def recurrent_activation_default(_: Sources) -> list[Case]:
    """What a layer made without the argument has."""
    return [
        Case(name, layer_type(3).recurrent_activation == "hard_sigmoid", f"`{layer_type(3).recurrent_activation}`")
        for name, layer_type in GATED.items()
    ]


@ROWS.add("argument-names", BOTH, say("The arguments of Keras 2.2.4 are called as the lists of arguments print them."), COUNT)
def argument_names(_: Sources) -> list[Case]:
    """Whether a layer has an argument of each printed name."""
    cases = []
    for name, layer_type in GATED.items():
        there = set(inspect.signature(layer_type).parameters)
        unknown = [argument for argument in LISTED[name] if argument not in there]
        of = len(LISTED[name])
        held = of - len(unknown)
        figure = say(
            "{held} of {all} names; there is no {unknown}",
            held=held,
            all=of,
            unknown=", ".join(f"`{item}`" for item in unknown),
        )
        cases.append(Case(name, part(held, of), figure))
    return cases


@ROWS.add("gru-unit-forget-bias", "3.3", say("The GRU has an argument `unit_forget_bias`."), COUNT)
def gru_unit_forget_bias(_: Sources) -> list[Case]:
    """In the listing below the list that names it, and in the layer."""
    cases = []
    for says, of in ((say("in the lecture's own listing"), defaults), (say("in the layer"), signature)):
        names = of("GRU")
        near = ", ".join(f"`{name}`" for name in names if "forget" in name) or "-"
        figure = say("of {count} arguments, those about forgetting: {near}", count=len(names), near=near)
        cases.append(Case(says, "unit_forget_bias" in names, figure))
    return cases
