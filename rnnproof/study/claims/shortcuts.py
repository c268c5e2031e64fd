"""Section 3.2: shortcuts. `f` stays an open function in the proofs, so they hold for every layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from rnnproof.calculus.jacobian import Jacobian, jacobian
from rnnproof.calculus.matrix_expressions import OpenJacobian
from rnnproof.equations import catalogue, reader
from rnnproof.layers import GRU, LSTM, Dense, Sequential, Shortcut, SimpleRNN
from rnnproof.pages.message import say
from rnnproof.proofs import prove
from rnnproof.study.claims.claim import MEASUREMENT, PROOF, Case, Rows
from rnnproof.study.claims.probes import FEATURES, agree, counted, randomised, rng, sequences
from rnnproof.study.claims.sources import Sources

ROWS = Rows()
LECTURE = r"$o^{(l)} = f^{(l)}(o^{(l-1)})+o^{(l-1)}$"
PLAIN = r"$$o^{(l)} = f^{(l)}(o^{(l-1)})$$"
DEPTH = 40


def along_depth(tex: str) -> Jacobian:
    """The Jacobian of a layer's output by its input, from the layer's equation; f is open."""
    (cell,) = reader.read_text(tex, "layer")
    return jacobian(cell, "o", "o_prev")


def inner_layers() -> dict[str, Any]:
    """Layers whose output is shaped like their input."""
    return {
        "Dense": Dense(FEATURES, "tanh", seed=0),
        "SimpleRNN": SimpleRNN(FEATURES, return_sequences=True, seed=0),
        "LSTM": LSTM(FEATURES, return_sequences=True, seed=0),
        "GRU": GRU(FEATURES, return_sequences=True, seed=0),
    }


ROWS.measured(
    "shortcut-effective",
    "3.2",
    say("Shortcuts are effective against vanishing gradients: in layers near the entry, too, the gradient does not vanish."),
    "flow.shortcut",
)


@ROWS.add("shortcut-adds-input", "3.2", say("A shortcut adds a layer's input to its output."), MEASUREMENT)
def shortcut_adds_input(_: Sources) -> list[Case]:
    """The layer with a shortcut beside the layer and its input; the lecture's equation beside the catalogue's."""
    x, cases = sequences(), []
    for name, layer in inner_layers().items():
        built = randomised(Shortcut(layer))
        cases.append(agree(say("around `{layer}`", layer=name), built(x), layer(x) + x))
    (printed,), ours = reader.read_text(LECTURE, "lecture"), catalogue.load("shortcut")
    same = printed.equations[0].expression == ours.equations[0].expression
    cases.append(Case(say("the lecture's equation is the one the layer is made from"), same, f"${printed.equations[0].tex}$"))
    return cases


@ROWS.add("shortcut-any-layer", "3.2", say("A shortcut is possible for any layer, not in RNNs alone."), MEASUREMENT)
def shortcut_any_layer(_: Sources) -> list[Case]:
    """Whether a layer with a shortcut runs, forward and backward."""
    x = sequences()
    layers = {
        **inner_layers(),
        "Dense, more units than inputs": Dense(FEATURES + 1, seed=0),
        "LSTM, last output only": LSTM(FEATURES, seed=0),
    }
    cases = []
    for name, layer in layers.items():
        try:
            built = Shortcut(layer)
            works, sentence = built.backward(np.ones_like(built(x))).shape == x.shape, say("runs forward and backward")
        except ValueError:
            works, sentence = False, say("the shapes of output and input do not match: there is nothing to add up")
        cases.append(Case(f"`{name}`", works, sentence))
    return cases


@ROWS.add("shortcut-one-plus", "3.2", say("With a shortcut, a layer's gradient becomes one plus the original gradient."), PROOF)
def shortcut_one_plus(_: Sources) -> list[Case]:
    """The derived Jacobians with and without, f open; and the entry-by-entry proof of the backward pass."""
    plain, with_shortcut = along_depth(PLAIN), along_depth(LECTURE)
    original = isinstance(plain.total, OpenJacobian)
    sum_ = set(with_shortcut.total.args) == {sp.Identity(plain.shape[0]), plain.total}
    proved = prove(catalogue.load("shortcut"))
    return [
        Case(
            say("the Jacobian, whatever {f} is", f="$f$"),
            original and sum_,
            say("from {plain} to {sum}", plain=f"${plain.tex}$", sum=f"${with_shortcut.tex}$"),
        ),
        Case(
            say("the backward pass gives this, entry by entry"),
            proved.ok,
            say("{count} identities", count=proved.entries),
        ),
    ]


@ROWS.add("shortcut-increases", "3.2", say("By this, the layer's gradient increases."), PROOF)
def shortcut_increases(_: Sources) -> list[Case]:
    """In one dimension, for which f' the inequalities hold; in more, a layer whose Jacobian is minus the identity."""
    s = sp.Symbol("s", real=True)
    larger = sp.solveset(sp.Abs(1 + s) > sp.Abs(s), s, sp.S.Reals)
    at_least_one = sp.solveset(sp.Abs(1 + s) >= 1, s, sp.S.Reals)
    signed = sp.solveset(1 + s > s, s, sp.S.Reals)
    half = -sp.Rational(1, 2)
    above, below = sp.Interval.open(half, sp.oo), sp.Interval.open(-sp.oo, half)
    positive, between = sp.Interval(0, sp.oo), sp.Interval.open(-2, 0)
    minus = -sp.eye(2)
    return [
        _inside(say("as a number: {claim}", claim="$1 + f' > f'$"), sp.S.Reals, signed),
        _inside(say("in size: {claim}, where {where}", claim="$|1 + f'| > |f'|$", where=r"$f' > -\frac{1}{2}$"), above, larger),
        _inside(say("in size: {claim}, where {where}", claim="$|1 + f'| > |f'|$", where=r"$f' < -\frac{1}{2}$"), below, larger),
        _inside(
            say("to a size of 1 or more: {claim}, where {where}", claim=r"$|1 + f'| \ge 1$", where=r"$f' \ge 0$"),
            positive,
            at_least_one,
        ),
        _inside(
            say("to a size of 1 or more: {claim}, where {where}", claim=r"$|1 + f'| \ge 1$", where="$-2 < f' < 0$"),
            between,
            at_least_one,
        ),
        Case(
            say("in more dimensions, where {where}", where="$J_f = -I$"),
            bool((sp.eye(2) + minus).norm() > minus.norm()),
            say("the gradient is {norm}", norm=str((sp.eye(2) + minus).norm())),
        ),
    ]


def _inside(says: Any, where: Any, solution: Any) -> Case:
    """Whether an inequality's solutions hold all of a set, some of it, or none."""
    holds = True if where.is_subset(solution) else False if where.is_disjoint(solution) else None
    return Case(says, holds, say("it holds in {solution}", solution=f"${sp.latex(solution)}$"))


ROWS.measured(
    "shortcut-increases-measured",
    "3.2",
    say("In the stacks that were measured, the shortcut makes a layer's gradient larger."),
    "flow.increases",
)


@ROWS.add("gradients-multiply", "3.2", say("Towards the entry, the layers' gradients multiply up."), PROOF)
def gradients_multiply(_: Sources) -> list[Case]:
    """The derived gradient over k layers beside the product of the k layers' Jacobians, f open in each."""
    seen = along_depth(PLAIN)
    right = []
    for k in range(2, 6):
        factors = [seen.at(-j).total for j in range(k)]
        right.append(seen.product(k).expression == sp.MatMul(*factors, evaluate=False) and len(set(factors)) == k)
    return [counted(say("over {k} layers, {k} from 2 to 5", k="$k$"), right, say("values of $k$"), sampled=True)]


@ROWS.add(
    "shortcut-identity-path",
    "3.2",
    say("With shortcuts, one part of the gradient reaches the entry undiminished, through however many layers."),
    PROOF,
)
def shortcut_identity_path(_: Sources) -> list[Case]:
    """The product over k layers, multiplied out: of its 2^k terms, one is the identity."""
    cases = []
    for says, tex in ((say("with shortcuts, 2 to 5 layers"), LECTURE), (say("without, 2 to 5 layers"), PLAIN)):
        seen = along_depth(tex)
        products = [seen.product(k).expression for k in range(2, 6)]
        identity = [sp.Identity(seen.shape[0]) in product.args for product in products]
        if tex == LECTURE:
            complete = [len(product.args) == 2**k for k, product in enumerate(products, start=2)]
            held = [a and b for a, b in zip(identity, complete, strict=True)]
            cases.append(counted(says, held, say("values of $k$"), sampled=True))
        else:
            cases.append(counted(says, [not item for item in identity], say("values of $k$ have no such part"), sampled=True))
    return cases


@ROWS.add(
    "shortcut-first-layer",
    "3.2",
    say("With shortcuts, the parameters of layers near the entry can be updated."),
    MEASUREMENT,
)
def shortcut_first_layer(_: Sources) -> list[Case]:
    """Stacks of dense tanh layers: the gradient of the first kernel over that of the last, with and without shortcuts."""
    cases = []
    for gain in (0.5, 1.0):
        ratios = []
        for around in (Shortcut, lambda layer: layer):
            source = rng(5)
            stack = Sequential([around(Dense(16, "tanh", seed=0)) for _ in range(DEPTH)])
            x = source.normal(size=(8, 16))
            stack(x)
            stack.set_weights([gain / 4 * source.normal(size=weight.shape) for weight in stack.weights])
            stack.backward(source.normal(size=stack(x).shape))
            kernels = [layer.gradients[0] for layer in stack.layers]
            ratios.append(float(np.linalg.norm(kernels[0]) / np.linalg.norm(kernels[-1])))
        figure = say(
            "{depth} layers: {ratio:.2g} of the last layer's gradient, without {plain:.1e}",
            depth=DEPTH,
            ratio=ratios[0],
            plain=ratios[1],
        )
        cases.append(Case(say("first weights of gain {gain:g}", gain=gain), 0.1 < ratios[0] < 10, figure))
    return cases
