"""The layers and converters against torch, the cells against ONNX Runtime: `python -m tests.programs.tables.exchange`."""

from __future__ import annotations

from tabulate import tabulate

from tests.frameworks import test_onnx, test_torch

CAPTION = (
    "Weights carried by `rnnproof.runtime.converters`, all random. torch: outputs and every gradient in float64. "
    "ONNX Runtime: outputs in float32, whose tanh and sigmoid it approximates; without and with real sequence_lens."
)


def text(format: str) -> str:
    rows = []
    for cell, kind in test_torch.CELLS.items():
        errors = test_torch.layer_errors(cell, kind)
        rows.append(("torch", f"nn.{kind}", ", ".join(errors), f"{max(errors.values()):.0e}"))
    for op, sets in test_onnx.SETS.items():
        for options in sets:
            worst = max(test_onnx.random_weights(op, options, lengths) for lengths in (False, True))
            rows.append(("ONNX Runtime", op, ", ".join(f"{k}={v}" for k, v in options.items()) or "defaults", f"{worst:.0e}"))
    headers = ("framework", "layer", "compared", "largest error")
    return f"{CAPTION}\n\n{tabulate(rows, headers=headers, tablefmt=format, disable_numparse=True)}"


def main() -> None:
    print(text("simple"))


if __name__ == "__main__":
    main()
