"""`CLAIMS`: all rows in the lecture's order. `ledger`: their outcomes. `UNTESTED`: the statements that are no rows, and why."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from rnnproof.errors import UsageError
from rnnproof.pages.message import Text, say
from rnnproof.study.claims import (
    argument_claims,
    clipping_claims,
    explosion,
    gates,
    gru_claims,
    listings,
    lstm_claims,
    optimisers,
    sequences,
    shortcuts,
)
from rnnproof.study.claims.claim import Case, Claim, Outcome
from rnnproof.study.claims.sources import Sources, Unmeasured

Progress = Callable[[int, int, str], None]

# The lecture's sections in its order, which is not that of their numbers.
SECTIONS = ("3.1", "3.2", "3.4", "3.3")
_TOPICS = (
    explosion,
    clipping_claims,
    optimisers,
    shortcuts,
    gates,
    lstm_claims,
    gru_claims,
    argument_claims,
    sequences,
    listings,
)


def _place(claim: Claim) -> int:
    """Where the claim's first section stands."""
    return SECTIONS.index(claim.section.partition(", ")[0])


CLAIMS: tuple[Claim, ...] = tuple(sorted((claim for topic in _TOPICS for claim in topic.ROWS), key=_place))

# (section, statement, why no code can test it)
UNTESTED: tuple[tuple[str, Text, Text], ...] = (
    ("3.4", say("The LSTM is one of the models that are used often."), say("It is about the world, not about the model.")),
    ("3.4", say("In Keras one hardly has to care about the LSTM's details."), say("It is an opinion.")),
    (
        "3.4",
        say("What matters is to be aware that the LSTM is strong with long sequences."),
        say("What matters is an opinion; that it is strong with long sequences is a row."),
    ),
)


def ledger(sources: Sources, names: Sequence[str] = (), progress: Progress | None = None) -> tuple[Outcome, ...]:
    """The outcome of every claim, or of those named, in the order of CLAIMS. Raises UsageError for an unknown name."""
    known = _known(names)
    chosen = [claim for claim in CLAIMS if not names or claim.name in known]
    outcomes = []
    for done, claim in enumerate(chosen):
        if progress is not None:
            progress(done, len(chosen), claim.name)
        outcomes.append(Outcome(claim, _cases(claim, sources)))
    return tuple(outcomes)


def _known(names: Sequence[str]) -> Sequence[str]:
    there = [claim.name for claim in CLAIMS]
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=5, cutoff=0.4) or [other for other in there if name in other]
            sentence = f"; near to it are {', '.join(near)}" if near else ""
            raise UsageError(f"there is no claim {name!r}{sentence}; `rnnproof claims` lists all {len(there)}")
    return names


def _cases(claim: Claim, sources: Sources) -> tuple[Case, ...]:
    try:
        cases = tuple(claim.test(sources))
    except Unmeasured:
        return ()
    if not cases:
        raise AssertionError(f"claim {claim.name}: its test has no cases")
    return cases
