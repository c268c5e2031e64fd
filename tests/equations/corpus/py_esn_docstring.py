import numpy


def run_reservoir(u, W, W_in, leak):
    r"""Drive the reservoir with the signal ``u``.

    The state follows

    $$ s_k = (1 - a) s_{k-1} + a \tanh(W s_{k-1} + W_{in} u_k) $$

    with the leak rate $a$, a number between 0 and 1, and $s_0 = 0$.

    Returns the matrix of all the states.
    """
    s = numpy.zeros(len(W))
    out = []
    for uk in u:
        s = (1 - leak) * s + leak * numpy.tanh(W @ s + W_in @ uk)
        out.append(s)
    return numpy.array(out)
