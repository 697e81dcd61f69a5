"""T12: one network trained on several tasks, one after another.

Every stage is solved by `richlazy.solve`, from the weights at which the one before ended:
exactly wherever `solve` is exact (lambda-balance survives training, so an exact stage may
follow an exact stage), by the flow elsewhere. What is recorded: `integration/stages.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import laziness
from richlazy.errors import instance
from richlazy.errors import times as checked_times
from richlazy.integration import path, stages
from richlazy.integration.stages import Curriculum, asked, said
from richlazy.laziness import Laziness, Traces
from richlazy.start import matrices
from richlazy.start.matrices import MatrixLike, Thin
from richlazy.start.network import Network, as_network
from richlazy.start.stack import alone
from richlazy.start.task import Task, as_task
from richlazy.two_layer.solution import Solution, State
from richlazy.two_layer.solve import solve

__all__ = ["Stage", "path_length", "sequence"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Stage(stages.Stage[Network, Solution, Laziness]):
    """One task of a sequence of two layers."""

    @cached_property
    def path_length(self) -> float:
        """Length of the path of the weights, int ||dW/dt|| dt: see `path_length`."""
        return path_length(self.solution, self.time)


def sequence(
    start: Network | MatrixLike, tasks: Sequence[Task], times: ArrayLike = np.inf
) -> Curriculum[Network, Task]:
    """Gradient flow on one task after another (T12).

    Forgetting of A is the loss on A after B minus the loss on A after A.

    Parameters
    ----------
    start
        Weights before the first task, or a first layer with a silent readout. Thin
        factors stay thin; any other kind of matrix becomes dense with the first stage.
    tasks
        At least one, all with the inputs of `start` and equally many outputs. Their input
        covariances may differ.
    times
        How long each task is trained, a number for all of them or one each; infinity is
        until the weights rest.

    Raises
    ------
    ValueError
        If tasks or times do not fit.

    Examples
    --------
    >>> a, b = Task([1.0, 0.0, 0.0]), Task([0.6, 0.8, 0.0])
    >>> run = sequence(Network(0.1 * np.eye(3)), [a, b])
    >>> run.losses.round(3) + 0.0
    array([[0. , 0.4],
           [0.4, 0. ]])
    >>> run.forgetting[-1].round(3) + 0.0
    array([0.4, 0. ])
    """
    start = as_network(start)
    given, until = asked(tasks, times, as_task, ("inputs", "outputs"))
    network = start
    found: list[Stage] = []
    moved: list[State] = []
    for task, t in zip(given, until, strict=True):
        solution = solve(network, task)
        moved.append(solution.at(t))
        network = _continued(moved[-1])
        own = solution.laziness(t)
        found.append(
            Stage(
                solution=solution,
                time=float(t),
                end=network,
                losses=_losses(network, given),
                laziness=own,
                since_start=_since(
                    start, network, moved, task, [*(stage.laziness for stage in found), own]
                ),
            )
        )
    return Curriculum(start, given, tuple(found), _losses(start, given))


def _continued(state: State) -> Network:
    """The network at the end of a stage."""
    first = state.start.first
    if isinstance(first, Thin):
        left = np.concatenate([first.left * first.values, state.left], axis=1)
        right = np.concatenate([first.right, state.right], axis=1)
        return Network.from_factors(left, right, state.readout)
    return Network(state.first(), state.readout, precision=state.start.precision)


def _readout(network: Network, outputs: int) -> Array:
    return np.zeros((outputs, network.hidden)) if network.readout is None else network.readout


def _losses(network: Network, tasks: tuple[Task, ...]) -> Array:
    readout = _readout(network, tasks[0].outputs)
    product = matrices.adjoint(network.first, readout.T).T
    seen = [product if task.root is None else product @ task.root for task in tasks]
    return np.array(
        [0.5 * np.sum((task.whitened - f) ** 2) for task, f in zip(tasks, seen, strict=True)]
    )


def _since(
    start: Network,
    end: Network,
    moved: list[State],
    task: Task,
    records: Sequence[Laziness],
) -> Laziness:
    """Measures between the first start and now, the changes of all stages added up."""
    left, right = (
        np.linalg.qr(np.concatenate([getattr(state, side) for state in moved], axis=1))[1]
        for side in ("left", "right")
    )
    readouts = _readout(start, task.outputs), _readout(end, task.outputs)
    change1 = float(np.linalg.norm(left @ right.T))
    change2 = float(np.linalg.norm(readouts[1] - readouts[0]))
    ra, ka, ta = _alignments((start, end), readouts, task)
    size1 = start.square
    size = size1 + float(np.sum(readouts[0] ** 2))
    total = float(np.hypot(change1, change2))
    return Laziness(
        weight_change=total,
        weight_change_input=change1,
        weight_change_readout=change2,
        relative_weight_change=total / np.sqrt(size) if size > 0 else None,
        relative_weight_change_input=change1 / np.sqrt(size1) if size1 > 0 else None,
        representation_alignment=ra,
        kernel_alignment=ka,
        target_alignment=ta,
        loss=records[-1].loss,
        time=sum(state.time for state in moved),
        **said(records),
    )


def _alignments(
    networks: tuple[Network, Network], readouts: tuple[Array, Array], task: Task
) -> tuple[float | None, ...]:
    """RA and KA between two networks, target alignment of the second; None where 0/0."""
    # W1 but for a rotation of the hidden units, which no measure sees
    rows = [n.factors.values[:, None] * n.factors.right.T for n in networks]
    seen0, seen = rows if task.root is None else [row @ task.root for row in rows]
    r0, rt = (_square(s if task.root is None else s @ task.root) for s in (seen0, seen))
    b0, bt = (w @ w.T for w in readouts)
    traces = Traces(
        r0_rt=_square(seen0 @ seen.T),
        r0_r0=_square(seen0 @ seen0.T),
        rt_rt=_square(seen @ seen.T),
        r0=r0,
        rt=rt,
        b0_bt=np.asarray(np.sum(b0 * bt)),
        b0_b0=_square(b0),
        bt_bt=_square(bt),
        b0=_square(readouts[0]),
        bt=_square(readouts[1]),
        along=laziness.along_task(
            # of W2' cov_yx its Gram matrices alone: it has the size of W1
            _square(rows[1] @ task.cov_yx.T) + np.sum(bt * (task.cov_yx @ task.cov_yx.T)),
            _square(task.whitened),
        ),
    )
    inputs = float(task.inputs if task.cov_xx is None else np.sum(task.cov_xx**2))
    found = laziness.from_traces(traces, inputs, task.outputs)
    return tuple(laziness.or_none(value) for value in found)


def _square(x: Array) -> Array:
    return np.asarray(np.sum(x * x))


def path_length(solution: Solution, t: float = np.inf) -> float:
    """Length of the path of the weights from 0 to t, int ||dW/dt|| dt (T12).

    At least the weight change ||dW||, and equal to it where the weights move straight.
    Relative error about 1e-9, or that of the solution if it is larger.

    Examples
    --------
    >>> solution = solve(Network([[1.0]]), Task([2.0]))
    >>> round(path_length(solution), 6), round(float(solution.weight_change()), 6)
    (1.411177, 1.386411)
    """
    solution = instance(solution, Solution, "solution", "write solve(start, task)")
    alone(solution.start, "solution.start")
    route = solution._route
    end = float(checked_times(t, ndim=0))

    def positions(at: Array) -> Array:
        changes = route.changes(at)
        return np.array([np.concatenate([c.first.ravel(), c.readout.ravel()]) for c in changes])

    with solution._lock:
        route.changes(np.array([end]))  # the small network is that of the latest question
        first, readout, cov_yx, root = route.reduced.problem
        largest = 1.0 if root is None else float(np.linalg.norm(root, 2)) ** 2
        rate = largest * float(_square(first) + _square(readout)) + float(np.linalg.norm(cov_yx))
        return path.length(positions, end, 1.0 / (rate or 1.0))
