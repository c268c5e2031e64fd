"""Layers with Keras's signatures (2.2.4, as the lecture lists them) on generated cells.

`layer(x, mask=None, training=False, initial_state=None)` with x (B, T, input); `layer.backward(d_output, d_states=None)` gives
the input's gradient and leaves `layer.gradients` aligned with `layer.weights`.
"""

from rnnproof.layers.base import Layer, load
from rnnproof.layers.dense import Dense
from rnnproof.layers.models import History, Sequential
from rnnproof.layers.rnn import GRU, LSTM, SimpleRNN
from rnnproof.layers.skip import Gate, Shortcut

__all__ = ["GRU", "LSTM", "Dense", "Gate", "History", "Layer", "Sequential", "Shortcut", "SimpleRNN", "load"]
