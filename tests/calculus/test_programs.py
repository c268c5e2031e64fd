"""Forward and adjoint Programs: names as on paper, equal values written once."""

from __future__ import annotations

from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.operations import Add, Concat
from rnnproof.calculus.program import Role
from rnnproof.equations import catalogue
from rnnproof.equations.reader import read_text


def test_adjoints_are_called_d_of_what_they_are_the_adjoint_of() -> None:
    backward = adjoint(flatten(catalogue.load("lstm")))
    named = {step.target.name for step in backward.steps}
    assert {"d_h", "d_c", "d_o", "d_a_o", "d_a_f", "d_tanh_c", "d_W_i", "d_x"} <= named


def test_equal_values_are_written_once() -> None:
    """Both gates read the same concatenation; its adjoint is one sum over its two uses."""
    (cell,) = read_text(r"h_t = \sigma(W [h_{t-1}, x_t]) \odot \tanh(U [h_{t-1}, x_t])", name="pair")
    forward = flatten(cell)
    (joined,) = (step.target for step in forward.steps if step.op == Concat(0))
    assert sum(joined in step.args for step in forward.steps) == 2
    backward = adjoint(forward)
    (whole,) = (step for step in backward.steps if step.target.name == f"d_{joined.name}")
    assert isinstance(whole.op, Add) and len(whole.args) == 2


def test_every_output_of_the_adjoint_is_a_gradient_of_an_input() -> None:
    for name in catalogue.names():
        forward = flatten(catalogue.load(name))
        backward = adjoint(forward)
        wanted = {(Role.GRADIENT, port.key) for port in forward.ports(Role.PARAMETER)}
        wanted |= {(Role.CARRY, port.key) for port in forward.ports(Role.OLD)}
        wanted |= {(Role.INPUT, port.key) for port in forward.ports(Role.INPUT)}
        assert {(port.role, port.key) for port in backward.outputs} == wanted
        shapes = {port.key: port.var.shape for port in forward.inputs if port.role is Role.PARAMETER}
        for port in backward.ports(Role.GRADIENT, out=True):
            assert port.var.shape == shapes[port.key]
            assert not port.var.per_sample
