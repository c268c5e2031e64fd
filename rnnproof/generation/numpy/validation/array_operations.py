"""What NumPy's functions and the template's helpers make of values; the axes say which arrays may meet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rnnproof.generation.numpy.validation.meaning import elementwise
from rnnproof.generation.numpy.validation.memory import Operand
from rnnproof.generation.numpy.validation.symbolic_values import Terms, ValidationError, Value

_PRODUCTS = {
    ("p", "rb"): "rb",
    ("p", "trb"): "trb",
    ("tp", "trb"): "trb",
    ("p", "p"): "p",
    ("p", "tp"): "tp",
    ("tp", "p"): "tp",
    ("tp", "tp"): "tp",
    ("p", "rf"): "rf",
    ("rf", "fr"): "p",
    ("trb", "tbr"): "tp",
}
# (axis, keepdims, axes of the operand) -> (what the sum is, axes of the result)
_SUMS: dict[tuple[str, bool, str], tuple[tuple[Any, ...], str]] = {
    ("0", False, "tp"): (("total", "steps"), "p"),
    ("2", True, "trb"): (("total", "batch"), "tp"),
    ("0", True, "rb"): (("sum", 1), "rb"),
    **{("-2", True, axes): (("sum", 1), axes) for axes in ("trb", "p", "tp")},
    **{("(-2, -1)", True, axes): (("sum", 2), axes) for axes in ("p", "tp")},
}


def common(arrays: list[Operand]) -> str:
    """The axes of an elementwise result; steps are not mixed with whole sequences."""
    axes = {array.axes for array in arrays}
    for result, allowed in (("rb", {"rb", "p"}), ("trb", {"trb", "p", "tp"}), ("tp", {"tp", "p"}), ("p", {"p"})):
        if result in axes and axes <= allowed:
            return result
    raise ValidationError(f"arrays with axes {' and '.join(sorted(axes))} meet")


def _entrywise(terms: Terms, key: tuple[Any, ...], arrays: list[Operand]) -> Operand:
    rows = [terms.rows(array.value) for array in arrays]
    shape = (next((count for count in rows if count != 1), 1), 1)
    return Operand(terms.value(terms.shapes[terms.term(*key)] or shape, *key), common(arrays))


def _plain(operand: Operand | float) -> Value | float:
    return operand.value if isinstance(operand, Operand) else operand


def ufunc(terms: Terms, name: str, operands: list[Operand | float]) -> Operand:
    """A function of NumPy, entry by entry, of arrays and numbers."""
    arrays = [operand for operand in operands if isinstance(operand, Operand)]
    return _entrywise(terms, elementwise(name, [_plain(operand) for operand in operands]), arrays)


def where(terms: Terms, relation: str, threshold: float, tested: Operand, branches: list[Operand | float]) -> Operand:
    """np.where(tested < threshold, ...)."""
    arrays = [tested, *(branch for branch in branches if isinstance(branch, Operand))]
    choice = _entrywise(terms, ("where", relation, threshold, tested.value, *map(_plain, branches)), arrays)
    return replace(choice, float64=len(arrays) == 1)


def matmul(terms: Terms, left: Operand, right: Operand) -> Operand:
    """A product; of a sequence and a transposed sequence it sums over the batch, for each step."""
    axes = _PRODUCTS.get((left.axes, right.axes))
    if axes is None:
        raise ValidationError(f"a product of arrays with axes {left.axes} and {right.axes}")
    return Operand(terms.value(None, "batch_total" if right.axes == "tbr" else "matmul", left.value, right.value), axes)


def helper(terms: Terms, name: str, operand: Operand) -> Operand:
    """A helper of the template, of one array."""
    if name in ("_erf", "_normal") and operand.axes in ("rb", "trb", "p", "tp"):
        return Operand(terms.value(None, name[1:], operand.value), operand.axes)
    if name == "_total" and operand.axes in ("trb", "tp"):
        return Operand(terms.value(None, "total", "all", operand.value), "p")
    if name in ("_rows", "_columns") and operand.axes == "trb":
        flat = terms.value(None, name[1:], operand.value)
        return Operand(flat, "rf" if name == "_rows" else "fr", base=operand.view)
    if name == "_sequence" and operand.axes == "rf":
        product, *factors = terms.keys[operand.value[0][0]]
        if product == "matmul" and terms.keys[factors[1][0][0]][0] == "rows":
            sequence = terms.keys[factors[1][0][0]][1]
            return Operand(terms.value(None, "matmul", factors[0], sequence), "trb")
    raise ValidationError(f"{name} of an array with axes {operand.axes}")


def summed(terms: Terms, operand: Operand, axis: str, keepdims: bool) -> Operand:
    """A sum over rows, steps or the batch."""
    if (axis, keepdims, operand.axes) not in _SUMS:
        raise ValidationError(f"a sum over axis {axis} of an array with axes {operand.axes}")
    key, axes = _SUMS[axis, keepdims, operand.axes]
    return Operand(terms.value(None, *key, operand.value), axes)


def concatenate(terms: Terms, operands: list[Operand], axis: str) -> Operand:
    """Sequences above one another, or parameters."""
    axes = {operand.axes for operand in operands}
    if axis == "1" and axes == {"trb"}:
        return Operand(terms.join(segment for operand in operands for segment in operand.value), "trb")
    if axis in ("-1", "-2") and axes in ({"p"}, {"tp"}):
        key = ("concat", 0 if axis == "-2" else 1, *(operand.value for operand in operands))
        return Operand(terms.value(None, *key), axes.pop())
    raise ValidationError(f"a concatenation along axis {axis} of arrays with axes {' and '.join(sorted(axes))}")


def pad(terms: Terms, operand: Operand, pads: list[tuple[int, ...]]) -> Operand:
    """Rows or columns among zeros."""
    lead = len(operand.axes) - len(operand.axes.removeprefix("t"))
    none = (0, 0)
    if len(pads) == lead + 2 and pads[:lead] == [none] * lead and none in pads[lead:] and operand.axes in ("trb", "p", "tp"):
        axis = 0 if pads[-1] == none else 1
        before, after = pads[lead + axis]
        if operand.axes != "trb":
            return Operand(terms.value(None, "pad", axis, before, after, operand.value), operand.axes)
        if axis == 0:
            return Operand(terms.join((*terms.zeros(before), *operand.value, *terms.zeros(after))), "trb")
    raise ValidationError(f"pads an array with axes {operand.axes} in a way the validation does not know")


def repeated(terms: Terms, scalar: Value, rows: int) -> Value:
    """A scalar in every one of some rows."""
    return scalar if rows == 1 else terms.uniform(rows, "repeat", scalar)
