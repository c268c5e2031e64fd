"""Section 3.4: what the lecture says of the LSTM's equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.formula_tex import Printer
from rnnproof.calculus.intervals import intervals
from rnnproof.calculus.jacobian import jacobian
from rnnproof.calculus.lines import lines_of
from rnnproof.cells import lstm, simple_rnn
from rnnproof.equations import catalogue, reader
from rnnproof.equations.cell import Cell
from rnnproof.generation import build
from rnnproof.pages.message import SEMICOLON, Text, listed, say
from rnnproof.proofs import prove
from rnnproof.study.claims import equations
from rnnproof.study.claims.claim import MEASUREMENT, PROOF, Case, Rows
from rnnproof.study.claims.probes import STEPS, UNITS, agree, counted, gated, rng, sequences
from rnnproof.study.claims.sources import Sources

ROWS = Rows()
GATES = ("i", "f", "o")
FAR = 100  # steps over which gradients are compared
DRAWS, VANISHED, LONGER = 9, 1e-6, 1000  # draws of weights; a share that counts as none; times as much that counts as more


def cell() -> Cell:
    """The cell that the lecture's equations are."""
    return equations.cell("LSTM")


def vector(tex: str) -> Any:
    """The vector that formulas print so."""
    return sp.MatrixSymbol(tex, cell().states[0].new.shape[0], 1)


def _jacobian(target: str, source: str) -> str:
    return rf"$\partial {target} / \partial {source}$"


@ROWS.add(
    "lstm-unit-per-step", "3.4", say("Identical units stand side by side, one for each step of the sequence."), MEASUREMENT
)
def lstm_unit_per_step(_: Sources) -> list[Case]:
    """A sequence beside as many single steps, all with the same parameters; and what of the parameters varies by step."""
    params, x = equations.parameters("LSTM", gated("LSTM").get_weights()), sequences().swapaxes(0, 1)
    trace = lstm.forward(params, x)
    now = {name: np.zeros((x.shape[1], UNITS)) for name in lstm.STATES}
    seen = []
    for x_t in x:
        now = lstm.step(params, x_t, now)
        seen.append(now["h"])
    own = [not parameter.per_step for parameter in cell().parameters]
    return [
        agree(say("{steps} single steps give what the sequence gives", steps=STEPS), np.array(seen), trace.states["h"]),
        counted(say("the parameters are the same in every step"), own, say("parameters")),
    ]


@ROWS.add("lstm-joined", "3.4", say("What comes in at step $t$ is {x} and {h} joined.", x="$x_t$", h="$h_{t-1}$"), MEASUREMENT)
def lstm_joined(_: Sources) -> list[Case]:
    """The equations with [x, h], read as a cell of their own, V = [W R], beside the lecture's."""
    params, x = equations.parameters("LSTM", gated("LSTM").get_weights()), sequences()
    (joined,) = reader.read_text(equations.JOINED, "joined")
    gates = equations.GATES["LSTM"]
    together = {f"V_{g}": np.hstack([params[f"W_{g}"], params[f"R_{g}"]]) for g in gates} | {
        f"b_{g}": params[f"b_{g}"] for g in gates
    }
    trace: Any = build(joined).forward(together, x.swapaxes(0, 1))
    wanted = equations.states("LSTM", params, x)
    return [agree(f"${name}_t$", trace.states[name].swapaxes(0, 1), wanted[name]) for name in ("h", "c")]


@ROWS.add(
    "lstm-input-gate", "3.4", say("The information that comes in is taken in through the input gate {i}.", i="$i_t$"), PROOF
)
def lstm_input_gate(_: Sources) -> list[Case]:
    """What of the candidate, and what of the input, reaches c_t, and whether all of it is multiplied by the gate."""
    candidate = jacobian(cell(), "c_t", r"\bar{h}_t").direct
    parts = jacobian(cell(), "c_t", "x_t").direct.args
    past = [part for part in parts if vector("i_t") not in part.atoms(sp.MatrixSymbol)]
    show = Printer(cell().tex)
    return [
        Case(
            say("the candidate {candidate}", candidate=r"$\bar{h}_t$"),
            candidate == sp.DiagMatrix(vector("i_t")),
            say("{jacobian} is {formula}", jacobian=_jacobian("c_t", r"\bar{h}_t"), formula=f"${show(candidate)}$"),
        ),
        Case(
            say("all that {x} does to {c}", x="$x_t$", c="$c_t$"),
            not past,
            say(
                "past the input gate goes {terms} in {jacobian}",
                jacobian=_jacobian("c_t", "x_t"),
                terms=f"${' + '.join(map(show, past))}$" if past else say("nothing"),
            ),
        ),
    ]


@ROWS.add(
    "lstm-updates-memory", "3.4", say("With what comes in, {old} is updated to {new}.", old="$c_{t-1}$", new="$c_t$"), PROOF
)
def lstm_updates_memory(_: Sources) -> list[Case]:
    """The derived Jacobians of c_t by all it is said to be made from, none of them zero."""
    show, cases = Printer(cell().tex), []
    for source in ("c_{t-1}", "x_t", "h_{t-1}"):
        found = jacobian(cell(), "c_t", source)
        figure = say("{jacobian} is {formula}", jacobian=_jacobian("c_t", source), formula=f"${show(found.direct)}$")
        cases.append(Case(say("{c} depends on {source}", c="$c_t$", source=f"${source}$"), bool(found.terms), figure))
    return cases


@ROWS.add("lstm-forget-gate", "3.4", say("The forget gate {f} controls how much {c} counts.", f="$f_t$", c="$c_{t-1}$"), PROOF)
def lstm_forget_gate(_: Sources) -> list[Case]:
    """The direct Jacobian of the memory, and its product over steps."""
    found = jacobian(cell(), "c_t", "c_{t-1}")
    show = Printer(cell().tex)
    names = ["f_t", *(f"f_{{t-{j}}}" for j in range(1, 5))]
    powers = [found.product(k).expression == _diagonal(names[:k]) for k in range(1, 6)]
    return [
        Case(
            say("the memory's own path"),
            found.direct == sp.DiagMatrix(vector("f_t")),
            say("{jacobian} is {formula}", jacobian=_jacobian("c_t", "c_{t-1}"), formula=f"${show(found.direct)}$"),
        ),
        counted(
            say("over {k} steps, {k} up to 5, the product of the {k} forget gates", k="$k$"),
            powers,
            say("values of $k$"),
            sampled=True,
        ),
    ]


def _diagonal(names: list[str]) -> Any:
    vectors = [vector(name) for name in names]
    return sp.DiagMatrix(vectors[0] if len(vectors) == 1 else sp.HadamardProduct(*vectors, evaluate=False))


@ROWS.add(
    "lstm-output-gate",
    "3.4",
    say("The output is decided by adjusting {c} by the output gate {o}.", c="$c_t$", o="$o_t$"),
    PROOF,
)
def lstm_output_gate(_: Sources) -> list[Case]:
    """Every factor on the way from c_t to h_t, and from a gate of zero to the output."""
    found = jacobian(cell(), "h_t", "c_t").direct
    by_gate = jacobian(cell(), "h_t", "o_t").direct
    show = Printer(cell().tex)
    return [
        Case(
            say("what reaches {h} from {c} is multiplied by {o}", h="$h_t$", c="$c_t$", o="$o_t$"),
            isinstance(found, sp.DiagMatrix) and vector("o_t") in found.args[0].args,
            say("{jacobian} is {formula}", jacobian=_jacobian("h_t", "c_t"), formula=f"${show(found)}$"),
        ),
        Case(
            say("what reaches {h} from {o} is made of {c} alone", h="$h_t$", c="$c_t$", o="$o_t$"),
            by_gate.atoms(sp.MatrixSymbol) == {vector("c_t")},
            say("{jacobian} is {formula}", jacobian=_jacobian("h_t", "o_t"), formula=f"${show(by_gate)}$"),
        ),
    ]


@ROWS.add("lstm-equations", "3.4", say("The equations that the lecture prints are those of an LSTM."), PROOF)
def lstm_equations(_: Sources) -> list[Case]:
    """The cell read from them beside the catalogue's: equations, states, and the derived gradient of each parameter."""
    read, known = cell(), catalogue.load("lstm")
    ours = {equation.symbol: equation.expression for equation in known.equations}
    derived, wanted = lines_of(read), lines_of(known)
    names = [parameter.name for parameter in known.parameters]
    gradients = [derived.gradient(of=name).expression == wanted.gradient(of=name).expression for name in names]
    return [
        counted(
            say("its equations are the catalogue's"),
            (ours.get(e.symbol) == e.expression for e in read.equations),
            say("equations"),
        ),
        counted(say("its states too"), [read.states == known.states], say("set of states")),
        counted(say("its derived gradients too"), gradients, say("parameters")),
    ]


@ROWS.add("lstm-layer", "3.4", say("The layer LSTM computes what these equations say."), MEASUREMENT)
def lstm_layer(_: Sources) -> list[Case]:
    """The layer beside the code generated from the lecture's text, with the gates' sigma and with the listing's default."""
    x, cases = sequences(), []
    for options in ({"recurrent_activation": "sigmoid"}, {}):
        layer = gated("LSTM", return_sequences=True, **options)
        params = equations.parameters("LSTM", layer.get_weights())
        says = (
            say("with {argument}", argument="`recurrent_activation='sigmoid'`")
            if options
            else say("with the listing's defaults")
        )
        output = layer(x)
        cases.append(agree(says, output, equations.states("LSTM", params, x)["h"]))
    layer = gated("LSTM", return_sequences=True, recurrent_activation="sigmoid")
    d = rng(7).normal(size=layer(x).shape)
    layer.backward(d)
    built: Any = equations.module("LSTM")
    seen = built.backward(built.forward(params, x.swapaxes(0, 1)), {"h": d.swapaxes(0, 1)}).params
    wanted = np.hstack([seen[f"W_{gate}"].T for gate in equations.GATES["LSTM"]])
    says = say("with {argument}, the kernel's gradient", argument="`recurrent_activation='sigmoid'`")
    return [cases[0], agree(says, layer.gradients[0], wanted, 10 * STEPS * UNITS), cases[1]]


@ROWS.add("lstm-gates-from-input", "3.4", say("The gates are decided by what comes in at step $t$."), PROOF)
def lstm_gates_from_input(_: Sources) -> list[Case]:
    """What each gate depends on within its step: x_t and h_{t-1}, and nothing else of the step before."""
    cases = []
    for gate in GATES:
        depends = {source: bool(jacobian(cell(), f"{gate}_t", source).terms) for source in ("x_t", "h_{t-1}", "c_{t-1}")}
        sentence = ", ".join(f"${source}$" for source, does in depends.items() if does)
        cases.append(
            Case(f"${gate}_t$", list(depends.values()) == [True, True, False], say("depends on {sources}", sources=sentence))
        )
    return cases


@ROWS.add("lstm-gates-between", "3.4", say("The gates' coefficients lie between 0 and 1."), PROOF)
def lstm_gates_between(_: Sources) -> list[Case]:
    """The interval that holds every value, by interval arithmetic over the step, for sigma and for the listing's default."""
    cases = []
    for says, gate in ((say("sigmoid"), r"\sigma"), (say("hard sigmoid"), r"\mathrm{hardsigmoid}")):
        program = flatten(equations.cell("LSTM", gate=gate))
        ends = {var.name: ends for var, ends in intervals(program).items() if var.name in GATES}
        for name in GATES:
            low, high = ends[name]
            figure = say("from {low} to {high}", low=str(low), high=str(high))
            cases.append(
                Case(say("{gate}, by {function}", gate=f"${name}_t$", function=says), bool(low >= 0 and high <= 1), figure)
            )
    return cases


@ROWS.add("lstm-learned", "3.4", say("The parameters W, R and b are determined by learning."), PROOF)
def lstm_learned(_: Sources) -> list[Case]:
    """The derived gradients, entry by entry, and that none of them is zero for random data."""
    proof = prove(cell())
    layer, x = gated("LSTM", recurrent_activation="sigmoid"), sequences()
    layer.backward(layer(x))
    norms = {name: float(np.linalg.norm(g)) for name, g in equations.parameters("LSTM", layer.gradients).items()}
    return [
        Case(say("their gradients, entry by entry"), proof.ok, say("{count} identities", count=proof.entries)),
        counted(say("for random data, none is zero"), (norm > 0 for norm in norms.values()), say("parameters"), sampled=True),
    ]


@ROWS.add("lstm-gates-follow-data", "3.4", say("So the gates' coefficients adapt to the data."), MEASUREMENT)
def lstm_gates_follow_data(_: Sources) -> list[Case]:
    """One set of parameters, many sequences: the range of each gate over steps and sequences, of each unit by itself; and of
    a gate that sees nothing, its W and R being zero.
    """
    params, x = equations.parameters("LSTM", gated("LSTM").get_weights()), sequences(batch=100)
    seen = equations.gates("LSTM", params, x)
    blind = {name: values if name.startswith("b") else 0 * values for name, values in params.items()}
    still = {name: float(np.ptp(values, axis=(0, 1)).max()) for name, values in equations.gates("LSTM", blind, x).items()}
    cases = []
    for name, values in seen.items():
        low, high = (end.reshape(-1, UNITS) for end in (values.min(axis=(0, 1)), values.max(axis=(0, 1))))
        at = int((high - low).argmin())
        figure = say(
            "the unit that varies least: from {low:.2f} to {high:.2f}; with W and R zero, by {still:g}",
            low=float(low[0, at]),
            high=float(high[0, at]),
            still=still[name],
        )
        rounding = 8 * float(np.finfo(float).eps)
        cases.append(Case(f"${name}_t$", float((high - low).min()) > rounding >= still[name], figure))
    return cases


ROWS.measured("lstm-long", "3.4", say("The LSTM models dependencies over long times."), "flow.lstm")


@ROWS.add(
    "lstm-longer-than-simple-rnn",
    "3.4",
    say("Among RNNs, the LSTM is strong with long sequences."),
    MEASUREMENT,
)
def lstm_longer_than_simple_rnn(_: Sources) -> list[Case]:
    """The median share of the gradient that reaches an input 99 steps back, of several draws, beside a SimpleRNN's.

    A share below VANISHED is rounding dust: the gradient has vanished, be it more or less than in the SimpleRNN.
    """
    plain, cases = float(np.median([arrives(simple_rnn, 0, seed) for seed in range(DRAWS)])), []
    for bias in (0, 1, 5):
        value = float(np.median([arrives(lstm, bias, seed) for seed in range(DRAWS)]))
        figure: Text = say(
            "a share of {value:.1e} of the gradient arrives, in the SimpleRNN {plain:.1e} (medians of {draws} draws)",
            value=value,
            plain=plain,
            draws=DRAWS,
        )
        if value < VANISHED and plain < VANISHED:
            figure = listed([say("both vanish"), figure], SEMICOLON)
        longer = value >= VANISHED and value > LONGER * plain
        cases.append(Case(say("with a forget bias of {bias}", bias=bias), longer, figure))
    return cases


def arrives(module: Any, bias: float, seed: int) -> float:
    """The gradient's norm at the first input over that at the last, median over sequences; R orthogonal, b_f = `bias`."""
    source = rng(seed)
    sizes = {"hidden": 16, "input": 3}
    params = {}
    for name, shape in module.PARAMETERS.items():
        values = source.normal(size=[sizes[size] for size in shape])
        params[name] = np.linalg.qr(values)[0] if name.startswith("R") else values / 2 if name.startswith("W") else 0 * values
    if bias:
        params["b_f"] = params["b_f"] + bias
    trace = module.forward(params, source.normal(size=(FAR, 8, 3)))
    d = np.zeros_like(trace.states["h"])
    d[-1] = source.normal(size=d[-1].shape)
    norms = np.linalg.norm(module.backward(trace, {"h": d}).inputs, axis=-1)
    return float(np.median(norms[0] / norms[-1]))
