"""Optimisers with the names, defaults and update rules of Keras 2.2.4, clipping included."""

from rnnproof.runtime.optimizer_base import Optimizer
from rnnproof.runtime.update_rules import SGD, Adadelta, Adagrad, Adam, Adamax, Nadam, RMSprop, get

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "Adamax", "Nadam", "Optimizer", "RMSprop", "get"]
