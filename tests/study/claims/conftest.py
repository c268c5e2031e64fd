"""The whole ledger, run once."""

from __future__ import annotations

import pytest

from rnnproof.study.claims import Outcome, ledger
from tests.study.claims.stand_in import StandIn


@pytest.fixture(scope="session")
def outcomes() -> dict[str, Outcome]:
    """Every claim's outcome by name, where all experiments bear out what they state."""
    return {one.claim.name: one for one in ledger(StandIn())}
