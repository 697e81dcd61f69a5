"""T12: what a sequence of tasks does to one network, stage after stage, whatever its architecture.

Forgetting of a task is the loss on it after a later stage minus the loss on it right after its
own. Plasticity costs are the weight change ||dW|| of a stage and the length of the path of the
weights. How a stage is solved, and how the next one starts, each architecture says for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import several
from richlazy.errors import times as checked_times
from richlazy.summary import summary

__all__ = ["Curriculum", "Stage", "asked", "said"]

Array = NDArray[np.float64]


class _Solution(Protocol):
    @property
    def task(self) -> Any: ...
    @property
    def method(self) -> str: ...
    @property
    def assumptions(self) -> tuple[str, ...]: ...


class _Laziness(Protocol):
    @property
    def method(self) -> str: ...
    @property
    def assumptions(self) -> tuple[str, ...]: ...
    @property
    def accuracy(self) -> str: ...
    @property
    def weight_change(self) -> float: ...
    @property
    def kernel_alignment(self) -> float | None: ...
    @property
    def loss(self) -> float: ...


_Net = TypeVar("_Net")
_Task = TypeVar("_Task")
_Solved = TypeVar("_Solved", bound=_Solution)
_Record = TypeVar("_Record", bound=_Laziness)


@dataclass(frozen=True, eq=False)
class Stage(Generic[_Net, _Solved, _Record]):
    """One task of a sequence.

    Attributes
    ----------
    solution : `Solution`
        The flow of this stage, from `solution.start` on `solution.task`.
    time : float
        When it ended (learning rate x steps of this stage).
    end : `Network`
        Weights at its end, the start of the next stage.
    losses : ndarray
        Excess loss on every task of the sequence at its end, (tasks,).
    laziness : `Laziness`
        Measures between the start and the end of this stage.
    since_start : `Laziness`
        Measures between the first start and the end of this stage. Alignments are those over
        the inputs of this stage's task.
    """

    solution: _Solved
    time: float
    end: _Net
    losses: Array
    laziness: _Record
    since_start: _Record

    @property
    def path_length(self) -> float:
        """Length of the path of the weights, int ||dW/dt|| dt: see `path_length`."""
        raise NotImplementedError

    def __repr__(self) -> str:
        found = self.laziness
        return summary(
            self,
            method=self.solution.method,
            time=self.time,
            task=self.solution.task,
            weight_change=found.weight_change,
            kernel_alignment=found.kernel_alignment,
            loss=found.loss,
        )


@dataclass(frozen=True, eq=False)
class Curriculum(Generic[_Net, _Task]):
    """What a sequence of tasks did to one network, from `sequence`.

    Attributes
    ----------
    start : `Network`
        The network before the first task.
    tasks : tuple
        In their order.
    stages : tuple
        One `Stage` for each task.
    initial_losses : ndarray
        Excess loss of the start on every task, (tasks,).
    """

    start: _Net
    tasks: tuple[_Task, ...]
    stages: tuple[Stage[_Net, Any, Any], ...]
    initial_losses: Array

    @property
    def losses(self) -> Array:
        """Excess loss on every task after every stage, (stages, tasks)."""
        return np.array([stage.losses for stage in self.stages])

    @property
    def forgetting(self) -> Array:
        """Loss on a task after a stage minus loss on it right after its own, (stages, tasks).

        The last row is what is forgotten in the end. Zero where the task's own stage is still
        to come; negative where a later task helped.
        """
        losses = self.losses
        return np.tril(losses - np.diag(losses))

    @property
    def weight_change(self) -> Array:
        """Plasticity cost ||dW||_F of every stage, (stages,)."""
        return np.array([stage.laziness.weight_change for stage in self.stages])

    @property
    def path_length(self) -> Array:
        """Plasticity cost int ||dW/dt|| dt of every stage, (stages,); found when first asked."""
        return np.array([stage.path_length for stage in self.stages])

    @property
    def method(self) -> str:
        """Which solver answered each stage, with its T-id."""
        return ", then ".join(stage.solution.method for stage in self.stages)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What each stage needed, and what else a reader should know."""
        return tuple(
            f"stage {number}: {text}"
            for number, stage in enumerate(self.stages, 1)
            for text in stage.solution.assumptions
        )

    def __repr__(self) -> str:
        return summary(
            self,
            method=self.method,
            tasks=len(self.tasks),
            start=self.start,
            time=sum(stage.time for stage in self.stages),
            loss_on_all=f"{self.initial_losses.sum():.4g} -> {self.losses[-1].sum():.4g}",
            most_forgotten=self.forgetting[-1].max(),
        )


def asked(
    tasks: Sequence[_Task],
    times: ArrayLike,
    check: Callable[[_Task, str], object],
    sizes: tuple[str, str],
) -> tuple[tuple[_Task, ...], Array]:
    """Tasks and the time of each, checked: at least one task, all alike in two named sizes.

    `check` refuses what is no task under the name that it is given.
    """
    given = several(tasks, "tasks", "write [task]")
    if not given:
        raise ValueError("tasks must hold at least one task; it is empty")
    first = None
    for index, task in enumerate(given):
        check(task, f"tasks[{index}]")
        own = tuple(getattr(task, name) for name in sizes)
        first = own if first is None else first
        if own != first:
            raise ValueError(
                f"tasks must agree in {sizes[0]} and {sizes[1]}: tasks[0] has {first[0]} and "
                f"{first[1]}, tasks[{index}] {own[0]} and {own[1]}"
            )
    until = checked_times(times, "times")
    if until.shape not in ((), (len(given),)):
        raise ValueError(
            f"times must be one number or one for each of {len(given)} tasks; its shape is "
            f"{until.shape}"
        )
    return given, np.broadcast_to(until, (len(given),))


def said(records: Sequence[_Laziness]) -> dict[str, Any]:
    """Method, assumptions and accuracy of what the stages with these records did together."""
    every = (words for record in records for words in record.assumptions)
    return {
        "method": ", then ".join(record.method for record in records),
        "assumptions": tuple(dict.fromkeys(every)),
        "accuracy": ", then ".join(record.accuracy for record in records),
    }
