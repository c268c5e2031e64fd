"""
    SimpleRNN(in => out, σ = tanh)

The most basic recurrent layer. In each step it computes

```math
h_t = \\tanh(W_i x_t + W_h h_{t-1} + b)
```

# Arguments

- `in => out`: sizes of the input and of the state
- `σ`: kept for compatibility; only `tanh` is accepted

See also [`GRUv3`](@ref).
"""
struct SimpleRNN{A,B}
    Wi::A
    Wh::A
    b::B
end
