"""Who is a state, an intermediate, the input, a parameter: from where each symbol is defined and at which step it is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rnnproof.equations.resolver import Resolver
from rnnproof.equations.symbols import children
from rnnproof.equations.syntax_tree import Column, Fault, Product, Sum
from rnnproof.equations.system import Call, Quantity, Ref, Statement
from rnnproof.equations.type_inference import KIND_RULES, MATRIX, VECTOR, Kinds


@dataclass(frozen=True)
class RoleRule:
    """What makes a symbol what it is: the pattern, the role, and an equation in which `symbol` has it."""

    pattern: str
    role: str
    example: str
    symbol: str


STATE, INPUT, STEP, PARAMETER, PER_STEP = "state", "input", "value on the way", "parameter", "parameter of each step"
ROLE_RULES = (
    RoleRule("defined, and read at the step before", STATE, r"h_t = \tanh(W x_t + R h_{t-1})", "h"),
    RoleRule("defined, and read within the step", STEP, r"a_t = W x_t + R h_{t-1}, h_t = \tanh(a_t)", "a"),
    RoleRule("with the index, never defined, and a matrix multiplies it", INPUT, r"h_t = \tanh(W v_t + R h_{t-1})", "v"),
    RoleRule("with the index, never defined, and called x or u", INPUT, r"h_t = x_t + m \odot h_{t-1}", "x"),
    RoleRule(
        "the only vector with the index that is never defined, and a term of a sum", INPUT, r"h_t = \alpha h_{t-1} + q_t", "q"
    ),
    RoleRule("a matrix with the index, never defined", PER_STEP, r"h_{l+1} = \tanh(W_l h_l)", "W"),
    RoleRule("a vector with the index, never defined, beside such a matrix", PER_STEP, r"h_{l+1} = \tanh(W_l h_l + b_l)", "b"),
    RoleRule("never defined, without the index", PARAMETER, r"h_t = \tanh(W x_t + R h_{t-1} + b)", "b"),
)
_NAMES = ("x", "u")
_TIME = ("t", "tau", "n")


@dataclass(frozen=True)
class Roles:
    """The undefined quantities of a system, sorted: inputs and parameters, which may be one for each step."""

    inputs: tuple[Quantity, ...]
    parameters: tuple[Quantity, ...]


def fault_at(quantity: Quantity, message: str, shift: int | None = None) -> Fault:
    """A Fault at the quantity's first sight, or at its first sight with that shift."""
    at, source = quantity.at, quantity.source
    if shift is not None and shift in quantity.shifts:
        at, _, source = quantity.shifts[shift]
    fault = Fault(at, message)
    fault.source = source
    return fault


def is_state(quantity: Quantity) -> bool:
    """Whether it is defined and also read at the step before."""
    return quantity.defined and any(shift == (quantity.defined_at or 0) - 1 for shift in quantity.shifts)


def check_steps(resolver: Resolver, letter: str) -> None:
    """Raise Fault for a read two steps back or ahead, a state without update, an input read at two steps."""
    quantities = list(resolver.quantities.values())
    for quantity in (q for q in quantities if q.defined and q.defined_at is not None):
        now = quantity.defined_at or 0
        for shift, (_, printed, _) in quantity.shifts.items():
            if shift < now - 1:
                message = f"{printed} lies {now - shift} steps back; carry it in a state of its own, one step at a time"
                raise fault_at(quantity, message, shift)
            if shift > now:
                raise fault_at(
                    quantity, f"{printed} lies ahead of {quantity.tex}, which is defined here; shift the equations", shift
                )
    updated = [q.defined_at or 0 for q in quantities if is_state(q)]
    step = max(updated or [q.defined_at or 0 for q in quantities if q.defined and q.carries_index], default=0)
    for quantity in (q for q in quantities if not q.defined and q.carries_index):
        shifts = set(quantity.shifts)
        allowed = {step - 1, step} if step > 0 else {step}
        late, early = max(shifts - allowed, default=None), min(shifts - allowed, default=None)
        if shifts <= allowed and len(shifts) == 1:
            continue
        if max(shifts) < step:
            printed = quantity.shifts[max(shifts)][1]
            message = (
                f"state {quantity.name} has no update; add an equation that defines {quantity.name} at the next step, "
                f"or say in the text that ${printed}$ is an input"
            )
            raise fault_at(quantity, message, max(shifts))
        if late is not None and late > step:
            raise fault_at(quantity, f"{quantity.shifts[late][1]} is read before its step; shift the index", late)
        early = min(shifts) if early is None else early
        printed = quantity.shifts[early][1]
        raise fault_at(quantity, f"{printed} is an earlier {quantity.name}; carry it in a state of its own", early)
    if not updated:
        message = f"no state: nothing that is defined is also read at the step before; write one equation with {letter}-1"
        raise fault_at(next((q for q in quantities if q.carries_index), quantities[0]), message)


def sort(resolver: Resolver, statements: Sequence[Statement], kinds: Kinds) -> Roles:
    """Inputs and parameters among what is never defined. Raises Fault for what has the index, no equation, and no such use."""
    free = [q for q in resolver.quantities.values() if not q.defined]
    carriers = [q for q in free if q.carries_index]
    vectors = [q for q in carriers if q.kind == VECTOR]
    used = {q for s in statements for q in _multiplied(s.right, kinds)}
    layered = any(q.kind == MATRIX for q in carriers) or any(f.carries_index for f in resolver.functions.values())
    inputs: list[Quantity] = []
    for quantity in (q for q in carriers if q.kind != MATRIX):
        said = resolver.said.get(quantity.key, ())
        near = _nearest(quantity, resolver)
        if "parameter" in said:
            continue
        if quantity.key.base.lower() in _NAMES or "input" in said or (quantity in used and near is None):
            if quantity.kind != VECTOR:
                raise fault_at(quantity, f"the input {quantity.tex} is a {quantity.kind}; inputs are vectors")
            inputs.append(quantity)
        elif layered and quantity.kind == VECTOR and near is None:
            continue
        elif vectors == [quantity] and near is None and any(_adds(s.right, quantity) for s in statements):
            inputs.append(quantity)
        else:
            raise fault_at(quantity, _unexplained(quantity, near or _closest(quantity, resolver)))
    for quantity in (q for q in carriers if q.kind == MATRIX):
        timed = any(letter in _TIME for letter in quantity.key.index)
        if inputs and timed and "parameter" not in resolver.said.get(quantity.key, ()):
            raise fault_at(quantity, _unexplained(quantity, _closest(quantity, resolver)))
    return Roles(tuple(inputs), tuple(q for q in free if q not in inputs))


def _unexplained(quantity: Quantity, near: Quantity | None) -> str:
    if re.search(r"\^\{?t\b", quantity.tex):
        return f"{quantity.tex} may be a power or a transpose; write W^\\top for one, and print the step below: x_t"
    meant = f" (did you mean {near.tex}?)" if near is not None else ""
    return (
        f"{quantity.tex} has no equation{meant}, and is not used as an input is; print its equation, "
        f"or say in the text that ${quantity.tex}$ is an input"
    )


_ACCENTS = ("tilde", "hat", "bar", "dot", "vec", "check", "breve", "ddot", "underline")


def _nearest(quantity: Quantity, resolver: Resolver) -> Quantity | None:
    """A defined quantity of the same letter, with the same labels, but for an accent or a capital."""
    mine = _plain(quantity.key.base)
    for other in resolver.quantities.values():
        labels = (other.key.below, other.key.above) == (quantity.key.below, quantity.key.above)
        if other.defined and labels and _plain(other.key.base) == mine:
            return other
    return None


def _closest(quantity: Quantity, resolver: Resolver) -> Quantity | None:
    """The defined quantity whose name is most like it, if any is."""
    names = {q.name: q for q in resolver.quantities.values() if q.defined}
    close = difflib.get_close_matches(quantity.name, names, n=1, cutoff=0.5)
    return names[close[0]] if close else None


def _plain(base: str) -> str:
    for accent in _ACCENTS:
        base = base.removesuffix(accent) or base
    return base.lower()


def check_typos(resolver: Resolver, letter: str) -> None:
    """Raise Fault for a label that holds the step: h_{t-k}, x_{2t}, x_{T-t}, and h_{t_1} where h_t is defined."""
    for quantity in resolver.quantities.values():
        for label in (*quantity.key.below, *quantity.key.above):
            pieces = re.split("minus|plus", label)
            if (len(pieces) > 1 and letter in pieces) or re.fullmatch(rf"\d+{letter}|.*(?:minus|plus)\d*{letter}", label):
                message = f"{quantity.tex} is read at another step than {letter} and {letter}-1, or depends on it otherwise"
                raise fault_at(quantity, f"{message}; carry it in a state of its own, one step at a time")
    defined = {q.key for q in resolver.quantities.values() if q.defined and q.key.index}
    for quantity in (q for q in resolver.quantities.values() if not q.defined and not q.key.index):
        for end in ("T", "N", "L", "0"):
            bare = replace(quantity.key, below=tuple(label for label in quantity.key.below if label != end), index=(letter,))
            if end in quantity.key.below and bare in defined:
                message = f"{quantity.tex} is one step's value of what {letter} counts; a cell reads {letter} and {letter}-1"
                raise fault_at(quantity, message)
    bases = {q.key.base for q in resolver.quantities.values() if q.defined}
    for quantity in resolver.quantities.values():
        if quantity.defined or quantity.key.base not in bases or letter in quantity.key.index:
            continue
        for label in (*quantity.key.below, *quantity.key.above):
            if re.fullmatch(rf"{letter}(?:\d|minus\d?|plus\d?)", label):
                meant = next(q for q in resolver.quantities.values() if q.defined and q.key.base == quantity.key.base)
                message = f"{quantity.tex} is no step of {meant.tex}; write the step before as an index, {letter}-1"
                raise fault_at(quantity, message)


def _adds(node: Any, quantity: Quantity) -> bool:
    """Whether a quantity is a term of a sum of the tree, not multiplied by anything."""
    if isinstance(node, Sum) and any(isinstance(term, Ref) and term.quantity is quantity for _, term in node.terms):
        return True
    return any(_adds(child, quantity) for child in children(node))


def _multiplied(node: Any, kinds: Kinds) -> Iterator[Quantity]:
    """The vectors that some product of the tree multiplies by a matrix, or some open function takes."""
    if isinstance(node, Product) and node.sign != "hadamard":
        factor_kinds = [kinds.kind(factor) for factor in node.factors]
        if MATRIX in factor_kinds:
            for factor, kind in zip(node.factors, factor_kinds, strict=True):
                if kind == VECTOR:
                    yield from _entries(factor)
    if isinstance(node, Call) and isinstance(node.function, Quantity):
        items = node.argument.items if isinstance(node.argument, Column) else (node.argument,)
        yield from (item.quantity for item in items if isinstance(item, Ref))
    for child in children(node):
        yield from _multiplied(child, kinds)


def _entries(node: Any) -> Iterator[Quantity]:
    """The vectors that enter a tree linearly: through sums, products and concatenations, not through functions."""
    if isinstance(node, Ref):
        yield node.quantity
    elif isinstance(node, Sum | Product | Column):
        for child in children(node):
            yield from _entries(child)


def ambiguous(resolver: Resolver) -> Fault | None:
    """The error for the first quantity whose kind the use does not tell."""
    for quantity in resolver.quantities.values():
        if quantity.kind is None:
            base = quantity.tex
            kinds = dict.fromkeys(row.kind for row in KIND_RULES)
            uses = "; ".join(f"{', '.join(row.pattern for row in KIND_RULES if row.kind == kind)}: {kind}" for kind in kinds)
            message = (
                f"{base} could be a scalar, a vector or a matrix; declare it in the text, "
                rf"such as ${base} \in \mathbb{{R}}$, ${base} \in \mathbb{{R}}^n$ or ${base} \in \mathbb{{R}}^{{m \times n}}$ "
                f"(told by use: {uses})"
            )
            return fault_at(quantity, message)
    return None
