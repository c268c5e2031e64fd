"""`derive(cell)`: the gradients of a cell, to be read as text, as Markdown or as LaTeX, in any language."""

from __future__ import annotations

from dataclasses import dataclass, fields

from rnnproof.calculus import jacobian as jacobians
from rnnproof.calculus.lines import Lines, lines_of
from rnnproof.equations.cell import Cell
from rnnproof.equations.plain_text import prose
from rnnproof.pages import remarks
from rnnproof.pages.derivation_blocks import document
from rnnproof.pages.message import Message
from rnnproof.pages.writers.latex import latex
from rnnproof.pages.writers.markdown import markdown
from rnnproof.pages.writers.terminal import terminal


@dataclass(frozen=True)
class Jacobian(jacobians.Jacobian):
    """A Jacobian, and what it says of vanishing gradients."""

    @property
    def remarks(self) -> tuple[Message, ...]:
        """What the formula says about vanishing gradients, in words."""
        return remarks.remarks(self)

    @property
    def text(self) -> str:
        """Every line and remark for the terminal."""
        return "\n".join([super().text, *(prose(str(remark)) for remark in self.remarks)])

    def markdown(self) -> str:
        """Every line as displayed math, then what it says."""
        displays = [f"$$\n{line}\n$$" for line in self.lines]
        return "\n\n".join([*displays, *map(str, self.remarks)]) + "\n"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Derivation(Lines):
    """The lines of a derivation and the documents made of them."""

    def jacobian(self, target: str, source: str) -> Jacobian:
        """The Jacobian of one value by another; see `rnnproof.calculus.jacobian.jacobian`."""
        jacobian = super().jacobian(target, source)
        return Jacobian(**{field.name: getattr(jacobian, field.name) for field in fields(jacobian)})

    def markdown(self, language: str = "en") -> str:
        """The whole derivation as Markdown with LaTeX, as GitHub renders it."""
        return markdown(document(self), language)

    def latex(self, language: str = "en") -> str:
        """The whole derivation as a LaTeX document."""
        return latex(document(self), language)

    def text(self, language: str = "en") -> str:
        """The whole derivation for the terminal."""
        return terminal(document(self), language)

    def __str__(self) -> str:
        return self.text()


def derive(cell: Cell) -> Derivation:
    """The derivation of a cell's gradients, for any sizes; functions left open stay open."""
    lines = lines_of(cell)
    return Derivation(lines.cell, lines.forward, lines.backward)
