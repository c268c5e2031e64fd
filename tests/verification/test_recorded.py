"""The record of evidence: what stays, what takes its place, what a damaged file says."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rnnproof.errors import UsageError
from rnnproof.verification import Evidence, recorded
from rnnproof.verification.recorded import Record
from rnnproof.verification.row import Row

PASSED = Row("lstm", "W_f", "torch", "float64", "T=5, B=3", 1e-16, 1e-13, "rounding", "pass", (1, 2), None, 0.5, 0.5)
OTHER = replace(PASSED, gradient="R_f", error=2e-16)
OWN = replace(PASSED, oracle="complex")
ABSENT = Row("lstm", "all", "torch", "", "", 0.0, 0.0, "install torch", "not installed", note="install torch")


def record(*rows: Row, code: str = "code") -> Record:
    return Record({}).merged("lstm", code, Evidence(rows))[0]


def test_what_an_absent_oracle_found_on_the_same_code_stays() -> None:
    before = record(PASSED, OTHER, OWN)
    after, evidence = before.merged("lstm", "code", Evidence((ABSENT, OWN)))
    assert after == before and set(evidence) == {PASSED, OTHER, OWN}
    _, evidence = before.merged("lstm", "code", Evidence((OWN,)))
    assert set(evidence) == {PASSED, OTHER, OWN}, "not asked is no news either"


@pytest.mark.slow
def test_of_other_code_nothing_stays() -> None:
    after, evidence = record(PASSED, OWN).merged("lstm", "other code", Evidence((ABSENT, OWN)))
    assert set(evidence) == {ABSENT, OWN} and set(after.groups) == {("lstm", "complex")}
    assert record(PASSED).merged("gru", "code", Evidence(()))[0] == record(PASSED), "another cell's are its own"


def test_other_last_digits_are_no_news_and_less_is_none() -> None:
    before = record(PASSED, OTHER)
    after, evidence = before.merged("lstm", "code", Evidence((replace(PASSED, error=3e-16, ours=0.5 + 2**-53),)))
    assert after == before and set(evidence) == {PASSED, OTHER}


@pytest.mark.parametrize("change", [{"verdict": "FAIL", "error": 1.0}, {"sizes": "T=9, B=3"}, {"gradient": "b_f"}])
@pytest.mark.slow
def test_what_is_not_on_record_takes_its_place(change: dict[str, Any]) -> None:
    news = replace(PASSED, **change)
    after, evidence = record(PASSED, OTHER).merged("lstm", "code", Evidence((news,)))
    assert evidence.rows == (news,) and after["lstm", "torch"].rows == (news,)


@pytest.mark.slow
def test_a_failure_stays_until_the_same_code_passes() -> None:
    failed = replace(PASSED, verdict="FAIL", error=math.inf)
    before = record(failed)
    assert not before.merged("lstm", "code", Evidence((ABSENT,)))[1].ok
    assert before.merged("lstm", "code", Evidence((PASSED,)))[1].rows == (PASSED,)


@pytest.mark.slow
def test_a_contract_that_holds_again_leaves_no_row() -> None:
    broken = replace(PASSED, oracle="dtype", gradient="all", verdict="FAIL")
    assert record(broken, PASSED).merged("lstm", "code", Evidence((PASSED,)))[1].rows == (PASSED,)


def test_written_and_read_it_is_the_same() -> None:
    whole = record(PASSED, replace(OTHER, error=math.inf, verdict="FAIL", step=3), OWN)
    assert recorded.load(whole.dump()) == whole and recorded.load(whole.dump()).dump() == whole.dump()
    group = whole["lstm", "torch"]
    assert len(group.code) == 64 and "numpy" in group.versions and len(group.date) == 10


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: [],
        lambda data: 3,
        lambda data: {**data, "format": 2},
        lambda data: {**data, "groups": {"a": 1}},
        lambda data: {**data, "groups": [{**data["groups"][0], "code": "abc"}]},
        lambda data: {**data, "groups": [{**data["groups"][0], "date": "yesterday"}]},
        lambda data: {**data, "groups": [{**data["groups"][0], "rows": [[1, 2]]}]},
        lambda data: {**data, "groups": [{**data["groups"][0], "versions": {"numpy": 2}}]},
        lambda data: {**data, "groups": [{**data["groups"][0], "rows": [data["groups"][0]["rows"][0][:6] + ["fine"] * 7]}]},
    ],
)
@pytest.mark.slow
def test_a_damaged_record_is_one_message(damage: Any, tmp_path: Path) -> None:
    data = damage(json.loads(record(PASSED).dump()))
    recorded.path(tmp_path).parent.mkdir()
    recorded.path(tmp_path).write_text(json.dumps(data))
    with pytest.raises(UsageError, match=r"evidence\.json: is no record of this version: .*delete it"):
        recorded.read(tmp_path)


def test_where_there_is_none_it_is_empty(tmp_path: Path) -> None:
    assert recorded.read(tmp_path) == Record({})
