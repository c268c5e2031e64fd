class LSTM:
    r"""A long short-term memory.

    .. math::

        i_t &= \sigma(W_i x_t + U_i h_{t-1} + b_i) \\
        & \;\;\vdots \\
        c_t &= f_t \odot c_{t-1} + i_t \odot \tilde{c}_t \\
        h_t &= o_t \odot \tanh(c_t)

    The other gates and the candidate are left as an exercise.
    """
