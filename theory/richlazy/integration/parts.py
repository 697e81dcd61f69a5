"""Which units of a network hang together: blocks that never meet are flows of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Members", "components"]

Array = NDArray[np.float64]
#: Which inputs, units of every layer and outputs belong to a part.
Members: TypeAlias = list[NDArray[np.bool_]]


def components(
    weights: Sequence[Array], target: Array, cov_xx: Array | None = None
) -> list[Members] | None:
    """Which units of every layer hang together, by weights, task or inputs; None if all do.

    Left out: those with a layer that none of their units is in, which never move.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sizes = [target.shape[1], *(len(w) for w in weights)]
    first = np.concatenate([[0], np.cumsum(sizes)])
    places = [(i + 1, i, w) for i, w in enumerate(weights)] + [(len(weights), 0, target)]
    if cov_xx is not None:
        places.append((0, 0, cov_xx))
    ends = [np.add(np.nonzero(block), [[first[out]], [first[into]]]) for out, into, block in places]
    rows, columns = np.concatenate(ends, axis=1)
    graph = coo_array((np.ones(rows.size), (rows, columns)), shape=(first[-1],) * 2)
    count, label = connected_components(graph, directed=False)
    if count == 1:
        return None
    layers = np.split(label, first[1:-1])
    members = [[layer == k for layer in layers] for k in range(count)]
    return [m for m in members if all(np.any(layer) for layer in m)]
