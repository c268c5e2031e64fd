"""Equations that hold only in some case, such as a display with "if" and "otherwise"."""

from __future__ import annotations

import re

_CONDITION = re.compile(
    r"\\(?:text|mbox|textrm|mathrm|hbox)\s*\{[^{}]*?\b(?P<word>if|otherwise|else|when|unless|si|wenn|sonst|если|иначе)\b[^{}]*\}"
    r"(?P<what>(?:(?!\\\\|\\q?quad|,|;|\\end)[^\n]){0,120})"
    r"|\\(?:text|mbox)\s*\{[^{}]*?(?:如果|若|否则|もし|それ以外|만약)[^{}]*\}|\\(?:b|p)?mod(?![A-Za-z])"
)


def is_conditional(tex: str) -> bool:
    """Whether a display says that an equation holds only in some case, and not only from some step on."""
    for match in _CONDITION.finditer(tex):
        if match["word"] in (None, "otherwise", "else", "unless", "sonst", "иначе"):
            return True
        names = re.findall(
            r"[A-Za-zα-ω]+", re.sub(r"\\(?:geq?|leq?|lt|gt|neq?|ldots|dots|text|in)(?![A-Za-z])", "", match["what"])
        )
        if [name for name in names if name not in ("t", "n", "k", "T", "N", "l", "L")] or not match["what"].strip(" .{}"):
            return True
    return False
