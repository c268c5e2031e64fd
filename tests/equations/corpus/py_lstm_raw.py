"""Recurrent layers for the toolkit."""
import numpy as np


class LSTMCell:
    r"""A long short-term memory cell.

    .. math::

        i &= \sigma(W_{ii} x + b_{ii} + W_{hi} h + b_{hi}) \\
        f &= \sigma(W_{if} x + b_{if} + W_{hf} h + b_{hf}) \\
        g &= \tanh(W_{ig} x + b_{ig} + W_{hg} h + b_{hg}) \\
        o &= \sigma(W_{io} x + b_{io} + W_{ho} h + b_{ho}) \\
        c' &= f \odot c + i \odot g \\
        h' &= o \odot \tanh(c')

    where :math:`\sigma` is the sigmoid function and :math:`\odot` the Hadamard product.

    Args:
        input_size: features in the input `x`
        hidden_size: features in the state `h`
    """

    def __init__(self, input_size, hidden_size):
        self.input_size = input_size
        self.hidden_size = hidden_size
