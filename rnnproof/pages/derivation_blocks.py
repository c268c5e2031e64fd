"""A derivation as blocks of a document: the lines a person reads, with what surrounds them."""

from __future__ import annotations

from itertools import groupby

from rnnproof.calculus.formula_tex import Printer, scalar_tex
from rnnproof.calculus.lines import MOST_STATES, DerivationStep, Lines, Part
from rnnproof.calculus.operations import Map
from rnnproof.calculus.program import Role
from rnnproof.equations import activations
from rnnproof.pages.blocks import Block, Document, Formula, Heading, Paragraph, Table
from rnnproof.pages.message import Message, Text, say
from rnnproof.pages.printed_gradient_blocks import printed_gradients
from rnnproof.pages.reading_blocks import assumed
from rnnproof.pages.remarks import remarks as jacobian_remarks
from rnnproof.pages.rule_captions import RULES

TITLES = {
    Part.EQUATIONS: say("The equations"),
    Part.FORWARD: say("One step forward"),
    Part.BACKWARD: say("One step backward"),
    Part.RECURSION: say("Backward through the steps"),
    Part.GRADIENTS: say("The gradients"),
    Part.JACOBIANS: say("The Jacobians"),
}
_LEADS = {
    Part.FORWARD: say("Every quantity of one step, in order of evaluation; what a function is applied to gets a name."),
    Part.BACKWARD: say("From the last line to the first, each with the rules that made it."),
    Part.RECURSION: say("What one step hands to the step before it; the last step receives nothing."),
    Part.GRADIENTS: say("Of every parameter and of the input."),
    Part.JACOBIANS: say("Of each state by each state of the step before, and what they say of vanishing gradients."),
}


def document(d: Lines) -> Document:
    """The whole derivation."""
    blocks = [Paragraph(intro(d)), *notation(d), *(block for part in Part for block in lines(d, part)), *remarks(d)]
    blocks += [*printed_gradients(d.cell), *rules(d)]
    return Document(d.cell.name, say("{cell}: its gradients", cell=d.cell.name), tuple(blocks))


def intro(d: Lines) -> Message:
    """What this is."""
    if d.cell.open_functions:
        return say("Derived from the cell's equations for any sizes; functions left open stay open. Made by rnnproof.")
    return say("Derived from the cell's equations for any sizes. Made by rnnproof.")


def notation(d: Lines) -> tuple[Block, ...]:
    """What the signs mean: sentences, then a table of the symbols."""
    return (Heading(say("Notation"), anchor="notation"), *map(Paragraph, signs(d)), symbols(d), *assumed(d.cell))


def signs(d: Lines) -> tuple[Message, ...]:
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
    entry, derivative = activations.of(function), activations.derivative(function)
    named = {activations.X: "x", activations.Y: "y"}
    slope = f"${scalar_tex(derivative.of_input, symbol_names=named, fold_func_brackets=False)}$"
    call = f"$y = {entry.tex}(x)$"
    if derivative.of_output is None:
        return say("{call} has the slope {slope}.", call=call, slope=slope)
    polynomial = derivative.of_output.is_polynomial(activations.Y)
    of_output = Printer()(derivative.of_output) if polynomial else scalar_tex(derivative.of_output, symbol_names=named)
    return say("{call} has the slope {slope}, in terms of its output {shown}.", call=call, slope=slope, shown=f"${of_output}$")


def symbols(d: Lines) -> Table:
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


def lines(d: Lines, part: Part) -> tuple[Block, ...]:
    """One part of the derivation: its heading, what it is, its formulas."""
    for number, (titled, steps) in enumerate(groupby(d.steps, key=lambda step: step.part), start=1):
        if titled is part:
            heading = Heading(say("{number}. {title}", number=number, title=TITLES[part]), anchor=f"part-{number}")
            lead: list[Block] = [Paragraph(_LEADS[part])] if part in _LEADS else []
            lead += _left_out(d) if part is Part.JACOBIANS else []
            return (heading, *lead, *(Formula(step.tex, step.number, _captions(step)) for step in steps))
    return ()


def _captions(step: DerivationStep) -> tuple[tuple[Message, Text], ...]:
    """The label of each rule and its words; a line forward names its operations, whose rules say nothing of it."""
    forward = step.part is Part.FORWARD
    return tuple((RULES[name].label, "" if forward else RULES[name].says) for name in step.rule)


def _left_out(d: Lines) -> list[Block]:
    """That a page shows only some of the Jacobians of a cell with many states."""
    states = len(d.recurrent)
    if states <= MOST_STATES:
        return []
    sentence = say(
        "With {states} states there are up to {count} Jacobians; here stands each state's by its own old value. Any other one: "
        "{call}.",
        states=states,
        count=states**2,
        call='`rnnproof.derive(cell).jacobian("c_t", "h_{t-1}")`',
    )
    return [Paragraph(sentence)]


def remarks(d: Lines) -> tuple[Block, ...]:
    """What the Jacobians say of vanishing gradients."""
    return tuple(
        Paragraph(remark)
        for remark in dict.fromkeys(remark for jacobian in d.shown_jacobians for remark in jacobian_remarks(jacobian))
    )


def rules(d: Lines) -> tuple[Block, ...]:
    """A table of the rules that the lines name."""
    used = dict.fromkeys(name for step in d.steps for name in step.rule)
    rows = list(dict.fromkeys((rule.label, rule.says) for name, rule in RULES.items() if name in used))
    return (Heading(say("The rules used"), anchor="rules"), Table((say("rule"), say("in words")), rows))
