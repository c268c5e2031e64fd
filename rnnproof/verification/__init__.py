"""Evidence that generated gradients are right: independent oracles, one row for each comparison, and the tester tested."""

from rnnproof.verification.checking import check
from rnnproof.verification.evidence import Evidence, Row
from rnnproof.verification.oracles import ORACLES
from rnnproof.verification.subject import load_module

__all__ = ["ORACLES", "Evidence", "Row", "check", "load_module"]
