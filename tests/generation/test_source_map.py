"""`annotate`: formulas and code lines find each other, and a line computes what its formulas say, no less and no more."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from rnnproof.calculus.program import Role
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.equations.reader import read_text
from rnnproof.errors import BindError
from rnnproof.generation import annotate, generate
from rnnproof.generation.build import load_text
from rnnproof.generation.passes import descendants
from rnnproof.generation.source_map import Annotated
from rnnproof.pages.derivation import Derivation, derive
from rnnproof.verification.sample import Layout
from tests.zoo import CELLS

pytestmark = [pytest.mark.slow]

# What the catalogue and the zoo lack: a stack of a product that is named and one that is not, gates of joined vectors without
# biases, and a state that nothing reads.
ODD = {
    "half_named": r"$z_t = \sigma(V h_{t-1})$, $h_t = z_t \odot h_{t-1} + \tanh(U h_{t-1} + W x_t + b)$",
    "joined": r"""$$
\begin{align}
z_t &= \sigma(W_z [h_{t-1}, x_t]) \\
r_t &= \sigma(W_r [h_{t-1}, x_t]) \\
\tilde{h}_t &= \tanh(W [r_t \odot h_{t-1}, x_t]) \\
h_t &= (1 - z_t) \odot h_{t-1} + z_t \odot \tilde{h}_t
\end{align}
$$""",
    "output": r"$h_t = \tanh(W x_t + R h_{t-1} + b)$, $y_t = V h_t + d$",
}
EVERY = [*catalogue.names(), *CELLS, *ODD]


def cell_of(name: str) -> Cell:
    if name in ODD:
        return read_text(ODD[name], name=name)[0]
    return catalogue.load(name) if name in catalogue.names() else CELLS[name]()


def line_texts(annotated: Annotated, number: int) -> list[str]:
    lines = annotated.text.split("\n")
    return [lines[at - 1].strip() for at, numbers in annotated.marks if number in numbers]


@pytest.mark.parametrize("name", EVERY)
def test_the_text_is_the_modules_and_every_formula_with_code_has_its_lines(name: str) -> None:
    d = derive(cell_of(name))
    if d.cell.open_functions:
        with pytest.raises(BindError):
            annotate(d)
        return
    annotated = annotate(d)
    assert annotated.text == generate(d.cell)
    marked = {number for _, numbers in annotated.marks for number in numbers}
    # The generator splits A [a; b] into products of its own, so a concatenation has no array, and neither has its adjoint.
    split = {f"d_{step.target.name}" for step in d.forward.steps if step.op.name == "concat"}
    about = {step.number: set(step.of) for step in d.steps}
    assert {number for number, values in about.items() if values - split} == marked
    lines = annotated.text.split("\n")
    start = next(at for at, line in enumerate(lines, start=1) if line.startswith("def forward("))
    stop = next(at for at, line in enumerate(lines, start=1) if line.startswith("def step("))
    for at, _ in annotated.marks:
        assert start < at < stop and not lines[at - 1].lstrip().startswith("#"), lines[at - 1]


@pytest.mark.parametrize(
    ("left", "lines"),
    [
        ("δ_{a_{f_t}}", ["np.multiply(i_f_o, i_f_o, out=work_3)", "np.subtract(i_f_o, work_3, out=work_3)"]),
        ("δ_{c_t}", ["np.multiply(d_h, o, out=work_1)", "d_c += seed_c", "d_c += work_1"]),
        ("δ⁺_{c_{t-1}}", ["d_c *= f"]),
        ("δ⁺_{h_{t-1}}", ["np.matmul(R_T, d_a_hbar_i_f_o, out=d_h)"]),
        ("∂L/∂W_i", ["d_W = d_a_hbar_i_f_o_rows @ x_columns", "d_W_i = d_W[..., n_hidden : 2 * n_hidden, :]"]),
        ("a_{i_t}", ["np.matmul(W, x_seq, out=a_hbar_i_f_o_seq)", "a_hbar_i_f_o_seq += b", "np.matmul(R, h_prev, out=work_1)"]),
        ("∂L/∂c_0", ['initial = {"h": carry_h.T, "c": carry_c.T}']),
    ],
)
def test_formulas_of_the_lstm(left: str, lines: list[str]) -> None:
    d = derive(catalogue.load("lstm"))
    step = next(step for step in d.steps if step.text.split(" = ")[0] == left)
    found = line_texts(annotate(d), step.number)
    assert set(lines) <= set(found), found
    assert not any("carry_h = np.zeros" in line for line in found)


def scaled(line: str) -> str | None:
    """The line with what it computes made half as large again; None where it computes no array."""
    if found := re.search(r"out=(\w+)\)$", line) or re.match(r"\s*(\w+)(?:\[\.\.\.\])? (?:[-+*/]?=) ", line):
        name = found[1]
        rebinds = re.match(rf"\s*{name} = ", line)
        return f"{line}; {name} = {name} * 1.5" if rebinds else f"{line}; {name} *= 1.5"
    return None


def outputs(module: Any, point: dict[str, Any]) -> dict[str, Any]:
    trace = module.forward(point["params"], point["xs"], point["initial"])
    gradients = module.backward(trace, point["seeds"])
    made = {f"d_{name}": value for name, value in gradients.params.items()}
    made |= {"d_input": gradients.inputs} | {f"initial {name}": value for name, value in gradients.initial.items()}
    return {name: value for name, value in made.items() if value is not None}


def downstream(d: Derivation, numbers: tuple[int, ...]) -> set[str]:
    """The gradients computed from the values that formulas are about, within one step, by the names of `outputs`."""
    values = {value for step in d.steps if step.number in numbers for value in step.of}
    roots = {step.target for step in d.backward.steps if step.target.name in values}
    reached = descendants(d.backward, roots)
    kinds = {Role.GRADIENT: "d_{}", Role.INPUT: "d_input", Role.CARRY: "initial {}"}
    return {kinds[port.role].format(port.key) for port in d.backward.outputs if port.var in reached}


@pytest.mark.parametrize("name", [name for name in EVERY if not cell_of(name).open_functions and not cell_of(name).constants])
def test_a_fault_in_a_line_changes_the_gradients_that_its_formulas_reach_and_no_others(name: str) -> None:
    """Each line of the backward pass in turn makes its result half as large again, over a single step: no recursion."""
    d = derive(cell_of(name))
    annotated = annotate(d)
    module = load_text(name, annotated.text)
    drawn = Layout.of_cell(d.cell).draw({"T": 1, "B": 3, "input": 4, "hidden": 5}, 0)
    seeds = {name: np.random.default_rng(1).normal(size=(1, *value.shape)) for name, value in drawn.initial.items()}
    point = {"params": drawn.params, "xs": 1 if drawn.xs is None else drawn.xs, "initial": drawn.initial, "seeds": seeds}
    right = outputs(module, point)
    lines = annotated.text.split("\n")
    begin = next(at for at, line in enumerate(lines, start=1) if line.startswith("def backward("))
    tried = 0
    for at, numbers in annotated.marks:
        planted = scaled(lines[at - 1])
        expected = downstream(d, numbers)
        if at < begin or planted is None or not expected:
            continue
        wrong = outputs(load_text(name, "\n".join([*lines[: at - 1], planted, *lines[at:]])), point)
        changed = {key for key, value in right.items() if not np.allclose(value, wrong[key], rtol=1e-12)}
        assert changed == expected, (lines[at - 1].strip(), numbers)
        tried += 1
    assert tried > 2
