"""What a state's Jacobian says about vanishing gradients, in plain words."""

from __future__ import annotations

import sympy as sp

from rnnproof.calculus.formula_tex import Printer
from rnnproof.calculus.jacobian import Jacobian
from rnnproof.calculus.terms import bound_tex, formula
from rnnproof.pages.message import Message, say


def remarks(jacobian: Jacobian) -> tuple[Message, ...]:
    """The remarks that apply to this Jacobian."""
    if not jacobian.recursion:
        return ()
    written = (_identity(jacobian), _diagonal(jacobian), _power(jacobian))
    return tuple(remark for remark in written if remark)


def _identity(jacobian: Jacobian) -> Message | None:
    if not any(term.is_identity for term in jacobian.terms):
        return None
    rest = tuple(term for term in jacobian.terms if not term.is_identity)
    j = Printer(jacobian.cell.tex)(formula(rest, jacobian.shape))
    many = f"({j})" if len(rest) > 1 else j
    return say(
        "**The identity path.** The Jacobian is {jacobian}: '1 + the original gradient'. Multiplied out over steps, "
        "{product}, one term is $I$: it hands the gradient to the earliest step unchanged, however many there are, and the "
        "other terms add to it or take away from it. This does **not** say that the gradient increases everywhere: in one "
        "dimension the factor $1 + f'$ is greater than 1 only where $f' > 0$; it vanishes where $f' = -1$, and its size is "
        "below 1 for every $f'$ in $(-2, 0)$. In more dimensions, $I + J$ is singular where $J$ has the eigenvalue $-1$.",
        jacobian=f"$I + {many}$",
        product=r"$\prod_j (I + J_j) = I + \sum_j J_j + \sum_{i > j} J_i J_j + \cdots$",
    )


def _diagonal(jacobian: Jacobian) -> Message | None:
    straight = tuple(term for term in jacobian.terms if term.diag and not term.rest)
    if not straight:
        return None
    before = tuple(term for term in jacobian.at(-1).terms if term.diag and not term.rest)
    product, earlier = (Printer(jacobian.cell.tex)(formula(terms, jacobian.shape)) for terms in (straight, before))
    wrapped = [f"({text})" if len(straight) > 1 else text for text in (product, earlier)]
    return say(
        "**The weighted path.** One term is diagonal, ${product}$: no matrix stands in it, and over steps it multiplies up to "
        "{power}. Its entries are learned and depend on the data; the gradient along it is kept where they are near 1 and "
        "fades like a power where they are below 1. It keeps a gradient; it does not enlarge it unless an entry exceeds 1.",
        product=product,
        power=rf"${wrapped[0]} {wrapped[1]} \cdots$",
    )


def _power(jacobian: Jacobian) -> Message | None:
    bound = jacobian.bound
    identity = any(term.is_identity for term in jacobian.terms)
    if bound is None or jacobian.paths or identity:
        return None
    power = f"$({bound_tex(bound)})^k$"
    matrix = jacobian.terms[0].rest[0] if len(jacobian.terms) == 1 and jacobian.terms[0].rest else None
    if matrix is None:
        return say(
            "**The bound.** Over $k$ steps the norm of the product is at most {power}, each step with its own values; where "
            "that base is below 1 the gradient vanishes exponentially.",
            power=power,
        )
    gain = sp.Mul(*(factor.size for factor in jacobian.terms[0].diag))
    return say(
        "**The bound.** Over $k$ steps the norm of the product is at most {power}, that is {general} with {gain}. Where this "
        "base is below 1 the gradient vanishes exponentially; a base above 1 is necessary for it to explode, and not "
        "sufficient (Pascanu, Mikolov and Bengio 2013).",
        power=power,
        general=f"$(g {matrix.size})^k$",
        gain=rf"$g = \sup|f'| = {sp.latex(gain)}$",
    )
