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

Made by `rnnproof report`; the errors and seconds are this machine's.

## Proofs

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
    shown = "\n\n".join(proof.table("github") for proof in proofs)
    checks = folder / "checks.md"
    files.write({checks: _CHECKS.format(proofs=shown, summary=tables.summary(evidence, "github"), gradients=gradients)})
    lines = (
        tables.summary(evidence),
        "",
        *(str(row) for row in evidence.failures),
        f"derivations: {folder / 'derivations'} ({len(texts)} cells)",
        f"checks:      {checks} ({len(evidence)} comparisons; {'all hold' if ok else 'NOT all hold'})",
    )
    return Written((*texts, checks), ok, lines)
