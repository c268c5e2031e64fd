"""The index of the steps, and the roles that follow from it."""

from __future__ import annotations

from rnnproof.pages.message import say
from rnnproof.pages.notation.model import Example, Section, spelled
from rnnproof.pages.notation.places import RNN

INDEX = Section(
    "index",
    say("The index of the steps"),
    say(
        "The index is the letter that somewhere stands shifted by one; a letter that never moves is part of a name. In a "
        "cell one letter moves, by one step."
    ),
    (
        Example(
            "index",
            say("Below or above, in brackets or not."),
            r"h_t = \tanh(W x_t + R h_{t-1} + b)",
            (RNN,),
            also=spelled(
                r"h^t = \tanh(W x^t + R h^{t-1} + b)",
                r"h^{(t)} = \tanh(W x^{(t)} + R h^{(t-1)} + b)",
                r"h^{[t]} = \tanh(W x^{[t]} + R h^{[t-1]} + b)",
                r"h^{<t>} = \tanh(W x^{<t>} + R h^{<t-1>} + b)",
                r"h^{\langle t \rangle} = \tanh(W x^{\langle t \rangle} + R h^{\langle t-1 \rangle} + b)",
            ),
        ),
        Example(
            "letter",
            say("Any letter will do."),
            r"h_n = \tanh(W x_n + R h_{n-1} + b)",
            (RNN,),
            also=spelled(
                r"h_k = \tanh(W x_k + R h_{k-1} + b)",
                r"h_i = \tanh(W x_i + R h_{i-1} + b)",
                r"h_\tau = \tanh(W x_\tau + R h_{\tau-1} + b)",
            ),
        ),
        Example(
            "next",
            say("A step may also run from $t$ to $t+1$, with the input read at either."),
            r"h_{t+1} = \tanh(W x_t + R h_t + b)",
            (RNN,),
            also=spelled(r"h_{t+1} = \tanh(W x_{t+1} + R h_t + b)"),
        ),
        Example(
            "layers",
            say("A recursion over layers is read like one over time. It has no input; how many layers is said when it runs."),
            r"o^{(l)} = f^{(l)}(o^{(l-1)}) + o^{(l-1)}",
            ("o |  | ",),
            jacobians=(("o^{(l)}", "o^{(l-1)}"),),
        ),
        Example(
            "label beside the index",
            say("A label may stand on the other side of the symbol, or before a comma."),
            r"h_t^{(l)} = \tanh(W^{(l)} x_t + R^{(l)} h_{t-1}^{(l)})",
            ("h_l | x | W_l(hidden,input) R_l(hidden,hidden)",),
            also=spelled(r"h_{l,t} = \tanh(W_l x_t + R_l h_{l,t-1})"),
        ),
    ),
)

ROLES = Section(
    "roles",
    say("States, input and parameters"),
    say(
        "Roles need no declaration. What is read at the step before and defined at this one is a **state**; what carries the "
        "index and is never defined is the **input**, of which there is at most one; what is defined and read within the "
        "step is passed **on the way**; all the rest are **parameters**, in the order in which they are printed."
    ),
    (
        Example(
            "states",
            say("Equations may stand in any order. Of several states the one computed last comes first; it is the output."),
            "h_t = o_t \\odot \\tanh(c_t)\nc_t = c_{t-1} + \\tanh(W x_t + R h_{t-1})\no_t = \\sigma(U x_t + V h_{t-1})",
            ("h c | x | W(hidden,input) R(hidden,hidden) U(hidden,input) V(hidden,hidden)",),
        ),
        Example(
            "output",
            say("What carries the index and is read by nothing is a state without memory, an output."),
            "h_t = \\tanh(W x_t + R h_{t-1})\ny_t = V h_t + c",
            ("y h | x | W(hidden,input) R(hidden,hidden) V(y_size,hidden) c(y_size)",),
        ),
        Example(
            "intermediate",
            say("What is defined on the way may do without the index."),
            "a = W x_t + R h_{t-1} + b\nh_t = \\tanh(a)",
            (RNN,),
        ),
        Example(
            "input",
            say(
                "The input is what a matrix multiplies; where none does, it is the only symbol with the index, or the one "
                "called $x$ or $u$. The others are parameters with a value for each step."
            ),
            r"h_t = x_t + m_t \odot h_{t-1}",
            ("h | x | *m(hidden)",),
        ),
        Example(
            "each step",
            say("A matrix that carries the index, and along layers a vector too, has a value for each step."),
            r"h_l = \tanh(W_l h_{l-1} + b_l)",
            ("h |  | *W(hidden,hidden) *b(hidden)",),
            gradients=("W",),
        ),
        Example(
            "twice",
            say("A parameter that is printed twice is one parameter; its gradient is the sum of both uses."),
            r"h_t = \tanh(W x_t + W h_{t-1} + b)",
            ("h | x | W(hidden,hidden) b(hidden)",),
            gradients=("W",),
        ),
        Example(
            "initial",
            say("Every state has a value before the first step, and a gradient by it; an equation for it is passed over."),
            "h_t = \\tanh(W x_t + R h_{t-1} + b)\nh_0 = 0",
            (RNN,),
            gradients=("h_0",),
        ),
    ),
)

SECTIONS = (INDEX, ROLES)
