"""Cells that come from elsewhere than a document of one's own: from SymPy, and from the catalogue."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import resources

from rnnproof import layouts
from rnnproof.equations import catalogue
from rnnproof.pages.blocks import Block, Bullets, Code, Paragraph
from rnnproof.pages.message import listed, say
from rnnproof.pages.notation import leaky
from rnnproof.pages.notation.model import Section
from rnnproof.pages.notation.results import result

SHOWN = "simple_rnn"


def sympy_cell() -> Iterator[Block]:
    """The module `leaky` and the cell it gives."""
    yield Code(inspect.getsource(leaky))
    yield from result(leaky.cell, forward=True)


def catalogue_cell() -> Iterator[Block]:
    """One document of the catalogue, and what is read in it."""
    text = (resources.files(catalogue.__package__) / "catalogue" / f"{SHOWN}.md").read_text(encoding="utf-8")
    yield Code(text, "markdown")
    cell = catalogue.load(SHOWN)
    yield from result(cell)
    yield Paragraph(
        say(
            "Layers read from `{heading}`: {layers}. Each row says of which parameters, one below the other, an array is "
            "made; `;` begins a second row of a bias, and `+b` is a second bias that is added to `b`. The weight converters "
            "and the comparisons with frameworks follow these rows.",
            heading=layouts.SECTION,
            layers=listed(f"{layer.framework} `{layer.layer}`" for layer in layouts.catalogue()[SHOWN]),
        )
    )
    yield Bullets(
        (
            say("`rnnproof cells` lists the new cell, and every command takes its name."),
            say("`pytest tests/generation --update` writes its module to `rnnproof/cells`."),
            say("`rnnproof report` derives, proves and checks it with all the others."),
        )
    )


SYMPY = Section(
    "sympy",
    say("Cells from SymPy"),
    say(
        "A cell may be built of SymPy's matrix expressions instead. `previous` says what the old value of each state is "
        "called, `inputs` what comes in, `constants` what is given with the data and not learned; every other symbol is a "
        "parameter."
    ),
    (),
    sympy_cell,
)
CATALOGUE = Section(
    "catalogue",
    say("Adding a cell to the catalogue"),
    say(
        "A cell of the catalogue is one Markdown document in `rnnproof/equations/catalogue`, named like the file: a title, the "
        "source, the equations and, where frameworks have the cell, how they store its weights. One of them:"
    ),
    (),
    catalogue_cell,
)
