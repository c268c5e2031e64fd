"""Jacobians: what they look like, and what they are, against the complex step through the cell's own equations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp

from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.jacobian import jacobian
from rnnproof.calculus.program import Role
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.equations.reader import read_text
from rnnproof.errors import UsageError
from rnnproof.pages.derivation import derive
from rnnproof.study.experiments.numbers import Numbers
from rnnproof.verification.interpreter import Interpreter
from tests.zoo import CELLS, simple_rnn
from tests.zoo import shortcut as zoo_shortcut

SIZES = {"hidden": 3, "input": 4}
# The complex step loses no digits; about 100 roundings of 1e-16 on values below 10 stay far below this.
TOLERANCE = 1e-13


def point(cell: Cell, seed: int = 5) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Random parameters of one step, input (1, n) and old states (1, n)."""
    rng = np.random.default_rng(seed)
    run = Interpreter(cell, SIZES)
    params = {p.name: rng.normal(size=run.extent(p.symbol) if p.symbol.is_Matrix else ()) for p in cell.parameters}
    x = rng.normal(size=(1, SIZES["input"])) if cell.inputs else None
    return params, x, {s.name: rng.normal(size=(1, SIZES["hidden"])) for s in cell.states}


def numbers_of(cell: Cell, params: Any, x: Any, states: Any) -> Numbers:
    """Every printed symbol's value at that point, functions with a body as J_f."""
    sizes = {size: SIZES[size.name] for size in cell.sizes}
    program = flatten(replace(cell, bodies=()))
    tex = {(port.role, port.key): port.var.tex for port in program.inputs}
    given: dict[str, Any] = {tex[Role.PARAMETER, name]: value for name, value in params.items()}
    given |= {tex[Role.OLD, name]: value.T for name, value in states.items() if (Role.OLD, name) in tex}
    given |= {tex[Role.INPUT, symbol.name]: x.T for symbol in cell.inputs}
    numbers = Numbers(sizes, given)
    if cell.bodies:
        (body,) = cell.bodies
        inner = np.tanh(params["W"] @ next(iter(states.values())).T + params["b"])
        shown = cell.tex.get(body.name, body.name)
        slope = (1 - inner**2) * params["W"]
        numbers.functions = {body.name: (inner, slope), shown: (inner, slope)}
        numbers.values[shown] = inner
    numbers.forward(program)
    return numbers


def complex_step(cell: Cell, params: Any, x: Any, states: Any, target: str, source: str) -> Any:
    """d target / d source, states of one step, by the complex step through the interpreter of the equations."""
    run = Interpreter(cell, SIZES, dtype=complex)
    columns = []
    for j in range(SIZES["hidden"]):
        moved = {name: value.astype(complex) for name, value in states.items()}
        moved[source][0, j] += 1e-30j
        columns.append(run.step(params, x, moved)[target][0].imag / 1e-30)
    return np.array(columns).T


SMOOTH = ["simple_rnn", "lstm", "gru_after", "shortcut"]
ALL = [*((name, CELLS[name]) for name in SMOOTH), *((name, catalogue.load) for name in catalogue.names())]


@pytest.mark.parametrize(("name", "make"), ALL, ids=[f"{make.__module__}:{name}" for name, make in ALL])
def test_direct_jacobians_are_the_derivatives(name: str, make: Any) -> None:
    cell = make(name) if make is catalogue.load else make()
    at = point(cell)
    numbers = numbers_of(cell, *at)
    for found in derive(cell).jacobians:
        target = next(s.name for s in cell.states if found.target in (cell.tex.get(s.new.name), sp.latex(s.new)))
        source = next(s.name for s in cell.states if found.source in (cell.tex.get(s.old.name), sp.latex(s.old)))
        expected = complex_step(cell, *at, target, source)
        np.testing.assert_allclose(numbers(found.direct), expected, rtol=TOLERANCE, atol=TOLERANCE)
        for shown, inner in found.bodies:
            np.testing.assert_allclose(numbers(inner.direct), numbers.functions[shown[3:-1]][1], rtol=TOLERANCE)


def test_odd_operations_have_jacobians_too() -> None:
    """Concatenation, transposes, dot products, scalars and a slope with no closed form in the output."""
    cell = CELLS["odds"]()
    params, x, states = point(cell)
    numbers = numbers_of(cell, params, x, states)
    run = Interpreter(cell, SIZES)
    step = 1e-6  # central differences: gelu has no complex form here; error about step^2 + 1e-16 / step = 1e-10
    columns = []
    for j in range(SIZES["hidden"]):
        ends = []
        for sign in (1, -1):
            moved = {"h": states["h"].copy()}
            moved["h"][0, j] += sign * step
            ends.append(run.step(params, x, moved)["h"][0])
        columns.append((ends[0] - ends[1]) / (2 * step))
    found = jacobian(cell, "h", "h_prev").direct
    np.testing.assert_allclose(numbers(found), np.array(columns).T, rtol=1e-8, atol=1e-8)


def test_lstm_total_goes_through_h_as_well() -> None:
    """c_{t-1} moves h_{t-1} = o_{t-1} tanh(c_{t-1}) too, o_{t-1} held fixed."""
    cell = catalogue.load("lstm")
    params, x, states = point(cell)
    o_before = np.random.default_rng(1).uniform(size=(1, SIZES["hidden"]))
    states["h"] = o_before * np.tanh(states["c"])
    numbers = numbers_of(cell, params, x, states)
    numbers.values["o_{t-1}"] = o_before.T
    run, columns = Interpreter(cell, SIZES, dtype=complex), []
    for j in range(SIZES["hidden"]):
        c = states["c"].astype(complex)
        c[0, j] += 1e-30j
        columns.append(run.step(params, x, {"c": c, "h": o_before * np.tanh(c)})["c"][0].imag / 1e-30)
    found = jacobian(cell, "c_t", "c_{t-1}")
    np.testing.assert_allclose(numbers(found.total), np.array(columns).T, rtol=TOLERANCE, atol=TOLERANCE)
    direct = np.diag(numbers.values["f_t"][:, 0])
    np.testing.assert_allclose(numbers(found.direct), direct, rtol=TOLERANCE)
    assert np.abs(np.array(columns).T - direct).max() > 1e-3  # the other path is not nothing


@pytest.mark.parametrize(
    ("cell", "target", "source", "line"),
    [
        ("simple_rnn", "h_t", "h_{t-1}", "∂h_t/∂h_{t-1} = diag(1 - h_t²) R"),
        ("shortcut", "o^{(l)}", "o^{(l-1)}", "∂o^(l)/∂o^(l-1) = I + J_{f^(l)}"),
        ("shortcut", "o", "o_prev", "J_{f^(l)} = diag(1 - f^(l)²) W^(l)"),
        ("lstm", "c_t", "c_{t-1}", "(∂c_t/∂c_{t-1})_direct = diag(f_t)"),
        ("lstm", "h_t", "c_t", "∂h_t/∂c_t = diag(o_t ⊙ (1 - tanh(c_t)²))"),
    ],
)
def test_what_a_person_writes(cell: str, target: str, source: str, line: str) -> None:
    assert line in jacobian(catalogue.load(cell), target, source).text.split("\n")


@pytest.mark.parametrize(("cell", "target", "first"), [("gru", "h", "diag(z_t) + "), ("gate", "o", "diag(c^(l)) + ")])
def test_the_weighted_path_comes_first(cell: str, target: str, first: str) -> None:
    line = jacobian(catalogue.load(cell), target, f"{target}_prev").text.split("\n")[0]
    assert line.split(" = ")[1].startswith(first)


def test_gate_has_its_transform_coefficient_on_j_f() -> None:
    assert "diag(t^(l)) J_{f^(l)}" in jacobian(catalogue.load("gate"), "o", "o_prev").text


def test_open_shortcut_multiplies_out_with_the_identity_first() -> None:
    product = jacobian(replace(catalogue.load("shortcut"), bodies=()), "o", "o_prev").product(2)
    shown = product.text.split(" = ")[-1]
    assert shown == "I + J_{f^(l-1)} + J_{f^(l)} + J_{f^(l)} J_{f^(l-1)}"


def test_product_of_three_has_every_choice_of_factors() -> None:
    product = jacobian(zoo_shortcut(bound=False), "o", "o_prev").product(3)
    assert len(product.expression.args) == 8
    assert product.expression.args[0] == sp.Identity(sp.Symbol("hidden", integer=True, positive=True))


def test_simple_rnn_product_and_its_bound_hold_numerically() -> None:
    cell = catalogue.load("simple_rnn")
    product = jacobian(cell, "h_t", "h_{t-1}").product(3)
    (sigma,) = product.bound.free_symbols
    assert product.bound == sigma**3
    rng = np.random.default_rng(2)
    R = rng.normal(size=(3, 3)) * 0.5
    values: dict[str, Any] = {"R": R} | {name: np.tanh(rng.normal(size=(3, 1))) for name in ("h_t", "h_{t-1}", "h_{t-2}")}
    numbers = Numbers({size: SIZES[size.name] for size in cell.sizes}, values)
    expected = np.linalg.multi_dot([(1 - values[name] ** 2) * R for name in ("h_t", "h_{t-1}", "h_{t-2}")])
    found = numbers(product.expression)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)
    assert np.linalg.norm(found, 2) <= float(product.bound.subs(sigma, np.linalg.norm(R, 2)))


def test_sigmoid_rnn_is_bounded_by_a_quarter() -> None:
    tanh, sigmoid = simple_rnn(), simple_rnn("sigmoid", "sigmoid_rnn")
    assert jacobian(sigmoid, "h", "h_prev").bound == jacobian(tanh, "h", "h_prev").bound / 4


def test_the_remark_says_where_increases_is_not_true() -> None:
    text = derive(catalogue.load("shortcut")).jacobian("o", "o_prev").text
    assert "does not say that the gradient increases everywhere" in text
    assert "it vanishes where f' = -1" in text


def test_lstm_product_says_that_it_is_the_direct_path_alone() -> None:
    product = jacobian(catalogue.load("lstm"), "c", "c_prev").product(2)
    assert product.direct_only
    assert product.text.endswith("= diag(f_t ⊙ f_{t-1})")
    assert "_direct" in product.text


@pytest.mark.parametrize(
    ("target", "source", "says"),
    [
        ("nothing", "h_{t-1}", "no value named 'nothing'; its values are W_h̄"),
        ("h_t", "W_i", "W_i is a matrix"),
        ("h_{t-1}", "h_t", "the other way round"),
    ],
)
def test_bad_names_say_what_there_is(target: str, source: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        jacobian(catalogue.load("lstm"), target, source)


def test_products_need_a_recursion_and_a_number() -> None:
    cell = catalogue.load("lstm")
    with pytest.raises(UsageError, match="does not run from a state to itself"):
        jacobian(cell, "h_t", "c_{t-1}").product(2)
    with pytest.raises(UsageError, match="whole number from 1"):
        jacobian(cell, "c_t", "c_{t-1}").product(0)


def test_a_function_without_index_shows_where_its_jacobian_is_taken() -> None:
    product = jacobian(zoo_shortcut(bound=False), "o", "o_prev").product(2)
    shown = product.text.split(" = ")[-1]
    assert shown == "I + J_f(o_old^{[l-1]}) + J_f(o_old) + J_f(o_old) J_f(o_old^{[l-1]})"
    (norm,) = product.bound.free_symbols
    assert norm.name == r"\sup \lVert J_{f} \rVert" and product.bound == (1 + norm) ** 2


def test_functions_of_a_layer_move_with_their_layer() -> None:
    product = jacobian(catalogue.load("gate"), "o", "o_prev").product(2)
    assert "f^(l-1)(o^(l-2))" in product.text and "f^(l)(o^(l-2))" not in product.text


def layered(count: int, line: str) -> Cell:
    """`count` equations on top of each other; P is the value below, S the sum of all below, {i} the number."""
    lines = [r"a^{(0)}_t &= \tanh(W x_t + R h_{t-1})"]
    for i in range(1, count + 1):
        below = [rf"a^{{({j})}}_t" for j in range(i)]
        lines.append(
            rf"a^{{({i})}}_t &= " + line.replace("P", below[-1]).replace("S", " + ".join(below)).replace("{i}", str(i))
        )
    lines.append(rf"h_t &= \tanh(Q a^{{({count})}}_t)")
    return read_text(r"\begin{align} " + r" \\ ".join(lines) + r" \end{align}", name="layered")[0]


LINES = [r"P \odot P + S", r"\tanh(R_{i} P) \odot P", r"\sigma(S)", r"P \odot \tanh(P)"]


@pytest.mark.parametrize("line", LINES)
def test_named_parts_put_back_are_the_derivative(line: str) -> None:
    """Each part evaluated in the order in which it is printed, then the whole, against the complex step."""
    cell = layered(9, line)
    rng = np.random.default_rng(3)
    sizes = {size: 2 + place for place, size in enumerate(cell.sizes)}
    run = Interpreter(cell, {size.name: number for size, number in sizes.items()}, dtype=complex)
    params = {p.name: rng.normal(size=run.extent(p.symbol)) / 3 for p in cell.parameters}
    x, old = (rng.normal(size=(1, *run.extent(symbol))).reshape(1, -1) for symbol in (cell.inputs[0], cell.states[0].old))
    columns = []
    for j in range(old.shape[1]):
        moved = old.astype(complex)
        moved[0, j] += 1e-30j
        columns.append(run.step(params, x, {"h": moved})["h"][0].imag / 1e-30)
    program = flatten(cell)
    numbers = Numbers(sizes, {port.var.tex: params.get(port.key) for port in program.inputs})
    numbers.values |= {
        port.var.tex: {Role.OLD: old.T, Role.INPUT: x.T}[port.role]
        for port in program.inputs
        if port.role is not Role.PARAMETER
    }
    numbers.forward(program)
    found = jacobian(cell, "h", "h_prev")
    assert found.parts and all(f"{name} = " in "\n".join(found.formulas) for name, _ in found.parts)
    for name, value in found.parts:
        numbers.values[name] = numbers(value)
    # 1e-16 for each of some thousand operations on values of size 1
    np.testing.assert_allclose(numbers(found.direct), np.array(columns).T, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("line", LINES)
def test_a_derivation_grows_with_the_cell(line: str) -> None:
    """Twice the equations: at most twice the text for one below each, four times where each reads all below."""
    short, long = (len(derive(layered(count, line)).text()) for count in (16, 32))
    assert long < (4 if "S" in line else 2) * short


def test_parts_move_with_their_step() -> None:
    product = jacobian(layered(9, LINES[0]), "h", "h_prev").product(2)
    names = [name for factor in product.factors for name, _ in factor.parts]
    assert any("h_{t-1}" in name for name in names) and any("h_{t-2}" in name for name in names)
    assert r"\partial h_{t-2}" in product.tex


def test_many_states_show_their_own_jacobians_and_say_so() -> None:
    count = 8
    lines = [
        rf"s^{{({i})}}_t &= \tanh(W_{i} x_t + R_{i} s^{{({i % count + 1})}}_{{t-1}} + Q_{i} s^{{({i})}}_{{t-1}})"
        for i in range(1, 9)
    ]
    d = derive(read_text(r"\begin{align} " + r" \\ ".join(lines) + r" \end{align}", name="ring")[0])
    assert len(d.shown_jacobians) == count and all(found.recursion for found in d.shown_jacobians)
    assert "up to 64 Jacobians" in d.text() and "最大 64 個" in d.markdown("ja")
    assert not d.jacobian("s_1", "s_2_prev").is_zero
