"""The table of oracles: each finds the gradients at a `Sample` in its own way and says how exactly.

`autograd` and `jax` differentiate the interpreter of the equations; the rest: `differences` (of the module's own forward),
`frameworks` (Keras, torch) and `consistency` (what the contract promises besides).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnproof.errors import UsageError
from rnnproof.verification import consistency, differences, frameworks
from rnnproof.verification.interpreter import Interpreter, Namespace, erf
from rnnproof.verification.module_under_test import Subject
from rnnproof.verification.reference import Reference, rounding
from rnnproof.verification.sample import Array, Sample

BOTH = ("float64", "float32")


@dataclass(frozen=True)
class Oracle:
    """`compute(subject, point)` gives a Reference; `applies(subject)` says "" or why it cannot; `needs` are packages.

    `judges` gradients by the "equations" or by the module's own "forward"; or a promise of the "contract", and no gradient.
    `echoes` names an oracle that finds the same numbers from the same equations: where that one compares as well, the first and
    the last size are enough to see that the two agree.
    """

    name: str
    what: str
    compute: Callable[[Subject, Sample], Reference]
    judges: str
    needs: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float64",)
    applies: Callable[[Subject], str] = field(default=lambda subject: "")
    echoes: str = ""

    def missing(self) -> str:
        """The packages it needs that are not installed, or ""."""
        return ", ".join(name for name in self.needs if importlib.util.find_spec(name) is None)


def find(names: tuple[str, ...] | None) -> tuple[Oracle, ...]:
    """The oracles of these names, or all. Raises UsageError for an unknown one."""
    if names is None:
        return tuple(ORACLES.values())
    for name in names:
        if name not in ORACLES:
            raise UsageError(f"oracle {name!r} is not known; choose from {', '.join(ORACLES)}")
    return tuple(ORACLES[name] for name in names)


def _has_equations(subject: Subject) -> str:
    return "" if subject.cell is not None else "there are no equations to interpret; give the Cell to compare with"


def _run(interpreter: Interpreter, point: Sample) -> dict[str, list[Any]]:
    """Every state at every step, by a plain loop over time."""
    states: dict[str, Any] = dict(point.initial)
    history: dict[str, list[Any]] = {name: [] for name in states}
    for t in range(point.steps):
        states = interpreter.step(point.at(t), point.x(t), states)
        for name, value in states.items():
            history[name].append(value)
    return history


def _autograd(subject: Subject, point: Sample) -> Reference:
    autograd: Any = importlib.import_module("autograd")
    anp: Any = importlib.import_module("autograd.numpy")
    extend: Any = importlib.import_module("autograd.extend")
    own_erf = extend.primitive(erf)
    extend.defvjp(own_erf, lambda answer, x: lambda g: g * 2 / np.sqrt(np.pi) * anp.exp(-x * x))
    interpreter = Interpreter(subject.equations, point.sizes, Namespace(anp, own_erf))
    outputs: dict[str, Array] = {}

    def loss(leaves: dict[str, Any]) -> Any:
        total = 0.0
        for name, values in _run(interpreter, point.with_leaves(leaves)).items():
            outputs[f"output {name}"] = np.stack([getattr(value, "_value", value) for value in values])
            seeds = point.d_states.get(name, ())
            total = total + sum(anp.sum(seed * value) for seed, value in zip(seeds, values, strict=False))
        return total

    with np.errstate(all="ignore"):
        gradients = autograd.grad(loss)(point.leaves())
    return Reference({**outputs, **gradients}, **rounding(point))


@contextmanager
def _x64() -> Iterator[None]:
    jax: Any = importlib.import_module("jax")
    home = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")
    with home.enable_x64(True):
        yield


def _jax(subject: Subject, point: Sample) -> Reference:
    """One compiled scan over time; 64-bit types are on inside only."""
    with _x64():
        jax: Any = importlib.import_module("jax")
        jnp: Any = importlib.import_module("jax.numpy")
        special: Any = importlib.import_module("jax.scipy.special")
        interpreter = Interpreter(subject.equations, point.sizes, Namespace(jnp, special.erf), point.dtype)

        def loss(leaves: dict[str, Any]) -> Any:
            at = point.with_leaves(leaves)
            steps = {name: at.params[name] for name in at.per_step}

            def step(states: dict[str, Any], now: Any) -> Any:
                new = interpreter.step({**at.params, **now["params"]}, now["x"], states)
                return new, new

            _, history = jax.lax.scan(step, at.initial, {"params": steps, "x": at.xs}, length=point.steps)
            return sum(jnp.sum(point.d_states[name] * history[name]) for name in point.d_states), history

        # Compiling takes all the time there is; a code that runs once need not be the fastest.
        compiled = jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options={"xla_backend_optimization_level": 0})
        (_, history), gradients = compiled(point.leaves())
        answer = {**{f"output {name}": value for name, value in history.items()}, **gradients}
        return Reference({label: np.asarray(value) for label, value in answer.items()}, **rounding(point))


def _keras_backend(subject: Subject) -> str:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        return f"KERAS_BACKEND is {backend!r}, and only the TensorFlow backend computes in float64"
    return frameworks.layer_missing("keras", subject)


_EQUATIONS = (
    Oracle("autograd", "HIPS autograd on the equations", _autograd, "equations", ("autograd",), applies=_has_equations),
    Oracle("jax", "JAX on the equations", _jax, "equations", ("jax",), BOTH, _has_equations, "autograd"),
    Oracle(
        "keras",
        "the Keras 3 layer (TensorFlow)",
        frameworks.keras,
        "equations",
        ("keras", "tensorflow"),
        applies=_keras_backend,
    ),
    Oracle(
        "torch",
        "the torch layer",
        frameworks.torch,
        "equations",
        ("torch",),
        applies=lambda subject: frameworks.layer_missing("torch", subject),
    ),
)
_FORWARD = (
    Oracle(
        "central", "central differences of the module's forward", differences.central, "forward", applies=differences.doubles
    ),
    Oracle(
        "complex",
        "complex step through the module's forward",
        differences.complex_step,
        "forward",
        applies=differences.real_only,
    ),
)
_CONTRACT = (
    Oracle("linearity", "backward is linear in d_states", consistency.linearity, "contract", dtypes=BOTH),
    Oracle("zero seeds", "d_states zero: every gradient is zero", consistency.zero_seeds, "contract", dtypes=BOTH),
    Oracle(
        "missing seeds",
        "a state that d_states lacks counts as zero",
        consistency.missing_seeds,
        "contract",
        dtypes=BOTH,
        applies=consistency.takes_missing_seeds,
    ),
    Oracle("again", "a second backward on the same trace", consistency.again, "contract", dtypes=BOTH),
    Oracle("step", "the module's step, one after the other", consistency.step_by_step, "contract", (), BOTH, consistency.steps),
)
ORACLES: dict[str, Oracle] = {oracle.name: oracle for oracle in (*_EQUATIONS[:2], *_FORWARD, *_CONTRACT, *_EQUATIONS[2:])}
