"""Evidence that generated gradients are right: independent oracles, one row for each comparison, and the tester tested."""

from rnnproof.verification.checking import check
from rnnproof.verification.evidence import Evidence, Row
from rnnproof.verification.module_under_test import load_module
from rnnproof.verification.oracles import ORACLES

__all__ = ["ORACLES", "Evidence", "Row", "check", "load_module"]
