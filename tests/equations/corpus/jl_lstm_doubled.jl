"""
    memory_step(x, (h, c), p)

One step of an LSTM with *peephole-free* gates:

\$\$
\\begin{aligned}
i_t &= \\sigma(W_i x_t + R_i h_{t-1} + b_i) \\\\
f_t &= \\sigma(W_f x_t + R_f h_{t-1} + b_f) \\\\
o_t &= \\sigma(W_o x_t + R_o h_{t-1} + b_o) \\\\
c_t &= f_t \\odot c_{t-1} + i_t \\odot \\tanh(W_c x_t + R_c h_{t-1} + b_c) \\\\
h_t &= o_t \\odot \\tanh(c_t)
\\end{aligned}
\$\$

Everything is allocated anew, so it works under Zygote.
"""
function memory_step(x, (h, c), p)
    error("see memory_step!")
end
