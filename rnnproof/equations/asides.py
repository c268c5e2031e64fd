"""Definitions that are no equations of a cell: values, sketches, and remarks on other models, special cases and beginnings."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rnnproof.equations import models, prose, symbols, system
from rnnproof.equations.containers import Document
from rnnproof.equations.source import Printed
from rnnproof.equations.symbols import Key
from rnnproof.equations.syntax_tree import Column, Group, Number, Product, Quotient, Sum, Symbol
from rnnproof.equations.system import Definition

VALUE, SKETCH, ONE_STEP = "a value, no equation", "a sketch of what another equation defines", "a value at one step or layer"
UNREAD = "defines nothing that another equation reads"
ANOTHER_NAME = "another name for the same thing"
BACKWARDS = "runs backwards through the steps, as gradients do"
UPDATE = "an update of a parameter, no equation of the cell"
REMARK = "a remark: the text speaks of another case or of a beginning"
BESIDE = "a remark in the text on what a display defines otherwise"

_INPUTS = ("x", "u")
_DERIVED = re.compile(
    r"\\partial(?![A-Za-z])|∂|\\nabla(?![A-Za-z])|∇|\\mathrm\s*\{\s*d\s*\}|back-?prop|gradient", re.IGNORECASE
)
# Words before a formula that speak of a beginning or a habit, of another use, of a special case or another model.
_BEGINNING = (
    r"\b(?:initiali[sz]\w+|initially|init|(?:starts? (?:at|from|with)|begins? (?:at|with))(?!\s+(?:the|an?)\b)"
    r"|set to|often|sometimes|usually"
    r"|commonly|after training|compress\w*|factori[sz]\w+|ablation|tying|tied|for simplicity|in the proof|decompos\w+|eigen\w*"
    r"|svd|low-?rank|variant|sharing|shared?|experiments?|ridge|regression|least squares|pseudo-?inverse)\b"
    r"|初始|初期|инициал|начальн|inicial|초기|通常|обычно"
)
_OTHER_USE = (
    r"\b(?:tasks?|labels|targets|data(?:set)?s?|signals?|series|process|generated"
    r"|ground truth|follow|test time|inference time|at inference"
    r"|(?:during|in|for) (?:generation|sampling|inference))\b|生成时|推論時|추론 시"
    r"|\bnoise|噪声|噪音|ノイズ|잡음|шум|\bruido\b|\brauschen\b|\bbruit\b"
)
_IF = r"\b(?:if|whenever|suppose|si|falls|wenn)\b|如果|假如|假设|若|もし|если|만약|当(?!前|时|作|做)"
_CASE = (
    r"\b(?:special case|reduces? to|becomes?|simplif\w+|approximat\w+|lineari[sz]\w+|when|assum\w+"
    r"|for example|e\.g|such as|(?:wrong|incorrect\w*|mistak\w+)(?![^.]*\b(?:because|since|correct)\b)"
    r"|instead of|unlike|in contrast|whereas|other authors|some authors"
    r"|some implementations|in keras|in pytorch|would be|could be|might be|can also|alternatively|variant|counter-?example"
    r"|variants|alternate|alternative|in training|with dropout|erratum|old version|previously|near zero"
    r"|without (?:a |the )?non-?linearity"
    r"|näherungsweise|ohne nichtlinearität|zum beispiel|par exemple|sans non-?linéarité)\b"
    r"|特殊|例如|例えば|например|ejemplo|错误|誤り|ошибк|線形近似|线性近似|예를 들어|선형 근사"
)
_BEHIND = re.compile(
    r"\b(?:for simplicity|in the proof|at (?:the )?(?:beginning|start)|initially|for example|noise)\b", re.IGNORECASE
)
_TEACHING = re.compile(
    r"\b(?:exercises?|solutions?|problems?|benchmarks?|data ?sets?|tasks?)\b"
    r"|练习|習題|习题|演習|練習|연습|упражнен|ejercicios?|übung",
    re.IGNORECASE,
)
_TRAINING = re.compile(
    r"\b(?:optimi[sz]ers?|optimi[sz]ation|(?:gradient )?descent|momentum|adam|rmsprop|training"
    r"|weight updates?|update (?:the )?weights"
    r"|learning rate)\b|优化|梯度下降|最適化|勾配降下|оптимиз|градиентн\w+ спуск|최적화|경사",
    re.IGNORECASE,
)
_FOR_PARAMETERS = re.compile(f"{_BEGINNING}|{_IF}", re.IGNORECASE)
_FOR_INPUTS = re.compile(f"{_BEGINNING}|{_OTHER_USE}", re.IGNORECASE)
_FOR_FUNCTIONS = re.compile(
    rf"{_BEGINNING}|{_IF}|{_CASE}|\b(?:or|target|toy|data|loss|objective|linear"
    r"|also|tried|aussi|auch|también|früher)\b|也|尝试",
    re.IGNORECASE,
)
_ANY = re.compile(f"{_BEGINNING}|{_OTHER_USE}|{_IF}|{_CASE}", re.IGNORECASE)


@dataclass
class Asides:
    """The definitions that are left, those that are none and why, and (symbol, place) that nothing earlier stands for."""

    kept: list[Definition] = field(default_factory=list)
    passed_over: list[tuple[Definition, str]] = field(default_factory=list)
    lost: list[tuple[Key, int]] = field(default_factory=list)
    backwards: dict[Key, Definition] = field(default_factory=dict)


def told_apart(definitions: Sequence[Definition], document: Document) -> Asides:
    """The definitions of a document, those that are none taken out."""
    return _Judge(definitions, document).judged()


class _Judge:
    def __init__(self, definitions: Sequence[Definition], document: Document) -> None:
        self.definitions, self.document = list(definitions), document
        self.letters = frozenset(system.movers(definitions))
        self.keys = [symbols.identify(d.target, self.letters)[0] for d in definitions]
        self.places = [heading.place for heading in document.headings]

    def judged(self) -> Asides:
        found = Asides()
        sketched = [is_sketch(d, key, self.keys, self.letters) for d, key in zip(self.definitions, self.keys, strict=True)]
        full = {key for key, sketch in zip(self.keys, sketched, strict=True) if not sketch}
        reasons: dict[int, str] = {}
        for number, (definition, key) in enumerate(zip(self.definitions, self.keys, strict=True)):
            if is_value(definition.right) and self.is_remark_of_value(number):
                reasons[number] = VALUE
                if key.index:
                    found.lost.append((key, definition.printed.offset))
            elif definition.argument is not None and not key.index and not self.is_read(key):
                reasons[number] = UNREAD
            elif definition.argument is not None and _is_same_letter(definition.argument, definition.right):
                reasons[number] = ANOTHER_NAME
            elif sketched[number] and (key in full or any(other.index for other in full)):
                reasons[number] = SKETCH
            elif not key.index and any(is_one_step_of(key, other) for other in self.keys):
                reasons[number] = ONE_STEP
            elif definition.argument is None and not key.index and self.updates_itself(number):
                reasons[number] = UPDATE
            elif key.index and definition.argument is None and self.is_training(number):
                reasons[number] = UPDATE
            elif definition.argument is None and self.is_exercise(number):
                reasons[number] = REMARK
            elif key.index and self.is_error_signal(number):
                reasons[number] = BACKWARDS
            elif key.index and self.runs_backwards(number):
                reasons[number] = BACKWARDS
                found.lost.append((key, definition.printed.offset))
                found.backwards[key] = definition
        reasons |= self.contradictions(reasons)
        for number, definition in enumerate(self.definitions):
            words = self.words_for(number)
            if number not in reasons and words is not None and self.cued(definition, words):
                reasons[number] = REMARK
            elif number not in reasons and words in (_FOR_PARAMETERS, _FOR_INPUTS) and self.cued_behind(definition):
                reasons[number] = REMARK
            if number in reasons:
                found.passed_over.append((definition, reasons[number]))
            else:
                found.kept.append(definition)
        return found

    def is_remark_of_value(self, number: int) -> bool:
        """Whether a value is no equation: of a parameter, of an input, or of what the same section defines."""
        key, definition = self.keys[number], self.definitions[number]
        if not key.index or not definition.printed.display:
            return True
        section = self.section(number)
        return any(
            other == key and self.section(n) == section and not is_value(self.definitions[n].right)
            for n, other in enumerate(self.keys)
        )

    def is_read(self, key: Key) -> bool:
        """Whether another definition reads a symbol."""
        others = (d for d, own in zip(self.definitions, self.keys, strict=True) if own != key)
        return any(symbols.identify(s, self.letters)[0] == key for d in others for s in symbols.symbols(d.right))

    def updates_itself(self, number: int) -> bool:
        """Whether something without the index is made from itself, as in W = W - eta G."""
        right = self.definitions[number].right
        return any(symbols.identify(s, self.letters)[0] == self.keys[number] for s in symbols.symbols(right))

    def is_training(self, number: int) -> bool:
        """Whether a definition stands under a heading that speaks of training: an optimiser is a recurrence, and no cell."""
        return len(self.places) > 1 and _TRAINING.search(self.title(number)) is not None

    def title(self, number: int) -> str:
        """The heading above a definition."""
        place = self.section(number)
        return self.document.headings[place - 1].title if place else ""

    def is_exercise(self, number: int) -> bool:
        """Whether a definition stands under a heading of exercises or data, and others do not."""
        titles = [self.title(other) for other in range(len(self.definitions))]
        return _TEACHING.search(titles[number]) is not None and not all(map(_TEACHING.search, titles))

    def is_error_signal(self, number: int) -> bool:
        """Whether a definition is of a delta by other deltas, and only deltas read it, in a document with derivatives."""
        key = self.keys[number]
        if key.base != "delta" or self.definitions[number].argument is not None or not _DERIVED.search(self.document.page.text):
            return False
        read = {symbols.identify(s, self.letters)[0] for s in symbols.symbols(self.definitions[number].right)}
        if key in read or not any(other.base == "delta" for other in read):
            return False
        others = (d for d, own in zip(self.definitions, self.keys, strict=True) if own.base != "delta")
        return not any(symbols.identify(s, self.letters)[0] == key for d in others for s in symbols.symbols(d.right))

    def runs_backwards(self, number: int) -> bool:
        """Whether a definition reads its own symbol at a later step, as gradients do: g_{t-1} = U^T g_t."""
        mine, shift = symbols.identify(self.definitions[number].target, self.letters)
        read = [symbols.identify(symbol, self.letters) for symbol in symbols.symbols(self.definitions[number].right)]
        steps = [other for key, other in read if key == mine and other is not None]
        return shift is not None and bool(steps) and min(steps) > shift

    def comes_of_itself(self, number: int) -> bool:
        """Whether a definition reads its own symbol, and nothing with the index that another one defines."""
        read = {symbols.identify(symbol, self.letters)[0] for symbol in symbols.symbols(self.definitions[number].right)}
        return all(key == self.keys[number] or not key.index or key not in self.keys for key in read)

    def words_for(self, number: int) -> re.Pattern[str] | None:
        """The words that make a definition a remark: of a parameter, or of an input as what the cell makes itself."""
        key, definition = self.keys[number], self.definitions[number]
        if definition.argument is not None:
            return _FOR_FUNCTIONS if not definition.printed.display else None
        if key.index:
            fed = isinstance(definition.right, Symbol) or (
                (self.is_read(key) or not definition.printed.display) and self.comes_of_itself(number)
            )
            return _FOR_INPUTS if key.base.lower() in _INPUTS and fed else None
        carries = any(symbols.identify(s, self.letters)[0].index for s in symbols.symbols(definition.right))
        return None if carries else _FOR_PARAMETERS

    def contradictions(self, reasons: dict[int, str]) -> dict[int, str]:
        """Of definitions of one symbol in one section that say different things: those that are remarks."""
        found: dict[int, str] = {}
        for later in range(len(self.definitions)):
            for earlier in range(later):
                pair = (earlier, later)
                if self.keys[earlier] != self.keys[later] or any(n in reasons or n in found for n in pair):
                    continue
                one, other = (self.definitions[n] for n in pair)
                if one.printed.formula == other.printed.formula or self.section(earlier) != self.section(later):
                    continue
                if models.same(one, other, self.definitions, self.letters):
                    continue
                if self.reads_itself(later):
                    if one.printed.display and (not other.printed.display or self.cued(other, _ANY)):
                        found[later] = BESIDE
                    continue
                displays = [n for n in pair if self.definitions[n].printed.display]
                if len(displays) == 1:
                    found[later if displays == [earlier] else earlier] = BESIDE
                elif len(cued := [n for n in pair if self.cued(self.definitions[n], _ANY)]) == 1:
                    found[cued[0]] = REMARK
        return found

    def reads_itself(self, number: int) -> bool:
        """Whether a definition goes on from what the same symbol was before it, as in l_t = l_t + b."""
        definition = self.definitions[number]
        mine = symbols.identify(definition.target, self.letters)
        return any(symbols.identify(s, self.letters) == mine for s in symbols.symbols(definition.right))

    def section(self, number: int) -> int:
        return bisect_right(self.places, self.definitions[number].printed.offset)

    def cued(self, definition: Definition, words: re.Pattern[str]) -> bool:
        """Whether the words before a formula, in its sentence, make it a remark."""
        return words.search(_before(self.document, definition.printed)) is not None

    def cued_behind(self, definition: Definition) -> bool:
        """Whether the words behind a formula in the text, in its sentence, make it a remark."""
        if definition.printed.display:
            return False
        starts = [formula.excerpt.place(0) for formula in self.document.formulas]
        number = bisect_right(starts, definition.printed.offset) - 1
        if number < 0:
            return False
        end = starts[number] + len(self.document.formulas[number].excerpt.text)
        stop = starts[number + 1] if number + 1 < len(starts) else len(self.document.prose)
        return _BEHIND.search(prose.sentence(self.document.prose, end, stop, last=False)) is not None


def is_remark(document: Document, printed: Printed) -> bool:
    """Whether the words before what gives a parameter by others, in its sentence, make it a remark; or it gives numbers."""
    right = re.sub(r"\\(?:begin|end)\s*\{[A-Za-z]*(?:matrix|array)\*?\}(?:\{[^{}]*\})?", "", printed.tex.partition("=")[2])
    own = re.escape(printed.tex.partition("=")[0].strip())
    right = (
        right if "matrix" in printed.tex else re.sub(rf"{own}_\{{?\w\}}?|\\[lc]?dots", "", right)
    )  # a list of the vector's own entries
    return not re.search(r"[A-Za-z]", right) or _FOR_PARAMETERS.search(_before(document, printed)) is not None


def is_supposed(document: Document, printed: Printed) -> bool:
    """Whether the words before a function's body, in its sentence, make it a remark."""
    return not printed.display and _FOR_FUNCTIONS.search(_before(document, printed)) is not None


def _before(document: Document, printed: Printed) -> str:
    """The sentence before a formula, from the last display on."""
    starts = [formula.excerpt.place(0) for formula in document.formulas]
    number = bisect_right(starts, printed.offset) - 1
    if number < 0:
        return ""  # a text that is all equations
    ends = (f.excerpt.place(len(f.excerpt.text)) for f in document.formulas[:number] if f.display)
    display = max(ends, default=0)
    text = document.prose[display : starts[number]].rstrip().rstrip("$`\\[(").rstrip()
    return prose.sentence(document.prose, display, display + len(text), last=True)[-300:]


def _is_same_letter(argument: Symbol, right: Any) -> bool:
    """Whether a function is said to give its argument in another font, \\phi(x_t) = \\mathbf{x}_t: no identity."""
    return isinstance(right, Symbol) and right.base == argument.base and right.tex != argument.tex


def is_value(node: Any) -> bool:
    """Whether a right side is a number or an identity: a remark on a value, such as h_0 = 0 or U = I."""
    if isinstance(node, Group):
        return is_value(node.inner)
    if isinstance(node, Symbol):
        return node.base == "I" and not node.scripts
    if isinstance(node, Quotient):
        return is_value(node.over) and is_value(node.under)
    if isinstance(node, Sum):
        return all(is_value(term) for _, term in node.terms)
    return isinstance(node, Number) or (isinstance(node, Product) and all(map(is_value, node.factors)))


def is_application(node: Any) -> bool:
    """Whether a tree is an unnamed function applied to a bracket, and no more."""
    if not isinstance(node, Product) or node.sign or len(node.factors) != 2:
        return False
    function, argument = node.factors
    return isinstance(function, Symbol) and not symbols.is_named_function(function) and isinstance(argument, Group | Column)


def is_sketch(definition: Definition, mine: Any, keys: Sequence[Any], letters: frozenset[str]) -> bool:
    """Whether the right side is one unnamed function of plain symbols and no more, but for h_t = f(a_t) of a defined a_t."""
    right = definition.right
    if not is_application(right):
        return False
    argument: Any = right.factors[1]  # type: ignore[attr-defined]  # an application has two factors
    parts = argument.items if isinstance(argument, Column) else (argument.inner,)
    if argument.bracket != "(" or not all(isinstance(part, Symbol) for part in parts):
        return False
    read = symbols.identify(parts[0], letters)[0] if isinstance(parts[0], Symbol) else None
    return len(parts) > 1 or read == mine or read not in keys


def is_one_step_of(key: Any, other: Any) -> bool:
    """Whether a symbol is another one with a number, or a capital letter, where that has its index."""
    if key.base != other.base or not other.index or key == other:
        return False
    labels, others = [*key.below, *key.above], [*other.below, *other.above]
    left = [label for label in labels if label not in others]
    return len(left) == 1 == len(labels) - len(others) and (left[0].isdigit() or left[0] in ("T", "L", "N", "K"))
