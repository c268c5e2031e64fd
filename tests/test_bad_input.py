"""Malformed documents at the command line: exit status 2, one message, no traceback, nothing written, nothing executed."""

from __future__ import annotations

import builtins
import os
from pathlib import Path

import pytest

from rnnproof.cli import main
from tests.equations.test_malformed import MALFORMED

HOSTILE = {
    "code in text": r"$$h_t = \text{__import__('os').system('touch executed')} + R h_{t-1}$$",
    "code in a name": r"$$\mathrm{__import__}_t = \tanh(R \mathrm{__import__}_{t-1})$$",
    "a Python keyword": r"$$\mathrm{lambda}_t = \tanh(R \mathrm{lambda}_{t-1})$$",
    "code in an operator": r"$$h_t = \operatorname{exec(open('executed','w'))}(x_t) + h_{t-1}$$",
    "ten thousand parentheses": "$$h_t = " + "(" * 10_000 + "h_{t-1}" + ")" * 10_000 + "$$",
    "ten megabytes": "$$h_t = h_{t-1}$$\n" * 600_000,
    "ten megabytes of one equation": "$$h_t = h_{t-1}" + " + x_t" * 1_700_000 + "$$",
    "a thousand equations": "".join(f"$$a_{{{n}}} = \\tanh(a_{{{n}}})$$\n" for n in range(1000)),
    "no text at all": "",
    "a null character": "$$h_t = \x00 h_{t-1}$$",
}
CASES = {**{name: text for name, (text, _) in MALFORMED.items()}, **HOSTILE}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("command", ["derive", "generate"])
def test_refused(
    command: str, case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.md").write_text(CASES[case], encoding="utf-8")
    for forbidden in ("eval", "exec"):
        monkeypatch.setattr(builtins, forbidden, _forbidden(forbidden, getattr(builtins, forbidden)))
    monkeypatch.setattr(os, "system", lambda *_: pytest.fail("a command was run"))
    assert main([command, "notes.md", "--output", "out/"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("rnnproof: ") or "\nrnnproof: " in told.err
    assert "Traceback" not in told.err and len(told.err) < 4000
    assert [path.name for path in tmp_path.iterdir()] == ["notes.md"]


def _forbidden(name: str, real: object) -> object:
    """Python's own libraries may build classes with exec; a user's words must not be in what they run."""

    def watched(source: object, *args: object, **kwargs: object) -> object:
        assert "executed" not in str(source), f"{name} met the document's text"
        return real(source, *args, **kwargs)  # type: ignore[operator]

    return watched
