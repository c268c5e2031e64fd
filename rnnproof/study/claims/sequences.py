"""Sections 3.4 and 3.3, the lists of arguments: what is returned, in which order, from which state, and unrolling."""

from __future__ import annotations

import ast
from typing import Any

from rnnproof.generation import generate
from rnnproof.pages.message import say
from rnnproof.study.claims import equations
from rnnproof.study.claims.argument_claims import BOTH
from rnnproof.study.claims.claim import COUNT, MEASUREMENT, Case, Rows
from rnnproof.study.claims.probes import GATED, STEPS, agree, gated, sequences
from rnnproof.study.claims.sources import Sources

ROWS = Rows()
SIGMA: dict[str, Any] = {"recurrent_activation": "sigmoid"}


def by_equations(name: str) -> dict[str, Any]:
    """The states (B, T, units) that the equations give for the layers' weights and the sequences."""
    return equations.states(name, equations.parameters(name, gated(name).get_weights()), sequences())


@ROWS.add(
    "return-sequences",
    BOTH,
    say("`return_sequences`: the output is the last step's alone where False, those of all steps where True."),
    MEASUREMENT,
)
def return_sequences(_: Sources) -> list[Case]:
    """Both outputs beside the states by the equations."""
    x, cases = sequences(), []
    for name in GATED:
        every = by_equations(name)["h"]
        for flag, wanted in ((False, every[:, -1]), (True, every)):
            layer = gated(name, return_sequences=flag, **SIGMA)
            cases.append(agree(say("{layer}, {flag}", layer=name, flag=f"`{flag}`"), layer(x), wanted))
    return cases


@ROWS.add(
    "output-is-o", BOTH, say("What is returned is the output {o}: {h} of the equations.", o="$o_t$", h="$h_t$"), MEASUREMENT
)
def output_is_o(_: Sources) -> list[Case]:
    """The output beside the equations' h."""
    x = sequences()
    return [agree(name, gated(name, return_sequences=True, **SIGMA)(x), by_equations(name)["h"]) for name in GATED]


@ROWS.add(
    "output-is-gate", "3.4", say("The {o} that is returned is that of the equations, the output gate.", o="$o_t$"), MEASUREMENT
)
def output_is_gate(_: Sources) -> list[Case]:
    """The same letter in the LSTM's equations beside the output."""
    x = sequences()
    params = equations.parameters("LSTM", gated("LSTM").get_weights())
    return [agree("LSTM", gated("LSTM", return_sequences=True, **SIGMA)(x), equations.gates("LSTM", params, x)["o"])]


@ROWS.add("return-state", BOTH, say("`return_state` returns the last state beside the output."), MEASUREMENT)
def return_state(_: Sources) -> list[Case]:
    """The arrays behind the output beside the states by the equations."""
    x, cases = sequences(), []
    for name in GATED:
        output, *states = gated(name, return_state=True, **SIGMA)(x)
        wanted = by_equations(name)
        cases.append(agree(say("{layer}: the output", layer=name), output, wanted["h"][:, -1]))
        cases.append(
            Case(
                say("{layer}: as many arrays as states", layer=name),
                len(states) == len(wanted),
                say("{arrays} for {states}", arrays=len(states), states=", ".join(f"${state}_T$" for state in wanted)),
            )
        )
        for state, array in zip(wanted, states, strict=False):
            cases.append(agree(say("{layer}: {state}", layer=name, state=f"${state}_T$"), array, wanted[state][:, -1]))
    return cases


@ROWS.add(
    "go-backwards-input", BOTH, say("In Keras 2.2.4, `go_backwards` processes the input sequence from its end."), MEASUREMENT
)
def go_backwards_input(_: Sources) -> list[Case]:
    """The layer beside one without it that is given the reversed sequence; their last outputs."""
    x = sequences()
    return [agree(name, gated(name, go_backwards=True)(x), gated(name)(x[:, ::-1])) for name in GATED]


@ROWS.add(
    "go-backwards-output",
    BOTH,
    say("With `go_backwards`, the output of Keras 2.2.4 is in reverse order, too: that of the input's last step comes first."),
    MEASUREMENT,
)
def go_backwards_output(_: Sources) -> list[Case]:
    """All outputs beside those for the reversed sequence."""
    return [agree(name, output, forward) for name, output, forward in _backwards()]


@ROWS.add(
    "go-backwards-restored",
    BOTH,
    say(
        "With `go_backwards`, Keras 2.2.4 turns the output round again at the end: that of the input's first step comes first."
    ),
    MEASUREMENT,
)
def go_backwards_restored(_: Sources) -> list[Case]:
    """The other reading of the same words: the same outputs beside those turned once more."""
    return [agree(name, output, forward[:, ::-1]) for name, output, forward in _backwards()]


def _backwards() -> list[tuple[str, Any, Any]]:
    """Each layer's outputs with go_backwards, and those without it for the reversed sequence."""
    x = sequences()
    return [
        (
            name,
            gated(name, go_backwards=True, return_sequences=True)(x),
            gated(name, return_sequences=True)(x[:, ::-1]),
        )
        for name in GATED
    ]


@ROWS.add(
    "stateful",
    BOTH,
    say("`stateful` carries the last state of each sample over to the same sample of the next batch."),
    MEASUREMENT,
)
def stateful(_: Sources) -> list[Case]:
    """A sequence in two batches beside the whole one; the second batch with its samples in another order; and without."""
    x, cases = sequences(2 * STEPS), []
    first, second = x[:, :STEPS], x[:, STEPS:]
    for name in GATED:
        whole = gated(name)(x)
        carried, without = gated(name, stateful=True), gated(name)
        carried(first)
        without(first)
        cases.append(agree(say("{layer}: two batches give what the whole sequence gives", layer=name), carried(second), whole))
        carried.reset_states()
        carried(first)
        state = gated(name, return_state=True)(first)[1:]
        turned = gated(name)(second[::-1], initial_state=state)
        cases.append(agree(say("{layer}: the state goes by the place in the batch", layer=name), carried(second[::-1]), turned))
        cases.append(
            agree(say("{layer}: without it, each batch starts from zero", layer=name), without(second), gated(name)(second))
        )
    return cases


@ROWS.add("unroll-same", BOTH, say("`unroll` writes the recurrence out, step by step."), COUNT)
def unroll_same(_: Sources) -> list[Case]:
    """The same outputs, from code without a loop over the steps."""
    x, cases = sequences(), []
    for name in GATED:
        cases.append(agree(say("{layer}: the same output", layer=name), gated(name, unroll=True)(x), gated(name)(x)))
        loops = [_loops(generate(equations.cell(name), steps=steps)) for steps in (None, STEPS)]
        figure = say("{loops} loops over the steps, unrolled {unrolled}", loops=loops[0], unrolled=loops[1])
        cases.append(Case(say("{layer}: no loop is left", layer=name), loops[0] > 0 == loops[1], figure))
    return cases


def _loops(source: str) -> int:
    """The loops of a module's forward and backward passes."""
    passes = [
        item for item in ast.parse(source).body if isinstance(item, ast.FunctionDef) and item.name in ("forward", "backward")
    ]
    return sum(isinstance(node, ast.For) for item in passes for node in ast.walk(item))


ROWS.measured("unroll-faster", BOTH, say("`unroll` makes the recurrence faster."), "unroll.faster")
ROWS.measured("unroll-memory", BOTH, say("`unroll` takes more memory."), "unroll.memory")


@ROWS.add("unroll-short", BOTH, say("What `unroll` writes out grows with the sequence's length; the loop does not."), COUNT)
def unroll_short(_: Sources) -> list[Case]:
    """Lines of the generated code for three lengths, beside those of the loop, which are one number for all lengths."""
    cases = []
    for name in GATED:
        cell = equations.cell(name)
        lengths = (5, 10, 20)
        lines = [len(generate(cell, steps=length).splitlines()) for length in lengths]
        loop = len(generate(cell).splitlines())
        per_step = (lines[2] - lines[1]) / (lengths[2] - lengths[1])
        figure = say(
            "{five}, {ten} and {twenty} lines for 5, 10 and 20 steps, {per_step:g} a step; the loop {loop}",
            five=lines[0],
            ten=lines[1],
            twenty=lines[2],
            per_step=per_step,
            loop=loop,
        )
        cases.append(Case(name, loop < lines[0] < lines[1] < lines[2] and per_step > 0, figure))
    return cases
