"""The page "How it works": the simple recurrent cell on its way from equation to proof, every station made by running it."""

from __future__ import annotations

import inspect

from rnnproof.calculus import adjoint_table
from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.adjoint_table import ADJOINTS
from rnnproof.calculus.flatten import flatten
from rnnproof.equations import catalogue
from rnnproof.equations.cell import Cell
from rnnproof.generation import generate
from rnnproof.pages.blocks import Block, Code, Document, Formula, Heading, Paragraph
from rnnproof.pages.message import say
from rnnproof.proofs import ProofRow, prove, prove_rules

CELL = "simple_rnn"


def document() -> Document:
    """The page, computed."""
    cell = catalogue.load(CELL)
    blocks = [*_equation(cell), *_cell(cell), *_program(cell), *_transpose(cell), *_proof(), *_loop(cell), *_planted(cell)]
    lead = say(
        "One cell, the simplest, in six stations: what comes in, what is made of it, and why it can be trusted. Every output "
        "on this page was computed when the page was made; the code runs as it stands, from top to bottom."
    )
    return Document("how-it-works", say("How it works"), (Paragraph(lead), *blocks))


def _equation(cell: Cell) -> list[Block]:
    return [
        Heading(say("The equation"), anchor="equation"),
        Paragraph(
            say("What a paper prints, in a Markdown or TeX document. Nothing in it says what is a state or a parameter.")
        ),
        *(Formula(equation.tex) for equation in cell.equations),
    ]


def _cell(cell: Cell) -> list[Block]:
    code = (
        f'import rnnproof as rp\n\ncell = rp.load("{CELL}")\n'
        "for parameter in cell.parameters:\n    print(parameter.symbol, parameter.symbol.shape)\n"
        "print([state.name for state in cell.states], [symbol.name for symbol in cell.inputs])"
    )
    lines = [f"{parameter.symbol} {parameter.symbol.shape}" for parameter in cell.parameters]
    lines.append(f"{[state.name for state in cell.states]} {[symbol.name for symbol in cell.inputs]}")
    return [
        Heading(say("1. A Cell"), anchor="cell"),
        Paragraph(
            say(
                "The reader parses the equation with a grammar and builds SymPy objects by hand; nothing is evaluated. What "
                "carries the index of the step before is a state, what carries the index and is never defined is the input, "
                "the rest are parameters, and the sizes follow from use."
            )
        ),
        Code(code),
        Code("\n".join(lines), "text"),
    ]


def _program(cell: Cell) -> list[Block]:
    return [
        Heading(say("2. A Program"), anchor="program"),
        Paragraph(
            say(
                "The one central noun: a list of array operations, each value made once. Everything after this either reads a "
                "Program or makes one: shapes, formulas, Jacobians, code, pictures and proofs are readings of the same list."
            )
        ),
        Code("from rnnproof.calculus import ADJOINTS, adjoint, flatten\n\nprogram = flatten(cell)\nprint(program)"),
        Code(str(flatten(cell)), "text"),
    ]


def _transpose(cell: Cell) -> list[Block]:
    return [
        Heading(say("3. Its transpose"), anchor="transpose"),
        Paragraph(
            say(
                "The backward step is the same list read from the last line to the first, each line replaced by its row of one "
                "table: what the arguments of an operation receive from {d}, the gradient that reached its result {y}. This is "
                "the table, as it stands in the code:",
                d="`d`",
                y="`y`",
            )
        ),
        Code(rows()),
        Paragraph(say("A value that is read twice receives the sum; a parameter, which all steps and samples share, as well.")),
        Code("print(adjoint(program))"),
        Code(str(adjoint(flatten(cell))), "text"),
    ]


def rows() -> str:
    """The table of adjoints as its source has it."""
    lines = inspect.getsource(adjoint_table).split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith("ADJOINTS"))
    return "\n".join(lines[first : lines.index("}", first) + 1])


def _proof() -> list[Block]:
    row = prove_rules().rows[0]
    return [
        Heading(say("4. One line of proof"), anchor="proof"),
        Paragraph(
            say(
                "Each row is proved by itself, in index notation, so for all sizes. For {y} the sum {pairing} is "
                "differentiated by every argument's entry, by SymPy, which knows nothing of the table; the entry of what the "
                "row hands back must be the same sum of products.",
                y="$y = A x$",
                pairing=r"$\sum_i \delta_{y,i} \sum_k A_{ik} x_k$",
            )
        ),
        Code(
            "from rnnproof.proofs import prove_rules\n\nrow = prove_rules().rows[0]\nprint(row.sizes, row.entries, row.verdict)"
        ),
        Code(_shown(row), "text"),
    ]


def _loop(cell: Cell) -> list[Block]:
    return [
        Heading(say("5. The loop"), anchor="loop"),
        Paragraph(
            say(
                "A Program is put in order, laid out in memory and printed as NumPy. What does not wait for the step before is "
                "computed for all steps at once; this is what is left inside the backward pass's loop. The text is then "
                "executed on symbols instead of numbers and compared with the Program before it is handed out."
            )
        ),
        Code(
            'source = rp.generate(cell)\nbackward = source.split("def backward")[1]\n'
            'loop = backward.split("    d_b = ")[0].partition("    for ")\nprint("".join(loop[1:]).rstrip())'
        ),
        Code(_backward_loop(cell), "text"),
    ]


def _backward_loop(cell: Cell) -> str:
    backward = generate(cell).split("def backward")[1]
    return "".join(backward.split("    d_b = ")[0].partition("    for ")[1:]).rstrip()


def _planted(cell: Cell) -> list[Block]:
    wrong = {**ADJOINTS, "matmul": lambda op, d, y, A, x: (-1 * (d @ x.T), A.T @ d)}
    refuted = prove_rules(wrong).rows[0]
    report = prove(cell, backward=adjoint(flatten(cell), wrong))
    return [
        Heading(say("6. A fault, refuted"), anchor="fault"),
        Paragraph(
            say(
                "A proof that cannot fail proves nothing. With a wrong sign in one row the proof of the rules names the "
                "argument and the difference; and the whole gradient of the cell, made with that row, is refuted as well."
            )
        ),
        Code(
            'wrong = {**ADJOINTS, "matmul": lambda op, d, y, A, x: (-1 * (d @ x.T), A.T @ d)}\n'
            "row = prove_rules(wrong).rows[0]\nprint(row.sizes, row.entries, row.verdict)\n"
            "report = rp.prove(cell, backward=adjoint(program, wrong))\nprint(report.rows[0].verdict)"
        ),
        Code(f"{_shown(refuted)}\n{report.rows[0].verdict}", "text"),
    ]


def _shown(row: ProofRow) -> str:
    return f"{row.sizes} {row.entries} {row.verdict}"
