"""`Statement`: a piece of a generated function as a value: its text, the names it reads, and what it computes."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from rnnproof.generation.target import Mark


@dataclass(frozen=True)
class Statement:
    """One statement, or a comment, in one or several lines; `depth` is how far it stands indented in its function."""

    text: str
    computes: tuple[Mark, ...] = ()
    depth: int = 0

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names that it reads."""
        return self._names(ast.Load)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of what it reads from `packed.arrays`."""
        keys = set()
        for node in ast.walk(self._tree):
            match node:
                case ast.Subscript(
                    value=ast.Attribute(value=ast.Name(id="packed"), attr="arrays"), slice=ast.Constant(value=key)
                ):
                    keys.add(str(key))
        return frozenset(keys)

    @cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(f"{self.text}\n    pass" if self.text.endswith(":") else self.text)

    def _names(self, context: type[ast.expr_context]) -> frozenset[str]:
        nodes = (node for node in ast.walk(self._tree) if isinstance(node, ast.Name))
        return frozenset(node.id for node in nodes if isinstance(node.ctx, context))

    @property
    def lines(self) -> list[str]:
        """Its lines as they stand in the function."""
        return [f"{'    ' * (self.depth + 1)}{line}" for line in self.text.split("\n")]

    def indented(self) -> Statement:
        """Itself, in a loop."""
        return replace(self, depth=self.depth + 1)

    @property
    def is_comment(self) -> bool:
        """Whether it computes nothing."""
        return self.text.startswith("#")


def statements(texts: Iterable[str], computes: tuple[Mark, ...] = ()) -> list[Statement]:
    """A statement for each text."""
    return [Statement(text, computes) for text in texts]


def read_by(body: Iterable[Statement]) -> frozenset[str]:
    """All names that statements read."""
    return frozenset().union(*(statement.reads for statement in body))
