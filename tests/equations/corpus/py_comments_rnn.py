# A recurrent network in twelve lines.
#
# The state is updated by
#
#   $$ h_t = \tanh(W_{xh} x_t + W_{hh} h_{t-1} + b_h) $$
#
# and the scores of the next character are
#
#   $$ s_t = W_{hy} h_t + b_y $$
#
import numpy as np

n, m = 100, 27
Wxh = np.random.randn(n, m) * 0.01
Whh = np.random.randn(n, n) * 0.01
Why = np.random.randn(m, n) * 0.01
bh, by = np.zeros(n), np.zeros(m)


def step(x, h):
    h = np.tanh(Wxh @ x + Whh @ h + bh)
    return Why @ h + by, h
