"""The step index in print: h_t one step earlier is h_{t-1}, the first old value h_0, the sum over steps runs from t=1 to T."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from rnnproof.calculus.program import Program, Role
from rnnproof.equations.cell import Cell


@dataclass(frozen=True)
class Index:
    """How a cell prints its step: the letter, whether the new states stand at t or at t+1, and {new: old} symbols in TeX."""

    letter: str
    ahead: int = 0
    previous: dict[str, str] = field(default_factory=dict)

    @property
    def last(self) -> str:
        """The number of steps: T for t, L for l."""
        return self.letter.upper() if len(self.letter) == 1 else rf"{self.letter}_{{\max}}"

    @property
    def steps(self) -> str:
        """The sum over all steps."""
        first, last = (0, f"{self.last}-1") if self.ahead else (1, self.last)
        return rf"\sum_{{{self.letter}={first}}}^{{{last}}}"

    @property
    def final(self) -> str:
        """The index at the last step, as an equation."""
        return f"{self.letter} = {self.last}{'-1' if self.ahead else ''}"

    def shift(self, tex: str, by: int = -1) -> str:
        """A symbol `by` steps on; one that shows no index gets the shift as a mark."""
        for _ in range(-by if by < 0 else 0):
            tex = self.previous.get(tex) or self._moved(tex, -1)
        return self._moved(tex, by) if by > 0 else tex

    def _moved(self, tex: str, by: int) -> str:
        def written(match: re.Match[str]) -> str:
            offset = int(match["offset"] or 0) + by
            text = self.letter + (f"{offset:+d}" if offset else "")
            return f"{{{text}}}" if match["bare"] is not None and offset else text

        moved, count = self._pattern().subn(written, tex)
        if count:
            return moved
        marked = re.fullmatch(rf"(.*)\^\{{\[{self.letter}([+-]\d+)\]\}}", tex)
        base, offset = (marked[1], int(marked[2])) if marked else (tex, 0)
        return f"{base}^{{[{self.letter}{offset + by:+d}]}}" if offset + by else base

    def shows_in(self, tex: str) -> bool:
        """Whether a symbol carries the index."""
        return bool(self._pattern().search(tex))

    def initial(self, tex: str, name: str) -> str:
        """An old state's symbol at the first step: h_{t-1} becomes h_0."""
        moved, count = self._pattern().subn("0", tex)
        moved = re.sub(r"(?<=[_^])\{0\}", "0", moved)
        return moved if count else f"{name}_0"

    def _pattern(self) -> re.Pattern[str]:
        letter = re.escape(self.letter)
        return re.compile(rf"(?:(?<=[_^])(?P<bare>)|(?<=[{{(,\[ ])){letter}(?P<offset>[+-]\d+)?(?![A-Za-z0-9+-])")


def index_of(cell: Cell, forward: Program) -> Index:
    """The index as this cell prints it."""
    letter = cell.index
    new = {port.key: port.var.tex for port in forward.ports(Role.NEW, out=True)}
    old = {port.key: port.var.tex for port in forward.ports(Role.OLD)}
    ahead = int(all(f"{letter}+1" in tex for tex in new.values()))
    plain = Index(letter)
    previous = {new[key]: tex for key, tex in old.items() if plain.shift(new[key]) != tex}
    return Index(letter, ahead, previous)


def moved(formula: Any, varying: Collection[str], index: Index, by: int) -> Any:
    """A formula `by` steps on: every symbol in `varying` shows the other step."""
    change = {}
    for old in formula.atoms(sp.MatrixSymbol, sp.Symbol):
        if old.name in varying:
            name = index.shift(old.name, by)
            change[old] = sp.Symbol(name, real=True) if old.is_Symbol else sp.MatrixSymbol(name, *old.shape)
    return formula.xreplace(change)
