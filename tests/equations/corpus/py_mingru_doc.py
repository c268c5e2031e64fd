r"""
Minimal gated recurrences
=========================

All the functions of this module compute

.. math::
    h_t = (1 - z_t) \odot h_{t-1} + z_t \odot v_t

with :math:`z_t = \sigma(W_z x_t)` and :math:`v_t = W_v x_t`. Because neither looks at
:math:`h_{t-1}` an associative scan can be used.
"""

__all__ = ["scan", "step"]
