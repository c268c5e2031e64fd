"""Section 3.3: what the lecture says of the GRU beside the LSTM."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.formula_tex import Printer
from rnnproof.calculus.jacobian import jacobian
from rnnproof.equations import activations, catalogue
from rnnproof.equations.cell import Cell
from rnnproof.pages.message import say
from rnnproof.study.claims.claim import COUNT, PROOF, Case, Rows
from rnnproof.study.claims.probes import counted, gated, sequences
from rnnproof.study.claims.sources import Sources
from rnnproof.study.experiments.gru_vs_lstm import multiply_adds
from rnnproof.study.experiments.measuring import held

ROWS = Rows()
SIZES = ((8, 3), (32, 16), (128, 200))


def gates(cell: Cell) -> list[str]:
    """The equations whose right side is a sigmoid as a whole."""
    sigma = activations.named("sigmoid")
    seen = [
        e
        for e in cell.equations
        if isinstance(e.expression, ElementwiseApplyFunction) and e.expression.function.expr.func == sigma
    ]
    return [e.symbol.name for e in seen]


def _told(names: list[str]) -> Any:
    return say("{count}: {names}", count=len(names), names=", ".join(f"${name}_t$" for name in names))


@ROWS.add("gru-one-state", "3.3", say("The GRU's only state is {h}.", h="$h_t$"), COUNT)
def gru_one_state(_: Sources) -> list[Case]:
    """The states of the cell, and the arrays that a layer hands on."""
    names = [state.name for state in catalogue.load("gru").states]
    arrays = gated("GRU", return_state=True)(sequences())[1:]
    return [
        Case(say("in the equations"), names == ["h"], _told(names)),
        Case(say("in the layer"), len(arrays) == 1, say("{count} array", count=len(arrays))),
    ]


@ROWS.add("lstm-two-states", "3.3", say("The LSTM has two states, {c} and {h}.", c="$c_t$", h="$h_t$"), COUNT)
def lstm_two_states(_: Sources) -> list[Case]:
    """The same of the LSTM."""
    names = [state.name for state in catalogue.load("lstm").states]
    arrays = gated("LSTM", return_state=True)(sequences())[1:]
    return [
        Case(say("in the equations"), sorted(names) == ["c", "h"], _told(names)),
        Case(say("in the layer"), len(arrays) == 2, say("{count} arrays", count=len(arrays))),
    ]


@ROWS.add(
    "lstm-long-and-short",
    "3.3",
    say("Of the LSTM's states, {c} is the long one and {h} the short one.", c="$c_t$", h="$h_t$"),
    PROOF,
)
def lstm_long_and_short(_: Sources) -> list[Case]:
    """A state that lasts has a path to its next value on which no matrix stands; one without is made anew in each step."""
    cell = catalogue.load("lstm")
    lasting = {name: _matrix_free(cell, name) for name in ("c", "h")}
    return [
        Case(say("{state} lasts: a path without a matrix", state="$c_t$"), lasting["c"], _path(lasting["c"])),
        Case(say("{state} does not", state="$h_t$"), not lasting["h"], _path(lasting["h"])),
    ]


def _matrix_free(cell: Cell, state: str) -> bool:
    terms = jacobian(cell, f"{state}_t", f"{state}_{{t-1}}").terms
    return any(term.diag and not term.rest for term in terms)


def _path(there: bool) -> Any:
    return say("there is such a path") if there else say("every path goes through a matrix R")


@ROWS.add("gru-two-gates", "3.3", say("The GRU has two gates, {r} and {z}.", r="$r_t$", z="$z_t$"), COUNT)
def gru_two_gates(_: Sources) -> list[Case]:
    """The equations that are a sigmoid of a sum."""
    seen = {name: gates(catalogue.load(name)) for name in ("gru", "gru_reset_after", "lstm")}
    return [
        Case("GRU", sorted(seen["gru"]) == ["r", "z"], _told(seen["gru"])),
        Case("GRU, `reset_after`", sorted(seen["gru_reset_after"]) == ["r", "z"], _told(seen["gru_reset_after"])),
        Case(say("fewer than the LSTM"), len(seen["gru"]) < len(seen["lstm"]), _told(seen["lstm"])),
    ]


@ROWS.add("gru-long-in-h", "3.3", say("The GRU gathers the long information in {h}, too.", h="$h_t$"), PROOF)
def gru_long_in_h(_: Sources) -> list[Case]:
    """The path of the state to its next value on which no matrix stands, and its product over steps."""
    found = jacobian(catalogue.load("gru"), "h_t", "h_{t-1}")
    gates = [sp.MatrixSymbol(f"z_{{t-{j}}}" if j else "z_t", found.shape[0], 1) for j in range(3)]
    straight = [part for part in found.direct.args if isinstance(part, sp.DiagMatrix)]
    sentence = ", ".join(f"${Printer(found.cell.tex)(part)}$" for part in straight) or "-"
    right = []
    for k in (2, 3):  # multiplied out, four steps have too many terms
        parts = [part for part in found.product(k).expression.args if isinstance(part, sp.DiagMatrix)]
        right.append(parts == [sp.DiagMatrix(sp.HadamardProduct(*gates[:k], evaluate=False))])
    return [
        Case(
            say("over one step"), straight == [sp.DiagMatrix(gates[0])], say("parts without a matrix: {parts}", parts=sentence)
        ),
        counted(
            say("over {k} steps, {k} 2 or 3, the product of the {k} gates {z}", k="$k$", z="$z_t$"),
            right,
            say("values of $k$"),
            sampled=True,
        ),
    ]


ROWS.measured("gru-long", "3.3", say("The GRU, too, models dependencies over long times."), "flow.gru")


def operations(name: str, backward: bool, hidden: int, features: int) -> dict[str, int]:
    """Of one step: multiply-adds of the matrix products, entries of elementwise products, and of functions applied."""
    program = flatten(catalogue.load(name))
    program = adjoint(program) if backward else program
    sizes = {"hidden": hidden, "input": features}
    entries = {"hadamard": 0, "map": 0}
    for step in program.steps:
        if step.op.name in entries:
            entries[step.op.name] += int(np.prod([sizes[str(size)] for size in step.target.shape]))
    return {"products": multiply_adds(program, sizes), **entries}


@ROWS.add(
    "gru-fewer-operations", "3.3", say("Compared with the LSTM, the GRU needs fewer operations for the same length."), COUNT
)
def gru_fewer_operations(_: Sources) -> list[Case]:
    """Counted in the derived programs, at the same units and inputs."""
    cases = []
    for hidden, features in SIZES:
        for backward in (False, True):
            gru, lstm = (sum(operations(name, backward, hidden, features).values()) for name in ("gru", "lstm"))
            way = say("backward") if backward else say("forward")
            says = say("{units} units, {inputs} inputs, {way}", units=hidden, inputs=features, way=way)
            figure = say("{gru} operations a step, LSTM {lstm}: {ratio:.3f}", gru=gru, lstm=lstm, ratio=gru / lstm)
            cases.append(Case(says, gru < lstm, figure))
    return cases


@ROWS.add("gru-less-space", "3.3", say("Compared with the LSTM, the GRU needs less space for the same length."), COUNT)
def gru_less_space(_: Sources) -> list[Case]:
    """Numbers in the parameters, in the states, and kept for the way back (of 20 steps), at the same units and inputs."""
    hidden, features = 32, 16
    sizes = {"hidden": hidden, "input": features}
    seen: dict[str, list[int]] = {"gru": [], "lstm": []}
    for name, counts in seen.items():
        module: Any = importlib.import_module(f"rnnproof.cells.{name}")
        params = {key: np.zeros([sizes[s] for s in shape]) for key, shape in module.PARAMETERS.items()}
        xs = np.zeros((20, 4, features))
        trace = module.forward(params, xs)
        held_bytes = held([*trace.tape.values(), *trace.states.values()]) - xs.nbytes
        counts += [sum(p.size for p in params.values()), hidden * len(module.STATES), held_bytes // xs.itemsize]
    whats = (say("parameters"), say("states of a sequence"), say("kept for the way back"))
    return [
        Case(what, gru < lstm, say("{gru} numbers, LSTM {lstm}: {ratio:.3f}", gru=gru, lstm=lstm, ratio=gru / lstm))
        for what, gru, lstm in zip(whats, seen["gru"], seen["lstm"], strict=True)
    ]


ROWS.measured("gru-faster", "3.3", say("Measured, too, the GRU computes less than the LSTM."), "gru-vs-lstm.computations")
ROWS.measured("gru-space-measured", "3.3", say("Measured, too, the GRU takes less space than the LSTM."), "gru-vs-lstm.space")
ROWS.measured(
    "neither",
    "3.3",
    say("Which of LSTM and GRU performs better differs from task to task; neither wins everywhere."),
    "gru-vs-lstm.neither",
)
