class A:
    r"""$$h_t = \sigma(W x_t + U h_{t-1})$$ where $\sigma$ is the sigmoid."""

class B:
    r"""$$c_t = \sigma(W x_t + U c_{t-1})$$ where $\sigma$ is tanh."""
