"""What a page tells of how equations were read: in both languages, and nothing where nothing was assumed or passed over."""

from __future__ import annotations

import rnnproof as rp
from rnnproof.equations import reading
from rnnproof.pages import derivation, printed_gradient_blocks, reading_blocks
from rnnproof.pages.blocks import Document, Table
from rnnproof.pages.reading_blocks import assumed, reading_of
from rnnproof.pages.writers.markdown import markdown
from rnnproof.verification import gradient_comparison

TEXT = r"""$$z_t = \sigma(W x_t + U h_{t-1}), \quad h_t = z_t h_{t-1} + V x_{t-1}$$ and $L = \|h_t\|^2$, where $h_0 = 0$"""


def test_every_assumption_has_its_words_in_both_languages() -> None:
    for text in reading.ASSUMPTIONS:
        message = reading_blocks._SAID[text]
        assert message.text("en") == text != message.text("ja")


def test_what_was_assumed_and_passed_over_is_on_the_page() -> None:
    (cell,) = rp.read_text(TEXT, name="gate")
    blocks = reading_of(cell, Table(("a",), [("b",)]))
    english, japanese = (markdown(Document("gate", "gate", blocks), language) for language in ("en", "ja"))
    for text in (reading.SIDE_BY_SIDE, reading.CARRIED, "a value, no equation", "h_0 = 0", "gate:1"):
        assert text in english
    assert "要素ごとに掛ける" in japanese and "値であり、方程式でない" in japanese and "was assumed" not in japanese


def test_nothing_assumed_is_nothing_said() -> None:
    (cell,) = rp.read_text(r"$$h_t = \tanh(W x_t + R h_{t-1} + b)$$", name="plain")
    assert assumed(cell) == () and len(reading_of(cell, Table(("a",), [("b",)]))) == 2
    assert reading.SIDE_BY_SIDE in derivation.derive(rp.read_text(TEXT)[0]).text()


def test_what_a_comparison_of_printed_gradients_says_is_said_in_japanese() -> None:
    for text in (*gradient_comparison.NOTES, *gradient_comparison.REASONS):
        assert str(printed_gradient_blocks._SAID[text]) == text
        assert printed_gradient_blocks._SAID[text].text("ja") != text
