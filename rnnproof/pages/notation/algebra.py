"""Sums, products, transposes, numbers, brackets, concatenation, and the shapes that follow from them."""

from __future__ import annotations

from rnnproof.pages.message import say
from rnnproof.pages.notation.model import Example, Section, Spelling, in_place, spelled
from rnnproof.pages.notation.places import RNN

_AFFINE = r"h_t = \tanh(W \cdot x_t + R \cdot h_{t-1} + b)"
_GATE = "z_t = \\sigma(W x_t + R h_{t-1})\nh_t = z_t \\odot h_{t-1}"
_TRANSPOSED = r"h_t = \tanh(W^\top x_t + R^\top h_{t-1} + b)"
_BRACKETS = "c_t = W x_t + R c_{t-1} + b\nh_t = \\tanh(c_t)"
_ONES = "z_t = \\sigma(W x_t)\nh_t = (\\mathbf{1} - z_t) \\odot h_{t-1}"
_STACKED = r"h_t = \tanh(W [h_{t-1}; x_t] + b)"
_STACKS = (
    *("[h_{t-1}, x_t]", r"[h_{t-1} \| x_t]", r"[h_{t-1} \Vert x_t]", "[h_{t-1} ‖ x_t]", r"[h_{t-1} \oplus x_t]"),
    r"[h_{t-1} \mathbin{\|} x_t]",
    *("(h_{t-1}; x_t)", r"\{h_{t-1}; x_t\}", r"\lbrack h_{t-1}; x_t \rbrack", r"[h_{t-1}^\top, x_t^\top]^\top"),
    *(r"\begin{bmatrix} h_{t-1} \\ x_t \end{bmatrix}", r"\begin{pmatrix} h_{t-1} \\ x_t \end{pmatrix}"),
)

PRODUCTS = Section(
    "products",
    say("Sums and products"),
    say(
        "Vectors are columns. Side by side binds tighter than a dot, a dot tighter than `\\odot`, and that tighter than a sum."
    ),
    (
        Example(
            "matrix product",
            say("A matrix multiplies the vector behind it, with a sign between them or none."),
            _AFFINE,
            (RNN,),
            also=in_place(_AFFINE, r" \cdot ", " ", r" \ast ", " * ", r" \times ", " · ", " × "),
        ),
        Example(
            "elementwise product",
            say("A circle is the elementwise product; between vectors, so are a dot, a star and a cross."),
            _GATE,
            ("h | x | W(hidden,input) R(hidden,hidden)",),
            also=in_place(_GATE, r"\odot", r"\circ", "⊙", "∘", r"\cdot", "*", r"\times"),
        ),
        Example(
            "precedence",
            say("So a gate multiplies what the matrix behind it gives; brackets change that."),
            "r_t = \\sigma(U x_t)\nh_t = r_t \\odot W h_{t-1} + V (r_t \\odot h_{t-1})",
            ("h | x | U(hidden,input) W(hidden,hidden) V(hidden,hidden)",),
            forward=True,
        ),
        Example(
            "rows",
            say("A matrix behind a vector acts from the right, as where vectors are rows."),
            r"\mathbf{H}_t = \tanh(\mathbf{X}_t \mathbf{W} + \mathbf{H}_{t-1} \mathbf{R} + \mathbf{b})",
            ("H | X | W(input,hidden) R(hidden,hidden) b(hidden)",),
            forward=True,
        ),
        Example(
            "scalars",
            say("Before a vector, a small Greek letter is a scalar, and so is what is taken from 1."),
            r"h_t = (1 - a) h_{t-1} + \alpha \tanh(W x_t)",
            ("h | x | a() alpha() W(hidden,input)",),
            gradients=("alpha",),
        ),
        Example(
            "sums",
            say("Signs stand before and between terms."),
            r"h_t = -h_{t-1} - (1 - h_{t-1}) \odot \tanh(+W x_t)",
            ("h | x | W(hidden,input)",),
            forward=True,
        ),
        Example(
            "ones",
            say("Beside a vector a number is the same in every entry, in bold or not."),
            _ONES,
            ("h | x | W(hidden,input)",),
            also=(Spelling("(1 - z_t)", _ONES.replace(r"\mathbf{1}", "1")),),
        ),
        Example(
            "numbers",
            say("Numbers and fractions are exact, and a number or scalar divides."),
            r"h_t = \frac{1}{2} h_{t-1} + 0.5 W x_t",
            ("h | x | W(hidden,input)",),
            also=spelled(
                r"h_t = \dfrac{h_{t-1}}{2} + \tfrac{1}{2} W x_t",
                r"h_t = h_{t-1} / 2 + .5 W x_t",
                r"h_t = 0.50 h_{t-1} + \frac{2}{4} W x_t",
            ),
        ),
        Example(
            "time constant",
            say("A scalar parameter divides too."),
            r"h_t = (1 - \frac{1}{\tau}) h_{t-1} + \frac{1}{\tau} \tanh(W x_t)",
            ("h | x | tau() W(hidden,input)",),
            gradients=("tau",),
        ),
        Example(
            "transposes",
            say("Transposes are written in these ways."),
            _TRANSPOSED,
            ("h | x | W(input,hidden) R(hidden,hidden) b(hidden)",),
            also=in_place(_TRANSPOSED, r"^\top", "^T", r"^{\mathsf T}", r"^\mathrm{T}", r"^\intercal", r"^{\text{tr}}"),
        ),
        Example(
            "dot product",
            say("A transposed vector before a vector gives a scalar, here a gate of one number."),
            "g_t = \\sigma(w^\\top h_{t-1} + \\beta)\nh_t = g_t h_{t-1} + (1 - g_t) \\tanh(W x_t)",
            ("h | x | w(hidden) beta() W(hidden,input)",),
            gradients=("w",),
        ),
        Example(
            "matrices",
            say("Matrices are added, multiplied and named like vectors; $I$ is the identity."),
            "A = W - W^\\top - \\gamma I\nh_t = h_{t-1} + \\epsilon \\tanh(A h_{t-1} + P Q x_t)",
            ("h | x | W(hidden,hidden) gamma() epsilon() P(hidden,P_rank) Q(P_rank,input)",),
            jacobians=(("h_t", "h_{t-1}"),),
        ),
        Example(
            "concatenation",
            say("Vectors in one bracket stand one below the other."),
            _STACKED,
            ("h | x | W(hidden,hidden+input) b(hidden)",),
            also=spelled(*(_STACKED.replace("[h_{t-1}; x_t]", stack) for stack in _STACKS)),
            gradients=("W",),
        ),
        Example(
            "brackets",
            say("Brackets of any kind and size group and hold a function's argument; one symbol needs none."),
            _BRACKETS,
            ("h c | x | W(hidden,input) R(hidden,hidden) b(hidden)",),
            also=in_place(
                _BRACKETS, "(c_t)", "[c_t]", r"\{c_t\}", r"\left( c_t \right)", r"\bigl[ c_t \bigr]", " c_t", "{c_t}"
            ),
        ),
    ),
)

SHAPES = Section(
    "shapes",
    say("Shapes and sizes"),
    say(
        "Shapes follow from use: states, the input and what functions left open take and give are vectors, a capital letter "
        "before a vector is a matrix, and sizes that meet are equal. A size is a name: `hidden` that of the first state with "
        "memory, `input` the input's; the others are called after what has them."
    ),
    (
        Example(
            "two sizes",
            say("Sizes that nothing makes equal stay apart."),
            "g_t = \\tanh(U x_t + V h_{t-1})\nh_t = R g_t",
            ("h | x | U(g_size,input) V(g_size,hidden) R(hidden,g_size)",),
        ),
        Example(
            "declared",
            say("Where use does not tell, a declaration does, in a sentence or in the display; sizes of one name are equal."),
            r"""With $a \in \mathbb{R}$, $u ∈ ℝ^n$ and $w, r \in \R^{n \times n}$,

$$ h_t = a h_{t-1} + u \cdot \tanh(w x_t + r h_{t-1}) $$
""",
            ("h | x | a() u(hidden) w(hidden,hidden) r(hidden,hidden)",),
            also=spelled(
                r"h_t = a h_{t-1} + u \cdot \tanh(w x_t + r h_{t-1}), "
                r"\quad a \in \mathbb{R}, u \in \mathbb{R}^{n \times 1}, w, r \in \mathbb R^{n \times n}"
            ),
        ),
    ),
)

SECTIONS = (PRODUCTS, SHAPES)
