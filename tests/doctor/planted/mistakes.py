"""The table of planted mistakes: kind, variants, in which cells and layouts, and which place of the code they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tests.doctor.planted.heads import head_of
from tests.doctor.planted.names import CELLS, GATES, LAYOUTS

RNN, LSTM, GRUS = ("simple_rnn",), ("lstm",), ("gru", "gru_reset_after")
GATED = LSTM + GRUS
BATCHED = (1, 2, 3)  # with x among the arrays, and a batch


@dataclass(frozen=True)
class Mistake:
    """One switch; two mistakes that take the same place exclude each other, "*" excludes all."""

    name: str
    cells: tuple[str, ...]
    layouts: tuple[int, ...]
    places: frozenset[str]
    heads: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The kind is what stands before the slash."""
        return self.name.split("/")[0]

    def makes_sense(self, cell: str, layout: int) -> bool:
        """Whether a person could make this mistake in this cell and layout."""
        return cell in self.cells and layout in self.layouts and (not self.heads or head_of(cell, layout) in self.heads)

    def excludes(self, other: Mistake) -> bool:
        """Whether the two cannot be planted together."""
        places = self.places | other.places
        return self.kind == other.kind or "*" in places or bool(self.places & other.places)


class Row(NamedTuple):
    """Variants of one kind; the words GATES, CARRY and X stand for one variant of each gate."""

    kind: str
    variants: str
    cells: tuple[str, ...]
    places: str
    layouts: tuple[int, ...] = LAYOUTS
    heads: tuple[str, ...] = ()


ROWS = [
    Row("carry-dropped", "all", CELLS, "carry cell-carry time"),
    Row("hidden-carry-dropped", "h", GATED, "carry"),
    Row("cell-carry-dropped", "c", LSTM, "cell-carry"),
    Row("carry-untransposed", "all GATES", CELLS, "carry"),
    Row("carry-added-on-the-wrong-side-of-an-activation", "h", RNN, "carry raw"),
    Row("carry-added-on-the-wrong-side-of-an-activation", "c", LSTM, "cell-carry cell"),
    Row("carry-missing-weight-and-derivative", "h", CELLS, "carry"),
    Row("carry-missing-weight-and-derivative", "c", LSTM, "cell-carry"),
    Row("derivative-of-activated-value", "all GATES", CELLS, "raw"),
    Row("derivative-of-activated-value", "cell", LSTM, "cell"),
    Row("derivative-of-preactivation", "all GATES", CELLS, "raw"),
    Row("derivative-of-preactivation", "cell", LSTM, "cell"),
    Row("activation-derivative-missing", "all GATES", CELLS, "raw"),
    Row("activation-derivative-missing", "cell", LSTM, "cell"),
    Row("wrong-derivative-function", "GATES", CELLS, "raw"),
    Row("wrong-derivative-function", "cell", LSTM, "cell"),
    Row("wrong-derivative-function", "h-unsquared", RNN, "raw"),
    Row("wrong-derivative-function", "g-unsquared", LSTM, "raw"),
    Row("wrong-derivative-function", "n-unsquared", GRUS, "raw"),
    Row("wrong-factor", "twice-h minus-h", RNN, "raw"),
    Row("wrong-factor", "half-carry", RNN, "carry"),
    Row("wrong-factor", "twice-i minus-f", LSTM, "raw"),
    Row("wrong-factor", "twice-cell", LSTM, "cell"),
    Row("wrong-factor", "minus-z twice-n", GRUS, "blend"),
    Row("wrong-factor", "half-bias", CELLS, "b"),
    Row("wrong-factor", "twice-output", CELLS, "head", LAYOUTS, ("softmax", "squared", "squared-last")),
    Row("wrong-matrix", "CARRY", GATED, "carry"),
    Row("wrong-matrix", "X", GATED, "x", BATCHED),
    Row("wrong-variable", "carry-by-dh", RNN, "carry"),
    Row("wrong-variable", "b-by-dh", RNN, "b"),
    Row("wrong-variable", "o-by-c g-by-f i-by-f f-by-h", LSTM, "raw"),
    Row("wrong-variable", "dc-by-i", LSTM, "cell"),
    Row("wrong-variable", "carry-by-i", LSTM, "cell-carry"),
    Row("wrong-variable", "n-by-old z-by-r direct-by-new direct-by-r", GRUS, "blend"),
    Row("wrong-variable", "U-without-reset", GRUS, "U"),
    Row("wrong-variable", "r-by-n", GRUS, "raw"),
    Row("wrong-variable", "through-by-z", GRUS, "carry"),
    Row("wrong-variable-accumulated", "W b", CELLS, "W U b"),
    Row("wrong-variable-accumulated", "by", CELLS, "head", LAYOUTS, ("softmax", "squared", "squared-last")),
    Row("variable-rebound", "raw", RNN, "b"),
    Row("variable-rebound", "dc dh", LSTM, "raw cell-carry"),
    Row("variable-rebound", "dh dh-new", GRUS, "blend"),
    Row("gradient-used-for-value", "U", CELLS, "U"),
    Row("gradient-used-for-value", "i o", LSTM, "raw"),
    Row("gradient-used-for-value", "z", GRUS, "blend"),
    Row("gradient-used-for-value", "r", GRUS, "raw"),
    Row("copy-paste-other-gate", "sigma recomputed raw", GATED, "raw"),
    Row("copy-paste-other-gate", "bias", GATED, "b"),
    Row("copy-paste-other-gate", "weights", GATED, "W U b"),
    Row("index-wraps-to-last", "U", CELLS, "U"),
    Row("index-wraps-to-last", "c", LSTM, "raw tape"),
    Row("index-wraps-to-last", "h", GRUS, "blend U raw tape"),
    Row("off-by-one", "U", CELLS, "U"),
    Row("off-by-one", "x", CELLS, "W"),
    Row("off-by-one", "seed", CELLS, "seed", LAYOUTS, ("seeds", "softmax", "squared")),
    Row("off-by-one", "Why", CELLS, "head", LAYOUTS, ("softmax", "squared", "squared-last")),
    Row("off-by-one", "c", LSTM, "raw"),
    Row("off-by-one", "carry-f", LSTM, "cell-carry"),
    Row("off-by-one", "z carry-z", GRUS, "blend"),
    Row("step-skipped", "first", CELLS, "time"),
    Row("step-skipped", "last", CELLS, "time", LAYOUTS, ("seeds", "softmax", "squared")),
    Row("stale-cache", "x", CELLS, "W"),
    Row("stale-cache", "o f i c_prev", LSTM, "tape raw cell"),
    Row("stale-cache", "z r", GRUS, "tape raw blend"),
    Row("stale-cache", "h_prev", CELLS, "tape raw blend U"),
    Row("stale-cache", "first-forward", CELLS, "*"),
    Row("tape-overwritten", "h h-but-start", CELLS, "tape raw blend U head"),
    Row("tape-overwritten", "c", LSTM, "tape raw cell"),
    Row("not-accumulated-over-time", "W U b all last-W", CELLS, "W U b"),
    Row("not-accumulated-over-time", "output", CELLS, "head", LAYOUTS, ("softmax", "squared")),
    Row("output-gradient-at-every-step", "last", CELLS, "seed", LAYOUTS, ("last", "squared-last")),
    Row("seed-of-an-output-ignored", "last first all-but-last", CELLS, "seed", LAYOUTS, ("seeds", "softmax", "squared")),
    Row("input-gradient-without-recurrence", "x", CELLS, "x", BATCHED),
    Row("input-gradient-zero", "x", CELLS, "x", BATCHED),
    Row("scaled-by-time", "all parameters biases", CELLS, "end"),
    Row("scaled-by-batch", "all parameters biases", CELLS, "end", BATCHED),
    Row("truncated", "window-2 window-4 last-3 chunks-of-3", CELLS, "time carry cell-carry"),
    Row("clip-inside-recursion", "carry total", CELLS, "carry cell-carry seed"),
    Row("clipped-by-norm", "parameters all", CELLS, "end"),
    Row("clipped-by-value", "parameters all", CELLS, "end"),
    Row("argument-mutated", "seeds", CELLS, "*", LAYOUTS, ("seeds",)),
    Row("argument-mutated", "weights", CELLS, "*"),
    Row("forward-lacks-recurrence", "term state", CELLS, "*"),
    Row("forward-backward-mismatch", "reset", GRUS, "blend raw U carry"),
    Row("forward-backward-mismatch", "blend", GRUS, "blend"),
    Row("forward-backward-mismatch", "no-tanh", LSTM, "cell raw"),
    Row("check-is-stateful", "state", CELLS, "*", (1, 3, 4)),
]

# The same numbers under other kinds, by algebra: what a report may say instead of the planted kind and be right.
ALSO_TRUE = {
    "seed-of-an-output-ignored/last": "step-skipped",
    "step-skipped/last": "seed-of-an-output-ignored",
    "variable-rebound/raw": "wrong-variable",  # the name that is read holds another variable's value
    "variable-rebound/dc": "wrong-variable",
    "variable-rebound/dh": "wrong-variable",
    "variable-rebound/dh-new": "wrong-variable",
    "wrong-variable/carry-by-dh": "activation-derivative-missing",  # on the way back only
    "wrong-variable/b-by-dh": "activation-derivative-missing",  # in the bias only
    "wrong-variable/n-by-old": "wrong-factor",  # 1 - z and z: another variable, or another factor
    "wrong-variable/direct-by-new": "wrong-factor",
    "wrong-factor/twice-cell": "accumulated-twice",
    "forward-backward-mismatch/no-tanh": "activation-derivative-missing wrong-variable",
    "stale-cache/h_prev": "tape-overwritten",  # while no other state of the tape is read
    "tape-overwritten/h": "stale-cache",
    "tape-overwritten/h-but-start": "stale-cache",
    "off-by-one/U": "wrong-variable",
    "off-by-one/c": "wrong-variable",
    "forward-lacks-recurrence/term": "gradient-of-unused-parameter",
    "forward-lacks-recurrence/state": "gradient-of-unused-parameter",
    "argument-mutated/seeds": "check-is-stateful",  # the loss after claimed() is not the loss before it
    "wrong-variable-accumulated/b-f": "not-accumulated-over-time",  # the first step's part is zero where c_0 is
    "wrong-variable-accumulated/b-r": "not-accumulated-over-time",
}

SKIPPED = """Not planted, because a person could not:
- hidden-carry-dropped in simple_rnn: its only carry is the hidden one, so it is carry-dropped
- cell-carry-dropped outside of lstm: there is no cell state
- carry-added-on-the-wrong-side-of-an-activation in the GRUs: no activation stands where the carry is added
- wrong-matrix, copy-paste-other-gate, forward-backward-mismatch in simple_rnn: one gate, one square matrix, one activation
- variants of the output layer where there is none (layouts 1 and 2; layout 4 of simple_rnn and gru_reset_after)
- output-gradient-at-every-step where every state is in the loss; seed-of-an-output-ignored, off-by-one of the seeds and
  step-skipped/last where only the last state is
- scaled-by-batch and all mistakes in the input's gradient in layout 4: no batch, no gradient for x
- argument-mutated/seeds outside of layouts 1 and 2: the gradient that is added to is computed anew in each call
- check-is-stateful in layout 2: the initial state is among the arrays"""


BY_GATE = {
    "carry-untransposed",
    "derivative-of-activated-value",
    "derivative-of-preactivation",
    "activation-derivative-missing",
}


def _names(row: Row, cell: str) -> list[str]:
    gates = GATES[cell]
    names = []
    for word in row.variants.split():
        if word == "GATES":
            names += list(gates)
        elif word in ("CARRY", "X"):
            names += [f"{word.lower()}-{k}" for k in gates]
        elif row.kind == "wrong-variable-accumulated" and word in "Wb":
            names += [f"{word}-{k}" for k in gates[:2]]
        elif word != "all" or row.kind not in BY_GATE or len(gates) > 1:
            names.append(word)
    return [f"{row.kind}/{name}" for name in names]


def mistakes_of(cell: str, layout: int) -> list[Mistake]:
    """All that can be planted in a cell and a layout."""
    planted = []
    for row in ROWS:
        for name in _names(row, cell) if cell in row.cells else ():
            mistake = Mistake(name, row.cells, row.layouts, frozenset(row.places.split()), row.heads)
            if mistake.makes_sense(cell, layout):
                planted.append(mistake)
    return planted
