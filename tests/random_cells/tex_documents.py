"""Print a recipe as a document: equations in displays of every kind, declarations, functions' bodies, prose around them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

from tests.random_cells import tex_layout
from tests.random_cells.random_tree import Apply, Body, Call, Node, Read, Recipe, Symbol, walk
from tests.random_cells.symbol_names import Index, Namer, draw_index
from tests.random_cells.tex_expressions import ExpressionPrinter
from tests.random_cells.tex_symbols import draw_printer
from tests.random_cells.torch_functions import FUNCTIONS

_SIZES = "nmkpqdrsabcuvwyz"
RELATIONS = ("=",) * 12 + (
    ":=",
    r"\leftarrow",
    r"\gets",
    r"\equiv",
    r"\triangleq",
    r"\coloneqq",
    r"\coloneq",
    "←",
    "≔",
    "≡",
    "≜",
)
_OPEN = (("f", "f"), ("g", "g"), (r"\phi", "phi"), (r"\psi", "psi"), (r"\varphi", "varphi"), (r"\sigma_h", "sigma_h"))
_SINGLE = ((r"\mathcal{F}", "F"), (r"\text{MLP}", "MLP"))


@dataclass(frozen=True)
class Document:
    """A cell as text; `bindings` go to `rnnproof.bind`; `names` are what the reader should call the symbols."""

    text: str
    bindings: dict[str, str]
    names: dict[Symbol, str]
    ordered: bool
    used: Counter[str] = field(compare=False)


class Unprintable(Exception):
    """This drawing of notations cannot say what must be said; draw another."""


def print_recipe(rng: Random, recipe: Recipe) -> Document | None:
    """The recipe in notations drawn at random; None where a matrix would have to be declared of a size that is a sum."""
    for _ in range(10):
        try:
            return _Author(rng, recipe).document()
        except Unprintable:
            continue
    return None


def print_plainly(rng: Random, recipe: Recipe) -> Document:
    """The recipe in the plainest notation, an equation a line."""
    return _Author(rng, recipe, plain=True).document()


class _Author:
    """One drawing of names and notations; `plain` has none."""

    def __init__(self, rng: Random, recipe: Recipe, plain: bool = False) -> None:
        self.rng, self.recipe, self.plain = rng, recipe, plain
        index = Index("t", "below", False, False, False) if plain else draw_index(rng, not recipe.symbols("input"))
        if recipe.bodies:
            index = replace(index, input_ahead=False)
        self.namer, self.used = Namer(rng, recipe, index, plain), Counter[str]()
        self.functions = dict(enumerate(self.function_names(index)))
        self.symbols = draw_printer(rng, self.namer, self.used, plain)
        # A function for each layer says that there are layers: what carries their index and has no equation is then theirs.
        layers = index.place == "(above)" and not recipe.symbols("input")
        indexed = f"^{{({index.letter})}}" if layers and rng.random() < 0.5 else ""
        shown = {number: tex + ("" if "_" in tex else indexed) for number, (tex, _) in self.functions.items()}
        self.printer = ExpressionPrinter(self.symbols, shown)

    def function_names(self, index: Index) -> list[tuple[str, str]]:
        """LaTeX and identifier of every open function."""
        names = []
        for number in range(len(self.recipe.bodies)):
            calls = [n for tree in self.recipe.trees for n in walk(tree) if isinstance(n, Call) and n.number == number]
            single = all(isinstance(call.inner, Read) for call in calls)
            pool = [*_OPEN, *(_SINGLE if single else ())]
            free = [name for name in pool if name not in names and name[1] not in self.namer.taken - {"f", "g"}]
            names.append(self.rng.choice(free))
        return names

    def document(self) -> Document:
        """The whole document; raises Unprintable."""
        relations = [self.equation(symbol, self.printer.tex(tree)) for symbol, tree in self.recipe.equations]
        relations += [self.equation(symbol, self.printer.tex(tree)) for symbol, tree in self.spare()]
        bodies, bindings = self.bodies()
        relations += bodies
        calls = [n for tree in self.recipe.trees for n in walk(tree) if isinstance(n, Call) and not isinstance(n.inner, Read)]
        if any(self.recipe.bodies[call.number].tree.dims != self.recipe.bodies[call.number].argument.dims for call in calls):
            raise Unprintable  # of a sum it is read as an activation, that gives as many entries as it takes
        ordered = self.rng.random() < 0.6
        if not ordered:
            self.used["equations in another order"] += 1
            self.rng.shuffle(relations)
        declarations = self.declarations()
        if self.plain:
            text = "\n".join(relation.replace(" & ", " ") for relation in relations)
            text += "".join(f", {told}" for told in declarations)
            return Document(text, bindings, {s: name.identifier for s, name in self.namer.names.items()}, False, self.used)
        text = tex_layout.lay_out(self.rng, self.used, relations, declarations, self.symbols.index)
        marked = "$" in text or "\\[" in text or "\\begin" in text
        if self.recipe.per_step and not marked:
            raise Unprintable  # nothing in it can say that they are parameters
        if marked and (
            self.recipe.per_step or self.rng.random() < 0.6
        ):  # what has the index and no equation is a parameter if told to be one
            listed = " and ".join(f"${self.symbols.symbol(symbol)}$" for symbol in self.recipe.symbols("parameter"))
            told = f"\n\nThe parameters are {listed}.\n" if listed else ""
            end = "\n\\end{document}"
            text = text.replace(end, told + end) if end in text else text + told
        names = {symbol: name.identifier for symbol, name in self.namer.names.items()}
        return Document(text, bindings, names, ordered, self.used)

    def spare(self) -> tuple[tuple[Symbol, Node], ...]:
        """Values nobody reads, which the reader passes over where they carry no index."""
        self.symbols.bare |= {symbol for symbol, _ in self.recipe.spare}
        return self.recipe.spare

    def equation(self, symbol: Symbol, right: str) -> str:
        """`left & sign & right`."""
        left = self.symbols.symbol(symbol)
        sign = "=" if self.plain else self.rng.choice(RELATIONS)
        self.used[f"relation {sign}"] += 1
        return f"{left} & {sign} & {right}"

    def bodies(self) -> tuple[list[str], dict[str, str]]:
        """Bodies as equations of the document, and those that are bound after reading."""
        relations, bindings = [], {}
        for number, body in enumerate(self.recipe.bodies):
            argument = self.symbols.symbol(body.argument)
            plain = isinstance(body.tree, Apply) and isinstance(body.tree.inner, Read)
            if plain and self.rng.random() < 0.7:
                self.used["body is a function's name"] += 1
                function = FUNCTIONS[body.tree.function]
                bindings[self.functions[number][1]] = self.rng.choice((*function.printed, *function.macros))
            elif self.rng.random() < 0.5 or self.speaks_for_itself(body) is False:
                self.used["body in the document"] += 1
                relations.append(f"{self.printer.functions[number]}({argument}) & = & {self.printer.tex(body.tree)}")
            else:
                bindings[self.functions[number][1]] = self.binding(number)
        return relations, bindings

    def speaks_for_itself(self, body: Body) -> bool:
        """Whether a body can be read without the document's declarations, or with what its equations say."""
        before = set(self.printer.needs)
        self.printer.tex(body.tree)
        asked = (self.printer.needs - before) | self.namer.declared
        equations = {n.symbol for _, tree in self.recipe.equations for n in walk(tree) if isinstance(n, Read)}
        mine = {n.symbol for n in walk(body.tree) if isinstance(n, Read)}
        self.printer.needs = before
        return not (asked | before) & mine - equations

    def binding(self, number: int) -> str:
        """A body as `bind` takes it, in the argument as printed or in one of its own."""
        body = self.recipe.bodies[number]
        inner = {n.inner for tree in self.recipe.trees for n in walk(tree) if isinstance(n, Call) and n.number == number}
        read = next(iter(inner)) if len(inner) == 1 else None
        if isinstance(read, Read) and read.symbol.role != "parameter" and self.rng.random() < 0.8:
            self.used["body in the argument as printed"] += 1
            self.namer.names[body.argument] = self.namer.names[read.symbol]
            return self.printer.tex(body.tree)
        self.used["body with an arrow"] += 1
        arrow = self.rng.choice((r"\mapsto", "↦"))
        return f"{self.symbols.symbol(body.argument)} {arrow} {self.printer.tex(body.tree)}"

    def declarations(self) -> list[str]:
        """What must be declared, and what was drawn to be."""
        symbols = self.namer.declared | self.printer.needs
        if self.rng.random() < 0.1:
            symbols |= {s for s in self.recipe.symbols("state", "input", "value") if all(isinstance(d, str) for d in s.dims)}
        if any(not isinstance(dim, str) for symbol in symbols for dim in symbol.dims):
            raise Unprintable
        atoms = sorted({str(dim) for symbol in symbols for dim in symbol.dims})
        letters = self.rng.sample([x for x in _SIZES if x != self.symbols.index.letter], len(atoms))
        size = dict(zip(atoms, letters, strict=True))
        told = []
        for symbol in sorted(symbols, key=lambda symbol: symbol.key):
            extent = r" \times ".join(size[str(dim)] for dim in symbol.dims)
            column = len(symbol.dims) == 1 and self.rng.random() < 0.2
            extent = f"{extent} \\times 1" if column else extent
            reals = self.rng.choice((r"\mathbb{R}", r"\mathbb R", r"\R", "ℝ"))
            sign = self.rng.choice((r"\in", "∈"))
            power = f"^{{{extent}}}" if len(extent) > 1 else f"^{extent}" if extent else ""
            told.append(f"{self.symbols.symbol(symbol)} {sign} {reals}{power}")
            self.used[f"declared {('scalar', 'vector', 'matrix')[len(symbol.dims)]}"] += 1
        return told
