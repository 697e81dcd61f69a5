"""T20: the typical recurrent start of any singular spectrum, a tree of Golub-Kahan chains.

W(0) = X diag(s) Y' with X, Y independent and uniform, U and V' in random directions. As the units
grow, the moments of words in W and W' on U and V' become those of free probability, and the flow
that of one deterministic network: every channel and every output is the root of a tree, every node
lies on one chain as a right vector (W acts) and on one as a left vector (W' acts),

    W r_i = a_i l_i + b_(i-1) l_(i-1),   W' l_i = a_i r_i + b_i r_(i+1),

with a, b the Golub-Kahan coefficients of the law of s^2. A node met on one chain starts a fresh
chain of the other kind. Cut at words of length l the tree of n + m roots has at most
(n + m)(2^(l+1) - 1) nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from richlazy.recurrent.network import Network

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["chain", "network", "tree"]

Array = NDArray[np.float64]

_BREAKDOWN = 1e-13  # of the largest singular value


def chain(values: ArrayLike, shares: ArrayLike, length: int) -> Array:
    """Couplings a_1, b_1, a_2, b_2, ... of the chain of a law of singular values.

    Parameters
    ----------
    values
        Distinct singular values, zero included where W has null directions.
    shares
        Share of all units that each stands for, summing to 1.
    length
        How many couplings at most; fewer where the chain ends.

    Examples
    --------
    >>> chain([1.0], [1.0], 5)  # orthogonal: W r = l, and no more
    array([1.])
    >>> chain([1.0, 0.0], [0.5, 0.5], 5).round(6)  # half rank
    array([0.707107, 0.707107])
    """
    s, share = np.asarray(values, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    right: list[Array] = [np.sqrt(share / share.sum())]  # in the singular bases
    left: list[Array] = []
    found: list[float] = []
    while len(found) < length:
        side, basis = (right, left) if len(right) > len(left) else (left, right)
        step = s * side[-1]
        for _ in range(2):
            for known in basis:
                step = step - known * (known @ step)
        size = float(np.linalg.norm(step))
        if size <= _BREAKDOWN * s.max():
            break
        # only the last of the basis is not orthogonal to begin with: its share is a coupling
        found.append(size)
        basis.append(step / size)
    return np.array(found)


def tree(couplings: Array, roots: int, words: int) -> csr_array[np.float64]:
    """W of the tree of `roots` roots, the first nodes, cut at words of a length."""
    from scipy.sparse import coo_array

    rows: list[Array] = []
    columns: list[Array] = []
    entries: list[Array] = []
    # a node: the place in the chain on which it was met (-1 for a root) and its role there
    nodes = np.arange(roots)
    place, is_right = np.full(roots, -1), np.zeros(roots, dtype=bool)
    total = roots
    for _ in range(words):
        children = []
        for fresh in (False, True):
            # along the chain on which the node was met, or along a fresh one in its other role
            step = np.where(fresh, 0, np.maximum(place, 0))
            as_right = np.where(place < 0, fresh, is_right ^ fresh)
            going = step < couplings.size
            parent, kind = nodes[going], as_right[going]
            new = total + np.arange(parent.size)
            total += parent.size
            # W takes right vectors to left ones
            rows.append(np.where(kind, new, parent))
            columns.append(np.where(kind, parent, new))
            entries.append(couplings[step[going]])
            children.append((new, step[going] + 1, ~kind))
        nodes, place, is_right = (np.concatenate(x) for x in zip(*children, strict=True))
        if nodes.size == 0:
            break
    places = np.concatenate(rows), np.concatenate(columns)
    return coo_array((np.concatenate(entries), places), shape=(total, total)).tocsr()


def network(
    values: ArrayLike,
    shares: ArrayLike,
    *,
    channels: int,
    outputs: int,
    input_norm: float,
    readout_norm: float,
    words: int,
) -> Network:
    """The typical network of a law of singular values, up to words of a length.

    Examples
    --------
    >>> network([1.0], [1.0], channels=1, outputs=1, input_norm=1.0, readout_norm=1.0, words=3)
    Network(units=14, channels=1, outputs=1, gain=0.9258)
    """
    w = tree(chain(values, shares, words), channels + outputs, words)
    u = np.zeros((w.shape[0], channels))
    v = np.zeros((outputs, w.shape[0]))
    u[np.arange(channels), np.arange(channels)] = input_norm
    v[np.arange(outputs), channels + np.arange(outputs)] = readout_norm
    return Network(u, w, v)
