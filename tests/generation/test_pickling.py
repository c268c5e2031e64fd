"""Cells, derivations and what built modules return, pickled: here, and in a process that knows none of them; nothing leaks."""

from __future__ import annotations

import gc
import linecache
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnproof as rp
from rnnproof.generation import build
from tests.generation.cells import CELLS
from tests.generation.problems import SHAPES, problem
from tests.generation.test_modules import module

ELSEWHERE = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    cell, derivation, trace, gradients, packed = pickle.load(file)
import numpy as np
import rnnproof as rp
assert derivation.text() == rp.derive(cell).text()
module = rp.build(cell)
again = module.backward(trace, {name: np.ones_like(values) for name, values in trace.states.items()})
for name, value in gradients.params.items():
    np.testing.assert_array_equal(again.params[name], value)
print(cell.name, type(packed).__name__)
"""


def everything(name: str) -> tuple[Any, ...]:
    cell, mod = CELLS[name](), module(name)
    params, xs, initial, _ = problem(mod, SHAPES[0])
    trace = mod.forward(params, xs, initial)
    gradients = mod.backward(trace, {state: np.ones_like(values) for state, values in trace.states.items()})
    derivation = rp.derive(cell)
    derivation.text()
    return cell, derivation, trace, gradients, mod.prepare(params)


@pytest.mark.parametrize("name", sorted(CELLS))
@pytest.mark.slow
def test_they_come_back_as_they_were(name: str) -> None:
    cell, derivation, trace, gradients, packed = everything(name)
    again = pickle.loads(pickle.dumps((cell, derivation, trace, gradients, packed)))
    assert again[0] == cell and again[1].text() == derivation.text()
    assert [type(one) for one in again[2:]] == [type(trace), type(gradients), type(packed)]
    for state, values in trace.states.items():
        np.testing.assert_array_equal(again[2].states[state], values)


@pytest.mark.parametrize("name", ["lstm", "rnn_gelu", "rnn_hard_sigmoid"])
@pytest.mark.slow
def test_another_process_reads_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / "all.pickle"
    path.write_bytes(pickle.dumps(everything(name)))
    run = subprocess.run([sys.executable, "-c", ELSEWHERE, path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [CELLS[name]().name, "Packed"]


@pytest.mark.slow
def test_modules_that_nobody_holds_leave_nothing_behind() -> None:
    cell = CELLS["simple_rnn"]()
    gc.collect()
    before = len(linecache.cache)
    for _ in range(5):
        build(cell)
    gc.collect()
    assert len(linecache.cache) <= before


def test_the_lines_stay_as_long_as_a_function() -> None:
    step = build(CELLS["simple_rnn"]()).step
    gc.collect()
    with pytest.raises(ValueError, match="unknown parameter") as raised:
        step({"nothing": 1}, np.ones((1, 2)), {})
    assert "forward(_for_one_step(params, SIGNATURE)" in "".join(traceback.format_exception(raised.value))
