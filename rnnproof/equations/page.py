"""A document's text, and pieces of it whose every character knows its place, so that an error can show a line and a caret."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from rnnproof.errors import EquationError


@dataclass(frozen=True)
class Part:
    """A piece of a page that has lines of its own, numbered from `first`: a notebook's cell, a file that \\input names."""

    start: int
    name: str
    first: int = 1


@dataclass(frozen=True)
class Page:
    """A document's name and text; turns offsets into lines and errors. `parts` are in order, the first begins at 0."""

    name: str
    text: str
    parts: tuple[Part, ...] = ()

    @cached_property
    def _breaks(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.text)]

    def part(self, offset: int) -> Part:
        """The part that the offset lies in."""
        place = bisect_right([part.start for part in self.parts], offset) - 1
        return self.parts[place] if place >= 0 else Part(0, self.name)

    def line(self, offset: int) -> int:
        """The line within the part, counted from 1."""
        part = self.part(offset)
        return bisect_left(self._breaks, offset) - bisect_left(self._breaks, part.start) + part.first

    def where(self, offset: int) -> str:
        return f"{self.part(offset).name}:{self.line(offset)}"

    def explain(self, offset: int, message: str) -> str:
        """`document:line: message`, the line, and a caret under the place; long lines are cut around it."""
        offset = min(offset, len(self.text))
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        source = self.text[start : end if end >= 0 else len(self.text)]
        column = offset - start
        cut = max(0, column - 60)
        excerpt = source[cut : cut + 120].replace("\t", " ")
        return f"{self.where(offset)}: {message}\n    {excerpt}\n    {' ' * (column - cut)}^"

    def fault(self, offset: int, message: str) -> NoReturn:
        """Raise EquationError pointing at the offset."""
        raise EquationError(self.explain(offset, message))


@dataclass(frozen=True)
class Excerpt:
    """A piece of a page's text, rewritten or not; `places[i]` is where its character i comes from."""

    text: str
    places: Sequence[int]

    @classmethod
    def of(cls, text: str, start: int) -> Excerpt:
        """Text that stands in the page as it is, from `start` on."""
        return cls(text, range(start, start + len(text)))

    def __getitem__(self, piece: slice) -> Excerpt:
        return Excerpt(self.text[piece], self.places[piece])

    def place(self, at: int) -> int:
        """Where a character comes from; the end is one past the last."""
        if at < len(self.places):
            return self.places[at]
        return self.places[-1] + 1 if self.places else 0

    def substitute(self, pattern: re.Pattern[str], written: Callable[[re.Match[str]], str]) -> Excerpt:
        """With every match rewritten; what is written lies where the match begins."""
        texts: list[str] = []
        places: list[int] = []
        end = 0
        for match in pattern.finditer(self.text):
            new = written(match)
            texts += [self.text[end : match.start()], new]
            places += [*self.places[end : match.start()], *[self.place(match.start())] * len(new)]
            end = match.end()
        if not texts:
            return self
        return Excerpt("".join((*texts, self.text[end:])), [*places, *self.places[end:]])


def join(pieces: Sequence[Excerpt]) -> Excerpt:
    """The pieces one behind the other."""
    return Excerpt("".join(piece.text for piece in pieces), [place for piece in pieces for place in piece.places])


def blank(match: re.Match[str]) -> str:
    """Spaces as long as the match, its line breaks kept."""
    return re.sub(r"[^\n]", " ", match[0])


def spaces(text: str) -> str:
    """Spaces as long as the text, its line breaks kept."""
    return re.sub(r"[^\n]", " ", text)
