"""Four ways in which people keep the arrays of a recurrent net; each is read as rows and its gradients written back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.doctor.planted.names import GATES, Array, Arrays, Net, Sizes

PACKED_ORDER = {"simple_rnn": "h", "lstm": "foig", "gru": "nzr", "gru_reset_after": "rnz"}
LONG_NAME = {("lstm", "g"): "c", ("gru", "n"): "h", ("gru_reset_after", "n"): "h"}


@dataclass(frozen=True)
class Layout:
    """One cell's arrays in one of the four layouts, for T steps and B rows."""

    cell: str
    number: int
    T: int
    B: int
    sizes: Sizes

    def __post_init__(self) -> None:
        if self.number == 4:
            object.__setattr__(self, "B", 1)  # no batch

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates in the order in which this layout keeps them."""
        return tuple(PACKED_ORDER[self.cell]) if self.number == 3 else GATES[self.cell]

    def names(self, k: str) -> tuple[str, str, str]:
        """The names of one gate's input matrix, recurrent matrix and bias."""
        if self.number == 4:
            return f"Wx{k}", f"Wh{k}", f"b{k}"
        if self.cell == "simple_rnn":
            return "W", "U", "b"
        k = LONG_NAME.get((self.cell, k), k)
        return f"W_{k}", f"U_{k}", f"b_{k}"

    def draw(self, rng: np.random.Generator) -> Arrays:
        """Random arrays: weights and biases 0.7 * normal, inputs and initial states normal."""
        D, H, T, B = self.sizes.D, self.sizes.H, self.T, self.B
        rows = Net(
            {k: 0.7 * rng.normal(size=(D, H)) for k in self.gates},
            {k: 0.7 * rng.normal(size=(H, H)) for k in self.gates},
            {k: 0.7 * rng.normal(size=H) for k in self.gates},
            0.7 * rng.normal(size=H),
            [rng.normal(size=(B, D)) for _ in range(T)],
            rng.normal(size=(B, H)),
            rng.normal(size=(B, H)),
        )
        return self.write(rows)

    def write(self, rows: Net) -> Arrays:
        """A net, or the gradients of one, as this layout's arrays."""
        arrays: Arrays = {}
        if self.number == 3:
            arrays["Wx"], arrays["Wh"], arrays["b"] = (
                np.concatenate([part[k] for k in self.gates], axis=-1) for part in (rows.W, rows.U, rows.b)
            )
        for k in self.gates if self.number != 3 else ():
            W, U, b = self.names(k)
            if self.number == 1:
                arrays |= {W: rows.W[k].copy(), U: rows.U[k].copy(), b: rows.b[k].copy()}
            elif self.number == 2:
                arrays |= {W: np.concatenate([rows.U[k], rows.W[k]]).T.copy(), b: rows.b[k][:, None].copy()}
            else:
                arrays |= {W: rows.W[k].T.copy(), U: rows.U[k].T.copy(), b: rows.b[k].copy()}
        if self.cell == "gru_reset_after":
            second = {1: "c_h", 2: "c_h", 3: "bhn", 4: "bhn"}[self.number]
            arrays[second] = rows.second_bias[:, None].copy() if self.number == 2 else rows.second_bias.copy()
        if self.number != 4:
            arrays["x"] = np.stack(rows.x, axis=1 if self.number == 1 else 0)
        if self.number == 2:
            arrays["x"] = arrays["x"].transpose(2, 1, 0).copy()
            arrays["h0"] = rows.h0.T.copy()
            if self.cell == "lstm":
                arrays["c0"] = rows.c0.T.copy()
        return arrays

    def read(self, arrays: Arrays, xs: list[Array]) -> Net:
        """The arrays as they are now, as rows; xs are the inputs of the closure in layout 4."""
        H = self.sizes.H
        W, U, b = {}, {}, {}
        for j, k in enumerate(self.gates):
            own = slice(j * H, (j + 1) * H)
            if self.number == 3:
                W[k], U[k], b[k] = arrays["Wx"][:, own], arrays["Wh"][:, own], arrays["b"][own]
                continue
            kernel, recurrent, bias = (arrays.get(name, np.zeros(0)) for name in self.names(k))
            if self.number == 1:
                W[k], U[k], b[k] = kernel, recurrent, bias
            elif self.number == 2:
                W[k], U[k], b[k] = kernel[:, H:].T, kernel[:, :H].T, bias[:, 0]
            else:
                W[k], U[k], b[k] = kernel.T, recurrent.T, bias
        zero = np.zeros((self.B, H))
        second = next((arrays[name].reshape(-1) for name in ("c_h", "bhn") if name in arrays), np.zeros(H))
        h0, c0 = (arrays[name].T if name in arrays else zero for name in ("h0", "c0"))
        return Net(W, U, b, second, self._inputs(arrays, xs), h0, c0, blend_new=self.cell == "gru" and self.number == 3)

    def _inputs(self, arrays: Arrays, xs: list[Array]) -> list[Array]:
        if self.number == 1:
            return [arrays["x"][:, t] for t in range(self.T)]
        if self.number == 2:
            return [arrays["x"][:, :, t].T for t in range(self.T)]
        return list(arrays["x"]) if self.number == 3 else [x[None, :] for x in xs]
