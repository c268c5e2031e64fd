"""Generated modules: gradients by the complex step, dtypes, doors, reproducibility, life without SymPy."""

from __future__ import annotations

import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sympy as sp

from rnnproof.cells import gru, lstm
from rnnproof.equations import activations, expressions
from rnnproof.equations.cell import Cell
from rnnproof.equations.reader import read_text
from rnnproof.errors import BindError
from rnnproof.generation import build, generate
from tests import zoo
from tests.generation.cells import CELLS
from tests.generation.problems import SHAPES, close, complex_step, loss, problem


@cache
def module(name: str) -> ModuleType:
    return build(CELLS[name]())


@pytest.mark.parametrize("sizes", SHAPES, ids=["sequence", "one step"])
@pytest.mark.parametrize("name", sorted(CELLS))
def test_gradients(name: str, sizes: dict[str, int]) -> None:
    mod = module(name)
    params, xs, initial, seeds = problem(mod, sizes)
    gradients = mod.backward(mod.forward(params, xs, initial), seeds)
    for key in params:
        expected = complex_step(params[key], lambda v, key=key: loss(mod, {**params, key: v}, xs, initial, seeds))
        close(gradients.params[key], expected, key)
    for state in initial:
        expected = complex_step(initial[state], lambda v, s=state: loss(mod, params, xs, {**initial, s: v}, seeds))
        close(gradients.initial[state], expected, f"initial {state}")
    if mod.INPUT is not None:
        close(gradients.inputs, complex_step(xs, lambda v: loss(mod, params, v, initial, seeds)), "inputs")


@pytest.mark.parametrize("name", sorted(CELLS))
def test_float32_stays_and_is_near_float64(name: str) -> None:
    mod = module(name)
    params, xs, initial, seeds = problem(mod, SHAPES[0])

    def single(value: Any) -> Any:
        return {k: v.astype(np.float32) for k, v in value.items()} if isinstance(value, dict) else value

    short = xs if mod.INPUT is None else xs.astype(np.float32)
    exact = mod.backward(mod.forward(params, xs, initial), seeds)
    trace = mod.forward(single(params), short, single(initial))
    rounded = mod.backward(trace, single(seeds))
    assert all(values.dtype == np.float32 for values in trace.states.values())
    for found, expected in [
        *((rounded.params[key], exact.params[key]) for key in params),
        *((rounded.initial[key], exact.initial[key]) for key in initial),
        *([] if exact.inputs is None else [(rounded.inputs, exact.inputs)]),
    ]:
        assert found.dtype == np.float32
        # a few hundred float32 roundings (6e-8 each) on values of size one, amplified over 4 steps
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("name", sorted(CELLS))
def test_step_prepare_and_repeated_calls_agree(name: str) -> None:
    mod = module(name)
    params, xs, initial, seeds = problem(mod, SHAPES[0])
    trace = mod.forward(params, xs, initial)
    packed = mod.prepare(params)
    for _ in range(2):  # a second pass over the same arrays gives the same bits: nothing of the caller's is overwritten
        again = mod.forward(packed, xs, initial)
        for state in mod.STATES:
            np.testing.assert_array_equal(again.states[state], trace.states[state])
        first, second = mod.backward(trace, seeds), mod.backward(again, seeds)
        for key in params:
            np.testing.assert_array_equal(first.params[key], second.params[key])
    now = initial
    for t in range(SHAPES[0]["T"]):
        own = {key: v[t] if mod.PARAMETERS[key][:1] == ("steps",) else v for key, v in params.items()}
        now = mod.step(own, None if mod.INPUT is None else xs[t], now)
    for state in mod.STATES:
        np.testing.assert_allclose(now[state], trace.states[state][-1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_text_is_reproducible(name: str) -> None:
    assert generate(CELLS[name]()) == generate(CELLS[name]())


@pytest.mark.slow
def test_text_passes_ruff(tmp_path: Path) -> None:
    for name, make in CELLS.items():
        (tmp_path / f"{name}.py").write_text(generate(make()))
    options = ["--line-length", "128", "--target-version", "py311"]
    select = ["--isolated", "--select", "E,F,I,B,UP"]
    checked = subprocess.run([sys.executable, "-m", "ruff", "check", *options, *select, "."], cwd=tmp_path, capture_output=True)
    assert checked.returncode == 0, checked.stdout.decode()
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", *options, "."], cwd=tmp_path, capture_output=True
    )
    assert formatted.returncode == 0, formatted.stdout.decode()


def test_runs_where_nothing_but_numpy_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "cell.py").write_text(generate(CELLS["lstm"]()))
    script = """
import sys
for name in ("sympy", "lark", "autograd", "rnnproof", "tabulate", "scipy"):
    sys.modules[name] = None
import numpy as np
import cell
rng = np.random.default_rng(0)
sizes = {"hidden": 3, "input": 2}
params = {k: rng.normal(size=[sizes[s] for s in v]) for k, v in cell.PARAMETERS.items()}
trace = cell.forward(params, rng.normal(size=(4, 5, 2)))
print(cell.backward(trace, {"h": np.ones((4, 5, 3))}).inputs.shape)
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert ran.stdout.strip() == "(4, 5, 2)", ran.stderr


def test_an_open_function_is_an_error_that_names_bind() -> None:
    with pytest.raises(BindError, match=r"bind\(cell, f="):
        generate(zoo.shortcut(bound=False))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, x, i: ({k: v for k, v in p.items() if k != "b"}, x, i), "parameter 'b' is missing"),
        (lambda p, x, i: ({**p, "b": p["b"][:-1]}, x, i), "'b' has shape"),
        (lambda p, x, i: ({**p, "b": p["b"][:, None]}, x, i), "'b' has shape"),
        (lambda p, x, i: ({**p, "nonsense": p["b"]}, x, i), "unknown parameter 'nonsense'"),
        (lambda p, x, i: ({**p, "b": np.array(["a"] * 5)}, x, i), "should hold real or complex"),
        (lambda p, x, i: (p, x[0], i), "xs has shape"),
        (lambda p, x, i: (p, x[..., :-1], i), "xs has shape"),
        (lambda p, x, i: (p, x, {"h": i["h"][:-1]}), "initial state 'h' has shape"),
        (lambda p, x, i: (p, x, {"g": i["h"]}), "unknown state 'g'"),
    ],
)
def test_the_door_of_forward(change: Any, message: str) -> None:
    mod = module("simple_rnn")
    params, xs, initial, _ = problem(mod, SHAPES[0])
    with pytest.raises(ValueError, match=message):
        mod.forward(*change(params, xs, initial))


def test_the_doors_of_backward_and_of_layers() -> None:
    mod = module("simple_rnn")
    params, xs, initial, seeds = problem(mod, SHAPES[0])
    trace = mod.forward(params, xs, initial)
    with pytest.raises(ValueError, match="unknown state"):
        mod.backward(trace, {"q": seeds["h"]})
    with pytest.raises(ValueError, match="has shape"):
        mod.backward(trace, {"h": seeds["h"][:-1]})
    layers = module("shortcut")
    params, steps, initial, _ = problem(layers, SHAPES[0])
    with pytest.raises(ValueError, match="initial is missing"):
        layers.forward(params, steps)
    with pytest.raises(ValueError, match="number of steps"):
        layers.forward(params, np.zeros((4, 3, 5)), initial)
    with pytest.raises(ValueError, match="4 steps, xs has 5"):
        layers.forward(params, 5, initial)


def test_missing_states_and_seeds_mean_zero() -> None:
    mod = module("lstm")
    params, xs, initial, seeds = problem(mod, SHAPES[0])
    zero = {state: np.zeros_like(value) for state, value in initial.items()}
    np.testing.assert_array_equal(mod.forward(params, xs).states["h"], mod.forward(params, xs, zero).states["h"])
    trace = mod.forward(params, xs, {"h": initial["h"]})
    alone = mod.backward(trace, {"h": seeds["h"]})
    both = mod.backward(trace, {"h": seeds["h"], "c": np.zeros_like(seeds["c"])})
    np.testing.assert_array_equal(alone.params["W_i"], both.params["W_i"])


@pytest.mark.parametrize("name", sorted(CELLS))
@pytest.mark.parametrize("empty", ["T", "B"])
def test_no_steps_or_no_sequences_give_zero_gradients(name: str, empty: str) -> None:
    mod = module(name)
    params, xs, initial, seeds = problem(mod, {**SHAPES[0], empty: 0})
    gradients = mod.backward(mod.forward(params, xs, initial), seeds)
    for key, value in params.items():
        assert gradients.params[key].shape == value.shape and not gradients.params[key].any()
    for state, value in initial.items():
        assert gradients.initial[state].shape == value.shape
    assert mod.INPUT is None or gradients.inputs.shape == xs.shape


def test_not_a_number_and_infinity_pass_through() -> None:
    mod = module("lstm")
    params, xs, initial, seeds = problem(mod, SHAPES[0])
    xs[2, 1, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's own word on nan and inf
        states = mod.forward(params, xs, initial).states["h"]
        assert np.isnan(states[2:, 1]).all() and np.isfinite(states[:2]).all() and np.isfinite(states[:, [0, 2]]).all()
        xs[2, 1, 0] = np.inf
        trace = mod.forward(params, xs, initial)
        assert np.isfinite(trace.states["h"]).all()  # saturated, as tanh and the sigmoid are
        mod.backward(trace, seeds)


def test_large_arguments_do_not_overflow() -> None:
    for name in ("rnn_sigmoid", "rnn_softplus", "rnn_elu", "rnn_selu", "rnn_swish", "rnn_softsign", "rnn_gelu"):
        mod = module(name)
        params, xs, initial, seeds = problem(mod, {**SHAPES[0], "T": 1}, np.float32)
        for scale in (-1e4, 1e4):
            trace = mod.forward({**params, "b": np.full_like(params["b"], scale)}, xs, initial)
            assert np.isfinite(trace.states["h"]).all(), name
            assert np.isfinite(mod.backward(trace, seeds).params["W"]).all(), name


def test_memory_is_linear_in_the_number_of_steps() -> None:
    mod = module("lstm")

    def held(steps: int) -> int:
        params, xs, initial, _ = problem(mod, {**SHAPES[0], "T": steps})
        trace = mod.forward(params, xs, initial)
        owners = {id(a if a.base is None else a.base): (a if a.base is None else a.base) for a in trace.tape.values()}
        return sum(array.nbytes for array in owners.values())

    short, long = held(100), held(400)
    assert 3.9 < long / short < 4.0


@pytest.mark.parametrize("name", activations.names())
def test_activations_without_recurrence_keep_the_dtype(name: str) -> None:
    """All steps at once: every array is new, none is written into one of the right dtype."""
    function = activations.named(name)
    W, x, y = (
        sp.MatrixSymbol("W", *sp.symbols("k input")),
        sp.MatrixSymbol("x", sp.Symbol("input"), 1),
        sp.MatrixSymbol("y", sp.Symbol("k"), 1),
    )
    cell = Cell.from_sympy("flat", {y: expressions.apply(function, W * x)}, previous={y: None}, inputs=[x])
    mod = build(cell)
    for dtype in (np.float32, np.float64):
        params, xs, _, _ = problem(mod, SHAPES[0], dtype)
        trace = mod.forward({"W": np.abs(params["W"])}, np.abs(xs) + dtype(0.1))
        gradients = mod.backward(trace, {"y": np.ones_like(trace.states["y"])})
        assert {a.dtype for a in (trace.states["y"], gradients.inputs, gradients.params["W"])} == {np.dtype(dtype)}
        assert all(array.dtype == dtype for array in trace.tape.values() if isinstance(array, np.ndarray))


OPEN_SIZES = r"""$$
\begin{align}
c_t &= c_{t-1} + \tanh(V [m_{t-1}; x_t] + b) \\
m_t &= 0.5 m_{t-1} + m_{t-1} \odot m_{t-1}
\end{align}
$$"""


def test_sizes_come_from_the_parameters_the_inputs_and_the_initial_states_together() -> None:
    mod = build(read_text(OPEN_SIZES, name="open_sizes")[0])
    assert mod.PARAMETERS["V"] == ("c_size", "hidden+input")
    params, xs, initial, seeds = problem(mod, {**SHAPES[0], "c_size": 7})
    whole = mod.forward(params, xs, initial)
    found = mod.backward(whole, seeds)
    expected = complex_step(params["V"], lambda v: loss(mod, {**params, "V": v}, xs, initial, seeds))
    close(found.params["V"], expected, "V")
    # V's columns and xs show what m's rows are
    without_m = mod.forward(mod.prepare(params), xs, {"c": initial["c"]})
    assert without_m.states["m"].shape == (*xs.shape[:2], 5) and not without_m.states["m"].any()
    with pytest.raises(ValueError, match=r"'V' has shape \(7, 7\); it should be \(c_size, hidden\+input\) = \(7, 6\)"):
        mod.forward(params, xs, {"m": initial["m"][:, :-1]})
    with pytest.raises(ValueError, match=r"'V' has shape \(7, 1\); it should be \(c_size, hidden\+input\)"):
        mod.forward({**params, "V": params["V"][:, :1]}, xs, {"m": initial["m"]})


LONELY = r"""$$
\begin{align}
m_t &= 0.5 m_{t-1} + m_{t-1} \odot m_{t-1} \\
c_t &= \tanh(U x_t + (m_{t-1}^\top m_{t-1}) c_{t-1})
\end{align}
$$"""


def test_a_size_that_nothing_shows_is_named() -> None:
    mod = build(read_text(LONELY, name="lonely")[0])
    params, xs, initial, _ = problem(mod, {**SHAPES[0], "m_size": 7, "c_size": 2})
    with pytest.raises(ValueError, match=r"the size '\w+' is open: neither the parameters nor xs .* give initial state 'm'"):
        mod.forward(params, xs)
    assert mod.forward(params, xs, {"m": initial["m"]}).states["m"].shape == (4, 3, initial["m"].shape[1])


def test_what_another_cell_made_is_refused() -> None:
    """The modules of the package share the types of what they return."""
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=(5,) if len(shape) == 1 else (5, 5)) for name, shape in gru.PARAMETERS.items()}
    trace = gru.forward(gru.prepare(params), rng.normal(size=(3, 2, 5)))
    with pytest.raises(ValueError, match="prepared for another cell; this one has W_hbar, R_hbar"):
        lstm.forward(gru.prepare(params), rng.normal(size=(3, 2, 5)))
    with pytest.raises(ValueError, match="of another cell; this one has the states h, c"):
        lstm.backward(trace, {})
