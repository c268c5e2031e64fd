"""The rows, the rule of the verdicts, what experiments say, the page and the command."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rnnproof
from rnnproof.cli import main
from rnnproof.errors import UsageError
from rnnproof.pages.message import LANGUAGES, say
from rnnproof.pages.writers.markdown import markdown
from rnnproof.pages.writers.terminal import terminal
from rnnproof.study import claims_pages as page
from rnnproof.study.claims import CLAIMS, UNTESTED, Case, Claim, Outcome, Sources, ledger
from rnnproof.study.claims.claim import (
    CONDITION,
    CONFIRMED,
    COUNT,
    MEASUREMENT,
    NOT,
    PROOF,
    PROVED,
    UNMEASURED,
    VERDICTS,
    Clause,
    Rows,
)
from rnnproof.study.claims.lecture import SECTIONS
from rnnproof.study.experiments import experiments
from rnnproof.study.sweep import findings
from tests.study.claims.stand_in import StandIn

PACKAGE = Path(rnnproof.__file__).parent
NOWHERE = Sources(Path("no/such/folder"))


def outcome(how: Any, *held: bool | None, sampled: tuple[int, ...] = ()) -> Outcome:
    claim = Claim("name", "3.1", "a claim", how, lambda sources: [])
    cases = (Case(f"case {place}", holds, f"figure {place}", place in sampled) for place, holds in enumerate(held))
    return Outcome(claim, tuple(cases))


@pytest.mark.parametrize(
    ("how", "held", "verdict"),
    [
        (PROOF, (True, True), PROVED),
        (MEASUREMENT, (True,), CONFIRMED),
        (COUNT, (True, True, True), CONFIRMED),
        (PROOF, (True, False), CONDITION),
        (PROOF, (True, None), CONDITION),
        (MEASUREMENT, (None,), CONDITION),
        (MEASUREMENT, (None, False), CONDITION),
        (PROOF, (False,), NOT),
        (COUNT, (False, False), NOT),
        (MEASUREMENT, (), UNMEASURED),
        (PROOF, (), UNMEASURED),
    ],
)
def test_the_verdict_follows_from_the_cases(how: Any, held: tuple[bool | None, ...], verdict: Any) -> None:
    assert outcome(how, *held).verdict == verdict


@pytest.mark.parametrize(
    ("sampled", "verdict", "how"),
    [
        ((), PROVED, "proof"),
        ((1,), CONFIRMED, "proof and measurement"),
        ((0, 1), CONFIRMED, "measurement"),
    ],
)
def test_a_sampled_case_is_no_proof(sampled: tuple[int, ...], verdict: Any, how: str) -> None:
    one = outcome(PROOF, True, True, sampled=sampled)
    assert (one.verdict, str(one.how)) == (verdict, how)
    assert outcome(PROOF, True, False, sampled=sampled).verdict == CONDITION
    assert outcome(PROOF, False, False, sampled=sampled).verdict == NOT
    assert str(outcome(COUNT).how) == "count"


def test_a_sentence_among_cases_has_no_period() -> None:
    claim = Claim("name", "3.1", "a claim", MEASUREMENT, lambda sources: [])
    cases = [
        Case(Clause((text,)), holds, "seen") for text, holds in ((say("yes"), True), ("It explodes.", False), ("と。", False))
    ]
    assert str(Outcome(claim, tuple(cases)).condition) == "It holds: yes. It does not hold: It explodes; と."


def test_the_condition_says_where() -> None:
    told = str(outcome(PROOF, True, False, None, False).condition)
    assert told == "It holds: case 0. In part: case 2. It does not hold: case 1; case 3."
    assert str(outcome(PROOF, True).condition) == "It holds: case 0."


def test_the_figure_of_a_row() -> None:
    assert str(outcome(PROOF, False).figure) == "figure 0"
    assert str(outcome(PROOF, False, True).figure) == "case 0: figure 0; case 1: figure 1"
    assert str(outcome(PROOF, True, False, True).figure) == "holds in 2 of 3 cases"
    assert str(outcome(PROOF, True, False, None).figure) == "holds in 1 of 3 cases, in 1 in part"
    assert str(outcome(PROOF).figure) == ""


def test_rows() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS) >= 60
    assert len({claim.text for claim in CLAIMS}) == len(CLAIMS)
    places = [SECTIONS.index(claim.section.split(", ")[0]) for claim in CLAIMS]
    assert places == sorted(places) and set(places) == set(range(4))
    for claim in CLAIMS:
        assert set(claim.section.split(", ")) <= set(SECTIONS)
        assert claim.how in (PROOF, COUNT, MEASUREMENT)
        assert claim.command.endswith(f"rnnproof claims {claim.name}")
        assert set(claim.experiments) <= set(experiments())
    assert {experiment for claim in CLAIMS for experiment in claim.experiments} == set(experiments())


def test_all_rows_run(outcomes: dict[str, Outcome]) -> None:
    assert list(outcomes) == [claim.name for claim in CLAIMS]
    for one in outcomes.values():
        assert one.cases and one.verdict in VERDICTS
        assert len({str(case.says) for case in one.cases}) == len(one.cases), one.claim.name
        assert all(str(case.figure) and case.holds in (True, False, None) for case in one.cases)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("units-is-length", NOT),
        ("units-is-width", CONFIRMED),
        ("gru-unit-forget-bias", NOT),
        ("shortcut-one-plus", PROVED),
        ("shortcut-increases", CONDITION),
        ("clipnorm-per-array", CONDITION),
        ("clipnorm-direction", CONDITION),
        ("unit-forget-bias", CONDITION),
        ("go-backwards-output", CONFIRMED),
        ("go-backwards-restored", NOT),
        ("output-is-o", CONFIRMED),
        ("output-is-gate", NOT),
        ("lstm-equations", PROVED),
        ("simple-rnn-vanishes", CONDITION),
        *((name, CONFIRMED) for name in ("gate-learned", "lstm-learned", "gradients-multiply", "gate-forgetting")),
        *((name, CONFIRMED) for name in ("lstm-forget-gate", "gru-long-in-h", "shortcut-identity-path", "norm-matrix")),
        ("lstm-layer", CONDITION),
        ("optimisers-clipnorm", CONFIRMED),
    ],
)
def test_verdicts_that_matter(outcomes: dict[str, Outcome], name: str, verdict: Any) -> None:
    assert outcomes[name].verdict == verdict, outcomes[name].condition


@pytest.mark.slow
def test_the_same_numbers_again(outcomes: dict[str, Outcome]) -> None:
    names = ["gate-balance", "cliff-wasted", "dropout-rate", "lstm-longer-than-simple-rnn"]
    for again in ledger(StandIn(), names):
        assert again.cases == outcomes[again.claim.name].cases


def test_progress_is_told() -> None:
    told: list[tuple[int, int, str]] = []
    ledger(NOWHERE, ["norm-vector", "argument-names"], lambda *step: told.append(step))
    assert told == [(0, 2, "norm-vector"), (1, 2, "argument-names")]


def test_an_unknown_name_is_told_what_is_near() -> None:
    with pytest.raises(UsageError, match="no claim 'unit-is-lenght'; near to it are units-is-length.*lists all"):
        ledger(NOWHERE, ["unit-is-lenght"])


# experiments


@pytest.mark.parametrize("holds", [True, None, False])
def test_what_experiments_say_is_the_verdict(holds: bool | None) -> None:
    sources = StandIn(holds)
    names = [claim.name for claim in CLAIMS if claim.experiments]
    for one in ledger(sources, names):
        assert one.verdict == {True: CONFIRMED, None: CONDITION, False: NOT}[holds]
    asked = vars(sources)["asked"]
    assert len(asked) > 15
    constants = {
        node.value
        for file in (PACKAGE / "study" / "experiments").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    }
    assert {statement for _, statement in asked} <= constants


def test_what_was_not_run_is_not_measured() -> None:
    (one,) = ledger(NOWHERE, ["small-limit-slow"])
    assert (one.verdict, one.cases) == (UNMEASURED, ())
    assert one.claim.command == "rnnproof experiment clipping && rnnproof claims small-limit-slow"


def test_findings_are_read_from_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        findings.Statement("slow", "Slow.", findings.HOLDS, "24 of 24"),
        findings.Statement("slow-adaptive", "Slow, too.", findings.NOT, "0 of 6"),
        findings.Statement("alike", "Alike.", findings.CONDITION, "14 of 56"),
    ]
    read: list[tuple[Path, str]] = []

    def record(folder: Path, name: str) -> Any:
        read.append((folder, name))
        return SimpleNamespace(findings=findings.Findings((), (), tuple(made)))

    monkeypatch.setitem(sys.modules, "rnnproof.study.sweep.record", SimpleNamespace(read=record))
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "clipping.json").write_text("{}")
    slow, alike = ledger(Sources(tmp_path), ["small-limit-slow", "clipping-alike"])
    assert [(str(case.says), case.holds, case.figure) for case in slow.cases] == [
        ("Slow", True, "24 of 24"),
        ("Slow, too", False, "0 of 6"),
    ]
    assert (slow.verdict, alike.verdict) == (CONDITION, CONDITION)
    assert read == [(tmp_path, "clipping")] * 3
    made.pop()
    with pytest.raises(UsageError, match="say nothing of 'alike' .they say slow, slow-adaptive.*rnnproof experiment clipping"):
        ledger(Sources(tmp_path), ["clipping-alike"])


# page and command


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page(outcomes: dict[str, Outcome], language: str) -> None:
    (unmeasured,) = ledger(NOWHERE, ["cliff-thrown"])
    shown = list({**outcomes, "cliff-thrown": unmeasured}.values())
    document = page.document(shown)
    assert document.name == "claims"
    text = markdown(document, language)
    assert terminal(document, language)
    assert text.count("<details>") == len(shown)
    rows = [line for line in text.splitlines() if line.startswith("|") and "`rnnproof " in line]
    assert len(rows) == len(shown)
    bars = {row.replace(r"\|", "").count("|") for row in rows}
    assert bars == {7}  # six columns
    for one in shown:
        (row,) = [row for row in rows if row.rstrip("| ").endswith(f"rnnproof claims {one.claim.name}`")]
        assert one.verdict.text(language) in row and one.how.text(language) in row
    assert UNMEASURED.text(language) in text and "rnnproof experiment cliff && rnnproof claims cliff-thrown" in text
    assert "layers.md" in text and all(statement.text(language) in text for _, statement, _ in UNTESTED)
    if language == "ja":
        assert "系列長" in text and "confirmed by measurement" not in text


def test_the_counts_add_up(outcomes: dict[str, Outcome]) -> None:
    counts: Any = page.counts(list(outcomes.values()))
    assert counts in page.document(list(outcomes.values())).blocks
    assert [verdict for verdict, _ in counts.rows[:-1]] == [one for one in VERDICTS if one != UNMEASURED]
    numbers = [count for _, count in counts.rows]
    assert sum(numbers[:-1]) == numbers[-1] == len(CLAIMS)


def test_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert main(["claims", "units-is-length", "--findings", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "(not as stated)" in told and "kernel (4, 20), (4, 20) for 4, 9 steps" in told
    assert main(["claims", "units-is-length", "--lang", "ja"]) == 0
    assert "記述どおりではない" in capsys.readouterr().out
    assert main(["claims", "unit-forget-biass"]) == 2
    error = capsys.readouterr().err
    assert "near to it are unit-forget-bias" in error and "Traceback" not in error
    few = tuple(claim for claim in CLAIMS if claim.name in ("norm-vector", "cliff-thrown", "units-is-length"))
    monkeypatch.setattr("rnnproof.study.claims.lecture.CLAIMS", few)
    assert main(["claims", "--findings", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.removeprefix(claim.section).split()[0] for line, claim in zip(lines[4:], few, strict=False)]
    assert rows == [claim.name for claim in few]
    assert [line.split()[-1] for line in lines if line.startswith(("confirmed", "not as", "not measured", "all"))] == list(
        "1113"
    )


def test_a_claim_without_cases_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    rows.add("empty", "3.1", say("yes"), COUNT)(lambda sources: [])
    monkeypatch.setattr("rnnproof.study.claims.lecture.CLAIMS", tuple(rows))
    with pytest.raises(AssertionError, match="claim empty: its test has no cases"):
        ledger(NOWHERE)
