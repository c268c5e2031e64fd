"""The claims ledger: every statement of the lecture that can be true or false, tested by code, its verdict computed.

`ledger(Sources(folder))` gives an `Outcome` for each of `CLAIMS`; experiments are read from what `rnnproof experiment` left in
the folder, everything else is tested on the spot.
"""

from rnnproof.study.claims.claim import Case, Claim, Outcome
from rnnproof.study.claims.lecture import CLAIMS, UNTESTED, ledger
from rnnproof.study.claims.sources import Sources

__all__ = ["CLAIMS", "UNTESTED", "Case", "Claim", "Outcome", "Sources", "ledger"]
