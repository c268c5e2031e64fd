r"""忘却ゲートだけの LSTM（JANET）。

入力ゲートと出力ゲートを捨て、忘却ゲートだけを残したセルです。

.. math::

    s_t &= W_f x_t + U_f h_{t-1} + b_f \\
    \tilde{c}_t &= \tanh(W_c x_t + U_c h_{t-1} + b_c) \\
    c_t &= \sigma(s_t) \odot c_{t-1} + (1 - \sigma(s_t - \beta)) \odot \tilde{c}_t \\
    h_t &= c_t

ここで :math:`x_t` は入力、:math:`\sigma` はシグモイド関数、:math:`\odot` は要素ごとの積です。
:math:`\beta` はスカラーの定数で、書き込みを少し強めるために使います（既定値は 1）。
"""

BETA = 1.0


def build(input_size, hidden_size, beta=BETA):
    """上の式のセルを作る（実装は別ファイル）。"""
    raise NotImplementedError
