"""The picture in words: a caption that says how to read it, and for those who do not see it what flows where."""

from __future__ import annotations

from rnnproof.pages.dataflow.graph import SOURCES, Graph, Node
from rnnproof.pages.message import SPACE, Listed, Message, Text, listed, say


def caption(graph: Graph) -> Text:
    """How to read the picture; only what is in it is explained."""
    kinds = {node.kind for node in graph.nodes}
    signs = {node.sign for node in graph.nodes if node.kind == "operation"}
    entering = (
        say("One step: on the left the input and the old values enter, on the right the new ones leave.")
        if "input" in kinds
        else say("One step: on the left the old values enter, on the right the new ones leave.")
    )
    both = any(node.weights and node.sign for node in graph.nodes)
    parts: list[Text] = [entering]
    if both:
        parts.append(say("A box holds the weights and biases of an affine map and the function applied to its value."))
    elif any(node.weights for node in graph.nodes):
        parts.append(say("A box holds weights that multiply."))
    if {r"\odot", "+"} <= signs:
        parts.append(say("A circle with a dot multiplies entry by entry, one with a plus adds."))
    elif r"\odot" in signs:
        parts.append(say("A circle with a dot multiplies entry by entry."))
    elif "+" in signs:
        parts.append(say("A circle with a plus adds."))
    if "open" in kinds:
        parts.append(say("A broken outline marks a function that the equations leave open."))
    return listed([*parts, ways(graph)], SPACE)


def ways(graph: Graph) -> Message:
    """The direct ways, or that there are none."""
    if not graph.ways:
        return say("No path leads from a state to its own next value through elementwise operations alone.")
    pairs = listed(say("from ${old}$ to ${new}$", old=old, new=new) for old, new in graph.ways)
    return say(
        "The thick line is the direct path {pairs}: it runs through elementwise operations alone, so no matrix multiplies the"
        " gradient along it.",
        pairs=pairs,
    )


def alternative(graph: Graph) -> Text:
    """What enters, what each named value is made of, what leaves, and the direct ways."""
    nodes = {node.name: node for node in graph.nodes}
    reads: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for edge in graph.edges:
        reads[edge.target].append(edge.source)
    parts: list[Text] = [say("Into the step come {values}.", values=_values(nodes, SOURCES))]
    for node in graph.nodes:
        if node.value:
            values, weights = _made_of(node, nodes, reads)
            parts.append(
                say("${to}$ is made of {values}, with the weights {weights}.", to=node.value, values=values, weights=weights)
                if weights.parts
                else say("${to}$ is made of {values}.", to=node.value, values=values)
            )
    parts.append(say("Out of it go {values}.", values=_values(nodes, ("new",))))
    return listed([*parts, ways(graph)], SPACE)


def _values(nodes: dict[str, Node], kinds: tuple[str, ...]) -> Listed:
    return listed(f"${node.sign}$" for node in nodes.values() if node.kind in kinds)


def _made_of(node: Node, nodes: dict[str, Node], reads: dict[str, list[str]]) -> tuple[Listed, Listed]:
    """The values with a name that a node reads, through nodes without one, and the weights on the way."""
    values: dict[str, None] = {}
    weights = dict.fromkeys(node.weights)
    waiting = reads[node.name][::-1]
    while waiting:
        other = nodes[waiting.pop()]
        if name := other.value or (other.sign if other.kind in SOURCES else ""):
            values[name] = None
        else:
            weights |= dict.fromkeys(other.weights)
            waiting += reads[other.name][::-1]
    return listed(f"${name}$" for name in values), listed(f"${weight}$" for weight in weights)
