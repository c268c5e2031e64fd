"""What is done to the gradients after the loop: scaling and clipping."""

from __future__ import annotations

import numpy as np

from tests.doctor.planted.layouts import Layout
from tests.doctor.planted.names import Arrays, Switches

NORM = 0.25
VALUE = 0.4


def after_the_loop(g: Arrays, layout: Layout, m: Switches) -> Arrays:
    """The gradients as they are returned."""
    parameters = g.keys() - {"x", "h0", "c0"}
    for name, by in (("scaled-by-time", layout.T), ("scaled-by-batch", layout.B)):
        if f"{name}/all" in m:
            g = {k: v / by for k, v in g.items()}
        if f"{name}/parameters" in m:
            g |= {k: g[k] / by for k in parameters}
        if f"{name}/biases" in m:
            g |= {k: g[k] / by for k in parameters if k.startswith("b")}
    for variant, names in (("parameters", parameters), ("all", g.keys())):
        if f"clipped-by-norm/{variant}" in m:
            norm = float(np.sqrt(sum(np.sum(g[k] ** 2) for k in sorted(names))))
            g |= {k: g[k] * min(1.0, NORM / norm) for k in names if norm}
        if f"clipped-by-value/{variant}" in m:
            g |= {k: np.clip(g[k], -VALUE, VALUE) for k in names}
    return g
