"""Who is a state, an intermediate, the input, a parameter: from where each symbol is defined and at which step it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rnnproof.equations.symbols import children
from rnnproof.equations.syntax_tree import Column, Fault, Product, Sum
from rnnproof.equations.system import Quantity, Ref, Resolver, Statement
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
    RoleRule(
        "a symbol with the index, never defined, that a matrix multiplies", INPUT, r"h_t = m_t \odot h_{t-1} + W u_t", "u"
    ),
    RoleRule("the only vector with the index that is never defined", INPUT, r"h_t = \alpha h_{t-1} + q_t", "q"),
    RoleRule("the one called x or u where several have the index", INPUT, r"h_t = x_t + m_t \odot h_{t-1}", "x"),
    RoleRule("with the index, never defined, and not the input", PER_STEP, r"h_t = x_t + m_t \odot h_{t-1}", "m"),
    RoleRule("never defined, without the index", PARAMETER, r"h_t = \tanh(W x_t + R h_{t-1} + b)", "b"),
)


@dataclass(frozen=True)
class Roles:
    """The undefined quantities of a system, sorted: the input (if any) and the parameters, which may be one for each step."""

    input: Quantity | None
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
            message = f"state {quantity.name} has no update; add an equation that defines {quantity.name} at the next step"
            raise fault_at(quantity, message, max(shifts))
        if late is not None and late > step:
            raise fault_at(quantity, f"{quantity.shifts[late][1]} is read before its step; shift the index", late)
        early = min(shifts) if early is None else early
        printed = quantity.shifts[early][1]
        raise fault_at(quantity, f"{printed} is an earlier {quantity.name}; carry it in a state of its own", early)
    if not updated:
        message = f"no state: nothing that is defined is also read at the step before; write one equation with {letter}-1"
        first = next(q for q in quantities if q.carries_index)
        raise fault_at(first, message)


def sort(resolver: Resolver, statements: Sequence[Statement], kinds: Kinds) -> Roles:
    """Input and parameters among what is never defined. Raises Fault where the notation does not decide."""
    free = [q for q in resolver.quantities.values() if not q.defined]
    carriers = [q for q in free if q.carries_index]
    vectors = [q for q in carriers if q.kind == VECTOR]
    multiplied = {q for s in statements for q in _multiplied(s.right, kinds)}
    inputs = [q for q in vectors if q in multiplied]
    if not inputs and vectors:
        layered = any(q.kind == MATRIX for q in carriers) or any(f.carries_index for f in resolver.functions.values())
        named = [q for q in vectors if q.key.base.lower() in ("x", "u")]
        if not layered:
            inputs = vectors if len(vectors) == 1 else named
            if not inputs:
                listed = ", ".join(q.tex for q in vectors)
                told = ", or ".join(row.pattern for row in ROLE_RULES if row.role == INPUT)
                message = f"which of {listed} is the input? call it x, or stack them into one vector (the input is {told})"
                raise fault_at(vectors[0], message)
    if len(inputs) > 1:
        listed = ", ".join(q.tex for q in inputs)
        raise fault_at(inputs[1], f"{len(inputs)} inputs ({listed}); stack them into one vector")
    return Roles(inputs[0] if inputs else None, tuple(q for q in free if q not in inputs))


def _multiplied(node: Any, kinds: Kinds) -> Iterator[Quantity]:
    """The vectors that some product of the tree multiplies by a matrix."""
    if isinstance(node, Product) and node.sign != "hadamard":
        factor_kinds = [kinds.kind(factor) for factor in node.factors]
        if MATRIX in factor_kinds:
            for factor, kind in zip(node.factors, factor_kinds, strict=True):
                if kind == VECTOR:
                    yield from _entries(factor)
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
