"""T11: the directions of a network that its task can move, and what of the task they can learn."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.start import covariance, matrices, precision
from richlazy.start.covariance import inverse_root
from richlazy.start.matrices import MatrixLike
from richlazy.start.network import Network
from richlazy.start.task import Task
from richlazy.two_layer.flow import Problem
from richlazy.two_layer.reduction.krylov import Reduced

__all__ = [
    "independent",
    "invariant_subspace",
    "new_directions",
    "reachable",
    "reachable_outputs",
]

Array = NDArray[np.float64]

_EQUAL = 1e-12  # gap of eigenvalues or task strengths, relative to the largest, that is none
_SPREAD = 1e-3  # relative to themselves: that much rounding leaves of the smallest
_NO_VARIANCE = 1e-8  # root of an eigenvalue of cov_xx that is rounding; such inputs move nothing
_LEAST = 1e-290  # in place of a noise of zero


def invariant_subspace(start: Network, task: Task) -> Reduced:
    """T11: the same flow on the directions that can move.

    Hidden units: range of W1 plus row space of W2. Inputs: row space of W1 plus that of cov_yx,
    closed under cov_xx: what each of its eigenspaces sees of them. Where these are all units, or
    all inputs, they stay as they are: rotated, weak ones would drown in rounding of strong ones.
    Task modes that the start is orthogonal to are left out: they never move, and rounding must
    not wake them.
    """
    root, full = task.root, _full(start)
    if full is None:
        rows, columns, small_root, first, readout = _directions(start, task)
    else:
        rows, columns, small_root = np.eye(start.hidden), np.eye(task.inputs), root
        first, readout = full, _readout(start, task)
    said: tuple[str, ...] = ()
    if root is None or small_root is None:
        asked = (
            start.first,
            start.readout,
            task,
            float(np.linalg.norm(first)),
            start.precision,
        )
        cov_yx, said = reachable(*asked)
        lost = 0.5 * float(np.sum((task.cov_yx - cov_yx) ** 2))
        cov_yx = cov_yx @ columns
    else:
        known = task.cov_yx @ columns
        cov_yx = reachable_outputs(first, readout, known, small_root)
        lost = 0.5 * float(np.sum(((known - cov_yx) @ inverse_root(small_root)) ** 2))
    seen = first if small_root is None else first @ small_root
    weighed = seen if small_root is None else seen @ small_root
    return Reduced(
        problem=Problem(first[None], readout[None], cov_yx[None], small_root),
        inputs=float(task.inputs) if root is None else float(np.sum((root @ root) ** 2)),
        trace=float(np.sum(weighed**2)),
        trace_square=float(np.sum((seen @ seen.T) ** 2)),
        coupling=np.zeros(1),
        units=rows,
        directions=columns,
        complete=True,
        out_of_reach=lost,
        said=said,
    )


def _full(start: Network) -> Array | None:
    """W1 if it is square and of full rank: then no unit and no input need be turned."""
    w = start.first
    if not isinstance(w, np.ndarray) or w.shape[0] != w.shape[1] or start.graded:
        return None
    return w if start.kept_values.size == len(w) else None  # found once for every task


def _directions(start: Network, task: Task) -> tuple[Array, Array, Array | None, Array, Array]:
    """Bases of the units and inputs that can move, cov_xx^(1/2), W1 and W2 in them."""
    thin = start.factors
    whole = thin.values.size == min(thin.shape)
    rows = thin.left
    if start.readout is not None:
        rows = _span(rows, start.readout.T)
        if rows.shape[1] < start.hidden:  # weak units may be lost among strong ones
            both = np.concatenate([thin.left * thin.values, start.readout.T], axis=1)
            if precision.graded(both):
                rows = matrices.svd(both, start.precision).left
    columns, small_root = _inputs(thin.right, task)
    if whole and rows.shape[1] == start.hidden:
        rows = np.eye(start.hidden)
    if whole and small_root is None and columns.shape[1] == task.inputs:
        columns = np.eye(task.inputs)
    if whole:
        first = rows.T @ matrices.forward(start.first, columns)
        if small_root is None and columns.shape[1] < task.inputs and not start.graded:
            first[:, thin.values.size :] = 0.0  # orthogonal to all rows: the rest is rounding
    else:
        first = (rows.T @ thin.left * thin.values) @ (thin.right.T @ columns)
    return rows, columns, small_root, first, _readout(start, task) @ rows


def _readout(start: Network, task: Task) -> Array:
    silent = np.zeros((task.outputs, start.hidden))
    return silent if start.readout is None else start.readout


def _inputs(right: Array, task: Task) -> tuple[Array, Array | None]:
    """Orthonormal basis of the inputs that can move, and cov_xx^(1/2) in it."""
    if task.root is None:
        return _span(right, task.modes.right), None
    together = np.concatenate([right, task.modes.right], axis=1)
    if together.shape[1] >= task.inputs:
        return np.eye(task.inputs), task.root
    values, vectors = covariance.eigen(task.root, _NO_VARIANCE)
    parts = []
    for group in _equal(values**2):
        if values[group.stop - 1] > 0.0:
            part = vectors[:, group]
            parts.append(part @ independent(part.T @ together))
    columns = np.concatenate(parts, axis=1)
    if columns.shape[1] == task.inputs:
        return np.eye(task.inputs), task.root
    root = columns.T @ task.root @ columns
    return columns, 0.5 * (root + root.T)


def _equal(values: Array) -> list[slice]:
    """Groups of sorted values that are equal up to rounding."""
    gap, size = np.abs(np.diff(values)), np.abs(values)
    apart = (gap > _EQUAL * size.max()) | (gap > _SPREAD * np.maximum(size[1:], size[:-1]))
    gaps = np.flatnonzero(apart) + 1
    return [slice(i, j) for i, j in pairwise([0, *gaps.tolist(), values.size])]


def reachable(
    first: MatrixLike,
    readout: Array | None,
    task: Task,
    size: float,
    unit: float = precision.EPS,
) -> tuple[Array, tuple[str, ...]]:
    """cov_yx without the modes u s v' that have W1 v = 0 and W2'u = 0, and so keep it (white).

    Among modes of equal strength any combination may be one. What rounding of numbers known to
    `unit` cannot tell from zero is taken for it, and what to say of that comes with them. `size`
    is about ||W1||.
    """
    left, strengths, right = task.modes
    kept, faint = task.cov_yx, 0
    for among, found, mix in _touched(first, readout, task, size, unit):
        faint += int(np.sum((found > 0.0) & (found <= 1.0)))
        mix = mix[found > 1.0]
        u, v = left[:, among] * strengths[among], right[:, among]
        if len(mix) < v.shape[1]:
            kept = kept - u @ v.T + (u @ mix.T) @ (v @ mix.T).T
    if not faint:
        return kept, ()
    noise = precision.noise(max(first.shape), unit)
    return kept, (
        f"task modes that the start touches by no more than rounding, {noise:.0e} of its weights, "
        f"and is taken to be orthogonal to: {faint}",
    )


def _touched(
    first: MatrixLike, readout: Array | None, task: Task, size: float, unit: float
) -> Iterator[tuple[slice, Array, Array]]:
    """Groups of equal strength; how far combinations of each are touched, over rounding; these.

    A mode that shares its strength with no other is left out where it is touched.
    """
    left, strengths, right = task.modes
    layers = [(first, right, size)]
    if readout is not None:
        layers.append((readout.T, left, float(np.linalg.norm(readout))))
    rounding, touched = precision.noise(max(first.shape), unit), []
    for matrix, x, norm in layers:
        # x that no decomposition found is exact: then W x is known beside its own terms
        sizes = matrices.sizes(matrix, x) if task.separate else np.full(x.shape[1], norm)
        noise = rounding * np.minimum(sizes, norm)
        touched.append((matrices.forward(matrix, x), np.maximum(noise, _LEAST)))
    alone = np.linalg.norm(np.concatenate([image / noise for image, noise in touched]), axis=0)
    for among in _apart([image for image, _ in touched], _equal(strengths), task.separate):
        if among.stop - among.start == 1:
            if alone[among.start] <= 1.0:
                yield among, alone[among], np.ones((1, 1))
            continue
        some = np.concatenate([image[:, among] / noise[among].max() for image, noise in touched])
        yield (among, *np.linalg.svd(some, full_matrices=False)[1:])


def _apart(images: list[Array], groups: list[slice], separate: bool) -> Iterator[slice]:
    """Groups, split into their modes where no two touch a unit: none can then make up for another.

    Only where the modes are known exactly: those a decomposition found of equal strengths are any.
    """
    for among in groups:
        alone = separate and all(
            np.all(np.count_nonzero(image[:, among], axis=1) <= 1) for image in images
        )
        if alone:
            yield from (slice(i, i + 1) for i in range(among.start, among.stop))
        else:
            yield among


def reachable_outputs(first: Array, readout: Array, cov_yx: Array, root: Array) -> Array:
    """cov_yx on the outputs that hidden units drive or hear of; any inputs.

    The others are at rest: W2'u = 0, and the inputs cov_xx^k cov_xy u, with all that cov_yx
    makes of them, are unseen by W1. So the outputs kept are the range of W2 and of
    cov_yx P W1', closed under cov_yx P cov_xy, for all eigenprojections P of cov_xx.
    """
    values, vectors = np.linalg.eigh(root)
    task, seen = cov_yx @ vectors, first @ vectors
    task = task / max(float(np.linalg.norm(task, 2)), 1e-300)
    seen = seen / max(float(np.linalg.norm(seen, 2)) if seen.size else 0.0, 1e-300)
    heard = [readout / max(float(np.abs(readout).max(initial=0.0)), 1e-300), task @ seen.T]
    together = np.concatenate(heard, axis=1)
    # a weak output is no rounding beside the strong ones
    terms = np.concatenate([np.abs(heard[0]), np.abs(task) @ np.abs(seen.T)], axis=1)
    size = np.linalg.norm(terms, axis=1, keepdims=True)
    if independent(together / np.maximum(size, _LEAST)).shape[1] == len(task):
        return cov_yx
    basis = independent(together)
    if np.linalg.norm(task - basis @ (basis.T @ task)) > precision.noise(max(task.shape)):
        groups = [(task[:, g], seen[:, g]) for g in _equal(values**2)]
        parts = [basis, *(y @ w.T for y, w in groups)]
        for _ in range(len(cov_yx)):
            basis = independent(np.concatenate(parts, axis=1))
            parts = [basis, *(y @ (y.T @ basis) for y, _ in groups)]
        basis = independent(np.concatenate(parts, axis=1))
    return _unless_all(basis @ (basis.T @ cov_yx), cov_yx)


def _unless_all(kept: Array, cov_yx: Array) -> Array:
    """Untouched where nothing falls away, to the last bit."""
    lost = np.linalg.norm(cov_yx - kept)
    return kept if lost > precision.noise(max(kept.shape)) * np.linalg.norm(cov_yx) else cov_yx


def independent(block: Array, size: float = 1.0) -> Array:
    """Orthonormal basis of the columns of `block`, those below rounding of `size` dropped."""
    u, s, _ = np.linalg.svd(block, full_matrices=False)
    return np.asarray(u[:, s > precision.noise(max(block.shape)) * size])


def new_directions(
    basis: Array, block: Array, noise: ArrayLike, within: Array | None = None
) -> Array:
    """Orthonormal basis of what `block` has beyond `basis`, above the `noise` of each column.

    A small direction carries the rounding of the large ones it was found among: what does not
    outlast being orthogonalised anew is nothing else. All lie in the span of `within`.
    """
    block = block / np.maximum(noise, _LEAST)
    for small in (1.0, 0.5):
        if within is not None:
            block = within @ (within.T @ block)
        for _ in range(2):
            block = block - basis @ (basis.T @ block)
        u, s, _ = np.linalg.svd(block, full_matrices=False)
        block = u[:, s > small]
    return block


def _span(basis: Array, more: Array) -> Array:
    """Orthonormal basis of span(basis, more), basis orthonormal and kept as it is."""
    noise = precision.noise(len(more)) * np.linalg.norm(more, axis=0)
    return np.concatenate([basis, new_directions(basis, more, noise)], axis=1)
