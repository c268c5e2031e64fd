"""Write the node test cases of one operator of the installed onnx package to an .npz: `python onnx_cases.py LSTM out.npz`.

A process of its own for each operator, because onnx collects once per process.
"""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np


def main(op: str, path: str) -> None:
    from onnx import helper
    from onnx.backend.test.case import node

    cases, arrays = [], {}
    for case in node.collect_testcases(op):
        (made,) = case.model.graph.node
        attributes = {a.name: helper.get_attribute_value(a) for a in made.attribute}
        attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
        inputs, outputs = case.data_sets[0]
        names = [[n for n in group if n] for group in (made.input, made.output)]
        for kind, group, values in (("in", names[0], inputs), ("out", names[1], outputs)):
            arrays.update({f"{case.name}/{kind}/{n}": np.asarray(v) for n, v in zip(group, values, strict=True)})
        cases.append({"name": case.name, "op": op, "attributes": attributes, "inputs": names[0], "outputs": names[1]})
    np.savez(path, cases=np.array(json.dumps(cases)), **arrays)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
