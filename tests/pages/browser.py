"""A real browser: Debian's chromium, or the one that `playwright install chromium` brought."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


def executable() -> str | None:
    """The path of a chromium on this machine."""
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


@contextmanager
def opened() -> Iterator[Any]:
    """The browser; a test without one is skipped visibly, and CI allows no skip."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        except Error:
            pytest.skip("no chromium; install Debian's package, or run `playwright install chromium`")
        yield browser
        browser.close()
