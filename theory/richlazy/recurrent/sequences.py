"""T12 for recurrent networks: one network trained on several tasks, one after another.

Every stage is solved by `recurrent.solve`, from the weights at which the one before ended: the
start plus thin changes. Thin weights stay thin (the space of T18 that holds the first stage holds
all of them), dense ones dense. Sparse weights and operators become a LinearOperator that adds the
changes to the products with the start, so that they are never made dense.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy import laziness
from richlazy.errors import instance
from richlazy.errors import times as checked_times
from richlazy.integration import path, stages
from richlazy.integration.stages import Curriculum, asked, said
from richlazy.recurrent.choice import training
from richlazy.recurrent.flow import start_rates
from richlazy.recurrent.kernel import Kernel, tangent_kernel
from richlazy.recurrent.measures import alignments
from richlazy.recurrent.network import Network, as_network
from richlazy.recurrent.record import Laziness
from richlazy.recurrent.solution import Solution, State
from richlazy.recurrent.solve import solve
from richlazy.recurrent.task import Task, as_task
from richlazy.start import matrices
from richlazy.start.matrices import MatrixLike, Thin
from richlazy.start.stack import alone

__all__ = ["Stage", "path_length", "sequence"]

Array = NDArray[np.float64]

_PARTS = ("inputs", "recurrent", "readout")
_NEW = 1e-12  # of a direction of W that the space of the changes does not hold


@dataclass(frozen=True, eq=False, repr=False)
class Stage(stages.Stage[Network, Solution, Laziness]):
    """One task of a sequence of a recurrent network."""

    @cached_property
    def path_length(self) -> float:
        """Length of the path of the weights, int ||dW/dt|| dt: see `path_length`."""
        return path_length(self.solution, self.time)


def sequence(
    net: Network,
    tasks: Sequence[Task],
    times: ArrayLike = np.inf,
    *,
    trained: Sequence[str] = _PARTS,
) -> Curriculum[Network, Task]:
    """Gradient flow of a recurrent network on one task after another (T12, T16).

    Forgetting of A is the loss on A after B minus the loss on A after A.

    Parameters
    ----------
    net
        Weights before the first task. `Thin` recurrent weights stay thin and dense ones dense;
        sparse ones and operators become a LinearOperator, the start plus thin changes.
    tasks
        At least one, all with the channels and outputs of `net`. Their steps, weights of lags and
        covariances may differ.
    times
        How long each task is trained, a number for all of them or one each; infinity is until
        the weights rest.
    trained
        Which of "inputs", "recurrent" and "readout" move.

    Raises
    ------
    ValueError
        If tasks or times do not fit.

    Examples
    --------
    >>> net = Network([[1.0], [0.0]], [[0.3, 0.2], [0.2, 0.3]], [[1.0, 0.0]])
    >>> run = sequence(net, [Task([1.0, 0.0]), Task([0.0, 1.0])])
    >>> run.losses.round(6) + 0.0
    array([[0., 1.],
           [1., 0.]])
    >>> run.forgetting[-1].round(6) + 0.0
    array([1., 0.])
    """
    start = as_network(net)
    given, until = asked(tasks, times, as_task, ("channels", "outputs"))
    first = matrices.second_moments_trace(start.recurrent)
    network, square = start, first
    found: list[Stage] = []
    moved: list[State] = []
    for task, t in zip(given, until, strict=True):
        solution = solve(network, task, trained=trained)
        moved.append(solution.at(t))
        own = _sized(solution.laziness(t), network, square)
        network = _continued(start, moved)
        square = first + _gained(start, moved)
        found.append(
            Stage(
                solution=solution,
                time=float(t),
                end=network,
                losses=_losses(network, given),
                laziness=own,
                since_start=_sized(
                    _since(
                        start,
                        network,
                        moved,
                        task,
                        trained,
                        [*(stage.laziness for stage in found), own],
                    ),
                    start,
                    first,
                ),
            )
        )
    return Curriculum(start, given, tuple(found), _losses(start, given))


def _change(moved: Sequence[State]) -> tuple[Array, Array]:
    """Factors of the change of W over all stages, left @ right.T."""
    left, right = (np.concatenate([getattr(s, x) for s in moved], 1) for x in ("left", "right"))
    return left, right


def _continued(start: Network, moved: Sequence[State]) -> Network:
    """The network at the end of the last of these stages."""
    state, w = moved[-1], moved[-1].start.recurrent
    end: MatrixLike
    if isinstance(w, Thin):
        end = _thin_end(w, state)
    elif isinstance(w, np.ndarray):
        end = w + state.left @ state.right.T
    else:
        end = _moved_operator(start.recurrent, *_change(moved))
    return Network(state.inputs, end, state.readout, start.leak)


def _thin_end(w: Thin, state: State) -> Thin:
    """W + left @ right.T in the directions of both, none of which rounding adds."""
    held = state.right  # orthonormal
    both = np.concatenate([w.left, w.right], axis=1)
    new, sizes, _ = np.linalg.svd(both - held @ (held.T @ both), full_matrices=False)
    held = np.concatenate([held, new[:, sizes > _NEW]], axis=1)
    core = (held.T @ w.left * w.values) @ (w.right.T @ held)
    core += (held.T @ state.left) @ (state.right.T @ held)
    left, values, right = np.linalg.svd(core)
    keep = values > values.max(initial=0.0) * len(held) * np.finfo(float).eps
    return Thin(held @ left[:, keep], values[keep], held @ right[keep].T)


def _moved_operator(w: MatrixLike, left: Array, right: Array) -> MatrixLike:
    """W + left @ right.T by its products."""
    from scipy.sparse.linalg import LinearOperator

    def forward(x: Array) -> Array:
        return matrices.forward(w, x) + left @ (right.T @ x)

    def adjoint(x: Array) -> Array:
        return matrices.adjoint(w, x) + right @ (left.T @ x)

    return LinearOperator(
        w.shape,
        matvec=lambda x: forward(x.reshape(-1, 1))[:, 0],
        rmatvec=lambda x: adjoint(x.reshape(-1, 1))[:, 0],
        matmat=forward,
        rmatmat=adjoint,
        dtype=np.float64,
    )


def _gained(start: Network, moved: Sequence[State]) -> float:
    """How much larger ||W||^2 is after these stages."""
    left, right = _change(moved)
    with_start = float(np.sum(left * matrices.forward(start.recurrent, right)))
    own = float(np.sum((left.T @ left) * (right.T @ right)))
    return 2.0 * with_start + own


def _sized(record: Laziness, network: Network, square: float) -> Laziness:
    """The record with changes relative to ||W||^2 as it is known: an operator only estimates it."""
    size = square + float(np.sum(network.inputs**2) + np.sum(network.readout**2))
    total, change = record.weight_change, record.weight_change_recurrent
    return replace(
        record,
        relative_weight_change=total / np.sqrt(size) if size > 0 else None,
        relative_weight_change_recurrent=change / np.sqrt(square) if square > 0 else None,
    )


def _controls(net: Network, steps: int) -> Array:
    """C_k with the leak folded in, (steps, N, n)."""
    a, found = net.leak, [net.leak * net.inputs]
    for _ in range(steps - 1):
        found.append(a * matrices.forward(net.recurrent, found[-1]) + (1.0 - a) * found[-1])
    return np.stack(found)


def _reads(net: Network, steps: int) -> Array:
    """O_j with the leak folded in, (steps, m, N)."""
    a, found = net.leak, [net.readout.T]
    for _ in range(steps - 1):
        found.append(a * matrices.adjoint(net.recurrent, found[-1]) + (1.0 - a) * found[-1])
    return np.stack(found).transpose(0, 2, 1)


def _losses(net: Network, tasks: tuple[Task, ...]) -> Array:
    response = net.readout @ _controls(net, max(task.steps for task in tasks))
    gaps = [task.seen - task.see(response[: task.steps]) for task in tasks]
    return np.array([0.5 * np.sum(gap**2) for gap in gaps])


def _since(
    start: Network,
    end: Network,
    moved: list[State],
    task: Task,
    trained: Sequence[str],
    records: Sequence[Laziness],
) -> Laziness:
    """Measures between the first start and now, the changes of all stages added up."""
    left, right = (np.linalg.qr(x)[1] for x in _change(moved))
    change = float(np.linalg.norm(left @ right.T))
    du, dv = (
        float(np.linalg.norm(getattr(end, x) - getattr(start, x))) for x in ("inputs", "readout")
    )
    rates = training(trained).rates(start.leak)
    kernels = _kernel(start, task), _kernel(end, task)
    found = alignments(*kernels, rates, task.seen.reshape(1, -1))
    ra, ka, ta = (laziness.or_none(value) for value in found)
    return Laziness(
        weight_change=float(np.sqrt(du**2 + change**2 + dv**2)),
        weight_change_inputs=du,
        weight_change_recurrent=change,
        weight_change_readout=dv,
        relative_weight_change=None,
        relative_weight_change_recurrent=None,
        representation_alignment=ra,
        kernel_alignment=ka,
        target_alignment=ta,
        loss=records[-1].loss,
        time=sum(state.time for state in moved),
        **said(records),
    )


def _kernel(net: Network, task: Task) -> Kernel:
    return tangent_kernel(_controls(net, task.steps), _reads(net, task.steps), task.root)


def path_length(solution: Solution, t: float = np.inf) -> float:
    """Length of the path of U, W and V from 0 to t, int sqrt(||dU/dt||^2 + ...) dt (T12).

    At least the weight change, and equal to it where the weights move straight. Relative error
    about 1e-8, or that of the solution if it is larger.

    Examples
    --------
    >>> net = Network([[1.0], [0.0]], [[0.3, 0.2], [0.2, 0.3]], [[1.0, 0.0]])
    >>> solution = solve(net, Task([0.0, 1.0]))
    >>> bool(path_length(solution) > solution.weight_change())
    True
    """
    solution = instance(solution, Solution, "solution", "write recurrent.solve(net, task)")
    alone(solution.start, "solution.start")
    route, leak, end = solution._route, solution.start.leak, float(checked_times(t, ndim=0))
    problem = route.found(np.array([end])).reduced.problem

    def positions(at: Array) -> Array:
        # with the last time of all: a space that is grown, is grown for that
        changes = route.found(at if at[-1] == end else np.r_[at, end]).changes[: at.size]
        return np.array(
            [
                np.concatenate(
                    [c.inputs.ravel() / leak, c.recurrent.ravel() / leak, c.readout.ravel()]
                )
                for c in changes
            ]
        )

    rate = float(start_rates(problem).max()) + float(np.linalg.norm(problem.target))
    return path.length(positions, end, 1.0 / (rate or 1.0))
