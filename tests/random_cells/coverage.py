"""What a cell uses: operations, activations, states, shapes of the problem."""

from __future__ import annotations

from collections import Counter

from tests.random_cells import random_tree as rt
from tests.random_cells.random_tree import Recipe, walk
from tests.random_cells.symbol_names import ACCENTS, FONTS, PLACES
from tests.random_cells.tex_documents import RELATIONS
from tests.random_cells.tex_layout import BARE, ENVIRONMENTS
from tests.random_cells.tex_symbols import STACKS, TRANSPOSES
from tests.random_cells.torch_functions import FUNCTIONS
from tests.random_cells.torch_oracle import Point

_OPERATIONS = "number eye sum product hadamard quotient transpose dot call stack".split()


def operations(recipe: Recipe, point: Point) -> Counter[str]:
    """Counts of a recipe's operations, and of what is special about it."""
    used: Counter[str] = Counter()
    for tree in recipe.trees:
        for node in walk(tree):
            if isinstance(node, rt.Apply):
                used[f"activation {node.function}"] += 1
            elif not isinstance(node, rt.Read):
                used[f"operation {type(node).__name__.lower()}"] += 1
            if isinstance(node, rt.Sum) and len(node.dims) == 1:
                products = sum(isinstance(term, rt.Product) and len(term.left.dims) == 2 for term in node.terms)
                elementwise = any(isinstance(term, rt.Hadamard) for term in node.terms)
                used["several products beside an elementwise term"] += products > 1 and elementwise
    reads = Counter(node.symbol for tree in recipe.trees for node in walk(tree) if isinstance(node, rt.Read))
    turned = {
        n.inner.symbol for t in recipe.trees for n in walk(t) if isinstance(n, rt.Transpose) and isinstance(n.inner, rt.Read)
    }
    parameters = recipe.symbols("parameter")
    used["shared parameter"] += any(reads[p] > 1 for p in parameters)
    used["shared and transposed parameter"] += any(reads[p] > 1 and p in turned for p in parameters)
    for rank, kind in enumerate(("scalar", "vector", "matrix")):
        used[f"{kind} parameter"] += sum(len(p.dims) == rank for p in parameters)
        used[f"{kind} parameter per step"] += sum(len(p.dims) == rank for p in recipe.per_step)
        used[f"{kind} value"] += sum(len(s.dims) == rank and s.role == "value" for s, _ in recipe.equations)
    used["stacked value"] += any(isinstance(tree, rt.Stack) and s.role == "value" for s, tree in recipe.equations)
    used["stacked state"] += any(isinstance(s.dims[0], tuple) for s in recipe.symbols("state") if s.dims)
    used[f"{len(recipe.symbols('state'))} states"] += 1
    used["output nobody reads"] += bool(recipe.symbols("output"))
    used["value nobody reads"] += bool(recipe.spare)
    used["handed on"] += any(isinstance(tree, rt.Read) for _, tree in recipe.equations)
    used["no input"] += not recipe.symbols("input")
    used["size 1"] += 1 in point.sizes.values()
    used["one step"] += point.steps == 1
    used["one sequence"] += point.batch == 1
    used["not every state seeded"] += len(point.seeds) < len(recipe.symbols("state", "output"))
    return +used


EVERYTHING = frozenset(
    {
        *(f"activation {name}" for name in FUNCTIONS),
        *(f"operation {name}" for name in _OPERATIONS),
        *(f"{count} states" for count in (1, 2, 3, 4)),
        *(f"{kind} {what}" for kind in ("scalar", "vector", "matrix") for what in ("parameter", "parameter per step", "value")),
        *("shared parameter", "shared and transposed parameter", "several products beside an elementwise term"),
        *("stacked value", "stacked state", "output nobody reads", "value nobody reads", "handed on", "no input"),
        *("size 1", "one step", "one sequence", "not every state seeded", "open function", "body in the document"),
        *("body with an arrow", "body in the argument as printed", "body is a function's name", "from t to t+1"),
        *("declared scalar", "declared vector", "declared matrix", "greek characters", "bold one", "decimal", "slash"),
        *(f"stack {style}" for style in STACKS),
        *(f"transpose {style}" for style in TRANSPOSES),
        *(f"index {place}" for place in PLACES),
        *(f"relation {sign}" for sign in RELATIONS),
        *(f"font {font}" for font in FONTS),
        *(f"accent {accent}" for accent in ACCENTS),
        *(f"layout {style}" for style in ("displays", "environment", "line", "inline", "fence", "bare")),
        *(f"environment {name}" for name in (*ENVIRONMENTS, *BARE)),
        *(f"hadamard {sign}" for sign in (r"\odot", r"\circ", "⊙", "∘", r"\cdot", "*", r"\times")),
        *(f"quotient {sign}" for sign in (r"\oslash", "⊘")),
        *(f"product {sign}" for sign in (r"\cdot", r"\ast", "*", r"\times", "·", "×")),
        *("TeX document", "prose", "row carried on", "matrix behind a vector", "equations in another order"),
    }
)
