"""`examine`: its arguments, its three depths, its words, and what it says of bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnproof as rp
from rnnproof.cli import main
from rnnproof.doctor import examine
from rnnproof.errors import UsageError
from rnnproof.testing import assert_healthy
from tests.doctor.patients import captaine_rnn, vzhou842_rnn

Array = np.ndarray[Any, Any]


def rnn(change: Callable[[dict[str, Array]], dict[str, Array]] = lambda gradients: gradients, dtype: type = np.float64) -> Any:
    """make(T, B, rng) of a simple RNN with right gradients, changed at the end."""

    def make(T: int, B: int, rng: np.random.Generator) -> Any:
        P = {k: (0.6 * rng.normal(size=s)).astype(dtype) for k, s in dict(W=(4, 3), R=(4, 4), b=(4,), x=(T, B, 3)).items()}
        seeds = rng.normal(size=(T, B, 4)).astype(dtype)

        def states() -> list[Array]:
            hs = [np.zeros((B, 4), dtype)]
            for x in P["x"]:
                hs.append(np.tanh(x @ P["W"].T + hs[-1] @ P["R"].T + P["b"]))
            return hs

        def claimed() -> dict[str, Array]:
            hs, g = states(), {k: np.zeros_like(v) for k, v in P.items()}
            dh = np.zeros((B, 4), dtype)
            for t in reversed(range(T)):
                raw = (seeds[t] + dh) * (1 - hs[t + 1] ** 2)
                g["W"] += raw.T @ P["x"][t]
                g["R"] += raw.T @ hs[t]
                g["b"] += raw.sum(0)
                g["x"][t], dh = raw @ P["W"], raw @ P["R"]
            return change(g)

        return (lambda: float(sum(np.sum(s * h) for s, h in zip(seeds, states()[1:], strict=True)))), P, claimed

    return make


def test_a_healthy_pass_is_said_to_be_healthy_in_one_line() -> None:
    report = assert_healthy(rnn(), cell="simple_rnn")
    assert report.ok and not report.wrong and not report.mistakes
    assert str(report).startswith("healthy: 4 gradients agree with differences of the loss at T = 1 to 8, B = 1, 2, 3")
    assert "\n" not in str(report)


def test_float32_is_told_and_no_fault() -> None:
    report = examine(rnn(dtype=np.float32), cell="simple_rnn")
    assert report.ok and report.precision == "float32"
    assert "float32" in str(report)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda g: {k: 2 * v for k, v in g.items()}, "wrong-factor"),
        (lambda g: {**g, "W": -g["W"]}, "wrong-factor"),
        (lambda g: {k: v / g["x"].shape[0] for k, v in g.items()}, "scaled-by-time"),
        (lambda g: {k: v / g["x"].shape[1] for k, v in g.items()}, "scaled-by-batch"),
        (lambda g: {k: np.clip(v, -0.3, 0.3) for k, v in g.items()}, "clipped-by-value"),
        (lambda g: {**g, "x": 0 * g["x"]}, "input-gradient-zero"),
    ],
)
@pytest.mark.parametrize("cell", [None, "simple_rnn"])
def test_what_happens_to_a_gradient_at_the_end(change: Any, kind: str, cell: str | None) -> None:
    """Level 0 names scales and limits without the cell, level 2 with it; a zero is a signature without a cell."""
    report = examine(rnn(change), cell=cell)
    if kind == "input-gradient-zero" and cell is None:
        assert report.kinds == () and report.arrays["x"].signature == "zero"
    else:
        assert report.kinds == (kind,)
    assert report.ok is (kind == "clipped-by-value")


def test_a_mistake_outside_the_table_has_no_name() -> None:
    """It says where and since when, and that it has no name; what is right stays right."""

    def odd(g: dict[str, Array]) -> dict[str, Array]:
        return {**g, "R": g["R"] + 0.01 * np.sign(g["R"]) * len(g["x"]) ** 0.5}

    report = examine(rnn(odd), cell="simple_rnn")
    assert report.kinds == () and report.unnamed == ("R",) and not report.ok
    assert dict(report.wrong) == {"R": 2}  # at T = 1 the state before is zero, and so is R's gradient
    assert "no mistake of the table explains R" in str(report)
    assert [name for name, array in report.arrays.items() if array.verdict == "right"] == ["W", "b", "x"]


def test_a_gradient_that_is_not_claimed_is_left_out() -> None:
    report = examine(rnn(lambda g: {**g, "x": None, "b": None}), cell="simple_rnn")  # type: ignore[dict-item]
    assert report.ok and report.arrays["x"].verdict == report.arrays["b"].verdict == "not claimed"
    assert "not claimed" not in report.arrays["W"].verdict


def test_gradients_that_are_only_applied_are_read_as_old_less_new() -> None:
    rng = np.random.default_rng(0)
    net = vzhou842_rnn.RNN(3, 2, 4, rng)
    xs, seed = [rng.normal(size=(3, 1)) for _ in range(4)], 0.02 * rng.normal(size=(2, 1))
    arrays = {name: getattr(net, name) for name in ("Whh", "Wxh", "Why", "bh", "by")}
    report = examine(
        lambda: float(np.sum(seed * net.forward(xs))),
        arrays,
        step=lambda: net.backprop(seed, learn_rate=0.5),
        rate=0.5,
        cell="simple_rnn",
    )
    assert report.kinds == ("carry-untransposed",)
    assert set(report.wrong) == set(vzhou842_rnn.WRONG_FROM)


@pytest.mark.slow
def test_a_cell_of_ones_own_equations() -> None:
    """The forget gate of a minimal gated unit, its derivative forgotten: named in the document's own letters."""
    cell = rp.read_text(
        "f_t = \\sigma(W_f x_t + R_f h_{t-1} + b_f)\n"
        "\\bar{h}_t = \\tanh(W_h x_t + R_h (f_t \\odot h_{t-1}) + b_h)\n"
        "h_t = (1 - f_t) \\odot h_{t-1} + f_t \\odot \\bar{h}_t",
        name="mgu",
    )[0]

    def make(T: int, B: int, rng: np.random.Generator) -> Any:
        shapes = dict(Wf=(3, 4), Uf=(4, 4), bf=(4,), Wh=(3, 4), Uh=(4, 4), bh=(4,), x=(B, T, 3))
        P = {k: 0.6 * rng.normal(size=s) for k, s in shapes.items()}
        seeds = rng.normal(size=(B, T, 4))

        def run() -> tuple[float, list[Any]]:
            h, tape, total = np.zeros((B, 4)), [], 0.0
            for t in range(T):
                x = P["x"][:, t]
                f = 1 / (1 + np.exp(-(x @ P["Wf"] + h @ P["Uf"] + P["bf"])))
                g = np.tanh(x @ P["Wh"] + (f * h) @ P["Uh"] + P["bh"])
                tape.append((x, h, f, g))
                h = (1 - f) * h + f * g
                total += float(np.sum(seeds[:, t] * h))
            return total, tape

        def claimed() -> dict[str, Array]:
            g = {k: np.zeros_like(v) for k, v in P.items()}
            dh = np.zeros((B, 4))
            for t, (x, h, f, c) in reversed(list(enumerate(run()[1]))):
                d = seeds[:, t] + dh
                ac = d * f * (1 - c**2)
                dfh = ac @ P["Uh"].T
                af = (d * (c - h) + dfh * h) * f  # <-- * f * (1 - f)
                for k, a, left in (("f", af, h), ("h", ac, f * h)):
                    g["W" + k] += x.T @ a
                    g["U" + k] += left.T @ a
                    g["b" + k] += a.sum(0)
                g["x"][:, t] = af @ P["Wf"].T + ac @ P["Wh"].T
                dh = d * (1 - f) + dfh * f + af @ P["Uf"].T
            return g

        return (lambda: run()[0]), P, claimed

    report = examine(make, cell=cell)
    assert report.kinds == ("wrong-derivative-function",)
    assert report.mistakes[0].where == "d_a_f"


@pytest.mark.slow
def test_the_forward_pass_is_another_cell() -> None:
    """It is said first, with the cell of the catalogue that it is; the gradients of that cell are right."""

    def make(T: int, B: int, rng: np.random.Generator) -> Any:
        module: Any = rp.build(rp.load("gru_reset_after"))
        sizes = {"hidden": 4, "input": 3}
        P = {k: 0.6 * rng.normal(size=[sizes[s] for s in shape]) for k, shape in module.PARAMETERS.items()}
        x, seeds = rng.normal(size=(T, B, 3)), rng.normal(size=(T, B, 4))

        def loss() -> float:
            return float(np.sum(seeds * module.forward(P, x).states["h"]))

        def claimed() -> dict[str, Array]:
            gradients = module.backward(module.forward(P, x), {"h": seeds})
            return {**gradients.params, "x": 2 * gradients.inputs}

        return loss, {**P, "x": x}, claimed

    report = examine(make, cell="gru")
    assert any("the forward pass is gru_reset_after, not gru" in note for note in report.notes)
    assert report.kinds == ("wrong-factor",) and dict(report.wrong) == {"x": 1}


def test_markdown_and_html_have_the_errors_by_length() -> None:
    report = examine(captaine_rnn.patient, cell="simple_rnn")
    assert report.markdown().startswith("**wrong: 3 of 5 gradients")
    assert "| U " in report.markdown() and "T=8" in report.markdown()
    page = report._repr_html_()
    assert page.count("<td style=") == sum(len(array.errors) for array in report.arrays.values())
    assert repr(report).startswith("<Report: wrong: 3 of 5")


def test_assert_healthy_fails_with_the_report() -> None:
    with pytest.raises(AssertionError, match="derivative-of-activated-value, in d_a_h"):
        assert_healthy(captaine_rnn.patient, cell="simple_rnn")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3,), "make"),
        ((lambda: 0.0, {}), "arrays: give a dict"),
        ((lambda: 0.0, {"W": [1.0]}, {}), "arrays\\['W'\\] is list"),
        ((lambda: 0.0, {"W": np.zeros(2, int)}, {}), "of int64"),
        ((lambda: 0.0, {"W": np.zeros(2)}), "claimed is missing"),
        ((lambda: 0.0, {"W": np.zeros(2)}, {"W": np.zeros(3)}), "shape \\(3,\\)"),
        ((lambda: "no", {"W": np.zeros(2)}, {"W": np.zeros(2)}), "single real number"),
        ((lambda T, B, rng: None,), "three things"),
        ((lambda T, B, rng: 1 / 0,), "ZeroDivisionError"),
    ],
)
def test_bad_input_gets_one_message(arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        examine(*arguments)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from tests.doctor.patients.captaine_rnn import patient as make\nfrom tests.doctor.test_examination import rnn\n"
    )
    assert main(["examine", str(file), "--cell", "simple_rnn", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["wrong"] == captaine_rnn.WRONG_FROM
    file.write_text("from tests.doctor.test_examination import rnn\nmake = rnn()\n")
    assert main(["examine", f"{file}:make", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("**healthy")
    assert main(["examine", f"{file}:other"]) == 2
    assert "has no function other" in capsys.readouterr().err
    assert main(["examine", str(file), "--cell", "nothing"]) == 2
