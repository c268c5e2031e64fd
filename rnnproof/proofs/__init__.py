"""Exact proofs: `prove(cell)` at explicit sizes, `prove_rules()` of every rule of the adjoint table for all sizes."""

from rnnproof.proofs.exact import prove
from rnnproof.proofs.proof_report import Kind, ProofReport, ProofRow
from rnnproof.proofs.rules import prove_rules

__all__ = ["Kind", "ProofReport", "ProofRow", "prove", "prove_rules"]
