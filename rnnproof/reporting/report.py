"""`rnnproof report`: the derivation of every catalogue cell, the proofs and the checks as Markdown files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rnnproof.derivation.derivation import derive
from rnnproof.equations import catalogue
from rnnproof.proofs import prove, prove_rules
from rnnproof.reporting import files, tables
from rnnproof.verification import Evidence, check

Progress = Callable[[int, int, str], None]

_CHECKS = """\
# Checks

Made by `rnnproof report`. The proofs are the same everywhere; the errors below are the machine's that made this.

## Proofs

The rules of the adjoint table in index notation, for all sizes; then, cell by cell, the derived gradient minus SymPy's
componentwise derivative over two steps, which is exactly 0 in every entry, with the activations as opaque functions.

{proofs}

## Comparisons

Every gradient of every catalogue cell's committed module (`rnnproof.cells`) against every oracle, at several sizes: how many
comparisons there were, and the one nearest to its tolerance. The error is the largest difference in an array over the largest
entry.

{summary}

## Every gradient

{gradients}
"""


@dataclass(frozen=True)
class Written:
    """What a report consists of and whether every check and proof in it holds."""

    paths: tuple[Path, ...]
    ok: bool
    lines: tuple[str, ...]


def write(folder: Path, progress: Progress | None = None) -> Written:
    """Write derivations/NAME.md and checks.md into a folder.

    The derivations are the same bytes every time. Raises UsageError for a folder that cannot be written.
    """
    names = catalogue.names()
    texts = {folder / "derivations" / f"{name}.md": derive(catalogue.load(name)).markdown() for name in names}
    files.write(texts)
    proofs = [prove_rules(), *(prove(catalogue.load(name), progress=progress) for name in names)]
    evidence = Evidence(tuple(row for name in names for row in check(name, progress=progress)))
    ok = evidence.ok and all(proof.ok for proof in proofs)
    gradients = evidence.table("github", by=("cell", "gradient", "oracle", "dtype"))
    checks = folder / "checks.md"
    shown = {"proofs": tables.proofs(proofs, "github"), "summary": tables.summary(evidence, "github"), "gradients": gradients}
    files.write({checks: _CHECKS.format(**shown)})
    lines = (
        tables.summary(evidence),
        "",
        *(str(row) for row in evidence.failures),
        f"derivations: {folder / 'derivations'} ({len(texts)} cells)",
        f"checks:      {checks} ({len(evidence)} comparisons; {'all hold' if ok else 'NOT all hold'})",
    )
    return Written((*texts, checks), ok, lines)
