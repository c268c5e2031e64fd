"""The study's chapter of the report: the claims ledger, a page for each experiment, their part of the front page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rnnproof.pages.blocks import Block, Document, Figure, Heading, Paragraph, Table
from rnnproof.pages.chapter import Progress
from rnnproof.pages.message import Text, say
from rnnproof.study import claims, claims_pages, experiment_pages
from rnnproof.study.claims import claim as verdicts
from rnnproof.study.experiments import experiments
from rnnproof.study.sweep import findings, record
from rnnproof.study.sweep.record import Record


@dataclass(frozen=True)
class StudyChapter:
    """What the experiments have left in a folder, and the claims tested with it; see `rnnproof.pages.chapter.Chapter`."""

    folder: Path
    progress: Progress | None = None

    @property
    def names(self) -> Sequence[str]:
        """The ledger and every experiment."""
        return ("claims", *experiments())

    @property
    def entries(self) -> Mapping[str, Text]:
        """Where the front page tells of the experiments, and the ledger."""
        return {"index#experiments": say("Experiments"), "claims": say("Claims")}

    @property
    def tones(self) -> Mapping[Any, str]:
        """Of the verdicts."""
        return {
            findings.HOLDS: "good",
            findings.CONDITION: "part",
            findings.NOT: "bad",
            verdicts.PROVED: "good",
            verdicts.CONFIRMED: "good",
            verdicts.CONDITION: "part",
            verdicts.NOT: "bad",
            verdicts.UNMEASURED: "none",
        }

    def documents(self) -> Sequence[Document]:
        """The ledger, then the experiments in their order."""
        ledger = claims_pages.document(self._outcomes)
        return [ledger, *(experiment_pages.document(outcome) for outcome in self._records.values())]

    def front(self) -> Sequence[Block]:
        """How many claims have which verdict; what each experiment found."""
        return [
            Heading(say("What the lecture says, tested"), anchor="claims"),
            Paragraph(
                say(
                    "Every statement of the lecture notes that can be true or false is a row of [the claims "
                    "ledger](page:claims); the verdicts are computed from the evidence."
                )
            ),
            claims_pages.counts(self._outcomes),
            Heading(say("The experiments"), anchor="experiments"),
            *(block for name in experiments() for block in self._experiment(name)),
        ]

    def figures(self, cell: str) -> Sequence[Figure]:
        """The experiments' figures that show a cell."""
        figures = [(figure, experiments()[outcome.name]) for outcome in self._records.values() for figure in outcome.figures]
        return [
            Figure(figure.name, figure.says, figure.alt)
            for figure, experiment in figures
            if cell in experiment.shown_on.get(figure.name, ())
        ]

    def _experiment(self, name: str) -> list[Block]:
        if name not in self._records:
            return [Paragraph(say("Not measured here yet: `rnnproof experiment {name}`.", name=name))]
        outcome = self._records[name]
        link: Text = say("[{title}](page:{name})", title=outcome.title, name=name)
        rows = [(statement.claim, statement.verdict) for statement in outcome.findings.statements]
        face = [figure for figure in outcome.figures if figure.name == experiments()[name].face]
        return [
            Heading(link, 3),
            Table((say("claim"), say("result")), rows),
            *(Figure(figure.name, figure.says, figure.alt) for figure in face),
        ]

    @cached_property
    def _records(self) -> Mapping[str, Record]:
        """What was measured, by experiment. Raises UsageError for a damaged file."""
        names = [name for name in experiments() if record.path(self.folder, name).exists()]
        return {name: record.read(self.folder, name) for name in names}

    @cached_property
    def _outcomes(self) -> Sequence[claims.Outcome]:
        """Every claim tested: some seconds, which `progress` is told of."""
        return claims.ledger(claims.Sources(self.folder), progress=self.progress)
