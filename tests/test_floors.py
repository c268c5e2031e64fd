"""The map of CONTRIBUTING.md: a file imports from lower levels only, no imports go round, the lowest need little else."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import rnnproof

PACKAGE = Path(rnnproof.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# The kernel below, the wings above it; CONTRIBUTING.md says what each package is for.
LEVELS = {
    "errors": 0,
    "extras": 1,
    "layouts": 0,
    "cells": 0,
    "runtime": 1,
    "optimizers": 2,
    "equations": 1,
    "calculus": 2,
    "generation": 3,
    "proofs": 3,
    "layers": 4,
    "verification": 4,
    "doctor": 5,
    "testing": 6,
    "pytest_plugin": 7,
    "pages": 5,
    "study": 6,
    "__init__": 8,
    "cli": 8,
    "__main__": 8,
}

# What a part may import besides the standard library and the parts below; the other parts are free.
LIBRARIES: dict[str, set[str]] = {
    "errors": set(),
    "cells": {"numpy"},
    "runtime": {"numpy"},
    "layers": {"numpy", "sympy", "autograd", "click"},
    "equations": {"sympy", "lark", "numpy"},
    "calculus": {"sympy"},
    "generation": {"sympy", "numpy"},
    "proofs": {"sympy", "numpy", "tabulate"},
}


def part_of(file: Path) -> str:
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


def faults(part: str, names: set[str]) -> list[str]:
    """What of the imported names a part may not import."""
    bad = []
    for name in sorted(names):
        library, _, rest = name.partition(".")
        if library == "rnnproof":
            other = rest.split(".")[0]
            elsewhere = other != part and LEVELS.get(other, 8) >= LEVELS[part]
            if LEVELS[part] < 8 and elsewhere:
                bad.append(f"{name}: {other} is not below {part}")
        elif part in LIBRARIES and library not in LIBRARIES[part] and library not in sys.stdlib_module_names:
            bad.append(f"{name}: {part} does without {library}")
    return bad


def test_files_import_from_lower_levels_only() -> None:
    wrong = {}
    for file in FILES:
        part = part_of(file)
        assert part in LEVELS, f"{file} has no level; give its part a line in LEVELS"
        package = ("rnnproof", *file.relative_to(PACKAGE).parts[:-1])
        wrong[file] = faults(part, imported(ast.parse(file.read_text(encoding="utf-8")), package))
    assert {file: bad for file, bad in wrong.items() if bad} == {}


@pytest.mark.parametrize(
    ("part", "text"),
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
        ("pages", "from rnnproof.study.claims import ledger"),
        ("layers", "from rnnproof.verification import check"),
        ("calculus", "import numpy as np"),
    ],
)
def test_the_test_sees_a_wrong_import(part: str, text: str) -> None:
    assert faults(part, imported(ast.parse(text), ("rnnproof", part)))


def circles(files: Mapping[str, ast.Module]) -> list[str]:
    """Modules, by dotted name, that import themselves by way of others; imports in functions and for types alone count."""
    targets: dict[str, set[str]] = {}
    for name, tree in files.items():
        package = tuple(name.split(".")[:-1])  # the project has no relative imports
        modules = (dotted if dotted in files else dotted.rpartition(".")[0] for dotted in imported(tree, package))
        targets[name] = {module for module in modules if module in files and module != name}

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [*targets[start]]
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting += targets[module]
        return seen

    return sorted(name for name in files if name in reached(name))


def dotted_name(file: Path) -> str:
    parts = ("rnnproof", *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


@pytest.mark.slow
def test_no_imports_go_round() -> None:
    lazy = PACKAGE / "__init__.py"  # imports names from everywhere, when they are asked for
    files = {dotted_name(file): ast.parse(file.read_text(encoding="utf-8")) for file in FILES if file != lazy}
    assert len(files) > 200 and not circles(files)


def test_a_planted_circle_is_seen() -> None:
    one = ast.parse("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a.two import Two")
    two = ast.parse("def f():\n    from a.three import one")
    three = ast.parse("from a import one")
    assert circles({"a.one": one, "a.two": two, "a.three": three}) == ["a.one", "a.three", "a.two"]
    assert not circles({"a.one": one, "a.two": two, "a.three": ast.parse("import os")})
