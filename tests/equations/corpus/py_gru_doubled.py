class GRU(object):
    """Gated recurrent unit (ordinary string, so backslashes are doubled).

    .. math::

        z_t &= \\sigma(W_z x_t + U_z h_{t-1} + b_z) \\\\
        r_t &= \\sigma(W_r x_t + U_r h_{t-1} + b_r) \\\\
        \\hat{h}_t &= \\tanh(W_h x_t + U_h (r_t \\odot h_{t-1}) + b_h) \\\\
        h_t &= z_t \\odot h_{t-1} + (1 - z_t) \\odot \\hat{h}_t

    Parameters
    ----------
    units : int
        Size of the state.
    """

    def __init__(self, units):
        self.units = units
