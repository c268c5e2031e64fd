"""Documents that once broke something, each with its one message or its right result: proved, and equal to the complex step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rnnproof as rp
from rnnproof.cli import main
from tests import fuzzing
from tests.programs.benchmarks.growth import chain, dense, gates, squares, stack, states, terms

pytestmark = [pytest.mark.slow]

REFUSED = {
    "a coefficient that is 0 / 0": (r"$$h_t = \frac{0}{1-1} h_{t-1} + W x_t$$", "the constant nan is undefined"),
    "a coefficient that is 1 / 0": (r"$$h_t = \frac{1}{1-1} h_{t-1} + W x_t$$", "the constant zoo is undefined"),
    "a divisor that cancels": (
        r"$$h_t = \frac{1}{\alpha - \alpha} h_{t-1} + W x_t$$",
        "divides by 0",
    ),
    "four hundred digits": (rf"$$h_t = {'9' * 400} h_{{t-1}} + W x_t$$", "float64"),
    "a sign that is no letter": ("$$h_t = \\tanh(Ω x_t + \u03a2 h_{t-1})$$", r"'\\u03a2' is not understood"),
    "no end of a product": (r"$$h_t = \tanh(W x_t + " + "R " * 300 + "h_{t-1})$$", "a product of 301 factors, at most 50"),
    "no end of a column": (r"$$h_t = " + "[" * 300 + r"x_t + h_{t-1}$$", "close it|nested|deep"),
    "brackets without end": (r"$$h_t = \tanh(" + "(" * 5000 + r"x_t" + ")" * 5000 + r" + R h_{t-1})$$", "deep|nested|long"),
}
NAMED = ("first", "seeds", "isinstance", "values", "np", "steps", "work_1", "xs", "Mapping", "packed", "trace", "out")
RIGHT = {
    **{f"a bias called {name}": rf"$$h_t = \tanh(W x_t + R h_{{t-1}} + \text{{{name}}})$$" for name in NAMED},
    "a state called work_1": r"$$\text{work_1}_t = \tanh(W x_t + R \text{work_1}_{t-1} + b)$$",
    "np beside np_": r"$$\text{np}_t = \tanh(W \text{np_}_t + R \text{np}_{t-1})$$",
    "a size that only I shows": r"$$h_t = \alpha h_{t-1} + I x_t$$",
    "one letter in two forms": r"$$h_t = \lambda \odot h_{t-1} + λ \odot W x_t$$",
    "columns in columns": r"$$h_t = \tanh(W " + "[" * 12 + "x_t" + "; x_t]" * 12 + r" + R h_{t-1})$$",
    "0 times what has no bound": r"$$h_t = h_{t-1} 99999999999999999999 \odot 0 + R h_{t-1}$$",
    "one vector 40 times": r"$$h_t = \tanh(W x_t) \odot " + r" \odot ".join(["h_{t-1}"] * 40) + r" + \sigma(R h_{t-1})$$",
    "a chain of 8": chain(8),
    "16 squarings": squares(16),
    "20 squarings": squares(20),
    "20 that read all before them": dense(20),
    "three GRUs on one another": stack(3),
    "20 states in a ring": states(20),
    "50 gates": gates(50),
    "a sum of 200": terms(200),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("command", ["derive", "prove", "generate", "check", "report"])
def test_one_message_and_nothing_written(
    name: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, words = REFUSED[name]
    Path("hostile.md").write_text(text, encoding="utf-8")
    assert main([command, "hostile.md"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.splitlines()) <= 24 and len(told.err) < 3000
    assert re.search(words, told.err), told.err
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.md"]


@pytest.mark.parametrize("name", RIGHT)
def test_read_proved_and_right(name: str) -> None:
    (cell,) = rp.read_text(RIGHT[name])
    assert rp.derive(cell).text()
    assert rp.prove(cell).proved
    if "squarings" in name or "40 times" in name:  # high powers: every number is 0 or infinite
        assert rp.generate(cell)
        return
    evidence = rp.check(cell, oracles=["complex"], dtypes=["float64"], sizes=[{"T": 3, "B": 2}])
    assert evidence.ok, str(evidence)


def test_the_first_of_the_fuzzer_s_documents() -> None:
    """`python -m tests.fuzzing` runs 20,000; these see that it runs at all, and on the page's examples too."""
    assert any(r"h^{<t>}" in text for text in fuzzing.corpus())
    found = [fuzzing.outcome(text) for text in fuzzing.documents(100, 0)]
    assert {what for what, _, _ in found} == {"read", "refused"}, found
