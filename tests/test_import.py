"""The package is light where it says so, and its public names are there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rnnproof

# What a generated cell needs is NumPy; these would make copying one file out, or importing it, expensive.
HEAVY = ("sympy", "lark", "autograd", "click", "tabulate", "jax", "torch", "tensorflow")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["rnnproof", "rnnproof.cells.lstm", "rnnproof.errors"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    assert python(f"import sys, {module}; print(sorted(set({HEAVY}) & set(sys.modules)))") == "[]"


def test_a_cell_loads_itself_and_numpy_alone() -> None:
    """What it costs in milliseconds is a benchmark: `python -m tests.programs.benchmarks.run`."""
    code = "import sys, numpy; before = set(sys.modules); import rnnproof.cells.lstm; print(sorted(set(sys.modules) - before))"
    assert python(code) == "['rnnproof', 'rnnproof.cells', 'rnnproof.cells.lstm', 'rnnproof.cells.support']"


def test_a_cell_runs_where_sympy_cannot_be_imported() -> None:
    code = (
        "import sys; sys.modules['sympy'] = None\n"
        "import numpy as np, rnnproof.cells.lstm as m\n"
        "size = {'input': 3, 'hidden': 4}\n"
        "params = {k: np.full([size[s] for s in shape], 0.1) for k, shape in m.PARAMETERS.items()}\n"
        "trace = m.forward(params, np.ones((5, 2, 3)))\n"
        "print(m.backward(trace, {'h': np.ones((5, 2, 4))}).inputs.shape)"
    )
    assert python(code) == "(5, 2, 3)"


def test_every_public_name_is_there_and_listed() -> None:
    assert set(rnnproof.__all__) <= set(dir(rnnproof))
    for name in rnnproof.__all__:
        assert getattr(rnnproof, name) is not None
    namespace: dict[str, object] = {}
    exec("from rnnproof import *", namespace)
    assert set(rnnproof.__all__) - {"__version__"} <= set(namespace)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        rnnproof.nonsense  # noqa: B018
