"""Options of the test suite.

The drawn examples are the same in every run; `pytest --hypothesis-profile=free` draws new ones.
"""

from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None)
hypothesis.settings.register_profile("free", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("fixed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the committed generated modules anew")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file whose every test needs frameworks imports some of them; where they are left out it is not imported either."""
    if collection_path.suffix == ".py" and "not frameworks" in config.option.markexpr:
        return "\npytestmark = [pytest.mark.frameworks" in collection_path.read_text(encoding="utf-8") or None
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("slow")
