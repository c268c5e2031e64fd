"""Options of the test suite.

The drawn examples are the same in every run; `pytest --hypothesis-profile=free` draws new ones.
"""

import hypothesis
import pytest

hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None)
hypothesis.settings.register_profile("free", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("fixed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the committed generated modules anew")
