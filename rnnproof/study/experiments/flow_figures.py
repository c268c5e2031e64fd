"""How gradients travel, over depth and over time."""

from __future__ import annotations

from typing import Any

from rnnproof.pages.message import say
from rnnproof.study.figure_style import COLOURS, Drawing, caption, line, panels
from rnnproof.study.sweep.findings import Findings


def draw(findings: Findings) -> list[Drawing]:
    """Depth, time, and what the theory bounds."""
    curves = findings.curves
    return [
        Drawing(
            "flow-depth",
            caption(
                say(
                    "Gradient norm at the entry of a stack of tanh layers, for a gradient of norm 1 behind the last; gain: "
                    "deviation of the weights times the root of the units. Dotted: along the elementwise path alone, I in the "
                    "shortcut, the product of the carry gates in the gate."
                ),
                findings,
                "shortcut",
                "increases",
                "gate",
            ),
            say("Three panels over the number of layers, both axes logarithmic: plain layers, with shortcuts, with gates."),
            _depth(curves),
        ),
        Drawing(
            "flow-time",
            caption(
                say(
                    "Gradient norm against distance in time; radius: the spectral radius of R. Dotted: along the elementwise "
                    "path alone, which in the LSTM is its forget gates, in the GRU its update gates. Cut off at 10^-40 and "
                    "10^40."
                ),
                findings,
                "explode",
                "lstm",
                "gru",
            ),
            say(
                "Four panels over the number of steps, both axes logarithmic: SimpleRNN at h = 0, with weak inputs and with "
                "inputs of deviation 1, for five radii; LSTM and GRU for some biases of their gates."
            ),
            _time(curves),
        ),
        Drawing(
            "flow-bound",
            caption(
                say(
                    "What theory says of a SimpleRNN of spectral radius 0.9, beside what is measured: the bound from the "
                    "weights alone, the product of the norms of the Jacobians, and the spectral norm of their product (the "
                    "largest possible gradient)."
                ),
                findings,
                "bound",
            ),
            say("Two panels over the number of steps, both axes logarithmic: four curves each, the bound uppermost."),
            _bound(curves),
        ),
    ]


def _powers(logs: Any) -> list[float]:
    return [float("nan") if log is None else 10.0 ** max(min(log, 300.0), -300.0) for log in logs]


def _courses(axes: Any, curves: Any, labels: dict[str, str], path: bool = True) -> None:
    for place, (label, caption_text) in enumerate(labels.items()):
        if label in curves:
            course = curves[label]
            line(axes, place, course["distances"], _powers(course["measured"]), caption_text)
            if path and any(value is not None for value in course["path"]):
                axes.plot(course["distances"], _powers(course["path"]), color=COLOURS[place], linestyle=":", linewidth=1)
    axes.set(xscale="log", yscale="log")
    axes.legend()


def _depth(curves: Any) -> Any:
    figure, ((plain, shortcut, gate),) = panels(3, sharey=True, height=3.2)
    for axes, cell in ((plain, "plain"), (shortcut, "shortcut"), (gate, "gate")):
        labels = {f"{cell}, gain {gain:g}": f"gain {gain:g}" for gain in (0.5, 1.0, 1.5)}
        if cell == "gate":
            labels["gate, gain 1, carry bias 5"] = "gain 1, carry bias 5"
        _courses(axes, curves, labels)
        axes.set(xlabel="depth (layers)", title={"plain": "plain", "shortcut": "shortcut", "gate": "gate"}[cell])
    plain.set_ylabel("gradient norm at the entry")
    return figure


def _time(curves: Any) -> Any:
    figure, grid = panels(2, 2, sharex=True, sharey=True, height=2.7)
    (rest, weak), (driven, gated) = grid
    radii = (0.5, 0.9, 1.0, 1.1, 1.5)
    for axes, end, title in (
        (rest, ", at h = 0", "SimpleRNN at h = 0"),
        (weak, ", weak inputs", "SimpleRNN, inputs N(0, 0.1²)"),
        (driven, "", "SimpleRNN, inputs N(0, 1)"),
    ):
        _courses(axes, curves, {f"simple_rnn, radius {r:g}{end}": f"radius {r:g}" for r in radii})
        axes.set(title=title)
    labels = {f"lstm, forget bias {bias}": f"LSTM, forget bias {bias}" for bias in (0, 1, 5, 7)}
    _courses(
        gated,
        curves,
        {**labels, "gru": "GRU", "gru, update bias 5": "GRU, update bias 5", "gru, update bias 7": "GRU, update bias 7"},
    )
    gated.legend(ncols=2, fontsize=7, loc="upper center")
    gated.set(title="LSTM and GRU, inputs N(0, 1)", ylim=(1e-40, 1e40))
    gated.set_yticks([1e-40, 1e-20, 1, 1e20, 1e40])
    for row in grid:
        row[0].set_ylabel("gradient norm")
    for axes in grid[-1]:
        axes.set_xlabel("distance (steps)")
    for axes in (weak, driven):
        axes.get_legend().remove()
    return figure


def _bound(curves: Any) -> Any:
    figure, ((rest, driven),) = panels(2, sharey=True, height=3.0)
    names = {"bound": "bound (g σ_max)^k", "norms": "product of norms", "largest": "largest possible", "measured": "measured"}
    for axes, label, title in (
        (rest, "simple_rnn, radius 0.9, at h = 0", "at h = 0"),
        (driven, "simple_rnn, radius 0.9", "inputs N(0, 1)"),
    ):
        for place, (name, caption_text) in enumerate(names.items()):
            line(axes, place, curves[label]["distances"], _powers(curves[label][name]), caption_text)
        axes.set(xscale="log", yscale="log", xlabel="distance (steps)", title=title, ylim=(1e-40, 1e40))
    rest.set_ylabel("gradient norm")
    rest.legend()
    return figure
