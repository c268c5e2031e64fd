"""Experiments that were not run: a stand-in for what they would have said, and a record of what was asked."""

from __future__ import annotations

from pathlib import Path

from rnnproof.study.claims.sources import Measured, Sources


class StandIn(Sources):
    """Gives every statement the same verdict."""

    def __init__(self, holds: bool | None = True) -> None:
        super().__init__(Path("nowhere"))
        object.__setattr__(self, "holds", holds)
        object.__setattr__(self, "asked", [])

    def statement(self, experiment: str, name: str) -> Measured:
        """The verdict, and the question as evidence."""
        vars(self)["asked"].append((experiment, name))
        return Measured(f"{experiment} says {name}", vars(self)["holds"], "seen in the stand-in")
