"""T11: the small network that a deep network and its task move in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from richlazy.deep.flow import Small
from richlazy.integration.parts import Members, components
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.reduction.subspace import (
    independent,
    invariant_subspace,
    reachable,
    reachable_outputs,
)

__all__ = ["reduced"]

Array = NDArray[np.float64]


def reduced(weights: list[Array], task: Task) -> tuple[list[Array], Small, float]:
    """Bases of every layer (inputs first), the small network, and the loss it leaves out.

    Blocks that never meet are reduced one by one: what is small beside one block need not be
    so in its own.
    """
    apart = components(weights, task.cov_yx, task.cov_xx) if len(weights) > 1 else None
    tasks = [task.cov_yx[np.ix_(members[-1], members[0])] for members in apart or []]
    if apart is None or not tasks or not all(np.any(cov_yx) for cov_yx in tasks):
        return _whole(weights, task)
    from scipy.linalg import block_diag

    found = [_whole(*_block(weights, task, members)) for members in apart]
    chosen = [[np.eye(len(m))[:, m] for m in members] for members in apart]
    bases = [
        np.concatenate([c[i] @ b[i] for c, (b, _, _) in zip(chosen, found, strict=True)], axis=1)
        for i in range(len(weights) + 1)
    ]
    blocks = [small for _, small, _ in found]
    small = Small(
        [block_diag(*(b.weights[i] for b in blocks)) for i in range(len(weights))],
        np.concatenate([b.gains for b in blocks]),
        block_diag(*(b.target for b in blocks)),
        _variance(task),
        float(task.outputs),
    )
    beside = task.whitened.copy()
    for members in apart:
        beside[np.ix_(members[-1], members[0])] = 0.0
    lost = 0.5 * float(np.sum(beside**2)) + sum(lost for _, _, lost in found)
    return bases, small, lost


def _block(weights: list[Array], task: Task, members: Members) -> tuple[list[Array], Task]:
    layers = [
        w[np.ix_(out, into)] for w, into, out in zip(weights, members, members[1:], strict=False)
    ]
    inputs = members[0]
    cov_xx = None if task.cov_xx is None else task.cov_xx[np.ix_(inputs, inputs)]
    return layers, Task(task.cov_yx[np.ix_(members[-1], inputs)], cov_xx)


def _variance(task: Task) -> float:
    """tr cov_xx^2."""
    return float(task.inputs if task.cov_xx is None else np.sum(task.cov_xx**2))


def _whole(weights: list[Array], task: Task) -> tuple[list[Array], Small, float]:
    """Bases of every layer (inputs first), the small network, and the loss it leaves out.

    Inputs: what can move of every eigenspace of cov_xx. Hidden layer l: range of W_l and row
    space of W_{l+1}. Outputs: range of W_L and of cov_yx.
    """
    reduced = invariant_subspace(Network(weights[0]), task)
    inputs, root = reduced.right, reduced.problem.root
    last = weights[-1] if np.any(weights[-1]) else None
    cov_yx = task.cov_yx @ inputs
    if root is None:
        gains = np.ones(inputs.shape[1])
        if len(weights) > 1:
            size = float(np.linalg.norm(weights[0], 2))
            cov_yx = reachable(weights[0], last, task, size)[0] @ inputs
    else:
        if len(weights) > 1:
            cov_yx = reachable_outputs(weights[0] @ inputs, weights[-1], cov_yx, root)
        values, vectors = np.linalg.eigh(root)
        moving = values > 1e-8 * values[-1]
        gains, inputs = values[moving], inputs @ vectors[:, moving]
        cov_yx = cov_yx @ vectors[:, moving]
    target = cov_yx / gains
    lost = 0.5 * float(np.sum((task.whitened @ inputs - target) ** 2))
    bases = [inputs]
    for before, after in zip(weights, [*(w.T for w in weights[1:]), task.cov_yx], strict=True):
        bases.append(_span(before, after))
    small = [bases[i + 1].T @ w @ bases[i] for i, w in enumerate(weights)]
    whole = Small(small, gains, bases[-1].T @ target, _variance(task), float(task.outputs))
    return bases, whole, lost


def _span(*blocks: Array) -> Array:
    """Orthonormal basis of the columns of all blocks; the identity if that is everything."""
    sizes = [float(np.linalg.norm(block, 2)) for block in blocks]
    joined = [b / size for b, size in zip(blocks, sizes, strict=True) if size > 0]
    if not joined:
        return np.zeros((len(blocks[0]), 0))
    basis = independent(np.concatenate(joined, axis=1), 1.0)
    return np.eye(len(basis)) if basis.shape[0] == basis.shape[1] else basis
