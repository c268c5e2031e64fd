"""What a document's sentences say about its symbols: "the scalar $\\beta$", "$x_t$ is the input", "$\\phi$ is an activation function".

A word counts for a symbol where both stand in one sentence with no other formula between them. Words of six languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnnproof.equations import symbols
from rnnproof.equations.containers import Document
from rnnproof.equations.source import Printed
from rnnproof.equations.syntax import parse_symbols
from rnnproof.equations.syntax_tree import Fault, Symbol
from rnnproof.errors import UsageError

SCALAR, INPUT, FUNCTION, SIGMOID, PARAMETER = "scalar", "input", "function", "sigmoid", "parameter"
DECLARABLE = (SCALAR, "vector", "matrix", INPUT, PARAMETER, FUNCTION)

_WORDS = {
    SCALAR: r"scalars?|real numbers?|hyper-?parameters?|标量|純量|スカラー?|스칼라|escalar(?:es)?|скаляр\w*|"
    r"(?:time|decay|leak(?:y|age|ing)?|damping|mixing|learning|sampling) (?:constant|rate|factor|coefficient)s?|"
    r"step size|time step size|超参数|ハイパーパラメータ|hiperparámetros?|гиперпараметр\w*",
    INPUT: r"(?:external |current |network |token |word )?inputs?(?: (?:vectors?|sequences?|signals?|features?|data|token|at))?"
    r"|输入(?:向量|序列|数据)?|輸入(?:向量)?|入力(?:ベクトル|系列|信号)?|입력(?: ?벡터)?|entradas?|вход(?:ной|ные|ы|ом)?(?: (?:вектор|сигнал))?",
    SIGMOID: r"sigmoid\w*|logistic|сигмоид\w*|логистическ\w*|シグモイド|시그모이드|sigmoide|logística",
    FUNCTION: r"(?:non-?linear(?:ity|ities)?|activation|transfer|squashing|transition)?(?: ?functions?)|activations?|non-?linearit(?:y|ies)"
    r"|激活函数|激活函數|非线性|活性化関数|非線形|활성화 ?함수|함수|funci[oó]n(?:es)?|activaci[oó]n|функци\w*|нелинейност\w*|関数|函数",
}
_NOT = {
    INPUT: r"gates?|weights?|matri\w+|门|閘|ゲート|게이트|puertas?|compuertas?|вентил\w*|гейт\w*|фильтр\w*|size|dimension|output"
    r"|权重|重み|가중치|pesos?|вес\w*|modulation|node|layer|block",
}
_SIGN = re.compile(r"[.!?;](?=\s|\Z)|[。；！？]|\n[ \t]*\n|\n[ \t]*(?:[-*+]|\d+[.)])[ ]")


@dataclass(frozen=True)
class Remark:
    """What the sentence around a formula says about its symbols."""

    symbols: tuple[Symbol, ...]
    said: frozenset[str]
    place: int
    quote: str


def remarks(document: Document, printed: Sequence[Printed]) -> list[Remark]:
    """Everything the prose says about symbols that stand in it by themselves."""
    found: list[Remark] = []
    spans = [(formula.excerpt.place(0), formula.excerpt.place(len(formula.excerpt.text))) for formula in document.formulas]
    by_place = {}
    for equation in printed:
        if not equation.is_relation and not equation.display:
            by_place[equation.offset] = equation
    for number, (start, stop) in enumerate(spans):
        inside = [equation for place, equation in by_place.items() if start <= place < stop]
        spoken_of = [symbol for equation in inside for symbol in _bare(equation)]
        if not spoken_of:
            continue
        before = _sentence(document.prose, spans[number - 1][1] if number else 0, start, last=True)
        behind = _sentence(
            document.prose, stop, spans[number + 1][0] if number + 1 < len(spans) else len(document.prose), last=False
        )
        said = _said(before[-60:], behind[:80])
        if said:
            quote = " ".join(f"{before[-60:]} {spoken_of[0].printed} {behind[:80]}".split())
            found.append(Remark(tuple(spoken_of), frozenset(said), start, quote))
    return found


def declared(text: str) -> tuple[str, str]:
    """What a person declares, such as "beta: scalar" or "W_{xh}: matrix": a symbol's name, and one of DECLARABLE.

    Raises UsageError for anything else.
    """
    printed, colon, what = text.rpartition(":")
    what = what.strip().lower()
    message = f"cannot read the declaration {text!r}; write one such as 'beta: scalar' ({', '.join(DECLARABLE)})"
    if not colon or what not in DECLARABLE:
        raise UsageError(message)
    try:
        found = parse_symbols(re.sub(r"[_^]([A-Za-z0-9]{2,})", r"_{\1}", printed.strip()))
    except Fault:
        found = []
    if len(found) != 1:
        raise UsageError(message)
    return symbols.identify(found[0], "t")[0].name, what


def _bare(equation: Printed) -> list[Symbol]:
    """The symbols of a list such as `\\alpha, \\beta`, or nothing where the formula is more than that."""
    try:
        return parse_symbols(equation.tex)
    except Fault:
        return []


def _sentence(prose: str, start: int, stop: int, last: bool) -> str:
    """The text between two formulas that belongs to the one sentence."""
    text = re.sub(r"\\?[$`]+|\\[()\[\]]|[*_#>]|</?\w+[^<>]*>", " ", prose[max(start, stop - 400) if last else start : stop if last else min(stop, start + 400)])
    ends = list(_SIGN.finditer(text))
    if not ends:
        return text
    return text[ends[-1].end() :] if last else text[: ends[0].start()]


def _said(before: str, behind: str) -> Iterator[str] | set[str]:
    said = set()
    for what, words in _WORDS.items():
        pattern = rf"(?<![A-Za-z])(?:{words})(?![A-Za-z])"
        excluded = _NOT.get(what)
        for text, near in ((before, rf"{pattern}\W*(?:\w+\W+){{0,2}}\Z"), (behind, rf"\A[^A-Za-z]*(?:[A-Za-z]+\W+){{0,6}}?{pattern}")):
            match = re.search(near, text, re.IGNORECASE)
            if match and not (excluded and re.search(excluded, text[match.start() : match.end() + 12], re.IGNORECASE)):
                said.add(what)
    return said
