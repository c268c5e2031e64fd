# %% [markdown]
# # Coupled gates
#
# With $f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f)$ deciding both what is dropped and what is written,
#
# $$
# \begin{aligned}
# c_t &= f_t \odot c_{t-1} + (1 - f_t) \odot \tanh(W_c x_t + U_c h_{t-1} + b_c) \\
# o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o) \\
# h_t &= o_t \odot \tanh(c_t)
# \end{aligned}
# $$

# %%
import torch

torch.manual_seed(0)

# %% [markdown]
# Next we time it against `torch.nn.LSTM`.
