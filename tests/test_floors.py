"""The house rule of DESIGN.md: a file imports only from lower floors, and the lowest floors need little else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import rnnproof

PACKAGE = Path(rnnproof.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = {
    "errors": 0,
    "extras": 1,
    "documents": 1,
    "layouts": 0,
    "optimizers": 2,
    "cells": 0,
    "runtime": 1,
    "equations": 1,
    "layers": 4,
    "calculus": 2,
    "generation": 3,
    "proofs": 3,
    "verification": 4,
    "experiments": 5,
    "claims": 6,
    "reporting": 7,
    "testing": 5,
    "__init__": 8,
    "__main__": 8,
    "cli": 8,
    "cli_input": 8,
    "cli_output": 8,
}

# What a room may import besides the standard library and the rooms below; the other rooms are free.
LIBRARIES = {
    "errors": set(),
    "cells": {"numpy"},
    "runtime": {"numpy"},
    "layers": {"numpy", "sympy", "autograd", "click"},
    "equations": {"sympy", "lark", "numpy"},
    "documents": {"tabulate"},
    "calculus": {"sympy"},
    "generation": {"sympy", "numpy"},
}


def room_of(file: Path) -> str:
    first = file.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(tree: ast.Module, package: tuple[str, ...]) -> set[str]:
    """Dotted names of everything a file imports, `import_module("...")` too; `from a import b` counts as a.b."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            found |= {f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            found.add(_text(node.args[0]))
    return found


def _text(node: ast.expr) -> str:
    """The text of a string, what an f-string leaves open written as {}."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "{}"


def faults(room: str, names: set[str]) -> list[str]:
    """What of the imported names a room may not import."""
    bad = []
    for name in sorted(names):
        library, _, rest = name.partition(".")
        if library == "rnnproof":
            other = rest.split(".")[0]
            same_floor_elsewhere = other != room and FLOORS.get(other, 8) >= FLOORS[room]
            if FLOORS[room] < 8 and same_floor_elsewhere:
                bad.append(f"{name}: {other} is not below {room}")
        elif room in LIBRARIES and library not in LIBRARIES[room] and library not in sys.stdlib_module_names:
            bad.append(f"{name}: {room} does without {library}")
    return bad


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(PACKAGE)) for file in FILES])
def test_a_file_imports_from_lower_floors_only(file: Path) -> None:
    room = room_of(file)
    assert room in FLOORS, f"{file} stands on no floor; give its room a line in FLOORS"
    package = ("rnnproof", *file.relative_to(PACKAGE).parts[:-1])
    assert not faults(room, imported(ast.parse(file.read_text(encoding="utf-8")), package))


@pytest.mark.parametrize(
    ("room", "text"),
    [
        ("equations", "from rnnproof.calculus import program"),
        ("equations", "from ..generation import build"),
        ("calculus", "import rnnproof.proofs"),
        ("generation", "from rnnproof import verification"),
        ("proofs", "import importlib\nimportlib.import_module('rnnproof.generation')"),
        ("errors", "import sympy"),
        ("cells", "def f():\n    import sympy"),
        ("cells", "from rnnproof.errors import UsageError"),
        ("verification", "from rnnproof import check"),
        ("experiments", "from rnnproof.claims import ledger"),
        ("claims", "from rnnproof.reporting import tables"),
        ("calculus", "import numpy as np"),
    ],
)
def test_the_test_sees_a_wrong_import(room: str, text: str) -> None:
    assert faults(room, imported(ast.parse(text), ("rnnproof", room)))
