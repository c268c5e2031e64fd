"""What a document says of its operator signs: a convolution is no product, and an elementwise product is no outer one."""

from __future__ import annotations

import re
from functools import lru_cache

_SIGN = r"\\(?:ast|circ|cdot|star|odot|otimes|circledast)(?![A-Za-z])|[*∗⊛∘·⊙⊗]"
_AROUND = r"[\s$'\"`´‘’“”()]*"
_CONVOLUTION = (
    r"(?:convol|\bconv(?:\b|-?(?=(?:lstm|gru|rnn)\b))|cross-correlation"
    r"|畳み込み|たたみ込み|畳込み|卷积|摺積|faltung|합성곱|컨볼루션|сверт|свёрт)"
)
_PRODUCT = (
    r"(?:product|multipl|hadamard|element|component|entry|point-?wise|積|乘|乗|(?<!합성)곱|元素|要素|원소|성분"
    r"|произвед|умнож|поэлемент)"
)
_CURE = "cells are made of products: write a product, or say that it is one"
_NEGATED = re.compile(
    r"\b(?:not|no|nor|never|unrelated|nothing|nicht|kein\w*|не|нет)\b|不是|并非|無關|无关|아니|아닙|아닌|ではな|でない|じゃな|とは別",
    re.IGNORECASE,
)
_MORE = rf"(?:{_AROUND}(?:,|and|und|と|、){_AROUND}(?:{_SIGN}))*"

# "$*$ and $\circ$ denote the convolution ...", without another formula between; "the convolution operator $*$"
_SAID = re.compile(rf"(?P<signs>(?:{_SIGN}){_MORE}){_AROUND}[^.$]{{0,60}}?{_CONVOLUTION}", re.IGNORECASE)
_SAID_BEFORE = re.compile(
    rf"{_CONVOLUTION}\w*(?:\s+(?:operators?|operations?|signs?|symbols?|is|are|denoted|written|marked|by|as|with|using))*"
    rf"{_AROUND}(?P<signs>{_SIGN})",
    re.IGNORECASE,
)
_A_PRODUCT = re.compile(rf"(?P<signs>(?:{_SIGN})){_AROUND}[^.$]{{0,60}}?{_PRODUCT}", re.IGNORECASE)
_ELEMENTWISE = (
    r"(?:element-?wise|hadamard|component-?wise|entry-?wise|point-?wise|element[- ]by[- ]element"
    r"|逐元素|按元素|对应元素|逐项|逐点|點乘|点乘|要素ごと|要素積|アダマール|원소별|성분별|요소별"
    r"|elemento a elemento|componente a componente|punto a punto|поэлемент|адамар)"
)
ELEMENTWISE = re.compile(_ELEMENTWISE, re.IGNORECASE)
_SAID_ELEMENTWISE = re.compile(
    rf"(?P<signs>(?:{_SIGN}){_MORE}){_AROUND}[^.$]{{0,60}}?{_ELEMENTWISE}"
    rf"|{_ELEMENTWISE}[^.$]{{0,40}}?{_AROUND}(?P<behind>{_SIGN})",
    re.IGNORECASE,
)
_CIRCLED_PLUS = re.compile(r"\\oplus(?![A-Za-z])|⊕")
_SAID_SUM = re.compile(
    r"(?:\\oplus|⊕)[\s$'\"`)]*[^.$]{0,40}?(?:\bsum|\bsomme|addition|\badds?\b|加|和|сумм|слож|suma|덧셈|합)", re.IGNORECASE
)
_DOT = re.compile(r"\\cdot(?![A-Za-z])|[·⋅]")
_SAID_DOT = re.compile(
    r"(?:\\cdot|[·⋅])[\s$'\"`)]*[^.$]{0,40}?(?:\b(?:dot|inner|scalar) product|skalarprodukt|produit scalaire|producto escalar"
    r"|点积|點積|内积|內積|내적|скалярн)",
    re.IGNORECASE,
)
_MATRIX_BEFORE = re.compile(r"(?:\\[A-Za-z]+\s*\{)?[A-Z]\}?(?:\s*[_^]\s*(?:\{[^{}]*\}|\w))*\s*\Z")
_OUTER = re.compile(r"\\otimes(?![A-Za-z])|⊗")
_SPOKEN_OF = re.compile(_CONVOLUTION, re.IGNORECASE)
_STAR = re.compile(r"(?<![\^_{\\*])[*∗](?![*}])|(?<![\^_{])\\ast(?![A-Za-z])")


def convolution(tex: str, text: str) -> tuple[int, str] | None:
    """Where an equation may convolve, by the text it stands in: the sign's offset, and why; None where it does not.

    A star is taken for one wherever the text speaks of convolutions and does not say that it is a product.
    """
    said, products, spoken_of = _said(text)
    for match in re.finditer(_SIGN, tex):
        sign = _plain(match.group())
        if sign in said and (sign != "*" or _STAR.match(tex, match.start())):
            return match.start(), f"the text says that {match.group()} is a convolution; {_CURE}"
    star = _STAR.search(tex)
    if star and spoken_of and "*" not in products:
        return star.start(), f"the text speaks of convolutions, and does not say that {star.group()} is a product; {_CURE}"
    return None


def outer_product(tex: str, text: str) -> tuple[int, str] | None:
    """Where an equation may have an outer product, and why; None where the text says that its sign is elementwise."""
    sign = _OUTER.search(tex)
    if sign is None or "⊗" in _elementwise(text):
        return None
    return (
        sign.start(),
        rf"{sign[0]} may be an outer or an elementwise product; write \odot, or say that ${sign[0]}$ is elementwise",
    )


def other_sum(tex: str, text: str) -> tuple[int, str] | None:
    """Where an equation has a circled plus that the text calls a sum, and why; None where it stacks vectors."""
    sign = _CIRCLED_PLUS.search(tex)
    if sign is None or not _SAID_SUM.search(text):
        return None
    return sign.start(), f"the text calls {sign[0]} a sum; write + for one, and [a; b] for vectors below each other"


def dot_product(tex: str, text: str) -> tuple[int, str] | None:
    """Where an equation has a dot between what are no matrices, and the text calls the dot a dot product; and why."""
    if not _SAID_DOT.search(text):
        return None
    sign = next((m for m in _DOT.finditer(tex) if not _MATRIX_BEFORE.search(tex, 0, m.start())), None)
    if sign is None:
        return None
    return (
        sign.start(),
        f"the text calls {sign[0]} a dot product; write a^\\top b for one, and \\odot for the product of the entries",
    )


@lru_cache(maxsize=1)
def _elementwise(text: str) -> frozenset[str]:
    """The signs that the text says multiply entry by entry."""
    found = [match["signs"] or match["behind"] for match in _SAID_ELEMENTWISE.finditer(text)]
    return frozenset(_plain(sign) for signs in found for sign in re.findall(_SIGN, signs))


@lru_cache(maxsize=1)  # a page's text is asked about once for each of its equations
def _said(text: str) -> tuple[frozenset[str], frozenset[str], bool]:
    """The signs that the text calls convolutions, those it calls products, and whether it speaks of convolutions."""
    matches = [match for pattern in (_SAID, _SAID_BEFORE) for match in pattern.finditer(text)]
    said = [match for match in matches if not _NEGATED.search(text, match.start(), match.end() + 12)]
    convolutions = {sign for match in said for sign in _signs(match["signs"])}
    products = {sign for match in _A_PRODUCT.finditer(text) for sign in _signs(match["signs"])}
    return frozenset(convolutions), frozenset(products), _SPOKEN_OF.search(text) is not None


def _signs(text: str) -> set[str]:
    """The signs in a list; of several the star, as a circle beside it is the product."""
    signs = [_plain(sign) for sign in re.findall(_SIGN, text)]
    return set(signs) if len(signs) == 1 else {sign for sign in signs if sign == "*"} or set(signs)


def _plain(sign: str) -> str:
    return {r"\ast": "*", "∗": "*", r"\circ": "∘", r"\cdot": "·", r"\odot": "⊙", r"\otimes": "⊗", r"\circledast": "⊛"}.get(
        sign, sign
    )


QUESTIONS = (convolution, outer_product, other_sum, dot_product)
