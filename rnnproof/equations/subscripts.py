"""Sub- and superscripts: what they hold, how they print, and which of them are no names."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Script:
    """One sub- or superscript: its content as names and signs, cut at its commas, and as LaTeX.

    `place` is _ or ^, ' for primes, ( for an argument such as (t-1), and nothing where a mark such as h_{prev} is a step.
    """

    place: str
    parts: tuple[tuple[str, ...], ...]
    tex: str

    @property
    def printed(self) -> str:
        if self.place in ("'", "(", ""):  # a prime, an argument, a mark: `tex` is all of it
            return self.tex
        return f"{self.place}{self.tex}" if len(self.tex) == 1 else f"{self.place}{{{self.tex}}}"


def transposition(script: Script) -> tuple[bool, Script | None]:
    """Whether a superscript transposes, and what is left of it."""
    if script.place != "^":
        return False, script
    if script.parts in ((("T",),), (("top",),), (("tr",),)):
        return True, None
    if script.parts and script.parts[-1][-1:] == ("top",):
        parts = (*script.parts[:-1], script.parts[-1][:-1])
        return True, replace(
            script, parts=tuple(part for part in parts if part), tex=re.sub(r"\\(top|intercal)\s*$", "", script.tex)
        )
    return False, script


def is_power(base: str, script: Script) -> bool:
    """Whether a superscript begins with a sign (W^{-1}, e^{-x}), or is one of e and no step or label in brackets (e^x)."""
    signed = any(len(part) > 1 and part[0] in ("+", "-") for part in script.parts)
    step = len(script.parts) == 1 and (script.parts[0][0] in ("t", "(", "<", "[") or script.parts[0] in (("prime",), ("*",)))
    return script.place == "^" and (signed or (base == "e" and not step))


def nested(atoms: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A script's atoms that stand below the one before them, as LaTeX has them: the t of W_{h_t}."""
    if len(atoms) == 1 and len(atoms[0][1]) == 1:
        return [(name, f"_{tex}") for name, tex in atoms]
    texts = [tex for _, tex in atoms] or [""]
    texts[0] = f"_{{{texts[0]}"
    texts[-1] = f"{texts[-1]}}}"
    return [(name, tex) for (name, _), tex in zip(atoms, texts, strict=False)]


def joined(parts: list[str]) -> str:
    """LaTeX pieces side by side, a space only where a macro would swallow the next letter."""
    text = ""
    for part in parts:
        text += (" " if re.search(r"\\[A-Za-z]+$", text) and part[:1].isalpha() else "") + part
    return text
