"""No module is handed out whose text does not compute its Programs: planted faults are refused, healthy cells are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnproof.cli import main
from rnnproof.equations import catalogue
from rnnproof.equations.reader import read_text
from rnnproof.errors import GenerationError
from rnnproof.generation import build, generate, storage
from rnnproof.generation.numpy.module import print_module
from rnnproof.generation.numpy.validation import ValidationError, validate, validate_unrolled
from rnnproof.generation.numpy.validation.symbolic_values import Extents, Terms, at_most
from rnnproof.generation.pipeline import pipeline
from tests.generation.cells import CELLS
from tests.generation.planting import KINDS, every_cell, plant, table
from tests.generation.problems import SHAPES, close, complex_step, loss, problem

# Two products and an elementwise term in one sum: the second product's operand was once read through a view of an array that
# had been overwritten for the elementwise term's gradient.
VIEWED = r"""$$
\begin{align}
z_t &= \tanh(W x_t + U h_{t-1}) \\
h_t &= \sigma(R z_t + p \odot h_{t-1} + V h_{t-1})
\end{align}
$$"""


@pytest.mark.slow
def test_every_planted_fault_that_changes_a_number_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    outcomes = [outcome for cell in every_cell() for outcome in plant(cell, 3, rng)]
    with capsys.disabled():
        print(f"\n{table(outcomes)}")
    assert not [(o.cell, o.fault.what) for o in outcomes if o.changes and not o.refusal]
    assert {o.fault.kind for o in outcomes} == set(KINDS)
    assert sum(o.changes for o in outcomes) > 400
    # What changes nothing may pass: independent statements in another order compute the same values.
    assert sum(not o.refusal for o in outcomes) > 50


@pytest.mark.parametrize("steps", [None, 1, 3])
@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.slow
def test_no_healthy_cell_is_refused(fuse: bool, steps: int | None) -> None:
    for cell in every_cell():
        generate(cell, fuse=fuse, steps=steps)


def test_a_view_keeps_its_base() -> None:
    mod = build(read_text(VIEWED, name="viewed")[0])
    params, xs, initial, seeds = problem(mod, {**SHAPES[0], "z_size": 7, "h_size": 4})
    gradients = mod.backward(mod.forward(params, xs, initial), seeds)
    for key in params:
        close(
            gradients.params[key],
            complex_step(params[key], lambda v, key=key: loss(mod, {**params, key: v}, xs, initial, seeds)),
            key,
        )


def test_a_view_of_an_overwritten_array_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "VIEWS", ())
    with pytest.raises(ValidationError) as refusal:
        generate(read_text(VIEWED, name="viewed")[0])
    text = str(refusal.value)
    assert "cell viewed: backward, as generated: line" in text
    assert "may be a view of g_5_seq: it was taken of d_a_h, and g_5_seq now holds g_5" in text


def _always(self: Any, *_: Any) -> bool:
    return True


def _nothing(self: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("name", "wrong", "at_least"),
    [("_free", _always, 20), ("_idle", _always, 20), ("_carry_copies", _nothing, 1), ("_prefer_states", _nothing, 30)],
)
@pytest.mark.slow
def test_faults_of_storage_are_refused(
    name: str, wrong: Callable[..., Any], at_least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays shared while they are read, carries and states that are not handed on."""
    monkeypatch.setattr(storage._Assigner, name, wrong)
    refused = 0
    for cell in every_cell():
        try:
            print_module(pipeline(cell))
        except (ValidationError, KeyError):  # a state without its array cannot even be printed
            refused += 1
    assert refused >= at_least


def test_nothing_is_written_where_a_module_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(storage, "VIEWS", ())
    (tmp_path / "viewed.md").write_text(VIEWED)
    status = main(["generate", str(tmp_path / "viewed.md"), "--output", str(tmp_path / "viewed.py")])
    assert status == 70 and not (tmp_path / "viewed.py").exists()
    assert "this is a fault in rnnproof" in capsys.readouterr().err


def test_a_step_written_out_wrong_is_refused() -> None:
    cell = catalogue.load("simple_rnn")
    looped, straight = generate(cell), generate(cell, steps=3)
    validate_unrolled(straight, looped, 3, "simple_rnn")
    for old, new in (("h = h_seq[2]", "h = h_seq[1]"), ("d_a_h = d_a_h_seq[0]", "d_a_h = d_a_h_seq[1]")):
        assert old in straight
        with pytest.raises(ValidationError, match="written out for 3 steps"):
            validate_unrolled(straight.replace(old, new), looped, 3, "simple_rnn")
    with pytest.raises(ValidationError, match="2 steps"):
        validate_unrolled(straight, looped, 2, "simple_rnn")
    with pytest.raises(GenerationError, match="1 or more"):
        generate(cell, steps=0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("h_seq[0] = first", "xs[0] = first", "no part|does not know"),
        ("        a_h += work_1\n", "", r"at the end of a step|no value of the Program.*tanh|tanh\("),
        ("x_seq = xs.swapaxes(1, 2)", "x_seq = xs.swapaxes(0, 1)", "axes"),
        ("carry_h = np.zeros(", "carry_h = np.empty(", "nothing was written there yet"),
        ("np.empty((n_hidden, batch), dtype)\n    for h_prev", "np.empty((n_hidden, batch), float)\n    for h_prev", "dtype"),
        ("for seed_h, h, d_a_h in zip(seed_h_seq[::-1]", "for seed_h, h, d_a_h in zip(seed_h_seq", "runs forward in time"),
        ('"R": d_R', '"R": d_W', r"parameters\['R'\] should hold d_R"),
        ("np.tanh(a_h, out=h)", "np.tanh(a_h, out=h_prev)", "at the end of a step|h_seq"),
        ('"b": d_b[..., 0]', '"b": d_b', "in the shape of b"),
        ("d_h += seed_h", "seed_h += d_h", "belongs to the caller"),
        ("R_T = R.swapaxes(-1, -2)", "R_T = R", "no value of the Program"),
    ],
)
def test_a_fault_is_told_with_statement_array_and_value(old: str, new: str, message: str) -> None:
    lowered = pipeline(catalogue.load("simple_rnn"))
    text = print_module(lowered).text
    assert old in text
    with pytest.raises(ValidationError, match=message) as refusal:
        validate(text.replace(old, new), lowered.forward.program, lowered.backward.program)
    assert str(refusal.value).startswith("cell simple_rnn: ")


def test_row_numbers_have_an_order_only_where_it_holds_for_all_sizes() -> None:
    extents = Extents()
    n, m = extents.named("n"), extents.named("m")
    assert at_most(n, 2 * n) and at_most(n, n + m) and at_most(0, 1) and not at_most(2 * n, n)
    assert not at_most(n, m) and not at_most(m, n)
    assert extents.text(2 * n + m + 1) == "2*n + m + 1"


def test_a_stack_of_parts_is_what_it_was_before() -> None:
    terms = Terms()
    n = terms.extents.named("n")
    whole = terms.value((3 * n, 1), "input", "x")
    parts = [terms.part(whole, count * n, (count + 1) * n) for count in range(3)]
    assert terms.join(segment for part in parts for segment in part) == whole
    assert terms.part(whole, n, 3 * n) == terms.join((*parts[1], *parts[2]))
    assert terms.join((*parts[1], *parts[0])) != terms.join((*parts[0], *parts[1]))
    assert terms.join((*terms.zeros(n), *terms.zeros(2 * n))) == terms.zeros(3 * n)


def test_every_zoo_cell_is_among_them() -> None:
    assert len(list(every_cell())) >= len(CELLS)


# Found by somebody who set out to get a wrong number past the validation: each was accepted once.
BREAKS = {
    "a name rebound at the end of a step": ("simple_rnn", "out=d_h)\n    d_b", "out=d_h)\n        d_h = work_1\n    d_b"),
    "a parameter rebound at the end of a step": (
        "gru",
        "np.add(work_2, work_3, out=h)",
        "np.add(work_2, work_3, out=h)\n        R = R_hbar",
    ),
    "a loop's name after the loop": ("simple_rnn", 'states = {"h"', 'np.tanh(a_h, out=a_h)\n    states = {"h"'),
    "time that runs forward": ("simple_rnn", "zip(seed_h_seq[::-1]", "zip(seed_h_seq[::+1]"),
    "every other step": ("simple_rnn", "[::-1]", "[::-2]"),
    "a return ahead of the end": ("simple_rnn", "    d_b = _total", "    return Gradients({}, None, {})\n    d_b = _total"),
    "a return in the loop": ("simple_rnn", "np.tanh(a_h, out=h)", "np.tanh(a_h, out=h)\n        return None"),
    "an else behind the loop": ("simple_rnn", '    states = {"h"', '    else:\n        h_seq[1:] = R\n    states = {"h"'),
    "axes of a product": ("gru", "r_h_prev, out=work_2)", "r_h_prev, out=work_2, axes=[(-1, -2), (-2, -1), (-2, -1)])"),
    "a product in another dtype": ("gru", "r_h_prev, out=work_2)", "r_h_prev, out=work_2, dtype=np.float32, casting='unsafe')"),
    "a product into the caller's array": (
        "gru",
        "d_R = d_a_z_r_rows @ h_prev_columns",
        'd_R = np.matmul(d_a_z_r_rows, h_prev_columns, packed.given["R_z"])',
    ),
    "a concatenation into another array": (
        "gru",
        "[d_a_z_r_seq, d_a_hbar_seq], axis=1)",
        "[d_a_z_r_seq, d_a_hbar_seq], axis=1, out=d_a_z_r_seq)",
    ),
    "a copy that is none": ("gru", "d_b = _total(d_a_z_r_seq)", "d_b = _total(d_a_z_r_seq.astype(W_T.dtype, copy=False))"),
    "a batch of another length": ("simple_rnn", "    carry_h = np.zeros", "    batch = n_hidden\n    carry_h = np.zeros"),
    "sizes of somebody's own": (
        "simple_rnn",
        'n_hidden = sizes["hidden"]',
        'sizes = {"hidden": 3}\n    n_hidden = sizes["hidden"]',
    ),
    "three axes transposed": ("simple_rnn", "xs.swapaxes(1, 2)", "xs.swapaxes(1, 2).T.swapaxes(0, 1)"),
    "an unknown tuple": ("gru", "    x_seq = xs", "    nothing = R_hbar\n    R_hbar, nothing = R, R_hbar\n    x_seq = xs"),
    "rows that are not there": ("gru", "z_seq = W_x_seq[:, :n_hidden]", "z_seq = z_r_seq[:, 2 * n_hidden : 3 * n_hidden]"),
    "an array that only a table has": (
        "gru",
        "    work_1 = np.empty((2 * n_hidden, batch), dtype)",
        '    box = {"a": np.empty((2 * n_hidden, batch), dtype)}\n    work_1 = box["a"]\n    work_1 += b',
    ),
    "a statement between functions": ("simple_rnn", "\n\ndef backward", "\n\nnp = None\n\n\ndef backward"),
    "a decorated function": ("simple_rnn", "\ndef backward", "\n@cached\ndef backward"),
    "another default": ("simple_rnn", "initial: Mapping[str, Any] | None = None", "initial: Mapping[str, Any] | None = {}"),
    "a condition": ("simple_rnn", '    states = {"h"', '    if h_seq.fill(1.0):\n        raise ValueError\n    states = {"h"'),
    "a parameter's shape": ("simple_rnn", '"W": ("hidden", "input")', '"W": ("input", "hidden")'),
    "a state's size": ("simple_rnn", '"h": "hidden"', '"h": "input"'),
    "the input's size": ("simple_rnn", 'INPUT: str | None = "input"', 'INPUT: str | None = "hidden"'),
    "a table that is not made": ("simple_rnn", '    states = {"h"', '    stated = {"h"'),
    "a number that nothing is written to": (
        "simple_rnn",
        "work_1 = np.empty((n_hidden, batch), dtype)\n    for h_prev",
        "np.empty((n_hidden, batch), dtype)\n    for h_prev",
    ),
}


@pytest.mark.parametrize(("name", "old", "new"), BREAKS.values(), ids=BREAKS)
def test_what_once_got_past_is_refused(name: str, old: str, new: str) -> None:
    lowered = pipeline(catalogue.load(name))
    text = print_module(lowered).text
    assert old in text
    with pytest.raises(ValidationError, match=f"cell {name}"):
        validate(text.replace(old, new), lowered.forward.program, lowered.backward.program)


def test_a_late_packing_module_checks_and_packs_in_that_order() -> None:
    lowered = pipeline(read_text(r"$z_t = [o_t; x_t]$, $o_t = \tanh(Y [x_t; s_{t-1}])$, $s_t = 0.5 s_{t-1}$", name="late")[0])
    text = print_module(lowered).text
    assert "_pack(" in text
    for old, new in (
        ("return Packed(sizes, given, {})", 'given["Y"] += 1\n    return Packed(sizes, given, {})'),
        ("    packed = packed._replace(arrays=_pack(packed.given, sizes))\n", ""),
    ):
        assert old in text
        with pytest.raises(ValidationError, match="cell late"):
            validate(text.replace(old, new), lowered.forward.program, lowered.backward.program)


@pytest.mark.parametrize("name", ["first", "seeds", "isinstance", "nothing", r"work\_1"])
def test_names_that_the_text_has_for_itself(name: str) -> None:
    build(read_text(rf"$h_t = \tanh(W x_t + R h_{{t-1}} + \text{{{name}}})$", name="named")[0])
