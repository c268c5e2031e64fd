"""Names for a cell's symbols as papers print them, the step's index on them, and what the reader should call them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.random_cells.random_tree import Recipe, Symbol

# F, G and H before a bracket are functions left open; E, J and L are read as losses where nothing reads them.
_CAPITALS = "ABCDKMNOPQRSUVWXYZ"
_SMALL = "abcdhjkmnopqrsuvwyz"
_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho upsilon chi omega".split()
_GREEK_CAPITALS = "Gamma Delta Theta Lambda Xi Pi Upsilon Omega".split()
ACCENTS = {
    **{accent: accent for accent in ("bar", "tilde", "hat", "dot", "vec", "check", "breve", "ddot")},
    **{"overline": "bar", "widetilde": "tilde", "widehat": "hat"},
}
_LABELS = (
    *(("x", "x"), ("h", "h"), ("o", "o"), ("z", "z"), ("xh", "xh"), ("a", "a"), ("b", "b"), ("x,h", "x_h"), ("h_x", "hx")),
    *((r"\text{in}", "in"), (r"\mathrm{rec}", "rec"), (r"\bar{h}", "hbar"), (r"\lambda", "lambda"), ("hh", "hh")),
)
_MARKS = (("'", "prime"), ("^*", "star"), ("^+", "plus"), ("^-", "minus"), (r"^{\prime\prime}", "primeprime"))
_WORDS = ("cell", "gate", "memory", "bias", "step_size", "seed", "carry", "batch", "xs", "states", "params", "work_1")
FONTS = ("mathbf", "boldsymbol", "bm", "pmb", "mathfrak", "mathrm", "mathit", "mathsf")
PLACES = ("below", "above", "(above)", "[above]", "<above>", "langle")


@dataclass(frozen=True)
class Name:
    """`base` is LaTeX, `word` where it stands in \\text already; `below`, `above` are labels, `mark` a prime or star."""

    base: str
    plain: str
    accent: str = ""
    below: tuple[str, str] = ("", "")
    above: tuple[str, str] = ("", "")
    mark: tuple[str, str] = ("", "")
    word: bool = False

    @property
    def identifier(self) -> str:
        """What the reader should call it."""
        base = self.plain + ACCENTS.get(self.accent, "") + self.mark[1]
        return "_".join(part for part in (base, self.below[1], self.above[1]) if part)


@dataclass(frozen=True)
class Index:
    """Which letter counts the steps, where it stands, and whether the new state stands at t+1 (and the rest at t)."""

    letter: str
    place: str
    ahead: bool
    input_ahead: bool
    values_ahead: bool

    def shown(self, shift: int) -> str:
        """The letter, shifted."""
        return self.letter if shift == 0 else f"{self.letter}{shift:+d}"

    @property
    def above(self) -> bool:
        return self.place != "below"


def draw_index(rng: Random, layered: bool) -> Index:
    """An index of the steps, or of the layers."""
    letter = rng.choice(("l", "k", r"\ell") if layered else ("t", "t", "t", "t", "n", "k", "i", r"\tau", "s"))
    place = rng.choice(("below", "below", "below", *PLACES))
    ahead = rng.random() < 0.2
    return Index(letter, place, ahead, ahead and rng.random() < 0.5, ahead and rng.random() < 0.5)


class Namer:
    """Distinct names for the symbols of one cell, of the letters by which the reader knows matrices from vectors."""

    def __init__(self, rng: Random, recipe: Recipe, index: Index, plain: bool = False) -> None:
        self.rng, self.recipe, self.index = rng, recipe, index
        self.taken = {index.letter.strip("\\"), "I", "T", "e", "f", "g"}
        self.style = "plain" if plain else rng.choice(("plain", "plain", "accents", "labels", "words", "greek", "all"))
        self.fonts = () if plain else rng.choice(((), (), (), (rng.choice(FONTS),), FONTS))
        self.names: dict[Symbol, Name] = {}
        self.declared: set[Symbol] = set()
        for symbol in (*recipe.symbols("state", "input", "output", "value"), *(symbol for symbol, _ in recipe.spare)):
            self.names[symbol] = self.fresh(self.bases(symbol))
        for body in recipe.bodies:
            self.names[body.argument] = self.fresh(iter(rng.sample(_SMALL, len(_SMALL))), plain=True)
        for symbol in recipe.symbols("parameter"):
            if not plain and rng.random() < 0.15 and all(isinstance(dim, str) for dim in symbol.dims):
                self.declared.add(symbol)
            self.names[symbol] = self.fresh(self.bases(symbol))

    def bases(self, symbol: Symbol) -> Iterator[str]:
        """Base letters in a random order, those that fit the kind of symbol; a declared one may have any."""
        greek, roll = [f"\\{name}" for name in _GREEK], self.rng.random()
        small = list(_SMALL)
        if len(symbol.dims) == 2:
            letters = [*_CAPITALS, *[f"\\{name}" for name in _GREEK_CAPITALS if roll < 0.1]]
        elif not symbol.dims:
            letters = greek if symbol.role == "parameter" else [*small, *greek]
        elif symbol.role == "input":
            letters = ["x"] if roll < 0.7 else ["u", "x"]
        elif symbol.role in ("state", "output", "value"):
            letters = (
                [*"hcsmrzo"]
                if roll < 0.6
                else greek
                if roll < 0.7 and symbol.role != "value"
                else [*_CAPITALS]
                if roll < 0.75
                else small
            )
        else:
            letters = [*"bpqvw"] if roll < 0.6 else greek if roll < 0.7 and self.style == "greek" else small
        if symbol in self.declared and self.rng.random() < 0.5:
            letters = [*small, *greek]
        yield from self.rng.sample(letters, len(letters))
        while True:
            yield self.rng.choice(letters)

    def fresh(self, bases: Iterator[str], plain: bool = False) -> Name:
        for count, base in enumerate(bases):
            if base.strip("\\") in (self.index.letter.strip("\\"), "I", "T", "e"):
                continue
            name = Name(base, base.strip("\\"))
            if not plain and (self.rng.random() < 0.4 or count > 20):
                name = self.decorated(name, count > 20)
            other = name.identifier.removesuffix("prime")  # U' beside U may be a transpose
            if other != name.identifier and other in self.taken or f"{name.identifier}prime" in self.taken:
                continue
            if name.identifier not in self.taken:
                self.taken.add(name.identifier)
                return name
        raise AssertionError("names do not run out")

    def decorated(self, name: Name, label: bool) -> Name:
        """With an accent, labels, a mark, or a word in its place, as the cell's style has it."""
        style = self.rng.choice(("accents", "labels", "words", "marks")) if self.style == "all" else self.style
        letters = {self.index.letter.strip("\\")}
        labels = [(tex, told) for tex, told in _LABELS if not letters & set(tex)]
        if style == "accents":
            return Name(name.base, name.plain, self.rng.choice(list(ACCENTS)))
        if style == "words" and not label and len(name.plain) == 1 and name.plain.islower():
            word = self.rng.choice(_WORDS)
            return Name(rf"\text{{{word}}}", word, word=True)
        if style == "marks" and not self.index.above:
            return Name(name.base, name.plain, mark=self.rng.choice(_MARKS))
        if style == "labels" or label:
            below = self.rng.choice(labels)
            if not self.index.above and self.rng.random() < 0.3:
                return Name(name.base, name.plain, above=self.rng.choice((("(1)", "1"), ("(2)", "2"), ("(x)", "x"))))
            return Name(name.base, name.plain, below=below)
        return name

    def carries(self, symbol: Symbol) -> bool:
        """Whether the step's index stands on the symbol."""
        return symbol.role in ("state", "input", "output") or symbol in self.recipe.per_step
