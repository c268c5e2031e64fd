"""Whatever a parameter, a state or an input is called, its module is the same module: no name of the cell meets one of ours."""

from __future__ import annotations

import ast
import io
import keyword
import runpy
import token
import tokenize

import numpy as np
import pytest

import rnnproof as rp
from rnnproof.equations import activations
from rnnproof.generation.numpy import names as words
from rnnproof.generation.numpy.names import RESERVED, identifier
from rnnproof.generation.numpy.template import FILLED
from rnnproof.generation.numpy.validation import ValidationError, execution, validate
from rnnproof.generation.pipeline import pipeline

PAIRED = ["np", "xs", "steps", "isinstance", "first", "seeds", "work_1", "h_seq", "n_hidden"]


def document(parameter: str = "b", state: str = "h", entered: str = "x") -> str:
    """A cell whose bias, state and input have these names."""
    bias, new, old, x = (
        rf"\text{{{parameter}}}",
        *(rf"\text{{{state}}}_{{{t}}}" for t in ("t", "t-1")),
        rf"\text{{{entered}}}_t",
    )
    return rf"$${new} = \tanh(W {x} + R {old} + {bias}) \odot {old} + {bias}$$ with the input ${x}$"


def names_in(text: str) -> set[str]:
    """Every identifier of a Python text."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {one.string for one in tokens if one.type == token.NAME and not keyword.iskeyword(one.string)}


def results(parameter: str, state: str, entered: str) -> tuple[np.ndarray, ...]:
    """Output and all gradients at one point, by position."""
    module = rp.build(rp.read_text(document(parameter, state, entered), name="named")[0])
    rng = np.random.default_rng(7)
    weights, recurrent, bias, x, old, seed = (
        rng.normal(size=shape) for shape in ((3, 4), (3, 3), 3, (5, 2, 4), (2, 3), (5, 2, 3))
    )
    params = {"W": weights, "R": recurrent, parameter: bias}
    trace = module.forward(params, x, {state: old})
    gradients = module.backward(trace, {state: seed})
    one = module.step(params, x[0], {state: old})
    given = [gradients.params[name] for name in ("W", "R", parameter)]
    return trace.states[state], *given, gradients.inputs, gradients.initial[state], one[state]


def same(parameter: str = "b", state: str = "h", entered: str = "x") -> None:
    for mine, plain in zip(results(parameter, state, entered), results("b", "h", "x"), strict=True):
        np.testing.assert_array_equal(mine, plain)


def ours() -> list[str]:
    """What generated modules of several kinds use, without what came from the cells."""
    texts = [rp.generate(rp.load(name)) for name in ("lstm", "shortcut", "gru")] + [
        rp.generate(rp.read_text(r"$h_t = \mathrm{gelu}(W x_t) + R h_{t-1}$, where $R \in \mathbb{R}^{n \times n}$")[0])
    ]
    return sorted(set().union(*map(names_in, texts)))


def usable(name: str) -> bool:
    return (
        name[0].isalpha()
        and name not in ("W", "R", "b", "h", "h_prev", "x", "Array")
        and name not in ("t", "where", "y")  # the step's letter as a number, and words between equations, are refused
        and "__" not in name
        and name not in keyword.softkwlist
        and activations.find(name) is None  # a function
    )


def test_no_two_names_become_one() -> None:
    names = [name + "_" * count for name in [*ours(), *PAIRED] for count in range(4)]
    distinct = set(names)
    assert len({identifier(name) for name in distinct}) == len(distinct)


def test_what_modules_of_different_cells_have_in_common_is_ours() -> None:
    """A name that occurs whatever a cell's symbols are called is the module's own; a cell that has it must get another one.

    Only the functions in which a cell's variables live matter, and there only names, not attributes (np.empty).
    a, tanh_a and d_a are values of either cell.
    """
    texts = [
        rp.generate(rp.read_text(rf"$${s}_t = \tanh({a} {x}_t + {c} {s}_{{t-1}} + {b}) \odot {s}_{{t-1}}$$")[0])
        for s, a, x, c, b in (("h", "W", "x", "R", "b"), ("q", "A", "y", "C", "e"))
    ]
    common = set.intersection(*map(read_beside_the_cells_variables, texts))
    assert {"np", "params", "trace", "steps"} <= common
    assert {name for name in common if identifier(name) == name and "a" not in name.split("_")} == set()


def test_the_validation_refuses_a_line_that_takes_a_reserved_name() -> None:
    """So what RESERVED keeps from cells and what the lines between may call their own are the same names."""
    cell = rp.load("simple_rnn")
    lowered = pipeline(cell)
    good = rp.generate(cell)
    for name in ("first", "fixed", "seeds", "steps", "np", "_rows"):
        line = f"    {name} = np.empty((n_hidden, batch), dtype)\n    states = {{"
        with pytest.raises(ValidationError, match="a meaning of its own|should not stand here"):
            validate(good.replace("    states = {", line), lowered.forward.program, lowered.backward.program)


def test_a_name_that_is_not_reserved_stops_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("seeds", "steps", "fixed"):
        monkeypatch.setattr(words, "RESERVED", RESERVED - {name})
        with pytest.raises(AssertionError, match=name):
            runpy.run_path(execution.__file__)


def read_beside_the_cells_variables(text: str) -> set[str]:
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    living = [node for node in functions if node.name in FILLED]
    assert len(living) >= 3
    return {node.id for function in living for node in ast.walk(function) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("name", [name for name in PAIRED if usable(name)])
@pytest.mark.parametrize("role", ["parameter", "state", "entered"])
def test_a_name_of_ours_in_every_role(name: str, role: str) -> None:
    same(**{role: name})


@pytest.mark.parametrize("name", ["np", "xs", "steps", "work_1"])
def test_a_name_beside_itself_with_an_underscore(name: str) -> None:
    same(parameter=name, state=f"{name}_")
    same(parameter=f"{name}_", entered=name)


@pytest.mark.long
@pytest.mark.parametrize("role", ["parameter", "state", "entered"])
def test_every_word_of_a_module_in_every_role(role: str) -> None:
    for word in ours():
        for name in (word, f"{word}_", f"{word}_1", f"{word}_2"):
            if usable(name):
                same(**{role: name})


@pytest.mark.parametrize("word", ["y", "where", "con"])
def test_a_word_between_equations_is_a_name_where_it_has_a_script(word: str) -> None:
    same(state=word)
    same(entered=word)
