r"""편향이 두 개인 GRU 셀.

리셋 게이트를 행렬곱 *다음에* 곱하는 방식입니다. 그래서 은닉 쪽 편향
:math:`b_{hn}` 이 괄호 안에 들어갑니다.

.. math::

    \begin{aligned}
    r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
    z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
    n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
    h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}
    \end{aligned}

여기서 :math:`x_t` 는 입력, :math:`\sigma` 는 시그모이드 함수,
:math:`\odot` 는 원소별 곱입니다.
"""


class GRUCell:
    """위 식을 그대로 따르는 셀의 뼈대."""

    def __init__(self, input_size, hidden_size):
        self.input_size = input_size
        self.hidden_size = hidden_size
