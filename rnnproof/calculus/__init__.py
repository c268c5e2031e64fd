"""From a cell's equations to its gradient: a Program, its transpose, the formulas and Jacobians of both.

`operations` says what each operation means, `adjoint_table` how each is transposed; `flatten` writes a Cell as a Program,
`adjoint` transposes it. What a person reads of it is made in `derivation` and `jacobian`.
"""

from rnnproof.calculus.adjoint import adjoint
from rnnproof.calculus.adjoint_table import ADJOINTS
from rnnproof.calculus.flatten import flatten
from rnnproof.calculus.program import Program

__all__ = ["ADJOINTS", "Program", "adjoint", "flatten"]
