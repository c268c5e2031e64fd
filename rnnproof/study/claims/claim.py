"""`Claim`: one statement, and the code that tests it. `Outcome`: what the test saw, and the verdict that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rnnproof.pages.message import SEMICOLON, SPACE, Listed, Message, Text, listed, say
from rnnproof.study.claims.sources import Sources

PROOF, COUNT, MEASUREMENT = say("proof"), say("count"), say("measurement")
PROOF_AND_MEASUREMENT = say("proof and measurement")

PROVED = say("proved")
CONFIRMED = say("confirmed by measurement")
CONDITION = say("true with a condition")
NOT = say("not as stated")
UNMEASURED = say("not measured here")
VERDICTS = (PROVED, CONFIRMED, CONDITION, NOT, UNMEASURED)


@dataclass(frozen=True)
class Case:
    """One situation in which a claim was tested: whether it holds there (None: in part), and the numbers seen.

    `sampled`: it stands for more than was tried (random data, a few sizes), so that it is no proof.
    """

    says: Text
    holds: bool | None
    figure: Text
    sampled: bool = False


@dataclass(frozen=True)
class Clause(Listed):
    """Sentences as a part of another one: without the final period."""

    def text(self, language: str = "en") -> str:
        """The text in a language."""
        return super().text(language).rstrip(".。")


Test = Callable[[Sources], Sequence[Case]]


@dataclass(frozen=True)
class Claim:
    """A statement in the project's own words, the lecture's sections it stands in, how it is tested (PROOF, COUNT,
    MEASUREMENT; a case may be `sampled`) and the test. `experiments` are those whose findings the test reads.
    """

    name: str
    section: str
    text: Text
    how: Message
    test: Test
    experiments: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What a person types to see the evidence."""
        runs = (f"rnnproof experiment {' '.join(self.experiments)}",) if self.experiments else ()
        return " && ".join((*runs, f"rnnproof claims {self.name}"))


@dataclass(frozen=True)
class Outcome:
    """A claim and the cases of its test; no cases where an experiment it needs was not run."""

    claim: Claim
    cases: tuple[Case, ...]

    def tested(self, case: Case) -> Message:
        """How that case was tested: a sampled one is measured."""
        return MEASUREMENT if case.sampled else self.claim.how

    @property
    def how(self) -> Message:
        """How the claim was tested, from its cases: proof alone only where each of them is one."""
        kinds = {self.tested(case) for case in self.cases} or {self.claim.how}
        return kinds.pop() if len(kinds) == 1 else PROOF_AND_MEASUREMENT

    @property
    def verdict(self) -> Message:
        """One of VERDICTS, from the cases alone."""
        held = [case.holds for case in self.cases]
        if not held:
            return UNMEASURED
        if all(item is True for item in held):
            return PROVED if self.how == PROOF else CONFIRMED
        return NOT if all(item is False for item in held) else CONDITION

    @property
    def condition(self) -> Text:
        """Where the claim holds, where in part, where not."""
        where = {kind: [case.says for case in self.cases if case.holds is kind] for kind in (True, None, False)}
        sentence = (
            (where[True], say("It holds: {where}.", where=listed(where[True], SEMICOLON))),
            (where[None], say("In part: {where}.", where=listed(where[None], SEMICOLON))),
            (where[False], say("It does not hold: {where}.", where=listed(where[False], SEMICOLON))),
        )
        return listed((text for cases, text in sentence if cases), SPACE)

    @property
    def figure(self) -> Text:
        """The numbers of one or two cases, or in how many of more cases the claim holds."""
        if len(self.cases) == 1:
            return self.cases[0].figure
        if self.claim.experiments and len(self.cases) == 2:  # what an experiment measured says what it is of
            return listed((case.figure for case in self.cases), SEMICOLON)
        if len(self.cases) == 2:
            sentence = (say("{case}: {figure}", case=case.says, figure=case.figure) for case in self.cases)
            return listed(sentence, SEMICOLON)
        held, some = (sum(case.holds is kind for case in self.cases) for kind in (True, None))
        if some:
            return say("holds in {held} of {cases} cases, in {part} in part", held=held, cases=len(self.cases), part=some)
        return say("holds in {held} of {cases} cases", held=held, cases=len(self.cases)) if self.cases else ""


class Rows(list[Claim]):
    """The claims of a topic, in the order in which their tests are written down."""

    def add(self, name: str, section: str, text: Text, how: Message) -> Callable[[Test], Test]:
        """Take the decorated function as the test of a new claim."""

        def taken(test: Test) -> Test:
            self.append(Claim(name, section, text, how, test))
            return test

        return taken

    def measured(self, name: str, section: str, text: Text, *statements: str) -> None:
        """A claim whose cases are statements of experiments, each "EXPERIMENT.STATEMENT"."""
        pairs = [item.split(".") for item in statements]

        def test(sources: Sources) -> list[Case]:
            seen = (sources.statement(experiment, statement) for experiment, statement in pairs)
            return [Case(Clause((item.claim,)), item.holds, item.evidence) for item in seen]

        experiments = tuple(dict.fromkeys(experiment for experiment, _ in pairs))
        self.append(Claim(name, section, text, MEASUREMENT, test, experiments))
