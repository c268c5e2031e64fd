"""Where equations may stand in a document, and what around them does not count."""

from __future__ import annotations

from collections.abc import Iterator

from rnnproof.equations.source import ENVIRONMENTS
from rnnproof.pages.message import say
from rnnproof.pages.notation.model import Example, Section, Spelling, in_place, spelled

RNN = "h | x | W(hidden,input) R(hidden,hidden) b(hidden)"
LSTM = "h c | x | " + " ".join(f"W_{g}(hidden,input) R_{g}(hidden,hidden) b_{g}(hidden)" for g in ("hbar", "i", "f", "o"))

_EQUATION = r"h_t = \tanh(W x_t + R h_{t-1} + b)"
_DISPLAY = rf"""A simple recurrent network:

$$
{_EQUATION}
$$
"""
_PLACES = (
    Spelling(r"\[ … \]", rf"It is \[ {_EQUATION} \] for every $t$."),
    Spelling("$ … $", f"It is ${_EQUATION}$ for every $t$."),
    Spelling(r"\( … \)", rf"It is \({_EQUATION}\) for every \(t\)."),
    Spelling("~~~math … ~~~", f"It is\n\n~~~math\n{_EQUATION}\n~~~\n"),
)

_ALIGN = r"""\begin{align}
a_t &= W x_t + R h_{t-1} + b \\
h_t &= \tanh(a_t)
\end{align}
"""
_INNER = ("aligned", "alignedat", "gathered", "split", "cases", "dcases", "array")  # these stand in a display
_ARGUMENTS = {"alignat": "{2}", "alignedat": "{2}", "array": "{rcl}"}
_EQUALS = {"eqnarray": "& = &", "array": "& = &", "gather": "=", "gathered": "=", "equation": "=", "multline": "="}


def _environments() -> Iterator[Spelling]:
    """The aligned example in every environment the reader knows, starred too where LaTeX has the star."""
    for name in ENVIRONMENTS:
        for star in ("",) if name in _INNER else ("", "*"):
            whole = _ALIGN.replace("{align}\n", f"{{{name}{star}}}{_ARGUMENTS.get(name, '')}\n", 1)
            whole = whole.replace(r"\end{align}", rf"\end{{{name}{star}}}").replace("&=", _EQUALS.get(name, "&="))
            yield Spelling(f"{name}{star}", f"$$\n{whole}$$\n" if name in _INNER else whole)


_CONTINUED = r"""\begin{align}
h_t &= \tanh(W x_t \\
&\quad + R h_{t-1} + b)
\end{align}
"""

_LECTURE = r"""LSTM は次のように表される。

$$
\begin{eqnarray}
\bar{h}_t & = & \tanh(W_\bar{h}x_t+R_\bar{h}h_{t-1}+b_\bar{h}) \\
c_t & = & i_t \odot \bar{h}_t+f_t \odot c_{t-1} \\
h_t & = & o_t\odot \tanh (c_t)
\end{eqnarray}
$$

各ゲートの係数 $i_t、f_t、o_t$ は以下の様にして決定される。

$$
\begin{eqnarray}
i_t & = & \sigma(W_ix_t+R_ih_{t-1}+b_i) \\
f_t & = & \sigma(W_fx_t+R_fh_{t-1}+b_f) \\
o_t & = & \sigma(W_ox_t+R_oh_{t-1}+b_o)
\end{eqnarray}
$$
"""

_TWO = r"""A shortcut adds a layer's input to its result: $o^{(l)} = f^{(l)}(o^{(l-1)}) + o^{(l-1)}$. Along the time,

$$ h_t = \tanh(W x_t + R h_{t-1} + b) $$
"""

_NOISY = r"""<!-- $$ h_t = h_{t-1} $$ -->
A fence and a span hold code: `$h_t = h_{t-1}$`.

~~~python
h_t = "$$ h_t = h_{t-1} $$"
~~~

It costs \$5. The equation is

$$
h_t = \tanh \! \bigl( W \, x_t % the input
      + R h_{t-1} + b \bigr) , \label{eq:h} \tag{1}
$$
"""

_TEX = r"""\documentclass{article}
\begin{document} % h_t = $ h_{t-1}
\begin{verbatim}
$$ h_t = h_{t-1} $$
\end{verbatim}
\begin{equation}
  h_t = \tanh\left( W x_t + R h_{t-1} + b \right) \label{h}
\end{equation}
\end{document}
"""

_MENTIONS = r"""From $h_0 = 0$ on, a network $h_t = f(h_{t-1}, x_t)$ such as

$$ h_t = \tanh(W x_t + R h_{t-1} + b), \quad t = 1, \ldots, T $$

sees $T = 100$ steps. Its loss is $L = \sum_t \|y_t - h_t\|^2$, and the state is $h_t$.
"""

SECTION = Section(
    "places",
    say("Where equations stand"),
    say(
        "In Markdown and TeX, with prose in any language around them. Displays are read, and of the inline formulas those that "
        "define something."
    ),
    (
        Example(
            "display",
            say("In a display, or inline."),
            _DISPLAY,
            (RNN,),
            also=_PLACES,
            gradients=("R",),
        ),
        Example("bare", say("A text without any delimiter is equations, one a line."), f"{_EQUATION}\n", (RNN,)),
        Example(
            "environments",
            say(r"In an environment, whose rows end with `\\`; `&` aligns and means nothing."),
            _ALIGN,
            (RNN,),
            also=tuple(_environments()),
        ),
        Example(
            "one line",
            say(r"Several equations may stand in one display, apart by a comma, `;`, `\quad` or `\\`."),
            r"$$ a_t = W x_t + R h_{t-1} + b, \quad h_t = \tanh(a_t) $$",
            (RNN,),
            also=in_place(r"$$ a_t = W x_t + R h_{t-1} + b, \quad h_t = \tanh(a_t) $$", r", \quad", ",", ";", r"\qquad", r"\\"),
        ),
        Example(
            "continued",
            say("A row goes on where the next begins with an operator, or where it ends with one or within brackets."),
            _CONTINUED,
            (RNN,),
            also=spelled(
                _CONTINUED.replace("x_t \\\\\n&\\quad + R", "x_t + \\\\\n&\\quad R"),
                _CONTINUED.replace("x_t \\\\\n&\\quad + R", "x_t + R \\\\\n&\\quad"),
            ),
        ),
        Example(
            "relation",
            say("The sign between the two sides may be another."),
            f"$$ {_EQUATION} $$",
            (RNN,),
            also=in_place(
                f"$$ {_EQUATION} $$",
                " = ",
                *(":=", r"\leftarrow", r"\gets", r"\equiv", r"\triangleq", r"\coloneqq", r"\coloneq", "←", "≔", "≡", "≜"),
            ),
        ),
        Example(
            "lecture",
            say("Blocks that share symbols are one cell, in whatever order they stand."),
            _LECTURE,
            (LSTM,),
        ),
        Example(
            "two cells",
            say("Equations that share nothing are cells of their own, named after the document and their first state."),
            _TWO,
            ("o |  | ", RNN),
        ),
        Example(
            "mentions",
            say(
                "Values, sketches, conditions and inline remarks that the reader does not know are passed over and listed; "
                "`rnnproof derive` prints the list on stderr."
            ),
            _MENTIONS,
            (RNN,),
            over=True,
        ),
        Example(
            "noise",
            say("Code, comments, labels, tags, spacing and the size of brackets do not count."),
            _NOISY,
            (RNN,),
        ),
        Example(
            "tex",
            say(
                "A file is TeX where its name ends in `.tex` or it has a document class; its comments and verbatim do not "
                "count."
            ),
            _TEX,
            (RNN,),
            file="paper.tex",
        ),
    ),
)
