"""The derivation a person reads: lines, order, notation, gradients, and that it prints the same each time."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from rnnproof.calculus.lines import Part
from rnnproof.calculus.matrix_expressions import StepSum
from rnnproof.calculus.program import Role
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.equations.plain_text import plain
from rnnproof.equations.reader import read_text
from rnnproof.errors import UsageError
from rnnproof.pages.derivation import derive
from rnnproof.study.experiments.numbers import Numbers
from tests.zoo import CELLS, shortcut

EVERY = [*catalogue.names(), *CELLS]


def cell_of(name: str) -> Cell:
    return catalogue.load(name) if name in catalogue.names() else CELLS[name]()


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("lstm", "δ_{h_t} = ∇_{h_t} + δ⁺_{h_t}"),
        ("lstm", "δ_{o_t} = δ_{h_t} ⊙ tanh(c_t)"),
        ("lstm", "δ_{a_{o_t}} = δ_{o_t} ⊙ o_t ⊙ (1 - o_t)"),
        ("lstm", "δ_{c_t} = ∇_{c_t} + δ⁺_{c_t} + δ_{h_t} ⊙ o_t ⊙ (1 - tanh(c_t)²)"),
        ("lstm", "δ⁺_{c_{t-1}} = δ_{c_t} ⊙ f_t"),
        ("lstm", "δ⁺_{c_t} = 0  at t = T"),
        ("lstm", "∂L/∂R_i = Σ_{t=1}^T δ_{a_{i_t}} h_{t-1}ᵀ"),
        ("gru", "δ_{z_t} = δ_{h_t} ⊙ h_{t-1} - δ_{h_t} ⊙ h̄_t"),
        ("gru", "δ_{r_t ⊙ h_{t-1}} = R_h̄ᵀ δ_{a_{h̄_t}}"),
        ("shortcut", "∂L/∂W^(l) = δ_{a_{o^(l)}} o^(l-1)ᵀ"),
    ],
)
def test_lines_are_what_a_person_writes(cell: str, line: str) -> None:
    squeezed = [" ".join(step.text.split()) for step in derive(catalogue.load(cell)).steps]
    assert " ".join(line.split()) in squeezed


@pytest.mark.parametrize("name", EVERY)
def test_every_gradient_has_one_line_and_every_line_of_calculus_its_rule(name: str) -> None:
    d = derive(cell_of(name))
    left = [step.tex.split(" = ")[0] for step in d.steps if step.part != Part.EQUATIONS and step.part != Part.JACOBIANS]
    assert len(left) == len(set(left))
    assert all(step.rule for step in d.steps if step.part in (Part.FORWARD, Part.BACKWARD, Part.GRADIENTS))
    assert [step.number for step in d.steps] == list(range(1, len(d.steps) + 1))
    titles = [step.part for step in d.steps]
    assert titles == sorted(titles, key=list(Part).index)
    for parameter in d.cell.parameters:
        assert d.gradient(of=parameter.name).tex in [step.tex for step in d.steps]


@pytest.mark.parametrize("name", EVERY)
def test_every_symbol_of_a_line_is_defined_before_it(name: str) -> None:
    """Forward and backward lines use the inputs, the loss's own part, what arrives, and what stands above."""
    d = derive(cell_of(name))
    known = {port.var.tex for port in d.forward.inputs}
    known |= {d.symbols[port.var] for port in d.backward.inputs if port.role in (Role.SEED, Role.CARRY)}
    for program, reader_names in ((d.forward, d.names), (d.backward, d.symbols)):
        for step in program.steps:
            if step.target in reader_names:
                used = d._reader.definition(step.target).atoms(sp.MatrixSymbol, sp.Symbol)
                names = {symbol.name for symbol in used} & set(d.symbols.values())
                assert names <= known, (step, names - known)
                known.add(reader_names[step.target])


@pytest.mark.parametrize("name", EVERY)
def test_markdown_is_well_formed_and_the_same_each_time(name: str) -> None:
    first, second = derive(cell_of(name)).markdown(), derive(cell_of(name)).markdown()
    assert first == second
    assert first.count("$$") % 2 == 0
    for tex in re.findall(r"\$\$\n(.*?)\n\$\$", first, re.DOTALL):
        assert tex.count("{") == tex.count("}")
        assert not re.search(r"\^\{[^{}]*\}\^", tex), f"two superscripts: {tex}"
    assert "\\bar{\\bar" not in first


@pytest.mark.parametrize("name", EVERY)
def test_latex_document_has_every_line(name: str) -> None:
    d = derive(cell_of(name))
    document = d.latex()
    assert document.startswith(r"\documentclass") and document.endswith("\\end{document}\n")
    assert document.count(r"\begin{equation}") == document.count(r"\end{equation}") == len(d.steps)
    assert str(d) == d.text()


def test_gradients_by_name() -> None:
    d = derive(catalogue.load("lstm"))
    assert isinstance(d.gradient(of="W_i").expression, StepSum)
    assert d.gradient(of="W_i").text == "∂L/∂W_i = Σ_{t=1}^T δ_{a_{i_t}} x_tᵀ"
    assert d.gradient(of="x").right == d.gradient(of="inputs").right
    assert d.gradient(of="h_0").text.startswith("∂L/∂h_0 = δ⁺_{h_0}")
    assert d.gradient(of=r"W_\bar{h}").tex == d.gradient(of="W_hbar").tex
    with pytest.raises(UsageError, match="no gradient of 'U' in cell lstm; there is one of each of .*W_i.*h_0, c_0|h_0.*W_i"):
        d.gradient(of="U")


def test_an_open_function_keeps_its_transposed_jacobian() -> None:
    texts = [step.text for step in derive(shortcut(bound=False)).steps]
    assert "δ⁺_{o_old} = δ_o + J_fᵀ δ_o" in texts


def test_an_index_that_runs_ahead() -> None:
    """Written from n to n + 1, the sum starts at 0 and the initial state is h_0."""
    (cell,) = read_text(r"h_{n+1} = \tanh(W x_n + R h_n + b)", name="ahead")
    d = derive(cell)
    assert d.gradient(of="R").text == "∂L/∂R = Σ_{n=0}^{N-1} δ_{a_{h_{n+1}}} h_nᵀ"
    assert d.gradient(of="h_0").tex.startswith(r"\frac{\partial \mathcal{L}}{\partial h_0}")


def test_formula_of_one_step_backward_is_the_gradient_in_numbers() -> None:
    """One step of the simple RNN: the printed formula evaluated, against the outer product written out here."""
    cell = catalogue.load("simple_rnn")
    d = derive(cell)
    rng = np.random.default_rng(0)
    values = {r"\delta_{a_{h_t}}": rng.normal(size=(3, 1)), "x_t": rng.normal(size=(4, 1))}
    numbers = Numbers({size: {"hidden": 3, "input": 4}[size.name] for size in cell.sizes}, values)
    found = numbers(d.gradient(of="W").expression.args[0])
    np.testing.assert_array_equal(found, values[r"\delta_{a_{h_t}}"] @ values["x_t"].T)


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"W_{\bar{h}} x_t", "W_h̄ x_t"),
        (r"h_{t-1}^{\top}", "h_{t-1}ᵀ"),
        (r"\frac{\partial \mathcal{L}}{\partial W_i}", "∂L/∂W_i"),
        (r"{W^{(l)}}^{\top}", "W^(l)ᵀ"),
        (r"\mathrm{diag}(1 - h_t^{2})", "diag(1 - h_t²)"),
        (r"\gamma \odot \Sigma", "γ ⊙ Σ"),
    ],
)
def test_terminal_text(tex: str, text: str) -> None:
    assert plain(tex) == text


def test_derivation_is_frozen() -> None:
    d = derive(catalogue.load("gru"))
    assert replace(d).markdown() == d.markdown()
