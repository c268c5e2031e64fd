"""What is no notation here: the reader's own message for each, and an equation that says it in another way."""

from __future__ import annotations

from collections.abc import Iterator

from rnnproof.equations import source
from rnnproof.pages.blocks import Block, Code, Paragraph, Table
from rnnproof.pages.message import Text, say
from rnnproof.pages.notation.model import Refusal, Section, refused

REFUSED = (
    Refusal(
        r"h(t) = \tanh(W x(t) + R h(t-1))",
        "not h(t-1)",
        say("The step is an index, not an argument"),
        r"h_t = \tanh(W x_t + R h_{t-1})",
    ),
    Refusal(
        r"h_t = h_{t-2} + W x_t",
        "lies 2 steps back",
        say("One more state hands the value on"),
        "p_t = h_{t-1}, h_t = p_{t-1} + W x_t",
    ),
    Refusal(
        r"h_t = \tanh(W x_t + V x_{t-1} + R h_{t-1})",
        "earlier x",
        say("One more state hands the input on"),
        r"p_t = x_t, h_t = \tanh(W x_t + V p_{t-1} + R h_{t-1})",
    ),
    Refusal(
        r"h_{t,l} = \tanh(W h_{t-1,l} + U h_{t,l-1})",
        "two indices move",
        say("The layer below is the input of the one above"),
        r"h_t = \tanh(W h_{t-1} + U x_t)",
    ),
    Refusal(
        r"\dot{h} = -h + \tanh(W h)",
        "no recurrence",
        say("A differential equation is written as the step that integrates it"),
        r"h_t = h_{t-1} + \epsilon (\tanh(W h_{t-1}) - h_{t-1})",
    ),
    Refusal(
        r"h_t = W x_t, h_t = R h_{t-1}",
        "two updates",
        say("A symbol is defined once"),
        r"a_t = W x_t, h_t = a_t + R h_{t-1}",
    ),
    Refusal(
        r"h_t = W x_t + U v_t + R h_{t-1}",
        "2 inputs",
        say("Inputs are stacked in the data"),
        r"h_t = W x_t + R h_{t-1}",
    ),
    Refusal(
        r"i_t, f_t = \sigma(W x_t + R h_{t-1})",
        "is not expected here",
        say("Each gate has an equation and parameters of its own"),
        r"i_t = \sigma(W_i x_t), f_t = \sigma(W_f x_t), h_t = f_t \odot h_{t-1} + i_t",
    ),
    Refusal(
        r"h_t = f(h_{t-1}, x_t)",
        "takes one argument",
        say("Several arguments are stacked"),
        r"h_t = f([h_{t-1}; x_t])",
    ),
    Refusal(
        r"h_t = \operatorname{softmax}(W x_t + R h_{t-1})",
        "no known elementwise function",
        say(
            "Softmax and normalisations are not elementwise, and can be left open; the softmax of an output belongs to the loss"
        ),
        r"a_t = W x_t + R h_{t-1}, h_t = g(a_t)",
    ),
    Refusal(
        r"h_t = \max(0, W x_t + R h_{t-1})",
        "is not understood",
        say("The maximum with 0 is a function with a name"),
        r"h_t = \operatorname{relu}(W x_t + R h_{t-1})",
    ),
    Refusal(
        r"h_t = |x_t| + R h_{t-1}",
        "is not understood",
        say("So is the absolute value"),
        r"h_t = \operatorname{abs}(x_t) + R h_{t-1}",
    ),
    Refusal(
        r"h_t = e^{-x_t} + R h_{t-1}",
        "looks like a power",
        say("So is the exponential"),
        r"h_t = \exp(-x_t) + R h_{t-1}",
    ),
    Refusal(
        r"$$h_t = \begin{cases} W x_t & t > 0 \\ h_{t-1} & t = 0 \end{cases}$$",
        "is not understood",
        say("An equation has no cases; a function with cases can be one of your own"),
    ),
    Refusal(
        r"h_t = tanh(W x_t + R h_{t-1})",
        "product of letters",
        say("A function's name has a backslash or is a word"),
        r"h_t = \tanh(W x_t + R h_{t-1})",
    ),
    Refusal(
        r"h_t = \tanh W x_t + R h_{t-1}",
        "where does the argument",
        say("An argument of more than one symbol stands in brackets"),
        r"h_t = \tanh(W x_t) + R h_{t-1}",
    ),
    Refusal(
        r"h_t = x_t^2 + R h_{t-1}",
        "looks like a power",
        say("A power is a product"),
        r"h_t = x_t \odot x_t + R h_{t-1}",
    ),
    Refusal(
        r"h_t = \tanh^2(x_t) + R h_{t-1}",
        "power of a function",
        say("So is that of a function"),
        r"a_t = \tanh(x_t), h_t = a_t \odot a_t + R h_{t-1}",
    ),
    Refusal(r"h_t = R^{-1} h_{t-1} + W x_t", "looks like a power", say("There is no inverse of a matrix")),
    Refusal(
        r"z_t = \sigma(U x_t), h_t = z_t h_{t-1}",
        "two vectors side by side",
        say("Between vectors stands a sign"),
        r"z_t = \sigma(U x_t), h_t = z_t \odot h_{t-1}",
    ),
    Refusal(
        r"h_t = \operatorname{diag}(\lambda) h_{t-1} + W x_t",
        "two vectors side by side",
        say("A diagonal matrix multiplies elementwise"),
        r"h_t = \lambda \odot h_{t-1} + W x_t",
    ),
    Refusal(
        r"h_t = \sum_j W_j x_t + R h_{t-1}",
        "is not understood",
        say("A sum over entries is a product with a matrix"),
        r"h_t = W x_t + R h_{t-1}",
    ),
    Refusal(
        r"h_t = a h_{t-1} + W x_t",
        "could be a scalar",
        say("A small Latin letter before a vector is declared"),
        r"h_t = a h_{t-1} + W x_t, a \in \mathbb{R}",
    ),
    Refusal(
        r"h_t = (A - 1) h_{t-1} + W x_t",
        "could be a scalar",
        say("Beside a matrix stands the identity"),
        r"h_t = (A - I) h_{t-1} + W x_t",
    ),
    Refusal(
        r"S_t = S_{t-1} + V x_t x_t^\top",
        "a transposed vector needs a vector",
        say("A state is a vector; there are no outer products"),
    ),
    Refusal(r"h_t = h_{t-1}[0] + W x_t", "an entry of a vector", say("There are no entries or slices of vectors")),
    Refusal(
        r"h_t = \tanh(\begin{bmatrix} W & R \end{bmatrix} [x_t; h_{t-1}])",
        "several columns",
        say("A matrix of blocks is written as a sum"),
        r"h_t = \tanh(W x_t + R h_{t-1})",
    ),
    Refusal(
        r"h_t = \frac12 h_{t-1} + W x_t",
        "in braces",
        say("A fraction needs its braces"),
        r"h_t = \frac{1}{2} h_{t-1} + W x_t",
    ),
    Refusal(
        r"h_t = R h_{t-1} + \text{__import__('os').getcwd()}",
        "is no name",
        say("A text is parsed and never evaluated"),
    ),
)

_SHOWN = r"""$$
h_t = \tanh(W x_t + \foo{R} h_{t-1})
$$
"""


def limits() -> Iterator[Block]:
    """The bounds of what is read."""
    rows = [
        (say("characters of a document"), f"{source.MAX_TEXT:,}"),
        (say("equations in it"), f"{source.MAX_EQUATIONS:,}"),
        (say("characters of an equation"), f"{source.MAX_LENGTH:,}"),
        (say("brackets within brackets"), f"{source.MAX_DEPTH:,}"),
    ]
    yield Table((say("bounded"), say("at most")), rows)


def table() -> Iterator[Block]:
    """Every refusal, with the first line of the error that the reader really raises."""
    yield Code(_SHOWN, "tex")
    yield Code(str(refused(_SHOWN)), "text")
    yield Paragraph(say("What else is refused, and what to write instead:"))
    rows = []
    for one in REFUSED:
        message = str(refused(one.text)).split("\n")[0].partition(": ")[2]
        cure: Text = say("{says}: {instead}", says=one.says, instead=f"`{one.instead}`") if one.instead else one.says
        rows.append((f"`{one.text}`", f"`{message}`", cure))
    yield Table((say("as written"), say("the reader's message"), say("what to write instead")), rows)


LIMITS = Section(
    "limits",
    say("Limits of what is read"),
    say("A text is measured before it is parsed; a larger one is refused at once."),
    (),
    limits,
)
SECTION = Section(
    "refused",
    say("What is refused"),
    say("An equation that cannot be read, or in more than one way, is an error that says what, where and what would cure it."),
    (),
    table,
)
