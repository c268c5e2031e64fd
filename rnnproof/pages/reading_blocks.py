"""How a cell's equations were read, as blocks: what was assumed, and what of the document is no equation of the cell."""

from __future__ import annotations

from collections.abc import Sequence

from rnnproof.equations.cell import Cell
from rnnproof.pages.blocks import Block, Fold, Heading, Paragraph, Table
from rnnproof.pages.message import Message, Text, say

# What the reader says in fixed words; the rest of its reasons are error messages, which are in English everywhere.
_FIXED: Sequence[Message] = (
    say("is carried to the next step in a state of its own"),
    say("is the input of the step that is computed"),
    say("belongs to the function that it is an argument of"),
    say("is multiplied entry by entry: vectors side by side"),
    say("is multiplied first, as it stands side by side, and the result entry by entry"),
    say("is a weight of its own, and no transpose"),
    say("is a scalar by its use, as the text says nothing of it"),
    say("is differentiated as free in every entry, and the text restricts it"),
    say("is the input: it comes from the layer below"),
    say("is the state of the layer, whose letter it leaves out"),
    say("is printed in two fonts, and is one thing"),
    say("is a row of a minibatch, and one vector here"),
    say("is taken from an earlier part of the document"),
    say("has its own rows of what is printed as one matrix"),
    say("is a function left open, that gives as many entries as it takes"),
    say("a gradient, which is compared with the derived one"),
    say("a name for a derivative"),
    say("no definition"),
    say("its left side is not a single symbol"),
    say("of its members the first one is read"),
    say("of its members the last one is read"),
    say("reads nothing but itself"),
    say("a value, no equation"),
    say("another name for the same thing"),
    say("a sketch of what another equation defines"),
    say("a value at one step or layer"),
    say("an update of a parameter, no equation of the cell"),
    say("runs backwards through the steps, as gradients do"),
    say("a remark: the text speaks of another case or of a beginning"),
    say("a remark in the text on what a display defines otherwise"),
    say("defines nothing that another equation reads"),
    say("an output that no other equation reads, of what is not among the operations"),
    say("an output of what runs backwards through the steps"),
    say("no recurrence: nothing is read at the step before, as h_{{t-1}} is"),
)
_SAID = {str(message): message for message in _FIXED}


def reading_of(cell: Cell, symbols: Table) -> tuple[Block, ...]:
    """The table of symbols, what was assumed, and what was passed over."""
    return (
        Heading(say("How the equations were read"), anchor="reading"),
        Fold(say("Every symbol and its size"), (symbols,)),
        *assumed(cell),
        *_passed_over(cell),
    )


def assumed(cell: Cell) -> tuple[Block, ...]:
    """What the document does not say, as a table."""
    if not cell.assumed:
        return ()
    rows: list[tuple[Text, ...]] = [(f"${what.tex}$", _said(what.text)) for what in cell.assumed]
    return (
        Paragraph(say("The document does not say it, and so it was assumed:")),
        Table((say("symbol"), say("what was assumed")), rows),
    )


def _passed_over(cell: Cell) -> tuple[Block, ...]:
    over = [entry for entry in cell.passed_over if entry.reason != "no definition"]
    if not over:
        return ()
    rows: list[tuple[Text, ...]] = [(entry.where, f"`{entry.tex}`", _said(entry.reason)) for entry in over]
    table = Table((say("where"), say("passed over"), say("why")), rows)
    return (Fold(say("What of the document is no equation of the cell"), (table,)),)


def _said(text: str) -> Text:
    return _SAID.get(text, text)
