"""The page "Writing equations the reader understands": every example is read when the page is made."""

from __future__ import annotations

from collections.abc import Iterator

from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.pages.blocks import Block, Code, Document, Heading, Paragraph, Table
from rnnproof.pages.message import Text, listed, say
from rnnproof.pages.notation import algebra, functions, names, others, places, refused, steps
from rnnproof.pages.notation.model import Example, Section, Spelling, alike, cells, reading, same
from rnnproof.pages.notation.results import lines, result, results

SECTIONS: tuple[Section, ...] = (
    places.SECTION,
    *steps.SECTIONS,
    names.SECTION,
    *algebra.SECTIONS,
    functions.SECTION,
    others.SYMPY,
    refused.LIMITS,
    refused.SECTION,
    others.CATALOGUE,
)


def document() -> Document:
    """The page, computed."""
    return Document("notation", say("Writing equations the reader understands"), tuple(_Page().blocks()))


class _Page:
    """One making of the page; a cell of the catalogue is described once and then called by its name."""

    def __init__(self) -> None:
        self.catalogue = [catalogue.load(name) for name in catalogue.names()]
        self.described: set[str] = set()

    def blocks(self) -> Iterator[Block]:
        """Introduction and sections."""
        yield Paragraph(
            say(
                "`rnnproof derive notes.md`, like every command that takes a cell, reads the equations of a Markdown or TeX "
                "document as they are printed; in Python, `rp.read(path)` and `rp.read_text(text)` do. Each notation stands "
                "here as one might write it, followed by what the reader made of it when this page was made."
            )
        )
        for section in SECTIONS:
            yield Heading(section.title, anchor=section.name)
            yield Paragraph(section.says)
            for example in section.examples:
                yield from self.example(example)
            yield from section.more()

    def example(self, example: Example) -> Iterator[Block]:
        """The source, what was read, and how else it may be written."""
        yield Paragraph(example.says)
        yield Code(example.text, "markdown" if "\n\n" in example.text and example.file.endswith(".md") else "tex")
        if example.bodies:
            bound = ", ".join(f'{name}=r"{body}"' for name, body in example.bodies)
            yield Code(f"cell = rp.bind(cell, {bound})")
        found = cells(example)
        yield from self.roles(found[0]) if len(found) == 1 else results(found)
        yield from lines(found[0], example.forward, example.gradients, example.jacobians)
        yield from _spellings([spelling for spelling in example.also if same(example, spelling)])
        if example.over:
            rows = [(line, f"`{tex}`", f"`{reason}`") for line, tex, reason in reading(example.text, example.file).passed_over]
            yield Table((say("in line"), say("passed over"), say("the reason")), rows)

    def roles(self, cell: Cell) -> Iterator[Block]:
        """What was read, in short where the catalogue's cell was described before."""
        name = next((one.name for one in self.catalogue if alike(one, cell)), "")
        if name in self.described:
            yield Paragraph(say("Read: the catalogue's `{name}` again.", name=name))
            return
        yield from result(cell, name)
        if name:
            self.described.add(name)


def _spellings(found: list[Spelling]) -> Iterator[Block]:
    if found and all(spelling.shown == spelling.text for spelling in found):
        yield Paragraph(say("The same cell:"))
        yield Code(("\n\n" if any("\n" in spelling.text for spelling in found) else "\n").join(s.text for s in found), "tex")
    elif found:
        shown: list[Text] = [f"`{spelling.shown}`" if spelling.shown else say("no sign") for spelling in found]
        yield Paragraph(say("The same cell with {spellings}.", spellings=listed(shown)))
