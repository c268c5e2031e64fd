"""What came after Keras 2.2.4, against Keras 3 on its TensorFlow backend."""

from __future__ import annotations

import pytest

from tests.layers import cases, grid
from tests.layers.cases import Case

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")]

# As for tf_keras, but Keras 3's regularisers keep their numbers in float32, whose 0.01 is off by 2e-8 relative, and a penalty's
# gradient can be most of a gradient; measured 2e-8 at most. Without regularisers the limit is that of float64.
TOLERANCE, PENALISED = 1e-12, 1e-7


@pytest.mark.parametrize(
    "case", [case for layer in grid.FACTORS for case in grid.keras_3_cases(layer)], ids=lambda c: f"{c.layer}-{c.seed}"
)
def test_outputs_and_gradients(case: Case) -> None:
    from tests.layers import references

    given = cases.data(case)
    errors = cases.compare(cases.run(case, given), references.keras_3(case, given))
    penalised = case.options["kernel_regularizer"] or case.options["activity_regularizer"]
    assert max(errors.values()) <= (PENALISED if penalised else TOLERANCE), (errors, case)
