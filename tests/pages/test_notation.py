"""The page on notation, in both languages, is what the reader makes of it; nothing the reader knows is missing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lark
import pytest
import sympy as sp

import rnnproof
from rnnproof.calculus.formula_tex import Printer, scalar_tex
from rnnproof.equations import activations, catalogue, containers, source, syntax
from rnnproof.equations.activations import X, Y
from rnnproof.equations.cell import Cell
from rnnproof.equations.system import OPEN_NAMES
from rnnproof.pages import notation
from rnnproof.pages.blocks import Block, Code, Formula, Heading, Paragraph, Table
from rnnproof.pages.message import LANGUAGES
from rnnproof.pages.writers.markdown import markdown
from rnnproof.pages.written import blocks
from rnnproof.verification.gradient_comparison import compare_printed_gradients
from tests.pages.notation_readings import alike, bound, described, formulas, reading, refused

PACKAGE = Path(rnnproof.__file__).parent
CATALOGUE = PACKAGE / "equations" / "catalogue"
_SPANS = re.compile(r"`([^`]*)`")


@dataclass
class Example:
    """A fence of the page and what is said of it: {what: text or texts}."""

    text: str
    replaced: str = ""
    cell: Cell | None = None
    said: list[str] = field(default_factory=list)


def faults(text: str) -> Iterator[str]:
    """What the page says that is not so."""
    fences = [line[3:].split(" ", 1) for line in text.split("\n") if line.startswith("```")][::2]
    example = Example("")
    for block in blocks(text):
        if isinstance(block, Code):
            language, _, rest = " ".join(fences.pop(0)).partition(" ")
            if language in ("tex", "markdown"):
                example = Example(block.text, rest)
                yield from _title(block.text)
            elif language in _OF_A_FENCE:
                yield from _OF_A_FENCE[language](example, block.text)
        elif isinstance(block, Formula) and (example.cell is None or block.tex not in formulas(example.cell)):
            yield f"{block.tex} is no line of the derivation of {example.text}"
        elif isinstance(block, Paragraph) and example.replaced:
            yield from _with(example, str(block.text))
        elif isinstance(block, Table):
            yield from _table(example, block)


def _title(text: str) -> Iterator[str]:
    if text.startswith("# ") and text != (CATALOGUE / "simple_rnn.md").read_text(encoding="utf-8").rstrip():
        yield "the document of the catalogue is another one"


def _reading(example: Example, text: str) -> Iterator[str]:
    if example.cell is None:
        found = reading(example.text, _file(example.text)).cells
        example.cell, now = found[0], described(found)
    else:  # bound, or built from SymPy
        now = described([example.cell])
    if now != text:
        yield f"{example.text}\nis said to be\n{text}\nand is\n{now}"


def _file(text: str) -> str:
    return "notes.tex" if r"\documentclass" in text else "notes.md"


def _python(example: Example, text: str) -> Iterator[str]:
    """Bodies given to the example's functions; a cell from SymPy, made by running the project's own page in a process."""
    if text.startswith("cell = rp.bind("):
        (cell,) = reading(example.text).cells
        example.cell = bound(cell, text)
    elif "Cell.from_sympy(" in text:
        names: dict[str, Any] = {}
        exec(compile(text, "page.md", "exec"), names)
        example.cell = names["cell"]
    elif "rp.activation(" in text:
        code = f"{text}\nprint(cell.equations[0].expression.function.expr.func.__name__, len(cell.parameters))"
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        if ran.stdout.split() != ["bent", "3"]:
            yield f"the activation of one's own gives {ran.stdout}"
    else:
        yield f"nothing is known of {text}"


def _text(example: Example, text: str) -> Iterator[str]:
    if str(refused(example.text)) != text:
        yield f"the reader's message for {example.text} is {refused(example.text)}"


def _same(example: Example, text: str) -> Iterator[str]:
    if not gives(example, text):
        yield f"{text} is not the cell of {example.text}"


def _each(example: Example, text: str) -> Iterator[str]:
    for line in text.split("\n"):
        yield from _same(example, line)


_OF_A_FENCE = {"reading": _reading, "python": _python, "text": _text, "same": _same, "each": _each}


def gives(example: Example, text: str) -> bool:
    """Whether a text gives the example's cells."""
    mine = reading(example.text, _file(example.text)).cells
    others = reading(text, _file(text)).cells if refused(text) is None else ()
    return len(mine) == len(others) and all(map(alike, mine, others))


def _with(example: Example, sentence: str) -> Iterator[str]:
    """Each of the listed words in the place of a part, or as the environment, gives the same cell."""
    # what stands between the words but is no word: "no sign" takes the part away
    listed = [*_SPANS.findall(sentence), *([""] if re.search(r"no sign|記号なし|なし", sentence) else [])]
    for word in listed:
        text = environment(example.text, word) if example.replaced == "environment" else None
        if not gives(example, example.text.replace(example.replaced, word) if text is None else text):
            yield f"{word!r} in the place of {example.replaced} is not the cell of {example.text}"
    if not listed:
        yield f"{sentence} lists nothing"
    example.said += listed
    example.replaced = ""


def environment(text: str, name: str) -> str:
    """Equations aligned by `align` in another environment."""
    begin, *rows, end = text.split("\n")
    plain = name.rstrip("*") in ("gather", "gathered", "equation", "multline")
    mark = " " if plain else " & = & " if name.rstrip("*") in ("eqnarray", "array") else " &= "
    rows = [row.replace(" &= ", " = " if plain else mark) for row in rows]
    argument = (
        "{rcl}" if name in ("array", "IEEEeqnarray") else "{2}" if name.startswith("alignat") or name == "alignedat" else ""
    )
    body = "\n".join([f"\\begin{{{name}}}{argument}", *rows, f"\\end{{{name}}}"])
    inside = name in ("aligned", "alignedat", "gathered", "split", "cases", "dcases", "array")
    return f"$$\n{body}\n$$" if inside else body


def _table(example: Example, table: Table) -> Iterator[str]:
    """The tables by their number of columns and what stands in the first."""
    first = str(table.rows[0][0])
    if first.isdecimal():
        rows = [(str(over.line), over.tex, over.reason) for over in reading(example.text).passed_over]
        said = [(line, _SPANS.sub(r"\1", tex), _SPANS.sub(r"\1", reason)) for line, tex, reason in table.rows]
        if said != rows:
            yield f"{example.text}: passed over is {rows}"
    elif first.startswith(r"`\frac{\partial"):
        now = [(f"`{one.tex}`", one.said) for one in compare_printed_gradients(reading(example.text).cells[0])]
        said = [(str(tex), str(verdict).strip("`") + _behind(str(verdict), str(how))) for tex, verdict, how in table.rows]
        if said != now:
            yield f"the printed gradients are {now}"
    elif len(table.headers) == 2:
        limits = [f"{limit:,}" for limit in (source.MAX_TEXT, source.MAX_EQUATIONS, source.MAX_LENGTH, source.MAX_DEPTH)]
        if [row[1] for row in table.rows] != limits:
            yield f"the limits are {limits}"
    elif first == "`W_x`":
        for written, printed, name in table.rows:
            now = named(written.strip("`"))
            if now != (printed.strip("$"), name.strip("`")):
                yield f"{written} is {now}"
    elif first.startswith(r"`\tanh`"):
        yield from _functions(table)
    else:
        yield from _refusals(table)


def _behind(verdict: str, how: str) -> str:
    """What follows a verdict: a convention behind a comma, a formula behind a semicolon."""
    between = ", " if verdict == "`agrees`" else "; "
    return f"{between}{how.strip('`')}" if how else ""


def _refusals(table: Table) -> Iterator[str]:
    for written, message, cure in table.rows:
        error = refused(_SPANS.sub(r"\1", written))
        told = "" if error is None else str(error).split("\n")[0].partition(": ")[2]
        # the activations that the message lists are those of the process, other tests' too
        if told.partition("known are")[0] != message.strip("`").partition("known are")[0]:
            yield f"{written} is refused with: {error}"
        ways = _SPANS.findall(cure)
        if any(refused(way) is not None or len(reading(way).cells) != 1 for way in ways):
            yield f"{ways} is no way out of {written}"


def _functions(table: Table) -> Iterator[str]:
    entries = [entry for entry in map(activations.find, activations.names()) if entry is not None]
    # an activation that another test registered in this process is not one that the page must have
    rows = {_SPANS.findall(row[0])[0]: row for row in table.rows}
    for tex, row in rows.items():
        entry = next((entry for entry in entries if entry.tex == tex), None)
        if entry is None:
            yield f"{tex} is no activation"
            continue
        words = [rf"\operatorname{{{word}}}".replace("_", r"\_") for word in (entry.name, *entry.aliases)]
        if tuple(_SPANS.findall(row[0])) != tuple(dict.fromkeys((entry.tex, *words))):
            yield f"{tex} has the names {words}"
        for word in _SPANS.findall(row[0]):
            (cell,) = reading(rf"h_t = {word}(W x_t + R h_{{t-1}})").cells
            if cell.equations[0].expression.function.expr.func != entry.function:
                yield f"{word} is not {entry.name}"
        slope = activations.derivative(entry.function)
        of = slope.of_output if slope.of_output is not None else slope.of_input
        for shown, expression in ((row[1], entry.definition), (row[2], of)):
            if sorted(re.findall(r"\$([^$]+)\$", shown)) != sorted(_pieces(expression)):
                yield f"{tex}: {shown} should be of {_pieces(expression)}"


def _pieces(expression: Any) -> list[str]:
    """The formulas of an expression: its value, or its branches and their conditions."""
    if not isinstance(expression, sp.Piecewise):
        return [_tex(expression)]
    return [_tex(part) for branch in expression.args for part in branch if part != sp.true]


def _tex(expression: Any) -> str:
    """LaTeX with x and y for the symbols, activations by their signs, decimals to five digits."""
    short = expression.xreplace({number: _short(number) for number in expression.atoms(sp.Float)})
    if isinstance(short, sp.Expr) and short.is_polynomial(Y) and not short.has(X, sp.Float):
        return Printer()(short)
    short = short.replace(activations.named("sigmoid"), sp.Function(r"\sigma"))
    return scalar_tex(short, symbol_names={X: "x", Y: "y"})


def _short(number: Any) -> Any:
    rounded = sp.Float(number, 5)
    return sp.Integer(rounded) if float(rounded).is_integer() else rounded


def named(written: str) -> tuple[str, str]:
    """(LaTeX, name) that a parameter gets which is written like this."""
    (cell,) = reading(f"h_t = U x_t + V h_{{t-1}} + P {written} + Q {written}").cells
    (name,) = (parameter.name for parameter in cell.parameters if parameter.name not in ("U", "V", "P", "Q"))
    return cell.tex[name], name


SOURCES = notation.sources()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.slow
def test_the_page_says_what_the_reader_makes_of_it(language: str) -> None:
    assert list(faults(SOURCES[language])) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("parameters W(hidden, input)", "parameters W(hidden, hidden)"),
        ("R(hidden, hidden)", "R(hidden, input)"),
        (r"with `:=`", r"with `>`"),
        (r"\delta_{a_{h_l}} h_{l-1}^{\top}", r"\delta_{a_{h_l}} h_l^{\top}"),
        ("| `bstar` ", "| `bplus` "),
        ("| 4,000 ", "| 5,000 "),
        (r"h^t = \tanh(W x^t", r"h^t = \tanh(W^\top x^t"),
        ("`a value, no equation`", "`no definition`"),
        (r"`h_t = W x_t + R h_{t-1}`  ", r"`h_t = W x_t + R h_{t-2}`  "),
        ("lies 2 steps back", "lies 3 steps back"),
        (r"\foo is not understood here", r"\foo is unknown"),
        (r"`\operatorname{ReLU}`", r"`\operatorname{elu}`"),
        ("$1 - y^{2}$", "$1 - y$"),
        ('f=r"\\tanh(W^{(l)} o', 'f=r"\\tanh(W o'),
        ("Cognitive Science 14 (1990)", "Cognitive Science 15 (1990)"),
    ],
)
@pytest.mark.slow
def test_what_is_not_so_is_seen(old: str, new: str) -> None:
    section = next(part for part in SOURCES["en"].split("\n## ") if old in part)
    assert list(faults(section.replace(old, new, 1)))


def test_the_languages_have_the_same_examples() -> None:
    english, japanese = ([b for b in blocks(SOURCES[one]) if isinstance(b, Code | Formula)] for one in ("en", "ja"))
    assert english == japanese and len(english) > 150
    made = notation.document()
    assert made.name == "notation" and markdown(made, "en") != markdown(made, "ja")
    anchors = [block.anchor for block in made.blocks if isinstance(block, Heading)]
    assert len(set(anchors)) == len(anchors) > 10


def test_pages_that_do_not_go_together_are_refused() -> None:
    from rnnproof.pages.written import document

    for other in ("# Titel\n", "# Titel\n\n```tex\na\n```\n"):
        with pytest.raises(ValueError, match="languages"):
            document("page", {"en": "# Title\n\nOne paragraph.\n", "ja": other})
    assert document("page", {"en": "# Title\n", "ja": "# 題\n"}).title.text("ja") == "題"  # type: ignore[union-attr]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_the_reader_knows_is_on_the_page(language: str) -> None:
    spans = set(_SPANS.findall(SOURCES[language]))
    for name in activations.names():
        entry = activations.find(name)
        assert entry is not None
        assert entry.tex in spans or name not in _BUILT_IN, name
    assert set(syntax.macros("GREEK")) <= spans
    for name in OPEN_NAMES:
        written = name if len(name) == 1 else f"\\{name}"
        (cell,) = reading(f"h_t = {written}(W x_t + R h_{{t-1}})").cells
        assert cell.open_functions == (name,)
        assert f"${written}$" in SOURCES[language]


_BUILT_IN = frozenset(
    node.value
    for node in ast.walk(ast.parse((PACKAGE / "equations" / "activations.py").read_text(encoding="utf-8")))
    if isinstance(node, ast.Constant) and isinstance(node.value, str)
)


def test_every_greek_letter_is_a_name_in_each_of_its_forms() -> None:
    for macro in syntax.macros("GREEK"):
        name = macro.removeprefix("\\")
        forms = {f"{macro}_a": f"{name}_a", rf"\var{name}_a": f"var{name}_a"}
        if name != "ell":
            case = "SMALL" if name.islower() else "CAPITAL"
            sign = unicodedata.lookup(f"GREEK {case} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")
            forms[f"{sign}_a"] = f"{name}_a"
        for written, expected in forms.items():
            assert named(written)[1] == expected


@pytest.mark.slow
def test_the_page_has_every_rule_and_every_sign_of_the_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = parsed(monkeypatch)
    rules = {str(tree.data) for found in trees for tree in found.iter_subtrees()}
    tokens = [token for found in trees for token in found.scan_values(lambda value: isinstance(value, lark.Token))]
    written: dict[str, set[str]] = {}
    for token in tokens:
        written.setdefault(token.type, set()).add(str(token))
    grammar = (PACKAGE / "equations" / "grammar.lark").read_text(encoding="utf-8")
    parser = lark.Lark(grammar, start=["equation", "declaration", "body"])
    heads = {str(token).split("{")[0].strip() for token in tokens}
    assert {str(rule.alias or rule.origin.name) for rule in parser.rules if _own(rule)} <= rules
    for terminal in parser.terminals:
        if terminal.name == "WS":
            continue
        assert terminal.name in written, f"no example has a {terminal.name}"
        signs = {sign for sign in terminal.pattern.value if ord(sign) > 127} if terminal.name != "GREEK" else set()
        macros = set(syntax.macros(terminal.name)) if terminal.name not in ("GREEK", "FUNCTION") else set()
        assert signs <= set("".join(written[terminal.name])), terminal.name
        assert macros <= heads, terminal.name


def test_every_macro_of_a_function_is_an_operation_or_refused_by_its_name() -> None:
    for macro in syntax.macros("FUNCTION"):
        error = refused(rf"h_t = {macro}(W x_t + R h_{{t-1}})")
        assert error is None or macro in str(error), macro


def parsed(monkeypatch: pytest.MonkeyPatch) -> list[lark.Tree[Any]]:
    """Every tree that the reader parses while the page's statements are tested, refusals aside."""
    found: list[lark.Tree[Any]] = []
    parser = syntax._parser()

    class Recorder:
        terminals = parser.terminals

        def parse(self, text: str, start: str) -> lark.Tree[Any]:
            found.append(parser.parse(text, start=start))
            return found[-1]

    monkeypatch.setattr(syntax, "_parser", Recorder)
    head, _, _ = SOURCES["en"].partition("## What is refused")
    assert list(faults(head)) == []
    return found


def _own(rule: Any) -> bool:
    """Whether a rule of the parser is one of the grammar's that leaves a node: not a repetition, not inlined."""
    name = str(rule.origin.name)
    return bool(rule.alias) or not (name.startswith("_") or rule.options.expand1)


def test_every_environment_is_an_example() -> None:
    (line,) = (line for line in SOURCES["en"].split("\n") if "`eqnarray`" in line)
    listed = set(_SPANS.findall(line))
    assert set(containers.ENVIRONMENTS) <= listed
    assert {f"{name}*" for name in ("align", "eqnarray", "gather", "equation")} <= listed


def test_cells_are_alike_by_what_they_compute() -> None:
    def one(text: str) -> Any:
        return reading(text).cells[0]

    assert alike(one("o_l = f(o_{l-1}) \\\\ f(o) = W o"), one("o_l = f(o_{l-1}) \\\\ f(x) = W x"))
    assert not alike(one("o_l = f(o_{l-1}) \\\\ f(o) = W o"), one("o_l = f(o_{l-1}) \\\\ f(o) = W W o"))
    assert not alike(one("h_t = W h_{t-1}"), one("h_t = W^\\top h_{t-1}"))


@pytest.mark.slow
def test_the_limits_are_the_readers() -> None:
    head = "$$ h_t = x_t + h_{t-1} $$"
    texts = {
        source.MAX_DEPTH: lambda n: f"$$h_t = {'(' * n}x_t{')' * n} + h_{{t-1}}$$",
        source.MAX_EQUATIONS: lambda n: f"{head}\n" * n,
        source.MAX_TEXT: lambda n: head.ljust(n),
        source.MAX_LENGTH: lambda n: f"$${head.strip('$ ')}{'+x_t' * n}"[: n + 2].rstrip("+x_") + "$$",
    }
    for most, text in texts.items():
        assert len(reading(text(most)).cells) == 1
        error = refused(text(most + 4))
        assert error is not None and f"{most}" in str(error)


def test_the_document_of_the_catalogue_is_there() -> None:
    (shown,) = (block for block in blocks(SOURCES["en"]) if isinstance(block, Code) and block.text.startswith("# "))
    assert "simple_rnn" in catalogue.names() and shown.language == "markdown"
    assert all(isinstance(block, Block) for block in notation.document().blocks)
