@doc raw"""
    GatedUnit(in => out)

Gated recurrent unit whose reset gate acts before the recurrent matrix.

```math
\begin{aligned}
r_t &= \sigma(W_{r} x_t + U_{r} h_{t-1} + b_{r}) \\
z_t &= \sigma(W_{z} x_t + U_{z} h_{t-1} + b_{z}) \\
\tilde{h}_t &= \tanh(W_{h} x_t + U_{h} (r_t \odot h_{t-1}) + b_{h}) \\
h_t &= (1 - z_t) \odot \tilde{h}_t + z_t \odot h_{t-1}
\end{aligned}
```

# Forward

    unit(x, h)

`x` has size `in` or `in x batch`. Returns the new state `h`.
""" GatedUnit
struct GatedUnit end
