"""What a state's Jacobian says about vanishing gradients, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from rnnproof.derivation.latex import Printer
from rnnproof.derivation.terms import bound_tex, formula

if TYPE_CHECKING:
    from rnnproof.derivation.jacobian import Jacobian


def remarks(found: Jacobian) -> tuple[str, ...]:
    """The remarks that apply to this Jacobian."""
    if not found.recursion:
        return ()
    written = (_identity(found), _diagonal(found), _power(found))
    return tuple(remark for remark in written if remark)


def _identity(found: Jacobian) -> str:
    if not any(term.is_identity for term in found.terms):
        return ""
    rest = tuple(term for term in found.terms if not term.is_identity)
    j = Printer(found.cell.tex)(formula(rest, found.shape))
    many = f"({j})" if len(rest) > 1 else j
    return (
        rf"**The identity path.** The Jacobian is $I + {many}$: '1 + the original gradient'. Multiplied out over steps, "
        rf"$\prod_j (I + J_j) = I + \sum_j J_j + \sum_{{i > j}} J_i J_j + \cdots$, one term is $I$: it hands "
        "the gradient to the earliest step unchanged, however many there are, and the other terms add to it or take away from "
        "it. This does **not** say that the gradient increases everywhere: in one "
        r"dimension the factor $1 + f'$ is greater than 1 only where $f' > 0$; it vanishes where $f' = -1$, and its size is "
        r"below 1 for every $f'$ in $(-2, 0)$. In more dimensions, $I + J$ is singular where $J$ has the eigenvalue $-1$."
    )


def _diagonal(found: Jacobian) -> str:
    straight = tuple(term for term in found.terms if term.diag and not term.rest)
    if not straight:
        return ""
    size = formula(straight, found.shape)
    product = Printer(found.cell.tex)(size)
    earlier = Printer(found.cell.tex)(
        formula(tuple(term for term in found.at(-1).terms if term.diag and not term.rest), found.shape)
    )
    wrapped = [f"({text})" if len(straight) > 1 else text for text in (product, earlier)]
    return (
        rf"**The weighted path.** One term is diagonal, ${product}$: no matrix stands in it, and over steps it multiplies up "
        rf"to ${wrapped[0]} {wrapped[1]} \cdots$. Its entries are learned and depend on the data; the gradient along it is "
        "kept where they are near 1 and fades like a power where they are below 1. It keeps a gradient; it does not enlarge it "
        "unless an entry exceeds 1."
    )


def _power(found: Jacobian) -> str:
    bound = found.bound
    identity = any(term.is_identity for term in found.terms)
    if bound is None or found.paths or identity:
        return ""
    tex = bound_tex(bound)
    matrix = found.terms[0].rest[0] if len(found.terms) == 1 and found.terms[0].rest else None
    opening = rf"**The bound.** Over $k$ steps the norm of the product is at most $({tex})^k$, "
    if matrix is None:
        return opening + "each step with its own values; where that base is below 1 the gradient vanishes exponentially."
    gain = sp.Mul(*(factor.size for factor in found.terms[0].diag))
    return opening + (
        rf"that is $(g {matrix.size})^k$ with $g = \sup|f'| = {sp.latex(gain)}$. Where this base is below 1 the gradient "
        "vanishes exponentially; a base above 1 is necessary for it to explode, and not sufficient (Pascanu, Mikolov and "
        "Bengio 2013)."
    )
