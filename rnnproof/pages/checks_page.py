"""The page of the proofs and of the comparisons with every oracle."""

from __future__ import annotations

from collections.abc import Sequence

from rnnproof.pages import tables
from rnnproof.pages.blocks import Block, Document, Fold, Heading, Paragraph
from rnnproof.pages.message import say
from rnnproof.proofs import ProofReport
from rnnproof.verification import Evidence
from rnnproof.verification.recorded import Record


def document(proofs: Sequence[ProofReport], evidence: Evidence, record: Record) -> Document:
    """The proofs, the comparisons in short with when and with what they were made, every gradient."""
    blocks: list[Block] = [
        Paragraph(
            say(
                "Made by `rnnproof report`. The proofs are made anew each time and are the same everywhere; a comparison stays "
                "as it was first made on this very code, with the versions and on the day its row names, until a run finds "
                "something else."
            )
        ),
        Heading(say("Proofs"), anchor="proofs"),
        Paragraph(
            say(
                "The rules of the adjoint table in index notation, for all sizes; then, cell by cell, the derived gradient "
                "minus the loss's componentwise derivative over two steps, which is exactly 0 in every entry, with the "
                "activations as opaque functions."
            )
        ),
        tables.proofs(proofs),
        Heading(say("Comparisons"), anchor="comparisons"),
        Paragraph(
            say(
                "Every gradient of every cell's module against every oracle, at several sizes: how many comparisons there "
                "were, and the one nearest to its tolerance. The error is the largest difference in an array over the largest "
                "entry."
            )
        ),
        tables.summary(evidence, record),
        Heading(say("Every gradient"), anchor="gradients"),
        Fold(
            say("{count} gradients, oracles and dtypes", count=len(tables.gradients(evidence).rows)),
            (tables.gradients(evidence),),
        ),
    ]
    return Document("checks", say("Checks"), tuple(blocks))
