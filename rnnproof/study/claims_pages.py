"""The claims ledger as a page: how many claims of each verdict, a row for each claim, and the cases behind it."""

from __future__ import annotations

from collections.abc import Sequence

from rnnproof.pages.blocks import Block, Bullets, Document, Fold, Heading, Paragraph, Table
from rnnproof.pages.message import say
from rnnproof.study.claims.claim import CONDITION, CONFIRMED, NOT, PROVED, UNMEASURED, VERDICTS, Outcome
from rnnproof.study.claims.lecture import UNTESTED

TITLE = say("The claims ledger")
_HOLDS = {True: say("yes"), None: say("in part"), False: say("no")}
_MEANINGS = {
    PROVED: say("derived from the equations by exact algebra, and every case holds"),
    CONFIRMED: say("every case that was run or counted holds; other cases were not tried"),
    CONDITION: say("it holds in some cases and not, or only in part, in others"),
    NOT: say("it holds in no case"),
    UNMEASURED: say("it needs an experiment that has not been run; the row's command runs it"),
}


def document(outcomes: Sequence[Outcome]) -> Document:
    """The whole ledger: counts, rows, and a fold of cases for each claim."""
    headers = (say("claim"), say("section"), say("tested by"), say("verdict"), say("seen"), say("command"))
    rows = [
        (outcome.claim.text, outcome.claim.section, outcome.how, outcome.verdict, outcome.figure, f"`{outcome.claim.command}`")
        for outcome in outcomes
    ]
    blocks: list[Block] = [
        Paragraph(
            say(
                "Every statement of the lecture that can be true or false, in our own words, tested by code. Each verdict is "
                "computed from the cases at the end of this page; none is typed in. Made by `rnnproof claims`."
            )
        ),
        counts(outcomes),
        Bullets(tuple(say("**{verdict}**: {meaning}", verdict=verdict, meaning=_MEANINGS[verdict]) for verdict in VERDICTS)),
        Paragraph(
            say(
                "A claim is proved only where each of its cases is a proof; where one was tried on random data or for a few "
                "sizes, it is confirmed. What the lecture says of Keras is tested on this project's layers, as Keras 2.2.4 has "
                "it; the layers are compared with Keras's own in `reports/layers.md`."
            )
        ),
        Heading(say("The claims")),
        Table(headers, rows, say("One row for each claim, in the lecture's order.")),
        Heading(say("The cases")),
        *(
            Fold(say("{claim} ({verdict})", claim=outcome.claim.text, verdict=outcome.verdict), _cases(outcome))
            for outcome in outcomes
        ),
        Heading(say("Statements that are no rows")),
        Paragraph(say("Opinions and statements about the world, which no code can test.")),
        Bullets(
            tuple(
                say("Section {section}: {statement} {why}", section=section, statement=statement, why=why)
                for section, statement, why in UNTESTED
            )
        ),
    ]
    return Document("claims", TITLE, tuple(blocks))


def overview(outcomes: Sequence[Outcome]) -> Document:
    """The ledger for the terminal: a line for each claim, the counts below, where they are seen."""
    headers = (say("section"), say("name"), say("verdict"), say("claim"))
    rows = [(outcome.claim.section, outcome.claim.name, outcome.verdict, outcome.claim.text) for outcome in outcomes]
    last = Paragraph(say("`rnnproof claims NAME` shows the cases of a claim and the numbers seen."))
    return Document("claims", TITLE, (Table(headers, rows), counts(outcomes), last))


def in_full(outcomes: Sequence[Outcome]) -> Document:
    """Every case of these claims."""
    blocks: list[Block] = []
    for outcome in outcomes:
        blocks += [Heading(say("{claim} ({verdict})", claim=outcome.claim.text, verdict=outcome.verdict)), *_cases(outcome)]
    return Document("claims", TITLE, tuple(blocks))


def counts(outcomes: Sequence[Outcome]) -> Table:
    """How many claims have which verdict, in the order of VERDICTS."""
    verdicts = [outcome.verdict for outcome in outcomes]
    rows = [(verdict, verdicts.count(verdict)) for verdict in VERDICTS if verdict in verdicts]
    return Table((say("verdict"), say("claims")), [*rows, (say("all"), len(verdicts))])


def _cases(outcome: Outcome) -> tuple[Block, ...]:
    sentence = say("Section {section}, tested by {how}.", section=outcome.claim.section, how=outcome.how)
    command = Paragraph(say("To see it again: {command}", command=f"`{outcome.claim.command}`"))
    if not outcome.cases:
        return (Paragraph(sentence), command)
    rows = [(case.says, outcome.tested(case), _HOLDS[case.holds], case.figure) for case in outcome.cases]
    table = Table((say("case"), say("tested by"), say("holds"), say("seen")), rows)
    where = (Paragraph(outcome.condition),) if outcome.verdict == CONDITION else ()
    return (Paragraph(sentence), *where, table, command)
