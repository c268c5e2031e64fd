"""What the tests of pages share: one whole report, made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages.site import ROOT


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in both languages, made in a process of its own: other tests name activations, which a page then lists."""
    made = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "tests.pages.site", str(made)], cwd=ROOT, check=True)
    return made
