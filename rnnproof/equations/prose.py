"""What a document's sentences say about its symbols: "the scalar $\\beta$", "$x_t$ is the input", "the activation $\\phi$".

A word counts for a symbol where both stand in one sentence with no other formula between them. Words of six languages.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from rnnproof.equations import signs, symbols
from rnnproof.equations.containers import Document
from rnnproof.equations.source import Printed, clean
from rnnproof.equations.syntax import parse_symbols
from rnnproof.equations.syntax_tree import Fault, Symbol
from rnnproof.errors import UsageError

SCALAR, VECTOR, MATRIX, INPUT, PARAMETER, FUNCTION, ACTIVATION = (
    *("scalar", "vector", "matrix", "input", "parameter", "function", "activation"),
)
DECLARABLE = (SCALAR, VECTOR, MATRIX, INPUT, PARAMETER, FUNCTION, ACTIVATION)
RATE, RANGE, DIAGONAL, POWER, TRANSPOSE, TIED, CONSTRAINED = (
    "rate",
    "range",
    "diagonal",
    "power",
    "transpose",
    "tied",
    "constrained",
)  # a rate is a scalar where nothing else is said
IS = {name: f"is {name}" for name in ("sigmoid", "tanh", "relu", "softmax")}
IS_ANOTHER, OTHER_BODY, NO_SCALAR = "is another function", "printed otherwise", "no scalar"

_WORDS = {
    SCALAR: r"scalars?|real numbers?|numbers? of|标量|純量|スカラー?|스칼라|escalar(?:es)?|скаляр\w*|skalare?|scalaires?",
    RATE: r"(?:time|decay|leak(?:y|age|ing)?|damping|mixing|learning|sampling) (?:constant|rate|factor|coefficient)s?|gains?"
    r"|hyper-?parameters?|step size|time step size|超参数|ハイパーパラメータ|hiperparámetros?|гиперпараметр\w*",
    VECTOR: r"vectors?|vektor(?:en)?|vecteurs?|vetor(?:es)?"
    r"|(?:per|for each|for every|of each|of unit|one per) (?:hidden )?(?:unit|neuron|channel"
    r"|dimension|feature|component)s?|ユニットごと|每个(?:神经元|单元|通道|维度)|向量|ベクトル|벡터|vector(?:es)?|вектор\w*",
    MATRIX: r"matri(?:x|ces|zen)|matrices?|矩阵|矩陣|行列|행렬|matri(?:z|ces)|матриц\w*",
    DIAGONAL: r"diagonal(?:e|matrix)?|对角|對角|対角|대각|диагональн\w*",
    INPUT: r"(?:external |current |network |token |word )?inputs?(?: (?:vectors?|sequences?|signals?|features?|data|token|at))?"
    r"|输入(?:向量|序列|数据)?|輸入(?:向量)?|入力(?:ベクトル|系列|信号)?|입력(?: ?벡터)?|entradas?"
    r"|вход(?:ной|ные|ы|ом)?(?: (?:вектор|сигнал))?|driving signals?|eingabe\w*|eingang\w*|entrées?",
    IS["sigmoid"]: r"sigmoid\w*|logistic|сигмоид\w*|логистическ\w*|シグモイド|시그모이드|sigmoide|logística",
    IS[
        "tanh"
    ]: r"hyperbolic tangent|tanh|гиперболическ\w+ тангенс|双曲正切|雙曲正切|双曲線正接|쌍곡 ?탄젠트|tangente hiperbólica"
    r"|tangens hyperbolicus|tangente hyperbolique|하이퍼볼릭 ?탄젠트",
    IS["relu"]: r"relu|rectifie[rd]\w*|rectified linear(?: unit)?|整流\w*",
    IS["softmax"]: r"softmax",
    IS_ANOTHER: r"\b(?:s|p)?elu|rrelu|gelu|swish|silu|mish|softplus|softsign|heaviside"
    r"|(?:step|sign) function|identity|rational"
    r"|(?:hard|leaky|scaled|re-?scaled|log|parametric|modified|shifted|clipped|bounded|noisy|steep|piecewise)[- ]\w+",
    ACTIVATION: r"aktivierungsfunktion|fonction d.activation"
    r"|(?:activation|transfer|squashing|non-?linear)(?: functions?)?|activations?|non-?linearit(?:y|ies)"
    r"|激活函数|激活函數|非线性(?:函数)?|活性化関数|非線形(?:関数)?|활성화 ?함수"
    r"|funci[oó]n(?:es)? de activaci[oó]n|activaci[oó]n|функци\w* активации|нелинейност\w*",
    PARAMETER: r"parameters?|参数|參數|パラメータ|매개변수|parámetros?|параметр\w*",
    FUNCTION: r"functions?|maps?|mappings?|함수|funci[oó]n(?:es)?|функци\w*|関数|函数|函數",
    POWER: r"powers?|степень|次方|乗|거듭제곱|potencia",
    TIED: r"the transpose of|转置矩阵为",
    CONSTRAINED: r"(?:skew-?|anti-?)?symmetric|(?:upper|lower)[- ]triangular|triangular|circulant"
    r"|tridiagonal|block[- ]diagonal|orthogonal"
    r"|unitary|fixed to the identity|low[- ]rank|non-?negative"
    r"|对称|正交|直交|対称|симметричн\w*|ортогональн\w*|orthogonale?|symmetrische?",
    TRANSPOSE: r"transpos\w+|adjoint|转置|轉置|転置|전치|traspuest\w*|транспонир\w*",
}
_NOT = {
    INPUT: r"gates?|weights?|matri\w+|门|閘|ゲート|게이트|puertas?|compuertas?|вентил\w*|гейт\w*|фильтр\w*"
    r"|size|dimension|output"
    r"|权重|重み|가중치|pesos?|вес\w*|modulation|node|layer|block",
}
_SIGN = re.compile(r"[.!?;](?=\s|\Z)|[。；！？]|\n[ \t]*\n|\n[ \t]*(?:[-*+]|\d+[.)])[ ]")
_AND = r"(?:and|or|with|y|e|o|und|oder|и|или|а|et|ou|및|과|와|と|和|与|及)"
DERIVATIVES = re.compile(
    r"derivative|differential equation|continuous[- ]time|连续时间|連続時間"
    r"|\\frac\s*\{\s*(?:\\mathrm\s*\{?d\}?|d)\s*\w+(?:\(t\))?\s*\}"
    r"\s*\{\s*(?:\\mathrm\s*\{?d\}?|d)\s*t\s*\}|\bODEs?\b|d\s*\\?\w+\s*/\s*d\s*t\b|dérivée|ableitung|производн|дифференц|derivada"
    r"|导数|導数|微分|미분|도함수",
    re.IGNORECASE,
)
# A sentence that supposes, asks or tells of something else than the cell: what it says of a symbol does not hold.
_HYPOTHETICAL = re.compile(
    r"\b(?:assum\w+|suppos\w+|if|what happens|warm-?up|for simplicity|special case|toy|exercise|one unit|single unit|1-?d\b"
    r"|batch size|weight decay|learning rate|regulari\w+|penalt\w+|early work"
    r"|originally|historically|formerly|noise|variance|optimi[sz]er\w*|replac\w+|instead|gradient)\b"
    r"|[?？]|如果|假设|若|换成|もし|仮定|만약|если|предполож|\bsi\b|supon",
    re.IGNORECASE,
)
# "the sigmoid in the first layer and tanh in the others": two functions under one name
_TWO_USES = re.compile(
    r"\b(?:in|for|within)\b[^.;]*?\b(?:and|but|,)\s+(?:an? |the )?"
    r"(?:sigmoid|tanh|hyperbolic tangent|relu|softmax|identity|linear)\b"
    r"\s+(?:in|for|within|elsewhere|otherwise)\b",
    re.IGNORECASE,
)
_FOR_A = re.compile(r"\b(?:for|given) an?\b|für ein|pour un", re.IGNORECASE)
_OF = re.compile(r"\b(?:of|in|for|by|per|each|every|von|für|de|du|del|для)\s*\Z", re.IGNORECASE)
_APPOSITION = re.compile(r",\s+(?:an?|the|una?|el|la|eine?)\s", re.IGNORECASE)
_CLAUSE_ENDS = re.compile(rf"\s*(?:[.,;:)]|\Z|{_AND}\b|between\b|in\b)", re.IGNORECASE)
# A word between a symbol and what is said of it that makes it said of something else.
_ELSEWHERE = r"(?:by|of|for|in|with|to|from|on|at|when|if|that|which|than|per|de|con|para|por|für|von|mit|для|при|от)"
_NOT_SO = re.compile(
    r"\b(?:not|no longer|never|neither|isn't|aren't|nicht|keine?|no es|no son|не)\b|不是|并非|並非|不再|非(?=标量|標量)|无需",
    re.IGNORECASE,
)
_BUT = re.compile(r"\b(?:but|sondern|sino|а)\b|而是", re.IGNORECASE)
_NOT_AFTER = re.compile(r"\A.{0,12}?(?:ではな|でな|じゃな|しない|せず|가 아니|이 아니|는 아니|은 아니|지 않)")
_EXAMPLE = re.compile(
    r"\b(?:such as|like|e\.g|for example|for instance|usually|typically|often|commonly|either|or|some|any|say|например"
    r"|обычно|или|por ejemplo|como|suele|u|o)\b|例如|比如|通常|常|如|或|可以|例えば|など|または|や|예를|보통|또는|같은",
    re.IGNORECASE,
)
_LIST = re.compile(rf"\s*(?:(?:,|、|，|&|/|{_AND})\s*)+", re.IGNORECASE)
_WORD = r"[^\W\d_]+"


@dataclass(frozen=True)
class Remark:
    """What the sentence around a formula says about its symbols; that they stand alone in it, if nothing else."""

    symbols: tuple[Symbol, ...]
    said: frozenset[str]
    place: int


def remarks(document: Document, printed: Sequence[Printed]) -> list[Remark]:
    """Everything the prose says about symbols that stand in it by themselves; what is said of a list is said of each."""
    spans = [(formula.excerpt.place(0), formula.excerpt.place(len(formula.excerpt.text))) for formula in document.formulas]
    alone = sorted((e.offset, e) for e in printed if not e.is_relation and not e.display)
    offsets = [offset for offset, _ in alone]
    spoken_of = []
    for start, stop in spans:
        inside = alone[bisect_left(offsets, start) : bisect_left(offsets, stop)]
        spoken_of.append([symbol for _, equation in inside for symbol in _bare(equation)])
    for number, formula in enumerate(document.formulas):
        spoken_of[number] = spoken_of[number] or list(_ranged(formula.excerpt.text))
    found = []
    for formula, (_, stop) in zip(document.formulas, spans, strict=True):
        if vectors := _vectors(formula.excerpt.text):
            found.append(Remark(vectors, frozenset({VECTOR}), stop))
        if spoken := _ranged(formula.excerpt.text):
            entries = signs.ELEMENTWISE.search(document.prose[stop : stop + 40])
            found.append(Remark(spoken, frozenset({VECTOR} if entries else {RANGE}), stop))
    number = 0
    while number < len(spans):
        last = number
        while (
            spoken_of[number]
            and last + 1 < len(spans)
            and spoken_of[last + 1]
            and _listed(document.prose[spans[last][1] : spans[last + 1][0]])
        ):
            last += 1
        if spoken_of[number]:
            before = sentence(document.prose, spans[number - 1][1] if number else 0, spans[number][0], last=True)
            end = spans[last + 1][0] if last + 1 < len(spans) else len(document.prose)
            behind = sentence(document.prose, spans[last][1], end, last=False)
            said = _said(before[-60:], behind[:80])
            if last + 1 < len(spans) and _COPULA.fullmatch(document.prose[spans[last][1] : spans[last + 1][0]]):
                said |= _named(document.formulas[last + 1].excerpt.text)
            every = tuple(symbol for group in spoken_of[number : last + 1] for symbol in group)
            names = _functions(f"{before[-60:]} {behind}") if len(every) > 1 else []
            if len(set(names)) > 1 or (len(every) > 1 and _RESPECTIVELY.search(f"{before} {behind}")):
                names = names if len(names) == len(every) else [IS_ANOTHER] * bool(names) * len(every)
                found += [Remark((s,), frozenset({n}), spans[number][0]) for s, n in zip(every, names, strict=False)]
            else:
                found.append(Remark(every, frozenset(said), spans[number][0]))
        number = last + 1
    return found


_RESPECTIVELY = re.compile(
    r"\brespectively\b|\bresp\.|\bbzw\.?|\bbeziehungsweise\b|\brespectivement\b|\brespectivamente\b|соответственно|分别|分別|それぞれ|각각",
    re.IGNORECASE,
)


def _functions(text: str) -> list[str]:
    """The functions that a sentence names, in order, as in "a and b are the sigmoid and tanh": one each where as many."""
    functions = [*IS.values(), IS_ANOTHER]
    pattern = "|".join(f"(?P<n{n}>{_WORDS[what]})" for n, what in enumerate(functions))
    names = [functions[int(str(match.lastgroup)[1:])] for match in re.finditer(pattern, text, re.IGNORECASE)]
    return [name for n, name in enumerate(names) if n == 0 or name != names[n - 1]]  # "the logistic sigmoid" is one


_LEAST = r"(?:\\leq?(?:slant)?(?![A-Za-z])|\\lt(?![A-Za-z])|<|≤|⩽)"
_MOST = r"(?:\\geq?(?:slant)?(?![A-Za-z])|\\gt(?![A-Za-z])|>|≥|⩾)"
_NUMBER = r"-?(?:\d[\d.]*|\\infty)"
_BETWEEN = re.compile(
    rf"{_NUMBER}\s*{_LEAST}\s*(?P<inner>[^<=>]{{1,60}}?)\s*{_LEAST}\s*{_NUMBER}"
    rf"|\A\s*(?P<within>[^<=>\[(]{{1,60}}?)\s*(?:\\in(?![A-Za-z])|∈)\s*\\?[\[(\]]\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\\?[\])\[]\s*\Z"
    rf"|\A\s*(?P<beyond>[^<=>]{{1,40}}?)\s*(?:{_LEAST}|{_MOST})\s*{_NUMBER}\s*\Z"
)


_IN_A_CUBE = re.compile(
    rf"\A\s*(?P<what>[^<>=]{{1,60}}?)\s*(?:\\in(?![A-Za-z])|∈)\s*\\?[\[(\]]\s*{_NUMBER}\s*,\s*{_NUMBER}\s*\\?[\])\[]\s*\^"
)
_ENTRY_OF = re.compile(r"\A\s*(?P<what>\\[a-z]+|[a-z])_\{?[ijk]\}?\s*(?:\\in(?![A-Za-z])|∈)\s*\\?[\[(]")
_LISTED = re.compile(r"\A\s*(?P<what>[^<>=]{1,30}?)\s*=\s*[(\[]\s*(?P=what)_\{?1\}?\s*,\s*\\?[a-z.…]*dots?")


def _vectors(formula: str) -> tuple[Symbol, ...]:
    """The symbols that a formula says are vectors: \\mu \\in (0, 1)^n, \\mu = (\\mu_1, ..., \\mu_n), \\mu_i \\in (0, 1)."""
    patterns = (_IN_A_CUBE, _LISTED, _ENTRY_OF)
    match = next(filter(None, (p.search(formula) for p in patterns)), None) if len(formula) < 200 else None
    try:
        return tuple(parse_symbols(clean(match["what"]))) if match else ()
    except Fault:
        return ()


def _ranged(formula: str) -> tuple[Symbol, ...]:
    """The plain symbols that a range of numbers makes scalars, such as 0 < \\alpha \\le 1."""
    match = _BETWEEN.search(formula) if len(formula) < 200 else None
    if match is None:
        return ()
    try:
        found = parse_symbols(clean(match["inner"] or match["within"] or match["beyond"]))
    except Fault:
        return ()
    return tuple(symbol for symbol in found if not symbol.scripts)


_COPULA = re.compile(
    r"[\s$`\\()|]*(?:is|=|:|denotes|stands for|means|is the|为|是|は|est|ist|es|—|–)[\s$`\\()|]*", re.IGNORECASE
)


def _named(formula: str) -> set[str]:
    """What a formula that is the name of a function says the symbol before it is."""
    name = re.sub(r"[\\{}\s]|operatorname|mathrm|text", "", formula).lower()
    return {IS[name]} if name in IS else {IS_ANOTHER} if name in ("elu", "selu", "gelu", "softplus", "id") else set()


def _listed(between: str) -> bool:
    """Whether two formulas belong to one list, as in "$a$, $b$ and $c$"."""
    return _LIST.fullmatch(re.sub(r"\\?[$`]+|\\[()]", "", between)) is not None


def declared(text: str) -> tuple[str, str]:
    """What a person declares, such as "beta: scalar" or "W_{xh}: matrix": a symbol's name, and one of DECLARABLE.

    Raises UsageError for anything else.
    """
    printed, colon, what = text.rpartition(":")
    what = what.strip().lower()
    message = f"cannot read the declaration {text!r}; write one such as 'beta: scalar' ({', '.join(DECLARABLE)})"
    if not colon or what not in DECLARABLE:
        raise UsageError(message)
    if re.fullmatch(r"[A-Za-z]\w*", printed.strip()):
        return printed.strip(), what
    try:
        found = parse_symbols(printed)
    except Fault:
        found = []
    if len(found) != 1:
        raise UsageError(message)
    return symbols.identify(found[0], "t")[0].name, what


def _bare(equation: Printed) -> list[Symbol]:
    """The symbols of a list such as `\\alpha, \\beta`, or nothing where the formula is more than that."""
    try:
        return parse_symbols(re.sub(r"\(\s*(?:\\cdot|\\bullet|\.|·|[xzu])\s*\)\s*\Z", "", equation.tex))
    except Fault:
        return []


def sentence(prose: str, start: int, stop: int, last: bool) -> str:
    """The text between two formulas that belongs to the one sentence."""
    text = re.sub(
        r"\\?[$`]+|\\[()\[\]]|[*_#>]|</?\w+[^<>]*>",
        " ",
        prose[max(start, stop - 400) if last else start : stop if last else min(stop, start + 400)],
    )
    ends = list(_SIGN.finditer(text))
    if not ends:
        return text
    return text[ends[-1].end() :] if last else text[: ends[0].start()]


def _said(before: str, behind: str) -> set[str]:
    """What the words next to a formula say it is: few words off, within the clause, and not denied."""
    said: set[str] = set()
    if _HYPOTHETICAL.search(f"{before} {behind}"):
        return said
    behind = "" if _OF.search(before) else behind
    if _TWO_USES.search(behind):
        return {IS_ANOTHER}
    near = rf"(?:(?!(?:{_AND}|{_ELSEWHERE})\b){_WORD}(?:[ \t\n|-]+|,\s+(?=(?:an?|the|una?|el|la|eine?)\s)))"
    far = r"[^\W\d_a-zA-Zа-яА-ЯёЁáéíóúñü]{0,12}?"  # of scripts that set no spaces between words
    for what, words in _WORDS.items():
        pattern = rf"(?<![a-zA-Zа-яё])(?:{words})(?![a-zA-Zа-яё])"
        rules = (
            (before, rf"{pattern}[ \t\n]*{near}{{0,2}}[ \t\n]*\Z"),
            (behind, rf"\A[\s,、，:：|—–-]*(?:to be\s+)?(?:{far}|{near}{{0,6}}?){pattern}"),
        )
        for text, rule in rules[1:] if what == TIED else rules:
            match = re.search(rule, text, re.IGNORECASE)
            if match is None:
                continue
            excluded = _NOT.get(what)
            if excluded and re.search(excluded, text[match.start() : match.end() + 12], re.IGNORECASE):
                continue
            if _APPOSITION.search(match[0].lstrip(" ,、，:：—–-\n\t")) and not _CLAUSE_ENDS.match(text, match.end()):
                continue
            lead = text[: match.start()] if text is before else ""
            if _FOR_A.search(lead[-12:]):
                continue  # "for a scalar U see ..." supposes
            if _denied(lead[-24:] + match[0], text[match.end() :]):
                said |= {IS["sigmoid"]: {IS_ANOTHER}, SCALAR: {NO_SCALAR}}.get(what, set())
            elif what not in IS.values() or not _EXAMPLE.search(lead[-24:] + text[match.start() : match.end() + 24]):
                said.add(what)
    return said


def _denied(text: str, after: str) -> bool:
    """Whether a word is denied: "not a scalar", and no "but" in between."""
    denials = list(_NOT_SO.finditer(text))
    return bool(_NOT_AFTER.match(after)) or (bool(denials) and not _BUT.search(text, denials[-1].end()))
