"""What a symbol is called: accents, fonts, labels, words and Greek letters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rnnproof.equations.syntax import macros
from rnnproof.pages.blocks import Block, Paragraph, Table
from rnnproof.pages.message import listed, say
from rnnproof.pages.notation.model import Example, Section, Spelling, in_place, reading, spelled
from rnnproof.pages.notation.places import RNN

_BOLD = r"\mathbf{h}_t = \tanh(\mathbf{W} \mathbf{x}_t + \mathbf{R} \mathbf{h}_{t-1} + \mathbf{b})"
_WORDS = r"\text{cell}_t = \tanh(W_\text{in} x_t + W_\text{rec} \text{cell}_{t-1} + \text{bias})"

WRITTEN = (
    *("W_x", "W_{xh}", "W_{x,h}", "W^{f}", "W_x^{(2)}", r"W_{\text{in}}", "W_{h_x}", r"W_\lambda", r"W_\bar{h}"),
    *("b^*", "b^+", "b^-", "b'", "b′", r"b^{\prime\prime}", r"\text{bias}", r"\mathrm{bias}_h", r"\text{my bias}"),
)


def accents() -> tuple[str, ...]:
    """A symbol under each accent of the grammar."""
    return tuple(rf"{accent}{{b}}" for accent in macros("ACCENT"))


def named(written: str) -> tuple[str, str]:
    """(LaTeX, name) that a parameter gets which is written like this."""
    (cell,) = reading(f"h_t = U x_t + V h_{{t-1}} + P {written} + Q {written}").cells
    (name,) = (parameter.name for parameter in cell.parameters if parameter.name not in ("U", "V", "P", "Q"))
    return cell.tex[name], name


def table() -> Iterator[Block]:
    """Names, given by the reader itself."""
    rows = [(f"`{written}`", f"${tex}$", f"`{name}`") for written in (*WRITTEN, *accents()) for tex, name in [named(written)]]
    says = say("The name of a symbol in `PARAMETERS`, `STATES` and the generated code:")
    yield Table((say("as written"), say("as printed"), say("its name")), rows, says)
    letters = listed(f"`{letter}`" for letter in macros("GREEK"))
    yield Paragraph(say("Greek letters, with `var` before the name too, or as characters: {letters}.", letters=letters))


SECTION = Section(
    "names",
    say("Names of symbols"),
    say("A symbol is a letter or a word with its accents and labels; the index is no part of its name."),
    (
        Example(
            "fonts",
            say("Fonts mean nothing: bold, roman and plain letters are the same symbol."),
            _BOLD,
            (RNN,),
            also=(
                *in_place(_BOLD, r"\mathbf", *(font for font in macros("FONT") if font != r"\mathbf"), r"\bf"),
                Spelling(r"\mathbf h", re.sub(r"mathbf\{(.)\}", r"mathbf \1", _BOLD)),
            ),
        ),
        Example(
            "without braces",
            say("Braces may be left out as in TeX."),
            r"h_t = \tanh(W_\bar{h} x_t + R_\bar{h} h_{t-1} + b_\bar{h})",
            ("h | x | W_hbar(hidden,input) R_hbar(hidden,hidden) b_hbar(hidden)",),
            also=spelled(r"h_t = \tanh(W_{\bar{h}} x_t + R_{\bar h} h_{t-1} + b_\bar h)"),
        ),
        Example(
            "characters",
            say("Characters may stand for macros: Greek letters, the minus sign, circles and dots."),
            r"σ_t = \tanh(W · x_t + R · σ_{t−1}) ⊙ β",
            ("sigma | x | W(hidden,input) R(hidden,hidden) beta(hidden)",),
            also=spelled(r"\sigma_t = \tanh(W \cdot x_t + R \cdot \sigma_{t-1}) \odot \beta"),
        ),
        Example(
            "words",
            say("A word in `\\text`, `\\mathrm` or `\\operatorname` is one symbol; letters side by side are a product."),
            _WORDS,
            ("cell | x | W_in(hidden,input) W_rec(hidden,hidden) bias(hidden)",),
            also=in_place(
                _WORDS,
                r"\text",
                *(r"\mathrm", r"\mathit", r"\mathsf", r"\mathtt", r"\textrm", r"\textbf", r"\textit", r"\textsf", r"\texttt"),
                *(r"\textnormal", r"\mbox", r"\operatorname", r"\operatorname*"),
            ),
        ),
    ),
    table,
)
