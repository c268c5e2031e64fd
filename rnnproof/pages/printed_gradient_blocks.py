"""The gradients that a document prints beside its equations, each with what the comparison says of it."""

from __future__ import annotations

from collections.abc import Sequence

from rnnproof.equations.cell import Cell
from rnnproof.equations.syntax import portable
from rnnproof.pages.blocks import Block, Bullets, Heading, Paragraph
from rnnproof.pages.message import COMMA, Message, Text, listed, say
from rnnproof.verification.gradient_comparison import (
    AGREES,
    DIFFERS,
    GradientComparison,
    compare_printed_gradients,
)

# What the comparison says in fixed words; the rest of its reasons are error messages, which are in English everywhere.
_FIXED: Sequence[Message] = (
    say("with what a weight does at the steps before held fixed"),
    say("with the other states of the step before held fixed"),
    say("with the gates and the other states of the step before held fixed"),
    say("with the other symbols of its equation held fixed"),
    say("in denominator layout"),
    say("for a loss that reads the last step alone"),
    say("at the last step alone: elsewhere what comes back from the next step is missing"),
    say("for one step: the gradient is the sum over all of them"),
    say("transposed"),
    say("for the part of it that comes back from the next step through this state"),
    say("by what the functions of the gates are applied to"),
    say("for an elementwise function in place of the one left open"),
    say("in those of its members that can be compared"),
    say("its shapes fit in no reading"),
    say("its notation is not understood in a gradient"),
    say("the derivative on its left is no vector or matrix of this cell"),
    say("a function of the cell is left open"),
    say("it can be read in too many ways; write diag(...) and brackets"),
)
_SAID = {str(message): message for message in _FIXED}


def printed_gradients(cell: Cell) -> tuple[Block, ...]:
    """The gradients that the cell's document prints, with verdicts; nothing where it prints none."""
    compared = compare_printed_gradients(cell)
    if not compared:
        return ()
    lead = say(
        "Each is compared with the derived gradient, at random values over a few steps. A formula differs where none of the "
        "usual ways to read it agrees: vectors as columns or diagonal matrices, numerator or denominator layout, all paths or "
        "the direct one."
    )
    return (
        Heading(say("The gradients that the document prints"), anchor="printed-gradients"),
        Paragraph(lead),
        verdicts(compared),
    )


def verdicts(compared: Sequence[GradientComparison]) -> Bullets:
    """One item for each printed gradient."""
    return Bullets(
        tuple(
            say("{where}: {formula}: {verdict}", where=one.where, formula=_formula(one), verdict=_verdict(one))
            for one in compared
        )
    )


def _formula(one: GradientComparison) -> str:
    """The formula as mathematics, or as it stands where it cannot be read."""
    return f"${portable(one.tex)}$" if one.read else f"`{one.tex}`"


def _verdict(one: GradientComparison) -> Text:
    """What the comparison says, in any language."""
    if one.verdict == AGREES:
        return listed([say("agrees"), *(_SAID[note] for note in one.notes)], COMMA)
    if one.verdict == DIFFERS:
        if one.derived:
            return say("**differs**; derived: {formula}", formula=f"${one.derived}$")
        return say("**differs**")
    return say("not compared: {reason}", reason=_SAID.get(one.reason, one.reason))
