"""What pytest gets of rnnproof, by itself where rnnproof is installed: the fixture `assert_healthy`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(name="assert_healthy")
def healthy() -> Callable[..., Any]:
    """`rnnproof.testing.assert_healthy`: examine a backward pass; a test that uses it fails with the report."""
    from rnnproof import testing  # only where a test asks for it: NumPy and SymPy take a second

    return testing.assert_healthy
