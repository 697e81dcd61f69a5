"""A run beside the theory: what its own initial weights predict, and how far off it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from richlazy import recurrent
from richlazy.curves.curve import Curve
from richlazy.deep import DeepSolution
from richlazy.deep import solve as solve_deep
from richlazy.errors import KindError
from richlazy.runs.recording import Recording
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.summary import number, summary
from richlazy.two_layer.solution import Solution
from richlazy.two_layer.solve import solve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Comparison", "Theory", "compare", "predicted", "verdict"]

Array = NDArray[np.float64]

#: What a run may be held against.
Theory: TypeAlias = Curve | Solution | DeepSolution | recurrent.Solution | Task | recurrent.Task

_RECURRENT = ("inputs", "recurrent", "readout")
_LAZY, _RICH = 0.9, 0.5  # as `averages.verdict` has them


@dataclass(frozen=True, eq=False)
class Comparison:
    """A run beside its prediction.

    Attributes
    ----------
    time : ndarray
        Learning rate x steps of the snapshots.
    measured : dict
        Measures of the run by name, along time.
    predicted : dict
        The same of the theory.
    method : str
        How the prediction was found.
    accuracy : str
        How far its numbers can be trusted.
    assumptions : tuple
        What it needed.
    """

    time: Array
    measured: dict[str, Array]
    predicted: dict[str, Array]
    method: str
    accuracy: str
    assumptions: tuple[str, ...]

    @property
    def deviations(self) -> dict[str, Array]:
        """Measured less predicted, by name."""
        return {name: self.measured[name] - self.predicted[name] for name in self.predicted}

    @property
    def worst(self) -> dict[str, float]:
        """Largest deviation of each measure, as a number above 0."""
        return {
            name: float(np.nanmax(np.abs(values), initial=0.0))
            for name, values in self.deviations.items()
        }

    def plot(self) -> Figure:
        """The prediction as lines, the run as points over it: a matplotlib Figure."""
        from richlazy.curves import figure  # numbers do not import drawings until asked

        with figure.style():
            drawn = figure.new_figure(3.2 * len(self.predicted), 2.6)
            for axes, name in zip(
                np.ravel(drawn.subplots(1, len(self.predicted))), self.predicted, strict=True
            ):
                axes.plot(self.time, self.predicted[name], color=figure.COLOURS[0], label="theory")
                axes.plot(
                    self.time, self.measured[name], figure.MARKERS[0], color=figure.COLOURS[1],
                    markersize=3.5, label="run",
                )  # fmt: skip
                axes.set_xlabel("time t (learning rate x steps)")
                axes.set_ylabel(figure.LABELS.get(name, name.replace("_", " ")))
                axes.legend()
        return drawn

    def __repr__(self) -> str:
        worst = {f"worst_{name}": number(value) for name, value in self.worst.items()}
        return summary(self, snapshots=self.time.size, method=self.method, **worst)


def predicted(
    run: Recording, task: Task | recurrent.Task, layers: Sequence[str] | None = None
) -> Solution | DeepSolution | recurrent.Solution:
    """What the linear theory makes of the run's own initial weights on a task.

    Parameters
    ----------
    run
        With weights recorded.
    task
        A `Task`: a two-layer network of two matrices, a deep one of more, a first layer with a
        silent readout of one. A `recurrent.Task`: a recurrent network.
    layers
        Names of the weight matrices, (out, in) as PyTorch has them, from input to output; of a
        recurrent network inputs U, recurrent W, readout V. None: all matrices in their order.

    Raises
    ------
    ValueError
        If there are not as many matrices as that needs.
    """
    weights = run.start.weights
    if layers is None:
        layers = [name for name, values in weights.items() if values.ndim == 2]
    missing = [name for name in layers if name not in weights]
    if missing:
        raise ValueError(f"no weights {missing[0]!r}; there are {', '.join(weights)}")
    matrices = [np.asarray(weights[name], dtype=np.float64) for name in layers]
    if isinstance(task, recurrent.Task):
        if len(matrices) != len(_RECURRENT):
            raise ValueError(
                f"a recurrent network has {', '.join(_RECURRENT)}: name three layers in this "
                f"order; there are {len(matrices)}: {', '.join(layers)}"
            )
        u, w, v = matrices
        return recurrent.solve(recurrent.Network(u, w, v), task)
    if not matrices:
        raise ValueError("the run has no weight matrices: record weights=...")
    if len(matrices) > 2:
        return solve_deep(matrices, task)
    return solve(Network(*matrices), task)


def compare(run: Recording, theory: Theory, layers: Sequence[str] | None = None) -> Comparison:
    """The run beside a curve, a solution, or what `predicted` makes of a task.

    Raises
    ------
    ValueError
        If the run has no learning rate, so that its steps are no time of the theory, or nothing
        that the theory has was recorded.
    """
    measured = run.measures()
    if "time" not in measured:
        raise ValueError(
            "the run has no learning rate, so its steps are no time of the theory: write "
            "Run(learning_rate=...) of plain gradient descent"
        )
    time = measured["time"]
    if isinstance(theory, (Task, recurrent.Task)):
        theory = predicted(run, theory, layers)
    if isinstance(theory, Curve):
        if theory.axis != "time":
            raise ValueError(f"the curve must run along time; it runs along {theory.axis}")
        found = {
            name: np.interp(time, theory.x, values, left=np.nan, right=np.nan)
            for name, values in theory.columns.items()
        }
        method, accuracy = theory.title, "between the points of the curve: a straight line"
        assumptions: tuple[str, ...] = ()
    elif isinstance(theory, (Solution, DeepSolution, recurrent.Solution)):
        found = theory.measures(time)._asdict()
        method, accuracy, assumptions = theory.method, theory.accuracy, theory.assumptions
    else:
        raise KindError(
            f"theory must be a Curve, a Solution or a Task; it is {type(theory).__name__}"
        )
    both = [name for name in found if name in measured and name != "step"]
    if not both:
        raise ValueError(
            f"the run and the theory share no measure: {', '.join(measured)} against "
            f"{', '.join(found)}"
        )
    return Comparison(
        time,
        {name: measured[name] for name in both},
        {name: np.asarray(found[name]) for name in both},
        method,
        accuracy,
        (
            "linear prediction: nonlinearities and biases, if the network has any, are left out",
            "gradient flow: of small steps, and of the mean loss 1/2 |y - f|^2 over inputs",
            *assumptions,
        ),
    )


def verdict(run: Recording) -> str:
    """How lazy the run was so far, in one sentence.

    By the kernel alignment of the last snapshot, as for predictions: lazy from 0.9, rich to 0.5;
    without kernels by the representation alignment, and said so.
    """
    last = {name: float(values[-1]) for name, values in run.measures().items() if len(values)}
    if not last:
        raise ValueError("nothing has been recorded: call record first")
    found = [n for n in ("kernel_alignment", "representation_alignment") if _known(last, n)]
    moved = last.get("relative_weight_change", np.nan)
    change = ""
    if np.isfinite(moved):
        change = f"; the weights moved by {100.0 * moved:.3g} % of their norm"
    where = f"after {last['step']:g} steps"
    if not found:
        return f"cannot say {where}: neither kernels nor one array of activations{change}"
    name = found[0]
    value, error = last[name], last.get(f"{name}_standard_error", 0.0)
    doubt = f" ± {error:.1g}" if error else ""
    regime = "lazy" if value >= _LAZY else "rich" if value <= _RICH else "between rich and lazy"
    if min(abs(value - _LAZY), abs(value - _RICH)) < 2.0 * error:
        regime = f"about {regime}"
    short = "KA" if name == "kernel_alignment" else "RA, no kernel was recorded:"
    return f"{regime} {where}: {short} {number(value)}{doubt} (lazy from 0.9, rich to 0.5){change}"


def _known(last: dict[str, float], name: str) -> bool:
    return bool(np.isfinite(last.get(name, np.nan)))
