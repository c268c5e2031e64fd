"""The first page: what the toolkit knows, at a glance."""

from __future__ import annotations

from collections.abc import Sequence

from rnnproof.calculus.formula_tex import Printer
from rnnproof.calculus.jacobian import Jacobian
from rnnproof.calculus.terms import formula
from rnnproof.pages.blocks import Block, Card, Cards, Code, Document, Heading, Paragraph
from rnnproof.pages.cell_page import Study
from rnnproof.pages.message import say
from rnnproof.proofs import ProofReport


def document(studies: Sequence[Study], rules: ProofReport, chapters: Sequence[Block]) -> Document:
    """Counts, the cells, what the chapters say of themselves."""
    blocks: list[Block] = [
        Paragraph(
            say(
                "A recurrent cell's equations go in as a paper prints them; out come its gradient formulas with a proof, "
                "NumPy code that computes them, the evidence that the code is right, and measurements of how its gradients "
                "behave. Nobody wrote a backward pass by hand: every gradient here comes out of the derivation."
            )
        ),
        _counts(studies, rules),
        Paragraph(say("How a gradient is made and proved, on one page: [how it works](page:how-it-works).")),
        Heading(say("The cells"), anchor="cells"),
        Paragraph(say("Each page goes from the equations to the backward pass, with the generated code beside the formulas.")),
        Cards(tuple(_card(study) for study in studies)),
        *chapters,
        Heading(say("Your own cell"), anchor="own"),
        Paragraph(
            say(
                "Write the equations into a Markdown or TeX document, as [the page on notation](page:notation) shows, and ask "
                "for the same page:"
            )
        ),
        Code("rnnproof report notes.md", "sh"),
    ]
    return Document("index", say("What rnnproof knows"), tuple(blocks))


def _counts(studies: Sequence[Study], rules: ProofReport) -> Block:
    rows = [row for study in studies for row in study.evidence or () if row.verdict not in ("not installed", "does not apply")]
    silent = sorted({row.oracle for study in studies for row in study.evidence or () if row.verdict == "not installed"})
    proved = sum(study.proof.entries for study in studies if study.proof.ok) + (rules.entries if rules.ok else 0)
    sentence = say(
        "{cells} cells; {proved} identities proved exactly; {passed} of {all} comparisons of generated code, by {oracles} "
        "kinds of check, hold. [How, and every number](page:checks).",
        cells=len(studies),
        proved=proved,
        passed=sum(row.verdict == "pass" for row in rows),
        all=len(rows),
        oracles=len({row.oracle for row in rows}),
    )
    if not silent:
        return Paragraph(sentence)
    missing = say("Not installed here, and so not asked: {names}.", names=", ".join(silent))
    return Paragraph(say("{one} {two}", one=sentence, two=missing))


def _card(study: Study) -> Card:
    own = [jacobian for jacobian in study.derivation.jacobians if jacobian.recursion]
    return Card(study.name, study.title, study.says, min(map(_through_time, own), key=len, default=""), study.picture.name)


def _through_time(jacobian: Jacobian) -> str:
    """A state's Jacobian by its own old value: the terms that no matrix multiplies, where there are any."""
    straight = tuple(term for term in jacobian.terms if not term.rest)
    tex = Printer(jacobian.cell.tex)(formula(straight or jacobian.terms, jacobian.shape))
    rest = r" + \cdots" if straight and (jacobian.paths or len(straight) < len(jacobian.terms)) else ""
    return f"{jacobian.left} = {tex}{rest}"
