"""A Derivation as blocks of a document: the lines a person reads, with what surrounds them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rnnproof.calculus.adjoint import SUM_OF_USES
from rnnproof.calculus.formulas import Reader
from rnnproof.calculus.latex import Printer, scalar_tex
from rnnproof.calculus.operation_base import OPERATIONS
from rnnproof.calculus.operations import Map
from rnnproof.calculus.program import Role
from rnnproof.documents.blocks import Block, Document, Formula, Heading, Paragraph, Table
from rnnproof.documents.message import Message, Text, say
from rnnproof.documents.rule_captions import RULES
from rnnproof.equations import activations

if TYPE_CHECKING:
    from rnnproof.calculus.derivation import Derivation

EQUATIONS = say("The equations")
FORWARD = say("One step forward")
BACKWARD = say("One step backward")
RECURSION = say("Backward through the steps")
GRADIENTS = say("The gradients")
JACOBIANS = say("The Jacobians")
MOST_STATES = 6  # of which all Jacobians stand on the page: 36, each with up to five paths through other states
PARTS = (EQUATIONS, FORWARD, BACKWARD, RECURSION, GRADIENTS, JACOBIANS)

if RULES.keys() != OPERATIONS.keys() | {SUM_OF_USES}:
    raise AssertionError(f"rules without words: {RULES.keys() ^ (OPERATIONS.keys() | {SUM_OF_USES})}")

_LEADS = {
    FORWARD: say("Every quantity of one step, in order of evaluation; what a function is applied to gets a name."),
    BACKWARD: say("From the last line to the first, each with the rules that made it."),
    RECURSION: say("What one step hands to the step before it; the last step receives nothing."),
    GRADIENTS: say("Of every parameter and of the input."),
    JACOBIANS: say("Of each state by each state of the step before, and what they say of vanishing gradients."),
}


def document(d: Derivation) -> Document:
    """The whole derivation."""
    blocks = [Paragraph(intro(d)), *notation(d), *(block for part in PARTS for block in lines(d, part)), *remarks(d), *rules(d)]
    return Document(d.cell.name, say("{cell}: its gradients", cell=d.cell.name), tuple(blocks))


def equations(d: Derivation) -> tuple[str, ...]:
    """The cell's equations as printed (written out where they came without print), bodies of its functions last."""
    named = {var: tex for var, tex in d.names.items() if var.tex}
    reader = Reader(d.forward.producer(), named)
    written = {var.name: f"{tex} = {d.printer(reader.definition(var))}" for var, tex in named.items() if var in reader.steps}
    shown = [e.tex or written.get(e.symbol.name, "") for e in d.cell.equations]
    return tuple(tex for tex in (*shown, *(body.tex for body in d.cell.bodies)) if tex)


def intro(d: Derivation) -> Message:
    """What this is."""
    if d.cell.open_functions:
        return say("Derived from the cell's equations for any sizes; functions left open stay open. Made by rnnproof.")
    return say("Derived from the cell's equations for any sizes. Made by rnnproof.")


def notation(d: Derivation) -> tuple[Block, ...]:
    """What the signs mean: sentences, then a table of the symbols."""
    return (Heading(say("Notation"), anchor="notation"), *map(Paragraph, signs(d)), symbols(d))


def signs(d: Derivation) -> tuple[Message, ...]:
    """What the signs mean, as sentences with inline math."""
    state = d.forward.ports(Role.NEW, out=True)[0].var.tex
    said = [
        say(
            "{loss} is any loss that is a function of the states. {nabla} is its gradient by ${state}$ with the other states "
            "held fixed: what the loss itself sends in. {delta} counts every way from $v$ to the loss. {carry} is the part of "
            "{whole} that arrives from the step after.",
            loss=r"$\mathcal{L}$",
            nabla=rf"$\nabla_{{{state}}}$",
            state=state,
            delta=r"$\delta_v = \partial \mathcal{L} / \partial v$",
            carry=rf"$\delta^{{+}}_{{{state}}}$",
            whole=rf"$\delta_{{{state}}}$",
        ),
        say(
            r"$\odot$ is the elementwise product, functions and powers of a vector are elementwise, {top} transposes. Formulas "
            "are for one sequence; for a batch, the gradients of the parameters are added up over its samples.",
            top=r"$^{\top}$",
        ),
    ]
    used = {step.op.function for step in d.forward.steps if isinstance(step.op, Map)}
    said += [_slope(function) for function in sorted(used, key=lambda function: activations.of(function).name)]
    for name in d.cell.open_functions:
        jacobian = rf"$J_{{{d.cell.tex.get(name, name)}}}$"
        said.append(say("{jacobian} is the Jacobian of the function left open, at its argument.", jacobian=jacobian))
    return tuple(said)


def _slope(function: object) -> Message:
    entry, found = activations.of(function), activations.derivative(function)
    named = {activations.X: "x", activations.Y: "y"}
    slope = f"${scalar_tex(found.of_input, symbol_names=named, fold_func_brackets=False)}$"
    call = f"$y = {entry.tex}(x)$"
    if found.of_output is None:
        return say("{call} has the slope {slope}.", call=call, slope=slope)
    polynomial = found.of_output.is_polynomial(activations.Y)
    shown = Printer()(found.of_output) if polynomial else scalar_tex(found.of_output, symbol_names=named)
    return say("{call} has the slope {slope}, in terms of its output {shown}.", call=call, slope=slope, shown=f"${shown}$")


def symbols(d: Derivation) -> Table:
    """Every symbol the equations have: what it is, its size."""
    per_step = {parameter.name for parameter in d.cell.parameters if parameter.per_step}
    rows: list[tuple[Text, Text, Text]] = []
    for port in d.forward.inputs:
        rows.append((f"${port.var.tex}$", _role(port.role, port.key, port.key in per_step), _size(port.var.shape)))
    new = {port.var: port.key for port in d.forward.ports(Role.NEW, out=True)}
    for step in d.forward.steps:
        if step.target in d.names:
            role = say("state {name}", name=new[step.target]) if step.target in new else say("intermediate")
            role = role if step.target.tex else say("what a function is applied to")
            rows.append((f"${d.names[step.target]}$", role, _size(step.target.shape)))
    rows += [(f"${d.cell.tex.get(name, name)}$", say("function left open"), "") for name in d.cell.open_functions]
    return Table((say("symbol"), say("what it is"), say("size")), rows)


def _role(role: Role, key: str, per_step: bool) -> Message:
    if role is Role.INPUT:
        return say("input")
    if role is Role.OLD:
        return say("state {name}, one step before", name=key)
    return say("parameter, one for each step") if per_step else say("parameter")


def _size(shape: tuple[object, ...]) -> Text:
    return " × ".join(map(str, shape)) if shape else say("scalar")


def lines(d: Derivation, part: Message) -> tuple[Block, ...]:
    """One part of the derivation: its heading, what it is, its formulas."""
    for number, (title, steps) in enumerate(groupby(d.steps, key=lambda step: step.title), start=1):
        if title == part:
            heading = Heading(say("{number}. {title}", number=number, title=title), anchor=f"part-{number}")
            lead: list[Block] = [Paragraph(_LEADS[part])] if part in _LEADS else []
            lead += _left_out(d) if part == JACOBIANS else []
            return (heading, *lead, *(Formula(step.tex, step.number, step.rules) for step in steps))
    return ()


def _left_out(d: Derivation) -> list[Block]:
    """That a page shows only some of the Jacobians of a cell with many states."""
    states = len(d.recurrent)
    if states <= MOST_STATES:
        return []
    told = say(
        "With {states} states there are up to {count} Jacobians; here stands each state's by its own old value. Any other one: "
        "{call}.",
        states=states,
        count=states**2,
        call='`rnnproof.derive(cell).jacobian("c_t", "h_{t-1}")`',
    )
    return [Paragraph(told)]


def remarks(d: Derivation) -> tuple[Block, ...]:
    """What the Jacobians say of vanishing gradients."""
    return tuple(
        Paragraph(remark) for remark in dict.fromkeys(remark for found in d.shown_jacobians for remark in found.remarks)
    )


def rules(d: Derivation) -> tuple[Block, ...]:
    """A table of the rules that the lines name."""
    used = dict.fromkeys(name for step in d.steps for name in step.rule)
    rows = list(dict.fromkeys((rule.label, rule.says) for name, rule in RULES.items() if name in used))
    return (Heading(say("The rules used"), anchor="rules"), Table((say("rule"), say("in words")), rows))
