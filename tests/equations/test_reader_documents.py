"""Whole documents: prose, code, several systems, what is passed over, how bad text is met, and that nothing is ever run."""

from __future__ import annotations

import builtins
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnproof.equations import reader, source
from rnnproof.equations.reading import PassedOver
from rnnproof.errors import EquationError, RnnproofError, UsageError

LESSON = r"""# 再帰型ネットワーク

行列に対する $||A||_2 = \sqrt{\Sigma_{i=1}^m a_{ij}^2 }$ と系列長 $T=100$、初期値 $h_0 = 0$ を使う。
第l層の出力を $o^{(l)} = f^{(l)}(o^{(l-1)})+o^{(l-1)}$ とする。`$h_t = x_t$` はコード。値段は \$5 と \$6。

```python
h_t = "$$h_t = W h_{t-1}$$"  # not mathematics
```

状態は $c_t$ と $h_t$:

$$
\begin{eqnarray}
\bar{h}_t & = & \tanh(W_\bar{h}x_t+R_\bar{h}h_{t-1}+b_\bar{h}) \\
c_t & = & i_t \odot \bar{h}_t+f_t \odot c_{t-1} \\
h_t & = & o_t\odot \tanh (c_t)
\end{eqnarray}
$$

ゲート $i_t、f_t、o_t$ は次の通り。

$$
\begin{eqnarray}
i_t & = & \sigma(W_ix_t+R_ih_{t-1}+b_i) \\
f_t & = & \sigma(W_fx_t+R_fh_{t-1}+b_f) \\
o_t & = & \sigma(W_ox_t+R_oh_{t-1}+b_o) \\
\end{eqnarray}
$$

損失は

$$ L = \sum_t \|y - h\|^2 $$
"""


def test_a_lesson_holds_two_systems(tmp_path: Path) -> None:
    path = tmp_path / "lesson 3.md"
    path.write_text(LESSON, encoding="utf-8")
    shortcut, lstm = reader.read(path)
    assert (shortcut.name, lstm.name) == ("lesson_3_o", "lesson_3_h")
    assert (shortcut.index, shortcut.inputs, shortcut.open_functions) == ("l", (), ("f",))
    assert [state.name for state in lstm.states] == ["h", "c"]
    assert [p.name for p in lstm.parameters] == [f"{m}_{g}" for g in ("hbar", "i", "f", "o") for m in "WRb"]
    assert [e.symbol.name for e in lstm.equations] == ["hbar", "i", "f", "c", "o", "h"]
    assert lstm.equations[0].where == "lesson 3.md:14"


def test_what_is_passed_over_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "lesson.md"
    path.write_text(LESSON, encoding="utf-8")
    listed = {over.tex: (over.line, over.reason) for over in reader.read_report(path).passed_over}
    assert listed["T=100"] == (3, "a value, no equation")
    assert listed["h_0 = 0"] == (3, "a value, no equation")
    assert listed["c_t"] == (10, "no definition")
    assert listed["i_t、f_t、o_t"] == (20, "no definition")
    assert "is not understood" in listed[r"||A||_2 = \sqrt{\Sigma_{i=1}^m a_{ij}^2 }"][1]
    assert listed[r"L = \sum_t \|y - h\|^2"][0] == 32
    assert not any("x_t" in tex for tex in listed)


def test_a_condition_is_listed() -> None:
    page = source.Page("notes", r"$$h_t = \tanh(W x_t + R h_{t-1}), \quad t \geq 1$$")
    assert reader.read_page(page, "notes").passed_over == (PassedOver(1, r"t \geq 1", "no definition", "notes:1"),)


def test_a_tex_document(tmp_path: Path) -> None:
    path = tmp_path / "paper.tex"
    path.write_text(
        "\\documentclass{article} % costs $5\n\\begin{document}\n\\begin{verbatim}\n$$h_t = h_{t-1}$$\n\\end{verbatim}\n"
        "\\begin{align}\n  h_t &= \\tanh(W x_t  % $ input\n  + R h_{t-1}) \\label{h}\n\\end{align}\n\\end{document}\n",
        encoding="utf-8",
    )
    (cell,) = reader.read(path)
    assert cell.name == "paper"
    assert [p.name for p in cell.parameters] == ["W", "R"]
    assert cell.equations[0].where == "paper.tex:7"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        reader.read(tmp_path / "missing.md")
    binary = tmp_path / "binary.md"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EquationError, match="UTF-8"):
        reader.read(binary)


LARGE = {
    "10 MB": ("a" * 10_000_000, "characters, at most"),
    "10,000 parentheses": ("$$h_t = " + "(" * 10_000 + "x" + ")" * 10_000 + "$$", "nested deeper"),
    "10,000 inline parentheses": ("$" + "(" * 10_000 + "$", "nested deeper"),
    "a long equation": ("$$h_t = " + "+".join(["x_t"] * 5_000) + "$$", "write it in steps"),
    "many equations": ("$$h_t = x_t$$\n" * 2_000, "equations, at most"),
    "many code spans": ("`a` `` " * 70_000 + "$h_t$", "no system of equations"),
    "unclosed parentheses": (r"\(" * 400_000, "never closed"),
    "unclosed displays": ("$$ x" + "$$ $$" * 150_000, "never closed"),
    "accents on accents": (r"$$h_t = " + r"\bar" * 900 + " x$$", "nested too deeply"),
}


@pytest.mark.parametrize("case", LARGE)
def test_large_input_is_refused_at_once(case: str) -> None:
    text, words = LARGE[case]
    start = time.perf_counter()
    with pytest.raises(EquationError, match=words):
        reader.read_text(text)
    assert time.perf_counter() - start < 2.0  # a linear scan of 10 MB takes some 10 ms; the rest is a slow machine's margin


PIECES = st.sampled_from(
    [*"hxWRbctl_^{}()[]+-*/=,;&$' \n1", "h_t", "h_{t-1}", "=", "$$", r"\\", r"\tanh(", ")", r"\odot ", r"\bar", r"\text{", "}"]
    + [
        r"\begin{align}",
        r"\end{align}",
        r"\frac",
        r"\in",
        r"\mathbb{R}",
        r"^\top",
        r"\left(",
        r"\right)",
        "I",
        "f(x)",
        r"\sigma",
    ]
    + ["__import__('os')", r"\begin{bmatrix}", r"\end{bmatrix}", r"\alpha", "x_t", "W x_t", "+ R h_{t-1}", "h_t = ", "%", "`"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_no_text_raises_anything_else(text: str) -> None:
    for wrapped in (text, f"$$h_t = W h_{{t-1}} + {text}$$", f"${text}$"):
        try:
            reader.read_text(wrapped)
        except RnnproofError as error:
            assert str(error)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_no_characters_raise_anything_else(text: str) -> None:
    try:
        reader.read_text(f"$$h_t = \\tanh(W x_t + {text})$$")
    except RnnproofError as error:
        assert str(error)


def test_nothing_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    texts = [
        r"$$h_t = \text{__import__('os').system('true')} h_{t-1}$$",
        r"$$h_t = \mathrm{eval}(x_t) + h_{t-1}$$",
        r"$$\text{exec} = h_{t-1}$$",
        r"$$h_t = \operatorname{lambda: 0} h_{t-1}$$",
    ]
    for text in texts:
        for name in ("eval", "exec"):
            monkeypatch.setattr(builtins, name, lambda *args, **kwargs: ran.append(args))
        try:
            reader.read_text(text)
        except RnnproofError:
            pass
        monkeypatch.undo()
    assert not ran


def test_equations_are_not_cut_inside_spelt_out_brackets() -> None:
    """The rest of the display would be passed over, and what it defines taken for an input."""
    text = r"\[h_t = \tanh(W a_t + R h_{t-1}), a_t = \lbrack x_t; v \rbrack, y_t = V a_t\]"
    (cell,) = reader.read_text(text, name="brackets")
    assert {state.name for state in cell.states} == {"h", "y"}
    assert [symbol.name for symbol in cell.inputs] == ["x"]
