"""Translation validation: a generated module's text is executed symbolically before it is handed out.

What it proves, of the very text that is handed out and for all sizes: every statement reads exactly the values that the
Program says, on the first step and on every later one; states, tape and gradients hold theirs; no caller's array is written.
It knows the lowered Programs and the text, and nothing of how the storage between them was assigned.

Trusted, because the same for every cell: the helpers of the template (`_rows`, `_total`, ...) and NumPy's own meaning.
"""

from rnnproof.generation.numpy.validation.symbolic_values import ValidationError
from rnnproof.generation.numpy.validation.unrolling import validate_unrolled
from rnnproof.generation.numpy.validation.validator import validate

__all__ = ["ValidationError", "validate", "validate_unrolled"]
