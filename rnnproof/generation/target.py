"""What a target language is: it prints a lowered cell as source text, and says what each line computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rnnproof.calculus.variables import Var
from rnnproof.generation.pipeline import Lowered

# What a line computes: "forward" or "backward", and a value of that direction's lowered Program, or the name of one.
Mark = tuple[str, Var | str]


@dataclass(frozen=True)
class Source:
    """The text of a module; `marks` has, for each of its lines that computes something, its number (from 1) and what."""

    text: str
    marks: tuple[tuple[int, tuple[Mark, ...]], ...]


class Target(Protocol):
    """Prints a lowered cell, with its loop over the steps or, for `steps`, written out; validated before it is handed out."""

    def __call__(self, lowered: Lowered, steps: int | None = None) -> Source: ...
