"""Randomised controls of a weight matrix, each with the matrix's own Frobenius norm.

What changes between a matrix and its control says which of its features matter: a Gaussian
matrix keeps nothing but the norm, shuffled entries keep the weights, and a degree-preserving
rewiring keeps every neuron's number of inputs and outputs too. Weights are W1[post, pre];
every function takes a seed or a random generator, and none changes its argument.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, Rng, generator, integer, real_array

__all__ = ["degree_preserving", "gaussian", "shuffled"]

Array = NDArray[np.float64]


def gaussian(weights: ArrayLike, rng: Rng) -> Array:
    """Return an i.i.d. Gaussian matrix of the shape and the Frobenius norm of `weights`.

    Parameters
    ----------
    weights : array_like, shape (hidden, inputs)
    rng : int or numpy.random.Generator

    Raises
    ------
    ValueError
        If `weights` is not a finite real matrix with a nonzero entry.

    Examples
    --------
    >>> control = gaussian([[3.0, 0.0], [0.0, 4.0]], np.random.default_rng(0))
    >>> bool(np.isclose(np.linalg.norm(control), 5.0))
    True
    """
    matrix = _matrix(weights)
    noise = generator(rng).standard_normal(matrix.shape)
    # Squares of weights beyond 1e154 overflow: take the norm in units of the largest.
    largest = np.abs(matrix).max()
    unit = noise / np.linalg.norm(noise)
    return np.asarray(unit * np.linalg.norm(matrix / largest) * largest)


def shuffled(weights: ArrayLike, rng: Rng) -> Array:
    """Return `weights` with all its entries, zeros included, in random places.

    Parameters
    ----------
    weights : array_like, shape (hidden, inputs)
    rng : int or numpy.random.Generator

    Raises
    ------
    ValueError
        If `weights` is not a finite real matrix with a nonzero entry.

    Examples
    --------
    >>> control = shuffled([[3.0, 0.0], [0.0, 4.0]], np.random.default_rng(0))
    >>> np.sort(control, axis=None)
    array([0., 0., 3., 4.])
    """
    matrix = _matrix(weights)
    return generator(rng).permutation(matrix.ravel()).reshape(matrix.shape)


def degree_preserving(weights: ArrayLike, rng: Rng, swaps_per_edge: int = 20) -> Array:
    """Return `weights` with partners exchanged and every in- and out-degree kept.

    A Markov chain of edge swaps (Maslov and Sneppen 2002, Science 296: 910): draw two edges
    a -> b and c -> d uniformly and make them a -> d and c -> b, each weight staying with its
    presynaptic neuron. A swap is refused if one of the new edges exists or if it is a
    self-edge of a square matrix. So each column keeps its multiset of weights, each row its
    number of nonzero entries, and the matrix its Frobenius norm. Self-edges of a square
    matrix stay where they are.

    The chain is symmetric: it tends to the uniform distribution over what swaps can reach.
    It attempts `swaps_per_edge` times the number of edges swaps, refused ones included. If
    the degrees leave nothing to exchange (every entry of a matrix is nonzero, a ring of
    three) only weights move within columns, or nothing does.

    Parameters
    ----------
    weights : array_like, shape (hidden, inputs)
        W1[post, pre]; an entry that is not zero is an edge.
    rng : int or numpy.random.Generator
    swaps_per_edge : int
        Attempted swaps over number of edges. At 10 the participation ratios of the shipped
        mushroom bodies, most of whose swaps are refused, are still 2 % short of their limit;
        at 20 no difference is seen.

    Raises
    ------
    AssumptionError
        If fewer than two edges can be swapped (self-edges of a square matrix cannot).
    ValueError
        If `weights` is not a finite real matrix with a nonzero entry.

    Examples
    --------
    >>> ring = np.roll(np.eye(5), 1, axis=0)
    >>> control = degree_preserving(ring, np.random.default_rng(0))
    >>> control.sum(axis=0), control.sum(axis=1)
    (array([1., 1., 1., 1., 1.]), array([1., 1., 1., 1., 1.]))
    """
    matrix, rng = _matrix(weights), generator(rng)
    blocked = matrix != 0
    edges = blocked.copy()
    if matrix.shape[0] == matrix.shape[1]:
        np.fill_diagonal(edges, False)
        np.fill_diagonal(blocked, True)
    rows, columns = np.nonzero(edges)
    if rows.size < 2:
        raise AssumptionError(
            f"weights must have at least 2 edges to swap between neurons; it has {rows.size}"
        )
    attempts = integer(swaps_per_edge, "swaps_per_edge") * rows.size
    pairs = rng.integers(rows.size, size=(2, attempts))
    control = np.where(edges, 0.0, matrix)
    control[_swap(rows, columns, blocked, pairs), columns] = matrix[rows, columns]
    return control


def _swap(
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    blocked: NDArray[np.bool_],
    pairs: NDArray[np.int64],
) -> NDArray[np.intp]:
    """Return the edges' rows after the attempted swaps of `pairs`."""
    # Each swap depends on those before it, so this is a loop; lists and a bytearray are
    # several times faster than arrays for single entries.
    width = blocked.shape[1]
    taken = bytearray(blocked.tobytes())
    start, pre = (rows * width).tolist(), columns.tolist()
    for i, j in zip(*pairs.tolist(), strict=True):
        a, b, c, d = pre[i], start[i], pre[j], start[j]
        if a != c:
            if taken[d + a] or taken[b + c]:
                continue
            taken[b + a] = taken[d + c] = 0
            taken[d + a] = taken[b + c] = 1
        start[i], start[j] = d, b
    swapped: NDArray[np.intp] = np.array(start, dtype=np.intp) // width
    return swapped


def _matrix(weights: ArrayLike) -> Array:
    matrix = real_array(weights, "weights", ndim=2)
    if not np.any(matrix):
        raise ValueError("weights must have a nonzero entry; every one is zero")
    return matrix
