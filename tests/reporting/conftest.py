"""What the tests of pages share: one whole report, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from reporting.site import site


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in both languages; see `site`."""
    return site(tmp_path_factory.mktemp("site"))
