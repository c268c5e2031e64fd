"""Draw the trees of a random cell: who is a state, how large it is, and which equations there are."""

from __future__ import annotations

from random import Random

from tests.random_cells.random_tree import Apply, Body, Call, Dim, Node, Read, Recipe, Symbol, multiplied, substituted, walk
from tests.random_cells.term_maker import TermMaker


class _Unusable(Exception):
    """What was drawn is no single cell."""


def draw_recipe(rng: Random) -> Recipe:
    """A random cell whose equations hang together."""
    while True:
        try:
            return _CellMaker(rng).recipe()
        except _Unusable:
            continue


class _CellMaker:
    """One attempt at a cell."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.layered = rng.random() < 0.1
        has_input = not self.layered and rng.random() < 0.93
        count = rng.choices((1, 2, 3, 4), (4, 4, 2, 1))[0]
        dims: list[Dim] = ["n0"]
        for place in range(1, count):
            dims.append(rng.choice((*dims, f"n{place}")))
        calls = rng.random() < 0.2  # functions left open; then the input has a size of its own, see reports/notation.md
        width = "m" if calls else rng.choice((dims[0], "m", "m", "m"))
        self.calls = rng.choice((1, 1, 1, 2)) if calls else 0
        if has_input and rng.random() < 0.07:
            dims[-1] = (dims[0], width)  # a state that remembers a whole concatenation
        self.states = [Symbol(f"s{place}", "state", (dim,)) for place, dim in enumerate(dims)]
        self.input = Symbol("x", "input", (width,)) if has_input else None
        readable: list[Node] = [Read(state.dims, state, old=True) for state in self.states]
        if self.input:
            readable += [Read(self.input.dims, self.input)] * 2
        self.terms = TermMaker(rng, readable)
        self.equations: list[tuple[Symbol, Node]] = []

    def recipe(self) -> Recipe:
        """The cell; raises _Unusable where what was drawn is none."""
        bodies = self.bodies()
        waiting = _shuffled(self.rng, self.states)
        values = self.rng.choices((0, 1, 2, 3), (3, 4, 3, 1))[0]
        while waiting or values:
            if values and self.rng.random() < values / (values + len(waiting)):
                values -= 1
                self.value(values)
            else:
                self.state(waiting.pop())
        if self.rng.random() < 0.2:
            dim: Dim = self.rng.choice((self.states[0].dims[0], "k"))
            self.define(Symbol("y", "output", (dim,)), self.terms.update(dim))
        self.retire_unread()
        spare: tuple[tuple[Symbol, Node], ...] = ()
        if self.rng.random() < 0.05:
            symbol = self.rng.choice([symbol for symbol, _ in self.equations if len(symbol.dims) == 1])
            spare = ((Symbol("spare", "value", symbol.dims), Apply(symbol.dims, "tanh", Read(symbol.dims, symbol))),)
        recipe = Recipe(tuple(self.equations), tuple(bodies), frozenset(), frozenset(self.terms.positive), spare)
        self.check(recipe)
        return Recipe(recipe.equations, recipe.bodies, self.per_step(recipe), recipe.positive, spare)

    def bodies(self) -> list[Body]:
        """Functions that the equations leave open, up to two."""
        bodies: list[Body] = []
        for number in range(self.calls):
            taken, made = self.states[0].dims[0], self.rng.choice((self.states[0].dims[0], f"e{number}"))
            argument = Symbol(f"a{number}", "argument", (taken,))
            inside = TermMaker(self.rng, [Read(argument.dims, argument)], self.terms)
            argument_read = Read(argument.dims, argument)
            elementwise = made == taken and self.rng.random() < 0.25
            tree = inside.apply(argument_read) if elementwise else inside.update(made, depth=1)
            if not any(isinstance(node, Read) and node.symbol == argument for node in walk(tree)):
                tree = inside.plus(tree, inside.product(made, Read(argument.dims, argument)))
            bodies.append(Body(argument, tree))
        self.terms.open = [
            Call(body.tree.dims, number, Read(body.argument.dims, body.argument)) for number, body in enumerate(bodies)
        ]
        return bodies

    def define(self, symbol: Symbol, tree: Node) -> None:
        """Add an equation, whose symbol may be read from now on."""
        self.equations.append((symbol, tree))
        self.terms.readable.append(Read(symbol.dims, symbol))

    def value(self, number: int) -> None:
        """Something on the way: a vector, a scalar gate, a matrix, a concatenation."""
        key, kind = f"v{number}", self.rng.random()
        if kind < 0.12:
            self.define(Symbol(key, "value", ()), self.terms.gate())
        elif kind < 0.22:
            rows = self.states[0].dims[0]
            self.define(Symbol(key, "value", (rows, rows)), self.terms.matrix_sum(rows))
        elif kind < 0.32:
            stack = self.terms.stack()
            self.define(Symbol(key, "value", stack.dims), stack)
        else:
            dim: Dim = self.rng.choice((*(state.dims[0] for state in self.states), f"p{number}"))
            self.define(Symbol(key, "value", (dim,)), self.terms.update(dim))

    def state(self, state: Symbol) -> None:
        """The update of a state; sometimes it only hands on another's value or the input."""
        alike = [node for node in self.terms.readable if node.dims == state.dims and not _reads(node, state)]
        if alike and self.rng.random() < 0.1:
            tree = self.rng.choice(alike)
        elif isinstance(state.dims[0], tuple):
            tree = self.terms.stack_of(state.dims[0])
        else:
            tree = self.terms.update(state.dims[0])
        self.define(state, tree)

    def retire_unread(self) -> None:
        """States that nobody reads at the step before become values, or outputs where nobody reads them at all."""
        for changed in range(len(self.equations)):
            symbol = self.equations[changed][0]
            reads = [n for _, tree in self.equations for n in walk(tree) if isinstance(n, Read) and n.symbol == symbol]
            if symbol.role == "state" and not any(node.old for node in reads):
                self.rename(symbol, Symbol(symbol.key, "value" if reads else "output", symbol.dims))
            elif symbol.role == "value" and not reads:
                self.rename(symbol, Symbol(symbol.key, "output", symbol.dims))
        if not any(symbol.role == "state" for symbol, _ in self.equations):
            raise _Unusable

    def rename(self, old: Symbol, new: Symbol) -> None:
        """One symbol in place of another, in all equations."""
        self.equations = [(new if symbol == old else symbol, substituted(tree, old, new)) for symbol, tree in self.equations]

    def check(self, recipe: Recipe) -> None:
        """Raise unless the equations are one cell that reads its input."""
        if not connected(recipe) or (self.input and self.input not in recipe.symbols("input")):
            raise _Unusable

    def per_step(self, recipe: Recipe) -> frozenset[Symbol]:
        """Parameters with a value for each step, such that the reader can still tell the input from them."""
        if not self.layered and self.rng.random() > 0.25:
            return frozenset()
        direct = {symbol for tree in recipe.trees for symbol in multiplied(tree)}
        parameters = recipe.symbols("parameter")
        chosen = {p for p in parameters if self.rng.random() < 0.5 and not (len(p.dims) == 1 and p in direct)}
        matrices = any(len(p.dims) == 2 for p in chosen)
        if self.input is None and not matrices:
            chosen = {p for p in chosen if len(p.dims) != 1}
        if self.input is not None and self.input not in direct:
            chosen = {p for p in chosen if not p.dims}
        return frozenset(chosen)


def connected(recipe: Recipe) -> bool:
    """Whether every state depends on data, and the equations are one system with every body in it."""
    varying: set[Symbol] = set()
    groups: list[set[object]] = []
    for symbol, tree in recipe.equations:
        reads = [node for node in walk(tree) if isinstance(node, Read)]
        if any(node.old or node.symbol.role == "input" or node.symbol in varying for node in reads):
            varying.add(symbol)
        elif symbol.role != "value" or len(symbol.dims) < 2:
            return False
        if symbol.role == "output" and len(symbol.dims) != 1:
            return False
        mine: set[object] = {symbol} | {node.symbol for node in reads}
        mine |= {node.number for node in walk(tree) if isinstance(node, Call)}
        for group in [group for group in groups if group & mine]:
            groups.remove(group)
            mine |= group
        groups.append(mine)
    called = {node.number for _, tree in recipe.equations for node in walk(tree) if isinstance(node, Call)}
    states = recipe.symbols("state")
    return len(groups) == 1 and called == set(range(len(recipe.bodies))) and bool(states)


def _shuffled(rng: Random, items: list[Symbol]) -> list[Symbol]:
    return rng.sample(items, len(items))


def _reads(node: Node, state: Symbol) -> bool:
    return isinstance(node, Read) and node.symbol == state
