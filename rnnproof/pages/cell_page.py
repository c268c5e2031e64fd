"""The page of a cell: equations, dataflow, derivation beside its code, Jacobians, evidence, experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rnnproof.calculus.lines import Part
from rnnproof.equations import catalogue
from rnnproof.pages import derivation_blocks as derived
from rnnproof.pages import tables
from rnnproof.pages.blocks import Beside, Block, Code, Document, Figure, Fold, Heading, Paragraph
from rnnproof.pages.derivation import Derivation
from rnnproof.pages.message import Message, Text, say
from rnnproof.pages.printed_gradient_blocks import printed_gradients
from rnnproof.pages.reading_blocks import reading_of
from rnnproof.proofs import ProofReport
from rnnproof.verification import Evidence
from rnnproof.verification.recorded import Record

_STEPS = (Part.FORWARD, Part.BACKWARD, Part.RECURSION, Part.GRADIENTS)


@dataclass(frozen=True)
class Study:
    """A cell and what was found out about it; `word` is what it is called by on the command line.

    `code`, `evidence` and `fresh`, what of the evidence was found just now, are missing where a function is left open. `listed`
    says that it is in the catalogue.
    """

    word: str
    listed: bool
    derivation: Derivation
    picture: Figure
    proof: ProofReport
    code: Code | None
    evidence: Evidence | None
    svg: str
    record: Record
    fresh: Evidence | None

    @property
    def name(self) -> str:
        """The cell's name."""
        return self.derivation.cell.name

    @property
    def title(self) -> Text:
        """The cell's name in words where it is in the catalogue."""
        return Message(escaped(catalogue.about(self.name)[0])) if self.listed else self.name

    @property
    def says(self) -> Text:
        """What the cell does."""
        return Message(escaped(catalogue.about(self.name)[1])) if self.listed else derived.intro(self.derivation)

    @property
    def ok(self) -> bool:
        """Whether every proof and comparison holds."""
        return self.proof.ok and (self.evidence is None or self.evidence.ok)


def escaped(text: str) -> str:
    """A text as a template that says just that."""
    return text.replace("{", "{{").replace("}", "}}")


def document(study: Study, figures: Sequence[Figure] = ()) -> Document:
    """The whole page; `figures` are those of the experiments that the cell is part of."""
    d = study.derivation
    blocks = [
        Paragraph(study.says),
        *derived.lines(d, Part.EQUATIONS),
        Heading(say("One step as a picture"), anchor="picture"),
        study.picture,
        Heading(say("Notation"), anchor="notation"),
        *map(Paragraph, derived.signs(d)),
        *reading_of(d.cell, derived.symbols(d)),
        *_derivation(study),
        *derived.lines(d, Part.JACOBIANS),
        *derived.remarks(d),
        *printed_gradients(d.cell),
        *derived.rules(d),
        *_evidence(study),
        *_experiments(figures),
        *_use(study),
    ]
    return Document(study.name, study.title, tuple(blocks))


def _derivation(study: Study) -> list[Block]:
    lines = tuple(block for part in _STEPS for block in derived.lines(study.derivation, part))
    if study.code is None:
        return [*lines]
    says = say(
        "`rnnproof generate {word}` prints this module; it needs NumPy alone. Point at a formula or tap it, and the lines that "
        "compute it are marked; a line marks its formulas. The gates are stacked, so that one line may serve several.",
        word=study.word,
    )
    return [Beside(lines, says, study.code)]


def _proved(proof: ProofReport) -> Text:
    if not proof.ok:
        return say("The proof failed:")
    if not proof.proved:
        return say(
            "Not all of it is proved: the rows marked so were too large for the bound on a proof's work. In the others "
            "({count} entries) the derived gradient minus the loss's componentwise derivative is exactly 0.",
            count=proof.entries,
        )
    return say(
        "Proved: the derived gradient minus the loss's componentwise derivative is exactly 0 in each of {count} entries, "
        "with the activations as opaque functions. The rules themselves are proved for all sizes; see [the "
        "checks](page:checks).",
        count=proof.entries,
    )


def _evidence(study: Study) -> list[Block]:
    blocks: list[Block] = [
        Heading(say("The evidence"), anchor="evidence"),
        Paragraph(_proved(study.proof)),
        tables.proofs([study.proof]),
    ]
    if study.evidence is None:
        names = ", ".join(f"`{name}`" for name in study.derivation.cell.open_functions)
        return [
            *blocks,
            Paragraph(
                say(
                    "The equations leave {names} open, so there is no code to compare. Give each a body: {option}.",
                    names=names,
                    option=r"`--bind 'f=\tanh(W o + b)'`",
                )
            ),
        ]
    compared = sum(row.verdict == "pass" for row in study.evidence)
    return [
        *blocks,
        Paragraph(
            say(
                "Compared: {passed} of {all} comparisons of the module's gradients with independent ones hold. For each "
                "oracle the comparison nearest to its tolerance, the error being the largest difference in an array over the "
                "largest entry. A row is what was found on this very code, with the versions and on the day it names; a run "
                "that finds the same leaves it.",
                passed=compared,
                all=sum(row.verdict not in ("not installed", "does not apply") for row in study.evidence),
            )
        ),
        tables.summary(study.evidence, study.record),
        Fold(say("Every gradient"), (tables.gradients(study.evidence),)),
    ]


def _experiments(figures: Sequence[Figure]) -> list[Block]:
    return [Heading(say("How its gradients behave"), anchor="experiments"), *figures] if figures else []


def _use(study: Study) -> list[Block]:
    commands = [f"rnnproof derive {study.word} --format markdown", f"rnnproof prove {study.word}"]
    if study.code is not None:
        commands += [f"rnnproof generate {study.word} --output {study.name}.py", f"rnnproof check {study.word} --every"]
    return [Heading(say("Again, by yourself"), anchor="again"), Code("\n".join(commands), "sh")]
