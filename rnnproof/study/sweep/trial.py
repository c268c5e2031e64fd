"""`Trial`: a frozen record of all that one run needs, its seed included; running it is a pure function of the record."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

Result = Mapping[str, Any]
SCALES = ("quick", "default", "full")

# What a result depends on; a change elsewhere, or in what only runs trials and reads results, leaves stored results good.
_FOLDERS = ("calculus", "cells", "equations", "generation", "layers", "runtime", "study/experiments")
_READERS = ("_findings", "_statements", "_figures")  # how the names of files end that only read results
_LIBRARIES = ("numpy", "sympy", "aeon", "statsmodels")


@dataclass(frozen=True, order=True)
class Seed:
    """A child of `SeedSequence(root)`, as spawning makes it: two different keys give independent streams."""

    root: int
    key: tuple[int, ...]

    def streams(self, count: int) -> list[np.random.Generator]:
        """Independent generators: one for the weights, one for the data, and so on."""
        children = np.random.SeedSequence(self.root, spawn_key=self.key).spawn(count)
        return [np.random.default_rng(child) for child in children]


def spawned(root: int, count: int) -> tuple[Seed, ...]:
    """The first `count` seeds that `SeedSequence(root)` spawns."""
    children = np.random.SeedSequence(root).spawn(count)
    return tuple(Seed(root, tuple(int(part) for part in child.spawn_key)) for child in children)


@dataclass(frozen=True)
class Trial:
    """Base of all records; `run` gives numbers, texts and lists, as JSON can hold them.

    `TIMED` trials measure seconds, so they run alone, after all others.
    """

    TIMED: ClassVar[bool] = False

    def run(self) -> Result:
        """The result, the same for the same record (seconds apart)."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """The record as JSON, which names it."""
        return json.dumps({"trial": type(self).__name__, **asdict(self)}, sort_keys=True)

    @property
    def key(self) -> str:
        """A digest of the record."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@cache
def code_digest() -> str:
    """A digest of the code and the libraries that results depend on: results of others are not mixed with these."""
    package = Path(__file__).parents[2]
    digest = hashlib.sha256(" ".join(f"{name} {_version(name)}" for name in _LIBRARIES).encode())
    for folder in _FOLDERS:
        if not (package / folder).is_dir():
            raise AssertionError(f"results depend on rnnproof/{folder}, and there is no such folder")
    for path in sorted(path for folder in _FOLDERS for path in (package / folder).rglob("*")):
        if path.suffix in (".py", ".md", ".lark") and not path.stem.endswith(_READERS):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "none"
