"""The fixture in a test suite of somebody else: healthy passes, and a mistake fails with its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SUITE = """
from tests.doctor.patients.vzhou842_rnn import patient
from tests.doctor.test_examination import rnn


def test_right(assert_healthy):
    assert assert_healthy(rnn(), cell="simple_rnn").ok


def test_wrong(assert_healthy):
    assert_healthy(patient, cell="simple_rnn")
"""


def test_a_suite_with_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")
    root = Path(__file__).parents[2]
    plugin = ["-p", "rnnproof.pytest_plugin"]  # which the entry point does where the package is installed
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "--rootdir", str(tmp_path), str(tmp_path)]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "carry-untransposed, in d_h_prev: R itself stands where its transpose is due" in ran.stdout
