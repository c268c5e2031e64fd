"""The optimisers of Keras 2.2.4, with its names, defaults and update rules (later generations changed some; see the tables).

In all of them p is a variable, g its clipped gradient, lr the learning rate after decay, t the number of the step from 1 on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnproof.runtime.optimizer_base import Array, Optimizer

Step = Mapping[str, float]


class SGD(Optimizer):
    """v <- momentum v - lr g; p <- p + v, or with `nesterov` p + momentum v - lr g (I. Sutskever et al., ICML 2013)."""

    SLOTS = ("v",)

    def __init__(
        self, lr: float = 0.01, momentum: float = 0.0, decay: float = 0.0, nesterov: bool = False, **unknown: Any
    ) -> None:
        super().__init__(dict(locals()))

    def _update(self, p: Array, g: Array, slots: dict[str, Array], step: Step) -> Array:
        optimizer: Any = self
        v = slots["v"]
        v[...] = optimizer.momentum * v - step["lr"] * g
        moved: Array = p + optimizer.momentum * v - step["lr"] * g if optimizer.nesterov else p + v
        return moved


class Adagrad(Optimizer):
    """a <- a + g^2; p <- p - lr g / (sqrt(a) + epsilon), a from 0 (J. Duchi et al., JMLR 12, 2011)."""

    SLOTS = ("a",)

    def __init__(self, lr: float = 0.01, epsilon: float | None = None, decay: float = 0.0, **unknown: Any) -> None:
        super().__init__(dict(locals()))

    def _update(self, p: Array, g: Array, slots: dict[str, Array], step: Step) -> Array:
        optimizer: Any = self
        slots["a"] += g * g
        moved: Array = p - step["lr"] * g / (np.sqrt(slots["a"]) + optimizer.epsilon)
        return moved


class RMSprop(Optimizer):
    """a <- rho a + (1 - rho) g^2; p <- p - lr g / (sqrt(a) + epsilon) (T. Tieleman and G. Hinton, lecture 6e, 2012)."""

    SLOTS = ("a",)

    def __init__(
        self, lr: float = 0.001, rho: float = 0.9, epsilon: float | None = None, decay: float = 0.0, **unknown: Any
    ) -> None:
        super().__init__(dict(locals()))

    def _update(self, p: Array, g: Array, slots: dict[str, Array], step: Step) -> Array:
        optimizer: Any = self
        a = slots["a"]
        a[...] = optimizer.rho * a + (1.0 - optimizer.rho) * (g * g)
        moved: Array = p - step["lr"] * g / (np.sqrt(a) + optimizer.epsilon)
        return moved


class Adadelta(Optimizer):
    """a <- rho a + (1 - rho) g^2; u = g sqrt(d + epsilon) / sqrt(a + epsilon); p <- p - lr u; d <- rho d + (1 - rho) u^2.

    M. Zeiler, arXiv 1212.5701.
    """

    SLOTS = ("a", "d")

    def __init__(
        self, lr: float = 1.0, rho: float = 0.95, epsilon: float | None = None, decay: float = 0.0, **unknown: Any
    ) -> None:
        super().__init__(dict(locals()))

    def _update(self, p: Array, g: Array, slots: dict[str, Array], step: Step) -> Array:
        optimizer: Any = self
        a, d = slots["a"], slots["d"]
        a[...] = optimizer.rho * a + (1.0 - optimizer.rho) * (g * g)
        update = g * np.sqrt(d + optimizer.epsilon) / np.sqrt(a + optimizer.epsilon)
        d[...] = optimizer.rho * d + (1.0 - optimizer.rho) * (update * update)
        moved: Array = p - step["lr"] * update
        return moved


class Adam(Optimizer):
    """m <- beta_1 m + (1 - beta_1) g; v <- beta_2 v + (1 - beta_2) g^2; p <- p - lr_t m / (sqrt(v) + epsilon).

    lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t) (D. Kingma and J. Ba, arXiv 1412.6980, end of section 2). `amsgrad` puts the
    largest v so far in place of v (S. Reddi et al., ICLR 2018).
    """

    SLOTS = ("m", "v", "largest_v")

    def __init__(
        self,
        lr: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        decay: float = 0.0,
        amsgrad: bool = False,
        **unknown: Any,
    ) -> None:
        super().__init__(dict(locals()))

    def _kept(self) -> tuple[str, ...]:
        optimizer: Any = self
        return self.SLOTS if optimizer.amsgrad else self.SLOTS[:2]

    def _step(self) -> dict[str, float]:
        optimizer: Any = self
        t = self.iterations + 1
        return {"lr": super()._step()["lr"] * (1.0 - optimizer.beta_2**t) ** 0.5 / (1.0 - optimizer.beta_1**t)}

    def _update(self, p: Array, g: Array, slots: dict[str, Array], step: Step) -> Array:
        optimizer: Any = self
        m, v = slots["m"], slots["v"]
        m[...] = optimizer.beta_1 * m + (1.0 - optimizer.beta_1) * g
        v[...] = optimizer.beta_2 * v + (1.0 - optimizer.beta_2) * (g * g)
        if optimizer.amsgrad:
            v = np.maximum(slots["largest_v"], v, out=slots["largest_v"])
        moved: Array = p - step["lr"] * m / (np.sqrt(v) + optimizer.epsilon)
        return moved


class Adamax(Optimizer):
    """m as in Adam; u <- max(beta_2 u, |g|); p <- p - lr / (1 - beta_1^t) m / (u + epsilon) (arXiv 1412.6980, section 7.1)."""

    SLOTS = ("m", "u")

    def __init__(
        self,
        lr: float = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        decay: float = 0.0,
        **unknown: Any,
    ) -> None:
        super().__init__(dict(locals()))

    def _step(self) -> dict[str, float]:
        optimizer: Any = self
        return {"lr": super()._step()["lr"] / (1.0 - optimizer.beta_1 ** (self.iterations + 1))}

    def _update(self, p: Array, g: Array, slots: dict[str, Array], step: Step) -> Array:
        optimizer: Any = self
        m, u = slots["m"], slots["u"]
        m[...] = optimizer.beta_1 * m + (1.0 - optimizer.beta_1) * g
        u[...] = np.maximum(optimizer.beta_2 * u, np.abs(g))
        moved: Array = p - step["lr"] * m / (u + optimizer.epsilon)
        return moved


class Nadam(Optimizer):
    """Adam with Nesterov's momentum and a schedule of it, mu_t = beta_1 (1 - 0.96^(t schedule_decay) / 2) (T. Dozat, 2015).

    With P_t = mu_1 ... mu_t: g' = g / (1 - P_t), m' = m / (1 - P_t mu_{t+1}), v' = v / (1 - beta_2^t), and
    p <- p - lr ((1 - mu_t) g' + mu_{t+1} m') / (sqrt(v') + epsilon). No decay.
    """

    SLOTS = ("m", "v")

    def __init__(
        self,
        lr: float = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        schedule_decay: float = 0.004,
        **unknown: Any,
    ) -> None:
        super().__init__(dict(locals()))
        self.m_schedule = 1.0

    def _scalars(self) -> dict[str, float]:
        return {"m_schedule": self.m_schedule}

    def _momentum(self, t: int) -> float:
        optimizer: Any = self
        return float(optimizer.beta_1 * (1.0 - 0.5 * 0.96 ** (t * optimizer.schedule_decay)))

    def _step(self) -> dict[str, float]:
        optimizer: Any = self
        t = self.iterations + 1
        now, following = self._momentum(t), self._momentum(t + 1)
        self.m_schedule *= now
        return {
            "lr": optimizer.lr,
            "now": now,
            "following": following,
            "g": 1.0 - self.m_schedule,
            "m": 1.0 - self.m_schedule * following,
            "v": 1.0 - optimizer.beta_2**t,
        }

    def _update(self, p: Array, g: Array, slots: dict[str, Array], step: Step) -> Array:
        optimizer: Any = self
        m, v = slots["m"], slots["v"]
        m[...] = optimizer.beta_1 * m + (1.0 - optimizer.beta_1) * g
        v[...] = optimizer.beta_2 * v + (1.0 - optimizer.beta_2) * (g * g)
        ahead = (1.0 - step["now"]) * (g / step["g"]) + step["following"] * (m / step["m"])
        moved: Array = p - step["lr"] * ahead / (np.sqrt(v / step["v"]) + optimizer.epsilon)
        return moved


NAMES: dict[str, type[Optimizer]] = {
    made.__name__.lower(): made for made in (SGD, Adagrad, RMSprop, Adadelta, Adam, Adamax, Nadam)
}


def get(value: Any) -> Optimizer:
    """An optimiser from a name ('sgd', 'Adam'), a configuration {"class_name", "config"}, or an optimiser.

    Raises ValueError naming what is allowed.
    """
    if isinstance(value, Optimizer):
        return value
    name = value.get("class_name") if isinstance(value, Mapping) else value
    if not isinstance(name, str) or name.lower() not in NAMES:
        raise ValueError(f"optimizer={value!r}: give an optimiser, or one of {', '.join(NAMES)}")
    return NAMES[name.lower()].from_config(dict(value.get("config", {})) if isinstance(value, Mapping) else {})
