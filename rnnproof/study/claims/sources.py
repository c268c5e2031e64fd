"""`Sources`: what experiments have measured, read from the files they left."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnproof.errors import UsageError
from rnnproof.pages.message import Text
from rnnproof.study.sweep.findings import CONDITION, HOLDS, NOT

_HOLDS: dict[Any, bool | None] = {HOLDS: True, CONDITION: None, NOT: False}


class Unmeasured(UsageError):
    """An experiment that was not run: nothing can be said of what it measures."""


@dataclass(frozen=True)
class Measured:
    """A statement of an experiment: `holds` is None where it holds with a condition; `evidence` gives the numbers."""

    claim: Text
    holds: bool | None
    evidence: Text


@dataclass(frozen=True)
class Sources:
    """A folder that `rnnproof experiment` has written its findings to."""

    folder: Path

    def statement(self, experiment: str, name: str) -> Measured:
        """What an experiment found of its statement `name`. Raises Unmeasured where FOLDER/findings has no file of it."""
        if not (self.folder / "findings" / f"{experiment}.json").is_file():
            run = f"rnnproof experiment {experiment} --out {self.folder}"
            raise Unmeasured(f"{self.folder}: holds no findings of the experiment {experiment}; run `{run}`")
        # imported here, so that claims that need no experiment do without
        record: Any = importlib.import_module("rnnproof.study.sweep.record")
        statements = record.read(self.folder, experiment).findings.statements
        for item in statements:
            if item.name == name:
                return Measured(item.claim, _HOLDS[item.verdict], item.evidence)
        there = ", ".join(item.name for item in statements)
        raise UsageError(
            f"{self.folder}: the findings of {experiment} say nothing of {name!r} (they say {there}); they are of another "
            f"version: run `rnnproof experiment {experiment} --out {self.folder}` again"
        )
