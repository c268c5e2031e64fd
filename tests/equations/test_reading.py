"""What a cell tells of how it was read; what a person declares; who is the input where there are several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rnnproof as rp
from rnnproof.equations import reader, reading
from rnnproof.errors import EquationError, UsageError

GATE = r"""$$z_t = \sigma(W x_t + U h_{t-1} + b), \quad h_t = z_t h_{t-1} + (1 - z_t) \odot f(V x_t)$$ with $h_0 = 0$"""


def test_a_reading_tells_roles_shapes_functions_assumptions_and_what_was_passed_over() -> None:
    (cell,) = rp.read_text(GATE, name="gate")
    read = cell.reading()
    assert [str(state) for state in read.states] == ["h (hidden)"]
    assert [str(one) for one in read.inputs] == ["x (input)"]
    assert [str(one) for one in read.parameters][:3] == ["W (hidden x input)", "U (hidden x hidden)", "b (hidden)"]
    assert read.functions == ("f",) and read.index == "t"
    assert [(what.tex, what.text) for what in read.assumed if what.tex != "f"] == [("z_t h_t", reading.SIDE_BY_SIDE)]
    assert [(over.tex, over.reason, over.where) for over in read.passed_over] == [("h_0 = 0", "a value, no equation", "gate:1")]
    for text in (str(read), read._repr_markdown_()):
        for words in ("hidden", "W", "gate:1", "h_0 = 0", reading.SIDE_BY_SIDE):
            assert words in text
    assert len(repr(read)) < 100
    assert json.loads(json.dumps(read.as_dict()))["states"][0]["name"] == "h"


def test_a_catalogue_cell_and_a_cell_of_sympy_have_readings_too() -> None:
    assert [one.name for one in rp.load("lstm").reading().states] == ["h", "c"]
    bound = rp.bind(rp.read_text(GATE)[0], f=r"o \mapsto \tanh(o)")
    assert bound.reading().functions == () and bound.reading().assumed  # what was assumed before is still so


@pytest.mark.parametrize(
    ("declared", "shape"),
    [("a: scalar", []), ("a: vector", ["hidden"]), ("a : Matrix", ["hidden", "hidden"]), ("a_t: scalar", [])],
)
def test_a_declaration_settles_what_the_text_leaves_open(declared: str, shape: list[str]) -> None:
    text = r"$$h_t = a h_{t-1} + W x_t$$"
    with pytest.raises(EquationError, match="could be a scalar, a vector or a matrix"):
        rp.read_text(text)
    (cell,) = rp.read_text(text, declared=[declared])
    assert list(next(one.shape for one in cell.reading().parameters if one.name == "a")) == shape


def test_what_is_declared_an_input_a_parameter_or_a_function_is_that() -> None:
    text = r"$$h_t = q_t \odot h_{t-1} + W x_t$$"
    assert [one.name for one in rp.read_text(text, declared=["q: input"])[0].inputs] == ["q", "x"]
    assert [p.name for p in rp.read_text(text, declared=["q_t: parameter"])[0].parameters if p.per_step] == ["q"]
    function = r"$$h_t = h_{t-1} + \delta(W x_t + R h_{t-1})$$"
    assert rp.read_text(function, declared=[r"\delta: activation"])[0].open_functions == ("delta",)
    assert rp.read_text(function, declared=["delta: scalar"])[0].open_functions == ()


@pytest.mark.parametrize("declared", ["a", "a: tensor", ": scalar", "a + b: scalar", "q: scalar"])
def test_a_declaration_that_says_nothing_is_refused(declared: str) -> None:
    with pytest.raises(UsageError, match="declar"):
        rp.read_text(r"$$h_t = (1 - a) h_{t-1} + W x_t$$", declared=[declared])


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        (r"where $a$ is a scalar", []),
        (r"The scalars $a$ and $b$ are learned.", []),
        (r"con $a$ escalar", []),
        (r"где $a$ --- скаляр", []),
        (r"$a$ は学習されるスカラーである", []),
        (r"其中标量 $a$ 是超参数", []),
        (r"$a$는 스칼라이다", []),
        (r"with $0 \le a < 1$", []),
        (r"for $a \in (0, 1]$", []),
    ],
)
def test_the_text_says_what_is_a_scalar(said: str, shape: list[str]) -> None:
    (cell,) = rp.read_text(rf"$$h_t = a h_{{t-1}} + W x_t$$ {said}.")
    assert list(next(one.shape for one in cell.reading().parameters if one.name == "a")) == shape


@pytest.mark.parametrize("said", ["and a scalar $c$.", "The scalar product; $a$ is learned.", r"$a$ has a norm. A scalar."])
def test_what_is_said_of_another_symbol_is_not_said_of_this_one(said: str) -> None:
    with pytest.raises(EquationError, match="could be a scalar"):
        rp.read_text(rf"$$h_t = a h_{{t-1}} + W x_t$$ Here $a$ is learned, {said}")


def test_a_file_of_macros(tmp_path: Path) -> None:
    (tmp_path / "macros.tex").write_text(r"\newcommand{\state}[1]{\mathbf{h}_{#1}} \def\act{\tanh}", encoding="utf-8")
    (tmp_path / "notes.md").write_text(r"$$\state{t} = \act(W x_t + R \state{t-1})$$", encoding="utf-8")
    with pytest.raises(EquationError, match="state"):
        reader.read(tmp_path / "notes.md")
    (cell,) = reader.read(tmp_path / "notes.md", macros=tmp_path / "macros.tex")
    assert [state.name for state in cell.states] == ["h"]


def test_a_document_of_several_files_tells_the_file(tmp_path: Path) -> None:
    (tmp_path / "main.tex").write_text("\\documentclass{article}\n\\begin{document}\n\\input{cell}\n\\end{document}", "utf-8")
    (tmp_path / "cell.tex").write_text("Text.\n\\[ h_t = \\tanh(W x_t + R h_{t-1}) \\]\n", "utf-8")
    (cell,) = reader.read(tmp_path / "main.tex")
    assert cell.equations[0].where == "cell.tex:2"
    (tmp_path / "cell.tex").write_text("\\[ h_t = \\tanh(W x_t + \\foo h_{t-1}) \\]\n", "utf-8")
    with pytest.raises(EquationError, match="cell.tex:1"):
        reader.read(tmp_path / "main.tex")


def test_a_container_that_is_not_read_is_told() -> None:
    text = "<math><mi>h</mi></math>\n\n$$h_t = \\tanh(W x_t + R h_{t-1})$$\n"
    (over,) = rp.read_text(text)[0].passed_over
    assert over.line == 1 and "not read" in over.reason
