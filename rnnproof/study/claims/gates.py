"""Section 3.2: gates along the layers, and the step from there to gated recurrent networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from rnnproof import optimizers
from rnnproof.calculus import matrix_expressions
from rnnproof.calculus.formula_tex import Printer
from rnnproof.calculus.jacobian import Jacobian, jacobian
from rnnproof.calculus.matrix_expressions import OpenJacobian
from rnnproof.equations import catalogue, expressions, reader
from rnnproof.equations.cell import Cell
from rnnproof.generation import build
from rnnproof.layers import Dense, Gate, Sequential, Shortcut
from rnnproof.pages.message import say
from rnnproof.proofs import prove
from rnnproof.runtime import clipping
from rnnproof.study.claims.claim import MEASUREMENT, PROOF, Case, Rows
from rnnproof.study.claims.probes import FEATURES, Array, counted, randomised, rng, sequences
from rnnproof.study.claims.shortcuts import LECTURE as SHORTCUT
from rnnproof.study.claims.shortcuts import inner_layers
from rnnproof.study.claims.sources import Sources

ROWS = Rows()
# The lecture's words: f(o) and o, each multiplied by a coefficient of its own and added up.
WEIGHTED = r"$$o^{(l)} = t^{(l)} \odot f^{(l)}(o^{(l-1)}) + c^{(l)} \odot o^{(l-1)}$$"


def weighted() -> Jacobian:
    """The Jacobian of the weighted sum, its coefficients given."""
    (cell,) = reader.read_text(WEIGHTED, "weighted")
    return jacobian(cell, "o", "o_prev")


def equation(cell: Cell, name: str) -> Any:
    """The right side of a cell's equation."""
    return next(equation.expression for equation in cell.equations if equation.symbol.name == name)


def substituted(expression: Any, values: Mapping[str, Any]) -> Any:
    """The expression with symbols and open functions replaced by name, factors of one left out."""

    def change(node: Any) -> Any:
        if isinstance(node, sp.HadamardProduct):
            return matrix_expressions.hadamard(*node.args)
        return values.get(node.name) if isinstance(node, sp.MatrixSymbol | expressions.OpenFunction) else None

    return expressions.rewrite(expression, change)


def terms(expression: Any) -> set[Any]:
    """The terms of a sum, each the set of its factors."""
    return {frozenset(term.args) if isinstance(term, sp.HadamardProduct) else term for term in expression.args}


def shown(cell: Cell, expression: Any) -> str:
    """A right side as the cell prints its symbols."""
    tex = cell.tex

    def change(node: Any) -> Any:
        return sp.MatrixSymbol(tex[node.name], *node.shape) if isinstance(node, sp.MatrixSymbol) and node.name in tex else None

    return Printer(tex)(expressions.rewrite(expression, change))


@ROWS.add("gate-generalises", "3.2", say("The gate is a generalisation of the shortcut."), PROOF)
def gate_generalises(_: Sources) -> list[Case]:
    """In the catalogue's gate, both coefficients are set to one."""
    gate = catalogue.load("gate")
    (shortcut,) = reader.read_text(SHORTCUT, "shortcut")
    item = sp.OneMatrix(*gate.states[0].new.shape)
    seen = substituted(equation(gate, "o"), {"t": item, "c": item})
    return [
        Case(
            say("with both coefficients 1, its equation is the shortcut's"),
            terms(seen) == terms(equation(shortcut, "o")),
            say("what is left is {formula}", formula=f"${shown(gate, seen)}$"),
        )
    ]


@ROWS.add(
    "gate-weighted-sum",
    "3.2",
    say("The gate is a weighted sum: the layer's result and its input, each multiplied by a coefficient and added up."),
    PROOF,
)
def gate_weighted_sum(_: Sources) -> list[Case]:
    """The equation read from these words beside the catalogue's, and the Jacobian that follows from it."""
    gate = catalogue.load("gate")
    (printed,) = reader.read_text(WEIGHTED, "weighted")
    jacobian_ = weighted()
    jacobian = jacobian_.direct
    c, t = (sp.MatrixSymbol(f"{name}^{{(l)}}", jacobian.shape[0], 1) for name in ("c", "t"))
    (j,) = jacobian.atoms(OpenJacobian)
    right = set(jacobian.args) == {sp.DiagMatrix(c), sp.MatMul(sp.DiagMatrix(t), j)}
    return [
        Case(
            say("these words as an equation are the one the layer is made from"),
            equation(printed, "o") == equation(gate, "o"),
            f"${printed.equations[0].tex}$",
        ),
        Case(
            say("each coefficient weights one part of the gradient"),
            right,
            f"${jacobian_.tex}$",
        ),
    ]


@ROWS.add("hadamard", "3.2", say("{odot} is the elementwise (Hadamard) product.", odot=r"$\odot$"), MEASUREMENT)
def hadamard(_: Sources) -> list[Case]:
    """The reader's node for the sign, and the generated code beside a loop over the entries."""
    (cell,) = reader.read_text(r"$$h_t = a \odot h_{t-1}$$", "product")
    a, h = rng().normal(size=(2, 5))
    got = build(cell).forward({"a": a}, 1, {"h": h[np.newaxis]}).states["h"][0, 0]
    wanted = np.array([a[i] * h[i] for i in range(5)])
    read = isinstance(cell.equations[0].expression, sp.HadamardProduct)
    return [
        Case(say("as the reader reads it"), read, type(cell.equations[0].expression).__name__),
        Case(
            say("as the generated code computes it"),
            bool(np.array_equal(got, wanted)),
            say("{equal} of {all} entries are equal", equal=int((got == wanted).sum()), all=5),
        ),
    ]


@ROWS.add("gate-learned", "3.2", say("The gate's coefficients are learned too."), PROOF)
def gate_learned(_: Sources) -> list[Case]:
    """The gradients of the coefficients' parameters: proved; for random data not zero, and followed by an optimiser."""
    proof = prove(catalogue.load("gate"))
    x, gate = sequences(), randomised(Gate(Dense(FEATURES, "tanh", seed=0), seed=0))
    before = gate.get_weights()
    gate.backward(gate(x) - 1.0)
    optimizers.SGD(lr=0.1).apply_gradients(zip(gate.gradients, gate.weights, strict=True))
    cases = [Case(say("their gradients, entry by entry"), proof.ok, say("{count} identities", count=proof.entries))]
    own = list(zip(gate.weight_names, gate.gradients, before, gate.weights, strict=True))[len(gate.layer.weights) :]
    for name, gradient, old, new in own:
        norm, moved = float(np.linalg.norm(gradient)), float(np.linalg.norm(new - old))
        figure = say("gradient of norm {norm:.3f}; one step moves it by {moved:.4f}", norm=norm, moved=moved)
        cases.append(Case(f"`{name}`", norm > 0 and moved > 0, figure, sampled=True))
    return cases


def learned(new: float, old: float) -> tuple[float, float, float]:
    """The coefficients that a gate learns from data y = new f(x) + old x, f known; means over the data, and the loss."""
    source = rng(6)
    inner = Dense(6, "tanh", seed=0)
    gate = Gate(inner, seed=1)
    x = source.normal(size=(64, 6))
    gate(x)
    inner.weights[0][...] = source.normal(size=(6, 6))
    wanted = new * inner(x) + old * x
    optimizer, own = optimizers.Adam(lr=0.05), len(inner.weights)
    for _ in range(400):
        gate.backward(2 * (gate(x) - wanted) / len(x))
        optimizer.apply_gradients(list(zip(gate.gradients, gate.weights, strict=True))[own:])
    transform, carry = (
        sigmoid(x @ kernel + bias).mean() for kernel, bias in (gate.weights[own : own + 2], gate.weights[own + 2 :])
    )
    return float(transform), float(carry), float(np.mean((gate(x) - wanted) ** 2))


def sigmoid(values: Array) -> Array:
    """1 / (1 + e^-x)."""
    return np.asarray(1 / (1 + np.exp(-values)))


@ROWS.add(
    "gate-balance",
    "3.2",
    say("By learning, the weights of the layers before and of this layer are set as is best, and so how much is forgotten."),
    MEASUREMENT,
)
def gate_balance(_: Sources) -> list[Case]:
    """Data made with known coefficients, from remembering all to forgetting all: those the gate learns beside them."""
    cases = []
    for new, old in ((0.2, 0.9), (0.8, 0.1), (0.5, 0.5), (0.0, 1.0), (1.0, 0.0)):
        transform, carry, loss = learned(new, old)
        figure = say("learned {new:.3f} and {old:.3f}, mean square error {loss:.1e}", new=transform, old=carry, loss=loss)
        right = max(abs(transform - new), abs(carry - old)) < 0.05
        cases.append(Case(say("best are {new:g} of the new and {old:g} of the old", new=new, old=old), right, figure))
    return cases


@ROWS.add(
    "gate-forgetting",
    "3.2",
    say("The coefficient of the old decides how much of the information of earlier layers is forgotten."),
    PROOF,
)
def gate_forgetting(_: Sources) -> list[Case]:
    """The part of the gradient over k layers in which no f stands: the product of the k coefficients."""
    seen = weighted()
    right = []
    for k in range(2, 6):
        coefficients = [sp.MatrixSymbol(f"c^{{(l{f'-{j}' if j else ''})}}", seen.shape[0], 1) for j in range(k)]
        straight = [part for part in seen.product(k).expression.args if not part.has(OpenJacobian)]
        right.append(straight == [sp.DiagMatrix(expressions.hadamard(*coefficients))])
    return [
        counted(
            say("over {k} layers, {k} from 2 to 5, the old counts by the product of the coefficients", k="$k$"),
            right,
            say("values of $k$"),
            sampled=True,
        )
    ]


ROWS.measured(
    "gate-effective",
    "3.2",
    say("Gates, too, are a means against vanishing gradients."),
    "flow.gate",
)


@ROWS.add(
    "techniques-any-network",
    "3.2",
    say("Clipping, shortcuts and gates can be used when layers of any deep network are stacked, not in RNNs alone."),
    MEASUREMENT,
)
def techniques_any_network(_: Sources) -> list[Case]:
    """Each around or behind each kind of layer: a training step lowers the loss."""
    cases = []
    for name in inner_layers():
        for technique in ("clipping", "shortcut", "gate"):
            layers = [inner_layers()[name] for _layer in range(2)]
            around = [Shortcut(item) if technique == "shortcut" else Gate(item, seed=1) for item in layers]
            stack = Sequential(layers if technique == "clipping" else around)
            x = sequences()
            wanted = np.tanh(x)
            loss = float(np.mean((stack(x) - wanted) ** 2))
            stack.backward(2 * (stack(x) - wanted) / x.size)
            gradients = clipping.clip(stack.gradients, clipnorm=0.1)[0] if technique == "clipping" else stack.gradients
            optimizers.SGD(lr=0.1).apply_gradients(zip(gradients, stack.weights, strict=True))
            after = float(np.mean((stack(x) - wanted) ** 2))
            figure = say("loss {before:.4f}, after a step {after:.4f}", before=loss, after=after)
            cases.append(
                Case(say("{technique} with `{layer}`", technique=_TECHNIQUES[technique], layer=name), after < loss, figure)
            )
    return cases


_TECHNIQUES = {"clipping": say("clipping"), "shortcut": say("shortcut"), "gate": say("gate")}


@ROWS.add(
    "gate-in-time",
    "3.2",
    say("Gated recurrent networks, LSTM and GRU, use this gate along the time."),
    PROOF,
)
def gate_in_time(_: Sources) -> list[Case]:
    """The gate's equation with a cell's coefficients, candidate and old state in it, beside the update of the cell's state."""
    gate = equation(catalogue.load("gate"), "o")
    cases = []
    for name, state, values in (
        ("lstm", "c", {"t": "i", "c": "f", "o_prev": "c_prev", "f": "hbar"}),
        ("gru", "h", {"t": "1 - z", "c": "z", "o_prev": "h_prev", "f": "hbar"}),
    ):
        cell = catalogue.load(name)
        size = cell.states[0].new.shape[0]
        symbols = {of: _coefficient(value, size) for of, value in values.items()}
        same = terms(substituted(gate, symbols)) == terms(equation(cell, state))
        printed = next(one.tex for one in cell.equations if one.symbol.name == state)
        cases.append(Case(name.upper(), same, f"${printed}$"))
    return cases


def _coefficient(name: str, size: Any) -> Any:
    """A vector of that name, or one minus it for "1 - NAME"."""
    _, minus, of = name.rpartition("1 - ")
    symbol = sp.MatrixSymbol(of, size, 1)
    return expressions.add(sp.OneMatrix(size, 1), expressions.multiply(sp.Integer(-1), symbol)) if minus else symbol


ROWS.measured(
    "gated-memory",
    "3.2",
    say("Gates along the time make long memory possible."),
    "flow.lstm",
    "flow.gru",
)
