"""Print symbols: base, accent, labels, the step's index in the place the cell's style has, transposes."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from random import Random

from tests.random_cells.random_tree import Symbol
from tests.random_cells.symbol_names import Index, Name, Namer

TRANSPOSES = ("^T", r"^\top", r"^{\mathsf T}", r"^\mathrm{T}", r"^\intercal", r"^{\text{tr}}", r"^{\top}")


@dataclass
class Signs:
    """What one cell's author writes: chosen once, so that a cell looks as if one person had written it."""

    product: str
    hadamard: str
    transpose: str
    stack: str
    unicode: bool
    rows: bool
    loose: float

    @classmethod
    def draw(cls, rng: Random, plainly: bool = False) -> Signs:
        if plainly:
            return cls("", r" \odot ", r"^\top", "[;]", False, False, 0.0)
        plain = rng.random() < 0.5
        return cls(
            product="" if plain else rng.choice((r" \cdot ", r" \ast ", " * ", r" \times ", " · ", " × ", r" \, ", r"\;")),
            hadamard=rng.choice((r" \odot ",) * 4 + (r" \circ ", " ⊙ ", " ∘ ", r" \cdot ", " * ", r" \times ")),
            transpose=rng.choice(TRANSPOSES),
            stack=rng.choice(list(STACKS)),
            unicode=rng.random() < 0.15,
            rows=rng.random() < 0.12,
            loose=rng.choice((0.0, 0.0, 0.1)),
        )


STACKS = {
    **{f"[{mark.strip()}]": ("[", mark, "]") for mark in (";", ",", r" \|", r" \Vert", " ‖", r" \oplus", r" \mathbin{\|}")},
    **{"(;)": ("(", ";", ")"), r"\{;\}": (r"\{", ";", r"\}"), r"\lbrack;\rbrack": (r"\lbrack ", ";", r" \rbrack")},
    **{"transposed": ("", "", ""), "bmatrix": ("", "", ""), "pmatrix": ("", "", "")},
}


class SymbolPrinter:
    """LaTeX of symbols; counts the notations it uses."""

    def __init__(self, rng: Random, namer: Namer, used: Counter[str], plain: bool = False) -> None:
        self.rng, self.namer, self.index, self.used = rng, namer, namer.index, used
        self.signs = Signs.draw(rng, plain)
        self.bare = {s for s in namer.names if s.role == "value" and not namer.carries(s) and rng.random() < 0.25}
        self.fonts: dict[Name, str] = {}

    def carries(self, symbol: Symbol) -> bool:
        """Whether the step's index stands on the symbol."""
        value = symbol.role == "value" and symbol not in self.bare
        return self.namer.carries(symbol) or value

    def shift(self, symbol: Symbol, old: bool) -> int:
        """Steps from the letter to where the symbol is read: 0 or, in cells that run from t to t+1, 1; one less for old."""
        index = self.index
        if symbol.role == "input":
            return int(index.input_ahead)
        ahead = index.values_ahead if symbol.role == "value" else index.ahead
        if symbol.role == "parameter":
            ahead = index.input_ahead
        return int(ahead) - int(old)

    def symbol(self, symbol: Symbol, old: bool = False, transposed: bool = False) -> str:
        """The symbol with its index, transposed where asked."""
        name = self.namer.names[symbol]
        shown = self.index.shown(self.shift(symbol, old)) if self.carries(symbol) else ""
        text = self.nucleus(name) + self.scripts(name, shown)
        if not transposed:
            return text
        self.used[f"transpose {self.signs.transpose}"] += 1
        if "^" in text or "'" in text:
            around = self.rng.choice((("{", "}"), ("(", ")")))
            if name.mark[0] == "" and text.endswith(")}") and self.rng.random() < 0.5:
                return text[:-1] + r"\top}"
            return f"{around[0]}{text}{around[1]}{self.signs.transpose}"
        return text + self.signs.transpose

    def nucleus(self, name: Name) -> str:
        """The letter or word with its font and accent."""
        base = name.base
        fonts = self.namer.fonts
        if self.signs.unicode and base.startswith("\\") and not name.word and name.plain.lower() != "lambda":
            base = unicodedata.lookup(f"GREEK {'SMALL' if base[1].islower() else 'CAPITAL'} LETTER {base[1:].upper()}")
            self.used["greek characters"] += 1
        elif fonts and not name.word and not base.startswith("\\"):
            font = self.fonts.setdefault(name, self.rng.choice(fonts))  # one thing is printed in one font
            self.used[f"font {font}"] += 1
            base = f"\\{font}{{{base}}}"
        if name.word:
            word = self.rng.choice(("text", "mathrm", "operatorname", "textrm", "mbox", "textit", "mathit"))
            self.used[f"word in {word}"] += 1
            base = f"\\{word}{{{name.plain}}}" if "_" not in name.plain else base.replace("_", r"\_")
        if name.accent:
            self.used[f"accent {name.accent}"] += 1
            braces = len(base) > 1 or self.rng.random() < 0.5
            base = f"\\{name.accent}{{{base}}}" if braces else f"\\{name.accent} {base}"
        return base

    def scripts(self, name: Name, shown: str) -> str:
        """Labels, mark and index, each below or above."""
        place = self.index.place
        below, above = name.below[0], name.above[0]
        text = name.mark[0]
        if below or above:
            self.used["label above" if above else "label below"] += 1
        if shown and place == "below":
            if below:
                below = f"{below},{shown}" if self.rng.random() < 0.7 else f"{shown},{below}"
            else:
                below = shown
        elif shown:
            above = {"(above)": f"({shown})", "[above]": f"[{shown}]", "<above>": f"<{shown}>"}.get(place, shown)
            above = rf"\langle {shown} \rangle" if place == "langle" else above
        if shown:
            self.used[f"index {place}"] += 1
        if below:
            text += f"_{below}" if len(below) == 1 else f"_{{{below}}}"
        if above:
            text += f"^{above}" if len(above) == 1 else f"^{{{above}}}"
        return text


def draw_printer(rng: Random, namer: Namer, used: Counter[str], plain: bool = False) -> SymbolPrinter:
    printer = SymbolPrinter(rng, namer, used, plain)
    used[f"letter {printer.index.letter}"] += 1
    if printer.index.ahead:
        used["from t to t+1"] += 1
    return printer


__all__ = ["Index", "Signs", "SymbolPrinter", "draw_printer"]
