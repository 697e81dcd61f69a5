"""Randomised controls of a weight matrix.

What changes between a matrix and its control says which of its features matter:

- `gaussian` keeps the Frobenius norm alone;
- `shuffled` keeps the weights, and moves all of them;
- `degree_preserving` keeps every neuron's number of inputs and outputs too;
- `same_singular_values` keeps the spectrum and draws the singular vectors;
- `same_eigenvalues` keeps eigenvalues and norm, and draws the rest (square matrices);
- `sign_balanced` keeps sizes, and lets every second neuron inhibit (square matrices);
- `gaussian_of_largest_singular_value` and `gaussian_of_spectral_radius` keep that number alone.

Weights are W[post, pre]. All but the last two have the Frobenius norm of the matrix; every function
takes a seed or a random generator, and none changes its argument.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.errors import AssumptionError, Rng, generator, integer, real_array
from richlazy.start.task import random_directions

__all__ = [
    "degree_preserving",
    "gaussian",
    "gaussian_of_largest_singular_value",
    "gaussian_of_spectral_radius",
    "same_eigenvalues",
    "same_singular_values",
    "shuffled",
    "sign_balanced",
]

Array = NDArray[np.float64]


def gaussian(weights: ArrayLike, rng: Rng) -> Array:
    """Return an i.i.d. Gaussian matrix of the shape and the Frobenius norm of `weights`.

    Parameters
    ----------
    weights
        (hidden, inputs).
    rng
        A seed or a numpy.random.Generator.

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
    weights
        (hidden, inputs).
    rng
        A seed or a numpy.random.Generator.

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
    weights
        W1[post, pre]; an entry that is not zero is an edge. Shape (hidden, inputs).
    rng
        A seed or a numpy.random.Generator.
    swaps_per_edge
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


def same_singular_values(weights: ArrayLike, rng: Rng) -> Array:
    """Return a matrix of the singular values of `weights`, its singular vectors uniform.

    What differs between the two is what a circuit has beyond its spectrum.

    Parameters
    ----------
    weights
        (hidden, inputs).
    rng
        A seed or a numpy.random.Generator.

    Raises
    ------
    ValueError
        If `weights` is not a finite real matrix with a nonzero entry.

    Examples
    --------
    >>> control = same_singular_values([[3.0, 0.0], [0.0, 4.0]], np.random.default_rng(0))
    >>> np.linalg.svd(control, compute_uv=False)
    array([4., 3.])
    """
    matrix, rng = _matrix(weights), generator(rng)
    s = np.linalg.svd(matrix, compute_uv=False)
    left, right = (random_directions(size, s.size, rng) for size in matrix.shape)
    return np.asarray(left * s @ right.T)


def same_eigenvalues(weights: ArrayLike, rng: Rng) -> Array:
    """Return a matrix of the eigenvalues and the Frobenius norm of `weights`, the rest random.

    Q (B + N) Q' with B the real blocks of the eigenvalues, in random order, Q uniform, and N
    Gaussian above the blocks, as large as the norm leaves room for: as far from normal as
    `weights`, ||W||^2 - sum |lambda|^2 (Henrici).

    Parameters
    ----------
    weights
        (units, units).
    rng
        A seed or a numpy.random.Generator.

    Raises
    ------
    ValueError
        If `weights` is not a square finite real matrix with a nonzero entry.

    Examples
    --------
    >>> control = same_eigenvalues([[0.0, -1.0, 3.0], [1.0, 0.0, 0.0], [0.0, 0.0, 2.0]], rng=0)
    >>> np.sort_complex(np.linalg.eigvals(control)).round(6) + 0.0
    array([0.-1.j, 0.+1.j, 2.+0.j])
    >>> bool(np.isclose(np.sum(control**2), 15.0))
    True
    """
    matrix, rng = _square(weights), generator(rng)
    largest = np.abs(matrix).max()  # squares of weights beyond 1e154 overflow
    matrix = matrix / largest
    n, values = len(matrix), np.linalg.eigvals(matrix)
    # one of each conjugate pair: LAPACK gives both, exactly
    kept = rng.permutation(values[values.imag >= 0])
    blocks, beyond, place = np.zeros((n, n)), np.triu(rng.standard_normal((n, n)), 1), 0
    for value in kept:
        if value.imag == 0:
            blocks[place, place] = value.real
            place += 1
            continue
        a, b = value.real, value.imag
        blocks[place : place + 2, place : place + 2] = [[a, b], [-b, a]]
        beyond[place, place + 1] = 0.0
        place += 2
    left = max(float(np.sum(matrix**2) - np.sum(blocks**2)), 0.0)
    if size := float(np.linalg.norm(beyond)):
        blocks += np.sqrt(left) / size * beyond
    q = random_directions(n, n, rng)
    return np.asarray(q @ blocks @ q.T * largest)


def sign_balanced(weights: ArrayLike, rng: Rng) -> Array:
    """Return the sizes of `weights` with a random half of the neurons inhibitory.

    Signs are those of columns, the presynaptic neurons: singular values are those of the sizes.
    Of an odd number of neurons one more excites.

    Parameters
    ----------
    weights
        (units, units).
    rng
        A seed or a numpy.random.Generator.

    Raises
    ------
    ValueError
        If `weights` is not a square finite real matrix with a nonzero entry.

    Examples
    --------
    >>> sign_balanced(np.ones((2, 2)), np.random.default_rng(0)).sum()
    np.float64(0.0)
    """
    matrix = _square(weights)
    n = len(matrix)
    signs = np.where(np.arange(n) < n // 2, -1.0, 1.0)
    return np.asarray(np.abs(matrix) * generator(rng).permutation(signs))


def gaussian_of_largest_singular_value(weights: ArrayLike, rng: Rng) -> Array:
    """Return an i.i.d. Gaussian matrix of the shape and largest singular value of `weights`.

    Parameters
    ----------
    weights
        (hidden, inputs).
    rng
        A seed or a numpy.random.Generator.

    Raises
    ------
    ValueError
        If `weights` is not a finite real matrix with a nonzero entry.
    """
    matrix = _matrix(weights)
    noise = generator(rng).standard_normal(matrix.shape)
    return np.asarray(np.linalg.norm(matrix, 2) / np.linalg.norm(noise, 2) * noise)


def gaussian_of_spectral_radius(weights: ArrayLike, rng: Rng) -> Array:
    """Return an i.i.d. Gaussian matrix of the size and spectral radius of `weights`.

    Parameters
    ----------
    weights
        (units, units).
    rng
        A seed or a numpy.random.Generator.

    Raises
    ------
    AssumptionError
        If the spectral radius is zero to rounding: nothing comes back to where it was.
    ValueError
        If `weights` is not a square finite real matrix with a nonzero entry.
    """
    matrix = _square(weights)
    # asked of the graph: rounding makes eigenvalues of eps^(1/N) where there are none
    if not _has_cycle(matrix):
        raise AssumptionError("weights have no cycle: their spectral radius is zero")
    noise = generator(rng).standard_normal(matrix.shape)
    return np.asarray(_radius(matrix) / _radius(noise) * noise)


def _has_cycle(matrix: Array) -> bool:
    from scipy.sparse.csgraph import connected_components

    strong, _ = connected_components(matrix != 0, connection="strong")
    return bool(np.any(np.diag(matrix)) or strong < len(matrix))


def _radius(matrix: Array) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def _square(weights: ArrayLike) -> Array:
    matrix = _matrix(weights)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"weights must be square (units x units); their shape is {matrix.shape}")
    return matrix


def _matrix(weights: ArrayLike) -> Array:
    matrix = real_array(weights, "weights", ndim=2)
    if not np.any(matrix):
        raise ValueError("weights must have a nonzero entry; every one is zero")
    return matrix
