"""`Experiment`: all that makes one: its trials, what is found in their results, its figures, and where these are seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rnnproof.pages.message import Message
from rnnproof.study.figure_style import Drawing, styled
from rnnproof.study.sweep.findings import Findings
from rnnproof.study.sweep.trial import Result, Trial


@dataclass(frozen=True)
class Experiment:
    """One experiment, in a file of `rnnproof.study.experiments` that ends with `EXPERIMENT = Experiment(...)`.

    `trials(scale, seed)` lists what is to be run, a scale being one of SCALES; `findings` reads the results; `draw` makes the
    figures. `place` orders the pages; `face` is the figure on the front page; `shown_on` names the cells on whose page a
    figure stands.
    """

    name: str
    title: Message
    trials: Callable[[str, int], list[Trial]]
    findings: Callable[[Sequence[tuple[Trial, Result]]], Findings]
    draw: Callable[[Findings], list[Drawing]]
    place: int
    face: str
    shown_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def figures(self, findings: Findings) -> list[Drawing]:
        """Its figures, rendered. Raises UsageError where Matplotlib is not installed."""
        with styled():
            return [drawing.rendered() for drawing in self.draw(findings)]
