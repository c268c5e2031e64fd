@doc raw"""
    FastCell(in => out)

# Equations

```math
\begin{aligned}
\tilde{h}(t) &= \tanh(W x(t) + U h(t-1) + b) \\
h(t) &= \alpha \tilde{h}(t) + \beta h(t-1)
\end{aligned}
```

with two learned numbers ``\alpha`` and ``\beta``.
"""
struct FastCell end

@doc raw"""
    MultiplicativeCell(in => out)

# Equations

```math
\begin{aligned}
m(t) &= (W_{mx} x(t)) \odot (W_{mh} h(t-1)) \\
h(t) &= \tanh(W_{hx} x(t) + W_{hm} m(t) + b)
\end{aligned}
```
"""
struct MultiplicativeCell end
